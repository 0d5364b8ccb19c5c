//! Online Boutique on a real cluster: real kubelets run the pods, Keelson places them with only the rights it declares.
//!
//! Needs root and Go, as every test of the real cluster does.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod support;

use std::process::Command;

use keelson_harness::{Cluster, Config};
use serde_json::{Value, json};
use support::install::rules;
use support::{BOUTIQUE, KEELSON, Up, until};

const APP: &str = include_str!("../../../e2e/apps/online-boutique/app.yaml");

fn boutique() -> String {
    APP.replace("\n    spec:\n", "\n    spec:\n      schedulerName: keelson\n")
}

#[test]
fn online_boutique_runs_on_a_real_cluster_through_keelson() {
    let cluster = Cluster::start(Config { real_nodes: 2, kwok_nodes: 10, ..Config::default() }).unwrap();
    let crds = Command::new(KEELSON).arg("crds").output().unwrap();
    cluster.apply(&String::from_utf8(crds.stdout).unwrap()).unwrap();
    cluster.kubectl(&["wait", "--for=condition=Established", "crd/platforms.keelson.dev", "--timeout=20s"]).unwrap();
    cluster
        .apply(
            "apiVersion: v1\nkind: Namespace\nmetadata: {name: keelson-system}\n---\napiVersion: keelson.dev/v1alpha1\n\
             kind: Platform\nmetadata: {name: default}\nspec: {features: {scheduling: {mode: Enforce}}}\n",
        )
        .unwrap();
    let refused =
        cluster.apply("apiVersion: keelson.dev/v1alpha1\nkind: Platform\nmetadata: {name: other}\nspec: {}\n");
    assert!(format!("{refused:?}").contains("there is one Platform in a cluster"), "{refused:?}");
    let kubeconfig = cluster.user("keelson", &rules()).unwrap();
    let up = Up::start(&["--kubeconfig", kubeconfig.to_str().unwrap()]);

    // The shop goes to real kubelets; what tolerates the taint may go to pretended ones.
    cluster.kubectl(&["taint", "nodes", "--selector=type=kwok", "pretended=true:NoSchedule"]).unwrap();
    cluster.stand_in(APP).unwrap();
    cluster.apply(&boutique()).unwrap();
    cluster
        .apply(
            &json!({"apiVersion": "v1", "kind": "List", "items": [
                {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"namespace": "online-boutique", "name": "batch"},
                 "spec": {"replicas": 20, "selector": {"matchLabels": {"app": "batch"}},
                    "template": {"metadata": {"labels": {"app": "batch"}}, "spec": {"schedulerName": "keelson",
                        "tolerations": [{"key": "pretended", "operator": "Exists"}],
                        "nodeSelector": {"type": "kwok"},
                        "containers": [{"name": "c", "image": "shop/batch:1",
                            "resources": {"requests": {"cpu": "1", "memory": "1Gi"}}}]}}}},
                {"apiVersion": "v1", "kind": "Pod", "metadata": {"namespace": "online-boutique", "name": "too-large"},
                 "spec": {"schedulerName": "keelson", "containers": [{"name": "c", "image": "shop/large:1",
                    "resources": {"requests": {"cpu": "900"}}}]}},
                {"apiVersion": "v1", "kind": "Pod", "metadata": {"namespace": "online-boutique", "name": "with-claim"},
                 "spec": {"schedulerName": "keelson", "containers": [{"name": "c", "image": "shop/claim:1"}],
                    "volumes": [{"name": "d", "persistentVolumeClaim": {"claimName": "d"}}]}},
            ]})
            .to_string(),
        )
        .unwrap();

    let pods = || -> Vec<Value> {
        let list = cluster.kubectl(&["get", "pods", "-n", "online-boutique", "-o", "json"]).unwrap();
        serde_json::from_str::<Value>(&list).unwrap()["items"].as_array().unwrap().clone()
    };
    for service in BOUTIQUE {
        let pod = until(&format!("{service} is Running"), 90, || {
            pods()
                .into_iter()
                .find(|pod| pod["metadata"]["labels"]["app"] == service && pod["status"]["phase"] == "Running")
        });
        let (name, node) = (pod["metadata"]["name"].as_str().unwrap(), pod["spec"]["nodeName"].as_str().unwrap());
        assert!(!node.starts_with("kwok"), "{name} is on {node}");
        let subject = format!("pod/{name}");
        let placed = until("its decision", 20, || {
            let found = up.decisions(&["-n", "online-boutique", "--subject", &subject]);
            found.into_iter().find(|decision| decision["verb"] == "Place" && decision["outcome"] == "Done")
        });
        assert_eq!(placed["chosen"], node, "{placed:#}");
        let (why, code) = up.ask(&["why", &subject, "-n", "online-boutique"]);
        assert!(code == 0 && why.contains(node), "{why}");
    }
    until("twenty pods run on pretended nodes", 60, || {
        let batch = pods().into_iter().filter(|pod| pod["metadata"]["labels"]["app"] == "batch");
        let running = batch.filter(|pod| pod["status"]["phase"] == "Running");
        let pretended = running.filter(|pod| pod["spec"]["nodeName"].as_str().is_some_and(|n| n.starts_with("kwok")));
        (pretended.count() == 20).then_some(())
    });
    for (name, reason, words) in [
        ("too-large", "Unschedulable", "short "),
        ("with-claim", "Unschedulable", "claim online-boutique/d does not exist"),
    ] {
        let subject = format!("pod/{name}");
        let decision = until(name, 30, || {
            up.decisions(&["-n", "online-boutique", "--subject", &subject, "--reason", reason]).into_iter().next()
        });
        assert!(decision.to_string().contains(words), "{decision:#}");
        let pod = pods().into_iter().find(|pod| pod["metadata"]["name"] == name).unwrap();
        assert_eq!(pod["status"]["phase"], "Pending");
    }
    makes_room(&cluster, &up);
    finds_volumes(&cluster);
    // Nothing was asked for that the declared rights do not hold.
    let account = "system:serviceaccount:default:keelson";
    let asked = cluster.audited().unwrap().into_iter().filter(|event| event["user"]["username"] == account);
    let (refused, allowed): (Vec<Value>, Vec<Value>) =
        asked.partition(|event| event["annotations"]["authorization.k8s.io/decision"] == "forbid");
    let refused: Vec<&Value> = refused.iter().map(|event| &event["requestURI"]).collect();
    assert!(refused.is_empty() && allowed.len() > 50, "{refused:?} of {}", allowed.len());
    let (said, code) = up.ask(&["doctor", "--ceiling", "Enforce", "--kubeconfig", kubeconfig.to_str().unwrap()]);
    assert!(said.contains("ok    permissions"), "{said} ({code})");
    cluster.asked_only_what_is_known().unwrap_or_else(|error| panic!("{error:#}"));
}

