//! What a pod mounts.
//!
//! Only what some check looks at is here: files, empty directories and volumes that any node may mount are not.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

/// One of `spec.volumes`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum PodVolume {
    /// A claim of the pod's namespace, by name.
    Claim(String),
    /// A claim that is made for the pod and must be controlled by it, by the name that it will have.
    Ephemeral(String),
    /// A disk that pods cannot share as they like.
    Disk(Disk),
    /// A volume without a claim that a driver attaches.
    Attached(Attached),
}

impl PodVolume {
    /// The name of its claim.
    #[must_use]
    pub fn claim(&self) -> Option<&str> {
        match self {
            Self::Claim(name) | Self::Ephemeral(name) => Some(name),
            Self::Disk(_) | Self::Attached(_) => None,
        }
    }
}

/// What attaches a volume, and the driver's name for it: alike ones are one volume.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Attached {
    /// The CSI driver.
    pub driver: String,
    /// `volumeHandle`.
    pub handle: String,
}

impl Attached {
    /// A driver's volume.
    #[must_use]
    pub fn new(driver: &str, handle: &str) -> Self {
        Self { driver: driver.into(), handle: handle.into() }
    }
}

/// The kinds of [`Disk`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[allow(missing_docs, reason = "the names are Kubernetes'")]
pub enum DiskKind {
    GcePersistentDisk,
    AwsElasticBlockStore,
    Iscsi,
    Rbd,
}

/// A disk that is named in the pod itself.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Disk {
    /// Whose.
    pub kind: DiskKind,
    /// The disk's name, volume id or iqn; of RBD `pool/image`.
    pub name: String,
    /// RBD's monitors: disks of clusters without a common one are different disks.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub monitors: BTreeSet<String>,
    /// Whether the pod only reads.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub read_only: bool,
}

impl Disk {
    /// A disk that the pod writes.
    #[must_use]
    pub fn new(kind: DiskKind, name: &str) -> Self {
        Self { kind, name: name.into(), monitors: BTreeSet::new(), read_only: false }
    }

    /// Whether two pods on one node cannot mount both. Pods that only read share a disk, but none of AWS.
    #[must_use]
    pub fn conflicts_with(&self, other: &Self) -> bool {
        let same = self.kind == other.kind && self.name == other.name;
        let reached = self.kind != DiskKind::Rbd || !self.monitors.is_disjoint(&other.monitors);
        let shared = self.kind != DiskKind::AwsElasticBlockStore && self.read_only && other.read_only;
        same && reached && !shared
    }
}
