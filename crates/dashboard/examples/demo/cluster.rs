//! The made-up cluster: nodes, pods, and what fits where.

use std::collections::BTreeMap;

use keelson_core::{Candidate, Check, DecisionId, Score, Timestamp};
use keelson_dashboard::view::{NodeView, Nodes, ResourceView, Tightest};
use rand::Rng;
use rand::rngs::SmallRng;

pub const ZONES: [&str; 3] = ["eu-west-1a", "eu-west-1b", "eu-west-1c"];
pub const RESOURCES: [&str; 4] = ["cpu", "memory", "keelson.dev/bandwidth", "nvidia.com/gpu"];
const GIB: i64 = 1 << 30;
const GBIT: i64 = 1_000_000_000;

/// Instance types: name, cpu, memory, bandwidth, GPUs.
const TYPES: [(&str, [i64; 4]); 4] = [
    ("m6i.2xlarge", [8_000, 32 * GIB, 10 * GBIT, 0]),
    ("m6i.4xlarge", [16_000, 64 * GIB, 12 * GBIT, 0]),
    ("c6gn.8xlarge", [32_000, 64 * GIB, 50 * GBIT, 0]),
    ("g5.4xlarge", [16_000, 64 * GIB, 25 * GBIT, 4]),
];

/// Workloads: namespace, name, requests.
pub const WORKLOADS: [(&str, &str, [i64; 4]); 6] = [
    ("streaming", "edge-cache", [1_000, 5 * GIB, 2 * GBIT, 0]),
    ("streaming", "player-api", [500, GIB, 200_000_000, 0]),
    ("catalog", "catalog-db", [1_500, 6 * GIB, 500_000_000, 0]),
    ("catalog", "search", [1_000, 3 * GIB, 300_000_000, 0]),
    ("batch", "transcode", [4_000, 6 * GIB, GBIT, 0]),
    ("ml", "ranker", [2_000, 12 * GIB, GBIT, 1]),
];

pub struct Node {
    pub name: String,
    pub zone: usize,
    kind: usize,
    pub spot: bool,
    pub cordoned: bool,
    pub requested: [i64; 4],
    load: i64,
    pub pods: u32,
}

#[derive(Clone)]
pub struct Pod {
    pub namespace: &'static str,
    pub name: String,
    pub workload: usize,
    pub zone: Option<usize>,
    pub node: Option<usize>,
    pub created: Timestamp,
    /// The newest decision about it.
    pub decision: Option<DecisionId>,
    pub unsupported: bool,
}

pub struct Cluster {
    pub nodes: Vec<Node>,
    pub pods: BTreeMap<(String, String), Pod>,
    pub version: u64,
}

impl Cluster {
    pub fn new(rng: &mut SmallRng) -> Self {
        let mut nodes = Vec::new();
        for (zone, count) in [17, 16, 17].into_iter().enumerate() {
            let letter = char::from(b'a' + u8::try_from(zone).unwrap_or(0));
            for number in 1..=count {
                let kind = [0, 0, 1, 1, 1, 2, 3][rng.random_range(0..7)];
                let name = format!("node-{letter}{number}");
                let spot = rng.random_range(0..4) == 0;
                nodes.push(Node { name, zone, kind, spot, cordoned: false, requested: [0; 4], load: 70, pods: 0 });
            }
        }
        Self { nodes, pods: BTreeMap::new(), version: 1 }
    }

    pub fn requests(pod: &Pod) -> [i64; 4] {
        WORKLOADS[pod.workload].2
    }

    fn failed(&self, pod: &Pod, node: &Node) -> Vec<Check> {
        let check = |name: &str, text: String| Check { name: name.into(), text, nodes: 1 };
        let mut failed = Vec::new();
        if node.cordoned {
            failed.push(check("NodeUnschedulable", "is cordoned: new pods are kept away".into()));
        }
        if let Some(zone) = pod.zone.filter(|zone| *zone != node.zone) {
            let text = format!("volume data-{} is in {}", pod.name, ZONES[zone]);
            failed.push(check("VolumeZone", text));
        }
        for (index, needed) in Self::requests(pod).into_iter().enumerate() {
            let free = TYPES[node.kind].1[index] - node.requested[index];
            if needed > free {
                let [needed, free, short] = [needed, free, needed - free].map(|amount| amount_text(index, amount));
                let text = format!("needs {needed} {}, {free} free: short {short}", RESOURCES[index]);
                failed.push(check("NodeResourcesFit", text));
            }
        }
        failed
    }

    fn scores(&self, pod: &Pod, node: &Node) -> Vec<Score> {
        let after = |index: usize| {
            let capacity = TYPES[node.kind].1[index].max(1);
            100 - 100 * (node.requested[index] + Self::requests(pod)[index]) / capacity
        };
        let (cpu, memory) = (after(0).max(0), after(1).max(0));
        let same = self.pods.values().filter(|other| other.workload == pod.workload && other.node.is_some());
        let near = same.filter(|other| other.node.is_some_and(|n| self.nodes[n].zone == node.zone)).count();
        let spread = 100 - i64::try_from(near).unwrap_or(100).min(100);
        [
            ("NodeResourcesFit", (cpu + memory) / 2, 1),
            ("NodeResourcesBalancedAllocation", 100 - (cpu - memory).abs(), 1),
            ("PodTopologySpread", spread, 2),
            ("NetworkBandwidth", after(2).max(0), 1),
        ]
        .into_iter()
        .map(|(name, value, weight)| Score { name: name.into(), value, weight })
        .collect()
    }

