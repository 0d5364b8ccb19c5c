//! A control plane that lives as long as a value: etcd, API server, controllers, scheduler and pretended nodes.
//!
//! Everything runs in one [`Space`] whose network has a bridge and no route out, so addresses and ports are the same in
//! every cluster and clusters do not meet. The API server checks what production checks: RBAC, the node authorizer and
//! node restriction; tokens come from a file.
//!
//! Promises: `start` returns only when the API answers and the `default` ServiceAccount exists; dropping the cluster,
//! also in a panic, ends every process, namespace and file of it; after a panic the logs stay, and stderr says where.

use std::ffi::OsStr;
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::space::Space;
use crate::tools::{self, Toolset};
use crate::wait;

/// Address of the bridge and of the API server, the same in every cluster.
pub const GATEWAY: &str = "10.250.0.1";
/// Longest wait for the control plane.
const PATIENCE: Duration = Duration::from_secs(90);
/// Annotation that hands a node to kwok.
const PRETENDED: &str = "kwok.x-k8s.io/node";

/// What to start.
#[derive(Debug, Clone)]
pub struct Config {
    /// Number of pretended nodes made by `start`; more can be added later.
    pub kwok_nodes: u32,
    /// Whether kube-scheduler runs; without it pods stay pending until the test binds them.
    pub default_scheduler: bool,
}

impl Default for Config {
    fn default() -> Self {
        Self { kwok_nodes: 0, default_scheduler: true }
    }
}

/// A running cluster; dropping it ends it.
#[derive(Debug)]
pub struct Cluster {
    space: Space,
    run: Option<TempDir>,
    kubeconfig: PathBuf,
    kubectl: PathBuf,
    kwok_nodes: u32,
    traces: Traces,
}

/// Where a cluster would show if something of it had stayed behind.
#[derive(Debug, Clone)]
pub struct Traces {
    folder: PathBuf,
    namespaces: Vec<PathBuf>,
}

impl Cluster {
    /// Starts a cluster, building its tools first when this machine has not built them.
    ///
    /// # Errors
    /// When this process is not root, a program is missing, or a component does not come up; the text says which.
    pub fn start(config: Config) -> Result<Self> {
        tools::machine_is_able()?;
        let (kubernetes, etcd, kwok) = (Toolset::Kubernetes.ready()?, Toolset::Etcd.ready()?, Toolset::Kwok.ready()?);
        let run = tempfile::Builder::new().prefix("keelson-cluster-").tempdir()?;
        let folder = run.path().to_path_buf();
        for sub in ["logs", "state"] {
            fs::create_dir(folder.join(sub))?;
        }
        let space = Space::open(&folder.join("logs/init.log"))?;
        let traces = Traces { folder: folder.clone(), namespaces: space.names()? };
        let kubeconfig = folder.join("kubeconfig");
        let mut cluster =
            Self { space, run: Some(run), kubeconfig, kubectl: kubernetes.join("kubectl"), kwok_nodes: 0, traces };
        cluster.network()?;
        cluster.credentials()?;
        cluster.store_and_api(&etcd, &kubernetes)?;
        cluster.controllers(&kubernetes, config.default_scheduler)?;
        cluster.kwok(&kwok)?;
        wait::until("the default ServiceAccount", PATIENCE, || {
            cluster.kubectl(&["get", "serviceaccount", "default", "--namespace=default"])
        })?;
        cluster.create_kwok_nodes(config.kwok_nodes)?;
        Ok(cluster)
    }

    /// Folder of the run: `logs/` has one file per component, `state/` their data.
    #[must_use]
    pub fn folder(&self) -> &Path {
        &self.traces.folder
    }

    /// Administrator's kubeconfig. Its server is reachable from [`Cluster::command`] alone.
    #[must_use]
    pub fn kubeconfig(&self) -> &Path {
        &self.kubeconfig
    }

    /// What to look for after the cluster was dropped.
    #[must_use]
    pub fn traces(&self) -> Traces {
        self.traces.clone()
    }

    /// A command that runs `program` in the cluster's network, on this machine's files, with `KUBECONFIG` set.
    #[must_use]
    pub fn command(&self, program: impl AsRef<OsStr>) -> Command {
        let mut command = self.space.enter_network();
        command.arg(program).env("KUBECONFIG", &self.kubeconfig);
        command
    }

    /// Runs kubectl as administrator and returns what it printed.
    ///
    /// # Errors
    /// When kubectl fails; the text holds its arguments and what it said.
    pub fn kubectl(&self, args: &[&str]) -> Result<String> {
        let mut command = self.command(&self.kubectl);
        command.args(args);
        tools::run(command)
    }

