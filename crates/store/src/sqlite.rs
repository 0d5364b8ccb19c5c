//! The store in one SQLite file: for a single replica with a volume.
//!
//! One connection writes and a few read, because SQLite has one writer anyway and waiting for it in a queue is cheaper
//! than in a busy loop. The write-ahead log lets readers go on meanwhile. Never put the file on NFS.
//!
//! Promises: a committed row survives the process; the last moments before a power failure may be lost
//! (`synchronous=NORMAL`); a file that a newer Keelson wrote is refused, not damaged.

use std::collections::BTreeSet;
use std::path::Path;
use std::time::Duration;

use async_trait::async_trait;
use keelson_core::decision::{Effect, Outcome, Step};
use keelson_core::{Decision, DecisionId, Feature, ObjectRef, Timestamp};
use sqlx::sqlite::{
    SqliteAutoVacuum, SqliteConnectOptions, SqliteConnection, SqliteJournalMode, SqlitePool, SqlitePoolOptions,
    SqliteSynchronous,
};
use sqlx::{Connection, Sqlite, Transaction};
use tokio::io::{AsyncBufRead, AsyncWrite};
use uuid::Uuid;

use crate::backup::{self, BackupError, Counts, In, Line, Out};
use crate::error::signed;
use crate::fold::{can_fold, fold, folds_into, next_version, subject_key};
use crate::retention::{cut_to_stub, first_id, horizon};
use crate::samples::SeriesLimit;
use crate::sql::{self, Batch, Schema, sql_backup, sql_find, sql_insert, sql_samples, sql_store, sql_sweep};
use crate::unreadable::Unreadable;
use crate::{
    Entry, Filter, MAX_PAGE, Page, Quota, Resolution, Retention, SWEEP_ROWS, Sample, StateValue, Store, StoreError,
    Swept, keeps_recording,
};

mod checkpoint;
pub(crate) mod text;

use checkpoint::Checkpoints;

const HAS_META: &str = "SELECT 1 FROM sqlite_schema WHERE name = 'schema_meta'";
const CREATE_META: &str = "CREATE TABLE IF NOT EXISTS schema_meta (version INTEGER NOT NULL) STRICT";
const MIGRATIONS: [&str; 5] = [
    include_str!("../migrations/sqlite/0001_start.sql"),
    include_str!("../migrations/sqlite/0002_quotas.sql"),
    include_str!("../migrations/sqlite/0003_about.sql"),
    include_str!("../migrations/sqlite/0004_filters.sql"),
    include_str!("../migrations/sqlite/0005_texts.sql"),
];
const READERS: u32 = 4;
/// How long a call waits for another process that holds the file; the recorder tries again anyway.
const PATIENCE: Duration = Duration::from_secs(2);
const BEGIN: &str = "BEGIN IMMEDIATE";
/// About as many pages as a sweep empties.
const VACUUM: &str = "PRAGMA incremental_vacuum(25)";

/// A [`Store`] in a SQLite file.
#[derive(Debug, Clone)]
pub struct SqliteStore {
    writer: SqlitePool,
    reader: SqlitePool,
    checkpoints: Checkpoints,
    series: SeriesLimit,
    unreadable: Unreadable,
}

