//! What a decision saw, to decide again.
//!
//! All nodes are kept, because all were scored. Of each node only what the pod asks about is kept: the labels its
//! selectors and rules name, the resources it requests, ports when it takes some, and of the pods there those that bear on
//! it. What many nodes share is written once.
//!
//! Promise: deciding again on a recording gives the same bytes as the first time.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use keelson_core::{Plan, ResourceName, Resources};
use keelson_placement::{
    Claim, HostPort, Namespaces, Network, Node, NodeTerm, NonZero, Pod, Reserved, Snapshot, Taint,
};
use serde::{Deserialize, Serialize};

use crate::decide::{Ask, Settings, decide};

/// The layout; another number is another layout.
const LAYOUT: u32 = 2;

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
    /// The kinds of pods that bear on the one that is asked about.
    peers: Vec<Claim>,
    namespaces: Namespaces,
    nodes: Vec<Row>,
    /// By the place of a node: pods that go first there.
    reserved: BTreeMap<usize, Vec<Claim>>,
    /// The pod's group, and what places cost each other.
    #[serde(default, skip_serializing_if = "Network::is_empty")]
    network: Network,
}

/// What many nodes share.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Shape {
    /// None is the node's own name.
    labels: Vec<(String, Option<String>)>,
    taints: Vec<Taint>,
    cordoned: bool,
    allocatable: Vec<(ResourceName, i64)>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    images: Vec<(String, i64)>,
}

/// What one node has of its own: name, shape, requested, with defaults, how many pods, ports taken, how many of which kind.
#[derive(Debug, Serialize, Deserialize)]
struct Row(String, usize, Vec<(ResourceName, i64)>, i64, i64, usize, Vec<HostPort>, BTreeMap<usize, usize>);

/// What is kept of nodes for one pod.
struct Kept<'a> {
    pod: &'a Pod,
    namespaces: &'a Namespaces,
    labels: BTreeSet<&'a str>,
    resources: BTreeSet<&'a ResourceName>,
}

