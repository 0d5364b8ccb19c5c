//! Reading and writing one object.
//!
//! Every write, whatever its form, ends in [`Api::create`] or [`Api::change`]: there the rules of metadata, defaults,
//! admission, validation, generations and field ownership are applied, in upstream's order.

use std::{rc::Rc, sync::Arc};

use keelson_core::Timestamp;

use super::{
    Api, admission,
    auth::User,
    defaults,
    json::{Json, without_nulls},
    kinds::Kind,
    meta, patch,
    request::{Call, Query, Verb},
    status::{Cause, Failure},
    storage::Object,
    typed, validate,
};
use crate::objects::Resource;
use crate::tree::{Text, Value, json};

/// How a changed object's field ownership is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ownership {
    /// The writer owns what differs.
    Changed,
    /// Server-side apply has worked it out.
    Applied,
}

impl Api {
    /// Finds the object a call names.
    pub(super) fn read(&self, call: &Call) -> Result<Arc<Object>, Failure> {
        self.store
            .find(call.kind.storage, &call.namespace, &call.name)
            .cloned()
            .ok_or_else(|| Failure::not_found(&call.kind, &call.name))
    }

    /// A call from inside.
    pub(super) fn inside(&self, now: Timestamp, user: &Arc<User>, kind: &Arc<Kind>, verb: Verb) -> Call {
        Call {
            now,
            user: Arc::clone(user),
            verb,
            kind: Arc::clone(kind),
            version: kind.versions.first().copied().unwrap_or("v1"),
            namespace: String::new(),
            name: String::new(),
            subresource: String::new(),
            query: Query::default(),
            manager: "kube-controller-manager".into(),
            dry_run: false,
            warnings: Rc::default(),
            outside: false,
        }
    }

    pub(super) fn create_as(
        &mut self,
        now: Timestamp,
        user: &Arc<User>,
        group: &str,
        plural: &str,
        namespace: &str,
        object: Value,
    ) -> Result<Arc<Object>, Failure> {
        let kind = self.kinds.get(group, plural).ok_or_else(Failure::no_such_path)?;
        let mut call = self.inside(now, user, &kind, Verb::Create);
        call.namespace = namespace.to_owned();
        self.create(&call, object, Ownership::Changed)
    }

    /// Stores a new object.
    pub(super) fn create(
        &mut self,
        call: &Call,
        mut object: Value,
        ownership: Ownership,
    ) -> Result<Arc<Object>, Failure> {
        let kind = &call.kind;
        check_type(call, &mut object)?;
        if !object.text(&["metadata", "resourceVersion"]).is_empty() {
            return Err(Failure::new(500, "", "resourceVersion should not be set on objects to be created"));
        }
        object.object(&["metadata"]);
        if kind.crd.is_none() {
            without_nulls(&mut object);
            without_hollow(&mut object);
        }
        self.place_in_namespace(call, &mut object)?;
        self.stamp(call, &mut object);
        self.namespace_accepts(call, object.text(&["metadata", "name"]))?;
        let name = object.text(&["metadata", "name"]).to_owned();
        if self.store.find(kind.storage, &call.namespace, &name).is_some() {
            return Err(Failure::already_exists(kind, &name));
        }
        self.fresh_status(kind, &mut object);
        self.read_schema(call, &mut object)?;
        defaults::apply(kind, &mut object);
        if call.outside {
            typed::check(call, &mut object)?;
        }
        // Fields that only admission or the API itself fills in have no owner.
        if ownership == Ownership::Changed {
            patch::managed::updated(call, &json!({}), &mut object);
        }
        admission::mutate(self, call, &mut object, None)?;
        defaults::apply(kind, &mut object);
        defaults::prepare(kind, &mut object);
        self.allocate(kind, &mut object);
        let mut causes = meta::validate(kind, &object);
        causes.extend(validate::create(kind, &object));
        if let Some(crd) = &kind.crd {
            causes.extend(crd.validate(call.version, &object, None));
        }
        if !causes.is_empty() {
            return Err(Failure::invalid(&kind.stored(), &name, &causes));
        }
        admission::validate(self, call, &object, None)?;
        if call.dry_run {
            return Ok(Object::unsaved(object));
        }
        let stored = self.store.put(kind.storage, object);
        self.stored(call.now, kind, &stored);
        Ok(stored)
    }

