//! The page's questions, answered by a running controller.
//!
//! Everything here is a translation: what the runtime, the recorder and the features know, in the page's words.

mod cells;
mod preview;
mod replay;
mod subject;

use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use keelson_api::Platform as PlatformObject;
use keelson_core::{Condition, Decision, DecisionId, Feature, Mode, ObjectRef, Span, Timestamp};
use keelson_dashboard::view::{
    Cluster, Connection, ConnectionName, FactView, FeatureView, Nodes, Overview, Preview, Subject, Switched,
};
use keelson_dashboard::{
    Backend, BackendError, Change, ChangeLog, Decisions, EffectChange, OutcomeChange, Subscription,
};
use keelson_runtime::{AnswerError, Cache, Clock};
use keelson_store::{Change as Recorded, Filter, Reach};
use keelson_telemetry::Collector;
use kube::api::{Api, Patch, PatchParams};
use serde_json::{Value, json};
use tokio::sync::broadcast::error::RecvError;

use crate::VERSION;
use crate::platform::Platform;
use crate::tally::Tally;

/// How many changes a browser may miss and still catch up.
const CHANGES: usize = 4_096;
/// How often the scheduler is asked for its nodes.
const NODES_EVERY: Duration = Duration::from_millis(500);
/// Facts older than this are drawn as stale.
const STALE: Span = Span::seconds(60);

/// What the page says about the cluster.
#[derive(Debug, Clone)]
pub struct About {
    /// Its name for people.
    pub cluster: String,
    /// The version of Kubernetes.
    pub kubernetes: String,
    /// How many of its seconds pass in one of ours.
    pub speed: u32,
    /// The file that holds the Platform, when it is not in the cluster.
    pub mode_file: Option<PathBuf>,
}

/// A controller in this process.
pub struct Live {
    platform: Platform,
    switches: Api<PlatformObject>,
    about: About,
    collector: Option<Collector>,
    log: Arc<ChangeLog>,
    tally: Mutex<Tally>,
    cells: cells::Cells,
    status: Cache<PlatformObject>,
    started: Timestamp,
}

impl Live {
    /// Starts following the recorder.
    pub fn start(platform: Platform, client: kube::Client, about: About, collector: Option<Collector>) -> Arc<Self> {
        let started = platform.runtime.clock().now();
        // Positions are told apart by the wall clock, also when the cluster's own clock starts anew.
        let log = ChangeLog::new(Clock::system().now(), CHANGES);
        let live = Arc::new(Self {
            switches: Api::all(client),
            about,
            collector,
            log,
            tally: Mutex::default(),
            cells: cells::Cells::default(),
            status: platform.runtime.optional_cache(),
            started,
            platform,
        });
        let follower = Arc::clone(&live);
        live.platform.runtime.spawn("page", move || {
            let live = Arc::clone(&follower);
            async move {
                tokio::select! { () = live.platform.runtime.stopping() => {}, () = live.follow() => {} }
            }
        });
        let watcher = Arc::clone(&live);
        live.platform.runtime.spawn("page nodes", move || {
            let live = Arc::clone(&watcher);
            async move {
                tokio::select! { () = live.platform.runtime.stopping() => {}, () = live.watch_nodes() => {} }
            }
        });
        live
    }

    /// Keeps the nodes current: the scheduler is asked, the page only reads.
    async fn watch_nodes(&self) {
        let nodes = self.platform.runtime.cache();
        loop {
            match self.put(Feature::Scheduling, "nodes", json!({})).await.map(cells::read) {
                Ok(Ok(cells)) => self.cells.take(cells, &nodes),
                Ok(Err(error)) => tracing::warn!("the scheduler's nodes cannot be read: {error}"),
                Err(error) => tracing::debug!("no nodes now: {error}"),
            }
            tokio::time::sleep(NODES_EVERY).await;
        }
    }

    async fn follow(&self) {
        let mut changes = self.platform.recorder.subscribe();
        loop {
            match changes.recv().await {
                Ok(change) => self.take(change),
                // What was missed is in the store; the cards count again from here.
                Err(RecvError::Lagged(missed)) => tracing::warn!(missed, "the page fell behind the recorder"),
                Err(RecvError::Closed) => return,
            }
        }
    }

