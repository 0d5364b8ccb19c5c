//! Whether a node suits a pod: selector, required node affinity, taints.
//!
//! The rules of Kubernetes, evaluated plainly on the objects themselves; used by the kubelet's admission, the DaemonSet
//! controller and the stand-in scheduler.

use std::collections::BTreeMap;

use keelson_core::Resources;
use keelson_core::selector::Requirement;

use super::read::{amounts, at, labels, list, name, strings, text, yes};
use crate::tree::Value;

/// What placing needs to know of a node.
#[derive(Debug, Clone, Default)]
pub struct NodeFacts {
    /// Its name.
    pub name: String,
    /// Its labels.
    pub labels: BTreeMap<String, String>,
    /// Its taints, with that of a cordon.
    pub taints: Vec<Taint>,
    /// What pods may request of it.
    pub allocatable: Resources,
}

/// `spec.taints` of a node.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Taint {
    /// Its key.
    pub key: String,
    /// Its value, or nothing.
    pub value: String,
    /// `NoSchedule`, `PreferNoSchedule` or `NoExecute`.
    pub effect: String,
}

/// The taint that stands for `spec.unschedulable`.
pub const CORDON: &str = "node.kubernetes.io/unschedulable";

impl NodeFacts {
    /// Reads a node.
    #[must_use]
    pub fn of(node: &Value) -> Self {
        let mut taints: Vec<Taint> = list(node, "spec.taints")
            .iter()
            .map(|taint| Taint {
                key: text(taint, "key").to_owned(),
                value: text(taint, "value").to_owned(),
                effect: text(taint, "effect").to_owned(),
            })
            .collect();
        if yes(node, "spec.unschedulable") && !taints.iter().any(|taint| taint.key == CORDON) {
            taints.push(Taint { key: CORDON.into(), value: String::new(), effect: "NoSchedule".into() });
        }
        Self {
            name: name(node).to_owned(),
            labels: labels(node),
            taints,
            allocatable: amounts(node, "status.allocatable"),
        }
    }

    /// Whether the node meets the pod's `nodeSelector` and required node affinity.
    #[must_use]
    pub fn is_selected_by(&self, pod: &Value) -> bool {
        let selected = strings(pod, "spec.nodeSelector").iter().all(|(key, value)| self.labels.get(key) == Some(value));
        let required = at(pod, "spec.affinity.nodeAffinity.requiredDuringSchedulingIgnoredDuringExecution");
        selected && required.is_none_or(|required| self.meets_terms(list(required, "nodeSelectorTerms")))
    }

    /// Whether one of the node selector terms holds; a term that says nothing never does.
    #[must_use]
    pub fn meets_terms(&self, terms: &[Value]) -> bool {
        terms.iter().any(|term| {
            let (expressions, fields) = (list(term, "matchExpressions"), list(term, "matchFields"));
            let on_label = |wanted: &Requirement| wanted.matches(self.labels.get(&wanted.key).map(String::as_str));
            let on_field = |wanted: &Requirement| wanted.key == "metadata.name" && wanted.matches(Some(&self.name));
            (!expressions.is_empty() || !fields.is_empty())
                && expressions.iter().all(|expression| requirement(expression).is_some_and(|wanted| on_label(&wanted)))
                && fields.iter().all(|field| requirement(field).is_some_and(|wanted| on_field(&wanted)))
        })
    }

    /// The first taint with one of the effects that the pod does not tolerate.
    #[must_use]
    pub fn repels(&self, tolerations: &[Value], effects: &[&str]) -> Option<&Taint> {
        let mut hard = self.taints.iter().filter(|taint| effects.contains(&taint.effect.as_str()));
        hard.find(|taint| !tolerations.iter().any(|toleration| taint.is_tolerated_by(toleration)))
    }
}

impl Taint {
    /// Whether a toleration covers this taint.
    #[must_use]
    pub fn is_tolerated_by(&self, toleration: &Value) -> bool {
        let (key, effect) = (text(toleration, "key"), text(toleration, "effect"));
        let value = match text(toleration, "operator") {
            "Exists" => true,
            "" | "Equal" => text(toleration, "value") == self.value,
            _ => false,
        };
        value && (effect.is_empty() || effect == self.effect) && (key.is_empty() || key == self.key)
    }
}

fn requirement(value: &Value) -> Option<Requirement> {
    value.read().ok()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::indexing_slicing)]
    use crate::tree::json;

    use super::*;

    fn node() -> NodeFacts {
        NodeFacts::of(&json!({"metadata": {"name": "a", "labels": {"zone": "z1"}},
            "spec": {"unschedulable": true, "taints": [{"key": "gpu", "value": "yes", "effect": "NoSchedule"}]}}))
    }

    #[test]
    fn a_term_needs_all_its_parts_and_one_term_is_enough() {
        let affinity = |terms: Value| {
            json!({"spec": {"affinity": {"nodeAffinity": {
                "requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": terms}}}}})
        };
        let zone = json!({"matchExpressions": [{"key": "zone", "operator": "In", "values": ["z1"]}]});
        let named = json!({"matchFields": [{"key": "metadata.name", "operator": "In", "values": ["b"]}]});
        assert!(node().is_selected_by(&affinity(json!([named, zone]))));
        assert!(!node().is_selected_by(&affinity(json!([named]))));
        assert!(!node().is_selected_by(&affinity(json!([{}]))));
        assert!(!node().is_selected_by(&json!({"spec": {"nodeSelector": {"zone": "z2"}}})));
    }

    #[test]
    fn a_cordon_is_a_taint() {
        let gpu = json!({"key": "gpu", "operator": "Equal", "value": "yes"});
        let hard = ["NoSchedule"];
        assert_eq!(node().repels(std::slice::from_ref(&gpu), &hard).unwrap().key, CORDON);
        assert!(node().repels(&[gpu, json!({"key": CORDON, "operator": "Exists"})], &hard).is_none());
    }
}
