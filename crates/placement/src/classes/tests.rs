//! The law of classes: they answer as a choice made anew does.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use keelson_core::ResourceName::{Cpu, Egress, Ingress, Memory};
use keelson_core::Timestamp;
use keelson_core::selector::LabelSelector;
use proptest::prelude::*;

use super::*;
use crate::affinity::NodeTerm;
use crate::bandwidth::{Load, Nic, Rates};
use crate::choose::choose;
use crate::cycle::{Cycle, Kinds};
use crate::explain::best;
use crate::filter::failures;
use crate::layout::{Layout, Pool};
use crate::log::Change;
use crate::network::{Algorithm, Costs, Edge, GROUP_LABEL, Graph, Level, Link, WORKLOAD_LABEL};
use crate::node::Occupant;
use crate::peers::{Labels, PodTerm};
use crate::ports::HostPort;
use crate::requests::PodRequests;
use crate::snapshot::Snapshot;
use crate::spread::{HOSTNAME, SpreadConstraint, ZONE};
use crate::taints::{Taint, TaintEffect, Toleration};

/// Nodes as a cluster has them: one may be gone while its pods still lie in its slot.
#[derive(Default)]
struct Cluster {
    slots: Vec<(Node, bool)>,
    log: Log,
    namespaces: Namespaces,
    network: Network,
}

impl Cluster {
    fn write(&mut self, change: Change) {
        self.log.write(change, 200);
    }

    fn put(&mut self, slot: usize, mut node: Node) {
        while self.slots.len() <= slot {
            self.slots.push((Node::new("", []), false));
            self.write(Change::Node(self.slots.len() - 1));
        }
        node.succeed(self.slots[slot].0.clone());
        self.slots[slot] = (node, true);
        self.write(Change::Node(slot));
    }

    fn hold(&mut self, slot: usize, pod: &Pod) {
        let claim = Arc::new(pod.claim());
        // Alike pods share a claim where there is one.
        let shared =
            self.slots.iter().flat_map(|(node, _)| node.shared_claims()).find(|known| **known == claim).cloned();
        let claim = shared.unwrap_or(claim);
        self.slots[slot].0.hold(pod.uid.as_str().into(), Occupant::taking(Arc::clone(&claim)));
        self.write(Change::Came(slot, claim));
    }

    fn end(&mut self, slot: usize) {
        let uid = self.slots[slot].0.claims().map(|(uid, _)| uid.to_owned()).next();
        if let Some(uid) = uid {
            let claim = Arc::clone(self.slots[slot].0.shared_claims().next().unwrap());
            self.slots[slot].0.remove(&uid);
            self.write(Change::Went(slot, claim));
        }
    }

    /// A pod that is being deleted counts otherwise from then on.
    fn leave(&mut self, slot: usize) {
        let first = self.slots.get(slot).and_then(|(node, _)| node.claims().next());
        let Some((uid, claim)) = first.map(|(uid, claim)| (uid.to_owned(), claim.clone())) else { return };
        self.end(slot);
        let claim = Arc::new(Claim { leaving: true, ..claim });
        self.slots[slot].0.hold(uid.as_str().into(), Occupant::taking(Arc::clone(&claim)));
        self.write(Change::Came(slot, claim));
    }

    fn known(&self) -> Vec<&Node> {
        self.slots.iter().filter(|(_, known)| *known).map(|(node, _)| node).collect()
    }
}

impl Nodes for Cluster {
    fn slots(&self) -> usize {
        self.slots.len()
    }
    fn node(&self, slot: usize) -> Option<&Node> {
        self.slots.get(slot).filter(|(_, known)| *known).map(|(node, _)| node)
    }
    fn empty_slots(&self) -> usize {
        self.slots.len() - self.known().len()
    }
    fn claims(&self, slot: usize) -> impl Iterator<Item = &Arc<Claim>> {
        self.slots[slot].0.shared_claims()
    }
    fn namespaces(&self) -> &Namespaces {
        &self.namespaces
    }
    fn log(&self) -> &Log {
        &self.log
    }
    fn network(&self) -> &Network {
        &self.network
    }
}

fn selecting(app: &str) -> LabelSelector {
    LabelSelector { match_labels: [("app".to_owned(), app.to_owned())].into(), ..LabelSelector::default() }
}

