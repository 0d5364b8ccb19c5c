//! JSON trees whose copies share what they have in common.
//!
//! A cluster in a process keeps many versions of each object, and two versions of one object differ in a few fields. So
//! a [`Value`] is copied by counting one more holder, a write copies the maps and lists on its path and nothing beside
//! it, and two versions are compared where they are not the same.
//!
//! Promises: it reads, compares and prints as the JSON trees of `serde_json` do, keys in order of their bytes; a copy
//! never sees what is written into another.

mod make;
mod map;
mod merge;
mod read;
mod serde;
mod text;

use std::{
    fmt,
    ops::{Deref, DerefMut},
    sync::Arc,
};

use serde_json::Number;

pub use make::{Literal, ToValue};
pub use map::{Entry, Map};
pub use text::Text;

pub use crate::json_tree as json;

/// A JSON value. Cloning it costs the same whatever its size.
#[derive(Clone, PartialEq, Eq, Default)]
pub enum Value {
    /// Nothing.
    #[default]
    Null,
    /// A flag.
    Bool(bool),
    /// A number.
    Number(Number),
    /// A text.
    String(Text),
    /// A list.
    Array(List),
    /// A map.
    Object(Map),
}

impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = serde_json::to_string(self).map_err(|_| fmt::Error)?;
        f.write_str(&text)
    }
}

impl fmt::Debug for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

/// A list of values; copied when it is written while somebody else holds it.
#[derive(Clone, Eq, Default)]
pub struct List(Arc<Vec<Value>>);

impl Deref for List {
    type Target = Vec<Value>;
    fn deref(&self) -> &Vec<Value> {
        &self.0
    }
}

impl<'a> IntoIterator for &'a List {
    type Item = &'a Value;
    type IntoIter = std::slice::Iter<'a, Value>;
    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

impl FromIterator<Value> for List {
    fn from_iter<I: IntoIterator<Item = Value>>(values: I) -> Self {
        values.into_iter().collect::<Vec<Value>>().into()
    }
}

impl DerefMut for List {
    fn deref_mut(&mut self) -> &mut Vec<Value> {
        Arc::make_mut(&mut self.0)
    }
}

impl PartialEq for List {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0) || self.0 == other.0
    }
}

impl From<Vec<Value>> for List {
    fn from(values: Vec<Value>) -> Self {
        Self(Arc::new(values))
    }
}

impl fmt::Debug for List {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::indexing_slicing)]
    use proptest::prelude::*;

    use super::*;

    fn any_json() -> impl Strategy<Value = serde_json::Value> {
        let leaf = prop_oneof![
            Just(serde_json::Value::Null),
            any::<bool>().prop_map(serde_json::Value::from),
            any::<i64>().prop_map(serde_json::Value::from),
            any::<u64>().prop_map(serde_json::Value::from),
            (-1e9..1e9).prop_map(serde_json::Value::from),
            ".{0,6}".prop_map(serde_json::Value::from),
        ];
        leaf.prop_recursive(3, 24, 12, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..4).prop_map(serde_json::Value::from),
                prop::collection::btree_map(".{0,3}", inner, 0..24)
                    .prop_map(|map| serde_json::Value::Object(map.into_iter().collect())),
            ]
        })
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn a_tree_is_the_json_it_was_read_from(json in any_json(), other in any_json()) {
            // Reading rounds some fractions; the same text is read twice here.
            let text = json.to_string();
            let json: serde_json::Value = serde_json::from_str(&text).unwrap();
            let text = json.to_string();
            let tree: Value = serde_json::from_str(&text).unwrap();
            prop_assert_eq!(&tree, &Value::from(json.clone()));
            prop_assert_eq!(tree.to_string(), text);
            prop_assert_eq!(serde_json::Value::from(&tree), json.clone());
            prop_assert_eq!(<serde_json::Value as ::serde::Deserialize>::deserialize(&tree).unwrap(), json.clone());
            prop_assert_eq!(tree == Value::from(other.clone()), json == other);
        }

        #[test]
        fn a_map_is_an_ordered_map(steps in prop::collection::vec(("[a-e]{0,2}", any::<bool>(), any::<i64>()), 0..60)) {
            let (mut map, mut model) = (Map::new(), std::collections::BTreeMap::new());
            for (key, put, number) in steps {
                if put {
                    prop_assert_eq!(map.insert(key.clone(), Value::from(number)), model.insert(key, Value::from(number)));
                } else {
                    prop_assert_eq!(map.remove(&key), model.remove(&key));
                }
                prop_assert!(map.iter().map(|(key, value)| (key.as_str(), value)).eq(
                    model.iter().map(|(key, value)| (key.as_str(), value))));
            }
        }
    }

    #[test]
    fn a_copy_never_sees_what_is_written_into_another() {
        let first = json!({"a": {"b": [1, 2]}, "c": {"d": "e"}});
        let mut second = first.clone();
        second["a"]["b"][0] = json!(9);
        second.as_object_mut().unwrap().remove("c");
        assert_eq!(first, json!({"a": {"b": [1, 2]}, "c": {"d": "e"}}));
        assert_eq!(second, json!({"a": {"b": [9, 2]}}));
    }

    #[test]
    fn what_is_refused_is_refused_in_the_words_of_serde_json() {
        let wrong = json!({"metadata": {"name": 5}});
        let said = |problem: serde_json::Error| problem.to_string();
        type Pod = k8s_openapi::api::core::v1::Pod;
        assert_eq!(
            <Pod as ::serde::Deserialize>::deserialize(&wrong).map_err(said),
            serde_json::from_value::<Pod>(serde_json::Value::from(&wrong)).map_err(said)
        );
    }
}
