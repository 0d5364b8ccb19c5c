//! What two places cost each other.
//!
//! A node is in a rack, a zone and a region, as its labels say. Two nodes cost what the widest of these that they do not
//! share costs: another region, another zone, another rack. Regions, zones and racks have tables of their own, because their
//! names may be the same. A table is directed; an edge is used both ways, so it costs the larger of the two directions.
//! (The larger and not the sum: `maxNetworkCost` is held against one declared number.)
//!
//! | two pods | cost |
//! |---|---|
//! | on one node | 0 |
//! | in one zone | its entry, or 1 |
//! | in two racks of one zone, where racks are declared | the entry, or the largest that is declared between racks |
//! | in two zones of one region | the entry, or unknown |
//! | in two regions | the entry, or unknown |
//! | on a node without zone and region | unknown |
//!
//! What is unknown between zones costs one more than anything declared, and 100 at least (upstream's `MaxCost`); between
//! regions twice that. A direction that has no entry is unknown, whatever the other one says.
//!
//! Promises: only pods on one node cost nothing; nothing unknown is cheaper than anything declared; the cost is the same
//! from both ends.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::node::Node;
use crate::spread::ZONE;

/// The label of a node's region.
pub const REGION: &str = "topology.kubernetes.io/region";
/// The label of a node's rack, as Diktyo's controller names it.
pub const SEGMENT: &str = "topology.kubernetes.io/segment";
/// The label of a node's rack, as most clusters name it.
pub const RACK: &str = "topology.kubernetes.io/rack";

/// The least that pods on two nodes cost.
pub const LEAST: i64 = 1;
/// The most that can be declared; more is taken as this much.
pub const MOST: i64 = 1_000_000;
/// The least that something unknown costs.
pub const UNKNOWN: i64 = 100;

/// What kind of places a table is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Level {
    /// Racks, or segments of the network.
    Rack,
    /// Zones.
    Zone,
    /// Regions.
    Region,
}

impl Level {
    /// The level whose places are the values of a label.
    #[must_use]
    pub fn of(key: &str) -> Option<Self> {
        match key {
            REGION => Some(Self::Region),
            ZONE => Some(Self::Zone),
            SEGMENT | RACK => Some(Self::Rack),
            _ => None,
        }
    }
}

/// Where a node is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Place<'a> {
    /// Its region.
    pub region: Option<&'a str>,
    /// Its zone.
    pub zone: Option<&'a str>,
    /// Its rack, where racks matter.
    pub rack: Option<&'a str>,
}

impl<'a> Place<'a> {
    /// Where a node is, its rack included.
    #[must_use]
    pub fn with_rack(node: &'a Node) -> Self {
        let label = |key: &str| node.labels.get(key).map(String::as_str);
        Self { region: label(REGION), zone: label(ZONE), rack: label(SEGMENT).or_else(|| label(RACK)) }
    }

    /// The same, to keep.
    #[must_use]
    pub fn site(&self) -> Site {
        Site { region: self.region.map(Into::into), zone: self.zone.map(Into::into), rack: self.rack.map(Into::into) }
    }
}

/// Where a node is, on its own.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Site {
    region: Option<String>,
    zone: Option<String>,
    rack: Option<String>,
}

impl Site {
    /// The same, to look at.
    #[must_use]
    pub fn place(&self) -> Place<'_> {
        Place { region: self.region.as_deref(), zone: self.zone.as_deref(), rack: self.rack.as_deref() }
    }
}

/// What pods on two nodes of two places cost each other.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Distance {
    /// The cost.
    pub cost: i64,
    /// Who says so.
    pub says: Says,
}

/// Who says what two places cost each other.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Says {
    /// It follows from the zone that both share.
    Zone,
    /// It was declared or measured.
    Table,
    /// Nobody.
    Nobody,
}

impl Distance {
    const fn declared(cost: i64) -> Self {
        Self { cost, says: Says::Table }
    }

    /// Whether it is more than a dependency allows. One zone is within every bound, as upstream has it, unless its own cost
    /// was declared; what nobody knows is within none.
    #[must_use]
    pub fn exceeds(self, allowed: i64) -> bool {
        match self.says {
            Says::Zone => false,
            Says::Table => self.cost > allowed,
            Says::Nobody => true,
        }
    }
}

type Table = BTreeMap<String, BTreeMap<String, i64>>;

/// The tables. Costs are relative numbers when declared, milliseconds when measured.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Costs {
    racks: Table,
    zones: Table,
    regions: Table,
    most: i64,
    most_of_racks: i64,
}

