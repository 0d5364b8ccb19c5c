//! What becomes of an action whose answer nobody got: it stays open until somebody has looked, and ends as it went.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, missing_docs)]

mod support;

use std::sync::Arc;

use http::Method;
use keelson_core::{Action, ActionKind, Decision, Feature, ObjectRef, Outcome, Plan};
use keelson_runtime::{History, MemoryHistory};
use serde_json::{Value, json};
use support::{Fault, Process, World, bind, config_map, done, seconds, with_a_pod};

/// What happens to the one write that reaches the API server; nobody gets an answer in either case.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Fate {
    CarriedOut,
    LostOnTheWay,
}

impl Fate {
    fn outcome(self) -> Outcome {
        if self == Self::CarriedOut { Outcome::Done } else { Outcome::Failed }
    }
}

/// From the first write on, nothing about the shop is answered.
fn cut_off_at_the_first_write(process: &Process, fate: Fate) {
    let mut sent = false;
    process.net.rule(move |method, path| {
        let first = *method != Method::GET && !sent;
        if !path.contains("/shop/") || (!first && !sent) {
            return None;
        }
        sent = true;
        Some(match (first, fate) {
            (true, Fate::CarriedOut) => Fault::Lose,
            (true, Fate::LostOnTheWay) => Fault::Hang,
            (false, _) => Fault::Down,
        })
    });
}

/// The newest decision, as the history has it.
fn newest(process: &Process) -> Decision {
    process.history.decisions().pop().unwrap()
}

/// Acts, is cut off, and lets the process look as soon as it can again.
async fn acts_and_looks(process: &Process, fate: Fate, object: &ObjectRef, kind: ActionKind) -> Decision {
    cut_off_at_the_first_write(process, fate);
    let (outcome, steps) = process.act(object, vec![kind.clone()]).await;
    assert_eq!(outcome, Outcome::Pending, "{fate:?} {kind:?}: {steps:?}");
    let id = newest(process).id;
    seconds(60).await;
    let kept = || process.history.decisions().into_iter().find(|kept| kept.id == id).unwrap();
    assert_eq!(kept().outcome, Outcome::Pending, "{fate:?} {kind:?}: nobody could look yet");
    process.net.heal();
    seconds(20).await;
    kept()
}

async fn with_a_deployment(world: &World) -> ObjectRef {
    let template = json!({"metadata": {"labels": {"a": "b"}}, "spec": {"containers": [{"name": "c", "image": "i"}]}});
    let spec = json!({"replicas": 1, "selector": {"matchLabels": {"a": "b"}}, "template": template});
    world.create("apps/v1", "Deployment", Some("shop"), json!({"metadata": {"name": "web"}, "spec": spec})).await;
    ObjectRef::namespaced("Deployment", "shop", "web").in_group("apps")
}

/// Acts and is killed; another leads after it, who has the record of the beginning and no more.
async fn dies_and_another_looks(
    world: &World,
    process: &Process,
    fate: Fate,
    object: &ObjectRef,
    kind: ActionKind,
) -> Decision {
    cut_off_at_the_first_write(process, fate);
    process.act(object, vec![kind]).await;
    let begun = Decision { steps: Vec::new(), ..newest(process) };
    process.net.down();
    process.lease_net.down();
    let history = Arc::new(MemoryHistory::default());
    history.begin(&begun, None).await.unwrap();
    let next = world.process("b", |config| config.history = history.clone());
    next.leads().await;
    seconds(20).await;
    history.decisions().into_iter().find(|kept| kept.id == begun.id).unwrap()
}

