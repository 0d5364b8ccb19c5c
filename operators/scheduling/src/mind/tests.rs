//! The scheduler as a whole, without a world around it.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod layouts;
mod preempt;
mod sending;

use std::collections::BTreeSet;

use keelson_core::{PlanId, Reason, Span};
use serde_json::{Value, json};

use super::*;
use crate::decide::tests::{node, pod};

pub(super) fn standing(mode: Mode) -> Standing {
    let settings = Settings::new("keelson", mode);
    let backoff = Backoff { initial: Span::seconds(1), max: Span::seconds(10) };
    Standing {
        settings,
        backoff,
        group_wait: Span::ZERO,
        leading: true,
        held: false,
        moved_by: None,
        stands_back: None,
    }
}

pub(super) fn at(seconds: i64) -> Timestamp {
    Timestamp(seconds * 1_000_000)
}

pub(super) fn moment(seconds: i64) -> Moment {
    let id: DecisionId = format!("00000000-0000-7000-8000-{seconds:012}").parse().unwrap();
    Moment { decision: id, plan: PlanId(id.0), now: at(seconds) }
}

pub(super) fn written(value: &Value) -> Arc<Pod> {
    Arc::new(serde_json::from_value(value.clone()).unwrap())
}

pub(super) fn mind(mode: Mode, nodes: &[Value], pods: &[Value]) -> Mind {
    let mut mind = Mind::new(standing(mode));
    let nodes: Vec<_> = nodes.iter().map(|node| Arc::new(serde_json::from_value(node.clone()).unwrap())).collect();
    mind.nodes(nodes, at(0));
    mind.pods(pods.iter().map(written), at(0));
    mind
}

pub(super) fn reason(job: &Job) -> Reason {
    job.plan.decisions[0].reason
}

pub(super) fn bound(mut value: Value, node: &str) -> Value {
    value["spec"]["nodeName"] = json!(node);
    value["status"] = json!({"phase": "Pending"});
    value
}

#[test]
fn a_burst_is_placed_one_by_one_and_never_over_capacity() {
    let pods: Vec<_> = (0..5).map(|i| pod(&format!("p{i}"), "500m")).collect();
    let mut mind = mind(Mode::Enforce, &[node("n1", 1_000), node("n2", 1_000)], &pods);
    let jobs: Vec<_> = std::iter::from_fn(|| mind.next(moment(1))).collect();
    // Nothing was confirmed by the watch yet: the assumed pods alone keep the fifth away.
    assert_eq!(jobs.iter().filter(|job| job.binds()).count(), 4);
    assert_eq!(jobs.iter().filter(|job| reason(job) == Reason::Unschedulable).count(), 1);
    assert!(jobs.iter().all(|job| !job.binds() || job.recording.is_some()));
}

#[test]
fn the_short_way_says_what_the_long_way_says() {
    let pods: Vec<_> = (0..7).map(|i| pod(&format!("p{i}"), "300m")).collect();
    let mut nodes: Vec<_> = (0..5).map(|i| node(&format!("n{i}"), 500 + 100 * i)).collect();
    nodes[4]["spec"] = json!({"taints": [{"key": "k", "effect": "PreferNoSchedule"}]});
    let mut mind = mind(Mode::Enforce, &nodes, &pods);
    let jobs: Vec<_> = std::iter::from_fn(|| mind.next(moment(1))).collect();
    assert_eq!(jobs.iter().filter(|job| job.binds()).count(), 7);
    for job in &jobs {
        // A replay always goes the long way.
        let again = crate::recording::replay(job.recording.as_ref().unwrap(), None).unwrap();
        assert_eq!(serde_json::to_string(&again).unwrap(), serde_json::to_string(&job.plan).unwrap());
    }
}

#[test]
fn who_waits_on_is_told_the_same_and_it_is_one_row() {
    let nodes = ["n0", "n1", "n2", "n3", "n4"].map(|name| node(name, 600));
    let mut mind = mind(Mode::Enforce, &nodes, &[pod("a", "900m")]);
    let first = mind.next(moment(1)).unwrap().plan.decisions.remove(0);
    assert!(first.sentence.contains("it would fit on"), "{}", first.sentence);
    for minute in 1..10 {
        // Something changed that helps nobody, so it is found out anew.
        let mut labelled = nodes[0].clone();
        labelled["metadata"]["labels"]["minute"] = json!(minute.to_string());
        mind.node(&serde_json::from_value(labelled).unwrap(), at(60 * minute));
        mind.configure(Standing { held: true, ..standing(Mode::Enforce) }, at(60 * minute));
        mind.configure(standing(Mode::Enforce), at(60 * minute));
        let again = mind.next(moment(60 * minute)).unwrap().plan.decisions.remove(0);
        assert!(first.is_repeated_by(&again), "{} / {}", first.sentence, again.sentence);
    }
}

