//! Claims get their volumes before their pod is bound.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use keelson_cluster::read::volumes;
use keelson_core::{ActionKind, Mode, Reason};
use serde_json::{Value, json};

use super::super::tests::{at, bound, mind, moment, reason, written};
use super::*;
use crate::decide::tests::{node, pod};
use crate::mind::Job;

pub(in crate::mind) fn mounting(name: &str, cpu: &str, claim: &str) -> Value {
    let mut pod = pod(name, cpu);
    pod["spec"]["volumes"] = json!([{"name": "d", "persistentVolumeClaim": {"claimName": claim}}]);
    pod
}

pub(in crate::mind) fn claim(name: &str, class: &str, version: u32, more: Value) -> ReadVolumes {
    let namespace = pod("p", "1m")["metadata"]["namespace"].clone();
    let mut claim = json!({
        "metadata": {"name": name, "namespace": namespace, "uid": name, "resourceVersion": version.to_string()},
        "spec": {"storageClassName": class, "resources": {"requests": {"storage": "1Gi"}}},
    });
    for (key, value) in more.as_object().unwrap() {
        claim
            .as_object_mut()
            .unwrap()
            .entry(key)
            .or_insert(json!({}))
            .as_object_mut()
            .unwrap()
            .extend(value.as_object().unwrap().clone());
    }
    volumes::claim(&serde_json::from_value(claim).unwrap())
}

pub(in crate::mind) fn selected(node: &str) -> Value {
    json!({"metadata": {"annotations": {"volume.kubernetes.io/selected-node": node}}})
}

pub(in crate::mind) fn done(node: &str) -> Value {
    let annotations = json!({"volume.kubernetes.io/selected-node": node, "pv.kubernetes.io/bind-completed": "yes"});
    json!({"metadata": {"annotations": annotations}, "spec": {"volumeName": "pv"}})
}

pub(in crate::mind) fn class(name: &str, provisioner: &str) -> ReadVolumes {
    let written = json!({"metadata": {"name": name}, "provisioner": provisioner,
        "volumeBindingMode": "WaitForFirstConsumer"});
    volumes::class(&serde_json::from_value(written).unwrap())
}

pub(in crate::mind) fn volume(name: &str, class: &str) -> ReadVolumes {
    let spec = json!({"storageClassName": class, "capacity": {"storage": "5Gi"}});
    let written =
        json!({"metadata": {"name": name, "resourceVersion": "7"}, "spec": spec, "status": {"phase": "Available"}});
    volumes::volume(&serde_json::from_value(written).unwrap())
}

/// What a job writes, as kind, name and patch.
fn patches(job: &Job) -> Vec<(String, String, Value)> {
    let actions = job.plan.actions.iter().filter_map(|action| match &action.kind {
        ActionKind::Patch(patch) => Some((action.object.kind.clone(), action.object.name.clone(), patch.clone())),
        _ => None,
    });
    actions.collect()
}

fn late(nodes: &[Value], pods: &[Value]) -> Mind {
    let mut mind = mind(Mode::Enforce, nodes, pods);
    mind.storage(class("late", "csi.example.com"), at(0));
    mind.storage(claim("data", "late", 1, json!({})), at(0));
    mind
}

/// Each kind is watched by itself: the binding may be heard first.
#[test]
fn a_comparison_waits_for_the_volume_that_the_pod_got_and_not_for_ever() {
    let foreign = |name: &str| {
        let mut pod = mounting(name, "500m", "data");
        pod["spec"]["schedulerName"] = json!("default-scheduler");
        pod
    };
    let mut mind = mind(Mode::Observe, &[node("n1", 8_000)], &[foreign("a"), foreign("b")]);
    mind.storage(class("late", "csi.example.com"), at(0));
    mind.storage(claim("data", "late", 2, done("n1")), at(0));
    mind.pod(&written(&bound(foreign("a"), "n1")), at(10));
    assert!(!mind.is_due(at(10)) && mind.next_comparison(moment(10)).is_none());
    assert_eq!(mind.due(), Some(at(11)), "it is made then, whatever is heard");
    mind.storage(volume("pv", "late"), at(10));
    assert!(mind.is_due(at(10)));
    let job = mind.next_comparison(moment(10)).unwrap();
    assert_eq!(reason(&job), Reason::SameChoice, "{:?}", job.plan.decisions);
    mind.storage_gone(VolumeKind::Volume, "pv".to_owned(), at(20));
    mind.pod(&written(&bound(foreign("b"), "n1")), at(20));
    assert!(mind.next_comparison(moment(20)).is_none());
    assert!(mind.is_due(at(21)) && mind.next_comparison(moment(21)).is_some());
}

