//! Which lists are lists of named things, and which maps are one value.
//!
//! Merging and ownership treat a list of containers by name, but a list of arguments as one value. A custom resource says
//! so in its schema (`x-kubernetes-list-type`); for built-in kinds the types' tags are a table by field name here.

use super::super::json::Json;
use crate::tree::Value;

/// Where in a type we are.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Shape<'a> {
    /// In a built-in type: the field's name and its parent's.
    Builtin { parent: &'a str, field: &'a str },
    /// In a custom resource's schema.
    Schema(&'a Value),
    /// In a custom resource, outside its schema: metadata and the like.
    Free,
}

/// How a list merges.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum ListKind<'a> {
    Atomic,
    Set,
    Map(Vec<&'a str>),
}

impl<'a> Shape<'a> {
    pub const fn builtin() -> Self {
        Self::Builtin { parent: "", field: "" }
    }

    /// The shape of a field.
    pub fn field<'b>(self, name: &'b str) -> Shape<'b>
    where
        'a: 'b,
    {
        match self {
            Self::Builtin { field, .. } => Shape::Builtin { parent: field, field: name },
            Self::Schema(schema) => match schema.at(&["properties"]).get(name) {
                Some(inner) => Shape::Schema(inner),
                None if name == "metadata" => Shape::Builtin { parent: "", field: "metadata" },
                None => match schema.get("additionalProperties") {
                    Some(inner) if inner.is_object() => Shape::Schema(inner),
                    _ => Shape::Free,
                },
            },
            Self::Free => Shape::Free,
        }
    }

    /// The shape of a list's items.
    pub fn item(self) -> Self {
        match self {
            Self::Schema(schema) => match schema.get("items") {
                Some(inner) => Self::Schema(inner),
                None => Self::Free,
            },
            other => other,
        }
    }

    /// How the list here merges.
    pub fn list(self) -> ListKind<'a> {
        match self {
            Self::Schema(schema) => match schema.text(&["x-kubernetes-list-type"]) {
                "set" => ListKind::Set,
                "map" => {
                    let keys = schema.items(&["x-kubernetes-list-map-keys"]);
                    ListKind::Map(keys.iter().filter_map(Value::as_str).collect())
                }
                _ => ListKind::Atomic,
            },
            Self::Builtin { parent, field } => builtin_list(parent, field),
            Self::Free => ListKind::Atomic,
        }
    }

    /// Whether the map here is one value.
    pub fn atomic_map(self) -> bool {
        match self {
            Self::Schema(schema) => schema.text(&["x-kubernetes-map-type"]) == "atomic",
            Self::Builtin { field, .. } => ATOMIC_MAPS.contains(&field),
            Self::Free => false,
        }
    }

    /// Whether a field of this name is there, empty, in an empty object: Go writes such structs always.
    pub fn is_frame(self, name: &str) -> bool {
        match self {
            Self::Builtin { parent, .. } => {
                FRAMES.contains(&name)
                    || (matches!(name, "resources" | "podSelector" | "devices" | "names") && parent == "spec")
            }
            _ => name == "metadata",
        }
    }

    /// What a missing key of a list item counts as.
    pub fn key_default(self, key: &str) -> Option<Value> {
        match self {
            Self::Schema(schema) => schema.at(&["properties", key]).get("default").cloned(),
            _ if key == "protocol" => Some("TCP".into()),
            _ => None,
        }
    }
}

const ATOMIC_MAPS: &[&str] = &[
    "nodeSelector",
    "selector",
    "labelSelector",
    "namespaceSelector",
    "podSelector",
    "objectSelector",
    "configMapKeyRef",
    "secretKeyRef",
    "fieldRef",
    "resourceFieldRef",
    "target",
    "involvedObject",
    "regarding",
    "dataSource",
    "roleRef",
    "allocation",
    "matchConstraints",
    "matchResources",
    "paramRef",
    "variables",
];

const FRAMES: &[&str] = &[
    "spec",
    "status",
    "metadata",
    "template",
    "strategy",
    "updateStrategy",
    "containers",
    "jobTemplate",
    "scaleTargetRef",
    "rules",
    "involvedObject",
    "source",
    "deprecatedSource",
];

fn builtin_list(parent: &str, field: &str) -> ListKind<'static> {
    let keys: &[&'static str] = match (parent, field) {
        (
            _,
            "containers"
            | "initContainers"
            | "ephemeralContainers"
            | "env"
            | "volumes"
            | "imagePullSecrets"
            | "secrets",
        )
        | (
            _,
            "schedulingGates" | "resourceClaims" | "claims" | "matchConditions" | "variables" | "webhooks"
            | "volumesAttached",
        ) => &["name"],
        (_, "volumeMounts") => &["mountPath"],
        (_, "volumeDevices") => &["devicePath"],
        ("containers" | "initContainers" | "ephemeralContainers", "ports") => &["containerPort", "protocol"],
        ("spec", "ports") => &["port", "protocol"],
        (_, "conditions") => &["type"],
        ("status", "addresses") => &["type"],
        (_, "topologySpreadConstraints") => &["topologyKey", "whenUnsatisfiable"],
        (_, "hostAliases" | "podIPs" | "hostIPs") => &["ip"],
        ("metadata", "ownerReferences") => &["uid"],
        ("status", "reservedFor") => &["uid"],
        ("status", "devices") => &["driver", "device", "pool"],
        ("metadata", "finalizers") | (_, "podCIDRs" | "validationActions") => return ListKind::Set,
        _ => return ListKind::Atomic,
    };
    ListKind::Map(keys.to_vec())
}
