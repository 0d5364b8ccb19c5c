//! Sets, jobs, services, budgets, claims and resizes, seen from the API.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use keelson_core::Span;

use super::Settings;
use super::kinds::*;
use super::read::{condition, entry, holds, int, is_leaving, labels, list, name, text, uid};
use super::rig::{Scene, active, deployment, pod_spec};
use crate::objects::{Resource, Write};
use crate::tree::{Value, json};

fn scene(nodes: usize) -> Scene {
    Scene::new(3, Settings::default()).nodes(nodes, 4, 16)
}

fn stateful_set(replicas: u32, spec: &Value) -> Value {
    let mut set = deployment("db", replicas, "200m");
    set["kind"] = json!("StatefulSet");
    set["spec"]["serviceName"] = json!("db");
    for (field, value) in spec.as_object().unwrap() {
        set["spec"][field] = value.clone();
    }
    set
}

fn names(scene: &mut Scene) -> Vec<String> {
    scene.pods().iter().map(|pod| name(pod).to_owned()).collect()
}

#[test]
fn a_stateful_set_grows_and_shrinks_in_order() {
    let mut scene = scene(3);
    scene.create(STATEFUL_SETS, stateful_set(3, &json!({})));
    scene.run(Span::minutes(2), |api| {
        let pods = active(api);
        let unready = pods.iter().filter(|pod| !holds(pod, "Ready")).count();
        assert!(unready <= 1, "the next waits for the last");
    });
    assert_eq!(names(&mut scene), ["db-0", "db-1", "db-2"]);
    assert_eq!(int(&scene.get(STATEFUL_SETS, "db"), "status.availableReplicas"), Some(3));
    scene.merge(STATEFUL_SETS, "db", json!({"spec": {"replicas": 1}}));
    scene.rest(Span::minutes(2));
    assert_eq!(names(&mut scene), ["db-0"]);
}

#[test]
fn an_update_stops_at_the_partition_and_a_lost_pod_keeps_its_revision() {
    let mut scene = scene(3);
    let update = json!({"type": "RollingUpdate", "rollingUpdate": {"partition": 2}});
    scene.create(STATEFUL_SETS, stateful_set(4, &json!({"podManagementPolicy": "Parallel", "updateStrategy": update})));
    scene.rest(Span::minutes(2));
    let template = json!({"spec": {"template": {"metadata": {"annotations": {"v": "2"}}}}});
    scene.merge(STATEFUL_SETS, "db", template);
    scene.rest(Span::minutes(3));
    let versions = |scene: &mut Scene| -> Vec<bool> {
        scene.pods().iter().map(|pod| super::read::annotation(pod, "v").is_some()).collect()
    };
    assert_eq!(versions(&mut scene), [false, false, true, true]);
    scene.delete(PODS, "db-0");
    scene.rest(Span::minutes(2));
    assert_eq!(versions(&mut scene), [false, false, true, true]);
    let none = json!({"spec": {"updateStrategy": {"rollingUpdate": {"partition": 0}}}});
    scene.merge(STATEFUL_SETS, "db", none);
    scene.rest(Span::minutes(3));
    assert_eq!(versions(&mut scene), [true; 4]);
    let set = scene.get(STATEFUL_SETS, "db");
    assert_eq!(text(&set, "status.currentRevision"), text(&set, "status.updateRevision"));
}

fn storage_class(mode: &str) -> Value {
    json!({"apiVersion": "storage.k8s.io/v1", "kind": "StorageClass", "metadata": {"name": "zonal"},
        "provisioner": "zonal.csi", "volumeBindingMode": mode, "reclaimPolicy": "Delete"})
}

