//! What every back end of the store must do, run on each of them.
//!
//! A law is one function over `&dyn Store`; the macro at the end runs all of them on every back end.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use std::collections::BTreeMap;
use std::sync::Arc;

use keelson_core::decision::{Candidate, Outcome, Step, StepResult, Verb};
use keelson_core::{Decision, Feature, ObjectRef, Reason, Span, Timestamp};
use keelson_store::{
    Entry, Filter, MAX_PAGE, Quota, Resolution, Retention, SERIES, SWEEP_ROWS, Sample, Store, StoreError,
    keeps_recording,
};

#[path = "support/decisions.rs"]
mod decisions;
#[path = "support/postgres.rs"]
mod postgres;
#[path = "support/questions.rs"]
mod questions;

use decisions::{decision, effect, id, pending};

fn bound(detail: &str) -> Step {
    let action = "bind Pod shop/a to node-3".to_owned();
    Step { at: Timestamp(5), action, result: StepResult::Done, detail: detail.to_owned() }
}

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

async fn a_sentence_may_hold_any_character(store: &dyn Store) {
    let d = Decision { sentence: "Näher: \u{0} \" \\ 'x'; 漢字 🚢".to_owned(), ..decision(1, "a") };
    store.record(std::slice::from_ref(&d)).await.unwrap();
    assert_eq!(store.decision(d.id).await.unwrap(), Some(d));
    let ship = Filter { text: Some("漢字 🚢".to_owned()), ..Filter::default() };
    assert_eq!(ids(&store.decisions(&ship).await.unwrap().decisions), [1]);
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

/// What a writer does that was cut off while the database committed.
async fn a_batch_recorded_twice_counts_its_repeats_once(store: &dyn Store) {
    store.record(&[decision(1, "a")]).await.unwrap();
    let other = Decision { reason: Reason::PodPlaced, ..decision(4, "a") };
    let batch = [decision(2, "a"), decision(3, "a"), other, decision(5, "a"), decision(6, "a")];
    store.record(&batch).await.unwrap();
    let rows = store.decisions(&Filter::default()).await.unwrap();
    assert_eq!(rows.decisions.iter().map(|d| d.count).collect::<Vec<_>>(), [2, 1, 3]);
    store.record(&batch).await.unwrap();
    assert_eq!(store.decisions(&Filter::default()).await.unwrap(), rows);
}

async fn what_the_journal_kept_is_applied_in_order_and_only_once(store: &dyn Store) {
    let outcome = |outcome| Entry::Outcome { id: id(1), outcome, steps: vec![bound("")] };
    let entries = [
        Entry::Decision(Arc::new(pending(1))),
        Entry::Recording { id: id(1), bytes: vec![0, 255] },
        outcome(Outcome::Failed),
        outcome(Outcome::Done),
        Entry::Effect { id: id(1), effect: effect("ran") },
        Entry::Effect { id: id(9), effect: effect("of nobody") },
        Entry::Recording { id: id(9), bytes: vec![1] },
    ];
    for _ in 0..2 {
        assert_eq!(store.apply(&entries).await.unwrap(), 2, "two entries are about a decision that is not there");
        let row = store.decision(id(1)).await.unwrap().unwrap();
        let (steps, effect) = (vec![bound("")], Some(effect("ran")));
        assert_eq!(row, Decision { outcome: Outcome::Done, steps, effect, ..pending(1) });
        assert_eq!(store.recording(id(1)).await.unwrap(), Some(vec![0, 255]));
        assert_eq!(store.recording(id(9)).await.unwrap(), None);
        assert_eq!(all(store).await, [1]);
    }
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

async fn a_decision_is_found_by_everything_it_is_about(store: &dyn Store) {
    let node = |name| ObjectRef::cluster("Node", name);
    let cart = ObjectRef::namespaced("Deployment", "shop", "cart").in_group("apps");
    let placed = |n, name, on| Decision {
        related: vec![node(on), cart.clone().with_uid("7")],
        outcome: Outcome::Pending,
        ..decision(n, name)
    };
    let drained = Decision { subject: node("node-3"), ..decision(3, "") };
    store.record(&[placed(1, "cart-0", "node-3"), placed(2, "cart-1", "node-4"), drained]).await.unwrap();
    store.apply(&[Entry::Decision(Arc::new(placed(4, "cart-2", "node-3")))]).await.unwrap();
    let about = async |object: &ObjectRef, before| {
        let filter = Filter { about: Some(object.clone()), before, limit: 2, ..Filter::default() };
        let page = store.decisions(&filter).await.unwrap();
        (ids(&page.decisions), page.next)
    };
    assert_eq!(about(&node("node-3"), None).await, (vec![4, 3], Some(id(3))));
    assert_eq!(about(&node("node-3"), Some(id(3))).await, (vec![1], None));
    assert_eq!(about(&cart, None).await.0, [4, 2]);
    assert_eq!(about(&ObjectRef::namespaced("Pod", "shop", "cart-1"), None).await.0, [2], "the subject is one of them");
    assert_eq!(about(&ObjectRef::namespaced("Deployment", "other", "cart"), None).await.0, []);
    assert_eq!(store.decision(id(1)).await.unwrap(), Some(placed(1, "cart-0", "node-3")));

    let none = Retention { per_feature: Quota { decisions: 0, bytes: 0 }, ..Retention::default() };
    store.sweep(Timestamp(0), &none).await.unwrap();
    assert_eq!(about(&node("node-3"), None).await.0, []);
    store.record(&[decision(4, "other")]).await.unwrap();
    assert_eq!(about(&node("node-3"), None).await.0, [], "what was swept is found no more");
}

async fn what_followed_from_a_decision_is_found_oldest_first(store: &dyn Store) {
    let follows = |n, causes: &[u128]| Decision {
        causes: causes.iter().map(|n| id(*n)).collect(),
        ..decision(n, &format!("p{n}"))
    };
    store.record(&[follows(9, &[1, 2]), follows(5, &[1]), decision(1, "a"), follows(7, &[2])]).await.unwrap();
    let caused = async |n, limit| ids(&store.caused_by(id(n), limit).await.unwrap());
    assert_eq!(caused(1, 10).await, [5, 9]);
    assert_eq!(caused(1, 1).await, [5]);
    assert_eq!(caused(2, 10).await, [7, 9]);
    assert_eq!(caused(9, 10).await, []);
}

async fn decisions_are_found_by_their_ids(store: &dyn Store) {
    store.record(&(1..=700).map(|n| decision(n, &format!("p{n}"))).collect::<Vec<_>>()).await.unwrap();
    let found = async |wanted: &[u128]| {
        let wanted: Vec<_> = wanted.iter().map(|n| id(*n)).collect();
        ids(&store.decisions_by_ids(&wanted).await.unwrap())
    };
    assert_eq!(found(&[]).await, []);
    assert_eq!(found(&[3, 1, 999, 3]).await, [1, 3]);
    assert_eq!(found(&(1..=800).collect::<Vec<_>>()).await, (1..=700).collect::<Vec<_>>());
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
    let (step, effect) = (bound(""), effect("Running after 2.1 s."));
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

async fn samples_roll_up_into_minutes_and_hours(store: &dyn Store) {
    let s = |n: i64| Timestamp(n * 1_000_000);
    let step = |at, value, low, high| Sample { at: s(at), value, low, high };
    for (at, value) in [(3_605, 7), (3_600, 1), (3_609, 4), (3_619, 10), (3_661, 9), (7_200, -3)] {
        store.sample("pods", s(at), value).await.unwrap();
    }
    store.sample("nodes", s(3_600), 99).await.unwrap();
    let fine = store.samples("pods", s(3_610), Resolution::TenSeconds).await.unwrap();
    assert_eq!(fine, [step(3_610, 10, 10, 10), step(3_660, 9, 9, 9), step(7_200, -3, -3, -3)]);
    let minutes = store.samples("pods", s(0), Resolution::Minute).await.unwrap();
    assert_eq!(minutes, [step(3_600, 7, 4, 10), step(3_660, 9, 9, 9), step(7_200, -3, -3, -3)]);
    let hours = store.samples("pods", s(0), Resolution::Hour).await.unwrap();
    assert_eq!(hours, [step(3_600, 8, 4, 10), step(7_200, -3, -3, -3)]);
    // The same value again, as after a retry.
    store.sample("pods", s(7_200), -3).await.unwrap();
    assert_eq!(store.samples("pods", s(0), Resolution::Hour).await.unwrap(), hours);
}

async fn samples_are_kept_as_long_as_their_resolution_says(store: &dyn Store) {
    let hours = |n: i64| Timestamp(n * 3_600_000_000);
    store.sample("pods", hours(1), 5).await.unwrap();
    let left = async |now| {
        store.sweep(now, &Retention::default()).await.unwrap();
        let mut left = Vec::new();
        for resolution in Resolution::ALL {
            left.push(store.samples("pods", hours(0), resolution).await.unwrap().len());
        }
        left
    };
    assert_eq!(left(hours(7)).await, [1, 1, 1]);
    assert_eq!(left(hours(8)).await, [0, 1, 1]);
    assert_eq!(left(hours(50)).await, [0, 0, 1]);
    assert_eq!(left(hours(90 * 24 + 2)).await, [0, 0, 0]);
}

async fn a_series_too_many_is_refused_and_counted(store: &dyn Store) {
    for n in 0..SERIES {
        store.sample(&format!("series {n}"), Timestamp(1), 1).await.unwrap();
    }
    let refused = store.sample("one more", Timestamp(1), 1).await.unwrap_err();
    assert_eq!((refused.category(), store.refused_samples()), ("limit", 1));
    store.sample("series 7", Timestamp(2), 1).await.unwrap();
    let later = Timestamp(Resolution::Hour.kept().0 + 7_200_000_000);
    while store.sweep(later, &Retention::default()).await.unwrap().is_partial() {}
    store.sample("one more", later, 1).await.unwrap();
}

async fn a_recording_goes_with_its_decision(store: &dyn Store) {
    store.record(&[decision(1, "a")]).await.unwrap();
    store.put_recording(id(1), b"first").await.unwrap();
    store.put_recording(id(1), &[0, 255]).await.unwrap();
    assert_eq!(store.recording(id(1)).await.unwrap(), Some(vec![0, 255]));
    let retention = Retention { recordings: Span::hours(1 << 20), ..Retention::default() };
    store.sweep(Timestamp(i64::MAX), &retention).await.unwrap();
    assert_eq!(store.recording(id(1)).await.unwrap(), None);
}

async fn recordings_stay_an_hour_and_one_in_a_thousand_stays(store: &dyn Store) {
    let at = |minute: i64| Timestamp(1_800_000_000_000_000 + minute * 60_000_000);
    let v7 = |minute, n: u128| id((u128::try_from(at(minute).0).unwrap() / 1_000) << 80 | n);
    let of = |id, minute| Decision { id, at: at(minute), last_at: at(minute), ..pending(1) };
    let (old, chosen, young) = (v7(0, 1), v7(0, 5_000), v7(30, 1));
    for (id, minute) in [(old, 0), (chosen, 0), (young, 30)] {
        store.record(&[of(id, minute)]).await.unwrap();
        store.put_recording(id, b"snapshot").await.unwrap();
    }
    let there = async || {
        let mut there = Vec::new();
        for id in [old, chosen, young] {
            there.push(store.recording(id).await.unwrap().is_some());
        }
        there
    };
    assert_eq!(store.sweep(at(60), &Retention::default()).await.unwrap().recordings, 0);
    assert_eq!(there().await, [true, true, true]);
    assert_eq!(store.sweep(at(61), &Retention::default()).await.unwrap().recordings, 1);
    assert_eq!(there().await, [false, true, true]);
    let kept = (0..100_000).filter(|n| keeps_recording(v7(0, *n))).count();
    assert_eq!(kept, 100);
}

async fn a_sweep_deletes_by_age_since_the_last_repeat(store: &dyn Store) {
    store.record(&[decision(1, "a"), decision(2, "b"), decision(50, "a")]).await.unwrap();
    let retention = Retention { age: Span::seconds(60), ..Retention::default() };
    let swept = store.sweep(Timestamp(100_000_000), &retention).await.unwrap();
    assert_eq!((swept.by_age, swept.total()), (1, 1));
    assert_eq!(all(store).await, [1]);
}

async fn a_cause_outlives_its_age_as_a_stub(store: &dyn Store) {
    let mut cause = decision(1, "a");
    cause.inputs.insert("nodes".to_owned(), "102".to_owned());
    cause.candidates.push(Candidate { name: "node-1".to_owned(), total: None, scores: Vec::new(), failed: Vec::new() });
    cause.effect = Some(effect("waited"));
    let bystander = decision(2, "b");
    let mut led_to = decision(90, "c");
    led_to.causes = vec![cause.id];
    store.record(&[cause.clone(), bystander, led_to]).await.unwrap();
    store.put_recording(cause.id, b"seen").await.unwrap();
    let retention = Retention { age: Span::seconds(60), stub_age: Span::seconds(300), ..Retention::default() };
    let swept = store.sweep(Timestamp(100_000_000), &retention).await.unwrap();
    assert_eq!((swept.by_age, swept.stubs), (2, 1));
    assert_eq!(all(store).await, [90, 1]);
    let stub = store.decision(cause.id).await.unwrap().unwrap();
    assert_eq!(stub, Decision { candidates: Vec::new(), inputs: BTreeMap::new(), effect: None, ..cause.clone() });
    assert_eq!(store.recording(cause.id).await.unwrap(), None);
    assert_eq!(store.sweep(Timestamp(101_000_000), &retention).await.unwrap().total(), 0);

    store.record(&[decision(95, "a")]).await.unwrap();
    assert_eq!(all(store).await, [95, 90, 1], "nothing folds into a stub");
    let swept = store.sweep(Timestamp(302_000_000), &retention).await.unwrap();
    assert_eq!((swept.by_age, swept.stubs, all(store).await), (3, 0, vec![]));
}

async fn a_sweep_keeps_the_newest_of_each_subject(store: &dyn Store) {
    let pending = |n, name| Decision { outcome: Outcome::Pending, ..decision(n, name) };
    store.record(&[pending(1, "a"), pending(2, "a"), pending(3, "a"), pending(4, "b")]).await.unwrap();
    let swept = store.sweep(Timestamp(0), &Retention { per_subject: 2, ..Retention::default() }).await.unwrap();
    assert_eq!((swept.by_count, swept.total()), (1, 1));
    assert_eq!(all(store).await, [4, 3, 2]);
}

async fn a_sweep_deletes_the_oldest_beyond_the_quota(store: &dyn Store) {
    let rows: Vec<_> = (1..=6).map(|n| decision(n, &format!("p{n}"))).collect();
    store.record(&rows).await.unwrap();
    let quota = |decisions, bytes| Retention { per_feature: Quota { decisions, bytes }, ..Retention::default() };
    let swept = store.sweep(Timestamp(0), &quota(4, 1 << 30)).await.unwrap();
    assert_eq!((swept.by_quota, swept.total()), (2, 2));
    assert_eq!(all(store).await, [6, 5, 4, 3]);
    let one = u64::try_from(serde_json::to_string(&rows[0]).unwrap().len()).unwrap();
    let swept = store.sweep(Timestamp(0), &quota(100, one * 2 + 20)).await.unwrap();
    assert_eq!((swept.by_quota, swept.total()), (2, 2));
    assert_eq!(all(store).await, [6, 5]);
    // An outcome makes a row longer, and the count of bytes follows.
    store.set_outcome(id(5), Outcome::Done, vec![bound(&"x".repeat(100))]).await.unwrap();
    assert_eq!(store.sweep(Timestamp(0), &quota(100, one * 2 + 20)).await.unwrap().by_quota, 1);
    assert_eq!(all(store).await, [6]);
}

async fn recordings_count_in_the_quota_and_go_before_decisions_do(store: &dyn Store) {
    let rows: Vec<_> = (1..=4).map(|n| decision(n, &format!("p{n}"))).collect();
    store.record(&rows).await.unwrap();
    for n in 1..=4 {
        store.put_recording(id(n), &[7; 1_000]).await.unwrap();
    }
    store.put_recording(id(2), &[7; 5_000]).await.unwrap();
    let bytes: usize = rows.iter().map(|row| serde_json::to_string(row).unwrap().len()).sum();
    let quota = |bytes: usize| Retention {
        per_feature: Quota { decisions: 100, bytes: u64::try_from(bytes).unwrap() },
        ..Retention::default()
    };
    let left = async || {
        let mut there = Vec::new();
        for n in 1..=4 {
            there.extend(store.recording(id(n)).await.unwrap().map(|_| n));
        }
        there
    };
    assert_eq!(store.sweep(Timestamp(0), &quota(bytes + 8_000)).await.unwrap().recordings, 0);
    let swept = store.sweep(Timestamp(0), &quota(bytes + 3_000)).await.unwrap();
    assert_eq!((swept.recordings, swept.total(), left().await), (2, 0, vec![3, 4]));
    let swept = store.sweep(Timestamp(0), &quota(bytes - 1)).await.unwrap();
    assert_eq!((swept.recordings, swept.by_quota, all(store).await), (2, 1, vec![4, 3, 2]));
}

async fn a_quota_cuts_a_cause_first_and_deletes_it_next(store: &dyn Store) {
    let mut rows: Vec<_> = (1..=3).map(|n| decision(n, &format!("p{n}"))).collect();
    rows[2].causes = vec![id(1)];
    store.record(&rows).await.unwrap();
    let none = Retention { per_feature: Quota { decisions: 0, bytes: 0 }, ..Retention::default() };
    let first = store.sweep(Timestamp(0), &none).await.unwrap();
    assert_eq!((first.by_quota, first.stubs, all(store).await), (3, 1, vec![1]));
    let second = store.sweep(Timestamp(0), &none).await.unwrap();
    assert_eq!((second.by_quota, second.stubs, all(store).await), (1, 0, vec![]));
}

async fn a_sweep_is_bounded_and_says_that_more_is_waiting(store: &dyn Store) {
    let rows: Vec<_> = (1..=SWEEP_ROWS + 1).map(|n| decision(n, &format!("p{n}"))).collect();
    store.record(&rows).await.unwrap();
    let retention = Retention::default();
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

async fn an_export_can_be_of_a_time(store: &dyn Store) {
    let rows: Vec<_> = (1..=9).map(|n| decision(n, &format!("p{n}"))).collect();
    store.record(&rows).await.unwrap();
    let (since, until) = (Some(Timestamp(3_000_000)), Some(Timestamp(6_000_000)));
    let mut out = Vec::new();
    let filter = Filter { since, until, kind: Some("Pod".to_owned()), ..Filter::default() };
    assert_eq!(store.export(&filter, &mut out).await.unwrap(), 3);
    let read: Vec<Decision> =
        out.split_inclusive(|b| *b == b'\n').map(|l| serde_json::from_slice(l).unwrap()).collect();
    assert_eq!(ids(&read), [5, 4, 3]);
}

async fn a_question_finds_what_reading_every_row_would(store: &dyn Store) {
    questions::fill(store).await;
    questions::hold(store).await;
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
    a_sentence_may_hold_any_character
    a_repeat_folds_into_the_newest_row_of_its_subject
    a_different_verdict_between_repeats_starts_a_new_row
    a_decision_with_actions_is_never_folded
    recording_an_id_twice_changes_nothing
    a_batch_recorded_twice_counts_its_repeats_once
    what_the_journal_kept_is_applied_in_order_and_only_once
    every_field_of_the_filter_restricts
    a_question_finds_what_reading_every_row_would
    a_decision_is_found_by_everything_it_is_about
    what_followed_from_a_decision_is_found_oldest_first
    decisions_are_found_by_their_ids
    pages_follow_each_other_without_gap_or_repeat
    a_page_is_never_longer_than_its_bound
    outcome_and_effect_are_written_later
    state_is_written_only_over_the_version_that_was_read
    a_replaced_leader_cannot_write_state
    samples_roll_up_into_minutes_and_hours
    samples_are_kept_as_long_as_their_resolution_says
    a_series_too_many_is_refused_and_counted
    a_recording_goes_with_its_decision
    recordings_stay_an_hour_and_one_in_a_thousand_stays
    a_sweep_deletes_by_age_since_the_last_repeat
    a_cause_outlives_its_age_as_a_stub
    a_sweep_keeps_the_newest_of_each_subject
    a_sweep_deletes_the_oldest_beyond_the_quota
    recordings_count_in_the_quota_and_go_before_decisions_do
    a_quota_cuts_a_cause_first_and_deletes_it_next
    a_sweep_is_bounded_and_says_that_more_is_waiting
    an_export_is_one_line_a_decision_over_all_pages
    an_export_can_be_of_a_time
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
