//! Pods, rollouts and nodes, seen from the API.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use keelson_core::Span;

use super::Settings;
use super::kinds::{DEPLOYMENTS, LEASES, NODES, PODS, REPLICA_SETS};
use super::read::{condition, holds, int, is_leaving, list, name, text};
use super::rig::{Scene, active, deployment, pod_spec};
use crate::objects::Write;
use crate::tree::json;

fn scene(nodes: usize) -> Scene {
    Scene::new(7, Settings::default()).nodes(nodes, 4, 16)
}

#[test]
fn a_deployment_becomes_ready_pods() {
    let mut scene = scene(3);
    scene.create(DEPLOYMENTS, deployment("shop", 5, "500m"));
    scene.rest(Span::minutes(2));
    let shop = scene.get(DEPLOYMENTS, "shop");
    assert_eq!(int(&shop, "status.availableReplicas"), Some(5), "{shop:#}");
    assert!(holds(&shop, "Available") && holds(&shop, "Progressing"), "{shop:#}");
    for pod in scene.pods() {
        assert!(holds(&pod, "Ready") && text(&pod, "status.podIP").starts_with("10."), "{pod:#}");
        assert_eq!(text(&pod, "status.phase"), "Running");
    }
    let version = scene.api.resource_version();
    scene.rest(Span::minutes(30));
    assert_eq!(scene.api.resource_version(), version, "an idle cluster writes nothing");
}

#[test]
fn a_rollout_keeps_its_limits_all_the_way() {
    let mut scene = scene(6);
    let mut shop = deployment("shop", 10, "200m");
    shop["spec"]["strategy"] = json!({"rollingUpdate": {"maxSurge": 2, "maxUnavailable": 1}});
    scene.create(DEPLOYMENTS, shop);
    scene.rest(Span::minutes(2));
    scene.merge(DEPLOYMENTS, "shop", json!({"spec": {"template": {"metadata": {"annotations": {"v": "2"}}}}}));
    scene.run(Span::minutes(5), |api| {
        // Upstream counts what sets want too: a new pod may come a moment before an old one goes.
        let wanted: i64 = api.all(REPLICA_SETS).iter().filter_map(|set| int(set, "spec.replicas")).sum();
        assert!(wanted <= 12, "{wanted} pods wanted");
        let pods = active(api);
        let ready = pods.iter().filter(|pod| holds(pod, "Ready")).count();
        assert!(ready >= 9, "{ready} ready");
    });
    let sets = scene.list(REPLICA_SETS);
    assert_eq!(sets.iter().map(|set| int(set, "spec.replicas").unwrap()).sum::<i64>(), 10);
    assert_eq!(sets.len(), 2);
    assert_eq!(
        super::read::annotation(&scene.get(DEPLOYMENTS, "shop"), "deployment.kubernetes.io/revision"),
        Some("2")
    );
    assert!(scene.pods().iter().all(|pod| super::read::annotation(pod, "v") == Some("2")));
}

#[test]
fn recreate_never_mixes_two_versions() {
    let mut scene = scene(2);
    let mut shop = deployment("shop", 3, "200m");
    shop["spec"]["strategy"] = json!({"type": "Recreate"});
    scene.create(DEPLOYMENTS, shop);
    scene.rest(Span::minutes(2));
    scene.merge(DEPLOYMENTS, "shop", json!({"spec": {"template": {"metadata": {"annotations": {"v": "2"}}}}}));
    scene.run(Span::minutes(5), |api| {
        let all = api.all(PODS);
        let new = all.iter().filter(|pod| super::read::annotation(pod, "v") == Some("2")).count();
        assert!(new == 0 || new == all.len());
    });
    assert_eq!(scene.pods().len(), 3);
}

#[test]
fn nothing_is_left_of_a_deleted_deployment() {
    let mut scene = scene(2);
    scene.create(DEPLOYMENTS, deployment("shop", 4, "200m"));
    scene.rest(Span::minutes(2));
    scene.delete(DEPLOYMENTS, "shop");
    scene.rest(Span::minutes(2));
    assert!(scene.list(PODS).is_empty() && scene.list(REPLICA_SETS).is_empty());
}

