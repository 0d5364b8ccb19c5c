//! Strategic merge patch (built-in kinds).
//!
//! Like a merge patch, but lists of named things merge by their key, and directives say what else to do: `$patch`
//! (`replace`, `delete`, `merge`), `$retainKeys`, `$deleteFromPrimitiveList/…` and `$setElementOrder/…`.

use super::super::{json::Json, status::Failure};
use crate::tree::{List, Map, Value};

/// Merges a patch into an object.
pub(crate) fn merge(target: &mut Value, patch: &Value) -> Result<(), Failure> {
    let Some(patch) = patch.as_object() else {
        return Err(Failure::bad_request("json: cannot unmarshal array into Go value of type map[string]interface {}"));
    };
    let mut map = match std::mem::take(target) {
        Value::Object(map) => map,
        _ => Map::new(),
    };
    merge_map(&mut map, patch, "")?;
    *target = Value::Object(map);
    Ok(())
}

/// The field that names the items of a list; none when the list is replaced whole.
fn merge_key(parent: &str, field: &str) -> Option<&'static str> {
    Some(match (parent, field) {
        (
            _,
            "containers"
            | "initContainers"
            | "ephemeralContainers"
            | "env"
            | "volumes"
            | "imagePullSecrets"
            | "secrets",
        )
        | (_, "schedulingGates" | "resourceClaims" | "webhooks" | "matchConditions") => "name",
        (_, "volumeMounts") => "mountPath",
        (_, "volumeDevices") => "devicePath",
        ("containers" | "initContainers" | "ephemeralContainers", "ports") => "containerPort",
        ("spec", "ports") => "port",
        (_, "conditions") | ("status", "addresses") => "type",
        (_, "topologySpreadConstraints") => "topologyKey",
        (_, "hostAliases" | "podIPs" | "hostIPs") => "ip",
        ("metadata", "ownerReferences") => "uid",
        ("status", "reservedFor") => "uid",
        _ => return None,
    })
}

fn merges_as_set(parent: &str, field: &str) -> bool {
    matches!((parent, field), ("metadata", "finalizers") | ("spec", "podCIDRs"))
}

fn merge_map(target: &mut Map, patch: &Map, at: &str) -> Result<(), Failure> {
    match patch.get("$patch").and_then(Value::as_str) {
        Some("replace") => {
            *target = patch.clone();
            target.remove("$patch");
            return Ok(());
        }
        Some("delete") => {
            target.clear();
            return Ok(());
        }
        Some("merge") | None => {}
        Some(other) => return Err(Failure::bad_request(format!("unrecognized directive $patch: {other}"))),
    }
    if let Some(keep) = patch.get("$retainKeys").and_then(Value::as_array) {
        target.retain(|name, _| keep.iter().any(|kept| kept == name));
    }
    for (name, value) in patch {
        if name.starts_with("$patch") || name == "$retainKeys" || name.starts_with("$setElementOrder/") {
            continue;
        }
        if let Some(list) = name.strip_prefix("$deleteFromPrimitiveList/") {
            if let Some(items) = target.get_mut(list).and_then(Value::as_array_mut) {
                let gone = value.items(&[]);
                items.retain(|item| !gone.contains(item));
            }
            continue;
        }
        merge_field(target, name, value, at)?;
    }
    for (name, order) in patch {
        if let Some(list) = name.strip_prefix("$setElementOrder/") {
            let key = merge_key(at, list);
            if let Some(items) = target.get_mut(list).and_then(Value::as_array_mut) {
                sort_as(items, order.items(&[]), key);
            }
        }
    }
    Ok(())
}

fn merge_field(target: &mut Map, name: &str, value: &Value, at: &str) -> Result<(), Failure> {
    match value {
        Value::Null => {
            target.remove(name);
        }
        Value::Object(inner) => {
            let mut map = match target.get_mut(name).map(Value::take) {
                Some(Value::Object(map)) => map,
                _ => Map::new(),
            };
            merge_map(&mut map, inner, name)?;
            target.insert(name.to_owned(), Value::Object(map));
        }
        Value::Array(items) => {
            let mut list = match target.get_mut(name).map(Value::take) {
                Some(Value::Array(list)) => list,
                _ => List::default(),
            };
            match merge_key(at, name) {
                Some(key) => merge_list(&mut list, items, key, name)?,
                None if merges_as_set(at, name) => {
                    for item in items {
                        if !list.contains(item) {
                            list.push(item.clone());
                        }
                    }
                }
                None => list.clone_from(items),
            }
            target.insert(name.to_owned(), Value::Array(list));
        }
        other => {
            target.insert(name.to_owned(), other.clone());
        }
    }
    Ok(())
}