impl<'a> Kept<'a> {
    fn by(pod: &'a Pod, snapshot: &'a Snapshot<'_>) -> Self {
        let terms = pod.required.iter().flatten().chain(pod.preferred.iter().map(|preferred| &preferred.term));
        let keys = terms.flat_map(|term: &NodeTerm| term.labels.iter().map(|wanted| wanted.key.as_str()));
        let named = pod.requests.iter().map(|(name, _)| name);
        let reserved = snapshot.reserved.values().flatten().map(|reserved| reserved.claim.as_ref());
        let others = snapshot.nodes().flat_map(Node::claims_with_affinity).chain(reserved);
        let others = others.filter(|claim| pod.regards(claim, &snapshot.namespaces));
        let theirs = others.flat_map(|claim| claim.affinity.topology_keys());
        Self {
            pod,
            namespaces: &snapshot.namespaces,
            labels: pod
                .node_selector
                .keys()
                .map(String::as_str)
                .chain(keys)
                .chain(pod.topology_keys())
                .chain(theirs)
                .collect(),
            resources: named.chain(&[ResourceName::Cpu, ResourceName::Memory, ResourceName::Pods]).collect(),
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
        let images = self.pod.images.iter().filter_map(|image| node.images.get_key_value(image));
        Shape {
            labels: labels
                .map(|(key, value)| (key.clone(), Some(value.clone()).filter(|value| *value != node.name)))
                .collect(),
            taints: node.taints.clone(),
            cordoned: node.unschedulable,
            allocatable: self.amounts(&node.allocatable),
            images: images.map(|(image, bytes)| (image.clone(), *bytes)).collect(),
        }
    }

    /// A pod that bears on the one that is asked about, without what it takes.
    fn peer(&self, claim: &Claim) -> Option<Claim> {
        let bare = || Claim {
            namespace: claim.namespace.clone(),
            labels: claim.labels.clone(),
            affinity: claim.affinity.clone(),
            leaving: claim.leaving,
            ..Claim::default()
        };
        self.pod.regards(claim, self.namespaces).then(bare)
    }
}

/// Where an equal value stands in a list, which it is added to when it is new. Clusters have few kinds of things, and
/// neighbours are often alike.
fn place<T: PartialEq>(list: &mut Vec<T>, value: T) -> usize {
    list.iter().rposition(|known| *known == value).unwrap_or_else(|| {
        list.push(value);
        list.len() - 1
    })
}

/// The bytes of what a decision saw.
///
/// # Errors
/// When it cannot be written.
pub fn record(ask: &Ask, snapshot: &Snapshot<'_>) -> Result<Vec<u8>, serde_json::Error> {
    let kept = Kept::by(&ask.pod, snapshot);
    let (mut shapes, mut peers) = (Vec::new(), Vec::new());
    let mut nodes = Vec::with_capacity(snapshot.nodes.len());
    for node in snapshot.nodes() {
        let mut here: BTreeMap<usize, usize> = BTreeMap::new();
        for peer in node.shared_claims().filter_map(|claim| kept.peer(claim)) {
            *here.entry(place(&mut peers, peer)).or_default() += 1;
        }
        let NonZero { cpu_milli, memory_bytes } = node.non_zero();
        let (shape, requested) = (place(&mut shapes, kept.shape(node)), kept.amounts(node.requested()));
        let ports = node.used_ports().filter(|_| !ask.pod.host_ports.is_empty()).cloned().collect();
        nodes.push(Row(node.name.clone(), shape, requested, cpu_milli, memory_bytes, node.pod_count(), ports, here));
    }
    let reserved = snapshot.reserved.iter();
    let reserved = reserved.map(|(node, pods)| (*node, pods.iter().map(|pod| Claim::clone(&pod.claim)).collect()));
    let namespaces = snapshot.namespaces.clone().into_owned();
    let namespaces = if kept.labels.is_empty() { Namespaces::new() } else { namespaces };
    let network = snapshot.network.only_for(&ask.pod.namespace, &ask.pod.labels);
    let (ask, reserved) = (ask.clone(), reserved.collect());
    serde_json::to_vec(&Recording { layout: LAYOUT, ask, shapes, peers, namespaces, nodes, reserved, network })
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
    let Recording { mut ask, shapes, peers, namespaces, nodes, reserved, network, .. } =
        serde_json::from_slice(recording)?;
    if let Some(settings) = settings {
        ask.settings = settings;
    }
    let peers: Vec<Arc<Claim>> = peers.into_iter().map(Arc::new).collect();
    let nodes = nodes.into_iter().map(|row| Ok(Cow::Owned(restore(row, &shapes, &peers)?)));
    let reserve = |(number, claim)| Reserved { uid: format!("reserved-{number}").into(), claim: Arc::new(claim) };
    let reserved = reserved.into_iter().map(|(node, pods)| (node, pods.into_iter().enumerate().map(reserve).collect()));
    let (nodes, reserved) = (nodes.collect::<Result<_, ReplayError>>()?, reserved.collect());
    let (namespaces, network) = (Cow::Owned(namespaces), Cow::Owned(network));
    Ok(decide(&ask, &Snapshot { nodes, namespaces, reserved, network }).plan)
}

fn restore(row: Row, shapes: &[Shape], peers: &[Arc<Claim>]) -> Result<Node, ReplayError> {
    let Row(name, index, requested, cpu_milli, memory_bytes, pods, host_ports, here) = row;
    let Some(shape) = shapes.get(index) else {
        return Err(ReplayError::Shape { node: name, shape: index });
    };
    let mut node = Node::new(&name, [(ResourceName::Pods, 0)]);
    for (resource, amount) in &shape.allocatable {
        node.allocatable.set(resource.clone(), *amount);
    }
    node.labels
        .extend(shape.labels.iter().map(|(key, value)| (key.clone(), value.clone().unwrap_or_else(|| name.clone()))));
    node.taints.clone_from(&shape.taints);
    node.unschedulable = shape.cordoned;
    node.images = Arc::new(shape.images.iter().cloned().collect());
    let mut claims: Vec<Arc<Claim>> = Vec::with_capacity(pods);
    for (kind, count) in here {
        claims.extend(peers.get(kind).into_iter().flat_map(|peer| std::iter::repeat_n(Arc::clone(peer), count)));
    }
    claims.resize(pods.max(claims.len()), Arc::default());
    // One pod stands for all that is taken, and the others only count.
    if let Some(first) = claims.first_mut() {
        let requests = requested.into_iter().collect();
        *first = Arc::new(Claim {
            requests,
            non_zero: NonZero { cpu_milli, memory_bytes },
            host_ports,
            ..Claim::clone(first)
        });
    }
    for (number, claim) in claims.into_iter().enumerate() {
        node.hold(format!("{number}").into(), claim);
    }
    Ok(node)
}

#[cfg(test)]
pub(crate) mod tests;
