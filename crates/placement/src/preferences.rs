//! What the pods that run mean to a newcomer's scores.
//!
//! Soft spreading prefers places with few pods like it; preferences between pods draw it to some and away from others,
//! from both sides: those that run have preferences too.
//!
//! Promises: counts are over all nodes, comparisons over those that can hold the pod; the formulas are those of
//! PodTopologySpread and InterPodAffinity in kube-scheduler 1.36.

use std::collections::BTreeMap;

use crate::cycle::{Cycle, counted};
use crate::node::Node;
use crate::pod::Pod;
use crate::score::Spread;
use crate::spread::{self, HOSTNAME, SpreadConstraint};

/// A soft constraint, how many pods are in each place, and how much a place counts.
#[derive(Debug, Clone)]
struct Soft<'a> {
    constraint: &'a SpreadConstraint,
    counts: BTreeMap<&'a str, i64>,
    weight: f64,
}

/// The counts behind two scores.
#[derive(Debug, Clone)]
pub(crate) struct Preferences<'a> {
    pod: &'a Pod,
    soft: Vec<Soft<'a>>,
    drawn: BTreeMap<(&'a str, &'a str), i64>,
}

impl<'a> Preferences<'a> {
    /// Counts, for a comparison of these nodes.
    pub(crate) fn new(cycle: &Cycle<'a>, compared: &[&'a Node]) -> Self {
        let mut preferences = Self { pod: cycle.pod, soft: Vec::new(), drawn: BTreeMap::new() };
        preferences.count_soft(cycle, compared);
        preferences.count_drawn(cycle);
        preferences
    }

    fn count_soft(&mut self, cycle: &Cycle<'a>, compared: &[&'a Node]) {
        let pod = self.pod;
        let soft = pod.spread.iter().filter(|constraint| !constraint.hard);
        self.soft = soft.map(|constraint| Soft { constraint, counts: BTreeMap::new(), weight: 0.0 }).collect();
        if self.soft.is_empty() {
            return;
        }
        let whole: Vec<&Node> = compared.iter().filter(|node| self.has_places(node)).copied().collect();
        for soft in &mut self.soft {
            let key = &soft.constraint.topology_key;
            if key == HOSTNAME {
                soft.weight = spread::weight(whole.len());
            } else {
                // A node without the label is in the place without a name.
                let places = whole.iter().map(|node| (node.labels.get(key).map_or("", String::as_str), 0));
                soft.counts = places.collect();
                soft.weight = spread::weight(soft.counts.len());
            }
        }
        for node in cycle.snapshot.nodes().filter(|node| self.has_places(node)).collect::<Vec<_>>() {
            for soft in self.soft.iter_mut().filter(|soft| soft.constraint.admits(pod, node)) {
                let place = node.labels.get(&soft.constraint.topology_key).map_or("", String::as_str);
                if let Some(count) = soft.counts.get_mut(place) {
                    *count += counted(soft.constraint, pod, node);
                }
            }
        }
    }

    /// Whether a node carries the labels of all constraints; the cluster's defaults do not insist.
    fn has_places(&self, node: &Node) -> bool {
        self.pod.spread_by_default
            || self.soft.iter().all(|soft| node.labels.contains_key(&soft.constraint.topology_key))
    }

    fn count_drawn(&mut self, cycle: &Cycle<'a>) {
        let (pod, namespaces) = (self.pod, cycle.snapshot.namespaces.as_ref());
        for node in cycle.snapshot.nodes() {
            let mut draw = |weight: i64, key: &'a str| {
                if let Some(place) = node.labels.get(key) {
                    *self.drawn.entry((key, place)).or_default() += weight;
                }
            };
            for preferred in &pod.affinity.preferred {
                let term = &preferred.term;
                let speaks = |claim: &crate::pod::Claim| term.speaks_of(&claim.namespace, &claim.labels, namespaces);
                let pods = node.claims().filter(|(_, claim)| speaks(claim)).count();
                if pods > 0 {
                    draw(i64::from(preferred.weight) * i64::try_from(pods).unwrap_or(0), &term.topology_key);
                }
            }
            for (weight, term) in node.claims_with_affinity().flat_map(|claim| claim.affinity.drawing()) {
                if term.speaks_of(&pod.namespace, &pod.labels, namespaces) {
                    draw(weight, &term.topology_key);
                }
            }
        }
    }

    /// What one more of the pod on this node costs.
    pub(crate) fn spread(&self, node: &Node) -> Spread {
        if self.soft.is_empty() {
            return Spread::Not;
        }
        if !self.has_places(node) {
            return Spread::Nowhere;
        }
        let cost = |soft: &Soft<'_>| {
            let place = node.labels.get(&soft.constraint.topology_key)?;
            let count = if soft.constraint.topology_key == HOSTNAME {
                counted(soft.constraint, self.pod, node)
            } else {
                soft.counts.get(place.as_str()).copied().unwrap_or(0)
            };
            Some(soft.constraint.cost(count, soft.weight))
        };
        Spread::Costs(spread::raw(self.soft.iter().filter_map(cost).sum()))
    }

    /// How much the pods in this node's places and the pod like each other.
    pub(crate) fn drawn(&self, node: &Node) -> i64 {
        if self.drawn.is_empty() {
            return 0;
        }
        node.labels.iter().filter_map(|(key, place)| self.drawn.get(&(key.as_str(), place.as_str()))).sum()
    }
}
