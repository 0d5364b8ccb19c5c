//! What SQLite and PostgreSQL share: the statements, and the store written once over either driver.
//!
//! Statements use `$n` parameters and no casts that only one engine knows. A back end brings its schema, how it opens
//! and how a writing transaction begins; sqlx's drivers are distinct types, so the shared bodies are macros.

use keelson_core::Decision;

use crate::StoreError;
use crate::error::{from_json, signed, to_json};
use crate::fold::{search_text, subject_key};

mod backup;
mod batch;
mod find;
mod insert;
#[cfg(test)]
mod plans;
mod samples;
mod store;
mod stretch;
mod sweep;

pub(crate) use backup::sql_backup;
pub(crate) use batch::{ABOUT_PUTS, Batch, INSERTS, ROWS};
pub(crate) use find::sql_find;
pub(crate) use insert::sql_insert;
pub(crate) use samples::sql_samples;
pub(crate) use store::sql_store;
pub(crate) use stretch::{DRIFT, Drift, Stretch, stretches};
pub(crate) use sweep::sql_sweep;

pub(crate) const VERSION: &str = "SELECT COALESCE(MAX(version), 0) FROM schema_meta";
pub(crate) const INSERT: &str = "INSERT INTO decision \
    (id, subject_key, feature, kind, namespace, name, verb, reason, outcome, at, last_at, bytes, search, body) \
    VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14)";
pub(crate) const ABOUT_PUT: &str =
    "INSERT INTO about (kind, namespace, name, decision) VALUES ($1, $2, $3, $4) ON CONFLICT DO NOTHING";
pub(crate) const CAUSE_PUT: &str = "INSERT INTO cause (decision, cause) VALUES ($1, $2) ON CONFLICT DO NOTHING";
pub(crate) const UPDATE: &str = "UPDATE decision SET outcome = $2, last_at = $3, bytes = $4, body = $5, \
    last_id = COALESCE($6, last_id) WHERE id = $1";
pub(crate) const CAUSED_BY: &str = "SELECT d.id, d.body FROM cause c JOIN decision d ON d.id = c.decision \
    WHERE c.cause = $1 ORDER BY c.decision LIMIT $2";
pub(crate) const ONE: &str = "SELECT body FROM decision WHERE id = $1";
pub(crate) const BEFORE: &str = "SELECT body, last_id, stub FROM decision WHERE subject_key = $1 AND id < $2 \
    ORDER BY id DESC LIMIT 1";
pub(crate) const STATE: &str = "SELECT version, fence, body FROM state WHERE feature = $1 AND key = $2";
pub(crate) const STATE_PUT: &str = "INSERT INTO state (feature, key, version, fence, body) VALUES ($1, $2, $3, $4, $5) \
    ON CONFLICT (feature, key) DO UPDATE SET version = excluded.version, fence = excluded.fence, body = excluded.body";
pub(crate) const RECORDING_PUT: &str = "INSERT INTO recording (id, body, kept, bytes, feature) \
    VALUES ($1, $2, $3, $4, COALESCE((SELECT feature FROM decision WHERE id = $1), '')) \
    ON CONFLICT (id) DO UPDATE SET body = excluded.body, bytes = excluded.bytes";
pub(crate) const RECORDING: &str = "SELECT body FROM recording WHERE id = $1";

pub(crate) const SERIES_ONE: &str = "SELECT last_at FROM series WHERE name = $1";
pub(crate) const SERIES_COUNT: &str = "SELECT COUNT(*) FROM series";
pub(crate) const SERIES_PUT: &str = "INSERT INTO series (name, last_at) VALUES ($1, $2) \
    ON CONFLICT (name) DO UPDATE SET last_at = excluded.last_at";
pub(crate) const SAMPLE_PUT: &str = "INSERT INTO sample (series, resolution, at, value, low, high) \
    VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT (series, resolution, at) \
    DO UPDATE SET value = excluded.value, low = excluded.low, high = excluded.high";
pub(crate) const SAMPLES: &str = "SELECT at, value, low, high FROM sample \
    WHERE series = $1 AND resolution = $2 AND at >= $3 AND at < $4 ORDER BY at";

pub(crate) const OLD: &str = "SELECT id FROM decision WHERE stub = $1 AND last_at < $2 ORDER BY last_at, id LIMIT $3";
pub(crate) const CROWDED: &str = "SELECT key, rows FROM subject WHERE rows > $1 ORDER BY rows DESC, key DESC LIMIT $2";
pub(crate) const OLDEST_OF_SUBJECT: &str =
    "SELECT id FROM decision WHERE subject_key = $1 AND stub = 0 ORDER BY id LIMIT $2";
/// One row a feature: read whole.
pub(crate) const BEYOND_QUOTA: &str =
    "SELECT feature, rows - $1, bytes - $2 FROM tally WHERE rows > $1 OR bytes > $2 ORDER BY feature";
