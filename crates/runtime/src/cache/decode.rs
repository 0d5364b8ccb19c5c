//! Reading objects that may be broken.
//!
//! A list or a watch of typed objects fails as a whole when one object does not fit the type (a field of a newer
//! version, a custom resource stored before its schema). [`Tolerant`] takes each object as text, to be read on its own: what
//! cannot be read is known by its name and its error, and everything else is read.

use std::borrow::Cow;
use std::marker::PhantomData;
use std::sync::Arc;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kube::Resource;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Deserializer};
use serde_json::Value;
use serde_json::value::RawValue;

use super::Key;
use super::prune::{Rules, pruned};
use super::shelf::Stamp;

/// An object as it was sent, pruned.
#[derive(Debug, Clone)]
pub(crate) struct Tolerant<K> {
    /// Name, namespace, uid and version, whatever the rest is like.
    meta: ObjectMeta,
    json: Box<str>,
    kind: PhantomData<fn() -> K>,
}

impl<'de, K: Resource> Deserialize<'de> for Tolerant<K>
where
    K::DynamicType: Default,
{
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let json = Box::<RawValue>::deserialize(deserializer)?;
        let json = pruned(json.get(), Rules::of(&K::plural(&K::DynamicType::default())));
        let meta =
            serde_json::from_str::<Named>(&json).map_or_else(|_| ObjectMeta::default(), |named| named.metadata.into());
        Ok(Self { meta, json: json.into(), kind: PhantomData })
    }
}

impl<K> Tolerant<K>
where
    K: Resource + DeserializeOwned,
    K::DynamicType: Default,
{
    /// The object; of one that cannot be read the log says which and why.
    pub(crate) fn read(self) -> Option<Arc<K>> {
        let unread = |why: &String| {
            let (kind, name) = (K::kind(&K::DynamicType::default()).into_owned(), self.meta.name.as_deref());
            tracing::warn!(kind, name, "skipped, cannot be read: {why}");
        };
        read(&self.json).inspect_err(unread).ok()
    }
}

impl<K> Tolerant<K> {
    /// The pruned JSON.
    pub(super) fn json(&self) -> &str {
        &self.json
    }

    /// Where it lies in a cache.
    pub(super) fn key(&self) -> Key {
        (self.meta.namespace.clone().unwrap_or_default(), self.meta.name.clone().unwrap_or_default())
    }

    /// Which version of which object it is.
    pub(super) fn stamp(&self) -> Stamp {
        let text = |text: &Option<String>| text.as_deref().unwrap_or_default().into();
        Stamp { uid: text(&self.meta.uid), version: text(&self.meta.resource_version) }
    }
}

/// An object, or why it cannot be read.
pub(super) fn read<K: DeserializeOwned>(json: &str) -> Result<Arc<K>, String> {
    serde_json::from_str(json).map(Arc::new).map_err(|error| error.to_string())
}

/// The few fields that tell objects apart, read so that nothing else in an object can spoil them.
#[derive(Deserialize)]
struct Named {
    #[serde(default)]
    metadata: Names,
}

#[derive(Deserialize, Default)]
#[serde(default, rename_all = "camelCase")]
struct Names {
    name: Value,
    namespace: Value,
    uid: Value,
    resource_version: Value,
}

impl From<Names> for ObjectMeta {
    fn from(names: Names) -> Self {
        let text = |value: Value| value.as_str().map(str::to_owned);
        Self {
            name: text(names.name),
            namespace: text(names.namespace),
            uid: text(names.uid),
            resource_version: text(names.resource_version),
            ..Self::default()
        }
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
        let read: Tolerant<Pod> = serde_json::from_str(&broken.to_string()).unwrap();
        assert_eq!((read.meta.name.as_deref(), read.meta.namespace.as_deref()), (Some("a"), Some("b")));
        assert!(super::read::<Pod>(read.json()).unwrap_err().contains("integer `7`"));
    }
}
