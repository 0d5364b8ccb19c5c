//! One class of like pods, and every node held against it.
//!
//! By slot it keeps whether the node is open to the class at all, how the node's room scores (none when there is no room),
//! and what says something only in comparison. A choice walks over these numbers; only what changed is worked out again.

mod walk;

use super::Nodes;
use super::ground::{Ground, NOWHERE, Step};
use super::near::Near;
use super::rules::{Counts, Rules};
use crate::bandwidth;
use crate::filter::{has_ports, is_open};
use crate::fit;
use crate::images::Holders;
use crate::network::GROUP_LABEL;
use crate::pod::Pod;
use crate::room::Asked;
use crate::score::{self, Raw, Spread};
use crate::spread::{self, HOSTNAME};

/// No room.
const FULL: i16 = -1;

#[derive(Debug, Clone)]
pub(super) struct Class {
    pub(super) like: Pod,
    /// When it was last asked about.
    pub(super) turn: u64,
    asked: Asked,
    /// Whether it has rules about other pods itself.
    minds: bool,
    generation: u64,
    moves: u64,
    taken: u64,
    open: Vec<bool>,
    /// What the room scores, or [`FULL`].
    room: Vec<i16>,
    /// Taints disliked and preferences met, and how many slots have any; without any there are no rows.
    liked: Vec<(i64, i64)>,
    compared: usize,
    images: Vec<i16>,
    rules: Rules,
    /// Whether it names a group.
    grouped: bool,
    networks: u64,
    /// Its ties, when it is of a group.
    near: Option<Near>,
    /// By place: whether a link forbids it; none where none does. And of which flows that is known.
    narrow: Vec<bool>,
    flows: u64,
}

/// A rule as a table: which places a slot may be in.
struct Gate<'a> {
    of: &'a [u32],
    allowed: Vec<bool>,
    nowhere: bool,
}

impl Gate<'_> {
    fn lets(&self, slot: usize) -> bool {
        match self.of.get(slot) {
            Some(place) if *place != NOWHERE => {
                // A place nobody was counted in has no row yet.
                usize::try_from(*place).ok().and_then(|place| self.allowed.get(place)).copied().unwrap_or(self.nowhere)
            }
            _ => self.nowhere,
        }
    }
}

impl Class {
    pub(super) fn new(pod: &Pod) -> Self {
        Self {
            like: pod.clone(),
            turn: 0,
            asked: Asked::by(pod),
            minds: !pod.affinity.is_empty() || !pod.spread.is_empty(),
            generation: 0,
            moves: 0,
            taken: 0,
            open: Vec::new(),
            room: Vec::new(),
            liked: Vec::new(),
            compared: 0,
            images: Vec::new(),
            rules: Rules::default(),
            grouped: pod.labels.contains_key(GROUP_LABEL),
            networks: 0,
            near: None,
            narrow: Vec::new(),
            flows: 0,
        }
    }

    pub(super) fn catch_up(&mut self, ground: &mut Ground, nodes: &impl Nodes) {
        let slots = nodes.slots();
        let known = self.generation == ground.generation;
        let steps: Option<Vec<Step>> = ground.steps_since(self.taken).filter(|_| known).map(Iterator::collect);
        self.taken = ground.taken();
        let mut recount = self.moves != ground.moves;
        let mut nodes_changed = false;
        let renewed = self.grouped && (!known || self.networks != ground.networks);
        if renewed {
            self.near = Near::new(&self.like, nodes.network());
        }
        let renewed_flows = self.asked.bandwidth != [0, 0] && self.networks != ground.networks;
        self.networks = ground.networks;
        match steps {
            None => {
                self.generation = ground.generation;
                (self.open, self.room, self.liked, self.compared) = Default::default();
                self.rules = Rules::new(&self.like, ground, nodes);
                self.make_room(slots);
                (0..slots).for_each(|slot| _ = self.look(ground, nodes, slot));
                (recount, nodes_changed) = (true, true);
            }
            Some(steps) => {
                self.make_room(slots);
                // Most slots changed more than once: each is looked at once.
                // What flows along edges bears on what is left everywhere.
                let all = if renewed_flows { u64::MAX } else { 0 };
                let mut touched = vec![all; slots.div_ceil(64)];
                let mut touch = |slot: usize| {
                    touched.get_mut(slot / 64).into_iter().for_each(|word| *word |= 1 << (slot % 64));
                };
                for step in steps {
                    match step {
                        Step::Node(slot) => {
                            recount |= self.look(ground, nodes, slot);
                            nodes_changed = true;
                        }
                        Step::Load(slot) => touch(slot),
                        Step::Pods { slot, kind, more, minds } => {
                            touch(slot);
                            if minds || self.minds {
                                self.rules.count(&self.like, (slot, kind, more), ground, nodes);
                            }
                            if let Some(near) = self.near.as_mut().filter(|_| !renewed) {
                                near.add((slot, kind, more), ground, nodes);
                            }
                        }
                    }
                }
                for (index, mut word) in touched.into_iter().enumerate() {
                    while word != 0 {
                        self.look_at_room(ground, nodes, index * 64 + word.trailing_zeros() as usize);
                        word &= word - 1;
                    }
                }
            }
        }
        self.moves = ground.moves;
        if recount {
            self.rules.recount(&self.like, ground, nodes);
        }
        if let Some(near) = &mut self.near {
            if recount || renewed {
                near.recount(ground, nodes);
            }
            near.reach(ground, nodes);
        }
        if nodes_changed {
            self.look_at_images(nodes);
        }
        if self.grouped && self.flows != ground.flows {
            self.flows = ground.flows;
            self.narrow = ground.narrow(&self.like, nodes.network());
        }
    }