    /// What a PUT or an apply does where there is nothing to change: that takes the right to create, too.
    pub(super) fn create_instead(
        &mut self,
        call: &Call,
        mut object: Value,
        ownership: Ownership,
    ) -> Result<Arc<Object>, Failure> {
        // It may say which version it was meant to replace.
        object.cut(&["metadata", "resourceVersion"]);
        self.authorize(&Call { verb: Verb::Create, ..call.clone() })?;
        self.create(call, object, ownership)
    }

    /// Replaces an object that exists.
    pub(super) fn change(
        &mut self,
        call: &Call,
        old: &Arc<Object>,
        mut new: Value,
        ownership: Ownership,
    ) -> Result<Arc<Object>, Failure> {
        let kind = &call.kind;
        check_type(call, &mut new)?;
        if kind.crd.is_none() {
            without_nulls(&mut new);
            without_hollow(&mut new);
        }
        self.same_identity(call, old, &new)?;
        keep(call, old, &mut new);
        self.read_schema(call, &mut new)?;
        if call.subresource != "status" {
            defaults::apply(kind, &mut new);
        }
        if call.outside {
            typed::check(call, &mut new)?;
        }
        if ownership == Ownership::Changed {
            patch::managed::updated(call, &old.value, &mut new);
        }
        admission::mutate(self, call, &mut new, Some(&old.value))?;
        let mut causes = meta::validate(kind, &new);
        causes.extend(finalizers(old, &new));
        causes.extend(validate::update(kind, &call.subresource, &old.value, &new));
        if let Some(crd) = &kind.crd {
            causes.extend(crd.validate(call.version, &new, Some(&old.value)));
        }
        if !causes.is_empty() {
            return Err(Failure::invalid(kind, &call.name, &causes));
        }
        admission::validate(self, call, &new, Some(&old.value))?;
        if kind.has_generation() && wanted_differs(kind, &old.value, &new) {
            let generation = old.value.int(&["metadata", "generation"]).unwrap_or(0) + 1;
            new.put(&["metadata", "generation"], generation);
        }
        patch::managed::keep_times(&old.value, &mut new);
        if new == *old.value {
            return Ok(Arc::clone(old));
        }
        if call.dry_run {
            return Ok(Object::unsaved(new));
        }
        Ok(self.commit(call.now, kind, new))
    }

    /// Stores a version, or takes the object away when this was the last thing its deletion waited for.
    pub(super) fn commit(&mut self, now: Timestamp, kind: &Arc<Kind>, new: Value) -> Arc<Object> {
        let deleting = !new.at(&["metadata", "deletionTimestamp"]).is_null();
        let grace = new.int(&["metadata", "deletionGracePeriodSeconds"]).unwrap_or(0);
        let held = !new.items(&["metadata", "finalizers"]).is_empty()
            || (kind.is("", "namespaces") && !new.items(&["spec", "finalizers"]).is_empty());
        let stored = self.store.put(kind.storage, new);
        if deleting && !held && grace == 0 {
            return self.erase(kind, stored.key()).unwrap_or(stored);
        }
        self.stored(now, kind, &stored);
        stored
    }

    fn place_in_namespace(&self, call: &Call, object: &mut Value) -> Result<(), Failure> {
        if !call.kind.namespaced {
            object.cut(&["metadata", "namespace"]);
            return Ok(());
        }
        let named = object.text(&["metadata", "namespace"]);
        if call.namespace.is_empty() {
            return Err(Failure::bad_request("an empty namespace may not be set during creation"));
        }
        if !named.is_empty() && named != call.namespace {
            return Err(Failure::bad_request(
                "the namespace of the provided object does not match the namespace sent on the request",
            ));
        }
        object.put(&["metadata", "namespace"], call.namespace.as_str());
        Ok(())
    }

    fn namespace_accepts(&self, call: &Call, name: &str) -> Result<(), Failure> {
        if !call.kind.namespaced {
            return Ok(());
        }
        let Some(namespaces) = self.kinds.get("", "namespaces") else { return Ok(()) };
        let Some(namespace) = self.store.find(namespaces.storage, "", &call.namespace) else {
            return Err(Failure::not_found(&namespaces, &call.namespace));
        };
        if namespace.deleting() {
            let why =
                format!("unable to create new content in namespace {0} because it is being terminated", call.namespace);
            return Err(Failure::forbidden(&call.kind, name, &why).with_causes(&[Cause {
                reason: "NamespaceTerminating",
                field: "metadata.namespace".into(),
                message: format!("namespace {} is being terminated", call.namespace),
            }]));
        }
        Ok(())
    }

