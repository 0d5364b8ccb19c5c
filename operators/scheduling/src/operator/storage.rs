//! The kinds of storage, as one stream.

use std::collections::BTreeSet;

use k8s_openapi::api::core::v1::{PersistentVolume, PersistentVolumeClaim};
use k8s_openapi::api::storage::v1::{CSIDriver, CSINode, CSIStorageCapacity, StorageClass, VolumeAttachment};
use keelson_cluster::ReadVolumes;
use keelson_cluster::read::volumes;
use keelson_core::Timestamp;
use keelson_placement::volumes::VolumeKind;
use keelson_runtime::Runtime;
use keelson_runtime::cache::{Delta, Subscription};
use keelson_runtime::permissions::Rule;

use crate::mind::Mind;

/// How many kinds there are.
const KINDS: usize = 7;

/// What following them needs, and what writing needs where it is enforced.
pub(super) fn permissions(enforced: bool) -> Vec<Rule> {
    let claims = ["persistentvolumeclaims", "persistentvolumes"];
    let known = ["csidrivers", "csinodes", "csistoragecapacities", "storageclasses", "volumeattachments"];
    let mut rules = vec![Rule::follow("", &claims), Rule::follow("storage.k8s.io", &known)];
    // An object is read before it is patched.
    rules.extend(enforced.then(|| Rule::new("", &claims, &["get", "patch"])));
    rules
}

/// What is heard of one kind.
pub(super) enum Heard {
    All(VolumeKind, Vec<ReadVolumes>),
    Applied(Box<ReadVolumes>),
    Gone(VolumeKind, String),
}

pub(super) struct Storage {
    claims: Subscription<PersistentVolumeClaim>,
    volumes: Subscription<PersistentVolume>,
    classes: Subscription<StorageClass>,
    drivers: Subscription<CSIDriver>,
    capacities: Subscription<CSIStorageCapacity>,
    nodes: Subscription<CSINode>,
    attachments: Subscription<VolumeAttachment>,
    read: BTreeSet<VolumeKind>,
}

impl Storage {
    pub(super) fn follow(rt: &Runtime) -> Self {
        Self {
            claims: rt.cache().subscribe(),
            volumes: rt.cache().subscribe(),
            classes: rt.cache().subscribe(),
            drivers: rt.cache().subscribe(),
            capacities: rt.cache().subscribe(),
            nodes: rt.cache().subscribe(),
            attachments: rt.cache().subscribe(),
            read: BTreeSet::new(),
        }
    }

    /// Whether every kind was read once.
    pub(super) fn is_read(&self) -> bool {
        self.read.len() == KINDS
    }

    /// The next that is heard. Nothing is lost when it is dropped before it ends.
    pub(super) async fn next(&mut self) -> Heard {
        let heard = tokio::select! {
            biased;
            delta = self.classes.next() => heard(VolumeKind::Class, delta, volumes::class),
            delta = self.drivers.next() => heard(VolumeKind::Driver, delta, volumes::driver),
            delta = self.nodes.next() => heard(VolumeKind::NodeDrivers, delta, volumes::node_drivers),
            delta = self.capacities.next() => heard(VolumeKind::Capacity, delta, volumes::capacity),
            delta = self.attachments.next() => heard(VolumeKind::Attachment, delta, volumes::attachment),
            delta = self.volumes.next() => heard(VolumeKind::Volume, delta, volumes::volume),
            delta = self.claims.next() => heard(VolumeKind::Claim, delta, volumes::claim),
        };
        if let Heard::All(kind, _) = &heard {
            self.read.insert(*kind);
        }
        heard
    }
}

fn heard<K>(kind: VolumeKind, delta: Delta<K>, read: fn(&K) -> ReadVolumes) -> Heard
where
    K: keelson_runtime::cache::Cached,
{
    match delta {
        Delta::Restarted(all) => Heard::All(kind, all.into_iter().map(|object| read(&object)).collect()),
        Delta::Applied(object) => Heard::Applied(Box::new(read(&object))),
        Delta::Deleted(object) => Heard::Gone(kind, read(&object).object.key()),
    }
}

impl Heard {
    pub(super) fn told(self, mind: &mut Mind, now: Timestamp) {
        match self {
            Self::All(kind, all) => mind.storage_listed(kind, all, now),
            Self::Applied(read) => mind.storage(*read, now),
            Self::Gone(kind, key) => mind.storage_gone(kind, key, now),
        }
    }
}