#[test]
fn pods_that_do_not_fit_say_why_and_start_when_there_is_room() {
    let mut scene = scene(2);
    scene.create(DEPLOYMENTS, deployment("shop", 3, "3"));
    scene.rest(Span::minutes(2));
    let waiting: Vec<_> = scene.pods().into_iter().filter(|pod| text(pod, "spec.nodeName").is_empty()).collect();
    assert_eq!(waiting.len(), 1);
    let scheduled = condition(&waiting[0], "PodScheduled").unwrap();
    assert_eq!(text(scheduled, "message"), "0/2 nodes are available: 2 Insufficient cpu.");
    scene = scene.nodes(3, 8, 16);
    scene.rest(Span::minutes(1));
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
        scene.write(bind);
    }
    scene.rest(Span::minutes(1));
    let phases: Vec<String> = scene.list(PODS).iter().map(|pod| text(pod, "status.phase").to_owned()).collect();
    assert_eq!(phases.iter().filter(|phase| *phase == "Failed").count(), 1, "{phases:?}");
    let failed = scene.list(PODS).into_iter().find(|pod| text(pod, "status.phase") == "Failed").unwrap();
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
    scene.rest(Span::minutes(2));
    let victim = text(&scene.pods()[0], "spec.nodeName").to_owned();
    scene.act(|world, cluster| world.kill_node(&victim, cluster).unwrap());
    scene.rest(Span::seconds(39));
    let ready = |scene: &mut Scene| {
        let node = scene.find(NODES, "", &victim).unwrap();
        text(condition(&node, "Ready").unwrap(), "status").to_owned()
    };
    assert_eq!(ready(&mut scene), "True");
    scene.rest(Span::seconds(2));
    assert_eq!(ready(&mut scene), "Unknown");
    assert_eq!(int(&scene.get(DEPLOYMENTS, "shop"), "status.readyReplicas"), Some(2));
    scene.rest(Span::seconds(298));
    assert!(scene.list(PODS).iter().all(|pod| !is_leaving(pod)));
    scene.rest(Span::seconds(30));
    assert_eq!(int(&scene.get(DEPLOYMENTS, "shop"), "status.readyReplicas"), Some(3));
    assert_eq!(scene.list(PODS).len(), 4, "the dead kubelet cannot confirm the deletion");
    scene.act(|world, cluster| world.recover_node(&victim, cluster).unwrap());
    scene.rest(Span::minutes(1));
    assert_eq!(scene.list(PODS).len(), 3);
    assert!(list(&scene.find(NODES, "", &victim).unwrap(), "spec.taints").is_empty());
}

#[test]
fn a_reclaimed_spot_node_takes_its_pods_with_it() {
    let mut scene = scene(2);
    scene.create(DEPLOYMENTS, deployment("shop", 2, "1"));
    scene.rest(Span::minutes(2));
    scene.act(|world, cluster| world.spot_reclaim("node-0", Span::minutes(2), cluster).unwrap());
    scene.rest(Span::minutes(1));
    assert_eq!(scene.list(NODES).len(), 2);
    scene.rest(Span::minutes(3));
    assert_eq!(scene.list(NODES).len(), 1);
    assert_eq!(scene.pods().len(), 2);
    assert!(scene.pods().iter().all(|pod| text(pod, "spec.nodeName") == "node-1"));
}

#[test]
fn a_crashing_container_backs_off() {
    let mut scene = scene(1);
    let mut shop = deployment("shop", 1, "1");
    shop["spec"]["template"]["metadata"]["annotations"] = json!({"sim.keelson.dev/exit-code": "1"});
    scene.create(DEPLOYMENTS, shop);
    scene.rest(Span::minutes(4));
    let pod = scene.pods().remove(0);
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
        scene.rest(Span::minutes(2));
        scene.act(|world, cluster| world.kill_node("node-1", cluster).unwrap());
        scene.rest(Span::minutes(10));
        scene.log.iter().map(|event| event.object.to_string()).collect::<Vec<_>>()
    };
    assert_eq!(trace(1), trace(1));
    assert_ne!(trace(1), trace(2));
}

fn hungry(name: &str, memory: &str, limit: Option<&str>) -> crate::tree::Value {
    let mut spec = pod_spec("100m");
    if let Some(limit) = limit {
        spec["containers"][0]["resources"]["limits"] = json!({"memory": limit});
    }
    let metadata = json!({"name": name, "namespace": "default", "annotations": {"sim.keelson.dev/memory": memory}});
    json!({"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": spec})
}

#[test]
fn a_container_over_its_limit_is_killed() {
    let mut scene = scene(1);
    scene.create(PODS, hungry("big", "300Mi", Some("256Mi")));
    scene.rest(Span::minutes(1));
    let pod = scene.get(PODS, "big");
    let last = &pod["status"]["containerStatuses"][0]["lastState"]["terminated"];
    assert_eq!((text(last, "reason"), int(last, "exitCode")), ("OOMKilled", Some(137)), "{pod:#}");
}