fn merge_list(list: &mut Vec<Value>, patch: &[Value], key: &str, at: &str) -> Result<(), Failure> {
    let replaces = |item: &Value| item.text(&["$patch"]) == "replace" && item.get(key).is_none();
    if patch.iter().any(replaces) {
        *list = patch.iter().filter(|item| !replaces(item)).cloned().collect();
        return Ok(());
    }
    for item in patch {
        let Some(map) = item.as_object() else {
            return Err(Failure::bad_request(format!("error decoding patch: {at} must hold objects")));
        };
        let Some(name) = map.get(key) else {
            return Err(Failure::bad_request(format!("map: {item} does not contain declared merge key: {key}")));
        };
        let at_index = list.iter().position(|have| have.get(key) == Some(name));
        if map.get("$patch").and_then(Value::as_str) == Some("delete") {
            list.retain(|have| have.get(key) != Some(name));
            continue;
        }
        match at_index.and_then(|index| list.get_mut(index)) {
            Some(have) => {
                let mut inner = match have.take() {
                    Value::Object(inner) => inner,
                    _ => Map::new(),
                };
                merge_map(&mut inner, map, at)?;
                *have = Value::Object(inner);
            }
            None => {
                let mut inner = Map::new();
                merge_map(&mut inner, map, at)?;
                list.push(Value::Object(inner));
            }
        }
    }
    Ok(())
}

/// Items named in `order` take its order; the others stay behind the item they followed.
fn sort_as(items: &mut Vec<Value>, order: &[Value], key: Option<&str>) {
    let name = |item: &Value| key.map_or_else(|| Some(item.clone()), |key| item.get(key).cloned());
    let rank = |item: &Value| order.iter().position(|one| name(one) == name(item));
    let mut last = 0;
    let mut ranked: Vec<(usize, Value)> = Vec::with_capacity(items.len());
    for item in items.drain(..) {
        last = rank(&item).unwrap_or(last);
        ranked.push((last, item));
    }
    ranked.sort_by_key(|(rank, _)| *rank);
    items.extend(ranked.into_iter().map(|(_, item)| item));
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use crate::tree::json;

    use super::*;

    fn merged(target: Value, patch: &Value) -> Value {
        let mut target = target;
        merge(&mut target, patch).unwrap();
        target
    }

    #[test]
    fn the_directives() {
        for (target, patch, wanted) in [
            (
                json!({"metadata": {"finalizers": ["a", "b"]}}),
                json!({"metadata": {"$deleteFromPrimitiveList/finalizers": ["a"], "finalizers": ["c"]}}),
                json!({"metadata": {"finalizers": ["b", "c"]}}),
            ),
            (
                json!({"spec": {"containers": [{"name": "a"}, {"name": "b"}]}}),
                json!({"spec": {"containers": [{"$patch": "replace"}, {"name": "c"}]}}),
                json!({"spec": {"containers": [{"name": "c"}]}}),
            ),
            (
                json!({"spec": {"nodeSelector": {"a": "1", "b": "2"}}}),
                json!({"spec": {"nodeSelector": {"$patch": "replace", "c": "3"}}}),
                json!({"spec": {"nodeSelector": {"c": "3"}}}),
            ),
            (
                json!({"spec": {"containers": [{"name": "a", "env": [{"name": "X", "value": "1"}]}]}}),
                json!({"spec": {"containers": [{"name": "a", "env": [{"name": "Y", "value": "2"}]}]}}),
                json!({"spec": {"containers": [{"name": "a", "env": [{"name": "X", "value": "1"}, {"name": "Y", "value": "2"}]}]}}),
            ),
            (
                json!({"spec": {"tolerations": [{"key": "a"}], "replicas": 1}}),
                json!({"spec": {"tolerations": [{"key": "b"}], "replicas": null}}),
                json!({"spec": {"tolerations": [{"key": "b"}]}}),
            ),
        ] {
            assert_eq!(merged(target, &patch), wanted, "{patch}");
        }
    }

    #[test]
    fn an_item_without_its_key_is_refused() {
        let mut target = json!({"spec": {"containers": [{"name": "a"}]}});
        let problem = merge(&mut target, &json!({"spec": {"containers": [{"image": "x"}]}})).unwrap_err();
        assert!(problem.message.contains("does not contain declared merge key: name"), "{}", problem.message);
    }
}
