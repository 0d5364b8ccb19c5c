//! What a decision may see of the pod, besides the nodes.

use k8s_openapi::api::core::v1::Pod as Written;
use keelson_api::names;
use keelson_cluster::read::selecting::controller;
use keelson_cluster::{Problem, ReadPod};
use keelson_core::{DecisionId, Mode, ObjectRef, PlanId, Rates, Timestamp, Trigger};
use keelson_placement::{Layout, Pod};
use serde::{Deserialize, Serialize};

use crate::fields::{self, Finding};

/// The settings that bear on a decision.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Settings {
    /// The scheduler's name.
    pub scheduler: String,
    /// What the feature may do.
    pub mode: Mode,
    /// Which nodes it has, and how much of each.
    #[serde(default, skip_serializing_if = "Layout::is_all")]
    pub layout: Layout,
    /// Whether the pods of `default-scheduler` are ours, too.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub replaces: bool,
}

impl Settings {
    /// All of every node, for the pods that name this scheduler.
    #[must_use]
    pub fn new(scheduler: &str, mode: Mode) -> Self {
        Self { scheduler: scheduler.to_owned(), mode, layout: Layout::All, replaces: false }
    }

    /// Whether pods that name this scheduler are ours. Those of the scheduler that is replaced are only where we act: until
    /// then it places them.
    #[must_use]
    pub fn places(&self, scheduler: &str) -> bool {
        self.is_replaced(scheduler) || (scheduler == self.scheduler && scheduler != names::DEFAULT_SCHEDULER)
    }

    /// Whether pods that name this scheduler are ours because we replace it.
    #[must_use]
    pub fn is_replaced(&self, scheduler: &str) -> bool {
        self.replaces && self.mode == Mode::Enforce && scheduler == names::DEFAULT_SCHEDULER
    }

    /// Which nodes are there for a pod: for one of another scheduler all of every node.
    #[must_use]
    pub fn layout_of(&self, written: &Written) -> Layout {
        if self.places(scheduler_of(written)) { self.layout.clone() } else { Layout::All }
    }
}

/// The scheduler that a pod names.
#[must_use]
pub fn scheduler_of(written: &Written) -> &str {
    written.spec.as_ref().and_then(|spec| spec.scheduler_name.as_deref()).unwrap_or_default()
}

/// The pod's condition PodScheduled as it is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stated {
    /// `True` or `False`.
    pub status: String,
    /// When it last changed, as written.
    pub since: Option<String>,
}

/// One question: where does this pod go?
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ask {
    /// The pod as placement sees it.
    pub pod: Pod,
    /// Its scheduling gates.
    pub gates: Vec<String>,
    /// Its fields that are refused.
    pub findings: Vec<Finding>,
    /// What of it could not be read.
    pub problems: Vec<Problem>,
    /// Its condition PodScheduled.
    pub stated: Option<Stated>,
    /// The workload that owns the pod: its controller, and the Deployment behind a ReplicaSet.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub owners: Vec<ObjectRef>,
    /// `metadata.generation`.
    pub generation: Option<i64>,
    /// Whether the nodes that cannot hold it go unmentioned when it is placed: they were told for a pod like it.
    pub brief: bool,
    /// The node that was decided on while its claims got their volumes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stays: Option<String>,
    /// The node on which its AppGroup, placed as a unit, has it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub with_group: Option<String>,
    /// What its AppGroup lacks to be placed as a unit, while that is waited for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub group_lacks: Option<String>,
    /// Whether others are evicted for other pods at this moment, and what comes of it is not known yet.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub evictions_open: bool,
    /// What it asks of the network because its workload was seen to use it.
    #[serde(default, skip_serializing_if = "Rates::is_nothing")]
    pub learned: Rates,
    /// Why nothing is bound that names the scheduler which it names, while another may bind it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stands_back: Option<String>,
    /// The scheduler that it names.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub scheduler: String,
    /// The mode that its annotation asks for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lowered: Option<Mode>,
    /// The settings.
    pub settings: Settings,
    /// Decides between nodes of equal score.
    pub seed: u64,
    /// The moment.
    pub now: Timestamp,
    /// The decision's id.
    pub decision: DecisionId,
    /// The plan's id.
    pub plan: PlanId,
    /// Why it is asked.
    pub trigger: Trigger,
    /// The decisions that led here.
    #[serde(default)]
    pub causes: Vec<DecisionId>,
}

