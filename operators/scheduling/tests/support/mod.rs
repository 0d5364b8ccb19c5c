//! A living cluster on virtual time, and processes of ours in it.
#![allow(dead_code, clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, missing_docs)]

use std::collections::BTreeMap;
use std::future::Future;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};
use std::time::Duration;

use http::{Request, Response};
use keelson_core::{Decision, DecisionId, Feature, Mode, Reason, Timestamp};
use keelson_runtime::config::Election;
use keelson_runtime::elector::Timing;
use keelson_runtime::{Answers, Calls, Clock, Config, MemoryHistory, Operator, Running, Runtime};
use keelson_scheduling::Scheduling;
use keelson_sim::api::{Api as Double, Config as DoubleConfig};
use keelson_sim::face::faults::Faults;
use keelson_sim::face::{Shared, tower::Face, tower::FaceBody};
use keelson_sim::objects::{Cluster, Resource, Write};
use keelson_sim::world::drive::Simulation;
use keelson_sim::world::invariants::Invariants;
pub use keelson_sim::world::kinds::EVENTS;
use keelson_sim::world::kinds::{NODES, PODS};
use keelson_sim::world::nodes::NodeSpec;
use keelson_sim::world::{Settings, World};
use kube::Client;
use kube::client::Body;
use serde_json::{Value, json};
use tower::{Layer, Service, ServiceExt};

pub const PLATFORMS: Resource = Resource { group: "keelson.dev", plural: "platforms" };
const CRDS: Resource = Resource { group: "apiextensions.k8s.io", plural: "customresourcedefinitions" };
const NAMESPACES: Resource = Resource { group: "", plural: "namespaces" };

/// A cluster whose kubelets run what is bound, and in which `default-scheduler` has a stand-in.
pub struct Scene {
    pub shared: Shared,
    pub simulation: Simulation,
    pub invariants: Arc<Mutex<Invariants>>,
    /// Whether somebody serves `metrics.k8s.io`.
    pub measured: Arc<AtomicBool>,
    /// Whether ours may read ConfigMaps.
    pub granted: Arc<AtomicBool>,
    /// Of which pod nothing is answered.
    pub mute: Arc<Mutex<Option<Mute>>>,
    clock: Clock,
}

/// A pod about which the API server answers nothing.
#[derive(Debug, Clone)]
pub struct Mute {
    pub pod: &'static str,
    /// Whether what is written meanwhile is carried out once it is taken off.
    pub writes_later: bool,
}

/// A client that notes what it writes.
#[derive(Clone)]
pub struct Noting {
    face: Face,
    measured: Arc<AtomicBool>,
    granted: Arc<AtomicBool>,
    mute: Arc<Mutex<Option<Mute>>>,
    writes: Arc<Mutex<Vec<String>>>,
}

impl Service<Request<Body>> for Noting {
    type Response = Response<FaceBody>;
    type Error = tower::BoxError;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Self::Error>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, mut request: Request<Body>) -> Self::Future {
        if request.method() != http::Method::GET {
            self.writes.lock().unwrap().push(format!("{} {}", request.method(), request.uri().path()));
        }
        if request.uri().path().starts_with("/apis/metrics.k8s.io/") && !self.measured.load(Ordering::Relaxed) {
            *request.uri_mut() = "/apis/metrics.k8s.io/nobody/serves/it".parse().unwrap();
        }
        if request.uri().path().contains("/configmaps/") && !self.granted.load(Ordering::Relaxed) {
            request.headers_mut().insert("impersonate-user", http::HeaderValue::from_static("nobody"));
        }
        let face = self.face.clone();
        let mute = self.mute.lock().unwrap().clone();
        if let Some(mute) = mute.filter(|mute| request.uri().path().contains(&format!("/pods/{}", mute.pod))) {
            let taken_off = Arc::clone(&self.mute);
            // Whoever asked gives up long before.
            tokio::spawn(async move {
                while taken_off.lock().unwrap().is_some() {
                    tokio::time::sleep(Duration::from_millis(100)).await;
                }
                if request.method() != http::Method::GET && mute.writes_later {
                    face.oneshot(request).await.unwrap();
                }
            });
            return Box::pin(std::future::pending());
        }
        Box::pin(async move { Ok(face.oneshot(request).await?) })
    }
}