    /// Gives a new object its name, uid, birth and generation.
    fn stamp(&mut self, call: &Call, object: &mut Value) {
        let prefix = object.text(&["metadata", "generateName"]).to_owned();
        if object.text(&["metadata", "name"]).is_empty() && !prefix.is_empty() {
            let prefix: String = prefix.chars().take(58).collect();
            let name = loop {
                let name = format!("{prefix}{}", meta::suffix(&mut self.rng));
                if self.store.find(call.kind.storage, &call.namespace, &name).is_none() {
                    break name;
                }
            };
            object.put(&["metadata", "name"], name);
        }
        for system in ["deletionTimestamp", "deletionGracePeriodSeconds", "selfLink", "generation"] {
            object.cut(&["metadata", system]);
        }
        object.put(&["metadata", "uid"], meta::uid(&mut self.rng));
        object.put(&["metadata", "creationTimestamp"], meta::time(call.now));
        if call.kind.has_generation() {
            object.put(&["metadata", "generation"], 1);
        }
    }

    /// What status a new object starts with: only its controller may say more.
    fn fresh_status(&self, kind: &Kind, object: &mut Value) {
        let keeps = kind.is("", "nodes") || !kind.has("status");
        if !keeps {
            object.cut(&["status"]);
        }
    }

    fn same_identity(&self, call: &Call, old: &Object, new: &Value) -> Result<(), Failure> {
        let kind = &call.kind;
        let name = new.text(&["metadata", "name"]);
        if name != old.value.text(&["metadata", "name"]) {
            return Err(Failure::bad_request(format!(
                "the name of the object ({name}) does not match the name on the URL ({})",
                call.name
            )));
        }
        let namespace = new.text(&["metadata", "namespace"]);
        if !namespace.is_empty() && namespace != call.namespace {
            return Err(Failure::bad_request(format!(
                "the namespace of the object ({namespace}) does not match the namespace on the URL ({})",
                call.namespace
            )));
        }
        let rv = new.text(&["metadata", "resourceVersion"]);
        if !rv.is_empty() && rv != "0" && rv != old.value.text(&["metadata", "resourceVersion"]) {
            return Err(Failure::modified(kind, &call.name));
        }
        let uid = new.text(&["metadata", "uid"]);
        if !uid.is_empty() && uid != old.uid() {
            return Err(Failure::namesake(kind, &call.namespace, &call.name, uid, old.uid()));
        }
        Ok(())
    }

    /// What follows from a stored version: kinds that appear, owners that are gone.
    pub(super) fn stored(&mut self, now: Timestamp, kind: &Arc<Kind>, stored: &Arc<Object>) {
        if kind.is("apiextensions.k8s.io", "customresourcedefinitions") {
            self.serve_definition(now, stored);
        }
        if kind.is("", "namespaces") && !stored.deleting() {
            self.furnish(now, stored.value.text(&["metadata", "name"]));
        }
        self.garbage.look_at(kind, stored);
        let namespace = stored.value.text(&["metadata", "namespace"]);
        if self.has_quota(namespace) {
            self.garbage.count_again(namespace);
        }
    }
}

impl Api {
    /// Every namespace has a default service account.
    fn furnish(&mut self, now: Timestamp, namespace: &str) {
        let accounts = Resource { group: "", plural: "serviceaccounts" };
        if self.store.find(accounts, namespace, "default").is_none() {
            let account = json!({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "default"}});
            let made = self.create_as(now, &Arc::new(User::admin()), "", "serviceaccounts", namespace, account);
            debug_assert!(made.is_ok(), "{made:?}");
        }
    }
}

/// Go writes no map, list or flag that says nothing; these are the ones that clients send so.
pub(crate) fn without_hollow(object: &mut Value) {
    let hollow = |value: &Value| match value {
        Value::Object(map) => map.is_empty(),
        Value::Array(list) => list.is_empty(),
        _ => false,
    };
    if object.at(&["spec", "unschedulable"]) == &Value::Bool(false) {
        object.cut(&["spec", "unschedulable"]);
    }
    for path in [
        &["data"][..],
        &["binaryData"],
        &["stringData"],
        &["metadata", "labels"],
        &["metadata", "annotations"],
        &["metadata", "finalizers"],
        &["metadata", "ownerReferences"],
    ] {
        if hollow(object.at(path)) {
            object.cut(path);
        }
    }
}

