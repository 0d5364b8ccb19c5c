//! `keelson controller`: the operators against a cluster; `keelson dashboard`: the page alone.

use std::collections::BTreeMap;
use std::future::pending;
use std::path::PathBuf;

use anyhow::{Context, Result};
use keelson_runtime::config::Election;
use keelson_runtime::elector::Timing;
use keelson_runtime::{Calls, Clock};
use keelson_store::{Journal, JournalOptions, Retention};
use keelson_telemetry::{Telemetry, trace_id};

use crate::backend::About;
use crate::cli;
use crate::handover::Wish;
use crate::page::Page;
use crate::platform::{self, Parts, Platform};
use crate::{account, cluster, extender, handover, probes, store};

/// Runs until told to stop.
///
/// # Errors
/// What cannot start, and the fix.
pub async fn run(args: &cli::Controller, telemetry: Option<&Telemetry>) -> Result<()> {
    let clock = Clock::system();
    let listener = args.door.listen(args.listen).await?;
    let extender = args.extender.open().await?;
    let (probes, wish) = (args.probes.bind().await?, args.initial_platform.as_deref().map(Wish::read).transpose()?);
    let kubeconfig = args.kubeconfig.as_deref();
    let calls = Calls::default();
    let client = cluster::client(kubeconfig, &calls).await?;
    let platform = Platform::start(Parts {
        lease_client: cluster::lease_client(kubeconfig, &calls).await?,
        client: client.clone(),
        calls,
        clock,
        seed: seed(clock),
        identity: identity(args.identity.as_deref())?,
        namespace: args.namespace.clone(),
        owner: account::owner(&args.namespace),
        ceilings: args.ceilings.iter().copied().collect(),
        election: Election::Lease,
        timing: args.leases.timing()?,
        mode_file: args.platform.clone(),
        trace_id,
        store: store::open(&args.database).await?,
        retention: args.keep.retention(),
        journal: platform::journal(&args.journal, &args.keep)?,
    })?;
    let about = about(&client, &args.namespace, args.platform.clone()).await?;
    let options = args.door.options(listener.local_addr()?, &client)?;
    let page = Page { platform: platform.clone(), client, about, options, telemetry };
    tokio::select! {
        served = page.serve(listener, stop_signal()) => served?,
        failed = probes::answer(probes, platform.runtime.clone()) => failed?,
        failed = extender::serve(extender, &platform.listeners, pending()) => failed?,
        () = handover::keep(wish, platform.runtime.clone()) => {}
    }
    platform.stop().await;
    Ok(())
}

/// Serves the page alone, until told to stop: a standby that never stands for election, on the store that the controllers
/// share.
///
/// # Errors
/// What cannot start, and the fix.
pub async fn dashboard(args: &cli::Dashboard) -> Result<()> {
    let clock = Clock::system();
    let listener = args.door.listen(args.listen).await?;
    let probes = args.probes.bind().await?;
    let calls = Calls::default();
    let client = cluster::client(args.kubeconfig.as_deref(), &calls).await?;
    let platform = Platform::start(Parts {
        lease_client: client.clone(),
        client: client.clone(),
        calls,
        clock,
        seed: seed(clock),
        identity: identity(None)?,
        namespace: args.namespace.clone(),
        owner: None,
        ceilings: BTreeMap::new(),
        election: Election::Never,
        timing: Timing::default(),
        mode_file: None,
        trace_id,
        store: store::open(&args.database).await?,
        retention: Retention::default(),
        journal: Journal::in_memory(JournalOptions::default()),
    })?;
    let about = about(&client, &args.namespace, None).await?;
    let options = args.door.options(listener.local_addr()?, &client)?;
    let page = Page { platform: platform.clone(), client, about, options, telemetry: None };
    tokio::select! {
        served = page.serve(listener, stop_signal()) => served?,
        failed = probes::answer(probes, platform.runtime.clone()) => failed?,
    }
    platform.stop().await;
    Ok(())
}

async fn about(client: &kube::Client, namespace: &str, mode_file: Option<PathBuf>) -> Result<About> {
    let version = client.apiserver_version().await.context("the API server does not answer")?;
    Ok(About {
        cluster: "kubernetes".to_owned(),
        kubernetes: version.git_version,
        speed: 1,
        namespace: namespace.to_owned(),
        mode_file,
    })
}

/// Ends at SIGTERM or Ctrl-C.
pub async fn stop_signal() {
    use tokio::signal::unix::{SignalKind, signal};
    let terminated = async {
        match signal(SignalKind::terminate()) {
            Ok(mut signal) => drop(signal.recv().await),
            Err(_) => std::future::pending().await,
        }
    };
    tokio::select! {
        () = terminated => {}
        _ = tokio::signal::ctrl_c() => {}
    }
}

/// A seed that differs between replicas and restarts.
pub fn seed(clock: Clock) -> u64 {
    clock.now().0.unsigned_abs() ^ (u64::from(std::process::id()) << 40)
}

fn identity(given: Option<&str>) -> Result<String> {
    if let Some(given) = given {
        return Ok(given.to_owned());
    }
    let name = std::fs::read_to_string("/proc/sys/kernel/hostname").context("no host name; set --identity")?;
    Ok(format!("{}-{}", name.trim(), std::process::id()))
}
