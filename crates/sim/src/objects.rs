//! How a simulated component sees and changes the cluster.
//!
//! Kubelets, controllers and the garbage collector are clients like any other, but they sit inside the process: they
//! read the stored objects directly and their writes meet every rule of the API (admission, defaults, graceful deletion,
//! optimistic locking) and none of the faults.

use std::cmp::Ordering;
use std::sync::Arc;

use keelson_core::Timestamp;

use crate::tree::Value;

/// A resource: its API group (empty for core) and its plural name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Resource {
    /// `apps`; empty for the core group.
    pub group: &'static str,
    /// `deployments`.
    pub plural: &'static str,
}

impl PartialOrd for Resource {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Resource {
    /// By group and name. Most are compared with themselves: the same letters at the same place need no reading.
    fn cmp(&self, other: &Self) -> Ordering {
        let order = |a: &'static str, b: &'static str| if std::ptr::eq(a, b) { Ordering::Equal } else { a.cmp(b) };
        order(self.group, other.group).then_with(|| order(self.plural, other.plural))
    }
}

/// One change of one object, in the order of resource versions.
#[derive(Debug, Clone)]
pub struct Event {
    /// What kind of thing changed.
    pub resource: Resource,
    /// The object as it is now; for a deletion, as it last was.
    pub object: Arc<Value>,
    /// The object before; none when it is new.
    pub before: Option<Arc<Value>>,
    /// Whether it is gone.
    pub deleted: bool,
}

/// What a component asks of the API; in any JSON from outside, in trees inside.
#[derive(Debug, Clone)]
pub enum Write<V = serde_json::Value> {
    /// Create the object; `metadata.generateName` works.
    Create(Resource, V),
    /// Replace the status and nothing else; a `metadata.resourceVersion` makes it conditional.
    ReplaceStatus(Resource, V),
    /// JSON merge patch of the object (`subresource` empty) or of a subresource such as `status`.
    Merge {
        /// What kind of thing.
        resource: Resource,
        /// Empty for cluster-scoped objects.
        namespace: String,
        /// Its name.
        name: String,
        /// `""`, `"status"` or `"scale"`.
        subresource: &'static str,
        /// The patch.
        patch: V,
    },
    /// Delete; finalizers and grace apply. `uid` guards against a namesake.
    Delete {
        /// What kind of thing.
        resource: Resource,
        /// Empty for cluster-scoped objects.
        namespace: String,
        /// Its name.
        name: String,
        /// Only this uid, when given.
        uid: Option<String>,
        /// Seconds; none takes the object's own, zero removes at once.
        grace_seconds: Option<i64>,
    },
    /// Bind a pod to a node.
    Bind {
        /// The pod's namespace.
        namespace: String,
        /// The pod's name.
        name: String,
        /// The pod's uid.
        uid: String,
        /// The node's name.
        node: String,
    },
}

/// Why the API refused; the fields of `metav1.Status`.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{code} {reason}: {message}")]
pub struct Refusal {
    /// The HTTP status.
    pub code: u16,
    /// CamelCase: `Conflict`, `NotFound`, `Forbidden`.
    pub reason: String,
    /// The sentence.
    pub message: String,
}

impl From<Write> for Write<Value> {
    fn from(write: Write) -> Self {
        match write {
            Write::Create(resource, object) => Self::Create(resource, object.into()),
            Write::ReplaceStatus(resource, object) => Self::ReplaceStatus(resource, object.into()),
            Write::Merge { resource, namespace, name, subresource, patch } => {
                Self::Merge { resource, namespace, name, subresource, patch: patch.into() }
            }
            Write::Delete { resource, namespace, name, uid, grace_seconds } => {
                Self::Delete { resource, namespace, name, uid, grace_seconds }
            }
            Write::Bind { namespace, name, uid, node } => Self::Bind { namespace, name, uid, node },
        }
    }
}

/// The cluster, from inside: as it stands, in trees, or as any JSON for those who have nothing else.
pub trait Cluster {
    /// The cluster's time.
    fn now(&self) -> Timestamp;
    /// One object, as it stands.
    fn find(&self, resource: Resource, namespace: &str, name: &str) -> Option<Arc<Value>>;
    /// Every object of a resource as it stands, by namespace and name.
    fn all(&self, resource: Resource) -> Vec<Arc<Value>>;
    /// Changes something and returns the object as it is afterwards.
    ///
    /// # Errors
    /// What any client would be told.
    fn change(&mut self, write: Write<Value>) -> Result<Arc<Value>, Refusal>;

    /// One object.
    fn get(&self, resource: Resource, namespace: &str, name: &str) -> Option<Arc<serde_json::Value>> {
        self.find(resource, namespace, name).map(|object| Arc::new((&*object).into()))
    }

    /// Every object of a resource, by namespace and name.
    fn list(&self, resource: Resource) -> Vec<Arc<serde_json::Value>> {
        self.all(resource).iter().map(|object| Arc::new((&**object).into())).collect()
    }

    /// Changes something and returns the object as it is afterwards.
    ///
    /// # Errors
    /// What any client would be told.
    fn write(&mut self, write: Write) -> Result<Arc<serde_json::Value>, Refusal> {
        self.change(write.into()).map(|object| Arc::new((&*object).into()))
    }
}