/// Both fates of one verb, each in a world of its own, seen by who acted and by who comes after it.
async fn ends_as_it_went(what: impl AsyncFn(&World, &ObjectRef) -> (ObjectRef, ActionKind)) {
    for fate in [Fate::CarriedOut, Fate::LostOnTheWay] {
        for killed in [false, true] {
            let (world, process, pod) = with_a_pod(1).await;
            let (object, kind) = what(&world, &pod).await;
            seconds(1).await;
            let kept = match killed {
                false => acts_and_looks(&process, fate, &object, kind.clone()).await,
                true => dies_and_another_looks(&world, &process, fate, &object, kind.clone()).await,
            };
            assert_eq!(kept.outcome, fate.outcome(), "{fate:?} {kind:?}, killed {killed}: {:?}", kept.steps);
            assert_eq!(kept.steps.last().unwrap().action, "look how it went");
            assert_eq!(kept.actions, [], "what ended is not kept as open");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn whoever_waits_for_it_is_told_how_it_went() {
    for fate in [Fate::CarriedOut, Fate::LostOnTheWay] {
        let (_world, process, pod) = with_a_pod(5).await;
        cut_off_at_the_first_write(&process, fate);
        let decision = process.decision(&pod);
        let id = decision.id;
        let actions = vec![Action { decision: id, object: pod, kind: bind("n1") }];
        let plan = Plan { decisions: vec![decision], actions, ..Plan::default() };
        let report = process.runtime.executor().run(Feature::Scheduling, plan, None).await;
        assert!(!report.is_settled() && report.decisions[&id].0 == Outcome::Pending, "{report:?}");
        let waits = tokio::spawn(report.settled());
        seconds(60).await;
        assert!(!waits.is_finished(), "nobody could look yet");
        process.net.heal();
        seconds(20).await;
        let report = waits.await.unwrap();
        let kept = newest(&process);
        assert_eq!(report.decisions[&id], (kept.outcome, kept.steps));
        assert!(report.is_settled() && kept.outcome == fate.outcome(), "{fate:?}: {report:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_creation_ends_as_it_went() {
    ends_as_it_went(async |_, _| (config_map("new"), ActionKind::Create(json!({"data": {"a": "1"}})))).await;
}

#[tokio::test(start_paused = true)]
async fn an_apply_ends_as_it_went() {
    ends_as_it_went(async |_, _| (config_map("new"), ActionKind::Apply(json!({"data": {"a": "1"}})))).await;
}

#[tokio::test(start_paused = true)]
async fn an_apply_to_a_status_ends_as_it_went() {
    let condition = json!({"type": "Looked", "status": "True", "reason": "Test"});
    let status = || json!({"status": {"conditions": [condition.clone()]}});
    ends_as_it_went(async |_, pod| (pod.clone(), ActionKind::ApplyStatus(status()))).await;
}

#[tokio::test(start_paused = true)]
async fn a_patch_ends_as_it_went() {
    let patch = || {
        json!([
            {"op": "test", "path": "/spec/replicas", "value": 1},
            {"op": "replace", "path": "/spec/replicas", "value": 4},
        ])
    };
    ends_as_it_went(async |world, _| (with_a_deployment(world).await, ActionKind::Patch(patch()))).await;
}

#[tokio::test(start_paused = true)]
async fn a_deletion_ends_as_it_went() {
    ends_as_it_went(async |world, _| (with_a_deployment(world).await, ActionKind::Delete)).await;
}

#[tokio::test(start_paused = true)]
async fn an_eviction_ends_as_it_went() {
    ends_as_it_went(async |_, pod| (pod.clone(), ActionKind::Evict)).await;
}

#[tokio::test(start_paused = true)]
async fn a_binding_ends_as_it_went() {
    ends_as_it_went(async |_, pod| (pod.clone(), bind("n1"))).await;
}

#[tokio::test(start_paused = true)]
async fn a_scaling_ends_as_it_went() {
    ends_as_it_went(async |world, _| (with_a_deployment(world).await, ActionKind::Scale { replicas: 3 })).await;
}

#[tokio::test(start_paused = true)]
async fn a_resize_ends_as_it_went() {
    let resize = || json!({"spec": {"containers": [{"name": "c", "resources": {"requests": {"cpu": "200m"}}}]}});
    let sized = json!({"spec": {"nodeName": "n1", "containers": [
        {"name": "c", "image": "i", "resources": {"requests": {"cpu": "100m"}}}]}});
    let running = async |world: &World, _: &ObjectRef| {
        let mut pod: Value = sized.clone();
        pod["metadata"] = json!({"name": "sized"});
        let made = world.create("v1", "Pod", Some("shop"), pod).await;
        let pod = ObjectRef::namespaced("Pod", "shop", "sized").with_uid(made["metadata"]["uid"].as_str().unwrap());
        (pod, ActionKind::Resize(resize()))
    };
    ends_as_it_went(running).await;
}

#[tokio::test(start_paused = true)]
async fn what_another_made_meanwhile_is_not_taken_for_ours() {
    let (world, process, _) = with_a_pod(2).await;
    cut_off_at_the_first_write(&process, Fate::LostOnTheWay);
    let (outcome, _) = process.act(&config_map("new"), vec![ActionKind::Create(json!({"data": {"a": "1"}}))]).await;
    assert_eq!(outcome, Outcome::Pending);
    world.create("v1", "ConfigMap", Some("shop"), json!({"metadata": {"name": "new"}, "data": {"a": "1"}})).await;
    process.net.heal();
    seconds(20).await;
    let kept = newest(&process);
    assert_eq!(kept.outcome, Outcome::Failed);
    assert_eq!(kept.steps.last().unwrap().detail, "it exists and was not made by this decision");
}

#[tokio::test(start_paused = true)]
async fn what_was_taken_back_or_has_a_rest_is_not_done_though_its_last_action_was() {
    let (world, process, pod) = with_a_pod(3).await;
    let web = with_a_deployment(&world).await;
    let acts = vec![
        (config_map("first"), ActionKind::Apply(json!({"data": {"a": "1"}}))),
        (web, ActionKind::Scale { replicas: 3 }),
        (config_map("never"), ActionKind::Create(json!({}))),
    ];
    let mut lost = false;
    process.net.rule(move |method, path| {
        let scale = path.ends_with("/scale");
        lost |= scale && *method == Method::PATCH;
        (scale && *method == Method::PATCH).then_some(Fault::Lose).or((scale && lost).then_some(Fault::Down))
    });
    let (outcome, steps) = process.act_on(&pod, acts).await;
    assert_eq!((outcome, steps.len()), (Outcome::Pending, 3), "{steps:?}");
    assert_eq!(steps[2], "Undone", "{steps:?}");
    process.net.heal();
    seconds(20).await;
    let kept = newest(&process);
    let how: Vec<_> = kept.steps.iter().map(|step| step.result.as_str()).collect();
    assert_eq!((kept.outcome, how), (Outcome::Failed, vec!["Done", "Failed", "Undone", "Done"]), "{:?}", kept.steps);
    assert_eq!(world.get("v1", "ConfigMap", Some("shop"), "never").await, None, "nothing is done again by looking");
}

#[tokio::test(start_paused = true)]
async fn an_eviction_nobody_answered_keeps_its_place_in_the_budget_until_somebody_looked() {
    let (_world, process, pod) = with_a_pod(4).await;
    seconds(1).await;
    cut_off_at_the_first_write(&process, Fate::LostOnTheWay);
    assert_eq!(process.act(&pod, vec![ActionKind::Evict]).await.0, Outcome::Pending);
    let (outcome, steps) = process.act(&pod, vec![ActionKind::Evict]).await;
    assert!(outcome == Outcome::Would && steps[0].contains("was disrupted by"), "{steps:?}");
    process.net.heal();
    seconds(20).await;
    assert_eq!(process.act(&pod, vec![ActionKind::Evict]).await, done());
}

#[tokio::test(start_paused = true)]
async fn an_eviction_whose_first_answer_was_lost_is_done_though_the_second_finds_nothing() {
    let (_world, process, pod) = with_a_pod(5).await;
    seconds(1).await;
    let mut first = true;
    process.net.rule(move |_, path| (path.contains("/eviction") && std::mem::take(&mut first)).then_some(Fault::Lose));
    let (outcome, steps) = process.act(&pod, vec![ActionKind::Evict]).await;
    assert_eq!((outcome, steps[0].as_str()), (Outcome::Done, "Done: the object is gone; the answer was lost"));
}
