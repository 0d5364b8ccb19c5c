//! What the watch says of claims, volumes and what is known of them.

use std::collections::HashSet;

use keelson_cluster::ReadVolumes;
use keelson_core::Timestamp;
use keelson_placement::volumes::{VolumeChange, VolumeKind};

use super::Mind;
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
    }
}

#[cfg(test)]
pub(super) mod tests;
