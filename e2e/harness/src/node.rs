//! A real node: kubelet, containerd, runc, CNI plugins and kube-proxy in namespaces of its own, inside the cluster's.
//!
//! A node has its own network, mounts, processes, IPC and host name. The paths that kubelet, containerd and the CNI
//! plugins have in them are covered by folders of the run, and the kernel settings a kubelet insists on are covered by
//! files that already hold what it wants, so that this machine's stay as they are. A bridge joins the nodes; pod
//! addresses are routed, never rewritten. No node has a default route.
//!
//! Promises: ending a node is a crash, as if its power had failed; nothing is written outside the run's folder and the
//! run's cgroups.

use std::fs;
use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, ensure};

use crate::cluster::GATEWAY;
use crate::run::Run;
use crate::runtime;
use crate::space::Space;
use crate::traces::INTERFACES;
use crate::{cgroup, tools, wait};

/// Addresses of services; the API server's is the first.
pub const SERVICES: &str = "10.96.0.0/16";
/// Where pods find the API server: the first of them.
pub const API_SERVICE: &str = "10.96.0.1";
/// Most real nodes of a cluster: one machine carries no more, and each has its own third byte.
pub const MOST: u8 = 16;
/// Longest wait for containerd.
const PATIENCE: Duration = Duration::from_secs(60);

/// Kernel settings that a kubelet writes, with the values it writes.
const SETTINGS: [(&str, &str); 6] = [
    ("kernel/keys/root_maxbytes", "25000000"),
    ("kernel/keys/root_maxkeys", "1000000"),
    ("kernel/panic", "10"),
    ("kernel/panic_on_oops", "1"),
    ("vm/overcommit_memory", "1"),
    ("vm/panic_on_oom", "0"),
];

/// A node with its place in the cluster's network.
#[derive(Debug)]
pub struct Node {
    /// `real-0`, `real-1`, ...
    pub name: String,
    number: u8,
    space: Space,
    home: PathBuf,
    logs: PathBuf,
    runtime: PathBuf,
}

/// Where built programs lie.
#[derive(Debug, Clone, Copy)]
pub struct Programs<'a> {
    /// kubelet and kube-proxy.
    pub kubernetes: &'a Path,
    /// containerd, its shim, ctr, runc and the CNI plugins.
    pub runtime: &'a Path,
}

/// Name of the node with this number.
#[must_use]
pub fn name(number: u8) -> String {
    format!("real-{number}")
}

fn address(number: u8) -> Ipv4Addr {
    Ipv4Addr::new(10, 250, 0, number.saturating_add(11))
}

/// The range of a node's pods.
fn pods(number: u8) -> String {
    format!("10.244.{}.0/24", number.saturating_add(1))
}

impl Node {
    /// Opens the node's namespaces in `outer`, joins its network to the other nodes' (`count` in all), and starts
    /// containerd. [`Node::join`] makes it a node of the cluster.
    ///
    /// # Errors
    /// When a namespace, mount, route or cgroup cannot be made; the text holds the command and what it said.
    pub fn boot(number: u8, count: u8, outer: &Space, run: &Run, programs: Programs<'_>) -> Result<Self> {
        let name = name(number);
        let home = run.folder().join("state").join(&name);
        let logs = run.folder().join("logs").join(&name);
        for folder in ["kubelet", "containerd", "cni"] {
            fs::create_dir_all(home.join("lib").join(folder))?;
        }
        fs::create_dir_all(home.join("etc/cni/net.d"))?;
        fs::create_dir_all(home.join("work"))?;
        fs::create_dir_all(&logs)?;
        for (setting, value) in SETTINGS {
            let file = home.join("settings").join(setting);
            fs::create_dir_all(file.parent().context("a setting has a folder")?)?;
            fs::write(file, value)?;
        }
        fs::write(home.join("etc/cni/net.d/10-keelson.conflist"), runtime::cni(&pods(number)))?;
        // Names of services resolve on a node as in its pods, and nobody else is asked.
        fs::write(home.join("etc/resolv.conf"), format!("nameserver {}\n", runtime::NAME_SERVER))?;
        fs::write(home.join("containerd.toml"), runtime::containerd(programs.runtime, &home))?;
        fs::write(home.join("kubelet.json"), runtime::kubelet(&format!("/{}/{name}", run.group()), run.folder()))?;
        fs::write(home.join("kube-proxy.json"), runtime::proxy(&name, &run.folder().join("kube-proxy.kubeconfig")))?;
        cgroup::make(run.group(), &name)?;
        let space = outer.within(&logs.join("init.log"))?;
        let mut node = Self { name, number, space, home, logs, runtime: programs.runtime.to_path_buf() };
        node.connect(outer, count)?;
        node.prepare()?;
        let given = std::env::var_os("PATH").unwrap_or_default();
        let path = [programs.runtime.to_path_buf()].into_iter().chain(std::env::split_paths(&given));
        let mut containerd = node.command(programs.runtime.join("containerd"));
        containerd.env("PATH", std::env::join_paths(path)?).arg("--config").arg(node.home.join("containerd.toml"));
        node.daemon(containerd, "containerd")?;
        Ok(node)
    }

