//! What a request asks for: its path, its options, its body.

use std::{cell::RefCell, collections::BTreeMap, rc::Rc, sync::Arc};

use bytes::Bytes;
use http::{HeaderMap, Method, header, request::Parts};
use keelson_core::Timestamp;

use super::{
    auth::User,
    json::Json,
    kinds::{Kind, Kinds},
    status::{Cause, Failure},
};
use crate::tree::{Value, json};

/// A request for a resource, understood.
#[derive(Debug, Clone)]
pub(crate) struct Call {
    pub now: Timestamp,
    pub user: Arc<User>,
    pub verb: Verb,
    pub kind: Arc<Kind>,
    pub version: &'static str,
    /// Empty for cluster scope and for all namespaces.
    pub namespace: String,
    /// Empty for collections.
    pub name: String,
    pub subresource: String,
    pub query: Query,
    /// Who writes, for managed fields.
    pub manager: String,
    pub dry_run: bool,
    /// What the client should know although the request succeeds.
    pub warnings: Rc<RefCell<Vec<String>>>,
    /// Whether a client sent it, whose fields and types need checking.
    pub outside: bool,
}

impl Call {
    pub fn warn(&self, text: &str) {
        let mut warnings = self.warnings.borrow_mut();
        if !warnings.iter().any(|known| known == text) {
            warnings.push(text.to_owned());
        }
    }
}

impl Call {
    /// Makes this a trial if the query, or the options that came in the body, say so.
    ///
    /// Any other way of trying is refused: it would become a write that nobody wanted.
    pub fn heed_dry_run(&mut self, options: &Value) -> Result<(), Failure> {
        let Some(kind) = self.verb.options() else { return Ok(()) };
        let mut asked = self.query.0.get("dryRun").map(String::as_str).map(Value::from).into_iter().collect::<Vec<_>>();
        asked.extend_from_slice(options.items(&["dryRun"]));
        if asked.iter().any(|one| one != "All") {
            let cause = Cause::unsupported("dryRun", &Value::from(asked), &["All"]);
            return Err(Failure::invalid_options(kind, &cause));
        }
        self.dry_run |= !asked.is_empty();
        Ok(())
    }

    /// What to do about fields that the type does not have.
    pub fn unknown_fields(&self, object: &Value, unknown: &[String]) -> Result<(), Failure> {
        match self.query.text("fieldValidation") {
            "Strict" if !unknown.is_empty() => {
                let each: Vec<String> = unknown.iter().map(|path| format!("unknown field {path:?}")).collect();
                let message = format!("strict decoding error: {}", each.join(", "));
                Err(self.undecodable(object, &message))
            }
            "Ignore" => Ok(()),
            _ => {
                unknown.iter().for_each(|path| self.warn(&format!("unknown field {path:?}")));
                Ok(())
            }
        }
    }
}

impl Call {
    /// An object that its type cannot hold: who patched is told what the patch made.
    pub fn undecodable(&self, object: &Value, why: &str) -> Failure {
        if self.verb == Verb::Patch {
            return Failure::unpatchable(&object.to_string(), why);
        }
        let kind = self.kind.kind;
        Failure::bad_request(format!("{kind} in version {:?} cannot be handled as a {kind}: {why}", self.version))
    }

    /// How a deletion goes on when its options leave that open: jobs alone keep their pods.
    pub fn propagation(&self, mut options: Value) -> Value {
        let open = options.text(&["propagationPolicy"]).is_empty() && options.at(&["orphanDependents"]).is_null();
        if open && self.kind.is("batch", "jobs") {
            self.warn(
                "child pods are preserved by default when jobs are deleted; set propagationPolicy=Background to remove \
                 them or set propagationPolicy=Orphan to suppress this warning",
            );
            options.put(&["propagationPolicy"], "Orphan");
        }
        options
    }

    /// Whether the options of a write fit what it does.
    pub fn heed_force(&self, how: PatchType) -> Result<(), Failure> {
        if how == PatchType::Apply || self.query.text("force").is_empty() {
            return Ok(());
        }
        let cause = Cause::forbidden("force", "may not be specified for non-apply patch");
        Err(Failure::invalid_options("PatchOptions", &cause))
    }
}

/// What is to be done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Verb {
    Get,
    List,
    Watch,
    Create,
    Update,
    Patch,
    Delete,
    DeleteCollection,
}

