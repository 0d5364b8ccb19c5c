//! A Pod in placement's words.

use k8s_openapi::api::core::v1::{NodeAffinity, NodeSelectorRequirement, NodeSelectorTerm, Pod as Written, PodSpec};
use keelson_core::selector::{Operator, Requirement};
use keelson_core::{Direction, Rates, Timestamp, Workload};
use keelson_placement::{HostPort, NodeTerm, Pod, PreferredTerm, Protocol, TaintEffect};
use keelson_placement::{Toleration, TolerationOperator};

use super::requests::requests;
use super::selecting::{Owner, owner, workload};
use super::{Problem, bandwidth, operator, peers, problem, volumes};

/// A pod as read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReadPod {
    /// What placement looks at.
    pub pod: Pod,
    /// The node it is bound to.
    pub bound_to: Option<String>,
    /// The workload that made it, when that selects pods.
    pub owner: Option<Owner>,
    /// The workload that owns it, as a person would name it.
    pub workload: Option<Workload>,
    /// What it asks of the network because its workload was seen to use it; nothing where it says so itself.
    pub learned: Rates,
    /// Whether it has ended: it holds nothing any more.
    pub ended: bool,
    /// Whether it is being deleted because a scheduler evicts it for another pod.
    pub preempted: bool,
    /// What could not be read.
    pub problems: Vec<Problem>,
}

impl ReadPod {
    /// A pod of which nothing is wrong, on a node or waiting.
    #[must_use]
    pub const fn of(pod: Pod, bound_to: Option<String>) -> Self {
        Self {
            pod,
            bound_to,
            owner: None,
            workload: None,
            learned: Rates { egress: 0, ingress: 0 },
            ended: false,
            preempted: false,
            problems: Vec::new(),
        }
    }
}

/// Reads a pod. One that has a node is not asked about its node name any more: `pod.node_name` is none.
#[must_use]
pub fn pod(written: &Written) -> ReadPod {
    let mut problems = Vec::new();
    let none = PodSpec::default();
    let spec = written.spec.as_ref().unwrap_or(&none);
    let status = written.status.as_ref();
    let meta = &written.metadata;
    let mut pod = Pod::new(meta.namespace.as_deref().unwrap_or_default(), meta.name.as_deref().unwrap_or_default())
        .requesting(&requests(written, spec, &mut problems))
        .priority(spec.priority.unwrap_or_default());
    let bits = bandwidth::requested(meta.annotations.as_ref(), &pod.requests, &mut problems);
    for (direction, bits) in Direction::BOTH.into_iter().map(|direction| (direction, bits.get(direction))) {
        if bits > 0 {
            pod.requests.set(direction.resource(), bits);
        }
    }
    if let Some(uid) = &meta.uid {
        pod.uid.clone_from(uid);
    }
    pod.labels = meta.labels.clone().unwrap_or_default();
    pod.leaving = meta.deletion_timestamp.is_some();
    peers::read(&mut pod, spec, &mut problems);
    pod.node_selector = spec.node_selector.clone().unwrap_or_default();
    if let Some(affinity) = spec.affinity.as_ref().and_then(|affinity| affinity.node_affinity.as_ref()) {
        node_affinity(&mut pod, affinity, &mut problems);
    }
    pod.tolerations = tolerations(spec, &mut problems);
    pod.host_ports = host_ports(spec, &mut problems);
    pod.volumes = spec.volumes.iter().flatten().flat_map(|volume| volumes::mounted(&pod.name, volume)).collect();
    let phase = status.and_then(|status| status.phase.as_deref()).unwrap_or_default();
    let bound_to = spec.node_name.clone().filter(|name| !name.is_empty());
    let nominated = status.and_then(|status| status.nominated_node_name.clone()).filter(|name| !name.is_empty());
    pod.nominated = nominated.filter(|_| bound_to.is_none());
    pod.never_preempts = spec.preemption_policy.as_deref() == Some("Never");
    let started = status.and_then(|status| status.start_time.as_ref());
    pod.started = started.map(|time| Timestamp(time.0.as_microsecond()));
    ReadPod {
        preempted: pod.leaving && is_disrupted_by_a_scheduler(written),
        bound_to,
        owner: owner(written),
        workload: workload(written),
        learned: Rates::default(),
        ended: matches!(phase, "Succeeded" | "Failed"),
        pod,
        problems,
    }
}

