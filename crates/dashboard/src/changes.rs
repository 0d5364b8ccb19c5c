//! What just happened, in order, for every open page.
//!
//! One ring, numbered without gaps. A subscription is only a position in it: a slow reader costs nothing and holds nobody
//! up, and when the ring has moved past its position it is told to start over instead of being shown a hole.
//!
//! Promises: changes are seen in order and once; a position from before a restart or a [`ChangeLog::reset`], or too old, is
//! answered with [`Batch::Reset`]; memory is bounded by the ring.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use keelson_core::{Decision, DecisionId, Effect, Outcome, Step, Timestamp};
use serde::{Deserialize, Serialize};
use tokio::sync::watch;
use utoipa::ToSchema;

use crate::schema;

/// The most changes one batch holds.
pub const MAX_BATCH: usize = 256;

/// Something that happened to a decision.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Change {
    /// It was made, or repeated: then this is the row that the store folded it into, whose count grew.
    Decision(Arc<Decision>),
    /// Its actions ended.
    Outcome(OutcomeChange),
    /// What came of it was measured.
    Effect(EffectChange),
}

/// How the actions of a decision ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct OutcomeChange {
    /// The decision.
    #[schema(value_type = schema::DecisionId)]
    pub id: DecisionId,
    /// How they ended.
    #[schema(value_type = schema::Outcome)]
    pub outcome: Outcome,
    /// What was done, step by step; replaces the steps there were.
    #[schema(value_type = Vec<schema::Step>)]
    pub steps: Vec<Step>,
}

/// What came of a decision.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct EffectChange {
    /// The decision.
    #[schema(value_type = schema::DecisionId)]
    pub id: DecisionId,
    /// What came of it.
    #[schema(value_type = schema::Effect)]
    pub effect: Effect,
}

/// The ring of what just happened.
///
/// ```
/// # async fn example(decision: keelson_core::Decision) {
/// use std::sync::Arc;
/// use keelson_core::Timestamp;
/// use keelson_dashboard::{Change, ChangeLog, changes::Batch};
///
/// let log = ChangeLog::new(Timestamp(1_800_000_000_000_000), 4_096);
/// let mut page = log.subscribe(None);
/// let number = log.push(Change::Decision(Arc::new(decision)));
/// assert!(matches!(page.next().await, Batch::Changes(changes) if changes[0].0 == number));
/// # }
/// ```
#[derive(Debug)]
pub struct ChangeLog {
    capacity: usize,
    ring: Mutex<Ring>,
    newest: watch::Sender<u64>,
}

#[derive(Debug)]
struct Ring {
    /// The number of the newest change, or the start when there was none.
    newest: u64,
    changes: VecDeque<Change>,
}

impl Ring {
    /// The number before the oldest change that is kept.
    fn before_oldest(&self) -> u64 {
        self.newest.saturating_sub(self.changes.len() as u64)
    }
}

impl ChangeLog {
    /// A log that keeps the last `capacity` changes.
    ///
    /// Numbers go on from `started`, the wall clock's microseconds when the process began: so a position handed out by
    /// an earlier process is older than every number of this one, and is answered with a reset.
    #[must_use]
    pub fn new(started: Timestamp, capacity: usize) -> Arc<Self> {
        let newest = started.0.unsigned_abs();
        Arc::new(Self {
            capacity: capacity.max(1),
            ring: Mutex::new(Ring { newest, changes: VecDeque::new() }),
            newest: watch::Sender::new(newest),
        })
    }

    /// Adds what happened, and returns its number. Never blocks.
    pub fn push(&self, change: Change) -> u64 {
        let newest = {
            let mut ring = self.ring();
            if ring.changes.len() >= self.capacity {
                ring.changes.pop_front();
            }
            ring.changes.push_back(change);
            ring.newest = ring.newest.saturating_add(1);
            ring.newest
        };
        self.newest.send_replace(newest);
        newest
    }

