//! Keeps the store within its bounds.
//!
//! Every replica sweeps, also one that does not lead: a sweep that finds nothing to do costs nothing, and the store must
//! not grow because nobody leads.

use std::sync::Arc;

use keelson_core::Span;
use keelson_runtime::Clock;
use keelson_store::{Retention, Store};

/// How often.
const EVERY: Span = Span::minutes(10);

/// Sweeps for as long as it is polled. A store that is away is swept when it is back.
pub async fn keep_within(store: Arc<dyn Store>, retention: Retention, clock: Clock) {
    loop {
        clock.sleep(EVERY).await;
        loop {
            match store.sweep(clock.now(), &retention).await {
                Ok(swept) if swept.is_partial() => tokio::task::yield_now().await,
                Ok(_) => break,
                Err(error) => {
                    tracing::warn!("the store was not swept and will be later: {error}");
                    break;
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use keelson_core::{DecisionId, Timestamp};
    use keelson_store::MemoryStore;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn recordings_go_when_they_are_old_enough_also_many_at_once() {
        let clock = Clock::start(Timestamp::parse("2026-05-20T00:00:00Z").unwrap(), 1);
        let store = Arc::new(MemoryStore::new());
        let millis = clock.now().0 / 1_000;
        // One recording in a thousand stays; these are none of those.
        let id = |n: u32| format!("{millis:012x}70008000{:012x}", n * 1_000 + 1).parse().unwrap();
        let ids: Vec<DecisionId> = (0..1_200).map(id).collect();
        for id in &ids {
            store.put_recording(*id, b"seen").await.unwrap();
        }
        let sweeping = tokio::spawn(keep_within(store.clone(), Retention::default(), clock));
        clock.sleep(Span::minutes(55)).await;
        assert!(store.recording(*ids.first().unwrap()).await.unwrap().is_some());
        clock.sleep(Span::minutes(20)).await;
        for id in &ids {
            assert!(store.recording(*id).await.unwrap().is_none());
        }
        sweeping.abort();
    }
}
