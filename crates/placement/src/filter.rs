//! Whether one node can hold one pod, and every reason why not.
//!
//! The checks run in kube-scheduler's order, but all of them: kube-scheduler stops at the first that fails, which hides
//! the others from whoever mends it.
//!
//! Promises: no failure means that the pod can be bound here; the list is closed, so that a failure is a label; the
//! numbers are in the failure, not only in its text.

use std::fmt;
use std::sync::Arc;

use keelson_core::Check;
use keelson_core::resources::{Round, Shortfall};
use serde::{Deserialize, Serialize};

use crate::affinity;
use crate::bandwidth::{self, Ledger};
use crate::cycle::Cycle;
use crate::fit;
use crate::layout::Pool;
use crate::network::links::Narrow;
use crate::node::Node;
use crate::pod::Pod;
use crate::ports::HostPort;
use crate::taints::{self, Taint};
use crate::volumes::VolumeFailure;

/// One reason why a node cannot hold a pod.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Failure {
    /// The node is not of the pool that Keelson has for itself.
    OutsidePool {
        /// The pool.
        pool: Pool,
    },
    /// The node is cordoned and the pod does not tolerate it.
    Cordoned,
    /// The pod names another node.
    OtherNode {
        /// The node it names.
        wanted: String,
    },
    /// Taints that forbid the node.
    Untolerated {
        /// All of them, in the node's order.
        taints: Vec<Taint>,
    },
    /// Labels of the node selector that the node has not.
    Selector {
        /// `key=value`, in order of keys.
        missing: Vec<String>,
    },
    /// None of the required node affinity terms matches.
    Affinity {
        /// How many terms there are.
        terms: usize,
        /// Whether each of them names nodes, and not this one (as the terms of a DaemonSet's pods do).
        by_name: bool,
    },
    /// Host ports that other pods have taken.
    Ports {
        /// The pod's ports that are taken.
        taken: Vec<HostPort>,
    },
    /// As many pods run as are allowed.
    TooManyPods {
        /// How many run.
        running: i64,
        /// How many may.
        allowed: i64,
        /// How many more may that are left to other schedulers.
        #[serde(default)]
        left: i64,
    },
    /// Too little of one resource is free.
    Insufficient {
        /// What is needed and what is free.
        shortfall: Shortfall,
        /// What the node would have when empty, in the unit of its resource.
        allocatable: i64,
        /// How much more it has that is left to other schedulers.
        #[serde(default)]
        left: i64,
    },
    /// Its network interface has too little left in one direction.
    Bandwidth {
        /// What is needed and what is free, in bits a second.
        shortfall: Shortfall,
        /// What that is made of.
        ledger: Ledger,
    },
    /// A link to a pod that it exchanges traffic with has too little left.
    Link(Narrow),
    /// Its volumes keep it off.
    Volumes(VolumeFailure),
    /// The node lacks the label by which the pod is spread.
    NoTopology {
        /// The label.
        key: String,
    },
    /// The place has too many of the pods that the pod is spread with.
    Skew {
        /// The label whose values are the places.
        key: String,
        /// The node's place.
        place: String,
        /// How many are there.
        pods: i64,
        /// How many are where they are fewest.
        fewest: i64,
        /// How many more there may be.
        allowed: i32,
    },
    /// None of the pods runs there that the pod must be with.
    NoPeers {
        /// The label whose values are the places.
        key: String,
        /// The node's place; none when it lacks the label.
        place: Option<String>,
    },
    /// Pods run there that the pod must be apart from.
    Peers {
        /// The label whose values are the places.
        key: String,
        /// The node's place.
        place: String,
        /// How many.
        pods: i64,
    },
    /// Pods run there that must be apart from this one.
    Repelled {
        /// The label whose values are the places.
        key: String,
        /// The node's place.
        place: String,
        /// How many.
        pods: i64,
    },
    /// It is too far from pods of a dependency.
    TooFar {
        /// The selector of the other workload.
        workload: String,
        /// How many of its pods are too far.
        pods: i64,
        /// What the farthest of them costs; none when nobody knows.
        cost: Option<i64>,
        /// `maxNetworkCost`.
        allowed: i64,
    },
}

