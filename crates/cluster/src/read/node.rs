//! A Node in placement's words.

use k8s_openapi::api::core::v1::Node as Written;
use keelson_core::{Rates, ResourceName, Resources};
use keelson_placement::{Node, Taint, TaintEffect};

use super::{Problem, amounts, bandwidth, problem};

/// The zone label, as the well-known labels have it.
const ZONE: &str = "topology.kubernetes.io/zone";
/// The instance type label.
const INSTANCE_TYPE: &str = "node.kubernetes.io/instance-type";

/// A node as read: without its pods.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReadNode {
    /// What placement looks at.
    pub node: Node,
    /// `status.capacity`.
    pub capacity: Resources,
    /// What its annotations say that its network interface carries; 0 where they say nothing.
    pub carries: Rates,
    /// Whether its condition Ready is True.
    pub ready: bool,
    /// Its zone, when it has the label.
    pub zone: Option<String>,
    /// Its instance type, when it has the label.
    pub instance_type: Option<String>,
    /// What could not be read.
    pub problems: Vec<Problem>,
}

/// Reads a node. One that does not say how many pods it allows allows none, as kube-scheduler counts.
#[must_use]
pub fn node(written: &Written) -> ReadNode {
    let mut problems = Vec::new();
    let status = written.status.as_ref();
    let spec = written.spec.as_ref();
    let allocatable = status.and_then(|status| status.allocatable.as_ref());
    let allocatable = amounts(allocatable, "status.allocatable", &mut problems);
    let capacity = amounts(status.and_then(|status| status.capacity.as_ref()), "status.capacity", &mut problems);
    let mut node = Node::new(written.metadata.name.as_deref().unwrap_or_default(), [(ResourceName::Pods, 0)]);
    for (name, amount) in allocatable {
        node.allocatable.set(name, amount);
    }
    node.labels = written.metadata.labels.clone().unwrap_or_default();
    node.unschedulable = spec.and_then(|spec| spec.unschedulable).unwrap_or_default();
    for (index, taint) in spec.and_then(|spec| spec.taints.as_ref()).into_iter().flatten().enumerate() {
        let effect = match taint.effect.as_str() {
            "NoSchedule" => TaintEffect::NoSchedule,
            "PreferNoSchedule" => TaintEffect::PreferNoSchedule,
            "NoExecute" => TaintEffect::NoExecute,
            other => {
                let text = format!("{other:?} is no effect; it counts as NoSchedule");
                problems.push(problem(format!("spec.taints[{index}].effect"), text));
                TaintEffect::NoSchedule
            }
        };
        node.taints.push(Taint::new(&taint.key, taint.value.as_deref().unwrap_or_default(), effect));
    }
    let conditions = status.and_then(|status| status.conditions.as_ref());
    let ready = conditions.into_iter().flatten().any(|known| known.type_ == "Ready" && known.status == "True");
    let images = status.and_then(|status| status.images.as_ref()).into_iter().flatten();
    let named = images.flat_map(|image| {
        let bytes = image.size_bytes.unwrap_or_default().max(0);
        image.names.iter().flatten().map(move |name| (name.clone(), bytes))
    });
    node.images = std::sync::Arc::new(named.collect());
    let label = |key: &str| node.labels.get(key).cloned();
    let (zone, instance_type) = (label(ZONE), label(INSTANCE_TYPE));
    let carries = bandwidth::capacity(written.metadata.annotations.as_ref(), &mut problems);
    ReadNode { carries, capacity: capacity.into_iter().collect(), ready, zone, instance_type, node, problems }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use serde_json::json;

    #[test]
    fn a_node_is_read_and_what_is_wrong_is_named() {
        let written = serde_json::from_value(json!({
            "metadata": {"name": "n1", "labels": {ZONE: "a", INSTANCE_TYPE: "m5.large"}},
            "spec": {"unschedulable": true, "taints": [{"key": "k", "effect": "Never"}]},
            "status": {
                "allocatable": {"cpu": "1930m", "memory": "lots", "pods": "29", "nvidia.com/gpu": "-1"},
                "conditions": [{"type": "Ready", "status": "True"}],
            },
        }))
        .unwrap();
        let read = node(&written);
        assert_eq!(
            (read.zone.as_deref(), read.instance_type.as_deref(), read.ready),
            (Some("a"), Some("m5.large"), true)
        );
        assert_eq!(read.node.allocatable.get(&ResourceName::Cpu), 1_930);
        assert_eq!(read.node.allocatable.get(&ResourceName::Pods), 29);
        assert_eq!(read.node.taints, [Taint::new("k", "", TaintEffect::NoSchedule)]);
        let fields: Vec<_> = read.problems.iter().map(|problem| problem.field.as_str()).collect();
        assert_eq!(
            fields,
            ["status.allocatable[memory]", "status.allocatable[nvidia.com/gpu]", "spec.taints[0].effect"]
        );
    }

    #[test]
    fn a_node_without_a_status_allows_no_pod() {
        let read = node(&Written::default());
        assert_eq!(read.node.allocatable.get(&ResourceName::Pods), 0);
        assert!(!read.ready && read.problems.is_empty());
    }
}
