//! What a decision saw, to decide again.
//!
//! All nodes are kept, because all were scored. Of each node only what the pod asks about is kept: the labels its
//! selectors name, the resources it requests, ports when it takes some. What many nodes share is written once.
//!
//! Promise: deciding again on a recording gives the same bytes as the first time.

use std::borrow::Borrow;
use std::collections::BTreeSet;
use std::sync::Arc;

use keelson_core::{Plan, ResourceName, Resources};
use keelson_placement::{Claim, HostPort, Node, NodeTerm, NonZero, Pod, Taint};
use serde::{Deserialize, Serialize};

use crate::decide::{Ask, Settings, decide};

/// The layout; another number is another layout.
const LAYOUT: u32 = 1;

/// Why a recording cannot be decided again.
#[derive(Debug, thiserror::Error)]
pub enum ReplayError {
    /// The bytes are no recording.
    #[error("the recording cannot be read: {0}; it may have been cut off")]
    Unreadable(#[from] serde_json::Error),
    /// It was written by another version.
    #[error("the recording has layout {found}, this build reads {LAYOUT}; replay it with the version that wrote it")]
    Layout {
        /// Its layout.
        found: u32,
    },
    /// It names a shape that it does not have.
    #[error("the recording of node {node} names shape {shape}, which is not there; it may have been cut off")]
    Shape {
        /// The node.
        node: String,
        /// The shape.
        shape: usize,
    },
}

#[derive(Debug, Serialize, Deserialize)]
struct Recording {
    layout: u32,
    ask: Ask,
    shapes: Vec<Shape>,
    nodes: Vec<Row>,
}

/// What many nodes share.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Shape {
    labels: Vec<(String, String)>,
    taints: Vec<Taint>,
    cordoned: bool,
    allocatable: Vec<(ResourceName, i64)>,
}

/// What one node has of its own: name, shape, requested, with defaults, how many pods, ports taken.
#[derive(Debug, Serialize, Deserialize)]
struct Row(String, usize, Vec<(ResourceName, i64)>, i64, i64, usize, Vec<HostPort>);

/// What is kept of nodes for one pod.
struct Kept<'a> {
    labels: BTreeSet<&'a str>,
    resources: BTreeSet<&'a ResourceName>,
    ports: bool,
}

impl<'a> Kept<'a> {
    fn by(pod: &'a Pod) -> Self {
        let terms = pod.required.iter().flatten().chain(pod.preferred.iter().map(|preferred| &preferred.term));
        let keys = terms.flat_map(|term: &NodeTerm| term.labels.iter().map(|wanted| wanted.key.as_str()));
        let named = pod.requests.iter().map(|(name, _)| name);
        Self {
            labels: pod.node_selector.keys().map(String::as_str).chain(keys).collect(),
            resources: named.chain(&[ResourceName::Cpu, ResourceName::Memory, ResourceName::Pods]).collect(),
            ports: !pod.host_ports.is_empty(),
        }
    }

    fn amounts(&self, all: &Resources) -> Vec<(ResourceName, i64)> {
        all.iter()
            .filter(|(name, _)| self.resources.contains(name))
            .map(|(name, amount)| (name.clone(), amount))
            .collect()
    }

    fn shape(&self, node: &Node) -> Shape {
        let labels = node.labels.iter().filter(|(key, _)| self.labels.contains(key.as_str()));
        Shape {
            labels: labels.map(|(key, value)| (key.clone(), value.clone())).collect(),
            taints: node.taints.clone(),
            cordoned: node.unschedulable,
            allocatable: self.amounts(&node.allocatable),
        }
    }
}

/// The bytes of what a decision saw.
///
/// # Errors
/// When it cannot be written.
pub fn record<N: Borrow<Node>>(ask: &Ask, nodes: &[N]) -> Result<Vec<u8>, serde_json::Error> {
    let kept = Kept::by(&ask.pod);
    let mut shapes: Vec<Shape> = Vec::new();
    let mut rows = Vec::with_capacity(nodes.len());
    for node in nodes.iter().map(Borrow::borrow) {
        let shape = kept.shape(node);
        // Clusters have few kinds of nodes, and neighbours are often alike.
        let index = shapes.iter().rposition(|known| *known == shape).unwrap_or_else(|| {
            shapes.push(shape);
            shapes.len() - 1
        });
        let ports = if kept.ports { node.used_ports().cloned().collect() } else { Vec::new() };
        let NonZero { cpu_milli, memory_bytes } = node.non_zero();
        let requested = kept.amounts(node.requested());
        rows.push(Row(node.name.clone(), index, requested, cpu_milli, memory_bytes, node.pod_count(), ports));
    }
    serde_json::to_vec(&Recording { layout: LAYOUT, ask: ask.clone(), shapes, nodes: rows })
}

/// Decides again on a recording, under other settings when they are given.
///
/// # Errors
/// When the bytes are no recording of this version.
pub fn replay(recording: &[u8], settings: Option<Settings>) -> Result<Plan, ReplayError> {
    #[derive(Deserialize)]
    struct Head {
        layout: u32,
    }
    let Head { layout: found } = serde_json::from_slice(recording)?;
    if found != LAYOUT {
        return Err(ReplayError::Layout { found });
    }
    let Recording { mut ask, shapes, nodes, .. } = serde_json::from_slice(recording)?;
    if let Some(settings) = settings {
        ask.settings = settings;
    }
    let nodes = nodes.into_iter().map(|row| restore(row, &shapes)).collect::<Result<Vec<_>, _>>()?;
    Ok(decide(&ask, &nodes).plan)
}

fn restore(row: Row, shapes: &[Shape]) -> Result<Node, ReplayError> {
    let Row(name, index, requested, cpu_milli, memory_bytes, pods, host_ports) = row;
    let Some(shape) = shapes.get(index) else {
        return Err(ReplayError::Shape { node: name, shape: index });
    };
    let mut node = Node::new(&name, [(ResourceName::Pods, 0)]);
    for (resource, amount) in &shape.allocatable {
        node.allocatable.set(resource.clone(), *amount);
    }
    node.labels.extend(shape.labels.iter().cloned());
    node.taints.clone_from(&shape.taints);
    node.unschedulable = shape.cordoned;
    // One pod stands for all that is taken, and the others only count.
    let requests = requested.into_iter().collect();
    let sum = Arc::new(Claim { requests, non_zero: NonZero { cpu_milli, memory_bytes }, host_ports });
    let nothing = Arc::new(Claim::default());
    for pod in 0..pods {
        node.hold(format!("{pod}").into(), Arc::clone(if pod == 0 { &sum } else { &nothing }));
    }
    Ok(node)
}

#[cfg(test)]
mod tests;
