//! Laws of the state: order does not matter, assumptions fall when and only when they should.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use std::collections::BTreeMap;

use keelson_core::ResourceName;
use keelson_core::selector::LabelSelector;
use keelson_placement::{Classes, Pod, PodTerm, Snapshot, SpreadConstraint, choose};
use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;
use crate::read;

fn node_json(name: &str, cpu: i64) -> Value {
    let labels = json!({"zone": if cpu > 1_000 { "big" } else { "small" }, "kubernetes.io/hostname": name});
    json!({"metadata": {"name": name, "labels": labels}, "status": {"allocatable": {"cpu": format!("{cpu}m"), "pods": "10"}}})
}

fn pod_json(name: &str, uid: &str, node: Option<&str>, cpu: i64) -> Value {
    json!({
        "metadata": {"name": name, "namespace": "a", "uid": uid, "labels": {"app": name}},
        "spec": {"nodeName": node, "containers": [{"name": "c", "resources": {"requests": {"cpu": format!("{cpu}m")}}}]},
    })
}

fn node(value: Value) -> Event {
    Event::node(&serde_json::from_value(value).unwrap())
}

fn pod(value: Value) -> Event {
    Event::pod(&serde_json::from_value(value).unwrap())
}

/// Everything a reader can see, in one comparable text.
fn seen(state: &State) -> String {
    let mut members: Vec<_> = state.live().members().cloned().collect();
    members.sort_by(|a, b| a.node.name.cmp(&b.node.name));
    let pods: BTreeMap<_, _> = state.pods.iter().collect();
    assert_eq!(state.slots() - state.empty_slots(), members.len());
    let mut nominated = state.live().nominated.as_ref().clone();
    // Turns tell who came when, which is different on another way to the same.
    nominated.values_mut().for_each(|nominated| nominated.turn = 0);
    format!("{members:?} {nominated:?} {pods:?}")
}

fn requested(state: &State, name: &str) -> i64 {
    state.live().member(name).unwrap().node.requested().get(&ResourceName::Cpu)
}

#[test]
fn an_assumed_pod_counts_until_the_watch_decides() {
    let mut state = State::default();
    for event in [node(node_json("n1", 1_000)), node(node_json("n2", 1_000)), pod(pod_json("p", "u", None, 300))] {
        state.apply(event);
    }
    let before = seen(&state);
    let assume = Event::Assumed { uid: "u".into(), node: "n1".into(), volumes: None };
    state.apply(assume.clone());
    assert_eq!((requested(&state, "n1"), state.is_assumed("u")), (300, true));
    // The watch is behind: it still says unbound.
    state.apply(pod(pod_json("p", "u", None, 300)));
    assert_eq!(requested(&state, "n1"), 300);
    // Forgetting gives back exactly what was.
    state.apply(Event::Forgotten { uid: "u".into() });
    assert_eq!(seen(&state), before);
    // The watch names another node: it is right.
    state.apply(assume.clone());
    state.apply(pod(pod_json("p", "u", Some("n2"), 300)));
    assert_eq!((requested(&state, "n1"), requested(&state, "n2"), state.is_assumed("u")), (0, 300, false));
    // What the watch said is neither forgotten nor assumed away.
    state.apply(Event::Forgotten { uid: "u".into() });
    state.apply(assume);
    assert_eq!((requested(&state, "n1"), requested(&state, "n2")), (0, 300));
}

#[test]
fn pods_may_come_before_their_node_and_a_recreated_pod_is_another() {
    let mut state = State::default();
    state.apply(pod(pod_json("p", "u1", Some("n1"), 300)));
    assert_eq!(state.live().members().count(), 0);
    state.apply(node(node_json("n1", 1_000)));
    assert_eq!(requested(&state, "n1"), 300);
    state.apply(pod(pod_json("p", "u2", Some("n1"), 200)));
    assert_eq!((requested(&state, "n1"), state.pod_count()), (200, 1));
    let mut ended = pod_json("p", "u2", Some("n1"), 200);
    ended["status"] = json!({"phase": "Succeeded"});
    state.apply(pod(ended));
    assert_eq!((requested(&state, "n1"), state.pod_count()), (0, 0));
}

