//! What the executor does to the cluster, and what it leaves alone.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, missing_docs)]

mod support;

use std::sync::{Arc, Mutex};

use http::Method;
use keelson_core::{
    Action, ActionKind, Decision, DecisionId, Effect, Feature, ObjectRef, Outcome, Payload, Plan, Reason, Step,
    StepResult,
};
use keelson_runtime::{History, HistoryError, Provided, Provider};
use serde_json::{Value, json};
use support::{Fault, World, bind, bind_and_tell, config_map, decision, done, millis, node_of, seconds, with_a_pod};

#[tokio::test(start_paused = true)]
async fn a_pod_is_bound_and_carries_its_decision() {
    let (world, process, pod) = with_a_pod(1).await;
    assert_eq!(process.act(&pod, vec![bind("n1")]).await, done());
    let bound = world.get("v1", "Pod", Some("shop"), "cart").await.unwrap();
    assert_eq!(bound["spec"]["nodeName"], "n1");
    let kept = &process.history.decisions()[0];
    assert_eq!(bound["metadata"]["annotations"]["keelson.dev/decision"], json!(kept.id));
    assert_eq!((kept.fence, kept.trace_id.as_str()), (1, "0af7651916cd43dd8448eb211c80319c"));
    assert_eq!(process.history.recording(kept.id), Some(b"seen".to_vec()));
}

#[tokio::test(start_paused = true)]
async fn a_binding_whose_answer_was_lost_is_resolved_by_reading_the_pod() {
    let (world, process, pod) = with_a_pod(2).await;
    process.net.rule(|_, path| path.contains("/binding").then_some(Fault::Lose));
    let told = (Outcome::Done, vec!["Done: the pod says it is bound".into()]);
    assert_eq!(process.act(&pod, vec![bind("n1")]).await, told);
    assert_eq!(process.net.writes("/binding"), 1, "and never sent twice");
    assert_eq!(node_of(&world, "cart").await.as_deref(), Some("n1"));
}

#[tokio::test(start_paused = true)]
async fn a_binding_that_hangs_is_sent_again_when_the_pod_is_unbound() {
    let (world, process, pod) = with_a_pod(3).await;
    let mut first = true;
    process.net.rule(move |_, path| (path.contains("/binding") && std::mem::take(&mut first)).then_some(Fault::Hang));
    assert_eq!(process.act(&pod, vec![bind("n1")]).await, done());
    assert_eq!(node_of(&world, "cart").await.as_deref(), Some("n1"));
}

#[tokio::test(start_paused = true)]
async fn a_pod_that_is_bound_gone_or_another_is_told_apart() {
    let (_world, process, pod) = with_a_pod(4).await;
    process.act(&pod, vec![bind("n1")]).await;
    let first = process.history.decisions()[0].id;
    let same = (Outcome::NoAction, vec![format!("Unchanged: bound there by decision {first}")]);
    assert_eq!(process.act(&pod, vec![bind("n1")]).await, same, "only one decision says that it bound the pod");
    let other = (Outcome::Failed, vec!["Conflict: the pod is bound to n1".into()]);
    assert_eq!(process.act(&pod, vec![bind("n2")]).await, other);
    let gone = (Outcome::NoAction, vec!["Unchanged: the object is gone".into()]);
    assert_eq!(process.act(&pod.clone().with_uid("another"), vec![bind("n1")]).await, gone);
    assert_eq!(process.act(&ObjectRef::namespaced("Pod", "shop", "nobody"), vec![bind("n1")]).await, gone);
}

#[tokio::test(start_paused = true)]
async fn what_is_overtaken_after_its_record_is_not_begun() {
    let (world, process, pod) = with_a_pod(30).await;
    let decision = process.decision(&pod);
    let id = decision.id;
    let actions = vec![Action { decision: id, object: pod.clone(), kind: bind("n1") }];
    let plan = Plan { decisions: vec![decision], actions, ..Plan::default() };
    let history = Arc::clone(&process.history);
    // It is asked when the record is there, and not before.
    let overtaken = move || history.decisions().iter().any(|kept| kept.id == id).then(|| "n1 is full".to_owned());
    let report = process.runtime.executor().run_unless(Feature::Scheduling, plan, None, &overtaken).await;
    let (outcome, steps) = &report.decisions[&id];
    assert_eq!(
        (*outcome, steps[0].result, steps[0].detail.as_str()),
        (Outcome::Failed, StepResult::Conflict, "n1 is full")
    );
    assert_eq!((process.net.writes("/binding"), node_of(&world, "cart").await), (0, None));
    assert!(process.history.decisions().iter().any(|kept| kept.id == id && kept.outcome == Outcome::Failed));
}

