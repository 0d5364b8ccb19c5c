//! What can be asked of the store, and what it answers.
//!
//! A page is bounded ([`MAX_PAGE`]) and continues from the last id seen, so that rows arriving meanwhile neither repeat
//! nor hide any.

use keelson_core::decision::{Outcome, Verb};
use keelson_core::{Decision, DecisionId, Feature, ObjectRef, Reason, Timestamp};

use crate::fold::search_text;

/// The most decisions on one page.
pub const MAX_PAGE: u32 = 500;

/// Which decisions are wanted; an absent field does not restrict.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Filter {
    /// Of this feature.
    pub feature: Option<Feature>,
    /// About this kind of object.
    pub kind: Option<String>,
    /// About objects in this namespace.
    pub namespace: Option<String>,
    /// About objects of this name.
    pub name: Option<String>,
    /// About this object: it is the subject, or related to it. Told by kind, namespace and name alone.
    pub about: Option<ObjectRef>,
    /// With this verb.
    pub verb: Option<Verb>,
    /// For this reason.
    pub reason: Option<Reason>,
    /// That ended like this.
    pub outcome: Option<Outcome>,
    /// Made or last repeated at this moment or later.
    pub since: Option<Timestamp>,
    /// First made before this moment.
    pub until: Option<Timestamp>,
    /// Whose subject, sentence or chosen candidate contains this text, in any case.
    pub text: Option<String>,
    /// Older than this decision: the cursor, from [`Page::next`].
    pub before: Option<DecisionId>,
    /// How many at most; 0 counts as 1, and more than [`MAX_PAGE`] as that.
    pub limit: u32,
}

impl Default for Filter {
    fn default() -> Self {
        Self {
            feature: None,
            kind: None,
            namespace: None,
            name: None,
            about: None,
            verb: None,
            reason: None,
            outcome: None,
            since: None,
            until: None,
            text: None,
            before: None,
            limit: 100,
        }
    }
}

impl Filter {
    /// The limit within its bounds.
    #[must_use]
    pub fn page_size(&self) -> u32 {
        self.limit.clamp(1, MAX_PAGE)
    }

    /// Whether a decision is wanted.
    #[must_use]
    pub fn matches(&self, d: &Decision) -> bool {
        fn is<T: PartialEq>(wanted: Option<&T>, found: &T) -> bool {
            wanted.is_none_or(|wanted| wanted == found)
        }
        is(self.feature.as_ref(), &d.feature)
            && is(self.kind.as_ref(), &d.subject.kind)
            && is(self.namespace.as_ref(), &d.subject.namespace)
            && is(self.name.as_ref(), &d.subject.name)
            && self.about.as_ref().is_none_or(|about| d.objects().any(|object| is_same(about, object)))
            && is(self.verb.as_ref(), &d.verb)
            && is(self.reason.as_ref(), &d.reason)
            && is(self.outcome.as_ref(), &d.outcome)
            && self.since.is_none_or(|since| d.last_at >= since)
            && self.until.is_none_or(|until| d.at < until)
            && self.before.is_none_or(|before| d.id < before)
            && self.text.as_ref().is_none_or(|text| search_text(d).contains(&text.to_lowercase()))
    }
}

fn is_same(a: &ObjectRef, b: &ObjectRef) -> bool {
    (&a.kind, &a.namespace, &a.name) == (&b.kind, &b.namespace, &b.name)
}

/// Some of the decisions asked for, newest first.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Page {
    /// The decisions.
    pub decisions: Vec<Decision>,
    /// Where the next page begins; absent on the last one.
    pub next: Option<DecisionId>,
}

impl Page {
    /// Makes a page of `limit` decisions out of one more than that, which tells whether another page follows.
    pub(crate) fn cut(mut decisions: Vec<Decision>, limit: u32) -> Self {
        let next = Self::cursor(&mut decisions, limit, |decision| decision.id);
        Self { decisions, next }
    }

    /// The same of rows that are not read yet: drops the one that is too many, and tells where the next page begins.
    pub(crate) fn cursor<T>(rows: &mut Vec<T>, limit: u32, id: impl Fn(&T) -> DecisionId) -> Option<DecisionId> {
        let limit = usize::try_from(limit).unwrap_or(usize::MAX);
        let more = rows.len() > limit;
        rows.truncate(limit);
        rows.last().filter(|_| more).map(id)
    }
}

/// State as it was last written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StateValue {
    /// Counts the writes, from 1.
    pub version: u64,
    /// The leader's fencing number at the last write.
    pub fence: u64,
    /// What was written.
    pub bytes: Vec<u8>,
}
