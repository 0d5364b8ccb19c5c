//! What the pods of AppGroups cost each other: today, placed one after the other, and placed as a unit.
//!
//! Both ways are tried when the group's turn comes, among the same other pods. Pods with volumes are placed alone before the
//! unit is.

use std::collections::BTreeMap;

use keelson_cluster::State;
use keelson_placement::network::joint::cost;
use keelson_placement::network::{Member, place_group, steps_for};
use keelson_placement::{Classes, Pod, Snapshot};

use super::Subject;
use super::report::Group;
use super::trial::Trial;

/// What a group would cost, each way; none when that leaves one of its pods without a node.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Ways {
    per_pod: Option<i64>,
    as_unit: Option<i64>,
}

/// By group: its pods.
pub(super) type Members<'a> = BTreeMap<String, Vec<&'a Subject>>;

/// The pods of each group.
pub(super) fn members<'a>(pods: &[&'a Subject], state: &State) -> Members<'a> {
    let mut members = Members::new();
    for pod in pods {
        if let Some(name) = of(pod, state) {
            members.entry(name).or_default().push(pod);
        }
    }
    members
}

/// The group of a pod, when that knows its workload.
pub(super) fn of(pod: &Subject, state: &State) -> Option<String> {
    let network = state.live().network();
    member(pod, state)?;
    network.name_of(&pod.ask.pod.namespace, &pod.ask.pod.labels).map(|name| name.to_string())
}

fn member<'a>(pod: &Subject, state: &'a State) -> Option<Member<'a>> {
    state.live().network().member(&pod.ask.pod.namespace, &pod.ask.pod.labels)
}

/// Places the movable pods of a group as a unit. When there is no place for all, they are left to be placed alone.
pub(super) fn place(trial: &mut Trial, all: &[&Subject], movable: &[&Subject], seed: u64) -> Ways {
    let (unit, alone): (Vec<&Subject>, Vec<&Subject>) = movable.iter().partition(|pod| Classes::serve(&pod.ask.pod));
    for pod in &alone {
        trial.wait(pod);
        trial.place(&pod.sparing());
    }
    let placed = alone.iter().all(|pod| trial.state.node_of(&pod.ask.pod.uid).is_some());
    let (together, one_by_one) = {
        let snapshot = whole(&trial.state);
        let asked: Vec<Pod> = unit.iter().map(|pod| pod.ask.pod.clone()).collect();
        let Ok(joint) = place_group(&asked, &snapshot, steps_for(asked.len()), seed) else { return Ways::default() };
        let names = |slots: &Vec<usize>| -> Option<Vec<String>> {
            slots.iter().map(|slot| snapshot.node(*slot).map(|node| node.name.clone())).collect()
        };
        (names(&joint.nodes), joint.one_by_one.as_ref().and_then(names))
    };
    let at = |state: &mut State, nodes: &[String]| {
        unit.iter().zip(nodes).for_each(|(pod, node)| state.apply(pod.at(Some(node))));
        cost_in(all, state)
    };
    let per_pod = one_by_one.filter(|_| placed).map(|nodes| at(&mut trial.state.clone(), &nodes));
    let as_unit = together.map(|nodes| at(&mut trial.state, &nodes)).filter(|_| placed);
    Ways { per_pod, as_unit }
}

/// What pods cost where a state has them. Those without a node cost nothing.
fn cost_in(pods: &[&Subject], state: &State) -> i64 {
    let pods: Vec<Pod> = pods.iter().map(|pod| pod.ask.pod.clone()).collect();
    cost(&pods, &whole(state), &[])
}

fn whole(state: &State) -> Snapshot<'_> {
    state.live().snapshot_for(&Pod::new("", ""))
}

/// Both ways beside today's.
pub(super) fn compared(bound: &Members<'_>, today: &State, ways: &BTreeMap<String, Ways>) -> Vec<Group> {
    let row = |(name, pods): (&String, &Vec<&Subject>)| {
        let ways = ways.get(name).copied();
        // Where nothing could be placed again, nothing would be otherwise.
        let now = cost_in(pods, today);
        let Ways { per_pod, as_unit } = ways.unwrap_or(Ways { per_pod: Some(now), as_unit: Some(now) });
        Group { group: name.clone(), pods: pods.len(), pairs: pairs(pods, today), today: now, per_pod, as_unit }
    };
    bound.iter().map(row).collect()
}

/// How many pairs of its pods depend on each other.
fn pairs(pods: &[&Subject], state: &State) -> usize {
    let members: Vec<Member<'_>> = pods.iter().filter_map(|pod| member(pod, state)).collect();
    let mut counts: BTreeMap<usize, usize> = BTreeMap::new();
    members.iter().for_each(|member| *counts.entry(member.workload).or_default() += 1);
    let of = |workload: &usize| counts.get(workload).copied().unwrap_or(0);
    let edges = members.first().map(|member| member.group.edges()).unwrap_or_default();
    edges.iter().map(|edge| of(&edge.from) * of(&edge.to)).sum()
}
