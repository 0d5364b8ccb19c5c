//! A store that can be taken away and given back.
#![allow(dead_code)]

use std::sync::atomic::{AtomicBool, Ordering};

use async_trait::async_trait;
use keelson_core::decision::{Effect, Outcome, Step};
use keelson_core::{Decision, DecisionId, Feature, Timestamp};
use keelson_store::{
    Entry, Filter, MemoryStore, Page, Resolution, Retention, Sample, StateValue, Store, StoreError, Swept,
};

#[derive(Default)]
pub(crate) struct Flaky {
    pub(crate) inner: MemoryStore,
    away: AtomicBool,
    silent: AtomicBool,
}

impl Flaky {
    pub(crate) fn set_away(&self, away: bool) {
        self.away.store(away, Ordering::Relaxed);
    }

    /// A silent store takes a call and never answers.
    pub(crate) fn set_silent(&self, silent: bool) {
        self.silent.store(silent, Ordering::Relaxed);
    }

    fn there(&self) -> Result<&MemoryStore, StoreError> {
        if self.away.load(Ordering::Relaxed) { Err(sqlx::Error::PoolTimedOut.into()) } else { Ok(&self.inner) }
    }
}

#[async_trait]
impl Store for Flaky {
    async fn record(&self, decisions: &[Decision]) -> Result<(), StoreError> {
        self.there()?.record(decisions).await
    }
    async fn apply(&self, entries: &[Entry]) -> Result<u64, StoreError> {
        if self.silent.load(Ordering::Relaxed) {
            std::future::pending::<()>().await;
        }
        self.there()?.apply(entries).await
    }
    async fn decision(&self, id: DecisionId) -> Result<Option<Decision>, StoreError> {
        self.there()?.decision(id).await
    }
    async fn decisions_by_ids(&self, ids: &[DecisionId]) -> Result<Vec<Decision>, StoreError> {
        self.there()?.decisions_by_ids(ids).await
    }
    async fn caused_by(&self, id: DecisionId, limit: u32) -> Result<Vec<Decision>, StoreError> {
        self.there()?.caused_by(id, limit).await
    }
    async fn decisions(&self, filter: &Filter) -> Result<Page, StoreError> {
        self.there()?.decisions(filter).await
    }
    async fn set_outcome(&self, id: DecisionId, outcome: Outcome, steps: Vec<Step>) -> Result<(), StoreError> {
        self.there()?.set_outcome(id, outcome, steps).await
    }
    async fn set_effect(&self, id: DecisionId, effect: Effect) -> Result<(), StoreError> {
        self.there()?.set_effect(id, effect).await
    }
    async fn state_get(&self, feature: Feature, key: &str) -> Result<Option<StateValue>, StoreError> {
        self.there()?.state_get(feature, key).await
    }
    async fn state_put(&self, f: Feature, key: &str, version: u64, fence: u64, b: &[u8]) -> Result<u64, StoreError> {
        self.there()?.state_put(f, key, version, fence, b).await
    }
    async fn sample(&self, series: &str, at: Timestamp, value: i64) -> Result<(), StoreError> {
        self.there()?.sample(series, at, value).await
    }
    async fn samples(&self, series: &str, since: Timestamp, step: Resolution) -> Result<Vec<Sample>, StoreError> {
        self.there()?.samples(series, since, step).await
    }
    fn refused_samples(&self) -> u64 {
        self.inner.refused_samples()
    }
    async fn put_recording(&self, id: DecisionId, bytes: &[u8]) -> Result<(), StoreError> {
        self.there()?.put_recording(id, bytes).await
    }
    async fn recording(&self, id: DecisionId) -> Result<Option<Vec<u8>>, StoreError> {
        self.there()?.recording(id).await
    }
    async fn sweep(&self, now: Timestamp, retention: &Retention) -> Result<Swept, StoreError> {
        self.there()?.sweep(now, retention).await
    }
}
