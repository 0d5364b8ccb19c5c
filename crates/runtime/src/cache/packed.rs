//! An object as a cache keeps it: its pruned JSON, compressed.
//!
//! A running Pod of two containers takes some 35 kB as the type that Kubernetes' API has, for every optional field has its
//! place there; 4 kB as pruned JSON; and less than 1 kB packed, because most of it stands in every other Pod as well: the
//! compressor knows one (`typical.json`) beforehand. Unpacking and reading takes a few microseconds.
//!
//! Promises: what comes out is what went in; clones share the bytes.

use std::collections::BTreeMap;
use std::sync::Arc;

use lz4_flex::block::{compress_prepend_size_with_dict, decompress_size_prepended_with_dict};
use serde::Deserialize;
use serde::de::DeserializeOwned;

/// What objects have in common, so that it need not be kept with each.
const TYPICAL: &[u8] = include_bytes!("typical.json");

/// The JSON of an object.
#[derive(Debug, Clone)]
pub(super) struct Packed(Arc<[u8]>);

impl Packed {
    pub(super) fn new(json: &str) -> Self {
        Self(compress_prepend_size_with_dict(json.as_bytes(), TYPICAL).into())
    }

    /// The JSON; none when the bytes are not what was packed.
    pub(super) fn json(&self) -> Option<String> {
        String::from_utf8(decompress_size_prepended_with_dict(&self.0, TYPICAL).ok()?).ok()
    }

    /// The object, which could be read when it was packed.
    pub(super) fn read<K: DeserializeOwned>(&self) -> Option<Arc<K>> {
        serde_json::from_str(&self.json()?).ok().map(Arc::new)
    }

    /// Its annotations; the rest is stepped over.
    pub(super) fn annotations(&self) -> Option<BTreeMap<String, String>> {
        #[derive(Deserialize)]
        struct Object {
            metadata: Meta,
        }
        #[derive(Deserialize)]
        struct Meta {
            annotations: Option<BTreeMap<String, String>>,
        }
        serde_json::from_str(&self.json()?).ok().map(|Object { metadata }| metadata.annotations.unwrap_or_default())
    }

    /// Whether this is a clone of that.
    pub(super) fn is(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }

    /// How many bytes it takes.
    pub(super) fn len(&self) -> usize {
        self.0.len()
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn what_comes_out_is_what_went_in(json in "\\PC{0,2000}") {
            prop_assert_eq!(Packed::new(&json).json().unwrap(), json);
        }
    }

    #[test]
    fn a_pod_like_others_takes_a_quarter() {
        let json = std::str::from_utf8(TYPICAL).unwrap().replace("\"name\":\"\"", "\"name\":\"shop-7d9f-x2x9k\"");
        assert!(Packed::new(&json).len() * 4 < json.len());
    }

    #[test]
    fn annotations_are_read_without_the_rest() {
        let read = |json: &str| Packed::new(json).annotations();
        let some = r#"{"kind": "Pod", "metadata": {"name": "a", "annotations": {"b": "c"}}, "spec": {"x": [1, {}]}}"#;
        assert_eq!(read(some), Some(BTreeMap::from([("b".to_owned(), "c".to_owned())])));
        assert_eq!(read(r#"{"metadata": {"name": "a"}}"#), Some(BTreeMap::new()));
        assert_eq!(read("[]"), None);
    }

    #[test]
    fn bytes_that_are_not_ours_are_no_object() {
        assert_eq!(Packed(Arc::from([7_u8, 0, 0, 0, 255].as_slice())).json(), None);
    }
}
