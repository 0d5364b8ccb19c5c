//! Which objects are meant: label selectors, field selectors and the requirements of node affinity.
//!
//! Three notations share one thing, the [`Requirement`]: a key, an operator, values. [`LabelSelector`] is the JSON of
//! `metav1.LabelSelector`, [`Selector`] the text of `kubectl -l`, [`FieldSelector`] the text of `--field-selector`.
//!
//! Promises: matching never fails; whatever could not match sensibly (a bad key, `In` without values, `Gt` of a word)
//! is refused when it is read or [`validate`](LabelSelector::validate)d; a missing key satisfies `NotIn` and
//! `DoesNotExist`; an empty selector matches everything, and a selector that is not there
//! ([`LabelSelector::matches_optional`] of `None`) matches nothing.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};

mod field;
mod words;

pub use field::{FieldSelector, FieldTerm};
use words::{Word, Words};

/// The longest selector text that is read, in bytes.
pub const MAX_SELECTOR: usize = 16 * 1024;
/// How much of a rejected text an error repeats, in characters.
const SHOWN: usize = 64;
/// The longest label value and the longest name part of a label key, in bytes.
const MAX_NAME: usize = 63;
/// The longest prefix of a label key, in bytes.
const MAX_PREFIX: usize = 253;

/// Why a selector cannot be used. Texts from outside are cut to 64 characters.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SelectorError {
    /// Longer than [`MAX_SELECTOR`].
    #[error("the selector has {0} bytes; the limit is {MAX_SELECTOR}: select by fewer values")]
    TooLong(usize),
    /// A label key against the rules.
    #[error("label key {key:?}: {problem}")]
    Key {
        /// The key.
        key: String,
        /// The rule it breaks.
        problem: &'static str,
    },
    /// A label value against the rules.
    #[error("value {value:?} of label {key:?}: {problem}")]
    Value {
        /// The key it stands with.
        key: String,
        /// The value.
        value: String,
        /// The rule it breaks.
        problem: &'static str,
    },
    /// An operator with the wrong number of values.
    #[error("{key}: {op} has {count} values; it takes {expected}")]
    Count {
        /// The key.
        key: String,
        /// The operator.
        op: Operator,
        /// How many values there are.
        count: usize,
        /// How many there must be.
        expected: &'static str,
    },
    /// `Gt` or `Lt` with something else than an integer.
    #[error("{0}: {1} compares integers, and {2:?} is none; write a number such as 5")]
    NotInteger(String, Operator, String),
    /// An operator that this notation does not have.
    #[error("{0}: {1} is not available here; use In, NotIn, Exists or DoesNotExist")]
    Operator(String, Operator),
    /// A text that does not follow the notation.
    #[error("found {found} where {expected} should be, at byte {at} of the selector")]
    Syntax {
        /// What stands there.
        found: String,
        /// What should.
        expected: &'static str,
        /// Where.
        at: usize,
    },
}

/// How a value is compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Operator {
    /// The key is there and its value is one of the values.
    In,
    /// The key is missing or its value is none of the values.
    NotIn,
    /// The key is there.
    Exists,
    /// The key is missing.
    DoesNotExist,
    /// The key is there and its value is an integer above the one value.
    Gt,
    /// The key is there and its value is an integer below the one value.
    Lt,
}

impl fmt::Display for Operator {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self, f)
    }
}

/// One condition on one key, as in `matchExpressions` of selectors and node affinity.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Requirement {
    /// The label key (or field name, in node affinity's `matchFields`).
    pub key: String,
    /// How to compare.
    #[serde(rename = "operator")]
    pub op: Operator,
    /// What to compare with.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub values: Vec<String>,
}

impl Requirement {
    /// A requirement as given; see [`Requirement::validate`].
    #[must_use]
    pub fn new(key: &str, op: Operator, values: &[&str]) -> Self {
        Self { key: key.to_owned(), op, values: values.iter().map(|&value| value.to_owned()).collect() }
    }

    /// Whether a value (`None`: the key is missing) satisfies this. An invalid requirement matches nothing that it
    /// could only match by guessing: `In` without values never matches, nor does `Gt` of a word.
    #[must_use]
    pub fn matches(&self, value: Option<&str>) -> bool {
        let listed = |value: &str| self.values.iter().any(|listed| listed == value);
        match self.op {
            Operator::In => value.is_some_and(listed),
            Operator::NotIn => !value.is_some_and(listed),
            Operator::Exists => value.is_some(),
            Operator::DoesNotExist => value.is_none(),
            Operator::Gt => self.compared(value).is_some_and(|(value, bound)| value > bound),
            Operator::Lt => self.compared(value).is_some_and(|(value, bound)| value < bound),
        }
    }