pub(crate) const OLDEST_OF_FEATURE: &str =
    "SELECT id, stub, bytes FROM decision WHERE feature = $1 ORDER BY id LIMIT $2";
pub(crate) const OLDEST_RECORDINGS: &str =
    "SELECT id, bytes FROM recording WHERE feature = $1 ORDER BY kept, id LIMIT $2";
pub(crate) const FORGET_RECORDING: &str = "DELETE FROM recording WHERE id = $1";
pub(crate) const NAMED: &str = "SELECT decision FROM cause WHERE cause = $1 LIMIT 1";
pub(crate) const CUT: &str = "UPDATE decision SET stub = 1, bytes = $2, body = $3 WHERE id = $1";
pub(crate) const FORGET: &str = "DELETE FROM decision WHERE id = $1";
pub(crate) const FORGET_RECORDINGS: &str = "DELETE FROM recording WHERE id IN \
    (SELECT id FROM recording WHERE kept = 0 AND id < $1 ORDER BY id LIMIT $2)";
pub(crate) const FORGET_SAMPLES: &str = "DELETE FROM sample WHERE (series, resolution, at) IN \
    (SELECT series, resolution, at FROM sample WHERE resolution = $1 AND at < $2 ORDER BY at LIMIT $3)";
pub(crate) const FORGET_SERIES: &str = "DELETE FROM series WHERE last_at < $1";

/// Five hundred at a time: a page of decisions may be a megabyte.
pub(crate) const ALL_DECISIONS: &str =
    "SELECT id, body, last_id, stub FROM decision WHERE id > $1 ORDER BY id LIMIT 500";
/// Fewer at a time: what a decision saw may be long.
pub(crate) const ALL_RECORDINGS: &str = "SELECT id, body FROM recording WHERE id > $1 ORDER BY id LIMIT 50";
pub(crate) const ALL_STATES: &str = "SELECT feature, key, version, fence, body FROM state";
pub(crate) const ALL_SERIES: &str = "SELECT name, last_at FROM series";
pub(crate) const SET_LAST_ID: &str = "UPDATE decision SET last_id = $2 WHERE id = $1";
/// What finds something in a store that is not empty.
pub(crate) const ANYTHING: [&str; 4] = [
    "SELECT at FROM decision LIMIT 1",
    "SELECT kept FROM recording LIMIT 1",
    "SELECT version FROM state LIMIT 1",
    "SELECT last_at FROM series LIMIT 1",
];

/// Which schema a database has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Schema {
    /// The version it has; 0 when it holds nothing of ours yet.
    pub found: i64,
    /// The newest version this build knows.
    pub known: i64,
}

impl Schema {
    pub(crate) fn new(found: i64, migrations: &[&str]) -> Self {
        Self { found, known: i64::try_from(migrations.len()).unwrap_or(i64::MAX) }
    }

    /// Whether this build can work with it.
    ///
    /// # Errors
    /// [`StoreError::SchemaTooNew`] when a newer Keelson wrote it.
    pub const fn check(self) -> Result<(), StoreError> {
        match self {
            Self { found, known } if found > known => Err(StoreError::SchemaTooNew { found, known }),
            _ => Ok(()),
        }
    }
}

/// A decision as the columns want it.
pub(crate) struct Row {
    pub(crate) subject_key: String,
    pub(crate) search: String,
    pub(crate) bytes: i64,
    pub(crate) body: String,
}

impl Row {
    pub(crate) fn of(decision: &Decision) -> Result<Self, StoreError> {
        let body = to_json(decision)?;
        let bytes = signed("bytes", u64::try_from(body.len()).unwrap_or(u64::MAX))?;
        // PostgreSQL takes no NUL in a text; nobody searches for one.
        let search = search_text(decision).replace('\0', " ");
        Ok(Self { subject_key: subject_key(decision), search, bytes, body })
    }
}

pub(crate) fn read_body(body: &str) -> Result<Decision, StoreError> {
    from_json(body.as_bytes())
}

/// How many ids one statement takes.
pub(crate) const AT_ONCE: usize = 500;

/// Narrows a query to what is about an object; three parameters follow.
pub(crate) const ABOUT: [&str; 3] =
    [" AND id IN (SELECT decision FROM about WHERE kind = ", " AND namespace = ", " AND name = "];

/// A text that LIKE finds anywhere, with `!` before what LIKE would take for a wildcard.
pub(crate) fn like(text: &str) -> String {
    let mut pattern = String::from("%");
    for c in text.to_lowercase().chars() {
        if matches!(c, '%' | '_' | '!') {
            pattern.push('!');
        }
        pattern.push(c);
    }
    pattern.push('%');
    pattern
}
