//! Required rules that a bound pod does not meet where it is.
//!
//! Each pod is taken off its node and held against it, the others being where they are. Most meet every rule, and the classes
//! say so at once; of the others every failure is looked at. A pod is not blamed for a node that is cordoned or full.

use std::collections::HashMap;

use keelson_cluster::Event;
use keelson_placement::filter::failures_at;
use keelson_placement::{Classes, Cycle, Failure, Nodes};

use super::report::Broken;
use super::subject::Stays;
use super::trial::Trial;
use super::{Progress, Standing, Subject};

/// The pods with a broken rule, by name.
pub(super) fn rules(trial: &mut Trial, bound: &[&Subject], progress: Progress<'_>) -> Vec<Broken> {
    let slots: HashMap<String, usize> =
        (0..trial.state.slots()).filter_map(|slot| Some((trial.state.node(slot)?.name.clone(), slot))).collect();
    let judged = |pod: &&&Subject| {
        let standing = pod.standing(&trial.state);
        let excused = [Stays::Static, Stays::Leaving, Stays::Unread, Stays::NodeUnknown].map(Standing::Stays);
        !excused.contains(&standing)
    };
    // Like pods one after the other, so that what is known of them is at hand.
    let mut pods: Vec<(u64, &Subject)> =
        bound.iter().filter(judged).map(|pod| (pod.ask.pod.likeness(), *pod)).collect();
    pods.sort_by_key(|(likeness, _)| *likeness);
    let mut broken = Vec::new();
    let all = pods.len();
    for (done, (_, pod)) in pods.into_iter().enumerate() {
        progress("looking for broken rules", done, all);
        let uid = &pod.ask.pod.uid;
        let Some(node) = trial.state.node_of(uid).map(str::to_owned) else { continue };
        let Some(slot) = slots.get(&node).copied() else { continue };
        let rules = broken_by(trial, pod, slot, &node);
        if !rules.is_empty() {
            broken.push(Broken { pod: pod.key(), workload: pod.workload(), node, rules });
        }
    }
    broken.sort_by(|a, b| a.pod.cmp(&b.pod));
    broken
}

fn broken_by(trial: &mut Trial, pod: &Subject, slot: usize, node: &str) -> Vec<String> {
    let placed = &pod.ask.pod;
    if Classes::serve(placed) {
        trial.state.apply(pod.at(None));
        let holds = trial.classes.holds(placed, &trial.state, slot);
        trial.state.apply(Event::Assumed { uid: placed.uid.clone(), node: node.to_owned(), volumes: None });
        if holds {
            return Vec::new();
        }
    }
    let snapshot = trial.state.live().snapshot_for(placed);
    let Some(index) = snapshot.nodes().position(|known| known.name == node) else { return Vec::new() };
    let failures = failures_at(&Cycle::new(placed, &snapshot), index);
    failures
        .iter()
        .filter(|failure| is_rule(failure))
        .map(|failure| format!("{}: {failure}", failure.check()))
        .collect()
}

const fn is_rule(failure: &Failure) -> bool {
    match failure {
        Failure::Untolerated { .. }
        | Failure::Selector { .. }
        | Failure::Affinity { .. }
        | Failure::NoTopology { .. }
        | Failure::Skew { .. }
        | Failure::NoPeers { .. }
        | Failure::Peers { .. }
        | Failure::Repelled { .. }
        | Failure::TooFar { .. } => true,
        Failure::Cordoned
        | Failure::OtherNode { .. }
        | Failure::Ports { .. }
        | Failure::TooManyPods { .. }
        | Failure::Insufficient { .. }
        | Failure::Volumes(_) => false,
    }
}