    /// A command that runs `program` as a process of the node: its mounts, processes and network.
    #[must_use]
    pub fn command(&self, program: impl AsRef<std::ffi::OsStr>) -> Command {
        self.space.enter(program)
    }

    /// Starts kubelet and kube-proxy. The node is Ready some seconds later.
    ///
    /// # Errors
    /// When one cannot be started.
    pub fn join(&mut self, run: &Run, programs: Programs<'_>) -> Result<()> {
        let mut kubelet = self.command(programs.kubernetes.join("kubelet"));
        kubelet.arg("--config").arg(self.home.join("kubelet.json"));
        kubelet.arg("--kubeconfig").arg(run.folder().join(format!("{}.kubeconfig", self.name)));
        kubelet.args(["--root-dir=/var/lib/kubelet", "--node-labels=type=real", "--v=2"]);
        kubelet.arg(format!("--hostname-override={}", self.name)).arg(format!("--node-ip={}", address(self.number)));
        self.daemon(kubelet, "kubelet")?;
        let mut proxy = self.command(programs.kubernetes.join("kube-proxy"));
        proxy.arg("--config").arg(self.home.join("kube-proxy.json"));
        self.daemon(proxy, "kube-proxy")
    }

    /// Waits for containerd and imports the images of an OCI archive.
    ///
    /// # Errors
    /// When containerd does not come up or refuses the archive; its log is in the node's folder of logs.
    pub fn import(&self, archive: &Path) -> Result<()> {
        let ctr = || self.command(self.runtime.join("ctr"));
        wait::until(&format!("containerd of {}", self.name), PATIENCE, || {
            let mut version = ctr();
            version.arg("version");
            tools::run(version)
        })?;
        let mut import = ctr();
        import.args(["--namespace=k8s.io", "images", "import"]).arg(archive);
        tools::run(import).map(drop)
    }

    /// Ends the node at once.
    pub fn end(&mut self) {
        self.space.end();
    }

    fn daemon(&mut self, command: Command, name: &str) -> Result<()> {
        self.space.daemon(command, &self.logs.join(format!("{name}.log")))
    }

    fn connect(&self, outer: &Space, count: u8) -> Result<()> {
        let (link, pid, own) =
            (format!("{INTERFACES}-{}", self.name), self.space.pid().to_string(), address(self.number));
        let outside = |args: &[&str]| ip(outer.enter_network("ip"), args);
        let inside = |args: &[&str]| ip(self.space.enter_network("ip"), args);
        outside(&["link", "add", &link, "type", "veth", "peer", "name", "eth0", "netns", &pid])?;
        outside(&["link", "set", &link, "master", "keelson0", "up"])?;
        outside(&["route", "add", &pods(self.number), "via", &own.to_string()])?;
        inside(&["link", "set", "lo", "up"])?;
        inside(&["address", "add", &format!("{own}/24"), "dev", "eth0"])?;
        inside(&["link", "set", "eth0", "up"])?;
        // Service addresses are rewritten on the way out, but only after a route was found for them.
        inside(&["route", "add", SERVICES, "via", GATEWAY])?;
        for other in (0..count).filter(|other| *other != self.number) {
            inside(&["route", "add", &pods(other), "via", &address(other).to_string()])?;
        }
        Ok(())
    }

    fn prepare(&self) -> Result<()> {
        let mut bash = self.command("bash");
        bash.args(["-c", include_str!("node.sh"), "keelson-node"]).arg(&self.home).arg(&self.logs).arg(&self.name);
        tools::run(bash).map(drop)
    }
}

fn ip(mut command: Command, args: &[&str]) -> Result<()> {
    command.args(args);
    tools::run(command).map(drop)
}

/// Checks that this machine has what real nodes need beyond a control plane.
///
/// # Errors
/// One sentence with the fix.
pub fn machine_is_able(count: u8) -> Result<()> {
    ensure!(count <= MOST, "real_nodes is {count}: a cluster has at most {MOST}");
    tools::programs(
        &["conntrack", "gcc", "iptables", "nft", "pkg-config"],
        "apt-get install conntrack gcc iptables nftables pkg-config libseccomp-dev",
    )?;
    let seccomp = Command::new("pkg-config").args(["--exists", "libseccomp"]).status()?.success();
    ensure!(seccomp, "real nodes need libseccomp's headers to build runc: apt-get install libseccomp-dev");
    Ok(())
}