    fn take(&self, change: Recorded) {
        let now = self.now();
        let mut tally = self.tally.lock().unwrap_or_else(PoisonError::into_inner);
        let change = match change {
            Recorded::Recorded { decision, .. } => {
                tally.decision(&decision);
                Change::Decision(decision)
            }
            Recorded::Outcome { id, outcome, steps, .. } => {
                tally.outcome(id, outcome, now);
                Change::Outcome(OutcomeChange { id, outcome, steps: steps.to_vec() })
            }
            Recorded::Effect { id, effect, .. } => {
                Change::Effect(EffectChange { id, effect: Arc::unwrap_or_clone(effect) })
            }
        };
        drop(tally);
        self.log.push(change);
    }

    fn now(&self) -> Timestamp {
        self.platform.runtime.clock().now()
    }

    fn feature(&self, feature: Feature, now: Timestamp) -> FeatureView {
        let switch = self.platform.runtime.switch(feature).borrow().clone();
        let tally = self.tally.lock().unwrap_or_else(PoisonError::into_inner);
        let counts = tally.counts(feature, now);
        let sparkline = tally.sparkline(feature, now);
        drop(tally);
        let headline = match switch.effective {
            Mode::Off => "Stopped".to_owned(),
            Mode::Observe => format!("{} decisions compared in the last hour, nothing touched", counts.would),
            Mode::Enforce if counts.waiting + counts.refused > 0 => {
                format!("{} pods placed in the last hour, {} wait", counts.placed, counts.waiting + counts.refused)
            }
            Mode::Enforce => format!("{} pods placed in the last hour, none waits", counts.placed),
        };
        FeatureView {
            feature,
            title: "Scheduling".to_owned(),
            mode: switch.effective,
            wanted: switch.wanted,
            ceiling: switch.ceiling,
            paused: switch.paused,
            breaker: switch.breaker,
            leading: switch.leading,
            fence: switch.fence,
            headline,
            counts,
            sparkline,
            conditions: self.conditions(feature),
        }
    }

    /// What the Platform's status says of a feature.
    fn conditions(&self, feature: Feature) -> Vec<Condition> {
        let platform = self.status.get("", keelson_api::names::PLATFORM);
        let status = platform.and_then(|platform| platform.status.clone()).and_then(|status| status.features);
        let stored = status.map(|mut features| features.entry(feature).conditions.clone()).unwrap_or_default();
        stored.into_iter().map(keelson_api::conditions::read).collect()
    }

    fn connections(&self) -> Vec<Connection> {
        let health = self.platform.runtime.health();
        let api = health.api.map(|reach| Connection {
            name: ConnectionName::Api,
            ok: reach.ok,
            since: reach.since,
            detail: if reach.ok { "Kubernetes answers".to_owned() } else { reach.detail },
        });
        let kept = self.platform.recorder.health();
        let (ok, since) = match kept.store {
            Reach::Unknown => (true, self.started),
            Reach::Since(since) => (true, since),
            Reach::AwaySince(since) => (false, since),
        };
        let detail = match (ok, kept.pending, kept.dropped) {
            (true, _, 0) => "every decision is kept".to_owned(),
            (true, _, dropped) => format!("{dropped} decisions without actions were dropped while it was slow"),
            (false, pending, _) => {
                format!("the database does not answer; {pending} records wait in the journal and nothing is lost")
            }
        };
        let store = Connection { name: ConnectionName::Store, ok, since, detail };
        let telemetry = self.collector.as_ref().map(|collector| {
            let health = collector.health();
            let detail = if health.reachable {
                format!("{} exports delivered", health.delivered)
            } else {
                format!("the collector does not answer; {} exports lost, nothing waits for it", health.failed)
            };
            Connection { name: ConnectionName::Telemetry, ok: health.reachable, since: self.started, detail }
        });
        api.into_iter().chain([store]).chain(telemetry).collect()
    }

    fn facts(&self, now: Timestamp) -> Vec<FactView> {
        let facts = self.platform.runtime.facts().list();
        let view = |fact: keelson_runtime::facts::Listed| {
            let age = now.since(fact.at);
            FactView { name: fact.name.to_owned(), age_us: age.0, stale: age > STALE, detail: fact.value.to_string() }
        };
        facts.into_iter().map(view).collect()
    }

