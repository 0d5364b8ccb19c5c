//! What SQLite and PostgreSQL share: the statements, and the store written once over either driver.
//!
//! Statements use `$n` parameters and no casts that only one engine knows. A back end brings its schema, how it opens
//! and how a writing transaction begins; sqlx's drivers are distinct types, so the shared body is a macro.

use keelson_core::Decision;

use crate::StoreError;
use crate::error::{from_json, signed, to_json};
use crate::fold::{search_text, subject_key};

pub(crate) const INSERT: &str = "INSERT INTO decision \
    (id, subject_key, feature, kind, namespace, name, verb, reason, outcome, at, last_at, bytes, search, body) \
    VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14)";
pub(crate) const UPDATE: &str = "UPDATE decision SET outcome = $2, last_at = $3, bytes = $4, body = $5 WHERE id = $1";
pub(crate) const ONE: &str = "SELECT body FROM decision WHERE id = $1";
pub(crate) const NEWEST: &str = "SELECT body FROM decision WHERE subject_key = $1 ORDER BY id DESC LIMIT 1";
pub(crate) const STATE: &str = "SELECT version, fence, body FROM state WHERE feature = $1 AND key = $2";
pub(crate) const STATE_PUT: &str = "INSERT INTO state (feature, key, version, fence, body) VALUES ($1, $2, $3, $4, $5) \
    ON CONFLICT (feature, key) DO UPDATE SET version = excluded.version, fence = excluded.fence, body = excluded.body";
pub(crate) const SAMPLE_PUT: &str = "INSERT INTO sample (series, at, value) VALUES ($1, $2, $3) \
    ON CONFLICT (series, at) DO UPDATE SET value = excluded.value";
pub(crate) const SAMPLES: &str = "SELECT at, value FROM sample WHERE series = $1 AND at >= $2 ORDER BY at";
pub(crate) const SAMPLES_OLD: &str = "DELETE FROM sample WHERE at < $1";
pub(crate) const RECORDING_PUT: &str = "INSERT INTO recording (id, body) VALUES ($1, $2) \
    ON CONFLICT (id) DO UPDATE SET body = excluded.body";
pub(crate) const RECORDING: &str = "SELECT body FROM recording WHERE id = $1";
pub(crate) const OLD: &str = "SELECT id FROM decision WHERE last_at < $1 ORDER BY id LIMIT $2";
pub(crate) const MANY: &str = "SELECT id FROM (SELECT id, ROW_NUMBER() OVER \
    (PARTITION BY subject_key ORDER BY id DESC) AS place FROM decision) AS placed WHERE place > $1 ORDER BY id LIMIT $2";
/// Sizes add up from the newest, so that what lies beyond the limit is the oldest.
pub(crate) const BIG: &str = "SELECT id FROM (SELECT id, SUM(bytes) OVER (ORDER BY id DESC) AS total FROM decision) \
    AS summed WHERE total > $1 ORDER BY id LIMIT $2";
pub(crate) const FORGET: &str = "DELETE FROM decision WHERE id = $1";
pub(crate) const FORGET_RECORDING: &str = "DELETE FROM recording WHERE id = $1";

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
        Ok(Self { subject_key: subject_key(decision), search: search_text(decision), bytes, body })
    }
}

pub(crate) fn read_body(body: &str) -> Result<Decision, StoreError> {
    from_json(body.as_bytes())
}

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

