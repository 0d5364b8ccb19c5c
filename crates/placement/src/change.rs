//! The smallest change that would make a pod fit.
//!
//! A node that fails for the lack of one resource alone would hold the pod if it asked for no more than is free there.
//! Of all such nodes the one that asks the pod to give up the smallest share of a request is named, and the answer is
//! tried before it is given: a pod with the smaller request is chosen for again.
//!
//! Promises: nothing is proposed that was not tried; nothing is proposed for a pod that fits; no request is lowered to
//! nothing, for a pod without what it asked is another pod.

use keelson_core::ResourceName;
use keelson_core::resources::Round;
use serde::{Deserialize, Serialize};

use crate::choose::choose;
use crate::cycle::Cycle;
use crate::filter::{Failure, failures_at};
use crate::pod::Pod;
use crate::snapshot::Snapshot;

/// Of nodes that would do equally well always the same is named: who waits is told the same again, not another node each time.
const SEED: u64 = 0;

/// One request, lowered. Amounts are in the unit of the resource: milli-cpu, bytes, or whole units.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Change {
    /// Which request.
    pub resource: ResourceName,
    /// What the pod asks for.
    pub from: i64,
    /// The most it may ask for.
    pub to: i64,
    /// The node that would then hold it.
    pub node: String,
}

impl std::fmt::Display for Change {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (from, to) = (self.resource.readable(self.from, Round::Up), self.resource.readable(self.to, Round::Down));
        write!(f, "with {to} {} instead of {from} it would fit on {}", self.resource.word(), self.node)
    }
}

/// The smallest reduction of one request that lets some node hold `pod`; `None` when it fits already or when no
/// reduction of one request alone is enough. Shares are compared, because cpu and bytes have no common unit; equal
/// shares fall to the first resource, then to the first node name.
#[must_use]
pub fn smallest_change(pod: &Pod, snapshot: &Snapshot<'_>) -> Option<Change> {
    let mut best: Option<(i128, Change)> = None;
    let cycle = Cycle::new(pod, snapshot);
    for (index, node) in snapshot.nodes().enumerate() {
        let found = failures_at(&cycle, index);
        let shortfall = match found.as_slice() {
            [] => return None,
            [Failure::Insufficient { shortfall, .. } | Failure::Bandwidth { shortfall, .. }] if shortfall.free > 0 => {
                shortfall
            }
            _ => continue,
        };
        let share = i128::from(shortfall.missing()) * 1_000_000_000 / i128::from(shortfall.needed.max(1));
        let change = Change {
            resource: shortfall.name.clone(),
            from: shortfall.needed,
            to: shortfall.free,
            node: node.name.clone(),
        };
        let key = |share: i128, change: &Change| (share, change.resource.clone(), -change.to, change.node.clone());
        if best.as_ref().is_none_or(|(other, known)| key(share, &change) < key(*other, known)) {
            best = Some((share, change));
        }
    }
    let (_, change) = best?;
    let smaller = lowered(pod, &change);
    let holder = choose(&smaller, snapshot, SEED).node.and_then(|index| snapshot.node(index))?;
    Some(Change { node: holder.name.clone(), ..change })
}

/// The pod as it would be after the change. What the scores count falls with the request.
#[must_use]
pub fn lowered(pod: &Pod, change: &Change) -> Pod {
    let mut smaller = pod.clone();
    smaller.requests.set(change.resource.clone(), change.to);
    let less = change.from.saturating_sub(change.to);
    match change.resource {
        ResourceName::Cpu => smaller.non_zero.cpu_milli = smaller.non_zero.cpu_milli.saturating_sub(less).max(0),
        ResourceName::Memory => {
            smaller.non_zero.memory_bytes = smaller.non_zero.memory_bytes.saturating_sub(less).max(0);
        }
        _ => {}
    }
    smaller
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]
    use super::*;
    use crate::node::Node;
    use crate::requests::PodRequests;

    const MIB: i64 = 1 << 20;

    fn node(name: &str, cpu: i64, memory_mib: i64) -> Node {
        Node::new(name, [(ResourceName::Cpu, cpu), (ResourceName::Memory, memory_mib * MIB)])
    }

    fn pod(cpu: i64, memory_mib: i64) -> Pod {
        let asked = [(ResourceName::Cpu, cpu), (ResourceName::Memory, memory_mib * MIB)];
        Pod::new("shop", "cart").requesting(&PodRequests::default().container(asked))
    }

    #[test]
    fn the_nearest_node_sets_the_change_and_the_changed_pod_fits() {
        let nodes = [node("far", 200, 1_000), node("near", 380, 1_000), node("both", 400, 10)];
        let change = smallest_change(&pod(500, 100), &Snapshot::of(&nodes)).unwrap();
        assert_eq!(change.to_string(), "with 380m cpu instead of 500m it would fit on near");
        let smaller = lowered(&pod(500, 100), &change);
        assert_eq!(choose(&smaller, &Snapshot::of(&nodes), 1).node, Some(1));
    }

    #[test]
    fn the_smaller_share_wins_between_resources() {
        let nodes = [node("cpu", 250, 1_000), node("memory", 1_000, 90)];
        let change = smallest_change(&pod(500, 100), &Snapshot::of(&nodes)).unwrap();
        assert_eq!((change.resource, change.to), (ResourceName::Memory, 90 * MIB));
    }

    #[test]
    fn nothing_is_proposed_for_a_pod_that_fits_or_that_no_single_request_would_help() {
        assert_eq!(smallest_change(&pod(100, 10), &Snapshot::of(&[node("small", 50, 50), node("n", 500, 500)])), None);
        assert_eq!(smallest_change(&pod(500, 500), &Snapshot::of(&[node("both", 100, 100)])), None);
        assert_eq!(smallest_change(&pod(500, 500), &Snapshot::of(&[node("none", 0, 1_000)])), None);
        assert_eq!(smallest_change(&pod(500, 10), &Snapshot::of(&[node("cordoned", 400, 1_000).cordoned()])), None);
    }
}
