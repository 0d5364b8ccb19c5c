//! Clusters that are written down, and what would be.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use keelson_cluster::read::network::{WEIGHTS, group, topology};
use keelson_cluster::{Event, read};
use keelson_core::{Measured, Rates, Reason, Span, Timestamp};
use keelson_placement::Pool;
use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;

fn node(name: &str, zone: &str, cpu: u32) -> Value {
    let labels = json!({"kubernetes.io/hostname": name, "topology.kubernetes.io/zone": zone,
        "topology.kubernetes.io/region": "r"});
    json!({"metadata": {"name": name, "labels": labels},
        "status": {"allocatable": {"cpu": format!("{cpu}m"), "memory": "8Gi", "pods": "20"}}})
}

/// A pod of a ReplicaSet; its number says how old it is.
fn pod(app: &str, number: usize, node: Option<&str>, cpu: u32) -> Value {
    json!({
        "metadata": {"name": format!("{app}-{number}"), "namespace": "shop", "uid": format!("{app}-{number}"),
            "labels": {"app": app}, "creationTimestamp": format!("2026-01-01T00:{:02}:{:02}Z", number / 60, number % 60),
            "ownerReferences": [{"apiVersion": "apps/v1", "kind": "ReplicaSet", "name": app, "uid": app, "controller": true}]},
        "spec": {"nodeName": node, "containers":
            [{"name": "c", "resources": {"requests": {"cpu": format!("{cpu}m"), "memory": "64Mi"}}}]},
    })
}

fn cluster(nodes: &[Value], pods: &[Value]) -> Cluster {
    let mut cluster = Cluster::default();
    for node in nodes {
        cluster.ground.apply(Event::node(&serde_json::from_value(node.clone()).unwrap()));
    }
    cluster.pods = pods.iter().filter_map(|pod| Subject::new(&serde_json::from_value(pod.clone()).unwrap())).collect();
    cluster
}

fn asked(cluster: Cluster) -> Report {
    under(cluster, Layout::All)
}

fn under(cluster: Cluster, layout: Layout) -> Report {
    simulate(cluster, &Question { seed: 7, layout }, &mut |_, _, _| {})
}

/// Apart from its like, by node.
fn apart(mut pod: Value) -> Value {
    let term = json!({"topologyKey": "kubernetes.io/hostname",
        "labelSelector": {"matchLabels": pod["metadata"]["labels"].clone()}});
    pod["spec"]["affinity"]["podAntiAffinity"]["requiredDuringSchedulingIgnoredDuringExecution"] = json!([term]);
    pod
}

fn spread(mut pod: Value) -> Value {
    let labels = pod["metadata"]["labels"].clone();
    pod["spec"]["topologySpreadConstraints"] = json!([{"maxSkew": 1, "topologyKey": "topology.kubernetes.io/zone",
        "whenUnsatisfiable": "DoNotSchedule", "labelSelector": {"matchLabels": labels}}]);
    pod
}

#[test]
fn bandwidth_is_over_where_it_is_known_what_a_node_carries() {
    let mut sends = pod("edge", 0, Some("n"), 100);
    sends["metadata"]["annotations"] = json!({"bandwidth.keelson.dev/egress-request": "2G"});
    let over = |node: Value| asked(cluster(&[node], &[sends.clone()])).today.nodes_over_allocatable;
    let mut known = node("n", "a", 1_000);
    assert_eq!(over(known.clone()), 0, "nobody says what it carries");
    known["metadata"]["annotations"] = json!({"bandwidth.keelson.dev/egress-capacity": "10G"});
    assert_eq!(over(known.clone()), 0);
    known["metadata"]["annotations"] = json!({"bandwidth.keelson.dev/egress-capacity": "1G"});
    assert_eq!(over(known), 1);
}

