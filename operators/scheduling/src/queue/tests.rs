//! The queue's rules, and that no wake-up is lost.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;

const BACKOFF: Backoff = Backoff { initial: Span::seconds(1), max: Span::seconds(10) };

fn at(seconds: i64) -> Timestamp {
    Timestamp(seconds * 1_000_000)
}

fn pod(uid: &str, priority: i32) -> Waiting {
    Waiting { uid: uid.into(), namespace: "a".into(), name: uid.into(), priority, seat: None, gated: false }
}

fn member(uid: &str, group: &str, place: usize) -> Waiting {
    Waiting { seat: Some(Seat { group: group.into(), place }), ..pod(uid, 0) }
}

fn popped(queue: &mut Queue, now: Timestamp) -> Option<String> {
    queue.pop(now).map(|pod| pod.uid)
}

#[test]
fn priority_goes_before_time() {
    let mut queue = Queue::new(BACKOFF);
    for (uid, priority) in [("first", 0), ("second", 0), ("vip", 9)] {
        queue.apply(pod(uid, priority), at(0));
    }
    let order: Vec<_> = std::iter::from_fn(|| popped(&mut queue, at(1))).collect();
    assert_eq!(order, ["vip", "first", "second"]);
    assert_eq!(queue.counts(), Counts { in_flight: 3, ..Counts::default() });
}

#[test]
fn a_group_stands_together_in_its_own_order_where_its_first_pod_stood() {
    let mut queue = Queue::new(BACKOFF);
    for waiting in [pod("early", 0), member("leaf", "g", 2), pod("between", 0), member("root", "g", 0)] {
        queue.apply(waiting, at(0));
    }
    queue.apply(Waiting { priority: 9, ..member("urgent", "g", 7) }, at(1));
    assert_eq!(popped(&mut queue, at(2)).as_deref(), Some("urgent"), "priority is never broken by a group");
    assert_eq!(popped(&mut queue, at(2)).as_deref(), Some("early"));
    assert_eq!(popped(&mut queue, at(2)).as_deref(), Some("root"));
    queue.apply(member("middle", "g", 1), at(3));
    let order: Vec<_> = std::iter::from_fn(|| popped(&mut queue, at(3))).collect();
    assert_eq!(order, ["middle", "leaf", "between"], "whoever joins a group that is being tried stands with it");
    queue.apply(pod("late", 0), at(4));
    queue.apply(member("again", "g", 0), at(5));
    assert_eq!(popped(&mut queue, at(6)).as_deref(), Some("late"), "once all were tried it begins anew");
}

#[test]
fn backoff_doubles_to_its_maximum() {
    let seconds: Vec<i64> = (1..=7).map(|attempts| BACKOFF.after(attempts).0 / 1_000_000).collect();
    assert_eq!(seconds, [1, 2, 4, 8, 10, 10, 10]);
    assert_eq!(BACKOFF.after(u32::MAX), Span::seconds(10));
}

#[test]
fn a_failed_attempt_is_tried_again_after_its_backoff_and_not_before() {
    let mut queue = Queue::new(BACKOFF);
    queue.apply(pod("p", 0), at(0));
    for (now, wait) in [(0, 1), (1, 2), (3, 4)] {
        assert_eq!(popped(&mut queue, at(now)).as_deref(), Some("p"));
        queue.report("p", Attempt::Failed, at(now));
        assert_eq!(queue.due(), Some(at(now + wait)));
        assert_eq!(popped(&mut queue, Timestamp(at(now + wait).0 - 1)), None);
    }
}

#[test]
fn only_a_change_that_helps_it_wakes_a_pod() {
    let mut queue = Queue::new(BACKOFF);
    queue.apply(pod("p", 0), at(0));
    queue.pop(at(0)).unwrap();
    queue.report("p", Attempt::Unschedulable(Waits::NODE), at(0));
    queue.changed(Waits::PEERS, at(5), |_| true);
    assert_eq!(popped(&mut queue, at(5)), None, "it does not wait for that");
    queue.changed(Waits::NODE, at(5), |uid| uid != "p");
    assert_eq!(popped(&mut queue, at(5)), None, "the node cannot hold it");
    queue.changed(Waits::NODE, at(6), |uid| uid == "p");
    assert_eq!(popped(&mut queue, at(6)).as_deref(), Some("p"));
}

#[test]
fn a_change_during_the_attempt_counts_as_if_it_came_after() {
    let mut queue = Queue::new(BACKOFF);
    queue.apply(pod("p", 0), at(0));
    queue.pop(at(0)).unwrap();
    queue.changed(Waits::NODE, at(0), |_| true);
    queue.report("p", Attempt::Unschedulable(Waits::NODE), at(0));
    assert_eq!(queue.counts().backing_off, 1);
    // Nothing else is active, so it need not sit its back-off out.
    assert_eq!(popped(&mut queue, at(0)).as_deref(), Some("p"));
}

#[test]
fn a_wait_ends_after_five_minutes_whatever_happens() {
    let mut queue = Queue::new(BACKOFF);
    queue.apply(pod("p", 0), at(0));
    queue.pop(at(0)).unwrap();
    queue.report("p", Attempt::Unschedulable(Waits::NODE), at(0));
    assert_eq!(popped(&mut queue, at(299)), None);
    assert!(queue.due().is_some());
    assert_eq!(popped(&mut queue, at(330)).as_deref(), Some("p"));
}

