//! Who fits where bandwidth is short, and the ledger behind it.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use keelson_core::ResourceName::{Cpu, Egress, Ingress, Memory};
use proptest::prelude::*;

use super::*;
use crate::change::smallest_change;
use crate::choose::choose;
use crate::cycle::Cycle;
use crate::filter::failures as all_failures;
use crate::network::{Algorithm, Edge, GROUP_LABEL, Graph, Level, Link, WORKLOAD_LABEL};
use crate::requests::PodRequests;
use crate::snapshot::Snapshot;

const GBIT: i64 = 1_000_000_000;
const MBIT: i64 = 1_000_000;

fn pod(name: &str, egress: i64) -> Pod {
    let asked = [(Cpu, 100), (Memory, 1 << 20), (Egress, egress)];
    Pod::new("shop", name).requesting(&PodRequests::default().container(asked))
}

fn node(name: &str, egress: i64) -> Node {
    let size = [(Cpu, 4_000), (Memory, 32 << 30)];
    Node::new(name, size).nic(Nic::new(Rates { egress, ingress: 0 }))
}

fn measured(gbit: i64) -> Load {
    Load { rates: Rates::both(gbit * GBIT), since: Timestamp(100), saturated: [false; 2], varies: Rates::default() }
}

fn texts(pod: &Pod, node: &Node) -> Vec<String> {
    let nodes = [node];
    let snapshot = Snapshot::of(&nodes);
    all_failures(&Cycle::new(pod, &snapshot), node).iter().map(ToString::to_string).collect()
}

#[test]
fn what_is_reserved_counts_while_nothing_is_measured() {
    let full = node("n", 10 * GBIT).holding(&pod("a", 8 * GBIT)).holding(&pod("b", 500 * MBIT));
    assert_eq!(texts(&pod("c", 500 * MBIT), &full), Vec::<String>::new());
    assert_eq!(
        texts(&pod("c", 2 * GBIT), &full),
        ["needs 2 Gbit/s egress, 500 Mbit/s free: short 1.5 Gbit/s (8.5 Gbit/s of 9 Gbit/s usable reserved)"]
    );
}

#[test]
fn what_is_measured_counts_when_it_is_more_than_what_is_reserved() {
    let busy = node("n", 10 * GBIT)
        .holding(&pod("a", GBIT))
        .nic(Nic { load: Some(measured(8)), ..Nic::new(Rates { egress: 10 * GBIT, ingress: 0 }) });
    assert_eq!(
        texts(&pod("c", GBIT), &busy),
        ["needs 1 Gbit/s egress, 0 bit/s free: short 1 Gbit/s (9 Gbit/s of 9 Gbit/s usable measured)"],
        "a has not started: it is in what was reserved and not in what was measured"
    );
    let started = Pod { started: Some(Timestamp(50)), ..pod("a", GBIT) };
    let busy = node("n", 10 * GBIT).nic(Nic::new(Rates::both(10 * GBIT)).carrying(measured(8))).holding(&started);
    assert!(texts(&pod("c", GBIT), &busy).is_empty(), "a ran before the window began, so it is in what was measured");
}

#[test]
fn a_saturated_interface_takes_nobody_who_asks_and_everybody_who_does_not() {
    let load = Load { saturated: [true, false], ..measured(8) };
    let hot = node("n", 10 * GBIT).nic(Nic::new(Rates::both(10 * GBIT)).carrying(load));
    assert_eq!(
        texts(&pod("c", MBIT), &hot),
        [
            "needs 1 Mbit/s egress, which is saturated (8 Gbit/s of 9 Gbit/s usable measured) until at most 7.5 Gbit/s of \
          10 Gbit/s is measured"
        ]
    );
    assert!(texts(&pod("c", 0), &hot).is_empty());
    let receives = Pod::new("shop", "r").requesting(&PodRequests::default().container([(Ingress, MBIT)]));
    assert!(texts(&receives, &hot).is_empty(), "the other direction is free");
}

