//! The store in PostgreSQL: for a replicated installation.
//!
//! Writers take one advisory lock, because folding reads the row before it writes. Whatever changes a decision gives it a
//! new revision and notifies [`CHANNEL`] (both by trigger); [`PostgresStore::changes`] listens.
//!
//! Promises: a committed row survives the database server; a database that a newer Keelson wrote is refused; a server
//! that is away fails a call within [`PATIENCE`] and is used again when it is back.

use std::time::Duration;

use async_trait::async_trait;
use keelson_core::decision::{Effect, Outcome, Step};
use keelson_core::{Decision, DecisionId, Feature, Timestamp};
use sqlx::postgres::{PgConnectOptions, PgConnection, PgPool, PgPoolOptions};
use sqlx::{Postgres, Transaction};

use crate::error::signed;
use crate::fold::{fold, folds_into, next_version, subject_key};
use crate::retention::{cut_to_stub, first_id, horizon};
use crate::samples::SeriesLimit;
use crate::sql::{self, sql_samples, sql_store, sql_sweep};
use crate::{
    Entry, Filter, Page, Quota, Resolution, Retention, SWEEP_ROWS, Sample, StateValue, Store, StoreError, Swept,
    keeps_recording,
};

mod changes;

pub use changes::{CHANNEL, Changes, POLL};

const CREATE_META: &str = "CREATE TABLE IF NOT EXISTS schema_meta (version BIGINT NOT NULL)";
const MIGRATIONS: [&str; 2] =
    [include_str!("../migrations/postgres/0001_start.sql"), include_str!("../migrations/postgres/0002_quotas.sql")];
const CONNECTIONS: u32 = 8;
/// How long a call waits for a connection.
pub const PATIENCE: Duration = Duration::from_secs(3);
/// Any number that nothing else in the database uses: "keelson" in ASCII.
const WRITER_LOCK: &str = "SELECT pg_advisory_xact_lock(30228137520426862)";

/// A [`Store`] in a PostgreSQL database.
#[derive(Debug, Clone)]
pub struct PostgresStore {
    reader: PgPool,
    options: PgConnectOptions,
    series: SeriesLimit,
}

impl PostgresStore {
    /// Connects and brings the schema up to date; several replicas may do so at once.
    ///
    /// # Errors
    /// [`StoreError::SchemaTooNew`] when a newer Keelson wrote it, or when it cannot be reached.
    pub async fn connect(options: PgConnectOptions) -> Result<Self, StoreError> {
        let pool = PgPoolOptions::new().max_connections(CONNECTIONS).acquire_timeout(PATIENCE);
        let reader = pool.connect_with(options.clone()).await?;
        let store = Self { reader, options, series: SeriesLimit::default() };
        let mut tx = store.begin().await?;
        Self::migrate(&mut tx, CREATE_META, &MIGRATIONS).await?;
        tx.commit().await?;
        Ok(store)
    }

    /// [`PostgresStore::connect`] by a `postgres://` URL.
    ///
    /// # Errors
    /// As `connect`, or when the text is no such URL.
    pub async fn open(url: &str) -> Result<Self, StoreError> {
        Self::connect(url.parse()?).await
    }

    /// The same store with another bound on the number of series.
    #[must_use]
    pub fn with_series_limit(mut self, limit: u64) -> Self {
        self.series = SeriesLimit::new(limit);
        self
    }

    /// Follows the decisions that change from now on, whichever process changes them. `poll` ([`POLL`] unless there is a
    /// reason) bounds how late word may come when a notification is lost.
    ///
    /// # Errors
    /// When the database cannot be reached.
    pub async fn changes(&self, poll: Duration) -> Result<Changes, StoreError> {
        Changes::start(self.reader.clone(), self.options.clone(), poll).await
    }

    /// Closes the connections once the calls under way are done; each [`Changes`] ends.
    pub async fn close(&self) {
        self.reader.close().await;
    }

    // Autovacuum returns the space.
    async fn after_sweep(&self, _: &Swept) -> Result<(), StoreError> {
        Ok(())
    }

    async fn begin(&self) -> Result<Transaction<'static, Postgres>, StoreError> {
        let mut tx = self.reader.begin().await?;
        sqlx::query(WRITER_LOCK).execute(&mut *tx).await?;
        Ok(tx)
    }
}

sql_store!(PostgresStore, Postgres, PgConnection);
sql_sweep!(PostgresStore, PgConnection);
sql_samples!(PostgresStore, PgConnection);
