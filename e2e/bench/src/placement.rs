//! How many pods a second the engine places on five thousand nodes, all of them scored, on one thread.
//!
//! Nodes, pods and rules are those of kube-scheduler's own performance test (scheduler_perf, v1.36): nodes of 4 cpu, 32 GiB
//! and 110 pods in three zones, pods of 100 m and 500 MiB. A pod placed is a choice and the state that follows from it.
//! kube-scheduler's figures are of other machines, with many threads and a tenth of the nodes scored: each row says where
//! from.

use std::time::Duration;

use anyhow::{Context, Result};
use keelson_cluster::read::{ReadNode, ReadPod};
use keelson_cluster::{Event, State};
use keelson_core::selector::LabelSelector;
use keelson_core::{Rates, ResourceName, Resources};
use keelson_placement::spread::{HOSTNAME, ZONE};
use keelson_placement::{Classes, Node, Nodes, Pod, PodRequests, PodTerm, SpreadConstraint};

use crate::{Better, Row, Setting, clock};

mod beside;
mod network;

/// One shape of scheduler_perf.
struct Shape {
    what: &'static str,
    goal: f64,
    peer: Option<(&'static str, f64)>,
    before: usize,
    measured: usize,
    pod: fn(Pod) -> Pod,
}

fn selector(color: &str) -> LabelSelector {
    LabelSelector { match_labels: [("color".to_owned(), color.to_owned())].into(), ..LabelSelector::default() }
}

fn term(color: &str, key: &str) -> PodTerm {
    PodTerm::label("bench", "color", color, key)
}

const SHAPES: &[Shape] = &[
    Shape {
        what: "basic",
        goal: 20_000.0,
        peer: Some(("kube-scheduler, developer's machine, PR 128023", 1_150.0)),
        before: 1_000,
        measured: 20_000,
        pod: |pod| pod,
    },
    Shape {
        what: "hard spread over zones",
        goal: 10_000.0,
        peer: Some(("kube-scheduler, floor of its CI in 2026", 460.0)),
        before: 5_000,
        measured: 10_000,
        pod: |pod| pod.label("color", "blue").spreading(SpreadConstraint::new(ZONE, 5, true, Some(selector("blue")))),
    },
    Shape {
        what: "required affinity by zone",
        goal: 3_000.0,
        peer: Some(("kube-scheduler, PR 138198", 133.0)),
        before: 5_000,
        measured: 5_000,
        pod: |pod| pod.label("color", "blue").with(term("blue", ZONE)),
    },
    Shape {
        what: "required anti-affinity by node",
        goal: 3_000.0,
        peer: Some(("kube-scheduler, PR 138198", 248.0)),
        before: 1_000,
        measured: 3_000,
        pod: |pod| pod.label("color", "green").apart_from(term("green", HOSTNAME)),
    },
    Shape {
        what: "preferred affinity by node",
        goal: 3_000.0,
        peer: Some(("kube-scheduler, PR 138198", 283.0)),
        before: 5_000,
        measured: 5_000,
        pod: |pod| pod.label("color", "red").rather(1, term("red", HOSTNAME)),
    },
    Shape {
        what: "the cluster's default spread",
        goal: 5_000.0,
        peer: Some(("kube-scheduler, floor of its CI in 2026", 160.0)),
        before: 5_000,
        measured: 10_000,
        pod: |pod| pod.label("color", "grey").spreading_like(&selector("grey")),
    },
];

const GIB: i64 = 1 << 30;

/// Places pods one after the other, and says how long each took.
struct Scheduler {
    state: State,
    classes: Classes,
    number: u64,
}

impl Scheduler {
    fn new(nodes: impl IntoIterator<Item = Node>) -> Self {
        let mut state = State::default();
        for node in nodes {
            let zone = node.labels.get(ZONE).cloned();
            let (capacity, ready) = (Resources::default(), true);
            let read = ReadNode {
                node,
                capacity,
                carries: Rates::default(),
                ready,
                zone,
                instance_type: None,
                problems: Vec::new(),
            };
            state.apply(Event::NodeApplied(Box::new(read)));
        }
        Self { state, classes: Classes::default(), number: 0 }
    }

    /// One pod: known to the state, chosen for, assumed. What the watch costs is not counted.
    fn place(&mut self, pod: Pod) -> Result<Duration> {
        self.number += 1;
        let pod = Pod { name: format!("p{}", self.number), uid: self.number.to_string(), ..pod };
        let read = ReadPod::of(pod.clone(), None);
        self.state.apply(Event::PodApplied(Box::new(read)));
        let began = clock::now();
        let known = self.classes.choose(&pod, &self.state, self.number);
        let node = known.choice.node.and_then(|slot| self.state.node(slot)).context("no node can hold the pod")?;
        let node = node.name.clone();
        self.state.apply(Event::Assumed { uid: pod.uid, node, volumes: None });
        Ok(began.elapsed())
    }

