//! How good each feasible node is.
//!
//! Nine scorers give 0 to 100 each; the total is their weighted sum. Raw numbers of taints, preferences and peers say something
//! only in comparison, so they are normalised over the nodes that are compared. Weights and formulas are those of
//! kube-scheduler 1.36; those of network cost, of which it has none, are NetworkOverhead's, and bandwidth is ours
//! ([`share`]).
//!
//! Promises: the nodes' order changes no score; a pod of no group gets nothing for network cost on any node; integers
//! throughout, except the one deviation that the compared system computes in floating point too.

use keelson_core::Score;
use serde::{Deserialize, Serialize};

use crate::bandwidth::share;
use crate::cycle::Cycle;
use crate::images::Holders;
use crate::network::near;
use crate::node::Node;
use crate::pod::Pod;
use crate::preferences::Preferences;
use crate::room::{Asked, Room};
use crate::{spread, taints};

/// The best a scorer gives.
pub const MAX: i64 = 100;
/// What TaintToleration counts in the total.
pub const TAINT_TOLERATION_WEIGHT: i64 = 3;
/// What NodeAffinity counts in the total.
pub const NODE_AFFINITY_WEIGHT: i64 = 2;
/// What NodeResourcesFit counts in the total.
pub const RESOURCES_FIT_WEIGHT: i64 = 1;
/// What NodeResourcesBalancedAllocation counts in the total.
pub const BALANCED_WEIGHT: i64 = 1;

/// What PodTopologySpread counts in the total.
pub const SPREAD_WEIGHT: i64 = 2;
/// What InterPodAffinity counts in the total.
pub const POD_AFFINITY_WEIGHT: i64 = 2;
/// What ImageLocality counts in the total.
pub const IMAGE_WEIGHT: i64 = 1;

/// What the dominant share counts in the total: enough that what a pod sends outweighs what is free of cpu and memory, for half
/// of the score's range is for how much a load varies.
pub const BANDWIDTH_WEIGHT: i64 = 4;

/// What network cost counts in the total: what upstream's profile of NetworkOverhead suggests.
pub const NETWORK_WEIGHT: i64 = 5;

/// What each scorer gave one node, 0 to 100.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Scores {
    /// NodeResourcesFit, LeastAllocated: how much stays free.
    pub least_allocated: i64,
    /// NodeResourcesBalancedAllocation: how evenly cpu and memory are used.
    pub balanced: i64,
    /// TaintToleration: how few taints make it less liked.
    pub taint_toleration: i64,
    /// NodeAffinity: how many of the pod's preferences it meets.
    pub node_affinity: i64,
    /// PodTopologySpread: how few of the pods it is spread with are there.
    #[serde(default)]
    pub spread: i64,
    /// InterPodAffinity: how much it and the pods there like to be together.
    #[serde(default)]
    pub pod_affinity: i64,
    /// ImageLocality: how much of its images is there.
    #[serde(default)]
    pub image: i64,
    /// NetworkOverhead: how near it is to the pods of its group that it is tied to.
    #[serde(default)]
    pub network: i64,
    /// NodeBandwidth: how safe the resource is of which the pod takes the largest share.
    #[serde(default)]
    pub bandwidth: i64,
}

impl Scores {
    /// The weighted sum.
    #[must_use]
    #[inline]
    pub const fn total(&self) -> i64 {
        self.least_allocated * RESOURCES_FIT_WEIGHT
            + self.balanced * BALANCED_WEIGHT
            + self.taint_toleration * TAINT_TOLERATION_WEIGHT
            + self.node_affinity * NODE_AFFINITY_WEIGHT
            + self.spread * SPREAD_WEIGHT
            + self.pod_affinity * POD_AFFINITY_WEIGHT
            + self.image * IMAGE_WEIGHT
            + self.network * NETWORK_WEIGHT
            + self.bandwidth * BANDWIDTH_WEIGHT
    }

