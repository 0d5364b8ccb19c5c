//! What must hold although bindings overtake each other: required pod affinity and hard spread, by zone.
//!
//! Who decides knows the cluster as it was up to [`GRACE`] ago, and what it has decided since; neither is in the stream of
//! changes. So a binding is only held against everything that can have been so: each count as it was at some moment of that
//! time, and every pod that waits taken to be where it suits the binding best. What breaks a rule even then is broken. In a
//! burst that says little; of one pod that is placed among others that run, it says all.
//!
//! Promise: nothing is called broken that a scheduler which keeps the rules could have done.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use keelson_core::Timestamp;
use keelson_sim::objects::Event;
use keelson_sim::tree::Value;
use keelson_sim::world::demand::is_finished;
use keelson_sim::world::kinds::{NODES, PODS};
use keelson_sim::world::nodes;
use keelson_sim::world::read::{Key, entry, int, is_leaving, labels, list, namespace, text, uid};

use crate::day::GRACE;
use crate::verdict::Verdict;

/// A bound pod is in a zone where one runs that it must be with, unless none ran anywhere.
pub const NEAR: &str = "Near";
/// A bound pod does not make its zone hold more pods beyond the emptiest than it allows.
pub const SPREAD: &str = "Spread";
/// Each of them.
pub const ALL: [&str; 2] = [NEAR, SPREAD];

const ZONE: &str = "topology.kubernetes.io/zone";
const AFFINITY: &str = "spec.affinity.podAffinity.requiredDuringSchedulingIgnoredDuringExecution";

/// A workload: its namespace and its label `app`. (Rules of these days select by that.)
type Group = (String, String);

/// A pod of a workload that has such a rule.
#[derive(Debug, Clone)]
struct Member {
    group: Group,
    node: String,
    leaving: bool,
}

/// What a workload looked like from a moment on.
#[derive(Debug, Clone, PartialEq)]
struct Moment {
    since: Timestamp,
    /// How many of its pods stay in each zone that has nodes.
    staying: BTreeMap<String, i64>,
    /// The same with those that leave.
    present: BTreeMap<String, i64>,
    waiting: i64,
}

/// The checker.
#[derive(Debug, Default)]
pub struct Order {
    zones: BTreeMap<String, String>,
    members: BTreeMap<String, Member>,
    groups: BTreeMap<Group, VecDeque<Moment>>,
    bound: BTreeSet<String>,
    verdict: Verdict,
}

impl Order {
    /// Sees the next change.
    pub fn see(&mut self, event: &Event, now: Timestamp) {
        let object = &event.object;
        if event.resource == NODES {
            let (name, zone) = (text(object, "metadata.name").to_owned(), nodes::zone(object).to_owned());
            let before = if event.deleted { self.zones.remove(&name) } else { self.zones.insert(name, zone.clone()) };
            if event.deleted || before != Some(zone) {
                let all: Vec<Group> = self.groups.keys().cloned().collect();
                all.iter().for_each(|group| self.note(group, now));
            }
        } else if event.resource == PODS && has_rules(object) {
            let group = (namespace(object).to_owned(), labels(object).get("app").cloned().unwrap_or_default());
            let node = text(object, "spec.nodeName").to_owned();
            if !event.deleted && !node.is_empty() && self.bound.insert(uid(object).to_owned()) {
                self.judge(object, &group, &node, now);
            }
            let member = Member { group: group.clone(), node, leaving: is_leaving(object) };
            if event.deleted || is_finished(object) {
                self.members.remove(uid(object));
            } else {
                self.members.insert(uid(object).to_owned(), member);
            }
            self.note(&group, now);
        }
    }

    /// How often each was at stake, and what was broken.
    #[must_use]
    pub fn verdict(self) -> Verdict {
        self.verdict
    }

    /// Writes down what a workload looks like from now on.
    fn note(&mut self, group: &Group, now: Timestamp) {
        let none: BTreeMap<String, i64> = self.zones.values().map(|zone| (zone.clone(), 0)).collect();
        let mut moment = Moment { since: now, staying: none.clone(), present: none, waiting: 0 };
        for member in self.members.values().filter(|member| member.group == *group) {
            moment.waiting += i64::from(member.node.is_empty());
            // Who is on a node that is gone is nowhere.
            let Some(zone) = self.zones.get(&member.node) else { continue };
            *moment.present.entry(zone.clone()).or_default() += 1;
            *moment.staying.entry(zone.clone()).or_default() += i64::from(!member.leaving);
        }
        let moments = self.groups.entry(group.clone()).or_default();
        if moments.back().is_some_and(|last| Moment { since: now, ..last.clone() } == moment) {
            return;
        }
        moments.push_back(moment);
        // The one before the last that is old enough began before the time that counts.
        while moments.get(1).is_some_and(|next| now.since(next.since) > GRACE) {
            moments.pop_front();
        }
    }

