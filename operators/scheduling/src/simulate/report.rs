//! The answer, as programs read it: fields are added, never renamed.
//!
//! Shares are in permille of what a node offers; names of pods are `namespace/name`; lists are in a fixed order.

use keelson_core::{Candidate, Reason};
use keelson_placement::Layout;
use serde::{Deserialize, Serialize};

use super::subject::Stays;

/// Everything that was found.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Report {
    /// What decided between equals.
    pub seed: u64,
    /// What of the nodes Keelson may use.
    pub layout: Layout,
    /// How many there are of everything.
    pub counts: Counts,
    /// The pods that wait, by what becomes of them; first those that would be placed.
    pub waiting: Vec<Waiting>,
    /// How many of them would be placed without an eviction, after the replay.
    pub waiting_placed_after: usize,
    /// Fields that pods use and that Keelson refuses.
    pub refused_fields: Vec<RefusedField>,
    /// The placement as it is.
    pub today: Summary,
    /// The placement after the replay.
    pub replayed: Summary,
    /// The nodes that would have nothing to do any more.
    pub emptied: Vec<String>,
    /// The pods that would be elsewhere.
    pub moved: Vec<Moved>,
    /// The pods for which the replay found no node.
    pub unplaced: Vec<Unplaced>,
    /// The pods that were left where they are, by reason.
    pub staying: Vec<Staying>,
    /// The pods of which a required rule is broken today.
    pub broken_today: Vec<Broken>,
    /// The same after the replay.
    pub broken_after: Vec<Broken>,
    /// Every spread constraint of movable pods, the most uneven first.
    pub spreads: Vec<Spread>,
    /// What AppGroups cost.
    pub groups: Vec<Group>,
    /// One row a node, by zone and name.
    pub nodes: Vec<NodeRow>,
}

/// How many there are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Counts {
    /// Nodes.
    pub nodes: usize,
    /// Zones.
    pub zones: usize,
    /// Pods that have not ended.
    pub pods: usize,
    /// Those without a node.
    pub waiting: usize,
    /// Those that were placed again.
    pub movable: usize,
    /// Those that stay.
    pub staying: usize,
    /// Movable ones that would be elsewhere.
    pub elsewhere: usize,
}

/// How good a placement is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Summary {
    /// Nodes with a pod that is neither of a DaemonSet nor of the node itself.
    pub nodes_in_use: usize,
    /// Nodes of which more is requested than they offer.
    pub nodes_over_allocatable: usize,
    /// The fullest node.
    pub fullest: Option<Fullest>,
    /// The mean of the dominant shares.
    pub mean_permille: i64,
    /// Their standard deviation.
    pub deviation_permille: i64,
    /// Pods with a broken required rule.
    pub broken_rules: usize,
    /// Constraints whose skew is more than they allow.
    pub spreads_beyond: usize,
    /// The largest skew.
    pub worst_skew: i64,
}

/// The fullest node.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Fullest {
    /// Its name.
    pub node: String,
    /// How full.
    #[serde(flatten)]
    pub share: Share,
}

/// How much of a node is requested.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Share {
    /// The resource of which most is.
    pub resource: String,
    /// How much.
    pub permille: i64,
}

/// Waiting pods that are told the same.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Waiting {
    /// The reason, as decisions have it.
    pub reason: Reason,
    /// Whether a node is found for them.
    pub placed: bool,
    /// What becomes of them, or why nothing.
    pub sentence: String,
    /// The smallest change that would make them fit, tried; for the first of them.
    pub change: Option<Change>,
    /// The nearest misses.
    pub nearest: Vec<Candidate>,
    /// The pods, in the order of the queue.
    pub pods: Vec<WaitingPod>,
}

/// A request that could be smaller.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Change {
    /// In words.
    pub sentence: String,
    /// Which request.
    pub resource: String,
    /// What is asked.
    pub from: String,
    /// What would fit.
    pub to: String,
    /// Where.
    pub node: String,
}

/// A pod that waits.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct WaitingPod {
    /// Its name.
    pub pod: String,
    /// Whose it is.
    pub workload: String,
    /// Where it would go.
    pub node: Option<String>,
    /// Whom that evicts.
    pub evicts: Vec<String>,
}

/// A field that Keelson refuses.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RefusedField {
    /// Its path, with `[]` for each item of a list.
    pub field: String,
    /// Why.
    pub why: String,
    /// How many pods use it.
    pub pods: usize,
    /// Some of them.
    pub examples: Vec<String>,
}

/// A pod that would be elsewhere.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Moved {
    /// The pod.
    pub pod: String,
    /// Where it is.
    pub from: String,
    /// Where it would be.
    pub to: String,
}

/// Pods for which the replay found no node.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Unplaced {
    /// Why.
    pub reason: String,
    /// Which.
    pub pods: Vec<String>,
}

/// Pods that were left where they are.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Staying {
    /// Why.
    pub reason: Stays,
    /// In words.
    pub sentence: String,
    /// How many.
    pub pods: usize,
}

/// A pod with a broken required rule.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Broken {
    /// The pod.
    pub pod: String,
    /// Whose it is.
    pub workload: String,
    /// Where it is.
    pub node: String,
    /// The rules: the check, and what it says.
    pub rules: Vec<String>,
}

/// A spread constraint of a workload.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Spread {
    /// Whose.
    pub workload: String,
    /// The label whose values are the places.
    pub key: String,
    /// Whether it is DoNotSchedule.
    pub required: bool,
    /// The skew that it allows.
    pub allowed: i32,
    /// The skew as it is.
    pub today: i64,
    /// The skew after the replay.
    pub replayed: i64,
}

impl Spread {
    /// Whether the skew of today is more than is allowed.
    #[must_use]
    pub fn is_beyond(&self) -> bool {
        self.today > i64::from(self.allowed)
    }
}

/// What an AppGroup costs: over all pairs of its pods that depend on each other, weight times network cost.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Group {
    /// `namespace/name`.
    pub group: String,
    /// Its bound pods.
    pub pods: usize,
    /// Pairs of pods that depend on each other.
    pub pairs: usize,
    /// What they cost today.
    pub today: i64,
    /// What they would cost, each placed alone when the group's turn comes; none when that leaves one without a node.
    pub per_pod: Option<i64>,
    /// What they would cost placed as a unit, as the replay does where it can; none when there is no place for all.
    pub as_unit: Option<i64>,
}

/// One node.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct NodeRow {
    /// Its name.
    pub node: String,
    /// Its zone.
    pub zone: Option<String>,
    /// How full it is.
    pub today: Share,
    /// How full it would be.
    pub replayed: Share,
    /// Its pods.
    pub pods_today: usize,
    /// Its pods after the replay.
    pub pods_replayed: usize,
}
