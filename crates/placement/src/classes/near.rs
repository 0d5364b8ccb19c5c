//! A class's ties to pods of its group, as costs by place and corrections by slot.
//!
//! When a peer comes, every place becomes dearer by what it costs from there; its own slot is corrected, for pods on one
//! node cost nothing. So a slot's cost is one look at its place and one at itself, whatever the number of peers.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::Nodes;
use super::ground::{Ground, Kind, NOWHERE};
use crate::network::near::is_beyond;
use crate::network::{Distance, Graph, Network, Tie};
use crate::pod::Pod;

/// A kind that was not looked at yet.
const UNKNOWN: u32 = u32::MAX;
/// A kind that no tie leads to.
const NONE: u32 = u32::MAX - 1;

/// What it costs to be somewhere.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
struct Sum {
    cost: i64,
    /// How many pods are too far.
    beyond: i64,
}

impl Sum {
    fn add(&mut self, network: &Network, tie: &Tie, pods: i64, distance: Distance) {
        self.cost += pods * tie.weight * distance.cost;
        self.beyond += if is_beyond(network, tie, distance) { pods } else { 0 };
    }
}

#[derive(Debug, Clone)]
pub(super) struct Near {
    group: Arc<Graph>,
    ties: Vec<Tie>,
    by_kind: Vec<u32>,
    /// How many pods each tie leads to, by place.
    peers: BTreeMap<usize, Vec<i64>>,
    /// How many there are.
    count: i64,
    /// As though none of them were on the node itself.
    by_place: Vec<Sum>,
    /// What is not so, because they are.
    by_slot: Vec<Sum>,
}

impl Near {
    /// `None` for a pod of no group.
    pub(super) fn new(pod: &Pod, network: &Network) -> Option<Self> {
        let member = network.member(&pod.namespace, &pod.labels)?;
        Some(Self {
            group: Arc::clone(member.group),
            ties: member.group.ties(member.workload).to_vec(),
            by_kind: Vec::new(),
            peers: BTreeMap::new(),
            count: 0,
            by_place: Vec::new(),
            by_slot: Vec::new(),
        })
    }

    /// Whether any peer is placed, so that nodes differ.
    pub(super) fn compares(&self) -> bool {
        self.count > 0
    }

    /// Counts everything anew.
    pub(super) fn recount(&mut self, ground: &mut Ground, nodes: &impl Nodes) {
        self.peers.clear();
        self.by_place.clear();
        self.by_slot.clear();
        self.count = 0;
        for kind in 0..ground.kinds.len() {
            if self.tie_of(kind, ground).is_none() {
                continue;
            }
            let Some(Some(known)) = ground.kinds.get(kind) else { continue };
            let slots: Vec<(usize, i64)> = known.slots.iter().map(|(slot, pods)| (*slot, *pods)).collect();
            slots.into_iter().for_each(|(slot, pods)| self.add((slot, kind, pods), ground, nodes));
        }
    }

    /// So many more pods of a kind are in a slot.
    pub(super) fn add(&mut self, step: (usize, usize, i64), ground: &mut Ground, nodes: &impl Nodes) {
        let (slot, kind, more) = step;
        let Some(index) = self.tie_of(kind, ground) else { return };
        let Some(place) = ground.sites.of.get(slot).filter(|place| **place != NOWHERE) else { return };
        let (Some(tie), Ok(place)) = (self.ties.get(index).copied(), usize::try_from(*place)) else { return };
        self.reach(ground, nodes);
        self.count += more;
        let peers = self.peers.entry(place).or_insert_with(|| vec![0; self.ties.len()]);
        peers.get_mut(index).into_iter().for_each(|pods| *pods += more);
        if peers.iter().all(|pods| *pods == 0) {
            self.peers.remove(&place);
        }
        let network = nodes.network();
        let row = ground.sites.row(place, network.costs());
        for (sum, distance) in self.by_place.iter_mut().zip(row) {
            sum.add(network, &tie, more, *distance);
        }
        if self.by_slot.len() <= slot {
            self.by_slot.resize(nodes.slots().max(slot + 1), Sum::default());
        }
        if let (Some(sum), Some(distance)) = (self.by_slot.get_mut(slot), row.get(place)) {
            sum.add(network, &tie, more, *distance);
        }
    }

    /// Works out what places cost that were not there before.
    pub(super) fn reach(&mut self, ground: &mut Ground, nodes: &impl Nodes) {
        let network = nodes.network();
        while self.by_place.len() < ground.sites.len() {
            let place = self.by_place.len();
            let row = ground.sites.row(place, network.costs());
            let mut sum = Sum::default();
            for (other, pods) in &self.peers {
                let Some(distance) = row.get(*other) else { continue };
                self.ties.iter().zip(pods).for_each(|(tie, pods)| sum.add(network, tie, *pods, *distance));
            }
            self.by_place.push(sum);
        }
    }

    #[inline]
    fn at(&self, ground: &Ground, slot: usize) -> Sum {
        let place = ground.sites.of.get(slot).and_then(|place| usize::try_from(*place).ok());
        let there = place.and_then(|place| self.by_place.get(place)).copied().unwrap_or_default();
        let here = self.by_slot.get(slot).copied().unwrap_or_default();
        Sum { cost: there.cost - here.cost, beyond: there.beyond - here.beyond }
    }

    /// What a slot costs.
    #[inline]
    pub(super) fn cost(&self, ground: &Ground, slot: usize) -> i64 {
        self.at(ground, slot).cost
    }

    /// What each place costs.
    pub(super) fn places(&self) -> impl Iterator<Item = i64> {
        self.by_place.iter().map(|sum| sum.cost)
    }

    /// The place of a slot that costs what that does: no peer is on it.
    #[inline]
    pub(super) fn place_alone(&self, ground: &Ground, slot: usize) -> Option<usize> {
        let has_peers = self.by_slot.get(slot).is_some_and(|here| *here != Sum::default());
        let place = *ground.sites.of.get(slot)?;
        if has_peers || place == NOWHERE { None } else { usize::try_from(place).ok() }
    }

    /// Whether every dependency is within its bound there.
    #[inline]
    pub(super) fn lets(&self, ground: &Ground, slot: usize) -> bool {
        self.at(ground, slot).beyond == 0
    }

    /// The tie that leads to a kind of pods; looked at once.
    fn tie_of(&mut self, kind: usize, ground: &Ground) -> Option<usize> {
        if self.by_kind.len() <= kind {
            self.by_kind.resize(ground.kinds.len().max(kind + 1), UNKNOWN);
        }
        let known = self.by_kind.get(kind).copied().unwrap_or(NONE);
        if known == NONE {
            return None;
        }
        if known != UNKNOWN {
            return usize::try_from(known).ok();
        }
        let tie = ground.kinds.get(kind).and_then(Option::as_ref).and_then(|kind| self.judge(kind));
        let index = tie.and_then(|tie| u32::try_from(tie).ok()).unwrap_or(NONE);
        self.by_kind.get_mut(kind).into_iter().for_each(|known| *known = index);
        tie
    }

    fn judge(&self, kind: &Kind) -> Option<usize> {
        let (_, workload) = kind.member.as_ref().filter(|(group, _)| Arc::ptr_eq(group, &self.group))?;
        self.ties.iter().position(|tie| tie.peer == *workload)
    }
}
