//! Whole situations: machines, applications, and what happens to them.
//!
//! A scenario is plain data drawn from its seed; [`super::World::follow`] plays it.

use keelson_core::Span;

use super::autoscale::Scaled;
use super::chance::Chance;
use super::kinds::{CRON_JOBS, DEPLOYMENTS, STATEFUL_SETS};
use super::nodes::NodeSpec;
use super::pod_life::RUN_SECONDS;
use super::read::Key;
use super::script::Deed;
use super::traffic::{Day, Driver};
use crate::apps::{self, LoadError};
use crate::objects::{Resource, Write};
use crate::tree::{Value, json};

/// When an evening begins: the traffic of the bundled day has its match at 21:00.
pub const EVENING: &str = "2026-05-20T17:00:00Z";

/// A situation.
#[derive(Debug, Clone, Default)]
pub struct Scenario {
    /// Machines that are there at the beginning.
    pub nodes: Vec<NodeSpec>,
    /// What is created then.
    pub objects: Vec<Write<Value>>,
    /// What happens later, counted from the beginning.
    pub script: Vec<(Span, Deed)>,
    /// After how long it happens again, for ever; once when not given.
    pub again: Option<Span>,
    /// Workloads that the stand-in autoscaler sizes; empty it where a real autoscaler runs.
    pub scaled: Vec<Scaled>,
    /// The traffic they follow.
    pub day: Option<Day>,
}

/// A day, in minutes.
const DAY: i64 = 24 * 60;

/// The zones of every scenario.
const ZONES: [&str; 3] = ["eu-west-1a", "eu-west-1b", "eu-west-1c"];

impl Scenario {
    /// An evening of a streaming service from [`EVENING`]: 36 machines in three zones; the streaming application with
    /// viewers that come for a match, two rollouts, Spot machines that are taken away and replaced; beside it Online
    /// Boutique, which releases a service every few minutes, jobs by the clock, a batch that fits nowhere and a database
    /// with a volume. Pods of the streaming application ask for the scheduler `streaming`, the others for `boutique`.
    ///
    /// It goes on: the night has fewer releases and the same jobs, and every evening is followed by another.
    ///
    /// # Errors
    /// A manifest that cannot be read.
    pub fn evening(seed: u64, streaming: &str, boutique: &str) -> Result<Self, LoadError> {
        let mut objects = Vec::new();
        for (yamls, scheduler) in [(&apps::STREAMING, streaming), (&apps::ONLINE_BOUTIQUE, boutique)] {
            for yaml in yamls {
                objects.extend(apps::load(yaml, Some(scheduler))?);
            }
        }
        objects.extend(jobs_by_the_clock(boutique));
        let mut script = spot_losses(Chance::new(seed));
        script.push((Span::minutes(2), Deed::Write(render_batch(boutique))));
        script.extend(ledger(boutique).map(|write| (Span::minutes(3), Deed::Write(write))));
        for (minute, workload) in [(150, "player-api"), (190, "recommender")] {
            for minute in [minute, DAY + minute] {
                script.push((Span::minutes(minute), new_version("streaming", workload, minute)));
            }
        }
        for (minute, service) in releases().zip(RELEASED.iter().cycle()) {
            script.push((Span::minutes(minute), new_version(SHOP, service, minute)));
        }
        let (again, day) = (Some(Span::minutes(2 * DAY)), Some(Day::streaming()));
        Ok(Self { nodes: evening_nodes(), objects, script, again, scaled: evening_scaling(), day })
    }

    /// A day of wear for `nodes` machines and about `pods` pods: Deployments that grow, shrink, roll over, come and go,
    /// jobs, machines that die and recover, cordons, taints, Spot losses. Something happens every four minutes or so.
    #[must_use]
    pub fn churn(seed: u64, nodes: usize, pods: usize, scheduler: &str) -> Self {
        churn::draw(Chance::new(seed), nodes, pods, scheduler)
    }
}

