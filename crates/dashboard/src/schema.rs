//! The JSON of the decision record, as the API document describes it.
//!
//! The records themselves are `keelson_core`'s and are sent as they are. The core knows nothing of OpenAPI, so that each
//! of its types is mirrored here, field by field; a test compares every mirror with a full record.

use std::collections::BTreeMap;

use serde::Serialize;
use utoipa::{IntoParams, ToSchema};

/// One switchable part of the platform.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum Feature {
    /// A second scheduler that explains itself.
    Scheduling,
}

/// How far a feature may go.
#[derive(Debug, Serialize, ToSchema)]
pub enum Mode {
    /// Stopped.
    Off,
    /// Decides and explains; touches nothing.
    Observe,
    /// Decides and acts.
    Enforce,
}

/// Identifies a decision: a UUID that sorts by the moment it was made.
#[derive(Debug, Serialize, ToSchema)]
#[schema(value_type = String, format = "uuid")]
pub struct DecisionId(pub String);

/// One object.
#[derive(Debug, Serialize, ToSchema)]
pub struct ObjectRef {
    /// The API group; absent for the core group.
    #[schema(nullable = false)]
    pub group: Option<String>,
    /// The kind in CamelCase.
    pub kind: String,
    /// Absent for cluster-scoped kinds.
    #[schema(nullable = false)]
    pub namespace: Option<String>,
    /// `metadata.name`.
    pub name: String,
    /// `metadata.uid`; absent when unknown.
    #[schema(nullable = false)]
    pub uid: Option<String>,
}

/// A condition as `metav1.Condition` has it.
#[derive(Debug, Serialize, ToSchema)]
pub struct Condition {
    /// CamelCase, unique within the object.
    pub kind: String,
    /// Whether it holds.
    pub status: ConditionStatus,
    /// CamelCase.
    pub reason: String,
    /// A sentence for people.
    pub message: String,
}

/// Whether a condition holds.
#[derive(Debug, Serialize, ToSchema)]
pub enum ConditionStatus {
    /// It holds.
    True,
    /// It does not.
    False,
    /// It cannot be told now.
    Unknown,
}

/// What a feature decided about one subject.
#[derive(Debug, Serialize, ToSchema)]
pub struct Decision {
    /// Sorts by the moment of decision.
    #[schema(format = "uuid")]
    pub id: String,
    /// The moment it was made, in microseconds since 1970.
    pub at: i64,
    /// The feature whose mind it was.
    pub feature: Feature,
    /// The controller or loop within the feature.
    pub controller: String,
    /// The mode it was made under; below Enforce the verb reads "would".
    pub mode: Mode,
    /// What it is about.
    pub subject: ObjectRef,
    /// What made the feature look.
    pub trigger: Trigger,
    /// The decisions that led here, at most eight.
    #[schema(nullable = false)]
    pub causes: Option<Vec<DecisionId>>,
    /// How many decisions led here, named or not.
    pub cause_count: u32,
    /// What it is about besides its subject: the chosen node, the workload that owns the pod.
    #[schema(nullable = false)]
    pub related: Option<Vec<ObjectRef>>,
    /// What is done to the subject.
    pub verb: Verb,
    /// Why.
    pub reason: Reason,
    /// One sentence for people.
    pub sentence: String,
    /// The chosen candidate's name, when one was chosen.
    #[schema(nullable = false)]
    pub chosen: Option<String>,
    /// The best few candidates and the nearest misses.
    #[schema(nullable = false)]
    pub candidates: Option<Vec<Candidate>>,
    /// The numbers used, with their units in the text.
    #[schema(nullable = false)]
    pub inputs: Option<BTreeMap<String, String>>,
    /// The plan that this decision is part of.
    #[schema(format = "uuid")]
    pub plan: String,
    /// How the plan's actions for this decision ended.
    pub outcome: Outcome,
    /// What was done, step by step.
    #[schema(nullable = false)]
    pub steps: Option<Vec<Step>>,
    /// What came of it, measured later.
    #[schema(nullable = false)]
    pub effect: Option<Effect>,
    /// The leader's fencing number when it was made.
    pub fence: u64,
    /// The trace it belongs to: 32 hexadecimal digits.
    #[schema(nullable = false)]
    pub trace_id: Option<String>,
    /// How long deciding took, in microseconds.
    pub took: i64,
    /// How often the same verdict was repeated, the first included.
    pub count: u32,
    /// The moment of the last repeat, in microseconds since 1970.
    pub last_at: i64,
}

