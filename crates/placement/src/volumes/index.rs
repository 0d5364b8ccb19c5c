//! What the cluster has, and how it is found.
//!
//! Volumes at hand are kept by class and size, and those that are kept for a claim by the claim: to match a claim nobody
//! walks over volumes that are taken. What was decided for pods and is not written yet lies beside the objects, by pod, and
//! goes with its pod.
//!
//! Promises: the same last objects give the same index, whatever their order; a copy costs some hundred pointers, and a
//! change after a copy a few dozen more than the change.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::{
    Attachment, Driver, NodeDrivers, StorageCapacity, StorageClass, Volume, VolumeChange, VolumeClaim, VolumePlan,
};

/// Shards of a table: with 100,000 claims a change after a copy copies some 400 pointers.
const SHARDS: usize = 256;

/// A map in shards behind reference counts.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Table<T>(Vec<Arc<BTreeMap<String, Arc<T>>>>);

impl<T> Default for Table<T> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<T: Clone + PartialEq> Table<T> {
    fn shard(key: &str) -> usize {
        usize::try_from(crate::choose::hash(key) % SHARDS as u64).unwrap_or(0)
    }

    fn get(&self, key: &str) -> Option<&T> {
        self.0.get(Self::shard(key))?.get(key).map(AsRef::as_ref)
    }

    /// Replaces what is there; what was there.
    fn set(&mut self, key: &str, value: Option<T>) -> Option<Arc<T>> {
        if self.0.is_empty() {
            value.as_ref()?;
            self.0.resize(SHARDS, Arc::default());
        }
        let shard = Arc::make_mut(self.0.get_mut(Self::shard(key))?);
        match value {
            Some(value) => shard.insert(key.into(), Arc::new(value)),
            None => shard.remove(key),
        }
    }

    fn keys(&self) -> Vec<String> {
        self.0.iter().flat_map(|shard| shard.keys()).cloned().collect()
    }

    fn iter(&self) -> impl Iterator<Item = &T> {
        self.0.iter().flat_map(|shard| shard.values()).map(AsRef::as_ref)
    }
}

impl<T: Ord + Clone> Table<BTreeSet<T>> {
    /// Adds an item to a set, or takes it away.
    fn list(&mut self, key: &str, item: T, listed: bool) {
        let mut set = self.get(key).cloned().unwrap_or_default();
        let changed = if listed { set.insert(item) } else { set.remove(&item) };
        if changed {
            self.set(key, Some(set).filter(|set| !set.is_empty()));
        }
    }
}

/// Claims, volumes, classes, and what drivers say of nodes.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Volumes {
    claims: Table<VolumeClaim>,
    volumes: Table<Volume>,
    /// By class: the volumes that wait for a claim, smallest first.
    at_hand: Table<BTreeSet<(i64, String)>>,
    /// By claim: the volumes that are kept for it.
    kept: Table<BTreeSet<String>>,
    classes: Table<StorageClass>,
    drivers: Table<Driver>,
    capacities: Table<StorageCapacity>,
    nodes: Table<NodeDrivers>,
    attachments: Table<Attachment>,
    /// By node: the names of its attachments.
    by_node: Table<BTreeSet<String>>,
    plans: Arc<BTreeMap<Arc<str>, Arc<VolumePlan>>>,
}

/// The kinds of objects of [`Volumes`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[allow(missing_docs, reason = "see the types of these names")]
pub enum VolumeKind {
    Claim,
    Volume,
    Class,
    Driver,
    Capacity,
    NodeDrivers,
    Attachment,
}

/// One object of [`Volumes`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[allow(missing_docs, reason = "see the types of these names")]
pub enum VolumeObject {
    Claim(VolumeClaim),
    Volume(Volume),
    Class(StorageClass),
    Driver(Driver),
    Capacity(StorageCapacity),
    NodeDrivers(NodeDrivers),
    Attachment(Attachment),
}

