//! What was answered a moment ago.
//!
//! Promises: nothing is told after its time; at most `most` answers are kept, and when more come the old ones are asked for
//! again.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

/// Answers, each good until its moment.
#[derive(Debug)]
pub struct Memo<K, V> {
    most: usize,
    kept: Mutex<HashMap<K, (Instant, V)>>,
}

impl<K: Eq + Hash, V: Clone> Memo<K, V> {
    pub fn new(most: usize) -> Self {
        Self { most, kept: Mutex::default() }
    }

    /// The answer, while it is good.
    pub fn get(&self, key: &K, now: Instant) -> Option<V> {
        self.kept().get(key).filter(|(until, _)| now < *until).map(|(_, value)| value.clone())
    }

    /// Keeps an answer for a while.
    pub fn put(&self, key: K, value: V, now: Instant, good_for: Duration) {
        let mut kept = self.kept();
        if kept.len() >= self.most && !kept.contains_key(&key) {
            kept.retain(|_, (until, _)| now < *until);
            if kept.len() >= self.most {
                kept.clear();
            }
        }
        kept.insert(key, (now + good_for, value));
    }

    // Every entry is complete before the lock is given back.
    fn kept(&self) -> MutexGuard<'_, HashMap<K, (Instant, V)>> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MINUTE: Duration = Duration::from_secs(60);

    #[tokio::test(start_paused = true)]
    async fn nothing_is_told_after_its_time() {
        let memo = Memo::new(8);
        memo.put("a", 1, Instant::now(), MINUTE);
        tokio::time::advance(MINUTE - Duration::from_millis(1)).await;
        assert_eq!(memo.get(&"a", Instant::now()), Some(1));
        tokio::time::advance(Duration::from_millis(1)).await;
        assert_eq!(memo.get(&"a", Instant::now()), None);
    }

    #[tokio::test(start_paused = true)]
    async fn however_much_is_asked_only_so_much_is_kept() {
        let memo = Memo::new(8);
        for key in 0..1_000 {
            memo.put(key, key, Instant::now(), MINUTE);
            assert!(memo.kept().len() <= 8);
        }
        assert_eq!(memo.get(&999, Instant::now()), Some(999), "the newest is among them");
    }
}
