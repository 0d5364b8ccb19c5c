//! A cluster on which pods of one group are put and taken off again, to try things out.
//!
//! It answers with the engine's own classes, so that what it allows is what the engine allows. Room that is reserved for
//! pods that go first is taken from the start.

use std::collections::HashMap;
use std::sync::Arc;

use crate::classes::{Classes, Nodes};
use crate::log::{Change, Log};
use crate::network::{Costs, Network};
use crate::node::{Node, Occupant};
use crate::peers::Namespaces;
use crate::pod::{Claim, Pod};
use crate::snapshot::Snapshot;

pub(super) struct Board<'a> {
    table: Table<'a>,
    classes: Classes,
    pods: &'a [Pod],
    claims: Vec<Arc<Claim>>,
    uids: Vec<Arc<str>>,
    /// Where each pod is.
    at: Vec<Option<usize>>,
    /// By pod: the others it is tied to, and how much.
    ties: Vec<Vec<(usize, i64)>>,
    /// By pod: the pods that must be with it or are spread with it. When it moves, they may be wrong where they are.
    bound: Vec<Arc<[usize]>>,
    places: Vec<usize>,
    distances: Vec<Vec<i64>>,
    /// By pod and slot: what its edges to pods cost that are none of these.
    fixed: Vec<Arc<[i64]>>,
}

struct Table<'a> {
    nodes: Vec<Node>,
    namespaces: &'a Namespaces,
    network: &'a Network,
    log: Log,
}

impl Table<'_> {
    fn write(&mut self, change: Change) {
        self.log.write(change, 1_024 + 4 * self.nodes.len());
    }
}

impl Nodes for Table<'_> {
    fn slots(&self) -> usize {
        self.nodes.len()
    }
    fn node(&self, slot: usize) -> Option<&Node> {
        self.nodes.get(slot)
    }
    fn empty_slots(&self) -> usize {
        0
    }
    fn claims(&self, slot: usize) -> impl Iterator<Item = &Arc<Claim>> {
        self.nodes.get(slot).into_iter().flat_map(Node::shared_claims)
    }
    fn namespaces(&self) -> &Namespaces {
        self.namespaces
    }
    fn network(&self) -> &Network {
        self.network
    }
    fn log(&self) -> &Log {
        &self.log
    }
}

impl<'a> Board<'a> {
    /// The snapshot's nodes. Pods that are on one of them already are where they are.
    pub(super) fn new(pods: &'a [Pod], snapshot: &'a Snapshot<'_>) -> Self {
        let network = snapshot.network.as_ref();
        let mut nodes: Vec<Node> = snapshot.nodes().cloned().collect();
        for (index, reserved) in &snapshot.reserved {
            if let Some(node) = nodes.get_mut(*index) {
                reserved.iter().for_each(|pod| node.hold(Arc::clone(&pod.uid), pod.arrived()));
            }
        }
        let mut shared: HashMap<Claim, Arc<Claim>> = HashMap::new();
        let share = |pod: &Pod| {
            let claim = pod.claim();
            Arc::clone(shared.entry(claim.clone()).or_insert_with(|| Arc::new(claim)))
        };
        let uids: Vec<Arc<str>> = pods.iter().map(|pod| pod.uid.as_str().into()).collect();
        let of = |uid: &Arc<str>| nodes.iter().position(|node| node.claim(uid).is_some());
        let at = uids.iter().map(of).collect();
        let (places, distances) = distances(&nodes, network.costs());
        let mut board = Self {
            claims: pods.iter().map(share).collect(),
            uids,
            at,
            fixed: Vec::new(),
            ties: ties(pods, network),
            bound: Vec::new(),
            places,
            distances,
            table: Table { nodes, namespaces: &snapshot.namespaces, network, log: Log::default() },
            classes: Classes::default(),
            pods,
        };
        board.fix();
        board.bind();
        board
    }