#[test]
fn a_nomination_takes_its_room_from_pods_of_no_higher_priority() {
    let mut state = State::default();
    state.apply(node(node_json("n1", 1_000)));
    let mut nominated = pod_json("big", "big", None, 800);
    nominated["spec"]["priority"] = json!(5);
    nominated["status"] = json!({"nominatedNodeName": "n1"});
    state.apply(pod(nominated.clone()));
    let free = |state: &State, uid: &str, priority| {
        let pod = keelson_placement::Pod::new("a", "x").uid(uid).priority(priority);
        let snapshot = state.live().snapshot_for(&pod);
        let reserved = snapshot.reserved.get(&0).into_iter().flatten();
        let taken: i64 = reserved.map(|pod| pod.claim.requests.get(&ResourceName::Cpu)).sum();
        snapshot.node(0).unwrap().free(&ResourceName::Cpu) - taken
    };
    assert_eq!((free(&state, "x", 0), free(&state, "x", 5), free(&state, "x", 6)), (200, 200, 1_000));
    assert_eq!(free(&state, "big", 5), 1_000, "a pod is not in its own way");
    nominated["spec"]["nodeName"] = json!("n1");
    state.apply(pod(nominated));
    assert_eq!(free(&state, "x", 6), 200);
    assert!(!state.live().has_nominations(0));
}

// Found by simulated days: a pod that room was made for waited for good, for others of its priority wanted more made there.
#[test]
fn who_is_nominated_later_does_not_take_the_room_of_who_was_before() {
    let mut state = State::default();
    state.apply(node(node_json("n1", 1_000)));
    let nominated = |name: &str, priority: i32, node: &str| {
        let mut value = pod_json(name, name, None, 800);
        value["spec"]["priority"] = json!(priority);
        value["status"] = json!({"nominatedNodeName": node});
        value
    };
    let before = |state: &State, uid: &str, priority| {
        let pod = keelson_placement::Pod::new("a", uid).uid(uid).priority(priority);
        let reserved = state.live().snapshot_for(&pod).reserved;
        reserved.into_values().flatten().map(|pod| pod.uid.to_string()).collect::<Vec<_>>()
    };
    ["first", "later"].into_iter().for_each(|name| state.apply(pod(nominated(name, 5, "n1"))));
    state.apply(pod(nominated("first", 5, "n1")));
    assert_eq!((before(&state, "first", 5), before(&state, "later", 5)), (vec![], vec!["first".to_owned()]));
    assert_eq!(before(&state, "new", 5), ["first", "later"], "whom no room was made for goes after both");
    state.apply(pod(nominated("urgent", 6, "n1")));
    assert_eq!(before(&state, "first", 5), ["urgent"]);
    state.apply(Event::Nominated { uid: "first".to_owned(), node: None });
    state.apply(pod(nominated("first", 5, "n1")));
    assert_eq!(before(&state, "later", 5), ["urgent"], "whoever gave its room up comes last");
}

#[test]
fn a_view_does_not_move_and_changes_are_listed() {
    let mut state = State::default();
    state.apply(node(node_json("n1", 1_000)));
    let (view, before) = (state.view(), state.log().written());
    state.apply(pod(pod_json("p", "u", Some("n1"), 300)));
    assert_eq!(view.member("n1").unwrap().node.pod_count(), 0);
    let since: Vec<_> = state.log().since(before).unwrap().cloned().collect();
    assert!(matches!(since.as_slice(), [LogChange::Came(0, claim)] if claim.labels["app"] == "p"), "{since:?}");
    let before = state.log().written();
    state.apply(node(node_json("n1", 1_000)));
    assert_eq!(state.log().written(), before, "a node that only says that it is alive changes nothing");
    for cpu in 0..3_000 {
        state.apply(node(node_json("n1", cpu)));
    }
    assert!(state.log().since(before).is_none(), "too long ago to tell");
    assert_eq!(state.log().since(state.log().written()).unwrap().count(), 0);
}

