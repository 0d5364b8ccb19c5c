//! What a pod waits for, and what a change can cure.

use keelson_placement::Failure;

/// A set of causes, one bit each.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub struct Waits(u8);

/// Something that happened in the cluster.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Change {
    /// A node came.
    NodeAdded,
    /// A node offers more of something.
    NodeGrew,
    /// A node's labels changed.
    NodeLabelled,
    /// A node lost a taint, or its cordon.
    NodeUntainted,
    /// A pod left its node, shrank, or gave up the room made for it.
    PodLeft,
}

impl Waits {
    /// Nothing.
    pub const NONE: Self = Self(0);
    /// Anything.
    pub const ALL: Self = Self(u8::MAX);
    /// Room: cpu, memory, pods, host ports.
    pub const ROOM: Self = Self(1);
    /// Labels.
    pub const LABELS: Self = Self(2);
    /// Taints and cordons.
    pub const TAINTS: Self = Self(4);
    /// A node that is not there.
    pub const NODES: Self = Self(8);
    /// A pod that keeps it away.
    pub const PODS: Self = Self(16);

    /// Both sets.
    #[must_use]
    pub const fn and(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// Whether they have a cause in common.
    #[must_use]
    pub const fn meets(self, other: Self) -> bool {
        self.0 & other.0 != 0
    }

    /// What can cure a failure. A new node can cure every one.
    #[must_use]
    pub const fn of(failure: &Failure) -> Self {
        let cause = match failure {
            Failure::Cordoned | Failure::Untolerated { .. } => Self::TAINTS,
            Failure::OtherNode { .. } => Self::NODES,
            Failure::Selector { .. } | Failure::Affinity { .. } => Self::LABELS,
            Failure::Ports { .. } | Failure::TooManyPods { .. } | Failure::Insufficient { .. } => Self::ROOM,
        };
        cause.and(Self::NODES)
    }
}

impl Change {
    /// The causes it can cure.
    #[must_use]
    pub const fn cures(self) -> Waits {
        match self {
            Self::NodeAdded => Waits::NODES,
            Self::NodeGrew => Waits::ROOM,
            Self::NodeLabelled => Waits::LABELS,
            Self::NodeUntainted => Waits::TAINTS,
            Self::PodLeft => Waits::ROOM.and(Waits::PODS),
        }
    }
}
