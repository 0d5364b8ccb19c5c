//! What one reader needs of every object, kept beside them, so that a look at all of them unpacks none.

use std::collections::BTreeMap;
use std::fmt::Debug;
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, Weak};

use super::shelf::Slot;
use super::{Cache, Cached, Key};

type Rows<T> = RwLock<BTreeMap<Key, T>>;

/// A part of each object of a cache, by namespace and name; as current as the cache. Clones share it.
#[derive(Debug)]
pub struct Extract<T>(Arc<Rows<T>>);

impl<T> Clone for Extract<T> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<T> Extract<T> {
    /// Every part; changes of the cache wait as long as this is held.
    pub fn rows(&self) -> RwLockReadGuard<'_, BTreeMap<Key, T>> {
        self.0.read().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Keeps an extract current.
pub(super) trait Extracting<K>: Debug + Send + Sync {
    fn put(&self, key: &Key, object: &K);
    fn remove(&self, key: &Key);
    /// Whether somebody still reads it.
    fn is_read(&self) -> bool;
}

#[derive(Debug)]
struct Extractor<K, T> {
    of: fn(&K) -> T,
    rows: Weak<Rows<T>>,
}

impl<K: Debug, T: Debug + Send + Sync> Extracting<K> for Extractor<K, T> {
    fn put(&self, key: &Key, object: &K) {
        if let Some(rows) = self.rows.upgrade() {
            let part = (self.of)(object);
            rows.write().unwrap_or_else(PoisonError::into_inner).insert(key.clone(), part);
        }
    }

    fn remove(&self, key: &Key) {
        if let Some(rows) = self.rows.upgrade() {
            rows.write().unwrap_or_else(PoisonError::into_inner).remove(key);
        }
    }

    fn is_read(&self) -> bool {
        self.rows.strong_count() > 0
    }
}

impl<K: Cached> Cache<K> {
    /// Keeps a part of each object for one reader. Reads every object once now; after that a change costs one call of `of`.
    #[must_use]
    pub fn extract<T: Debug + Send + Sync + 'static>(&self, of: fn(&K) -> T) -> Extract<T> {
        let mut inner = self.shared.write();
        let part = |(key, slot): (&Key, &Slot<K>)| Some((key.clone(), of(&*slot.body.object()?)));
        let rows = Arc::new(RwLock::new(inner.objects.slots().filter_map(part).collect()));
        inner.extracts.retain(|extract| extract.is_read());
        inner.extracts.push(Box::new(Extractor { of, rows: Arc::downgrade(&rows) }));
        Extract(rows)
    }
}
