//! The cluster in which both are measured.

use std::collections::BTreeMap;
use std::fs;
use std::io::{BufRead as _, BufReader, Seek as _, SeekFrom};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use keelson::permissions;
use keelson_core::Mode;
use keelson_harness::cluster::wait_for_nodes;
use keelson_harness::{Cluster, Component, Config, processor};
use keelson_runtime::Scope;
use serde_json::{Value, json};

use super::load::Load;
use super::{Shape, Times};
use crate::clock::now;

pub(super) const PODS: &str = "/api/v1/namespaces/default/pods";
pub(super) const ZONE: &str = "topology.kubernetes.io/zone";
const ZONES: usize = 3;
/// Longest wait for whoever starts.
const PATIENCE: Duration = Duration::from_secs(120);

/// Who schedules.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Who {
    KubeScheduler,
    Keelson,
}

impl Who {
    pub(super) const fn scheduler(self) -> &'static str {
        match self {
            Self::KubeScheduler => "default-scheduler",
            Self::Keelson => "keelson",
        }
    }

    /// As the kernel and the API server know it.
    pub(super) const fn program(self) -> &'static str {
        match self {
            Self::KubeScheduler => "kube-scheduler",
            Self::Keelson => "keelson",
        }
    }
}

/// What was spent until a moment, or between two.
#[derive(Debug, Clone, Default)]
pub(super) struct Spent {
    by: Times,
    /// Of all processors together, and how much of that nobody wanted.
    all: u64,
    idle: u64,
}

impl Spent {
    pub(super) fn since(&self, before: &Self) -> Self {
        let less = |(name, time): (&String, &Duration)| {
            (name.clone(), time.saturating_sub(before.by.get(name).copied().unwrap_or_default()))
        };
        Self {
            by: self.by.iter().map(less).collect(),
            all: self.all.saturating_sub(before.all),
            idle: self.idle.saturating_sub(before.idle),
        }
    }

    /// Of a program; the kernel cuts names at 15 characters.
    pub(super) fn of(&self, program: &str) -> Duration {
        self.by
            .iter()
            .filter(|(name, _)| program.starts_with(*name) || name.starts_with(program))
            .map(|(_, time)| *time)
            .sum()
    }

    pub(super) fn idle_percent(&self) -> f64 {
        self.idle as f64 * 100.0 / self.all.max(1) as f64
    }
}

/// The cluster, and who schedules in it.
pub(super) struct Field {
    cluster: Cluster,
    pub(super) load: Load,
    keelson: PathBuf,
    kubeconfig: PathBuf,
    running: Option<(Child, tempfile::TempDir)>,
}

