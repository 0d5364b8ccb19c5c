//! The real kube-scheduler with Keelson as its extender, asked by all four verbs.
//!
//! kube-scheduler's own checks of taints and all of its scores are turned off, so that only Keelson's answers can be the
//! reason for what is seen. Needs root and Go, as every test of the real cluster does.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod support;

use keelson_harness::{Cluster, Config};
use serde_json::{Value, json};
use support::install::install;
use support::{KEELSON, Up, until};

/// Nobody else is in the cluster's network.
const ADDRESS: &str = "127.0.0.1:9090";

fn asking_keelson() -> Value {
    json!({
        "profiles": [{"schedulerName": "default-scheduler", "plugins": {
            "filter": {"disabled": [{"name": "TaintToleration"}]}, "score": {"disabled": [{"name": "*"}]}}}],
        "extenders": [{"urlPrefix": format!("http://{ADDRESS}/scheduling"), "filterVerb": "filter",
            "prioritizeVerb": "prioritize", "preemptVerb": "preempt", "bindVerb": "bind", "weight": 10,
            "nodeCacheCapable": true, "ignorable": true}],
    })
}

/// A cluster whose kube-scheduler asks, and a kubeconfig with Keelson's rights.
fn cluster() -> (Cluster, String) {
    let config = Config { kwok_nodes: 3, scheduler_configuration: asking_keelson(), ..Config::default() };
    let cluster = Cluster::start(config).unwrap();
    let class = |name: &str, value: i32| json!({"apiVersion": "scheduling.k8s.io/v1", "kind": "PriorityClass", "metadata": {"name": name}, "value": value});
    let items = [class("cheap", -10), class("dear", -5), class("urgent", 1_000)];
    cluster.apply(&json!({"apiVersion": "v1", "kind": "List", "items": items}).to_string()).unwrap();
    let kubeconfig = install(&cluster).to_str().unwrap().to_owned();
    (cluster, kubeconfig)
}

/// A pod that asks for so much cpu on one of these nodes.
fn pod(name: &str, cpu: &str, nodes: &[&str]) -> Value {
    let there = json!([{"matchExpressions": [{"key": "kubernetes.io/hostname", "operator": "In", "values": nodes}]}]);
    json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"namespace": "default", "name": name}, "spec": {
        "affinity": {"nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": there}}},
        "containers": [{"name": "c", "image": "shop/c:1", "resources": {"requests": {"cpu": cpu}}}]}})
}

fn of_class(mut pod: Value, class: &str) -> Value {
    pod["spec"]["priorityClassName"] = json!(class);
    pod["spec"]["tolerations"] = json!([{"key": "kept", "operator": "Exists"}]);
    if class == "urgent" {
        pod["spec"]["tolerations"] = json!([]);
    }
    pod
}

fn of(cluster: &Cluster, name: &str, path: &str) -> Option<String> {
    let asked = ["get", "pod", name, "-n", "default", "-o", path];
    cluster.kubectl(&asked).ok().filter(|text| !text.is_empty())
}

fn node_of(cluster: &Cluster, name: &str) -> String {
    until(&format!("{name} has a node"), 60, || of(cluster, name, "jsonpath={.spec.nodeName}"))
}

/// Keelson in the cluster's network, and questions to it.
struct Inside<'a> {
    cluster: &'a Cluster,
    up: Up,
}

impl<'a> Inside<'a> {
    fn start(cluster: &'a Cluster, kubeconfig: &str) -> Self {
        let args = ["--kubeconfig", kubeconfig, "--extender", ADDRESS];
        Self { cluster, up: Up::start_by(cluster.command(KEELSON), &args) }
    }

    fn ask(&self, args: &[&str]) -> String {
        let (said, code) = self.up.ask_by(self.cluster.command(KEELSON), args);
        assert_eq!(code, 0, "{said}");
        said
    }

    fn told(&self, pod: &str, reason: &str) -> Option<Value> {
        let subject = format!("pod/{pod}");
        let args = ["decisions", "-o", "json", "-n", "default", "--subject", &subject, "--reason", reason];
        let answer: Value = serde_json::from_str(&self.ask(&args)).unwrap();
        answer["decisions"].as_array().unwrap().first().cloned()
    }

    fn decision(&self, pod: &str, reason: &str) -> Value {
        until(&format!("{reason} of {pod}"), 30, || self.told(pod, reason))
    }
}

