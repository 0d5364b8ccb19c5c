//! A saturating node gets no new pod that asks for bandwidth, whatever becomes of the measurements.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use std::collections::BTreeMap;

use keelson_core::{Interface, Measured, Mode, Rates, Reason, Span};
use proptest::prelude::*;
use serde_json::{Value, json};

use super::super::tests::{at, mind, moment, reason, written};
use super::super::{Job, Mind};
use super::*;
use crate::decide::tests::{node, pod};

const GBIT: i64 = 1_000_000_000;

fn sends(name: &str, egress: &str) -> Value {
    let mut value = pod(name, "10m");
    value["metadata"]["annotations"] = json!({"bandwidth.keelson.dev/egress-request": egress});
    value
}

/// 10 Gbit/s in each of these nodes, with so much measured of each, in Gbit/s, at that second.
fn board(loads: &[(&str, Option<(i64, i64)>)]) -> Arc<NodeBandwidth> {
    let interface = |load: Option<(i64, i64)>| Interface {
        capacity: Rates::both(10 * GBIT),
        measured: load.map(|(load, second)| Measured {
            rates: Rates { egress: load * GBIT, ingress: 0 },
            at: at(second),
            window: Span::seconds(10),
        }),
    };
    Arc::new(NodeBandwidth(loads.iter().map(|(node, load)| ((*node).to_owned(), interface(*load))).collect()))
}

fn place(mind: &mut Mind, name: &str, egress: &str, now: i64) -> Option<String> {
    mind.pod(&written(&sends(name, egress)), at(now));
    let jobs: Vec<Job> = std::iter::from_fn(|| mind.next(moment(now))).collect();
    let job = jobs.iter().find(|job| job.uid == format!("uid-{name}")).unwrap();
    job.plan.decisions[0].chosen.clone()
}

#[test]
fn a_node_that_saturates_is_avoided_from_the_first_sample_on() {
    let mut mind = mind(Mode::Enforce, &[node("hot", 9_000), node("cold", 9_000)], &[]);
    mind.bandwidth(board(&[("hot", Some((1, 0))), ("cold", Some((4, 0)))]), at(0));
    assert_eq!(place(&mut mind, "a", "1G", 1).as_deref(), Some("hot"), "it has more left");
    mind.bandwidth(board(&[("hot", Some((9, 10))), ("cold", Some((4, 10)))]), at(10));
    assert_eq!(place(&mut mind, "b", "1k", 11).as_deref(), Some("cold"));
    let mut nothing = pod("c", "10m");
    nothing["spec"]["nodeSelector"] = json!({"zone": "a"});
    mind.pod(&written(&nothing), at(11));
    assert!(mind.next(moment(11)).unwrap().binds(), "who asks for nothing goes anywhere");
}

#[test]
fn whoever_waits_for_bandwidth_is_tried_when_it_eases() {
    let mut mind = mind(Mode::Enforce, &[node("n", 9_000)], &[]);
    mind.bandwidth(board(&[("n", Some((9, 0)))]), at(0));
    mind.pod(&written(&sends("a", "2G")), at(1));
    let job = mind.next(moment(1)).unwrap();
    assert_eq!(reason(&job), Reason::Unschedulable);
    let told = &job.plan.decisions[0].candidates[0].failed[0];
    assert_eq!(
        (told.name.as_str(), told.text.as_str()),
        ("NodeBandwidth", "needs 2 Gbit/s egress, 0 bit/s free: short 2 Gbit/s (9 Gbit/s of 9 Gbit/s usable measured)")
    );
    mind.bandwidth(board(&[("n", Some((8, 10)))]), at(10));
    assert!(mind.next(moment(12)).is_none(), "not enough yet: nothing is tried in vain");
    mind.bandwidth(board(&[("n", Some((6, 20)))]), at(20));
    assert!(mind.next(moment(22)).unwrap().binds());
}

#[test]
fn an_old_measurement_counts_no_more_and_whoever_waited_for_it_is_tried() {
    let mut mind = mind(Mode::Enforce, &[node("n", 9_000)], &[]);
    mind.bandwidth(board(&[("n", Some((9, 0)))]), at(0));
    mind.pod(&written(&sends("a", "2G")), at(1));
    assert_eq!(reason(&mind.next(moment(1)).unwrap()), Reason::Unschedulable);
    let due = mind.due().unwrap();
    assert_eq!(due, at(20) + Span(1), "two windows");
    assert!(mind.is_due(due));
    assert!(mind.next(moment(21)).unwrap().binds(), "what is reserved counts, and that is nothing");
    let condition = mind.interface_condition().unwrap();
    assert!(condition.message.contains("n: its last measurement is too old"), "{}", condition.message);
    assert_eq!(mind.interface_counts(), [0, 0, 1, 0]);
}

