//! What Keelson says about itself: logs, traces and metrics.
//!
//! | room | what it promises |
//! |---|---|
//! | [`start`] | one call that turns all of it on, and a guard that flushes it; a log line carries its trace |
//! | [`metrics`] | one registry, read by Prometheus and sent over OTLP: the same numbers in both |
//! | [`collector`] | the way to the collector; when it is away that is counted and visible, and nothing waits for it |

pub mod collector;
mod lines;
pub mod metrics;
mod openmetrics;
pub mod start;

pub use collector::Collector;
pub use metrics::Metrics;
pub use start::{Config, LogFormat, Telemetry, TelemetryError, trace_id};
