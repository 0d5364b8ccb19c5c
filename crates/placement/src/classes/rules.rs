//! A class's rules about other pods, as counts by place.

use super::Nodes;
use super::ground::{Ground, NOWHERE};
use crate::peers::Namespaces;
use crate::pod::{Claim, Pod};
use crate::spread::{HOSTNAME, SpreadConstraint};

/// How many pods (or what they are worth) are in each place of a topology.
#[derive(Debug, Clone)]
pub(super) struct Counts {
    pub(super) topology: usize,
    pub(super) by_place: Vec<i64>,
}

impl Counts {
    fn of(topology: usize) -> Self {
        Self { topology, by_place: Vec::new() }
    }

    fn place(&self, ground: &Ground, slot: usize) -> Option<usize> {
        let place = *ground.topologies.get(self.topology)?.of.get(slot)?;
        if place == NOWHERE { None } else { usize::try_from(place).ok() }
    }

    /// Counts; whether the slot has a place at all.
    fn add(&mut self, ground: &Ground, slot: usize, more: i64) -> bool {
        let Some(place) = self.place(ground, slot) else { return false };
        if self.by_place.len() <= place {
            self.by_place.resize(place + 1, 0);
        }
        if let Some(count) = self.by_place.get_mut(place) {
            *count += more;
        }
        true
    }

    /// What is counted where the slot is; `None` when it is nowhere.
    pub(super) fn at(&self, ground: &Ground, slot: usize) -> Option<i64> {
        Some(self.by_place.get(self.place(ground, slot)?).copied().unwrap_or(0))
    }
}

/// A spread constraint: its counts, and whose pods count.
#[derive(Debug, Clone)]
pub(super) struct Spreading {
    /// Its place in the pod's list.
    pub(super) constraint: usize,
    pub(super) counts: Counts,
    /// Whether the pods of a slot count.
    pub(super) admitted: Vec<bool>,
    /// How many such slots each place has.
    pub(super) nodes: Vec<u32>,
    /// By slot, whatever is admitted: for a soft constraint over nodes.
    pub(super) by_slot: Option<Vec<i64>>,
}

/// What a kind of pods that runs means to the class.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Effect {
    /// Which spread constraints count it.
    spread: Vec<usize>,
    required: bool,
    /// Which anti-affinity terms speak of it.
    anti: Vec<usize>,
    /// The topologies in whose places it keeps the class away, once a term.
    repels: Vec<usize>,
    draws: Vec<(usize, i64)>,
}

/// Not looked at yet.
const UNKNOWN: u32 = u32::MAX;
/// Looked at, and without effect.
const NONE: u32 = u32::MAX - 1;

/// All rules of a class and their counts.
#[derive(Debug, Clone, Default)]
pub(super) struct Rules {
    pub(super) spreading: Vec<Spreading>,
    pub(super) required: Vec<Counts>,
    /// How many pods the required terms speak of, over all terms and places.
    pub(super) required_pods: i64,
    /// Whether they speak of the pod itself.
    pub(super) speaks_of_itself: bool,
    pub(super) anti: Vec<Counts>,
    pub(super) repelling: Vec<Counts>,
    pub(super) drawing: Vec<Counts>,
    effects: Vec<Effect>,
    by_kind: Vec<u32>,
}

impl Rules {
    pub(super) fn new(pod: &Pod, ground: &mut Ground, nodes: &impl Nodes) -> Self {
        let mut counts = |key: &str| Counts::of(ground.topology(key, nodes));
        let affinity = &pod.affinity;
        let required = affinity.required.iter().map(|term| counts(&term.topology_key)).collect();
        let anti = affinity.anti.iter().map(|term| counts(&term.topology_key)).collect();
        let spreading = pod.spread.iter().enumerate().map(|(index, constraint)| Spreading {
            constraint: index,
            counts: counts(&constraint.topology_key),
            admitted: Vec::new(),
            nodes: Vec::new(),
            by_slot: (!constraint.hard && constraint.topology_key == HOSTNAME).then(Vec::new),
        });
        let speaks_of_itself = affinity.requires(&pod.namespace, &pod.labels, nodes.namespaces());
        Self { spreading: spreading.collect(), required, anti, speaks_of_itself, ..Self::default() }
    }

