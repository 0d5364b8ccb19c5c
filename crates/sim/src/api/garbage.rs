//! What goes when its owner goes, and what goes with its namespace.
//!
//! Upstream's garbage collector and namespace controller, as one queue that is worked off after every write: the outcome
//! of a deletion is there when the next request comes, in the order of resources, namespaces and names.

use std::{
    collections::{BTreeSet, VecDeque},
    sync::Arc,
};

use keelson_core::Timestamp;

use super::{
    Api,
    auth::User,
    json::Json,
    kinds::Kind,
    request::Verb,
    storage::{Key, Object},
};
use crate::objects::Resource;
use crate::tree::{Value, json};

/// What has to be looked at.
#[derive(Debug, Default)]
pub(crate) struct Pending {
    objects: VecDeque<(Resource, Key)>,
    owners: BTreeSet<String>,
    namespaces: BTreeSet<String>,
    quotas: BTreeSet<String>,
}

impl Pending {
    /// A stored version that may need the collector.
    pub fn look_at(&mut self, kind: &Kind, object: &Object) {
        let owned = !object.value.items(&["metadata", "ownerReferences"]).is_empty();
        let marked = object.deleting()
            && object
                .value
                .items(&["metadata", "finalizers"])
                .iter()
                .any(|one| matches!(one.as_str(), Some("foregroundDeletion" | "orphan")));
        if owned || marked {
            self.objects.push_back((kind.storage, object.key().clone()));
        }
        if kind.is("", "namespaces") && object.deleting() {
            self.namespaces.insert(object.value.text(&["metadata", "name"]).to_owned());
        }
    }

    pub fn owner_gone(&mut self, dependents: Vec<(Resource, Key)>) {
        self.objects.extend(dependents);
    }

    /// An object is gone: an owner that waited for it in the foreground may go too.
    pub fn blocked_may_go(&mut self, gone: &Value) {
        for owner in gone.items(&["metadata", "ownerReferences"]) {
            self.owners.insert(owner.text(&["uid"]).to_owned());
        }
    }

    /// A namespace with quotas has changed.
    pub fn count_again(&mut self, namespace: &str) {
        self.quotas.insert(namespace.to_owned());
    }

    pub fn namespace_may_go(&mut self, namespace: &str) {
        self.namespaces.insert(namespace.to_owned());
    }
}

impl Api {
    /// Works the queue off.
    pub fn tick(&mut self, now: Timestamp) {
        // Each step removes or marks something for good, so this ends.
        loop {
            if let Some((resource, key)) = self.garbage.objects.pop_front() {
                self.collect(now, resource, &key);
            } else if !self.garbage.owners.is_empty() {
                let owners = std::mem::take(&mut self.garbage.owners);
                self.recheck(&owners);
            } else if let Some(namespace) = self.garbage.namespaces.pop_first() {
                self.empty(now, &namespace);
            } else if let Some(namespace) = self.garbage.quotas.pop_first() {
                let Some(kind) = self.kinds.get("", "resourcequotas") else { continue };
                for counted in self.quota_statuses(&namespace) {
                    self.commit(now, &kind, counted);
                }
            } else {
                return;
            }
        }
    }

    fn recheck(&mut self, owners: &BTreeSet<String>) {
        for (resource, key) in owners.iter().filter_map(|uid| self.store.place(uid)) {
            if self.store.get(*resource, key).is_some_and(|owner| owner.deleting()) {
                self.garbage.objects.push_back((*resource, key.clone()));
            }
        }
    }

    fn collect(&mut self, now: Timestamp, resource: Resource, key: &Key) {
        let Some(object) = self.store.get(resource, key).cloned() else { return };
        let Some(kind) = self.kinds.by_resource(resource) else { return };
        if object.deleting() {
            self.finish_marked(now, &kind, &object);
        }
        let (mut solid, mut dangling, mut waiting) = (Vec::new(), 0, 0);
        for owner in object.value.items(&["metadata", "ownerReferences"]) {
            match self.owner(owner, &key.0) {
                None => dangling += 1,
                Some(found) if found.deleting() && has_finalizer(&found, "foregroundDeletion") => waiting += 1,
                Some(_) => solid.push(owner.clone()),
            }
        }
        if dangling + waiting == 0 || object.deleting() {
            return;
        }
        if solid.is_empty() {
            let policy = if waiting > 0 && !self.store.dependents(object.uid()).is_empty() {
                "Foreground"
            } else {
                "Background"
            };
            self.delete_inside(
                now,
                &kind,
                &object,
                &json!({"propagationPolicy": policy, "preconditions": {"uid": object.uid()}}),
            );
        } else {
            let mut new = (*object.value).clone();
            new.put(&["metadata", "ownerReferences"], solid);
            self.commit(now, &kind, new);
        }
    }

