//! What is proposed costs less, fits, and moves no more than it must.

#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

use keelson_cluster::{Event, State, read};
use keelson_placement::network::joint::cost;
use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;
use crate::decide::tests::{node, pod};
use crate::groups::groups;
use crate::recording::tests::groups as declared;

/// Nodes of two zones, and pods of the group: the workload, its node, and whether it is Keelson's.
fn scene(cpu: &[i64], pods: &[(&str, usize, bool)]) -> (State, Vec<(Pod, bool)>) {
    let mut state = State::default();
    for (index, cpu) in cpu.iter().enumerate() {
        let mut node = node(&format!("n{index}"), *cpu);
        node["metadata"]["labels"]["topology.kubernetes.io/zone"] = json!(if index % 2 == 0 { "a" } else { "b" });
        state.apply(Event::node(&serde_json::from_value(node).unwrap()));
    }
    let mut running = Vec::new();
    for (index, (workload, on, ours)) in pods.iter().enumerate() {
        let mut pod: Value = pod(&format!("p{index}"), "100m");
        pod["metadata"]["labels"] = json!({
            "appgroup.diktyo.x-k8s.io": "g", "appgroup.diktyo.x-k8s.io.workload": workload,
        });
        pod["spec"]["nodeName"] = json!(format!("n{on}"));
        let written = serde_json::from_value(pod).unwrap();
        state.apply(Event::PodApplied(Box::new(read::pod(&written))));
        let mut pod = read::pod(&written).pod;
        pod.node_name = None;
        running.push((pod, *ours));
    }
    declared(10_000).into_iter().for_each(|event| state.apply(event));
    (state, running)
}

fn proposed(state: &State, running: &[(Pod, bool)]) -> Vec<Better> {
    let all: Vec<Pod> = running.iter().map(|(pod, _)| pod.clone()).collect();
    let total = cost(&all, &state.live().snapshot_for(&Pod::new("", "")), &[]);
    better(state.live(), ("shop", "g"), running, total)
}

fn nodes(group: &Group) -> BTreeMap<String, String> {
    let pods = group.workloads.iter().flat_map(|workload| &workload.pods);
    pods.map(|placed| (placed.pod.clone(), placed.node.clone())).collect()
}

#[test]
fn both_ways_are_told_with_the_pods_that_move_and_where() {
    // Moved alone, neither pod of web gains anything while its two peers are apart; db's gains.
    let (state, running) = scene(&[400, 400], &[("web", 0, true), ("db", 1, true), ("db", 0, true)]);
    let told = proposed(&state, &running);
    let kinds: Vec<&str> = told.iter().map(|better| better.kind).collect();
    assert_eq!(kinds, ["moves", "anew"]);
    for better in told {
        assert_eq!(better.group.cost, 0);
        let step = |from: &str, to: &str| Step { pod: "shop/p1".into(), from: from.into(), to: to.into() };
        assert_eq!(better.moves, [step("n1", "n0")], "{}: the one pod that is apart", better.kind);
    }
}

#[test]
fn pods_of_others_stay_and_where_nothing_can_be_saved_nothing_is_told() {
    let (state, running) = scene(&[400, 400], &[("web", 0, false), ("db", 1, false)]);
    assert_eq!(proposed(&state, &running), []);
    let (state, running) = scene(&[400, 400], &[("web", 0, true), ("db", 0, true)]);
    assert_eq!(proposed(&state, &running), []);
    // No room beside it.
    let (state, running) = scene(&[100, 100], &[("web", 0, true), ("db", 1, true)]);
    assert_eq!(proposed(&state, &running), []);
}

#[test]
fn of_a_group_that_is_too_large_nothing_is_worked_out() {
    let pods: Vec<(&str, usize, bool)> = (0..=MOST).map(|index| ("web", index % 2, true)).collect();
    let (state, running) = scene(&[100_000, 100_000], &pods);
    assert_eq!(better(state.live(), ("shop", "g"), &running, 1_000), []);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]
    #[test]
    fn a_way_costs_less_fits_and_leaves_others_where_they_are(
        cpu in prop::collection::vec(1..6_i64, 2..6),
        pods in prop::collection::vec((any::<bool>(), 0..6_usize, any::<bool>()), 0..10),
    ) {
        let mut room = cpu.clone();
        let mut placed = Vec::new();
        for (web, on, ours) in pods {
            let on = on % cpu.len();
            if room[on] > 0 {
                room[on] -= 1;
                placed.push((if web { "web" } else { "db" }, on, ours));
            }
        }
        let millis: Vec<i64> = cpu.iter().map(|cpu| cpu * 100).collect();
        let (state, running) = scene(&millis, &placed);
        let now = groups(state.live()).remove(0);
        let before = nodes(&now);
        for better in proposed(&state, &running) {
            prop_assert!(better.group.cost < now.cost);
            let after = nodes(&better.group);
            let changed: Vec<&String> = before.keys().filter(|pod| before[*pod] != after[*pod]).collect();
            prop_assert_eq!(changed.len(), better.moves.len(), "each move is of one pod");
            for step in &better.moves {
                prop_assert_eq!((&before[&step.pod], &after[&step.pod]), (&step.from, &step.to));
                let ours = running.iter().any(|(pod, ours)| *ours && step.pod.ends_with(&format!("/{}", pod.name)));
                prop_assert!(ours);
            }
            for (index, cpu) in cpu.iter().enumerate() {
                let name = format!("n{index}");
                let held = after.values().filter(|node| **node == name).count();
                prop_assert!(i64::try_from(held).unwrap() <= *cpu, "{} holds {}", name, held);
            }
        }
    }

    #[test]
    fn alike_pods_that_can_stay_do(now in prop::collection::vec(0..4_usize, 1..9), seed: u64) {
        let pods: Vec<Pod> = (0..now.len()).map(|index| Pod::new("shop", &format!("p{index}"))).collect();
        // The same nodes in another order: nothing has to move.
        let mut then = now.clone();
        let turn = usize::try_from(seed % 9).unwrap() % then.len();
        then.rotate_left(turn);
        keep(&pods, &now, &mut then);
        prop_assert_eq!(now, then);
    }
}
