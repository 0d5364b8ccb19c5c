//! The objects of a cache: all of them packed, and those that were read lately as they are.
//!
//! Promises: in order of namespace and name; what is kept unpacked is bounded by what it weighs packed, not by how many
//! objects there are; who gets or lists objects unpacks them outside of the lock.

use std::collections::{BTreeMap, VecDeque, btree_map};
use std::sync::Arc;

use serde::de::DeserializeOwned;

use super::Key;
use super::packed::Packed;

/// The most that is kept unpacked, in packed bytes: three hundred Pods of two containers (10 MB), or more smaller ones.
const LATELY: usize = 256 << 10;

/// Uid and resource version: two objects with the same are one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Stamp {
    pub(super) uid: Box<str>,
    pub(super) version: Box<str>,
}

/// An object in a cache.
#[derive(Debug)]
pub(super) struct Slot<K> {
    pub(super) stamp: Stamp,
    pub(super) body: Body<K>,
}

/// What an object says, unpacked when it is asked for. Clones share it.
#[derive(Debug)]
pub(super) struct Body<K> {
    packed: Packed,
    read: Option<Arc<K>>,
}

impl<K> Clone for Body<K> {
    fn clone(&self) -> Self {
        Self { packed: self.packed.clone(), read: self.read.clone() }
    }
}

impl<K> Body<K> {
    /// The object, if it was read lately.
    pub(super) fn unpacked(&self) -> Option<Arc<K>> {
        self.read.clone()
    }

    /// The object's annotations, without reading the rest of it.
    pub(super) fn annotations(&self) -> Option<BTreeMap<String, String>> {
        self.packed.annotations()
    }
}

impl<K: DeserializeOwned> Body<K> {
    /// The object. None only if it is not what was packed.
    pub(super) fn object(&self) -> Option<Arc<K>> {
        self.read.clone().or_else(|| self.packed.read())
    }
}

/// The objects.
#[derive(Debug)]
pub(super) struct Shelf<K> {
    slots: BTreeMap<Key, Slot<K>>,
    /// What is kept unpacked, the first that was read in front, with what it weighs packed.
    lately: VecDeque<(Key, usize)>,
    weight: usize,
}

impl<K> Default for Shelf<K> {
    fn default() -> Self {
        Self { slots: BTreeMap::new(), lately: VecDeque::new(), weight: 0 }
    }
}

impl<K> Shelf<K> {
    pub(super) fn len(&self) -> usize {
        self.slots.len()
    }

    pub(super) fn keys(&self) -> btree_map::Keys<'_, Key, Slot<K>> {
        self.slots.keys()
    }

    pub(super) fn slots(&self) -> btree_map::Iter<'_, Key, Slot<K>> {
        self.slots.iter()
    }

    pub(super) fn get(&self, key: &Key) -> Option<&Slot<K>> {
        self.slots.get(key)
    }

    pub(super) fn put(&mut self, key: Key, stamp: Stamp, packed: Packed) {
        self.slots.insert(key, Slot { stamp, body: Body { packed, read: None } });
    }

    pub(super) fn remove(&mut self, key: &Key) -> Option<Slot<K>> {
        self.slots.remove(key)
    }

    /// Keeps what somebody read out of a slot, unless it was replaced meanwhile.
    pub(super) fn was_read(&mut self, key: &Key, from: &Body<K>, object: &Arc<K>) {
        let Some(Slot { body, .. }) = self.slots.get_mut(key) else { return };
        if !body.packed.is(&from.packed) || body.read.replace(Arc::clone(object)).is_some() {
            return;
        }
        self.weight += body.packed.len();
        self.lately.push_back((key.clone(), body.packed.len()));
        while self.weight > LATELY
            && let Some((first, weight)) = self.lately.pop_front()
        {
            self.weight -= weight;
            if let Some(slot) = self.slots.get_mut(&first) {
                slot.body.read = None;
            }
        }
    }

    /// Everything there is now.
    pub(super) fn content(&self) -> Content<K> {
        Content(self.slots.values().map(|slot| slot.body.clone()).collect::<Vec<_>>().into_iter())
    }

    /// What there is in a namespace now.
    pub(super) fn within(&self, namespace: &str) -> Content<K> {
        let from = self.slots.range((namespace.to_owned(), String::new())..);
        let within = from.take_while(|(key, _)| key.0 == namespace);
        Content(within.map(|(_, slot)| slot.body.clone()).collect::<Vec<_>>().into_iter())
    }
}

