//! Keelson beside the real kube-scheduler on one real control plane: in a pool of its own, with a namespace that opts in; and in
//! its place.
//!
//! Needs root and Go, as every test of the real cluster does.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]
#![allow(clippy::disallowed_methods, reason = "a test that waits for real processes waits in real time")]

mod support;

use keelson::permissions;
use keelson_harness::faults::Component;
use keelson_harness::{Cluster, Config};
use keelson_runtime::Scope;
use serde_json::{Value, json};
use support::install::{install, rules};
use support::{Up, until};

const OPT_IN: &str = include_str!("../../../deploy/admission/opt-in.yaml");
/// What Keelson is called in the API server's log.
const KEELSON: &str = "system:serviceaccount:default:keelson";

/// client-go's times, and a Lease.
fn elected() -> Value {
    json!({"leaderElection": {"leaderElect": true}})
}

struct Bench {
    cluster: Cluster,
}

impl Bench {
    fn pod(&self, namespace: &str, name: &str, more: &Value) {
        let mut spec = json!({"containers": [{"name": "c", "image": "shop/c:1"}]});
        for (field, value) in more.as_object().unwrap() {
            spec[field] = value.clone();
        }
        let metadata = json!({"namespace": namespace, "name": name});
        let pod = json!({"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": spec});
        self.cluster.apply(&pod.to_string()).unwrap();
    }

    fn seen(&self, namespace: &str, name: &str) -> Value {
        let text = self.cluster.kubectl(&["get", "pod", name, "-n", namespace, "-o", "json"]).unwrap();
        serde_json::from_str(&text).unwrap()
    }

    fn node_of(&self, namespace: &str, name: &str) -> Option<String> {
        self.seen(namespace, name)["spec"]["nodeName"].as_str().map(str::to_owned)
    }

    fn settings(&self, settings: &Value) {
        let patch = json!({"spec": {"features": {"scheduling": {"settings": settings}}}}).to_string();
        self.cluster.kubectl(&["patch", "platform", "default", "--type=merge", "-p", &patch]).unwrap();
    }

    /// Reason and message of the condition that says whether nodes are divided as they should be.
    fn said(&self) -> (String, String) {
        let text = self.cluster.kubectl(&["get", "platform", "default", "-o", "json"]).unwrap();
        let platform: Value = serde_json::from_str(&text).unwrap();
        let conditions =
            platform["status"]["features"]["scheduling"]["conditions"].as_array().cloned().unwrap_or_default();
        let sound = conditions.into_iter().find(|condition| condition["type"] == "LayoutSound").unwrap_or_default();
        let text = |field: &str| sound[field].as_str().unwrap_or_default().to_owned();
        (text("reason"), text("message"))
    }

    fn until_said(&self, reason: &str, seconds: u64) -> String {
        until(reason, seconds, || Some(self.said()).filter(|(said, _)| said == reason)).1
    }

    /// Who bound a pod, by the API server's log.
    fn binder(&self, name: &str) -> Option<String> {
        let bound = |event: &Value| {
            event["objectRef"]["subresource"] == "binding"
                && event["objectRef"]["name"] == name
                && event["responseStatus"]["code"] == 201
        };
        let event = self.cluster.audited().unwrap().into_iter().find(bound)?;
        event["user"]["username"].as_str().map(str::to_owned)
    }
}

/// A cluster whose kube-scheduler is elected, and a kubeconfig with Keelson's rights, those to replace it included.
fn bench() -> (Bench, String) {
    let config = Config { kwok_nodes: 3, scheduler_configuration: elected(), ..Config::default() };
    let cluster = Cluster::start(config).unwrap();
    install(&cluster);
    let more = permissions::replacing().policy_rules(Scope::Cluster);
    let all: Vec<Value> = rules().into_iter().chain(more.iter().map(|rule| json!(rule))).collect();
    let kubeconfig = cluster.user("keelson", &all).unwrap().to_str().unwrap().to_owned();
    (Bench { cluster }, kubeconfig)
}

