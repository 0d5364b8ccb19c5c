//! How each way of acting goes when the API server fails, refuses, or holds something else than expected.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, missing_docs)]

mod support;

use http::Method;
use keelson_core::{ActionKind, Condition, ConditionStatus, Feature, ObjectRef, Outcome, Plan};
use kube::api::{DynamicObject, Patch, PatchParams};
use serde_json::{Value, json};
use support::{Fault, Process, World, config_map, done, seconds, with_a_pod};

fn failed(text: &str) -> (Outcome, Vec<String>) {
    (Outcome::Failed, vec![text.to_owned()])
}

fn unchanged(text: &str) -> (Outcome, Vec<String>) {
    (Outcome::NoAction, vec![format!("Unchanged{text}")])
}

/// The first so many calls of this method to paths that end like this are refused.
fn refuse(process: &Process, method: &'static Method, path: &'static str, code: u16, mut times: u32) {
    process.net.rule(move |called, at| {
        let refused = called == method && at.split('?').next().unwrap().ends_with(path) && times > 0;
        times -= u32::from(refused);
        refused.then_some(Fault::Refuse(code, None))
    });
}

async fn applied_by(world: &World, manager: &str, object: Value) {
    let name = object["metadata"]["name"].as_str().unwrap().to_owned();
    let object: DynamicObject = serde_json::from_value(object).unwrap();
    let api = world.api("v1", "ConfigMap", Some("shop"));
    api.patch(&name, &PatchParams::apply(manager), &Patch::Apply(&object)).await.unwrap();
}

async fn deployment(world: &World, replicas: i32) -> ObjectRef {
    let template = json!({"metadata": {"labels": {"a": "b"}}, "spec": {"containers": [{"name": "c", "image": "i"}]}});
    let spec = json!({"replicas": replicas, "selector": {"matchLabels": {"a": "b"}}, "template": template});
    world.create("apps/v1", "Deployment", Some("shop"), json!({"metadata": {"name": "web"}, "spec": spec})).await;
    ObjectRef::namespaced("Deployment", "shop", "web").in_group("apps")
}

