//! Whom to evict so that a pod fits that fits nowhere.
//!
//! As kube-scheduler 1.36 does (`DefaultPreemption`): where nothing but other pods is in the way, all pods of lower priority
//! are thought away; if the pod fits then, as many of them as possible are let back in, those first whose eviction would
//! break a budget, and among those the more important ones. The node whose victims cost least wins. Unlike it, every node
//! is tried and not a sample of a tenth.
//!
//! Promises: the pod fits its node once the victims are gone; no victim has its priority or more; letting any single one
//! stay would keep it out; nothing is evicted for a pod that fits somewhere.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use keelson_core::Timestamp;

use crate::choose::lot;
use crate::cycle::Cycle;
use crate::filter::{Failure, crowded, failures, failures_at, fits};
use crate::node::{Node, Occupant};
use crate::snapshot::Snapshot;

/// A pod to evict.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Victim {
    /// Its uid.
    pub uid: Arc<str>,
    /// `namespace/name`.
    pub key: Arc<str>,
    /// Its priority.
    pub priority: i32,
    /// When it started; none while it has not.
    pub started: Option<Timestamp>,
    /// Whether it is being deleted already.
    pub leaving: bool,
}

impl Victim {
    fn of((uid, pod): Ranked<'_>) -> Self {
        Self {
            uid: Arc::clone(uid),
            key: Arc::clone(&pod.key),
            priority: pod.priority,
            started: pod.started,
            leaving: pod.claim.leaving,
        }
    }
}

/// A node on which eviction helps.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Candidate {
    /// Its place in the snapshot.
    pub node: usize,
    /// Whom to evict, most important first.
    pub victims: Vec<Victim>,
    /// How many of those evictions break a budget.
    pub violations: usize,
}

/// Why nobody is evicted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Spared {
    /// The pod's preemptionPolicy is Never.
    Never,
    /// Pods that were evicted for it are still leaving the node that it is nominated for.
    StillLeaving,
    /// It would help on no node; kube-scheduler's sentence.
    NoCandidate(String),
}

impl Spared {
    /// kube-scheduler's words.
    #[must_use]
    pub fn text(&self) -> String {
        match self {
            Self::Never => "preemption: not eligible due to preemptionPolicy=Never.".to_owned(),
            Self::StillLeaving => "preemption: not eligible due to a terminating pod on the nominated node.".to_owned(),
            Self::NoCandidate(sentence) => format!("preemption: {sentence}"),
        }
    }
}

/// Whom to evict for a pod that fits nowhere. Equal nodes are drawn by the seed. `O(nodes × pods of a node)`.
///
/// # Errors
/// Why nobody is to be evicted.
pub fn preempt(cycle: &Cycle<'_>, seed: u64) -> Result<Candidate, Spared> {
    eligible(cycle)?;
    let (found, missed) = candidates(cycle);
    let name = |candidate: &Candidate| cycle.snapshot.node(candidate.node).map_or("", |node| node.name.as_str());
    let best = found.into_iter().min_by_key(|candidate| (candidate.cost(), lot(seed, name(candidate))));
    best.ok_or_else(|| Spared::NoCandidate(sentence(&missed, cycle.snapshot.nodes.len())))
}

/// Whether pods may be evicted for it at all now.
fn eligible(cycle: &Cycle<'_>) -> Result<(), Spared> {
    let pod = cycle.pod;
    if pod.never_preempts {
        return Err(Spared::Never);
    }
    let Some((index, node)) =
        cycle.snapshot.nodes().enumerate().find(|(_, node)| Some(&node.name) == pod.nominated.as_ref())
    else {
        return Ok(());
    };
    let leaves = |other: &Occupant| other.priority < pod.priority && other.preempted;
    let never = may_help(cycle, index) == Some(false);
    if !never && node.pods().any(|(_, other)| leaves(other)) { Err(Spared::StillLeaving) } else { Ok(()) }
}

/// Whether evicting others could help the node; none when it can hold the pod as it is. Upstream stops at the first check that
/// fails, and this is the one it goes by, with everything that is wrong there.
fn may_help(cycle: &Cycle<'_>, index: usize) -> Option<bool> {
    let failures = failures_at(cycle, index);
    let first = failures.first()?.check();
    Some(failures.iter().take_while(|failure| failure.check() == first).all(Failure::may_pass_with_time))
}

