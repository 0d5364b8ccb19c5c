//! Machines and the Node objects they register.
//!
//! A machine is up or down and has images; everything else about it is in its Node object. Every Node in the cluster
//! has a machine, whoever created the object.
//!
//! Lease renewals are the bulk of an idle cluster's writes. [`Heartbeats::Lazy`] leaves them out: a machine that is up
//! counts as having just renewed, and one that goes down writes its last renewal then. [`Heartbeats::Written`] writes
//! all.

use std::collections::{BTreeMap, BTreeSet};

use keelson_core::{Quantity, Span, Timestamp};

use super::agenda::Role;
use super::desk::{Desk, Looked};
use super::kinds::{LEASES, NODES};
use super::read::{Key, Wanted, entry, list, micro_stamp, name, put_condition, stamp};
use crate::objects::{Event, Refusal, Write};
use crate::tree::{Value, json};

/// Whether lease renewals become writes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Heartbeats {
    /// Only those that somebody could tell from silence.
    #[default]
    Lazy,
    /// Every ten seconds, and the node status every five minutes.
    Written,
}

/// How often a kubelet renews its lease.
pub const LEASE_EVERY: Span = Span::seconds(10);
/// How often it posts an unchanged node status, in renewals.
const STATUS_EVERY: u64 = 30;
/// Where leases live.
const LEASE_NAMESPACE: &str = "kube-node-lease";

/// The conditions of a healthy node: type, status, reason, message.
const HEALTHY: [(&str, &str, &str, &str); 4] = [
    ("MemoryPressure", "False", "KubeletHasSufficientMemory", "kubelet has sufficient memory available"),
    ("DiskPressure", "False", "KubeletHasNoDiskPressure", "kubelet has no disk pressure"),
    ("PIDPressure", "False", "KubeletHasSufficientPID", "kubelet has sufficient PID available"),
    ("Ready", "True", "KubeletReady", "kubelet is posting ready status"),
];

/// A machine to be added.
#[derive(Debug, Clone, Default)]
pub struct NodeSpec {
    /// Its name.
    pub name: String,
    /// `eu-west-1a`; its region is this without the letter, unless given.
    pub zone: String,
    /// `eu-west-1`.
    pub region: String,
    /// `m6i.2xlarge`.
    pub instance_type: String,
    /// cpu, memory, pods, ephemeral-storage and extended resources, as quantities.
    pub capacity: BTreeMap<String, String>,
    /// Further labels.
    pub labels: BTreeMap<String, String>,
    /// Taints as `spec.taints` holds them.
    pub taints: Vec<Value>,
    /// Whether it is Spot capacity.
    pub spot: bool,
}

/// The machine behind a node.
#[derive(Debug, Clone, Default)]
pub struct Host {
    /// Since when it is down.
    pub down_since: Option<Timestamp>,
    /// The images it has.
    pub images: BTreeSet<String>,
    /// How often it has renewed its lease.
    pub renewals: u64,
}

impl NodeSpec {
    /// A machine with so many cores and GiB of memory, 110 pods and 100 GiB of disk.
    #[must_use]
    pub fn new(name: &str, zone: &str, instance_type: &str, cpu: u32, memory_gib: u32) -> Self {
        let capacity = [
            ("cpu", cpu.to_string()),
            ("memory", format!("{memory_gib}Gi")),
            ("pods", "110".to_owned()),
            ("ephemeral-storage", "100Gi".to_owned()),
        ];
        Self {
            name: name.to_owned(),
            zone: zone.to_owned(),
            region: zone.trim_end_matches(|last: char| last.is_ascii_lowercase()).to_owned(),
            instance_type: instance_type.to_owned(),
            capacity: capacity.into_iter().map(|(name, amount)| (name.to_owned(), amount)).collect(),
            ..Self::default()
        }
    }

