//! A cluster to run the framework in: the API double on virtual time, and a net that can fail between it and a process.
#![allow(dead_code, clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, missing_docs)]

use std::collections::BTreeMap;
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};
use std::time::Duration;

use http::{HeaderValue, Method, Request, Response, StatusCode};
use http_body_util::{BodyExt, Full, combinators::UnsyncBoxBody};
use keelson_core::{
    Action, ActionKind, Decision, DecisionId, Feature, Mode, ObjectRef, Outcome, Plan, Reason, Timestamp, Verb,
};
use keelson_runtime::elector::Timing;
use keelson_runtime::{Calls, Clock, Config, MemoryHistory, Runtime};
use keelson_sim::api::{Api as Double, Config as DoubleConfig};
use keelson_sim::face::{Shared, tower::Face};
use kube::api::{DynamicObject, Patch, PatchParams, PostParams};
use kube::client::Body;
use kube::core::{ApiResource, GroupVersionKind};
use kube::{Api, Client};
use serde_json::{Value, json};
use tower::{BoxError, Layer, Service, ServiceExt};

type FaceBody = UnsyncBoxBody<bytes::Bytes, std::io::Error>;

/// What happens to one call.
#[derive(Debug, Clone)]
pub enum Fault {
    /// Answered with this code; the API never sees it.
    Refuse(u16, Option<&'static str>),
    /// The API carries it out; the answer is lost.
    Lose,
    /// Nobody answers, ever.
    Hang,
    /// The connection is refused.
    Down,
}

type Rule = Box<dyn FnMut(&Method, &str) -> Option<Fault> + Send>;

/// Between a process and the API.
#[derive(Clone)]
pub struct Net {
    face: Face,
    rules: Arc<Mutex<Vec<Rule>>>,
    log: Arc<Mutex<Vec<String>>>,
    introduced: Arc<Mutex<Vec<String>>>,
    clock: Clock,
}

impl Net {
    /// From now on; the first rule that answers decides.
    pub fn rule(&self, rule: impl FnMut(&Method, &str) -> Option<Fault> + Send + 'static) {
        self.rules.lock().unwrap().push(Box::new(rule));
    }
    pub fn heal(&self) {
        self.rules.lock().unwrap().clear();
    }
    pub fn down(&self) {
        self.rule(|_, _| Some(Fault::Down));
    }
    /// Every call so far, `time METHOD path`.
    pub fn log(&self) -> Vec<String> {
        self.log.lock().unwrap().clone()
    }
    /// How every call so far introduced itself, `METHOD path User-Agent`.
    pub fn introduced(&self) -> Vec<String> {
        self.introduced.lock().unwrap().clone()
    }
    /// How many writes went to paths that contain `part`.
    pub fn writes(&self, part: &str) -> usize {
        let is_write = |line: &&String| !line.contains(" GET ") && line.contains(part);
        self.log().iter().filter(is_write).count()
    }
    pub fn client(&self, calls: &Calls) -> Client {
        Client::new(calls.to("api:6443").layer(self.clone()), "default")
    }
}

impl Service<Request<Body>> for Net {
    type Response = Response<FaceBody>;
    type Error = BoxError;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, BoxError>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        let (method, path) = (request.method().clone(), request.uri().to_string());
        self.log.lock().unwrap().push(format!("{} {method} {path}", self.clock.now()));
        let agent = request.headers().get("user-agent").map(|agent| agent.to_str().unwrap()).unwrap_or_default();
        self.introduced.lock().unwrap().push(format!("{method} {path} {agent}"));
        let fault = self.rules.lock().unwrap().iter_mut().find_map(|rule| rule(&method, &path));
        let face = self.face.clone();
        Box::pin(async move {
            // A little latency, so that things overlap as they do.
            tokio::time::sleep(Duration::from_millis(2)).await;
            match fault {
                None => Ok(face.oneshot(request).await?),
                Some(Fault::Refuse(code, retry_after)) => {
                    let status = json!({"kind": "Status", "apiVersion": "v1", "status": "Failure", "code": code, "message": "refused by the test", "reason": "Test"});
                    let body = Full::new(bytes::Bytes::from(status.to_string()));
                    let mut response = Response::new(body.map_err(|never| match never {}).boxed_unsync());
                    *response.status_mut() = StatusCode::from_u16(code).unwrap();
                    if let Some(seconds) = retry_after {
                        response.headers_mut().insert("retry-after", HeaderValue::from_static(seconds));
                    }
                    Ok(response)
                }
                Some(Fault::Lose) => {
                    face.oneshot(request).await?;
                    Err("the answer was lost".into())
                }
                Some(Fault::Hang) => std::future::pending().await,
                Some(Fault::Down) => Err("connection refused".into()),
            }
        })
    }
}

pub struct World {
    pub shared: Shared,
    pub clock: Clock,
}

