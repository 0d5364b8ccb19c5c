//! Laws of network cost that hold for every group and every set of nodes, tried on generated ones.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use keelson_core::ResourceName::Cpu;
use proptest::prelude::*;

use super::costs::{REGION, UNKNOWN};
use super::order::circle;
use super::tests::{eight, four_zones, goes_before, offering, pod};
use super::*;
use crate::affinity::NodeTerm;
use crate::cycle::Cycle;
use crate::filter::failures;
use crate::layout::{Layout, Pool};
use crate::node::Node;
use crate::peers::PodTerm;
use crate::pod::Pod;
use crate::requests::PodRequests;
use crate::snapshot::Snapshot;
use crate::spread::{HOSTNAME, SpreadConstraint, ZONE};
use crate::taints::{Taint, TaintEffect};

/// A group with rules, on nodes with little room: of one workload all have the same, or each its own.
fn crowd(kinds: &[u8], alike: bool) -> Vec<Pod> {
    let pod = |(index, kind): (usize, &u8)| {
        let pod = pod(["p1", "p2", "p3", "p9"][usize::from(kind % 4)]).uid(&format!("u{index}"));
        let pod = pod.requesting(&PodRequests::default().container([(Cpu, 100 * i64::from(kind % 3))]));
        let app = pod.labels[WORKLOAD_LABEL].clone();
        let own = |key: &str| PodTerm::label("default", WORKLOAD_LABEL, &app, key);
        let selector = keelson_core::selector::LabelSelector {
            match_labels: [(WORKLOAD_LABEL.to_owned(), app.clone())].into(),
            ..Default::default()
        };
        let first = kinds.iter().find(|first| alike && *first % 4 == kind % 4).unwrap_or(kind);
        match first / 12 % 7 {
            0 => pod.apart_from(own(HOSTNAME)),
            1 => pod.with(own(ZONE)),
            2 => pod.spreading(SpreadConstraint::new(ZONE, 1, true, Some(selector))),
            3 => pod.requiring(NodeTerm::label(REGION, "us-east-1")),
            4 => pod.with(PodTerm::label("default", WORKLOAD_LABEL, "p1", ZONE)),
            _ => pod,
        }
    };
    kinds.iter().enumerate().map(pod).collect()
}

fn small(rooms: &[(i64, u8)]) -> Vec<Node> {
    let node = |(node, (cpu, kind)): (Node, &(i64, u8))| {
        let name = node.name.clone();
        let node = offering(node, *cpu, 4);
        let node = if kind % 5 == 0 { node } else { node.label(HOSTNAME, &name) };
        let node = if kind % 4 == 0 { node } else { node.label("pool", "ours") };
        if *kind == 1 { node.taint(Taint::new("k", "", TaintEffect::NoSchedule)) } else { node }
    };
    eight().into_iter().zip(rooms).map(node).collect()
}

fn layout(kind: u8) -> Layout {
    match kind {
        0 => Layout::Pool(Pool::new("pool", "ours")),
        1 => Layout::Headroom(20),
        _ => Layout::All,
    }
}

