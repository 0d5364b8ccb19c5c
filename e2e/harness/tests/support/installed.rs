//! A cluster on which Keelson is installed by helm, and what happened in it, scenario by scenario.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use keelson_harness::rbac::{Request, Right};
use keelson_harness::{Cluster, helm, tools, wait};
use serde_json::{Value, json};

/// Where Keelson is installed.
pub const NAMESPACE: &str = "keelson-system";
/// Who its pods are.
pub const ACCOUNT: &str = "system:serviceaccount:keelson-system:keelson";
/// The longest wait for one thing.
const PATIENCE: Duration = Duration::from_secs(90);

/// What was asked in a scenario.
#[derive(Debug)]
pub struct Scenario {
    /// Its name.
    pub name: &'static str,
    /// What Keelson's pods asked for, and whether it was allowed.
    pub asked: Vec<(Request, bool)>,
}

/// The cluster.
pub struct Installed {
    /// With two real nodes and names that resolve.
    pub cluster: Cluster,
    /// What happened so far.
    pub scenarios: Vec<Scenario>,
    /// Every right that was granted at some time.
    pub granted: BTreeSet<Right>,
    began: Instant,
    seen: usize,
    /// Whether the account has its Role.
    bound: bool,
}

impl Installed {
    /// The image in the nodes, a namespace that allows only restricted pods, and nothing installed yet.
    #[allow(clippy::disallowed_methods, reason = "the test prints how long real processes took")]
    pub fn prepare(cluster: Cluster) -> Self {
        let image = built(&format!("keelson-{}.tar", keelson_image::archive::architecture(std::env::consts::ARCH)));
        cluster.import_archive(&image).unwrap();
        let labels = json!({"pod-security.kubernetes.io/enforce": "restricted",
            "pod-security.kubernetes.io/enforce-version": "latest"});
        let namespace =
            json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAMESPACE, "labels": labels}});
        cluster.apply(&namespace.to_string()).unwrap();
        Self { cluster, scenarios: Vec::new(), granted: BTreeSet::new(), began: Instant::now(), seen: 0, bound: false }
    }

    /// Lives a scenario, and keeps what Keelson asked for meanwhile.
    pub fn scenario(&mut self, name: &'static str, live: impl FnOnce(&mut Self)) {
        live(self);
        let events = self.cluster.audited().unwrap();
        let mut asked = Vec::new();
        for event in &events[self.seen..] {
            let (of, verb) = (&event["objectRef"], event["verb"].as_str().unwrap_or_default());
            if of["resource"] == "rolebindings" && of["name"] == "keelson" {
                self.bound = verb != "delete";
            }
            let refused = event["annotations"]["authorization.k8s.io/decision"] == "forbid";
            // Rights go before the last pod has ended: what it asks then nobody owes it.
            let owed = self.bound || !refused;
            if let Some(request) = Request::of(event).filter(|_| event["user"]["username"] == ACCOUNT && owed) {
                asked.push((request, !refused));
            }
        }
        self.seen = events.len();
        println!("{:6.1} s: {name}", self.began.elapsed().as_secs_f64());
        self.scenarios.push(Scenario { name, asked });
    }

    /// Installs or upgrades with these values, waits until it runs, and returns what helm said.
    pub fn release(&mut self, chart: &str, values: &[&str]) -> String {
        // The nodes of these clusters are in no pool.
        const ALL: &str = "features.scheduling.settings.layout=Shared,features.scheduling.settings.headroomPercent=0";
        let settings = [&ALL].into_iter().chain(values).flat_map(|value| ["--set", value]);
        let args: Vec<&str> = [
            "upgrade",
            "--install",
            "keelson",
            chart,
            "--namespace",
            NAMESPACE,
            "--reset-values",
            "--wait",
            "--timeout=90s",
        ]
        .into_iter()
        .chain(settings)
        .collect();
        let said = self.cluster.helm(&args).unwrap_or_else(|error| panic!("{error:#}\n{}", self.why()));
        for (kind, name) in [("clusterrole", "keelson"), ("role", "keelson")] {
            let role = self.json(&["get", kind, name, "--namespace", NAMESPACE]);
            self.granted.extend(keelson_harness::rbac::rights(&role));
        }
        said
    }

    /// What helm says to values that it must refuse.
    pub fn refused(&self, values: &[&str]) -> String {
        let chart = chart();
        let settings = values.iter().flat_map(|value| ["--set", value]);
        let args: Vec<&str> = ["template", "keelson", &chart].into_iter().chain(settings).collect();
        match self.cluster.helm(&args) {
            Ok(_) => panic!("helm took {values:?}"),
            Err(error) => error.to_string(),
        }
    }

    /// kubectl's answer, in JSON, about what is there.
    pub fn json(&self, args: &[&str]) -> Value {
        self.ask(args).unwrap()
    }

    /// The same about what may not be there yet.
    pub fn ask(&self, args: &[&str]) -> Result<Value> {
        Ok(serde_json::from_str(&self.cluster.kubectl(&[args, &["--output=json"]].concat())?)?)
    }

    /// What a failed start looks like from outside.
    fn why(&self) -> String {
        let look = |args: &[&str]| self.cluster.kubectl(args).unwrap_or_else(|error| error.to_string());
        [
            look(&["describe", "pods", "--namespace", NAMESPACE]),
            look(&["logs", "--namespace", NAMESPACE, "--selector=app.kubernetes.io/name=keelson", "--tail=50"]),
        ]
        .concat()
    }

    /// Switches scheduling as people do.
    pub fn switch(&self, mode: &str) {
        let patch = json!({"spec": {"features": {"scheduling": {"mode": mode}}}}).to_string();
        self.cluster.kubectl(&["patch", "platform", "default", "--type=merge", "--patch", &patch]).unwrap();
    }

    /// Waits until the leader says that scheduling is in a mode.
    pub fn is_in(&self, mode: &str) {
        self.until(&format!("scheduling is in {mode}"), || {
            let platform = self.ask(&["get", "platform", "default"])?;
            let (is, generation) =
                (&platform["status"]["features"]["scheduling"]["mode"], &platform["metadata"]["generation"]);
            ensure!(is == mode && platform["status"]["observedGeneration"] == *generation, "{}", platform["status"]);
            Ok(())
        });
    }

    /// A condition of the Platform, of the whole or of scheduling; none when it is not there.
    pub fn condition(&self, kind: &str) -> Option<Value> {
        let platform = self.json(&["get", "platform", "default"]);
        let of = [&platform["status"]["conditions"], &platform["status"]["features"]["scheduling"]["conditions"]];
        of.into_iter().filter_map(Value::as_array).flatten().find(|condition| condition["type"] == kind).cloned()
    }

    /// Makes a pod that names Keelson.
    pub fn pod(&self, name: &str, node: Option<&str>) {
        let selector = node.map(|node| json!({"kubernetes.io/hostname": node}));
        let container = json!({"name": "main", "image": "keelson.local/pause:1", "args": ["wait"]});
        let spec = json!({"schedulerName": "keelson", "nodeSelector": selector, "containers": [container]});
        let pod = json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name, "namespace": "default"}, "spec": spec});
        self.cluster.apply(&pod.to_string()).unwrap();
    }

    /// Waits until a pod runs, and returns its node.
    pub fn runs(&self, name: &str) -> String {
        self.until(&format!("pod {name} runs"), || {
            let pod = self.ask(&["get", "pod", name, "--namespace=default"])?;
            ensure!(pod["status"]["phase"] == "Running", "{}", pod["status"]);
            pod["spec"]["nodeName"].as_str().map(str::to_owned).context("no node")
        })
    }

    /// Says when something was seen.
    pub fn told(&self, what: &str) {
        println!("{:6.1} s:   {what}", self.began.elapsed().as_secs_f64());
    }

    /// Waits until something is so.
    pub fn until<T>(&self, what: &str, look: impl FnMut() -> Result<T>) -> T {
        wait::until(what, PATIENCE, look).unwrap_or_else(|error| panic!("{error:#}\n{}", self.why()))
    }

    /// Who leads scheduling.
    pub fn leader(&self) -> String {
        self.until("somebody leads", || {
            let lease = self.ask(&["get", "lease", "keelson-scheduling", "--namespace", NAMESPACE])?;
            let holder = lease["spec"]["holderIdentity"].as_str().unwrap_or_default();
            ensure!(!holder.is_empty(), "nobody");
            Ok(holder.to_owned())
        })
    }

    /// An answer of the page, asked through kubectl as people do.
    pub fn page(&self, path: &str) -> Value {
        let forward = Forward::start(&self.cluster);
        self.until(&format!("the page answers {path}"), || {
            let mut curl = self.cluster.command("curl");
            curl.args(["--silent", "--fail", &format!("http://127.0.0.1:{}{path}", forward.port)]);
            Ok(serde_json::from_str(&tools::run(curl)?)?)
        })
    }

    /// Every object of the cluster, as `kind namespace/name`; but for Events, which go by themselves, and the Leases of
    /// nodes, which come when their kubelet finds the time.
    ///
    /// # Errors
    /// When a kind goes between being listed and being asked for.
    pub fn objects(&self) -> Result<BTreeSet<String>> {
        const LINE: &str = r#"{range .items[*]}{.kind} {.metadata.namespace}/{.metadata.name}{"\n"}{end}"#;
        let kinds = self.cluster.kubectl(&["api-resources", "--verbs=list", "--output=name"])?;
        let kinds: Vec<&str> =
            kinds.lines().filter(|kind| !kind.starts_with("events") && *kind != "componentstatuses").collect();
        let line = format!("--output=jsonpath={LINE}");
        let listing = self.cluster.kubectl(&["get", &kinds.join(","), "--all-namespaces", &line])?;
        Ok(listing.lines().filter(|object| !object.starts_with("Lease kube-node-lease/")).map(str::to_owned).collect())
    }

    /// What the program itself says, asked beside the cluster with an administrator's rights; and whether all was well.
    pub fn keelson(&self, args: &[&str]) -> (String, bool) {
        let triple = format!("{}-unknown-linux-gnu/image/keelson", std::env::consts::ARCH);
        let output = self.cluster.command(built(&triple)).args(args).output().unwrap();
        (String::from_utf8([output.stdout, output.stderr].concat()).unwrap(), output.status.success())
    }
}

