//! Sets of fields: the `FieldsV1` of managed fields.
//!
//! A set is a tree of path elements, each written as upstream writes it: `f:name`, `k:{"name":"web"}`, `v:"a"`.
//!
//! Promises: union, difference and intersection are those of sets of paths; reading what was written gives it back.

use std::collections::BTreeMap;

use super::{
    super::json::Json,
    shape::{ListKind, Shape},
};
use crate::tree::{Map, Text, Value, json};

/// A set of field paths.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Fields {
    /// Whether the path that ends here is in the set.
    pub here: bool,
    pub under: Map<Fields>,
}

impl Fields {
    pub fn is_empty(&self) -> bool {
        !self.here && self.under.is_empty()
    }

    pub fn read(json: &Value) -> Self {
        let Some(map) = json.as_object() else { return Self::default() };
        let mut set = Self { here: map.is_empty() || map.contains_key("."), under: Map::new() };
        for (element, inner) in map.iter().filter(|(element, _)| *element != ".") {
            set.under.insert(element, Self::read(inner));
        }
        set
    }

    pub fn write(&self) -> Value {
        let mut map = Map::new();
        if self.here && !self.under.is_empty() {
            map.insert(".", json!({}));
        }
        for (element, inner) in &self.under {
            map.insert(element.clone(), inner.write());
        }
        Value::Object(map)
    }

    /// Adds every path of this set to a written one.
    pub fn add_to(&self, json: &mut Value) {
        if self.is_within(json) {
            return;
        }
        let Some(map) = json.as_object_mut() else {
            *json = self.write();
            return;
        };
        let here = self.here || map.is_empty() || map.contains_key(".");
        for (element, inner) in &self.under {
            match map.get_mut(element) {
                Some(known) => inner.add_to(known),
                None => drop(map.insert(element, inner.write())),
            }
        }
        if here && !map.is_empty() {
            map.insert(".", json!({}));
        }
    }

    pub fn union(&self, other: &Self) -> Self {
        let mut all = self.clone();
        all.here |= other.here;
        for (element, inner) in &other.under {
            let merged = all.under.get(element).map_or_else(|| inner.clone(), |mine| mine.union(inner));
            all.under.insert(element, merged);
        }
        all
    }

    pub fn difference(&self, other: &Self) -> Self {
        let under = self.under.iter().filter_map(|(element, mine)| {
            let left = other.under.get(element).map_or_else(|| mine.clone(), |theirs| mine.difference(theirs));
            (!left.is_empty()).then(|| (element.clone(), left))
        });
        Self { here: self.here && !other.here, under: under.collect() }
    }

    pub fn intersection(&self, other: &Self) -> Self {
        let under = self.under.iter().filter_map(|(element, mine)| {
            let both = mine.intersection(other.under.get(element)?);
            (!both.is_empty()).then(|| (element.clone(), both))
        });
        Self { here: self.here && other.here, under: under.collect() }
    }

    /// Whether any path of this set is in a written one.
    pub fn touches(&self, json: &Value) -> bool {
        let Some(map) = json.as_object() else { return false };
        (self.here && (map.is_empty() || map.contains_key(".")))
            || self.under.iter().any(|(element, inner)| map.get(element).is_some_and(|json| inner.touches(json)))
    }

    /// Whether every path of this set is in a written one.
    pub fn is_within(&self, json: &Value) -> bool {
        let Some(map) = json.as_object() else { return self.is_empty() };
        (!self.here || map.is_empty() || map.contains_key("."))
            && self.under.iter().all(|(element, inner)| map.get(element).is_some_and(|json| inner.is_within(json)))
    }

    /// Every path, as upstream prints it: `.spec.containers[name="web"].image`.
    pub fn paths(&self) -> Vec<String> {
        let mut out = Vec::new();
        self.walk("", &mut out);
        out
    }

    fn walk(&self, at: &str, out: &mut Vec<String>) {
        // What is of this level comes first, then what is below it.
        let (leaves, deeper): (Vec<_>, Vec<_>) = self.under.iter().partition(|(_, inner)| inner.here);
        for (element, _) in &leaves {
            out.push(format!("{at}{}", printed(element)));
        }
        for (element, inner) in leaves.into_iter().chain(deeper) {
            inner.walk(&format!("{at}{}", printed(element)), out);
        }
    }