impl Failure {
    /// The check, in kube-scheduler's name for the plugin where it has one.
    #[must_use]
    pub const fn check(&self) -> &'static str {
        match self {
            Self::OutsidePool { .. } => "KeelsonPool",
            Self::Cordoned => "NodeUnschedulable",
            Self::OtherNode { .. } => "NodeName",
            Self::Untolerated { .. } => "TaintToleration",
            Self::Selector { .. } | Self::Affinity { .. } => "NodeAffinity",
            Self::Ports { .. } => "NodePorts",
            Self::TooManyPods { .. } | Self::Insufficient { .. } => "NodeResourcesFit",
            Self::Volumes(failure) => failure.check().name(),
            Self::NoTopology { .. } | Self::Skew { .. } => "PodTopologySpread",
            Self::NoPeers { .. } | Self::Peers { .. } | Self::Repelled { .. } => "InterPodAffinity",
            Self::TooFar { .. } => "NetworkOverhead",
            Self::Bandwidth { .. } => "NodeBandwidth",
            Self::Link(_) => "LinkBandwidth",
        }
    }

    /// The short text kube-scheduler 1.36 puts into events and conditions.
    #[must_use]
    pub fn reason_text(&self) -> String {
        match self {
            Self::OutsidePool { .. } => "node(s) were not in Keelson's pool".into(),
            Self::Cordoned => "node(s) were unschedulable".into(),
            Self::OtherNode { .. } => "node(s) didn't match the requested node name".into(),
            Self::Untolerated { .. } => "node(s) had untolerated taint(s)".into(),
            Self::Affinity { by_name: true, .. } => "node(s) didn't satisfy plugin(s) [NodeAffinity]".into(),
            Self::Selector { .. } | Self::Affinity { .. } => "node(s) didn't match Pod's node affinity/selector".into(),
            Self::Ports { .. } => "node(s) didn't have free ports for the requested pod ports".into(),
            Self::TooManyPods { .. } => "Too many pods".into(),
            Self::Insufficient { shortfall, .. } => format!("Insufficient {}", shortfall.name),
            Self::Bandwidth { shortfall, .. } => format!("Insufficient {} bandwidth", shortfall.name.word()),
            Self::Link(_) => "node(s) had too little bandwidth on links between places".into(),
            Self::Volumes(failure) => failure.reason_text(),
            Self::NoTopology { .. } => {
                "node(s) didn't match pod topology spread constraints (missing required label)".into()
            }
            Self::Skew { .. } => "node(s) didn't match pod topology spread constraints".into(),
            Self::NoPeers { .. } => "node(s) didn't match pod affinity rules".into(),
            Self::Peers { .. } => "node(s) didn't match pod anti-affinity rules".into(),
            Self::Repelled { .. } => "node(s) didn't satisfy existing pods anti-affinity rules".into(),
            Self::TooFar { .. } => "node(s) didn't meet network requirements from Workload dependencies".into(),
        }
    }

    /// Whether it could pass once other pods are gone, the node and the pod staying as they are.
    #[must_use]
    pub const fn may_pass_with_time(&self) -> bool {
        match self {
            Self::Ports { .. } => true,
            Self::TooManyPods { allowed, .. } => *allowed > 0,
            Self::Insufficient { shortfall, allocatable, .. } => shortfall.needed <= *allocatable,
            Self::Bandwidth { shortfall, ledger } => shortfall.needed <= ledger.usable,
            Self::Link(narrow) => narrow.needed <= narrow.usable,
            Self::Volumes(failure) => failure.may_pass_with_time(),
            Self::Skew { .. } | Self::Peers { .. } | Self::Repelled { .. } | Self::TooFar { .. } => true,
            _ => false,
        }
    }

    /// The row of a decision record, standing for one node.
    #[must_use]
    pub fn row(&self) -> Check {
        Check { name: self.check().into(), text: self.to_string(), nodes: 1 }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::OutsidePool { pool: Pool { key, value } } => {
                write!(f, "the node is not in Keelson's pool: label it {key}={value}, or choose layout Shared")
            }
            Self::Cordoned => f.write_str("the node is cordoned: uncordon it or tolerate it"),
            Self::OtherNode { wanted } => write!(f, "the pod names node {wanted}"),
            Self::Untolerated { taints } => write!(f, "taints not tolerated: {}", list(taints)),
            Self::Selector { missing } => write!(f, "labels asked for and not there: {}", missing.join(", ")),
            Self::Affinity { by_name: true, .. } => f.write_str("the pod's node affinity names other nodes"),
            Self::Affinity { terms, .. } => write!(f, "none of {terms} required node affinity terms matches"),
            Self::Ports { taken } => write!(f, "host ports already taken: {}", list(taken)),
            Self::TooManyPods { running, allowed, left } => {
                let short = running.saturating_add(1).saturating_sub(*allowed);
                write!(f, "{running} of {allowed} allowed pods run: short {short}")?;
                if *left == 0 { Ok(()) } else { write!(f, " ({left} more are left to other schedulers)") }
            }
            Self::Insufficient { shortfall, left, .. } => {
                shortfall.fmt(f)?;
                if *left == 0 {
                    return Ok(());
                }
                write!(f, " ({} more are left to other schedulers)", shortfall.name.readable(*left, Round::Down))
            }
            Self::Link(narrow) => f.write_str(&narrow.sentence()),
            Self::Bandwidth { shortfall, ledger } => f.write_str(&bandwidth::sentence(shortfall, ledger)),
            Self::Volumes(failure) => failure.fmt(f),
            Self::NoTopology { key } => write!(f, "the pod is spread by {key}, and the node has no such label"),
            Self::Skew { key, place, pods, fewest, allowed } => {
                write!(f, "{pods} pods it is spread with are in {key}={place}, where they are fewest {fewest}: ")?;
                write!(f, "one more exceeds the allowed skew of {allowed}")
            }
            Self::NoPeers { key, place: Some(place) } => write!(f, "no pod it must be with is in {key}={place}"),
            Self::NoPeers { key, place: None } => {
                write!(f, "it must be with others by {key}, and the node has no such label")
            }
            Self::Peers { key, place, pods } => write!(f, "{} it must be apart from in {key}={place}", few(*pods)),
            Self::Repelled { key, place, pods } => write!(f, "{} in {key}={place} must be apart from it", few(*pods)),
            Self::TooFar { workload, pods, cost: Some(cost), allowed } => {
                let over = cost.saturating_sub(*allowed);
                write!(f, "{} of {workload} too far: network cost {cost}, {allowed} allowed: {over} over", few(*pods))
            }
            Self::TooFar { workload, pods, cost: None, allowed } => {
                write!(f, "{} of {workload} at a network cost that is not declared, {allowed} allowed", few(*pods))
            }
        }
    }
}

