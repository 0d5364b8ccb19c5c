//! Victims by the rules of DefaultPreemption, and what always holds of them.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use std::collections::BTreeSet;

use keelson_core::ResourceName::{Cpu, Memory};
use keelson_core::selector::LabelSelector;
use proptest::prelude::*;

use super::*;
use crate::budget::{Budget, Budgets};
use crate::peers::PodTerm;
use crate::pod::Pod;
use crate::requests::PodRequests;

fn pod(name: &str, priority: i32, cpu: i64) -> Pod {
    Pod::new("shop", name).requesting(&PodRequests::default().container([(Cpu, cpu)])).priority(priority)
}

fn running(name: &str, priority: i32, cpu: i64, since: i64) -> Pod {
    Pod { started: Some(Timestamp(since)), ..pod(name, priority, cpu).label("app", name) }
}

fn node(name: &str, pods: &[Pod]) -> Node {
    pods.iter().fold(Node::new(name, [(Cpu, 1_000)]), |node, pod| node.holding(pod))
}

fn budget(app: &str, allowed: i32) -> (String, Budget) {
    let match_labels = [("app".to_owned(), app.to_owned())].into();
    let selector = LabelSelector { match_labels, ..LabelSelector::default() };
    let budget =
        Budget { namespace: "shop".into(), name: app.into(), selector, allowed, disrupted: BTreeSet::default() };
    (app.to_owned(), budget)
}

/// The node and the victims by name, or why not.
fn chosen(pod: &Pod, snapshot: &Snapshot<'_>) -> Result<(String, Vec<String>), String> {
    let found = preempt(&Cycle::new(pod, snapshot), 1).map_err(|spared| spared.text())?;
    let victims = found.victims.iter().map(|victim| victim.key.trim_start_matches("shop/").to_owned());
    Ok((snapshot.node(found.node).unwrap().name.clone(), victims.collect()))
}

fn expect(pod: &Pod, snapshot: &Snapshot<'_>, node: &str, victims: &[&str]) {
    let victims = victims.iter().map(|name| (*name).to_owned()).collect();
    assert_eq!(chosen(pod, snapshot), Ok((node.to_owned(), victims)));
}

#[test]
fn as_many_as_possible_stay_the_important_ones_first() {
    let nodes = [node("n", &[running("low", 1, 300, 0), running("high", 5, 300, 0), running("mid", 3, 400, 0)])];
    expect(&pod("new", 9, 500), &Snapshot::of(&nodes), "n", &["mid", "low"]);
    expect(&pod("new", 9, 200), &Snapshot::of(&nodes), "n", &["low"]);
}

#[test]
fn of_equals_those_stay_that_run_longest() {
    let nodes = [node("n", &[running("young", 1, 500, 9), running("old", 1, 500, 3)])];
    expect(&pod("new", 9, 500), &Snapshot::of(&nodes), "n", &["young"]);
    let fresh = Pod { started: None, ..running("fresh", 1, 500, 0) };
    let nodes = [node("n", &[fresh, running("old", 1, 500, 3)])];
    expect(&pod("new", 9, 500), &Snapshot::of(&nodes), "n", &["fresh"]);
}

#[test]
fn nobody_of_its_own_priority_is_evicted() {
    let nodes = [node("same", &[running("a", 9, 900, 0)]), node("higher", &[running("b", 10, 900, 0)])];
    assert_eq!(
        chosen(&pod("new", 9, 500), &Snapshot::of(&nodes)).unwrap_err(),
        "preemption: 0/2 nodes are available: 2 No preemption victims found for incoming pod."
    );
}

#[test]
fn where_eviction_does_not_help_it_says_why() {
    let lower = [running("a", 1, 600, 0)];
    let busy = [running("b", 1, 100, 0), running("c", 9, 900, 0)];
    let nodes = [node("cordoned", &lower).cordoned(), node("busy", &busy), Node::new("tiny", [(Cpu, 100)])];
    assert_eq!(
        chosen(&pod("new", 9, 500), &Snapshot::of(&nodes)).unwrap_err(),
        "preemption: 0/3 nodes are available: 1 Insufficient cpu, 2 Preemption is not helpful for scheduling."
    );
}

#[test]
fn a_pod_that_never_preempts_waits() {
    let nodes = [node("n", &[running("low", 1, 900, 0)])];
    let new = Pod { never_preempts: true, ..pod("new", 9, 500) };
    let text = chosen(&new, &Snapshot::of(&nodes)).unwrap_err();
    assert_eq!(text, "preemption: not eligible due to preemptionPolicy=Never.");
}

