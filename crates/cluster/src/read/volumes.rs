//! Claims, volumes and what is known of them, in placement's words.

use std::collections::BTreeSet;

use k8s_openapi::api::core::v1::{
    NodeSelectorTerm, PersistentVolume as WrittenVolume, PersistentVolumeClaim as WrittenClaim, TopologySelectorTerm,
    Volume as Mounted,
};
use k8s_openapi::api::storage::v1::{
    CSIDriver as WrittenDriver, CSINode as WrittenNode, CSIStorageCapacity as WrittenCapacity,
    StorageClass as WrittenClass, VolumeAttachment as WrittenAttachment,
};
use k8s_openapi::apimachinery::pkg::api::resource::Quantity as Written;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use keelson_core::Quantity;
use keelson_core::selector::{Operator, Requirement};
use keelson_placement::volumes::{
    AccessMode, Attached, Attachment, ClaimRef, Disk, DiskKind, Driver, NodeDrivers, StorageCapacity, StorageClass,
    Version, Volume, VolumeClaim, VolumeObject,
};
use keelson_placement::{Labels, NodeTerm, PodVolume};

use super::{Problem, moved, pod, problem, selector};

/// Says that a claim's binding was completed.
const BIND_COMPLETED: &str = "pv.kubernetes.io/bind-completed";
/// Names the node that a claim's volume is to be made for.
pub const SELECTED_NODE: &str = "volume.kubernetes.io/selected-node";
/// A class, as it was written before there was a field; it goes before the field.
const OLD_CLASS: &str = "volume.beta.kubernetes.io/storage-class";
/// The in-tree plugins that a node's drivers have taken over.
const MOVED: &str = "storage.alpha.kubernetes.io/migrated-plugins";

/// An object as read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReadVolumes {
    /// What placement looks at.
    pub object: VolumeObject,
    /// What could not be read.
    pub problems: Vec<Problem>,
}

impl ReadVolumes {
    const fn sound(object: VolumeObject) -> Self {
        Self { object, problems: Vec::new() }
    }
}

/// Reads a PersistentVolumeClaim.
#[must_use]
pub fn claim(written: &WrittenClaim) -> ReadVolumes {
    let mut problems = Vec::new();
    let meta = &written.metadata;
    let spec = written.spec.clone().unwrap_or_default();
    let requests = spec.resources.and_then(|resources| resources.requests);
    let owners = meta.owner_references.iter().flatten();
    let claim = VolumeClaim {
        namespace: meta.namespace.clone().unwrap_or_default(),
        name: name(meta),
        uid: meta.uid.clone().unwrap_or_default(),
        version: version(meta),
        class: annotation(meta, OLD_CLASS).or(spec.storage_class_name).unwrap_or_default(),
        bytes: requests
            .and_then(|requests| bytes(requests.get("storage"), "spec.resources.requests[storage]", &mut problems)),
        modes: modes(spec.access_modes.as_deref(), &mut problems),
        block: spec.volume_mode.as_deref() == Some("Block"),
        attributes: spec.volume_attributes_class_name.unwrap_or_default(),
        selector: spec.selector.as_ref().map(selector),
        volume: spec.volume_name.unwrap_or_default(),
        bound: annotation(meta, BIND_COMPLETED).is_some(),
        lost: written.status.as_ref().and_then(|status| status.phase.as_deref()) == Some("Lost"),
        leaving: meta.deletion_timestamp.is_some(),
        selected_node: annotation(meta, SELECTED_NODE),
        owner: owners.into_iter().find(|owner| owner.controller == Some(true)).map(|owner| owner.uid.clone()),
    };
    ReadVolumes { object: VolumeObject::Claim(claim), problems }
}

