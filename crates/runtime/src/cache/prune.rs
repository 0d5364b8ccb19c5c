//! What is forgotten while an object is read.
//!
//! Half of a Pod as the API server sends it is bookkeeping that no feature reads: who wrote which field, probes, commands,
//! environment, the identifiers of images. [`Pruning`] stands between the JSON and the type and steps over those fields, so
//! that they are never built at all.

use std::borrow::Cow;
use std::fmt;

use serde::Deserialize;
use serde::de::value::BorrowedStrDeserializer;
use serde::de::{DeserializeSeed, Deserializer, Error, IgnoredAny, IntoDeserializer, MapAccess, SeqAccess, Visitor};
use serde::forward_to_deserialize_any;

/// What is dropped of an object, and of what is in it. The rules of a list are those of its items.
#[derive(Debug)]
pub(super) struct Rules {
    drop: &'static [&'static str],
    under: &'static [(&'static str, Self)],
}

/// What `kubectl apply` leaves behind: the whole manifest again.
const ANNOTATIONS: Rules = Rules { drop: &["kubectl.kubernetes.io/last-applied-configuration"], under: &[] };
const METADATA: Rules = Rules { drop: &["managedFields", "selfLink"], under: &[("annotations", ANNOTATIONS)] };
const ANY: Rules = Rules { drop: &[], under: &[("metadata", METADATA)] };

/// Probes, commands and environment decide nothing about a pod's place, size, traffic or devices, and neither do the
/// identifiers of its images and containers.
const CONTAINER: Rules = Rules {
    drop: &[
        "env",
        "envFrom",
        "command",
        "args",
        "livenessProbe",
        "readinessProbe",
        "startupProbe",
        "lifecycle",
        "terminationMessagePath",
        "terminationMessagePolicy",
    ],
    under: &[],
};
const CONTAINER_STATUS: Rules = Rules { drop: &["imageID", "containerID", "volumeMounts", "user"], under: &[] };
const POD_SPEC: Rules = Rules {
    drop: &[],
    under: &[("containers", CONTAINER), ("initContainers", CONTAINER), ("ephemeralContainers", CONTAINER)],
};
const POD_STATUS: Rules = Rules {
    drop: &[],
    under: &[
        ("containerStatuses", CONTAINER_STATUS),
        ("initContainerStatuses", CONTAINER_STATUS),
        ("ephemeralContainerStatuses", CONTAINER_STATUS),
    ],
};
const POD: Rules = Rules { drop: &[], under: &[("metadata", METADATA), ("spec", POD_SPEC), ("status", POD_STATUS)] };

impl Rules {
    /// Those of a resource.
    pub(super) fn of(plural: &str) -> &'static Self {
        if plural == "pods" { &POD } else { &ANY }
    }

    fn below(&self, field: &str) -> Option<&'static Self> {
        self.under.iter().find(|(name, _)| *name == field).map(|(_, rules)| rules)
    }
}

/// What is read, and by which rules.
pub(super) struct Pruning<T> {
    pub(super) inner: T,
    pub(super) rules: &'static Rules,
}

/// Reads with the rules that there are for it.
struct Under<S> {
    seed: S,
    rules: Option<&'static Rules>,
}

impl<'de, S: DeserializeSeed<'de>> DeserializeSeed<'de> for Under<S> {
    type Value = S::Value;

    fn deserialize<D: Deserializer<'de>>(self, inner: D) -> Result<S::Value, D::Error> {
        match self.rules {
            Some(rules) => self.seed.deserialize(Pruning { inner, rules }),
            None => self.seed.deserialize(inner),
        }
    }
}

impl<'de, D: Deserializer<'de>> Deserializer<'de> for Pruning<D> {
    type Error = D::Error;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, D::Error> {
        self.inner.deserialize_any(Pruning { inner: visitor, rules: self.rules })
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, D::Error> {
        self.inner.deserialize_option(Pruning { inner: visitor, rules: self.rules })
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 u8 u16 u32 u64 f32 f64 char str string bytes byte_buf unit unit_struct newtype_struct seq tuple
        tuple_struct map struct enum identifier ignored_any
    }
}

