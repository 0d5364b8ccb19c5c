//! Who selects pods: Services, and the workloads that make pods, with nothing but their selectors.

use k8s_openapi::api::apps::v1::{ReplicaSet, StatefulSet};
use k8s_openapi::api::core::v1::{Pod, ReplicationController, Service};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{LabelSelector as Written, ObjectMeta};
use keelson_core::selector::LabelSelector;
use keelson_placement::Labels;

use super::selector;

/// A kind that selects pods.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Selecting {
    /// Any number of them select a pod.
    Service,
    /// Makes pods.
    ReplicationController,
    /// Makes pods.
    ReplicaSet,
    /// Makes pods.
    StatefulSet,
}

/// The workload that made a pod, when it is of a kind that selects.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Owner {
    /// Its kind.
    pub kind: Selecting,
    /// Its name; it is in the pod's namespace.
    pub name: String,
}

/// One that selects, as read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReadSelecting {
    /// What it is.
    pub kind: Selecting,
    /// Its namespace.
    pub namespace: String,
    /// Its name.
    pub name: String,
    /// Whom it selects; none when it selects nobody, or when what it says cannot be read.
    pub selector: Option<LabelSelector>,
}

/// Reads a Service. One without a selector selects nobody.
#[must_use]
pub fn service(written: &Service) -> ReadSelecting {
    let selector = written.spec.as_ref().and_then(|spec| spec.selector.clone());
    read(Selecting::Service, &written.metadata, selector.map(of_labels))
}

/// Reads a ReplicationController.
#[must_use]
pub fn replication_controller(written: &ReplicationController) -> ReadSelecting {
    let selector = written.spec.as_ref().and_then(|spec| spec.selector.clone());
    read(Selecting::ReplicationController, &written.metadata, selector.map(of_labels))
}

/// Reads a ReplicaSet.
#[must_use]
pub fn replica_set(written: &ReplicaSet) -> ReadSelecting {
    read(Selecting::ReplicaSet, &written.metadata, written.spec.as_ref().and_then(|spec| valid(&spec.selector)))
}

/// Reads a StatefulSet.
#[must_use]
pub fn stateful_set(written: &StatefulSet) -> ReadSelecting {
    read(Selecting::StatefulSet, &written.metadata, written.spec.as_ref().and_then(|spec| valid(&spec.selector)))
}

/// The workload that a pod names as its controller.
pub(super) fn owner(written: &Pod) -> Option<Owner> {
    let owners = written.metadata.owner_references.iter().flatten();
    let owner = owners.into_iter().find(|owner| owner.controller == Some(true))?;
    let kind = match (owner.api_version.as_str(), owner.kind.as_str()) {
        ("v1", "ReplicationController") => Selecting::ReplicationController,
        ("apps/v1", "ReplicaSet") => Selecting::ReplicaSet,
        ("apps/v1", "StatefulSet") => Selecting::StatefulSet,
        _ => return None,
    };
    Some(Owner { kind, name: owner.name.clone() })
}

fn read(kind: Selecting, meta: &ObjectMeta, selector: Option<LabelSelector>) -> ReadSelecting {
    let text = |text: &Option<String>| text.clone().unwrap_or_default();
    ReadSelecting { kind, namespace: text(&meta.namespace), name: text(&meta.name), selector }
}

fn of_labels(match_labels: Labels) -> LabelSelector {
    LabelSelector { match_labels, ..LabelSelector::default() }
}

fn valid(written: &Written) -> Option<LabelSelector> {
    Some(selector(written)).filter(|selector| selector.validate().is_ok())
}