#[test]
fn like_pods_without_a_node_are_told_the_same_until_something_changes() {
    let mut pods: Vec<_> = (0..6).map(|i| pod(&format!("p{i}"), "900m")).collect();
    pods.iter_mut().for_each(|pod| pod["metadata"]["labels"] = json!({"app": "web"}));
    pods[5]["spec"]["priority"] = json!(7);
    let mut mind = mind(Mode::Enforce, &["n0", "n1", "n2", "n3"].map(|name| node(name, 600)), &pods);
    mind.node_gone("n0", at(0));
    let jobs: Vec<_> = std::iter::from_fn(|| mind.next(moment(1))).collect();
    assert!(jobs.len() == 6 && jobs.iter().all(|job| reason(job) == Reason::Unschedulable));
    assert_eq!(mind.alike.len(), 2, "the urgent one might evict, and is looked at by itself");
    let told: BTreeSet<_> =
        jobs[1..].iter().map(|job| job.plan.decisions[0].candidates.clone()).map(|rows| format!("{rows:?}")).collect();
    assert_eq!(told.len(), 1);
    for job in &jobs {
        // A replay finds it out by itself.
        let again = crate::recording::replay(job.recording.as_ref().unwrap(), None).unwrap();
        assert_eq!(serde_json::to_string(&again).unwrap(), serde_json::to_string(&job.plan).unwrap());
    }
    mind.node(&Arc::new(serde_json::from_value(node("n3", 1_000)).unwrap()), at(20));
    let placed: Vec<_> = std::iter::from_fn(|| mind.next(moment(40))).map(|job| reason(&job)).collect();
    assert_eq!(placed.iter().filter(|reason| **reason == Reason::OnlyFeasibleNode).count(), 1, "{placed:?}");
    assert_eq!(placed.iter().filter(|reason| **reason == Reason::Unschedulable).count(), 5, "{placed:?}");
}

#[test]
fn who_waits_and_who_is_refused_is_as_it_is_now() {
    let mut refused = pod("claims", "100m");
    refused["spec"]["resourceClaims"] = json!([{"name": "gpu", "resourceClaimName": "gpu"}]);
    let pods = [pod("fits", "100m"), pod("large", "9"), refused];
    let mut mind = mind(Mode::Enforce, &[node("n1", 1_000)], &pods);
    assert_eq!((mind.pods_of_ours(), mind.refused()), (3, 0));
    while mind.next(moment(1)).is_some() {}
    assert_eq!((mind.pods_of_ours(), mind.refused()), (3, 1));
    assert_eq!(mind.waiting_by_namespace().values().copied().collect::<Vec<_>>(), [(3, 1)], "all in one namespace");
    mind.pod(&written(&bound(pod("fits", "100m"), "n1")), at(2));
    assert_eq!((mind.pods_of_ours(), mind.refused()), (2, 1), "a pod that has a node does not wait");
    mind.pod_gone(&written(&pods[2]), at(3));
    assert_eq!((mind.pods_of_ours(), mind.refused()), (1, 0));
}

#[test]
fn a_failed_binding_gives_the_room_back_and_is_tried_again() {
    let mut mind = mind(Mode::Enforce, &[node("n1", 500)], &[pod("a", "500m")]);
    let job = mind.next(moment(1)).unwrap();
    mind.pod(&written(&pod("b", "500m")), at(1));
    assert_eq!(reason(&mind.next(moment(1)).unwrap()), Reason::Unschedulable);
    mind.ended(&job.uid, false, at(1));
    // b's wait ends, because room was given back; a backs off after its error.
    let next = mind.next(moment(3)).unwrap();
    assert!(next.binds());
    assert_eq!(mind.counts().in_flight, 1);
}

