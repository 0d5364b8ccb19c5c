//! A disk that is full, of the database and of the journal: what is acknowledged stays, what finds no room is counted or
//! refused as `store.onFull` says, readers are served and told, and room mends everything without anybody's help.
//!
//! The disks are small file systems in memory that only this process sees.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use keelson_core::Timestamp;
use keelson_core::decision::Outcome;
use keelson_store::reach::Reach;
use keelson_store::recorder::RING;
use keelson_store::writer::QUEUE;
use keelson_store::{Filter, Journal, JournalOptions, OnFull, Recorder, SqliteStore, Store};
use sqlx::Connection;
use tokio::time::{sleep, timeout};

#[path = "support/again.rs"]
mod again;
#[path = "support/decisions.rs"]
mod decisions;
#[path = "support/flaky.rs"]
mod flaky;

use again::{given_dir, with_mounts};
use decisions::{decision, id, pending};
use flaky::Flaky;

const SOON: Duration = Duration::from_secs(30);

async fn until(what: &str, mut reached: impl FnMut() -> bool) {
    let waiting = async {
        while !reached() {
            sleep(Duration::from_millis(10)).await;
        }
    };
    timeout(SOON, waiting).await.unwrap_or_else(|_| panic!("not within {SOON:?}: {what}"));
}

/// Takes room on a disk until it is removed.
fn fill(path: &Path, bytes: usize) {
    std::fs::write(path, vec![0; bytes]).unwrap();
}

async fn keep(recorder: &Recorder, n: u32) {
    recorder.begin(pending(n), Some(vec![7; 2_000])).await.unwrap();
    recorder.finish(id(u128::from(n)), Outcome::Done, Vec::new());
}

#[tokio::test]
async fn a_full_disk_of_the_database_costs_nothing_that_acts_and_heals_with_room() {
    let Some(dir) = given_dir() else {
        let dir = tempfile::tempdir().unwrap();
        let name = "a_full_disk_of_the_database_costs_nothing_that_acts_and_heals_with_room";
        return with_mounts(name, dir.path(), "mkdir small && mount -t tmpfs -o size=48m none small");
    };
    let (ballast, path) = (dir.join("small/ballast"), dir.join("small/keelson.db"));
    fill(&ballast, 45 << 20);
    let store = Arc::new(SqliteStore::open(&path).await.unwrap());
    let options = JournalOptions { on_full: OnFull::Hold, ..JournalOptions::default() };
    let journal = Journal::open(&dir.join("journal"), options).unwrap();
    let recorder = Recorder::start(store.clone(), journal, Arc::new(|| Timestamp(1)), RING);
    let mut n = 0;
    while !matches!(recorder.health().store, Reach::AwaySince(_)) {
        n += 1;
        assert!(n < 5_000, "the disk never fills");
        keep(&recorder, n).await;
        if n % 20 == 0 {
            sleep(Duration::from_millis(5)).await;
        }
    }
    let full_at = n;
    while n < full_at + 100 {
        n += 1;
        keep(&recorder, n).await;
    }
    let why = recorder.why_away().unwrap();
    assert!(why.contains("no space left") && why.contains("make the volume larger"), "{why}");
    assert_eq!(recorder.health().dropped, 0);
    for offered in 0..u32::try_from(QUEUE).unwrap() + 1_000 {
        recorder.offer(decision(1_000_000 + offered, &format!("q{offered}")));
    }
    let (dropped, newest) = (recorder.health().dropped, Filter { limit: 3, ..Filter::default() });
    assert!((700..=1_000).contains(&dropped), "what finds no room in the queue is counted: {dropped}");

    // A page is served all the while, with what waits, and reading does not pass for recovery.
    let acted = Filter { kind: Some("Pod".to_owned()), outcome: Some(Outcome::Done), ..newest };
    let page = recorder.decisions(&acted).await;
    assert_eq!(
        page.value.decisions.iter().map(|row| row.id).collect::<Vec<_>>(),
        [n, n - 1, n - 2].map(|n| id(n.into()))
    );
    assert!(matches!(recorder.health().store, Reach::AwaySince(_)));

    std::fs::remove_file(ballast).unwrap();
    until("everything that waits is taken", || recorder.health().pending == 0).await;
    let health = recorder.health();
    assert_eq!((health.store, recorder.why_away()), (Reach::Since(Timestamp(1)), None));
    assert_eq!((health.dropped, health.journal.orphans), (dropped, 0), "nothing more was lost");
    for n in 1..=n {
        let row = store.decision(id(n.into())).await.unwrap().unwrap_or_else(|| panic!("{n} is gone"));
        assert_eq!(row.outcome, Outcome::Done);
        assert!(store.recording(row.id).await.unwrap().is_some());
    }
    recorder.close(SOON).await;
    store.close().await;
    let mut conn = sqlx::SqliteConnection::connect(path.to_str().unwrap()).await.unwrap();
    let whole: Vec<String> = sqlx::query_scalar("PRAGMA integrity_check").fetch_all(&mut conn).await.unwrap();
    assert_eq!(whole, ["ok"]);
}

