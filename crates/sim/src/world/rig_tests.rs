//! Pods, rollouts and nodes, seen from the API.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use keelson_core::Span;
use serde_json::json;

use super::Settings;
use super::kinds::{DEPLOYMENTS, NODES, PODS, REPLICA_SETS};
use super::read::{condition, holds, int, is_leaving, list, name, text};
use super::replicaset::is_active;
use super::rig::{Rig, Scene, deployment, pod_spec};
use crate::objects::{Cluster, Write};

fn scene(nodes: usize) -> Scene {
    Scene::new(7, Settings::default()).nodes(nodes, 4, 16)
}

fn pods(api: &Rig) -> Vec<std::sync::Arc<serde_json::Value>> {
    api.list(PODS).into_iter().filter(|pod| is_active(pod)).collect()
}

#[test]
fn a_deployment_becomes_ready_pods() {
    let mut scene = scene(3);
    scene.create(DEPLOYMENTS, deployment("shop", 5, "500m"));
    scene.run(Span::minutes(2), |_| ());
    let shop = scene.get(DEPLOYMENTS, "shop");
    assert_eq!(int(&shop, "status.availableReplicas"), Some(5), "{shop:#}");
    assert!(holds(&shop, "Available") && holds(&shop, "Progressing"), "{shop:#}");
    for pod in pods(&scene.api) {
        assert!(holds(&pod, "Ready") && text(&pod, "status.podIP").starts_with("10."), "{pod:#}");
        assert_eq!(text(&pod, "status.phase"), "Running");
    }
    let writes = scene.api.writes;
    scene.run(Span::minutes(30), |_| ());
    assert_eq!(scene.api.writes, writes, "an idle cluster writes nothing");
}

#[test]
fn a_rollout_keeps_its_limits_all_the_way() {
    let mut scene = scene(6);
    let mut shop = deployment("shop", 10, "200m");
    shop["spec"]["strategy"] = json!({"rollingUpdate": {"maxSurge": 2, "maxUnavailable": 1}});
    scene.create(DEPLOYMENTS, shop);
    scene.run(Span::minutes(2), |_| ());
    scene.merge(DEPLOYMENTS, "shop", json!({"spec": {"template": {"metadata": {"annotations": {"v": "2"}}}}}));
    scene.run(Span::minutes(5), |api| {
        // Upstream counts what sets want too: a new pod may come a moment before an old one goes.
        let wanted: i64 = api.list(REPLICA_SETS).iter().filter_map(|set| int(set, "spec.replicas")).sum();
        assert!(wanted <= 12, "{wanted} pods wanted");
        let pods = pods(api);
        let ready = pods.iter().filter(|pod| holds(pod, "Ready")).count();
        assert!(ready >= 9, "{ready} ready");
    });
    let sets = scene.api.list(REPLICA_SETS);
    assert_eq!(sets.iter().map(|set| int(set, "spec.replicas").unwrap()).sum::<i64>(), 10);
    assert_eq!(sets.len(), 2);
    assert_eq!(
        super::read::annotation(&scene.get(DEPLOYMENTS, "shop"), "deployment.kubernetes.io/revision"),
        Some("2")
    );
    assert!(pods(&scene.api).iter().all(|pod| super::read::annotation(pod, "v") == Some("2")));
}

#[test]
fn recreate_never_mixes_two_versions() {
    let mut scene = scene(2);
    let mut shop = deployment("shop", 3, "200m");
    shop["spec"]["strategy"] = json!({"type": "Recreate"});
    scene.create(DEPLOYMENTS, shop);
    scene.run(Span::minutes(2), |_| ());
    scene.merge(DEPLOYMENTS, "shop", json!({"spec": {"template": {"metadata": {"annotations": {"v": "2"}}}}}));
    scene.run(Span::minutes(5), |api| {
        let all = api.list(PODS);
        let new = all.iter().filter(|pod| super::read::annotation(pod, "v") == Some("2")).count();
        assert!(new == 0 || new == all.len());
    });
    assert_eq!(pods(&scene.api).len(), 3);
}

#[test]
fn nothing_is_left_of_a_deleted_deployment() {
    let mut scene = scene(2);
    scene.create(DEPLOYMENTS, deployment("shop", 4, "200m"));
    scene.run(Span::minutes(2), |_| ());
    scene.delete(DEPLOYMENTS, "shop");
    scene.run(Span::minutes(2), |_| ());
    assert!(scene.api.list(PODS).is_empty() && scene.api.list(REPLICA_SETS).is_empty());
}

#[test]
fn pods_that_do_not_fit_say_why_and_start_when_there_is_room() {
    let mut scene = scene(2);
    scene.create(DEPLOYMENTS, deployment("shop", 3, "3"));
    scene.run(Span::minutes(2), |_| ());
    let waiting: Vec<_> = pods(&scene.api).into_iter().filter(|pod| text(pod, "spec.nodeName").is_empty()).collect();
    assert_eq!(waiting.len(), 1);
    let scheduled = condition(&waiting[0], "PodScheduled").unwrap();
    assert_eq!(text(scheduled, "message"), "0/2 nodes are available: 2 Insufficient cpu.");
    scene = scene.nodes(3, 8, 16);
    scene.run(Span::minutes(1), |_| ());
    assert_eq!(int(&scene.get(DEPLOYMENTS, "shop"), "status.availableReplicas"), Some(3));
}

