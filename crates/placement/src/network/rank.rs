//! The order of waiting pods, groups included.
//!
//! Priority first. Among equals a group waits as one: its pods stand where the one that has waited longest stands, and among
//! themselves in the order of the group. Upstream's TopologicalSort compares two pods of a group by its order and any other
//! two by priority and time, which can go in a circle; here a pod has one key, so that it cannot.
//!
//! Promises: a strict weak order; priority is never broken by a group; a group never parts.

use std::sync::Arc;

use super::Network;
use crate::pod::Pod;

/// A pod's place in the order of its group.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Seat {
    /// What tells the group from every other.
    pub group: Arc<str>,
    /// The place of its workload in the group's order, from 0.
    pub place: usize,
}

/// A waiting pod's key: the smallest comes first.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Rank {
    urgency: std::cmp::Reverse<i32>,
    /// When the pod, or the first of its group that waits, began to wait.
    since: i64,
    group: Option<Arc<str>>,
    place: usize,
    at: i64,
}

impl Rank {
    /// The key of a pod that began to wait `at`, in any unit of time. `group_since` is when the first of the waiting pods of
    /// its group and priority did; it must be the same for all of these.
    ///
    /// ```
    /// use keelson_placement::network::{Algorithm, Edge, GROUP_LABEL, Graph, Network, Rank, WORKLOAD_LABEL};
    /// use keelson_placement::Pod;
    /// let network = Network::new().group("shop", "g", Graph::of(&["web", "db"], &[Edge::new(0, 1)], Algorithm::ReverseKahn));
    /// let pod = |workload: &str| Pod::new("shop", workload).label(GROUP_LABEL, "g").label(WORKLOAD_LABEL, workload);
    /// assert!(Rank::of(&pod("db"), &network, 7, 3) < Rank::of(&pod("web"), &network, 3, 3));
    /// assert!(Rank::of(&pod("web").priority(1), &network, 9, 9) < Rank::of(&pod("db"), &network, 3, 3));
    /// ```
    #[must_use]
    pub fn of(pod: &Pod, network: &Network, at: i64, group_since: i64) -> Self {
        let seat = network.seat(&pod.namespace, &pod.labels);
        Self::within(pod.priority, at, seat.map(|seat| (seat, group_since)))
    }

    /// The key of a pod of this priority, that began to wait `at`; `member` is its seat in its group, and since when the first
    /// of the waiting pods of its group and priority waits.
    #[must_use]
    pub fn within(priority: i32, at: i64, member: Option<(Seat, i64)>) -> Self {
        let urgency = std::cmp::Reverse(priority);
        match member {
            Some((Seat { group, place }, since)) => {
                Self { urgency, since: since.min(at), group: Some(group), place, at }
            }
            None => Self { urgency, since: at, group: None, place: 0, at },
        }
    }
}
