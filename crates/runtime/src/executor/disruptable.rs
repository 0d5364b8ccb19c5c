//! Pods as the disruption gate sees them: what counts of each is kept beside the cache, so that a bid unpacks no pod.

use std::collections::BTreeMap;
use std::time::Duration;

use k8s_openapi::api::core::v1::{Node, Pod};
use keelson_api::names;
use keelson_core::ObjectRef;
use tokio::time::timeout;

use super::Inner;
use crate::cache::Extract;
use crate::gate::PodView;

/// How long a disruption waits for pods and nodes to be read.
const READ: Duration = Duration::from_secs(5);
/// The well-known label of a node's zone.
const ZONE: &str = "topology.kubernetes.io/zone";

/// What is kept of pods, and the zones of nodes; from the first disruption on.
#[derive(Debug)]
pub(super) struct Kept {
    pods: Extract<Part>,
    zones: Extract<String>,
}

/// A pod without what is not its own: its zone, and what forbids disrupting its workload.
#[derive(Debug, Clone)]
struct Part {
    view: PodView,
    workload: ObjectRef,
    ended: bool,
}

impl Inner {
    /// Every pod that has not ended.
    pub(super) async fn disruptable(&self) -> Result<Vec<PodView>, String> {
        let (pods, nodes) = (self.caches.open::<Pod>(false), self.caches.open::<Node>(false));
        if timeout(READ, async { tokio::join!(pods.synced(), nodes.synced()) }).await.is_err() {
            return Err("pods and nodes are not read yet, so nobody knows what is unavailable".to_owned());
        }
        let kept = self.disruptable.get_or_init(|| Kept { pods: pods.extract(part), zones: nodes.extract(zone) });
        let there: Vec<Part> = kept.pods.rows().values().filter(|part| !part.ended).cloned().collect();
        let zones = kept.zones.rows();
        let view = |part: Part| {
            let zone = zones.get(&(String::new(), part.view.node.clone())).cloned().unwrap_or_default();
            let protected = part.view.protected.or_else(|| protection(&self.caches.annotations(&part.workload)?));
            PodView { zone, protected, ..part.view }
        };
        Ok(there.into_iter().map(view).collect())
    }

    /// Whether a pod takes nothing away any more.
    pub(super) fn has_ended(&self, pod: &ObjectRef) -> bool {
        self.caches.open::<Pod>(false).get(&pod.namespace, &pod.name).is_some_and(|pod| has_ended(&pod))
    }
}

fn zone(node: &Node) -> String {
    node.metadata.labels.as_ref().and_then(|labels| labels.get(ZONE)).cloned().unwrap_or_default()
}

fn part(pod: &Pod) -> Part {
    let meta = &pod.metadata;
    let (namespace, name) = (meta.namespace.clone().unwrap_or_default(), meta.name.clone().unwrap_or_default());
    let reference = ObjectRef::namespaced("Pod", &namespace, &name).with_uid(meta.uid.as_deref().unwrap_or_default());
    let mut owners = meta.owner_references.iter().flatten();
    let owner = owners.find(|owner| owner.controller == Some(true)).map(|owner| {
        let group = owner.api_version.split_once('/').map_or("", |(group, _)| group);
        ObjectRef::namespaced(&owner.kind, &namespace, &owner.name).in_group(group)
    });
    let workload = owner.unwrap_or_else(|| reference.clone());
    let view = PodView {
        workload: workload.to_string(),
        pod: reference,
        node: pod.spec.as_ref().and_then(|spec| spec.node_name.clone()).unwrap_or_default(),
        zone: String::new(),
        ready: is_ready(pod),
        protected: meta.annotations.as_ref().and_then(protection),
    };
    Part { view, workload, ended: has_ended(pod) }
}

fn has_ended(pod: &Pod) -> bool {
    let phase = pod.status.as_ref().and_then(|status| status.phase.as_deref());
    matches!(phase, Some("Succeeded" | "Failed"))
}

fn is_ready(pod: &Pod) -> bool {
    let conditions = pod.status.iter().filter_map(|status| status.conditions.as_ref()).flatten();
    let ready = conditions.into_iter().any(|condition| condition.type_ == "Ready" && condition.status == "True");
    ready && pod.metadata.deletion_timestamp.is_none()
}

/// The annotation that forbids disrupting, as `name: value`.
fn protection(annotations: &BTreeMap<String, String>) -> Option<String> {
    let says = |name: &str, forbids: fn(&str) -> bool| {
        annotations.get(name).filter(|value| forbids(value)).map(|value| format!("{name}: {value}"))
    };
    // Karpenter takes a duration as well: whatever is not "false" protects.
    says(names::DO_NOT_DISRUPT, |value| value != "false")
        .or_else(|| says(names::KARPENTER_DO_NOT_DISRUPT, |value| value != "false"))
        .or_else(|| says(names::SAFE_TO_EVICT, |value| value == "false"))
}
