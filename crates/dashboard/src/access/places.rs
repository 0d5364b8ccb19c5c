//! How much one caller may do at once, so that the others are still served.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::{Arc, Mutex, PoisonError};

/// So many places for each.
#[derive(Debug)]
pub struct Places<K: Eq + Hash> {
    each: usize,
    taken: Mutex<HashMap<K, usize>>,
}

/// A place that is taken until it is dropped.
#[derive(Debug)]
pub struct Place<K: Eq + Hash> {
    of: Arc<Places<K>>,
    whose: K,
}

impl<K: Eq + Hash + Clone> Places<K> {
    pub fn new(each: usize) -> Arc<Self> {
        Arc::new(Self { each, taken: Mutex::default() })
    }

    /// How many each may take.
    pub const fn each(&self) -> usize {
        self.each
    }

    /// A place, when there is one left for them.
    pub fn take(self: &Arc<Self>, whose: &K) -> Option<Place<K>> {
        let mut taken = self.taken.lock().unwrap_or_else(PoisonError::into_inner);
        let count = taken.entry(whose.clone()).or_default();
        if *count >= self.each {
            return None;
        }
        *count += 1;
        Some(Place { of: Arc::clone(self), whose: whose.clone() })
    }
}

impl<K: Eq + Hash> Drop for Place<K> {
    fn drop(&mut self) {
        let mut taken = self.of.taken.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = taken.get_mut(&self.whose) {
            *count -= 1;
            if *count == 0 {
                taken.remove(&self.whose);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_who_takes_all_places_leaves_the_others_theirs() {
        let places = Places::new(2);
        let mut mine: Vec<_> = (0..5).filter_map(|_| places.take(&"ada")).collect();
        assert_eq!(mine.len(), 2);
        assert!(places.take(&"bob").is_some());
        mine.pop();
        assert!(places.take(&"ada").is_some(), "a place that is left can be taken again");
        mine.clear();
        assert!(places.taken.lock().is_ok_and(|taken| taken.is_empty()), "who left is forgotten");
    }
}