    /// Whether pods elsewhere bear on the scores.
    pub(super) fn compares(&self, pod: &Pod) -> bool {
        !self.drawing.is_empty() || pod.spread.iter().any(|constraint| !constraint.hard)
    }

    /// Looks at a node again; whether it changed whose pods count.
    pub(super) fn look(&mut self, pod: &Pod, slot: usize, nodes: &impl Nodes) -> bool {
        let node = nodes.node(slot);
        let mut changed = false;
        for spreading in &mut self.spreading {
            let Some(constraint) = pod.spread.get(spreading.constraint) else { continue };
            // Constraints of one kind insist on the labels of all of them; the cluster's defaults do not.
            let insists = |other: &&SpreadConstraint| other.hard == constraint.hard && !pod.spread_by_default;
            let admits = node.is_some_and(|node| {
                let mut same = pod.spread.iter().filter(insists);
                same.all(|other| node.labels.contains_key(&other.topology_key)) && constraint.admits(pod, node)
            });
            if let Some(known) = spreading.admitted.get_mut(slot) {
                changed |= *known != admits;
                *known = admits;
            }
        }
        changed
    }

    pub(super) fn make_room(&mut self, slots: usize) {
        for spreading in &mut self.spreading {
            spreading.admitted.resize(slots, false);
            spreading.by_slot.iter_mut().for_each(|by_slot| by_slot.resize(slots, 0));
        }
    }

    /// Counts everything anew.
    pub(super) fn recount(&mut self, pod: &Pod, ground: &mut Ground, nodes: &impl Nodes) {
        let all = self.required.iter_mut().chain(&mut self.anti).chain(&mut self.repelling).chain(&mut self.drawing);
        all.chain(self.spreading.iter_mut().map(|spreading| &mut spreading.counts))
            .for_each(|counts| counts.by_place.clear());
        self.required_pods = 0;
        for spreading in &mut self.spreading {
            spreading.by_slot.iter_mut().for_each(|by_slot| by_slot.fill(0));
            spreading.nodes.clear();
            let topology = ground.topologies.get(spreading.counts.topology);
            for (admitted, place) in spreading.admitted.iter().zip(topology.into_iter().flat_map(|known| &known.of)) {
                let Some(place) = usize::try_from(*place).ok().filter(|_| *admitted && *place != NOWHERE) else {
                    continue;
                };
                if spreading.nodes.len() <= place {
                    spreading.nodes.resize(place + 1, 0);
                }
                if let Some(nodes) = spreading.nodes.get_mut(place) {
                    *nodes += 1;
                }
            }
        }
        for kind in 0..ground.kinds.len() {
            if self.effect_of(kind, pod, ground, nodes) != NONE
                && let Some(Some(known)) = ground.kinds.get(kind)
            {
                let slots: Vec<(usize, i64)> = known.slots.iter().map(|(slot, pods)| (*slot, *pods)).collect();
                slots.into_iter().for_each(|(slot, pods)| self.add(kind, slot, pods, ground));
            }
        }
    }

    /// So many more pods of a kind are in a slot.
    pub(super) fn count(&mut self, pod: &Pod, step: (usize, usize, i64), ground: &mut Ground, nodes: &impl Nodes) {
        let (slot, kind, more) = step;
        if self.effect_of(kind, pod, ground, nodes) != NONE {
            self.add(kind, slot, more, ground);
        }
    }

