//! What one pod has to know of all nodes together before it can be held against one of them.
//!
//! Spreading, the rules between pods and network cost count pods by place: by zone, by rack, by node. Those counts are made
//! once for a pod (kube-scheduler's PreFilter), and each node is then asked in constant time. What its volumes need is found
//! out with them.
//!
//! Promise: a node that is not in the snapshot has no say in any count.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use crate::bandwidth;
use crate::filter::Failure;
use crate::network::Near;
use crate::network::links::{Flows, Narrow, spot};
use crate::node::Node;
use crate::peers::PodTerm;
use crate::pod::{Claim, Pod};
use crate::snapshot::Snapshot;
use crate::spread::SpreadConstraint;
use crate::volumes::{VolumeNeeds, VolumePlan};

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
    /// What its volumes need; nothing for a pod without any.
    volumes: Option<Box<VolumeNeeds<'a>>>,
    /// The pods of its group that it is tied to.
    near: Option<Near<'a>>,
    /// What flows between places, when that bears on the pod.
    flows: Option<Box<Flows<'a>>>,
}

/// The pods of a snapshot by what they take: like pods are looked at once, wherever they are.
#[derive(Debug, Clone)]
pub struct Kinds<'a> {
    snapshot: &'a Snapshot<'a>,
    /// Each kind, and how many of it each node has.
    all: Vec<(&'a Claim, Vec<(&'a Node, i64)>)>,
}

impl<'a> Kinds<'a> {
    /// The kinds of a snapshot. Pods that share their claim are of one; `O(pods)`.
    #[must_use]
    pub fn of(snapshot: &'a Snapshot<'a>) -> Self {
        let mut kinds = Self { snapshot, all: Vec::new() };
        let mut places: HashMap<*const Claim, usize> = HashMap::new();
        for node in snapshot.nodes() {
            for claim in node.shared_claims() {
                let place = *places.entry(Arc::as_ptr(claim)).or_insert(kinds.all.len());
                if place == kinds.all.len() {
                    kinds.all.push((claim, Vec::new()));
                }
                let Some((_, there)) = kinds.all.get_mut(place) else { continue };
                match there.last_mut() {
                    Some((last, pods)) if std::ptr::eq(*last, node) => *pods += 1,
                    _ => there.push((node, 1)),
                }
            }
        }
        kinds
    }
}

impl<'a> Cycle<'a> {
    /// Counts. `O(pods)` when the pod has rules about other pods or is spread, `O(nodes)` and the pods with rules otherwise.
    #[must_use]
    pub fn new(pod: &'a Pod, snapshot: &'a Snapshot<'a>) -> Self {
        let mut cycle = Self::before_counting(pod, snapshot);
        for node in snapshot.nodes() {
            let admitted = cycle.admitted(node);
            cycle.count_places(node, &admitted);
            if cycle.asks() {
                node.claims().for_each(|(_, claim)| cycle.count(node, &admitted, claim, 1));
            } else {
                node.claims_with_affinity().for_each(|claim| cycle.count(node, &admitted, claim, 1));
            }
        }
        cycle.see_whether_first();
        cycle
    }

    /// As [`Self::new`], for one of many pods on the same snapshot: `O(kinds of pods)`, and `O(nodes)` for a pod that is spread.
    #[must_use]
    pub fn of_kinds(pod: &'a Pod, kinds: &Kinds<'a>) -> Self {
        let mut cycle = Self::before_counting(pod, kinds.snapshot);
        if !cycle.hard.is_empty() {
            for node in kinds.snapshot.nodes() {
                let admitted = cycle.admitted(node);
                cycle.count_places(node, &admitted);
            }
        }
        for (claim, there) in kinds.all.iter().filter(|(claim, _)| cycle.minds(claim)).collect::<Vec<_>>() {
            for (node, pods) in there {
                let admitted = cycle.admitted(node);
                cycle.count(node, &admitted, claim, *pods);
            }
        }
        cycle.see_whether_first();
        cycle
    }

