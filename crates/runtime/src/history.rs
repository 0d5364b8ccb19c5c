//! Where decisions go.
//!
//! The runtime knows two classes. A decision without actions is offered: best effort, never waited for. A decision with
//! actions is begun before its first action and finished after its last. A crash between the two leaves a row that says
//! `Pending`, until the next leader looks how it went and finishes it.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use async_trait::async_trait;
use keelson_core::{Decision, DecisionId, Effect, Feature, Outcome, Step};

/// The record could not be kept, and the store is configured to hold actions that cannot be recorded.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the decision cannot be recorded: {reason}; free the store or set store.onFull to act")]
pub struct HistoryError {
    /// Why.
    pub reason: String,
}

/// Where decisions are kept.
#[async_trait]
pub trait History: Send + Sync {
    /// Keeps a decision that has no actions, if there is room. Never waits.
    fn offer(&self, decision: Decision);

    /// Keeps a decision before its actions start, and what it saw, when that was recorded.
    ///
    /// # Errors
    /// When it cannot be kept; its actions are then not started.
    async fn begin(&self, decision: &Decision, recording: Option<Vec<u8>>) -> Result<(), HistoryError>;

    /// Says how the actions of a decision ended.
    fn finish(&self, id: DecisionId, outcome: Outcome, steps: Vec<Step>);

    /// Decisions of a feature that were begun and not finished, made before `before`, the newest first: some of them, and
    /// none when there are none. [`None`] when nobody knows now.
    async fn unfinished(&self, feature: Feature, before: Option<DecisionId>) -> Option<Vec<Decision>>;

    /// Says what came of a decision.
    fn effect(&self, id: DecisionId, effect: Effect);

    /// The highest number under which a feature was led, 0 when it never was; [`None`] when nobody knows now.
    async fn highest_fence(&self, feature: Feature) -> Option<u64>;

    /// Keeps that a feature is led under this number; says whether it is kept.
    async fn led(&self, feature: Feature, fence: u64) -> bool;

    /// Returns when everything said so far is kept.
    async fn flush(&self);
}

/// A history in memory, for tests and for `keelson simulate`.
#[derive(Debug, Default)]
pub struct MemoryHistory {
    rows: Mutex<Rows>,
}

#[derive(Debug, Default)]
struct Rows {
    decisions: BTreeMap<DecisionId, Decision>,
    recordings: BTreeMap<DecisionId, Vec<u8>>,
    fences: BTreeMap<Feature, u64>,
}

impl MemoryHistory {
    /// Every decision, in the order of ids.
    #[must_use]
    pub fn decisions(&self) -> Vec<Decision> {
        self.with(|rows| rows.decisions.values().cloned().collect())
    }

    /// What a decision saw.
    #[must_use]
    pub fn recording(&self, id: DecisionId) -> Option<Vec<u8>> {
        self.with(|rows| rows.recordings.get(&id).cloned())
    }

    fn with<T>(&self, look: impl FnOnce(&mut Rows) -> T) -> T {
        look(&mut self.rows.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

#[async_trait]
impl History for MemoryHistory {
    fn offer(&self, decision: Decision) {
        self.with(|rows| rows.decisions.insert(decision.id, decision));
    }

    async fn begin(&self, decision: &Decision, recording: Option<Vec<u8>>) -> Result<(), HistoryError> {
        self.with(|rows| {
            rows.decisions.insert(decision.id, decision.clone());
            rows.recordings.extend(recording.map(|bytes| (decision.id, bytes)));
        });
        Ok(())
    }

    fn finish(&self, id: DecisionId, outcome: Outcome, steps: Vec<Step>) {
        self.with(|rows| {
            if let Some(decision) = rows.decisions.get_mut(&id) {
                decision.ended(outcome, steps);
            }
        });
    }

    async fn unfinished(&self, feature: Feature, before: Option<DecisionId>) -> Option<Vec<Decision>> {
        let wanted = |decision: &&Decision| {
            decision.feature == feature
                && decision.outcome == Outcome::Pending
                && before.is_none_or(|before| decision.id < before)
        };
        Some(self.with(|rows| rows.decisions.values().rev().filter(wanted).cloned().collect()))
    }

    fn effect(&self, id: DecisionId, effect: Effect) {
        self.with(|rows| {
            if let Some(decision) = rows.decisions.get_mut(&id) {
                decision.effect = Some(effect);
            }
        });
    }

    async fn highest_fence(&self, feature: Feature) -> Option<u64> {
        Some(self.with(|rows| rows.fences.get(&feature).copied().unwrap_or_default()))
    }

    async fn led(&self, feature: Feature, fence: u64) -> bool {
        self.with(|rows| {
            let highest = rows.fences.entry(feature).or_default();
            *highest = fence.max(*highest);
        });
        true
    }

    async fn flush(&self) {}
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use keelson_core::{IdSource, Mode, ObjectRef, Reason, Span, Timestamp, Verb};

    use crate::Chance;

    fn made(chance: &Chance, second: i64, outcome: Outcome) -> Decision {
        let at = Timestamp(0) + Span::seconds(second);
        let (pod, what) = (ObjectRef::namespaced("Pod", "shop", "cart"), (Verb::Place, Reason::PodPlaced));
        let decision = Decision::new((Feature::Scheduling, "test"), 0, pod, what, "A test.", at);
        Decision {
            id: chance.decision_id(at),
            plan: chance.plan_id(at),
            mode: Mode::Enforce,
            outcome,
            fence: 1,
            ..decision
        }
    }

    #[tokio::test]
    async fn what_has_begun_and_not_ended_is_unfinished_the_newest_first() {
        let (history, chance) = (MemoryHistory::default(), Chance::new(1));
        let open: Vec<_> = (1..4).map(|second| made(&chance, second, Outcome::Pending)).collect();
        for decision in &open {
            history.begin(decision, None).await.unwrap();
        }
        history.offer(made(&chance, 4, Outcome::Would));
        let [first, second, third] = [0, 1, 2].map(|n: usize| open.get(n).unwrap().id);
        let unfinished = async |before| {
            let open = history.unfinished(Feature::Scheduling, before).await.unwrap();
            open.iter().map(|decision| decision.id).collect::<Vec<_>>()
        };
        assert_eq!(unfinished(None).await, [third, second, first]);
        assert_eq!(unfinished(Some(third)).await, [second, first]);
        history.finish(second, Outcome::Done, Vec::new());
        assert_eq!(unfinished(None).await, [third, first]);
    }

    #[tokio::test]
    async fn the_highest_number_stays_whatever_is_said_after_it() {
        let history = MemoryHistory::default();
        assert_eq!(history.highest_fence(Feature::Scheduling).await, Some(0), "nobody has led");
        for (fence, highest) in [(3, 3), (2, 3), (5, 5)] {
            assert!(history.led(Feature::Scheduling, fence).await);
            assert_eq!(history.highest_fence(Feature::Scheduling).await, Some(highest));
        }
    }
}
