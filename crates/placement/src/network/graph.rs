//! Who depends on whom in one group.
//!
//! An edge says that one workload calls another; it costs both of them the same, so a pod's ties are the edges on either
//! side. Edges are declared in an AppGroup, seen in traffic, or both: then what was declared holds, weighted by what was
//! seen.
//!
//! Promises: weights and bounds stay where sums of them cannot overflow; an edge to a workload that does not exist is
//! dropped; a workload that depends on itself has that tie once.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use super::order::{self, Algorithm};

/// The largest weight of an edge; more is taken as this much.
pub const MOST_WEIGHT: i64 = 1_000_000;

/// One workload of a group.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Workload {
    /// What its pods carry in [`super::WORKLOAD_LABEL`].
    pub selector: String,
    /// Its own name, by which it is found when nothing has that selector.
    pub name: String,
}

/// Where an edge comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
pub enum Source {
    /// An AppGroup says so.
    #[default]
    Declared,
    /// It was seen in traffic.
    Seen,
    /// Both.
    DeclaredAndSeen,
}

/// One workload depends on another.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Edge {
    /// Who depends.
    pub from: usize,
    /// On whom.
    pub to: usize,
    /// What a unit of cost counts: how much traffic there is beside other edges, of one pod of each side. 1 when nobody
    /// says.
    pub weight: i64,
    /// Bits a second between one pod of each side.
    pub min_bandwidth: Option<i64>,
    /// What any two pods of both sides may cost each other; none is no bound.
    pub max_network_cost: Option<i64>,
    /// Who says so.
    pub source: Source,
}

impl Edge {
    /// A declared edge of weight 1 and without bounds.
    #[must_use]
    pub fn new(from: usize, to: usize) -> Self {
        Self { from, to, weight: 1, ..Self::default() }
    }

    /// The same, allowing no more than this cost.
    #[must_use]
    pub fn within(mut self, cost: i64) -> Self {
        self.max_network_cost = Some(cost);
        self
    }

    /// The same with this weight.
    #[must_use]
    pub fn weighing(mut self, weight: i64) -> Self {
        self.weight = weight;
        self
    }
}

/// All that ties one workload to another, whoever depends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tie {
    /// The other workload.
    pub peer: usize,
    /// The summed weights of the edges.
    pub weight: i64,
    /// The smallest of their bounds.
    pub allowed: Option<i64>,
}

/// The workloads of a group and their edges.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Graph {
    workloads: Vec<Workload>,
    edges: Vec<Edge>,
    ties: Vec<Vec<Tie>>,
    /// The place of each workload in the order.
    order: Vec<usize>,
    algorithm: Algorithm,
}

impl Graph {
    /// These workloads, of which selector and name are the same, and these edges.
    ///
    /// ```
    /// use keelson_placement::network::{Algorithm, Edge, Graph};
    /// let graph = Graph::of(&["web", "cart", "redis"], &[Edge::new(0, 1), Edge::new(1, 2)], Algorithm::Kahn);
    /// let peers: Vec<usize> = graph.ties(1).iter().map(|tie| tie.peer).collect();
    /// assert_eq!(peers, [0, 2], "who calls it counts as much as whom it calls");
    /// ```
    #[must_use]
    pub fn of(workloads: &[&str], edges: &[Edge], algorithm: Algorithm) -> Self {
        let workload = |word: &&str| Workload { selector: (*word).into(), name: (*word).into() };
        Self::new(workloads.iter().map(workload).collect(), edges.to_vec(), algorithm)
    }

    /// These workloads and edges.
    #[must_use]
    pub fn new(workloads: Vec<Workload>, mut edges: Vec<Edge>, algorithm: Algorithm) -> Self {
        edges.retain(|edge| edge.from < workloads.len() && edge.to < workloads.len());
        for edge in &mut edges {
            edge.weight = edge.weight.clamp(1, MOST_WEIGHT);
        }
        let mut graph = Self { workloads, edges, algorithm, ..Self::default() };
        graph.ties = graph.tied(|edge| [(edge.from, edge.to), (edge.to, edge.from)]);
        graph.order = vec![0; graph.workloads.len()];
        for (place, workload) in algorithm.order(&graph.children()).into_iter().enumerate() {
            graph.order.get_mut(workload).into_iter().for_each(|known| *known = place);
        }
        graph
    }

