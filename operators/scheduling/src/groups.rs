//! An AppGroup as it is placed: where its pods are, and what each of its edges costs.
//!
//! Promises: every pod that is on a node is told where it is; an edge costs what all pairs of its pods cost each other, its
//! weight counted; what is not known is said to be unknown, and never to be free; of the ways between nodes the dearest are
//! told, and the rest is counted.

use std::collections::BTreeMap;

use keelson_cluster::View;
use keelson_placement::network::{Graph, Place, Source};
use serde::Serialize;

/// So many ways between nodes are told: more than a person can follow.
const WAYS: usize = 48;

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
    /// What its pods on two nodes cost each other, the dearest first.
    pub ways: Vec<Way>,
    /// How many ways are not among them.
    pub more_ways: usize,
}

/// Two nodes, and what the group's pods on them cost each other.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Way {
    /// One node.
    pub from: String,
    /// The other, by name after it.
    pub to: String,
    /// What all pairs cost, the weights of their edges counted.
    pub cost: i64,
    /// How many of them are farther than is allowed.
    pub too_far: usize,
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

/// By workload: its pods, and where each is.
type Pods<'a> = BTreeMap<usize, Vec<(Placed, Place<'a>)>>;

/// Every group there is, by namespace and name. `O(pods + pairs of pods of one group)`.
#[must_use]
pub fn groups(view: &View) -> Vec<Group> {
    let pods = pods(view, &BTreeMap::new());
    let none = BTreeMap::new();
    let of = |(namespace, name, graph): (&str, &str, &Graph)| {
        let pods = pods.get(&format!("{namespace}/{name}")).unwrap_or(&none);
        group((namespace, name), graph, pods, view)
    };
    let mut groups: Vec<Group> = view.network().groups().map(of).collect();
    groups.sort_by(|a, b| (&a.namespace, &a.name).cmp(&(&b.namespace, &b.name)));
    groups
}

/// One group, some of whose pods are on other nodes: `namespace/name` of each, and the node's name.
#[must_use]
pub fn moved(view: &View, namespace: &str, name: &str, to: &BTreeMap<String, String>) -> Option<Group> {
    let (_, _, graph) = view.network().groups().find(|(space, known, _)| (*space, *known) == (namespace, name))?;
    let pods = pods(view, to).remove(&format!("{namespace}/{name}")).unwrap_or_default();
    Some(group((namespace, name), graph, &pods, view))
}

/// By group: its pods.
fn pods<'a>(view: &'a View, moved: &BTreeMap<String, String>) -> BTreeMap<String, Pods<'a>> {
    let mut pods: BTreeMap<String, Pods<'a>> = BTreeMap::new();
    let network = view.network();
    for member in view.members() {
        for (_, occupant) in member.node.pods() {
            let claim = &occupant.claim;
            let Some(part) = network.member(&claim.namespace, &claim.labels) else { continue };
            let Some(name) = network.name_of(&claim.namespace, &claim.labels) else { continue };
            let node = moved.get(&*occupant.key).and_then(|node| view.member(node)).unwrap_or(member);
            let placed = Placed { pod: occupant.key.to_string(), node: node.node.name.clone() };
            let place = network.costs().place_of(&node.node);
            pods.entry(name.to_string()).or_default().entry(part.workload).or_default().push((placed, place));
        }
    }
    pods
}

fn group((namespace, name): (&str, &str), graph: &Graph, pods: &Pods<'_>, view: &View) -> Group {
    let mut ways: BTreeMap<(&str, &str), (i64, usize)> = BTreeMap::new();
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
                    let (dear, far) = (
                        distance.cost.saturating_mul(edge.weight),
                        usize::from(edge.max_network_cost.is_some_and(|most| distance.exceeds(most))),
                    );
                    cost = cost.saturating_add(dear);
                    too_far += far;
                    let ends = (one.node.as_str(), other.node.as_str());
                    let way = ways.entry((ends.0.min(ends.1), ends.0.max(ends.1))).or_default();
                    *way = (way.0.saturating_add(dear), way.1 + far);
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
    let cost = edges.iter().map(|edge| edge.cost).fold(0, i64::saturating_add);
    let way = |((from, to), (cost, too_far)): ((&str, &str), (i64, usize))| Way {
        from: from.to_owned(),
        to: to.to_owned(),
        cost,
        too_far,
    };
    let mut ways: Vec<Way> = ways.into_iter().map(way).collect();
    ways.sort_by(|a, b| (b.cost, &a.from, &a.to).cmp(&(a.cost, &b.from, &b.to)));
    let more_ways = ways.len().saturating_sub(WAYS);
    ways.truncate(WAYS);
    Group { namespace: namespace.to_owned(), name: name.to_owned(), workloads, edges, cost, ways, more_ways }
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
        let all = groups(state.live());
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
        assert_eq!((all.len(), &all[0].edges, all[0].cost), (1, &vec![edge], 11));
        assert_eq!(all[0].workloads[1].pods[1], Placed { pod: "shop/d2".into(), node: "n2".into() });
        let way = |from: &str, to: &str, cost, too_far| Way { from: from.into(), to: to.into(), cost, too_far };
        assert_eq!(all[0].ways, [way("n1", "n3", 5, 1), way("n2", "n3", 5, 1), way("n1", "n2", 1, 0)]);
        // On the node of d1, w2 costs as much as w1.
        let to = BTreeMap::from([("shop/w2".to_owned(), "n1".to_owned())]);
        let after = moved(state.live(), "shop", "g", &to).unwrap();
        assert_eq!((after.cost, after.ways), (2, vec![way("n1", "n2", 2, 0)]));
        assert_eq!(after.workloads[0].pods[1].node, "n1");
        assert_eq!(moved(state.live(), "shop", "other", &to), None);
    }
}
