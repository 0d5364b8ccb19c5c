//! The ways in: a tower service for clients in the process, HTTP on loopback for everyone else.
//!
//! Both share one [`Api`] behind a mutex that is never held across an await, and one clock. A write wakes the watches.

pub mod faults;
pub mod http;
pub mod tower;

use std::sync::{Arc, Mutex, PoisonError};

use keelson_core::Timestamp;
use tokio::sync::watch;

use crate::{api::Api, clock::Clock};

/// An API that several faces and the simulated components share.
#[derive(Debug, Clone)]
pub struct Shared {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    api: Mutex<Api>,
    clock: Clock,
    changed: watch::Sender<u64>,
}

impl Shared {
    /// Shares an API under a clock.
    #[must_use]
    pub fn new(api: Api, clock: Clock) -> Self {
        let (changed, _) = watch::channel(api.resource_version());
        Self { inner: Arc::new(Inner { api: Mutex::new(api), clock, changed }) }
    }

    /// Does something with the API at this moment, and wakes the watches when it changed anything.
    pub fn with<T>(&self, act: impl FnOnce(&mut Api, Timestamp) -> T) -> T {
        let now = self.inner.clock.now();
        let mut api = self.inner.api.lock().unwrap_or_else(PoisonError::into_inner);
        let outcome = act(&mut api, now);
        let latest = api.resource_version();
        drop(api);
        self.inner.changed.send_if_modified(|seen| std::mem::replace(seen, latest) != latest);
        outcome
    }

    /// The clock.
    #[must_use]
    pub fn clock(&self) -> Clock {
        self.inner.clock
    }

    /// Tells of every change: the latest resource version.
    #[must_use]
    pub fn changes(&self) -> watch::Receiver<u64> {
        self.inner.changed.subscribe()
    }
}
