//! Groups: how fast their pods are placed, and how cheap their edges are.
//!
//! Speed is of 20,000 pods of groups in which every workload depends on seven others, on five thousand nodes, and of a
//! group of 200 pods that is placed as a unit on a thousand. Quality is of Online Boutique on the eight nodes of upstream's
//! own test (two regions, four zones), three pods a node: the mean cost of its fifteen calls, over seeds.

use anyhow::{Context, Result};
use keelson_cluster::Event;
use keelson_core::ResourceName;
use keelson_placement::network::costs::REGION;
use keelson_placement::network::joint::cost;
use keelson_placement::network::{
    Algorithm, Costs, Edge, GROUP_LABEL, Graph, Level, WORKLOAD_LABEL, place_group, steps_for,
};
use keelson_placement::spread::ZONE;
use keelson_placement::{Network, Node, Pod, Snapshot};

use super::{GIB, Scheduler, node, pod, rate};
use crate::{Better, Row, Setting, clock};

/// Workloads of a group of the speed rows.
const WORKLOADS: usize = 10;
/// How many others each of them depends on.
const DEPENDENCIES: usize = 7;

/// A group in which everybody depends on the seven next to it.
fn ring() -> Graph {
    let names: Vec<String> = (0..WORKLOADS).map(|number| format!("w{number}")).collect();
    let edges: Vec<Edge> = (0..WORKLOADS)
        .flat_map(|from| (1..=DEPENDENCIES).map(move |step| Edge::new(from, (from + step) % WORKLOADS).within(50)))
        .collect();
    Graph::of(&names.iter().map(String::as_str).collect::<Vec<_>>(), &edges, Algorithm::Kahn)
}

fn three_zones() -> Costs {
    Costs::new().both(Level::Zone, "a", "b", 5).both(Level::Zone, "b", "c", 5).both(Level::Zone, "a", "c", 8)
}

fn grouped(pod: Pod, group: &str, workload: usize) -> Pod {
    pod.label(GROUP_LABEL, group).label(WORKLOAD_LABEL, &format!("w{workload}"))
}

/// Runs it.
///
/// # Errors
/// When a pod finds no node, which none of the shapes provides for.
pub fn run(setting: &Setting) -> Result<Vec<Row>> {
    let mut rows = one_by_one(setting)?;
    rows.push(together(setting)?);
    rows.extend(quality(setting)?);
    Ok(rows)
}

fn one_by_one(setting: &Setting) -> Result<Vec<Row>> {
    let (nodes, groups, replicas) = (setting.of(5_000, 50), setting.of(100, 2), setting.of(20, 2));
    let mut scheduler = Scheduler::new((0..nodes).map(|number| node(number, 4_000, 32 * GIB)));
    let names: Vec<String> = (0..groups).map(|number| format!("group-{number}")).collect();
    scheduler.knows(three_zones(), names.iter().map(|name| ("bench", name.as_str(), ring())));
    let mut times = Vec::with_capacity(groups * replicas * WORKLOADS);
    for _ in 0..replicas {
        for name in &names {
            for workload in 0..WORKLOADS {
                times.push(scheduler.place(grouped(pod(100, 500 << 20), name, workload))?);
            }
        }
    }
    let how = format!(
        "{nodes} nodes in three zones, {groups} groups of {WORKLOADS} workloads and {replicas} replicas, each depending on \
         {DEPENDENCIES} others, both directions counted; one thread"
    );
    let what = "engine: AppGroup pods with 7 dependencies";
    let rate = rate(&times);
    let slowest = clock::quantile(&mut times, 99).as_secs_f64() * 1e6;
    Ok(vec![
        Row::new(what, rate, "pods/s", Better::Higher, &how).goal(5_000.0),
        Row::new(&format!("{what}, p99"), slowest, "µs", Better::Lower, &how),
    ])
}

fn together(setting: &Setting) -> Result<Row> {
    let (nodes, replicas) = (setting.of(1_000, 20), setting.of(20, 1));
    let nodes: Vec<Node> = (0..nodes).map(|number| node(number, 4_000, 32 * GIB)).collect();
    let network = Network::new().costing(three_zones()).group("bench", "g", ring());
    let named = |number: usize, pod: Pod| Pod { name: format!("p{number}"), uid: number.to_string(), ..pod };
    let pods: Vec<Pod> = (0..replicas * WORKLOADS)
        .map(|number| named(number, grouped(pod(500, GIB), "g", number % WORKLOADS)))
        .collect();
    let snapshot = Snapshot::of(&nodes).over(&network);
    let steps = steps_for(pods.len());
    let mut times = Vec::new();
    let mut saved = Vec::new();
    for seed in 0..setting.of(9, 1) {
        let began = clock::now();
        let found = place_group(&pods, &snapshot, steps, seed).ok().context("the group has no place")?;
        times.push(clock::millis(began.elapsed()));
        let greedy = found.greedy.context("placed one by one, one has no place")?;
        #[allow(clippy::cast_precision_loss, reason = "some thousands")]
        saved.push(100.0 * (1.0 - found.cost as f64 / greedy.max(1) as f64));
    }
    let how = format!(
        "{} nodes, {} pods of 500 m, {steps} steps; costs {:.0} % less than one by one; the middle of {} seeds",
        nodes.len(),
        pods.len(),
        clock::median(&mut saved),
        times.len()
    );
    let what = "joint placement of a 200-pod group on 1,000 nodes";
    Ok(Row::new(what, clock::median(&mut times), "ms", Better::Lower, &how).goal(200.0))
}

