//! What can be read, and what every wrong question is told.

use keelson_core::{ObjectRef, Outcome, Verb};
use keelson_dashboard::BackendError;
use keelson_store::Store;
use serde_json::json;

use crate::fake::{Site, decision, node, subject};

#[tokio::test]
async fn the_overview_and_the_nodes_are_what_the_platform_says() {
    let site = Site::new();
    let overview = site.get("/api/v1/overview").await;
    assert_eq!(overview.status, 200);
    assert_eq!(overview.json()["features"][0]["wanted"], "Enforce");
    assert_eq!(overview.json()["cluster"]["now"], 1_800_000_000_000_000_i64);
    let nodes = site.get("/api/v1/nodes").await.json();
    assert_eq!(nodes["nodes"][0], serde_json::to_value(node("node-1", 1)).unwrap());
    assert_eq!(nodes["version"], 1);
}

#[tokio::test]
async fn decisions_come_in_pages_that_continue() {
    let site = Site::new();
    let made: Vec<_> = (0..5).map(decision).collect();
    site.fake.store.record(&made).await.unwrap();
    let first = site.get("/api/v1/decisions?limit=3").await.json();
    assert_eq!(first["decisions"][0], serde_json::to_value(&made[4]).unwrap(), "newest first, as it was recorded");
    assert_eq!(first["partial"], false);
    let next = first["next"].as_str().unwrap();
    let second = site.get(&format!("/api/v1/decisions?limit=3&before={next}")).await.json();
    assert_eq!(second["decisions"].as_array().unwrap().len(), 2);
    assert!(second.get("next").is_none(), "the last page says so by saying nothing");
}

#[tokio::test]
async fn each_parameter_chooses() {
    let site = Site::new();
    let mut waiting = decision(1);
    waiting.verb = Verb::Wait;
    waiting.outcome = Outcome::NoAction;
    site.fake.store.record(&[decision(0), waiting]).await.unwrap();
    for (query, found) in [
        ("feature=scheduling", 2),
        ("verb=Wait", 1),
        ("reason=PodPlaced", 2),
        ("reason=Unschedulable", 0),
        ("outcome=NoAction", 1),
        ("kind=Pod", 2),
        ("kind=Node", 0),
        ("namespace=shop&name=cart-1", 1),
        ("about=Node/-/node-3", 2),
        ("about=Pod/shop/cart-1", 1),
        ("about=Node/-/node-4", 0),
        ("q=CART-0", 1),
        ("q=shop%2Fcart-0", 1),
        ("since=1800000001000000", 1),
        ("until=2027-01-15T08:00:01Z", 1),
        ("q=&verb=", 2),
    ] {
        let answer = site.get(&format!("/api/v1/decisions?{query}")).await;
        assert_eq!(answer.json()["decisions"].as_array().unwrap().len(), found, "{query}");
    }
}

#[tokio::test]
async fn a_wrong_parameter_is_refused_by_name() {
    let site = Site::new();
    let long = format!("q={}", "a".repeat(254));
    let longer = format!("q={}", "a".repeat(5_000));
    for (query, field) in [
        ("verbs=Place", "verbs"),
        ("verb=place", "verb"),
        ("reason=Because", "reason"),
        ("outcome=Good", "outcome"),
        ("feature=cooking", "feature"),
        ("since=yesterday", "since"),
        ("since=5&until=5", "until"),
        ("before=1", "before"),
        ("limit=0", "limit"),
        ("limit=501", "limit"),
        ("limit=-1", "limit"),
        ("limit=ten", "limit"),
        ("about=node-3", "about"),
        ("about=Node/node-3", "about"),
        ("about=Node/-/", "about"),
        ("about=Node/-/a/b", "about"),
        ("q=a&q=b", "q"),
        ("q=%00", "q"),
        (long.as_str(), "q"),
        (longer.as_str(), "query"),
    ] {
        let answer = site.get(&format!("/api/v1/decisions?{query}")).await;
        assert_eq!(answer.refusal(), (400, "invalid".into(), field.into()), "{query}");
    }
    let fix = site.get("/api/v1/decisions?outcome=Good").await.json()["error"]["fix"].clone();
    assert_eq!(fix, "Use one of: NoAction, Would, Pending, Done, Failed.");
}

#[tokio::test]
async fn a_path_that_takes_no_parameters_says_so() {
    let site = Site::new();
    for path in ["overview", "nodes", "stream", "openapi.json", "decisions/0", "subjects/Pod/a/b", "why/Pod/a/b"] {
        let answer = site.get(&format!("/api/v1/{path}?limit=1")).await;
        assert_eq!(answer.refusal(), (400, "invalid".into(), "limit".into()), "{path}");
    }
}

