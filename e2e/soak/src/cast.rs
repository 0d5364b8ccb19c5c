//! Who takes part in a day beside the wear: workloads that put at stake what the wear alone does not.
//!
//! Keepers keep others away, some workloads must be in one zone. On the *arena* urgent pods come and go among pods that a
//! disruption budget guards and pods that none does. On the *stage* an AppGroup comes whole, late or where there is no room
//! for all of it, grows and goes; another drifts, because the costs between zones change, and may be moved.
//!
//! Promises: machines of arena and stage hold nobody else; nothing happens there in the last half an hour.

use keelson_api::names;
use keelson_core::Span;
use keelson_sim::objects::{Resource, Write};
use keelson_sim::tree::{Value, json};
use keelson_sim::world::kinds::{BUDGETS, DEPLOYMENTS, PODS};
use keelson_sim::world::nodes::NodeSpec;
use keelson_sim::world::scenario::Scenario;
use keelson_sim::world::script::Deed;

/// How long the pods of a group wait for each other in these days: longer than what is known may be old.
pub const GROUP_WAIT: Span = Span::minutes(8);
/// AppGroups, as the stream names them.
pub const GROUPS: Resource = Resource { group: "appgroup.diktyo.x-k8s.io", plural: "appgroups" };
/// The label that names a pod's group.
pub const GROUP: &str = "appgroup.diktyo.x-k8s.io";

const TOPOLOGIES: Resource = Resource { group: "networktopology.diktyo.x-k8s.io", plural: "networktopologies" };
const CLASSES: Resource = Resource { group: "scheduling.k8s.io", plural: "priorityclasses" };
const PLATFORMS: Resource = Resource { group: names::GROUP, plural: "platforms" };
const ZONE: &str = "topology.kubernetes.io/zone";
const ZONES: [&str; 3] = ["eu-west-1a", "eu-west-1b", "eu-west-1c"];

/// Machines with a pod that keeps some of the others away.
const KEEPERS: usize = 12;
/// Workloads whose pods must be in one zone.
const TOGETHER: i64 = 4;
/// Machines of the arena, each for seven pods.
const ARENA: usize = 2;
/// Machines of the stage, each for three pods of the group that comes and goes.
const STAGE: usize = 6;
/// How often the number of urgent pods changes, in minutes, and what it becomes in turn: room is free for two.
const URGENT_EVERY: i64 = 17;
const URGENT: [i64; 5] = [4, 0, 11, 3, 0];
/// How often the group comes, in minutes.
const GROUP_EVERY: i64 = 60;
/// How often what zones cost each other changes, in minutes.
const COSTS_EVERY: i64 = 5;
/// What fills the stage so that four pods of the group have room, and so that all have.
const FULL: i64 = 14;
const HALF: i64 = 8;
/// Nothing happens on arena and stage so long before the end, in minutes.
const REST: i64 = 30;

/// Adds them to a day that is `length` long, on `nodes` machines.
pub fn join(scenario: &mut Scenario, nodes: usize, length: Span) {
    let wait = json!({"groupWaitSeconds": GROUP_WAIT.0 / Span::seconds(1).0});
    let patch = json!({"spec": {"features": {"scheduling": {"settings": wait}}}});
    let (namespace, name) = (String::new(), names::PLATFORM.to_owned());
    let setting = Write::Merge { resource: PLATFORMS, namespace, name, subresource: "", patch };
    scenario.objects.splice(0..0, (0..KEEPERS.min(nodes)).map(keeper).chain([setting]));
    let mut script = Vec::new();
    for (number, name) in (0..TOGETHER).map(|number| (number, format!("together-{number:02}"))) {
        scenario.objects.push(Write::Create(DEPLOYMENTS, together(&name)));
        // Each quarter of an hour one grows or shrinks.
        let sizes = (0..).map(|step| (20 + 15 * (step * TOGETHER + number), 2 + (step + number) % 4));
        let during = sizes.take_while(|(at, _)| Span::minutes(*at) < length);
        scenario.script.extend(during.map(|(at, replicas)| (Span::minutes(at), sized(&name, replicas))));
    }
    arena(scenario, &mut script);
    stage(scenario, &mut script);
    let during = |minute: i64| Span::minutes(minute + REST) < length;
    let script = script.into_iter().filter(|(minute, _)| during(*minute));
    scenario.script.extend(script.map(|(minute, deed)| (Span::minutes(minute), deed)));
}

