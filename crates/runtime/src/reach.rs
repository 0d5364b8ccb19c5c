//! Whether the API server answers.
//!
//! Every call tells how it went; one place remembers since when. `/readyz`, `doctor` and the page read it.

use std::sync::{Arc, Mutex, PoisonError};

use keelson_core::Timestamp;
use kube::runtime::watcher;
use serde::Serialize;

use crate::Clock;

/// Whether the API server answers, and since when that is so.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Reachability {
    /// Whether the last call was answered.
    pub ok: bool,
    /// Since when.
    pub since: Timestamp,
    /// What the last failure said; empty while it answers.
    pub detail: String,
}

/// The memory; clones share it.
#[derive(Debug, Clone)]
pub(crate) struct Reach {
    clock: Clock,
    state: Arc<Mutex<Reachability>>,
}

impl Reach {
    /// Not reached yet.
    pub(crate) fn new(clock: Clock) -> Self {
        let state = Reachability { ok: false, since: clock.now(), detail: "not asked yet".to_owned() };
        Self { clock, state: Arc::new(Mutex::new(state)) }
    }

    /// A call was answered, be it with a refusal.
    pub(crate) fn worked(&self) {
        self.set(true, "");
    }

    /// A watch failed: a refusal is an answer, a server's own failure is none.
    pub(crate) fn told(&self, error: &watcher::Error) {
        let code = match error {
            watcher::Error::InitialListFailed(kube::Error::Api(status))
            | watcher::Error::WatchStartFailed(kube::Error::Api(status))
            | watcher::Error::WatchError(status) => status.code,
            _ => 0,
        };
        if (400..500).contains(&code) { self.worked() } else { self.failed(&error.to_string()) }
    }

    /// A call was not answered.
    pub(crate) fn failed(&self, detail: &str) {
        self.set(false, detail);
    }

    pub(crate) fn now(&self) -> Reachability {
        self.state.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn set(&self, ok: bool, detail: &str) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        if state.ok != ok {
            (state.ok, state.since) = (ok, self.clock.now());
        }
        detail.clone_into(&mut state.detail);
    }
}
