//! What flows between places, and what their links carry.
//!
//! A NetworkTopology says how much may flow from one zone or region to another, an AppGroup how much flows between one pod of
//! each side of an edge. What is reserved of a link is the sum over all pairs of placed pods across it; a pod that would make
//! it more than the link carries for pods goes elsewhere.
//!
//! Promises: counted from the pods that are there, so that it cannot drift; a link of which nobody says what it carries, or
//! within a zone, is no limit; pods that leave reserve nothing.

use std::collections::BTreeMap;
use std::sync::Arc;

use keelson_core::ResourceName;
use keelson_core::resources::{Round, Shortfall};
use serde::{Deserialize, Serialize};

use super::costs::{Level, Place};
use super::{Graph, Member, Network};
use crate::bandwidth::usable;
use crate::node::Node;
use crate::pod::{Claim, Pod};

/// What can be carried one way between two places.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Link {
    /// Between zones or regions.
    pub level: Level,
    /// From where.
    pub origin: String,
    /// Where to.
    pub destination: String,
    /// Bits a second.
    pub capacity: i64,
}

/// A link that has too little left.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Narrow {
    /// The link.
    pub link: Link,
    /// What pods may take of it.
    pub usable: i64,
    /// What they have reserved.
    pub reserved: i64,
    /// What the pod would add.
    pub needed: i64,
}

impl Narrow {
    /// `needs 300 Mbit/s from zone a to zone b, 100 Mbit/s free: short 200 Mbit/s (800 Mbit/s of 900 Mbit/s usable reserved)`.
    pub(crate) fn sentence(&self) -> String {
        let Link { level, origin, destination, .. } = &self.link;
        let word = match level {
            Level::Rack => "rack",
            Level::Zone => "zone",
            Level::Region => "region",
        };
        let name = ResourceName::Egress;
        let free = self.usable.saturating_sub(self.reserved);
        let missing = Shortfall { name: name.clone(), needed: self.needed, free }.missing();
        let (up, down) = (|bits| name.readable(bits, Round::Up), |bits| name.readable(bits, Round::Down));
        format!(
            "needs {} from {word} {origin} to {word} {destination}, {} free: short {} ({} of {} usable reserved)",
            up(self.needed),
            down(free),
            up(missing),
            down(self.reserved),
            down(self.usable),
        )
    }
}

/// How many pods are where.
type Places<'a> = BTreeMap<Place<'a>, i64>;

/// Where the pods are between which something flows, and what that reserves of each link.
#[derive(Debug, Clone)]
pub(crate) struct Flows<'a> {
    network: &'a Network,
    /// By group: its pods, by workload and place.
    groups: BTreeMap<*const Graph, (&'a Graph, Vec<Places<'a>>)>,
    ways: BTreeMap<(Level, &'a str, &'a str), usize>,
    /// By link.
    reserved: Vec<i64>,
}

impl<'a> Flows<'a> {
    /// Nobody is placed yet.
    pub(crate) fn new(network: &'a Network) -> Self {
        let way = |(index, link): (usize, &'a Link)| ((link.level, &*link.origin, &*link.destination), index);
        let ways: BTreeMap<_, _> = network.links().iter().enumerate().map(way).collect();
        Self { network, groups: BTreeMap::new(), ways, reserved: vec![0; network.links().len()] }
    }

    /// All of these nodes' pods; `None` when no link bears on the pod.
    pub(crate) fn around(pod: &Pod, nodes: impl Iterator<Item = &'a Node>, network: &'a Network) -> Option<Self> {
        network.bound_by_links(&pod.namespace, &pod.labels)?;
        let mut flows = Self::new(network);
        for node in nodes {
            let place = spot(node);
            node.claims().for_each(|(_, claim)| flows.add(place, claim, 1));
        }
        flows.settle();
        Some(flows)
    }

    /// So many more pods with this claim are at a place; to be settled afterwards.
    pub(crate) fn add(&mut self, place: Place<'a>, claim: &Claim, more: i64) {
        let network = self.network;
        let Some(member) = network.bound_by_links(&claim.namespace, &claim.labels).filter(|_| !claim.leaving) else {
            return;
        };
        let none = || (member.group.as_ref(), vec![Places::new(); member.group.workloads().len()]);
        let (_, workloads) = self.groups.entry(Arc::as_ptr(member.group)).or_insert_with(none);
        if let Some(places) = workloads.get_mut(member.workload) {
            *places.entry(place).or_default() += more;
        }
    }

    /// Works out what all of it reserves.
    pub(crate) fn settle(&mut self) {
        let mut reserved = vec![0_i64; self.reserved.len()];
        for (graph, pods) in self.groups.values() {
            for (edge, flow) in graph.flows() {
                let sides = pods.get(edge.from).zip(pods.get(edge.to));
                for ((from, callers), (to, called)) in sides
                    .into_iter()
                    .flat_map(|(from, to)| from.iter().flat_map(|one| to.iter().map(move |two| (one, two))))
                {
                    let pairs = callers.saturating_mul(*called);
                    if let Some(known) = self.way(*from, *to).and_then(|way| reserved.get_mut(way)) {
                        *known = known.saturating_add(pairs.saturating_mul(flow));
                    }
                }
            }
        }
        self.reserved = reserved;
    }

    fn way(&self, from: Place<'_>, to: Place<'_>) -> Option<usize> {
        let (level, from, to) = if from.region == to.region {
            (Level::Zone, from.zone?, to.zone?)
        } else {
            (Level::Region, from.region?, to.region?)
        };
        self.ways.get(&(level, from, to)).copied().filter(|_| from != to)
    }

    /// The first link that would carry too much if the pod were at a place.
    pub(crate) fn narrow(&self, member: &Member<'_>, place: Place<'_>) -> Option<Narrow> {
        let (graph, pods) = self.groups.get(&Arc::as_ptr(member.group))?;
        let mut more = vec![0_i64; self.reserved.len()];
        let mut add = |way: Option<usize>, flow: i64, pods: i64| {
            if let Some(known) = way.and_then(|way| more.get_mut(way)) {
                *known = known.saturating_add(flow.saturating_mul(pods));
            }
        };
        for (edge, flow) in graph.flows() {
            let there = |workload: usize| pods.get(workload).into_iter().flatten();
            if edge.from == member.workload {
                there(edge.to).for_each(|(to, pods)| add(self.way(place, *to), flow, *pods));
            }
            if edge.to == member.workload {
                there(edge.from).for_each(|(from, pods)| add(self.way(*from, place), flow, *pods));
            }
        }
        let all = self.network.links().iter().zip(&self.reserved).zip(more);
        all.filter(|(_, needed)| *needed > 0).find_map(|((link, reserved), needed)| {
            let usable = usable(link.capacity, self.network.link_limit());
            let narrow = Narrow { link: link.clone(), usable, reserved: *reserved, needed };
            (needed > usable.saturating_sub(*reserved)).then_some(narrow)
        })
    }
}

/// Where a node is, as far as links go.
pub(crate) fn spot(node: &Node) -> Place<'_> {
    Place { rack: None, ..Place::with_rack(node) }
}
