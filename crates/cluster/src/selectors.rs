//! Which pods are of one kind, as Services and workloads say.
//!
//! A pod that says nothing about spreading is spread with the pods of its Services and of the workload that made it. Of those
//! only the selectors are kept, by namespace, so that a view shares all namespaces but the one that changes.
//!
//! Promise: the selector is the one that kube-scheduler 1.36 makes (`DefaultSelector`): the labels of all Services that select
//! the pod together, and what its owner selects; `O(Services of the namespace)`.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use keelson_core::selector::{LabelSelector, Operator, Requirement};
use keelson_placement::Labels;

use crate::read::{Owner, ReadPod, ReadSelecting, Selecting};

/// Selectors by namespace.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Selectors(HashMap<String, Arc<Within>>);

/// Selectors of one namespace, by kind and name.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Within(BTreeMap<(Selecting, String), LabelSelector>);

impl Selectors {
    /// Takes one in; whether that changes anything.
    pub(crate) fn put(&mut self, read: ReadSelecting) -> bool {
        let ReadSelecting { kind, namespace, name, selector } = read;
        // An empty one adds nothing to any other.
        let Some(selector) = selector.filter(|selector| !selector.is_empty()) else {
            return self.remove(kind, &namespace, &name);
        };
        let key = (kind, name);
        if self.0.get(&namespace).is_some_and(|within| within.0.get(&key) == Some(&selector)) {
            return false;
        }
        Arc::make_mut(self.0.entry(namespace).or_default()).0.insert(key, selector);
        true
    }

    /// Forgets one; whether that changes anything.
    pub(crate) fn remove(&mut self, kind: Selecting, namespace: &str, name: &str) -> bool {
        let key = (kind, name.to_owned());
        let Some(within) = self.0.get_mut(namespace).filter(|within| within.0.contains_key(&key)) else { return false };
        Arc::make_mut(within).0.remove(&key);
        if within.0.is_empty() {
            self.0.remove(namespace);
        }
        true
    }

    /// Every one of a kind that selects somebody, as namespace and name, in no order.
    pub fn keys(&self, kind: Selecting) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().flat_map(move |(namespace, within)| {
            let of_kind = within.0.keys().filter(move |(known, _)| *known == kind);
            of_kind.map(move |(_, name)| (namespace.as_str(), name.as_str()))
        })
    }

    /// Which pods are of one kind with a pod of these labels and this owner; none when nobody selects it.
    #[must_use]
    pub fn of(&self, namespace: &str, labels: &Labels, owner: Option<&Owner>) -> Option<LabelSelector> {
        let within = &self.0.get(namespace)?.0;
        let mut selector = LabelSelector::default();
        for ((_, _), service) in
            within.range((Selecting::Service, String::new())..(Selecting::ReplicationController, String::new()))
        {
            if service.matches(labels) {
                selector.match_labels.extend(service.match_labels.clone());
            }
        }
        if let Some(owner) = owner
            && let Some(theirs) = within.get(&(owner.kind, owner.name.clone()))
        {
            add(&mut selector, theirs, owner.kind);
        }
        Some(selector).filter(|selector| !selector.is_empty())
    }

    /// A pod, spread by default when nothing else is said about it.
    #[must_use]
    pub fn spread(&self, mut read: ReadPod) -> ReadPod {
        if read.pod.spread.is_empty()
            && let Some(selector) = self.of(&read.pod.namespace, &read.pod.labels, read.owner.as_ref())
        {
            read.pod = read.pod.spreading_like(&selector);
        }
        read
    }
}

/// Both at once. The labels of a ReplicationController stand for those of the Services that differ; what other owners ask is
/// asked besides.
fn add(selector: &mut LabelSelector, theirs: &LabelSelector, kind: Selecting) {
    for (key, value) in &theirs.match_labels {
        let known = selector.match_labels.get(key).filter(|known| *known != value);
        if known.is_some() && kind != Selecting::ReplicationController {
            selector.match_expressions.push(Requirement::new(key, Operator::In, &[value]));
        } else {
            selector.match_labels.insert(key.clone(), value.clone());
        }
    }
    selector.match_expressions.extend(theirs.match_expressions.iter().cloned());
}

#[cfg(test)]
mod tests;