#[test]
fn the_watch_confirms_and_a_bound_pod_is_not_decided_again() {
    let mut mind = mind(Mode::Enforce, &[node("n1", 1_000)], &[pod("a", "500m")]);
    let job = mind.next(moment(1)).unwrap();
    mind.pod(&written(&bound(pod("a", "500m"), "n1")), at(1));
    mind.ended(&job.uid, true, at(1));
    assert_eq!((mind.next(moment(400)), mind.counts()), (None, Counts::default()));
    // Also when the list is read again, as after a restart.
    let mut again = super::tests::mind(Mode::Enforce, &[node("n1", 1_000)], &[bound(pod("a", "500m"), "n1")]);
    assert_eq!(again.next(moment(1)), None);
}

#[test]
fn a_binding_that_is_reported_lost_but_was_made_is_not_made_twice() {
    let mut mind = mind(Mode::Enforce, &[node("n1", 1_000)], &[pod("a", "500m")]);
    let job = mind.next(moment(1)).unwrap();
    mind.pod(&written(&bound(pod("a", "500m"), "n1")), at(1));
    mind.ended(&job.uid, false, at(1));
    assert_eq!(mind.view().member("n1").unwrap().node.pod_count(), 1);
    assert_eq!(mind.next(moment(400)), None);
}

#[test]
fn our_own_words_in_its_status_do_not_wake_a_pod() {
    let mut mind = mind(Mode::Enforce, &[node("n1", 100)], &[pod("a", "500m")]);
    assert_eq!(reason(&mind.next(moment(1)).unwrap()), Reason::Unschedulable);
    let mut told = pod("a", "500m");
    told["status"] = json!({"conditions": [{"type": "PodScheduled", "status": "False"}]});
    mind.pod(&written(&told), at(2));
    assert_eq!(mind.next(moment(20)), None);
    mind.node(&serde_json::from_value(node("n1", 900)).unwrap(), at(21));
    assert!(mind.next(moment(22)).unwrap().binds());
}

#[test]
fn observe_holds_our_pods_back_and_enforce_places_them_at_once() {
    let mut mind = mind(Mode::Observe, &[node("n1", 1_000)], &[pod("a", "500m")]);
    let job = mind.next(moment(1)).unwrap();
    assert_eq!((reason(&job), job.binds(), job.plan.actions.len()), (Reason::SchedulerNotEnforcing, false, 0));
    assert_eq!(job.plan.decisions[0].chosen.as_deref(), Some("n1"), "it says where the pod would be");
    mind.configure(standing(Mode::Enforce), at(3));
    assert!(mind.next(moment(3)).unwrap().binds());
    assert_eq!(mind.books().last("shop", "a").unwrap().reason, Reason::OnlyFeasibleNode);
}

#[test]
fn a_pod_can_lower_the_mode_for_itself() {
    let mut careful = pod("a", "500m");
    careful["metadata"]["annotations"] = json!({"keelson.dev/mode": "Observe"});
    let mut mind = mind(Mode::Enforce, &[node("n1", 1_000)], &[careful]);
    let job = mind.next(moment(1)).unwrap();
    assert_eq!((reason(&job), job.binds()), (Reason::SchedulerNotEnforcing, false));
    mind.pod(&written(&pod("a", "500m")), at(2));
    assert!(mind.next(moment(3)).unwrap().binds(), "as soon as the annotation is gone");
}

#[test]
fn off_and_another_leader_decide_nothing_and_forget_what_was_not_carried_out() {
    let off = standing(Mode::Off);
    let follower = Standing { leading: false, ..standing(Mode::Enforce) };
    for quiet in [off, follower] {
        let mut mind = mind(Mode::Enforce, &[node("n1", 1_000)], &[pod("a", "500m"), pod("b", "5")]);
        let on_n1 = |mind: &Mind| mind.view().member("n1").unwrap().node.pod_count();
        let job = mind.next(moment(1)).unwrap();
        mind.configure(quiet, at(2));
        assert_eq!((mind.next(moment(2)), on_n1(&mind)), (None, 1), "it may be there by now");
        mind.ended(&job.uid, false, at(3));
        assert_eq!((mind.next(moment(3)), on_n1(&mind)), (None, 0));
        mind.configure(standing(Mode::Enforce), at(4));
        assert!(mind.next(moment(4)).is_some(), "the caches were followed all the time");
    }
}

#[test]
fn a_pod_that_was_bound_before_the_cluster_was_set_back_waits_again() {
    let mut mind = mind(Mode::Enforce, &[node("n1", 1_000)], &[pod("a", "500m")]);
    let job = mind.next(moment(1)).unwrap();
    mind.ended(&job.uid, true, at(1));
    assert_eq!((mind.measured(at(600)), mind.next(moment(600))), (Vec::new(), None), "the watch may be behind");
    assert_eq!(mind.measured(at(601)).len(), 1, "it does not run");
    assert!(mind.next(moment(601)).unwrap().binds());
}

