//! Placements, failures and refusals, in full.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod layouts;

use keelson_cluster::{Event, State, read};
use keelson_core::{ActionKind, DecisionId, PlanId, Timestamp};
use serde_json::{Value, json};

use super::*;
use ask::Moment;

pub(crate) fn node(name: &str, cpu: i64) -> Value {
    json!({
        "metadata": {"name": name, "labels": {"zone": "a"}},
        "status": {"allocatable": {"cpu": format!("{cpu}m"), "memory": "8Gi", "pods": "110"}},
    })
}

pub(crate) fn pod(name: &str, cpu: &str) -> Value {
    json!({
        "metadata": {"name": name, "namespace": "shop", "uid": format!("uid-{name}"), "generation": 3, "labels": {"app": name}},
        "spec": {"schedulerName": "keelson", "containers": [
            {"name": "c", "image": "web", "resources": {"requests": {"cpu": cpu, "memory": "1Gi"}}},
        ]},
    })
}

pub(crate) fn cluster(nodes: &[Value], pods: &[Value]) -> State {
    let mut state = State::default();
    for node in nodes {
        state.apply(Event::node(&serde_json::from_value(node.clone()).unwrap()));
    }
    for pod in pods {
        state.apply(Event::pod(&serde_json::from_value(pod.clone()).unwrap()));
    }
    state
}

pub(crate) fn ask(pod: &Value, mode: Mode) -> Ask {
    let written = serde_json::from_value(pod.clone()).unwrap();
    let settings = Settings::new("keelson", mode);
    let nil = "00000000-0000-7000-8000-000000000001".parse::<DecisionId>().unwrap();
    let at = Moment { decision: nil, plan: PlanId(nil.0), now: Timestamp(1_000_000_000_000) };
    Ask::new(&written, read::pod(&written), settings, at)
}

pub(crate) fn decided(state: &State, pod: &Value, mode: Mode) -> Decided {
    let ask = ask(pod, mode);
    decide(&ask, &state.live().snapshot_for(&ask.pod))
}

#[test]
fn a_placed_pod_is_bound_by_uid_and_the_event_reads_as_upstreams() {
    let state = cluster(&[node("n1", 1_000), node("n2", 4_000)], &[]);
    let decided = decided(&state, &pod("cart", "500m"), Mode::Enforce);
    let decision = &decided.plan.decisions[0];
    assert_eq!(
        (decision.verb, decision.reason, decision.chosen.as_deref()),
        (Verb::Place, Reason::PodPlaced, Some("n2"))
    );
    assert_eq!(decision.candidates.len(), 2);
    assert_eq!(decision.inputs["node cpu then"], "12.5 %");
    assert!(
        decision.sentence.starts_with("Placed on n2: the best of 2 nodes that can hold it (2 looked at), "),
        "{}",
        decision.sentence
    );
    assert_eq!(decided.plan.actions[0].kind, ActionKind::Bind { node: "n2".into() });
    assert_eq!(decided.plan.actions[0].object.uid, "uid-cart");
    let ActionKind::Event { warning: false, reason, action, note } = &decided.plan.actions[1].kind else { panic!() };
    assert_eq!(
        (reason.as_str(), action.as_str(), note.as_str()),
        ("Scheduled", "Binding", "Successfully assigned shop/cart to n2")
    );
}

#[test]
fn a_decision_names_the_node_and_the_workload_it_is_about() {
    let state = cluster(&[node("n1", 1_000)], &[]);
    let mut owned = pod("cart", "500m");
    owned["metadata"]["labels"] = json!({"pod-template-hash": "7f9c"});
    owned["metadata"]["ownerReferences"] = json!([
        {"apiVersion": "v1", "kind": "ConfigMap", "name": "other", "uid": "u-0"},
        {"apiVersion": "apps/v1", "kind": "ReplicaSet", "name": "cart-7f9c", "uid": "u-1", "controller": true},
    ]);
    let related = |pod: &Value| {
        let objects = decided(&state, pod, Mode::Enforce).plan.decisions[0].related.clone();
        objects.iter().map(ToString::to_string).collect::<Vec<_>>()
    };
    assert_eq!(related(&owned), ["Node n1", "ReplicaSet shop/cart-7f9c", "Deployment shop/cart"]);
    owned["metadata"]["labels"] = json!({});
    assert_eq!(related(&owned), ["Node n1", "ReplicaSet shop/cart-7f9c"], "nothing is guessed from a name alone");
    assert_eq!(related(&pod("alone", "900")), [""; 0]);
}

