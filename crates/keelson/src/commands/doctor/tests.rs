//! Every check fails when it should, and says what to do.
#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

use axum::response::IntoResponse;
use keelson_core::{Feature, Timestamp};
use keelson_dashboard::view::{Cluster, Connection, ConnectionName, Counts, FeatureView};
use keelson_sim::api::{Api as Simulated, Config};
use keelson_sim::clock::Clock as SimulatedClock;
use keelson_sim::face::{Shared, tower::Face};

use super::*;
use crate::simulated::install;

/// A cluster in which nothing is installed.
fn cluster() -> kube::Client {
    let shared = Shared::new(Simulated::new(Config::default()), SimulatedClock::start(Timestamp(0), 1));
    kube::Client::new(Face::new(shared), "default")
}

/// Something that answers every request with an old `Date`, and with a version of that minor number.
async fn of_another_time(minor: &'static str) -> kube::Client {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    let body = move || {
        let rest = ["buildDate", "compiler", "gitCommit", "gitTreeState", "goVersion", "platform"];
        let mut version: serde_json::Value =
            rest.map(|name| (name.to_owned(), serde_json::Value::from(""))).into_iter().collect();
        version["major"] = "1".into();
        version["minor"] = minor.into();
        version["gitVersion"] = format!("v1.{minor}.0").into();
        version.to_string()
    };
    let answer = move || async move { ([("date", "Thu, 01 Jan 1970 00:01:40 GMT")], body()).into_response() };
    tokio::spawn(async move { axum::serve(listener, axum::Router::new().fallback(answer)).await });
    kube::Client::try_from(kube::Config::new(address.parse().unwrap())).unwrap()
}

#[track_caller]
fn assert_bad(check: &Check, detail: &str, fix: &str) {
    assert!(!check.ok && check.detail.contains(detail) && check.fix.contains(fix), "{check:?}");
}

#[tokio::test]
async fn an_api_server_that_is_not_there_is_said() {
    let nowhere = kube::Config::new("http://127.0.0.1:9".parse().unwrap());
    let check = version(&kube::Client::try_from(nowhere).unwrap()).await;
    assert_bad(&check, "", "see whether the cluster runs");
}

#[tokio::test]
async fn a_missing_right_is_named_with_whose_it_is() {
    let client = cluster();
    assert!(allowed(&client, Mode::Enforce, "keelson-system", None).await.ok, "an administrator has them all");
    let account = "system:serviceaccount:keelson-system:keelson";
    let check = allowed(&client, Mode::Enforce, "keelson-system", Some(account)).await;
    assert_bad(&check, "create pods/binding", "deploy/rbac/controller.yaml");
    assert!(check.detail.contains(account), "{check:?}");
    assert_eq!(
        groups(account),
        ["system:authenticated", "system:serviceaccounts", "system:serviceaccounts:keelson-system"]
    );
}

#[tokio::test]
async fn a_missing_definition_is_named_and_how_to_make_it() {
    let client = cluster();
    assert_bad(&definitions(&client).await, "platforms.keelson.dev", "keelson crds");
    install(&client, Mode::Observe).await.unwrap();
    assert!(definitions(&client).await.ok);
}

#[tokio::test]
async fn a_clock_that_is_wrong_is_said() {
    assert_bad(&skew(&of_another_time("36").await).await, "s from the API server's", "NTP");
}

#[tokio::test]
async fn an_api_server_that_is_newer_than_the_table_of_fields_is_a_warning_with_what_it_means() {
    for known in ["29", "36", "36+"] {
        let check = fields(&of_another_time(known).await).await;
        assert!(check.ok && check.fix.is_empty(), "{check:?}");
    }
    let check = fields(&of_another_time("37+").await).await;
    assert!(check.ok && check.detail.contains("is v1.37+.0") && check.detail.contains("only the fields of 1.36"));
    assert!(check.fix.contains("upgrade keelson") && check.fix.contains("schedulerName"), "{check:?}");
    assert!(words(&[check]).contains("warn"));
}

#[tokio::test]
async fn a_store_that_is_not_there_or_too_new_is_said() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("keelson.db");
    let database = path.to_str().unwrap();
    assert_bad(&reachable(database).await, "", "see whether the file");
    keelson_store::SqliteStore::open(&path).await.unwrap().close().await;
    assert!(reachable(database).await.ok);
    let newer = "INSERT INTO schema_meta (version) VALUES (99)";
    let options = sqlx::sqlite::SqliteConnectOptions::new().filename(&path);
    let mut conn = <sqlx::SqliteConnection as sqlx::Connection>::connect_with(&options).await.unwrap();
    sqlx::raw_sql(newer).execute(&mut conn).await.unwrap();
    assert_bad(&reachable(database).await, "schema 99", "run the newer keelson");
}

fn overview(mode: Mode, breaker: Option<&str>, waiting: u64, ok: bool) -> Overview {
    let at = Timestamp(0);
    Overview {
        cluster: Cluster { name: String::new(), now: at, speed: 1, version: String::new(), kubernetes: String::new() },
        features: vec![FeatureView {
            feature: Feature::Scheduling,
            title: "Scheduling".into(),
            mode,
            wanted: mode,
            ceiling: Mode::Enforce,
            paused: false,
            breaker: breaker.map(str::to_owned),
            leading: true,
            fence: 1,
            headline: String::new(),
            counts: Counts { waiting, ..Counts::default() },
            sparkline: vec![],
            conditions: vec![],
        }],
        connections: vec![Connection {
            name: ConnectionName::Store,
            ok,
            since: at,
            detail: "it does not answer".into(),
        }],
        facts: vec![],
    }
}

#[test]
fn a_running_keelson_tells_of_its_breaker_its_connections_and_the_pods_it_holds_back() {
    assert!(judged(&overview(Mode::Enforce, None, 3, true)).iter().all(|check| check.ok), "pods may wait for room");
    let failing = |overview: Overview| judged(&overview).into_iter().find(|check| !check.ok).unwrap();
    assert_bad(&failing(overview(Mode::Enforce, Some("three failed"), 0, true)), "three failed", "resume");
    assert_bad(&failing(overview(Mode::Enforce, None, 0, false)), "it does not answer", "detail");
    assert_bad(&failing(overview(Mode::Observe, None, 3, true)), "SchedulerNotEnforcing: 3 pods", "Enforce");
}
