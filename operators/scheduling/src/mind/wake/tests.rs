//! Whoever waits is held against every node after every change.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use keelson_core::{Mode, Reason};
use keelson_placement::NodeTerm;
use keelson_placement::volumes::{VolumeKind, VolumeObject};
use proptest::prelude::*;
use serde_json::{Value, json};

use super::super::storage::tests::{claim, class, done, mounting, selected, volume};
use super::super::tests::{at, bound, mind, moment, reason, written};
use crate::decide::tests::{node, pod};
use crate::decide::{Ask, decide};
use crate::mind::Mind;
use crate::recording::tests::groups;

/// A pod that keeps away whoever has its label.
fn repeller(name: &str) -> Value {
    let mut value = bound(pod(name, "100m"), "n0");
    let term = json!({"labelSelector": {"matchLabels": {"shy": "yes"}}, "topologyKey": "kubernetes.io/hostname"});
    value["spec"]["affinity"] = json!({"podAntiAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": [term]}});
    value
}

fn shy(name: &str) -> Value {
    let mut value = pod(name, "100m");
    value["metadata"]["labels"] = json!({"shy": "yes"});
    value
}

fn nominated(mut value: Value, node: &str) -> Value {
    value["status"] = json!({"phase": "Pending", "nominatedNodeName": node});
    value
}

#[test]
fn a_pod_that_leaves_wakes_whom_its_node_can_hold_now_and_nobody_else() {
    let full = |name: &str, node: &str, cpu: &str| bound(pod(name, cpu), node);
    let pods = [full("a", "n1", "900m"), full("b", "n2", "900m"), pod("small", "300m"), pod("large", "800m")];
    let mut mind = mind(Mode::Enforce, &[node("n1", 1_000), node("n2", 1_000)], &pods);
    while mind.next(moment(1)).is_some() {}
    assert_eq!(mind.queue.counts().waiting, 2);
    mind.pod(&written(&full("a", "n1", "600m")), at(20));
    let woken = mind.next(moment(21)).unwrap();
    assert!((woken.binds(), mind.queue.counts().waiting) == (true, 1) && woken.uid.contains("small"), "{woken:?}");
}

#[test]
fn whom_a_pod_keeps_away_waits_for_that_pod_and_not_for_another() {
    let other = bound(pod("other", "100m"), "n0");
    let mut host = node("n0", 1_000);
    host["metadata"]["labels"]["kubernetes.io/hostname"] = json!("n0");
    let mut mind = mind(Mode::Enforce, &[host], &[other.clone(), repeller("guard"), shy("s")]);
    while mind.next(moment(1)).is_some() {}
    mind.pod_gone(&written(&other), at(20));
    assert!(mind.next(moment(21)).is_none(), "it is kept away as before");
    mind.pod_gone(&written(&repeller("guard")), at(40));
    assert!(mind.next(moment(41)).unwrap().binds());
}

#[test]
fn room_that_was_made_for_a_pod_which_goes_elsewhere_is_taken() {
    let guest = || pod("guest", "800m");
    let nodes = [node("n1", 1_000), node("n2", 1_000)];
    let mut mind = mind(Mode::Enforce, &nodes, &[bound(pod("b", "900m"), "n2"), nominated(guest(), "n1")]);
    mind.pod(&written(&pod("waits", "500m")), at(1));
    while let Some(job) = mind.next(moment(1)) {
        assert!(!job.uid.contains("waits") || !job.binds(), "{:?}", reason(&job));
        // The guest's own binding is its scheduler's.
        if job.binds() {
            mind.ended(&job.uid, false, at(1));
        }
    }
    mind.pod(&written(&bound(guest(), "n2")), at(20));
    assert!(std::iter::from_fn(|| mind.next(moment(21))).any(|job| job.binds() && job.uid.contains("waits")));
}

/// Found by the law below: with the room for the guest it did not fit before, without it it did.
#[test]
fn room_for_a_guest_counts_in_what_was_there_before() {
    let other = bound(pod("other", "800m"), "n0");
    let nominated = nominated(pod("guest", "200m"), "n0");
    let mut mind = mind(Mode::Enforce, &[node("n0", 900)], &[nominated, pod("waits", "100m"), other.clone()]);
    while mind.next(moment(1)).is_some() {}
    mind.pod_gone(&written(&other), at(20));
    assert!(std::iter::from_fn(|| mind.next(moment(21))).any(|job| job.binds() && job.uid.contains("waits")));
}

#[derive(Debug, Clone)]
enum Happens {
    Node {
        node: u8,
        cpu: i64,
        tainted: bool,
    },
    NodeGone(u8),
    Pod {
        pod: u8,
        cpu: u8,
        at: Where,
    },
    Gone(u8),
    /// A claim: without a volume, of a class that makes none, one being made for a node, bound, or gone.
    Claim {
        claim: u8,
        state: u8,
        node: u8,
    },
    /// A volume that one node reaches, or every node; or none.
    Volume {
        volume: u8,
        node: Option<u8>,
        there: bool,
    },
    Class {
        local: bool,
        there: bool,
    },
    Decide,
    /// The newest binding or eviction is answered.
    Ended {
        done: bool,
    },
    Time(i64),
}

