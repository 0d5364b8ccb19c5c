//! The protocol as upstream writes and reads it, and what is answered.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use keelson_cluster::{Event, State, read};
use keelson_core::{ActionKind, DecisionId, Mode, PlanId, Reason, Timestamp, Verb};
use proptest::prelude::*;
use serde_json::{Value, json};

use super::judge::{Note, Question, Ranking, Stands, bind, filter, preempt, prioritize, to_bind};
use super::protocol::{Args, BindingArgs, HostPriority, Nodes, PreemptionArgs};
use crate::decide::tests::{cluster, node, pod};
use crate::decide::{Moment, Settings};

fn asked(pod: &Value, nodes: &Value) -> Args {
    Args::read(json!({"Pod": pod, "NodeNames": nodes}).to_string().as_bytes()).unwrap()
}

fn question(pod: &Value, mode: Mode) -> Question {
    question_to(Stands { leading: true, held: false }, pod, mode)
}

fn question_to(stands: Stands, pod: &Value, mode: Mode) -> Question {
    let id = "00000000-0000-7000-8000-000000000001".parse::<DecisionId>().unwrap();
    let at = Moment { decision: id, plan: PlanId(id.0), now: Timestamp(1_000_000_000_000) };
    let settings = Settings::new("keelson", mode);
    let written = serde_json::from_value(pod.clone()).unwrap();
    Question::new(&written, keelson_cluster::read::pod(&written), settings, stands, at)
}

/// The answer to `filter` as it is written, and the decision.
fn filtered(state: &State, pod: &Value, nodes: &Value, mode: Mode) -> (Value, Option<keelson_core::Decision>) {
    let (question, args) = (question(pod, mode), asked(pod, nodes));
    let (result, decision) = filter(&question, args.nodes, &state.live().snapshot_for(&question.ask.pod));
    (serde_json::to_value(result).unwrap(), decision.map(recorded))
}

fn recorded(note: Note) -> keelson_core::Decision {
    match note {
        Note::Decided(decision) => *decision,
        Note::Ranked { .. } => panic!("{note:?} is no decision"),
    }
}

fn scores(state: &State, pod: &Value, nodes: &Value, mode: Mode) -> Vec<(String, i64)> {
    let (question, args) = (question(pod, mode), asked(pod, nodes));
    let (scores, _) = prioritize(&question, &args.nodes, &state.live().snapshot_for(&question.ask.pod));
    scores.into_iter().map(|HostPriority { host, score }| (host, score)).collect()
}

fn theirs(name: &str, cpu: &str) -> Value {
    let mut pod = pod(name, cpu);
    pod["spec"]["schedulerName"] = json!("default-scheduler");
    pod
}

fn running(name: &str, cpu: &str, on: &str, priority: i32) -> Value {
    let mut pod = theirs(name, cpu);
    (pod["spec"]["nodeName"], pod["spec"]["priority"]) = (json!(on), json!(priority));
    pod
}

fn binding_to(node: &str) -> BindingArgs {
    BindingArgs { name: "cart".into(), namespace: "shop".into(), uid: "uid-cart".into(), node: node.into() }
}

/// What `encoding/json` makes of `ExtenderArgs` and the others (`k8s.io/kube-scheduler/extender/v1`).
#[test]
fn questions_are_read_as_go_writes_them() {
    let pod = theirs("cart", "500m");
    let names = json!({"Pod": pod, "Nodes": null, "NodeNames": ["n1", "n2"]});
    assert_eq!(Args::read(names.to_string().as_bytes()).unwrap().nodes, Nodes::Names(vec!["n1".into(), "n2".into()]));
    let other_case = json!({"pod": pod, "nodenames": [], "more": {"of": "it"}});
    assert_eq!(Args::read(other_case.to_string().as_bytes()).unwrap().nodes, Nodes::Names(Vec::new()));
    let objects = json!({"Pod": pod, "Nodes": {"metadata": {}, "items": [node("n1", 1)]}, "NodeNames": null});
    assert_eq!(Args::read(objects.to_string().as_bytes()).unwrap().nodes.names().collect::<Vec<_>>(), ["n1"]);
    let empty = json!({"Pod": pod, "Nodes": {"metadata": {}, "items": null}, "NodeNames": null});
    assert_eq!(Args::read(empty.to_string().as_bytes()).unwrap().nodes, Nodes::Objects(Vec::new()));

    let meta = json!({"Pod": pod, "NodeNameToVictims": null,
        "NodeNameToMetaVictims": {"n1": {"Pods": [{"UID": "a"}], "NumPDBViolations": 2}, "n2": null, "n3": {"Pods": null}}});
    let read = PreemptionArgs::read(meta.to_string().as_bytes()).unwrap().nodes;
    assert_eq!((read["n1"].uids().into_iter().collect::<Vec<_>>(), read["n1"].violations), (vec!["a"], 2));
    assert!(read["n2"].pods.is_empty() && read["n3"].pods.is_empty());
    let whole = json!({"Pod": pod, "NodeNameToVictims": {"n1": {"Pods": [running("a", "1", "n1", 0)]}}});
    let read = PreemptionArgs::read(whole.to_string().as_bytes()).unwrap().nodes;
    assert_eq!(read["n1"].uids().into_iter().collect::<Vec<_>>(), ["uid-a"]);

    let binding = json!({"PodName": "cart", "PodNamespace": "shop", "PodUID": "uid-cart", "Node": "n1"});
    assert_eq!(BindingArgs::read(binding.to_string().as_bytes()).unwrap().node, "n1");
}

