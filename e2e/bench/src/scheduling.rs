//! From the making of pods to the last binding, on a real control plane: Keelson beside kube-scheduler.
//!
//! One cluster serves every run: etcd, kube-apiserver, kube-controller-manager and kwok's nodes. A run makes its pods while one
//! scheduler alone is up, and takes them away again; the two take turns, shape by shape. Nodes and pods are those of
//! scheduler_perf (`test/integration/scheduler_perf`, 1.36): 4 cpu and 32 GiB in three zones; 100m and 500Mi.
//!
//! Promises: both are asked the same by the same client in the same minutes; processor time is the kernel's, of every process
//! of the control plane; requests are counted in the API server's own audit log, by who sent them.

mod field;
mod load;

use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};

use crate::clock::now;
use crate::{Better, Row, Setting};
use field::{Field, Spent, Who};

const PEER: &str = "kube-scheduler 1.36.3";
/// Longest wait for the last binding.
const PATIENCE: Duration = Duration::from_secs(600);

/// What the pods ask for beside cpu and memory.
#[derive(Debug, Clone, Copy)]
enum Shape {
    Basic,
    Spread,
    Affinity,
}

impl Shape {
    const fn name(self) -> &'static str {
        match self {
            Self::Basic => "basic",
            Self::Spread => "hard spread over zones",
            Self::Affinity => "required affinity by zone",
        }
    }

    /// How much faster than the peer it is to be, and by how much cheaper (issue 5).
    const fn goals(self) -> (f64, f64) {
        match self {
            Self::Basic => (1.15, 3.0),
            Self::Spread => (1.5, 5.0),
            Self::Affinity => (3.0, 5.0),
        }
    }

    /// One of the pods of a run. No other run has one of its name: kwok takes away by name who was deleted, some time later.
    fn pod(self, who: Who, index: usize) -> Value {
        let mut pod = json!({
            "apiVersion": "v1", "kind": "Pod",
            "metadata": {"name": format!("{self:?}-{who:?}-{index}").to_lowercase(), "labels": {"color": "blue"}},
            "spec": {"schedulerName": who.scheduler(), "terminationGracePeriodSeconds": 0, "containers": [{"name": "pause",
                "image": "pause:3.10", "resources": {"requests": {"cpu": "100m", "memory": "500Mi"}}}]},
        });
        let blue = json!({"matchLabels": {"color": "blue"}});
        let (path, rule) = match self {
            Self::Basic => return pod,
            Self::Spread => (
                "topologySpreadConstraints",
                json!([{"maxSkew": 5, "topologyKey": field::ZONE, "whenUnsatisfiable": "DoNotSchedule", "labelSelector": blue}]),
            ),
            Self::Affinity => (
                "affinity",
                json!({"podAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": [
                    {"topologyKey": field::ZONE, "labelSelector": blue}]}}),
            ),
        };
        if let Some(spec) = pod.pointer_mut("/spec").and_then(Value::as_object_mut) {
            spec.insert(path.to_owned(), rule);
        }
        pod
    }
}

/// One run.
struct Ran {
    took: Duration,
    spent: Spent,
    requests: usize,
}

/// Runs it.
///
/// # Errors
/// When the cluster does not start, or a pod is not bound in time.
pub fn run(setting: &Setting) -> Result<Vec<Row>> {
    let (nodes, pods) = (setting.of(1_000, 12), setting.of(10_000, 40));
    let mut field = Field::start(nodes, &setting.keelson)?;
    let mut rows = Vec::new();
    for shape in [Shape::Basic, Shape::Spread, Shape::Affinity] {
        let theirs = one(&mut field, shape, Who::KubeScheduler, pods)?;
        let ours = one(&mut field, shape, Who::Keelson, pods)?;
        rows.extend(compared(shape, &ours, &theirs, nodes, pods));
    }
    Ok(rows)
}

fn one(field: &mut Field, shape: Shape, who: Who, pods: usize) -> Result<Ran> {
    field.up(who, shape)?;
    let (logged, before) = (field.logged()?, field.spent()?);
    let began = now();
    field.load.make(field::PODS, (0..pods).map(|index| shape.pod(who, index)))?;
    let made = began.elapsed();
    while field.bound(logged)? < pods {
        ensure!(began.elapsed() < PATIENCE, "{}: {who:?} has not bound all within {PATIENCE:?}", shape.name());
        std::thread::sleep(Duration::from_millis(500));
    }
    let took = began.elapsed();
    let spent = field.spent()?.since(&before);
    let asked = field.asked_by(who, logged)?;
    eprintln!("{}, {who:?}: made in {made:.1?}, bound after {took:.1?}; {asked:?}; {spent:?}", shape.name());
    let requests = asked.values().sum();
    field.down(who)?;
    field.load.clear(field::PODS).context("the pods do not go")?;
    Ok(Ran { took, spent, requests })
}

fn compared(shape: Shape, ours: &Ran, theirs: &Ran, nodes: usize, pods: usize) -> Vec<Row> {
    let (faster, cheaper) = shape.goals();
    let name = shape.name();
    let how =
        format!("{nodes} kwok nodes, {pods} pods, made to bound, one scheduler at a time, in turn, with an audit log");
    let rate = |ran: &Ran| pods as f64 / ran.took.as_secs_f64();
    let cost = |time: Duration| time.as_secs_f64() * 1_000.0 / pods as f64;
    let own = |ran: &Ran, who: Who| cost(ran.spent.of(who.program()));
    let their_cost = own(theirs, Who::KubeScheduler);
    let asked = |ran: &Ran| ran.requests as f64 / pods as f64;
    let mut rows = vec![
        Row::new(&format!("bound: {name}"), rate(ours), "pods/s", Better::Higher, &how)
            .goal(faster * rate(theirs))
            .beside(PEER, rate(theirs)),
        Row::new(
            &format!("the scheduler's processor: {name}"),
            own(ours, Who::Keelson),
            "s a 1,000",
            Better::Lower,
            &how,
        )
        .goal(their_cost / cheaper)
        .beside(PEER, their_cost),
        Row::new(&format!("requests: {name}"), asked(ours), "a pod", Better::Lower, &how)
            .goal(asked(theirs))
            .beside(PEER, asked(theirs)),
    ];
    for program in ["kube-apiserver", "etcd", "kwok", "kube-controller"] {
        let what = format!("{program}'s processor: {name}");
        let row = Row::new(&what, cost(ours.spent.of(program)), "s a 1,000", Better::Lower, &how);
        rows.push(row.beside(PEER, cost(theirs.spent.of(program))));
    }
    let idle = |ran: &Ran| ran.spent.idle_percent();
    rows.push(Row::new(&format!("idle: {name}"), idle(ours), "%", Better::Higher, &how).beside(PEER, idle(theirs)));
    rows
}

/// Processor time by program.
type Times = BTreeMap<String, Duration>;