#[tokio::test(start_paused = true)]
async fn a_transient_refusal_is_repeated_and_a_lasting_one_is_not() {
    let (_world, process, pod) = with_a_pod(5).await;
    let mut left = 3;
    process.net.rule(move |_, path| {
        let refuse = path.contains("/binding") && left > 0;
        left -= i32::from(refuse);
        refuse.then_some(Fault::Refuse(503, None))
    });
    assert_eq!(process.act(&pod, vec![bind("n1")]).await, done());
    process.net.heal();
    process.net.rule(|method, path| {
        (method == Method::POST && path.contains("configmaps")).then_some(Fault::Refuse(403, None))
    });
    let before = process.net.writes("configmaps");
    let (outcome, steps) = process.act(&config_map("a"), vec![ActionKind::Create(json!({}))]).await;
    assert_eq!((outcome, steps[0].as_str()), (Outcome::Failed, "Failed: 403: refused by the test"));
    assert_eq!(process.net.writes("configmaps"), before + 1);
}

#[tokio::test(start_paused = true)]
async fn retry_after_is_honoured_and_trying_ends_in_time() {
    let (_world, process, _) = with_a_pod(6).await;
    let mut first = true;
    process.net.rule(move |method, path| {
        let refuse = method == Method::POST && path.contains("configmaps") && std::mem::take(&mut first);
        refuse.then_some(Fault::Refuse(429, Some("7")))
    });
    let before = process.runtime.clock().now();
    assert_eq!(process.act(&config_map("a"), vec![ActionKind::Create(json!({}))]).await, done());
    assert_eq!((process.runtime.clock().now() - before).0 / 1_000_000, 7);
    process.net.rule(|method, _| (method != Method::GET).then_some(Fault::Refuse(503, None)));
    let before = process.runtime.clock().now();
    let (outcome, _) = process.act(&config_map("b"), vec![ActionKind::Create(json!({}))]).await;
    assert_eq!(outcome, Outcome::Failed);
    assert!((process.runtime.clock().now() - before).0 <= 10_000_000);
}

#[tokio::test(start_paused = true)]
async fn below_enforce_nothing_is_touched() {
    let world = World::prepared(7, json!({"features": {"scheduling": {"mode": "Observe"}}})).await;
    let process = world.process("a", |_| {});
    process.leads().await;
    world.node("n1").await;
    let pod = world.pod("cart").await;
    seconds(15).await;
    let before = process.net.log().len();
    let event = ActionKind::Event { warning: false, reason: "R".into(), action: "A".into(), note: "N".into() };
    let acts = vec![bind("n1"), event, ActionKind::Create(json!({})), ActionKind::Delete];
    let (outcome, steps) = process.act(&pod, acts).await;
    assert_eq!((outcome, steps), (Outcome::Would, vec!["Would".to_owned(); 4]));
    assert_eq!(process.net.log().len(), before, "not even a question was asked");
}

