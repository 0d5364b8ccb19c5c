//! The gate against every way to take too much at once.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)]
use super::*;
use keelson_core::id::IdSource;

struct Ids;
impl IdSource for Ids {
    fn random(&self) -> [u8; 16] {
        [7; 16]
    }
}

/// `count` ready pods of one workload on one node.
fn pods(workload: &str, node: &str, count: usize) -> Vec<PodView> {
    let view = |n: usize| {
        let name = format!("{workload}-{n}");
        PodView {
            pod: ObjectRef::namespaced("Pod", "shop", &name).with_uid(&name),
            workload: workload.into(),
            node: node.into(),
            zone: "z".into(),
            ready: true,
            protected: None,
        }
    };
    (0..count).map(view).collect()
}

fn bid(pod: &PodView, saving: i64, at: Timestamp) -> Bid {
    Bid { feature: Feature::Scheduling, decision: Ids.decision_id(at), pod: pod.pod.clone(), saving, makes_room: false }
}

fn at(seconds: i64) -> Timestamp {
    Timestamp(0) + Span::seconds(seconds)
}

fn why(verdict: Verdict) -> String {
    match verdict {
        Verdict::Granted => "granted".into(),
        Verdict::Held { why, .. } => why,
    }
}

/// A cluster large enough that only the scope under test is near its limit.
fn crowd() -> Vec<PodView> {
    (0..50).flat_map(|n| pods(&format!("other-{n}"), &format!("n{n}"), 10)).collect()
}

#[test]
fn room_for_others_is_made_by_one_decision_at_a_time_and_whoever_waits_for_a_node_is_not_counted() {
    let mut all = crowd();
    all.extend(pods("cart", "a", 3));
    all.extend(pods("waits", "", 100).into_iter().map(|view| PodView { ready: false, zone: String::new(), ..view }));
    let room = |pod: &PodView, at| Bid { makes_room: true, ..bid(pod, 0, at) };
    let mut gate = Gate::default();
    let held = why(gate.ask(&bid(&all[500], 0, at(0)), &all, at(0)));
    assert_eq!(held, "cluster: 100 of 603 pods unavailable, at most 60 may be");
    assert_eq!(gate.ask(&room(&all[500], at(0)), &all, at(0)), Verdict::Granted);
    assert_eq!(gate.ask(&room(&all[501], at(0)), &all, at(0)), Verdict::Granted, "the same decision");
    let held = why(gate.ask(&room(&all[502], at(1)), &all, at(1)));
    assert_eq!(held, "cart was disrupted by scheduling; it rests for 59 s");
}

#[test]
fn one_pod_of_a_small_workload_and_then_no_more() {
    let mut all = crowd();
    all.extend(pods("cart", "a", 3));
    let (first, second) = (all[500].clone(), all[501].clone());
    let mut gate = Gate::default();
    assert_eq!(gate.ask(&bid(&first, 0, at(0)), &all, at(0)), Verdict::Granted);
    let verdict = gate.ask(&bid(&second, 0, at(1)), &all, at(1));
    let Verdict::Held { why, waits_for } = verdict else { panic!("{verdict:?}") };
    assert_eq!(why, "cart was disrupted by scheduling; it rests for 59 s");
    assert_eq!(waits_for, [Ids.decision_id(at(0))], "it is recorded who it waits for");
}

#[test]
fn what_is_unavailable_for_other_reasons_counts() {
    let mut all = crowd();
    all.extend(pods("cart", "a", 10));
    all[500].ready = false;
    let wish = bid(&all[501], 0, at(0));
    assert_eq!(
        why(Gate::default().ask(&wish, &all, at(0))),
        "workload cart: 1 of 10 pods unavailable, at most 1 may be"
    );
}

#[test]
fn a_grant_counts_before_the_watch_shows_it() {
    let mut all = crowd();
    all.extend(pods("cart", "a", 2));
    all.extend(pods("cart2", "a", 2));
    let mut gate = Gate::default();
    assert_eq!(gate.ask(&bid(&all[500], 0, at(0)), &all, at(0)), Verdict::Granted);
    let verdict = gate.ask(&bid(&all[502], 0, at(1)), &all, at(1));
    assert_eq!(why(verdict), "node a: 1 of 4 pods unavailable, at most 1 may be");
}

