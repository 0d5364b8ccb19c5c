//! What Keelson would have chosen for a pod that another scheduler bound.
//!
//! The pod is taken off its node, asked about as if it were pending, and the answer is compared with what was done.
//!
//! What another scheduler bound is compared over all nodes, whatever Keelson's layout: whether a pool or headroom is worth it
//! is what the comparison is to tell.
//!
//! Promises: nothing is guessed about a pod that uses what is not implemented; a node that scores the same counts as the
//! same choice, because only the lot differs.

use keelson_api::names;
use keelson_core::{Decision, Mode, ObjectRef, Reason, Verb};
use keelson_placement::{Choice, Cycle, Layout, Snapshot, explained, failures_at, standing};

use crate::decide::{Ask, feasible, record_of};
use crate::opt_in;

/// The comparison for a pod that is bound to `actual`. The cluster must be as [`keelson_cluster::View::snapshot_for`] gives
/// it: without the pod.
#[must_use]
pub fn compare(ask: &Ask, snapshot: &Snapshot<'_>, actual: &str) -> Decision {
    let mut decision = record_of(ask, snapshot.nodes.len(), None);
    decision.verb = Verb::Compare;
    decision.related = ask.related(Some(actual));
    decision.inputs.insert("bound to".into(), actual.to_owned());
    let left_alone = left_alone(ask, snapshot);
    if let Some(why) = cannot_judge(ask) {
        (decision.reason, decision.sentence) = match left_alone {
            Some(why) => (Reason::LeftAlone, format!("Its namespace opts in, and it was left alone: {why}.")),
            None => (Reason::UnsupportedFeature, format!("Cannot judge: {why}")),
        };
        return decision;
    }
    let pod = ask.pod.clone().in_layout(Layout::All);
    let cycle = Cycle::new(&pod, snapshot);
    let (choice, explanation) = explained(&cycle, ask.seed);
    decision.inputs.extend([feasible(choice.feasible)]);
    decision.candidates = explanation.candidates;
    let best = choice.node.and_then(|index| snapshot.node(index)).map(|node| node.name.clone());
    let index = snapshot.nodes().position(|node| node.name == actual);
    let stands = index.and_then(|index| standing(&cycle, ask.seed, index));
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
            let why = index.map_or_else(
                || "that node is not known".to_owned(),
                |index| failures_at(&cycle, index).iter().map(ToString::to_string).collect::<Vec<_>>().join("; "),
            );
            let instead = best.map_or_else(|| "left it Pending".to_owned(), |best| format!("chosen {best}"));
            format!("Bound to {actual}, which Keelson would not have allowed ({why}); it would have {instead}.")
        }
    };
    if let Some(why) = left_alone {
        decision.inputs.insert("left alone".into(), why);
    }
    decision
}

/// Why a pod of a namespace that opts in was left alone.
fn left_alone(ask: &Ask, snapshot: &Snapshot<'_>) -> Option<String> {
    let opted_in = opt_in::is_opted_in(&snapshot.namespaces, &ask.pod.namespace);
    opt_in::left_alone(ask).filter(|_| opted_in && ask.scheduler == names::DEFAULT_SCHEDULER)
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
        ask.findings.iter().map(|finding| format!("{}: {}", finding.path, finding.why)).collect();
    if !refused.is_empty() {
        return Some(refused.join("; "));
    }
    ask.problems.first().map(ToString::to_string)
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