#[test]
fn a_node_that_nobody_knows_holds_everybody_and_is_preferred_by_nobody() {
    let unknown = Node::new("unknown", [(Cpu, 4_000), (Memory, 32 << 30)]);
    let known = node("known", 10 * GBIT).holding(&pod("a", 2 * GBIT));
    assert!(texts(&pod("c", 100 * GBIT), &unknown).is_empty());
    let nodes = [unknown, known];
    for seed in 0..20 {
        assert_eq!(choose(&pod("c", GBIT), &Snapshot::of(&nodes), seed).node, Some(1));
    }
}

#[test]
fn who_sends_and_who_computes_come_to_share_a_node() {
    let size = |cpu, egress| {
        let asked = [(Cpu, cpu), (Memory, cpu << 20), (Egress, egress)];
        Pod::new("shop", "p").requesting(&PodRequests::default().container(asked))
    };
    let nodes = [
        node("computes", 10 * GBIT).holding(&size(3_000, GBIT)),
        node("sends", 10 * GBIT).holding(&size(300, 7 * GBIT)),
    ];
    for seed in 0..20 {
        let choice = |pod: &Pod| choose(pod, &Snapshot::of(&nodes), seed).node;
        assert_eq!(choice(&size(100, GBIT)), Some(0), "what sends goes where cpu is short and the interface is free");
        assert_eq!(choice(&size(900, 10 * MBIT)), Some(1), "what computes goes where the interface is short");
    }
}

#[test]
fn of_two_loads_the_steadier_is_preferred() {
    let load = |varies| Load { varies: Rates::both(varies), ..measured(4) };
    let size = [(Cpu, 4_000), (Memory, 32 << 30)];
    let node =
        |name: &str, varies| Node::new(name, size.clone()).nic(Nic::new(Rates::both(10 * GBIT)).carrying(load(varies)));
    let nodes = [node("restless", 3 * GBIT), node("steady", GBIT / 10)];
    for seed in 0..20 {
        assert_eq!(choose(&pod("c", GBIT), &Snapshot::of(&nodes), seed).node, Some(1));
    }
}

#[test]
fn edges_between_pods_on_one_node_use_no_interface() {
    let flows = Edge { min_bandwidth: Some(3 * GBIT), ..Edge::new(0, 1) };
    let network = Network::new().group("shop", "g", Graph::of(&["web", "cart"], &[flows], Algorithm::Kahn));
    let member = |name: &str, egress| pod(name, egress).label(GROUP_LABEL, "g").label(WORKLOAD_LABEL, name);
    let nodes = [
        node("with", 5 * GBIT).holding(&member("cart", 0)).holding(&pod("other", 3 * GBIT)),
        node("without", 5 * GBIT).holding(&pod("other", 3 * GBIT)),
    ];
    let snapshot = Snapshot::of(&nodes).over(&network);
    let web = member("web", 4 * GBIT);
    let cycle = Cycle::new(&web, &snapshot);
    assert!(all_failures(&cycle, &nodes[0]).is_empty(), "3 of its 4 Gbit/s stay there");
    assert_eq!(all_failures(&cycle, &nodes[1]).len(), 1);
    let placed = nodes[0].clone().holding(&web);
    let ledger = Ledger::of(&placed, Direction::Egress, &network).unwrap();
    assert_eq!(ledger.reserved, 4 * GBIT, "3 of the other, 1 of this one");
    assert_eq!(Ledger::plain(&placed, Direction::Egress).unwrap().reserved, 7 * GBIT);
}

