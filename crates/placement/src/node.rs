//! A node as a choice sees it: what it offers, what is taken, and whom it repels.
//!
//! The sums over its pods are kept while pods come and go, so that a choice never walks over pods.
//!
//! Promises: adding a pod that is already there replaces it; removing one that is not there changes nothing; the sums
//! always equal what the pods on the node ask for.

use std::collections::BTreeMap;
use std::sync::Arc;

use keelson_core::{ResourceName, Resources, Timestamp};

use crate::bandwidth::{Direction, Ledger, Nic, Rates};
use crate::pod::{Claim, Pod};
use crate::ports::HostPort;
use crate::requests::NonZero;
use crate::taints::Taint;

/// A pod on a node: what it takes, and how it ranks when room must be made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Occupant {
    /// `namespace/name`.
    pub key: Arc<str>,
    /// What it takes; alike pods may share it.
    pub claim: Arc<Claim>,
    /// `spec.priority`.
    pub priority: i32,
    /// `status.startTime`; none while it has not started.
    pub started: Option<Timestamp>,
    /// Whether it is being deleted because a scheduler evicts it for another pod.
    pub preempted: bool,
}

impl Occupant {
    /// A pod that has not started, without name and of priority 0.
    #[must_use]
    pub fn taking(claim: Arc<Claim>) -> Self {
        Self { key: Arc::from(""), claim, priority: 0, started: None, preempted: false }
    }
}

