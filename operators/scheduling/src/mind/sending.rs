//! Bindings that were decided a moment ago, and what others do meanwhile.
//!
//! A decision is recorded before it is carried out, and another scheduler binds in between. What the watch says until the
//! moment of sending is held against every binding that waits for it, and one that would not be decided so any more is taken
//! back. After that moment nobody can: the API server binds two pods to a place that holds one. Then it is told which two,
//! and the kubelet refuses the one that reaches it last.
//!
//! Promises: a binding is sent or taken back, never both; what cannot be had any more is never sent once the watch said so;
//! two that were bound at once are named.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};

use keelson_core::{Decision, DecisionId, Feature, ObjectRef, Plan, Reason, Span, Timestamp, Verb};
use keelson_placement::{Claim, Cycle, Failure, Pod, failures_at, fits_alone};

use super::{Job, Mind};
use crate::decide::{CONTROLLER, Moment};

/// For how long after its decision a binding may collide: the other scheduler decided without having seen it, and its own is
/// heard of last.
const MOMENT: Span = Span::seconds(30);
/// How many are remembered.
const REMEMBERED: usize = 4_096;

/// The right to send one binding: the executor takes it, or the mind takes it back, whoever is first.
#[derive(Debug, Clone, Default)]
pub struct Pass(Arc<Mutex<Stage>>);

#[derive(Debug, Default, PartialEq, Eq)]
enum Stage {
    #[default]
    Waits,
    Sent,
    TakenBack(String),
}

impl Pass {
    /// Asked right before the binding is sent: why it must not be, if it must not.
    #[must_use]
    pub fn overtaken(&self) -> Option<String> {
        let mut stage = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match &*stage {
            Stage::TakenBack(why) => Some(why.clone()),
            Stage::Waits | Stage::Sent => {
                *stage = Stage::Sent;
                None
            }
        }
    }

    /// Whether it could be taken back: it was not sent.
    fn take_back(&self, why: String) -> bool {
        let mut stage = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let waits = *stage == Stage::Waits;
        if waits {
            *stage = Stage::TakenBack(why);
        }
        waits
    }
}

/// The same right, or another that went the same way.
impl PartialEq for Pass {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

impl Eq for Pass {}

/// A binding that was decided a moment ago.
#[derive(Debug, Clone)]
struct Fresh {
    at: Timestamp,
    pod: Pod,
    node: String,
    decision: DecisionId,
    pass: Pass,
    collided: bool,
}

/// Two pods that were bound at once where only one can be.
#[derive(Debug, Clone)]
struct Collision {
    seen: Timestamp,
    ours: ObjectRef,
    theirs: ObjectRef,
    node: String,
    decision: DecisionId,
    why: String,
}

/// What was decided a moment ago, the oldest first, and who collided.
#[derive(Debug, Clone, Default)]
pub(super) struct Sending {
    fresh: VecDeque<Fresh>,
    collisions: VecDeque<Collision>,
}

impl Sending {
    /// A binding is about to be sent.
    pub(super) fn decided(&mut self, pod: Pod, node: &str, at: Moment) -> Pass {
        self.forget(at.now);
        let pass = Pass::default();
        let (node, decision) = (node.to_owned(), at.decision);
        self.fresh.push_back(Fresh { at: at.now, pod, node, decision, pass: pass.clone(), collided: false });
        pass
    }

    fn forget(&mut self, now: Timestamp) {
        let old = |fresh: &Fresh| now.since(fresh.at) >= MOMENT;
        while self.fresh.len() >= REMEMBERED || self.fresh.front().is_some_and(old) {
            self.fresh.pop_front();
        }
    }

