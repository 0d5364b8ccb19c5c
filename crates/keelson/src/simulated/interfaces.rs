//! What measures the network interfaces of the simulated nodes.
//!
//! In a cluster Keelson's agent or an importer writes NodeNetworks; here the traffic of the pods is known, and this writes
//! them every 10 s, with what the pods of each workload used in the last hour of which windows were seen.

use std::collections::{BTreeMap, HashMap, VecDeque};

use anyhow::Result;
use k8s_openapi::api::core::v1::{Node, Pod};
use keelson_api::NodeNetwork;
use keelson_cluster::read::selecting::workload;
use keelson_core::{Quantity, Rates, Span, Timestamp, Workload};
use keelson_sim::world::drive::Simulation;
use kube::ResourceExt;
use kube::api::{DeleteParams, ListParams, Patch, PatchParams, PostParams};
use serde_json::{Value, json};

/// How long a window is at least, and at most.
const WINDOW: Span = Span::seconds(10);
const LONGEST: Span = Span::minutes(5);
/// An hour of windows of one pod.
const REMEMBERED: usize = 360;
/// Workloads of a node; of more, those are forgotten that had no pod for longest.
const WORKLOADS: usize = 100;
/// The baseline of the evening's instance types, in Mbit/s, each way (AWS, "Amazon EC2 instance network bandwidth").
const BASELINE: &[(&str, i64)] =
    &[("m6in.2xlarge", 12_500), ("m6i.4xlarge", 6_250), ("c6i.2xlarge", 3_125), ("g4dn.12xlarge", 50_000)];

/// Writes for ever.
pub(super) async fn feed(client: kube::Client, simulation: Simulation, clock: keelson_runtime::Clock) {
    let (mut seen, mut last) = (Seen::default(), clock.now());
    loop {
        let now = clock.now();
        // Simulated time does not wait for a machine that is too slow for it.
        let window = now.since(last).clamp(WINDOW, LONGEST);
        if let Err(error) = write(&client, &simulation, &mut seen, (now, window)).await {
            tracing::warn!(%error, "the simulated interfaces could not be written; they are tried again");
        }
        last = now;
        clock.sleep(WINDOW).await;
    }
}

/// The last windows of the pods of each workload, by node.
#[derive(Default)]
struct Seen(BTreeMap<String, BTreeMap<Workload, Windows>>);

#[derive(Default)]
struct Windows {
    rates: VecDeque<Rates>,
    last: Timestamp,
}

impl Seen {
    fn add(&mut self, node: &str, workload: &Workload, rates: Rates, now: Timestamp) {
        let known = self.0.entry(node.to_owned()).or_default();
        let windows = known.entry(workload.clone()).or_default();
        windows.last = now;
        windows.rates.push_back(rates);
        if windows.rates.len() > REMEMBERED {
            windows.rates.pop_front();
        }
        if known.len() > WORKLOADS
            && let Some(oldest) = known.iter().min_by_key(|(_, windows)| windows.last).map(|(oldest, _)| oldest.clone())
        {
            known.remove(&oldest);
        }
    }

    fn told(&self, node: &str) -> Vec<Value> {
        let told = |(workload, Windows { rates, .. }): (&Workload, &Windows)| {
            let Workload { namespace, kind, name } = workload;
            let p95 = Rates::each(|way| p95(rates.iter().map(|rates| rates.get(way)).collect()));
            json!({
                "namespace": namespace, "kind": kind, "name": name, "windows": rates.len(),
                "egress": bits(p95.egress), "ingress": bits(p95.ingress),
            })
        };
        self.0.get(node).into_iter().flatten().map(told).collect()
    }
}

/// The value that 95 of 100 do not exceed; 0 of none.
fn p95(mut values: Vec<i64>) -> i64 {
    values.sort_unstable();
    let rank = (values.len() * 95).div_ceil(100);
    values.get(rank.saturating_sub(1)).copied().unwrap_or_default()
}

