//! Reading and stamping fields of JSON objects.
//!
//! A missing field reads as empty, never as an error: the API has validated what it stores, and what is optional may be
//! missing. Paths are dotted field names; a key that has dots of its own (a label) is read with [`entry`].

use std::collections::BTreeMap;

use keelson_core::selector::LabelSelector;
use keelson_core::{Quantity, ResourceName, Resources, Timestamp};

use crate::tree::{Text, Value, json};

/// What names an object within its resource; the namespace is empty for cluster-scoped ones.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Key {
    /// `metadata.namespace`.
    pub namespace: Text,
    /// `metadata.name`.
    pub name: Text,
}

impl Key {
    /// The key of an object in a namespace.
    #[must_use]
    pub fn new(namespace: impl Into<Text>, name: impl Into<Text>) -> Self {
        Self { namespace: namespace.into(), name: name.into() }
    }

    /// The key of a cluster-scoped object.
    #[must_use]
    pub fn cluster(name: impl Into<Text>) -> Self {
        Self::new(Text::default(), name)
    }

    /// The key of a stored object.
    #[must_use]
    pub fn of(object: &Value) -> Self {
        let metadata = object.get("metadata");
        let part = |field| metadata.and_then(|metadata| metadata.get(field)?.as_text().cloned()).unwrap_or_default();
        Self { namespace: part("namespace"), name: part("name") }
    }
}

/// The value at a dotted path.
#[must_use]
pub fn at<'a>(object: &'a Value, path: &str) -> Option<&'a Value> {
    path.split('.').try_fold(object, |value, field| value.get(field))
}

/// The text at a path; empty when there is none.
#[must_use]
pub fn text<'a>(object: &'a Value, path: &str) -> &'a str {
    at(object, path).and_then(Value::as_str).unwrap_or("")
}

/// The integer at a path.
#[must_use]
pub fn int(object: &Value, path: &str) -> Option<i64> {
    at(object, path).and_then(Value::as_i64)
}

/// Whether the value at a path is `true`.
#[must_use]
pub fn yes(object: &Value, path: &str) -> bool {
    at(object, path).and_then(Value::as_bool).unwrap_or(false)
}

/// The elements of the list at a path.
#[must_use]
pub fn list<'a>(object: &'a Value, path: &str) -> &'a [Value] {
    at(object, path).and_then(Value::as_array).map_or(&[], Vec::as_slice)
}

/// One entry of the string map at a path, as of `metadata.annotations`.
#[must_use]
pub fn entry<'a>(object: &'a Value, path: &str, key: &str) -> Option<&'a str> {
    at(object, path)?.get(key)?.as_str()
}

/// One annotation.
#[must_use]
pub fn annotation<'a>(object: &'a Value, key: &str) -> Option<&'a str> {
    entry(object, "metadata.annotations", key)
}

/// The string map at a path.
#[must_use]
pub fn strings(object: &Value, path: &str) -> BTreeMap<String, String> {
    let entries = at(object, path).and_then(Value::as_object).into_iter().flatten();
    entries.filter_map(|(key, value)| Some((key.to_string(), value.as_str()?.to_owned()))).collect()
}

/// `metadata.name`.
#[must_use]
pub fn name(object: &Value) -> &str {
    text(object, "metadata.name")
}

/// `metadata.namespace`.
#[must_use]
pub fn namespace(object: &Value) -> &str {
    text(object, "metadata.namespace")
}

/// `metadata.uid`.
#[must_use]
pub fn uid(object: &Value) -> &str {
    text(object, "metadata.uid")
}

/// `metadata.labels`.
#[must_use]
pub fn labels(object: &Value) -> BTreeMap<String, String> {
    strings(object, "metadata.labels")
}

/// Whether the object waits for its deletion.
#[must_use]
pub fn is_leaving(object: &Value) -> bool {
    at(object, "metadata.deletionTimestamp").is_some_and(|time| !time.is_null())
}

/// The owner that is marked as controller.
#[must_use]
pub fn controller(object: &Value) -> Option<&Value> {
    list(object, "metadata.ownerReferences").iter().find(|owner| yes(owner, "controller"))
}

/// The label selector at a path; none when it is missing or malformed.
#[must_use]
pub fn selector(object: &Value, path: &str) -> Option<LabelSelector> {
    at(object, path)?.read().ok()
}

/// The time at a path.
#[must_use]
pub fn time(object: &Value, path: &str) -> Option<Timestamp> {
    Timestamp::parse(at(object, path)?.as_str()?).ok()
}

