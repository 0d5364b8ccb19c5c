//! What the network costs Online Boutique where kube-scheduler puts it, and where Keelson does, on one real control plane.
//!
//! The nodes and costs are those of NetworkOverhead's own test (scheduler-plugins @903da7d): eight nodes in two regions of two
//! zones each; three pods fit on a node. The application, its group and the scheduler are as published.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod support;

use keelson_cluster::read::network;
use keelson_cluster::{Event, State};
use keelson_harness::{Cluster, Config};
use keelson_placement::Pod;
use keelson_placement::network::joint::cost;
use serde_json::{Value, json};
use support::install::install;
use support::{BOUTIQUE, Up, until};

const GROUP: &str = include_str!("../../../e2e/apps/online-boutique/appgroup.yaml");
const PLACES: [(&str, &str); 4] = [("us-west-1", "z1"), ("us-west-1", "z2"), ("us-east-1", "z3"), ("us-east-1", "z4")];

fn topology() -> Value {
    let way = |from: &str, to: &str, cost: i64| json!({"origin": from, "costList": [{"destination": to, "networkCost": cost}]});
    let both = |one: &str, other: &str, cost: i64| [way(one, other, cost), way(other, one, cost)];
    let zones: Vec<Value> = [both("z1", "z2", 5), both("z3", "z4", 10)].into_iter().flatten().collect();
    let list = json!([
        {"topologyKey": "topology.kubernetes.io/region", "originList": both("us-west-1", "us-east-1", 20)},
        {"topologyKey": "topology.kubernetes.io/zone", "originList": zones},
    ]);
    json!({
        "apiVersion": "networktopology.diktyo.x-k8s.io/v1alpha1", "kind": "NetworkTopology",
        "metadata": {"name": "nt-default", "namespace": "default"},
        "spec": {"configmapName": "none", "weights": [{"name": "UserDefined", "topologyList": list}]},
    })
}

/// The group in another namespace, without bounds: what a dearer placement costs is to be seen, not forbidden.
fn group(namespace: &str) -> Value {
    let mut group: Value = serde_saphyr::from_str(GROUP).unwrap();
    group["metadata"]["namespace"] = json!(namespace);
    for workload in group["spec"]["workloads"].as_array_mut().unwrap() {
        for dependency in workload["dependencies"].as_array_mut().into_iter().flatten() {
            dependency.as_object_mut().unwrap().remove("maxNetworkCost");
        }
    }
    group
}

struct Bench {
    cluster: Cluster,
}

impl Bench {
    fn json(&self, args: &[&str]) -> Value {
        serde_json::from_str(&self.cluster.kubectl(&[args, &["-o", "json"]].concat()).unwrap()).unwrap()
    }

    fn apply(&self, items: &[Value]) {
        let list = json!({"apiVersion": "v1", "kind": "List", "items": items});
        self.cluster.apply(&list.to_string()).unwrap();
    }

