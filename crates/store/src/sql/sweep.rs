//! Retention over a SQL driver, a little at a time and by index.

/// Gives a back end `sweep_once`.
macro_rules! sql_sweep {
    ($store:ty, $conn:ty) => {
        impl $store {
            async fn sweep_once(conn: &mut $conn, now: Timestamp, retention: &Retention) -> Result<Swept, StoreError> {
                let mut swept = Swept::default();
                for (stub, age) in [(1, retention.stub_age), (0, retention.age)] {
                    let old: Vec<Vec<u8>> = sqlx::query_scalar(sql::OLD)
                        .bind(stub)
                        .bind(horizon(now, age).0)
                        .bind(swept.room())
                        .fetch_all(&mut *conn)
                        .await?;
                    for id in old {
                        Self::forget(conn, id, stub, &mut swept).await?;
                        swept.by_age += 1;
                    }
                }
                Self::sweep_subjects(conn, retention.per_subject, &mut swept).await?;
                Self::sweep_features(conn, retention.per_feature, &mut swept).await?;

                let room = i64::from(SWEEP_ROWS);
                let passing = first_id(horizon(now, retention.recordings));
                let left = room - i64::try_from(swept.recordings).unwrap_or(room);
                let query = sqlx::query(sql::FORGET_RECORDINGS).bind(passing.0.as_bytes().to_vec()).bind(left);
                swept.recordings += query.execute(&mut *conn).await?.rows_affected();
                for resolution in Resolution::ALL {
                    let old = horizon(now, resolution.kept()).0;
                    let room = room - i64::try_from(swept.samples).unwrap_or(room);
                    let query = sqlx::query(sql::FORGET_SAMPLES).bind(resolution.width().0).bind(old).bind(room);
                    swept.samples += query.execute(&mut *conn).await?.rows_affected();
                }
                let old = horizon(now, Resolution::Hour.kept()).0;
                sqlx::query(sql::FORGET_SERIES).bind(old).execute(&mut *conn).await?;
                Ok(swept)
            }

            async fn sweep_subjects(conn: &mut $conn, keep: u32, swept: &mut Swept) -> Result<(), StoreError> {
                let keep = i64::from(keep);
                let crowded: Vec<(String, i64)> =
                    sqlx::query_as(sql::CROWDED).bind(keep).bind(swept.room()).fetch_all(&mut *conn).await?;
                for (key, rows) in crowded {
                    let many = (rows - keep).min(swept.room());
                    let oldest: Vec<Vec<u8>> =
                        sqlx::query_scalar(sql::OLDEST_OF_SUBJECT).bind(key).bind(many).fetch_all(&mut *conn).await?;
                    for id in oldest {
                        Self::forget(conn, id, 0, swept).await?;
                        swept.by_count += 1;
                    }
                }
                Ok(())
            }

            async fn sweep_features(conn: &mut $conn, quota: Quota, swept: &mut Swept) -> Result<(), StoreError> {
                let most = |n: u64| i64::try_from(n).unwrap_or(i64::MAX);
                let beyond: Vec<(String, i64, i64)> = sqlx::query_as(sql::BEYOND_QUOTA)
                    .bind(most(quota.decisions))
                    .bind(most(quota.bytes))
                    .fetch_all(&mut *conn)
                    .await?;
                for (feature, mut rows, mut bytes) in beyond {
                    bytes = Self::sweep_recordings(conn, &feature, bytes, swept).await?;
                    let oldest: Vec<(Vec<u8>, i64, i64)> = sqlx::query_as(sql::OLDEST_OF_FEATURE)
                        .bind(feature)
                        .bind(swept.room())
                        .fetch_all(&mut *conn)
                        .await?;
                    for (id, stub, size) in oldest {
                        if rows <= 0 && bytes <= 0 {
                            break;
                        }
                        let left = Self::forget(conn, id, stub, swept).await?;
                        rows -= i64::from(left == 0);
                        bytes -= size - left;
                        swept.by_quota += 1;
                    }
                }
                Ok(())
            }

            /// A recording goes before a decision does. Returns the bytes that decisions must make room for.
            async fn sweep_recordings(
                conn: &mut $conn,
                feature: &str,
                mut bytes: i64,
                swept: &mut Swept,
            ) -> Result<i64, StoreError> {
                if bytes <= 0 {
                    return Ok(bytes);
                }
                let room = i64::from(SWEEP_ROWS) - i64::try_from(swept.recordings).unwrap_or(0);
                let oldest: Vec<(Vec<u8>, i64)> = sqlx::query_as(sql::OLDEST_RECORDINGS)
                    .bind(feature.to_owned())
                    .bind(room)
                    .fetch_all(&mut *conn)
                    .await?;
                let may_be_more = i64::try_from(oldest.len()).unwrap_or(room) == room;
                for (id, size) in oldest {
                    if bytes <= 0 {
                        break;
                    }
                    sqlx::query(sql::FORGET_RECORDING).bind(id).execute(&mut *conn).await?;
                    bytes -= size;
                    swept.recordings += 1;
                }
                Ok(if may_be_more { 0 } else { bytes })
            }

            /// Cuts a decision that others name to a stub, and deletes a stub and any other. Returns the bytes left.
            async fn forget(conn: &mut $conn, id: Vec<u8>, stub: i64, swept: &mut Swept) -> Result<i64, StoreError> {
                if stub == 0 {
                    let named: Option<Vec<u8>> =
                        sqlx::query_scalar(sql::NAMED).bind(id.clone()).fetch_optional(&mut *conn).await?;
                    let body: Option<String> = match named {
                        Some(_) => sqlx::query_scalar(sql::ONE).bind(id.clone()).fetch_optional(&mut *conn).await?,
                        None => None,
                    };
                    // One that cannot be read is no stub for anybody.
                    if let Some(mut decision) = body.and_then(|body| sql::read_body(&body).ok()) {
                        cut_to_stub(&mut decision);
                        let row = sql::Row::of(&decision)?;
                        let cut = sqlx::query(sql::CUT).bind(id).bind(row.bytes).bind(row.body);
                        cut.execute(&mut *conn).await?;
                        swept.stubs += 1;
                        return Ok(row.bytes);
                    }
                }
                sqlx::query(sql::FORGET).bind(id).execute(&mut *conn).await?;
                Ok(0)
            }
        }
    };
}
pub(crate) use sql_sweep;
