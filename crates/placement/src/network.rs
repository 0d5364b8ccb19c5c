//! What the pods of one application cost each other over the network (KEP-260, Diktyo).
//!
//! The workloads of a group depend on each other, and places are near or far. A node costs a pod what all its edges to
//! placed pods cost from there, whichever side depends on the other. Who depends on whom and what places cost are facts of
//! the snapshot; a pod finds its group by its labels.
//!
//! Promises: a pod of no group is not touched by any of this; pods that are leaving and nodes that are gone do not count;
//! what is not known is never free.
//!
//! | room | what it holds |
//! |---|---|
//! | [`graph`], [`order`] | who depends on whom, and in which order they start |
//! | [`costs`], [`measured`] | what two places cost each other, declared or measured |
//! | [`near`] | what each node costs one pod |
//! | [`links`] | what flows between places, and what their links carry |
//! | [`rank`] | the order of waiting pods, groups included |
//! | [`joint`], [`mod@drift`] | a group placed as a unit; moves that pay |
//! | `board` | a cluster on which both try things out |

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::bandwidth::LIMIT;
use crate::peers::Labels;

mod board;
pub mod costs;
pub mod drift;
pub mod graph;
pub mod joint;
pub mod links;
pub mod measured;
pub mod near;
pub mod order;
pub mod rank;

pub use costs::{Costs, Distance, Level, Place, Says, Site};
pub use drift::{Move, again, drift};
pub use graph::{Edge, Graph, Source, Tie, Workload};
pub use joint::{Joint, NoPlace, place_group, steps_for};
pub use links::Link;
pub use near::Near;
pub use order::Algorithm;
pub use rank::{Rank, Seat};

/// Label of a pod: the name of its AppGroup.
pub const GROUP_LABEL: &str = "appgroup.diktyo.x-k8s.io";
/// Label of a pod: the selector of its workload in the group.
pub const WORKLOAD_LABEL: &str = "appgroup.diktyo.x-k8s.io.workload";
/// Where a group is looked for that the pod's own namespace has not: upstream's plugins look there alone.
pub const SHARED_NAMESPACE: &str = "default";

/// The groups, and what places cost each other.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Network {
    costs: Costs,
    /// By name, then by namespace.
    groups: BTreeMap<String, BTreeMap<String, Arc<Graph>>>,
    /// Whether any edge says how much flows along it.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    reserves: bool,
    /// What can be carried between places.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    links: Vec<Link>,
    /// The share of it that pods may take, in thousandths.
    #[serde(default)]
    link_limit: i64,
}

impl Default for Network {
    fn default() -> Self {
        Self::new()
    }
}

/// A pod's part in its group.
#[derive(Debug, Clone, Copy)]
pub struct Member<'a> {
    /// The group.
    pub group: &'a Arc<Graph>,
    /// Its workload's place in the group.
    pub workload: usize,
}

impl Network {
    /// No groups, no costs.
    #[must_use]
    pub const fn new() -> Self {
        Self { costs: Costs::new(), groups: BTreeMap::new(), reserves: false, links: Vec::new(), link_limit: LIMIT }
    }

    /// The same with these costs.
    #[must_use]
    pub fn costing(mut self, costs: Costs) -> Self {
        self.costs = costs;
        self
    }

    /// The same with one more group.
    #[must_use]
    pub fn group(self, namespace: &str, name: &str, graph: Graph) -> Self {
        self.sharing(namespace, name, Arc::new(graph))
    }

    /// The same with one more group that others share.
    #[must_use]
    pub fn sharing(mut self, namespace: &str, name: &str, graph: Arc<Graph>) -> Self {
        self.reserves |= graph.edges().iter().any(|edge| edge.min_bandwidth.is_some());
        self.groups.entry(name.into()).or_default().insert(namespace.into(), graph);
        self
    }

    /// Whether any edge says how much flows along it.
    #[must_use]
    pub const fn reserves(&self) -> bool {
        self.reserves
    }

    /// The same, with links that carry so much; pods may take this share of it, in thousandths.
    #[must_use]
    pub fn linking(mut self, links: Vec<Link>, limit: i64) -> Self {
        (self.links, self.link_limit) = (links, limit);
        self
    }

    /// The links of which it is known what they carry.
    #[must_use]
    pub fn links(&self) -> &[Link] {
        &self.links
    }

    /// The share of it that pods may take, in thousandths.
    #[must_use]
    pub const fn link_limit(&self) -> i64 {
        self.link_limit
    }

    /// As [`Self::member`], of a group along whose edges something flows while links are limited.
    #[must_use]
    pub fn bound_by_links(&self, namespace: &str, labels: &Labels) -> Option<Member<'_>> {
        if !self.reserves || self.links.is_empty() {
            return None;
        }
        self.member(namespace, labels).filter(|member| member.group.flows().next().is_some())
    }

    /// Whether there is nothing in it.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.groups.is_empty() && self.costs.is_empty()
    }

    /// Each group with its namespace and name, by name.
    pub fn groups(&self) -> impl Iterator<Item = (&str, &str, &Graph)> {
        self.groups.iter().flat_map(|(name, by_namespace)| {
            by_namespace.iter().map(move |(namespace, graph)| (namespace.as_str(), name.as_str(), graph.as_ref()))
        })
    }

    /// What of it bears on a pod: its group and the costs; nothing for a pod of no group.
    #[must_use]
    pub fn only_for(&self, namespace: &str, labels: &Labels) -> Self {
        let name = labels.get(GROUP_LABEL);
        let known = name.and_then(|name| self.groups.get_key_value(name));
        let Some((name, by_namespace)) = known.filter(|_| self.member(namespace, labels).is_some()) else {
            return Self::new();
        };
        // What others reserve of a link counts as well.
        if self.bound_by_links(namespace, labels).is_some() {
            return self.clone();
        }
        let groups = [(name.clone(), by_namespace.clone())].into();
        Self { costs: self.costs.clone(), groups, reserves: self.reserves, ..Self::new() }
    }

    /// What places cost each other.
    #[must_use]
    pub const fn costs(&self) -> &Costs {
        &self.costs
    }

    /// The group that a pod of this namespace with these labels belongs to, and its part in it; `None` for a pod of no
    /// group, of a group nobody declared, and of a workload the group does not know.
    #[must_use]
    pub fn member(&self, namespace: &str, labels: &Labels) -> Option<Member<'_>> {
        let by_namespace = self.groups.get(labels.get(GROUP_LABEL)?)?;
        let group = by_namespace.get(namespace).or_else(|| by_namespace.get(SHARED_NAMESPACE))?;
        let workload = group.find(labels.get(WORKLOAD_LABEL)?)?;
        Some(Member { group, workload })
    }

    /// A pod's seat in its group; `None` where [`Self::member`] has none.
    #[must_use]
    pub fn seat(&self, namespace: &str, labels: &Labels) -> Option<Seat> {
        let member = self.member(namespace, labels)?;
        Some(Seat { group: self.name_of(namespace, labels)?, place: member.group.place(member.workload) })
    }

    /// What tells a pod's group from every other: `namespace/name`.
    #[must_use]
    pub fn name_of(&self, namespace: &str, labels: &Labels) -> Option<Arc<str>> {
        let name = labels.get(GROUP_LABEL)?;
        let by_namespace = self.groups.get(name)?;
        let namespace = if by_namespace.contains_key(namespace) { namespace } else { SHARED_NAMESPACE };
        by_namespace.contains_key(namespace).then(|| format!("{namespace}/{name}").into())
    }
}

#[cfg(test)]
mod laws;
#[cfg(test)]
mod tests;
