//! What every back end of the store must do, run on each of them.
//!
//! A law is one function over `&dyn Store`; the macro at the end runs all of them on every back end.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use std::collections::BTreeMap;

use keelson_core::decision::{Effect, Outcome, Step, StepResult, Verb};
use keelson_core::{Decision, Feature, ObjectRef, Reason, Span, Timestamp};
use keelson_store::{Filter, MAX_PAGE, Retention, SWEEP_ROWS, Sample, Store, StoreError};

#[path = "support/decisions.rs"]
mod decisions;
#[path = "support/postgres.rs"]
mod postgres;

use decisions::{decision, id};

fn ids(decisions: &[Decision]) -> Vec<u128> {
    decisions.iter().map(|d| d.id.0.as_u128()).collect()
}

async fn all(store: &dyn Store) -> Vec<u128> {
    ids(&store.decisions(&Filter { limit: MAX_PAGE, ..Filter::default() }).await.unwrap().decisions)
}

async fn a_decision_comes_back_as_it_was(store: &dyn Store) {
    let mut d = decision(1, "cart-0");
    d.inputs.insert("nodes".to_owned(), "102".to_owned());
    store.record(std::slice::from_ref(&d)).await.unwrap();
    assert_eq!(store.decision(d.id).await.unwrap(), Some(d));
    assert_eq!(store.decision(id(99)).await.unwrap(), None);
}

async fn a_repeat_folds_into_the_newest_row_of_its_subject(store: &dyn Store) {
    store.record(&[decision(1, "a"), decision(2, "b"), decision(3, "a")]).await.unwrap();
    store.record(&[decision(4, "a")]).await.unwrap();
    assert_eq!(all(store).await, [2, 1]);
    let row = store.decision(id(1)).await.unwrap().unwrap();
    assert_eq!((row.count, row.last_at), (3, Timestamp(4_000_000)));
}

async fn a_different_verdict_between_repeats_starts_a_new_row(store: &dyn Store) {
    let mut other = decision(2, "a");
    other.reason = Reason::PodPlaced;
    store.record(&[decision(1, "a"), other, decision(3, "a")]).await.unwrap();
    assert_eq!(all(store).await, [3, 2, 1]);
}

async fn a_decision_with_actions_is_never_folded(store: &dyn Store) {
    let pending = |n| Decision { outcome: Outcome::Pending, ..decision(n, "a") };
    store.record(&[pending(1), pending(2)]).await.unwrap();
    assert_eq!(all(store).await, [2, 1]);
}

async fn recording_an_id_twice_changes_nothing(store: &dyn Store) {
    let pending = Decision { outcome: Outcome::Pending, ..decision(1, "a") };
    store.record(std::slice::from_ref(&pending)).await.unwrap();
    store.set_outcome(pending.id, Outcome::Done, Vec::new()).await.unwrap();
    store.record(std::slice::from_ref(&pending)).await.unwrap();
    assert_eq!(store.decision(pending.id).await.unwrap().unwrap().outcome, Outcome::Done);
}

async fn every_field_of_the_filter_restricts(store: &dyn Store) {
    let mut placed = decision(2, "web-1");
    placed.verb = Verb::Place;
    placed.reason = Reason::PodPlaced;
    placed.outcome = Outcome::Done;
    placed.sentence = "Placed on NODE-3.".to_owned();
    let mut node = decision(3, "node-3");
    node.subject = ObjectRef::cluster("Node", "node-3");
    node.sentence = "Reads a_b as it is.".to_owned();
    store.record(&[decision(1, "cart-0"), placed, node]).await.unwrap();
    let text = |t: &str| Filter { text: Some(t.to_owned()), ..Filter::default() };
    let table = [
        (Filter { feature: Some(Feature::Scheduling), ..Filter::default() }, vec![3, 2, 1]),
        (Filter { kind: Some("Pod".to_owned()), ..Filter::default() }, vec![2, 1]),
        (Filter { namespace: Some(String::new()), ..Filter::default() }, vec![3]),
        (Filter { name: Some("web-1".to_owned()), ..Filter::default() }, vec![2]),
        (Filter { verb: Some(Verb::Place), ..Filter::default() }, vec![2]),
        (Filter { reason: Some(Reason::Unschedulable), ..Filter::default() }, vec![3, 1]),
        (Filter { outcome: Some(Outcome::NoAction), ..Filter::default() }, vec![3, 1]),
        (Filter { since: Some(Timestamp(2_000_000)), ..Filter::default() }, vec![3, 2]),
        (Filter { until: Some(Timestamp(2_000_000)), ..Filter::default() }, vec![1]),
        (text("Node-3"), vec![3, 2, 1]),
        (text("100%"), vec![1]),
        (text("a_b"), vec![3]),
        (text("a%b"), vec![]),
        (text("!"), vec![]),
    ];
    for (filter, wanted) in table {
        assert_eq!(ids(&store.decisions(&filter).await.unwrap().decisions), wanted, "{filter:?}");
    }
}

