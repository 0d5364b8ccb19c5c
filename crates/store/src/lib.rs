//! What Keelson remembers: decisions, state, samples and recordings.
//!
//! One trait, [`Store`], hides where things are kept, so that a simulated day (memory), a single replica (SQLite) and a
//! replicated installation (PostgreSQL) are served by the same code. The same test suite runs on every back end.
//!
//! Promises: a repeated verdict costs no new row; recording the same id twice changes nothing, so a replay is harmless;
//! state is never overwritten by a leader that was replaced; retention deletes a little at a time.
//!
//! | room | what it holds |
//! |---|---|
//! | [`recorder`] | the one door: offer, begin, finish, effect; the ring, changes for the page, one list of all there is |
//! | [`writer`] | the bounded queue of decisions without actions |
//! | [`journal`], [`Entry`] | the file of decisions with actions, from before they act until the database has them |
//! | [`drain`], [`reach`] | from the journal into the store; whether that answers, and since when |
//! | [`Store`] | the trait; [`MemoryStore`], [`SqliteStore`], [`PostgresStore`] with [`Changes`]; `sql` is what the two share |
//! | [`Filter`], [`Page`] | what can be asked |
//! | [`Retention`], [`Resolution`] | how much is kept of decisions, recordings and samples |
//! | [`backup`] | the whole store as one file that either engine can be made from |
//! | [`folds_into`] | when two decisions are one row |

use async_trait::async_trait;
use keelson_core::{Decision, DecisionId, Feature, Timestamp, decision::Effect, decision::Outcome, decision::Step};
use tokio::io::{AsyncWrite, AsyncWriteExt};

pub mod backup;
pub mod drain;
mod entry;
mod error;
mod fold;
pub mod journal;
mod memory;
mod postgres;
mod query;
pub mod reach;
pub mod recorder;
mod retention;
mod samples;
mod sql;
mod sqlite;
mod unreadable;
pub mod writer;

pub use backup::BackupError;
pub use entry::Entry;
pub use error::StoreError;
pub use fold::folds_into;
pub use journal::{Journal, JournalError, JournalOptions, OnFull};
pub use memory::MemoryStore;
pub use postgres::{CHANNEL, Changes, POLL, PostgresStore, Servers};
pub use query::{Filter, MAX_PAGE, Page, StateValue};
pub use reach::Reach;
pub use recorder::{Change, Recorder};
pub use retention::{KEPT_RECORDINGS, Quota, Retention, SWEEP_ROWS, Swept, keeps_recording};
pub use samples::{Resolution, SERIES, Sample};
pub use sql::Schema;
pub use sqlite::SqliteStore;

/// Where decisions, state, samples and recordings are kept.
#[async_trait]
pub trait Store: Send + Sync {
    /// Records decisions in the order given; all of them, or none when it fails. A decision that only repeats the one
    /// before it about its subject is folded into that (see [`folds_into`]). An id that is already there is left as it is,
    /// and a repeat that is not newer than the last one counted is not counted again: a retry changes nothing.
    ///
    /// # Errors
    /// When the back end is out of reach.
    async fn record(&self, decisions: &[Decision]) -> Result<(), StoreError>;

    /// Applies what the journal kept, in order; all of it, or nothing when it fails. Applying it again changes nothing.
    /// Returns how many entries were about a decision that is not stored; they are skipped.
    ///
    /// # Errors
    /// When the back end is out of reach.
    async fn apply(&self, entries: &[Entry]) -> Result<u64, StoreError>;

    /// One decision, or none when it was never recorded, was folded away, or was swept.
    ///
    /// # Errors
    /// When the back end is out of reach or the row cannot be read.
    async fn decision(&self, id: DecisionId) -> Result<Option<Decision>, StoreError>;

    /// The decisions of these ids that are stored, oldest first. A row that cannot be read is left out (see
    /// [`Store::unreadable`]), here and in every list.
    ///
    /// # Errors
    /// When the back end is out of reach.
    async fn decisions_by_ids(&self, ids: &[DecisionId]) -> Result<Vec<Decision>, StoreError>;

    /// The decisions that name this one as a cause, oldest first, at most `limit` and never more than [`MAX_PAGE`].
    ///
    /// # Errors
    /// When the back end is out of reach.
    async fn caused_by(&self, id: DecisionId, limit: u32) -> Result<Vec<Decision>, StoreError>;

