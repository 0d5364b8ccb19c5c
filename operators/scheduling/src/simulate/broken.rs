//! Required rules that a bound pod does not meet where it is.
//!
//! Each pod is held against its node as if it came there now, the others being where they are. Pods with the same rules share
//! the counts of pods elsewhere, which are made from kinds of pods: each is taken out of them for as long as it is looked at.
//! A pod is not blamed for a node that is cordoned, full, or another scheduler's.

use std::collections::{BTreeMap, HashMap};

use keelson_cluster::State;
use keelson_placement::filter::failures_at;
use keelson_placement::{Cycle, Failure, Kinds, Layout, Pod};

use super::report::Broken;
use super::subject::Stays;
use super::{Progress, Subject};

/// Pods, and what of the nodes the scheduler that placed them may use.
type Placed<'a> = (&'a [&'a Subject], &'a Layout);

/// The pods with a broken rule, by name.
pub(super) fn rules(state: &State, bound: &[Placed<'_>], progress: Progress<'_>) -> Vec<Broken> {
    let all = bound.iter().map(|(pods, _)| pods.len()).sum();
    let snapshot = state.live().snapshot_for(&Pod::new("", ""));
    let places: HashMap<&str, usize> =
        snapshot.nodes().enumerate().map(|(index, node)| (node.name.as_str(), index)).collect();
    let kinds = Kinds::of(&snapshot);
    let mut broken = Vec::new();
    let mut done = 0;
    for (ruled, like) in alike(state, bound) {
        let mut cycle = Cycle::of_kinds(&ruled, &kinds);
        for pod in &like {
            progress("looking for broken rules", done, all);
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

/// The pods that are judged, each beside those that have the same rules.
fn alike<'a>(state: &State, bound: &[Placed<'a>]) -> Vec<(Pod, Vec<&'a Subject>)> {
    let excused = [Stays::Static, Stays::Leaving, Stays::Unread, Stays::NodeUnknown];
    let is_judged = |(pod, _): &(&Subject, &Layout)| !pod.stays(state).is_some_and(|why| excused.contains(&why));
    let mut groups: BTreeMap<u64, Vec<(Pod, Vec<&Subject>)>> = BTreeMap::new();
    let each = bound.iter().flat_map(|(pods, layout)| pods.iter().map(move |pod| (*pod, *layout)));
    for (pod, layout) in each.filter(is_judged) {
        let ruled = ruled(&pod.ask.pod).in_layout(layout.clone());
        let known = groups.entry(ruled.likeness()).or_default();
        match known.iter_mut().find(|(first, _)| first.is_like(&ruled)) {
            Some((_, like)) => like.push(pod),
            None => known.push((ruled, vec![pod])),
        }
    }
    groups.into_values().flatten().collect()
}

/// A pod that asks nothing but what can be broken.
fn ruled(pod: &Pod) -> Pod {
    let Pod { namespace, name, uid, labels, node_selector, required, tolerations, .. } = pod.clone();
    let mut ruled = Pod { labels, node_selector, required, tolerations, ..Pod::new(&namespace, &name).uid(&uid) };
    ruled.affinity.required.clone_from(&pod.affinity.required);
    ruled.affinity.anti.clone_from(&pod.affinity.anti);
    ruled.spread = pod.spread.iter().filter(|constraint| constraint.hard).cloned().collect();
    ruled
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
