//! A second scheduler that explains itself.
//!
//! Pods that name it are placed by the same rules as kube-scheduler's, with every node scored, and every placement and
//! every failure is a decision with its candidates, scores and shortfalls. What it does not implement it refuses by name.
//! In Observe it places nothing and says, for the pods that others bind, what it would have chosen.
//!
//! | room | what it holds |
//! |---|---|
//! | [`fields`] | which pod fields are understood: the table |
//! | [`queue`] | who is next, and who waits for what |
//! | [`decide`] | where a pod goes, and why |
//! | [`observe`] | what would have been chosen |
//! | `alike` | who is told what another was told |
//! | [`opt_in`] | which pods of a namespace become its own |
//! | [`incumbent`] | whether the scheduler that it replaces still leads |
//! | [`extender`] | what another scheduler is answered |
//! | [`effect`] | what came of it |
//! | [`used`] | what nodes are measured to use |
//! | [`interfaces`] | which measurements of network interfaces are believed |
//! | [`learned`] | what pods that say nothing ask of the network |
//! | [`mind`] | all of it together, as one state machine |
//! | [`operator`] | the loop around it, and the questions it answers |
//! | [`groups`] | where an AppGroup is, and what its edges cost |
//! | [`drift`] | which of its pods would be better elsewhere |
//! | [`proposal`] | where all of them would be, and at what price |
//! | [`times`] | round-trip times that were measured, by ConfigMap |
//! | [`told`] | what an AppGroup or a NetworkTopology is told about itself |
//! | [`recording`] | what a decision saw, to decide again |
//! | [`mod@simulate`] | what would be with a cluster that is only written down |
//!
//! The thinking needs no cluster:
//!
//! ```
//! use keelson_cluster::{Event, State, read};
//! use keelson_core::{Mode, PlanId, Reason, Timestamp};
//! use keelson_scheduling::decide::{Ask, Moment, Settings, decide};
//! use serde_json::json;
//! let mut state = State::default();
//! let node = json!({"metadata": {"name": "n1"}, "status": {"allocatable": {"cpu": "380m", "pods": "110"}}});
//! state.apply(Event::node(&serde_json::from_value(node)?));
//! let pod = json!({"metadata": {"name": "cart", "namespace": "shop", "uid": "1"}, "spec": {"schedulerName": "keelson",
//!     "containers": [{"name": "c", "resources": {"requests": {"cpu": "500m"}}}]}});
//! let pod = serde_json::from_value(pod)?;
//! let settings = Settings::new("keelson", Mode::Enforce);
//! let id = "00000000-0000-7000-8000-000000000001".parse()?;
//! let at = Moment { decision: id, plan: PlanId(id.0), now: Timestamp(0) };
//! let ask = Ask::new(&pod, read::pod(&pod), settings, at);
//! let decided = decide(&ask, &state.live().snapshot_for(&ask.pod));
//! assert_eq!(decided.plan.decisions[0].reason, Reason::Unschedulable);
//! assert_eq!(decided.plan.decisions[0].candidates[0].failed[0].text, "needs 500m cpu, 380m free: short 120m");
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod alike;

pub mod decide;
pub mod drift;
pub mod effect;
pub mod extender;
pub mod fields;
pub mod groups;
pub mod incumbent;
pub mod interfaces;
pub mod learned;
pub mod mind;
pub mod observe;
pub mod operator;
pub mod opt_in;
pub mod proposal;
pub mod queue;
pub mod recording;
pub mod simulate;
pub mod times;
pub mod told;
pub mod used;

pub use operator::Scheduling;
