//! Starts a test cluster and keeps it until Ctrl-C.
//!
//! With `--tools` it only builds what clusters are made of, and prints where kubectl is.
//!
//! Prints one line each for `kubeconfig`, `kubectl` and `logs`, each with a path, when the cluster is ready.

use std::process::ExitCode;

use anyhow::{Context, Result};
use clap::Parser;
use keelson_harness::tools::Toolset;
use keelson_harness::{Cluster, Config};
use nix::sys::signal::{SigSet, Signal};

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
    for toolset in Toolset::CLUSTER {
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
        controllers: true,
        default_scheduler: !flags.no_scheduler,
        dns: flags.dns,
    })?;
    // From here on a signal ends main. Not earlier, for programs started with blocked signals keep them blocked, pods too;
    // a start that is cut short is cleaned up by its watcher.
    let mut ends = SigSet::empty();
    ends.extend([Signal::SIGINT, Signal::SIGTERM, Signal::SIGHUP]);
    ends.thread_block()?;
    for file in &flags.stand_in {
        let manifest = std::fs::read_to_string(file).with_context(|| format!("--stand-in {}", file.display()))?;
        cluster.stand_in(&manifest)?;
    }
    println!("kubeconfig {}", cluster.kubeconfig().display());
    println!("kubectl {}", Toolset::Kubernetes.ready()?.join("kubectl").display());
    println!("logs {}", cluster.folder().join("logs").display());
    eprintln!("keelson: the cluster is up; Ctrl-C ends it");
    let signal = ends.wait()?;
    eprintln!("keelson: {signal}: ending the cluster");
    Ok(())
}
