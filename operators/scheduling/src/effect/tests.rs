//! Predictions that came true, and predictions that did not.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use std::sync::LazyLock;

use keelson_cluster::{Event, State, read};
use serde_json::{Value, json};

use super::*;
use crate::decide::tests::{cluster, node, pod};
use crate::used::Measured;

const PLACED: Timestamp = Timestamp(1_000_000_000);

fn id(last: u8) -> DecisionId {
    format!("00000000-0000-7000-8000-0000000000{last:02}").parse().unwrap()
}

fn written(value: &Value) -> Written {
    serde_json::from_value(value.clone()).unwrap()
}

/// A cluster of one node in which `cart` was just placed there.
fn placed() -> (State, Effects, Value) {
    let mut state = cluster(&[node("n1", 1_000)], &[pod("cart", "500m")]);
    let mut effects = Effects::default();
    place(&mut state, &mut effects, &pod("cart", "500m"), 1);
    (state, effects, bound("cart", "500m", "n1", "Running"))
}

/// A cluster in which nothing is measured.
fn unmeasured(state: &State) -> Seen<'_> {
    static NOTHING: LazyLock<NodeUse> = LazyLock::new(NodeUse::default);
    Seen { view: state.live(), used: &NOTHING }
}

fn place(state: &mut State, effects: &mut Effects, pod: &Value, last: u8) {
    let pod = read::pod(&written(pod)).pod;
    let node = state.live().member("n1").unwrap().node.clone();
    let shares = predicted(&node, &pod);
    effects.placed(&pod, Placement { decision: id(last), node: "n1".into(), at: PLACED, shares });
    state.apply(Event::Assumed { uid: pod.uid, node: "n1".into(), volumes: None });
}

fn bound(name: &str, cpu: &str, node: &str, phase: &str) -> Value {
    let mut value = pod(name, cpu);
    value["spec"]["nodeName"] = json!(node);
    value["status"] = json!({"phase": phase});
    value
}

fn later(seconds: i64) -> Timestamp {
    PLACED + Span::seconds(seconds)
}

#[test]
fn a_pod_that_runs_where_it_was_put_came_as_predicted() {
    let (mut state, mut effects, running) = placed();
    state.apply(Event::pod(&written(&running)));
    assert_eq!(effects.changed(&written(&bound("cart", "500m", "n1", "Pending")), &unmeasured(&state), later(1)), None);
    let (decision, effect) = effects.changed(&written(&running), &unmeasured(&state), later(2)).unwrap();
    assert_eq!((decision, effect.as_predicted), (id(1), Some(true)));
    assert_eq!(
        effect.sentence,
        "Running after 2 s; n1 cpu requested at 50 % (said 50 %); n1 memory requested at 12.5 % (said 12.5 %). \
         Told from requests only: metrics.k8s.io was not asked yet."
    );
    assert!(effects.is_empty(), "one effect a placement");
}

#[test]
fn what_this_scheduler_adds_meanwhile_makes_no_prediction_wrong() {
    let (mut state, mut effects, running) = placed();
    state.apply(Event::pod(&written(&pod("more", "300m"))));
    place(&mut state, &mut effects, &pod("more", "300m"), 2);
    let (_, effect) = effects.changed(&written(&running), &unmeasured(&state), later(2)).unwrap();
    assert_eq!((effect.as_predicted, effect.figures["node cpu said"].as_str()), (Some(true), "80 %"));
}

#[test]
fn a_node_that_somebody_else_fills_makes_the_prediction_wrong() {
    let (mut state, mut effects, running) = placed();
    state.apply(Event::pod(&written(&bound("foreign", "400m", "n1", "Running"))));
    let (_, effect) = effects.changed(&written(&running), &unmeasured(&state), later(2)).unwrap();
    assert_eq!(effect.as_predicted, Some(false));
    assert!(effect.sentence.contains("n1 cpu requested at 90 % (said 50 %)"), "{}", effect.sentence);
}