#[test]
fn in_enforce_the_choices_of_others_are_compared_and_ours_are_not() {
    let mut foreign = pod("a", "500m");
    foreign["spec"]["schedulerName"] = json!("default-scheduler");
    let ours = pod("b", "500m");
    let mut mind = mind(Mode::Enforce, &[node("n1", 8_000)], &[foreign.clone(), ours.clone()]);
    mind.pod(&written(&bound(foreign, "n1")), at(2));
    mind.pod(&written(&bound(ours, "n1")), at(2));
    let job = mind.next_comparison(moment(3)).unwrap();
    assert_eq!((reason(&job), job.waited), (Reason::SameChoice, Span::seconds(1)));
    assert_eq!(mind.next_comparison(moment(4)), None);
}

#[test]
fn how_long_a_pod_waited_is_told_from_the_change_that_could_help_it() {
    let mut mind = mind(Mode::Enforce, &[node("n1", 100)], &[pod("a", "500m")]);
    assert_eq!(mind.next(moment(3)).unwrap().waited, Span::seconds(3));
    mind.node(&serde_json::from_value(node("n2", 900)).unwrap(), at(20));
    assert_eq!(mind.next(moment(21)).unwrap().waited, Span::seconds(1), "not since it was made");
}

#[test]
fn in_observe_the_choices_of_others_are_compared_once() {
    let mut foreign = pod("a", "500m");
    foreign["spec"]["schedulerName"] = json!("default-scheduler");
    let mut mind = mind(Mode::Observe, &[node("n1", 1_000), node("n2", 8_000)], &[foreign.clone()]);
    assert_eq!((mind.next(moment(1)), mind.next_comparison(moment(1))), (None, None));
    mind.pod(&written(&bound(foreign.clone(), "n1")), at(2));
    let decision = mind.next_comparison(moment(2)).unwrap().plan.decisions.remove(0);
    assert_eq!((decision.reason, decision.chosen.as_deref()), (Reason::OtherChoice, Some("n2")));
    mind.pod(&written(&bound(foreign, "n1")), at(3));
    assert_eq!(mind.next_comparison(moment(3)), None);
    let mut claimed = pod("b", "500m");
    claimed["spec"]["schedulerName"] = json!("default-scheduler");
    claimed["spec"]["resourceClaims"] = json!([{"name": "gpu", "resourceClaimName": "gpu"}]);
    mind.pod(&written(&claimed), at(3));
    mind.pod(&written(&bound(claimed, "n1")), at(3));
    assert_eq!(reason(&mind.next_comparison(moment(4)).unwrap()), Reason::UnsupportedFeature);
}

#[test]
fn an_effect_is_measured_also_after_a_restart() {
    let mut early = bound(pod("a", "500m"), "n1");
    early["metadata"]["annotations"] = json!({"keelson.dev/decision": "00000000-2710-7000-8000-000000000007"});
    let mut mind = mind(Mode::Enforce, &[node("n1", 1_000)], &[early.clone()]);
    early["status"]["phase"] = json!("Running");
    mind.pod(&written(&early), at(12));
    let measured = mind.measured(at(12));
    assert_eq!(measured[0].0.to_string(), "00000000-2710-7000-8000-000000000007");
    assert_eq!(
        (measured[0].1.sentence.as_str(), measured[0].1.as_predicted),
        ("Running after 2 s. Told from requests only: metrics.k8s.io was not asked yet.", Some(true))
    );
}

#[test]
fn a_refusal_is_said_again_until_the_pod_says_it_and_then_no_more() {
    let mut refused = pod("claims", "100m");
    refused["spec"]["resourceClaims"] = json!([{"name": "gpu", "resourceClaimName": "gpu"}]);
    let mut mind = mind(Mode::Enforce, &[node("n1", 1_000)], &[refused.clone()]);
    let first = mind.next(moment(1)).unwrap();
    let again = mind.next(moment(340)).expect("the words may not have arrived");
    assert_eq!((reason(&first), again.plan.actions.len()), (reason(&again), first.plan.actions.len()));
    let ActionKind::ApplyStatus(status) = &again.plan.actions[1].kind else { panic!("{again:?}") };
    refused["status"] = status["status"].clone();
    mind.pod(&written(&refused), at(341));
    assert!(mind.next(moment(680)).unwrap().plan.actions.is_empty());
    assert_eq!((mind.next(moment(100_000)), mind.due()), (None, None));
}