#[tokio::test]
async fn a_decision_comes_with_what_led_to_it_and_what_followed() {
    let site = Site::new();
    let mut chain: Vec<_> = (0..4).map(decision).collect();
    chain[0].causes = vec![];
    for at in 1..4 {
        chain[at].causes = vec![chain[at - 1].id];
    }
    site.fake.store.record(&chain).await.unwrap();
    let detail = site.get(&format!("/api/v1/decisions/{}", chain[2].id)).await.json();
    let names = |list: &str| -> Vec<_> {
        detail[list].as_array().unwrap().iter().map(|d| d["subject"]["name"].clone()).collect()
    };
    assert_eq!(detail["decision"], serde_json::to_value(&chain[2]).unwrap());
    assert_eq!(names("causes"), ["cart-0", "cart-1"]);
    assert_eq!(names("consequences"), ["cart-3"]);
}

#[tokio::test]
async fn causes_that_are_equally_near_are_read_at_once() {
    let site = Site::new();
    let mut made: Vec<_> = (0..9).map(decision).collect();
    for at in 1..8 {
        made[at].causes = vec![made[0].id];
    }
    made[0].causes = vec![];
    made[8].causes = made[1..8].iter().map(|cause| cause.id).collect();
    site.fake.store.record(&made).await.unwrap();
    let detail = site.get(&format!("/api/v1/decisions/{}", made[8].id)).await.json();
    assert_eq!(detail["causes"].as_array().unwrap().len(), 8);
    assert_eq!(site.fake.asked(), ["7 by their ids", "1 by their ids"]);
}

#[tokio::test]
async fn a_chain_that_bites_its_tail_or_is_very_long_still_ends() {
    let site = Site::new();
    let mut chain: Vec<_> = (0..60).map(decision).collect();
    let last = chain[59].id;
    chain[0].causes = vec![last];
    for at in 1..60 {
        chain[at].causes = vec![chain[at - 1].id];
    }
    site.fake.store.record(&chain).await.unwrap();
    let detail = site.get(&format!("/api/v1/decisions/{last}")).await.json();
    let causes = detail["causes"].as_array().unwrap();
    assert_eq!(causes.len(), 32);
    assert_eq!(causes[31]["subject"]["name"], "cart-58", "the nearest are kept");
}

#[tokio::test]
async fn a_decision_that_is_not_known_is_not_found() {
    let site = Site::new();
    let unknown = site.get("/api/v1/decisions/01937f6e-0000-7000-8000-000000000000").await;
    assert_eq!(unknown.refusal(), (404, "not-found".into(), "id".into()));
    for bad in ["1", "exports", "%F0%28%8C%28"] {
        let refusal = site.get(&format!("/api/v1/decisions/{bad}")).await.refusal();
        assert_eq!((refusal.0, refusal.1.as_str()), (400, "invalid"), "{bad}");
    }
}

#[tokio::test]
async fn an_object_is_shown_with_its_why() {
    let site = Site::new();
    *site.fake.subject.lock().unwrap() = Some(subject());
    let answer = site.get("/api/v1/subjects/Pod/shop/cart-0").await.json();
    assert_eq!(answer["summary"], json!({"phase": "Running"}));
    let why = site.get("/api/v1/why/Pod/shop/cart-0").await.json();
    assert_eq!(why, answer["why"]);
    assert_eq!(why["changes"][0]["verified"], true);
}

#[tokio::test]
async fn a_path_names_groups_and_cluster_scoped_kinds() {
    let site = Site::new();
    site.get("/api/v1/subjects/Deployment.apps/shop/cart").await;
    site.get("/api/v1/subjects/Node/-/node-1").await;
    let deployment = ObjectRef::namespaced("Deployment", "shop", "cart").in_group("apps");
    let node = ObjectRef::cluster("Node", "node-1");
    assert_eq!(site.fake.asked(), [format!("subject {deployment:?}"), format!("subject {node:?}")]);
}

#[tokio::test]
async fn nothing_known_about_an_object_is_not_found() {
    let site = Site::new();
    let mut unseen = subject();
    unseen.why = None;
    *site.fake.subject.lock().unwrap() = Some(unseen);
    for path in ["subjects/Pod/shop/cart-9", "why/Pod/shop/cart-9", "why/Pod/shop/cart-0"] {
        let refusal = site.get(&format!("/api/v1/{path}")).await.refusal();
        assert_eq!(refusal, (404, "not-found".into(), "name".into()), "{path}");
    }
    let long = "a".repeat(254);
    for (path, field) in [(format!("subjects/Pod/shop/{long}"), "name"), ("why/Pod/%07/a".into(), "namespace")] {
        assert_eq!(site.get(&format!("/api/v1/{path}")).await.refusal(), (400, "invalid".into(), field.into()));
    }
    let refusal = site.get("/api/v1/subjects/Pod/shop/%FF").await.refusal();
    assert_eq!(refusal, (400, "invalid".into(), "path".into()));
}

