//! Bandwidth as a limiting resource.
//!
//! A network interface saturates before cpu does, and a request says less of it than of cpu: traffic is bursty, and pods
//! without a request send too. So what is taken of a node's interface is the larger of what its pods reserved and what was
//! measured lately plus what came since; a pod that asks for bandwidth goes only where the rest is enough for it.
//!
//! | what | how it counts |
//! |---|---|
//! | usable | capacity × limit, so that a part stays free for those who ask for nothing |
//! | reserved | the requests of the pods there, less their edges to pods on the same node, which use no interface |
//! | taken | max(reserved, measured + requests of pods that started after the measured window began) |
//! | saturated | taken is at least what is usable, until the measured load has fallen (see [`Latch`]) |
//!
//! Requests are the resources `Egress` and `Ingress` of [`Pod::requests`], summed like any other, so the ledger is
//! recounted from the pods that are there and cannot drift.
//!
//! Links between zones and regions have a ledger of the same kind: [`crate::network::links`].
//!
//! Promises: a pod that asks for no bandwidth is not touched by any of this; a node whose capacity nobody knows holds every
//! pod, and is preferred by none; a measurement that is old, missing or absurd counts as none, so that reservations hold;
//! bandwidth is given in bits a second throughout, and sums saturate.
//!
//! | room | what it holds |
//! |---|---|
//! | [`latch`] | when a measured interface counts as saturated |
//! | [`variation`] | how much its load varies |
//! | `local` | what does not leave the node |
//! | [`share`] | which node a pod would rather have |

use keelson_core::Timestamp;
use keelson_core::resources::{Round, Shortfall};
pub use keelson_core::{Direction, Rates};
use serde::{Deserialize, Serialize};

use crate::filter::Failure;
use crate::network::{GROUP_LABEL, Network};
use crate::node::Node;
use crate::pod::Pod;

pub mod latch;
mod local;
pub mod share;
pub mod variation;

pub use latch::Latch;
pub use variation::Variation;

/// The share of a capacity that pods may take when nothing else is said, in thousandths.
pub const LIMIT: i64 = 900;

/// What was measured of an interface.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Load {
    /// The load.
    pub rates: Rates,
    /// When the window began in which it was measured: pods that started later are not in it.
    pub since: Timestamp,
    /// Whether egress and ingress are saturated.
    pub saturated: [bool; 2],
    /// How much it has varied lately: its standard deviation.
    #[serde(default)]
    pub varies: Rates,
}

impl Load {
    /// Whether this direction is saturated.
    #[must_use]
    pub const fn is_saturated(&self, direction: Direction) -> bool {
        let [egress, ingress] = self.saturated;
        match direction {
            Direction::Egress => egress,
            Direction::Ingress => ingress,
        }
    }
}

/// A node's interface.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Nic {
    /// What it can carry; 0 in a direction of which nobody knows.
    pub capacity: Rates,
    /// The share of it that pods may take, in thousandths.
    pub limit: i64,
    /// What was measured lately; none when nothing is that can be believed now.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub load: Option<Load>,
}

impl Nic {
    /// An interface of this capacity, with the usual limit, that nobody measures.
    #[must_use]
    pub const fn new(capacity: Rates) -> Self {
        Self { capacity, limit: LIMIT, load: None }
    }

    /// The same with this measured.
    #[must_use]
    pub const fn carrying(mut self, load: Load) -> Self {
        self.load = Some(load);
        self
    }

    /// How much the measured load varies, in bits a second.
    #[must_use]
    pub fn varies(&self, direction: Direction) -> i64 {
        self.load.map_or(0, |load| load.varies.get(direction))
    }

    /// What pods may take; `None` where the capacity is not known.
    #[must_use]
    pub fn usable(&self, direction: Direction) -> Option<i64> {
        let capacity = self.capacity.get(direction);
        (capacity > 0).then(|| usable(capacity, self.limit))
    }
}

/// What pods may take of a capacity, by a limit in thousandths.
#[must_use]
pub(crate) fn usable(capacity: i64, limit: i64) -> i64 {
    i64::try_from(i128::from(capacity) * i128::from(limit.clamp(0, 1_000)) / 1_000).unwrap_or(i64::MAX)
}

/// The numbers of one direction of one node's interface.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Ledger {
    /// What it can carry.
    pub capacity: i64,
    /// What pods may take of it.
    pub usable: i64,
    /// What they reserved.
    pub reserved: i64,
    /// What was measured, with the requests of those who came since; none when nothing is that can be believed.
    pub measured: Option<i64>,
    /// Whether the measured load saturates it.
    pub saturated: bool,
}

