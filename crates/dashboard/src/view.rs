//! What the page is told about the platform as a whole: features, nodes, connections and facts.
//!
//! Plain data, made by whoever runs the platform. Times are microseconds since 1970, lengths of time are microseconds,
//! resources are integers in the units of Kubernetes (cpu in millicores, everything else in whole units).

use keelson_core::{Condition, Feature, Mode, ObjectRef, Timestamp};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::schema;

/// Everything the first page shows, except the nodes and the decisions.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Overview {
    /// Which cluster this is.
    pub cluster: Cluster,
    /// The built features, in their fixed order.
    pub features: Vec<FeatureView>,
    /// What Keelson needs from others, and whether it has it.
    pub connections: Vec<Connection>,
    /// The facts that features share.
    pub facts: Vec<FactView>,
}

/// Which cluster this is, and what time it is there.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Cluster {
    /// Its name.
    pub name: String,
    /// The cluster's own moment: a simulated cluster has its own clock.
    #[schema(value_type = i64)]
    pub now: Timestamp,
    /// How many of the cluster's seconds pass in a second: 1 for a real cluster, 0 while a simulation stands still.
    pub speed: u32,
    /// Keelson's version.
    pub version: String,
    /// The version of Kubernetes.
    pub kubernetes: String,
}

/// One feature, and how it fared in the last hour.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct FeatureView {
    /// The word in URLs.
    #[schema(value_type = schema::Feature)]
    pub feature: Feature,
    /// The name for people.
    pub title: String,
    /// The mode it runs in.
    #[schema(value_type = schema::Mode)]
    pub mode: Mode,
    /// The mode asked for; differs while a switch is under way or the ceiling holds it.
    #[schema(value_type = schema::Mode)]
    pub wanted: Mode,
    /// The highest mode the installation grants.
    #[schema(value_type = schema::Mode)]
    pub ceiling: Mode,
    /// Whether a person paused its actions.
    pub paused: bool,
    /// Why the circuit breaker paused it; absent while the breaker is closed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub breaker: Option<String>,
    /// Whether it is led: by this process or, told by a page of its own, by any controller.
    pub leading: bool,
    /// The leader's fencing number.
    pub fence: u64,
    /// One sentence on how it is doing.
    pub headline: String,
    /// Subjects of the last hour, and those that wait now.
    pub counts: Counts,
    /// The figure of the headline over the last hour, oldest first.
    pub sparkline: Vec<Point>,
    /// Its conditions on the Platform object.
    #[schema(value_type = Vec<schema::Condition>)]
    pub conditions: Vec<Condition>,
}

/// How many subjects met which end in the last hour, each counted by its latest; and how many wait now.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Counts {
    /// Placed.
    pub placed: u64,
    /// Waiting now.
    pub waiting: u64,
    /// Refused now, until they are changed.
    pub refused: u64,
    /// Recorded, not done.
    pub would: u64,
    /// Failed.
    pub failed: u64,
}

/// One value of a small chart.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Point {
    /// When.
    #[schema(value_type = i64)]
    pub at: Timestamp,
    /// How much.
    pub value: i64,
}

/// Something Keelson depends on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Connection {
    /// What it leads to.
    pub name: ConnectionName,
    /// Whether it works.
    pub ok: bool,
    /// Since when that is so.
    #[schema(value_type = i64)]
    pub since: Timestamp,
    /// One sentence; when it does not work, what to do.
    pub detail: String,
}

impl ConnectionName {
    /// The word on the page.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Api => "api",
            Self::Store => "store",
            Self::Telemetry => "telemetry",
        }
    }
}

/// What a connection leads to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum ConnectionName {
    /// The Kubernetes API server.
    Api,
    /// The store of decisions.
    Store,
    /// Where traces and metrics are sent.
    Telemetry,
}

/// One fact on the board that features share.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct FactView {
    /// Its name.
    pub name: String,
    /// How long ago its newest input arrived, in microseconds.
    pub age_us: i64,
    /// Whether that is too long for its readers, so that they fall back.
    pub stale: bool,
    /// What it says, or what its readers do without it.
    pub detail: String,
}

/// Every node.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, ToSchema)]
pub struct Nodes {
    /// The nodes by name.
    pub nodes: Vec<NodeView>,
    /// Grows with every change of any node.
    pub version: u64,
}

