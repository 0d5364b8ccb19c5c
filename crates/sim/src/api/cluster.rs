//! The cluster from inside.

use std::sync::Arc;

use keelson_core::Timestamp;

use super::{
    Api,
    auth::User,
    json::Json,
    kinds::Kind,
    request::{Call, PatchType, Verb},
    status::Failure,
    storage::Object,
    verbs::Ownership,
};
use crate::objects::{Cluster, Refusal, Resource, Write};
use crate::tree::{Value, json};

/// An administrator inside the process.
#[derive(Debug)]
pub struct Inside<'a> {
    api: &'a mut Api,
    now: Timestamp,
    user: Arc<User>,
}

impl<'a> Inside<'a> {
    pub(super) fn new(api: &'a mut Api, now: Timestamp) -> Self {
        let user = Arc::clone(&api.admin);
        Self { api, now, user }
    }

    fn call(&self, resource: Resource, verb: Verb) -> Result<Call, Failure> {
        let kind: Arc<Kind> = self.api.kinds.by_resource(resource).ok_or_else(Failure::no_such_path)?;
        Ok(self.api.inside(self.now, &self.user, &kind, verb))
    }

    fn apply(&mut self, write: Write<Value>) -> Result<Arc<Object>, Failure> {
        match write {
            Write::Create(resource, object) => {
                let mut call = self.call(resource, Verb::Create)?;
                call.namespace = object.text(&["metadata", "namespace"]).to_owned();
                self.api.create(&call, object, Ownership::Changed)
            }
            Write::ReplaceStatus(resource, object) => self.replace_status(resource, object),
            Write::Merge { resource, namespace, name, subresource, patch } => {
                let mut call = self.call(resource, Verb::Patch)?;
                (call.namespace, call.name, call.subresource) = (namespace, name, subresource.to_owned());
                if subresource == "scale" {
                    return self.api.patch_scale(&call, PatchType::Merge, &patch);
                }
                self.api.patch(&call, PatchType::Merge, &patch)
            }
            Write::Delete { resource, namespace, name, uid, grace_seconds } => {
                let mut call = self.call(resource, Verb::Delete)?;
                (call.namespace, call.name) = (namespace, name);
                let mut options = json!({});
                if let Some(uid) = uid {
                    options.put(&["preconditions", "uid"], uid);
                }
                if let Some(seconds) = grace_seconds {
                    options.put(&["gracePeriodSeconds"], seconds);
                }
                match self.api.delete(&call, &options)? {
                    super::deletion::Deleted::Gone(object) | super::deletion::Deleted::Waits(object) => Ok(object),
                }
            }
            Write::Bind { namespace, name, uid, node } => {
                let mut call = self.call(Resource { group: "", plural: "pods" }, Verb::Create)?;
                (call.namespace, call.name) = (namespace, name);
                let binding = json!({"metadata": {"uid": uid}, "target": {"kind": "Node", "name": node}});
                self.api.bind(&call, &binding)?;
                self.api.read(&call)
            }
        }
    }

    fn replace_status(&mut self, resource: Resource, object: Value) -> Result<Arc<Object>, Failure> {
        let mut call = self.call(resource, Verb::Update)?;
        call.namespace = object.text(&["metadata", "namespace"]).to_owned();
        call.name = object.text(&["metadata", "name"]).to_owned();
        call.subresource = "status".to_owned();
        let old = self.api.read(&call)?;
        self.api.change(&call, &old, object, Ownership::Changed)
    }
}

impl Cluster for Inside<'_> {
    fn now(&self) -> Timestamp {
        self.now
    }

    fn find(&self, resource: Resource, namespace: &str, name: &str) -> Option<Arc<Value>> {
        self.api.store.find(resource, namespace, name).map(|object| Arc::clone(&object.value))
    }

    fn all(&self, resource: Resource) -> Vec<Arc<Value>> {
        self.api.store.list(resource, "").map(|object| Arc::clone(&object.value)).collect()
    }

    fn change(&mut self, write: Write<Value>) -> Result<Arc<Value>, Refusal> {
        let object = self.apply(write)?;
        self.api.tick(self.now);
        Ok(Arc::clone(&object.value))
    }
}
