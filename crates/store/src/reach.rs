//! Whether the database answers, and since when.
//!
//! Whoever talks to it says how that went and how long it took; the page, `doctor` and scrapers read it. A refusal of one
//! row is an answer. Reading and writing are told apart: a full disk is read from as ever and takes nothing, and a page
//! that was read must not hide that.

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
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
    /// It has not answered, or has taken nothing, since then.
    AwaySince(Timestamp),
}

/// The latest word about the database; clones share it.
#[derive(Clone)]
pub struct Watch {
    clock: Clock,
    word: Arc<Mutex<Word>>,
    commits: Histogram,
}

#[derive(Default)]
struct Word {
    /// Since when it answers, when it does.
    there: Option<Timestamp>,
    reading: Option<Trouble>,
    writing: Option<Trouble>,
}

#[derive(PartialEq, Eq, Clone, Copy)]
enum Doing {
    Read,
    Write,
}

struct Trouble {
    since: Timestamp,
    why: String,
}

impl Word {
    /// What keeps from writing matters more than what keeps from reading.
    fn trouble(&self) -> Option<&Trouble> {
        self.writing.as_ref().or(self.reading.as_ref())
    }
}

impl Watch {
    /// Nothing is known yet.
    #[must_use]
    pub fn new(clock: Clock) -> Self {
        Self { clock, word: Arc::default(), commits: Histogram::new(SECONDS) }
    }

    /// Takes note of the answer to a question, and hands it on.
    ///
    /// # Errors
    /// The answer's own.
    pub fn read<T>(&self, answer: Result<T, StoreError>) -> Result<T, StoreError> {
        self.note(&answer, Doing::Read);
        answer
    }

    /// Takes note of how a write went, and hands that on. One that went well proves that reading does, too.
    ///
    /// # Errors
    /// The answer's own.
    pub fn wrote<T>(&self, answer: Result<T, StoreError>) -> Result<T, StoreError> {
        self.note(&answer, Doing::Write);
        answer
    }

    fn note<T>(&self, answer: &Result<T, StoreError>, doing: Doing) {
        let mut word = self.word();
        let was_away = word.trouble().is_some();
        if let Err(error) = answer
            && !error.is_refusal()
        {
            let now = (self.clock)();
            let place = if doing == Doing::Read { &mut word.reading } else { &mut word.writing };
            let since = place.as_ref().map_or(now, |trouble| trouble.since);
            *place = Some(Trouble { since, why: error.to_string() });
            word.there = None;
            if !was_away {
                tracing::warn!(category = error.category(), "the store is away: {error}");
            }
            return;
        }
        word.reading = None;
        if doing == Doing::Write {
            word.writing = None;
        }
        if word.there.is_none() && word.writing.is_none() {
            word.there = Some((self.clock)());
            tracing::info!("the store answers");
        }
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
        let word = self.word();
        match (word.trouble(), word.there) {
            (Some(trouble), _) => Reach::AwaySince(trouble.since),
            (None, Some(since)) => Reach::Since(since),
            (None, None) => Reach::Unknown,
        }
    }

    /// Why it is away, as the database said it; none while it is not.
    #[must_use]
    pub fn why(&self) -> Option<String> {
        self.word().trouble().map(|trouble| trouble.why.clone())
    }

    /// The present moment.
    #[must_use]
    pub fn now(&self) -> Timestamp {
        (self.clock)()
    }

    // Every change under the lock is complete when it is given back.
    fn word(&self) -> MutexGuard<'_, Word> {
        self.word.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Watch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Watch").field(&self.reach()).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn failed() -> Result<(), StoreError> {
        Err(StoreError::DiskFull { detail: "test".to_owned() })
    }

    #[test]
    fn a_database_that_takes_nothing_is_away_however_often_it_is_read() {
        let watch = Watch::new(Arc::new(|| Timestamp(7)));
        assert_eq!(watch.reach(), Reach::Unknown);
        let _ = (watch.wrote(failed()), watch.read(Ok(())));
        assert_eq!(watch.reach(), Reach::AwaySince(Timestamp(7)));
        assert!(watch.why().is_some_and(|why| why.contains("no space left")));
        let _ = watch.wrote(Ok(()));
        assert_eq!((watch.reach(), watch.why()), (Reach::Since(Timestamp(7)), None));
    }

    #[test]
    fn a_question_that_failed_is_forgotten_after_any_answer() {
        let watch = Watch::new(Arc::new(|| Timestamp(7)));
        for answered in [Watch::read::<()>, Watch::wrote] {
            let _ = watch.read(failed());
            assert_eq!(watch.reach(), Reach::AwaySince(Timestamp(7)));
            let _ = answered(&watch, Ok(()));
            assert_eq!(watch.reach(), Reach::Since(Timestamp(7)));
        }
    }
}
