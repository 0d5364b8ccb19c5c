//! The simulated cluster of `keelson up`: an evening of a streaming service, with Keelson installed in it.
//!
//! Two things run side by side: Online Boutique asks for Keelson and is placed by it; the streaming service is bound by a
//! plain stand-in for the default scheduler, and Keelson says what it would have chosen.

mod interfaces;

use std::net::SocketAddr;

use anyhow::{Context, Result};
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use keelson_api::platform::SchedulingLayout;
use keelson_api::{AppGroup, NetworkTopology, Platform, PlatformSpec, names};
use keelson_core::{Mode, Timestamp};
use keelson_runtime::Calls;
use keelson_sim::api::{Api, Config, Token};
use keelson_sim::face::{Shared, http, tls::Tls, tower::Face};
use keelson_sim::world::drive::Simulation;
use keelson_sim::world::scenario::{EVENING, Scenario};
use keelson_sim::world::{Settings, World};
use kube::ResourceExt;
use kube::api::{Patch, PatchParams};
use kube::client::ClientBuilder;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

/// Where Keelson's Leases are.
pub const NAMESPACE: &str = "keelson-system";

/// A running simulated cluster.
pub struct Simulated {
    /// An administrator's way in, in the process.
    face: Face,
    address: SocketAddr,
    tls: Tls,
    token: String,
    clock: keelson_runtime::Clock,
    simulation: Simulation,
    tasks: Vec<JoinHandle<()>>,
}

impl Simulated {
    /// A cluster in which the evening has begun; its API is served on `listener`.
    ///
    /// # Errors
    /// As [`Self::prepare`].
    pub async fn start(listener: TcpListener, seed: u64, speed: u32) -> Result<Self> {
        let mut cluster = Self::prepare(listener, seed, speed).await?;
        cluster.begin();
        Ok(cluster)
    }

    /// Everything as it is before the evening: machines and workloads, and not one pod until it [begins](Self::begin).
    ///
    /// # Errors
    /// When the evening's manifests cannot be read or the installation is refused.
    pub async fn prepare(listener: TcpListener, seed: u64, speed: u32) -> Result<Self> {
        let begin = Timestamp::parse(EVENING)?;
        let clock = keelson_sim::clock::Clock::start(begin, speed);
        let ours = keelson_runtime::Clock::start(begin, speed);
        // Whoever can read the kubeconfig is the administrator, and nobody else on this machine.
        let tls = Tls::for_loopback().context("the simulated API server")?;
        let token = Tls::token().context("the simulated API server")?;
        let address = listener.local_addr()?;
        let admin = Token { token: token.clone(), user: "admin".to_owned(), groups: vec!["system:masters".to_owned()] };
        let api = Api::new(Config { seed, tokens: vec![admin], anonymous_admin: false, ..Config::default() });
        let shared = Shared::new(api, clock);
        let face = Face::new(shared.clone());
        let serving = tls.clone();
        let served =
            tokio::spawn(async move { http::serve_tls(listener, &serving, face, std::future::pending()).await });
        let face = Face::new(shared.clone()).with_token(&token);
        let simulation = Simulation::new(shared, World::new(seed, Settings::default()));
        let prepared = Self { face, address, tls, token, clock: ours, simulation, tasks: vec![served] };
        install(&prepared.client(), Mode::Enforce).await.context("installing into the simulated cluster")?;
        let scenario = Scenario::evening(seed, "default-scheduler", names::SCHEDULER)?;
        prepared
            .simulation
            .act(|world, cluster| world.follow(scenario, cluster))
            .map_err(|refusal| anyhow::anyhow!("the evening cannot begin: {refusal}"))?;
        declare(&prepared.client()).await.context("the network of the simulated cluster")?;
        Ok(prepared)
    }

    /// Lets the evening run.
    pub fn begin(&mut self) {
        let evening = &self.simulation;
        self.tasks.push(tokio::spawn(evening.clone().run(|_, _| {})));
        self.tasks.push(tokio::spawn(interfaces::feed(self.client(), evening.clone(), self.clock)));
        self.tasks.push(tokio::spawn(evening.clone().feed_metrics()));
    }

    /// An administrator's client, in the process.
    #[must_use]
    pub fn client(&self) -> kube::Client {
        kube::Client::new(self.face.clone(), "default")
    }

    /// The same, with its calls counted.
    #[must_use]
    pub fn counted(&self, calls: &Calls) -> kube::Client {
        let client = ClientBuilder::new(self.face.clone(), "default");
        client.with_layer(&calls.to(&self.address.to_string())).build()
    }

    /// The cluster's time.
    #[must_use]
    pub fn clock(&self) -> keelson_runtime::Clock {
        self.clock
    }

    /// A kubeconfig for kubectl.
    #[must_use]
    pub fn kubeconfig(&self) -> String {
        self.kubeconfig_at(self.address)
    }

    /// The same for another address on loopback that leads to it.
    #[must_use]
    pub fn kubeconfig_at(&self, address: SocketAddr) -> String {
        http::kubeconfig_tls(address, &self.tls, &self.token)
    }

    /// Ends it.
    pub async fn stop(self) {
        for task in self.tasks {
            task.abort();
            let _ = task.await;
        }
    }
}

/// Who in Online Boutique calls whom.
const GROUP: &str = include_str!("../../../e2e/apps/online-boutique/appgroup.yaml");
/// What the evening's zones cost each other.
const TOPOLOGY: &str = include_str!("../../../e2e/apps/network-topology.yaml");

async fn declare(client: &kube::Client) -> Result<()> {
    let params = PatchParams::apply("keelson/install").force();
    let group: AppGroup = serde_saphyr::from_str(GROUP)?;
    let groups: kube::Api<AppGroup> = kube::Api::namespaced(client.clone(), &group.namespace().unwrap_or_default());
    groups.patch(&group.name_any(), &params, &Patch::Apply(&group)).await?;
    let topology: NetworkTopology = serde_saphyr::from_str(TOPOLOGY)?;
    let namespace = topology.namespace().unwrap_or_default();
    let topologies: kube::Api<NetworkTopology> = kube::Api::namespaced(client.clone(), &namespace);
    topologies.patch(&topology.name_any(), &params, &Patch::Apply(&topology)).await?;
    Ok(())
}

/// Puts Keelson's definitions and its Platform into a cluster.
///
/// # Errors
/// When the API server refuses.
pub async fn install(client: &kube::Client, mode: Mode) -> Result<()> {
    let params = PatchParams::apply("keelson/install").force();
    let definitions: kube::Api<CustomResourceDefinition> = kube::Api::all(client.clone());
    for crd in keelson_api::crds::all() {
        let name = crd.metadata.name.clone().unwrap_or_default();
        definitions.patch(&name, &params, &Patch::Apply(&crd)).await?;
    }
    let namespaces: kube::Api<k8s_openapi::api::core::v1::Namespace> = kube::Api::all(client.clone());
    let namespace = serde_json::json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAMESPACE}});
    namespaces.patch(NAMESPACE, &params, &Patch::Apply(&namespace)).await?;
    let mut spec = PlatformSpec::default();
    spec.features.scheduling.mode = mode;
    // Nobody else places pods there.
    spec.features.scheduling.settings.layout = Some(SchedulingLayout::Shared);
    spec.features.scheduling.settings.headroom_percent = 0;
    let platforms: kube::Api<Platform> = kube::Api::all(client.clone());
    platforms.patch(names::PLATFORM, &params, &Patch::Apply(&Platform::new(names::PLATFORM, spec))).await?;
    Ok(())
}
