//! What happened to the nodes, for whoever keeps something up to date.
//!
//! Whoever holds the nodes writes; each reader remembers how far it has read. What is too old is forgotten, and a reader that
//! comes too late begins anew.

use std::collections::VecDeque;
use std::sync::Arc;

use crate::pod::Claim;

/// One change, in a numbered slot.
#[derive(Debug, Clone)]
pub enum Change {
    /// The node is new, changed or gone.
    Node(usize),
    /// A pod came to it.
    Came(usize, Arc<Claim>),
    /// A pod left it.
    Went(usize, Arc<Claim>),
    /// What is taken of its network interface changed.
    Load(usize),
    /// The labels of a namespace changed.
    Namespaces,
    /// Groups or the costs between places changed.
    Network,
    /// A disruption budget changed.
    Budgets,
}

/// The last changes, in order.
#[derive(Debug, Clone, Default)]
pub struct Log {
    changes: VecDeque<Change>,
    forgotten: u64,
}

impl Log {
    /// Writes a change down, and forgets the oldest beyond `bound`.
    pub fn write(&mut self, change: Change, bound: usize) {
        while self.changes.len() >= bound.max(1) {
            self.changes.pop_front();
            self.forgotten += 1;
        }
        self.changes.push_back(change);
    }

    /// How many changes there were so far.
    #[must_use]
    pub fn written(&self) -> u64 {
        self.forgotten + self.changes.len() as u64
    }

    /// The changes after the first `read` ones; `None` when some of those are forgotten.
    pub fn since(&self, read: u64) -> Option<impl Iterator<Item = &Change>> {
        let skip = usize::try_from(read.checked_sub(self.forgotten)?).ok()?;
        (skip <= self.changes.len()).then(|| self.changes.range(skip..))
    }
}
