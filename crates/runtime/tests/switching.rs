//! Modes, pauses and the Platform's status.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, missing_docs)]

mod support;

use std::collections::BTreeMap;

use keelson_core::{Condition, ConditionStatus, Feature, Mode};
use serde_json::{Value, json};
use support::{Fault, World, millis, seconds};

fn mode(word: &str) -> Value {
    json!({"features": {"scheduling": {"mode": word}}})
}

async fn status(world: &World) -> Value {
    world.get("keelson.dev/v1alpha1", "Platform", None, "default").await.unwrap()["status"].clone()
}

fn find<'a>(conditions: &'a Value, kind: &str) -> &'a Value {
    let none = &Value::Null;
    conditions.as_array().and_then(|list| list.iter().find(|it| it["type"] == kind)).unwrap_or(none)
}

#[tokio::test(start_paused = true)]
async fn a_change_of_mode_takes_effect_within_a_second_in_both_directions() {
    let world = World::prepared(1, mode("Observe")).await;
    let a = world.process("a", |_| {});
    a.leads().await;
    for word in ["Enforce", "Observe", "Off", "Enforce", "Off"] {
        world.set_platform(mode(word)).await;
        millis(1_000).await;
        assert_eq!(a.switch().effective.as_str(), word);
        seconds(5).await;
        assert_eq!(status(&world).await["features"]["scheduling"]["mode"], word);
    }
    let said: Vec<_> = a.history.decisions().into_iter().map(|decision| decision.sentence).collect();
    assert_eq!(said.first().map(String::as_str), Some("The mode of scheduling went from Observe to Enforce."));
    assert_eq!(said.len(), 5, "{said:?}");
}

#[tokio::test(start_paused = true)]
async fn a_pause_takes_effect_within_a_second() {
    let (world, a) = World::enforcing(2).await;
    assert!(a.switch().acts());
    world.set_platform(json!({"features": {"scheduling": {"paused": true}}})).await;
    millis(1_000).await;
    assert!(!a.switch().acts());
    seconds(5).await;
    let said = status(&world).await;
    assert_eq!(find(&said["features"]["scheduling"]["conditions"], "Paused")["status"], "True");
    world.set_platform(json!({"features": {"scheduling": {"paused": false}}})).await;
    millis(1_000).await;
    assert!(a.switch().acts());
    let said: Vec<_> = a.history.decisions().into_iter().map(|decision| decision.sentence).collect();
    assert_eq!(said, ["scheduling is paused: every action is held.", "scheduling is no longer paused."]);
    assert_eq!(a.switch().moved_by, a.history.decisions().last().map(|decision| decision.id));
}

#[tokio::test(start_paused = true)]
async fn above_the_ceiling_the_condition_says_how_to_raise_it() {
    let world = World::prepared(3, mode("Enforce")).await;
    let a = world.process("a", |config| config.ceilings = BTreeMap::from([(Feature::Scheduling, Mode::Observe)]));
    a.leads().await;
    seconds(5).await;
    assert_eq!(a.switch().effective, Mode::Observe);
    let said = status(&world).await;
    let condition = find(&said["features"]["scheduling"]["conditions"], "CeilingReached");
    assert!(condition["message"].as_str().unwrap().contains("features.scheduling.ceiling=Enforce"), "{condition}");
}

/// The definition as an older version might have installed it: anything goes.
async fn lax(seed: u64) -> World {
    let world = World::new(seed);
    let mut crd = json!(keelson_api::crds::all().remove(0));
    crd["spec"]["versions"][0]["schema"]["openAPIV3Schema"] =
        json!({"type": "object", "x-kubernetes-preserve-unknown-fields": true});
    world.create("apiextensions.k8s.io/v1", "CustomResourceDefinition", None, crd).await;
    world.create("v1", "Namespace", None, json!({"metadata": {"name": "keelson"}})).await;
    world
}

#[tokio::test(start_paused = true)]
async fn a_broken_platform_keeps_the_last_good_settings_and_says_what_is_broken() {
    let world = lax(4).await;
    let platform = json!({"metadata": {"name": "default"}, "spec": mode("Enforce")});
    world.create("keelson.dev/v1alpha1", "Platform", None, platform).await;
    let a = world.process("a", |_| {});
    a.leads().await;
    for (broken, word) in [
        (json!({"features": {"scheduling": {"mode": "Sometimes"}}}), "Sometimes"),
        (
            json!({"features": {"scheduling": {"mode": "Off", "settings": {"podMaxBackoffSeconds": 0}}}}),
            "podMaxBackoffSeconds",
        ),
    ] {
        world.set_platform(broken).await;
        seconds(5).await;
        assert_eq!(a.switch().effective, Mode::Enforce, "{word}");
        let said = status(&world).await;
        let condition = find(&said["conditions"], "SettingsAccepted");
        assert_eq!(condition["status"], "False", "{said}");
        assert!(condition["message"].as_str().unwrap().contains(word), "{condition}");
    }
    world.set_platform(json!({"features": {"scheduling": {"mode": "Observe", "settings": null}}})).await;
    seconds(5).await;
    assert_eq!(a.switch().effective, Mode::Observe);
    assert_eq!(find(&status(&world).await["conditions"], "SettingsAccepted")["status"], "True");
}