async fn pages_follow_each_other_without_gap_or_repeat(store: &dyn Store) {
    let rows: Vec<_> = (1..=7).map(|n| decision(n, &format!("p{n}"))).collect();
    store.record(&rows).await.unwrap();
    let mut filter = Filter { limit: 3, ..Filter::default() };
    let mut seen = Vec::new();
    loop {
        let page = store.decisions(&filter).await.unwrap();
        seen.extend(ids(&page.decisions));
        store.record(&[decision(100 + u32::try_from(seen.len()).unwrap(), "late")]).await.unwrap();
        match page.next {
            Some(next) => filter.before = Some(next),
            None => break,
        }
    }
    assert_eq!(seen, [7, 6, 5, 4, 3, 2, 1]);
}

async fn a_page_is_never_longer_than_its_bound(store: &dyn Store) {
    let rows: Vec<_> = (1..=MAX_PAGE + 1).map(|n| decision(n, &format!("p{n}"))).collect();
    store.record(&rows).await.unwrap();
    let page = store.decisions(&Filter { limit: 9_999, ..Filter::default() }).await.unwrap();
    assert_eq!(page.decisions.len(), usize::try_from(MAX_PAGE).unwrap());
    assert_eq!(page.next, Some(id(2)));
}

async fn outcome_and_effect_are_written_later(store: &dyn Store) {
    store.record(&[Decision { outcome: Outcome::Pending, ..decision(1, "a") }]).await.unwrap();
    let step = Step {
        at: Timestamp(5),
        action: "bind Pod shop/a to node-3".to_owned(),
        result: StepResult::Done,
        detail: String::new(),
    };
    let effect = Effect {
        at: Timestamp(9),
        sentence: "Running after 2.1 s.".to_owned(),
        as_predicted: Some(true),
        figures: BTreeMap::new(),
    };
    store.set_outcome(id(1), Outcome::Done, vec![step.clone()]).await.unwrap();
    store.set_effect(id(1), effect.clone()).await.unwrap();
    let row = store.decision(id(1)).await.unwrap().unwrap();
    assert_eq!((row.outcome, row.steps, row.effect), (Outcome::Done, vec![step], Some(effect)));
    let done = Filter { outcome: Some(Outcome::Done), ..Filter::default() };
    assert_eq!(store.decisions(&done).await.unwrap().decisions.len(), 1);
    let missing = store.set_outcome(id(2), Outcome::Done, Vec::new()).await.unwrap_err();
    assert_eq!(missing.category(), "not_found");
}

async fn state_is_written_only_over_the_version_that_was_read(store: &dyn Store) {
    let f = Feature::Scheduling;
    assert_eq!(store.state_get(f, "k").await.unwrap(), None);
    assert_eq!(store.state_put(f, "k", 0, 3, b"one").await.unwrap(), 1);
    assert_eq!(store.state_put(f, "k", 1, 3, b"two").await.unwrap(), 2);
    let stale = store.state_put(f, "k", 1, 3, b"late").await.unwrap_err();
    assert!(matches!(stale, StoreError::VersionConflict { expected: 1, found: 2, .. }), "{stale}");
    let value = store.state_get(f, "k").await.unwrap().unwrap();
    assert_eq!((value.version, value.fence, value.bytes.as_slice()), (2, 3, b"two".as_slice()));
}

