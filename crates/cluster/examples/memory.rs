//! What a state of 5,000 nodes and 100,000 pods weighs, and how fast it takes events.
//!
//! `cargo run --release -p keelson-cluster --example memory`. The goal is 250 MB for the state of placement. Time and
//! memory are the things measured here.

#![allow(clippy::disallowed_methods, clippy::print_stdout)]

use std::time::Instant;

use k8s_openapi::api::core::v1::{Node, Pod};
use keelson_cluster::{Event, State};
use serde_json::json;

const NODES: usize = 5_000;
const PODS: usize = 100_000;
/// Deployments: pods of one are alike.
const WORKLOADS: usize = 2_000;

/// Resident memory of this process in MiB.
fn resident() -> u64 {
    let pages = std::fs::read_to_string("/proc/self/statm").unwrap_or_default();
    pages.split(' ').nth(1).and_then(|pages| pages.parse::<u64>().ok()).unwrap_or_default() * 4_096 / (1 << 20)
}

fn node(index: usize) -> Option<Node> {
    let name = format!("ip-10-{}-{}.internal", index / 250, index % 250);
    serde_json::from_value(json!({
        "metadata": {"name": name, "labels": {
            "kubernetes.io/hostname": name, "topology.kubernetes.io/zone": "eu-west-1a", "kubernetes.io/arch": "amd64",
            "node.kubernetes.io/instance-type": "m6i.4xlarge", "karpenter.sh/capacity-type": "spot",
        }},
        "status": {"allocatable": {"cpu": "15890m", "memory": "58Gi", "ephemeral-storage": "90Gi", "pods": "110"}},
    }))
    .ok()
}

fn pod(index: usize) -> Option<Pod> {
    let (workload, node) = (index % WORKLOADS, index % NODES);
    serde_json::from_value(json!({
        "metadata": {"name": format!("workload-{workload}-{index:x}"), "namespace": format!("team-{}", workload % 50),
            "uid": format!("00000000-0000-4000-8000-{index:012}"), "labels": {"app": format!("workload-{workload}")}},
        "spec": {"nodeName": format!("ip-10-{}-{}.internal", node / 250, node % 250), "containers": [
            {"name": "c", "resources": {"requests": {"cpu": format!("{}m", 50 + workload % 400), "memory": "256Mi"}}},
        ]},
        "status": {"phase": "Running"},
    }))
    .ok()
}

fn main() {
    let before = resident();
    let mut state = State::default();
    let start = Instant::now();
    (0..NODES).filter_map(node).for_each(|node| state.apply(Event::node(&node)));
    println!("{NODES} nodes: {} MiB, {} ms", resident() - before, start.elapsed().as_millis());
    let start = Instant::now();
    (0..PODS).filter_map(pod).for_each(|pod| state.apply(Event::pod(&pod)));
    println!("and {PODS} pods: {} MiB, {} ms with making them", resident() - before, start.elapsed().as_millis());
    let again: Vec<Event> = (0..PODS).step_by(10).filter_map(pod).map(|pod| Event::pod(&pod)).collect();
    let start = Instant::now();
    let count = again.len() as u128;
    again.into_iter().for_each(|event| state.apply(event));
    println!("an event that changes nothing: {} ns", start.elapsed().as_nanos() / count.max(1));
    let start = Instant::now();
    let views: Vec<_> = (0..100).map(|_| state.view()).collect();
    println!("a view: {} µs", start.elapsed().as_micros() / 100);
    let view = state.view();
    drop(views);
    let start = Instant::now();
    let cells = view.cells().len();
    println!("{cells} cells for the page: {} ms", start.elapsed().as_millis());
}
