//! Backup and restore over a SQL driver: the lines of [`crate::backup`], table by table, a few rows at a time.

/// Gives a back end `backup` and `restore`. It has `snapshot()` (a transaction that sees one moment and nothing of what is
/// written later) and `MIGRATIONS`.
macro_rules! sql_backup {
    ($store:ty, $conn:ty) => {
        impl $store {
            /// Writes everything the store holds as one moment of it; `at` is when.
            ///
            /// # Errors
            /// When the store cannot be read or `out` refuses the bytes.
            pub async fn backup(
                &self,
                at: Timestamp,
                out: &mut (dyn AsyncWrite + Unpin + Send),
            ) -> Result<Counts, BackupError> {
                let mut tx = self.snapshot().await?;
                let conn = &mut *tx;
                let found: i64 = sqlx::query_scalar(sql::VERSION).fetch_one(&mut *conn).await?;
                let Schema { known, .. } = Schema::new(found, &MIGRATIONS);
                if found != known {
                    return Err(BackupError::OtherSchema { found, known });
                }
                let mut out = Out::new(out);
                out.write(&Line::Keelson { format: backup::FORMAT, schema: found, at }).await?;
                Self::write_decisions(conn, &mut out).await?;
                Self::write_recordings(conn, &mut out).await?;
                Self::write_rest(conn, &mut out).await?;
                tx.rollback().await?;
                out.end().await
            }

            async fn write_decisions(conn: &mut $conn, out: &mut Out<'_>) -> Result<(), BackupError> {
                let mut after = Vec::new();
                loop {
                    let rows: Vec<(Vec<u8>, String, Option<Vec<u8>>, i64)> =
                        sqlx::query_as(sql::ALL_DECISIONS).bind(after.clone()).fetch_all(&mut *conn).await?;
                    let Some((last, ..)) = rows.last() else { return Ok(()) };
                    after.clone_from(last);
                    for (_, body, last_id, stub) in rows {
                        let Ok(body) = sql::read_body(&body) else {
                            out.counts.left_out += 1;
                            continue;
                        };
                        let last_id = last_id.and_then(|id| Uuid::from_slice(&id).ok()).map(DecisionId);
                        out.write(&Line::Decision { stub: stub == 1, last_id, body: Box::new(body) }).await?;
                    }
                }
            }

            async fn write_recordings(conn: &mut $conn, out: &mut Out<'_>) -> Result<(), BackupError> {
                let mut after = Vec::new();
                loop {
                    let rows: Vec<(Vec<u8>, Vec<u8>)> =
                        sqlx::query_as(sql::ALL_RECORDINGS).bind(after.clone()).fetch_all(&mut *conn).await?;
                    let Some((last, _)) = rows.last() else { return Ok(()) };
                    after.clone_from(last);
                    for (id, bytes) in rows {
                        let id = DecisionId(Uuid::from_slice(&id).unwrap_or_default());
                        out.write(&Line::Recording { id, bytes: bytes.into() }).await?;
                    }
                }
            }

            async fn write_rest(conn: &mut $conn, out: &mut Out<'_>) -> Result<(), BackupError> {
                let mut states: Vec<(String, String, i64, i64, Vec<u8>)> =
                    sqlx::query_as(sql::ALL_STATES).fetch_all(&mut *conn).await?;
                let mut series: Vec<(String, i64)> = sqlx::query_as(sql::ALL_SERIES).fetch_all(&mut *conn).await?;
                // Engines sort text each in their own way.
                states.sort_unstable();
                series.sort_unstable();
                for (feature, key, version, fence, bytes) in states {
                    out.write(&Line::State { feature, key, version, fence, bytes: bytes.into() }).await?;
                }
                for (name, last_at) in series {
                    out.write(&Line::Series { name: name.clone(), last_at }).await?;
                    for resolution in Resolution::ALL {
                        let steps =
                            Self::read_samples(conn, &name, resolution, Timestamp(i64::MIN), Timestamp(i64::MAX));
                        for Sample { at, value, low, high } in steps.await? {
                            let (series, resolution, at) = (name.clone(), resolution.width().0, at.0);
                            out.write(&Line::Sample { series, resolution, at, value, low, high }).await?;
                        }
                    }
                }
                Ok(())
            }

            /// Makes an empty store hold what a backup holds: all of it, or nothing when it fails.
            ///
            /// # Errors
            /// What is wrong with the file or the store, in words that help.
            pub async fn restore(&self, from: &mut (dyn AsyncBufRead + Unpin + Send)) -> Result<Counts, BackupError> {
                let mut tx = self.begin().await?;
                let conn = &mut *tx;
                for anything in sql::ANYTHING {
                    if sqlx::query_scalar::<_, i64>(anything).fetch_optional(&mut *conn).await?.is_some() {
                        return Err(BackupError::NotEmpty);
                    }
                }
                let mut lines = In::begin(from, Schema::new(0, &MIGRATIONS).known).await?;
                while let Some(line) = lines.next().await? {
                    Self::take(conn, line).await?;
                }
                tx.commit().await?;
                Ok(lines.counts())
            }

            async fn take(conn: &mut $conn, line: Line) -> Result<(), BackupError> {
                match line {
                    Line::Decision { stub, last_id, body } => {
                        let mut one = Batch::default();
                        one.insert(&body);
                        Self::flush(conn, one).await?;
                        if let Some(last) = last_id {
                            let set = sqlx::query(sql::SET_LAST_ID).bind(body.id.0.as_bytes().to_vec());
                            set.bind(last.0.as_bytes().to_vec()).execute(&mut *conn).await?;
                        }
                        if stub {
                            let row = sql::Row::of(&body)?;
                            let cut = sqlx::query(sql::CUT).bind(body.id.0.as_bytes().to_vec());
                            cut.bind(row.bytes).bind(row.body).execute(&mut *conn).await?;
                        }
                    }
                    Line::Recording { id, bytes } => Self::put_bytes(conn, id, &bytes.read()?).await?,
                    Line::State { feature, key, version, fence, bytes } => {
                        let put = sqlx::query(sql::STATE_PUT).bind(feature).bind(key).bind(version).bind(fence);
                        put.bind(bytes.read()?).execute(&mut *conn).await?;
                    }
                    Line::Series { name, last_at } => {
                        sqlx::query(sql::SERIES_PUT).bind(name).bind(last_at).execute(&mut *conn).await?;
                    }
                    Line::Sample { series, resolution, at, value, low, high } => {
                        let put = sqlx::query(sql::SAMPLE_PUT).bind(series).bind(resolution).bind(at);
                        put.bind(value).bind(low).bind(high).execute(&mut *conn).await?;
                    }
                    Line::Keelson { .. } | Line::End(_) => return Err(backup::damaged("a second header")),
                }
                Ok(())
            }
        }
    };
}
pub(crate) use sql_backup;
