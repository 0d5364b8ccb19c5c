//! Decisions that must not be lost, kept in a local file until the database has them.
//!
//! A decision with actions is appended here and flushed before its actions start; how they ended, what came of them and
//! what was seen follow without waiting. One task drains everything, in order, into the store. While the database is away
//! the journal grows up to its bound; after a crash it is read again, and what the database already has changes nothing.
//!
//! Promises: an [`Journal::append`] that returned Ok survives a crash of the process and of the machine; appends made
//! together share one flush; a full disk, a full journal and a closed one are errors, never a wait. The variant in memory
//! has no thread and touches no file, so that a simulated day is the same every time.

use std::io;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Sender, channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use keelson_core::DecisionId;
use tokio::sync::{Notify, oneshot};

use crate::Entry;

mod counters;
mod error;
mod folder;
mod frame;
mod pending;
mod tail;

pub use counters::{JournalCounters, JournalStats};
pub use error::JournalError;
pub use frame::LONGEST as LONGEST_ENTRY;
use pending::{Pending, Place};
use tail::{Append, Command, Tail};

/// 256 MiB: about a hundred thousand decisions with their candidates.
pub const DEFAULT_BOUND: u64 = 256 << 20;

/// What to do with a decision that the journal cannot take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OnFull {
    /// Act anyway; the record becomes best effort, and is counted as dropped when it is lost.
    Act,
    /// Do not act; the decision is made again later.
    Hold,
}

/// How much the journal keeps.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct JournalOptions {
    /// Bytes that may wait for the database. The files take up to a sixteenth more, in what is drained but not deleted.
    pub bound: u64,
    /// What to do beyond it.
    pub on_full: OnFull,
}

impl Default for JournalOptions {
    fn default() -> Self {
        Self { bound: DEFAULT_BOUND, on_full: OnFull::Act }
    }
}

/// What was found at start.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Recovered {
    /// Whole entries; they are drained again.
    pub entries: u64,
    /// Bytes cut from the end: a write that a crash interrupted.
    pub torn_bytes: u64,
    /// Bytes between whole entries that are none: a damaged disk.
    pub damaged_bytes: u64,
}

/// The journal; clones share it. Its thread ends with the last clone, or at [`Journal::close`].
#[derive(Debug, Clone)]
pub struct Journal {
    shared: Arc<Shared>,
    lane: Lane,
    options: JournalOptions,
    recovered: Recovered,
}

#[derive(Debug, Clone)]
enum Lane {
    Memory,
    Disk(Sender<Command>),
}

/// What appenders, the writing thread and the drain share.
#[derive(Debug)]
struct Shared {
    path: PathBuf,
    pending: Mutex<Pending>,
    counters: JournalCounters,
    grown: Notify,
    /// Why the last entries were not taken; none when they were.
    trouble: Mutex<Option<JournalError>>,
}

impl Shared {
    fn new(path: &Path) -> Self {
        let (pending, counters, grown) = (Mutex::default(), JournalCounters::default(), Notify::new());
        Self { path: path.to_owned(), pending, counters, grown, trouble: Mutex::default() }
    }

    fn trouble(&self) -> MutexGuard<'_, Option<JournalError>> {
        self.trouble.lock().unwrap_or_else(PoisonError::into_inner)
    }

    // Every change under the lock is a single step.
    fn pending(&self) -> MutexGuard<'_, Pending> {
        self.pending.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn flushed(&self, appends: &[Append], error: Option<&JournalError>) {
        let entries = |of: &dyn Fn(&&Append) -> bool| appends.iter().filter(of).map(|a| a.bodies.len()).sum();
        *self.trouble() = error.cloned();
        match error {
            None => self.counters.flush_succeeded(entries(&|_| true)),
            Some(error) => {
                tracing::warn!(category = error.category(), "the journal took nothing: {error}");
                self.counters.flush_failed(appends.iter().map(|append| append.bytes).sum());
                // Who waits is told, and decides; nobody else will.
                self.counters.dropped(entries(&|append| append.done.is_none()));
            }
        }
        self.grown.notify_one();
    }
}