impl Verb {
    pub const fn name(self) -> &'static str {
        match self {
            Self::Get => "get",
            Self::List => "list",
            Self::Watch => "watch",
            Self::Create => "create",
            Self::Update => "update",
            Self::Patch => "patch",
            Self::Delete => "delete",
            Self::DeleteCollection => "deletecollection",
        }
    }

    /// The kind of a write's options.
    const fn options(self) -> Option<&'static str> {
        match self {
            Self::Get | Self::List | Self::Watch => None,
            Self::Create => Some("CreateOptions"),
            Self::Update => Some("UpdateOptions"),
            Self::Patch => Some("PatchOptions"),
            Self::Delete | Self::DeleteCollection => Some("DeleteOptions"),
        }
    }
}

/// The options after the question mark.
#[derive(Debug, Clone, Default)]
pub(crate) struct Query(BTreeMap<String, String>);

impl Query {
    pub fn parse(text: &str) -> Self {
        let mut options = BTreeMap::new();
        for pair in text.split('&').filter(|pair| !pair.is_empty()) {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            options.insert(decode_percent(name), decode_percent(value));
        }
        Self(options)
    }

    pub fn text(&self, name: &str) -> &str {
        self.0.get(name).map_or("", String::as_str)
    }

    pub fn flag(&self, name: &str) -> bool {
        matches!(self.text(name), "true" | "1" | "True")
    }

    pub fn number(&self, name: &str) -> Option<i64> {
        self.text(name).parse().ok()
    }

    pub fn set(&mut self, name: &str, value: &str) {
        self.0.insert(name.to_owned(), value.to_owned());
    }
}

fn decode_percent(text: &str) -> String {
    let mut out = Vec::with_capacity(text.len());
    let mut bytes = text.bytes();
    while let Some(byte) = bytes.next() {
        match byte {
            b'+' => out.push(b' '),
            b'%' => {
                let digits = [bytes.next().unwrap_or(0), bytes.next().unwrap_or(0)];
                let hex = std::str::from_utf8(&digits).ok().and_then(|hex| u8::from_str_radix(hex, 16).ok());
                out.push(hex.unwrap_or(b'%'));
            }
            other => out.push(other),
        }
    }
    String::from_utf8_lossy(&out).into_owned()
}

/// The resource a path names.
#[derive(Debug, Clone)]
pub(crate) struct Target {
    pub kind: Arc<Kind>,
    pub version: &'static str,
    pub namespace: String,
    pub name: String,
    pub subresource: String,
}

/// Finds the resource a path names; none when the path is none of a resource (discovery, health).
pub(crate) fn route(kinds: &Kinds, path: &str) -> Result<Option<Target>, Failure> {
    let segments: Vec<String> = path.split('/').filter(|part| !part.is_empty()).map(decode_percent).collect();
    let parts: Vec<&str> = segments.iter().map(String::as_str).collect();
    let (group, version, rest) = match parts.as_slice() {
        ["api", version, rest @ ..] if !rest.is_empty() => ("", *version, rest),
        ["apis", group, version, rest @ ..] if !rest.is_empty() => (*group, *version, rest),
        _ => return Ok(None),
    };
    let (namespace, rest) = match rest {
        // The namespace itself, or a part of it.
        ["namespaces", _] | ["namespaces", _, "status" | "finalize"] if group.is_empty() => ("", rest),
        ["namespaces", namespace, inner @ ..] if !inner.is_empty() => (*namespace, inner),
        all => ("", all),
    };
    let [plural, rest @ ..] = rest else { return Ok(None) };
    if !kinds.all().any(|kind| kind.group == group && kind.versions.contains(&version)) {
        return Err(Failure::no_such_group());
    }
    let custom = || kinds.all().any(|kind| kind.group == group && kind.crd.is_some());
    let missing = || if custom() { Failure::no_such_group() } else { Failure::no_such_path() };
    let kind = kinds.get(group, plural).ok_or_else(missing)?;
    let version = kind.versions.iter().find(|served| **served == version).copied().ok_or_else(Failure::no_such_path)?;
    let (name, subresource) = match rest {
        [] => ("", String::new()),
        [name, sub @ ..] => (*name, sub.join("/")),
    };
    let scoped_wrong = if kind.namespaced { namespace.is_empty() && !name.is_empty() } else { !namespace.is_empty() };
    if scoped_wrong || (!subresource.is_empty() && !kind.has(&subresource)) {
        return Err(Failure::no_such_path());
    }
    Ok(Some(Target { kind, version, namespace: namespace.to_owned(), name: name.to_owned(), subresource }))
}

