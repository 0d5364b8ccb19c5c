//! What a decision saw, to decide again.
//!
//! All nodes are kept, because all were scored. Of each node only what the pod asks about is kept: the labels its
//! selectors and rules name, the resources it requests, ports when it takes some, and of the pods there those that bear on
//! it. When it was not placed, the pods that could be evicted for it are kept one by one. What many nodes share is written
//! once.
//!
//! Promise: deciding again on a recording gives the same bytes as the first time.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use indexmap::IndexSet;
use keelson_core::{Direction, Plan, Rates, ResourceName, Resources, Timestamp, Verb};
use keelson_placement::bandwidth::asked_by;
use keelson_placement::volumes::SeenVolumes;
use keelson_placement::{Budgets, Claim, HostPort, Namespaces, Network, Nic, Node, NodeTerm, NonZero, Occupant};
use keelson_placement::{Pod, Reserved, Snapshot, Taint};
use serde::{Deserialize, Serialize};

use crate::decide::{Ask, Settings, decide};

/// The layout; another number is another layout.
const LAYOUT: u32 = 4;

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
    /// What the pods take that could be evicted.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    claims: Vec<Claim>,
    /// By the place of a node: those pods.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    kept: BTreeMap<usize, Vec<Single>>,
    #[serde(default, skip_serializing_if = "Budgets::is_empty")]
    budgets: Budgets,
    #[serde(default, skip_serializing_if = "SeenVolumes::is_empty")]
    volumes: SeenVolumes,
    /// The pod's group, and what places cost each other.
    #[serde(default, skip_serializing_if = "Network::is_empty")]
    network: Network,
}

/// A pod that is kept as it is, because it could be evicted or asks for bandwidth as well: uid, `namespace/name`, which claim, priority, since when it runs, whether it is evicted by now.
#[derive(Debug, Serialize, Deserialize)]
struct Single(Arc<str>, Arc<str>, usize, i32, Option<Timestamp>, bool);

/// What many nodes share.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
struct Shape {
    /// None is the node's own name.
    labels: Vec<(String, Option<String>)>,
    taints: Vec<Taint>,
    cordoned: bool,
    allocatable: Vec<(ResourceName, i64)>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    images: Vec<(String, i64)>,
}

/// What one node has of its own: name, shape, requested, with defaults, how many pods, ports taken, how many of which kind,
/// its interface when the pod asks for bandwidth.
#[derive(Debug, Serialize, Deserialize)]
struct Row(
    String,
    usize,
    Vec<(ResourceName, i64)>,
    i64,
    i64,
    usize,
    Vec<HostPort>,
    BTreeMap<usize, usize>,
    #[serde(default, skip_serializing_if = "Option::is_none")] Option<Nic>,
);

/// What is kept of nodes for one pod.
struct Kept<'a> {
    pod: &'a Pod,
    namespaces: &'a Namespaces,
    network: &'a Network,
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
            network: &snapshot.network,
            labels: pod
                .node_selector
                .keys()
                .map(String::as_str)
                .chain(keys)
                .chain(pod.topology_keys())
                .chain(pod.layout.label())
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
        // Volumes are reached by labels that they name themselves.
        let all = !self.pod.volumes.is_empty();
        let labels = node.labels.iter().filter(|(key, _)| all || self.labels.contains(key.as_str()));
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

    /// A pod that is kept as it is, with what of it matters.
    fn single(&self, claim: &Claim) -> Claim {
        Claim { requests: self.amounts(&claim.requests).into_iter().collect(), ..claim.clone() }
    }

    /// A pod that bears on the one that is asked about, without what it takes.
    fn peer(&self, claim: &Claim) -> Option<Claim> {
        let bare = || Claim {
            namespace: claim.namespace.clone(),
            labels: claim.labels.clone(),
            affinity: claim.affinity.clone(),
            volumes: claim.volumes.clone(),
            leaving: claim.leaving,
            ..Claim::default()
        };
        (self.pod.regards(claim, self.namespaces) || self.flows(claim)).then(bare)
    }

    /// Whether what flows between a pod and others bears on the one that is asked about.
    fn flows(&self, claim: &Claim) -> bool {
        let bound = |namespace, labels| self.network.bound_by_links(namespace, labels).is_some();
        bound(&self.pod.namespace, &self.pod.labels) && bound(&claim.namespace, &claim.labels)
    }
}

/// What is kept of pods' claims, each once. Pods that are alike share one, which is known again by where it lies: most of
/// thousands are not looked into.
#[derive(Default)]
struct Claims {
    kept: IndexSet<Claim>,
    known: HashMap<*const Claim, Option<usize>>,
}

impl Claims {
    /// Where that stands which `keep` keeps of a claim, if anything.
    fn place(&mut self, claim: &Arc<Claim>, keep: impl FnOnce(&Claim) -> Option<Claim>) -> Option<usize> {
        let Self { kept, known } = self;
        let place = || keep(claim).map(|claim| kept.insert_full(claim).0);
        *known.entry(Arc::as_ptr(claim)).or_insert_with(place)
    }
}

