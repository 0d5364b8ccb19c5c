//! AppGroups in a cluster that lives: placed as units, near each other, and told what is off in them.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, missing_docs)]

mod support;

use std::sync::atomic::Ordering;

use keelson_core::{Mode, Outcome, Reason};
use keelson_sim::face::faults::Faults;
use keelson_sim::objects::{Resource, Write};
use keelson_sim::world::kinds::PODS;
use keelson_sim::world::nodes::NodeSpec;
use serde_json::{Value, json};
use support::{EVENTS, Scene, seconds};

const GROUPS: Resource = Resource { group: "appgroup.diktyo.x-k8s.io", plural: "appgroups" };
const TOPOLOGIES: Resource = Resource { group: "networktopology.diktyo.x-k8s.io", plural: "networktopologies" };
const CONFIG_MAPS: Resource = Resource { group: "", plural: "configmaps" };
const NAMESPACES: Resource = Resource { group: "", plural: "namespaces" };
const APP: &str = include_str!("../../../e2e/apps/online-boutique/app.yaml");
const GROUP: &str = include_str!("../../../e2e/apps/online-boutique/appgroup.yaml");
const TOPOLOGY: &str = include_str!("../../../e2e/apps/network-topology.yaml");

fn yaml(text: &str) -> Value {
    serde_saphyr::from_str(text).unwrap()
}

/// The pods of the application's Deployments, one each, for Keelson.
fn pods() -> Vec<Value> {
    let deployments = serde_saphyr::from_multiple::<Value>(APP).unwrap();
    let deployments = deployments.into_iter().filter(|object| object["kind"] == "Deployment");
    let pod = |deployment: Value| {
        let mut template = deployment["spec"]["template"].clone();
        template["metadata"]["name"] = deployment["metadata"]["name"].clone();
        template["metadata"]["namespace"] = json!("online-boutique");
        template["spec"]["schedulerName"] = json!("keelson");
        template["spec"].as_object_mut().unwrap().remove("serviceAccountName");
        template
    };
    deployments.map(pod).collect()
}

/// Eight nodes in two zones of two regions each, as the network's costs name them.
fn scene(seed: u64) -> Scene {
    let scene = Scene::new(seed, Mode::Enforce);
    for (index, zone) in ["eu-west-1a", "eu-west-1b", "eu-west-3a", "eu-west-3b"].iter().enumerate() {
        for half in 0..2 {
            let spec = NodeSpec::new(&format!("node-{}", 2 * index + half), zone, "m6i.large", 2, 8);
            scene.simulation.act(|world, cluster| world.add_node(&spec, cluster)).unwrap();
        }
    }
    scene.create(NAMESPACES, json!({"metadata": {"name": "online-boutique"}}));
    scene
}

fn condition(object: &Value, kind: &str) -> Value {
    let conditions = object["status"]["conditions"].as_array().cloned().unwrap_or_default();
    conditions.into_iter().find(|condition| condition["type"] == kind).unwrap_or_default()
}

fn accepted(object: &Value) -> Value {
    condition(object, "Accepted")
}