    fn add(&mut self, kind: usize, slot: usize, more: i64, ground: &Ground) {
        let Self { spreading, required, required_pods, anti, repelling, drawing, effects, by_kind, .. } = self;
        let known = by_kind.get(kind).and_then(|effect| effects.get(usize::try_from(*effect).ok()?));
        let Some(effect) = known else { return };
        for index in &effect.spread {
            let Some(spreading) = spreading.get_mut(*index) else { continue };
            if spreading.admitted.get(slot).copied().unwrap_or(false) {
                spreading.counts.add(ground, slot, more);
            }
            if let Some(count) = spreading.by_slot.as_mut().and_then(|by_slot| by_slot.get_mut(slot)) {
                *count += more;
            }
        }
        for counts in required.iter_mut().filter(|_| effect.required) {
            *required_pods += if counts.add(ground, slot, more) { more } else { 0 };
        }
        for index in &effect.anti {
            anti.get_mut(*index).into_iter().for_each(|counts| _ = counts.add(ground, slot, more));
        }
        for topology in &effect.repels {
            let counts = repelling.iter_mut().find(|counts| counts.topology == *topology);
            counts.into_iter().for_each(|counts| _ = counts.add(ground, slot, more));
        }
        for (topology, worth) in &effect.draws {
            let counts = drawing.iter_mut().find(|counts| counts.topology == *topology);
            counts.into_iter().for_each(|counts| _ = counts.add(ground, slot, more * worth));
        }
    }

    /// Which effect a kind has; looked at once. A kind that is gone and was never looked at has none: whatever came of it
    /// went again.
    fn effect_of(&mut self, kind: usize, pod: &Pod, ground: &mut Ground, nodes: &impl Nodes) -> u32 {
        if self.by_kind.len() <= kind {
            self.by_kind.resize(ground.kinds.len().max(kind + 1), UNKNOWN);
        }
        let known = self.by_kind.get(kind).copied().unwrap_or(NONE);
        if known != UNKNOWN {
            return known;
        }
        let claim =
            ground.kinds.get(kind).and_then(|kind| kind.as_ref().map(|kind| std::sync::Arc::clone(&kind.claim)));
        let effect = claim.map(|claim| self.judge(&claim, pod, ground, nodes)).unwrap_or_default();
        let mut index = NONE;
        if effect != Effect::default() {
            index = u32::try_from(self.effects.len()).unwrap_or(NONE);
            self.effects.push(effect);
        }
        if let Some(known) = self.by_kind.get_mut(kind) {
            *known = index;
        }
        index
    }

    fn judge(&mut self, claim: &Claim, pod: &Pod, ground: &mut Ground, nodes: &impl Nodes) -> Effect {
        let namespaces: &Namespaces = nodes.namespaces();
        let speaks = |term: &crate::PodTerm| term.speaks_of(&claim.namespace, &claim.labels, namespaces);
        let counting = pod.spread.iter().enumerate().filter(|(_, constraint)| constraint.counts(&pod.namespace, claim));
        let anti = pod.affinity.anti.iter().enumerate().filter(|(_, term)| speaks(term));
        let mut effect = Effect {
            spread: counting.map(|(index, _)| index).collect(),
            required: pod.affinity.requires(&claim.namespace, &claim.labels, namespaces),
            anti: anti.map(|(index, _)| index).collect(),
            ..Effect::default()
        };
        let speaks_of_us = |term: &&crate::PodTerm| term.speaks_of(&pod.namespace, &pod.labels, namespaces);
        for term in claim.affinity.anti.iter().filter(speaks_of_us) {
            let topology = ground.topology(&term.topology_key, nodes);
            effect.repels.push(topology);
            open(&mut self.repelling, topology);
        }
        let ours = pod.affinity.preferred.iter().filter(|ours| speaks(&ours.term));
        let ours = ours.map(|ours| (i64::from(ours.weight), &ours.term));
        for (worth, term) in ours.chain(claim.affinity.drawing().filter(|(_, term)| speaks_of_us(term))) {
            let topology = ground.topology(&term.topology_key, nodes);
            effect.draws.push((topology, worth));
            open(&mut self.drawing, topology);
        }
        effect
    }
}

fn open(counts: &mut Vec<Counts>, topology: usize) {
    if counts.iter().all(|known| known.topology != topology) {
        counts.push(Counts::of(topology));
    }
}
