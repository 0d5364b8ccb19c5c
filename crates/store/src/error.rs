//! What can go wrong with the store, in words that say what to do next.
//!
//! Callers match on the variant or label a metric with [`StoreError::category`]; people read the text.

use keelson_core::{Decision, DecisionId, Feature};
use sqlx::error::DatabaseError;
use sqlx::sqlite::SqliteError;

/// A refusal or failure of the store.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// Somebody else wrote this state since it was read.
    #[error("state {feature}/{key} is at version {found}, not {expected}; read it again and decide anew")]
    VersionConflict {
        /// Whose state.
        feature: Feature,
        /// Which state.
        key: String,
        /// The version the writer had seen.
        expected: u64,
        /// The version there is.
        found: u64,
    },
    /// A later leader wrote this state.
    #[error(
        "state {feature}/{key} was written by the leader with fence {found}, after this one with fence {given}; \
         stop acting and wait for the lease"
    )]
    FenceLost {
        /// Whose state.
        feature: Feature,
        /// Which state.
        key: String,
        /// The writer's fence.
        given: u64,
        /// The fence there is.
        found: u64,
    },
    /// No decision has this id.
    #[error("decision {id} is not stored: it was swept or never recorded; list decisions to find one")]
    NotFound {
        /// The id asked for.
        id: DecisionId,
    },
    /// A newer Keelson wrote this database.
    #[error(
        "the database has schema {found}, this keelson knows up to {known}; run the newer keelson or restore a backup"
    )]
    SchemaTooNew {
        /// The version of the database.
        found: i64,
        /// The newest version this build knows.
        known: i64,
    },
    /// There are as many series as there may be.
    #[error("series {series:?} is one more than the {limit} that are kept; drop another or raise the limit")]
    TooManySeries {
        /// The new series.
        series: String,
        /// How many there may be.
        limit: u64,
    },
    /// A number does not fit the database's signed 64 bits.
    #[error("{field} is {value}, above {}; use a smaller one", i64::MAX)]
    TooLarge {
        /// Which number.
        field: &'static str,
        /// The number.
        value: u64,
    },
    /// Stored bytes cannot be read.
    #[error("{what} cannot be read: {detail}; restore it from a backup or delete it")]
    Corrupt {
        /// What was read.
        what: String,
        /// What is wrong with it.
        detail: String,
    },
    /// The server answers and is a standby.
    #[error(
        "the database server is a standby and takes no writes; name the primary, or all servers as in \
         postgres://USER@HOST1,HOST2/DATABASE"
    )]
    Standby,
    /// The database has no room left.
    #[error("the database has no space left ({detail}); free some on its volume or make the volume larger")]
    DiskFull {
        /// What the database said.
        detail: String,
    },
    /// The database did not do its part.
    #[error("the database failed: {0}; check that it is running and reachable")]
    Database(sqlx::Error),
    /// A file did not do its part.
    #[error("a file operation failed: {0}; check the disk and its permissions")]
    Io(#[from] std::io::Error),
}

impl StoreError {
    /// Whether the database is there and will never take these bytes; anything else may pass when tried again.
    #[must_use]
    pub fn is_refusal(&self) -> bool {
        match self {
            // Class 22 is a value, 23 a constraint in SQL's own codes.
            Self::Database(sqlx::Error::Database(e)) if is_sqlite(e.as_ref()) => {
                matches!(sqlite_code(e.as_ref()), SQLITE_TOOBIG..=SQLITE_MISMATCH)
            }
            Self::Database(sqlx::Error::Database(e)) => {
                e.code().is_some_and(|code| code.starts_with("22") || code.starts_with("23"))
            }
            Self::Database(sqlx::Error::Encode(_) | sqlx::Error::InvalidArgument(_)) => true,
            // What is stored is not at fault when its database was made by a newer Keelson.
            Self::Database(_) | Self::Io(_) | Self::SchemaTooNew { .. } | Self::Standby | Self::DiskFull { .. } => {
                false
            }
            _ => true,
        }
    }

    /// A closed set of words for metric labels.
    #[must_use]
    pub const fn category(&self) -> &'static str {
        match self {
            Self::VersionConflict { .. } => "conflict",
            Self::FenceLost { .. } => "fenced",
            Self::NotFound { .. } => "not_found",
            Self::SchemaTooNew { .. } => "schema",
            Self::TooManySeries { .. } => "limit",
            Self::TooLarge { .. } => "invalid",
            Self::Corrupt { .. } => "corrupt",
            Self::Standby => "standby",
            Self::DiskFull { .. } => "disk_full",
            Self::Database(_) => "database",
            Self::Io(_) => "io",
        }
    }
}

impl From<sqlx::Error> for StoreError {
    fn from(error: sqlx::Error) -> Self {
        match &error {
            sqlx::Error::Database(said) if is_full(said.as_ref()) => {
                Self::DiskFull { detail: said.message().to_owned() }
            }
            _ => Self::Database(error),
        }
    }
}

/// SQLite's codes, as its documentation names them; the second byte says more and is of no use here.
const SQLITE_FULL: u32 = 13;
const SQLITE_TOOBIG: u32 = 18;
const SQLITE_MISMATCH: u32 = 20;
/// PostgreSQL's.
const DISK_FULL: &str = "53100";

fn is_sqlite(said: &dyn DatabaseError) -> bool {
    said.try_downcast_ref::<SqliteError>().is_some()
}

fn sqlite_code(said: &dyn DatabaseError) -> u32 {
    said.code().and_then(|code| code.parse::<u32>().ok()).unwrap_or_default() & 0xff
}

fn is_full(said: &dyn DatabaseError) -> bool {
    if is_sqlite(said) { sqlite_code(said) == SQLITE_FULL } else { said.code().as_deref() == Some(DISK_FULL) }
}

/// The stored form of a decision.
pub(crate) fn to_json(decision: &Decision) -> Result<String, StoreError> {
    serde_json::to_string(decision)
        .map_err(|e| StoreError::Corrupt { what: format!("decision {}", decision.id), detail: e.to_string() })
}

/// A decision from its stored form.
pub(crate) fn from_json(text: &[u8]) -> Result<Decision, StoreError> {
    serde_json::from_slice(text)
        .map_err(|e| StoreError::Corrupt { what: "a stored decision".to_owned(), detail: e.to_string() })
}

/// A count as the database keeps it.
pub(crate) fn signed(field: &'static str, value: u64) -> Result<i64, StoreError> {
    i64::try_from(value).map_err(|_| StoreError::TooLarge { field, value })
}