/// One of many kinds of pods: 8 ways to ask of nodes, 3 names, 13 rules about others, 4 parts in a group, 3 ways to ask for
/// bandwidth.
fn pod(kind: u16) -> Pod {
    let mut pod = ungrouped(kind % 312);
    let [egress, ingress] = [[0, 0], [300, 0], [200, 400]][usize::from(kind / 1_248)];
    if egress > 0 {
        pod.requests.set(Egress, egress);
        pod.requests.set(Ingress, ingress);
    }
    match kind % 1_248 / 312 {
        0 => pod,
        part => pod.label(GROUP_LABEL, "g").label(WORKLOAD_LABEL, ["web", "cart", "db"][usize::from(part - 1)]),
    }
}

/// One of several networks: none, a group without costs, costs with and without racks and bounds, a group elsewhere.
fn network(kind: u8) -> Network {
    let flows = |edge: Edge, bits| Edge { min_bandwidth: Some(bits), ..edge };
    let edges = [flows(Edge::new(0, 1).within(7), 150), Edge::new(1, 2).weighing(3), flows(Edge::new(2, 2), 250)];
    let graph = |edges: &[Edge]| Graph::of(&["web", "cart", "db"], edges, Algorithm::Kahn);
    let costs = Costs::new().both(Level::Zone, "a", "b", 5).both(Level::Region, "r1", "r2", 9);
    match kind {
        0 => Network::new(),
        1 => Network::new().group("law", "g", graph(&edges)),
        2 => Network::new().group("law", "g", graph(&edges)).costing(costs),
        3 => Network::new()
            .group("default", "g", graph(&edges))
            .costing(costs.both(Level::Rack, "0", "1", 2))
            .linking(links(), 900),
        4 => Network::new().group("other", "g", graph(&edges[1..])).costing(costs),
        _ => Network::new().group("law", "g", graph(&edges[..1])).linking(links(), 1_000).costing(costs).group(
            "other",
            "g",
            graph(&edges),
        ),
    }
}

/// Narrow enough to fill.
fn links() -> Vec<Link> {
    let link = |level, origin: &str, destination: &str, capacity| Link {
        level,
        origin: origin.into(),
        destination: destination.into(),
        capacity,
    };
    vec![
        link(Level::Zone, "a", "b", 400),
        link(Level::Zone, "b", "a", 600),
        link(Level::Region, "r1", "r2", 200),
        link(Level::Region, "r2", "r1", 900),
    ]
}

fn ungrouped(kind: u16) -> Pod {
    let (asks, app, rule) = (kind % 8, ["a", "b", "c"][usize::from(kind / 8 % 3)], kind / 24 % 13);
    let asked = [(Cpu, 100 * i64::from(asks % 3)), (Memory, 50)];
    let namespace = if app == "c" { "other" } else { "law" };
    let pod = Pod::new(namespace, "pod").label("app", app).requesting(&PodRequests::default().container(asked));
    let pod = match asks {
        0 | 1 => pod,
        2 => pod.tolerating(Toleration::exists("soft")),
        3 => pod.selecting("zone", "a"),
        4 => pod.preferring(3, NodeTerm::label("zone", "b")).preferring(5, NodeTerm::label("disk", "ssd")),
        5 => pod.port(HostPort::tcp(80)),
        6 => pod.image("cart:v1").image("base:v1"),
        _ => pod.requesting(&PodRequests::default().container([("gpu".into(), 1)])),
    };
    let peers = |app: &str, key: &str| PodTerm::label(namespace, "app", app, key);
    let spread = |key: &str, skew, hard| SpreadConstraint::new(key, skew, hard, Some(selecting(app)));
    match rule {
        0..=2 => pod,
        3 => pod.with(peers(app, "zone")),
        4 => pod.with(peers("a", "zone")).with(peers("a", HOSTNAME)),
        5 => pod.apart_from(peers(app, HOSTNAME)),
        6 => pod.apart_from(PodTerm { namespace_selector: Some(LabelSelector::default()), ..peers("b", "zone") }),
        7 => pod.rather(7, peers("a", "zone")).rather(-3, peers(app, HOSTNAME)),
        8 => pod.spreading(spread("zone", 1, true)),
        9 => pod.spreading(spread("zone", 2, true)).spreading(spread(HOSTNAME, 1, true)),
        10 => pod.spreading(spread("zone", 1, false)).spreading(spread(HOSTNAME, 2, false)),
        11 => {
            let strict = SpreadConstraint { honors_taints: true, min_domains: 3, ..spread("zone", 2, true) };
            pod.spreading(strict).spreading(spread(HOSTNAME, 1, false))
        }
        _ => Pod {
            spread_by_default: true,
            ..pod.spreading(spread(HOSTNAME, 3, false)).spreading(spread("zone", 5, false))
        },
    }
}