/// More minutes than any day has.
const LONGEST: i64 = 24 * 60;

fn arena(scenario: &mut Scenario, script: &mut Vec<(i64, Deed)>) {
    scenario.nodes.extend((0..ARENA).map(|number| machine("arena", number, 8)));
    let class = json!({"metadata": {"name": "urgent"}, "value": 1_000});
    scenario.objects.push(Write::Create(CLASSES, class));
    for (name, replicas) in [("guarded", 6), ("cheap", 6), ("urgent", 0)] {
        let class = if name == "urgent" { json!({"priorityClassName": "urgent"}) } else { json!({}) };
        scenario
            .objects
            .push(Write::Create(DEPLOYMENTS, deployment(name, replicas, ("arena", "1"), &json!({}), class)));
    }
    scenario.objects.push(Write::Create(BUDGETS, budget("guarded", 5)));
    for (step, replicas) in (0..LONGEST / URGENT_EVERY).zip(URGENT.iter().cycle()) {
        script.push((12 + URGENT_EVERY * step, sized("urgent", *replicas)));
    }
    for hour in [5, 13, 19] {
        script.push((60 * hour + 3, Deed::Kill("arena-1".to_owned())));
        script.push((60 * hour + 14, Deed::Recover("arena-1".to_owned())));
    }
}

fn stage(scenario: &mut Scenario, script: &mut Vec<(i64, Deed)>) {
    scenario.nodes.extend((0..STAGE).map(|number| machine("stage", number, 2)));
    scenario.objects.push(Write::Create(TOPOLOGIES, topology(0)));
    scenario
        .objects
        .push(Write::Create(DEPLOYMENTS, deployment("filler", HALF, ("stage", "600m"), &json!({}), json!({}))));
    drifting(scenario);
    for step in 0..LONGEST / COSTS_EVERY {
        script.push((COSTS_EVERY * step + 4, costs(step)));
    }
    for hour in 0..LONGEST / 60 {
        // Every third hour no pod of it may be evicted.
        script.push((60 * hour + 25, guard("drift-back", if hour % 3 == 2 { 2 } else { 1 })));
    }
    for (turn, begin) in (0..LONGEST / GROUP_EVERY).map(|turn| (turn, 20 + GROUP_EVERY * turn)) {
        let mut at = |minute: i64, deed: Deed| script.push((begin + minute, deed));
        let late = turn % 3 == 1;
        at(-5, sized("filler", if late { HALF } else { FULL }));
        at(0, Deed::Write(Write::Create(GROUPS, group("unit", &UNIT, 6, false))));
        for name in UNIT {
            let replicas = if late && name == "unit-cache" { 1 } else { 2 };
            at(0, Deed::Write(Write::Create(DEPLOYMENTS, member("unit", name, replicas, "600m", json!({})))));
        }
        match turn % 3 {
            0 => at(6, sized("filler", HALF)),
            1 => at(4, sized("unit-cache", 2)),
            _ => at(20, sized("filler", HALF)),
        }
        at(25, members("unit", 8));
        at(25, sized("unit-web", 4));
        at(32, members("unit", 5));
        at(32, sized("unit-web", 1));
        UNIT.into_iter().for_each(|name| at(45, delete(DEPLOYMENTS, name)));
        at(46, delete(GROUPS, "unit"));
    }
}

/// The workloads of the group that comes and goes: the first calls the others.
const UNIT: [&str; 3] = ["unit-web", "unit-db", "unit-cache"];

