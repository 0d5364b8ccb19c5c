//! How far a feature that evicts everything gets, on the simulated cluster.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use k8s_openapi::api::core::v1::{Namespace, Pod};
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use keelson_api::Platform;
use keelson_bully::Bully;
use keelson_core::{Feature, Mode, Outcome, Span, Timestamp};
use keelson_runtime::config::Election;
use keelson_runtime::elector::Timing;
use keelson_runtime::{Calls, Clock, Config, MemoryHistory, Runtime};
use keelson_sim::api::{Api as Double, Config as DoubleConfig};
use keelson_sim::face::{Shared, tower::Face};
use keelson_sim::objects::Write;
use keelson_sim::world::drive::Simulation;
use keelson_sim::world::kinds::{DEPLOYMENTS, NODES};
use keelson_sim::world::nodes::NodeSpec;
use keelson_sim::world::{Settings, World};
use kube::api::{Patch, PatchParams, PostParams};
use kube::{Api, Client};
use serde_json::{Value, json};

const WORKLOADS: usize = 10;
const REPLICAS: usize = 10;

struct Scene {
    simulation: Simulation,
    client: Client,
    history: Arc<MemoryHistory>,
    runtime: Runtime,
}

/// Ten workloads of ten pods that all run, and the bully let loose on them.
async fn scene(seed: u64) -> Scene {
    let base = Timestamp::parse("2026-11-23T18:00:00Z").unwrap();
    let double = Double::new(DoubleConfig { seed, ..DoubleConfig::default() });
    let shared = Shared::new(double, keelson_sim::clock::Clock::start(base, 1));
    let simulation = Simulation::new(shared.clone(), World::new(seed, Settings::default()));
    tokio::spawn(simulation.clone().run(|_, _| ()));
    let client = Client::new(Face::new(shared), "default");
    simulation.act(|world, cluster| {
        for node in 0..20 {
            let zone = ["eu-west-1a", "eu-west-1b", "eu-west-1c"][node % 3];
            world.add_node(&NodeSpec::new(&format!("node-{node}"), zone, "m6i.2xlarge", 8, 32), cluster).unwrap();
        }
        for workload in 0..WORKLOADS {
            cluster.write(Write::Create(DEPLOYMENTS, deployment(&format!("shop-{workload}")))).unwrap();
        }
    });
    let definition: CustomResourceDefinition = keelson_api::crds::all().remove(0);
    Api::all(client.clone()).create(&PostParams::default(), &definition).await.unwrap();
    let namespace: Namespace = serde_json::from_value(json!({"metadata": {"name": "keelson"}})).unwrap();
    Api::all(client.clone()).create(&PostParams::default(), &namespace).await.unwrap();
    let platform: Platform = serde_json::from_value(json!({
        "apiVersion": "keelson.dev/v1alpha1", "kind": "Platform", "metadata": {"name": "default"},
        "spec": {"features": {"scheduling": {"mode": "Enforce"}}},
    }))
    .unwrap();
    Api::all(client.clone()).create(&PostParams::default(), &platform).await.unwrap();
    seconds(120).await;
    let (history, calls) = (Arc::new(MemoryHistory::default()), Calls::default());
    let runtime = Runtime::start(Config {
        clock: Clock::start(base + Span::seconds(120), 1),
        seed,
        identity: "bully".into(),
        namespace: "keelson".into(),
        owner: None,
        ceilings: BTreeMap::from([(Feature::Scheduling, Mode::Enforce)]),
        timing: Timing::default(),
        election: Election::Alone,
        trace_id: String::new,
        history: history.clone(),
        client: client.clone(),
        lease_client: client.clone(),
        calls,
        mode_file: None,
    })
    .unwrap();
    let scene = Scene { simulation, client, history, runtime };
    assert_eq!(scene.ready().await, BTreeMap::from_iter((0..WORKLOADS).map(|n| (format!("shop-{n}"), REPLICAS))));
    scene
}

