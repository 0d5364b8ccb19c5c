//! The caches of a process: one for each kind, started when somebody first asks.

use std::any::{Any, type_name};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use keelson_core::ObjectRef;
use kube::Client;

use super::reflect::{Source, reflect};
use super::{AnyCache, Cache, Cached};
use crate::reach::Reach;
use crate::spawn::Tasks;
use crate::{Chance, Clock};

/// The caches, by kind and Rust type; clones share them.
#[derive(Clone)]
pub(crate) struct Caches(Arc<Inner>);

struct Inner {
    client: Client,
    clock: Clock,
    chance: Chance,
    reach: Reach,
    sources: Tasks,
    held: Mutex<BTreeMap<(String, &'static str), Held>>,
}

#[derive(Clone)]
struct Held {
    group: String,
    kind: String,
    typed: Arc<dyn Any + Send + Sync>,
    any: Arc<dyn AnyCache>,
}

impl Caches {
    pub(crate) fn new(client: Client, clock: Clock, chance: Chance, reach: Reach, sources: Tasks) -> Self {
        Self(Arc::new(Inner { client, clock, chance, reach, sources, held: Mutex::default() }))
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
        let source = Source {
            client: self.0.client.clone(),
            chance: self.0.chance.fork(&key.0),
            reach: self.0.reach.clone(),
            optional,
        };
        held.insert(key, Held { group, kind, typed, any });
        let (name, kept) = (format!("cache {}", K::plural(&())), cache.clone());
        self.0.sources.spawn(&self.0.chance, &name, move || reflect(kept.clone(), source.clone()));
        cache
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
