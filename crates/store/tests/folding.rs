//! The law of folding: however repeats arrive and are batched, nothing is lost and nothing is counted twice.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use std::collections::BTreeMap;

use keelson_core::decision::{Outcome, Trigger, Verb};
use keelson_core::{Decision, DecisionId, Feature, Mode, ObjectRef, PlanId, Reason, Span, Timestamp};
use keelson_store::{Filter, MAX_PAGE, MemoryStore, Store};
use proptest::prelude::*;
use uuid::Uuid;

fn decision(n: usize, subject: u8, reason: u8) -> Decision {
    let n = u32::try_from(n).unwrap() + 1;
    let at = Timestamp(i64::from(n));
    Decision {
        id: DecisionId(Uuid::from_u128(u128::from(n))),
        at,
        feature: Feature::Scheduling,
        controller: "placement".to_owned(),
        mode: Mode::Observe,
        subject: ObjectRef::namespaced("Pod", "shop", &format!("p{subject}")),
        trigger: Trigger::Timer,
        causes: Vec::new(),
        cause_count: 0,
        related: Vec::new(),
        verb: Verb::Wait,
        reason: if reason == 0 { Reason::Unschedulable } else { Reason::UnsupportedFeature },
        sentence: String::new(),
        chosen: None,
        candidates: Vec::new(),
        inputs: BTreeMap::new(),
        plan: PlanId(Uuid::nil()),
        outcome: if reason == 2 { Outcome::Pending } else { Outcome::NoAction },
        steps: Vec::new(),
        effect: None,
        fence: 1,
        trace_id: String::new(),
        took: Span::ZERO,
        count: 1,
        last_at: at,
    }
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
