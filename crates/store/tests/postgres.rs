//! What only a server can get wrong: lost notifications, broken connections, and being away.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use std::sync::Arc;
use std::time::Duration;

use keelson_core::Timestamp;
use keelson_core::decision::Outcome;
use keelson_store::reach::Reach;
use keelson_store::recorder::RING;
use keelson_store::{
    Change, Filter, Journal, JournalOptions, MAX_PAGE, OnFull, POLL, PostgresStore, Quota, Recorder, Retention,
    SqliteStore, Store,
};
use sqlx::Connection;
use tokio::sync::broadcast::Receiver;
use tokio::time::{sleep, timeout};

#[path = "support/decisions.rs"]
mod decisions;
#[path = "support/flood.rs"]
mod flood;
#[path = "support/postgres.rs"]
mod postgres;
#[path = "support/questions.rs"]
mod questions;

use decisions::{decision, id, pending};

const SOON: Duration = Duration::from_secs(20);

#[tokio::test]
async fn listeners_are_told_every_change_in_order_and_at_once() {
    let server = postgres::Server::start();
    let store = server.store("listen").await;
    store.record(&[decision(1, "before")]).await.unwrap();
    // With a poll this slow only a notification can be in time.
    let mut changes = store.changes(Duration::from_secs(3_600)).await.unwrap();
    let mut next = async || timeout(SOON, changes.next()).await.unwrap();
    store.record(&[decision(7, "a")]).await.unwrap();
    assert_eq!(next().await, Some(id(7)));
    store.record(&[decision(8, "a")]).await.unwrap();
    assert_eq!(next().await, Some(id(7)), "a repeat names the row it was folded into");
    store.set_outcome(id(1), Outcome::Done, Vec::new()).await.unwrap();
    assert_eq!(next().await, Some(id(1)));

    let many: Vec<_> = (1_000..2_200).map(|n| decision(n, &format!("p{n}"))).collect();
    store.record(&many).await.unwrap();
    for d in &many {
        assert_eq!(next().await, Some(d.id));
    }
    timeout(SOON, store.close()).await.expect("closing does not wait for listeners");
    assert_eq!(next().await, None);
}

#[tokio::test]
async fn a_server_that_gives_no_trigrams_answers_the_same_and_it_is_said_why_it_is_slow() {
    let server = postgres::Server::start();
    server.run_sql("postgres", "CREATE DATABASE small").await;
    server.run_sql("postgres", "CREATE ROLE plain LOGIN").await;
    server.run_sql("small", "GRANT CREATE ON SCHEMA public TO plain").await;
    let store = PostgresStore::connect(server.options("small").username("plain")).await.unwrap();
    let why = store.shortcoming().unwrap();
    assert!(why.contains("permission denied") && why.contains("CREATE EXTENSION pg_trgm"), "{why}");
    questions::fill(&store).await;
    questions::hold(&store).await;
    store.close().await;
    // As it is told to.
    server.run_sql("small", "CREATE EXTENSION pg_trgm").await;
    let store = PostgresStore::connect(server.options("small").username("plain")).await.unwrap();
    assert_eq!(store.shortcoming(), None);
    questions::hold(&store).await;
}

#[tokio::test]
async fn what_is_older_than_an_index_is_found_as_what_is_newer() {
    let server = postgres::Server::start();
    let store = server.store("old").await;
    questions::fill(&store).await;
    store.close().await;
    let back = "DROP TRIGGER decision_drifted ON decision; DROP FUNCTION decision_drifted, decision_millis; DROP TABLE drift; \
        DROP INDEX decision_repeated, decision_search; DELETE FROM schema_meta WHERE version = 5";
    server.run_sql("old", back).await;
    let store = PostgresStore::connect(server.options("old")).await.unwrap();
    assert_eq!(store.shortcoming(), None);
    questions::hold(&store).await;
}

#[tokio::test]
async fn a_lost_notification_is_seen_at_the_next_look() {
    let server = postgres::Server::start();
    let store = server.store("poll").await;
    server.run_sql("poll", "DROP TRIGGER decision_told ON decision").await;
    let mut changes = store.changes(Duration::from_millis(200)).await.unwrap();
    store.record(&[decision(7, "a")]).await.unwrap();
    assert_eq!(timeout(SOON, changes.next()).await.unwrap(), Some(id(7)));
    store.record(&[decision(9, "b")]).await.unwrap();
    assert_eq!(timeout(SOON, changes.next()).await.unwrap(), Some(id(9)));
}

