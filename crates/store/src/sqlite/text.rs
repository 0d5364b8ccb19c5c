//! Finding a text among a million rows.
//!
//! A text that is rare is found by its trigrams: they tell which parts of 64 texts can hold it, and only those are read
//! (migration 5). One that is common would be found in too many of them, and is found by reading the newest rows. What is
//! missing then is common elsewhere, or not among what is asked for: it is looked for part by part.
//!
//! Promise: what is found is what reading every row would find. Parts hold the texts in the order of their arrival, which
//! is nearly that of their ids; the search goes on as long as an older part may hold a newer id.

use std::collections::BTreeMap;

use sqlx::sqlite::SqliteConnection;
use sqlx::{QueryBuilder, Sqlite};
use uuid::Uuid;

use super::SqliteStore;
use crate::sql::{self, Stretch};
use crate::{Filter, StoreError};
use keelson_core::DecisionId;

/// How many of the newest rows are read at first.
const NEAR: i64 = 1_000;
/// The same when an index of a column already narrows them: it is worth more than a text that may be common.
const NEAR_IN_INDEX: i64 = 2_500;
/// How many trigrams are asked for: each costs a walk through where it occurs, and twelve leave hardly a part too many.
const GRAMS: usize = 12;
/// How many parts are read at first; each further time eight times as many.
const PARTS: i64 = 8;
/// A text that fewer parts can hold is rare: reading them all is less than reading the newest rows.
const RARE: i64 = 32;

const HAS_TEXT: &str = " AND decision.search LIKE ";
pub(crate) const BOUNDS: &str = "SELECT COALESCE(MIN(no), 0), COALESCE(MAX(no), -1) FROM part \
    WHERE newest >= $1 AND oldest < $2";
pub(crate) const LAST_PART: &str = "SELECT MAX(no) / 64 FROM text";
pub(crate) const CANDIDATES: &str = "SELECT gram.rowid FROM gram WHERE gram MATCH $1 AND gram.rowid >= $2 \
    AND gram.rowid < $3 ORDER BY gram.rowid DESC LIMIT $4";
pub(crate) const NEWER_IN_OLDER_PARTS: &str = "SELECT no FROM part WHERE no < $1 AND newest > $2 LIMIT 1";
pub(crate) const IN_PARTS: &str = "SELECT decision.id FROM (SELECT value AS no FROM json_each(";
pub(crate) const AND_TEXT: &str = ")) AS wanted CROSS JOIN text ON text.no BETWEEN wanted.no * 64 AND wanted.no * 64 + 63 \
    CROSS JOIN decision ON decision.id = text.decision WHERE text.search LIKE ";

type Rows = Vec<(Vec<u8>, String)>;

impl SqliteStore {
    pub(super) async fn find_in(
        conn: &mut SqliteConnection,
        filter: &Filter,
        stretch: Stretch,
        wanted: i64,
    ) -> Result<Rows, StoreError> {
        let Some(text) = &filter.text else { return Self::walk(conn, filter, stretch, wanted, |_| {}).await };
        let has_text = |q: &mut QueryBuilder<Sqlite>| {
            q.push(HAS_TEXT).push_bind(sql::like(text)).push(" ESCAPE '!'");
        };
        let grams = grams(text);
        if grams.is_empty() {
            return Self::walk(conn, filter, stretch, wanted, has_text).await;
        }
        if let Some(parts) = Self::all_parts(conn, stretch, &grams).await? {
            let ids = Self::ids_in_parts(conn, filter, stretch, wanted, text, &parts).await?;
            return Self::bodies(conn, ids).await;
        }
        let Some(last) = Self::end_of_near(conn, filter, stretch).await? else {
            return Self::walk(conn, filter, stretch, wanted, has_text).await;
        };
        let near = Stretch { from: Some(last), ..stretch };
        let mut rows = Self::walk(conn, filter, near, wanted, has_text).await?;
        let left = wanted - i64::try_from(rows.len()).unwrap_or(wanted);
        if left > 0 {
            let far = Stretch { before: Some(last), ..stretch };
            rows.extend(Self::find_in_parts(conn, filter, far, left, text, &grams).await?);
        }
        Ok(rows)
    }

    /// Where the newest rows of a stretch end that are read at first; none when those are all there are.
    async fn end_of_near(
        conn: &mut SqliteConnection,
        filter: &Filter,
        stretch: Stretch,
    ) -> Result<Option<DecisionId>, StoreError> {
        let near = if is_indexed(filter) { NEAR_IN_INDEX } else { NEAR };
        let mut q = QueryBuilder::new("SELECT id FROM decision WHERE 1 = 1");
        Self::narrow(&mut q, filter, stretch);
        q.push(" ORDER BY id DESC LIMIT 1 OFFSET ").push_bind(near);
        let id: Option<Vec<u8>> = q.build_query_scalar().fetch_optional(conn).await?;
        Ok(id.map(|id| DecisionId(Uuid::from_slice(&id).unwrap_or_default())))
    }

    /// Which parts can hold a text; none when it is not rare.
    async fn all_parts(
        conn: &mut SqliteConnection,
        stretch: Stretch,
        grams: &str,
    ) -> Result<Option<Vec<i64>>, StoreError> {
        let (lowest, highest) = Self::bounds(conn, stretch).await?;
        let mut parts = Self::candidates(conn, grams, lowest, highest + 1, RARE).await?;
        let is_rare = i64::try_from(parts.len()).is_ok_and(|many| many < RARE);
        parts.extend(Self::last_part(conn).await?);
        Ok(is_rare.then_some(parts))
    }

