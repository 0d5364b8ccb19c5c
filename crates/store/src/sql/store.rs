//! The store over a SQL driver: decisions, state and recordings.

/// Implements [`crate::Store`] for a type with `begin()` (a writing transaction that excludes other writers), `reader()`
/// (a pool whose schema is up to date), `find()`, `why_slow()`, `unreadable`, `series` (a limit) and `after_sweep()`.
macro_rules! sql_store {
    ($store:ty, $db:ty, $conn:ty) => {
        impl $store {
            async fn migrate(
                conn: &mut $conn,
                create_meta: &'static str,
                migrations: &[&'static str],
            ) -> Result<(), StoreError> {
                sqlx::raw_sql(create_meta).execute(&mut *conn).await?;
                let found: i64 = sqlx::query_scalar(sql::VERSION).fetch_one(&mut *conn).await?;
                let schema = sql::Schema::new(found, migrations);
                schema.check()?;
                if (1..schema.known).contains(&found) {
                    tracing::info!(
                        "bringing the store from schema {found} to {}; a million decisions take some 20 seconds",
                        schema.known
                    );
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

            /// `repeat` is the id of the repeat that was folded in, when one was.
            async fn update(conn: &mut $conn, d: &Decision, repeat: Option<DecisionId>) -> Result<(), StoreError> {
                let row = sql::Row::of(d)?;
                sqlx::query(sql::UPDATE)
                    .bind(d.id.0.as_bytes().to_vec())
                    .bind(d.outcome.as_str())
                    .bind(d.last_at.0)
                    .bind(row.bytes)
                    .bind(row.body)
                    .bind(repeat.map(|id| id.0.as_bytes().to_vec()))
                    .execute(conn)
                    .await?;
                Ok(())
            }

            async fn put_bytes(conn: &mut $conn, id: DecisionId, bytes: &[u8]) -> Result<(), StoreError> {
                sqlx::query(sql::RECORDING_PUT)
                    .bind(id.0.as_bytes().to_vec())
                    .bind(bytes.to_vec())
                    .bind(i64::from(keeps_recording(id)))
                    .bind(i64::try_from(bytes.len()).unwrap_or(i64::MAX))
                    .execute(conn)
                    .await?;
                Ok(())
            }

            fn readable(&self, rows: Vec<(Vec<u8>, String)>) -> Vec<Decision> {
                rows.iter().filter_map(|(id, body)| self.unreadable.keep(id, sql::read_body(body))).collect()
            }

            async fn change(
                &self,
                id: DecisionId,
                change: impl FnOnce(&mut Decision) + Send,
            ) -> Result<(), StoreError> {
                let mut tx = self.begin().await?;
                let mut decision = Self::fetch(&mut tx, id).await?.ok_or(StoreError::NotFound { id })?;
                change(&mut decision);
                Self::update(&mut tx, &decision, None).await?;
                Ok(tx.commit().await?)
            }
        }

        #[async_trait]
        impl Store for $store {
            async fn record(&self, decisions: &[Decision]) -> Result<(), StoreError> {
                let mut tx = self.begin().await?;
                Self::record_all(&mut tx, decisions).await?;
                Ok(tx.commit().await?)
            }

            async fn apply(&self, entries: &[Entry]) -> Result<u64, StoreError> {
                let mut tx = self.begin().await?;
                let orphans = Self::apply_all(&mut tx, entries).await?;
                tx.commit().await?;
                Ok(orphans)
            }

            async fn decision(&self, id: DecisionId) -> Result<Option<Decision>, StoreError> {
                let mut conn = self.reader().await?.acquire().await?;
                Self::fetch(&mut conn, id).await
            }

            async fn decisions_by_ids(&self, ids: &[DecisionId]) -> Result<Vec<Decision>, StoreError> {
                let mut found = Vec::new();
                for ids in ids.chunks(sql::AT_ONCE) {
                    let mut q = sqlx::QueryBuilder::<$db>::new("SELECT id, body FROM decision WHERE id IN (");
                    let mut list = q.separated(", ");
                    for id in ids {
                        list.push_bind(id.0.as_bytes().to_vec());
                    }
                    list.push_unseparated(")");
                    found.extend(self.readable(q.build_query_as().fetch_all(self.reader().await?).await?));
                }
                found.sort_unstable_by_key(|decision| decision.id);
                Ok(found)
            }

            async fn caused_by(&self, id: DecisionId, limit: u32) -> Result<Vec<Decision>, StoreError> {
                let rows: Vec<(Vec<u8>, String)> = sqlx::query_as(sql::CAUSED_BY)
                    .bind(id.0.as_bytes().to_vec())
                    .bind(i64::from(limit.min(MAX_PAGE)))
                    .fetch_all(self.reader().await?)
                    .await?;
                Ok(self.readable(rows))
            }

            fn unreadable(&self) -> Vec<DecisionId> {
                self.unreadable.ids()
            }

            fn shortcoming(&self) -> Option<String> {
                self.why_slow()
            }

            async fn decisions(&self, filter: &Filter) -> Result<Page, StoreError> {
                let (limit, mut rows) = (filter.page_size(), self.find(filter).await?);
                // A row that is left out is still a place where the next page may begin.
                let next =
                    Page::cursor(&mut rows, limit, |(id, _)| DecisionId(Uuid::from_slice(id).unwrap_or_default()));
                Ok(Page { decisions: self.readable(rows), next })
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
                    .fetch_optional(self.reader().await?)
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
                Self::put_sample(&mut tx, &self.series, series, at, value).await?;
                Ok(tx.commit().await?)
            }

            async fn samples(
                &self,
                series: &str,
                since: Timestamp,
                resolution: Resolution,
            ) -> Result<Vec<Sample>, StoreError> {
                let mut conn = self.reader().await?.acquire().await?;
                Self::read_samples(&mut conn, series, resolution, since, Timestamp(i64::MAX)).await
            }

            fn refused_samples(&self) -> u64 {
                self.series.refused()
            }

            async fn put_recording(&self, id: DecisionId, bytes: &[u8]) -> Result<(), StoreError> {
                let mut tx = self.begin().await?;
                Self::put_bytes(&mut tx, id, bytes).await?;
                Ok(tx.commit().await?)
            }

            async fn recording(&self, id: DecisionId) -> Result<Option<Vec<u8>>, StoreError> {
                let query = sqlx::query_scalar(sql::RECORDING).bind(id.0.as_bytes().to_vec());
                Ok(query.fetch_optional(self.reader().await?).await?)
            }

            async fn sweep(&self, now: Timestamp, retention: &Retention) -> Result<Swept, StoreError> {
                let mut tx = self.begin().await?;
                let swept = Self::sweep_once(&mut tx, now, retention).await?;
                tx.commit().await?;
                self.after_sweep(&swept).await?;
                Ok(swept)
            }
        }
    };
}
pub(crate) use sql_store;
