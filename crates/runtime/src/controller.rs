//! Level-triggered reconciliation of one kind of subject.
//!
//! A [`Controller`] says what there is to see about a key and, purely, what to do about it. The runtime does the rest:
//! queue, back-off, workers, deadlines, panics, recording, acting.

mod run;

use std::fmt::Display;
use std::hash::Hash;

use keelson_core::{Feature, ObjectRef, Plan, Span, Timestamp};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::executor::Report;
pub use run::Inbox;
pub(crate) use run::Lines;

/// Level-triggered reconciliation of one kind of subject.
///
/// Ids of decisions need not be made by the decider: the executor replaces every id that is no version 7 UUID, such as a
/// number counted from zero, and the action's reference with it.
///
/// ```
/// use keelson_core::{Feature, ObjectRef, Plan, Requeue, Span, Timestamp};
/// use keelson_runtime::{Controller, assert_pure};
/// /// Looks at a namespace again every minute while it holds anything.
/// struct Namespaces;
/// impl Controller for Namespaces {
///     const NAME: &'static str = "namespaces";
///     const FEATURE: Feature = Feature::Scheduling;
///     type Key = String;
///     type Snapshot = usize;
///     fn keys(&self) -> Vec<String> {
///         vec!["shop".into()]
///     }
///     fn flow(key: &String) -> String {
///         key.clone()
///     }
///     fn subject(key: &String) -> ObjectRef {
///         ObjectRef::cluster("Namespace", key)
///     }
///     fn snapshot(&self, key: &String) -> Option<usize> {
///         Some(key.len()) // from caches and facts
///     }
///     fn decide(pods: &usize, _now: Timestamp) -> Plan {
///         let requeue = if *pods > 0 { Requeue::After(Span::minutes(1)) } else { Requeue::OnChange };
///         Plan { requeue, ..Plan::default() }
///     }
/// }
/// assert_pure::<Namespaces>(&4, Timestamp(0));
/// ```
pub trait Controller: Send + Sync + 'static {
    /// Lower case, for labels: `pods`.
    const NAME: &'static str;
    /// Whose mind it is.
    const FEATURE: Feature;
    /// What is reconciled; small.
    type Key: Ord + Hash + Clone + Display + Send + Sync + 'static;
    /// Everything a decision sees, settings included.
    type Snapshot: Serialize + DeserializeOwned + Send + 'static;

    /// Every key there is: queued, at low priority, when this process begins to lead or the switch moves.
    fn keys(&self) -> Vec<Self::Key>;

    /// Whose turn a key takes; usually its namespace.
    fn flow(key: &Self::Key) -> String;

    /// The object a key stands for, to say what a panic was about.
    fn subject(key: &Self::Key) -> ObjectRef;

    /// What there is to see about a key, from caches and facts only; none when there is nothing to decide.
    fn snapshot(&self, key: &Self::Key) -> Option<Self::Snapshot>;

    /// Decides. Pure: no self, no clock, no I/O.
    fn decide(snapshot: &Self::Snapshot, now: Timestamp) -> Plan;

    /// How the plan that was decided on this snapshot at this moment went, after its last action: where an effect begins to
    /// be followed. Deciding on the two again gives the plan.
    fn ended(&self, _snapshot: &Self::Snapshot, _now: Timestamp, _report: &Report) {}
}

/// How a controller is run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Options {
    /// How many keys are worked on at once.
    pub workers: usize,
    /// How long one reconcile may take, in process time.
    pub deadline: Span,
}

impl Default for Options {
    fn default() -> Self {
        Self { workers: 4, deadline: Span::seconds(30) }
    }
}

/// Checks that a decider is pure: decides twice, the second time on another thread from the snapshot's own bytes, and
/// compares the bytes of both plans.
///
/// # Panics
/// When they differ. For tests.
#[expect(clippy::expect_used, reason = "an assertion for tests")]
pub fn assert_pure<C: Controller>(snapshot: &C::Snapshot, now: Timestamp) {
    let bytes = |plan: &Plan| serde_json::to_string(plan).expect("a plan can be written");
    let seen = serde_json::to_vec(snapshot).expect("a snapshot can be written");
    let here = bytes(&C::decide(snapshot, now));
    let there = std::thread::spawn(move || {
        let again: C::Snapshot = serde_json::from_slice(&seen).expect("a snapshot can be read back");
        bytes(&C::decide(&again, now))
    });
    let there = there.join().expect("the decider does not panic");
    assert!(here == there, "{} is not pure: the same snapshot gave\n{here}\nand\n{there}", C::NAME);
}
