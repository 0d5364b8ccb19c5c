//! The bully let loose on a real control plane.
#![allow(dead_code, clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]
#![allow(clippy::disallowed_methods, reason = "a test that waits for real processes waits in real time")]

use std::ops::Range;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use keelson_core::Mode;
use keelson_harness::{Cluster, Config};
use keelson_runtime::{Permissions, Scope};
use serde_json::{Value, json};

/// Workloads at first, and pods of each.
pub const WORKLOADS: usize = 10;
#[allow(missing_docs)]
pub const REPLICAS: usize = 10;

/// The bully in a process of its own; told to stop when dropped.
pub struct Loose(pub Child);

impl Loose {
    /// Lets one loose.
    pub fn on(kubeconfig: &Path, identity: &str, environment: &[(&str, &str)]) -> Self {
        let mut bully = Command::new(env!("CARGO_BIN_EXE_keelson-bully"));
        bully.arg(kubeconfig).arg(identity).envs(environment.iter().copied());
        Self(bully.stdin(Stdio::null()).spawn().unwrap())
    }
}

impl Drop for Loose {
    fn drop(&mut self) {
        let _ = Command::new("kill").arg(self.0.id().to_string()).status();
        let _ = self.0.wait();
    }
}

/// Waits until something is so, and says how long that took.
pub fn until(what: &str, seconds: u64, mut check: impl FnMut() -> bool) {
    let began = Instant::now();
    while !check() {
        assert!(began.elapsed() < Duration::from_secs(seconds), "not within {seconds} s: {what}");
        std::thread::sleep(Duration::from_millis(200));
    }
    println!("after {:.1} s: {what}", began.elapsed().as_secs_f64());
}

/// Ten workloads of ten pods that all run, and a Platform that lets features act.
pub fn cluster() -> Cluster {
    let cluster = Cluster::start(Config { kwok_nodes: 10, ..Config::default() }).unwrap();
    cluster.apply(&json!(keelson_api::crds::all().remove(0)).to_string()).unwrap();
    cluster.kubectl(&["wait", "--for=condition=Established", "crd/platforms.keelson.dev", "--timeout=20s"]).unwrap();
    cluster
        .apply(&json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "keelson-system"}}).to_string())
        .unwrap();
    let spec = json!({"features": {"scheduling": {"mode": "Enforce"}}});
    let platform = json!({"apiVersion": "keelson.dev/v1alpha1", "kind": "Platform", "metadata": {"name": "default"}, "spec": spec});
    cluster.apply(&platform.to_string()).unwrap();
    open_shops(&cluster, 0..WORKLOADS);
    cluster
}

/// More workloads, until all their pods run.
pub fn open_shops(cluster: &Cluster, numbers: Range<usize>) {
    let pods = numbers.end * REPLICAS;
    let shops: Vec<Value> = numbers.map(|shop| deployment(&format!("shop-{shop}"))).collect();
    cluster.apply(&json!({"apiVersion": "v1", "kind": "List", "items": shops}).to_string()).unwrap();
    until("every pod runs", 90, || {
        let running = ["get", "pods", "--field-selector=status.phase=Running", "--output=name"];
        cluster.kubectl(&running).unwrap().lines().count() == pods
    });
}

fn deployment(name: &str) -> Value {
    let container = json!({"name": "main", "image": "shop:1", "resources": {"requests": {"cpu": "100m"}}});
    let template = json!({"metadata": {"labels": {"app": name}}, "spec": {"containers": [container]}});
    let spec = json!({"replicas": REPLICAS, "selector": {"matchLabels": {"app": name}}, "template": template});
    json!({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"namespace": "default", "name": name}, "spec": spec})
}

/// How many evictions were answered so: accepted, or refused.
pub fn evictions(cluster: &Cluster, accepted: bool) -> usize {
    evictions_in(&cluster.audited().unwrap(), accepted)
}

/// The same in what was read of an audit log.
pub fn evictions_in(audited: &[Value], accepted: bool) -> usize {
    let evictions = audited.iter().filter(|asked| asked["objectRef"]["subresource"] == "eviction");
    evictions.filter(|asked| (asked["responseStatus"]["code"].as_u64() < Some(300)) == accepted).count()
}

/// All that the runtime declares, and evictions when it may evict.
pub fn rules(evict: bool) -> Vec<Value> {
    let declared = Permissions::runtime(Mode::Enforce);
    let both = [Scope::Cluster, Scope::Own].into_iter().flat_map(|scope| declared.clone().policy_rules(scope));
    let mut rules: Vec<Value> = both.map(|rule| json!(rule)).collect();
    if evict {
        rules.push(json!({"apiGroups": [""], "resources": ["pods/eviction"], "verbs": ["create"]}));
    }
    rules
}
