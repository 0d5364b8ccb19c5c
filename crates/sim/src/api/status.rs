//! What the API says when it refuses: `metav1.Status`.
//!
//! Clients read the reason, the causes and the message, and scripts match the message, so each constructor here writes
//! upstream's sentence and upstream's details.

use bytes::Bytes;
use http::{Response, StatusCode, header};

use super::kinds::Kind;
use crate::objects::Refusal;
use crate::tree::{Value, json};

/// One wrong field of an invalid object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Cause {
    pub reason: &'static str,
    pub field: String,
    pub message: String,
}

impl Cause {
    pub fn required(field: impl Into<String>, detail: &str) -> Self {
        let message = if detail.is_empty() { "Required value".to_owned() } else { format!("Required value: {detail}") };
        Self { reason: "FieldValueRequired", field: field.into(), message }
    }

    pub fn invalid(field: impl Into<String>, value: &Value, detail: &str) -> Self {
        let value = match value {
            Value::Null => "null".to_owned(),
            other => other.to_string(),
        };
        Self { reason: "FieldValueInvalid", field: field.into(), message: format!("Invalid value: {value}: {detail}") }
    }

    pub fn forbidden(field: impl Into<String>, detail: &str) -> Self {
        Self { reason: "FieldValueForbidden", field: field.into(), message: format!("Forbidden: {detail}") }
    }

    pub fn unsupported(field: impl Into<String>, value: &Value, supported: &[&str]) -> Self {
        let supported: Vec<String> = supported.iter().map(|one| format!("{one:?}")).collect();
        let message = format!("Unsupported value: {value}: supported values: {}", supported.join(", "));
        Self { reason: "FieldValueNotSupported", field: field.into(), message }
    }

    pub fn duplicate(field: impl Into<String>, value: &Value) -> Self {
        Self { reason: "FieldValueDuplicate", field: field.into(), message: format!("Duplicate value: {value}") }
    }
}

/// A refusal on its way to the client.
#[derive(Debug, Clone)]
pub(crate) struct Failure {
    pub code: u16,
    pub reason: &'static str,
    pub message: String,
    pub details: Option<Value>,
}

impl Failure {
    pub fn new(code: u16, reason: &'static str, message: impl Into<String>) -> Self {
        Self { code, reason, message: message.into(), details: None }
    }

    fn about(mut self, kind: &Kind, name: &str) -> Self {
        let mut details = json!({});
        put_text(&mut details, "name", name);
        put_text(&mut details, "group", kind.group);
        put_text(&mut details, "kind", kind.plural);
        self.details = Some(details);
        self
    }

    pub fn bad_request(message: impl Into<String>) -> Self {
        Self::new(400, "BadRequest", message)
    }

    pub fn not_found(kind: &Kind, name: &str) -> Self {
        Self::new(404, "NotFound", format!("{} {name:?} not found", kind.qualified())).about(kind, name)
    }

    /// A path that nothing serves.
    pub fn no_such_path() -> Self {
        let mut failure = Self::new(404, "NotFound", "the server could not find the requested resource");
        failure.details = Some(json!({}));
        failure
    }

    pub fn already_exists(kind: &Kind, name: &str) -> Self {
        Self::new(409, "AlreadyExists", format!("{} {name:?} already exists", kind.qualified())).about(kind, name)
    }

    pub fn conflict(kind: &Kind, name: &str, why: &str) -> Self {
        let message = format!("Operation cannot be fulfilled on {} {name:?}: {why}", kind.qualified());
        Self::new(409, "Conflict", message).about(kind, name)
    }

    /// A precondition of a deletion that does not hold.
    pub fn precondition(kind: &Kind, name: &str, what: &str, given: &str, found: &str, why: &str) -> Self {
        let message = format!(
            "Operation cannot be fulfilled on {} {name:?}: the {what} in the precondition ({given}) does not match the \
             {what} in record ({found}). The object might have been {why}",
            kind.kind
        );
        let mut failure = Self::new(409, "Conflict", message);
        failure.details = Some(json!({"name": name, "kind": kind.kind}));
        failure
    }

    /// An object of the same name that is another one.
    pub fn namesake(kind: &Kind, namespace: &str, name: &str, asked: &str, found: &str) -> Self {
        let why = format!(
            "StorageError: invalid object, Code: 4, Key: /registry/{}/{namespace}/{name}, ResourceVersion: 0, \
             AdditionalErrorMsg: Precondition failed: UID in precondition: {asked}, UID in object meta: {found}",
            kind.plural
        );
        Self::conflict(kind, name, &why)
    }

    pub fn modified(kind: &Kind, name: &str) -> Self {
        Self::conflict(
            kind,
            name,
            "the object has been modified; please apply your changes to the latest version and try again",
        )
    }

    pub fn forbidden(kind: &Kind, name: &str, why: &str) -> Self {
        let named = if name.is_empty() { String::new() } else { format!(" {name:?}") };
        let message = format!("{}{named} is forbidden: {why}", kind.qualified());
        Self::new(403, "Forbidden", message).about(kind, name)
    }