#[test]
fn a_link_between_zones_carries_so_much_and_says_what_is_missing() {
    let flows = Edge { min_bandwidth: Some(300 * MBIT), ..Edge::new(0, 1) };
    let link = |origin: &str, destination: &str, capacity| Link {
        level: Level::Zone,
        origin: origin.into(),
        destination: destination.into(),
        capacity,
    };
    let network = Network::new()
        .group("shop", "g", Graph::of(&["web", "cart"], &[flows], Algorithm::Kahn))
        .linking(vec![link("a", "b", GBIT), link("b", "a", MBIT)], 900);
    let member = |name: &str| Pod::new("shop", name).label(GROUP_LABEL, "g").label(WORKLOAD_LABEL, name);
    let zone = |name: &str, zone: &str| Node::new(name, []).label("topology.kubernetes.io/zone", zone);
    // Two callers in a and one called in b: 600 Mbit/s flow from a to b.
    let nodes = [
        zone("a", "a").holding(&member("web").uid("1")).holding(&member("web").uid("2")),
        zone("b", "b").holding(&member("cart").uid("3")),
    ];
    let snapshot = Snapshot::of(&nodes).over(&network);
    let pod = member("cart");
    let cycle = Cycle::new(&pod, &snapshot);
    let said: Vec<String> = all_failures(&cycle, &nodes[1]).iter().map(ToString::to_string).collect();
    assert_eq!(
        said,
        ["needs 600 Mbit/s from zone a to zone b, 300 Mbit/s free: short 300 Mbit/s (600 Mbit/s of 900 Mbit/s usable \
          reserved)"]
    );
    assert!(all_failures(&cycle, &nodes[0]).is_empty(), "beside its callers nothing flows between zones");
    let web = member("web");
    let cycle = Cycle::new(&web, &snapshot);
    assert!(all_failures(&cycle, &nodes[0]).is_empty(), "one more caller fills it to the brim");
    assert!(all_failures(&cycle, &nodes[1]).is_empty(), "the way back carries less, and nothing flows there");
    let stranger = Pod::new("shop", "other");
    assert!(all_failures(&Cycle::new(&stranger, &snapshot), &nodes[1]).is_empty());
}

#[test]
fn nobody_is_spared_more_than_it_asked_for() {
    let flows = Edge { min_bandwidth: Some(i64::MAX), ..Edge::new(0, 1) };
    let network = Network::new().group("shop", "g", Graph::of(&["web", "cart"], &[flows], Algorithm::Kahn));
    let member = |name: &str, egress| pod(name, egress).label(GROUP_LABEL, "g").label(WORKLOAD_LABEL, name);
    let node =
        node("n", GBIT).holding(&member("web", MBIT)).holding(&member("cart", MBIT)).holding(&pod("o", 5 * MBIT));
    let ledger = Ledger::of(&node, Direction::Egress, &network).unwrap();
    assert_eq!(ledger.reserved, 6 * MBIT, "cart calls nobody, so nothing of what it sends stays");
}

#[test]
fn the_smallest_change_may_be_less_bandwidth() {
    let nodes = [node("n", GBIT).holding(&pod("a", 400 * MBIT))];
    let change = smallest_change(&pod("c", 600 * MBIT), &Snapshot::of(&nodes)).unwrap();
    assert_eq!(change.to_string(), "with 500 Mbit/s egress instead of 600 Mbit/s it would fit on n");
}

/// One pod after another, 25 Gbit/s in each of two nodes, 23.5 Gbit/s for pods: Katalyst's vector for two interfaces
/// (kubewharf/katalyst-core#123), an interface being a node here.
#[test]
fn katalysts_vector_fits_as_published() {
    let interface = |name: &str| {
        let mut nic = Nic::new(Rates { egress: 25 * GBIT, ingress: 0 });
        nic.limit = 940;
        Node::new(name, [(Cpu, 1_000_000), (Memory, 1 << 40)]).nic(nic)
    };
    let mut nodes = [interface("eth0"), interface("eth2")];
    let mut put = |pod: Pod, at: Option<usize>| {
        let snapshot = Snapshot::of(&nodes);
        let cycle = Cycle::new(&pod, &snapshot);
        let holds: Vec<bool> = nodes.iter().map(|node| all_failures(&cycle, node).is_empty()).collect();
        at.into_iter().for_each(|at| nodes[at].add(&pod.clone().uid(&pod.name)));
        holds
    };
    let bare = |name: &str, mbit: i64| {
        Pod::new("p", name).requesting(&PodRequests::default().container([(Egress, mbit * MBIT)]))
    };
    assert_eq!(put(bare("1", 2_000), Some(0)), [true, true]);
    assert_eq!(put(bare("2", 2_000), Some(1)), [true, true]);
    assert_eq!(put(bare("3", 2_000), Some(1)), [true, true]);
    assert_eq!(put(bare("4", 20_000), Some(0)), [true, false], "4 of 23.5 Gbit/s are taken of the other");
    assert_eq!(put(bare("5", 10_000), Some(1)), [false, true]);
    assert_eq!(put(bare("6", 10_000), None), [false, false]);
}

