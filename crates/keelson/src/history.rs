//! The runtime's history is the store's recorder.

use async_trait::async_trait;
use keelson_core::{Decision, DecisionId, Effect, Feature, Outcome, Step};
use keelson_runtime::{History, HistoryError};
use keelson_store::{Filter, MAX_PAGE, Recorder};
use std::time::Duration;

/// How long a stopping process waits for the store; what it did not take stays in the journal.
const LAST_FLUSH: Duration = Duration::from_secs(3);

/// The key of a feature's state under which the number of its latest leader is kept.
const FENCE: &str = "fence";

/// A recorder that the runtime can write to.
#[derive(Clone)]
pub struct Kept(pub Recorder);

#[async_trait]
impl History for Kept {
    fn offer(&self, decision: Decision) {
        self.0.offer(decision);
    }

    async fn begin(&self, decision: &Decision, recording: Option<Vec<u8>>) -> Result<(), HistoryError> {
        let kept = self.0.begin(decision.clone(), recording).await;
        kept.map_err(|error| HistoryError { reason: error.to_string() })
    }

    fn finish(&self, id: DecisionId, outcome: Outcome, steps: Vec<Step>) {
        self.0.finish(id, outcome, steps);
    }

    async fn unfinished(&self, feature: Feature, before: Option<DecisionId>) -> Option<Vec<Decision>> {
        let filter = Filter {
            feature: Some(feature),
            outcome: Some(Outcome::Pending),
            before,
            limit: MAX_PAGE,
            ..Filter::default()
        };
        let answer = self.0.decisions(&filter).await;
        answer.partial.is_none().then_some(answer.value.decisions)
    }

    fn effect(&self, id: DecisionId, effect: Effect) {
        self.0.effect(id, effect);
    }

    async fn highest_fence(&self, feature: Feature) -> Option<u64> {
        match self.0.store().state_get(feature, FENCE).await {
            Ok(kept) => Some(kept.map_or(0, |kept| kept.fence)),
            Err(_) => None,
        }
    }

    async fn led(&self, feature: Feature, fence: u64) -> bool {
        let store = self.0.store();
        let Ok(kept) = store.state_get(feature, FENCE).await else { return false };
        let version = kept.map_or(0, |kept| kept.version);
        store.state_put(feature, FENCE, version, fence, &[]).await.is_ok()
    }

    async fn flush(&self) {
        self.0.close(LAST_FLUSH).await;
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::sync::Arc;

    use keelson_store::recorder::RING;
    use keelson_store::{Journal, JournalOptions, MemoryStore};

    use super::*;

    #[tokio::test]
    async fn the_number_of_the_latest_leadership_is_kept_and_a_lower_one_is_not() {
        let (store, journal) = (Arc::new(MemoryStore::new()), Journal::in_memory(JournalOptions::default()));
        let kept = Kept(Recorder::start(store, journal, Arc::new(|| keelson_core::Timestamp(0)), RING));
        assert_eq!(kept.highest_fence(Feature::Scheduling).await, Some(0));
        assert!(kept.led(Feature::Scheduling, 7).await);
        assert!(!kept.led(Feature::Scheduling, 5).await, "a later leader has written");
        assert_eq!(kept.highest_fence(Feature::Scheduling).await, Some(7));
        assert!(kept.led(Feature::Scheduling, 8).await);
        assert_eq!(kept.highest_fence(Feature::Scheduling).await, Some(8));
    }
}