#[test]
fn what_could_not_be_read_shows_in_the_cell() {
    let mut state = State::default();
    let mut wrong = node_json("n1", 1_000);
    wrong["status"]["allocatable"]["memory"] = json!("much");
    state.apply(node(wrong));
    let mut wrong = pod_json("p", "u", Some("n1"), 250);
    wrong["spec"]["containers"][0]["resources"]["requests"]["memory"] = json!("some");
    state.apply(pod(wrong));
    let cell = state.live().cells().remove(0);
    assert_eq!(cell.problems.len(), 2, "{:?}", cell.problems);
    let tightest = cell.tightest.unwrap();
    assert_eq!((tightest.resource, tightest.permille), (ResourceName::Cpu, 250));
}

/// One step of a history: which object, and what becomes of it.
#[derive(Debug, Clone)]
enum Step {
    Node(u8, i64),
    NoNode(u8),
    Pod {
        name: u8,
        life: u8,
        node: Option<u8>,
        cpu: i64,
        nominated: bool,
        repels: bool,
        ended: bool,
    },
    NoPod(u8),
    /// What the pods of each of two workloads were seen to send.
    Learned([i64; 2]),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let pod = (0..5_u8, 0..2_u8, prop::option::of(0..4_u8), 0..3_i64, any::<bool>(), any::<bool>(), 0..8_u8).prop_map(
        |(name, life, node, cpu, nominated, repels, ended)| Step::Pod {
            name,
            life,
            node,
            cpu: cpu * 100,
            nominated,
            repels,
            ended: ended == 0,
        },
    );
    let step = prop_oneof![
        2 => (0..4_u8, 1..3_i64).prop_map(|(name, cpu)| Step::Node(name, cpu * 1_000)),
        1 => (0..4_u8).prop_map(Step::NoNode),
        5 => pod,
        1 => (0..5_u8).prop_map(Step::NoPod),
        1 => prop::array::uniform2(0..3_i64).prop_map(Step::Learned),
    ];
    prop::collection::vec(step, 0..40)
}

/// The events of a step, and the objects that are left after it.
fn carry(step: &Step, nodes: &mut BTreeMap<u8, Value>, pods: &mut BTreeMap<u8, Value>) -> Event {
    match step {
        Step::Node(name, cpu) => {
            let value = node_json(&format!("n{name}"), *cpu);
            nodes.insert(*name, value.clone());
            node(value)
        }
        Step::NoNode(name) => {
            nodes.remove(name);
            Event::NodeDeleted { name: format!("n{name}") }
        }
        Step::Pod { name, life, node, cpu, nominated, repels, ended } => {
            let on = node.map(|node| format!("n{node}"));
            let mut value = pod_json(&format!("p{name}"), &format!("u{name}-{life}"), on.as_deref(), *cpu);
            value["status"] = json!({"phase": if *ended { "Failed" } else { "Running" }});
            if *nominated {
                value["status"]["nominatedNodeName"] = json!("n0");
            }
            if *repels {
                let terms =
                    json!([{"topologyKey": "zone", "labelSelector": {"matchLabels": {"app": format!("p{name}")}}}]);
                value["spec"]["affinity"] =
                    json!({"podAntiAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": terms}});
            }
            let workload = format!("w{}", name % 2);
            value["metadata"]["ownerReferences"] = json!([{"apiVersion": "apps/v1", "kind": "StatefulSet", "name": workload,
                "uid": workload, "controller": true}]);
            if *life == 1 {
                value["metadata"]["annotations"] = json!({"bandwidth.keelson.dev/egress-request": "2M"});
            }
            pods.insert(*name, value.clone());
            pod(value)
        }
        Step::Learned(sent) => {
            let workload =
                |number| Workload { namespace: "a".into(), kind: "StatefulSet".into(), name: format!("w{number}") };
            let sent = sent.iter().map(|sent| Rates { egress: sent * 1_000_000, ingress: 0 });
            Event::UsageLearned((0..).map(workload).zip(sent).collect())
        }
        Step::NoPod(name) => {
            let uid = pods.remove(name).map_or_else(String::new, |pod| pod["metadata"]["uid"].as_str().unwrap().into());
            Event::PodDeleted { uid }
        }
    }
}

