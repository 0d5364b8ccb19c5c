//! Rows that cannot be read.
//!
//! One damaged row, or one that another version wrote, must not hide a page of history: it is left out, named once in the
//! log, and counted for as long as the process runs.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use keelson_core::{Decision, DecisionId};
use uuid::Uuid;

use crate::StoreError;

/// How many are remembered; a database that is all damaged is not worth more.
const MOST: usize = 1_000;

/// The rows that were found unreadable; clones share them.
#[derive(Debug, Clone, Default)]
pub(crate) struct Unreadable(Arc<Mutex<BTreeSet<DecisionId>>>);

impl Unreadable {
    /// Hands on what was read, and remembers the row when it could not be.
    pub(crate) fn keep(&self, id: &[u8], read: Result<Decision, StoreError>) -> Option<Decision> {
        let error = match read {
            Ok(decision) => return Some(decision),
            Err(error) => error,
        };
        let id = DecisionId(Uuid::from_slice(id).unwrap_or_default());
        let mut known = self.known();
        if known.len() < MOST && known.insert(id) {
            tracing::warn!(%id, category = error.category(), "a stored decision is left out: {error}");
        }
        None
    }

    /// All of them so far, oldest first.
    pub(crate) fn ids(&self) -> Vec<DecisionId> {
        self.known().iter().copied().collect()
    }

    // An insertion is a single step.
    fn known(&self) -> MutexGuard<'_, BTreeSet<DecisionId>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