/// Reads a PersistentVolume.
#[must_use]
pub fn volume(written: &WrittenVolume) -> ReadVolumes {
    const FIELD: &str = "spec.nodeAffinity.required";
    let mut problems = Vec::new();
    let meta = &written.metadata;
    let spec = written.spec.clone().unwrap_or_default();
    let labels: Labels = meta.labels.clone().unwrap_or_default();
    let required = spec.node_affinity.as_ref().and_then(|affinity| affinity.required.as_ref());
    let mut term = |written: &NodeSelectorTerm| pod::term(written, FIELD, &mut problems);
    let affinity: Option<Vec<NodeTerm>> =
        required.map(|required| required.node_selector_terms.iter().map(&mut term).collect());
    let (attached, moved) = match &spec.csi {
        Some(csi) => (Some(Attached::new(&csi.driver, &csi.volume_handle)), None),
        None => moved::volume(&spec, &labels, affinity.as_ref())
            .map_or((None, None), |(attached, moved)| (attached, Some(moved))),
    };
    let capacity = spec.capacity.as_ref().and_then(|capacity| capacity.get("storage"));
    let volume = Volume {
        name: name(meta),
        version: version(meta),
        class: annotation(meta, OLD_CLASS).or(spec.storage_class_name).unwrap_or_default(),
        bytes: bytes(capacity, "spec.capacity[storage]", &mut problems).unwrap_or(0),
        modes: modes(spec.access_modes.as_deref(), &mut problems),
        block: spec.volume_mode.as_deref() == Some("Block"),
        attributes: spec.volume_attributes_class_name.unwrap_or_default(),
        claim: spec.claim_ref.map(|claim| ClaimRef {
            namespace: claim.namespace.unwrap_or_default(),
            name: claim.name.unwrap_or_default(),
            uid: claim.uid.unwrap_or_default(),
        }),
        available: written.status.as_ref().and_then(|status| status.phase.as_deref()) == Some("Available"),
        leaving: meta.deletion_timestamp.is_some(),
        labels,
        affinity,
        attached,
        moved,
    };
    ReadVolumes { object: VolumeObject::Volume(volume), problems }
}

/// Reads a StorageClass.
#[must_use]
pub fn class(written: &WrittenClass) -> ReadVolumes {
    ReadVolumes::sound(VolumeObject::Class(StorageClass {
        name: name(&written.metadata),
        provisioner: written.provisioner.clone(),
        driver: moved::driver_of(&written.provisioner),
        waits: written.volume_binding_mode.as_deref() == Some("WaitForFirstConsumer"),
        topologies: written.allowed_topologies.iter().flatten().map(topology).collect(),
    }))
}

/// Reads a CSIDriver.
#[must_use]
pub fn driver(written: &WrittenDriver) -> ReadVolumes {
    let tracks_capacity = written.spec.storage_capacity.unwrap_or_default();
    ReadVolumes::sound(VolumeObject::Driver(Driver { name: name(&written.metadata), tracks_capacity }))
}

/// Reads a CSIStorageCapacity. Where both are known, the largest volume says more than what is left.
#[must_use]
pub fn capacity(written: &WrittenCapacity) -> ReadVolumes {
    let mut problems = Vec::new();
    let largest = bytes(written.maximum_volume_size.as_ref(), "maximumVolumeSize", &mut problems);
    let left = bytes(written.capacity.as_ref(), "capacity", &mut problems);
    let capacity = StorageCapacity {
        key: format!("{}/{}", written.metadata.namespace.as_deref().unwrap_or_default(), name(&written.metadata)),
        class: written.storage_class_name.clone(),
        bytes: if written.maximum_volume_size.is_some() { largest } else { left },
        nodes: written.node_topology.as_ref().map(selector),
    };
    ReadVolumes { object: VolumeObject::Capacity(capacity), problems }
}

/// Reads a CSINode.
#[must_use]
pub fn node_drivers(written: &WrittenNode) -> ReadVolumes {
    let limit = |driver: &k8s_openapi::api::storage::v1::CSINodeDriver| {
        Some((driver.name.clone(), i64::from(driver.allocatable.as_ref()?.count?)))
    };
    let moved = annotation(&written.metadata, MOVED).unwrap_or_default();
    ReadVolumes::sound(VolumeObject::NodeDrivers(NodeDrivers {
        node: name(&written.metadata),
        limits: written.spec.drivers.iter().filter_map(limit).collect(),
        moved: moved.split(',').filter(|plugin| !plugin.is_empty()).map(str::to_owned).collect(),
    }))
}

