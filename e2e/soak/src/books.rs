//! What must hold between the cluster and the recorded decisions.
//!
//! [`keelson_sim::world::invariants`] judges the cluster alone; these judge what Keelson says it did. They are kept from
//! the stream of changes, and compared with the store at the end of the day.

use std::collections::BTreeMap;
use std::sync::Arc;

use keelson_api::names;
use keelson_core::decision::{Outcome, Verb};
use keelson_core::{Decision, Span, Timestamp};
use keelson_sim::objects::Event;
use keelson_sim::tree::Value;
use keelson_sim::world::kinds::{EVENTS, LEASES, NODES, PODS};
use keelson_sim::world::read::{Key, annotation, condition, int, labels, text, time, uid};

use crate::cast::{GROUP, GROUP_WAIT};
use crate::patience::Patience;
use crate::room::Room;
use crate::verdict::Verdict;

/// Every pod that Keelson was asked to place and that is bound has a decision that says so, with that node.
pub const RECORDED: &str = "Recorded";
/// A decision that says it placed a pod tells the truth.
pub const TRUTHFUL: &str = "Truthful";
/// No pod is placed by two decisions that both say they did it.
pub const ONCE: &str = "Once";
/// Everything Keelson wrote about a pod, it decided about that pod.
pub const ACCOUNTED: &str = "Accounted";
/// A pod that was bound is not told to wait after that: verdicts do not go back and forth.
pub const SETTLED: &str = "Settled";
/// Every pod was bound under the number of a Lease, and not under one that another had replaced for longer than it takes to
/// notice.
pub const FENCED: &str = "Fenced";
/// Once all is calm, no pod waits for which a node has had room half a minute long, and one that waits says why.
pub const PROGRESS: &str = "Progress";
/// No decision was dropped on its way to the store.
pub const KEPT: &str = "Kept";

/// Each of them.
pub const ALL: [&str; 8] = [RECORDED, TRUTHFUL, ONCE, ACCOUNTED, SETTLED, FENCED, PROGRESS, KEPT];

/// A pod that is younger at the end of the day may still wait.
const PATIENCE: Span = Span::minutes(10);

/// The longest from room to a binding once all is calm: the longest back-off, and some.
const REACTION: Span = Span::seconds(30);

/// How far the clocks of two replicas can be apart, and what was decided before a binding was seen.
const APART: Span = Span::minutes(8);

/// A replaced leader may still be answered for this long: it stops after 10 s without renewing, and a call it made before
/// takes a while to arrive.
const LAST_WORD: Span = Span::seconds(30);

/// The books of one day.
#[derive(Debug, Default)]
pub struct Books {
    bound: BTreeMap<String, (Key, String)>,
    /// The decisions that pods carry, when they were bound, and the number of the leader then.
    carried: BTreeMap<String, (String, Option<u64>)>,
    /// The numbers of the leaders, each with the moment it was first seen.
    fences: Vec<(u64, Timestamp)>,
    /// The pods that Keelson wrote about, and what it wrote last.
    written: BTreeMap<String, String>,
    silent: BTreeMap<String, bool>,
    lost_nodes: u64,
    verdict: Verdict,
}

impl Books {
    /// Enters a change of the cluster.
    pub fn see(&mut self, event: &Event, now: Timestamp) {
        let object = &event.object;
        if event.resource == LEASES && text(object, "spec.holderIdentity").starts_with("keelson-") {
            let fence = int(object, "spec.leaseTransitions").and_then(|fence| u64::try_from(fence).ok()).unwrap_or(0);
            let known = self.fences.last().map(|(known, _)| *known);
            if known.is_some_and(|known| fence < known) {
                // A Lease that was deleted may begin again below.
                self.fences.clear();
            }
            if known != Some(fence) {
                self.fences.push((fence, now));
            }
        }
        if event.resource == PODS && asks_keelson(object) && !text(object, "spec.nodeName").is_empty() {
            let node = text(object, "spec.nodeName").to_owned();
            if !self.bound.contains_key(uid(object)) {
                let by = annotation(object, names::DECISION).unwrap_or_default();
                // The lowest number that may still have acted.
                let lead = self.fences.iter().rev().find(|(_, since)| now.since(*since) > LAST_WORD);
                let lead = lead.or(self.fences.first()).map(|(fence, _)| *fence);
                self.carried.insert(uid(object).to_owned(), (by.to_owned(), lead));
            }
            self.bound.entry(uid(object).to_owned()).or_insert_with(|| (Key::of(object), node));
        }
        if let Some((pod, what)) = ours(event) {
            self.written.insert(pod, what);
        }
        if event.resource == NODES {
            let silent = condition(object, "Ready").is_some_and(|ready| text(ready, "status") == "Unknown");
            let before = self.silent.insert(uid(object).to_owned(), silent).unwrap_or(false);
            self.lost_nodes += u64::from(silent && !before) + u64::from(event.deleted && !before);
        }
    }

