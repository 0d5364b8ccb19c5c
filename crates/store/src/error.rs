//! What can go wrong with the store, in words that say what to do next.
//!
//! Callers match on the variant or label a metric with [`StoreError::category`]; people read the text.

use keelson_core::{Decision, DecisionId, Feature};

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
    /// The database did not do its part.
    #[error("the database failed: {0}; check that it is running and reachable")]
    Database(#[from] sqlx::Error),
    /// A file did not do its part.
    #[error("a file operation failed: {0}; check the disk and its permissions")]
    Io(#[from] std::io::Error),
}

impl StoreError {
    /// Whether the database is there and will never take these bytes; anything else may pass when tried again.
    #[must_use]
    pub fn is_refusal(&self) -> bool {
        match self {
            // Class 22 is a value, 23 a constraint in SQL's own codes; 18 to 20 are the same of SQLite.
            Self::Database(sqlx::Error::Database(e)) => e.code().is_some_and(|c| {
                (c.len() == 5 && (c.starts_with("22") || c.starts_with("23"))) || matches!(&*c, "18" | "19" | "20")
            }),
            Self::Database(sqlx::Error::Encode(_) | sqlx::Error::InvalidArgument(_)) => true,
            // What is stored is not at fault when its database was made by a newer Keelson.
            Self::Database(_) | Self::Io(_) | Self::SchemaTooNew { .. } => false,
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
            Self::Database(_) => "database",
            Self::Io(_) => "io",
        }
    }
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