async fn a_replaced_leader_cannot_write_state(store: &dyn Store) {
    let f = Feature::Scheduling;
    store.state_put(f, "k", 0, 7, b"new leader").await.unwrap();
    let refused = store.state_put(f, "k", 1, 6, b"old leader").await.unwrap_err();
    assert!(matches!(refused, StoreError::FenceLost { given: 6, found: 7, .. }), "{refused}");
    assert_eq!(store.state_put(f, "k", 1, 8, b"next leader").await.unwrap(), 2);
}

async fn samples_come_back_in_order_of_time(store: &dyn Store) {
    for (at, value) in [(30, 3), (10, 1), (20, 9), (20, 2)] {
        store.sample("pods", Timestamp(at), value).await.unwrap();
    }
    store.sample("nodes", Timestamp(20), 5).await.unwrap();
    let wanted = [Sample { at: Timestamp(20), value: 2 }, Sample { at: Timestamp(30), value: 3 }];
    assert_eq!(store.samples("pods", Timestamp(20)).await.unwrap(), wanted);
}

async fn a_recording_goes_with_its_decision(store: &dyn Store) {
    store.record(&[decision(1, "a")]).await.unwrap();
    store.put_recording(id(1), b"first").await.unwrap();
    store.put_recording(id(1), &[0, 255]).await.unwrap();
    assert_eq!(store.recording(id(1)).await.unwrap(), Some(vec![0, 255]));
    store.sweep(Timestamp(i64::MAX), &Retention::default()).await.unwrap();
    assert_eq!(store.recording(id(1)).await.unwrap(), None);
}

async fn a_sweep_deletes_by_age_since_the_last_repeat(store: &dyn Store) {
    store.record(&[decision(1, "a"), decision(2, "b"), decision(50, "a")]).await.unwrap();
    store.sample("pods", Timestamp(1), 1).await.unwrap();
    let retention = Retention { age: Span::seconds(60), ..Retention::default() };
    let swept = store.sweep(Timestamp(100_000_000), &retention).await.unwrap();
    assert_eq!((swept.by_age, swept.total()), (1, 1));
    assert_eq!(all(store).await, [1]);
    assert_eq!(store.samples("pods", Timestamp(0)).await.unwrap(), []);
}

async fn a_sweep_keeps_the_newest_of_each_subject(store: &dyn Store) {
    let pending = |n, name| Decision { outcome: Outcome::Pending, ..decision(n, name) };
    store.record(&[pending(1, "a"), pending(2, "a"), pending(3, "a"), pending(4, "b")]).await.unwrap();
    let swept = store.sweep(Timestamp(0), &Retention { per_subject: 2, ..Retention::default() }).await.unwrap();
    assert_eq!((swept.by_count, swept.total()), (1, 1));
    assert_eq!(all(store).await, [4, 3, 2]);
}

async fn a_sweep_deletes_the_oldest_beyond_the_size(store: &dyn Store) {
    let rows: Vec<_> = (1..=4).map(|n| decision(n, &format!("p{n}"))).collect();
    store.record(&rows).await.unwrap();
    let one = u64::try_from(serde_json::to_string(&rows[0]).unwrap().len()).unwrap();
    let swept = store.sweep(Timestamp(0), &Retention { bytes: one * 2 + 20, ..Retention::default() }).await.unwrap();
    assert_eq!((swept.by_size, swept.total()), (2, 2));
    assert_eq!(all(store).await, [4, 3]);
}

async fn a_sweep_is_bounded_and_says_that_more_is_waiting(store: &dyn Store) {
    let rows: Vec<_> = (1..=SWEEP_ROWS + 1).map(|n| decision(n, &format!("p{n}"))).collect();
    store.record(&rows).await.unwrap();
    let retention = Retention { bytes: 0, ..Retention::default() };
    let later = Timestamp(i64::MAX);
    let first = store.sweep(later, &retention).await.unwrap();
    assert_eq!((first.total(), first.is_partial()), (u64::from(SWEEP_ROWS), true));
    let second = store.sweep(later, &retention).await.unwrap();
    assert_eq!((second.total(), second.is_partial()), (1, false));
}

