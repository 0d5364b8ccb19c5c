//! The published manifests, what can be off in one, and that nothing panics.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use keelson_placement::Node;
use keelson_placement::network::{Algorithm, Costs, Level, Place};
use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;

fn yaml(text: &str) -> Value {
    serde_saphyr::from_str(text).unwrap()
}

fn said(problems: &[Problem]) -> Vec<String> {
    problems.iter().map(ToString::to_string).collect()
}

#[test]
fn the_manifests_of_the_examples_are_read_without_a_problem() {
    let boutique = group(&yaml(include_str!("../../../../../e2e/apps/online-boutique/appgroup.yaml")));
    assert_eq!(said(&boutique.problems), Vec::<String>::new());
    assert_eq!((boutique.members, boutique.graph.workloads().len(), boutique.graph.edges().len()), (11, 11, 15));
    assert_eq!(boutique.name, ("online-boutique".into(), "online-boutique".into()));
    let cart = boutique.graph.find("cartservice").unwrap();
    let redis = boutique.graph.edges().iter().find(|edge| edge.from == cart).unwrap();
    assert_eq!((redis.min_bandwidth, redis.max_network_cost), (Some(100_000_000), Some(5)));
    let streaming = group(&yaml(include_str!("../../../../../e2e/apps/streaming/appgroup.yaml")));
    assert_eq!((said(&streaming.problems), streaming.members), (Vec::new(), 50));
    let training = group(&yaml(include_str!("../../../../../e2e/apps/ml/appgroup.yaml")));
    assert_eq!((said(&training.problems), training.graph.ties(0).len()), (Vec::new(), 1), "it talks to itself");
    let costs = topology(&yaml(include_str!("../../../../../e2e/apps/network-topology.yaml")), WEIGHTS);
    assert_eq!((said(&costs.problems), costs.config_map.as_deref()), (Vec::new(), Some("netperf-metrics")));
    assert_eq!(costs.costs.declared(Level::Zone, "eu-west-1a", "eu-west-1c"), Some(8));
    assert_eq!((costs.links.len(), costs.links[0].capacity), (14, 10_000_000_000));
}

/// The field names of scheduler-plugins' `manifests/networktopology/example.yaml`, which its own schema refuses.
#[test]
fn the_older_names_of_the_published_example_are_read_as_the_newer_ones() {
    let ways = |ways: [(&str, &str, i64); 2]| -> Vec<Value> {
        let way = |(origin, destination, cost): (&str, &str, i64)| {
            let costs = json!([{"destination": destination, "bandwidthCapacity": "10Gi", "networkCost": cost}]);
            json!({"origin": origin, "costs": costs})
        };
        ways.into_iter().map(way).collect()
    };
    let region = ways([("us-west-1", "us-east-1", 20), ("us-east-1", "us-west-1", 20)]);
    let zone = ways([("z1", "z2", 5), ("z2", "z1", 5)]);
    let read = topology(
        &json!({
            "apiVersion": "networktopology.diktyo.k8s.io/v1alpha1", "kind": "NetworkTopology",
            "metadata": {"name": "net-topology-test", "namespace": "default"},
            "spec": {"configMapName": "netperfMetrics", "weights": [{"name": "UserDefined", "costList": [
                {"topologyKey": "topology.kubernetes.io/region", "originCosts": region},
                {"topologyKey": "topology.kubernetes.io/zone", "originCosts": zone},
            ]}]},
        }),
        WEIGHTS,
    );
    assert_eq!(said(&read.problems), Vec::<String>::new());
    assert_eq!((read.config_map.as_deref(), read.links.len()), (Some("netperfMetrics"), 4));
    let costs = Costs::new().both(Level::Region, "us-west-1", "us-east-1", 20).both(Level::Zone, "z1", "z2", 5);
    assert_eq!(read.costs, costs);
}

fn found(problems: &[Problem]) -> Vec<Finding> {
    problems.iter().map(|problem| problem.finding).collect()
}

