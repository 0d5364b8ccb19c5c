//! A database server that is restarted, that fails over to its standby, that a pooler stands before, and that outlives the
//! processes that write to it: nothing acknowledged is lost, nothing is doubled, and whoever follows goes on.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, clippy::disallowed_methods)]

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use keelson_core::Timestamp;
use keelson_core::decision::Outcome;
use keelson_store::reach::Reach;
use keelson_store::recorder::RING;
use keelson_store::{
    Change, Filter, Journal, JournalOptions, OnFull, POLL, PostgresStore, Recorder, Servers, Store, StoreError,
};
use sqlx::Connection;
use sqlx::postgres::{PgConnectOptions, PgConnection};
use tokio::time::{Instant, sleep, timeout};

#[path = "support/again.rs"]
mod again;
#[path = "support/decisions.rs"]
mod decisions;
#[path = "support/life.rs"]
mod life;
#[path = "support/pooler.rs"]
mod pooler;
#[path = "support/postgres.rs"]
mod postgres;

use again::{given_dir, myself};
use decisions::{decision, id, pending};
use life::{BOOKS, Told, check, kill_after, moment, write_for_ever};
use pooler::Pooler;
use postgres::Server;

const SOON: Duration = Duration::from_secs(30);
const HOLD: JournalOptions = JournalOptions { bound: 64 << 20, on_full: OnFull::Hold };

