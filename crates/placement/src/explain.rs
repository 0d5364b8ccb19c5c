//! Why a pod got its node, or none.
//!
//! The best few feasible nodes are shown with the parts of their scores. The others are grouped: nodes that fail for
//! exactly the same reasons, numbers included, are one row, and the rows nearest to feasible come first. For tools that
//! read kube-scheduler's words there is its one-line histogram, which counts the first failing check of each node.
//!
//! Promises: a row has failures exactly when its nodes cannot hold the pod; the same input gives the same bytes.

use std::collections::BTreeMap;

use keelson_core::{Candidate, Check};

use crate::choose::{Choice, Ranked, choice_of, rank};
use crate::cycle::Cycle;
use crate::filter::{Failure, failures_at};
use crate::pod::Pod;
use crate::score::Scores;
use crate::snapshot::Snapshot;

/// How many feasible nodes are shown.
pub const SHOWN_FEASIBLE: usize = 5;
/// How many groups of nodes that cannot hold the pod are shown.
pub const SHOWN_MISSES: usize = 5;
/// How many names a group spells out.
const SHOWN_NAMES: usize = 3;

/// A choice in words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Explanation {
    /// The best feasible nodes, best first, then the nearest misses, nearest first.
    pub candidates: Vec<Candidate>,
    /// kube-scheduler's sentence, when no node can hold the pod.
    pub histogram: Option<String>,
}

/// The choice and the best feasible nodes alone: the first part of what [`explained`] shows.
#[must_use]
pub fn best(cycle: &Cycle<'_>, seed: u64) -> (Choice, Explanation) {
    let ranked = rank(cycle, seed);
    let candidates = shown(&ranked, cycle.snapshot);
    (choice_of(&ranked, cycle.snapshot), Explanation { candidates, histogram: None })
}

fn shown(ranked: &[Ranked], snapshot: &Snapshot<'_>) -> Vec<Candidate> {
    let best = ranked.iter().take(SHOWN_FEASIBLE);
    best.filter_map(|ranked| Some(leader(&snapshot.node(ranked.index)?.name, ranked.scores))).collect()
}

/// A feasible node as a record shows it.
#[must_use]
pub fn leader(name: &str, scores: Scores) -> Candidate {
    Candidate { name: name.to_owned(), total: Some(scores.total()), scores: scores.parts(), failed: Vec::new() }
}

/// Explains what [`crate::choose()`] answers for the same pod, nodes and seed.
#[must_use]
pub fn explain(pod: &Pod, snapshot: &Snapshot<'_>, seed: u64) -> Explanation {
    explained(&Cycle::new(pod, snapshot), seed).1
}

/// The choice and its explanation, of one look.
#[must_use]
pub fn explained(cycle: &Cycle<'_>, seed: u64) -> (Choice, Explanation) {
    let snapshot = cycle.snapshot;
    let ranked = rank(cycle, seed);
    let missed: Vec<(&str, Vec<Failure>)> = snapshot
        .nodes()
        .enumerate()
        .map(|(index, node)| (node.name.as_str(), failures_at(cycle, index)))
        .filter(|(_, found)| !found.is_empty())
        .collect();
    let mut candidates = shown(&ranked, snapshot);
    let histogram = candidates.is_empty().then(|| histogram(&missed, snapshot.nodes.len()));
    candidates.extend(nearest_misses(missed));
    (choice_of(&ranked, snapshot), Explanation { candidates, histogram })
}

