//! What a cluster has of storage, in Kubernetes' words.

use std::collections::{BTreeMap, BTreeSet};

use keelson_core::selector::LabelSelector;
use serde::{Deserialize, Serialize};

use super::Attached;
use crate::affinity::NodeTerm;
use crate::peers::Labels;

/// Who may mount a volume.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[allow(missing_docs, reason = "the names are Kubernetes'")]
pub enum AccessMode {
    ReadWriteOnce,
    ReadOnlyMany,
    ReadWriteMany,
    ReadWriteOncePod,
}

/// What an object was like when it was read, as far as a write to it depends on that.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Version {
    /// `metadata.resourceVersion`.
    pub resource: String,
    /// Whether it has annotations, to which one more can be added.
    pub annotated: bool,
}

/// A PersistentVolumeClaim.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct VolumeClaim {
    /// `metadata.namespace`.
    pub namespace: String,
    /// `metadata.name`.
    pub name: String,
    /// `metadata.uid`.
    pub uid: String,
    /// What a write must still find.
    pub version: Version,
    /// Its storage class; empty for none.
    pub class: String,
    /// The bytes it requests.
    pub bytes: Option<i64>,
    /// `spec.accessModes`.
    pub modes: BTreeSet<AccessMode>,
    /// Whether `spec.volumeMode` is Block.
    pub block: bool,
    /// `spec.volumeAttributesClassName`; empty for none.
    pub attributes: String,
    /// `spec.selector`: which volumes at hand it may be bound to.
    pub selector: Option<LabelSelector>,
    /// `spec.volumeName`; empty for none.
    pub volume: String,
    /// Whether its binding was completed.
    pub bound: bool,
    /// Whether its volume is gone.
    pub lost: bool,
    /// Whether it is being deleted.
    pub leaving: bool,
    /// The node that its volume is to be made for.
    pub selected_node: Option<String>,
    /// The uid of its controller.
    pub owner: Option<String>,
}

impl VolumeClaim {
    /// A claim that asks nothing and is not bound.
    #[must_use]
    pub fn new(namespace: &str, name: &str) -> Self {
        Self { namespace: namespace.into(), name: name.into(), uid: name.into(), ..Self::default() }
    }

    /// The same claim of so many bytes of a class.
    #[must_use]
    pub fn asking(mut self, class: &str, bytes: i64) -> Self {
        (self.class, self.bytes) = (class.into(), Some(bytes));
        self
    }

    /// The same claim, bound to a volume.
    #[must_use]
    pub fn bound_to(mut self, volume: &str) -> Self {
        (self.volume, self.bound) = (volume.into(), true);
        self
    }

    /// The same claim with one more access mode.
    #[must_use]
    pub fn mode(mut self, mode: AccessMode) -> Self {
        self.modes.insert(mode);
        self
    }

    /// `namespace/name`.
    #[must_use]
    pub fn key(&self) -> String {
        format!("{}/{}", self.namespace, self.name)
    }

    /// Whether nothing is left to do for it.
    #[must_use]
    pub fn is_bound(&self) -> bool {
        self.bound && !self.volume.is_empty()
    }
}

/// The claim that a volume is kept for.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct ClaimRef {
    /// Its namespace.
    pub namespace: String,
    /// Its name.
    pub name: String,
    /// Its uid; empty when whoever wrote it did not know.
    pub uid: String,
}

impl ClaimRef {
    /// Whether this is the claim.
    #[must_use]
    pub fn names(&self, claim: &VolumeClaim) -> bool {
        (&self.namespace, &self.name) == (&claim.namespace, &claim.name)
            && (self.uid.is_empty() || self.uid == claim.uid)
    }
}