#[test]
fn who_is_refused_for_what_it_says_itself_waits_for_a_change_of_itself_alone() {
    let mut queue = Queue::new(BACKOFF);
    queue.apply(pod("p", 0), at(0));
    queue.pop(at(0)).unwrap();
    queue.report("p", Attempt::Unschedulable(Waits::NONE), at(0));
    queue.changed(Waits::NODE, at(5), |_| true);
    assert_eq!((popped(&mut queue, at(100_000)), queue.due()), (None, None));
    queue.apply(pod("p", 1), at(100_000));
    assert_eq!(popped(&mut queue, at(100_000)).as_deref(), Some("p"));
}

#[test]
fn a_gated_pod_is_never_popped_until_its_gates_are_gone() {
    let mut queue = Queue::new(BACKOFF);
    queue.apply(Waiting { gated: true, ..pod("p", 0) }, at(0));
    queue.changed(Waits::NODE, at(1), |_| true);
    assert_eq!((popped(&mut queue, at(1)), queue.counts().gated), (None, 1));
    queue.apply(pod("p", 0), at(2));
    assert_eq!(popped(&mut queue, at(2)).as_deref(), Some("p"));
}

#[derive(Debug, Clone)]
enum Call {
    Apply(u8, bool),
    Remove(u8),
    Pop,
    Report(u8, u8),
    Changed(bool),
    Wait(u8),
}

proptest! {
    /// Against a model that remembers, for each pod, whether something that cures its last failure came since it was
    /// popped: such a pod must become poppable without any further call, and one that is not owed a try must not.
    #[test]
    fn no_wake_up_is_lost_and_nothing_is_popped_twice(calls in prop::collection::vec(prop_oneof![
        3 => (0..4_u8, any::<bool>()).prop_map(|(uid, gated)| Call::Apply(uid, gated)),
        1 => (0..4_u8).prop_map(Call::Remove),
        4 => Just(Call::Pop),
        4 => (0..4_u8, 0..4_u8).prop_map(|(uid, how)| Call::Report(uid, how)),
        3 => any::<bool>().prop_map(Call::Changed),
        2 => (0..20_u8).prop_map(Call::Wait),
    ], 0..80)) {
        let mut queue = Queue::new(BACKOFF);
        let mut now = at(1_000);
        // uid -> (gated, in flight, owed a try, waits)
        let mut model: BTreeMap<String, (bool, bool, bool, Waits)> = BTreeMap::new();
        for call in calls {
            match call {
                Call::Apply(uid, gated) => {
                    let uid = uid.to_string();
                    queue.apply(Waiting { gated, ..pod(&uid, 0) }, now);
                    let entry = model.entry(uid).or_insert((gated, false, true, Waits::NONE));
                    (entry.0, entry.2) = (gated, true);
                }
                Call::Remove(uid) => {
                    queue.remove(&uid.to_string());
                    model.remove(&uid.to_string());
                }
                Call::Pop => {
                    if let Some(uid) = popped(&mut queue, now) {
                        let entry = model.get_mut(&uid).unwrap();
                        prop_assert!(!entry.0 && !entry.1, "{uid}: {entry:?}");
                        (entry.1, entry.2) = (true, false);
                    }
                }
                Call::Report(uid, how) => {
                    let uid = uid.to_string();
                    let waits = [Waits::NODE, Waits::PEERS, Waits::NONE][how as usize % 3];
                    let attempt = if how == 3 { Attempt::Failed } else { Attempt::Unschedulable(waits) };
                    queue.report(&uid, attempt, now);
                    if let Some(entry) = model.get_mut(&uid).filter(|entry| entry.1) {
                        entry.1 = false;
                        // What came in flight and cures this failure is kept in the last place of the model.
                        entry.2 = entry.2 || how == 3 || entry.3.meets(waits);
                        entry.3 = waits;
                    }
                }
                Call::Changed(node) => {
                    let what = if node { Waits::NODE } else { Waits::PEERS };
                    queue.changed(what, now, |_| true);
                    for entry in model.values_mut() {
                        if entry.1 {
                            entry.3 = entry.3.and(what);
                        } else if entry.3.meets(what) {
                            entry.2 = true;
                        }
                    }
                }
                Call::Wait(seconds) => now = now + Span::seconds(i64::from(seconds)),
            }
            // A pod that was just popped starts with nothing seen.
            for (uid, entry) in &mut model {
                if entry.1 && matches!(queue.entries[uid].place, Place::InFlight(seen) if seen == Waits::NONE) {
                    entry.3 = Waits::NONE;
                }
            }
        }
        let owed: Vec<&String> = model.iter().filter(|(_, (gated, flying, owed, _))| !gated && !flying && *owed).map(|(uid, _)| uid).collect();
        let later = now + Span::seconds(11);
        let got: BTreeSet<String> = std::iter::from_fn(|| popped(&mut queue, later)).collect();
        for uid in owed {
            prop_assert!(got.contains(uid), "{uid} was forgotten: {:?}", queue.entries[uid].place);
        }
    }
}
