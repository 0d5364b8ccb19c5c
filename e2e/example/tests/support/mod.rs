//! A small cluster a quarter of an hour before dusk, and the feature started on it with the rights it declares.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use k8s_openapi::api::core::v1::Namespace;
use k8s_openapi::api::rbac::v1::{ClusterRole, Role};
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use keelson_api::Platform;
use keelson_core::{Decision, Mode, Timestamp, Verb};
use keelson_example::hours::Hours;
use keelson_example::{Night, words};
use keelson_runtime::config::Election;
use keelson_runtime::elector::Timing;
use keelson_runtime::{Answers, Calls, Clock, Config, MemoryHistory, Operator, Permissions, Runtime, Scope};
use keelson_sim::api::{Api as Double, Config as DoubleConfig, Token};
use keelson_sim::face::faults::{Faults, Rates};
use keelson_sim::face::{Shared, tower::Face};
use keelson_sim::objects::Write;
use keelson_sim::world::drive::Simulation;
use keelson_sim::world::kinds::{DEPLOYMENTS, NODES, PODS, REPLICA_SETS};
use keelson_sim::world::nodes::NodeSpec;
use keelson_sim::world::{Settings, World};
use kube::api::PostParams;
use kube::{Api, Client};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

pub const DUSK: &str = "2026-11-23T22:00:00Z";
pub const DAWN: &str = "2026-11-23T23:00:00Z";
const START: &str = "2026-11-23T21:45:00Z";
const TOKEN: &str = "what the feature shows";

pub struct Scene {
    simulation: Simulation,
    pub faults: Faults,
    pub answers: Answers,
    history: Arc<MemoryHistory>,
    clock: Clock,
    _runtime: Runtime,
}

impl Scene {
    pub async fn new(seed: u64, mode: Mode, rates: Rates) -> Self {
        let base = Timestamp::parse(START).unwrap();
        let token = Token { token: TOKEN.into(), user: "keelson".into(), groups: Vec::new() };
        let double = Double::new(DoubleConfig { seed, tokens: vec![token], ..DoubleConfig::default() });
        let shared = Shared::new(double, keelson_sim::clock::Clock::start(base, 1));
        let simulation = Simulation::new(shared.clone(), World::new(seed, Settings::default()));
        tokio::spawn(simulation.clone().run(|_, _| ()));
        simulation.act(|world, cluster| {
            for node in 0..2 {
                world.add_node(&NodeSpec::new(&format!("n{node}"), "a", "m6i.2xlarge", 8, 32), cluster).unwrap();
            }
            let sleeps = json!({words::DAY: "4", words::NIGHT: "1"});
            let broken = json!({words::DAY: "4", words::NIGHT: "one"});
            for (name, annotations) in [("cart", sleeps), ("broken", broken), ("stranger", json!({}))] {
                cluster.write(Write::Create(DEPLOYMENTS, deployment(name, annotations))).unwrap();
            }
        });
        let admin = Client::new(Face::new(shared.clone()), "default");
        let definition: CustomResourceDefinition = keelson_api::crds::all().remove(0);
        Api::all(admin.clone()).create(&PostParams::default(), &definition).await.unwrap();
        create::<Namespace>(Api::all(admin.clone()), json!({"metadata": {"name": "keelson"}})).await;
        grant(&admin, Permissions::runtime(mode).merged(Night::permissions(mode))).await;
        let features = json!({"scheduling": {"mode": mode}});
        create::<Platform>(
            Api::all(admin.clone()),
            json!({"apiVersion": "keelson.dev/v1alpha1", "kind": "Platform", "metadata": {"name": "default"},
                "spec": {"features": features}}),
        )
        .await;
        let (faults, calls, history) = (Faults::new(seed, rates), Calls::default(), Arc::new(MemoryHistory::default()));
        let client = Client::new(Face::new(shared).with_token(TOKEN).with_faults(faults.clone()), "default");
        let clock = Clock::start(base, 1);
        let runtime = Runtime::start(Config {
            clock,
            seed,
            identity: "keelson-0".into(),
            namespace: "keelson".into(),
            owner: None,
            ceilings: BTreeMap::from([(words::FEATURE, mode)]),
            timing: Timing::default(),
            election: Election::Lease,
            trace_id: String::new,
            history: history.clone(),
            client: client.clone(),
            lease_client: client,
            calls,
            mode_file: None,
        })
        .unwrap();
        let night = Night::new(&runtime, Hours { dusk: 22, dawn: 23 });
        let answers = night.answers();
        let _running = night.start(&runtime).unwrap();
        let scene = Self { simulation, faults, answers, history, clock, _runtime: runtime };
        minutes(5).await;
        scene
    }