/// `DisruptionTarget` as schedulers write it (`PodReasonPreemptionByScheduler`).
fn is_disrupted_by_a_scheduler(written: &Written) -> bool {
    let conditions = written.status.iter().flat_map(|status| status.conditions.iter().flatten());
    let disrupted = conditions.filter(|condition| condition.type_ == "DisruptionTarget");
    disrupted
        .take(1)
        .any(|condition| condition.status == "True" && condition.reason.as_deref() == Some("PreemptionByScheduler"))
}

fn node_affinity(pod: &mut Pod, affinity: &NodeAffinity, problems: &mut Vec<Problem>) {
    const FIELD: &str = "spec.affinity.nodeAffinity";
    let required = affinity.required_during_scheduling_ignored_during_execution.as_ref();
    pod.required = required.map(|selector| {
        selector
            .node_selector_terms
            .iter()
            .map(|written| term(written, &format!("{FIELD}.required"), problems))
            .collect()
    });
    for preferred in affinity.preferred_during_scheduling_ignored_during_execution.iter().flatten() {
        let term = term(&preferred.preference, &format!("{FIELD}.preferred"), problems);
        pod.preferred.push(PreferredTerm { weight: preferred.weight, term });
    }
}

pub(super) fn term(written: &NodeSelectorTerm, field: &str, problems: &mut Vec<Problem>) -> NodeTerm {
    let mut read = |list: &Option<Vec<NodeSelectorRequirement>>| {
        list.iter().flatten().map(|wanted| requirement(wanted, field, problems)).collect()
    };
    NodeTerm { labels: read(&written.match_expressions), fields: read(&written.match_fields) }
}

fn requirement(written: &NodeSelectorRequirement, field: &str, problems: &mut Vec<Problem>) -> Requirement {
    let values = written.values.clone().unwrap_or_default();
    match operator(&written.operator) {
        Some(op) => Requirement { key: written.key.clone(), op, values },
        None => {
            let text = format!("operator {:?} is unknown, so the term matches no node", written.operator);
            problems.push(problem(format!("{field}[{}]", written.key), text));
            Requirement::new(&written.key, Operator::In, &[])
        }
    }
}

fn tolerations(spec: &PodSpec, problems: &mut Vec<Problem>) -> Vec<Toleration> {
    let mut read = Vec::new();
    for (index, written) in spec.tolerations.iter().flatten().enumerate() {
        let field = format!("spec.tolerations[{index}]");
        let operator = match written.operator.as_deref().unwrap_or_default() {
            "" | "Equal" => TolerationOperator::Equal,
            "Exists" => TolerationOperator::Exists,
            // It then tolerates nothing. The field table refuses such a pod.
            other => {
                problems.push(problem(format!("{field}.operator"), format!("{other:?} is not implemented")));
                continue;
            }
        };
        let effect = match written.effect.as_deref().unwrap_or_default() {
            "" => None,
            "NoSchedule" => Some(TaintEffect::NoSchedule),
            "PreferNoSchedule" => Some(TaintEffect::PreferNoSchedule),
            "NoExecute" => Some(TaintEffect::NoExecute),
            other => {
                problems.push(problem(format!("{field}.effect"), format!("{other:?} is no effect")));
                continue;
            }
        };
        let text = |text: &Option<String>| text.clone().unwrap_or_default();
        read.push(Toleration { key: text(&written.key), operator, value: text(&written.value), effect });
    }
    read
}