/// Pods that ask about others, as they would be read.
fn askers() -> Vec<Pod> {
    let others = |app: &str, key: &str| PodTerm::label("a", "app", app, key);
    let selector = LabelSelector { match_labels: [("app".into(), "p1".into())].into(), ..LabelSelector::default() };
    let asker = |name: &str| Pod::new("a", name).label("app", "p1");
    vec![
        asker("plain"),
        asker("with").with(others("p2", "zone")),
        asker("apart").apart_from(others("p1", "kubernetes.io/hostname")),
        asker("even").spreading(SpreadConstraint::new("zone", 1, true, Some(selector.clone()))),
        asker("rather").rather(3, others("p3", "zone")).spreading(SpreadConstraint::new(
            "zone",
            1,
            false,
            Some(selector),
        )),
    ]
}

proptest! {
    #[test]
    fn whoever_follows_the_log_knows_what_is_there(steps in steps(), asked in prop::collection::vec(0..5_usize, 40)) {
        let (mut nodes, mut pods) = (BTreeMap::new(), BTreeMap::new());
        let (mut state, mut classes) = (State::default(), Classes::default());
        for (step, asked) in steps.iter().zip(asked) {
            state.apply(carry(step, &mut nodes, &mut pods));
            let pod = &askers()[asked];
            let known = classes.choose(pod, &state, 1);
            let all: Vec<&Node> = state.live().members().map(|member| &member.node).collect();
            let anew = choose(pod, &Snapshot::of(&all), 1);
            prop_assert_eq!(known.choice.node.and_then(|slot| state.node(slot)), anew.node.map(|index| all[index]));
            prop_assert_eq!((known.choice.feasible, known.choice.total), (anew.feasible, anew.total));
        }
    }

    #[test]
    fn any_history_ends_where_its_last_objects_do(steps in steps(), repeats in prop::collection::vec(any::<bool>(), 40)) {
        let (mut nodes, mut pods) = (BTreeMap::new(), BTreeMap::new());
        let mut state = State::default();
        for (step, again) in steps.iter().zip(repeats) {
            let event = carry(step, &mut nodes, &mut pods);
            if again {
                state.apply(event.clone());
            }
            state.apply(event);
        }
        let mut fresh = State::default();
        for value in pods.values() {
            fresh.apply(pod(value.clone()));
        }
        for value in nodes.values() {
            fresh.apply(node(value.clone()));
        }
        let learned = steps.iter().rev().find(|step| matches!(step, Step::Learned(_)));
        learned.into_iter().for_each(|step| fresh.apply(carry(step, &mut nodes, &mut pods)));
        prop_assert_eq!(seen(&state), seen(&fresh));
        let gone = state.uids().map(|uid| Event::PodDeleted { uid: uid.to_owned() }).collect::<Vec<_>>();
        gone.into_iter().for_each(|event| state.apply(event));
        nodes.keys().for_each(|name| state.apply(Event::NodeDeleted { name: format!("n{name}") }));
        prop_assert_eq!(seen(&state), seen(&State::default()));
    }

    #[test]
    fn assuming_and_forgetting_leaves_no_trace(steps in steps(), uid in 0..5_u8, life in 0..2_u8, on in 0..6_u8) {
        let (mut nodes, mut pods) = (BTreeMap::new(), BTreeMap::new());
        let mut state = State::default();
        for step in &steps {
            state.apply(carry(step, &mut nodes, &mut pods));
        }
        let before = seen(&state);
        let uid = format!("u{uid}-{life}");
        state.apply(Event::Assumed { uid: uid.clone(), node: format!("n{on}"), volumes: None });
        state.apply(Event::Forgotten { uid });
        prop_assert_eq!(seen(&state), before);
    }
}

