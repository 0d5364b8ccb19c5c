//! The recorder: whoever decides never waits for the database, and nothing is lost or doubled when it was away.
//!
//! Time is virtual: a minute's outage takes no time.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use std::sync::Arc;
use std::time::Duration;

use keelson_core::decision::{Outcome, Step, StepResult};
use keelson_core::{Decision, Timestamp};
use keelson_store::reach::Reach;
use keelson_store::writer::{BATCH, QUEUE};
use keelson_store::{Change, Filter, Journal, JournalOptions, MAX_PAGE, OnFull, Recorder, Store};
use prometheus_client::registry::Registry;
use tokio::time::sleep;

#[path = "support/decisions.rs"]
mod decisions;
#[path = "support/flaky.rs"]
mod flaky;

use decisions::{decision, effect, id, pending};
use flaky::Flaky;

const HOLD: JournalOptions = JournalOptions { bound: 1 << 20, on_full: OnFull::Hold };
const RING: usize = 2_000;
const LONG: Duration = Duration::from_secs(20);

fn recorder_of(journal: Journal, ring: usize) -> (Arc<Flaky>, Recorder) {
    let store = Arc::new(Flaky::default());
    let recorder = Recorder::start(store.clone(), journal, Arc::new(|| Timestamp(77)), ring);
    (store, recorder)
}

fn recorder() -> (Arc<Flaky>, Recorder) {
    recorder_of(Journal::in_memory(HOLD), RING)
}

fn steps() -> Vec<Step> {
    let (action, detail) = ("bind Pod shop/a to node-3".to_owned(), String::new());
    vec![Step { at: Timestamp(5), action, result: StepResult::Done, detail }]
}

fn everything() -> Filter {
    Filter { limit: MAX_PAGE, ..Filter::default() }
}

fn ids(decisions: &[Decision]) -> Vec<u128> {
    decisions.iter().map(|d| d.id.0.as_u128()).collect()
}

#[tokio::test(start_paused = true)]
async fn what_is_remembered_reaches_the_store_with_all_that_is_learned_later() {
    let (store, recorder) = recorder();
    recorder.offer(decision(1, "a"));
    recorder.begin(pending(2), Some(b"snapshot".to_vec())).await.unwrap();
    recorder.finish(id(2), Outcome::Done, steps());
    recorder.effect(id(1), effect("as said"));
    sleep(LONG).await;
    recorder.effect(id(2), effect("later"));
    sleep(LONG).await;
    let first = store.inner.decision(id(1)).await.unwrap().unwrap();
    let second = store.inner.decision(id(2)).await.unwrap().unwrap();
    assert_eq!(first.effect, Some(effect("as said")));
    assert_eq!((second.outcome, second.steps, second.effect), (Outcome::Done, steps(), Some(effect("later"))));
    assert_eq!(store.inner.recording(id(2)).await.unwrap(), Some(b"snapshot".to_vec()));
    let health = recorder.health();
    assert_eq!((health.store, health.pending, health.dropped), (Reach::Since(Timestamp(77)), 0, 0));
    assert_eq!(health.journal.orphans, 0);
}

#[tokio::test]
async fn a_reader_sees_on_disk_what_was_said_just_before() {
    let dir = tempfile::tempdir().unwrap();
    let (_, recorder) = recorder_of(Journal::open(dir.path(), HOLD).unwrap(), 0);
    for n in 1..=20 {
        recorder.begin(pending(n), None).await.unwrap();
        recorder.finish(id(n.into()), Outcome::Done, steps());
        let one = recorder.decision(id(n.into())).await.value.unwrap();
        let newest = recorder.decisions(&everything()).await.value.decisions.swap_remove(0);
        assert_eq!((one.outcome, newest.id, newest.outcome), (Outcome::Done, one.id, Outcome::Done));
    }
    recorder.close(LONG).await;
}

fn scrape(recorder: &Recorder) -> String {
    let (mut registry, mut text) = (Registry::default(), String::new());
    recorder.register(&mut registry);
    prometheus_client::encoding::text::encode(&mut text, &registry).unwrap();
    text
}

#[tokio::test(start_paused = true)]
async fn a_scraper_sees_what_waits_what_is_lost_and_every_commit() {
    let (store, recorder) = recorder();
    let says = |line: &str| assert!(scrape(&recorder).lines().any(|is| is == line), "{line}\n{}", scrape(&recorder));
    let series = scrape(&recorder).lines().count();
    store.set_away(true);
    recorder.begin(pending(1), None).await.unwrap();
    (2..).take(QUEUE + 5).for_each(|n| recorder.offer(decision(n, "a")));
    says(&format!("keelson_store_queue_depth {}", recorder.health().pending));
    says("keelson_store_dropped_total 5");
    says("keelson_store_commit_seconds_count 0");
    store.set_away(false);
    sleep(LONG).await;
    says("keelson_store_queue_depth 0");
    says("keelson_store_dropped_total 5");
    // One of the journal, and the queue's batches.
    says(&format!("keelson_store_commit_seconds_count {}", 1 + QUEUE.div_ceil(BATCH)));
    assert_eq!(scrape(&recorder).lines().count(), series);
}