impl<'de, V: Visitor<'de>> Visitor<'de> for Pruning<V> {
    type Value = V::Value;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.inner.expecting(formatter)
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<V::Value, A::Error> {
        self.inner.visit_map(Fields { map, rules: self.rules, next: None })
    }

    fn visit_seq<A: SeqAccess<'de>>(self, items: A) -> Result<V::Value, A::Error> {
        self.inner.visit_seq(Pruning { inner: items, rules: self.rules })
    }

    fn visit_some<D: Deserializer<'de>>(self, inner: D) -> Result<V::Value, D::Error> {
        self.inner.visit_some(Pruning { inner, rules: self.rules })
    }

    fn visit_none<E: Error>(self) -> Result<V::Value, E> {
        self.inner.visit_none()
    }

    fn visit_unit<E: Error>(self) -> Result<V::Value, E> {
        self.inner.visit_unit()
    }

    fn visit_bool<E: Error>(self, value: bool) -> Result<V::Value, E> {
        self.inner.visit_bool(value)
    }

    fn visit_i64<E: Error>(self, value: i64) -> Result<V::Value, E> {
        self.inner.visit_i64(value)
    }

    fn visit_u64<E: Error>(self, value: u64) -> Result<V::Value, E> {
        self.inner.visit_u64(value)
    }

    fn visit_f64<E: Error>(self, value: f64) -> Result<V::Value, E> {
        self.inner.visit_f64(value)
    }

    fn visit_str<E: Error>(self, value: &str) -> Result<V::Value, E> {
        self.inner.visit_str(value)
    }

    fn visit_borrowed_str<E: Error>(self, value: &'de str) -> Result<V::Value, E> {
        self.inner.visit_borrowed_str(value)
    }
}

impl<'de, A: SeqAccess<'de>> SeqAccess<'de> for Pruning<A> {
    type Error = A::Error;

    fn next_element_seed<S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<Option<S::Value>, A::Error> {
        self.inner.next_element_seed(Under { seed, rules: Some(self.rules) })
    }
}

/// The fields of an object, without those that are dropped.
struct Fields<A> {
    map: A,
    rules: &'static Rules,
    /// The rules of the field whose name was read last.
    next: Option<&'static Rules>,
}

impl<'de, A: MapAccess<'de>> MapAccess<'de> for Fields<A> {
    type Error = A::Error;

    fn next_key_seed<S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<Option<S::Value>, A::Error> {
        while let Some(name) = self.map.next_key::<Name<'de>>()? {
            if self.rules.drop.contains(&&*name.0) {
                self.map.next_value::<IgnoredAny>()?;
                continue;
            }
            self.next = self.rules.below(&name.0);
            return name.read(seed).map(Some);
        }
        Ok(None)
    }

    fn next_value_seed<S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<S::Value, A::Error> {
        self.map.next_value_seed(Under { seed, rules: self.next })
    }
}

/// A field's name, borrowed where the JSON has it as it is.
struct Name<'de>(Cow<'de, str>);

impl<'de> Name<'de> {
    fn read<S: DeserializeSeed<'de>, E: Error>(self, seed: S) -> Result<S::Value, E> {
        match self.0 {
            Cow::Borrowed(name) => seed.deserialize(BorrowedStrDeserializer::new(name)),
            Cow::Owned(name) => seed.deserialize(name.into_deserializer()),
        }
    }
}

impl<'de> Deserialize<'de> for Name<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Names;
        impl<'de> Visitor<'de> for Names {
            type Value = Name<'de>;

            fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str("the name of a field")
            }

            fn visit_borrowed_str<E: Error>(self, name: &'de str) -> Result<Name<'de>, E> {
                Ok(Name(Cow::Borrowed(name)))
            }

            fn visit_str<E: Error>(self, name: &str) -> Result<Name<'de>, E> {
                Ok(Name(Cow::Owned(name.to_owned())))
            }
        }
        deserializer.deserialize_str(Names)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use k8s_openapi::api::core::v1::Pod;
    use serde_json::{Value, json};

    fn read<T: serde::de::DeserializeOwned>(json: &Value) -> Result<T, String> {
        let text = json.to_string();
        let inner = &mut serde_json::Deserializer::from_str(&text);
        T::deserialize(Pruning { inner, rules: Rules::of("pods") }).map_err(|error| error.to_string())
    }

    #[test]
    fn bookkeeping_goes_and_meaning_stays() {
        let pod = json!({
            "metadata": {"name": "a", "managedFields": [{}], "annotations": {ANNOTATIONS.drop[0]: "{}", "mi\"ne": "1"}},
            "spec": {"containers": [{"name": "c", "env": [{"name": "X"}], "resources": {"requests": {"cpu": "1"}}}],
                "nodeName": null, "priority": 7},
            "status": {"containerStatuses": [{"name": "c", "imageID": "sha256:1", "restartCount": 3}]},
        });
        let expected = json!({
            "metadata": {"name": "a", "annotations": {"mi\"ne": "1"}},
            "spec": {"containers": [{"name": "c", "resources": {"requests": {"cpu": "1"}}}], "nodeName": null, "priority": 7},
            "status": {"containerStatuses": [{"name": "c", "restartCount": 3}]},
        });
        assert_eq!(read::<Value>(&pod).unwrap(), expected);
        assert_eq!(read::<Pod>(&pod).unwrap(), serde_json::from_value(expected).unwrap());
    }

    #[test]
    fn what_is_broken_is_broken_all_the_same() {
        let why = read::<Pod>(&json!({"spec": {"containers": 7}})).unwrap_err();
        assert!(why.contains("integer `7`"), "{why}");
        assert!(read::<Pod>(&json!({"metadata": []})).is_err());
    }
}
