//! The `Platform`: one object that switches every feature.
//!
//! There is one in a cluster, named `default`; the API server refuses any other name. What the schema and its CEL rules
//! cannot refuse (an object stored before a rule existed), [`PlatformSpec::validate`] refuses again, so that a broken
//! object never replaces good settings.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use keelson_core::{Feature, Mode};
use kube::{CustomResource, KubeSchema};
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};

use crate::names;

/// What the platform should do.
#[derive(CustomResource, KubeSchema, Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[kube(
    group = "keelson.dev",
    version = "v1alpha1",
    kind = "Platform",
    status = "PlatformStatus",
    derive = "PartialEq",
    derive = "Default",
    shortname = "kp",
    category = "keelson",
    doc = "Switches and settings of every Keelson feature. There is one, named default.",
    printcolumn(name = "Scheduling", type_ = "string", json_path = ".status.features.scheduling.mode"),
    printcolumn(name = "Ready", type_ = "string", json_path = r#".status.conditions[?(@.type=="Ready")].status"#),
    printcolumn(name = "Age", type_ = "date", json_path = ".metadata.creationTimestamp"),
    validation = Rule::new("self.metadata.name == 'default'")
        .message("metadata.name must be \"default\": there is one Platform in a cluster; edit that one")
)]
#[serde(rename_all = "camelCase")]
pub struct PlatformSpec {
    /// Each feature's switch and settings; a feature that is not named observes.
    #[serde(default)]
    pub features: Features,
}

/// The features of this version.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Features {
    /// A second scheduler that explains itself.
    #[serde(default)]
    pub scheduling: SchedulingFeature,
}

/// Scheduling's switch and settings.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct SchedulingFeature {
    /// Off, Observe (decide and explain, touch nothing) or Enforce.
    #[serde(default)]
    #[schemars(schema_with = "mode_schema")]
    pub mode: Mode,
    /// Hold every action and keep deciding.
    #[serde(default)]
    pub paused: bool,
    /// How it schedules.
    #[serde(default)]
    pub settings: SchedulingSettings,
}

/// How scheduling schedules.
#[derive(KubeSchema, Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = Rule::new("self.podInitialBackoffSeconds <= self.podMaxBackoffSeconds")
    .message("podInitialBackoffSeconds must not be above podMaxBackoffSeconds; lower it or raise the maximum"))]
#[x_kube(validation = Rule::new("self.schedulerName != 'default-scheduler' || (has(self.layout) && self.layout == 'Replacement')")
    .message("schedulerName must not be default-scheduler but in layout Replacement: two schedulers would bind the same pods; choose another name"))]
pub struct SchedulingSettings {
    /// Pods that name this scheduler are ours.
    #[serde(default = "scheduler_name")]
    #[schemars(length(min = 1, max = 63))]
    #[x_kube(validation = Rule::new("self.matches('^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$')")
        .message("schedulerName must be lower case letters, digits, '-' and '.', and start and end with a letter or digit"))]
    pub scheduler_name: String,
    /// The first wait of a pod that found no node, in seconds.
    #[serde(default = "initial_backoff")]
    #[schemars(range(min = 1, max = 3600))]
    pub pod_initial_backoff_seconds: i32,
    /// The longest such wait, in seconds.
    #[serde(default = "max_backoff")]
    #[schemars(range(min = 1, max = 3600))]
    pub pod_max_backoff_seconds: i32,
    /// The NetworkTopology whose costs count, as namespace/name; when there is none of this name, the first there is.
    #[serde(default = "network_topology")]
    #[schemars(length(min = 3, max = 317))]
    #[x_kube(validation = Rule::new("self.matches('^[a-z0-9]([-a-z0-9]*[a-z0-9])?/[a-z0-9]([-a-z0-9.]*[a-z0-9])?$')")
        .message("networkTopology must be namespace/name, such as default/nt-default"))]
    pub network_topology: String,
    /// The set of costs in it, by its name.
    #[serde(default = "network_weights")]
    #[schemars(length(min = 1, max = 253))]
    pub network_weights: String,
    /// How long the pods of an AppGroup wait to be placed as a unit, in seconds; 0 places each alone.
    #[serde(default = "group_wait")]
    #[schemars(range(min = 0, max = 900))]
    pub group_wait_seconds: i32,
    /// How nodes are divided with another scheduler: Dedicated places only on nodes with the label
    /// keelson.dev/pool=scheduling; Shared on all, and leaves headroomPercent of each to others; Replacement on all, and pods
    /// of default-scheduler are Keelson's too, once no kube-scheduler leads. A Platform from before this setting has none of
    /// them: all of every node.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "layout_schema")]
    pub layout: Option<SchedulingLayout>,
    /// In layout Shared: how many hundredths of what a node offers of each resource are left to others.
    #[serde(default = "headroom")]
    #[schemars(range(min = 0, max = 50))]
    pub headroom_percent: i32,
    /// How much of what a node's network interface carries pods may ask for, in percent; the rest is for those who ask for
    /// nothing.
    #[serde(default = "bandwidth_limit")]
    #[schemars(range(min = 1, max = 100))]
    pub bandwidth_limit_percent: i32,
    /// Whether pods that do not say what they ask of the network ask for what their workload was seen to use.
    #[serde(default = "learn_bandwidth")]
    pub learn_bandwidth: bool,
}

