//! Making trees: from Rust's own values, and by [`json!`](crate::tree::json).

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::Number;

use super::{List, Map, Text, Value};

/// What can stand in a tree; [`json!`](crate::tree::json) takes it by reference.
pub trait ToValue {
    /// The tree it makes.
    fn to_value(&self) -> Value;
}

impl<T: ToValue + ?Sized> ToValue for &T {
    fn to_value(&self) -> Value {
        (**self).to_value()
    }
}

impl<T: ToValue + ?Sized> ToValue for Arc<T> {
    fn to_value(&self) -> Value {
        (**self).to_value()
    }
}

impl ToValue for Value {
    fn to_value(&self) -> Value {
        self.clone()
    }
}

impl ToValue for Map {
    fn to_value(&self) -> Value {
        Value::Object(self.clone())
    }
}

impl ToValue for Text {
    fn to_value(&self) -> Value {
        Value::String(self.clone())
    }
}

impl ToValue for str {
    fn to_value(&self) -> Value {
        Value::String(self.into())
    }
}

impl ToValue for String {
    fn to_value(&self) -> Value {
        self.as_str().to_value()
    }
}

impl<T: ToValue> ToValue for Option<T> {
    fn to_value(&self) -> Value {
        self.as_ref().map_or(Value::Null, ToValue::to_value)
    }
}

impl<T: ToValue> ToValue for [T] {
    fn to_value(&self) -> Value {
        self.iter().map(ToValue::to_value).collect()
    }
}

impl<T: ToValue, const N: usize> ToValue for [T; N] {
    fn to_value(&self) -> Value {
        self.as_slice().to_value()
    }
}

impl<T: ToValue> ToValue for Vec<T> {
    fn to_value(&self) -> Value {
        self.as_slice().to_value()
    }
}

impl<K: AsRef<str>, V: ToValue> ToValue for BTreeMap<K, V> {
    fn to_value(&self) -> Value {
        self.iter().map(|(key, value)| (key.as_ref(), value.to_value())).collect()
    }
}

impl ToValue for keelson_core::Quantity {
    fn to_value(&self) -> Value {
        self.to_string().into()
    }
}

/// Makes a value of a literal, whose letters are written in the program.
pub trait Literal {
    /// The value it makes.
    fn literal_value(self) -> Value;
}

impl Literal for &'static str {
    fn literal_value(self) -> Value {
        Value::String(Text::of(self))
    }
}

macro_rules! plain {
    ($($kind:ty),*) => {$(
        impl From<$kind> for Value {
            fn from(plain: $kind) -> Self {
                plain.to_value()
            }
        }
        impl Literal for $kind {
            fn literal_value(self) -> Value {
                self.to_value()
            }
        }
    )*};
}

macro_rules! numbers {
    ($($kind:ty),*) => {
        $(impl ToValue for $kind {
            fn to_value(&self) -> Value {
                Value::Number(Number::from(*self))
            }
        })*
        plain!($($kind),*);
    };
}

numbers!(u8, u16, u32, u64, usize, i8, i16, i32, i64, isize);
plain!(bool, f64);

impl ToValue for bool {
    fn to_value(&self) -> Value {
        Value::Bool(*self)
    }
}

impl ToValue for f64 {
    fn to_value(&self) -> Value {
        Number::from_f64(*self).map_or(Value::Null, Value::Number)
    }
}

impl From<&str> for Value {
    fn from(text: &str) -> Self {
        Self::String(text.into())
    }
}

impl From<String> for Value {
    fn from(text: String) -> Self {
        Self::String(text.into())
    }
}

impl From<Text> for Value {
    fn from(text: Text) -> Self {
        Self::String(text)
    }
}

impl From<Map> for Value {
    fn from(map: Map) -> Self {
        Self::Object(map)
    }
}

impl From<List> for Value {
    fn from(list: List) -> Self {
        Self::Array(list)
    }
}

impl<T: Into<Self>> From<Vec<T>> for Value {
    fn from(values: Vec<T>) -> Self {
        values.into_iter().map(Into::into).collect()
    }
}

impl FromIterator<Self> for Value {
    fn from_iter<I: IntoIterator<Item = Self>>(values: I) -> Self {
        Self::Array(values.into_iter().collect::<Vec<Self>>().into())
    }
}

impl<K: Into<Text>> FromIterator<(K, Self)> for Value {
    fn from_iter<I: IntoIterator<Item = (K, Self)>>(entries: I) -> Self {
        Self::Object(entries.into_iter().collect())
    }
}

impl From<serde_json::Value> for Value {
    fn from(json: serde_json::Value) -> Self {
        match json {
            serde_json::Value::Null => Self::Null,
            serde_json::Value::Bool(flag) => Self::Bool(flag),
            serde_json::Value::Number(number) => Self::Number(number),
            serde_json::Value::String(text) => text.into(),
            serde_json::Value::Array(list) => list.into(),
            serde_json::Value::Object(map) => map.into_iter().map(|(key, value)| (key, Self::from(value))).collect(),
        }
    }
}

