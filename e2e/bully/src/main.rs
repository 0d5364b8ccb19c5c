//! `keelson-bully KUBECONFIG IDENTITY`: evicts everything in a cluster, until it is told to stop (SIGTERM).

use std::collections::BTreeMap;
use std::error::Error;
use std::path::Path;
use std::sync::Arc;

use keelson_bully::Bully;
use keelson_core::{Feature, Mode};
use keelson_runtime::config::Election;
use keelson_runtime::elector::Timing;
use keelson_runtime::{Calls, Clock, Config, MemoryHistory, Runtime};
use kube::config::{KubeConfigOptions, Kubeconfig};
use tokio::signal::unix::{SignalKind, signal};

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let mut args = std::env::args().skip(1);
    let (Some(kubeconfig), Some(identity)) = (args.next(), args.next()) else {
        return Err("usage: keelson-bully KUBECONFIG IDENTITY".into());
    };
    let file = Kubeconfig::read_from(Path::new(&kubeconfig))?;
    let config = kube::Config::from_custom_kubeconfig(file, &KubeConfigOptions::default()).await?;
    let client = kube::Client::try_from(config)?;
    let runtime = Runtime::start(Config {
        clock: Clock::system(),
        seed: u64::from(std::process::id()),
        identity,
        namespace: "keelson-system".to_owned(),
        owner: None,
        ceilings: BTreeMap::from([(Feature::Scheduling, Mode::Enforce)]),
        timing: Timing::default(),
        election: Election::Lease,
        trace_id: String::new,
        history: Arc::new(MemoryHistory::default()),
        client: client.clone(),
        lease_client: client,
        calls: Calls::default(),
        mode_file: None,
    })?;
    let mut told = signal(SignalKind::terminate())?;
    let _loose = Bully::start(&runtime);
    told.recv().await;
    // Whoever comes next need not wait for the Lease.
    runtime.shutdown().await;
    Ok(())
}