#[test]
fn a_pod_that_the_kubelet_refuses_makes_the_prediction_wrong() {
    let (state, mut effects, mut refused) = placed();
    refused["status"] =
        json!({"phase": "Failed", "reason": "OutOfcpu", "message": "Node didn't have enough resource: cpu"});
    let (_, effect) = effects.changed(&written(&refused), &unmeasured(&state), later(1)).unwrap();
    assert_eq!(effect.as_predicted, Some(false));
    assert_eq!(
        effect.sentence,
        "Failed on n1 after 1 s without running: OutOfcpu Node didn't have enough resource: cpu"
    );
}

#[test]
fn a_pod_that_is_taken_away_or_bound_elsewhere_or_late_makes_it_wrong() {
    let (state, effects, _) = placed();
    let gone = effects.clone().deleted("uid-cart", later(3)).unwrap().1;
    assert_eq!(
        (gone.as_predicted, gone.sentence.as_str()),
        (Some(false), "Deleted or evicted after 3 s, before it ran on n1.")
    );
    let elsewhere = written(&bound("cart", "500m", "n2", "Pending"));
    let elsewhere = effects.clone().changed(&elsewhere, &unmeasured(&state), later(3)).unwrap().1;
    assert_eq!(elsewhere.sentence, "Bound to n2 instead of n1: another scheduler was faster.");
    let mut late = effects;
    assert!(late.overdue(later(599)).is_empty());
    assert_eq!(late.overdue(later(600))[0].1.1.sentence, "Bound to n1, and not running after 10 min.");
    assert!(late.is_empty());
}

#[test]
fn a_pod_that_the_kubelet_evicts_later_shows_its_placement_wrong_after_all() {
    let (mut state, mut effects, running) = placed();
    state.apply(Event::PodApplied(Box::new(read::pod(&written(&running)))));
    let (_, first) = effects.changed(&written(&running), &unmeasured(&state), PLACED + Span::seconds(2)).unwrap();
    assert_eq!(first.as_predicted, Some(true));
    let mut evicted = running;
    evicted["status"] = json!({"phase": "Failed", "reason": "Evicted", "message": "The node was low on memory."});
    let (decision, effect) =
        effects.changed(&written(&evicted), &unmeasured(&state), PLACED + Span::minutes(9)).unwrap();
    assert_eq!((decision, effect.as_predicted), (id(1), Some(false)));
    assert!(effect.sentence.ends_with("Evicted by n1 after 9 min: The node was low on memory."), "{}", effect.sentence);
    assert_eq!(effects.changed(&written(&evicted), &unmeasured(&state), PLACED + Span::minutes(10)), None, "once");
}

#[test]
fn a_pod_that_ends_by_itself_says_nothing_about_its_place() {
    let (state, mut effects, running) = placed();
    effects.changed(&written(&running), &unmeasured(&state), PLACED + Span::seconds(2)).unwrap();
    let mut ended = running;
    ended["status"] = json!({"phase": "Failed"});
    assert_eq!(effects.changed(&written(&ended), &unmeasured(&state), PLACED + Span::minutes(1)), None);
}

#[test]
fn a_pod_that_ran_and_failed_between_two_looks_did_run() {
    let (state, mut effects, _) = placed();
    let mut failed = bound("cart", "500m", "n1", "Failed");
    failed["status"]["containerStatuses"] = json!([{"name": "c", "image": "i", "imageID": "", "ready": false,
        "restartCount": 0, "state": {"terminated": {"exitCode": 1, "startedAt": "2026-05-20T00:00:00Z"}}}]);
    let (_, effect) = effects.changed(&written(&failed), &unmeasured(&state), PLACED + Span::seconds(5)).unwrap();
    assert_eq!((effect.sentence.as_str(), effect.as_predicted), ("Failed after 5 s.", Some(true)));
}

#[test]
fn what_ran_is_forgotten_after_an_hour() {
    let (mut state, mut effects, running) = placed();
    effects.changed(&written(&running), &unmeasured(&state), PLACED).unwrap();
    place(&mut state, &mut effects, &pod("later", "100m"), 2);
    let later = bound("later", "100m", "n1", "Running");
    effects.changed(&written(&later), &unmeasured(&state), PLACED + Span::hours(1)).unwrap();
    assert_eq!((effects.ran.len(), effects.order.len()), (1, 1));
}

