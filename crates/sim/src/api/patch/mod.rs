//! The four ways to write a patch, and who owns which field.

pub(crate) mod apply;
pub(crate) mod fields;
pub(crate) mod managed;
pub(crate) mod shape;
pub(crate) mod strategic;

use std::sync::Arc;

use serde_json::{Value, json};

use super::{
    Api, events,
    json::Json,
    request::{Call, PatchType},
    status::{Cause, Failure},
    storage::Object,
    verbs::Ownership,
};

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
        let mut config = config.clone();
        if config.text(&["metadata", "name"]).is_empty() {
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
                let new = apply::applied(call, Some(&old.value), &config)?;
                self.change(call, &old, new, Ownership::Applied)
            }
            Err(missing) if !call.subresource.is_empty() => Err(missing),
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

/// What a patch makes of a document.
pub(crate) fn patched(call: &Call, how: PatchType, base: Value, patch: &Value) -> Result<Value, Failure> {
    let mut new = base;
    match how {
        PatchType::Json => {
            let operations: json_patch::Patch = serde_json::from_value(patch.clone())
                .map_err(|problem| Failure::bad_request(format!("error decoding patch: {problem}")))?;
            json_patch::patch(&mut new, &operations).map_err(|_| {
                let mut failure =
                    Failure::new(422, "Invalid", "the server rejected our request due to an error in our request");
                failure.details = Some(json!({}));
                failure
            })?;
        }
        PatchType::Merge => {
            if !patch.is_object() {
                return Err(Failure::bad_request(
                    "error decoding patch: json: cannot unmarshal a value that is no object into Go value of type map[string]interface {}",
                ));
            }
            json_patch::merge(&mut new, patch);
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