#[tokio::test]
async fn a_full_disk_of_the_journal_holds_or_acts_as_it_is_told_and_says_so() {
    let Some(dir) = given_dir() else {
        let dir = tempfile::tempdir().unwrap();
        let name = "a_full_disk_of_the_journal_holds_or_acts_as_it_is_told_and_says_so";
        let mounts = "mkdir hold act && mount -t tmpfs -o size=512k none hold && mount -t tmpfs -o size=512k none act";
        return with_mounts(name, dir.path(), mounts);
    };
    let begin = |name: &str, on_full| {
        let journal =
            Journal::open(&dir.join(name).join("journal"), JournalOptions { on_full, ..JournalOptions::default() });
        let store = Arc::new(Flaky::default());
        store.set_away(true);
        (store.clone(), Recorder::start(store, journal.unwrap(), Arc::new(|| Timestamp(1)), RING))
    };
    let seen = || Some(vec![7; 20_000]);

    let (store, hold) = begin("hold", OnFull::Hold);
    let mut kept = 0;
    let refused = loop {
        match hold.begin(pending(kept + 1), seen()).await {
            Ok(()) => kept += 1,
            Err(refused) => break refused,
        }
    };
    assert_eq!(refused.category(), "disk_full");
    assert_eq!(hold.journal_trouble(), Some(refused));
    assert_eq!(hold.decision(id(u128::from(kept) + 1)).await.value, None, "what is held was not decided");
    // The database comes back, takes what waits, and that makes room.
    store.set_away(false);
    until("the journal is drained", || hold.health().pending == 0).await;
    hold.begin(pending(kept + 2), seen()).await.unwrap();
    assert_eq!((hold.journal_trouble(), hold.health().dropped), (None, 0));
    for n in 1..=kept {
        assert!(store.inner.decision(id(n.into())).await.unwrap().is_some(), "{n} was acknowledged");
    }

    let (store, act) = begin("act", OnFull::Act);
    let mut n = 0;
    while act.journal_trouble().is_none() {
        n += 1;
        act.begin(pending(n), seen()).await.unwrap();
    }
    n += 1;
    act.begin(pending(n), seen()).await.unwrap();
    act.finish(id(n.into()), Outcome::Done, Vec::new());
    assert_eq!(act.health().dropped, 2, "what two of them saw is lost, and counted");
    store.set_away(false);
    until("everything that waits is taken", || act.health().pending == 0).await;
    for n in 1..=n {
        assert!(store.inner.decision(id(n.into())).await.unwrap().is_some(), "{n} acted and is remembered");
    }
    assert_eq!(store.inner.decision(id(n.into())).await.unwrap().unwrap().outcome, Outcome::Done);
}