#[test]
fn do_not_disrupt_is_honoured_and_the_unready_fill_no_scope() {
    let mut all = pods("cart", "a", 3);
    all[0].protected = Some("keelson.dev/do-not-disrupt".into());
    all[1].ready = false;
    all[2].ready = false;
    let mut gate = Gate::default();
    let verdict = gate.ask(&bid(&all[0], 0, at(0)), &all, at(0));
    assert_eq!(why(verdict), "Pod shop/cart-0 is marked keelson.dev/do-not-disrupt");
    assert_eq!(
        gate.ask(&bid(&all[1], 0, at(0)), &all, at(0)),
        Verdict::Granted,
        "although no pod may be away any more"
    );
}

#[test]
fn what_makes_up_for_a_pod_that_was_taken_is_not_taken_before_it_can_become_ready() {
    let mut all = pods("cart", "a", 3);
    let mut gate = Gate::default();
    assert_eq!(gate.ask(&bid(&all[0], 0, at(0)), &all, at(0)), Verdict::Granted);
    all[0] = PodView { pod: all[0].pod.clone().with_uid("new"), ready: false, ..all[0].clone() };
    let verdict = gate.ask(&bid(&all[0], 0, at(10)), &all, at(10));
    assert_eq!(why(verdict), "cart was disrupted by scheduling; it rests for 50 s");
    assert_eq!(gate.ask(&bid(&all[0], 0, at(61)), &all, at(61)), Verdict::Granted);
}

#[test]
fn a_larger_saving_that_waits_is_not_overtaken() {
    let mut all = crowd();
    all.extend(pods("cart", "a", 10));
    all[505].ready = false;
    let mut gate = Gate::default();
    assert_ne!(gate.ask(&bid(&all[500], 90, at(0)), &all, at(0)), Verdict::Granted, "the scope is full");
    all[505].ready = true;
    let small = gate.ask(&bid(&all[501], 10, at(5)), &all, at(5));
    assert_eq!(why(small), "workload cart: Pod shop/cart-0 of scheduling waits and saves more");
    assert_eq!(gate.ask(&bid(&all[500], 90, at(6)), &all, at(6)), Verdict::Granted);
    assert_ne!(gate.ask(&bid(&all[501], 10, at(7)), &all, at(7)), Verdict::Granted);
}

#[test]
fn an_hour_has_its_limit() {
    let all: Vec<_> = (0..40).flat_map(|n| pods(&format!("w{n}"), &format!("n{n}"), 1)).collect();
    let mut gate = Gate::default();
    let granted = (0..40).filter(|n| gate.ask(&bid(&all[*n], 0, at(0)), &all, at(61 * *n as i64)) == Verdict::Granted);
    assert_eq!(granted.count(), 12, "30 % of 40");
}

#[test]
fn a_workload_that_does_not_come_back_was_harmed() {
    let mut all = crowd();
    all.extend(pods("cart", "a", 3));
    let mut gate = Gate::default();
    assert_eq!(gate.ask(&bid(&all[500], 0, at(0)), &all, at(0)), Verdict::Granted);
    all[500].ready = false;
    assert_eq!((gate.settled(&all, at(299)), gate.has_unsettled(at(299))), (vec![], false));
    assert!(gate.has_unsettled(at(300)));
    let left = gate.settled(&all, at(300));
    assert_eq!(left, [Settled { feature: Feature::Scheduling, workload: "cart".into(), harmed: true }]);
    assert_eq!((gate.settled(&all, at(301)), gate.has_unsettled(at(301))), (vec![], false), "told once");
}

#[test]
fn a_workload_that_is_as_ready_as_before_or_smaller_was_not_harmed() {
    let mut before = crowd();
    before.extend(pods("cart", "a", 3));
    let mut as_ready = before.clone();
    as_ready.extend(pods("cart", "b", 4).split_off(3));
    as_ready[503].ready = false;
    let mut smaller = before.clone();
    smaller.pop();
    for after in [as_ready, smaller] {
        let mut gate = Gate::default();
        assert_eq!(gate.ask(&bid(&before[500], 0, at(0)), &before, at(0)), Verdict::Granted);
        assert!(gate.settled(&after, at(300)).iter().all(|left| !left.harmed));
    }
}

#[test]
fn a_workload_rests_for_a_minute_and_no_longer() {
    let mut all = crowd();
    all.extend(pods("cart", "a", 3));
    let mut gate = Gate::default();
    assert_eq!(gate.ask(&bid(&all[500], 0, at(0)), &all, at(0)), Verdict::Granted);
    let verdict = gate.ask(&bid(&all[501], 0, at(59)), &all, at(59));
    assert_eq!(why(verdict), "cart was disrupted by scheduling; it rests for 1 s");
    assert_eq!(gate.ask(&bid(&all[501], 0, at(60)), &all, at(60)), Verdict::Granted);
}

