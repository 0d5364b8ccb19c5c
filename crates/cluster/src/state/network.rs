//! Groups and costs, from whoever knows of them.
//!
//! A group is what its AppGroup declares, weighted by the traffic that was seen; without an AppGroup it is what was seen
//! alone. Costs are those of one NetworkTopology; where it has none, those that were measured.
//!
//! Promise: the same last objects give the same network, in whatever order they came.

use std::collections::BTreeMap;
use std::sync::Arc;

use keelson_placement::network::{Graph, Level, Link, Place};
use keelson_placement::{Network, Node};

use crate::read::network::{Name, Percentile, ReadGroup, ReadMeasured, ReadTopology};
use crate::view::View;

/// Which costs are taken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wanted {
    /// The NetworkTopology; when there is none of this name, the first by namespace and name.
    pub topology: Name,
    /// Which of many measured times counts.
    pub percentile: Percentile,
}

/// What upstream's plugin takes when nothing is set.
impl Default for Wanted {
    fn default() -> Self {
        Self { topology: ("default".into(), "nt-default".into()), percentile: Percentile::default() }
    }
}

/// Who of a group calls whom.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Traffic {
    /// The group.
    pub group: Name,
    /// Caller, called (each a workload's selector), and how much beside the others, of one pod of each side.
    pub calls: Vec<(String, String, i64)>,
}

#[derive(Debug, Clone, Default)]
pub(super) struct Networks {
    wanted: Wanted,
    groups: BTreeMap<Name, Graph>,
    topologies: BTreeMap<Name, ReadTopology>,
    measured: BTreeMap<Name, ReadMeasured>,
    traffic: BTreeMap<Name, Vec<(String, String, i64)>>,
    /// What came of each, so that what did not change stays the same.
    built: BTreeMap<Name, Arc<Graph>>,
}

/// Each change says whether it is one.
impl Networks {
    pub(super) fn group(&mut self, read: ReadGroup) -> bool {
        let changed = self.groups.get(&read.name) != Some(&read.graph);
        let name = read.name.clone();
        self.groups.insert(read.name, read.graph);
        changed && self.rebuild(&name)
    }

    pub(super) fn no_group(&mut self, name: &Name) -> bool {
        self.groups.remove(name).is_some() && self.rebuild(name)
    }

    pub(super) fn traffic(&mut self, traffic: Traffic) -> bool {
        let Traffic { group, calls } = traffic;
        if calls.is_empty() {
            self.traffic.remove(&group);
        } else {
            self.traffic.insert(group.clone(), calls);
        }
        self.rebuild(&group)
    }

    fn rebuild(&mut self, name: &Name) -> bool {
        let none = Vec::new();
        let calls = self.traffic.get(name).unwrap_or(&none).iter();
        let calls = calls.map(|(from, to, weight)| (from.as_str(), to.as_str(), *weight));
        let graph = match self.groups.get(name) {
            Some(declared) => Some(declared.with_traffic(calls)),
            None if calls.len() > 0 => Some(Graph::seen(calls)),
            None => None,
        };
        if self.built.get(name).map(AsRef::as_ref) == graph.as_ref() {
            return false;
        }
        match graph {
            Some(graph) => _ = self.built.insert(name.clone(), Arc::new(graph)),
            None => _ = self.built.remove(name),
        }
        true
    }

    pub(super) fn topology(&mut self, read: ReadTopology) -> bool {
        let name = read.name.clone();
        self.topologies.insert(name, read.clone()) != Some(read)
    }

    pub(super) fn no_topology(&mut self, name: &Name) -> bool {
        self.topologies.remove(name).is_some()
    }

    pub(super) fn measured(&mut self, read: ReadMeasured) -> bool {
        if read.is_empty() {
            return self.no_measured(&read.name);
        }
        let name = read.name.clone();
        self.measured.insert(name, read.clone()) != Some(read)
    }

    pub(super) fn no_measured(&mut self, name: &Name) -> bool {
        self.measured.remove(name).is_some()
    }

    pub(super) fn wanted(&mut self, wanted: Wanted) -> bool {
        std::mem::replace(&mut self.wanted, wanted.clone()) != wanted
    }

    /// Whether costs depend on which node is where.
    pub(super) fn measures(&self) -> bool {
        !self.measured.is_empty()
    }

    /// Everything together; pods may take this share of links, in thousandths.
    pub(super) fn network(&self, view: &View, limit: i64) -> Network {
        let topology = self.topologies.get(&self.wanted.topology).or_else(|| self.topologies.values().next());
        let declared = topology.map(|topology| topology.costs.clone()).unwrap_or_default();
        let of_topology = topology.and_then(|topology| {
            let name = (topology.name.0.clone(), topology.config_map.clone()?);
            self.measured.get(&name)
        });
        let costs = match of_topology.or_else(|| self.measured.values().next()) {
            Some(measured) => {
                let nodes: BTreeMap<&str, &Node> =
                    view.members().map(|member| (member.node.name.as_str(), &member.node)).collect();
                // Racks are measured where nodes say that they have any.
                let place = |name: &str| nodes.get(name).map(|node| Place::with_rack(node));
                declared.or(&measured.costs(self.wanted.percentile, place))
            }
            None => declared,
        };
        let links = topology.map(|topology| links(&topology.links)).unwrap_or_default();
        let groups = self.built.iter();
        groups.fold(Network::new().costing(costs).linking(links, limit), |network, ((namespace, name), graph)| {
            network.sharing(namespace, name, Arc::clone(graph))
        })
    }
}

/// Each link once, with the least that is said of it; none between racks, of which no pod says where in them it is.
fn links(said: &[Link]) -> Vec<Link> {
    let mut links: Vec<Link> =
        said.iter().filter(|link| link.level != Level::Rack && link.capacity > 0).cloned().collect();
    links.sort();
    links.dedup_by(|more, less| {
        (more.level, &more.origin, &more.destination) == (less.level, &less.origin, &less.destination)
    });
    links
}

#[cfg(test)]
mod tests;
