//! The cluster as the components have seen it.
//!
//! One ordered copy of the objects that are followed, with the questions that controllers ask kept as indexes: who owns
//! what, which pods run on a node, which carry a label, how full a node is. Every change costs what it touches.
//!
//! Promises: iteration follows namespace and name; an older version never replaces a newer one, so a component may
//! enter the answer to its own write before the event arrives.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use keelson_core::Resources;
use keelson_core::selector::{LabelSelector, Operator};

use super::demand::{self, Demand};
use super::kinds::{EVENTS, LEASES, NODES, PODS};
use super::read::{Key, at, labels, list, text, uid};
use super::resize;
use super::suits::NodeFacts;
use crate::objects::Resource;
use crate::tree::{Text, Value};

/// How full a node is.
#[derive(Debug, Clone, Default)]
pub struct Load {
    /// Requests of the pods bound to it that are not finished.
    pub requested: Resources,
    /// Those pods' demands.
    pub pods: BTreeMap<Key, Demand>,
}

/// What has something in common, by what that is; in the order of their names.
type Index<K, N> = BTreeMap<K, BTreeSet<N>>;

/// What is followed.
#[derive(Debug, Default)]
pub struct Seen {
    objects: BTreeMap<Resource, BTreeMap<Key, Arc<Value>>>,
    owned: Index<Text, (Resource, Key)>,
    bound: Index<Text, Key>,
    labelled: Index<(Text, Text, Text), Key>,
    /// Pods that wait for room to grow, by node.
    waiting: Index<Text, Key>,
    /// How many pods of a node have an address.
    addresses: BTreeMap<Text, BTreeMap<Text, usize>>,
    loads: BTreeMap<String, Load>,
    facts: BTreeMap<String, NodeFacts>,
}

/// Whether objects of a resource are followed at all. Events and leases are many, and nobody here acts on them.
#[must_use]
pub fn is_followed(resource: Resource) -> bool {
    resource != EVENTS && resource != LEASES
}

impl Seen {
    /// One object.
    #[must_use]
    pub fn get(&self, resource: Resource, key: &Key) -> Option<Arc<Value>> {
        self.objects.get(&resource)?.get(key).cloned()
    }

    /// Every object of a resource.
    pub fn all(&self, resource: Resource) -> impl Iterator<Item = (&Key, &Arc<Value>)> {
        self.objects.get(&resource).into_iter().flatten()
    }