/// Everything a cache held at one moment, by namespace and name; each object is unpacked when it is its turn.
#[derive(Debug)]
pub struct Content<K>(std::vec::IntoIter<Body<K>>);

impl<K> Clone for Content<K> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl<K> Content<K> {
    /// How many objects are left.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether none is left.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

impl<K: DeserializeOwned> Iterator for Content<K> {
    type Item = Arc<K>;

    fn next(&mut self) -> Option<Arc<K>> {
        self.0.by_ref().find_map(|body| body.object())
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (0, Some(self.len()))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn key(n: usize) -> Key {
        ("shop".to_owned(), format!("pod-{n:04}"))
    }

    fn shelf(count: usize) -> Shelf<String> {
        let mut shelf = Shelf::default();
        for n in 0..count {
            // What does not compress.
            let mut draw = u64::try_from(n).unwrap() + 1;
            let text: String = std::iter::repeat_with(|| {
                draw = draw.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
                char::from(b'0' + u8::try_from((draw >> 40) % 64).unwrap())
            })
            .take(2_000)
            .collect();
            let stamp = Stamp { uid: n.to_string().into(), version: "1".into() };
            shelf.put(key(n), stamp, Packed::new(&serde_json::to_string(&text).unwrap()));
        }
        shelf
    }

    fn read(shelf: &mut Shelf<String>, n: usize) -> Arc<String> {
        let slot = shelf.get(&key(n)).unwrap().body.clone();
        let object = slot.object().unwrap();
        shelf.was_read(&key(n), &slot, &object);
        object
    }

    fn unpacked(shelf: &Shelf<String>) -> usize {
        shelf.slots.values().filter(|slot| slot.body.read.is_some()).count()
    }

    #[test]
    fn what_is_read_again_and_again_is_unpacked_once() {
        let mut shelf = shelf(3);
        assert!(Arc::ptr_eq(&read(&mut shelf, 1), &read(&mut shelf, 1)));
        assert_eq!((unpacked(&shelf), shelf.content().count()), (1, 3), "reading everything keeps nothing");
    }

    #[test]
    fn what_is_kept_unpacked_is_bounded_and_the_last_read_stay() {
        let mut shelf = shelf(1_000);
        (0..1_000).for_each(|n| drop(read(&mut shelf, n)));
        assert!(shelf.weight <= LATELY);
        assert!((20..500).contains(&unpacked(&shelf)), "{}", unpacked(&shelf));
        assert!(shelf.get(&key(999)).unwrap().body.read.is_some());
        assert!(shelf.get(&key(0)).unwrap().body.read.is_none());
        assert_eq!(shelf.lately.len(), unpacked(&shelf));
    }

    #[test]
    fn a_namespace_is_what_is_in_it() {
        let mut shelf = shelf(2);
        let stamp = Stamp { uid: "9".into(), version: "1".into() };
        shelf.put(("shop-2".to_owned(), "a".to_owned()), stamp.clone(), Packed::new("\"x\""));
        shelf.put(("a".to_owned(), "a".to_owned()), stamp, Packed::new("\"y\""));
        assert_eq!(shelf.within("shop").count(), 2);
        assert_eq!(shelf.within("a").map(|it| it.to_string()).collect::<Vec<_>>(), ["y"]);
        assert_eq!(shelf.within("sho").len(), 0);
    }

    #[test]
    fn what_was_replaced_while_it_was_read_is_not_kept() {
        let mut shelf = shelf(1);
        let slot = shelf.get(&key(0)).unwrap().body.clone();
        let object = slot.object().unwrap();
        shelf.put(key(0), Stamp { uid: "0".into(), version: "2".into() }, Packed::new("\"new\""));
        shelf.was_read(&key(0), &slot, &object);
        assert_eq!(*shelf.content().next().unwrap(), "new");
    }
}
