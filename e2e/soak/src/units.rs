//! AppGroups as units: all or nothing.
//!
//! What is promised (`operators/scheduling/src/mind/group.rs`): while the wait lasts, every waiting pod of a group is given a
//! node or none is; when it is over each is placed alone. A pod that is bound within the wait is held against that: the group
//! was whole by then, the decision that it was bound by names one that placed the group, that one placed all who were known
//! to wait, and all of them had room. Those who waited with it are bound, too, within another wait, unless nothing is left
//! for them. A pod that is bound after the wait proves nothing.
//!
//! Promise: nothing is called broken that a scheduler which keeps the rules could have done. Members count as there that were
//! there at any moment of late, a group as declared that was so all the while, room as it was at the best moment, and a wait
//! as begun when the first pod of the group began to wait, or when the one before began that ended a moment earlier.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use keelson_api::names;
use keelson_core::{Decision, Reason, Timestamp};
use keelson_sim::objects::Event;
use keelson_sim::tree::Value;
use keelson_sim::world::demand::{is_finished, of_pod};
use keelson_sim::world::kinds::PODS;
use keelson_sim::world::read::{Key, annotation, int, labels, namespace, text, uid};

use crate::cast::{GROUP, GROUP_WAIT, GROUPS};
use crate::room::{LATELY, Room};
use crate::verdict::Verdict;

/// A group that is placed as a unit is placed whole: nobody goes before all are there, nobody without the others.
pub const WHOLE: &str = "Whole";
/// Each of them.
pub const ALL: [&str; 1] = [WHOLE];

/// A pod of a group.
#[derive(Debug, Clone)]
struct Member {
    key: Key,
    came: Timestamp,
    bound: bool,
    gone: Option<Timestamp>,
}

/// A group as it was lately.
#[derive(Debug, Default)]
struct Group {
    members: BTreeMap<String, Member>,
    /// How many it has when it is whole, each until a moment, and now; none while nobody declares it.
    before: VecDeque<(Timestamp, Option<i64>)>,
    declared: Option<i64>,
    /// Since when pods of it wait; pauses that not everybody need have seen do not count.
    waits_since: Option<Timestamp>,
    rests_since: Option<Timestamp>,
}

impl Group {
    fn declare(&mut self, whole: Option<i64>, now: Timestamp) {
        self.before.push_back((now, std::mem::replace(&mut self.declared, whole)));
        while self.before.front().is_some_and(|(until, _)| now.since(*until) > LATELY) {
            self.before.pop_front();
        }
    }

    /// The fewest that it was whole with lately; none when it was not declared at some moment.
    fn whole_lately(&self, now: Timestamp) -> Option<i64> {
        let lately = self.before.iter().filter(|(until, _)| now.since(*until) <= LATELY);
        lately.map(|(_, whole)| *whole).chain([self.declared]).min().flatten()
    }
}

/// A pod that was bound while its group waited.
#[derive(Debug)]
struct Bound {
    pod: Key,
    at: Timestamp,
    decision: String,
    /// Who waited then, and since when.
    waiting: Vec<(String, Timestamp)>,
    /// For how many of them there was room at best.
    room: Option<i64>,
}

/// The checker.
#[derive(Debug, Default)]
pub struct Units {
    groups: BTreeMap<Key, Group>,
    bound: Vec<Bound>,
    /// Who waited with one that was bound, by when they are due.
    due: VecDeque<(Timestamp, Key, Vec<String>)>,
    verdict: Verdict,
}

impl Units {
    /// Sees the next change, which `room` has seen already.
    pub fn see(&mut self, event: &Event, now: Timestamp, room: &Room) {
        let object = &event.object;
        if event.resource == GROUPS {
            let declared = int(object, "spec.numMembers").filter(|_| !event.deleted);
            self.groups.entry(Key::of(object)).or_default().declare(declared, now);
        } else if event.resource == PODS
            && let Some(name) = labels(object).get(GROUP)
        {
            self.see_pod(&Key::new(namespace(object), name.as_str()), event, now, room);
        }
        while self.due.front().is_some_and(|(due, ..)| *due <= now) {
            let Some((_, group, waited)) = self.due.pop_front() else { return };
            self.look_at_the_rest(&group, &waited, now, room);
        }
    }