#[test]
fn a_share_of_each_node_is_left_to_others() {
    let pods = [pod("web", 0, Some("a"), 500), pod("web", 1, Some("a"), 450), pod("api", 2, None, 900)];
    let of = || cluster(&[node("a", "z", 1_000), node("b", "z", 1_000)], &pods);
    let (all, shared) = (under(of(), Layout::All), under(of(), Layout::Headroom(20)));
    assert_eq!((all.counts.elsewhere, all.waiting[0].placed), (1, true), "one of two goes to the empty one");
    assert_eq!((shared.waiting[0].placed, shared.waiting_placed_after), (false, 0), "900m of 800m");
    assert!(shared.unplaced.is_empty() && shared.layout == Layout::Headroom(20));
    assert_eq!(shared.today, all.today, "today nobody leaves anything");
}

#[test]
fn who_waits_is_looked_at_anew_once_somebody_was_evicted() {
    let urgent = |app, number, cpu, policy| {
        let mut pod = pod(app, number, None, cpu);
        pod["spec"]["priority"] = json!(10);
        pod["spec"]["preemptionPolicy"] = json!(policy);
        pod
    };
    let patient = |number| urgent("patient", number, 300, "Never");
    let pods = [
        pod("low", 0, Some("n"), 900),
        patient(1),
        patient(2),
        urgent("bold", 3, 400, "PreemptLowerPriority"),
        patient(4),
    ];
    let report = asked(cluster(&[node("n", "z", 1_000)], &pods));
    let named = |placed: bool| -> Vec<&str> {
        let groups = report.waiting.iter().filter(|group| group.placed == placed);
        groups.flat_map(|group| &group.pods).map(|pod| pod.pod.as_str()).collect()
    };
    assert_eq!(named(true), ["shop/patient-4"], "there is room beside who evicted");
    assert_eq!(named(false), ["shop/bold-3", "shop/patient-1", "shop/patient-2"]);
}

/// A node that others are kept off.
fn pooled(name: &str, pool: &Pool) -> Value {
    let mut node = node(name, "z", 1_000);
    node["metadata"]["labels"][&pool.key] = json!(pool.value);
    node["spec"]["taints"] = json!([{"key": pool.key, "value": pool.value, "effect": "NoSchedule"}]);
    node
}

#[test]
fn in_a_pool_of_its_own_its_pods_break_no_rule_and_others_do() {
    let pool = Pool::new("keelson.dev/pool", "scheduling");
    let mut alone = pod("debug", 1, Some("b"), 100);
    alone["metadata"]["ownerReferences"] = json!([]);
    let pods = [pod("web", 0, Some("a"), 500), alone, pod("api", 2, None, 300)];
    let of = || cluster(&[node("a", "z", 1_000), pooled("b", &pool)], &pods);
    let report = under(of(), Layout::Pool(pool.clone()));
    assert_eq!(report.moved, [Moved { pod: "shop/web-0".into(), from: "a".into(), to: "b".into() }]);
    assert_eq!(report.waiting[0].pods[0].node.as_deref(), Some("b"));
    let named = |broken: &[report::Broken]| broken.iter().map(|broken| broken.pod.clone()).collect::<Vec<_>>();
    assert_eq!(named(&report.broken_today), ["shop/debug-1"], "it came before the taint");
    assert_eq!(named(&report.broken_after), ["shop/debug-1"], "what Keelson placed there tolerates it");
    let without = cluster(&[node("a", "z", 1_000)], &pods);
    assert_eq!(under(without, Layout::Pool(pool)).waiting[0].reason, Reason::PoolEmpty);
}

#[test]
fn what_an_interface_carries_now_holds_for_pods_that_wait() {
    let sends = |number, node| {
        let mut pod = pod("edge", number, node, 100);
        pod["metadata"]["annotations"] = json!({"bandwidth.keelson.dev/egress-request": "2G"});
        pod
    };
    let (giga, at) = (1_000_000_000, Timestamp(60_000_000));
    let heard = |egress| {
        let load = Measured { rates: Rates { egress, ingress: 0 }, at, window: Span::seconds(10) };
        Heard { capacity: Rates { egress: 10 * giga, ingress: 10 * giga }, load: Some(load) }
    };
    let with = |egress| {
        let cluster = cluster(&[node("n", "z", 1_000)], &[sends(0, Some("n")), sends(1, None)]);
        asked(Cluster { interfaces: vec![("n".to_owned(), heard(egress))], ..cluster })
    };
    assert!(with(giga).waiting[0].placed, "it has room");
    let full = with(10 * giga);
    assert!(!full.waiting[0].placed && full.waiting[0].sentence.contains("egress"), "{:?}", full.waiting);
    assert!(full.unplaced.is_empty() && full.waiting_placed_after == 1, "requests alone, once pods are placed again");
    assert_eq!(full.nodes[0].today.permille, with(giga).nodes[0].today.permille, "requests, not usage");
}

