//! A cluster that lives as long as a value: control plane, pretended nodes, real nodes, name server.
//!
//! Everything runs in one [`Space`] whose network has a bridge and no route out, so addresses are the same in every
//! cluster and clusters do not meet; real nodes have spaces of their own within it. The API server checks what
//! production checks (RBAC, the node authorizer and node restriction) and is reachable from this machine through a
//! door on its loopback.
//!
//! Promises: `start` returns only when the API answers, the `default` ServiceAccount exists (where controllers run) and
//! real nodes are Ready;
//! dropping the cluster, also in a panic, and killing its owner end every process, namespace, mount, cgroup and file of
//! it; after a panic or a failed start the logs stay, and stderr says where.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fs::{self, File};
use std::io::Write;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use keelson_image::{Archive, Image, Program};
use serde_json::{Value, json};

use crate::certificates::{AUTHORITY, SERVING};
use crate::expose::Door;
use crate::node::{self, Node, Programs, SERVICES};
use crate::run::{Keep, Run};
use crate::space::Space;
use crate::tools::{self, Toolset};
use crate::traces::Traces;
use crate::{access, audit, dns, runtime, stand_in, wait};

/// Address of the bridge and of the API server, the same in every cluster.
pub const GATEWAY: &str = "10.250.0.1";
/// Longest wait for the control plane.
const PATIENCE: Duration = Duration::from_secs(90);
/// Annotation that hands a node to kwok.
const PRETENDED: &str = "kwok.x-k8s.io/node";

/// What to start.
#[derive(Debug, Clone)]
pub struct Config {
    /// Number of real nodes, `real-0` and so on, at most [`node::MOST`].
    pub real_nodes: u8,
    /// Number of pretended nodes made by `start`; more can be added later.
    pub kwok_nodes: u32,
    /// Whether kube-controller-manager and kwok run; without them nothing happens but what is asked of the API server.
    pub controllers: bool,
    /// Whether kube-scheduler runs; without it pods stay pending until the test binds them.
    pub default_scheduler: bool,
    /// Fields of kube-scheduler's configuration beside those that say who it is and where the cluster is; none when null.
    /// Those of `clientConnection` are added to the kubeconfig there.
    pub scheduler_configuration: Value,
    /// Whether service names resolve.
    pub dns: bool,
    /// Whether the API server keeps a log of every request (see [`crate::audit`]).
    pub audit: bool,
    /// Whether the API server is the oldest that is supported; everything else is the newest.
    pub oldest: bool,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            real_nodes: 0,
            kwok_nodes: 0,
            controllers: true,
            default_scheduler: true,
            scheduler_configuration: Value::Null,
            dns: false,
            audit: true,
            oldest: false,
        }
    }
}

/// A running cluster; dropping it ends it.
#[derive(Debug)]
pub struct Cluster {
    // Fields are dropped in this order should `start` fail midway: nodes before what they lie in, files last.
    nodes: Vec<Node>,
    doors: Vec<Door>,
    space: Space,
    run: Run,
    port: u16,
    token: String,
    kubectl: PathBuf,
    kwok_nodes: u32,
    /// Whether the end explains itself: a start that failed keeps its logs.
    started: bool,
}

impl Cluster {
    /// Starts a cluster, building its tools first when this machine has not built them.
    ///
    /// # Errors
    /// When this process is not root, a program is missing, or a component does not come up; the text says which.
    pub fn start(config: Config) -> Result<Self> {
        tools::machine_is_able()?;
        let (kubernetes, etcd, kwok) = (Toolset::Kubernetes.ready()?, Toolset::Etcd.ready()?, Toolset::Kwok.ready()?);
        let runtime = if config.real_nodes > 0 {
            node::machine_is_able(config.real_nodes)?;
            Toolset::Runtime.ready()?
        } else {
            PathBuf::new()
        };
        let run = Run::begin()?;
        let space = Space::open(&run.folder().join("logs/init.log"))?;
        // Bound for the cluster's whole life, so the port is nobody else's.
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        let port = listener.local_addr()?.port();
        let names: Vec<String> = (0..config.real_nodes).map(node::name).collect();
        let token = access::write(run.folder(), port, GATEWAY, &names)?;
        let kubectl = kubernetes.join("kubectl");
        let (nodes, doors) = (Vec::new(), Vec::new());
        let mut cluster = Self { nodes, doors, space, run, port, token, kubectl, kwok_nodes: 0, started: false };
        cluster.door(listener, SocketAddr::from((Ipv4Addr::LOCALHOST, port)))?;
        cluster.network()?;
        let api = if config.oldest { Toolset::Oldest.ready()? } else { kubernetes.clone() };
        cluster.store_and_api(&etcd, &api, config.audit)?;
        // Nodes boot while the API server does.
        let programs = Programs { kubernetes: &kubernetes, runtime: &runtime };
        for number in 0..config.real_nodes {
            let node = Node::boot(number, config.real_nodes, &cluster.space, &cluster.run, programs)?;
            cluster.nodes.push(node);
        }
        wait::until("the API server", PATIENCE, || cluster.kubectl(&["get", "--raw=/readyz"]))?;
        if config.default_scheduler {
            cluster.scheduler(&kubernetes, &config.scheduler_configuration)?;
        }
        if config.controllers {
            cluster.controllers(&kubernetes)?;
            cluster.kwok(&kwok)?;
        }
        if !cluster.nodes.is_empty() {
            cluster.import(&[runtime::pause()])?;
        }
        for node in &mut cluster.nodes {
            node.join(&cluster.run, programs)?;
        }
        if config.dns {
            cluster.name_server()?;
        }
        if config.controllers {
            wait::until("the default ServiceAccount", PATIENCE, || {
                cluster.kubectl(&["get", "serviceaccount", "default", "--namespace=default"])
            })?;
        }
        cluster.create_kwok_nodes(config.kwok_nodes)?;
        wait::until("the real nodes to be Ready", PATIENCE, || {
            let ready = cluster.ready_nodes()?;
            names.iter().try_for_each(|name| {
                ensure!(ready.contains(name), "{name} is not: see {}/logs/{name}", cluster.folder().display());
                Ok(())
            })
        })?;
        cluster.started = true;
        Ok(cluster)
    }

