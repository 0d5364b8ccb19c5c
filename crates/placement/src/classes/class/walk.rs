//! The walks over the nodes that can hold a class, for the best of them.
//!
//! What has to be worked out of a node depends on what nodes can differ in: in their room alone; in that and whether a rule
//! lets them; in what they cost over the network as well; or in anything. Each has a walk, the plainest one wins.
//!
//! Promises: every walk looks at every node, and finds what the most general one would.

use keelson_core::Candidate;

use super::{Class, FULL, Gate};
use crate::choose::{Choice, draw};
use crate::classes::ground::Ground;
use crate::classes::near::Near;
use crate::classes::{Known, Nodes};
use crate::explain::{SHOWN_FEASIBLE, leader};
use crate::score::{self, Range, Raw, Scores};

/// How many slots are passed over at once when none of them scores enough.
const BLOCK: usize = 64;

/// The best so far, best first: total, lot, slot and what it was compared by.
struct Best<'a, N> {
    ground: &'a Ground,
    nodes: &'a N,
    seed: u64,
    best: Vec<(i64, u64, usize, Raw)>,
}

impl<N: Nodes> Best<'_, N> {
    #[inline]
    fn worst(&self) -> Option<&(i64, u64, usize, Raw)> {
        self.best.last().filter(|_| self.best.len() == SHOWN_FEASIBLE)
    }

    /// Whether a total may be among the best.
    #[inline]
    fn takes(&self, total: i64) -> bool {
        self.worst().is_none_or(|(least, ..)| total >= *least)
    }

    /// Most are no better than the worst: those cost a comparison.
    #[inline]
    fn offer(&mut self, total: i64, slot: usize, raw: Raw) {
        if self.takes(total) {
            self.draw(total, slot, raw);
        }
    }

    fn draw(&mut self, total: i64, slot: usize, raw: Raw) {
        let lot = draw(self.seed, self.ground.lots.get(slot).copied().unwrap_or(0));
        if self.worst().is_some_and(|(least, last, ..)| (-total, lot) > (-least, *last)) {
            return;
        }
        let name = |slot: usize| self.nodes.node(slot).map(|node| node.name.as_str());
        let before = |other: &(i64, u64, usize, Raw)| (-other.0, other.1, name(other.2)) < (-total, lot, name(slot));
        self.best.insert(self.best.partition_point(before), (total, lot, slot, raw));
        self.best.truncate(SHOWN_FEASIBLE);
    }
}

/// What a node that differs in nothing from the others has of what is compared.
fn same() -> i64 {
    Range::SAME.compared(Scores::default(), Raw::default()).total()
}

impl Class {
    /// The best of the nodes that can hold the class, and those that come next.
    pub(in crate::classes) fn choose(&self, ground: &Ground, nodes: &impl Nodes, seed: u64) -> Known {
        let mut best = Best { ground, nodes, seed, best: Vec::with_capacity(SHOWN_FEASIBLE + 1) };
        let gates = self.gates(ground);
        let (feasible, range) = match self.tied() {
            _ if self.compared > 0 || self.rules.compares(&self.like) => self.all_compared(ground, &gates, &mut best),
            Some(near) => self.costs_compared(near, ground, &gates, &mut best),
            None if gates.is_empty() && self.images.is_empty() => (self.rooms_alone(&mut best), Range::SAME),
            None => (self.those_let_in(&gates, &mut best), Range::SAME),
        };
        let best = best.best;
        let leaders: Vec<Candidate> = best
            .iter()
            .filter_map(|(_, _, slot, raw)| {
                let alone = score::alone(&self.asked, ground.rooms.get(*slot)?);
                let scores = range.compared(Scores { image: self.image(*slot), ..alone }, *raw);
                Some(leader(&nodes.node(*slot)?.name, scores))
            })
            .collect();
        let (node, total) = best.first().map_or((None, 0), |(total, _, slot, _)| (Some(*slot), *total));
        let choice = Choice { node, feasible, nodes: nodes.slots() - nodes.empty_slots(), total };
        Known { choice, leaders }
    }

    /// Nodes differ in their room: blocks of which none has enough are passed over.
    fn rooms_alone<N: Nodes>(&self, best: &mut Best<'_, N>) -> usize {
        let same = same();
        for (block, rooms) in self.room.chunks(BLOCK).enumerate() {
            let most = rooms.iter().fold(FULL, |most, room| most.max(*room));
            if most == FULL || !best.takes(i64::from(most) + same) {
                continue;
            }
            for (index, room) in rooms.iter().enumerate().filter(|(_, room)| **room != FULL) {
                best.offer(i64::from(*room) + same, block * BLOCK + index, Raw::default());
            }
        }
        self.room.iter().filter(|room| **room != FULL).count()
    }

    /// Some are not let by a rule, or have images of the class.
    fn those_let_in<N: Nodes>(&self, gates: &[Gate<'_>], best: &mut Best<'_, N>) -> usize {
        let same = same();
        let has_room = self.room.iter().enumerate().filter(|(_, room)| **room != FULL);
        let lets = |(slot, _): &(usize, &i16)| gates.iter().all(|gate| gate.lets(*slot));
        has_room.filter(lets).fold(0, |feasible, (slot, room)| {
            best.offer(i64::from(*room) + same + self.image(slot), slot, Raw::default());
            feasible + 1
        })
    }

    /// They cost something over the network as well: nearly all cost what their place does.
    fn costs_compared<N: Nodes>(
        &self,
        near: &Near,
        ground: &Ground,
        gates: &[Gate<'_>],
        best: &mut Best<'_, N>,
    ) -> (usize, Range) {
        let feasible = self.feasible(ground, gates);
        let range = Range::of_costs(feasible.iter().map(|slot| near.cost(ground, *slot)));
        let raw = |cost| Raw { network: cost, ..Raw::default() };
        let worth = |cost| range.compared(Scores::default(), raw(cost)).total();
        let places: Vec<i64> = near.places().map(worth).collect();
        for slot in feasible.iter().copied() {
            let place = near.place_alone(ground, slot).and_then(|place| places.get(place)).copied();
            let compared = place.unwrap_or_else(|| worth(near.cost(ground, slot)));
            let total = self.room_at(slot) + compared + self.image(slot);
            if best.takes(total) {
                best.draw(total, slot, raw(near.cost(ground, slot)));
            }
        }
        (feasible.len(), range)
    }

    /// They differ in anything.
    fn all_compared<N: Nodes>(&self, ground: &Ground, gates: &[Gate<'_>], best: &mut Best<'_, N>) -> (usize, Range) {
        let feasible = self.feasible(ground, gates);
        let raws = self.raws(ground, &feasible);
        let range = raws.iter().fold(Range::NONE, |range, raw| range.and(raw));
        for (slot, raw) in feasible.iter().zip(raws) {
            let compared = range.compared(Scores::default(), raw).total();
            best.offer(self.room_at(*slot) + compared + self.image(*slot), *slot, raw);
        }
        (feasible.len(), range)
    }

    fn room_at(&self, slot: usize) -> i64 {
        self.room.get(slot).copied().map_or(0, i64::from)
    }
}
