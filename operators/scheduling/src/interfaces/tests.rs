//! What is believed of an interface, and what is said of what is not.

#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

use proptest::prelude::*;
use serde_json::json;

use super::*;

const NOW: Timestamp = Timestamp(1_000_000_000);

fn interface(egress: i64, ago: i64) -> Interface {
    let measured = Measured {
        rates: Rates { egress, ingress: 0 },
        at: Timestamp(NOW.0 - ago * 1_000_000),
        window: Span::seconds(10),
    };
    Interface { capacity: Rates::both(1_000_000_000), measured: Some(measured) }
}

fn board(interfaces: &[(&str, Interface)]) -> NodeBandwidth {
    NodeBandwidth(interfaces.iter().map(|(node, interface)| ((*node).to_owned(), *interface)).collect())
}

#[test]
fn a_load_counts_for_two_windows_and_not_when_it_cannot_be() {
    let belief = |egress, ago| Belief::of(&interface(egress, ago), NOW);
    assert_eq!(belief(5, 20), Belief::Measured);
    assert_eq!(belief(5, 21), Belief::Stale { age: Span::seconds(21) });
    assert_eq!(belief(5, -60), Belief::Measured, "clocks differ a little");
    assert_eq!(belief(5, -61), Belief::Absurd { rate: None });
    assert_eq!(belief(32_000_000_000, 0), Belief::Measured);
    assert_eq!(belief(32_000_000_001, 0), Belief::Absurd { rate: Some(32_000_000_001) });
    assert_eq!(belief(-1, 0), Belief::Absurd { rate: Some(-1) });
    assert_eq!(Belief::of(&Interface { measured: None, ..interface(0, 0) }, NOW), Belief::Unmeasured);
}

#[test]
fn what_is_left_out_is_named_and_says_why() {
    let known = board(&[("a", interface(5, 0)), ("b", interface(5, 90)), ("c", interface(-5, 0))]);
    let told = condition(&known, NOW);
    assert_eq!(
        told.message,
        "Only what pods reserved counts for the interfaces of 2 of 3 nodes: b: its last measurement is too old; \
         c: it is measured to carry -5 bit/s, which cannot be."
    );
    assert_eq!(counts(&known, NOW), [1, 0, 1, 1]);
    assert_eq!(next_stale(&known, NOW), Some(NOW + Span::seconds(20) + Span(1)));
    assert_eq!(condition(&board(&[("a", interface(5, 0))]), NOW).status, ConditionStatus::False);
}

#[test]
fn an_object_is_read_and_what_people_say_counts_more_than_what_was_found_out() {
    let object = serde_json::from_value(json!({
        "apiVersion": "keelson.dev/v1alpha1", "kind": "NodeNetwork", "metadata": {"name": "n1"},
        "spec": {"capacity": {"egress": "5G"}},
        "status": {"capacity": {"egress": "10G", "ingress": "10G"},
            "measured": {"egress": "3.2G", "ingress": "100M", "at": "1970-01-01T00:16:40Z"}},
    }))
    .unwrap();
    let read = read(&object);
    assert_eq!(read.capacity, Rates { egress: 5_000_000_000, ingress: 10_000_000_000 });
    let measured = read.measured.unwrap();
    assert_eq!((measured.rates.egress, measured.at, measured.window), (3_200_000_000, NOW, Span::seconds(10)));
}

proptest! {
    #[test]
    fn no_measurement_panics(egress: i64, ingress: i64, at: i64, window: i64, capacity: i64, now: i64) {
        let measured = Measured { rates: Rates { egress, ingress }, at: Timestamp(at), window: Span(window) };
        let interface = Interface { capacity: Rates::both(capacity), measured: Some(measured) };
        let known = board(&[("n", interface)]);
        let _ = (condition(&known, Timestamp(now)), next_stale(&known, Timestamp(now)), heard(&interface, Timestamp(now)));
    }
}
