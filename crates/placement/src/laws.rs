//! Laws that hold for every pod and every set of nodes, tried on generated ones.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use std::collections::BTreeSet;

use keelson_core::ResourceName;
use proptest::prelude::*;

use crate::change::{lowered, smallest_change};
use crate::choose::choose;
use crate::cycle::Cycle;
use crate::explain::explain;
use crate::filter::{Failure, failures};
use crate::layout::Layout;
use crate::node::Node;
use crate::pod::Pod;
use crate::ports::HostPort;
use crate::requests::PodRequests;
use crate::snapshot::Snapshot;
use crate::taints::{Taint, TaintEffect, Toleration};

fn pods() -> impl Strategy<Value = Pod> {
    (0..3_000_i64, 0..3_000_i64, 0..2_i64, any::<bool>(), any::<bool>(), 0..4_u16).prop_map(
        |(cpu, memory, gpus, tolerates, selects, port)| {
            let gpu = ResourceName::from("nvidia.com/gpu");
            let asked = [(ResourceName::Cpu, cpu), (ResourceName::Memory, memory), (gpu, gpus)];
            let mut pod = Pod::new("law", "pod").requesting(&PodRequests::default().container(asked));
            if tolerates {
                pod = pod.tolerating(Toleration::exists(""));
            }
            if selects {
                pod = pod.selecting("zone", "a");
            }
            pod.port(HostPort::tcp(port))
        },
    )
}

/// cpu, memory, gpus, pods allowed, what is special about it, and a pod that is on it.
type Drawn = (i64, i64, i64, i64, u8, Option<Pod>);

fn clusters() -> impl Strategy<Value = Vec<Node>> {
    let node = (0..4_000_i64, 0..4_000_i64, 0..2_i64, 0..3_i64, 0..4_u8, prop::option::of(pods()));
    prop::collection::vec(node, 0..8).prop_map(|nodes| {
        let node = |(index, (cpu, memory, gpus, pods, kind, held)): (usize, Drawn)| {
            let offered = [
                (ResourceName::Cpu, cpu),
                (ResourceName::Memory, memory),
                (ResourceName::from("nvidia.com/gpu"), gpus),
                (ResourceName::Pods, pods),
            ];
            let mut node = Node::new(&format!("n{index}"), offered).label("zone", if kind < 3 { "a" } else { "b" });
            match kind {
                0 => node = node.taint(Taint::new("k", "", TaintEffect::NoSchedule)),
                1 => node = node.taint(Taint::new("k", "", TaintEffect::PreferNoSchedule)),
                2 => node = node.cordoned(),
                _ => {}
            }
            if let Some(pod) = held {
                node.add(&pod.uid("held"));
            }
            node
        };
        nodes.into_iter().enumerate().map(node).collect()
    })
}

fn feasible<'a>(pod: &Pod, nodes: &'a [Node]) -> BTreeSet<&'a str> {
    let snapshot = Snapshot::of(nodes);
    let cycle = Cycle::new(pod, &snapshot);
    nodes.iter().filter(|node| failures(&cycle, node).is_empty()).map(|node| node.name.as_str()).collect()
}

