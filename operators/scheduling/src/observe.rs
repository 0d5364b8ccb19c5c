//! What Keelson would have chosen for a pod that another scheduler bound.
//!
//! The pod is taken off its node, asked about as if it were pending, and the answer is compared with what was done.
//!
//! Promises: nothing is guessed about a pod that uses what is not implemented; a node that scores the same counts as the
//! same choice, because only the lot differs.

use std::borrow::Borrow;

use keelson_core::{Decision, Mode, ObjectRef, Reason, Verb};
use keelson_placement::{Choice, Node, choose, explain, failures, standing};

use crate::decide::{Ask, feasible, record_of};
use crate::fields::refusals;

/// The comparison for a pod that is bound to `actual`. The nodes must be as [`keelson_cluster::View::nodes_for`] gives
/// them: without the pod.
#[must_use]
pub fn compare<N: Borrow<Node>>(ask: &Ask, nodes: &[N], actual: &str) -> Decision {
    let mut decision = record_of(ask, nodes.len(), None);
    decision.verb = Verb::Compare;
    decision.related = ask.related(Some(actual));
    decision.inputs.insert("bound to".into(), actual.to_owned());
    if let Some(why) = cannot_judge(ask) {
        decision.reason = Reason::UnsupportedFeature;
        decision.sentence = format!("Cannot judge: {why}");
        return decision;
    }
    let choice = choose(&ask.pod, nodes, ask.seed);
    decision.inputs.extend([feasible(choice.feasible)]);
    decision.candidates = explain(&ask.pod, nodes, ask.seed).candidates;
    let best = choice.node.and_then(|index| nodes.get(index)).map(|node| node.borrow().name.clone());
    let index = nodes.iter().position(|node| node.borrow().name == actual);
    let stands = index.and_then(|index| standing(&ask.pod, nodes, ask.seed, index));
    let same = stands.is_some_and(|(_, total)| total == choice.total);
    decision.reason = if same { Reason::SameChoice } else { Reason::OtherChoice };
    decision.chosen = if same { Some(actual.to_owned()) } else { best.clone() };
    decision.related.extend(best.iter().filter(|_| !same).map(|node| ObjectRef::cluster("Node", node)));
    decision.sentence = match (stands, best) {
        (Some((_, total)), _) if same => same_choice(&choice, actual, total),
        (Some((place, total)), Some(best)) => {
            decision.inputs.insert("score difference".into(), (choice.total - total).to_string());
            format!(
                "Bound to {actual}, which is number {place} of {} with {total}; Keelson would have chosen {best} with {}.",
                choice.feasible, choice.total
            )
        }
        (_, best) => {
            let node = index.and_then(|index| nodes.get(index));
            let why = node.map_or_else(
                || "that node is not known".to_owned(),
                |node| failures(&ask.pod, node.borrow()).iter().map(ToString::to_string).collect::<Vec<_>>().join("; "),
            );
            let instead = best.map_or_else(|| "left it Pending".to_owned(), |best| format!("chosen {best}"));
            format!("Bound to {actual}, which Keelson would not have allowed ({why}); it would have {instead}.")
        }
    };
    decision
}

fn same_choice(choice: &Choice, actual: &str, total: i64) -> String {
    match choice.feasible {
        1 => format!("Bound to {actual}, the only one of {} nodes that can hold it.", choice.nodes),
        feasible => {
            format!("Bound to {actual}, as Keelson would have: no better score than {total} among {feasible} nodes.")
        }
    }
}

fn cannot_judge(ask: &Ask) -> Option<String> {
    let refused: Vec<String> =
        refusals(&ask.findings).map(|finding| format!("{}: {}", finding.path, finding.why)).collect();
    if !refused.is_empty() {
        return Some(refused.join("; "));
    }
    if let Some(problem) = ask.problems.first() {
        return Some(problem.to_string());
    }
    let (pod, key) = ask.repelled_by.as_ref()?;
    Some(format!("the required anti-affinity of pod {pod} (topology key {key}) may touch it"))
}

/// Whether a binding is another's choice, to be compared with ours: any binding while nothing is enforced, and then those
/// of pods that name another scheduler.
#[must_use]
pub const fn compares(mode: Mode, names_us: bool) -> bool {
    match mode {
        Mode::Off => false,
        Mode::Observe => true,
        Mode::Enforce => !names_us,
    }
}

#[cfg(test)]
mod tests;