impl SqliteStore {
    /// Opens the file, makes it when it is missing, and brings its schema up to date.
    ///
    /// ```
    /// use keelson_store::{Filter, SqliteStore, Store};
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let folder = tempfile::tempdir()?;
    /// let store = SqliteStore::open(&folder.path().join("keelson.db")).await?;
    /// assert!(store.decisions(&Filter::default()).await?.decisions.is_empty());
    /// store.close().await;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// [`StoreError::SchemaTooNew`] when a newer Keelson wrote it, or when it cannot be opened.
    pub async fn open(path: &Path) -> Result<Self, StoreError> {
        let shared = SqliteConnectOptions::new().filename(path).busy_timeout(PATIENCE);
        let writing = shared
            .clone()
            .create_if_missing(true)
            .journal_mode(SqliteJournalMode::Wal)
            .synchronous(SqliteSynchronous::Normal)
            .auto_vacuum(SqliteAutoVacuum::Incremental)
            .pragma("wal_autocheckpoint", "0")
            .pragma("journal_size_limit", checkpoint::LIMIT)
            .foreign_keys(true);
        let writer = SqlitePoolOptions::new().max_connections(1).connect_with(writing.clone()).await?;
        let mut tx = writer.begin_with(BEGIN).await?;
        Self::migrate(&mut tx, CREATE_META, &MIGRATIONS).await?;
        tx.commit().await?;
        let reader = SqlitePoolOptions::new().max_connections(READERS).connect_with(shared.read_only(true)).await?;
        let checkpoints = Checkpoints::start(writer.clone(), writing);
        Ok(Self { writer, reader, checkpoints, series: SeriesLimit::default(), unreadable: Unreadable::default() })
    }

    /// Which schema a file has, and changes nothing: none when it holds nothing of ours yet.
    ///
    /// # Errors
    /// When there is no such file or it cannot be read.
    pub async fn inspect(path: &Path) -> Result<Schema, StoreError> {
        let options = SqliteConnectOptions::new().filename(path).busy_timeout(PATIENCE).read_only(true);
        let mut conn = SqliteConnection::connect_with(&options).await?;
        let ours: Option<i64> = sqlx::query_scalar(HAS_META).fetch_optional(&mut conn).await?;
        let found = match ours {
            Some(_) => sqlx::query_scalar(sql::VERSION).fetch_one(&mut conn).await?,
            None => 0,
        };
        conn.close().await?;
        Ok(Schema::new(found, &MIGRATIONS))
    }

    /// The same store with another bound on the number of series.
    #[must_use]
    pub fn with_series_limit(mut self, limit: u64) -> Self {
        self.series = SeriesLimit::new(limit);
        self
    }

    /// Closes the file once the calls under way are done.
    pub async fn close(&self) {
        self.checkpoints.close().await;
        self.reader.close().await;
        self.writer.close().await;
    }

    /// Gives pages of deleted rows back to the file system, a few at a time; each page freed is one step of the pragma.
    async fn after_sweep(&self, swept: &Swept) -> Result<(), StoreError> {
        if swept.total() + swept.recordings + swept.samples > 0 {
            sqlx::raw_sql(VACUUM).fetch_all(&self.writer).await?;
        }
        Ok(())
    }

    async fn reader(&self) -> Result<&SqlitePool, StoreError> {
        Ok(&self.reader)
    }

    const fn why_slow(&self) -> Option<String> {
        None
    }

    /// A transaction that sees one moment: in the write-ahead log that begins with its first question.
    async fn snapshot(&self) -> Result<Transaction<'static, Sqlite>, StoreError> {
        Ok(self.reader.begin().await?)
    }

    async fn begin(&self) -> Result<Transaction<'static, Sqlite>, StoreError> {
        self.checkpoints.expect().await;
        match self.writer.begin_with(BEGIN).await {
            // On a full disk SQLite ends a transaction by itself; the driver goes on counting it, for ever. Only a new
            // connection helps.
            Err(sqlx::Error::InvalidSavePointStatement) => {
                self.writer.acquire().await?.close().await?;
                Ok(self.writer.begin_with(BEGIN).await?)
            }
            answer => Ok(answer?),
        }
    }
}

sql_store!(SqliteStore, Sqlite, SqliteConnection);
sql_find!(SqliteStore, Sqlite, SqliteConnection);
sql_insert!(SqliteStore, Sqlite, SqliteConnection);
sql_sweep!(SqliteStore, SqliteConnection);
sql_samples!(SqliteStore, SqliteConnection);
sql_backup!(SqliteStore, SqliteConnection);
