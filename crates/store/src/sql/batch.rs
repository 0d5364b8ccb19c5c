//! What a transaction is about to insert, so that many rows go with one statement.
//!
//! A statement costs a driver's way there and back whatever it carries. What waits here is invisible to the database:
//! whoever is about to read a row that may wait has it written first.
//!
//! Promise: what is learned about a decision that waits goes with it.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::LazyLock;

use keelson_core::{Decision, DecisionId};

use crate::Entry;
use crate::fold::subject_key;

/// How many rows one statement inserts.
pub(crate) const ROWS: usize = 32;

/// The statements that insert one row, for [`ROWS`] of them.
pub(crate) static INSERTS: LazyLock<String> = LazyLock::new(|| for_many(super::INSERT));
pub(crate) static ABOUT_PUTS: LazyLock<String> = LazyLock::new(|| for_many(super::ABOUT_PUT));

fn for_many(one: &str) -> String {
    let (head, rest) = one.split_once(" VALUES (").unwrap_or((one, ""));
    let (places, tail) = rest.split_once(')').unwrap_or((rest, ""));
    let columns = places.split(',').count();
    let row = |at: usize| {
        let places: Vec<String> = (1..=columns).map(|column| format!("${}", at * columns + column)).collect();
        format!("({})", places.join(", "))
    };
    format!("{head} VALUES {}{tail}", (0..ROWS).map(row).collect::<Vec<_>>().join(", "))
}

/// Decisions that are about to be inserted, in order.
#[derive(Default)]
pub(crate) struct Batch<'a> {
    pub(crate) rows: Vec<Cow<'a, Decision>>,
    pub(crate) recordings: Vec<(DecisionId, &'a [u8])>,
    places: BTreeMap<DecisionId, usize>,
    subjects: BTreeSet<String>,
}

impl<'a> Batch<'a> {
    pub(crate) fn insert(&mut self, decision: &'a Decision) {
        self.places.insert(decision.id, self.rows.len());
        self.subjects.insert(subject_key(decision));
        self.rows.push(Cow::Borrowed(decision));
    }

    /// Whether a row about this subject waits.
    pub(crate) fn is_about(&self, subject: &str) -> bool {
        self.subjects.contains(subject)
    }

    /// Adds to the decision it is about; false when that does not wait here.
    pub(crate) fn learn(&mut self, entry: &'a Entry) -> bool {
        let Some(row) = self.places.get(&entry.id()).and_then(|place| self.rows.get_mut(*place)) else { return false };
        match entry {
            Entry::Recording { id, bytes } => self.recordings.push((*id, bytes)),
            _ => entry.amend(row.to_mut()),
        }
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_statement_for_many_rows_is_the_one_for_one_row_repeated() {
        let many = for_many("INSERT INTO t (a, b) VALUES ($1, $2) ON CONFLICT DO NOTHING");
        assert!(many.starts_with("INSERT INTO t (a, b) VALUES ($1, $2), ($3, $4), ($5, $6)"), "{many}");
        assert!(many.ends_with(", ($63, $64) ON CONFLICT DO NOTHING"), "{many}");
    }
}
