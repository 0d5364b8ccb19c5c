//! What the network costs two applications where kube-scheduler puts them, and where Keelson does, on one real control plane.
//!
//! Online Boutique on the nodes and costs of NetworkOverhead's own test (scheduler-plugins @903da7d): eight nodes in two
//! regions of two zones each; three pods fit on a node. The streaming application of `e2e/apps` on the 36 machines of the
//! simulated evening, with all of its rules, but without its volumes: nobody makes them here. Groups and scheduler are as
//! published.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod support;

use std::path::Path;
use std::time::Duration;

use keelson_cluster::read::network;
use keelson_cluster::{Event, State};
use keelson_harness::cluster::wait_for_nodes;
use keelson_harness::{Cluster, Config};
use keelson_placement::Pod;
use keelson_placement::network::joint::cost;
use serde_json::{Value, json};
use support::install::install;
use support::{BOUTIQUE, Up, until};

const GROUP: &str = include_str!("../../../e2e/apps/online-boutique/appgroup.yaml");
const STREAMING: &str = include_str!("../../../e2e/apps/streaming/app.yaml");
const STREAMING_GROUP: &str = include_str!("../../../e2e/apps/streaming/appgroup.yaml");
const STREAMING_COSTS: &str = include_str!("../../../e2e/apps/network-topology.yaml");
const WORKLOAD: &str = "appgroup.diktyo.x-k8s.io.workload";
/// How often kube-scheduler places each.
const RUNS: usize = 5;
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

/// Pods and the group that ties them.
struct App {
    group: Value,
    topology: Value,
    pods: Vec<Value>,
}

impl App {
    fn boutique() -> Self {
        let pod = |name: &&str| {
            json!({
                "apiVersion": "v1", "kind": "Pod",
                "metadata": {"name": name, "labels": {
                    "appgroup.diktyo.x-k8s.io": "online-boutique", WORKLOAD: name,
                }},
                "spec": {"containers": [{"name": "c", "image": "shop/pod:1", "resources": {"limits": {"example.com/third": "1"}}}]},
            })
        };
        let group = serde_saphyr::from_str(GROUP).unwrap();
        Self { group, topology: topology(), pods: BOUTIQUE.iter().map(pod).collect() }
    }

    fn streaming() -> Self {
        let objects = STREAMING.split("\n---\n").map(|text| serde_saphyr::from_str::<Value>(text).unwrap());
        let workloads = objects.filter(|object| object["spec"]["template"]["metadata"]["labels"][WORKLOAD].is_string());
        let pods = workloads.flat_map(|workload| {
            let template = &workload["spec"]["template"];
            let mut spec = template["spec"].clone();
            spec.as_object_mut().unwrap().remove("volumes");
            for containers in ["initContainers", "containers"] {
                for container in spec[containers].as_array_mut().into_iter().flatten() {
                    container.as_object_mut().unwrap().remove("volumeMounts");
                }
            }
            let name = workload["metadata"]["name"].as_str().unwrap().to_owned();
            let labels = template["metadata"]["labels"].clone();
            (0..workload["spec"]["replicas"].as_u64().unwrap()).map(move |index| {
                json!({"apiVersion": "v1", "kind": "Pod",
                    "metadata": {"name": format!("{name}-{index}"), "labels": labels}, "spec": spec})
            })
        });
        let pods = pods.collect();
        let read = |text: &str| serde_saphyr::from_str(text).unwrap();
        Self { group: read(STREAMING_GROUP), topology: read(STREAMING_COSTS), pods }
    }

    /// The group in another namespace, without bounds: what a dearer placement costs is to be seen, not forbidden.
    fn group(&self, namespace: &str) -> Value {
        let mut group = self.group.clone();
        group["metadata"]["namespace"] = json!(namespace);
        for workload in group["spec"]["workloads"].as_array_mut().unwrap() {
            for dependency in workload["dependencies"].as_array_mut().into_iter().flatten() {
                dependency.as_object_mut().unwrap().remove("maxNetworkCost");
            }
        }
        group
    }

