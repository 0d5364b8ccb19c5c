//! How long a failing item waits.
//!
//! The delay doubles with each failure, from [`BASE`] to [`CAP`]. A failure counts only when its attempt started at or
//! after the moment the item was due: a watch event that wakes a waiting item early, and fails again, costs it nothing.
//! Without that rule a chatty object reaches the cap within seconds (kubernetes#132805, #112325).
//!
//! Promises: the delay depends on the item's own due attempts alone; success forgets everything.

use std::collections::BTreeMap;

use keelson_core::{Span, Timestamp};

/// The first delay (client-go's `DefaultTypedControllerRateLimiter` starts there too).
pub const BASE: Span = Span::millis(5);

/// The longest delay. client-go waits up to 1,000 s; five minutes is as long as a person waits before looking.
pub const CAP: Span = Span::seconds(300);

/// The delay after `failures` earlier ones: `min(BASE · 2ⁿ, CAP)`.
///
/// ```
/// use keelson_core::Span;
/// assert_eq!(keelson_runtime::backoff::delay(4), Span::millis(80));
/// ```
#[must_use]
pub fn delay(failures: u32) -> Span {
    let factor = 1_i64.checked_shl(failures.min(32)).unwrap_or(i64::MAX);
    Span(BASE.0.saturating_mul(factor).min(CAP.0))
}

/// The waiting items. Memory is one small entry for each item that failed and has not succeeded since.
#[derive(Debug, Clone)]
pub struct Backoff<K> {
    items: BTreeMap<K, Waiting>,
}

#[derive(Debug, Clone, Copy)]
struct Waiting {
    failures: u32,
    due: Timestamp,
}

impl<K: Ord> Default for Backoff<K> {
    fn default() -> Self {
        Self { items: BTreeMap::new() }
    }
}

impl<K: Ord> Backoff<K> {
    /// An attempt that started at `started` failed at `now`. Returns when the next one is due.
    pub fn failed(&mut self, key: K, started: Timestamp, now: Timestamp) -> Timestamp {
        let item = self.items.entry(key).or_insert(Waiting { failures: 0, due: started });
        if started >= item.due {
            item.due = now + delay(item.failures);
            item.failures = item.failures.saturating_add(1);
        }
        item.due
    }

    /// An attempt succeeded, or the item is gone.
    pub fn forget(&mut self, key: &K) {
        self.items.remove(key);
    }

    /// How many failures count against the item.
    #[must_use]
    pub fn failures(&self, key: &K) -> u32 {
        self.items.get(key).map_or(0, |item| item.failures)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ms(n: i64) -> Timestamp {
        Timestamp(n * 1_000)
    }

    #[test]
    fn the_delay_doubles_to_the_cap() {
        for (failures, expected) in
            [(0, 5), (1, 10), (4, 80), (10, 5_120), (15, 163_840), (16, 300_000), (60, 300_000), (u32::MAX, 300_000)]
        {
            assert_eq!(delay(failures), Span::millis(expected), "after {failures}");
        }
    }

    #[test]
    fn chatter_does_not_inflate_the_delay() {
        let mut backoff = Backoff::default();
        assert_eq!(backoff.failed("a", ms(0), ms(0)), ms(5));
        for early in 1..5 {
            assert_eq!(backoff.failed("a", ms(early), ms(early)), ms(5));
        }
        assert_eq!(backoff.failures(&"a"), 1);
        assert_eq!(backoff.failed("a", ms(5), ms(5)), ms(15));
    }

    #[test]
    fn an_attempt_that_ran_past_its_due_moment_but_started_before_it_does_not_count() {
        let mut backoff = Backoff::default();
        backoff.failed("a", ms(0), ms(0));
        assert_eq!(backoff.failed("a", ms(4), ms(9)), ms(5), "due already: it may run again at once");
        assert_eq!(backoff.failures(&"a"), 1);
    }

    #[test]
    fn success_forgets() {
        let mut backoff = Backoff::default();
        backoff.failed("a", ms(0), ms(0));
        backoff.failed("a", ms(5), ms(5));
        backoff.forget(&"a");
        assert_eq!(backoff.failed("a", ms(20), ms(20)), ms(25));
    }
}
