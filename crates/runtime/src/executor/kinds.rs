//! Where objects of a kind are found.
//!
//! An action names a group and a kind; the API server wants a version and a plural. The kinds every cluster has are known;
//! others are asked for once.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use keelson_core::ObjectRef;
use serde_json::Value;
use tokio::time::Instant;

use super::wire::{Call, Wire};

/// Group, kind, version, plural, namespaced.
const KNOWN: [(&str, &str, &str, &str, bool); 13] = [
    ("", "Pod", "v1", "pods", true),
    ("", "Node", "v1", "nodes", false),
    ("", "Namespace", "v1", "namespaces", false),
    ("", "Service", "v1", "services", true),
    ("", "ConfigMap", "v1", "configmaps", true),
    ("", "PersistentVolume", "v1", "persistentvolumes", false),
    ("", "PersistentVolumeClaim", "v1", "persistentvolumeclaims", true),
    ("apps", "Deployment", "v1", "deployments", true),
    ("apps", "ReplicaSet", "v1", "replicasets", true),
    ("apps", "StatefulSet", "v1", "statefulsets", true),
    ("apps", "DaemonSet", "v1", "daemonsets", true),
    ("keelson.dev", "Platform", "v1alpha1", "platforms", false),
    ("events.k8s.io", "Event", "v1", "events", true),
];

/// Where objects of one kind are found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Place {
    version: String,
    plural: String,
    namespaced: bool,
}

impl Place {
    /// The object's path; with an empty name, that of its collection.
    pub(super) fn path(&self, object: &ObjectRef, subresource: &str) -> String {
        let mut path = match object.group.as_str() {
            "" => format!("/api/{}", self.version),
            group => format!("/apis/{group}/{}", self.version),
        };
        let namespace = Some(object.namespace.as_str()).filter(|_| self.namespaced);
        for (part, value) in [("namespaces", namespace), (&self.plural, Some(object.name.as_str()))] {
            if let Some(value) = value {
                path = format!("{path}/{part}");
                if !value.is_empty() {
                    path = format!("{path}/{value}");
                }
            }
        }
        if subresource.is_empty() { path } else { format!("{path}/{subresource}") }
    }

    /// `apiVersion` of its objects.
    pub(super) fn api_version(&self, group: &str) -> String {
        if group.is_empty() { self.version.clone() } else { format!("{group}/{}", self.version) }
    }
}

/// What was asked for once; clones share it.
#[derive(Debug, Clone, Default)]
pub(super) struct Kinds(Arc<Mutex<BTreeMap<(String, String), Place>>>);

impl Kinds {
    /// Where the object is found.
    pub(super) async fn place(&self, wire: &Wire, object: &ObjectRef, deadline: Instant) -> Result<Place, String> {
        let known = KNOWN.iter().find(|(group, kind, ..)| *group == object.group && *kind == object.kind);
        if let Some((_, _, version, plural, namespaced)) = known {
            return Ok(Place { version: (*version).into(), plural: (*plural).into(), namespaced: *namespaced });
        }
        let key = (object.group.clone(), object.kind.clone());
        if let Some(place) = self.0.lock().unwrap_or_else(PoisonError::into_inner).get(&key) {
            return Ok(place.clone());
        }
        let place = ask(wire, object, deadline).await?;
        self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(key, place.clone());
        Ok(place)
    }
}

async fn ask(wire: &Wire, object: &ObjectRef, deadline: Instant) -> Result<Place, String> {
    let (base, version) = if object.group.is_empty() {
        ("/api/v1".to_owned(), "v1".to_owned())
    } else {
        let group = wire.until(&Call::get(format!("/apis/{}", object.group)), deadline).await?;
        let version = group.text("/preferredVersion/version").to_owned();
        if !group.is_ok() || version.is_empty() {
            return Err(format!("the API server does not have the group {}; install it", object.group));
        }
        (format!("/apis/{}/{version}", object.group), version)
    };
    let list = wire.until(&Call::get(base), deadline).await?;
    let resources = list.body.get("resources").and_then(Value::as_array).into_iter().flatten();
    let named =
        |resource: &&Value, field: &str| resource.get(field).and_then(Value::as_str).unwrap_or_default().to_owned();
    let found = resources.into_iter().find(|it| named(it, "kind") == object.kind && !named(it, "name").contains('/'));
    let Some(found) = found else {
        return Err(format!("the API server does not have the kind {} in {:?}; install it", object.kind, object.group));
    };
    let namespaced = found.get("namespaced").and_then(Value::as_bool).unwrap_or_default();
    Ok(Place { version, plural: named(&found, "name"), namespaced })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_those_of_the_api() {
        let place = |plural: &str, namespaced| Place { version: "v1".into(), plural: plural.into(), namespaced };
        let pod = ObjectRef::namespaced("Pod", "shop", "cart-0");
        assert_eq!(place("pods", true).path(&pod, "binding"), "/api/v1/namespaces/shop/pods/cart-0/binding");
        assert_eq!(place("nodes", false).path(&ObjectRef::cluster("Node", "a"), ""), "/api/v1/nodes/a");
        let all = ObjectRef::namespaced("Deployment", "shop", "").in_group("apps");
        assert_eq!(place("deployments", true).path(&all, ""), "/apis/apps/v1/namespaces/shop/deployments");
    }
}
