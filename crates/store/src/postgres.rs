//! The store in PostgreSQL: for a replicated installation.
//!
//! Writers take one advisory lock, because folding reads the newest row before it writes. Each changed row notifies the
//! channel [`CHANNEL`] with nothing but its id, which stays small whatever the row holds; [`PostgresStore::changes`]
//! listens.
//!
//! Promises: a committed row survives the database server; a database that a newer Keelson wrote is refused.

use std::str::FromStr;

use async_trait::async_trait;
use keelson_core::decision::{Effect, Outcome, Step};
use keelson_core::{Decision, DecisionId, Feature, Timestamp};
use sqlx::postgres::{PgConnectOptions, PgConnection, PgListener, PgPool, PgPoolOptions};
use sqlx::{Postgres, Transaction};

use crate::error::signed;
use crate::fold::{fold, folds_into, next_version, subject_key};
use crate::sql::{self, sql_store};
use crate::{Entry, Filter, Page, Retention, SWEEP_ROWS, Sample, StateValue, Store, StoreError, Swept, horizon};

const CREATE_META: &str = "CREATE TABLE IF NOT EXISTS schema_meta (version BIGINT NOT NULL)";
const MIGRATIONS: [&str; 1] = [include_str!("../migrations/postgres/0001_start.sql")];
const CONNECTIONS: u32 = 8;
/// Any number that nothing else in the database uses: "keelson" in ASCII.
const WRITER_LOCK: &str = "SELECT pg_advisory_xact_lock(30228137520426862)";
const NOTIFY: &str = "SELECT pg_notify('keelson_decision', $1)";
/// The channel that carries the ids of changed decisions.
pub const CHANNEL: &str = "keelson_decision";

/// A [`Store`] in a PostgreSQL database.
#[derive(Debug, Clone)]
pub struct PostgresStore {
    reader: PgPool,
}

impl PostgresStore {
    /// Connects and brings the schema up to date; several replicas may do so at once.
    ///
    /// # Errors
    /// [`StoreError::SchemaTooNew`] when a newer Keelson wrote it, or when it cannot be reached.
    pub async fn connect(options: PgConnectOptions) -> Result<Self, StoreError> {
        let reader = PgPoolOptions::new().max_connections(CONNECTIONS).connect_with(options).await?;
        let store = Self { reader };
        let mut tx = store.begin().await?;
        Self::migrate(&mut tx, CREATE_META, &MIGRATIONS).await?;
        tx.commit().await?;
        Ok(store)
    }

    /// Listens for changed decisions. Word sent while the connection is down is lost: read the newest page again now
    /// and then.
    ///
    /// # Errors
    /// When the database cannot be reached.
    pub async fn changes(&self) -> Result<Changes, StoreError> {
        let mut listener = PgListener::connect_with(&self.reader).await?;
        listener.listen(CHANNEL).await?;
        Ok(Changes { listener })
    }

    /// Closes the connections once the calls under way are done and every [`Changes`] is dropped: each holds one.
    pub async fn close(&self) {
        self.reader.close().await;
    }

    async fn begin(&self) -> Result<Transaction<'static, Postgres>, StoreError> {
        let mut tx = self.reader.begin().await?;
        sqlx::query(WRITER_LOCK).execute(&mut *tx).await?;
        Ok(tx)
    }
}

/// Word of changed decisions.
#[derive(Debug)]
pub struct Changes {
    listener: PgListener,
}

impl Changes {
    /// Waits for the next decision that was recorded, repeated or completed.
    ///
    /// # Errors
    /// When the connection fails or somebody else wrote to the channel.
    pub async fn next(&mut self) -> Result<DecisionId, StoreError> {
        let word = self.listener.recv().await?;
        DecisionId::from_str(word.payload()).map_err(|e| StoreError::Corrupt {
            what: format!("the notification {:?} on {CHANNEL}", word.payload()),
            detail: e.to_string(),
        })
    }
}

async fn tell_everybody(conn: &mut PgConnection, id: DecisionId) -> Result<(), StoreError> {
    sqlx::query(NOTIFY).bind(id.to_string()).execute(conn).await?;
    Ok(())
}

sql_store!(PostgresStore, Postgres, PgConnection, tell_everybody);
