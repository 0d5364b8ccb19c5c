//! What all classes stand on: the nodes' numbers, their places, and which kinds of pods are where.
//!
//! Alike pods share one [`Claim`], so that what a class has to know of them it works out once for the kind. Every change is
//! noted as a step; each class takes the steps that it has not taken yet.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::sync::Arc;

use super::Nodes;
use super::sites::Sites;
use crate::choose::hash;
use crate::log::Change;
use crate::network::links::Flows;
use crate::network::{Graph, Network};
use crate::node::Node;
use crate::pod::{Claim, Pod};
use crate::room::Room;

/// The place of a node that has none: it lacks the label, or is not there.
pub(super) const NOWHERE: u32 = u32::MAX;

/// One change, for classes.
#[derive(Debug, Clone, Copy)]
pub(super) enum Step {
    /// The node in a slot is new, changed or gone.
    Node(usize),
    /// What is taken of the interface in a slot changed.
    Load(usize),
    /// So many more pods of a kind are in a slot.
    Pods {
        slot: usize,
        kind: usize,
        more: i64,
        /// Whether they have rules about other pods.
        minds: bool,
    },
}

/// Pods that share a claim.
#[derive(Debug, Clone)]
pub(super) struct Kind {
    pub(super) claim: Arc<Claim>,
    pub(super) slots: BTreeMap<usize, i64>,
    /// Its group and its workload there; none for pods that no other counts as a peer.
    pub(super) member: Option<(Arc<Graph>, usize)>,
}

impl Kind {
    fn new(claim: &Arc<Claim>, network: &Network) -> Self {
        Self { claim: Arc::clone(claim), slots: BTreeMap::new(), member: member(claim, network) }
    }
}

fn member(claim: &Claim, network: &Network) -> Option<(Arc<Graph>, usize)> {
    let member = network.member(&claim.namespace, &claim.labels).filter(|_| !claim.leaving)?;
    Some((Arc::clone(member.group), member.workload))
}

/// The places that the values of one node label make.
#[derive(Debug, Clone)]
pub(super) struct Topology {
    key: String,
    places: HashMap<String, u32>,
    /// The place of each slot.
    pub(super) of: Vec<u32>,
}

impl Topology {
    /// How many places there ever were.
    pub(super) fn len(&self) -> usize {
        self.places.len()
    }

    fn place(&mut self, node: Option<&Node>) -> u32 {
        let Some(value) = node.and_then(|node| node.labels.get(&self.key)) else { return NOWHERE };
        if let Some(place) = self.places.get(value) {
            return *place;
        }
        let place = u32::try_from(self.places.len()).unwrap_or(NOWHERE);
        self.places.insert(value.clone(), place);
        place
    }
}

#[derive(Debug, Clone, Default)]
pub(super) struct Ground {
    read: u64,
    pub(super) rooms: Vec<Room>,
    /// The hash of each node's name.
    pub(super) lots: Vec<u64>,
    pub(super) topologies: Vec<Topology>,
    pub(super) sites: Sites,
    pub(super) kinds: Vec<Option<Kind>>,
    by_claim: HashMap<usize, usize>,
    steps: VecDeque<Step>,
    forgotten: u64,
    /// Counted up when everything was read anew.
    pub(super) generation: u64,
    /// Counted up when groups or costs changed.
    pub(super) networks: u64,
    /// Counted up when what flows between places may be other.
    pub(super) flows: u64,
    /// Counted up when a node moved to another place with what may be on it.
    pub(super) moves: u64,
    present: Vec<bool>,
    /// Slots that had pods while they had no node.
    strays: Vec<bool>,
}

impl Ground {
    /// Reads what the log has to tell.
    pub(super) fn catch_up(&mut self, nodes: &impl Nodes) {
        let log = nodes.log();
        let changes = log.since(self.read).filter(|_| self.generation > 0 && !self.is_cluttered(nodes.slots()));
        self.read = log.written();
        let Some(changes) = changes else { return self.begin(nodes) };
        self.make_room(nodes.slots());
        let bound = 1_024 + 4 * nodes.slots();
        for change in changes {
            let step = match change {
                Change::Node(slot) => {
                    self.node(*slot, nodes, nodes.claims(*slot).next().is_some());
                    Step::Node(*slot)
                }
                Change::Load(slot) => {
                    self.refresh(*slot, nodes.node(*slot));
                    Step::Load(*slot)
                }
                Change::Came(slot, claim) => self.pods(*slot, claim, 1, nodes),
                Change::Went(slot, claim) => self.pods(*slot, claim, -1, nodes),
                Change::Namespaces => return self.begin(nodes),
                Change::Network => {
                    self.locate(nodes);
                    continue;
                }
                Change::Budgets => continue,
            };
            if self.steps.len() >= bound {
                self.steps.pop_front();
                self.forgotten += 1;
            }
            self.steps.push_back(step);
        }
    }

    /// Whether more is kept of what is gone than of what is there: kinds of pods, names of nodes, labels nobody asks for.
    fn is_cluttered(&self, slots: usize) -> bool {
        self.kinds.len() > 4_096 + 2 * self.by_claim.len()
            || self.topologies.len() > 1_024
            || self.topologies.iter().any(|topology| topology.len() > 1_024 + 2 * slots)
            || self.sites.len() > 1_024 + 2 * slots
    }

