//! The controller on a real control plane, killed and stopped in the middle of its work.
//!
//! Needs root and Go, as every test of the real cluster does. The API server's audit log is the judge.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]
#![allow(clippy::disallowed_methods, reason = "a test that waits for real processes waits in real time")]

mod support;

use std::collections::BTreeMap;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use keelson::permissions;
use keelson_core::Mode;
use keelson_harness::{Cluster, Config};
use keelson_runtime::Scope;
use keelson_runtime::user_agent::made_under;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::{Value, json};
use support::{KEELSON, until};

/// Leadership that is lost soon, so that fifty deaths do not take all day.
const SHORT: [&str; 6] = [
    "--leader-elect-lease-duration",
    "2s",
    "--leader-elect-renew-deadline",
    "1500ms",
    "--leader-elect-retry-period",
    "300ms",
];

/// A cluster of pretended nodes in which Keelson may schedule, and a kubeconfig with its rights and no more.
fn cluster(kwok_nodes: u32) -> (Cluster, PathBuf) {
    let cluster = Cluster::start(Config { kwok_nodes, default_scheduler: false, ..Config::default() }).unwrap();
    let crds = Command::new(KEELSON).arg("crds").output().unwrap();
    cluster.apply(&String::from_utf8(crds.stdout).unwrap()).unwrap();
    cluster.kubectl(&["wait", "--for=condition=Established", "crd/platforms.keelson.dev", "--timeout=20s"]).unwrap();
    let platform = json!({"apiVersion": "keelson.dev/v1alpha1", "kind": "Platform", "metadata": {"name": "default"},
        "spec": {"features": {"scheduling": {"mode": "Enforce"}}}});
    let namespace = json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "keelson-system"}});
    for object in [namespace, platform] {
        cluster.apply(&object.to_string()).unwrap();
    }
    let needed = permissions::controller(Mode::Enforce);
    let rules = [Scope::Cluster, Scope::Own].into_iter().flat_map(|scope| needed.clone().policy_rules(scope));
    let rules: Vec<Value> = rules.map(|rule| serde_json::to_value(rule).unwrap()).collect();
    let kubeconfig = cluster.user("keelson", &rules).unwrap();
    (cluster, kubeconfig)
}