#[tokio::test(start_paused = true)]
async fn nothing_is_lost_or_doubled_while_the_database_is_away() {
    let (store, recorder) = recorder();
    recorder.offer(decision(1, "steady"));
    sleep(LONG).await;
    store.set_away(true);
    for n in 2..300 {
        if n % 3 == 0 {
            recorder.begin(pending(n), None).await.unwrap();
            recorder.finish(id(u128::from(n)), Outcome::Done, steps());
        } else {
            recorder.offer(decision(n, if n % 3 == 1 { "steady" } else { "other" }));
        }
        sleep(Duration::from_millis(200)).await;
        if n % 50 == 0 {
            // Gone again in the midst of catching up.
            store.set_away(false);
            sleep(Duration::from_millis(20)).await;
            store.set_away(true);
        }
    }
    assert!(matches!(recorder.health().store, Reach::AwaySince(_)));
    assert!(recorder.health().pending > 100);
    store.set_away(false);
    sleep(LONG).await;
    let rows = store.inner.decisions(&everything()).await.unwrap().decisions;
    let done = rows.iter().filter(|d| d.outcome == Outcome::Done).count();
    let repeats: u32 = rows.iter().filter(|d| d.outcome == Outcome::NoAction).map(|d| d.count).sum();
    assert_eq!((done, repeats), (99, 200), "every begun decision once, every repeat counted once");
    assert_eq!((recorder.health().pending, recorder.health().dropped), (0, 0));
}

#[tokio::test(start_paused = true)]
async fn an_effect_waits_with_its_decision_even_while_that_is_being_written() {
    let (store, recorder) = recorder();
    store.set_away(true);
    recorder.offer(decision(1, "a"));
    sleep(LONG).await;
    recorder.offer(decision(2, "b"));
    recorder.effect(id(1), effect("of the one being written"));
    recorder.effect(id(2), effect("of the one that waits"));
    store.set_away(false);
    sleep(LONG).await;
    for (n, words) in [(1, "of the one being written"), (2, "of the one that waits")] {
        assert_eq!(store.inner.decision(id(n)).await.unwrap().unwrap().effect, Some(effect(words)));
    }
    assert_eq!(recorder.health().journal.orphans, 0);
}

#[tokio::test(start_paused = true)]
async fn a_reader_sees_everything_and_is_told_when_the_database_is_away() {
    let (store, recorder) = recorder();
    recorder.begin(pending(1), None).await.unwrap();
    sleep(LONG).await;
    store.set_away(true);
    recorder.finish(id(1), Outcome::Done, steps());
    recorder.begin(pending(2), Some(b"seen".to_vec())).await.unwrap();
    recorder.offer(decision(3, "c"));

    let seen = recorder.recording(id(2)).await;
    assert_eq!((seen.value, seen.partial), (Some(b"seen".to_vec()), None), "the journal has it");
    assert!(recorder.recording(id(1)).await.partial.is_some(), "nobody knows whether there is one");
    let away = recorder.decisions(&everything()).await;
    assert_eq!(ids(&away.value.decisions), [3, 2, 1]);
    assert!(away.partial.unwrap().contains("has not answered since"));
    let one = recorder.decision(id(1)).await;
    assert_eq!(one.value.unwrap().outcome, Outcome::Done);
    assert!(one.partial.is_some());

    store.set_away(false);
    let back = recorder.decisions(&everything()).await;
    assert_eq!((ids(&back.value.decisions), back.partial), (vec![3, 2, 1], None));
    assert_eq!(back.value.decisions[2].outcome, Outcome::Done, "the journal knows before the database");
    let pages = Filter { limit: 2, ..Filter::default() };
    let first = recorder.decisions(&pages).await.value;
    let second = recorder.decisions(&Filter { before: first.next, ..pages }).await.value;
    assert_eq!((ids(&first.decisions), ids(&second.decisions)), (vec![3, 2], vec![1]));
    sleep(LONG).await;
    assert_eq!(recorder.decisions(&everything()).await.value, back.value);
    assert_eq!(recorder.recording(id(2)).await.value, Some(b"seen".to_vec()));
}