/// How nodes are divided with another scheduler.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum SchedulingLayout {
    /// A pool of nodes for Keelson alone.
    Dedicated,
    /// All nodes, with room left on each.
    Shared,
    /// All nodes, and the pods of default-scheduler.
    Replacement,
}

impl SchedulingLayout {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Dedicated, Self::Shared, Self::Replacement];

    /// The word in the Platform.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Dedicated => "Dedicated",
            Self::Shared => "Shared",
            Self::Replacement => "Replacement",
        }
    }
}

fn layout_schema(_: &mut SchemaGenerator) -> Schema {
    json_schema!({"type": "string", "enum": SchedulingLayout::ALL.map(SchedulingLayout::as_str)})
}

fn scheduler_name() -> String {
    names::SCHEDULER.to_owned()
}
/// kube-scheduler's podInitialBackoffSeconds (1.36).
const fn initial_backoff() -> i32 {
    1
}
/// kube-scheduler's podMaxBackoffSeconds (1.36).
const fn max_backoff() -> i32 {
    10
}

/// NetworkOverhead's networkTopologyName and namespaces (scheduler-plugins).
fn network_topology() -> String {
    "default/nt-default".to_owned()
}
/// NetworkOverhead's weightsName (scheduler-plugins).
fn network_weights() -> String {
    "UserDefined".to_owned()
}
/// Long enough for a workload controller to make its pods; far less than Permit may wait in kube-scheduler (15 minutes).
const fn group_wait() -> i32 {
    30
}
/// What two schedulers can bind in the time in which neither sees what the other did.
const fn headroom() -> i32 {
    10
}

/// Where interfaces begin to queue: a mean of 90 % hides bursts at line rate.
const fn bandwidth_limit() -> i32 {
    90
}

/// Most pods say nothing, and interfaces are full before processors are.
const fn learn_bandwidth() -> bool {
    true
}

impl Default for SchedulingSettings {
    fn default() -> Self {
        Self {
            scheduler_name: scheduler_name(),
            pod_initial_backoff_seconds: initial_backoff(),
            pod_max_backoff_seconds: max_backoff(),
            network_topology: network_topology(),
            network_weights: network_weights(),
            group_wait_seconds: group_wait(),
            layout: None,
            headroom_percent: headroom(),
            bandwidth_limit_percent: bandwidth_limit(),
            learn_bandwidth: learn_bandwidth(),
        }
    }
}

impl SchedulingSettings {
    /// Namespace and name of the NetworkTopology; `None` when the setting is not of this form.
    #[must_use]
    pub fn topology(&self) -> Option<(&str, &str)> {
        let (namespace, name) = self.network_topology.split_once('/')?;
        let is_name = |text: &str, more: &str| {
            let alphanumeric = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit();
            text.chars().all(|c| alphanumeric(c) || more.contains(c))
                && text.starts_with(alphanumeric)
                && text.ends_with(alphanumeric)
        };
        (is_name(namespace, "-") && is_name(name, "-.")).then_some((namespace, name))
    }
}

fn mode_schema(_: &mut SchemaGenerator) -> Schema {
    json_schema!({
        "type": "string",
        "enum": Mode::ALL.map(Mode::as_str),
        "default": Mode::default().as_str(),
        "description": "Off stops the feature and undoes what it installed on nodes. Observe decides and explains and touches nothing. Enforce acts.",
    })
}

/// What the platform does.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct PlatformStatus {
    /// The generation of the spec that the rest of the status describes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub observed_generation: Option<i64>,
    /// Each feature as it runs now.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub features: Option<FeatureStatuses>,
    /// Of the platform as a whole: Ready, SettingsAccepted.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["type"]))]
    pub conditions: Vec<Condition>,
}