    /// How many machines fell silent or went.
    #[must_use]
    pub fn lost_nodes(&self) -> u64 {
        self.lost_nodes
    }

    /// Closes the books at the end of the day, when all has been calm for a while.
    pub fn close(&mut self, decisions: &[Decision], dropped: u64, room: &Room, patience: &Patience, now: Timestamp) {
        self.compare(decisions);
        self.look_for_the_forgotten(room, patience, now);
        self.verdict.hold(KEPT, dropped == 0, || format!("{dropped} decisions were dropped"));
    }

    fn compare(&mut self, decisions: &[Decision]) {
        let mut placed: BTreeMap<&str, Vec<&Decision>> = BTreeMap::new();
        for decision in decisions.iter().filter(|decision| decision.verb == Verb::Place) {
            placed.entry(&decision.subject.uid).or_default().push(decision);
        }
        let bound = std::mem::take(&mut self.bound);
        for (id, (pod, node)) in &bound {
            let said = placed.get(id.as_str()).map(Vec::as_slice).unwrap_or_default();
            let recorded = said.iter().any(|decision| decision.chosen.as_deref() == Some(node));
            self.verdict.hold(RECORDED, recorded, || format!("{pod:?} is on {node}, and no decision says so"));
            let done: Vec<_> = said.iter().filter(|decision| decision.outcome == Outcome::Done).collect();
            let says = |decision: &&&Decision| format!("{} at {}: {:?}", decision.id, decision.at, decision.steps);
            let what = || done.iter().map(says).collect::<Vec<_>>().join("; ");
            self.verdict.hold(ONCE, done.len() <= 1, || format!("{pod:?} was bound by several: {}", what()));
        }
        for decision in placed.values().flatten().filter(|decision| decision.outcome == Outcome::Done) {
            let truth = bound.get(&decision.subject.uid).map(|(_, node)| node.as_str());
            let what = || format!("{} says {:?}, but it is on {truth:?}", decision.id, decision.chosen);
            self.verdict.hold(TRUTHFUL, truth == decision.chosen.as_deref(), what);
        }
        self.bound = bound;
        let by_id: BTreeMap<String, &Decision> =
            decisions.iter().map(|decision| (decision.id.to_string(), decision)).collect();
        for (pod, (by, lead)) in std::mem::take(&mut self.carried) {
            let fence = by_id.get(&by).map(|decision| decision.fence);
            let fenced = fence.zip(lead).is_some_and(|(fence, lead)| fence >= lead);
            self.verdict.hold(FENCED, fenced, || format!("pod {pod} was bound by {by} under {fence:?}, {lead:?} led"));
        }
        let mut about: BTreeMap<&str, Vec<&Decision>> = BTreeMap::new();
        decisions.iter().for_each(|decision| about.entry(&decision.subject.uid).or_default().push(decision));
        for (pod, what) in std::mem::take(&mut self.written) {
            let accounted = about.contains_key(pod.as_str());
            self.verdict.hold(ACCOUNTED, accounted, || format!("nothing was decided about pod {pod}, but {what}"));
        }
        for decisions in about.values() {
            let placed = |decision: &&&Decision| decision.verb == Verb::Place && decision.outcome == Outcome::Done;
            let Some(placed) = decisions.iter().find(placed) else { continue };
            let back = decisions.iter().find(|decision| {
                matches!(decision.verb, Verb::Wait | Verb::Refuse) && decision.at.since(placed.at) > APART
            });
            let what = || format!("{} placed {}, {:?} let it wait", placed.id, placed.subject, back.map(|it| it.id));
            self.verdict.hold(SETTLED, back.is_none(), what);
        }
    }

