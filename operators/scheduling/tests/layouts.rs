//! Layouts in a cluster that lives, on virtual time: they change while pods wait, and a scheduler is replaced.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, missing_docs)]

mod support;

use keelson_core::{Mode, Reason, Verb};
use keelson_sim::face::faults::Faults;
use keelson_sim::objects::{Resource, Write};
use keelson_sim::world::kinds::NODES;
use serde_json::{Value, json};
use support::{PLATFORMS, Scene, seconds};

const LEASES: Resource = Resource { group: "coordination.k8s.io", plural: "leases" };
const NAMESPACES: Resource = Resource { group: "", plural: "namespaces" };

fn layout(scene: &Scene, settings: Value) {
    scene.set(json!({"settings": settings}));
}

fn label(scene: &Scene, node: &str, more: Value) {
    let mut patch = json!({"metadata": {"labels": {"keelson.dev/pool": "scheduling"}}});
    for (key, value) in more.as_object().unwrap() {
        patch[key] = value.clone();
    }
    let (namespace, name) = (String::new(), node.to_owned());
    scene.write(Write::Merge { resource: NODES, namespace, name, subresource: "", patch });
}

/// Status, reason and message of the condition that says whether nodes are divided as they should be.
fn said(scene: &Scene) -> (String, String, String) {
    let platform = scene.list(PLATFORMS)[0].clone();
    let conditions = platform["status"]["features"]["scheduling"]["conditions"].as_array().cloned().unwrap_or_default();
    let sound = conditions.into_iter().find(|condition| condition["type"] == "LayoutSound").unwrap_or_default();
    let text = |field: &str| sound[field].as_str().unwrap_or_default().to_owned();
    (text("status"), text("reason"), text("message"))
}

#[tokio::test(start_paused = true)]
async fn those_who_wait_are_judged_again_when_the_layout_or_the_pool_changes() {
    let scene = Scene::new(31, Mode::Enforce).nodes(3, 4);
    let process = scene.process("a", Faults::none(), false);
    layout(&scene, json!({"layout": "Dedicated"}));
    seconds(5).await;
    for pod in ["cart", "web"] {
        scene.schedule(pod, "keelson", "3", json!({}));
    }
    seconds(5).await;
    assert_eq!((process.last("cart").reason, said(&scene).1.as_str()), (Reason::PoolEmpty, "NoPoolNodes"));
    let condition = scene.pod("cart")["status"]["conditions"].to_string();
    assert!(condition.contains("label nodes keelson.dev/pool=scheduling"), "{condition}");

    let taint = json!([{"key": "keelson.dev/pool", "value": "scheduling", "effect": "NoSchedule"}]);
    label(&scene, "node-1", json!({"spec": {"taints": taint}}));
    seconds(5).await;
    let nodes = |scene: &Scene| ["cart", "web"].map(|pod| scene.node_of(pod));
    assert_eq!(nodes(&scene).iter().flatten().collect::<Vec<_>>(), ["node-1"], "one of them has room there");
    assert_eq!(said(&scene).1, "PoolExclusive");

    // What a whole node has does not suffice when half of it is left to others.
    layout(&scene, json!({"layout": "Shared", "headroomPercent": 50}));
    seconds(5).await;
    let waits = if scene.node_of("cart").is_none() { "cart" } else { "web" };
    let last = process.last(waits);
    assert_eq!((last.verb, last.reason), (Verb::Wait, Reason::Unschedulable), "{last:#?}");
    let text = serde_json::to_string(&last.candidates).unwrap();
    assert!(text.contains("more are left to other schedulers"), "{text}");
    layout(&scene, json!({"headroomPercent": 10}));
    seconds(5).await;
    assert!(nodes(&scene).iter().all(Option::is_some), "{:?}", nodes(&scene));
    scene.unbroken();
}

#[tokio::test(start_paused = true)]
async fn a_platform_without_a_layout_places_on_every_node_and_says_that_it_has_none() {
    let scene = Scene::new(32, Mode::Enforce).nodes(1, 4);
    layout(&scene, json!({"layout": null}));
    let _process = scene.process("a", Faults::none(), false);
    seconds(5).await;
    scene.schedule("cart", "keelson", "3", json!({}));
    seconds(5).await;
    assert_eq!(scene.node_of("cart").as_deref(), Some("node-0"));
    assert_eq!((said(&scene).0.as_str(), said(&scene).1.as_str()), ("False", "LayoutNotSet"));
}

