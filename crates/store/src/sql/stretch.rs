//! Which ids a time can have, so that a question about an hour reads that hour and not all that came after it.
//!
//! An id begins with the milliseconds it was made at, and those are the decision's own as long as the clock never went
//! back. How far the two were ever apart is known ([`Drift`]), and the bounds are wider by that. A decision that was made
//! before a moment and repeated after it is none of the ids of that time: such rows have an index of their own, and are a
//! stretch of their own.
//!
//! Promises: the stretches of a filter hold every row it matches, none twice, and follow each other newest first.

use keelson_core::{DecisionId, Timestamp};
use uuid::Uuid;

use crate::Filter;

pub(crate) const DRIFT: &str = "SELECT behind, ahead FROM drift";

/// How far ids and decisions were ever apart, in milliseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Drift {
    /// An id that is earlier than its decision.
    pub(crate) behind: i64,
    /// An id that is later.
    pub(crate) ahead: i64,
}

/// Ids that follow each other.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Stretch {
    /// From this one on.
    pub(crate) from: Option<DecisionId>,
    /// Older than this one.
    pub(crate) before: Option<DecisionId>,
    /// Only those that were repeated.
    pub(crate) repeated: bool,
}

/// The stretches that a filter looks through, newest first.
pub(crate) fn stretches(filter: &Filter, drift: Drift) -> Vec<Stretch> {
    let millis = |at: Timestamp| at.0.div_euclid(1_000);
    let until = filter.until.map(|until| first_id(millis(until).saturating_add(drift.ahead).saturating_add(1)));
    let before = [until, filter.before].into_iter().flatten().min();
    let whole = Stretch { before, ..Stretch::default() };
    let Some(since) = filter.since else { return vec![whole] };
    let from = first_id(millis(since).saturating_sub(drift.behind));
    let older = Stretch { before: Some(before.map_or(from, |before| before.min(from))), repeated: true, from: None };
    vec![Stretch { from: Some(from), ..whole }, older]
}

/// The least id of a millisecond: 48 bits of it come first.
fn first_id(millis: i64) -> DecisionId {
    let millis = u128::from(millis.clamp(0, (1 << 48) - 1).unsigned_abs());
    DecisionId(Uuid::from_u128(millis << 80))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::indexing_slicing)]
    use super::*;

    fn ids(stretch: &Stretch) -> (Option<u128>, Option<u128>, bool) {
        let millis = |id: DecisionId| id.0.as_u128() >> 80;
        (stretch.from.map(millis), stretch.before.map(millis), stretch.repeated)
    }

    fn of(filter: &Filter, drift: Drift) -> Vec<(Option<u128>, Option<u128>, bool)> {
        stretches(filter, drift).iter().map(ids).collect()
    }

    #[test]
    fn a_question_about_a_time_looks_at_its_ids_and_then_at_what_was_repeated_in_it() {
        let hour = Filter { since: Some(Timestamp(7_000_500)), until: Some(Timestamp(9_000_000)), ..Filter::default() };
        let none = Drift::default();
        assert_eq!(of(&Filter::default(), none), [(None, None, false)]);
        assert_eq!(of(&hour, none), [(Some(7_000), Some(9_001), false), (None, Some(7_000), true)]);
        let drift = Drift { behind: 10, ahead: 300 };
        assert_eq!(of(&hour, drift), [(Some(6_990), Some(9_301), false), (None, Some(6_990), true)]);
    }

    #[test]
    fn a_cursor_narrows_every_stretch() {
        let at = |millis: i64| Some(first_id(millis));
        let hour = |before| Filter { since: Some(Timestamp(7_000_000)), before, ..Filter::default() };
        assert_eq!(
            of(&hour(at(8_000)), Drift::default()),
            [(Some(7_000), Some(8_000), false), (None, Some(7_000), true)]
        );
        assert_eq!(
            of(&hour(at(3_000)), Drift::default()),
            [(Some(7_000), Some(3_000), false), (None, Some(3_000), true)]
        );
    }

    #[test]
    fn moments_that_no_id_can_have_bound_nothing_away() {
        let filter = Filter { since: Some(Timestamp(i64::MIN)), until: Some(Timestamp(i64::MAX)), ..Filter::default() };
        assert_eq!(of(&filter, Drift { behind: i64::MAX, ahead: i64::MAX })[0], (Some(0), Some((1 << 48) - 1), false));
    }
}