/// One of several layouts.
fn layout(kind: u8) -> Layout {
    match kind {
        0 | 1 => Layout::All,
        2 => Layout::Pool(pool()),
        3 => Layout::Headroom(10),
        _ => Layout::Headroom(50),
    }
}

fn pool() -> Pool {
    Pool::new("pool", "ours")
}

/// A pod that says itself what the layout says for a pod of the pool.
fn saying_so(pod: &Pod) -> Pod {
    let Pool { key, value } = pool();
    let tolerated = Toleration::equal(&key, &value).only(TaintEffect::NoSchedule);
    pod.clone().in_layout(Layout::All).selecting(&key, &value).tolerating(tolerated)
}

fn node(slot: usize, kind: u8, size: i64) -> Node {
    let name = format!("n{slot}-{}", kind % 2);
    let node = Node::new(&name, [(Cpu, size * 100), (Memory, 1_000), ("gpu".into(), size % 3)]).label(HOSTNAME, &name);
    let node = node.label("topology.kubernetes.io/rack", ["0", "1"][slot % 2]);
    let node = if size % 3 > 0 { node.label("pool", "ours") } else { node };
    let node = if size % 4 > 1 { node.taint(pool().taint()) } else { node };
    let node = if kind == 9 {
        node
    } else {
        let zone = ["a", "b", "c"][usize::from(kind % 3)];
        let region = if zone == "c" { "r2" } else { "r1" };
        node.label("zone", zone).label(ZONE, zone).label("topology.kubernetes.io/region", region)
    };
    match kind / 2 {
        0 => node,
        1 => node.taint(Taint::new("soft", "", TaintEffect::PreferNoSchedule)),
        2 => node.label("disk", "ssd").image("cart:v1", 900 << 20),
        3 => node.cordoned(),
        _ => node.taint(Taint::new("soft", "", TaintEffect::NoSchedule)).image("base:v1", 300 << 20),
    }
}