    /// Reads every node.
    fn begin(&mut self, nodes: &impl Nodes) {
        let (generation, networks, flows) = (self.generation + 1, self.networks + 1, self.flows + 1);
        *self = Self { read: nodes.log().written(), generation, networks, flows, ..Self::default() };
        self.make_room(nodes.slots());
        for slot in 0..nodes.slots() {
            self.node(slot, nodes, false);
            for claim in nodes.claims(slot) {
                self.pods(slot, claim, 1, nodes);
            }
        }
    }

    /// Finds out anew where every node is, and of which groups the pods are.
    fn locate(&mut self, nodes: &impl Nodes) {
        for kind in self.kinds.iter_mut().flatten() {
            kind.member = member(&kind.claim, nodes.network());
        }
        self.networks += 1;
        self.flows += 1;
        self.sites = Sites::default();
        self.sites.of.resize(nodes.slots(), NOWHERE);
        for slot in 0..nodes.slots() {
            self.sites.put(slot, nodes.node(slot), nodes.network().costs());
        }
    }

    fn make_room(&mut self, slots: usize) {
        self.sites.of.resize(slots, NOWHERE);
        self.rooms.resize(slots, Room::default());
        self.lots.resize(slots, 0);
        self.present.resize(slots, false);
        self.strays.resize(slots, false);
        self.topologies.iter_mut().for_each(|topology| topology.of.resize(slots, NOWHERE));
    }

    fn node(&mut self, slot: usize, nodes: &impl Nodes, holds: bool) {
        let node = nodes.node(slot);
        self.refresh(slot, node);
        if let (Some(lot), Some(node)) = (self.lots.get_mut(slot), node) {
            *lot = hash(&node.name);
        }
        // Only a node that comes to an empty slot moves nobody.
        let was_absent = !self.present.get(slot).copied().unwrap_or(false);
        let mut moved = false;
        if let Some(stray) = self.strays.get_mut(slot) {
            moved = *stray;
            *stray = node.is_none() && holds;
        }
        if let Some(present) = self.present.get_mut(slot) {
            *present = node.is_some();
        }
        for topology in &mut self.topologies {
            let place = topology.place(node);
            if let Some(known) = topology.of.get_mut(slot) {
                moved |= *known != place && !was_absent;
                *known = place;
            }
        }
        moved |= self.sites.put(slot, node, nodes.network().costs()) && !was_absent;
        self.moves += u64::from(moved);
        self.flows += 1;
    }

    fn refresh(&mut self, slot: usize, node: Option<&Node>) {
        if let Some(room) = self.rooms.get_mut(slot) {
            *room = node.map(Room::of).unwrap_or_default();
        }
    }

    fn pods(&mut self, slot: usize, claim: &Arc<Claim>, more: i64, nodes: &impl Nodes) -> Step {
        let node = nodes.node(slot);
        self.refresh(slot, node);
        self.flows += u64::from(nodes.network().bound_by_links(&claim.namespace, &claim.labels).is_some());
        if let Some(stray) = self.strays.get_mut(slot) {
            *stray |= node.is_none();
        }
        let key = Arc::as_ptr(claim).addr();
        let kind = *self.by_claim.entry(key).or_insert_with(|| {
            self.kinds.push(Some(Kind::new(claim, nodes.network())));
            self.kinds.len() - 1
        });
        if let Some(known) = self.kinds.get_mut(kind)
            && let Some(Kind { slots, .. }) = known
        {
            let pods = slots.entry(slot).or_default();
            *pods += more;
            if *pods == 0 {
                slots.remove(&slot);
            }
            if slots.is_empty() {
                self.by_claim.remove(&key);
                *known = None;
            }
        }
        Step::Pods { slot, kind, more, minds: !claim.affinity.is_empty() }
    }

    /// Which places a link forbids to a pod: a row for each that there ever was.
    pub(super) fn narrow(&self, pod: &Pod, network: &Network) -> Vec<bool> {
        let Some(member) = network.bound_by_links(&pod.namespace, &pod.labels) else { return Vec::new() };
        let mut flows = Flows::new(network);
        for Kind { claim, slots, .. } in self.kinds.iter().flatten() {
            for (slot, pods) in slots {
                if let Some(place) = self.sites.spot_of(*slot).filter(|_| self.present.get(*slot) == Some(&true)) {
                    flows.add(place, claim, *pods);
                }
            }
        }
        flows.settle();
        self.sites.spots().map(|place| flows.narrow(&member, place).is_some()).collect()
    }

    /// The places of a label, and where to find them again.
    pub(super) fn topology(&mut self, key: &str, nodes: &impl Nodes) -> usize {
        if let Some(known) = self.topologies.iter().position(|topology| topology.key == key) {
            return known;
        }
        let mut topology = Topology { key: key.to_owned(), places: HashMap::new(), of: Vec::new() };
        topology.of = (0..nodes.slots()).map(|slot| topology.place(nodes.node(slot))).collect();
        self.topologies.push(topology);
        self.topologies.len() - 1
    }

    /// How many steps there were so far.
    pub(super) fn taken(&self) -> u64 {
        self.forgotten + self.steps.len() as u64
    }

    /// The steps after the first `taken` ones; `None` when some of those are forgotten.
    pub(super) fn steps_since(&self, taken: u64) -> Option<impl Iterator<Item = Step> + '_> {
        let skip = usize::try_from(taken.checked_sub(self.forgotten)?).ok()?;
        (skip <= self.steps.len()).then(|| self.steps.range(skip..).copied())
    }
}
