//! The page's questions, answered by a running controller.
//!
//! Everything here is a translation: what the runtime, the recorder and the features know, in the page's words.

mod audit;
mod cells;
mod manifest;
mod network;
mod overview;
mod preview;
mod replay;
mod subject;
mod watch;

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use keelson_api::Platform as PlatformObject;
use keelson_core::{Decision, DecisionId, Feature, Mode, ObjectRef, Timestamp};
use keelson_dashboard::access::Right;
use keelson_dashboard::view::{Cluster, Nodes, Overview, Preview, Subject, Switched};
use keelson_dashboard::{Audit, Backend, BackendError, ChangeLog, Decisions, Needs, Seen, Subscription};
use keelson_runtime::{AnswerError, Cache, Clock, Extract};
use keelson_store::Filter;
use keelson_store::recorder::Answer;
use keelson_telemetry::Collector;
use kube::api::{Api, Patch, PatchParams};
use serde_json::{Value, json};
use tokio::sync::Notify;

use crate::VERSION;
use crate::platform::Platform;
use crate::tally::Tally;

/// How many changes a browser may miss and still catch up.
const CHANGES: usize = 4_096;

/// Makes the one Platform.
pub const CREATE: &str = "keelson crds | kubectl apply -f - && \
    echo '{\"apiVersion\":\"keelson.dev/v1alpha1\",\"kind\":\"Platform\",\"metadata\":{\"name\":\"default\"}}' | kubectl apply -f -";

/// What the page says about the cluster.
#[derive(Debug, Clone)]
pub struct About {
    /// Its name for people.
    pub cluster: String,
    /// The version of Kubernetes.
    pub kubernetes: String,
    /// How many of its seconds pass in one of ours.
    pub speed: u32,
    /// Where the controllers' Leases are.
    pub namespace: String,
    /// The file that holds the Platform, when it is not in the cluster.
    pub mode_file: Option<PathBuf>,
}