/// A group of three that may be moved: one pod, and two in different zones that it calls. The second is where that is
/// cheapest, until it is not.
fn drifting(scenario: &mut Scenario) {
    let names = ["drift-front", "drift-back"];
    scenario.objects.push(Write::Create(GROUPS, group("drift", &names, 3, true)));
    scenario.objects.push(Write::Create(DEPLOYMENTS, member("drift", "drift-front", 1, "50m", json!({}))));
    let term = json!({"topologyKey": ZONE, "labelSelector": {"matchLabels": {"app": "drift-back"}}});
    let apart = json!({"affinity": {"podAntiAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": [term]}}});
    scenario.objects.push(Write::Create(DEPLOYMENTS, member("drift", "drift-back", 2, "50m", apart)));
    scenario.objects.push(Write::Create(BUDGETS, budget("drift-back", 1)));
}

/// A machine of `place`, for its pods alone.
fn machine(place: &str, number: usize, cpu: u32) -> NodeSpec {
    let zone = ZONES.get(number % ZONES.len()).copied().unwrap_or("eu-west-1a");
    let mut spec = NodeSpec::new(&format!("{place}-{number}"), zone, "m6i.large", cpu, 32);
    spec.labels.insert("place".to_owned(), place.to_owned());
    spec.taints.push(json!({"key": "place", "value": place, "effect": "NoSchedule"}));
    spec
}

/// A Deployment on the machines of a place; each pod asks for so much cpu.
fn deployment(name: &str, replicas: i64, (place, cpu): (&str, &str), more: &Value, spec: Value) -> Value {
    let mut labels = json!({"app": name});
    let mut pod = json!({
        "schedulerName": names::SCHEDULER, "nodeSelector": {"place": place},
        "tolerations": [{"key": "place", "value": place, "effect": "NoSchedule"}],
        "containers": [{"name": "main", "image": format!("cast/{name}:1"), "resources": {"requests": {"cpu": cpu}},
            "readinessProbe": {"tcpSocket": {"port": 80}}}],
    });
    for (into, from) in [(&mut labels, more.clone()), (&mut pod, spec)] {
        if let (Value::Object(into), Value::Object(from)) = (into, from) {
            into.extend(from);
        }
    }
    json!({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"namespace": "default", "name": name},
        "spec": {"replicas": replicas, "selector": {"matchLabels": {"app": name}},
            "template": {"metadata": {"labels": labels}, "spec": pod}}})
}

fn member(group: &str, name: &str, replicas: i64, cpu: &str, spec: Value) -> Value {
    let labels = json!({GROUP: group, "appgroup.diktyo.x-k8s.io.workload": name});
    deployment(name, replicas, ("stage", cpu), &labels, spec)
}

/// An AppGroup whose first workload calls the others.
fn group(name: &str, workloads: &[&str], members: i64, moves: bool) -> Value {
    let workload = |name: &&str| json!({"kind": "Deployment", "apiVersion": "apps/v1", "namespace": "default", "name": name, "selector": name});
    let calls: Vec<Value> = workloads.iter().skip(1).map(|name| json!({"workload": workload(name)})).collect();
    let of = |(index, name): (usize, &&str)| match index {
        0 => json!({"workload": workload(name), "dependencies": calls}),
        _ => json!({"workload": workload(name)}),
    };
    let workloads: Vec<Value> = workloads.iter().enumerate().map(of).collect();
    let annotations = if moves { json!({names::DRIFT: "move"}) } else { json!({}) };
    json!({"apiVersion": "appgroup.diktyo.x-k8s.io/v1alpha1", "kind": "AppGroup",
        "metadata": {"namespace": "default", "name": name, "annotations": annotations},
        "spec": {"numMembers": members, "topologySortingAlgorithm": "KahnSort", "workloads": workloads}})
}

