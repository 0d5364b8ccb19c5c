//! When things happen, without a clock.
//!
//! Time is handed in, never read, so that a decision can be made again from its recording. Both types are integers of
//! microseconds: the same number is stored in SQLite and PostgreSQL, sorted, and printed.

use std::fmt;
use std::ops::{Add, Sub};

use serde::{Deserialize, Serialize};

/// The upper bounds, in seconds, of the buckets in which every histogram counts how long something took: the same everywhere,
/// so that they can be added up. controller-runtime's range, 5 ms to a minute.
pub const SECONDS: [f64; 14] = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 20.0, 30.0, 60.0];

/// A moment: microseconds since 1970-01-01T00:00:00Z, leap seconds ignored (as POSIX time does).
///
/// ```
/// use keelson_core::{Span, Timestamp};
/// let start = Timestamp::parse("2026-11-23T20:53:41Z").unwrap();
/// assert_eq!((start + Span::seconds(2)).to_string(), "2026-11-23T20:53:43Z");
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Timestamp(pub i64);

/// A length of time in microseconds; negative when the second moment was before the first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Span(pub i64);

/// A timestamp string that is not RFC 3339.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{text:?} is not an RFC 3339 time; write it like 2026-11-23T20:53:41Z")]
pub struct ParseTimeError {
    /// The text as given.
    pub text: String,
}

impl Timestamp {
    /// Reads an RFC 3339 time; digits below a microsecond are dropped.
    ///
    /// # Errors
    /// The text, when it is no such time.
    pub fn parse(text: &str) -> Result<Self, ParseTimeError> {
        text.parse::<jiff::Timestamp>()
            .map(|t| Self(t.as_microsecond()))
            .map_err(|_| ParseTimeError { text: text.chars().take(64).collect() })
    }

    /// Whole seconds since the epoch, rounded down.
    #[must_use]
    pub const fn as_seconds(self) -> i64 {
        self.0.div_euclid(1_000_000)
    }

    /// The time that passed since `earlier`; never negative, because clocks of two machines may disagree.
    #[must_use]
    pub const fn since(self, earlier: Self) -> Span {
        let span = self.0.saturating_sub(earlier.0);
        Span(if span < 0 { 0 } else { span })
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match jiff::Timestamp::from_microsecond(self.0) {
            Ok(time) => time.fmt(f),
            Err(_) => write!(f, "{} µs", self.0),
        }
    }
}

impl Span {
    /// No time at all.
    pub const ZERO: Self = Self(0);

    /// `n` microseconds.
    #[must_use]
    pub const fn micros(n: i64) -> Self {
        Self(n)
    }
    /// `n` milliseconds.
    #[must_use]
    pub const fn millis(n: i64) -> Self {
        Self(n.saturating_mul(1_000))
    }
    /// `n` seconds.
    #[must_use]
    pub const fn seconds(n: i64) -> Self {
        Self(n.saturating_mul(1_000_000))
    }
    /// `n` minutes.
    #[must_use]
    pub const fn minutes(n: i64) -> Self {
        Self::seconds(n.saturating_mul(60))
    }
    /// `n` hours.
    #[must_use]
    pub const fn hours(n: i64) -> Self {
        Self::minutes(n.saturating_mul(60))
    }
    /// As the standard library's duration; a negative span is zero.
    #[must_use]
    pub const fn to_std(self) -> std::time::Duration {
        std::time::Duration::from_micros(if self.0 < 0 { 0 } else { self.0.unsigned_abs() })
    }
}

impl fmt::Display for Span {
    /// One unit, as people say it: `62 µs`, `840 ms`, `2.1 s`, `5 min`, `3.5 h`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (value, unit) = match self.0.unsigned_abs() {
            0..1_000 => return write!(f, "{} µs", self.0),
            1_000..1_000_000 => return write!(f, "{} ms", self.0 / 1_000),
            1_000_000..60_000_000 => (self.0 / 100_000, "s"),
            60_000_000..3_600_000_000 => (self.0 / 6_000_000, "min"),
            _ => (self.0 / 360_000_000, "h"),
        };
        match value % 10 {
            0 => write!(f, "{} {unit}", value / 10),
            tenth => write!(f, "{}.{} {unit}", value / 10, tenth.abs()),
        }
    }
}

impl Add<Span> for Timestamp {
    type Output = Self;
    fn add(self, span: Span) -> Self {
        Self(self.0.saturating_add(span.0))
    }
}

impl Sub for Timestamp {
    type Output = Span;
    fn sub(self, other: Self) -> Span {
        Span(self.0.saturating_sub(other.0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_span_reads_like_speech() {
        for (span, text) in [
            (Span::micros(62), "62 µs"),
            (Span::millis(840), "840 ms"),
            (Span::millis(2_100), "2.1 s"),
            (Span::minutes(5), "5 min"),
            (Span::minutes(210), "3.5 h"),
        ] {
            assert_eq!(span.to_string(), text);
        }
    }

    #[test]
    fn time_since_a_later_moment_is_zero() {
        assert_eq!(Timestamp(1).since(Timestamp(5)), Span::ZERO);
    }
}
