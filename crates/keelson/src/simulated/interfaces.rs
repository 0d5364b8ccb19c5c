//! What measures the network interfaces of the simulated nodes.
//!
//! In a cluster Keelson's agent or an importer writes NodeNetworks; here the traffic of the pods is known, and this writes
//! them every 10 s.

use std::collections::BTreeMap;

use anyhow::Result;
use k8s_openapi::api::core::v1::Node;
use keelson_api::NodeNetwork;
use keelson_core::{Quantity, Rates, Span, Timestamp};
use keelson_sim::world::drive::Simulation;
use kube::ResourceExt;
use kube::api::{DeleteParams, ListParams, Patch, PatchParams, PostParams};
use serde_json::{Value, json};

/// How long a window is.
const WINDOW: Span = Span::seconds(10);
/// The baseline of the evening's instance types, in Mbit/s, each way (AWS, "Amazon EC2 instance network bandwidth").
const BASELINE: &[(&str, i64)] =
    &[("m6in.2xlarge", 12_500), ("m6i.4xlarge", 6_250), ("c6i.2xlarge", 3_125), ("g4dn.12xlarge", 50_000)];

/// Writes for ever.
pub(super) async fn feed(client: kube::Client, simulation: Simulation, clock: keelson_runtime::Clock) {
    loop {
        if let Err(error) = write(&client, &simulation, clock.now()).await {
            tracing::warn!(%error, "the simulated interfaces could not be written; they are tried again");
        }
        clock.sleep(WINDOW).await;
    }
}

async fn write(client: &kube::Client, simulation: &Simulation, now: Timestamp) -> Result<()> {
    let nodes: kube::Api<Node> = kube::Api::all(client.clone());
    let interfaces: kube::Api<NodeNetwork> = kube::Api::all(client.clone());
    let there = interfaces.list(&ListParams::default()).await?;
    let mut there: BTreeMap<String, NodeNetwork> = there.into_iter().map(|known| (known.name_any(), known)).collect();
    for node in nodes.list(&ListParams::default()).await? {
        let name = node.name_any();
        if there.remove(&name).is_none() {
            interfaces.create(&PostParams::default(), &NodeNetwork::new(&name, Default::default())).await?;
        }
        let usages = simulation.act(|world, _| world.node_usage(&name, now));
        let load = usages.into_iter().fold(Rates::default(), |sum, (_, used)| {
            sum.plus(Rates { egress: used.sent_bits, ingress: used.received_bits })
        });
        let status = json!({"status": status(&node, load, now)});
        interfaces.patch_status(&name, &PatchParams::default(), &Patch::Merge(&status)).await?;
    }
    for gone in there.into_keys() {
        interfaces.delete(&gone, &DeleteParams::default()).await?;
    }
    Ok(())
}

fn status(node: &Node, load: Rates, now: Timestamp) -> Value {
    let bits = |bits: i64| Quantity::from_value(bits).to_string();
    let instance = node.labels().get("node.kubernetes.io/instance-type").map_or("", String::as_str);
    let baseline = BASELINE.iter().find(|(name, _)| *name == instance).map(|(_, mbit)| bits(mbit * 1_000_000));
    json!({
        "capacity": baseline.map(|bits| json!({"egress": bits, "ingress": bits})),
        "measured": {
            "egress": bits(load.egress),
            "ingress": bits(load.ingress),
            "at": now.to_string(),
            "windowSeconds": WINDOW.0 / 1_000_000,
        },
    })
}
