//! A store that can be switched off, as a database is when it restarts.

use std::sync::atomic::{AtomicBool, Ordering};

use async_trait::async_trait;
use keelson_core::decision::{Effect, Outcome, Step};
use keelson_core::{Decision, DecisionId, Feature, Timestamp};
use keelson_store::{
    Entry, Filter, MemoryStore, Page, Resolution, Retention, Sample, StateValue, Store, StoreError, Swept,
};

/// A store in memory behind a switch.
#[derive(Default)]
pub struct Intermittent {
    kept: MemoryStore,
    off: AtomicBool,
}

impl Intermittent {
    /// Off: every call fails as with a database that is not there.
    pub fn switch_off(&self, off: bool) {
        self.off.store(off, Ordering::SeqCst);
    }

    fn reached(&self) -> Result<&MemoryStore, StoreError> {
        if self.off.load(Ordering::SeqCst) {
            return Err(std::io::Error::from(std::io::ErrorKind::ConnectionRefused).into());
        }
        Ok(&self.kept)
    }
}

#[async_trait]
impl Store for Intermittent {
    async fn record(&self, decisions: &[Decision]) -> Result<(), StoreError> {
        self.reached()?.record(decisions).await
    }
    async fn apply(&self, entries: &[Entry]) -> Result<u64, StoreError> {
        self.reached()?.apply(entries).await
    }
    async fn decision(&self, id: DecisionId) -> Result<Option<Decision>, StoreError> {
        self.reached()?.decision(id).await
    }
    async fn decisions_by_ids(&self, ids: &[DecisionId]) -> Result<Vec<Decision>, StoreError> {
        self.reached()?.decisions_by_ids(ids).await
    }
    async fn caused_by(&self, id: DecisionId, limit: u32) -> Result<Vec<Decision>, StoreError> {
        self.reached()?.caused_by(id, limit).await
    }
    async fn decisions(&self, filter: &Filter) -> Result<Page, StoreError> {
        self.reached()?.decisions(filter).await
    }
    async fn set_outcome(&self, id: DecisionId, outcome: Outcome, steps: Vec<Step>) -> Result<(), StoreError> {
        self.reached()?.set_outcome(id, outcome, steps).await
    }
    async fn set_effect(&self, id: DecisionId, effect: Effect) -> Result<(), StoreError> {
        self.reached()?.set_effect(id, effect).await
    }
    async fn state_get(&self, feature: Feature, key: &str) -> Result<Option<StateValue>, StoreError> {
        self.reached()?.state_get(feature, key).await
    }
    async fn state_put(
        &self,
        feature: Feature,
        key: &str,
        expected_version: u64,
        fence: u64,
        bytes: &[u8],
    ) -> Result<u64, StoreError> {
        self.reached()?.state_put(feature, key, expected_version, fence, bytes).await
    }
    async fn sample(&self, series: &str, at: Timestamp, value: i64) -> Result<(), StoreError> {
        self.reached()?.sample(series, at, value).await
    }
    async fn samples(&self, series: &str, since: Timestamp, resolution: Resolution) -> Result<Vec<Sample>, StoreError> {
        self.reached()?.samples(series, since, resolution).await
    }
    fn refused_samples(&self) -> u64 {
        self.kept.refused_samples()
    }
    async fn put_recording(&self, id: DecisionId, bytes: &[u8]) -> Result<(), StoreError> {
        self.reached()?.put_recording(id, bytes).await
    }
    async fn recording(&self, id: DecisionId) -> Result<Option<Vec<u8>>, StoreError> {
        self.reached()?.recording(id).await
    }
    async fn sweep(&self, now: Timestamp, retention: &Retention) -> Result<Swept, StoreError> {
        self.reached()?.sweep(now, retention).await
    }
}
