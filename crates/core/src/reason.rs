//! Why a decision went the way it did: a closed list.
//!
//! A reason is a metric label, a key for translations and part of the API. Names are never reused or renamed.

use std::fmt;

use serde::{Deserialize, Serialize};

macro_rules! reasons {
    ($($(#[doc = $doc:literal])* $name:ident,)*) => {
        /// A stable CamelCase code.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        pub enum Reason { $($(#[doc = $doc])* $name,)* }

        impl Reason {
            /// Every reason, in order of declaration.
            pub const ALL: &[Self] = &[$(Self::$name,)*];

            /// The code as it appears in labels and records.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$name => stringify!($name),)* }
            }

            /// What it means, for people.
            #[must_use]
            pub const fn says(self) -> &'static str {
                match self { $(Self::$name => concat!($($doc,)*).trim_ascii(),)* }
            }
        }
    };
}

reasons! {
    /// A pod was given the node with the best score.
    PodPlaced,
    /// Only one node could hold the pod, so no scores were compared.
    OnlyFeasibleNode,
    /// No node can hold the pod now.
    Unschedulable,
    /// No node is in the pool that Keelson has for itself (layout Dedicated).
    PoolEmpty,
    /// No node can hold the pod until pods of lower priority are gone from one.
    RoomByEviction,
    /// Room for the pod would break a disruption budget; what becomes of evictions for other pods is awaited first.
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
    /// The pod asks for something this version does not implement; nothing is guessed.
    UnsupportedFeature,
    /// The pod has scheduling gates: somebody holds it back on purpose.
    SchedulingGated,
    /// A field of the object cannot be read; nothing is guessed.
    InvalidField,
    /// The pod names Keelson as its scheduler while scheduling is not enforced.
    SchedulerNotEnforcing,
    /// Keelson is to replace a scheduler that still leads: it binds nothing of that scheduler's.
    OtherSchedulerLeads,
    /// The pod's namespace opts in, and the pod was left to another scheduler for what it uses or is.
    LeftAlone,
    /// Another scheduler bound the pod to the node Keelson would have chosen.
    SameChoice,
    /// Another scheduler bound the pod to a node that Keelson would not have chosen.
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
    /// A decider panicked; the item is retried after a back-off.
    Panicked,
    /// A reconcile took longer than its deadline.
    DeadlineExceeded,
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