/// Every edge of these pods with each other and with those that are there, each once, by looking at every two pods.
fn naive(nodes: &[Node], network: &Network, ours: &[Pod]) -> i64 {
    let pods: Vec<(&str, &Node, Member<'_>)> = nodes
        .iter()
        .flat_map(|node| node.claims().map(move |(uid, claim)| (uid, node, claim)))
        .filter_map(|(uid, node, claim)| Some((uid, node, network.member(&claim.namespace, &claim.labels)?)))
        .collect();
    let is_ours = |uid: &str| ours.iter().any(|pod| pod.uid == uid);
    let mut sum = 0;
    for (index, (uid, node, member)) in pods.iter().enumerate() {
        for (other, there, peer) in &pods[index + 1..] {
            let tie = member.group.ties(member.workload).iter().find(|tie| tie.peer == peer.workload);
            if let Some(tie) = tie.filter(|_| node.name != there.name && (is_ours(uid) || is_ours(other))) {
                let costs = network.costs();
                sum += tie.weight * costs.between(costs.place_of(node), costs.place_of(there)).cost;
            }
        }
    }
    sum
}

fn held(nodes: &[Node], pods: &[Pod], at: &[usize]) -> Vec<Node> {
    let mut nodes = nodes.to_vec();
    pods.iter().zip(at).for_each(|(pod, slot)| nodes[*slot].add(pod));
    nodes
}

/// Pods that are wrong where they are, the others being where they are.
fn wrong(nodes: &[Node], pods: &[Pod], at: &[usize], network: &Network) -> BTreeMap<String, String> {
    let full = held(nodes, pods, at);
    let check = |(pod, slot): (&Pod, &usize)| {
        let mut without = full.clone();
        without[*slot].remove(&pod.uid);
        let snapshot = Snapshot::of(&without).over(network);
        let found = failures(&Cycle::new(pod, &snapshot), &without[*slot]);
        found.first().map(|failure| (pod.uid.clone(), format!("on {}: {failure}", without[*slot].name)))
    };
    pods.iter().zip(at).filter_map(check).collect()
}

fn triangle(bound: Option<i64>, weight: i64) -> Network {
    let bounded = |edge: Edge| Edge { max_network_cost: bound, ..edge };
    let edges = [bounded(Edge::new(0, 1)), Edge::new(1, 2).weighing(weight), Edge::new(2, 0), Edge::new(1, 1)];
    let graph = Graph::of(&["p1", "p2", "p3"], &edges, Algorithm::Kahn);
    Network::new().costing(four_zones()).group("default", "basic", graph)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(if cfg!(debug_assertions) { 128 } else { 4_000 }))]

    #[test]
    fn a_group_is_placed_whole_right_and_no_dearer_than_one_after_another(
        kinds in prop::collection::vec(0..84_u8, 0..9),
        standing in prop::collection::vec((0..84_u8, 0..8_usize), 0..4),
        rooms in prop::collection::vec((0..900_i64, 0..12_u8), 8),
        bound in prop::option::of(0..25_i64),
        (weight, steps, seed, alike, in_layout) in (1..9_i64, 0..400_u64, any::<u64>(), any::<bool>(), 0..5_u8),
    ) {
        let network = triangle(bound, weight);
        let mut nodes = small(&rooms);
        for (index, (kind, slot)) in standing.iter().enumerate() {
            nodes[*slot].add(&crowd(&[*kind], true)[0].clone().uid(&format!("standing-{index}")));
        }
        let pods: Vec<Pod> = crowd(&kinds, alike).into_iter().map(|pod| pod.in_layout(layout(in_layout))).collect();
        let snapshot = Snapshot::of(&nodes).over(&network);
        let found = place_group(&pods, &snapshot, steps, seed);
        prop_assert_eq!(&found, &place_group(&pods, &snapshot, steps, seed));
        if let Ok(found) = found {
            prop_assert_eq!(found.nodes.len(), pods.len());
            let start = place_group(&pods, &snapshot, 0, seed).unwrap();
            let excused = wrong(&nodes, &pods, &start.nodes, &network);
            prop_assert!(!alike || excused.is_empty(), "{:?}", excused);
            let wrong = wrong(&nodes, &pods, &found.nodes, &network);
            prop_assert!(wrong.keys().all(|uid| excused.contains_key(uid)), "{:?} but {:?}", wrong, excused);
            prop_assert!(found.greedy.is_none_or(|greedy| found.cost <= greedy));
            prop_assert_eq!(found.cost, naive(&held(&nodes, &pods, &found.nodes), &network, &pods));
        }
    }

    #[test]
    fn moves_pay_what_they_promise_and_leave_everybody_right(
        kinds in prop::collection::vec(0..84_u8, 1..9),
        at in prop::collection::vec(0..8_usize, 9),
        rooms in prop::collection::vec((0..900_i64, 0..12_u8), 8),
        threshold in 1..40_i64,
    ) {
        let (network, nodes, pods) = (triangle(Some(15), 2), small(&rooms), crowd(&kinds, false));
        let mut at = at[..pods.len()].to_vec();
        let running = held(&nodes, &pods, &at);
        let before = wrong(&nodes, &pods, &at, &network);
        let moves = drift(&pods, &Snapshot::of(&running).over(&network), threshold, 50);
        for step in moves {
            let cost = naive(&held(&nodes, &pods, &at), &network, &pods);
            prop_assert_eq!(at[step.pod], step.from);
            at[step.pod] = step.to;
            prop_assert_eq!(cost - naive(&held(&nodes, &pods, &at), &network, &pods), step.saving);
            prop_assert!(step.saving >= threshold);
            let after = wrong(&nodes, &pods, &at, &network);
            prop_assert!(after.keys().all(|uid| before.contains_key(uid)), "{:?} but {:?}", after, before);
        }
    }

    #[test]
    fn every_order_has_everybody_once_and_callers_first(edges in prop::collection::vec((0..7_usize, 0..7_usize), 0..20)) {
        let mut children = vec![Vec::new(); 7];
        edges.iter().for_each(|(from, to)| children[*from].push(*to));
        for (_, algorithm) in Algorithm::ALL {
            let mut order = algorithm.order(&children);
            order.sort_unstable();
            prop_assert_eq!(order, (0..7).collect::<Vec<_>>());
        }
        let edges: Vec<Edge> = edges.into_iter().map(|(from, to)| Edge::new(from, to)).collect();
        let graph = Graph::of(&["a", "b", "c", "d", "e", "f", "g"], &edges, Algorithm::Kahn);
        for algorithm in [Algorithm::Kahn, Algorithm::Tarjan] {
            prop_assert_eq!(goes_before(&algorithm.order(&children), &graph), circle(&children).is_none());
        }
    }

    #[test]
    fn a_cost_is_the_same_from_both_ends_and_never_free(
        declared in prop::collection::vec((0..3_u8, 0..3_usize, 0..3_usize, -5..2_000_000_i64), 0..12),
        places in prop::collection::vec((0..4_usize, 0..4_usize, 0..4_usize), 2),
    ) {
        let mut costs = Costs::new();
        let names = ["a", "b", "c"];
        for (level, from, to, cost) in declared {
            costs.declare([Level::Rack, Level::Zone, Level::Region][usize::from(level)], names[from], names[to], cost);
        }
        let name = |index: usize| names.get(index).copied();
        let place = |(region, zone, rack)| Place { region: name(region), zone: name(zone), rack: name(rack) };
        let distance = costs.between(place(places[0]), place(places[1]));
        prop_assert_eq!(distance, costs.between(place(places[1]), place(places[0])));
        prop_assert!(distance.cost >= 1);
        prop_assert!(distance.says != Says::Nobody || costs.entries().all(|(.., cost)| distance.cost > cost && distance.cost >= UNKNOWN));
    }
}
