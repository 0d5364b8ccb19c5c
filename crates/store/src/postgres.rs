//! The store in PostgreSQL: for a replicated installation.
//!
//! Writers take one advisory lock, because folding reads the row before it writes. Whatever changes a decision gives it a
//! new revision and notifies [`CHANNEL`] (both by trigger); [`PostgresStore::changes`] listens.
//!
//! Promises: a committed row survives the database server; a database that a newer Keelson wrote is refused; a server
//! that is away fails a call within [`PATIENCE`] and is used again when it is back; of several [`Servers`] the one that
//! takes writes is used, and after a failover the other.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use keelson_core::decision::{Effect, Outcome, Step};
use keelson_core::{Decision, DecisionId, Feature, ObjectRef, Timestamp};
use sqlx::postgres::{PgConnection, PgPool, PgPoolOptions};
use sqlx::{Connection, Postgres, Transaction};
use tokio::io::{AsyncBufRead, AsyncWrite};
use tokio::sync::OnceCell;
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

mod changes;
mod servers;
mod trigrams;

pub use changes::{CHANNEL, Changes, POLL};
pub use servers::Servers;

const HAS_META: &str = "SELECT to_regclass('schema_meta') IS NOT NULL";
const CREATE_META: &str = "CREATE TABLE IF NOT EXISTS schema_meta (version BIGINT NOT NULL)";
const MIGRATIONS: [&str; 5] = [
    include_str!("../migrations/postgres/0001_start.sql"),
    include_str!("../migrations/postgres/0002_quotas.sql"),
    include_str!("../migrations/postgres/0003_about.sql"),
    include_str!("../migrations/postgres/0004_filters.sql"),
    include_str!("../migrations/postgres/0005_texts.sql"),
];
const CONNECTIONS: u32 = 8;
/// How long a call waits for a connection.
pub const PATIENCE: Duration = Duration::from_secs(3);
/// Any number that nothing else in the database uses: "keelson" in ASCII.
const WRITER_LOCK: &str = "SELECT pg_is_in_recovery(), pg_advisory_xact_lock(30228137520426862)";
const SNAPSHOT: &str = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY";

/// A [`Store`] in a PostgreSQL database.
#[derive(Debug, Clone)]
pub struct PostgresStore {
    pool: PgPool,
    /// Set when the schema is known to be this build's; holds why texts are found slowly, when they are.
    migrated: Arc<OnceCell<Option<String>>>,
    servers: Servers,
    series: SeriesLimit,
    unreadable: Unreadable,
}