#[tokio::test(start_paused = true)]
async fn an_eviction_is_repeated_while_the_server_fails_and_a_pod_that_is_gone_is_no_failure() {
    let (world, process, pod) = with_a_pod(1).await;
    seconds(1).await;
    refuse(&process, &Method::POST, "/eviction", 503, 2);
    assert_eq!(process.act(&pod, vec![ActionKind::Evict]).await, done());
    assert_eq!(process.net.writes("/eviction"), 3);
    for (code, told) in [
        (403, failed("Failed: 403: refused by the test")),
        (404, unchanged(": the object is gone")),
        (409, unchanged(": the object is gone")),
        (501, failed("Failed: 501: refused by the test")),
    ] {
        seconds(61).await;
        let pod = world.pod(&format!("p{code}")).await;
        seconds(1).await;
        process.net.heal();
        refuse(&process, &Method::POST, "/eviction", code, u32::MAX);
        let before = process.net.writes("/eviction");
        assert_eq!(process.act(&pod, vec![ActionKind::Evict]).await, told);
        assert_eq!(process.net.writes("/eviction"), before + 1, "{code}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_plan_that_is_carried_out_by_nobody_we_wait_for_is_ended_before_the_lease_goes() {
    let (_world, process) = World::enforcing(10).await;
    refuse(&process, &Method::POST, "/configmaps", 503, 4);
    let (map, create) = (config_map("a"), vec![ActionKind::Create(json!({}))]);
    let stop = async {
        support::millis(50).await;
        process.runtime.shutdown().await;
    };
    let (acted, ()) = tokio::join!(process.act(&map, create), stop);
    assert_eq!(acted, done());
}

#[tokio::test(start_paused = true)]
async fn a_deletion_of_what_is_gone_or_another_by_now_is_no_failure() {
    let (world, process) = World::enforcing(2).await;
    let made = world.create("v1", "ConfigMap", Some("shop"), json!({"metadata": {"name": "a"}})).await;
    let there = config_map("a").with_uid(made["metadata"]["uid"].as_str().unwrap());
    let delete = || vec![ActionKind::Delete];
    assert_eq!(process.act(&there.clone().with_uid("another"), delete()).await, unchanged(": the object is gone"));
    assert!(world.get("v1", "ConfigMap", Some("shop"), "a").await.is_some());
    assert_eq!(process.act(&there, delete()).await, done());
    assert_eq!(world.get("v1", "ConfigMap", Some("shop"), "a").await, None);
    assert_eq!(process.act(&there, delete()).await, unchanged(": the object is gone"));
    refuse(&process, &Method::DELETE, "/b", 403, 1);
    assert_eq!(process.act(&config_map("b"), delete()).await, failed("Failed: 403: refused by the test"));
}

#[tokio::test(start_paused = true)]
async fn what_is_applied_over_an_object_that_went_makes_no_new_one() {
    let (world, process) = World::enforcing(3).await;
    let apply = || vec![ActionKind::Apply(json!({"data": {"a": "1"}}))];
    assert_eq!(process.act(&config_map("a").with_uid("gone"), apply()).await, unchanged(": the object is gone"));
    assert_eq!(world.get("v1", "ConfigMap", Some("shop"), "a").await, None);
    assert_eq!(process.act(&config_map("a"), apply()).await, done());
    // Somebody changes it, and it is put right: the key alone does not say that it is so.
    world.merge("v1", "ConfigMap", Some("shop"), "a", json!({"data": {"a": null}})).await;
    assert_eq!(process.act(&config_map("a"), apply()).await, done());
    assert_eq!(process.act(&config_map("a"), apply()).await, unchanged(""));
}

#[tokio::test(start_paused = true)]
async fn only_marks_of_our_own_are_taken_over_from_another_manager() {
    let (world, process) = World::enforcing(4).await;
    let theirs = |name: &str, data: Value| {
        let annotations = json!({"keelson.dev/decision": "theirs"});
        let metadata = json!({"name": name, "annotations": annotations});
        json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": data})
    };
    applied_by(&world, "keelson/other", theirs("marked", json!({}))).await;
    applied_by(&world, "keelson/other", theirs("owned", json!({"a": "theirs"}))).await;
    let apply = || vec![ActionKind::Apply(json!({"data": {"a": "ours"}}))];
    assert_eq!(process.act(&config_map("marked"), apply()).await, done());
    let (outcome, steps) = process.act(&config_map("owned"), apply()).await;
    assert!(outcome == Outcome::Failed && steps[0].contains(".data.a is owned by keelson/other"), "{steps:?}");
    let kept = world.get("v1", "ConfigMap", Some("shop"), "owned").await.unwrap();
    assert_eq!(
        (&kept["data"]["a"], &kept["metadata"]["annotations"]["keelson.dev/decision"]),
        (&json!("theirs"), &json!("theirs"))
    );
}

#[tokio::test(start_paused = true)]
async fn a_conflict_is_named_for_ten_minutes_and_no_more_than_ten_are() {
    let (world, process) = World::enforcing(5).await;
    for n in 0..12 {
        let name = format!("m{n:02}");
        applied_by(
            &world,
            "gitops",
            json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}, "data": {"a": "theirs"}}),
        )
        .await;
        process.act(&config_map(&name), vec![ActionKind::Apply(json!({"data": {"a": "ours"}}))]).await;
    }
    let said = async || {
        seconds(12).await;
        let platform = world.get("keelson.dev/v1alpha1", "Platform", None, "default").await.unwrap();
        let conditions =
            platform["status"]["features"]["scheduling"]["conditions"].as_array().cloned().unwrap_or_default();
        let said = conditions.into_iter().find(|condition| condition["type"] == "FieldConflict");
        said.map(|condition| condition["message"].as_str().unwrap().to_owned()).unwrap_or_default()
    };
    assert_eq!(said().await.matches("is owned by gitops").count(), 10);
    seconds(560).await;
    assert_ne!(said().await, "");
    seconds(20).await;
    assert_eq!(said().await, "");
}

#[tokio::test(start_paused = true)]
async fn a_patch_whose_test_fails_is_a_conflict_and_one_that_is_none_a_failure() {
    let (world, process) = World::enforcing(6).await;
    world.create("v1", "ConfigMap", Some("shop"), json!({"metadata": {"name": "a"}, "data": {"a": "1"}})).await;
    let patch = |from: &str, to: &str| {
        let test = json!({"op": "test", "path": "/data/a", "value": from});
        vec![ActionKind::Patch(json!([test, {"op": "replace", "path": "/data/a", "value": to}]))]
    };
    let (outcome, steps) = process.act(&config_map("a"), patch("9", "2")).await;
    assert!(outcome == Outcome::Failed && steps[0].starts_with("Conflict: the object has changed"), "{steps:?}");
    assert_eq!(process.net.writes("/configmaps/a"), 0, "it was tried here first");
    assert_eq!(process.act(&config_map("a"), patch("1", "1")).await, unchanged(""));
    assert_eq!(process.act(&config_map("a"), patch("1", "2")).await, done());
    assert_eq!(process.act(&config_map("b"), patch("1", "2")).await, unchanged(": the object is gone"));
    let (outcome, steps) = process.act(&config_map("a"), vec![ActionKind::Patch(json!({"data": 1}))]).await;
    assert!(outcome == Outcome::Failed && steps[0].starts_with("Failed: not a JSON Patch"), "{steps:?}");
    refuse(&process, &Method::PATCH, "/configmaps/a", 422, 1);
    assert_eq!(process.act(&config_map("a"), patch("2", "3")).await, failed("Conflict: 422: refused by the test"));
}

