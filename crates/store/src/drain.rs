//! From the journal into the store, in order, for as long as it takes.
//!
//! One task takes the oldest entries, applies them in one transaction, and lets the journal forget them. They wait a moment
//! for company: how a decision ended mostly follows at once, and is one row with it. While the store is away it tries again
//! with growing pauses; what the store refuses for good is counted and left behind, so that one bad row does not hold all
//! others.
//!
//! Promises: entries are applied in the order they were appended; one leaves the journal only when the store has it or
//! will never take it.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep, timeout};

use crate::reach::Watch;
use crate::{Entry, Journal, Store, StoreError};

/// The most entries applied in one transaction.
pub const BATCH: usize = 256;
/// About the most bytes applied in one transaction.
pub const BATCH_BYTES: u64 = 4 << 20;
/// The longest an entry waits for company, unless a whole batch waits.
pub const LINGER: Duration = Duration::from_millis(500);
/// The pause after the first failure; it doubles with each further one.
pub const FIRST_PAUSE: Duration = Duration::from_millis(100);
/// The longest pause.
pub const LONGEST_PAUSE: Duration = Duration::from_secs(5);

/// How long the store may take for one transaction; a connection that went silent would hold up everything for ever.
pub const PATIENCE: Duration = Duration::from_secs(15);

/// The pause after this one.
pub(crate) fn longer(pause: Duration) -> Duration {
    (pause * 2).min(LONGEST_PAUSE)
}

/// Drains until `stop` turns true (or is dropped) and then once more until the journal is empty or the store fails.
#[must_use]
pub fn start(journal: Journal, store: Arc<dyn Store>, watch: Watch, stop: watch::Receiver<bool>) -> JoinHandle<()> {
    tokio::spawn(drain(journal, store, watch, stop))
}

async fn drain(journal: Journal, store: Arc<dyn Store>, watch: Watch, mut stop: watch::Receiver<bool>) {
    let mut pause = FIRST_PAUSE;
    loop {
        let stopping = *stop.borrow() || stop.has_changed().is_err();
        if stopping {
            journal.caught_up().await;
        }
        let batch = journal.oldest(BATCH, BATCH_BYTES).await;
        if batch.is_empty() {
            if stopping {
                return;
            }
            tokio::select! { () = journal.grown() => {}, _ = stop.changed() => {} }
            linger(&mut stop).await;
            continue;
        }
        let taken = batch.len();
        let entries: Vec<Entry> = batch.into_iter().flatten().collect();
        match watch.wrote(apply(store.as_ref(), &watch, &entries).await) {
            Ok(left) => {
                journal.counters().dropped(taken - entries.len() + left.refused);
                journal.counters().orphans(left.orphans);
                journal.drained(taken);
                pause = FIRST_PAUSE;
                if taken < BATCH {
                    linger(&mut stop).await;
                }
            }
            Err(_) if stopping => return,
            Err(_) => {
                tokio::select! { () = sleep(pause) => {}, _ = stop.changed() => {} }
                pause = longer(pause);
            }
        }
    }
}

/// Waits for company, unless it is to stop.
async fn linger(stop: &mut watch::Receiver<bool>) {
    if !*stop.borrow() {
        tokio::select! { () = sleep(LINGER) => {}, _ = stop.changed() => {} }
    }
}

/// What the store did not take.
#[derive(Debug, Default)]
pub(crate) struct Left {
    /// Entries it will never take.
    pub(crate) refused: usize,
    /// Updates of decisions it does not have.
    pub(crate) orphans: u64,
}

/// Applies all entries at once, or, when the store refuses one of them, each by itself without those it refuses.
pub(crate) async fn apply(store: &dyn Store, watch: &Watch, entries: &[Entry]) -> Result<Left, StoreError> {
    let mut left = Left::default();
    match apply_in_time(store, watch, entries).await {
        Err(error) if error.is_refusal() => {}
        answer => return answer.map(|orphans| Left { orphans, ..left }),
    }
    for entry in entries {
        match apply_in_time(store, watch, std::slice::from_ref(entry)).await {
            Err(error) if error.is_refusal() => {
                left.refused += 1;
                tracing::warn!(id = %entry.id(), category = error.category(), "refused by the store: {error}");
            }
            answer => left.orphans += answer?,
        }
    }
    Ok(left)
}

/// Giving up is safe: if the store commits all the same, applying the entries again changes nothing.
async fn apply_in_time(store: &dyn Store, watch: &Watch, entries: &[Entry]) -> Result<u64, StoreError> {
    let began = Instant::now();
    let answer = timeout(PATIENCE, store.apply(entries)).await;
    let orphans = answer.unwrap_or(Err(StoreError::Database(sqlx::Error::PoolTimedOut)))?;
    watch.committed(began.elapsed());
    Ok(orphans)
}
