//! Scheduling in a cluster that lives: kubelets, workloads, another scheduler, faults; on virtual time.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, missing_docs)]

mod support;

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use keelson_core::{Mode, Outcome, Reason, Timestamp, Verb};
use keelson_sim::face::faults::{Faults, Rates};
use keelson_sim::objects::{Resource, Write};
use keelson_sim::world::kinds::{CLAIMS, PODS, SERVICES, STORAGE_CLASSES, VOLUMES};
use keelson_sim::world::nodes::NodeSpec;
use serde_json::{Value, json};
use support::{EVENTS, PLATFORMS, Scene, seconds};

fn condition(pod: &Value, kind: &str) -> Value {
    let conditions = pod["status"]["conditions"].as_array().cloned().unwrap_or_default();
    conditions.into_iter().find(|condition| condition["type"] == kind).unwrap_or_default()
}

fn scheduled(pod: &Value) -> Value {
    condition(pod, "PodScheduled")
}

#[tokio::test(start_paused = true)]
async fn pods_are_bound_run_and_come_as_predicted() {
    let scene = Scene::new(1, Mode::Enforce).nodes(3, 4);
    let process = scene.process("a", Faults::none(), false);
    seconds(5).await;
    for n in 0..12 {
        scene.schedule(&format!("p{n}"), "keelson", "500m", json!({}));
    }
    seconds(60).await;
    for n in 0..12 {
        let (name, decision) = (format!("p{n}"), process.last(&format!("p{n}")));
        assert_eq!(scene.pod(&name)["status"]["phase"], "Running", "{name}");
        assert_eq!((decision.verb, decision.outcome), (Verb::Place, Outcome::Done), "{decision:#?}");
        assert_eq!(decision.chosen, scene.node_of(&name));
        assert_eq!(scene.pod(&name)["metadata"]["annotations"]["keelson.dev/decision"], json!(decision.id));
        let effect = decision.effect.expect("its effect was measured");
        assert_eq!(effect.as_predicted, Some(true), "{}", effect.sentence);
        let runs =
            Timestamp::parse(condition(&scene.pod(&name), "Ready")["lastTransitionTime"].as_str().unwrap()).unwrap();
        assert!(effect.at >= runs, "told at {}, and it runs since {runs}", effect.at);
        let recording = process.history.recording(decision.id).expect("what it saw is kept");
        let again = keelson_scheduling::recording::replay(&recording, None).unwrap().decisions.remove(0);
        assert_eq!(
            (again.sentence, again.candidates, again.inputs),
            (decision.sentence, decision.candidates, decision.inputs)
        );
    }
    let said = scene.list(EVENTS).iter().filter(|event| event["reason"] == "Scheduled").count();
    assert_eq!(said, 12);
    scene.unbroken();
}

#[tokio::test(start_paused = true)]
async fn pods_of_a_service_are_spread_over_nodes_though_they_do_not_say_so() {
    let scene = Scene::new(12, Mode::Enforce).nodes(3, 4);
    let large = NodeSpec::new("large", "eu-west-1a", "m6i.16xlarge", 64, 256);
    scene.simulation.act(|world, cluster| world.add_node(&large, cluster)).unwrap();
    let spec = json!({"selector": {"app": "web"}, "ports": [{"port": 80}]});
    scene.create(SERVICES, json!({"metadata": {"name": "web", "namespace": "shop"}, "spec": spec}));
    let _process = scene.process("a", Faults::none(), false);
    seconds(5).await;
    let pod = |name: &str, app: &str| {
        let asked = json!({"requests": {"cpu": "500m", "memory": "2Gi"}});
        let containers = json!([{"name": "c", "image": "web", "resources": asked}]);
        let metadata = json!({"name": name, "namespace": "shop", "labels": {"app": app}});
        scene.create(
            PODS,
            json!({"metadata": metadata, "spec": {"schedulerName": "keelson", "containers": containers}}),
        );
    };
    for n in 0..4 {
        pod(&format!("alone-{n}"), "alone");
        pod(&format!("web-{n}"), "web");
        seconds(2).await;
    }
    let nodes = |app: &str| -> BTreeSet<String> {
        (0..4).map(|n| scene.node_of(&format!("{app}-{n}")).expect("placed")).collect()
    };
    assert_eq!(nodes("alone"), BTreeSet::from(["large".to_owned()]), "nobody selects them");
    assert_eq!(nodes("web").len(), 4, "{:?}", nodes("web"));
    scene.unbroken();
}