    /// Finds out who is bound to whom.
    fn bind(&mut self) {
        let namespaces = self.table.namespaces;
        let binds = |pod: &Pod, other: &Claim| {
            let spread = pod.spread.iter().filter(|spread| spread.hard && pod.namespace == other.namespace);
            let mut required = pod.affinity.required.iter();
            required.any(|term| term.speaks_of(&other.namespace, &other.labels, namespaces))
                || spread.into_iter().any(|spread| spread.selects(&other.labels))
        };
        let mut known: HashMap<*const Claim, Arc<[usize]>> = HashMap::new();
        for claim in &self.claims {
            let bound = || self.pods.iter().enumerate().filter(|(_, pod)| binds(pod, claim)).map(|(index, _)| index);
            let bound = known.entry(Arc::as_ptr(claim)).or_insert_with(|| bound().collect());
            self.bound.push(Arc::clone(bound));
        }
    }

    /// Works out what the other pods of the group cost, which stay where they are.
    fn fix(&mut self) {
        let before = self.at.clone();
        (0..self.pods.len()).for_each(|pod| _ = self.take(pod));
        let mut known: HashMap<*const Claim, Arc<[i64]>> = HashMap::new();
        for (pod, claim) in self.pods.iter().zip(&self.claims) {
            let (classes, table) = (&mut self.classes, &self.table);
            let costs = known.entry(Arc::as_ptr(claim)).or_insert_with(|| classes.costs(pod, table).into());
            self.fixed.push(Arc::clone(costs));
        }
        for (pod, slot) in before.into_iter().enumerate() {
            slot.into_iter().for_each(|slot| self.put(pod, slot));
        }
    }

    /// Whether two pods are alike to all others.
    pub(super) fn are_alike(&self, one: usize, other: usize) -> bool {
        self.claims.get(one).zip(self.claims.get(other)).is_some_and(|(one, other)| Arc::ptr_eq(one, other))
    }

    /// How many pods have to be looked at when this one moves.
    pub(super) fn bound(&self, pod: usize) -> usize {
        self.bound.get(pod).map_or(0, |bound| bound.len())
    }

    /// Where a pod is.
    pub(super) fn at(&self, pod: usize) -> Option<usize> {
        self.at.get(pod).copied().flatten()
    }

    /// Where all of them are; `None` while one of them is nowhere.
    pub(super) fn all(&self) -> Option<Vec<usize>> {
        self.at.iter().copied().collect()
    }

    /// Takes a pod off its node; where it was.
    pub(super) fn take(&mut self, pod: usize) -> Option<usize> {
        let slot = self.at.get_mut(pod)?.take()?;
        let node = self.table.nodes.get_mut(slot)?;
        let uid = self.uids.get(pod)?;
        let claim = node.shared_claim(uid)?;
        node.remove(uid);
        self.table.write(Change::Went(slot, claim));
        Some(slot)
    }

    /// Puts a pod on a node, whatever speaks against it.
    pub(super) fn put(&mut self, pod: usize, slot: usize) {
        self.take(pod);
        let (Some(at), Some(uid), Some(claim)) = (self.at.get_mut(pod), self.uids.get(pod), self.claims.get(pod))
        else {
            return;
        };
        let Some(node) = self.table.nodes.get_mut(slot) else { return };
        *at = Some(slot);
        node.hold(Arc::clone(uid), Occupant::taking(Arc::clone(claim)));
        self.table.write(Change::Came(slot, Arc::clone(claim)));
    }

    /// The nodes that can hold a pod that is nowhere, and what each costs it.
    pub(super) fn reach(&mut self, pod: usize) -> Vec<(usize, i64)> {
        self.pods.get(pod).map(|pod| self.classes.reach(pod, &self.table)).unwrap_or_default()
    }

    /// The node that the engine chooses for it.
    pub(super) fn choice(&mut self, pod: usize, seed: u64) -> Option<usize> {
        self.classes.choose(self.pods.get(pod)?, &self.table, seed).choice.node
    }

    /// Whether a node can hold a pod that is nowhere.
    pub(super) fn holds(&mut self, pod: usize, slot: usize) -> bool {
        self.pods.get(pod).is_some_and(|pod| self.classes.holds(pod, &self.table, slot))
    }

    /// Looks no more at pods that are wrong where they are: what came after them was none of their business.
    pub(super) fn excuse(&mut self) {
        let right: Vec<bool> = (0..self.pods.len()).map(|pod| self.is_right(pod)).collect();
        let is_right = |pod: &usize| right.get(*pod).copied().unwrap_or(false);
        let mut known: HashMap<*const [usize], Arc<[usize]>> = HashMap::new();
        for bound in &mut self.bound {
            let left = || bound.iter().copied().filter(is_right).collect();
            *bound = Arc::clone(known.entry(Arc::as_ptr(bound)).or_insert_with(left));
        }
    }

