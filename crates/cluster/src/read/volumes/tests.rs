//! Objects as the API server has them, and what placement sees.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use k8s_openapi::serde::de::DeserializeOwned;
use serde_json::{Value, json};

use super::*;

fn typed<T: DeserializeOwned>(written: Value) -> T {
    serde_json::from_value(written).unwrap()
}

#[test]
fn a_claim_is_read_and_what_is_wrong_is_named() {
    let read = claim(&typed(json!({
        "metadata": {"name": "data", "namespace": "shop", "uid": "1", "annotations": {
            "pv.kubernetes.io/bind-completed": "yes", "volume.beta.kubernetes.io/storage-class": "old",
            "volume.kubernetes.io/selected-node": "n1",
        }, "ownerReferences": [{"apiVersion": "v1", "kind": "Pod", "name": "p", "uid": "7", "controller": true}]},
        "spec": {"accessModes": ["ReadWriteOncePod", "Sometimes"], "storageClassName": "new", "volumeName": "pv",
            "resources": {"requests": {"storage": "lots"}}, "volumeMode": "Block"},
        "status": {"phase": "Lost"},
    })));
    let VolumeObject::Claim(claim) = read.object else { panic!() };
    assert_eq!((claim.class.as_str(), claim.is_bound(), claim.lost, claim.block), ("old", true, true, true));
    assert_eq!((claim.selected_node.as_deref(), claim.owner.as_deref()), (Some("n1"), Some("7")));
    assert_eq!(claim.modes, BTreeSet::from([AccessMode::ReadWriteOncePod]));
    let fields: Vec<_> = read.problems.iter().map(|problem| problem.field.as_str()).collect();
    assert_eq!(fields, ["spec.resources.requests[storage]", "spec.accessModes"]);
}

#[test]
fn a_volume_of_a_cloud_has_the_drivers_name_and_labels_besides() {
    let read = volume(&typed(json!({
        "metadata": {"name": "pv", "labels": {"topology.kubernetes.io/zone": "us-east1-b"}},
        "spec": {"capacity": {"storage": "10Gi"}, "gcePersistentDisk": {"pdName": "pd"},
            "claimRef": {"namespace": "shop", "name": "data"}},
        "status": {"phase": "Available"},
    })));
    let VolumeObject::Volume(volume) = read.object else { panic!() };
    let named = Attached::new("pd.csi.storage.gke.io", "projects/UNSPECIFIED/zones/us-east1-b/disks/pd");
    assert_eq!((volume.attached, volume.affinity, volume.bytes), (Some(named), None, 10 << 30));
    let moved = volume.moved.unwrap();
    assert_eq!(moved.plugin, "kubernetes.io/gce-pd");
    assert_eq!(moved.affinity, Some(vec![NodeTerm::label("topology.gke.io/zone", "us-east1-b")]));
}

#[test]
fn what_is_left_of_a_class_is_its_largest_volume_where_that_is_known() {
    let read = |largest: Value| {
        let written = json!({"metadata": {"name": "c", "namespace": "d"}, "storageClassName": "late",
            "capacity": "50Gi", "maximumVolumeSize": largest, "nodeTopology": {}});
        let VolumeObject::Capacity(capacity) = capacity(&typed(written)).object else { panic!() };
        capacity.bytes
    };
    assert_eq!((read(Value::Null), read(json!("1Gi"))), (Some(50 << 30), Some(1 << 30)));
}

#[test]
fn a_node_without_a_count_for_a_driver_has_no_limit() {
    let read = node_drivers(&typed(json!({
        "metadata": {"name": "n", "annotations": {"storage.alpha.kubernetes.io/migrated-plugins": "a,b"}},
        "spec": {"drivers": [
            {"name": "few", "nodeID": "n", "allocatable": {"count": 3}}, {"name": "any", "nodeID": "n"},
        ]},
    })));
    let VolumeObject::NodeDrivers(drivers) = read.object else { panic!() };
    assert_eq!(drivers.limits.into_iter().collect::<Vec<_>>(), [("few".to_owned(), 3)]);
    assert_eq!(drivers.moved.len(), 2);
}

#[test]
fn of_a_pods_volumes_those_are_read_that_say_where_it_may_run() {
    let mounts = |written: Value| mounted("cart", &typed(written));
    assert_eq!(mounts(json!({"name": "v", "emptyDir": {}})), []);
    let claim = json!({"name": "v", "persistentVolumeClaim": {"claimName": "data"}});
    assert_eq!(mounts(claim), [PodVolume::Claim("data".into())]);
    assert_eq!(mounts(json!({"name": "v", "ephemeral": {}})), [PodVolume::Ephemeral("cart-v".into())]);
    let rbd = mounts(json!({"name": "v", "rbd": {"image": "i", "monitors": ["m"], "readOnly": true}}));
    let disk = Disk { monitors: ["m".to_owned()].into(), read_only: true, ..Disk::new(DiskKind::Rbd, "rbd/i") };
    assert_eq!(rbd, [PodVolume::Disk(disk)]);
    // It is both a disk that pods do not share and one that a driver counts.
    let aws = mounts(json!({"name": "v", "awsElasticBlockStore": {"volumeID": "aws://a/vol-1"}}));
    assert_eq!(aws.len(), 2);
    assert_eq!(aws[1], PodVolume::Attached(Attached::new("ebs.csi.aws.com", "vol-1")));
}