#[test]
fn a_grant_that_the_pods_show_counts_once_and_one_that_they_never_show_for_a_minute() {
    let mut all = crowd();
    all.extend((0..20).flat_map(|n| pods(&format!("w{n}"), "a", 1)));
    let ask = |gate: &mut Gate, all: &[PodView], n: usize, now| why(gate.ask(&bid(&all[n], 0, at(now)), all, at(now)));
    let full = "node a: 2 of 20 pods unavailable, at most 2 may be";
    let mut gate = Gate::default();
    assert_eq!(ask(&mut gate, &all, 500, 0), "granted");
    all[500].ready = false;
    assert_eq!(ask(&mut gate, &all, 501, 1), "granted", "one of two");
    assert_eq!(ask(&mut gate, &all, 502, 2), full);
    all[500].ready = true;
    assert_eq!(ask(&mut gate, &all, 502, 59), full);
    assert_eq!(ask(&mut gate, &all, 502, 60), "granted", "the first has not gone for a minute, and will not");
}

#[test]
fn zones_and_the_cluster_are_scopes_and_an_unknown_place_is_none() {
    // Ten pods of ten workloads: a zone of five may lose one of them, and so may the cluster.
    let mut all: Vec<_> = (0..10).flat_map(|n| pods(&format!("w{n}"), &format!("n{n}"), 1)).collect();
    all.iter_mut().skip(5).for_each(|pod| pod.zone = "y".into());
    let verdict = |all: &[PodView], n: usize| why(Gate::default().ask(&bid(&all[n], 0, at(0)), all, at(0)));
    all[0].ready = false;
    assert_eq!(verdict(&all, 1), "zone z: 1 of 5 pods unavailable, at most 1 may be");
    assert_eq!(verdict(&all, 5), "cluster: 1 of 10 pods unavailable, at most 1 may be");
    all.extend(crowd());
    for pod in &mut all {
        pod.node.clear();
        pod.zone.clear();
    }
    assert_eq!(verdict(&all, 1), "granted", "pods that have no node yet are on none together");
}

#[test]
fn a_grant_that_came_to_nothing_is_given_back() {
    let mut all = crowd();
    all.extend(pods("cart", "a", 3));
    let mut gate = Gate::default();
    assert_eq!(gate.ask(&bid(&all[500], 0, at(0)), &all, at(0)), Verdict::Granted);
    gate.release(&all[501].pod);
    assert_ne!(gate.ask(&bid(&all[501], 0, at(1)), &all, at(1)), Verdict::Granted, "another's is not");
    gate.release(&all[500].pod);
    assert_eq!(gate.ask(&bid(&all[501], 0, at(2)), &all, at(2)), Verdict::Granted);
}

#[test]
fn an_hour_is_forgotten_when_it_is_over() {
    let all: Vec<_> = (0..40).flat_map(|n| pods(&format!("w{n}"), &format!("n{n}"), 1)).collect();
    let mut gate = Gate::default();
    for n in 0..12 {
        assert_eq!(gate.ask(&bid(&all[n], 0, at(0)), &all, at(61 * n as i64)), Verdict::Granted);
    }
    let last = |gate: &mut Gate, now| why(gate.ask(&bid(&all[12], 0, at(now)), &all, at(now)));
    assert_eq!(last(&mut gate, 3_599), "12 pods disrupted within the hour, at most 12 may be");
    assert_eq!(last(&mut gate, 3_600), "granted");
}

#[test]
fn who_waits_keeps_its_place_for_a_minute_before_smaller_savings_and_no_others() {
    let full = || {
        let mut all = crowd();
        all.extend(pods("cart", "a", 10));
        all[505].ready = false;
        all
    };
    // The first waits from the beginning, and asks again; then the place is free.
    let waiting = |saving| {
        let (mut gate, mut all) = (Gate::default(), full());
        for now in [0, 50] {
            assert_ne!(gate.ask(&bid(&all[500], saving, at(now)), &all, at(now)), Verdict::Granted);
        }
        all[505].ready = true;
        (gate, all)
    };
    for (saving, pod, asks, now, granted) in [
        (90, 501, 90, 55, true),
        (90, 501, 89, 59, false),
        (90, 501, 89, 60, true),
        (90, 500, 10, 55, true),
        (10, 501, 90, 55, true),
    ] {
        let (mut gate, all) = waiting(saving);
        let verdict = gate.ask(&bid(&all[pod], asks, at(now)), &all, at(now));
        assert_eq!(verdict == Verdict::Granted, granted, "{pod} asks for {asks} at {now}: {verdict:?}");
    }
}