/// Reads a VolumeAttachment.
#[must_use]
pub fn attachment(written: &WrittenAttachment) -> ReadVolumes {
    ReadVolumes::sound(VolumeObject::Attachment(Attachment {
        name: name(&written.metadata),
        node: written.spec.node_name.clone(),
        driver: written.spec.attacher.clone(),
        volume: written.spec.source.persistent_volume_name.clone().unwrap_or_default(),
    }))
}

/// What a pod mounts, as far as some check looks at it.
pub(super) fn mounted(pod: &str, volume: &Mounted) -> Vec<PodVolume> {
    if let Some(claim) = &volume.persistent_volume_claim {
        return vec![PodVolume::Claim(claim.claim_name.clone())];
    }
    if volume.ephemeral.is_some() {
        return vec![PodVolume::Ephemeral(format!("{pod}-{}", volume.name))];
    }
    let disk = |kind, name: &str, read_only: Option<bool>| {
        PodVolume::Disk(Disk { read_only: read_only.unwrap_or_default(), ..Disk::new(kind, name) })
    };
    let gce = volume
        .gce_persistent_disk
        .iter()
        .map(|known| disk(DiskKind::GcePersistentDisk, &known.pd_name, known.read_only));
    let aws = volume.aws_elastic_block_store.iter();
    let aws = aws.map(|known| disk(DiskKind::AwsElasticBlockStore, &known.volume_id, known.read_only));
    let iscsi = volume.iscsi.iter().map(|known| disk(DiskKind::Iscsi, &known.iqn, known.read_only));
    let rbd = volume.rbd.iter().map(|known| {
        let name = format!("{}/{}", known.pool.as_deref().unwrap_or("rbd"), known.image);
        let monitors: BTreeSet<String> = known.monitors.iter().cloned().collect();
        PodVolume::Disk(Disk {
            monitors,
            read_only: known.read_only.unwrap_or_default(),
            ..Disk::new(DiskKind::Rbd, &name)
        })
    });
    let attached = moved::mounted(volume).map(PodVolume::Attached);
    gce.chain(aws).chain(iscsi).chain(rbd).chain(attached).collect()
}

fn name(meta: &ObjectMeta) -> String {
    meta.name.clone().unwrap_or_default()
}

fn version(meta: &ObjectMeta) -> Version {
    Version { resource: meta.resource_version.clone().unwrap_or_default(), annotated: meta.annotations.is_some() }
}

fn annotation(meta: &ObjectMeta, key: &str) -> Option<String> {
    meta.annotations.as_ref()?.get(key).cloned()
}

fn topology(written: &TopologySelectorTerm) -> NodeTerm {
    let labels = written.match_label_expressions.iter().flatten().map(|wanted| Requirement {
        key: wanted.key.clone(),
        op: Operator::In,
        values: wanted.values.clone(),
    });
    NodeTerm { labels: labels.collect(), fields: Vec::new() }
}

fn bytes(written: Option<&Written>, field: &str, problems: &mut Vec<Problem>) -> Option<i64> {
    match written?.0.parse::<Quantity>() {
        Ok(quantity) => Some(quantity.value()),
        Err(error) => {
            problems.push(problem(field, error));
            None
        }
    }
}

fn modes(written: Option<&[String]>, problems: &mut Vec<Problem>) -> BTreeSet<AccessMode> {
    let mode = |word: &String| match word.as_str() {
        "ReadWriteOnce" => Some(AccessMode::ReadWriteOnce),
        "ReadOnlyMany" => Some(AccessMode::ReadOnlyMany),
        "ReadWriteMany" => Some(AccessMode::ReadWriteMany),
        "ReadWriteOncePod" => Some(AccessMode::ReadWriteOncePod),
        other => {
            problems.push(problem("spec.accessModes", format!("{other:?} is no access mode")));
            None
        }
    };
    written.into_iter().flatten().filter_map(mode).collect()
}

#[cfg(test)]
mod tests;
