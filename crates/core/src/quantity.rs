//! Kubernetes' number strings (`500m`, `1.5Gi`, `1e3`), exactly.
//!
//! A quantity is an integer of nano-units and the family of suffixes it was written in. No floating point is used:
//! what the API server would store, compare and print is what is stored, compared and printed here.
//!
//! Promises: precision finer than a nano-unit rounds away from zero; binary magnitudes above 2^63-1 units become
//! 2^63-1, as in Kubernetes; printing gives the canonical form and never changes the value. Two differences: decimal
//! magnitudes end at 10^29 units (Kubernetes has no end there), and a text without any digit is refused, where
//! Kubernetes reads `-` or `Ki` as zero.

use std::cmp::Ordering;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::str::FromStr;

use serde::de::{self, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// Nano-units in one unit.
const NANOS: i128 = 1_000_000_000;
/// The largest magnitude of a binary quantity, in nano-units: 2^63-1 units.
const MAX_BINARY: i128 = i64::MAX as i128 * NANOS;
/// The largest magnitude of a decimal quantity, in nano-units: 10^29 units.
const MAX_DECIMAL: i128 = 10_i128.pow(38);
/// Decimal digits of [`MAX_DECIMAL`]; a number with more is above it.
const MAX_DIGITS: i64 = 39;
/// How much of a rejected text an error repeats, in characters.
const SHOWN: usize = 64;

/// The family of suffixes a quantity is written with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub enum Format {
    /// Powers of 1000: `n u m k M G T P E`.
    #[default]
    DecimalSI,
    /// Powers of 1024: `Ki Mi Gi Ti Pi Ei`.
    BinarySI,
    /// A power of ten: `e3`.
    DecimalExponent,
}

/// An exact Kubernetes quantity. Equality, order and hash look at the value alone: `1Ki` equals `1024`.
///
/// ```
/// use keelson_core::Quantity;
/// let memory: Quantity = "1.5Gi".parse().unwrap();
/// assert_eq!(memory.value(), 1_610_612_736);
/// assert_eq!(memory.to_string(), "1536Mi");
/// ```
#[derive(Debug, Clone, Copy, Default)]
pub struct Quantity {
    nanos: i128,
    format: Format,
}

/// Why a text is no quantity.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum QuantityProblem {
    /// There is nothing to read.
    #[error("it is empty; write a number such as 500m, 2 or 1Gi")]
    Empty,
    /// It does not begin with digits.
    #[error("it does not start with a number; write a number such as 500m, 2 or 1Gi")]
    NoNumber,
    /// What follows the number is no suffix.
    #[error("suffix {0} is unknown; use one of n u m k M G T P E, Ki Mi Gi Ti Pi Ei, or an exponent such as e3")]
    UnknownSuffix(String),
}

/// A text that is no quantity.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{text:?} is not a quantity: {problem}")]
pub struct ParseQuantityError {
    /// The text as given, at most 64 characters of it.
    pub text: String,
    /// What is wrong with it and how to put it right.
    pub problem: QuantityProblem,
}

/// What a suffix multiplies by.
enum Scale {
    Ten(i64),
    Two(u32),
}

impl Quantity {
    /// Nothing, written `0`.
    pub const ZERO: Self = Self { nanos: 0, format: Format::DecimalSI };

    /// `milli` thousandths of a unit (for cpu: millicores).
    #[must_use]
    pub const fn from_milli(milli: i64) -> Self {
        Self { nanos: milli as i128 * 1_000_000, format: Format::DecimalSI }
    }

    /// `value` whole units, written with decimal suffixes.
    #[must_use]
    pub const fn from_value(value: i64) -> Self {
        Self { nanos: value as i128 * NANOS, format: Format::DecimalSI }
    }

    /// `bytes` whole units, written with binary suffixes where they fit.
    #[must_use]
    pub const fn from_bytes(bytes: i64) -> Self {
        let bytes = if bytes == i64::MIN { -i64::MAX } else { bytes };
        Self { nanos: bytes as i128 * NANOS, format: Format::BinarySI }
    }

    /// The exact value in nano-units (10^-9).
    #[must_use]
    pub const fn nanos(&self) -> i128 {
        self.nanos
    }

    /// The suffix family it prints with.
    #[must_use]
    pub const fn format(&self) -> Format {
        self.format
    }

