//! How evenly like pods lie over zones, nodes or other places.
//!
//! A constraint counts the pods that its selector selects by the value of a node label. A hard one forbids a place whose
//! count would exceed the smallest by more than the skew allowed; a soft one prefers places with few.
//!
//! Promises: only nodes that carry the labels of all constraints of the same kind count, and of them those that the
//! constraint's policies admit; pods that are being deleted do not count; the formulas are those of PodTopologySpread in
//! kube-scheduler 1.36.

use keelson_core::selector::LabelSelector;
use serde::{Deserialize, Serialize};

use crate::affinity;
use crate::node::Node;
use crate::peers::Labels;
use crate::pod::{Claim, Pod};
use crate::score::MAX;

/// The label of a node's own name: counted by node.
pub const HOSTNAME: &str = "kubernetes.io/hostname";
/// The label of a node's zone.
pub const ZONE: &str = "topology.kubernetes.io/zone";

/// One of `spec.topologySpreadConstraints`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct SpreadConstraint {
    /// `maxSkew`: by how much the count of a place may exceed the smallest.
    pub max_skew: i32,
    /// `topologyKey`: the label whose values are the places.
    pub topology_key: String,
    /// `whenUnsatisfiable: DoNotSchedule`; otherwise it is a preference.
    pub hard: bool,
    /// `labelSelector` with the `matchLabelKeys` merged in: which pods of the pod's namespace count. None selects none; an
    /// empty one counts nobody, though it selects the pod itself (as upstream has it).
    pub selector: Option<LabelSelector>,
    /// `minDomains`: with fewer places than this the smallest count is taken as 0.
    pub min_domains: i32,
    /// `nodeAffinityPolicy: Honor`: nodes that the pod's node affinity excludes are left out.
    pub honors_affinity: bool,
    /// `nodeTaintsPolicy: Honor`: nodes with taints that the pod does not tolerate are left out.
    pub honors_taints: bool,
}

impl SpreadConstraint {
    /// A constraint with the defaults of the API.
    #[must_use]
    pub fn new(topology_key: &str, max_skew: i32, hard: bool, selector: Option<LabelSelector>) -> Self {
        let topology_key = topology_key.to_owned();
        Self { max_skew, topology_key, hard, selector, min_domains: 1, honors_affinity: true, honors_taints: false }
    }

    /// Whether a pod on a node counts for a pod of this namespace.
    #[must_use]
    pub fn counts(&self, namespace: &str, claim: &Claim) -> bool {
        let selects = |selector: &LabelSelector| {
            (!selector.match_labels.is_empty() || !selector.match_expressions.is_empty())
                && selector.matches(&claim.labels)
        };
        !claim.leaving && claim.namespace == namespace && self.selector.as_ref().is_some_and(selects)
    }

    /// Whether its selector selects a pod with these labels: of the pod itself, whether it would add to the skew.
    #[must_use]
    pub fn selects(&self, labels: &Labels) -> bool {
        LabelSelector::matches_optional(self.selector.as_ref(), labels)
    }

    /// Whether the pods of a node count, as far as its policies say.
    #[must_use]
    pub fn admits(&self, pod: &Pod, node: &Node) -> bool {
        (!self.honors_affinity || (affinity::allows(pod, node) && pod.layout.admits(node)))
            && (!self.honors_taints || pod.forbidding(node).next().is_none())
    }

    /// By how much the place exceeds the smallest when the pod is there, and whether that is too much.
    #[must_use]
    pub fn is_too_much(&self, count: i64, itself: bool, fewest: i64) -> bool {
        count + i64::from(itself) - fewest > i64::from(self.max_skew)
    }

    /// The smallest count that is compared with, when `places` places have `fewest` and more.
    #[must_use]
    pub fn fewest(&self, places: usize, fewest: i64) -> i64 {
        if i64::try_from(places).is_ok_and(|places| places < i64::from(self.min_domains)) || places == 0 {
            0
        } else {
            fewest
        }
    }

    /// What the pods of a place add to the raw score of its nodes: `count · ln(places + 2) + (maxSkew − 1)`.
    #[must_use]
    #[allow(clippy::cast_precision_loss, reason = "as the compared system computes")]
    pub fn cost(&self, count: i64, weight: f64) -> f64 {
        count as f64 * weight + f64::from(self.max_skew - 1)
    }
}

/// How much a place counts where there are so many of them.
#[must_use]
#[allow(clippy::cast_precision_loss, reason = "as the compared system computes")]
pub fn weight(places: usize) -> f64 {
    (places as f64 + 2.0).ln()
}

/// A raw score, from the summed costs.
#[must_use]
#[allow(clippy::cast_possible_truncation, reason = "counts of pods")]
pub fn raw(cost: f64) -> i64 {
    cost.round() as i64
}

/// Fewer is better: `100 · (most + least − cost) / most`, and 100 for all when nothing costs anything. `None` is a node
/// that lacks one of the labels; it gets 0.
#[must_use]
pub fn normalised(cost: Option<i64>, least: i64, most: i64) -> i64 {
    match cost {
        None => 0,
        Some(_) if most == 0 => MAX,
        Some(cost) => MAX * (most + least - cost) / most,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `TestPodTopologySpreadScore` of kube-scheduler 1.36: hostnames with these counts and this skew.
    #[test]
    fn the_score_is_upstreams() {
        let scores = |counts: &[i64], skew| -> Vec<i64> {
            let constraint = SpreadConstraint::new(HOSTNAME, skew, false, None);
            let costs: Vec<i64> =
                counts.iter().map(|count| raw(constraint.cost(*count, weight(counts.len())))).collect();
            let (least, most) = (costs.iter().min().copied(), costs.iter().max().copied());
            let all = costs.iter();
            all.map(|cost| normalised(Some(*cost), least.unwrap_or(0), most.unwrap_or(0))).collect()
        };
        assert_eq!(scores(&[2, 1, 0, 3], 1), [20, 60, 100, 0]);
        assert_eq!(scores(&[2, 1, 0, 3], 2), [33, 66, 100, 16]);
        assert_eq!(scores(&[4, 3, 2, 1], 3), [44, 66, 77, 100]);
        assert_eq!(scores(&[0, 0], 1), [100, 100]);
    }

    #[test]
    fn with_too_few_places_the_smallest_count_is_nothing() {
        let mut constraint = SpreadConstraint::new(ZONE, 1, true, None);
        assert_eq!((constraint.fewest(2, 3), constraint.fewest(0, i64::MAX)), (3, 0));
        constraint.min_domains = 3;
        assert_eq!((constraint.fewest(2, 3), constraint.fewest(3, 3)), (0, 3));
        assert!(constraint.is_too_much(1, true, 0) && !constraint.is_too_much(1, false, 0));
    }
}
