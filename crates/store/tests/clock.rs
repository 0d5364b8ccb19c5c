//! A clock that goes backwards: nothing is lost or swept too early, a row's times never run back, and what is counted is
//! counted once.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering::Relaxed};
use std::time::Duration;

use keelson_core::decision::Outcome;
use keelson_core::{Decision, Reason, Span, Timestamp};
use keelson_store::reach::Reach;
use keelson_store::recorder::RING;
use keelson_store::{
    Filter, Journal, JournalOptions, MemoryStore, Recorder, Resolution, Retention, SqliteStore, Store,
};

#[path = "support/decisions.rs"]
mod decisions;

use decisions::{decision, effect, id, pending};

/// Decision `n`, made at second `at` of a clock that may have gone back since.
fn at(n: u32, at: i64, d: Decision) -> Decision {
    Decision { id: id(n.into()), at: Timestamp(at * 1_000_000), last_at: Timestamp(at * 1_000_000), ..d }
}

async fn on_every_store(law: impl AsyncFn(&dyn Store)) {
    law(&MemoryStore::new()).await;
    let dir = tempfile::tempdir().unwrap();
    let sqlite = SqliteStore::open(&dir.path().join("keelson.db")).await.unwrap();
    law(&sqlite).await;
    sqlite.close().await;
}

async fn listed(store: &dyn Store) -> Vec<u128> {
    store.decisions(&Filter::default()).await.unwrap().decisions.iter().map(|row| row.id.0.as_u128()).collect()
}

#[tokio::test]
async fn repeats_fold_and_a_row_never_becomes_younger() {
    on_every_store(async |store| {
        store.record(&[at(1, 5_000, decision(1, "a")), at(2, 5_010, decision(2, "a"))]).await.unwrap();
        // An hour back; ids go on growing within a process.
        store.record(&[at(3, 1_410, decision(3, "a")), at(4, 1_420, decision(4, "a"))]).await.unwrap();
        let row = store.decision(id(1)).await.unwrap().unwrap();
        assert_eq!((row.count, row.at, row.last_at), (4, Timestamp(5_000_000_000), Timestamp(5_010_000_000)));
        let other = Decision { reason: Reason::UnsupportedFeature, ..decision(5, "a") };
        store.record(&[at(5, 1_430, other)]).await.unwrap();
        assert_eq!(listed(store).await, [5, 1], "newest first is the order in which they were made");
    })
    .await;
}

#[tokio::test]
async fn what_acted_before_is_kept_under_an_id_from_the_past() {
    on_every_store(async |store| {
        store.record(&[at(900, 9_000, pending(900))]).await.unwrap();
        // Another process, whose ids begin where its clock is.
        store.record(&[at(300, 3_000, pending(300))]).await.unwrap();
        store.set_outcome(id(300), Outcome::Done, Vec::new()).await.unwrap();
        store.set_effect(id(300), effect("ran")).await.unwrap();
        assert_eq!(listed(store).await, [900, 300]);
        // The same batch again, as after a lost answer.
        store.record(&[at(300, 3_000, pending(300)), at(900, 9_000, pending(900))]).await.unwrap();
        assert_eq!(store.decision(id(300)).await.unwrap().unwrap().outcome, Outcome::Done);
    })
    .await;
}

#[tokio::test]
async fn a_sweep_by_a_clock_that_went_back_deletes_nothing_early() {
    on_every_store(async |store| {
        let minute = Retention { age: Span::seconds(60), ..Retention::default() };
        let sweep = async |second: i64| store.sweep(Timestamp(second * 1_000_000), &minute).await.unwrap().by_age;
        store.record(&[at(1, 1_000, decision(1, "a")), at(2, 1_050, decision(2, "b"))]).await.unwrap();
        assert_eq!(sweep(1_055).await, 0);
        assert_eq!(sweep(0).await, 0, "the beginning of time");
        store.record(&[at(3, 500, decision(3, "c"))]).await.unwrap();
        assert_eq!(sweep(555).await, 0, "what is dated after now is not old");
        assert_eq!(sweep(1_055).await, 1, "and the clock that goes on finds what was made meanwhile");
        assert_eq!(sweep(1_100).await, 1);
        assert_eq!(listed(store).await, [2]);
    })
    .await;
}

#[tokio::test]
async fn a_series_written_twice_over_the_same_hour_keeps_the_later_word() {
    on_every_store(async |store| {
        for (second, value) in [(3_600, 1), (3_610, 2), (3_600, 9)] {
            store.sample("pods", Timestamp(second * 1_000_000), value).await.unwrap();
        }
        let fine = store.samples("pods", Timestamp(0), Resolution::TenSeconds).await.unwrap();
        assert_eq!(fine.iter().map(|step| step.value).collect::<Vec<_>>(), [9, 2]);
        let hours = store.samples("pods", Timestamp(0), Resolution::Hour).await.unwrap();
        assert_eq!(hours.iter().map(|hour| (hour.value, hour.low, hour.high)).collect::<Vec<_>>(), [(5, 2, 9)]);
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn whoever_waits_or_follows_does_not_notice() {
    let (time, store) = (Arc::new(AtomicI64::new(9_000_000_000)), Arc::new(MemoryStore::new()));
    let clock = Arc::clone(&time);
    let journal = Journal::in_memory(JournalOptions::default());
    let recorder = Recorder::start(store.clone(), journal, Arc::new(move || Timestamp(clock.load(Relaxed))), RING);
    let mut live = recorder.subscribe();
    recorder.begin(at(1, 9_000, pending(1)), None).await.unwrap();
    time.store(1_000_000, Relaxed);
    recorder.finish(id(1), Outcome::Done, Vec::new());
    recorder.begin(at(2, 1, pending(2)), None).await.unwrap();
    recorder.offer(at(3, 1, decision(3, "a")));
    let numbers: Vec<u64> = std::iter::from_fn(|| live.try_recv().ok()).map(|change| change.seq()).collect();
    assert!(numbers.windows(2).all(|pair| pair[1] == pair[0] + 1), "{numbers:?}");
    tokio::time::sleep(Duration::from_secs(20)).await;
    assert_eq!(listed(store.as_ref()).await, [3, 2, 1]);
    assert_eq!((recorder.health().pending, recorder.health().dropped), (0, 0));
    assert!(matches!(recorder.health().store, Reach::Since(_)));

    // The next process begins at the earlier clock: its numbers are below, so a browser of before reads everything again.
    let journal = Journal::in_memory(JournalOptions::default());
    let next = Recorder::start(store, journal, Arc::new(|| Timestamp(1_000_000)), RING);
    assert!(next.seq() < recorder.seq());
    assert_eq!(next.since(recorder.seq()), None);
}
