//! What can happen.

use keelson_placement::volumes::VolumeKind;
use keelson_placement::{Budget, Labels, VolumePlan};

use super::{Heard, Traffic, Wanted};
use crate::learned::Learned;
use crate::read::network::{Name, ReadGroup, ReadMeasured, ReadTopology};
use crate::read::{self, ReadNode, ReadPod, ReadSelecting, ReadVolumes, Selecting};

/// Something that happened.
#[derive(Debug, Clone, PartialEq)]
pub enum Event {
    /// A node was made or changed.
    NodeApplied(Box<ReadNode>),
    /// A node is gone.
    NodeDeleted {
        /// Its name.
        name: String,
    },
    /// A pod was made or changed.
    PodApplied(Box<ReadPod>),
    /// A pod is gone.
    PodDeleted {
        /// Its uid.
        uid: String,
    },
    /// A namespace was made or changed.
    NamespaceApplied {
        /// Its name.
        name: String,
        /// Its labels.
        labels: Labels,
    },
    /// A namespace is gone.
    NamespaceDeleted {
        /// Its name.
        name: String,
    },
    /// A disruption budget was made or changed.
    BudgetApplied(Box<Budget>),
    /// A disruption budget is gone.
    BudgetDeleted {
        /// `namespace/name`.
        key: String,
    },
    /// An object of storage was made or changed.
    VolumesApplied(Box<ReadVolumes>),
    /// An object of storage is gone.
    VolumesDeleted {
        /// What it was.
        kind: VolumeKind,
        /// Its name, with its namespace before a slash where it has one.
        key: String,
    },
    /// A Service, or a workload that makes pods, was made or changed.
    SelectorApplied(Box<ReadSelecting>),
    /// Such a one is gone.
    SelectorDeleted {
        /// What it was.
        kind: Selecting,
        /// Its namespace.
        namespace: String,
        /// Its name.
        name: String,
    },
    /// An AppGroup was made or changed.
    GroupApplied(Box<ReadGroup>),
    /// An AppGroup is gone.
    GroupDeleted(Name),
    /// A NetworkTopology was made or changed.
    TopologyApplied(Box<ReadTopology>),
    /// A NetworkTopology is gone.
    TopologyDeleted(Name),
    /// A ConfigMap with round-trip times was made or changed.
    MeasuredApplied(Box<ReadMeasured>),
    /// Such a ConfigMap is gone.
    MeasuredDeleted(Name),
    /// Who of a group talks to whom, as traffic shows; no calls when nobody looks any more.
    TrafficSeen(Traffic),
    /// Other costs are asked for.
    NetworkWanted(Wanted),
    /// A node's network interface was measured, its load is believed no more, or nobody measures it any more.
    InterfaceHeard {
        /// The node.
        node: String,
        /// What is known of it now.
        heard: Option<Heard>,
    },
    /// What workloads were seen to use, all of it.
    UsageLearned(Learned),
    /// Pods may take another share of what interfaces carry, in thousandths.
    BandwidthLimit(i64),
    /// A pod is about to be bound.
    Assumed {
        /// Its uid.
        uid: String,
        /// The node.
        node: String,
        /// What is decided about its claims with that, where something is.
        volumes: Option<Box<VolumePlan>>,
    },
    /// Room is about to be made for a pod on a node, or not after all.
    Nominated {
        /// Its uid.
        uid: String,
        /// The node.
        node: Option<String>,
    },
    /// A pod was not bound after all.
    Forgotten {
        /// Its uid.
        uid: String,
    },
}

impl Event {
    /// A node as the API server has it.
    #[must_use]
    pub fn node(node: &k8s_openapi::api::core::v1::Node) -> Self {
        Self::NodeApplied(Box::new(read::node(node)))
    }

    /// A pod as the API server has it.
    #[must_use]
    pub fn pod(pod: &k8s_openapi::api::core::v1::Pod) -> Self {
        Self::PodApplied(Box::new(read::pod(pod)))
    }
}
