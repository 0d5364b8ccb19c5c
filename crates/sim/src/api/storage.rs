//! Where the objects lie, and what happened to them.
//!
//! One counter numbers every change. Each resource keeps its objects in order of namespace and name and its last changes
//! in order of number; a list at an earlier number is today's list with the later changes undone.
//!
//! Promises: numbers only grow; a stored version never changes; the JSON of a version is written once.

use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    sync::{Arc, OnceLock},
};

use bytes::Bytes;
use serde::Serializer as _;

use super::json::Json;
use crate::objects::{Event, Resource};
use crate::tree::{Text, Value};

/// Namespace (empty for cluster scope) and name.
pub(crate) type Key = (Text, Text);

/// One version of one object.
#[derive(Debug)]
pub(crate) struct Object {
    pub value: Arc<Value>,
    pub rv: u64,
    key: Key,
    json: OnceLock<Bytes>,
    untyped: OnceLock<Bytes>,
}

impl Object {
    fn new(value: Value, rv: u64) -> Arc<Self> {
        let part = |field: &str| value.at(&["metadata", field]).as_text().cloned().unwrap_or_default();
        let key = (part("namespace"), part("name"));
        Arc::new(Self { value: Arc::new(value), rv, key, json: OnceLock::new(), untyped: OnceLock::new() })
    }

    /// Its JSON, written on first use.
    pub fn json(&self) -> &Bytes {
        self.json.get_or_init(|| Bytes::from(self.value.to_string()))
    }

    /// The same without `apiVersion` and `kind`, as an item of a list.
    pub fn untyped_json(&self) -> &Bytes {
        self.untyped.get_or_init(|| {
            let own = |(name, _): &(&Text, &Value)| !matches!(name.as_str(), "apiVersion" | "kind");
            let mut out = Vec::new();
            let written = serde_json::Serializer::new(&mut out).collect_map(self.value.entries(&[]).filter(own));
            // A vector takes everything.
            debug_assert!(written.is_ok());
            out.into()
        })
    }

    pub const fn key(&self) -> &Key {
        &self.key
    }

    pub fn uid(&self) -> &str {
        self.value.text(&["metadata", "uid"])
    }

    pub fn deleting(&self) -> bool {
        !self.value.at(&["metadata", "deletionTimestamp"]).is_null()
    }
}

/// One change.
#[derive(Debug, Clone)]
pub(crate) struct Change {
    pub rv: u64,
    pub object: Arc<Object>,
    pub before: Option<Arc<Object>>,
    pub deleted: bool,
}

#[derive(Debug, Clone, Default)]
struct Shelf {
    /// By namespace and name.
    objects: BTreeMap<Text, BTreeMap<Text, Arc<Object>>>,
    changes: VecDeque<Change>,
    /// Changes up to this number are forgotten.
    compacted: u64,
}

impl Shelf {
    fn find(&self, namespace: &str, name: &str) -> Option<&Arc<Object>> {
        self.objects.get(namespace)?.get(name)
    }

    fn insert(&mut self, object: &Arc<Object>) -> Option<Arc<Object>> {
        let (namespace, name) = object.key().clone();
        self.objects.entry(namespace).or_default().insert(name, Arc::clone(object))
    }

    fn remove(&mut self, (namespace, name): &Key) -> Option<Arc<Object>> {
        let here = self.objects.get_mut(namespace)?;
        let gone = here.remove(name);
        if here.is_empty() {
            self.objects.remove(namespace);
        }
        gone
    }

    /// In order of namespace and name; of one namespace when it is not empty.
    fn list(&self, namespace: &str) -> impl Iterator<Item = &Arc<Object>> {
        let (one, every) = match namespace {
            "" => (None, Some(self.objects.values())),
            namespace => (self.objects.get(namespace), None),
        };
        one.into_iter().chain(every.into_iter().flatten()).flat_map(BTreeMap::values)
    }
}

/// Everything that is stored.
#[derive(Debug, Clone)]
pub(crate) struct Storage {
    shelves: BTreeMap<Resource, Shelf>,
    rv: u64,
    history: usize,
    /// Owner uid to the objects that name it.
    dependents: BTreeMap<String, BTreeSet<(Resource, Key)>>,
    /// Where the object of a uid lies.
    places: BTreeMap<Text, (Resource, Key)>,
    /// Changes nobody has drained; none until somebody first asks.
    feed: Option<Vec<Event>>,
}

impl Storage {
    pub fn new(history: usize) -> Self {
        Self {
            shelves: BTreeMap::new(),
            rv: 0,
            history,
            dependents: BTreeMap::new(),
            places: BTreeMap::new(),
            feed: None,
        }
    }

    pub const fn rv(&self) -> u64 {
        self.rv
    }

    pub fn get(&self, resource: Resource, (namespace, name): &Key) -> Option<&Arc<Object>> {
        self.find(resource, namespace, name)
    }

    pub fn find(&self, resource: Resource, namespace: &str, name: &str) -> Option<&Arc<Object>> {
        self.shelves.get(&resource)?.find(namespace, name)
    }

    /// The objects of a resource, by namespace and name; of one namespace when it is not empty.
    pub fn list(&self, resource: Resource, namespace: &str) -> impl Iterator<Item = &Arc<Object>> {
        self.shelves.get(&resource).into_iter().flat_map(move |shelf| shelf.list(namespace))
    }