/// One node and what limits it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct NodeView {
    /// Its name.
    pub name: String,
    /// The label `topology.kubernetes.io/zone`; empty without one.
    pub zone: String,
    /// The label `node.kubernetes.io/instance-type`; empty without one.
    pub instance_type: String,
    /// Whether it may be taken back by the cloud.
    pub spot: bool,
    /// Whether its kubelet reports Ready.
    pub ready: bool,
    /// Whether new pods are kept away.
    pub cordoned: bool,
    /// How many pods it holds.
    pub pods: u32,
    /// Its resources, cpu and memory first.
    pub resources: Vec<ResourceView>,
    /// The resource with the least to spare.
    pub tightest: Tightest,
}

/// One resource of a node.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ResourceView {
    /// Its name in Kubernetes: `cpu`, `memory`, `nvidia.com/gpu`.
    pub name: String,
    /// What pods may request in all.
    pub capacity: i64,
    /// What they requested.
    pub requested: i64,
    /// What was measured; absent when nobody measures it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub used: Option<i64>,
}

/// The resource that limits a node.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Tightest {
    /// Its name.
    pub name: String,
    /// The larger of requested and used, in thousandths of the capacity.
    pub permille: u32,
}

/// One object and what Keelson has to say about it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Subject {
    /// Which object.
    #[schema(value_type = schema::ObjectRef)]
    pub object: ObjectRef,
    /// One sentence on its state: "Running on node-b3 since 20:41".
    pub sentence: String,
    /// What it is, in rows of a word and a value: `{"phase": "Pending", "requests": "500m cpu"}`.
    pub summary: std::collections::BTreeMap<String, String>,
    /// The conditions that Keelson writes on it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schema(value_type = Vec<schema::Condition>)]
    pub conditions: Vec<Condition>,
    /// Why it is where it is; absent when no feature has looked at it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub why: Option<Why>,
}

/// The answer to "why is this so?".
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Why {
    /// The feature that answers.
    #[schema(value_type = schema::Feature)]
    pub feature: Feature,
    /// The answer in one sentence.
    pub sentence: String,
    /// When this was true.
    #[schema(value_type = i64)]
    pub at: Timestamp,
    /// The newest decision about it; absent when it was only worked out now.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<schema::DecisionId>, nullable = false)]
    pub decision: Option<keelson_core::DecisionId>,
    /// What was considered, best first, then the nearest misses.
    #[schema(value_type = Vec<schema::Candidate>)]
    pub candidates: Vec<keelson_core::Candidate>,
    /// What would change the answer, the smallest change first.
    pub changes: Vec<WhatIf>,
}

/// A change that would lead to another answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct WhatIf {
    /// "With 120m less cpu requested it would fit on node-3."
    pub sentence: String,
    /// Whether it was checked by deciding again with the change.
    pub verified: bool,
}

/// What a switch of mode would mean, worked out from what happened lately.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Preview {
    /// The feature.
    #[schema(value_type = schema::Feature)]
    pub feature: Feature,
    /// The mode now.
    #[schema(value_type = schema::Mode)]
    pub from: Mode,
    /// The mode asked about.
    #[schema(value_type = schema::Mode)]
    pub to: Mode,
    /// Over how many microseconds it looked back.
    pub window_us: i64,
    /// How many actions there would have been.
    pub actions: u64,
    /// What would have happened, a few sentences, the most telling first.
    pub would: Vec<String>,
    /// The actions by verb.
    pub by_verb: Vec<Count>,
    /// The decisions by reason.
    pub by_reason: Vec<Count>,
    /// How many subjects ask for this feature by name and wait while it is not enforced.
    pub waiting_for_us: u64,
}

/// How often something occurred.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Count {
    /// What.
    pub word: String,
    /// How often.
    pub count: u64,
}

/// A feature's switches after a change.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Switched {
    /// The feature.
    #[schema(value_type = schema::Feature)]
    pub feature: Feature,
    /// The mode asked for.
    #[schema(value_type = schema::Mode)]
    pub wanted: Mode,
    /// Whether its actions are paused.
    pub paused: bool,
}

impl Overview {
    /// Whether nothing differs but the time.
    #[must_use]
    pub fn says_the_same(&self, other: &Self) -> bool {
        let timeless = |overview: &Self| {
            let mut overview = overview.clone();
            overview.cluster.now = Timestamp::default();
            for fact in &mut overview.facts {
                fact.age_us = 0;
            }
            overview
        };
        timeless(self) == timeless(other)
    }
}
