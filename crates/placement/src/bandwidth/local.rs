//! What does not leave the node.
//!
//! An AppGroup says how much flows between one pod of each side of an edge. Where both are on one node, that much of what
//! they asked for uses no interface.
//!
//! Promise: nobody is spared more than it asked for.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::{Direction, Rates};
use crate::network::{Graph, Network};
use crate::node::Node;
use crate::pod::{Claim, Pod};

/// What is spared where these pods are on one node.
pub(super) fn spared<'a>(claims: impl Iterator<Item = &'a Claim>, network: &Network) -> Rates {
    let mut groups: BTreeMap<*const Graph, Group<'_>> = BTreeMap::new();
    for claim in claims.filter(|claim| !claim.leaving) {
        let Some(member) = network.member(&claim.namespace, &claim.labels) else { continue };
        let group = groups.entry(Arc::as_ptr(member.group)).or_insert_with(|| Group::of(member.group));
        group.add(member.workload, claim);
    }
    groups.values().fold(Rates::default(), |sum, group| sum.plus(group.spared()))
}

/// What a pod that comes to a node spares there, itself and others.
pub(super) fn spared_by(pod: &Pod, node: &Node, network: &Network) -> Rates {
    if !network.reserves() || network.member(&pod.namespace, &pod.labels).is_none() {
        return Rates::default();
    }
    let claims = || node.shared_claims().map(AsRef::as_ref);
    let claim = pod.claim();
    let (before, after) = (spared(claims(), network), spared(claims().chain([&claim]), network));
    Rates::each(|direction| after.get(direction).saturating_sub(before.get(direction)))
}

/// The pods of one group on one node.
struct Group<'a> {
    graph: &'a Graph,
    /// By workload: what each of its pods asks for.
    pods: Vec<Vec<Rates>>,
}

impl<'a> Group<'a> {
    fn of(graph: &'a Graph) -> Self {
        Self { graph, pods: vec![Vec::new(); graph.workloads().len()] }
    }

    fn add(&mut self, workload: usize, claim: &Claim) {
        let asked = Rates::each(|direction| claim.requests.get(&direction.resource()));
        self.pods.get_mut(workload).into_iter().for_each(|pods| pods.push(asked));
    }

    fn spared(&self) -> Rates {
        let mut sum = Rates::default();
        for (workload, pods) in self.pods.iter().enumerate().filter(|(_, pods)| !pods.is_empty()) {
            let flows = Rates::each(|direction| self.flow(workload, direction));
            for asked in pods {
                sum = sum.plus(Rates::each(|direction| flows.get(direction).min(asked.get(direction)).max(0)));
            }
        }
        sum
    }

    /// What one pod of a workload exchanges with the pods here.
    fn flow(&self, workload: usize, direction: Direction) -> i64 {
        let edges = self.graph.edges().iter().filter_map(|edge| {
            let (here, there) = match direction {
                Direction::Egress => (edge.from, edge.to),
                Direction::Ingress => (edge.to, edge.from),
            };
            let peers = self.pods.get(there).map_or(0, Vec::len);
            // A pod is no peer of itself.
            let peers = if here == there { peers.saturating_sub(1) } else { peers };
            let flow = edge.min_bandwidth?.saturating_mul(i64::try_from(peers).unwrap_or(i64::MAX));
            (here == workload).then_some(flow)
        });
        edges.fold(0, i64::saturating_add)
    }
}
