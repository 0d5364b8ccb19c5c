//! Finishing what was left open.
//!
//! A process that is killed between a decision's first action and its last says nothing more about it, and one whose
//! binding got no answer does not know how it went. Whoever leads looks: what was bound, made or applied carries the
//! decision that did it. What shows nothing of it is looked at twice, for a request that was on its way to an API server
//! that stood still may be carried out after the first look.
//!
//! Promises: no decision stays open for longer than its feature goes without a leader or an API server; nothing is done
//! again here, the feature itself decides anew from what it sees.

use std::collections::BTreeMap;

use keelson_core::{Decision, Feature, Outcome, Span, Step, StepResult};
use tokio::time::{Duration, Instant};

use super::act::its_decision;
use super::{Executor, Inner, lock};

/// How often it is looked whether something is left open under an older fence.
const GLANCE: Span = Span::seconds(5);
/// How long looking at one object may take.
const READ: Duration = Duration::from_secs(5);

/// Finishes what is left open whenever this process has come to lead, until the process stops.
pub(crate) async fn keep_settled(executor: Executor) {
    let inner = executor.0;
    let mut settled: BTreeMap<Feature, u64> = BTreeMap::new();
    loop {
        inner.clock.sleep(GLANCE).await;
        for feature in Feature::ALL {
            let switch = inner.switches.now(feature);
            let unknown = !lock(&inner.unknown).is_empty();
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
        let unknown = lock(&self.unknown).clone();
        loop {
            let open = self.history.unfinished(feature, before).await;
            let open = open.ok_or("not everything that was decided can be read")?;
            let Some(last) = open.last() else { break };
            before = Some(last.id);
            for decision in open.iter().filter(|open| open.fence < fence || unknown.contains(&open.id)) {
                let (outcome, result, detail) = self.how_it_went(decision).await?;
                if outcome != Outcome::Done && lock(&self.looked_at).insert(decision.id) {
                    again += 1;
                    continue;
                }
                lock(&self.looked_at).remove(&decision.id);
                let action = "look how it went".to_owned();
                let step = Step { at: self.clock.now(), action, result, detail: detail.to_owned() };
                let steps = decision.steps.iter().cloned().chain([step]).collect();
                self.history.finish(decision.id, outcome, steps);
                self.metrics.recorded(decision, outcome);
                lock(&self.unknown).remove(&decision.id);
            }
        }
        if again == 0 {
            // What is not open any more was finished elsewhere.
            lock(&self.unknown).retain(|id| !unknown.contains(id));
            lock(&self.looked_at).clear();
        }
        Ok(again == 0)
    }

    async fn how_it_went(&self, decision: &Decision) -> Result<(Outcome, StepResult, &'static str), String> {
        let (object, deadline) = (&decision.subject, Instant::now() + READ);
        let place = self.kinds.place(&self.wire, object, deadline).await?;
        let live = self.read(object, place.path(object, ""), deadline).await?;
        let id = decision.id.to_string();
        Ok(match live.as_ref().map(its_decision) {
            Some(Some(by)) if by == id => (Outcome::Done, StepResult::Done, "the object carries this decision"),
            Some(_) => (Outcome::Failed, StepResult::Failed, "the process ended first; the object shows nothing of it"),
            None => (Outcome::Failed, StepResult::Failed, "the process ended first; the object is gone by now"),
        })
    }
}
