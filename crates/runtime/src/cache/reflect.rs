//! The watch that keeps a cache.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::pin::pin;

use futures::StreamExt;
use keelson_core::Span;
use kube::runtime::watcher::{self, Event, watcher};
use kube::{Api, Client};

use super::decode::{Tolerant, read};
use super::packed::Packed;
use super::shelf::Stamp;
use super::{Cache, Cached, Delta, Inner, Key, Round};
use crate::chance::Chance;
use crate::reach::Reach;
use crate::watch;

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
    let mut fresh: Option<BTreeMap<Key, Fresh>> = None;
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
    fresh: &mut Option<BTreeMap<Key, Fresh>>,
    event: Event<Tolerant<K>>,
    round: Round,
) -> bool {
    match event {
        Event::Init => {
            *fresh = Some(BTreeMap::new());
            false
        }
        Event::InitApply(object) => {
            fresh.get_or_insert_default().insert(object.key(), Fresh::of(&object));
            false
        }
        Event::InitDone => {
            cache.replaced(fresh.take().unwrap_or_default(), round);
            true
        }
        Event::Apply(object) => {
            cache.changed(|inner| inner.apply(object.key(), Fresh::of(&object), Some(object.json())));
            true
        }
        Event::Delete(object) => {
            cache.changed(|inner| inner.delete(&object.key()));
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

/// An object that was sent, before anybody read it.
struct Fresh {
    stamp: Stamp,
    packed: Packed,
}

impl Fresh {
    fn of<K>(object: &Tolerant<K>) -> Self {
        Self { stamp: object.stamp(), packed: Packed::new(object.json()) }
    }
}

impl<K: Cached> Cache<K> {
    /// A whole new content: followers are told the difference.
    fn replaced(&self, fresh: BTreeMap<Key, Fresh>, round: Round) {
        self.changed(|inner| {
            let gone: Vec<Key> = inner
                .objects
                .keys()
                .chain(inner.broken.keys())
                .filter(|key| !fresh.contains_key(*key))
                .cloned()
                .collect();
            gone.iter().for_each(|key| inner.delete(key));
            fresh.into_iter().for_each(|(key, object)| inner.apply(key, object, None));
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
    /// Takes an object in; `json` is its text, for those who have it at hand.
    fn apply(&mut self, key: Key, object: Fresh, json: Option<&str>) {
        let before = self.objects.get(&key).map(|slot| &slot.stamp);
        // A relist and a resumed watch may show the same version twice.
        if !object.stamp.version.is_empty() && before == Some(&object.stamp) {
            self.broken.remove(&key);
            return;
        }
        let json = json.map(Cow::Borrowed).or_else(|| object.packed.json().map(Cow::Owned)).unwrap_or_default();
        match read::<K>(&json) {
            Ok(read) => {
                self.broken.remove(&key);
                self.extracts.iter().for_each(|extract| extract.put(&key, &read));
                self.objects.put(key, object.stamp, object.packed);
                self.followers.tell(&Delta::Applied(read));
            }
            Err(why) => {
                tracing::warn!(
                    kind = &*K::kind(&()),
                    namespace = key.0,
                    name = key.1,
                    "skipped, cannot be read: {why}"
                );
                // What was last read stays: forgetting a running pod would give its room away. A namesake does not.
                if before.is_some_and(|before| before.uid != object.stamp.uid) {
                    self.delete(&key);
                }
                self.broken.insert(key, why);
            }
        }
    }

    fn delete(&mut self, key: &Key) {
        self.broken.remove(key);
        let Some(slot) = self.objects.remove(key) else { return };
        self.extracts.iter().for_each(|extract| extract.remove(key));
        if !self.followers.is_empty()
            && let Some(object) = slot.body.object()
        {
            self.followers.tell(&Delta::Deleted(object));
        }
    }
}
