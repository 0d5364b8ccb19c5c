//! What `kubectl get` prints: columns and cells.

use serde_json::{Value, json};

use super::{json::Json, kinds::Kind};

/// A table with its columns, or (later frames of a watch) without.
pub(crate) fn columns(_kind: &Kind, _version: &str, with: bool) -> Value {
    let columns = if with {
        json!([
            {"name": "Name", "type": "string", "format": "name", "description": "Name", "priority": 0},
            {"name": "Age", "type": "date", "format": "", "description": "Age", "priority": 0},
        ])
    } else {
        json!([])
    };
    json!({"kind": "Table", "apiVersion": "meta.k8s.io/v1", "metadata": {}, "columnDefinitions": columns, "rows": []})
}

pub(crate) fn cells(_kind: &Kind, _version: &str, object: &Value) -> Vec<Value> {
    vec![object.at(&["metadata", "name"]).clone(), object.at(&["metadata", "creationTimestamp"]).clone()]
}