fn loads() -> impl Strategy<Value = Option<Load>> {
    prop::option::of((any::<i64>(), any::<i64>(), any::<[bool; 2]>())).prop_map(|drawn| {
        drawn.map(|(load, since, saturated)| Load {
            rates: Rates::both(load),
            since: Timestamp(since),
            saturated,
            varies: Rates::both(load),
        })
    })
}

proptest! {
    #[test]
    fn nothing_overflows_and_fitting_agrees_with_the_list(
        capacity: i64, limit: i64, load in loads(), held in prop::collection::vec(any::<i64>(), 0..4), asked: i64, edge: i64,
    ) {
        let network = Network::new().group("shop", "g", Graph::of(
            &["web", "cart"], &[Edge { min_bandwidth: Some(edge), ..Edge::new(0, 1) }], Algorithm::Kahn));
        let member = |name: &str, egress: i64| {
            let workload = if egress % 2 == 0 { "web" } else { "cart" };
            let pod = Pod::new("shop", name).label(GROUP_LABEL, "g").label(WORKLOAD_LABEL, workload);
            pod.requesting(&PodRequests::default().container([(Egress, egress), (Ingress, egress)]))
        };
        let mut node = Node::new("n", []).nic(Nic { capacity: Rates::both(capacity), limit, load });
        held.iter().enumerate().for_each(|(index, egress)| node.add(&member(&index.to_string(), *egress)));
        let pod = member("p", asked);
        let found: Vec<_> = failures(&pod, &node, &network).collect();
        prop_assert_eq!(carries(&pod, &node, &network), found.is_empty());
        found.iter().for_each(|failure| assert!(!failure.to_string().is_empty()));
        prop_assert!(!eased(&pod, &node, &node));
        let left = share::safety(&crate::room::Asked::by(&pod), &crate::room::Room::of(&node));
        prop_assert!((0..=100).contains(&left));
    }

    /// The ledger is what the pods there ask for, whatever came and went.
    #[test]
    fn the_ledger_cannot_drift(steps in prop::collection::vec((0..6_usize, any::<bool>(), 0..1_000_i64), 0..60)) {
        let mut node = Node::new("n", []).nic(Nic::new(Rates::both(GBIT)).carrying(measured(0)));
        let mut there = std::collections::BTreeMap::new();
        for (index, comes, egress) in steps {
            let name = index.to_string();
            if comes {
                let started = (egress % 3 > 0).then_some(Timestamp(egress));
                let pod = Pod { started, ..pod(&name, egress) };
                node.add(&pod.clone().uid(&name));
                there.insert(name, pod);
            } else {
                node.remove(&name);
                there.remove(&name);
            }
            let reserved: i64 = there.values().map(|pod| pod.requests.get(&Egress)).sum();
            let young = there.values().filter(|pod| pod.started.is_none_or(|started| started > Timestamp(100)));
            let young: i64 = young.map(|pod| pod.requests.get(&Egress)).sum();
            let ledger = Ledger::plain(&node, Direction::Egress).unwrap();
            prop_assert_eq!((ledger.reserved, ledger.measured), (reserved, Some(young)));
        }
    }
}