/// `0/5 nodes are available: 1 Too many pods, 3 Insufficient cpu.` As kube-scheduler does, each node counts with the
/// reasons of its first failing check alone, and the parts are sorted as text.
fn histogram(missed: &[(&str, Vec<Failure>)], nodes: usize) -> String {
    if let Some(reason) = missed.first().and_then(|(_, found)| found_first(found)) {
        return format!("0/{nodes} nodes are available: {reason}.");
    }
    let mut counts: BTreeMap<String, usize> = BTreeMap::new();
    for (_, found) in missed {
        // Upstream does not even look at the nodes that a pod's terms leave out by name.
        let left_out = found.iter().find(|failure| matches!(failure, Failure::Affinity { by_name: true, .. }));
        let found = left_out.map_or(found.as_slice(), std::slice::from_ref);
        let first = found.first().map(Failure::check);
        // Only the checks of resources and of claims name more than one reason.
        let several = ["NodeResourcesFit", "VolumeBinding"].iter().any(|check| first == Some(*check));
        let named = if several { found.len() } else { 1 };
        let mut reasons: Vec<String> = found
            .iter()
            .take_while(|failure| Some(failure.check()) == first)
            .take(named)
            .map(Failure::reason_text)
            .collect();
        reasons.dedup();
        for reason in reasons {
            *counts.entry(reason).or_default() += 1;
        }
    }
    let mut parts: Vec<String> = counts.iter().map(|(reason, count)| format!("{count} {reason}")).collect();
    parts.sort();
    match parts.as_slice() {
        [] => "no nodes available to schedule pods".to_owned(),
        parts => format!("0/{nodes} nodes are available: {}.", parts.join(", ")),
    }
}

/// What lies in the pod's claims alone upstream finds before it looks at any node, and then counts none.
fn found_first(found: &[Failure]) -> Option<String> {
    let first = found.iter().find(|failure| matches!(failure, Failure::Volumes(volumes) if volumes.is_found_first()));
    first.map(Failure::reason_text)
}

fn nearest_misses(missed: Vec<(&str, Vec<Failure>)>) -> Vec<Candidate> {
    let mut groups: BTreeMap<Vec<Failure>, Vec<&str>> = BTreeMap::new();
    for (name, found) in missed {
        groups.entry(found).or_default().push(name);
    }
    let mut groups: Vec<(Vec<Failure>, Vec<&str>)> = groups.into_iter().collect();
    for (_, names) in &mut groups {
        names.sort_unstable();
    }
    groups.sort_by_key(|(found, names)| (found.len(), distance(found), std::cmp::Reverse(names.len())));
    groups.into_iter().take(SHOWN_MISSES).map(|(found, names)| miss(&found, &names)).collect()
}

/// How far from fitting: the summed missing shares of the requests, in parts per million; a failure without an amount
/// counts as one whole request.
fn distance(found: &[Failure]) -> i128 {
    found
        .iter()
        .map(|failure| match failure {
            Failure::Insufficient { shortfall, .. } | Failure::Bandwidth { shortfall, .. } => {
                i128::from(shortfall.missing()) * 1_000_000 / i128::from(shortfall.needed.max(1))
            }
            _ => 1_000_000,
        })
        .sum()
}

