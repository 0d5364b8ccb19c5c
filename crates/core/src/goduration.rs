//! Go's duration strings (`1h30m`, `-1.5h`, `250ms`), as Kubernetes and Prometheus configurations use them.
//!
//! Promises: what Go's `time.ParseDuration` accepts is accepted with the same number of nanoseconds, what it rejects
//! is rejected, and printing gives what Go's `Duration.String` gives.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use crate::time::Span;

/// The magnitude of the smallest duration, in nanoseconds.
const LIMIT: u64 = 1 << 63;
/// How much of a rejected text an error repeats, in characters.
const SHOWN: usize = 64;

/// A duration in nanoseconds, written as Go writes it.
///
/// ```
/// use keelson_core::GoDuration;
/// let limit: GoDuration = "1h30m".parse().unwrap();
/// assert_eq!(limit.to_string(), "1h30m0s");
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct GoDuration(
    /// Nanoseconds.
    pub i64,
);

/// Why a text is no duration.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DurationProblem {
    /// Not a sequence of numbers with units.
    #[error("write numbers with units, such as 1h30m, 1.5s or 250ms")]
    Malformed,
    /// A number stands alone.
    #[error("a number has no unit; add one of ns us µs ms s m h")]
    MissingUnit,
    /// A unit Go does not know.
    #[error("unit {0} is unknown; use one of ns us µs ms s m h")]
    UnknownUnit(String),
    /// More than 2^63-1 nanoseconds.
    #[error("it is longer than the limit of 2562047h47m16.854775807s; write a shorter one")]
    Overflow,
}

/// A text that is no duration.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{text:?} is not a duration: {problem}")]
pub struct ParseDurationError {
    /// The text as given, at most 64 characters of it.
    pub text: String,
    /// What is wrong with it and how to put it right.
    pub problem: DurationProblem,
}

impl GoDuration {
    /// In microseconds, finer parts dropped (towards zero).
    #[must_use]
    pub const fn span(self) -> Span {
        Span(self.0 / 1_000)
    }
}

impl From<Span> for GoDuration {
    /// Saturates at about 292 years.
    fn from(span: Span) -> Self {
        Self(span.0.saturating_mul(1_000))
    }
}

fn nanos_of(unit: &str) -> Option<u64> {
    match unit {
        "ns" => Some(1),
        // The micro sign and the Greek letter look alike; both are in use.
        "us" | "\u{b5}s" | "\u{3bc}s" => Some(1_000),
        "ms" => Some(1_000_000),
        "s" => Some(1_000_000_000),
        "m" => Some(60_000_000_000),
        "h" => Some(3_600_000_000_000),
        _ => None,
    }
}

fn split_while(text: &str, keep: impl Fn(char) -> bool) -> (&str, &str) {
    let end = text.find(|c| !keep(c)).unwrap_or(text.len());
    text.split_at_checked(end).unwrap_or((text, ""))
}

/// The integer before the point; at most [`LIMIT`].
fn whole(digits: &str) -> Result<u64, DurationProblem> {
    digits
        .bytes()
        .try_fold(0_u64, |sum, digit| sum.checked_mul(10)?.checked_add(u64::from(digit - b'0')))
        .filter(|sum| *sum <= LIMIT)
        .ok_or(DurationProblem::Overflow)
}

/// The digits behind the point as numerator and power of ten; digits that no longer fit 63 bits are dropped.
fn fraction(digits: &str) -> (u64, f64) {
    let (mut numerator, mut scale) = (0_u64, 1_f64);
    for digit in digits.bytes() {
        if numerator > (LIMIT - 1) / 10 {
            break;
        }
        let next = numerator * 10 + u64::from(digit - b'0');
        if next > LIMIT {
            break;
        }
        numerator = next;
        scale *= 10.0;
    }
    (numerator, scale)
}

/// One number with its unit, in nanoseconds, and what follows it.
fn term(text: &str) -> Result<(u64, &str), DurationProblem> {
    let (digits, rest) = split_while(text, |c| c.is_ascii_digit());
    let (decimals, rest) = match rest.strip_prefix('.') {
        Some(rest) => split_while(rest, |c| c.is_ascii_digit()),
        None => ("", rest),
    };
    if digits.is_empty() && decimals.is_empty() {
        return Err(DurationProblem::Malformed);
    }
    let (unit, rest) = split_while(rest, |c| c != '.' && !c.is_ascii_digit());
    if unit.is_empty() {
        return Err(DurationProblem::MissingUnit);
    }
    let nanos = nanos_of(unit).ok_or_else(|| DurationProblem::UnknownUnit(unit.chars().take(SHOWN).collect()))?;
    let count = whole(digits)?;
    if count > LIMIT / nanos {
        return Err(DurationProblem::Overflow);
    }
    let (numerator, scale) = fraction(decimals);
    // Go computes the fraction in a 64-bit float. It is below one hour of nanoseconds, and the same operations in
    // the same order give the same nanosecond; exact arithmetic would differ from Go in the last one.
    let part = (numerator as f64 * (nanos as f64 / scale)) as u64;
    Ok((count * nanos + part, rest))
}

fn parse(text: &str) -> Result<i64, DurationProblem> {
    let negative = text.starts_with('-');
    let mut rest = text.strip_prefix(['-', '+']).unwrap_or(text);
    if rest == "0" {
        return Ok(0);
    }
    if rest.is_empty() {
        return Err(DurationProblem::Malformed);
    }
    let mut sum = 0_u64;
    while !rest.is_empty() {
        let (nanos, after) = term(rest)?;
        sum = sum.checked_add(nanos).filter(|sum| *sum <= LIMIT).ok_or(DurationProblem::Overflow)?;
        rest = after;
    }
    match negative {
        true => Ok(0_i64.wrapping_sub_unsigned(sum)),
        false => i64::try_from(sum).map_err(|_| DurationProblem::Overflow),
    }
}

impl FromStr for GoDuration {
    type Err = ParseDurationError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        parse(text)
            .map(Self)
            .map_err(|problem| ParseDurationError { text: text.chars().take(SHOWN).collect(), problem })
    }
}

/// `value / unit` with as many decimals as it needs.
fn write_decimal(f: &mut fmt::Formatter<'_>, value: u64, unit: u64, width: usize, name: &str) -> fmt::Result {
    match value % unit {
        0 => write!(f, "{}{name}", value / unit),
        rest => {
            let decimals = format!("{rest:0width$}");
            write!(f, "{}.{}{name}", value / unit, decimals.trim_end_matches('0'))
        }
    }
}

impl fmt::Display for GoDuration {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0 < 0 {
            f.write_str("-")?;
        }
        let nanos = self.0.unsigned_abs();
        match nanos {
            0 => return f.write_str("0s"),
            1..1_000 => return write!(f, "{nanos}ns"),
            1_000..1_000_000 => return write_decimal(f, nanos, 1_000, 3, "µs"),
            1_000_000..1_000_000_000 => return write_decimal(f, nanos, 1_000_000, 6, "ms"),
            _ => {}
        }
        let minutes = nanos / 60_000_000_000;
        if minutes >= 60 {
            write!(f, "{}h", minutes / 60)?;
        }
        if minutes > 0 {
            write!(f, "{}m", minutes % 60)?;
        }
        write_decimal(f, nanos % 60_000_000_000, 1_000_000_000, 9, "s")
    }
}

impl Serialize for GoDuration {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for GoDuration {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map_err(de::Error::custom)
    }
}