#[tokio::test(start_paused = true)]
async fn an_annotation_lowers_the_mode_of_one_object_and_never_raises_it() {
    let (world, process) = World::enforcing(8).await;
    world.node("n1").await;
    let observed = world.pod_with("a", json!({"keelson.dev/mode": "Observe"})).await;
    let garbled = world.pod_with("b", json!({"keelson.dev/mode": "Perhaps"})).await;
    let raised = world.pod_with("c", json!({"keelson.dev/mode": "Enforce"})).await;
    process.runtime.cache::<k8s_openapi::api::core::v1::Pod>().synced().await;
    let (outcome, steps) = process.act(&observed, vec![bind("n1")]).await;
    assert_eq!(
        (outcome, steps[0].as_str()),
        (Outcome::Would, "Would: Pod shop/a is annotated keelson.dev/mode: Observe")
    );
    let (outcome, steps) = process.act(&garbled, vec![bind("n1")]).await;
    assert!(outcome == Outcome::Would && steps[0].contains("read as Observe"), "{steps:?}");
    assert_eq!(process.act(&raised, vec![bind("n1")]).await.0, Outcome::Done);
    let uncached = json!({"metadata": {"name": "d", "annotations": {"keelson.dev/mode": "Off"}}});
    world.create("v1", "ConfigMap", Some("shop"), uncached).await;
    let (outcome, steps) = process.act(&config_map("d"), vec![ActionKind::Delete]).await;
    assert!(outcome == Outcome::Would && steps[0].ends_with("keelson.dev/mode: Off"), "whoever caches it: {steps:?}");
    let nameless = vec![(config_map("d"), ActionKind::Delete)];
    let (outcome, steps) = process.act_on(&config_map(""), nameless).await;
    assert!(outcome == Outcome::Would && steps[0].ends_with("keelson.dev/mode: Off"), "whatever it serves: {steps:?}");
    world.set_platform(json!({"features": {"scheduling": {"mode": "Observe"}}})).await;
    seconds(1).await;
    assert_eq!(process.act(&raised, vec![bind("n1")]).await.0, Outcome::Would);
    assert_eq!(process.act(&observed, vec![bind("n1")]).await.1, ["Would"], "it lowers nothing that is so low already");
}

#[tokio::test(start_paused = true)]
async fn a_pause_and_a_lost_leadership_hold_every_action() {
    let (world, process, pod) = with_a_pod(9).await;
    world.set_platform(json!({"features": {"scheduling": {"paused": true}}})).await;
    seconds(1).await;
    let (outcome, steps) = process.act(&pod, vec![bind("n1")]).await;
    assert!(outcome == Outcome::Would && steps[0].starts_with("Held: paused"), "{steps:?}");
    world.set_platform(json!({"features": {"scheduling": {"paused": false}}})).await;
    process.lease_net.down();
    seconds(15).await;
    let (outcome, steps) = process.act(&pod, vec![bind("n1")]).await;
    assert!(outcome == Outcome::Would && steps[0].contains("does not lead"), "{steps:?}");
    assert_eq!(node_of(&world, "cart").await, None);
}

#[tokio::test(start_paused = true)]
async fn a_pause_ends_what_is_being_tried_again_within_a_second() {
    let (world, process, pod) = with_a_pod(25).await;
    process.net.rule(|_, path| path.contains("/binding").then_some(Fault::Refuse(503, None)));
    let pause = async {
        seconds(1).await;
        world.set_platform(json!({"features": {"scheduling": {"paused": true}}})).await;
        millis(900).await;
        process.net.heal();
    };
    let (acted, ()) = tokio::join!(process.act(&pod, vec![bind("n1")]), pause);
    let told = "Failed: actions were held while it was under way; it may have been done";
    assert_eq!(acted, (Outcome::Pending, vec![told.into()]));
    seconds(20).await;
    assert_eq!(node_of(&world, "cart").await, None);
    let kept = process.history.decisions().into_iter().find(|kept| kept.subject == pod).unwrap();
    assert_eq!(kept.outcome, Outcome::Failed, "two looks have shown nothing of it: {:?}", kept.steps);
}

#[tokio::test(start_paused = true)]
async fn the_same_creation_by_a_restarted_process_is_recognised_and_a_stranger_is_not() {
    let (world, process) = World::enforcing(12).await;
    let create = || vec![ActionKind::Create(json!({"data": {"a": "1"}}))];
    assert_eq!(process.act(&config_map("a"), create()).await, done());
    assert_eq!(
        process.act(&config_map("a"), create()).await,
        (Outcome::NoAction, vec!["Unchanged: created before".into()])
    );
    let made = world.get("v1", "ConfigMap", Some("shop"), "a").await.unwrap();
    assert_eq!(made["metadata"]["labels"]["app.kubernetes.io/managed-by"], "keelson");
    world.create("v1", "ConfigMap", Some("shop"), json!({"metadata": {"name": "b"}})).await;
    let (outcome, steps) = process.act(&config_map("b"), create()).await;
    assert!(outcome == Outcome::Failed && steps[0].starts_with("Conflict"), "{steps:?}");
    process.net.rule(|method, path| (method == Method::POST && path.contains("configmaps")).then_some(Fault::Lose));
    let lost = process.act(&config_map("c"), create()).await;
    let ours = (Outcome::Done, vec!["Done: it exists and carries this decision".into()]);
    assert_eq!(lost, ours, "a lost answer is no failure");
}

