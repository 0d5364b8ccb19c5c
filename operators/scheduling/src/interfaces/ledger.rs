//! The ledger of every interface, fullest first, as the page draws it.

use keelson_cluster::{Member, View};
use keelson_core::{Direction, NodeBandwidth, Timestamp};
use keelson_placement::bandwidth::Ledger;
use serde_json::{Value, json};

use super::Belief;

/// So many are told; the others are counted.
const TOLD: usize = 200;

/// Every interface that is known.
#[must_use]
pub fn told(view: &View, known: &NodeBandwidth, now: Timestamp) -> Value {
    let mut rows: Vec<(i64, Value)> = view.members().filter_map(|member| row(member, view, known, now)).collect();
    let saturated = rows.iter().filter(|(_, row)| is_saturated(row)).count();
    let (nodes, of) = (rows.len(), view.members().count());
    rows.sort_by(|(a, _), (b, _)| b.cmp(a));
    rows.truncate(TOLD);
    let rows: Vec<Value> = rows.into_iter().map(|(_, row)| row).collect();
    json!({"known": nodes, "nodes": of, "saturated": saturated, "interfaces": rows})
}

fn is_saturated(row: &Value) -> bool {
    ["egress", "ingress"].iter().any(|direction| row[direction]["saturated"] == json!(true))
}

/// A node's row, and how full the fuller direction is, in thousandths.
fn row(member: &Member, view: &View, known: &NodeBandwidth, now: Timestamp) -> Option<(i64, Value)> {
    let node = &member.node;
    node.interface()?;
    let [egress, ingress] = Direction::BOTH.map(|direction| Ledger::of(node, direction, view.network()));
    let full = |ledger: &Ledger| {
        let share = i128::from(ledger.taken()) * 1_000 / i128::from(ledger.usable.max(1));
        i64::try_from(share).unwrap_or(i64::MAX)
    };
    let fullest = egress.iter().chain(&ingress).map(full).max().unwrap_or(0);
    let interface = known.0.get(&node.name).copied().unwrap_or_default();
    let told = |ledger: Option<Ledger>| {
        ledger.map(|ledger| {
            json!({
                "capacity": ledger.capacity,
                "usable": ledger.usable,
                "reserved": ledger.reserved,
                "measured": ledger.measured,
                "taken": ledger.taken(),
                "saturated": ledger.saturated,
            })
        })
    };
    let row = json!({
        "name": node.name,
        "zone": member.zone,
        "egress": told(egress),
        "ingress": told(ingress),
        "unmeasured": Belief::of(&interface, now).why(),
    });
    Some((fullest, row))
}
