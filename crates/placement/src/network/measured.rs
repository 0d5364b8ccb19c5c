//! Costs from measured round-trip times.
//!
//! Times are measured between nodes; what is needed is what two places cost. Of all pairs of nodes that lie in the same two
//! places the time in the middle counts, in whole milliseconds, rounded up: as Diktyo's controller has it, except that one
//! slow node does not make a zone far. A round trip is the same both ways, so a direction that was not measured takes the
//! other's.
//!
//! Promises: the order of the samples changes nothing; a node whose place is not known makes no entry; nothing measured is
//! free.

use std::collections::BTreeMap;

use super::costs::{Costs, Level, Place};

/// One measurement.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sample<'a> {
    /// The node it went out from.
    pub origin: &'a str,
    /// The node it went to and came back from.
    pub destination: &'a str,
    /// The round trip (a percentile of many) in microseconds.
    pub micros: u64,
}

/// The costs that these samples show. `place` says where a node is.
#[must_use]
pub fn costs<'a>(samples: &[Sample<'_>], place: impl Fn(&str) -> Option<Place<'a>>) -> Costs {
    let mut by_pair: BTreeMap<(Level, &str, &str), Vec<u64>> = BTreeMap::new();
    for sample in samples.iter().filter(|sample| sample.origin != sample.destination) {
        if let (Some(from), Some(to)) = (place(sample.origin), place(sample.destination))
            && let Some(pair) = pair(from, to)
        {
            by_pair.entry(pair).or_default().push(sample.micros);
        }
    }
    let mut costs = Costs::new();
    for ((level, from, to), mut times) in by_pair {
        times.sort_unstable();
        let micros = times.get((times.len() - 1) / 2).copied().unwrap_or_default();
        let cost = i64::try_from(micros.div_ceil(1_000)).unwrap_or(i64::MAX);
        costs.declare(level, from, to, cost);
    }
    for (level, from, to, cost) in costs.clone().entries() {
        if costs.declared(level, to, from).is_none() {
            costs.declare(level, to, from, cost);
        }
    }
    costs
}

/// The widest level that two places do not share, and their names in it; two nodes of one zone measure the zone itself.
fn pair<'a>(from: Place<'a>, to: Place<'a>) -> Option<(Level, &'a str, &'a str)> {
    if from.region != to.region {
        return Some((Level::Region, from.region?, to.region?));
    }
    if from.zone == to.zone && from.rack != to.rack {
        return Some((Level::Rack, from.rack?, to.rack?));
    }
    Some((Level::Zone, from.zone?, to.zone?))
}