    /// Every object of a resource in a namespace.
    pub fn within<'a>(
        &'a self,
        resource: Resource,
        namespace: &'a str,
    ) -> impl Iterator<Item = (&'a Key, &'a Arc<Value>)> {
        let from = Key::new(namespace, "");
        let objects = self.objects.get(&resource).map(|objects| objects.range(from..));
        objects.into_iter().flatten().take_while(move |(key, _)| *key.namespace == *namespace)
    }

    /// The objects of a resource whose controller has a uid.
    #[must_use]
    pub fn owned(&self, owner: &str, resource: Resource) -> Vec<Arc<Value>> {
        let owned = self.owned.get(owner).into_iter().flatten();
        owned.filter(|(kind, _)| *kind == resource).filter_map(|(_, key)| self.get(resource, key)).collect()
    }

    /// The pods bound to a node, finished ones too.
    #[must_use]
    pub fn bound(&self, node: &str) -> Vec<Arc<Value>> {
        self.bound.get(node).into_iter().flatten().filter_map(|key| self.get(PODS, key)).collect()
    }

    /// Whether a pod of a node has an address.
    #[must_use]
    pub fn has_address(&self, node: &str, address: &str) -> bool {
        self.addresses.get(node).is_some_and(|taken| taken.contains_key(address))
    }

    /// The pods of a node that wait for room to grow.
    #[must_use]
    pub fn waiting(&self, node: &str) -> Vec<Key> {
        self.waiting.get(node).into_iter().flatten().cloned().collect()
    }

    /// How full a node is.
    #[must_use]
    pub fn load(&self, node: &str) -> Option<&Load> {
        self.loads.get(node)
    }

    /// What placing needs to know of every node.
    #[must_use]
    pub fn nodes(&self) -> &BTreeMap<String, NodeFacts> {
        &self.facts
    }

    /// The pods of a namespace that a selector selects.
    #[must_use]
    pub fn selected(&self, namespace: &str, selector: &LabelSelector) -> Vec<Arc<Value>> {
        let pair = selector.match_labels.iter().map(|(key, value)| (key.as_str(), value.as_str())).next();
        let single = || {
            let exact = selector.match_expressions.iter().find(|wanted| wanted.op == Operator::In);
            exact.and_then(|wanted| match wanted.values.as_slice() {
                [value] => Some((wanted.key.as_str(), value.as_str())),
                _ => None,
            })
        };
        let pods: Vec<Arc<Value>> = match pair.or_else(single) {
            Some((key, value)) => {
                let carriers = self.labelled.get(&(namespace.into(), key.into(), value.into()));
                carriers.into_iter().flatten().filter_map(|key| self.get(PODS, key)).collect()
            }
            None => self.within(PODS, namespace).map(|(_, pod)| Arc::clone(pod)).collect(),
        };
        pods.into_iter().filter(|pod| selector.matches(&labels(pod))).collect()
    }

    /// Enters an object as it is now, or as it last was.
    pub fn enter(&mut self, resource: Resource, object: &Arc<Value>, deleted: bool) {
        let key = Key::of(object);
        let known = self.get(resource, &key);
        if let Some(known) = &known {
            if !deleted && Arc::ptr_eq(known, object) {
                return;
            }
            let replaced = uid(known) != uid(object);
            if deleted && replaced || !deleted && !replaced && version(known) > version(object) {
                return;
            }
        }
        match &known {
            Some(known) if !deleted && finds(resource, known) == finds(resource, object) => {
                if resource == PODS && takes(known) != takes(object) {
                    self.unload(&key, known);
                    self.load_on(&key, object);
                }
            }
            known => {
                if let Some(known) = known {
                    self.forget(resource, &key, known);
                }
                if !deleted {
                    self.index(resource, &key, object);
                }
            }
        }
        let objects = self.objects.entry(resource).or_default();
        if deleted {
            objects.remove(&key);
        } else {
            objects.insert(key, Arc::clone(object));
        }
    }

    fn index(&mut self, resource: Resource, key: &Key, object: &Value) {
        for owner in list(object, "metadata.ownerReferences") {
            if at(owner, "controller").and_then(Value::as_bool) == Some(true) {
                self.owned.entry(held(owner, "uid")).or_default().insert((resource, key.clone()));
            }
        }
        if resource == PODS {
            for place in carried(key, object) {
                self.labelled.entry(place).or_default().insert(key.clone());
            }
            let node = held(object, "spec.nodeName");
            if !node.is_empty() {
                if resize::waits(object) {
                    self.waiting.entry(node.clone()).or_default().insert(key.clone());
                }
                *self.addresses.entry(node.clone()).or_default().entry(held(object, "status.podIP")).or_default() += 1;
                self.bound.entry(node).or_default().insert(key.clone());
            }
            self.load_on(key, object);
        } else if resource == NODES {
            self.facts.insert(key.name.to_string(), NodeFacts::of(object));
        }
    }

    fn forget(&mut self, resource: Resource, key: &Key, object: &Value) {
        for owner in list(object, "metadata.ownerReferences") {
            remove(&mut self.owned, &held(owner, "uid"), &(resource, key.clone()));
        }
        if resource == PODS {
            for place in carried(key, object) {
                remove(&mut self.labelled, &place, key);
            }
            let node = held(object, "spec.nodeName");
            remove(&mut self.bound, &node, key);
            remove(&mut self.waiting, &node, key);
            self.release(&node, text(object, "status.podIP"));
            self.unload(key, object);
        } else if resource == NODES {
            self.facts.remove(&*key.name);
        }
    }

    fn release(&mut self, node: &str, address: &str) {
        let Some(taken) = self.addresses.get_mut(node) else { return };
        if let Some(pods) = taken.get_mut(address) {
            *pods -= 1;
            if *pods == 0 {
                taken.remove(address);
            }
        }
        if taken.is_empty() {
            self.addresses.remove(node);
        }
    }

    /// Counts a pod on its node.
    fn load_on(&mut self, key: &Key, pod: &Value) {
        let node = text(pod, "spec.nodeName");
        if !node.is_empty() && !demand::is_finished(pod) {
            let demand = demand::of_pod(pod);
            let load = self.loads.entry(node.to_owned()).or_default();
            load.requested.add_assign(&demand.requests);
            load.pods.insert(key.clone(), demand);
        }
    }

    fn unload(&mut self, key: &Key, pod: &Value) {
        let node = text(pod, "spec.nodeName");
        if let Some(load) = self.loads.get_mut(node)
            && let Some(demand) = load.pods.remove(key)
        {
            load.requested = load.requested.saturating_sub(&demand.requests);
            if load.pods.is_empty() {
                self.loads.remove(node);
            }
        }
    }
}