async fn books_are_right(options: &PgConnectOptions) {
    let mut conn = PgConnection::connect_with(options).await.unwrap();
    for wrong in BOOKS {
        let count: i64 = sqlx::query_scalar(wrong).fetch_one(&mut conn).await.unwrap();
        assert_eq!(count, 0, "{wrong}");
    }
    conn.close().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_killed_process_leaves_every_acknowledged_decision_exactly_once() {
    const NAME: &str = "a_killed_process_leaves_every_acknowledged_decision_exactly_once";
    let options = |socket: PathBuf| PgConnectOptions::new().socket(socket).username("postgres").database("killed");
    if let Some(dir) = given_dir() {
        let first: u32 = std::env::var("KEELSON_TEST_FIRST").unwrap().parse().unwrap();
        let socket = std::env::var("KEELSON_TEST_SOCKET").unwrap();
        let store = PostgresStore::connect(options(socket.into())).await.unwrap();
        let journal = Journal::open(&dir.join("journal"), HOLD).unwrap();
        return write_for_ever(Arc::new(store), journal, first, u64::from(first)).await;
    }
    let server = Server::start();
    let store = Arc::new(server.store("killed").await);
    let dir = tempfile::tempdir().unwrap();
    let mut told = Told::default();
    for seed in 101..=121 {
        let (after, later) = moment(seed);
        let mut child = myself(NAME, dir.path());
        child.env("KEELSON_TEST_FIRST", told.next().to_string()).env("KEELSON_TEST_SOCKET", server.socket());
        kill_after(child, after, later, &mut told);
        if seed % 3 == 0 || seed == 121 {
            // The server may still be busy with what the killed process sent; a writer's lock waits for that.
            check(store.clone(), Journal::open(&dir.path().join("journal"), HOLD).unwrap(), &told).await;
            books_are_right(&server.options("killed")).await;
        }
    }
    println!("{} decisions acknowledged in {} lives", told.begun.len(), told.lives);
    assert!(told.begun.len() > 500 && told.state.0 > 80, "{told:?}");
}

/// Remembers a decision with actions and one without.
async fn keep(recorder: &Recorder, n: u32) {
    recorder.begin(pending(n), Some(vec![1, 2, 3])).await.unwrap();
    recorder.finish(id(n.into()), Outcome::Done, Vec::new());
    recorder.offer(decision(100_000 + n, "steady"));
}

/// Waits until nothing waits, then looks whether all of `1..=last` is there once.
async fn all_are_kept(recorder: &Recorder, store: &PostgresStore, last: u32) {
    let drained = async {
        while recorder.health().pending > 0 {
            sleep(Duration::from_millis(20)).await;
        }
    };
    timeout(SOON, drained).await.expect("everything that waits is taken");
    assert_eq!((recorder.health().dropped, recorder.health().journal.orphans), (0, 0));
    let mut filter = Filter { outcome: Some(Outcome::Done), limit: 500, ..Filter::default() };
    let mut done = BTreeSet::new();
    loop {
        let page = store.decisions(&filter).await.unwrap();
        done.extend(page.decisions.iter().map(|row| row.id));
        filter.before = page.next;
        if page.next.is_none() {
            break;
        }
    }
    assert_eq!(done, (1..=last).map(|n| id(n.into())).collect());
    let steady = store.decision(id(100_001)).await.unwrap().unwrap();
    assert_eq!(steady.count, last, "every repeat is counted once");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_is_lost_or_doubled_while_the_server_is_restarted() {
    let server = Server::start();
    let store = Arc::new(server.store("restarted").await);
    let dir = tempfile::tempdir().unwrap();
    let journal = Journal::open(dir.path(), HOLD).unwrap();
    let recorder = Recorder::start(store.clone(), journal, Arc::new(|| Timestamp(1)), RING);
    for n in 1..=300 {
        keep(&recorder, n).await;
        sleep(Duration::from_millis(2)).await;
        if n % 100 == 0 {
            tokio::task::block_in_place(|| server.restart());
        }
    }
    all_are_kept(&recorder, &store, 300).await;
    recorder.close(SOON).await;
    books_are_right(&server.options("restarted")).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_failover_to_the_standby_loses_and_doubles_nothing_for_who_writes_and_who_follows() {
    let primary = Server::start();
    primary.store("failover").await.close().await;
    let standby = primary.standby().await;
    // The standby is named first: it is asked, and not chosen.
    let both = format!(
        "postgres://postgres@localhost/failover?host={},{}&target_session_attrs=read-write",
        standby.socket().display(),
        primary.socket().display()
    );
    let both: Servers = both.parse().unwrap();
    let store = Arc::new(PostgresStore::connect(both.clone()).await.unwrap());
    let dir = tempfile::tempdir().unwrap();
    let journal = Journal::open(dir.path(), HOLD).unwrap();
    let recorder = Recorder::start(store.clone(), journal, Arc::new(|| Timestamp(1)), RING);

    // A page of its own: it never writes, and hears of the failover by losing its connection.
    let (reading, journal) = (PostgresStore::connect(both).await.unwrap(), Journal::in_memory(HOLD));
    let mut changes = reading.changes(POLL).await.unwrap();
    let page = Recorder::start(Arc::new(reading.clone()), journal, Arc::new(|| Timestamp(1)), RING);
    let before = page.seq();
    // It was told of changes that it has not read when the server goes.
    for n in 1..=20 {
        keep(&recorder, n).await;
    }
    all_are_kept(&recorder, &store, 20).await;
    assert!(timeout(SOON, changes.next()).await.unwrap().is_some());
    let mut changes = Some(changes);

    let mut away = Duration::ZERO;
    for n in 21..=400 {
        match n {
            150 => {
                tokio::task::block_in_place(|| primary.crash());
                let (page, changes) = (page.clone(), changes.take().unwrap());
                tokio::spawn(async move { page.follow(changes).await });
            }
            250 => {
                assert!(matches!(recorder.health().store, Reach::AwaySince(_)), "{:?}", recorder.health());
                assert!(recorder.decisions(&Filter::default()).await.partial.is_some());
                tokio::task::block_in_place(|| standby.promote());
                let promoted = Instant::now();
                while !matches!(recorder.health().store, Reach::Since(_)) {
                    assert!(promoted.elapsed() < SOON, "{:?}", recorder.why_away());
                    sleep(Duration::from_millis(10)).await;
                }
                away = promoted.elapsed();
            }
            _ => {}
        }
        keep(&recorder, n).await;
        sleep(Duration::from_millis(20)).await;
    }
    println!("written to again {away:?} after the promotion");
    all_are_kept(&recorder, &store, 400).await;
    let hears = async {
        while !page.since(before).unwrap().iter().any(|change| Change::id(change) == id(400)) {
            sleep(Duration::from_millis(20)).await;
        }
    };
    timeout(SOON, hears).await.expect("the page goes on hearing");
    assert_eq!(page.decision(id(400)).await.partial, None);
    recorder.close(SOON).await;
    page.close(SOON).await;
    books_are_right(&standby.options("failover")).await;
}

#[tokio::test]
async fn a_standby_alone_is_refused_in_words_that_help() {
    let primary = Server::start();
    primary.store("alone").await.close().await;
    let standby = primary.standby().await;
    let refused = PostgresStore::connect(standby.options("alone")).await.unwrap_err();
    assert!(matches!(refused, StoreError::Standby), "{refused}");
    assert!(refused.to_string().contains("HOST1,HOST2"), "{refused}");
    assert!(!refused.is_refusal(), "it may be promoted: what waits goes on waiting");
}

#[tokio::test]
async fn a_pooler_that_loses_notifications_costs_no_more_than_the_poll() {
    const EVERY: Duration = Duration::from_millis(400);
    let server = Server::start();
    let store = server.store("pooled").await;
    let pooler = Pooler::before(&server);
    let behind = PostgresStore::connect(pooler.options("pooled")).await.unwrap();
    let mut changes = behind.changes(EVERY).await.unwrap();
    for n in 1..=8 {
        store.record(&[decision(n, &format!("p{n}"))]).await.unwrap();
        let written = Instant::now();
        assert_eq!(timeout(SOON, changes.next()).await.unwrap(), Some(id(n.into())));
        // A machine that is busy may take its time; a look that never came would take for ever.
        assert!(written.elapsed() < EVERY * 5, "told after {:?}", written.elapsed());
    }
    // The first change may have come before anybody listened.
    assert!(pooler.swallowed() >= 6, "the server did notify, and nobody heard");
    assert!(POLL <= Duration::from_secs(5), "the page is late by no more than this");
}
