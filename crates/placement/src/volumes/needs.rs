//! All checks of one pod's volumes.
//!
//! What does not depend on the node is found once, as kube-scheduler's PreFilter does; each node is asked then.

use super::binding::Binding;
use super::limits::Limits;
use super::restrictions::Restrictions;
use super::zone::Zones;
use super::{VolumeFailure, VolumePlan};
use crate::node::Node;
use crate::pod::{Claim, Pod};
use crate::snapshot::Snapshot;

/// What one pod's volumes need. A check that fails whatever the node is its failure.
#[derive(Debug, Clone)]
pub struct VolumeNeeds<'a> {
    restrictions: Result<Restrictions<'a>, VolumeFailure>,
    limits: Result<Limits<'a>, VolumeFailure>,
    binding: Result<Binding<'a>, VolumeFailure>,
    zones: Result<Zones<'a>, VolumeFailure>,
}

impl<'a> VolumeNeeds<'a> {
    /// Looks at the pod's claims; `None` for a pod without volumes. `O(volumes at hand of its claims' classes)`.
    #[must_use]
    pub fn of(pod: &'a Pod, snapshot: &'a Snapshot<'_>) -> Option<Self> {
        let volumes = snapshot.volumes.as_ref();
        (!pod.volumes.is_empty()).then(|| Self {
            restrictions: Restrictions::of(pod, snapshot, volumes),
            limits: Limits::of(pod, volumes),
            binding: Binding::of(pod, volumes),
            zones: Zones::of(pod, volumes),
        })
    }

    /// So many more pods with this claim are somewhere.
    pub(crate) fn shift(&mut self, claim: &Claim, more: i64) {
        if let Ok(restrictions) = &mut self.restrictions {
            restrictions.shift(claim, more);
        }
    }

    /// Whether they allow the node.
    #[must_use]
    pub fn allows(&self, node: &Node) -> bool {
        self.zones.as_ref().is_ok_and(|zones| zones.failure(node).is_none())
            && self.binding.as_ref().is_ok_and(|binding| binding.allows(node))
            && self.restrictions.as_ref().is_ok_and(|restrictions| restrictions.failures(node).next().is_none())
            && self.limits.as_ref().is_ok_and(|limits| limits.failure(node).is_none())
    }

    /// Every reason why they do not, in kube-scheduler's order.
    #[must_use]
    pub fn failures(&self, node: &Node) -> Vec<VolumeFailure> {
        let mut found = Vec::new();
        match &self.restrictions {
            Ok(restrictions) => found.extend(restrictions.failures(node)),
            Err(failure) => found.push(failure.clone()),
        }
        match &self.limits {
            Ok(limits) => found.extend(limits.failure(node)),
            Err(failure) => found.push(failure.clone()),
        }
        match &self.binding {
            Ok(binding) => found.extend(binding.failures(node)),
            Err(failure) => found.push(failure.clone()),
        }
        match &self.zones {
            Ok(zones) => found.extend(zones.failure(node)),
            Err(failure) => found.push(failure.clone()),
        }
        found
    }

    /// What is to be written when the node is chosen; `None` when the claims cannot have it.
    #[must_use]
    pub fn plan(&self, node: &Node) -> Option<VolumePlan> {
        self.binding.as_ref().ok()?.plan(node)
    }
}
