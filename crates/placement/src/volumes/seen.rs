//! What one pod's checks looked at, to look again.
//!
//! Promise: with what is kept, the checks say of the same pod and nodes what they said.

use std::collections::BTreeSet;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::{PodVolume, VolumeObject, VolumePlan, Volumes};
use crate::pod::Pod;
use crate::snapshot::Snapshot;

/// A part of [`Volumes`].
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct SeenVolumes {
    /// The objects.
    pub objects: Vec<VolumeObject>,
    /// What was decided for other pods.
    pub plans: Vec<VolumePlan>,
}

impl SeenVolumes {
    /// What bears on the pod; nothing for a pod without volumes. Of claims of pods that run, those on nodes whose drivers
    /// have limits.
    #[must_use]
    pub fn by(pod: &Pod, snapshot: &Snapshot<'_>) -> Self {
        let mut seen = Self::default();
        if pod.volumes.is_empty() {
            return seen;
        }
        let all = snapshot.volumes.as_ref();
        let mut claims: BTreeSet<(&str, &str)> = BTreeSet::new();
        claims.extend(pod.volumes.iter().filter_map(|volume| Some((pod.namespace.as_str(), volume.claim()?))));
        let mut volumes: BTreeSet<&str> = BTreeSet::new();
        for node in snapshot.nodes() {
            let Some(drivers) = all.drivers_of(&node.name) else { continue };
            seen.objects.push(VolumeObject::NodeDrivers(drivers.clone()));
            if drivers.limits.is_empty() {
                continue;
            }
            for held in node.claims_with_volumes() {
                let names = held.volumes.iter().filter_map(PodVolume::claim);
                claims.extend(names.map(|name| (held.namespace.as_str(), name)));
            }
            for attachment in all.attached_to(&node.name) {
                volumes.insert(&attachment.volume);
                seen.objects.push(VolumeObject::Attachment(attachment.clone()));
            }
        }
        let mut classes: BTreeSet<&str> = BTreeSet::new();
        for claim in claims.into_iter().filter_map(|(namespace, name)| all.claim(namespace, name)) {
            volumes.insert(&claim.volume);
            classes.insert(&claim.class);
            if claim.namespace == pod.namespace && pod.volumes.iter().any(|known| known.claim() == Some(&claim.name)) {
                volumes.extend(all.kept_for(claim).map(|volume| volume.name.as_str()));
                if !claim.is_bound() {
                    volumes.extend(all.at_hand(&claim.class, 0).map(|volume| volume.name.as_str()));
                }
            }
            seen.objects.push(VolumeObject::Claim(claim.clone()));
        }
        seen.plans = all.decided(&pod.uid).cloned().collect();
        volumes.extend(seen.plans.iter().flat_map(|plan| plan.bindings.values().map(String::as_str)));
        seen.objects.extend(volumes.into_iter().filter_map(|name| all.volume(name).cloned()).map(VolumeObject::Volume));
        for class in classes.into_iter().filter_map(|name| all.class(name)) {
            seen.objects.extend(all.driver(&class.provisioner).cloned().map(VolumeObject::Driver));
            seen.objects.extend(all.capacities(&class.name).cloned().map(VolumeObject::Capacity));
            seen.objects.push(VolumeObject::Class(class.clone()));
        }
        seen
    }

    /// Whether nothing is in it.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.objects.is_empty() && self.plans.is_empty()
    }

    /// As it was seen.
    #[must_use]
    pub fn restored(self) -> Volumes {
        let mut volumes = Volumes::of(self.objects);
        for (number, plan) in self.plans.into_iter().enumerate() {
            volumes.decide(&format!("decided-{number}").into(), Some(Arc::new(plan)));
        }
        volumes
    }
}
