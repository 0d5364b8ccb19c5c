//! The disruption gate: who may take a pod away now.
//!
//! Every eviction and deletion of every feature asks here. What counts is what is unavailable already, for whatever
//! reason: a rollout, a crash, another feature, a person. Each scope (workload, node, zone, cluster) may lose
//! max(1, 10 %) of its pods at a time, the cluster max(10, 30 %) within an hour, and a workload rests a minute between two
//! disruptions. A bid names what it saves: while one waits for a scope, a smaller saving does not overtake it.
//!
//! Promises: pure, pods and time are handed in; what was granted a moment ago counts before the watch shows it; a pod
//! marked do-not-disrupt is never granted; a pod that is not ready makes nothing more unavailable, and is held only by its
//! workload's rest and by the hour.

use std::collections::{BTreeMap, VecDeque};

use keelson_core::{DecisionId, Feature, ObjectRef, Span, Timestamp};

/// How much each scope may lose at a time, in percent (and at least one pod).
const SHARE: usize = 10;
/// How much the cluster may lose within an hour, in percent, and the least that is allowed.
const HOUR_SHARE: usize = 30;
const HOUR_LEAST: usize = 10;
/// A workload's rest between two disruptions.
const COOL_DOWN: Span = Span::minutes(1);
/// How long a grant counts as unavailable while the pods do not show it.
const UNSEEN: Span = Span::minutes(1);
/// How long a held bid keeps its place before smaller ones.
const PATIENCE: Span = Span::minutes(1);
/// When it is looked at what a disruption left behind.
const SETTLE: Span = Span::minutes(5);

/// A pod as the gate sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PodView {
    /// The pod, with its uid.
    pub pod: ObjectRef,
    /// Its controller, `ReplicaSet shop/cart-7d9`; its own name when it has none.
    pub workload: String,
    /// Its node; empty when it has none yet.
    pub node: String,
    /// Its node's zone; empty when unknown.
    pub zone: String,
    /// Whether it serves: ready and not going.
    pub ready: bool,
    /// The annotation that forbids disrupting it.
    pub protected: Option<String>,
}

/// A wish to take a pod away.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bid {
    /// Whose wish.
    pub feature: Feature,
    /// The decision behind it.
    pub decision: DecisionId,
    /// The pod, with its uid.
    pub pod: ObjectRef,
    /// What it saves, in one unit for all features; larger goes first.
    pub saving: i64,
    /// Whether it makes room for a pod of higher priority. Then whoever waits for a node is not counted, for that is what room
    /// is made for; and all evictions of one decision are judged as one.
    pub makes_room: bool,
}

/// What the gate said.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// Go.
    Granted,
    /// Not now.
    Held {
        /// For people.
        why: String,
        /// The decisions whose disruptions it waits for.
        waits_for: Vec<DecisionId>,
    },
}

#[derive(Debug, Clone)]
struct Grant {
    bid: Bid,
    at: Timestamp,
    place: PodView,
    ready_before: usize,
    settled: bool,
}

/// The gate's memory: the grants of the last hour and the bids that wait.
#[derive(Debug, Clone, Default)]
pub struct Gate {
    grants: VecDeque<Grant>,
    waiting: BTreeMap<ObjectRef, (Bid, String, Timestamp)>,
}

/// What a disruption left behind.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settled {
    /// Whose disruption.
    pub feature: Feature,
    /// The workload that was disrupted.
    pub workload: String,
    /// Whether it has fewer ready pods than before, and pods that are not ready.
    pub harmed: bool,
}

impl Gate {
    /// Asks for one pod. `O(pods)`.
    pub fn ask(&mut self, bid: &Bid, pods: &[PodView], now: Timestamp) -> Verdict {
        self.forget(now);
        let Some(pod) = pods.iter().find(|view| view.pod.uid == bid.pod.uid && view.pod.name == bid.pod.name) else {
            // Too new to be counted, or gone already: the next look tells.
            return held(format!("{} is not among the pods that are known", bid.pod), Vec::new());
        };
        if let Some(annotation) = &pod.protected {
            return held(format!("{} is marked {annotation}", pod.pod), Vec::new());
        }
        if let Some((scope, why, waits_for)) = self.obstacle(bid, pod, pods, now) {
            let since = self.waiting.get(&bid.pod).map_or(now, |(_, _, since)| *since);
            self.waiting.insert(bid.pod.clone(), (bid.clone(), scope, since));
            return held(why, waits_for);
        }
        self.waiting.remove(&bid.pod);
        let ready_before = pods.iter().filter(|view| view.workload == pod.workload && view.ready).count();
        let (bid, place) = (bid.clone(), pod.clone());
        self.grants.push_back(Grant { bid, at: now, place, ready_before, settled: false });
        Verdict::Granted
    }

    /// Takes back the last grant for a pod: the disruption did not happen.
    pub fn release(&mut self, pod: &ObjectRef) {
        if let Some(last) = self.grants.iter().rposition(|grant| grant.bid.pod == *pod) {
            self.grants.remove(last);
        }
    }

    /// Whether [`Gate::settled`] has something to tell.
    #[must_use]
    pub fn has_unsettled(&self, now: Timestamp) -> bool {
        self.grants.iter().any(|grant| !grant.settled && now.since(grant.at) >= SETTLE)
    }

