//! Reconciles that find nothing to do: what a resync of a quiet cluster costs.
//!
//! The whole way of a key is measured: queue, worker, snapshot from a cache, decision, executor, metrics, settling. One
//! thread does all of it, and only the time it had a processor counts.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use anyhow::{Result, anyhow};
use k8s_openapi::api::core::v1::Pod;
use keelson::simulated::{NAMESPACE, install};
use keelson_core::{Feature, Mode, ObjectRef, Plan, Timestamp};
use keelson_runtime::config::{Config, Election};
use keelson_runtime::controller::Options;
use keelson_runtime::elector::Timing;
use keelson_runtime::{Cache, Calls, Clock, Controller, Inbox, MemoryHistory, Runtime};
use keelson_sim::api::{Api, Config as Double};
use keelson_sim::clock::Clock as Time;
use keelson_sim::face::{Shared, tower::Face};
use keelson_sim::objects::{Cluster as _, Write};
use keelson_sim::world::kinds::{NAMESPACES, PODS};
use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::clock::{now, on_processor};
use crate::{Better, Row, Setting};

/// When it is, for the clusters of benches.
pub(crate) const BEGIN: &str = "2026-05-20T17:00:00Z";

struct Pods {
    pods: Cache<Pod>,
    done: Arc<AtomicU64>,
}

#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
struct Key {
    namespace: Arc<str>,
    name: Arc<str>,
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.namespace, self.name)
    }
}

/// What a decider of limits would look at.
#[derive(Serialize, Deserialize)]
struct Snapshot {
    node: Option<String>,
    wanted: Option<String>,
    has: Option<String>,
}

impl Controller for Pods {
    const NAME: &'static str = "bench";
    const FEATURE: Feature = Feature::Scheduling;
    type Key = Key;
    type Snapshot = Snapshot;
    fn keys(&self) -> Vec<Key> {
        Vec::new()
    }
    fn flow(key: &Key) -> String {
        key.namespace.to_string()
    }
    fn subject(key: &Key) -> ObjectRef {
        ObjectRef::namespaced("Pod", &key.namespace, &key.name)
    }
    fn snapshot(&self, key: &Key) -> Option<Snapshot> {
        self.done.fetch_add(1, Relaxed);
        let pod = self.pods.get(&key.namespace, &key.name)?;
        let said = |name: &str| pod.metadata.annotations.as_ref()?.get(name).cloned();
        let node = pod.spec.as_ref().and_then(|spec| spec.node_name.clone());
        Some(Snapshot { node, wanted: said("bench/wanted"), has: said("bench/has") })
    }
    fn decide(seen: &Snapshot, _: Timestamp) -> Plan {
        debug_assert_eq!(seen.wanted, seen.has);
        Plan::unchanged()
    }
}

/// A framework that leads alone on a simulated cluster, and that cluster.
pub(crate) async fn begin(clock: Time) -> Result<(Runtime, Shared)> {
    let shared = Shared::new(Api::new(Double::default()), clock);
    let calls = Calls::default();
    let face = Face::new(shared.clone());
    let client = kube::client::ClientBuilder::new(face, "default").with_layer(&calls.to("api:6443")).build();
    install(&client, Mode::Observe).await?;
    Ok((framework(client, calls)?, shared))
}

/// The framework on any cluster.
pub(crate) fn framework(client: kube::Client, calls: Calls) -> Result<Runtime> {
    Ok(Runtime::start(Config {
        clock: Clock::start(Timestamp::parse(BEGIN)?, 1),
        seed: 1,
        identity: "bench".to_owned(),
        namespace: NAMESPACE.to_owned(),
        owner: None,
        ceilings: BTreeMap::from([(Feature::Scheduling, Mode::Observe)]),
        timing: Timing::default(),
        election: Election::Alone,
        trace_id: String::new,
        history: Arc::new(MemoryHistory::default()),
        lease_client: client.clone(),
        client,
        calls,
        mode_file: None,
    })?)
}

/// The same, once it leads.
pub(crate) async fn cluster() -> Result<Runtime> {
    let (runtime, _) = begin(Time::start(Timestamp::parse(BEGIN)?, 1)).await?;
    leads(&runtime).await?;
    Ok(runtime)
}

async fn leads(runtime: &Runtime) -> Result<()> {
    let mut switch = runtime.switch(Feature::Scheduling);
    switch.wait_for(|switch| switch.leading && switch.effective == Mode::Observe).await?;
    Ok(())
}

/// Runs it.
///
/// # Errors
/// When the framework does not start.
pub fn run(setting: &Setting) -> Result<Vec<Row>> {
    let (pods, rounds) = (1_000_u32, setting.of(600, 2));
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let (took, wall) = runtime.block_on(async {
        let (platform, shared) = begin(Time::start(Timestamp::parse(BEGIN)?, 1)).await?;
        for write in objects(pods) {
            shared.with(|api, now| api.cluster(now).write(write)).map_err(|refusal| anyhow!("{refusal}"))?;
        }
        let cache = platform.cache::<Pod>();
        cache.synced().await;
        leads(&platform).await?;
        let done = Arc::new(AtomicU64::new(0));
        let controller = Pods { pods: cache.clone(), done: Arc::clone(&done) };
        let inbox: Inbox<Pods> = platform.run_controller(controller, Options { workers: 1, ..Options::default() });
        let key = |(namespace, name): (String, String)| Key { namespace: namespace.into(), name: name.into() };
        let keys: Vec<Key> = cache.keys().into_iter().map(key).collect();
        let (before, began) = (on_processor(), now());
        for round in 1..=rounds {
            keys.iter().for_each(|key| inbox.add(key.clone()));
            while done.load(Relaxed) < round * u64::from(pods) || inbox.waiting() > 0 {
                tokio::task::yield_now().await;
            }
        }
        let took = (on_processor() - before, began.elapsed());
        platform.shutdown().await;
        anyhow::Ok(took)
    })?;
    let count = (rounds * u64::from(pods)) as f64;
    let how = format!("{pods} cached pods, {rounds} rounds, one worker on one thread; time on the processor");
    let rate = Row::new("no-op reconciles, cached", count / took.as_secs_f64(), "/s a core", Better::Higher, &how);
    let wall = Row::new("the same by the clock on the wall", count / wall.as_secs_f64(), "/s", Better::Higher, &how);
    Ok(vec![rate.goal(200_000.0), wall])
}

fn objects(pods: u32) -> impl Iterator<Item = Write> {
    let spaces = (0..20).map(|n| {
        let namespace = json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": format!("team-{n}")}});
        Write::Create(NAMESPACES, namespace)
    });
    let pods = (0..pods).map(|n| {
        let annotations = json!({"bench/wanted": "10M", "bench/has": "10M"});
        let metadata =
            json!({"name": format!("app-{n}"), "namespace": format!("team-{}", n % 20), "annotations": annotations});
        let spec = json!({"schedulerName": "nobody", "containers": [{"name": "main", "image": "app:1"}]});
        Write::Create(PODS, json!({"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": spec}))
    });
    spaces.chain(pods)
}