    /// Waits until it is so late.
    pub async fn at(&self, time: &str) {
        self.clock.sleep_until(Timestamp::parse(time).unwrap()).await;
    }

    /// How many replicas each Deployment asks for.
    pub fn replicas(&self) -> Vec<(&'static str, i64)> {
        let all = self.simulation.act(|_, cluster| cluster.list(DEPLOYMENTS));
        let asked =
            |name: &str| all.iter().find(|one| one["metadata"]["name"] == name).unwrap()["spec"]["replicas"].as_i64();
        ["broken", "cart", "stranger"].map(|name| (name, asked(name).unwrap())).to_vec()
    }

    /// Everything that a feature could touch, as it is.
    pub fn foreign(&self) -> Vec<Value> {
        let kinds = [DEPLOYMENTS, REPLICA_SETS, PODS];
        self.simulation.act(|_, cluster| {
            kinds.into_iter().flat_map(|kind| cluster.list(kind)).map(|object| (*object).clone()).collect()
        })
    }

    /// From now on no node takes pods.
    pub fn cordon(&self) {
        self.simulation.act(|_, cluster| {
            for node in cluster.list(NODES) {
                let name = node["metadata"]["name"].as_str().unwrap().to_owned();
                let patch = json!({"spec": {"unschedulable": true}});
                let write = Write::Merge { resource: NODES, namespace: String::new(), name, subresource: "", patch };
                cluster.write(write).unwrap();
            }
        });
    }

    /// What the feature decided, in order.
    pub fn decisions(&self, verb: Verb) -> Vec<Decision> {
        let mut all = self.history.decisions();
        all.retain(|decision| decision.verb == verb && decision.controller == words::CONTROLLER);
        all
    }
}

fn deployment(name: &str, annotations: Value) -> Value {
    let container = json!({"name": "main", "image": "shop:1", "resources": {"requests": {"cpu": "100m"}}});
    let template = json!({"metadata": {"labels": {"app": name}}, "spec": {"containers": [container]}});
    let spec = json!({"replicas": 4, "selector": {"matchLabels": {"app": name}}, "template": template});
    let metadata = json!({"namespace": "default", "name": name, "annotations": annotations});
    json!({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": metadata, "spec": spec})
}

/// Grants what is declared, to the user `keelson`, as the chart does.
async fn grant(admin: &Client, permissions: Permissions) {
    let named = |namespace: Option<&str>| ObjectMeta {
        name: Some("keelson".to_owned()),
        namespace: namespace.map(str::to_owned),
        ..ObjectMeta::default()
    };
    let wide = permissions.clone().policy_rules(Scope::Cluster);
    let wide = ClusterRole { metadata: named(None), rules: Some(wide), ..ClusterRole::default() };
    Api::all(admin.clone()).create(&PostParams::default(), &wide).await.unwrap();
    let own = Role { metadata: named(Some("keelson")), rules: Some(permissions.policy_rules(Scope::Own)) };
    Api::namespaced(admin.clone(), "keelson").create(&PostParams::default(), &own).await.unwrap();
    let group = "rbac.authorization.k8s.io";
    let bind = |kind: &str| {
        json!({"metadata": {"name": "keelson"}, "roleRef": {"apiGroup": group, "kind": kind, "name": "keelson"},
            "subjects": [{"apiGroup": group, "kind": "User", "name": "keelson"}]})
    };
    create::<k8s_openapi::api::rbac::v1::ClusterRoleBinding>(Api::all(admin.clone()), bind("ClusterRole")).await;
    create::<k8s_openapi::api::rbac::v1::RoleBinding>(Api::namespaced(admin.clone(), "keelson"), bind("Role")).await;
}

async fn create<K>(api: Api<K>, object: Value)
where
    K: Clone + std::fmt::Debug + DeserializeOwned + serde::Serialize,
{
    api.create(&PostParams::default(), &serde_json::from_value(object).unwrap()).await.unwrap();
}

pub async fn seconds(n: u64) {
    tokio::time::sleep(Duration::from_secs(n)).await;
}

pub async fn minutes(n: u64) {
    seconds(n * 60).await;
}
