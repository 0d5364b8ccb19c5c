//! The ways in: a tower service for clients in the process, HTTP and HTTPS on loopback for everyone else.
//!
//! Both share one [`Api`] behind a mutex that is never held across an await, and one clock. A write wakes the watches.

pub mod faults;
pub mod http;
pub mod tls;
pub mod tower;

use std::sync::{Arc, Mutex, PoisonError};

use keelson_core::Timestamp;
use tokio::sync::Notify;

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
    version: std::sync::atomic::AtomicU64,
    changed: Notify,
}

impl Shared {
    /// Shares an API under a clock.
    #[must_use]
    pub fn new(api: Api, clock: Clock) -> Self {
        let version = api.resource_version().into();
        Self { inner: Arc::new(Inner { api: Mutex::new(api), clock, version, changed: Notify::new() }) }
    }

    /// Does something with the API at this moment, and wakes the watches when it changed anything.
    pub fn with<T>(&self, act: impl FnOnce(&mut Api, Timestamp) -> T) -> T {
        let now = self.inner.clock.now();
        let mut api = self.inner.api.lock().unwrap_or_else(PoisonError::into_inner);
        let outcome = act(&mut api, now);
        let latest = api.resource_version();
        drop(api);
        if self.inner.version.swap(latest, std::sync::atomic::Ordering::SeqCst) != latest {
            self.inner.changed.notify_waiters();
        }
        outcome
    }

    /// The clock.
    #[must_use]
    pub fn clock(&self) -> Clock {
        self.inner.clock
    }

    /// Tells of every change: the latest resource version.
    #[must_use]
    pub fn changes(&self) -> Changes {
        Changes { inner: Arc::clone(&self.inner), seen: 0 }
    }
}

/// Tells of changes, to whoever waits longest first (tokio's `watch` wakes its receivers in an order drawn by lot).
#[derive(Debug)]
pub struct Changes {
    inner: Arc<Inner>,
    seen: u64,
}

impl Changes {
    /// Takes what there is as seen.
    pub fn mark(&mut self) {
        self.seen = self.inner.version.load(std::sync::atomic::Ordering::SeqCst);
    }

    /// Returns when something changed since it was last seen.
    pub async fn changed(&mut self) {
        let inner = Arc::clone(&self.inner);
        let notified = inner.changed.notified();
        if self.inner.version.load(std::sync::atomic::Ordering::SeqCst) == self.seen {
            notified.await;
        }
        self.mark();
    }
}
