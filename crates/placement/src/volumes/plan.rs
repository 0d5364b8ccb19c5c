//! What is to be written when a node is chosen.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

/// What becomes of a pod's claims on one node. Claims are named as `namespace/name`.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct VolumePlan {
    /// The node.
    pub node: String,
    /// The claims that are bound to volumes at hand.
    pub bindings: BTreeMap<String, String>,
    /// The claims whose volumes are made for the node.
    pub provisions: BTreeSet<String>,
}

impl VolumePlan {
    /// Whether nothing is to be written.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.bindings.is_empty() && self.provisions.is_empty()
    }
}
