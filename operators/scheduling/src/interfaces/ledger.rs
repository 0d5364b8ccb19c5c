//! The ledger of every interface, fullest first, as the page draws it.

use keelson_cluster::{Member, View};
use keelson_core::{Direction, NodeBandwidth, Timestamp};
use keelson_placement::bandwidth::Ledger;
use serde::Serialize;

use super::Belief;

/// So many are told; the others are counted.
const TOLD: usize = 200;

/// Every interface that is known.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Told {
    /// How many are known.
    pub known: usize,
    /// How many nodes there are.
    pub nodes: usize,
    /// How many are saturated one way or both.
    pub saturated: usize,
    /// The fullest of them, fullest first.
    pub interfaces: Vec<Row>,
}

/// One interface.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Row {
    /// The node.
    pub name: String,
    /// Its zone.
    pub zone: Option<String>,
    /// What is sent; none where nobody says what it carries.
    pub egress: Option<Way>,
    /// What is received.
    pub ingress: Option<Way>,
    /// Why only what pods reserved counts; none where the measurement counts.
    pub unmeasured: Option<String>,
}

/// One direction, in bits a second.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Way {
    #[serde(flatten)]
    ledger: Ledger,
    /// What counts as taken.
    taken: i64,
}

impl Way {
    /// How full it is, in thousandths of what pods may take.
    fn full(&self) -> i128 {
        i128::from(self.taken) * 1_000 / i128::from(self.ledger.usable.max(1))
    }
}

impl Row {
    fn of(member: &Member, view: &View, known: &NodeBandwidth, now: Timestamp) -> Option<Self> {
        let node = &member.node;
        node.interface()?;
        let way =
            |direction| Ledger::of(node, direction, view.network()).map(|ledger| Way { taken: ledger.taken(), ledger });
        let interface = known.0.get(&node.name).copied().unwrap_or_default();
        Some(Self {
            name: node.name.clone(),
            zone: member.zone.clone(),
            egress: way(Direction::Egress),
            ingress: way(Direction::Ingress),
            unmeasured: Belief::of(&interface, now).why(),
        })
    }

    fn ways(&self) -> impl Iterator<Item = &Way> {
        self.egress.iter().chain(&self.ingress)
    }
}

/// What is to be told.
#[must_use]
pub fn told(view: &View, known: &NodeBandwidth, now: Timestamp) -> Told {
    let mut rows: Vec<Row> = view.members().filter_map(|member| Row::of(member, view, known, now)).collect();
    let saturated = rows.iter().filter(|row| row.ways().any(|way| way.ledger.saturated)).count();
    let counts = (rows.len(), view.members().count());
    rows.sort_by_cached_key(|row| (std::cmp::Reverse(row.ways().map(Way::full).max()), row.name.clone()));
    rows.truncate(TOLD);
    Told { known: counts.0, nodes: counts.1, saturated, interfaces: rows }
}
