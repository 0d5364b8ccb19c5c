//! What a decider returns: decisions, the actions that serve them, and when to look again.
//!
//! A plan holds only what can be done now. Whatever waits is state in objects, and the next decision takes the next step
//! from what it sees.

use serde::{Deserialize, Serialize};

use crate::{Action, Decision, Span, Timestamp};

/// The outcome of one `decide`.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Plan {
    /// What was decided, each about one subject.
    pub decisions: Vec<Decision>,
    /// What to do, in order; each names its decision.
    pub actions: Vec<Action>,
    /// Conditions to set on the subject's status.
    pub conditions: Vec<Condition>,
    /// When to look again.
    pub requeue: Requeue,
}

impl Plan {
    /// Nothing to say and nothing to do until something changes.
    #[must_use]
    pub fn unchanged() -> Self {
        Self::default()
    }
}

/// When to look at the subject again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub enum Requeue {
    /// When something it depends on changes.
    #[default]
    OnChange,
    /// After this long, or earlier on a change.
    After(Span),
    /// At this moment, or earlier on a change.
    At(Timestamp),
}

/// A condition as `metav1.Condition` has it; the transition time is set by whoever writes it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Condition {
    /// CamelCase, unique within the object.
    pub kind: String,
    /// Whether it holds.
    pub status: ConditionStatus,
    /// CamelCase.
    pub reason: String,
    /// A sentence for people.
    pub message: String,
}

/// Whether a condition holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum ConditionStatus {
    /// It holds.
    True,
    /// It does not.
    False,
    /// It cannot be told now.
    Unknown,
}
