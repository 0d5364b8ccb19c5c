//! Typed questions that a feature answers.
//!
//! The page and the command line reach a feature only through these: "why is this pod pending", "what if", a section's
//! data. A question names what the asker must be allowed to see, so that nobody learns through us what Kubernetes would
//! not tell them.
//!
//! Promises: an answer comes within its deadline or is an error that says so; a question that panics harms nobody else.

use std::collections::BTreeMap;
use std::future::Future;
use std::panic::AssertUnwindSafe;
use std::pin::Pin;
use std::sync::Arc;

use futures::FutureExt;
use keelson_core::Span;
use serde_json::Value;

/// How long an answer may take when nothing else is said.
const DEADLINE: Span = Span::seconds(10);

/// Why there is no answer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AnswerError {
    /// Nobody answers this.
    #[error("question {name:?} is unknown; ask one of: {known}")]
    Unknown {
        /// The name as given.
        name: String,
        /// The names there are.
        known: String,
    },
    /// The question cannot be understood.
    #[error("{field}: {problem}")]
    Invalid {
        /// The field.
        field: String,
        /// What is wrong and what to do.
        problem: String,
    },
    /// What was asked about does not exist.
    #[error("{0} is not known; check its name and namespace")]
    NotFound(String),
    /// The feature cannot answer now.
    #[error("no answer now: {0}; ask again in a few seconds")]
    Unavailable(String),
    /// It took too long.
    #[error("no answer within {0}; ask about less, or again later")]
    Deadline(Span),
    /// A fault of ours.
    #[error("answering failed: {0}; please report this")]
    Failed(String),
}

impl AnswerError {
    /// A closed set of words for metric labels.
    #[must_use]
    pub const fn category(&self) -> &'static str {
        match self {
            Self::Unknown { .. } => "unknown",
            Self::Invalid { .. } => "invalid",
            Self::NotFound(_) => "not_found",
            Self::Unavailable(_) => "unavailable",
            Self::Deadline(_) => "deadline",
            Self::Failed(_) => "failed",
        }
    }
}

/// What the asker must be allowed to do in Kubernetes to be given the answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Access {
    /// `get` or `list`.
    pub verb: &'static str,
    /// Empty for the core group.
    pub group: &'static str,
    /// The plural name.
    pub resource: &'static str,
    /// The field of the question that holds the namespace; none for cluster-wide access.
    pub namespace: Option<&'static str>,
}

type Asked = Pin<Box<dyn Future<Output = Result<Value, AnswerError>> + Send>>;

/// A question and who answers it.
#[derive(Clone)]
pub struct Question {
    /// Lower case, dotted: `scheduling.why`.
    pub name: &'static str,
    /// One sentence for people.
    pub about: &'static str,
    /// JSON Schema of the question.
    pub schema: Value,
    /// Who may ask.
    pub access: Access,
    /// How long an answer may take, in process time.
    pub deadline: Span,
    answer: Arc<dyn Fn(Value) -> Asked + Send + Sync>,
}

/// The questions of one or more features.
#[derive(Clone, Default)]
pub struct Answers(BTreeMap<&'static str, Question>);

impl Answers {
    /// Answers one more question.
    #[must_use]
    pub fn with<F, A>(
        mut self,
        question: (&'static str, &'static str),
        schema: Value,
        access: Access,
        answer: F,
    ) -> Self
    where
        F: Fn(Value) -> A + Send + Sync + 'static,
        A: Future<Output = Result<Value, AnswerError>> + Send + 'static,
    {
        let (name, about) = question;
        let answer = Arc::new(move |value| Box::pin(answer(value)) as Asked);
        self.0.insert(name, Question { name, about, schema, access, deadline: DEADLINE, answer });
        self
    }

    /// Gives the answer to `name` this long instead of 10 s.
    #[must_use]
    pub fn within(mut self, name: &str, deadline: Span) -> Self {
        if let Some(question) = self.0.get_mut(name) {
            question.deadline = deadline;
        }
        self
    }

    /// Every question, by name.
    pub fn questions(&self) -> impl Iterator<Item = &Question> {
        self.0.values()
    }

    /// The questions of both.
    #[must_use]
    pub fn merged(mut self, other: Self) -> Self {
        self.0.extend(other.0);
        self
    }

    /// Asks.
    ///
    /// # Errors
    /// See [`AnswerError`].
    pub async fn ask(&self, name: &str, question: Value) -> Result<Value, AnswerError> {
        let Some(asked) = self.0.get(name) else {
            let known = self.0.keys().copied().collect::<Vec<_>>().join(", ");
            return Err(AnswerError::Unknown { name: name.chars().take(64).collect(), known });
        };
        let answering = async { (asked.answer)(question).await };
        match tokio::time::timeout(asked.deadline.to_std(), AssertUnwindSafe(answering).catch_unwind()).await {
            Ok(Ok(answer)) => answer,
            Ok(Err(panic)) => Err(AnswerError::Failed(crate::spawn::panic_text(&*panic))),
            Err(_) => Err(AnswerError::Deadline(asked.deadline)),
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::panic)]
    use super::*;
    use serde_json::json;

    const PODS: Access = Access { verb: "get", group: "", resource: "pods", namespace: Some("namespace") };

    fn answers() -> Answers {
        Answers::default()
            .with(("demo.echo", "Says it back."), json!({}), PODS, |value| async move { Ok(value) })
            .with(("demo.slow", "Never ends."), json!({}), PODS, |_| std::future::pending())
            .within("demo.slow", Span::seconds(2))
            .with(("demo.panic", "Breaks."), json!({}), PODS, |_| async { panic!("broken") })
    }

    #[tokio::test(start_paused = true)]
    async fn a_question_is_answered_in_time_or_says_why_not() {
        assert_eq!(answers().ask("demo.echo", json!(1)).await, Ok(json!(1)));
        assert_eq!(answers().ask("demo.slow", json!(1)).await, Err(AnswerError::Deadline(Span::seconds(2))));
        assert_eq!(answers().ask("demo.panic", json!(1)).await, Err(AnswerError::Failed("broken".into())));
    }

    #[test]
    fn each_kind_of_error_has_a_word_of_its_own() {
        let text = || "x".to_owned();
        let errors = [
            AnswerError::Unknown { name: text(), known: text() },
            AnswerError::Invalid { field: text(), problem: text() },
            AnswerError::NotFound(text()),
            AnswerError::Unavailable(text()),
            AnswerError::Deadline(DEADLINE),
            AnswerError::Failed(text()),
        ];
        let words = errors.each_ref().map(AnswerError::category);
        assert_eq!(words, ["unknown", "invalid", "not_found", "unavailable", "deadline", "failed"]);
    }

    #[tokio::test]
    async fn an_unknown_question_names_the_known_ones() {
        let error = answers().ask("demo.nothing", json!(1)).await.map_err(|error| error.to_string());
        let text = "question \"demo.nothing\" is unknown; ask one of: demo.echo, demo.panic, demo.slow";
        assert_eq!(error, Err(text.into()));
    }
}
