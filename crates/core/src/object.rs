//! Which Kubernetes object is meant.

use std::fmt;

use serde::{Deserialize, Serialize};

/// An API group and kind, as `Pod` or `Deployment.apps`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
pub struct GroupKind {
    /// Empty for the core group.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub group: String,
    /// The kind in CamelCase.
    pub kind: String,
}

impl GroupKind {
    /// A kind of the core group.
    #[must_use]
    pub fn core(kind: &str) -> Self {
        Self { group: String::new(), kind: kind.to_owned() }
    }
}

impl fmt::Display for GroupKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.group.as_str() {
            "" => f.write_str(&self.kind),
            group => write!(f, "{}.{group}", self.kind),
        }
    }
}

/// One object, by name and, when known, by uid: a recreated object of the same name is another object.
///
/// ```
/// use keelson_core::ObjectRef;
/// let pod = ObjectRef::namespaced("Pod", "shop", "cart-0");
/// assert_eq!(pod.to_string(), "Pod shop/cart-0");
/// ```
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
pub struct ObjectRef {
    /// Empty for the core group.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub group: String,
    /// The kind in CamelCase.
    pub kind: String,
    /// Empty for cluster-scoped kinds.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub namespace: String,
    /// `metadata.name`.
    pub name: String,
    /// `metadata.uid`; empty when unknown.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub uid: String,
}

impl ObjectRef {
    /// A namespaced object of the core group, uid unknown.
    #[must_use]
    pub fn namespaced(kind: &str, namespace: &str, name: &str) -> Self {
        Self { kind: kind.into(), namespace: namespace.into(), name: name.into(), ..Self::default() }
    }

    /// A cluster-scoped object of the core group, uid unknown.
    #[must_use]
    pub fn cluster(kind: &str, name: &str) -> Self {
        Self { kind: kind.into(), name: name.into(), ..Self::default() }
    }

    /// The same reference in an API group.
    #[must_use]
    pub fn in_group(mut self, group: &str) -> Self {
        self.group = group.into();
        self
    }

    /// The same reference with a uid.
    #[must_use]
    pub fn with_uid(mut self, uid: &str) -> Self {
        self.uid = uid.into();
        self
    }

    /// `namespace/name`, or `name` alone for cluster-scoped kinds.
    #[must_use]
    pub fn path(&self) -> String {
        match self.namespace.as_str() {
            "" => self.name.clone(),
            namespace => format!("{namespace}/{}", self.name),
        }
    }
}

impl fmt::Display for ObjectRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.kind, self.path())
    }
}
