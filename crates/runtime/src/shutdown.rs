//! Stopping in order.
//!
//! Not ready, so that no traffic comes; sources stopped, so that no work comes; workers drained, so that what was begun is
//! ended; history flushed, so that it is known; and only then the leases given back: a leader that lets go while its
//! workers still act is two leaders.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use crate::{Runtime, watch};

/// How long workers may take to end what they began (a pod is given 30 s).
const DRAIN: Duration = Duration::from_secs(25);
/// How long the history may take to be kept, and the leases to be given back.
const FLUSH: Duration = Duration::from_secs(5);

/// How far a process has come on its way out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub(crate) enum Phase {
    /// Working.
    #[default]
    Running,
    /// Not ready any more, sources stopped, and nothing new is begun.
    Stopping,
    /// Everything ended; leases go.
    Releasing,
}

/// The way out; clones share it.
#[derive(Debug, Clone)]
pub(crate) struct Stages(Arc<watch::Sender<Phase>>);

impl Default for Stages {
    fn default() -> Self {
        Self(Arc::new(watch::channel(Phase::Running).0))
    }
}

impl Stages {
    /// Goes on to a phase; never back.
    pub(crate) fn enter(&self, phase: Phase) {
        self.0.send_if_modified(|now| {
            let further = phase > *now;
            *now = phase.max(*now);
            further
        });
    }

    /// Where it is.
    pub(crate) fn now(&self) -> Phase {
        *self.0.borrow()
    }

    /// Returns when a phase is reached.
    pub(crate) fn reached(&self, phase: Phase) -> impl Future<Output = ()> + Send + 'static + use<> {
        let mut now = self.0.subscribe();
        async move {
            // A runtime that was dropped has stopped too.
            let _ = now.wait_for(|now| *now >= phase).await;
        }
    }
}

impl Runtime {
    /// Returns when the process begins to stop.
    pub fn stopping(&self) -> impl Future<Output = ()> + Send + 'static + use<> {
        self.0.stages.reached(Phase::Stopping)
    }

    /// Stops in order: not ready, sources, workers and spawned tasks (which should end when [`Runtime::stopping`] does;
    /// those that do not within 25 s are cancelled), history, leases.
    pub async fn shutdown(&self) {
        self.0.stages.enter(Phase::Stopping);
        self.0.sources.abort();
        if tokio::time::timeout(DRAIN, self.drained()).await.is_err() {
            let left: Vec<_> = self.0.tasks.running().iter().map(|task| task.name.to_string()).collect();
            tracing::warn!(?left, "still at work after {DRAIN:?}, cancelled");
            self.0.tasks.abort();
        }
        if tokio::time::timeout(FLUSH, self.history().flush()).await.is_err() {
            tracing::warn!("the history was not kept in {FLUSH:?}; its newest rows may be lost");
        }
        self.0.stages.enter(Phase::Releasing);
        if tokio::time::timeout(FLUSH + FLUSH, self.0.candidates.ended()).await.is_err() {
            self.0.candidates.abort();
        }
        self.0.lines.forget();
    }

    async fn drained(&self) {
        self.0.tasks.ended().await;
        self.0.executor.idle().await;
    }
}
