//! An index for texts, where the server has what it takes.
//!
//! It needs the extension `pg_trgm`, which comes with PostgreSQL and may be made by whoever may make a table. A server
//! without it is no reason not to start: texts are then found by reading every row, and it is said why. Looked for again at
//! every start, so that an extension that is made later is used.

use sqlx::postgres::PgConnection;
use sqlx::{Connection, Executor};

use crate::StoreError;

const THERE: &str = "SELECT to_regclass('decision_search') IS NOT NULL";
const EXTENSION: &str = "CREATE EXTENSION IF NOT EXISTS pg_trgm";
const INDEX: &str = "CREATE INDEX decision_search ON decision USING gin (search gin_trgm_ops)";

/// Makes the index unless it is there. Returns why there is none.
pub(super) async fn make(conn: &mut PgConnection) -> Result<Option<String>, StoreError> {
    if sqlx::query_scalar(THERE).fetch_one(&mut *conn).await? {
        return Ok(None);
    }
    // By itself: a refusal must not undo what else the transaction did.
    let mut attempt = conn.begin().await?;
    for statement in [EXTENSION, INDEX] {
        if let Err(error) = attempt.execute(statement).await {
            attempt.rollback().await?;
            let why = format!(
                "texts are found by reading every row: {error}; have an administrator run CREATE EXTENSION pg_trgm in \
                 this database, then restart Keelson"
            );
            tracing::warn!("{why}");
            return Ok(Some(why));
        }
    }
    attempt.commit().await?;
    Ok(None)
}