    /// Applies a manifest, YAML or JSON.
    ///
    /// # Errors
    /// When the API server refuses it; the text is the refusal.
    pub fn apply(&self, manifest: &str) -> Result<()> {
        let mut command = self.command(&self.kubectl);
        command.args(["apply", "--filename=-"]);
        command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::piped());
        let mut child = command.spawn().context("cannot run nsenter: install util-linux")?;
        child.stdin.take().context("kubectl's input")?.write_all(manifest.as_bytes())?;
        let output = child.wait_with_output()?;
        ensure!(output.status.success(), "kubectl apply: {}", String::from_utf8_lossy(&output.stderr).trim());
        Ok(())
    }

    /// Adds `count` pretended nodes of 4 CPUs and 32 GiB, named `kwok-0`, `kwok-1`, ... across calls.
    ///
    /// # Errors
    /// As [`Cluster::apply`].
    pub fn create_kwok_nodes(&mut self, count: u32) -> Result<()> {
        if count == 0 {
            return Ok(());
        }
        let end = self.kwok_nodes.saturating_add(count);
        let nodes: Vec<Value> = (self.kwok_nodes..end).map(kwok_node).collect();
        self.apply(&json!({"apiVersion": "v1", "kind": "List", "items": nodes}).to_string())?;
        self.kwok_nodes = end;
        Ok(())
    }

    /// Names of the nodes whose Ready condition is True.
    ///
    /// # Errors
    /// When the API does not answer.
    pub fn ready_nodes(&self) -> Result<Vec<String>> {
        const READY: &str =
            r#"{range .items[*]}{.metadata.name} {.status.conditions[?(@.type=="Ready")].status}{"\n"}{end}"#;
        let listing = self.kubectl(&["get", "nodes", &format!("--output=jsonpath={READY}")])?;
        Ok(listing.lines().filter_map(|line| line.strip_suffix(" True")).map(str::to_owned).collect())
    }

    fn network(&self) -> Result<()> {
        let address = format!("{GATEWAY}/24");
        for args in [
            &["link", "set", "lo", "up"][..],
            &["link", "add", "keelson0", "type", "bridge"],
            &["address", "add", &address, "dev", "keelson0"],
            &["link", "set", "keelson0", "up"],
        ] {
            let mut ip = self.space.enter_network();
            ip.arg("ip").args(args);
            tools::run(ip)?;
        }
        Ok(())
    }

    fn credentials(&self) -> Result<()> {
        let mut openssl = Command::new("openssl");
        openssl.args(["genrsa", "-out"]).arg(self.folder().join("sa.key")).arg("2048");
        tools::run(openssl)?;
        let tokens = "admin-token,admin,admin,\"system:masters\"\n";
        fs::write(self.folder().join("tokens.csv"), tokens)?;
        // kubectl and the components read JSON as YAML.
        let kubeconfig = json!({
            "apiVersion": "v1", "kind": "Config", "current-context": "test",
            "clusters": [{"name": "test",
                "cluster": {"server": format!("https://{GATEWAY}:6443"), "insecure-skip-tls-verify": true}}],
            "users": [{"name": "admin", "user": {"token": "admin-token"}}],
            "contexts": [{"name": "test", "context": {"cluster": "test", "user": "admin"}}],
        });
        fs::write(&self.kubeconfig, kubeconfig.to_string())?;
        Ok(())
    }

    fn store_and_api(&mut self, etcd: &Path, kubernetes: &Path) -> Result<()> {
        let run = self.folder().display().to_string();
        self.daemon(
            &etcd.join("etcd"),
            &format!(
                "--data-dir={run}/state/etcd --unsafe-no-fsync --listen-client-urls=http://127.0.0.1:2379 \
                 --advertise-client-urls=http://127.0.0.1:2379 --listen-peer-urls=http://127.0.0.1:2380 \
                 --initial-advertise-peer-urls=http://127.0.0.1:2380 --initial-cluster=default=http://127.0.0.1:2380"
            ),
        )?;
        self.daemon(
            &kubernetes.join("kube-apiserver"),
            &format!(
                "--etcd-servers=http://127.0.0.1:2379 --cert-dir={run}/certs --secure-port=6443 \
                 --bind-address={GATEWAY} --advertise-address={GATEWAY} --service-cluster-ip-range=10.96.0.0/16 \
                 --service-account-issuer=https://kubernetes.default.svc --service-account-key-file={run}/sa.key \
                 --service-account-signing-key-file={run}/sa.key --token-auth-file={run}/tokens.csv \
                 --authorization-mode=Node,RBAC --enable-admission-plugins=NodeRestriction --allow-privileged=true \
                 --kubelet-preferred-address-types=InternalIP"
            ),
        )?;
        wait::until("the API server", PATIENCE, || self.kubectl(&["get", "--raw=/readyz"])).map(drop)
    }

    fn controllers(&mut self, kubernetes: &Path, default_scheduler: bool) -> Result<()> {
        let run = self.folder().display().to_string();
        self.daemon(
            &kubernetes.join("kube-controller-manager"),
            &format!(
                "--kubeconfig={run}/kubeconfig --service-account-private-key-file={run}/sa.key \
                 --root-ca-file={run}/certs/apiserver.crt --leader-elect=false --secure-port=0 \
                 --allocate-node-cidrs=false \
                 --controllers=*,-node-ipam-controller,-cloud-node-lifecycle-controller,-node-route-controller"
            ),
        )?;
        if default_scheduler {
            let args = format!("--kubeconfig={run}/kubeconfig --leader-elect=false --secure-port=0");
            self.daemon(&kubernetes.join("kube-scheduler"), &args)?;
        }
        Ok(())
    }

    fn kwok(&mut self, kwok: &Path) -> Result<()> {
        let args = format!(
            "--kubeconfig={}/kubeconfig --config={}/stages.yaml --manage-all-nodes=false \
             --manage-nodes-with-annotation-selector={PRETENDED}=fake --node-lease-duration-seconds=40",
            self.folder().display(),
            kwok.display()
        );
        self.daemon(&kwok.join("kwok"), &args)
    }

    /// Starts a component with arguments separated by spaces; its log is named after it.
    fn daemon(&mut self, program: &Path, args: &str) -> Result<()> {
        let name = program.file_name().context("a component has a file name")?.to_string_lossy();
        let log = self.folder().join(format!("logs/{name}.log"));
        let args: Vec<String> = args.split_whitespace().map(str::to_owned).collect();
        self.space.daemon(program, &args, &log)
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        self.space.end();
        if !std::thread::panicking() {
            return;
        }
        if let Some(run) = self.run.take() {
            let kept = run.keep();
            // Logs explain a failure; data files only take room.
            let _ = fs::remove_dir_all(kept.join("state"));
            eprintln!("keelson: the cluster's logs are in {}", kept.join("logs").display());
        }
    }
}