#[tokio::test(start_paused = true)]
async fn the_published_manifests_are_placed_as_a_unit() {
    let scene = scene(1);
    scene.create(TOPOLOGIES, yaml(TOPOLOGY));
    scene.create(GROUPS, yaml(GROUP));
    let process = scene.process("a", Faults::none(), false);
    seconds(5).await;
    let (last, first) = {
        let mut pods = pods();
        (pods.pop().unwrap(), pods)
    };
    for pod in first {
        scene.create(PODS, pod);
    }
    seconds(10).await;
    assert!(scene.list(PODS).iter().all(|pod| pod["spec"]["nodeName"].is_null()), "they wait for the eleventh");
    assert!(
        process.last("frontend").sentence.contains("10 of 11 pods are there"),
        "{}",
        process.last("frontend").sentence
    );
    scene.create(PODS, last);
    seconds(10).await;
    let placed = scene.list(PODS);
    assert!(placed.iter().all(|pod| pod["spec"]["nodeName"].is_string()), "{placed:#?}");
    assert_eq!(process.count(Reason::PlacedWithGroup), 11);
    let whole = process.last("online-boutique");
    assert_eq!((whole.reason, whole.outcome), (Reason::GroupPlaced, Outcome::NoAction), "{whole:#?}");
    let number = |name: &str| whole.inputs[name].parse::<i64>().unwrap();
    assert!(number("network cost") <= number("one after the other"), "{}", whole.sentence);
    let pod = process.last("redis-cart");
    assert!(pod.causes.contains(&whole.id), "{pod:#?}");
    let recording = process.history.recording(pod.id).expect("what it saw is kept");
    let again = keelson_scheduling::recording::replay(&recording, None).unwrap().decisions.remove(0);
    assert_eq!((again.sentence, again.chosen, again.candidates), (pod.sentence, pod.chosen, pod.candidates));
    scene.unbroken();
}

#[tokio::test(start_paused = true)]
async fn whatever_is_off_is_told_on_the_object_and_keeps_nobody_pending() {
    let scene = scene(2);
    let mut group = yaml(GROUP);
    group["spec"]["workloads"][0]["dependencies"][0]["workload"] =
        json!({"kind": "Deployment", "name": "nobody", "selector": "nobody"});
    scene.create(GROUPS, group);
    let mut topology = yaml(TOPOLOGY);
    topology["spec"]["weights"][0]["name"] = json!("Netperf");
    scene.create(TOPOLOGIES, topology);
    let process = scene.process("a", Faults::none(), false);
    seconds(5).await;
    pods().into_iter().for_each(|pod| _ = scene.create(PODS, pod));
    seconds(20).await;
    assert!(scene.list(PODS).iter().all(|pod| pod["spec"]["nodeName"].is_string()));
    let told = accepted(&scene.list(GROUPS)[0]);
    assert_eq!(told["status"], "False");
    let text = told["message"].as_str().unwrap();
    assert!(text.contains("spec.workloads[0].dependencies[0].workload.selector: \"nobody\" is no workload"), "{text}");
    let told = accepted(&scene.list(TOPOLOGIES)[0]);
    let text = told["message"].as_str().unwrap();
    assert!(text.contains("spec.weights: none is named \"UserDefined\""), "{text}");
    let told = condition(&scene.list(GROUPS)[0], "UnknownDependency");
    let text = told["message"].as_str().unwrap();
    assert!(told["status"] == "True" && text.contains("dependencies[0].workload.selector"), "{text}");
    assert!(text.ends_with("Write the selector of a workload of spec.workloads, or add the workload."), "{text}");
    assert_eq!(condition(&scene.list(TOPOLOGIES)[0], "UnknownWeights")["status"], "True");
    let events = scene.list(EVENTS);
    let warned = events.iter().filter(|event| event["reason"] == "ObjectLeftOut").count();
    assert_eq!(warned, 2, "each once");

    // The setting names the costs that there are: then all is well.
    scene.set(json!({"mode": "Enforce", "settings": {"networkWeights": "Netperf"}}));
    seconds(10).await;
    assert_eq!(accepted(&scene.list(TOPOLOGIES)[0])["status"], "True");
    assert_eq!(condition(&scene.list(TOPOLOGIES)[0], "UnknownWeights")["status"], "False");
    assert_eq!(process.last("nt-default").reason, Reason::ObjectAccepted);
}