#[test]
fn whoever_waits_for_its_victims_to_leave_evicts_no_more() {
    let mut node = node("n", &[running("stays", 1, 500, 0)]);
    let claim = Arc::new(Pod { leaving: true, ..running("leaves", 1, 500, 0) }.claim());
    node.hold("leaves".into(), Occupant { priority: 1, preempted: true, ..Occupant::taking(claim) });
    let nodes = [node];
    let new = Pod { nominated: Some("n".into()), ..pod("new", 9, 500) };
    let text = chosen(&new, &Snapshot::of(&nodes)).unwrap_err();
    assert_eq!(text, "preemption: not eligible due to a terminating pod on the nominated node.");
    assert!(
        chosen(&pod("new", 9, 500), &Snapshot::of(&nodes)).is_ok(),
        "one that is not nominated there does not wait"
    );
    let cordoned = [nodes[0].clone().cordoned(), super::tests::node("m", &[running("low", 1, 900, 0)])];
    expect(&new, &Snapshot::of(&cordoned), "m", &["low"]);
}

// Seed 2948 of the parity cases.
#[test]
fn whoever_can_never_go_where_it_is_nominated_does_not_wait_for_that_node() {
    let mut leaving = node("n", &[running("stays", 1, 500, 0)]);
    let claim = Arc::new(Pod { leaving: true, ..running("leaves", 1, 500, 0) }.claim());
    leaving.hold("leaves".into(), Occupant { priority: 1, preempted: true, ..Occupant::taking(claim) });
    let nodes = [leaving, node("m", &[running("low", 1, 900, 0)])];
    let mut new = Pod { nominated: Some("n".into()), ..pod("new", 9, 500) };
    expect_still_leaving(&new, &nodes);
    // Cpu would be free in time, memory never is.
    let asked = [(Cpu, 500), (Memory, 1 << 60)];
    new = new.requesting(&PodRequests::default().container(asked));
    let text = chosen(&new, &Snapshot::of(&nodes)).unwrap_err();
    assert!(text.contains("Preemption is not helpful"), "{text}");
}

fn expect_still_leaving(new: &Pod, nodes: &[Node]) {
    let text = chosen(new, &Snapshot::of(nodes)).unwrap_err();
    assert_eq!(text, "preemption: not eligible due to a terminating pod on the nominated node.");
}

// The order of kube-scheduler's pickOneNodeForPreemption.
#[test]
fn the_cheapest_node_is_chosen() {
    let new = pod("new", 99, 900);
    let pair = |a: Pod, b: Pod| [node("a", &[a]), node("b", &[b])];
    let budgets: Budgets = [budget("guarded", 0)].into();
    let nodes = pair(running("guarded", 1, 900, 0), running("free", 50, 900, 0));
    expect(&new, &Snapshot::of(&nodes).allowing(&budgets), "b", &["free"]);
    expect(&new, &Snapshot::of(&nodes), "a", &["guarded"]);
    let lowest_highest =
        [node("a", &[running("x", 7, 900, 0)]), node("b", &[running("y", 6, 500, 0), running("z", 6, 500, 0)])];
    expect(&new, &Snapshot::of(&lowest_highest), "b", &["y", "z"]);
    let least_sum = [
        node("a", &[running("x", 7, 500, 0), running("y", 7, 500, 0)]),
        node("b", &[running("z", 7, 500, 0), running("w", 1, 500, 0)]),
    ];
    expect(&new, &Snapshot::of(&least_sum), "b", &["z", "w"]);
    let below_zero =
        [node("a", &[running("x", -7, 500, 0), running("y", -9, 500, 0)]), node("b", &[running("z", -7, 900, 0)])];
    expect(&new, &Snapshot::of(&below_zero), "b", &["z"]);
    let youngest = pair(running("old", 1, 900, 3), running("young", 1, 900, 9));
    expect(&new, &Snapshot::of(&youngest), "b", &["young"]);
}