#[tokio::test]
async fn a_listener_outlives_a_crash_of_the_server() {
    let server = postgres::Server::start();
    let store = server.store("crash").await;
    let mut changes = store.changes(POLL).await.unwrap();
    store.record(&[decision(1, "a")]).await.unwrap();
    assert_eq!(timeout(SOON, changes.next()).await.unwrap(), Some(id(1)));
    let follower = tokio::spawn(async move { (changes.next().await, changes.next().await) });
    server.crash();
    sleep(Duration::from_millis(300)).await;
    server.go_on();
    // The pool needs a moment to notice that its connections are dead.
    for n in [2, 3] {
        timeout(SOON, async { while store.record(&[decision(n, &format!("p{n}"))]).await.is_err() {} }).await.unwrap();
    }
    assert_eq!(timeout(SOON, follower).await.unwrap().unwrap(), (Some(id(2)), Some(id(3))));
}

#[tokio::test]
async fn nothing_is_lost_or_doubled_while_the_server_is_away() {
    let server = postgres::Server::start();
    let store = Arc::new(server.store("away").await);
    let dir = tempfile::tempdir().unwrap();
    let options = JournalOptions { on_full: OnFull::Hold, ..JournalOptions::default() };
    let journal = Journal::open(dir.path(), options).unwrap();
    let recorder = Recorder::start(store.clone(), journal, Arc::new(|| Timestamp(1)), RING);
    for n in 1..=600_u32 {
        match n {
            200 | 400 => server.crash(),
            300 | 500 => server.go_on(),
            _ => {}
        }
        if n % 2 == 0 {
            recorder.begin(pending(n), Some(vec![1, 2, 3])).await.unwrap();
            recorder.finish(id(u128::from(n)), Outcome::Done, Vec::new());
        } else {
            recorder.offer(decision(n, if n % 4 == 1 { "steady" } else { "other" }));
        }
        sleep(Duration::from_millis(2)).await;
        if n == 250 || n == 450 {
            let away = recorder.decisions(&Filter::default()).await;
            assert!(away.partial.is_some() && away.value.decisions.len() == 100, "{:?}", away.partial);
        }
    }
    timeout(SOON, async {
        while recorder.health().pending > 0 {
            sleep(Duration::from_millis(20)).await;
        }
    })
    .await
    .unwrap();
    assert_eq!((recorder.health().dropped, recorder.health().journal.orphans), (0, 0));
    let rows = store.decisions(&Filter { limit: MAX_PAGE, ..Filter::default() }).await.unwrap().decisions;
    let done: Vec<_> = rows.iter().filter(|d| d.outcome == Outcome::Done).collect();
    let repeats: u32 = rows.iter().filter(|d| d.outcome == Outcome::NoAction).map(|d| d.count).sum();
    assert_eq!((done.len(), repeats), (300, 300));
    for d in done {
        assert!(store.recording(d.id).await.unwrap().is_some());
    }
    recorder.close(SOON).await;
    store.close().await;
}

#[tokio::test]
async fn what_the_server_refuses_holds_nothing_else_up() {
    let server = postgres::Server::start();
    let store = Arc::new(server.store("refused").await);
    let journal = Journal::in_memory(JournalOptions::default());
    let recorder = Recorder::start(store.clone(), journal, Arc::new(|| Timestamp(1)), RING);
    // PostgreSQL takes no NUL in a text, and Kubernetes none in a name.
    let mut bad = [pending(1), decision(2, "b")];
    for decision in &mut bad {
        decision.subject.name = "no\0name".to_owned();
    }
    let [begun, offered] = bad;
    recorder.begin(begun, None).await.unwrap();
    recorder.offer(offered);
    recorder.begin(pending(3), None).await.unwrap();
    recorder.offer(decision(4, "d"));
    timeout(SOON, async {
        while recorder.health().pending > 0 {
            sleep(Duration::from_millis(20)).await
        }
    })
    .await
    .unwrap();
    let rows = store.decisions(&Filter::default()).await.unwrap().decisions;
    assert_eq!(rows.iter().map(|d| d.id).collect::<Vec<_>>(), [id(4), id(3)]);
    assert_eq!((recorder.health().dropped, recorder.health().store), (2, Reach::Since(Timestamp(1))));
}

