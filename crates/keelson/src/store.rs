//! Opening the store that a person named.

use std::path::Path;
use std::sync::Arc;

use anyhow::{Context, Result};
use keelson_store::{PostgresStore, SqliteStore, Store};

/// Opens a SQLite file or, for a `postgres://` URL, a PostgreSQL database.
///
/// # Errors
/// When it is not there, not ours, or newer than this version. The URL's password is never in the message.
pub async fn open(database: &str) -> Result<Arc<dyn Store>> {
    if database.starts_with("postgres://") || database.starts_with("postgresql://") {
        let store = PostgresStore::open(database).await.context("the PostgreSQL database cannot be opened")?;
        return Ok(Arc::new(store));
    }
    let store = SqliteStore::open(Path::new(database)).await.with_context(|| format!("store {database}"))?;
    Ok(Arc::new(store))
}
