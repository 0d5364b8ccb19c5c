//! Opening the store that a person named, and how much of it is kept.
//!
//! A PostgreSQL database that is away when the process starts is no reason not to start: it is opened when it answers, and
//! until then decisions wait in the journal. What waiting cannot mend (a bad address, a schema of a newer Keelson) is
//! refused at once.

use std::path::Path;
use std::sync::Arc;

use anyhow::{Context, Result};
use keelson_core::{GoDuration, Quantity, Span, Timestamp};
use keelson_store::backup::{BackupError, Counts};
use keelson_store::{
    Changes, OnFull, POLL, PostgresStore, Quota, Retention, Schema, Servers, SqliteStore, Store, StoreError,
};

use tokio::io::{AsyncBufRead, AsyncWrite};

/// The least a journal may hold, so that a decision with what it saw always fits.
const LEAST_BOUND: u64 = 1 << 20;

/// An open store.
pub struct Opened {
    /// The store.
    pub store: Arc<dyn Store>,
    /// What other processes write to it; none where it is this process's alone.
    pub changes: Option<Changes>,
}

/// Where a person said the store is.
enum Place<'a> {
    File(&'a Path),
    Server(Servers),
}

impl<'a> Place<'a> {
    fn of(database: &'a str) -> Result<Self> {
        if !database.starts_with("postgres://") && !database.starts_with("postgresql://") {
            return Ok(Self::File(Path::new(database)));
        }
        // The URL is not repeated: it may hold a password.
        let servers = database.parse().context("--database is no URL like postgres://USER@HOST/DATABASE")?;
        Ok(Self::Server(servers))
    }
}

/// Opens a SQLite file or, for a `postgres://` URL, a PostgreSQL database, now or when it is there.
///
/// # Errors
/// A file that cannot be opened, a URL that is none, or a schema that is newer than this version.
pub async fn open(database: &str) -> Result<Opened> {
    let servers = match Place::of(database)? {
        Place::Server(servers) => servers,
        Place::File(path) => {
            let store = SqliteStore::open(path).await.with_context(|| format!("store {database}"))?;
            return Ok(Opened { store: Arc::new(store), changes: None });
        }
    };
    let store = PostgresStore::lazy(servers);
    let changes = match store.ready().await {
        Ok(()) => store.changes(POLL).await,
        Err(error) => Err(error),
    };
    let changes = match changes {
        Ok(changes) => changes,
        Err(error @ StoreError::SchemaTooNew { .. }) => return Err(error.into()),
        Err(error) => {
            tracing::warn!(category = error.category(), "started without the database; it is asked again: {error}");
            store.changes_once_there(POLL)
        }
    };
    Ok(Opened { store: Arc::new(store), changes: Some(changes) })
}

/// Which schema a store has; changes nothing.
///
/// # Errors
/// When it is not there, cannot be reached, or cannot be read.
pub async fn inspect(database: &str) -> Result<Schema> {
    match Place::of(database)? {
        Place::Server(servers) => Ok(PostgresStore::inspect(&servers).await?),
        Place::File(path) => Ok(SqliteStore::inspect(path).await?),
    }
}

/// Writes everything a store holds, as one moment of it, while others may use it.
///
/// # Errors
/// When it is not there, cannot be read, or has another schema than this version's; or when `out` refuses the bytes.
pub async fn backup(database: &str, at: Timestamp, out: &mut (dyn AsyncWrite + Unpin + Send)) -> Result<Counts> {
    // Opening would bring an older schema up to date, under the feet of the older keelson that uses it.
    let Schema { found, known } = inspect(database).await.with_context(|| format!("store {}", shown(database)))?;
    if found != known {
        return Err(BackupError::OtherSchema { found, known }.into());
    }
    Ok(match Place::of(database)? {
        Place::Server(servers) => PostgresStore::connect(servers).await?.backup(at, out).await?,
        Place::File(path) => SqliteStore::open(path).await?.backup(at, out).await?,
    })
}

/// Makes an empty store hold what a backup holds: all of it, or nothing.
///
/// # Errors
/// When the store is not empty or cannot be reached, or the file is no backup, a damaged one, or a newer keelson's.
pub async fn restore(database: &str, from: &mut (dyn AsyncBufRead + Unpin + Send)) -> Result<Counts> {
    Ok(match Place::of(database)? {
        Place::Server(servers) => PostgresStore::connect(servers).await?.restore(from).await?,
        Place::File(path) => {
            let store = SqliteStore::open(path).await.with_context(|| format!("store {database}"))?;
            let counts = store.restore(from).await;
            store.close().await;
            counts?
        }
    })
}