// As kube-scheduler 1.36 says it.
const MESSAGE: &str = "0/2 nodes are available: 2 Insufficient cpu. preemption: 0/2 nodes are available: \
                       2 Preemption is not helpful for scheduling.";

#[test]
fn a_pod_that_cannot_fit_says_by_how_much_and_what_would_help() {
    let state = cluster(&[node("n1", 100), node("n2", 380)], &[]);
    let decided = decided(&state, &pod("cart", "500m"), Mode::Enforce);
    let decision = &decided.plan.decisions[0];
    assert_eq!((decision.verb, decision.reason), (Verb::Wait, Reason::Unschedulable));
    assert_eq!(
        decision.sentence,
        "0/2 nodes are available: 2 Insufficient cpu. With 380m cpu instead of 500m it would fit on n2."
    );
    assert_eq!(decision.candidates[0].failed[0].text, "needs 500m cpu, 380m free: short 120m");
    let ActionKind::Event { warning: true, reason, note, .. } = &decided.plan.actions[0].kind else { panic!() };
    assert_eq!((reason.as_str(), note.as_str()), ("FailedScheduling", MESSAGE));
    let ActionKind::ApplyStatus(status) = &decided.plan.actions[1].kind else { panic!() };
    assert_eq!(
        status["status"]["conditions"][0],
        json!({
            "type": "PodScheduled", "status": "False", "reason": "Unschedulable",
            "message": MESSAGE,
            "lastTransitionTime": "1970-01-12T13:46:40Z", "observedGeneration": 3,
        })
    );
    assert_eq!(decided.waits, Waits::NODE);
}

#[test]
fn a_decision_says_how_many_nodes_can_hold_the_pod() {
    let state = cluster(&[node("n1", 100), node("n2", 1_000), node("n3", 1_000)], &[]);
    let counted = |pod: &Value, mode| {
        let inputs = decided(&state, pod, mode).plan.decisions.remove(0).inputs;
        (inputs.get("feasible").cloned(), inputs["nodes"].clone())
    };
    let of_three = |feasible: &str| (Some(feasible.to_owned()), "3".to_owned());
    assert_eq!(counted(&pod("cart", "500m"), Mode::Enforce), of_three("2"));
    assert_eq!(counted(&pod("cart", "500m"), Mode::Observe), of_three("2"));
    assert_eq!(counted(&pod("large", "2"), Mode::Enforce), of_three("0"));
    let mut gated = pod("gated", "500m");
    gated["spec"]["schedulingGates"] = json!([{"name": "quota"}]);
    assert_eq!(counted(&gated, Mode::Enforce).0, None, "no node was looked at");
}

#[test]
fn the_conditions_time_stays_while_its_status_does() {
    let state = cluster(&[node("n1", 100)], &[]);
    let mut cart = pod("cart", "500m");
    cart["status"] = json!({"conditions": [
        {"type": "PodScheduled", "status": "False", "lastTransitionTime": "1970-01-01T00:00:05Z"},
    ]});
    let decided = decided(&state, &cart, Mode::Enforce);
    let ActionKind::ApplyStatus(status) = &decided.plan.actions[1].kind else { panic!() };
    assert_eq!(status["status"]["conditions"][0]["lastTransitionTime"], "1970-01-01T00:00:05Z");
}

#[test]
fn a_refused_field_is_named_and_nothing_is_chosen() {
    let state = cluster(&[node("n1", 1_000)], &[]);
    let mut cart = pod("cart", "500m");
    cart["spec"]["resourceClaims"] = json!([{"name": "gpu", "resourceClaimName": "gpu"}]);
    let decided = decided(&state, &cart, Mode::Enforce);
    let decision = &decided.plan.decisions[0];
    assert_eq!((decision.verb, decision.reason, &decision.chosen), (Verb::Refuse, Reason::UnsupportedFeature, &None));
    assert!(decision.sentence.starts_with("spec.resourceClaims: "), "{}", decision.sentence);
    let ActionKind::ApplyStatus(status) = &decided.plan.actions[1].kind else { panic!() };
    assert_eq!(status["status"]["conditions"][0]["reason"], "UnsupportedFeature");
}