#[test]
fn a_claim_names_the_node_first_and_the_pod_is_bound_once_the_claim_is() {
    let mut mind = late(&[node("n1", 1_000)], &[mounting("db", "500m", "data")]);
    let job = mind.next(moment(1)).unwrap();
    assert!(job.binds() && reason(&job) == Reason::VolumesFirst, "{job:?}");
    let patch = json!([
        {"op": "test", "path": "/metadata/resourceVersion", "value": "1"},
        {"op": "add", "path": "/metadata/annotations", "value": {"volume.kubernetes.io/selected-node": "n1"}},
    ]);
    assert_eq!(patches(&job), [("PersistentVolumeClaim".to_owned(), "data".to_owned(), patch)]);
    assert_eq!(job.plan.actions.len(), 1, "nothing is bound yet");
    mind.ended(&job.uid, true, at(1));
    // Our own write comes back, and there is nothing more to write.
    mind.storage(claim("data", "late", 2, selected("n1")), at(2));
    let waits = mind.next(moment(4)).unwrap();
    assert!(!waits.binds() && waits.plan.actions.is_empty() && reason(&waits) == Reason::VolumesFirst, "{waits:?}");
    mind.storage(volume("pv", "late"), at(5));
    mind.storage(claim("data", "late", 3, done("n1")), at(5));
    let binds = std::iter::from_fn(|| mind.next(moment(20))).find(|job| job.binds()).unwrap();
    assert_eq!(binds.plan.actions[0].kind, ActionKind::Bind { node: "n1".into() });
    mind.ended(&binds.uid, true, at(20));
    assert_eq!(mind.next(moment(400)), None, "it is not bound twice");
}

#[test]
fn a_pod_goes_to_the_node_that_its_claims_got_their_volumes_for() {
    let nodes: Vec<Value> = (0..8).map(|number| node(&format!("n{number}"), 1_000)).collect();
    for seconds in 1..20 {
        let mut mind = late(&nodes, &[mounting("db", "500m", "data")]);
        let job = mind.next(moment(1)).unwrap();
        let chosen = job.plan.decisions[0].chosen.clone().unwrap();
        mind.ended(&job.uid, true, at(1));
        // The volume can be reached from everywhere, and another moment draws other lots.
        mind.storage(volume("pv", "late"), at(2));
        mind.storage(claim("data", "late", 3, done(&chosen)), at(2));
        let binds = std::iter::from_fn(|| mind.next(moment(10 + seconds))).find(|job| job.binds()).unwrap();
        assert_eq!(binds.plan.actions[0].kind, ActionKind::Bind { node: chosen });
    }
}

#[test]
fn a_volume_at_hand_is_kept_for_its_claim() {
    let mut mind = mind(Mode::Enforce, &[node("n1", 1_000)], &[mounting("db", "500m", "data")]);
    mind.storage(class("local", "kubernetes.io/no-provisioner"), at(0));
    mind.storage(claim("data", "local", 4, json!({})), at(0));
    let job = mind.next(moment(1)).unwrap();
    assert_eq!(reason(&job), Reason::Unschedulable, "there is no volume");
    mind.storage(volume("pv", "local"), at(2));
    let job = mind.next(moment(4)).unwrap();
    assert!(job.binds(), "{job:?}");
    let (kind, name, patch) = patches(&job).remove(0);
    assert_eq!((kind.as_str(), name.as_str()), ("PersistentVolume", "pv"));
    assert_eq!(patch[0]["value"], "7");
    assert_eq!((&patch[1]["path"], &patch[1]["value"]["uid"]), (&json!("/spec/claimRef"), &json!("data")));
    assert_eq!(patch[2]["value"], json!({"pv.kubernetes.io/bound-by-controller": "yes"}));
}

#[test]
fn one_volume_is_not_decided_for_two_claims() {
    let pods = [mounting("a", "100m", "one"), mounting("b", "100m", "two")];
    let mut mind = mind(Mode::Enforce, &[node("n1", 1_000)], &pods);
    mind.storage(class("local", "kubernetes.io/no-provisioner"), at(0));
    ["one", "two"].iter().for_each(|name| mind.storage(claim(name, "local", 1, json!({})), at(0)));
    mind.storage(volume("pv", "local"), at(0));
    let jobs: Vec<Job> = std::iter::from_fn(|| mind.next(moment(1))).collect();
    let reasons: Vec<Reason> = jobs.iter().map(reason).collect();
    assert_eq!(reasons, [Reason::VolumesFirst, Reason::Unschedulable]);
    // What was decided falls with the write, and the other is tried at once.
    mind.ended(&jobs[0].uid, false, at(1));
    let next = mind.next(moment(3)).unwrap();
    assert_eq!((next.uid == jobs[1].uid, reason(&next)), (true, Reason::VolumesFirst));
}