/// As scheduler-plugins' example of Online Boutique: the name is not the selector, and two workloads name each other.
#[test]
fn a_group_whose_names_are_not_its_selectors_works_and_says_so() {
    let workload = |name: &str| json!({"kind": "Deployment", "name": format!("{name}-deployment"), "selector": name});
    let on = |name: &str| json!({"workload": workload(name), "minBandwidth": "100Mi", "maxNetworkCost": 80});
    let read = group(&json!({
        "kind": "AppGroup", "metadata": {"name": "shop"},
        "spec": {"numMembers": 2, "topologySortingAlgorithm": "AlternateKahn", "workloads": [
            {"workload": workload("frontend"), "dependencies": [on("cart")]},
            {"workload": workload("cart"), "dependencies": [on("frontend")]},
        ]},
    }));
    assert_eq!(read.graph.edges().len(), 2);
    assert_eq!(read.name.0, "default");
    assert_eq!(
        said(&read.problems),
        [
            "spec.workloads[0].workload.name: \"frontend-deployment\" is not the selector \"frontend\"; pods are looked \
             for by the selector",
            "spec.workloads[1].workload.name: \"cart-deployment\" is not the selector \"cart\"; pods are looked for by the \
             selector",
            "spec.workloads: depend on each other in a circle: frontend -> cart -> frontend; the first declared of them \
             goes first",
        ]
    );
    assert_eq!(
        found(&read.problems),
        [Finding::NameSelectorMismatch, Finding::NameSelectorMismatch, Finding::DependencyCycle]
    );
}

#[test]
fn everything_that_is_off_in_a_group_is_named_and_the_rest_is_read() {
    let read = group(&json!({
        "kind": "Group", "metadata": {"name": "g", "namespace": 7},
        "spec": {"numMembers": 0, "topologySortingAlgorithm": "Bubble", "workloads": [
            {"workload": {"name": "web", "kind": "Website"}, "dependencies": [
                {"workload": {"selector": "nobody"}},
                {"workload": {"selector": "wrong", "name": "db"}, "maxNetworkCost": 10_001, "minBandwidth": "fast"},
                {"workload": {"selector": "db"}},
                {"minBandwidth": "1M"},
            ]},
            {"workload": {"selector": "db", "name": "db"}, "dependencies": {}},
            {"workload": {"selector": "db", "name": "db"}},
            {"workload": {}}, "text",
        ]},
    }));
    let fields: Vec<&str> = read.problems.iter().map(|problem| problem.field.as_str()).collect();
    assert_eq!(
        fields,
        [
            "kind",
            "metadata.namespace",
            "spec.topologySortingAlgorithm",
            "spec.workloads[0].workload.selector",
            "spec.workloads[0].workload.kind",
            "spec.workloads[2]",
            "spec.workloads[3].workload.selector",
            "spec.workloads[4].workload",
            "spec.workloads[0].dependencies[0].workload.selector",
            "spec.workloads[0].dependencies[1].workload.selector",
            "spec.workloads[0].dependencies[1].minBandwidth",
            "spec.workloads[0].dependencies[1].maxNetworkCost",
            "spec.workloads[0].dependencies[2].workload",
            "spec.workloads[0].dependencies[3].workload",
            "spec.workloads[1].dependencies",
            "spec.numMembers",
        ]
    );
    let kinds = found(&read.problems);
    assert_eq!(
        (kinds[3], kinds[5], kinds[6], kinds[8], kinds[9], kinds[12], kinds[15]),
        (
            Finding::NameSelectorMismatch,
            Finding::DuplicateEntry,
            Finding::IncompleteEntry,
            Finding::UnknownDependency,
            Finding::NameSelectorMismatch,
            Finding::DuplicateEntry,
            Finding::FieldNotUnderstood
        )
    );
    assert!(
        said(&read.problems)
            .contains(&"spec.workloads[0].dependencies[1].maxNetworkCost: 10001 is not in 0 to 10000".to_owned())
    );
    let edges: Vec<_> = read.graph.edges().iter().map(|edge| (edge.from, edge.to, edge.max_network_cost)).collect();
    assert_eq!((edges, read.members), (vec![(0, 1, None)], 2));
}