/// Implements [`crate::Store`] for a type with `begin()` (a writing transaction that excludes other writers) and `reader`
/// (a pool); the last argument is a function that gives word of each changed row, in the same transaction.
macro_rules! sql_store {
    ($store:ty, $db:ty, $conn:ty, $after_record:path) => {
        impl $store {
            async fn migrate(
                conn: &mut $conn,
                create_meta: &'static str,
                migrations: &[&'static str],
            ) -> Result<(), StoreError> {
                sqlx::raw_sql(create_meta).execute(&mut *conn).await?;
                let version = "SELECT COALESCE(MAX(version), 0) FROM schema_meta";
                let found: i64 = sqlx::query_scalar(version).fetch_one(&mut *conn).await?;
                let known = i64::try_from(migrations.len()).unwrap_or(i64::MAX);
                if found > known {
                    return Err(StoreError::SchemaTooNew { found, known });
                }
                for (number, sql) in (1_i64..).zip(migrations).filter(|(number, _)| *number > found) {
                    sqlx::raw_sql(*sql).execute(&mut *conn).await?;
                    let done = "INSERT INTO schema_meta (version) VALUES ($1)";
                    sqlx::query(done).bind(number).execute(&mut *conn).await?;
                }
                Ok(())
            }

            async fn fetch(conn: &mut $conn, id: DecisionId) -> Result<Option<Decision>, StoreError> {
                let id = id.0.as_bytes().to_vec();
                let body: Option<String> = sqlx::query_scalar(sql::ONE).bind(id).fetch_optional(conn).await?;
                body.as_deref().map(sql::read_body).transpose()
            }

            async fn insert(conn: &mut $conn, d: &Decision) -> Result<(), StoreError> {
                let row = sql::Row::of(d)?;
                sqlx::query(sql::INSERT)
                    .bind(d.id.0.as_bytes().to_vec())
                    .bind(row.subject_key)
                    .bind(d.feature.as_str())
                    .bind(d.subject.kind.clone())
                    .bind(d.subject.namespace.clone())
                    .bind(d.subject.name.clone())
                    .bind(d.verb.as_str())
                    .bind(d.reason.as_str())
                    .bind(d.outcome.as_str())
                    .bind(d.at.0)
                    .bind(d.last_at.0)
                    .bind(row.bytes)
                    .bind(row.search)
                    .bind(row.body)
                    .execute(conn)
                    .await?;
                Ok(())
            }

            async fn update(conn: &mut $conn, d: &Decision) -> Result<(), StoreError> {
                let row = sql::Row::of(d)?;
                sqlx::query(sql::UPDATE)
                    .bind(d.id.0.as_bytes().to_vec())
                    .bind(d.outcome.as_str())
                    .bind(d.last_at.0)
                    .bind(row.bytes)
                    .bind(row.body)
                    .execute(conn)
                    .await?;
                Ok(())
            }

            async fn record_one(conn: &mut $conn, next: &Decision) -> Result<(), StoreError> {
                if Self::fetch(conn, next.id).await?.is_some() {
                    return Ok(());
                }
                let key = subject_key(next);
                let newest: Option<String> =
                    sqlx::query_scalar(sql::NEWEST).bind(key).fetch_optional(&mut *conn).await?;
                match newest.as_deref().map(sql::read_body).transpose()? {
                    Some(mut row) if folds_into(&row, next) => {
                        fold(&mut row, next);
                        Self::update(conn, &row).await?;
                        $after_record(conn, row.id).await
                    }
                    _ => {
                        Self::insert(conn, next).await?;
                        $after_record(conn, next.id).await
                    }
                }
            }

            async fn change(
                &self,
                id: DecisionId,
                change: impl FnOnce(&mut Decision) + Send,
            ) -> Result<(), StoreError> {
                let mut tx = self.begin().await?;
                let mut decision = Self::fetch(&mut tx, id).await?.ok_or(StoreError::NotFound { id })?;
                change(&mut decision);
                Self::update(&mut tx, &decision).await?;
                $after_record(&mut tx, id).await?;
                Ok(tx.commit().await?)
            }

            /// Deletes the decisions a statement names, within the room one sweep has left.
            async fn forget(
                conn: &mut $conn,
                which: &'static str,
                bound: i64,
                swept: Swept,
            ) -> Result<u64, StoreError> {
                let room = signed("room", u64::from(SWEEP_ROWS).saturating_sub(swept.total()))?;
                let ids: Vec<Vec<u8>> = sqlx::query_scalar(which).bind(bound).bind(room).fetch_all(&mut *conn).await?;
                let mut forgotten = 0;
                for id in ids {
                    sqlx::query(sql::FORGET_RECORDING).bind(id.clone()).execute(&mut *conn).await?;
                    sqlx::query(sql::FORGET).bind(id).execute(&mut *conn).await?;
                    forgotten += 1;
                }
                Ok(forgotten)
            }
        }

        #[async_trait]
        impl Store for $store {
            async fn record(&self, decisions: &[Decision]) -> Result<(), StoreError> {
                let mut tx = self.begin().await?;
                for decision in decisions {
                    Self::record_one(&mut tx, decision).await?;
                }
                Ok(tx.commit().await?)
            }

            async fn apply(&self, entries: &[Entry]) -> Result<u64, StoreError> {
                let mut tx = self.begin().await?;
                let mut orphans = 0;
                for entry in entries {
                    if let Entry::Decision(decision) = entry {
                        Self::record_one(&mut tx, decision).await?;
                        continue;
                    }
                    let Some(mut decision) = Self::fetch(&mut tx, entry.id()).await? else {
                        orphans += 1;
                        continue;
                    };
                    if let Entry::Recording { id, bytes } = entry {
                        let put = sqlx::query(sql::RECORDING_PUT).bind(id.0.as_bytes().to_vec()).bind(bytes.clone());
                        put.execute(&mut *tx).await?;
                    } else {
                        entry.amend(&mut decision);
                        Self::update(&mut tx, &decision).await?;
                        $after_record(&mut tx, decision.id).await?;
                    }
                }
                Ok(tx.commit().await?).map(|()| orphans)
            }

            async fn decision(&self, id: DecisionId) -> Result<Option<Decision>, StoreError> {
                let mut conn = self.reader.acquire().await?;
                Self::fetch(&mut conn, id).await
            }

            async fn decisions(&self, filter: &Filter) -> Result<Page, StoreError> {
                let mut q = sqlx::QueryBuilder::<$db>::new("SELECT body FROM decision WHERE 1 = 1");
                let words = [
                    (" AND feature = ", filter.feature.map(|f| f.as_str().to_owned())),
                    (" AND kind = ", filter.kind.clone()),
                    (" AND namespace = ", filter.namespace.clone()),
                    (" AND name = ", filter.name.clone()),
                    (" AND verb = ", filter.verb.map(|v| v.as_str().to_owned())),
                    (" AND reason = ", filter.reason.map(|r| r.as_str().to_owned())),
                    (" AND outcome = ", filter.outcome.map(|o| o.as_str().to_owned())),
                ];
                for (condition, word) in words {
                    if let Some(word) = word {
                        q.push(condition).push_bind(word);
                    }
                }
                if let Some(since) = filter.since {
                    q.push(" AND last_at >= ").push_bind(since.0);
                }
                if let Some(until) = filter.until {
                    q.push(" AND at < ").push_bind(until.0);
                }
                if let Some(before) = filter.before {
                    q.push(" AND id < ").push_bind(before.0.as_bytes().to_vec());
                }
                if let Some(text) = &filter.text {
                    q.push(" AND search LIKE ").push_bind(sql::like(text)).push(" ESCAPE '!'");
                }
                let limit = filter.page_size();
                q.push(" ORDER BY id DESC LIMIT ").push_bind(i64::from(limit) + 1);
                let bodies: Vec<String> = q.build_query_scalar().fetch_all(&self.reader).await?;
                let decisions = bodies.iter().map(|body| sql::read_body(body)).collect::<Result<_, _>>()?;
                Ok(Page::cut(decisions, limit))
            }

            async fn set_outcome(&self, id: DecisionId, outcome: Outcome, steps: Vec<Step>) -> Result<(), StoreError> {
                self.change(id, |d| {
                    d.outcome = outcome;
                    d.steps = steps;
                })
                .await
            }

            async fn set_effect(&self, id: DecisionId, effect: Effect) -> Result<(), StoreError> {
                self.change(id, |d| d.effect = Some(effect)).await
            }

            async fn state_get(&self, feature: Feature, key: &str) -> Result<Option<StateValue>, StoreError> {
                let row: Option<(i64, i64, Vec<u8>)> = sqlx::query_as(sql::STATE)
                    .bind(feature.as_str())
                    .bind(key.to_owned())
                    .fetch_optional(&self.reader)
                    .await?;
                Ok(row.map(|(version, fence, bytes)| StateValue {
                    version: version.unsigned_abs(),
                    fence: fence.unsigned_abs(),
                    bytes,
                }))
            }

            async fn state_put(
                &self,
                feature: Feature,
                key: &str,
                expected_version: u64,
                fence: u64,
                bytes: &[u8],
            ) -> Result<u64, StoreError> {
                let mut tx = self.begin().await?;
                let row: Option<(i64, i64, Vec<u8>)> = sqlx::query_as(sql::STATE)
                    .bind(feature.as_str())
                    .bind(key.to_owned())
                    .fetch_optional(&mut *tx)
                    .await?;
                let found = row.map(|(version, fence, _)| (version.unsigned_abs(), fence.unsigned_abs()));
                let version = next_version(feature, key, found, expected_version, fence)?;
                sqlx::query(sql::STATE_PUT)
                    .bind(feature.as_str())
                    .bind(key.to_owned())
                    .bind(signed("version", version)?)
                    .bind(signed("fence", fence)?)
                    .bind(bytes.to_vec())
                    .execute(&mut *tx)
                    .await?;
                tx.commit().await?;
                Ok(version)
            }

            async fn sample(&self, series: &str, at: Timestamp, value: i64) -> Result<(), StoreError> {
                let mut tx = self.begin().await?;
                let put = sqlx::query(sql::SAMPLE_PUT).bind(series.to_owned()).bind(at.0).bind(value);
                put.execute(&mut *tx).await?;
                Ok(tx.commit().await?)
            }

            async fn samples(&self, series: &str, since: Timestamp) -> Result<Vec<Sample>, StoreError> {
                let rows: Vec<(i64, i64)> =
                    sqlx::query_as(sql::SAMPLES).bind(series.to_owned()).bind(since.0).fetch_all(&self.reader).await?;
                Ok(rows.into_iter().map(|(at, value)| Sample { at: Timestamp(at), value }).collect())
            }

            async fn put_recording(&self, id: DecisionId, bytes: &[u8]) -> Result<(), StoreError> {
                let mut tx = self.begin().await?;
                let put = sqlx::query(sql::RECORDING_PUT).bind(id.0.as_bytes().to_vec()).bind(bytes.to_vec());
                put.execute(&mut *tx).await?;
                Ok(tx.commit().await?)
            }

            async fn recording(&self, id: DecisionId) -> Result<Option<Vec<u8>>, StoreError> {
                let query = sqlx::query_scalar(sql::RECORDING).bind(id.0.as_bytes().to_vec());
                Ok(query.fetch_optional(&self.reader).await?)
            }

            async fn sweep(&self, now: Timestamp, retention: &Retention) -> Result<Swept, StoreError> {
                let horizon = horizon(now, retention.age);
                let limit = i64::try_from(retention.bytes).unwrap_or(i64::MAX);
                let mut tx = self.begin().await?;
                let mut swept = Swept::default();
                swept.by_age = Self::forget(&mut tx, sql::OLD, horizon.0, swept).await?;
                swept.by_count = Self::forget(&mut tx, sql::MANY, i64::from(retention.per_subject), swept).await?;
                swept.by_size = Self::forget(&mut tx, sql::BIG, limit, swept).await?;
                sqlx::query(sql::SAMPLES_OLD).bind(horizon.0).execute(&mut *tx).await?;
                Ok(tx.commit().await?).map(|()| swept)
            }
        }
    };
}
pub(crate) use sql_store;
