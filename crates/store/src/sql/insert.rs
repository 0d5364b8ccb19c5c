//! Recording over a SQL driver: folded into the row before, or inserted many at a time.

/// Gives a back end `record_all`, `apply_all` and `flush`.
macro_rules! sql_insert {
    ($store:ty, $db:ty, $conn:ty) => {
        impl $store {
            async fn record_all(conn: &mut $conn, decisions: &[Decision]) -> Result<(), StoreError> {
                let mut known = Self::known(conn, decisions.iter().map(|decision| decision.id)).await?;
                let mut batch = Batch::default();
                for decision in decisions {
                    Self::record_one(conn, decision, &mut known, &mut batch).await?;
                }
                Self::flush(conn, batch).await
            }

            /// Returns how many entries were about a decision that is not stored.
            async fn apply_all(conn: &mut $conn, entries: &[Entry]) -> Result<u64, StoreError> {
                let made = |entry: &Entry| matches!(entry, Entry::Decision(_)).then(|| entry.id());
                let mut known = Self::known(conn, entries.iter().filter_map(made)).await?;
                let (mut batch, mut orphans) = (Batch::default(), 0);
                for entry in entries {
                    if let Entry::Decision(decision) = entry {
                        Self::record_one(conn, decision, &mut known, &mut batch).await?;
                    } else if !batch.learn(entry) {
                        orphans += u64::from(!Self::learn(conn, entry).await?);
                    }
                }
                Self::flush(conn, batch).await?;
                Ok(orphans)
            }

            /// Which of these ids are stored.
            async fn known(
                conn: &mut $conn,
                ids: impl Iterator<Item = DecisionId>,
            ) -> Result<BTreeSet<DecisionId>, StoreError> {
                let ids: Vec<_> = ids.collect();
                let mut known = BTreeSet::new();
                for ids in ids.chunks(sql::AT_ONCE) {
                    let mut q = sqlx::QueryBuilder::<$db>::new("SELECT id FROM decision WHERE id IN (");
                    let mut list = q.separated(", ");
                    for id in ids {
                        list.push_bind(id.0.as_bytes().to_vec());
                    }
                    list.push_unseparated(")");
                    let found: Vec<Vec<u8>> = q.build_query_scalar().fetch_all(&mut *conn).await?;
                    known.extend(found.iter().filter_map(|id| Uuid::from_slice(id).ok()).map(DecisionId));
                }
                Ok(known)
            }

            async fn record_one<'a>(
                conn: &mut $conn,
                next: &'a Decision,
                known: &mut BTreeSet<DecisionId>,
                batch: &mut Batch<'a>,
            ) -> Result<(), StoreError> {
                if known.contains(&next.id) {
                    return Ok(());
                }
                // What acts never folds: nobody has to look for the row before it.
                if can_fold(next) {
                    let subject = subject_key(next);
                    if batch.is_about(&subject) {
                        Self::flush(conn, std::mem::take(batch)).await?;
                    }
                    let id = next.id.0.as_bytes().to_vec();
                    let before: Option<(String, Option<Vec<u8>>, i64)> =
                        sqlx::query_as(sql::BEFORE).bind(subject).bind(id.clone()).fetch_optional(&mut *conn).await?;
                    // Nothing folds into a row that cannot be read.
                    if let Some((body, last_id, 0)) = before
                        && let Ok(mut row) = sql::read_body(&body)
                        && folds_into(&row, next)
                    {
                        if last_id.is_some_and(|counted| id <= counted) {
                            return Ok(());
                        }
                        fold(&mut row, next);
                        return Self::update(conn, &row, Some(next.id)).await;
                    }
                }
                known.insert(next.id);
                batch.insert(next);
                Ok(())
            }

            /// Writes what was learned about a stored decision; false when it is not stored.
            async fn learn(conn: &mut $conn, entry: &Entry) -> Result<bool, StoreError> {
                let Some(mut decision) = Self::fetch(conn, entry.id()).await? else { return Ok(false) };
                if let Entry::Recording { id, bytes } = entry {
                    Self::put_bytes(conn, *id, bytes).await?;
                } else {
                    entry.amend(&mut decision);
                    Self::update(conn, &decision, None).await?;
                }
                Ok(true)
            }

            /// Writes what waits: decisions, what they are about, their causes, and what they saw.
            async fn flush(conn: &mut $conn, batch: Batch<'_>) -> Result<(), StoreError> {
                type Query = sqlx::query::Query<'static, $db, <$db as sqlx::Database>::Arguments>;
                fn bound(query: Query, d: &Decision) -> Result<Query, StoreError> {
                    let row = sql::Row::of(d)?;
                    let query = query
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
                        .bind(row.body);
                    Ok(query)
                }
                fn about(query: Query, (d, object): &(&Decision, &ObjectRef)) -> Query {
                    let query = query.bind(object.kind.clone()).bind(object.namespace.clone());
                    query.bind(object.name.clone()).bind(d.id.0.as_bytes().to_vec())
                }
                let (many, one) = batch.rows.as_chunks::<{ sql::ROWS }>();
                for rows in many {
                    let mut query = sqlx::query(sqlx::AssertSqlSafe(sql::INSERTS.as_str()));
                    for row in rows {
                        query = bound(query, row)?;
                    }
                    query.execute(&mut *conn).await?;
                }
                for row in one {
                    bound(sqlx::query(sql::INSERT), row)?.execute(&mut *conn).await?;
                }
                let objects: Vec<_> =
                    batch.rows.iter().flat_map(|d| d.objects().map(|object| (&**d, object))).collect();
                let (many, one) = objects.as_chunks::<{ sql::ROWS }>();
                for objects in many {
                    let query = sqlx::query(sqlx::AssertSqlSafe(sql::ABOUT_PUTS.as_str()));
                    objects.iter().fold(query, about).execute(&mut *conn).await?;
                }
                for object in one {
                    about(sqlx::query(sql::ABOUT_PUT), object).execute(&mut *conn).await?;
                }
                for decision in &batch.rows {
                    for cause in &decision.causes {
                        let put = sqlx::query(sql::CAUSE_PUT).bind(decision.id.0.as_bytes().to_vec());
                        put.bind(cause.0.as_bytes().to_vec()).execute(&mut *conn).await?;
                    }
                }
                for (id, bytes) in batch.recordings {
                    Self::put_bytes(conn, id, bytes).await?;
                }
                Ok(())
            }
        }
    };
}
pub(crate) use sql_insert;
