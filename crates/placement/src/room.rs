//! What is free on a node, in plain numbers.
//!
//! The resources that nearly every pod asks for are read out of a node once, so that holding many classes of pods against
//! it costs a few comparisons each.

use keelson_core::ResourceName::{self, Cpu, Egress, EphemeralStorage, Ingress, Memory, Pods};

use crate::bandwidth::{Direction, Ledger};
use crate::layout::left;
use crate::node::Node;
use crate::pod::Pod;
use crate::requests::NonZero;

/// The resources with a number of their own, in the order of every array here.
const COMMON: [ResourceName; 3] = [Cpu, Memory, EphemeralStorage];

/// A node's numbers: milli-cpu, bytes of memory, bytes of ephemeral storage.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Room {
    /// What it offers.
    pub allocatable: [i64; 3],
    /// What its pods request.
    pub requested: [i64; 3],
    /// The same as scores count it.
    pub non_zero: NonZero,
    /// How many pods run.
    pub running: i64,
    /// How many may.
    pub allowed: i64,
    /// What pods may take of its interface, out and in; 0 where nobody knows.
    pub usable: [i64; 2],
    /// What is taken of that, all edges counted.
    pub taken: [i64; 2],
    /// How much the measured load varies.
    pub varies: [i64; 2],
}

impl Room {
    /// Reads a node.
    #[must_use]
    pub fn of(node: &Node) -> Self {
        let ledgers = Direction::BOTH.map(|direction| Ledger::plain(node, direction));
        Self {
            allocatable: COMMON.map(|name| node.allocatable.get(&name)),
            requested: COMMON.map(|name| node.requested().get(&name)),
            non_zero: node.non_zero(),
            running: i64::try_from(node.pod_count()).unwrap_or(i64::MAX),
            allowed: node.allocatable.get(&Pods),
            usable: ledgers.map(|ledger| ledger.map_or(0, |ledger| ledger.usable)),
            taken: ledgers.map(|ledger| ledger.map_or(0, |ledger| ledger.taken())),
            varies: Direction::BOTH.map(|direction| node.interface().map_or(0, |nic| nic.varies(direction))),
        }
    }

    /// Whether the common resources and the number of pods suffice.
    #[must_use]
    #[inline]
    pub fn has(&self, asked: &Asked) -> bool {
        let there = |offered: i64| offered.saturating_sub(left(asked.headroom, offered));
        let free = self.allocatable.iter().zip(&self.requested);
        self.running < there(self.allowed)
            && free
                .zip(&asked.requests)
                .all(|((offered, taken), needed)| *needed <= 0 || *needed <= there(*offered).saturating_sub(*taken))
    }
}

/// A pod's numbers, in the same order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Asked {
    /// What must be free.
    pub requests: [i64; 3],
    /// What the scores count.
    pub non_zero: NonZero,
    /// What it asks of the interface, out and in.
    pub bandwidth: [i64; 2],
    /// Whether it asks for a resource besides.
    pub more: bool,
    /// How many hundredths of each resource are not there for it.
    pub headroom: i64,
}

impl Asked {
    /// Reads a pod.
    #[must_use]
    pub fn by(pod: &Pod) -> Self {
        let common = |name: &ResourceName| COMMON.contains(name) || [Pods, Egress, Ingress].contains(name);
        Self {
            requests: COMMON.map(|name| pod.requests.get(&name)),
            non_zero: pod.non_zero,
            bandwidth: [pod.requests.get(&Egress), pod.requests.get(&Ingress)],
            headroom: pod.layout.headroom(),
            more: pod.requests.iter().any(|(name, needed)| needed > 0 && !common(name)),
        }
    }
}
