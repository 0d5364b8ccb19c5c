//! Which nodes a scheduler has for its pods, beside another scheduler, and how much of each.
//!
//! Two schedulers that bind on the same nodes each decide on what they know; the API server refuses nobody for lack of room.
//! So the nodes are divided: into a pool of one's own, or by leaving a share of every node to the other.
//!
//! A layout is a matter of whose the pod is, and goes with the pod: what is asked about another scheduler's pod is asked of
//! all of every node.
//!
//! Promises: a pod of a pool is judged as though it selected the pool's label and tolerated the pool's taint, in every check
//! and in every count of spreading; what is left to others is rounded down, so that a node's only GPU is not left over.

use serde::{Deserialize, Serialize};

use crate::filter::Failure;
use crate::node::Node;
use crate::taints::{Taint, TaintEffect};

/// A pod's share of the cluster.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
pub enum Layout {
    /// All of every node.
    #[default]
    All,
    /// The nodes of one pool.
    Pool(Pool),
    /// Every node, without so many hundredths of what it offers of each resource.
    Headroom(u8),
}

/// Nodes that one scheduler has for itself: those with a label, which a taint of the same key and value keeps others off.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Pool {
    /// The label's key, and the taint's.
    pub key: String,
    /// The label's value, and the taint's.
    pub value: String,
}

impl Pool {
    /// A pool by its label.
    #[must_use]
    pub fn new(key: &str, value: &str) -> Self {
        Self { key: key.into(), value: value.into() }
    }

    /// Whether the node is one of it.
    #[must_use]
    pub fn holds(&self, node: &Node) -> bool {
        node.labels.get(&self.key) == Some(&self.value)
    }

    /// The taint that keeps others off. It is `NoSchedule`: with `NoExecute` a pod that tolerates nothing itself would be
    /// evicted as soon as it is bound.
    #[must_use]
    pub fn taint(&self) -> Taint {
        Taint::new(&self.key, &self.value, TaintEffect::NoSchedule)
    }

    /// Whether a taint is [`Self::taint`].
    #[must_use]
    pub fn is_kept_by(&self, taint: &Taint) -> bool {
        taint.key == self.key && taint.value == self.value && taint.effect == TaintEffect::NoSchedule
    }
}

impl Layout {
    /// Whether a pod may go to the node at all.
    #[must_use]
    pub fn admits(&self, node: &Node) -> bool {
        match self {
            Self::Pool(pool) => pool.holds(node),
            Self::All | Self::Headroom(_) => true,
        }
    }

    /// Why it may not.
    #[must_use]
    pub fn outside(&self, node: &Node) -> Option<Failure> {
        match self {
            Self::Pool(pool) if !pool.holds(node) => Some(Failure::OutsidePool { pool: pool.clone() }),
            _ => None,
        }
    }

    /// Whether a taint is tolerated, whatever the pod says.
    #[must_use]
    pub fn tolerates(&self, taint: &Taint) -> bool {
        match self {
            Self::Pool(pool) => pool.is_kept_by(taint),
            Self::All | Self::Headroom(_) => false,
        }
    }

    /// How much of what a node offers is left to others, in the unit of the resource; rounded down.
    #[must_use]
    pub const fn left(&self, offered: i64) -> i64 {
        left(self.headroom(), offered)
    }

    /// How many hundredths of every resource are left to others.
    #[must_use]
    pub const fn headroom(&self) -> i64 {
        match self {
            Self::Headroom(percent) if *percent > 100 => 100,
            Self::Headroom(percent) => *percent as i64,
            Self::All | Self::Pool(_) => 0,
        }
    }

    /// The label of nodes that it looks at.
    #[must_use]
    pub fn label(&self) -> Option<&str> {
        match self {
            Self::Pool(pool) => Some(&pool.key),
            Self::All | Self::Headroom(_) => None,
        }
    }

    /// Whether it is the one that changes nothing.
    #[must_use]
    pub fn is_all(&self) -> bool {
        *self == Self::All
    }
}

/// So many hundredths of an amount, rounded down.
#[inline]
pub(crate) const fn left(hundredths: i64, offered: i64) -> i64 {
    if hundredths == 0 { 0 } else { offered / 100 * hundredths + offered % 100 * hundredths / 100 }
}

#[cfg(test)]
mod tests;
