//! The newest decisions and changes, in memory.
//!
//! The page shows them at once and while the database is away, and a browser that lost its connection catches up from
//! them. Repeats fold here by the same rule as in the store.
//!
//! Promises: bounded; every change has the next number; a decision here has all that was learned about it since it was
//! made in this process.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use keelson_core::decision::{Effect, Outcome, Step};
use keelson_core::{Decision, DecisionId, Timestamp};
use serde::Serialize;

use crate::Filter;
use crate::fold::{fold, folds_into, subject_key};

/// Something that was remembered.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "change", rename_all = "lowercase")]
pub enum Change {
    /// A decision was made, or repeated: then it is the first one, with a greater count.
    Recorded {
        /// The number of this change.
        seq: u64,
        /// The decision.
        decision: Arc<Decision>,
    },
    /// The actions of a decision ended.
    Outcome {
        /// The number of this change.
        seq: u64,
        /// Which decision.
        id: DecisionId,
        /// How they ended.
        outcome: Outcome,
        /// Step by step.
        steps: Arc<[Step]>,
    },
    /// What came of a decision was measured.
    Effect {
        /// The number of this change.
        seq: u64,
        /// Which decision.
        id: DecisionId,
        /// What was measured.
        effect: Arc<Effect>,
    },
}

impl Change {
    /// Its number; the next change has the next one.
    #[must_use]
    pub const fn seq(&self) -> u64 {
        match self {
            Self::Recorded { seq, .. } | Self::Outcome { seq, .. } | Self::Effect { seq, .. } => *seq,
        }
    }

    /// The decision it is about.
    #[must_use]
    pub fn id(&self) -> DecisionId {
        match self {
            Self::Recorded { decision, .. } => decision.id,
            Self::Outcome { id, .. } | Self::Effect { id, .. } => *id,
        }
    }
}

#[derive(Debug)]
pub(super) struct Ring {
    capacity: usize,
    seq: u64,
    decisions: BTreeMap<DecisionId, Arc<Decision>>,
    newest: BTreeMap<String, DecisionId>,
    changes: VecDeque<Change>,
}

impl Ring {
    /// Numbers start at the clock's microseconds: above those of an earlier process, whose readers then see a gap.
    pub(super) fn new(capacity: usize, now: Timestamp) -> Self {
        let seq = u64::try_from(now.0).unwrap_or(0);
        let (decisions, newest, changes) = (BTreeMap::new(), BTreeMap::new(), VecDeque::new());
        Self { capacity: capacity.max(1), seq, decisions, newest, changes }
    }

    pub(super) fn record(&mut self, next: &Decision) -> Change {
        let key = subject_key(next);
        let newest = self.newest.get(&key).and_then(|id| self.decisions.get_mut(id));
        let decision = match newest.filter(|row| folds_into(row, next)) {
            Some(row) => {
                fold(Arc::make_mut(row), next);
                Arc::clone(row)
            }
            None => {
                let row = Arc::new(next.clone());
                self.newest.insert(key, row.id);
                self.decisions.insert(row.id, Arc::clone(&row));
                self.evict();
                row
            }
        };
        self.change(|seq| Change::Recorded { seq, decision })
    }

    pub(super) fn end(&mut self, id: DecisionId, outcome: Outcome, steps: &[Step]) -> Change {
        if let Some(row) = self.decisions.get_mut(&id).map(Arc::make_mut) {
            row.outcome = outcome;
            row.steps = steps.to_vec();
        }
        let steps = steps.into();
        self.change(|seq| Change::Outcome { seq, id, outcome, steps })
    }

    pub(super) fn measure(&mut self, id: DecisionId, effect: &Effect) -> Change {
        if let Some(row) = self.decisions.get_mut(&id).map(Arc::make_mut) {
            row.effect = Some(effect.clone());
        }
        let effect = Arc::new(effect.clone());
        self.change(|seq| Change::Effect { seq, id, effect })
    }

    fn change(&mut self, make: impl FnOnce(u64) -> Change) -> Change {
        self.seq += 1;
        let change = make(self.seq);
        // Most decisions have two changes: made and ended.
        if self.changes.len() >= self.capacity.saturating_mul(2) {
            self.changes.pop_front();
        }
        self.changes.push_back(change.clone());
        change
    }

    fn evict(&mut self) {
        while self.decisions.len() > self.capacity {
            let Some((id, oldest)) = self.decisions.pop_first() else { return };
            let key = subject_key(&oldest);
            if self.newest.get(&key) == Some(&id) {
                self.newest.remove(&key);
            }
        }
    }

    pub(super) const fn seq(&self) -> u64 {
        self.seq
    }

    /// The changes after `seq`; none when some are forgotten or `seq` is of another process.
    pub(super) fn since(&self, seq: u64) -> Option<Vec<Change>> {
        let missed = usize::try_from(self.seq.checked_sub(seq)?).ok()?;
        let skipped = self.changes.len().checked_sub(missed)?;
        Some(self.changes.iter().skip(skipped).cloned().collect())
    }

    pub(super) fn decision(&self, id: DecisionId) -> Option<Decision> {
        self.decisions.get(&id).map(|d| Decision::clone(d))
    }

    /// The newest decisions that match, at most `most`.
    pub(super) fn decisions(&self, filter: &Filter, most: usize) -> Vec<Decision> {
        let newest_first = self.decisions.values().rev().filter(|d| filter.matches(d));
        newest_first.take(most).map(|d| Decision::clone(d)).collect()
    }
}
