//! How many pods a second are placed on 5,000 nodes, all of them scored, on one thread.
//!
//! `cargo run --release -p keelson-placement --example throughput`. The goal is 20,000 for basic pods (the shapes of
//! scheduler_perf's SchedulingBasic: 100m cpu and 500Mi, on nodes of 4 cpu and 32Gi). Time here is the thing measured.

#![allow(clippy::disallowed_methods, clippy::print_stdout)]

use std::sync::Arc;
use std::time::Instant;

use keelson_core::ResourceName::{Cpu, Memory};
use keelson_placement::{Node, NodeTerm, Pod, PodRequests, Taint, TaintEffect, choose};

const NODES: usize = 5_000;
const MIB: i64 = 1 << 20;

fn cluster(tainted: bool) -> Vec<Node> {
    let node = |index: usize| {
        let node = Node::new(&format!("node-{index}"), [(Cpu, 4_000), (Memory, 32 * 1_024 * MIB)])
            .label("zone", if index.is_multiple_of(3) { "a" } else { "b" })
            .label("kubernetes.io/hostname", &format!("node-{index}"));
        if tainted && index.is_multiple_of(4) {
            node.taint(Taint::new("dedicated", "other", TaintEffect::NoSchedule))
        } else {
            node
        }
    };
    (0..NODES).map(node).collect()
}

fn basic() -> Pod {
    Pod::new("bench", "pod").requesting(&PodRequests::default().container([(Cpu, 100), (Memory, 500 * MIB)]))
}

fn run(what: &str, pods: u64, nodes: &mut [Node], pod: &Pod) {
    let claim = Arc::new(pod.claim());
    let start = Instant::now();
    for number in 0..pods {
        if let Some(index) = choose(pod, nodes, number).node {
            nodes
                .get_mut(index)
                .into_iter()
                .for_each(|node| node.hold(format!("pod-{number}").into(), Arc::clone(&claim)));
        }
    }
    let took = start.elapsed();
    let rate = u128::from(pods) * 1_000_000 / took.as_micros().max(1);
    println!("{what:<40} {rate:>8} pods/s {:>8} µs/pod", took.as_micros() / u128::from(pods));
}

fn main() {
    run("basic", 2_000, &mut cluster(false), &basic());
    run("a quarter of the nodes tainted", 2_000, &mut cluster(true), &basic());
    run("node selector", 2_000, &mut cluster(false), &basic().selecting("zone", "a"));
    run("preferred node affinity", 2_000, &mut cluster(false), &basic().preferring(10, NodeTerm::label("zone", "b")));
    run("no node has room", 2_000, &mut cluster(false), &basic().selecting("zone", "d"));
}
