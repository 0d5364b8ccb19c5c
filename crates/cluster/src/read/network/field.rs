//! A field of anything, and its path.

use std::ops::RangeInclusive;

use keelson_core::Quantity;
use serde_json::Value;

use super::{Problem, problem};

/// A value and where it is.
#[derive(Debug, Clone)]
pub(super) struct Field<'a> {
    pub(super) path: String,
    value: &'a Value,
}

impl<'a> Field<'a> {
    pub(super) fn root(value: &'a Value) -> Self {
        Self { path: String::new(), value }
    }

    /// The first of these fields that is there and not null; its older names come after its name.
    pub(super) fn get(&self, names: &[&str]) -> Option<Self> {
        names.iter().find_map(|name| {
            let value = self.value.get(name).filter(|value| !value.is_null())?;
            Some(Self { path: self.missing(name), value })
        })
    }

    /// The object's spec; an empty one when there is none.
    pub(super) fn spec(&self) -> Self {
        self.get(&["spec"]).unwrap_or(Self { path: "spec".into(), value: &Value::Null })
    }

    /// The items of a list; none when it is missing, and a problem when it is something else.
    pub(super) fn list(&self, names: &[&str], problems: &mut Vec<Problem>) -> Vec<Self> {
        let Some(field) = self.get(names) else { return Vec::new() };
        let Some(items) = field.value.as_array() else {
            problems.push(problem(field.path, "is no list; write one"));
            return Vec::new();
        };
        let item = |(index, value)| Self { path: format!("{}[{index}]", field.path), value };
        items.iter().enumerate().map(item).collect()
    }

    /// A text that is not empty; a problem when it is something else.
    pub(super) fn text(&self, names: &[&str], problems: &mut Vec<Problem>) -> Option<&'a str> {
        let field = self.get(names)?;
        let text = field.value.as_str();
        if text.is_none() {
            problems.push(problem(field.path, format!("{} is no text", brief(field.value))));
        }
        text.filter(|text| !text.is_empty())
    }

    /// A whole number in this range; a problem when it is something else.
    pub(super) fn number(
        &self,
        names: &[&str],
        range: RangeInclusive<i64>,
        problems: &mut Vec<Problem>,
    ) -> Option<i64> {
        let field = self.get(names)?;
        let number = field.value.as_i64().filter(|number| range.contains(number));
        if number.is_none() {
            let text = format!("{} is not in {} to {}", brief(field.value), range.start(), range.end());
            problems.push(problem(field.path, text));
        }
        number
    }

    /// Bits a second, as a quantity; a problem when it is something else.
    pub(super) fn bits(&self, names: &[&str], problems: &mut Vec<Problem>) -> Option<i64> {
        let field = self.get(names)?;
        let text = match field.value {
            Value::String(text) => text.clone(),
            Value::Number(number) => number.to_string(),
            other => {
                problems.push(problem(field.path, format!("{} is no quantity", brief(other))));
                return None;
            }
        };
        match text.parse::<Quantity>() {
            Ok(quantity) => {
                let bits = keelson_core::ResourceName::from("bits").amount_of(&quantity);
                let sane = (0..=MOST_BITS).contains(&bits);
                if !sane {
                    problems.push(problem(field.path, format!("{text} is not in 0 to 1P bits a second")));
                }
                sane.then_some(bits)
            }
            Err(error) => {
                problems.push(problem(field.path, error));
                None
            }
        }
    }

    /// The path of a field that is not there.
    pub(super) fn missing(&self, name: &str) -> String {
        if self.path.is_empty() { name.to_owned() } else { format!("{}.{name}", self.path) }
    }
}

/// No link carries more than this many bits a second.
const MOST_BITS: i64 = 1_000_000_000_000_000;

/// The beginning of a value, so that no message grows with what is wrong in it.
fn brief(value: &Value) -> String {
    let text = value.to_string();
    match text.char_indices().nth(40) {
        Some((end, _)) => format!("{}...", text.get(..end).unwrap_or_default()),
        None => text,
    }
}
