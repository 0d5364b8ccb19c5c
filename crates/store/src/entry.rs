//! One thing the journal remembers until the database has it.
//!
//! A decision with actions is known in pieces: the verdict before its actions start, what it saw, how the actions ended,
//! and later what came of it. Each piece is one entry.
//!
//! Promises: applying the same entries in the same order twice leaves what applying them once leaves.

use std::sync::Arc;

use keelson_core::decision::{Effect, Outcome, Step};
use keelson_core::{Decision, DecisionId};

/// A decision, or something learned about one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Entry {
    /// A decision was made; its actions have not started.
    Decision(Arc<Decision>),
    /// The actions of a decision ended.
    Outcome {
        /// Which decision.
        id: DecisionId,
        /// How they ended.
        outcome: Outcome,
        /// Step by step.
        steps: Vec<Step>,
    },
    /// What came of a decision was measured.
    Effect {
        /// Which decision.
        id: DecisionId,
        /// What was measured.
        effect: Effect,
    },
    /// What a decision saw.
    Recording {
        /// Which decision.
        id: DecisionId,
        /// The snapshot, in the feature's own form.
        bytes: Vec<u8>,
    },
}

impl Entry {
    /// The decision it is about.
    #[must_use]
    pub fn id(&self) -> DecisionId {
        match self {
            Self::Decision(decision) => decision.id,
            Self::Outcome { id, .. } | Self::Effect { id, .. } | Self::Recording { id, .. } => *id,
        }
    }

    /// Writes an outcome or effect into the decision it is about; other entries change nothing.
    pub fn amend(&self, decision: &mut Decision) {
        match self {
            Self::Outcome { outcome, steps, .. } => {
                decision.ended(*outcome, steps.clone());
            }
            Self::Effect { effect, .. } => decision.effect = Some(effect.clone()),
            Self::Decision(_) | Self::Recording { .. } => {}
        }
    }
}
