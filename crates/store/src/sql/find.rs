//! Finding decisions over a SQL driver: one stretch of ids after another, until the page is full.

/// Gives a back end `find`. It has `reader()` and `find_in()`, which looks through one stretch and is told how many rows
/// are wanted.
macro_rules! sql_find {
    ($store:ty, $db:ty, $conn:ty) => {
        impl $store {
            /// The rows that match, newest first: one more than the page holds when there are more.
            async fn find(&self, filter: &Filter) -> Result<Vec<(Vec<u8>, String)>, StoreError> {
                let mut conn = self.reader().await?.acquire().await?;
                let drift = if filter.since.or(filter.until).is_some() {
                    let (behind, ahead) = sqlx::query_as(sql::DRIFT).fetch_one(&mut *conn).await?;
                    sql::Drift { behind, ahead }
                } else {
                    sql::Drift::default()
                };
                let (mut rows, wanted) = (Vec::new(), i64::from(filter.page_size()) + 1);
                for stretch in sql::stretches(filter, drift) {
                    let left = wanted - i64::try_from(rows.len()).unwrap_or(wanted);
                    if left > 0 {
                        rows.extend(Self::find_in(&mut conn, filter, stretch, left).await?);
                    }
                }
                Ok(rows)
            }

            /// Reads a stretch in order of its ids; `text` narrows it by the text that is wanted.
            async fn walk(
                conn: &mut $conn,
                filter: &Filter,
                stretch: sql::Stretch,
                wanted: i64,
                text: impl FnOnce(&mut sqlx::QueryBuilder<$db>),
            ) -> Result<Vec<(Vec<u8>, String)>, StoreError> {
                let mut q = sqlx::QueryBuilder::<$db>::new("SELECT id, body FROM decision WHERE 1 = 1");
                Self::narrow(&mut q, filter, stretch);
                text(&mut q);
                q.push(" ORDER BY id DESC LIMIT ").push_bind(wanted);
                Ok(q.build_query_as().fetch_all(conn).await?)
            }

            /// Everything that a filter asks for but its text.
            fn narrow(q: &mut sqlx::QueryBuilder<$db>, filter: &Filter, stretch: sql::Stretch) {
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
                if let Some(about) = &filter.about {
                    for (condition, word) in sql::ABOUT.iter().zip([&about.kind, &about.namespace, &about.name]) {
                        q.push(*condition).push_bind(word.clone());
                    }
                    q.push(")");
                }
                if let Some(since) = filter.since {
                    q.push(" AND last_at >= ").push_bind(since.0);
                }
                if let Some(until) = filter.until {
                    q.push(" AND at < ").push_bind(until.0);
                }
                if stretch.repeated {
                    q.push(" AND last_at > at");
                }
                if let Some(from) = stretch.from {
                    q.push(" AND id >= ").push_bind(from.0.as_bytes().to_vec());
                }
                if let Some(before) = stretch.before {
                    q.push(" AND id < ").push_bind(before.0.as_bytes().to_vec());
                }
            }
        }
    };
}
pub(crate) use sql_find;