    /// Whether no link forbids a slot's place.
    fn is_wide(&self, ground: &Ground, slot: usize) -> bool {
        let place = ground.sites.of.get(slot).and_then(|place| usize::try_from(*place).ok());
        !place.and_then(|place| self.narrow.get(place)).copied().unwrap_or(false)
    }

    fn make_room(&mut self, slots: usize) {
        self.open.resize(slots, false);
        self.room.resize(slots, FULL);
        self.rules.make_room(slots);
    }

    /// Looks at a node again; whether it changed whose pods count.
    fn look(&mut self, ground: &Ground, nodes: &impl Nodes, slot: usize) -> bool {
        let node = nodes.node(slot);
        if let Some(open) = self.open.get_mut(slot) {
            *open = node.is_some_and(|node| is_open(&self.like, node));
        }
        let raw = node.map(|node| score::raw(&self.like, node)).unwrap_or_default();
        if (raw.disliked, raw.preferred) != (0, 0) && self.liked.len() < self.room.len() {
            self.liked.resize(self.room.len(), (0, 0));
        }
        if let Some(liked) = self.liked.get_mut(slot) {
            self.compared -= usize::from(*liked != (0, 0));
            *liked = (raw.disliked, raw.preferred);
            self.compared += usize::from(*liked != (0, 0));
        }
        self.look_at_room(ground, nodes, slot);
        self.rules.look(&self.like, slot, nodes)
    }

    fn look_at_room(&mut self, ground: &Ground, nodes: &impl Nodes, slot: usize) {
        let (Some(score), Some(room)) = (self.room.get_mut(slot), ground.rooms.get(slot)) else { return };
        *score = FULL;
        let open = self.open.get(slot).copied().unwrap_or(false);
        if !open || !room.has(&self.asked) {
            return;
        }
        let rarely = !self.asked.more && self.like.host_ports.is_empty() && self.asked.bandwidth == [0, 0];
        let holds = |node| {
            fit::has_more(&self.like, node)
                && has_ports(&self.like, node)
                && bandwidth::carries(&self.like, node, nodes.network())
        };
        if rarely || nodes.node(slot).is_some_and(holds) {
            let total = score::alone(&self.asked, room).total();
            *score = i16::try_from(total).unwrap_or(i16::MAX);
        }
    }

    /// What a node's images are worth depends on how many others have them.
    fn look_at_images(&mut self, nodes: &impl Nodes) {
        self.images.clear();
        if self.like.images.is_empty() {
            return;
        }
        let all: Vec<_> = (0..nodes.slots()).filter_map(|slot| nodes.node(slot)).collect();
        let holders = Holders::count(&self.like, all.into_iter());
        if holders.any() {
            let score = |slot| nodes.node(slot).map_or(0, |node| holders.score(&self.like, node));
            self.images = (0..nodes.slots()).map(|slot| i16::try_from(score(slot)).unwrap_or(0)).collect();
        }
    }

    fn image(&self, slot: usize) -> i64 {
        self.images.get(slot).copied().map_or(0, i64::from)
    }

    /// Its ties, when any of them leads to a placed pod.
    fn tied(&self) -> Option<&Near> {
        self.near.as_ref().filter(|near| near.compares())
    }