#[test]
fn a_saturated_node_stays_so_until_its_load_has_fallen() {
    let mut mind = mind(Mode::Enforce, &[node("n", 9_000)], &[]);
    for sample in 0..3 {
        mind.bandwidth(board(&[("n", Some((9, sample * 10)))]), at(sample * 10));
    }
    mind.bandwidth(board(&[("n", Some((8, 30)))]), at(30));
    assert_eq!(place(&mut mind, "a", "1k", 31), None, "8 of 9 is free enough, were it not saturated");
    mind.bandwidth(board(&[("n", Some((7, 40)))]), at(40));
    assert!(mind.next(moment(43)).unwrap().binds());
}

#[test]
fn the_limit_is_a_setting_and_a_change_of_it_tries_everybody() {
    let mut mind = mind(Mode::Enforce, &[node("n", 9_000)], &[]);
    mind.bandwidth_limit(500, at(0));
    mind.bandwidth(board(&[("n", None)]), at(0));
    assert_eq!(place(&mut mind, "a", "6G", 1), None);
    mind.bandwidth_limit(600, at(2));
    assert!(mind.next(moment(3)).unwrap().binds());
}

/// What becomes of one node's measurement in one period.
#[derive(Debug, Clone, Copy)]
enum Sample {
    Load(i64),
    Missing,
    /// The last one is told again.
    Old,
    Absurd,
    Future,
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(if cfg!(debug_assertions) { 200 } else { 2_000 }))]
    /// Over periods of 10 s: pods come, nodes are measured well or badly. Nobody who asks is placed on a node whose last
    /// sample that can be believed leaves no room for it, and reservations are never exceeded.
    #[test]
    fn no_pod_goes_where_there_is_no_bandwidth(
        periods in prop::collection::vec((
            prop::collection::vec(prop_oneof![
                6 => (0..13_i64).prop_map(Sample::Load),
                1 => Just(Sample::Missing),
                2 => Just(Sample::Old),
                1 => Just(Sample::Absurd),
                1 => Just(Sample::Future),
            ], 4),
            prop::collection::vec(1..4_i64, 0..4),
        ), 1..12),
    ) {
        let names = ["n0", "n1", "n2", "n3"];
        let nodes: Vec<Value> = names.iter().map(|name| node(name, 9_000)).collect();
        let mut mind = mind(Mode::Enforce, &nodes, &[]);
        let mut told: BTreeMap<&str, Option<Measured>> = BTreeMap::new();
        let mut reserved: BTreeMap<String, i64> = BTreeMap::new();
        // What was placed since a sample's window began, by node.
        let mut placed: Vec<(i64, String, i64)> = Vec::new();
        for (period, (samples, pods)) in periods.into_iter().enumerate() {
            let now = 10 * i64::try_from(period).unwrap();
            for (name, sample) in names.iter().zip(samples) {
                let load = |rate: i64, second: i64| Some(Measured {
                    rates: Rates { egress: rate, ingress: 0 }, at: at(second), window: Span::seconds(10),
                });
                match sample {
                    Sample::Load(load_of) => _ = told.insert(name, load(load_of * GBIT, now)),
                    Sample::Missing => _ = told.insert(name, None),
                    Sample::Old => _ = told.entry(name).or_default(),
                    Sample::Absurd => _ = told.insert(name, load(i64::MAX, now)),
                    Sample::Future => _ = told.insert(name, load(0, now + 3_600)),
                }
            }
            let interface = |measured| Interface { capacity: Rates::both(10 * GBIT), measured };
            let known = names.iter().map(|name| ((*name).to_owned(), interface(told.get(name).copied().flatten())));
            mind.bandwidth(Arc::new(NodeBandwidth(known.collect())), at(now));
            for (number, gbit) in pods.into_iter().enumerate() {
                let name = format!("p{period}-{number}");
                let Some(on) = place(&mut mind, &name, &format!("{gbit}G"), now + 1) else { continue };
                let measured = told.get(on.as_str()).copied().flatten().filter(|load| {
                    (0..=20).contains(&(now + 1 - load.at.0 / 1_000_000)) && load.rates.egress < 100 * GBIT
                });
                if let Some(load) = measured {
                    let since = load.at.0 / 1_000_000 - 10;
                    let young: i64 = placed.iter().filter(|(when, at, _)| *when > since && *at == on).map(|(_, _, g)| g).sum();
                    prop_assert!(load.rates.egress / GBIT + young + gbit <= 9, "{on} has {load:?} and {young} that came since");
                }
                let all = reserved.entry(on.clone()).or_default();
                *all += gbit;
                prop_assert!(*all <= 9, "{on} has {all} of 9 reserved");
                placed.push((now + 1, on, gbit));
            }
        }
    }
}