async fn an_export_is_one_line_a_decision_over_all_pages(store: &dyn Store) {
    let rows: Vec<_> = (1..=MAX_PAGE + 2).map(|n| decision(n, &format!("p{n}"))).collect();
    store.record(&rows).await.unwrap();
    let mut out = Vec::new();
    assert_eq!(store.export(&Filter::default(), &mut out).await.unwrap(), u64::from(MAX_PAGE) + 2);
    let text = String::from_utf8(out).unwrap();
    let mut read: Vec<Decision> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    read.reverse();
    assert_eq!(read, rows);
}

macro_rules! conformance {
    ($($law:ident)*) => {
        mod memory {
            $(#[tokio::test]
            async fn $law() {
                super::$law(&keelson_store::MemoryStore::new()).await;
            })*
        }
        mod sqlite {
            $(#[tokio::test]
            async fn $law() {
                let dir = tempfile::tempdir().unwrap();
                let store = keelson_store::SqliteStore::open(&dir.path().join("keelson.db")).await.unwrap();
                super::$law(&store).await;
                store.close().await;
            })*
        }
        #[tokio::test]
        async fn postgres_keeps_every_law() {
            let server = postgres::Server::start();
            $({
                let store = server.store(stringify!($law)).await;
                println!("postgres: {}", stringify!($law));
                $law(&store).await;
                store.close().await;
            })*
        }
    };
}

conformance! {
    a_decision_comes_back_as_it_was
    a_repeat_folds_into_the_newest_row_of_its_subject
    a_different_verdict_between_repeats_starts_a_new_row
    a_decision_with_actions_is_never_folded
    recording_an_id_twice_changes_nothing
    every_field_of_the_filter_restricts
    pages_follow_each_other_without_gap_or_repeat
    a_page_is_never_longer_than_its_bound
    outcome_and_effect_are_written_later
    state_is_written_only_over_the_version_that_was_read
    a_replaced_leader_cannot_write_state
    samples_come_back_in_order_of_time
    a_recording_goes_with_its_decision
    a_sweep_deletes_by_age_since_the_last_repeat
    a_sweep_keeps_the_newest_of_each_subject
    a_sweep_deletes_the_oldest_beyond_the_size
    a_sweep_is_bounded_and_says_that_more_is_waiting
    an_export_is_one_line_a_decision_over_all_pages
}

#[tokio::test]
async fn postgres_tells_listeners_the_id_of_a_changed_decision() {
    let server = postgres::Server::start();
    let store = server.store("listen").await;
    let mut changes = store.changes().await.unwrap();
    store.record(&[decision(7, "a")]).await.unwrap();
    assert_eq!(changes.next().await.unwrap(), id(7));
    store.record(&[decision(8, "a")]).await.unwrap();
    assert_eq!(changes.next().await.unwrap(), id(7), "a repeat names the row it was folded into");
    drop(changes);
    store.close().await;
}

#[tokio::test]
async fn postgres_of_a_newer_keelson_is_refused() {
    let server = postgres::Server::start();
    let store = server.store("newer").await;
    store.close().await;
    server.run_sql("newer", "INSERT INTO schema_meta (version) VALUES (99)").await;
    let refused = keelson_store::PostgresStore::connect(server.options("newer")).await.unwrap_err();
    assert_eq!(refused.category(), "schema");
}

#[tokio::test]
async fn the_writer_stores_or_counts_every_decision_offered() {
    use keelson_store::writer::{QUEUE, Writer};
    let store = std::sync::Arc::new(keelson_store::MemoryStore::new());
    let (writer, task) =
        Writer::start(store.clone(), keelson_store::reach::Watch::new(std::sync::Arc::new(|| Timestamp(0))));
    // The task cannot run before the first await, so the queue takes exactly its bound.
    let offered = u32::try_from(QUEUE).unwrap() + 5;
    for n in 1..=offered {
        writer.offer(decision(n, &format!("p{n}")));
    }
    assert_eq!(writer.dropped(), 5);
    drop(writer);
    task.await.unwrap();
    let mut out = Vec::new();
    let stored = store.export(&Filter::default(), &mut out).await.unwrap();
    assert_eq!(stored, u64::try_from(QUEUE).unwrap());
}