proptest! {
    #[test]
    fn a_chosen_node_never_goes_over_its_capacity(pod in pods(), nodes in clusters(), seed: u64) {
        if let Some(index) = choose(&pod, &Snapshot::of(&nodes), seed).node {
            let after = nodes[index].clone().holding(&pod);
            for (name, asked) in pod.requests.iter().filter(|(_, asked)| *asked > 0) {
                prop_assert!(after.free(name) >= 0, "{name} {asked}");
            }
            prop_assert!(after.pod_count() as i64 <= after.allocatable.get(&ResourceName::Pods));
        }
    }

    #[test]
    fn asking_whether_it_fits_agrees_with_the_list_of_failures(pod in pods(), nodes in clusters()) {
        let snapshot = Snapshot::of(&nodes);
        let cycle = Cycle::new(&pod, &snapshot);
        for node in &nodes {
            prop_assert_eq!(crate::filter::fits(&cycle, node), failures(&cycle, node).is_empty(), "{:?}", node);
        }
    }

    #[test]
    fn with_headroom_a_node_holds_what_a_node_smaller_by_that_share_would(
        pod in pods(), nodes in clusters(), percent in 0..=50_u8,
    ) {
        let pod = pod.in_layout(Layout::Headroom(percent));
        let alone = pod.clone().in_layout(Layout::All);
        for node in nodes {
            let mut smaller = node.clone();
            for (name, offered) in node.allocatable.iter() {
                smaller.allocatable.set(name.clone(), offered - offered * i64::from(percent) / 100);
            }
            let (nodes, smaller) = ([node], [smaller]);
            prop_assert_eq!(feasible(&pod, &nodes), feasible(&alone, &smaller));
            let (snapshot, less) = (Snapshot::of(&nodes), Snapshot::of(&smaller));
            let (found, expected) = (failures(&Cycle::new(&pod, &snapshot), &nodes[0]), failures(&Cycle::new(&alone, &less), &smaller[0]));
            let without = |failure: Failure| match failure {
                Failure::Insufficient { shortfall, allocatable, .. } => Failure::Insufficient { shortfall, allocatable, left: 0 },
                Failure::TooManyPods { running, allowed, .. } => Failure::TooManyPods { running, allowed, left: 0 },
                other => other,
            };
            prop_assert_eq!(found.into_iter().map(without).collect::<Vec<_>>(), expected);
        }
    }

    #[test]
    fn one_more_node_never_makes_a_pod_unschedulable(pod in pods(), nodes in clusters(), seed: u64) {
        let before = choose(&pod, &Snapshot::of(&nodes), seed);
        let mut more = nodes;
        more.push(Node::new("free", [(ResourceName::Cpu, 4_000), (ResourceName::Memory, 4_000)]));
        let after = choose(&pod, &Snapshot::of(&more), seed);
        prop_assert!(before.node.is_none() || after.node.is_some());
        prop_assert!(after.feasible >= before.feasible);
    }

    #[test]
    fn a_row_has_failures_exactly_when_it_cannot_be_chosen(pod in pods(), nodes in clusters(), seed: u64) {
        let explanation = explain(&pod, &Snapshot::of(&nodes), seed);
        for row in &explanation.candidates {
            prop_assert_eq!(row.failed.is_empty(), row.total.is_some());
            prop_assert_eq!(row.failed.is_empty(), feasible(&pod, &nodes).contains(row.name.as_str()));
        }
        let choice = choose(&pod, &Snapshot::of(&nodes), seed);
        prop_assert_eq!(explanation.histogram.is_some(), choice.node.is_none());
        let best = explanation.candidates.first().filter(|row| row.total.is_some()).map(|row| row.name.as_str());
        prop_assert_eq!(best, choice.node.map(|index| nodes[index].name.as_str()));
    }

    #[test]
    fn the_order_of_nodes_changes_neither_the_feasible_nor_the_chosen(pod in pods(), nodes in clusters(), seed: u64) {
        let mut reversed = nodes.clone();
        reversed.reverse();
        prop_assert_eq!(feasible(&pod, &nodes), feasible(&pod, &reversed));
        let name = |nodes: &[Node]| choose(&pod, &Snapshot::of(nodes), seed).node.map(|index| nodes[index].name.clone());
        prop_assert_eq!(name(&nodes), name(&reversed));
        prop_assert_eq!(explain(&pod, &Snapshot::of(&nodes), seed), explain(&pod, &Snapshot::of(&reversed), seed));
    }

    #[test]
    fn a_smallest_change_is_enough_and_one_unit_less_is_not(pod in pods(), nodes in clusters(), seed: u64) {
        if let Some(change) = smallest_change(&pod, &Snapshot::of(&nodes)) {
            prop_assert!(choose(&pod, &Snapshot::of(&nodes), seed).node.is_none());
            prop_assert!(choose(&lowered(&pod, &change), &Snapshot::of(&nodes), seed).node.is_some());
            let mut nearly = change;
            nearly.to += 1;
            prop_assert!(choose(&lowered(&pod, &nearly), &Snapshot::of(&nodes), seed).node.is_none());
        }
    }

    #[test]
    fn scores_stay_between_nothing_and_a_hundred(pod in pods(), nodes in clusters()) {
        let all: Vec<&Node> = nodes.iter().collect();
        let snapshot = Snapshot::of(&nodes);
        for scores in crate::score::score(&Cycle::new(&pod, &snapshot), &all) {
            for part in scores.parts() {
                prop_assert!((0..=100).contains(&part.value), "{part:?}");
            }
        }
    }

    #[test]
    fn taking_a_pod_off_a_node_leaves_it_as_it_was(pod in pods(), nodes in clusters()) {
        for node in nodes {
            let mut visited = node.clone();
            visited.add(&pod);
            visited.add(&pod);
            prop_assert!(visited.remove(&pod.uid));
            prop_assert!(!visited.remove(&pod.uid));
            prop_assert_eq!(visited, node);
        }
    }
}