    /// Has a scheduler place one pod of each workload in a namespace of their own; what an edge costs them in the mean.
    fn places(&self, scheduler: &str, namespace: &str) -> f64 {
        let pod = |name: &&str| {
            json!({
                "apiVersion": "v1", "kind": "Pod",
                "metadata": {"namespace": namespace, "name": name, "labels": {
                    "appgroup.diktyo.x-k8s.io": "online-boutique", "appgroup.diktyo.x-k8s.io.workload": name,
                }},
                "spec": {"schedulerName": scheduler, "nodeSelector": {"type": "kwok"}, "terminationGracePeriodSeconds": 0,
                    "containers": [{"name": "c", "image": "shop/pod:1", "resources": {"limits": {"example.com/third": "1"}}}]},
            })
        };
        self.apply(&[
            json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace}}),
            group(namespace),
        ]);
        self.apply(&BOUTIQUE.iter().map(pod).collect::<Vec<_>>());
        let placed = until(&format!("{scheduler} placed {namespace}"), 90, || {
            let pods = self.json(&["get", "pods", "-n", namespace])["items"].as_array().unwrap().clone();
            pods.iter().all(|pod| pod["spec"]["nodeName"].is_string()).then_some(pods)
        });
        let mean = self.mean_cost(&placed, namespace);
        self.cluster.kubectl(&["delete", "pods", "--all", "-n", namespace, "--force", "--grace-period=0"]).unwrap();
        mean
    }

    fn mean_cost(&self, placed: &[Value], namespace: &str) -> f64 {
        let mut state = State::default();
        for node in self.json(&["get", "nodes", "--selector=type=kwok"])["items"].as_array().unwrap() {
            state.apply(Event::node(&serde_json::from_value(node.clone()).unwrap()));
        }
        let group = network::group(&group(namespace));
        let edges = u32::try_from(group.graph.edges().len()).unwrap();
        state.apply(Event::GroupApplied(Box::new(group)));
        state.apply(Event::TopologyApplied(Box::new(network::topology(&topology(), network::WEIGHTS))));
        let pods: Vec<Pod> = placed
            .iter()
            .map(|pod| keelson_cluster::read::pod(&serde_json::from_value(pod.clone()).unwrap()).pod)
            .collect();
        let snapshot = state.live().snapshot_for(&pods[0]);
        let at = |pod: &Value| snapshot.nodes().position(|node| node.name == pod["spec"]["nodeName"]).unwrap();
        let nodes: Vec<usize> = placed.iter().map(at).collect();
        let total = u32::try_from(cost(&pods, &snapshot, &nodes)).unwrap();
        f64::from(total) / f64::from(edges)
    }
}

#[test]
fn online_boutique_is_nearer_to_itself_than_where_kube_scheduler_puts_it() {
    let cluster = Cluster::start(Config { real_nodes: 0, kwok_nodes: 8, ..Config::default() }).unwrap();
    let kubeconfig = install(&cluster);
    let bench = Bench { cluster };
    let names: Vec<String> = bench.json(&["get", "nodes", "--selector=type=kwok"])["items"]
        .as_array()
        .unwrap()
        .iter()
        .map(|node| node["metadata"]["name"].as_str().unwrap().to_owned())
        .collect();
    assert_eq!(names.len(), 2 * PLACES.len());
    for (index, name) in names.iter().enumerate() {
        let (region, zone) = PLACES[index / 2];
        let labels = [format!("topology.kubernetes.io/region={region}"), format!("topology.kubernetes.io/zone={zone}")];
        bench.cluster.kubectl(&["label", "node", name, &labels[0], &labels[1], "--overwrite"]).unwrap();
        let three = r#"{"status":{"capacity":{"example.com/third":"3"},"allocatable":{"example.com/third":"3"}}}"#;
        bench.cluster.kubectl(&["patch", "node", name, "--subresource=status", "--type=merge", "-p", three]).unwrap();
    }
    let platform = |wait: u32| {
        json!({"apiVersion": "keelson.dev/v1alpha1", "kind": "Platform", "metadata": {"name": "default"}, "spec":
            {"features": {"scheduling": {"mode": "Enforce", "settings":
                {"layout": "Shared", "headroomPercent": 0, "groupWaitSeconds": wait}}}}})
    };
    bench.apply(&[topology(), platform(30)]);
    let up = Up::start(&["--kubeconfig", kubeconfig.to_str().unwrap()]);
    until("the topology is accepted", 60, || {
        let topology = bench.json(&["get", "networktopology", "nt-default", "-n", "default"]);
        (topology["status"]["conditions"][0]["status"] == "True").then_some(())
    });

    let theirs: Vec<f64> = (0..5).map(|run| bench.places("default-scheduler", &format!("theirs-{run}"))).collect();
    let together = bench.places("keelson", "together");
    let (why, code) = up.ask(&["why", "pod/frontend", "-n", "together"]);
    assert!(code == 0 && why.contains("placed as a unit"), "{why}");
    bench.apply(&[platform(0)]);
    let alone = bench.places("keelson", "alone");
    let mean = theirs.iter().sum::<f64>() / 5.0;
    println!(
        "mean edge cost: kube-scheduler {mean:.2} ({theirs:.2?}), Keelson pod by pod {alone:.2}, as a unit {together:.2}"
    );
    assert!(together <= 2.3, "{together} as a unit");
    assert!(alone < mean, "{alone} pod by pod, {mean} by kube-scheduler");
}
