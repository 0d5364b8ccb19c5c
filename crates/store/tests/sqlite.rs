//! What only a file can get wrong: coming back after a restart, being held by others, giving space back, and meeting
//! schemas of the past and the future.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use keelson_core::decision::Outcome;
use keelson_core::{Feature, Timestamp};
use keelson_store::reach::Reach;
use keelson_store::recorder::RING;
use keelson_store::{Filter, Journal, JournalOptions, Quota, Recorder, Resolution, Retention, SqliteStore, Store};
use sqlx::Connection;
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection};
use tokio::time::{sleep, timeout};

#[path = "support/decisions.rs"]
mod decisions;
#[path = "support/flood.rs"]
mod flood;
#[path = "support/questions.rs"]
mod questions;

use decisions::{decision, id, pending};

const BLOB: &str = "CAST(printf('%016d', {n}) AS BLOB)";

async fn other_connection(path: &Path) -> SqliteConnection {
    SqliteConnection::connect_with(&SqliteConnectOptions::new().filename(path).create_if_missing(true)).await.unwrap()
}

async fn run(conn: &mut SqliteConnection, sql: &str) {
    sqlx::raw_sql(sqlx::AssertSqlSafe(sql)).execute(conn).await.unwrap();
}

#[tokio::test]
async fn what_was_written_is_there_after_a_restart() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("keelson.db");
    let store = SqliteStore::open(&path).await.unwrap();
    store.sample("pods", Timestamp(1), 7).await.unwrap();
    store.close().await;
    let store = SqliteStore::open(&path).await.unwrap();
    assert_eq!(store.samples("pods", Timestamp(0), Resolution::Minute).await.unwrap().len(), 1);
}

#[tokio::test]
async fn a_file_of_a_newer_keelson_is_refused_with_the_way_out() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("keelson.db");
    SqliteStore::open(&path).await.unwrap().close().await;
    let mut conn = other_connection(&path).await;
    run(&mut conn, "INSERT INTO schema_meta (version) VALUES (99)").await;
    conn.close().await.unwrap();
    let refused = SqliteStore::open(&path).await.unwrap_err();
    assert_eq!(refused.category(), "schema");
    assert!(refused.to_string().contains("run the newer keelson"), "{refused}");
}

#[tokio::test]
async fn the_first_schema_is_brought_up_to_date_with_what_it_holds() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("keelson.db");
    let mut conn = other_connection(&path).await;
    run(&mut conn, include_str!("../migrations/sqlite/0001_start.sql")).await;
    run(&mut conn, "CREATE TABLE schema_meta (version INTEGER NOT NULL) STRICT; INSERT INTO schema_meta VALUES (1)")
        .await;
    for statement in flood::rows("scheduling", 7, BLOB) {
        run(&mut conn, &statement).await;
    }
    conn.close().await.unwrap();
    let store = SqliteStore::open(&path).await.unwrap();
    let three = Retention { per_feature: Quota { decisions: 3, bytes: 1 << 30 }, ..Retention::default() };
    assert_eq!(store.sweep(Timestamp(0), &three).await.unwrap().by_quota, 4);
}

#[tokio::test]
async fn what_is_older_than_an_index_is_found_as_what_is_newer() {
    let dir = tempfile::tempdir().unwrap();
    let (new, old) = (dir.path().join("new.db"), dir.path().join("old.db"));
    let store = SqliteStore::open(&new).await.unwrap();
    questions::fill(&store).await;
    store.close().await;
    let mut conn = other_connection(&old).await;
    for schema in [
        include_str!("../migrations/sqlite/0001_start.sql"),
        include_str!("../migrations/sqlite/0002_quotas.sql"),
        include_str!("../migrations/sqlite/0003_about.sql"),
        include_str!("../migrations/sqlite/0004_filters.sql"),
    ] {
        run(&mut conn, schema).await;
    }
    run(&mut conn, "CREATE TABLE schema_meta (version INTEGER NOT NULL) STRICT; INSERT INTO schema_meta VALUES (4)")
        .await;
    run(&mut conn, &format!("ATTACH '{}' AS new", new.display())).await;
    run(&mut conn, "INSERT INTO decision SELECT * FROM new.decision; INSERT INTO about SELECT * FROM new.about").await;
    conn.close().await.unwrap();
    assert_eq!(SqliteStore::inspect(&old).await.unwrap().found, 4);
    questions::hold(&SqliteStore::open(&old).await.unwrap()).await;
}

#[tokio::test]
async fn what_is_written_reaches_the_file_though_no_writer_copies_it_there() {
    let dir = tempfile::tempdir().unwrap();
    let (path, copy) = (dir.path().join("keelson.db"), dir.path().join("copy.db"));
    let store = SqliteStore::open(&path).await.unwrap();
    store.record(&[decision(1, "a")]).await.unwrap();
    let is_there = async || {
        // Without the write-ahead log; caught in the middle of a copy, it may be no database at all.
        std::fs::copy(&path, &copy).unwrap();
        let there = match SqliteStore::open(&copy).await {
            Ok(copied) => copied.decision(id(1)).await.is_ok_and(|found| found.is_some()),
            Err(_) => false,
        };
        for of in ["", "-wal", "-shm"] {
            let _ = std::fs::remove_file(dir.path().join(format!("copy.db{of}")));
        }
        there
    };
    timeout(Duration::from_secs(20), async {
        while !is_there().await {
            sleep(Duration::from_millis(50)).await;
        }
    })
    .await
    .unwrap();
}

