//! A platform that answers what a test told it to, and a client that asks it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use axum::Router;
use axum::body::Body;
use http::{Request, Response, StatusCode};
use http_body_util::BodyExt;
use keelson_core::{
    Candidate, Check, Condition, ConditionStatus, Decision, DecisionId, Effect, Feature, IdSource, Mode, ObjectRef,
    Outcome, Reason, Score, Span, Step, StepResult, Timestamp, Trigger, Verb,
};
use keelson_dashboard::access::Right;
use keelson_dashboard::view::{
    Cluster, Connection, ConnectionName, Count, Counts, FactView, FeatureView, NodeView, Nodes, Overview, Point,
    Preview, ResourceView, Subject, Switched, Tightest, WhatIf, Why,
};
use keelson_dashboard::{
    Audit, Backend, BackendError, ChangeLog, Decisions, Needs, Options, Seen, Subscription, router,
};
use keelson_store::{Filter, MemoryStore, Store};
use serde_json::Value;
use tokio::sync::watch;
use tower::ServiceExt;

pub const HOST: &str = "127.0.0.1:8080";
pub const START: u64 = 1_000;

pub struct Fake {
    pub store: MemoryStore,
    pub log: Arc<ChangeLog>,
    pub overview: Mutex<Overview>,
    pub nodes: Mutex<Nodes>,
    pub subject: Mutex<Option<Subject>>,
    pub asked: Mutex<Vec<String>>,
    /// How many pods were placed in each namespace; what the overview counts, unless it is empty.
    pub placed: Mutex<BTreeMap<String, u64>>,
    /// What was kept about changes.
    pub audited: Mutex<Vec<Audit>>,
    /// What every question that can fail is answered with.
    pub failing: Mutex<Option<BackendError>>,
    pub partial: Mutex<bool>,
    /// Answers take for ever.
    pub hangs: Mutex<bool>,
}

impl Fake {
    /// Nothing has happened yet; so many changes are remembered.
    pub fn new(changes: usize) -> Self {
        Self {
            store: MemoryStore::new(),
            log: ChangeLog::new(Timestamp(START.cast_signed()), changes),
            overview: Mutex::new(overview()),
            nodes: Mutex::new(nodes()),
            subject: Mutex::default(),
            asked: Mutex::default(),
            placed: Mutex::default(),
            audited: Mutex::default(),
            failing: Mutex::default(),
            partial: Mutex::default(),
            hangs: Mutex::default(),
        }
    }

    async fn ready(&self) -> Result<(), BackendError> {
        if *self.hangs.lock().unwrap() {
            std::future::pending::<()>().await;
        }
        self.failing.lock().unwrap().clone().map_or(Ok(()), Err)
    }

    pub fn asked(&self) -> Vec<String> {
        self.asked.lock().unwrap().clone()
    }

    fn note(&self, what: String) {
        self.asked.lock().unwrap().push(what);
    }
}