/// What an object is found by beside its name. Of a node, everything.
fn finds(resource: Resource, object: &Value) -> [Option<&Value>; 5] {
    let owners = at(object, "metadata.ownerReferences");
    match resource {
        PODS => {
            let waits = resize::waits(object).then_some(&Value::Null);
            [owners, at(object, "metadata.labels"), at(object, "spec.nodeName"), at(object, "status.podIP"), waits]
        }
        NODES => [Some(object), None, None, None, None],
        _ => [owners, None, None, None, None],
    }
}

/// What of a pod decides what it takes of its node.
fn takes(pod: &Value) -> (bool, [Option<&Value>; 4]) {
    let parts = ["spec", "status.startTime", "status.containerStatuses", "status.initContainerStatuses"];
    (demand::is_finished(pod), parts.map(|part| at(pod, part)))
}

/// Where a pod is found by its labels.
fn carried(key: &Key, pod: &Value) -> impl Iterator<Item = (Text, Text, Text)> {
    let labels = at(pod, "metadata.labels").and_then(Value::as_object).into_iter().flatten();
    labels.filter_map(|(label, value)| Some((key.namespace.clone(), label.clone(), value.as_text()?.clone())))
}

/// The text at a path, to be kept.
fn held(object: &Value, path: &str) -> Text {
    at(object, path).and_then(Value::as_text).cloned().unwrap_or_default()
}

fn remove<K: Ord, N: Ord>(index: &mut Index<K, N>, key: &K, name: &N) {
    if let Some(names) = index.get_mut(key) {
        names.remove(name);
        if names.is_empty() {
            index.remove(key);
        }
    }
}

fn version(object: &Value) -> u64 {
    text(object, "metadata.resourceVersion").parse().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::indexing_slicing)]
    use crate::tree::json;
    use keelson_core::ResourceName;

    use super::*;

    fn pod(version: u32, node: &str, phase: &str) -> Arc<Value> {
        Arc::new(json!({
            "metadata": {"namespace": "a", "name": "x", "uid": "1", "resourceVersion": version.to_string(),
                "labels": {"app": "shop"}},
            "spec": {"nodeName": node, "containers": [{"name": "c", "resources": {"requests": {"cpu": "1"}}}]},
            "status": {"phase": phase},
        }))
    }

    #[test]
    fn a_load_is_what_is_bound_and_unfinished() {
        let mut seen = Seen::default();
        seen.enter(PODS, &pod(1, "", "Pending"), false);
        assert!(seen.load("n").is_none());
        seen.enter(PODS, &pod(2, "n", "Pending"), false);
        assert_eq!(seen.load("n").unwrap().requested.get(&ResourceName::Cpu), 1_000);
        seen.enter(PODS, &pod(1, "", "Pending"), false);
        assert_eq!(seen.bound("n").len(), 1, "an older version changes nothing");
        seen.enter(PODS, &pod(3, "n", "Succeeded"), false);
        assert!(seen.load("n").is_none());
        assert_eq!(seen.bound("n").len(), 1);
        seen.enter(PODS, &pod(3, "n", "Succeeded"), true);
        assert!(seen.bound("n").is_empty() && seen.labelled.is_empty());
    }

    #[test]
    fn a_selector_finds_its_pods() {
        let mut seen = Seen::default();
        seen.enter(PODS, &pod(1, "", "Pending"), false);
        let selector = |label: &str| LabelSelector {
            match_labels: [("app".to_owned(), label.to_owned())].into(),
            ..LabelSelector::default()
        };
        assert_eq!(seen.selected("a", &selector("shop")).len(), 1);
        assert!(seen.selected("b", &selector("shop")).is_empty());
        assert!(seen.selected("a", &selector("cart")).is_empty());
        assert_eq!(seen.selected("a", &LabelSelector::default()).len(), 1);
    }
}
