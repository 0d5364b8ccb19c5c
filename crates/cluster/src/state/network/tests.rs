//! Groups and costs come in any order, from any source, and only what changes is a change.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use keelson_placement::network::{GROUP_LABEL, Level, Near, Source, WORKLOAD_LABEL};
use keelson_placement::{LogChange, Nodes, Pod};
use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;
use crate::read::network::{WEIGHTS, group, measured, topology};
use crate::{Event, State};

const ZONE: &str = "topology.kubernetes.io/zone";

fn shop(depends: bool) -> Value {
    let workload = |name: &str| json!({"kind": "Deployment", "name": name, "selector": name});
    let dependencies = if depends { json!([{"workload": workload("db"), "maxNetworkCost": 4}]) } else { json!([]) };
    json!({"kind": "AppGroup", "metadata": {"name": "shop", "namespace": "a"}, "spec": {"numMembers": 2, "workloads": [
        {"workload": workload("web"), "dependencies": dependencies}, {"workload": workload("db")},
    ]}})
}

fn zones(name: &str, cost: i64) -> Value {
    let way = |from: &str, to: &str| json!({"origin": from, "costList": [{"destination": to, "networkCost": cost}]});
    json!({"kind": "NetworkTopology", "metadata": {"name": name, "namespace": "default"}, "spec": {
        "configmapName": "times",
        "weights": [{"name": "UserDefined", "topologyList": [
            {"topologyKey": ZONE, "originList": [way("a", "b"), way("b", "a")]},
        ]}],
    }})
}

fn times(millis: &str) -> Event {
    let key = "netperf.p90.latency.milliseconds.origin.n1.destination.n3";
    let map = json!({"metadata": {"name": "times", "namespace": "default"}, "data": {key: millis}});
    Event::MeasuredApplied(Box::new(measured(&serde_json::from_value(map).unwrap())))
}

fn grouped(value: &Value) -> Event {
    Event::GroupApplied(Box::new(group(value)))
}

fn costing(value: &Value) -> Event {
    Event::TopologyApplied(Box::new(topology(value, WEIGHTS)))
}

fn node(name: &str, zone: &str) -> Event {
    let node = json!({"metadata": {"name": name, "labels": {ZONE: zone}}, "status": {"allocatable": {"pods": "10"}}});
    Event::node(&serde_json::from_value(node).unwrap())
}

fn pod(workload: &str) -> Event {
    let labels = json!({GROUP_LABEL: "shop", WORKLOAD_LABEL: workload});
    let pod = json!({"metadata": {"name": workload, "namespace": "a", "uid": workload, "labels": labels}, "spec": {"containers": []}});
    Event::pod(&serde_json::from_value(pod).unwrap())
}

fn web() -> Pod {
    Pod::new("a", "web").uid("web").label(GROUP_LABEL, "shop").label(WORKLOAD_LABEL, "web")
}

/// What each node costs a pod of `web`.
fn costs(state: &State) -> Vec<(String, i64)> {
    let (view, pod) = (state.view(), web());
    let snapshot = view.snapshot_for(&pod);
    let near = Near::of(&pod, &snapshot);
    let cost = |node: &Node| near.as_ref().map_or(0, |near| near.cost(node));
    let mut costs: Vec<(String, i64)> = snapshot.nodes().map(|node| (node.name.clone(), cost(node))).collect();
    costs.sort();
    costs
}

#[test]
fn a_pod_that_is_only_assumed_to_be_there_counts() {
    let mut state = State::default();
    for event in [node("n1", "a"), node("n2", "a"), node("n3", "b"), pod("db"), grouped(&shop(true))] {
        state.apply(event);
    }
    let row = |costs: [i64; 3]| ["n1", "n2", "n3"].map(str::to_owned).into_iter().zip(costs).collect::<Vec<_>>();
    assert_eq!(costs(&state), row([0, 0, 0]));
    state.apply(Event::Assumed { uid: "db".into(), node: "n1".into(), volumes: None });
    assert_eq!(costs(&state), row([0, 1, 100]), "no cost is declared yet, and none is free");
    state.apply(costing(&zones("nt-default", 4)));
    assert_eq!(costs(&state), row([0, 1, 4]));
    state.apply(Event::NodeDeleted { name: "n1".into() });
    assert_eq!(costs(&state), [("n2".to_owned(), 0), ("n3".to_owned(), 0)], "a node that is gone says nothing");
}

