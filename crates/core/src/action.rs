//! Ways of acting on the world, as data.
//!
//! Closed over *ways of acting*, not over features: a new feature brings payloads, not variants. An action says what the
//! world should look like after it; one interpreter, the runtime's executor, carries it out.

use std::fmt;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::{DecisionId, ObjectRef};

/// One thing to do, in the name of one decision.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Action {
    /// The decision it serves.
    pub decision: DecisionId,
    /// What is acted on.
    pub object: ObjectRef,
    /// How.
    pub kind: ActionKind,
}

/// The ways of acting.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum ActionKind {
    /// Create the object; that it exists already is success when it carries the same idempotency key.
    Create(Value),
    /// Server-side apply of an intent (never of an object that was read).
    Apply(Value),
    /// Server-side apply to the status subresource.
    ApplyStatus(Value),
    /// A JSON Patch whose `test` operations or resourceVersion make a stale write fail.
    Patch(Value),
    /// Delete, only this uid.
    Delete,
    /// Evict a pod, so that its disruption budget is asked.
    Evict,
    /// Bind a pod, only this uid, to a node.
    Bind {
        /// The node's name.
        node: String,
    },
    /// Set the number of replicas.
    Scale {
        /// The number wanted.
        replicas: i32,
    },
    /// Change a running pod's resources in place.
    Resize(Value),
    /// Write an event about the object.
    Event {
        /// True for `Warning`, false for `Normal`.
        warning: bool,
        /// CamelCase, at most 128 characters.
        reason: String,
        /// What was being done.
        action: String,
        /// The sentence, at most 1 KiB.
        note: String,
    },
    /// The whole desired state of one node for one feature.
    Orders(Payload),
    /// A provider outside the cluster; fired here, observed later.
    Call(Payload),
}

/// A feature's own type, carried by name.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Payload {
    /// The type that the feature registered.
    pub type_name: String,
    /// Its fields.
    pub body: Value,
}

impl ActionKind {
    /// The verb, a closed set of labels.
    #[must_use]
    pub const fn verb(&self) -> &'static str {
        match self {
            Self::Create(_) => "create",
            Self::Apply(_) => "apply",
            Self::ApplyStatus(_) => "apply-status",
            Self::Patch(_) => "patch",
            Self::Delete => "delete",
            Self::Evict => "evict",
            Self::Bind { .. } => "bind",
            Self::Scale { .. } => "scale",
            Self::Resize(_) => "resize",
            Self::Event { .. } => "event",
            Self::Orders(_) => "orders",
            Self::Call(_) => "call",
        }
    }

    /// Whether it only tells people something, and changes nothing that anybody runs on.
    #[must_use]
    pub const fn only_tells(&self) -> bool {
        matches!(self, Self::Event { .. } | Self::ApplyStatus(_))
    }

    /// Whether it can take capacity away from a workload, so that the disruption gate must be asked.
    #[must_use]
    pub const fn disrupts(&self) -> bool {
        matches!(self, Self::Delete | Self::Evict)
    }
}

impl fmt::Display for Action {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.kind.verb(), self.object)?;
        match &self.kind {
            ActionKind::Bind { node } => write!(f, " to {node}"),
            ActionKind::Scale { replicas } => write!(f, " to {replicas}"),
            ActionKind::Event { reason, .. } => write!(f, " {reason}"),
            _ => Ok(()),
        }
    }
}