    /// The slots that can hold the class, with what its rules between pods let.
    fn feasible(&self, ground: &Ground, gates: &[Gate<'_>]) -> Vec<usize> {
        let has_room = self.room.iter().enumerate().filter(|(_, room)| **room != FULL).map(|(slot, _)| slot);
        let lets = |slot: &usize| gates.iter().all(|gate| gate.lets(*slot));
        match self.tied() {
            Some(near) => {
                let near = |slot: &usize| near.lets(ground, *slot) && self.is_wide(ground, *slot);
                has_room.filter(lets).filter(near).collect()
            }
            None => has_room.filter(lets).collect(),
        }
    }

    /// The slots that can hold it, and what each costs it over the network.
    pub(super) fn reach(&self, ground: &Ground) -> Vec<(usize, i64)> {
        let cost = |slot| self.tied().map_or(0, |near| near.cost(ground, slot));
        self.feasible(ground, &self.gates(ground)).into_iter().map(|slot| (slot, cost(slot))).collect()
    }

    /// What each slot costs it, whether it can hold it or not; empty when nothing does.
    pub(super) fn costs(&self, ground: &Ground) -> Vec<i64> {
        let costs = self.tied().map(|near| (0..self.room.len()).map(|slot| near.cost(ground, slot)).collect());
        costs.unwrap_or_default()
    }

    /// Whether a slot can.
    pub(super) fn holds(&self, ground: &Ground, slot: usize) -> bool {
        self.room.get(slot).is_some_and(|room| *room != FULL)
            && self.tied().is_none_or(|near| near.lets(ground, slot) && self.is_wide(ground, slot))
            && self.gates(ground).iter().all(|gate| gate.lets(slot))
    }

    /// The rules between pods, each as a table of places.
    fn gates<'g>(&self, ground: &'g Ground) -> Vec<Gate<'g>> {
        let mut gates = Vec::new();
        let mut gate = |counts: &Counts, nowhere: bool, allows: &dyn Fn(i64) -> bool| {
            if let Some(topology) = ground.topologies.get(counts.topology) {
                let count = |place: usize| counts.by_place.get(place).copied().unwrap_or(0);
                let allowed = (0..topology.len()).map(|place| allows(count(place))).collect();
                gates.push(Gate { of: &topology.of, allowed, nowhere });
            }
        };
        for spreading in &self.rules.spreading {
            let Some(constraint) = self.like.spread.get(spreading.constraint).filter(|known| known.hard) else {
                continue;
            };
            let count = |place: usize| spreading.counts.by_place.get(place).copied().unwrap_or(0);
            let counted = || spreading.nodes.iter().enumerate().filter(|(_, nodes)| **nodes > 0);
            let least = counted().map(|(place, _)| count(place)).min().unwrap_or(0);
            let fewest = constraint.fewest(counted().count(), least);
            let itself = constraint.selects(&self.like.labels);
            gate(&spreading.counts, false, &|pods| !constraint.is_too_much(pods, itself, fewest));
        }
        let is_first = self.rules.required_pods == 0 && self.rules.speaks_of_itself;
        self.rules.required.iter().for_each(|counts| gate(counts, false, &|pods| is_first || pods > 0));
        self.rules.anti.iter().chain(&self.rules.repelling).for_each(|counts| gate(counts, true, &|pods| pods == 0));
        gates
    }

    /// What says something only in comparison, of each of these slots.
    fn raws(&self, ground: &Ground, feasible: &[usize]) -> Vec<Raw> {
        let liked = |slot: &usize| self.liked.get(*slot).copied().unwrap_or_default();
        let mut raws: Vec<Raw> = feasible
            .iter()
            .map(liked)
            .map(|(disliked, preferred)| Raw { disliked, preferred, ..Raw::default() })
            .collect();
        for counts in &self.rules.drawing {
            for (raw, slot) in raws.iter_mut().zip(feasible) {
                raw.drawn += counts.at(ground, *slot).unwrap_or(0);
            }
        }
        if let Some(near) = self.tied() {
            for (raw, slot) in raws.iter_mut().zip(feasible) {
                raw.network = near.cost(ground, *slot);
            }
        }
        self.spread(ground, feasible, &mut raws);
        raws
    }

    fn spread(&self, ground: &Ground, feasible: &[usize], raws: &mut [Raw]) {
        let soft: Vec<_> = self
            .rules
            .spreading
            .iter()
            .filter_map(|spreading| Some((spreading, self.like.spread.get(spreading.constraint)?)))
            .filter(|(_, constraint)| !constraint.hard)
            .collect();
        if soft.is_empty() {
            return;
        }
        let place = |counts: &Counts, slot: usize| {
            ground
                .topologies
                .get(counts.topology)
                .and_then(|topology| topology.of.get(slot))
                .copied()
                .unwrap_or(NOWHERE)
        };
        let is_whole = |slot: usize| {
            self.like.spread_by_default || soft.iter().all(|(spreading, _)| place(&spreading.counts, slot) != NOWHERE)
        };
        let whole = feasible.iter().filter(|slot| is_whole(**slot)).count();
        let mut costs = vec![0.0; feasible.len()];
        for (spreading, constraint) in &soft {
            let counts = &spreading.counts;
            let weight = if constraint.topology_key == HOSTNAME {
                spread::weight(whole)
            } else {
                let mut seen =
                    vec![false; ground.topologies.get(counts.topology).map_or(0, |topology| topology.len()) + 1];
                for slot in feasible.iter().filter(|slot| is_whole(**slot)) {
                    let place = usize::try_from(place(counts, *slot)).unwrap_or(usize::MAX).min(seen.len() - 1);
                    if let Some(seen) = seen.get_mut(place) {
                        *seen = true;
                    }
                }
                spread::weight(seen.into_iter().filter(|seen| *seen).count())
            };
            for (cost, slot) in costs.iter_mut().zip(feasible).filter(|(_, slot)| place(counts, **slot) != NOWHERE) {
                let count = match &spreading.by_slot {
                    Some(by_slot) => by_slot.get(*slot).copied().unwrap_or(0),
                    None => counts.at(ground, *slot).unwrap_or(0),
                };
                *cost += constraint.cost(count, weight);
            }
        }
        for ((raw, slot), cost) in raws.iter_mut().zip(feasible).zip(costs) {
            raw.spread = if is_whole(*slot) { Spread::Costs(spread::raw(cost)) } else { Spread::Nowhere };
        }
    }
}