impl Ledger {
    /// One direction of a node, with the edges left out that stay on it; `None` where the capacity is not known.
    #[must_use]
    pub fn of(node: &Node, direction: Direction, network: &Network) -> Option<Self> {
        let mut ledger = Self::plain(node, direction)?;
        if network.reserves() {
            let local = local::spared(node.shared_claims().map(AsRef::as_ref), network).get(direction);
            ledger.reserved = ledger.reserved.saturating_sub(local).max(0);
        }
        Some(ledger)
    }

    /// As [`Self::of`], every edge counted.
    #[must_use]
    pub fn plain(node: &Node, direction: Direction) -> Option<Self> {
        let nic = node.nic.as_ref()?;
        let usable = nic.usable(direction)?;
        let measured = nic.load.map(|load| load.rates.get(direction).saturating_add(node.young().get(direction)));
        Some(Self {
            capacity: nic.capacity.get(direction),
            usable,
            reserved: node.requested().get(&direction.resource()),
            measured,
            saturated: nic.load.is_some_and(|load| load.is_saturated(direction)),
        })
    }

    /// What counts as taken.
    #[must_use]
    pub fn taken(&self) -> i64 {
        let taken = self.reserved.max(self.measured.unwrap_or(0));
        if self.saturated { taken.max(self.usable) } else { taken }
    }

    /// What is left; below zero where more was promised than there is.
    #[must_use]
    pub fn free(&self) -> i64 {
        self.usable.saturating_sub(self.taken())
    }
}

/// What a pod asks for.
#[must_use]
pub fn asked_by(pod: &Pod) -> Rates {
    Rates::each(|direction| pod.requests.get(&direction.resource()))
}

/// Each direction in which the node has too little left for the pod.
pub fn failures(pod: &Pod, node: &Node, network: &Network) -> impl Iterator<Item = Failure> {
    short(pod, node, network).map(|(direction, needed, ledger)| {
        let shortfall = Shortfall { name: direction.resource(), needed, free: ledger.free() };
        Failure::Bandwidth { shortfall, ledger }
    })
}

/// Whether [`failures`] would be empty.
#[must_use]
pub fn carries(pod: &Pod, node: &Node, network: &Network) -> bool {
    node.nic.is_none() || short(pod, node, network).next().is_none()
}

/// Where the rest is not enough: the direction, what the pod needs there, and the ledger.
fn short(pod: &Pod, node: &Node, network: &Network) -> impl Iterator<Item = (Direction, i64, Ledger)> {
    let asked = asked_by(pod);
    let spared = local::spared_by(pod, node, network);
    Direction::BOTH.into_iter().filter(move |direction| asked.get(*direction) > 0).filter_map(move |direction| {
        let ledger = Ledger::of(node, direction, network)?;
        let needed = asked.get(direction).saturating_sub(spared.get(direction));
        (needed > ledger.free()).then_some((direction, needed, ledger))
    })
}

/// Whether a pod that a node had too little left for may find enough there now. A pod of a group may need less than it asks
/// for, and is tried whenever there is more than before.
#[must_use]
pub fn eased(pod: &Pod, before: &Node, after: &Node) -> bool {
    let (asked, grouped) = (asked_by(pod), pod.labels.contains_key(GROUP_LABEL));
    let free = |node: &Node, way| Ledger::plain(node, way).map_or(i64::MAX, |ledger| ledger.free());
    let mut ways = Direction::BOTH.into_iter().filter(|direction| asked.get(*direction) > 0);
    let enough = |way| grouped || asked.get(way) <= free(after, way);
    ways.clone().any(|way| free(after, way) > free(before, way)) && ways.all(enough)
}

/// `needs 2 Gbit/s egress, 500 Mbit/s free: short 1.5 Gbit/s (8.5 Gbit/s of 9 Gbit/s usable is reserved)`.
pub(crate) fn sentence(shortfall: &Shortfall, ledger: &Ledger) -> String {
    let rate = |bits| shortfall.name.readable(bits, Round::Down);
    let (usable, capacity) = (rate(ledger.usable), rate(ledger.capacity));
    let by = match ledger.measured {
        Some(measured) if measured > ledger.reserved => format!("{} of {usable} usable measured", rate(measured)),
        _ => format!("{} of {usable} usable reserved", rate(ledger.reserved)),
    };
    if ledger.saturated {
        let needed = shortfall.name.readable(shortfall.needed, Round::Up);
        let again = rate(latch::low(ledger.capacity));
        let word = shortfall.name.word();
        return format!(
            "needs {needed} {word}, which is saturated ({by}) until at most {again} of {capacity} is measured"
        );
    }
    format!("{shortfall} ({by})")
}

#[cfg(test)]
mod tests;