#[async_trait]
impl Backend for Fake {
    fn overview(&self, seen: &Seen) -> Arc<Overview> {
        self.note("overview".into());
        let mut overview = self.overview.lock().unwrap().clone();
        let placed = self.placed.lock().unwrap();
        if !placed.is_empty() {
            let those = placed.iter().filter(|(namespace, _)| seen.has(namespace));
            overview.features[0].counts.placed = those.map(|(_, count)| count).sum();
        }
        Arc::new(overview)
    }
    fn namespaces(&self) -> BTreeSet<String> {
        self.placed.lock().unwrap().keys().cloned().collect()
    }
    fn nodes(&self) -> Arc<Nodes> {
        self.note("nodes".into());
        Arc::new(self.nodes.lock().unwrap().clone())
    }
    async fn decisions(&self, filter: &Filter) -> Result<Decisions, BackendError> {
        self.ready().await?;
        let page = self.store.decisions(filter).await.unwrap();
        let partial = *self.partial.lock().unwrap();
        Ok(Decisions { decisions: page.decisions, next: page.next, partial })
    }
    async fn decision(&self, id: DecisionId) -> Result<Option<Decision>, BackendError> {
        self.ready().await?;
        Ok(self.store.decision(id).await.unwrap())
    }
    async fn decisions_by_ids(&self, ids: &[DecisionId]) -> Result<Vec<Decision>, BackendError> {
        self.note(format!("{} by their ids", ids.len()));
        Ok(self.store.decisions_by_ids(ids).await.unwrap())
    }
    async fn consequences(&self, cause: DecisionId, limit: u32) -> Result<Vec<Decision>, BackendError> {
        Ok(self.store.caused_by(cause, limit).await.unwrap())
    }
    async fn subject(&self, object: &ObjectRef, _: &Seen) -> Result<Option<Subject>, BackendError> {
        self.ready().await?;
        self.note(format!("subject {object:?}"));
        Ok(self.subject.lock().unwrap().clone().filter(|subject| subject.object == *object))
    }
    async fn ask(&self, feature: Feature, question: &str, params: Value) -> Result<Value, BackendError> {
        self.ready().await?;
        self.note(format!("ask {feature} {question} {params}"));
        Ok(params)
    }
    fn needs(&self, _: Feature, question: &str, params: &Value) -> Result<Needs, BackendError> {
        let text = |name: &str| params[name].as_str().unwrap_or_default();
        match question {
            "why" => Ok(Needs::Right(Right::pods(text("namespace")))),
            "replay" => Ok(Needs::Decision(text("id").parse().unwrap())),
            _ => Ok(Needs::Right(Right::nodes())),
        }
    }
    async fn preview(&self, feature: Feature, mode: Mode, seen: &Seen) -> Result<Preview, BackendError> {
        self.ready().await?;
        let placed = self.placed.lock().unwrap();
        let actions = match placed.is_empty() {
            true => 3,
            false => placed.iter().filter(|(namespace, _)| seen.has(namespace)).map(|(_, count)| count).sum(),
        };
        Ok(Preview { actions, ..preview(feature, mode) })
    }
    fn audit(&self, row: Audit) {
        self.audited.lock().unwrap().push(row);
    }
    async fn set_mode(&self, feature: Feature, mode: Mode, who: &str) -> Result<Switched, BackendError> {
        self.ready().await?;
        self.note(format!("{who} sets {feature} to {mode}"));
        Ok(Switched { feature, wanted: mode, paused: false })
    }
    async fn set_paused(&self, feature: Feature, paused: bool, who: &str) -> Result<Switched, BackendError> {
        self.ready().await?;
        self.note(format!("{who} pauses {feature}: {paused}"));
        Ok(Switched { feature, wanted: Mode::Enforce, paused })
    }
    fn changes(&self, since: Option<u64>) -> Subscription {
        self.log.subscribe(since)
    }
}

/// A platform and the page in front of it.
pub struct Site {
    pub fake: Arc<Fake>,
    pub router: Router,
    pub close: watch::Sender<bool>,
}

pub struct Answer {
    pub status: StatusCode,
    pub headers: http::HeaderMap,
    pub body: Vec<u8>,
}

impl Answer {
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|e| panic!("{e}: {}", String::from_utf8_lossy(&self.body)))
    }
    pub fn text(&self) -> String {
        String::from_utf8(self.body.clone()).unwrap()
    }
    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }
    /// The category and the field of a refusal; every refusal has a message and a fix.
    pub fn refusal(&self) -> (u16, String, String) {
        let error = &self.json()["error"];
        assert!(
            !error["message"].as_str().unwrap().is_empty() && !error["fix"].as_str().unwrap().is_empty(),
            "{error}"
        );
        let text = |name: &str| error[name].as_str().unwrap_or_default().to_owned();
        (self.status.as_u16(), text("category"), text("field"))
    }
}

impl Site {
    pub fn new() -> Self {
        Self::with(|_| {})
    }

    pub fn with(change: impl FnOnce(&mut Options)) -> Self {
        let fake = Arc::new(Fake::new(16));
        let mut options = Options::loopback(8080);
        change(&mut options);
        let (close, closing) = watch::channel(false);
        Self { router: router(options, fake.clone(), closing), fake, close }
    }

    pub async fn send(&self, request: Request<Body>) -> Response<Body> {
        self.router.clone().oneshot(request).await.unwrap()
    }

    pub async fn answer(&self, request: Request<Body>) -> Answer {
        let response = self.send(request).await;
        let (status, headers) = (response.status(), response.headers().clone());
        let body = response.into_body().collect().await.unwrap().to_bytes().to_vec();
        Answer { status, headers, body }
    }

    pub async fn get(&self, path: &str) -> Answer {
        self.answer(get(path).body(Body::empty()).unwrap()).await
    }

    pub async fn post(&self, path: &str, body: &str) -> Answer {
        self.answer(post(path).body(Body::from(body.to_owned())).unwrap()).await
    }
}

pub fn get(path: &str) -> http::request::Builder {
    Request::get(path).header("host", HOST)
}

pub fn post(path: &str) -> http::request::Builder {
    Request::post(path).header("host", HOST).header("content-type", "application/json")
}

struct Seed(u8);
impl IdSource for Seed {
    fn random(&self) -> [u8; 16] {
        [self.0; 16]
    }
}