impl Costs {
    /// Nothing is declared.
    #[must_use]
    pub const fn new() -> Self {
        Self { racks: Table::new(), zones: Table::new(), regions: Table::new(), most: 0, most_of_racks: 0 }
    }

    /// Whether nothing is declared: then nothing is unknown either, and no bound is held against it.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.most == 0
    }

    fn table(&self, level: Level) -> &Table {
        match level {
            Level::Rack => &self.racks,
            Level::Zone => &self.zones,
            Level::Region => &self.regions,
        }
    }

    /// Declares one direction; a cost below 1 is 1.
    pub fn declare(&mut self, level: Level, origin: &str, destination: &str, cost: i64) {
        let cost = cost.clamp(LEAST, MOST);
        let table = match level {
            Level::Rack => &mut self.racks,
            Level::Zone => &mut self.zones,
            Level::Region => &mut self.regions,
        };
        table.entry(origin.into()).or_default().insert(destination.into(), cost);
        self.most = self.most.max(cost);
        if level == Level::Rack {
            self.most_of_racks = self.most_of_racks.max(cost);
        }
    }

    /// The same with both directions declared.
    #[must_use]
    pub fn both(mut self, level: Level, one: &str, other: &str, cost: i64) -> Self {
        self.declare(level, one, other, cost);
        self.declare(level, other, one, cost);
        self
    }

    /// The cost of one direction, when it is declared.
    #[must_use]
    pub fn declared(&self, level: Level, origin: &str, destination: &str) -> Option<i64> {
        self.table(level).get(origin)?.get(destination).copied()
    }

    /// Every direction that is declared.
    pub fn entries(&self) -> impl Iterator<Item = (Level, &str, &str, i64)> {
        [Level::Rack, Level::Zone, Level::Region].into_iter().flat_map(|level| {
            let rows = self.table(level).iter();
            rows.flat_map(move |(origin, to)| {
                to.iter().map(move |(to, cost)| (level, origin.as_str(), to.as_str(), *cost))
            })
        })
    }

    /// The same, with what it lacks taken from another.
    #[must_use]
    pub fn or(mut self, other: &Self) -> Self {
        for (level, origin, destination, cost) in other.entries() {
            if self.declared(level, origin, destination).is_none() {
                self.declare(level, origin, destination, cost);
            }
        }
        self
    }

    /// Where a node is; racks are left out where none are declared, so that nodes of one zone are one place.
    #[must_use]
    pub fn place_of<'n>(&self, node: &'n Node) -> Place<'n> {
        let place = Place::with_rack(node);
        Place { rack: place.rack.filter(|_| !self.racks.is_empty()), ..place }
    }

    /// What pods on two different nodes of these places cost each other.
    #[must_use]
    pub fn between(&self, one: Place<'_>, other: Place<'_>) -> Distance {
        let (there, back) = (self.one_way(one, other), self.one_way(other, one));
        Distance { cost: there.cost.max(back.cost), says: there.says.max(back.says) }
    }

    fn one_way(&self, from: Place<'_>, to: Place<'_>) -> Distance {
        let nowhere = |place: Place<'_>| place.region.is_none() && place.zone.is_none();
        let known =
            |level, from: Option<&str>, to: Option<&str>| self.declared(level, from?, to?).map(Distance::declared);
        let unknown = self.most.saturating_add(1).max(UNKNOWN);
        let far = Distance { cost: unknown.saturating_mul(2), says: Says::Nobody };
        if nowhere(from) || nowhere(to) {
            return far;
        }
        if from.region != to.region {
            return known(Level::Region, from.region, to.region).unwrap_or(far);
        }
        // Without a zone, where zones are declared, it may be any.
        if from.zone != to.zone || from.zone.is_none() && !self.zones.is_empty() {
            let unknown = Distance { cost: unknown, says: Says::Nobody };
            return known(Level::Zone, from.zone, to.zone).unwrap_or(unknown);
        }
        let of_zone = known(Level::Zone, from.zone, to.zone).unwrap_or(Distance { cost: LEAST, says: Says::Zone });
        if self.racks.is_empty() {
            return of_zone;
        }
        match (from.rack, to.rack) {
            (Some(one), Some(other)) if one == other => known(Level::Rack, Some(one), Some(one)).unwrap_or(of_zone),
            (one, other) => known(Level::Rack, one, other).unwrap_or(Distance::declared(self.most_of_racks.max(LEAST))),
        }
    }
}
