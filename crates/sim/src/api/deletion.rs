//! Deleting: grace, finalizers, preconditions.
//!
//! A deletion either takes the object away at once or marks it, and whoever holds it (a kubelet, a finalizer's owner)
//! finishes. A deletion can be asked again with less grace, never with more.

use std::sync::Arc;

use keelson_core::{Span, Timestamp};

use super::{
    Api, admission,
    json::Json,
    kinds::Kind,
    meta,
    request::Call,
    select::Filter,
    status::Failure,
    storage::{Key, Object},
};
use crate::tree::{Value, json};

/// What a deletion left.
#[derive(Debug)]
pub(crate) enum Deleted {
    /// The object is gone.
    Gone(Arc<Object>),
    /// The object waits for its finalizers or its grace.
    Waits(Arc<Object>),
}

impl Api {
    pub(super) fn delete(&mut self, call: &Call, options: &Value) -> Result<Deleted, Failure> {
        let kind = &call.kind;
        let old = self.read(call)?;
        preconditions(kind, &call.name, &old, options)?;
        if kind.is("", "namespaces") && matches!(call.name.as_str(), "default" | "kube-system" | "kube-public") {
            return Err(Failure::forbidden(kind, &call.name, "this namespace may not be deleted"));
        }
        admission::validate(self, call, &Value::Null, Some(&old.value))?;
        let grace = grace(kind, &old, options);
        let mut new = (*old.value).clone();
        let finalizers = finalizers(&old, options);
        if finalizers.is_empty() {
            new.cut(&["metadata", "finalizers"]);
        } else {
            new.put(&["metadata", "finalizers"], finalizers.clone());
        }
        let held = !finalizers.is_empty()
            || (kind.is("", "namespaces") && !old.value.items(&["spec", "finalizers"]).is_empty());
        if !held && grace == 0 {
            let gone = if call.dry_run { None } else { self.erase(kind, old.key()) };
            let gone = gone.unwrap_or_else(|| Arc::clone(&old));
            let mut last = (*gone.value).clone();
            if kind.is("", "pods") {
                self.mark(call.now, kind, &old, &mut last, 0);
            }
            return Ok(Deleted::Gone(Object::unsaved(last)));
        }
        self.mark(call.now, kind, &old, &mut new, grace);
        if new == *old.value {
            return Ok(Deleted::Waits(old));
        }
        if call.dry_run {
            return Ok(Deleted::Waits(Object::unsaved(new)));
        }
        let stored = self.store.put(kind.storage, new);
        self.stored(call.now, kind, &stored);
        Ok(Deleted::Waits(stored))
    }

    /// Writes the deletion into the object's metadata.
    fn mark(&self, now: Timestamp, kind: &Kind, old: &Object, new: &mut Value, grace: i64) {
        let shorter = old.value.int(&["metadata", "deletionGracePeriodSeconds"]).is_none_or(|before| grace < before);
        if old.deleting() && !shorter {
            return;
        }
        if old.deleting() {
            // Asked again with less grace: the end moves forward.
            let before = old.value.int(&["metadata", "deletionGracePeriodSeconds"]).unwrap_or(0);
            let end = Timestamp::parse(old.value.text(&["metadata", "deletionTimestamp"])).unwrap_or(now);
            let end = end + Span::seconds(grace - before);
            new.put(&["metadata", "deletionTimestamp"], meta::time(end));
        } else {
            new.put(&["metadata", "deletionTimestamp"], meta::time(now + Span::seconds(grace)));
            if let Some(generation) = old.value.int(&["metadata", "generation"]) {
                new.put(&["metadata", "generation"], generation + 1);
            }
        }
        if kind.is("", "namespaces") {
            new.put(&["status", "phase"], "Terminating");
        } else {
            new.put(&["metadata", "deletionGracePeriodSeconds"], grace);
        }
    }

    /// Takes an object away and remembers what that may orphan.
    pub(super) fn erase(&mut self, kind: &Arc<Kind>, key: &Key) -> Option<Arc<Object>> {
        let gone = self.store.remove(kind.storage, key)?;
        if kind.is("apiextensions.k8s.io", "customresourcedefinitions") {
            self.withdraw_definition(&gone);
        }
        self.garbage.owner_gone(self.store.dependents(gone.uid()));
        self.garbage.blocked_may_go(&gone.value);
        if kind.namespaced {
            self.garbage.namespace_may_go(&key.0);
            if self.has_quota(&key.0) {
                self.garbage.count_again(&key.0);
            }
        }
        Some(gone)
    }

    /// Deletes what a list would show.
    pub(super) fn delete_collection(&mut self, call: &Call, options: &Value) -> Result<Vec<Arc<Object>>, Failure> {
        let filter = Filter::of(&call.kind, call.version, &call.query)?;
        let doomed: Vec<Arc<Object>> = self
            .store
            .list(call.kind.storage, &call.namespace)
            .filter(|object| filter.matches(&object.value))
            .cloned()
            .collect();
        for object in &doomed {
            let mut one = call.clone();
            (one.namespace, one.name) = (object.key().0.to_string(), object.key().1.to_string());
            match self.delete(&one, options) {
                Ok(_) => {}
                Err(failure) if failure.code == 404 => {}
                Err(failure) => return Err(failure),
            }
        }
        Ok(doomed)
    }
}

pub(super) fn preconditions(kind: &Kind, name: &str, old: &Object, options: &Value) -> Result<(), Failure> {
    let uid = options.text(&["preconditions", "uid"]);
    if !uid.is_empty() && uid != old.uid() {
        return Err(Failure::precondition(kind, name, "UID", uid, old.uid(), "deleted and then recreated"));
    }
    let rv = options.text(&["preconditions", "resourceVersion"]);
    let has = old.value.text(&["metadata", "resourceVersion"]);
    if !rv.is_empty() && rv != has {
        return Err(Failure::precondition(kind, name, "ResourceVersion", rv, has, "modified"));
    }
    Ok(())
}

/// Only pods take leave slowly, and only from a node that runs them.
fn grace(kind: &Kind, old: &Object, options: &Value) -> i64 {
    if !kind.is("", "pods") {
        return 0;
    }
    let own = old.value.int(&["spec", "terminationGracePeriodSeconds"]).unwrap_or(30);
    let asked = options.int(&["gracePeriodSeconds"]).unwrap_or(own);
    let asked = if asked < 0 { own.max(1) } else { asked };
    let over = matches!(old.value.text(&["status", "phase"]), "Succeeded" | "Failed");
    if over || old.value.text(&["spec", "nodeName"]).is_empty() { 0 } else { asked }
}

/// The finalizers after the propagation policy has been taken into account.
fn finalizers(old: &Object, options: &Value) -> Vec<Value> {
    let policy = match (options.text(&["propagationPolicy"]), options.at(&["orphanDependents"])) {
        ("", Value::Bool(true)) => "Orphan",
        ("", Value::Bool(false)) => "Background",
        (policy, _) => policy,
    };
    let mut all: Vec<Value> = old.value.items(&["metadata", "finalizers"]).to_vec();
    let extra = match policy {
        "Foreground" => Some("foregroundDeletion"),
        "Orphan" => Some("orphan"),
        "Background" => None,
        _ => return all,
    };
    all.retain(|one| !matches!(one.as_str(), Some("foregroundDeletion" | "orphan")));
    all.extend(extra.map(|name| json!(name)));
    all
}
