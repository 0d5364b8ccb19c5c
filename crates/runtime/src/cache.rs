//! The cluster as this process sees it.
//!
//! One shared, pruned and packed copy of every kind somebody asked for, kept by one watch. Readers take `Arc`s; followers
//! take a [`Subscription`]; who looks at one field of every object again and again keeps an [`Extract`].
//!
//! Promises: an object that cannot be read is skipped, counted and named, and never stops the others; a relist reaches
//! followers as the difference it makes; a follower that falls far behind starts again from the whole content, so nothing
//! is lost and memory is bounded; lists are ordered by namespace and name; a new leader's picture is no older than its
//! leadership.

mod decode;
mod extract;
mod packed;
mod prune;
mod reflect;
mod rewound;
mod shared;
mod shelf;
mod subscription;

use std::collections::BTreeMap;
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use keelson_core::{Span, Timestamp};
use kube::Resource;
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::{Clock, watch};
pub(crate) use decode::Tolerant;
pub use extract::Extract;
pub(crate) use shared::Caches;
pub use shelf::Content;
pub use subscription::{Delta, Subscription};

/// A kind that can be cached.
pub trait Cached:
    Resource<DynamicType = ()> + DeserializeOwned + Clone + std::fmt::Debug + Send + Sync + 'static
{
}
impl<K> Cached for K where
    K: Resource<DynamicType = ()> + DeserializeOwned + Clone + std::fmt::Debug + Send + Sync + 'static
{
}

/// Counts how often everything was asked to be read anew.
pub(crate) type Round = u64;

/// Namespace (empty for cluster-scoped kinds) and name.
pub(crate) type Key = (String, String);

/// How a cache is doing.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct CacheHealth {
    /// `Pod`, `Deployment.apps`.
    pub kind: String,
    /// How many objects it holds.
    pub objects: usize,
    /// Whether it was read once, or is known to be absent.
    pub synced: bool,
    /// When something last changed.
    pub last_event: Option<Timestamp>,
    /// The objects that cannot be read, `namespace/name: why`, at most 20 of them.
    pub broken: Vec<String>,
    /// How many there are.
    pub undecodable: u64,
    /// Why it is behind, when it is.
    pub error: Option<String>,
    /// Whether the API server does not have this kind.
    pub unavailable: bool,
}

/// The shared copy of one kind; clones share it.
#[derive(Debug)]
pub struct Cache<K> {
    shared: Arc<Shared<K>>,
}

#[derive(Debug)]
pub(crate) struct Shared<K> {
    clock: Clock,
    inner: RwLock<Inner<K>>,
    /// The round in which the content was listed; none before it was.
    listed: watch::Sender<Option<Round>>,
    changes: watch::Sender<u64>,
}

#[derive(Debug)]
pub(crate) struct Inner<K> {
    objects: shelf::Shelf<K>,
    broken: BTreeMap<Key, String>,
    followers: subscription::Followers<K>,
    extracts: Vec<Box<dyn extract::Extracting<K>>>,
    last_event: Option<Timestamp>,
    behind: Option<(Timestamp, String)>,
    unavailable: bool,
}

impl<K> Clone for Cache<K> {
    fn clone(&self) -> Self {
        Self { shared: Arc::clone(&self.shared) }
    }
}

impl<K: Cached> Cache<K> {
    pub(crate) fn new(clock: Clock) -> Self {
        let inner = Inner {
            objects: shelf::Shelf::default(),
            broken: BTreeMap::new(),
            followers: subscription::Followers::default(),
            extracts: Vec::new(),
            last_event: None,
            behind: None,
            unavailable: false,
        };
        let (listed, changes) = (watch::channel(None).0, watch::channel(0).0);
        Self { shared: Arc::new(Shared { clock, inner: RwLock::new(inner), listed, changes }) }
    }

    /// One object. `namespace` is empty for cluster-scoped kinds.
    #[must_use]
    pub fn get(&self, namespace: &str, name: &str) -> Option<Arc<K>> {
        let key = (namespace.to_owned(), name.to_owned());
        let body = self.shared.read().objects.get(&key)?.body.clone();
        if let Some(object) = body.unpacked() {
            return Some(object);
        }
        let object = body.object()?;
        self.shared.write().objects.was_read(&key, &body, &object);
        Some(object)
    }