impl From<&Pod> for Occupant {
    fn from(pod: &Pod) -> Self {
        let key = format!("{}/{}", pod.namespace, pod.name).into();
        Self { key, priority: pod.priority, started: pod.started, ..Self::taking(Arc::new(pod.claim())) }
    }
}

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
    /// `status.images`: the bytes of each image that it has, by every name of it.
    pub images: Arc<BTreeMap<String, i64>>,
    /// Its network interface; none while nobody knows it. Set by [`Self::measure`].
    pub(crate) nic: Option<Nic>,
    /// What the pods ask for that are not in what was measured.
    young: Rates,
    pods: BTreeMap<Arc<str>, Occupant>,
    requested: Resources,
    non_zero: NonZero,
    with_affinity: usize,
    with_volumes: usize,
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
            images: Arc::default(),
            nic: None,
            young: Rates::default(),
            pods: BTreeMap::new(),
            requested: Resources::default(),
            non_zero: NonZero::default(),
            with_affinity: 0,
            with_volumes: 0,
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

    /// The same node, having an image of this many bytes.
    #[must_use]
    pub fn image(mut self, name: &str, bytes: i64) -> Self {
        Arc::make_mut(&mut self.images).insert(name.into(), bytes);
        self
    }

    /// The same node with this interface.
    #[must_use]
    pub fn nic(mut self, nic: Nic) -> Self {
        self.measure(Some(nic));
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
        self.hold(pod.uid.as_str().into(), pod.into());
    }

    /// As [`Self::add`].
    pub fn hold(&mut self, uid: Arc<str>, pod: Occupant) {
        let (claim, started) = (Arc::clone(&pod.claim), pod.started);
        match self.pods.insert(uid, pod) {
            None => self.count(&claim, started),
            Some(before) if (&before.claim, before.started) == (&claim, started) => {}
            Some(_) => self.recount(),
        }
    }

    /// Takes the pod with this uid off the node; whether it was there.
    pub fn remove(&mut self, uid: &str) -> bool {
        let was_there = self.pods.remove(uid).is_some();
        if was_there {
            self.recount();
        }
        was_there
    }

    /// The same node with only the pods that pass.
    #[must_use]
    pub fn keeping(mut self, passes: impl Fn(&Occupant) -> bool) -> Self {
        self.pods.retain(|_, pod| passes(pod));
        self.recount();
        self
    }

    // Recounted rather than subtracted: a saturated sum cannot be taken back.
    fn recount(&mut self) {
        self.requested = Resources::default();
        self.non_zero = NonZero::default();
        self.young = Rates::default();
        (self.with_affinity, self.with_volumes) = (0, 0);
        for (claim, started) in self.pods.values().map(|pod| (Arc::clone(&pod.claim), pod.started)).collect::<Vec<_>>()
        {
            self.count(&claim, started);
        }
    }

    fn count(&mut self, claim: &Claim, started: Option<Timestamp>) {
        self.requested.add_assign(&claim.requests);
        self.non_zero = self.non_zero.plus(claim.non_zero);
        self.with_affinity += usize::from(!claim.affinity.is_empty());
        self.with_volumes += usize::from(!claim.volumes.is_empty());
        if let Some(load) = self.nic.and_then(|nic| nic.load)
            && started.is_none_or(|started| started > load.since)
        {
            let asked = Rates::each(|direction| claim.requests.get(&direction.resource()));
            self.young = self.young.plus(asked);
        }
    }

    /// Its interface is another, or measured anew.
    pub fn measure(&mut self, nic: Option<Nic>) {
        if self.nic != nic {
            self.nic = nic;
            self.recount();
        }
    }

    /// Its interface.
    #[must_use]
    pub const fn interface(&self) -> Option<&Nic> {
        self.nic.as_ref()
    }

    /// What the pods ask for that started after the last measurement of its interface began, or have not started yet;
    /// nothing while it is not measured.
    #[must_use]
    pub const fn young(&self) -> Rates {
        self.young
    }

    /// Takes over the pods and the interface of what this node was before.
    pub fn succeed(&mut self, before: Self) {
        (self.pods, self.requested) = (before.pods, before.requested);
        (self.nic, self.young) = (before.nic, before.young);
        (self.non_zero, self.with_affinity) = (before.non_zero, before.with_affinity);
        self.with_volumes = before.with_volumes;
    }

    /// What the pod with this uid takes, when it is here.
    #[must_use]
    pub fn claim(&self, uid: &str) -> Option<&Claim> {
        self.pods.get(uid).map(|pod| pod.claim.as_ref())
    }

    /// The pod with this uid, when it is here.
    #[must_use]
    pub fn pod(&self, uid: &str) -> Option<&Occupant> {
        self.pods.get(uid)
    }

    /// Its pods, by uid.
    pub fn pods(&self) -> impl Iterator<Item = (&Arc<str>, &Occupant)> {
        self.pods.iter()
    }

    /// As [`Self::claim`], shared.
    #[must_use]
    pub fn shared_claim(&self, uid: &str) -> Option<Arc<Claim>> {
        self.pods.get(uid).map(|pod| Arc::clone(&pod.claim))
    }

    /// What each pod takes; alike pods may share it.
    pub fn shared_claims(&self) -> impl Iterator<Item = &Arc<Claim>> {
        self.pods.values().map(|pod| &pod.claim)
    }

    /// What each pod takes, by uid.
    pub fn claims(&self) -> impl Iterator<Item = (&str, &Claim)> {
        self.pods.iter().map(|(uid, pod)| (uid.as_ref(), pod.claim.as_ref()))
    }

    /// What the pods take that have rules about other pods.
    pub fn claims_with_affinity(&self) -> impl Iterator<Item = &Claim> {
        let any = (self.with_affinity > 0).then(|| self.pods.values().map(|pod| pod.claim.as_ref()));
        any.into_iter().flatten().filter(|claim| !claim.affinity.is_empty())
    }

    /// What the pods take that mount volumes.
    pub fn claims_with_volumes(&self) -> impl Iterator<Item = &Claim> {
        let any = (self.with_volumes > 0).then(|| self.pods.values().map(|pod| pod.claim.as_ref()));
        any.into_iter().flatten().filter(|claim| !claim.volumes.is_empty())
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
        self.pods.values().flat_map(|pod| pod.claim.host_ports.iter())
    }

    /// What is left of a resource; negative on an overcommitted node. Of an interface that nobody knows there is no end.
    #[must_use]
    pub fn free(&self, resource: &ResourceName) -> i64 {
        let way = Direction::BOTH.into_iter().find(|direction| direction.resource() == *resource);
        if let Some(direction) = way {
            return Ledger::plain(self, direction).map_or(i64::MAX, |ledger| ledger.free());
        }
        self.allocatable.get(resource).saturating_sub(self.requested.get(resource))
    }
}