    /// The fields a document sets.
    pub fn of(shape: Shape<'_>, value: &Value) -> Self {
        let mut set = Self::default();
        match value {
            Value::Object(map) if !map.is_empty() && !shape.atomic_map() => {
                for (name, child) in map {
                    set.put(|| field(name), Self::of(shape.field(name), child));
                }
            }
            Value::Array(list) => match shape.list() {
                ListKind::Atomic => set.here = true,
                ListKind::Set => {
                    for item in list {
                        set.under.insert(format!("v:{item}"), Self { here: true, under: Map::new() });
                    }
                }
                ListKind::Map(keys) => {
                    for item in list {
                        let mut inner = Self::of(shape.item(), item);
                        inner.here = true;
                        set.under.insert(element_key(shape.item(), &keys, item), inner);
                    }
                }
            },
            _ => set.here = true,
        }
        set
    }

    /// What was added or modified, and what was removed, between two documents.
    pub fn compare(shape: Shape<'_>, old: &Value, new: &Value) -> (Self, Self) {
        let (mut changed, mut removed) = (Self::default(), Self::default());
        if old == new {
            return (changed, removed);
        }
        match (old, new) {
            (Value::Object(before), Value::Object(after)) if !shape.atomic_map() => {
                for (name, now) in after {
                    match before.get(name) {
                        Some(was) if was == now => {}
                        Some(was) => {
                            let (c, r) = Self::compare(shape.field(name), was, now);
                            changed.put(|| field(name), c);
                            removed.put(|| field(name), r);
                        }
                        None => changed.put(|| field(name), Self::added(shape.field(name), name, now)),
                    }
                }
                for (name, was) in before.iter().filter(|(name, _)| !after.contains_key(name)) {
                    removed.put(|| field(name), Self::added(shape.field(name), name, was));
                }
            }
            (Value::Array(before), Value::Array(after)) if shape.list() != ListKind::Atomic => {
                let kind = shape.list();
                let keyed = |list: &[Value]| -> BTreeMap<Text, Value> {
                    list.iter().map(|item| (element(shape, &kind, item).into(), item.clone())).collect()
                };
                let (before, after) = (keyed(before), keyed(after));
                for (element, now) in &after {
                    match before.get(element) {
                        Some(was) => {
                            let (c, r) = Self::compare(shape.item(), was, now);
                            changed.put(|| element.clone(), c);
                            removed.put(|| element.clone(), r);
                        }
                        None => changed.put(|| element.clone(), Self::item_of(shape, &kind, now)),
                    }
                }
                for (element, was) in before.iter().filter(|(element, _)| !after.contains_key(*element)) {
                    removed.put(|| element.clone(), Self::item_of(shape, &kind, was));
                }
            }
            _ => changed = Self { here: true, under: Self::of(shape, new).under },
        }
        (changed, removed)
    }

    fn item_of(shape: Shape<'_>, kind: &ListKind<'_>, item: &Value) -> Self {
        match kind {
            ListKind::Map(_) => Self { here: true, under: Self::grown(shape.item(), item).under },
            _ => Self { here: true, under: Map::new() },
        }
    }

    /// The fields of something that was not there at all: every map and list in it is a field too.
    fn grown(shape: Shape<'_>, value: &Value) -> Self {
        let mut set = Self { here: true, under: Map::new() };
        match value {
            Value::Object(map) if !shape.atomic_map() => {
                for (name, child) in map {
                    set.under.insert(field(name), Self::grown(shape.field(name), child));
                }
            }
            Value::Array(list) if shape.list() != ListKind::Atomic => {
                let kind = shape.list();
                for item in list {
                    set.under.insert(element(shape, &kind, item), Self::item_of(shape, &kind, item));
                }
            }
            _ => {}
        }
        set
    }

    /// The fields of something new. Frames (Go structs that are never omitted) were there before, empty.
    fn added(shape: Shape<'_>, name: &str, value: &Value) -> Self {
        let is_one_value = shape.atomic_map() && value.as_object().is_some_and(|map| !map.is_empty());
        if !shape.is_frame(name) || is_one_value {
            return Self::grown(shape, value);
        }
        let mut set = Self::grown(shape, value);
        // A list that is one value is a field, whatever was there before.
        set.here = value.is_array() && shape.list() == ListKind::Atomic;
        if let Value::Object(map) = value {
            for (name, child) in map {
                let inner = Self::added(shape.field(name), name, child);
                set.under.remove(&field(name));
                set.put(|| field(name), inner);
            }
        }
        set
    }