/// Who bound which pods, by the API server's log.
fn bound_by(cluster: &Cluster, user: &str) -> Vec<String> {
    let bound = cluster.audited().unwrap().into_iter().filter(|event| {
        event["user"]["username"] == user
            && event["objectRef"]["subresource"] == "binding"
            && event["responseStatus"]["code"] == 201
    });
    bound.map(|event| event["objectRef"]["name"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn kube_scheduler_asks_keelson_which_node_how_good_whom_to_evict_and_to_bind() {
    const ALL: [&str; 3] = ["kwok-0", "kwok-1", "kwok-2"];
    let (cluster, kubeconfig) = cluster();
    // Nobody answers, and the cluster goes on.
    cluster.apply(&pod("before", "100m", &ALL).to_string()).unwrap();
    node_of(&cluster, "before");
    cluster.kubectl(&["delete", "pod", "before", "-n", "default", "--wait=false"]).unwrap();

    cluster.kubectl(&["taint", "nodes", "kwok-0", "kept=true:NoSchedule"]).unwrap();
    let keelson = Inside::start(&cluster, &kubeconfig);
    // kube-scheduler knows of nothing that is against this node. Before Keelson enforces it is not told either, and before
    // Keelson leads the answer is not recorded: then another pod is tried.
    let mut tries = 0;
    let message = r#"jsonpath={.status.conditions[?(@.type=="PodScheduled")].message}"#;
    let (said, refused) = until("Keelson refuses a tainted node", 60, || {
        tries += 1;
        let name = format!("refused-{tries}");
        cluster.apply(&pod(&name, "10m", &["kwok-0"]).to_string()).unwrap();
        let placed = || of(&cluster, &name, "jsonpath={.spec.nodeName}");
        until("a verdict", 30, || of(&cluster, &name, message).or_else(placed));
        Some((of(&cluster, &name, message)?, keelson.told(&name, "Unschedulable")?))
    });
    assert!(said.contains("1 node(s) had untolerated taint(s)"), "{said}");
    let sentence = refused["sentence"].as_str().unwrap();
    assert!(sentence.starts_with("None of 1 nodes that default-scheduler asked about can hold it"), "{sentence}");

    // Of two nodes between which kube-scheduler makes no difference the emptier one is taken, every time.
    cluster.apply(&of_class(pod("load", "3", &["kwok-1"]), "dear").to_string()).unwrap();
    assert_eq!(node_of(&cluster, "load"), "kwok-1");
    let placed: Vec<String> = (0..6).map(|number| format!("small-{number}")).collect();
    for name in &placed {
        cluster.apply(&pod(name, "100m", &ALL).to_string()).unwrap();
        assert_eq!(node_of(&cluster, name), "kwok-2");
        let bound = keelson.decision(name, "BoundOnRequest");
        assert_eq!((&bound["outcome"], &bound["chosen"]), (&json!("Done"), &json!("kwok-2")), "{bound:#}");
    }
    let why = keelson.ask(&["why", "pod/small-0", "-n", "default"]);
    assert!(why.contains("Bound to kwok-2, which default-scheduler chose, as Keelson would have of "), "{why}");
    let ours = bound_by(&cluster, "system:serviceaccount:default:keelson");
    assert!(placed.iter().all(|name| ours.contains(name)), "{ours:?}");

    // kube-scheduler would evict the cheaper pod, which does not make a node of it that the urgent one tolerates.
    cluster.apply(&of_class(pod("spare", "3500m", &["kwok-0"]), "cheap").to_string()).unwrap();
    assert_eq!(node_of(&cluster, "spare"), "kwok-0");
    cluster.apply(&of_class(pod("urgent", "3500m", &["kwok-0", "kwok-1"]), "urgent").to_string()).unwrap();
    assert_eq!(node_of(&cluster, "urgent"), "kwok-1");
    assert!(of(&cluster, "spare", "jsonpath={.spec.nodeName}").is_some(), "the spare pod stays");
    assert!(of(&cluster, "load", "jsonpath={.spec.nodeName}").is_none(), "the dear pod made room");

    drop(keelson);
    cluster.apply(&pod("after", "100m", &["kwok-2"]).to_string()).unwrap();
    assert_eq!(node_of(&cluster, "after"), "kwok-2");
    assert!(!bound_by(&cluster, "system:serviceaccount:default:keelson").contains(&"after".to_owned()));
    cluster.asked_only_what_is_known().unwrap_or_else(|error| panic!("{error:#}"));
}