impl Journal {
    /// Opens the journal in a folder of its own, makes it when it is missing, and finds what an earlier process left.
    /// Blocks while it reads: call it at start.
    ///
    /// # Errors
    /// When the folder cannot be written, belongs to another process, or holds files that are not this build's.
    pub fn open(folder: &Path, options: JournalOptions) -> Result<Self, JournalError> {
        let shared = Arc::new(Shared::new(folder));
        let locked = folder::Folder::open(folder)?;
        let segment_bytes = (options.bound / 16).clamp(64 << 10, 16 << 20);
        let (tail, recovered) = Tail::recover(locked, segment_bytes, &shared)?;
        if recovered.torn_bytes + recovered.damaged_bytes > 0 {
            tracing::warn!(path = %folder.display(), ?recovered, "the journal was interrupted; unreadable bytes were cut");
        }
        let (lane, commands) = channel();
        let thread_shared = Arc::clone(&shared);
        let thread = std::thread::Builder::new().name("keelson-journal".to_owned());
        thread.spawn(move || tail.serve(&commands, &thread_shared)).map_err(|e| JournalError::of(folder, &e))?;
        Ok(Self { shared, lane: Lane::Disk(lane), options, recovered })
    }

    /// A journal that forgets when the process ends.
    #[must_use]
    pub fn in_memory(options: JournalOptions) -> Self {
        let shared = Arc::new(Shared::new(Path::new("in memory")));
        Self { shared, lane: Lane::Memory, options, recovered: Recovered::default() }
    }

    /// Appends entries, all or none, and waits until they are durable. An append whose caller stops waiting still happens.
    ///
    /// # Errors
    /// When the journal is full or closed, or its disk fails; nothing was appended then.
    pub async fn append(&self, entries: &[Entry]) -> Result<(), JournalError> {
        let (done, flushed) = oneshot::channel();
        self.enqueue(entries, Some(done))?;
        flushed.await.unwrap_or_else(|_| Err(self.closed()))
    }

    /// Appends one entry with the next flush, or in a moment, without waiting for it. Some of the bound is kept for these,
    /// because an outcome is worth more than another beginning. What finds no room is counted.
    pub fn append_later(&self, entry: Entry) {
        if let Err(error) = self.enqueue(&[entry], None) {
            self.shared.counters.dropped(1);
            tracing::warn!(category = error.category(), "an update was dropped: {error}");
        }
    }

    fn enqueue(
        &self,
        entries: &[Entry],
        done: Option<oneshot::Sender<Result<(), JournalError>>>,
    ) -> Result<(), JournalError> {
        let mut bodies = Vec::with_capacity(entries.len());
        let mut bytes = 0;
        for entry in entries {
            let body = frame::body(entry).map_err(|e| self.io(&e.into()))?;
            if body.len() > frame::LONGEST {
                return Err(JournalError::TooLong { id: entry.id(), bytes: body.len(), most: frame::LONGEST });
            }
            bytes += u64::try_from(body.len() + frame::HEAD).unwrap_or(u64::MAX);
            bodies.push((entry.id(), body));
        }
        let bound = self.options.bound;
        let limit = if done.is_some() { bound - bound / 16 } else { bound };
        if !self.shared.counters.try_reserve(bytes, limit) {
            let full = JournalError::Full { path: self.shared.path.clone(), bound };
            *self.shared.trouble() = Some(full.clone());
            return Err(full);
        }
        match &self.lane {
            Lane::Disk(lane) => lane.send(Command::Append(Append { bodies, bytes, done })).map_err(|_| {
                self.shared.counters.release(bytes);
                self.closed()
            }),
            Lane::Memory => {
                for (entry, (id, body)) in entries.iter().zip(&bodies) {
                    let place = Place::Memory { entry: Arc::new(entry.clone()), length: body.len() + frame::HEAD };
                    self.shared.pending().push(*id, place, frame::is_recording(body));
                }
                self.shared.flushed(&[Append { bodies, bytes, done: None }], None);
                done.map_or(Ok(()), |done| done.send(Ok(())).map_err(|_| self.closed()))
            }
        }
    }

    /// Waits until what was appended before can be read.
    pub(crate) async fn caught_up(&self) {
        if let Lane::Disk(lane) = &self.lane {
            let (done, flushed) = oneshot::channel();
            if lane.send(Command::Flush(done)).is_ok() {
                // An error says that the thread has ended, after a last flush.
                let _ = flushed.await;
            }
        }
    }