    fn put(&mut self, element: impl FnOnce() -> Text, inner: Self) {
        if !inner.is_empty() {
            self.under.insert(element(), inner);
        }
    }

    /// Cuts one top-level field out.
    pub fn without(mut self, path: &[&str]) -> Self {
        if let Some((first, rest)) = path.split_first() {
            let element = format!("f:{first}");
            if rest.is_empty() {
                self.under.remove(&element);
            } else if let Some(inner) = self.under.remove(&element) {
                let left = inner.without(rest);
                if !left.is_empty() {
                    self.under.insert(element, left);
                }
            }
        }
        self
    }

    /// Keeps one top-level field only.
    pub fn only(mut self, field: &str) -> Self {
        let element = format!("f:{field}");
        self.under.retain(|name, _| *name == element);
        self.here = false;
        self
    }
}

/// The element that names a field.
fn field(name: &str) -> Text {
    ["f:", name].concat().into()
}

/// The element that names an item of a list.
pub(crate) fn element(shape: Shape<'_>, kind: &ListKind<'_>, item: &Value) -> String {
    match kind {
        ListKind::Map(keys) => element_key(shape.item(), keys, item),
        _ => format!("v:{item}"),
    }
}

fn element_key(item_shape: Shape<'_>, keys: &[&str], item: &Value) -> String {
    let mut sorted = keys.to_vec();
    sorted.sort();
    let named = sorted.into_iter().filter_map(|key| {
        let value = item.get(key).cloned().or_else(|| item_shape.key_default(key))?;
        Some(format!("{}:{value}", json!(key)))
    });
    format!("k:{{{}}}", named.collect::<Vec<_>>().join(","))
}

fn printed(element: &str) -> String {
    match element.split_at_checked(2) {
        Some(("f:", name)) => format!(".{name}"),
        Some(("k:", keys)) => {
            let keys: Value = serde_json::from_str(keys).unwrap_or(Value::Null);
            let each: Vec<String> = keys.entries(&[]).map(|(key, value)| format!("{key}={value}")).collect();
            format!("[{}]", each.join(","))
        }
        Some(("v:", value)) => format!("[={value}]"),
        _ => format!("[{}]", element.trim_start_matches("i:")),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn fields() -> impl Strategy<Value = Fields> {
        let leaf = Just(Fields { here: true, under: Map::new() });
        leaf.prop_recursive(3, 12, 3, |inner| {
            let name = prop_oneof![Just("f:a"), Just("f:b"), Just(r#"k:{"name":"x"}"#), Just(r#"v:"y""#)];
            (any::<bool>(), prop::collection::btree_map(name.prop_map(str::to_owned), inner, 1..3))
                .prop_map(|(here, under)| Fields { here, under: under.into_iter().collect() })
        })
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 128, failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn what_is_written_is_read_back(set in fields()) {
            prop_assert_eq!(Fields::read(&set.write()), set);
        }

        #[test]
        fn the_laws_of_sets(a in fields(), b in fields()) {
            prop_assert_eq!(a.union(&b), b.union(&a));
            prop_assert_eq!(a.intersection(&b), b.intersection(&a));
            prop_assert_eq!(a.difference(&b).union(&a.intersection(&b)), a.clone());
            prop_assert!(a.difference(&b).intersection(&b).is_empty());
            prop_assert!(a.difference(&a).is_empty());
            prop_assert_eq!(a.is_within(&b.write()), a.difference(&b).is_empty());
            let mut both = b.write();
            a.add_to(&mut both);
            prop_assert_eq!(both, a.union(&b).write());
            prop_assert_eq!(a.touches(&b.write()), !a.intersection(&b).is_empty());
        }
    }

    #[test]
    fn paths_as_conflicts_print_them() {
        let set = Fields::read(&json!({"f:spec": {"f:containers": {r#"k:{"name":"web"}"#: {".": {}, "f:image": {}}}}}));
        assert_eq!(set.paths(), [r#".spec.containers[name="web"]"#, r#".spec.containers[name="web"].image"#]);
    }
}