#[tokio::test(start_paused = true)]
async fn an_hour_without_change_writes_no_status() {
    let world = World::prepared(5, mode("Observe")).await;
    let a = world.process("a", |_| {});
    a.leads().await;
    seconds(30).await;
    let before = a.net.writes("platforms");
    seconds(3_600).await;
    assert_eq!(a.net.writes("platforms"), before);
    assert!((1..=4).contains(&before), "{before} writes to begin with");
}

#[tokio::test(start_paused = true)]
async fn what_a_feature_reports_is_in_the_status_once_and_goes_when_it_is_no_longer_said() {
    let world = World::prepared(6, mode("Observe")).await;
    let a = world.process("a", |_| {});
    a.leads().await;
    let said = Condition {
        kind: "Ready".into(),
        status: ConditionStatus::True,
        reason: "Deciding".into(),
        message: "All is well.".into(),
    };
    a.runtime.report(Feature::Scheduling, vec![said.clone()]);
    seconds(2).await;
    let there = status(&world).await;
    assert_eq!(find(&there["features"]["scheduling"]["conditions"], "Ready")["message"], "All is well.");
    let before = a.net.writes("platforms");
    a.runtime.report(Feature::Scheduling, vec![said]);
    seconds(60).await;
    assert_eq!(a.net.writes("platforms"), before);
    a.runtime.report(Feature::Scheduling, Vec::new());
    seconds(2).await;
    assert!(find(&status(&world).await["features"]["scheduling"]["conditions"], "Ready").is_null());
}

#[tokio::test(start_paused = true)]
async fn a_status_that_another_wrote_over_waits_for_the_watch_and_one_that_failed_is_tried_again() {
    let world = World::prepared(9, mode("Observe")).await;
    let a = world.process("a", |_| {});
    a.leads().await;
    seconds(30).await;
    for (code, tries) in [(409, 1..=1), (500, 3..=4)] {
        a.net.rule(move |method, path| {
            (*method == http::Method::PATCH && path.contains("platforms")).then_some(Fault::Refuse(code, None))
        });
        let before = a.net.writes("platforms");
        let message = format!("After {code}.");
        let said =
            Condition { kind: "Ready".into(), status: ConditionStatus::True, reason: "Deciding".into(), message };
        a.runtime.report(Feature::Scheduling, vec![said]);
        seconds(9).await;
        let tried = a.net.writes("platforms") - before;
        assert!(tries.contains(&tried), "after {code} it was tried {tried} times in nine seconds");
        a.net.heal();
        seconds(20).await;
        let there = status(&world).await;
        assert_eq!(find(&there["features"]["scheduling"]["conditions"], "Ready")["message"], format!("After {code}."));
    }
}

#[tokio::test(start_paused = true)]
async fn a_report_stands_beside_what_the_runtime_says_and_in_place_of_what_has_the_same_name() {
    let (world, a) = World::enforcing(8).await;
    world.set_platform(json!({"features": {"scheduling": {"paused": true}}})).await;
    let said = |kind: &str| Condition {
        kind: kind.into(),
        status: ConditionStatus::True,
        reason: "Deciding".into(),
        message: "All is well.".into(),
    };
    a.runtime.report(Feature::Scheduling, vec![said("Ready")]);
    seconds(5).await;
    let there = status(&world).await["features"]["scheduling"]["conditions"].clone();
    assert_eq!(
        (&find(&there, "Ready")["reason"], &find(&there, "Paused")["reason"]),
        (&json!("Deciding"), &json!("PausedByUser"))
    );
    a.runtime.report(Feature::Scheduling, vec![said("Paused")]);
    seconds(5).await;
    let there = status(&world).await["features"]["scheduling"]["conditions"].clone();
    assert_eq!((there.as_array().unwrap().len(), &find(&there, "Paused")["reason"]), (1, &json!("Deciding")));
}

#[tokio::test(start_paused = true)]
async fn without_a_platform_everything_observes_and_a_file_can_stand_in_where_there_is_no_definition() {
    let world = World::new(7);
    world.create("v1", "Namespace", None, json!({"metadata": {"name": "keelson"}})).await;
    let file = std::env::temp_dir().join(format!("keelson-mode-{}.yaml", std::process::id()));
    let a = world.process("a", |config| config.mode_file = Some(file.clone()));
    a.leads().await;
    assert_eq!(a.switch().effective, Mode::Observe);
    let text = |mode: &str| {
        format!(
            "apiVersion: keelson.dev/v1alpha1\nkind: Platform\nmetadata: {{name: default}}\nspec: {{features: {{scheduling: {{mode: {mode}}}}}}}\n"
        )
    };
    for (word, effective) in [("Enforce", Mode::Enforce), ("Nonsense", Mode::Enforce), ("Off", Mode::Off)] {
        std::fs::write(&file, text(word)).unwrap();
        seconds(2).await;
        assert_eq!(a.switch().effective, effective, "{word}");
    }
    std::fs::remove_file(&file).unwrap();
    seconds(2).await;
    assert_eq!(a.switch().effective, Mode::Off, "a file that is gone keeps the last good settings");
}