fn few(pods: i64) -> String {
    if pods == 1 { "1 pod".to_owned() } else { format!("{pods} pods") }
}

fn list<T: ToString>(items: &[T]) -> String {
    items.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
}

/// Every reason why `node` cannot hold the pod; empty means that it can. `O(taints + labels + ports + resources)`.
#[must_use]
pub fn failures(cycle: &Cycle<'_>, node: &Node) -> Vec<Failure> {
    let mut found = alone(cycle.pod, node);
    found.extend(cycle.failures(node));
    found
}

/// As [`failures`], of a node by its place, with the room counted that is reserved there: a node must hold the pod both
/// with the pods that go first and without them, for they may never come.
#[must_use]
pub fn failures_at(cycle: &Cycle<'_>, index: usize) -> Vec<Failure> {
    let Some(node) = cycle.snapshot.node(index) else { return Vec::new() };
    let crowded = crowded(cycle, index, node).map_or_else(Vec::new, |(cycle, node)| failures(&cycle, &node));
    let told = |failure: &Failure| crowded.iter().any(|known| known.check() == failure.check());
    let besides: Vec<Failure> = failures(cycle, node).into_iter().filter(|failure| !told(failure)).collect();
    crowded.into_iter().chain(besides).collect()
}

/// Whether [`failures_at`] would be empty.
#[must_use]
pub fn fits_at(cycle: &Cycle<'_>, index: usize) -> bool {
    let Some(node) = cycle.snapshot.node(index) else { return false };
    fits(cycle, node) && crowded(cycle, index, node).is_none_or(|(cycle, node)| fits(&cycle, &node))
}

/// A node like the one with this number, and the cycle, with the pods there that its room is reserved for; `None` when it is
/// for nobody.
pub(crate) fn crowded<'a>(cycle: &Cycle<'a>, index: usize, like: &Node) -> Option<(Cycle<'a>, Node)> {
    let (reserved, place) = (cycle.snapshot.reserved.get(&index)?, cycle.snapshot.node(index)?);
    let (mut cycle, mut node) = (cycle.clone(), like.clone());
    for pod in reserved {
        node.hold(Arc::clone(&pod.uid), pod.arrived());
        cycle.shift(place, &pod.claim, 1);
    }
    Some((cycle, node))
}

/// Those of the reasons that lie in the pod and the node alone.
fn alone(pod: &Pod, node: &Node) -> Vec<Failure> {
    let mut found: Vec<Failure> = pod.layout.outside(node).into_iter().collect();
    if node.unschedulable && !taints::tolerated(&pod.tolerations, &Taint::cordon()) {
        found.push(Failure::Cordoned);
    }
    if let Some(wanted) = pod.node_name.as_ref().filter(|wanted| **wanted != node.name) {
        found.push(Failure::OtherNode { wanted: wanted.clone() });
    }
    let untolerated: Vec<Taint> = pod.forbidding(node).cloned().collect();
    if !untolerated.is_empty() {
        found.push(Failure::Untolerated { taints: untolerated });
    }
    found.extend(affinity::misses(pod, node));
    let taken: Vec<HostPort> =
        pod.host_ports.iter().filter(|port| node.used_ports().any(|used| used.conflicts_with(port))).cloned().collect();
    if !taken.is_empty() {
        found.push(Failure::Ports { taken });
    }
    found.extend(fit::shortfalls(pod, node));
    found
}