#[test]
fn nothing_off_in_a_topology_becomes_a_free_cost() {
    let zone = "topology.kubernetes.io/zone";
    let read = topology(
        &json!({"kind": "NetworkTopology", "metadata": {"name": "nt", "namespace": "n"}, "spec": {"weights": [
            {"name": "Other", "topologyList": [{"topologyKey": "what"}]},
            {"name": "UserDefined", "topologyList": [
                {"topologyKey": "kubernetes.io/hostname", "originList": []},
                {"topologyKey": zone, "originList": [
                    {"origin": "a", "costList": [
                        {"destination": "b", "networkCost": 0},
                        {"destination": "c", "networkCost": "5"},
                        {"destination": "d", "networkCost": -1},
                        {"destination": "e"},
                        {"networkCost": 3},
                        {"destination": "f", "networkCost": 9, "bandwidthCapacity": "-1"},
                    ]},
                    {"origin": "b", "costList": [{"destination": "f", "networkCost": 9}]},
                    {"costList": []},
                ]},
            ]},
        ]}}),
        WEIGHTS,
    );
    let at = "spec.weights[1].topologyList[1].originList";
    assert_eq!(
        said(&read.problems),
        [
            "spec.weights[1].topologyList[0].topologyKey: \"kubernetes.io/hostname\" is left out; use one of \
             topology.kubernetes.io/region, topology.kubernetes.io/zone, topology.kubernetes.io/segment, \
             topology.kubernetes.io/rack"
                .to_owned(),
            format!("{at}[0].costList[0].networkCost: 0 counts as 1: only pods on one node cost nothing"),
            format!("{at}[0].costList[1].networkCost: \"5\" is not in 0 to 1000000"),
            format!("{at}[0].costList[2].networkCost: -1 is not in 0 to 1000000"),
            format!("{at}[0].costList[3].networkCost: is missing, so it counts as unknown"),
            format!("{at}[0].costList[4].destination: is missing, so this cost is left out"),
            format!("{at}[0].costList[5].bandwidthCapacity: -1 is not in 0 to 1P bits a second"),
            format!("{at}[2].origin: is missing, so its costs are left out"),
            "spec.weights: \"a\" to \"b\" has a cost and the way back has none, so it counts as unknown".to_owned(),
            "spec.weights: \"f\" is no origin, so 2 ways from it count as unknown; declare them".to_owned(),
        ]
    );
    let kinds: Vec<Finding> = found(&read.problems).split_off(4);
    assert_eq!(
        kinds,
        [
            Finding::MissingCost,
            Finding::IncompleteEntry,
            Finding::FieldNotUnderstood,
            Finding::MissingOrigin,
            Finding::MissingCost,
            Finding::MissingOrigin
        ]
    );
    let cost = |to: &str| {
        read.costs.between(Place { zone: Some("a"), ..Place::default() }, Place { zone: Some(to), ..Place::default() })
    };
    assert!(["b", "c", "d", "e", "f"].into_iter().all(|to| cost(to).cost >= 100 && cost(to).exceeds(10_000)));
    let none = topology(&json!({"spec": {"weights": [{"name": "NetperfCosts"}]}}), WEIGHTS);
    let text = "spec.weights: none is named \"UserDefined\", so no cost is declared; there is \"NetperfCosts\"";
    assert_eq!((said(&none.problems), none.costs.is_empty()), (vec![text.to_owned()], true));
    assert_eq!(found(&none.problems), [Finding::UnknownWeights]);
}

