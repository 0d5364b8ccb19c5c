//! That a sweep and a page find their rows by index, however many there are.
#![allow(clippy::unwrap_used, clippy::panic)]

use sqlx::Row as _;
use sqlx::sqlite::SqlitePoolOptions;

use super::*;
use crate::SqliteStore;

#[tokio::test]
async fn no_statement_reads_a_whole_table() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("keelson.db");
    SqliteStore::open(&path).await.unwrap().close().await;
    let pool = SqlitePoolOptions::new().connect(path.to_str().unwrap()).await.unwrap();
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
    ];
    for statement in statements {
        let sql = sqlx::AssertSqlSafe(format!("EXPLAIN QUERY PLAN {statement}"));
        let rows = sqlx::query(sql).fetch_all(&pool).await.unwrap_or_else(|e| panic!("{statement}: {e}"));
        for row in rows {
            let step: String = row.get("detail");
            assert!(!step.starts_with("SCAN"), "{statement}: {step}");
            assert!(!step.contains("TEMP B-TREE"), "{statement} sorts: {step}");
        }
    }
}