    fn before_counting(pod: &'a Pod, snapshot: &'a Snapshot<'a>) -> Self {
        let counted = |terms: &'a [PodTerm]| terms.iter().map(|term| (term, Counts::new())).collect::<Vec<_>>();
        let hard = pod.spread.iter().filter(|constraint| constraint.hard).map(|constraint| (constraint, Counts::new()));
        Self {
            pod,
            snapshot,
            hard: hard.collect(),
            required: counted(&pod.affinity.required),
            is_first: false,
            anti: counted(&pod.affinity.anti),
            repelling: BTreeMap::new(),
            volumes: VolumeNeeds::of(pod, snapshot).map(Box::new),
            near: Near::of(pod, snapshot),
            flows: Flows::around(pod, snapshot.nodes(), snapshot.network.as_ref()).map(Box::new),
        }
    }

    /// Whether [`Self::count`] has anything to count of a pod with this claim.
    fn minds(&self, claim: &Claim) -> bool {
        let (pod, namespaces) = (self.pod, self.snapshot.namespaces.as_ref());
        let speaks = |term: &PodTerm| term.speaks_of(&claim.namespace, &claim.labels, namespaces);
        self.hard.iter().any(|(constraint, _)| constraint.counts(&pod.namespace, claim))
            || pod.affinity.requires(&claim.namespace, &claim.labels, namespaces)
            || self.anti.iter().any(|(term, _)| speaks(term))
            || claim.affinity.anti.iter().any(|term| term.speaks_of(&pod.namespace, &pod.labels, namespaces))
    }

    /// The cycle after so many more pods with this claim are on a node of the snapshot. The node itself stays as it is.
    pub fn shift(&mut self, node: &'a Node, claim: &'a Claim, more: i64) {
        let admitted = self.admitted(node);
        self.count(node, &admitted, claim, more);
        self.see_whether_first();
        self.volumes.iter_mut().for_each(|volumes| volumes.shift(claim, more));
        self.near.iter_mut().for_each(|near| near.shift(node, claim, more));
        if let Some(flows) = &mut self.flows {
            flows.add(spot(node), claim, more);
            flows.settle();
        }
    }

    /// Whether the pod has rules about pods that have none.
    fn asks(&self) -> bool {
        !(self.hard.is_empty() && self.required.is_empty() && self.anti.is_empty())
    }

    fn see_whether_first(&mut self) {
        let (pod, namespaces) = (self.pod, &self.snapshot.namespaces);
        let some = self.required.iter().any(|(_, counts)| !counts.is_empty());
        self.is_first = !some && pod.affinity.requires(&pod.namespace, &pod.labels, namespaces);
    }

    /// For which hard constraints the node counts: for none, when it lacks the label of one.
    fn admitted(&self, node: &Node) -> Vec<bool> {
        let whole = self.hard.iter().all(|(constraint, _)| node.labels.contains_key(&constraint.topology_key));
        self.hard.iter().map(|(constraint, _)| whole && constraint.admits(self.pod, node)).collect()
    }

    /// Spreading counts a place even when no pod is there.
    fn count_places(&mut self, node: &'a Node, admitted: &[bool]) {
        for ((constraint, counts), _) in self.hard.iter_mut().zip(admitted).filter(|(_, admitted)| **admitted) {
            if let Some(place) = node.labels.get(&constraint.topology_key) {
                counts.entry(place).or_default();
            }
        }
    }

