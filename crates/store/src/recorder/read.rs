//! Reading what is remembered, wherever it is at the moment.
//!
//! A decision may be in the database, still in the queue or the journal, or, while the database is away, only in the ring.
//! A reader gets one list and is told when something may be missing.
//!
//! Promises: no decision is listed twice; what was remembered before a question is in its answer; what the journal knows
//! about a decision is shown even before the database does; a database that is away, or a disk that stands still, costs a
//! reader at most [`PATIENCE`].

use std::collections::BTreeMap;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use keelson_core::{Decision, DecisionId};
use tokio::time::timeout;

use super::Recorder;
use crate::fold::{fold, folds_into, subject_key};
use crate::reach::Reach;
use crate::{Entry, Filter, MAX_PAGE, Page, StoreError};

/// How long a reader waits for the database.
pub const PATIENCE: Duration = Duration::from_secs(2);
/// How many decisions of the journal one reader looks through: a full one would take seconds.
const LOOKED_THROUGH: usize = 4_096;

/// What was found, and whether it is all.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer<T> {
    /// What was found.
    pub value: T,
    /// Why there may be more, as a sentence for people; absent when this is all.
    pub partial: Option<String>,
}

impl Recorder {
    /// One decision.
    pub async fn decision(&self, id: DecisionId) -> Answer<Option<Decision>> {
        let Answer { mut value, partial } = self.decisions_by_ids(&[id]).await;
        Answer { value: value.pop(), partial }
    }

    /// The decisions of these ids, oldest first.
    pub async fn decisions_by_ids(&self, ids: &[DecisionId]) -> Answer<Vec<Decision>> {
        self.catch_up().await;
        let queued: Vec<_> = ids.iter().filter_map(|id| self.inner.writer.decision(*id)).collect();
        let waiting = self.inner.journal.about_all(ids).await;
        let stored = self.ask(self.inner.store.decisions_by_ids(ids)).await;
        let partial = stored.as_ref().err().map(|_| self.away());
        let stored = stored.unwrap_or_default().into_iter().map(Arc::new);
        let remembered = ids.iter().filter_map(|id| self.ring().decision(*id)).collect::<Vec<_>>();
        let mut found = BTreeMap::new();
        for decision in stored.chain(queued).chain(waiting.iter().filter_map(begun)).chain(remembered) {
            found.entry(decision.id).or_insert(decision);
        }
        amend(&mut found, &waiting);
        Answer { value: found.into_values().map(Arc::unwrap_or_clone).collect(), partial }
    }

    /// The decisions that name this one as a cause, oldest first, at most `limit` and never more than [`MAX_PAGE`].
    pub async fn caused_by(&self, id: DecisionId, limit: u32) -> Answer<Vec<Decision>> {
        let stored = async {
            let decisions = self.inner.store.caused_by(id, limit).await?;
            Ok(Page { decisions, next: None })
        };
        let (found, _, partial) = self.gather(None, stored).await;
        let limit = usize::try_from(limit.min(MAX_PAGE)).unwrap_or(usize::MAX);
        let named = found.into_values().filter(|decision| decision.causes.contains(&id)).take(limit);
        Answer { value: named.map(Arc::unwrap_or_clone).collect(), partial }
    }

    /// What a decision saw, wherever that is.
    pub async fn recording(&self, id: DecisionId) -> Answer<Option<Vec<u8>>> {
        if let Some(bytes) = self.inner.journal.recording(id).await {
            return Answer { value: Some(bytes), partial: None };
        }
        let stored = self.ask(self.inner.store.recording(id)).await;
        let partial = stored.as_ref().err().map(|_| self.away());
        Answer { value: stored.ok().flatten(), partial }
    }

    /// The decisions that match, newest first.
    pub async fn decisions(&self, filter: &Filter) -> Answer<Page> {
        let limit = filter.page_size();
        let wanted = usize::try_from(limit).unwrap_or(usize::MAX).saturating_add(1);
        let (mut found, next, partial) = self.gather(filter.before, self.inner.store.decisions(filter)).await;
        // What is older than the end of the database's page belongs on a later one.
        found.retain(|id, decision| next.is_none_or(|end| *id >= end) && filter.matches(decision));
        let merged = Page::cut(found.into_values().rev().take(wanted).map(Arc::unwrap_or_clone).collect(), limit);
        Answer { value: Page { next: merged.next.or(next), ..merged }, partial }
    }

