//! Decisions in sentences and numbers.

use std::collections::BTreeMap;

use keelson_core::{Candidate, Direction, Mode, Rates};
use keelson_placement::{Candidate as Eviction, Change, Choice, Explanation, Node, Pool, Victim, VolumePlan};

use super::Ask;
use crate::fields::Finding;

pub(super) fn gated(gates: &[String]) -> String {
    format!("Held back by its scheduling gates: {}.", gates.join(", "))
}

pub(super) fn refused(refused: &[Finding]) -> String {
    let fields: Vec<String> = refused.iter().map(|finding| format!("{}: {}", finding.path, finding.why)).collect();
    format!("{}. Remove it or use another scheduler.", fields.join("; "))
}

pub(super) fn held_back(mode: Mode, otherwise: &str) -> String {
    format!("Waits: scheduling is in mode {mode} and places nothing. Enforced: {otherwise}")
}

pub(super) fn placed(node: &str, choice: &Choice, explanation: &Explanation) -> String {
    if choice.feasible == 1 {
        return match choice.nodes {
            1 => format!("Placed on {node}: the only node there is."),
            nodes => format!("Placed on {node}: the only one of {nodes} nodes that can hold it."),
        };
    }
    let of = format!("the best of {} nodes that can hold it ({} looked at)", choice.feasible, choice.nodes);
    let second = explanation.candidates.get(1);
    match second.and_then(|second| Some((second.total?, second.name.as_str()))) {
        Some((total, name)) if total == choice.total => {
            format!("Placed on {node}: {of}; {name} scores {total} too, and the lot decided.")
        }
        Some((total, name)) => format!("Placed on {node}: {of}, {} against {total} for {name}.", choice.total),
        None => format!("Placed on {node}: {of}."),
    }
}

pub(super) fn room_made(node: &str) -> String {
    format!("Placed on {node}, where room was made for it.")
}

pub(super) fn with_group(node: &str, group: &str) -> String {
    format!("Placed on {node}, where group {group}, placed as a unit, has it.")
}

/// How many victims a sentence names.
const NAMED: usize = 3;

pub(super) fn preempting(node: &str, best: &Eviction) -> String {
    let name = |victim: &Victim| format!("{} (priority {})", victim.key, victim.priority);
    let mut named: Vec<String> = best.victims.iter().take(NAMED).map(name).collect();
    let more = best.victims.len().saturating_sub(NAMED);
    named.extend((more > 0).then(|| format!("{more} more")));
    let mut sentence = format!("No node has room. On {node} it is made by evicting {}.", named.join(", "));
    if best.violations > 0 {
        sentence.push_str(&format!(" Disruption budgets broken: {}, the fewest possible.", best.violations));
    }
    sentence
}

pub(super) fn evictions_awaited(violations: usize) -> String {
    format!(
        "No node has room, and making it would break disruption budgets ({violations}, the fewest possible): evictions for \
         other pods are under way, and what becomes of them is awaited."
    )
}

pub(super) fn stayed(node: &str) -> String {
    format!("Placed on {node}, for which its claims got their volumes.")
}

pub(super) fn volumes_first(plan: &VolumePlan, written: bool) -> String {
    let bindings = plan.bindings.iter().map(|(claim, volume)| format!("{claim} gets volume {volume}"));
    let provisions = plan.provisions.iter().map(|claim| format!("{claim} gets one that is made"));
    let claims: Vec<String> = bindings.chain(provisions).collect();
    let (claims, node) = (claims.join(", "), &plan.node);
    if written {
        format!("Waits for its volumes on {node}: {claims}.")
    } else {
        format!("Goes to {node} once its claims have volumes there: {claims}.")
    }
}

pub(super) fn stands_back(why: &str) -> String {
    format!("Waits, and is not touched: {why}.")
}

pub(crate) fn empty_pool(pool: &Pool) -> String {
    let (Pool { key, value }, taint) = (pool, pool.taint());
    format!("No node is in Keelson's pool: label nodes {key}={value} and taint them {taint}, or choose layout Shared.")
}

pub(super) fn unschedulable(explanation: &Explanation, change: Option<&Change>) -> String {
    let mut sentence = explanation.histogram.clone().unwrap_or_default();
    if let Some(change) = change {
        let change = change.to_string();
        let (first, rest) = change.split_at(change.chars().next().map_or(0, char::len_utf8));
        sentence.push_str(&format!(" {}{rest}.", first.to_uppercase()));
    } else if let Some(nearest) = explanation.candidates.first() {
        sentence.push_str(&format!(" Nearest: {}.", miss(nearest)));
    }
    sentence
}

/// What of its request a pod did not choose itself, where that keeps it from nodes.
pub(super) fn learned(learned: Rates, candidates: &[Candidate]) -> String {
    let checks = || candidates.iter().flat_map(|candidate| &candidate.failed);
    let learned = Direction::BOTH.into_iter().filter(|way| learned.get(*way) > 0);
    let learned =
        learned.map(Direction::resource).filter(|name| checks().any(|check| check.text.contains(name.word())));
    let named: Vec<String> = learned.map(|name| format!("{name}-request")).collect();
    if named.is_empty() {
        return String::new();
    }
    format!(" It asks for what its workload was seen to use; the annotation {} counts before that.", named.join(" or "))
}

fn miss(candidate: &Candidate) -> String {
    let failed: Vec<&str> = candidate.failed.iter().map(|check| check.text.as_str()).collect();
    format!("{}: {}", candidate.name, failed.join("; "))
}

/// How many nodes can hold the pod, among the numbers of a decision.
pub(crate) fn feasible(count: usize) -> (String, String) {
    ("feasible".to_owned(), count.to_string())
}

/// The numbers of a decision. `chosen` is the node as it was before the pod came.
pub(super) fn inputs(ask: &Ask, nodes: usize, chosen: Option<&Node>) -> BTreeMap<String, String> {
    let mut inputs = BTreeMap::from([("nodes".to_owned(), nodes.to_string())]);
    for (name, amount) in ask.pod.requests.iter() {
        inputs.insert(format!("requested {name}"), name.quantity(amount).to_string());
    }
    for way in Direction::BOTH.into_iter().filter(|way| ask.learned.get(*way) > 0) {
        let name = way.resource();
        inputs.insert(format!("learned {name}"), name.quantity(ask.learned.get(way)).to_string());
    }
    if ask.pod.priority != 0 {
        inputs.insert("priority".into(), ask.pod.priority.to_string());
    }
    for (name, permille) in chosen.into_iter().flat_map(|node| crate::effect::predicted(node, &ask.pod)) {
        inputs.insert(format!("node {name} then"), crate::effect::percent(permille));
    }
    inputs
}