    fn see_pod(&mut self, key: &Key, event: &Event, now: Timestamp, room: &Room) {
        let pod = &event.object;
        let group = self.groups.entry(key.clone()).or_default();
        group.members.retain(|_, member| member.gone.is_none_or(|gone| now.since(gone) <= LATELY));
        let fresh = Member { key: Key::of(pod), came: now, bound: false, gone: None };
        let member = group.members.entry(uid(pod).to_owned()).or_insert(fresh);
        let gone = event.deleted || is_finished(pod);
        member.gone = member.gone.or(gone.then_some(now));
        let binds = !member.bound && !text(pod, "spec.nodeName").is_empty();
        member.bound |= binds;
        let since = group.waits_since;
        let waits = group.members.values().any(|member| !member.bound && member.gone.is_none());
        if waits && since.is_none_or(|_| group.rests_since.is_some_and(|rest| now.since(rest) > LATELY)) {
            group.waits_since = Some(now);
        }
        group.rests_since = if waits { None } else { group.rests_since.or(Some(now)) };
        if binds && !gone && since.is_some_and(|since| now.since(since) < GROUP_WAIT) {
            self.judge(key, pod, now, room);
        }
    }

    /// A pod was bound while its group waited.
    fn judge(&mut self, key: &Key, pod: &Value, now: Timestamp, room: &Room) {
        let Some(group) = self.groups.get(key) else { return };
        let Some(whole) = group.whole_lately(now) else { return };
        let there = i64::try_from(group.members.len()).unwrap_or(i64::MAX);
        let waits = |(uid, member): (&String, &Member)| {
            (!member.bound && member.gone.is_none()).then(|| (uid.clone(), member.came))
        };
        let own = group.members.get(uid(pod)).map(|member| (uid(pod).to_owned(), member.came));
        let waiting: Vec<(String, Timestamp)> = group.members.iter().filter_map(waits).chain(own).collect();
        let alike = |(uid, _): &(String, Timestamp)| {
            let known = group.members.get(uid).and_then(|member| room.pod(&member.key));
            known.is_some_and(|other| of_pod(&other).requests == of_pod(pod).requests)
        };
        let most = waiting.iter().all(alike).then(|| room.most_lately(pod, now)).flatten();
        let (due, uids) = (now + GROUP_WAIT + LATELY, waiting.iter().map(|(uid, _)| uid.clone()).collect());
        self.due.push_back((due, key.clone(), uids));
        let decision = annotation(pod, names::DECISION).unwrap_or_default().to_owned();
        self.bound.push(Bound { pod: Key::of(pod), at: now, decision, waiting, room: most });
        self.verdict.hold(WHOLE, there >= whole, || {
            format!("{:?} was bound at {now}: {there} of {whole} were there", Key::of(pod))
        });
    }

    /// Who waited with one that was bound has a node by now, or nothing is left for it.
    fn look_at_the_rest(&mut self, group: &Key, waited: &[String], now: Timestamp, room: &Room) {
        let Some(group) = self.groups.get(group) else { return };
        let waits = |uid: &String| group.members.get(uid).filter(|member| !member.bound && member.gone.is_none());
        let left: Vec<Key> = waited.iter().filter_map(|uid| Some(waits(uid)?.key.clone())).collect();
        let left = left.into_iter().find(|key| room.pod(key).is_some_and(|pod| !room.nodes_for(&pod).is_empty()));
        self.verdict.hold(WHOLE, left.is_none(), || {
            format!("{left:?} waits at {now}, long after others of its unit were bound")
        });
    }

