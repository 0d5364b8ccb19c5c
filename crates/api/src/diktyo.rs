//! Who of an application talks to whom, and what the places cost: Diktyo's kinds (KEP-260).
//!
//! They are others', in several versions whose published examples use different field names, so that a spec is kept as it
//! was written and read field by field (`keelson_cluster::read::network`). The definitions here describe the fields and
//! refuse none that an older manifest may have: what is off in one is told in a condition of the object.
//!
//! Promise: every manifest of the Diktyo projects applies unchanged.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use kube::CustomResource;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use std::borrow::Cow;

/// The spec of an [`AppGroup`], as written.
#[derive(CustomResource, Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[kube(
    group = "appgroup.diktyo.x-k8s.io",
    version = "v1alpha1",
    kind = "AppGroup",
    namespaced,
    status = "Told",
    derive = "PartialEq",
    shortname = "ag",
    doc = "The workloads of one application, and which of them depend on which (KEP-260, Diktyo).",
    printcolumn(name = "Members", type_ = "integer", json_path = ".spec.numMembers"),
    printcolumn(
        name = "Accepted",
        type_ = "string",
        json_path = r#".status.conditions[?(@.type=="Accepted")].status"#
    ),
    printcolumn(name = "Age", type_ = "date", json_path = ".metadata.creationTimestamp")
)]
#[serde(transparent)]
pub struct AppGroupSpec(pub Map<String, Value>);

/// The spec of a [`NetworkTopology`], as written.
#[derive(CustomResource, Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[kube(
    group = "networktopology.diktyo.x-k8s.io",
    version = "v1alpha1",
    kind = "NetworkTopology",
    plural = "networktopologies",
    namespaced,
    status = "Told",
    derive = "PartialEq",
    shortname = "nt",
    doc = "What regions, zones and racks cost each other over the network (KEP-260, Diktyo).",
    printcolumn(
        name = "Accepted",
        type_ = "string",
        json_path = r#".status.conditions[?(@.type=="Accepted")].status"#
    ),
    printcolumn(name = "Age", type_ = "date", json_path = ".metadata.creationTimestamp")
)]
#[serde(transparent)]
pub struct NetworkTopologySpec(pub Map<String, Value>);

/// What is told on such an object; fields of other controllers are left alone.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Told {
    /// Whether all of it was understood: `Accepted`; and one for each kind of thing that is off.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub conditions: Vec<Condition>,
}

/// An object whose further fields are kept.
fn open(description: &str, properties: &Value) -> Schema {
    json_schema!({
        "type": "object", "description": description, "properties": properties,
        "x-kubernetes-preserve-unknown-fields": true,
    })
}

fn workload() -> Value {
    let text = |description: &str| json!({"type": "string", "description": description});
    json!({
        "type": "object", "x-kubernetes-preserve-unknown-fields": true,
        "description": "A workload of the group.",
        "properties": {
            "kind": text("Deployment, StatefulSet and the like."),
            "name": text("The workload's name."),
            "selector": text("What its pods carry in the label appgroup.diktyo.x-k8s.io.workload."),
            "apiVersion": text("The workload's API version."),
            "namespace": text("The workload's namespace."),
        },
    })
}

impl JsonSchema for AppGroupSpec {
    fn schema_name() -> Cow<'static, str> {
        "AppGroupSpec".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        let dependency = json!({
            "type": "object", "x-kubernetes-preserve-unknown-fields": true,
            "properties": {
                "workload": workload(),
                "minBandwidth": {
                    "x-kubernetes-int-or-string": true, "description": "Bits a second between one pod of each side.",
                },
                "maxNetworkCost": {
                    "type": "integer", "format": "int64", "minimum": 0, "maximum": 10_000,
                    "description": "What any two pods of both sides may cost each other; none is no bound.",
                },
            },
        });
        let workloads = json!({
            "type": "array", "description": "The workloads, and on which others each depends.",
            "items": {
                "type": "object", "x-kubernetes-preserve-unknown-fields": true,
                "properties": {"workload": workload(), "dependencies": {"type": "array", "items": dependency}},
            },
        });
        let members = json!({
            "type": "integer", "format": "int32", "minimum": 1,
            "description": "How many pods the group has when it is whole.",
        });
        let order = json!({
            "type": "string",
            "description": "KahnSort, AlternateKahn, ReverseKahn, TarjanSort, AlternateTarjan or ReverseTarjan: which workload goes first.",
        });
        open(
            "The workloads and who depends on whom.",
            &json!({"numMembers": members, "topologySortingAlgorithm": order, "workloads": workloads}),
        )
    }
}

impl JsonSchema for NetworkTopologySpec {
    fn schema_name() -> Cow<'static, str> {
        "NetworkTopologySpec".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        let text = |description: &str| json!({"type": "string", "description": description});
        let list = |properties: Value| {
            let items =
                json!({"type": "object", "x-kubernetes-preserve-unknown-fields": true, "properties": properties});
            json!({"type": "array", "items": items})
        };
        let costs = list(json!({
            "destination": text("To which place."),
            "networkCost": {
                "type": "integer", "format": "int64", "minimum": 0, "description": "What it costs; more is farther.",
            },
            "bandwidthCapacity": {"x-kubernetes-int-or-string": true, "description": "Bits a second."},
            "bandwidthAllocated": {"x-kubernetes-int-or-string": true, "description": "Not read: it is counted."},
        }));
        let origins = list(json!({"origin": text("From which place."), "costList": costs}));
        let topologies = list(json!({
            "topologyKey": text("The label that names the places, such as topology.kubernetes.io/zone."),
            "originList": origins,
        }));
        let weights = list(json!({"name": text("UserDefined, or another set of costs."), "topologyList": topologies}));
        let measured = text("The ConfigMap of the same namespace with measured round-trip times.");
        open("What places cost each other.", &json!({"weights": weights, "configmapName": measured}))
    }
}

impl JsonSchema for Told {
    fn schema_name() -> Cow<'static, str> {
        "Told".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let conditions = generator.subschema_for::<Vec<Condition>>();
        let mut conditions = conditions.to_value();
        if let Some(fields) = conditions.as_object_mut() {
            fields.insert(
                "description".into(),
                json!("Whether all of it was understood: Accepted; and one for each kind of thing that is off."),
            );
            fields.insert("x-kubernetes-list-type".into(), json!("map"));
            fields.insert("x-kubernetes-list-map-keys".into(), json!(["type"]));
        }
        open("What is told about it.", &json!({"conditions": conditions}))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_spec_is_kept_as_it_was_written() {
        let written = json!({
            "apiVersion": "networktopology.diktyo.x-k8s.io/v1alpha1", "kind": "NetworkTopology",
            "metadata": {"name": "nt", "namespace": "default"},
            "spec": {"configMapName": "old", "weights": [{"name": "UserDefined", "costList": [{"topologyKey": "zone"}]}]},
        });
        let read: NetworkTopology = serde_json::from_value(written.clone()).unwrap();
        assert_eq!(serde_json::to_value(&read).unwrap(), written);
    }

    #[test]
    fn an_object_without_a_spec_that_can_be_read_is_read() {
        let group = json!({"apiVersion": "a/v1", "kind": "AppGroup", "metadata": {"name": "g"}, "spec": {}});
        assert!(serde_json::from_value::<AppGroup>(group).is_ok());
    }
}
