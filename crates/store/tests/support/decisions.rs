//! Decisions for tests, in one line each.
#![allow(dead_code)]

use std::collections::BTreeMap;

use keelson_core::decision::{Effect, Outcome, Verb};
use keelson_core::{Decision, DecisionId, Feature, Mode, ObjectRef, PlanId, Reason, Span, Timestamp};
use uuid::Uuid;

pub(crate) fn id(n: u128) -> DecisionId {
    DecisionId(Uuid::from_u128(n))
}

/// Decision `n`, made `n` seconds after the epoch about pod shop/`name`.
pub(crate) fn decision(n: u32, name: &str) -> Decision {
    let at = Timestamp(i64::from(n) * 1_000_000);
    let (subject, what) = (ObjectRef::namespaced("Pod", "shop", name), (Verb::Wait, Reason::Unschedulable));
    let sentence = "Needs 500m cpu, 100% of node-3 is taken.";
    Decision {
        id: id(u128::from(n)),
        mode: Mode::Enforce,
        plan: PlanId(Uuid::from_u128(u128::from(n))),
        fence: 1,
        took: Span::micros(62),
        ..Decision::new((Feature::Scheduling, "placement"), 0, subject, what, sentence, at)
    }
}

/// The same, with actions about to start; each about a pod of its own.
pub(crate) fn pending(n: u32) -> Decision {
    Decision { outcome: Outcome::Pending, ..decision(n, &format!("p{n}")) }
}

pub(crate) fn effect(sentence: &str) -> Effect {
    Effect { at: Timestamp(9), sentence: sentence.to_owned(), as_predicted: Some(true), figures: BTreeMap::new() }
}