    /// Whole units; a fraction rounds away from zero, as Kubernetes does, so that a request is never made smaller.
    #[must_use]
    pub const fn value(&self) -> i64 {
        round_away(self.nanos, NANOS)
    }

    /// Thousandths of a unit; finer parts round away from zero and the result saturates at the ends of `i64`.
    #[must_use]
    pub const fn milli(&self) -> i64 {
        round_away(self.nanos, 1_000_000)
    }

    /// Whether it is exactly nothing.
    #[must_use]
    pub const fn is_zero(&self) -> bool {
        self.nanos == 0
    }

    /// The canonical decimal form: the largest power of 1000 that leaves a whole number.
    fn write_decimal(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (mut number, mut exponent) = (self.nanos, -9_i32);
        while number != 0 && number % 1_000 == 0 {
            number /= 1_000;
            exponent += 3;
        }
        match (self.format, exponent) {
            (_, 0) => write!(f, "{number}"),
            (Format::DecimalExponent, _) | (_, 19..) => write!(f, "{number}e{exponent}"),
            _ => write!(f, "{number}{}", decimal_suffix(exponent)),
        }
    }

    fn write_binary(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut number = self.nanos / NANOS;
        let mut suffixes = ["Ki", "Mi", "Gi", "Ti", "Pi", "Ei"].into_iter();
        let mut suffix = "";
        while number % 1_024 == 0
            && let Some(next) = suffixes.next()
        {
            number /= 1_024;
            suffix = next;
        }
        write!(f, "{number}{suffix}")
    }
}

/// `nanos / unit`, away from zero, saturating.
const fn round_away(nanos: i128, unit: i128) -> i64 {
    let whole = nanos / unit + if nanos % unit == 0 { 0 } else { nanos.signum() };
    if whole > i64::MAX as i128 {
        i64::MAX
    } else if whole < i64::MIN as i128 {
        i64::MIN
    } else {
        whole as i64
    }
}

const fn decimal_suffix(exponent: i32) -> &'static str {
    match exponent {
        -9 => "n",
        -6 => "u",
        -3 => "m",
        3 => "k",
        6 => "M",
        9 => "G",
        12 => "T",
        15 => "P",
        18 => "E",
        _ => "",
    }
}

fn scale_of(suffix: &str) -> Option<(Scale, Format)> {
    let ten = |power| Some((Scale::Ten(power), Format::DecimalSI));
    let two = |power| Some((Scale::Two(power), Format::BinarySI));
    match suffix {
        "n" => ten(-9),
        "u" => ten(-6),
        "m" => ten(-3),
        "" => ten(0),
        "k" => ten(3),
        "M" => ten(6),
        "G" => ten(9),
        "T" => ten(12),
        "P" => ten(15),
        "E" => ten(18),
        "Ki" => two(10),
        "Mi" => two(20),
        "Gi" => two(30),
        "Ti" => two(40),
        "Pi" => two(50),
        "Ei" => two(60),
        _ => {
            let power = suffix.strip_prefix(['e', 'E'])?.parse().ok()?;
            Some((Scale::Ten(power), Format::DecimalExponent))
        }
    }
}

/// `whole.fraction * 10^power` in nano-units, rounded up, at most [`MAX_DECIMAL`].
fn decimal_nanos(whole: &str, fraction: &str, power: i64) -> i128 {
    let digits = format!("{whole}{fraction}");
    let significant = digits.trim_start_matches('0').trim_end_matches('0');
    if significant.is_empty() {
        return 0;
    }
    let trailing = digits.len() - digits.trim_end_matches('0').len();
    let shift = power.saturating_add(9).saturating_add(length(trailing)).saturating_sub(length(fraction.len()));
    let kept = length(significant.len()).saturating_add(shift);
    if kept > MAX_DIGITS {
        return MAX_DECIMAL;
    }
    if shift >= 0 {
        let zeros = u32::try_from(shift).unwrap_or(0);
        return integer(significant).saturating_mul(10_i128.saturating_pow(zeros)).min(MAX_DECIMAL);
    }
    // The dropped digits end in a nonzero one, so they always round up.
    let kept = significant.get(..usize::try_from(kept).unwrap_or(0)).unwrap_or("");
    integer(kept).saturating_add(1).min(MAX_DECIMAL)
}

