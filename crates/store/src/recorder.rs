//! The one door through which decisions are remembered.
//!
//! A decision without actions is offered: it never makes anybody wait. One with actions is begun: its actions may start
//! when [`Recorder::begin`] returns. Both are known at once to a ring in memory and to whoever subscribed, reach the store
//! when that is there, and can be read meanwhile.
//!
//! Promises: nothing here waits for the database, except a reader, and that one not long; an outcome or effect is never
//! applied before its decision, and is lost only with it; changes are numbered without gaps, and the numbers go on growing
//! after a restart (they start at the clock's microseconds).

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use keelson_core::decision::{Effect, Outcome, Step};
use keelson_core::{Decision, DecisionId};
use tokio::sync::{broadcast, watch};
use tokio::task::JoinHandle;
use tokio::time::{sleep, timeout};

use crate::drain::{self, FIRST_PAUSE, longer};
use crate::journal::{Journal, JournalError, JournalStats, LONGEST_ENTRY, OnFull};
use crate::reach::{Clock, Reach, Watch};
use crate::writer::Writer;
use crate::{Changes, Entry, Store};

pub mod metrics;
mod read;
mod ring;

pub use read::Answer;
pub use ring::Change;
use ring::Ring;

/// How many decisions the ring keeps when nothing else is asked for.
pub const RING: usize = 2_000;
/// How far a subscriber may fall behind before it misses changes; it then resumes with [`Recorder::since`].
const BEHIND: usize = 1_024;

/// The door; clones share it.
#[derive(Clone)]
pub struct Recorder {
    inner: Arc<Inner>,
}

struct Inner {
    store: Arc<dyn Store>,
    journal: Journal,
    writer: Writer,
    watch: Watch,
    ring: Mutex<Ring>,
    changes: broadcast::Sender<Change>,
    stop: watch::Sender<bool>,
    tasks: Mutex<Option<(JoinHandle<()>, JoinHandle<()>)>>,
}

/// How remembering goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Health {
    /// Whether the store answers.
    pub store: Reach,
    /// What waits for it: decisions in the queue and entries in the journal.
    pub pending: u64,
    /// What was lost, in the queue and in the journal.
    pub dropped: u64,
    /// The journal's own numbers.
    pub journal: JournalStats,
    /// How many stored rows cannot be read and are left out, and the first of them.
    pub unreadable: (usize, Option<DecisionId>),
}

