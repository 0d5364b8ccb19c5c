//! Writing decisions without making a reconcile wait.
//!
//! Decisions without actions go through a bounded queue and reach the store in batches. When the store is slow the queue
//! fills, and what finds no room is dropped and counted: history is worth less than the work it describes.
//!
//! Promises: [`Writer::offer`] never waits; every decision offered is stored or counted in [`Writer::dropped`]; what was
//! queued when the last writer is dropped is still written before the task ends.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use keelson_core::Decision;
use tokio::sync::mpsc::{self, Receiver, Sender};
use tokio::task::JoinHandle;
use tokio::time::{Instant, timeout_at};

use crate::Store;

/// The most decisions that wait.
pub const QUEUE: usize = 8_192;
/// The most decisions written in one transaction.
pub const BATCH: usize = 256;
/// The longest a decision waits for company.
pub const LINGER: Duration = Duration::from_millis(50);

/// The near end of the queue; clones share it.
#[derive(Debug, Clone)]
pub struct Writer {
    queue: Sender<Decision>,
    dropped: Arc<AtomicU64>,
}

impl Writer {
    /// Starts writing to `store`; the task ends when every clone of the writer is dropped and the queue is written.
    #[must_use]
    pub fn start(store: Arc<dyn Store>) -> (Self, JoinHandle<()>) {
        let (queue, waiting) = mpsc::channel(QUEUE);
        let dropped = Arc::new(AtomicU64::new(0));
        let task = tokio::spawn(write(store, waiting, Arc::clone(&dropped)));
        (Self { queue, dropped }, task)
    }

    /// Queues a decision, or drops and counts it when there is no room.
    pub fn offer(&self, decision: Decision) {
        if self.queue.try_send(decision).is_err() {
            self.dropped.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// How many decisions were not stored: no room, or the store refused their batch.
    #[must_use]
    pub fn dropped(&self) -> u64 {
        self.dropped.load(Ordering::Relaxed)
    }
}

async fn write(store: Arc<dyn Store>, mut waiting: Receiver<Decision>, dropped: Arc<AtomicU64>) {
    while let Some(first) = waiting.recv().await {
        let mut batch = vec![first];
        let until = Instant::now() + LINGER;
        while batch.len() < BATCH {
            match timeout_at(until, waiting.recv()).await {
                Ok(Some(next)) => batch.push(next),
                Ok(None) | Err(_) => break,
            }
        }
        if let Err(error) = store.record(&batch).await {
            dropped.fetch_add(u64::try_from(batch.len()).unwrap_or(u64::MAX), Ordering::Relaxed);
            tracing::warn!(category = error.category(), rows = batch.len(), "decisions dropped: {error}");
        }
    }
}