    fn count(&mut self, node: &'a Node, admitted: &[bool], claim: &'a Claim, more: i64) {
        let (pod, namespaces) = (self.pod, self.snapshot.namespaces.as_ref());
        for ((constraint, counts), _) in self.hard.iter_mut().zip(admitted).filter(|(_, admitted)| **admitted) {
            if constraint.counts(&pod.namespace, claim)
                && let Some(count) =
                    node.labels.get(&constraint.topology_key).and_then(|place| counts.get_mut(place.as_str()))
            {
                *count += more;
            }
        }
        if pod.affinity.requires(&claim.namespace, &claim.labels, namespaces) {
            self.required.iter_mut().for_each(|(term, counts)| add(counts, term.place(node), more));
        }
        for (term, counts) in &mut self.anti {
            if term.speaks_of(&claim.namespace, &claim.labels, namespaces) {
                add(counts, term.place(node), more);
            }
        }
        for term in &claim.affinity.anti {
            if term.speaks_of(&pod.namespace, &pod.labels, namespaces) {
                let place = term.place(node).map(|place| (term.topology_key.as_str(), place));
                add(&mut self.repelling, place, more);
            }
        }
    }

    /// Whether pods elsewhere, or volumes, bear on where this one may go.
    #[must_use]
    pub fn looks_elsewhere(&self) -> bool {
        let rules = [self.hard.is_empty(), self.required.is_empty(), self.anti.is_empty(), self.repelling.is_empty()];
        self.volumes.is_some() || self.near.is_some() || self.flows.is_some() || rules.contains(&false)
    }

    /// What the node costs the pod over the network.
    #[must_use]
    pub fn network_cost(&self, node: &Node) -> i64 {
        self.near.as_ref().map_or(0, |near| near.cost(node))
    }

    /// What is to be written for its volumes when the node is chosen; `None` when there is nothing.
    #[must_use]
    pub fn volume_plan(&self, node: &Node) -> Option<VolumePlan> {
        self.volumes.as_ref()?.plan(node).filter(|plan| !plan.is_empty())
    }

    /// Whether volumes, spreading, the rules between pods and the network allow the node.
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
            && self.volumes.as_ref().is_none_or(|volumes| volumes.allows(node))
            && self.near.as_ref().is_none_or(|near| near.allows(node))
            && self.narrow(node).is_none()
            && bandwidth::carries(self.pod, node, &self.snapshot.network)
    }

    /// Every reason why they do not. Pods that must be apart from each other say so once.
    #[must_use]
    pub fn failures(&self, node: &Node) -> Vec<Failure> {
        let volumes = self.volumes.iter().flat_map(|volumes| volumes.failures(node)).map(Failure::Volumes);
        let mut found: Vec<Failure> =
            volumes.chain(self.hard.iter().filter_map(|hard| self.skew(hard, node))).collect();
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
        found.extend(self.narrow(node).map(Failure::Link));
        found.extend(bandwidth::failures(self.pod, node, &self.snapshot.network));
        found
    }

    fn narrow(&self, node: &Node) -> Option<Narrow> {
        let flows = self.flows.as_ref()?;
        let member = self.snapshot.network.member(&self.pod.namespace, &self.pod.labels)?;
        flows.narrow(&member, spot(node))
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

/// Counts in a place, and forgets the place when nobody is left there.
fn add<K: Ord + Copy>(counts: &mut BTreeMap<K, i64>, place: Option<K>, more: i64) {
    let Some(place) = place else { return };
    let count = counts.entry(place).or_default();
    *count += more;
    if *count == 0 {
        counts.remove(&place);
    }
}

/// The node's place in a term's sense, and how many pods are counted there.
fn there<'n>(term: &PodTerm, counts: &Counts<'_>, node: &'n Node) -> Option<(&'n str, i64)> {
    let place = term.place(node)?;
    Some((place, counts.get(place).copied().unwrap_or(0)))
}

/// How many pods on the node a constraint counts for this pod.
pub(crate) fn counted(constraint: &SpreadConstraint, pod: &Pod, node: &Node) -> i64 {
    let counts = |(_, claim): &(&str, &Claim)| constraint.counts(&pod.namespace, claim);
    i64::try_from(node.claims().filter(counts).count()).unwrap_or(i64::MAX)
}
