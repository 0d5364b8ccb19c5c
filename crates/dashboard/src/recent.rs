//! One answer for many open pages.
//!
//! Every stream looks at the overview and the nodes twice a second. However many there are, each is worked out twice a
//! second at most, and not at all while no page is open.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

/// How long an answer is good enough for a stream.
pub const GOOD_FOR: Duration = Duration::from_millis(500);

/// The newest answer, and when it was worked out.
#[derive(Debug)]
pub struct Recent<T>(Mutex<Option<(Instant, Arc<T>)>>);

impl<T> Default for Recent<T> {
    fn default() -> Self {
        Self(Mutex::new(None))
    }
}

impl<T> Recent<T> {
    /// The answer, worked out by `make` when the one there is has aged.
    pub fn get(&self, now: Instant, make: impl FnOnce() -> Arc<T>) -> Arc<T> {
        let mut slot = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((at, value)) = slot.as_ref()
            && now.duration_since(*at) < GOOD_FOR
        {
            return Arc::clone(value);
        }
        let value = make();
        *slot = Some((now, Arc::clone(&value)));
        value
    }
}
