//! Which pods a rule between pods speaks of.
//!
//! Affinity and anti-affinity name other pods by their labels and namespaces, and a kind of place by a label of nodes. A
//! term is symmetric in one respect: whoever runs may keep a newcomer away that says nothing itself.
//!
//! Promises: a term without a selector speaks of nobody, one with an empty selector of everybody in its namespaces; a
//! namespace that is not known has no labels.

use std::collections::{BTreeMap, BTreeSet};

use keelson_core::selector::LabelSelector;
use serde::{Deserialize, Serialize};

use crate::node::Node;

/// Labels of pods, nodes or namespaces.
pub type Labels = BTreeMap<String, String>;

/// The labels of the namespaces there are.
pub type Namespaces = BTreeMap<String, Labels>;

/// Pods, and the kind of place that they share or avoid.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
pub struct PodTerm {
    /// Namespaces by name.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub namespaces: BTreeSet<String>,
    /// Namespaces by their labels, besides those by name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub namespace_selector: Option<LabelSelector>,
    /// The pods in them; none is nobody.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub selector: Option<LabelSelector>,
    /// The label whose value nodes of one place have in common.
    pub topology_key: String,
}

impl PodTerm {
    /// The term that speaks of the pods of a namespace with one label.
    #[must_use]
    pub fn label(namespace: &str, key: &str, value: &str, topology_key: &str) -> Self {
        let match_labels = BTreeMap::from([(key.to_owned(), value.to_owned())]);
        Self {
            namespaces: BTreeSet::from([namespace.to_owned()]),
            selector: Some(LabelSelector { match_labels, ..LabelSelector::default() }),
            topology_key: topology_key.to_owned(),
            ..Self::default()
        }
    }

    /// Whether it speaks of a pod with these labels in this namespace.
    #[must_use]
    pub fn speaks_of(&self, namespace: &str, labels: &Labels, namespaces: &Namespaces) -> bool {
        LabelSelector::matches_optional(self.selector.as_ref(), labels) && self.looks_into(namespace, namespaces)
    }

    /// A node's place in the term's sense.
    #[must_use]
    pub fn place<'n>(&self, node: &'n Node) -> Option<&'n str> {
        node.labels.get(&self.topology_key).map(String::as_str)
    }

    fn looks_into(&self, namespace: &str, namespaces: &Namespaces) -> bool {
        static NONE: Labels = Labels::new();
        self.namespaces.contains(namespace)
            || self
                .namespace_selector
                .as_ref()
                .is_some_and(|wanted| wanted.matches(namespaces.get(namespace).unwrap_or(&NONE)))
    }
}

/// A term and what being with those pods is worth; below zero, being apart from them.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct WeightedPodTerm {
    /// 1 to 100 for affinity, −1 to −100 for anti-affinity.
    pub weight: i32,
    /// The pods and the kind of place.
    pub term: PodTerm,
}

/// A pod's rules about other pods.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
pub struct PodAffinity {
    /// Required affinity: pods that every one of these speaks of must run in each term's place.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub required: Vec<PodTerm>,
    /// Required anti-affinity: nobody of these may run in the term's place.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub anti: Vec<PodTerm>,
    /// Preferences of both kinds.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub preferred: Vec<WeightedPodTerm>,
}

impl PodAffinity {
    /// Whether it says nothing.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.required.is_empty() && self.anti.is_empty() && self.preferred.is_empty()
    }

    /// Whether every required term speaks of a pod with these labels; without terms, of nobody.
    #[must_use]
    pub fn requires(&self, namespace: &str, labels: &Labels, namespaces: &Namespaces) -> bool {
        !self.required.is_empty() && self.required.iter().all(|term| term.speaks_of(namespace, labels, namespaces))
    }

    /// The labels of nodes that its terms look at.
    pub fn topology_keys(&self) -> impl Iterator<Item = &str> {
        let preferred = self.preferred.iter().map(|preferred| &preferred.term);
        self.required.iter().chain(&self.anti).chain(preferred).map(|term| term.topology_key.as_str())
    }

    /// What the preferences and required terms of a pod that runs are worth to a newcomer, and in which kind of place: a
    /// required one counts as a preference of 1 (`hardPodAffinityWeight`).
    pub fn drawing(&self) -> impl Iterator<Item = (i64, &PodTerm)> {
        let hard = self.required.iter().map(|term| (1, term));
        hard.chain(self.preferred.iter().map(|preferred| (i64::from(preferred.weight), &preferred.term)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn labels(app: &str) -> Labels {
        BTreeMap::from([("app".to_owned(), app.to_owned())])
    }

    #[test]
    fn a_term_speaks_of_pods_by_labels_in_namespaces_by_name_or_by_labels() {
        let known = Namespaces::from([("shop".into(), labels("team")), ("other".into(), Labels::new())]);
        let web = PodTerm::label("shop", "app", "web", "zone");
        assert!(web.speaks_of("shop", &labels("web"), &known));
        assert!(!web.speaks_of("shop", &labels("db"), &known));
        assert!(!web.speaks_of("other", &labels("web"), &known));
        let by = |match_labels| Some(LabelSelector { match_labels, ..LabelSelector::default() });
        let selected = PodTerm { namespace_selector: by(labels("team")), namespaces: BTreeSet::new(), ..web.clone() };
        assert!(selected.speaks_of("shop", &labels("web"), &known));
        assert!(!selected.speaks_of("other", &labels("web"), &known));
        let all = PodTerm { namespace_selector: by(Labels::new()), ..web.clone() };
        assert!(all.speaks_of("unknown", &labels("web"), &known));
        let nobody = PodTerm { selector: None, ..all.clone() };
        assert!(!nobody.speaks_of("shop", &labels("web"), &known));
        let everybody = PodTerm { selector: by(Labels::new()), ..all };
        assert!(everybody.speaks_of("shop", &labels("db"), &known));
    }

    #[test]
    fn required_affinity_speaks_of_those_that_all_its_terms_speak_of() {
        let none = Namespaces::new();
        let of = |required| PodAffinity { required, ..PodAffinity::default() };
        let web = PodTerm::label("shop", "app", "web", "zone");
        let rack = PodTerm { topology_key: "rack".into(), ..web.clone() };
        let db = PodTerm::label("shop", "app", "db", "zone");
        assert!(of(vec![web.clone(), rack]).requires("shop", &labels("web"), &none));
        assert!(!of(vec![web, db]).requires("shop", &labels("web"), &none));
        assert!(!of(Vec::new()).requires("shop", &labels("web"), &none));
    }
}
