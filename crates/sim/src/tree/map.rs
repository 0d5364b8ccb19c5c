//! The maps of a tree: entries in one row, in order of their keys.
//!
//! Nearly every map of a Kubernetes object has fewer than twenty entries; a row of them is read faster than any tree, and
//! copied in one piece.

use std::{fmt, sync::Arc};

use super::{Text, Value};

/// A map; copied when it is written while somebody else holds it.
#[derive(Clone, Eq)]
pub struct Map<V = Value>(Arc<Vec<(Text, V)>>);

impl<V> Default for Map<V> {
    fn default() -> Self {
        Self(Arc::default())
    }
}

/// Up to this many entries a key is looked for from the first to the last: most keys differ in their lengths already.
const ROW: usize = 16;

impl<V> Map<V> {
    /// An empty map.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// An empty map with room for entries.
    #[must_use]
    pub fn with_capacity(entries: usize) -> Self {
        Self(Arc::new(Vec::with_capacity(entries)))
    }

    /// How many entries it has.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether it has none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    fn position(&self, key: &str) -> Option<usize> {
        if self.0.len() <= ROW { self.0.iter().position(|(name, _)| **name == *key) } else { self.place(key).ok() }
    }

    /// Where a key is, or where it belongs.
    fn place(&self, key: &str) -> Result<usize, usize> {
        match self.0.last() {
            Some((last, _)) if **last < *key => Err(self.0.len()),
            _ => self.0.binary_search_by(|(name, _)| (**name).cmp(key)),
        }
    }

    /// The value of a key.
    #[must_use]
    pub fn get(&self, key: &str) -> Option<&V> {
        self.0.get(self.position(key)?).map(|(_, value)| value)
    }

    /// Whether the key is there.
    #[must_use]
    pub fn contains_key(&self, key: &str) -> bool {
        self.position(key).is_some()
    }

    /// Keys and values, in order of the keys.
    pub fn iter(&self) -> Iter<'_, V> {
        let parts: fn(&(Text, V)) -> (&Text, &V) = |(key, value)| (key, value);
        self.0.iter().map(parts)
    }

    /// The keys, in order.
    pub fn keys(&self) -> impl Iterator<Item = &Text> {
        self.0.iter().map(|(key, _)| key)
    }

    /// The values, in order of their keys.
    pub fn values(&self) -> impl Iterator<Item = &V> {
        self.0.iter().map(|(_, value)| value)
    }
}

impl<V: Clone> Map<V> {
    fn entries_mut(&mut self) -> &mut Vec<(Text, V)> {
        Arc::make_mut(&mut self.0)
    }

    /// The value of a key, to be written.
    pub fn get_mut(&mut self, key: &str) -> Option<&mut V> {
        let at = self.position(key)?;
        self.entries_mut().get_mut(at).map(|(_, value)| value)
    }

    /// Writes a value, and gives back what was there.
    pub fn insert(&mut self, key: impl Into<Text>, value: V) -> Option<V> {
        let key = key.into();
        match self.place(&key) {
            Ok(at) => self.entries_mut().get_mut(at).map(|(_, known)| std::mem::replace(known, value)),
            Err(at) => {
                self.entries_mut().insert(at, (key, value));
                None
            }
        }
    }

    /// Takes a key away.
    pub fn remove(&mut self, key: &str) -> Option<V> {
        let at = self.position(key)?;
        Some(self.entries_mut().remove(at).1)
    }

    /// The place of a key, there or not.
    pub fn entry<'a, 'k>(&'a mut self, key: &'k str) -> Entry<'a, 'k, V> {
        Entry { map: self, key }
    }

    /// Takes away what does not meet a condition.
    pub fn retain(&mut self, keep: impl Fn(&Text, &V) -> bool) {
        if self.iter().any(|(key, value)| !keep(key, value)) {
            self.entries_mut().retain(|(key, value)| keep(key, value));
        }
    }

    /// Takes everything away.
    pub fn clear(&mut self) {
        *self = Self::new();
    }

    /// Keys and values, the values to be written.
    pub fn iter_mut(&mut self) -> impl Iterator<Item = (&Text, &mut V)> {
        self.entries_mut().iter_mut().map(|(key, value)| (&*key, value))
    }

    /// The values, to be written.
    pub fn values_mut(&mut self) -> impl Iterator<Item = &mut V> {
        self.entries_mut().iter_mut().map(|(_, value)| value)
    }
}

/// Entries of a map, in order of their keys.
pub type Iter<'a, V = Value> = std::iter::Map<std::slice::Iter<'a, (Text, V)>, fn(&'a (Text, V)) -> (&'a Text, &'a V)>;

impl<V: PartialEq> PartialEq for Map<V> {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0) || self.0 == other.0
    }
}

impl<V: fmt::Debug> fmt::Debug for Map<V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map().entries(self.iter()).finish()
    }
}

impl<'a, V> IntoIterator for &'a Map<V> {
    type Item = (&'a Text, &'a V);
    type IntoIter = Iter<'a, V>;
    fn into_iter(self) -> Iter<'a, V> {
        self.iter()
    }
}

impl<V: Clone> IntoIterator for Map<V> {
    type Item = (Text, V);
    type IntoIter = std::vec::IntoIter<(Text, V)>;
    fn into_iter(self) -> Self::IntoIter {
        Arc::unwrap_or_clone(self.0).into_iter()
    }
}

impl<K: Into<Text>, V: Clone> FromIterator<(K, V)> for Map<V> {
    fn from_iter<I: IntoIterator<Item = (K, V)>>(entries: I) -> Self {
        let mut map = Self::new();
        map.extend(entries);
        map
    }
}

impl<K: Into<Text>, V: Clone> Extend<(K, V)> for Map<V> {
    fn extend<I: IntoIterator<Item = (K, V)>>(&mut self, entries: I) {
        let entries = entries.into_iter();
        self.entries_mut().reserve(entries.size_hint().0);
        for (key, value) in entries {
            self.insert(key, value);
        }
    }
}

/// The place of a key in a map.
#[derive(Debug)]
pub struct Entry<'a, 'k, V = Value> {
    map: &'a mut Map<V>,
    key: &'k str,
}

impl<'a, V: Clone> Entry<'a, '_, V> {
    /// The value that is there, or the one given.
    pub fn or_insert(self, value: V) -> &'a mut V {
        self.or_insert_with(|| value)
    }

    /// The value that is there, or one that is made for it.
    pub fn or_insert_with(self, make: impl FnOnce() -> V) -> &'a mut V {
        let place = self.map.place(self.key);
        let entries = self.map.entries_mut();
        let (at, entry) = match place {
            Ok(at) => (at, entries.remove(at)),
            Err(at) => (at, (self.key.into(), make())),
        };
        &mut entries.insert_mut(at, entry).1
    }
}
