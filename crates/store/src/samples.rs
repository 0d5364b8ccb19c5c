//! Small built-in trends, at three resolutions.
//!
//! The newest hours are kept in steps of ten seconds, two days in minutes, a season in hours; each coarser value is the
//! mean of the finer ones, with their least and greatest, so that a peak stays visible.
//!
//! Promises: writing a value again changes nothing; the number of series is bounded, and what is refused is counted.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use keelson_core::{Span, Timestamp};

use crate::StoreError;

/// How many series a store takes when nothing else is asked for: about four million values.
pub const SERIES: u64 = 500;

/// The width of one step of a series.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Resolution {
    /// Ten seconds, kept for six hours.
    TenSeconds,
    /// A minute, kept for two days.
    Minute,
    /// An hour, kept for ninety days.
    Hour,
}

impl Resolution {
    /// All of them, finest first.
    pub const ALL: [Self; 3] = [Self::TenSeconds, Self::Minute, Self::Hour];

    /// The time one value stands for.
    #[must_use]
    pub const fn width(self) -> Span {
        match self {
            Self::TenSeconds => Span::seconds(10),
            Self::Minute => Span::minutes(1),
            Self::Hour => Span::hours(1),
        }
    }

    /// How long values are kept.
    #[must_use]
    pub const fn kept(self) -> Span {
        match self {
            Self::TenSeconds => Span::hours(6),
            Self::Minute => Span::hours(48),
            Self::Hour => Span::hours(90 * 24),
        }
    }

    /// The beginning of the step that `at` lies in.
    ///
    /// ```
    /// use keelson_core::Timestamp;
    /// use keelson_store::Resolution;
    /// assert_eq!(Resolution::Minute.floor(Timestamp(61_500_000)), Timestamp(60_000_000));
    /// ```
    #[must_use]
    pub const fn floor(self, at: Timestamp) -> Timestamp {
        Timestamp(at.0.saturating_sub(at.0.rem_euclid(self.width().0)))
    }
}

/// One step of a series.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sample {
    /// When the step begins.
    pub at: Timestamp,
    /// The last value in a step of ten seconds; the mean, rounded down, in a longer one. In the series' unit.
    pub value: i64,
    /// The least value.
    pub low: i64,
    /// The greatest value.
    pub high: i64,
}

impl Sample {
    /// One value by itself.
    pub(crate) const fn one(at: Timestamp, value: i64) -> Self {
        Self { at, value, low: value, high: value }
    }

    /// The step at `at` that the finer ones make together.
    pub(crate) fn rolled(at: Timestamp, finer: &[Self]) -> Option<Self> {
        let count = i128::try_from(finer.len()).ok()?;
        let sum: i128 = finer.iter().map(|s| i128::from(s.value)).sum();
        let value = i64::try_from(sum.checked_div_euclid(count)?).ok()?;
        let low = finer.iter().map(|s| s.low).min()?;
        let high = finer.iter().map(|s| s.high).max()?;
        Some(Self { at, value, low, high })
    }
}

/// How many series there may be, and how many values were refused because there were.
#[derive(Debug, Clone)]
pub(crate) struct SeriesLimit {
    limit: u64,
    refused: Arc<AtomicU64>,
}

impl Default for SeriesLimit {
    fn default() -> Self {
        Self::new(SERIES)
    }
}

impl SeriesLimit {
    pub(crate) fn new(limit: u64) -> Self {
        Self { limit, refused: Arc::default() }
    }

    /// Whether one more series fits beside `there` others.
    pub(crate) fn admit(&self, series: &str, there: u64) -> Result<(), StoreError> {
        if there < self.limit {
            return Ok(());
        }
        self.refused.fetch_add(1, Relaxed);
        Err(StoreError::TooManySeries { series: series.to_owned(), limit: self.limit })
    }

    pub(crate) fn refused(&self) -> u64 {
        self.refused.load(Relaxed)
    }
}