#[tokio::test(start_paused = true)]
async fn measured_times_are_read_from_the_config_map_that_is_named_and_what_is_off_is_told() {
    let scene = scene(6);
    let mut topology = yaml(TOPOLOGY);
    topology["spec"]["weights"] = json!([]);
    let namespace = topology["metadata"]["namespace"].clone();
    scene.create(TOPOLOGIES, topology);
    scene.create(GROUPS, yaml(GROUP));
    let process = scene.process("a", Faults::none(), false);
    scene.set(json!({"mode": "Enforce", "settings": {"networkWeights": "NetperfCosts"}}));
    let told = || accepted(&scene.list(TOPOLOGIES)[0])["message"].as_str().unwrap_or_default().to_owned();
    seconds(20).await;
    assert!(told().contains("ConfigMap netperf-metrics is not there"), "{}", told());
    let nodes = ["node-0", "node-2", "node-4", "node-6"];
    let mut data = json!({});
    for (from, to) in nodes.iter().flat_map(|from| nodes.map(|to| (*from, to))).filter(|(from, to)| from != to) {
        data[format!("netperf.p90.latency.milliseconds.origin.{from}.destination.{to}")] = json!("20.5");
    }
    let wrong = "netperf.p90.latency.milliseconds.origin.node-1.destination.node-3";
    data[wrong] = json!("fast");
    let meta = json!({"name": "netperf-metrics", "namespace": namespace});
    scene.create(CONFIG_MAPS, json!({"metadata": meta, "data": data}));
    seconds(70).await;
    assert!(told().contains("node-3]: is no time"), "{}", told());
    let (namespace, name) = (namespace.as_str().unwrap().to_owned(), "netperf-metrics".to_owned());
    let patch = json!({"data": {wrong: null}});
    scene.write(Write::Merge { resource: CONFIG_MAPS, namespace, name, subresource: "", patch });
    seconds(70).await;
    assert_eq!(accepted(&scene.list(TOPOLOGIES)[0])["status"], "True", "{}", told());
    assert_eq!(process.last("nt-default").reason, Reason::ObjectAccepted);
    pods().into_iter().for_each(|pod| _ = scene.create(PODS, pod));
    seconds(20).await;
    assert!(scene.list(PODS).iter().all(|pod| pod["spec"]["nodeName"].is_string()));
}

/// A pod that calls `db`, on one of two nodes that both lie apart from it.
fn caller(name: &str, nodes: [&str; 2]) -> Value {
    let terms = json!([{"matchExpressions": [{"key": "kubernetes.io/hostname", "operator": "In", "values": nodes}]}]);
    let affinity = json!({"requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": terms}});
    member(name, "web", json!({"affinity": {"nodeAffinity": affinity}}))
}

fn member(name: &str, workload: &str, more: Value) -> Value {
    let labels =
        json!({"appgroup.diktyo.x-k8s.io": "pair", "appgroup.diktyo.x-k8s.io.workload": workload, "app": workload});
    let mut spec = json!({
        "schedulerName": "keelson",
        "containers": [{"name": "c", "image": "web", "resources": {"requests": {"cpu": "50m", "memory": "64Mi"}}}],
    });
    more.as_object().unwrap().iter().for_each(|(key, value)| spec[key] = value.clone());
    json!({"metadata": {"name": name, "namespace": "shop", "labels": labels}, "spec": spec})
}

/// Times in which `near` is close to node-0 and `far` is not.
fn times(near: &str, far: &str) -> Value {
    let key = |to: &str| format!("netperf.p90.latency.milliseconds.origin.node-0.destination.{to}");
    json!({key(near): "1.5", key(far): "90"})
}

