//! The controller while its control plane is hurt: the API server crashes, stands still and forgets, the Lease is deleted.
//!
//! Needs root and Go, as every test of the real cluster does. The API server's audit log is the judge.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]
#![allow(clippy::disallowed_methods, reason = "a test that waits for real processes waits in real time")]

#[path = "support/binding.rs"]
mod binding;
mod support;

use std::time::Duration;

use binding::{Controller, HARMLESS, bound_at_most_once, cluster, job, late, lease, running, unfenced};
use keelson_harness::{Cluster, Component};
use keelson_runtime::user_agent::PRODUCT;
use nix::sys::signal::Signal;
use serde_json::Value;
use support::until;

/// What the installation wishes for, otherwise than the Platform is.
const WISH: &str = "apiVersion: keelson.dev/v1alpha1\nkind: Platform\nmetadata: {name: default}\n\
    spec: {features: {scheduling: {mode: Enforce, settings: {podMaxBackoffSeconds: 20}}}}\n";

/// Leadership that is lost soon, and soon had again.
const BRIEF: [&str; 6] = [
    "--leader-elect-lease-duration",
    "5s",
    "--leader-elect-renew-deadline",
    "4s",
    "--leader-elect-retry-period",
    "500ms",
];

/// More work, until the controller is in the middle of it.
fn busy(cluster: &Cluster, pods: usize) {
    let before = running(cluster);
    job(cluster, pods);
    until("it is in the middle of binding", 60, || (running(cluster) > before + 20).then_some(()));
}

/// How often the controller has listed every pod.
fn lists(cluster: &Cluster) -> usize {
    let asked = cluster.audited().unwrap().into_iter();
    let ours = |event: &Value| event["userAgent"].as_str().is_some_and(|agent| agent.starts_with(PRODUCT));
    asked.filter(|event| ours(event) && event["verb"] == "list" && event["objectRef"]["resource"] == "pods").count()
}

#[test]
fn whatever_the_control_plane_does_every_pod_is_bound_once_and_the_trouble_is_shown() {
    let (mut cluster, kubeconfig) = cluster(20);
    let folder = tempfile::tempdir().unwrap();
    let wish = folder.path().join("platform.yaml");
    std::fs::write(&wish, WISH).unwrap();
    let mut args = vec!["--initial-platform", wish.to_str().unwrap()];
    args.extend(BRIEF);
    let controller = Controller::start(&kubeconfig, folder.path(), "a", &[], &args);
    until("it leads", 30, || (lease(&cluster).0 == "a").then_some(()));
    let differs = "--output=jsonpath={.status.conditions[?(@.type==\"ValuesDiffer\")].message}";
    let platform = || cluster.kubectl(&["get", "platform", "default", differs]).unwrap_or_default();
    until("the wish is compared", 30, || platform().contains("podMaxBackoffSeconds").then_some(()));

    busy(&cluster, 150);
    cluster.stop(Component::ApiServer).unwrap();
    controller.says_api(false);
    cluster.start_again(Component::ApiServer).unwrap();
    controller.says_api(true);
    until("it binds again", 45, || (running(&cluster) == 150).then_some(()));

    // Connections stay open, and what was asked is carried out long after whoever asked has given up.
    busy(&cluster, 300);
    cluster.freeze(Component::ApiServer).unwrap();
    controller.says_api(false);
    std::thread::sleep(Duration::from_secs(8));
    cluster.thaw(Component::ApiServer).unwrap();
    controller.says_api(true);
    until("it binds again", 60, || (running(&cluster) == 300).then_some(()));

    // The API server answers from what it remembers, and that lags behind.
    busy(&cluster, 350);
    cluster.freeze(Component::Etcd).unwrap();
    std::thread::sleep(Duration::from_secs(8));
    cluster.thaw(Component::Etcd).unwrap();
    until("it binds again", 60, || (running(&cluster) == 350).then_some(()));

    // What its watches have not seen is forgotten by the time they ask for it.
    busy(&cluster, 400);
    controller.signal(Signal::SIGSTOP);
    for value in ["much=happens", "much=happened"] {
        cluster.kubectl(&["label", "--overwrite", "nodes", "--all", value]).unwrap();
    }
    cluster.compact().unwrap();
    cluster.stop(Component::ApiServer).unwrap();
    cluster.start_again(Component::ApiServer).unwrap();
    let listed = lists(&cluster);
    controller.signal(Signal::SIGCONT);
    until("it lists again what it has missed", 30, || (lists(&cluster) > listed).then_some(()));
    until("it binds again", 45, || (running(&cluster) == 400).then_some(()));

    busy(&cluster, 500);
    let (_, fence) = lease(&cluster);
    cluster.kubectl(&["delete", "lease", "keelson-scheduling", "--namespace=keelson-system"]).unwrap();
    until("it leads under a higher number", 45, || (lease(&cluster).1 > fence).then_some(()));
    until("it binds again", 45, || (running(&cluster) == 500).then_some(()));

    cluster.kubectl(&["delete", "platform", "default"]).unwrap();
    let there = || cluster.kubectl(&["get", "platform", "default"]).ok();
    until("the Platform is made again", 30, there);

    // Whoever knew the number is gone with the Lease that told it.
    let (_, fence) = lease(&cluster);
    controller.tells_all(&cluster);
    drop(controller);
    cluster.kubectl(&["delete", "lease", "keelson-scheduling", "--namespace=keelson-system"]).unwrap();
    let controller = Controller::start(&kubeconfig, folder.path(), "a", &[], &args);
    until("another leads under a higher number", 30, || (lease(&cluster).1 > fence).then_some(()));

    assert_eq!(unfenced(&cluster), Vec::<String>::new(), "every write of a leader shows its fence");
    bound_at_most_once(&cluster);
    controller.tells_all(&cluster);
    let harmful = late(&cluster).into_iter().find(|what| !HARMLESS.iter().any(|(harmless, _)| harmless == what));
    assert_eq!(harmful, None);
    cluster.asked_only_what_is_known_though_hurt().unwrap_or_else(|error| panic!("{error:#}"));
}