/// Why a node is no candidate.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Miss {
    /// Something other than pods is in the way.
    NotHelpful,
    /// Nobody there has a lower priority.
    NoVictims,
    /// The pod does not fit either when they are gone.
    StillFails(Failure),
}

/// Every node on which eviction helps, in the snapshot's order; and of the others why it does not.
#[must_use]
pub fn candidates(cycle: &Cycle<'_>) -> (Vec<Candidate>, Vec<Miss>) {
    let (mut found, mut missed) = (Vec::new(), Vec::new());
    for index in 0..cycle.snapshot.nodes.len() {
        match candidate(cycle, index) {
            Ok(candidate) => found.push(candidate),
            Err(miss) => missed.push(miss),
        }
    }
    (found, missed)
}

/// Whether these pods' eviction makes the node hold the pod, as somebody else proposes it: the candidate with those of them
/// that are there, and how many of the evictions break a budget. `O(pods of the node)`.
///
/// # Errors
/// When pods of its priority or more are among them, when it may evict nobody, or when it does not fit either once they are
/// gone.
pub fn evicting(cycle: &Cycle<'_>, index: usize, victims: &BTreeSet<&str>) -> Result<Candidate, Miss> {
    let node = cycle.snapshot.node(index).ok_or(Miss::NotHelpful)?;
    let mut gone: Vec<Ranked<'_>> = node.pods().filter(|(uid, _)| victims.contains(uid.as_ref())).collect();
    if cycle.pod.never_preempts || gone.iter().any(|(_, pod)| pod.priority >= cycle.pod.priority) {
        return Err(Miss::NoVictims);
    }
    gone.sort_by_key(|(_, pod)| importance(pod.priority, pod.started, &pod.key));
    let trial = Trial::without(cycle, index, node, &gone);
    if let Some(failure) = trial.failure() {
        return Err(Miss::StillFails(failure));
    }
    let violations = breaking(&gone, cycle.snapshot).iter().filter(|(_, breaks)| *breaks).count();
    Ok(Candidate { node: index, victims: gone.into_iter().map(Victim::of).collect(), violations })
}

fn candidate(cycle: &Cycle<'_>, index: usize) -> Result<Candidate, Miss> {
    let node = cycle.snapshot.node(index).ok_or(Miss::NotHelpful)?;
    if may_help(cycle, index) != Some(true) {
        return Err(Miss::NotHelpful);
    }
    let is_lower = |pod: &Occupant| pod.priority < cycle.pod.priority;
    let mut lower: Vec<(&Arc<str>, &Occupant)> = node.pods().filter(|(_, pod)| is_lower(pod)).collect();
    if lower.is_empty() {
        return Err(Miss::NoVictims);
    }
    lower.sort_by_key(|(_, pod)| importance(pod.priority, pod.started, &pod.key));
    let mut trial = Trial::without(cycle, index, node, &lower);
    if let Some(failure) = trial.failure() {
        return Err(Miss::StillFails(failure));
    }
    let (breaking, others): (Vec<_>, Vec<_>) =
        breaking(&lower, cycle.snapshot).into_iter().partition(|(_, breaks)| *breaks);
    let mut candidate = Candidate { node: index, victims: Vec::new(), violations: 0 };
    for ((uid, pod), breaks) in breaking.into_iter().chain(others) {
        if !trial.lets_stay(uid, pod) {
            candidate.violations += usize::from(breaks);
            candidate.victims.push(Victim::of((uid, pod)));
        }
    }
    candidate.victims.sort_by_key(|victim| importance(victim.priority, victim.started, &victim.key));
    // It fits without them and not with all of them.
    if candidate.victims.is_empty() { Err(Miss::NotHelpful) } else { Ok(candidate) }
}

/// Most important first: by priority, then who runs longest, then by name.
fn importance(priority: i32, started: Option<Timestamp>, key: &Arc<str>) -> (Reverse<i32>, Timestamp, Arc<str>) {
    (Reverse(priority), since(started), Arc::clone(key))
}

