//! The store in memory: for simulations and for running without a database.
//!
//! Promises: ordered maps only, so that the same calls give the same answers in the same order; nothing survives the
//! process.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Bound;
use std::sync::{Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use keelson_core::decision::{Effect, Outcome, Step};
use keelson_core::{Decision, DecisionId, Feature, Timestamp};

use crate::error::to_json;
use crate::fold::{fold, folds_into, subject_key};
use crate::samples::SeriesLimit;
use crate::{
    Entry, Filter, MAX_PAGE, Page, Resolution, Retention, Sample, StateValue, Store, StoreError, Swept, keeps_recording,
};

mod index;
mod sweep;

use index::Index;

/// A [`Store`] that forgets when the process ends.
#[derive(Debug, Default)]
pub struct MemoryStore {
    rows: Mutex<Rows>,
    series: SeriesLimit,
}

type Steps = BTreeMap<(Resolution, Timestamp), Sample>;

#[derive(Debug, Default)]
struct Rows {
    decisions: BTreeMap<DecisionId, Row>,
    by_subject: BTreeMap<String, BTreeSet<DecisionId>>,
    /// Who names whom as its cause: cause first.
    causes: BTreeSet<(DecisionId, DecisionId)>,
    state: BTreeMap<(Feature, String), StateValue>,
    samples: BTreeMap<String, Steps>,
    recordings: BTreeMap<DecisionId, Recording>,
    index: Index,
}

#[derive(Debug)]
struct Row {
    decision: Decision,
    /// The last repeat that was counted.
    last_id: DecisionId,
    stub: bool,
    bytes: u64,
}

#[derive(Debug)]
struct Recording {
    bytes: Vec<u8>,
    kept: bool,
    feature: Option<Feature>,
}

impl Row {
    fn of(decision: Decision) -> Result<Self, StoreError> {
        let bytes = size(&decision)?;
        Ok(Self { last_id: decision.id, decision, stub: false, bytes })
    }

    fn change(&mut self, change: impl FnOnce(&mut Decision)) -> Result<(), StoreError> {
        change(&mut self.decision);
        self.bytes = size(&self.decision)?;
        Ok(())
    }
}

fn size(decision: &Decision) -> Result<u64, StoreError> {
    Ok(long(to_json(decision)?.len()))
}

fn long(n: usize) -> u64 {
    u64::try_from(n).unwrap_or(u64::MAX)
}

impl Rows {
    fn record(&mut self, next: &Decision) -> Result<(), StoreError> {
        if self.decisions.contains_key(&next.id) {
            return Ok(());
        }
        let subject = self.by_subject.entry(subject_key(next)).or_default();
        let before = subject.range(..next.id).next_back();
        if let Some(row) = before.and_then(|id| self.decisions.get(id))
            && !row.stub
            && folds_into(&row.decision, next)
        {
            if next.id > row.last_id {
                self.alter(row.decision.id, |row| {
                    row.last_id = next.id;
                    row.change(|d| fold(d, next))
                })?;
            }
            return Ok(());
        }
        subject.insert(next.id);
        self.causes.extend(next.causes.iter().map(|cause| (*cause, next.id)));
        let row = Row::of(next.clone())?;
        self.index.add(&row);
        self.decisions.insert(next.id, row);
        Ok(())
    }

    fn change(&mut self, id: DecisionId, change: impl FnOnce(&mut Decision)) -> Result<(), StoreError> {
        self.alter(id, |row| row.change(change))
    }

    /// Changes a row, and what is known of it.
    fn alter<T>(
        &mut self,
        id: DecisionId,
        change: impl FnOnce(&mut Row) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        let row = self.decisions.get_mut(&id).ok_or(StoreError::NotFound { id })?;
        self.index.remove(row);
        let changed = change(row);
        self.index.add(row);
        changed
    }

    fn put_recording(&mut self, id: DecisionId, bytes: &[u8]) {
        let before = self.recordings.get(&id).map(|recording| (recording.feature, long(recording.bytes.len())));
        let feature = || self.decisions.get(&id).map(|row| row.decision.feature);
        let (feature, size) = before.unwrap_or_else(|| (feature(), 0));
        self.index.recorded(feature, size, long(bytes.len()));
        self.recordings.insert(id, Recording { bytes: bytes.to_vec(), kept: keeps_recording(id), feature });
    }
}

impl MemoryStore {
    /// An empty store.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// The same store with another bound on the number of series.
    #[must_use]
    pub fn with_series_limit(mut self, limit: u64) -> Self {
        self.series = SeriesLimit::new(limit);
        self
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
        decisions.iter().try_for_each(|decision| rows.record(decision))
    }

    async fn apply(&self, entries: &[Entry]) -> Result<u64, StoreError> {
        let mut rows = self.rows();
        let mut orphans = 0;
        for entry in entries {
            let id = entry.id();
            match entry {
                Entry::Decision(decision) => rows.record(decision)?,
                _ if !rows.decisions.contains_key(&id) => orphans += 1,
                Entry::Recording { bytes, .. } => rows.put_recording(id, bytes),
                update => rows.change(id, |d| update.amend(d))?,
            }
        }
        Ok(orphans)
    }

    async fn decision(&self, id: DecisionId) -> Result<Option<Decision>, StoreError> {
        Ok(self.rows().decisions.get(&id).map(|row| row.decision.clone()))
    }

    async fn decisions_by_ids(&self, ids: &[DecisionId]) -> Result<Vec<Decision>, StoreError> {
        let rows = self.rows();
        let ids: BTreeSet<_> = ids.iter().collect();
        Ok(ids.into_iter().filter_map(|id| rows.decisions.get(id)).map(|row| row.decision.clone()).collect())
    }

    async fn caused_by(&self, id: DecisionId, limit: u32) -> Result<Vec<Decision>, StoreError> {
        let rows = self.rows();
        let named = rows.causes.range((id, DecisionId(uuid::Uuid::nil()))..).take_while(|(cause, _)| *cause == id);
        let limit = usize::try_from(limit.min(MAX_PAGE)).unwrap_or(usize::MAX);
        Ok(named.filter_map(|(_, id)| rows.decisions.get(id)).map(|row| row.decision.clone()).take(limit).collect())
    }

    async fn decisions(&self, filter: &Filter) -> Result<Page, StoreError> {
        let limit = filter.page_size();
        let wanted = usize::try_from(limit).unwrap_or(usize::MAX).saturating_add(1);
        let end = filter.before.map_or(Bound::Unbounded, Bound::Excluded);
        let rows = self.rows();
        let newest_first = rows.decisions.range((Bound::Unbounded, end)).rev().map(|(_, row)| &row.decision);
        Ok(Page::cut(newest_first.filter(|d| filter.matches(d)).take(wanted).cloned().collect(), limit))
    }

    async fn set_outcome(&self, id: DecisionId, outcome: Outcome, steps: Vec<Step>) -> Result<(), StoreError> {
        self.rows().change(id, |d| d.ended(outcome, steps))
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
        let mut rows = self.rows();
        if !rows.samples.contains_key(series) {
            self.series.admit(series, u64::try_from(rows.samples.len()).unwrap_or(u64::MAX))?;
        }
        let steps = rows.samples.entry(series.to_owned()).or_default();
        let [mut finer, coarser @ ..] = Resolution::ALL;
        steps.insert((finer, finer.floor(at)), Sample::one(finer.floor(at), value));
        for coarse in coarser {
            let begin = coarse.floor(at);
            let within: Vec<_> =
                steps.range((finer, begin)..(finer, begin + coarse.width())).map(|(_, s)| *s).collect();
            if let Some(step) = Sample::rolled(begin, &within) {
                steps.insert((coarse, begin), step);
            }
            finer = coarse;
        }
        Ok(())
    }

    async fn samples(&self, series: &str, since: Timestamp, resolution: Resolution) -> Result<Vec<Sample>, StoreError> {
        let rows = self.rows();
        let within = (resolution, since)..(resolution, Timestamp(i64::MAX));
        Ok(rows
            .samples
            .get(series)
            .into_iter()
            .flat_map(|steps| steps.range(within.clone()))
            .map(|(_, s)| *s)
            .collect())
    }

    fn refused_samples(&self) -> u64 {
        self.series.refused()
    }

    async fn put_recording(&self, id: DecisionId, bytes: &[u8]) -> Result<(), StoreError> {
        self.rows().put_recording(id, bytes);
        Ok(())
    }

    async fn recording(&self, id: DecisionId) -> Result<Option<Vec<u8>>, StoreError> {
        Ok(self.rows().recordings.get(&id).map(|recording| recording.bytes.clone()))
    }

    async fn sweep(&self, now: Timestamp, retention: &Retention) -> Result<Swept, StoreError> {
        self.rows().sweep(now, retention)
    }
}