#[tokio::test(start_paused = true)]
async fn somebody_who_fills_the_node_meanwhile_makes_the_prediction_wrong() {
    let scene = Scene::new(8, Mode::Enforce).nodes(1, 4);
    let process = scene.process("a", Faults::none(), false);
    seconds(5).await;
    scene.schedule("cart", "keelson", "500m", json!({}));
    while scene.node_of("cart").is_none() {
        tokio::time::sleep(std::time::Duration::from_millis(1)).await;
    }
    // Neither scheduler is asked about a pod that names its node.
    scene.schedule("foreign", "nobody", "2", json!({"nodeName": "node-0"}));
    seconds(60).await;
    let effect = process.last("cart").effect.expect("its effect was measured");
    assert_eq!(effect.as_predicted, Some(false), "{}", effect.sentence);
    assert!(effect.sentence.contains("node-0 cpu requested at 64.4 % (said 12.8 %)"), "{}", effect.sentence);
}

#[tokio::test(start_paused = true)]
async fn a_node_that_is_measured_to_use_more_than_was_said_makes_the_prediction_wrong() {
    let scene = Scene::new(9, Mode::Enforce).nodes(1, 4);
    let process = scene.process("a", Faults::none(), false);
    seconds(5).await;
    scene.schedule("cart", "keelson", "500m", json!({}));
    seconds(20).await;
    let effect = process.last("cart").effect.expect("requests tell it first");
    assert_eq!(effect.as_predicted, Some(true), "{}", effect.sentence);
    assert!(
        effect.sentence.ends_with("So far told from requests only: not measured since it runs."),
        "{}",
        effect.sentence
    );
    seconds(30).await;
    scene.measure("node-0", "2500m");
    seconds(60).await;
    let effect = process.last("cart").effect.unwrap();
    assert_eq!(effect.as_predicted, Some(false), "{}", effect.sentence);
    assert!(effect.sentence.contains("node-0 at 64.4 % cpu (measured "), "{}", effect.sentence);
    assert!(effect.sentence.contains(" s ago), 12.8 % was predicted"), "{}", effect.sentence);
}

#[tokio::test(start_paused = true)]
async fn measurements_may_appear_and_disappear_at_run_time_and_effects_say_which_it_was() {
    let scene = Scene::new(10, Mode::Enforce).nodes(1, 4);
    scene.measured.store(false, Ordering::Relaxed);
    let process = scene.process("a", Faults::none(), false);
    let told = |pod: &str| process.last(pod).effect.expect("told at once").sentence;
    let absent = "Told from requests only: the cluster does not serve metrics.k8s.io; install metrics-server.";
    seconds(5).await;
    scene.schedule("early", "keelson", "100m", json!({}));
    seconds(600).await;
    assert!(told("early").ends_with(absent), "{}", told("early"));
    scene.measured.store(true, Ordering::Relaxed);
    seconds(40).await;
    scene.schedule("later", "keelson", "100m", json!({}));
    seconds(40).await;
    scene.measure("node-0", "200m");
    seconds(40).await;
    assert!(told("later").contains("node-0 at 5.1 % cpu (measured "), "{}", told("later"));
    scene.measured.store(false, Ordering::Relaxed);
    seconds(40).await;
    scene.schedule("last", "keelson", "100m", json!({}));
    seconds(400).await;
    assert!(told("last").ends_with(absent), "{}", told("last"));
    let conditions = scene.list(PLATFORMS)[0]["status"]["features"]["scheduling"]["conditions"].clone();
    let condition = conditions.as_array().unwrap().iter().find(|one| one["type"] == "InputUnavailable").unwrap();
    assert_eq!((&condition["status"], &condition["reason"]), (&json!("True"), &json!("MetricsAbsent")));
    let began = tokio::time::Instant::now();
    process.runtime.shutdown().await;
    assert!(began.elapsed().as_secs() < 2, "asking is no work that a stop waits for");
}

