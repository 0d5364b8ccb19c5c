//! The same bytes again.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use keelson_cluster::read::network;
use keelson_cluster::{Event, Heard};
use keelson_core::{Measured, Mode, Rates, Span};
use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;
use crate::decide::tests::{ask, cluster, node, pod};

fn held(name: &str, on: &str, cpu: &str) -> Value {
    let mut value = pod(name, cpu);
    value["spec"]["nodeName"] = json!(on);
    value["spec"]["containers"][0]["ports"] = json!([{"containerPort": 80, "hostPort": 8080}]);
    value
}

/// A group, and what zones cost each other.
pub(crate) fn groups(bound: i64) -> [Event; 2] {
    let workload = |name: &str| json!({"kind": "Deployment", "name": name, "selector": name});
    let dependency = json!({"workload": workload("db"), "maxNetworkCost": bound, "minBandwidth": "3M"});
    let workloads = json!([{"workload": workload("web"), "dependencies": [dependency]}, {"workload": workload("db")}]);
    let metadata = json!({"name": "g", "namespace": "shop"});
    let cost = |to: &str| json!({"destination": to, "networkCost": 5, "bandwidthCapacity": "10M"});
    let way = |from: &str, to: &str| json!({"origin": from, "costList": [cost(to)]});
    let zones = json!({"topologyKey": "topology.kubernetes.io/zone", "originList": [way("a", "b"), way("b", "a")]});
    let weights = json!([{"name": "UserDefined", "topologyList": [zones]}]);
    let group = network::group(&json!({"metadata": metadata, "spec": {"workloads": workloads}}));
    let costs =
        network::topology(&json!({"metadata": {"name": "nt-default"}, "spec": {"weights": weights}}), network::WEIGHTS);
    [Event::GroupApplied(Box::new(group)), Event::TopologyApplied(Box::new(costs))]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn a_replay_gives_the_same_bytes(
        sizes in prop::collection::vec((0..6_i64, 0..4_u8, any::<bool>()), 0..12),
        cpu in 0..6_i64, selects: bool, port: bool, tolerates: bool, priority in 0..4_i32,
        bound in prop::option::of(0..9_i64), sends in prop::option::of((1..9_i64, 0..12_i64)),
    ) {
        let mut nodes = Vec::new();
        let mut pods = Vec::new();
        for (index, (size, kind, busy)) in sizes.iter().enumerate() {
            let mut value = node(&format!("n{index}"), size * 100);
            match kind {
                0 => value["spec"] = json!({"unschedulable": true}),
                1 => value["spec"] = json!({"taints": [{"key": "k", "effect": "PreferNoSchedule"}]}),
                2 => value["metadata"]["labels"]["disk"] = json!("ssd"),
                _ => value["status"]["allocatable"]["nvidia.com/gpu"] = json!("2"),
            }
            nodes.push(value);
            if *busy {
                pods.push(held(&format!("h{index}"), &format!("n{index}"), "100m"));
                let mut low = held(&format!("i{index}"), &format!("n{index}"), "50m");
                low["spec"]["priority"] = json!(index % 3);
                low["status"] = json!({"startTime": format!("2026-01-0{}T00:00:00Z", 1 + index % 9)});
                pods.push(low);
            }
        }
        let mut cart = pod("cart", &format!("{}m", cpu * 100));
        cart["spec"]["priority"] = json!(priority);
        if selects { cart["spec"]["nodeSelector"] = json!({"disk": "ssd"}); }
        if port { cart["spec"]["containers"][0]["ports"] = json!([{"containerPort": 80, "hostPort": 8080}]); }
        if tolerates { cart["spec"]["tolerations"] = json!([{"operator": "Exists"}]); }
        for (index, node) in nodes.iter_mut().enumerate().skip(1) {
            node["metadata"]["labels"]["topology.kubernetes.io/zone"] = json!(["a", "b", "c"][index % 3]);
        }
        for (index, pod) in pods.iter_mut().chain([&mut cart]).enumerate() {
            let labels = &mut pod["metadata"]["labels"];
            labels["appgroup.diktyo.x-k8s.io"] = json!("g");
            labels["appgroup.diktyo.x-k8s.io.workload"] = json!(["web", "db"][index % 2]);
        }
        if let Some((egress, _)) = sends {
            for (index, pod) in pods.iter_mut().chain([&mut cart]).enumerate() {
                let egress = format!("{}M", egress + index as i64 % 3);
                pod["metadata"]["annotations"] = json!({"bandwidth.keelson.dev/egress-request": egress});
            }
        }
        let mut state = cluster(&nodes, &pods);
        if let Some((_, load)) = sends {
            let measured = Measured {
                rates: Rates::both(load * 1_000_000),
                at: Timestamp::parse("2026-01-05T00:00:00Z").unwrap(),
                window: Span::seconds(10),
            };
            let heard = Heard { capacity: Rates::both(12_000_000), load: Some(measured).filter(|_| load > 2) };
            for index in 0..sizes.len() {
                state.apply(Event::InterfaceHeard { node: format!("n{index}"), heard: Some(heard) });
            }
        }
        if let Some(bound) = bound {
            groups(bound).into_iter().for_each(|event| state.apply(event));
        }
        let ask = ask(&cart, Mode::Enforce);
        let seen = state.live().snapshot_for(&ask.pod);
        let plan = decide(&ask, &seen).plan;
        let first = serde_json::to_vec(&plan).unwrap();
        let recording = record(&ask, &seen, plan.decisions[0].verb).unwrap();
        let again = serde_json::to_vec(&replay(&recording, None).unwrap()).unwrap();
        prop_assert_eq!(String::from_utf8(first).unwrap(), String::from_utf8(again).unwrap());
    }
}

