//! Custom resources: from a definition to a served kind.

mod rules;
mod schema;

use std::{collections::BTreeMap, sync::Arc};

use keelson_core::Timestamp;

use super::{
    Api,
    auth::User,
    json::Json,
    kinds::{Kind, intern},
    meta, patch,
    request::{Call, Verb},
    status::{Cause, Failure},
    storage::Object,
};
use crate::objects::Resource;
use crate::tree::{Value, json};

static NOTHING: Value = Value::Null;

/// What a definition says.
#[derive(Debug)]
pub(crate) struct Crd {
    /// The definition's `spec`.
    spec: Value,
    rules: BTreeMap<String, rules::Rules>,
}

impl Crd {
    fn new(spec: &Value) -> Self {
        let versions = spec.items(&["versions"]).iter();
        let rules = versions.filter_map(|version| {
            let rules = rules::Rules::of(version.at(&["schema", "openAPIV3Schema"]))?;
            Some((version.text(&["name"]).to_owned(), rules))
        });
        Self { spec: spec.clone(), rules: rules.collect() }
    }

    /// One version's entry; null when there is none.
    pub fn version(&self, name: &str) -> &Value {
        self.spec.items(&["versions"]).iter().find(|version| version.text(&["name"]) == name).unwrap_or(&NOTHING)
    }

    pub fn schema(&self, version: &str) -> Option<&Value> {
        self.version(version).at(&["schema"]).get("openAPIV3Schema")
    }

    pub fn storage_version(&self) -> &str {
        let versions = self.spec.items(&["versions"]);
        versions.iter().find(|version| version.at(&["storage"]) == &Value::Bool(true)).map_or("", |v| v.text(&["name"]))
    }

    pub fn selectable(&self, version: &str) -> Vec<&str> {
        self.version(version).items(&["selectableFields"]).iter().map(|field| field.text(&["jsonPath"])).collect()
    }

    /// What the schema and its rules refuse.
    pub fn validate(&self, version: &str, new: &Value, old: Option<&Value>) -> Vec<Cause> {
        let mut causes = Vec::new();
        if let Some(schema) = self.schema(version) {
            schema::validate(schema, new, "", &mut causes);
        }
        let Some(rules) = self.rules.get(version) else { return causes };
        let blocking = [
            "FieldValueRequired",
            "FieldValueTypeInvalid",
            "FieldValueNotSupported",
            "FieldValueTooLong",
            "FieldValueTooMany",
        ];
        if causes.iter().any(|cause| blocking.contains(&cause.reason)) {
            let detail = "some validation rules were not checked because the object was invalid; correct the existing \
                          errors to complete validation";
            causes.push(Cause::invalid("<nil>", &Value::Null, detail));
        } else {
            causes.extend(rules.check(new, old));
        }
        causes
    }
}

impl Kind {
    /// The `apiVersion` its objects are stored under.
    pub fn storage_version(&self) -> String {
        match &self.crd {
            Some(crd) => self.api_version(crd.storage_version()),
            None if self.storage.group.is_empty() => "v1".to_owned(),
            None => self.api_version(self.versions.first().copied().unwrap_or("v1")),
        }
    }
}

impl Api {
    /// Prunes and completes a custom resource; unknown fields are an error, a warning or nothing, as the client wants.
    pub(super) fn read_schema(&self, call: &Call, object: &mut Value) -> Result<(), Failure> {
        let Some(schema) = call.kind.crd.as_ref().and_then(|crd| crd.schema(call.version)) else { return Ok(()) };
        let mut unknown = Vec::new();
        schema::prune(schema, object, "", &mut unknown);
        schema::fill_in(schema, object);
        unknown.sort();
        call.unknown_fields(object, &unknown)
    }