/// A store's name without what may be a password.
fn shown(database: &str) -> &str {
    if Place::of(database).is_ok_and(|place| matches!(place, Place::File(_))) { database } else { "on the server" }
}

/// How much is kept, and what becomes of a decision that finds no room.
#[derive(Debug, Clone, clap::Args)]
pub struct Keep {
    /// When the journal is full because the database is away: act on what may be forgotten, or hold and decide again later.
    #[arg(long, env = "KEELSON_STORE_ON_FULL", default_value = "act", value_name = "act|hold", value_parser = on_full)]
    pub store_on_full: OnFull,
    /// How much may wait in the journal for the database.
    #[arg(long, env = "KEELSON_JOURNAL_BOUND", default_value = "256Mi", value_parser = bound, value_name = "SIZE")]
    pub journal_bound: u64,
    /// How long decisions are kept, as in 72h or 14d.
    #[arg(long, env = "KEELSON_KEEP", default_value = "14d", value_parser = age, value_name = "AGE")]
    pub keep: Span,
    /// How much the decisions of one feature may take, with what they saw.
    #[arg(long, env = "KEELSON_KEEP_SIZE", default_value = "256Mi", value_parser = size, value_name = "SIZE")]
    pub keep_size: u64,
}

impl Keep {
    /// The same as the store wants it. Causes of what is kept outlive their age fourfold, as stubs.
    #[must_use]
    pub fn retention(&self) -> Retention {
        let usual = Retention::default();
        Retention {
            age: self.keep,
            stub_age: Span(self.keep.0.saturating_mul(4)),
            per_feature: Quota { bytes: self.keep_size, ..usual.per_feature },
            ..usual
        }
    }
}

fn on_full(text: &str) -> Result<OnFull, String> {
    match text {
        "act" => Ok(OnFull::Act),
        "hold" => Ok(OnFull::Hold),
        _ => Err("write act or hold".to_owned()),
    }
}

fn size(text: &str) -> Result<u64, String> {
    let quantity: Quantity = text.parse().map_err(|error| format!("{error}"))?;
    let bytes = u64::try_from(quantity.value()).unwrap_or(0);
    if bytes == 0 { Err("write a size above 0, like 256Mi".to_owned()) } else { Ok(bytes) }
}

fn bound(text: &str) -> Result<u64, String> {
    match size(text)? {
        bytes if bytes < LEAST_BOUND => Err(format!("{text} is below 1Mi, the least that holds a decision")),
        bytes => Ok(bytes),
    }
}

fn age(text: &str) -> Result<Span, String> {
    let days = text.strip_suffix('d').and_then(|days| days.parse::<i64>().ok());
    let span = match days {
        Some(days) => Span(days.saturating_mul(Span::hours(24).0)),
        None => text.parse::<GoDuration>().map_err(|error| format!("{error}; or write days, like 14d"))?.span(),
    };
    // Below an hour a person finds nothing of what just happened.
    if span < Span::hours(1) { Err(format!("{text} is below an hour")) } else { Ok(span) }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn what_is_kept_is_written_as_people_write_it() {
        assert_eq!(age("14d"), Ok(Span::hours(336)));
        assert_eq!(age("1h30m"), Ok(Span::minutes(90)));
        assert_eq!((size("256Mi"), bound("2Mi")), (Ok(256 << 20), Ok(2 << 20)));
        for refused in ["5m", "-1d", "soon"] {
            assert!(age(refused).is_err(), "{refused}");
        }
        for refused in ["0", "-1Mi", "much"] {
            assert!(size(refused).is_err(), "{refused}");
        }
        assert!(bound("1Ki").unwrap_err().contains("1Mi"));
    }

    #[tokio::test]
    async fn a_url_that_is_none_is_refused_at_once_and_not_repeated() {
        let error = open("postgres://user:secret@host:port/x").await.err().unwrap();
        let said = format!("{error:#}");
        assert!(said.contains("postgres://USER@HOST") && !said.contains("secret"), "{said}");
    }

    #[tokio::test]
    async fn looking_at_a_store_makes_and_changes_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("keelson.db");
        let database = path.to_str().unwrap();
        assert!(inspect(database).await.is_err());
        assert!(!path.exists());
        std::fs::write(&path, "").unwrap();
        assert_eq!(inspect(database).await.unwrap().found, 0);
        assert_eq!(std::fs::metadata(&path).unwrap().len(), 0);
        SqliteStore::open(&path).await.unwrap().close().await;
        let schema = inspect(database).await.unwrap();
        assert_eq!(schema.found, schema.known);
    }
}
