//! Finishing what a predecessor left open.
//!
//! A process that is killed between a decision's first action and its last says nothing more about it. Whoever leads next
//! looks how it went: what was bound, made or applied carries the decision that did it.
//!
//! Promises: no decision stays open for longer than its feature goes without a leader; nothing is done again here, the
//! feature itself decides anew from what it sees.

use std::collections::BTreeMap;

use keelson_core::{Decision, Feature, Outcome, Span, Step, StepResult};
use tokio::time::{Duration, Instant};

use super::act::its_decision;
use super::{Executor, Inner};

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
            if switch.leading && settled.get(&feature) != Some(&switch.fence) {
                let mandate = inner.switches.mandate(feature, switch.fence);
                match mandate.act(inner.settle(feature, switch.fence)).await {
                    Ok(()) => drop(settled.insert(feature, switch.fence)),
                    Err(why) => tracing::warn!(%feature, "decisions of a predecessor stay open for now: {why}"),
                }
            }
        }
    }
}

impl Inner {
    /// Finishes every decision that was begun under an older fence.
    async fn settle(&self, feature: Feature, fence: u64) -> Result<(), String> {
        let mut before = None;
        loop {
            let open = self.history.unfinished(feature, before).await;
            let open = open.ok_or("not everything that was decided can be read")?;
            let Some(last) = open.last() else { return Ok(()) };
            before = Some(last.id);
            for decision in open.iter().filter(|decision| decision.fence < fence) {
                let (outcome, result, detail) = self.how_it_went(decision).await?;
                let action = "look how it went".to_owned();
                let step = Step { at: self.clock.now(), action, result, detail: detail.to_owned() };
                self.history.finish(decision.id, outcome, vec![step]);
                self.metrics.recorded(decision, outcome);
            }
        }
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