impl VolumeObject {
    /// Its kind.
    #[must_use]
    pub const fn kind(&self) -> VolumeKind {
        match self {
            Self::Claim(_) => VolumeKind::Claim,
            Self::Volume(_) => VolumeKind::Volume,
            Self::Class(_) => VolumeKind::Class,
            Self::Driver(_) => VolumeKind::Driver,
            Self::Capacity(_) => VolumeKind::Capacity,
            Self::NodeDrivers(_) => VolumeKind::NodeDrivers,
            Self::Attachment(_) => VolumeKind::Attachment,
        }
    }

    /// Its name, with its namespace before a slash where it has one.
    #[must_use]
    pub fn key(&self) -> String {
        match self {
            Self::Claim(claim) => claim.key(),
            Self::Volume(Volume { name, .. })
            | Self::Class(StorageClass { name, .. })
            | Self::Driver(Driver { name, .. })
            | Self::Capacity(StorageCapacity { key: name, .. })
            | Self::NodeDrivers(NodeDrivers { node: name, .. })
            | Self::Attachment(Attachment { name, .. }) => name.clone(),
        }
    }
}

impl Volumes {
    /// These objects.
    #[must_use]
    pub fn of(objects: impl IntoIterator<Item = VolumeObject>) -> Self {
        let mut volumes = Self::default();
        objects.into_iter().for_each(|object| _ = volumes.put(object));
        volumes
    }

    /// An object is new or changed; what that means to pods, nothing when it was known like this.
    pub fn put(&mut self, object: VolumeObject) -> Option<VolumeChange> {
        let key = object.key();
        match object {
            VolumeObject::Claim(claim) => put(&mut self.claims, &key, claim).map(|_| VolumeChange::Claim(key)),
            VolumeObject::Volume(volume) => {
                let before = put(&mut self.volumes, &key, volume)?;
                before.into_iter().for_each(|volume| self.list(&volume, false));
                let volume = self.volumes.get(&key).cloned()?;
                self.list(&volume, true);
                Some(VolumeChange::Volume(Box::new(volume)))
            }
            VolumeObject::Class(class) => put(&mut self.classes, &key, class).map(|_| VolumeChange::Class(key)),
            VolumeObject::Driver(driver) => put(&mut self.drivers, &key, driver).map(|_| VolumeChange::Driver(key)),
            VolumeObject::Capacity(capacity) => {
                let class = capacity.class.clone();
                put(&mut self.capacities, &key, capacity).map(|_| VolumeChange::Capacity(class))
            }
            VolumeObject::NodeDrivers(node) => put(&mut self.nodes, &key, node).map(|_| VolumeChange::NodeDrivers),
            VolumeObject::Attachment(attachment) => {
                let node = attachment.node.clone();
                let before = put(&mut self.attachments, &key, attachment)?;
                before.into_iter().for_each(|before| self.by_node.list(&before.node, key.clone(), false));
                self.by_node.list(&node, key, true);
                Some(VolumeChange::Attachment)
            }
        }
    }

    /// An object is gone; what that means to pods, nothing when it was not known.
    pub fn remove(&mut self, kind: VolumeKind, key: &str) -> Option<VolumeChange> {
        match kind {
            VolumeKind::Claim => self.claims.set(key, None).map(|_| VolumeChange::Claim(key.into())),
            VolumeKind::Volume => {
                let volume = self.volumes.set(key, None)?;
                self.list(&volume, false);
                Some(VolumeChange::Volume(Box::new(Volume::clone(&volume))))
            }
            VolumeKind::Class => self.classes.set(key, None).map(|_| VolumeChange::Class(key.into())),
            VolumeKind::Driver => self.drivers.set(key, None).map(|_| VolumeChange::Driver(key.into())),
            VolumeKind::Capacity => {
                self.capacities.set(key, None).map(|before| VolumeChange::Capacity(before.class.clone()))
            }
            VolumeKind::NodeDrivers => self.nodes.set(key, None).map(|_| VolumeChange::NodeDrivers),
            VolumeKind::Attachment => {
                let before = self.attachments.set(key, None)?;
                self.by_node.list(&before.node, key.into(), false);
                Some(VolumeChange::Attachment)
            }
        }
    }

