//! Which nodes a pod insists on, and which it would like.
//!
//! A term is a list of conditions on labels and on the node's name that must all hold; a pod's required terms are
//! alternatives. The node selector is asked besides, not instead.
//!
//! Promises: a term without conditions matches no node, and so does an empty list of terms; a missing label satisfies
//! `NotIn` and `DoesNotExist`; of the fields only `metadata.name` exists.

use std::collections::BTreeMap;

use keelson_core::selector::{Operator, Requirement};
use serde::{Deserialize, Serialize};

use crate::filter::Failure;
use crate::node::Node;
use crate::pod::Pod;

/// The one field that node affinity can ask for.
const NAME_FIELD: &str = "metadata.name";

/// Conditions that must all hold.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
pub struct NodeTerm {
    /// `matchExpressions`: conditions on labels.
    #[serde(default)]
    pub labels: Vec<Requirement>,
    /// `matchFields`: conditions on fields.
    #[serde(default)]
    pub fields: Vec<Requirement>,
}

impl NodeTerm {
    /// The term that asks for one label value.
    #[must_use]
    pub fn label(key: &str, value: &str) -> Self {
        Self::default().and(Requirement::new(key, Operator::In, &[value]))
    }

    /// The same term with one more condition on a label.
    #[must_use]
    pub fn and(mut self, label: Requirement) -> Self {
        self.labels.push(label);
        self
    }

    /// The same term with one more condition on a field.
    #[must_use]
    pub fn and_field(mut self, field: Requirement) -> Self {
        self.fields.push(field);
        self
    }

    /// Whether `node` meets every condition.
    #[must_use]
    pub fn matches(&self, node: &Node) -> bool {
        let asks = !self.labels.is_empty() || !self.fields.is_empty();
        asks && self.labels.iter().all(|wanted| wanted.matches(node.labels.get(&wanted.key).map(String::as_str)))
            && self.names(node)
    }

    /// Whether a node with these labels meets every condition, whatever it is called.
    #[must_use]
    pub fn matches_labels(&self, labels: &BTreeMap<String, String>) -> bool {
        let asks = !self.labels.is_empty() || !self.fields.is_empty();
        asks && self.labels.iter().all(|wanted| wanted.matches(labels.get(&wanted.key).map(String::as_str)))
            && self.fields.iter().all(|wanted| wanted.matches(None))
    }

    /// Whether `node` meets the conditions on fields.
    fn names(&self, node: &Node) -> bool {
        self.fields.iter().all(|wanted| wanted.matches((wanted.key == NAME_FIELD).then_some(&node.name)))
    }
}

/// A term and what meeting it is worth.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct PreferredTerm {
    /// 1 to 100.
    pub weight: i32,
    /// The conditions.
    pub term: NodeTerm,
}

/// Why the node selector and the required terms exclude `node`; at most one failure of each.
#[must_use]
pub fn misses(pod: &Pod, node: &Node) -> Vec<Failure> {
    let missing: Vec<String> = pod
        .node_selector
        .iter()
        .filter(|(key, value)| node.labels.get(*key) != Some(*value))
        .map(|(key, value)| format!("{key}={value}"))
        .collect();
    let selector = (!missing.is_empty()).then_some(Failure::Selector { missing });
    let unmatched = pod.required.as_ref().filter(|terms| !terms.iter().any(|term| term.matches(node)));
    let failure = unmatched.map(|terms| Failure::Affinity {
        terms: terms.len(),
        by_name: !terms.is_empty() && terms.iter().all(|term| !term.fields.is_empty() && !term.names(node)),
    });
    selector.into_iter().chain(failure).collect()
}

/// Whether [`misses`] would be empty.
#[must_use]
pub fn allows(pod: &Pod, node: &Node) -> bool {
    pod.node_selector.iter().all(|(key, value)| node.labels.get(key) == Some(value))
        && pod.required.as_ref().is_none_or(|terms| terms.iter().any(|term| term.matches(node)))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]
    use super::*;

    fn node() -> Node {
        Node::new("n1", []).label("zone", "b").label("cores", "8").label("word", "eight")
    }

    #[test]
    fn each_operator_matches_what_kubernetes_says() {
        let rows = [
            ("zone", Operator::In, &["a", "b"][..], true),
            ("zone", Operator::In, &["a"], false),
            ("rack", Operator::In, &["a"], false),
            ("zone", Operator::NotIn, &["b"], false),
            ("rack", Operator::NotIn, &["b"], true),
            ("zone", Operator::Exists, &[], true),
            ("rack", Operator::Exists, &[], false),
            ("zone", Operator::DoesNotExist, &[], false),
            ("rack", Operator::DoesNotExist, &[], true),
            ("cores", Operator::Gt, &["7"], true),
            ("cores", Operator::Gt, &["8"], false),
            ("cores", Operator::Lt, &["9"], true),
            ("word", Operator::Lt, &["9"], false),
            ("rack", Operator::Gt, &["1"], false),
        ];
        for (key, op, values, expected) in rows {
            let term = NodeTerm::default().and(Requirement::new(key, op, values));
            assert_eq!(term.matches(&node()), expected, "{key} {op} {values:?}");
        }
    }

    #[test]
    fn an_empty_term_and_an_empty_list_of_terms_match_nothing() {
        assert!(!NodeTerm::default().matches(&node()));
        let mut pod = Pod::new("shop", "cart");
        assert!(misses(&pod, &node()).is_empty());
        pod.required = Some(Vec::new());
        assert_eq!(misses(&pod, &node()), [Failure::Affinity { terms: 0, by_name: false }]);
    }

    #[test]
    fn one_matching_term_is_enough_but_the_selector_is_asked_besides() {
        let pod = Pod::new("shop", "cart").requiring(NodeTerm::label("zone", "a"));
        assert_eq!(misses(&pod, &node()), [Failure::Affinity { terms: 1, by_name: false }]);
        let pod = pod.requiring(NodeTerm::label("zone", "b"));
        assert!(misses(&pod, &node()).is_empty());
        let pod = pod.selecting("disk", "ssd");
        assert_eq!(misses(&pod, &node()), [Failure::Selector { missing: vec!["disk=ssd".into()] }]);
    }

    #[test]
    fn a_field_term_picks_the_node_by_name_and_knows_no_other_field() {
        let by = |field, name| NodeTerm::default().and_field(Requirement::new(field, Operator::In, &[name]));
        assert!(by(NAME_FIELD, "n1").matches(&node()));
        assert!(!by(NAME_FIELD, "n2").matches(&node()));
        assert!(!by("metadata.uid", "n1").matches(&node()));
    }
}
