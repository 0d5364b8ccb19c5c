//! JSON merge patch (RFC 7386).

use super::{Map, Value};

impl Value {
    /// Lays a merge patch over this value: maps merge, null takes away, everything else replaces.
    pub fn merge(&mut self, patch: &Self) {
        let Self::Object(wanted) = patch else {
            // What is there already stays shared with other versions.
            if self != patch {
                *self = patch.clone();
            }
            return;
        };
        if !self.is_object() {
            *self = Self::Object(Map::new());
        }
        let Self::Object(map) = self else { return };
        for (key, value) in wanted {
            if value.is_null() {
                map.remove(key);
            } else {
                map.entry(key).or_insert(Self::Null).merge(value);
            }
        }
    }
}