/// One process of ours.
pub struct Process {
    pub runtime: Runtime,
    pub net: Net,
    pub lease_net: Net,
    pub history: Arc<MemoryHistory>,
}

impl World {
    pub fn new(seed: u64) -> Self {
        let base = Timestamp::parse("2026-11-23T18:00:00Z").unwrap();
        let clock = keelson_sim::clock::Clock::start(base, 1);
        let double = Double::new(DoubleConfig { seed, ..DoubleConfig::default() });
        Self { shared: Shared::new(double, clock), clock: Clock::start(base, 1) }
    }

    pub fn net(&self) -> Net {
        let face = Face::new(self.shared.clone());
        Net { face, rules: Arc::default(), log: Arc::default(), introduced: Arc::default(), clock: self.clock }
    }

    /// Whoever else uses the cluster; nothing fails for them.
    pub fn outside(&self) -> Client {
        Client::new(Face::new(self.shared.clone()), "default")
    }

    /// The cluster as a test wants it: our definition, our namespace, a Platform.
    pub async fn prepared(seed: u64, platform: Value) -> Self {
        let world = Self::new(seed);
        let crd = keelson_api::crds::all().remove(0);
        world.create("apiextensions.k8s.io/v1", "CustomResourceDefinition", None, json!(crd)).await;
        world.create("v1", "Namespace", None, json!({"metadata": {"name": "keelson"}})).await;
        world.create("v1", "Namespace", None, json!({"metadata": {"name": "shop"}})).await;
        if !platform.is_null() {
            world.platform(platform).await;
        }
        world
    }

    pub async fn platform(&self, spec: Value) {
        let platform = json!({"metadata": {"name": "default"}, "spec": spec});
        self.create("keelson.dev/v1alpha1", "Platform", None, platform).await;
    }

    pub async fn set_platform(&self, spec: Value) {
        self.merge("keelson.dev/v1alpha1", "Platform", None, "default", json!({"spec": spec})).await;
    }

    pub fn api(&self, api_version: &str, kind: &str, namespace: Option<&str>) -> Api<DynamicObject> {
        let (group, version) = api_version.split_once('/').unwrap_or(("", api_version));
        let resource = ApiResource::from_gvk(&GroupVersionKind::gvk(group, version, kind));
        match namespace {
            Some(namespace) => Api::namespaced_with(self.outside(), namespace, &resource),
            None => Api::all_with(self.outside(), &resource),
        }
    }

    pub async fn create(&self, api_version: &str, kind: &str, namespace: Option<&str>, mut object: Value) -> Value {
        object["apiVersion"] = json!(api_version);
        object["kind"] = json!(kind);
        let object: DynamicObject = serde_json::from_value(object).unwrap();
        let made = self.api(api_version, kind, namespace).create(&PostParams::default(), &object).await;
        serde_json::to_value(made.unwrap_or_else(|error| panic!("create {kind}: {error}"))).unwrap()
    }

    pub async fn merge(&self, api_version: &str, kind: &str, namespace: Option<&str>, name: &str, patch: Value) {
        let api = self.api(api_version, kind, namespace);
        api.patch(name, &PatchParams::default(), &Patch::Merge(patch)).await.unwrap();
    }

    pub async fn get(&self, api_version: &str, kind: &str, namespace: Option<&str>, name: &str) -> Option<Value> {
        let found = self.api(api_version, kind, namespace).get_opt(name).await.unwrap();
        found.map(|object| serde_json::to_value(object).unwrap())
    }

    pub async fn node(&self, name: &str) {
        let status = json!({"capacity": {"cpu": "4", "pods": "110"}, "allocatable": {"cpu": "4", "pods": "110"}});
        self.create("v1", "Node", None, json!({"metadata": {"name": name}, "status": status})).await;
    }

    /// A pending pod; returns a reference with its uid.
    pub async fn pod(&self, name: &str) -> ObjectRef {
        self.pod_with(name, json!({})).await
    }

    pub async fn pod_with(&self, name: &str, annotations: Value) -> ObjectRef {
        let pod = json!({
            "metadata": {"name": name, "annotations": annotations},
            "spec": {"schedulerName": "keelson", "containers": [{"name": "c", "image": "i"}]},
        });
        let made = self.create("v1", "Pod", Some("shop"), pod).await;
        ObjectRef::namespaced("Pod", "shop", name).with_uid(made["metadata"]["uid"].as_str().unwrap())
    }

    pub fn config(
        &self,
        identity: &str,
        seed: u64,
        net: &Net,
        lease_net: &Net,
        history: &Arc<MemoryHistory>,
    ) -> Config {
        let calls = Calls::default();
        Config {
            clock: self.clock,
            seed,
            identity: identity.to_owned(),
            namespace: "keelson".to_owned(),
            owner: None,
            ceilings: BTreeMap::from([(Feature::Scheduling, Mode::Enforce)]),
            timing: Timing::default(),
            election: keelson_runtime::config::Election::Lease,
            trace_id: || "0af7651916cd43dd8448eb211c80319c".to_owned(),
            history: history.clone(),
            client: net.client(&calls),
            lease_client: lease_net.client(&calls),
            calls,
            mode_file: None,
        }
    }

