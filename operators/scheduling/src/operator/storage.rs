//! The kinds of storage, as one stream.

use k8s_openapi::api::core::v1::{PersistentVolume, PersistentVolumeClaim};
use k8s_openapi::api::storage::v1::{CSIDriver, CSINode, CSIStorageCapacity, StorageClass, VolumeAttachment};
use keelson_cluster::ReadVolumes;
use keelson_cluster::read::volumes;
use keelson_core::Timestamp;
use keelson_placement::volumes::VolumeKind;
use keelson_runtime::Runtime;
use keelson_runtime::cache::Subscription;
use keelson_runtime::permissions::Rule;

use super::kinds::{self, Known};
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

/// What is heard.
pub(super) type Heard = kinds::Heard<VolumeKind, ReadVolumes>;

pub(super) struct Storage {
    claims: Subscription<PersistentVolumeClaim>,
    volumes: Subscription<PersistentVolume>,
    classes: Subscription<StorageClass>,
    drivers: Subscription<CSIDriver>,
    capacities: Subscription<CSIStorageCapacity>,
    nodes: Subscription<CSINode>,
    attachments: Subscription<VolumeAttachment>,
    known: Known<VolumeKind>,
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
            known: Known::none_of(KINDS),
        }
    }

    /// Whether every kind was read once.
    pub(super) fn is_read(&self) -> bool {
        self.known.is_whole()
    }

    /// The next that is heard. Nothing is lost when it is dropped before it ends.
    pub(super) async fn next(&mut self) -> Heard {
        let heard = tokio::select! {
            biased;
            delta = self.classes.next() => Heard::of(VolumeKind::Class, delta, volumes::class),
            delta = self.drivers.next() => Heard::of(VolumeKind::Driver, delta, volumes::driver),
            delta = self.nodes.next() => Heard::of(VolumeKind::NodeDrivers, delta, volumes::node_drivers),
            delta = self.capacities.next() => Heard::of(VolumeKind::Capacity, delta, volumes::capacity),
            delta = self.attachments.next() => Heard::of(VolumeKind::Attachment, delta, volumes::attachment),
            delta = self.volumes.next() => Heard::of(VolumeKind::Volume, delta, volumes::volume),
            delta = self.claims.next() => Heard::of(VolumeKind::Claim, delta, volumes::claim),
        };
        self.known.noting(heard)
    }
}

impl Heard {
    pub(super) fn told(self, mind: &mut Mind, now: Timestamp) {
        match self {
            Self::All(kind, all) => mind.storage_listed(kind, all, now),
            Self::Applied(read) => mind.storage(*read, now),
            Self::Gone(kind, read) => mind.storage_gone(kind, read.object.key(), now),
        }
    }
}