    /// The parts for a decision record, in the names kube-scheduler gives its plugins; those that few pods ask for only
    /// when they give something.
    #[must_use]
    pub fn parts(&self) -> Vec<Score> {
        let always = [
            ("TaintToleration", self.taint_toleration, TAINT_TOLERATION_WEIGHT),
            ("NodeAffinity", self.node_affinity, NODE_AFFINITY_WEIGHT),
            ("NodeResourcesFit", self.least_allocated, RESOURCES_FIT_WEIGHT),
        ];
        let asked = [
            ("PodTopologySpread", self.spread, SPREAD_WEIGHT),
            ("InterPodAffinity", self.pod_affinity, POD_AFFINITY_WEIGHT),
        ];
        let balanced = ("NodeResourcesBalancedAllocation", self.balanced, BALANCED_WEIGHT);
        let rare = [
            ("ImageLocality", self.image, IMAGE_WEIGHT),
            ("NetworkOverhead", self.network, NETWORK_WEIGHT),
            ("NodeBandwidth", self.bandwidth, BANDWIDTH_WEIGHT),
        ];
        let given = |(_, value, _): &(&str, i64, i64)| *value != 0;
        let all = always.into_iter().chain(asked.into_iter().filter(given)).chain([balanced]);
        let all = all.chain(rare.into_iter().filter(given));
        all.map(|(name, value, weight)| Score { name: name.into(), value, weight }).collect()
    }
}

/// The scores of these nodes for the cycle's pod, in their order. `O(nodes × (taints + preferences))`, and as
/// [`Cycle::new`] where pods elsewhere bear on it.
#[must_use]
pub fn score(cycle: &Cycle<'_>, nodes: &[&Node]) -> Vec<Scores> {
    scored(cycle, nodes).into_iter().map(|(_, scores)| scores).collect()
}

/// The same beside the numbers that say something only in comparison.
#[must_use]
pub fn scored(cycle: &Cycle<'_>, nodes: &[&Node]) -> Vec<(Raw, Scores)> {
    let pod = cycle.pod;
    let peers = Preferences::new(cycle, nodes);
    let holders = Holders::count(pod, cycle.snapshot.nodes());
    let raws: Vec<Raw> = nodes
        .iter()
        .map(|node| {
            let (spread, drawn, network) = (peers.spread(node), peers.drawn(node), cycle.network_cost(node));
            Raw { spread, drawn, network, ..raw(pod, node) }
        })
        .collect();
    let range = Range::of(&raws);
    let asked = Asked::by(pod);
    let alone = |node: &Node| Scores { image: holders.score(pod, node), ..alone(&asked, &Room::of(node)) };
    nodes.iter().zip(raws).map(|(node, raw)| (raw, range.compared(alone(node), raw))).collect()
}

/// The numbers of a node that say something only in comparison.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub struct Raw {
    /// Untolerated `PreferNoSchedule` taints.
    pub disliked: i64,
    /// Summed weights of the preferences it meets.
    pub preferred: i64,
    /// What being one more there costs.
    pub spread: Spread,
    /// How much the pods there and the pod like each other.
    pub drawn: i64,
    /// What its edges to placed pods of its group cost from there.
    pub network: i64,
}

/// What spreading says of a node.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub enum Spread {
    /// The pod is not spread by preference.
    #[default]
    Not,
    /// The node lacks one of the labels.
    Nowhere,
    /// What one more there costs.
    Costs(i64),
}

/// What depends on the pod and the node's labels and taints alone.
pub(crate) fn raw(pod: &Pod, node: &Node) -> Raw {
    let (disliked, preferred) = (taints::disliked(&pod.tolerations, &node.taints), preference(pod, node));
    Raw { disliked, preferred, ..Raw::default() }
}

/// What depends on the pod and the node's room alone.
#[inline]
pub(crate) fn alone(asked: &Asked, room: &Room) -> Scores {
    Scores {
        least_allocated: least_allocated(asked, room),
        balanced: balanced(asked, room),
        bandwidth: share::safety(asked, room),
        ..Scores::default()
    }
}

/// Between which bounds the raw numbers of the compared nodes lie.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Range {
    disliked: i64,
    preferred: i64,
    spread: (i64, i64),
    drawn: (i64, i64),
    network: (i64, i64),
}

impl Range {
    pub(crate) const NONE: Self =
        Self { disliked: 0, preferred: 0, spread: (i64::MAX, 0), drawn: (i64::MAX, i64::MIN), network: (i64::MAX, 0) };

    /// When no node differs from another in any of them.
    pub(crate) const SAME: Self = Self { disliked: 0, preferred: 0, spread: (0, 0), drawn: (0, 0), network: (0, 0) };

    /// When nodes differ in nothing but what they cost over the network.
    pub(crate) fn of_costs(costs: impl Iterator<Item = i64>) -> Self {
        let network = costs.fold(Self::NONE.network, |(least, most), cost| (least.min(cost), most.max(cost)));
        Self { network, ..Self::SAME }
    }