/// Whether `node` can hold the pod: the answer of [`failures`] without its words, so that asking allocates nothing.
#[must_use]
pub fn fits(cycle: &Cycle<'_>, node: &Node) -> bool {
    fits_alone(cycle.pod, node) && cycle.allows(node)
}

/// As [`fits`], without what depends on pods elsewhere.
#[must_use]
pub fn fits_alone(pod: &Pod, node: &Node) -> bool {
    fit::has_room(pod, node) && is_open(pod, node) && has_ports(pod, node)
}

/// Whether it may go there, room or not: what changes only with the node itself.
pub(crate) fn is_open(pod: &Pod, node: &Node) -> bool {
    pod.node_name.as_ref().is_none_or(|wanted| *wanted == node.name)
        && (!node.unschedulable || taints::tolerated_cordon(&pod.tolerations))
        && pod.forbidding(node).next().is_none()
        && pod.layout.admits(node)
        && affinity::allows(pod, node)
}

/// Whether its host ports are free.
pub(crate) fn has_ports(pod: &Pod, node: &Node) -> bool {
    !pod.host_ports.iter().any(|port| node.used_ports().any(|used| used.conflicts_with(port)))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]
    use keelson_core::ResourceName;

    use super::*;
    use crate::affinity::NodeTerm;
    use crate::requests::PodRequests;
    use crate::snapshot::Snapshot;
    use crate::taints::{TaintEffect, Toleration};

    fn found(pod: &Pod, node: &Node) -> Vec<Failure> {
        let nodes = [node];
        let snapshot = Snapshot::of(&nodes);
        failures(&Cycle::new(pod, &snapshot), node)
    }

    #[test]
    fn all_checks_are_run_and_each_says_what_is_wrong() {
        let other = Pod::new("shop", "other").port(HostPort::tcp(80));
        let node = Node::new("n", [(ResourceName::Cpu, 380)])
            .cordoned()
            .taint(Taint::new("gpu", "only", TaintEffect::NoSchedule))
            .holding(&other);
        let pod = Pod::new("shop", "cart")
            .on_node("m")
            .selecting("zone", "b")
            .requiring(NodeTerm::label("disk", "ssd"))
            .port(HostPort::tcp(80))
            .requesting(&PodRequests::default().container([(ResourceName::Cpu, 500)]));
        let all = found(&pod, &node);
        let rows: Vec<(&str, String, String)> =
            all.iter().map(|failure| (failure.check(), failure.to_string(), failure.reason_text())).collect();
        let row = |check: &'static str, text: &str, reason: &str| (check, text.to_owned(), reason.to_owned());
        let affinity = "node(s) didn't match Pod's node affinity/selector";
        assert_eq!(
            rows,
            [
                row(
                    "NodeUnschedulable",
                    "the node is cordoned: uncordon it or tolerate it",
                    "node(s) were unschedulable"
                ),
                row("NodeName", "the pod names node m", "node(s) didn't match the requested node name"),
                row("TaintToleration", "taints not tolerated: gpu=only:NoSchedule", "node(s) had untolerated taint(s)"),
                row("NodeAffinity", "labels asked for and not there: zone=b", affinity),
                row("NodeAffinity", "none of 1 required node affinity terms matches", affinity),
                row(
                    "NodePorts",
                    "host ports already taken: 80/TCP",
                    "node(s) didn't have free ports for the requested pod ports"
                ),
                row("NodeResourcesFit", "needs 500m cpu, 380m free: short 120m", "Insufficient cpu"),
            ]
        );
        assert_eq!(all.iter().filter(|failure| failure.may_pass_with_time()).count(), 1);
    }

    #[test]
    fn a_pod_that_tolerates_the_cordon_may_go_to_a_cordoned_node() {
        let node = Node::new("n", []).cordoned();
        let pod = Pod::new("shop", "agent").tolerating(Toleration::exists(taints::UNSCHEDULABLE_KEY));
        assert!(found(&pod, &node).is_empty());
    }

    #[test]
    fn only_what_an_empty_node_would_hold_can_pass_with_time() {
        let ask = |cpu| Pod::new("a", "b").requesting(&PodRequests::default().container([(ResourceName::Cpu, cpu)]));
        let node = Node::new("n", [(ResourceName::Cpu, 1_000)]).holding(&ask(900).uid("other"));
        assert!(found(&ask(1_000), &node)[0].may_pass_with_time());
        assert!(!found(&ask(1_001), &node)[0].may_pass_with_time());
    }
}
