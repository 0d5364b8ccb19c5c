//! Nobody is told what the cluster would not let them see, by whichever way they ask.

use std::collections::BTreeSet;
use std::sync::Arc;

use keelson_core::{Decision, ObjectRef, Trigger};
use keelson_dashboard::{Change, OutcomeChange, guarded_paths};
use keelson_store::Store;
use serde_json::json;

use crate::fake::{Answer, Site, decision, subject};
use crate::guests::{DOOR, SWITCH, guarded, of};
use crate::streaming::Reader;

/// The word that stands in everything that is hidden.
const SECRET: &str = "vault";

/// A decision about a pod in a namespace that eve may not see; its every text says so.
fn hidden(second: i64) -> Decision {
    let mut decision = decision(second);
    decision.subject = ObjectRef::namespaced("Pod", SECRET, "vault-0");
    decision.trigger = Trigger::Watch(decision.subject.clone());
    decision.related = vec![ObjectRef::namespaced("Deployment", SECRET, SECRET).in_group("apps")];
    decision.sentence = "Placed vault/vault-0 on node-3.".into();
    decision
}

/// A decision about a pod that eve may see, which names others that she may not.
fn seen(second: i64) -> Decision {
    let mut decision = decision(second);
    decision.subject = ObjectRef::namespaced("Pod", "shop", "cart-0");
    decision.trigger = Trigger::Watch(ObjectRef::namespaced("Pod", SECRET, "vault-0"));
    decision.related = vec![
        ObjectRef::cluster("Node", "node-3"),
        ObjectRef::namespaced("Deployment", "shop", "cart").in_group("apps"),
        ObjectRef::namespaced("Deployment", SECRET, SECRET).in_group("apps"),
    ];
    decision
}

/// Something seen that something hidden caused, and that caused something hidden.
async fn story(site: &Site) -> [Decision; 4] {
    let (before, mut cause, mut middle, mut after) = (seen(0), hidden(1), seen(2), hidden(3));
    cause.causes = vec![before.id];
    middle.causes = vec![cause.id];
    after.causes = vec![middle.id];
    let story = [before, cause, middle, after];
    site.fake.store.record(&story).await.unwrap();
    *site.fake.placed.lock().unwrap() = [("shop".to_owned(), 2), (SECRET.to_owned(), 40)].into();
    *site.fake.subject.lock().unwrap() = Some(subject());
    story
}

