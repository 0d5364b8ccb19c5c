//! A question for the oracle: a cluster as Kubernetes' objects, and the pod to judge.

use k8s_openapi::serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// The question, in the names of `e2e/tools/oracle`. Objects are JSON as the API server would have stored them.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Request {
    /// Nodes.
    pub nodes: Vec<Value>,
    /// Pods on nodes, and those that are nominated for one.
    pub pods: Vec<Value>,
    /// The pod to judge.
    pub pod: Value,
    /// Namespaces.
    pub namespaces: Vec<Value>,
    /// Services, for the default spread.
    pub services: Vec<Value>,
    /// ReplicationControllers, for the default spread.
    pub replication_controllers: Vec<Value>,
    /// ReplicaSets, for the default spread.
    pub replica_sets: Vec<Value>,
    /// StatefulSets, for the default spread.
    pub stateful_sets: Vec<Value>,
    /// PersistentVolumes.
    pub persistent_volumes: Vec<Value>,
    /// PersistentVolumeClaims.
    pub persistent_volume_claims: Vec<Value>,
    /// StorageClasses.
    pub storage_classes: Vec<Value>,
    /// CSINodes.
    pub csi_nodes: Vec<Value>,
    /// CSIDrivers.
    pub csi_drivers: Vec<Value>,
    /// CSIStorageCapacities.
    pub csi_storage_capacities: Vec<Value>,
    /// VolumeAttachments.
    pub volume_attachments: Vec<Value>,
    /// PodDisruptionBudgets.
    pub pod_disruption_budgets: Vec<Value>,
    /// Which of the pods wait for room on which node.
    pub nominated: Vec<Nominated>,
    /// Whether to ask for a preemption.
    pub preempt: bool,
    /// Whether to ask which objects an API server would refuse.
    pub validate: bool,
}

/// A pod that waits for room on a node.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Nominated {
    /// Its uid.
    pub uid: String,
    /// The node's name.
    pub node: String,
}

/// An object as Kubernetes' own type.
///
/// # Errors
/// When the object is none of that type: the text says where.
pub fn typed<T: DeserializeOwned>(object: &Value) -> Result<T, serde_json::Error> {
    T::deserialize(object)
}
