//! Pools and headroom, through the choices and explanations that come of them.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use keelson_core::ResourceName;
use proptest::prelude::*;

use super::*;
use crate::change::smallest_change;
use crate::choose::choose;
use crate::explain::explain;
use crate::pod::Pod;
use crate::requests::PodRequests;
use crate::snapshot::Snapshot;
use crate::spread::{SpreadConstraint, ZONE};

fn pool() -> Pool {
    Pool::new("keelson.dev/pool", "scheduling")
}

fn node(name: &str) -> Node {
    Node::new(name, [(ResourceName::Cpu, 1_000)])
}

fn pooled(name: &str) -> Node {
    node(name).label("keelson.dev/pool", "scheduling")
}

fn pod(cpu: i64) -> Pod {
    Pod::new("shop", "cart").requesting(&PodRequests::default().container([(ResourceName::Cpu, cpu)]))
}

fn ours(cpu: i64) -> Pod {
    pod(cpu).in_layout(Layout::Pool(pool()))
}

fn name(pod: &Pod, nodes: &[Node]) -> Option<String> {
    choose(pod, &Snapshot::of(nodes), 1).node.map(|index| nodes[index].name.clone())
}

#[test]
fn a_pod_of_a_pool_goes_to_a_node_of_it_whatever_keeps_others_off() {
    let nodes = [node("a"), pooled("b").taint(pool().taint()), node("c")];
    assert_eq!(name(&ours(500), &nodes), Some("b".into()));
    assert_ne!(name(&pod(500), &nodes), Some("b".into()), "a pod of nobody's does not tolerate it");
}

#[test]
fn no_other_taint_is_tolerated_for_it() {
    let Pool { key, value } = pool();
    for taint in [
        Taint::new(&key, "other", TaintEffect::NoSchedule),
        Taint::new("other", &value, TaintEffect::NoSchedule),
        Taint::new(&key, &value, TaintEffect::NoExecute),
    ] {
        assert_eq!(name(&ours(500), &[pooled("a").taint(taint.clone())]), None, "{taint}");
    }
}

#[test]
fn of_the_nodes_outside_it_is_said_what_to_do() {
    let nodes = [node("a"), node("b"), pooled("full").holding(&pod(900))];
    let why = explain(&ours(500), &Snapshot::of(&nodes), 1);
    assert_eq!(
        why.histogram.unwrap(),
        "0/3 nodes are available: 1 Insufficient cpu, 2 node(s) were not in Keelson's pool."
    );
    let outside = why.candidates.iter().find(|row| row.name.starts_with("2 nodes")).unwrap();
    let text = "the node is not in Keelson's pool: label it keelson.dev/pool=scheduling, or choose layout Shared";
    assert_eq!((outside.failed[0].name.as_str(), outside.failed[0].text.as_str()), ("KeelsonPool", text));
}

#[test]
fn places_without_a_node_of_the_pool_are_none_to_spread_over() {
    let zoned = |node: Node, zone: &str| node.label(ZONE, zone);
    let selecting = || keelson_core::selector::LabelSelector {
        match_labels: [("app".to_owned(), "web".to_owned())].into(),
        ..Default::default()
    };
    let web = |uid: &str| {
        let spread =
            SpreadConstraint { honors_taints: true, ..SpreadConstraint::new(ZONE, 1, true, Some(selecting())) };
        ours(100).label("app", "web").uid(uid).spreading(spread)
    };
    let nodes = [
        zoned(pooled("a"), "a").taint(pool().taint()).holding(&web("1")),
        zoned(pooled("b"), "b").holding(&web("2")),
        zoned(node("c"), "c"),
    ];
    assert!(name(&web("3"), &nodes).is_some(), "zone c, where it cannot go, keeps nothing waiting");
}

#[test]
fn what_is_left_to_others_is_named_where_it_is_missing() {
    let held = node("a").holding(&pod(500));
    let asks = |percent| {
        explain(&pod(450).in_layout(Layout::Headroom(percent)), &Snapshot::of(std::slice::from_ref(&held)), 1)
    };
    assert_eq!(asks(5).histogram, None);
    assert_eq!(asks(0).histogram, None);
    let why = asks(10);
    assert_eq!(why.histogram.unwrap(), "0/1 nodes are available: 1 Insufficient cpu.");
    let text = "needs 450m cpu, 400m free: short 50m (100m more are left to other schedulers)";
    assert_eq!(why.candidates[0].failed[0].text, text);
    let change =
        smallest_change(&pod(450).in_layout(Layout::Headroom(10)), &Snapshot::of(std::slice::from_ref(&held))).unwrap();
    assert_eq!((change.from, change.to), (450, 400));
}

#[test]
fn the_number_of_pods_has_headroom_too() {
    let full = (0..9).fold(Node::new("a", [(ResourceName::Pods, 10)]), |node, number| {
        node.holding(&Pod::new("shop", &number.to_string()))
    });
    let why = explain(&Pod::new("shop", "x").in_layout(Layout::Headroom(10)), &Snapshot::of(&[full]), 1);
    let text = "9 of 9 allowed pods run: short 1 (1 more are left to other schedulers)";
    assert_eq!(why.candidates[0].failed[0].text, text);
}

#[test]
fn a_nodes_only_gpu_is_not_left_over() {
    let gpu = ResourceName::from("nvidia.com/gpu");
    let nodes = [Node::new("a", [(gpu.clone(), 1)])];
    let asks = Pod::new("ml", "train").requesting(&PodRequests::default().container([(gpu, 1)]));
    assert!(name(&asks.in_layout(Layout::Headroom(50)), &nodes).is_some());
}

proptest! {
    #[test]
    fn what_is_left_is_the_share_rounded_down_and_never_more_than_there_is(percent: u8, offered in 0..i64::MAX) {
        let left = Layout::Headroom(percent).left(offered);
        let share = i128::from(percent.min(100)) * i128::from(offered) / 100;
        prop_assert_eq!(i128::from(left), share);
        prop_assert_eq!(Layout::All.left(offered), 0);
        prop_assert_eq!(Layout::Pool(pool()).left(offered), 0);
    }
}