/// What each route must do when eve asks it for what she may not see. A new route needs a row.
enum Attack {
    /// Answers, without a word of what is hidden.
    Sifted(&'static str),
    /// Refuses with this status.
    Refused(&'static str, u16),
    /// Refuses a body.
    Posted(&'static str, &'static str, u16),
}

#[tokio::test(start_paused = true)]
async fn who_sees_one_namespace_learns_nothing_of_another_by_any_route() {
    use Attack::{Posted, Refused, Sifted};
    let (site, _) = guarded();
    let [_, cause, middle, after] = story(&site).await;
    let middle: &'static str = format!("/decisions/{}", middle.id).leak();
    let cause_path: &'static str = format!("/decisions/{}", cause.id).leak();
    let replay: &'static str = format!("{{\"id\": \"{}\"}}", after.id).leak();
    let rows: Vec<(&str, Vec<Attack>)> = vec![
        ("/overview", vec![Sifted("/overview")]),
        ("/nodes", vec![Refused("/nodes", 403)]),
        (
            "/decisions",
            vec![
                Sifted("/decisions"),
                Sifted("/decisions?namespace=vault"),
                Sifted("/decisions?name=vault-0"),
                Sifted("/decisions?q=node-3"),
                Sifted("/decisions?about=Pod/vault/vault-0"),
                Sifted("/decisions?about=Deployment.apps/vault/vault"),
                Sifted("/decisions?about=Node/-/node-3"),
            ],
        ),
        ("/decisions/export", vec![Sifted("/decisions/export"), Sifted("/decisions/export?namespace=vault")]),
        ("/decisions/{id}", vec![Sifted(middle), Refused(cause_path, 404)]),
        (
            "/subjects/{kind}/{namespace}/{name}",
            vec![
                Refused("/subjects/Pod/vault/vault-0", 403),
                Refused("/subjects/Deployment.apps/vault/vault", 403),
                Refused("/subjects/Node/shop/node-3", 403),
                Refused("/subjects/Pod/-/vault-0", 403),
                Refused("/subjects/Pod.example.com/shop/vault-0", 404),
            ],
        ),
        ("/why/{kind}/{namespace}/{name}", vec![Refused("/why/Pod/vault/vault-0", 403)]),
        ("/features/{feature}/preview", vec![Sifted("/features/scheduling/preview?mode=Enforce")]),
        (
            "/features/{feature}/mode",
            vec![Posted("/features/scheduling/mode", r#"{"mode": "Off", "confirm": "Off scheduling"}"#, 403)],
        ),
        ("/features/{feature}/pause", vec![Posted("/features/scheduling/pause", r#"{"paused": true}"#, 403)]),
        (
            "/features/{feature}/ask/{question}",
            vec![
                Posted("/features/scheduling/ask/why", r#"{"namespace": "vault", "name": "vault-0"}"#, 403),
                Posted("/features/scheduling/ask/nodes", "{}", 403),
                Posted("/features/scheduling/ask/why", r#"{"name": "vault-0"}"#, 403),
                Posted("/features/scheduling/ask/replay", replay, 404),
            ],
        ),
        ("/whatif", vec![Posted("/whatif", r#"{"pod": {"spec": {}}}"#, 403)]),
        ("/stream", vec![]), // below, because it does not end
        ("/openapi.json", vec![Sifted("/openapi.json")]),
    ];
    let known: BTreeSet<_> = rows.iter().map(|(path, _)| *path).collect();
    assert_eq!(known, guarded_paths().into_iter().collect(), "a route without a row is a route that nobody tried");
    for (path, attacks) in rows {
        for attack in attacks {
            let (asked, body, status) = match attack {
                Sifted(asked) => (asked, None, 200),
                Refused(asked, status) => (asked, None, status),
                Posted(asked, body, status) => (asked, Some(body), status),
            };
            let asked = format!("/api/v1{asked}");
            let answer: Answer = match body {
                None => site.get_as("eve", &asked).await,
                Some(body) => site.post_as("eve", &asked, body).await,
            };
            assert_eq!(answer.status.as_u16(), status, "{asked}: {}", answer.text());
            // A refusal may repeat the name that she gave.
            let named_it = status != 200 && format!("{asked}{body:?}").contains(SECRET);
            assert!(named_it || !answer.text().contains(SECRET), "{path} {asked}: {}", answer.text());
        }
    }
    // The same questions are answered to ada.
    assert!(site.get_as("ada", "/api/v1/decisions").await.text().contains(SECRET));
    assert_eq!(site.get_as("ada", &format!("/api/v1{cause_path}")).await.status, 200);
}

#[tokio::test(start_paused = true)]
async fn nobody_is_told_anything_without_signing_in_and_the_door_is_shut_to_strangers() {
    let (site, guests) = guarded();
    story(&site).await;
    for path in guarded_paths() {
        let path = path.replace("{id}", "01937f6e-0000-7000-8000-000000000000").replace("{feature}", "scheduling");
        let path = format!("/api/v1{}", path.replace("{kind}/{namespace}/{name}", "Pod/shop/cart-0"));
        let path = path.replace("{question}", "why");
        let changes = ["mode", "pause", "ask", "whatif"].iter().any(|word| path.contains(word));
        for (who, status) in [(None, 401), (Some("nobody"), 401), (Some("bob"), 403)] {
            let request = if changes { crate::fake::post(&path) } else { crate::fake::get(&path) };
            let request = who.map_or_else(|| request, |who| of(who, crate::fake::get(&path)));
            let method = if changes { "POST" } else { "GET" };
            let request = request.method(method).header("content-type", "application/json");
            let answer = site.answer(request.body(axum::body::Body::from("{}")).unwrap()).await;
            assert_eq!(answer.refusal().0, status, "{who:?} {path}");
        }
    }
    assert!(site.fake.asked().is_empty() && site.fake.audited.lock().unwrap().is_empty());
    let asked = guests.asked.lock().unwrap();
    assert!(asked.iter().all(|(caller, right)| caller.user == "bob" && right.to_string() == DOOR), "{asked:?}");
}

#[tokio::test(start_paused = true)]
async fn a_chain_ends_where_one_may_not_look_further_and_says_so() {
    let (site, _) = guarded();
    let [before, _, middle, _] = story(&site).await;
    let detail = site.get_as("eve", &format!("/api/v1/decisions/{}", middle.id)).await.json();
    assert_eq!((&detail["causes"], &detail["consequences"], &detail["hidden"]), (&json!([]), &json!([]), &json!(2)));
    assert_eq!(detail["decision"]["cause_count"], middle.cause_count);
    let detail = site.get_as("ada", &format!("/api/v1/decisions/{}", middle.id)).await.json();
    let ids: Vec<_> = detail["causes"].as_array().unwrap().iter().map(|cause| cause["id"].clone()).collect();
    assert!(ids.contains(&json!(before.id)) && detail["hidden"] == 0, "{ids:?}");
}

#[tokio::test(start_paused = true)]
async fn beside_what_is_shown_nothing_hidden_is_named() {
    let (site, _) = guarded();
    let [before, ..] = story(&site).await;
    let shown = site.get_as("eve", &format!("/api/v1/decisions/{}", before.id)).await.json()["decision"].clone();
    let related: Vec<_> = shown["related"].as_array().unwrap().iter().map(|one| one["name"].clone()).collect();
    assert_eq!(related, ["node-3", "cart"]);
    assert_eq!(shown["trigger"], json!({"Watch": {"kind": "Pod", "name": "(hidden)"}}));
    // Nor does she learn by asking for it what is beside the hidden one.
    for (who, found) in [("eve", 0), ("ada", 4)] {
        let listed = site.get_as(who, "/api/v1/decisions?about=Deployment.apps/vault/vault").await.json();
        assert_eq!(listed["decisions"].as_array().unwrap().len(), found, "{who}");
    }
    let whole = site.get_as("ada", &format!("/api/v1/decisions/{}", before.id)).await.json()["decision"].clone();
    assert_eq!(whole, serde_json::to_value(before).unwrap());
}

#[tokio::test(start_paused = true)]
async fn sums_are_made_of_what_is_seen() {
    let (site, _) = guarded();
    story(&site).await;
    for (who, placed, facts) in [("eve", 2, 0), ("ada", 42, 1)] {
        let overview = site.get_as(who, "/api/v1/overview").await.json();
        assert_eq!(overview["features"][0]["counts"]["placed"], placed, "{who}");
        assert_eq!(overview["facts"].as_array().unwrap().len(), facts, "{who}");
        let preview = site.get_as(who, "/api/v1/features/scheduling/preview?mode=Enforce").await.json();
        assert_eq!(preview["actions"], placed, "{who}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_page_of_what_is_seen_is_full_and_goes_on() {
    let (site, _) = guarded();
    let all: Vec<_> = (0..3_000).map(|n| if n % 100 == 0 { seen(n) } else { hidden(n) }).collect();
    site.fake.store.record(&all).await.unwrap();
    let mut found = Vec::new();
    let mut before = String::new();
    for _ in 0..10 {
        let page = site.get_as("eve", &format!("/api/v1/decisions?limit=7&before={before}")).await.json();
        found.extend(page["decisions"].as_array().unwrap().iter().map(|row| row["at"].as_i64().unwrap()));
        match page["next"].as_str() {
            Some(next) => next.clone_into(&mut before),
            None => break,
        }
    }
    let expected: Vec<_> = all.iter().rev().filter(|row| row.subject.namespace == "shop").map(|row| row.at.0).collect();
    assert_eq!(found, expected, "each once, newest first");
    let exported = site.get_as("eve", "/api/v1/decisions/export").await.text();
    assert_eq!((exported.lines().count(), exported.contains(SECRET)), (30, false));
}

#[tokio::test(start_paused = true)]
async fn the_stream_tells_each_what_they_may_see() {
    let (site, _) = guarded();
    story(&site).await;
    let mut eves = Reader::of(
        site.send(of("eve", crate::fake::get("/api/v1/stream")).body(axum::body::Body::empty()).unwrap()).await,
    );
    let mut adas = Reader::of(
        site.send(of("ada", crate::fake::get("/api/v1/stream")).body(axum::body::Body::empty()).unwrap()).await,
    );
    assert_eq!(eves.next().await.data["read_only"], true, "who may not switch is told so");
    assert_eq!(adas.next().await.data["read_only"], false);
    assert_eq!(eves.next().await.data["features"][0]["counts"]["placed"], 2);
    assert_eq!(adas.next().await.data["features"][0]["counts"]["placed"], 42);
    assert_eq!(eves.next().await.data["nodes"], json!([]));
    assert_eq!(adas.next().await.data["nodes"].as_array().unwrap().len(), 2);
    let (secret, open) = (hidden(10), seen(11));
    // How a decision ends is told by its id alone: of one that is in the store and of one that was just told.
    let old = site.fake.store.decisions(&keelson_store::Filter::default()).await.unwrap().decisions;
    for decision in [&secret, &open] {
        site.fake.log.push(Change::Decision(Arc::new(decision.clone())));
    }
    for decision in [&secret, &open, &old[0], &old[1]] {
        let ended = OutcomeChange { id: decision.id, outcome: decision.outcome, steps: decision.steps.clone() };
        site.fake.log.push(Change::Outcome(ended));
    }
    let unknown = OutcomeChange { id: decision(99).id, outcome: open.outcome, steps: vec![] };
    site.fake.log.push(Change::Outcome(unknown));
    let told = [eves.next().await, eves.next().await, eves.next().await];
    let names: Vec<_> = told.iter().map(|heard| (heard.event.as_str(), heard.data["id"].clone())).collect();
    let is_seen = |decision: &&&Decision| decision.subject.namespace == "shop";
    let other = [&old[0], &old[1]].iter().find(is_seen).unwrap().id;
    assert_eq!(names, [("decision", json!(open.id)), ("outcome", json!(open.id)), ("outcome", json!(other))]);
    assert!(eves.is_quiet(std::time::Duration::from_secs(5)).await);
    let mut all = 0;
    while !adas.is_quiet(std::time::Duration::from_secs(5)).await {
        all += 1;
    }
    assert_eq!(all, 6);
}

#[tokio::test(start_paused = true)]
async fn every_question_is_put_with_the_callers_name_and_never_another() {
    let (site, guests) = guarded();
    story(&site).await;
    for path in ["overview", "decisions", "features/scheduling/preview?mode=Off", "subjects/Pod/shop/cart-0"] {
        site.get_as("eve", &format!("/api/v1/{path}")).await;
    }
    let asked = guests.asked.lock().unwrap();
    assert!(!asked.is_empty());
    for (caller, right) in asked.iter() {
        assert_eq!(
            (caller.user.as_str(), caller.groups.as_slice()),
            ("eve", ["eve-team".to_owned()].as_slice()),
            "{right}"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn a_switch_is_turned_by_those_who_may_and_every_try_is_kept() {
    let (site, guests) = guarded();
    guests.knows("eve", &[]);
    let (mode, pause) = ("/api/v1/features/scheduling/mode", "/api/v1/features/scheduling/pause");
    let off = r#"{"mode": "Off", "confirm": "Off scheduling"}"#;
    assert_eq!(site.post_as("ada", mode, off).await.status, 200);
    assert_eq!(
        site.post_as("eve", pause, r#"{"paused": true}"#).await.refusal(),
        (403, "forbidden".into(), String::new())
    );
    assert_eq!(site.fake.asked(), ["ada sets scheduling to Off"]);
    let audited: Vec<_> =
        site.fake.audited.lock().unwrap().iter().map(|row| (row.sentence.clone(), row.done)).collect();
    let refused = format!("eve asked to pause scheduling. It was not done: eve may not {SWITCH}.");
    assert_eq!(audited, [("ada asked to switch scheduling to Off. It was done.".to_owned(), true), (refused, false)]);
}

#[tokio::test(start_paused = true)]
async fn the_metrics_are_for_those_who_may_get_them() {
    let (_, guests) = guarded();
    let extra = axum::Router::new().route("/metrics", axum::routing::get(async || "up 1"));
    let probes = axum::Router::new().route("/livez", axum::routing::get(async || "ok"));
    let access = guests.access(keelson_dashboard::SignIn::Token);
    let site = Site::with(|options| {
        (options.access, options.extra, options.probes) = (Some(access), extra, probes);
    });
    assert_eq!(site.get("/metrics").await.refusal().0, 401);
    assert_eq!(site.get_as("eve", "/metrics").await.refusal().0, 403);
    assert_eq!(site.get_as("ada", "/metrics").await.text(), "up 1");
    assert_eq!(site.get("/livez").await.text(), "ok", "probes have no token");
    // A scraper names the pod's address; a browser led here under another name has no token to show.
    let scrape = |token: &str| {
        let request = http::Request::get("/metrics").header("host", "10.0.0.7:8080");
        request.header("authorization", format!("Bearer {token}")).body(axum::body::Body::empty()).unwrap()
    };
    assert_eq!(site.answer(scrape("token-of-ada")).await.text(), "up 1");
    assert_eq!(site.answer(scrape("guessed")).await.refusal().0, 401);
}
