//! What a metric says of itself.
//!
//! The registry's help, the document of all metrics and the tests read the same constant, so that none of them can tell of a
//! name or a label that is not there.

/// A family of series under one name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Metric {
    /// The name a query uses, with the `_total` of a counter.
    pub name: &'static str,
    /// How its numbers move.
    pub kind: MetricKind,
    /// Its labels, in the order of their values; each from a closed set, never an object's name.
    pub labels: &'static [&'static str],
    /// What it says, for people.
    pub says: &'static str,
}

/// How the numbers of a metric move.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MetricKind {
    /// Up.
    Counter,
    /// Up and down.
    Gauge,
    /// Counts in buckets of seconds ([`crate::time::SECONDS`]).
    Histogram,
    /// Always 1; the labels say it.
    Info,
}

impl MetricKind {
    /// The word of the text format.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Counter => "counter",
            Self::Gauge => "gauge",
            Self::Histogram => "histogram",
            Self::Info => "info",
        }
    }

    /// What the text format puts behind a family's name.
    const fn suffix(self) -> &'static str {
        match self {
            Self::Counter => "_total",
            Self::Info => "_info",
            Self::Gauge | Self::Histogram => "",
        }
    }
}

impl Metric {
    /// A counter; `name` ends in `_total`.
    #[must_use]
    pub const fn counter(name: &'static str, labels: &'static [&'static str], says: &'static str) -> Self {
        Self { name, kind: MetricKind::Counter, labels, says }
    }

    /// A gauge.
    #[must_use]
    pub const fn gauge(name: &'static str, labels: &'static [&'static str], says: &'static str) -> Self {
        Self { name, kind: MetricKind::Gauge, labels, says }
    }

    /// A histogram of seconds; `name` ends in `_seconds`.
    #[must_use]
    pub const fn histogram(name: &'static str, labels: &'static [&'static str], says: &'static str) -> Self {
        Self { name, kind: MetricKind::Histogram, labels, says }
    }

    /// What runs; `name` ends in `_info`.
    #[must_use]
    pub const fn info(name: &'static str, labels: &'static [&'static str], says: &'static str) -> Self {
        Self { name, kind: MetricKind::Info, labels, says }
    }

    /// The name that a registry wants: without what the text format adds by itself.
    ///
    /// ```
    /// use keelson_core::Metric;
    /// assert_eq!(Metric::counter("lost_total", &[], "Things lost").family(), "lost");
    /// assert_eq!(Metric::gauge("depth", &[], "Things that wait").family(), "depth");
    /// ```
    #[must_use]
    pub fn family(&self) -> &'static str {
        self.name.strip_suffix(self.kind.suffix()).unwrap_or(self.name)
    }
}
