//! Writing decisions without making a reconcile wait.
//!
//! Decisions without actions go through a bounded queue and reach the store in batches. While the store is slow or away
//! the queue fills, and what finds no room is dropped and counted: history is worth less than the work it describes.
//!
//! Promises: [`Writer::offer`] never waits; every decision offered is stored or counted in [`Writer::dropped`]; what is
//! learned about a decision that still waits goes with it; what was queued when the last writer is dropped is still
//! written before the task ends, if the store takes it then.

use std::collections::{BTreeMap, VecDeque};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use keelson_core::{Decision, DecisionId};
use tokio::sync::Notify;
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep, timeout_at};

use crate::drain::{self, FIRST_PAUSE, longer};
use crate::reach::Watch;
use crate::{Entry, Store};

/// The most decisions that wait.
pub const QUEUE: usize = 8_192;
/// The most decisions written in one transaction.
pub const BATCH: usize = 256;
/// The longest a decision waits for company.
pub const LINGER: Duration = Duration::from_millis(50);

/// The near end of the queue; clones share it.
#[derive(Debug, Clone)]
pub struct Writer {
    near: Arc<Near>,
}

/// Closes the queue when the last writer is dropped.
#[derive(Debug)]
struct Near(Arc<Queue>);

#[derive(Debug, Default)]
struct Queue {
    held: Mutex<Held>,
    changed: Notify,
    dropped: AtomicU64,
}

#[derive(Debug, Default)]
struct Held {
    order: VecDeque<DecisionId>,
    waiting: BTreeMap<DecisionId, Arc<Decision>>,
    /// The batch that the store is being given.
    writing: BTreeMap<DecisionId, Arc<Decision>>,
    /// What was learned about that batch since.
    late: Vec<Entry>,
    closed: bool,
}

impl Writer {
    /// Starts writing to `store`; the task ends when every clone of the writer is dropped and the queue is written.
    #[must_use]
    pub fn start(store: Arc<dyn Store>, watch: Watch) -> (Self, JoinHandle<()>) {
        let queue = Arc::new(Queue::default());
        let task = tokio::spawn(write(store, Arc::clone(&queue), watch));
        (Self { near: Arc::new(Near(queue)) }, task)
    }

    /// Queues a decision, or drops and counts it when there is no room.
    pub fn offer(&self, decision: impl Into<Arc<Decision>>) {
        let decision = decision.into();
        let queue = &self.near.0;
        let mut held = queue.held();
        if held.closed || held.order.len() >= QUEUE {
            queue.drop_some(1);
            return;
        }
        held.order.push_back(decision.id);
        held.waiting.insert(decision.id, decision);
        drop(held);
        queue.changed.notify_one();
    }

    /// Writes an outcome or effect into the decision it is about; false when that is not (or no longer) in the queue.
    #[must_use]
    pub fn amend(&self, entry: &Entry) -> bool {
        let mut held = self.near.0.held();
        if let Some(decision) = held.waiting.get_mut(&entry.id()) {
            entry.amend(Arc::make_mut(decision));
            return true;
        }
        let Some(decision) = held.writing.get_mut(&entry.id()) else { return false };
        entry.amend(Arc::make_mut(decision));
        held.late.push(entry.clone());
        true
    }

    /// A decision that the store does not have yet.
    #[must_use]
    pub fn decision(&self, id: DecisionId) -> Option<Arc<Decision>> {
        let held = self.near.0.held();
        held.waiting.get(&id).or_else(|| held.writing.get(&id)).cloned()
    }

    /// All decisions that the store does not have yet.
    #[must_use]
    pub fn decisions(&self) -> Vec<Arc<Decision>> {
        let held = self.near.0.held();
        held.waiting.values().chain(held.writing.values()).cloned().collect()
    }

    /// How many decisions wait or are being written.
    #[must_use]
    pub fn waiting(&self) -> usize {
        let held = self.near.0.held();
        held.waiting.len() + held.writing.len()
    }

    /// How many decisions were not stored: no room, refused by the store, or left when the writer closed.
    #[must_use]
    pub fn dropped(&self) -> u64 {
        self.near.0.dropped.load(Ordering::Relaxed)
    }

    /// Takes no more; what is queued is still tried once.
    pub fn close(&self) {
        self.near.0.close();
    }
}

impl Drop for Near {
    fn drop(&mut self) {
        self.0.close();
    }
}

impl Queue {
    // Every change under the lock is complete when it is given back.
    fn held(&self) -> MutexGuard<'_, Held> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn drop_some(&self, n: usize) {
        self.dropped.fetch_add(u64::try_from(n).unwrap_or(u64::MAX), Ordering::Relaxed);
    }

    fn close(&self) {
        self.held().closed = true;
        self.changed.notify_one();
    }

    async fn until(&self, reached: impl Fn(&Held) -> bool) {
        while !reached(&self.held()) {
            self.changed.notified().await;
        }
    }

    /// The next batch, after a moment for company; empty when the queue is closed and there is none.
    async fn next_batch(&self) -> Vec<Entry> {
        self.until(|held| held.closed || !held.order.is_empty()).await;
        let full = self.until(|held| held.closed || held.order.len() >= BATCH);
        let _ = timeout_at(Instant::now() + LINGER, full).await;
        let mut held = self.held();
        let count = held.order.len().min(BATCH);
        let ids: Vec<_> = held.order.drain(..count).collect();
        for id in &ids {
            if let Some(decision) = held.waiting.remove(id) {
                held.writing.insert(*id, decision);
            }
        }
        ids.iter().filter_map(|id| held.writing.get(id)).cloned().map(Entry::Decision).collect()
    }

    /// What was learned about the batch while it was being written; when that is nothing, the batch is done.
    fn settle(&self) -> Vec<Entry> {
        let mut held = self.held();
        if held.late.is_empty() {
            held.writing.clear();
        }
        std::mem::take(&mut held.late)
    }
}

async fn write(store: Arc<dyn Store>, queue: Arc<Queue>, watch: Watch) {
    let mut pause = FIRST_PAUSE;
    loop {
        let mut entries = queue.next_batch().await;
        if entries.is_empty() {
            return;
        }
        while !entries.is_empty() {
            match watch.wrote(drain::apply(store.as_ref(), &watch, &entries).await) {
                Ok(left) => {
                    queue.drop_some(left.refused);
                    entries = queue.settle();
                    pause = FIRST_PAUSE;
                }
                Err(error) if queue.held().closed => {
                    let mut held = queue.held();
                    let lost = held.writing.len() + held.waiting.len();
                    queue.drop_some(lost);
                    *held = Held { closed: true, ..Held::default() };
                    tracing::warn!(category = error.category(), lost, "decisions dropped at the end: {error}");
                    return;
                }
                Err(_) => {
                    tokio::select! { () = sleep(pause) => {}, () = queue.until(|held| held.closed) => {} }
                    pause = longer(pause);
                }
            }
        }
    }
}