    fn end(&mut self, uid: u64) {
        self.state.apply(Event::PodDeleted { uid: uid.to_string() });
    }
}

fn pod(cpu: i64, memory: i64) -> Pod {
    let asked = [(ResourceName::Cpu, cpu), (ResourceName::Memory, memory)];
    Pod::new("bench", "pod").requesting(&PodRequests::default().container(asked))
}

fn node(number: usize, cpu: i64, memory: i64) -> Node {
    let name = format!("node-{number}");
    let zone = ["a", "b", "c"].get(number % 3).copied().unwrap_or_default();
    let offered = [(ResourceName::Cpu, cpu), (ResourceName::Memory, memory)];
    Node::new(&name, offered).label(HOSTNAME, &name).label(ZONE, zone)
}

/// Runs it.
///
/// # Errors
/// When a pod finds no node, which none of the shapes provides for.
pub fn run(setting: &Setting) -> Result<Vec<Row>> {
    let nodes = setting.of(5_000, 50);
    let mut rows = Vec::new();
    for shape in SHAPES {
        let (before, measured) = (setting.of(shape.before, 10), setting.of(shape.measured, 20));
        let mut scheduler = Scheduler::new((0..nodes).map(|number| node(number, 4_000, 32 * GIB)));
        let asked = (shape.pod)(pod(100, 500 << 20));
        for _ in 0..before {
            scheduler.place(asked.clone())?;
        }
        let mut times = (0..measured).map(|_| scheduler.place(asked.clone())).collect::<Result<Vec<_>>>()?;
        let rate = rate(&times);
        let how = format!("{nodes} nodes, {before} pods before, {measured} measured, one thread");
        let row = Row::new(&format!("engine: {}", shape.what), rate, "pods/s", Better::Higher, &how).goal(shape.goal);
        rows.push(match shape.peer {
            Some((peer, value)) => row.beside(peer, value),
            None => row,
        });
        let slowest = clock::quantile(&mut times, 99).as_secs_f64() * 1e6;
        rows.push(Row::new(&format!("engine: {}, p99", shape.what), slowest, "µs", Better::Lower, &how));
    }
    rows.extend(mixed(setting)?);
    rows.extend(network::run(setting)?);
    rows.extend(beside::run(setting)?);
    Ok(rows)
}

fn rate(times: &[Duration]) -> f64 {
    #[allow(clippy::cast_precision_loss, reason = "some thousands")]
    let pods = times.len() as f64;
    pods / times.iter().sum::<Duration>().as_secs_f64()
}

/// A cluster as it is: nodes of 40 shapes, pods of 2,000 classes of which half have rules about others, pods that end and
/// classes that come and go.
fn mixed(setting: &Setting) -> Result<Vec<Row>> {
    let (nodes, classes, pods) = (setting.of(5_000, 50), setting.of(2_000, 20), setting.of(100_000, 200));
    let shape = |number: usize| {
        let size = i64::try_from(number % 40).unwrap_or(0);
        let node = node(number, 16_000 + 1_000 * size, (64 + 4 * size) * GIB);
        if number % 40 < 4 { node.label("disk", "ssd") } else { node }
    };
    let mut scheduler = Scheduler::new((0..nodes).map(shape));
    let class = |number: usize| {
        let app = format!("app-{number}");
        let cpu = 100 + 50 * i64::try_from(number % 17).unwrap_or(0);
        let pod = pod(cpu, (256 + 64 * i64::try_from(number % 23).unwrap_or(0)) << 20).label("app", &app);
        let selector =
            LabelSelector { match_labels: [("app".to_owned(), app.clone())].into(), ..LabelSelector::default() };
        let own = |key| PodTerm::label("bench", "app", &app, key);
        match number % 10 {
            0 | 1 => pod.spreading(SpreadConstraint::new(ZONE, 5, true, Some(selector))),
            2 => pod.apart_from(own(HOSTNAME)),
            3 => pod.rather(-10, own(HOSTNAME)),
            4 => pod.rather(10, own(ZONE)),
            5 => pod.selecting("disk", "ssd"),
            _ => pod,
        }
    };
    let mut times = Vec::with_capacity(pods);
    // A row of numbers without a pattern, the same each time.
    let mut draw: u64 = 1;
    let (mut oldest, warm) = (0, pods / 4);
    for number in 0..pods + warm {
        draw = draw.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        // Every twentieth of the run some classes are new, and as many are not seen again.
        let first = number * 20 / (pods + warm) * (classes / 100).max(1);
        let drawn = usize::try_from(draw >> 33).unwrap_or(0) % classes;
        let took = scheduler.place(class(first + drawn))?;
        if number >= warm {
            times.push(took);
        }
        // A third of the pods end again, oldest first.
        if number % 3 == 0 {
            oldest += 1;
            scheduler.end(oldest);
        }
    }
    let how = format!(
        "{nodes} nodes of 40 shapes, {pods} pods of {classes} classes, half of them with rules, a third ending, classes \
         coming and going; one thread"
    );
    let rate = rate(&times);
    let slowest = clock::millis(clock::quantile(&mut times, 99));
    Ok(vec![
        Row::new("engine: a mixed cluster", rate, "pods/s", Better::Higher, &how).goal(5_000.0),
        Row::new("engine: a mixed cluster, one pod", slowest, "ms p99", Better::Lower, &how).goal(2.0),
    ])
}
