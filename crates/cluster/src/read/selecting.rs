//! Who selects pods: Services, and the workloads that make pods, with nothing but their selectors.

use k8s_openapi::api::apps::v1::{ReplicaSet, StatefulSet};
use k8s_openapi::api::core::v1::{Pod, ReplicationController, Service};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{LabelSelector as Written, ObjectMeta, OwnerReference};
use keelson_core::Workload;
use keelson_core::selector::LabelSelector;
use keelson_placement::Labels;

use super::selector;

/// So many minutes after a CronJob's Job was due its pods may be made still: a day.
const LATEST: i64 = 24 * 60;

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

/// The workload that a pod belongs to, as a person would name it; none for a pod that its node made.
#[must_use]
pub fn workload(written: &Pod) -> Option<Workload> {
    let (owner, behind) = controller(written)?;
    let (kind, name) = behind.unwrap_or((owner.kind.as_str(), owner.name.as_str()));
    let namespace = written.metadata.namespace.clone().unwrap_or_default();
    (owner.kind != "Node").then(|| Workload { namespace, kind: kind.to_owned(), name: name.to_owned() })
}

/// A pod's controller and, where its name shows that, kind and name of what made that one: the Deployment behind a ReplicaSet
/// that is named after the pod's template, the CronJob behind a Job that is named after the minute it was due at.
#[must_use]
pub fn controller(written: &Pod) -> Option<(&OwnerReference, Option<(&'static str, &str)>)> {
    let meta = &written.metadata;
    let owner = meta.owner_references.iter().flatten().find(|owner| owner.controller == Some(true))?;
    let (name, suffix) = owner.name.rsplit_once('-').unwrap_or_default();
    let behind = match owner.kind.as_str() {
        "ReplicaSet" => {
            let hash = meta.labels.as_ref().and_then(|labels| labels.get("pod-template-hash"));
            hash.filter(|hash| *hash == suffix).map(|_| ("Deployment", name))
        }
        "Job" => {
            let made = meta.creation_timestamp.as_ref().map(|time| time.0.as_second() / 60);
            let due = suffix.parse::<i64>().ok();
            let soon = made.zip(due).is_some_and(|(made, due)| (0..=LATEST).contains(&made.saturating_sub(due)));
            soon.then_some(("CronJob", name))
        }
        _ => None,
    };
    Some((owner, behind.filter(|(_, name)| !name.is_empty())))
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