fn deployment(name: &str) -> Value {
    let container = json!({"name": "main", "image": "shop:1", "resources": {"requests": {"cpu": "500m"}},
        "readinessProbe": {"tcpSocket": {"port": 80}}});
    let template = json!({"metadata": {"labels": {"app": name}}, "spec": {"containers": [container]}});
    let spec = json!({"replicas": REPLICAS, "selector": {"matchLabels": {"app": name}}, "template": template});
    let metadata = json!({"namespace": "default", "name": name});
    json!({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": metadata, "spec": spec})
}

impl Scene {
    /// How many pods of each workload are ready.
    async fn ready(&self) -> BTreeMap<String, usize> {
        let pods: Api<Pod> = Api::all(self.client.clone());
        let mut ready = BTreeMap::new();
        for pod in pods.list(&Default::default()).await.unwrap() {
            let conditions = pod.status.iter().filter_map(|status| status.conditions.as_ref()).flatten();
            let is_ready = conditions.into_iter().any(|it| it.type_ == "Ready" && it.status == "True");
            let workload = pod.metadata.labels.unwrap_or_default().remove("app").unwrap_or_default();
            *ready.entry(workload).or_default() += usize::from(is_ready && pod.metadata.deletion_timestamp.is_none());
        }
        ready
    }

    fn evicted(&self) -> usize {
        self.history.decisions().iter().filter(|decision| decision.outcome == Outcome::Done).count()
    }

    async fn pause(&self, paused: bool) {
        let api: Api<Platform> = Api::all(self.client.clone());
        let patch = json!({"spec": {"features": {"scheduling": {"paused": paused}}}});
        api.patch("default", &PatchParams::default(), &Patch::Merge(patch)).await.unwrap();
    }
}

async fn seconds(n: u64) {
    tokio::time::sleep(Duration::from_secs(n)).await;
}

#[tokio::test(start_paused = true)]
async fn the_gate_lets_it_take_one_pod_of_a_workload_at_a_time_and_no_more_than_the_hours_share() {
    let scene = scene(1).await;
    let _loose = Bully::start(&scene.runtime);
    for _ in 0..600 {
        seconds(1).await;
        let short: Vec<_> = scene.ready().await.into_iter().filter(|(_, ready)| *ready + 1 < REPLICAS).collect();
        assert_eq!(short, [], "two pods of a workload are away");
    }
    // A third of a hundred pods.
    assert_eq!(scene.evicted(), 30);
}

#[tokio::test(start_paused = true)]
async fn a_pause_stops_it_within_a_second() {
    let scene = scene(2).await;
    let _loose = Bully::start(&scene.runtime);
    seconds(20).await;
    scene.pause(true).await;
    seconds(1).await;
    let by_then = scene.evicted();
    assert!(by_then > 0);
    seconds(120).await;
    assert_eq!(scene.evicted(), by_then);
    let held = scene.history.decisions().into_iter().rfind(|decision| decision.outcome == Outcome::Would).unwrap();
    assert!(held.steps[0].detail.contains("keelson pause --resume"), "and goes on deciding: {held:?}");
    scene.pause(false).await;
    seconds(60).await;
    assert!(scene.evicted() > by_then);
}

#[tokio::test(start_paused = true)]
async fn pods_that_do_not_come_back_open_the_breaker_and_a_tenth_is_all_that_was_taken() {
    let scene = scene(3).await;
    // Nothing can be placed any more.
    scene.simulation.act(|_, cluster| {
        for node in cluster.list(NODES) {
            let name = node["metadata"]["name"].as_str().unwrap().to_owned();
            let patch = json!({"spec": {"unschedulable": true}});
            cluster
                .write(Write::Merge { resource: NODES, namespace: String::new(), name, subresource: "", patch })
                .unwrap();
        }
    });
    let _loose = Bully::start(&scene.runtime);
    seconds(400).await;
    let switch = scene.runtime.switch(Feature::Scheduling).borrow().clone();
    assert!(switch.breaker.is_some_and(|why| why.contains("fewer ready pods")), "the breaker is open");
    assert_eq!(scene.evicted(), WORKLOADS * REPLICAS / 10);
    seconds(600).await;
    assert_eq!(scene.evicted(), WORKLOADS * REPLICAS / 10, "and half open it meets the gate again");
}
