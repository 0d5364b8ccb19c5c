//! Groups wait for all of their pods, are placed together, and are never kept for ever.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use keelson_cluster::read::network;
use keelson_placement::network::WORKLOAD_LABEL;
use serde_json::{Value, json};

use super::super::tests::{at, bound, mind, moment, reason, standing, written};
use super::super::{Job, Standing};
use super::*;
use crate::decide::tests::{node, pod};

/// Two zones of two nodes each, all equally free.
fn nodes() -> Vec<Value> {
    let zones = [("n1", "a"), ("n2", "a"), ("n3", "b"), ("n4", "b")];
    let node = |(name, zone): (&str, &str)| {
        let mut node = node(name, 1_000);
        node["metadata"]["labels"]["topology.kubernetes.io/zone"] = json!(zone);
        node
    };
    zones.into_iter().map(node).collect()
}

fn member(name: &str, workload: &str) -> Value {
    let mut value = pod(name, "400m");
    value["metadata"]["labels"] = json!({GROUP_LABEL: "g", WORKLOAD_LABEL: workload});
    value
}

/// web calls db and cache; `members` pods in all.
fn group(members: usize) -> Vec<Event> {
    let workload = |name: &str| json!({"kind": "Deployment", "name": name, "selector": name});
    let on = |name: &str| json!({"workload": workload(name)});
    let web = json!({"workload": workload("web"), "dependencies": [on("db"), on("cache")]});
    let workloads = json!([web, {"workload": workload("db")}, {"workload": workload("cache")}]);
    let metadata = json!({"name": "g", "namespace": "shop"});
    let way = |from: &str, to: &str| json!({"origin": from, "costList": [{"destination": to, "networkCost": 5}]});
    let zones = json!({"topologyKey": "topology.kubernetes.io/zone", "originList": [way("a", "b"), way("b", "a")]});
    let weights = json!([{"name": "UserDefined", "topologyList": [zones]}]);
    let group = network::group(&json!({"metadata": metadata, "spec": {"numMembers": members, "workloads": workloads}}));
    let costs = json!({"metadata": {"name": "nt-default"}, "spec": {"weights": weights}});
    let costs = network::topology(&costs, network::WEIGHTS);
    vec![Event::GroupApplied(Box::new(group)), Event::TopologyApplied(Box::new(costs))]
}

fn waiting(members: usize, nodes: &[Value], pods: &[Value]) -> Mind {
    let mut mind = mind(Mode::Enforce, nodes, &[]);
    mind.configure(Standing { group_wait: Span::seconds(30), ..standing(Mode::Enforce) }, at(0));
    group(members).into_iter().for_each(|event| mind.network(event, at(0)));
    pods.iter().for_each(|pod| mind.pod(&written(pod), at(0)));
    mind
}

fn all(mind: &mut Mind, now: i64) -> Vec<Job> {
    std::iter::from_fn(|| mind.next(moment(now))).collect()
}

fn node_of(job: &Job) -> &str {
    job.plan.decisions[0].chosen.as_deref().unwrap()
}

#[test]
fn a_group_waits_until_all_are_there_and_is_placed_together() {
    let mut mind = waiting(3, &nodes(), &[member("web-1", "web"), member("db-1", "db")]);
    let early = all(&mut mind, 1);
    assert!(early.iter().all(|job| reason(job) == Reason::GroupIncomplete && job.plan.actions.is_empty()), "{early:?}");
    assert_eq!(
        early[0].plan.decisions[0].sentence,
        "Waits for its group shop/g: 2 of 3 pods are there; each is placed alone from 1970-01-01T00:00:31Z on."
    );
    mind.pod(&written(&member("cache-1", "cache")), at(5));
    let jobs = all(&mut mind, 6);
    let placed: Vec<&Job> = jobs.iter().filter(|job| job.binds()).collect();
    assert_eq!(placed.len(), 3, "{jobs:?}");
    let made: Vec<&Decision> = jobs.iter().flat_map(|job| &job.plan.decisions).collect();
    let whole: Vec<_> = made.iter().filter(|decision| decision.reason == Reason::GroupPlaced).collect();
    assert_eq!(whole.len(), 1);
    assert_eq!(whole[0].subject.to_string(), "AppGroup shop/g");
    // Two fit on a node: the third is next door, in the same zone.
    assert_eq!(whole[0].inputs["network cost"], "1", "{:?}", whole[0]);
    for job in placed {
        let decision = &job.plan.decisions[0];
        assert_eq!(decision.reason, Reason::PlacedWithGroup);
        assert!(decision.causes.contains(&whole[0].id), "{decision:?}");
    }
}

#[test]
fn whoever_comes_to_a_group_that_is_not_whole_wakes_nobody() {
    let mut mind = waiting(4, &nodes(), &[]);
    for (second, name) in [(1, "web-1"), (5, "db-1"), (9, "cache-1")] {
        mind.pod(&written(&member(name, name.split('-').next().unwrap())), at(second));
        let tried = all(&mut mind, second + 1);
        assert_eq!(tried.len(), 1, "itself, and not the others again: {tried:?}");
    }
    mind.pod(&written(&member("web-2", "web")), at(13));
    assert_eq!(all(&mut mind, 14).iter().filter(|job| job.binds()).count(), 4);
}