#[test]
fn a_verdict_that_the_pod_already_says_is_recorded_without_actions() {
    let large = pod("a", "64");
    let mut mind = mind(Mode::Enforce, &[node("n1", 1_000)], std::slice::from_ref(&large));
    let first = mind.next(moment(1)).unwrap().plan;
    let status = first.actions.iter().find_map(|action| match &action.kind {
        ActionKind::ApplyStatus(status) => Some(status.clone()),
        _ => None,
    });
    let mut told = large;
    told["status"] = status.unwrap()["status"].clone();
    mind.pod(&written(&told), at(2));
    // The queue asks again after five minutes at the latest.
    let again = mind.next(moment(400)).unwrap();
    assert_eq!((again.plan.decisions.len(), again.plan.actions.len()), (1, 0), "{again:#?}");
}

#[test]
fn a_pod_that_was_bound_and_is_not_seen_bound_yet_is_not_bound_again() {
    let mut mind = mind(Mode::Enforce, &[node("n1", 1_000)], &[pod("a", "500m")]);
    let job = mind.next(moment(1)).unwrap();
    mind.ended(&job.uid, true, at(1));
    // A change of settings tries everything again, and so does a label that somebody put on the pod meanwhile.
    mind.configure(Standing { held: true, ..standing(Mode::Enforce) }, at(2));
    mind.configure(standing(Mode::Enforce), at(3));
    let mut labelled = pod("a", "500m");
    labelled["metadata"]["labels"] = json!({"seen": "late"});
    mind.pod(&written(&labelled), at(3));
    assert_eq!(mind.next(moment(4)), None);
    assert_eq!(mind.view().member("n1").unwrap().node.pod_count(), 1, "its room stays taken");
}

#[test]
fn a_pod_whose_decision_panics_is_told_backs_off_and_stops_nobody() {
    let mut mind = mind(Mode::Enforce, &[node("n1", 1_000)], &[pod("a", "100m"), pod("b", "100m")]);
    mind.poison = Some("a".into());
    let jobs: Vec<_> = std::iter::from_fn(|| mind.next(moment(1))).collect();
    let said: Vec<_> = jobs.iter().map(|job| (job.plan.decisions[0].subject.name.as_str(), reason(job))).collect();
    assert_eq!(said, [("a", Reason::Panicked), ("b", Reason::OnlyFeasibleNode)]);
    assert!(jobs[0].plan.actions.is_empty());
    assert_eq!(mind.counts().backing_off, 1);
    mind.poison = None;
    assert!(mind.next(moment(10)).unwrap().binds());
}

#[test]
fn what_a_pod_waited_for_is_the_cause_of_its_placement() {
    let mut mind = mind(Mode::Enforce, &[node("n1", 100)], &[pod("a", "500m")]);
    let waits = mind.next(moment(1)).unwrap().plan.decisions.remove(0);
    assert!(waits.causes.is_empty());
    mind.node(&serde_json::from_value(node("n2", 1_000)).unwrap(), at(20));
    let placed = mind.next(moment(21)).unwrap().plan.decisions.remove(0);
    assert_eq!((placed.causes, placed.cause_count), (vec![waits.id], 1));
}

#[test]
fn the_switch_to_enforce_is_a_cause_of_what_it_lets_through() {
    let mut mind = mind(Mode::Observe, &[node("n1", 1_000)], &[pod("a", "500m")]);
    let held = mind.next(moment(1)).unwrap().plan.decisions.remove(0);
    assert_eq!(held.reason, Reason::SchedulerNotEnforcing);
    let switch = moment(5).decision;
    mind.configure(Standing { moved_by: Some(switch), ..standing(Mode::Enforce) }, at(5));
    let placed = mind.next(moment(6)).unwrap().plan.decisions.remove(0);
    assert_eq!(placed.causes, [held.id, switch]);
}

#[test]
fn what_leads_to_actions_is_recorded_also_when_nothing_is_placed() {
    let mut mind = mind(Mode::Enforce, &[node("n1", 100)], &[pod("a", "500m")]);
    let job = mind.next(moment(1)).unwrap();
    let again = crate::recording::replay(job.recording.as_ref().unwrap(), None).unwrap();
    assert_eq!(serde_json::to_string(&again).unwrap(), serde_json::to_string(&job.plan).unwrap());
}

