//! What only a file can get wrong: coming back after a restart, and meeting a schema of the future.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use keelson_core::{Feature, Timestamp};
use keelson_store::{Resolution, SqliteStore, Store};
use sqlx::Connection;
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection};

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
    let mut conn = SqliteConnection::connect_with(&SqliteConnectOptions::new().filename(&path)).await.unwrap();
    sqlx::query("INSERT INTO schema_meta (version) VALUES (99)").execute(&mut conn).await.unwrap();
    conn.close().await.unwrap();
    let refused = SqliteStore::open(&path).await.unwrap_err();
    assert_eq!(refused.category(), "schema");
    assert!(refused.to_string().contains("run the newer keelson"), "{refused}");
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