#[test]
fn a_kubelet_rejects_what_a_scheduler_should_not_have_bound() {
    let mut scene = scene(1);
    for n in 0..3 {
        let mut spec = pod_spec("1500m");
        spec["schedulerName"] = json!("careless");
        let pod = scene.create(
            PODS,
            json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": format!("p{n}"), "namespace": "default"}, "spec": spec}),
        );
        let (namespace, node) = ("default".to_owned(), "node-0".to_owned());
        let bind = Write::Bind { namespace, name: format!("p{n}"), uid: super::read::uid(&pod).to_owned(), node };
        scene.api.write(bind).unwrap();
    }
    scene.run(Span::minutes(1), |_| ());
    let phases: Vec<String> = scene.api.list(PODS).iter().map(|pod| text(pod, "status.phase").to_owned()).collect();
    assert_eq!(phases.iter().filter(|phase| *phase == "Failed").count(), 1, "{phases:?}");
    let failed = scene.api.list(PODS).into_iter().find(|pod| text(pod, "status.phase") == "Failed").unwrap();
    assert_eq!(text(&failed, "status.reason"), "OutOfcpu");
    assert!(text(&failed, "status.message").contains("requested: 1500, used: 3000, capacity: 3880"), "{failed:#}");
}

#[test]
fn pods_of_a_dead_node_move_after_their_toleration() {
    let mut scene = scene(3);
    let mut shop = deployment("shop", 3, "1");
    shop["spec"]["template"]["spec"]["tolerations"] = json!([
        {"key": "node.kubernetes.io/unreachable", "operator": "Exists", "effect": "NoExecute", "tolerationSeconds": 300},
    ]);
    scene.create(DEPLOYMENTS, shop);
    scene.run(Span::minutes(2), |_| ());
    let victim = text(&pods(&scene.api)[0], "spec.nodeName").to_owned();
    scene.world.kill_node(&victim, &mut scene.api).unwrap();
    scene.run(Span::seconds(39), |_| ());
    let ready = |scene: &Scene| {
        let node = scene.api.get(NODES, "", &victim).unwrap();
        text(condition(&node, "Ready").unwrap(), "status").to_owned()
    };
    assert_eq!(ready(&scene), "True");
    scene.run(Span::seconds(2), |_| ());
    assert_eq!(ready(&scene), "Unknown");
    assert_eq!(int(&scene.get(DEPLOYMENTS, "shop"), "status.readyReplicas"), Some(2));
    scene.run(Span::seconds(298), |_| ());
    assert!(scene.api.list(PODS).iter().all(|pod| !is_leaving(pod)));
    scene.run(Span::seconds(30), |_| ());
    assert_eq!(int(&scene.get(DEPLOYMENTS, "shop"), "status.readyReplicas"), Some(3));
    assert_eq!(scene.api.list(PODS).len(), 4, "the dead kubelet cannot confirm the deletion");
    scene.world.recover_node(&victim, &mut scene.api).unwrap();
    scene.run(Span::minutes(1), |_| ());
    assert_eq!(scene.api.list(PODS).len(), 3);
    assert!(list(&scene.api.get(NODES, "", &victim).unwrap(), "spec.taints").is_empty());
}

#[test]
fn a_reclaimed_spot_node_takes_its_pods_with_it() {
    let mut scene = scene(2);
    scene.create(DEPLOYMENTS, deployment("shop", 2, "1"));
    scene.run(Span::minutes(2), |_| ());
    scene.world.spot_reclaim("node-0", Span::minutes(2), &mut scene.api).unwrap();
    scene.run(Span::minutes(1), |_| ());
    assert_eq!(scene.api.list(NODES).len(), 2);
    scene.run(Span::minutes(3), |_| ());
    assert_eq!(scene.api.list(NODES).len(), 1);
    assert_eq!(pods(&scene.api).len(), 2);
    assert!(pods(&scene.api).iter().all(|pod| text(pod, "spec.nodeName") == "node-1"));
}

#[test]
fn a_crashing_container_backs_off() {
    let mut scene = scene(1);
    let mut shop = deployment("shop", 1, "1");
    shop["spec"]["template"]["metadata"]["annotations"] = json!({"sim.keelson.dev/exit-code": "1"});
    scene.create(DEPLOYMENTS, shop);
    scene.run(Span::minutes(4), |_| ());
    let pod = pods(&scene.api).remove(0);
    let status = &list(&pod, "status.containerStatuses")[0];
    assert_eq!(int(status, "restartCount"), Some(5), "0, 10, 20, 40 and 80 seconds: {status:#}");
    assert_eq!(text(status, "state.waiting.reason"), "CrashLoopBackOff");
    assert_eq!(name(&pod).split('-').next(), Some("shop"));
}

#[test]
fn a_seed_repeats_itself() {
    let trace = |seed| {
        let mut scene = Scene::new(seed, Settings::default()).nodes(3, 4, 16);
        scene.create(DEPLOYMENTS, deployment("shop", 8, "500m"));
        scene.run(Span::minutes(2), |_| ());
        scene.world.kill_node("node-1", &mut scene.api).unwrap();
        scene.run(Span::minutes(10), |_| ());
        scene.log.iter().map(|event| event.object.to_string()).collect::<Vec<_>>()
    };
    assert_eq!(trace(1), trace(1));
    assert_ne!(trace(1), trace(2));
}
