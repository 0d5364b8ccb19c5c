//! `keelson up`: everything in one process.
//!
//! The simulated cluster (or a real one), the controller, the store in a file, and the page. What a person sees here is
//! what a Deployment runs; only the world behind it differs.

use std::collections::BTreeMap;
use std::fs::OpenOptions;
use std::future::pending;
use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result};
use keelson_core::{Feature, Mode, Span};
use keelson_runtime::config::Election;
use keelson_runtime::elector::Timing;
use keelson_runtime::{Calls, Clock};
use keelson_store::Retention;
use keelson_telemetry::{Telemetry, trace_id};
use tokio::time::{sleep, timeout};

use crate::backend::About;
use crate::cli::Up;
use crate::controller::{seed, stop_signal};
use crate::output::{Colour, paint};
use crate::page::Page;
use crate::platform::{self, Parts, Platform};
use crate::simulated::{self, Simulated};
use crate::{cluster, extender, store};

/// Runs until told to stop.
///
/// # Errors
/// What cannot start, and the fix.
pub async fn run(args: &Up, telemetry: Option<&Telemetry>) -> Result<()> {
    let listener = args.door.listen(args.listen).await?;
    let address = listener.local_addr()?;
    let extender = args.extender.open().await?;
    let folder = Folder::open(args.data.as_deref())?;
    let mut world = World::open(args, &folder.path).await?;
    let platform = Platform::start(Parts {
        client: world.client.clone(),
        lease_client: world.lease_client.clone(),
        calls: world.calls.clone(),
        clock: world.clock,
        seed: world.seed,
        identity: format!("keelson-up-{}", std::process::id()),
        namespace: world.namespace.clone(),
        owner: None,
        ceilings: BTreeMap::from([(Feature::Scheduling, Mode::Enforce)]),
        election: Election::Lease,
        timing: Timing::default(),
        mode_file: args.platform.clone(),
        trace_id,
        store: store::open(&folder.path.join("keelson.db").to_string_lossy()).await?,
        // An hour of the person who looks on, not of a cluster that is faster.
        retention: Retention { recordings: Span::hours(i64::from(world.about.speed)), ..args.keep.retention() },
        journal: platform::journal(&folder.path.join("journal"), &args.keep)?,
    })?;
    if let Some(simulated) = &mut world.simulated {
        looks_on(&platform).await;
        simulated.begin();
    }
    println!("\n  {}  {}://{address}", paint("page      ", Colour::Bold), args.door.scheme());
    println!("  {}  export KUBECONFIG={}", paint("kubectl   ", Colour::Bold), world.kubeconfig.display());
    println!("  {}  {}", paint("data      ", Colour::Bold), folder.path.display());
    println!("  {}  keelson why pod/NAME -n NAMESPACE\n  stop with Ctrl-C\n", paint("ask       ", Colour::Bold));
    let options = args.door.options(address, &world.client)?;
    let (client, about) = (world.client.clone(), world.about);
    let page = Page { platform: platform.clone(), client, about, options, telemetry };
    let served = tokio::select! {
        served = page.serve(listener, stop_signal()) => served,
        failed = extender::serve(extender, &platform.listeners, pending()) => failed,
    };
    platform.stop().await;
    if let Some(simulated) = world.simulated {
        simulated.stop().await;
    }
    served
}

/// Waits until it looks on, for at most half a minute: what was bound before is not compared with what it would have chosen.
async fn looks_on(platform: &Platform) {
    let looks_on = || {
        let health = platform.runtime.health();
        health.ready && health.leases.get(&Feature::Scheduling).is_some_and(|lease| lease.leading)
    };
    let wait = async || {
        while !looks_on() {
            sleep(Duration::from_millis(10)).await
        }
    };
    let _ = timeout(Duration::from_secs(30), wait()).await;
}

/// The cluster that is run against.
struct World {
    client: kube::Client,
    lease_client: kube::Client,
    calls: Calls,
    clock: Clock,
    seed: u64,
    namespace: String,
    kubeconfig: PathBuf,
    about: About,
    simulated: Option<Simulated>,
}

impl World {
    async fn open(args: &Up, folder: &Path) -> Result<Self> {
        match &args.kubeconfig {
            Some(file) => Self::real(args, file).await,
            None => Self::simulated(args, folder).await,
        }
    }

    async fn real(args: &Up, file: &Path) -> Result<Self> {
        let calls = Calls::default();
        let client = cluster::client(Some(file), &calls).await?;
        let version = client.apiserver_version().await.with_context(|| format!("the cluster of {}", file.display()))?;
        let clock = Clock::system();
        Ok(Self {
            lease_client: cluster::lease_client(Some(file), &calls).await?,
            client,
            calls,
            clock,
            seed: seed(clock),
            namespace: "keelson-system".to_owned(),
            kubeconfig: file.to_owned(),
            about: About {
                cluster: "kubernetes".to_owned(),
                kubernetes: version.git_version,
                speed: 1,
                namespace: "keelson-system".to_owned(),
                mode_file: args.platform.clone(),
            },
            simulated: None,
        })
    }

    async fn simulated(args: &Up, folder: &Path) -> Result<Self> {
        let listener = keelson_dashboard::bind(args.api).await.context("the simulated API server")?;
        let kubeconfig = folder.join("kubeconfig");
        let calls = Calls::default();
        let simulated = Simulated::prepare(listener, args.seed, args.speed).await?;
        let written = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&kubeconfig);
        written
            .and_then(|mut file| file.write_all(simulated.kubeconfig().as_bytes()))
            .with_context(|| format!("{} cannot be written; choose another --data", kubeconfig.display()))?;
        let about = About {
            cluster: "simulated streaming evening".to_owned(),
            kubernetes: "v1.36 (simulated)".to_owned(),
            speed: args.speed,
            namespace: simulated::NAMESPACE.to_owned(),
            mode_file: args.platform.clone(),
        };
        Ok(Self {
            client: simulated.counted(&calls),
            lease_client: simulated.counted(&calls),
            calls,
            clock: simulated.clock(),
            seed: args.seed,
            namespace: simulated::NAMESPACE.to_owned(),
            kubeconfig,
            about,
            simulated: Some(simulated),
        })
    }
}

/// Where things are kept; a fresh folder is removed at the end.
struct Folder {
    path: PathBuf,
    fresh: bool,
}

impl Folder {
    fn open(given: Option<&Path>) -> Result<Self> {
        let (path, fresh) = match given {
            Some(path) => (path.to_owned(), false),
            None => (std::env::temp_dir().join(format!("keelson-up-{}", std::process::id())), true),
        };
        std::fs::create_dir_all(&path)
            .with_context(|| format!("folder {} cannot be made; choose another with --data", path.display()))?;
        Ok(Self { path, fresh })
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        if self.fresh {
            let _ = std::fs::remove_dir_all(&self.path);
        }
    }
}