impl From<&Value> for serde_json::Value {
    fn from(tree: &Value) -> Self {
        match tree {
            Value::Null => Self::Null,
            Value::Bool(flag) => Self::Bool(*flag),
            Value::Number(number) => Self::Number(number.clone()),
            Value::String(text) => Self::String(text.to_string()),
            Value::Array(list) => list.iter().map(Self::from).collect(),
            Value::Object(map) => map.iter().map(|(key, value)| (key.to_string(), Self::from(value))).collect(),
        }
    }
}

/// A tree as it is written in JSON, with expressions where values stand; like `serde_json::json!`.
#[macro_export]
#[doc(hidden)]
macro_rules! json_tree {
    (null) => { $crate::tree::Value::Null };
    ([]) => { $crate::tree::Value::Array($crate::tree::List::default()) };
    ({}) => { $crate::tree::Value::Object($crate::tree::Map::new()) };
    ([ $($rest:tt)+ ]) => {{
        let mut list = $crate::tree::List::default();
        $crate::json_tree!(@list list $($rest)+);
        $crate::tree::Value::Array(list)
    }};
    ({ $($rest:tt)+ }) => {{
        let mut map = $crate::tree::Map::with_capacity(8);
        $crate::json_tree!(@map map $($rest)+);
        $crate::tree::Value::Object(map)
    }};

    (@list $list:ident) => {};
    (@list $list:ident null $(, $($rest:tt)*)?) => {
        $list.push($crate::tree::Value::Null);
        $($crate::json_tree!(@list $list $($rest)*);)?
    };
    (@list $list:ident [$($inner:tt)*] $(, $($rest:tt)*)?) => {
        $list.push($crate::json_tree!([$($inner)*]));
        $($crate::json_tree!(@list $list $($rest)*);)?
    };
    (@list $list:ident {$($inner:tt)*} $(, $($rest:tt)*)?) => {
        $list.push($crate::json_tree!({$($inner)*}));
        $($crate::json_tree!(@list $list $($rest)*);)?
    };
    (@list $list:ident $value:literal $(, $($rest:tt)*)?) => {
        $list.push($crate::tree::Literal::literal_value($value));
        $($crate::json_tree!(@list $list $($rest)*);)?
    };
    (@list $list:ident $value:expr $(, $($rest:tt)*)?) => {
        $list.push($crate::tree::ToValue::to_value(&$value));
        $($crate::json_tree!(@list $list $($rest)*);)?
    };

    (@map $map:ident) => {};
    (@map $map:ident $key:literal : $($rest:tt)+) => {
        $crate::json_tree!(@field $map ($crate::tree::Text::of($key)) $($rest)+);
    };
    (@map $map:ident ($key:expr) : $($rest:tt)+) => {
        $crate::json_tree!(@field $map ($crate::tree::Text::from($key)) $($rest)+);
    };
    (@map $map:ident $key:ident : $($rest:tt)+) => {
        $crate::json_tree!(@field $map ($crate::tree::Text::from($key)) $($rest)+);
    };
    (@map $map:ident $module:ident :: $key:ident : $($rest:tt)+) => {
        $crate::json_tree!(@field $map ($crate::tree::Text::from($module::$key)) $($rest)+);
    };
    (@field $map:ident ($key:expr) null $(, $($rest:tt)*)?) => {
        $map.insert($key, $crate::tree::Value::Null);
        $($crate::json_tree!(@map $map $($rest)*);)?
    };
    (@field $map:ident ($key:expr) [$($inner:tt)*] $(, $($rest:tt)*)?) => {
        $map.insert($key, $crate::json_tree!([$($inner)*]));
        $($crate::json_tree!(@map $map $($rest)*);)?
    };
    (@field $map:ident ($key:expr) {$($inner:tt)*} $(, $($rest:tt)*)?) => {
        $map.insert($key, $crate::json_tree!({$($inner)*}));
        $($crate::json_tree!(@map $map $($rest)*);)?
    };
    (@field $map:ident ($key:expr) $value:literal $(, $($rest:tt)*)?) => {
        $map.insert($key, $crate::tree::Literal::literal_value($value));
        $($crate::json_tree!(@map $map $($rest)*);)?
    };
    (@field $map:ident ($key:expr) $value:expr $(, $($rest:tt)*)?) => {
        $map.insert($key, $crate::tree::ToValue::to_value(&$value));
        $($crate::json_tree!(@map $map $($rest)*);)?
    };

    ($value:literal) => { $crate::tree::Literal::literal_value($value) };
    ($value:expr) => { $crate::tree::ToValue::to_value(&$value) };
}
