//! Which nodes a pod's neighbours leave open: required pod affinity and anti-affinity, hard topology spread.
//!
//! Counted plainly from the pods a term selects, for the stand-in scheduler and the checker. What existing pods ask of
//! newcomers is only seen where both are of one workload.

use std::collections::{BTreeMap, BTreeSet};

use keelson_core::selector::LabelSelector;

use super::demand::{Demand, is_finished};
use super::read::{Key, at, entry, int, labels, list, namespace, selector, text, uid};
use super::replicaset::is_active;
use super::seen::Seen;
use super::suits::NodeFacts;
use crate::tree::Value;

/// Pods that wait for something on a node that keeps their place.
pub type Assumed = BTreeMap<Key, (String, Demand)>;

/// What a pod's neighbours ask.
#[derive(Debug, Default)]
pub struct Neighbours {
    /// Domains that must be entered: key, values; none of them yet means any, when the pod selects itself.
    near: Vec<(String, BTreeSet<String>, bool)>,
    /// Domains that must not: key, values.
    apart: Vec<(String, BTreeSet<String>)>,
    /// Spread: key, pods by domain, how many a domain may have.
    spread: Vec<(String, BTreeMap<String, i64>, i64)>,
}

impl Neighbours {
    /// Reads the terms of a pod. `assumed` are pods with a promised node.
    #[must_use]
    pub fn of(seen: &Seen, assumed: &Assumed, pod: &Value) -> Self {
        let domains = |term: &Value, counts: fn(&Value) -> bool| domains(seen, assumed, pod, term, counts);
        // Leaving pods still hold others off, and still attract; they no longer count as spread.
        let present = |other: &Value| !is_finished(other);
        let terms = |kind: &str| {
            let path = format!("spec.affinity.{kind}.requiredDuringSchedulingIgnoredDuringExecution");
            list(pod, &path).iter()
        };
        let own = labels(pod);
        let near = terms("podAffinity").map(|term| {
            let selects_itself = selector(term, "labelSelector").is_some_and(|wanted| wanted.matches(&own));
            (text(term, "topologyKey").to_owned(), domains(term, present).into_keys().collect(), selects_itself)
        });
        let apart = terms("podAntiAffinity")
            .map(|term| (text(term, "topologyKey").to_owned(), domains(term, present).into_keys().collect()));
        let hard = list(pod, "spec.topologySpreadConstraints").iter();
        let hard = hard.filter(|constraint| text(constraint, "whenUnsatisfiable") == "DoNotSchedule");
        let spread = hard.map(|constraint| {
            let key = text(constraint, "topologyKey").to_owned();
            let known = domains(constraint, is_active);
            let eligible = seen.nodes().values().filter(|node| node.is_selected_by(pod));
            let here: BTreeSet<&String> = eligible.filter_map(|node| node.labels.get(&key)).collect();
            let counts: BTreeMap<String, i64> =
                here.into_iter().map(|domain| (domain.clone(), known.get(domain).copied().unwrap_or(0))).collect();
            let enough =
                int(constraint, "minDomains").is_none_or(|least| i64::try_from(counts.len()).unwrap_or(0) >= least);
            let lowest = if enough { counts.values().min().copied().unwrap_or(0) } else { 0 };
            (key, counts, lowest + int(constraint, "maxSkew").unwrap_or(1))
        });
        Self { near: near.collect(), apart: apart.collect(), spread: spread.collect() }
    }

    /// Whether the pod asks to be kept apart from others.
    #[must_use]
    pub fn asks_for_distance(&self) -> bool {
        !self.apart.is_empty()
    }

    /// Whether a node keeps the pod apart from those it asks to be.
    #[must_use]
    pub fn is_apart_on(&self, node: &NodeFacts) -> bool {
        !self.apart.iter().any(|(key, domains)| node.labels.get(key).is_some_and(|domain| domains.contains(domain)))
    }

    /// Whether a node is open, or why not, in upstream's words.
    ///
    /// # Errors
    /// The first rule broken.
    pub fn open(&self, node: &NodeFacts) -> Result<(), &'static str> {
        let domain = |key: &String| node.labels.get(key);
        let close = |(key, domains, itself): &(String, BTreeSet<String>, bool)| {
            domain(key).is_some_and(|domain| domains.contains(domain) || domains.is_empty() && *itself)
        };
        if !self.near.iter().all(close) {
            return Err("node(s) didn't match pod affinity rules");
        }
        if !self.is_apart_on(node) {
            return Err("node(s) didn't match pod anti-affinity rules");
        }
        let even = |(key, counts, most): &(String, BTreeMap<String, i64>, i64)| {
            domain(key).is_some_and(|domain| counts.get(domain).copied().unwrap_or(0) < *most)
        };
        if self.spread.iter().all(even) { Ok(()) } else { Err("node(s) didn't match pod topology spread constraints") }
    }
}

/// How many pods a term selects in each domain.
fn domains(
    seen: &Seen,
    assumed: &Assumed,
    pod: &Value,
    term: &Value,
    counts: fn(&Value) -> bool,
) -> BTreeMap<String, i64> {
    let mut found = BTreeMap::new();
    let Some(wanted) = selector(term, "labelSelector") else { return found };
    let wanted = with_own_values(wanted, pod, term);
    let key = text(term, "topologyKey");
    let named = list(term, "namespaces").iter().filter_map(Value::as_str);
    let spaces: Vec<&str> = if list(term, "namespaces").is_empty() { vec![namespace(pod)] } else { named.collect() };
    for other in spaces.into_iter().flat_map(|space| seen.selected(space, &wanted)) {
        let promised = assumed.get(&Key::of(&other)).map(|(node, _)| node.as_str());
        let node = seen.nodes().get(promised.unwrap_or_else(|| text(&other, "spec.nodeName")));
        if counts(&other)
            && uid(&other) != uid(pod)
            && let Some(domain) = node.and_then(|node| node.labels.get(key))
        {
            *found.entry(domain.clone()).or_default() += 1;
        }
    }
    found
}

/// `matchLabelKeys`: the pod's own values are part of the selector.
fn with_own_values(mut wanted: LabelSelector, pod: &Value, term: &Value) -> LabelSelector {
    for key in at(term, "matchLabelKeys").and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str) {
        if let Some(value) = entry(pod, "metadata.labels", key) {
            wanted.match_labels.insert(key.to_owned(), value.to_owned());
        }
    }
    wanted
}