#[test]
fn what_did_not_change_is_no_change() {
    let mut state = State::default();
    state.apply(grouped(&shop(true)));
    state.apply(costing(&zones("nt-default", 4)));
    let before = state.log().written();
    let mut again = shop(true);
    again["status"] = json!({"runningWorkloads": 2});
    state.apply(grouped(&again));
    state.apply(costing(&zones("nt-default", 4)));
    state.apply(costing(&zones("other", 9)));
    assert_eq!(state.log().written(), before, "a status, and costs that nobody asks for");
    state.apply(grouped(&shop(false)));
    assert!(matches!(state.log().since(before).unwrap().next(), Some(LogChange::Network)));
}

#[test]
fn traffic_weighs_a_group_and_stands_for_one_that_nobody_declared() {
    let mut state = State::default();
    let edges = |state: &State| -> Vec<(i64, Option<i64>, Source)> {
        let member = state.live().network().member("a", &web().labels);
        let edges = member.map(|member| member.group.edges().to_vec()).unwrap_or_default();
        edges.into_iter().map(|edge| (edge.weight, edge.max_network_cost, edge.source)).collect()
    };
    let name = || ("a".to_owned(), "shop".to_owned());
    let seen = |weight| Event::TrafficSeen(Traffic { group: name(), calls: vec![("web".into(), "db".into(), weight)] });
    state.apply(seen(7));
    assert_eq!(edges(&state), [(7, None, Source::Seen)]);
    state.apply(grouped(&shop(true)));
    assert_eq!(edges(&state), [(7, Some(4), Source::DeclaredAndSeen)]);
    state.apply(Event::TrafficSeen(Traffic { group: name(), calls: Vec::new() }));
    assert_eq!(edges(&state), [(1, Some(4), Source::Declared)]);
    state.apply(Event::GroupDeleted(name()));
    assert_eq!(edges(&state), []);
}

#[test]
fn measured_times_fill_in_what_is_not_declared_and_follow_nodes_that_move() {
    let mut state = State::default();
    let cost = |state: &State, to: &str| state.live().network().costs().declared(Level::Zone, "a", to);
    for event in [node("n1", "a"), node("n3", "b"), times("7.5")] {
        state.apply(event);
    }
    assert_eq!(cost(&state, "b"), Some(8));
    state.apply(costing(&zones("nt-default", 4)));
    assert_eq!(cost(&state, "b"), Some(4), "what is declared holds");
    state.apply(node("n3", "c"));
    assert_eq!((cost(&state, "b"), cost(&state, "c")), (Some(4), Some(8)));
    state.apply(Event::MeasuredDeleted(("default".into(), "times".into())));
    assert_eq!(cost(&state, "c"), None);
}

#[test]
fn the_costs_that_are_asked_for_are_taken_when_they_are_there() {
    let mut state = State::default();
    let cost = |state: &State| state.live().network().costs().declared(Level::Zone, "a", "b");
    state.apply(costing(&zones("net-topology-test", 9)));
    assert_eq!(cost(&state), Some(9), "the only one there is");
    state.apply(costing(&zones("nt-default", 4)));
    assert_eq!(cost(&state), Some(4));
    let topology = ("default".to_owned(), "net-topology-test".to_owned());
    state.apply(Event::NetworkWanted(Wanted { topology, ..Wanted::default() }));
    assert_eq!(cost(&state), Some(9));
    state.apply(Event::TopologyDeleted(("default".into(), "net-topology-test".into())));
    assert_eq!(cost(&state), Some(4));
}

proptest! {
    #[test]
    fn the_order_of_events_changes_nothing(steps in prop::collection::vec((0..7_u8, 0..3_i64), 0..20)) {
        let mut state = State::default();
        let mut last: BTreeMap<u8, Event> = BTreeMap::new();
        for (kind, value) in steps {
            let event = match kind {
                0 => grouped(&shop(value > 0)),
                1 => costing(&zones("nt-default", value + 2)),
                2 => costing(&zones("other", value + 20)),
                3 => times(&format!("{value}.5")),
                4 => node("n1", ["a", "b", "c"][value as usize]),
                5 => node("n3", ["a", "b", "c"][value as usize]),
                _ => Event::TrafficSeen(Traffic {
                    group: ("a".into(), "shop".into()),
                    calls: (0..value).map(|weight| ("db".to_owned(), "web".to_owned(), weight + 1)).collect(),
                }),
            };
            state.apply(event.clone());
            last.insert(kind, event);
        }
        let mut fresh = State::default();
        last.into_values().rev().for_each(|event| fresh.apply(event));
        prop_assert_eq!(state.live().network(), fresh.live().network());
    }
}