    /// The Node object it registers; `ordinal` numbers the machines of a world and gives addresses.
    #[must_use]
    pub fn object(&self, ordinal: usize, now: Timestamp) -> Value {
        let mut labels = json!({
            "kubernetes.io/hostname": self.name, "kubernetes.io/os": "linux", "kubernetes.io/arch": "amd64",
            "topology.kubernetes.io/zone": self.zone, "topology.kubernetes.io/region": self.region,
            "node.kubernetes.io/instance-type": self.instance_type,
            "karpenter.sh/capacity-type": if self.spot { "spot" } else { "on-demand" },
        });
        if let Some(fields) = labels.as_object_mut() {
            fields.extend(self.labels.iter().map(|(key, value)| (key.clone(), Value::from(value.clone()))));
        }
        let mut conditions = Vec::new();
        for (kind, status, reason, message) in HEALTHY {
            put_condition(&mut conditions, Wanted { kind, status, reason, message }, now);
        }
        beat(&mut conditions, now);
        let (high, low) = (ordinal / 256 % 256, ordinal % 256);
        let range = format!("10.{}.{low}.0/24", 64 + high % 128);
        json!({
            "apiVersion": "v1", "kind": "Node",
            "metadata": {"name": self.name, "labels": labels},
            "spec": {"podCIDR": range, "podCIDRs": [range], "taints": self.taints,
                "providerID": format!("sim://{}/{}", self.zone, self.name)},
            "status": {
                "capacity": self.capacity, "allocatable": self.allocatable(), "conditions": conditions,
                "addresses": [{"type": "InternalIP", "address": format!("10.{}.{high}.{low}", 10)},
                    {"type": "Hostname", "address": self.name}],
                "daemonEndpoints": {"kubeletEndpoint": {"Port": 10250}},
                "nodeInfo": {"machineID": self.name, "systemUUID": self.name, "bootID": self.name,
                    "kernelVersion": "6.12.0-sim", "osImage": "Keelson simulated node", "architecture": "amd64",
                    "operatingSystem": "linux", "containerRuntimeVersion": "sim://1", "kubeletVersion": "v1.36.0",
                    "kubeProxyVersion": ""},
            },
        })
    }

    /// Capacity less what the kubelet keeps: 80m and 1 % of cpu, 512Mi and 3 % of memory, a tenth of the disk.
    fn allocatable(&self) -> BTreeMap<String, String> {
        let kept = |name: &str, amount: &String| -> Option<String> {
            let quantity: Quantity = amount.parse().ok()?;
            let (milli, bytes) = (quantity.milli(), quantity.value());
            Some(match name {
                "cpu" => Quantity::from_milli(milli - 80 - milli / 100).to_string(),
                "memory" => Quantity::from_bytes(bytes - (512 << 20) - bytes / 100 * 3).to_string(),
                "ephemeral-storage" => Quantity::from_bytes(bytes / 10 * 9).to_string(),
                _ => amount.clone(),
            })
        };
        let kept =
            |(name, amount): (&String, &String)| (name.clone(), kept(name, amount).unwrap_or_else(|| amount.clone()));
        self.capacity.iter().map(kept).collect()
    }
}

/// Registers a machine's node.
///
/// # Errors
/// What the API says.
pub fn add(desk: &mut Desk<'_>, spec: &NodeSpec) -> Looked {
    let ordinal = desk.state.machines;
    desk.state.machines += 1;
    let object = spec.object(ordinal, desk.now);
    let created = desk.write(Write::Create(NODES, object.clone()))?;
    let status = object.get("status").cloned().unwrap_or_default();
    desk.merge(NODES, &created, "status", json!({"status": status}))?;
    register(desk, &spec.name);
    renew(desk, &spec.name, desk.now)
}

/// Gives a node a machine, if it has none.
pub fn register(desk: &mut Desk<'_>, node: &str) {
    desk.state.hosts.entry(node.to_owned()).or_default();
    if desk.state.settings.heartbeats == Heartbeats::Written {
        desk.at(desk.now + LEASE_EVERY, Role::Heartbeat, Key::cluster(node));
    }
}

/// A node that came gets a machine; the machine of one that went is switched off.
pub fn notice(desk: &mut Desk<'_>, event: &Event) {
    if event.resource != NODES {
        return;
    }
    let node = name(&event.object);
    if event.deleted {
        desk.state.hosts.remove(node);
    } else if event.before.is_none() {
        register(desk, node);
    }
}

/// Renews a machine's lease, and posts its status now and then.
///
/// # Errors
/// What the API says.
pub fn look(desk: &mut Desk<'_>, key: &Key) -> Looked {
    let Some(host) = desk.state.hosts.get_mut(&*key.name) else { return Ok(()) };
    if host.down_since.is_some() {
        return Ok(());
    }
    host.renewals += 1;
    let posts = host.renewals % STATUS_EVERY == 0;
    desk.at(desk.now + LEASE_EVERY, Role::Heartbeat, key.clone());
    renew(desk, &key.name, desk.now)?;
    if posts { post(desk, &key.name) } else { Ok(()) }
}