    fn is_right(&mut self, pod: usize) -> bool {
        let Some(slot) = self.take(pod) else { return true };
        let holds = self.holds(pod, slot);
        self.put(pod, slot);
        holds
    }

    /// Whether every pod that is bound to one that moved is right where it is, the others being where they are.
    pub(super) fn is_sound(&mut self, moved: &[usize]) -> bool {
        let mut looked_at: Vec<*const [usize]> = Vec::new();
        for pod in moved {
            let Some(bound) = self.bound.get(*pod).cloned() else { continue };
            if looked_at.contains(&Arc::as_ptr(&bound)) {
                continue;
            }
            looked_at.push(Arc::as_ptr(&bound));
            if !bound.iter().all(|pod| self.is_right(*pod)) {
                return false;
            }
        }
        true
    }

    /// What two slots cost each other.
    fn distance(&self, one: usize, other: usize) -> i64 {
        if one == other {
            return 0;
        }
        let place = |slot: usize| self.places.get(slot).copied().unwrap_or(usize::MAX);
        self.distances.get(place(one)).and_then(|row| row.get(place(other))).copied().unwrap_or(0)
    }

    /// How much two pods are tied.
    pub(super) fn ties(&self, pod: usize) -> &[(usize, i64)] {
        self.ties.get(pod).map(Vec::as_slice).unwrap_or_default()
    }

    /// What a pod's edges would cost at a slot, without the one to `but`.
    pub(super) fn cost_at(&self, pod: usize, slot: usize, but: usize) -> i64 {
        let others = self.ties(pod).iter().filter(|(other, _)| *other != but);
        let to = |(other, weight): &(usize, i64)| Some(weight * self.distance(slot, self.at(*other)?));
        let fixed = self.fixed.get(pod).and_then(|costs| costs.get(slot)).copied().unwrap_or(0);
        fixed + others.filter_map(to).sum::<i64>()
    }

    /// What all edges of these pods cost, those among themselves once.
    pub(super) fn total(&self) -> i64 {
        let of = |pod: usize| {
            let Some(slot) = self.at(pod) else { return 0 };
            let fixed = self.fixed.get(pod).and_then(|costs| costs.get(slot)).copied().unwrap_or(0);
            let before = self.ties(pod).iter().filter(|(other, _)| *other < pod);
            let to = |(other, weight): &(usize, i64)| Some(weight * self.distance(slot, self.at(*other)?));
            fixed + before.filter_map(to).sum::<i64>()
        };
        (0..self.pods.len()).map(of).sum()
    }
}

/// By pod: the other pods it is tied to, and how much.
fn ties(pods: &[Pod], network: &Network) -> Vec<Vec<(usize, i64)>> {
    let members: Vec<_> = pods.iter().map(|pod| network.member(&pod.namespace, &pod.labels)).collect();
    let of = |(index, member): (usize, &Option<super::Member<'_>>)| {
        let Some(member) = member else { return Vec::new() };
        let ties = member.group.ties(member.workload);
        let tied = |(other, known): (usize, &Option<super::Member<'_>>)| {
            let known = known.filter(|known| other != index && Arc::ptr_eq(known.group, member.group))?;
            ties.iter().find(|tie| tie.peer == known.workload).map(|tie| (other, tie.weight))
        };
        members.iter().enumerate().filter_map(tied).collect()
    };
    members.iter().enumerate().map(of).collect()
}

/// The place of each node, and what two places cost each other.
fn distances(nodes: &[Node], costs: &Costs) -> (Vec<usize>, Vec<Vec<i64>>) {
    let mut known = HashMap::new();
    let mut sites = Vec::new();
    let places = nodes.iter().map(|node| {
        let place = costs.place_of(node);
        *known.entry(place).or_insert_with(|| {
            sites.push(place);
            sites.len() - 1
        })
    });
    let places = places.collect();
    let row = |from: &super::Place<'_>| sites.iter().map(|to| costs.between(*from, *to).cost).collect();
    let rows = sites.iter().map(row).collect();
    (places, rows)
}