impl Traces {
    /// Folder of the run.
    #[must_use]
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// What is still there of an ended cluster, one line each: processes, namespaces, mounts, files. Empty is clean.
    ///
    /// # Errors
    /// When `/proc` cannot be read.
    pub fn leftovers(&self) -> Result<Vec<String>> {
        let folder = self.folder.display().to_string();
        let mut found = Vec::new();
        for process in fs::read_dir("/proc")?.flatten() {
            let path = process.path();
            let own = ["net", "pid"].iter().filter_map(|kind| fs::read_link(path.join("ns").join(kind)).ok());
            let inside = own.into_iter().any(|name| self.namespaces.contains(&name));
            let command = fs::read(path.join("cmdline")).unwrap_or_default();
            let command = String::from_utf8_lossy(&command).replace('\0', " ");
            let number = process.file_name().to_string_lossy().bytes().all(|byte| byte.is_ascii_digit());
            if number && (inside || command.contains(&folder)) {
                found.push(format!("process {}: {command}", process.file_name().to_string_lossy()));
            }
        }
        for mount in fs::read_to_string("/proc/self/mountinfo")?.lines() {
            let held = self.namespaces.iter().any(|name| mount.contains(&*name.to_string_lossy()));
            if held || mount.contains(&folder) {
                found.push(format!("mount {mount}"));
            }
        }
        if self.folder.exists() {
            found.push(format!("files in {folder}"));
        }
        Ok(found)
    }
}

fn kwok_node(number: u32) -> Value {
    let name = format!("kwok-{number}");
    let resources = json!({"cpu": "4", "memory": "32Gi", "pods": "110"});
    json!({
        "apiVersion": "v1", "kind": "Node",
        "metadata": {
            "name": name,
            "annotations": {PRETENDED: "fake"},
            "labels": {"kubernetes.io/hostname": name, "kubernetes.io/os": "linux", "type": "kwok"},
        },
        "status": {"capacity": resources, "allocatable": resources},
    })
}

/// Waits until `count` nodes are Ready.
///
/// # Errors
/// When fewer are Ready after `limit`; the text says how many.
pub fn wait_for_nodes(cluster: &Cluster, count: usize, limit: Duration) -> Result<()> {
    wait::until(&format!("{count} nodes to be Ready"), limit, || {
        let ready = cluster.ready_nodes()?.len();
        if ready >= count { Ok(()) } else { bail!("{ready} are Ready") }
    })
}
