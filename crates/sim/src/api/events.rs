//! Events under their two names.
//!
//! `v1` and `events.k8s.io/v1` events are the same objects with some fields called otherwise; the core form is stored.

use super::json::Json;
use crate::tree::Value;

/// Core name, new name.
const NAMES: &[(&str, &str)] = &[
    ("involvedObject", "regarding"),
    ("message", "note"),
    ("source", "deprecatedSource"),
    ("firstTimestamp", "deprecatedFirstTimestamp"),
    ("lastTimestamp", "deprecatedLastTimestamp"),
    ("count", "deprecatedCount"),
    ("reportingComponent", "reportingController"),
];

pub(crate) fn to_new(mut event: Value) -> Value {
    for (core, new) in NAMES {
        if let Some(value) = event.cut(&[core]) {
            event.put(&[new], value);
        }
    }
    event.put(&["apiVersion"], "events.k8s.io/v1");
    event
}

pub(crate) fn to_core(mut event: Value) -> Value {
    for (core, new) in NAMES {
        if let Some(value) = event.cut(&[new]) {
            event.put(&[core], value);
        }
    }
    event.put(&["apiVersion"], "v1");
    event
}