#[test]
fn a_namespace_opts_in_to_the_pool_and_kube_scheduler_is_replaced_once_it_is_gone() {
    let (mut bench, kubeconfig) = bench();
    bench.settings(&json!({"layout": "Dedicated", "headroomPercent": 10}));
    bench.cluster.apply(OPT_IN).unwrap();
    let label = json!({"keelson.dev/scheduling": "enabled"});
    for (name, labels) in [("shop", label), ("plain", json!({}))] {
        let metadata = json!({"name": name, "labels": labels});
        bench
            .cluster
            .apply(&json!({"apiVersion": "v1", "kind": "Namespace", "metadata": metadata}).to_string())
            .unwrap();
    }
    let up = Up::start(&["--kubeconfig", &kubeconfig]);
    opted_in(&bench, &up);
    left_alone(&bench, &up);
    replaced(&mut bench, &up);
}

fn opted_in(bench: &Bench, up: &Up) {
    assert!(bench.until_said("NoPoolNodes", 60).contains("label nodes keelson.dev/pool=scheduling"));
    // The API server notices a policy, and that Keelson acts, a little later.
    let mut tries = 0;
    let name = until("a pod is made Keelson's", 60, || {
        tries += 1;
        let name = format!("web-{tries}");
        bench.pod("shop", &name, &json!({"tolerations": [{"key": "spot", "operator": "Exists"}]}));
        (bench.seen("shop", &name)["spec"]["schedulerName"] == "keelson").then_some(name)
    });
    let tolerations = bench.seen("shop", &name)["spec"]["tolerations"].clone();
    let pool = json!({"key": "keelson.dev/pool", "operator": "Equal", "value": "scheduling", "effect": "NoSchedule"});
    assert!(tolerations.as_array().unwrap().contains(&pool), "{tolerations}");
    assert!(tolerations.as_array().unwrap().iter().any(|one| one["key"] == "spot"), "what it tolerated it still does");
    bench.pod("shop", "bare", &json!({}));
    let bare = bench.seen("shop", "bare")["spec"].clone();
    assert_eq!(bare["schedulerName"], "keelson");
    assert!(bare["tolerations"].as_array().unwrap().contains(&pool), "{bare:#}");

    // There is no node for it, which is said; then there is one.
    until("it is said that the pool is empty", 30, || {
        let (why, _) = up.ask(&["why", "pod/bare", "-n", "shop"]);
        why.contains("No node is in Keelson's pool").then_some(())
    });
    bench.cluster.kubectl(&["label", "node", "kwok-1", "keelson.dev/pool=scheduling"]).unwrap();
    let message = bench.until_said("PoolNotExclusive", 30);
    assert!(message.contains("1 of 1 (kwok-1)"), "{message}");
    let command = message.split("Taint them: kubectl ").nth(1).unwrap();
    bench.cluster.kubectl(&command.split(' ').collect::<Vec<_>>()).unwrap();
    bench.until_said("PoolExclusive", 30);
    for name in [name.as_str(), "bare"] {
        assert_eq!(until(name, 30, || bench.node_of("shop", name)), "kwok-1");
        assert_eq!(bench.binder(name).as_deref(), Some(KEELSON));
    }
}

