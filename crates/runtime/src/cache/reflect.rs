//! The watch that keeps a cache.

use std::collections::BTreeMap;
use std::pin::pin;
use std::sync::Arc;

use futures::StreamExt;
use keelson_core::Span;
use kube::runtime::watcher::{self, Event, watcher};
use kube::{Api, Client};
use tokio::sync::watch;

use super::decode::Tolerant;
use super::{Cache, Cached, Delta, Inner, Key, Round};
use crate::chance::Chance;
use crate::reach::Reach;

/// The first wait after a failure, and the longest (kube's watcher: 800 ms to 30 s).
const FIRST: Span = Span::millis(800);
const LONGEST: Span = Span::seconds(30);
/// How often an absent API is looked for again.
const ABSENT: Span = Span::seconds(60);

/// Where a cache reads from.
#[derive(Clone)]
pub(crate) struct Source {
    pub(crate) client: Client,
    pub(crate) chance: Chance,
    pub(crate) reach: Reach,
    /// Whether the API may be absent.
    pub(crate) optional: bool,
    /// In a new round everything is listed again.
    pub(crate) rounds: watch::Receiver<Round>,
}

/// Keeps the cache until it is dropped.
pub(crate) async fn reflect<K: Cached>(cache: Cache<K>, mut source: Source) {
    loop {
        let round = *source.rounds.borrow_and_update();
        let mut next = source.rounds.clone();
        let wait = tokio::select! {
            biased;
            Ok(()) = next.changed() => continue,
            wait = follow(&cache, &source, round) => wait,
        };
        tokio::select! {
            biased;
            Ok(()) = next.changed() => {}
            () = tokio::time::sleep(wait.to_std()) => {}
        }
    }
}

/// Follows one watch until the API turns out to be absent; returns how long to wait before looking again.
async fn follow<K: Cached>(cache: &Cache<K>, source: &Source, round: Round) -> Span {
    let api: Api<Tolerant<K>> = Api::all(source.client.clone());
    let mut events = pin!(watcher(api, watcher::Config::default()));
    let mut wait = FIRST;
    let mut fresh: Option<BTreeMap<Key, Tolerant<K>>> = None;
    while let Some(event) = events.next().await {
        match event {
            Ok(event) => {
                // It begins to list, and was not answered yet.
                if !matches!(event, Event::Init) {
                    source.reach.worked();
                }
                if take(cache, &mut fresh, event, round) {
                    wait = FIRST;
                }
            }
            Err(error) if source.optional && is_absent(&error) => {
                cache.absent(round);
                return ABSENT;
            }
            Err(error) => {
                source.reach.told(&error);
                cache.behind(&error.to_string());
                tokio::time::sleep(source.chance.jitter(wait).to_std()).await;
                wait = Span(wait.0.saturating_mul(2)).min(LONGEST);
            }
        }
    }
    FIRST
}

/// Takes one event; says whether the watch is healthy again.
fn take<K: Cached>(
    cache: &Cache<K>,
    fresh: &mut Option<BTreeMap<Key, Tolerant<K>>>,
    event: Event<Tolerant<K>>,
    round: Round,
) -> bool {
    match event {
        Event::Init => {
            *fresh = Some(BTreeMap::new());
            false
        }
        Event::InitApply(object) => {
            fresh.get_or_insert_default().insert(key(&object), object);
            false
        }
        Event::InitDone => {
            cache.replaced(fresh.take().unwrap_or_default(), round);
            true
        }
        Event::Apply(object) => {
            cache.changed(|inner| inner.apply(object));
            true
        }
        Event::Delete(object) => {
            cache.changed(|inner| inner.delete(&key(&object)));
            true
        }
    }
}

fn is_absent(error: &watcher::Error) -> bool {
    match error {
        watcher::Error::InitialListFailed(kube::Error::Api(status))
        | watcher::Error::WatchStartFailed(kube::Error::Api(status)) => status.code == 404,
        _ => false,
    }
}

fn key<K>(object: &Tolerant<K>) -> Key {
    (object.meta.namespace.clone().unwrap_or_default(), object.meta.name.clone().unwrap_or_default())
}

impl<K: Cached> Cache<K> {
    /// A whole new content: followers are told the difference.
    fn replaced(&self, fresh: BTreeMap<Key, Tolerant<K>>, round: Round) {
        self.changed(|inner| {
            let gone: Vec<Key> = inner
                .objects
                .keys()
                .chain(inner.broken.keys())
                .filter(|key| !fresh.contains_key(*key))
                .cloned()
                .collect();
            gone.iter().for_each(|key| inner.delete(key));
            fresh.into_values().for_each(|object| inner.apply(object));
        });
        self.listed_in(round);
    }

    /// The API server does not have this kind: the content is empty, and known to be.
    fn absent(&self, round: Round) {
        self.changed(|inner| {
            let gone: Vec<Key> = inner.objects.keys().chain(inner.broken.keys()).cloned().collect();
            gone.iter().for_each(|key| inner.delete(key));
            inner.unavailable = true;
        });
        self.listed_in(round);
    }

    fn behind(&self, error: &str) {
        let now = self.shared.clock.now();
        let mut inner = self.shared.write();
        let since = inner.behind.as_ref().map_or(now, |(since, _)| *since);
        inner.behind = Some((since, error.to_owned()));
    }

    fn changed(&self, change: impl FnOnce(&mut Inner<K>)) {
        let now = self.shared.clock.now();
        let mut inner = self.shared.write();
        inner.last_event = Some(now);
        inner.behind = None;
        inner.unavailable = false;
        change(&mut inner);
        drop(inner);
        self.shared.changes.send_modify(|count| *count += 1);
    }

    fn listed_in(&self, round: Round) {
        self.shared.listed.send_replace(Some(round));
        self.shared.read().followers.wake();
        self.shared.changes.send_modify(|count| *count += 1);
    }
}

impl<K: Cached> Inner<K> {
    fn apply(&mut self, object: Tolerant<K>) {
        let key = key(&object);
        match object.object {
            Ok(object_read) => {
                self.broken.remove(&key);
                let before = self.objects.get(&key);
                // A relist and a resumed watch may show the same version twice.
                if before.is_some_and(|before| same_version(&**before, &*object_read)) {
                    return;
                }
                self.objects.insert(key, Arc::clone(&object_read));
                self.followers.tell(&Delta::Applied(object_read));
            }
            Err(why) => {
                tracing::warn!(
                    kind = &*K::kind(&()),
                    namespace = key.0,
                    name = key.1,
                    "skipped, cannot be read: {why}"
                );
                // What was last read stays: forgetting a running pod would give its room away. A namesake does not.
                if self.objects.get(&key).is_some_and(|before| before.meta().uid != object.meta.uid) {
                    self.delete(&key);
                }
                self.broken.insert(key, why);
            }
        }
    }

    fn delete(&mut self, key: &Key) {
        self.broken.remove(key);
        if let Some(object) = self.objects.remove(key) {
            self.followers.tell(&Delta::Deleted(object));
        }
    }
}

fn same_version<K: Cached>(a: &K, b: &K) -> bool {
    let (a, b) = (a.meta(), b.meta());
    a.resource_version.is_some() && a.resource_version == b.resource_version && a.uid == b.uid
}
