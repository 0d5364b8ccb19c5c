//! `kill -9` in the middle of a batch, at seeded moments of one database's many lives: the file is whole, every decision
//! with actions that was acknowledged is there once, the counts that retention goes by are right, and the state is of the
//! write that was told.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, clippy::disallowed_methods)]

use std::path::Path;
use std::sync::Arc;

use keelson_store::{Journal, JournalOptions, SqliteStore};
use sqlx::Connection;
use sqlx::sqlite::SqliteConnection;

#[path = "support/again.rs"]
mod again;
#[path = "support/decisions.rs"]
mod decisions;
#[path = "support/life.rs"]
mod life;

use again::{given_dir, myself};
use life::{BOOKS, Told, check, kill_after, moment, write_for_ever};

const LIVES: u64 = 24;
const FIRST: &str = "KEELSON_TEST_FIRST";
const NAME: &str = "a_killed_process_leaves_every_acknowledged_decision_exactly_once";

async fn open(dir: &Path) -> (Arc<SqliteStore>, Journal) {
    let store = SqliteStore::open(&dir.join("keelson.db")).await.unwrap();
    (Arc::new(store), Journal::open(&dir.join("journal"), JournalOptions::default()).unwrap())
}

async fn is_whole(dir: &Path) {
    let mut conn = SqliteConnection::connect(dir.join("keelson.db").to_str().unwrap()).await.unwrap();
    let found: Vec<String> = sqlx::query_scalar("PRAGMA integrity_check").fetch_all(&mut conn).await.unwrap();
    assert_eq!(found, ["ok"]);
    for wrong in BOOKS {
        let count: i64 = sqlx::query_scalar(wrong).fetch_one(&mut conn).await.unwrap();
        assert_eq!(count, 0, "{wrong}");
    }
    conn.close().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_killed_process_leaves_every_acknowledged_decision_exactly_once() {
    if let Some(dir) = given_dir() {
        let first: u32 = std::env::var(FIRST).unwrap().parse().unwrap();
        let (store, journal) = open(&dir).await;
        return write_for_ever(store, journal, first, u64::from(first)).await;
    }
    let dir = tempfile::tempdir().unwrap();
    let mut told = Told::default();
    for seed in 1..=LIVES {
        let (after, later) = moment(seed);
        let mut child = myself(NAME, dir.path());
        child.env(FIRST, told.next().to_string());
        kill_after(child, after, later, &mut told);
        is_whole(dir.path()).await;
        // Every third process finds what several left.
        if seed % 3 == 0 || seed == LIVES {
            let (store, journal) = open(dir.path()).await;
            check(store.clone(), journal, &told).await;
            store.close().await;
            is_whole(dir.path()).await;
        }
    }
    println!("{} decisions acknowledged in {} lives", told.begun.len(), told.lives);
    assert!(told.begun.len() > 500 && told.state.0 > 100, "{told:?}");
}