#[test]
fn a_volume_pins_its_pod_to_a_zone() {
    for mode in ["WaitForFirstConsumer", "Immediate"] {
        let mut scene = scene(6);
        scene.create(STORAGE_CLASSES, storage_class(mode));
        let template = json!([{"metadata": {"name": "data"}, "spec": {"accessModes": ["ReadWriteOnce"],
            "storageClassName": "zonal", "resources": {"requests": {"storage": "20Gi"}}}}]);
        scene.create(STATEFUL_SETS, stateful_set(2, &json!({"volumeClaimTemplates": template})));
        scene.rest(Span::minutes(3));
        assert_eq!(int(&scene.get(STATEFUL_SETS, "db"), "status.readyReplicas"), Some(2), "{mode}");
        let claim = scene.get(CLAIMS, "data-db-0");
        assert_eq!(text(&claim, "status.capacity.storage"), "20Gi");
        let volume = scene.find(VOLUMES, "", text(&claim, "spec.volumeName")).unwrap();
        let term =
            volume.pointer("/spec/nodeAffinity/required/nodeSelectorTerms/0/matchExpressions/0/values/0").unwrap();
        let zone_of = |scene: &mut Scene| {
            let pod = scene.get(PODS, "db-0");
            let node = scene.find(NODES, "", text(&pod, "spec.nodeName")).unwrap();
            Value::from(super::nodes::zone(&node))
        };
        assert_eq!(zone_of(&mut scene), *term);
        scene.delete(PODS, "db-0");
        scene.rest(Span::minutes(2));
        assert_eq!(zone_of(&mut scene), *term, "it comes back to its volume");
        scene.delete(STATEFUL_SETS, "db");
        scene.rest(Span::minutes(2));
        assert_eq!(scene.list(CLAIMS).len(), 2, "claims outlive their set");
        scene.delete(CLAIMS, "data-db-0");
        scene.rest(Span::minutes(1));
        assert_eq!(scene.list(VOLUMES).len(), 1, "and a deleted claim takes its volume with it");
    }
}

#[test]
fn a_daemon_runs_on_every_node_that_suits_and_comes_to_new_ones() {
    let mut scene = scene(3);
    scene.write(Write::Merge {
        resource: NODES,
        namespace: String::new(),
        name: "node-1".into(),
        subresource: "",
        patch: json!({"spec": {"taints": [{"key": "gpu", "value": "yes", "effect": "NoSchedule"}]}}),
    });
    let mut set = deployment("agent", 1, "100m");
    set["kind"] = json!("DaemonSet");
    set["spec"].as_object_mut().unwrap().remove("replicas");
    scene.create(DAEMON_SETS, set);
    scene.rest(Span::minutes(1));
    let mut on: Vec<String> = scene.pods().iter().map(|pod| text(pod, "spec.nodeName").to_owned()).collect();
    on.sort();
    assert_eq!(on, ["node-0", "node-2"]);
    scene = scene.nodes(2, 4, 16);
    scene.rest(Span::minutes(1));
    assert_eq!(int(&scene.get(DAEMON_SETS, "agent"), "status.numberReady"), Some(4));
    scene.merge(DAEMON_SETS, "agent", json!({"spec": {"template": {"metadata": {"annotations": {"v": "2"}}}}}));
    scene.run(Span::minutes(5), |api| {
        let ready = active(api).iter().filter(|pod| holds(pod, "Ready")).count();
        assert!(ready >= 3, "one at a time");
    });
    assert_eq!(int(&scene.get(DAEMON_SETS, "agent"), "status.updatedNumberScheduled"), Some(4));
}

fn job(spec: &Value, annotations: &Value) -> Value {
    let mut pod = pod_spec("100m");
    pod["restartPolicy"] = json!("Never");
    let mut job = json!({"apiVersion": "batch/v1", "kind": "Job", "metadata": {"name": "batch", "namespace": "default"},
        "spec": {"template": {"metadata": {"annotations": annotations}, "spec": pod}}});
    for (field, value) in spec.as_object().unwrap() {
        job["spec"][field] = value.clone();
    }
    job
}

#[test]
fn a_job_runs_its_completions_and_goes_after_its_time() {
    let mut scene = scene(2);
    let spec = json!({"parallelism": 3, "completions": 7, "completionMode": "Indexed", "ttlSecondsAfterFinished": 300});
    scene.create(JOBS, job(&spec, &json!({"sim.keelson.dev/run-seconds": "20"})));
    scene.run(Span::minutes(4), |api| assert!(active(api).len() <= 3));
    let done = scene.get(JOBS, "batch");
    assert!(holds(&done, "Complete"), "{done:#}");
    assert_eq!((int(&done, "status.succeeded"), text(&done, "status.completedIndexes")), (Some(7), "0-6"));
    scene.rest(Span::minutes(6));
    assert!(scene.list(JOBS).is_empty() && scene.list(PODS).is_empty());
}

#[test]
fn a_job_gives_up_after_its_back_off_limit() {
    let mut scene = scene(2);
    scene.create(JOBS, job(&json!({"backoffLimit": 2}), &json!({"sim.keelson.dev/exit-code": "3"})));
    scene.rest(Span::minutes(5));
    let failed = scene.get(JOBS, "batch");
    assert!(holds(&failed, "Failed"), "{failed:#}");
    assert_eq!(int(&failed, "status.failed"), Some(3));
    assert_eq!(text(condition(&failed, "Failed").unwrap(), "reason"), "BackoffLimitExceeded");
}