#[derive(Debug, Clone)]
enum Step {
    Node(usize, u8, i64),
    Gone(usize),
    Forget,
    Namespace(bool),
    Network(u8),
    Ends(usize),
    Leaves(usize),
    /// Capacity; measured load, and whether it is saturated.
    Load(usize, u8, Option<(i64, bool)>),
    Place(u16, u8, u64),
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(if cfg!(debug_assertions) { 512 } else { 20_000 }))]
    #[test]
    fn a_class_answers_as_a_choice_made_anew(steps in prop::collection::vec(prop_oneof![
        6 => (0..12_usize, 0..10_u8, 1..12_i64).prop_map(|(slot, kind, size)| Step::Node(slot, kind, size)),
        2 => (0..12_usize).prop_map(Step::Gone),
        1 => Just(Step::Forget),
        1 => any::<bool>().prop_map(Step::Namespace),
        2 => (0..6_u8).prop_map(Step::Network),
        4 => (0..12_usize).prop_map(Step::Ends),
        1 => (0..12_usize).prop_map(Step::Leaves),
        3 => (0..12_usize, 0..3_u8, prop::option::of((0..1_500_i64, any::<bool>())))
            .prop_map(|(slot, capacity, load)| Step::Load(slot, capacity, load)),
        25 => (0..3_744_u16, 0..5_u8, any::<u64>()).prop_map(|(kind, in_layout, seed)| Step::Place(kind, in_layout, seed)),
    ], 0..150)) {
        let (mut cluster, mut classes) = (Cluster::default(), Classes::default());
        for (number, step) in steps.into_iter().enumerate() {
            match step {
                Step::Node(slot, kind, size) => cluster.put(slot, node(slot, kind, size)),
                Step::Gone(slot) => if slot < cluster.slots.len() {
                    cluster.slots[slot].1 = false;
                    cluster.write(Change::Node(slot));
                },
                Step::Forget => if !cluster.slots.is_empty() {
                    cluster.log.write(Change::Node(0), 1);
                },
                Step::Namespace(named) => {
                    let labels = if named { selecting("x").match_labels } else { Labels::new() };
                    cluster.namespaces.insert("law".into(), labels);
                    cluster.write(Change::Namespaces);
                }
                Step::Network(kind) => {
                    cluster.network = network(kind);
                    cluster.write(Change::Network);
                }
                Step::Ends(slot) => if slot < cluster.slots.len() {
                    cluster.end(slot);
                },
                // A pod that is being deleted counts otherwise from then on.
                Step::Leaves(slot) => cluster.leave(slot),
                Step::Load(slot, capacity, load) => if slot < cluster.slots.len() {
                    let load = load.map(|(load, full)| {
                        let varies = Rates::both(load / 3);
                        Load { rates: Rates::both(load), since: Timestamp(0), saturated: [full, false], varies }
                    });
                    let capacity = Rates { egress: 1_000, ingress: 700 * i64::from(capacity) };
                    cluster.slots[slot].0.measure(Some(Nic { load, ..Nic::new(capacity) }));
                    cluster.write(Change::Load(slot));
                },
                Step::Place(kind, in_layout, seed) => {
                    let pod = pod(kind).uid(&number.to_string()).in_layout(layout(in_layout));
                    let known_nodes = cluster.known();
                    let snapshot = Snapshot::of(&known_nodes).within(&cluster.namespaces).over(&cluster.network);
                    let anew = choose(&pod, &snapshot, seed);
                    let shown = best(&Cycle::new(&pod, &snapshot), seed).1.candidates;
                    let kinds = Kinds::of(&snapshot);
                    let (one_by_one, by_kind) = (Cycle::new(&pod, &snapshot), Cycle::of_kinds(&pod, &kinds));
                    for node in &known_nodes {
                        prop_assert_eq!(failures(&one_by_one, node), failures(&by_kind, node));
                    }
                    if pod.layout == Layout::Pool(pool()) {
                        prop_assert_eq!(anew, choose(&saying_so(&pod), &snapshot, seed));
                    }
                    let known = classes.choose(&pod, &cluster, seed);
                    let name = known.choice.node.map(|slot| cluster.slots[slot].0.name.clone());
                    prop_assert_eq!(&name, &anew.node.map(|index| known_nodes[index].name.clone()));
                    prop_assert_eq!(Choice { node: None, ..known.choice }, Choice { node: None, ..anew });
                    prop_assert_eq!(known.leaders, shown);
                    prop_assert!(classes.knows(&pod));
                    if let Some(slot) = known.choice.node {
                        cluster.hold(slot, &pod);
                    }
                }
            }
        }
    }
}

#[test]
fn no_more_classes_are_kept_than_the_bound() {
    let (cluster, mut classes) =
        (Cluster { slots: vec![(node(0, 0, 9), true)], ..Cluster::default() }, Classes::default());
    for size in 0..CLASSES as i64 + 10 {
        let pod = Pod::new("a", "b").requesting(&PodRequests::default().container([(Memory, size)]));
        classes.choose(&pod, &cluster, 1);
    }
    assert_eq!(classes.known.len(), CLASSES);
}

#[test]
fn what_is_gone_is_forgotten_however_many_nodes_and_pods_come_and_go() {
    let (mut cluster, mut classes) = (Cluster::default(), Classes::default());
    let spread = SpreadConstraint::new(HOSTNAME, 1, true, Some(selecting("a")));
    let asked = Pod::new("law", "pod").label("app", "a").spreading(spread);
    for number in 0..6_000 {
        let name = format!("n{number}");
        cluster.put(0, Node::new(&name, [(Cpu, 1_000)]).label(HOSTNAME, &name));
        cluster.hold(0, &asked.clone().uid(&number.to_string()).label("own", &name));
        assert!(classes.choose(&asked, &cluster, 1).choice.node.is_some(), "{number}");
        cluster.end(0);
    }
    let places = classes.ground.topologies.iter().map(|topology| topology.len()).max();
    assert!(places.unwrap() <= 1_028, "{places:?} names of one node");
    assert!(classes.ground.kinds.len() <= 4_100, "{} kinds of no pod", classes.ground.kinds.len());
}
