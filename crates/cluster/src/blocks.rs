//! A list that is cheap to copy while it changes.
//!
//! Items sit in blocks behind reference counts. A copy shares every block; a change after a copy copies one block of
//! pointers and one item, whatever the length of the list.
//!
//! Promise: a copy never changes.

use std::sync::Arc;

/// Items in one block: 5,000 nodes are 79 pointers to copy for a view, and 64 for the first change after it.
const BLOCK: usize = 64;

/// The list.
#[derive(Debug, Clone, Default)]
pub struct Blocks<T> {
    blocks: Vec<Arc<Vec<Arc<T>>>>,
    len: usize,
}

impl<T: Clone> Blocks<T> {
    /// How many items there are.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.len
    }

    /// Whether there are none.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// One item.
    #[must_use]
    pub fn get(&self, index: usize) -> Option<&T> {
        self.blocks.get(index / BLOCK)?.get(index % BLOCK).map(AsRef::as_ref)
    }

    /// One item, to change; what copies share is copied first.
    pub fn get_mut(&mut self, index: usize) -> Option<&mut T> {
        let block = Arc::make_mut(self.blocks.get_mut(index / BLOCK)?);
        block.get_mut(index % BLOCK).map(Arc::make_mut)
    }

    /// Adds an item; its index.
    pub fn push(&mut self, item: T) -> usize {
        if self.len.is_multiple_of(BLOCK) {
            self.blocks.push(Arc::default());
        }
        if let Some(block) = self.blocks.last_mut() {
            Arc::make_mut(block).push(Arc::new(item));
        }
        self.len += 1;
        self.len - 1
    }

    /// Every item, in order.
    pub fn iter(&self) -> impl Iterator<Item = &T> {
        self.blocks.iter().flat_map(|block| block.iter()).map(AsRef::as_ref)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_copy_stays_as_it_was() {
        let mut list = Blocks::default();
        for item in 0..200 {
            assert_eq!(list.push(item), item);
        }
        let copy = list.clone();
        *list.get_mut(130).unwrap() = 7;
        list.push(200);
        assert_eq!((copy.get(130), copy.len(), list.get(130), list.len()), (Some(&130), 200, Some(&7), 201));
        assert!(copy.iter().copied().eq(0..200));
        assert_eq!(list.get(201), None);
    }
}
