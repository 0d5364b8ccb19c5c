//! What a pod waits for.

/// A set of causes, one bit each.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub struct Waits(u8);

impl Waits {
    /// Nothing, not even time.
    pub const NONE: Self = Self(0);
    /// A node that can hold it.
    pub const NODE: Self = Self(1);
    /// A pod elsewhere that it is spread with, must be with or apart from, or that keeps it away.
    pub const PEERS: Self = Self(2);
    /// A change of the pod itself, which every pod waits for.
    pub const ITSELF: Self = Self(4);
    /// Nothing but time: it is worth saying anew now and then.
    pub const TIME: Self = Self(8);

    /// A claim, a volume, or what is known of them.
    pub const VOLUMES: Self = Self(16);

    /// Another pod of its AppGroup, or the end of the wait for it.
    pub const GROUP: Self = Self(32);

    /// What becomes of evictions for other pods.
    pub const EVICTIONS: Self = Self(64);

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
}