#[test]
fn what_comes_of_a_placement_while_nobody_leads_is_told_by_who_made_it_once_it_leads_again() {
    let cart = pod("cart", "500m");
    let mut mind = mind(Mode::Enforce, &[node("n1", 1_000)], std::slice::from_ref(&cart));
    let job = mind.next(moment(1)).unwrap();
    mind.ended(&job.uid, true, at(2));
    mind.pod(&written(&bound(cart.clone(), "n1")), at(2));
    mind.configure(Standing { leading: false, ..standing(Mode::Enforce) }, at(3));
    let mut runs = bound(cart, "n1");
    runs["status"]["phase"] = json!("Running");
    mind.pod(&written(&runs), at(4));
    assert_eq!(mind.measured(at(4)), [], "only who leads tells");
    mind.configure(standing(Mode::Enforce), at(9));
    let told = |mind: &mut Mind, now| {
        let told = mind.measured(now).into_iter().map(|(decision, effect)| (decision, effect.as_predicted));
        told.collect::<Vec<_>>()
    };
    let decision = job.plan.decisions[0].id;
    assert_eq!(told(&mut mind, at(9)), [(decision, Some(true))]);
    let mut refused = runs;
    refused["status"] = json!({"phase": "Failed", "reason": "NodePorts", "message": "no free ports"});
    mind.pod(&written(&refused), at(10));
    assert_eq!(told(&mut mind, at(10)), [(decision, Some(false))]);
}

#[test]
fn a_standby_tells_what_comes_of_placements_of_the_leader_before_it() {
    let (cart, shop) = (pod("cart", "500m"), pod("shop", "100m"));
    let follower = Standing { leading: false, ..standing(Mode::Enforce) };
    let mut mind = Mind::new(follower);
    mind.nodes([Arc::new(serde_json::from_value(node("n1", 1_000)).unwrap())], at(0));
    mind.pods([&cart, &shop].map(written), at(0));
    let placed = |pod: &Value, seconds: i64, phase: &str| {
        let mut value = bound(pod.clone(), "n1");
        let id = format!("{:08x}-{:04x}-7000-8000-000000000007", (seconds * 1_000) >> 16, (seconds * 1_000) & 0xffff);
        value["metadata"]["annotations"] = json!({"keelson.dev/decision": id});
        value["status"]["phase"] = json!(phase);
        written(&value)
    };
    mind.pod(&placed(&cart, 10, "Pending"), at(10));
    mind.pod(&placed(&shop, 11, "Pending"), at(11));
    // The leader tells of the first, and dies before the second runs.
    mind.pod(&placed(&cart, 10, "Running"), at(20));
    assert_eq!(mind.measured(at(20)), [], "only who leads tells");
    assert_eq!(mind.measured(at(75)), []);
    mind.pod(&placed(&shop, 11, "Running"), at(76));
    mind.configure(standing(Mode::Enforce), at(90));
    let told = mind.measured(at(90));
    assert_eq!(told.len(), 1, "{told:?}");
    let sentence = "Running after 1 min; n1 cpu requested at 60 % (said 60 %)";
    assert!(told[0].1.sentence.starts_with(sentence) && told[0].1.as_predicted == Some(true), "{told:?}");
    // An annotation that was copied from an old pod says nothing.
    let copy = pod("copy", "100m");
    mind.pod(&written(&copy), at(4_000));
    mind.pod(&placed(&copy, 11, "Pending"), at(4_001));
    mind.pod(&placed(&copy, 11, "Running"), at(4_002));
    assert_eq!(mind.measured(at(4_002)), []);
}

#[test]
fn of_a_binding_that_failed_with_leadership_nothing_is_told() {
    let cart = pod("cart", "500m");
    let mut mind = mind(Mode::Enforce, &[node("n1", 1_000)], std::slice::from_ref(&cart));
    let job = mind.next(moment(1)).unwrap();
    mind.configure(Standing { leading: false, ..standing(Mode::Enforce) }, at(2));
    mind.ended(&job.uid, false, at(3));
    // Another leader places it.
    mind.pod(&written(&bound(cart, "n1")), at(4));
    mind.configure(standing(Mode::Enforce), at(5));
    assert_eq!(mind.measured(at(2_000)), []);
}