#[tokio::test(start_paused = true)]
async fn measured_times_decide_where_a_pod_of_a_group_goes_once_they_may_be_read() {
    let scene = scene(7);
    let metadata = json!({"name": "nt", "namespace": "shop"});
    let spec = json!({"configmapName": "netperf-metrics", "weights": []});
    let kind = json!({"apiVersion": "networktopology.diktyo.x-k8s.io/v1alpha1", "kind": "NetworkTopology"});
    let mut topology = kind;
    (topology["metadata"], topology["spec"]) = (metadata, spec);
    scene.create(TOPOLOGIES, topology);
    let of = |name: &str| json!({"kind": "Deployment", "apiVersion": "apps/v1", "namespace": "shop", "name": name, "selector": name});
    scene.create(
        GROUPS,
        json!({
            "apiVersion": "appgroup.diktyo.x-k8s.io/v1alpha1", "kind": "AppGroup",
            "metadata": {"name": "pair", "namespace": "shop"},
            "spec": {"numMembers": 2, "topologySortingAlgorithm": "KahnSort", "workloads": [
                {"workload": of("web"), "dependencies": [{"workload": of("db")}]},
                {"workload": of("db")},
            ]},
        }),
    );
    scene.granted.store(false, Ordering::Relaxed);
    scene.set(json!({"mode": "Enforce", "settings": {"networkWeights": "NetperfCosts", "groupWaitSeconds": 0}}));
    let process = scene.process("a", Faults::none(), false);
    let told = || accepted(&scene.list(TOPOLOGIES)[0])["message"].as_str().unwrap_or_default().to_owned();
    let meta = json!({"name": "netperf-metrics", "namespace": "shop"});
    scene.create(PODS, member("db", "db", json!({"nodeSelector": {"kubernetes.io/hostname": "node-0"}})));
    seconds(10).await;
    let nodes = ["node-2", "node-6"];
    scene.create(PODS, caller("first", nodes));
    seconds(10).await;
    let blind = scene.node_of("first").unwrap();
    let other = nodes.into_iter().find(|node| *node != blind).unwrap();
    // The other is the fuller one, and measured to be the nearer one; but that may not be read.
    scene.create(CONFIG_MAPS, json!({"metadata": meta, "data": times(other, &blind)}));
    let filler = |name: &str, node: &str| {
        let resources = json!({"requests": {"cpu": "1", "memory": "2Gi"}});
        let containers = json!([{"name": "c", "image": "web", "resources": resources}]);
        let spec = json!({"schedulerName": "else", "nodeName": node, "containers": containers});
        scene.create(PODS, json!({"metadata": {"name": name, "namespace": "shop"}, "spec": spec}));
    };
    filler("full", other);
    seconds(70).await;
    let value = "features.scheduling.networkTimes={namespace: shop, configMap: netperf-metrics}";
    assert!(told().contains(value), "{}", told());
    scene.create(PODS, caller("second", nodes));
    seconds(10).await;
    assert_eq!(scene.node_of("second").as_deref(), Some(blind.as_str()), "it has more room, and nothing is measured");

    scene.granted.store(true, Ordering::Relaxed);
    seconds(70).await;
    assert_eq!(accepted(&scene.list(TOPOLOGIES)[0])["status"], "True", "{}", told());
    scene.create(PODS, caller("third", nodes));
    seconds(10).await;
    assert_eq!(scene.node_of("third").as_deref(), Some(other), "{:#?}", process.last("third"));

    // Measured anew the other way round, with both as full.
    filler("as-full", &blind);
    let (namespace, name) = ("shop".to_owned(), "netperf-metrics".to_owned());
    let patch = json!({"data": times(&blind, other)});
    scene.write(Write::Merge { resource: CONFIG_MAPS, namespace, name, subresource: "", patch });
    seconds(70).await;
    scene.create(PODS, caller("fourth", nodes));
    seconds(10).await;
    assert_eq!(scene.node_of("fourth").as_deref(), Some(blind.as_str()), "{:#?}", process.last("fourth"));
    scene.unbroken();
}

#[tokio::test(start_paused = true)]
async fn a_group_of_which_a_pod_never_comes_is_placed_when_the_wait_is_over() {
    let scene = scene(3);
    scene.create(GROUPS, yaml(GROUP));
    scene.set(json!({"mode": "Enforce", "settings": {"groupWaitSeconds": 12}}));
    let process = scene.process("a", Faults::none(), false);
    seconds(5).await;
    pods().into_iter().skip(1).for_each(|pod| _ = scene.create(PODS, pod));
    seconds(10).await;
    assert_eq!(process.count(Reason::GroupPlaced), 0);
    assert!(scene.list(PODS).iter().all(|pod| pod["spec"]["nodeName"].is_null()));
    seconds(10).await;
    assert!(scene.list(PODS).iter().all(|pod| pod["spec"]["nodeName"].is_string()));
}

