//! Memory and SQLite agree after any calls in any order, sweeps included: what a simulation shows is what a cluster gets.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use std::sync::Arc;

use keelson_core::decision::Outcome;
use keelson_core::{Decision, Reason, Span, Timestamp};
use keelson_store::{
    Entry, Filter, MAX_PAGE, MemoryStore, Quota, Resolution, Retention, SqliteStore, Store, StoreError,
};
use proptest::prelude::*;

#[path = "support/decisions.rs"]
mod decisions;

use decisions::{decision, effect, id};

#[derive(Debug, Clone)]
enum Call {
    Record(Vec<Decision>),
    Apply(Vec<Entry>),
    Sample { series: String, at: Timestamp, value: i64 },
    Sweep { at: Timestamp, retention: Retention },
}

fn any_decision() -> impl Strategy<Value = Decision> {
    (1..60_u32, 0..3, 0..3, prop::collection::vec(1..60_u128, 0..3)).prop_map(|(n, subject, verdict, causes)| {
        let mut d = decision(n, &format!("p{subject}"));
        d.reason = if verdict == 1 { Reason::UnsupportedFeature } else { Reason::Unschedulable };
        d.outcome = if verdict == 2 { Outcome::Pending } else { Outcome::NoAction };
        d.causes = if verdict == 0 { Vec::new() } else { causes.into_iter().map(id).collect() };
        d.inputs.insert("nodes".to_owned(), "102".to_owned());
        d
    })
}

fn any_entry() -> impl Strategy<Value = Entry> {
    prop_oneof![
        any_decision().prop_map(|d| Entry::Decision(Arc::new(d))),
        (1..60_u128).prop_map(|n| Entry::Outcome { id: id(n), outcome: Outcome::Done, steps: Vec::new() }),
        (1..60_u128).prop_map(|n| Entry::Effect { id: id(n), effect: effect("ran") }),
        (1..60_u128).prop_map(|n| Entry::Recording { id: id(n), bytes: vec![1, 2, 3] }),
    ]
}

fn any_call() -> impl Strategy<Value = Call> {
    let seconds = |range: std::ops::Range<i64>| range.prop_map(|n: i64| Timestamp(n * 1_000_000));
    let retention = (10..60_i64, 60..120_i64, 1..6_u32, 2..20_u64, 1_000..8_000_u64);
    prop_oneof![
        3 => prop::collection::vec(any_decision(), 1..6).prop_map(Call::Record),
        3 => prop::collection::vec(any_entry(), 1..6).prop_map(Call::Apply),
        // More than one statement inserts at once.
        1 => prop::collection::vec(any_decision(), 40..120).prop_map(Call::Record),
        1 => prop::collection::vec(any_entry(), 40..120).prop_map(Call::Apply),
        1 => ("[ab]", seconds(0..100_000_i64), -9..9_i64)
            .prop_map(|(series, at, value)| Call::Sample { series, at, value }),
        2 => (seconds(0..100_000_i64), seconds(30..150_i64), any::<bool>(), retention).prop_map(
            |(late, soon, is_late, (age, stub_age, per_subject, decisions, bytes))| {
                let (age, stub_age) = (Span::seconds(age), Span::seconds(stub_age));
                let per_feature = Quota { decisions, bytes };
                let recordings = Span::seconds(20);
                let retention = Retention { age, stub_age, per_subject, per_feature, recordings };
                Call::Sweep { at: if is_late { late } else { soon }, retention }
            }
        ),
    ]
}

/// What a call answers, and all that can be seen after it, as text.
async fn make(store: &dyn Store, call: &Call) -> Result<String, StoreError> {
    let answer = match call {
        Call::Record(decisions) => format!("{:?}", store.record(decisions).await?),
        Call::Apply(entries) => format!("{:?}", store.apply(entries).await?),
        Call::Sample { series, at, value } => format!("{:?}", store.sample(series, *at, *value).await?),
        Call::Sweep { at, retention } => format!("{:?}", store.sweep(*at, retention).await?),
    };
    let page = store.decisions(&Filter { limit: MAX_PAGE, ..Filter::default() }).await?;
    let mut samples = Vec::new();
    for resolution in Resolution::ALL {
        samples.push(store.samples("a", Timestamp(0), resolution).await?);
    }
    let mut recordings = Vec::new();
    for n in 1..60 {
        if store.recording(id(n)).await?.is_some() {
            recordings.push(n);
        }
    }
    Ok(format!("{answer} {page:#?} {samples:?} {recordings:?}"))
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 40, failure_persistence: None, ..ProptestConfig::default() })]
    #[test]
    fn memory_and_sqlite_agree(calls in prop::collection::vec(any_call(), 1..25)) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
        runtime.block_on(async {
            let dir = tempfile::tempdir().unwrap();
            let memory = MemoryStore::new();
            let sqlite = SqliteStore::open(&dir.path().join("keelson.db")).await.unwrap();
            for call in &calls {
                let (a, b) = (make(&memory, call).await.unwrap(), make(&sqlite, call).await.unwrap());
                prop_assert_eq!(a, b, "after {:?}", call);
            }
            sqlite.close().await;
            Ok(())
        })?;
    }
}
