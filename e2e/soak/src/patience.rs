//! How long a pod may wait that need not: no starvation, at any time of the day.
//!
//! A pod of ours waits needlessly while some ready node has room for it under all its rules. The clock of that node runs
//! from the moment at which this began to be so, and only while all is calm: neither an outage nor another leader, which both
//! begin anew. A pod of an AppGroup may wait for the others before that. It is looked at every half a minute, and when
//! something about such a node changes.
//!
//! Promise: nothing is called broken that a scheduler which keeps the rules could have done: within [`PATIENCE`] every
//! watch has spoken again, and every back-off is over.

use std::collections::{BTreeMap, BTreeSet};

use keelson_core::{Span, Timestamp};
use keelson_sim::objects::Event;
use keelson_sim::tree::Value;
use keelson_sim::world::kinds::{LEASES, NODES, PODS};
use keelson_sim::world::read::{Key, controller, int, labels, list, text, uid};

use crate::cast::{GROUP, GROUP_WAIT};
use crate::day::GRACE;
use crate::room::{Room, priority};
use crate::verdict::Verdict;

/// A pod that has room on a ready node the whole time is bound within [`PATIENCE`] of calm, and within [`GROUP_WAIT`] more
/// when it is of an AppGroup.
pub const WAITS: &str = "Waits";
/// Each of them.
pub const ALL: [&str; 1] = [WAITS];

/// How long a pod that has room may wait.
pub const PATIENCE: Span = Span(GRACE.0 + Span::minutes(2).0);

/// How often it is looked.
const EVERY: Span = Span::seconds(30);

/// A pod that waits although some nodes have room: since when, and which.
#[derive(Debug)]
struct Needless {
    pod: Key,
    since: Timestamp,
    nodes: BTreeSet<String>,
    told: bool,
}

/// The checker.
#[derive(Debug, Default)]
pub struct Patience {
    waits: BTreeMap<String, Needless>,
    leader: Option<(String, Option<i64>)>,
    next: Timestamp,
    verdict: Verdict,
}

impl Patience {
    /// Sees the next change, which `room` has seen already.
    pub fn see(&mut self, event: &Event, now: Timestamp, room: &Room) {
        let object = &event.object;
        if event.resource == LEASES && text(object, "spec.holderIdentity").starts_with("keelson-") {
            let holder = text(object, "spec.holderIdentity").to_owned();
            let leader = Some((holder, int(object, "spec.leaseTransitions"))).filter(|_| !event.deleted);
            if leader != self.leader {
                self.disturb();
                self.leader = leader;
            }
        } else if event.resource == NODES {
            self.narrow(text(object, "metadata.name"), room);
        } else if event.resource == PODS {
            let node = text(object, "spec.nodeName");
            let waited = self.waits.remove(uid(object)).filter(|_| !event.deleted);
            if !node.is_empty() && waited.as_ref().is_some_and(|needless| !needless.nodes.is_empty()) {
                self.verdict.hold(WAITS, true, String::new);
            }
            if !event.deleted && node.is_empty() {
                self.waits.extend(waited.map(|needless| (uid(object).to_owned(), needless)));
            } else if event.before.as_ref().is_none_or(|before| text(before, "spec.nodeName") != node) {
                self.narrow(node, room);
            }
        }
        if now >= self.next {
            self.next = now + EVERY;
            self.look(now, room);
        }
    }

    /// Nobody could act: every clock begins anew.
    pub fn disturb(&mut self) {
        self.waits.clear();
    }

    /// The nodes that have had room for a pod for longer than this, all the time and while all was calm.
    #[must_use]
    pub fn nodes_long_for(&self, pod: &Value, long: Span, now: Timestamp, room: &Room) -> BTreeSet<String> {
        let needless = self.waits.get(uid(pod)).filter(|needless| now.since(needless.since) > long);
        needless.map_or_else(BTreeSet::new, |needless| &needless.nodes & &room.nodes_for(pod))
    }

    /// How often it was at stake, and what was broken.
    #[must_use]
    pub fn verdict(self) -> Verdict {
        self.verdict
    }