    /// Says that changes were lost on the way here: every reader, open or coming back, is told to start over.
    ///
    /// The ring forgets what it holds and leaves a number out, so that no position handed out before is in it.
    pub fn reset(&self) {
        let newest = {
            let mut ring = self.ring();
            ring.changes.clear();
            ring.newest = ring.newest.saturating_add(1);
            ring.newest
        };
        self.newest.send_replace(newest);
    }

    /// Reads on after the change `since`, or from now on.
    #[must_use]
    pub fn subscribe(self: &Arc<Self>, since: Option<u64>) -> Subscription {
        let wake = self.newest.subscribe();
        let position = since.unwrap_or_else(|| self.ring().newest);
        Subscription { log: Arc::clone(self), wake, position }
    }

    // Every change of the ring is complete before the lock is given back, so a poisoned one is whole.
    fn ring(&self) -> MutexGuard<'_, Ring> {
        self.ring.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A reader's place in a [`ChangeLog`].
#[derive(Debug)]
pub struct Subscription {
    log: Arc<ChangeLog>,
    wake: watch::Receiver<u64>,
    position: u64,
}

/// What a reader gets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Batch {
    /// The next changes with their numbers, oldest first, at most [`MAX_BATCH`].
    Changes(Vec<(u64, Change)>),
    /// Changes were missed: read everything again. Reading goes on after this number.
    Reset(u64),
}

impl Subscription {
    /// The number of the last change that was read.
    #[must_use]
    pub const fn position(&self) -> u64 {
        self.position
    }

    /// Waits for the next changes. Nothing is lost when the future is dropped.
    pub async fn next(&mut self) -> Batch {
        loop {
            self.wake.mark_unchanged();
            if let Some(batch) = self.take() {
                return batch;
            }
            // The sender lives in the log, which this subscription keeps alive.
            let _ = self.wake.changed().await;
        }
    }

