//! The newest answer to a question that everybody asks at once.
//!
//! Every open page looks at the overview and the nodes twice a second. However many there are, each is worked out twice a
//! second at most for all who see the same, and not at all while no page is open.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

/// How long an answer is good enough for a stream.
pub const GOOD_FOR: Duration = Duration::from_millis(500);

/// The newest answer for each who asks, and when it was worked out.
#[derive(Debug)]
pub struct Recent<K, T>(Mutex<HashMap<K, (Instant, Arc<T>)>>);

impl<K, T> Default for Recent<K, T> {
    fn default() -> Self {
        Self(Mutex::default())
    }
}

impl<K: Eq + Hash + Clone, T> Recent<K, T> {
    /// The answer, worked out by `make` when the one there is has aged.
    pub fn get(&self, whose: &K, now: Instant, make: impl FnOnce() -> Arc<T>) -> Arc<T> {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let fresh = |at: Instant| now.duration_since(at) < GOOD_FOR;
        if let Some((at, value)) = kept.get(whose)
            && fresh(*at)
        {
            return Arc::clone(value);
        }
        kept.retain(|_, (at, _)| fresh(*at));
        let value = make();
        kept.insert(whose.clone(), (now, Arc::clone(&value)));
        value
    }
}