/// What identifies one decision.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Moment {
    /// The decision's id.
    pub decision: DecisionId,
    /// The plan's id.
    pub plan: PlanId,
    /// When.
    pub now: Timestamp,
}

impl Ask {
    /// A question about a pod.
    #[must_use]
    pub fn new(written: &Written, read: ReadPod, mut settings: Settings, at: Moment) -> Self {
        let (lowered, layout) = (lowered(written), settings.layout_of(written));
        settings.mode = settings.mode.min(lowered.unwrap_or(settings.mode));
        let Moment { decision, plan, now } = at;
        let gates = written.spec.as_ref().and_then(|spec| spec.scheduling_gates.as_ref());
        let pod = read.pod.in_layout(layout);
        let seed = seed(&pod.uid, now);
        let trigger = Trigger::Watch(subject(&pod));
        Self {
            gates: gates.into_iter().flatten().map(|gate| gate.name.clone()).collect(),
            findings: fields::judge(written),
            problems: read.problems,
            learned: read.learned,
            stated: stated(written),
            owners: owners(written),
            generation: written.metadata.generation,
            brief: false,
            stays: None,
            with_group: None,
            group_lacks: None,
            evictions_open: false,
            stands_back: None,
            scheduler: scheduler_of(written).to_owned(),
            lowered,
            pod,
            settings,
            seed,
            now,
            decision,
            plan,
            trigger,
            causes: Vec::new(),
        }
    }

    /// The pod as an object.
    #[must_use]
    pub fn subject(&self) -> ObjectRef {
        subject(&self.pod)
    }

    /// What a decision about it is about besides the pod: the node it names, and the pod's owners.
    pub(crate) fn related(&self, node: Option<&str>) -> Vec<ObjectRef> {
        node.map(|node| ObjectRef::cluster("Node", node)).into_iter().chain(self.owners.iter().cloned()).collect()
    }
}

/// The workload that owns a pod: its controller and the Deployment or CronJob behind that.
#[must_use]
pub fn owners(written: &Written) -> Vec<ObjectRef> {
    let Some((owner, behind)) = controller(written) else { return Vec::new() };
    // A mirror pod is owned by its node.
    let namespace = written.metadata.namespace.as_deref().filter(|_| owner.kind != "Node").unwrap_or_default();
    let group = owner.api_version.split_once('/').map_or("", |(group, _)| group);
    let made_by = ObjectRef::namespaced(&owner.kind, namespace, &owner.name).in_group(group).with_uid(&owner.uid);
    let behind = behind.map(|(kind, name)| ObjectRef::namespaced(kind, namespace, name).in_group(group));
    std::iter::once(made_by).chain(behind).collect()
}

fn subject(pod: &Pod) -> ObjectRef {
    ObjectRef::namespaced("Pod", &pod.namespace, &pod.name).with_uid(&pod.uid)
}

/// The mode that the pod's own annotation asks for; it can only lower.
fn lowered(written: &Written) -> Option<Mode> {
    written.metadata.annotations.as_ref()?.get(names::MODE)?.parse().ok()
}

fn stated(written: &Written) -> Option<Stated> {
    let conditions = written.status.as_ref()?.conditions.as_ref()?;
    let known = conditions.iter().find(|condition| condition.type_ == "PodScheduled")?;
    let since = known.last_transition_time.as_ref().and_then(|time| serde_json::to_value(time).ok());
    let since = since.and_then(|time| time.as_str().map(str::to_owned));
    Some(Stated { status: known.status.clone(), since })
}

/// FNV-1a of the uid and the moment: every try of every pod draws other lots, and a replay draws the same.
fn seed(uid: &str, now: Timestamp) -> u64 {
    uid.bytes()
        .chain(now.0.to_le_bytes())
        .fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3))
}
