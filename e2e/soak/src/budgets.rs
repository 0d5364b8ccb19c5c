//! What disruption budgets are worth: evictions keep to them, and who is preempted breaks none that others would not have.
//!
//! An eviction through the API takes a pod that is ready only where the budget's own count leaves one to take. A pod that is
//! to be moved goes that way and no other. Preemption may break budgets where nothing else makes room (as kube-scheduler's
//! may): then the decision says so, and there was no node on which pods that no budget guards would have done.
//!
//! Promise: nothing is called broken that a scheduler which keeps the rules could have done. A budget allowed what it allowed
//! at any moment of late; another node counts only if nothing about it changed, neither then nor until everything that had
//! been decided before has arrived.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use keelson_core::decision::{Outcome, Verb};
use keelson_core::selector::LabelSelector;
use keelson_core::{Decision, Timestamp};
use keelson_sim::objects::Event;
use keelson_sim::tree::Value;
use keelson_sim::world::demand::is_finished;
use keelson_sim::world::kinds::{BUDGETS as KIND, PODS};
use keelson_sim::world::read::{Key, condition, holds, int, is_leaving, labels, namespace, selector, text, uid};

use crate::day::GRACE;
use crate::room::{LATELY, Room, priority};
use crate::verdict::Verdict;

/// No eviction takes a budget below what it must keep, and no preemption breaks one in silence or without need.
pub const BUDGETS: &str = "Budgets";
/// Each of them.
pub const ALL: [&str; 1] = [BUDGETS];

/// What a decision says that breaks a budget.
const SAID: &str = "Disruption budgets broken";

/// A budget as it was lately.
#[derive(Debug)]
struct Budget {
    selector: LabelSelector,
    desired: i64,
    /// How many pods it let go, each since a moment.
    allowed: VecDeque<(Timestamp, i64)>,
    /// The pods it guards that are ready and stay.
    healthy: BTreeSet<String>,
}

/// A guarded pod that was preempted.
#[derive(Debug)]
struct Taken {
    at: Timestamp,
    node: String,
    /// Its budgets, and what each allowed at least and at most of late.
    budgets: BTreeMap<Key, (i64, i64)>,
}

/// Where room could have been made for a pod without any guarded one.
#[derive(Debug)]
struct Elsewhere {
    since: Timestamp,
    nodes: BTreeSet<String>,
}

/// The checker.
#[derive(Debug, Default)]
pub struct Budgets {
    budgets: BTreeMap<Key, Budget>,
    evicted: BTreeSet<String>,
    preempted: BTreeMap<String, Taken>,
    /// By the uid of the pod that room was made for.
    elsewhere: BTreeMap<String, Vec<Elsewhere>>,
    /// When nobody reached the API server last.
    disturbed: Option<Timestamp>,
    verdict: Verdict,
}

impl Budgets {
    /// Sees the next change, which `room` has seen already.
    pub fn see(&mut self, event: &Event, now: Timestamp, room: &Room) {
        let object = &event.object;
        if event.resource == KIND {
            self.see_budget(object, event.deleted, now);
        } else if event.resource == PODS {
            let was = |what: fn(&Value) -> bool| event.before.as_deref().is_some_and(what);
            if !event.deleted && is_leaving(object) && !was(is_leaving) {
                self.leaves(object, now, room);
            }
            self.count(object, event.deleted);
            let node = text(object, "spec.nodeName");
            if !node.is_empty() && !was(|before| !text(before, "spec.nodeName").is_empty()) {
                self.came_to(node, now);
            }
            self.came_to(text(object, "status.nominatedNodeName"), now);
        }
    }

    /// Nobody could act, and nobody knows what became of what was decided.
    pub fn disturb(&mut self, now: Timestamp) {
        self.disturbed = Some(now);
    }

    fn see_budget(&mut self, object: &Value, deleted: bool, now: Timestamp) {
        let (key, selector) = (Key::of(object), selector(object, "spec.selector"));
        let Some(selector) = selector.filter(|_| !deleted) else {
            self.budgets.remove(&key);
            return;
        };
        let fresh =
            || Budget { selector: selector.clone(), desired: 0, allowed: VecDeque::new(), healthy: BTreeSet::new() };
        let budget = self.budgets.entry(key).or_insert_with(fresh);
        budget.desired = int(object, "status.desiredHealthy").unwrap_or(0);
        budget.allowed.push_back((now, int(object, "status.disruptionsAllowed").unwrap_or(0)));
        while budget.allowed.get(1).is_some_and(|(next, _)| now.since(*next) > LATELY) {
            budget.allowed.pop_front();
        }
    }

