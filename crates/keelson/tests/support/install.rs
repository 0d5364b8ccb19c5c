//! Keelson's definitions, Platform and rights in a real cluster.

use std::path::PathBuf;
use std::process::Command;

use keelson::permissions;
use keelson_core::Mode;
use keelson_harness::Cluster;
use keelson_runtime::Scope;
use serde_json::{Value, json};

use super::KEELSON;

/// Lets Keelson schedule in a cluster; a kubeconfig with its rights and no more.
pub fn install(cluster: &Cluster) -> PathBuf {
    let crds = Command::new(KEELSON).arg("crds").output().unwrap();
    cluster.apply(&String::from_utf8(crds.stdout).unwrap()).unwrap();
    cluster.kubectl(&["wait", "--for=condition=Established", "crd", "--all", "--timeout=20s"]).unwrap();
    let platform = json!({"apiVersion": "keelson.dev/v1alpha1", "kind": "Platform", "metadata": {"name": "default"},
        "spec": {"features": {"scheduling": {"mode": "Enforce", "settings": {"layout": "Shared", "headroomPercent": 0}}}}});
    let namespace = json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "keelson-system"}});
    for object in [namespace, platform] {
        cluster.apply(&object.to_string()).unwrap();
    }
    cluster.user("keelson", &rules()).unwrap()
}

/// The rights of a controller that may enforce.
pub fn rules() -> Vec<Value> {
    let needed = permissions::controller(Mode::Enforce);
    let rules = [Scope::Cluster, Scope::Own].into_iter().flat_map(|scope| needed.clone().policy_rules(scope));
    rules.map(|rule| serde_json::to_value(rule).unwrap()).collect()
}