#[tokio::test]
async fn the_log_begins_anew_under_a_writer_that_never_rests() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("keelson.db");
    let store = SqliteStore::open(&path).await.unwrap();
    let log = dir.path().join("keelson.db-wal");
    let (mut n, mut longest, mut written) = (0, 0, 0);
    // Three times what a log may take.
    while written < 3 * (64 << 20) {
        let before = std::fs::metadata(&log).unwrap().len();
        store.record(&(1..=500).map(|i| pending(n * 500 + i)).collect::<Vec<_>>()).await.unwrap();
        n += 1;
        written += 500 * 2 * 1_000;
        longest = longest.max(before);
    }
    assert!(longest < 2 * (64 << 20), "{longest} bytes");
}

#[tokio::test]
async fn a_row_that_cannot_be_read_hides_no_other() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("keelson.db");
    let store = Arc::new(SqliteStore::open(&path).await.unwrap());
    let mut led = decision(5, "c");
    led.causes = vec![id(2)];
    store.record(&[decision(1, "a"), decision(2, "b"), decision(3, "c"), decision(4, "d"), led]).await.unwrap();
    let mut conn = other_connection(&path).await;
    run(&mut conn, "UPDATE decision SET body = '{\"verb\": \"Juggle\"}' WHERE name = 'b'").await;

    let recorder =
        Recorder::start(store.clone(), Journal::in_memory(JournalOptions::default()), Arc::new(|| Timestamp(1)), RING);
    let mut filter = Filter { limit: 2, ..Filter::default() };
    let mut pages = Vec::new();
    loop {
        let page = recorder.decisions(&filter).await.value;
        pages.push(page.decisions.iter().map(|d| d.id.0.as_u128()).collect::<Vec<_>>());
        match page.next {
            Some(next) => filter.before = Some(next),
            None => break,
        }
    }
    assert_eq!(pages, [vec![5, 4], vec![3], vec![1]]);
    assert_eq!(recorder.health().unreadable, (1, Some(id(2))), "it is named, and counted once");

    store.record(&[decision(6, "b")]).await.unwrap();
    assert!(store.decision(id(6)).await.unwrap().is_some(), "nothing folds into it");
    let none = Retention { per_feature: Quota { decisions: 0, bytes: 0 }, ..Retention::default() };
    store.sweep(Timestamp(0), &none).await.unwrap();
    assert_eq!(store.decisions(&Filter::default()).await.unwrap().decisions, [], "and it is swept like any other");
}

#[tokio::test]
async fn of_two_writers_of_one_state_exactly_one_wins() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("keelson.db");
    let (a, b) = (SqliteStore::open(&path).await.unwrap(), SqliteStore::open(&path).await.unwrap());
    let (x, y) = tokio::join!(
        a.state_put(Feature::Scheduling, "k", 0, 1, b"a"),
        b.state_put(Feature::Scheduling, "k", 0, 1, b"b"),
    );
    assert!(x.is_ok() != y.is_ok(), "{x:?} {y:?}");
}

#[tokio::test]
async fn a_flood_of_one_feature_evicts_nothing_of_another() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("keelson.db");
    let store = SqliteStore::open(&path).await.unwrap();
    store.record(&(1..=5).map(|n| decision(n, &format!("p{n}"))).collect::<Vec<_>>()).await.unwrap();
    let mut conn = other_connection(&path).await;
    for statement in flood::rows("other", 30, BLOB) {
        run(&mut conn, &statement).await;
    }
    flood::is_swept_alone(&store).await;
}

#[tokio::test]
async fn a_sweep_gives_space_back() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("keelson.db");
    let store = SqliteStore::open(&path).await.unwrap();
    for batch in 0..5 {
        let rows: Vec<_> = (1..=500).map(|n| pending(batch * 500 + n)).collect();
        store.record(&rows).await.unwrap();
    }
    let mut conn = other_connection(&path).await;
    let mut pages = async || -> i64 { sqlx::query_scalar("PRAGMA page_count").fetch_one(&mut conn).await.unwrap() };
    let before = pages().await;
    while store.sweep(Timestamp(i64::MAX), &Retention::default()).await.unwrap().is_partial() {}
    let after = pages().await;
    assert!(after < before / 2, "{before} pages, then {after}");
}

#[tokio::test]
async fn nothing_is_lost_or_doubled_while_another_process_holds_the_file() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("keelson.db");
    let store = Arc::new(SqliteStore::open(&path).await.unwrap());
    let journal = Journal::open(&dir.path().join("journal"), JournalOptions::default()).unwrap();
    let recorder = Recorder::start(store.clone(), journal, Arc::new(|| Timestamp(1)), RING);
    let mut holder = other_connection(&path).await;
    run(&mut holder, "BEGIN IMMEDIATE").await;
    let mut n = 0;
    while !matches!(recorder.health().store, Reach::AwaySince(_)) || n < 200 {
        n += 2;
        recorder.offer(decision(n - 1, "steady"));
        recorder.begin(pending(n), None).await.unwrap();
        recorder.finish(id(u128::from(n)), Outcome::Done, Vec::new());
        sleep(Duration::from_millis(5)).await;
    }
    run(&mut holder, "ROLLBACK").await;
    timeout(Duration::from_secs(20), async {
        while recorder.health().pending > 0 {
            sleep(Duration::from_millis(20)).await;
        }
    })
    .await
    .unwrap();
    let done = Filter { outcome: Some(Outcome::Done), ..Filter::default() };
    let done = store.export(&done, &mut Vec::new()).await.unwrap();
    let steady = store.decision(id(1)).await.unwrap().unwrap();
    assert_eq!((done, steady.count, recorder.health().dropped), (u64::from(n / 2), n / 2, 0));
    recorder.close(Duration::from_secs(5)).await;
}