/// The object must be of the kind and group that the path names.
fn check_type(call: &Call, object: &mut Value) -> Result<(), Failure> {
    if !object.is_object() {
        return Err(Failure::bad_request("the object provided is unrecognized (must be of type object)"));
    }
    let wanted = call.kind.api_version(call.version);
    let (api_version, kind) = (object.text(&["apiVersion"]), object.text(&["kind"]));
    let known = call.kind.storage_version();
    if (!kind.is_empty() && kind != call.kind.kind)
        || (!api_version.is_empty() && api_version != wanted && api_version != known)
    {
        let version = api_version.rsplit('/').next().unwrap_or(api_version);
        return Err(Failure::bad_request(format!(
            "{kind} in version {version:?} cannot be handled as a {}: this path takes {wanted} {}",
            call.kind.kind, call.kind.kind
        )));
    }
    let storage_version = call.kind.storage_version();
    object.put(&["apiVersion"], storage_version);
    object.put(&["kind"], call.kind.kind);
    Ok(())
}

/// Restores what a write to this part of the object may not change.
fn keep(call: &Call, old: &Object, new: &mut Value) {
    let kind = &call.kind;
    let fields: Vec<Text> = match call.subresource.as_str() {
        "status" => {
            let others =
                old.value.entries(&[]).map(|(key, _)| key.clone()).chain(new.entries(&[]).map(|(key, _)| key.clone()));
            others.filter(|key| key != "status" && key != "metadata").collect()
        }
        "resize" => {
            only_resources(old, new);
            vec!["status".into()]
        }
        _ if kind.has("status") => vec!["status".into()],
        _ => Vec::new(),
    };
    for field in fields {
        match old.value.get(&field) {
            // Looking is much cheaper than copying, and most writers leave the rest alone.
            Some(kept) if new.get(&field) == Some(kept) => {}
            Some(kept) => new.put(&[&field], kept.clone()),
            None => {
                new.cut(&[&field]);
            }
        }
    }
    if call.subresource == "status" && kind.crd.is_some() {
        let managed = new.cut(&["metadata", "managedFields"]);
        new.put(&["metadata"], old.value.at(&["metadata"]).clone());
        if let Some(managed) = managed {
            new.put(&["metadata", "managedFields"], managed);
        }
    }
    for field in [
        "uid",
        "creationTimestamp",
        "deletionTimestamp",
        "deletionGracePeriodSeconds",
        "generation",
        "namespace",
        "resourceVersion",
        "generateName",
    ] {
        match old.value.at(&["metadata"]).get(field) {
            Some(kept) => new.put(&["metadata", field], kept.clone()),
            None => {
                new.cut(&["metadata", field]);
            }
        }
    }
    // A writer that does not know managed fields drops them; upstream keeps the old ones.
    if new.at(&["metadata", "managedFields"]).is_null()
        && let Some(managed) = old.value.at(&["metadata"]).get("managedFields")
    {
        new.put(&["metadata", "managedFields"], managed.clone());
    }
}

/// A resize changes what containers get and nothing else.
fn only_resources(old: &Object, new: &mut Value) {
    let wanted = new.at(&["spec"]).clone();
    new.put(&["spec"], old.value.at(&["spec"]).clone());
    for list in ["containers", "initContainers"] {
        let Some(containers) = new.place_if(&["spec", list]).and_then(Value::as_array_mut) else { continue };
        for container in containers {
            let asked = wanted.items(&[list]).iter().find(|one| one.get("name") == container.get("name"));
            for field in ["resources", "resizePolicy"] {
                if let Some(value) = asked.and_then(|asked| asked.get(field)) {
                    container.put(&[field], value.clone());
                }
            }
        }
    }
}

/// Whether anything but metadata and status differs.
fn wanted_differs(kind: &Kind, old: &Value, new: &Value) -> bool {
    let part = |key: &str| key != "metadata" && !(key == "status" && kind.has("status")) && key != "apiVersion";
    let differs =
        |left: &Value, right: &Value| left.entries(&[]).any(|(key, value)| part(key) && right.get(key) != Some(value));
    differs(old, new) || differs(new, old)
}

fn finalizers(old: &Object, new: &Value) -> Option<Cause> {
    if !old.deleting() {
        return None;
    }
    let known = old.value.items(&["metadata", "finalizers"]);
    let added: Vec<String> = new
        .items(&["metadata", "finalizers"])
        .iter()
        .filter(|one| !known.contains(one))
        .map(ToString::to_string)
        .collect();
    (!added.is_empty()).then(|| {
        Cause::forbidden(
            "metadata.finalizers",
            &format!(
                "no new finalizers can be added if the object is being deleted, found new finalizers []string{{{}}}",
                added.join(", ")
            ),
        )
    })
}