/// One process of ours.
pub struct Process {
    pub runtime: Runtime,
    pub history: Arc<MemoryHistory>,
    pub answers: Answers,
    pub writes: Arc<Mutex<Vec<String>>>,
    /// What goes wrong between it and its Lease.
    pub lease_faults: Faults,
    running: Running,
}

impl Scene {
    pub fn new(seed: u64, mode: Mode) -> Self {
        Self::of(seed, mode, Settings::default())
    }

    /// The same without a scheduler of the cluster's own.
    pub fn without_scheduler(seed: u64, mode: Mode) -> Self {
        Self::of(seed, mode, Settings { stand_in: None, ..Settings::default() })
    }

    fn of(seed: u64, mode: Mode, settings: Settings) -> Self {
        let base = Timestamp::parse("2026-11-23T18:00:00Z").unwrap();
        let sim_clock = keelson_sim::clock::Clock::start(base, 1);
        let shared = Shared::new(Double::new(DoubleConfig { seed, ..DoubleConfig::default() }), sim_clock);
        let simulation = Simulation::new(shared.clone(), World::new(seed, settings));
        let invariants = Arc::new(Mutex::new(Invariants::new()));
        let [measured, granted] = [(); 2].map(|()| Arc::new(AtomicBool::new(true)));
        let (mute, clock) = (Arc::default(), Clock::start(base, 1));
        let scene = Self { shared, simulation, invariants, measured, granted, mute, clock };
        for definition in keelson_api::crds::all() {
            scene.create(CRDS, json!(definition));
        }
        scene.create(NAMESPACES, json!({"metadata": {"name": "keelson"}}));
        scene.create(NAMESPACES, json!({"metadata": {"name": "shop"}}));
        let settings = json!({"layout": "Shared", "headroomPercent": 0});
        let spec = json!({"features": {"scheduling": {"mode": mode, "settings": settings}}});
        scene.create(PLATFORMS, json!({"apiVersion": "keelson.dev/v1alpha1", "kind": "Platform", "metadata": {"name": "default"}, "spec": spec}));
        let seen = Arc::clone(&scene.invariants);
        tokio::spawn(scene.simulation.clone().run(move |event, now| seen.lock().unwrap().see(event, now)));
        scene
    }

    pub fn nodes(self, count: usize, cpu: u32) -> Self {
        for n in 0..count {
            let spec = NodeSpec::new(&format!("node-{n}"), "eu-west-1a", "m6i.large", cpu, 16);
            self.simulation.act(|world, cluster| world.add_node(&spec, cluster)).unwrap();
        }
        self
    }

    pub fn create(&self, resource: Resource, object: Value) -> Arc<Value> {
        self.write(Write::Create(resource, object))
    }

    pub fn write(&self, write: Write) -> Arc<Value> {
        self.shared
            .with(|api, now| api.cluster(now).write(write.clone()))
            .unwrap_or_else(|error| panic!("{write:?}: {error}"))
    }

    pub fn list(&self, resource: Resource) -> Vec<Arc<Value>> {
        self.shared.with(|api, now| api.cluster(now).list(resource))
    }

    pub fn pod(&self, name: &str) -> Arc<Value> {
        self.shared.with(|api, now| api.cluster(now).get(PODS, "shop", name)).unwrap_or_else(|| panic!("no pod {name}"))
    }

    pub fn node_of(&self, name: &str) -> Option<String> {
        self.pod(name)["spec"]["nodeName"].as_str().map(str::to_owned)
    }