#[derive(Debug, Clone, Copy)]
enum Where {
    Waits,
    Shy,
    /// It may evict any other.
    Urgent,
    Bound(u8),
    Nominated(u8),
    Guards,
    With,
    Apart,
    Even,
    Over,
    Claiming(u8),
}

fn rule() -> Value {
    let term = json!({"labelSelector": {"matchLabels": {"shy": "yes"}}, "topologyKey": "kubernetes.io/hostname"});
    json!({"requiredDuringSchedulingIgnoredDuringExecution": [term]})
}

/// A shy pod with a rule about shy pods.
fn minding(mut value: Value, rules: Value) -> Value {
    value["metadata"]["labels"] = json!({"shy": "yes"});
    value["spec"].as_object_mut().unwrap().extend(rules.as_object().unwrap().clone());
    value
}

fn made(number: u8, cpu: u8, at: Where) -> Value {
    let name = format!("p{number}");
    let plain = pod(&name, &format!("{}m", 200 * u32::from(cpu)));
    match at {
        Where::Waits => plain,
        Where::Shy => shy(&name),
        Where::Urgent => {
            let mut urgent = plain;
            urgent["spec"]["priority"] = json!(10);
            urgent
        }
        Where::Bound(node) => bound(plain, &format!("n{node}")),
        Where::Nominated(node) => nominated(plain, &format!("n{node}")),
        Where::Guards => repeller(&name),
        Where::With => minding(plain, json!({"affinity": {"podAffinity": rule()}})),
        Where::Apart => minding(plain, json!({"affinity": {"podAntiAffinity": rule()}})),
        Where::Even => minding(
            plain,
            json!({"topologySpreadConstraints": [{"maxSkew": 1, "topologyKey": "kubernetes.io/hostname",
            "whenUnsatisfiable": "DoNotSchedule", "labelSelector": {"matchLabels": {"shy": "yes"}}}]}),
        ),
        Where::Claiming(claim) => mounting(&name, &format!("{}m", 200 * u32::from(cpu)), &format!("c{claim}")),
        Where::Over => {
            let mut over = bound(plain, "n0");
            over["status"]["phase"] = json!("Succeeded");
            over
        }
    }
}

fn carry(mind: &mut Mind, happens: &Happens, now: &mut i64, open: &mut Vec<String>) {
    match *happens {
        Happens::Node { node: number, cpu, tainted } => {
            let mut value = node(&format!("n{number}"), 300 * cpu);
            value["metadata"]["labels"]["kubernetes.io/hostname"] = json!(format!("n{number}"));
            if tainted {
                value["spec"] = json!({"taints": [{"key": "k", "effect": "NoSchedule"}]});
            }
            mind.node(&serde_json::from_value(value).unwrap(), at(*now));
        }
        Happens::NodeGone(number) => mind.node_gone(&format!("n{number}"), at(*now)),
        Happens::Pod { pod, cpu, at: place } => mind.pod(&written(&made(pod, cpu, place)), at(*now)),
        Happens::Gone(pod) => mind.pod_gone(&written(&made(pod, 1, Where::Waits)), at(*now)),
        Happens::Claim { claim: number, state, node } => {
            let name = format!("c{number}");
            let (class, more) = match state {
                0 => ("late", json!({})),
                1 => ("local", json!({})),
                2 => ("late", selected(&format!("n{node}"))),
                3 => ("late", done(&format!("n{node}"))),
                _ => {
                    return mind.storage_gone(VolumeKind::Claim, claim(&name, "", 1, json!({})).object.key(), at(*now));
                }
            };
            mind.storage(claim(&name, class, 1, more), at(*now));
        }
        Happens::Volume { volume: number, node, there } => {
            let name = if number == 0 { "pv".to_owned() } else { format!("pv{number}") };
            if !there {
                return mind.storage_gone(VolumeKind::Volume, name, at(*now));
            }
            let mut read = volume(&name, "local");
            if let (Some(node), VolumeObject::Volume(volume)) = (node, &mut read.object) {
                let term = NodeTerm::label("kubernetes.io/hostname", &format!("n{node}"));
                volume.affinity = Some(vec![term]);
            }
            mind.storage(read, at(*now));
        }
        Happens::Class { local, there } => {
            let (name, provisioner) =
                if local { ("local", "kubernetes.io/no-provisioner") } else { ("late", "csi.example.com") };
            if there {
                mind.storage(class(name, provisioner), at(*now));
            } else {
                mind.storage_gone(VolumeKind::Class, name.to_owned(), at(*now));
            }
        }
        Happens::Decide => open.extend(mind.next(moment(*now)).filter(|job| job.awaits.is_some()).map(|job| job.uid)),
        Happens::Ended { done } => {
            if let Some(uid) = open.pop() {
                mind.ended(&uid, done, at(*now));
            }
        }
        Happens::Time(seconds) => *now += seconds,
    }
}

