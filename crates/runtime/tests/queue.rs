//! The queue's promises: published vectors, and a model that any sequence of calls must agree with.
#![allow(clippy::unwrap_used, reason = "tests")]

use std::collections::BTreeSet;

use keelson_core::Timestamp;
use keelson_runtime::queue::{LOW, NORMAL, Queue, Wish};
use proptest::prelude::*;

fn wish(priority: i32, ready_at: i64) -> Wish {
    Wish { priority, ready_at: Timestamp(ready_at), flow: "shop".into() }
}

fn in_flow(flow: &str) -> Wish {
    Wish { flow: flow.into(), ..wish(NORMAL, 0) }
}

fn drain(queue: &mut Queue<&'static str>, now: i64) -> Vec<&'static str> {
    std::iter::from_fn(|| {
        let key = queue.pop(Timestamp(now))?;
        queue.done(&key);
        Some(key)
    })
    .collect()
}

#[test]
fn a_raised_key_goes_to_the_end_of_its_new_level() {
    let mut queue = Queue::default();
    queue.add("a", wish(LOW, 0));
    queue.add("b", wish(NORMAL, 0));
    queue.add("a", wish(NORMAL, 0));
    assert_eq!(drain(&mut queue, 0), ["b", "a"]);
}

#[test]
fn asking_again_does_not_cost_a_ready_key_its_place() {
    let mut queue = Queue::default();
    queue.add("a", wish(NORMAL, 5));
    queue.add("b", wish(NORMAL, 5));
    assert_eq!(queue.pop(Timestamp(4)), None);
    queue.add("c", wish(NORMAL, 5));
    let first = queue.pop(Timestamp(5));
    queue.add("b", wish(NORMAL, 0));
    assert_eq!((first, drain(&mut queue, 5)), (Some("a"), vec!["b", "c"]));
}

#[test]
fn the_earlier_moment_counts() {
    let mut queue = Queue::default();
    queue.add("a", wish(NORMAL, 5));
    queue.add("a", wish(NORMAL, 1));
    assert_eq!(queue.next_ready(), Some(Timestamp(1)));
    assert_eq!(queue.pop(Timestamp(0)), None);
    assert_eq!(queue.pop(Timestamp(1)), Some("a"));
    assert!(queue.is_empty(), "it was held once");
}

#[test]
fn what_is_held_is_counted_by_priority_and_what_is_worked_on_is_not() {
    let mut queue = Queue::default();
    for (key, priority, ready_at) in [("a", LOW, 0), ("b", NORMAL, 0), ("c", NORMAL, 9)] {
        queue.add(key, wish(priority, ready_at));
    }
    assert_eq!((queue.len(), queue.depths()), (3, [(LOW, 1), (NORMAL, 2)].into()));
    assert_eq!(queue.pop(Timestamp(0)), Some("b"));
    assert_eq!((queue.len(), queue.depths()), (2, [(LOW, 1), (NORMAL, 1)].into()));
    assert_eq!(queue.next_ready(), Some(Timestamp(9)), "a is ready already");
}

#[test]
fn one_normal_key_overtakes_ten_thousand_low_ones() {
    let mut queue = Queue::default();
    for key in 0..10_000 {
        queue.add(key, wish(LOW, 0));
    }
    queue.add(10_000, wish(NORMAL, 0));
    assert_eq!(queue.pop(Timestamp(0)), Some(10_000));
}

#[test]
fn a_noisy_namespace_delays_another_by_one_key() {
    let mut queue = Queue::default();
    for key in ["n1", "n2", "n3", "n4"] {
        queue.add(key, in_flow("noisy"));
    }
    queue.add("q1", in_flow("quiet"));
    assert_eq!(drain(&mut queue, 0), ["n1", "q1", "n2", "n3", "n4"]);
}

#[test]
fn a_key_added_while_it_is_worked_on_runs_again_afterwards_and_not_at_once() {
    let mut queue = Queue::default();
    queue.add("a", wish(NORMAL, 0));
    assert_eq!(queue.pop(Timestamp(0)), Some("a"));
    queue.add("a", wish(NORMAL, 0));
    queue.add("a", wish(NORMAL, 9));
    assert_eq!(queue.pop(Timestamp(0)), None);
    queue.done(&"a");
    assert_eq!(queue.pop(Timestamp(0)), Some("a"));
    queue.done(&"a");
    assert_eq!(queue.pop(Timestamp(99)), None, "two wishes became one run");
}

#[derive(Debug, Clone)]
enum Call {
    Add { key: u8, priority: i32, ready_at: i64 },
    Pop,
    Done,
}

fn calls() -> impl Strategy<Value = Vec<Call>> {
    let call = prop_oneof![
        3 => (0..8_u8, -2..3_i32, 0..20_i64).prop_map(|(key, priority, ready_at)| Call::Add { key, priority, ready_at }),
        2 => Just(Call::Pop),
        2 => Just(Call::Done),
    ];
    prop::collection::vec(call, 0..200)
}

proptest! {
    /// Nothing added is lost, and no key is handed out twice at once, whatever the order of calls.
    #[test]
    fn every_wish_is_served_once_its_time_comes(calls in calls()) {
        let mut queue = Queue::default();
        let mut owed = BTreeSet::new();
        let mut flying: Vec<u8> = Vec::new();
        for (now, call) in calls.into_iter().enumerate() {
            let now = i64::try_from(now).unwrap();
            match call {
                Call::Add { key, priority, ready_at } => {
                    let flow = if key % 2 == 0 { "even" } else { "odd" };
                    queue.add(key, Wish { priority, ready_at: Timestamp(ready_at), flow: flow.into() });
                    owed.insert(key);
                }
                Call::Pop => if let Some(key) = queue.pop(Timestamp(now)) {
                    prop_assert!(!flying.contains(&key), "{key} was handed out twice");
                    prop_assert!(owed.remove(&key), "{key} was handed out without a wish");
                    flying.push(key);
                },
                Call::Done => if let Some(key) = flying.pop() {
                    queue.done(&key);
                },
            }
        }
        for key in flying.drain(..) {
            queue.done(&key);
        }
        while let Some(key) = queue.pop(Timestamp(i64::MAX)) {
            prop_assert!(owed.remove(&key));
            queue.done(&key);
        }
        prop_assert!(owed.is_empty(), "lost: {owed:?}");
    }
}
