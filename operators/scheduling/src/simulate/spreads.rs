//! How evenly like pods lie over the places that they are spread over.
//!
//! A skew is the count of the fullest place less that of the emptiest, over the nodes that count for the constraint.

use std::collections::BTreeMap;

use keelson_cluster::State;
use keelson_placement::{Node, SpreadConstraint};

use super::Subject;
use super::report::Spread;

/// One row a constraint and workload; the skew is in `today`.
pub(super) fn skews(pods: &[&Subject], state: &State) -> Vec<Spread> {
    let mut rules: BTreeMap<(String, &SpreadConstraint), &Subject> = BTreeMap::new();
    for pod in pods {
        for constraint in pod.ask.pod.spread.iter().filter(|_| !pod.ask.pod.spread_by_default) {
            rules.entry((pod.workload(), constraint)).or_insert(pod);
        }
    }
    let of_namespace = if rules.is_empty() { BTreeMap::new() } else { by_namespace(state) };
    let row = |((workload, constraint), pod): ((String, &SpreadConstraint), &Subject)| {
        let none = Vec::new();
        let there = of_namespace.get(pod.ask.pod.namespace.as_str()).unwrap_or(&none);
        let skew = skew(pod, constraint, state, there);
        let (key, allowed) = (constraint.topology_key.clone(), constraint.max_skew);
        Spread { workload, key, required: constraint.hard, allowed, today: skew, replayed: skew }
    };
    rules.into_iter().map(row).collect()
}

type There<'a> = Vec<(&'a Node, &'a keelson_placement::Claim)>;

fn by_namespace(state: &State) -> BTreeMap<&str, There<'_>> {
    let mut claims: BTreeMap<&str, There<'_>> = BTreeMap::new();
    for member in state.live().members() {
        for (_, claim) in member.node.claims() {
            claims.entry(claim.namespace.as_str()).or_default().push((&member.node, claim));
        }
    }
    claims
}

fn skew(pod: &Subject, constraint: &SpreadConstraint, state: &State, there: &There<'_>) -> i64 {
    let mut counts: BTreeMap<&str, i64> = BTreeMap::new();
    let place = |node: &'_ Node| node.labels.get(&constraint.topology_key).map(String::as_str).is_some();
    for member in state.live().members().filter(|member| place(&member.node)) {
        if constraint.admits(&pod.ask.pod, &member.node)
            && let Some(place) = member.node.labels.get(&constraint.topology_key)
        {
            counts.entry(place).or_default();
        }
    }
    for (node, claim) in there {
        if constraint.counts(&pod.ask.pod.namespace, claim)
            && constraint.admits(&pod.ask.pod, node)
            && let Some(count) =
                node.labels.get(&constraint.topology_key).and_then(|place| counts.get_mut(place.as_str()))
        {
            *count += 1;
        }
    }
    let (most, least) = (counts.values().max(), counts.values().min());
    let fewest = constraint.fewest(counts.len(), least.copied().unwrap_or(0));
    most.copied().unwrap_or(0).saturating_sub(fewest)
}

/// Both skews in one row.
pub(super) fn compared(before: Vec<Spread>, after: &[Spread]) -> Vec<Spread> {
    // The same pods have the same constraints in the same order.
    let mut rows: Vec<Spread> =
        before.into_iter().zip(after).map(|(row, after)| Spread { replayed: after.today, ..row }).collect();
    rows.sort_by_key(|row| std::cmp::Reverse((row.is_beyond(), row.today, row.required)));
    rows
}