#[test]
fn a_replay_under_other_settings_shows_the_difference() {
    let state = cluster(&[node("n1", 1_000)], &[]);
    let ask = ask(&pod("cart", "500m"), Mode::Observe);
    let recording = record(&ask, &state.live().snapshot_for(&ask.pod), Verb::Place).unwrap();
    assert!(replay(&recording, None).unwrap().actions.is_empty());
    let enforced = Settings { mode: Mode::Enforce, ..ask.settings };
    assert_eq!(replay(&recording, Some(enforced)).unwrap().actions.len(), 2);
}

#[test]
fn five_thousand_nodes_are_recorded_in_under_half_a_megabyte() {
    let nodes: Vec<_> = (0..5_000).map(|i| node(&format!("ip-10-0-{}-{}.internal", i / 250, i % 250), 4_000)).collect();
    let pods: Vec<_> = (0..5_000)
        .map(|i| held(&format!("p{i}"), &format!("ip-10-0-{}-{}.internal", i / 250, i % 250), "100m"))
        .collect();
    let state = cluster(&nodes, &pods);
    let ask = ask(&pod("cart", "500m"), Mode::Enforce);
    let bytes = record(&ask, &state.live().snapshot_for(&ask.pod), Verb::Place).unwrap().len();
    assert!(bytes < 500_000, "{bytes} bytes");
}

#[test]
fn what_is_no_recording_says_so() {
    assert!(matches!(replay(b"{", None), Err(ReplayError::Unreadable(_))));
    let error = replay(br#"{"layout": 9}"#, None).unwrap_err();
    assert_eq!(
        error.to_string(),
        "the recording has layout 9, this build reads 4; replay it with the version that wrote it"
    );
}

#[test]
fn a_claim_is_kept_once_and_looked_into_once_for_all_pods_that_share_it() {
    let claim = |namespace: &str| Arc::new(Claim { namespace: namespace.to_owned(), ..Claim::default() });
    let (one, same, other, none) = (claim("a"), claim("a"), claim("b"), claim(""));
    let (mut claims, mut looked) = (Claims::default(), 0);
    let mut place = |claim: &Arc<Claim>| {
        claims.place(claim, |claim| {
            looked += 1;
            (!claim.namespace.is_empty()).then(|| claim.clone())
        })
    };
    let places = [&one, &one, &other, &same, &none, &none].map(&mut place);
    assert_eq!(places, [Some(0), Some(0), Some(1), Some(0), None, None]);
    assert_eq!((looked, claims.kept.len()), (4, 2));
}