    /// Folder of the run: `logs/` has one file per component and one folder per real node, `state/` their data.
    #[must_use]
    pub fn folder(&self) -> &Path {
        self.run.folder()
    }

    /// Administrator's kubeconfig, good on this machine and in [`Cluster::command`].
    #[must_use]
    pub fn kubeconfig(&self) -> PathBuf {
        self.folder().join("kubeconfig")
    }

    /// Port of the API server, on this machine's loopback as well as inside.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }

    pub(crate) fn space(&self) -> &Space {
        &self.space
    }

    pub(crate) fn space_mut(&mut self) -> &mut Space {
        &mut self.space
    }

    pub(crate) fn token(&self) -> &str {
        &self.token
    }

    /// What to look for after the cluster was dropped.
    ///
    /// # Errors
    /// When `/proc` cannot be read.
    pub fn traces(&self) -> Result<Traces> {
        Traces::of(self.folder())
    }

    /// A command that runs `program` in the cluster's network, on this machine's files, with `KUBECONFIG` set.
    #[must_use]
    pub fn command(&self, program: impl AsRef<OsStr>) -> Command {
        let mut command = self.space.enter_network(program);
        command.env("KUBECONFIG", self.kubeconfig());
        command
    }

    /// Opens a door (see [`crate::expose`]) on this machine's loopback to an address in the cluster's network, be it a
    /// pod's or that of a program started by [`Cluster::command`], and returns where it is. It closes with the cluster.
    ///
    /// # Errors
    /// When no port or thread is to be had.
    pub fn expose(&mut self, inside: SocketAddr) -> Result<SocketAddr> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        let outside = listener.local_addr()?;
        self.door(listener, inside)?;
        Ok(outside)
    }

    fn door(&mut self, listener: TcpListener, inside: SocketAddr) -> Result<()> {
        let network = File::open(format!("/proc/{}/ns/net", self.space.pid()))?;
        self.doors.push(Door::open(listener, network, inside)?);
        Ok(())
    }

    /// A real node, by name.
    ///
    /// # Errors
    /// When the cluster has no real node of that name.
    pub fn node(&mut self, name: &str) -> Result<&mut Node> {
        self.nodes.iter_mut().find(|node| node.name == name).with_context(|| format!("no real node is called {name}"))
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

    /// Gives the real nodes a stand-in for every image that the manifest names (see [`stand_in`]), so that the manifest
    /// can be applied as it is.
    ///
    /// # Errors
    /// When a container of the manifest cannot run a stand-in; the text names it.
    pub fn stand_in(&self, manifest: &str) -> Result<()> {
        let images: BTreeMap<String, Vec<u64>> = stand_in::images(manifest)?;
        let listening = |ports: Vec<u64>| ports.iter().map(u64::to_string).collect::<Vec<_>>().join(",");
        let image =
            |(name, ports)| Image { name, env: vec![format!("PORTS={}", listening(ports))], ..Image::default() };
        self.import(&images.into_iter().map(image).collect::<Vec<_>>())
    }

    fn import(&self, images: &[Image]) -> Result<()> {
        let program = Toolset::Pause.ready()?.join("pause");
        let archive = tempfile::NamedTempFile::new_in(self.folder().join("state"))?;
        fs::write(archive.path(), Archive::of(Program::native("app", &fs::read(program)?), images)?.bytes)?;
        self.import_archive(archive.path())
    }

    /// Gives the real nodes the images of an OCI archive.
    ///
    /// # Errors
    /// When a node's containerd refuses the archive; the text is the refusal.
    pub fn import_archive(&self, archive: &Path) -> Result<()> {
        self.nodes.iter().try_for_each(|node| node.import(archive))
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
            let mut ip = self.space.enter_network("ip");
            ip.args(args);
            tools::run(ip)?;
        }
        Ok(())
    }

    fn store_and_api(&mut self, etcd: &Path, kubernetes: &Path, audit: bool) -> Result<()> {
        let (run, port) = (self.folder().display().to_string(), self.port);
        let mut audited = String::new();
        if audit {
            let policy = self.folder().join("state/audit-policy.json");
            fs::write(&policy, audit::policy())?;
            audited = audit::flags(&policy, &self.audit_log());
        }
        self.daemon(
            &etcd.join("etcd"),
            &format!(
                "--data-dir={run}/state/etcd --unsafe-no-fsync --listen-client-urls=http://127.0.0.1:2379 \
                 --advertise-client-urls=http://127.0.0.1:2379 --listen-peer-urls=http://127.0.0.1:2380 \
                 --initial-advertise-peer-urls=http://127.0.0.1:2380 --initial-cluster=default=http://127.0.0.1:2380"
            ),
        )?;
        // Webhooks and aggregated APIs are reached at their pods: nothing rewrites service addresses beside the nodes.
        self.daemon(
            &kubernetes.join("kube-apiserver"),
            &format!(
                "--etcd-servers=http://127.0.0.1:2379 --secure-port={port} \
                 --tls-cert-file={run}/{SERVING}.crt --tls-private-key-file={run}/{SERVING}.key \
                 --client-ca-file={run}/{AUTHORITY} \
                 --bind-address=0.0.0.0 --advertise-address={GATEWAY} --service-cluster-ip-range={SERVICES} \
                 --service-account-issuer=https://kubernetes.default.svc --service-account-key-file={run}/sa.key \
                 --service-account-signing-key-file={run}/sa.key --token-auth-file={run}/tokens.csv \
                 --authorization-mode=Node,RBAC --enable-admission-plugins=NodeRestriction --allow-privileged=true \
                 --kubelet-preferred-address-types=InternalIP --kubelet-client-certificate={run}/kubelet-client.crt \
                 --kubelet-client-key={run}/kubelet-client.key --enable-aggregator-routing=true{audited}"
            ),
        )
    }

    fn controllers(&mut self, kubernetes: &Path) -> Result<()> {
        let run = self.folder().display().to_string();
        self.daemon(
            &kubernetes.join("kube-controller-manager"),
            &format!(
                "--kubeconfig={run}/kubeconfig --service-account-private-key-file={run}/sa.key \
                 --root-ca-file={run}/{AUTHORITY} --leader-elect=false --secure-port=0 \
                 --allocate-node-cidrs=false \
                 --controllers=*,-node-ipam-controller,-cloud-node-lifecycle-controller,-node-route-controller"
            ),
        )
    }

    fn scheduler(&mut self, kubernetes: &Path, told: &Value) -> Result<()> {
        let mut configuration = json!({
            "apiVersion": "kubescheduler.config.k8s.io/v1", "kind": "KubeSchedulerConfiguration",
            "clientConnection": {"kubeconfig": self.kubeconfig()},
            "leaderElection": {"leaderElect": false},
        });
        for (name, told) in told.as_object().into_iter().flatten() {
            let mut told = told.clone();
            if let Some(own) = configuration.get(name).and_then(Value::as_object).filter(|_| name == "clientConnection")
            {
                told.as_object_mut().into_iter().for_each(|told| told.extend(own.clone()));
            }
            configuration.as_object_mut().into_iter().for_each(|all| _ = all.insert(name.clone(), told.clone()));
        }
        let file = self.folder().join("state/scheduler.json");
        fs::write(&file, configuration.to_string())?;
        let args = format!("--config={} --secure-port=0", file.display());
        self.daemon(&kubernetes.join("kube-scheduler"), &args)
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

    fn name_server(&mut self) -> Result<()> {
        let program = Toolset::Dns.ready()?.join("dns");
        let corefile = self.folder().join("state/Corefile");
        fs::write(&corefile, dns::corefile(&self.kubeconfig().display().to_string()))?;
        self.apply(&dns::service().to_string())?;
        self.daemon(&program, &format!("-conf {}", corefile.display()))
    }

    /// Starts a component with arguments separated by spaces; its log is named after it.
    fn daemon(&mut self, program: &Path, args: &str) -> Result<()> {
        let name = program.file_name().context("a component has a file name")?.to_string_lossy();
        let log = self.folder().join(format!("logs/{name}.log"));
        let mut command = self.space.enter(program);
        command.args(args.split_whitespace());
        self.space.daemon(command, &log)
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        self.doors.clear();
        for node in &mut self.nodes {
            node.end();
        }
        self.space.end();
        if std::thread::panicking() || !self.started {
            self.run.end(Keep::Logs);
            eprintln!("keelson: the cluster's logs are in {}", self.folder().join("logs").display());
        } else {
            self.run.end(Keep::Nothing);
        }
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