    /// Compares with what was decided, at the end of the day.
    pub fn close(&mut self, decisions: &[Decision]) {
        let by_id: BTreeMap<String, &Decision> =
            decisions.iter().map(|decision| (decision.id.to_string(), decision)).collect();
        let mut units: BTreeSet<String> = BTreeSet::new();
        for Bound { pod, at, decision, waiting, room } in std::mem::take(&mut self.bound) {
            let causes = by_id.get(&decision).map(|decision| decision.causes.as_slice()).unwrap_or_default();
            let unit = causes.iter().filter_map(|cause| by_id.get(&cause.to_string()));
            let unit =
                unit.filter(|decision| decision.reason == Reason::GroupPlaced).max_by_key(|decision| decision.id);
            let known = unit.map_or(at, |unit| unit.at.min(at));
            let certain = waiting.iter().filter(|(_, since)| known.since(*since) > LATELY).count();
            let Some(unit) = unit else {
                // The last of a group that is whole waits for nobody.
                self.verdict.hold(WHOLE, certain < 2, || {
                    format!("{pod:?} was bound alone at {at}, and {certain} waited: {decision}")
                });
                continue;
            };
            // The others of the unit were bound after the first.
            if !units.insert(unit.id.to_string()) {
                continue;
            }
            let placed = unit.inputs.get("pods").and_then(|pods| pods.parse::<usize>().ok()).unwrap_or(0);
            let id = unit.id;
            self.verdict.hold(WHOLE, placed >= certain, || {
                format!("{id} placed {placed} as a unit with {pod:?}, and {certain} waited")
            });
            let enough = room.is_none_or(|room| room >= i64::try_from(placed).unwrap_or(i64::MAX));
            self.verdict.hold(WHOLE, enough, || {
                format!("{id} placed {placed} as a unit with {pod:?} at {at} in room for {room:?}")
            });
        }
    }

    /// How often it was at stake, and what was broken.
    #[must_use]
    pub fn verdict(self) -> Verdict {
        self.verdict
    }
}

#[cfg(test)]
mod tests {
    use keelson_core::{Feature, ObjectRef, Span, Verb};
    use keelson_sim::tree::json;
    use keelson_sim::world::kinds::NODES;

    use super::*;
    use crate::room::tests::{Stage, node, pod};

    struct Play {
        stage: Stage,
        units: Units,
        decisions: Vec<Decision>,
    }

    /// The id that ends with a number.
    fn id(number: u32) -> String {
        format!("00000000-0000-7000-8000-{number:012}")
    }

    impl Play {
        /// A group of three that everybody knows, and room for `cpu` pods of it.
        fn begin(cpu: &str) -> Self {
            let mut play = Self::declared_just_now(cpu);
            play.after(LATELY.0 / 1_000_000 + 1);
            play
        }

        fn declared_just_now(cpu: &str) -> Self {
            let mut play = Self { stage: Stage::default(), units: Units::default(), decisions: Vec::new() };
            play.see(NODES, node("n", cpu));
            play.see(GROUPS, json!({"metadata": {"namespace": "default", "name": "g"}, "spec": {"numMembers": 3}}));
            play
        }

        fn see(&mut self, resource: keelson_sim::objects::Resource, object: Value) {
            let units = &mut self.units;
            self.stage.see(resource, object, |event, now, room| units.see(event, now, room));
        }

        fn member(&mut self, name: &str, bound_by: Option<u32>) {
            let spec = if bound_by.is_some() { json!({"nodeName": "n"}) } else { json!({}) };
            let mut member = pod(name, "1", spec);
            if let Some(metadata) = member.get_mut("metadata").and_then(Value::as_object_mut) {
                metadata.insert("labels".to_owned(), json!({GROUP: "g"}));
                let by = bound_by.map(id).unwrap_or_default();
                metadata.insert("annotations".to_owned(), json!({names::DECISION: by}));
            }
            self.see(PODS, member);
        }