/// Online Boutique: who calls whom.
const CALLS: &[(&str, &[&str])] = &[
    ("frontend", &["cart", "catalog", "currency", "shipping", "checkout", "recommendation", "ad"]),
    ("cart", &["redis"]),
    ("catalog", &[]),
    ("currency", &[]),
    ("payment", &[]),
    ("shipping", &[]),
    ("email", &[]),
    ("checkout", &["cart", "catalog", "currency", "payment", "shipping", "email"]),
    ("recommendation", &["catalog"]),
    ("ad", &[]),
    ("redis", &[]),
];

fn boutique() -> Graph {
    let names: Vec<&str> = CALLS.iter().map(|(name, _)| *name).collect();
    let place = |name: &str| names.iter().position(|known| *known == name).unwrap_or_default();
    let edges: Vec<Edge> =
        CALLS.iter().flat_map(|(from, to)| to.iter().map(|to| Edge::new(place(from), place(to)))).collect();
    Graph::of(&names, &edges, Algorithm::Kahn)
}

/// The nodes and costs of NetworkOverhead's own test.
fn eight() -> (Vec<Node>, Costs) {
    let zones = [("us-west-1", "Z1"), ("us-west-1", "Z2"), ("us-east-1", "Z3"), ("us-east-1", "Z4")];
    let nodes = zones.iter().flat_map(|(region, zone)| {
        let node = move |number| {
            let offered = [(ResourceName::Cpu, 4_000), (ResourceName::Memory, 16 * GIB), (ResourceName::Pods, 3)];
            Node::new(&format!("{zone}-{number}"), offered).label(REGION, region).label(ZONE, zone)
        };
        (0..2).map(node)
    });
    let costs = Costs::new().both(Level::Region, "us-west-1", "us-east-1", 20).both(Level::Zone, "Z1", "Z2", 5).both(
        Level::Zone,
        "Z3",
        "Z4",
        10,
    );
    (nodes.collect(), costs)
}

#[allow(clippy::cast_precision_loss, reason = "some thousands")]
fn quality(setting: &Setting) -> Result<Vec<Row>> {
    let seeds = setting.of(2_000, 5);
    let (nodes, costs) = eight();
    let edges = boutique().edges().len() as f64;
    let mean = |graph: Graph, joint: bool| -> Result<f64> {
        let network = Network::new().costing(costs.clone()).group("bench", "g", graph);
        let judge = Network::new().costing(costs.clone()).group("bench", "g", boutique());
        let pods: Vec<Pod> = CALLS
            .iter()
            .map(|(name, _)| Pod::new("bench", name).label(GROUP_LABEL, "g").label(WORKLOAD_LABEL, name))
            .collect();
        let (snapshot, judge) = (Snapshot::of(&nodes).over(&network), Snapshot::of(&nodes).over(&judge));
        let mut sum = 0;
        for seed in 0..seeds {
            let steps = if joint { steps_for(pods.len()) } else { 0 };
            let found = place_group(&pods, &snapshot, steps, seed).ok().context("the group has no place")?;
            let one_by_one = found.one_by_one.context("placed one by one, one has no place")?;
            sum += cost(&pods, &judge, if joint { &found.nodes } else { &one_by_one });
        }
        Ok(sum as f64 / edges / seeds as f64)
    };
    let how =
        format!("Online Boutique, 8 nodes in 4 zones and 2 regions, 3 pods a node, {seeds} seeds; at random 12.2");
    let row = |what: &str, value| Row::new(&format!("mean edge cost, {what}"), value, "a call", Better::Lower, &how);
    let upstream = mean(boutique().outgoing(), false)?;
    let each = row("one pod after another", mean(boutique(), false)?).goal(4.2);
    let together = row("joint", mean(boutique(), true)?).goal(2.3);
    Ok(vec![each.beside("outgoing edges alone, as upstream's plugin", upstream), together])
}

impl Scheduler {
    /// Tells it of groups and costs.
    fn knows<'a>(&mut self, costs: Costs, groups: impl IntoIterator<Item = (&'a str, &'a str, Graph)>) {
        use keelson_cluster::read::network::{ReadGroup, ReadTopology};
        let name = ("default".to_owned(), "nt-default".to_owned());
        let topology = ReadTopology { name, costs, links: Vec::new(), config_map: None, problems: Vec::new() };
        self.state.apply(Event::TopologyApplied(Box::new(topology)));
        for (namespace, name, graph) in groups {
            let name = (namespace.to_owned(), name.to_owned());
            let read = ReadGroup { name, graph, members: 1, problems: Vec::new() };
            self.state.apply(Event::GroupApplied(Box::new(read)));
        }
    }
}
