//! The control plane can be hurt in every way that production hurts it, and goes on.
//!
//! Needs root and the programs of `e2e/tools/README.md`; without them it fails and says what to do.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use std::process::Command;
use std::time::Duration;

use anyhow::ensure;
use keelson_harness::tools::{self, Toolset};
use keelson_harness::{Cluster, Component, Config, wait};
use serde_json::{Value, json};

fn map(cluster: &Cluster, name: &str) {
    let map = json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name, "namespace": "default"}});
    cluster.apply(&map.to_string()).unwrap();
}

fn maps(cluster: &Cluster) -> String {
    let names = "--output=jsonpath={.items[*].metadata.name}";
    cluster.kubectl(&["get", "configmaps", "--namespace=default", names]).unwrap().replace("kube-root-ca.crt", "")
}

/// kubectl as somebody else, from this machine.
fn kubectl(kubeconfig: &std::path::Path, args: &[&str]) -> anyhow::Result<String> {
    let mut kubectl = Command::new(Toolset::Kubernetes.ready()?.join("kubectl"));
    kubectl.arg("--kubeconfig").arg(kubeconfig).args(args);
    tools::run(kubectl)
}

#[test]
fn it_crashes_stands_still_forgets_and_goes_back_in_time() {
    let config = Config { controllers: false, default_scheduler: false, ..Config::default() };
    let mut cluster = Cluster::start(config).unwrap_or_else(|error| panic!("{error:#}"));
    map(&cluster, "a");
    cluster.stop(Component::ApiServer).unwrap();
    assert!(cluster.kubectl(&["get", "--raw=/readyz"]).is_err());
    assert!(cluster.stop(Component::ApiServer).is_err(), "it is stopped");
    cluster.start_again(Component::ApiServer).unwrap();
    assert!(format!("{:#}", cluster.start_again(Component::ApiServer).unwrap_err()).contains("stop it first"));

    cluster.freeze(Component::ApiServer).unwrap();
    assert!(cluster.kubectl(&["get", "--raw=/readyz", "--request-timeout=2s"]).is_err());
    cluster.thaw(Component::ApiServer).unwrap();
    for _ in 0..5 {
        cluster.freeze(Component::Etcd).unwrap();
        cluster.thaw(Component::Etcd).unwrap();
    }
    wait::until("it goes on", Duration::from_secs(20), || cluster.kubectl(&["get", "--raw=/readyz"])).unwrap();

    let old = cluster.revision().unwrap();
    map(&cluster, "b");
    assert!(cluster.compact().unwrap() > old);
    cluster.stop(Component::ApiServer).unwrap();
    cluster.start_again(Component::ApiServer).unwrap();
    let watch = format!("/api/v1/configmaps?watch=true&timeoutSeconds=1&resourceVersion={old}");
    let answer = cluster.request("GET", &watch, &[], &[]).unwrap();
    let said: Value = serde_json::from_slice(&answer.body).unwrap();
    assert!(answer.status == 410 || said["object"]["code"] == 410, "{said}");

    let backup = cluster.back_up().unwrap();
    let then = cluster.revision().unwrap();
    (0..10).for_each(|n| map(&cluster, &format!("late-{n}")));
    let later = cluster.revision().unwrap();
    cluster.restore(&backup).unwrap();
    assert_eq!(maps(&cluster).split_whitespace().collect::<Vec<_>>(), ["a", "b"]);
    let now = cluster.revision().unwrap();
    assert!(then <= now && now < later, "revisions go back: {then}, {later}, {now}");
}

#[test]
fn certificates_and_tokens_are_replaced_while_it_runs() {
    let config = Config { default_scheduler: false, ..Config::default() };
    let mut cluster = Cluster::start(config).unwrap_or_else(|error| panic!("{error:#}"));
    let rules = [json!({"apiGroups": [""], "resources": ["pods"], "verbs": ["list"]})];
    let list = ["get", "pods", "--namespace=default"];
    let ada = cluster.certified_user("ada", &rules, Duration::from_secs(15)).unwrap();
    kubectl(&ada, &list).unwrap();
    assert!(kubectl(&ada, &["get", "secrets"]).is_err(), "she may no more than that");
    cluster.rotate_serving_certificate().unwrap();
    kubectl(&ada, &["version"]).unwrap();
    wait::until("her certificate runs out", Duration::from_secs(20), || {
        ensure!(kubectl(&ada, &list).is_err(), "she is let in");
        Ok(())
    })
    .unwrap();
    cluster.certify("ada", Duration::from_secs(600)).unwrap();
    kubectl(&ada, &list).unwrap();

    let bob = cluster.user_with_token_file("bob", &rules).unwrap();
    kubectl(&bob, &list).unwrap();
    let fresh = cluster.revoke_tokens("bob").unwrap();
    wait::until("his token is worthless", Duration::from_secs(20), || {
        ensure!(kubectl(&bob, &list).is_err(), "it is taken");
        Ok(())
    })
    .unwrap();
    std::fs::write(cluster.token_file("bob"), fresh).unwrap();
    kubectl(&bob, &list).unwrap();
    cluster.stop(Component::ApiServer).unwrap();
    cluster.start_again(Component::ApiServer).unwrap();
    kubectl(&bob, &list).unwrap();
}