    fn of(raws: &[Raw]) -> Self {
        raws.iter().fold(Self::NONE, |range, raw| range.and(raw))
    }

    #[inline]
    pub(crate) fn and(self, raw: &Raw) -> Self {
        let (least, most) = self.spread;
        let spread = match raw.spread {
            Spread::Costs(cost) => (least.min(cost), most.max(cost)),
            Spread::Not | Spread::Nowhere => (least, most),
        };
        Self {
            disliked: self.disliked.max(raw.disliked),
            preferred: self.preferred.max(raw.preferred),
            spread,
            drawn: (self.drawn.0.min(raw.drawn), self.drawn.1.max(raw.drawn)),
            network: (self.network.0.min(raw.network), self.network.1.max(raw.network)),
        }
    }

    /// The same scores with those that depend on the compared nodes.
    #[inline]
    pub(crate) fn compared(&self, scores: Scores, raw: Raw) -> Scores {
        let (least, most) = self.spread;
        Scores {
            taint_toleration: MAX - share_of(raw.disliked, self.disliked),
            node_affinity: share_of(raw.preferred, self.preferred),
            spread: match raw.spread {
                Spread::Not => 0,
                Spread::Nowhere => spread::normalised(None, least, most),
                Spread::Costs(cost) => spread::normalised(Some(cost), least, most),
            },
            pod_affinity: between(raw.drawn, self.drawn),
            network: near::normalised(raw.network, self.network),
            ..scores
        }
    }
}

/// `⌊100·value/most⌋`, and 0 when no node has any.
fn share_of(value: i64, most: i64) -> i64 {
    if most <= 0 { 0 } else { value.saturating_mul(MAX) / most }
}

/// Where a value lies between the least (0) and the most (100); 0 for all when all are the same.
#[allow(clippy::cast_precision_loss, clippy::cast_possible_truncation, reason = "as the compared system computes")]
fn between(value: i64, (least, most): (i64, i64)) -> i64 {
    if most <= least { 0 } else { (100.0 * ((value - least) as f64 / (most - least) as f64)) as i64 }
}

/// The summed weights of the preferences that the node meets.
fn preference(pod: &Pod, node: &Node) -> i64 {
    pod.preferred.iter().filter(|preferred| preferred.term.matches(node)).map(|met| i64::from(met.weight)).sum()
}

/// LeastAllocated: the mean over cpu and memory of `⌊(allocatable − requested)·100/allocatable⌋`, with requests as
/// [`crate::NonZero`] counts them. A resource the node does not offer is left out; one that overflows gives 0.
#[must_use]
#[inline]
pub fn least_allocated(asked: &Asked, room: &Room) -> i64 {
    let wanted = room.non_zero.plus(asked.non_zero);
    let (mut sum, mut count) = (0, 0);
    for (wanted, offered) in [wanted.cpu_milli, wanted.memory_bytes].into_iter().zip(room.allocatable) {
        if offered > 0 {
            sum += unused_share(wanted, offered);
            count += 1;
        }
    }
    if count == 0 { 0 } else { sum / count }
}

fn unused_share(asked: i64, offered: i64) -> i64 {
    if asked > offered {
        return 0;
    }
    match offered.checked_sub(asked).and_then(|free| free.checked_mul(MAX)) {
        Some(free) => free / offered,
        // In 128 bits, because petabytes times a hundred is more than 64 bits hold.
        None => i64::try_from((i128::from(offered) - i128::from(asked)) * i128::from(MAX) / i128::from(offered))
            .unwrap_or(0),
    }
}

/// BalancedAllocation as of 1.36: `50 + ⌊(50 + B(with the pod) − B(without it))/2⌋`, where `B = ⌊(1−σ)·100⌋` and σ is
/// half the distance between the used shares of cpu and memory. A pod that requests neither gets 0 on every node.
#[must_use]
#[inline]
pub fn balanced(asked: &Asked, room: &Room) -> i64 {
    let [cpu, memory, _] = asked.requests;
    if cpu == 0 && memory == 0 {
        return 0;
    }
    let (with, without) = (evenness(room, [cpu, memory]), evenness(room, [0, 0]));
    50 + (50 + with - without) / 2
}

