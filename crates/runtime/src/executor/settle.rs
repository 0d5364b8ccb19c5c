//! Finishing what was left open.
//!
//! A process that is killed between a decision's first action and its last says nothing more about it, and one whose
//! action got no answer does not know how it went. Whoever leads looks what the world shows of it. What shows nothing is
//! looked at twice, for a request that was on its way to an API server that stood still may be carried out after the
//! first look.
//!
//! Promises: no decision stays open for longer than its feature goes without a leader or an API server; whoever waits for
//! how one went is told; nothing is done again here, the feature itself decides anew from what it sees.

use std::collections::BTreeMap;
use std::sync::Arc;

use keelson_core::{Action, Decision, Feature, Outcome, Span, Step, StepResult};

use super::look::Look;
use super::{Ended, Executor, Inner, lock};
use crate::watch;

/// How often it is looked whether something is left open under an older fence.
const GLANCE: Span = Span::seconds(5);
/// A decision of this process of which nobody knows how it went.
#[derive(Debug, Clone)]
pub(super) struct Unanswered {
    pub(super) feature: Feature,
    /// The action whose answer nobody got, when it is known which.
    pub(super) action: Option<Action>,
    /// Whether the plan ends with it, but for what only tells.
    pub(super) is_last: bool,
    /// How it went, once that is known. Nobody will tell any more when this is gone.
    pub(super) told: Arc<watch::Sender<Option<Ended>>>,
}

impl Unanswered {
    pub(super) fn new(feature: Feature, action: Option<Action>, is_last: bool) -> Self {
        Self { feature, action, is_last, told: Arc::new(watch::channel(None).0) }
    }
}

/// Finishes what is left open whenever this process has come to lead, until the process stops.
pub(crate) async fn keep_settled(executor: Executor) {
    let inner = executor.0;
    let mut settled: BTreeMap<Feature, u64> = BTreeMap::new();
    loop {
        inner.clock.sleep(GLANCE).await;
        for feature in Feature::ALL {
            let switch = inner.switches.now(feature);
            let unknown = lock(&inner.unknown).values().any(|unanswered| unanswered.feature == feature);
            if switch.leading && (unknown || settled.get(&feature) != Some(&switch.fence)) {
                let mandate = inner.switches.mandate(feature, switch.fence);
                match mandate.act(inner.settle(feature, switch.fence)).await {
                    Ok(true) => drop(settled.insert(feature, switch.fence)),
                    Ok(false) => {}
                    Err(why) => tracing::warn!(%feature, "decisions of a predecessor stay open for now: {why}"),
                }
            }
        }
    }
}

impl Inner {
    /// Finishes every decision that was begun under an older fence, or of which this process does not know how it went.
    /// Says whether that was all, or some have to be looked at again.
    async fn settle(&self, feature: Feature, fence: u64) -> Result<bool, String> {
        let (mut before, mut again) = (None, 0_usize);
        let mut unknown = lock(&self.unknown).clone();
        unknown.retain(|_, unanswered| unanswered.feature == feature);
        loop {
            let open = self.history.unfinished(feature, before).await;
            let open = open.ok_or("not everything that was decided can be read")?;
            let Some(last) = open.last() else { break };
            before = Some(last.id);
            for decision in open.iter().filter(|open| open.fence < fence || unknown.contains_key(&open.id)) {
                let unanswered = unknown.get(&decision.id);
                let look = match unanswered.and_then(|unanswered| unanswered.action.as_ref()) {
                    Some(action) => self.look(decision, action).await?,
                    None => self.look_at_all(decision).await?,
                };
                if matches!(look, Look::Nothing(_)) && lock(&self.looked_at).insert(decision.id) {
                    again += 1;
                    continue;
                }
                lock(&self.looked_at).remove(&decision.id);
                self.settled(decision, unanswered, look);
            }
        }
        if again == 0 {
            // What is not open any more was finished elsewhere.
            lock(&self.unknown).retain(|id, _| !unknown.contains_key(id));
            lock(&self.looked_at).clear();
        }
        Ok(again == 0)
    }

    /// Closes a decision as it was found to have gone.
    fn settled(&self, decision: &Decision, unanswered: Option<&Unanswered>, look: Look) {
        let (result, detail) = match look {
            Look::Shows(result, detail) => (result, detail),
            Look::Nothing(why) => (StepResult::Failed, why),
        };
        let whole = unanswered.is_none_or(|unanswered| unanswered.is_last);
        let taken_back = decision.steps.iter().any(|step| step.result == StepResult::Undone);
        let outcome = match result {
            StepResult::Done if whole && !taken_back => Outcome::Done,
            StepResult::Unchanged if whole && !taken_back => Outcome::NoAction,
            _ => Outcome::Failed,
        };
        if !matches!(result, StepResult::Done | StepResult::Unchanged) {
            let action = unanswered.and_then(|unanswered| unanswered.action.as_ref());
            self.release_gate(action.map_or(&[], std::slice::from_ref));
        }
        let step = Step { at: self.clock.now(), action: "look how it went".to_owned(), result, detail };
        let steps: Vec<Step> = decision.steps.iter().cloned().chain([step]).collect();
        self.history.finish(decision.id, outcome, steps.clone());
        self.metrics.recorded(decision, outcome);
        lock(&self.unknown).remove(&decision.id);
        if let Some(unanswered) = unanswered {
            unanswered.told.send_replace(Some((outcome, steps)));
        }
    }
}
