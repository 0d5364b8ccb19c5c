//! The Kubernetes API as a state machine.
//!
//! A request and a moment go in, an answer comes out; nothing here reads a clock, draws from an unseeded generator or
//! waits. The faces in [`crate::face`] put it behind a tower service and behind HTTP.
//!
//! Promises: the same seed and the same requests at the same moments give the same bytes.

mod admission;
mod auth;
pub(crate) mod base64;
mod cel;
mod cluster;
mod crd;
mod defaults;
mod deletion;
mod discovery;
mod events;
mod garbage;
mod handle;
mod json;
mod kinds;
mod labels;
mod list;
mod meta;
mod openapi;
mod patch;
mod protobuf;
mod rbac;
mod render;
mod request;
mod reviews;
mod select;
mod status;
mod storage;
mod subresource;
mod table;
mod typed;
mod validate;
mod verbs;
mod watch;

use std::{collections::BTreeMap, sync::Arc};

use bytes::Bytes;
use http::Response;
use keelson_core::Timestamp;
use rand::{SeedableRng, rngs::SmallRng};

pub use auth::Token;
pub use cluster::Inside;
pub use watch::{Frames, WatchId, WatchPlan};

use crate::objects::{Event, Resource};
use crate::tree::{Value, json};

/// How an [`Api`] is set up.
#[derive(Debug, Clone)]
pub struct Config {
    /// Where names, uids and tokens come from.
    pub seed: u64,
    /// Bearer tokens it knows.
    pub tokens: Vec<Token>,
    /// Whether a request without a token is an administrator's (`system:masters`) rather than anonymous.
    pub anonymous_admin: bool,
    /// Changes kept for each resource; a watch from before them is answered 410.
    pub history: usize,
}

impl Default for Config {
    fn default() -> Self {
        Self { seed: 0, tokens: Vec::new(), anonymous_admin: true, history: 10_000 }
    }
}

/// An answer.
#[derive(Debug)]
pub enum Reply {
    /// All of it.
    Response(Response<Bytes>),
    /// A watch: its frames come from [`Api::watch_next`].
    Watch(WatchPlan),
}

/// How many requests were answered, by verb and code.
pub type Counters = BTreeMap<(String, u16), u64>;

/// What was stored at some time.
#[derive(Debug, Clone)]
pub struct Backup(storage::Storage);

/// The API's whole state.
#[derive(Debug)]
pub struct Api {
    config: Config,
    kinds: kinds::Kinds,
    store: storage::Storage,
    rng: SmallRng,
    watches: BTreeMap<WatchId, watch::Watch>,
    next_watch: u64,
    issued: BTreeMap<String, auth::Issued>,
    counters: Counters,
    garbage: garbage::Pending,
    next_address: u32,
    programs: cel::Programs,
    metrics: BTreeMap<(Resource, storage::Key), Value>,
    admin: Arc<auth::User>,
}

impl Api {
    /// An API with the four namespaces every cluster starts with.
    #[must_use]
    pub fn new(config: Config) -> Self {
        let mut api = Self {
            kinds: kinds::Kinds::builtin(),
            store: storage::Storage::new(config.history.max(1)),
            rng: SmallRng::seed_from_u64(config.seed),
            watches: BTreeMap::new(),
            next_watch: 0,
            issued: BTreeMap::new(),
            counters: BTreeMap::new(),
            garbage: garbage::Pending::default(),
            next_address: 1,
            programs: cel::Programs::default(),
            metrics: BTreeMap::new(),
            admin: Arc::new(auth::User::admin()),
            config,
        };
        api.bootstrap();
        api
    }

    /// Everything that is stored, to be restored later.
    #[must_use]
    pub fn backup(&self) -> Backup {
        Backup(self.store.clone())
    }

    /// Puts a backup in place of what there is. Versions are counted on from the backup's, and every watch ends. Whoever
    /// drains events is told nothing of it.
    pub fn restore(&mut self, backup: &Backup) {
        self.store = backup.0.clone();
        self.watches.clear();
    }

    /// Every change since last asked, oldest first. The first time: everything that exists, as if just created.
    pub fn drain_events(&mut self) -> Vec<Event> {
        self.store.drain()
    }

    /// The number of the latest change.
    #[must_use]
    pub fn resource_version(&self) -> u64 {
        self.store.rv()
    }

    /// Requests so far.
    #[must_use]
    pub fn counters(&self) -> &Counters {
        &self.counters
    }

    /// The cluster from inside: an administrator whose requests meet every rule and no fault.
    pub fn cluster(&mut self, now: Timestamp) -> Inside<'_> {
        Inside::new(self, now)
    }

    /// Forgets the history: every watch from before is answered 410, as after etcd's compaction.
    pub fn compact(&mut self) {
        self.store.compact();
    }

    /// What `metrics.k8s.io` says of a node (`namespace` empty) or of a pod; null takes it away.
    ///
    /// `value` holds `timestamp`, `window` and `usage` (node) or `containers` (pod).
    pub fn set_metrics(&mut self, namespace: &str, name: &str, value: impl Into<Value>) {
        let value = value.into();
        let plural = if namespace.is_empty() { "nodes" } else { "pods" };
        let key = (Resource { group: "metrics.k8s.io", plural }, (namespace.into(), name.into()));
        if value.is_null() {
            self.metrics.remove(&key);
        } else {
            self.metrics.insert(key, value);
        }
    }

    fn bootstrap(&mut self) {
        let now = Timestamp(0);
        let admin = Arc::new(auth::User::admin());
        for name in ["default", "kube-system", "kube-public", "kube-node-lease"] {
            let object = json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}});
            let made = self.create_as(now, &admin, "", "namespaces", "", object);
            debug_assert!(made.is_ok(), "{made:?}");
        }
        for (name, value, description) in [
            (
                "system-cluster-critical",
                2_000_000_000_i64,
                "Used for system critical pods that must run in the cluster, but can be moved to another node if necessary.",
            ),
            (
                "system-node-critical",
                2_000_001_000,
                "Used for system critical pods that must not be moved from their current node.",
            ),
        ] {
            let object = json!({
                "apiVersion": "scheduling.k8s.io/v1", "kind": "PriorityClass", "metadata": {"name": name},
                "value": value, "description": description,
            });
            let made = self.create_as(now, &admin, "scheduling.k8s.io", "priorityclasses", "", object);
            debug_assert!(made.is_ok(), "{made:?}");
        }
    }
}