fn happens() -> impl Strategy<Value = Happens> {
    let place = prop_oneof![
        5 => Just(Where::Waits),
        2 => Just(Where::Shy),
        2 => Just(Where::Urgent),
        3 => (0..3_u8).prop_map(Where::Bound),
        2 => (0..3_u8).prop_map(Where::Nominated),
        1 => Just(Where::Guards),
        2 => Just(Where::With),
        1 => Just(Where::Apart),
        1 => Just(Where::Even),
        1 => Just(Where::Over),
        4 => (0..2_u8).prop_map(Where::Claiming),
    ];
    prop_oneof![
        2 => (0..3_u8, 1..4_i64, any::<bool>()).prop_map(|(node, cpu, tainted)| Happens::Node { node, cpu, tainted }),
        1 => (0..3_u8).prop_map(Happens::NodeGone),
        5 => (0..6_u8, 1..5_u8, place).prop_map(|(pod, cpu, at)| Happens::Pod { pod, cpu, at }),
        2 => (0..6_u8).prop_map(Happens::Gone),
        3 => (0..2_u8, 0..5_u8, 0..3_u8).prop_map(|(claim, state, node)| Happens::Claim { claim, state, node }),
        2 => (0..2_u8, prop::option::of(0..3_u8), any::<bool>())
            .prop_map(|(volume, node, there)| Happens::Volume { volume, node, there }),
        2 => (any::<bool>(), 0..3_u8).prop_map(|(local, there)| Happens::Class { local, there: there > 0 }),
        6 => Just(Happens::Decide),
        3 => any::<bool>().prop_map(|done| Happens::Ended { done }),
        1 => (1..30_i64).prop_map(Happens::Time),
    ]
}

#[test]
fn whoever_is_kept_out_by_two_nominations_is_tried_when_one_falls() {
    let pods = [made(0, 1, Where::Waits), made(5, 3, Where::Nominated(2)), made(1, 1, Where::Nominated(2))];
    let mut mind = mind(Mode::Enforce, &[node("n2", 900)], &pods);
    assert_eq!(reason(&mind.next(moment(1)).unwrap()), Reason::Unschedulable);
    assert!(mind.queue.waiting().any(|uid| uid == "uid-p0"));
    mind.pod(&written(&made(5, 1, Where::Waits)), at(2));
    assert!(mind.queue.waiting().all(|uid| uid != "uid-p0"));
}

proptest! {
    #[test]
    fn nobody_waits_whom_a_node_can_hold(all in prop::collection::vec(happens(), 0..60)) {
        let (mut mind, mut now, mut open) = (mind(Mode::Enforce, &[], &[]), 1, Vec::new());
        for happens in &all {
            carry(&mut mind, happens, &mut now, &mut open);
            for uid in mind.queue.waiting() {
                let pod = &mind.unbound[uid];
                let settings = mind.standing.settings.clone();
                let mut ask = Ask::new(&pod.written, pod.read.clone(), settings, moment(now));
                ask.stays = mind.state.plan_of(uid).map(|plan| plan.node.clone());
                let decided = decide(&ask, &mind.state.live().snapshot_for(&ask.pod));
                // One whose claims get their volumes waits for these.
                let waits = decided.node.is_none() || (ask.stays.is_some() && decided.volumes.is_some());
                prop_assert!(waits, "{} waits after {:?}", uid, happens);
            }
        }
    }
}

#[test]
fn whom_a_bound_keeps_away_waits_for_the_bound() {
    let grouped = |mut pod: Value, workload: &str| {
        pod["metadata"]["labels"]["appgroup.diktyo.x-k8s.io"] = json!("g");
        pod["metadata"]["labels"]["appgroup.diktyo.x-k8s.io.workload"] = json!(workload);
        pod
    };
    let placed = |name: &str, zone: &str| {
        let mut node = node(name, 1_000);
        node["metadata"]["labels"]["topology.kubernetes.io/zone"] = json!(zone);
        node
    };
    let pods = [bound(grouped(pod("db", "900m"), "db"), "n1"), grouped(pod("web", "300m"), "web")];
    let mut mind = mind(Mode::Enforce, &[placed("n1", "a"), placed("n2", "b")], &pods);
    groups(4).into_iter().for_each(|event| mind.network(event, at(0)));
    let job = mind.next(moment(1)).unwrap();
    let failed = |job: &crate::mind::Job| format!("{:?}", job.plan.decisions[0].candidates);
    assert!(failed(&job).contains("1 pod of db too far: network cost 5, 4 allowed: 1 over"), "{}", failed(&job));
    groups(4).into_iter().for_each(|event| mind.network(event, at(20)));
    assert!(mind.next(moment(21)).is_none(), "nothing changed");
    groups(5).into_iter().for_each(|event| mind.network(event, at(40)));
    assert!(mind.next(moment(41)).unwrap().binds());
}