fn evening_nodes() -> Vec<NodeSpec> {
    let mut nodes = Vec::new();
    for (letter, zone) in ["a", "b", "c"].into_iter().zip(ZONES) {
        let mut gpu = NodeSpec::new(&format!("gpu-{letter}-0"), zone, "g4dn.12xlarge", 48, 192);
        gpu.capacity.insert("nvidia.com/gpu".to_owned(), "4".to_owned());
        gpu.taints.push(json!({"key": "nvidia.com/gpu", "value": "present", "effect": "NoSchedule"}));
        nodes.push(gpu);
        nodes.extend((0..6).map(|n| NodeSpec::new(&format!("edge-{letter}-{n}"), zone, "m6in.2xlarge", 8, 32)));
        nodes.extend((0..3).map(|n| NodeSpec::new(&format!("core-{letter}-{n}"), zone, "m6i.4xlarge", 16, 64)));
        nodes.extend((0..2).map(|n| spot(&format!("spot-{letter}-{n}"), zone)));
    }
    nodes
}

fn spot(name: &str, zone: &str) -> NodeSpec {
    let mut spec = NodeSpec::new(name, zone, "c6i.2xlarge", 8, 16);
    spec.spot = true;
    spec.taints.push(json!({"key": "spot", "value": "true", "effect": "NoSchedule"}));
    spec
}

/// Three Spot machines go during each of two evenings; each is replaced after three minutes, on the second evening by one
/// of the name that went on the first.
fn spot_losses(chance: Chance) -> Vec<(Span, Deed)> {
    let mut script = Vec::new();
    for (loss, (letter, zone)) in ["a", "b", "c"].into_iter().zip(ZONES).enumerate() {
        let when = chance.span("loss", letter, Span::minutes(60), Span::minutes(300));
        let first = format!("spot-{letter}-{}", chance.below("victim", letter, 2));
        let second = format!("spot-{letter}-{}", loss + 10);
        for (day, goes, comes) in [(0, &first, &second), (DAY, &second, &first)] {
            let after = |minutes| Span(when.0 + Span::minutes(day + minutes).0);
            script.push((after(0), Deed::Reclaim(goes.clone(), Span::minutes(2))));
            script.push((after(5), Deed::AddNode(spot(comes, zone))));
        }
    }
    script
}

/// The minutes of two days at which a service is released: every seven in the evening, until a quarter past one, and every
/// 25 otherwise.
fn releases() -> impl Iterator<Item = i64> {
    let gap = |minute: i64| if minute % DAY < 490 { 7 } else { 25 };
    std::iter::successors(Some(6), move |minute| Some(minute + gap(*minute))).take_while(|minute| *minute < 2 * DAY)
}

/// Jobs that a schedule starts, day and night: one that is small, and one whose tasks are more than Spot machines can run
/// at once, so that some wait for the others.
fn jobs_by_the_clock(scheduler: &str) -> [Write<Value>; 2] {
    let cron = |name: &str, schedule: &str, tasks: usize, seconds: i64, spec: Value| {
        let annotations = json!({RUN_SECONDS: seconds.to_string()});
        let template = json!({"metadata": {"labels": {"app": name}, "annotations": annotations}, "spec": spec});
        let job =
            json!({"parallelism": tasks, "completions": tasks, "ttlSecondsAfterFinished": 300, "template": template});
        let spec = json!({"schedule": schedule, "concurrencyPolicy": "Forbid", "jobTemplate": {"spec": job}});
        let metadata = json!({"namespace": SHOP, "name": name});
        Write::Create(
            CRON_JOBS,
            json!({"apiVersion": "batch/v1", "kind": "CronJob", "metadata": metadata, "spec": spec}),
        )
    };
    let container = |name: &str, cpu: &str, memory: &str| {
        let requests = json!({"cpu": cpu, "memory": memory});
        json!([{"name": name, "image": format!("shop/{name}:1"), "resources": {"requests": requests}}])
    };
    let on_spot = json!({
        "schedulerName": scheduler, "restartPolicy": "OnFailure",
        "nodeSelector": {"karpenter.sh/capacity-type": "spot"},
        "tolerations": [{"key": "spot", "operator": "Exists", "effect": "NoSchedule"}],
        "containers": container("images", "5", "4Gi"),
    });
    let small = json!({
        "schedulerName": scheduler, "restartPolicy": "OnFailure",
        "containers": container("sessions", "100m", "128Mi"),
    });
    [cron("sessions", "*/5 * * * *", 1, 20, small), cron("images", "*/20 * * * *", 8, 240, on_spot)]
}