/// A time as most fields hold it: whole seconds.
#[must_use]
pub fn stamp(time: Timestamp) -> String {
    Timestamp(time.as_seconds().saturating_mul(1_000_000)).to_string()
}

/// A time as `MicroTime` fields hold it: always six digits.
#[must_use]
pub fn micro_stamp(time: Timestamp) -> String {
    let seconds = stamp(time);
    format!("{}.{:06}Z", seconds.trim_end_matches('Z'), time.0.rem_euclid(1_000_000))
}

/// The amounts of the quantity map at a path; what cannot be read counts as nothing.
#[must_use]
pub fn amounts(object: &Value, path: &str) -> Resources {
    let entries = at(object, path).and_then(Value::as_object).into_iter().flatten();
    entries
        .filter_map(|(name, value)| {
            let name = ResourceName::from(name.as_str());
            let amount = name.amount_of(&quantity(value)?);
            Some((name, amount))
        })
        .collect()
}

/// A quantity written as text or as a number.
#[must_use]
pub fn quantity(value: &Value) -> Option<Quantity> {
    match value {
        Value::String(text) => text.parse().ok(),
        Value::Number(number) => number.to_string().parse().ok(),
        _ => None,
    }
}

/// A condition of `status.conditions`.
#[must_use]
pub fn condition<'a>(object: &'a Value, kind: &str) -> Option<&'a Value> {
    list(object, "status.conditions").iter().find(|condition| text(condition, "type") == kind)
}

/// Whether a condition is `True`.
#[must_use]
pub fn holds(object: &Value, kind: &str) -> bool {
    condition(object, kind).is_some_and(|condition| text(condition, "status") == "True")
}

/// A condition as it should be.
#[derive(Debug, Clone, Copy)]
pub struct Wanted<'a> {
    /// Its type.
    pub kind: &'a str,
    /// `True`, `False` or `Unknown`.
    pub status: &'a str,
    /// CamelCase; empty to leave it out.
    pub reason: &'a str,
    /// A sentence; empty to leave it out.
    pub message: &'a str,
}

/// Puts a condition into a list of conditions. The transition time moves with the status alone. Says whether anything
/// changed.
pub fn put_condition(conditions: &mut Vec<Value>, wanted: Wanted<'_>, now: Timestamp) -> bool {
    let known = conditions.iter_mut().find(|condition| text(condition, "type") == wanted.kind);
    let since = match &known {
        Some(known) if text(known, "status") == wanted.status => {
            if text(known, "reason") == wanted.reason && text(known, "message") == wanted.message {
                return false;
            }
            text(known, "lastTransitionTime").to_owned()
        }
        _ => stamp(now),
    };
    let mut next = json!({"type": wanted.kind, "status": wanted.status, "lastTransitionTime": since});
    if let Some(fields) = next.as_object_mut() {
        for (field, value) in [("reason", wanted.reason), ("message", wanted.message)] {
            if !value.is_empty() {
                fields.insert(field.to_owned(), Value::from(value));
            }
        }
    }
    match known {
        Some(known) => *known = next,
        None => conditions.push(next),
    }
    true
}

/// An owner reference that makes `owner` the controller of what carries it.
#[must_use]
pub fn owned_by(owner: &Value, api_version: &str, kind: &str) -> Value {
    json!({
        "apiVersion": api_version, "kind": kind, "name": name(owner), "uid": uid(owner),
        "controller": true, "blockOwnerDeletion": true,
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::indexing_slicing)]
    use super::*;

    #[test]
    fn a_micro_time_has_six_digits() {
        assert_eq!(micro_stamp(Timestamp(1_500_000)), "1970-01-01T00:00:01.500000Z");
        assert_eq!(stamp(Timestamp(1_999_999)), "1970-01-01T00:00:01Z");
    }

    #[test]
    fn a_condition_keeps_its_time_until_its_status_changes() {
        let mut conditions = Vec::new();
        let ready = |status, reason| Wanted { kind: "Ready", status, reason, message: "" };
        assert!(put_condition(&mut conditions, ready("False", "Starting"), Timestamp(0)));
        assert!(put_condition(&mut conditions, ready("False", "Slow"), Timestamp(9_000_000)));
        assert!(!put_condition(&mut conditions, ready("False", "Slow"), Timestamp(9_000_000)));
        assert_eq!(text(&conditions[0], "lastTransitionTime"), "1970-01-01T00:00:00Z");
        assert!(put_condition(&mut conditions, ready("True", ""), Timestamp(9_000_000)));
        assert_eq!(text(&conditions[0], "lastTransitionTime"), "1970-01-01T00:00:09Z");
    }
}
