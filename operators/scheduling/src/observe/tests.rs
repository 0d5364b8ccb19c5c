//! Comparisons with another scheduler's choices.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use serde_json::{Value, json};

use super::*;
use crate::decide::tests::{ask, cluster, node, pod};

fn compared(nodes: &[Value], bound: &Value, actual: &str) -> Decision {
    let mut bound = bound.clone();
    bound["spec"]["nodeName"] = json!(actual);
    let state = cluster(nodes, &[bound.clone()]);
    let ask = ask(&bound, Mode::Observe);
    compare(&ask, &state.live().snapshot_for(&ask.pod), actual)
}

#[test]
fn the_pod_is_taken_off_its_node_before_it_is_asked_about() {
    // With the pod still on it, n1 would have no room for it.
    let decision = compared(&[node("n1", 500)], &pod("cart", "500m"), "n1");
    assert_eq!((decision.verb, decision.reason), (Verb::Compare, Reason::SameChoice));
    assert_eq!(decision.sentence, "Bound to n1, the only one of 1 nodes that can hold it.");
}

#[test]
fn another_choice_is_recorded_with_the_difference_in_score() {
    let nodes = [node("small", 1_000), node("large", 8_000)];
    let decision = compared(&nodes, &pod("cart", "500m"), "small");
    assert_eq!((decision.reason, decision.chosen.as_deref()), (Reason::OtherChoice, Some("large")));
    assert_eq!((decision.inputs["feasible"].as_str(), decision.inputs["nodes"].as_str()), ("2", "2"));
    assert!(decision.inputs["score difference"].parse::<i64>().unwrap() > 0);
    assert!(decision.sentence.starts_with("Bound to small, which is number 2 of 2 with "), "{}", decision.sentence);
    assert_eq!(compared(&nodes, &pod("cart", "500m"), "large").reason, Reason::SameChoice);
}

#[test]
fn a_node_that_scores_the_same_is_the_same_choice() {
    let nodes = [node("a", 1_000), node("b", 1_000), node("c", 1_000)];
    for actual in ["a", "b", "c"] {
        assert_eq!(compared(&nodes, &pod("cart", "500m"), actual).reason, Reason::SameChoice);
    }
}

#[test]
fn a_node_that_could_not_hold_it_is_said_to_be_so() {
    let decision = compared(&[node("n1", 100), node("n2", 1_000)], &pod("cart", "500m"), "n1");
    assert_eq!(
        decision.sentence,
        "Bound to n1, which Keelson would not have allowed (needs 500m cpu, 100m free: short 400m); it would have chosen n2."
    );
}

#[test]
fn what_is_not_implemented_is_not_judged() {
    let mut cart = pod("cart", "500m");
    cart["spec"]["resourceClaims"] = json!([{"name": "gpu", "resourceClaimName": "gpu"}]);
    let decision = compared(&[node("n1", 1_000)], &cart, "n1");
    assert_eq!((decision.reason, decision.chosen), (Reason::UnsupportedFeature, None));
    assert!(decision.sentence.starts_with("Cannot judge: spec.resourceClaims"), "{}", decision.sentence);
}

#[test]
fn the_comparison_is_over_all_nodes_whatever_keelsons_own_are() {
    let nodes = [node("n1", 1_000), node("n2", 8_000)];
    let state = cluster(&nodes, &[]);
    let mut ours = ask(&pod("cart", "500m"), Mode::Observe);
    ours.pod.layout = Layout::Pool(keelson_placement::Pool::new("keelson.dev/pool", "scheduling"));
    let decision = compare(&ours, &state.live().snapshot_for(&ours.pod), "n1");
    assert_eq!((decision.reason, decision.chosen.as_deref()), (Reason::OtherChoice, Some("n2")));
}

fn compared_in(labels: &Value, pod: &Value) -> Decision {
    let mut state = cluster(&[node("n1", 1_000)], &[]);
    let labels = serde_json::from_value(labels.clone()).unwrap();
    state.apply(keelson_cluster::Event::NamespaceApplied { name: "shop".into(), labels });
    let ask = ask(pod, Mode::Enforce);
    compare(&ask, &state.live().snapshot_for(&ask.pod), "n1")
}

#[test]
fn of_a_pod_that_was_left_alone_it_is_said_why() {
    let opted_in = json!({"keelson.dev/scheduling": "enabled"});
    let mut cart = pod("cart", "500m");
    cart["spec"]["schedulerName"] = json!("default-scheduler");
    let decision = compared_in(&opted_in, &cart);
    assert_eq!(decision.reason, Reason::SameChoice);
    assert!(!decision.inputs.contains_key("left alone"), "it was there before its namespace opted in: {decision:?}");

    let mut owned = cart.clone();
    owned["metadata"]["ownerReferences"] =
        json!([{"apiVersion": "apps/v1", "kind": "DaemonSet", "name": "logs", "uid": "u", "controller": true}]);
    let decision = compared_in(&opted_in, &owned);
    assert!(decision.inputs["left alone"].contains("DaemonSet"), "{decision:?}");
    let mut lowered = cart.clone();
    lowered["metadata"]["annotations"] = json!({"keelson.dev/mode": "Observe"});
    assert!(compared_in(&opted_in, &lowered).inputs["left alone"].ends_with("keelson.dev/mode says Observe"));

    let mut claims = cart.clone();
    claims["spec"]["resourceClaims"] = json!([{"name": "gpu", "resourceClaimName": "gpu"}]);
    let decision = compared_in(&opted_in, &claims);
    assert_eq!(decision.reason, Reason::LeftAlone);
    assert_eq!(
        decision.sentence,
        "Its namespace opts in, and it was left alone: spec.resourceClaims: dynamic resource allocation is not implemented."
    );
    for (labels, scheduler) in [
        (json!({}), "default-scheduler"),
        (json!({"keelson.dev/scheduling": "disabled"}), "default-scheduler"),
        (opted_in, "volcano"),
    ] {
        claims["spec"]["schedulerName"] = json!(scheduler);
        assert_eq!(compared_in(&labels, &claims).reason, Reason::UnsupportedFeature, "{labels} {scheduler}");
    }
}
