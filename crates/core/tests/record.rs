//! The decision record keeps its meaning through JSON, and knows its own repeats.
#![allow(clippy::unwrap_used, reason = "tests")]

use std::collections::BTreeMap;

use keelson_core::{
    Action, ActionKind, Candidate, Check, Decision, Feature, IdSource, Mode, ObjectRef, Outcome, Reason, Score, Span,
    Timestamp, Trigger, Verb,
};

struct Seed(u8);
impl IdSource for Seed {
    fn random(&self) -> [u8; 16] {
        [self.0; 16]
    }
}

fn placed(at: Timestamp) -> Decision {
    let pod = ObjectRef::namespaced("Pod", "shop", "cart-0").with_uid("u-1");
    Decision {
        id: Seed(1).decision_id(at),
        at,
        feature: Feature::Scheduling,
        controller: "scheduler".into(),
        mode: Mode::Enforce,
        subject: pod.clone(),
        trigger: Trigger::Watch(pod),
        causes: vec![],
        cause_count: 0,
        related: Vec::new(),
        verb: Verb::Place,
        reason: Reason::PodPlaced,
        sentence: "Placed shop/cart-0 on node-3.".into(),
        chosen: Some("node-3".into()),
        candidates: vec![
            Candidate {
                name: "node-3".into(),
                total: Some(171),
                scores: vec![Score { name: "NodeResourcesFit".into(), value: 97, weight: 1 }],
                failed: vec![],
            },
            Candidate {
                name: "node-1".into(),
                total: None,
                scores: vec![],
                failed: vec![Check {
                    name: "NodeResourcesFit".into(),
                    text: "needs 500m cpu, 380m free: short 120m".into(),
                    nodes: 1,
                }],
            },
        ],
        inputs: BTreeMap::from([("nodes".into(), "2".into())]),
        plan: Seed(2).plan_id(at),
        outcome: Outcome::Pending,
        actions: Vec::new(),
        steps: vec![],
        effect: None,
        fence: 7,
        trace_id: String::new(),
        took: Span::micros(62),
        count: 1,
        last_at: at,
    }
}

#[test]
fn a_record_survives_json_unchanged() {
    let record = placed(Timestamp(1_800_000_000_000_000));
    let text = serde_json::to_string(&record).unwrap();
    assert_eq!(serde_json::from_str::<Decision>(&text).unwrap(), record);
}

#[test]
fn a_record_written_before_a_field_existed_can_still_be_read() {
    let mut json = serde_json::to_value(placed(Timestamp(0))).unwrap();
    for later in ["count", "cause_count", "inputs", "steps", "effect", "trace_id"] {
        json.as_object_mut().unwrap().remove(later);
    }
    assert_eq!(serde_json::from_value::<Decision>(json).unwrap().count, 1);
}

#[test]
fn the_same_verdict_later_is_a_repeat_and_another_node_is_not() {
    let first = placed(Timestamp(0));
    let again = placed(Timestamp(5_000_000));
    assert!(first.is_repeated_by(&again));
    let elsewhere = Decision { chosen: Some("node-4".into()), ..again.clone() };
    assert!(!first.is_repeated_by(&elsewhere));
    let recreated = Decision { subject: again.subject.clone().with_uid("u-2"), ..again };
    assert!(!first.is_repeated_by(&recreated), "a recreated pod of the same name is another subject");
}

#[test]
fn every_reason_is_its_own_name() {
    for reason in Reason::ALL {
        assert_eq!(serde_json::to_value(reason).unwrap(), reason.as_str());
        assert!(reason.as_str().chars().next().unwrap().is_ascii_uppercase());
    }
}

#[test]
fn modes_are_ordered_and_read_in_any_case() {
    assert!(Mode::Off < Mode::Observe && Mode::Observe < Mode::Enforce);
    assert_eq!("enforce".parse::<Mode>().unwrap(), Mode::Enforce);
    let error = "on".parse::<Mode>().unwrap_err().to_string();
    assert_eq!(error, "mode \"on\" is unknown; use Off, Observe or Enforce");
}

#[test]
fn only_what_can_take_a_pod_away_asks_the_disruption_gate() {
    let bind = ActionKind::Bind { node: "node-3".into() };
    assert!(ActionKind::Evict.disrupts() && ActionKind::Delete.disrupts() && !bind.disrupts());
    let decision = placed(Timestamp(0));
    let action = Action { decision: decision.id, object: decision.subject, kind: bind };
    assert_eq!(action.to_string(), "bind Pod shop/cart-0 to node-3");
}