/// Who has not started counts as starting now.
fn since(started: Option<Timestamp>) -> Timestamp {
    started.unwrap_or(Timestamp(i64::MAX))
}

type Ranked<'a> = (&'a Arc<str>, &'a Occupant);

/// Which of these evictions, one after the other, would break a budget.
fn breaking<'a>(pods: &[Ranked<'a>], snapshot: &Snapshot<'_>) -> Vec<(Ranked<'a>, bool)> {
    let mut left: Vec<i32> = snapshot.budgets.values().map(|budget| budget.allowed).collect();
    let mut broken = |pod: &Occupant| {
        let mut breaks = false;
        for (_, left) in snapshot.budgets.values().zip(&mut left).filter(|(budget, _)| budget.covers(pod)) {
            *left = left.saturating_sub(1);
            breaks |= *left < 0;
        }
        breaks
    };
    pods.iter().map(|pod| (*pod, broken(pod.1))).collect()
}

/// A node with pods thought away, both with and without the pods that its room is reserved for.
struct Trial<'a> {
    place: &'a Node,
    worlds: Vec<(Cycle<'a>, Node)>,
}

impl<'a> Trial<'a> {
    fn without(cycle: &Cycle<'a>, index: usize, place: &'a Node, gone: &[Ranked<'a>]) -> Self {
        let mut cycle = cycle.clone();
        gone.iter().for_each(|(_, pod)| cycle.shift(place, &pod.claim, -1));
        let mut node = place.clone();
        gone.iter().for_each(|(uid, _)| _ = node.remove(uid));
        let crowded = crowded(&cycle, index, &node);
        Self { place, worlds: std::iter::once((cycle, node)).chain(crowded).collect() }
    }

    fn failure(&self) -> Option<Failure> {
        self.worlds.iter().rev().find_map(|(cycle, node)| failures(cycle, node).into_iter().next())
    }

    /// Lets a pod back in, if the one that is to come still fits.
    fn lets_stay(&mut self, uid: &Arc<str>, pod: &'a Occupant) -> bool {
        for (cycle, node) in &mut self.worlds {
            cycle.shift(self.place, &pod.claim, 1);
            node.hold(Arc::clone(uid), pod.clone());
        }
        let fits = self.worlds.iter().all(|(cycle, node)| fits(cycle, node));
        for (cycle, node) in self.worlds.iter_mut().filter(|_| !fits) {
            cycle.shift(self.place, &pod.claim, -1);
            node.remove(uid);
        }
        fits
    }
}

impl Candidate {
    /// What its evictions cost, cheapest first: broken budgets; the highest priority; the sum of priorities, none counting
    /// as less than nothing; how many; and how long the most important of them run.
    #[must_use]
    pub fn cost(&self) -> (usize, i32, i64, usize, Reverse<Timestamp>) {
        let highest = self.victims.iter().map(|victim| victim.priority).max().unwrap_or(i32::MIN);
        let sum = self.victims.iter().map(|victim| i64::from(victim.priority) - i64::from(i32::MIN)).sum();
        let most_important = self.victims.iter().filter(|victim| victim.priority == highest);
        let oldest = most_important.map(|victim| since(victim.started)).min().unwrap_or_default();
        (self.violations, highest, sum, self.victims.len(), Reverse(oldest))
    }
}

/// kube-scheduler's histogram of why no node is a candidate.
fn sentence(missed: &[Miss], nodes: usize) -> String {
    let mut counts: BTreeMap<String, usize> = BTreeMap::new();
    for miss in missed {
        let reason = match miss {
            Miss::NotHelpful => "Preemption is not helpful for scheduling".to_owned(),
            Miss::NoVictims => "No preemption victims found for incoming pod".to_owned(),
            Miss::StillFails(failure) => failure.reason_text(),
        };
        *counts.entry(reason).or_default() += 1;
    }
    let mut parts: Vec<String> = counts.iter().map(|(reason, count)| format!("{count} {reason}")).collect();
    parts.sort();
    format!("0/{nodes} nodes are available: {}.", parts.join(", "))
}

#[cfg(test)]
mod tests;
