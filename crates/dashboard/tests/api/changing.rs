//! Switches are turned deliberately, by this page only, and every slip is named.

use axum::body::Body;
use keelson_core::{Feature, Mode};
use keelson_dashboard::BackendError;
use serde_json::json;

use crate::fake::{Site, post, preview};

const MODE: &str = "/api/v1/features/scheduling/mode";
const PAUSE: &str = "/api/v1/features/scheduling/pause";
const ASK: &str = "/api/v1/features/scheduling/ask/what-if";
const WHAT_IF: &str = "/api/v1/whatif";

#[tokio::test]
async fn a_mode_is_switched_with_the_words_of_its_preview() {
    let site = Site::new();
    let before = site.get("/api/v1/features/scheduling/preview?mode=Enforce").await.json();
    let mut expected = serde_json::to_value(preview(Feature::Scheduling, Mode::Enforce)).unwrap();
    expected["confirm"] = "Enforce scheduling".into();
    assert_eq!(before, expected);
    let body = json!({"mode": "Enforce", "confirm": before["confirm"]}).to_string();
    let switched = site.post(MODE, &body).await;
    assert_eq!(switched.json(), json!({"feature": "scheduling", "wanted": "Enforce", "paused": false}));
    assert_eq!(site.fake.asked(), ["the page sets scheduling to Enforce"]);
}

#[tokio::test]
async fn a_feature_is_paused_and_goes_on() {
    let site = Site::new();
    for paused in [true, false] {
        let answer = site.post(PAUSE, &json!({ "paused": paused }).to_string()).await;
        assert_eq!((answer.status.as_u16(), answer.json()["paused"].clone()), (200, paused.into()));
    }
    assert_eq!(site.fake.asked(), ["the page pauses scheduling: true", "the page pauses scheduling: false"]);
}

#[tokio::test]
async fn a_question_reaches_the_feature_with_its_parameters() {
    let site = Site::new();
    let answer = site.post(ASK, r#"{"without": "node-3"}"#).await;
    assert_eq!(answer.json(), json!({"without": "node-3"}));
    assert_eq!(site.fake.asked(), [r#"ask scheduling what-if {"without":"node-3"}"#]);
}

#[tokio::test]
async fn what_if_is_put_to_the_scheduler() {
    let site = Site::new();
    let answer = site.post(WHAT_IF, r#"{"pod": {"spec": {"priority": 3}}}"#).await;
    assert_eq!(answer.json(), json!({"pod": {"spec": {"priority": 3}}}));
    assert_eq!(site.fake.asked(), [r#"ask scheduling what-if {"pod":{"spec":{"priority":3}}}"#]);
}

#[tokio::test]
async fn a_wrong_body_is_refused_by_field_and_nothing_is_switched() {
    let site = Site::new();
    for (path, body, field) in [
        (MODE, r#"{"mode": "Enforce"}"#, "confirm"),
        (MODE, r#"{"mode": "Enforce", "confirm": "Observe scheduling"}"#, "confirm"),
        (MODE, r#"{"mode": "Enforce", "confirm": true}"#, "confirm"),
        (MODE, r#"{"confirm": "Enforce scheduling"}"#, "mode"),
        (MODE, r#"{"mode": "enforce", "confirm": "Enforce scheduling"}"#, "mode"),
        (MODE, r#"{"mode": "Enforce", "confirm": "Enforce scheduling", "force": true}"#, "force"),
        (PAUSE, r#"{"paused": "yes"}"#, "paused"),
        (PAUSE, "{}", "paused"),
        (PAUSE, "[]", "body"),
        (PAUSE, "paused=true", "body"),
        (PAUSE, "", "body"),
        (ASK, "3", "body"),
        (WHAT_IF, "{}", "pod"),
        (WHAT_IF, r#"{"pod": "cart"}"#, "pod"),
        (WHAT_IF, r#"{"pod": {}, "node": "n"}"#, "node"),
        (WHAT_IF, "[]", "body"),
    ] {
        assert_eq!(site.post(path, body).await.refusal(), (400, "invalid".into(), field.into()), "{path} {body}");
    }
    for (path, status, field) in [
        ("/api/v1/features/cooking/mode", 404, "feature"),
        ("/api/v1/features/scheduling/ask/What?", 400, ""),
        ("/api/v1/features/scheduling/ask/What", 400, "question"),
        ("/api/v1/features/scheduling/pause?now=1", 400, "now"),
    ] {
        let refusal = site.post(path, r#"{"paused": true}"#).await.refusal();
        assert_eq!(refusal.0, status, "{path}");
        assert!(field.is_empty() || refusal.2 == field, "{path} {refusal:?}");
    }
    for (query, field) in [("", "mode"), ("?mode=On", "mode"), ("?mode=Off&when=now", "when")] {
        let refusal = site.get(&format!("/api/v1/features/scheduling/preview{query}")).await.refusal();
        assert_eq!(refusal, (400, "invalid".into(), field.into()), "{query}");
    }
    assert!(site.fake.asked().is_empty());
}

#[tokio::test]
async fn a_body_is_json_and_of_bounded_size() {
    let site = Site::new();
    let form = post(PAUSE).header("content-type", "text/plain").body(Body::from("{\"paused\":true}")).unwrap();
    let mut form = form;
    form.headers_mut().insert("content-type", "text/plain".parse().unwrap());
    assert_eq!(site.answer(form).await.refusal(), (415, "unsupported-media-type".into(), String::new()));
    let large = format!("{{\"paused\": true, \"x\": \"{}\"}}", "a".repeat(64 * 1024));
    assert_eq!(site.post(PAUSE, &large).await.refusal(), (413, "too-large".into(), String::new()));
    let charset = post(PAUSE).body(Body::from("{\"paused\":true}")).unwrap();
    let mut charset = charset;
    charset.headers_mut().insert("content-type", "application/json; charset=utf-8".parse().unwrap());
    assert_eq!(site.answer(charset).await.status, 200);
}

#[tokio::test]
async fn a_page_that_may_only_read_turns_no_switch_but_answers_questions() {
    let site = Site::with(|options| options.read_only = true);
    let mode = site.post(MODE, r#"{"mode": "Off", "confirm": "Off scheduling"}"#).await;
    let pause = site.post(PAUSE, r#"{"paused": true}"#).await;
    for refused in [mode, pause] {
        assert_eq!(refused.refusal(), (403, "forbidden".into(), String::new()));
    }
    assert!(site.fake.asked().is_empty());
    assert_eq!(site.post(ASK, "{}").await.status, 200);
}

#[tokio::test]
async fn above_the_ceiling_the_answer_is_the_line_to_run() {
    let site = Site::new();
    let fix = "Run: helm upgrade keelson --set features.scheduling.ceiling=Enforce";
    let message = "the ceiling of scheduling is Observe".to_owned();
    *site.fake.failing.lock().unwrap() = Some(BackendError::Refused { message, fix: fix.into() });
    let refused = site.post(MODE, r#"{"mode": "Enforce", "confirm": "Enforce scheduling"}"#).await;
    assert_eq!(refused.refusal().0, 409);
    assert_eq!(refused.json()["error"]["fix"], fix);
}