    /// The same, but a pod looks only at whom it depends on itself: upstream's view, to compare with.
    #[must_use]
    pub fn outgoing(mut self) -> Self {
        self.ties = self.tied(|edge| [(edge.from, edge.to); 2]);
        self
    }

    fn tied(&self, sides: impl Fn(&Edge) -> [(usize, usize); 2]) -> Vec<Vec<Tie>> {
        let mut ties: Vec<BTreeMap<usize, Tie>> = vec![BTreeMap::new(); self.workloads.len()];
        for edge in &self.edges {
            let [one, other] = sides(edge);
            for (at, peer) in [Some(one), Some(other).filter(|other| *other != one)].into_iter().flatten() {
                let Some(known) = ties.get_mut(at) else { continue };
                let tie = known.entry(peer).or_insert(Tie { peer, weight: 0, allowed: None });
                tie.weight = tie.weight.saturating_add(edge.weight).min(MOST_WEIGHT);
                tie.allowed = tie.allowed.into_iter().chain(edge.max_network_cost).min();
            }
        }
        ties.into_iter().map(|ties| ties.into_values().collect()).collect()
    }

    /// The workloads, in the order in which they were declared.
    #[must_use]
    pub fn workloads(&self) -> &[Workload] {
        &self.workloads
    }

    /// The edges.
    #[must_use]
    pub fn edges(&self) -> &[Edge] {
        &self.edges
    }

    /// The edges along which something flows, and how much between one pod of each side, in bits a second.
    pub fn flows(&self) -> impl Iterator<Item = (&Edge, i64)> {
        self.edges.iter().filter_map(|edge| Some((edge, edge.min_bandwidth.filter(|flow| *flow > 0)?)))
    }

    /// What ties a workload to others, by their place.
    #[must_use]
    pub fn ties(&self, workload: usize) -> &[Tie] {
        self.ties.get(workload).map(Vec::as_slice).unwrap_or_default()
    }

    /// The place of a workload in the order of the group, from 0.
    #[must_use]
    pub fn place(&self, workload: usize) -> usize {
        self.order.get(workload).copied().unwrap_or(usize::MAX)
    }

    /// The workload whose selector this is, or else whose name.
    #[must_use]
    pub fn find(&self, word: &str) -> Option<usize> {
        let by_selector = self.workloads.iter().position(|workload| workload.selector == word);
        by_selector.or_else(|| self.workloads.iter().position(|workload| workload.name == word))
    }

    /// Workloads that depend on each other in a circle.
    #[must_use]
    pub fn circle(&self) -> Option<Vec<usize>> {
        order::circle(&self.children())
    }

    fn children(&self) -> Vec<Vec<usize>> {
        let mut children = vec![Vec::new(); self.workloads.len()];
        for edge in &self.edges {
            children.get_mut(edge.from).into_iter().for_each(|known| known.push(edge.to));
        }
        children
    }

    /// What was seen in traffic alone, as [`Self::with_traffic`] has it.
    #[must_use]
    pub fn seen<'a>(calls: impl IntoIterator<Item = (&'a str, &'a str, i64)> + Clone) -> Self {
        let names: BTreeSet<&str> = calls.clone().into_iter().flat_map(|(from, to, _)| [from, to]).collect();
        Self::of(&names.into_iter().collect::<Vec<_>>(), &[], Algorithm::default()).with_traffic(calls)
    }

    /// The same with what was seen in traffic: from whom, to whom (by selector or name), and how much beside the others. An
    /// edge that was declared keeps its bounds and takes the weight that was seen; workloads that nobody declared are left
    /// out.
    #[must_use]
    pub fn with_traffic<'a>(&self, seen: impl IntoIterator<Item = (&'a str, &'a str, i64)>) -> Self {
        let mut edges = self.edges.clone();
        for (from, to, weight) in seen {
            let (Some(from), Some(to)) = (self.find(from), self.find(to)) else { continue };
            match edges.iter_mut().find(|edge| (edge.from, edge.to) == (from, to)) {
                Some(edge) => {
                    edge.weight = weight;
                    edge.source = match edge.source {
                        Source::Declared | Source::DeclaredAndSeen => Source::DeclaredAndSeen,
                        Source::Seen => Source::Seen,
                    };
                }
                None => edges.push(Edge { source: Source::Seen, ..Edge::new(from, to).weighing(weight) }),
            }
        }
        Self::new(self.workloads.clone(), edges, self.algorithm)
    }
}
