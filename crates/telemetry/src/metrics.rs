//! One registry of metrics, read two ways.
//!
//! Crates register their families here once. Prometheus reads them as OpenMetrics text; the same text, at the same names,
//! is what goes to the OTLP collector, so the two can never disagree.

use std::sync::Arc;

use keelson_core::Metric;
use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::info::Info;
use prometheus_client::registry::Registry;

/// The content type of [`Metrics::text`].
pub const CONTENT_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// What runs.
pub const BUILD: Metric = Metric::info("keelson_build_info", &["version", "commit"], "what runs");

/// Every family of the process; clones share it.
#[derive(Debug, Clone)]
pub struct Metrics {
    registry: Arc<Registry>,
}

impl Metrics {
    /// A registry with `keelson_build_info` and whatever `register` adds.
    ///
    /// ```
    /// let metrics = keelson_telemetry::Metrics::new("0.1.0", "abc1234", |_| {});
    /// assert!(metrics.text().contains("keelson_build_info{version=\"0.1.0\",commit=\"abc1234\"} 1"));
    /// ```
    #[must_use]
    pub fn new(version: &'static str, commit: &'static str, register: impl FnOnce(&mut Registry)) -> Self {
        let mut registry = Registry::default();
        let values = BUILD.labels.iter().copied().zip([version, commit]).collect::<Vec<_>>();
        registry.register(BUILD.family(), BUILD.says, Info::new(values));
        register(&mut registry);
        Self { registry: Arc::new(registry) }
    }

    /// The families as OpenMetrics text.
    #[must_use]
    pub fn text(&self) -> String {
        let mut text = String::new();
        // Writing into a String cannot fail, and half a scrape is better than none.
        let _ = encode(&mut text, &self.registry);
        text
    }
}
