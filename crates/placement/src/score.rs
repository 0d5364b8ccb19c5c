//! How good each feasible node is.
//!
//! Four scorers give 0 to 100 each; the total is their weighted sum. Raw numbers of taints and preferences say something
//! only in comparison, so they are normalised over the nodes that are compared. Weights and formulas are those of
//! kube-scheduler 1.36.
//!
//! Promises: the nodes' order changes no score; integers throughout, except the one deviation that the compared system
//! computes in floating point too.

use keelson_core::{ResourceName, Score};
use serde::{Deserialize, Serialize};

use crate::node::Node;
use crate::pod::Pod;
use crate::taints;

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
}

impl Scores {
    /// The weighted sum.
    #[must_use]
    pub const fn total(&self) -> i64 {
        self.least_allocated * RESOURCES_FIT_WEIGHT
            + self.balanced * BALANCED_WEIGHT
            + self.taint_toleration * TAINT_TOLERATION_WEIGHT
            + self.node_affinity * NODE_AFFINITY_WEIGHT
    }

    /// The parts for a decision record, in the names kube-scheduler gives its plugins.
    #[must_use]
    pub fn parts(&self) -> Vec<Score> {
        [
            ("TaintToleration", self.taint_toleration, TAINT_TOLERATION_WEIGHT),
            ("NodeAffinity", self.node_affinity, NODE_AFFINITY_WEIGHT),
            ("NodeResourcesFit", self.least_allocated, RESOURCES_FIT_WEIGHT),
            ("NodeResourcesBalancedAllocation", self.balanced, BALANCED_WEIGHT),
        ]
        .map(|(name, value, weight)| Score { name: name.into(), value, weight })
        .into()
    }
}

/// The scores of these nodes for `pod`, in their order. `O(nodes × (taints + preferences))`.
#[must_use]
pub fn score(pod: &Pod, nodes: &[&Node]) -> Vec<Scores> {
    let disliked: Vec<i64> = nodes.iter().map(|node| taints::disliked(&pod.tolerations, &node.taints)).collect();
    let preferred: Vec<i64> = nodes.iter().map(|node| preference(pod, node)).collect();
    let most_disliked = disliked.iter().copied().max().unwrap_or(0);
    let most_preferred = preferred.iter().copied().max().unwrap_or(0);
    let most = Raw { disliked: most_disliked, preferred: most_preferred };
    nodes
        .iter()
        .zip(disliked)
        .zip(preferred)
        .map(|((node, disliked), preferred)| scores(pod, node, Raw { disliked, preferred }, most))
        .collect()
}

/// The numbers of a node that say something only in comparison.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub(crate) struct Raw {
    /// Untolerated `PreferNoSchedule` taints.
    pub(crate) disliked: i64,
    /// Summed weights of the preferences it meets.
    pub(crate) preferred: i64,
}

pub(crate) fn raw(pod: &Pod, node: &Node) -> Raw {
    Raw { disliked: taints::disliked(&pod.tolerations, &node.taints), preferred: preference(pod, node) }
}

/// The scores of one node, when the highest of the compared nodes' raw numbers are known.
pub(crate) fn scores(pod: &Pod, node: &Node, raw: Raw, most: Raw) -> Scores {
    compared(
        Scores { least_allocated: least_allocated(pod, node), balanced: balanced(pod, node), ..Scores::default() },
        raw,
        most,
    )
}

/// The same scores with those that depend on the compared nodes.
pub(crate) fn compared(scores: Scores, raw: Raw, most: Raw) -> Scores {
    Scores {
        taint_toleration: MAX - share_of(raw.disliked, most.disliked),
        node_affinity: share_of(raw.preferred, most.preferred),
        ..scores
    }
}

/// `⌊100·value/most⌋`, and 0 when no node has any.
fn share_of(value: i64, most: i64) -> i64 {
    if most <= 0 { 0 } else { value.saturating_mul(MAX) / most }
}