fn left_alone(bench: &Bench, up: &Up) {
    // A namespace that does not opt in, one that names a scheduler, one that lowers the mode.
    bench.pod("plain", "theirs", &json!({}));
    assert_eq!(bench.seen("plain", "theirs")["spec"]["schedulerName"], "default-scheduler");
    let placed = until("kube-scheduler places it", 30, || bench.node_of("plain", "theirs"));
    assert_ne!(placed, "kwok-1", "it keeps off the pool");
    bench.pod("shop", "other", &json!({"schedulerName": "volcano"}));
    assert_eq!(bench.seen("shop", "other")["spec"]["schedulerName"], "volcano");
    let lowered = json!({"apiVersion": "v1", "kind": "Pod",
        "metadata": {"namespace": "shop", "name": "lowered", "annotations": {"keelson.dev/mode": "observe"}},
        "spec": {"containers": [{"name": "c", "image": "shop/c:1"}]}});
    bench.cluster.apply(&lowered.to_string()).unwrap();
    assert_eq!(bench.seen("shop", "lowered")["spec"]["schedulerName"], "default-scheduler");

    // What Keelson cannot place is kube-scheduler's, and it is said why.
    let driver = "gpus.example.com";
    let objects = [
        json!({"apiVersion": "resource.k8s.io/v1", "kind": "DeviceClass", "metadata": {"name": "gpu"}, "spec": {}}),
        json!({"apiVersion": "resource.k8s.io/v1", "kind": "ResourceSlice", "metadata": {"name": "kwok-2-gpus"}, "spec": {
            "driver": driver, "nodeName": "kwok-2", "pool": {"name": "kwok-2", "generation": 1, "resourceSliceCount": 1},
            "devices": [{"name": "gpu-0"}]}}),
        json!({"apiVersion": "resource.k8s.io/v1", "kind": "ResourceClaim", "metadata": {"namespace": "shop", "name": "gpu"},
            "spec": {"devices": {"requests": [{"name": "one", "exactly": {"deviceClassName": "gpu"}}]}}}),
    ];
    bench.cluster.apply(&json!({"apiVersion": "v1", "kind": "List", "items": objects}).to_string()).unwrap();
    bench.pod("shop", "train", &json!({"resourceClaims": [{"name": "gpu", "resourceClaimName": "gpu"}]}));
    let spec = bench.seen("shop", "train")["spec"].clone();
    assert_eq!(spec["schedulerName"], "default-scheduler");
    assert!(!spec["tolerations"].to_string().contains("keelson.dev/pool"), "{spec:#}");
    assert_eq!(until("kube-scheduler places what Keelson cannot", 30, || bench.node_of("shop", "train")), "kwok-2");
    let why = until("it is said why it was left alone", 30, || {
        let (why, _) = up.ask(&["why", "pod/train", "-n", "shop"]);
        why.contains("was left alone").then_some(why)
    });
    assert!(why.contains("spec.resourceClaims: dynamic resource allocation is not implemented"), "{why}");
    assert!(!up.decisions(&["--reason", "LeftAlone"]).is_empty());
}

fn replaced(bench: &mut Bench, up: &Up) {
    // While kube-scheduler renews its Lease, Keelson holds, and says who leads.
    bench.settings(&json!({"layout": "Replacement"}));
    let lease = ["get", "lease", "kube-scheduler", "-n", "kube-system", "-o", "jsonpath={.spec.holderIdentity}"];
    let holder = bench.cluster.kubectl(&lease).unwrap();
    let message = until("it is said who leads", 30, || Some(bench.said().1).filter(|said| said.contains(&holder)));
    assert!(message.contains("kube-system/kube-scheduler"), "{message}");
    bench.pod("plain", "late", &json!({"nodeSelector": {"late": "yes"}}));
    let why = until("the pod says so, too", 30, || {
        let (why, _) = up.ask(&["why", "pod/late", "-n", "plain"]);
        why.contains(&holder).then_some(why)
    });
    assert!(why.contains("is not touched"), "{why}");
    std::thread::sleep(std::time::Duration::from_secs(20));
    assert_eq!(bench.said().0, "OtherSchedulerLeads", "however long it is renewed");

    // It stops, and its Lease runs out before anything of its is bound.
    bench.cluster.stop(Component::Scheduler).unwrap();
    bench.cluster.kubectl(&["label", "node", "kwok-0", "late=yes"]).unwrap();
    let stopped = std::time::Instant::now();
    until("Keelson takes over", 60, || bench.node_of("plain", "late"));
    let waited = stopped.elapsed().as_secs();
    assert!(waited >= 10, "bound {waited} s after the other was stopped, whose Lease lasts 15 s");
    assert_eq!(bench.binder("late").as_deref(), Some(KEELSON));
    bench.until_said("Replaces", 10);
    bench.pod("plain", "next", &json!({}));
    until("it goes on", 30, || bench.node_of("plain", "next"));
    assert_eq!(bench.binder("next").as_deref(), Some(KEELSON));

    // It comes back, and Keelson holds again.
    bench.cluster.start_again(Component::Scheduler).unwrap();
    bench.until_said("OtherSchedulerLeads", 60);
    bench.pod("plain", "again", &json!({}));
    until("kube-scheduler places it", 60, || bench.node_of("plain", "again"));
    assert_ne!(bench.binder("again").as_deref(), Some(KEELSON));
    let twice = bench
        .cluster
        .audited()
        .unwrap()
        .into_iter()
        .filter(|event| event["objectRef"]["subresource"] == "binding" && event["responseStatus"]["code"] == 409);
    assert_eq!(twice.count(), 0, "nothing was bound twice");
}
