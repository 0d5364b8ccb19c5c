//! What each node costs one pod.
//!
//! The pod's ties lead to pods of its group. They are counted by place, once; what a place costs is a sum over places, and a
//! node costs what its place does, less what the pods on itself would cost from next door.
//!
//! Promises: a pod that is leaving does not count, one that is only assumed to be there does; a bound is held against every
//! pod of that dependency, so that many near ones never hide a far one.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::Network;
use super::costs::{Distance, Place, Says};
use super::graph::{Graph, Tie};
use crate::filter::Failure;
use crate::node::Node;
use crate::pod::{Claim, Pod};
use crate::snapshot::Snapshot;

/// How many pods each tie leads to, in the order of ties.
type Pods = Vec<i64>;

/// One pod of a group, and where its peers are.
#[derive(Debug, Clone)]
pub struct Near<'a> {
    network: &'a Network,
    group: &'a Arc<Graph>,
    ties: &'a [Tie],
    by_place: BTreeMap<Place<'a>, Pods>,
    by_node: BTreeMap<&'a str, Pods>,
    /// What each place with nodes costs, and how many pods are too far from it.
    sums: BTreeMap<Place<'a>, (i64, i64)>,
}

impl<'a> Near<'a> {
    /// Counts; `None` for a pod of no group, and while none of its peers is placed. `O(pods + places²)`.
    #[must_use]
    pub fn of(pod: &Pod, snapshot: &'a Snapshot<'a>) -> Option<Self> {
        let network = snapshot.network.as_ref();
        let member = network.member(&pod.namespace, &pod.labels)?;
        let ties = member.group.ties(member.workload);
        let mut near = Self {
            network,
            group: member.group,
            ties,
            by_place: BTreeMap::new(),
            by_node: BTreeMap::new(),
            sums: BTreeMap::new(),
        };
        for node in snapshot.nodes() {
            let place = network.costs().place_of(node);
            near.sums.insert(place, (0, 0));
            let tied: Vec<usize> = node.claims().filter_map(|(_, claim)| near.tie_to(claim)).collect();
            for tie in tied {
                let none = || vec![0; ties.len()];
                let by_node = near.by_node.entry(&node.name).or_insert_with(none);
                by_node.get_mut(tie).into_iter().for_each(|pods| *pods += 1);
                let by_place = near.by_place.entry(place).or_insert_with(none);
                by_place.get_mut(tie).into_iter().for_each(|pods| *pods += 1);
            }
        }
        // Peers that room is reserved for may come.
        if near.by_place.is_empty() && snapshot.reserved.is_empty() {
            return None;
        }
        let sum = |place: &Place<'_>| {
            let from = near.by_place.iter().map(|(other, pods)| near.worth(pods, near.distance(*place, *other)));
            from.fold((0, 0), |(cost, beyond), (more, too)| (cost + more, beyond + too))
        };
        let sums = near.sums.keys().map(|place| (*place, sum(place))).collect();
        Some(Self { sums, ..near })
    }

    /// So many more pods with this claim are on a node of the snapshot.
    pub(crate) fn shift(&mut self, node: &'a Node, claim: &Claim, more: i64) {
        let Some(tie) = self.tie_to(claim) else { return };
        let place = self.network.costs().place_of(node);
        let mut pods = vec![0; self.ties.len()];
        pods.get_mut(tie).into_iter().for_each(|count| *count = more);
        let counts = [self.by_node.entry(&node.name).or_default(), self.by_place.entry(place).or_default()];
        for count in counts {
            count.resize(pods.len(), 0);
            count.get_mut(tie).into_iter().for_each(|count| *count += more);
        }
        for other in self.sums.keys().copied().collect::<Vec<_>>() {
            let (cost, beyond) = self.worth(&pods, self.distance(other, place));
            if let Some(sum) = self.sums.get_mut(&other) {
                *sum = (sum.0 + cost, sum.1 + beyond);
            }
        }
    }

    fn tie_to(&self, claim: &Claim) -> Option<usize> {
        if claim.leaving {
            return None;
        }
        let member = self.network.member(&claim.namespace, &claim.labels)?;
        let is_ours = Arc::ptr_eq(member.group, self.group);
        self.ties.iter().position(|tie| is_ours && tie.peer == member.workload)
    }

    fn distance(&self, one: Place<'_>, other: Place<'_>) -> Distance {
        self.network.costs().between(one, other)
    }

    /// What so many pods at this distance cost, and how many of them are too far.
    fn worth(&self, pods: &[i64], distance: Distance) -> (i64, i64) {
        let each = self.ties.iter().zip(pods);
        each.fold((0, 0), |(cost, beyond), (tie, pods)| {
            let too = if self.is_beyond(tie, distance) { *pods } else { 0 };
            (cost + pods * tie.weight * distance.cost, beyond + too)
        })
    }

    fn is_beyond(&self, tie: &Tie, distance: Distance) -> bool {
        is_beyond(self.network, tie, distance)
    }

    /// What the node costs, and how many pods are too far from it.
    fn at(&self, node: &Node) -> (i64, i64) {
        let place = self.network.costs().place_of(node);
        let (cost, beyond) = self.sums.get(&place).copied().unwrap_or_default();
        let here = self.by_node.get(node.name.as_str()).map(|pods| self.worth(pods, self.distance(place, place)));
        let (spared, near) = here.unwrap_or_default();
        (cost - spared, beyond - near)
    }

    /// What the node costs: over all ties and their placed pods, weight times cost.
    #[must_use]
    pub fn cost(&self, node: &Node) -> i64 {
        self.at(node).0
    }

    /// Whether every dependency is within its bound.
    #[must_use]
    pub fn allows(&self, node: &Node) -> bool {
        self.at(node).1 == 0
    }

    /// Each dependency that is not.
    #[must_use]
    pub fn failures(&self, node: &Node) -> Vec<Failure> {
        let costs = self.network.costs();
        let place = costs.place_of(node);
        let here = self.by_node.get(node.name.as_str());
        let mut found = Vec::new();
        for (index, tie) in self.ties.iter().enumerate() {
            let (mut pods, mut farthest) = (0, None);
            for (other, counts) in &self.by_place {
                let distance = costs.between(place, *other);
                let near = here.filter(|_| *other == place).and_then(|pods| pods.get(index)).copied().unwrap_or(0);
                let there = counts.get(index).copied().unwrap_or(0) - near;
                if there > 0 && self.is_beyond(tie, distance) {
                    pods += there;
                    farthest = farthest.max(Some((distance.says, distance.cost)));
                }
            }
            if let (Some((says, cost)), Some(allowed)) = (farthest, tie.allowed) {
                let peer = self.group.workloads().get(tie.peer);
                let workload = peer.map(|peer| peer.selector.clone()).unwrap_or_default();
                found.push(Failure::TooFar { workload, pods, cost: (says != Says::Nobody).then_some(cost), allowed });
            }
        }
        found
    }
}

/// Whether a tie's bound is exceeded. Where nothing is declared nothing is judged.
pub(crate) fn is_beyond(network: &Network, tie: &Tie, distance: Distance) -> bool {
    !network.costs().is_empty() && tie.allowed.is_some_and(|allowed| distance.exceeds(allowed))
}

/// The score of a node, 0 to 100: where its cost lies between the most (0) and the least (100) of the nodes that are
/// compared. All 100 when all cost the same, and all 0 when nothing costs anything (NetworkOverhead's NormalizeScore).
#[must_use]
#[inline]
pub fn normalised(cost: i64, (least, most): (i64, i64)) -> i64 {
    match most.saturating_sub(least) {
        _ if most <= 0 => 0,
        range if range > 0 => {
            let share = i128::from(cost.saturating_sub(least)) * 100 / i128::from(range);
            100 - i64::try_from(share).unwrap_or(100)
        }
        _ => 100,
    }
}