#[test]
fn pods_that_break_a_rule_today_are_named_and_would_not() {
    let pods = [apart(pod("web", 0, Some("a"), 100)), apart(pod("web", 1, Some("a"), 100))];
    let report = asked(cluster(&[node("a", "z1", 1_000), node("b", "z2", 1_000)], &pods));
    let names: Vec<_> = report.broken_today.iter().map(|broken| broken.pod.as_str()).collect();
    assert_eq!(names, ["shop/web-0", "shop/web-1"]);
    assert_eq!(
        report.broken_today[0].rules,
        ["InterPodAffinity: 1 pod it must be apart from in kubernetes.io/hostname=a"]
    );
    assert!(report.broken_after.is_empty());
    assert_eq!((report.counts.movable, report.counts.elsewhere), (2, 1));
    assert_eq!((report.today.nodes_in_use, report.replayed.nodes_in_use), (1, 2));
}

#[test]
fn a_skew_is_that_of_the_fullest_place_over_the_emptiest() {
    let on_a = |number| spread(pod("web", number, Some("a"), 100));
    let report = asked(cluster(&[node("a", "z1", 1_000), node("b", "z2", 1_000)], &[on_a(0), on_a(1), on_a(2)]));
    let spread = &report.spreads[0];
    assert_eq!((spread.today, spread.replayed, spread.allowed, spread.required), (3, 1, 1, true));
    assert_eq!((report.today.spreads_beyond, report.replayed.spreads_beyond), (1, 0));
}

#[test]
fn waiting_pods_are_grouped_by_what_they_are_told() {
    let mut gated = pod("gated", 3, None, 100);
    gated["spec"]["schedulingGates"] = json!([{"name": "quota"}]);
    let mut claims = pod("claims", 4, None, 100);
    claims["spec"]["resourceClaims"] = json!([{"name": "gpu", "resourceClaimName": "one"}]);
    let pods = [pod("small", 0, None, 400), pod("large", 1, None, 900), pod("large", 2, None, 900), gated, claims];
    let report = asked(cluster(&[node("a", "z1", 1_000)], &pods));
    let told: Vec<_> = report.waiting.iter().map(|group| (group.reason, group.placed, group.pods.len())).collect();
    assert_eq!(
        told,
        [
            (Reason::OnlyFeasibleNode, true, 1),
            (Reason::Unschedulable, false, 2),
            (Reason::SchedulingGated, false, 1),
            (Reason::UnsupportedFeature, false, 1)
        ]
    );
    assert_eq!(report.waiting[0].pods[0].node.as_deref(), Some("a"));
    let change = report.waiting[1].change.as_ref().unwrap();
    assert_eq!((change.resource.as_str(), change.to.as_str(), change.node.as_str()), ("cpu", "600m", "a"));
    assert_eq!((report.refused_fields[0].field.as_str(), report.refused_fields[0].pods), ("spec.resourceClaims", 1));
}

#[test]
fn room_is_made_once_for_each_pod_that_needs_it() {
    let mut pods = vec![pod("low", 0, Some("a"), 900), pod("low", 1, Some("b"), 900)];
    for number in 2..5 {
        let mut high = pod("high", number, None, 900);
        high["spec"]["priority"] = json!(100);
        pods.push(high);
    }
    let report = asked(cluster(&[node("a", "z1", 1_000), node("b", "z2", 1_000)], &pods));
    let evicting = report.waiting.iter().find(|group| group.reason == Reason::RoomByEviction).unwrap();
    let mut victims: Vec<_> = evicting.pods.iter().flat_map(|pod| pod.evicts.clone()).collect();
    victims.sort();
    assert_eq!(victims, ["shop/low-0", "shop/low-1"]);
    let waits = report.waiting.iter().find(|group| group.reason == Reason::Unschedulable).unwrap();
    assert_eq!(waits.pods.len(), 1, "there is nobody left to evict");
}

