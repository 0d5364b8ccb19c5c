//! The cluster as the components have seen it.
//!
//! One ordered copy of the objects that are followed, with the questions that controllers ask kept as indexes: who owns
//! what, which pods run on a node, which carry a label, how full a node is. Every change costs what it touches.
//!
//! Promises: iteration follows namespace and name; an older version never replaces a newer one, so a component may
//! enter the answer to its own write before the event arrives.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::tree::Value;
use keelson_core::Resources;
use keelson_core::selector::{LabelSelector, Operator};

use super::demand::{self, Demand};
use super::kinds::{EVENTS, LEASES, NODES, PODS};
use super::read::{Key, at, labels, list, text, uid};
use super::suits::NodeFacts;
use crate::objects::Resource;

/// How full a node is.
#[derive(Debug, Clone, Default)]
pub struct Load {
    /// Requests of the pods bound to it that are not finished.
    pub requested: Resources,
    /// Those pods' demands.
    pub pods: BTreeMap<Key, Demand>,
}

/// The objects that have something in common, by what that is; in the order of their names.
type Index<K, N> = BTreeMap<K, BTreeMap<N, Arc<Value>>>;

/// What is followed.
#[derive(Debug, Default)]
pub struct Seen {
    objects: BTreeMap<Resource, BTreeMap<Key, Arc<Value>>>,
    owned: Index<String, (Resource, Key)>,
    bound: Index<String, Key>,
    labelled: Index<(String, String, String), Key>,
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
        objects.into_iter().flatten().take_while(move |(key, _)| key.namespace == namespace)
    }

    /// The objects of a resource whose controller has a uid.
    #[must_use]
    pub fn owned(&self, owner: &str, resource: Resource) -> Vec<Arc<Value>> {
        let owned = self.owned.get(owner).into_iter().flatten();
        owned.filter(|((kind, _), _)| *kind == resource).map(|(_, object)| Arc::clone(object)).collect()
    }

    /// The pods bound to a node, finished ones too.
    #[must_use]
    pub fn bound(&self, node: &str) -> Vec<Arc<Value>> {
        self.bound.get(node).into_iter().flat_map(BTreeMap::values).cloned().collect()
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
        let pair = selector.match_labels.iter().map(|(key, value)| (key.clone(), value.clone())).next();
        let single = || {
            let exact = selector.match_expressions.iter().find(|wanted| wanted.op == Operator::In);
            exact.and_then(|wanted| match wanted.values.as_slice() {
                [value] => Some((wanted.key.clone(), value.clone())),
                _ => None,
            })
        };
        let pods: Vec<&Arc<Value>> = match pair.or_else(single) {
            Some((key, value)) => {
                let carriers = self.labelled.get(&(namespace.to_owned(), key, value));
                carriers.into_iter().flat_map(BTreeMap::values).collect()
            }
            None => self.within(PODS, namespace).map(|(_, pod)| pod).collect(),
        };
        pods.into_iter().filter(|pod| selector.matches(&labels(pod))).cloned().collect()
    }

    /// Enters an object as it is now, or as it last was.
    pub fn enter(&mut self, resource: Resource, object: &Arc<Value>, deleted: bool) {
        let key = Key::of(object);
        let known = self.get(resource, &key);
        if let Some(known) = &known {
            let replaced = uid(known) != uid(object);
            if deleted && replaced || !deleted && !replaced && version(known) > version(object) {
                return;
            }
            self.forget(resource, &key, known);
        }
        if !deleted {
            self.index(resource, &key, object);
            self.objects.entry(resource).or_default().insert(key, Arc::clone(object));
        }
    }

    fn index(&mut self, resource: Resource, key: &Key, object: &Arc<Value>) {
        for owner in list(object, "metadata.ownerReferences") {
            if at(owner, "controller").and_then(Value::as_bool) == Some(true) {
                let owned = self.owned.entry(text(owner, "uid").to_owned()).or_default();
                owned.insert((resource, key.clone()), Arc::clone(object));
            }
        }
        if resource == PODS {
            for (label, value) in labels(object) {
                let carriers = self.labelled.entry((key.namespace.clone(), label, value)).or_default();
                carriers.insert(key.clone(), Arc::clone(object));
            }
            let node = text(object, "spec.nodeName");
            if !node.is_empty() {
                self.bound.entry(node.to_owned()).or_default().insert(key.clone(), Arc::clone(object));
                if !demand::is_finished(object) {
                    let demand = demand::of_pod(object);
                    let load = self.loads.entry(node.to_owned()).or_default();
                    load.requested.add_assign(&demand.requests);
                    load.pods.insert(key.clone(), demand);
                }
            }
        } else if resource == NODES {
            self.facts.insert(key.name.clone(), NodeFacts::of(object));
        }
    }

    fn forget(&mut self, resource: Resource, key: &Key, object: &Value) {
        if let Some(objects) = self.objects.get_mut(&resource) {
            objects.remove(key);
        }
        for owner in list(object, "metadata.ownerReferences") {
            remove(&mut self.owned, &text(owner, "uid").to_owned(), &(resource, key.clone()));
        }
        if resource == PODS {
            for (label, value) in labels(object) {
                remove(&mut self.labelled, &(key.namespace.clone(), label, value), key);
            }
            let node = text(object, "spec.nodeName").to_owned();
            remove(&mut self.bound, &node, key);
            if let Some(load) = self.loads.get_mut(&node)
                && let Some(demand) = load.pods.remove(key)
            {
                load.requested = load.requested.saturating_sub(&demand.requests);
                if load.pods.is_empty() {
                    self.loads.remove(&node);
                }
            }
        } else if resource == NODES {
            self.facts.remove(&key.name);
        }
    }
}

fn remove<K: Ord, N: Ord>(index: &mut Index<K, N>, key: &K, name: &N) {
    if let Some(objects) = index.get_mut(key) {
        objects.remove(name);
        if objects.is_empty() {
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