/// `whole.fraction * 2^power` in nano-units, rounded up, at most [`MAX_BINARY`].
fn binary_nanos(whole: &str, fraction: &str, power: u32) -> i128 {
    let unit = NANOS << power;
    let whole = integer(whole).saturating_mul(unit);
    // From the last digit to the first: each step is exact but for a remainder, and any remainder rounds up once.
    let (part, inexact) = fraction.bytes().rev().fold((0_i128, false), |(part, inexact), digit| {
        let sum = i128::from(digit - b'0') * unit + part;
        (sum / 10, inexact || sum % 10 != 0)
    });
    whole.saturating_add(part + i128::from(inexact)).min(MAX_BINARY)
}

/// The digits as an integer, saturating; no digits are zero.
fn integer(digits: &str) -> i128 {
    digits.bytes().fold(0_i128, |sum, digit| sum.saturating_mul(10).saturating_add(i128::from(digit - b'0')))
}

fn length(n: usize) -> i64 {
    i64::try_from(n).unwrap_or(i64::MAX)
}

/// The leading digits and the rest.
fn split_digits(text: &str) -> (&str, &str) {
    let end = text.bytes().take_while(u8::is_ascii_digit).count();
    text.split_at_checked(end).unwrap_or((text, ""))
}

fn parse(text: &str) -> Result<Quantity, QuantityProblem> {
    if text.is_empty() {
        return Err(QuantityProblem::Empty);
    }
    let unsigned = text.strip_prefix(['-', '+']).unwrap_or(text);
    let (whole, rest) = split_digits(unsigned);
    let (fraction, suffix) = match rest.strip_prefix('.') {
        Some(rest) => split_digits(rest),
        None => ("", rest),
    };
    if whole.is_empty() && fraction.is_empty() {
        return Err(QuantityProblem::NoNumber);
    }
    let Some((scale, format)) = scale_of(suffix) else {
        return Err(QuantityProblem::UnknownSuffix(suffix.chars().take(SHOWN).collect()));
    };
    let nanos = match scale {
        Scale::Ten(power) => decimal_nanos(whole, fraction, power),
        Scale::Two(power) => binary_nanos(whole, fraction, power),
    };
    let format = match format {
        Format::BinarySI if nanos > 0 && nanos < NANOS => Format::DecimalSI,
        format => format,
    };
    Ok(Quantity { nanos: if text.starts_with('-') { -nanos } else { nanos }, format })
}

impl FromStr for Quantity {
    type Err = ParseQuantityError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        parse(text).map_err(|problem| ParseQuantityError { text: text.chars().take(SHOWN).collect(), problem })
    }
}

impl fmt::Display for Quantity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.format {
            _ if self.nanos == 0 => f.write_str("0"),
            Format::BinarySI if self.nanos.abs() >= 1_024 * NANOS && self.nanos % NANOS == 0 => self.write_binary(f),
            _ => self.write_decimal(f),
        }
    }
}

impl PartialEq for Quantity {
    fn eq(&self, other: &Self) -> bool {
        self.nanos == other.nanos
    }
}

impl Eq for Quantity {}

impl PartialOrd for Quantity {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Quantity {
    fn cmp(&self, other: &Self) -> Ordering {
        self.nanos.cmp(&other.nanos)
    }
}

impl Hash for Quantity {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.nanos.hash(state);
    }
}

impl Serialize for Quantity {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Quantity {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(QuantityVisitor)
    }
}

/// Reads a string, or the bare number that YAML makes of an unquoted one.
struct QuantityVisitor;

impl Visitor<'_> for QuantityVisitor {
    type Value = Quantity;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a quantity such as \"500m\", \"1Gi\" or 2")
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<Quantity, E> {
        text.parse().map_err(E::custom)
    }

    fn visit_i64<E: de::Error>(self, value: i64) -> Result<Quantity, E> {
        Ok(Quantity::from_value(value))
    }

    fn visit_u64<E: de::Error>(self, value: u64) -> Result<Quantity, E> {
        self.visit_str(&value.to_string())
    }

    fn visit_f64<E: de::Error>(self, value: f64) -> Result<Quantity, E> {
        // Its shortest decimal text is what stood in the document; no arithmetic is done on the float.
        self.visit_str(&value.to_string())
    }
}
