//! Another scheduler binds between a decision and its binding.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use super::*;
use crate::decide::tests::{node, pod};

fn theirs(mut value: Value, node: &str) -> Value {
    value["spec"]["schedulerName"] = json!("default-scheduler");
    bound(value, node)
}

fn with_port(name: &str) -> Value {
    let mut value = pod(name, "100m");
    value["spec"]["containers"][0]["ports"] = json!([{"containerPort": 80, "hostPort": 80}]);
    value
}

fn apart(name: &str) -> Value {
    let mut value = pod(name, "100m");
    value["metadata"]["labels"] = json!({"app": "db"});
    value["spec"]["affinity"] = json!({"podAntiAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": [
        {"topologyKey": "kubernetes.io/hostname", "labelSelector": {"matchLabels": {"app": "db"}}}]}});
    value
}

fn told(mind: &mut Mind) -> Vec<Decision> {
    let jobs = std::iter::from_fn(|| mind.next_comparison(moment(3)));
    jobs.flat_map(|job| job.plan.decisions).filter(|decision| decision.reason == Reason::BoundAtOnce).collect()
}

#[test]
fn a_binding_whose_room_is_taken_meanwhile_is_not_sent_and_the_pod_is_decided_again() {
    for (ours, others) in [(pod("ours", "600m"), pod("other", "600m")), (with_port("ours"), with_port("other"))] {
        let mut mind = mind(Mode::Enforce, &[node("n1", 1_000), node("n2", 500)], &[ours]);
        let job = mind.next(moment(1)).unwrap();
        assert!(job.binds());
        let chosen = job.plan.decisions[0].chosen.clone().unwrap();
        mind.pod(&written(&theirs(others, &chosen)), at(1));
        let why = job.pass.unwrap().overtaken().unwrap();
        assert!(why.starts_with(&format!("shop/other was bound to {chosen} meanwhile: ")), "{why}");
        mind.ended(&job.uid, false, at(1));
        // After the wait of a failure it is tried as if nothing had been.
        let again = mind.next(moment(60)).unwrap();
        assert_ne!(again.plan.decisions[0].chosen.as_deref(), Some(chosen.as_str()));
        assert!(told(&mut mind).is_empty(), "nothing was bound at once");
    }
}

#[test]
fn a_rule_about_pods_elsewhere_is_looked_at_again_as_well() {
    let nodes = ["n1", "n2"].map(|name| {
        let mut node = node(name, 1_000);
        node["metadata"]["labels"]["kubernetes.io/hostname"] = json!(name);
        node
    });
    let mut mind = mind(Mode::Enforce, &nodes, &[apart("ours")]);
    let job = mind.next(moment(1)).unwrap();
    let chosen = job.plan.decisions[0].chosen.clone().unwrap();
    let other = if chosen == "n1" { "n2" } else { "n1" };
    let mut elsewhere = apart("elsewhere");
    elsewhere["metadata"]["uid"] = json!("elsewhere");
    mind.pod(&written(&theirs(elsewhere, other)), at(1));
    let mut there = apart("there");
    there["metadata"]["uid"] = json!("there");
    mind.pod(&written(&theirs(there, &chosen)), at(1));
    let why = job.pass.unwrap().overtaken().unwrap();
    assert!(why.starts_with(&format!("shop/there was bound to {chosen} meanwhile: ")), "{why}");
}

#[test]
fn who_fits_beside_the_other_goes_on() {
    let mut mind = mind(Mode::Enforce, &[node("n1", 1_000)], &[pod("ours", "600m")]);
    let job = mind.next(moment(1)).unwrap();
    mind.pod(&written(&theirs(pod("other", "400m"), "n1")), at(1));
    assert_eq!(job.pass.unwrap().overtaken(), None);
}

#[test]
fn one_is_taken_back_for_one_that_came_not_all_that_wait() {
    let pods: Vec<_> = (0..3).map(|i| pod(&format!("p{i}"), "300m")).collect();
    let mut mind = mind(Mode::Enforce, &[node("n1", 1_000)], &pods);
    let jobs: Vec<_> = std::iter::from_fn(|| mind.next(moment(1))).collect();
    mind.pod(&written(&theirs(pod("other", "300m"), "n1")), at(1));
    let taken_back = jobs.iter().filter(|job| job.pass.as_ref().unwrap().overtaken().is_some());
    assert_eq!(taken_back.map(|job| job.plan.decisions[0].subject.name.as_str()).collect::<Vec<_>>(), ["p2"]);
}

#[test]
fn what_was_sent_is_not_taken_back_and_the_two_are_named_once() {
    let mut mind = mind(Mode::Enforce, &[node("n1", 1_000)], &[pod("ours", "600m")]);
    let job = mind.next(moment(1)).unwrap();
    let pass = job.pass.clone().unwrap();
    assert_eq!(pass.overtaken(), None, "it is sent");
    mind.pod(&written(&theirs(pod("other", "600m"), "n1")), at(1));
    mind.pod(&written(&theirs(pod("small", "100m"), "n1")), at(2));
    assert_eq!(pass.overtaken(), None, "a retry goes on");
    let told = told(&mut mind);
    assert_eq!(told.len(), 1, "the third came to a node that was over already: {told:#?}");
    let decision = &told[0];
    assert_eq!((decision.subject.name.as_str(), decision.verb), ("ours", Verb::Compare));
    assert_eq!(decision.related.iter().map(|object| object.name.as_str()).collect::<Vec<_>>(), ["n1", "other"]);
    assert_eq!(decision.causes, [job.plan.decisions[0].id]);
    assert!(decision.sentence.contains("short 200m"), "{}", decision.sentence);
}

#[test]
fn a_node_that_is_cordoned_meanwhile_gets_nothing_and_one_that_is_gone_neither() {
    for gone in [false, true] {
        let mut mind = mind(Mode::Enforce, &[node("n1", 1_000)], &[pod("ours", "600m")]);
        let job = mind.next(moment(1)).unwrap();
        if gone {
            mind.node_gone("n1", at(1));
        } else {
            let mut cordoned = node("n1", 1_000);
            cordoned["spec"] = json!({"unschedulable": true});
            mind.node(&serde_json::from_value(cordoned).unwrap(), at(1));
        }
        let why = job.pass.unwrap().overtaken().unwrap();
        assert!(why.starts_with("n1 has changed meanwhile: "), "{why}");
    }
}