    /// How many pairs of pods talk to each other.
    fn pairs(&self) -> u32 {
        let count = |of: &Value| self.pods.iter().filter(|pod| pod["metadata"]["labels"][WORKLOAD] == *of).count();
        let workloads = self.group["spec"]["workloads"].as_array().unwrap();
        let pairs = workloads.iter().flat_map(|workload| {
            let dependencies = workload["dependencies"].as_array().into_iter().flatten();
            dependencies.map(|on| count(&workload["workload"]["selector"]) * count(&on["workload"]["selector"]))
        });
        u32::try_from(pairs.sum::<usize>()).unwrap()
    }
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

    /// Has a scheduler place the pods in a namespace of their own; what an edge costs them in the mean.
    fn places(&self, app: &App, scheduler: &str, namespace: &str) -> f64 {
        let mut pods = app.pods.clone();
        for pod in &mut pods {
            pod["metadata"]["namespace"] = json!(namespace);
            pod["spec"]["schedulerName"] = json!(scheduler);
            pod["spec"]["nodeSelector"] = json!({"type": "kwok"});
        }
        self.apply(&[
            json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace}}),
            app.group(namespace),
        ]);
        self.apply(&pods);
        let placed = until(&format!("{scheduler} placed {namespace}"), 90, || {
            let pods = self.json(&["get", "pods", "-n", namespace])["items"].as_array().unwrap().clone();
            pods.iter().all(|pod| pod["spec"]["nodeName"].is_string()).then_some(pods)
        });
        let mean = self.mean_cost(app, &placed, namespace);
        self.cluster.kubectl(&["delete", "pods", "--all", "-n", namespace, "--force", "--grace-period=0"]).unwrap();
        mean
    }

    fn mean_cost(&self, app: &App, placed: &[Value], namespace: &str) -> f64 {
        let mut state = State::default();
        for node in self.json(&["get", "nodes", "--selector=type=kwok"])["items"].as_array().unwrap() {
            state.apply(Event::node(&serde_json::from_value(node.clone()).unwrap()));
        }
        state.apply(Event::GroupApplied(Box::new(network::group(&app.group(namespace)))));
        state.apply(Event::TopologyApplied(Box::new(network::topology(&app.topology, network::WEIGHTS))));
        let pods: Vec<Pod> = placed
            .iter()
            .map(|pod| keelson_cluster::read::pod(&serde_json::from_value(pod.clone()).unwrap()).pod)
            .collect();
        let snapshot = state.live().snapshot_for(&pods[0]);
        let at = |pod: &Value| snapshot.nodes().position(|node| node.name == pod["spec"]["nodeName"]).unwrap();
        let nodes: Vec<usize> = placed.iter().map(at).collect();
        let total = u32::try_from(cost(&pods, &snapshot, &nodes)).unwrap();
        f64::from(total) / f64::from(app.pairs())
    }
}

impl Bench {
    /// What an edge costs the application by kube-scheduler, by Keelson as a unit, and by Keelson pod by pod.
    fn compare(&self, app: &App, kubeconfig: &Path) -> ([f64; RUNS], f64, f64) {
        let platform = |wait: u32| {
            json!({"apiVersion": "keelson.dev/v1alpha1", "kind": "Platform", "metadata": {"name": "default"}, "spec":
                {"features": {"scheduling": {"mode": "Enforce", "settings":
                    {"layout": "Shared", "headroomPercent": 0, "groupWaitSeconds": wait}}}}})
        };
        self.apply(&[app.topology.clone(), platform(30)]);
        let up = Up::start(&["--kubeconfig", kubeconfig.to_str().unwrap()]);
        until("the topology is accepted", 60, || {
            let topology = self.json(&["get", "networktopology", "nt-default", "-n", "default"]);
            (topology["status"]["conditions"][0]["status"] == "True").then_some(())
        });
        let theirs = std::array::from_fn(|run| self.places(app, "default-scheduler", &format!("theirs-{run}")));
        let together = self.places(app, "keelson", "together");
        let first = app.pods[0]["metadata"]["name"].as_str().unwrap();
        let (why, code) = up.ask(&["why", &format!("pod/{first}"), "-n", "together"]);
        assert!(code == 0 && why.contains("placed as a unit"), "{why}");
        self.apply(&[platform(0)]);
        (theirs, together, self.places(app, "keelson", "alone"))
    }
}

