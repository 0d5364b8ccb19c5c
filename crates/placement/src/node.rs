//! A node as a choice sees it: what it offers, what is taken, and whom it repels.
//!
//! The sums over its pods are kept while pods come and go, so that a choice never walks over pods.
//!
//! Promises: adding a pod that is already there replaces it; removing one that is not there changes nothing; the sums
//! always equal what the pods on the node ask for.

use std::collections::BTreeMap;

use keelson_core::{ResourceName, Resources};

use crate::pod::Pod;
use crate::ports::HostPort;
use crate::requests::NonZero;
use crate::taints::Taint;

/// One node and what is on it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Node {
    /// `metadata.name`.
    pub name: String,
    /// `metadata.labels`.
    pub labels: BTreeMap<String, String>,
    /// `spec.taints`.
    pub taints: Vec<Taint>,
    /// `spec.unschedulable`: cordoned.
    pub unschedulable: bool,
    /// `status.allocatable`, with its `pods` row: how many pods may run.
    pub allocatable: Resources,
    pods: BTreeMap<String, Held>,
    requested: Resources,
    non_zero: NonZero,
}

/// What one pod takes of its node.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Held {
    requests: Resources,
    non_zero: NonZero,
    ports: Vec<HostPort>,
}

impl Node {
    /// An empty node of this size; without a `pods` row it allows 110, the kubelet's default.
    #[must_use]
    pub fn new(name: &str, allocatable: impl IntoIterator<Item = (ResourceName, i64)>) -> Self {
        let mut offered = Resources::new().with(ResourceName::Pods, 110);
        for (resource, amount) in allocatable {
            offered.set(resource, amount);
        }
        Self {
            name: name.into(),
            labels: BTreeMap::new(),
            taints: Vec::new(),
            unschedulable: false,
            allocatable: offered,
            pods: BTreeMap::new(),
            requested: Resources::default(),
            non_zero: NonZero::default(),
        }
    }

    /// The same node with one more label.
    #[must_use]
    pub fn label(mut self, key: &str, value: &str) -> Self {
        self.labels.insert(key.into(), value.into());
        self
    }

    /// The same node with one more taint.
    #[must_use]
    pub fn taint(mut self, taint: Taint) -> Self {
        self.taints.push(taint);
        self
    }

    /// The same node, cordoned.
    #[must_use]
    pub fn cordoned(mut self) -> Self {
        self.unschedulable = true;
        self
    }

    /// The same node with `pod` on it.
    #[must_use]
    pub fn holding(mut self, pod: &Pod) -> Self {
        self.add(pod);
        self
    }

    /// Puts a pod on the node; one with the same uid is replaced. Nothing is checked: what is, is.
    pub fn add(&mut self, pod: &Pod) {
        self.remove(&pod.uid);
        let held = Held { requests: pod.requests.clone(), non_zero: pod.non_zero, ports: pod.host_ports.clone() };
        self.pods.insert(pod.uid.clone(), held);
        self.recount();
    }

    /// Takes the pod with this uid off the node; whether it was there.
    pub fn remove(&mut self, uid: &str) -> bool {
        let was_there = self.pods.remove(uid).is_some();
        if was_there {
            self.recount();
        }
        was_there
    }

    // Recounted rather than subtracted: a saturated sum cannot be taken back.
    fn recount(&mut self) {
        let mut requested = Resources::default();
        let mut non_zero = NonZero::default();
        for held in self.pods.values() {
            requested.add_assign(&held.requests);
            non_zero = non_zero.plus(held.non_zero);
        }
        self.requested = requested;
        self.non_zero = non_zero;
    }

    /// How many pods are on it.
    #[must_use]
    pub fn pod_count(&self) -> usize {
        self.pods.len()
    }

    /// What its pods request, summed.
    #[must_use]
    pub const fn requested(&self) -> &Resources {
        &self.requested
    }

    /// What its pods request with the scores' defaults, summed.
    #[must_use]
    pub const fn non_zero(&self) -> NonZero {
        self.non_zero
    }

    /// The host ports that its pods take.
    pub fn used_ports(&self) -> impl Iterator<Item = &HostPort> {
        self.pods.values().flat_map(|held| held.ports.iter())
    }

    /// What is left of a resource; negative on an overcommitted node.
    #[must_use]
    pub fn free(&self, resource: &ResourceName) -> i64 {
        self.allocatable.get(resource).saturating_sub(self.requested.get(resource))
    }
}