    /// The decisions that match, newest first, at most [`MAX_PAGE`] of them.
    ///
    /// # Errors
    /// When the back end is out of reach.
    async fn decisions(&self, filter: &Filter) -> Result<Page, StoreError>;

    /// The rows that were found unreadable and left out since the process started.
    fn unreadable(&self) -> Vec<DecisionId> {
        Vec::new()
    }

    /// What makes questions slow that need not be, and how to mend it; none when that is nothing.
    fn shortcoming(&self) -> Option<String> {
        None
    }

    /// Says how the actions of a decision ended; `steps` replaces the steps there were.
    ///
    /// # Errors
    /// [`StoreError::NotFound`], or when the back end is out of reach.
    async fn set_outcome(&self, id: DecisionId, outcome: Outcome, steps: Vec<Step>) -> Result<(), StoreError>;

    /// Says what came of a decision.
    ///
    /// # Errors
    /// [`StoreError::NotFound`], or when the back end is out of reach.
    async fn set_effect(&self, id: DecisionId, effect: Effect) -> Result<(), StoreError>;

    /// The state a feature keeps under a key.
    ///
    /// # Errors
    /// When the back end is out of reach.
    async fn state_get(&self, feature: Feature, key: &str) -> Result<Option<StateValue>, StoreError>;

    /// Writes state when its version is still `expected_version` (0: not written yet) and returns the new version.
    ///
    /// # Errors
    /// [`StoreError::FenceLost`] when a later leader wrote before, [`StoreError::VersionConflict`] when somebody else
    /// did, or when the back end is out of reach.
    async fn state_put(
        &self,
        feature: Feature,
        key: &str,
        expected_version: u64,
        fence: u64,
        bytes: &[u8],
    ) -> Result<u64, StoreError>;

    /// Keeps one value of a series at every [`Resolution`]; a second value in the same ten seconds replaces the first.
    ///
    /// # Errors
    /// [`StoreError::TooManySeries`] (counted in [`Store::refused_samples`]), or when the back end is out of reach.
    async fn sample(&self, series: &str, at: Timestamp, value: i64) -> Result<(), StoreError>;

    /// The steps of a series that begin at `since` or later, oldest first.
    ///
    /// # Errors
    /// When the back end is out of reach.
    async fn samples(&self, series: &str, since: Timestamp, resolution: Resolution) -> Result<Vec<Sample>, StoreError>;

    /// How many values were refused because there were too many series.
    fn refused_samples(&self) -> u64;

    /// Keeps what a decision saw, so that it can be made again; replaces an earlier recording of it.
    ///
    /// # Errors
    /// When the back end is out of reach.
    async fn put_recording(&self, id: DecisionId, bytes: &[u8]) -> Result<(), StoreError>;

    /// What a decision saw, when it was recorded.
    ///
    /// # Errors
    /// When the back end is out of reach.
    async fn recording(&self, id: DecisionId) -> Result<Option<Vec<u8>>, StoreError>;

    /// Deletes what the retention no longer wants, oldest first and at most [`SWEEP_ROWS`] of each sort a call; call again
    /// while [`Swept::is_partial`] says so. A decision that others name as their cause becomes a stub first: candidates,
    /// inputs, steps, effect and recording go, the verdict stays.
    ///
    /// # Errors
    /// When the back end is out of reach.
    async fn sweep(&self, now: Timestamp, retention: &Retention) -> Result<Swept, StoreError>;

    /// Writes every decision that matches as JSON Lines, newest first, and returns how many. `limit` is ignored.
    ///
    /// # Errors
    /// When the back end is out of reach or `out` refuses the bytes.
    async fn export(&self, filter: &Filter, out: &mut (dyn AsyncWrite + Unpin + Send)) -> Result<u64, StoreError> {
        let mut page_filter = Filter { limit: MAX_PAGE, ..filter.clone() };
        let mut written = 0;
        loop {
            let page = self.decisions(&page_filter).await?;
            for decision in &page.decisions {
                let mut line = error::to_json(decision)?;
                line.push('\n');
                out.write_all(line.as_bytes()).await?;
                written += 1;
            }
            match page.next {
                Some(next) => page_filter.before = Some(next),
                None => break,
            }
        }
        out.flush().await?;
        Ok(written)
    }
}
