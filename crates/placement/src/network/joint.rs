//! A group placed as a unit.
//!
//! One pod after another, each put where it is cheapest, the first pods decide blindly where all others have to follow. So
//! the group is placed twice that way (as the queue would, and along the strongest ties), and the better of both is mended:
//! a pod moves to where it is cheaper, two pods change places, and when nothing helps any more a few tied pods are taken off
//! and put back in another order. What costs more than the best is undone in the end.
//!
//! Promises: all pods or none; every pod passes every check where it is, the others being where they are, unless it passed
//! when it was placed and later ones that do not share its rule came in its way (as they may when each is placed alone);
//! never dearer than placing one after the other; the same input and seed give the same answer; work is bounded by steps,
//! not by a clock.

use super::board::Board;
use crate::choose::draw;
use crate::cycle::Cycle;
use crate::filter::fits_at;
use crate::node::Node;
use crate::pod::Pod;
use crate::snapshot::Snapshot;

/// A group and its nodes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Joint {
    /// Each pod's node, by its place in the snapshot.
    pub nodes: Vec<usize>,
    /// What all edges of these pods cost, each once.
    pub cost: i64,
    /// What they would cost, placed one after the other; none when that leaves a pod without a node.
    pub greedy: Option<i64>,
    /// Where each would be then.
    pub one_by_one: Option<Vec<usize>>,
    /// The steps taken.
    pub steps: u64,
}

/// The group cannot be placed as a whole.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NoPlace {
    /// The first pod for which no node was left.
    pub pod: usize,
}

/// How many steps are worth it for so many pods: a small group is tried through and through, a large one looked at a few
/// times. A step is one pod held against all nodes, or a few pairs of pods.
#[must_use]
pub fn steps_for(pods: usize) -> u64 {
    let pods = u64::try_from(pods).unwrap_or(u64::MAX).max(1);
    (400_000 / pods).clamp(1_000, 20_000)
}

/// So many pairs of pods are looked at in one step.
const PAIRS: u64 = 16;
/// So many tied pods are taken off at once, at most.
const TAKEN_OFF: u64 = 6;

/// Places pods of one group, none of which is in the snapshot yet, over at most `steps` steps beyond the first two
/// attempts.
///
/// # Errors
/// When neither attempt finds a node for every pod.
pub fn place_group(pods: &[Pod], snapshot: &Snapshot<'_>, steps: u64, seed: u64) -> Result<Joint, NoPlace> {
    let mut search =
        Search { board: Board::new(pods, snapshot), pods: pods.len(), steps: 0, budget: steps, seed, drawn: 0 };
    let queued = search.in_order(&queue_order(pods, snapshot));
    let one_by_one = queued.as_ref().ok().cloned();
    let greedy = one_by_one.as_ref().map(|placed| placed.cost);
    let along = search.along_ties();
    let best = match (queued, along) {
        (Ok(one), Some(other)) if other.cost < one.cost => other,
        (Ok(one), _) => one,
        (Err(_), Some(other)) => other,
        (Err(none), None) => return Err(none),
    };
    let found = search.mend(best);
    let steps = search.steps;
    check(pods, snapshot, &found.nodes)?;
    let one_by_one = one_by_one.map(|placed| placed.nodes);
    Ok(Joint { nodes: found.nodes, cost: found.cost, greedy, one_by_one, steps })
}

/// What all edges of pods cost, each once, when each is on its node.
#[must_use]
pub fn cost(pods: &[Pod], snapshot: &Snapshot<'_>, nodes: &[usize]) -> i64 {
    let mut board = Board::new(pods, snapshot);
    nodes.iter().enumerate().for_each(|(pod, slot)| board.put(pod, *slot));
    board.total()
}

/// Room that others made is judged with and without them, which the board does not: so that is looked at in the end.
fn check(pods: &[Pod], snapshot: &Snapshot<'_>, nodes: &[usize]) -> Result<(), NoPlace> {
    if snapshot.reserved.is_empty() {
        return Ok(());
    }
    let mut placed = snapshot.clone();
    for (pod, slot) in pods.iter().zip(nodes) {
        placed.nodes.get_mut(*slot).into_iter().for_each(|node| node.to_mut().add(pod));
    }
    for (index, (pod, slot)) in pods.iter().zip(nodes).enumerate() {
        let mut without = placed.clone();
        without.nodes.get_mut(*slot).into_iter().for_each(|node| _ = Node::remove(node.to_mut(), &pod.uid));
        if !fits_at(&Cycle::new(pod, &without), *slot) {
            return Err(NoPlace { pod: index });
        }
    }
    Ok(())
}

