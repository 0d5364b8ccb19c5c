//! A Keelson that binds pods on a real control plane, and what the API server's audit log says of it.
#![allow(dead_code, clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]
#![allow(clippy::disallowed_methods, reason = "a test that waits for real processes waits in real time")]

use std::collections::BTreeMap;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use keelson_harness::{Cluster, Config};
use keelson_runtime::user_agent::made_under;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::{Value, json};

use super::support::install::install;
use super::support::{KEELSON, until};

/// A cluster of pretended nodes in which Keelson may schedule, and a kubeconfig with its rights and no more.
pub fn cluster(kwok_nodes: u32) -> (Cluster, PathBuf) {
    let cluster = Cluster::start(Config { kwok_nodes, default_scheduler: false, ..Config::default() }).unwrap();
    let kubeconfig = install(&cluster);
    (cluster, kubeconfig)
}

/// A workload that asks Keelson for places, as fast as its controller makes pods (about 20 a second).
pub fn job(cluster: &Cluster, pods: usize) {
    let container = json!({"name": "c", "image": "job:1", "resources": {"requests": {"cpu": "10m"}}});
    let spec = json!({"schedulerName": "keelson", "containers": [container]});
    let template = json!({"metadata": {"labels": {"app": "job", "of": "job"}}, "spec": spec});
    let spec =
        json!({"replicas": pods, "selector": {"matchLabels": {"app": "job", "of": "job"}}, "template": template});
    let metadata = json!({"name": "job", "namespace": "default"});
    let job = json!({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": metadata, "spec": spec});
    cluster.apply(&job.to_string()).unwrap();
}

/// The pods of the workload.
pub fn pods(cluster: &Cluster) -> Vec<Value> {
    let list = cluster.kubectl(&["get", "pods", "--selector=app=job", "--output=json"]).unwrap();
    serde_json::from_str::<Value>(&list).unwrap()["items"].as_array().unwrap().clone()
}

/// How many of them run.
pub fn running(cluster: &Cluster) -> usize {
    let running = "--field-selector=status.phase=Running";
    cluster.kubectl(&["get", "pods", "--selector=app=job", running, "--output=name"]).unwrap().lines().count()
}

/// A controller process; killed when dropped.
pub struct Controller {
    child: Child,
    /// Where its page is, `HOST:PORT`.
    pub page: String,
}

impl Controller {
    /// Starts one that may enforce; what it says goes to `log` in its folder.
    pub fn start(
        kubeconfig: &Path,
        folder: &Path,
        identity: &str,
        environment: &[(&str, &str)],
        args: &[&str],
    ) -> Self {
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

    /// Sends it a signal.
    pub fn signal(&self, signal: Signal) {
        kill(Pid::from_raw(i32::try_from(self.child.id()).unwrap()), signal).unwrap();
    }

    /// Everything that was decided. Who has just been started is given half a minute to listen.
    pub fn decisions(&self) -> Vec<Value> {
        const PATIENT: [&str; 5] = ["--retry", "30", "--retry-delay", "1", "--retry-connrefused"];
        let address = format!("http://{}/api/v1/decisions/export", self.page);
        let export =
            Command::new("curl").args(PATIENT).args(["--silent", "--show-error", "--fail", &address]).output().unwrap();
        assert!(export.status.success(), "{}", String::from_utf8_lossy(&export.stderr));
        String::from_utf8(export.stdout).unwrap().lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }
}

impl Controller {
    /// The nodes as the page shows them.
    pub fn nodes(&self) -> Vec<Value> {
        let address = format!("http://{}/api/v1/nodes", self.page);
        let answer = Command::new("curl").args(["--silent", "--fail", "--max-time", "10", &address]).output().unwrap();
        let nodes: Value = serde_json::from_slice(&answer.stdout).unwrap();
        nodes.as_array().or(nodes["nodes"].as_array()).unwrap().clone()
    }

    /// Whether the page says that a connection works, and what it says of it.
    pub fn connection(&self, name: &str) -> Option<(bool, String)> {
        let address = format!("http://{}/api/v1/overview", self.page);
        let answer = Command::new("curl").args(["--silent", "--fail", "--max-time", "5", &address]).output().unwrap();
        let overview: Value = serde_json::from_slice(&answer.stdout).ok()?;
        let found = overview["connections"].as_array()?.iter().find(|connection| connection["name"] == name)?.clone();
        Some((found["ok"].as_bool()?, found["detail"].as_str()?.to_owned()))
    }

    /// Waits until the page says that the API server answers, or that it does not.
    pub fn says_api(&self, ok: bool) {
        let what = if ok { "the page says that the API server answers" } else { "the page says that it is away" };
        until(what, 45, || self.connection("api").filter(|(is, _)| *is == ok));
    }

    /// [`tell_all`] of it alone.
    pub fn tells_all(&self, cluster: &Cluster) -> Vec<Value> {
        tell_all(&[self], cluster)
    }
}

/// Every decision says how it went, and that of each pod is there, done, and names its node. Controllers that share no store
/// tell it together.
pub fn tell_all(controllers: &[&Controller], cluster: &Cluster) -> Vec<Value> {
    let open = |decision: &&Value| decision["outcome"] == "Pending";
    let decisions = until("every decision says how it went", 30, || {
        let decisions: Vec<Value> = controllers.iter().flat_map(|controller| controller.decisions()).collect();
        (!decisions.iter().any(|decision| open(&decision))).then_some(decisions)
    });
    let by_id: BTreeMap<&str, &Value> = decisions.iter().map(|it| (it["id"].as_str().unwrap(), it)).collect();
    for pod in pods(cluster) {
        let by = pod["metadata"]["annotations"]["keelson.dev/decision"].as_str().unwrap();
        let decision =
            by_id.get(by).unwrap_or_else(|| panic!("{} was bound by {by}, which is lost", pod["metadata"]["name"]));
        let told = (&decision["outcome"], &decision["chosen"]);
        assert_eq!(told, (&json!("Done"), &pod["spec"]["nodeName"]), "{decision:#}");
    }
    decisions
}

/// The Lease's holder and number; an empty one when it is not there.
pub fn lease(cluster: &Cluster) -> (String, u64) {
    let path = "--output=jsonpath={.spec.holderIdentity} {.spec.leaseTransitions}";
    let said = cluster.kubectl(&["get", "lease", "keelson-scheduling", "--namespace=keelson-system", path]);
    let said = said.unwrap_or_default();
    let (holder, fence) = said.split_once(' ').unwrap_or_default();
    (holder.to_owned(), fence.parse().unwrap_or_default())
}

impl Drop for Controller {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A request that the API server carried out, or (504: whoever asked was killed meanwhile) may have.
pub struct Asked {
    /// Who asked, as they introduced themselves.
    pub agent: String,
    /// The verb, and the resource with its subresource.
    pub what: String,
    /// Of the object.
    pub name: String,
    /// Whether it surely was carried out.
    pub accepted: bool,
}

/// Every such request so far, in the order of their answers.
pub fn asked(cluster: &Cluster) -> Vec<Asked> {
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

/// No pod was bound twice, as far as the log goes: what an API server carried out right before it crashed it did not log.
pub fn bound_at_most_once(cluster: &Cluster) {
    let mut times: BTreeMap<String, usize> = BTreeMap::new();
    for asked in asked(cluster).into_iter().filter(|asked| asked.accepted && asked.what == "create pods/binding") {
        *times.entry(asked.name).or_default() += 1;
    }
    assert_eq!(times.iter().find(|(_, times)| **times > 1), None, "bound more than once");
}

/// No pod was bound twice; `pods` of them were bound, or may have been, under a fence.
pub fn bound_once(cluster: &Cluster, pods: usize) {
    let mut bindings: BTreeMap<String, usize> = BTreeMap::new();
    for asked in asked(cluster).into_iter().filter(|asked| asked.what == "create pods/binding") {
        assert!(made_under(&asked.agent).is_some(), "{} was bound by {:?}, under no fence", asked.name, asked.agent);
        *bindings.entry(asked.name).or_default() += usize::from(asked.accepted);
    }
    assert_eq!(bindings.len(), pods);
    assert_eq!(bindings.iter().find(|(_, times)| **times > 1), None, "bound more than once");
}

/// What a Keelson wrote, or may have, that shows no fence.
pub fn unfenced(cluster: &Cluster) -> Vec<String> {
    let writes = |asked: &Asked| !["get ", "list ", "watch "].iter().any(|reads| asked.what.starts_with(reads));
    let asked = asked(cluster).into_iter().filter(|asked| asked.agent.starts_with("keelson/") && writes(asked));
    asked
        .filter(|asked| made_under(&asked.agent).is_none())
        .map(|asked| format!("{} {}", asked.what, asked.name))
        .collect()
}

/// What makes a request harmless that an older leader's process sent after it was replaced.
pub const HARMLESS: [(&str, &str); 6] = [
    ("create pods/binding", "names the pod's uid, and a bound pod is refused"),
    ("create pods/eviction", "names the pod's uid"),
    ("create events", "is created by name, once"),
    ("patch platforms/status", "names the resourceVersion"),
    ("patch leases", "names the resourceVersion"),
    ("get pods", "writes nothing"),
];

/// Requests of an older fence that were accepted after the first of a newer one.
pub fn late(cluster: &Cluster) -> Vec<String> {
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