/// A pod of higher priority takes the place of one of lower priority on the only node where it may run.
fn makes_room(cluster: &Cluster, up: &Up) {
    let names = ["get", "nodes", "--selector=type=kwok", "-o", "jsonpath={.items[0].metadata.name}"];
    let node = cluster.kubectl(&names).unwrap();
    let taking_the_port = |name: &str, class: &str| {
        json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"namespace": "online-boutique", "name": name},
            "spec": {"schedulerName": "keelson", "priorityClassName": class,
                "nodeSelector": {"kubernetes.io/hostname": node.trim()},
                "tolerations": [{"key": "pretended", "operator": "Exists"}],
                "containers": [{"name": "c", "image": "shop/port:1",
                    "ports": [{"containerPort": 80, "hostPort": 9_999}]}]}})
    };
    let class = |name: &str, value: i32| json!({"apiVersion": "scheduling.k8s.io/v1", "kind": "PriorityClass", "metadata": {"name": name}, "value": value});
    let spare = [class("spare", -10), class("urgent", 1_000), taking_the_port("spare", "spare")];
    cluster.apply(&json!({"apiVersion": "v1", "kind": "List", "items": spare}).to_string()).unwrap();
    let on = |name: &str| {
        let path = "jsonpath={.spec.nodeName}";
        cluster.kubectl(&["get", "pod", name, "-n", "online-boutique", "-o", path]).ok().filter(|on| *on == node)
    };
    until("the spare pod is placed", 30, || on("spare"));
    cluster.apply(&taking_the_port("urgent", "urgent").to_string()).unwrap();
    until("the urgent pod has its room", 60, || on("urgent"));
    assert!(cluster.kubectl(&["get", "pod", "spare", "-n", "online-boutique"]).is_err(), "the spare pod is gone");
    let told = |verb: &str| {
        until(verb, 20, || {
            let found = up.decisions(&["-n", "online-boutique", "--subject", "pod/urgent"]);
            found.into_iter().find(|decision| decision["verb"] == verb && decision["outcome"] == "Done")
        })
    };
    let (evicted, placed) = (told("Preempt"), told("Place"));
    assert!(
        evicted["sentence"].as_str().unwrap().contains("evicting online-boutique/spare (priority -10)"),
        "{evicted:#}"
    );
    assert_eq!((&placed["reason"], &placed["chosen"]), (&json!("RoomMade"), &json!(node)), "{placed:#}");
    assert!(placed["causes"].as_array().unwrap().contains(&evicted["id"]), "{placed:#}");
}

