//! Where waiting pods go, or why not, by reason.
//!
//! They are placed one after the other, each with those before it. Room that is made by eviction is made: the victims are
//! gone, and what becomes of them is not followed.

use std::collections::BTreeMap;

use keelson_cluster::Event;
use keelson_core::{Decision, Reason, Verb};
use keelson_placement::{Cycle, preempt, smallest_change};

use super::report::{Change, Waiting, WaitingPod};
use super::trial::Trial;
use super::{Progress, Subject};

/// The answers, those that would be placed first.
pub(super) fn answers(mut trial: Trial, waits: &[&Subject], progress: Progress<'_>) -> Vec<Waiting> {
    waits.iter().for_each(|pod| trial.wait(pod));
    let mut groups: BTreeMap<(u8, Reason, String), Waiting> = BTreeMap::new();
    for (done, pod) in waits.iter().enumerate() {
        progress("waiting pods", done, waits.len());
        let decided = trial.place(pod);
        let Some(decision) = decided.plan.decisions.first() else { continue };
        let (rank, sentence) = (rank(decision), sentence(decision));
        let group = groups.entry((rank, decision.reason, sentence.clone())).or_insert_with(|| Waiting {
            reason: decision.reason,
            placed: rank == 0,
            sentence,
            change: change(&trial, pod, decision),
            nearest: decision.candidates.iter().filter(|row| row.total.is_none()).take(3).cloned().collect(),
            pods: Vec::new(),
        });
        let node = decided.node.clone().or_else(|| decided.nominated.clone());
        let evicts = decided.nominated.as_ref().map_or_else(Vec::new, |node| evict(&mut trial, pod, node));
        group.pods.push(WaitingPod { pod: pod.key(), workload: pod.workload(), node, evicts });
    }
    groups.into_values().collect()
}

/// How many of them would be placed without evicting anybody.
pub(super) fn placed(mut trial: Trial, waits: &[&Subject], progress: Progress<'_>) -> usize {
    waits.iter().for_each(|pod| trial.wait(pod));
    let mut placed = 0;
    for (done, pod) in waits.iter().enumerate() {
        progress("waiting pods, after", done, waits.len());
        placed += usize::from(trial.place(&pod.sparing()).node.is_some());
    }
    placed
}

fn rank(decision: &Decision) -> u8 {
    match decision.verb {
        Verb::Place => 0,
        _ if decision.reason == Reason::VolumesFirst => 0,
        Verb::Preempt => 1,
        Verb::Refuse => 3,
        _ => 2,
    }
}

/// What pods have in common that are told the same; each placed pod has a sentence of its own.
fn sentence(decision: &Decision) -> String {
    match decision.verb {
        Verb::Place => "Placed at once.".to_owned(),
        Verb::Preempt => "No node has room; it is made by evicting pods of lower priority.".to_owned(),
        _ if decision.reason == Reason::VolumesFirst => "Placed once their claims have volumes.".to_owned(),
        _ => decision.sentence.clone(),
    }
}

/// What was tried and would help.
fn change(trial: &Trial, pod: &Subject, decision: &Decision) -> Option<Change> {
    if decision.reason != Reason::Unschedulable {
        return None;
    }
    let snapshot = trial.state.live().snapshot_for(&pod.ask.pod);
    let change = smallest_change(&pod.ask.pod, &snapshot)?;
    let amount = |amount| change.resource.quantity(amount).to_string();
    let (from, to) = (amount(change.from), amount(change.to));
    Some(Change { sentence: change.to_string(), resource: change.resource.to_string(), from, to, node: change.node })
}

/// Carries an eviction out; whom.
fn evict(trial: &mut Trial, pod: &Subject, node: &str) -> Vec<String> {
    let victims = {
        let snapshot = trial.state.live().snapshot_for(&pod.ask.pod);
        preempt(&Cycle::new(&pod.ask.pod, &snapshot), pod.ask.seed).map(|found| found.victims).unwrap_or_default()
    };
    let names = victims.iter().map(|victim| victim.key.to_string()).collect();
    victims.iter().for_each(|victim| trial.evict(&victim.uid));
    trial.state.apply(Event::Assumed { uid: pod.ask.pod.uid.clone(), node: node.to_owned(), volumes: None });
    names
}
