//! What the number of a Lease is good for: what a leader sends shows it, and nothing is done under one that is over.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, missing_docs)]

mod support;

use http::Method;
use keelson_core::{Action, ActionKind, Feature, Outcome, Plan, StepResult};
use serde_json::json;
use support::{Fault, bind, bind_and_tell, config_map, done, millis, node_of, seconds, with_a_pod};

#[tokio::test(start_paused = true)]
async fn whatever_a_leader_writes_shows_its_fence() {
    let (world, process, pod) = with_a_pod(1).await;
    process.act(&pod, bind_and_tell()).await;
    process.act(&config_map("new"), vec![ActionKind::Apply(json!({"data": {"a": "1"}}))]).await;
    world.set_platform(json!({"features": {"scheduling": {"mode": "Enforce", "paused": true}}})).await;
    seconds(30).await;
    let of = |net: &support::Net| net.introduced().into_iter().filter(|call| !call.starts_with("GET "));
    let writes: Vec<_> = of(&process.net).chain(of(&process.lease_net)).collect();
    let shows = |call: &&String| call.ends_with(" (scheduling; fence 1)");
    assert_eq!(writes.iter().find(|call| !shows(call)), None);
    for path in ["/binding", "/events", "/configmaps/new", "/platforms/default/status", "/leases"] {
        assert!(writes.iter().any(|call| call.contains(path)), "{path} in {writes:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_process_that_was_stopped_for_a_minute_sends_nothing_when_it_goes_on() {
    // Each of the four calls takes two milliseconds: it is stopped in the middle of one.
    for stopped_after in (1..8).step_by(2) {
        let (world, process, pod) = with_a_pod(1).await;
        let plan = vec![(config_map("new"), ActionKind::Apply(json!({"data": {"a": "1"}}))), (pod.clone(), bind("n1"))];
        let stop = async {
            millis(stopped_after).await;
            let out = process.net.writes("/shop/");
            tokio::time::advance(std::time::Duration::from_secs(60)).await;
            out
        };
        let ((outcome, steps), out) = tokio::join!(process.act_on(&pod, plan), stop);
        assert!(matches!(outcome, Outcome::Would | Outcome::Failed | Outcome::Pending), "{steps:?}");
        assert_eq!(process.net.writes("/shop/"), out, "stopped after {stopped_after} ms, it went on: {steps:?}");
        assert_eq!(node_of(&world, "cart").await, None);
    }
}

#[tokio::test(start_paused = true)]
async fn what_is_written_over_another_version_is_refused() {
    let (world, process, _) = with_a_pod(1).await;
    let map = config_map("seen");
    let apply = |value: &str| vec![ActionKind::Apply(json!({"data": {"a": value}}))];
    assert_eq!(process.act(&map, apply("1")).await, done());
    // Between its reading and its writing, somebody else writes.
    let shared = world.outside();
    process.net.rule(move |method, path| {
        if method == Method::PATCH && path.contains("/configmaps/seen") {
            let api: kube::Api<k8s_openapi::api::core::v1::ConfigMap> = kube::Api::namespaced(shared.clone(), "shop");
            let patch = kube::api::Patch::Merge(json!({"data": {"b": "theirs"}}));
            tokio::spawn(async move { api.patch("seen", &Default::default(), &patch).await });
        }
        None
    });
    let (outcome, steps) = process.act(&map, apply("2")).await;
    assert!(outcome == Outcome::Failed && steps[0].starts_with("Conflict"), "{steps:?}");
}

#[tokio::test(start_paused = true)]
async fn a_write_whose_answer_was_lost_is_not_taken_for_somebody_elses() {
    let (world, process, _) = with_a_pod(1).await;
    let map = config_map("seen");
    let apply = |value: &str| vec![ActionKind::Apply(json!({"data": {"a": value}}))];
    assert_eq!(process.act(&map, apply("1")).await, done());
    let template = json!({"metadata": {"labels": {"a": "b"}}, "spec": {"containers": [{"name": "c", "image": "i"}]}});
    let spec = json!({"replicas": 1, "selector": {"matchLabels": {"a": "b"}}, "template": template});
    world.create("apps/v1", "Deployment", Some("shop"), json!({"metadata": {"name": "cart"}, "spec": spec})).await;
    // The first try of each is carried out, and the second meets the version that it made.
    let mut lost = std::collections::BTreeSet::new();
    process.net.rule(move |method, path| {
        let first = *method == Method::PATCH && path.contains("/shop/") && lost.insert(path.to_owned());
        first.then_some(Fault::Lose)
    });
    let told = (Outcome::Done, vec!["Done: it carries this decision".into()]);
    assert_eq!(process.act(&map, apply("2")).await, told);
    let cart = keelson_core::ObjectRef::namespaced("Deployment", "shop", "cart").in_group("apps");
    let told = (Outcome::NoAction, vec!["Unchanged: it is so by now".into()]);
    assert_eq!(process.act(&cart, vec![ActionKind::Scale { replicas: 3 }]).await, told);
    let scaled = world.get("apps/v1", "Deployment", Some("shop"), "cart").await.unwrap();
    assert_eq!(scaled["spec"]["replicas"], 3);
}

#[tokio::test(start_paused = true)]
async fn a_decision_made_under_an_earlier_leadership_is_not_carried_out() {
    let (_world, process, pod) = with_a_pod(10).await;
    let mut late = process.decision(&pod);
    late.fence = process.switch().fence + 1;
    let action = Action { decision: late.id, object: pod, kind: bind("n1") };
    let plan = Plan { decisions: vec![late.clone()], actions: vec![action], ..Plan::default() };
    let report = process.runtime.executor().run(Feature::Scheduling, plan, None).await;
    assert_eq!(report.decisions[&late.id].0, Outcome::Would);
    assert!(report.has(StepResult::Held));
}

#[tokio::test(start_paused = true)]
async fn what_is_under_way_is_dropped_when_leadership_goes_and_looked_at_under_the_next() {
    let (world, process, pod) = with_a_pod(11).await;
    process.net.rule(|_, path| path.contains("/binding").then_some(Fault::Hang));
    // Up to now leadership was renewed every two seconds; the binding hangs for 5 s at a time.
    seconds(1).await;
    process.lease_net.down();
    seconds(7).await;
    let (outcome, steps) = process.act(&pod, vec![bind("n1")]).await;
    assert_eq!(
        (outcome, steps),
        (Outcome::Pending, vec!["Failed: leadership was lost while it was under way; it may have been done".into()])
    );
    // It was carried out long after nobody waited for it any more.
    let done = process.history.decisions().into_iter().find(|kept| kept.outcome == Outcome::Pending).unwrap();
    let annotations = json!({"keelson.dev/decision": done.id});
    world.merge("v1", "Pod", Some("shop"), "cart", json!({"metadata": {"annotations": annotations}})).await;
    let kept = || process.history.decisions().into_iter().find(|kept| kept.id == done.id).unwrap();
    seconds(30).await;
    assert_eq!(kept().outcome, Outcome::Pending, "another may lead by now, and it is its to say");
    process.lease_net.heal();
    process.leads().await;
    seconds(10).await;
    assert_eq!(kept().outcome, Outcome::Done, "{:?}", kept().steps);
}