#[tokio::test(start_paused = true)]
async fn a_pod_that_cannot_fit_says_by_how_much_and_is_placed_when_room_comes() {
    let scene = Scene::new(2, Mode::Enforce).nodes(1, 2);
    let process = scene.process("a", Faults::none(), false);
    seconds(5).await;
    scene.schedule("big", "keelson", "1500m", json!({}));
    seconds(30).await;
    scene.schedule("late", "keelson", "1", json!({}));
    seconds(30).await;
    let decision = process.last("late");
    assert_eq!((decision.verb, decision.reason), (Verb::Wait, Reason::Unschedulable));
    assert!(
        decision.sentence.starts_with("0/1 nodes are available: 1 Insufficient cpu. With "),
        "{}",
        decision.sentence
    );
    assert!(decision.candidates[0].failed[0].text.starts_with("needs 1 cpu, "), "{:?}", decision.candidates);
    let told = scheduled(&scene.pod("late"));
    assert_eq!((&told["status"], &told["reason"]), (&json!("False"), &json!("Unschedulable")));
    assert_eq!(
        told["message"],
        "0/1 nodes are available: 1 Insufficient cpu. preemption: 0/1 nodes are available: \
         1 No preemption victims found for incoming pod."
    );
    assert!(
        scene
            .list(EVENTS)
            .iter()
            .any(|event| event["reason"] == "FailedScheduling" && event["message"] == told["message"])
    );
    let (namespace, name) = ("shop".to_owned(), "big".to_owned());
    scene.write(Write::Delete { resource: PODS, namespace, name, uid: None, grace_seconds: Some(0) });
    seconds(15).await;
    assert_eq!(scene.node_of("late").as_deref(), Some("node-0"));
    assert_eq!(scheduled(&scene.pod("late"))["status"], "True");
    scene.unbroken();
}

#[tokio::test(start_paused = true)]
async fn a_pod_of_higher_priority_gets_the_room_of_the_least_important() {
    const CLASSES: Resource = Resource { group: "scheduling.k8s.io", plural: "priorityclasses" };
    let scene = Scene::new(2, Mode::Enforce).nodes(2, 2);
    for (name, value) in [("low", 1), ("mid", 10), ("urgent", 100)] {
        scene.create(CLASSES, json!({"metadata": {"name": name}, "value": value}));
    }
    let schedule = |name: &str, cpu: &str| scene.schedule(name, "keelson", cpu, json!({"priorityClassName": name}));
    let process = scene.process("a", Faults::none(), false);
    seconds(5).await;
    schedule("mid", "1500m");
    schedule("low", "1500m");
    seconds(90).await;
    let room = scene.node_of("low");
    assert!(room.is_some());
    schedule("urgent", "1");
    seconds(120).await;
    assert_eq!(scene.node_of("urgent"), room, "{}", process.last("urgent").sentence);
    assert!(scene.node_of("mid").is_some());
    assert!(scene.list(PODS).iter().all(|pod| pod["metadata"]["name"] != "low"));
    let placed = process.last("urgent");
    assert_eq!((placed.verb, placed.reason, placed.outcome), (Verb::Place, Reason::RoomMade, Outcome::Done));
    assert!(placed.cause_count > 0);
    let events = scene.list(EVENTS);
    let mut told = events.iter().filter(|event| event["involvedObject"]["name"] == "low");
    assert!(told.any(|event| event["reason"] == "Preempted"), "{events:#?}");
    scene.unbroken();
}

#[tokio::test(start_paused = true)]
async fn a_pod_that_asks_for_what_is_not_implemented_is_refused_by_the_fields_name() {
    let scene = Scene::new(3, Mode::Enforce).nodes(1, 4);
    let process = scene.process("a", Faults::none(), false);
    scene.schedule("db", "keelson", "100m", json!({"resourceClaims": [{"name": "gpu", "resourceClaimName": "gpu"}]}));
    seconds(30).await;
    let decision = process.last("db");
    assert_eq!((decision.verb, decision.reason, scene.node_of("db")), (Verb::Refuse, Reason::UnsupportedFeature, None));
    assert!(decision.sentence.contains("spec.resourceClaims"), "{}", decision.sentence);
    assert_eq!(scheduled(&scene.pod("db"))["reason"], "UnsupportedFeature");
}

fn claiming(claim: &str) -> Value {
    json!({"volumes": [{"name": "data", "persistentVolumeClaim": {"claimName": claim}}]})
}

