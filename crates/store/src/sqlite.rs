//! The store in one SQLite file: for a single replica with a volume.
//!
//! One connection writes and a few read, because SQLite has one writer anyway and waiting for it in a queue is cheaper
//! than in a busy loop. The write-ahead log lets readers go on meanwhile. Never put the file on NFS.
//!
//! Promises: a committed row survives the process; the last moments before a power failure may be lost
//! (`synchronous=NORMAL`); a file that a newer Keelson wrote is refused, not damaged.

use std::path::Path;
use std::time::Duration;

use async_trait::async_trait;
use keelson_core::decision::{Effect, Outcome, Step};
use keelson_core::{Decision, DecisionId, Feature, Timestamp};
use sqlx::sqlite::{
    SqliteAutoVacuum, SqliteConnectOptions, SqliteConnection, SqliteJournalMode, SqlitePool, SqlitePoolOptions,
    SqliteSynchronous,
};
use sqlx::{Sqlite, Transaction};

use crate::error::signed;
use crate::fold::{fold, folds_into, next_version, subject_key};
use crate::sql::{self, sql_store};
use crate::{Entry, Filter, Page, Retention, SWEEP_ROWS, Sample, StateValue, Store, StoreError, Swept, horizon};

const CREATE_META: &str = "CREATE TABLE IF NOT EXISTS schema_meta (version INTEGER NOT NULL) STRICT";
const MIGRATIONS: [&str; 1] = [include_str!("../migrations/sqlite/0001_start.sql")];
const READERS: u32 = 4;

/// A [`Store`] in a SQLite file.
#[derive(Debug, Clone)]
pub struct SqliteStore {
    writer: SqlitePool,
    reader: SqlitePool,
}

impl SqliteStore {
    /// Opens the file, makes it when it is missing, and brings its schema up to date.
    ///
    /// # Errors
    /// [`StoreError::SchemaTooNew`] when a newer Keelson wrote it, or when it cannot be opened.
    pub async fn open(path: &Path) -> Result<Self, StoreError> {
        let shared = SqliteConnectOptions::new().filename(path).busy_timeout(Duration::from_secs(5));
        let writing = shared
            .clone()
            .create_if_missing(true)
            .journal_mode(SqliteJournalMode::Wal)
            .synchronous(SqliteSynchronous::Normal)
            .auto_vacuum(SqliteAutoVacuum::Incremental)
            .foreign_keys(true);
        let writer = SqlitePoolOptions::new().max_connections(1).connect_with(writing).await?;
        let mut tx = writer.begin_with("BEGIN IMMEDIATE").await?;
        Self::migrate(&mut tx, CREATE_META, &MIGRATIONS).await?;
        tx.commit().await?;
        let reader = SqlitePoolOptions::new().max_connections(READERS).connect_with(shared.read_only(true)).await?;
        Ok(Self { writer, reader })
    }

    /// Closes the file once the calls under way are done.
    pub async fn close(&self) {
        self.reader.close().await;
        self.writer.close().await;
    }

    async fn begin(&self) -> Result<Transaction<'static, Sqlite>, StoreError> {
        Ok(self.writer.begin_with("BEGIN IMMEDIATE").await?)
    }
}

// Readers of the same file are in this process; nobody else needs word of a row.
async fn nobody_to_tell(_: &mut SqliteConnection, _: DecisionId) -> Result<(), StoreError> {
    Ok(())
}

sql_store!(SqliteStore, Sqlite, SqliteConnection, nobody_to_tell);
