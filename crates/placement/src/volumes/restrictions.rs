//! Volumes that bear one pod only.
//!
//! Some disks are attached for one pod at a time, unless all of them only read. A claim that is ReadWriteOncePod is for one
//! pod in the whole cluster.

use super::{AccessMode, Disk, PodVolume, Trouble, VolumeCheck, VolumeFailure, Volumes};
use crate::node::Node;
use crate::pod::Pod;
use crate::snapshot::Snapshot;

#[derive(Debug, Clone)]
pub(super) struct Restrictions<'a> {
    disks: Vec<&'a Disk>,
    /// A claim that another pod has.
    in_use: Option<VolumeFailure>,
}

impl<'a> Restrictions<'a> {
    /// Looks for whoever has the pod's claims. `O(pods with volumes)` when one of them is for one pod only.
    pub(super) fn of(pod: &'a Pod, snapshot: &'a Snapshot<'_>, volumes: &Volumes) -> Result<Self, VolumeFailure> {
        let disks = pod.volumes.iter().filter_map(|volume| match volume {
            PodVolume::Disk(disk) => Some(disk),
            _ => None,
        });
        let mut in_use = None;
        for volume in &pod.volumes {
            let PodVolume::Claim(name) = volume else { continue };
            let claim = format!("{}/{name}", pod.namespace);
            let Some(known) = volumes.claim(&pod.namespace, name) else {
                let trouble = Trouble::Missing { ephemeral: false };
                return Err(VolumeFailure::Claim { check: VolumeCheck::Restrictions, claim, trouble });
            };
            if in_use.is_none() && known.modes.contains(&AccessMode::ReadWriteOncePod) && is_used(pod, volume, snapshot)
            {
                in_use = Some(VolumeFailure::ClaimInUse { claim });
            }
        }
        Ok(Self { disks: disks.collect(), in_use })
    }

    pub(super) fn failures(&self, node: &Node) -> impl Iterator<Item = VolumeFailure> {
        let taken = self.disks.iter().find(|disk| {
            let held = node.claims_with_volumes().flat_map(|claim| &claim.volumes);
            held.into_iter().any(|volume| matches!(volume, PodVolume::Disk(other) if disk.conflicts_with(other)))
        });
        let taken = taken.map(|disk| VolumeFailure::DiskInUse { disk: disk.name.clone() });
        taken.into_iter().chain(self.in_use.clone())
    }
}

fn is_used(pod: &Pod, claim: &PodVolume, snapshot: &Snapshot<'_>) -> bool {
    let mut others = snapshot.nodes().flat_map(Node::claims_with_volumes);
    others.any(|other| other.namespace == pod.namespace && other.volumes.contains(claim))
}