    /// The candidates as a record keeps them, and the index of the best one.
    pub fn candidates(&self, pod: &Pod) -> (Vec<Candidate>, Option<usize>, usize) {
        let (mut feasible, mut misses) = (Vec::new(), Vec::new());
        for (index, node) in self.nodes.iter().enumerate() {
            let failed = self.failed(pod, node);
            if failed.is_empty() {
                let scores = self.scores(pod, node);
                let total = scores.iter().map(|score| score.value * score.weight).sum();
                let candidate = Candidate { name: node.name.clone(), total: Some(total), scores, failed };
                feasible.push((index, candidate));
            } else {
                misses.push((node.zone, Candidate { name: node.name.clone(), total: None, scores: vec![], failed }));
            }
        }
        feasible.sort_by_key(|(_, candidate)| std::cmp::Reverse(candidate.total));
        let best = feasible.first().map(|(index, _)| *index);
        let count = feasible.len();
        let mut rows: Vec<Candidate> = feasible.into_iter().take(4).map(|(_, candidate)| candidate).collect();
        // Alike misses stand in one row; those with a single failed check are the nearest.
        let elsewhere = |candidate: &Candidate| candidate.failed.iter().any(|check| check.name == "VolumeZone");
        let (far, mut near): (Vec<_>, Vec<_>) = misses.into_iter().partition(|(_, candidate)| elsewhere(candidate));
        near.sort_by_key(|(_, candidate)| candidate.failed.len());
        rows.extend(near.into_iter().take(3).map(|(_, candidate)| candidate));
        for (zone, name) in ZONES.iter().enumerate() {
            let alike: Vec<_> = far.iter().filter(|(at, _)| *at == zone).collect();
            if let Some((_, first)) = alike.first() {
                let nodes = u32::try_from(alike.len()).unwrap_or(u32::MAX);
                let failed = first.failed.iter().take(1).map(|check| Check { nodes, ..check.clone() }).collect();
                rows.push(Candidate { name: format!("{nodes} nodes in {name}"), total: None, scores: vec![], failed });
            }
        }
        (rows, best, count)
    }

    pub fn bind(&mut self, key: &(String, String), node: usize) {
        let Some(pod) = self.pods.get_mut(key) else { return };
        pod.node = Some(node);
        let requests = Self::requests(pod);
        self.occupy(node, requests, 1);
    }

    /// Cordons a node; its pods come back under their names, without a node.
    pub fn drain(&mut self, node: usize, now: Timestamp) {
        let on_it: Vec<_> =
            self.pods.iter().filter(|(_, pod)| pod.node == Some(node)).map(|(k, p)| (k.clone(), p.clone())).collect();
        for (key, pod) in on_it {
            self.remove(&key);
            self.pods.insert(key, Pod { node: None, created: now, ..pod });
        }
        self.nodes[node].cordoned = true;
        self.version += 1;
    }

    pub fn remove(&mut self, key: &(String, String)) {
        let Some(pod) = self.pods.remove(key) else { return };
        if let Some(node) = pod.node {
            self.occupy(node, Self::requests(&pod).map(|amount| -amount), -1);
        }
    }

    fn occupy(&mut self, node: usize, amounts: [i64; 4], pods: i32) {
        let node = &mut self.nodes[node];
        for (requested, amount) in node.requested.iter_mut().zip(amounts) {
            *requested += amount;
        }
        node.pods = node.pods.saturating_add_signed(pods);
        self.version += 1;
    }

    /// Lets measured use wander: a few nodes a second.
    pub fn breathe(&mut self, rng: &mut SmallRng) {
        for _ in 0..6 {
            let at = rng.random_range(0..self.nodes.len());
            let node = &mut self.nodes[at];
            node.load = (node.load + rng.random_range(-9..=9)).clamp(35, 108);
        }
        self.version += 1;
    }

    pub fn view(&self) -> Nodes {
        let mut nodes: Vec<NodeView> = self.nodes.iter().map(Node::view).collect();
        nodes.sort_by(|a, b| a.name.cmp(&b.name));
        Nodes { nodes, version: self.version }
    }
}

impl Node {
    fn view(&self) -> NodeView {
        let (instance_type, capacity) = TYPES[self.kind];
        let mut resources: Vec<ResourceView> = (0..4)
            .filter(|index| capacity[*index] > 0)
            .map(|index| ResourceView {
                name: RESOURCES[index].into(),
                capacity: capacity[index],
                requested: self.requested[index],
                used: (index < 3).then(|| self.requested[index] * self.load / 100),
            })
            .collect();
        let pods = ResourceView { name: "pods".into(), capacity: 110, requested: self.pods.into(), used: None };
        resources.push(pods);
        let permille = |r: &ResourceView| r.requested.max(r.used.unwrap_or(0)) * 1_000 / r.capacity.max(1);
        let tightest = resources.iter().max_by_key(|r| permille(r));
        let tightest = tightest.map(|r| (r.name.clone(), u32::try_from(permille(r)).unwrap_or(0))).unwrap_or_default();
        NodeView {
            name: self.name.clone(),
            zone: ZONES[self.zone].into(),
            instance_type: instance_type.into(),
            spot: self.spot,
            ready: true,
            cordoned: self.cordoned,
            pods: self.pods,
            tightest: Tightest { name: tightest.0, permille: tightest.1 },
            resources,
        }
    }
}

/// An amount as people write it.
pub fn amount_text(resource: usize, amount: i64) -> String {
    match resource {
        0 => format!("{amount}m"),
        1 => format!("{:.1} GiB", amount as f64 / GIB as f64),
        2 => format!("{:.1} Gbit/s", amount as f64 / GBIT as f64),
        _ => amount.to_string(),
    }
}
