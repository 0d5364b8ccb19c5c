//! Reading and writing a JSON tree by path.
//!
//! Kubernetes objects are trees in which most branches may be missing. A missing branch reads as null, an empty string
//! or an empty list, and a write makes the branches it needs, so that the rules of the API read like sentences.

use crate::tree::{List, Map, Text, Value};

static NULL: Value = Value::Null;

/// Paths into a JSON tree.
pub(crate) trait Json {
    /// The value at the path; null when it is not there.
    fn at(&self, path: &[&str]) -> &Value;
    /// The string at the path; empty when there is none.
    fn text(&self, path: &[&str]) -> &str;
    /// The list at the path; empty when there is none.
    fn items(&self, path: &[&str]) -> &[Value];
    /// The integer at the path.
    fn int(&self, path: &[&str]) -> Option<i64>;
    /// The object's entries at the path.
    fn entries(&self, path: &[&str]) -> impl Iterator<Item = (&Text, &Value)>;
    /// The place at the path, its branches made when missing.
    fn place(&mut self, path: &[&str]) -> &mut Value;
    /// The place at the path, when it is there.
    fn place_if(&mut self, path: &[&str]) -> Option<&mut Value>;
    /// The object at the path, made when missing.
    fn object(&mut self, path: &[&str]) -> &mut Map;
    /// The list at the path, made when missing.
    fn array(&mut self, path: &[&str]) -> &mut Vec<Value>;
    /// Writes the value at the path.
    fn put(&mut self, path: &[&str], value: impl Into<Value>);
    /// Writes the value unless there is one (null counts as none).
    fn default_to(&mut self, path: &[&str], value: impl Into<Value>);
    /// Takes the value at the path away.
    fn cut(&mut self, path: &[&str]) -> Option<Value>;
}

impl Json for Value {
    fn at(&self, path: &[&str]) -> &Value {
        let mut here = self;
        for key in path {
            match here.get(key) {
                Some(next) => here = next,
                None => return &NULL,
            }
        }
        here
    }

    fn text(&self, path: &[&str]) -> &str {
        self.at(path).as_str().unwrap_or("")
    }

    fn items(&self, path: &[&str]) -> &[Value] {
        self.at(path).as_array().map_or(&[], Vec::as_slice)
    }

    fn int(&self, path: &[&str]) -> Option<i64> {
        self.at(path).as_i64()
    }

    fn entries(&self, path: &[&str]) -> impl Iterator<Item = (&Text, &Value)> {
        self.at(path).as_object().into_iter().flatten()
    }

    fn place(&mut self, path: &[&str]) -> &mut Value {
        let mut here = self;
        for key in path {
            here = force_object(here).entry(key).or_insert(Value::Null);
        }
        here
    }

    fn place_if(&mut self, path: &[&str]) -> Option<&mut Value> {
        path.iter().try_fold(self, |here, key| here.get_mut(key))
    }

    fn object(&mut self, path: &[&str]) -> &mut Map {
        force_object(self.place(path))
    }

    fn array(&mut self, path: &[&str]) -> &mut Vec<Value> {
        force_array(self.place(path))
    }

    fn put(&mut self, path: &[&str], value: impl Into<Value>) {
        let value = value.into();
        // What is there already stays shared with other versions. Null is no proof that the branch is there.
        if value.is_null() || self.at(path) != &value {
            *self.place(path) = value;
        }
    }

    fn default_to(&mut self, path: &[&str], value: impl Into<Value>) {
        if self.at(path).is_null() {
            *self.place(path) = value.into();
        }
    }

    fn cut(&mut self, path: &[&str]) -> Option<Value> {
        let (last, branch) = path.split_last()?;
        self.at(branch).get(last)?;
        let mut here = self;
        for key in branch {
            here = here.get_mut(key)?;
        }
        here.as_object_mut()?.remove(last)
    }
}

fn force_object(value: &mut Value) -> &mut Map {
    match value {
        Value::Object(map) => map,
        other => {
            *other = Value::Object(Map::new());
            force_object(other)
        }
    }
}

fn force_array(value: &mut Value) -> &mut Vec<Value> {
    match value {
        Value::Array(list) => list,
        other => {
            *other = Value::Array(List::default());
            force_array(other)
        }
    }
}

/// Takes nulls out of objects, as a typed API does when it reads its own structs back.
pub(crate) fn without_nulls(value: &mut Value) {
    // Looking first leaves shared what says nothing to take out, which is nearly everything.
    if !has_nulls(value) {
        return;
    }
    match value {
        Value::Object(map) => {
            map.retain(|_, child| !child.is_null());
            map.values_mut().for_each(without_nulls);
        }
        Value::Array(list) => list.iter_mut().for_each(without_nulls),
        _ => {}
    }
}

/// Whether an object in the tree has a null; one in a list stays.
fn has_nulls(value: &Value) -> bool {
    match value {
        Value::Object(map) => map.values().any(|child| child.is_null() || has_nulls(child)),
        Value::Array(list) => list.iter().any(has_nulls),
        _ => false,
    }
}
