//! The oracle beside the real kube-scheduler, on a real control plane: what the one foretells, the other does.
//!
//! The cases are stored, read back as the API server keeps them, and shown to the oracle; then the pod is released and the
//! scheduler's deed is compared: the node, the words of a refusal, whom it evicts. Needs root and Go.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod support;

use std::collections::{BTreeMap, BTreeSet};

use keelson_harness::cluster::{Cluster, Config};
use keelson_parity::feature::{Feature, Mode};
use keelson_parity::generate::case;
use keelson_parity::oracle::{Answer, Code, Oracle};
use keelson_parity::request::Request;
use serde_json::{Value, json};
use support::{Api, until};

/// How many cases are lived.
const CASES: usize = 200;
/// What a stored pod cannot have: a name makes it assigned, and whom another scheduler nominated upstream does not ask.
const LEFT_OUT: [Feature; 2] = [Feature::NodeName, Feature::Nominated];

#[tokio::test]
async fn the_real_scheduler_does_what_the_oracle_foretells() {
    let cluster = Cluster::start(Config { controllers: false, audit: false, ..Config::default() }).unwrap();
    let api = Api::at(&cluster.kubeconfig()).await;
    api.prepare().await;
    let mut oracle = Oracle::start().unwrap();
    let mut deeds: BTreeMap<&str, u32> = BTreeMap::new();
    let cases = (0..).map(|seed| case(seed, Mode::Mixed));
    let cases = cases.filter(|case| !LEFT_OUT.iter().any(|feature| case.features.contains(feature)));
    for case in cases.take(CASES) {
        let seed = case.seed;
        let path = api.store(&case.request).await;
        api.heard(seed).await;
        let asked = api.read(&path).await;
        let told = oracle.ask(&asked).unwrap();
        assert_eq!(told.contradictions(), Vec::<String>::new(), "seed {seed}");
        api.release(&path).await;
        let pod =
            until(&format!("seed {seed}: the scheduler's word on {path}"), async || decided(api.get(&path).await))
                .await;
        let deed = if pod["status"]["conditions"].to_string().contains("Unschedulable") {
            let said = pod["status"]["conditions"][0]["message"].as_str().unwrap();
            assert!(told.feasible.is_empty(), "seed {seed}: {said}; told {:?}", told.feasible);
            let words = refusal(&told, asked.nodes.len());
            assert!(said.starts_with(&words), "seed {seed}: said {said:?}, told {words:?}");
            let nominated = pod["status"]["nominatedNodeName"].as_str().unwrap_or_default();
            let told = told.preemption.unwrap_or_default();
            assert!(
                told.ties.is_empty() == nominated.is_empty(),
                "seed {seed}: nominated {nominated:?}, told {told:?}"
            );
            if nominated.is_empty() {
                "refused"
            } else {
                assert!(
                    told.ties.iter().any(|tie| tie == nominated),
                    "seed {seed}: nominated {nominated}, told {told:?}"
                );
                let before = ending(&asked.pods);
                let foretold: BTreeSet<String> =
                    told.candidates[nominated].victims.iter().cloned().chain(before).collect();
                until(&format!("seed {seed}: evictions of {foretold:?}"), async || {
                    (ending(&api.read(&path).await.pods) == foretold).then_some(())
                })
                .await;
                "evicted for"
            }
        } else {
            let bound = pod["spec"]["nodeName"].as_str().or(pod["status"]["nominatedNodeName"].as_str()).unwrap();
            let best = told.total.values().max();
            let good = told.feasible.iter().any(|node| node == bound) && told.total.get(bound) == best;
            assert!(good, "seed {seed}: bound to {bound}; told {:?} of {:?}", told.total, told.feasible);
            "placed"
        };
        *deeds.entry(deed).or_default() += 1;
        api.clear().await;
    }
    println!("{deeds:?}");
    for deed in ["placed", "refused", "evicted for"] {
        assert!(deeds.get(deed).is_some_and(|count| *count >= 5), "too few: {deeds:?}");
    }
}