    fn look_for_the_forgotten(&mut self, room: &Room, patience: &Patience, now: Timestamp) {
        let old = |pod: &&Arc<Value>| {
            let born = time(pod, "metadata.creationTimestamp").unwrap_or(now);
            let more = if labels(pod).contains_key(GROUP) { GROUP_WAIT } else { Span::ZERO };
            now.since(born) > Span(PATIENCE.0 + more.0)
        };
        for pod in room.waiting().filter(old) {
            let said = condition(pod, "PodScheduled").map(|said| text(said, "reason").to_owned()).unwrap_or_default();
            self.verdict.hold(PROGRESS, !said.is_empty(), || format!("{:?} waits and does not say why", Key::of(pod)));
            let free = patience.nodes_long_for(pod, REACTION, now, room);
            self.verdict.hold(PROGRESS, free.is_empty(), || {
                format!("{:?} waits ({said}) although {free:?} have room", Key::of(pod))
            });
        }
        // Where everything was placed, waiting was at stake all the same.
        self.verdict.hold(PROGRESS, true, String::new);
    }

    /// How often each was at stake, and what was broken.
    #[must_use]
    pub fn verdict(self) -> Verdict {
        self.verdict
    }
}

/// What Keelson wrote, and the uid of the pod it wrote it about.
fn ours(event: &Event) -> Option<(String, String)> {
    let object = &event.object;
    if event.deleted {
        return None;
    }
    if event.resource == EVENTS {
        let reporter = [text(object, "reportingController"), text(object, "reportingComponent")];
        let about = [text(object, "regarding.uid"), text(object, "involvedObject.uid")];
        let about = about.into_iter().find(|uid| !uid.is_empty())?;
        let ours = reporter.iter().any(|name| name.starts_with(names::GROUP));
        return ours.then(|| (about.to_owned(), format!("an event says {}", text(object, "reason"))));
    }
    let waits = condition(object, "PodScheduled").filter(|said| text(said, "status") == "False")?;
    let ours = event.resource == PODS && asks_keelson(object);
    ours.then(|| (uid(object).to_owned(), format!("its condition says {}", text(waits, "reason"))))
}

fn asks_keelson(pod: &Value) -> bool {
    text(pod, "spec.schedulerName") == names::SCHEDULER
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use keelson_sim::tree::json;

    use super::*;
    use crate::room::tests::{Stage, node, pod};

    /// How often a pod is said to be forgotten that has room for so long, on a node of which something is written now.
    fn forgotten(long: Span) -> usize {
        let (mut stage, mut books, mut patience) = (Stage::default(), Books::default(), Patience::default());
        let mut waits = pod("waits", "1", json!({}));
        let said = json!({"conditions": [{"type": "PodScheduled", "status": "False", "reason": "Unschedulable"}]});
        waits.as_object_mut().unwrap().insert("status".to_owned(), said);
        let metadata = waits.get_mut("metadata").and_then(Value::as_object_mut).unwrap();
        metadata.insert("creationTimestamp".to_owned(), json!("1970-01-01T00:00:00Z"));
        stage.see(PODS, waits, |_, _, _| {});
        stage.now = stage.now + Span::minutes(60);
        stage.see(NODES, node("n", "2"), |event, now, room| patience.see(event, now, room));
        stage.now = stage.now + long;
        stage.see(NODES, node("n", "2"), |event, now, room| {
            patience.see(event, now, room);
            books.look_for_the_forgotten(room, &patience, now);
        });
        books.verdict().breaches.len()
    }

    #[test]
    fn room_that_came_a_moment_ago_is_nobodys_fault() {
        assert_eq!(forgotten(Span::ZERO), 0);
        assert_eq!(forgotten(REACTION), 0);
        assert_eq!(forgotten(Span::minutes(1)), 1);
    }
}