    /// Changes the Platform by a merge patch; who asked is in the field manager.
    async fn switch(&self, feature: Feature, change: Value, who: &str) -> Result<Switched, BackendError> {
        if let Some(file) = &self.about.mode_file {
            return Err(BackendError::Refused {
                message: format!("the switches are read from {}", file.display()),
                fix: "Edit that file; it is read again when it changes.".to_owned(),
            });
        }
        let mut features = serde_json::Map::new();
        features.insert(feature.to_string(), change);
        let patch = json!({"spec": {"features": features}});
        let params = PatchParams { field_manager: Some(format!("keelson/{who}")), ..PatchParams::default() };
        let written = self.switches.patch(keelson_api::names::PLATFORM, &params, &Patch::Merge(patch)).await;
        let platform = written.map_err(|error| match error {
            kube::Error::Api(status) if status.code == 404 => BackendError::Refused {
                message: "there is no Platform named default".to_owned(),
                fix: "Create it: kubectl apply -f deploy/platform.yaml.".to_owned(),
            },
            kube::Error::Api(status) if (400..500).contains(&status.code) => {
                BackendError::Refused { message: status.message.clone(), fix: "Mend what it names.".to_owned() }
            }
            other => BackendError::Unavailable {
                message: format!("the API server does not answer: {other}"),
                fix: "Try again when the connection is back.".to_owned(),
            },
        })?;
        Ok(Switched { feature, wanted: platform.spec.mode(feature), paused: platform.spec.paused(feature) })
    }

    async fn put(&self, feature: Feature, question: &str, params: Value) -> Result<Value, BackendError> {
        let name = format!("{feature}.{question}");
        self.platform.answers.ask(&name, params).await.map_err(|error| match error {
            AnswerError::Unknown { .. } => {
                BackendError::NotFound { what: format!("question {question:?}"), fix: error.to_string() }
            }
            AnswerError::NotFound(ref what) => {
                BackendError::NotFound { what: what.clone(), fix: "Check its name and namespace.".to_owned() }
            }
            AnswerError::Invalid { field, problem } => {
                BackendError::Invalid { field, message: problem.clone(), fix: "Mend that field.".to_owned() }
            }
            AnswerError::Unavailable(_) | AnswerError::Deadline(_) | AnswerError::Failed(_) => {
                BackendError::Unavailable { message: error.to_string(), fix: "Ask again in a few seconds.".to_owned() }
            }
        })
    }
}

#[async_trait]
impl Backend for Live {
    fn overview(&self) -> Arc<Overview> {
        let now = self.now();
        let features = Feature::ALL.into_iter().map(|feature| self.feature(feature, now)).collect();
        Arc::new(Overview {
            cluster: Cluster {
                name: self.about.cluster.clone(),
                now,
                speed: self.about.speed,
                version: VERSION.to_owned(),
                kubernetes: self.about.kubernetes.clone(),
            },
            features,
            connections: self.connections(),
            facts: self.facts(now),
        })
    }

    fn nodes(&self) -> Arc<Nodes> {
        self.cells.nodes()
    }

    async fn decisions(&self, filter: &Filter) -> Result<Decisions, BackendError> {
        let answer = self.platform.recorder.decisions(filter).await;
        let (page, partial) = (answer.value, answer.partial.is_some());
        Ok(Decisions { decisions: page.decisions, next: page.next, partial })
    }

    async fn decision(&self, id: DecisionId) -> Result<Option<Decision>, BackendError> {
        Ok(self.platform.recorder.decision(id).await.value)
    }

    async fn subject(&self, object: &ObjectRef) -> Result<Option<Subject>, BackendError> {
        subject::of(self, object).await
    }

    async fn ask(&self, feature: Feature, question: &str, params: Value) -> Result<Value, BackendError> {
        match question {
            "replay" => replay::again(self, feature, &params).await,
            _ => self.put(feature, question, params).await,
        }
    }

    async fn preview(&self, feature: Feature, mode: Mode) -> Result<Preview, BackendError> {
        let told = self.put(feature, "preview", json!({})).await?;
        let now = self.platform.runtime.switch(feature).borrow().effective;
        preview::read(feature, now, mode, told)
    }

    async fn set_mode(&self, feature: Feature, mode: Mode, who: &str) -> Result<Switched, BackendError> {
        let ceiling = self.platform.runtime.switch(feature).borrow().ceiling;
        if mode > ceiling {
            return Err(BackendError::Refused {
                message: format!("{feature} may go no further than {ceiling}: no rights were granted beyond"),
                fix: format!(
                    "helm upgrade keelson keelson/keelson --reuse-values --set features.{feature}.ceiling={mode}"
                ),
            });
        }
        self.switch(feature, json!({"mode": mode}), who).await
    }

    async fn set_paused(&self, feature: Feature, paused: bool, who: &str) -> Result<Switched, BackendError> {
        self.switch(feature, json!({"paused": paused}), who).await
    }

    fn changes(&self, since: Option<u64>) -> Subscription {
        self.log.subscribe(since)
    }
}
