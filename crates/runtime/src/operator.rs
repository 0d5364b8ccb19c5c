//! One platform feature, as the runtime and the one binary see it.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use keelson_core::{Feature, Metric, Mode, Span};

use crate::answers::Answers;
use crate::permissions::Permissions;
use crate::spawn::Task;
use crate::{Runtime, StartError};

/// A platform feature. Declares what it needs; the runtime provides it.
pub trait Operator {
    /// Which feature it is.
    const FEATURE: Feature;

    /// What it counts beside what the framework counts for every feature; docs/metrics.md is generated from it.
    const METRICS: &'static [Metric] = &[];

    /// What it asks of the API server when its ceiling is this; the chart's RBAC is generated from it.
    fn permissions(ceiling: Mode) -> Permissions;

    /// The questions it answers.
    fn answers(&self) -> Answers;

    /// The sockets it needs.
    fn listeners(&self) -> Vec<Listener>;

    /// Registers controllers, folds and loops.
    ///
    /// # Errors
    /// What it cannot start with, and the fix.
    fn start(self, runtime: &Runtime) -> Result<Running, StartError>;
}

type Answering = Pin<Box<dyn Future<Output = Reply> + Send>>;

/// A socket that a feature needs, who may connect, and who answers.
///
/// The binary opens it where it is told to, holds every question to these bounds, and hands it over as it came: a path and
/// bytes. What they mean only the feature knows.
#[derive(Clone)]
pub struct Listener {
    /// Lower case: `extender`.
    pub name: &'static str,
    /// Who connects, for people.
    pub from: &'static str,
    /// The largest question, in bytes.
    pub largest: usize,
    /// How many questions are answered at once; more are turned away.
    pub at_once: usize,
    /// How long an answer may take, in process time.
    pub deadline: Span,
    answer: Arc<dyn Fn(String, Vec<u8>) -> Answering + Send + Sync>,
}

/// The answer to one question: JSON.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reply {
    /// As HTTP has it.
    pub status: u16,
    /// The bytes.
    pub body: Vec<u8>,
}

impl Listener {
    /// A socket whose questions, a path and the bytes posted to it, are answered by `answer`.
    #[must_use]
    pub fn new<F, A>(name: &'static str, from: &'static str, answer: F) -> Self
    where
        F: Fn(String, Vec<u8>) -> A + Send + Sync + 'static,
        A: Future<Output = Reply> + Send + 'static,
    {
        let answer = Arc::new(move |path, bytes| Box::pin(answer(path, bytes)) as Answering);
        Self { name, from, largest: 1 << 20, at_once: 16, deadline: Span::seconds(10), answer }
    }

    /// Asks.
    pub async fn ask(&self, path: String, body: Vec<u8>) -> Reply {
        (self.answer)(path, body).await
    }
}

impl fmt::Debug for Listener {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Listener").field("name", &self.name).field("from", &self.from).finish_non_exhaustive()
    }
}

/// A started feature: its tasks, for as long as they run.
#[derive(Debug, Default)]
pub struct Running(pub Vec<Task>);
