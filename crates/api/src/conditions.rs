//! Conditions, changed only when they change.
//!
//! The rule is `meta.SetStatusCondition`'s (apimachinery): the transition time moves when the status does; reason,
//! message and observed generation are always overwritten. A list that comes out equal is not written at all, or a
//! controller would wake itself for ever.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition as Stored, Time};
use keelson_core::{Condition, ConditionStatus, Timestamp};

/// Sets `wanted` in `list` and says whether the list changed. The order of the list is kept; a new kind comes last.
///
/// ```
/// use keelson_api::conditions::set;
/// use keelson_core::{Condition, ConditionStatus, Timestamp};
/// let ready = Condition { kind: "Ready".into(), status: ConditionStatus::True, reason: "Synced".into(), message: "All caches are read.".into() };
/// let mut list = Vec::new();
/// assert!(set(&mut list, &ready, 1, Timestamp(0)));
/// assert!(!set(&mut list, &ready, 1, Timestamp(9)), "nothing changed, so nothing is written");
/// ```
pub fn set(list: &mut Vec<Stored>, wanted: &Condition, generation: i64, now: Timestamp) -> bool {
    let status = word(wanted.status);
    let Some(there) = list.iter_mut().find(|condition| condition.type_ == wanted.kind) else {
        list.push(Stored {
            type_: wanted.kind.clone(),
            status: status.to_owned(),
            reason: wanted.reason.clone(),
            message: wanted.message.clone(),
            observed_generation: Some(generation),
            last_transition_time: stamp(now),
        });
        return true;
    };
    let mut next = there.clone();
    if next.status != status {
        status.clone_into(&mut next.status);
        next.last_transition_time = stamp(now);
    }
    next.reason.clone_from(&wanted.reason);
    next.message.clone_from(&wanted.message);
    next.observed_generation = Some(generation);
    let changed = next != *there;
    *there = next;
    changed
}

/// A stored condition in core's words; an unknown status word is `Unknown`.
#[must_use]
pub fn read(stored: Stored) -> Condition {
    let status = match stored.status.as_str() {
        "True" => ConditionStatus::True,
        "False" => ConditionStatus::False,
        _ => ConditionStatus::Unknown,
    };
    Condition { kind: stored.type_, status, reason: stored.reason, message: stored.message }
}

/// The words of `metav1.ConditionStatus`.
#[must_use]
pub const fn word(status: ConditionStatus) -> &'static str {
    match status {
        ConditionStatus::True => "True",
        ConditionStatus::False => "False",
        ConditionStatus::Unknown => "Unknown",
    }
}

/// A moment as `metav1.Time` has it: whole seconds.
#[must_use]
pub fn stamp(at: Timestamp) -> Time {
    Time(k8s_openapi::jiff::Timestamp::from_second(at.as_seconds()).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::indexing_slicing)]
    use super::*;

    fn condition(status: ConditionStatus, message: &str) -> Condition {
        Condition { kind: "Ready".into(), status, reason: "Why".into(), message: message.into() }
    }

    #[test]
    fn the_transition_time_moves_only_with_the_status() {
        let mut list = Vec::new();
        assert!(set(&mut list, &condition(ConditionStatus::True, "a"), 1, Timestamp(1_000_000)));
        assert!(set(&mut list, &condition(ConditionStatus::True, "b"), 2, Timestamp(2_000_000)));
        assert_eq!(list[0].last_transition_time, stamp(Timestamp(1_000_000)));
        assert_eq!((list[0].message.as_str(), list[0].observed_generation), ("b", Some(2)));
        assert!(set(&mut list, &condition(ConditionStatus::False, "b"), 2, Timestamp(3_000_000)));
        assert_eq!(list[0].last_transition_time, stamp(Timestamp(3_000_000)));
    }

    #[test]
    fn others_are_left_alone_and_keep_their_place() {
        let mut list = Vec::new();
        set(&mut list, &Condition { kind: "Other".into(), ..condition(ConditionStatus::True, "x") }, 1, Timestamp(0));
        set(&mut list, &condition(ConditionStatus::True, "a"), 1, Timestamp(0));
        set(&mut list, &condition(ConditionStatus::False, "a"), 1, Timestamp(5));
        assert_eq!(list.iter().map(|c| c.type_.as_str()).collect::<Vec<_>>(), ["Other", "Ready"]);
    }
}
