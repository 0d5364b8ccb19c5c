//! What pods that say nothing ask of the network: what their workload was seen to use.
//!
//! Whoever measures says, node by node, below what a pod of each workload stayed in 95 of 100 windows. The largest of what
//! the nodes say is what a pod asks for: the percentile of all windows together is no larger. What is read is rounded up to
//! two digits, so that it stays the same while the traffic does.
//!
//! Promises: nothing is learned from fewer windows than make a percentile; whoever ran on a node fits into an empty one like
//! it; what cannot be is passed over.

use std::collections::BTreeMap;
use std::sync::Arc;

use keelson_api::NodeNetwork;
use keelson_cluster::Learned;
use keelson_core::{Direction, NodeBandwidth, Rates, ResourceName, Usage, Workload, WorkloadUsage};

use crate::interfaces::MOST;

/// Five minutes of windows of ten seconds; of twenty the 95th percentile would be the second largest.
const WINDOWS: u32 = 30;

/// What an object says of workloads.
#[must_use]
pub fn read(object: &NodeNetwork) -> Arc<[Usage]> {
    let workloads = object.status.iter().flat_map(|status| &status.workloads);
    workloads
        .map(|rates| Usage {
            workload: Workload {
                namespace: rates.namespace.clone(),
                kind: rates.kind.clone(),
                name: rates.name.clone(),
            },
            p95: Rates {
                egress: two_digits(ResourceName::Egress.amount_of(&rates.egress)),
                ingress: two_digits(ResourceName::Ingress.amount_of(&rates.ingress)),
            },
            windows: u32::try_from(rates.windows).unwrap_or_default().min(WINDOWS),
        })
        .collect()
}

/// What pods of each workload ask for, where pods may ask for `limit` thousandths of what an interface carries.
#[must_use]
pub fn learned(usage: &WorkloadUsage, interfaces: &NodeBandwidth, limit: i64) -> Learned {
    let mut learned: BTreeMap<&Workload, Rates> = BTreeMap::new();
    for (node, usages) in &usage.0 {
        let capacity = interfaces.0.get(node).map(|interface| interface.capacity).unwrap_or_default();
        for Usage { workload, p95, .. } in usages.iter().filter(|usage| usage.windows >= WINDOWS) {
            let known = learned.entry(workload).or_default();
            *known = Rates::each(|way: Direction| known.get(way).max(asked(p95.get(way), capacity.get(way), limit)));
        }
    }
    learned.into_iter().map(|(workload, rates)| (workload.clone(), rates)).collect()
}

/// What is asked for who used so much of an interface that carries `capacity`; 0 is not known.
fn asked(p95: i64, capacity: i64, limit: i64) -> i64 {
    let is_absurd = p95 < 0 || capacity > 0 && p95 > capacity.saturating_mul(MOST);
    let usable = if capacity > 0 { capacity.saturating_mul(limit) / 1_000 } else { i64::MAX };
    if is_absurd { 0 } else { p95.min(usable) }
}

/// The next number with no more than two digits that are not zero.
fn two_digits(amount: i64) -> i64 {
    let mut step = 1;
    while amount / step >= 100 {
        step *= 10;
    }
    (amount / step + i64::from(amount % step > 0)).saturating_mul(step)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use keelson_core::Interface;
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    const GIGABIT: i64 = 1_000_000_000;

    fn workload(name: &str) -> Workload {
        Workload { namespace: "shop".into(), kind: "Deployment".into(), name: name.into() }
    }

    fn used(name: &str, egress: i64, windows: u32) -> Usage {
        Usage { workload: workload(name), p95: Rates { egress, ingress: egress / 10 }, windows }
    }

    fn all(usages: &[(&str, &[Usage])]) -> WorkloadUsage {
        WorkloadUsage(usages.iter().map(|(node, usages)| ((*node).to_owned(), Arc::from(*usages))).collect())
    }

    fn interfaces(nodes: &[&str]) -> NodeBandwidth {
        let interface = Interface { capacity: Rates::both(10 * GIGABIT), measured: None };
        NodeBandwidth(nodes.iter().map(|node| ((*node).to_owned(), interface)).collect())
    }

    #[test]
    fn the_largest_of_what_the_nodes_say_is_asked_for() {
        let usage = all(&[("a", &[used("web", GIGABIT / 2, 30)]), ("b", &[used("web", GIGABIT / 5, 30)])]);
        let learned = learned(&usage, &interfaces(&["a", "b"]), 900);
        assert_eq!(learned.of(Some(&workload("web"))), Rates { egress: GIGABIT / 2, ingress: GIGABIT / 20 });
        assert_eq!(learned.of(Some(&workload("cart"))), Rates::default());
    }

    #[test]
    fn too_few_windows_and_what_cannot_be_teach_nothing_and_nobody_asks_for_more_than_a_node_may_give() {
        let usages = [used("new", GIGABIT, 29), used("absurd", 321 * GIGABIT, 30), used("hungry", 12 * GIGABIT, 30)];
        let usage = all(&[("a", &usages)]);
        let learned = learned(&usage, &interfaces(&["a"]), 900);
        let asked = |name| learned.of(Some(&workload(name))).egress;
        assert_eq!((asked("new"), asked("absurd"), asked("hungry")), (0, 0, 9 * GIGABIT));
    }

    #[test]
    fn what_changes_little_is_read_as_the_same() {
        let object = json!({"apiVersion": "keelson.dev/v1alpha1", "kind": "NodeNetwork", "metadata": {"name": "a"},
            "spec": {}, "status": {"workloads": [{"namespace": "shop", "kind": "Deployment", "name": "web",
                "egress": "991M", "ingress": "99100k", "windows": 360}]}});
        assert_eq!(*read(&serde_json::from_value(object).unwrap()), [used("web", GIGABIT, 30)]);
    }

    proptest! {
        #[test]
        fn rounding_never_lowers_and_adds_less_than_a_tenth(amount in 0..i64::MAX / 100) {
            let rounded = two_digits(amount);
            prop_assert!(rounded >= amount && rounded - amount <= amount / 10);
            prop_assert_eq!(two_digits(rounded), rounded);
        }
    }
}