/// n1 measured at a moment, 15 s long: so many thousandths of a core, of one.
fn measured(seconds: i64, cpu: i64) -> NodeUse {
    let amounts = Resources::new().with(ResourceName::Cpu, cpu).with(ResourceName::Memory, 1 << 30);
    let measured = Measured { at: later(seconds), window: Span::seconds(15), amounts };
    let mut used = NodeUse::default();
    used.heard(Ok(BTreeMap::from([("n1".to_owned(), measured)])));
    used
}

/// What is told of `cart`, which runs since 2 s, when this is heard after `seconds`.
fn told(used: &NodeUse, seconds: i64) -> Option<Effect> {
    let (mut state, mut effects, running) = placed();
    state.apply(Event::pod(&written(&running)));
    let seen = Seen { view: state.live(), used: &measured(0, 1) };
    let (_, first) = effects.changed(&written(&running), &seen, later(2)).unwrap();
    assert!(
        first.sentence.ends_with("(said 12.5 %). So far told from requests only: not measured since it runs."),
        "{}",
        first.sentence
    );
    let seen = Seen { used, ..seen };
    effects.measured(&seen, later(seconds)).pop().map(|(_, effect)| effect)
}

#[test]
fn measured_use_is_told_beside_requests() {
    let effect = told(&measured(30, 480), 42).unwrap();
    assert_eq!(
        effect.sentence,
        "Running after 2 s; n1 cpu requested at 50 % (said 50 %); n1 memory requested at 12.5 % (said 12.5 %). \
         n1 at 48 % cpu (measured 12 s ago), 50 % was predicted; at 12.5 % memory, 12.5 % was predicted."
    );
    assert_eq!((effect.as_predicted, effect.figures["node cpu used"].as_str()), (Some(true), "48 %"));
    assert_eq!(told(&measured(30, 20), 42).unwrap().as_predicted, Some(true), "requests are what is used at most");
}

#[test]
fn a_node_that_uses_more_than_was_said_makes_the_prediction_wrong() {
    let effect = told(&measured(30, 630), 42).unwrap();
    assert_eq!(effect.as_predicted, Some(false));
    assert!(effect.sentence.contains("n1 at 63 % cpu (measured 12 s ago), 50 % was predicted"), "{}", effect.sentence);
}

#[test]
fn a_measurement_from_before_the_pod_ran_tells_nothing_of_it() {
    assert_eq!(told(&measured(16, 630), 20), None, "its window began before");
    assert_eq!(told(&measured(17, 630), 20).unwrap().as_predicted, Some(false));
    assert_eq!(told(&measured(30, 630), 200), None, "stale");
}

#[test]
fn what_is_placed_between_running_and_measuring_is_predicted_too() {
    let (mut state, mut effects, running) = placed();
    effects.changed(&written(&running), &unmeasured(&state), later(2)).unwrap();
    state.apply(Event::pod(&written(&pod("more", "300m"))));
    place(&mut state, &mut effects, &pod("more", "300m"), 2);
    state.apply(Event::pod(&written(&pod("failed", "100m"))));
    place(&mut state, &mut effects, &pod("failed", "100m"), 3);
    effects.forget("uid-failed");
    let (_, effect) = effects.measured(&Seen { view: state.live(), used: &measured(30, 700) }, later(40)).remove(0);
    assert!(effect.sentence.contains("n1 at 70 % cpu (measured 10 s ago), 80 % was predicted"), "{}", effect.sentence);
}

#[test]
fn without_a_measurement_it_is_said_that_requests_tell_it_and_why() {
    let (state, mut effects, running) = placed();
    let used = measured(0, 100);
    effects.changed(&written(&running), &Seen { view: state.live(), used: &used }, later(2)).unwrap();
    assert_eq!(effects.unmeasured(&used, later(301)), []);
    let (_, effect) = effects.unmeasured(&used, later(302)).remove(0);
    assert!(
        effect.sentence.ends_with("Told from requests only: the last measurement of n1 is 5 min old."),
        "{}",
        effect.sentence
    );
    assert_eq!((effect.as_predicted, effects.unmeasured(&used, later(400))), (Some(true), vec![]));
}