#[tokio::test(start_paused = true)]
async fn nothing_is_written_that_is_so_already() {
    let (world, process) = World::enforcing(13).await;
    let deployment = ObjectRef::namespaced("Deployment", "shop", "web").in_group("apps");
    let spec = json!({
        "metadata": {"name": "web"},
        "spec": {"replicas": 2, "selector": {"matchLabels": {"a": "b"}}, "template": {
            "metadata": {"labels": {"a": "b"}}, "spec": {"containers": [{"name": "c", "image": "i"}]}}},
    });
    world.create("apps/v1", "Deployment", Some("shop"), spec).await;
    let patch = json!([{"op": "test", "path": "/spec/replicas", "value": 3}, {"op": "add", "path": "/metadata/labels", "value": {"x": "y"}}]);
    let acts = [
        (config_map("a"), ActionKind::Apply(json!({"data": {"a": "1"}}))),
        (deployment.clone(), ActionKind::Scale { replicas: 3 }),
        (deployment.clone(), ActionKind::Patch(patch)),
    ];
    for (object, kind) in acts {
        assert_eq!(process.act(&object, vec![kind.clone()]).await, done(), "{kind:?}");
        let before = process.net.writes("shop");
        assert_eq!(
            process.act(&object, vec![kind.clone()]).await,
            (Outcome::NoAction, vec!["Unchanged".into()]),
            "{kind:?}"
        );
        assert_eq!(process.net.writes("shop"), before, "{kind:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_field_that_another_owns_is_a_condition_that_names_the_owner_and_no_fight() {
    let (world, process) = World::enforcing(14).await;
    let theirs: kube::core::DynamicObject = serde_json::from_value(
        json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "a"}, "data": {"a": "theirs"}}),
    )
    .unwrap();
    let api = world.api("v1", "ConfigMap", Some("shop"));
    api.patch("a", &kube::api::PatchParams::apply("gitops"), &kube::api::Patch::Apply(&theirs)).await.unwrap();
    let (outcome, steps) = process.act(&config_map("a"), vec![ActionKind::Apply(json!({"data": {"a": "ours"}}))]).await;
    assert_eq!((outcome, steps[0].as_str()), (Outcome::Failed, "Conflict: .data.a is owned by gitops"));
    seconds(2).await;
    let platform = world.get("keelson.dev/v1alpha1", "Platform", None, "default").await.unwrap();
    let conditions = platform["status"]["features"]["scheduling"]["conditions"].to_string();
    assert!(conditions.contains("FieldConflict") && conditions.contains("gitops"), "{conditions}");
    assert_eq!(process.act(&config_map("a"), vec![ActionKind::Apply(json!({"data": {"b": "ours"}}))]).await, done());
    seconds(2).await;
    let platform = world.get("keelson.dev/v1alpha1", "Platform", None, "default").await.unwrap();
    assert!(!platform["status"].to_string().contains("FieldConflict"), "it is over");
}

#[tokio::test(start_paused = true)]
async fn when_a_later_action_fails_the_earlier_ones_are_taken_back() {
    let (world, process) = World::enforcing(15).await;
    world.create("v1", "ConfigMap", Some("shop"), json!({"metadata": {"name": "taken"}})).await;
    let acts = vec![
        (config_map("new"), ActionKind::Create(json!({}))),
        (config_map("applied"), ActionKind::Apply(json!({"data": {"a": "1"}}))),
        (config_map("taken"), ActionKind::Create(json!({}))),
        (config_map("never"), ActionKind::Create(json!({}))),
    ];
    let (outcome, steps) = process.act_on(&config_map("new"), acts).await;
    assert_eq!(outcome, Outcome::Failed);
    let words: Vec<_> = steps.iter().map(|step| step.split(':').next().unwrap()).collect();
    assert_eq!(words, ["Done", "Done", "Conflict", "Undone", "Undone"], "{steps:?}");
    for name in ["new", "applied", "never"] {
        assert_eq!(world.get("v1", "ConfigMap", Some("shop"), name).await, None, "{name}");
    }
}