/// The machines of the simulated evening, a zone of it.
fn machines(zone: &str) -> Vec<Value> {
    let kinds =
        [("gpu", 1, "48", "192Gi"), ("edge", 6, "8", "32Gi"), ("core", 3, "16", "64Gi"), ("spot", 2, "8", "16Gi")];
    let machine = |kind: &str, cpu: &str, memory: &str, index: usize| {
        let name = format!("{kind}-{zone}-{index}");
        let mut resources = json!({"cpu": cpu, "memory": memory, "pods": "110"});
        let taints = match kind {
            "gpu" => {
                resources["nvidia.com/gpu"] = json!("4");
                json!([{"key": "nvidia.com/gpu", "value": "present", "effect": "NoSchedule"}])
            }
            "spot" => json!([{"key": "spot", "value": "true", "effect": "NoSchedule"}]),
            _ => json!([]),
        };
        json!({"apiVersion": "v1", "kind": "Node",
            "metadata": {"name": name, "annotations": {"kwok.x-k8s.io/node": "fake"}, "labels": {
                "type": "kwok", "kubernetes.io/hostname": name, "kubernetes.io/os": "linux", "kubernetes.io/arch": "amd64",
                "karpenter.sh/capacity-type": if kind == "spot" { "spot" } else { "on-demand" },
                "topology.kubernetes.io/region": "eu-west-1", "topology.kubernetes.io/zone": zone}},
            "spec": {"taints": taints}, "status": {"capacity": resources, "allocatable": resources}})
    };
    kinds
        .iter()
        .flat_map(|(kind, count, cpu, memory)| (0..*count).map(|index| machine(kind, cpu, memory, index)))
        .collect()
}

#[test]
fn the_streaming_application_is_nearer_to_itself_than_where_kube_scheduler_puts_it() {
    let cluster = Cluster::start(Config::default()).unwrap();
    let kubeconfig = install(&cluster);
    let bench = Bench { cluster };
    let nodes: Vec<Value> = ["eu-west-1a", "eu-west-1b", "eu-west-1c"].iter().flat_map(|zone| machines(zone)).collect();
    bench.apply(&nodes);
    wait_for_nodes(&bench.cluster, nodes.len(), Duration::from_secs(60)).unwrap();
    let classes = STREAMING.split("\n---\n").filter(|text| text.contains("kind: PriorityClass"));
    bench.apply(&classes.map(|text| serde_saphyr::from_str(text).unwrap()).collect::<Vec<Value>>());
    let app = App::streaming();
    assert_eq!(Value::from(app.pods.len()), app.group["spec"]["numMembers"]);
    let (theirs, together, alone) = bench.compare(&app, &kubeconfig);
    let mean = theirs.iter().sum::<f64>() / RUNS as f64;
    println!(
        "mean edge cost: kube-scheduler {mean:.2} ({theirs:.2?}), Keelson pod by pod {alone:.2}, as a unit {together:.2}"
    );
    assert!(together < mean && alone < mean, "{together} as a unit, {alone} pod by pod, {mean} by kube-scheduler");
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
    let (theirs, together, alone) = bench.compare(&App::boutique(), &kubeconfig);
    let mean = theirs.iter().sum::<f64>() / RUNS as f64;
    println!(
        "mean edge cost: kube-scheduler {mean:.2} ({theirs:.2?}), Keelson pod by pod {alone:.2}, as a unit {together:.2}"
    );
    assert!(together <= 2.3, "{together} as a unit");
    assert!(alone < mean, "{alone} pod by pod, {mean} by kube-scheduler");
}