/// The summed weights of the preferences that the node meets.
fn preference(pod: &Pod, node: &Node) -> i64 {
    pod.preferred.iter().filter(|preferred| preferred.term.matches(node)).map(|met| i64::from(met.weight)).sum()
}

/// LeastAllocated: the mean over cpu and memory of `⌊(allocatable − requested)·100/allocatable⌋`, with requests as
/// [`crate::NonZero`] counts them. A resource the node does not offer is left out; one that overflows gives 0.
#[must_use]
pub fn least_allocated(pod: &Pod, node: &Node) -> i64 {
    let asked = node.non_zero().plus(pod.non_zero);
    let pairs = [
        (asked.cpu_milli, node.allocatable.get(&ResourceName::Cpu)),
        (asked.memory_bytes, node.allocatable.get(&ResourceName::Memory)),
    ];
    let (mut sum, mut count) = (0, 0);
    for (asked, offered) in pairs.into_iter().filter(|(_, offered)| *offered > 0) {
        sum += unused_share(asked, offered);
        count += 1;
    }
    if count == 0 { 0 } else { sum / count }
}

fn unused_share(asked: i64, offered: i64) -> i64 {
    if asked > offered {
        return 0;
    }
    // In 128 bits, because petabytes times a hundred is more than 64 bits hold.
    let share = (i128::from(offered) - i128::from(asked)) * i128::from(MAX) / i128::from(offered);
    i64::try_from(share).unwrap_or(0)
}

/// BalancedAllocation as of 1.36: `50 + ⌊(50 + B(with the pod) − B(without it))/2⌋`, where `B = ⌊(1−σ)·100⌋` and σ is
/// half the distance between the used shares of cpu and memory. A pod that requests neither gets 0 on every node.
#[must_use]
pub fn balanced(pod: &Pod, node: &Node) -> i64 {
    let names = [ResourceName::Cpu, ResourceName::Memory];
    if names.iter().all(|name| pod.requests.get(name) == 0) {
        return 0;
    }
    let shares = |with_pod: bool| -> Vec<f64> {
        names
            .iter()
            .filter(|name| node.allocatable.get(name) > 0)
            .map(|name| {
                let more = if with_pod { pod.requests.get(name) } else { 0 };
                let used = node.requested().get(name).saturating_add(more);
                used_share(used, node.allocatable.get(name))
            })
            .collect()
    };
    50 + (50 + evenness(&shares(true)) - evenness(&shares(false))) / 2
}

#[allow(clippy::cast_precision_loss, reason = "the compared system rounds the same way")]
fn used_share(used: i64, offered: i64) -> f64 {
    (used as f64 / offered as f64).min(1.0)
}

#[allow(clippy::cast_possible_truncation, reason = "0 to 100, rounded down as the compared system does")]
fn evenness(shares: &[f64]) -> i64 {
    let deviation = match shares {
        [one, other] => ((one - other) / 2.0).abs(),
        _ => 0.0,
    };
    ((1.0 - deviation) * 100.0) as i64
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]
    use super::*;
    use crate::requests::PodRequests;
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
            assert_eq!(least_allocated(&pod, &node), expected, "{pod:?} on {node:?}");
        }
    }

    #[test]
    fn balanced_gives_the_1_36_numbers() {
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
        let all: Vec<&Node> = nodes.iter().collect();
        let of = |pod: &Pod| -> Vec<i64> { score(pod, &all).iter().map(|scores| scores.taint_toleration).collect() };
        assert_eq!(of(&Pod::new("shop", "cart")), [100, 50, 0]);
        assert_eq!(of(&Pod::new("shop", "cart").tolerating(Toleration::exists(""))), [100, 100, 100]);
    }

    #[test]
    fn the_parts_of_a_record_add_up_to_the_total() {
        let scores = Scores { least_allocated: 97, balanced: 74, taint_toleration: 100, node_affinity: 50 };
        assert_eq!(scores.total(), 97 + 74 + 300 + 100);
        assert_eq!(scores.parts().iter().map(|part| part.value * part.weight).sum::<i64>(), scores.total());
    }
}