#[test]
fn what_cannot_be_read_names_its_field() {
    let said = |value: Value| Args::read(value.to_string().as_bytes()).unwrap_err().to_string();
    let pod = theirs("cart", "500m");
    assert_eq!(said(json!({"NodeNames": []})), "Pod: missing; say which pod is to be placed");
    assert_eq!(said(json!({"Pod": pod})), "NodeNames: missing, and so is Nodes; name the nodes to choose from");
    assert_eq!(said(json!({"Pod": pod, "NodeNames": "n1"})), "NodeNames: give a list");
    let many: Vec<String> = (0..20_001).map(|n| n.to_string()).collect();
    assert_eq!(
        said(json!({"Pod": pod, "NodeNames": many})),
        "NodeNames: 20001 nodes; at most 20000 can be asked about"
    );
    assert_eq!(BindingArgs::read(b"{\"PodName\": \"\"}").unwrap_err().to_string(), "PodName: give a name");
    assert!(BindingArgs::read(b"[]").unwrap_err().to_string().starts_with("the question is no JSON object: "));
}

#[test]
fn a_node_that_cannot_hold_it_is_refused_with_what_is_short() {
    let mut cordoned = node("n3", 4_000);
    cordoned["spec"] = json!({"unschedulable": true});
    let nodes = [node("n1", 4_000), node("n2", 1_000), cordoned];
    let state = cluster(&nodes, &[running("busy", "700m", "n2", 0)]);
    let (answer, decision) = filtered(&state, &theirs("cart", "500m"), &json!(["n1", "n2", "n3", "n4"]), Mode::Enforce);
    assert_eq!(
        answer,
        json!({
            "Nodes": null, "NodeNames": ["n1"],
            "FailedNodes": {"n2": "needs 500m cpu, 300m free: short 200m", "n4": "Keelson has not heard of this node yet"},
            "FailedAndUnresolvableNodes": {"n3": "node(s) were unschedulable"}, "Error": "",
        })
    );
    assert_eq!(decision, None, "a node passes: there is more to come");
}

#[test]
fn nodes_that_came_as_objects_go_back_as_they_came() {
    let state = cluster(&[node("n1", 4_000), node("n2", 100)], &[]);
    let pod = theirs("cart", "500m");
    let items = json!([{"metadata": {"name": "n1", "uid": "kept"}}, node("n2", 100)]);
    let args = Args::read(json!({"Pod": pod, "Nodes": {"items": items}}).to_string().as_bytes()).unwrap();
    let question = question(&pod, Mode::Enforce);
    let (result, _) = filter(&question, args.nodes, &state.live().snapshot_for(&question.ask.pod));
    assert_eq!((result.nodes.unwrap().items, result.node_names), (vec![items[0].clone()], None));
}

#[test]
fn a_refusal_of_all_nodes_is_one_decision() {
    let state = cluster(&[node("n1", 100), node("n2", 100)], &[]);
    let (_, decision) = filtered(&state, &theirs("cart", "500m"), &json!(["n1", "n2"]), Mode::Enforce);
    let decision = decision.unwrap();
    assert_eq!((decision.verb, decision.reason), (Verb::Wait, Reason::Unschedulable));
    assert_eq!(
        decision.sentence,
        "None of 2 nodes that default-scheduler asked about can hold it (2: needs 500m cpu, 100m free: short 400m)."
    );
    assert!(!decision.candidates.is_empty());
}

