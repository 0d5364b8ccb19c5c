//! What the Platform says of its layout.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use std::sync::Arc;

use keelson_core::{Span, Timestamp};
use serde_json::{Value, json};

use super::*;
use crate::mind::Standing;
use crate::queue::Backoff;

fn node(name: &str, in_pool: bool, tainted: bool) -> Arc<k8s_openapi::api::core::v1::Node> {
    let labels = if in_pool { json!({"keelson.dev/pool": "scheduling"}) } else { json!({}) };
    let taint = json!([{"key": "keelson.dev/pool", "value": "scheduling", "effect": "NoSchedule"}]);
    let spec = if tainted { json!({"taints": taint}) } else { json!({}) };
    Arc::new(serde_json::from_value(json!({"metadata": {"name": name, "labels": labels}, "spec": spec})).unwrap())
}

fn platform(settings: Value) -> SchedulingSettings {
    serde_json::from_value(settings).unwrap()
}

fn said(platform: &SchedulingSettings, stands_back: Option<&str>, nodes: &[(&str, bool, bool)]) -> (String, String) {
    let backoff = Backoff { initial: Span::seconds(1), max: Span::seconds(10) };
    let mut mind = Mind::new(Standing {
        settings: settings(platform, Mode::Enforce),
        backoff,
        group_wait: Span::ZERO,
        leading: true,
        held: false,
        moved_by: None,
        stands_back: stands_back.map(str::to_owned),
    });
    mind.nodes(nodes.iter().map(|(name, in_pool, tainted)| node(name, *in_pool, *tainted)), Timestamp(0));
    let condition = condition(platform, &mind);
    let sound = condition.status == ConditionStatus::True;
    assert_eq!(
        sound,
        ["PoolExclusive", "SharedNodes", "Replaces"].contains(&condition.reason.as_str()),
        "{condition:?}"
    );
    assert_eq!(!sound, UNSOUND.contains(&condition.reason.as_str()), "what is told by the metric: {condition:?}");
    (condition.reason, condition.message)
}

#[test]
fn the_pool_is_sound_once_it_has_nodes_that_are_all_tainted() {
    let dedicated = platform(json!({"layout": "Dedicated"}));
    let (reason, message) = said(&dedicated, None, &[("a", false, false)]);
    assert_eq!(reason, "NoPoolNodes");
    assert!(message.contains("label nodes keelson.dev/pool=scheduling and taint them"), "{message}");
    let mixed = [("a", true, false), ("b", true, true), ("c", false, false)];
    let (reason, message) = said(&dedicated, None, &mixed);
    assert_eq!(reason, "PoolNotExclusive");
    assert_eq!(
        message,
        "Nodes of Keelson's pool without the taint that keeps other schedulers off: 1 of 2 (a). Taint them: kubectl taint \
         nodes -l keelson.dev/pool=scheduling keelson.dev/pool=scheduling:NoSchedule --overwrite"
    );
    assert_eq!(said(&dedicated, None, &[("b", true, true)]).0, "PoolExclusive");
}

#[test]
fn what_is_left_to_others_and_who_is_waited_for_is_said() {
    let shared = |percent: i32| platform(json!({"layout": "Shared", "headroomPercent": percent}));
    assert_eq!(said(&shared(0), None, &[]).1, "0 % of every node are left to other schedulers.");
    assert_eq!(said(&shared(25), None, &[]).1, "25 % of every node are left to other schedulers.");
    let replacing = platform(json!({"layout": "Replacement", "headroomPercent": 25}));
    assert_eq!(settings(&replacing, Mode::Enforce).layout, Layout::All, "headroom is of Shared alone");
    assert_eq!(said(&replacing, None, &[]).0, "Replaces");
    let (reason, message) = said(&replacing, Some("node-1_a holds it"), &[]);
    assert_eq!(
        (reason.as_str(), message.as_str()),
        ("OtherSchedulerLeads", "Nothing of default-scheduler's is bound: node-1_a holds it.")
    );
}

#[test]
fn a_platform_from_before_layouts_places_as_before_and_says_so() {
    let old = platform(json!({}));
    assert_eq!(settings(&old, Mode::Enforce), Settings::new("keelson", Mode::Enforce));
    let (reason, message) = said(&old, None, &[]);
    assert_eq!(reason, "LayoutNotSet");
    assert!(message.contains("Dedicated, Shared or Replacement"), "{message}");
}