/// A decision with every field filled, made `second` seconds into the evening.
pub fn decision(second: i64) -> Decision {
    let at = Timestamp(1_800_000_000_000_000) + Span::seconds(second);
    let pod = ObjectRef::namespaced("Pod", "shop", &format!("cart-{second}")).with_uid("u-1");
    let check = |text: &str| Check { name: "NodeResourcesFit".into(), text: text.into(), nodes: 3 };
    Decision {
        id: Seed(1).decision_id(at),
        at,
        feature: Feature::Scheduling,
        controller: "scheduler".into(),
        mode: Mode::Enforce,
        subject: pod.clone().in_group("apps"),
        trigger: Trigger::Watch(pod),
        causes: vec![Seed(9).decision_id(at)],
        cause_count: 1,
        related: vec![ObjectRef::cluster("Node", "node-3")],
        verb: Verb::Place,
        reason: Reason::PodPlaced,
        sentence: format!("Placed shop/cart-{second} on node-3."),
        chosen: Some("node-3".into()),
        candidates: vec![Candidate {
            name: "node-3".into(),
            total: Some(171),
            scores: vec![Score { name: "NodeResourcesFit".into(), value: 97, weight: 1 }],
            failed: vec![check("needs 500m cpu, 380m free: short 120m")],
        }],
        inputs: BTreeMap::from([("nodes".into(), "2".into())]),
        plan: Seed(2).plan_id(at),
        outcome: Outcome::Done,
        actions: Vec::new(),
        steps: vec![Step { at, action: "bind".into(), result: StepResult::Conflict, detail: "gone".into() }],
        effect: Some(Effect {
            at,
            sentence: "Running after 2.1 s".into(),
            as_predicted: Some(true),
            figures: BTreeMap::from([("to Running".into(), "2.1 s".into())]),
        }),
        fence: 7,
        trace_id: "0123456789abcdef0123456789abcdef".into(),
        took: Span::micros(62),
        count: 1,
        last_at: at,
    }
}

pub fn overview() -> Overview {
    let at = Timestamp(1_800_000_000_000_000);
    Overview {
        cluster: Cluster {
            name: "test".into(),
            now: at,
            speed: 1,
            version: "0.1.0".into(),
            kubernetes: "v1.36.0".into(),
        },
        features: vec![FeatureView {
            feature: Feature::Scheduling,
            title: "Scheduling".into(),
            mode: Mode::Observe,
            wanted: Mode::Enforce,
            ceiling: Mode::Observe,
            paused: false,
            breaker: Some("3 bindings in a row failed.".into()),
            leading: true,
            fence: 7,
            headline: "38 pods placed in the last minute.".into(),
            counts: Counts { placed: 38, ..Counts::default() },
            sparkline: vec![Point { at, value: 38 }],
            conditions: vec![Condition {
                kind: "Ready".into(),
                status: ConditionStatus::True,
                reason: "Leading".into(),
                message: "It leads.".into(),
            }],
        }],
        connections: vec![Connection { name: ConnectionName::Api, ok: true, since: at, detail: "Current.".into() }],
        facts: vec![FactView { name: "NodeBandwidth".into(), age_us: 5, stale: false, detail: "50 nodes.".into() }],
    }
}

pub fn node(name: &str, pods: u32) -> NodeView {
    NodeView {
        name: name.into(),
        zone: "a".into(),
        instance_type: "m6i.xlarge".into(),
        spot: false,
        ready: true,
        cordoned: false,
        pods,
        resources: vec![ResourceView { name: "cpu".into(), capacity: 4_000, requested: 1_000, used: Some(900) }],
        tightest: Tightest { name: "cpu".into(), permille: 250 },
    }
}

pub fn nodes() -> Nodes {
    Nodes { nodes: vec![node("node-1", 1), node("node-2", 2)], version: 1 }
}

pub fn subject() -> Subject {
    let newest = decision(0);
    Subject {
        object: ObjectRef::namespaced("Pod", "shop", "cart-0"),
        sentence: "Running on node-3.".into(),
        summary: BTreeMap::from([("phase".into(), "Running".into())]),
        conditions: vec![Condition {
            kind: "Accepted".into(),
            status: ConditionStatus::True,
            reason: "ObjectAccepted".into(),
            message: "All of it counts.".into(),
        }],
        why: Some(Why {
            feature: Feature::Scheduling,
            sentence: newest.sentence.clone(),
            at: newest.at,
            decision: Some(newest.id),
            candidates: newest.candidates,
            changes: vec![WhatIf { sentence: "With 120m less it would fit.".into(), verified: true }],
        }),
    }
}

pub fn preview(feature: Feature, mode: Mode) -> Preview {
    let count = |word: &str| vec![Count { word: word.into(), count: 3 }];
    Preview {
        feature,
        from: Mode::Observe,
        to: mode,
        window_us: 3_600_000_000,
        actions: 3,
        would: vec!["Would place shop/cart-0 on node-3.".into()],
        by_verb: count("Place"),
        by_reason: count("PodPlaced"),
        waiting_for_us: 2,
    }
}
