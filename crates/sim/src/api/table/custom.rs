//! Rows of custom resources: their own printer columns.

use keelson_core::Timestamp;

use super::{super::json::Json, age};
use crate::tree::{Value, json};

pub(super) fn columns(version: &Value) -> Vec<Value> {
    let mut columns = vec![super::column("Name")];
    match version.items(&["additionalPrinterColumns"]) {
        [] => columns.push(json!({"name": "Age", "type": "date", "format": "", "description": "Age", "priority": 0})),
        own => columns.extend(own.iter().map(|column| {
            json!({
                "name": column.at(&["name"]), "type": column.at(&["type"]), "format": column.text(&["format"]),
                "description": match column.text(&["description"]) {
                    "" => format!("Custom resource definition column (in JSONPath format): {}", column.text(&["jsonPath"])),
                    text => text.to_owned(),
                },
                "priority": column.int(&["priority"]).unwrap_or(0),
            })
        })),
    }
    columns
}

pub(super) fn cells(version: &Value, object: &Value, now: Timestamp) -> Vec<Value> {
    let mut cells = vec![object.at(&["metadata", "name"]).clone()];
    match version.items(&["additionalPrinterColumns"]) {
        [] => cells.push(json!(age::since(object.text(&["metadata", "creationTimestamp"]), now))),
        own => cells.extend(own.iter().map(|column| {
            let found = find(object, column.text(&["jsonPath"]));
            match (column.text(&["type"]), found) {
                ("date", Some(Value::String(time))) => json!(age::since(&time, now)),
                ("date", _) => json!("<unknown>"),
                ("string", Some(value)) => match value {
                    Value::String(_) => value,
                    other => json!(other.to_string()),
                },
                (_, Some(value)) => value,
                (_, None) => Value::Null,
            }
        })),
    }
    cells
}

/// The JSON paths that printer columns use: fields, `[0]`, `[?(@.type=="Ready")]` and quoted keys.
pub(super) fn find(object: &Value, path: &str) -> Option<Value> {
    let mut here = object;
    let mut rest = path;
    while !rest.is_empty() {
        if let Some(inner) = rest.strip_prefix('[') {
            let (step, after) = inner.split_once(']')?;
            rest = after;
            here = match step.strip_prefix("?(@.") {
                Some(filter) => {
                    let (field, wanted) = filter.strip_suffix(')').unwrap_or(filter).split_once("==")?;
                    let wanted = wanted.trim().trim_matches(['"', '\'']);
                    here.items(&[]).iter().find(|item| item.text(&[field.trim()]) == wanted)?
                }
                None => match step.parse::<usize>() {
                    Ok(index) => here.as_array()?.get(index)?,
                    Err(_) => here.get(step.trim_matches(['"', '\'']))?,
                },
            };
        } else {
            let field = rest.trim_start_matches('.');
            let mut end = field.len();
            let mut key = String::new();
            let mut escaped = false;
            for (at, c) in field.char_indices() {
                match c {
                    '\\' if !escaped => escaped = true,
                    '.' | '[' if !escaped => {
                        end = at;
                        break;
                    }
                    other => {
                        escaped = false;
                        key.push(other);
                    }
                }
            }
            rest = field.get(end..)?;
            here = here.get(&key)?;
        }
    }
    (!here.is_null()).then(|| here.clone())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_of_printer_columns() {
        let object = json!({
            "status": {"conditions": [{"type": "A", "status": "x"}, {"type": "Ready", "status": "True"}]},
            "metadata": {"labels": {"a.b/c": "v"}}, "list": [1, 2],
        });
        for (path, value) in [
            (r#".status.conditions[?(@.type=="Ready")].status"#, json!("True")),
            (r".metadata.labels.a\.b/c", json!("v")),
            (".list[1]", json!(2)),
            (".metadata.labels['a.b/c']", json!("v")),
        ] {
            assert_eq!(find(&object, path), Some(value), "{path}");
        }
        assert_eq!(find(&object, ".nothing.here"), None);
    }
}