/// Posts a healthy status.
fn post(desk: &mut Desk<'_>, node: &str) -> Looked {
    let Some(object) = desk.get(NODES, &Key::cluster(node)) else { return Ok(()) };
    let mut conditions = list(&object, "status.conditions").to_vec();
    for (kind, status, reason, message) in HEALTHY {
        put_condition(&mut conditions, Wanted { kind, status, reason, message }, desk.now);
    }
    beat(&mut conditions, desk.now);
    desk.write_status(NODES, &object, json!({"conditions": conditions})).map(drop)
}

fn beat(conditions: &mut [Value], now: Timestamp) {
    for condition in conditions.iter_mut().filter_map(Value::as_object_mut) {
        condition.insert("lastHeartbeatTime".to_owned(), Value::from(stamp(now)));
    }
}

/// Writes a lease's renewal.
fn renew(desk: &mut Desk<'_>, node: &str, at: Timestamp) -> Looked {
    let lease = desk.cluster.find(LEASES, LEASE_NAMESPACE, node);
    let spec = json!({"holderIdentity": node, "leaseDurationSeconds": 40, "renewTime": micro_stamp(at)});
    let written = match lease {
        Some(lease) => desk.merge(LEASES, &lease, "", json!({"spec": spec})),
        None => desk.write(Write::Create(
            LEASES,
            json!({"apiVersion": "coordination.k8s.io/v1", "kind": "Lease",
                "metadata": {"namespace": LEASE_NAMESPACE, "name": node}, "spec": spec}),
        )),
    };
    match written {
        Err(Refusal { code: 404, .. }) => Ok(()), // The namespace of leases comes with the API server, later.
        other => other.map(drop),
    }
}

/// When a node was last heard of.
#[must_use]
pub fn last_heard(desk: &Desk<'_>, node: &str) -> Timestamp {
    desk.state.hosts.get(node).and_then(|host| host.down_since).unwrap_or(desk.now)
}

/// Switches a machine off.
///
/// # Errors
/// What the API says.
pub fn kill(desk: &mut Desk<'_>, node: &str) -> Looked {
    let Some(host) = desk.state.hosts.get_mut(node) else { return Ok(()) };
    if host.down_since.replace(desk.now).is_some() {
        return Ok(());
    }
    *desk.state.fired.entry("dying_node").or_default() += 1;
    desk.at(desk.now + desk.state.settings.node_grace, Role::NodeHealth, Key::cluster(node));
    match desk.state.settings.heartbeats {
        Heartbeats::Lazy => renew(desk, node, desk.now),
        Heartbeats::Written => Ok(()),
    }
}

/// Switches it on again: the kubelet registers, posts, and looks at its pods.
///
/// # Errors
/// What the API says.
pub fn recover(desk: &mut Desk<'_>, node: &str) -> Looked {
    let Some(host) = desk.state.hosts.get_mut(node) else { return Ok(()) };
    host.down_since = None;
    register(desk, node);
    super::kubelet::wake_node(desk, node);
    renew(desk, node, desk.now)?;
    post(desk, node)
}

/// The taint of a Spot node with a notice.
pub const RECLAIM: &str = "sim.keelson.dev/spot-reclaim";

/// Gives a Spot node notice: it is tainted now and gone after `notice`.
///
/// # Errors
/// What the API says.
pub fn reclaim(desk: &mut Desk<'_>, node: &str, notice: Span) -> Looked {
    let Some(object) = desk.get(NODES, &Key::cluster(node)) else { return Ok(()) };
    if !desk.state.reclaimed.insert(node.to_owned()) {
        return Ok(());
    }
    *desk.state.fired.entry("reclaimed_node").or_default() += 1;
    desk.at(desk.now + notice, Role::Reclaim, Key::cluster(node));
    let mut taints = list(&object, "spec.taints").to_vec();
    taints.push(json!({"key": RECLAIM, "effect": "NoSchedule", "timeAdded": stamp(desk.now)}));
    desk.merge(NODES, &object, "", json!({"spec": {"taints": taints}})).map(drop)
}

/// The end of a notice: the machine goes, and the cloud removes its node.
///
/// # Errors
/// What the API says.
pub fn take_away(desk: &mut Desk<'_>, key: &Key) -> Looked {
    desk.state.reclaimed.remove(&*key.name);
    kill(desk, &key.name)?;
    match desk.get(NODES, key) {
        Some(node) => desk.delete(NODES, &node, None),
        None => Ok(()),
    }
}

/// A node's zone.
#[must_use]
pub fn zone(node: &Value) -> &str {
    entry(node, "metadata.labels", "topology.kubernetes.io/zone").unwrap_or("")
}