/// A workload that asks Keelson for places, as fast as its controller makes pods (about 20 a second).
fn job(cluster: &Cluster, pods: usize) {
    let container = json!({"name": "c", "image": "job:1", "resources": {"requests": {"cpu": "10m"}}});
    let spec = json!({"schedulerName": "keelson", "containers": [container]});
    let template = json!({"metadata": {"labels": {"app": "job"}}, "spec": spec});
    let spec = json!({"replicas": pods, "selector": {"matchLabels": {"app": "job"}}, "template": template});
    let metadata = json!({"name": "job", "namespace": "default"});
    let job = json!({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": metadata, "spec": spec});
    cluster.apply(&job.to_string()).unwrap();
}

fn pods(cluster: &Cluster) -> Vec<Value> {
    let list = cluster.kubectl(&["get", "pods", "--selector=app=job", "--output=json"]).unwrap();
    serde_json::from_str::<Value>(&list).unwrap()["items"].as_array().unwrap().clone()
}

fn running(cluster: &Cluster) -> usize {
    let running = "--field-selector=status.phase=Running";
    cluster.kubectl(&["get", "pods", "--selector=app=job", running, "--output=name"]).unwrap().lines().count()
}

/// A controller process; killed when dropped.
struct Controller {
    child: Child,
    page: String,
}

impl Controller {
    fn start(kubeconfig: &Path, folder: &Path, identity: &str, environment: &[(&str, &str)], args: &[&str]) -> Self {
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let page = format!("127.0.0.1:{port}");
        let log = std::fs::OpenOptions::new().create(true).append(true).open(folder.join("log")).unwrap();
        let child = Command::new(KEELSON)
            .arg("controller")
            .arg("--kubeconfig")
            .arg(kubeconfig)
            .arg("--database")
            .arg(folder.join("keelson.db"))
            .arg("--journal")
            .arg(folder.join("journal"))
            .args(["--ceiling", "scheduling=Enforce", "--identity", identity, "--listen", &page])
            .args(args)
            .envs(environment.iter().copied())
            .stdin(Stdio::null())
            .stdout(log.try_clone().unwrap())
            .stderr(log)
            .spawn()
            .unwrap();
        Self { child, page }
    }

    fn signal(&self, signal: Signal) {
        kill(Pid::from_raw(i32::try_from(self.child.id()).unwrap()), signal).unwrap();
    }

    /// Everything that was decided.
    fn decisions(&self) -> Vec<Value> {
        let address = format!("http://{}/api/v1/decisions/export", self.page);
        let export = Command::new("curl").args(["--silent", "--show-error", "--fail", &address]).output().unwrap();
        assert!(export.status.success(), "{}", String::from_utf8_lossy(&export.stderr));
        String::from_utf8(export.stdout).unwrap().lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }
}

impl Drop for Controller {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Draws from a seed that is printed.
struct Draw(u64);

impl Draw {
    /// A number from `low` to below `high`. (Steele, Lea and Flood's SplitMix64.)
    fn between(&mut self, low: u64, high: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        low + (z ^ (z >> 31)) % (high - low)
    }
}

/// A request that the API server carried out, or (504: whoever asked was killed meanwhile) may have.
struct Asked {
    agent: String,
    /// The verb, and the resource with its subresource.
    what: String,
    name: String,
    accepted: bool,
}

fn asked(cluster: &Cluster) -> Vec<Asked> {
    let told = |event: Value| {
        let text = |pointer: &str| event.pointer(pointer).and_then(Value::as_str).unwrap_or_default().to_owned();
        let code = event["responseStatus"]["code"].as_u64().unwrap_or(0);
        let mut what = format!("{} {}", text("/verb"), text("/objectRef/resource"));
        if let Some(subresource) = event["objectRef"]["subresource"].as_str() {
            what = format!("{what}/{subresource}");
        }
        let asked = Asked { agent: text("/userAgent"), what, name: text("/objectRef/name"), accepted: code < 300 };
        (event["stage"] == "ResponseComplete" && (asked.accepted || code == 504)).then_some(asked)
    };
    cluster.audited().unwrap().into_iter().filter_map(told).collect()
}

/// No pod was bound twice; `pods` of them were bound, or may have been, under a fence.
fn bound_once(cluster: &Cluster, pods: usize) {
    let mut bindings: BTreeMap<String, usize> = BTreeMap::new();
    for asked in asked(cluster).into_iter().filter(|asked| asked.what == "create pods/binding") {
        assert!(made_under(&asked.agent).is_some(), "{} was bound by {:?}, under no fence", asked.name, asked.agent);
        *bindings.entry(asked.name).or_default() += usize::from(asked.accepted);
    }
    assert_eq!(bindings.len(), pods);
    assert_eq!(bindings.iter().find(|(_, times)| **times > 1), None, "bound more than once");
}

#[test]
fn killed_at_fifty_points_it_binds_every_pod_once_and_says_how_each_went() {
    const PODS: usize = 2_000;
    let seed = u64::from(std::process::id());
    println!("seed {seed}");
    let mut draw = Draw(seed);
    let (cluster, kubeconfig) = cluster(20);
    let folder = tempfile::tempdir().unwrap();
    job(&cluster, PODS);
    for _ in 0..50 {
        // The pod's name stays the same when its container starts again.
        let controller = Controller::start(&kubeconfig, folder.path(), "keelson-0", &[], &SHORT);
        // Two seconds of waiting for the Lease, then the work of the time without a leader at once, then what comes.
        std::thread::sleep(Duration::from_millis(draw.between(1_000, 4_000)));
        controller.signal(Signal::SIGKILL);
    }
    let last = Controller::start(&kubeconfig, folder.path(), "keelson-0", &[], &SHORT);
    until("every pod runs", 180, || (running(&cluster) == PODS).then_some(()));
    let open = |decision: &&Value| decision["outcome"] == "Pending";
    let decisions = until("every decision says how it went", 30, || {
        let decisions = last.decisions();
        (!decisions.iter().any(|decision| open(&decision))).then_some(decisions)
    });

    bound_once(&cluster, PODS);
    let by_id: BTreeMap<&str, &Value> = decisions.iter().map(|it| (it["id"].as_str().unwrap(), it)).collect();
    for pod in pods(&cluster) {
        let by = pod["metadata"]["annotations"]["keelson.dev/decision"].as_str().unwrap();
        let decision =
            by_id.get(by).unwrap_or_else(|| panic!("{} was bound by {by}, which is lost", pod["metadata"]["name"]));
        let told = (&decision["outcome"], &decision["chosen"]);
        assert_eq!(told, (&json!("Done"), &pod["spec"]["nodeName"]), "{decision:#}");
    }
    let settled = |outcome: &str| {
        let mut steps = decisions.iter().filter(|it| it["outcome"] == outcome).flat_map(|it| it["steps"].as_array());
        let settled = |steps: &&Vec<Value>| steps.iter().any(|step| step["action"] == "look how it went");
        steps.by_ref().filter(settled).count()
    };
    let (done, not_done) = (settled("Done"), settled("Failed"));
    println!("of what the dead left open, {done} were done and {not_done} were not");
    assert!(done + not_done > 0, "it was never killed in the middle of anything: the test proves nothing");
    cluster.asked_only_what_is_known().unwrap_or_else(|error| panic!("{error:#}"));
}

/// The library of Debian's faketime, which lies in a folder of the machine's architecture.
fn faketime() -> String {
    let folders = std::fs::read_dir("/usr/lib").unwrap().map(|folder| folder.unwrap().path());
    let found = folders.map(|folder| folder.join("faketime/libfaketime.so.1")).find(|path| path.exists());
    found.expect("install the Debian package faketime").display().to_string()
}

/// What makes a request harmless that an older leader's process sent after it was replaced.
const HARMLESS: [(&str, &str); 6] = [
    ("create pods/binding", "names the pod's uid, and a bound pod is refused"),
    ("create pods/eviction", "names the pod's uid"),
    ("create events", "is created by name, once"),
    ("patch platforms/status", "names the resourceVersion"),
    ("patch leases", "names the resourceVersion"),
    ("get pods", "writes nothing"),
];

/// Requests of an older fence that were accepted after the first of a newer one.
fn late(cluster: &Cluster) -> Vec<String> {
    let (mut newest, mut late) = (0, Vec::new());
    for Asked { agent, what, name, .. } in asked(cluster) {
        let Some((_, fence)) = made_under(&agent) else { continue };
        if fence < newest {
            println!("fence {fence} after {newest}: {what} {name}");
            late.push(what);
        }
        newest = newest.max(fence);
    }
    println!("the newest fence is {newest}, {} requests were late", late.len());
    late
}

#[test]
fn a_leader_that_stood_still_for_a_minute_does_no_harm_with_clocks_an_hour_apart() {
    const PODS: usize = 1_000;
    let (cluster, kubeconfig) = cluster(20);
    let folders = [tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap()];
    let faketime = faketime();
    let hour = [("LD_PRELOAD", faketime.as_str()), ("FAKETIME", "+1h"), ("FAKETIME_DONT_FAKE_MONOTONIC", "1")];
    let holder = || {
        cluster
            .kubectl(&[
                "get",
                "lease",
                "keelson-scheduling",
                "--namespace=keelson-system",
                "--output=jsonpath={.spec.holderIdentity}",
            ])
            .unwrap_or_default()
    };
    let a = Controller::start(&kubeconfig, folders[0].path(), "a", &[], &[]);
    until("a leads", 30, || (holder() == "a").then_some(()));
    let b = Controller::start(&kubeconfig, folders[1].path(), "b", &hour, &[]);
    for (stopped, next, pods) in [(&a, "b", PODS), (&b, "a", 2 * PODS)] {
        job(&cluster, pods);
        let before = running(&cluster);
        until("it is in the middle of binding", 60, || (running(&cluster) > before + 60).then_some(()));
        stopped.signal(Signal::SIGSTOP);
        let since = std::time::Instant::now();
        until("the other leads", 60, || (holder() == next).then_some(()));
        std::thread::sleep(Duration::from_secs(60).saturating_sub(since.elapsed()));
        stopped.signal(Signal::SIGCONT);
        std::thread::sleep(Duration::from_secs(10));
        assert_eq!(holder(), next, "whoever stood still stays behind");
    }
    until("every pod runs", 120, || (running(&cluster) == 2 * PODS).then_some(()));

    bound_once(&cluster, 2 * PODS);
    let harmful = late(&cluster).into_iter().find(|what| !HARMLESS.iter().any(|(harmless, _)| harmless == what));
    assert_eq!(harmful, None);
}