/// Priority first, then the order of the group.
fn queue_order(pods: &[Pod], snapshot: &Snapshot<'_>) -> Vec<usize> {
    let place = |pod: &Pod| {
        let member = snapshot.network.member(&pod.namespace, &pod.labels);
        member.map_or(usize::MAX, |member| member.group.place(member.workload))
    };
    let mut order: Vec<usize> = (0..pods.len()).collect();
    order.sort_by_key(|index| pods.get(*index).map(|pod| (std::cmp::Reverse(pod.priority), place(pod))));
    order
}

#[derive(Debug, Clone)]
struct Found {
    nodes: Vec<usize>,
    cost: i64,
}

struct Search<'a> {
    board: Board<'a>,
    pods: usize,
    steps: u64,
    budget: u64,
    seed: u64,
    drawn: u64,
}

impl Search<'_> {
    /// A number without a pattern.
    fn draw(&mut self) -> u64 {
        self.drawn += 1;
        draw(self.seed, self.drawn)
    }

    fn below(&mut self, bound: usize) -> usize {
        let bound = u64::try_from(bound).unwrap_or(u64::MAX).max(1);
        usize::try_from(self.draw() % bound).unwrap_or(0)
    }

    /// A step; where many pods have to be looked at again after it, it is a longer one.
    fn step(&mut self, pod: usize) {
        self.steps += 1 + u64::try_from(self.board.bound(pod) / 8).unwrap_or(0);
    }

    fn spent(&self) -> bool {
        self.steps >= self.budget
    }

    fn clear(&mut self) {
        (0..self.pods).for_each(|pod| _ = self.board.take(pod));
    }

    /// One after the other, as the engine chooses.
    fn in_order(&mut self, order: &[usize]) -> Result<Found, NoPlace> {
        self.clear();
        for pod in order {
            let seed = self.draw();
            let slot = self.board.choice(*pod, seed).ok_or(NoPlace { pod: *pod })?;
            self.board.put(*pod, slot);
        }
        self.found().ok_or(NoPlace { pod: 0 })
    }

    /// Each time the pod that is tied most to those that are placed, where it is cheapest.
    fn along_ties(&mut self) -> Option<Found> {
        self.clear();
        let mut pull = vec![0_i64; self.pods];
        let weight = |board: &Board<'_>, pod: usize| board.ties(pod).iter().map(|(_, weight)| weight).sum::<i64>();
        let all: Vec<i64> = (0..self.pods).map(|pod| weight(&self.board, pod)).collect();
        for _ in 0..self.pods {
            let left = (0..self.pods).filter(|pod| self.board.at(*pod).is_none());
            let next =
                left.max_by_key(|pod| (pull.get(*pod).copied(), all.get(*pod).copied(), std::cmp::Reverse(*pod)))?;
            self.cheapest(next)?;
            for (other, weight) in self.board.ties(next) {
                pull.get_mut(*other).into_iter().for_each(|pull| *pull += weight);
            }
        }
        self.found()
    }

    fn found(&self) -> Option<Found> {
        Some(Found { nodes: self.board.all()?, cost: self.board.total() })
    }

    /// Puts a pod that is nowhere where it is cheapest.
    fn cheapest(&mut self, pod: usize) -> Option<()> {
        let reach = self.board.reach(pod);
        let seed = self.draw();
        let lot = |slot: usize| draw(seed, u64::try_from(slot).unwrap_or(0));
        let (slot, _) = reach.into_iter().min_by_key(|(slot, cost)| (*cost, lot(*slot)))?;
        self.board.put(pod, slot);
        Some(())
    }

    fn restore(&mut self, found: &Found) {
        for (pod, slot) in found.nodes.iter().enumerate() {
            if self.board.at(pod) != Some(*slot) {
                self.board.put(pod, *slot);
            }
        }
    }

    /// Makes it cheaper, for as many steps as there are.
    fn mend(&mut self, start: Found) -> Found {
        let mut best = start;
        self.restore(&best);
        self.board.excuse();
        let mut cost = self.descend(best.cost);
        while cost > 0 {
            if cost < best.cost
                && let Some(nodes) = self.board.all()
            {
                best = Found { nodes, cost };
            }
            if self.spent() || self.pods == 0 {
                break;
            }
            self.restore(&best);
            cost = match self.shake() {
                Some(cost) => self.descend(cost),
                None => best.cost,
            };
        }
        match self.board.all().filter(|_| cost < best.cost) {
            Some(nodes) => Found { nodes, cost },
            None => best,
        }
    }

    /// Moves and swaps until neither helps.
    fn descend(&mut self, mut cost: i64) -> i64 {
        loop {
            let before = cost;
            for pod in 0..self.pods {
                cost -= self.move_one(pod);
            }
            if cost == before {
                cost -= self.swap_any();
            }
            if cost >= before || self.spent() {
                return cost;
            }
        }
    }

    /// Moves a pod to where it is cheapest; what that saves.
    fn move_one(&mut self, pod: usize) -> i64 {
        if self.spent() {
            return 0;
        }
        self.step(pod);
        let Some(from) = self.board.take(pod) else { return 0 };
        let reach = self.board.reach(pod);
        let now = reach.iter().find(|(slot, _)| *slot == from).map(|(_, cost)| *cost);
        let best = reach.into_iter().min_by_key(|(slot, cost)| (*cost, *slot != from, *slot));
        let saved = match (now, best) {
            (Some(now), Some((slot, cost))) if cost < now => {
                self.board.put(pod, slot);
                if self.board.is_sound(&[pod]) { now - cost } else { 0 }
            }
            _ => 0,
        };
        if saved == 0 {
            self.board.put(pod, from);
        }
        saved
    }

    /// Swaps two pods where that helps; what all swaps save.
    fn swap_any(&mut self) -> i64 {
        let mut saved = 0;
        let mut pairs = 0;
        for one in 0..self.pods {
            for other in one + 1..self.pods {
                pairs += 1;
                if pairs % PAIRS == 0 {
                    self.steps += 1;
                }
                if self.spent() {
                    return saved;
                }
                saved += self.swap(one, other);
            }
        }
        saved
    }

    fn swap(&mut self, one: usize, other: usize) -> i64 {
        let (Some(here), Some(there)) = (self.board.at(one), self.board.at(other)) else { return 0 };
        if here == there || self.board.are_alike(one, other) {
            return 0;
        }
        // Their own edge costs the same either way.
        let board = &self.board;
        let saved = board.cost_at(one, here, other) + board.cost_at(other, there, one)
            - board.cost_at(one, there, other)
            - board.cost_at(other, here, one);
        if saved <= 0 {
            return 0;
        }
        self.step(one);
        self.board.take(one);
        self.board.take(other);
        if self.board.holds(one, there) {
            self.board.put(one, there);
            if self.board.holds(other, here) {
                self.board.put(other, here);
                if self.board.is_sound(&[one, other]) {
                    return saved;
                }
            }
        }
        self.board.put(one, here);
        self.board.put(other, there);
        0
    }

    /// Takes a few tied pods off and puts them back in another order; what the group costs then. `None` when one of them
    /// found no node, or another is wrong now.
    fn shake(&mut self) -> Option<i64> {
        let first = self.below(self.pods);
        let mut off = vec![first];
        let most = usize::try_from(2 + self.draw() % TAKEN_OFF).unwrap_or(2);
        for _ in 0..most * 2 {
            let from = off.get(self.below(off.len())).copied()?;
            let choice = self.below(self.board.ties(from).len());
            let tied = self.board.ties(from).get(choice).map(|(other, _)| *other);
            let next = tied.unwrap_or_else(|| self.below(self.pods));
            if !off.contains(&next) && off.len() < most {
                off.push(next);
            }
        }
        self.steps += 1;
        off.iter().for_each(|pod| self.step(*pod));
        let moved = off.clone();
        off.iter().for_each(|pod| _ = self.board.take(*pod));
        // The first goes anywhere, so that the others may follow it.
        let mut blind = true;
        while !off.is_empty() {
            let choice = self.below(off.len());
            let pod = off.swap_remove(choice);
            let reach = self.board.reach(pod);
            if std::mem::take(&mut blind) {
                let (slot, _) = reach.get(self.below(reach.len())).copied()?;
                self.board.put(pod, slot);
            } else {
                self.cheapest(pod)?;
            }
        }
        self.board.is_sound(&moved).then(|| self.board.total())
    }
}
