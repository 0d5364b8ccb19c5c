//! How many pods may be disrupted at once, by PodDisruptionBudget.

use std::collections::{BTreeMap, BTreeSet};

use keelson_core::selector::LabelSelector;
use serde::{Deserialize, Serialize};

use crate::node::Occupant;

/// The budgets there are, by `namespace/name`.
pub type Budgets = BTreeMap<String, Budget>;

/// One budget, as the disruption controller last counted it.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Budget {
    /// `metadata.namespace`.
    pub namespace: String,
    /// `metadata.name`.
    pub name: String,
    /// `spec.selector`; one that is empty covers nobody here.
    pub selector: LabelSelector,
    /// `status.disruptionsAllowed`.
    pub allowed: i32,
    /// `status.disruptedPods`: names of pods whose eviction the API server has counted already.
    pub disrupted: BTreeSet<String>,
}

impl Budget {
    /// `namespace/name`.
    #[must_use]
    pub fn key(&self) -> String {
        format!("{}/{}", self.namespace, self.name)
    }

    /// Whether evicting the pod takes from it.
    #[must_use]
    pub fn covers(&self, pod: &Occupant) -> bool {
        let labels = &pod.claim.labels;
        let name = pod.key.split_once('/').map_or("", |(_, name)| name);
        self.namespace == pod.claim.namespace
            && !(labels.is_empty() || self.selector.is_empty())
            && self.selector.matches(labels)
            && !self.disrupted.contains(name)
    }
}
