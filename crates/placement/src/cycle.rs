//! What one pod has to know of all nodes together before it can be held against one of them.
//!
//! Spreading, the rules between pods and network cost count pods by place: by zone, by rack, by node. Those counts are made once for a
//! pod (kube-scheduler's PreFilter), and each node is then asked in constant time.
//!
//! Promise: a node that is not in the snapshot has no say in any count.

use std::collections::BTreeMap;

use crate::filter::Failure;
use crate::network::Near;
use crate::node::Node;
use crate::peers::PodTerm;
use crate::pod::{Claim, Pod};
use crate::snapshot::Snapshot;
use crate::spread::SpreadConstraint;

/// How many pods there are, by the value of a node label.
type Counts<'a> = BTreeMap<&'a str, i64>;

/// One pod, and the counts of its snapshot.
#[derive(Debug, Clone)]
pub struct Cycle<'a> {
    /// The pod.
    pub pod: &'a Pod,
    /// The cluster.
    pub snapshot: &'a Snapshot<'a>,
    hard: Vec<(&'a SpreadConstraint, Counts<'a>)>,
    required: Vec<(&'a PodTerm, Counts<'a>)>,
    /// Nobody runs anywhere whom the required terms speak of, but they speak of the pod itself: it may be the first.
    is_first: bool,
    anti: Vec<(&'a PodTerm, Counts<'a>)>,
    /// By label and value: how many pods keep it away there.
    repelling: BTreeMap<(&'a str, &'a str), i64>,
    /// The pods of its group that it is tied to.
    near: Option<Near<'a>>,
}

impl<'a> Cycle<'a> {
    /// Counts. `O(pods)` when the pod has rules about other pods or is spread, `O(nodes)` and the pods with rules otherwise.
    #[must_use]
    pub fn new(pod: &'a Pod, snapshot: &'a Snapshot<'a>) -> Self {
        let counted = |terms: &'a [PodTerm]| terms.iter().map(|term| (term, Counts::new())).collect::<Vec<_>>();
        let hard = pod.spread.iter().filter(|constraint| constraint.hard).map(|constraint| (constraint, Counts::new()));
        let mut cycle = Self {
            pod,
            snapshot,
            hard: hard.collect(),
            required: counted(&pod.affinity.required),
            is_first: false,
            anti: counted(&pod.affinity.anti),
            repelling: BTreeMap::new(),
            near: Near::of(pod, snapshot),
        };
        cycle.count_spread();
        cycle.count_peers();
        let some = cycle.required.iter().any(|(_, counts)| !counts.is_empty());
        cycle.is_first = !some && pod.affinity.requires(&pod.namespace, &pod.labels, &snapshot.namespaces);
        cycle
    }

    fn count_spread(&mut self) {
        let pod = self.pod;
        if self.hard.is_empty() {
            return;
        }
        for node in self.snapshot.nodes() {
            if self.hard.iter().any(|(constraint, _)| !node.labels.contains_key(&constraint.topology_key)) {
                continue;
            }
            for (constraint, counts) in self.hard.iter_mut().filter(|(constraint, _)| constraint.admits(pod, node)) {
                if let Some(place) = node.labels.get(&constraint.topology_key) {
                    *counts.entry(place).or_default() += counted(constraint, pod, node);
                }
            }
        }
    }

    fn count_peers(&mut self) {
        let (pod, namespaces) = (self.pod, self.snapshot.namespaces.as_ref());
        let asks = !(self.required.is_empty() && self.anti.is_empty());
        for node in self.snapshot.nodes() {
            for (_, claim) in node.claims().filter(|_| asks) {
                if pod.affinity.requires(&claim.namespace, &claim.labels, namespaces) {
                    self.required.iter_mut().for_each(|(term, counts)| count(term, counts, node));
                }
                for (term, counts) in &mut self.anti {
                    if term.speaks_of(&claim.namespace, &claim.labels, namespaces) {
                        count(term, counts, node);
                    }
                }
            }
            for term in node.claims_with_affinity().flat_map(|claim| &claim.affinity.anti) {
                if let Some(place) = node.labels.get(&term.topology_key)
                    && term.speaks_of(&pod.namespace, &pod.labels, namespaces)
                {
                    *self.repelling.entry((&term.topology_key, place)).or_default() += 1;
                }
            }
        }
    }

