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
    decisions: BTreeMap<DecisionId, Kept>,
    newest: BTreeMap<String, DecisionId>,
    changes: VecDeque<Change>,
}

#[derive(Debug)]
struct Kept {
    decision: Arc<Decision>,
    /// Made here: what the database says about it is older than what is known here.
    own: bool,
}

impl Ring {
    /// Numbers start at the clock's microseconds: above those of an earlier process, whose readers then see a gap.
    pub(super) fn new(capacity: usize, now: Timestamp) -> Self {
        let seq = u64::try_from(now.0).unwrap_or(0);
        let (decisions, newest, changes) = (BTreeMap::new(), BTreeMap::new(), VecDeque::new());
        Self { capacity: capacity.max(1), seq, decisions, newest, changes }
    }

    pub(super) fn record(&mut self, next: &Arc<Decision>) -> Change {
        let key = subject_key(next);
        let newest = self.newest.get(&key).and_then(|id| self.decisions.get_mut(id));
        let decision = match newest.filter(|row| folds_into(&row.decision, next)) {
            Some(row) => {
                fold(Arc::make_mut(&mut row.decision), next);
                Arc::clone(&row.decision)
            }
            None => self.keep(key, Arc::clone(next), true),
        };
        self.change(|seq| Change::Recorded { seq, decision })
    }

    /// Takes what the database says about a decision of another process; none when it is one of this process, or the row
    /// into which the database folded one.
    pub(super) fn hear(&mut self, decision: Decision) -> Option<Change> {
        let key = subject_key(&decision);
        let newest = self.newest.get(&key).and_then(|id| self.decisions.get(id));
        let folded = newest.is_some_and(|row| row.own && folds_into(&decision, &row.decision));
        if folded || self.decisions.get(&decision.id).is_some_and(|row| row.own) {
            return None;
        }
        let decision = self.keep(key, Arc::new(decision), false);
        Some(self.change(|seq| Change::Recorded { seq, decision }))
    }

    fn keep(&mut self, key: String, decision: Arc<Decision>, own: bool) -> Arc<Decision> {
        let newest = self.newest.entry(key).or_insert(decision.id);
        *newest = (*newest).max(decision.id);
        self.decisions.insert(decision.id, Kept { decision: Arc::clone(&decision), own });
        self.evict();
        decision
    }

    pub(super) fn end(&mut self, id: DecisionId, outcome: Outcome, steps: &[Step]) -> Change {
        if let Some(row) = self.decisions.get_mut(&id).map(|row| Arc::make_mut(&mut row.decision)) {
            row.outcome = outcome;
            row.steps = steps.to_vec();
        }
        let steps = steps.into();
        self.change(|seq| Change::Outcome { seq, id, outcome, steps })
    }

    pub(super) fn measure(&mut self, id: DecisionId, effect: &Effect) -> Change {
        if let Some(row) = self.decisions.get_mut(&id).map(|row| Arc::make_mut(&mut row.decision)) {
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
            let key = subject_key(&oldest.decision);
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

    pub(super) fn decision(&self, id: DecisionId) -> Option<Arc<Decision>> {
        self.decisions.get(&id).map(|row| Arc::clone(&row.decision))
    }

    /// The row that a decision is in: its own, or the one it was folded into.
    pub(super) fn row_of(&self, decision: &Decision) -> Option<Arc<Decision>> {
        self.decision(decision.id).or_else(|| {
            let newest = self.newest.get(&subject_key(decision)).and_then(|id| self.decision(*id));
            newest.filter(|row| row.id < decision.id && folds_into(row, decision))
        })
    }

    /// All decisions, newest first.
    pub(super) fn decisions(&self) -> Vec<Arc<Decision>> {
        self.decisions.values().rev().map(|row| Arc::clone(&row.decision)).collect()
    }
}