    /// The two policies that leave a finalizer for the collector.
    fn finish_marked(&mut self, now: Timestamp, kind: &Arc<Kind>, object: &Arc<Object>) {
        let dependents = self.store.dependents(object.uid());
        if has_finalizer(object, "orphan") {
            for (resource, key) in dependents {
                let (Some(dependent), Some(kind)) =
                    (self.store.get(resource, &key).cloned(), self.kinds.by_resource(resource))
                else {
                    continue;
                };
                let mut new = (*dependent.value).clone();
                new.array(&["metadata", "ownerReferences"]).retain(|owner| owner.text(&["uid"]) != object.uid());
                if new.items(&["metadata", "ownerReferences"]).is_empty() {
                    new.cut(&["metadata", "ownerReferences"]);
                }
                self.commit(now, &kind, new);
            }
            self.drop_finalizer(now, kind, object, "orphan");
        } else if has_finalizer(object, "foregroundDeletion") {
            let mut blocked = false;
            for (resource, key) in dependents {
                let Some(dependent) = self.store.get(resource, &key) else { continue };
                let blocks = dependent.value.items(&["metadata", "ownerReferences"]).iter().any(|owner| {
                    owner.text(&["uid"]) == object.uid() && owner.at(&["blockOwnerDeletion"]) == &Value::Bool(true)
                });
                blocked |= blocks;
                if !dependent.deleting() {
                    self.garbage.objects.push_back((resource, key));
                }
            }
            if !blocked {
                self.drop_finalizer(now, kind, object, "foregroundDeletion");
            }
        }
    }

    fn drop_finalizer(&mut self, now: Timestamp, kind: &Arc<Kind>, object: &Object, finalizer: &str) {
        let mut new = (*object.value).clone();
        new.array(&["metadata", "finalizers"]).retain(|one| one.as_str() != Some(finalizer));
        if new.items(&["metadata", "finalizers"]).is_empty() {
            new.cut(&["metadata", "finalizers"]);
        }
        self.commit(now, kind, new);
    }

    fn owner(&self, reference: &Value, namespace: &str) -> Option<Arc<Object>> {
        let kind = self.kinds.by_kind(reference.text(&["apiVersion"]), reference.text(&["kind"]))?;
        let namespace = if kind.namespaced { namespace } else { "" };
        let object = self.store.find(kind.storage, namespace, reference.text(&["name"]))?;
        (object.uid() == reference.text(&["uid"])).then(|| Arc::clone(object))
    }

    fn delete_inside(&mut self, now: Timestamp, kind: &Arc<Kind>, object: &Object, options: &Value) {
        let mut call = self.inside(now, &Arc::new(User::admin()), kind, Verb::Delete);
        (call.namespace, call.name) = (object.key().0.to_string(), object.key().1.to_string());
        // A refusal (an admission policy, say) leaves the object; it is looked at again when it changes.
        drop(self.delete(&call, options));
    }

    /// Deletes what is in a namespace that is being deleted, and the namespace when nothing is left.
    fn empty(&mut self, now: Timestamp, name: &str) {
        let Some(kind) = self.kinds.get("", "namespaces") else { return };
        let Some(namespace) = self.store.find(kind.storage, "", name).cloned() else { return };
        if !namespace.deleting() {
            return;
        }
        let mut left = false;
        let resources: Vec<Resource> = self.store.resources().collect();
        for resource in resources {
            let Some(inner) = self.kinds.by_resource(resource).filter(|kind| kind.namespaced) else { continue };
            let objects: Vec<Arc<Object>> = self.store.list(resource, name).cloned().collect();
            for object in objects {
                if !object.deleting() {
                    self.delete_inside(now, &inner, &object, &json!({"propagationPolicy": "Background"}));
                }
                left |= self.store.get(resource, object.key()).is_some();
            }
        }
        if !left {
            let mut new = (*namespace.value).clone();
            new.put(&["spec", "finalizers"], json!([]));
            self.garbage.namespaces.remove(name);
            self.commit(now, &kind, new);
        }
    }
}

fn has_finalizer(object: &Object, finalizer: &str) -> bool {
    object.value.items(&["metadata", "finalizers"]).iter().any(|one| one.as_str() == Some(finalizer))
}