fn host_ports(spec: &PodSpec, problems: &mut Vec<Problem>) -> Vec<HostPort> {
    let host_network = spec.host_network.unwrap_or_default();
    // Init containers that end free their ports again; upstream counts those of sidecars alone.
    let sidecars =
        spec.init_containers.iter().flatten().filter(|container| container.restart_policy.as_deref() == Some("Always"));
    let mut read = Vec::new();
    for port in spec.containers.iter().chain(sidecars).flat_map(|container| container.ports.iter().flatten()) {
        // On the host's network a container's port is a port of the node, as the API server defaults it.
        let number = port.host_port.unwrap_or(if host_network { port.container_port } else { 0 });
        let protocol = match port.protocol.as_deref().unwrap_or_default() {
            "" | "TCP" => Protocol::Tcp,
            "UDP" => Protocol::Udp,
            "SCTP" => Protocol::Sctp,
            other => {
                problems.push(problem("spec.containers[].ports[].protocol", format!("{other:?} is no protocol")));
                continue;
            }
        };
        match u16::try_from(number) {
            Ok(0) => {}
            Ok(number) => {
                read.push(HostPort::tcp(number).over(protocol).on(port.host_ip.as_deref().unwrap_or_default()));
            }
            Err(_) => problems
                .push(problem("spec.containers[].ports[].hostPort", format!("{number} is no port; use 1 to 65535"))),
        }
    }
    read
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::indexing_slicing)]
    use super::*;
    use keelson_core::ResourceName;
    use serde_json::{Value, json};

    fn read(value: Value) -> ReadPod {
        pod(&serde_json::from_value(value).unwrap())
    }

    #[test]
    fn what_cannot_be_read_is_a_problem_and_the_rest_is_read() {
        let pod = read(json!({"metadata": {"name": "p"}, "spec": {
            "containers": [{"name": "a", "resources": {"requests": {"cpu": "a lot", "memory": "1Mi"}},
                "ports": [{"containerPort": 80, "hostPort": 70000}, {"containerPort": 81, "hostPort": 81}]}],
            "tolerations": [{"operator": "Gt", "key": "k", "value": "5"}, {"operator": "Exists"}],
        }}));
        let fields: Vec<_> = pod.problems.iter().map(|problem| problem.field.as_str()).collect();
        assert_eq!(
            fields,
            [
                "spec.containers[0].resources.requests[cpu]",
                "spec.tolerations[0].operator",
                "spec.containers[].ports[].hostPort"
            ]
        );
        assert_eq!(pod.pod.requests.get(&ResourceName::Memory), 1 << 20);
        assert_eq!(pod.pod.host_ports, [HostPort::tcp(81)]);
        assert_eq!(pod.pod.tolerations, [Toleration::exists("")]);
    }

    #[test]
    fn affinity_selector_and_nomination_are_read() {
        let pod = read(json!({
            "metadata": {"name": "p", "namespace": "shop", "uid": "u", "labels": {"app": "web"}},
            "spec": {
                "containers": [],
                "nodeSelector": {"disk": "ssd"},
                "priority": 7,
                "affinity": {"nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": [
                    {"matchExpressions": [{"key": "zone", "operator": "In", "values": ["a"]}],
                     "matchFields": [{"key": "metadata.name", "operator": "NotIn", "values": ["n1"]}]},
                ]}}},
            },
            "status": {"nominatedNodeName": "n2"},
        }));
        assert_eq!((pod.pod.uid.as_str(), pod.pod.priority, pod.pod.nominated.as_deref()), ("u", 7, Some("n2")));
        let required = pod.pod.required.unwrap();
        assert_eq!(required[0].labels, [Requirement::new("zone", Operator::In, &["a"])]);
        assert_eq!(required[0].fields, [Requirement::new("metadata.name", Operator::NotIn, &["n1"])]);
        assert!(pod.bound_to.is_none() && !pod.ended && pod.problems.is_empty());
    }
}
