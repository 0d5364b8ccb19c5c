//! Pods of higher priority make room, from the decision to the binding.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use super::*;
use crate::decide::tests::{node, pod};

fn ranked(name: &str, cpu: &str, priority: i32) -> Value {
    let mut value = pod(name, cpu);
    value["spec"]["priority"] = json!(priority);
    value
}

fn full() -> (Vec<Value>, Vec<Value>) {
    let nodes = vec![node("n1", 1_000), node("n2", 1_000)];
    let pods = vec![bound(ranked("low", "800m", 1), "n1"), bound(ranked("high", "800m", 9), "n2")];
    (nodes, pods)
}

fn deeds(job: &Job) -> Vec<String> {
    job.plan.actions.iter().map(ToString::to_string).collect()
}

/// The pod as it is once it was written that room is made for it.
fn nominated(job: &Job, mut value: Value) -> Value {
    let status = job.plan.actions.iter().find_map(|action| match &action.kind {
        ActionKind::ApplyStatus(body) if action.object.name == value["metadata"]["name"] => {
            Some(body["status"].clone())
        }
        _ => None,
    });
    value["status"] = status.unwrap();
    value
}

fn gone(mind: &mut Mind, value: &Value, now: i64) {
    mind.pod_gone(&written(value), at(now));
}

#[test]
fn the_cheapest_victim_is_evicted_and_the_pod_takes_its_room() {
    let (nodes, mut pods) = full();
    let new = ranked("new", "500m", 5);
    pods.push(new.clone());
    let mut mind = mind(Mode::Enforce, &nodes, &pods);
    let job = mind.next(moment(1)).unwrap();
    let decision = &job.plan.decisions[0];
    assert_eq!((decision.verb, decision.reason), (Verb::Preempt, Reason::RoomByEviction));
    assert_eq!(decision.sentence, "No node has room. On n1 it is made by evicting shop/low (priority 1).");
    assert!(decision.related.iter().any(|object| object.name == "low" && object.uid == "uid-low"));
    assert_eq!(
        deeds(&job),
        [
            "event Pod shop/new FailedScheduling",
            "apply-status Pod shop/new",
            "apply-status Pod shop/low",
            "delete Pod shop/low",
            "event Pod shop/low Preempted",
        ]
    );
    let waiting = nominated(&job, new);
    assert_eq!(waiting["status"]["nominatedNodeName"], "n1");
    assert!(mind.next(moment(2)).is_none(), "the pod waits for the outcome");
    mind.ended("uid-new", true, at(2));
    mind.pod(&written(&waiting), at(2));
    assert!(mind.next(moment(3)).is_none(), "and then for the room");
    gone(&mut mind, &pods[0], 4);
    let job = mind.next(moment(5)).unwrap();
    assert_eq!((reason(&job), job.binds()), (Reason::RoomMade, true));
    assert_eq!(job.plan.decisions[0].causes, [moment(1).decision]);
    assert_eq!(job.plan.decisions[0].sentence, "Placed on n1, where room was made for it.");
}

// Found on a real cluster: the victim was gone before anybody had said that it was evicted.
#[test]
fn room_that_is_made_before_the_eviction_is_reported_is_taken() {
    let (nodes, mut pods) = full();
    let new = ranked("new", "500m", 5);
    pods.push(new.clone());
    let mut mind = mind(Mode::Enforce, &nodes, &pods);
    let job = mind.next(moment(1)).unwrap();
    mind.pod(&written(&nominated(&job, new)), at(1));
    gone(&mut mind, &pods[0], 1);
    mind.ended("uid-new", true, at(2));
    let job = std::iter::from_fn(|| mind.next(moment(9))).next().unwrap();
    assert_eq!((reason(&job), job.binds()), (Reason::RoomMade, true));
}

#[test]
fn the_room_is_kept_from_others_before_the_watch_tells_of_it() {
    let (nodes, mut pods) = full();
    pods.extend([ranked("new", "500m", 5), ranked("late", "600m", 5)]);
    let mut mind = mind(Mode::Enforce, &nodes, &pods);
    let first = mind.next(moment(1)).unwrap();
    assert_eq!(reason(&first), Reason::RoomByEviction);
    let second = mind.next(moment(1)).unwrap();
    assert_eq!(reason(&second), Reason::Unschedulable, "{:?}", second.plan.decisions[0].sentence);
    gone(&mut mind, &pods[0], 2);
    mind.ended("uid-new", true, at(2));
    let placed: Vec<Job> = std::iter::from_fn(|| mind.next(moment(20))).filter(Job::binds).collect();
    assert_eq!(placed.iter().map(|job| job.uid.as_str()).collect::<Vec<_>>(), ["uid-new"]);
}

#[test]
fn when_the_eviction_is_held_the_room_is_free_for_others_again() {
    let (nodes, mut pods) = full();
    pods.push(ranked("new", "500m", 5));
    let mut mind = mind(Mode::Enforce, &nodes, &pods);
    assert_eq!(reason(&mind.next(moment(1)).unwrap()), Reason::RoomByEviction);
    assert!(mind.view().has_nominations(5));
    mind.ended("uid-new", false, at(2));
    assert!(!mind.view().has_nominations(5));
    let again = std::iter::from_fn(|| mind.next(moment(9))).map(|job| reason(&job)).next();
    assert_eq!(again, Some(Reason::RoomByEviction), "it is tried again");
}