/// The namespace of Online Boutique.
const SHOP: &str = "online-boutique";

/// The services of Online Boutique that are released during an evening.
const RELEASED: [&str; 6] =
    ["frontend", "recommendationservice", "cartservice", "checkoutservice", "adservice", "currencyservice"];

/// A database with a volume.
fn ledger(scheduler: &str) -> [Write<Value>; 2] {
    let claim = json!({"apiVersion": "v1", "kind": "PersistentVolumeClaim",
        "metadata": {"namespace": SHOP, "name": "ledger"},
        "spec": {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "10Gi"}}}});
    let spec = json!({"schedulerName": scheduler,
        "containers": [{"name": "ledger", "image": "shop/ledger:1", "resources": {"requests": {"cpu": "1", "memory": "2Gi"}}}],
        "volumes": [{"name": "data", "persistentVolumeClaim": {"claimName": "ledger"}}]});
    let claims = Resource { group: "", plural: "persistentvolumeclaims" };
    [Write::Create(claims, claim), Write::Create(DEPLOYMENTS, workload(SHOP, "ledger", 1, spec))]
}

/// Four pods of which none fits anywhere.
fn render_batch(scheduler: &str) -> Write<Value> {
    let spec = json!({"schedulerName": scheduler, "containers": [{"name": "render", "image": "streaming/render:1",
        "resources": {"requests": {"cpu": "64", "memory": "64Gi"}}}]});
    Write::Create(DEPLOYMENTS, workload(SHOP, "render", 4, spec))
}

fn evening_scaling() -> Vec<Scaled> {
    let row = |resource, name: &str, driver, share, least, most| Scaled {
        resource,
        key: Key::new("streaming", name),
        driver,
        share,
        least,
        most,
    };
    vec![
        row(STATEFUL_SETS, "edge-cache", Driver::EdgeEgress, 2_500, 6, 24),
        row(DEPLOYMENTS, "player-api", Driver::PlayerApi, 60_000, 6, 80),
        row(DEPLOYMENTS, "drm-license", Driver::License, 1_000, 3, 20),
        row(DEPLOYMENTS, "transcoder", Driver::Channels, 2, 12, 18),
        row(DEPLOYMENTS, "recommender", Driver::AppOpens, 80, 3, 20),
        row(DEPLOYMENTS, "beacon-collector", Driver::Beacons, 80_000, 4, 40),
    ]
}

/// A Deployment.
fn workload(namespace: &str, name: &str, replicas: usize, spec: Value) -> Value {
    json!({
        "apiVersion": "apps/v1", "kind": "Deployment",
        "metadata": {"namespace": namespace, "name": name, "labels": {"app": name}},
        "spec": {"replicas": replicas, "selector": {"matchLabels": {"app": name}},
            "template": {"metadata": {"labels": {"app": name}}, "spec": spec}},
    })
}

fn delete(namespace: &str, name: &str) -> Deed {
    let (namespace, name) = (namespace.to_owned(), name.to_owned());
    Deed::Write(Write::Delete { resource: DEPLOYMENTS, namespace, name, uid: None, grace_seconds: None })
}

