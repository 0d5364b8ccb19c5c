//! What the journal did, in numbers that can be read at any time without waiting.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

/// The numbers while they grow.
#[derive(Debug, Default)]
pub struct JournalCounters {
    appended: AtomicU64,
    drained: AtomicU64,
    pending: AtomicU64,
    pending_bytes: AtomicU64,
    flushes: AtomicU64,
    flush_failures: AtomicU64,
    dropped: AtomicU64,
    orphans: AtomicU64,
}

/// The numbers at one moment, since the process started.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct JournalStats {
    /// Entries that became durable.
    pub appended: u64,
    /// Entries that left for the database, those found at start included.
    pub drained: u64,
    /// Entries that wait for the database.
    pub pending: u64,
    /// Bytes that wait for the database or for their flush.
    pub pending_bytes: u64,
    /// Flushes that succeeded; far fewer than entries when many come at once.
    pub flushes: u64,
    /// Flushes that failed.
    pub flush_failures: u64,
    /// Entries lost: an update without room or flush, an entry that is unreadable or that the database refuses.
    pub dropped: u64,
    /// Outcomes and effects of decisions that the database does not have: swept, folded or dropped before.
    pub orphans: u64,
}

impl JournalCounters {
    /// The numbers now.
    #[must_use]
    pub fn read(&self) -> JournalStats {
        JournalStats {
            appended: self.appended.load(Relaxed),
            drained: self.drained.load(Relaxed),
            pending: self.pending.load(Relaxed),
            pending_bytes: self.pending_bytes.load(Relaxed),
            flushes: self.flushes.load(Relaxed),
            flush_failures: self.flush_failures.load(Relaxed),
            dropped: self.dropped.load(Relaxed),
            orphans: self.orphans.load(Relaxed),
        }
    }

    /// One entry was found at start.
    pub(super) fn recovered(&self, bytes: u64) {
        add(&self.pending, 1);
        self.pending_bytes.fetch_add(bytes, Relaxed);
    }

    /// Takes room below `limit`, or nothing.
    pub(super) fn try_reserve(&self, bytes: u64, limit: u64) -> bool {
        let within = |now: u64| now.checked_add(bytes).filter(|sum| *sum <= limit);
        self.pending_bytes.fetch_update(Relaxed, Relaxed, within).is_ok()
    }

    pub(super) fn release(&self, bytes: u64) {
        self.pending_bytes.fetch_sub(bytes, Relaxed);
    }

    pub(super) fn flush_succeeded(&self, entries: usize) {
        self.flushes.fetch_add(1, Relaxed);
        add(&self.appended, entries);
        add(&self.pending, entries);
    }

    pub(super) fn flush_failed(&self, bytes: u64) {
        self.flush_failures.fetch_add(1, Relaxed);
        self.release(bytes);
    }

    pub(super) fn drained(&self, entries: usize, bytes: u64) {
        add(&self.drained, entries);
        self.pending.fetch_sub(u64::try_from(entries).unwrap_or(u64::MAX), Relaxed);
        self.release(bytes);
    }

    pub(crate) fn dropped(&self, entries: usize) {
        add(&self.dropped, entries);
    }

    pub(crate) fn orphans(&self, updates: u64) {
        self.orphans.fetch_add(updates, Relaxed);
    }
}

fn add(counter: &AtomicU64, n: usize) {
    counter.fetch_add(u64::try_from(n).unwrap_or(u64::MAX), Relaxed);
}