#[tokio::test(start_paused = true)]
async fn a_chain_is_followed_both_ways_wherever_its_links_are() {
    let (store, recorder) = recorder();
    let caused = |n, cause: u128| Decision { causes: vec![id(cause)], ..pending(n) };
    store.inner.record(&[pending(1), caused(2, 1)]).await.unwrap();
    store.set_away(true);
    recorder.begin(caused(3, 1), None).await.unwrap();
    recorder.finish(id(3), Outcome::Done, steps());
    recorder.offer(Decision { causes: vec![id(1)], ..decision(4, "d") });
    // Let the drain fail first, so that it pauses while the chain is read.
    sleep(LONG).await;
    let wanted = [id(4), id(1), id(3), id(9)];
    let away = (recorder.caused_by(id(1), 9).await, recorder.decisions_by_ids(&wanted).await);
    assert_eq!((ids(&away.0.value), ids(&away.1.value)), (vec![3, 4], vec![3, 4]), "what this process remembers");
    assert!(away.0.partial.is_some() && away.1.partial.is_some());

    store.set_away(false);
    let there = (recorder.caused_by(id(1), 9).await, recorder.decisions_by_ids(&wanted).await);
    assert_eq!((ids(&there.0.value), there.0.partial), (vec![2, 3, 4], None));
    assert_eq!((ids(&there.1.value), there.1.partial), (vec![1, 3, 4], None));
    assert_eq!(there.1.value[1].outcome, Outcome::Done, "the journal knows before the database");
    assert_eq!(ids(&recorder.caused_by(id(1), 2).await.value), [2, 3]);
}

#[tokio::test(start_paused = true)]
async fn repeats_that_wait_are_counted_in_one_row() {
    let (store, recorder) = recorder();
    recorder.offer(decision(1, "steady"));
    sleep(LONG).await;
    let counts = |decisions: &[Decision]| decisions.iter().map(|d| (d.id, d.count)).collect::<Vec<_>>();
    for away in [true, false] {
        store.set_away(away);
        let first = if away { 2 } else { 50 };
        for n in first..first + 40 {
            recorder.offer(decision(n, "steady"));
        }
        let page = recorder.decisions(&everything()).await;
        assert_eq!(page.partial.is_some(), away);
        assert_eq!(counts(&page.value.decisions), [(id(1), if away { 41 } else { 81 })]);
    }
    sleep(LONG).await;
    assert_eq!(counts(&store.inner.decisions(&everything()).await.unwrap().decisions), [(id(1), 81)]);
}

#[tokio::test(start_paused = true)]
async fn a_repeat_that_waits_is_listed_under_the_row_it_will_be_in() {
    let (store, recorder) = recorder();
    recorder.offer(decision(1, "steady"));
    recorder.offer(decision(2, "other"));
    sleep(LONG).await;
    store.set_silent(true);
    recorder.offer(decision(3, "steady"));
    sleep(Duration::from_millis(1)).await;
    // A page that ends before the row itself.
    let page = recorder.decisions(&Filter { limit: 1, ..Filter::default() }).await.value.decisions;
    for listed in page {
        assert!(listed.id != id(3), "it will be known as the first: {}", listed.id);
        assert!(recorder.decision(listed.id).await.value.is_some());
    }
}

#[tokio::test(start_paused = true)]
async fn a_store_that_went_silent_is_tried_again() {
    let (store, recorder) = recorder();
    store.set_silent(true);
    recorder.begin(pending(1), None).await.unwrap();
    recorder.offer(decision(2, "b"));
    sleep(LONG).await;
    assert!(matches!(recorder.health().store, Reach::AwaySince(_)));
    store.set_silent(false);
    sleep(LONG).await;
    assert_eq!(ids(&store.inner.decisions(&everything()).await.unwrap().decisions), [2, 1]);
    assert_eq!(recorder.health().pending, 0);
}

#[tokio::test(start_paused = true)]
async fn what_waits_is_listed_on_the_page_it_belongs_to() {
    let (store, recorder) = recorder();
    let stored = [decision(2, "b"), decision(4, "d"), decision(6, "f"), decision(8, "h")];
    store.inner.record(&stored).await.unwrap();
    recorder.begin(pending(1), None).await.unwrap();
    recorder.begin(pending(5), None).await.unwrap();
    recorder.offer(decision(3, "c"));
    let (mut filter, mut pages) = (Filter { limit: 2, ..Filter::default() }, Vec::new());
    loop {
        let page = recorder.decisions(&filter).await.value;
        pages.push(ids(&page.decisions));
        filter.before = page.next;
        if page.next.is_none() {
            break;
        }
    }
    assert_eq!(pages, [vec![8, 6], vec![5, 4], vec![3, 2], vec![1]]);
}

