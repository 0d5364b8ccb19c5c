//! `keelson controller`: the operators against a cluster; `keelson dashboard`: the page alone.

use std::collections::BTreeMap;
use std::sync::Arc;

use anyhow::{Context, Result};
use keelson_runtime::Clock;
use keelson_telemetry::{Telemetry, trace_id};

use crate::backend::About;
use crate::cli;
use crate::page::{self, Page};
use crate::platform::{self, Parts, Platform};
use crate::{cluster, store};

/// Runs until told to stop.
///
/// # Errors
/// What cannot start, and the fix.
pub async fn run(args: &cli::Controller, telemetry: Option<&Telemetry>) -> Result<()> {
    let clock = Clock::system();
    let listener = keelson_dashboard::bind(args.listen).await?;
    let kubeconfig = args.kubeconfig.as_deref();
    let client = cluster::client(kubeconfig).await?;
    let platform = Platform::start(Parts {
        lease_client: cluster::lease_client(kubeconfig).await?,
        client: client.clone(),
        clock,
        seed: seed(clock),
        identity: identity(args.identity.as_deref())?,
        namespace: args.namespace.clone(),
        ceilings: args.ceilings.iter().copied().collect::<BTreeMap<_, _>>(),
        mode_file: args.platform.clone(),
        trace_id,
        store: store::open(&args.database).await?,
        journal: platform::journal(&args.journal)?,
    })?;
    let about = About { cluster: "kubernetes".to_owned(), speed: 1, mode_file: args.platform.clone() };
    let page = Page { platform: platform.clone(), client, about, telemetry };
    page.serve(listener, stop_signal()).await?;
    platform.stop().await;
    Ok(())
}

/// Serves the page from the store that controllers share, until told to stop.
///
/// # Errors
/// What cannot start, and the fix.
pub async fn dashboard(args: &cli::Dashboard) -> Result<()> {
    let listener = keelson_dashboard::bind(args.listen).await?;
    let store = store::open(&args.database).await?;
    let client = match &args.kubeconfig {
        Some(path) => Some(cluster::client(Some(path)).await?),
        None => None,
    };
    page::serve_stored(listener, store, client, stop_signal()).await
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