#[test]
fn those_whose_eviction_breaks_a_budget_are_let_back_in_first() {
    let nodes = [node("n", &[running("guarded", 1, 500, 0), running("free", 5, 500, 0)])];
    let budgets: Budgets = [budget("guarded", 0)].into();
    expect(&pod("new", 9, 500), &Snapshot::of(&nodes).allowing(&budgets), "n", &["free"]);
    let enough: Budgets = [budget("guarded", 1)].into();
    expect(&pod("new", 9, 500), &Snapshot::of(&nodes).allowing(&enough), "n", &["guarded"]);
    let counted = Budget { disrupted: ["guarded".to_owned()].into(), ..budget("guarded", 0).1 };
    let counted: Budgets = [("guarded".to_owned(), counted)].into();
    expect(&pod("new", 9, 500), &Snapshot::of(&nodes).allowing(&counted), "n", &["guarded"]);
    let everybody = Budget { selector: LabelSelector::default(), ..budget("guarded", 0).1 };
    let everybody: Budgets = [("all".to_owned(), everybody)].into();
    expect(&pod("new", 9, 500), &Snapshot::of(&nodes).allowing(&everybody), "n", &["guarded"]);
}

#[test]
fn rules_between_pods_are_counted_without_the_victims() {
    let apart = PodTerm::label("shop", "app", "rival", "zone");
    let rival = running("rival", 1, 100, 0);
    let nodes = [node("n", std::slice::from_ref(&rival)).label("zone", "a")];
    expect(&pod("new", 9, 100).apart_from(apart.clone()), &Snapshot::of(&nodes), "n", &["rival"]);
    // Another rival is in the zone, on another node: eviction on one node alone does not help.
    let nodes = [nodes[0].clone(), node("m", &[running("rival", 9, 100, 0).uid("other")]).label("zone", "a")];
    let text = chosen(&pod("new", 9, 100).apart_from(apart), &Snapshot::of(&nodes)).unwrap_err();
    assert!(text.contains("1 node(s) didn't match pod anti-affinity rules"), "{text}");
}

#[test]
fn room_that_is_reserved_for_others_is_not_taken() {
    let nodes = [node("n", &[running("low", 1, 500, 0)])];
    let mut snapshot = Snapshot::of(&nodes);
    let claim = Arc::new(pod("first", 9, 600).claim());
    snapshot.reserved.insert(0, vec![crate::snapshot::Reserved { uid: "first".into(), claim }]);
    let text = chosen(&pod("new", 9, 600), &snapshot).unwrap_err();
    assert!(text.contains("1 Insufficient cpu"), "{text}");
    expect(&pod("new", 9, 400), &snapshot, "n", &["low"]);
}

fn drawn() -> impl Strategy<Value = (Vec<Node>, Pod)> {
    let other = (0..4_i32, 1..6_i64, 0..4_i64, 0..3_usize);
    let nodes = prop::collection::vec(prop::collection::vec(other, 0..8), 1..5);
    (nodes, 0..5_i32, 1..9_i64, any::<bool>()).prop_map(|(nodes, priority, cpu, shy)| {
        let apps = ["a", "b", "c"];
        let made = nodes.into_iter().enumerate().map(|(index, pods)| {
            let mut node =
                Node::new(&format!("n{index}"), [(Cpu, 1_000)]).label("zone", if index < 2 { "x" } else { "y" });
            for (number, (priority, cpu, since, app)) in pods.into_iter().enumerate() {
                node.add(&running(apps[app], priority, 100 * cpu, since).uid(&format!("{index}-{number}")));
            }
            node
        });
        let new = pod("new", priority, 100 * cpu);
        let new = if shy { new.apart_from(PodTerm::label("shop", "app", "a", "zone")) } else { new };
        (made.collect(), new)
    })
}

proptest! {
    #[test]
    fn the_pod_fits_once_the_victims_are_gone_and_not_while_one_stays((nodes, new) in drawn(), seed: u64) {
        let budgets: Budgets = [budget("b", 1)].into();
        let snapshot = Snapshot::of(&nodes).allowing(&budgets);
        let cycle = Cycle::new(&new, &snapshot);
        prop_assume!((0..nodes.len()).all(|index| !failures_at(&cycle, index).is_empty()));
        if let Ok(found) = preempt(&cycle, seed) {
            prop_assert!(!found.victims.is_empty());
            let fits_without = |gone: &[Victim]| {
                let mut after = nodes.clone();
                gone.iter().for_each(|victim| _ = after[found.node].remove(&victim.uid));
                let snapshot = Snapshot::of(&after);
                failures(&Cycle::new(&new, &snapshot), &after[found.node]).is_empty()
            };
            prop_assert!(fits_without(&found.victims));
            for (index, victim) in found.victims.iter().enumerate() {
                prop_assert!(victim.priority < new.priority);
                let mut others = found.victims.clone();
                others.remove(index);
                prop_assert!(!fits_without(&others), "{} could stay", victim.key);
            }
        }
    }
}
