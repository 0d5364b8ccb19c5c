//! The four ways to write a patch, and who owns which field.

pub(crate) mod apply;
pub(crate) mod fields;
pub(crate) mod managed;
pub(crate) mod shape;
pub(crate) mod strategic;

use std::sync::Arc;

use json_patch::{AddOperation, PatchOperation, ReplaceOperation};

use super::{
    Api, events,
    json::Json,
    request::{Call, PatchType},
    status::{Cause, Failure},
    storage::Object,
    typed,
    verbs::Ownership,
};
use crate::tree::{Value, json};

impl Api {
    /// Patches an object, or its status when the call says so; an apply may create.
    pub(super) fn patch(&mut self, call: &Call, how: PatchType, patch: &Value) -> Result<Arc<Object>, Failure> {
        if how == PatchType::Apply {
            return self.apply(call, patch);
        }
        let old = self.read(call)?;
        let mut base = (*old.value).clone();
        if call.kind.group == "events.k8s.io" {
            base = events::to_new(base);
        }
        let mut new = patched(call, how, base, patch)?;
        if call.kind.group == "events.k8s.io" {
            new = events::to_core(new);
        }
        self.change(call, &old, new, Ownership::Changed)
    }

    fn apply(&mut self, call: &Call, config: &Value) -> Result<Arc<Object>, Failure> {
        if call.manager.is_empty() || call.query.text("fieldManager").is_empty() {
            let cause = Cause::required("fieldManager", "is required for apply patch");
            return Err(Failure::invalid_options("PatchOptions", &cause));
        }
        if let Some(field) = typed::undeclared(&call.kind, config) {
            let [namespace, name] = ["namespace", "name"].map(|field| config.text(&["metadata", field]));
            let (group, version, kind) = (call.kind.group, call.version, call.kind.kind);
            let of = format!("{namespace}/{name}; {group}/{version}, Kind={kind}");
            let message = format!("failed to create typed patch object ({of}): .{field}: field not declared in schema");
            return Err(Failure::new(500, "", message));
        }
        let mut config = config.clone();
        let unnamed = config.text(&["metadata", "name"]).is_empty();
        if unnamed {
            config.put(&["metadata", "name"], call.name.as_str());
        }
        if config.text(&["metadata", "name"]) != call.name {
            return Err(Failure::bad_request(format!(
                "the name of the object ({}) does not match the name on the URL ({})",
                config.text(&["metadata", "name"]),
                call.name
            )));
        }
        match self.read(call) {
            Ok(old) => {
                let uid = config.at(&["metadata", "uid"]);
                if !uid.is_null() && uid.as_str() != Some(old.uid()) {
                    let cause = Cause::invalid("metadata.uid", uid, "field is immutable");
                    return Err(Failure::invalid(&call.kind, &call.name, &[cause]));
                }
                let new = apply::applied(call, Some(&old.value), &config)?;
                self.change(call, &old, new, Ownership::Applied)
            }
            Err(missing) if !call.subresource.is_empty() => Err(missing),
            Err(_) if unnamed => Err(Failure::bad_request(format!(
                "the name of the object ({} based on URL) was undeterminable: name must be provided",
                call.name
            ))),
            Err(missing) => {
                if !config.text(&["metadata", "uid"]).is_empty() {
                    return Err(missing);
                }
                if !config.text(&["metadata", "resourceVersion"]).is_empty() {
                    return Err(Failure::modified(&call.kind, &call.name));
                }
                let new = apply::applied(call, None, &config)?;
                self.create_instead(call, new, Ownership::Applied)
            }
        }
    }
}

/// Upstream replaces a key that is not there as well.
fn placed(document: &serde_json::Value, operation: PatchOperation) -> PatchOperation {
    match operation {
        PatchOperation::Replace(ReplaceOperation { path, value }) if document.pointer(path.as_str()).is_none() => {
            PatchOperation::Add(AddOperation { path, value })
        }
        other => other,
    }
}

/// What a patch makes of a document.
pub(crate) fn patched(call: &Call, how: PatchType, base: Value, patch: &Value) -> Result<Value, Failure> {
    let mut new = base;
    match how {
        PatchType::Json => {
            let refused = || {
                let mut failure =
                    Failure::new(422, "Invalid", "the server rejected our request due to an error in our request");
                failure.details = Some(json!({}));
                failure
            };
            let listed = patch.as_array().is_some_and(|all| all.iter().all(Value::is_object));
            let operations: json_patch::Patch = patch.read().map_err(|problem| {
                if listed { refused() } else { Failure::bad_request(format!("error decoding patch: {problem}")) }
            })?;
            let mut plain = serde_json::Value::from(&new);
            for operation in operations.0 {
                let operation = placed(&plain, operation);
                json_patch::patch(&mut plain, &[operation]).map_err(|_| refused())?;
            }
            new = plain.into();
        }
        PatchType::Merge => {
            if !patch.is_object() {
                return Err(Failure::bad_request(
                    "error decoding patch: json: cannot unmarshal array into Go value of type map[string]interface {}",
                ));
            }
            new.merge(patch);
        }
        PatchType::Strategic => {
            if call.kind.crd.is_some() {
                return Err(Failure::new(
                    415,
                    "UnsupportedMediaType",
                    "the body of the request was in an unknown format - accepted media types include: \
                     application/json-patch+json, application/merge-patch+json, application/apply-patch+yaml",
                ));
            }
            strategic::merge(&mut new, patch)?;
        }
        PatchType::Apply => return Err(Failure::bad_request("apply is not supported here")),
    }
    Ok(new)
}