    fn count(&mut self, pod: &Value, deleted: bool) {
        let healthy = !deleted && holds(pod, "Ready") && !is_leaving(pod) && !is_finished(pod);
        let labels = labels(pod);
        for (key, budget) in &mut self.budgets {
            if *key.namespace != *namespace(pod) || !budget.selector.matches(&labels) {
                continue;
            }
            if healthy {
                budget.healthy.insert(uid(pod).to_owned());
            } else {
                budget.healthy.remove(uid(pod));
            }
        }
    }

    fn guards<'a>(&'a self, pod: &Value) -> impl Iterator<Item = (&'a Key, &'a Budget)> {
        let (space, labels) = (namespace(pod).to_owned(), labels(pod));
        self.budgets.iter().filter(move |(key, budget)| *key.namespace == *space && budget.selector.matches(&labels))
    }

    fn is_guarded(&self, pod: &Value) -> bool {
        self.guards(pod).next().is_some()
    }

    /// A pod begins to leave.
    fn leaves(&mut self, pod: &Value, now: Timestamp, room: &Room) {
        match condition(pod, "DisruptionTarget").map(|target| text(target, "reason")) {
            Some("EvictionByEvictionAPI") => {
                let own = uid(pod);
                let short = |(key, budget): (&Key, &Budget)| {
                    let (ready, rest) = (budget.healthy.contains(own), budget.healthy.len().saturating_sub(1));
                    let rest = i64::try_from(rest).unwrap_or(i64::MAX);
                    (ready && rest < budget.desired).then(|| format!("{key:?} has {rest} left of {}", budget.desired))
                };
                let short: Vec<String> = self.guards(pod).filter_map(short).collect();
                if self.is_guarded(pod) {
                    self.verdict.hold(BUDGETS, short.is_empty(), || {
                        format!("{:?} was evicted at {now}: {short:?}", Key::of(pod))
                    });
                }
                self.evicted.insert(own.to_owned());
            }
            Some("PreemptionByScheduler") => self.is_preempted(pod, now, room),
            _ => {}
        }
    }

    fn is_preempted(&mut self, pod: &Value, now: Timestamp, room: &Room) {
        let node = text(pod, "spec.nodeName").to_owned();
        let lately = |budget: &Budget| {
            let ends = budget.allowed.iter().skip(1).map(|(since, _)| *since).chain([now]);
            let lately = budget.allowed.iter().zip(ends).filter(|(_, end)| now.since(*end) <= LATELY);
            let allowed: Vec<i64> = lately.map(|((_, allowed), _)| *allowed).collect();
            (allowed.iter().min().copied().unwrap_or(0), allowed.iter().max().copied().unwrap_or(0))
        };
        let budgets: BTreeMap<Key, (i64, i64)> =
            self.guards(pod).map(|(key, budget)| (key.clone(), lately(budget))).collect();
        if !budgets.is_empty() && self.disturbed.is_none_or(|last| now.since(last) > LATELY) {
            // For whom it goes: whoever has that node promised.
            for other in room.waiting().filter(|other| text(other, "status.nominatedNodeName") == node) {
                let goes = |there: &Value| priority(there) < priority(other) && !self.is_guarded(there);
                let nodes = room.quiet_nodes_without(other, &goes, now);
                let known = self.elsewhere.entry(uid(other).to_owned()).or_default();
                known.push(Elsewhere { since: now, nodes });
            }
        }
        self.preempted.insert(uid(pod).to_owned(), Taken { at: now, node, budgets });
    }

    /// Somebody comes to a node, or has it promised: that may have been decided before.
    fn came_to(&mut self, node: &str, now: Timestamp) {
        for elsewhere in self.elsewhere.values_mut().flatten().filter(|it| now.since(it.since) <= LATELY) {
            elsewhere.nodes.remove(node);
        }
    }

    /// Compares with what was decided, at the end of the day.
    pub fn close(&mut self, decisions: &[Decision]) {
        let preempted = std::mem::take(&mut self.preempted);
        // What was held back took nobody away: another did that later.
        for decision in decisions.iter().filter(|decision| decision.outcome != Outcome::Would) {
            match decision.verb {
                Verb::Preempt => self.look_at_preemption(decision, &preempted),
                Verb::Move => self.look_at_move(decision),
                _ => {}
            }
        }
    }

    fn look_at_preemption(&mut self, decision: &Decision, preempted: &BTreeMap<String, Taken>) {
        let victims: Vec<&Taken> = decision.related.iter().filter_map(|victim| preempted.get(&victim.uid)).collect();
        let Some(first) = victims.iter().map(|victim| victim.at).min() else { return };
        let mut taken: BTreeMap<&Key, (i64, (i64, i64))> = BTreeMap::new();
        for (key, allowed) in victims.iter().flat_map(|victim| &victim.budgets) {
            let (count, (_, most)) = taken.entry(key).or_insert((0, *allowed));
            (*count, *most) = (*count + 1, allowed.1.max(*most));
        }
        let said = decision.sentence.contains(SAID);
        let over: Vec<_> = taken.iter().filter(|(_, (count, (_, most)))| count > most).collect();
        let id = decision.id;
        if !taken.is_empty() {
            self.verdict.hold(BUDGETS, said || over.is_empty(), || {
                format!("{id} at {first} does not say what it breaks: {over:?}")
            });
        }
        let Some(node) = victims.first().map(|victim| victim.node.clone()).filter(|_| said) else { return };
        let elsewhere = self.elsewhere.get(&decision.subject.uid).into_iter().flatten();
        let elsewhere = elsewhere.filter(|it| it.since.since(first) <= GRACE && first.since(it.since) <= GRACE);
        let others: BTreeSet<String> = elsewhere.flat_map(|it| it.nodes.iter().cloned()).collect();
        self.verdict.hold(BUDGETS, others.is_empty(), || {
            format!("{id} at {first} breaks budgets on {node}, and not so {others:?}")
        });
    }

    fn look_at_move(&mut self, decision: &Decision) {
        let done = decision.steps.iter().filter(|step| step.result == keelson_core::StepResult::Done);
        let mut moved = done.filter(|step| step.action.starts_with("evict ")).peekable();
        if moved.peek().is_none() {
            return;
        }
        let went = decision.related.iter().any(|pod| self.evicted.contains(&pod.uid));
        self.verdict
            .hold(BUDGETS, went, || format!("{} moved a pod, and none was evicted through the API", decision.id));
    }

    /// How often it was at stake, and what was broken.
    #[must_use]
    pub fn verdict(self) -> Verdict {
        self.verdict
    }
}