#[test]
fn the_room_is_kept_while_the_claims_get_their_volumes() {
    let mut mind = late(&[node("n1", 1_000)], &[mounting("db", "800m", "data")]);
    let job = mind.next(moment(1)).unwrap();
    mind.ended(&job.uid, true, at(1));
    mind.pod(&written(&pod("other", "500m")), at(2));
    assert_eq!(reason(&mind.next(moment(2)).unwrap()), Reason::Unschedulable);
    // The pod is gone: so is its plan.
    mind.pod_gone(&written(&mounting("db", "800m", "data")), at(3));
    assert!(std::iter::from_fn(|| mind.next(moment(20))).any(|job| job.binds()));
}

#[test]
fn a_node_for_which_no_volume_can_be_made_is_given_up_when_the_provisioner_says_so() {
    let mut mind = late(&[node("n1", 1_000)], &[mounting("db", "500m", "data")]);
    let job = mind.next(moment(1)).unwrap();
    mind.ended(&job.uid, true, at(1));
    mind.storage(claim("data", "late", 2, selected("n1")), at(2));
    while mind.next(moment(4)).is_some() {}
    // It takes the node's name away again; meanwhile the node was cordoned, and there is another.
    let mut cordoned = node("n1", 1_000);
    cordoned["spec"] = json!({"unschedulable": true});
    mind.node(&serde_json::from_value(cordoned).unwrap(), at(5));
    mind.node(&serde_json::from_value(node("n2", 1_000)).unwrap(), at(5));
    mind.storage(claim("data", "late", 3, json!({"metadata": {"annotations": {}}})), at(5));
    let again = std::iter::from_fn(|| mind.next(moment(30))).find(|job| job.binds()).unwrap();
    let patch = patches(&again).remove(0).2;
    assert_eq!((&patch[0]["value"], &patch[1]["value"]), (&json!("3"), &json!("n2")));
}

#[test]
fn a_restart_finds_everything_in_the_objects() {
    let nodes = [node("n1", 1_000), node("n2", 4_000)];
    let mut mind = mind(Mode::Enforce, &nodes, &[mounting("db", "500m", "data")]);
    mind.storage_listed(VolumeKind::Class, vec![class("late", "csi.example.com")], at(0));
    mind.storage_listed(VolumeKind::Claim, vec![claim("data", "late", 2, selected("n1"))], at(0));
    let job = mind.next(moment(1)).unwrap();
    assert!(!job.binds() && job.plan.decisions[0].chosen.as_deref() == Some("n1"), "{job:?}");
    mind.storage_listed(VolumeKind::Claim, Vec::new(), at(2));
    assert_eq!(mind.view().volumes().keys(VolumeKind::Claim), Vec::<String>::new());
    let gone = std::iter::from_fn(|| mind.next(moment(20))).last().unwrap();
    assert_eq!(reason(&gone), Reason::Unschedulable);
    assert!(gone.plan.decisions[0].sentence.contains("not found"), "{:?}", gone.plan.decisions[0].sentence);
}

#[test]
fn what_a_decision_saw_of_volumes_is_kept() {
    let mut mind = late(&[node("n1", 1_000)], &[mounting("db", "500m", "data")]);
    let job = mind.next(moment(1)).unwrap();
    let again = crate::recording::replay(job.recording.as_ref().unwrap(), None).unwrap();
    assert_eq!(serde_json::to_string(&again).unwrap(), serde_json::to_string(&job.plan).unwrap());
}

#[test]
fn observing_writes_nothing_and_says_where_it_would_go() {
    let mut mind = mind(Mode::Observe, &[node("n1", 1_000)], &[mounting("db", "500m", "data")]);
    mind.storage(class("late", "csi.example.com"), at(0));
    mind.storage(claim("data", "late", 1, json!({})), at(0));
    let job = mind.next(moment(1)).unwrap();
    assert!(!job.binds() && job.plan.actions.is_empty());
    assert_eq!((reason(&job), job.plan.decisions[0].chosen.as_deref()), (Reason::SchedulerNotEnforcing, Some("n1")));
}

#[test]
fn a_pod_that_was_bound_meanwhile_is_left_alone() {
    let mut mind = late(&[node("n1", 1_000)], &[mounting("db", "500m", "data")]);
    let job = mind.next(moment(1)).unwrap();
    mind.pod(&written(&bound(mounting("db", "500m", "data"), "n1")), at(2));
    mind.ended(&job.uid, true, at(2));
    assert_eq!(mind.next(moment(400)), None);
}
