//! A cluster of pretended nodes does what a cluster does, and is gone afterwards.
//!
//! Needs root and the programs of `e2e/tools/README.md`; without them it fails and says what to do.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Duration;

use keelson_harness::cluster::wait_for_nodes;
use keelson_harness::{Cluster, Config};

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
    let traces = cluster.traces();
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
fn a_test_that_panics_leaves_its_logs_and_nothing_else() {
    let mut traces = None;
    let outcome = catch_unwind(AssertUnwindSafe(|| {
        let cluster = start(Config { default_scheduler: false, ..Config::default() });
        traces = Some(cluster.traces());
        panic!("on purpose");
    }));
    assert_eq!(outcome.unwrap_err().downcast_ref::<&str>(), Some(&"on purpose"));
    let traces = traces.unwrap();
    assert_eq!(traces.leftovers().unwrap(), vec![format!("files in {}", traces.folder().display())]);
    assert!(traces.folder().join("logs/kube-apiserver.log").is_file());
    assert!(!traces.folder().join("state").exists());
    std::fs::remove_dir_all(traces.folder()).unwrap();
}
