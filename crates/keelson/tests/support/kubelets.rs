//! What kubelets refuse, for nodes that have none.
//!
//! The API server binds whatever it is asked to; it is the kubelet that admits a pod or fails it, in the order in which pods
//! reach it (1.36, `pkg/kubelet/lifecycle/predicate.go`: resources and host ports, node name and affinity). kwok runs all.
#![allow(dead_code, clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use std::collections::BTreeMap;

use serde_json::{Value, json};

/// The text at a pointer; empty when it is not there.
pub fn text<'a>(value: &'a Value, pointer: &str) -> &'a str {
    value.pointer(pointer).and_then(Value::as_str).unwrap_or_default()
}

/// Millicores that a pod asks for.
pub fn cpu(pod: &Value) -> i64 {
    let asked = text(pod, "/spec/containers/0/resources/requests/cpu");
    asked.strip_suffix('m').map_or(0, |number| number.parse().unwrap())
}

/// The host port it takes.
pub fn port(pod: &Value) -> Option<i64> {
    pod.pointer("/spec/containers/0/ports/0/hostPort")?.as_i64()
}

/// A pod that does not fit, and those that came before it.
#[derive(Debug)]
pub struct Refusal<'a> {
    pub pod: &'a Value,
    pub node: &'a str,
    pub reason: &'static str,
    pub message: String,
    /// The names of those that have what it lacks.
    pub holders: Vec<&'a str>,
}

impl Refusal<'_> {
    /// The status that the kubelet gives it.
    pub fn status(&self) -> Value {
        json!({"status": {"phase": "Failed", "reason": self.reason, "message": self.message}})
    }
}

/// Whom the kubelets of nodes with so many millicores refuse, of pods in the order in which they were bound.
pub fn refusals<'a>(bound: impl IntoIterator<Item = &'a Value>, allocatable: i64) -> Vec<Refusal<'a>> {
    let mut nodes: BTreeMap<&str, Vec<&Value>> = BTreeMap::new();
    let mut refused = Vec::new();
    for pod in bound {
        let node = text(pod, "/spec/nodeName");
        let there = nodes.entry(node).or_default();
        let used: i64 = there.iter().copied().map(cpu).sum();
        let names = |of: Vec<&&'a Value>| of.into_iter().map(|pod| text(pod, "/metadata/name")).collect();
        let asked = cpu(pod);
        if asked > 0 && used + asked > allocatable {
            let message = format!(
                "Pod was rejected: Node didn't have enough resource: cpu, requested: {asked}, used: {used}, capacity: {allocatable}"
            );
            refused.push(Refusal { pod, node, reason: "OutOfcpu", message, holders: names(there.iter().collect()) });
            continue;
        }
        let same: Vec<&&Value> = there.iter().filter(|other| port(pod).is_some() && port(other) == port(pod)).collect();
        if !same.is_empty() {
            let message = "Pod was rejected: Predicate NodePorts failed: node(s) didn't have free ports".to_owned();
            refused.push(Refusal { pod, node, reason: "NodePorts", message, holders: names(same) });
            continue;
        }
        there.push(pod);
    }
    refused
}