async fn write(
    client: &kube::Client,
    simulation: &Simulation,
    seen: &mut Seen,
    (now, window): (Timestamp, Span),
) -> Result<()> {
    let nodes: kube::Api<Node> = kube::Api::all(client.clone());
    let pods: kube::Api<Pod> = kube::Api::all(client.clone());
    let interfaces: kube::Api<NodeNetwork> = kube::Api::all(client.clone());
    let name_of = |pod: &Pod| (pod.namespace().unwrap_or_default(), pod.name_any());
    let workloads: HashMap<(String, String), Workload> = pods
        .list(&ListParams::default())
        .await?
        .into_iter()
        .filter_map(|pod| Some((name_of(&pod), workload(&pod)?)))
        .collect();
    let there = interfaces.list(&ListParams::default()).await?;
    let mut there: BTreeMap<String, NodeNetwork> = there.into_iter().map(|known| (known.name_any(), known)).collect();
    for node in nodes.list(&ListParams::default()).await? {
        let name = node.name_any();
        if there.remove(&name).is_none() {
            interfaces.create(&PostParams::default(), &NodeNetwork::new(&name, Default::default())).await?;
        }
        let mut load = Rates::default();
        for (pod, used) in simulation.act(|world, _| world.node_usage(&name, now)) {
            let rates = Rates { egress: used.sent_bits, ingress: used.received_bits };
            load = load.plus(rates);
            if let Some(workload) = workloads.get(&(pod.namespace.to_string(), pod.name.to_string())) {
                seen.add(&name, workload, rates, now);
            }
        }
        let status = json!({"status": status(&node, (load, window), seen.told(&name), now)});
        interfaces.patch_status(&name, &PatchParams::default(), &Patch::Merge(&status)).await?;
    }
    for gone in there.into_keys() {
        interfaces.delete(&gone, &DeleteParams::default()).await?;
        seen.0.remove(&gone);
    }
    Ok(())
}

fn bits(bits: i64) -> String {
    Quantity::from_value(bits).to_string()
}

fn status(node: &Node, (load, window): (Rates, Span), workloads: Vec<Value>, now: Timestamp) -> Value {
    let instance = node.labels().get("node.kubernetes.io/instance-type").map_or("", String::as_str);
    let baseline = BASELINE.iter().find(|(name, _)| *name == instance).map(|(_, mbit)| bits(mbit * 1_000_000));
    json!({
        "capacity": baseline.map(|bits| json!({"egress": bits, "ingress": bits})),
        "measured": {
            "egress": bits(load.egress),
            "ingress": bits(load.ingress),
            "at": now.to_string(),
            "windowSeconds": window.0 / 1_000_000,
        },
        "workloads": workloads,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ninety_five_of_a_hundred_do_not_exceed_it() {
        assert_eq!(p95((1..=100).rev().collect()), 95);
        assert_eq!((p95(vec![7]), p95(Vec::new())), (7, 0));
    }

    fn web(number: usize) -> Workload {
        Workload { namespace: "shop".into(), kind: "Deployment".into(), name: format!("web-{number}") }
    }

    #[test]
    fn an_hour_of_windows_is_remembered() {
        let mut seen = Seen::default();
        (0..400).for_each(|window| seen.add("a", &web(1), Rates::both(window), Timestamp(window)));
        let told = seen.told("a");
        assert_eq!(
            told,
            [json!({"namespace": "shop", "kind": "Deployment", "name": "web-1", "windows": 360,
            "egress": "381", "ingress": "381"})]
        );
    }

    #[test]
    fn workloads_that_are_long_gone_are_forgotten() {
        let mut seen = Seen::default();
        (0..WORKLOADS + 5).zip(0..).for_each(|(number, at)| seen.add("a", &web(number), Rates::both(1), Timestamp(at)));
        let known = seen.0.remove("a").unwrap_or_default();
        assert!(known.len() == WORKLOADS && !known.contains_key(&web(4)) && known.contains_key(&web(5)));
    }
}