/// Each feature as it runs now.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct FeatureStatuses {
    /// Scheduling.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scheduling: Option<FeatureStatus>,
}

/// One feature as it runs now.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct FeatureStatus {
    /// The mode in force: the wanted one, or the ceiling below it.
    #[schemars(schema_with = "mode_schema")]
    pub mode: Mode,
    /// Ready, Paused, CeilingReached, InputUnavailable and the like.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["type"]))]
    pub conditions: Vec<Condition>,
}

/// A setting that cannot be used; each names its field and the fix.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidPlatform {
    /// The object is not the one.
    #[error("metadata.name is {name:?}; the platform reads only \"default\"")]
    Name {
        /// The name as given.
        name: String,
    },
    /// The scheduler's name cannot be used.
    #[error("spec.features.scheduling.settings.schedulerName {name:?} {problem}")]
    SchedulerName {
        /// The name as given.
        name: String,
        /// What is wrong and what to do.
        problem: &'static str,
    },
    /// A wait is out of range.
    #[error("spec.features.scheduling.settings.{field} is {value}; use 1 to 3600 seconds")]
    Backoff {
        /// The field.
        field: &'static str,
        /// Its value.
        value: i32,
    },
    /// The NetworkTopology is not named as it should be.
    #[error(
        "spec.features.scheduling.settings.networkTopology {0:?} is no namespace/name; use one such as default/nt-default"
    )]
    Topology(String),
    /// The set of costs has no name, or too long a one.
    #[error("spec.features.scheduling.settings.networkWeights must have 1 to 253 characters; use UserDefined")]
    Weights,
    /// The wait of a group is out of range.
    #[error("spec.features.scheduling.settings.groupWaitSeconds is {0}; use 0 to 900 seconds")]
    GroupWait(i32),
    /// What is left to others is out of range.
    #[error("spec.features.scheduling.settings.headroomPercent is {0}; use 0 to 50")]
    Headroom(i32),
    /// The share of interfaces is out of range.
    #[error("spec.features.scheduling.settings.bandwidthLimitPercent is {0}; use 1 to 100")]
    BandwidthLimit(i32),
    /// The waits are the wrong way round.
    #[error(
        "spec.features.scheduling.settings.podInitialBackoffSeconds {initial} is above podMaxBackoffSeconds {max}; \
         lower it or raise the maximum"
    )]
    BackoffOrder {
        /// The first wait.
        initial: i32,
        /// The longest wait.
        max: i32,
    },
}

impl PlatformSpec {
    /// Checks again what the schema and the CEL rules check.
    ///
    /// ```
    /// use keelson_api::PlatformSpec;
    /// let mut spec = PlatformSpec::default();
    /// assert!(spec.validate().is_ok());
    /// spec.features.scheduling.settings.pod_max_backoff_seconds = 0;
    /// assert_eq!(
    ///     spec.validate().unwrap_err().to_string(),
    ///     "spec.features.scheduling.settings.podMaxBackoffSeconds is 0; use 1 to 3600 seconds"
    /// );
    /// ```
    ///
    /// # Errors
    /// The first field that cannot be used.
    pub fn validate(&self) -> Result<(), InvalidPlatform> {
        let settings = &self.features.scheduling.settings;
        let name = &settings.scheduler_name;
        let replaces = settings.layout == Some(SchedulingLayout::Replacement);
        let problem = if name == names::DEFAULT_SCHEDULER && !replaces {
            Some(
                "is the cluster's own scheduler: two would bind the same pods; choose another name, or layout Replacement",
            )
        } else if name.is_empty() || name.len() > 63 {
            Some("must have 1 to 63 characters")
        } else if !is_scheduler_name(name) {
            Some("must be lower case letters, digits, '-' and '.', and start and end with a letter or digit")
        } else {
            None
        };
        if let Some(problem) = problem {
            return Err(InvalidPlatform::SchedulerName { name: name.chars().take(64).collect(), problem });
        }
        let (initial, max) = (settings.pod_initial_backoff_seconds, settings.pod_max_backoff_seconds);
        for (field, value) in [("podInitialBackoffSeconds", initial), ("podMaxBackoffSeconds", max)] {
            if !(1..=3600).contains(&value) {
                return Err(InvalidPlatform::Backoff { field, value });
            }
        }
        if initial > max {
            return Err(InvalidPlatform::BackoffOrder { initial, max });
        }
        if settings.topology().is_none() {
            return Err(InvalidPlatform::Topology(settings.network_topology.chars().take(80).collect()));
        }
        if !(1..=253).contains(&settings.network_weights.len()) {
            return Err(InvalidPlatform::Weights);
        }
        let wait = settings.group_wait_seconds;
        if !(0..=900).contains(&wait) {
            return Err(InvalidPlatform::GroupWait(wait));
        }
        let headroom = settings.headroom_percent;
        if !(0..=50).contains(&headroom) {
            return Err(InvalidPlatform::Headroom(headroom));
        }
        let limit = settings.bandwidth_limit_percent;
        if (1..=100).contains(&limit) { Ok(()) } else { Err(InvalidPlatform::BandwidthLimit(limit)) }
    }

