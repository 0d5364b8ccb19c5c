//! How remembering goes, for a scraper: the numbers of [`Health`](super::Health), and how long the store takes.
//!
//! Promises: no family has a label, so that what is remembered adds no series.

use std::fmt;

use keelson_core::Metric;
use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::counter::ConstCounter;
use prometheus_client::metrics::gauge::ConstGauge;
use prometheus_client::registry::Registry;

use super::Recorder;

const DEPTH: Metric =
    Metric::gauge("keelson_store_queue_depth", &[], "decisions, outcomes and effects that wait for the store");
const DROPPED: Metric = Metric::counter(
    "keelson_store_dropped_total",
    &[],
    "decisions, outcomes and effects that were lost on the way to the store",
);
const COMMIT: Metric =
    Metric::histogram("keelson_store_commit_seconds", &[], "time of a transaction that the store took");

/// Every family of remembering.
pub const METRICS: &[Metric] = &[DEPTH, DROPPED, COMMIT];

impl Recorder {
    /// Adds every family of [`METRICS`] to a registry.
    pub fn register(&self, registry: &mut Registry) {
        let commits = self.inner.watch.commits().clone();
        registry.register(COMMIT.family(), COMMIT.says, commits);
        registry.register_collector(Box::new(Now(self.clone())));
    }
}

/// What is counted when it is asked for.
struct Now(Recorder);

impl fmt::Debug for Now {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Now")
    }
}

impl Collector for Now {
    fn encode(&self, mut encoder: DescriptorEncoder) -> Result<(), fmt::Error> {
        let health = self.0.health();
        let depth = encoder.encode_descriptor(DEPTH.family(), DEPTH.says, None, MetricType::Gauge)?;
        ConstGauge::new(health.pending).encode(depth)?;
        let dropped = encoder.encode_descriptor(DROPPED.family(), DROPPED.says, None, MetricType::Counter)?;
        ConstCounter::new(health.dropped).encode(dropped)
    }
}
