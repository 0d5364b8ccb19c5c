//! Which node a pod gets.
//!
//! Every node is checked and every feasible node is scored. The best total wins; among equals a number mixed from the
//! caller's seed and the node's name decides, so that equal nodes share the load and a replay gives the same answer.
//!
//! Promises: the choice depends on the set of nodes, not on their order; the chosen node passes every check.

use serde::{Deserialize, Serialize};

use crate::cycle::Cycle;
use crate::filter::fits_at;
use crate::node::Node;
use crate::pod::Pod;
use crate::score::{self, Scores};
use crate::snapshot::Snapshot;

/// The outcome of one choice.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Choice {
    /// The chosen node's index in the given slice; absent when no node can hold the pod.
    pub node: Option<usize>,
    /// How many nodes could hold it.
    pub feasible: usize,
    /// How many nodes were looked at.
    pub nodes: usize,
    /// The chosen node's weighted total; 0 when none was chosen.
    pub total: i64,
}

/// One feasible node and its scores.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Ranked {
    pub(crate) index: usize,
    pub(crate) scores: Scores,
}

/// The best node for `pod`. `seed` decides between equals; hand in another for every pod. The nodes must not hold the pod
/// itself: one that is asked about again is taken off its node first. `O(nodes × checks + feasible × log feasible)`, and as
/// [`Cycle::new`].
#[must_use]
pub fn choose(pod: &Pod, snapshot: &Snapshot<'_>, seed: u64) -> Choice {
    choice_of(&rank(&Cycle::new(pod, snapshot), seed), snapshot)
}

pub(crate) fn choice_of(ranked: &[Ranked], snapshot: &Snapshot<'_>) -> Choice {
    let best = ranked.first();
    Choice {
        node: best.map(|best| best.index),
        feasible: ranked.len(),
        nodes: snapshot.nodes.len(),
        total: best.map_or(0, |best| best.scores.total()),
    }
}

/// Where one feasible node stands among all: its place from 1, and its weighted total.
#[must_use]
pub fn standing(cycle: &Cycle<'_>, seed: u64, index: usize) -> Option<(usize, i64)> {
    let ranked = rank(cycle, seed);
    let place = ranked.iter().position(|ranked| ranked.index == index)?;
    Some((place + 1, ranked.get(place)?.scores.total()))
}

/// Every feasible node, best first.
pub(crate) fn rank(cycle: &Cycle<'_>, seed: u64) -> Vec<Ranked> {
    let feasible: Vec<(usize, &Node)> =
        cycle.snapshot.nodes().enumerate().filter(|(index, _)| fits_at(cycle, *index)).collect();
    let only_nodes: Vec<&Node> = feasible.iter().map(|(_, node)| *node).collect();
    let mut ranked: Vec<(Ranked, u64, &str)> = feasible
        .iter()
        .zip(score::score(cycle, &only_nodes))
        .map(|((index, node), scores)| (Ranked { index: *index, scores }, lot(seed, &node.name), node.name.as_str()))
        .collect();
    ranked.sort_by(|(a, lot_a, name_a), (b, lot_b, name_b)| {
        b.scores.total().cmp(&a.scores.total()).then(lot_a.cmp(lot_b)).then(name_a.cmp(name_b))
    });
    ranked.into_iter().map(|(ranked, ..)| ranked).collect()
}

/// A number that is fixed for a seed and a name.
pub(crate) fn lot(seed: u64, name: &str) -> u64 {
    draw(seed, hash(name))
}

/// FNV-1a of a name.
pub(crate) fn hash(name: &str) -> u64 {
    name.bytes().fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3))
}

/// The lot of a hashed name: the finaliser of SplitMix64, because names that differ in their last letter must not draw
/// neighbouring lots, and seeds that differ by one must not draw alike.
#[inline]
pub(crate) fn draw(seed: u64, hash: u64) -> u64 {
    let hash = hash.wrapping_add(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15));
    let hash = (hash ^ (hash >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let hash = (hash ^ (hash >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    hash ^ (hash >> 31)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]
    use keelson_core::ResourceName;

    use super::*;
    use crate::affinity::NodeTerm;
    use crate::requests::PodRequests;

    fn node(name: &str, cpu: i64) -> Node {
        Node::new(name, [(ResourceName::Cpu, cpu), (ResourceName::Memory, 1 << 30)])
    }

    fn pod(cpu: i64) -> Pod {
        Pod::new("shop", "cart")
            .requesting(&PodRequests::default().container([(ResourceName::Cpu, cpu), (ResourceName::Memory, 1 << 20)]))
    }

    #[test]
    fn the_emptier_node_wins_and_full_ones_are_not_counted_as_feasible() {
        let nodes = [node("small", 400), node("half", 2_000).holding(&pod(1_000)), node("empty", 2_000)];
        let choice = choose(&pod(500), &Snapshot::of(&nodes), 7);
        assert_eq!((choice.node, choice.feasible, choice.nodes), (Some(2), 2, 3));
    }

    #[test]
    fn a_node_stands_where_its_total_puts_it() {
        let nodes = [node("small", 400), node("half", 2_000).holding(&pod(1_000)), node("empty", 2_000)];
        let (pod, snapshot) = (pod(500), Snapshot::of(&nodes));
        let cycle = Cycle::new(&pod, &snapshot);
        let at = |index| standing(&cycle, 7, index).map(|(place, _)| place);
        assert_eq!((at(2), at(1), at(0)), (Some(1), Some(2), None));
        assert_eq!(standing(&cycle, 7, 2).unwrap().1, choose(&pod, &snapshot, 7).total);
    }

    #[test]
    fn without_a_feasible_node_nothing_is_chosen() {
        let none = Choice { node: None, feasible: 0, nodes: 1, total: 0 };
        assert_eq!(choose(&pod(500), &Snapshot::of(&[node("small", 400)]), 7), none);
    }

    #[test]
    fn a_preference_outweighs_a_little_room() {
        let nodes = [node("empty", 2_000), node("half", 2_000).holding(&pod(500)).label("disk", "ssd")];
        let wishing = pod(100).preferring(1, NodeTerm::label("disk", "ssd"));
        assert_eq!(choose(&pod(100), &Snapshot::of(&nodes), 1).node, Some(0));
        assert_eq!(choose(&wishing, &Snapshot::of(&nodes), 1).node, Some(1));
    }

    #[test]
    fn equal_nodes_share_the_load_over_seeds_and_one_seed_always_draws_the_same() {
        let nodes: Vec<Node> = ["a", "b", "c", "d"].map(|name| node(name, 1_000)).into();
        let mut drawn = [0_u32; 4];
        for seed in 0..400 {
            let choice = choose(&pod(100), &Snapshot::of(&nodes), seed);
            assert_eq!(choice, choose(&pod(100), &Snapshot::of(&nodes), seed));
            drawn[choice.node.unwrap()] += 1;
        }
        assert!(drawn.iter().all(|count| (60..=140).contains(count)), "{drawn:?}");
    }
}