    fn take(&mut self) -> Option<Batch> {
        let ring = self.log.ring();
        let oldest = ring.before_oldest();
        if self.position < oldest || self.position > ring.newest {
            self.position = ring.newest;
            return Some(Batch::Reset(self.position));
        }
        let seen = usize::try_from(self.position - oldest).unwrap_or(usize::MAX);
        let changes: Vec<_> =
            (self.position + 1..).zip(ring.changes.iter().skip(seen).take(MAX_BATCH).cloned()).collect();
        self.position = changes.last()?.0;
        Some(Batch::Changes(changes))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn outcome(n: u128) -> Change {
        let id = format!("{n:032x}").parse().unwrap_or_else(|e| unreachable!("{e}"));
        Change::Outcome(OutcomeChange { id, outcome: Outcome::Done, steps: vec![] })
    }

    #[tokio::test]
    async fn a_reader_that_comes_back_goes_on_where_it_was() {
        let log = ChangeLog::new(Timestamp(100), 8);
        assert_eq!((log.push(outcome(1)), log.push(outcome(2)), log.push(outcome(3))), (101, 102, 103));
        let batch = log.subscribe(Some(101)).next().await;
        assert_eq!(batch, Batch::Changes(vec![(102, outcome(2)), (103, outcome(3))]));
    }

    #[tokio::test]
    async fn a_reader_that_fell_behind_the_ring_starts_over_once() {
        let log = ChangeLog::new(Timestamp(0), 2);
        let mut reader = log.subscribe(None);
        for n in 0..5 {
            log.push(outcome(n));
        }
        assert_eq!(reader.next().await, Batch::Reset(5));
        log.push(outcome(9));
        assert_eq!(reader.next().await, Batch::Changes(vec![(6, outcome(9))]));
    }

    #[tokio::test]
    async fn the_whole_ring_can_be_read_and_nothing_before_it() {
        let log = ChangeLog::new(Timestamp(0), 2);
        for n in 0..3 {
            log.push(outcome(n));
        }
        assert_eq!(log.subscribe(Some(1)).next().await, Batch::Changes(vec![(2, outcome(1)), (3, outcome(2))]));
        assert_eq!(log.subscribe(Some(0)).next().await, Batch::Reset(3));
    }

    #[tokio::test]
    async fn a_position_of_another_process_starts_over() {
        let log = ChangeLog::new(Timestamp(1_000), 8);
        assert_eq!(log.subscribe(Some(999)).next().await, Batch::Reset(1_000), "an earlier process");
        assert_eq!(log.subscribe(Some(5_000)).next().await, Batch::Reset(1_000), "a number nobody gave out");
    }

    #[tokio::test]
    async fn after_a_reset_every_reader_starts_over_once_and_goes_on() {
        let log = ChangeLog::new(Timestamp(0), 8);
        log.push(outcome(1));
        let mut behind = log.subscribe(Some(0));
        let mut current = log.subscribe(None);
        log.reset();
        assert_eq!(behind.next().await, Batch::Reset(2));
        assert_eq!(current.next().await, Batch::Reset(2), "one that had seen everything may have missed what was lost");
        assert_eq!(log.subscribe(Some(1)).next().await, Batch::Reset(2), "one that comes back");
        assert_eq!(log.push(outcome(3)), 3);
        for reader in [&mut behind, &mut current] {
            assert_eq!(reader.next().await, Batch::Changes(vec![(3, outcome(3))]));
        }
    }

    #[tokio::test]
    async fn a_waiting_reader_is_woken_by_a_reset() {
        let log = ChangeLog::new(Timestamp(0), 4);
        let mut reader = log.subscribe(None);
        let waiting = tokio::spawn(async move { reader.next().await });
        tokio::task::yield_now().await;
        log.reset();
        assert_eq!(waiting.await.ok(), Some(Batch::Reset(1)));
    }

    #[tokio::test]
    async fn a_long_gap_comes_in_bounded_batches() {
        let log = ChangeLog::new(Timestamp(0), 1_000);
        let mut reader = log.subscribe(None);
        for n in 0..600 {
            log.push(outcome(n));
        }
        let mut sizes = vec![];
        while reader.position() < 600 {
            let Batch::Changes(changes) = reader.next().await else { unreachable!("nothing was missed") };
            sizes.push(changes.len());
        }
        assert_eq!(sizes, [256, 256, 88]);
    }

    proptest! {
        /// Whatever a reader sees continues what it saw before, without a gap, except after a reset.
        #[test]
        fn a_reader_sees_every_change_or_is_told(steps in prop::collection::vec((any::<bool>(), 1..40_u8), 0..60)) {
            let log = ChangeLog::new(Timestamp(0), 32);
            let mut reader = log.subscribe(None);
            let (mut written, mut seen) = (0_u64, 0_u64);
            for (writes, times) in steps {
                for _ in 0..times {
                    if writes {
                        written = log.push(outcome(u128::from(written) + 1));
                    } else if let Some(batch) = reader.take() {
                        match batch {
                            Batch::Reset(at) => {
                                prop_assert!(written - seen > 32, "nothing was lost");
                                seen = at;
                            }
                            Batch::Changes(changes) => {
                                for (number, change) in changes {
                                    prop_assert_eq!((number, change), (seen + 1, outcome(u128::from(seen) + 1)));
                                    seen = number;
                                }
                            }
                        }
                    }
                }
                prop_assert_eq!(seen, reader.position());
            }
            while reader.take().is_some() {}
            prop_assert_eq!(reader.position(), written);
        }
    }

    #[tokio::test]
    async fn a_waiting_reader_is_woken() {
        let log = ChangeLog::new(Timestamp(0), 4);
        let mut reader = log.subscribe(None);
        let waiting = tokio::spawn(async move { reader.next().await });
        tokio::task::yield_now().await;
        log.push(outcome(1));
        assert_eq!(waiting.await.ok(), Some(Batch::Changes(vec![(1, outcome(1))])));
    }
}