/// kube-scheduler as its Lease shows it.
fn renew(scene: &Scene, number: u32, holder: &str) {
    let spec = json!({"holderIdentity": holder, "leaseDurationSeconds": 15, "leaseTransitions": 1,
        "renewTime": format!("2026-11-23T18:00:00.{number:06}Z")});
    if number == 0 {
        let metadata = json!({"namespace": "kube-system", "name": "kube-scheduler"});
        scene.create(LEASES, json!({"metadata": metadata, "spec": spec}));
        return;
    }
    let (namespace, name) = ("kube-system".to_owned(), "kube-scheduler".to_owned());
    scene.write(Write::Merge { resource: LEASES, namespace, name, subresource: "", patch: json!({"spec": spec}) });
}

#[tokio::test(start_paused = true)]
async fn nothing_of_kube_schedulers_is_bound_while_it_renews_its_lease_and_all_of_it_once_it_stopped() {
    let scene = Scene::without_scheduler(33, Mode::Enforce).nodes(2, 4);
    if !scene.list(NAMESPACES).iter().any(|namespace| namespace["metadata"]["name"] == "kube-system") {
        scene.create(NAMESPACES, json!({"metadata": {"name": "kube-system"}}));
    }
    renew(&scene, 0, "node-9_a");
    let process = scene.process("a", Faults::none(), false);
    layout(&scene, json!({"layout": "Replacement"}));
    seconds(5).await;
    scene.schedule("theirs", "default-scheduler", "100m", json!({}));
    scene.schedule("ours", "keelson", "100m", json!({}));
    for number in 1..30 {
        renew(&scene, number, "node-9_a");
        seconds(2).await;
        assert_eq!(scene.node_of("theirs"), None, "after {number} renewals");
    }
    assert!(scene.node_of("ours").is_some(), "who names Keelson waits for nobody");
    let last = process.last("theirs");
    assert_eq!(last.reason, Reason::OtherSchedulerLeads);
    assert!(last.sentence.contains("node-9_a holds Lease kube-system/kube-scheduler"), "{}", last.sentence);
    assert!(
        scene.pod("theirs")["status"]["conditions"].to_string().find("OtherSchedulerLeads").is_none(),
        "it is not touched"
    );
    let (status, reason, message) = said(&scene);
    assert_eq!((status.as_str(), reason.as_str()), ("False", "OtherSchedulerLeads"));
    assert!(message.contains("node-9_a"), "{message}");

    seconds(12).await;
    assert_eq!(scene.node_of("theirs"), None, "its Lease has not run out");
    seconds(8).await;
    assert!(scene.node_of("theirs").is_some());
    assert_eq!(said(&scene).1, "Replaces");
    // Another comes: it is left to it from then on.
    renew(&scene, 40, "node-8_b");
    seconds(2).await;
    scene.schedule("late", "default-scheduler", "100m", json!({}));
    for number in 41..50 {
        renew(&scene, number, "node-8_b");
        seconds(2).await;
    }
    assert_eq!((scene.node_of("late"), process.last("late").reason), (None, Reason::OtherSchedulerLeads));
    scene.unbroken();
}

#[tokio::test(start_paused = true)]
async fn in_observe_the_pods_of_another_scheduler_stay_its_own_whatever_the_layout() {
    let scene = Scene::new(34, Mode::Observe).nodes(2, 4);
    layout(&scene, json!({"layout": "Replacement"}));
    let process = scene.process("a", Faults::none(), false);
    seconds(5).await;
    scene.schedule("theirs", "default-scheduler", "100m", json!({}));
    seconds(10).await;
    assert!(scene.node_of("theirs").is_some());
    let last = process.last("theirs");
    assert_eq!(last.verb, Verb::Compare, "{last:#?}");
    let writes = process.writes.lock().unwrap().clone();
    assert!(writes.iter().all(|write| write.contains("keelson")), "{writes:?}");
}