/// What zones cost each other: half an hour the second is near the first, half an hour the third, and a little else each
/// time, as what is measured does.
fn weights(step: i64) -> Value {
    let (second, third) = if step / 6 % 2 == 0 { (5, 20) } else { (20, 5) };
    let cost = |to: usize, cost: i64| json!({"destination": ZONES.get(to), "networkCost": cost + step % 2});
    let from = |from: usize, costs: [Value; 2]| json!({"origin": ZONES.get(from), "costList": costs});
    let origins = [
        from(0, [cost(1, second), cost(2, third)]),
        from(1, [cost(0, second), cost(2, 10)]),
        from(2, [cost(0, third), cost(1, 10)]),
    ];
    json!([{"name": "UserDefined", "topologyList": [{"topologyKey": ZONE, "originList": origins}]}])
}

fn topology(step: i64) -> Value {
    json!({"apiVersion": "networktopology.diktyo.x-k8s.io/v1alpha1", "kind": "NetworkTopology",
        "metadata": {"namespace": "default", "name": "nt-default"}, "spec": {"weights": weights(step)}})
}

fn budget(app: &str, least: i64) -> Value {
    json!({"apiVersion": "policy/v1", "kind": "PodDisruptionBudget", "metadata": {"namespace": "default", "name": app},
        "spec": {"minAvailable": least, "selector": {"matchLabels": {"app": app}}}})
}

fn change(resource: Resource, name: &str, spec: Value) -> Deed {
    let (namespace, name) = ("default".to_owned(), name.to_owned());
    Deed::Write(Write::Merge { resource, namespace, name, subresource: "", patch: json!({"spec": spec}) })
}

fn costs(step: i64) -> Deed {
    change(TOPOLOGIES, "nt-default", json!({"weights": weights(step)}))
}

fn guard(budget: &str, least: i64) -> Deed {
    change(BUDGETS, budget, json!({"minAvailable": least}))
}

fn members(group: &str, members: i64) -> Deed {
    change(GROUPS, group, json!({"numMembers": members}))
}

/// The workload in another size.
fn sized(name: &str, replicas: i64) -> Deed {
    change(DEPLOYMENTS, name, json!({"replicas": replicas}))
}

fn delete(resource: Resource, name: &str) -> Deed {
    let (namespace, name) = ("default".to_owned(), name.to_owned());
    Deed::Write(Write::Delete { resource, namespace, name, uid: None, grace_seconds: None })
}

/// A pod that somebody else put on a machine, and that wants no pods of the first shops beside it.
fn keeper(number: usize) -> Write<Value> {
    let shops: Vec<String> = (0..3).map(|shop| format!("shop-{shop:02}")).collect();
    let selector = json!({"matchExpressions": [{"key": "app", "operator": "In", "values": shops}]});
    let term = json!({"topologyKey": "kubernetes.io/hostname", "labelSelector": selector});
    let affinity = json!({"podAntiAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": [term]}});
    let metadata = json!({"namespace": "default", "name": format!("keeper-{number:02}")});
    let container = json!({"name": "main", "image": "churn/keeper:1"});
    let spec = json!({"nodeName": format!("node-{number:02}"), "affinity": affinity, "containers": [container]});
    Write::Create(PODS, json!({"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": spec}))
}

/// A workload whose pods must be in one zone.
fn together(name: &str) -> Value {
    let selector = json!({"matchLabels": {"app": name}});
    let term = json!({"topologyKey": ZONE, "labelSelector": selector});
    let affinity = json!({"podAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": [term]}});
    let container =
        json!({"name": "main", "image": format!("churn/{name}:1"), "resources": {"requests": {"cpu": "50m"}}});
    let spec = json!({"schedulerName": names::SCHEDULER, "affinity": affinity, "containers": [container]});
    let template = json!({"metadata": {"labels": {"app": name}}, "spec": spec});
    json!({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"namespace": "default", "name": name},
        "spec": {"replicas": 3, "selector": selector, "template": template}})
}