#[test]
fn what_cannot_move_stays_and_says_why() {
    let of = |kind: &str, name: &str| {
        let mut pod = pod(name, 0, Some("a"), 100);
        pod["metadata"]["ownerReferences"][0]["kind"] = json!(kind);
        pod
    };
    let mut alone = pod("alone", 0, Some("a"), 100);
    alone["metadata"]["ownerReferences"] = json!([]);
    let mut unread = pod("unread", 0, Some("a"), 100);
    unread["spec"]["containers"][0]["resources"]["requests"]["cpu"] = json!("many");
    let mut claims = pod("claims", 0, Some("a"), 100);
    claims["spec"]["volumes"] = json!([{"name": "v", "persistentVolumeClaim": {"claimName": "data"}}]);
    let mut pinned = claims.clone();
    pinned["metadata"]["name"] = json!("pinned");
    pinned["metadata"]["uid"] = json!("pinned");
    pinned["spec"]["volumes"][0]["persistentVolumeClaim"]["claimName"] = json!("local");
    let gone = pod("gone", 0, Some("elsewhere"), 100);
    let pods = [of("DaemonSet", "ds"), of("Node", "mirror"), alone, unread, claims, pinned, gone, of("Job", "job")];
    let mut cluster = cluster(&[node("a", "z1", 2_000), node("b", "z2", 2_000)], &pods);
    let claim = json!({"metadata": {"name": "local", "namespace": "shop", "uid": "1",
        "annotations": {"pv.kubernetes.io/bind-completed": "yes"}}, "spec": {"volumeName": "disk"}});
    let volume = json!({"metadata": {"name": "disk"}, "spec": {"nodeAffinity": {"required": {"nodeSelectorTerms": [
        {"matchExpressions": [{"key": "kubernetes.io/hostname", "operator": "In", "values": ["a"]}]}]}}}});
    let claim = read::volumes::claim(&serde_json::from_value(claim).unwrap());
    let volume = read::volumes::volume(&serde_json::from_value(volume).unwrap());
    cluster.ground.apply(Event::VolumesApplied(Box::new(claim)));
    cluster.ground.apply(Event::VolumesApplied(Box::new(volume)));
    let report = asked(cluster);
    let mut why: Vec<_> = report.staying.iter().map(|staying| (staying.reason, staying.pods)).collect();
    why.sort();
    let all = [
        Stays::Daemon,
        Stays::Static,
        Stays::Alone,
        Stays::Unread,
        Stays::NodeUnknown,
        Stays::ClaimUnknown,
        Stays::Pinned,
    ];
    assert_eq!(why, all.map(|reason| (reason, 1)));
    assert_eq!(report.counts.movable, 1, "the job's");
}

#[test]
fn a_node_is_as_full_as_the_resource_of_which_most_is_requested() {
    let report = asked(cluster(&[node("a", "z1", 1_000), node("b", "z1", 3_000)], &[pod("web", 0, Some("a"), 800)]));
    let fullest = report.today.fullest.as_ref().unwrap();
    assert_eq!((fullest.node.as_str(), fullest.share.resource.as_str(), fullest.share.permille), ("a", "cpu", 800));
    // Shares of 800 and 0: mean 400, deviation 400.
    assert_eq!((report.today.mean_permille, report.today.deviation_permille), (400, 400));
    assert_eq!((report.emptied, report.counts.zones), (vec!["a".to_owned()], 1));
    assert_eq!(report.moved[0].to, "b");
}

