//! What the page asks of the platform.
//!
//! The page knows neither Kubernetes nor any feature. The binary answers for them through this trait, in process. Who may see
//! an answer is the page's own business; what is summed up over namespaces is told for those that are [`Seen`].

use std::collections::BTreeSet;
use std::sync::Arc;

use async_trait::async_trait;
use keelson_core::{Decision, DecisionId, Feature, Mode, ObjectRef, Reason};
use keelson_store::Filter;
use serde_json::Value;

use crate::access::{Right, Seen};
use crate::changes::Subscription;
use crate::view::{Nodes, Overview, Preview, Subject, Switched};

/// The platform, as the page sees it. Every answer is worked out anew; none may block the thread.
#[async_trait]
pub trait Backend: Send + Sync + 'static {
    /// Features, connections and facts now, counted over what is seen. Asked twice a second while a page is open.
    fn overview(&self, seen: &Seen) -> Arc<Overview>;

    /// The namespaces that sums are made of.
    fn namespaces(&self) -> BTreeSet<String>;

    /// Every node now. Asked twice a second while a page is open: keep the answer until a node changes.
    fn nodes(&self) -> Arc<Nodes>;

    /// The decisions that match, newest first.
    ///
    /// # Errors
    /// When they cannot be read.
    async fn decisions(&self, filter: &Filter) -> Result<Decisions, BackendError>;

    /// One decision, or none when it is not (or no longer) known.
    ///
    /// # Errors
    /// When it cannot be read.
    async fn decision(&self, id: DecisionId) -> Result<Option<Decision>, BackendError>;

    /// The decisions of these ids that are known, oldest first.
    ///
    /// # Errors
    /// When they cannot be read.
    async fn decisions_by_ids(&self, ids: &[DecisionId]) -> Result<Vec<Decision>, BackendError>;

    /// The decisions that name `cause` among their causes, oldest first, at most `limit` of them.
    ///
    /// # Errors
    /// When they cannot be read.
    async fn consequences(&self, cause: DecisionId, limit: u32) -> Result<Vec<Decision>, BackendError>;

    /// One object and why it is as it is, or none when there is no such object and nothing was decided about it. Of other
    /// objects it names those that are seen.
    ///
    /// # Errors
    /// When it cannot be told.
    async fn subject(&self, object: &ObjectRef, seen: &Seen) -> Result<Option<Subject>, BackendError>;

    /// What must be allowed, or seen, to put one of a feature's questions.
    ///
    /// # Errors
    /// [`BackendError::NotFound`] for a question the feature does not answer.
    fn needs(&self, feature: Feature, question: &str, params: &Value) -> Result<Needs, BackendError>;

    /// Puts one of a feature's own questions ("what if this node were gone?") to it. Changes nothing.
    ///
    /// # Errors
    /// [`BackendError::NotFound`] for a question the feature does not answer.
    async fn ask(&self, feature: Feature, question: &str, params: Value) -> Result<Value, BackendError>;

    /// What a switch to `mode` would mean, counted over what is seen.
    ///
    /// # Errors
    /// When it cannot be worked out.
    async fn preview(&self, feature: Feature, mode: Mode, seen: &Seen) -> Result<Preview, BackendError>;

    /// Keeps for the record who asked for a change and what became of it.
    fn audit(&self, row: Audit);

    /// Switches a feature, in the name of `who`.
    ///
    /// # Errors
    /// [`BackendError::Refused`] above the ceiling.
    async fn set_mode(&self, feature: Feature, mode: Mode, who: &str) -> Result<Switched, BackendError>;

    /// Stops all actions of a feature, or lets them go on, in the name of `who`.
    ///
    /// # Errors
    /// When the switch cannot be written.
    async fn set_paused(&self, feature: Feature, paused: bool, who: &str) -> Result<Switched, BackendError>;

    /// What happens from now on, or from the change after `since` on. See [`crate::ChangeLog`].
    fn changes(&self, since: Option<u64>) -> Subscription;
}

/// What must be allowed, or seen, to put a question.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Needs {
    /// A right in Kubernetes.
    Right(Right),
    /// To see this decision.
    Decision(DecisionId),
}

/// Somebody asked for a change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Audit {
    /// Of which feature.
    pub feature: Feature,
    /// Why a row: the mode was to change, or the pause.
    pub reason: Reason,
    /// Who, what, and what became of it, in one sentence.
    pub sentence: String,
    /// Whether it was done.
    pub done: bool,
}

/// Some of the decisions asked for, newest first.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Decisions {
    /// The decisions.
    pub decisions: Vec<Decision>,
    /// Where the next page begins; absent on the last one.
    pub next: Option<DecisionId>,
    /// Whether a source (database, journal) did not answer, so that some may be missing.
    pub partial: bool,
}

/// Why the platform did not answer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BackendError {
    /// There is nothing of that name.
    #[error("{what} is not known here")]
    NotFound {
        /// What was looked for.
        what: String,
        /// What to do.
        fix: String,
    },
    /// The question's parameters do not make sense.
    #[error("{message}")]
    Invalid {
        /// Which parameter.
        field: String,
        /// What is wrong with it.
        message: String,
        /// What to do.
        fix: String,
    },
    /// The change is not allowed now.
    #[error("{message}")]
    Refused {
        /// Why.
        message: String,
        /// What to do, such as the `helm upgrade` line.
        fix: String,
    },
    /// Something it needs is out of reach.
    #[error("{message}")]
    Unavailable {
        /// What.
        message: String,
        /// What to do.
        fix: String,
    },
}
