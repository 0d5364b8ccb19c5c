//! The disruption gate and the breaker behind it, on a cluster.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, missing_docs)]

mod support;

use keelson_core::{ActionKind, ObjectRef, Outcome};
use keelson_sim::objects::{Cluster, Resource, Write};
use serde_json::json;
use support::{World, seconds};

/// A pod of a workload, ready or not.
async fn pod(world: &World, workload: &str, name: &str, ready: bool) -> ObjectRef {
    let owner = match world.get("apps/v1", "ReplicaSet", Some("shop"), workload).await {
        Some(owner) => owner,
        None => {
            let pod =
                json!({"metadata": {"labels": {"a": workload}}, "spec": {"containers": [{"name": "c", "image": "i"}]}});
            let spec = json!({"replicas": 0, "selector": {"matchLabels": {"a": workload}}, "template": pod});
            let set = json!({"metadata": {"name": workload}, "spec": spec});
            world.create("apps/v1", "ReplicaSet", Some("shop"), set).await
        }
    };
    let uid = &owner["metadata"]["uid"];
    let owner =
        json!({"apiVersion": "apps/v1", "kind": "ReplicaSet", "name": workload, "uid": uid, "controller": true});
    let made = json!({
        "metadata": {"name": name, "ownerReferences": [owner]},
        "spec": {"containers": [{"name": "c", "image": "i"}]},
    });
    let made = world.create("v1", "Pod", Some("shop"), made).await;
    let (phase, is_ready) = if ready { ("Running", "True") } else { ("Pending", "False") };
    let conditions = json!([{"type": "PodScheduled", "status": "True"}, {"type": "Ready", "status": is_ready}]);
    set_status(world, name, json!({"phase": phase, "conditions": conditions}));
    ObjectRef::namespaced("Pod", "shop", name).with_uid(made["metadata"]["uid"].as_str().unwrap())
}

fn set_status(world: &World, pod: &str, status: serde_json::Value) {
    let write = Write::Merge {
        resource: Resource { group: "", plural: "pods" },
        namespace: "shop".into(),
        name: pod.into(),
        subresource: "status",
        patch: json!({"status": status}),
    };
    world.shared.with(|api, now| api.cluster(now).write(write).unwrap());
}

async fn crowd(world: &World, workloads: usize, pods: usize) -> Vec<ObjectRef> {
    let mut all = Vec::new();
    for workload in 0..workloads {
        for n in 0..pods {
            all.push(pod(world, &format!("w{workload}"), &format!("w{workload}-{n}"), true).await);
        }
    }
    all
}

#[tokio::test(start_paused = true)]
async fn a_workload_loses_one_pod_at_a_time_and_the_decision_says_who_it_waited_for() {
    let (world, process) = World::enforcing(1).await;
    let pods = crowd(&world, 10, 4).await;
    seconds(1).await;
    assert_eq!(process.act(&pods[0], vec![ActionKind::Evict]).await.0, Outcome::Done);
    let (outcome, steps) = process.act(&pods[1], vec![ActionKind::Evict]).await;
    assert_eq!(outcome, Outcome::Would);
    assert!(steps[0].starts_with("Held: ReplicaSet shop/w0 was disrupted by scheduling; it rests for"), "{steps:?}");
    let (first, second) = (&process.history.decisions()[0], &process.history.decisions()[1]);
    assert_eq!((second.causes.as_slice(), second.cause_count), ([first.id].as_slice(), 1));
}

#[tokio::test(start_paused = true)]
async fn pods_that_have_ended_are_taken_without_asking() {
    let (world, process) = World::enforcing(5).await;
    let pods = crowd(&world, 2, 4).await;
    for (pod, phase) in [(&pods[0], "Succeeded"), (&pods[1], "Failed"), (&pods[2], "Succeeded")] {
        set_status(&world, &pod.name, json!({"phase": phase, "conditions": null}));
    }
    seconds(1).await;
    for pod in &pods[..3] {
        assert_eq!(process.act(pod, vec![ActionKind::Delete]).await.0, Outcome::Done, "{pod}");
    }
    assert_eq!(process.act(&pods[4], vec![ActionKind::Evict]).await.0, Outcome::Done, "and nothing was counted");
}

