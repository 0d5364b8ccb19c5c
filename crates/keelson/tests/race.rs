//! kube-scheduler and Keelson bind to the same nodes at once, each its half of the pods.
//!
//! Needs root and Go, as every test of the real cluster does. `KEELSON_RACE=10000` races for so many pods instead of 2,000.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]
#![allow(clippy::disallowed_methods, reason = "a test that waits for real processes waits in real time")]

#[path = "support/binding.rs"]
mod binding;
#[path = "support/kubelets.rs"]
mod kubelets;
#[path = "support/load.rs"]
mod load;
mod support;

use std::collections::{BTreeMap, BTreeSet};

use binding::Controller;
use keelson_harness::{Cluster, Component, Config};
use kubelets::{refusals, text};
use load::Load;
use serde_json::{Value, json};
use support::install::install;
use support::until;

const PODS: &str = "/api/v1/namespaces/default/pods";
const ZONES: usize = 4;
const ZONE: &str = "topology.kubernetes.io/zone";
const HOST: &str = "kubernetes.io/hostname";
/// What a kwok node has.
const CPU: i64 = 4_000;
/// How much of all cpu the pods ask for, in percent.
const FILL: i64 = 97;
/// Pods that two bind at the same moment.
const CONTESTED: usize = 200;

/// For how many pods they race.
fn pods() -> usize {
    std::env::var("KEELSON_RACE").map_or(2_000, |pods| pods.parse().expect("KEELSON_RACE is a number"))
}

/// The pods of one scheduler. Of ten, six have no rules and one each has a hard spread over zones, required affinity within
/// a zone, required anti-affinity by node, and a host port, which both schedulers give out.
fn half(scheduler: &str, count: usize, nodes: usize) -> Vec<Value> {
    let of_a_node = nodes / 2;
    (0..count)
        .map(|index| {
            let nth = index / 10;
            let (group, cpu) = match index % 10 {
                0 => (format!("spread-{}", nth / 50), 100),
                1 => (format!("near-{}", nth / 10), 100),
                2 => (format!("apart-{}", nth / of_a_node), 100),
                3 => (format!("port-{}", nth / (of_a_node * 4 / 5)), 100),
                kind => (format!("plain-{kind}"), [50, 100, 150][nth % 3]),
            };
            let mut pod = json!({
                "apiVersion": "v1", "kind": "Pod",
                "metadata": {"name": format!("{scheduler}-{index}"), "labels": {"group": format!("{scheduler}-{group}")}},
                "spec": {"schedulerName": scheduler, "nodeSelector": {"type": "kwok"}, "terminationGracePeriodSeconds": 0,
                    "containers": [{"name": "c", "image": "race:1", "resources": {"requests": {"cpu": format!("{cpu}m")}}}]},
            });
            let selector = json!({"matchLabels": pod["metadata"]["labels"]});
            let required = |key: &str| json!({"requiredDuringSchedulingIgnoredDuringExecution": [
                {"topologyKey": key, "labelSelector": selector}]});
            match index % 10 {
                0 => pod["spec"]["topologySpreadConstraints"] = json!([{"maxSkew": 1, "topologyKey": ZONE,
                    "whenUnsatisfiable": "DoNotSchedule", "labelSelector": selector}]),
                1 => pod["spec"]["affinity"] = json!({"podAffinity": required(ZONE)}),
                2 => pod["spec"]["affinity"] = json!({"podAntiAffinity": required(HOST)}),
                3 => {
                    let port = 8_000 + nth / (of_a_node * 4 / 5);
                    pod["spec"]["containers"][0]["ports"] = json!([{"containerPort": 80, "hostPort": port}]);
                }
                _ => {}
            }
            pod
        })
        .collect()
}

/// Pods that ask for nothing, which the test itself binds at the moment when Keelson does.
fn contested() -> Vec<Value> {
    let pod = |index: usize| {
        json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": format!("contested-{index}")}, "spec": {
            "schedulerName": "keelson", "nodeSelector": {"type": "kwok"}, "terminationGracePeriodSeconds": 0,
            "containers": [{"name": "c", "image": "race:1"}]}})
    };
    (0..CONTESTED).map(pod).collect()
}

fn binding_of(pod: &Value, node: usize) -> (String, Value) {
    let name = text(pod, "/metadata/name");
    let target = json!({"apiVersion": "v1", "kind": "Node", "name": format!("kwok-{node}")});
    let body = json!({"apiVersion": "v1", "kind": "Binding", "metadata": {"name": name}, "target": target});
    (format!("{PODS}/{name}/binding"), body)
}

/// A binding that the API server was asked for.
struct Asked {
    pod: String,
    agent: String,
    code: u64,
}

