//! The store in memory: for simulations and for running without a database.
//!
//! Promises: ordered maps only, so that the same calls give the same answers in the same order; nothing survives the
//! process.

use std::collections::BTreeMap;
use std::ops::Bound;
use std::sync::{Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use keelson_core::decision::{Effect, Outcome, Step};
use keelson_core::{Decision, DecisionId, Feature, Timestamp};

use crate::error::to_json;
use crate::fold::{fold, folds_into, subject_key};
use crate::{Entry, Filter, Page, Retention, SWEEP_ROWS, Sample, StateValue, Store, StoreError, Swept, horizon};

/// A [`Store`] that forgets when the process ends.
#[derive(Debug, Default)]
pub struct MemoryStore {
    rows: Mutex<Rows>,
}

#[derive(Debug, Default)]
struct Rows {
    decisions: BTreeMap<DecisionId, Decision>,
    by_subject: BTreeMap<String, BTreeMap<DecisionId, ()>>,
    state: BTreeMap<(Feature, String), StateValue>,
    samples: BTreeMap<String, BTreeMap<Timestamp, i64>>,
    recordings: BTreeMap<DecisionId, Vec<u8>>,
}

impl Rows {
    fn record(&mut self, next: &Decision) {
        if self.decisions.contains_key(&next.id) {
            return;
        }
        let subject = self.by_subject.entry(subject_key(next)).or_default();
        let newest = subject.last_key_value().map(|(id, ())| *id);
        if let Some(row) = newest.and_then(|id| self.decisions.get_mut(&id))
            && folds_into(row, next)
        {
            fold(row, next);
            return;
        }
        subject.insert(next.id, ());
        self.decisions.insert(next.id, next.clone());
    }

    fn forget(&mut self, id: DecisionId) {
        self.recordings.remove(&id);
        let Some(decision) = self.decisions.remove(&id) else { return };
        let key = subject_key(&decision);
        if let Some(subject) = self.by_subject.get_mut(&key) {
            subject.remove(&id);
            if subject.is_empty() {
                self.by_subject.remove(&key);
            }
        }
    }

    fn change(&mut self, id: DecisionId, change: impl FnOnce(&mut Decision)) -> Result<(), StoreError> {
        self.decisions.get_mut(&id).map(change).ok_or(StoreError::NotFound { id })
    }

    /// Deletes the oldest of `ids` within the room one sweep has left, and returns how many.
    fn forget_oldest(&mut self, mut ids: Vec<DecisionId>, swept: Swept) -> u64 {
        ids.sort_unstable();
        let room = u64::from(SWEEP_ROWS).saturating_sub(swept.total());
        ids.truncate(usize::try_from(room).unwrap_or(usize::MAX));
        for id in &ids {
            self.forget(*id);
        }
        u64::try_from(ids.len()).unwrap_or(u64::MAX)
    }

    fn beyond_size(&self, limit: u64) -> Result<Vec<DecisionId>, StoreError> {
        let mut total: u64 = 0;
        let mut beyond = Vec::new();
        for (id, decision) in self.decisions.iter().rev() {
            total = total.saturating_add(u64::try_from(to_json(decision)?.len()).unwrap_or(u64::MAX));
            if total > limit {
                beyond.push(*id);
            }
        }
        Ok(beyond)
    }
}

impl MemoryStore {
    /// An empty store.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    // A panic elsewhere leaves no half-done change behind: every change below is a single step.
    fn rows(&self) -> MutexGuard<'_, Rows> {
        self.rows.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[async_trait]
impl Store for MemoryStore {
    async fn record(&self, decisions: &[Decision]) -> Result<(), StoreError> {
        let mut rows = self.rows();
        for decision in decisions {
            rows.record(decision);
        }
        Ok(())
    }

    async fn apply(&self, entries: &[Entry]) -> Result<u64, StoreError> {
        let mut rows = self.rows();
        let mut orphans = 0;
        for entry in entries {
            let id = entry.id();
            match entry {
                Entry::Decision(decision) => rows.record(decision),
                Entry::Recording { bytes, .. } if rows.decisions.contains_key(&id) => {
                    rows.recordings.insert(id, bytes.clone());
                }
                update => orphans += u64::from(rows.change(id, |d| update.amend(d)).is_err()),
            }
        }
        Ok(orphans)
    }

    async fn decision(&self, id: DecisionId) -> Result<Option<Decision>, StoreError> {
        Ok(self.rows().decisions.get(&id).cloned())
    }

    async fn decisions(&self, filter: &Filter) -> Result<Page, StoreError> {
        let limit = filter.page_size();
        let wanted = usize::try_from(limit).unwrap_or(usize::MAX).saturating_add(1);
        let end = filter.before.map_or(Bound::Unbounded, Bound::Excluded);
        let rows = self.rows();
        let newest_first = rows.decisions.range((Bound::Unbounded, end)).rev().map(|(_, d)| d);
        Ok(Page::cut(newest_first.filter(|d| filter.matches(d)).take(wanted).cloned().collect(), limit))
    }

    async fn set_outcome(&self, id: DecisionId, outcome: Outcome, steps: Vec<Step>) -> Result<(), StoreError> {
        self.rows().change(id, |d| {
            d.outcome = outcome;
            d.steps = steps;
        })
    }

    async fn set_effect(&self, id: DecisionId, effect: Effect) -> Result<(), StoreError> {
        self.rows().change(id, |d| d.effect = Some(effect))
    }

    async fn state_get(&self, feature: Feature, key: &str) -> Result<Option<StateValue>, StoreError> {
        Ok(self.rows().state.get(&(feature, key.to_owned())).cloned())
    }

    async fn state_put(
        &self,
        feature: Feature,
        key: &str,
        expected_version: u64,
        fence: u64,
        bytes: &[u8],
    ) -> Result<u64, StoreError> {
        let mut rows = self.rows();
        let place = (feature, key.to_owned());
        let found = rows.state.get(&place).map(|v| (v.version, v.fence));
        let version = crate::fold::next_version(feature, key, found, expected_version, fence)?;
        rows.state.insert(place, StateValue { version, fence, bytes: bytes.to_vec() });
        Ok(version)
    }

    async fn sample(&self, series: &str, at: Timestamp, value: i64) -> Result<(), StoreError> {
        self.rows().samples.entry(series.to_owned()).or_default().insert(at, value);
        Ok(())
    }

    async fn samples(&self, series: &str, since: Timestamp) -> Result<Vec<Sample>, StoreError> {
        let rows = self.rows();
        let values = rows.samples.get(series).into_iter().flat_map(|values| values.range(since..));
        Ok(values.map(|(at, value)| Sample { at: *at, value: *value }).collect())
    }

    async fn put_recording(&self, id: DecisionId, bytes: &[u8]) -> Result<(), StoreError> {
        self.rows().recordings.insert(id, bytes.to_vec());
        Ok(())
    }

    async fn recording(&self, id: DecisionId) -> Result<Option<Vec<u8>>, StoreError> {
        Ok(self.rows().recordings.get(&id).cloned())
    }

    async fn sweep(&self, now: Timestamp, retention: &Retention) -> Result<Swept, StoreError> {
        let horizon = horizon(now, retention.age);
        let keep = usize::try_from(retention.per_subject).unwrap_or(usize::MAX);
        let mut rows = self.rows();
        let mut swept = Swept::default();

        let old = rows.decisions.values().filter(|d| d.last_at < horizon).map(|d| d.id).collect();
        swept.by_age = rows.forget_oldest(old, swept);
        let many = rows.by_subject.values().flat_map(|ids| ids.keys().rev().skip(keep)).copied().collect();
        swept.by_count = rows.forget_oldest(many, swept);
        let big = rows.beyond_size(retention.bytes)?;
        swept.by_size = rows.forget_oldest(big, swept);

        for values in rows.samples.values_mut() {
            *values = values.split_off(&horizon);
        }
        rows.samples.retain(|_, values| !values.is_empty());
        Ok(swept)
    }
}