#[tokio::test(start_paused = true)]
async fn what_protects_a_pod_may_stand_on_its_workload_and_has_to_say_so() {
    let (world, process) = World::enforcing(6).await;
    let pods = crowd(&world, 3, 1).await;
    let sets = process.runtime.cache::<k8s_openapi::api::apps::v1::ReplicaSet>();
    sets.synced().await;
    for (n, (annotation, value)) in [
        ("keelson.dev/do-not-disrupt", "false"),
        ("karpenter.sh/do-not-disrupt", "false"),
        ("cluster-autoscaler.kubernetes.io/safe-to-evict", "true"),
    ]
    .into_iter()
    .enumerate()
    {
        let (name, metadata) =
            (format!("w{n}"), |value: &str| json!({"metadata": {"annotations": {annotation: value}}}));
        let opposite = if value == "true" { "false" } else { "true" };
        world.merge("apps/v1", "ReplicaSet", Some("shop"), &name, metadata(opposite)).await;
        seconds(61).await;
        let (outcome, steps) = process.act(&pods[n], vec![ActionKind::Evict]).await;
        assert!(outcome == Outcome::Would && steps[0].contains(annotation), "{steps:?}");
        world.merge("apps/v1", "ReplicaSet", Some("shop"), &name, metadata(value)).await;
        seconds(1).await;
        assert_eq!(process.act(&pods[n], vec![ActionKind::Evict]).await.0, Outcome::Done, "{annotation}: {value}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_zone_is_known_from_its_nodes_and_a_pod_that_goes_is_not_ready() {
    let (world, process) = World::enforcing(7).await;
    for (node, zone) in [("n0", "z"), ("n1", "z"), ("n2", "y")] {
        let labels = json!({"topology.kubernetes.io/zone": zone});
        world.create("v1", "Node", None, json!({"metadata": {"name": node, "labels": labels}})).await;
    }
    let pods = crowd(&world, 30, 1).await;
    for (n, pod) in pods.iter().enumerate() {
        assert_eq!(process.act(pod, vec![support::bind(&format!("n{}", n % 3))]).await.0, Outcome::Done);
    }
    // One of the ten of a node is on its way out, and its zone of twenty may lose another of the other node.
    let finalizers = json!({"metadata": {"finalizers": ["test/stays"]}});
    world.merge("v1", "Pod", Some("shop"), "w0-0", finalizers).await;
    world.api("v1", "Pod", Some("shop")).delete("w0-0", &Default::default()).await.unwrap();
    seconds(1).await;
    let held = async |pod: &ObjectRef| process.act(pod, vec![ActionKind::Evict]).await.1[0].clone();
    assert_eq!(held(&pods[3]).await, "Held: node n0: 1 of 10 pods unavailable, at most 1 may be");
    assert_eq!(held(&pods[1]).await, "Done");
    assert_eq!(held(&pods[4]).await, "Held: node n1: 1 of 10 pods unavailable, at most 1 may be");
}

#[tokio::test(start_paused = true)]
async fn all_evictions_of_a_decision_are_granted_or_none() {
    let (world, process) = World::enforcing(2).await;
    let pods = crowd(&world, 10, 4).await;
    seconds(1).await;
    let evict = |pod: &ObjectRef| (pod.clone(), ActionKind::Evict);
    let together = vec![evict(&pods[4]), evict(&pods[5])];
    assert_eq!(process.act_on(&pods[4], together).await.0, Outcome::Would, "two of one workload");
    assert_eq!(process.act(&pods[4], vec![ActionKind::Evict]).await.0, Outcome::Done, "nothing was kept back");
}

#[tokio::test(start_paused = true)]
async fn workloads_that_do_not_recover_open_the_breaker() {
    let (world, process) = World::enforcing(3).await;
    let pods = crowd(&world, 40, 1).await;
    for (n, victim) in pods.iter().take(3).enumerate() {
        seconds(90).await;
        assert_eq!(process.act(victim, vec![ActionKind::Evict]).await.0, Outcome::Done);
        pod(&world, &format!("w{n}"), &format!("w{n}-again"), false).await;
    }
    assert_eq!(process.switch().breaker, None);
    seconds(330).await;
    let why = process.switch().breaker.expect("open");
    assert!(why.starts_with("3 workloads have fewer ready pods than before, the last ReplicaSet shop/w2"), "{why}");
}

#[tokio::test(start_paused = true)]
async fn workloads_that_recover_do_not() {
    let (world, process) = World::enforcing(4).await;
    let pods = crowd(&world, 40, 1).await;
    for (n, victim) in pods.iter().take(6).enumerate() {
        seconds(90).await;
        assert_eq!(process.act(victim, vec![ActionKind::Evict]).await.0, Outcome::Done);
        pod(&world, &format!("w{n}"), &format!("w{n}-again"), true).await;
    }
    seconds(600).await;
    assert_eq!(process.switch().breaker, None);
}
