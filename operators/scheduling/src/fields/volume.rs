//! The rows of a volume.
//!
//! What kube-scheduler 1.36 looks at (claims, limits of drivers, conflicts of disks) is refused; what it does not look
//! at is neutral here too.

use super::{Row, implemented, neutral, refused};

const FILES: &str = "made of objects of the API on any node";
const ANYWHERE: &str = "kube-scheduler looks at it no more than Keelson does: any node may mount it";
const CLAIM: &str = "persistent volumes bind a pod to where its volume is; they are not implemented";
const ATTACHED: &str = "an attached disk: zones, conflicts and limits per node are not implemented";

/// Paths below one item of `spec.volumes`.
pub(super) const ROWS: &[Row] = &[
    refused("awsElasticBlockStore", ATTACHED),
    refused("azureDisk", ATTACHED),
    refused("azureFile", ATTACHED),
    neutral("cephfs", ANYWHERE),
    refused("cinder", ATTACHED),
    neutral("configMap", FILES),
    refused("csi", "limits of a driver per node are not implemented"),
    neutral("downwardAPI", FILES),
    neutral("emptyDir", "room on the node is asked for by ephemeral-storage requests"),
    refused("ephemeral", CLAIM),
    neutral("fc", ANYWHERE),
    neutral("flexVolume", ANYWHERE),
    neutral("flocker", ANYWHERE),
    refused("gcePersistentDisk", ATTACHED),
    neutral("gitRepo", ANYWHERE),
    neutral("glusterfs", ANYWHERE),
    neutral("hostPath", "whatever the node has there; kube-scheduler does not look either"),
    implemented("image", "a node that has it is preferred"),
    refused("iscsi", ATTACHED),
    neutral("name", "what mounts call it"),
    neutral("nfs", ANYWHERE),
    refused("persistentVolumeClaim", CLAIM),
    neutral("photonPersistentDisk", ANYWHERE),
    refused("portworxVolume", ATTACHED),
    neutral("projected", FILES),
    neutral("quobyte", ANYWHERE),
    refused("rbd", ATTACHED),
    neutral("scaleIO", ANYWHERE),
    neutral("secret", FILES),
    neutral("storageos", ANYWHERE),
    refused("vsphereVolume", ATTACHED),
];