#[test]
fn what_is_decided_about_claims_stands_and_falls_with_the_assumption() {
    let typed = |value: Value| serde_json::from_value(value).unwrap();
    let claim = |name: &str| {
        let spec = json!({"storageClassName": "local", "resources": {"requests": {"storage": "1Gi"}}});
        let read = read::volumes::claim(
            &serde_json::from_value(json!({"metadata": {"name": name, "namespace": "a", "uid": name}, "spec": spec}))
                .unwrap(),
        );
        Event::VolumesApplied(Box::new(read))
    };
    let mounting = |name: &str, claim: &str| {
        let mut pod = pod_json(name, name, None, 100);
        pod["spec"]["volumes"] = json!([{"name": "v", "persistentVolumeClaim": {"claimName": claim}}]);
        pod
    };
    let class = read::volumes::class(
        &serde_json::from_value(json!({"metadata": {"name": "local"},
        "provisioner": "kubernetes.io/no-provisioner", "volumeBindingMode": "WaitForFirstConsumer"}))
        .unwrap(),
    );
    let volume = read::volumes::volume(
        &serde_json::from_value(json!({"metadata": {"name": "pv"},
        "spec": {"storageClassName": "local", "capacity": {"storage": "5Gi"}}, "status": {"phase": "Available"}}))
        .unwrap(),
    );
    let mut state = State::default();
    for event in [
        node(node_json("n1", 1_000)),
        claim("one"),
        claim("two"),
        Event::VolumesApplied(Box::new(class)),
        Event::VolumesApplied(Box::new(volume)),
        pod(mounting("first", "one")),
        pod(mounting("second", "two")),
    ] {
        state.apply(event);
    }
    let planned = |state: &State, name: &str, claim: &str| {
        let read = read::pod(&typed(mounting(name, claim)));
        let snapshot = state.live().snapshot_for(&read.pod);
        keelson_placement::Cycle::new(&read.pod, &snapshot).volume_plan(snapshot.node(0).unwrap())
    };
    let before = state.view();
    let plan = planned(&state, "first", "one").unwrap();
    assert_eq!(plan.bindings.get("a/one").map(String::as_str), Some("pv"));
    let assume = Event::Assumed { uid: "first".into(), node: "n1".into(), volumes: Some(Box::new(plan)) };
    state.apply(assume.clone());
    assert_eq!(planned(&state, "second", "two"), None, "the one volume is spoken for");
    // The watch is behind: it still says unbound.
    state.apply(pod(mounting("first", "one")));
    assert_eq!(planned(&state, "second", "two"), None);
    state.apply(Event::Forgotten { uid: "first".into() });
    assert!(planned(&state, "second", "two").is_some());
    assert_eq!(state.live().volumes(), before.volumes(), "nothing is left of it");
    // The pod is bound, or gone: then the objects say what became of its claims.
    for last in [pod(mounting("first", "one")), Event::PodDeleted { uid: "first".into() }] {
        state.apply(assume.clone());
        let mut last = last;
        if let Event::PodApplied(read) = &mut last {
            read.bound_to = Some("n1".into());
        }
        state.apply(last);
        assert_eq!(state.live().volumes(), before.volumes());
        state.apply(pod(mounting("first", "one")));
    }
}

#[test]
fn what_cannot_be_read_of_a_volume_is_known_until_it_is_mended() {
    let volume = |capacity: &str| {
        let spec = json!({"capacity": {"storage": capacity}});
        let read =
            read::volumes::volume(&serde_json::from_value(json!({"metadata": {"name": "pv"}, "spec": spec})).unwrap());
        Event::VolumesApplied(Box::new(read))
    };
    let mut state = State::default();
    state.apply(volume("lots"));
    assert_eq!(state.live().volume_problems().len(), 1);
    state.apply(volume("1Gi"));
    assert!(state.live().volume_problems().is_empty());
}
