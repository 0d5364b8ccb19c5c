//! Objects of several kinds, as one stream.

use std::collections::BTreeSet;

use keelson_runtime::cache::{Cached, Delta};

/// What is heard of one kind, as it was read.
pub(super) enum Heard<K, R> {
    /// All there are.
    All(K, Vec<R>),
    /// One that is new, or changed.
    Applied(Box<R>),
    /// One that is gone.
    Gone(K, Box<R>),
}

impl<K: Copy, R> Heard<K, R> {
    pub(super) fn of<O: Cached>(kind: K, delta: Delta<O>, read: fn(&O) -> R) -> Self {
        match delta {
            Delta::Restarted(all) => Self::All(kind, all.into_iter().map(|object| read(&object)).collect()),
            Delta::Applied(object) => Self::Applied(Box::new(read(&object))),
            Delta::Deleted(object) => Self::Gone(kind, Box::new(read(&object))),
        }
    }
}

/// The kinds that were read once.
pub(super) struct Known<K> {
    read: BTreeSet<K>,
    kinds: usize,
}

impl<K: Copy + Ord> Known<K> {
    /// None yet, of so many.
    pub(super) const fn none_of(kinds: usize) -> Self {
        Self { read: BTreeSet::new(), kinds }
    }

    /// Notes what is heard of, and hands it on.
    pub(super) fn noting<R>(&mut self, heard: Heard<K, R>) -> Heard<K, R> {
        if let Heard::All(kind, _) = &heard {
            self.read.insert(*kind);
        }
        heard
    }

    /// Whether every kind was read once.
    pub(super) fn is_whole(&self) -> bool {
        self.read.len() == self.kinds
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_whole_when_all_of_every_kind_was_heard() {
        let mut known = Known::none_of(2);
        known.noting(Heard::All(1, vec!["a"]));
        known.noting(Heard::All(1, vec!["b"]));
        known.noting(Heard::Applied(Box::new("c")));
        known.noting(Heard::Gone(2, Box::new("d")));
        assert!(!known.is_whole());
        known.noting(Heard::All(2, Vec::<&str>::new()));
        assert!(known.is_whole());
    }
}