/// A PersistentVolume.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Volume {
    /// `metadata.name`.
    pub name: String,
    /// `metadata.labels`.
    pub labels: Labels,
    /// What a write must still find.
    pub version: Version,
    /// Its storage class; empty for none.
    pub class: String,
    /// Its bytes.
    pub bytes: i64,
    /// `spec.accessModes`.
    pub modes: BTreeSet<AccessMode>,
    /// Whether `spec.volumeMode` is Block.
    pub block: bool,
    /// `spec.volumeAttributesClassName`; empty for none.
    pub attributes: String,
    /// `spec.claimRef`.
    pub claim: Option<ClaimRef>,
    /// Whether it waits for a claim.
    pub available: bool,
    /// Whether it is being deleted.
    pub leaving: bool,
    /// The terms of `spec.nodeAffinity.required`; without any, every node reaches it.
    pub affinity: Option<Vec<NodeTerm>>,
    /// What attaches it.
    pub attached: Option<Attached>,
    /// The driver that took over from an in-tree plugin.
    pub moved: Option<Moved>,
}

/// What is different once a node's in-tree plugin has moved to a CSI driver.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Moved {
    /// The in-tree plugin.
    pub plugin: String,
    /// As [`Volume::affinity`], in the driver's labels.
    pub affinity: Option<Vec<NodeTerm>>,
}

impl Volume {
    /// A volume of so many bytes that waits for a claim.
    #[must_use]
    pub fn new(name: &str, class: &str, bytes: i64) -> Self {
        Self { name: name.into(), class: class.into(), bytes, available: true, ..Self::default() }
    }

    /// The same volume with one more term of nodes that reach it.
    #[must_use]
    pub fn reached(mut self, term: NodeTerm) -> Self {
        self.affinity.get_or_insert_default().push(term);
        self
    }

    /// The same volume with one more label.
    #[must_use]
    pub fn label(mut self, key: &str, value: &str) -> Self {
        self.labels.insert(key.into(), value.into());
        self
    }

    /// The same volume, kept for a claim.
    #[must_use]
    pub fn kept_for(mut self, claim: &VolumeClaim) -> Self {
        let (namespace, name, uid) = (claim.namespace.clone(), claim.name.clone(), claim.uid.clone());
        self.claim = Some(ClaimRef { namespace, name, uid });
        self
    }

    /// The same volume, of a driver.
    #[must_use]
    pub fn of_driver(mut self, driver: &str, handle: &str) -> Self {
        self.attached = Some(Attached::new(driver, handle));
        self
    }
}

/// A StorageClass.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct StorageClass {
    /// `metadata.name`.
    pub name: String,
    /// Who makes its volumes; empty for nobody.
    pub provisioner: String,
    /// The driver that will attach them, when it is known.
    pub driver: Option<String>,
    /// Whether its claims wait for their first pod.
    pub waits: bool,
    /// `allowedTopologies`: where volumes are made; empty for everywhere.
    pub topologies: Vec<NodeTerm>,
}

impl StorageClass {
    /// A class whose claims wait for their first pod.
    #[must_use]
    pub fn waiting(name: &str, provisioner: &str) -> Self {
        let driver = Some(provisioner.to_owned());
        Self { name: name.into(), provisioner: provisioner.into(), driver, waits: true, topologies: Vec::new() }
    }
}

/// A CSIDriver.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Driver {
    /// `metadata.name`.
    pub name: String,
    /// `spec.storageCapacity`: whether it says how much it can still make.
    pub tracks_capacity: bool,
}

/// A CSIStorageCapacity: how much of a class can still be made for some nodes.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct StorageCapacity {
    /// `namespace/name`.
    pub key: String,
    /// The storage class.
    pub class: String,
    /// The largest volume, in bytes; none when it does not say.
    pub bytes: Option<i64>,
    /// For which nodes; none for no node.
    pub nodes: Option<LabelSelector>,
}

/// A CSINode: the drivers of a node.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct NodeDrivers {
    /// The node's name.
    pub node: String,
    /// How many volumes may be attached, by driver; one without a row has no limit.
    pub limits: BTreeMap<String, i64>,
    /// The in-tree plugins that have moved to drivers here.
    pub moved: BTreeSet<String>,
}

/// A VolumeAttachment.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Attachment {
    /// `metadata.name`.
    pub name: String,
    /// The node.
    pub node: String,
    /// The driver.
    pub driver: String,
    /// The volume; empty for one without a name.
    pub volume: String,
}