#[tokio::test(start_paused = true)]
async fn in_observe_neither_kind_is_written() {
    let scene = scene(4);
    let mut group = yaml(GROUP);
    group["spec"]["numMembers"] = json!(11);
    group["spec"]["workloads"][0]["workload"]["selector"] = json!("else");
    scene.create(GROUPS, group);
    scene.set(json!({"mode": "Observe"}));
    let process = scene.process("a", Faults::none(), false);
    seconds(3600).await;
    assert_eq!(scene.list(GROUPS)[0]["status"], Value::Null);
    assert_eq!(process.last("online-boutique").outcome, Outcome::Would, "{:?}", process.last("online-boutique"));
    let written = process.writes.lock().unwrap().clone();
    assert!(written.iter().all(|write| !write.contains("diktyo")), "{written:?}");
}

#[tokio::test(start_paused = true)]
async fn without_the_kinds_pods_are_placed_as_ever_and_with_them_they_are_found() {
    let scene = scene(5);
    let definitions = Resource { group: "apiextensions.k8s.io", plural: "customresourcedefinitions" };
    for name in ["appgroups.appgroup.diktyo.x-k8s.io", "networktopologies.networktopology.diktyo.x-k8s.io"] {
        scene.write(Write::Delete {
            resource: definitions,
            namespace: String::new(),
            name: name.to_owned(),
            uid: None,
            grace_seconds: None,
        });
    }
    let process = scene.process("a", Faults::none(), false);
    seconds(5).await;
    pods().into_iter().for_each(|pod| _ = scene.create(PODS, pod));
    seconds(10).await;
    assert_eq!(process.count(Reason::PodPlaced), 11);
    for definition in keelson_api::crds::diktyo() {
        scene.create(definitions, json!(definition));
    }
    scene.create(GROUPS, yaml(GROUP));
    seconds(120).await;
    assert_eq!(accepted(&scene.list(GROUPS)[0])["status"], "True");
}

#[tokio::test(start_paused = true)]
async fn a_group_that_drifted_is_told_and_moved_only_where_the_object_allows_it() {
    let scene = scene(6);
    scene.create(TOPOLOGIES, yaml(TOPOLOGY));
    scene.create(GROUPS, yaml(GROUP));
    let process = scene.process("a", Faults::none(), false);
    seconds(5).await;
    // Whoever put them there did not look at the network: every other pod in the other region.
    for (index, mut pod) in pods().into_iter().enumerate() {
        pod["spec"]["nodeName"] = json!(if index % 2 == 0 { "node-0" } else { "node-6" });
        scene.create(PODS, pod);
    }
    seconds(130).await;
    let told = process.last("online-boutique");
    assert_eq!(told.reason, Reason::GroupDrifted, "{told:#?}");
    assert!(told.sentence.contains("saves") && told.sentence.contains("Nothing is moved"), "{}", told.sentence);
    assert_eq!(scene.list(PODS).len(), 11);

    let (namespace, name) = ("online-boutique".to_owned(), "online-boutique".to_owned());
    let patch = json!({"metadata": {"annotations": {"keelson.dev/drift": "move"}}});
    scene.write(Write::Merge { resource: GROUPS, namespace, name, subresource: "", patch });
    seconds(70).await;
    let moved = process.last("online-boutique");
    assert!(moved.sentence.contains("is evicted"), "{}", moved.sentence);
    seconds(60).await;
    assert!(scene.list(PODS).len() < 11, "one at a time: {}", scene.list(PODS).len());
}
