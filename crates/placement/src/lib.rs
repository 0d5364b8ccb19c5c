//! Which nodes can hold a pod, which is best, and why.
//!
//! The engine reads plain structs and returns integers. It knows no Kubernetes client, no clock and no chance: the same
//! pod, nodes and seed always give the same choice, on a laptop as in the cluster. Checks and scores follow
//! kube-scheduler 1.36 where both have them; unlike it, every check is run on every node and every feasible node is
//! scored, so that an explanation never hides a second cause behind the first.
//!
//! | room | what it holds |
//! |---|---|
//! | [`node`], [`pod`], [`requests`], [`snapshot`] | what a choice may see |
//! | [`taints`], [`affinity`], [`ports`], [`fit`] | one idea of feasibility each, of a pod and a node |
//! | [`layout`] | which nodes its scheduler has for a pod, and how much of each |
//! | [`peers`], [`spread`] | rules that look at pods elsewhere |
//! | [`bandwidth`] | what a node's network interface has left |
//! | [`volumes`] | where its volumes let a pod run |
//! | [`cycle`], [`filter`] | the counts that those need, and all checks of one node |
//! | [`images`], `preferences`, [`mod@score`], [`mod@choose`] | the best of the feasible nodes |
//! | [`network`] | what the pods of one application cost each other over the network |
//! | [`classes`] | the same choice, kept up to date instead of made anew |
//! | [`mod@preempt`], [`budget`] | whom to evict when no node is feasible |
//! | [`mod@explain`], [`change`] | why, in words; and what would make it fit |
//!
//! ```
//! use keelson_core::ResourceName::Cpu;
//! use keelson_placement::{Node, Pod, PodRequests, Snapshot, choose, explain, smallest_change};
//!
//! let pod = Pod::new("shop", "cart-0").requesting(&PodRequests::default().container([(Cpu, 500)]));
//! let small = Node::new("small", [(Cpu, 380)]);
//! let large = Node::new("large", [(Cpu, 2_000)]);
//! assert_eq!(choose(&pod, &Snapshot::of(&[small.clone(), large]), 42).node, Some(1));
//!
//! let nodes = [small];
//! let cluster = Snapshot::of(&nodes);
//! let why = explain(&pod, &cluster, 42);
//! assert_eq!(why.histogram.as_deref(), Some("0/1 nodes are available: 1 Insufficient cpu."));
//! let change = smallest_change(&pod, &cluster).map(|change| change.to_string());
//! assert_eq!(change.as_deref(), Some("with 380m cpu instead of 500m it would fit on small"));
//! ```

pub mod affinity;
pub mod bandwidth;
pub mod budget;
pub mod change;
pub mod choose;
pub mod classes;
pub mod cycle;
pub mod explain;
pub mod filter;
pub mod fit;
pub mod images;
pub mod layout;
pub mod log;
pub mod network;
pub mod node;
pub mod peers;
pub mod pod;
pub mod ports;
pub mod preempt;
mod preferences;
pub mod requests;
pub mod room;
pub mod score;
pub mod snapshot;
pub mod spread;
pub mod taints;
pub mod volumes;

pub use affinity::{NodeTerm, PreferredTerm};
pub use bandwidth::{Nic, Rates};
pub use budget::{Budget, Budgets};
pub use change::{Change, smallest_change};
pub use choose::{Choice, choose, standing};
pub use classes::{Classes, Nodes};
pub use cycle::{Cycle, Kinds};
pub use explain::{Explanation, explain, explained};
pub use filter::{Failure, failures, failures_at, fits, fits_alone};
pub use layout::{Layout, Pool};
pub use log::{Change as LogChange, Log};
pub use network::Network;
pub use node::{Node, Occupant};
pub use peers::{Labels, Namespaces, PodAffinity, PodTerm, WeightedPodTerm};
pub use pod::{Claim, Pod};
pub use ports::{HostPort, Protocol};
pub use preempt::{Candidate, Spared, Victim, preempt};
pub use requests::{NonZero, PodRequests};
pub use score::Scores;
pub use snapshot::{Reserved, Snapshot};
pub use spread::SpreadConstraint;
pub use taints::{Taint, TaintEffect, Toleration, TolerationOperator};
pub use volumes::{PodVolume, VolumePlan, Volumes};

#[cfg(test)]
mod laws;