    fn compared(&self, value: Option<&str>) -> Option<(i64, i64)> {
        match self.values.as_slice() {
            [bound] => Some((value?.parse().ok()?, bound.parse().ok()?)),
            _ => None,
        }
    }

    /// Checks key, values and their number.
    ///
    /// # Errors
    /// The first rule broken.
    pub fn validate(&self) -> Result<(), SelectorError> {
        validate_key(&self.key)?;
        let (fits, expected) = match self.op {
            Operator::In | Operator::NotIn => (!self.values.is_empty(), "at least one"),
            Operator::Exists | Operator::DoesNotExist => (self.values.is_empty(), "none"),
            Operator::Gt | Operator::Lt => (self.values.len() == 1, "exactly one"),
        };
        if !fits {
            let (key, op, count) = (self.key.clone(), self.op, self.values.len());
            return Err(SelectorError::Count { key, op, count, expected });
        }
        for value in &self.values {
            if matches!(self.op, Operator::Gt | Operator::Lt) && value.parse::<i64>().is_err() {
                return Err(SelectorError::NotInteger(shown(&self.key), self.op, shown(value)));
            }
            validate_value(&self.key, value)?;
        }
        Ok(())
    }
}

impl fmt::Display for Requirement {
    /// The notation of `kubectl -l`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (key, values) = (&self.key, self.values.join(","));
        match (self.op, self.values.len()) {
            (Operator::Exists, _) => f.write_str(key),
            (Operator::DoesNotExist, _) => write!(f, "!{key}"),
            (Operator::In, 1) => write!(f, "{key}={values}"),
            (Operator::NotIn, 1) => write!(f, "{key}!={values}"),
            (Operator::In, _) => write!(f, "{key} in ({values})"),
            (Operator::NotIn, _) => write!(f, "{key} notin ({values})"),
            (Operator::Gt, _) => write!(f, "{key}>{values}"),
            (Operator::Lt, _) => write!(f, "{key}<{values}"),
        }
    }
}

fn shown(text: &str) -> String {
    text.chars().take(SHOWN).collect()
}

/// Letters and digits at both ends; `-`, `_` and `.` between.
fn is_label_word(word: &str) -> bool {
    word.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.'))
        && word.starts_with(|c: char| c.is_ascii_alphanumeric())
        && word.ends_with(|c: char| c.is_ascii_alphanumeric())
}

/// A DNS subdomain: lower-case words of letters, digits and inner dashes, with dots between.
fn is_subdomain(text: &str) -> bool {
    text.split('.').all(|word| {
        word.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
            && !word.is_empty()
            && !word.starts_with('-')
            && !word.ends_with('-')
    })
}

/// Checks a label key: `name` or `prefix/name`.
///
/// # Errors
/// The rule it breaks.
pub fn validate_key(key: &str) -> Result<(), SelectorError> {
    let (prefix, name) = match key.split_once('/') {
        Some((prefix, name)) => (Some(prefix), name),
        None => (None, key),
    };
    let problem = if prefix.is_some_and(|prefix| prefix.len() > MAX_PREFIX || !is_subdomain(prefix)) {
        "the prefix before / must be a lower-case DNS name of at most 253 characters, such as example.com"
    } else if name.is_empty() {
        "the name is empty; write one such as app"
    } else if name.len() > MAX_NAME {
        "the name is longer than 63 characters; shorten it"
    } else if !is_label_word(name) {
        "the name must begin and end with a letter or digit, and have only letters, digits, - _ . between"
    } else {
        return Ok(());
    };
    Err(SelectorError::Key { key: shown(key), problem })
}

/// Checks a label value; the empty value is allowed. `key` is for the error's text.
///
/// # Errors
/// The rule it breaks.
pub fn validate_value(key: &str, value: &str) -> Result<(), SelectorError> {
    let problem = if value.len() > MAX_NAME {
        "it is longer than 63 characters; shorten it"
    } else if !value.is_empty() && !is_label_word(value) {
        "it must begin and end with a letter or digit, and have only letters, digits, - _ . between"
    } else {
        return Ok(());
    };
    Err(SelectorError::Value { key: shown(key), value: shown(value), problem })
}

