//! Volumes that bear one pod only.
//!
//! Some disks are attached for one pod at a time, unless all of them only read. A claim that is ReadWriteOncePod is for one
//! pod in the whole cluster.

use super::{AccessMode, Disk, PodVolume, Trouble, VolumeCheck, VolumeFailure, Volumes};
use crate::node::Node;
use crate::pod::{Claim, Pod};
use crate::snapshot::Snapshot;

#[derive(Debug, Clone)]
pub(super) struct Restrictions<'a> {
    disks: Vec<&'a Disk>,
    namespace: &'a str,
    /// The claims that are for one pod only, and how many others have each.
    exclusive: Vec<(&'a PodVolume, String, i64)>,
}

impl<'a> Restrictions<'a> {
    /// Looks for whoever has the pod's claims. `O(pods with volumes)` when one of them is for one pod only.
    pub(super) fn of(pod: &'a Pod, snapshot: &'a Snapshot<'_>, volumes: &Volumes) -> Result<Self, VolumeFailure> {
        let disks = pod.volumes.iter().filter_map(|volume| match volume {
            PodVolume::Disk(disk) => Some(disk),
            _ => None,
        });
        let mut exclusive = Vec::new();
        for volume in &pod.volumes {
            let PodVolume::Claim(name) = volume else { continue };
            let claim = format!("{}/{name}", pod.namespace);
            let Some(known) = volumes.claim(&pod.namespace, name) else {
                let trouble = Trouble::Missing { ephemeral: false };
                return Err(VolumeFailure::Claim { check: VolumeCheck::Restrictions, claim, trouble });
            };
            if known.modes.contains(&AccessMode::ReadWriteOncePod) {
                exclusive.push((volume, claim, 0));
            }
        }
        let mut found = Self { disks: disks.collect(), namespace: &pod.namespace, exclusive };
        if !found.exclusive.is_empty() {
            snapshot.nodes().flat_map(Node::claims_with_volumes).for_each(|other| found.shift(other, 1));
        }
        Ok(found)
    }

    /// So many more pods like this one are there.
    pub(super) fn shift(&mut self, other: &Claim, more: i64) {
        let theirs = |volume: &PodVolume| other.namespace == self.namespace && other.volumes.contains(volume);
        self.exclusive.iter_mut().filter(|(volume, ..)| theirs(volume)).for_each(|(.., pods)| *pods += more);
    }

    pub(super) fn failures(&self, node: &Node) -> impl Iterator<Item = VolumeFailure> {
        let taken = self.disks.iter().find(|disk| {
            let held = node.claims_with_volumes().flat_map(|claim| &claim.volumes);
            held.into_iter().any(|volume| matches!(volume, PodVolume::Disk(other) if disk.conflicts_with(other)))
        });
        let taken = taken.map(|disk| VolumeFailure::DiskInUse { disk: disk.name.clone() });
        let in_use = self.exclusive.iter().find(|(.., pods)| *pods > 0);
        taken.into_iter().chain(in_use.map(|(_, claim, _)| VolumeFailure::ClaimInUse { claim: claim.clone() }))
    }
}
