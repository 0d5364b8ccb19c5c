//! What a kind demands of its objects.

use serde_json::Value;

use super::{json::Json, kinds::Kind, status::Cause};

pub(crate) fn create(kind: &Kind, object: &Value) -> Vec<Cause> {
    let mut causes = Vec::new();
    if kind.is("", "pods") && object.items(&["spec", "containers"]).is_empty() {
        causes.push(Cause::required("spec.containers", ""));
    }
    causes
}

pub(crate) fn update(kind: &Kind, subresource: &str, old: &Value, new: &Value) -> Vec<Cause> {
    let mut causes = Vec::new();
    let fixed: &[&str] = match (kind.group, kind.plural) {
        ("apps", "deployments" | "replicasets" | "daemonsets" | "statefulsets") => &["selector"],
        _ => &[],
    };
    for field in fixed {
        let (was, is) = (old.at(&["spec", field]), new.at(&["spec", field]));
        if was != is && subresource.is_empty() {
            causes.push(Cause::invalid(format!("spec.{field}"), is, "field is immutable"));
        }
    }
    if kind.is("", "pods") && subresource.is_empty() && old.at(&["spec", "nodeName"]) != new.at(&["spec", "nodeName"]) {
        causes.push(Cause::forbidden("spec", "pod updates may not change fields other than `spec.containers[*].image`"));
    }
    causes
}
