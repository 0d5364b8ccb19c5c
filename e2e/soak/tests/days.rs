//! Short days: that a seed is a repro, and that what should be caught is.
#![allow(clippy::unwrap_used)]

use keelson_core::Span;
use keelson_runtime::config::Election;
use keelson_soak::day::{Plan, live};

fn short(seed: u64) -> Plan {
    Plan { length: Span::hours(1), nodes: 8, pods: 100, ..Plan::full(seed) }
}

#[test]
fn a_seed_replays_exactly_and_another_is_another_day() {
    let (first, again, other) = (live(&short(1)).unwrap(), live(&short(1)).unwrap(), live(&short(2)).unwrap());
    assert_eq!(first, again);
    assert_ne!(first.trace, other.trace);
    assert_eq!(first.breaches, [""; 0]);
    assert!(first.events > 1_000, "{first:?}");
}

/// Two replicas that both believe they lead: the Lease is what keeps them from doing everything twice.
#[test]
fn a_leader_election_that_is_taken_out_is_noticed() {
    let day = live(&Plan { election: Election::Alone, ..short(1) }).unwrap();
    assert!(day.breaches.iter().any(|breach| breach.starts_with("Fenced")), "{:?}", day.breaches);
}

/// The flush after five minutes would bind them, too: that is longer than any of them may wait.
#[test]
fn who_waits_for_room_is_tried_when_there_is_some() {
    let day = live(&Plan { length: Span::hours(2), nodes: 12, pods: 80, ..Plan::full(2) }).unwrap();
    assert_eq!(day.breaches, [""; 0]);
    assert!(day.at_stake.get("Waits").is_some_and(|waited| *waited >= 20), "{:?}", day.at_stake);
}
