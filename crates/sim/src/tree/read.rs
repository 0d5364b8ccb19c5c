//! Looking into a tree, one step at a time.

use std::ops::Index;

use super::{Map, Text, Value};

static NULL: Value = Value::Null;

impl Value {
    /// The value of a key; none when this is no map or has no such key.
    #[must_use]
    pub fn get(&self, key: &str) -> Option<&Self> {
        self.as_object()?.get(key)
    }

    /// The value of a key, to be written.
    pub fn get_mut(&mut self, key: &str) -> Option<&mut Self> {
        self.as_object_mut()?.get_mut(key)
    }

    /// The value at a JSON pointer (RFC 6901).
    #[must_use]
    pub fn pointer(&self, pointer: &str) -> Option<&Self> {
        steps(pointer)?.try_fold(self, |here, step| match here {
            Self::Object(map) => map.get(&step),
            Self::Array(list) => list.get(step.parse::<usize>().ok()?),
            _ => None,
        })
    }

    /// The value at a JSON pointer, to be written.
    pub fn pointer_mut(&mut self, pointer: &str) -> Option<&mut Self> {
        steps(pointer)?.try_fold(self, |here, step| match here {
            Self::Object(map) => map.get_mut(&step),
            Self::Array(list) => list.get_mut(step.parse::<usize>().ok()?),
            _ => None,
        })
    }

    /// Its text, when it is one.
    #[must_use]
    pub fn as_str(&self) -> Option<&str> {
        match self {
            Self::String(text) => Some(text),
            _ => None,
        }
    }

    /// Its text, when it is one, to be held.
    #[must_use]
    pub fn as_text(&self) -> Option<&Text> {
        match self {
            Self::String(text) => Some(text),
            _ => None,
        }
    }

    /// Its flag, when it is one.
    #[must_use]
    pub const fn as_bool(&self) -> Option<bool> {
        match self {
            Self::Bool(flag) => Some(*flag),
            _ => None,
        }
    }

    /// Its number, when it is a whole one.
    #[must_use]
    pub fn as_i64(&self) -> Option<i64> {
        match self {
            Self::Number(number) => number.as_i64(),
            _ => None,
        }
    }

    /// Its number, when it is a whole one and not below zero.
    #[must_use]
    pub fn as_u64(&self) -> Option<u64> {
        match self {
            Self::Number(number) => number.as_u64(),
            _ => None,
        }
    }

    /// Whether it is a whole number.
    #[must_use]
    pub fn is_integer(&self) -> bool {
        matches!(self, Self::Number(number) if number.is_i64() || number.is_u64())
    }

    /// Its number, when it is one.
    #[must_use]
    pub fn as_f64(&self) -> Option<f64> {
        match self {
            Self::Number(number) => number.as_f64(),
            _ => None,
        }
    }

    /// Its list, when it is one.
    #[must_use]
    pub fn as_array(&self) -> Option<&Vec<Self>> {
        match self {
            Self::Array(list) => Some(list),
            _ => None,
        }
    }

    /// Its list, when it is one, to be written.
    pub fn as_array_mut(&mut self) -> Option<&mut Vec<Self>> {
        match self {
            Self::Array(list) => Some(list),
            _ => None,
        }
    }

    /// Its map, when it is one.
    #[must_use]
    pub const fn as_object(&self) -> Option<&Map> {
        match self {
            Self::Object(map) => Some(map),
            _ => None,
        }
    }

    /// Its map, when it is one, to be written.
    pub const fn as_object_mut(&mut self) -> Option<&mut Map> {
        match self {
            Self::Object(map) => Some(map),
            _ => None,
        }
    }

    /// Whether it is nothing.
    #[must_use]
    pub const fn is_null(&self) -> bool {
        matches!(self, Self::Null)
    }

    /// Whether it is a flag.
    #[must_use]
    pub const fn is_boolean(&self) -> bool {
        matches!(self, Self::Bool(_))
    }

    /// Whether it is a number.
    #[must_use]
    pub const fn is_number(&self) -> bool {
        matches!(self, Self::Number(_))
    }

    /// Whether it is a text.
    #[must_use]
    pub const fn is_string(&self) -> bool {
        matches!(self, Self::String(_))
    }

    /// Whether it is a list.
    #[must_use]
    pub const fn is_array(&self) -> bool {
        matches!(self, Self::Array(_))
    }

    /// Whether it is a map.
    #[must_use]
    pub const fn is_object(&self) -> bool {
        matches!(self, Self::Object(_))
    }

    /// Takes the value out and leaves nothing.
    pub fn take(&mut self) -> Self {
        std::mem::take(self)
    }
}

fn steps(pointer: &str) -> Option<impl Iterator<Item = String>> {
    let rest = if pointer.is_empty() { None } else { Some(pointer.strip_prefix('/')?) };
    let unescape = |step: &str| step.replace("~1", "/").replace("~0", "~");
    Some(rest.into_iter().flat_map(move |rest| rest.split('/').map(unescape)))
}

impl<K: AsRef<str> + ?Sized> Index<&K> for Value {
    type Output = Self;
    fn index(&self, key: &K) -> &Self {
        self.get(key.as_ref()).unwrap_or(&NULL)
    }
}

impl Index<usize> for Value {
    type Output = Self;
    fn index(&self, at: usize) -> &Self {
        self.as_array().and_then(|list| list.get(at)).unwrap_or(&NULL)
    }
}

impl PartialEq<str> for Value {
    fn eq(&self, other: &str) -> bool {
        self.as_str() == Some(other)
    }
}

impl PartialEq<&str> for Value {
    fn eq(&self, other: &&str) -> bool {
        self.as_str() == Some(*other)
    }
}

impl PartialEq<Text> for Value {
    fn eq(&self, other: &Text) -> bool {
        self.as_text() == Some(other)
    }
}

impl PartialEq<String> for Value {
    fn eq(&self, other: &String) -> bool {
        self.as_str() == Some(other)
    }
}

impl PartialEq<Value> for str {
    fn eq(&self, other: &Value) -> bool {
        other.as_str() == Some(self)
    }
}

impl PartialEq<bool> for Value {
    fn eq(&self, other: &bool) -> bool {
        self.as_bool() == Some(*other)
    }
}

impl PartialEq<i32> for Value {
    fn eq(&self, other: &i32) -> bool {
        self.as_i64() == Some(i64::from(*other))
    }
}

impl PartialEq<i64> for Value {
    fn eq(&self, other: &i64) -> bool {
        self.as_i64() == Some(*other)
    }
}

/// Tests write by index.
#[cfg(test)]
mod writing {
    #![allow(clippy::indexing_slicing, clippy::unwrap_used)]
    use std::ops::IndexMut;

    use super::*;

    impl<K: AsRef<str> + ?Sized> IndexMut<&K> for Value {
        fn index_mut(&mut self, key: &K) -> &mut Self {
            if self.is_null() {
                *self = Self::Object(Map::new());
            }
            self.as_object_mut().unwrap().entry(key.as_ref()).or_insert(Self::Null)
        }
    }

    impl IndexMut<usize> for Value {
        fn index_mut(&mut self, at: usize) -> &mut Self {
            &mut self.as_array_mut().unwrap()[at]
        }
    }
}