/// The bytes of what a decision saw that ended so.
///
/// # Errors
/// When it cannot be written.
pub fn record(ask: &Ask, snapshot: &Snapshot<'_>, ended: Verb) -> Result<Vec<u8>, serde_json::Error> {
    let kept = Kept::by(&ask.pod, snapshot);
    let evicts = ended != Verb::Place && !ask.pod.never_preempts;
    let sends = asked_by(&ask.pod) != Rates::default();
    let is_kept = |pod: &Occupant| {
        let rates = Direction::BOTH.map(|direction| pod.claim.requests.get(&direction.resource()));
        evicts && pod.priority < ask.pod.priority || sends && rates != [0, 0]
    };
    let mut shapes: IndexSet<Shape> = IndexSet::new();
    let (mut peers, mut claims) = (Claims::default(), Claims::default());
    let mut nodes = Vec::with_capacity(snapshot.nodes.len());
    let mut singles: BTreeMap<usize, Vec<Single>> = BTreeMap::new();
    for (index, node) in snapshot.nodes().enumerate() {
        let mut node = Cow::Borrowed(node);
        for (uid, pod) in node.pods().filter(|(_, pod)| is_kept(pod)) {
            let Some(claim) = claims.place(&pod.claim, |claim| Some(kept.single(claim))) else { continue };
            let row = Single(Arc::clone(uid), Arc::clone(&pod.key), claim, pod.priority, pod.started, pod.preempted);
            singles.entry(index).or_default().push(row);
        }
        if singles.contains_key(&index) {
            node = Cow::Owned(node.into_owned().keeping(|pod| !is_kept(pod)));
        }
        let mut here: BTreeMap<usize, usize> = BTreeMap::new();
        for peer in node.shared_claims().filter_map(|claim| peers.place(claim, |claim| kept.peer(claim))) {
            *here.entry(peer).or_default() += 1;
        }
        let NonZero { cpu_milli, memory_bytes } = node.non_zero();
        let (shape, requested) = (shapes.insert_full(kept.shape(&node)).0, kept.amounts(node.requested()));
        let ports = node.used_ports().filter(|_| !ask.pod.host_ports.is_empty()).cloned().collect();
        let (name, pods, nic) = (node.name.clone(), node.pod_count(), node.interface().copied().filter(|_| sends));
        nodes.push(Row(name, shape, requested, cpu_milli, memory_bytes, pods, ports, here, nic));
    }
    let reserved = snapshot.reserved.iter();
    let reserved = reserved.map(|(node, pods)| (*node, pods.iter().map(|pod| Claim::clone(&pod.claim)).collect()));
    let namespaces = snapshot.namespaces.clone().into_owned();
    let namespaces = if kept.labels.is_empty() { Namespaces::new() } else { namespaces };
    let network = snapshot.network.only_for(&ask.pod.namespace, &ask.pod.labels);
    let budgets = if singles.is_empty() { Budgets::new() } else { snapshot.budgets.clone().into_owned() };
    let (ask, reserved, volumes) = (ask.clone(), reserved.collect(), SeenVolumes::by(&ask.pod, snapshot));
    let seen = Recording {
        layout: LAYOUT,
        ask,
        shapes: shapes.into_iter().collect(),
        peers: peers.kept.into_iter().collect(),
        namespaces,
        nodes,
        reserved,
        claims: claims.kept.into_iter().collect(),
        kept: singles,
        budgets,
        volumes,
        network,
    };
    serde_json::to_vec(&seen)
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
    let Recording {
        mut ask,
        shapes,
        peers,
        namespaces,
        nodes,
        reserved,
        claims,
        mut kept,
        budgets,
        volumes,
        network,
        ..
    } = serde_json::from_slice(recording)?;
    if let Some(settings) = settings {
        ask.pod.layout = settings.layout.clone();
        ask.settings = settings;
    }
    let peers: Vec<Arc<Claim>> = peers.into_iter().map(Arc::new).collect();
    let claims: Vec<Arc<Claim>> = claims.into_iter().map(Arc::new).collect();
    let nodes = nodes.into_iter().enumerate().map(|(index, row)| {
        let mut node = restore(row, &shapes, &peers)?;
        for Single(uid, key, claim, priority, started, preempted) in kept.remove(&index).into_iter().flatten() {
            let claim = claims.get(claim).cloned().unwrap_or_default();
            node.hold(uid, Occupant { key, claim, priority, started, preempted });
        }
        Ok(Cow::Owned(node))
    });
    let reserve = |(number, claim)| Reserved { uid: format!("reserved-{number}").into(), claim: Arc::new(claim) };
    let reserved = reserved.into_iter().map(|(node, pods)| (node, pods.into_iter().enumerate().map(reserve).collect()));
    let (nodes, reserved) = (nodes.collect::<Result<_, ReplayError>>()?, reserved.collect());
    let (namespaces, budgets) = (Cow::Owned(namespaces), Cow::Owned(budgets));
    let (volumes, network) = (Cow::Owned(volumes.restored()), Cow::Owned(network));
    Ok(decide(&ask, &Snapshot { nodes, namespaces, volumes, budgets, reserved, network }).plan)
}

fn restore(row: Row, shapes: &[Shape], peers: &[Arc<Claim>]) -> Result<Node, ReplayError> {
    let Row(name, index, requested, cpu_milli, memory_bytes, pods, host_ports, here, nic) = row;
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
    node.measure(nic);
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
        // Those that stay have at least the priority of the pod that is asked about.
        node.hold(format!("{number}").into(), Occupant { priority: i32::MAX, ..Occupant::taking(claim) });
    }
    Ok(node)
}

#[cfg(test)]
pub(crate) mod tests;