#[cfg(test)]
mod tests {
    use keelson_core::decision::{Step, StepResult};
    use keelson_core::{Feature, ObjectRef, Reason, Span};
    use keelson_sim::objects::Resource;
    use keelson_sim::tree::json;
    use keelson_sim::world::kinds::NODES;

    use super::*;
    use crate::room::tests::{Stage, node, pod};

    #[derive(Default)]
    struct Play {
        stage: Stage,
        budgets: Budgets,
    }

    impl Play {
        /// Two nodes: on the first are two pods that a budget guards, on the other one that none does.
        fn begin(desired: i64) -> Self {
            let mut play = Self::default();
            ["n", "m"].into_iter().for_each(|name| play.see(NODES, node(name, "2")));
            let status = json!({"desiredHealthy": desired, "disruptionsAllowed": 2 - desired});
            let spec = json!({"selector": {"matchLabels": {"guard": "yes"}}});
            play.see(KIND, json!({"metadata": {"namespace": "default", "name": "b"}, "spec": spec, "status": status}));
            play.runs("g1", "n", None);
            play.runs("g2", "n", None);
            play.runs("free", "m", None);
            play.stage.now = play.stage.now + LATELY + Span::minutes(1);
            play
        }

        fn see(&mut self, resource: Resource, object: Value) {
            let budgets = &mut self.budgets;
            self.stage.see(resource, object, |event, now, room| budgets.see(event, now, room));
        }