    /// Whether pods elsewhere bear on where this one may go.
    #[must_use]
    pub fn looks_elsewhere(&self) -> bool {
        let rules = [self.hard.is_empty(), self.required.is_empty(), self.anti.is_empty(), self.repelling.is_empty()];
        self.near.is_some() || rules.contains(&false)
    }

    /// What the node costs the pod over the network.
    #[must_use]
    pub fn network_cost(&self, node: &Node) -> i64 {
        self.near.as_ref().map_or(0, |near| near.cost(node))
    }

    /// Whether spreading and the rules between pods allow the node.
    #[must_use]
    pub fn allows(&self, node: &Node) -> bool {
        self.hard.iter().all(|hard| self.skew(hard, node).is_none())
            && (self.is_first && self.required.iter().all(|(term, _)| node.labels.contains_key(&term.topology_key))
                || self
                    .required
                    .iter()
                    .all(|(term, counts)| there(term, counts, node).is_some_and(|(_, pods)| pods > 0)))
            && self.anti.iter().all(|(term, counts)| there(term, counts, node).is_none_or(|(_, pods)| pods == 0))
            && self.repelled(node).next().is_none()
            && self.near.as_ref().is_none_or(|near| near.allows(node))
    }

    /// Every reason why they do not. Pods that must be apart from each other say so once.
    #[must_use]
    pub fn failures(&self, node: &Node) -> Vec<Failure> {
        let mut found: Vec<Failure> = self.hard.iter().filter_map(|hard| self.skew(hard, node)).collect();
        for (term, counts) in &self.required {
            let key = term.topology_key.clone();
            match there(term, counts, node) {
                Some((_, pods)) if pods > 0 || self.is_first => {}
                place => found.push(Failure::NoPeers { key, place: place.map(|(place, _)| place.to_owned()) }),
            }
        }
        for (term, counts) in &self.anti {
            if let Some((place, pods)) = there(term, counts, node).filter(|(_, pods)| *pods > 0) {
                found.push(Failure::Peers { key: term.topology_key.clone(), place: place.to_owned(), pods });
            }
        }
        for (key, place, pods) in self.repelled(node) {
            let (key, place) = (key.to_owned(), place.to_owned());
            if !found.contains(&Failure::Peers { key: key.clone(), place: place.clone(), pods }) {
                found.push(Failure::Repelled { key, place, pods });
            }
        }
        found.extend(self.near.iter().flat_map(|near| near.failures(node)));
        found
    }

    fn skew(&self, (constraint, counts): &(&SpreadConstraint, Counts<'_>), node: &Node) -> Option<Failure> {
        let key = &constraint.topology_key;
        let Some(place) = node.labels.get(key) else {
            return Some(Failure::NoTopology { key: key.clone() });
        };
        let fewest = constraint.fewest(counts.len(), counts.values().copied().min().unwrap_or(0));
        let pods = counts.get(place.as_str()).copied().unwrap_or(0);
        constraint.is_too_much(pods, constraint.selects(&self.pod.labels), fewest).then(|| Failure::Skew {
            key: key.clone(),
            place: place.clone(),
            pods,
            fewest,
            allowed: constraint.max_skew,
        })
    }

    fn repelled<'n>(&self, node: &'n Node) -> impl Iterator<Item = (&'n str, &'n str, i64)> {
        let labels = node.labels.iter().filter(|_| !self.repelling.is_empty());
        labels.filter_map(|(key, place)| {
            let pods = self.repelling.get(&(key.as_str(), place.as_str()))?;
            Some((key.as_str(), place.as_str(), *pods))
        })
    }
}

fn count<'a>(term: &PodTerm, counts: &mut Counts<'a>, node: &'a Node) {
    if let Some(place) = node.labels.get(&term.topology_key) {
        *counts.entry(place).or_default() += 1;
    }
}

/// The node's place in a term's sense, and how many pods are counted there.
fn there<'n>(term: &PodTerm, counts: &Counts<'_>, node: &'n Node) -> Option<(&'n str, i64)> {
    let place = node.labels.get(&term.topology_key)?;
    Some((place, counts.get(place.as_str()).copied().unwrap_or(0)))
}

/// How many pods on the node a constraint counts for this pod.
pub(crate) fn counted(constraint: &SpreadConstraint, pod: &Pod, node: &Node) -> i64 {
    let counts = |(_, claim): &(&str, &Claim)| constraint.counts(&pod.namespace, claim);
    i64::try_from(node.claims().filter(counts).count()).unwrap_or(i64::MAX)
}