    /// A pod for a scheduler; `more` is merged into its spec.
    pub fn schedule(&self, name: &str, scheduler: &str, cpu: &str, more: Value) {
        let mut spec = json!({
            "schedulerName": scheduler,
            "containers": [{"name": "c", "image": "web", "resources": {"requests": {"cpu": cpu, "memory": "64Mi"}}}],
        });
        for (key, value) in more.as_object().unwrap() {
            spec[key] = value.clone();
        }
        self.create(
            PODS,
            json!({"metadata": {"name": name, "namespace": "shop", "labels": {"app": name}}, "spec": spec}),
        );
    }

    pub fn set(&self, scheduling: Value) {
        let patch = json!({"spec": {"features": {"scheduling": scheduling}}});
        let (namespace, name) = (String::new(), "default".to_owned());
        self.write(Write::Merge { resource: PLATFORMS, namespace, name, subresource: "", patch });
    }

    pub fn process(&self, identity: &str, faults: Faults, leader_election: bool) -> Process {
        let writes = Arc::new(Mutex::new(Vec::new()));
        let calls = Calls::default();
        let client = |faults| {
            let face = Face::new(self.shared.clone()).with_faults(faults);
            let [measured, granted] = [&self.measured, &self.granted].map(Arc::clone);
            let (mute, writes) = (Arc::clone(&self.mute), Arc::clone(&writes));
            Client::new(calls.to("api:6443").layer(Noting { face, measured, granted, mute, writes }), "default")
        };
        let (history, lease_faults) = (Arc::new(MemoryHistory::default()), Faults::none());
        let config = Config {
            clock: self.clock,
            seed: 7,
            identity: identity.to_owned(),
            namespace: "keelson".to_owned(),
            owner: None,
            ceilings: BTreeMap::from([(Feature::Scheduling, Mode::Enforce)]),
            timing: Timing::default(),
            election: if leader_election { Election::Lease } else { Election::Alone },
            trace_id: String::new,
            history: history.clone(),
            client: client(faults),
            lease_client: client(lease_faults.clone()),
            calls: calls.clone(),
            mode_file: None,
        };
        let runtime = Runtime::start(config).unwrap();
        let scheduling = Scheduling::default();
        let answers = scheduling.answers();
        let running = scheduling.start(&runtime).unwrap();
        Process { runtime, history, answers, writes, lease_faults, running }
    }

    /// A node is measured now.
    pub fn measure(&self, node: &str, cpu: &str) {
        self.shared.with(|api, now| {
            let usage = json!({"cpu": cpu, "memory": "1Gi"});
            api.set_metrics("", node, json!({"timestamp": now.to_string(), "window": "15s", "usage": usage}));
        });
    }

    pub fn unbroken(&self) {
        let invariants = self.invariants.lock().unwrap();
        assert!(invariants.broken().is_empty(), "{:#?}", invariants.broken());
    }

    /// Every object of the kinds that others own.
    pub fn foreign(&self) -> Vec<Arc<Value>> {
        [NODES, PODS, EVENTS].into_iter().flat_map(|resource| self.list(resource)).collect()
    }
}

impl Process {
    pub fn decisions(&self, pod: &str) -> Vec<Decision> {
        self.history.decisions().into_iter().filter(|decision| decision.subject.name == pod).collect()
    }

    pub fn last(&self, pod: &str) -> Decision {
        self.decisions(pod).pop().unwrap_or_else(|| panic!("no decision about {pod}"))
    }

    pub fn decision(&self, id: DecisionId) -> Decision {
        self.history.decisions().into_iter().find(|decision| decision.id == id).expect("it was made")
    }

    pub fn count(&self, reason: Reason) -> usize {
        self.history.decisions().iter().filter(|decision| decision.reason == reason).count()
    }

    /// The process is killed: nothing is flushed, nothing released.
    pub fn kill(self) {
        self.running.0.iter().for_each(keelson_runtime::Task::abort);
    }
}

pub async fn seconds(n: u64) {
    tokio::time::sleep(Duration::from_secs(n)).await;
}