#[tokio::test(start_paused = true)]
async fn what_is_gone_by_then_is_taken_back_and_what_may_not_be_deleted_is_not() {
    let (world, process) = World::enforcing(31).await;
    world.create("v1", "ConfigMap", Some("shop"), json!({"metadata": {"name": "taken"}})).await;
    process.net.rule(|method, path| match path {
        _ if *method != Method::DELETE => None,
        _ if path.ends_with("/gone") => Some(Fault::Refuse(404, None)),
        _ => Some(Fault::Refuse(403, None)),
    });
    let acts = ["gone", "kept", "taken"].map(|name| (config_map(name), ActionKind::Create(json!({}))));
    let (outcome, steps) = process.act_on(&config_map("gone"), acts.into()).await;
    assert_eq!(outcome, Outcome::Failed);
    assert_eq!(steps[3..], ["Failed: 403: refused by the test", "Undone"], "the last first: {steps:?}");
}

#[tokio::test(start_paused = true)]
async fn a_kind_that_is_not_known_is_asked_for_once_and_what_is_missing_is_named() {
    let (world, process) = World::enforcing(32).await;
    let job = |name: &str| ObjectRef::namespaced("Job", "shop", name).in_group("batch");
    let pod = json!({"restartPolicy": "Never", "containers": [{"name": "c", "image": "i"}]});
    for name in ["a", "b"] {
        let create = ActionKind::Create(json!({"spec": {"template": {"spec": pod}}}));
        assert_eq!(process.act(&job(name), vec![create]).await, done());
    }
    assert!(world.get("batch/v1", "Job", Some("shop"), "b").await.is_some());
    let asked = process.net.log().iter().filter(|line| line.ends_with(" GET /apis/batch/v1")).count();
    assert_eq!(asked, 1, "{:#?}", process.net.log());
    let account = ObjectRef::namespaced("ServiceAccount", "shop", "a");
    assert_eq!(process.act(&account, vec![ActionKind::Create(json!({}))]).await, done());
    let class = ObjectRef::cluster("PriorityClass", "a").in_group("scheduling.k8s.io");
    assert_eq!(process.act(&class, vec![ActionKind::Create(json!({"value": 7}))]).await, done());
    for (object, missing) in [
        (account.clone().in_group("no.group"), "the API server does not have the group no.group; install it"),
        (job("a").in_group("apps"), "the API server does not have the kind Job in \"apps\"; install it"),
    ] {
        assert_eq!(process.act(&object, vec![ActionKind::Delete]).await.1, [format!("Failed: {missing}")]);
    }
}

#[tokio::test(start_paused = true)]
async fn an_eviction_that_a_budget_forbids_is_held_and_gives_its_grant_back() {
    let (_world, process, pod) = with_a_pod(16).await;
    process.net.rule(|_, path| path.contains("/eviction").then_some(Fault::Refuse(429, None)));
    for _ in 0..3 {
        let (outcome, steps) = process.act(&pod, vec![ActionKind::Evict]).await;
        assert_eq!((outcome, steps[0].as_str()), (Outcome::Would, "Held: 429: refused by the test"));
    }
    process.net.heal();
    assert_eq!(process.act(&pod, vec![ActionKind::Evict]).await, done());
}

