//! How far a feature that evicts everything gets, on a real control plane: its audit log is the judge.
//!
//! Needs root and Go, as every test of the real cluster does.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]
#![allow(clippy::disallowed_methods, reason = "a test that waits for real processes waits in real time")]

use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use keelson_core::Mode;
use keelson_harness::{Cluster, Config};
use keelson_runtime::{Permissions, Scope};
use serde_json::{Value, json};

const WORKLOADS: usize = 10;
const REPLICAS: usize = 10;

/// The bully in a process of its own; killed when dropped.
struct Loose(Child);

impl Loose {
    fn on(kubeconfig: &Path, identity: &str) -> Self {
        let mut bully = Command::new(env!("CARGO_BIN_EXE_keelson-bully"));
        Self(bully.arg(kubeconfig).arg(identity).stdin(Stdio::null()).spawn().unwrap())
    }
}

impl Drop for Loose {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn until(what: &str, seconds: u64, mut check: impl FnMut() -> bool) {
    let end = Instant::now() + Duration::from_secs(seconds);
    while !check() {
        assert!(Instant::now() < end, "not within {seconds} s: {what}");
        std::thread::sleep(Duration::from_millis(200));
    }
}

/// Ten workloads of ten pods that all run, and a Platform that lets features act.
fn cluster() -> Cluster {
    let cluster = Cluster::start(Config { kwok_nodes: 10, ..Config::default() }).unwrap();
    cluster.apply(&json!(keelson_api::crds::all().remove(0)).to_string()).unwrap();
    cluster.kubectl(&["wait", "--for=condition=Established", "crd/platforms.keelson.dev", "--timeout=20s"]).unwrap();
    cluster
        .apply(&json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "keelson-system"}}).to_string())
        .unwrap();
    let spec = json!({"features": {"scheduling": {"mode": "Enforce"}}});
    let platform = json!({"apiVersion": "keelson.dev/v1alpha1", "kind": "Platform", "metadata": {"name": "default"}, "spec": spec});
    cluster.apply(&platform.to_string()).unwrap();
    let shops: Vec<Value> = (0..WORKLOADS).map(|shop| deployment(&format!("shop-{shop}"))).collect();
    cluster.apply(&json!({"apiVersion": "v1", "kind": "List", "items": shops}).to_string()).unwrap();
    until("every pod runs", 90, || {
        let running = ["get", "pods", "--field-selector=status.phase=Running", "--output=name"];
        cluster.kubectl(&running).unwrap().lines().count() == WORKLOADS * REPLICAS
    });
    cluster
}

fn deployment(name: &str) -> Value {
    let container = json!({"name": "main", "image": "shop:1", "resources": {"requests": {"cpu": "100m"}}});
    let template = json!({"metadata": {"labels": {"app": name}}, "spec": {"containers": [container]}});
    let spec = json!({"replicas": REPLICAS, "selector": {"matchLabels": {"app": name}}, "template": template});
    json!({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"namespace": "default", "name": name}, "spec": spec})
}

/// How many evictions were answered so: accepted, or refused.
fn evictions(cluster: &Cluster, accepted: bool) -> usize {
    let asked = cluster.audited().unwrap().into_iter();
    let evictions = asked.filter(|asked| asked["objectRef"]["subresource"] == "eviction");
    evictions.filter(|asked| (asked["responseStatus"]["code"].as_u64() < Some(300)) == accepted).count()
}

#[test]
fn gate_pause_and_breaker_stop_it() {
    let cluster = cluster();
    // All that the runtime declares, and evictions.
    let rules = |evict: bool| {
        let declared = Permissions::runtime(Mode::Enforce);
        let both = [Scope::Cluster, Scope::Own].into_iter().flat_map(|scope| declared.clone().policy_rules(scope));
        let mut rules: Vec<Value> = both.map(|rule| json!(rule)).collect();
        if evict {
            rules.push(json!({"apiGroups": [""], "resources": ["pods/eviction"], "verbs": ["create"]}));
        }
        rules
    };
    let kubeconfig = cluster.user("bully", &rules(true)).unwrap();
    let loose = Loose::on(&kubeconfig, "one");
    until("it evicts", 60, || evictions(&cluster, true) > 0);
    std::thread::sleep(Duration::from_secs(20));
    // Each workload rests a minute, and a tenth of the cluster may be away.
    let taken = evictions(&cluster, true);
    assert!(taken <= WORKLOADS, "{taken} pods within 20 s");

    let pause = |paused: bool| {
        let patch = json!({"spec": {"features": {"scheduling": {"paused": paused}}}}).to_string();
        cluster.kubectl(&["patch", "platform", "default", "--type=merge", "--patch", &patch]).unwrap();
    };
    pause(true);
    std::thread::sleep(Duration::from_secs(1));
    let by_then = evictions(&cluster, true);
    // Long enough for every workload to have rested.
    std::thread::sleep(Duration::from_secs(65));
    assert_eq!(evictions(&cluster, true), by_then, "a pause stops it within a second");
    pause(false);
    until("it goes on", 30, || evictions(&cluster, true) > by_then);
    drop(loose);

    // Where evictions are forbidden, it is stopped before it has asked for every pod.
    let kubeconfig = cluster.user("powerless", &rules(false)).unwrap();
    let _loose = Loose::on(&kubeconfig, "two");
    let open = || {
        let said = cluster.kubectl(&["get", "platform", "default", "--output=json"]).unwrap();
        said.contains("BreakerOpen") && said.contains("decisions failed")
    };
    until("the breaker opens", 120, open);
    let asked = evictions(&cluster, false);
    std::thread::sleep(Duration::from_secs(20));
    assert!(asked <= 20 && evictions(&cluster, false) <= asked + 4, "{asked}, then {}", evictions(&cluster, false));
    cluster.asked_only_what_is_known().unwrap_or_else(|error| panic!("{error:#}"));
}