#[tokio::test]
async fn both_schemas_have_the_same_columns() {
    let server = postgres::Server::start();
    let store = server.store("columns").await;
    let mut conn = sqlx::PgConnection::connect_with(&server.options("columns")).await.unwrap();
    let theirs =
        "SELECT table_name || '.' || column_name FROM information_schema.columns WHERE table_schema = 'public'";
    let mut theirs: Vec<String> = sqlx::query_scalar(theirs).fetch_all(&mut conn).await.unwrap();
    // SQLite has one process, and nobody to tell.
    theirs.retain(|column| column != "decision.revision");
    store.close().await;

    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("keelson.db");
    SqliteStore::open(&path).await.unwrap().close().await;
    let mut conn = sqlx::SqliteConnection::connect(path.to_str().unwrap()).await.unwrap();
    let ours =
        "SELECT t.name || '.' || c.name FROM sqlite_schema t, pragma_table_info(t.name) c WHERE t.type = 'table'";
    let mut ours: Vec<String> = sqlx::query_scalar(ours).fetch_all(&mut conn).await.unwrap();
    // PostgreSQL has an index for texts that needs no tables of ours.
    let texts = ["text.", "part.", "gram", "sqlite_sequence."];
    ours.retain(|column| !texts.iter().any(|of| column.starts_with(of)));
    ours.sort();
    theirs.sort();
    assert_eq!(ours, theirs);
}

#[tokio::test]
async fn a_standby_announces_what_the_leader_decides() {
    let server = postgres::Server::start();
    let store = Arc::new(server.store("standby").await);
    let start = || {
        let journal = Journal::in_memory(JournalOptions::default());
        Recorder::start(store.clone(), journal, Arc::new(|| Timestamp(1)), RING)
    };
    let (leader, standby) = (start(), start());
    let (mut at_leader, mut at_standby) = (leader.subscribe(), standby.subscribe());
    for recorder in [&leader, &standby] {
        let (recorder, changes) = (recorder.clone(), store.changes(POLL).await.unwrap());
        tokio::spawn(async move { recorder.follow(changes).await });
    }
    leader.begin(pending(1), None).await.unwrap();
    leader.finish(id(1), Outcome::Done, Vec::new());
    let heard = async |changes: &mut Receiver<Change>, id| loop {
        match timeout(SOON, changes.recv()).await.unwrap().unwrap() {
            Change::Recorded { decision, .. } if decision.id == id => return decision,
            _ => {}
        }
    };
    while heard(&mut at_standby, id(1)).await.outcome != Outcome::Done {}
    standby.begin(pending(2), None).await.unwrap();
    heard(&mut at_leader, id(2)).await;
    let told: Vec<_> = leader.since(1).unwrap().iter().map(Change::id).collect();
    assert_eq!(told, [id(1), id(1), id(2)], "its own are not announced to it again");
    store.close().await;
}

#[tokio::test]
async fn a_database_of_a_newer_keelson_is_refused() {
    let server = postgres::Server::start();
    let store = server.store("newer").await;
    store.close().await;
    server.run_sql("newer", "INSERT INTO schema_meta (version) VALUES (99)").await;
    let refused = PostgresStore::connect(server.options("newer")).await.unwrap_err();
    assert_eq!(refused.category(), "schema");
}

#[tokio::test]
async fn the_first_schema_is_brought_up_to_date_with_what_it_holds() {
    let server = postgres::Server::start();
    server.run_sql("postgres", "CREATE DATABASE old").await;
    server.run_sql("old", include_str!("../migrations/postgres/0001_start.sql")).await;
    server
        .run_sql("old", "CREATE TABLE schema_meta (version BIGINT NOT NULL); INSERT INTO schema_meta VALUES (1)")
        .await;
    for statement in flood::rows("scheduling", 7, "decode(lpad('{n}', 32, '0'), 'hex')") {
        server.run_sql("old", &statement).await;
    }
    let store = PostgresStore::connect(server.options("old")).await.unwrap();
    let three = Retention { per_feature: Quota { decisions: 3, bytes: 1 << 30 }, ..Retention::default() };
    assert_eq!(store.sweep(Timestamp(0), &three).await.unwrap().by_quota, 4);
}

#[tokio::test]
async fn a_flood_of_one_feature_evicts_nothing_of_another() {
    let server = postgres::Server::start();
    let store = server.store("flood").await;
    store.record(&(1..=5).map(|n| decision(n, &format!("p{n}"))).collect::<Vec<_>>()).await.unwrap();
    for statement in flood::rows("other", 30, "decode(lpad('{n}', 32, '0'), 'hex')") {
        server.run_sql("flood", &statement).await;
    }
    flood::is_swept_alone(&store).await;
}
