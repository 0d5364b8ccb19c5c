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
