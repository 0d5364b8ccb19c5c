//! A running AppGroup as it is, and as Keelson would have it.
//!
//! Two ways lead there: *move by move*, as [`crate::drift`] proposes, each move worth the pod that it takes down; and *anew*,
//! all pods taken off and placed as a unit, which may cost less in the end and takes down more of them. Nothing is moved here.
//!
//! Promises: a way costs less than what is; every pod of it passes every check where it is; pods of other schedulers, and pods
//! that go, stay where they are; of pods that are alike as few as can be change their node.

use std::collections::BTreeMap;

use keelson_cluster::View;
use keelson_placement::network::{drift, place_group, steps_for};
use keelson_placement::{Classes, Pod, Snapshot};
use serde::Serialize;

use crate::drift::worth;
use crate::groups::{Group, moved};

/// Larger groups are not looked at: each pod is tried on every node.
pub const MOST: usize = 500;
/// So many moves are worked out, each with those before it carried out.
const MOVES: usize = 20;

/// What is, and what might be.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Proposal {
    /// As it runs.
    pub now: Group,
    /// What would cost less: at most one of each kind.
    pub better: Vec<Better>,
    /// How many of its pods run.
    pub pods: usize,
    /// How many of them Keelson may place elsewhere.
    pub movable: usize,
    /// Whether a pod of it waits for a node: then nothing is moved.
    pub waits: bool,
    /// Whether the object allows that pods are moved.
    pub allowed: bool,
}

/// How it would be.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Better {
    /// `moves` or `anew`.
    pub kind: &'static str,
    /// Where everything is then, and what it costs.
    pub group: Group,
    /// The pods that are elsewhere then, in the order in which they would move. Each is evicted once.
    pub moves: Vec<Step>,
}

/// One pod that moves.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Step {
    /// `namespace/name`.
    pub pod: String,
    /// Its node.
    pub from: String,
    /// The node where it would be.
    pub to: String,
}

/// What would cost a group less. `running` are its pods that are on nodes, and whether each is Keelson's to place; `cost` is
/// what all their edges cost.
#[must_use]
pub fn better(view: &View, (namespace, name): (&str, &str), running: &[(Pod, bool)], cost: i64) -> Vec<Better> {
    if running.len() > MOST {
        return Vec::new();
    }
    let nobody = Pod::new("", "");
    let snapshot = view.snapshot_for(&nobody);
    let ours: Vec<Pod> = running.iter().filter(|(_, ours)| *ours).map(|(pod, _)| pod.clone()).collect();
    let ways = [("moves", move_by_move(&ours, &snapshot, cost)), ("anew", anew(&ours, &snapshot))];
    let told = ways.into_iter().filter_map(|(kind, moves)| {
        let to = moves.iter().map(|step| (step.pod.clone(), step.to.clone())).collect();
        Some(Better { kind, group: moved(view, namespace, name, &to)?, moves })
    });
    let now = moved(view, namespace, name, &BTreeMap::new()).map_or(0, |now| now.cost);
    told.filter(|better| !better.moves.is_empty() && better.group.cost < now).collect()
}

/// The moves that are worth it. A pod that moves twice is evicted once, and goes to where it ends.
fn move_by_move(pods: &[Pod], snapshot: &Snapshot<'_>, cost: i64) -> Vec<Step> {
    let mut steps: Vec<Step> = Vec::new();
    for found in drift(pods, snapshot, worth(cost), MOVES) {
        let Some(next) = pods.get(found.pod).and_then(|pod| step(pod, snapshot, (found.from, found.to))) else {
            continue;
        };
        match steps.iter_mut().find(|known| known.pod == next.pod) {
            Some(known) => known.to = next.to,
            None => steps.push(next),
        }
    }
    steps.retain(|step| step.from != step.to);
    steps
}

/// All that may move, taken off and placed as a unit.
fn anew(pods: &[Pod], snapshot: &Snapshot<'_>) -> Vec<Step> {
    let unit: Vec<Pod> = pods.iter().filter(|pod| Classes::serve(pod)).cloned().collect();
    let at = |pod: &Pod| snapshot.nodes().position(|node| node.claim(&pod.uid).is_some());
    let Some(now) = unit.iter().map(at).collect::<Option<Vec<usize>>>() else { return Vec::new() };
    let mut empty = snapshot.clone();
    for (pod, slot) in unit.iter().zip(&now) {
        empty.nodes.get_mut(*slot).into_iter().for_each(|node| _ = node.to_mut().remove(&pod.uid));
    }
    let Ok(joint) = place_group(&unit, &empty, steps_for(unit.len()), 0) else { return Vec::new() };
    let mut then = joint.nodes;
    keep(&unit, &now, &mut then);
    let moves = unit.iter().zip(now.iter().zip(&then)).filter(|(_, (from, to))| from != to);
    moves.filter_map(|(pod, (from, to))| step(pod, snapshot, (*from, *to))).collect()
}

/// Has alike pods change places, so that those that can stay do.
fn keep(pods: &[Pod], now: &[usize], then: &mut [usize]) {
    for (index, pod) in pods.iter().enumerate() {
        let Some(here) = now.get(index).filter(|here| then.get(index) != Some(here)) else { continue };
        let stays = |other: &usize| now.get(*other) == then.get(*other);
        let gives = |other: &usize| then.get(*other) == Some(here) && !stays(other);
        let alike = |other: &usize| pods.get(*other).is_some_and(|other| other.is_like(pod));
        if let Some(other) = (0..pods.len()).find(|other| gives(other) && alike(other)) {
            then.swap(index, other);
        }
    }
}

fn step(pod: &Pod, snapshot: &Snapshot<'_>, (from, to): (usize, usize)) -> Option<Step> {
    let name = |slot: usize| snapshot.node(slot).map(|node| node.name.clone());
    let (from, to) = (name(from)?, name(to)?);
    Some(Step { pod: format!("{}/{}", pod.namespace, pod.name), from, to })
}

#[cfg(test)]
mod tests;