impl Recorder {
    /// Starts remembering; `ring` decisions are kept in memory. Needs a tokio runtime.
    ///
    /// ```
    /// use std::{sync::Arc, time::Duration};
    /// use keelson_core::Timestamp;
    /// use keelson_store::{Journal, JournalOptions, MemoryStore, Recorder, recorder::RING};
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() {
    /// let journal = Journal::in_memory(JournalOptions::default());
    /// let recorder = Recorder::start(Arc::new(MemoryStore::new()), journal, Arc::new(|| Timestamp(0)), RING);
    /// assert_eq!(recorder.health().pending, 0);
    /// recorder.close(Duration::from_secs(5)).await;
    /// # }
    /// ```
    #[must_use]
    pub fn start(store: Arc<dyn Store>, journal: Journal, clock: Clock, ring: usize) -> Self {
        let watch = Watch::new(clock);
        let (stop, stopped) = watch::channel(false);
        let (writer, writing) = Writer::start(Arc::clone(&store), watch.clone());
        let draining = drain::start(journal.clone(), Arc::clone(&store), watch.clone(), stopped);
        let ring = Mutex::new(Ring::new(ring, watch.now()));
        let (changes, _) = broadcast::channel(BEHIND);
        let tasks = Mutex::new(Some((writing, draining)));
        Self { inner: Arc::new(Inner { store, journal, writer, watch, ring, changes, stop, tasks }) }
    }

    /// Remembers a decision without actions as well as it can, and does not wait.
    pub fn offer(&self, decision: Decision) {
        let decision = Arc::new(decision);
        self.announce(|ring| Some(ring.record(&decision)));
        self.inner.writer.offer(decision);
    }

    /// Remembers a decision whose actions are about to start, with what it saw, and returns when that is durable.
    ///
    /// A journal that cannot take it (full, or its disk fails) returns Ok all the same when it is set to
    /// [`OnFull::Act`]; the decision is then remembered as well as an offered one, without what it saw.
    ///
    /// # Errors
    /// [`JournalError::NotPending`] and [`JournalError::Closed`]; or why the journal cannot take it when it is set to
    /// [`OnFull::Hold`]. Do not act then.
    pub async fn begin(&self, decision: Decision, recording: Option<Vec<u8>>) -> Result<(), JournalError> {
        if decision.outcome != Outcome::Pending {
            return Err(JournalError::NotPending { id: decision.id, outcome: decision.outcome });
        }
        let id = decision.id;
        let decision = Arc::new(decision);
        let mut entries = vec![Entry::Decision(Arc::clone(&decision))];
        match recording {
            Some(bytes) if bytes.len() > LONGEST_ENTRY => {
                self.inner.journal.counters().dropped(1);
                tracing::warn!(%id, bytes = bytes.len(), most = LONGEST_ENTRY, "a recording is too long and was dropped");
            }
            recording => entries.extend(recording.map(|bytes| Entry::Recording { id, bytes })),
        }
        match self.inner.journal.append(&entries).await {
            Err(error @ JournalError::Closed { .. }) => return Err(error),
            Err(error) if self.inner.journal.on_full() == OnFull::Hold => return Err(error),
            Err(error) => {
                self.inner.journal.counters().dropped(entries.len() - 1);
                tracing::warn!(%id, category = error.category(), "acting on a decision that may be forgotten: {error}");
                self.announce(|ring| Some(ring.record(&decision)));
                self.inner.writer.offer(decision);
            }
            Ok(()) => self.announce(|ring| Some(ring.record(&decision))),
        }
        Ok(())
    }

    /// Remembers how the actions of a decision ended, and does not wait.
    pub fn finish(&self, id: DecisionId, outcome: Outcome, steps: Vec<Step>) {
        self.announce(|ring| Some(ring.end(id, outcome, &steps)));
        self.update(Entry::Outcome { id, outcome, steps });
    }

    /// Remembers what came of a decision, and does not wait.
    pub fn effect(&self, id: DecisionId, effect: Effect) {
        self.announce(|ring| Some(ring.measure(id, &effect)));
        self.update(Entry::Effect { id, effect });
    }

    /// What the queue does not hold was begun, or is stored already: the journal applies it in its place.
    fn update(&self, entry: Entry) {
        if !self.inner.writer.amend(&entry) {
            self.inner.journal.append_later(entry);
        }
    }

    // The ring's lock is held while sending, so that subscribers see the numbers in order.
    fn announce(&self, change: impl FnOnce(&mut Ring) -> Option<Change>) {
        let mut ring = self.ring();
        if let Some(change) = change(&mut ring) {
            // An error says that nobody listens.
            let _ = self.inner.changes.send(change);
        }
    }

    fn ring(&self) -> MutexGuard<'_, Ring> {
        self.inner.ring.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Announces what other processes remember in the same database, until that is closed. What this one remembers is not
    /// announced again.
    pub async fn follow(&self, mut changes: Changes) {
        while let Some(id) = changes.next().await {
            let mut pause = FIRST_PAUSE;
            let decision = loop {
                match self.ask(self.inner.store.decision(id)).await {
                    Ok(decision) => break decision,
                    Err(error) if error.is_refusal() => break None,
                    Err(_) => {
                        sleep(pause).await;
                        changes.turn().await;
                    }
                }
                pause = longer(pause);
            };
            if let Some(decision) = decision {
                self.announce(|ring| ring.hear(decision));
            }
        }
    }

    /// Every change from now on. One who lags behind resumes with [`Recorder::since`].
    #[must_use]
    pub fn subscribe(&self) -> broadcast::Receiver<Change> {
        self.inner.changes.subscribe()
    }

    /// The changes after number `seq`, oldest first; none when some of them are forgotten: read a page again then.
    #[must_use]
    pub fn since(&self, seq: u64) -> Option<Vec<Change>> {
        self.ring().since(seq)
    }

    /// The number of the latest change.
    #[must_use]
    pub fn seq(&self) -> u64 {
        self.ring().seq()
    }

    /// How remembering goes.
    #[must_use]
    pub fn health(&self) -> Health {
        let journal = self.inner.journal.counters().read();
        let queued = u64::try_from(self.inner.writer.waiting()).unwrap_or(u64::MAX);
        let unreadable = self.inner.store.unreadable();
        Health {
            store: self.inner.watch.reach(),
            pending: journal.pending.saturating_add(queued),
            dropped: journal.dropped.saturating_add(self.inner.writer.dropped()),
            journal,
            unreadable: (unreadable.len(), unreadable.first().copied()),
        }
    }

    /// Why the store is away, in its own words; none while it is not.
    #[must_use]
    pub fn why_away(&self) -> Option<String> {
        self.inner.watch.why()
    }

    /// Why the journal took nothing the last time; none when it did.
    #[must_use]
    pub fn journal_trouble(&self) -> Option<JournalError> {
        self.inner.journal.trouble()
    }

    /// What becomes of a decision that the journal cannot take.
    #[must_use]
    pub fn on_full(&self) -> OnFull {
        self.inner.journal.on_full()
    }

    /// The store itself, for state, samples, recordings, exports and sweeps.
    #[must_use]
    pub fn store(&self) -> &Arc<dyn Store> {
        &self.inner.store
    }

    /// Stops taking decisions, gives the store what waits, at most `within` long, and closes the journal. What the store
    /// did not take stays in the journal for the next start.
    pub async fn close(&self, within: Duration) {
        self.inner.writer.close();
        let _ = self.inner.stop.send(true);
        let tasks = self.inner.tasks.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some((mut writing, mut draining)) = tasks {
            let both = async { tokio::join!(&mut writing, &mut draining) };
            if timeout(within, both).await.is_err() {
                tracing::warn!("the store did not take everything in time; the journal keeps the rest");
            }
            writing.abort();
            draining.abort();
        }
        self.inner.journal.close().await;
    }
}
