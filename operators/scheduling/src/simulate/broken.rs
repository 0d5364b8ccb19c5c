//! Required rules that a bound pod does not meet where it is.
//!
//! Each pod is held against its node as if it came there now, the others being where they are. Like pods share the counts of
//! pods elsewhere: each is taken out of them for as long as it is looked at. A pod is not blamed for a node that is cordoned
//! or full.

use std::collections::{BTreeMap, HashMap};

use keelson_cluster::State;
use keelson_placement::filter::failures_at;
use keelson_placement::{Cycle, Failure, Pod};

use super::report::Broken;
use super::subject::Stays;
use super::{Progress, Standing, Subject};

/// The pods with a broken rule, by name.
pub(super) fn rules(state: &State, bound: &[&Subject], progress: Progress<'_>) -> Vec<Broken> {
    let snapshot = state.live().snapshot_for(&Pod::new("", ""));
    let places: HashMap<&str, usize> =
        snapshot.nodes().enumerate().map(|(index, node)| (node.name.as_str(), index)).collect();
    let mut broken = Vec::new();
    let mut done = 0;
    for like in alike(state, bound) {
        let Some(first) = like.first() else { continue };
        let mut cycle = Cycle::new(&first.ask.pod, &snapshot);
        for pod in &like {
            progress("looking for broken rules", done, bound.len());
            done += 1;
            let Some(index) = state.node_of(&pod.ask.pod.uid).and_then(|node| places.get(node)) else { continue };
            let Some(node) = snapshot.node(*index) else { continue };
            let Some(claim) = node.claim(&pod.ask.pod.uid) else { continue };
            cycle.shift(node, claim, -1);
            let failures = failures_at(&cycle, *index);
            cycle.shift(node, claim, 1);
            let told = |failure: &Failure| format!("{}: {failure}", failure.check());
            let rules: Vec<String> = failures.iter().filter(|failure| is_rule(failure)).map(told).collect();
            if !rules.is_empty() {
                broken.push(Broken { pod: pod.key(), workload: pod.workload(), node: node.name.clone(), rules });
            }
        }
    }
    broken.sort_by(|a, b| a.pod.cmp(&b.pod));
    broken
}

/// The pods that are judged, each beside those that are alike to a choice.
fn alike<'a>(state: &State, bound: &[&'a Subject]) -> Vec<Vec<&'a Subject>> {
    let excused = [Stays::Static, Stays::Leaving, Stays::Unread, Stays::NodeUnknown].map(Standing::Stays);
    let mut groups: BTreeMap<u64, Vec<Vec<&Subject>>> = BTreeMap::new();
    for pod in bound.iter().filter(|pod| !excused.contains(&pod.standing(state))) {
        let known = groups.entry(pod.ask.pod.likeness()).or_default();
        let is_like = |like: &&mut Vec<&Subject>| like.first().is_some_and(|first| first.ask.pod.is_like(&pod.ask.pod));
        match known.iter_mut().find(is_like) {
            Some(like) => like.push(pod),
            None => known.push(vec![pod]),
        }
    }
    groups.into_values().flatten().collect()
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
        Failure::OutsidePool { .. }
        | Failure::Cordoned
        | Failure::OtherNode { .. }
        | Failure::Ports { .. }
        | Failure::TooManyPods { .. }
        | Failure::Insufficient { .. }
        | Failure::Bandwidth { .. }
        | Failure::Link(_)
        | Failure::Volumes(_) => false,
    }
}
