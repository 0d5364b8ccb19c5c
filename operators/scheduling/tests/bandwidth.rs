//! Nodes whose network saturates, in a cluster that lives: measured by objects, avoided, and told about.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, missing_docs)]

mod support;

use std::collections::BTreeMap;
use std::sync::Arc;

use keelson_core::{Mode, Reason};
use keelson_sim::face::faults::Faults;
use keelson_sim::objects::{Resource, Write};
use keelson_sim::world::kinds::{DEPLOYMENTS, NODES, PODS};
use serde_json::{Value, json};
use support::{PLATFORMS, Process, Scene, seconds};

const INTERFACES: Resource = Resource { group: "keelson.dev", plural: "nodenetworks" };

fn merge(scene: &Scene, resource: Resource, name: &str, subresource: &'static str, patch: Value) {
    let (namespace, name) = (String::new(), name.to_owned());
    scene.write(Write::Merge { resource, namespace, name, subresource, patch });
}

/// What the interface of a node carries.
fn carries(scene: &Scene, node: &str, capacity: &str) {
    let spec = json!({"capacity": {"egress": capacity, "ingress": capacity}});
    scene.create(
        INTERFACES,
        json!({"apiVersion": "keelson.dev/v1alpha1", "kind": "NodeNetwork", "metadata": {"name": node}, "spec": spec}),
    );
}

/// A node is measured now, or so long ago.
fn measured(scene: &Scene, node: &str, egress: &str, seconds_ago: i64) {
    let now = scene.shared.with(|_, now| now);
    let at = keelson_core::Timestamp(now.0 - seconds_ago * 1_000_000);
    let measured = json!({"egress": egress, "ingress": "0", "at": at.to_string(), "windowSeconds": 10});
    merge(scene, INTERFACES, node, "status", json!({"status": {"measured": measured}}));
}

fn sends(scene: &Scene, name: &str, egress: &str) {
    let containers =
        json!([{"name": "c", "image": "web", "resources": {"requests": {"cpu": "10m", "memory": "64Mi"}}}]);
    let annotations = json!({"bandwidth.keelson.dev/egress-request": egress});
    let metadata = json!({"name": name, "namespace": "shop", "annotations": annotations});
    scene.create(PODS, json!({"metadata": metadata, "spec": {"schedulerName": "keelson", "containers": containers}}));
}

fn scene(seed: u64, mode: Mode) -> (Scene, Process) {
    let scene = Scene::new(seed, mode).nodes(2, 8);
    carries(&scene, "node-0", "10G");
    carries(&scene, "node-1", "10G");
    let process = scene.process("a", Faults::none(), false);
    (scene, process)
}

fn condition(scene: &Scene) -> Value {
    let platform = scene.list(PLATFORMS).remove(0);
    let conditions = platform["status"]["features"]["scheduling"]["conditions"].as_array().cloned().unwrap_or_default();
    conditions.into_iter().find(|known| known["type"] == "BandwidthUnmeasured").unwrap_or_default()
}

#[tokio::test(start_paused = true)]
async fn a_node_that_saturates_gets_no_new_pod_that_asks() {
    let (scene, process) = scene(1, Mode::Enforce);
    measured(&scene, "node-0", "1G", 0);
    measured(&scene, "node-1", "6G", 0);
    seconds(5).await;
    sends(&scene, "first", "1G");
    seconds(5).await;
    assert_eq!(scene.node_of("first").as_deref(), Some("node-0"), "it has more left");
    let scores = &process.last("first").candidates[0].scores;
    assert!(scores.iter().any(|score| score.name == "NodeBandwidth" && score.value > 0), "{scores:?}");
    // The next sample says that it is full: within that period nobody else comes.
    measured(&scene, "node-0", "9.2G", 0);
    measured(&scene, "node-1", "6G", 0);
    seconds(1).await;
    for number in 0..2 {
        sends(&scene, &format!("p{number}"), "1G");
    }
    sends(&scene, "large", "4G");
    seconds(5).await;
    for number in 0..2 {
        assert_eq!(scene.node_of(&format!("p{number}")).as_deref(), Some("node-1"));
    }
    assert_eq!(scene.node_of("large"), None);
    let last = process.last("large");
    assert_eq!(last.reason, Reason::Unschedulable);
    assert!(last.sentence.contains("2 Insufficient egress bandwidth"), "{}", last.sentence);
    measured(&scene, "node-0", "2G", 0);
    seconds(15).await;
    assert_eq!(scene.node_of("large").as_deref(), Some("node-0"), "it eased");
    scene.unbroken();
}

