//! How remembering goes, for a scraper: the numbers of [`Health`](super::Health), and how long the store takes.
//!
//! Promises: no family has a label, so that what is remembered adds no series.

use std::fmt;

use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::counter::ConstCounter;
use prometheus_client::metrics::gauge::ConstGauge;
use prometheus_client::registry::Registry;

use super::Recorder;

impl Recorder {
    /// Adds `keelson_store_queue_depth`, `keelson_store_dropped_total` and `keelson_store_commit_seconds` to a registry.
    pub fn register(&self, registry: &mut Registry) {
        let commits = self.inner.watch.commits().clone();
        registry.register("keelson_store_commit_seconds", "Time of a transaction that the store took", commits);
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
        let help = "Decisions, outcomes and effects that wait for the store";
        let depth = encoder.encode_descriptor("keelson_store_queue_depth", help, None, MetricType::Gauge)?;
        ConstGauge::new(health.pending).encode(depth)?;
        let help = "What was lost on the way to the store";
        let dropped = encoder.encode_descriptor("keelson_store_dropped", help, None, MetricType::Counter)?;
        ConstCounter::new(health.dropped).encode(dropped)
    }
}
