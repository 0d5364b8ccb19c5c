//! How full nodes are, by what is requested of them.
//!
//! A node is as full as the resource of which most is requested (its dominant share); how many pods it may run does not count.
//! Shares are in permille.

use std::collections::{BTreeMap, BTreeSet, HashSet};

use keelson_cluster::State;
use keelson_core::ResourceName;
use keelson_placement::Node;

use super::report::{Broken, Fullest, NodeRow, Share, Spread, Summary};

/// One node.
#[derive(Debug, Clone)]
pub(super) struct Measured {
    zone: Option<String>,
    share: Share,
    pods: usize,
    working: usize,
    over: bool,
}

/// All nodes, by name.
#[derive(Debug, Clone)]
pub(super) struct Placement {
    pub(super) nodes: BTreeMap<String, Measured>,
}

/// The nodes as they are. `working` are the uids of pods for whose sake nodes are there.
pub(super) fn placement(state: &State, working: &HashSet<String>) -> Placement {
    let measured = |member: &keelson_cluster::Member| {
        let node = &member.node;
        let works = node.claims().filter(|(uid, _)| working.contains(*uid)).count();
        let requested = || node.requested().iter();
        let over = requested().any(|(name, _)| node.free(name) < 0);
        let share = dominant(node);
        Measured { zone: member.zone.clone(), share, pods: node.pod_count(), working: works, over }
    };
    let members = state.live().members();
    Placement { nodes: members.map(|member| (member.node.name.clone(), measured(member))).collect() }
}

/// The resource of which the largest share is requested.
fn dominant(node: &Node) -> Share {
    let offered = node.allocatable.iter().filter(|(name, _)| **name != ResourceName::Pods);
    let share = |(name, allocatable): (&ResourceName, i64)| {
        let requested = i128::from(node.requested().get(name).max(0));
        let permille = requested * 1_000 / i128::from(allocatable.max(1));
        let none = allocatable <= 0 && requested == 0;
        Share {
            resource: name.to_string(),
            permille: if none { 0 } else { i64::try_from(permille).unwrap_or(i64::MAX) },
        }
    };
    let first = |a: &Share, b: &Share| a.permille.cmp(&b.permille).then_with(|| b.resource.cmp(&a.resource));
    offered.map(share).max_by(first).unwrap_or_else(|| Share { resource: "cpu".to_owned(), permille: 0 })
}

/// How many zones there are.
pub(super) fn zones(ground: &State) -> usize {
    ground.live().members().filter_map(|member| member.zone.as_ref()).collect::<BTreeSet<_>>().len()
}

pub(super) fn summary(placement: &Placement, spreads: &[Spread], broken: &[Broken]) -> Summary {
    let shares: Vec<i64> = placement.nodes.values().map(|node| node.share.permille.min(1_000_000)).collect();
    let count = i64::try_from(shares.len()).unwrap_or(i64::MAX).max(1);
    let mean = shares.iter().sum::<i64>() / count;
    let variance = shares.iter().map(|share| (share - mean) * (share - mean)).sum::<i64>() / count;
    let fullest = placement.nodes.iter().max_by_key(|(name, node)| (node.share.permille, std::cmp::Reverse(*name)));
    Summary {
        nodes_in_use: placement.nodes.values().filter(|node| node.working > 0).count(),
        nodes_over_allocatable: placement.nodes.values().filter(|node| node.over).count(),
        fullest: fullest.map(|(name, node)| Fullest { node: name.clone(), share: node.share.clone() }),
        mean_permille: mean,
        deviation_permille: variance.isqrt(),
        broken_rules: broken.len(),
        spreads_beyond: spreads.iter().filter(|spread| spread.is_beyond()).count(),
        worst_skew: spreads.iter().map(|spread| spread.today).max().unwrap_or(0),
    }
}

/// The nodes that would have nothing to do any more.
pub(super) fn emptied(before: &Placement, after: &Placement) -> Vec<String> {
    let idle = |name: &String| after.nodes.get(name).is_some_and(|node| node.working == 0);
    let used = before.nodes.iter().filter(|(name, node)| node.working > 0 && idle(name));
    used.map(|(name, _)| name.clone()).collect()
}

/// One row a node, by zone and name.
pub(super) fn rows(before: &Placement, after: &Placement) -> Vec<NodeRow> {
    let row = |(name, was): (&String, &Measured)| {
        let is = after.nodes.get(name)?;
        Some(NodeRow {
            node: name.clone(),
            zone: was.zone.clone(),
            today: was.share.clone(),
            replayed: is.share.clone(),
            pods_today: was.pods,
            pods_replayed: is.pods,
        })
    };
    let mut rows: Vec<NodeRow> = before.nodes.iter().filter_map(row).collect();
    rows.sort_by(|a, b| (&a.zone, &a.node).cmp(&(&b.zone, &b.node)));
    rows
}