fn miss(found: &[Failure], names: &[&str]) -> Candidate {
    let nodes = u32::try_from(names.len()).unwrap_or(u32::MAX);
    let shown = names.iter().take(SHOWN_NAMES).copied().collect::<Vec<_>>().join(", ");
    let name = match names.len() {
        1 => shown,
        count if count <= SHOWN_NAMES => format!("{count} nodes: {shown}"),
        count => format!("{count} nodes: {shown} and {} more", count - SHOWN_NAMES),
    };
    let mut failed: Vec<Check> = Vec::with_capacity(found.len());
    for failure in found {
        // A claim of no use fails several checks, and is told once.
        let row = Check { nodes, ..failure.row() };
        if failed.iter().all(|known| known.text != row.text) {
            failed.push(row);
        }
    }
    Candidate { name, total: None, scores: Vec::new(), failed }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]
    use keelson_core::ResourceName;
    use keelson_core::selector::{Operator, Requirement};

    use super::*;
    use crate::affinity::NodeTerm;
    use crate::choose::choose;
    use crate::node::Node;
    use crate::requests::PodRequests;
    use crate::taints::{Taint, TaintEffect};
    use crate::volumes::PodVolume;

    fn node(name: &str, cpu: i64) -> Node {
        Node::new(name, [(ResourceName::Cpu, cpu)])
    }

    fn pod(cpu: i64) -> Pod {
        Pod::new("shop", "cart").requesting(&PodRequests::default().container([(ResourceName::Cpu, cpu)]))
    }

    #[test]
    fn the_histogram_reads_as_kube_schedulers_does() {
        let taint = Taint::new("a", "", TaintEffect::NoSchedule);
        let nodes = [
            node("a", 100),
            node("b", 200),
            node("c", 300),
            Node::new("d", [(ResourceName::Cpu, 9_000), (ResourceName::Pods, 0)]),
            node("e", 100).taint(taint),
        ];
        assert_eq!(
            explain(&pod(500), &Snapshot::of(&nodes), 1).histogram.unwrap(),
            "0/5 nodes are available: 1 Too many pods, 1 node(s) had untolerated taint(s), 3 Insufficient cpu."
        );
        assert_eq!(
            explain(&pod(500), &Snapshot::default(), 1).histogram.unwrap(),
            "no nodes available to schedule pods"
        );
    }

    #[test]
    fn a_claim_that_no_node_helps_is_told_once_and_counts_no_nodes() {
        let pod = pod(500).mounting(PodVolume::Claim("data".into()));
        let nodes = [node("a", 100), node("b", 9_000)];
        let explanation = explain(&pod, &Snapshot::of(&nodes), 1);
        assert_eq!(
            explanation.histogram.unwrap(),
            "0/2 nodes are available: persistentvolumeclaim \"data\" not found."
        );
        let told: Vec<&str> = explanation.candidates[0].failed.iter().map(|check| check.text.as_str()).collect();
        assert_eq!(told, ["claim shop/data does not exist: create it"]);
    }

    #[test]
    fn nodes_that_a_daemons_pod_does_not_name_are_counted_as_kube_scheduler_counts_them() {
        let named = Requirement::new("metadata.name", Operator::In, &["a"]);
        let mut pod = pod(500);
        pod.required = Some(vec![NodeTerm::default().and_field(named)]);
        let nodes = [node("a", 100), node("b", 9_000).cordoned(), node("c", 100)];
        assert_eq!(
            explain(&pod, &Snapshot::of(&nodes), 1).histogram.unwrap(),
            "0/3 nodes are available: 1 Insufficient cpu, 2 node(s) didn't satisfy plugin(s) [NodeAffinity]."
        );
    }

    #[test]
    fn a_placed_pod_shows_its_best_five_nodes_with_scores_and_no_histogram() {
        let nodes: Vec<Node> = (0..9).map(|i| node(&format!("n{i}"), 1_000 + 500 * i)).collect();
        let explanation = explain(&pod(500), &Snapshot::of(&nodes), 1);
        assert_eq!(explanation.histogram, None);
        let names: Vec<&str> = explanation.candidates.iter().map(|candidate| candidate.name.as_str()).collect();
        assert_eq!(names, ["n8", "n7", "n6", "n5", "n4"]);
        let choice = choose(&pod(500), &Snapshot::of(&nodes), 1);
        assert_eq!(explanation.candidates[0].total, Some(choice.total));
        assert_eq!(nodes[choice.node.unwrap()].name, "n8");
    }

    #[test]
    fn nodes_that_fail_alike_are_one_row_and_the_nearest_row_comes_first() {
        let nodes = [node("c", 100), node("a", 100), node("b", 100), node("d", 100), node("near", 450)];
        let rows: Vec<(String, String, u32)> = explain(&pod(500), &Snapshot::of(&nodes), 1)
            .candidates
            .into_iter()
            .map(|row| (row.name, row.failed[0].text.clone(), row.failed[0].nodes))
            .collect();
        assert_eq!(
            rows,
            [
                ("near".to_owned(), "needs 500m cpu, 450m free: short 50m".to_owned(), 1),
                ("4 nodes: a, b, c and 1 more".to_owned(), "needs 500m cpu, 100m free: short 400m".to_owned(), 4),
            ]
        );
    }
}