/// All of them, in the order of the answers.
fn asked(cluster: &Cluster) -> Vec<Asked> {
    let log = std::fs::read_to_string(cluster.audit_log()).unwrap();
    let lines = log.lines().filter(|line| line.contains(r#""subresource":"binding""#));
    let read = lines.map(|line| serde_json::from_str::<Value>(line).unwrap());
    let answered = read.filter(|event| event["stage"] == "ResponseComplete");
    answered
        .map(|event| Asked {
            pod: text(&event, "/objectRef/name").to_owned(),
            agent: text(&event, "/userAgent").to_owned(),
            code: event["responseStatus"]["code"].as_u64().unwrap(),
        })
        .collect()
}

/// The rules that Keelson's pods have towards each other; how many groups there were of each kind.
fn keep_their_rules(pods: &[Value], zones: &BTreeMap<String, String>) -> BTreeMap<String, usize> {
    let mut groups: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for pod in pods.iter().filter(|pod| text(pod, "/spec/schedulerName") == "keelson") {
        groups.entry(text(pod, "/metadata/labels/group")).or_default().push(text(pod, "/spec/nodeName"));
    }
    let mut kinds: BTreeMap<String, usize> = BTreeMap::new();
    for (group, nodes) in groups {
        let kind = group.split('-').nth(1).unwrap_or_default();
        let mut by_zone: BTreeMap<&str, usize> = BTreeMap::new();
        nodes.iter().for_each(|node| *by_zone.entry(zones[*node].as_str()).or_default() += 1);
        let apart = nodes.iter().collect::<BTreeSet<_>>().len() == nodes.len();
        let kept = match kind {
            "spread" => {
                let (most, least) = (by_zone.values().max().unwrap(), by_zone.values().min().unwrap());
                nodes.len() < ZONES || (by_zone.len() == ZONES && most - least <= 1)
            }
            "near" => by_zone.len() == 1,
            "apart" | "port" => apart,
            _ => true,
        };
        assert!(kept, "{group}: {by_zone:?} {nodes:?}");
        *kinds.entry(kind.to_owned()).or_default() += 1;
    }
    kinds
}

/// The decisions, once what came of these pods is told in them.
fn told(keelson: &Controller, failed: &BTreeSet<&str>) -> Vec<Value> {
    until("what came of every refused pod is told", 60, || {
        let decisions = keelson.decisions();
        let told = |name: &&&str| {
            decisions.iter().any(|it| {
                it["verb"] == "Place" && it["subject"]["name"] == **name && it["effect"]["as_predicted"] == false
            })
        };
        (failed.iter().filter(told).count() == failed.len()).then_some(decisions)
    })
}

#[test]
fn no_rule_of_keelsons_is_broken_and_every_collision_is_told() {
    let count = pods();
    let nodes = (count * 100 * 100 / usize::try_from(CPU * FILL).unwrap()).next_multiple_of(ZONES);
    let config = Config {
        kwok_nodes: u32::try_from(nodes).unwrap(),
        scheduler_configuration: json!({"clientConnection": {"qps": 5_000, "burst": 5_000}}),
        ..Config::default()
    };
    let mut cluster = Cluster::start(config).unwrap();
    let zones: BTreeMap<String, String> =
        (0..nodes).map(|node| (format!("kwok-{node}"), format!("z{}", node % ZONES))).collect();
    for zone in 0..ZONES {
        let (zone, label) = (format!("z{zone}"), format!("{ZONE}=z{zone}"));
        let names = zones.iter().filter(|(_, of)| **of == zone).map(|(name, _)| name.as_str());
        cluster
            .kubectl(&["label", "nodes"].into_iter().chain(names).chain([label.as_str()]).collect::<Vec<_>>())
            .unwrap();
    }
    let kubeconfig = install(&cluster);
    let load = Load::at(&cluster.kubeconfig());
    let (ours, theirs) = (half("keelson", count / 2, nodes), half("default-scheduler", count / 2, nodes));
    // All wait when the two begin, so that both bind as fast as they can.
    cluster.stop(Component::Scheduler).unwrap();
    load.make(PODS, ours.into_iter().zip(theirs).flat_map(|(our, their)| [our, their]));
    let folder = tempfile::tempdir().unwrap();
    let keelson = Controller::start(&kubeconfig, folder.path(), "keelson-0", &[], &[]);
    until("Keelson leads", 60, || (!binding::lease(&cluster).0.is_empty()).then_some(()));
    cluster.start_again(Component::Scheduler).unwrap();
    let began = std::time::Instant::now();
    let pending = ["get", "pods", "--field-selector=spec.nodeName=", "--output=name"];
    until("every pod has a node", 400, || {
        std::thread::sleep(std::time::Duration::from_secs(1));
        cluster.kubectl(&pending).unwrap().is_empty().then_some(())
    });
    println!("{count} pods on {nodes} nodes in {:.1} s", began.elapsed().as_secs_f64());
    // With nothing else to do, Keelson is as fast as whoever binds a pod right after making it.
    let contested = contested();
    let made_and_bound =
        |(index, pod): (usize, &Value)| vec![(PODS.to_owned(), pod.clone()), binding_of(pod, index % nodes)];
    load.send_in_turn("POST", contested.iter().enumerate().map(made_and_bound));
    until("nothing of Keelson's is under way", 60, || {
        (!keelson.decisions().iter().any(|decision| decision["outcome"] == "Pending")).then_some(())
    });

    let pods = load.list(PODS);
    assert_eq!(pods.len(), count + CONTESTED);
    println!("groups with rules kept: {:?}", keep_their_rules(&pods, &zones));
    let by_name: BTreeMap<&str, &Value> = pods.iter().map(|pod| (text(pod, "/metadata/name"), pod)).collect();
    let asked = asked(&cluster);
    let answered = |code: u64| asked.iter().filter(move |it| it.code == code).map(|it| it.pod.as_str());
    let surely: BTreeSet<&str> = answered(201).collect();
    assert_eq!(answered(201).count(), surely.len(), "none was bound twice");
    // 504: its answer came too late, and it may have been carried out. Of several, one was.
    let mut unsure: BTreeSet<&str> = answered(504).filter(|pod| !surely.contains(pod)).collect();
    let carried_out = |it: &&Asked| it.code == 201 || it.code == 504 && unsure.remove(it.pod.as_str());
    let bound: Vec<&Value> = asked.iter().filter(carried_out).map(|it| by_name[it.pod.as_str()]).collect();
    assert_eq!(bound.len(), pods.len(), "each was bound");

    // Two that were bound at once: the kubelet refuses one of them, and then no node has more than it can hold.
    let refusals = refusals(bound.iter().copied(), CPU);
    load.send(
        "PATCH",
        refusals.iter().map(|it| (format!("{PODS}/{}/status", text(it.pod, "/metadata/name")), it.status())),
    )
    .into_iter()
    .for_each(|patched| drop(patched.unwrap()));
    let is_ours = |pod: &Value| text(pod, "/spec/schedulerName") == "keelson";
    let names = |ours: bool| {
        let refused = refusals.iter().filter(move |it| is_ours(it.pod) == ours);
        refused.map(|it| text(it.pod, "/metadata/name")).collect::<BTreeSet<_>>()
    };
    println!("kubelets refuse {} pods of Keelson's and {} of kube-scheduler's", names(true).len(), names(false).len());
    println!("{} of them for cpu", refusals.iter().filter(|it| it.reason == "OutOfcpu").count());
    let decisions = told(&keelson, &names(true));
    let pairs: BTreeSet<(&str, &str)> = decisions
        .iter()
        .filter(|it| it["reason"] == "BoundAtOnce")
        .map(|it| (text(it, "/subject/name"), text(it, "/related/1/name")))
        .collect();
    for it in &refusals {
        let name = text(it.pod, "/metadata/name");
        let told = it.holders.iter().any(|holder| pairs.contains(&(name, holder)) || pairs.contains(&(holder, name)));
        assert!(
            told,
            "{name} and {:?} on {}: {}, of which nothing is told in {pairs:?}",
            it.holders, it.node, it.message
        );
    }
    println!("{} collisions are told", pairs.len());

    // Bindings that the API server itself refused.
    let refusal = |it: &&Asked| (400..500).contains(&it.code) && it.agent.starts_with("keelson/");
    let refused: Vec<&Asked> = asked.iter().filter(refusal).collect();
    for it in &refused {
        // Who finds the pod where it wanted it has nothing to complain of: somebody else bound it there, or its own first
        // request did, after it had been given up.
        let on = &by_name[it.pod.as_str()]["spec"]["nodeName"];
        let explains = |decision: &&Value| {
            let step = &decision["steps"][0];
            let refused = decision["outcome"] == "Failed" && step["result"] == "Conflict";
            let by_itself = step["result"] == "Done" && step["detail"] == "the pod says it is bound";
            let is_there = decision["chosen"] == *on && (step["result"] == "Unchanged" || by_itself);
            decision["verb"] == "Place" && decision["subject"]["name"] == it.pod.as_str() && (refused || is_there)
        };
        let about = || decisions.iter().filter(|decision| decision["subject"]["name"] == it.pod.as_str());
        let ends: Vec<_> = about().map(|one| (&one["verb"], &one["chosen"], &one["outcome"], &one["steps"])).collect();
        assert!(about().any(|one| explains(&one)), "{} refused with {} is on {on}: {ends:#?}", it.pod, it.code);
    }
    println!("{} bindings of Keelson's were refused, and each is explained", refused.len());
    assert!(!refused.is_empty(), "nothing was ever at stake");
    let taken_back = decisions.iter().filter(|it| text(it, "/steps/0/detail").contains(" meanwhile: ")).count();
    println!("{taken_back} were taken back before they were sent");
}
