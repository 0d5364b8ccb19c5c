//! What is done beside choosing: why a pod waits and what would help it, and keeping up with the watch.

use anyhow::{Context, Result};
use keelson_cluster::{Event, ReadPod};
use keelson_placement::{Pod, explain, smallest_change};

use super::{GIB, Scheduler, node, pod};
use crate::{Better, Row, Setting, clock};

/// Runs it.
///
/// # Errors
/// When nothing would help the pod, which the shapes do not provide for.
pub fn run(setting: &Setting) -> Result<Vec<Row>> {
    Ok(vec![explanation(setting)?, update(setting)])
}

fn bound(number: usize, nodes: usize, pod: Pod) -> ReadPod {
    let pod = Pod { name: format!("p{number}"), uid: number.to_string(), ..pod };
    ReadPod::of(pod, Some(format!("node-{}", number % nodes)))
}

/// Every node is looked at and told of; then the smallest change is looked for and tried.
fn explanation(setting: &Setting) -> Result<Row> {
    let nodes = setting.of(5_000, 50);
    let mut scheduler = Scheduler::new((0..nodes).map(|number| node(number, 4_000, 32 * GIB)));
    for number in 0..nodes {
        let taken = 3_000 + 10 * i64::try_from(number % 90).unwrap_or(0);
        scheduler.state.apply(Event::PodApplied(Box::new(bound(number, nodes, pod(taken, GIB)))));
    }
    let asked = pod(3_500, GIB).uid("waits");
    let mut times = Vec::new();
    for seed in 0..setting.of(21, 1) {
        let began = clock::now();
        let view = scheduler.state.view();
        let snapshot = view.snapshot_for(&asked);
        let why = explain(&asked, &snapshot, seed);
        let change = smallest_change(&asked, &snapshot).context("nothing would help the pod")?;
        times.push(clock::millis(began.elapsed()));
        anyhow::ensure!(why.histogram.is_some() && change.to < change.from, "the pod does not wait");
    }
    let how = format!("{nodes} nodes, none of which has room; the middle of {} times, one thread", times.len());
    let what = "engine: why a pod waits, and what would help";
    Ok(Row::new(what, clock::median(&mut times), "ms", Better::Lower, &how).goal(50.0))
}

/// Pods as the watch tells of them: new on a node, written again, relabelled, gone.
fn update(setting: &Setting) -> Row {
    let (nodes, pods) = (setting.of(5_000, 50), setting.of(50_000, 200));
    let mut scheduler = Scheduler::new((0..nodes).map(|number| node(number, 4_000, 32 * GIB)));
    let read = |number: usize, label: &str| {
        bound(number, nodes, pod(100, 500 << 20).label("app", &format!("app-{}", number % 2_000)).label("turn", label))
    };
    let applied = |read: ReadPod| Event::PodApplied(Box::new(read));
    let mut events: Vec<Event> = Vec::with_capacity(4 * pods);
    for turn in ["1", "1", "2"] {
        events.extend((0..pods).map(|number| applied(read(number, turn))));
    }
    events.extend((0..pods).map(|number| Event::PodDeleted { uid: number.to_string() }));
    let count = events.len();
    let began = clock::now();
    events.into_iter().for_each(|event| scheduler.state.apply(event));
    #[allow(clippy::cast_precision_loss, reason = "some thousands")]
    let each = began.elapsed().as_secs_f64() * 1e6 / count as f64;
    let how = format!("{nodes} nodes, {pods} pods: new, written again, relabelled, gone; one thread, reading left out");
    Row::new("state: one event of a pod", each, "µs", Better::Lower, &how).goal(5.0)
}
