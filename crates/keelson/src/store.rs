//! Opening the store that a person named.

use std::path::Path;
use std::sync::Arc;

use anyhow::{Context, Result};
use keelson_store::{Changes, POLL, PostgresStore, SqliteStore, Store};

/// An open store.
pub struct Opened {
    /// The store.
    pub store: Arc<dyn Store>,
    /// What other processes write to it; none where it is this process's alone.
    pub changes: Option<Changes>,
}

/// Opens a SQLite file or, for a `postgres://` URL, a PostgreSQL database.
///
/// # Errors
/// When it is not there, not ours, or newer than this version. The URL's password is never in the message.
pub async fn open(database: &str) -> Result<Opened> {
    if database.starts_with("postgres://") || database.starts_with("postgresql://") {
        let store = PostgresStore::open(database).await.context("the PostgreSQL database cannot be opened")?;
        let changes = Some(store.changes(POLL).await?);
        return Ok(Opened { store: Arc::new(store), changes });
    }
    let store = SqliteStore::open(Path::new(database)).await.with_context(|| format!("store {database}"))?;
    Ok(Opened { store: Arc::new(store), changes: None })
}