/// A controller in this process.
pub struct Live {
    platform: Platform,
    client: kube::Client,
    switches: Api<PlatformObject>,
    about: About,
    collector: Option<Collector>,
    collected: watch::Turn,
    /// Since when what is decided is kept, or is not.
    stored: watch::Turn,
    log: Arc<ChangeLog>,
    tally: Mutex<Tally>,
    /// Knocked at when changes were missed.
    missed: Notify,
    looks: watch::Looks,
    queue: Mutex<watch::Queue>,
    /// On a page of its own: which features are led, with which fence.
    leaders: Mutex<BTreeMap<Feature, u64>>,
    cells: cells::Cells,
    /// Of each pod the node that holds it.
    held: Extract<String>,
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
            switches: Api::all(client.clone()),
            client,
            about,
            collector,
            collected: watch::Turn::default(),
            stored: watch::Turn::default(),
            log,
            tally: Mutex::default(),
            missed: Notify::new(),
            looks: watch::Looks::default(),
            queue: Mutex::default(),
            leaders: Mutex::default(),
            cells: cells::Cells::default(),
            held: platform.runtime.cache().extract(subject::holder),
            status: platform.runtime.optional_cache(),
            started,
            platform,
        });
        live.watch();
        live
    }

    fn now(&self) -> Timestamp {
        self.platform.runtime.clock().now()
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
        let params = PatchParams { field_manager: Some(manager(who)), ..PatchParams::default() };
        let written = self.switches.patch(keelson_api::names::PLATFORM, &params, &Patch::Merge(patch)).await;
        let platform = written.map_err(|error| match error {
            kube::Error::Api(status) if status.code == 404 => BackendError::Refused {
                message: "there is no Platform named default".to_owned(),
                fix: format!("Create it: {CREATE}"),
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
    fn overview(&self, seen: &Seen) -> Arc<Overview> {
        self.looks.here();
        let now = self.now();
        let features = Feature::ALL.into_iter().map(|feature| self.feature(feature, now, seen)).collect();
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

    fn namespaces(&self) -> BTreeSet<String> {
        self.looks.here();
        let mut namespaces = self.tally().namespaces();
        namespaces.extend(self.queue().namespaces.keys().cloned());
        namespaces.extend(subject::namespaces(self));
        namespaces.remove("");
        namespaces
    }

    fn nodes(&self) -> Arc<Nodes> {
        self.looks.here();
        self.cells.nodes()
    }

    async fn decisions(&self, filter: &Filter) -> Result<Decisions, BackendError> {
        let answer = self.platform.recorder.decisions(filter).await;
        let (page, partial) = (answer.value, answer.partial.is_some());
        Ok(Decisions { decisions: page.decisions, next: page.next, partial })
    }

    async fn decision(&self, id: DecisionId) -> Result<Option<Decision>, BackendError> {
        known(self.platform.recorder.decision(id).await)
    }

    async fn decisions_by_ids(&self, ids: &[DecisionId]) -> Result<Vec<Decision>, BackendError> {
        Ok(self.platform.recorder.decisions_by_ids(ids).await.value)
    }

    async fn consequences(&self, cause: DecisionId, limit: u32) -> Result<Vec<Decision>, BackendError> {
        Ok(self.platform.recorder.caused_by(cause, limit).await.value)
    }

    async fn subject(&self, object: &ObjectRef, seen: &Seen) -> Result<Option<Subject>, BackendError> {
        subject::of(self, object, seen).await
    }

    fn needs(&self, feature: Feature, question: &str, params: &Value) -> Result<Needs, BackendError> {
        if question == "replay" {
            return replay::id(params).map(Needs::Decision);
        }
        if question == "pod" {
            let namespace = params.get("namespace").and_then(Value::as_str).unwrap_or_default();
            return Ok(Needs::Right(Right::pods(namespace)));
        }
        let name = format!("{feature}.{question}");
        let mut known = self.platform.answers.questions();
        let asked =
            known.find(|known| known.name == name).map(|known| known.access).ok_or_else(|| BackendError::NotFound {
                what: format!("question {question:?}"),
                fix: "Ask one that the feature answers; docs/sign-in.md lists them.".to_owned(),
            })?;
        let namespace = match asked.namespace {
            None => "",
            Some(field) => params.get(field).and_then(Value::as_str).unwrap_or_default(),
        };
        Ok(Needs::Right(Right::to(asked.verb, asked.group, asked.resource, namespace)))
    }

    async fn ask(&self, feature: Feature, question: &str, params: Value) -> Result<Value, BackendError> {
        match question {
            "replay" => replay::again(self, feature, &params).await,
            "pod" => manifest::of(self, &params),
            _ => self.put(feature, question, params).await,
        }
    }

    async fn preview(&self, feature: Feature, mode: Mode, seen: &Seen) -> Result<Preview, BackendError> {
        self.looks.here();
        let (now, from) = (self.now(), self.standing(feature).mode);
        let waiting = self.queue().seen(seen).waiting;
        Ok(preview::of(feature, (from, mode), self.tally().words(feature, now, seen), waiting))
    }

    fn audit(&self, row: Audit) {
        self.platform.recorder.offer(audit::decision(self, row));
    }

    async fn set_mode(&self, feature: Feature, mode: Mode, who: &str) -> Result<Switched, BackendError> {
        let ceiling = self.standing(feature).ceiling;
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

/// The field manager of a change that somebody asked for: at most 128 printable characters.
fn manager(who: &str) -> String {
    format!("keelson/{who}").chars().filter(|c| !c.is_control()).take(128).collect()
}

/// What is known, unless it may be known where nobody answers.
fn known<T>(answer: Answer<Option<T>>) -> Result<Option<T>, BackendError> {
    match answer {
        Answer { value: None, partial: Some(_) } => Err(BackendError::Unavailable {
            message: "it is not in memory, and the database, which may have it, does not answer".to_owned(),
            fix: "Ask again when the database is back.".to_owned(),
        }),
        Answer { value, .. } => Ok(value),
    }
}
