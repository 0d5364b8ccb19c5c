//! That a sweep and a page find their rows by index, however many there are.
#![allow(clippy::unwrap_used, clippy::panic)]

use sqlx::Row as _;
use sqlx::sqlite::SqlitePoolOptions;

use super::*;
use crate::SqliteStore;
use crate::sqlite::text::{AND_TEXT, CANDIDATES, IN_PARTS, LAST_PART, NEWER_IN_OLDER_PARTS};

#[tokio::test]
async fn no_statement_reads_a_whole_table() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("keelson.db");
    SqliteStore::open(&path).await.unwrap().close().await;
    let pool = SqlitePoolOptions::new().connect(path.to_str().unwrap()).await.unwrap();
    let in_parts = format!("{IN_PARTS}$1{AND_TEXT}$2 ESCAPE '!' AND id >= $3 AND id < $4");
    let statements = [
        INSERT,
        ABOUT_PUT,
        CAUSE_PUT,
        "SELECT id FROM decision WHERE id IN ($1, $2)",
        CAUSED_BY,
        UPDATE,
        ONE,
        BEFORE,
        STATE,
        STATE_PUT,
        RECORDING_PUT,
        RECORDING,
        SERIES_ONE,
        SERIES_PUT,
        SAMPLE_PUT,
        SAMPLES,
        OLD,
        CROWDED,
        OLDEST_OF_SUBJECT,
        OLDEST_OF_FEATURE,
        OLDEST_RECORDINGS,
        FORGET_RECORDING,
        NAMED,
        CUT,
        FORGET,
        FORGET_RECORDINGS,
        FORGET_SAMPLES,
        FORGET_SERIES,
        "SELECT id, body FROM decision WHERE 1 = 1 AND reason = $1 AND id < $2 ORDER BY id DESC LIMIT $3",
        "SELECT id, body FROM decision WHERE 1 = 1 AND verb = $1 AND id < $2 ORDER BY id DESC LIMIT $3",
        "SELECT id, body FROM decision WHERE 1 = 1 AND outcome = $1 AND id < $2 ORDER BY id DESC LIMIT $3",
        "SELECT id, body FROM decision WHERE 1 = 1 AND namespace = $1 AND id < $2 ORDER BY id DESC LIMIT $3",
        "SELECT id, body FROM decision WHERE 1 = 1 AND id IN (SELECT decision FROM about WHERE kind = $1 AND namespace = $2 \
         AND name = $3) AND id < $4 ORDER BY id DESC LIMIT $5",
        DRIFT,
        "SELECT id, body FROM decision WHERE 1 = 1 AND last_at >= $1 AND at < $2 AND id >= $3 AND id < $4 \
         ORDER BY id DESC LIMIT $5",
        "SELECT id, body FROM decision WHERE 1 = 1 AND last_at >= $1 AND last_at > at AND id < $2 ORDER BY id DESC LIMIT $3",
        "SELECT id FROM decision WHERE 1 = 1 AND id < $1 ORDER BY id DESC LIMIT 1 OFFSET $2",
        "SELECT id, body FROM decision WHERE 1 = 1 AND id >= $1 AND EXISTS (SELECT 1 FROM text WHERE \
         text.decision = decision.id AND text.search LIKE $2 ESCAPE '!') ORDER BY id DESC LIMIT $3",
        LAST_PART,
        CANDIDATES,
        NEWER_IN_OLDER_PARTS,
        &in_parts,
    ];
    for statement in statements {
        let sql = sqlx::AssertSqlSafe(format!("EXPLAIN QUERY PLAN {statement}"));
        let rows = sqlx::query(sql).fetch_all(&pool).await.unwrap_or_else(|e| panic!("{statement}: {e}"));
        for row in rows {
            let step: String = row.get("detail");
            // Found by the index that the virtual table is, or the one row there is.
            let is_found = step.contains("VIRTUAL TABLE INDEX") || step == "SCAN drift";
            assert!(!step.starts_with("SCAN") || is_found, "{statement}: {step}");
            assert!(!step.contains("TEMP B-TREE"), "{statement} sorts: {step}");
        }
    }
}