#[tokio::test(start_paused = true)]
async fn what_cannot_be_believed_leaves_the_reservations_and_is_told() {
    let (scene, _process) = scene(2, Mode::Enforce);
    measured(&scene, "node-0", "9.5G", 100);
    measured(&scene, "node-1", "500G", 0);
    seconds(5).await;
    let told = condition(&scene);
    assert_eq!((told["status"].as_str(), told["reason"].as_str()), (Some("True"), Some("MeasurementsLeftOut")));
    let message = told["message"].as_str().unwrap();
    assert!(message.contains("node-0: its last measurement is too old"), "{message}");
    assert!(message.contains("node-1: it is measured to carry 500 Gbit/s, which cannot be"), "{message}");
    for number in 0..5 {
        sends(&scene, &format!("p{number}"), "4G");
    }
    seconds(10).await;
    let placed = (0..5).filter(|number| scene.node_of(&format!("p{number}")).is_some()).count();
    assert_eq!(placed, 4, "two of 4 Gbit/s in each node of 9 usable");
    measured(&scene, "node-0", "8G", 0);
    measured(&scene, "node-1", "8G", 0);
    seconds(5).await;
    assert_eq!(condition(&scene)["status"], "False");
    seconds(30).await;
    assert_eq!(condition(&scene)["status"], "True", "nobody measured for 30 s");
}

#[tokio::test(start_paused = true)]
async fn a_node_says_itself_what_it_carries_and_a_bad_request_is_refused_by_name() {
    let scene = Scene::new(3, Mode::Enforce).nodes(1, 8);
    let annotations = json!({"bandwidth.keelson.dev/egress-capacity": "1G"});
    merge(&scene, NODES, "node-0", "", json!({"metadata": {"annotations": annotations}}));
    let process = scene.process("a", Faults::none(), false);
    seconds(5).await;
    sends(&scene, "fits", "800M");
    sends(&scene, "not", "200M");
    sends(&scene, "bad", "fast");
    seconds(5).await;
    assert!(scene.node_of("fits").is_some());
    assert_eq!(process.last("not").reason, Reason::Unschedulable);
    let bad = process.last("bad");
    assert_eq!(bad.reason, Reason::InvalidField);
    assert!(bad.sentence.contains("metadata.annotations[bandwidth.keelson.dev/egress-request]"), "{}", bad.sentence);
}

#[tokio::test(start_paused = true)]
async fn the_ledger_of_every_interface_is_told_fullest_first() {
    let (scene, process) = scene(4, Mode::Enforce);
    measured(&scene, "node-1", "8G", 0);
    seconds(5).await;
    sends(&scene, "p", "1G");
    seconds(5).await;
    let told = process.answers.ask("scheduling.bandwidth", json!({})).await.unwrap();
    assert_eq!((&told["known"], &told["nodes"], &told["saturated"]), (&json!(2), &json!(2), &json!(0)));
    let first = &told["interfaces"][0];
    assert_eq!((first["name"].as_str(), first["egress"]["measured"].as_i64()), (Some("node-1"), Some(8_000_000_000)));
    let second = &told["interfaces"][1];
    assert_eq!(second["egress"]["reserved"], 1_000_000_000);
    assert_eq!(second["unmeasured"], "it is not measured");
}