fn guarded(mut pod: Value) -> Value {
    pod["metadata"]["labels"]["guarded"] = json!("yes");
    pod
}

// Found by simulated days: the first pod's eviction was held, and the second had broken a budget for nothing.
#[test]
fn no_budget_is_broken_while_it_is_open_what_becomes_of_evictions_for_others() {
    let nodes = [node("n1", 1_000), node("n2", 1_000)];
    let pods = [
        bound(ranked("free", "800m", 1), "n1"),
        bound(guarded(ranked("kept", "800m", 1)), "n2"),
        ranked("first", "800m", 5),
        ranked("second", "800m", 5),
    ];
    let mut mind = mind(Mode::Enforce, &nodes, &pods);
    let budget = json!({
        "metadata": {"namespace": "shop", "name": "b", "uid": "b"},
        "spec": {"selector": {"matchLabels": {"guarded": "yes"}}},
        "status": {"disruptionsAllowed": 0},
    });
    mind.budget(&serde_json::from_value(budget).unwrap());
    let first = mind.next(moment(1)).unwrap();
    assert_eq!((reason(&first), first.plan.decisions[0].subject.name.as_str()), (Reason::RoomByEviction, "first"));
    let second = mind.next(moment(1)).unwrap();
    assert_eq!(reason(&second), Reason::EvictionsAwaited);
    assert_eq!(
        second.plan.decisions[0].sentence,
        "No node has room, and making it would break disruption budgets (1, the fewest possible): evictions for other pods \
         are under way, and what becomes of them is awaited."
    );
    let replayed = crate::recording::replay(second.recording.as_ref().unwrap(), None).unwrap();
    assert_eq!(replayed, second.plan);
    assert_eq!(deeds(&second), ["event Pod shop/second FailedScheduling", "apply-status Pod shop/second"]);
    mind.ended("uid-first", true, at(2));
    let again = mind.next(moment(20)).unwrap();
    assert_eq!(again.plan.decisions[0].subject.name, "second");
    assert!(
        again.plan.decisions[0].sentence.ends_with("Disruption budgets broken: 1, the fewest possible."),
        "it had to"
    );
}

// Found by simulated days: they had waited five minutes.
#[test]
fn whoever_had_to_leave_the_room_is_tried_again_when_the_eviction_is_held() {
    let cases =
        [("500m", 5, Reason::RoomByEviction, "evicts in its stead"), ("200m", 1, Reason::OnlyFeasibleNode, "fits")];
    for (cpu, priority, then, what) in cases {
        let low = bound(ranked("low", "800m", 1), "n1");
        let pods = [low, ranked("first", "600m", 5), ranked("other", cpu, priority)];
        let mut mind = mind(Mode::Enforce, &[node("n1", 1_000)], &pods);
        assert_eq!(reason(&mind.next(moment(1)).unwrap()), Reason::RoomByEviction);
        assert_eq!(reason(&mind.next(moment(1)).unwrap()), Reason::Unschedulable);
        assert!(mind.next(moment(2)).is_none());
        mind.ended("uid-first", false, at(2));
        let next = mind.next(moment(2)).unwrap();
        assert_eq!((next.uid.as_str(), reason(&next)), ("uid-other", then), "{what}");
    }
}

#[test]
fn nobody_else_is_evicted_while_victims_leave() {
    let (nodes, mut pods) = full();
    let new = ranked("new", "500m", 5);
    pods.push(new.clone());
    let mut mind = mind(Mode::Enforce, &nodes, &pods);
    let job = mind.next(moment(1)).unwrap();
    let mut leaving = pods[0].clone();
    leaving["metadata"]["deletionTimestamp"] = json!("1970-01-01T00:00:02Z");
    leaving["status"]["conditions"] =
        json!([{"type": "DisruptionTarget", "status": "True", "reason": "PreemptionByScheduler"}]);
    mind.pod(&written(&leaving), at(2));
    mind.ended("uid-new", true, at(2));
    let mut waiting = nominated(&job, new);
    mind.pod(&written(&waiting), at(2));
    // Something else of it changes: it is tried again, and finds that its room is being made.
    waiting["metadata"]["labels"]["more"] = json!("x");
    mind.pod(&written(&waiting), at(3));
    let job = mind.next(moment(8)).unwrap();
    assert_eq!(reason(&job), Reason::Unschedulable);
    assert!(!deeds(&job).iter().any(|deed| deed.starts_with("delete")));
    let still = nominated(&job, waiting);
    assert_eq!(still["status"]["nominatedNodeName"], "n1", "the nomination stays");
}

#[test]
fn below_enforce_nobody_is_evicted() {
    let (nodes, mut pods) = full();
    pods.push(ranked("new", "500m", 5));
    let mut mind = mind(Mode::Observe, &nodes, &pods);
    let job = mind.next(moment(1)).unwrap();
    assert_eq!((reason(&job), job.plan.actions.len()), (Reason::SchedulerNotEnforcing, 0));
    let sentence = &job.plan.decisions[0].sentence;
    assert!(sentence.ends_with("On n1 it is made by evicting shop/low (priority 1)."), "{sentence}");
    assert!(!mind.view().has_nominations(0));
}