#[test]
fn a_group_is_counted_three_ways() {
    let tied = |app: &str, number: usize, node: &str| {
        let mut pod = pod(app, number, Some(node), 600);
        pod["metadata"]["labels"]["appgroup.diktyo.x-k8s.io"] = json!("g");
        pod["metadata"]["labels"]["appgroup.diktyo.x-k8s.io.workload"] = json!(app);
        pod
    };
    let nodes = [node("a", "z1", 1_000), node("b", "z1", 1_000), node("c", "z2", 1_000)];
    let mut cluster = cluster(&nodes, &[tied("web", 0, "a"), tied("db", 1, "c")]);
    let workload = |name: &str| json!({"kind": "Deployment", "name": name, "selector": name});
    let declared = json!({"metadata": {"name": "g", "namespace": "shop"}, "spec": {"workloads": [
        {"workload": workload("web"), "dependencies": [{"workload": workload("db")}]}, {"workload": workload("db")}]}});
    let way = |from: &str, to: &str| json!({"origin": from, "costList": [{"destination": to, "networkCost": 9}]});
    let costs = json!({"metadata": {"name": "nt", "namespace": "shop"}, "spec": {"weights": [{"name": "UserDefined",
        "topologyList": [{"topologyKey": "topology.kubernetes.io/zone", "originList": [way("z1", "z2"), way("z2", "z1")]}]}]}});
    cluster.ground.apply(Event::GroupApplied(Box::new(group(&declared))));
    cluster.ground.apply(Event::TopologyApplied(Box::new(topology(&costs, WEIGHTS))));
    let report = asked(cluster);
    let group = &report.groups[0];
    // No node has room for both, so the best is one zone: 1.
    assert_eq!(
        (group.group.as_str(), group.pods, group.pairs, group.today, group.as_unit),
        ("shop/g", 2, 1, 9, Some(1))
    );
    assert!(group.per_pod >= group.as_unit);
}

#[test]
fn older_and_more_urgent_pods_come_first() {
    let mut urgent = pod("urgent", 9, Some("b"), 100);
    urgent["spec"]["priority"] = json!(5);
    let cluster = cluster(&[], &[pod("young", 8, None, 1), urgent, pod("old", 1, None, 1)]);
    assert_eq!(in_order(&cluster.pods, cluster.ground.live().network()), [1, 2, 0]);
}

/// Pods of a few workloads, each with its rule, somewhere.
fn anywhere() -> impl Strategy<Value = (Vec<Value>, Vec<Value>)> {
    let workload = (0..3_u8, prop::collection::vec(prop::option::weighted(0.8, 0..6_usize), 1..7), 1..6_u32);
    prop::collection::vec(workload, 1..5).prop_map(|workloads| {
        let nodes: Vec<Value> = (0..6).map(|n| node(&format!("n{n}"), &format!("z{}", n % 3), 1_500)).collect();
        let mut pods = Vec::new();
        for (index, (rule, places, cpu)) in workloads.iter().enumerate() {
            for (number, place) in places.iter().enumerate() {
                let name = place.map(|place| format!("n{place}"));
                let made = pod(&format!("w{index}"), number, name.as_deref(), cpu * 100);
                pods.push(match rule {
                    0 => made,
                    1 => apart(made),
                    _ => spread(made),
                });
            }
        }
        (nodes, pods)
    })
}

proptest! {
    #[test]
    fn after_the_replay_no_rule_is_broken_and_no_node_is_over_allocatable((nodes, pods) in anywhere()) {
        let report = asked(cluster(&nodes, &pods));
        prop_assert!(report.broken_after.is_empty(), "{:?}", report.broken_after);
        prop_assert_eq!((report.replayed.nodes_over_allocatable, report.replayed.spreads_beyond), (0, 0));
        let told: usize = report.waiting.iter().map(|group| group.pods.len()).sum();
        prop_assert_eq!(told, report.counts.waiting);
        let unplaced: usize = report.unplaced.iter().map(|group| group.pods.len()).sum();
        let there: usize = report.nodes.iter().map(|row| row.pods_replayed).sum();
        prop_assert_eq!(there + unplaced, report.counts.movable);
    }

    #[test]
    fn the_same_cluster_and_seed_give_the_same_report((nodes, pods) in anywhere(), seed: u64) {
        let drawn = Question { seed, ..Question::default() };
        let once = simulate(cluster(&nodes, &pods), &drawn, &mut |_, _, _| {});
        let mut turned: Vec<Value> = nodes.clone();
        turned.reverse();
        let again = simulate(cluster(&turned, &pods), &drawn, &mut |_, _, _| {});
        prop_assert_eq!(serde_json::to_string(&once).unwrap(), serde_json::to_string(&again).unwrap());
    }
}