/// The guide shows what `simulate` says of the pods in the example that wait. Its namespaces and priorities do not matter to them,
/// but that nobody is less important.
#[tokio::test]
async fn the_real_scheduler_says_of_the_examples_waiting_pods_what_simulate_says() {
    let guide = include_str!("../../../docs/guide.md");
    let example: Value = serde_json::from_str(include_str!("../../../docs/examples/online-boutique.json")).unwrap();
    let items = example["items"].as_array().unwrap();
    let of = |kind: &str| items.iter().filter(|one| one["kind"] == kind).cloned().collect::<Vec<_>>();
    let pods: Vec<Value> = of("Pod")
        .into_iter()
        .map(|mut pod| {
            pod["metadata"]["namespace"] = json!("shop");
            // No owner, and no kubelet whose mirror it is.
            (pod["metadata"]["ownerReferences"], pod["metadata"]["annotations"]) = (Value::Null, Value::Null);
            if pod["spec"]["priority"] != 0 {
                pod["spec"]["priority"] = json!(2_000);
            }
            pod
        })
        .collect();
    let (waiting, running): (Vec<_>, Vec<_>) = pods.into_iter().partition(|pod| pod["spec"]["nodeName"].is_null());
    let cluster = Cluster::start(Config { controllers: false, audit: false, ..Config::default() }).unwrap();
    let api = Api::at(&cluster.kubeconfig()).await;
    api.prepare().await;
    for (seed, (told, word)) in
        [("PodPlaced, 1 pod: ", None), ("Unschedulable, 2 pods: ", Some(". With "))].into_iter().enumerate()
    {
        let (_, told) = guide.split_once(told).unwrap();
        let (sentence, named) = told.split_once('\n').unwrap();
        let pod =
            waiting.iter().find(|pod| named.trim_start()[5..].starts_with(pod["metadata"]["name"].as_str().unwrap()));
        let asked =
            Request { nodes: of("Node"), pods: running.clone(), pod: pod.unwrap().clone(), ..Request::default() };
        let path = api.store(&asked).await;
        api.heard(u64::try_from(seed).unwrap()).await;
        api.release(&path).await;
        let pod = until(&path, async || decided(api.get(&path).await)).await;
        let said = pod["status"]["conditions"][0]["message"].as_str().unwrap_or_default();
        match word.and_then(|word| sentence.split_once(word)) {
            Some((sentence, _)) => assert!(said.starts_with(sentence), "said {said:?}, simulate {sentence:?}"),
            None => assert!(pod["spec"]["nodeName"].is_string(), "{said}"),
        }
        api.clear().await;
    }
}

/// The pod, when the scheduler has said something of it: a node, room on one, or no.
fn decided(pod: Value) -> Option<Value> {
    let on = !pod["spec"]["nodeName"].is_null() || !pod["status"]["nominatedNodeName"].is_null();
    let refused = pod["status"]["conditions"][0]["reason"] == "Unschedulable";
    assert_ne!(pod["status"]["conditions"][0]["reason"], "SchedulerError", "{pod}");
    (on || refused).then_some(pod)
}

/// The uids of the pods that are being deleted.
fn ending(pods: &[Value]) -> BTreeSet<String> {
    let ending = pods.iter().filter(|pod| !pod["metadata"]["deletionTimestamp"].is_null());
    ending.filter_map(|pod| pod["metadata"]["uid"].as_str()).map(str::to_owned).collect()
}

/// kube-scheduler's sentence: the PreFilter that says no to all, or a histogram of each node's first failing plugin.
fn refusal(told: &Answer, nodes: usize) -> String {
    let start = format!("0/{nodes} nodes are available: ");
    // In the order of the profile, which is that of the names below.
    let order =
        ["NodeAffinity", "NodePorts", "NodeResourcesFit", "VolumeRestrictions", "NodeVolumeLimits", "VolumeBinding"];
    let rejecting = |code: Code| {
        let rejects = move |plugin: &&str| told.prefilter.get(*plugin).is_some_and(|said| said.code == code);
        order.into_iter().chain(["VolumeZone", "PodTopologySpread", "InterPodAffinity"]).filter(rejects)
    };
    // The first that evictions cannot help ends the round; of the others the last one's words stay.
    let first = rejecting(Code::UnschedulableAndUnresolvable).next();
    if let Some(plugin) = first.or_else(|| rejecting(Code::Unschedulable).next_back()) {
        return format!("{start}{}.", told.prefilter[plugin].reasons.join(", "));
    }
    let mut counts: BTreeMap<String, usize> = BTreeMap::new();
    for node in told.filter.keys() {
        let left_out = told.verdict("NodeAffinity", node);
        let first = if left_out.reasons.iter().any(|reason| reason.contains("plugin(s)")) {
            left_out
        } else {
            let refuses =
                told.ran.iter().map(|plugin| told.verdict(plugin, node)).find(|said| said.code != Code::Success);
            refuses.expect("every node is refused")
        };
        for reason in first.reasons {
            *counts.entry(reason).or_default() += 1;
        }
    }
    let mut parts: Vec<String> = counts.iter().map(|(reason, count)| format!("{count} {reason}")).collect();
    parts.sort();
    format!("{start}{}.", parts.join(", "))
}
