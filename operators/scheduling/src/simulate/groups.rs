//! What the pods of AppGroups cost each other: today, placed one after the other, and placed as a unit.
//!
//! The unit is tried where the replay ended: its movable pods are taken off and placed jointly, all others being where the
//! replay has put them.

use std::collections::BTreeMap;

use keelson_cluster::{Event, State};
use keelson_placement::network::joint::cost;
use keelson_placement::network::{place_group, steps_for};
use keelson_placement::{Pod, Snapshot};

use super::report::Group;
use super::{Progress, Subject};

/// By group: its bound pods, and what they cost.
pub(super) type Costs<'a> = BTreeMap<String, (Vec<&'a Subject>, i64)>;

/// What each group costs in a state.
pub(super) fn costs<'a>(bound: &[&'a Subject], state: &State) -> Costs<'a> {
    let network = state.live().network();
    let mut members: BTreeMap<String, Vec<&Subject>> = BTreeMap::new();
    for pod in bound.iter().filter(|pod| network.member(&pod.ask.pod.namespace, &pod.ask.pod.labels).is_some()) {
        if let Some(name) = network.name_of(&pod.ask.pod.namespace, &pod.ask.pod.labels) {
            members.entry(name.to_string()).or_default().push(pod);
        }
    }
    let cost = |pods: &Vec<&Subject>| cost_in(pods, state);
    members.into_iter().map(|(name, pods)| (name, (pods.clone(), cost(&pods)))).collect()
}

/// What pods cost where a state has them. Those without a node cost nothing.
fn cost_in(pods: &[&Subject], state: &State) -> i64 {
    let snapshot = whole(state);
    let pods: Vec<Pod> = pods.iter().map(|pod| pod.ask.pod.clone()).collect();
    cost(&pods, &snapshot, &[])
}

fn whole(state: &State) -> Snapshot<'_> {
    state.live().snapshot_for(&Pod::new("", ""))
}

/// Both ways beside today's.
pub(super) fn compared(
    before: Costs<'_>,
    bound: &[&Subject],
    moves: &[&Subject],
    after: &State,
    seed: u64,
    progress: Progress<'_>,
) -> Vec<Group> {
    let mut replayed = costs(bound, after);
    let all = before.len();
    let mut groups = Vec::new();
    for (done, (name, (pods, today))) in before.into_iter().enumerate() {
        progress("groups as a unit", done, all);
        let per_pod = replayed.remove(&name).map_or(0, |(_, cost)| cost);
        let movable: Vec<&Subject> = moves.iter().copied().filter(|pod| pods.contains(pod)).collect();
        let unit = as_unit(&pods, &movable, after, seed);
        let unplaced = movable.iter().filter(|pod| after.node_of(&pod.ask.pod.uid).is_none()).count();
        let edges = edges(&pods, after);
        let (pods, movable) = (pods.len(), movable.len());
        groups.push(Group { group: name, pods, movable, edges, today, per_pod, as_unit: unit, unplaced });
    }
    groups
}

/// What a group costs when it is placed as a unit; `None` when it cannot be.
fn as_unit(pods: &[&Subject], movable: &[&Subject], after: &State, seed: u64) -> Option<i64> {
    let mut state = after.clone();
    movable.iter().for_each(|pod| state.apply(Event::PodDeleted { uid: pod.ask.pod.uid.clone() }));
    let placed = {
        let snapshot = whole(&state);
        let asked: Vec<Pod> = movable.iter().map(|pod| pod.ask.pod.clone()).collect();
        let joint = place_group(&asked, &snapshot, steps_for(asked.len()), seed).ok()?;
        let name = |slot: &usize| snapshot.node(*slot).map(|node| node.name.clone());
        joint.nodes.iter().map(name).collect::<Option<Vec<String>>>()?
    };
    movable.iter().zip(&placed).for_each(|(pod, node)| state.apply(pod.at(Some(node))));
    Some(cost_in(pods, &state))
}

/// How many pairs of its pods depend on each other.
fn edges(pods: &[&Subject], state: &State) -> usize {
    let network = state.live().network();
    let mut counts: BTreeMap<usize, usize> = BTreeMap::new();
    let mut graph = None;
    for pod in pods {
        if let Some(member) = network.member(&pod.ask.pod.namespace, &pod.ask.pod.labels) {
            *counts.entry(member.workload).or_default() += 1;
            graph = Some(member.group);
        }
    }
    let of = |workload: &usize| counts.get(workload).copied().unwrap_or(0);
    graph.map_or(0, |graph| graph.edges().iter().map(|edge| of(&edge.from) * of(&edge.to)).sum())
}
