//! Starts a test cluster and keeps it until Ctrl-C, or until the command that was given has ended.
//!
//! With `--tools` it only builds what clusters are made of, and prints where kubectl is.
//!
//! Prints one line each for `kubeconfig`, `kubectl` and `logs`, each with a path, when the cluster is ready. A command
//! finds the first two as `KUBECONFIG` and `KUBECTL`, is asked to end when we are, and does not outlive us.

use std::ffi::OsString;
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, ExitCode, ExitStatus};

use anyhow::{Context, Result, ensure};
use clap::Parser;
use keelson_harness::tools::Toolset;
use keelson_harness::{Cluster, Config};
use nix::sys::signal::{SigSet, Signal, kill};
use nix::unistd::Pid;

/// A Kubernetes cluster in namespaces of this machine, until Ctrl-C.
#[derive(Parser)]
struct Flags {
    /// Real nodes: kubelet, containerd, runc, CNI, kube-proxy
    #[arg(long, default_value_t = 0)]
    real: u8,
    /// Pretended nodes
    #[arg(long, default_value_t = 0)]
    kwok: u32,
    /// Leave out kube-scheduler
    #[arg(long)]
    no_scheduler: bool,
    /// Only build the tools that clusters are made of
    #[arg(long)]
    tools: bool,
    /// Resolve service names
    #[arg(long)]
    dns: bool,
    /// Manifests whose images get stand-ins on the real nodes
    #[arg(long, value_name = "FILE")]
    stand_in: Vec<std::path::PathBuf>,
    /// What to run on the cluster; the cluster ends with it
    #[arg(last = true, value_name = "COMMAND")]
    command: Vec<OsString>,
}

fn main() -> ExitCode {
    let flags = Flags::parse();
    match if flags.tools { build() } else { keep(&flags) } {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("keelson: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn build() -> Result<()> {
    for toolset in Toolset::ALL {
        toolset.ready()?;
    }
    println!("kubectl {}", Toolset::Kubernetes.ready()?.join("kubectl").display());
    Ok(())
}

/// Starts the cluster, says where it is, and returns when it has ended.
fn keep(flags: &Flags) -> Result<()> {
    let cluster = Cluster::start(Config {
        real_nodes: flags.real,
        kwok_nodes: flags.kwok,
        default_scheduler: !flags.no_scheduler,
        dns: flags.dns,
        ..Config::default()
    })?;
    for file in &flags.stand_in {
        let manifest = std::fs::read_to_string(file).with_context(|| format!("--stand-in {}", file.display()))?;
        cluster.stand_in(&manifest)?;
    }
    let kubectl = Toolset::Kubernetes.ready()?.join("kubectl");
    let mut guest = start(&flags.command, |command| {
        command.env("KUBECONFIG", cluster.kubeconfig()).env("KUBECTL", &kubectl);
    })?;
    // From here on a signal ends main. Not earlier, for programs started with blocked signals keep them blocked, pods too;
    // a start that is cut short is cleaned up by its watcher.
    let mut ends = SigSet::empty();
    ends.extend([Signal::SIGINT, Signal::SIGTERM, Signal::SIGHUP, Signal::SIGCHLD]);
    ends.thread_block()?;
    println!("kubeconfig {}", cluster.kubeconfig().display());
    println!("kubectl {}", kubectl.display());
    println!("logs {}", cluster.folder().join("logs").display());
    eprintln!("keelson: the cluster is up; Ctrl-C ends it");
    let status = loop {
        if let Some(status) = guest.as_mut().map(Child::try_wait).transpose()?.flatten() {
            break Some(status);
        }
        let signal = ends.wait()?;
        if signal != Signal::SIGCHLD {
            eprintln!("keelson: {signal}: ending the cluster");
            break guest.as_mut().map(end).transpose()?;
        }
    };
    ensure!(status.is_none_or(|status| status.success()), "the command ended with {}", status.unwrap_or_default());
    Ok(())
}

/// Starts the command on the cluster, if there is one.
fn start(line: &[OsString], prepare: impl FnOnce(&mut Command)) -> Result<Option<Child>> {
    if line.is_empty() {
        return Ok(None);
    }
    // Should we be killed, the kernel asks it to end. In a group of its own, so that Ctrl-C reaches it once: through us.
    let mut command = Command::new("setpriv");
    command.args(["--pdeathsig", "TERM"]).args(line).process_group(0);
    prepare(&mut command);
    Ok(Some(command.spawn().context("cannot run setpriv: install util-linux")?))
}

/// Asks the command to end, and waits for that.
fn end(guest: &mut Child) -> Result<ExitStatus> {
    kill(Pid::from_raw(i32::try_from(guest.id())?), Signal::SIGTERM)?;
    Ok(guest.wait()?)
}