    /// What the store found, and everything that has not reached it, whether it matches or not. The store is asked last,
    /// so that nothing slips past on its way there.
    async fn gather(
        &self,
        before: Option<DecisionId>,
        stored: impl Future<Output = Result<Page, StoreError>>,
    ) -> (Found, Option<DecisionId>, Option<String>) {
        self.catch_up().await;
        let queued = self.inner.writer.decisions();
        let ids = self.inner.journal.newest(before, LOOKED_THROUGH);
        let looked_through = ids.len();
        let waiting = self.inner.journal.about_all(&ids).await;
        let stored = self.ask(stored).await;

        let mut partial = (looked_through == LOOKED_THROUGH)
            .then(|| format!("the journal holds more than the {LOOKED_THROUGH} decisions that were looked through"));
        let (stored, next, remembered) = match stored {
            Ok(page) => (page.decisions, page.next, Vec::new()),
            Err(_) => {
                partial = Some(self.away());
                (Vec::new(), None, self.ring().decisions())
            }
        };
        let mut found: Found = stored.into_iter().map(|decision| (decision.id, Arc::new(decision))).collect();
        for decision in remembered.into_iter().chain(waiting.iter().filter_map(begun)) {
            found.entry(decision.id).or_insert(decision);
        }
        let (repeats, queued) = self.repeats(&found, queued);
        found.extend(repeats);
        fold_in(&mut found, queued);
        amend(&mut found, &waiting);
        (found, next, partial)
    }

    /// What is queued and only repeats a row that is not among those found: that row, as the ring has it, because the store
    /// will fold the repeat into it and never hear of its own id. And the rest.
    fn repeats(&self, found: &Found, queued: Vec<Arc<Decision>>) -> (Found, Vec<Arc<Decision>>) {
        let ring = self.ring();
        let (mut rows, mut rest) = (Found::new(), Vec::new());
        for next in queued {
            match ring.row_of(&next).filter(|row| row.id != next.id && !found.contains_key(&row.id)) {
                Some(row) => drop(rows.insert(row.id, row)),
                None => rest.push(next),
            }
        }
        (rows, rest)
    }

    /// Sees to it that what was remembered can be read. A disk that stands still costs a reader no more than a database.
    async fn catch_up(&self) {
        let _ = timeout(PATIENCE, self.inner.journal.caught_up()).await;
    }

    pub(super) async fn ask<T>(&self, question: impl Future<Output = Result<T, StoreError>>) -> Result<T, StoreError> {
        let answer = timeout(PATIENCE, question).await;
        self.inner.watch.read(answer.unwrap_or(Err(StoreError::Database(sqlx::Error::PoolTimedOut))))
    }

    fn away(&self) -> String {
        match self.inner.watch.reach() {
            Reach::AwaySince(since) => {
                format!("the database has not answered since {since}: shown is what this process remembers")
            }
            Reach::Unknown | Reach::Since(_) => {
                "the database did not answer: shown is what this process remembers".to_owned()
            }
        }
    }
}

type Found = BTreeMap<DecisionId, Arc<Decision>>;

/// Writes what the journal knows into the decisions it is about.
fn amend(found: &mut Found, waiting: &[Entry]) {
    for entry in waiting.iter().filter(|entry| begun(entry).is_none()) {
        if let Some(decision) = found.get_mut(&entry.id()) {
            entry.amend(Arc::make_mut(decision));
        }
    }
}

/// Adds what is still in the queue as the store will: a repeat counts in the row before it, unless it is counted there
/// already because the row is the ring's.
fn fold_in(found: &mut Found, mut queued: Vec<Arc<Decision>>) {
    queued.sort_unstable_by_key(|decision| decision.id);
    let mut newest: BTreeMap<String, DecisionId> = found.values().map(|d| (subject_key(d), d.id)).collect();
    for next in queued.into_iter().filter(|next| !found.contains_key(&next.id)).collect::<Vec<_>>() {
        let key = subject_key(&next);
        let row = newest.get(&key).filter(|id| **id < next.id).and_then(|id| found.get_mut(id));
        match row.filter(|row| folds_into(row, &next)) {
            Some(row) if row.last_at >= next.last_at => {}
            Some(row) => fold(Arc::make_mut(row), &next),
            None => {
                newest.insert(key, next.id);
                found.insert(next.id, next);
            }
        }
    }
}

fn begun(entry: &Entry) -> Option<Arc<Decision>> {
    match entry {
        Entry::Decision(decision) => Some(Arc::clone(decision)),
        _ => None,
    }
}