    pub fn resources(&self) -> impl Iterator<Item = Resource> + '_ {
        self.shelves.keys().copied()
    }

    /// Where the object of this uid lies.
    pub fn place(&self, uid: &str) -> Option<&(Resource, Key)> {
        self.places.get(uid)
    }

    pub fn dependents(&self, uid: &str) -> Vec<(Resource, Key)> {
        self.dependents.get(uid).into_iter().flatten().cloned().collect()
    }

    /// Changes of a resource after a number; none when they are forgotten.
    pub fn changes_since(&self, resource: Resource, rv: u64) -> Option<impl Iterator<Item = &Change>> {
        static NOTHING: VecDeque<Change> = VecDeque::new();
        let (changes, compacted) =
            self.shelves.get(&resource).map_or((&NOTHING, 0), |shelf| (&shelf.changes, shelf.compacted));
        if rv < compacted {
            return None;
        }
        let start = changes.partition_point(|change| change.rv <= rv);
        Some(changes.range(start..))
    }

    /// The objects as they were at a number, in order; none when that is forgotten.
    pub fn list_at(&self, resource: Resource, namespace: &str, rv: u64) -> Option<Vec<&Arc<Object>>> {
        // Of several changes of an object the first since then says what it was.
        let mut changed: BTreeMap<&Key, Option<&Arc<Object>>> = BTreeMap::new();
        for change in self.changes_since(resource, rv)? {
            let key = change.object.key();
            if namespace.is_empty() || key.0 == *namespace {
                changed.entry(key).or_insert(change.before.as_ref());
            }
        }
        let unchanged = self.list(resource, namespace).filter(|object| !changed.contains_key(object.key()));
        let mut objects: Vec<&Arc<Object>> = unchanged.collect();
        objects.extend(changed.values().flatten());
        objects.sort_by_key(|object| object.key());
        Some(objects)
    }

    /// Stores a new version and numbers it.
    pub fn put(&mut self, resource: Resource, mut value: Value) -> Arc<Object> {
        self.rv += 1;
        value.put(&["metadata", "resourceVersion"], self.rv.to_string());
        let object = Object::new(value, self.rv);
        let before = self.shelves.entry(resource).or_default().insert(&object);
        self.record(resource, Arc::clone(&object), before, false);
        object
    }

    /// Takes an object away; the last version carries the number of its deletion, as watchers expect.
    pub fn remove(&mut self, resource: Resource, key: &Key) -> Option<Arc<Object>> {
        let before = self.shelves.get_mut(&resource)?.remove(key)?;
        self.rv += 1;
        let mut value = (*before.value).clone();
        value.put(&["metadata", "resourceVersion"], self.rv.to_string());
        let object = Object::new(value, self.rv);
        self.record(resource, Arc::clone(&object), Some(before), true);
        Some(object)
    }

    fn record(&mut self, resource: Resource, object: Arc<Object>, before: Option<Arc<Object>>, deleted: bool) {
        self.index(resource, &object, before.as_deref(), deleted);
        if let Some(feed) = &mut self.feed {
            feed.push(Event {
                resource,
                object: Arc::clone(&object.value),
                before: before.as_ref().map(|before| Arc::clone(&before.value)),
                deleted,
            });
        }
        let shelf = self.shelves.entry(resource).or_default();
        shelf.changes.push_back(Change { rv: self.rv, object, before, deleted });
        if shelf.changes.len() > self.history
            && let Some(oldest) = shelf.changes.pop_front()
        {
            shelf.compacted = oldest.rv;
        }
    }

    fn index(&mut self, resource: Resource, object: &Object, before: Option<&Object>, deleted: bool) {
        let key = object.key();
        if deleted {
            self.places.remove(object.uid());
        } else if before.is_none() {
            let uid = object.value.at(&["metadata", "uid"]).as_text().cloned().unwrap_or_default();
            self.places.insert(uid, (resource, key.clone()));
        }
        let named = |object: &Object| object.value.at(&["metadata", "ownerReferences"]).clone();
        if !deleted && before.map(named).unwrap_or_default() == named(object) {
            return;
        }
        let owners = |object: &Object| -> BTreeSet<String> {
            let refs = object.value.items(&["metadata", "ownerReferences"]);
            refs.iter().map(|owner| owner.text(&["uid"]).to_owned()).collect()
        };
        let old = before.map(owners).unwrap_or_default();
        let new = if deleted { BTreeSet::new() } else { owners(object) };
        for uid in old.difference(&new) {
            if let Some(set) = self.dependents.get_mut(uid) {
                set.remove(&(resource, key.clone()));
                if set.is_empty() {
                    self.dependents.remove(uid);
                }
            }
        }
        for uid in new.difference(&old) {
            self.dependents.entry(uid.clone()).or_default().insert((resource, key.clone()));
        }
    }

    /// Forgets all changes so far: watches from before must list again.
    pub fn compact(&mut self) {
        for shelf in self.shelves.values_mut() {
            shelf.changes.clear();
            shelf.compacted = self.rv;
        }
    }

    /// Every change since last asked; the first time, everything that exists as if just made.
    pub fn drain(&mut self) -> Vec<Event> {
        match self.feed.replace(Vec::new()) {
            Some(events) => events,
            None => {
                let mut all: Vec<(u64, Event)> = Vec::new();
                for (&resource, shelf) in &self.shelves {
                    for object in shelf.list("") {
                        let value = Arc::clone(&object.value);
                        all.push((object.rv, Event { resource, object: value, before: None, deleted: false }));
                    }
                }
                all.sort_by_key(|(rv, _)| *rv);
                all.into_iter().map(|(_, event)| event).collect()
            }
        }
    }
}

impl Object {
    /// A version that is answered but not stored: a dry run.
    pub fn unsaved(value: Value) -> Arc<Self> {
        let rv = value.text(&["metadata", "resourceVersion"]).parse().unwrap_or(0);
        Self::new(value, rv)
    }

    /// The same version under another number.
    pub fn renumbered(&self, rv: u64) -> Arc<Self> {
        let mut value = (*self.value).clone();
        value.put(&["metadata", "resourceVersion"], rv.to_string());
        Self::new(value, rv)
    }
}