#[tokio::test(start_paused = true)]
async fn a_row_that_no_longer_matches_makes_no_other_appear_twice() {
    let (store, recorder) = recorder();
    store.inner.record(&[pending(4), pending(6), pending(8)]).await.unwrap();
    store.set_away(true);
    recorder.finish(id(8), Outcome::Done, steps());
    recorder.begin(pending(3), None).await.unwrap();
    // Let the drain fail first, so that it pauses while the pages are read.
    sleep(LONG).await;
    store.set_away(false);
    let first = Filter { outcome: Some(Outcome::Pending), limit: 2, ..Filter::default() };
    let page = recorder.decisions(&first).await.value;
    let second = recorder.decisions(&Filter { before: page.next, ..first }).await.value;
    assert_eq!((ids(&page.decisions), ids(&second.decisions)), (vec![6], vec![4, 3]));
}

// In real time: a journal on disk has a thread that knows no other.
#[tokio::test]
async fn what_was_begun_before_a_restart_is_read_while_the_database_is_still_away() {
    let dir = tempfile::tempdir().unwrap();
    let (store, recorder) = recorder_of(Journal::open(dir.path(), HOLD).unwrap(), RING);
    store.set_away(true);
    recorder.begin(pending(1), None).await.unwrap();
    recorder.finish(id(1), Outcome::Failed, steps());
    recorder.close(Duration::from_secs(1)).await;

    let (store, recorder) = recorder_of(Journal::open(dir.path(), HOLD).unwrap(), RING);
    store.set_away(true);
    let page = recorder.decisions(&everything()).await;
    assert_eq!((ids(&page.value.decisions), page.value.decisions[0].outcome), (vec![1], Outcome::Failed));
    assert!(page.partial.is_some());
    store.set_away(false);
    recorder.close(LONG).await;
    assert_eq!(store.inner.decision(id(1)).await.unwrap().unwrap().steps, steps());
}

#[tokio::test(start_paused = true)]
async fn beyond_the_bound_hold_refuses_and_act_goes_on_and_still_tries() {
    let tiny = |on_full| Journal::in_memory(JournalOptions { bound: 100, on_full });
    let (_, hold) = recorder_of(tiny(OnFull::Hold), RING);
    assert_eq!(hold.begin(pending(1), None).await.unwrap_err().category(), "full");
    assert_eq!(hold.decision(id(1)).await.value, None);

    let (store, act) = recorder_of(tiny(OnFull::Act), RING);
    act.begin(pending(1), Some(vec![1; 500])).await.unwrap();
    act.finish(id(1), Outcome::Done, steps());
    sleep(LONG).await;
    assert_eq!(store.inner.decision(id(1)).await.unwrap().unwrap().outcome, Outcome::Done);
}

#[tokio::test(start_paused = true)]
async fn only_a_decision_about_to_act_is_begun() {
    let (_, recorder) = recorder();
    let refused = recorder.begin(decision(1, "a"), None).await.unwrap_err();
    assert!(refused.to_string().contains("offer"), "{refused}");
}

#[tokio::test(start_paused = true)]
async fn a_browser_resumes_after_a_gap_or_is_told_to_read_again() {
    let (_, recorder) = recorder_of(Journal::in_memory(HOLD), 3);
    let mut live = recorder.subscribe();
    let start = recorder.seq();
    recorder.offer(decision(1, "a"));
    recorder.offer(decision(2, "a"));
    recorder.begin(pending(3), None).await.unwrap();
    recorder.finish(id(3), Outcome::Done, steps());
    recorder.effect(id(3), effect("ran"));

    let seen: Vec<Change> = std::iter::from_fn(|| live.try_recv().ok()).collect();
    assert_eq!(recorder.since(start), Some(seen.clone()));
    assert_eq!(seen.iter().map(Change::seq).collect::<Vec<_>>(), (start + 1..=start + 5).collect::<Vec<_>>());
    assert_eq!(seen.iter().map(|c| c.id().0.as_u128()).collect::<Vec<_>>(), [1, 1, 3, 3, 3]);
    let Change::Recorded { decision: repeated, .. } = &seen[1] else { panic!("{seen:?}") };
    assert_eq!(repeated.count, 2, "a repeat is the first one with a greater count");

    assert_eq!(recorder.since(recorder.seq()), Some(Vec::new()));
    assert_eq!(recorder.since(recorder.seq() + 9), None, "a number of another process");
    for n in 4..8 {
        recorder.offer(decision(n, &format!("p{n}")));
    }
    assert_eq!(recorder.since(start), None, "forgotten");
    assert_eq!(recorder.since(start + 5).unwrap().len(), 4);
}

#[tokio::test(start_paused = true)]
async fn a_store_that_is_away_at_the_end_costs_no_more_than_the_time_given() {
    let (store, recorder) = recorder();
    store.set_away(true);
    recorder.offer(decision(1, "a"));
    let before = tokio::time::Instant::now();
    recorder.close(Duration::from_secs(3)).await;
    assert!(before.elapsed() <= Duration::from_secs(3));
    assert_eq!(recorder.health().dropped, 1);
    recorder.offer(decision(2, "a"));
    assert_eq!(recorder.health().dropped, 2);
}