#[tokio::test(start_paused = true)]
async fn a_pod_marked_do_not_disrupt_is_not_evicted_by_anybody() {
    let (world, process) = World::enforcing(17).await;
    world.node("n1").await;
    for (name, annotation, value) in [
        ("a", "keelson.dev/do-not-disrupt", "true"),
        ("b", "karpenter.sh/do-not-disrupt", "true"),
        ("c", "cluster-autoscaler.kubernetes.io/safe-to-evict", "false"),
    ] {
        let pod = world.pod_with(name, json!({annotation: value})).await;
        let unseen = process.act(&pod, vec![ActionKind::Evict]).await;
        assert_eq!(unseen.0, Outcome::Would, "a pod the watch has not shown is held: {unseen:?}");
        seconds(1).await;
        let (outcome, steps) = process.act(&pod, vec![ActionKind::Evict]).await;
        assert!(outcome == Outcome::Would && steps[0].contains(annotation), "{steps:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn an_event_is_written_once_in_two_minutes() {
    let (world, process, pod) = with_a_pod(18).await;
    let event = || vec![ActionKind::Event { warning: true, reason: "R".into(), action: "A".into(), note: "N".into() }];
    assert_eq!(process.act(&pod, event()).await, done());
    assert_eq!(process.act(&pod, event()).await.1, ["Unchanged: said within two minutes"]);
    assert_eq!(process.net.writes("/apis/events.k8s.io/v1/namespaces/shop/events"), 1);
    let list =
        world.api("events.k8s.io/v1", "Event", Some("shop")).list(&kube::api::ListParams::default()).await.unwrap();
    let written = &list.items[0].data;
    assert_eq!(
        (written["reportingController"].as_str(), written["type"].as_str()),
        (Some("keelson.dev/scheduling"), Some("Warning"))
    );
    assert_eq!(written["regarding"]["uid"], json!(pod.uid));
    process.net.down();
    seconds(120).await;
    let (outcome, steps) = process.act(&pod, event()).await;
    assert!(outcome == Outcome::Failed && steps[0].starts_with("Failed: not written"), "{steps:?}");
}

/// A binding and the event that tells of it.
#[tokio::test(start_paused = true)]
async fn an_event_that_is_lost_leaves_what_it_speaks_of_done() {
    let (world, process, pod) = with_a_pod(25).await;
    process.net.rule(|_, path| path.contains("/events").then_some(Fault::Refuse(403, None)));
    let (outcome, steps) = process.act(&pod, bind_and_tell()).await;
    assert!(outcome == Outcome::Done && steps[1].starts_with("Failed: not written"), "{steps:?}");
    assert_eq!(node_of(&world, "cart").await.as_deref(), Some("n1"));
}

#[tokio::test(start_paused = true)]
async fn a_pause_between_a_binding_and_its_event_leaves_the_binding_done() {
    let (world, process, pod) = with_a_pod(26).await;
    process.net.rule(|_, path| path.contains("/events").then_some(Fault::Hang));
    let paused = json!({"features": {"scheduling": {"mode": "Enforce", "paused": true}}});
    let pause = async {
        seconds(1).await;
        world.set_platform(paused).await;
    };
    let ((outcome, steps), ()) = tokio::join!(process.act(&pod, bind_and_tell()), pause);
    assert!(outcome == Outcome::Done && steps[1].starts_with("Failed: actions were held"), "{steps:?}");
}

#[tokio::test(start_paused = true)]
async fn what_is_held_before_anything_was_done_would_have_been_done() {
    let (world, process, pod) = with_a_pod(29).await;
    process.net.rule(|_, path| path.contains("/events").then_some(Fault::Hang));
    let condition = json!({"type": "PodScheduled", "status": "False", "reason": "Unschedulable"});
    let mut tell = bind_and_tell();
    tell[0] = tell.pop().unwrap();
    tell.push(ActionKind::ApplyStatus(json!({"status": {"conditions": [condition]}})));
    let pause = async {
        seconds(1).await;
        world.set_platform(json!({"features": {"scheduling": {"mode": "Enforce", "paused": true}}})).await;
    };
    let ((outcome, steps), ()) = tokio::join!(process.act(&pod, tell), pause);
    assert!(outcome == Outcome::Would && steps[1].starts_with("Held: paused"), "{steps:?}");
}

#[tokio::test(start_paused = true)]
async fn nothing_is_told_of_a_binding_that_another_decision_made() {
    let (_world, process, pod) = with_a_pod(27).await;
    process.act(&pod, vec![bind("n1")]).await;
    let (outcome, steps) = process.act(&pod, bind_and_tell()).await;
    assert_eq!((outcome, steps[1].as_str()), (Outcome::NoAction, "Unchanged: nothing was changed that could be told"));
    assert_eq!(process.net.writes("/events"), 0);
}

#[tokio::test(start_paused = true)]
async fn a_pod_that_waits_and_is_told_why_again_and_again_is_no_loop() {
    let (_world, process, pod) = with_a_pod(28).await;
    for n in 0..20 {
        let message = format!("0/{n} nodes are available");
        let condition =
            json!({"type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": message});
        let status = json!({"status": {"conditions": [condition]}});
        let told = process.act(&pod, vec![ActionKind::ApplyStatus(status)]).await;
        assert_eq!(told.0, Outcome::Done, "{told:?}");
    }
    assert_eq!(process.switch().breaker, None, "whoever opens it holds every binding of the feature");
}

#[tokio::test(start_paused = true)]
async fn a_feature_whose_actions_fail_is_stopped_and_tried_again_later() {
    let (world, process) = World::enforcing(19).await;
    process.net.rule(|method, path| {
        (method == Method::POST && path.contains("configmaps")).then_some(Fault::Refuse(403, None))
    });
    for n in 0..11 {
        process.act(&config_map(&format!("m{n}")), vec![ActionKind::Create(json!({}))]).await;
    }
    assert!(process.switch().breaker.unwrap().starts_with("11 of the last 11 decisions failed"));
    assert!(process.history.decisions().iter().any(|decision| decision.reason == Reason::BreakerOpened));
    process.net.heal();
    let (outcome, steps) = process.act(&config_map("x"), vec![ActionKind::Create(json!({}))]).await;
    assert!(outcome == Outcome::Would && steps[0].starts_with("Held: held by the circuit breaker"), "{steps:?}");
    seconds(2).await;
    let platform = world.get("keelson.dev/v1alpha1", "Platform", None, "default").await.unwrap();
    assert!(platform["status"].to_string().contains("BreakerOpen"), "{platform}");
    seconds(310).await;
    assert_eq!(process.switch().breaker, None);
    assert_eq!(process.act(&config_map("x"), vec![ActionKind::Create(json!({}))]).await, done());
}

#[tokio::test(start_paused = true)]
async fn an_outage_of_the_api_server_does_not_open_the_breaker() {
    let (_world, process, pod) = with_a_pod(20).await;
    process.net.down();
    for _ in 0..15 {
        process.act(&pod, vec![bind("n1")]).await;
    }
    assert_eq!(process.switch().breaker, None);
}

#[tokio::test(start_paused = true)]
async fn a_run_that_is_cut_off_leaves_no_decision_pending_for_long() {
    let (_world, process, pod) = with_a_pod(21).await;
    // What was left open before it led is looked at by now.
    seconds(15).await;
    process.net.rule(|_, path| path.contains("/binding").then_some(Fault::Hang));
    let made = process.decision(&pod);
    let id = made.id;
    let action = Action { decision: id, object: pod, kind: bind("n1") };
    let plan = Plan { decisions: vec![made], actions: vec![action], ..Plan::default() };
    let run = process.runtime.executor().run(Feature::Scheduling, plan, None);
    assert!(tokio::time::timeout(std::time::Duration::from_secs(1), run).await.is_err());
    let kept = || process.history.decisions().into_iter().find(|kept| kept.id == id).unwrap();
    assert_eq!(kept().outcome, Outcome::Pending, "nobody knows how it went");
    seconds(15).await;
    assert_eq!(kept().outcome, Outcome::Failed);
    assert!(kept().steps[0].detail.starts_with("cut off"), "{:?}", kept());
}

#[tokio::test(start_paused = true)]
async fn a_pod_that_has_the_name_of_one_that_went_is_left_alone() {
    let (world, process, pod) = with_a_pod(4).await;
    let (outcome, steps) = process.act(&pod.with_uid("another"), vec![bind("n1")]).await;
    assert_eq!((outcome, steps), (Outcome::NoAction, vec!["Unchanged: the object is gone".into()]));
    assert_eq!(node_of(&world, "cart").await, None);
}

/// A history that has no room for what has actions, and what it was offered.
#[derive(Default)]
struct Full(Mutex<Vec<Decision>>);

#[async_trait::async_trait]
impl History for Full {
    fn offer(&self, decision: Decision) {
        self.0.lock().unwrap().push(decision);
    }
    async fn begin(&self, _: &Decision, _: Option<Vec<u8>>) -> Result<(), HistoryError> {
        Err(HistoryError { reason: "the journal is full".into() })
    }
    fn finish(&self, _: DecisionId, _: Outcome, _: Vec<Step>) {}
    async fn unfinished(&self, _: Feature, _: Option<DecisionId>) -> Option<Vec<Decision>> {
        Some(Vec::new())
    }
    fn effect(&self, _: DecisionId, _: Effect) {}
    async fn highest_fence(&self, _: Feature) -> Option<u64> {
        None
    }
    async fn led(&self, _: Feature, _: u64) -> bool {
        false
    }
    async fn flush(&self) {}
}

#[tokio::test(start_paused = true)]
async fn what_cannot_be_recorded_is_not_done() {
    let world = World::prepared(22, json!({"features": {"scheduling": {"mode": "Enforce"}}})).await;
    let full = Arc::new(Full::default());
    let process = world.process("a", |config| config.history = full.clone());
    process.leads().await;
    world.node("n1").await;
    let decision = process.decision(&world.pod("cart").await);
    let bind = Action { decision: decision.id, object: decision.subject.clone(), kind: bind("n1") };
    let plan = Plan { decisions: vec![decision], actions: vec![bind], ..Plan::default() };
    let report = process.runtime.executor().run(Feature::Scheduling, plan, None).await;
    let (outcome, steps) = report.decisions.into_values().next().unwrap();
    assert_eq!((outcome, steps[0].result), (Outcome::Would, StepResult::Held));
    assert!(steps[0].detail.contains("the journal is full; free the store"), "{steps:?}");
    assert_eq!(node_of(&world, "cart").await, None);
    let offered = full.0.lock().unwrap().pop().unwrap();
    assert_eq!((offered.outcome, offered.actions), (Outcome::Would, Vec::new()), "nothing of it is open");
}

#[tokio::test(start_paused = true)]
async fn a_decision_is_recorded_before_its_action_starts() {
    let (_world, process, pod) = with_a_pod(22).await;
    let history = process.history.clone();
    let seen = Arc::new(std::sync::Mutex::new(Vec::new()));
    let look = seen.clone();
    process.net.rule(move |_, path| {
        if path.contains("/binding") {
            look.lock().unwrap().extend(history.decisions().into_iter().map(|decision| decision.outcome));
        }
        None
    });
    process.act(&pod, vec![bind("n1")]).await;
    assert_eq!(*seen.lock().unwrap(), [Outcome::Pending]);
}

#[tokio::test(start_paused = true)]
async fn placeholder_ids_are_replaced_with_the_references_to_them() {
    let (_world, process, pod) = with_a_pod(23).await;
    let placeholder = "00000000-0000-0000-0000-000000000001".parse().unwrap();
    let plan = "00000000-0000-0000-0000-000000000000".parse().unwrap();
    let made = decision(placeholder, plan, &pod, process.runtime.clock().now());
    let action = Action { decision: placeholder, object: pod, kind: bind("n1") };
    let plan = Plan { decisions: vec![made], actions: vec![action], ..Plan::default() };
    let report = process.runtime.executor().run(Feature::Scheduling, plan, None).await;
    let (id, (outcome, _)) = report.decisions.first_key_value().unwrap();
    assert_eq!((id.0.get_version_num(), *outcome), (7, Outcome::Done));
    assert_eq!(process.history.decisions()[0].plan.0.get_version_num(), 7);
    let made = process.decision(&config_map("a"));
    let plan = Plan { decisions: vec![made.clone()], ..Plan::default() };
    process.runtime.executor().run(Feature::Scheduling, plan, None).await;
    assert!(process.history.decisions().iter().any(|kept| (kept.id, kept.plan) == (made.id, made.plan)), "others stay");
}

struct Cloud;
#[async_trait::async_trait]
impl Provider for Cloud {
    fn type_name(&self) -> &'static str {
        "Launch"
    }
    async fn fire(&self, _: &ObjectRef, body: &Value, key: &str) -> Provided {
        assert_eq!(key.len(), 32);
        if body["zone"] == "a" { Provided::Accepted } else { Provided::Refused("no capacity in b".into()) }
    }
}

#[tokio::test(start_paused = true)]
async fn payloads_go_to_their_provider() {
    let (_world, process) = World::enforcing(24).await;
    process.runtime.executor().provide(Arc::new(Cloud));
    let node = ObjectRef::cluster("Node", "n1");
    let call = |type_name: &str, zone: &str| {
        vec![ActionKind::Call(Payload { type_name: type_name.into(), body: json!({"zone": zone}) })]
    };
    assert_eq!(process.act(&node, call("Launch", "a")).await, done());
    assert_eq!(process.act(&node, call("Launch", "b")).await.1, ["Failed: no capacity in b"]);
    assert!(process.act(&node, call("Other", "a")).await.1[0].contains("nobody provides Other"));
}