#[test]
fn the_best_node_gets_ten_and_every_node_asked_about_a_score() {
    let state = cluster(&[node("n1", 1_000), node("n2", 4_000), node("n3", 100)], &[]);
    let pod = theirs("cart", "500m");
    let found = scores(&state, &pod, &json!(["n1", "n2", "n3", "n9", "n2"]), Mode::Enforce);
    let of = |name: &str, score| (name.to_owned(), score);
    assert_eq!(found, [of("n1", 0), of("n2", 10), of("n3", 0), of("n9", 0), of("n2", 10)]);
    let question = question(&pod, Mode::Enforce);
    let (snapshot, asked) = (state.live().snapshot_for(&question.ask.pod), asked(&pod, &json!(["n1", "n2"])).nodes);
    let Some(Note::Ranked { uid, ranking }) = prioritize(&question, &asked, &snapshot).1 else { panic!("not ranked") };
    assert_eq!(uid, "uid-cart");
    let bound = |node: &str, ranking: Option<&Ranking>| {
        let plan = bind(question.clone(), &binding_to(node), ranking, &snapshot).unwrap().plan;
        (plan.decisions[0].sentence.clone(), plan.decisions[0].candidates.len())
    };
    let (best, shown) = bound("n2", Some(&ranking));
    assert!(
        best.starts_with("Bound to n2, which default-scheduler chose, as Keelson would have of 2 nodes: "),
        "{best}"
    );
    assert!(best.ends_with(" for n1.") && shown == 2, "{best}");
    let (other, _) = bound("n1", Some(&ranking));
    assert!(
        other.contains("chose; of 2 nodes Keelson ranks it with ") && other.contains(" behind n2 with "),
        "{other}"
    );
    assert_eq!(bound("n1", None), ("Bound to n1, which default-scheduler chose.".into(), 0));
}

#[test]
fn nodes_that_hardly_differ_are_not_driven_apart() {
    let state = cluster(&[node("n1", 100_000), node("n2", 101_000)], &[]);
    let found = scores(&state, &theirs("cart", "500m"), &json!(["n1", "n2"]), Mode::Enforce);
    assert!(found.iter().all(|(_, score)| *score >= 9), "{found:?}");
}

#[test]
fn below_enforce_every_node_passes_and_the_decision_says_what_would_be_told() {
    let state = cluster(&[node("n1", 100), node("n2", 100)], &[]);
    let pod = theirs("cart", "500m");
    let (answer, decision) = filtered(&state, &pod, &json!(["n1", "n2"]), Mode::Observe);
    assert_eq!(answer["NodeNames"], json!(["n1", "n2"]));
    assert!(decision.unwrap().sentence.ends_with(" Not told: mode Observe."));
    assert!(scores(&state, &pod, &json!(["n1", "n2"]), Mode::Observe).iter().all(|(_, score)| *score == 0));
    assert_eq!(filtered(&state, &pod, &json!(["n1"]), Mode::Off).1, None);
}

#[test]
fn while_paused_every_node_passes_and_a_standby_answers_and_records_nothing() {
    let (state, pod) = (cluster(&[node("n1", 100)], &[]), theirs("cart", "500m"));
    let to = |leading, held| question_to(Stands { leading, held }, &pod, Mode::Enforce);
    let answered = |question: Question| {
        let snapshot = state.live().snapshot_for(&question.ask.pod);
        let (result, decision) = filter(&question, asked(&pod, &json!(["n1"])).nodes, &snapshot);
        (result.node_names.unwrap().len(), decision.map(|note| recorded(note).sentence))
    };
    let (passed, said) = answered(to(true, true));
    assert!(passed == 1 && said.unwrap().ends_with(" Not told: scheduling is paused."));
    let standby = to(false, false);
    assert_eq!(answered(standby.clone()), (0, None));
    let snapshot = state.live().snapshot_for(&standby.ask.pod);
    let refused = bind(standby.clone(), &binding_to("n1"), None, &snapshot).map(|_| ()).unwrap_err();
    assert!(refused.starts_with("this replica stands by"), "{refused}");
}

#[test]
fn a_pod_that_is_not_understood_passes_everywhere_and_that_is_said() {
    let state = cluster(&[node("n1", 100)], &[]);
    let mut claims = theirs("cart", "500m");
    claims["spec"]["resourceClaims"] = json!([{"name": "gpu", "resourceClaimName": "gpu"}]);
    let (answer, decision) = filtered(&state, &claims, &json!(["n1", "n7"]), Mode::Enforce);
    assert_eq!(answer["NodeNames"], json!(["n1", "n7"]));
    let decision = decision.unwrap();
    assert_eq!((decision.verb, decision.reason), (Verb::Compare, Reason::UnsupportedFeature));
    assert!(decision.sentence.contains("spec.resourceClaims"), "{}", decision.sentence);
}

