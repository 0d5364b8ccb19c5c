//! How much is kept, and what remains of what is not.
//!
//! Each bound deletes on its own account: age, the number about one subject, and a quota for each feature, so that a
//! flood of one feature never evicts another's history. What others name as their cause is first cut to a stub, so that
//! a chain can be followed to its beginning.
//!
//! Promises: a sweep deletes at most [`SWEEP_ROWS`] rows of each sort, so that writers never wait long.

use keelson_core::{Decision, DecisionId, Span, Timestamp};
use uuid::Uuid;

/// The most rows of each sort that one sweep deletes: a writer waits for at most two sweeps, some 6 ms each in SQLite.
pub const SWEEP_ROWS: u32 = 25;
/// One recording in this many stays as long as its decision.
pub const KEPT_RECORDINGS: u64 = 1_000;

/// How much is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Retention {
    /// A decision goes when its last repeat is older.
    pub age: Span,
    /// A decision that others name as their cause outlives its age as a stub, and goes when its last repeat is older.
    pub stub_age: Span,
    /// How many decisions each controller keeps about one subject, stubs not counted.
    pub per_subject: u32,
    /// What each feature may take.
    pub per_feature: Quota,
    /// A recording goes when its decision is older, except one in [`KEPT_RECORDINGS`].
    pub recordings: Span,
}

/// What one feature's decisions may take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Quota {
    /// How many there may be.
    pub decisions: u64,
    /// How many bytes they may take together, as JSON.
    pub bytes: u64,
}

impl Default for Retention {
    /// Fourteen days (stubs eight weeks), 500 decisions a subject, 200,000 decisions or 256 MiB a feature, recordings of
    /// the last hour.
    fn default() -> Self {
        Self {
            age: Span::hours(14 * 24),
            stub_age: Span::hours(56 * 24),
            per_subject: 500,
            per_feature: Quota { decisions: 200_000, bytes: 256 << 20 },
            recordings: Span::hours(1),
        }
    }
}

/// What one sweep did.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Swept {
    /// Decisions older than the age.
    pub by_age: u64,
    /// Decisions beyond the count of their subject.
    pub by_count: u64,
    /// Decisions beyond the quota of their feature.
    pub by_quota: u64,
    /// How many of these are still there as stubs.
    pub stubs: u64,
    /// Recordings older than their age.
    pub recordings: u64,
    /// Samples older than their resolution keeps.
    pub samples: u64,
}

impl Swept {
    /// All decisions deleted or cut to stubs.
    #[must_use]
    pub const fn total(&self) -> u64 {
        self.by_age + self.by_count + self.by_quota
    }

    /// Whether a bound of one call was reached, so that more may be waiting.
    #[must_use]
    pub fn is_partial(&self) -> bool {
        self.total().max(self.recordings).max(self.samples) >= u64::from(SWEEP_ROWS)
    }

    /// How many decisions this call may still delete.
    pub(crate) fn room(&self) -> i64 {
        i64::try_from(u64::from(SWEEP_ROWS).saturating_sub(self.total())).unwrap_or(0)
    }
}

/// The moment before which `age` has passed at `now`.
pub(crate) fn horizon(now: Timestamp, age: Span) -> Timestamp {
    Timestamp(now.0.saturating_sub(age.0))
}

/// The least id that a decision made at `at` can have: ids begin with 48 bits of milliseconds.
pub(crate) fn first_id(at: Timestamp) -> DecisionId {
    let millis = u128::from(at.0.max(0).unsigned_abs() / 1_000);
    DecisionId(Uuid::from_u128(millis << 80))
}

/// Whether the recording of this decision is the one in a thousand: the random end of the id is its hash.
#[must_use]
pub fn keeps_recording(id: DecisionId) -> bool {
    let (_, random) = id.0.as_u64_pair();
    (random & ((1 << 62) - 1)).is_multiple_of(KEPT_RECORDINGS)
}

/// Drops what a stub has not: candidates, inputs, actions, steps and effect.
pub(crate) fn cut_to_stub(decision: &mut Decision) {
    decision.candidates = Vec::new();
    decision.inputs.clear();
    decision.actions = Vec::new();
    decision.steps = Vec::new();
    decision.effect = None;
}