/// `metav1.LabelSelector`: all of `matchLabels` and all of `matchExpressions` must hold. Empty, it matches everything.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct LabelSelector {
    /// Labels that must be there with these values.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub match_labels: BTreeMap<String, String>,
    /// Further conditions: `In`, `NotIn`, `Exists`, `DoesNotExist`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub match_expressions: Vec<Requirement>,
}

impl LabelSelector {
    /// Whether labels satisfy it.
    #[must_use]
    pub fn matches(&self, labels: &BTreeMap<String, String>) -> bool {
        self.match_labels.iter().all(|(key, value)| labels.get(key) == Some(value))
            && self.match_expressions.iter().all(|wanted| wanted.matches(labels.get(&wanted.key).map(String::as_str)))
    }

    /// Whether it has no condition.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.match_labels.is_empty() && self.match_expressions.is_empty()
    }

    /// As [`matches`](Self::matches); a selector that is not there matches nothing.
    #[must_use]
    pub fn matches_optional(selector: Option<&Self>, labels: &BTreeMap<String, String>) -> bool {
        selector.is_some_and(|selector| selector.matches(labels))
    }

    /// Checks keys, values and operators.
    ///
    /// # Errors
    /// The first rule broken.
    pub fn validate(&self) -> Result<(), SelectorError> {
        for (key, value) in &self.match_labels {
            validate_key(key)?;
            validate_value(key, value)?;
        }
        for wanted in &self.match_expressions {
            if matches!(wanted.op, Operator::Gt | Operator::Lt) {
                return Err(SelectorError::Operator(shown(&wanted.key), wanted.op));
            }
            wanted.validate()?;
        }
        Ok(())
    }

    /// The same conditions in the notation of `kubectl -l`, ordered by key.
    #[must_use]
    pub fn to_selector(&self) -> Selector {
        let equal = |(key, value): (&String, &String)| Requirement::new(key, Operator::In, &[value.as_str()]);
        Selector::new(self.match_labels.iter().map(equal).chain(self.match_expressions.iter().cloned()).collect())
    }
}

/// A label selector as a query string writes it: `a=b,c!=d,e in (x,y),f notin (z),g,!h,i>5,j<7`.
///
/// ```
/// use keelson_core::selector::Selector;
/// let selector = Selector::parse("app=cart, tier notin (test, dev)").unwrap();
/// assert_eq!(selector.to_string(), "app=cart,tier notin (dev,test)");
/// ```
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Selector {
    requirements: Vec<Requirement>,
}

impl Selector {
    /// All of these must hold. They are ordered by key and their values sorted, once each, as Kubernetes prints them.
    #[must_use]
    pub fn new(mut requirements: Vec<Requirement>) -> Self {
        for wanted in &mut requirements {
            wanted.values.sort();
            wanted.values.dedup();
        }
        requirements.sort_by(|a, b| a.key.cmp(&b.key));
        Self { requirements }
    }

    /// Reads the text. Blanks between words are ignored; an empty text selects everything.
    ///
    /// # Errors
    /// Where the text leaves the notation, or the rule a key or value breaks.
    pub fn parse(text: &str) -> Result<Self, SelectorError> {
        check_length(text)?;
        let mut words = Words::of(text);
        let mut requirements = Vec::new();
        while words.peek() != Word::End {
            requirements.push(words.requirement()?);
            match words.peek() {
                Word::End => break,
                Word::Symbol(",") => words.next(),
                _ => return Err(words.unexpected("a comma or the end")),
            };
            if words.peek() == Word::End {
                return Err(words.unexpected("a label key after the comma"));
            }
        }
        Ok(Self::new(requirements))
    }

    /// The conditions, ordered by key.
    #[must_use]
    pub fn requirements(&self) -> &[Requirement] {
        &self.requirements
    }

    /// Whether labels satisfy every condition.
    #[must_use]
    pub fn matches(&self, labels: &BTreeMap<String, String>) -> bool {
        self.requirements.iter().all(|wanted| wanted.matches(labels.get(&wanted.key).map(String::as_str)))
    }
}

impl fmt::Display for Selector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let texts: Vec<String> = self.requirements.iter().map(ToString::to_string).collect();
        f.write_str(&texts.join(","))
    }
}

const fn check_length(text: &str) -> Result<(), SelectorError> {
    match text.len() {
        length if length > MAX_SELECTOR => Err(SelectorError::TooLong(length)),
        _ => Ok(()),
    }
}