        fn after(&mut self, seconds: i64) {
            self.stage.now = self.stage.now + Span::seconds(seconds);
        }

        fn decided(&mut self, number: u32, reason: Reason, of: Option<u32>, pods: usize) {
            let subject = ObjectRef::namespaced("Pod", "default", "p");
            let what = (Verb::Place, reason);
            let mut decision = Decision::new((Feature::Scheduling, "scheduler"), 0, subject, what, "", self.stage.now);
            decision.id = id(number).parse().unwrap_or(decision.id);
            decision.causes = of.and_then(|of| id(of).parse().ok()).into_iter().collect();
            decision.inputs = BTreeMap::from([("pods".to_owned(), pods.to_string())]);
            self.decisions.push(decision);
        }

        fn broken(mut self) -> Vec<String> {
            self.after(GROUP_WAIT.0 / 1_000_000 + LATELY.0 / 1_000_000);
            self.see(NODES, node("late", "0"));
            self.units.close(&self.decisions);
            let verdict = self.units.verdict();
            assert!(verdict.stakes() > 0);
            verdict.breaches
        }
    }

    /// Three wait for almost as long as they may; what was decided then about each is bound at once.
    fn placed(cpu: &str, pods: usize, bound: usize, alone: bool) -> Vec<String> {
        let mut play = Play::begin(cpu);
        ["a", "b", "c"].into_iter().for_each(|name| play.member(name, None));
        play.after(GROUP_WAIT.0 / 1_000_000 - 30);
        play.decided(1, Reason::GroupPlaced, None, pods);
        for (number, name) in (2..).zip(["a", "b", "c"]).take(bound) {
            let reason = if alone { Reason::PodPlaced } else { Reason::PlacedWithGroup };
            play.decided(number, reason, (!alone).then_some(1), 0);
            play.member(name, Some(number));
        }
        play.broken()
    }

    #[test]
    fn a_group_that_is_placed_whole_is_whole() {
        assert_eq!(placed("4", 3, 3, false), [""; 0]);
    }

    #[test]
    fn one_that_is_bound_before_all_are_there_breaks_its_group() {
        let mut play = Play::begin("4");
        ["a", "b"].into_iter().for_each(|name| play.member(name, None));
        play.after(60);
        play.decided(2, Reason::PodPlaced, None, 0);
        play.member("a", Some(2));
        let broken = play.broken();
        assert!(broken.iter().any(|it| it.contains("2 of 3 were there")), "{broken:?}");
        let mut play = Play::begin("4");
        ["a", "b"].into_iter().for_each(|name| play.member(name, None));
        play.member("c", None);
        play.after(GROUP_WAIT.0 / 1_000_000);
        play.member("a", Some(2));
        assert_eq!(play.units.verdict.stakes(), 0, "who waited long enough may go alone");
    }

    #[test]
    fn a_group_that_was_declared_a_moment_ago_need_not_be_known() {
        let mut play = Play::declared_just_now("4");
        ["a", "b"].into_iter().for_each(|name| play.member(name, None));
        play.member("a", Some(2));
        assert_eq!(play.units.verdict.stakes(), 0);
    }

    #[test]
    fn a_unit_without_one_that_waited_is_none() {
        let broken = placed("4", 2, 3, false);
        assert!(broken.iter().any(|it| it.contains("placed 2 as a unit")), "{broken:?}");
        let broken = placed("4", 3, 3, true);
        assert!(broken.iter().any(|it| it.contains("was bound alone")), "{broken:?}");
    }

    #[test]
    fn a_unit_in_room_for_some_of_it_is_none() {
        let broken = placed("2", 3, 2, false);
        assert!(broken.iter().any(|it| it.contains("in room for Some(2)")), "{broken:?}");
    }

    #[test]
    fn one_that_is_left_behind_although_there_is_room_breaks_its_group() {
        let broken = placed("4", 3, 2, false);
        assert!(broken.iter().any(|it| it.contains("long after others")), "{broken:?}");
    }
}