#[test]
fn a_cron_job_keeps_its_schedule_and_a_short_history() {
    let mut scene = scene(2);
    let template = job(&json!({}), &json!({"sim.keelson.dev/run-seconds": "30"}))["spec"].clone();
    scene.create(
        CRON_JOBS,
        json!({"apiVersion": "batch/v1", "kind": "CronJob", "metadata": {"name": "report", "namespace": "default"},
            "spec": {"schedule": "*/10 * * * *", "concurrencyPolicy": "Forbid", "jobTemplate": {"spec": template}}}),
    );
    scene.rest(Span::minutes(9));
    assert!(scene.list(JOBS).is_empty());
    scene.rest(Span::seconds(70));
    assert_eq!(list(&scene.get(CRON_JOBS, "report"), "status.active").len(), 1);
    scene.rest(Span::minutes(50));
    let report = scene.get(CRON_JOBS, "report");
    assert_eq!(text(&report, "status.lastScheduleTime"), "2026-05-20T18:00:00Z", "{report:#}");
    assert_eq!(scene.list(JOBS).len(), 4, "three that are done, and the one of 18:00: {report:#}");
    assert!(list(&report, "status.active").len() <= 1);
}

#[test]
fn a_service_knows_its_ready_pods_and_a_budget_counts_them() {
    let mut scene = scene(3);
    let mut shop = deployment("shop", 4, "200m");
    shop["spec"]["template"]["spec"]["containers"][0]["ports"] = json!([{"name": "http", "containerPort": 8080}]);
    scene.create(DEPLOYMENTS, shop);
    scene.create(
        SERVICES,
        json!({"apiVersion": "v1", "kind": "Service", "metadata": {"name": "shop", "namespace": "default"},
            "spec": {"selector": {"app": "shop"}, "ports": [{"name": "web", "port": 80, "targetPort": "http"}]}}),
    );
    scene.create(
        BUDGETS,
        json!({"apiVersion": "policy/v1", "kind": "PodDisruptionBudget", "metadata": {"name": "shop", "namespace": "default"},
            "spec": {"maxUnavailable": "25%", "selector": {"matchLabels": {"app": "shop"}}}}),
    );
    scene.rest(Span::minutes(2));
    let slice = scene.list(SLICES).remove(0);
    assert_eq!(entry(&slice, "metadata.labels", "kubernetes.io/service-name"), Some("shop"));
    assert_eq!(slice["ports"], json!([{"name": "web", "port": 8080, "protocol": "TCP"}]));
    let ready = |scene: &mut Scene| {
        let slice = scene.list(SLICES).remove(0);
        list(&slice, "endpoints").iter().filter(|one| super::read::yes(one, "conditions.ready")).count()
    };
    assert_eq!(ready(&mut scene), 4);
    let budget = scene.get(BUDGETS, "shop");
    assert_eq!((int(&budget, "status.desiredHealthy"), int(&budget, "status.disruptionsAllowed")), (Some(3), Some(1)));
    let victim = name(&scene.pods()[0]).to_owned();
    scene.delete(PODS, &victim);
    scene.rest(Span::millis(200));
    assert_eq!(ready(&mut scene), 3, "a leaving pod takes no new traffic");
    assert_eq!(int(&scene.get(BUDGETS, "shop"), "status.disruptionsAllowed"), Some(0));
    scene.rest(Span::minutes(1));
    assert_eq!(ready(&mut scene), 4);
    assert!(scene.pods().iter().all(|pod| labels(pod).contains_key("pod-template-hash") && !is_leaving(pod)));
}