/// Makes the Deployment `web`, whose pods say nothing of the network, or scales it.
fn web(scene: &Scene, replicas: u32) {
    let (namespace, name) = ("shop".to_owned(), "web".to_owned());
    if scene.list(DEPLOYMENTS).is_empty() {
        let requests = json!({"cpu": "10m", "memory": "64Mi"});
        let containers = json!([{"name": "c", "image": "web", "resources": {"requests": requests}}]);
        let template = json!({"metadata": {"labels": {"app": "web"}},
            "spec": {"schedulerName": "keelson", "containers": containers}});
        let spec = json!({"replicas": replicas, "selector": {"matchLabels": {"app": "web"}}, "template": template});
        let metadata = json!({"name": name, "namespace": namespace});
        scene.create(
            DEPLOYMENTS,
            json!({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": metadata, "spec": spec}),
        );
    } else {
        let patch = json!({"spec": {"replicas": replicas}});
        scene.write(Write::Merge { resource: DEPLOYMENTS, namespace, name, subresource: "", patch });
    }
}

/// The pods of `web` on each of the two nodes, and the names of those that wait.
fn web_on(scene: &Scene) -> ([usize; 2], Vec<String>) {
    let pods = scene.list(PODS).into_iter().filter(|pod| pod["metadata"]["labels"]["app"] == "web");
    let (on, waiting): (Vec<_>, Vec<_>) = pods.partition(|pod| pod["spec"]["nodeName"].is_string());
    let count = |node: &str| on.iter().filter(|pod| pod["spec"]["nodeName"] == node).count();
    let name = |pod: &Arc<Value>| pod["metadata"]["name"].as_str().unwrap().to_owned();
    (["node-0", "node-1"].map(count), waiting.iter().map(name).collect())
}

/// What pods of `web` were seen to send on a node.
fn web_sent(scene: &Scene, node: &str, egress: &str, windows: u32) {
    let used = json!({"namespace": "shop", "kind": "Deployment", "name": "web", "egress": egress, "ingress": "0",
        "windows": windows});
    merge(scene, INTERFACES, node, "status", json!({"status": {"workloads": [used]}}));
}

#[tokio::test(start_paused = true)]
async fn who_says_nothing_asks_for_what_its_workload_was_seen_to_use() {
    let (scene, process) = scene(5, Mode::Enforce);
    let placed =
        || process.history.decisions().into_iter().rev().find(|it| it.reason == Reason::PodPlaced).unwrap().inputs;
    let learned = |inputs: &BTreeMap<String, String>| inputs.get("learned bandwidth.keelson.dev/egress").cloned();
    web_sent(&scene, "node-0", "3.96G", 29);
    seconds(5).await;
    web(&scene, 1);
    seconds(5).await;
    assert_eq!((web_on(&scene).1.len(), learned(&placed())), (0, None), "29 windows are too few");
    web_sent(&scene, "node-0", "3.96G", 30);
    seconds(5).await;
    web(&scene, 4);
    seconds(5).await;
    assert_eq!(web_on(&scene), ([2, 2], vec![]), "two of 4 Gbit/s in each node of 9 usable");
    assert_eq!(learned(&placed()).as_deref(), Some("4G"));
    sends(&scene, "own", "500M");
    web(&scene, 5);
    seconds(5).await;
    assert!(scene.node_of("own").is_some(), "what a pod says itself counts");
    let (on, waiting) = web_on(&scene);
    let last = process.last(&waiting[0]);
    assert_eq!((on, last.reason), ([2, 2], Reason::Unschedulable));
    let told =
        "It asks for what its workload was seen to use; the annotation bandwidth.keelson.dev/egress-request counts";
    assert!(last.sentence.contains(told), "{}", last.sentence);
    web_sent(&scene, "node-0", "2G", 360);
    seconds(15).await;
    assert_eq!(web_on(&scene).1.len(), 0, "all of them ask for less now");
    scene.unbroken();
}

#[tokio::test(start_paused = true)]
async fn nothing_is_learned_where_it_is_not_wanted() {
    let (scene, process) = scene(6, Mode::Enforce);
    web_sent(&scene, "node-0", "8G", 360);
    scene.set(json!({"mode": "Enforce", "settings": {"learnBandwidth": false}}));
    seconds(5).await;
    web(&scene, 3);
    seconds(5).await;
    assert_eq!(web_on(&scene).1.len(), 0);
    scene.set(json!({"mode": "Enforce", "settings": {"learnBandwidth": true}}));
    seconds(5).await;
    web(&scene, 4);
    seconds(5).await;
    let waiting = web_on(&scene).1;
    assert_eq!(process.last(&waiting[0]).reason, Reason::Unschedulable, "and all count as soon as it is");
    scene.unbroken();
}
