//! Step 9: the feature on the simulated cluster, with the rights that it declares and no others.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod support;

use keelson_core::{Mode, Outcome, Verb};
use keelson_runtime::assert_pure;
use keelson_sim::face::faults::Rates;
use serde_json::json;
use support::{DAWN, DUSK, Scene, minutes, seconds};

#[tokio::test(start_paused = true)]
async fn at_dusk_it_scales_down_and_at_dawn_up_again_and_the_effect_is_measured() {
    let scene = Scene::new(1, Mode::Enforce, Rates::default()).await;
    scene.at(DUSK).await;
    seconds(90).await;
    assert_eq!(scene.replicas(), [("broken", 4), ("cart", 1), ("stranger", 4)]);
    scene.at(DAWN).await;
    seconds(90).await;
    assert_eq!(scene.replicas(), [("broken", 4), ("cart", 4), ("stranger", 4)]);
    let [down, up] = &scene.decisions(Verb::Configure)[..] else { panic!("{:?}", scene.decisions(Verb::Configure)) };
    assert_eq!(down.sentence, "Scaled from 4 to 1: it is night until 2026-11-23T23:00:00Z.");
    for decision in [down, up] {
        assert_eq!((decision.outcome, decision.steps.len()), (Outcome::Done, 1));
        assert_eq!(decision.effect.as_ref().unwrap().as_predicted, Some(true), "{:?}", decision.effect);
    }
}

#[tokio::test(start_paused = true)]
async fn in_observe_it_says_what_it_would_do_and_writes_nothing_foreign() {
    let scene = Scene::new(2, Mode::Observe, Rates::default()).await;
    let before = scene.foreign();
    scene.at(DAWN).await;
    minutes(5).await;
    assert_eq!(scene.foreign(), before);
    let [would] = &scene.decisions(Verb::Configure)[..] else { panic!("{:?}", scene.decisions(Verb::Configure)) };
    assert_eq!((would.outcome, would.mode), (Outcome::Would, Mode::Observe));
}

#[tokio::test(start_paused = true)]
async fn an_annotation_that_cannot_be_read_is_refused_in_one_row_and_its_deployment_left_as_it_is() {
    let scene = Scene::new(3, Mode::Enforce, Rates::default()).await;
    scene.at(DAWN).await;
    let refused = scene.decisions(Verb::Refuse);
    assert!(refused[0].sentence.contains("night.example.com/night] is \"one\""), "{}", refused[0].sentence);
    assert_eq!((refused[0].subject.name.as_str(), scene.replicas()[0].1), ("broken", 4));
    // Asked again it says the same, and the store counts that in the same row.
    assert!(refused.iter().all(|again| refused[0].is_repeated_by(again)), "{refused:?}");
}

#[tokio::test(start_paused = true)]
async fn pods_that_do_not_come_make_the_prediction_wrong() {
    let scene = Scene::new(4, Mode::Enforce, Rates::default()).await;
    // No node takes pods any more: the morning's will not come.
    scene.at(DUSK).await;
    minutes(5).await;
    scene.cordon();
    scene.at(DAWN).await;
    minutes(15).await;
    let up = scene.decisions(Verb::Configure).pop().unwrap();
    let effect = up.effect.unwrap();
    assert_eq!(
        (effect.as_predicted, effect.sentence.as_str()),
        (Some(false), "1 of 4 ready after 10 min; 4 are there.")
    );
}

#[tokio::test(start_paused = true)]
async fn in_bad_weather_each_turn_is_taken_once_and_nothing_else_is_asked_for() {
    let scene = Scene::new(10, Mode::Enforce, Rates::rough()).await;
    scene.at(DUSK).await;
    let mut asked = Vec::new();
    for _ in 0..70 {
        minutes(1).await;
        asked.push(scene.replicas()[1].1);
    }
    asked.dedup();
    assert_eq!(asked, [1, 4], "night, then day, and no other number");
    assert_eq!([scene.replicas()[0].1, scene.replicas()[2].1], [4, 4], "a stranger was scaled");
    let done = scene.decisions(Verb::Configure).into_iter().filter(|decision| decision.outcome == Outcome::Done);
    assert_eq!(done.count(), 2, "{:?}", scene.decisions(Verb::Configure));
    let fired = scene.faults.fired();
    assert!(fired.len() > 5, "the weather was good: {fired:?}");
}

#[tokio::test(start_paused = true)]
async fn it_answers_which_deployments_of_a_namespace_sleep() {
    let scene = Scene::new(5, Mode::Observe, Rates::default()).await;
    let answer = scene.answers.ask("night.list", json!({"namespace": "default"})).await.unwrap();
    assert_eq!(answer["next_turn"], "2026-11-23T22:00:00Z");
    assert_eq!(answer["deployments"][1], json!({"name": "cart", "replicas": 4, "wanted": 4}));
    assert!(answer["deployments"][0]["problem"].as_str().unwrap().contains("write a whole number"));
    assert!(scene.answers.ask("night.list", json!({})).await.unwrap_err().to_string().contains("namespace"));
}

#[test]
fn the_decider_is_pure() {
    let seen = json!({"deployment": {"group": "apps", "kind": "Deployment", "namespace": "a", "name": "b", "uid": "c"},
        "replicas": 4, "day": "4", "night": "1", "hours": {"dusk": 22, "dawn": 6}});
    let night = keelson_core::Timestamp::parse("2026-11-23T23:00:00Z").unwrap();
    assert_pure::<keelson_example::controller::Nights>(&serde_json::from_value(seen).unwrap(), night);
}
