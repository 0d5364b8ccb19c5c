//! What a node's network interface carries, and how busy it is.
//!
//! There is one a node, of the node's name. Whoever measures (Keelson's agent, or an importer that people run) writes its
//! status; people may say in its spec what the interface carries. Rates are quantities of bits a second.
//!
//! Promise: a rate that cannot be meant is refused by the API server, with the range.

#![allow(clippy::duplicated_attributes, reason = "columns may be of one type")]

use std::collections::BTreeMap;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, Time};
use keelson_core::{Quantity, Rates, ResourceName};
use kube::{CustomResource, KubeSchema};
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};

/// What people say of the interface.
#[derive(CustomResource, KubeSchema, Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[kube(
    group = "keelson.dev",
    version = "v1alpha1",
    kind = "NodeNetwork",
    status = "NodeNetworkStatus",
    derive = "PartialEq",
    derive = "Default",
    shortname = "nn",
    category = "keelson",
    doc = "A node's network interface: what it carries, and how busy it is. It has the node's name.",
    printcolumn(name = "Egress", type_ = "string", json_path = ".status.measured.egress"),
    printcolumn(name = "Ingress", type_ = "string", json_path = ".status.measured.ingress"),
    printcolumn(name = "Measured", type_ = "date", json_path = ".status.measured.at"),
    printcolumn(name = "Age", type_ = "date", json_path = ".metadata.creationTimestamp")
)]
#[serde(rename_all = "camelCase")]
pub struct NodeNetworkSpec {
    /// What it carries, instead of what is found out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub capacity: Option<Directions>,
}

/// One rate each way, in bits a second.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Directions {
    /// What is sent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "rate_schema")]
    pub egress: Option<Quantity>,
    /// What is received.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "rate_schema")]
    pub ingress: Option<Quantity>,
}

/// What is known of the interface.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct NodeNetworkStatus {
    /// What it carries, as far as that was found out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub capacity: Option<Directions>,
    /// The last measurement.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub measured: Option<MeasuredRates>,
    /// What the pods on the node used, by workload. A workload whose pods are gone is kept for some days: they come again.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 500))]
    #[schemars(extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["namespace", "kind", "name"]))]
    pub workloads: Vec<WorkloadRates>,
    /// What is to be known of it besides.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["type"]))]
    pub conditions: Vec<Condition>,
}

/// What the pods of a workload used on this node, in bits a second.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct WorkloadRates {
    /// The workload's namespace.
    #[schemars(length(min = 1, max = 63))]
    pub namespace: String,
    /// Its kind: the Deployment where there is one, not its ReplicaSet.
    #[schemars(length(min = 1, max = 63))]
    pub kind: String,
    /// Its name.
    #[schemars(length(min = 1, max = 253))]
    pub name: String,
    /// What a pod sent at most in 95 of 100 windows.
    #[schemars(schema_with = "load_schema")]
    pub egress: Quantity,
    /// What a pod received at most in 95 of 100 windows.
    #[schemars(schema_with = "load_schema")]
    pub ingress: Quantity,
    /// How many windows that were, of all its pods here.
    #[schemars(range(min = 1))]
    pub windows: i32,
}

/// A measurement: the mean load of a window, in bits a second.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct MeasuredRates {
    /// What was sent.
    #[schemars(schema_with = "load_schema")]
    pub egress: Quantity,
    /// What was received.
    #[schemars(schema_with = "load_schema")]
    pub ingress: Quantity,
    /// When the window ended.
    pub at: Time,
    /// How long it was, in seconds; the next measurement is expected after as long again.
    #[serde(default = "window")]
    #[schemars(range(min = 1, max = 300))]
    pub window_seconds: i32,
}

const fn window() -> i32 {
    10
}

impl Directions {
    /// In bits a second; 0 where nothing is said.
    #[must_use]
    pub fn rates(&self) -> Rates {
        let bits = |rate: Option<Quantity>| rate.map_or(0, |rate| ResourceName::Egress.amount_of(&rate).max(0));
        Rates { egress: bits(self.egress), ingress: bits(self.ingress) }
    }
}

fn rate_schema(_: &mut SchemaGenerator) -> Schema {
    checked(
        "isQuantity(self) && quantity(self).compareTo(quantity('1k')) >= 0 && quantity(self).compareTo(quantity('1P')) <= 0",
        "must be a quantity of 1k to 1P bits a second, such as 10G",
    )
}

fn load_schema(_: &mut SchemaGenerator) -> Schema {
    checked(
        "isQuantity(self) && quantity(self).compareTo(quantity('0')) >= 0 && quantity(self).compareTo(quantity('1P')) <= 0",
        "must be a quantity of 0 to 1P bits a second, such as 3.2G",
    )
}

fn checked(rule: &str, message: &str) -> Schema {
    let rules = [BTreeMap::from([("rule", rule), ("message", message)])];
    json_schema!({
        "type": "string", "maxLength": 40, "description": "Bits a second, as a quantity.",
        "x-kubernetes-validations": rules,
    })
}