    fn judge(&mut self, pod: &Value, group: &Group, node: &str, now: Timestamp) {
        let Some(zone) = self.zones.get(node).cloned() else { return };
        let moments: Vec<Moment> = self.groups.get(group).into_iter().flatten().cloned().collect();
        if moments.is_empty() {
            return;
        }
        // Those that wait now, or did, without this one.
        let waiting = moments.iter().map(|moment| moment.waiting).max().unwrap_or(0) - 1;
        let key = Key::of(pod);
        if !list(pod, AFFINITY).is_empty() {
            let there = |moment: &Moment| moment.present.get(&zone).is_some_and(|count| *count > 0);
            let nowhere = |moment: &Moment| moment.present.values().all(|count| *count == 0);
            let holds = moments.iter().any(|moment| there(moment) || nowhere(moment));
            if !moments.iter().any(nowhere) {
                self.verdict.hold(NEAR, holds, || format!("{key:?} at {now} in {zone}: {moments:?}"));
            }
        }
        for rule in hard_spread(pod) {
            let fewest = moments.iter().map(|moment| most_even(moment, pod, waiting.max(0))).max().unwrap_or(0);
            let here = moments.iter().map(|moment| moment.staying.get(&zone).copied().unwrap_or(0)).min().unwrap_or(0);
            let allowed = int(rule, "maxSkew").unwrap_or(1);
            let holds = here + 1 - fewest <= allowed;
            self.verdict.hold(SPREAD, holds, || format!("{key:?} at {now} in {zone}, {allowed} allowed: {moments:?}"));
        }
    }
}

fn hard_spread(pod: &Value) -> impl Iterator<Item = &Value> {
    let rules = list(pod, "spec.topologySpreadConstraints").iter();
    rules.filter(|rule| text(rule, "whenUnsatisfiable") == "DoNotSchedule" && text(rule, "topologyKey") == ZONE)
}

fn has_rules(pod: &Value) -> bool {
    !list(pod, AFFINITY).is_empty() || hard_spread(pod).next().is_some()
}

/// How many pods the emptiest zone has at most that the pod may go to, when so many more are where that is most.
fn most_even(moment: &Moment, pod: &Value, mut more: i64) -> i64 {
    let pinned = entry(pod, "spec.nodeSelector", ZONE);
    let open = moment.staying.iter().filter(|(zone, _)| pinned.is_none_or(|pinned| pinned == zone.as_str()));
    let mut counts: Vec<i64> = open.map(|(_, count)| *count).collect();
    while more > 0
        && let Some(least) = counts.iter_mut().min()
    {
        *least += 1;
        more -= 1;
    }
    counts.into_iter().min().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::sync::Arc;

    use keelson_core::Span;
    use keelson_sim::objects::Resource;
    use keelson_sim::tree::json;

    use super::*;

    struct Stream(Order, Timestamp);

    impl Stream {
        fn new() -> Self {
            let mut stream = Self(Order::default(), Timestamp(0));
            for zone in ["a", "b", "c"] {
                let labels = json!({ZONE: zone});
                stream.see(NODES, json!({"metadata": {"name": format!("node-{zone}"), "uid": zone, "labels": labels}}));
            }
            stream
        }

        fn see(&mut self, resource: Resource, object: Value) {
            self.0.see(&Event { resource, object: Arc::new(object), before: None, deleted: false }, self.1);
        }

        fn waits(&mut self, name: &str, node: &str, rule: &str) {
            let selector = json!({"matchLabels": {"app": "x"}});
            let metadata = json!({"namespace": "default", "name": name, "uid": name, "labels": {"app": "x"}});
            let spec = match rule {
                NEAR => json!({"nodeName": node, "affinity": {"podAffinity": {
                    "requiredDuringSchedulingIgnoredDuringExecution": [{"topologyKey": ZONE, "labelSelector": selector}]}}}),
                _ => json!({"nodeName": node, "topologySpreadConstraints": [{"maxSkew": 1, "topologyKey": ZONE,
                    "whenUnsatisfiable": "DoNotSchedule", "labelSelector": selector}]}),
            };
            self.see(PODS, json!({"metadata": metadata, "spec": spec, "status": {"phase": "Pending"}}));
        }

        fn pod(&mut self, name: &str, zone: &str, rule: &str) {
            self.waits(name, "", rule);
            self.waits(name, &format!("node-{zone}"), rule);
        }

        fn broken(self) -> (u64, usize) {
            let verdict = self.0.verdict();
            (verdict.stakes(), verdict.breaches.len())
        }
    }

    #[test]
    fn a_second_pod_of_a_zone_breaks_a_spread_of_one_while_another_has_none() {
        let mut stream = Stream::new();
        stream.pod("1", "a", SPREAD);
        stream.1 = stream.1 + GRACE + Span::minutes(1);
        stream.pod("2", "a", SPREAD);
        assert_eq!(stream.broken(), (2, 1));
        let mut stream = Stream::new();
        for (name, zone) in [("1", "a"), ("2", "b"), ("3", "c"), ("4", "b")] {
            stream.pod(name, zone, SPREAD);
            stream.1 = stream.1 + GRACE + Span::minutes(1);
        }
        assert_eq!(stream.broken(), (4, 0));
    }

    #[test]
    fn one_that_is_decided_and_not_bound_yet_may_have_been_counted() {
        let mut stream = Stream::new();
        ["w1", "w2", "w3"].into_iter().for_each(|name| stream.waits(name, "", SPREAD));
        stream.pod("1", "a", SPREAD);
        stream.pod("2", "a", SPREAD);
        assert_eq!(stream.broken(), (2, 0));
    }

    #[test]
    fn away_from_where_the_others_run_is_not_near() {
        let mut stream = Stream::new();
        stream.pod("1", "a", NEAR);
        stream.1 = stream.1 + GRACE + Span::minutes(1);
        stream.pod("2", "a", NEAR);
        stream.1 = stream.1 + GRACE + Span::minutes(1);
        stream.pod("3", "b", NEAR);
        assert_eq!(stream.broken(), (2, 1), "the first may go anywhere");
    }
}
