//! The words every part of Keelson uses.
//!
//! Values, references and records that travel between the runtime, the operators, the store and the page. Everything
//! here is plain data: no I/O, no clock, no Kubernetes client, so that a decider can be run on a laptop from a saved
//! snapshot and give the same bytes as in the cluster.
//!
//! | room | what it holds |
//! |---|---|
//! | [`quantity`], [`goduration`] | Kubernetes' number and duration strings, exactly |
//! | [`selector`] | label and field selectors |
//! | [`resources`] | resource vectors in integers |
//! | [`object`], [`time`], [`id`] | who, when, which |
//! | [`mode`], [`feature`] | what a feature may do |
//! | [`decision`], [`reason`] | what was decided and why |
//! | [`plan`], [`action`] | what is to be done about it |
//! | [`metric`] | what a metric says of itself |

pub mod action;
pub mod bandwidth;
pub mod decision;
pub mod feature;
pub mod goduration;
pub mod id;
pub mod metric;
pub mod mode;
pub mod object;
pub mod plan;
pub mod quantity;
pub mod reason;
pub mod resources;
pub mod selector;
pub mod time;

pub use action::{Action, ActionKind, Payload};
pub use bandwidth::{Direction, Interface, Measured, NodeBandwidth, Rates, Usage, Workload, WorkloadUsage};
pub use decision::{Candidate, Check, Decision, Effect, Outcome, Score, Step, StepResult, Trigger, Verb};
pub use feature::Feature;
pub use goduration::GoDuration;
pub use id::{DecisionId, IdSource, PlanId};
pub use metric::{Metric, MetricKind};
pub use mode::Mode;
pub use object::{GroupKind, ObjectRef};
pub use plan::{Condition, ConditionStatus, Plan, Requeue};
pub use quantity::Quantity;
pub use reason::Reason;
pub use resources::{ResourceName, Resources};
pub use time::{Span, Timestamp};
