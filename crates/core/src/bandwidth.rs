//! Bandwidth in bits a second: both directions of a network interface, what is known of those of all nodes, and what pods of
//! workloads were seen to use.
//!
//! Promise: nothing that was not measured is taken for nothing; a direction whose capacity nobody knows has 0 there.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::resources::ResourceName;
use crate::time::{Span, Timestamp};

/// Both directions, in bits a second.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
pub struct Rates {
    /// What is sent.
    pub egress: i64,
    /// What is received.
    pub ingress: i64,
}

/// Which way.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Direction {
    /// Out of the node.
    Egress,
    /// Into the node.
    Ingress,
}

impl Direction {
    /// Both.
    pub const BOTH: [Self; 2] = [Self::Egress, Self::Ingress];

    /// The resource that is asked for in this direction.
    #[must_use]
    pub const fn resource(self) -> ResourceName {
        match self {
            Self::Egress => ResourceName::Egress,
            Self::Ingress => ResourceName::Ingress,
        }
    }
}

impl Rates {
    /// The same both ways.
    #[must_use]
    pub const fn both(rate: i64) -> Self {
        Self { egress: rate, ingress: rate }
    }

    /// Whether it is nothing either way.
    #[must_use]
    pub const fn is_nothing(&self) -> bool {
        self.egress == 0 && self.ingress == 0
    }

    /// One direction.
    #[must_use]
    pub const fn get(self, direction: Direction) -> i64 {
        match direction {
            Direction::Egress => self.egress,
            Direction::Ingress => self.ingress,
        }
    }

    /// Each direction made anew.
    #[must_use]
    pub fn each(mut make: impl FnMut(Direction) -> i64) -> Self {
        let egress = make(Direction::Egress);
        Self { egress, ingress: make(Direction::Ingress) }
    }

    /// Both added up.
    #[must_use]
    pub fn plus(self, other: Self) -> Self {
        Self::each(|direction| self.get(direction).saturating_add(other.get(direction)))
    }
}

/// What is known of the interfaces of nodes, by the node's name: the fact that whoever measures writes and whoever places
/// reads.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct NodeBandwidth(pub BTreeMap<String, Interface>);

/// One node's interface.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
pub struct Interface {
    /// What it can carry.
    pub capacity: Rates,
    /// What was measured last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub measured: Option<Measured>,
}

/// A workload, as a person would name it: the Deployment, or whatever else controls the pods.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Workload {
    /// Its namespace.
    pub namespace: String,
    /// Its kind.
    pub kind: String,
    /// Its name.
    pub name: String,
}

impl fmt::Display for Workload {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}/{}", self.kind, self.namespace, self.name)
    }
}

/// What pods of workloads were seen to use, by the node where they ran: the fact that whoever measures writes and whoever
/// places reads.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct WorkloadUsage(pub BTreeMap<String, Arc<[Usage]>>);

/// What the pods of a workload used on one node.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Usage {
    /// The workload.
    pub workload: Workload,
    /// What a pod of it stayed below in 95 of 100 windows.
    pub p95: Rates,
    /// Of how many windows that is known, as far as the number matters.
    pub windows: u32,
}

/// A measurement of an interface.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Measured {
    /// The mean load.
    pub rates: Rates,
    /// The end of the window in which it was measured.
    pub at: Timestamp,
    /// How long the window was; the next measurement is expected after as long again.
    pub window: Span,
}
