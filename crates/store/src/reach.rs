//! Whether the database answers, and since when.
//!
//! Whoever talks to it says how that went and how long it took; the page, `doctor` and scrapers read it. A refusal of one
//! row is an answer.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU8, Ordering::Relaxed};

use std::time::Duration;

use keelson_core::Timestamp;
use keelson_core::time::SECONDS;
use prometheus_client::metrics::histogram::Histogram;

use crate::StoreError;

/// Where the present moment comes from.
pub type Clock = Arc<dyn Fn() -> Timestamp + Send + Sync>;

/// What is known about the database.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reach {
    /// Nobody has asked yet.
    Unknown,
    /// It has answered since then.
    Since(Timestamp),
    /// It has not answered since then.
    AwaySince(Timestamp),
}

/// The latest word about the database; clones share it.
#[derive(Clone)]
pub struct Watch {
    clock: Clock,
    word: Arc<(AtomicU8, AtomicI64)>,
    commits: Histogram,
}

const UNKNOWN: u8 = 0;
const THERE: u8 = 1;
const AWAY: u8 = 2;

impl Watch {
    /// Nothing is known yet.
    #[must_use]
    pub fn new(clock: Clock) -> Self {
        let word = Arc::new((AtomicU8::new(UNKNOWN), AtomicI64::new(0)));
        Self { clock, word, commits: Histogram::new(SECONDS) }
    }

    /// Takes note of an answer, and hands it on.
    ///
    /// # Errors
    /// The answer's own.
    pub fn note<T>(&self, answer: Result<T, StoreError>) -> Result<T, StoreError> {
        let there = answer.as_ref().map_or_else(StoreError::is_refusal, |_| true);
        let word = if there { THERE } else { AWAY };
        if self.word.0.load(Relaxed) != word {
            self.word.1.store((self.clock)().0, Relaxed);
            if self.word.0.swap(word, Relaxed) != word {
                match &answer {
                    Err(error) if !there => tracing::warn!(category = error.category(), "the store is away: {error}"),
                    _ => tracing::info!("the store answers"),
                }
            }
        }
        answer
    }

    /// Takes note of how long a transaction took that the store committed.
    pub(crate) fn committed(&self, took: Duration) {
        self.commits.observe(took.as_secs_f64());
    }

    /// How long the store took for each transaction that it committed, in seconds.
    pub(crate) const fn commits(&self) -> &Histogram {
        &self.commits
    }

    /// The latest word.
    #[must_use]
    pub fn reach(&self) -> Reach {
        let since = Timestamp(self.word.1.load(Relaxed));
        match self.word.0.load(Relaxed) {
            THERE => Reach::Since(since),
            AWAY => Reach::AwaySince(since),
            _ => Reach::Unknown,
        }
    }

    /// The present moment.
    #[must_use]
    pub fn now(&self) -> Timestamp {
        (self.clock)()
    }
}

impl fmt::Debug for Watch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Watch").field(&self.reach()).finish()
    }
}
