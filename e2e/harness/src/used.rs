//! Which rights Keelson uses, over all runs on real clusters.
//!
//! `e2e/harness/used.txt` has every right that a Keelson was seen to use that ran under the rights of the chart or its
//! equivalent, and not as an administrator: verb, resource, group; the name and the namespace where a right can be for
//! one alone. Every run on a real cluster holds itself to it; a test of the harness compares it with what the chart grants,
//! both ways.
//!
//! Promises: what was refused counts as well, for it was asked; the list is sorted, and with `KEELSON_ASKED=add` it grows
//! and never shrinks by itself.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use serde_json::Value;

use crate::rbac::{Request, Right};

/// How every request of ours introduces itself.
const PRODUCT: &str = "keelson/";
/// Whoever is in it may do everything, so that nothing can be learned of what they need.
const ADMINISTRATORS: &str = "system:masters";
/// Kinds of which a right can be for one object, or in one namespace, alone.
const NAMED: [&str; 2] = ["leases", "platforms"];
const IN_PLACE: [&str; 1] = ["leases"];

fn path() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("used.txt")
}

/// The list.
///
/// # Errors
/// When it cannot be read, or a line is not one of its own.
pub fn listed() -> Result<BTreeSet<Right>> {
    let text = fs::read_to_string(path()).with_context(|| path().display().to_string())?;
    text.lines().map(|line| read(line).with_context(|| format!("used.txt: {line:?} is no right"))).collect()
}

/// Writes the list.
pub(crate) fn write(list: &BTreeSet<Right>) -> Result<()> {
    let lines: String = list.iter().map(|right| format!("{right}\n")).collect();
    Ok(fs::write(path(), lines)?)
}

/// The right that a request of ours uses; none when somebody else asked, or an administrator.
pub(crate) fn of_event(event: &Value) -> Option<Right> {
    let groups = event.pointer("/user/groups").and_then(Value::as_array).into_iter().flatten();
    let ours = event.get("userAgent").and_then(Value::as_str).is_some_and(|agent| agent.starts_with(PRODUCT));
    if !ours || groups.into_iter().any(|group| group == ADMINISTRATORS) {
        return None;
    }
    let Request { verb, group, resource, namespace, name } = Request::of(event)?;
    let some =
        |word: String, kinds: &[&str]| Some(word).filter(|word| !word.is_empty() && kinds.contains(&resource.as_str()));
    Some(Right { name: some(name, &NAMED), namespace: some(namespace, &IN_PLACE), verb, group, resource })
}

/// A line of the list, as it was written.
fn read(line: &str) -> Option<Right> {
    let (line, namespace) = match line.split_once(" in ") {
        Some((line, namespace)) => (line, Some(namespace.to_owned())),
        None => (line, None),
    };
    let mut words = line.split(' ');
    let (verb, what) = (words.next()?.to_owned(), words.next()?);
    let (resource, group) = what.split_once('.').unwrap_or((what, ""));
    let name = words.next().map(str::to_owned);
    Some(Right { verb, group: group.to_owned(), resource: resource.to_owned(), name, namespace })
}

/// What would be asked by whoever uses this right.
#[must_use]
pub fn request(right: &Right) -> Request {
    let Right { verb, group, resource, name, namespace } = right.clone();
    Request { verb, group, resource, namespace: namespace.unwrap_or_default(), name: name.unwrap_or_default() }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]
    use serde_json::json;

    use super::*;

    fn event(agent: &str, group: &str, of: Value) -> Value {
        json!({"userAgent": agent, "user": {"groups": [group]}, "verb": "patch", "objectRef": of})
    }

    #[test]
    fn a_use_is_read_as_it_was_written_and_names_what_a_right_can_name() {
        let lease = json!({"apiGroup": "coordination.k8s.io", "resource": "leases", "namespace": "here", "name": "l"});
        let pod = json!({"resource": "pods", "subresource": "status", "namespace": "shop", "name": "cart"});
        for (of, line) in [(lease, "patch leases.coordination.k8s.io l in here"), (pod, "patch pods/status")] {
            let used = of_event(&event("keelson/0.1.0 (scheduling; fence 1)", "system:authenticated", of)).unwrap();
            assert_eq!(used.to_string(), line);
            assert_eq!(read(line), Some(used));
        }
    }

    #[test]
    fn what_others_ask_and_what_an_administrator_asks_is_no_use() {
        let pod = json!({"resource": "pods", "namespace": "shop", "name": "cart"});
        assert_eq!(of_event(&event("kubectl/v1.36.3", "system:authenticated", pod.clone())), None);
        assert_eq!(of_event(&event("keelson/0.1.0", "system:masters", pod)), None);
    }
}