    fn list(&mut self, volume: &Volume, listed: bool) {
        match &volume.claim {
            Some(claim) => self.kept.list(&format!("{}/{}", claim.namespace, claim.name), volume.name.clone(), listed),
            None if volume.available => self.at_hand.list(&volume.class, (volume.bytes, volume.name.clone()), listed),
            None => {}
        }
    }

    /// Remembers what was decided for a pod and is not written yet; `None` forgets it.
    pub fn decide(&mut self, uid: &Arc<str>, plan: Option<Arc<VolumePlan>>) {
        if self.plans.get(uid) == plan.as_ref() {
            return;
        }
        let plans = Arc::make_mut(&mut self.plans);
        match plan {
            Some(plan) => plans.insert(Arc::clone(uid), plan),
            None => plans.remove(uid),
        };
    }

    /// What was decided for other pods.
    pub(super) fn decided<'a>(&'a self, uid: &str) -> impl Iterator<Item = &'a VolumePlan> {
        self.plans.iter().filter(move |(other, _)| other.as_ref() != uid).map(|(_, plan)| plan.as_ref())
    }

    /// The names of all objects of a kind, with their namespaces before a slash where they have them; in no order.
    #[must_use]
    pub fn keys(&self, kind: VolumeKind) -> Vec<String> {
        match kind {
            VolumeKind::Claim => self.claims.keys(),
            VolumeKind::Volume => self.volumes.keys(),
            VolumeKind::Class => self.classes.keys(),
            VolumeKind::Driver => self.drivers.keys(),
            VolumeKind::Capacity => self.capacities.keys(),
            VolumeKind::NodeDrivers => self.nodes.keys(),
            VolumeKind::Attachment => self.attachments.keys(),
        }
    }

    /// A claim.
    #[must_use]
    pub fn claim(&self, namespace: &str, name: &str) -> Option<&VolumeClaim> {
        self.claims.get(&format!("{namespace}/{name}"))
    }

    /// A volume.
    #[must_use]
    pub fn volume(&self, name: &str) -> Option<&Volume> {
        self.volumes.get(name)
    }

    /// The volumes of a class that wait for a claim of so many bytes, smallest first.
    pub(super) fn at_hand<'a>(&'a self, class: &str, bytes: i64) -> impl Iterator<Item = &'a Volume> {
        let listed = self.at_hand.get(class).into_iter();
        let large = listed.flat_map(move |listed| listed.range((bytes, String::new())..));
        large.filter_map(|(_, name)| self.volumes.get(name))
    }

    /// The volumes that are kept for a claim, by name.
    pub(super) fn kept_for<'a>(&'a self, claim: &VolumeClaim) -> impl Iterator<Item = &'a Volume> {
        let names = self.kept.get(&claim.key()).into_iter().flatten();
        names.filter_map(|name| self.volumes.get(name))
    }

    /// A storage class.
    #[must_use]
    pub fn class(&self, name: &str) -> Option<&StorageClass> {
        self.classes.get(name)
    }

    /// A driver.
    #[must_use]
    pub fn driver(&self, name: &str) -> Option<&Driver> {
        self.drivers.get(name)
    }

    /// How much of a class can still be made.
    pub(super) fn capacities<'a>(&'a self, class: &str) -> impl Iterator<Item = &'a StorageCapacity> {
        self.capacities.iter().filter(move |capacity| capacity.class == class)
    }

    /// A node's drivers.
    #[must_use]
    pub fn drivers_of(&self, node: &str) -> Option<&NodeDrivers> {
        self.nodes.get(node)
    }

    /// What is attached to a node.
    pub(super) fn attached_to<'a>(&'a self, node: &str) -> impl Iterator<Item = &'a Attachment> {
        let names = self.by_node.get(node).into_iter().flatten();
        names.filter_map(|name| self.attachments.get(name))
    }
}

/// Puts a value where it is not there yet; what was there, `None` when it was the same.
#[allow(clippy::option_option, reason = "whether it changed, and what was there")]
fn put<T: Clone + PartialEq>(table: &mut Table<T>, key: &str, value: T) -> Option<Option<Arc<T>>> {
    (table.get(key) != Some(&value)).then(|| table.set(key, Some(value)))
}