impl Field {
    pub(super) fn start(nodes: usize, keelson: &Path) -> Result<Self> {
        let told = json!({"clientConnection": {"qps": 5_000, "burst": 5_000}});
        let mut cluster = Cluster::start(Config { scheduler_configuration: told, ..Config::default() })?;
        cluster.stop(Component::Scheduler)?;
        let load = Load::at(&cluster.kubeconfig())?;
        load.make("/api/v1/nodes", (0..nodes).map(node))?;
        wait_for_nodes(&cluster, nodes, PATIENCE)?;
        let crds = Command::new(keelson).arg("crds").output().context("keelson does not start")?;
        cluster.apply(&String::from_utf8(crds.stdout)?)?;
        cluster.kubectl(&["wait", "--for=condition=Established", "crd", "--all", "--timeout=20s"])?;
        cluster.apply(
            &json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "keelson-system"}}).to_string(),
        )?;
        let settings = json!({"layout": "Shared", "headroomPercent": 0});
        let enforce = json!({"features": {"scheduling": {"mode": "Enforce", "settings": settings}}});
        let platform = json!({"apiVersion": "keelson.dev/v1alpha1", "kind": "Platform", "metadata": {"name": "default"}, "spec": enforce});
        cluster.apply(&platform.to_string())?;
        let rules = [Scope::Cluster, Scope::Own]
            .into_iter()
            .flat_map(|scope| permissions::controller(Mode::Enforce).policy_rules(scope))
            .map(serde_json::to_value)
            .collect::<Result<Vec<Value>, _>>()?;
        let kubeconfig = cluster.user("keelson", &rules)?;
        Ok(Self { cluster, load, keelson: keelson.to_owned(), kubeconfig, running: None })
    }

    /// Starts a scheduler and waits until it is ready for work.
    pub(super) fn up(&mut self, who: Who, shape: Shape) -> Result<()> {
        if who == Who::KubeScheduler {
            self.cluster.start_again(Component::Scheduler)?;
        } else {
            let folder = tempfile::tempdir()?;
            let mut command = self.cluster.command(&self.keelson);
            command.args(["controller", "--identity", "bench", "--ceiling", "scheduling=Enforce", "--kubeconfig"]);
            command.arg(&self.kubeconfig).arg("--database").arg(folder.path().join("keelson.db"));
            command.arg("--journal").arg(folder.path().join("journal")).args(["--listen", "127.0.0.1:8080"]);
            let child = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn()?;
            self.running = Some((child, folder));
        }
        // It works when it has bound one pod.
        let name = format!("{shape:?}-{who:?}-probe").to_lowercase();
        let probe = json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name}, "spec": {
            "schedulerName": who.scheduler(), "terminationGracePeriodSeconds": 0, "containers": [{"name": "c", "image": "probe:1"}]}});
        let logged = self.logged()?;
        self.load.make(PODS, [probe])?;
        let began = now();
        while self.bound(logged)? < 1 {
            ensure!(began.elapsed() < PATIENCE, "{who:?} binds nothing");
            std::thread::sleep(Duration::from_millis(100));
        }
        self.load.clear(PODS)?;
        std::thread::sleep(Duration::from_secs(2));
        Ok(())
    }

    /// Ends it.
    pub(super) fn down(&mut self, who: Who) -> Result<()> {
        if who == Who::KubeScheduler {
            return self.cluster.stop(Component::Scheduler);
        }
        if let Some((mut child, _)) = self.running.take() {
            child.kill()?;
            child.wait()?;
        }
        Ok(())
    }

    /// What was spent so far.
    pub(super) fn spent(&self) -> Result<Spent> {
        let mut by = self.cluster.processor_times()?;
        if let Some((child, _)) = &self.running {
            let (_, time) = processor::of(Path::new(&format!("/proc/{}", child.id())))?;
            by.insert(Who::Keelson.program().to_owned(), time);
        }
        let stat = fs::read_to_string("/proc/stat")?;
        let ticks: Vec<u64> = stat
            .lines()
            .next()
            .unwrap_or_default()
            .split_whitespace()
            .skip(1)
            .filter_map(|part| part.parse().ok())
            .collect();
        // proc_stat(5): user, nice, system, idle, iowait, ...; guests are in user already.
        let idle = ticks.iter().skip(3).take(2).sum();
        Ok(Spent { by, all: ticks.iter().take(8).sum(), idle })
    }

    /// How long the audit log is.
    pub(super) fn logged(&self) -> Result<u64> {
        Ok(fs::metadata(self.cluster.audit_log())?.len())
    }

    /// How many bindings were accepted since the log was so long.
    pub(super) fn bound(&self, since: u64) -> Result<usize> {
        let is_bound = |line: &String| line.contains(r#""subresource":"binding""#) && line.contains(r#""code":201"#);
        Ok(self.lines(since)?.filter(is_bound).count())
    }

    /// What one of them asked and was answered since, and how often, without its lease: only Keelson elects a leader here.
    /// A watch counts when it ends.
    pub(super) fn asked_by(&self, who: Who, since: u64) -> Result<BTreeMap<String, usize>> {
        let agent = format!(r#""userAgent":"{}/"#, who.program());
        let mut asked = BTreeMap::new();
        for line in self.lines(since)?.filter(|line| line.contains(&agent)) {
            let event: Value = serde_json::from_str(&line)?;
            let text = |path: &str| event.pointer(path).and_then(Value::as_str).unwrap_or_default();
            let (verb, resource) = (text("/verb"), text("/objectRef/resource"));
            if text("/stage") == "ResponseComplete" && resource != "leases" {
                *asked.entry(format!("{verb} {resource}/{}", text("/objectRef/subresource"))).or_default() += 1;
            }
        }
        Ok(asked)
    }

    fn lines(&self, since: u64) -> Result<impl Iterator<Item = String>> {
        let mut log = fs::File::open(self.cluster.audit_log())?;
        log.seek(SeekFrom::Start(since))?;
        Ok(BufReader::new(log).lines().map_while(Result::ok))
    }
}

impl Drop for Field {
    fn drop(&mut self) {
        let _ = self.down(Who::Keelson);
    }
}

fn node(index: usize) -> Value {
    let name = format!("node-{index}");
    let resources = json!({"cpu": "4", "memory": "32Gi", "pods": "110"});
    json!({
        "apiVersion": "v1", "kind": "Node",
        "metadata": {
            "name": name,
            "annotations": {"kwok.x-k8s.io/node": "fake"},
            "labels": {"kubernetes.io/hostname": name, "kubernetes.io/os": "linux", ZONE: format!("zone-{}", index % ZONES)},
        },
        "status": {"capacity": resources, "allocatable": resources},
    })
}