        /// A pod runs, or leaves for a reason.
        fn runs(&mut self, name: &str, node: &str, leaves: Option<&str>) {
            let mut object = pod(name, "1", json!({"nodeName": node}));
            let mut conditions = vec![json!({"type": "Ready", "status": "True"})];
            if let Some(metadata) = object.get_mut("metadata").and_then(Value::as_object_mut) {
                let guard = if name.starts_with('g') { "yes" } else { "no" };
                metadata.insert("labels".to_owned(), json!({"guard": guard}));
                if let Some(reason) = leaves {
                    metadata.insert("deletionTimestamp".to_owned(), json!("2026-05-20T00:00:00Z"));
                    conditions.push(json!({"type": "DisruptionTarget", "status": "True", "reason": reason}));
                }
            }
            if let Some(status) = object.get_mut("status").and_then(Value::as_object_mut) {
                status.insert("conditions".to_owned(), conditions.into());
            }
            self.see(PODS, object);
        }

        /// An urgent pod that has a node promised.
        fn urgent(&mut self, node: &str) {
            let mut object = pod("urgent", "2", json!({"priority": 10}));
            if let Some(status) = object.get_mut("status").and_then(Value::as_object_mut) {
                status.insert("nominatedNodeName".to_owned(), json!(node));
            }
            self.see(PODS, object);
        }

        fn decided(&mut self, verb: Verb, sentence: &str, about: &[&str]) -> Decision {
            let about = about.iter().map(|name| ObjectRef::namespaced("Pod", "default", name).with_uid(name));
            let subject = ObjectRef::namespaced("Pod", "default", "urgent").with_uid("urgent");
            let what = (verb, Reason::RoomByEviction);
            let now = self.stage.now;
            let mut decision = Decision::new((Feature::Scheduling, "scheduler"), 0, subject, what, sentence, now);
            decision.related = about.collect();
            decision
        }

        fn broken(mut self, decisions: &[Decision]) -> Vec<String> {
            self.budgets.close(decisions);
            let verdict = self.budgets.verdict();
            assert!(verdict.stakes() > 0);
            verdict.breaches
        }
    }

    #[test]
    fn an_eviction_that_leaves_too_few_breaks_a_budget() {
        for (desired, broken) in [(1, 0), (2, 1)] {
            let mut play = Play::begin(desired);
            play.runs("g1", "n", Some("EvictionByEvictionAPI"));
            assert_eq!(play.broken(&[]).len(), broken, "{desired} must stay");
        }
    }

    #[test]
    fn a_budget_that_is_broken_in_silence_or_without_need_is_broken() {
        let broken = |sentence: &str, comes: bool| {
            let mut play = Play::begin(2);
            play.urgent("n");
            ["g1", "g2"].into_iter().for_each(|name| play.runs(name, "n", Some("PreemptionByScheduler")));
            if comes {
                play.runs("other", "m", None);
            }
            let decision = play.decided(Verb::Preempt, sentence, &["g1", "g2"]);
            play.broken(&[decision])
        };
        let silent = broken("No node has room.", true);
        assert!(silent.iter().any(|it| it.contains("does not say what it breaks")), "{silent:?}");
        let needless = broken("Disruption budgets broken: 2, the fewest possible.", false);
        assert!(needless.iter().any(|it| it.contains("not so {\"m\"}")), "{needless:?}");
        let had_to = broken("Disruption budgets broken: 2, the fewest possible.", true);
        assert_eq!(had_to, [""; 0], "the other node was spoken for");
    }

    #[test]
    fn a_preemption_that_was_held_breaks_no_budget() {
        let mut play = Play::begin(2);
        play.urgent("n");
        let mut held = play.decided(Verb::Preempt, "No node has room.", &["g1"]);
        held.outcome = Outcome::Would;
        play.runs("other", "m", None);
        play.runs("g1", "n", Some("PreemptionByScheduler"));
        let done = play.decided(Verb::Preempt, "Disruption budgets broken: 1, the fewest possible.", &["g1"]);
        assert_eq!(play.broken(&[held, done]), [""; 0]);
    }

    #[test]
    fn a_pod_is_moved_by_an_eviction_and_in_no_other_way() {
        let moved = |evicted: bool| {
            let mut play = Play::begin(1);
            play.runs("g1", "n", evicted.then_some("EvictionByEvictionAPI"));
            let mut decision = play.decided(Verb::Move, "", &["g1"]);
            let (at, action) = (play.stage.now, "evict Pod default/g1".to_owned());
            decision.steps = vec![Step { at, action, result: StepResult::Done, detail: String::new() }];
            play.broken(&[decision]).len()
        };
        assert_eq!((moved(true), moved(false)), (0, 1));
    }
}