/// A claim gets the volume at hand, and its pod the node of that. For a claim whose volume is made, whoever makes it is told
/// where.
fn finds_volumes(cluster: &Cluster) {
    let names = ["get", "nodes", "--selector=type=kwok", "-o", "jsonpath={.items[1].metadata.name}"];
    let node = cluster.kubectl(&names).unwrap();
    let class = |name: &str, provisioner: &str| {
        json!({"apiVersion": "storage.k8s.io/v1", "kind": "StorageClass", "metadata": {"name": name},
            "provisioner": provisioner, "volumeBindingMode": "WaitForFirstConsumer"})
    };
    let there = json!([{"matchExpressions": [{"key": "kubernetes.io/hostname", "operator": "In", "values": [node]}]}]);
    let disk = json!({"apiVersion": "v1", "kind": "PersistentVolume", "metadata": {"name": "disk"}, "spec": {
        "capacity": {"storage": "5Gi"}, "accessModes": ["ReadWriteOnce"], "storageClassName": "at-hand",
        "local": {"path": "/disk"}, "nodeAffinity": {"required": {"nodeSelectorTerms": there}}}});
    let claim = |class: &str| {
        json!({"apiVersion": "v1", "kind": "PersistentVolumeClaim",
            "metadata": {"namespace": "online-boutique", "name": class},
            "spec": {"storageClassName": class, "accessModes": ["ReadWriteOnce"],
                "resources": {"requests": {"storage": "1Gi"}}}})
    };
    let pod = |class: &str| {
        json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"namespace": "online-boutique", "name": class},
            "spec": {"schedulerName": "keelson", "tolerations": [{"key": "pretended", "operator": "Exists"}],
                "containers": [{"name": "c", "image": "shop/disk:1"}],
                "volumes": [{"name": "d", "persistentVolumeClaim": {"claimName": class}}]}})
    };
    let (at_hand, made) = (class("at-hand", "kubernetes.io/no-provisioner"), class("made", "nobody.example.com"));
    let items = [at_hand, made, disk, claim("at-hand"), claim("made"), pod("at-hand"), pod("made")];
    cluster.apply(&json!({"apiVersion": "v1", "kind": "List", "items": items}).to_string()).unwrap();
    let of = |kind: &str, name: &str, path: &str| {
        let asked = ["get", kind, name, "-n", "online-boutique", "-o", path];
        cluster.kubectl(&asked).ok().filter(|text| !text.is_empty())
    };
    let bound = until("the pod is where its disk is", 60, || of("pod", "at-hand", "jsonpath={.spec.nodeName}"));
    assert_eq!(bound, node);
    assert_eq!(of("pvc", "at-hand", "jsonpath={.spec.volumeName}").as_deref(), Some("disk"));
    let selected = r"jsonpath={.metadata.annotations.volume\.kubernetes\.io/selected-node}";
    until("it is said where the volume is wanted", 60, || of("pvc", "made", selected));
    assert_eq!(of("pod", "made", "jsonpath={.spec.nodeName}"), None, "the pod waits for its volume");
}