    /// The mode a feature is asked to run in.
    #[must_use]
    pub const fn mode(&self, feature: Feature) -> Mode {
        match feature {
            Feature::Scheduling => self.features.scheduling.mode,
        }
    }

    /// Whether a feature's actions are held.
    #[must_use]
    pub const fn paused(&self, feature: Feature) -> bool {
        match feature {
            Feature::Scheduling => self.features.scheduling.paused,
        }
    }
}

impl FeatureStatuses {
    /// One feature's place, made when it is not there yet.
    pub fn entry(&mut self, feature: Feature) -> &mut FeatureStatus {
        match feature {
            Feature::Scheduling => self.scheduling.get_or_insert_default(),
        }
    }
}

fn is_scheduler_name(name: &str) -> bool {
    let alphanumeric = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit();
    name.chars().all(|c| alphanumeric(c) || c == '-' || c == '.')
        && name.starts_with(alphanumeric)
        && name.ends_with(alphanumeric)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::indexing_slicing)]
    use super::*;
    use serde_json::json;

    #[test]
    fn an_empty_spec_observes() {
        let spec: PlatformSpec = serde_json::from_value(json!({})).unwrap();
        assert_eq!(spec, PlatformSpec::default());
        assert_eq!(spec.mode(Feature::Scheduling), Mode::Observe);
        assert_eq!(spec.features.scheduling.settings.scheduler_name, "keelson");
    }

    #[test]
    fn the_name_of_the_clusters_own_scheduler_is_for_its_replacement_alone() {
        let settings = json!({"schedulerName": "default-scheduler", "layout": "Replacement"});
        let spec: PlatformSpec =
            serde_json::from_value(json!({"features": {"scheduling": {"settings": settings}}})).unwrap();
        assert!(spec.validate().is_ok());
    }

    #[test]
    fn a_platform_from_before_layouts_has_none() {
        let settings = PlatformSpec::default().features.scheduling.settings;
        assert_eq!((settings.layout, settings.headroom_percent), (None, 10));
        assert!(serde_json::to_value(settings).unwrap().get("layout").is_none(), "and none is written for it");
    }

    #[test]
    fn each_refusal_names_its_field() {
        for (settings, field) in [
            (json!({"schedulerName": "default-scheduler"}), "schedulerName"),
            (json!({"schedulerName": "Keelson"}), "schedulerName"),
            (json!({"schedulerName": ""}), "schedulerName"),
            (json!({"schedulerName": "a-"}), "schedulerName"),
            (json!({"podInitialBackoffSeconds": 0}), "podInitialBackoffSeconds"),
            (json!({"podMaxBackoffSeconds": 3601}), "podMaxBackoffSeconds"),
            (json!({"podInitialBackoffSeconds": 20}), "podInitialBackoffSeconds"),
            (json!({"networkTopology": "nt-default"}), "networkTopology"),
            (json!({"networkTopology": "Default/nt"}), "networkTopology"),
            (json!({"networkWeights": ""}), "networkWeights"),
            (json!({"groupWaitSeconds": 901}), "groupWaitSeconds"),
            (json!({"groupWaitSeconds": -1}), "groupWaitSeconds"),
            (json!({"headroomPercent": 51}), "headroomPercent"),
            (json!({"headroomPercent": -1}), "headroomPercent"),
            (json!({"schedulerName": "default-scheduler", "layout": "Shared"}), "layout Replacement"),
        ] {
            let spec: PlatformSpec =
                serde_json::from_value(json!({"features": {"scheduling": {"settings": settings}}})).unwrap();
            let message = spec.validate().unwrap_err().to_string();
            assert!(message.contains(field), "{settings}: {message}");
        }
    }
}