    pub fn process(&self, identity: &str, change: impl FnOnce(&mut Config)) -> Process {
        let (net, lease_net, history) = (self.net(), self.net(), Arc::new(MemoryHistory::default()));
        let mut config = self.config(identity, 1, &net, &lease_net, &history);
        change(&mut config);
        Process { runtime: Runtime::start(config).unwrap(), net, lease_net, history }
    }

    /// A process that leads and enforces.
    pub async fn enforcing(seed: u64) -> (Self, Process) {
        let world = Self::prepared(seed, json!({"features": {"scheduling": {"mode": "Enforce"}}})).await;
        let process = world.process("a", |_| {});
        process.leads().await;
        (world, process)
    }
}

impl Process {
    pub fn switch(&self) -> keelson_runtime::Switch {
        self.runtime.switch(Feature::Scheduling).borrow().clone()
    }

    pub async fn leads(&self) {
        let mut switch = self.runtime.switch(Feature::Scheduling);
        let leads = switch.wait_for(|switch| switch.leading);
        tokio::time::timeout(Duration::from_secs(60), leads).await.expect("leads within a minute").unwrap();
    }

    pub fn decision(&self, subject: &ObjectRef) -> Decision {
        let now = self.runtime.clock().now();
        decision(self.runtime.decision_id(), self.runtime.plan_id(), subject, now)
    }

    /// Carries out the actions in the name of one decision; returns its outcome and steps as `Result: detail`.
    pub async fn act(&self, object: &ObjectRef, kinds: Vec<ActionKind>) -> (Outcome, Vec<String>) {
        let actions = kinds.into_iter().map(|kind| (object.clone(), kind)).collect();
        self.act_on(object, actions).await
    }

    pub async fn act_on(&self, subject: &ObjectRef, acts: Vec<(ObjectRef, ActionKind)>) -> (Outcome, Vec<String>) {
        let decision = self.decision(subject);
        let id = decision.id;
        let actions = acts.into_iter().map(|(object, kind)| Action { decision: id, object, kind }).collect();
        let plan = Plan { decisions: vec![decision], actions, ..Plan::default() };
        let report = self.runtime.executor().run(Feature::Scheduling, plan, Some(b"seen".to_vec())).await;
        let (outcome, steps) = report.decisions[&id].clone();
        let kept = self.history.decisions().into_iter().find(|kept| kept.id == id).expect("it is in the history");
        assert_eq!((kept.outcome, &kept.steps), (outcome, &steps), "the history says what the report says");
        let line = |step: keelson_core::Step| match step.detail.as_str() {
            "" => step.result.to_string(),
            detail => format!("{}: {detail}", step.result),
        };
        (outcome, steps.into_iter().map(line).collect())
    }
}

pub fn decision(id: DecisionId, plan: keelson_core::PlanId, subject: &ObjectRef, now: Timestamp) -> Decision {
    let what = (Verb::Place, Reason::PodPlaced);
    Decision { id, plan, ..Decision::new((Feature::Scheduling, "test"), 0, subject.clone(), what, "A test.", now) }
}

pub fn bind(node: &str) -> ActionKind {
    ActionKind::Bind { node: node.into() }
}

pub async fn seconds(n: u64) {
    tokio::time::sleep(Duration::from_secs(n)).await;
}

pub async fn millis(n: u64) {
    tokio::time::sleep(Duration::from_millis(n)).await;
}

pub fn config_map(name: &str) -> ObjectRef {
    ObjectRef::namespaced("ConfigMap", "shop", name)
}

pub fn done() -> (Outcome, Vec<String>) {
    (Outcome::Done, vec!["Done".into()])
}

pub async fn node_of(world: &World, pod: &str) -> Option<String> {
    let pod = world.get("v1", "Pod", Some("shop"), pod).await?;
    pod["spec"]["nodeName"].as_str().map(str::to_owned)
}

/// A world with nodes, a process that enforces, and one pending pod.
pub async fn with_a_pod(seed: u64) -> (World, Process, ObjectRef) {
    let (world, process) = World::enforcing(seed).await;
    world.node("n1").await;
    world.node("n2").await;
    let pod = world.pod("cart").await;
    (world, process, pod)
}

pub fn bind_and_tell() -> Vec<ActionKind> {
    let note = "Successfully assigned".to_owned();
    let event = ActionKind::Event { warning: false, reason: "Scheduled".into(), action: "Binding".into(), note };
    vec![bind("n1"), event]
}