#[test]
fn a_pod_grows_in_place_when_there_is_room() {
    let mut scene = scene(1);
    let pod = |name: &str| json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name, "namespace": "default"}, "spec": pod_spec("1")});
    scene.create(PODS, pod("grows"));
    scene.create(PODS, pod("goes"));
    scene.rest(Span::minutes(1));
    let grow = |scene: &mut Scene, cpu: &str| {
        let mut container = scene.get(PODS, "grows")["spec"]["containers"][0].clone();
        container["resources"]["requests"]["cpu"] = json!(cpu);
        scene.write(Write::Merge {
            resource: PODS,
            namespace: "default".into(),
            name: "grows".into(),
            subresource: "resize",
            patch: json!({"spec": {"containers": [container]}}),
        });
        scene.rest(Span::seconds(5));
        let pod = scene.get(PODS, "grows");
        let held = text(&pod, "status.containerStatuses").to_owned()
            + pod["status"]["containerStatuses"][0]["allocatedResources"]["cpu"].as_str().unwrap();
        (held, condition(&pod, "PodResizePending").map(|waits| text(waits, "reason").to_owned()))
    };
    assert_eq!(grow(&mut scene, "2"), ("2".into(), None));
    assert_eq!(grow(&mut scene, "3"), ("2".into(), Some("Deferred".into())));
    assert_eq!(grow(&mut scene, "9"), ("2".into(), Some("Infeasible".into())));
    assert_eq!(grow(&mut scene, "3"), ("2".into(), Some("Deferred".into())));
    scene.delete(PODS, "goes");
    scene.rest(Span::minutes(1));
    let pod = scene.get(PODS, "grows");
    assert_eq!(pod["status"]["containerStatuses"][0]["allocatedResources"]["cpu"], "3");
    assert_eq!(int(&list(&pod, "status.containerStatuses")[0], "restartCount"), Some(0));
}

#[test]
fn a_namespace_comes_with_an_account_and_a_quota_counts() {
    let mut scene = scene(2);
    scene.create(NAMESPACES, json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "team"}}));
    scene.create(
        QUOTAS,
        json!({"apiVersion": "v1", "kind": "ResourceQuota", "metadata": {"name": "q", "namespace": "default"},
            "spec": {"hard": {"pods": "10", "requests.cpu": "4"}}}),
    );
    scene.create(DEPLOYMENTS, deployment("shop", 3, "200m"));
    scene.rest(Span::minutes(1));
    assert!(scene.find(SERVICE_ACCOUNTS, "team", "default").is_some());
    let quota = scene.get(QUOTAS, "q");
    assert_eq!(
        (text(&quota, "status.used.pods"), quota["status"]["used"]["requests.cpu"].as_str()),
        ("3", Some("600m"))
    );
    assert!(!uid(&quota).is_empty());
}

#[test]
fn a_quota_is_counted_by_one_and_comes_to_rest() {
    let mut scene = scene(2);
    let hard = json!({"pods": "10", "count/configmaps": "9", "count/pods": "9", "services.nodeports": "3",
        "limits.memory": "4000M", "gold.storageclass.storage.k8s.io/requests.storage": "10Gi"});
    let quota = |name: &str, spec: Value| json!({"apiVersion": "v1", "kind": "ResourceQuota", "metadata": {"name": name, "namespace": "default"}, "spec": spec});
    scene.create(QUOTAS, quota("all", json!({"hard": hard})));
    scene.create(QUOTAS, quota("scoped", json!({"hard": {"pods": "4"}, "scopes": ["BestEffort"]})));
    let maps = Resource { group: "", plural: "configmaps" };
    let map = json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "m", "namespace": "default"}});
    scene.create(maps, map);
    let finished = json!({"restartPolicy": "Never", "containers": [{"name": "c", "image": "i:1",
        "resources": {"limits": {"memory": "500M"}}}]});
    let job = json!({"apiVersion": "batch/v1", "kind": "Job", "metadata": {"name": "j", "namespace": "default"},
        "spec": {"template": {"spec": finished}}});
    scene.create(JOBS, job);
    scene.rest(Span::minutes(10));
    let before = scene.api.resource_version();
    scene.rest(Span::minutes(10));
    assert_eq!(scene.api.resource_version(), before, "nobody writes what another one undoes");
    let used = scene.get(QUOTAS, "all")["status"]["used"].clone();
    assert_eq!(
        (&used["pods"], &used["count/pods"], &used["count/configmaps"]),
        (&json!("0"), &json!("1"), &json!("1"))
    );
    assert_eq!(scene.get(QUOTAS, "scoped")["status"]["used"]["pods"], "0");
}

#[test]
fn every_event_goes_after_its_hour_whoever_recorded_it() {
    let mut scene = scene(1);
    let events = Resource { group: "", plural: "events" };
    let event = json!({"apiVersion": "v1", "kind": "Event", "metadata": {"name": "e", "namespace": "default"},
        "involvedObject": {"kind": "Pod", "name": "p", "namespace": "default"}, "reason": "Told", "message": "by a client"});
    scene.create(events, event);
    scene.rest(Span::minutes(59));
    assert!(scene.find(events, "default", "e").is_some());
    scene.rest(Span::minutes(2));
    assert!(scene.find(events, "default", "e").is_none());
}
