//! The rows of a volume.
//!
//! What kube-scheduler 1.36 looks at (claims, limits of drivers, conflicts of disks) is implemented; what it does not look
//! at is neutral here too.

use super::{Row, implemented, neutral};

const FILES: &str = "made of objects of the API on any node";
const ANYWHERE: &str = "kube-scheduler looks at it no more than Keelson does: any node may mount it";
const CLAIM: &str = "where its volume is, or can be made; how many its driver attaches; who else has it";
const DISK: &str = "pods on one node share such a disk only to read, and no AWS disk at all";
const COUNTED: &str = "counts against what its driver attaches to a node";

/// Paths below one item of `spec.volumes`.
pub(super) const ROWS: &[Row] = &[
    implemented("awsElasticBlockStore", DISK),
    implemented("azureDisk", COUNTED),
    neutral("azureFile", ANYWHERE),
    neutral("cephfs", ANYWHERE),
    implemented("cinder", COUNTED),
    neutral("configMap", FILES),
    neutral("csi", ANYWHERE),
    neutral("downwardAPI", FILES),
    neutral("emptyDir", "room on the node is asked for by ephemeral-storage requests"),
    implemented("ephemeral", CLAIM),
    neutral("fc", ANYWHERE),
    neutral("flexVolume", ANYWHERE),
    neutral("flocker", ANYWHERE),
    implemented("gcePersistentDisk", DISK),
    neutral("gitRepo", ANYWHERE),
    neutral("glusterfs", ANYWHERE),
    neutral("hostPath", "whatever the node has there; kube-scheduler does not look either"),
    implemented("image", "a node that has it is preferred"),
    implemented("iscsi", DISK),
    neutral("name", "what mounts call it"),
    neutral("nfs", ANYWHERE),
    implemented("persistentVolumeClaim", CLAIM),
    neutral("photonPersistentDisk", ANYWHERE),
    implemented("portworxVolume", COUNTED),
    neutral("projected", FILES),
    neutral("quobyte", ANYWHERE),
    implemented("rbd", DISK),
    neutral("scaleIO", ANYWHERE),
    neutral("secret", FILES),
    neutral("storageos", ANYWHERE),
    neutral("vsphereVolume", ANYWHERE),
];