/// B; a node that does not offer both is always even.
#[allow(clippy::cast_possible_truncation, reason = "0 to 100, rounded down as the compared system does")]
#[inline]
fn evenness(room: &Room, more: [i64; 2]) -> i64 {
    let ([cpu, memory, _], [used_cpu, used_memory, _]) = (room.allocatable, room.requested);
    let [more_cpu, more_memory] = more;
    if cpu <= 0 || memory <= 0 {
        return 100;
    }
    let cpu = used_share(used_cpu.saturating_add(more_cpu), cpu);
    let memory = used_share(used_memory.saturating_add(more_memory), memory);
    ((1.0 - ((cpu - memory) / 2.0).abs()) * 100.0) as i64
}

#[allow(clippy::cast_precision_loss, reason = "the compared system rounds the same way")]
fn used_share(used: i64, offered: i64) -> f64 {
    (used as f64 / offered as f64).min(1.0)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]
    use keelson_core::ResourceName;

    use super::*;
    use crate::requests::PodRequests;
    use crate::snapshot::Snapshot;
    use crate::taints::{Taint, TaintEffect, Toleration};

    const GIB: i64 = 1 << 30;
    const MIB: i64 = 1 << 20;

    fn size(cpu: i64, memory: i64) -> [(ResourceName, i64); 2] {
        [(ResourceName::Cpu, cpu), (ResourceName::Memory, memory)]
    }

    fn pod(cpu: i64, memory: i64) -> Pod {
        Pod::new("shop", "cart").requesting(&PodRequests::default().container(size(cpu, memory)))
    }

    /// Vectors of kube-scheduler's own tests, as listed in reference/scheduling.md §2.4.
    #[test]
    fn least_allocated_gives_the_published_numbers() {
        let none = Pod::new("shop", "none");
        let used = Node::new("n", size(10_000, 20_000)).holding(&pod(6_000, 5_000));
        let rows = [
            (pod(3_000, 5_000), Node::new("n", size(4_000, 10_000)), 37),
            (pod(3_000, 5_000), Node::new("n", size(6_000, 10_000)), 50),
            (none.clone(), used, 57),
            (pod(100, 500 * MIB), Node::new("n", size(4_000, 32 * GIB)), 97),
            (pod(5_000, 0), Node::new("n", size(4_000, 10_000)), 50),
            (none, Node::new("n", []), 0),
        ];
        for (pod, node, expected) in rows {
            assert_eq!(least_allocated(&Asked::by(&pod), &Room::of(&node)), expected, "{pod:?} on {node:?}");
        }
    }

    #[test]
    fn balanced_gives_the_1_36_numbers() {
        let balanced = |pod: &Pod, node: &Node| balanced(&Asked::by(pod), &Room::of(node));
        assert_eq!(balanced(&pod(100, 500 * MIB), &Node::new("n", size(4_000, 32 * GIB))), 74);
        assert_eq!(balanced(&Pod::new("shop", "none"), &Node::new("n", size(4_000, 32 * GIB))), 0);
        // Evens out a node that used cpu alone: B goes from 75 to 100, so 50 + (50 + 25)/2.
        let lopsided = Node::new("n", size(1_000, 1_000)).holding(&pod(500, 0));
        assert_eq!(balanced(&pod(0, 500), &lopsided), 87);
    }

    #[test]
    fn a_disliked_node_scores_less_and_the_most_disliked_nothing() {
        let soft = |key: &str| Taint::new(key, "", TaintEffect::PreferNoSchedule);
        let nodes = [
            Node::new("none", []),
            Node::new("one", []).taint(soft("a")),
            Node::new("two", []).taint(soft("a")).taint(soft("b")),
        ];
        let snapshot = Snapshot::of(&nodes);
        let all: Vec<&Node> = nodes.iter().collect();
        let of = |pod: &Pod| -> Vec<i64> {
            score(&Cycle::new(pod, &snapshot), &all).iter().map(|scores| scores.taint_toleration).collect()
        };
        assert_eq!(of(&Pod::new("shop", "cart")), [100, 50, 0]);
        assert_eq!(of(&Pod::new("shop", "cart").tolerating(Toleration::exists(""))), [100, 100, 100]);
    }

    #[test]
    fn the_parts_of_a_record_add_up_to_the_total() {
        let scores = Scores {
            least_allocated: 97,
            balanced: 74,
            taint_toleration: 100,
            node_affinity: 50,
            spread: 20,
            pod_affinity: 10,
            image: 5,
            network: 30,
            bandwidth: 7,
        };
        assert_eq!(scores.total(), 97 + 74 + 300 + 100 + 40 + 20 + 5 + 150 + 28);
        assert_eq!(scores.parts().iter().map(|part| part.value * part.weight).sum::<i64>(), scores.total());
    }
}
