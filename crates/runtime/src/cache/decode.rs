//! Reading objects that may be broken.
//!
//! A list or a watch of typed objects fails as a whole when one object does not fit the type (a field of a newer
//! version, a custom resource stored before its schema). [`Tolerant`] reads each object on its own: what cannot be read is
//! known by its name and its error, and everything else is read.

use std::borrow::Cow;
use std::sync::Arc;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kube::Resource;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Deserializer};
use serde_json::Value;

use super::prune::prune;

/// An object, or why it cannot be read.
#[derive(Debug, Clone)]
pub(crate) struct Tolerant<K> {
    /// Name, namespace, uid and version, whatever the rest is like.
    pub(crate) meta: ObjectMeta,
    /// The object.
    pub(crate) object: Result<Arc<K>, String>,
}

impl<'de, K: Resource + DeserializeOwned> Deserialize<'de> for Tolerant<K>
where
    K::DynamicType: Default,
{
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let mut value = Value::deserialize(deserializer)?;
        let dynamic = K::DynamicType::default();
        prune(&K::plural(&dynamic), &mut value);
        let meta = known_meta(&value);
        let object = serde_json::from_value(value).map(Arc::new).map_err(|error| error.to_string());
        Ok(Self { meta, object })
    }
}

impl<K> Tolerant<K>
where
    K: Resource,
    K::DynamicType: Default,
{
    /// The object; of one that cannot be read the log says which and why.
    pub(crate) fn read(self) -> Option<Arc<K>> {
        let unread = |why: &String| {
            let (kind, name) = (K::kind(&K::DynamicType::default()).into_owned(), self.meta.name.as_deref());
            tracing::warn!(kind, name, "skipped, cannot be read: {why}");
        };
        self.object.inspect_err(unread).ok()
    }
}

/// The few fields every object has, read by hand so that nothing else in the metadata can spoil them.
fn known_meta(value: &Value) -> ObjectMeta {
    let field = |name: &str| value.get("metadata")?.get(name)?.as_str().map(str::to_owned);
    ObjectMeta {
        name: field("name"),
        namespace: field("namespace"),
        uid: field("uid"),
        resource_version: field("resourceVersion"),
        ..ObjectMeta::default()
    }
}

impl<K: Resource> Resource for Tolerant<K> {
    type DynamicType = K::DynamicType;
    type Scope = K::Scope;
    fn kind(dt: &Self::DynamicType) -> Cow<'_, str> {
        K::kind(dt)
    }
    fn group(dt: &Self::DynamicType) -> Cow<'_, str> {
        K::group(dt)
    }
    fn version(dt: &Self::DynamicType) -> Cow<'_, str> {
        K::version(dt)
    }
    fn plural(dt: &Self::DynamicType) -> Cow<'_, str> {
        K::plural(dt)
    }
    fn meta(&self) -> &ObjectMeta {
        &self.meta
    }
    fn meta_mut(&mut self) -> &mut ObjectMeta {
        &mut self.meta
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use k8s_openapi::api::core::v1::Pod;
    use serde_json::json;

    #[test]
    fn a_broken_object_is_known_by_its_name() {
        let broken = json!({"metadata": {"name": "a", "namespace": "b"}, "spec": {"containers": 7}});
        let read: Tolerant<Pod> = serde_json::from_value(broken).unwrap();
        assert_eq!(read.meta.name.as_deref(), Some("a"));
        assert!(read.object.unwrap_err().contains("integer `7`"));
    }
}