#[tokio::test]
async fn an_export_is_every_match_as_lines() {
    let site = Site::new();
    let made: Vec<_> = (0..1_203).map(decision).collect();
    site.fake.store.record(&made).await.unwrap();
    let export = site.get("/api/v1/decisions/export").await;
    assert_eq!(export.header("content-type"), "application/x-ndjson");
    assert!(export.header("content-disposition").contains("decisions.jsonl"));
    let lines: Vec<keelson_core::Decision> =
        export.text().lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert!(lines.iter().eq(made.iter().rev()), "three pages, newest first, nothing twice and nothing lost");
    let one = site.get("/api/v1/decisions/export?name=cart-7").await;
    assert_eq!(one.text().lines().count(), 1);
    for name in ["limt", "limit"] {
        let refusal = site.get(&format!("/api/v1/decisions/export?{name}=1")).await.refusal();
        assert_eq!(
            refusal,
            (400, "invalid".into(), name.into()),
            "an export is whole, so that a limit would be ignored"
        );
    }
}

#[tokio::test]
async fn an_export_with_holes_is_refused() {
    let site = Site::new();
    *site.fake.partial.lock().unwrap() = true;
    assert_eq!(site.get("/api/v1/decisions/export").await.refusal().1, "unavailable");
    assert_eq!(site.get("/api/v1/decisions").await.json()["partial"], true, "a page says so instead");
}

#[tokio::test]
async fn an_export_that_breaks_off_does_not_look_complete() {
    use http_body_util::BodyExt;
    let site = Site::new();
    let made: Vec<_> = (0..900).map(decision).collect();
    site.fake.store.record(&made).await.unwrap();
    let request = crate::fake::get("/api/v1/decisions/export").body(axum::body::Body::empty()).unwrap();
    let mut body = site.send(request).await.into_body();
    assert!(body.frame().await.unwrap().is_ok());
    *site.fake.partial.lock().unwrap() = true;
    assert!(body.frame().await.unwrap().is_err(), "the connection is broken off");
}

#[tokio::test]
async fn what_the_platform_cannot_say_is_said_with_the_right_status() {
    let site = Site::new();
    let fix = || "Wait.".to_owned();
    let message = || "out of reach".to_owned();
    for (error, expected) in [
        (BackendError::NotFound { what: "it".into(), fix: fix() }, (404, "not-found", "")),
        (BackendError::Invalid { field: "node".into(), message: message(), fix: fix() }, (400, "invalid", "node")),
        (BackendError::Refused { message: message(), fix: fix() }, (409, "conflict", "")),
        (BackendError::Unavailable { message: message(), fix: fix() }, (503, "unavailable", "")),
    ] {
        *site.fake.failing.lock().unwrap() = Some(error);
        for path in ["decisions", "decisions/export", "subjects/Pod/a/b", "features/scheduling/preview?mode=Off"] {
            let answer = site.get(&format!("/api/v1/{path}")).await;
            let (status, category, field) = answer.refusal();
            assert_eq!((status, category.as_str(), field.as_str()), expected, "{path}");
            assert_eq!(answer.header("retry-after"), if status == 503 { "1" } else { "" });
        }
    }
}

#[tokio::test(start_paused = true)]
async fn an_answer_that_takes_too_long_is_given_up() {
    let site = Site::new();
    *site.fake.hangs.lock().unwrap() = true;
    assert_eq!(site.get("/api/v1/decisions").await.refusal(), (504, "timeout".into(), String::new()));
}

#[tokio::test(start_paused = true)]
async fn too_many_requests_at_a_time_are_turned_away() {
    let site = Site::new();
    *site.fake.hangs.lock().unwrap() = true;
    let mut waiting = tokio::task::JoinSet::new();
    for _ in 0..64 {
        let router = site.router.clone();
        let request = crate::fake::get("/api/v1/decisions").body(axum::body::Body::empty()).unwrap();
        waiting.spawn(async move { tower::ServiceExt::oneshot(router, request).await.unwrap().status() });
    }
    tokio::time::sleep(std::time::Duration::from_secs(1)).await;
    assert_eq!(site.get("/api/v1/nodes").await.refusal(), (503, "unavailable".into(), String::new()));
    assert!(waiting.join_all().await.iter().all(|status| *status == 504));
    assert_eq!(site.get("/api/v1/nodes").await.status, 200, "the room is given back");
}