    pub fn invalid(kind: &Kind, name: &str, causes: &[Cause]) -> Self {
        let each: Vec<String> = causes.iter().map(|cause| format!("{}: {}", cause.field, cause.message)).collect();
        let list = match each.as_slice() {
            [one] => one.clone(),
            many => format!("[{}]", many.join(", ")),
        };
        let subject =
            if kind.group.is_empty() { kind.kind.to_owned() } else { format!("{}.{}", kind.kind, kind.group) };
        let mut failure = Self::new(422, "Invalid", format!("{subject} {name:?} is invalid: {list}"));
        let mut details = json!({});
        put_text(&mut details, "name", name);
        put_text(&mut details, "group", kind.group);
        put_text(&mut details, "kind", kind.kind);
        failure.details = Some(details);
        failure.with_causes(causes)
    }

    /// The options of a request that cannot be taken: `what` is their kind.
    pub fn invalid_options(what: &str, cause: &Cause) -> Self {
        let message = format!("{what}.meta.k8s.io \"\" is invalid: {}: {}", cause.field, cause.message);
        let mut failure = Self::new(422, "Invalid", message);
        failure.details = Some(json!({"group": "meta.k8s.io", "kind": what}));
        failure.with_causes(std::slice::from_ref(cause))
    }

    /// A patch that makes what its type cannot hold: `made` is what it makes.
    pub fn unpatchable(made: &str, why: &str) -> Self {
        let cause = Cause::invalid("patch", &made.into(), why);
        let mut failure = Self::new(422, "Invalid", format!(" \"\" is invalid: patch: {}", cause.message));
        failure.details = Some(json!({}));
        failure.with_causes(&[cause])
    }

    pub fn with_causes(mut self, causes: &[Cause]) -> Self {
        let causes: Vec<Value> = causes
            .iter()
            .map(|cause| {
                let mut entry = json!({});
                put_text(&mut entry, "reason", cause.reason);
                put_text(&mut entry, "message", &cause.message);
                put_text(&mut entry, "field", &cause.field);
                entry
            })
            .collect();
        let details = self.details.get_or_insert_with(|| json!({}));
        if let Some(details) = details.as_object_mut() {
            details.insert("causes", causes.into());
        }
        self
    }

    pub fn retry_after(mut self, seconds: u32) -> Self {
        let details = self.details.get_or_insert_with(|| json!({}));
        if let Some(details) = details.as_object_mut() {
            details.insert("retryAfterSeconds", seconds.into());
        }
        self
    }

    pub fn gone(message: impl Into<String>) -> Self {
        Self::new(410, "Expired", message)
    }

    pub fn method_not_allowed() -> Self {
        let mut failure =
            Self::new(405, "MethodNotAllowed", "the server does not allow this method on the requested resource");
        failure.details = Some(json!({}));
        failure
    }

    /// The body: a `v1.Status`.
    pub fn body(&self) -> Value {
        let mut body = json!({
            "kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure",
            "message": self.message,
        });
        put_text(&mut body, "reason", self.reason);
        if let (Some(body), Some(details)) = (body.as_object_mut(), &self.details) {
            body.insert("details", details.clone());
        }
        if let Some(body) = body.as_object_mut() {
            body.insert("code", self.code.into());
        }
        body
    }

    /// A group or version that is not served: upstream's mux answers before its API does.
    pub fn no_such_group() -> Self {
        Self::new(404, "", "404 page not found\n")
    }

    /// The whole answer.
    pub fn response(&self) -> Response<Bytes> {
        if self.reason.is_empty() && self.code == 404 {
            return respond_bytes(404, "text/plain; charset=utf-8", Bytes::from(self.message.clone()));
        }
        let mut response = respond(self.code, &self.body());
        let retry = self.details.as_ref().and_then(|details| details.get("retryAfterSeconds")).and_then(Value::as_u64);
        if let Some(seconds) = retry {
            response.headers_mut().insert(header::RETRY_AFTER, seconds.into());
        }
        response
    }
}

impl From<Failure> for Refusal {
    fn from(failure: Failure) -> Self {
        Self { code: failure.code, reason: failure.reason.to_owned(), message: failure.message }
    }
}

/// A JSON answer.
pub(crate) fn respond(code: u16, body: &Value) -> Response<Bytes> {
    respond_bytes(code, "application/json", Bytes::from(body.to_string()))
}

/// An answer of a given type.
pub(crate) fn respond_bytes(code: u16, content_type: &str, body: Bytes) -> Response<Bytes> {
    let mut response = Response::new(body);
    *response.status_mut() = StatusCode::from_u16(code).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let value = header::HeaderValue::from_str(content_type).unwrap_or(header::HeaderValue::from_static("text/plain"));
    response.headers_mut().insert(header::CONTENT_TYPE, value);
    response.headers_mut().insert(header::CACHE_CONTROL, header::HeaderValue::from_static("no-cache, private"));
    response
}

fn put_text(details: &mut Value, key: &str, text: &str) {
    if let (Some(map), false) = (details.as_object_mut(), text.is_empty()) {
        map.insert(key, text.into());
    }
}