    /// The first and the last part that can hold what a stretch holds.
    async fn bounds(conn: &mut SqliteConnection, stretch: Stretch) -> Result<(i64, i64), StoreError> {
        let bytes = |id: DecisionId| id.0.as_bytes().to_vec();
        let from = stretch.from.map_or_else(|| vec![0; 16], bytes);
        let before = stretch.before.map_or_else(|| vec![255; 16], bytes);
        Ok(sqlx::query_as(BOUNDS).bind(from).bind(before).fetch_one(conn).await?)
    }

    /// The last part, which is not indexed until it is full.
    async fn last_part(conn: &mut SqliteConnection) -> Result<Option<i64>, StoreError> {
        Ok(sqlx::query_scalar(LAST_PART).fetch_one(conn).await?)
    }

    /// The newest of the parts that hold the trigrams, from `lowest` to below `below`.
    async fn candidates(
        conn: &mut SqliteConnection,
        grams: &str,
        lowest: i64,
        below: i64,
        many: i64,
    ) -> Result<Vec<i64>, StoreError> {
        let query = sqlx::query_scalar(CANDIDATES).bind(grams.to_owned()).bind(lowest).bind(below).bind(many);
        Ok(query.fetch_all(conn).await?)
    }

    async fn find_in_parts(
        conn: &mut SqliteConnection,
        filter: &Filter,
        stretch: Stretch,
        wanted: i64,
        text: &str,
        grams: &str,
    ) -> Result<Rows, StoreError> {
        let (lowest, highest) = Self::bounds(conn, stretch).await?;
        let last = Self::last_part(conn).await?;
        let (mut parts, mut below, mut many): (Vec<i64>, _, _) = (last.into_iter().collect(), highest + 1, PARTS);
        let mut found = BTreeMap::new();
        loop {
            let candidates = Self::candidates(conn, grams, lowest, below, many).await?;
            let is_end = i64::try_from(candidates.len()).unwrap_or(many) < many;
            below = candidates.last().copied().unwrap_or(lowest);
            parts.extend(candidates);
            for id in Self::ids_in_parts(conn, filter, stretch, wanted, text, &parts).await? {
                found.insert(id, ());
            }
            let enough = usize::try_from(wanted).unwrap_or(usize::MAX);
            while found.len() > enough {
                found.pop_first();
            }
            let oldest = found.first_key_value().map(|(id, ())| id.clone()).filter(|_| found.len() == enough);
            let is_done = match oldest {
                _ if is_end => true,
                None => false,
                Some(oldest) => {
                    let query = sqlx::query_scalar::<_, i64>(NEWER_IN_OLDER_PARTS).bind(below).bind(oldest);
                    query.fetch_optional(&mut *conn).await?.is_none()
                }
            };
            if is_done {
                break;
            }
            parts.clear();
            many *= 8;
        }
        Self::bodies(conn, found.into_keys()).await
    }

    async fn bodies(conn: &mut SqliteConnection, ids: impl IntoIterator<Item = Vec<u8>>) -> Result<Rows, StoreError> {
        let mut q = QueryBuilder::new("SELECT id, body FROM decision WHERE id IN (");
        let mut list = q.separated(", ");
        for id in ids {
            list.push_bind(id);
        }
        list.push_unseparated(") ORDER BY id DESC");
        Ok(q.build_query_as().fetch_all(conn).await?)
    }

    async fn ids_in_parts(
        conn: &mut SqliteConnection,
        filter: &Filter,
        stretch: Stretch,
        wanted: i64,
        text: &str,
        parts: &[i64],
    ) -> Result<Vec<Vec<u8>>, StoreError> {
        let parts: Vec<String> = parts.iter().map(i64::to_string).collect();
        let mut q = QueryBuilder::new(IN_PARTS);
        q.push_bind(format!("[{}]", parts.join(",")));
        q.push(AND_TEXT).push_bind(sql::like(text)).push(" ESCAPE '!'");
        Self::narrow(&mut q, filter, stretch);
        q.push(" ORDER BY decision.id DESC LIMIT ").push_bind(wanted);
        Ok(q.build_query_scalar().fetch_all(conn).await?)
    }
}

/// Whether a column that is asked for has an index in order of the ids.
const fn is_indexed(filter: &Filter) -> bool {
    filter.feature.is_some()
        || filter.namespace.is_some()
        || filter.kind.is_some()
        || filter.name.is_some()
        || filter.about.is_some()
        || filter.verb.is_some()
        || filter.reason.is_some()
        || filter.outcome.is_some()
}

/// What a part must hold to hold a text, as FTS5 is asked for it; empty when the text is too short to have a trigram.
fn grams(text: &str) -> String {
    let text: Vec<char> = text.to_lowercase().chars().collect();
    let mut grams: Vec<String> = Vec::new();
    for gram in text.windows(3).filter(|gram| !gram.contains(&'\0')) {
        let gram = format!("\"{}\"", gram.iter().collect::<String>().replace('"', "\"\""));
        if !grams.contains(&gram) {
            grams.push(gram);
        }
    }
    // Spread over the whole text: which of them are rare is not known.
    let many = grams.len();
    let chosen = many.min(GRAMS);
    (0..chosen).filter_map(|i| grams.get(i * many / chosen)).cloned().collect::<Vec<_>>().join(" AND ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_looked_for_by_a_dozen_of_its_trigrams_at_most() {
        assert_eq!(grams("ab"), "");
        assert_eq!(grams("ABCabc"), "\"abc\" AND \"bca\" AND \"cab\"");
        assert_eq!(grams("a\"b "), "\"a\"\"b\" AND \"\"\"b \"");
        assert_eq!(grams(&('a'..='z').collect::<String>()).matches("AND").count(), GRAMS - 1);
    }
}
