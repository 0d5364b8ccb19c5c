//! How many pods a second are placed on 5,000 nodes, all of them scored, on one thread.
//!
//! `cargo run --release -p keelson-placement --example throughput`. The goal is 20,000 for basic pods (the shapes of
//! scheduler_perf's SchedulingBasic: 100m cpu and 500Mi, on nodes of 4 cpu and 32Gi). Each shape is run twice: every
//! choice made anew, and by classes. Time here is the thing measured.

#![allow(clippy::disallowed_methods, clippy::print_stdout)]

use std::sync::Arc;
use std::time::Instant;

use keelson_core::ResourceName::{Cpu, Memory};
use keelson_placement::{Classes, Node, NodeTerm, Nodes, Pod, PodRequests, Taint, TaintEffect, choose};

const NODES: usize = 5_000;
const MIB: i64 = 1 << 20;

/// Nodes that all exist, and every change of them.
struct Cluster {
    nodes: Vec<Node>,
    log: Vec<usize>,
}

impl Nodes for Cluster {
    fn slots(&self) -> usize {
        self.nodes.len()
    }
    fn node(&self, slot: usize) -> Option<&Node> {
        self.nodes.get(slot)
    }
    fn empty_slots(&self) -> usize {
        0
    }
    fn changes(&self) -> u64 {
        self.log.len() as u64
    }
    fn changed_since(&self, before: u64) -> Option<impl Iterator<Item = usize>> {
        Some(self.log.iter().skip(usize::try_from(before).ok()?).copied())
    }
}

impl Cluster {
    fn new(tainted: bool) -> Self {
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
        Self { nodes: (0..NODES).map(node).collect(), log: Vec::new() }
    }

    fn place(&mut self, pod: &Pod, number: u64, slot: Option<usize>) {
        if let Some((slot, node)) = slot.and_then(|slot| Some((slot, self.nodes.get_mut(slot)?))) {
            node.hold(format!("pod-{number}").into(), Arc::new(pod.claim()));
            self.log.push(slot);
        }
    }
}

fn basic() -> Pod {
    Pod::new("bench", "pod").requesting(&PodRequests::default().container([(Cpu, 100), (Memory, 500 * MIB)]))
}

fn timed(pods: u64, mut place: impl FnMut(u64)) -> u128 {
    let start = Instant::now();
    (0..pods).for_each(&mut place);
    u128::from(pods) * 1_000_000 / start.elapsed().as_micros().max(1)
}

fn run(what: &str, tainted: bool, shapes: &[Pod]) {
    let of = |number: u64| shapes.get(usize::try_from(number).unwrap_or_default() % shapes.len().max(1));
    let mut cluster = Cluster::new(tainted);
    let anew = timed(500, |number| {
        if let Some(pod) = of(number) {
            let slot = choose(pod, &cluster.nodes, number).node;
            cluster.place(pod, number, slot);
        }
    });
    let (mut cluster, mut classes) = (Cluster::new(tainted), Classes::default());
    let by_class = timed(50_000, |number| {
        if let Some(pod) = of(number) {
            let slot = classes.choose(pod, &cluster, number).choice.node;
            cluster.place(pod, number, slot);
        }
    });
    println!("{what:<34} {anew:>8} pods/s anew {by_class:>8} pods/s by class");
}

fn main() {
    run("basic", false, &[basic()]);
    run("a quarter of the nodes tainted", true, &[basic()]);
    run("node selector", false, &[basic().selecting("zone", "a")]);
    run("preferred node affinity", false, &[basic().preferring(10, NodeTerm::label("zone", "b"))]);
    run("no node has the label", false, &[basic().selecting("zone", "d")]);
    let sizes = |n: i64| basic().requesting(&PodRequests::default().container([(Cpu, 10 + n), (Memory, 500 * MIB)]));
    run("100 classes, one after another", false, &(0..100).map(sizes).collect::<Vec<_>>());
}