/// A port of the pod's loopback, brought here by kubectl.
struct Forward {
    child: Child,
    port: u16,
}

impl Forward {
    fn start(cluster: &Cluster) -> Self {
        let kubectl = tools::Toolset::Kubernetes.ready().unwrap().join("kubectl");
        // The page answers under its own name alone, and the port is part of it.
        let port = 8080;
        let ports = format!("{port}:8080");
        let mut command = cluster.command(kubectl);
        command.args(["port-forward", "--namespace", NAMESPACE, "deployment/keelson", &ports]);
        let child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        Self { child, port }
    }
}

impl Drop for Forward {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// What `cargo xtask image` has made.
fn built(file: &str) -> PathBuf {
    let target = std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| PathBuf::from("target"), PathBuf::from);
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../..").join(target).join("image").join(file);
    assert!(path.exists(), "{} is missing: run `cargo xtask image`", path.display());
    path
}

/// The chart of this repository.
pub fn chart() -> String {
    helm::chart("keelson").display().to_string()
}

/// The same chart under an older version, as if it had been released before; in a folder that must be kept.
pub fn older_chart() -> (tempfile::TempDir, String) {
    let folder = tempfile::tempdir().unwrap();
    let mut copy = Command::new("cp");
    copy.arg("-r").arg(helm::chart("keelson")).arg(folder.path());
    tools::run(copy).unwrap();
    let chart = folder.path().join("keelson");
    let about = chart.join("Chart.yaml");
    let text = std::fs::read_to_string(&about).unwrap();
    let version = |line: &&str| line.starts_with("version:");
    assert_eq!(text.lines().filter(version).count(), 1);
    let older: Vec<&str> = text.lines().map(|line| if version(&line) { "version: 0.0.1" } else { line }).collect();
    std::fs::write(&about, older.join("\n") + "\n").unwrap();
    let path = chart.display().to_string();
    (folder, path)
}

/// The command after `with: ` in a sentence, as a person would copy it.
pub fn command_in(sentence: &str) -> Result<Vec<String>> {
    let Some((_, command)) = sentence.split_once("with: kubectl ") else { bail!("no command in: {sentence}") };
    let (words, quoted) = command.split_once(" '").context("no quoted patch")?;
    let patch = quoted.trim_end_matches('\'').to_owned();
    Ok(words.split(' ').map(str::to_owned).chain([patch]).collect())
}