#[test]
fn a_pod_that_another_keeps_away_waits_for_that_pod_and_says_where() {
    let mut guard = pod("guard", "1m");
    guard["spec"]["nodeName"] = json!("n1");
    guard["spec"]["affinity"] = json!({"podAntiAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": [
        {"topologyKey": "zone", "labelSelector": {"matchLabels": {"app": "cart"}}},
    ]}});
    let state = cluster(&[node("n1", 1_000)], &[guard]);
    let waits = decided(&state, &pod("cart", "500m"), Mode::Enforce);
    assert_eq!(waits.plan.decisions[0].reason, Reason::Unschedulable);
    assert_eq!(
        waits.plan.decisions[0].sentence,
        "0/1 nodes are available: 1 node(s) didn't satisfy existing pods anti-affinity rules. Nearest: n1: 1 pod in \
         zone=a must be apart from it."
    );
    assert_eq!(waits.waits, Waits::NODE.and(Waits::PEERS));
    assert_eq!(decided(&state, &pod("other", "500m"), Mode::Enforce).node.as_deref(), Some("n1"));
}

#[test]
fn a_pod_is_spread_over_zones_and_kept_with_and_apart_from_others() {
    let zoned = |name: &str, zone: &str| {
        let mut node = node(name, 4_000);
        node["metadata"]["labels"]["zone"] = json!(zone);
        node
    };
    let on = |name: &str, node: &str| {
        let mut there = pod(name, "100m");
        there["metadata"]["labels"] = json!({"app": "web"});
        there["spec"]["nodeName"] = json!(node);
        there
    };
    let state = cluster(&[zoned("n1", "a"), zoned("n2", "b"), zoned("n3", "c")], &[on("w1", "n1"), on("w2", "n2")]);
    let selector = json!({"matchLabels": {"app": "web"}});
    let placed = |spec: Value| {
        let mut asked = pod("w3", "100m");
        asked["metadata"]["labels"] = json!({"app": "web"});
        asked["spec"].as_object_mut().unwrap().extend(spec.as_object().unwrap().clone());
        decided(&state, &asked, Mode::Enforce).node
    };
    let spread =
        json!({"maxSkew": 1, "topologyKey": "zone", "whenUnsatisfiable": "DoNotSchedule", "labelSelector": selector});
    assert_eq!(placed(json!({"topologySpreadConstraints": [spread]})).as_deref(), Some("n3"));
    let term = json!([{"topologyKey": "zone", "labelSelector": selector}]);
    let rule = |kind: &str| json!({"affinity": {kind: {"requiredDuringSchedulingIgnoredDuringExecution": term}}});
    assert_eq!(placed(rule("podAntiAffinity")).as_deref(), Some("n3"));
    assert_ne!(placed(rule("podAffinity")).as_deref(), Some("n3"));
}

#[test]
fn what_cannot_be_read_and_what_is_gated_is_not_placed() {
    let state = cluster(&[node("n1", 1_000)], &[]);
    let wrong = decided(&state, &pod("cart", "half"), Mode::Enforce);
    assert_eq!(wrong.plan.decisions[0].reason, Reason::InvalidField);
    assert!(wrong.plan.decisions[0].sentence.starts_with("spec.containers[0].resources.requests[cpu]: "));
    let mut gated = pod("cart", "500m");
    gated["spec"]["schedulingGates"] = json!([{"name": "quota"}]);
    let gated = decided(&state, &gated, Mode::Enforce);
    assert_eq!((gated.plan.decisions[0].reason, gated.plan.actions.len()), (Reason::SchedulingGated, 0));
}

#[test]
fn below_enforce_nothing_is_done_and_the_record_says_what_would_be() {
    let state = cluster(&[node("n1", 1_000)], &[]);
    let decided = decided(&state, &pod("cart", "500m"), Mode::Observe);
    let decision = &decided.plan.decisions[0];
    assert_eq!(
        (decision.verb, decision.reason, decision.chosen.as_deref()),
        (Verb::Wait, Reason::SchedulerNotEnforcing, Some("n1"))
    );
    assert_eq!(
        decision.sentence,
        "Waits: scheduling is in mode Observe and places nothing. Enforced: Placed on n1: the only node there is."
    );
    assert!(decided.plan.actions.is_empty());
}

#[test]
fn deciding_again_on_another_thread_gives_the_same_bytes() {
    let nodes: Vec<_> = (0..40).map(|i| node(&format!("n{i}"), 200 + 10 * (i % 7))).collect();
    let state = cluster(&nodes, &[]);
    for cpu in ["100m", "250m", "900m"] {
        let ask = ask(&pod("cart", cpu), Mode::Enforce);
        let bytes = |state: &State, ask: &Ask| {
            serde_json::to_vec(&decide(ask, &state.live().snapshot_for(&ask.pod)).plan).unwrap()
        };
        let here = bytes(&state, &ask);
        let there = std::thread::scope(|scope| scope.spawn(|| bytes(&state, &ask)).join().unwrap());
        assert_eq!(here, there);
    }
}