/// What made the feature look at the subject.
#[derive(Debug, Serialize, ToSchema)]
pub enum Trigger {
    /// An object changed.
    Watch(ObjectRef),
    /// A deadline or a resync came due.
    Timer,
    /// A fact on the board changed.
    Fact(String),
    /// A person or a program asked.
    Request,
}

/// What is done to the subject.
#[derive(Debug, Serialize, ToSchema)]
pub enum Verb {
    /// A pod is bound to a node.
    Place,
    /// Pods of lower priority are evicted to make room for a pod, which waits until they are gone.
    Preempt,
    /// A pod is evicted because it would be placed better when it comes again.
    Move,
    /// Nothing can be done now; the subject waits.
    Wait,
    /// The request is refused until it is changed.
    Refuse,
    /// Another actor's choice is compared with ours.
    Compare,
    /// An object is told how it was read.
    Tell,
    /// A setting is changed.
    Configure,
}

/// Why a decision went the way it did: a stable CamelCase code.
#[derive(Debug, Serialize, ToSchema)]
pub enum Reason {
    /// A pod was given the node with the best score.
    PodPlaced,
    /// Only one node could hold the pod.
    OnlyFeasibleNode,
    /// No node can hold the pod now.
    Unschedulable,
    /// No node is in the pool that Keelson has for itself.
    PoolEmpty,
    /// No node can hold the pod until pods of lower priority are gone from one.
    RoomByEviction,
    /// Room for the pod would break a disruption budget; evictions for other pods are awaited first.
    EvictionsAwaited,
    /// The pod was given the node on which room was made for it.
    RoomMade,
    /// The pod was given the node on which its AppGroup, placed as a unit, has it.
    PlacedWithGroup,
    /// The pods of an AppGroup were given nodes together, at the smallest network cost that was found.
    GroupPlaced,
    /// The pod waits until all pods of its AppGroup are there, or all of them find a node.
    GroupIncomplete,
    /// Pods of an AppGroup run where the network costs more than it must.
    GroupDrifted,
    /// All of the object was understood.
    ObjectAccepted,
    /// Some of the object was not understood, and is left out.
    ObjectLeftOut,
    /// A node is chosen for the pod; its claims get their volumes there before it is bound.
    VolumesFirst,
    /// The pod asks for something this version does not implement.
    UnsupportedFeature,
    /// The pod is held by its scheduling gates.
    SchedulingGated,
    /// A field of the pod cannot be read.
    InvalidField,
    /// The pod names Keelson as its scheduler while scheduling is not enforced.
    SchedulerNotEnforcing,
    /// Keelson is to replace a scheduler that still leads.
    OtherSchedulerLeads,
    /// The pod's namespace opts in, and the pod was left to another scheduler.
    LeftAlone,
    /// Another scheduler made the choice Keelson would have made.
    SameChoice,
    /// Another scheduler made another choice.
    OtherChoice,
    /// Another scheduler bound a pod at the same moment, and the node cannot hold both.
    BoundAtOnce,
    /// Another scheduler chose the node and had Keelson bind the pod to it.
    BoundOnRequest,
    /// The mode of a feature was changed.
    ModeChanged,
    /// A person paused a feature.
    Paused,
    /// A person let a paused feature act again.
    Resumed,
    /// The circuit breaker paused a feature whose actions did harm.
    BreakerOpened,
    /// A decider panicked.
    Panicked,
    /// A reconcile took longer than its deadline.
    DeadlineExceeded,
}

/// How the actions of a decision ended.
#[derive(Debug, Serialize, ToSchema)]
pub enum Outcome {
    /// There was nothing to do.
    NoAction,
    /// Recorded, not done.
    Would,
    /// Under way.
    Pending,
    /// Every action succeeded.
    Done,
    /// An action failed.
    Failed,
}

