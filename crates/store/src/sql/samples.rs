//! Samples over a SQL driver.
//!
//! A value is written in its ten seconds, and the minute and the hour around it are computed again from what is finer, so
//! that writing it twice changes nothing.

/// Gives a back end `put_sample` and `read_samples`.
macro_rules! sql_samples {
    ($store:ty, $conn:ty) => {
        impl $store {
            async fn put_sample(
                conn: &mut $conn,
                limit: &SeriesLimit,
                series: &str,
                at: Timestamp,
                value: i64,
            ) -> Result<(), StoreError> {
                let known: Option<i64> =
                    sqlx::query_scalar(sql::SERIES_ONE).bind(series.to_owned()).fetch_optional(&mut *conn).await?;
                if known.is_none() {
                    let there: i64 = sqlx::query_scalar(sql::SERIES_COUNT).fetch_one(&mut *conn).await?;
                    limit.admit(series, there.unsigned_abs())?;
                }
                let last_at = known.map_or(at.0, |last_at| last_at.max(at.0));
                sqlx::query(sql::SERIES_PUT).bind(series.to_owned()).bind(last_at).execute(&mut *conn).await?;

                let [mut finer, coarser @ ..] = Resolution::ALL;
                Self::put_step(conn, series, finer, Sample::one(finer.floor(at), value)).await?;
                for coarse in coarser {
                    let begin = coarse.floor(at);
                    let steps = Self::read_samples(conn, series, finer, begin, begin + coarse.width()).await?;
                    if let Some(step) = Sample::rolled(begin, &steps) {
                        Self::put_step(conn, series, coarse, step).await?;
                    }
                    finer = coarse;
                }
                Ok(())
            }

            async fn put_step(
                conn: &mut $conn,
                series: &str,
                resolution: Resolution,
                step: Sample,
            ) -> Result<(), StoreError> {
                sqlx::query(sql::SAMPLE_PUT)
                    .bind(series.to_owned())
                    .bind(resolution.width().0)
                    .bind(step.at.0)
                    .bind(step.value)
                    .bind(step.low)
                    .bind(step.high)
                    .execute(conn)
                    .await?;
                Ok(())
            }

            async fn read_samples(
                conn: &mut $conn,
                series: &str,
                resolution: Resolution,
                since: Timestamp,
                until: Timestamp,
            ) -> Result<Vec<Sample>, StoreError> {
                let rows: Vec<(i64, i64, i64, i64)> = sqlx::query_as(sql::SAMPLES)
                    .bind(series.to_owned())
                    .bind(resolution.width().0)
                    .bind(since.0)
                    .bind(until.0)
                    .fetch_all(conn)
                    .await?;
                let sample = |(at, value, low, high)| Sample { at: Timestamp(at), value, low, high };
                Ok(rows.into_iter().map(sample).collect())
            }
        }
    };
}
pub(crate) use sql_samples;