    /// Every object, by namespace and name; each takes some microseconds to unpack. For a look at all of them that is
    /// repeated there is [`Cache::extract`].
    #[must_use]
    pub fn list(&self) -> Content<K> {
        self.shared.read().objects.content()
    }

    /// Every object of a namespace, by name.
    #[must_use]
    pub fn list_in(&self, namespace: &str) -> Content<K> {
        self.shared.read().objects.within(namespace)
    }

    /// The namespace and name of every object, in this order.
    #[must_use]
    pub fn keys(&self) -> Vec<(String, String)> {
        self.shared.read().objects.keys().cloned().collect()
    }

    /// Follows it: first the whole content, once it was read, then every change.
    #[must_use]
    pub fn subscribe(&self) -> Subscription<K> {
        Subscription::new(&self.shared)
    }

    /// Returns when the content was read once, or is known to be absent.
    pub async fn synced(&self) {
        let mut listed = self.shared.listed.subscribe();
        // The sender lives as long as `self`.
        let _ = listed.wait_for(Option::is_some).await;
    }

    /// Whether the content was read once, or is known to be absent.
    #[must_use]
    pub fn is_synced(&self) -> bool {
        self.shared.listed.borrow().is_some()
    }

    /// Changes whenever something in the cache may have, objects that cannot be read included.
    #[must_use]
    pub fn changes(&self) -> watch::Receiver<u64> {
        self.shared.changes.subscribe()
    }

    /// Why an object cannot be read, when it cannot.
    #[must_use]
    pub fn broken(&self, namespace: &str, name: &str) -> Option<String> {
        self.shared.read().broken.get(&(namespace.to_owned(), name.to_owned())).cloned()
    }

    /// How long the content may have been behind: zero while the watch is healthy.
    #[must_use]
    pub fn age(&self) -> Span {
        let behind = self.shared.read().behind.as_ref().map(|(since, _)| *since);
        behind.map_or(Span::ZERO, |since| self.shared.clock.now().since(since))
    }

    /// Whether the API server has this kind, as far as is known.
    #[must_use]
    pub fn is_available(&self) -> bool {
        !self.shared.read().unavailable
    }
}

impl<K> Shared<K> {
    fn read(&self) -> RwLockReadGuard<'_, Inner<K>> {
        self.inner.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, Inner<K>> {
        self.inner.write().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A cache whose kind is not known here.
pub(crate) trait AnyCache: Send + Sync {
    fn health(&self) -> CacheHealth;
    /// The round in which its content was listed, now and whenever that changes.
    fn listed(&self) -> watch::Receiver<Option<Round>>;
    /// An object's annotations, if the cache holds the object.
    fn annotations(&self, namespace: &str, name: &str) -> Option<BTreeMap<String, String>>;
}

impl<K: Cached> AnyCache for Cache<K> {
    fn health(&self) -> CacheHealth {
        let inner = self.shared.read();
        let broken = inner.broken.iter().take(20).map(|((namespace, name), why)| match namespace.as_str() {
            "" => format!("{name}: {why}"),
            namespace => format!("{namespace}/{name}: {why}"),
        });
        CacheHealth {
            kind: keelson_core::GroupKind { group: K::group(&()).into_owned(), kind: K::kind(&()).into_owned() }
                .to_string(),
            objects: inner.objects.len(),
            synced: self.is_synced(),
            last_event: inner.last_event,
            broken: broken.collect(),
            undecodable: u64::try_from(inner.broken.len()).unwrap_or(u64::MAX),
            error: inner.behind.as_ref().map(|(_, error)| error.clone()),
            unavailable: inner.unavailable,
        }
    }

    fn listed(&self) -> watch::Receiver<Option<Round>> {
        self.shared.listed.subscribe()
    }

    fn annotations(&self, namespace: &str, name: &str) -> Option<BTreeMap<String, String>> {
        let key = (namespace.to_owned(), name.to_owned());
        let body = self.shared.read().objects.get(&key)?.body.clone();
        body.annotations()
    }
}
