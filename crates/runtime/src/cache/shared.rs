//! The caches of a process: one for each kind, started when somebody first asks.

use std::any::{Any, type_name};
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use futures::future::join_all;
use keelson_core::ObjectRef;
use keelson_core::Span;
use kube::Client;
use tokio::time::timeout;

use super::reflect::{Source, reflect};
use super::rewound::noticing;
use super::{AnyCache, Cache, Cached, Round};
use crate::reach::Reach;
use crate::spawn::Tasks;
use crate::{Chance, Clock, watch};

/// What cannot be listed for this long is not waited for: by then everything else has waited long enough.
const PATIENCE: Span = Span::seconds(60);

/// The caches, by kind and Rust type; clones share them.
#[derive(Clone)]
pub(crate) struct Caches(Arc<Inner>);

struct Inner {
    client: Client,
    clock: Clock,
    chance: Chance,
    reach: Reach,
    sources: Tasks,
    round: AtomicU64,
    held: Mutex<BTreeMap<(String, &'static str), Held>>,
}

#[derive(Clone)]
struct Held {
    group: String,
    kind: String,
    typed: Arc<dyn Any + Send + Sync>,
    any: Arc<dyn AnyCache>,
    /// A channel for each cache: those who wait for one together are woken in an order that tokio draws by lot.
    round: Arc<watch::Sender<Round>>,
}

impl Caches {
    pub(crate) fn new(client: Client, clock: Clock, chance: Chance, reach: Reach, sources: Tasks) -> Self {
        let (round, held) = Default::default();
        let client = noticing(client);
        Self(Arc::new(Inner { client, clock, chance, reach, sources, round, held }))
    }

    /// The cache of a kind. Whoever asks first says whether the API may be absent.
    pub(crate) fn open<K: Cached>(&self, optional: bool) -> Cache<K> {
        let (group, kind) = (K::group(&()).into_owned(), K::kind(&()).into_owned());
        let key = (format!("{kind}.{}", K::api_version(&())), type_name::<K>());
        let mut held = self.lock();
        if let Some(cache) = held.get(&key).and_then(|held| held.typed.downcast_ref::<Cache<K>>()) {
            return cache.clone();
        }
        let cache = Cache::new(self.0.clock);
        let (typed, any) = (Arc::new(cache.clone()), Arc::new(cache.clone()));
        let (round, rounds) = watch::channel(self.0.round.load(Ordering::SeqCst));
        let source = Source {
            client: self.0.client.clone(),
            chance: self.0.chance.fork(&key.0),
            reach: self.0.reach.clone(),
            optional,
            rounds,
        };
        held.insert(key, Held { group, kind, typed, any, round: Arc::new(round) });
        let (name, kept) = (format!("cache {}", K::plural(&())), cache.clone());
        self.0.sources.spawn(&self.0.chance, &name, move || reflect(kept.clone(), source.clone()));
        cache
    }

    /// Lists everything again that is cached; returns when that is done.
    ///
    /// A watch may have been silent for longer than anybody noticed. Whoever is about to act on what others did until now
    /// needs a picture from now. A kind that was never read holds nobody up: there is no old picture of it.
    pub(crate) async fn read_again(&self) {
        let round = self.next_round();
        let read: Vec<_> = self.all().into_iter().filter(|cache| cache.listed().borrow().is_some()).collect();
        let listed = read.iter().map(|cache| async {
            // The sender lives as long as the cache.
            let _ = cache.listed().wait_for(|listed| *listed >= Some(round)).await;
        });
        if timeout(PATIENCE.to_std(), join_all(listed)).await.is_err() {
            let old = read.iter().filter(|cache| *cache.listed().borrow() < Some(round));
            let kinds: Vec<_> = old.map(|cache| cache.health().kind).collect();
            tracing::warn!("leading on an old picture of {}, which cannot be listed", kinds.join(", "));
        }
    }

    /// Tells every cache, in their order, to list again; those that are opened later do so anyway.
    fn next_round(&self) -> Round {
        let held = self.lock();
        let round = self.0.round.fetch_add(1, Ordering::SeqCst) + 1;
        for held in held.values() {
            held.round.send_replace(round);
        }
        round
    }

    /// Every cache, by kind.
    pub(crate) fn all(&self) -> Vec<Arc<dyn AnyCache>> {
        self.lock().values().map(|held| Arc::clone(&held.any)).collect()
    }

    /// Whether the object would be here if it existed.
    pub(crate) fn holds_kind(&self, object: &ObjectRef) -> bool {
        self.lock().values().any(|held| held.group == object.group && held.kind == object.kind)
    }

    /// An object's annotations, when a cache holds the object.
    pub(crate) fn annotations(&self, object: &ObjectRef) -> Option<BTreeMap<String, String>> {
        let held = self.lock();
        let mut caches = held.values().filter(|held| held.group == object.group && held.kind == object.kind);
        caches.find_map(|held| held.any.annotations(&object.namespace, &object.name))
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, BTreeMap<(String, &'static str), Held>> {
        self.0.held.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