    /// The oldest entries that the database does not have, at most `most` and about `bytes` together. An entry that
    /// cannot be read any more is none in its place.
    pub(crate) async fn oldest(&self, most: usize, bytes: u64) -> Vec<Option<Entry>> {
        let places = self.shared.pending().oldest(most, bytes);
        self.read(places).await
    }

    /// What waits about these decisions, about each in order, without their recordings.
    pub(crate) async fn about_all(&self, ids: &[DecisionId]) -> Vec<Entry> {
        let places = {
            let pending = self.shared.pending();
            ids.iter().flat_map(|id| pending.about(*id)).collect()
        };
        self.read(places).await.into_iter().flatten().collect()
    }

    /// What a decision saw, when that waits here.
    pub(crate) async fn recording(&self, id: DecisionId) -> Option<Vec<u8>> {
        let place = self.shared.pending().recording(id)?;
        match self.read(vec![place]).await.pop()?? {
            Entry::Recording { bytes, .. } => Some(bytes),
            _ => None,
        }
    }

    /// The newest decisions below `before` about which something waits.
    pub(crate) fn newest(&self, before: Option<DecisionId>, most: usize) -> Vec<DecisionId> {
        self.shared.pending().newest(before, most)
    }

    /// Says that the database has the oldest `n` entries.
    pub(crate) fn drained(&self, n: usize) {
        let (mut trim, mut bytes) = (false, 0);
        let mut pending = self.shared.pending();
        for (place, last) in std::iter::from_fn(|| pending.pop()).take(n) {
            bytes += place.length();
            trim |= last;
        }
        drop(pending);
        self.shared.counters.drained(n, bytes);
        if let (true, Lane::Disk(lane)) = (trim, &self.lane) {
            let _ = lane.send(Command::Trim);
        }
    }

    /// Waits until something was appended since the last call.
    pub(crate) async fn grown(&self) {
        self.shared.grown.notified().await;
    }

    async fn read(&self, places: Vec<Place>) -> Vec<Option<Entry>> {
        let read_all = |places: Vec<Place>| places.iter().map(read).collect();
        match self.lane {
            Lane::Memory => read_all(places),
            Lane::Disk(_) if places.is_empty() => Vec::new(),
            // A cold disk may take its time; the reconcilers of this thread shall not wait for it.
            Lane::Disk(_) => {
                let missing = places.len();
                tokio::task::spawn_blocking(move || read_all(places)).await.unwrap_or_else(|_| vec![None; missing])
            }
        }
    }

    /// What to do with a decision that finds no room.
    #[must_use]
    pub const fn on_full(&self) -> OnFull {
        self.options.on_full
    }

    /// What an earlier process left.
    #[must_use]
    pub const fn recovered(&self) -> Recovered {
        self.recovered
    }

    /// Why it took nothing the last time it was asked to; none when it took that.
    #[must_use]
    pub fn trouble(&self) -> Option<JournalError> {
        self.shared.trouble().clone()
    }

    /// The counters, to be read at any time.
    #[must_use]
    pub fn counters(&self) -> &JournalCounters {
        &self.shared.counters
    }

    /// Writes what was appended, ends the thread and gives the folder back; what waits for the database stays in it.
    pub async fn close(&self) {
        if let Lane::Disk(lane) = &self.lane {
            let (done, closed) = oneshot::channel();
            if lane.send(Command::Close(done)).is_ok() {
                let _ = closed.await;
            }
        }
    }

    fn closed(&self) -> JournalError {
        JournalError::Closed { path: self.shared.path.clone() }
    }

    fn io(&self, error: &io::Error) -> JournalError {
        JournalError::of(&self.shared.path, error)
    }
}

fn read(place: &Place) -> Option<Entry> {
    match place {
        Place::Memory { entry, .. } => Some(Entry::clone(entry)),
        Place::Disk { file, offset, length, .. } => {
            let mut bytes = vec![0; *length];
            file.read_exact_at(&mut bytes, *offset).ok()?;
            frame::decode(&frame::open(&bytes, 0)?)
        }
    }
}
