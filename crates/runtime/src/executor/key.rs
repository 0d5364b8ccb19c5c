//! Telling whether something was done already.
//!
//! A process that died between acting and writing it down comes back, decides again and acts again. The key lets it see
//! that the second act is the first: a hash of whom it acts on, how, and what should be. Never the decision's id, which is
//! another each time.

use keelson_core::ObjectRef;
use serde_json::Value;
use sha2::{Digest, Sha256};

/// Annotation on objects Keelson creates or applies: the key of the act that last did.
pub(super) const ANNOTATION: &str = "keelson.dev/key";

/// 32 hexadecimal digits of SHA-256 over the object, the verb and the intent, keys in order.
pub(super) fn key(object: &ObjectRef, verb: &str, intent: &Value) -> String {
    let mut text = String::new();
    canonical(intent, &mut text);
    let parts = [&object.uid, &object.group, &object.kind, &object.namespace, &object.name, verb, &text];
    let mut hash = Sha256::new();
    for part in parts {
        hash.update(part.len().to_le_bytes());
        hash.update(part.as_bytes());
    }
    hash.finalize().iter().take(16).map(|byte| format!("{byte:02x}")).collect()
}

fn canonical(value: &Value, out: &mut String) {
    match value {
        Value::Object(fields) => {
            let mut names: Vec<_> = fields.iter().collect();
            names.sort_by_key(|(name, _)| *name);
            out.push('{');
            for (name, field) in names {
                out.push_str(&Value::from(name.as_str()).to_string());
                out.push(':');
                canonical(field, out);
                out.push(',');
            }
            out.push('}');
        }
        Value::Array(items) => {
            out.push('[');
            for item in items {
                canonical(item, out);
                out.push(',');
            }
            out.push(']');
        }
        leaf => out.push_str(&leaf.to_string()),
    }
}

/// Whether `live` is already as `intent` wants it: every field of the intent is there with its value. Items of lists that
/// Kubernetes merges by a key are found by it; other lists must be equal.
pub(super) fn contains(live: &Value, intent: &Value) -> bool {
    match (live, intent) {
        (Value::Object(live), Value::Object(intent)) => {
            intent.iter().all(|(name, wanted)| live.get(name).is_some_and(|there| contains(there, wanted)))
        }
        (Value::Array(live), Value::Array(intent)) => match merge_key(intent) {
            Some(key) => intent.iter().all(|wanted| {
                live.iter().find(|there| there.get(key) == wanted.get(key)).is_some_and(|there| contains(there, wanted))
            }),
            None => {
                live.len() == intent.len() && live.iter().zip(intent).all(|(there, wanted)| contains(there, wanted))
            }
        },
        _ => live == intent,
    }
}

/// The key by which Kubernetes merges such a list: conditions by type, most others by name.
fn merge_key(items: &[Value]) -> Option<&'static str> {
    let all_have = |key: &&str| !items.is_empty() && items.iter().all(|item| item.get(*key).is_some());
    ["type", "name"].into_iter().find(all_have)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_restarted_process_computes_the_same_key() {
        let pod = ObjectRef::namespaced("Pod", "a", "b").with_uid("u");
        let one = key(&pod, "create", &json!({"spec": {"a": 1, "b": [2]}}));
        assert_eq!(one, key(&pod, "create", &json!({"spec": {"b": [2], "a": 1}})), "whatever the order of fields");
        assert_ne!(one, key(&pod, "apply", &json!({"spec": {"a": 1, "b": [2]}})));
        assert_ne!(one, key(&pod, "create", &json!({"spec": {"a": 1, "b": [3]}})));
        assert_ne!(one, key(&pod.clone().with_uid("v"), "create", &json!({"spec": {"a": 1, "b": [2]}})));
        let of = |intent| key(&pod, "create", &intent);
        assert_ne!(of(json!({"b": [2, 3]})), of(json!({"b": [23]})));
        assert_ne!(of(json!({"a": {"b": 1}, "c": 2})), of(json!({"a": {"b": 1, "c": 2}})));
    }

    #[test]
    fn what_is_there_already_is_seen() {
        let live =
            json!({"spec": {"a": 1, "z": 9}, "list": [{"type": "B"}, {"type": "A", "x": 1, "y": 2}], "flat": [1, 2]});
        for (intent, there) in [
            (json!({"spec": {"a": 1}}), true),
            (json!({"spec": {"a": 2}}), false),
            (json!({"list": [{"type": "A", "x": 1}]}), true),
            (json!({"list": [{"type": "C"}]}), false),
            (json!({"flat": [1]}), false),
            (json!({"flat": [1, 2]}), true),
            (json!({"missing": null}), false),
            (json!({"list": []}), false),
            (json!({"list": [{"type": "A", "x": 2}]}), false),
            (json!({"flat": [1, 3]}), false),
        ] {
            assert_eq!(contains(&live, &intent), there, "{intent}");
        }
    }
}
