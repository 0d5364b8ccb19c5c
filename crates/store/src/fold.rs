//! When two decisions are one row, and the words and keys a row is found by.
//!
//! A steady loop says the same thing every few seconds; one row with a count says it as well and costs almost nothing.

use keelson_core::decision::Outcome;
use keelson_core::{Decision, Feature};

use crate::StoreError;

/// Whether a decision may repeat one before it: it does nothing and never did.
pub(crate) fn can_fold(next: &Decision) -> bool {
    matches!(next.outcome, Outcome::NoAction | Outcome::Would)
}

/// Whether `next` only repeats `newest`. A decision whose actions run or ran is never folded: its outcome is written
/// later under its own id.
#[must_use]
pub fn folds_into(newest: &Decision, next: &Decision) -> bool {
    can_fold(next) && newest.outcome == next.outcome && newest.is_repeated_by(next)
}

/// Adds the repeat to the row.
pub(crate) fn fold(newest: &mut Decision, next: &Decision) {
    newest.count = newest.count.saturating_add(next.count);
    newest.last_at = newest.last_at.max(next.last_at);
    // What came of the latest repeat is the best word there is on the verdict.
    if next.effect.is_some() {
        newest.effect.clone_from(&next.effect);
    }
}

/// Which decisions can fold into each other, and count together for retention: one controller about one object.
pub(crate) fn subject_key(d: &Decision) -> String {
    let s = &d.subject;
    [d.feature.as_str(), &d.controller, &s.group, &s.kind, &s.namespace, &s.name, &s.uid].join("|")
}

/// The text that [`crate::Filter::text`] looks into, in lower case.
pub(crate) fn search_text(d: &Decision) -> String {
    format!("{} {} {}", d.subject, d.sentence, d.chosen.as_deref().unwrap_or_default()).to_lowercase()
}

/// The version a write of state gets, or why it is refused. `found` is the version and fence there is.
pub(crate) fn next_version(
    feature: Feature,
    key: &str,
    found: Option<(u64, u64)>,
    expected: u64,
    fence: u64,
) -> Result<u64, StoreError> {
    let (version, held) = found.unwrap_or((0, 0));
    if fence < held {
        return Err(StoreError::FenceLost { feature, key: key.to_owned(), given: fence, found: held });
    }
    if version != expected {
        return Err(StoreError::VersionConflict { feature, key: key.to_owned(), expected, found: version });
    }
    Ok(version.saturating_add(1))
}