#[tokio::test(start_paused = true)]
async fn scaling_is_taken_back_to_what_it_was() {
    let (world, process) = World::enforcing(7).await;
    let web = deployment(&world, 2).await;
    world.create("v1", "ConfigMap", Some("shop"), json!({"metadata": {"name": "taken"}})).await;
    let acts =
        vec![(web.clone(), ActionKind::Scale { replicas: 5 }), (config_map("taken"), ActionKind::Create(json!({})))];
    let (outcome, steps) = process.act_on(&web, acts).await;
    assert_eq!((outcome, steps.last().map(String::as_str)), (Outcome::Failed, Some("Undone")), "{steps:?}");
    let replicas = world.get("apps/v1", "Deployment", Some("shop"), "web").await.unwrap()["spec"]["replicas"].clone();
    assert_eq!(replicas, 2);
    let nobody = ObjectRef::namespaced("Deployment", "shop", "nobody").in_group("apps");
    assert_eq!(process.act(&nobody, vec![ActionKind::Scale { replicas: 5 }]).await, unchanged(": the object is gone"));
}

#[tokio::test(start_paused = true)]
async fn a_resize_is_written_once() {
    let (world, process, pod) = with_a_pod(8).await;
    process.act(&pod, vec![support::bind("n1")]).await;
    let resources = json!({"requests": {"cpu": "200m"}});
    let resize = || vec![ActionKind::Resize(json!({"spec": {"containers": [{"name": "c", "resources": resources}]}}))];
    assert_eq!(process.act(&pod, resize()).await, done());
    let resized = world.get("v1", "Pod", Some("shop"), "cart").await.unwrap();
    assert_eq!(resized["spec"]["containers"][0]["resources"]["requests"]["cpu"], "200m");
    assert_eq!(process.act(&pod, resize()).await, unchanged(""));
    assert_eq!(process.act(&pod.with_uid("another"), resize()).await, unchanged(": the object is gone"));
}

#[tokio::test(start_paused = true)]
async fn conditions_go_to_our_own_objects_once_and_only_from_a_leader() {
    let (world, process) = World::enforcing(9).await;
    seconds(15).await;
    let platform = ObjectRef::cluster("Platform", "default").in_group("keelson.dev");
    let say = async |process: &Process, subject: &ObjectRef, message: &str| {
        let condition = Condition {
            kind: "Tested".into(),
            status: ConditionStatus::True,
            reason: "Because".into(),
            message: message.into(),
        };
        let plan = Plan { decisions: vec![process.decision(subject)], conditions: vec![condition], ..Plan::default() };
        process.runtime.executor().run(Feature::Scheduling, plan, None).await;
    };
    let tested = async || {
        let platform = world.get("keelson.dev/v1alpha1", "Platform", None, "default").await.unwrap();
        let conditions = platform["status"]["conditions"].as_array().unwrap().clone();
        conditions.into_iter().find(|condition| condition["type"] == "Tested")
    };
    say(&process, &platform, "one").await;
    assert_eq!(tested().await.unwrap()["message"], "one");
    say(&process, &config_map("a"), "elsewhere").await;
    // Ours but for its group: it would be found.
    world.create("v1", "Node", None, json!({"metadata": {"name": "default"}})).await;
    say(&process, &ObjectRef::cluster("Node", "default"), "elsewhere").await;
    assert_eq!(
        (process.net.writes("configmaps"), process.net.writes("nodes")),
        (0, 0),
        "what is not ours is left alone"
    );
    let standby = world.process("b", |config| config.seed = 2);
    seconds(15).await;
    let before = standby.net.writes("platforms");
    say(&standby, &platform, "two").await;
    assert_eq!(standby.net.writes("platforms"), before);
}