impl PostgresStore {
    /// A store that connects when it is first used, and brings the schema up to date then; several replicas may do so at
    /// once. A database that is away now fails the calls until it is there.
    ///
    /// Needs a tokio runtime.
    ///
    /// ```
    /// use keelson_store::{PostgresStore, Servers};
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() {
    /// let store = PostgresStore::lazy("postgres://keelson@127.0.0.1:9/keelson".parse::<Servers>().unwrap());
    /// assert!(store.ready().await.is_err(), "nobody is there; the next call asks again");
    /// # }
    /// ```
    #[must_use]
    pub fn lazy(servers: impl Into<Servers>) -> Self {
        let servers = servers.into();
        let pool = PgPoolOptions::new().max_connections(CONNECTIONS).acquire_timeout(PATIENCE);
        let pool = servers.pool(pool);
        let (series, unreadable) = (SeriesLimit::default(), Unreadable::default());
        Self { pool, migrated: Arc::default(), servers, series, unreadable }
    }

    /// Brings the schema up to date, unless that is done.
    ///
    /// # Errors
    /// [`StoreError::SchemaTooNew`] when a newer Keelson wrote it, or when it cannot be reached.
    pub async fn ready(&self) -> Result<(), StoreError> {
        self.reader().await.map(drop)
    }

    /// Connects and brings the schema up to date.
    ///
    /// ```no_run
    /// use keelson_store::{Filter, PostgresStore, Servers, Store};
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let store = PostgresStore::connect("postgres://keelson@db.keelson/keelson".parse::<Servers>()?).await?;
    /// println!("{:?}", store.decisions(&Filter::default()).await?.decisions.first());
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// As [`PostgresStore::ready`].
    pub async fn connect(servers: impl Into<Servers>) -> Result<Self, StoreError> {
        let store = Self::lazy(servers);
        store.ready().await?;
        Ok(store)
    }

    /// Which schema a database has, and changes nothing: version 0 when it holds nothing of ours yet.
    ///
    /// # Errors
    /// When it cannot be reached or read.
    pub async fn inspect(servers: &Servers) -> Result<Schema, StoreError> {
        let mut conn = servers.connect().await?;
        let ours: bool = sqlx::query_scalar(HAS_META).fetch_one(&mut conn).await?;
        let found = if ours { sqlx::query_scalar(sql::VERSION).fetch_one(&mut conn).await? } else { 0 };
        conn.close().await?;
        Ok(Schema::new(found, &MIGRATIONS))
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
        self.ready().await?;
        Changes::start(self.pool.clone(), self.servers.clone(), poll).await
    }

    /// The same from the moment the database first answers.
    #[must_use]
    pub fn changes_once_there(&self, poll: Duration) -> Changes {
        Changes::from_first_answer(self.pool.clone(), self.servers.clone(), poll)
    }

    /// Closes the connections once the calls under way are done; each [`Changes`] ends.
    pub async fn close(&self) {
        self.pool.close().await;
    }

    // Autovacuum returns the space.
    async fn after_sweep(&self, _: &Swept) -> Result<(), StoreError> {
        Ok(())
    }

    async fn find_in(
        conn: &mut PgConnection,
        filter: &Filter,
        stretch: sql::Stretch,
        wanted: i64,
    ) -> Result<Vec<(Vec<u8>, String)>, StoreError> {
        let has_text = |q: &mut sqlx::QueryBuilder<Postgres>| {
            if let Some(text) = &filter.text {
                q.push(" AND search LIKE ").push_bind(sql::like(text)).push(" ESCAPE '!'");
            }
        };
        Self::walk(conn, filter, stretch, wanted, has_text).await
    }

    async fn reader(&self) -> Result<&PgPool, StoreError> {
        let migrate = async || {
            self.servers.turn(&self.pool).await;
            let mut tx = self.lock().await?;
            Self::migrate(&mut tx, CREATE_META, &MIGRATIONS).await?;
            let shortcoming = trigrams::make(&mut tx).await?;
            tx.commit().await?;
            Ok::<_, StoreError>(shortcoming)
        };
        self.migrated.get_or_try_init(migrate).await?;
        Ok(&self.pool)
    }

    fn why_slow(&self) -> Option<String> {
        self.migrated.get().cloned().flatten()
    }

    /// A transaction that sees one moment.
    async fn snapshot(&self) -> Result<Transaction<'static, Postgres>, StoreError> {
        Ok(self.reader().await?.begin_with(SNAPSHOT).await?)
    }

    async fn begin(&self) -> Result<Transaction<'static, Postgres>, StoreError> {
        self.ready().await?;
        self.lock().await
    }

    /// A transaction that excludes other writers, on the server that takes writes.
    async fn lock(&self) -> Result<Transaction<'static, Postgres>, StoreError> {
        match self.lock_here().await {
            Err(_) if self.servers.turn(&self.pool).await => self.lock_here().await,
            answer => answer,
        }
    }

    async fn lock_here(&self) -> Result<Transaction<'static, Postgres>, StoreError> {
        let mut tx = self.pool.begin().await?;
        let is_standby: bool = sqlx::query_scalar(WRITER_LOCK).fetch_one(&mut *tx).await?;
        if !is_standby {
            return Ok(tx);
        }
        tx.rollback().await?;
        Err(StoreError::Standby)
    }
}

sql_store!(PostgresStore, Postgres, PgConnection);
sql_find!(PostgresStore, Postgres, PgConnection);
sql_insert!(PostgresStore, Postgres, PgConnection);
sql_sweep!(PostgresStore, PgConnection);
sql_samples!(PostgresStore, PgConnection);
sql_backup!(PostgresStore, PgConnection);