    /// A node changed: whom it holds no more.
    fn narrow(&mut self, node: &str, room: &Room) {
        for needless in self.waits.values_mut().filter(|needless| needless.nodes.contains(node)) {
            if !room.pod(&needless.pod).is_some_and(|pod| room.holds(node, &pod)) {
                needless.nodes.remove(node);
            }
        }
    }

    fn look(&mut self, now: Timestamp, room: &Room) {
        // Pods of one owner are alike.
        let mut known: BTreeMap<(String, i64), BTreeSet<String>> = BTreeMap::new();
        for pod in room.waiting() {
            let owner = controller(pod).map_or_else(|| uid(pod).to_owned(), |owner| text(owner, "uid").to_owned());
            let nodes = known.entry((owner, priority(pod))).or_insert_with(|| room.nodes_for(pod));
            let fresh = || Needless { pod: Key::of(pod), since: now, nodes: nodes.clone(), told: false };
            let needless = self.waits.entry(uid(pod).to_owned()).or_insert_with(fresh);
            needless.nodes.retain(|node| nodes.contains(node));
            if needless.nodes.is_empty() {
                *needless = fresh();
            }
            let (since, waited) = (needless.since, now.since(needless.since));
            if !needless.nodes.is_empty() && waited > patience(pod) && !std::mem::replace(&mut needless.told, true) {
                let nodes: Vec<&str> = needless.nodes.iter().map(String::as_str).take(3).collect();
                let said = said(pod);
                let what = || format!("{:?} at {now}: since {since} {nodes:?} have room; {said}", needless.pod);
                self.verdict.hold(WAITS, false, what);
            }
        }
    }
}

fn patience(pod: &Value) -> Span {
    let more = if labels(pod).contains_key(GROUP) { GROUP_WAIT } else { Span::ZERO };
    Span(PATIENCE.0 + more.0)
}

/// What the pod says of itself.
fn said(pod: &Value) -> String {
    let conditions = list(pod, "status.conditions");
    conditions.iter().map(|condition| text(condition, "message")).collect::<Vec<_>>().join("; ")
}

#[cfg(test)]
mod tests {
    use keelson_sim::tree::json;

    use super::*;
    use crate::room::tests::{Stage, node, pod};

    fn after(minutes: i64, happens: impl FnOnce(&mut Stage, &mut Patience)) -> (u64, usize) {
        let (mut stage, mut patience) = (Stage::default(), Patience::default());
        stage.see(NODES, node("n", "2"), |event, now, room| patience.see(event, now, room));
        stage.see(PODS, pod("waits", "1", json!({})), |event, now, room| patience.see(event, now, room));
        happens(&mut stage, &mut patience);
        for _ in 0..2 * minutes {
            stage.now = stage.now + Span::seconds(30);
            stage
                .see(LEASES, json!({"metadata": {"name": "other"}}), |event, now, room| patience.see(event, now, room));
        }
        let on = json!({"nodeName": "n"});
        stage.see(PODS, pod("waits", "1", on), |event, now, room| patience.see(event, now, room));
        let verdict = patience.verdict();
        (verdict.stakes(), verdict.breaches.len())
    }

    #[test]
    fn who_has_room_and_waits_longer_than_anybody_must_is_forgotten() {
        assert_eq!(after(4, |_, _| {}), (1, 0));
        assert_eq!(after(7, |_, _| {}), (2, 1), "told once");
    }

    #[test]
    fn who_has_no_room_or_nobody_who_could_act_waits_rightly() {
        let taken = |stage: &mut Stage, patience: &mut Patience| {
            let other = pod("other", "1500m", json!({"nodeName": "n"}));
            stage.see(PODS, other, |event, now, room| patience.see(event, now, room));
        };
        assert_eq!(after(20, taken), (0, 0));
        let led = |stage: &mut Stage, patience: &mut Patience| {
            stage.now = stage.now + Span::minutes(4);
            let lease = json!({"metadata": {"name": "keelson"}, "spec": {"holderIdentity": "keelson-1"}});
            stage.see(LEASES, lease, |event, now, room| patience.see(event, now, room));
        };
        assert_eq!(after(4, led), (1, 0), "another leader begins anew");
    }
}
