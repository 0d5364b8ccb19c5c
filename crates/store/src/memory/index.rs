//! What a sweep has to know without looking at every row, as the databases keep it by trigger.
//!
//! A simulated day sweeps every ten seconds; looking at every row each time would be most of the day's work.

use std::collections::{BTreeMap, BTreeSet};

use keelson_core::{DecisionId, Feature, Timestamp};

use super::Row;
use crate::fold::subject_key;

/// Rows by age, and what is taken by whom.
#[derive(Debug, Default)]
pub(super) struct Index {
    /// Full rows, then stubs; each by the moment of its last repeat.
    pub(super) ages: BTreeSet<(bool, Timestamp, DecisionId)>,
    /// Decisions, and bytes with their recordings.
    pub(super) taken: BTreeMap<Feature, (u64, u64)>,
    /// Full rows about each subject.
    pub(super) full: BTreeMap<String, usize>,
}

impl Index {
    pub(super) fn add(&mut self, row: &Row) {
        let decision = &row.decision;
        self.ages.insert((row.stub, decision.last_at, decision.id));
        let (rows, bytes) = self.taken.entry(decision.feature).or_default();
        (*rows, *bytes) = (*rows + 1, *bytes + row.bytes);
        if !row.stub {
            *self.full.entry(subject_key(decision)).or_default() += 1;
        }
    }

    pub(super) fn remove(&mut self, row: &Row) {
        let decision = &row.decision;
        self.ages.remove(&(row.stub, decision.last_at, decision.id));
        let (rows, bytes) = self.taken.entry(decision.feature).or_default();
        (*rows, *bytes) = (rows.saturating_sub(1), bytes.saturating_sub(row.bytes));
        let key = subject_key(decision);
        if !row.stub
            && let Some(full) = self.full.get_mut(&key)
        {
            *full = full.saturating_sub(1);
            if *full == 0 {
                self.full.remove(&key);
            }
        }
    }

    /// A recording counts with its decision's feature.
    pub(super) fn recorded(&mut self, feature: Option<Feature>, before: u64, now: u64) {
        if let Some((_, bytes)) = feature.and_then(|feature| self.taken.get_mut(&feature)) {
            *bytes = (*bytes + now).saturating_sub(before);
        }
    }
}