    pub(super) fn has_collisions(&self) -> bool {
        !self.collisions.is_empty()
    }
}

/// Whether it is other pods that stand in the way, by a rule that every scheduler keeps: they were bound at once then. Nobody
/// but who wrote it keeps another's spread.
const fn contends(failure: &Failure) -> bool {
    matches!(
        failure,
        Failure::Ports { .. }
            | Failure::TooManyPods { .. }
            | Failure::Insufficient { .. }
            | Failure::Peers { .. }
            | Failure::Repelled { .. }
    )
}

impl Mind {
    /// A pod that is not ours to bind came to a node.
    pub(super) fn came(&mut self, uid: &str, key: &str, now: Timestamp) {
        self.sending.forget(now);
        if self.sending.fresh.is_empty() {
            return;
        }
        let (node, claim) = (self.state.node_of(uid), self.state.claim_elsewhere(uid));
        let (Some(node), Some(claim)) = (node.map(str::to_owned), claim.cloned()) else { return };
        for index in (0..self.sending.fresh.len()).rev() {
            let Some(fresh) = self.sending.fresh.get(index) else { continue };
            let concerns = fresh.node == node && self.is_crowded(fresh, Some(uid)) || self.minds(fresh, &claim);
            let failures = if concerns { self.failures(fresh) } else { Vec::new() };
            if failures.is_empty() {
                continue;
            }
            let why = words(failures.iter());
            if fresh.pass.take_back(format!("{key} was bound to {node} meanwhile: {why}")) {
                let uid = fresh.pod.uid.clone();
                self.give_back(&uid, now);
                continue;
            }
            let contended: Vec<&Failure> = failures.iter().filter(|failure| contends(failure)).collect();
            if !fresh.collided && !contended.is_empty() {
                let (namespace, name) = key.split_once('/').unwrap_or_default();
                let theirs = ObjectRef::namespaced("Pod", namespace, name).with_uid(uid);
                let ours = ObjectRef::namespaced("Pod", &fresh.pod.namespace, &fresh.pod.name).with_uid(&fresh.pod.uid);
                let (node, decision, why) = (fresh.node.clone(), fresh.decision, words(contended.into_iter()));
                self.sending.collisions.push_back(Collision { seen: now, ours, theirs, node, decision, why });
                self.sending.fresh.iter_mut().skip(index).take(1).for_each(|fresh| fresh.collided = true);
                return;
            }
        }
    }

    /// A node changed or went: what waits to be sent there is looked at again.
    pub(super) fn is_otherwise(&mut self, node: &str, now: Timestamp) {
        for index in (0..self.sending.fresh.len()).rev() {
            let Some(fresh) = self.sending.fresh.get(index).filter(|fresh| fresh.node == node) else { continue };
            if !self.is_crowded(fresh, None) {
                continue;
            }
            let failures = self.failures(fresh);
            let why = if failures.is_empty() { "it is gone".to_owned() } else { words(failures.iter()) };
            if fresh.pass.take_back(format!("{node} has changed meanwhile: {why}")) {
                let uid = fresh.pod.uid.clone();
                self.give_back(&uid, now);
            }
        }
    }

    /// Whether the node, taken by itself, cannot hold the pod that is there, or is gone; because of `other`, where one is
    /// asked about.
    fn is_crowded(&self, fresh: &Fresh, other: Option<&str>) -> bool {
        if !self.is_there(fresh) {
            return false;
        }
        let Some(member) = self.state.member(&fresh.node) else { return true };
        let mut without = member.node.clone();
        without.remove(&fresh.pod.uid);
        !fits_alone(&fresh.pod, &without)
            && other.is_none_or(|other| {
                without.remove(other);
                fits_alone(&fresh.pod, &without)
            })
    }

    fn minds(&self, fresh: &Fresh, claim: &Claim) -> bool {
        fresh.pod.minds(claim, self.state.live().namespaces()) && self.is_there(fresh)
    }

    fn is_there(&self, fresh: &Fresh) -> bool {
        self.state.node_of(&fresh.pod.uid) == Some(fresh.node.as_str())
    }

    fn failures(&self, fresh: &Fresh) -> Vec<Failure> {
        let snapshot = self.state.live().snapshot_for(&fresh.pod);
        let index = snapshot.nodes().position(|node| node.name == fresh.node);
        index.map_or_else(Vec::new, |index| failures_at(&Cycle::new(&fresh.pod, &snapshot), index))
    }

    /// The next two that were bound at once.
    pub(super) fn next_collision(&mut self, at: Moment) -> Option<Job> {
        let Collision { seen, ours, theirs, node, decision, why } = self.sending.collisions.pop_front()?;
        let sentence = format!(
            "{node} cannot hold both this pod and {}, which was bound at the same moment: it {why}. The kubelet refuses what \
             reaches it last and does not fit; rules between pods nobody holds any more.",
            theirs.path()
        );
        let what = (Verb::Compare, Reason::BoundAtOnce);
        let uid = ours.uid.clone();
        let record = Decision {
            id: at.decision,
            mode: self.standing.settings.mode,
            related: vec![ObjectRef::cluster("Node", &node), theirs],
            causes: vec![decision],
            cause_count: 1,
            plan: at.plan,
            ..Decision::new((Feature::Scheduling, CONTROLLER), 0, ours, what, sentence, at.now)
        };
        self.books.record(&record, false);
        let plan = Plan { decisions: vec![record], ..Plan::default() };
        Some(Job { uid, plan, recording: None, awaits: None, pass: None, waited: at.now.since(seen) })
    }
}

fn words<'a>(failures: impl Iterator<Item = &'a Failure>) -> String {
    failures.map(ToString::to_string).collect::<Vec<_>>().join("; ")
}