    /// Serves what a definition describes, from now on.
    pub(super) fn serve_definition(&mut self, now: Timestamp, stored: &Arc<Object>) {
        let spec = stored.value.at(&["spec"]).clone();
        let names = spec.at(&["names"]);
        let group = intern(spec.text(&["group"]));
        let plural = intern(names.text(&["plural"]));
        let kind = intern(names.text(&["kind"]));
        let list_kind = match names.text(&["listKind"]) {
            "" => intern(&format!("{kind}List")),
            given => intern(given),
        };
        let words = |path: &str| -> Vec<&'static str> {
            names.items(&[path]).iter().filter_map(Value::as_str).map(intern).collect()
        };
        let served: Vec<&Value> =
            spec.items(&["versions"]).iter().filter(|version| version.at(&["served"]) == &Value::Bool(true)).collect();
        let mut versions: Vec<&'static str> = served.iter().map(|version| intern(version.text(&["name"]))).collect();
        versions.sort_by_key(|version| std::cmp::Reverse(rank(version)));
        let mut subresources = Vec::new();
        for name in ["status", "scale"] {
            if served.iter().any(|version| !version.at(&["subresources", name]).is_null()) {
                subresources.push(name);
            }
        }
        self.kinds.add(Kind {
            group,
            versions,
            plural,
            singular: intern(&match names.text(&["singular"]) {
                "" => kind.to_lowercase(),
                given => given.to_owned(),
            }),
            kind,
            list_kind,
            short_names: words("shortNames"),
            namespaced: spec.text(&["scope"]) == "Namespaced",
            categories: words("categories"),
            subresources,
            storage: Resource { group, plural },
            crd: Some(Arc::new(Crd::new(&spec))),
            virtual_: false,
        });
        self.accept_definition(now, stored);
    }

    fn accept_definition(&mut self, now: Timestamp, stored: &Arc<Object>) {
        if !stored.value.items(&["status", "conditions"]).is_empty() {
            return;
        }
        let Some(kind) = self.kinds.get("apiextensions.k8s.io", "customresourcedefinitions") else { return };
        let mut new = (*stored.value).clone();
        let when = meta::time(now);
        let condition = |what: &str, reason: &str, message: &str| json!({"type": what, "status": "True", "lastTransitionTime": when, "reason": reason, "message": message});
        let status = json!({
            "conditions": [
                condition("NamesAccepted", "NoConflicts", "no conflicts found"),
                condition("Established", "InitialNamesAccepted", "the initial names have been accepted"),
            ],
            "acceptedNames": new.at(&["spec", "names"]),
            "storedVersions": new.at(&["status", "storedVersions"]),
        });
        new.put(&["status"], status);
        let mut own = self.inside(now, &Arc::new(User::admin()), &kind, Verb::Update);
        (own.manager, own.subresource) = ("kube-apiserver".into(), "status".into());
        // What is always there, if empty, is nobody's.
        let mut old = (*stored.value).clone();
        let versions = new.at(&["status", "storedVersions"]);
        old.put(&["status"], json!({"conditions": [], "acceptedNames": {}, "storedVersions": versions}));
        patch::managed::updated(&own, &old, &mut new);
        self.commit(now, &kind, new);
    }

    /// Stops serving it and takes its objects away.
    pub(super) fn withdraw_definition(&mut self, gone: &Arc<Object>) {
        let group = intern(gone.value.text(&["spec", "group"]));
        let plural = intern(gone.value.text(&["spec", "names", "plural"]));
        let objects: Vec<Arc<Object>> = self.store.list(Resource { group, plural }, "").cloned().collect();
        for object in objects {
            self.store.remove(Resource { group, plural }, object.key());
        }
        self.kinds.remove(group, plural);
    }
}

/// Kubernetes' order of versions: stable before beta before alpha, then by number.
fn rank(version: &str) -> (u8, u64, u64) {
    let number = |text: &str| text.parse::<u64>().unwrap_or(0);
    let rest = version.strip_prefix('v').unwrap_or(version);
    if let Some((major, minor)) = rest.split_once("beta") {
        (1, number(major), number(minor))
    } else if let Some((major, minor)) = rest.split_once("alpha") {
        (0, number(major), number(minor))
    } else {
        (2, number(rest), 0)
    }
}