#[test]
fn an_eviction_that_makes_no_room_is_not_made() {
    let pods =
        [running("small", "200m", "n1", 0), running("large", "900m", "n2", 0), running("vital", "900m", "n3", 90)];
    let nodes = [node("n1", 1_000), node("n2", 1_000), node("n3", 1_000)];
    let mut state = cluster(&nodes, &pods);
    let budget = json!({"metadata": {"name": "large", "namespace": "shop"}, "spec": {"selector": {"matchLabels": {"app": "large"}}}, "status": {"disruptionsAllowed": 0, "currentHealthy": 1, "desiredHealthy": 1, "expectedPods": 1}});
    state.apply(Event::BudgetApplied(Box::new(read::budget(&serde_json::from_value(budget).unwrap()))));
    let mut urgent = theirs("urgent", "950m");
    urgent["spec"]["priority"] = json!(10);
    let victims = |uid: &str| json!({"Pods": [{"UID": uid}], "NumPDBViolations": 0});
    let args = json!({"Pod": urgent, "NodeNameToMetaVictims":
        {"n1": victims("uid-none"), "n2": victims("uid-large"), "n3": victims("uid-vital"), "n4": victims("uid-x")}});
    let args = PreemptionArgs::read(args.to_string().as_bytes()).unwrap();
    let question = question(&urgent, Mode::Enforce);
    let result = preempt(&question, args.nodes, &state.live().snapshot_for(&question.ask.pod));
    assert_eq!(
        serde_json::to_value(result).unwrap(),
        json!({"NodeNameToMetaVictims": {"n2": {"Pods": [{"UID": "uid-large"}], "NumPDBViolations": 1}}})
    );
}

/// The facts of `TestConvertToMetaVictims` and `TestConvertToVictims` (`pkg/scheduler/extender_test.go`, 1.36.3): uids and broken
/// budgets are kept both ways.
#[test]
fn victims_are_the_same_whole_and_by_uid() {
    let (pod, one) = (theirs("urgent", "1"), |uid: &str| json!({"metadata": {"name": uid, "uid": uid}}));
    let whole = json!({"node1": {"Pods": [one("uid1"), one("uid3")], "NumPDBViolations": 1},
        "node2": {"Pods": [one("uid2"), one("uid4")], "NumPDBViolations": 2}});
    let meta = json!({"node1": {"Pods": [{"UID": "uid1"}, {"UID": "uid3"}], "NumPDBViolations": 1},
        "node2": {"Pods": [{"UID": "uid2"}, {"UID": "uid4"}], "NumPDBViolations": 2}});
    let read = |asked: Value| PreemptionArgs::read(asked.to_string().as_bytes()).unwrap();
    let read_whole = read(json!({"Pod": pod, "NodeNameToVictims": whole, "NodeNameToMetaVictims": null}));
    let read_meta = read(json!({"Pod": pod, "NodeNameToVictims": null, "NodeNameToMetaVictims": meta}));
    assert_eq!(read_whole, read_meta);
    // In Observe the choice goes back as it came.
    let question = question(&pod, Mode::Observe);
    let state = cluster(&[], &[]);
    let result = preempt(&question, read_whole.nodes, &state.live().snapshot_for(&question.ask.pod));
    assert_eq!(serde_json::to_value(result).unwrap(), json!({"NodeNameToMetaVictims": meta}));
}

/// kube-scheduler: "expected at least one victim pod on node", and nobody is evicted anywhere.
#[test]
fn a_node_without_victims_is_left_out_though_the_pod_fits_there() {
    let state = cluster(&[node("n1", 4_000), node("n2", 1_000)], &[running("small", "800m", "n2", 0)]);
    let mut urgent = theirs("urgent", "500m");
    urgent["spec"]["priority"] = json!(10);
    let victims = json!({"n1": {"Pods": []}, "n2": {"Pods": [{"UID": "uid-small"}], "NumPDBViolations": 0}});
    let args = json!({"Pod": urgent, "NodeNameToMetaVictims": victims}).to_string();
    let question = question(&urgent, Mode::Enforce);
    let nodes = PreemptionArgs::read(args.as_bytes()).unwrap().nodes;
    let result = preempt(&question, nodes, &state.live().snapshot_for(&question.ask.pod));
    assert_eq!(result.node_name_to_meta_victims.keys().collect::<Vec<_>>(), ["n2"]);
}