/// The verb of a method on a target.
pub(crate) fn verb(method: &Method, target: &Target, query: &Query) -> Result<Verb, Failure> {
    let named = !target.name.is_empty();
    Ok(match *method {
        Method::GET if query.flag("watch") => Verb::Watch,
        Method::GET if named => Verb::Get,
        Method::GET => Verb::List,
        Method::POST => Verb::Create,
        Method::PUT if named => Verb::Update,
        Method::PATCH if named => Verb::Patch,
        Method::DELETE if named => Verb::Delete,
        Method::DELETE => Verb::DeleteCollection,
        _ => return Err(Failure::method_not_allowed()),
    })
}

/// How a patch is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum PatchType {
    Json,
    Merge,
    Strategic,
    Apply,
}

/// The content type without parameters.
pub(crate) fn content_type(headers: &HeaderMap) -> &str {
    let value = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or("");
    value.split(';').next().unwrap_or("").trim()
}

/// The patch type a content type names.
pub(crate) fn patch_type(parts: &Parts) -> Result<PatchType, Failure> {
    match content_type(&parts.headers) {
        "application/json-patch+json" => Ok(PatchType::Json),
        "application/merge-patch+json" => Ok(PatchType::Merge),
        "application/strategic-merge-patch+json" => Ok(PatchType::Strategic),
        "application/apply-patch+yaml" => Ok(PatchType::Apply),
        _ => {
            let mut failure = Failure::new(415, "UnsupportedMediaType", "415: Unsupported Media Type");
            failure.details = Some(json!({}));
            Err(failure)
        }
    }
}

/// Reads a body as JSON (or YAML, or protobuf for the few kinds whose clients insist).
pub(crate) fn body(parts: &Parts, bytes: &Bytes) -> Result<Value, Failure> {
    if bytes.is_empty() {
        return Ok(Value::Null);
    }
    match content_type(&parts.headers) {
        "application/vnd.kubernetes.protobuf" => super::protobuf::decode(bytes),
        "application/yaml" | "application/apply-patch+yaml" => yaml(bytes),
        _ => serde_json::from_slice(bytes)
            .map_err(|problem| Failure::bad_request(format!("the object provided is unrecognized: {problem}"))),
    }
}

/// JSON is YAML, but much faster to read as itself.
fn yaml(bytes: &Bytes) -> Result<Value, Failure> {
    if let Ok(value) = serde_json::from_slice(bytes) {
        return Ok(value);
    }
    serde_saphyr::from_slice(bytes).map_err(|problem| Failure::bad_request(format!("error decoding YAML: {problem}")))
}

/// The options of a deletion: from the body, or else from the query.
pub(crate) fn delete_options(query: &Query, body: &Value) -> Result<Value, Failure> {
    let seconds = query.text("gracePeriodSeconds");
    if !seconds.is_empty() && query.number("gracePeriodSeconds").is_none() {
        return Err(Failure::bad_request(format!("strconv.ParseInt: parsing {seconds:?}: invalid syntax")));
    }
    let mut options = if body.is_object() { body.clone() } else { json!({}) };
    if let Some(seconds) = query.number("gracePeriodSeconds") {
        options.default_to(&["gracePeriodSeconds"], seconds);
    }
    for name in ["propagationPolicy", "orphanDependents"] {
        if !query.text(name).is_empty() {
            options.default_to(&[name], query.text(name));
        }
    }
    let policy = options.text(&["propagationPolicy"]);
    let cause = if policy.is_empty() {
        None
    } else if !options.at(&["orphanDependents"]).is_null() {
        let why = "orphanDependents and deletionPropagation cannot be both set";
        Some(Cause::invalid("propagationPolicy", &policy.into(), why))
    } else if !matches!(policy, "Foreground" | "Background" | "Orphan") {
        let known = ["Foreground", "Background", "Orphan", "nil"];
        Some(Cause::unsupported("propagationPolicy", &policy.into(), &known))
    } else {
        None
    };
    cause.map_or(Ok(options), |cause| Err(Failure::invalid_options("DeleteOptions", &cause)))
}

/// The name under which a write's fields are owned: the option, or else the first word of the user agent.
pub(crate) fn manager(parts: &Parts, query: &Query) -> String {
    let asked = query.text("fieldManager");
    if !asked.is_empty() {
        return asked.to_owned();
    }
    let agent = parts.headers.get(header::USER_AGENT).and_then(|value| value.to_str().ok()).unwrap_or("unknown");
    agent.split('/').next().unwrap_or("unknown").to_owned()
}