fn storage(scene: &Scene, class: &str, provisioner: &str) {
    scene.create(
        STORAGE_CLASSES,
        json!({"metadata": {"name": class}, "provisioner": provisioner, "volumeBindingMode": "WaitForFirstConsumer"}),
    );
    let spec = json!({"storageClassName": class, "accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}});
    scene.create(CLAIMS, json!({"metadata": {"name": "data", "namespace": "shop"}, "spec": spec}));
}

#[tokio::test(start_paused = true)]
async fn a_claim_that_waits_for_its_pod_gets_a_volume_that_is_made_for_the_pods_node() {
    let scene = Scene::new(3, Mode::Enforce).nodes(3, 4);
    let process = scene.process("a", Faults::none(), false);
    seconds(5).await;
    scene.schedule("db", "keelson", "100m", claiming("data"));
    seconds(10).await;
    assert!(process.last("db").sentence.contains("\"data\" not found"), "{}", process.last("db").sentence);
    storage(&scene, "late", "csi.example.com");
    seconds(60).await;
    let (claim, node) = (scene.list(CLAIMS).remove(0), scene.node_of("db").expect("it is bound"));
    assert_eq!(claim["metadata"]["annotations"]["volume.kubernetes.io/selected-node"], json!(node));
    assert_eq!((&claim["status"]["phase"], &scene.pod("db")["status"]["phase"]), (&json!("Bound"), &json!("Running")));
    assert!(process.count(Reason::VolumesFirst) > 0);
    assert_eq!(process.last("db").chosen, Some(node));
    scene.unbroken();
}

#[tokio::test(start_paused = true)]
async fn a_claim_gets_the_volume_at_hand_and_its_pod_the_node_of_that() {
    let scene = Scene::new(4, Mode::Enforce).nodes(4, 4);
    let term = json!({"matchExpressions": [{"key": "kubernetes.io/hostname", "operator": "In", "values": ["node-2"]}]});
    let spec = json!({
        "capacity": {"storage": "5Gi"}, "accessModes": ["ReadWriteOnce"], "storageClassName": "local",
        "local": {"path": "/disk"}, "nodeAffinity": {"required": {"nodeSelectorTerms": [term]}},
        "persistentVolumeReclaimPolicy": "Retain",
    });
    scene.create(VOLUMES, json!({"metadata": {"name": "disk"}, "spec": spec}));
    let process = scene.process("a", Faults::none(), false);
    seconds(5).await;
    storage(&scene, "local", "kubernetes.io/no-provisioner");
    scene.schedule("db", "keelson", "100m", claiming("data"));
    seconds(60).await;
    assert_eq!(scene.node_of("db").as_deref(), Some("node-2"), "{}", process.last("db").sentence);
    assert_eq!(scene.list(VOLUMES)[0]["spec"]["claimRef"]["name"], "data");
    assert_eq!(scene.pod("db")["status"]["phase"], "Running");
    scene.unbroken();
}

#[tokio::test(start_paused = true)]
async fn an_hour_of_observe_changes_nothing_of_others() {
    let scene = Scene::new(4, Mode::Observe).nodes(3, 4);
    for n in 0..6 {
        scene.schedule(&format!("old{n}"), "default-scheduler", "500m", json!({}));
    }
    scene.schedule("ours", "keelson", "500m", json!({}));
    seconds(120).await;
    let before = scene.foreign();
    let process = scene.process("a", Faults::none(), true);
    seconds(3_600).await;
    assert!(scene.foreign().iter().all(|object| before.contains(object)), "something is new or changed");
    let lasting = |objects: &[Arc<Value>]| objects.iter().filter(|object| object["kind"] != "Event").count();
    assert_eq!(lasting(&scene.foreign()), lasting(&before), "events expire, nothing else does");
    let decision = process.last("ours");
    assert_eq!((decision.verb, decision.reason), (Verb::Wait, Reason::SchedulerNotEnforcing));
    assert!(decision.chosen.is_some(), "it says where the pod would go: {}", decision.sentence);
    // While others work it compares, and still writes nothing but its own.
    for n in 0..6 {
        scene.schedule(&format!("new{n}"), "default-scheduler", "250m", json!({}));
    }
    seconds(60).await;
    assert_eq!(process.count(Reason::SameChoice) + process.count(Reason::OtherChoice), 6);
    let writes = process.writes.lock().unwrap().clone();
    let foreign: Vec<_> =
        writes.iter().filter(|path| !path.contains("/leases") && !path.contains("/platforms/")).collect();
    assert!(foreign.is_empty(), "{foreign:?}");
    scene.unbroken();
}

#[tokio::test(start_paused = true)]
async fn the_mode_is_switched_at_run_time() {
    let scene = Scene::new(5, Mode::Observe).nodes(2, 4);
    let process = scene.process("a", Faults::none(), false);
    scene.schedule("first", "keelson", "500m", json!({}));
    seconds(30).await;
    assert_eq!((scene.node_of("first"), process.last("first").reason), (None, Reason::SchedulerNotEnforcing));
    scene.set(json!({"mode": "Enforce"}));
    seconds(5).await;
    assert!(scene.node_of("first").is_some(), "placed as soon as it may be");
    scene.set(json!({"paused": true}));
    seconds(5).await;
    scene.schedule("second", "keelson", "500m", json!({}));
    seconds(60).await;
    assert_eq!((scene.node_of("second"), process.last("second").verb), (None, Verb::Place), "it decides and holds");
    scene.set(json!({"paused": false}));
    seconds(5).await;
    assert!(scene.node_of("second").is_some());
    scene.set(json!({"mode": "Off"}));
    seconds(5).await;
    scene.schedule("third", "keelson", "500m", json!({}));
    seconds(600).await;
    assert_eq!((scene.node_of("third"), process.decisions("third").len()), (None, 0));
    scene.unbroken();
}

#[tokio::test(start_paused = true)]
async fn under_faults_and_with_a_rival_every_pod_is_bound_once() {
    for seed in [11, 12, 13] {
        let scene = Scene::new(seed, Mode::Enforce).nodes(6, 4);
        let faults = Faults::new(seed, Rates::rough());
        let process = scene.process("a", faults.clone(), false);
        seconds(20).await;
        for n in 0..30 {
            let scheduler = if n % 3 == 0 { "default-scheduler" } else { "keelson" };
            scene.schedule(&format!("p{n}"), scheduler, "500m", json!({}));
            seconds(n % 4).await;
        }
        seconds(600).await;
        faults.set(Rates::default());
        seconds(400).await;
        let pending: Vec<_> = (0..30).filter(|n| scene.node_of(&format!("p{n}")).is_none()).collect();
        assert!(pending.is_empty(), "seed {seed}: {pending:?}");
        assert!(faults.fired().values().sum::<u64>() > 0, "seed {seed}: no fault fired");
        let stuck: Vec<_> =
            process.history.decisions().into_iter().filter(|decision| decision.outcome == Outcome::Pending).collect();
        assert!(stuck.is_empty(), "seed {seed}: {stuck:#?}");
        scene.unbroken();
    }
}

#[tokio::test(start_paused = true)]
async fn another_process_takes_over_and_decides_no_pod_again() {
    let scene = Scene::new(6, Mode::Enforce).nodes(3, 4);
    let first = scene.process("a", Faults::none(), true);
    seconds(30).await;
    for n in 0..4 {
        scene.schedule(&format!("p{n}"), "keelson", "500m", json!({}));
    }
    seconds(30).await;
    let second = scene.process("b", Faults::none(), true);
    seconds(30).await;
    first.runtime.shutdown().await;
    first.kill();
    scene.schedule("late", "keelson", "500m", json!({}));
    seconds(120).await;
    assert!(scene.node_of("late").is_some());
    assert_eq!(second.history.decisions().len(), 1, "{:#?}", second.history.decisions());
    scene.unbroken();
}

#[tokio::test(start_paused = true)]
async fn questions_are_answered_from_what_the_loop_knows() {
    let scene = Scene::new(7, Mode::Enforce).nodes(2, 2);
    let process = scene.process("a", Faults::none(), false);
    seconds(5).await;
    scene.schedule("cart", "keelson", "500m", json!({}));
    scene.schedule("huge", "keelson", "3", json!({}));
    seconds(30).await;
    let ask = |name: &'static str, question: Value| process.answers.ask(name, question);
    let sentence = |answer: Value| answer["sentence"].as_str().unwrap().to_owned();
    let why = |name: &str| json!({"namespace": "shop", "name": name});
    assert!(sentence(ask("scheduling.why", why("cart")).await.unwrap()).starts_with("Placed on node-"));
    assert!(
        sentence(ask("scheduling.why", why("huge")).await.unwrap())
            .starts_with("0/2 nodes are available: 2 Insufficient cpu.")
    );
    assert!(ask("scheduling.why", why("nobody")).await.is_err());
    let pod =
        json!({"spec": {"gravity": 1, "containers": [{"name": "c", "resources": {"requests": {"cpu": "100m"}}}]}});
    assert!(sentence(ask("scheduling.what-if", json!({"pod": pod})).await.unwrap()).starts_with("spec.gravity: "));
    let deployment = json!({"spec": {"template": {"spec": {"containers": [{"name": "c"}]}}}});
    assert!(
        sentence(ask("scheduling.what-if", json!({"pod": deployment})).await.unwrap()).starts_with("Placed on node-")
    );
    let large = json!({"spec": {"containers": [{"name": "c", "resources": {"requests": {"cpu": "3"}}}]}});
    let large = ask("scheduling.what-if", json!({"pod": large})).await.unwrap();
    assert!(large["change"].as_str().unwrap().contains("cpu"), "{large}");
    for (namespace, waiting) in [(json!({}), 1), (json!({"namespace": "shop"}), 1), (json!({"namespace": "bank"}), 0)] {
        let pending = ask("scheduling.pending", namespace).await.unwrap();
        assert_eq!(
            (pending["waiting"].as_u64(), pending["pods"].as_array().unwrap().len()),
            (Some(waiting), waiting as usize)
        );
    }
    let pending = ask("scheduling.pending", json!({})).await.unwrap();
    assert_eq!(pending["reasons"], json!({"Unschedulable": 1}));
    let [huge] = pending["pods"].as_array().unwrap().as_slice() else { unreachable!("{pending}") };
    assert_eq!(
        (&huge["namespace"], &huge["name"], &huge["said"]["reason"]),
        (&json!("shop"), &json!("huge"), &json!("Unschedulable"))
    );
    assert_eq!(huge["change"], large["change"]);
    let nodes = ask("scheduling.nodes", json!({})).await.unwrap();
    assert_eq!((nodes["nodes"].as_array().unwrap().len(), nodes["nodes"][0]["ready"].as_bool()), (2, Some(true)));
    let queue = ask("scheduling.queue", json!({})).await.unwrap();
    assert_eq!((&queue["waiting"], &queue["refused"], &queue["queue"]["waiting"]), (&json!(1), &json!(0), &json!(1)));
    let fields = ask("scheduling.fields", json!({})).await.unwrap();
    assert!(
        fields["fields"]
            .as_array()
            .unwrap()
            .iter()
            .any(|row| row["path"] == "spec.resourceClaims" && row["rule"] == "refused")
    );
}

#[tokio::test(start_paused = true)]
async fn ten_thousand_pods_add_no_series() {
    let scene = Scene::new(40, Mode::Observe).nodes(2, 8);
    let process = scene.process("a", Faults::none(), false);
    let mut registry = prometheus_client::registry::Registry::default();
    process.runtime.register(&mut registry);
    let scrape = || {
        let mut text = String::new();
        prometheus_client::encoding::text::encode(&mut text, &registry).unwrap();
        text
    };
    let series = |text: &str| text.lines().filter(|line| !line.starts_with('#')).count();
    scene.schedule("first", "keelson", "100m", json!({}));
    seconds(5).await;
    let before = scrape();
    (0..10_000).for_each(|n| scene.schedule(&format!("p{n}"), "keelson", "100m", json!({})));
    while process.history.decisions().len() < 10_001 {
        seconds(1).await;
    }
    let after = scrape();
    assert_eq!(series(&after), series(&before), "{after}");
    for line in [
        "keelson_scheduling_pods_held_back 10001.0",
        "scheduler_pending_pods{queue=\"unschedulable\"} 10001.0",
        "controller_runtime_reconcile_total{controller=\"scheduler\",result=\"requeue\"} 10001",
        "keelson_decision_latency_seconds_count{feature=\"scheduling\",stage=\"observe\"} 10001",
    ] {
        assert!(after.contains(line), "{line}\n{after}");
    }
}