fn change(namespace: &str, name: &str, patch: Value) -> Deed {
    let (namespace, name) = (namespace.to_owned(), name.to_owned());
    Deed::Write(Write::Merge { resource: DEPLOYMENTS, namespace, name, subresource: "", patch })
}

fn new_version(namespace: &str, name: &str, version: i64) -> Deed {
    let annotations = json!({"sim.keelson.dev/version": version.to_string()});
    change(namespace, name, json!({"spec": {"template": {"metadata": {"annotations": annotations}}}}))
}

/// The day of wear.
mod churn {
    use super::*;
    use crate::world::kinds::{JOBS, NODES};

    /// Sizes of a pod: cpu, memory.
    const SIZES: [(&str, &str); 5] =
        [("100m", "128Mi"), ("250m", "256Mi"), ("500m", "512Mi"), ("1", "1Gi"), ("2", "4Gi")];
    /// Pods of a Deployment at the beginning.
    const REPLICAS: usize = 10;
    /// How long a day is, in seconds.
    const SECONDS: i64 = 86_400;

    pub(super) fn draw(chance: Chance, nodes: usize, pods: usize, scheduler: &str) -> Scenario {
        let count = (pods / REPLICAS).max(1);
        let shop = |n: usize| Write::Create(DEPLOYMENTS, deployment(chance, &format!("shop-{n:02}"), scheduler));
        let mut script = Vec::new();
        let mut at = 600;
        for step in 0.. {
            at += i64::try_from(chance.below("gap", &step.to_string(), 480)).unwrap_or(0);
            if at >= SECONDS {
                break;
            }
            script.extend(
                deeds(chance, step, nodes, count, scheduler)
                    .into_iter()
                    .map(|(after, deed)| (Span::seconds(at + after), deed)),
            );
        }
        Scenario {
            nodes: (0..nodes).map(node).collect(),
            objects: (0..count).map(shop).collect(),
            script,
            ..Scenario::default()
        }
    }

    fn node(n: usize) -> NodeSpec {
        let zone = ZONES.get(n % ZONES.len()).copied().unwrap_or("eu-west-1a");
        let (kind, cpu, memory) = match n % 4 {
            0 => ("m6i.2xlarge", 8, 32),
            1 => ("c6i.4xlarge", 16, 32),
            _ => ("m6i.4xlarge", 16, 64),
        };
        NodeSpec { spot: n % 5 == 4, ..NodeSpec::new(&format!("node-{n:02}"), zone, kind, cpu, memory) }
    }

    fn deployment(chance: Chance, name: &str, scheduler: &str) -> Value {
        let size = usize::try_from(chance.below("size", name, 5)).ok().and_then(|n| SIZES.get(n));
        let (cpu, memory) = size.copied().unwrap_or(("100m", "128Mi"));
        let patience = ["not-ready", "unreachable"].map(|state| {
            let key = format!("node.kubernetes.io/{state}");
            json!({"key": key, "operator": "Exists", "effect": "NoExecute", "tolerationSeconds": 300})
        });
        let mut spec = json!({
            "schedulerName": scheduler, "tolerations": patience,
            "containers": [{"name": "main", "image": format!("churn/{name}:1"),
                "resources": {"requests": {"cpu": cpu, "memory": memory}}, "readinessProbe": {"tcpSocket": {"port": 80}}}],
        });
        if chance.below("pinned", name, 6) == 0
            && let Some(fields) = spec.as_object_mut()
        {
            let zone = usize::try_from(chance.below("zone", name, 3)).ok().and_then(|n| ZONES.get(n));
            fields.insert("nodeSelector".to_owned(), json!({"topology.kubernetes.io/zone": zone}));
        }
        if let Some(fields) = spec.as_object_mut() {
            let selector = json!({"matchLabels": {"app": name}});
            match chance.below("neighbours", name, 8) {
                0 => {
                    let term = json!({"topologyKey": "kubernetes.io/hostname", "labelSelector": selector});
                    let required = json!({"requiredDuringSchedulingIgnoredDuringExecution": [term]});
                    fields.insert("affinity".to_owned(), json!({"podAntiAffinity": required}));
                }
                1 => {
                    let spread = json!({"topologyKey": "topology.kubernetes.io/zone", "maxSkew": 2,
                        "whenUnsatisfiable": "DoNotSchedule", "labelSelector": selector});
                    fields.insert("topologySpreadConstraints".to_owned(), json!([spread]));
                }
                _ => {}
            }
        }
        if chance.below("port", name, 12) == 0
            && let Some(container) = spec.pointer_mut("/containers/0").and_then(Value::as_object_mut)
        {
            container.insert("ports".to_owned(), json!([{"containerPort": 9_000, "hostPort": 9_000}]));
        }
        workload("default", name, REPLICAS, spec)
    }

