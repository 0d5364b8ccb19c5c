//! The law of folding: however repeats arrive and are batched, nothing is lost and nothing is counted twice.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use std::collections::BTreeMap;

use keelson_core::decision::{Outcome, Verb};
use keelson_core::{Decision, DecisionId, Feature, ObjectRef, Reason, Timestamp};
use keelson_store::{Filter, MAX_PAGE, MemoryStore, Store};
use proptest::prelude::*;
use uuid::Uuid;

fn decision(n: usize, subject: u8, reason: u8) -> Decision {
    let n = u32::try_from(n).unwrap() + 1;
    let at = Timestamp(i64::from(n));
    let subject = ObjectRef::namespaced("Pod", "shop", &format!("p{subject}"));
    let reason_of = if reason == 0 { Reason::Unschedulable } else { Reason::UnsupportedFeature };
    let outcome = if reason == 2 { Outcome::Pending } else { Outcome::NoAction };
    let new = Decision::new((Feature::Scheduling, "placement"), n.into(), subject, (Verb::Wait, reason_of), "", at);
    Decision { id: DecisionId(Uuid::from_u128(u128::from(n))), outcome, fence: 1, ..new }
}

type Key = (String, Reason, Outcome);

fn totals(rows: &[Decision]) -> BTreeMap<Key, (u32, Timestamp)> {
    let mut totals = BTreeMap::new();
    for d in rows {
        let total = totals.entry((d.subject.name.clone(), d.reason, d.outcome)).or_insert((0, d.last_at));
        *total = (total.0 + d.count, total.1.max(d.last_at));
    }
    totals
}

proptest! {
    #[test]
    fn folding_keeps_totals_and_the_last_moment(
        verdicts in prop::collection::vec((0_u8..3, 0_u8..3), 0..200),
        batch in 1_usize..20,
    ) {
        let given: Vec<_> = verdicts.iter().enumerate().map(|(n, (s, r))| decision(n, *s, *r)).collect();
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let rows = runtime.block_on(async {
            let store = MemoryStore::new();
            for batch in given.chunks(batch) {
                store.record(batch).await.unwrap();
            }
            store.decisions(&Filter { limit: MAX_PAGE, ..Filter::default() }).await.unwrap().decisions
        });
        prop_assert_eq!(totals(&rows), totals(&given));
        prop_assert!(rows.windows(2).all(|pair| pair[0].id > pair[1].id));
    }
}
