//! Keeps the store within its bounds, a little and often.
//!
//! Every ten seconds a small batch goes; while more is waiting, the next one follows after a pause in which writers have
//! their turn. Every replica sweeps, also one that does not lead: a sweep that finds nothing to do costs next to nothing,
//! and the store must not grow because nobody leads.

use std::sync::Arc;
use std::time::Duration;

use keelson_runtime::Clock;
use keelson_store::{Retention, Store};
use tokio::time::sleep;

/// How often, when nothing is waiting.
const EVERY: Duration = Duration::from_secs(10);
/// Between two batches. With [`keelson_store::SWEEP_ROWS`] and what a batch takes this is some 900 rows a second, more than
/// are ever written for long.
const PAUSE: Duration = Duration::from_millis(20);

/// Sweeps for as long as it is polled. A store that is away is swept when it is back.
pub async fn keep_within(store: Arc<dyn Store>, retention: Retention, clock: Clock) {
    let mut wait = EVERY;
    loop {
        sleep(wait).await;
        wait = match store.sweep(clock.now(), &retention).await {
            Ok(swept) if swept.is_partial() => PAUSE,
            Ok(_) => EVERY,
            Err(error) => {
                tracing::debug!(category = error.category(), "the store was not swept and will be later: {error}");
                EVERY
            }
        };
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use keelson_core::{DecisionId, Span, Timestamp};
    use keelson_store::{MemoryStore, SWEEP_ROWS};

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn what_is_too_old_goes_a_little_at_a_time_and_soon() {
        let clock = Clock::start(Timestamp::parse("2026-05-20T00:00:00Z").unwrap(), 1);
        let store = Arc::new(MemoryStore::new());
        let millis = clock.now().0 / 1_000;
        // One recording in a thousand stays; these are none of those.
        let id = |n: u32| format!("{millis:012x}70008000{:012x}", n * 1_000 + 1).parse().unwrap();
        let batch = usize::try_from(SWEEP_ROWS).unwrap();
        let ids: Vec<DecisionId> = (0..3 * SWEEP_ROWS).map(id).collect();
        for id in &ids {
            store.put_recording(*id, b"seen").await.unwrap();
        }
        let left = async || {
            let mut left = 0;
            for id in &ids {
                left += usize::from(store.recording(*id).await.unwrap().is_some());
            }
            left
        };
        let sweeping = tokio::spawn(keep_within(store.clone(), Retention::default(), clock));
        clock.sleep(Span::minutes(60)).await;
        assert_eq!(left().await, 3 * batch);
        sleep(EVERY + PAUSE / 2).await;
        assert_eq!(left().await, 2 * batch, "one batch, and then a pause");
        sleep(PAUSE).await;
        assert_eq!(left().await, batch);
        sleep(PAUSE).await;
        assert_eq!(left().await, 0);
        sweeping.abort();
    }
}