    /// What happens in one step, with seconds after its beginning.
    fn deeds(chance: Chance, step: u64, nodes: usize, count: usize, scheduler: &str) -> Vec<(i64, Deed)> {
        let key = step.to_string();
        let below = |purpose: &str, end: usize| {
            usize::try_from(chance.below(purpose, &key, u64::try_from(end).unwrap_or(1))).unwrap_or(0)
        };
        let shop = format!("shop-{:02}", below("shop", count));
        let node = format!("node-{:02}", below("node", nodes));
        let later = i64::try_from(below("later", 1_200)).unwrap_or(0) + 60;
        let node_spec = |patch: Value| {
            let (namespace, name) = (String::new(), node.clone());
            Deed::Write(Write::Merge {
                resource: NODES,
                namespace,
                name,
                subresource: "",
                patch: json!({"spec": patch}),
            })
        };
        match below("what", 20) {
            0..=8 => {
                let replicas = below("replicas", 2 * REPLICAS);
                vec![(0, change("default", &shop, json!({"spec": {"replicas": replicas}})))]
            }
            9..=11 => vec![(0, new_version("default", &shop, i64::try_from(step).unwrap_or(0)))],
            12..=13 => vec![(0, Deed::Write(job(&key, below("tasks", 12) + 1, scheduler)))],
            14 => {
                let again = Write::Create(DEPLOYMENTS, deployment(chance, &shop, scheduler));
                vec![(0, delete("default", &shop)), (later, Deed::Write(again))]
            }
            15..=16 => vec![(0, Deed::Kill(node.clone())), (later, Deed::Recover(node))],
            17 => {
                vec![(0, node_spec(json!({"unschedulable": true}))), (later, node_spec(json!({"unschedulable": null})))]
            }
            18 => {
                let effect = if below("effect", 2) == 0 { "NoSchedule" } else { "NoExecute" };
                let taint = json!([{"key": "maintenance", "effect": effect}]);
                vec![(0, node_spec(json!({"taints": taint}))), (later, node_spec(json!({"taints": null})))]
            }
            _ => {
                let fresh = super::churn::node(node.trim_start_matches("node-").parse().unwrap_or(0));
                vec![(0, Deed::Reclaim(node, Span::minutes(2))), (180 + later, Deed::AddNode(fresh))]
            }
        }
    }

    fn job(step: &str, tasks: usize, scheduler: &str) -> Write<Value> {
        let spec = json!({"schedulerName": scheduler, "restartPolicy": "Never", "containers": [{"name": "task",
            "image": "churn/task:1", "resources": {"requests": {"cpu": "500m", "memory": "256Mi"}}}]});
        let object = json!({
            "apiVersion": "batch/v1", "kind": "Job", "metadata": {"namespace": "default", "name": format!("task-{step}")},
            "spec": {"parallelism": 4, "completions": tasks, "ttlSecondsAfterFinished": 600, "template": {"spec": spec}},
        });
        Write::Create(JOBS, object)
    }
}