#[test]
fn a_group_that_is_too_large_to_be_placed_together_does_not_wait() {
    let mut mind = waiting(MOST + 1, &nodes(), &[member("web-1", "web")]);
    assert!(all(&mut mind, 1)[0].binds());
}

#[test]
fn who_waited_long_enough_is_placed_alone() {
    let mut mind = waiting(3, &nodes(), &[member("web-1", "web"), member("db-1", "db")]);
    assert!(all(&mut mind, 1).iter().all(|job| !job.binds()));
    assert_eq!(mind.due(), Some(at(31)).min(mind.due()), "it looks again when the wait is over");
    assert!(all(&mut mind, 30).iter().all(|job| !job.binds()));
    let jobs = all(&mut mind, 31);
    assert_eq!(jobs.iter().filter(|job| job.binds()).count(), 2, "{jobs:?}");
    assert!(jobs.iter().all(|job| reason(job) != Reason::GroupIncomplete));
    // The next time the group has to wait, it waits anew.
    for job in &jobs {
        let name = job.plan.decisions[0].subject.name.clone();
        let workload = name.split('-').next().unwrap();
        mind.pod(&written(&bound(member(&name, workload), node_of(job))), at(32));
        mind.ended(&job.uid, true, at(32));
    }
    mind.pod_gone(&written(&bound(member("db-1", "db"), "n1")), at(33));
    mind.pod(&written(&member("cache-1", "cache")), at(33));
    assert!(all(&mut mind, 34).iter().all(|job| reason(job) == Reason::GroupIncomplete));
}

#[test]
fn costs_that_change_every_minute_do_not_make_the_wait_longer() {
    let mut mind = waiting(3, &nodes(), &[member("web-1", "web"), member("db-1", "db")]);
    assert!(all(&mut mind, 1).iter().all(|job| !job.binds()));
    for second in [10, 20, 30] {
        let costs = json!([{"topologyKey": "topology.kubernetes.io/zone", "originList": [
            {"origin": "a", "costList": [{"destination": "b", "networkCost": second}]}]}]);
        let weights = json!([{"name": "UserDefined", "topologyList": costs}]);
        let costs = network::topology(
            &json!({"metadata": {"name": "nt-default"}, "spec": {"weights": weights}}),
            network::WEIGHTS,
        );
        mind.network(Event::TopologyApplied(Box::new(costs)), at(second));
        assert!(all(&mut mind, second).iter().all(|job| !job.binds()));
    }
    // Over at 31; who was tried at 30 backs off first.
    assert_eq!(all(&mut mind, 41).iter().filter(|job| job.binds()).count(), 2);
}

#[test]
fn no_pod_of_a_group_is_bound_while_one_has_no_place_and_all_are_once_it_has() {
    let blocker = bound(pod("blocker", "700m"), "n1");
    let nodes = [nodes()[0].clone(), nodes()[2].clone()];
    let mut mind = waiting(4, &nodes, std::slice::from_ref(&blocker));
    for name in ["web-1", "web-2", "db-1", "cache-1"] {
        mind.pod(&written(&member(name, name.split('-').next().unwrap())), at(1));
    }
    let jobs = all(&mut mind, 2);
    assert!(!jobs.is_empty() && jobs.iter().all(|job| reason(job) == Reason::GroupIncomplete), "{jobs:?}");
    assert!(jobs[0].plan.decisions[0].sentence.contains("no node is left for"), "{jobs:?}");
    mind.pod_gone(&written(&blocker), at(10));
    let jobs = all(&mut mind, 11);
    assert_eq!(jobs.iter().filter(|job| job.binds()).count(), 4, "{jobs:?}");
}

#[test]
fn a_planned_node_that_is_full_by_then_is_no_reason_to_wait() {
    let pods = [member("web-1", "web"), member("db-1", "db"), member("cache-1", "cache")];
    let mut mind = waiting(3, &nodes(), &pods);
    let first = mind.next(moment(1)).unwrap();
    assert!(first.binds());
    let taken = node_of(&first).to_owned();
    mind.pod(&written(&bound(pod("stranger", "600m"), &taken)), at(2));
    let jobs = all(&mut mind, 3);
    assert_eq!(jobs.iter().filter(|job| job.binds()).count(), 2, "{jobs:?}");
    assert!(jobs.iter().all(|job| !job.binds() || node_of(job) != taken));
}

#[test]
fn what_is_remembered_of_groups_goes_with_them() {
    let pods = [member("web-1", "web"), member("db-1", "db"), member("cache-1", "cache")];
    let mut mind = waiting(3, &nodes(), &pods);
    all(&mut mind, 1);
    pods.iter().for_each(|pod| mind.pod_gone(&written(pod), at(2)));
    mind.network(Event::GroupDeleted(("shop".into(), "g".into())), at(3));
    let Groups { declared, pods, labels, waits, planned, .. } = &mind.groups;
    assert!(declared.is_empty() && pods.is_empty() && labels.is_empty() && waits.is_empty() && planned.is_empty());
}