#[test]
fn a_node_short_of_memory_evicts_the_greediest_and_takes_no_more_for_a_while() {
    let mut scene = scene(1);
    scene.create(PODS, hungry("modest", "2Gi", None));
    scene.create(PODS, hungry("greedy", "14Gi", None));
    scene.rest(Span::minutes(1));
    assert_eq!(text(&scene.get(PODS, "greedy"), "status.reason"), "Evicted");
    assert_eq!(text(&scene.get(PODS, "modest"), "status.phase"), "Running");
    let node = scene.find(NODES, "", "node-0").unwrap();
    assert!(holds(&node, "MemoryPressure"));
    assert_eq!(text(&list(&node, "spec.taints")[0], "key"), "node.kubernetes.io/memory-pressure");
    scene.rest(Span::minutes(6));
    let node = scene.find(NODES, "", "node-0").unwrap();
    assert!(!holds(&node, "MemoryPressure") && list(&node, "spec.taints").is_empty());
}

#[test]
fn written_heartbeats_are_writes_and_a_dead_machine_stops_them() {
    let settings = Settings { heartbeats: super::nodes::Heartbeats::Written, ..Settings::default() };
    let mut scene = Scene::new(1, settings).nodes(1, 4, 16);
    let renewed = |scene: &mut Scene| {
        let lease = scene.find(LEASES, "kube-node-lease", "node-0").unwrap();
        text(&lease, "spec.renewTime").to_owned()
    };
    scene.rest(Span::seconds(25));
    assert_eq!(renewed(&mut scene), "2026-05-20T17:00:20.000000Z");
    scene.act(|world, cluster| world.kill_node("node-0", cluster).unwrap());
    scene.rest(Span::minutes(2));
    assert_eq!(renewed(&mut scene), "2026-05-20T17:00:20.000000Z");
    let ready = |scene: &mut Scene| holds(&scene.find(NODES, "", "node-0").unwrap(), "Ready");
    assert!(!ready(&mut scene));
    scene.act(|world, cluster| world.recover_node("node-0", cluster).unwrap());
    scene.rest(Span::minutes(6));
    assert!(ready(&mut scene));
    assert_eq!(renewed(&mut scene), "2026-05-20T17:08:25.000000Z");
}

#[test]
fn a_rollback_takes_the_old_set_again_as_a_new_revision() {
    let mut scene = scene(3);
    scene.create(DEPLOYMENTS, deployment("shop", 3, "200m"));
    scene.rest(Span::minutes(2));
    for version in [json!("2"), json!(null)] {
        let metadata = json!({"annotations": {"v": version}});
        scene.merge(DEPLOYMENTS, "shop", json!({"spec": {"template": {"metadata": metadata}}}));
        scene.rest(Span::minutes(3));
    }
    assert_eq!(scene.list(REPLICA_SETS).len(), 2);
    let revision = "deployment.kubernetes.io/revision";
    assert_eq!(super::read::annotation(&scene.get(DEPLOYMENTS, "shop"), revision), Some("3"));
    assert!(scene.pods().iter().all(|pod| super::read::annotation(pod, "v").is_none()));
}

#[test]
fn a_rollout_that_never_gets_ready_says_so_and_leaves_the_old_pods() {
    let mut scene = scene(3);
    let mut shop = deployment("shop", 4, "200m");
    shop["spec"]["progressDeadlineSeconds"] = json!(120);
    scene.create(DEPLOYMENTS, shop);
    scene.rest(Span::minutes(2));
    let never = json!({"annotations": {"sim.keelson.dev/ready-seconds": "never"}});
    scene.merge(DEPLOYMENTS, "shop", json!({"spec": {"template": {"metadata": never}}}));
    scene.rest(Span::minutes(5));
    let shop = scene.get(DEPLOYMENTS, "shop");
    let progressing = condition(&shop, "Progressing").unwrap();
    assert_eq!(text(progressing, "reason"), "ProgressDeadlineExceeded", "{shop:#}");
    assert_eq!(int(&shop, "status.availableReplicas"), Some(3), "a quarter may be missing");
}

#[test]
fn a_change_of_size_in_the_middle_of_a_rollout_ends_well() {
    let mut scene = scene(6);
    scene.create(DEPLOYMENTS, deployment("shop", 10, "200m"));
    scene.rest(Span::minutes(2));
    scene.merge(DEPLOYMENTS, "shop", json!({"spec": {"template": {"metadata": {"annotations": {"v": "2"}}}}}));
    scene.rest(Span::seconds(3));
    let active = scene.list(REPLICA_SETS).iter().filter(|set| int(set, "spec.replicas") > Some(0)).count();
    assert_eq!(active, 2, "the rollout is under way");
    scene.merge(DEPLOYMENTS, "shop", json!({"spec": {"replicas": 20}}));
    scene.rest(Span::minutes(5));
    let shop = scene.get(DEPLOYMENTS, "shop");
    let count = |field: &str| int(&shop, &format!("status.{field}"));
    assert_eq!(
        (count("availableReplicas"), count("updatedReplicas"), count("replicas")),
        (Some(20), Some(20), Some(20))
    );
}
