//! What the watch says of claims, volumes and what is known of them.

use std::collections::HashSet;

use k8s_openapi::api::core::v1::Pod;
use keelson_cluster::{ReadVolumes, State};
use keelson_core::Timestamp;
use keelson_placement::PodVolume;
use keelson_placement::volumes::{VolumeChange, VolumeKind};

use super::{Mind, uid};
use crate::queue::Waits;

impl Mind {
    /// The objects of a kind; all others of it are gone.
    pub fn storage_listed(&mut self, kind: VolumeKind, all: Vec<ReadVolumes>, now: Timestamp) {
        let listed: HashSet<String> = all.iter().map(|read| read.object.key()).collect();
        all.into_iter().for_each(|read| self.storage(read, now));
        let gone = self.state.live().volumes().keys(kind).into_iter().filter(|key| !listed.contains(key));
        gone.collect::<Vec<_>>().into_iter().for_each(|key| self.storage_gone(kind, key, now));
    }

    /// An object is new or changed.
    pub fn storage(&mut self, read: ReadVolumes, now: Timestamp) {
        let change = self.state.volumes_applied(read);
        self.storage_changed(change, now);
    }

    /// An object is gone.
    pub fn storage_gone(&mut self, kind: VolumeKind, key: String, now: Timestamp) {
        let change = self.state.volumes_deleted(kind, key);
        self.storage_changed(change, now);
    }

    /// Whoever that may help is tried again.
    fn storage_changed(&mut self, change: Option<VolumeChange>, now: Timestamp) {
        let Some(change) = change else { return };
        self.groups.changed();
        let (unbound, volumes) = (&self.unbound, self.state.live().volumes());
        let minds = |uid: &str| unbound.get(uid).is_some_and(|pod| change.minds(&pod.read.pod, volumes));
        self.queue.changed(Waits::VOLUMES, now, minds);
        self.comparisons.heard(|pod| has_its_volumes(&self.state, pod));
    }
}

/// Whether everything is heard of the volumes of a pod that has a node: each of its claims has one that is known.
pub(super) fn has_its_volumes(state: &State, pod: &Pod) -> bool {
    let (volumes, Some(claim)) = (state.live().volumes(), state.claim_of(uid(pod))) else { return true };
    let mut claims = claim.volumes.iter().filter_map(PodVolume::claim);
    claims
        .all(|name| volumes.claim(&claim.namespace, name).is_some_and(|claim| volumes.volume(&claim.volume).is_some()))
}

#[cfg(test)]
pub(super) mod tests;