    /// What the disruptions of five minutes ago left behind, each told once.
    pub fn settled(&mut self, pods: &[PodView], now: Timestamp) -> Vec<Settled> {
        let due = self.grants.iter_mut().filter(|grant| !grant.settled && now.since(grant.at) >= SETTLE);
        let look = |grant: &mut Grant| {
            grant.settled = true;
            let mine = || pods.iter().filter(|view| view.workload == grant.place.workload);
            let ready = mine().filter(|view| view.ready).count();
            // Fewer pods with none unready is a smaller workload, not a harmed one.
            let harmed = ready < grant.ready_before && mine().any(|view| !view.ready);
            Settled { feature: grant.bid.feature, workload: grant.place.workload.clone(), harmed }
        };
        due.map(look).collect()
    }

    /// The first scope that forbids it: its name, the sentence, and whose disruptions fill it.
    fn obstacle(
        &self,
        bid: &Bid,
        pod: &PodView,
        pods: &[PodView],
        now: Timestamp,
    ) -> Option<(String, String, Vec<DecisionId>)> {
        let is_part = |grant: &Grant| bid.makes_room && grant.bid.decision == bid.decision;
        let others = || self.grants.iter().rev().filter(|grant| !is_part(grant));
        let rest = others().find(|grant| grant.place.workload == pod.workload);
        if let Some(last) = rest.filter(|grant| now.since(grant.at) < COOL_DOWN) {
            let left = last.at + COOL_DOWN - now;
            let why = format!("{} was disrupted by {}; it rests for {left}", pod.workload, last.bid.feature);
            return Some((format!("workload {}", pod.workload), why, vec![last.bid.decision]));
        }
        // Without a pod that is not ready nothing more is unavailable. It rests with its workload all the same: it may be the
        // one that makes up for another, and would never become ready.
        for (scope, belongs) in scopes(pod).into_iter().filter(|_| pod.ready) {
            let all = pods.iter().filter(|view| belongs(view)).count();
            let counts = |view: &&PodView| !(bid.makes_room && view.node.is_empty());
            let away = pods.iter().filter(|view| belongs(view) && !view.ready).filter(counts).count();
            let unseen = self.unseen(pods, now).filter(|grant| belongs(&grant.place) && !is_part(grant)).count();
            let most = (all * SHARE / 100).max(1);
            if away + unseen + 1 > most {
                let why = format!("{scope}: {} of {all} pods unavailable, at most {most} may be", away + unseen);
                return Some((scope, why, self.decisions(|grant| belongs(&grant.place))));
            }
            let before = self.waiting.values().find(|(other, waits_for, since)| {
                *waits_for == scope && other.saving > bid.saving && other.pod != bid.pod && now.since(*since) < PATIENCE
            });
            if let Some((other, ..)) = before {
                let why = format!("{scope}: {} of {} waits and saves more", other.pod, other.feature);
                return Some((scope, why, vec![other.decision]));
            }
        }
        let hour = (pods.len() * HOUR_SHARE / 100).max(HOUR_LEAST);
        if self.grants.len() >= hour {
            let why = format!("{} pods disrupted within the hour, at most {hour} may be", self.grants.len());
            return Some(("hour".to_owned(), why, Vec::new()));
        }
        None
    }

    /// Grants that the pods do not show yet: the pod is still ready, or gone with nothing in its place.
    fn unseen<'a>(&'a self, pods: &'a [PodView], now: Timestamp) -> impl Iterator<Item = &'a Grant> {
        self.grants.iter().filter(move |grant| {
            let seen = pods.iter().any(|view| view.pod.uid == grant.place.pod.uid && !view.ready);
            now.since(grant.at) < UNSEEN && !seen
        })
    }

    fn decisions(&self, belongs: impl Fn(&Grant) -> bool) -> Vec<DecisionId> {
        let recent = self.grants.iter().rev().filter(|grant| belongs(grant));
        recent.map(|grant| grant.bid.decision).take(keelson_core::decision::MAX_CAUSES).collect()
    }

    fn forget(&mut self, now: Timestamp) {
        while self.grants.front().is_some_and(|grant| now.since(grant.at) >= Span::hours(1)) {
            self.grants.pop_front();
        }
        self.waiting.retain(|_, (.., since)| now.since(*since) < PATIENCE);
    }
}

const fn held(why: String, waits_for: Vec<DecisionId>) -> Verdict {
    Verdict::Held { why, waits_for }
}

type Scope<'a> = (String, Box<dyn Fn(&PodView) -> bool + 'a>);

/// The scopes of a pod, the smallest first; unknown ones are left out.
fn scopes(pod: &PodView) -> Vec<Scope<'_>> {
    let mut list: Vec<Scope<'_>> =
        vec![(format!("workload {}", pod.workload), Box::new(|view| view.workload == pod.workload))];
    if !pod.node.is_empty() {
        list.push((format!("node {}", pod.node), Box::new(|view| view.node == pod.node)));
    }
    if !pod.zone.is_empty() {
        list.push((format!("zone {}", pod.zone), Box::new(|view| view.zone == pod.zone)));
    }
    list.push(("cluster".to_owned(), Box::new(|_| true)));
    list
}

#[cfg(test)]
#[path = "gate/tests.rs"]
mod tests;