/// One thing that could have been chosen.
#[derive(Debug, Serialize, ToSchema)]
pub struct Candidate {
    /// Its name; a group of alike candidates reads "34 nodes in eu-west-1a".
    pub name: String,
    /// The weighted total; absent when it cannot be chosen.
    #[schema(nullable = false)]
    pub total: Option<i64>,
    /// The parts of the total.
    #[schema(nullable = false)]
    pub scores: Option<Vec<Score>>,
    /// Every check it fails.
    #[schema(nullable = false)]
    pub failed: Option<Vec<Check>>,
}

/// One part of a candidate's total.
#[derive(Debug, Serialize, ToSchema)]
pub struct Score {
    /// The scorer.
    pub name: String,
    /// What it gave, 0 to 100.
    pub value: i64,
    /// What it counts in the total.
    pub weight: i64,
}

/// One check that a candidate fails.
#[derive(Debug, Serialize, ToSchema)]
pub struct Check {
    /// The check.
    pub name: String,
    /// The sentence, with the numbers: "needs 500m cpu, 380m free: short 120m".
    pub text: String,
    /// How many candidates this row stands for.
    pub nodes: u32,
}

/// One action of a decision and how it went.
#[derive(Debug, Serialize, ToSchema)]
pub struct Step {
    /// When it ended, in microseconds since 1970.
    pub at: i64,
    /// What was done, for people.
    pub action: String,
    /// How it went.
    pub result: StepResult,
    /// What the other side said, when it went wrong.
    #[schema(nullable = false)]
    pub detail: Option<String>,
}

/// How one action went.
#[derive(Debug, Serialize, ToSchema)]
pub enum StepResult {
    /// Done now.
    Done,
    /// It was so already.
    Unchanged,
    /// Recorded, not done.
    Would,
    /// Refused by somebody else's ownership or a precondition.
    Conflict,
    /// Failed; it will be tried again.
    Failed,
    /// Held by the gate.
    Held,
    /// Undone after a later action failed.
    Undone,
}

/// What came of a decision.
#[derive(Debug, Serialize, ToSchema)]
pub struct Effect {
    /// When it was measured, in microseconds since 1970.
    pub at: i64,
    /// One sentence.
    pub sentence: String,
    /// Whether it came as predicted; absent when nothing was predicted.
    #[schema(nullable = false)]
    pub as_predicted: Option<bool>,
    /// The numbers, predicted and measured.
    #[schema(nullable = false)]
    pub figures: Option<BTreeMap<String, String>>,
}

/// Which decisions are wanted; an absent parameter does not restrict.
#[derive(Debug, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct DecisionParams {
    /// Of this feature.
    #[param(nullable = false)]
    pub feature: Option<Feature>,
    /// With this verb.
    #[param(nullable = false)]
    pub verb: Option<Verb>,
    /// For this reason.
    #[param(nullable = false)]
    pub reason: Option<Reason>,
    /// That ended like this.
    #[param(nullable = false)]
    pub outcome: Option<Outcome>,
    /// About this kind of object.
    #[param(nullable = false)]
    pub kind: Option<String>,
    /// About objects in this namespace.
    #[param(nullable = false)]
    pub namespace: Option<String>,
    /// About objects of this name.
    #[param(nullable = false)]
    pub name: Option<String>,
    /// About this object, as its subject or related to it: `KIND/NAMESPACE/NAME`, with - for the namespace of what has
    /// none.
    #[param(nullable = false)]
    pub about: Option<String>,
    /// Whose subject, sentence or chosen candidate contains this text, in any case.
    #[param(nullable = false)]
    pub q: Option<String>,
    /// Made or last repeated at this moment or later: microseconds since 1970, or RFC 3339.
    #[param(nullable = false)]
    pub since: Option<String>,
    /// First made before this moment: microseconds since 1970, or RFC 3339.
    #[param(nullable = false)]
    pub until: Option<String>,
    /// Older than this decision: the `next` of the page before.
    #[param(nullable = false)]
    pub before: Option<DecisionId>,
}

/// How much of it is wanted.
#[derive(Debug, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct PageParams {
    /// How many at most, 1 to 500; 100 when absent.
    #[param(nullable = false)]
    pub limit: Option<u32>,
}
