//! The controller, put together: runtime, operators, recorder. The same whether the cluster is real or simulated, in a
//! Deployment or in a simulated day of the soak.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context, Result, anyhow};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::OwnerReference;
use keelson_core::{Feature, Mode};
use keelson_runtime::config::Election;
use keelson_runtime::elector::Timing;
use keelson_runtime::{Answers, Calls, Clock, Config, Listener, Operator, Runtime};
use keelson_scheduling::Scheduling;
use keelson_store::{Journal, JournalOptions, Recorder, Retention, recorder::RING};
use tokio::task::AbortHandle;

use crate::history::Kept;
use crate::store::{Keep, Opened};
use crate::sweep;

/// What a controller is made of.
pub struct Parts {
    /// For reading and acting.
    pub client: kube::Client,
    /// For Leases alone.
    pub lease_client: kube::Client,
    /// What counts the calls of both.
    pub calls: Calls,
    /// The cluster's time.
    pub clock: Clock,
    /// Seeds everything that is left to chance.
    pub seed: u64,
    /// Who holds the Leases.
    pub identity: String,
    /// Where the Leases are.
    pub namespace: String,
    /// What the Leases belong to.
    pub owner: Option<OwnerReference>,
    /// How far each feature may go.
    pub ceilings: BTreeMap<Feature, Mode>,
    /// How its leadership is decided.
    pub election: Election,
    /// How long it lasts.
    pub timing: Timing,
    /// A Platform in a file instead of the cluster's.
    pub mode_file: Option<PathBuf>,
    /// The trace of the current span.
    pub trace_id: fn() -> String,
    /// Where decisions end up.
    pub store: Opened,
    /// How much of them is kept.
    pub retention: Retention,
    /// What keeps them until they are there.
    pub journal: Journal,
}

/// A running controller.
#[derive(Clone)]
pub struct Platform {
    /// The framework.
    pub runtime: Runtime,
    /// What was decided.
    pub recorder: Recorder,
    /// Every feature's questions.
    pub answers: Answers,
    /// The sockets that features need.
    pub listeners: Arc<[Listener]>,
    /// Whether it stands for election: a page of its own does not.
    pub stands: bool,
    tasks: Arc<[AbortHandle]>,
}

impl Platform {
    /// Starts every operator.
    ///
    /// ```
    /// use std::sync::Arc;
    /// use keelson::platform::{Parts, Platform};
    /// use keelson::{simulated::Simulated, store::Opened};
    /// use keelson_core::{Feature, Mode};
    /// use keelson_runtime::{Calls, config::Election, elector::Timing};
    /// use keelson_store::{Filter, Journal, JournalOptions, MemoryStore, Retention};
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> anyhow::Result<()> {
    /// let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
    /// let (cluster, calls) = (Simulated::start(listener, 3, 1).await?, Calls::default());
    /// let platform = Platform::start(Parts {
    ///     client: cluster.counted(&calls),
    ///     lease_client: cluster.counted(&calls),
    ///     calls,
    ///     clock: cluster.clock(),
    ///     seed: 3,
    ///     identity: "example".into(),
    ///     namespace: keelson::simulated::NAMESPACE.into(),
    ///     owner: None,
    ///     ceilings: [(Feature::Scheduling, Mode::Enforce)].into(),
    ///     election: Election::Alone,
    ///     timing: Timing::default(),
    ///     mode_file: None,
    ///     trace_id: String::new,
    ///     store: Opened { store: Arc::new(MemoryStore::new()), changes: None },
    ///     retention: Retention::default(),
    ///     journal: Journal::in_memory(JournalOptions::default()),
    /// })?;
    /// // It decides at once: the first pods of the evening are there.
    /// while platform.recorder.decisions(&Filter::default()).await.value.decisions.is_empty() {
    ///     tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    /// }
    /// platform.stop().await;
    /// cluster.stop().await;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// What cannot start, and the fix.
    pub fn start(parts: Parts) -> Result<Self> {
        let clock = parts.clock;
        let ceiling = parts.ceilings.get(&Feature::Scheduling).copied().unwrap_or_default();
        if let Some(file) = &parts.mode_file {
            // Later a broken file keeps the last good settings; now there are none.
            keelson_runtime::read_platform_file(file).map_err(|why| anyhow!("--platform {why}"))?;
        }
        let Opened { store, changes } = parts.store;
        let recorder = Recorder::start(Arc::clone(&store), parts.journal, Arc::new(move || clock.now()), RING);
        let runtime = Runtime::start(Config {
            clock,
            seed: parts.seed,
            identity: parts.identity,
            namespace: parts.namespace,
            owner: parts.owner,
            ceilings: parts.ceilings,
            timing: parts.timing,
            election: parts.election,
            trace_id: parts.trace_id,
            history: Arc::new(Kept(recorder.clone())),
            client: parts.client,
            lease_client: parts.lease_client,
            calls: parts.calls,
            mode_file: parts.mode_file,
        })?;
        let scheduling = Scheduling::default();
        let answers = scheduling.answers();
        let mut listeners = Vec::new();
        // Nothing was granted for a feature that may not even observe: it would only ask and be refused.
        if ceiling != Mode::Off {
            listeners.extend(scheduling.listeners());
            scheduling.start(&runtime)?;
        }
        let mut tasks = Vec::new();
        let stands = parts.election != Election::Never;
        if stands {
            tasks.push(tokio::spawn(sweep::keep_within(store, parts.retention, clock)).abort_handle());
        }
        if let Some(changes) = changes {
            let heard = recorder.clone();
            tasks.push(tokio::spawn(async move { heard.follow(changes).await }).abort_handle());
        }
        Ok(Self { runtime, recorder, answers, listeners: listeners.into(), stands, tasks: tasks.into() })
    }

    /// Stops in order: not ready, sources, workers, history, Leases.
    pub async fn stop(&self) {
        self.tasks.iter().for_each(AbortHandle::abort);
        self.runtime.shutdown().await;
    }
}

/// Opens the journal in a folder, made when it is not there.
///
/// # Errors
/// When the folder cannot be written or another process has it.
pub fn journal(folder: &Path, keep: &Keep) -> Result<Journal> {
    std::fs::create_dir_all(folder).with_context(|| format!("journal {}: cannot be made", folder.display()))?;
    Ok(Journal::open(folder, JournalOptions { bound: keep.journal_bound, on_full: keep.store_on_full })?)
}
