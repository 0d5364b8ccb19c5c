//! An AppGroup as it is placed: where its pods are, and what each of its edges costs.
//!
//! Promises: every pod that is on a node is told where it is; an edge costs what all pairs of its pods cost each other, its
//! weight counted; what is not known is said to be unknown, and never to be free.

use std::collections::BTreeMap;

use keelson_cluster::View;
use keelson_placement::network::{Graph, Place, Source};
use serde::Serialize;

/// One group.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Group {
    /// Its namespace.
    pub namespace: String,
    /// Its name.
    pub name: String,
    /// Its workloads, in the order in which they were declared.
    pub workloads: Vec<Workload>,
    /// Who depends on whom.
    pub edges: Vec<Edge>,
    /// What all edges cost.
    pub cost: i64,
}

/// A workload and its pods that have a node.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Workload {
    /// What its pods carry in the label.
    pub selector: String,
    /// Its place in the order of the group, from 0.
    pub order: usize,
    /// Its pods, by namespace and name.
    pub pods: Vec<Placed>,
}

/// A pod on its node.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Placed {
    /// `namespace/name`.
    pub pod: String,
    /// The node's name.
    pub node: String,
}

/// One workload that depends on another.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Edge {
    /// Who depends, by its place among the workloads.
    pub from: usize,
    /// On whom.
    pub to: usize,
    /// What a unit of cost counts.
    pub weight: i64,
    /// What two pods may cost each other.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_network_cost: Option<i64>,
    /// `declared`, `seen` or `both`.
    pub source: &'static str,
    /// What all pairs of its pods cost, its weight counted.
    pub cost: i64,
    /// How many pairs there are.
    pub pairs: usize,
    /// How many of them are farther than is allowed.
    pub too_far: usize,
}

/// Every group there is, by namespace and name. `O(pods + pairs of pods of one group)`.
#[must_use]
pub fn groups(view: &View) -> Vec<Group> {
    let mut pods: BTreeMap<String, BTreeMap<usize, Vec<(Placed, Place<'_>)>>> = BTreeMap::new();
    let network = view.network();
    for member in view.members() {
        let place = network.costs().place_of(&member.node);
        for (_, occupant) in member.node.pods() {
            let claim = &occupant.claim;
            let Some(part) = network.member(&claim.namespace, &claim.labels) else { continue };
            let Some(name) = network.name_of(&claim.namespace, &claim.labels) else { continue };
            let placed = Placed { pod: occupant.key.to_string(), node: member.node.name.clone() };
            pods.entry(name.to_string()).or_default().entry(part.workload).or_default().push((placed, place));
        }
    }
    let none = BTreeMap::new();
    let of = |(namespace, name, graph): (&str, &str, &Graph)| {
        let pods = pods.get(&format!("{namespace}/{name}")).unwrap_or(&none);
        group((namespace, name), graph, pods, view)
    };
    let mut groups: Vec<Group> = network.groups().map(of).collect();
    groups.sort_by(|a, b| (&a.namespace, &a.name).cmp(&(&b.namespace, &b.name)));
    groups
}

fn group(
    (namespace, name): (&str, &str),
    graph: &Graph,
    pods: &BTreeMap<usize, Vec<(Placed, Place<'_>)>>,
    view: &View,
) -> Group {
    let of = |workload: usize| pods.get(&workload).map(Vec::as_slice).unwrap_or_default();
    let workloads = graph.workloads().iter().enumerate().map(|(index, workload)| {
        let mut pods: Vec<Placed> = of(index).iter().map(|(placed, _)| placed.clone()).collect();
        pods.sort_by(|a, b| a.pod.cmp(&b.pod));
        Workload { selector: workload.selector.clone(), order: graph.place(index), pods }
    });
    let workloads: Vec<Workload> = workloads.collect();
    let edges: Vec<Edge> = graph
        .edges()
        .iter()
        .map(|edge| {
            let (mut cost, mut pairs, mut too_far) = (0_i64, 0, 0);
            for (one, here) in of(edge.from) {
                for (other, there) in of(edge.to).iter().filter(|(other, _)| other.pod != one.pod) {
                    pairs += 1;
                    if one.node == other.node {
                        continue;
                    }
                    let distance = view.network().costs().between(*here, *there);
                    cost = cost.saturating_add(distance.cost.saturating_mul(edge.weight));
                    too_far += usize::from(edge.max_network_cost.is_some_and(|most| distance.exceeds(most)));
                }
            }
            let source = match edge.source {
                Source::Declared => "declared",
                Source::Seen => "seen",
                Source::DeclaredAndSeen => "both",
            };
            let (from, to, weight, max_network_cost) = (edge.from, edge.to, edge.weight, edge.max_network_cost);
            Edge { from, to, weight, max_network_cost, source, cost, pairs, too_far }
        })
        .collect();
    let cost = edges.iter().map(|edge| edge.cost).sum();
    Group { namespace: namespace.to_owned(), name: name.to_owned(), workloads, edges, cost }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::indexing_slicing)]
    use keelson_cluster::{Event, State, read};
    use serde_json::json;

    use super::*;
    use crate::decide::tests::{node, pod};
    use crate::recording::tests::groups as declared;

    #[test]
    fn an_edge_costs_what_its_pods_cost_each_other() {
        let mut state = State::default();
        for (name, zone) in [("n1", "a"), ("n2", "a"), ("n3", "b")] {
            let mut node = node(name, 4_000);
            node["metadata"]["labels"]["topology.kubernetes.io/zone"] = json!(zone);
            state.apply(Event::node(&serde_json::from_value(node).unwrap()));
        }
        for (name, workload, on) in [("w1", "web", "n1"), ("w2", "web", "n3"), ("d1", "db", "n1"), ("d2", "db", "n2")] {
            let mut pod = pod(name, "100m");
            pod["metadata"]["labels"] = json!({
                "appgroup.diktyo.x-k8s.io": "g", "appgroup.diktyo.x-k8s.io.workload": workload,
            });
            pod["spec"]["nodeName"] = json!(on);
            state.apply(Event::PodApplied(Box::new(read::pod(&serde_json::from_value(pod).unwrap()))));
        }
        declared(3).into_iter().for_each(|event| state.apply(event));
        let groups = groups(state.live());
        // w1 is with d1 (0) and in the zone of d2 (1); w2 is a zone (5) from both.
        let edge = Edge {
            from: 0,
            to: 1,
            weight: 1,
            max_network_cost: Some(3),
            source: "declared",
            cost: 11,
            pairs: 4,
            too_far: 2,
        };
        assert_eq!((groups.len(), &groups[0].edges, groups[0].cost), (1, &vec![edge], 11));
        assert_eq!(groups[0].workloads[1].pods[1], Placed { pod: "shop/d2".into(), node: "n2".into() });
    }
}
