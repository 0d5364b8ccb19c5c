//! A cluster of pretended nodes does what a cluster does, and is gone afterwards.
//!
//! Needs root and the programs of `e2e/tools/README.md`; without them it fails and says what to do.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::process::Command;
use std::time::Duration;

use keelson_harness::cluster::wait_for_nodes;
use keelson_harness::tools::Toolset;
use keelson_harness::{Cluster, Config};
use serde_json::{Value, json};

const DEPLOYMENT: &str = "
apiVersion: apps/v1
kind: Deployment
metadata: {name: web, namespace: default}
spec:
  replicas: 20
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec:
      containers: [{name: web, image: keelson.local/web:1, resources: {requests: {cpu: 100m}}}]
";

fn start(config: Config) -> Cluster {
    Cluster::start(config).unwrap_or_else(|error| panic!("{error:#}"))
}

#[test]
fn ten_nodes_run_a_deployment_and_nothing_stays_behind() {
    let cluster = start(Config { kwok_nodes: 10, ..Config::default() });
    let traces = cluster.traces().unwrap();
    wait_for_nodes(&cluster, 10, Duration::from_secs(30)).unwrap();

    cluster.apply(DEPLOYMENT).unwrap();
    cluster.kubectl(&["rollout", "status", "deployment/web", "--timeout=60s"]).unwrap();
    let nodes =
        cluster.kubectl(&["get", "pods", "--selector=app=web", "--output=jsonpath={.items[*].spec.nodeName}"]).unwrap();
    assert_eq!(nodes.split_whitespace().filter(|node| node.starts_with("kwok-")).count(), 20, "{nodes}");

    let routes = cluster.command("ip").args(["route", "get", "192.0.2.1"]).output().unwrap();
    assert!(!routes.status.success(), "the cluster has a route out: {}", String::from_utf8_lossy(&routes.stdout));
    assert!(!traces.leftovers().unwrap().is_empty(), "a running cluster shows in its traces");

    drop(cluster);
    assert_eq!(traces.leftovers().unwrap(), Vec::<String>::new());
}

#[test]
fn a_user_may_what_its_rules_say_and_no_more_from_this_machine() {
    let cluster = start(Config { default_scheduler: false, ..Config::default() });
    let rules = [json!({"apiGroups": [""], "resources": ["pods"], "verbs": ["list"]})];
    let kubeconfig = cluster.user("reader", &rules).unwrap();
    let kubectl = |args: &[&str]| {
        let program = Toolset::Kubernetes.ready().unwrap().join("kubectl");
        let output = Command::new(program).arg("--kubeconfig").arg(&kubeconfig).args(args).output().unwrap();
        (output.status.success(), String::from_utf8_lossy(&output.stderr).into_owned())
    };
    assert_eq!(kubectl(&["get", "pods"]), (true, "No resources found in default namespace.\n".into()));
    let (allowed, said) = kubectl(&["get", "secrets"]);
    assert!(!allowed && said.contains("Forbidden"), "{said}");

    // What was asked is in the log by the time it is answered, with who asked and what was decided.
    let asked: Vec<(Value, Value, Value)> = cluster
        .audited()
        .unwrap()
        .into_iter()
        .filter(|event| event["user"]["username"] == "system:serviceaccount:default:reader")
        .filter(|event| event["userAgent"].as_str().is_some_and(|agent| agent.starts_with("kubectl/")))
        .filter(|event| !event["objectRef"].is_null())
        .map(|event| {
            let decision = event["annotations"]["authorization.k8s.io/decision"].clone();
            (event["verb"].clone(), event["objectRef"]["resource"].clone(), decision)
        })
        .collect();
    let expected = [("list", "pods", "allow"), ("list", "secrets", "forbid")];
    assert_eq!(asked, expected.map(|(verb, resource, decision)| (json!(verb), json!(resource), json!(decision))));
}

#[test]
fn an_exchange_returns_status_headers_and_body_as_the_server_sent_them() {
    let cluster = start(Config { default_scheduler: false, ..Config::default() });
    let json = [("Content-Type", "application/json")];
    let map = json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "a"}}).to_string();
    let maps = "/api/v1/namespaces/default/configmaps";
    let made = cluster.request("POST", maps, &json, map.as_bytes()).unwrap();
    assert_eq!((made.status, made.header("content-type")), (201, Some("application/json")));
    let body: Value = serde_json::from_slice(&made.body).unwrap();
    assert_eq!(body["metadata"]["name"], "a");
    assert_eq!(cluster.request("POST", maps, &json, map.as_bytes()).unwrap().status, 409);
    assert_eq!(cluster.request("GET", &format!("{maps}/b"), &[], &[]).unwrap().status, 404);
    assert_eq!(cluster.request("GET", maps, &[("Authorization", "Bearer nobody")], &[]).unwrap().status, 401);
    let patch = [("Content-Type", "application/merge-patch+json")];
    let patched = cluster.request("PATCH", &format!("{maps}/a"), &patch, br#"{"data":{"k":"v"}}"#).unwrap();
    assert_eq!(patched.status, 200);
    assert_eq!(cluster.request("DELETE", &format!("{maps}/a"), &[], &[]).unwrap().status, 200);
}

#[test]
fn a_test_that_panics_leaves_its_logs_and_nothing_else() {
    let mut traces = None;
    let outcome = catch_unwind(AssertUnwindSafe(|| {
        let cluster = start(Config { default_scheduler: false, ..Config::default() });
        traces = Some(cluster.traces().unwrap());
        panic!("on purpose");
    }));
    assert_eq!(outcome.unwrap_err().downcast_ref::<&str>(), Some(&"on purpose"));
    let traces = traces.unwrap();
    assert_eq!(traces.leftovers().unwrap(), vec![format!("files in {}", traces.folder().display())]);
    assert!(traces.folder().join("logs/kube-apiserver.log").is_file());
    assert!(!traces.folder().join("state").exists());
    std::fs::remove_dir_all(traces.folder()).unwrap();
}
