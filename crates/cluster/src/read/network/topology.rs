//! A NetworkTopology in placement's words.

use std::collections::BTreeMap;

use keelson_placement::network::{Costs, Level, Link, costs};
use serde_json::Value;

use super::field::Field;
use super::group::name;
use super::measured::is_measured;
use super::{Finding, Name, Problem, problem};

/// The weights that are taken unless somebody asks for others: what people wrote, as upstream's plugin does.
pub const WEIGHTS: &str = "UserDefined";

/// A NetworkTopology as read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReadTopology {
    /// Its namespace and name.
    pub name: Name,
    /// What its places cost each other.
    pub costs: Costs,
    /// What can be carried between them.
    pub links: Vec<Link>,
    /// The ConfigMap with measured times, in the same namespace.
    pub config_map: Option<String>,
    /// What is off.
    pub problems: Vec<Problem>,
}

/// Reads the weights of this name.
#[must_use]
pub fn topology(written: &Value, weights: &str) -> ReadTopology {
    let (mut problems, root) = (Vec::new(), Field::root(written));
    let name = name(&root, "NetworkTopology", &mut problems);
    let spec = root.spec();
    let config_map = spec.text(&["configmapName", "configMapName"], &mut problems).map(str::to_owned);
    let mut table = Table::default();
    let mut named = Vec::new();
    for weight in spec.list(&["weights"], &mut problems) {
        let word = weight.text(&["name"], &mut problems).unwrap_or_default();
        named.push(format!("{word:?}"));
        if word != weights {
            continue;
        }
        for topology in weight.list(&["topologyList", "costList"], &mut problems) {
            let key = topology.text(&["topologyKey"], &mut problems).unwrap_or_default();
            let Some(level) = Level::of(key) else {
                let known = [costs::REGION, keelson_placement::spread::ZONE, costs::SEGMENT, costs::RACK].join(", ");
                let text = format!("{key:?} is left out; use one of {known}");
                problems.push(problem(topology.missing("topologyKey"), text));
                continue;
            };
            for origin in topology.list(&["originList", "originCosts"], &mut problems) {
                table.origin(level, &origin, &mut problems);
            }
        }
    }
    // What is measured needs no declaration.
    let is_measured = config_map.is_some() && is_measured(weights);
    if !is_measured && !named.contains(&format!("{weights:?}")) {
        let text = format!("none is named {weights:?}, so no cost is declared; there is {}", few(&named));
        problems.push(problem(spec.missing("weights"), text).of(Finding::UnknownWeights));
    }
    table.complete(&spec.missing("weights"), &mut problems);
    ReadTopology { name, costs: table.costs, links: table.links, config_map, problems }
}

fn few(names: &[String]) -> String {
    if names.is_empty() {
        "none at all".to_owned()
    } else {
        names.iter().take(5).cloned().collect::<Vec<_>>().join(", ")
    }
}

#[derive(Debug, Default)]
struct Table {
    costs: Costs,
    links: Vec<Link>,
}

impl Table {
    fn origin(&mut self, level: Level, origin: &Field<'_>, problems: &mut Vec<Problem>) {
        let Some(from) = origin.text(&["origin"], problems) else {
            let text = "is missing, so its costs are left out";
            problems.push(problem(origin.missing("origin"), text).of(Finding::MissingOrigin));
            return;
        };
        for item in origin.list(&["costList", "costs"], problems) {
            let Some(to) = item.text(&["destination"], problems) else {
                let text = "is missing, so this cost is left out";
                problems.push(problem(item.missing("destination"), text).of(Finding::IncompleteEntry));
                continue;
            };
            if let Some(capacity) = item.bits(&["bandwidthCapacity"], problems) {
                self.links.push(Link { level, origin: from.into(), destination: to.into(), capacity });
            }
            if item.get(&["networkCost"]).is_none() {
                let text = "is missing, so it counts as unknown";
                problems.push(problem(item.missing("networkCost"), text).of(Finding::MissingCost));
            }
            let Some(cost) = item.number(&["networkCost"], 0..=costs::MOST, problems) else { continue };
            if cost < costs::LEAST {
                problems
                    .push(problem(item.missing("networkCost"), "0 counts as 1: only pods on one node cost nothing"));
            }
            let known = self.costs.declared(level, from, to);
            if let Some(known) = known.filter(|known| *known != cost.max(costs::LEAST)) {
                let text = format!("is there twice, as {known} and {cost}; the larger is taken");
                problems.push(problem(item.missing("networkCost"), text).of(Finding::DuplicateEntry));
            }
            self.costs.declare(level, from, to, cost.max(known.unwrap_or(0)));
        }
    }

    /// Looks for what is declared one way only, a line for each place that has no costs at all.
    fn complete(&self, path: &str, problems: &mut Vec<Problem>) {
        let mut absent: BTreeMap<&str, usize> = BTreeMap::new();
        let origins: Vec<(Level, &str)> = self.costs.entries().map(|(level, from, ..)| (level, from)).collect();
        for (level, from, to, _) in self.costs.entries() {
            if origins.binary_search(&(level, to)).is_err() {
                *absent.entry(to).or_default() += 1;
            } else if self.costs.declared(level, to, from).is_none() {
                let text = format!("{from:?} to {to:?} has a cost and the way back has none, so it counts as unknown");
                problems.push(problem(path, text).of(Finding::MissingCost));
            }
        }
        for (place, ways) in absent {
            let text = format!("{place:?} is no origin, so {ways} ways from it count as unknown; declare them");
            problems.push(problem(path, text).of(Finding::MissingOrigin));
        }
    }
}
