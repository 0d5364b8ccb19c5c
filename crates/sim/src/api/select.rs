//! Which objects a label and a field selector let through.

use std::borrow::Cow;

use keelson_core::selector::{FieldSelector, Requirement};

use super::{json::Json, kinds::Kind, labels, request::Query, status::Failure};
use crate::tree::Value;

/// Both selectors of a list or watch.
#[derive(Debug, Clone)]
pub(crate) struct Filter {
    labels: Vec<Requirement>,
    fields: FieldSelector,
    /// The one name that can match, when the fields say so.
    pub name: Option<String>,
}

impl Filter {
    pub fn of(kind: &Kind, version: &str, query: &Query) -> Result<Self, Failure> {
        let labels = labels::parse(query.text("labelSelector")).map_err(Failure::bad_request)?;
        let text = query.text("fieldSelector");
        let fields = FieldSelector::parse(text)
            .map_err(|problem| Failure::bad_request(format!("invalid field selector {text:?}: {problem}")))?;
        for term in fields.terms() {
            if !selectable(kind, version, &term.path) {
                return Err(Failure::bad_request(unselectable(kind, &term.path)));
            }
        }
        let name = name_of(&fields);
        Ok(Self { labels, fields, name })
    }

    pub fn matches(&self, object: &Value) -> bool {
        self.labels
            .iter()
            .all(|wanted| wanted.matches(object.at(&["metadata", "labels"]).get(&wanted.key).and_then(Value::as_str)))
            && self.fields.terms().iter().all(|term| (field(object, &term.path) == term.value) != term.differs)
    }
}

/// The one name that a request's field selector lets through, if it names one.
pub(crate) fn single_name(query: &Query) -> Option<String> {
    FieldSelector::parse(query.text("fieldSelector")).ok().as_ref().and_then(name_of)
}

fn name_of(fields: &FieldSelector) -> Option<String> {
    let named = fields.terms().iter().find(|term| term.path == "metadata.name" && !term.differs);
    named.map(|term| term.value.clone())
}

fn field<'a>(object: &'a Value, path: &str) -> Cow<'a, str> {
    if path == "reason" && !object.at(&["involvedObject"]).is_null() {
        return Cow::Borrowed(object.text(&["reason"]));
    }
    let mut here = object;
    for part in path.split('.').filter(|part| !part.is_empty()) {
        match here.get(part) {
            Some(next) => here = next,
            None => return Cow::Borrowed(if is_flag(path) { "false" } else { "" }),
        }
    }
    match here {
        Value::String(text) => Cow::Borrowed(text),
        Value::Null => Cow::Borrowed(""),
        Value::Object(source) if path == "source" => {
            Cow::Borrowed(source.get("component").and_then(Value::as_str).unwrap_or(""))
        }
        other => Cow::Owned(other.to_string()),
    }
}

fn is_flag(path: &str) -> bool {
    matches!(path, "spec.unschedulable" | "spec.hostNetwork")
}

/// Upstream's sentence: kinds with fields of their own each have another one.
fn unselectable(kind: &Kind, path: &str) -> String {
    match (kind.storage.group, kind.plural) {
        ("", "pods" | "nodes" | "namespaces" | "secrets" | "services" | "events" | "replicationcontrollers") => {
            format!("field label not supported: {path}")
        }
        ("batch", "jobs") => format!("field label {path:?} not supported for Job"),
        _ if kind.crd.is_some() => format!("field label not supported: {path}"),
        _ => format!("{path:?} is not a known field selector: only \"metadata.name\", \"metadata.namespace\""),
    }
}

fn selectable(kind: &Kind, version: &str, path: &str) -> bool {
    if path == "metadata.name" || (path == "metadata.namespace" && kind.namespaced) {
        return true;
    }
    if let Some(crd) = &kind.crd {
        return crd.selectable(version).iter().any(|json_path| json_path.trim_start_matches('.') == path);
    }
    let fields: &[&str] = match (kind.storage.group, kind.plural) {
        ("", "pods") => &[
            "spec.nodeName",
            "spec.restartPolicy",
            "spec.schedulerName",
            "spec.serviceAccountName",
            "spec.hostNetwork",
            "status.phase",
            "status.podIP",
            "status.nominatedNodeName",
        ],
        ("", "nodes") => &["spec.unschedulable"],
        ("", "namespaces") => &["status.phase"],
        ("", "secrets") => &["type"],
        ("", "services") => &["spec.clusterIP", "spec.type"],
        ("", "events") => &[
            "involvedObject.kind",
            "involvedObject.namespace",
            "involvedObject.name",
            "involvedObject.uid",
            "involvedObject.apiVersion",
            "involvedObject.resourceVersion",
            "involvedObject.fieldPath",
            "reason",
            "reportingComponent",
            "source",
            "type",
        ],
        ("", "replicationcontrollers") | ("apps", "replicasets") => &["status.replicas"],
        ("batch", "jobs") => &["status.successful"],
        ("resource.k8s.io", "resourceslices") => &["spec.nodeName", "spec.driver"],
        ("apiextensions.k8s.io", _) => &["spec.group"],
        _ => &[],
    };
    fields.contains(&path)
}
