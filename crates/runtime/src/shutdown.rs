//! Stopping in order.

use std::future::Future;

use tokio::sync::watch;

/// How far a process has come on its way out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub(crate) enum Phase {
    /// Working.
    #[default]
    Running,
    /// Not ready any more, and nothing new is begun.
    Stopping,
}

/// The way out.
#[derive(Debug)]
pub(crate) struct Stages(watch::Sender<Phase>);

impl Default for Stages {
    fn default() -> Self {
        Self(watch::channel(Phase::Running).0)
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

    /// Returns when a phase is reached.
    pub(crate) fn reached(&self, phase: Phase) -> impl Future<Output = ()> + Send + 'static + use<> {
        let mut now = self.0.subscribe();
        async move {
            // A runtime that was dropped has stopped too.
            let _ = now.wait_for(|now| *now >= phase).await;
        }
    }
}