#[test]
fn netperfs_times_are_read_and_what_is_no_time_is_not_taken_as_none() {
    let key = |kind: &str, from: &str, to: &str| {
        format!("netperf.{kind}.latency.milliseconds.origin.{from}.destination.{to}")
    };
    let read = measured(
        &serde_json::from_value(json!({"metadata": {"name": "m", "namespace": "n"}, "data": {
            key("p90", "n1.example", "n2"): "4.25", key("p90", "n2", "n1.example"): "lots", key("p90", "n1.example", "n3"): "-1",
            key("p50", "n1.example", "n2"): "2", "netperf.p90.throughput": "1", "other": "x",
            "netperf.p90.latency.milliseconds.origin.n1": "5",
        }}))
        .unwrap(),
    );
    assert_eq!(read.problems.len(), 3, "{:?}", said(&read.problems));
    let node = |zone: &str| Node::new("", []).label("topology.kubernetes.io/zone", zone);
    let (a, b) = (node("a"), node("b"));
    let place = |name: &str| Some(Place::with_rack(if name == "n2" { &b } else { &a }));
    let cost = |percentile| read.costs(percentile, place).declared(Level::Zone, "a", "b");
    assert_eq!((cost(Percentile::P90), cost(Percentile::P50)), (Some(5), Some(2)));
}

#[test]
fn an_order_that_nobody_names_is_kahns() {
    let read = group(&json!({"spec": {"workloads": [{"workload": {"selector": "a", "name": "a"}}]}}));
    assert_eq!((read.graph.place(0), read.problems.len()), (Algorithm::Kahn.order(&[vec![]])[0], 0));
}

/// Anything, with the names that the reader looks for, so that it goes deep.
fn anything() -> impl Strategy<Value = Value> {
    let word = prop::sample::select(vec![
        "spec",
        "metadata",
        "name",
        "namespace",
        "kind",
        "workloads",
        "workload",
        "selector",
        "dependencies",
        "weights",
        "minBandwidth",
        "maxNetworkCost",
        "numMembers",
        "topologySortingAlgorithm",
        "topologyList",
        "costList",
        "costs",
        "originList",
        "originCosts",
        "origin",
        "destination",
        "networkCost",
        "bandwidthCapacity",
        "topologyKey",
        "configmapName",
        "UserDefined",
        "topology.kubernetes.io/zone",
        "KahnSort",
        "a",
        "b",
        "1e999",
        "é\u{0}",
        "-5Gi",
    ]);
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        word.clone().prop_map(Value::from),
    ];
    leaf.prop_recursive(7, 120, 8, move |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..5).prop_map(Value::from),
            prop::collection::vec((word.clone(), inner), 0..8).prop_map(|fields| Value::Object(
                fields.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
            )),
        ]
    })
}

/// A value with a few of its parts replaced.
fn broken(value: &Value, at: &mut u32, replace: &[(u32, Value)]) -> Value {
    *at += 1;
    if let Some((_, with)) = replace.iter().find(|(place, _)| place == at) {
        return with.clone();
    }
    match value {
        Value::Array(items) => Value::Array(items.iter().map(|item| broken(item, at, replace)).collect()),
        Value::Object(fields) => {
            Value::Object(fields.iter().map(|(name, value)| (name.clone(), broken(value, at, replace))).collect())
        }
        other => other.clone(),
    }
}

proptest! {
    #[test]
    fn anything_is_read_without_panic(value in anything()) {
        let read = group(&value);
        prop_assert!(read.problems.iter().all(|problem| problem.text.len() < 1_000));
        let _ = topology(&value, WEIGHTS);
        if let Ok(written) = serde_json::from_value(value) {
            let _ = measured(&written);
        }
    }

    #[test]
    fn a_broken_manifest_is_read_without_panic_and_never_free(replace in prop::collection::vec((1..160_u32, anything()), 1..4)) {
        let whole = yaml(include_str!("../../../../../e2e/apps/online-boutique/appgroup.yaml"));
        let _ = group(&broken(&whole, &mut 0, &replace));
        let whole = yaml(include_str!("../../../../../e2e/apps/network-topology.yaml"));
        let read = topology(&broken(&whole, &mut 0, &replace), WEIGHTS);
        prop_assert!(read.costs.entries().all(|(.., cost)| cost >= 1));
    }
}