#[test]
fn a_binding_is_a_plan_and_only_enforced() {
    let state = cluster(&[node("n1", 1_000), node("n2", 100)], &[]);
    let waiting = theirs("cart", "500m");
    let bound = |node: &str, mode| {
        let pod = to_bind(&binding_to(node), Some(&serde_json::from_value(waiting.clone()).unwrap()));
        let question = question(&serde_json::to_value(pod).unwrap(), mode);
        let snapshot = state.live().snapshot_for(&question.ask.pod);
        bind(question.clone(), &binding_to(node), None, &snapshot)
    };
    let binding = bound("n1", Mode::Enforce).unwrap();
    assert_eq!(binding.plan.actions[0].kind, ActionKind::Bind { node: "n1".into() });
    assert_eq!(binding.plan.actions[0].object.uid, "uid-cart");
    assert_eq!(binding.plan.decisions[0].sentence, "Bound to n1, which default-scheduler chose.");
    let refused = |node, mode| bound(node, mode).map(|_| ()).unwrap_err();
    assert_eq!(refused("n2", Mode::Enforce), "n2 cannot hold it any more: needs 500m cpu, 100m free: short 400m");
    assert_eq!(refused("n9", Mode::Enforce), "Keelson has not heard of this node yet");
    assert_eq!(
        refused("n1", Mode::Observe),
        "scheduling is in mode Observe and binds nothing; enforce it, or leave bindVerb out"
    );
    // A pod of that name that is not the one: only its name is known of the one that is meant.
    let other = BindingArgs { uid: "uid-new".into(), ..binding_to("n1") };
    let pod = to_bind(&other, Some(&serde_json::from_value(waiting.clone()).unwrap()));
    assert_eq!((pod.metadata.uid.as_deref(), pod.spec), (Some("uid-new"), None));
}

/// Any JSON, small.
fn any_json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        "[a-zA-Z0-9./]{0,8}".prop_map(Value::from),
    ];
    let key = prop_oneof![
        Just("Pod".to_owned()),
        Just("nodenames".to_owned()),
        Just("Nodes".to_owned()),
        Just("items".to_owned()),
        Just("NodeNameToMetaVictims".to_owned()),
        Just("NodeNameToVictims".to_owned()),
        Just("Pods".to_owned()),
        Just("UID".to_owned()),
        Just("metadata".to_owned()),
        Just("name".to_owned()),
        Just("spec".to_owned()),
        Just("containers".to_owned()),
        "[a-z]{0,5}",
    ];
    leaf.prop_recursive(5, 40, 5, move |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..5).prop_map(Value::from),
            prop::collection::btree_map(key.clone(), inner, 0..5)
                .prop_map(|fields| Value::Object(fields.into_iter().collect())),
        ]
    })
}

proptest! {
    #[test]
    fn no_question_panics(value in any_json(), bytes in prop::collection::vec(any::<u8>(), 0..64)) {
        for text in [value.to_string().into_bytes(), bytes] {
            drop((Args::read(&text), PreemptionArgs::read(&text), BindingArgs::read(&text)));
        }
    }

    #[test]
    fn only_nodes_that_were_asked_about_are_named(
        sizes in prop::collection::vec(50_i64..2_000, 1..8), names in prop::collection::vec("n[0-9]", 0..12), cpu in 1_u32..2_000,
    ) {
        let nodes: Vec<Value> = sizes.iter().enumerate().map(|(i, cpu)| node(&format!("n{i}"), *cpu)).collect();
        let (state, pod) = (cluster(&nodes, &[]), theirs("cart", &format!("{cpu}m")));
        let (answer, _) = filtered(&state, &pod, &json!(names), Mode::Enforce);
        let keys = |field: &str| answer[field].as_object().unwrap().keys().cloned().collect::<Vec<_>>();
        let passed: Vec<String> = serde_json::from_value(answer["NodeNames"].clone()).unwrap();
        let failed = [keys("FailedNodes"), keys("FailedAndUnresolvableNodes")].concat();
        prop_assert!(passed.iter().chain(&failed).all(|name| names.contains(name)));
        prop_assert!(names.iter().all(|name| passed.contains(name) != failed.contains(name)), "each is answered once");
        let scored = scores(&state, &pod, &json!(names), Mode::Enforce);
        prop_assert_eq!(scored.iter().map(|(name, _)| name).collect::<Vec<_>>(), names.iter().collect::<Vec<_>>());
        prop_assert!(scored.iter().all(|(_, score)| (0..=10).contains(score)));
    }
}
