//! What a pod asks of a node, as the kubelet and the stand-in scheduler count it.
//!
//! Rule of Kubernetes 1.36: containers run together; init containers one after another, each beside the sidecars before
//! it; sidecars (restartable init containers) stay. The larger of both counts, what is asked for the whole pod replaces
//! it, the overhead of its runtime comes on top. A container being resized counts as the larger of what it asks and
//! what it holds.

use std::collections::BTreeSet;

use keelson_core::{ResourceName, Resources};

use super::read::{amounts, at, int, list, text, time, yes};
use crate::tree::Value;

/// A port taken on a node: protocol, address, number.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct HostPort {
    /// `TCP`, `UDP` or `SCTP`.
    pub protocol: String,
    /// `0.0.0.0` stands for all.
    pub address: String,
    /// The number.
    pub port: i64,
}

impl HostPort {
    /// Whether both cannot be open on one node.
    #[must_use]
    pub fn clashes(&self, other: &Self) -> bool {
        let wild = |port: &Self| port.address == "0.0.0.0";
        let same_address = self.address == other.address || wild(self) || wild(other);
        self.port == other.port && self.protocol == other.protocol && same_address
    }
}

/// What a pod takes from its node.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Demand {
    /// Requests, with one of `pods`.
    pub requests: Resources,
    /// Ports of the host.
    pub ports: BTreeSet<HostPort>,
    /// Whether its kubelet has admitted it.
    pub admitted: bool,
}

/// Whether an init container is a sidecar.
#[must_use]
pub fn is_sidecar(container: &Value) -> bool {
    text(container, "restartPolicy") == "Always"
}

/// Whether a pod is done for good and holds nothing any more.
#[must_use]
pub fn is_finished(pod: &Value) -> bool {
    matches!(text(pod, "status.phase"), "Succeeded" | "Failed")
}

/// What a pod takes.
#[must_use]
pub fn of_pod(pod: &Value) -> Demand {
    let mut running = Resources::new();
    for container in list(pod, "spec.containers") {
        running.add_assign(&of_container(pod, container));
    }
    let mut peak = Resources::new();
    let mut sidecars = Resources::new();
    for container in list(pod, "spec.initContainers") {
        let asked = of_container(pod, container);
        if is_sidecar(container) {
            sidecars.add_assign(&asked);
            peak = peak.max(&sidecars);
        } else {
            peak = peak.max(&asked.add(&sidecars));
        }
    }
    let mut requests = running.add(&sidecars).max(&peak);
    for (name, amount) in requested(at(pod, "spec.resources").unwrap_or(&Value::Null)).iter() {
        requests.set(name.clone(), amount);
    }
    requests.add_assign(&amounts(pod, "spec.overhead"));
    requests.set(ResourceName::Pods, 1);
    Demand { requests, ports: ports(pod), admitted: time(pod, "status.startTime").is_some() }
}

/// The requests of a `resources` field; a limit without a request is a request.
#[must_use]
pub fn requested(resources: &Value) -> Resources {
    let mut requests = amounts(resources, "limits");
    for (name, amount) in amounts(resources, "requests").iter() {
        requests.set(name.clone(), amount);
    }
    requests
}

fn of_container(pod: &Value, container: &Value) -> Resources {
    let asked = requested(at(container, "resources").unwrap_or(&Value::Null));
    match held(pod, text(container, "name")) {
        Some(held) => asked.max(&held),
        None => asked,
    }
}

/// What the kubelet has given a container so far.
#[must_use]
pub fn held(pod: &Value, container: &str) -> Option<Resources> {
    let mut statuses = list(pod, "status.containerStatuses").iter().chain(list(pod, "status.initContainerStatuses"));
    let status = statuses.find(|status| text(status, "name") == container)?;
    at(status, "allocatedResources").map(|_| amounts(status, "allocatedResources"))
}

fn ports(pod: &Value) -> BTreeSet<HostPort> {
    let containers = list(pod, "spec.containers").iter().chain(list(pod, "spec.initContainers"));
    let ports = containers.flat_map(|container| list(container, "ports"));
    let on_host = yes(pod, "spec.hostNetwork");
    ports
        .filter_map(|port| {
            let number = int(port, "hostPort").or_else(|| if on_host { int(port, "containerPort") } else { None });
            let or = |path, default: &str| match text(port, path) {
                "" => default.to_owned(),
                other => other.to_owned(),
            };
            Some(HostPort {
                protocol: or("protocol", "TCP"),
                address: or("hostIP", "0.0.0.0"),
                port: number.filter(|number| *number > 0)?,
            })
        })
        .collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::indexing_slicing)]
    use crate::tree::json;

    use super::*;

    fn cpu(pod: &Value) -> i64 {
        of_pod(pod).requests.get(&ResourceName::Cpu)
    }

    fn asks(cpu: &str) -> Value {
        json!({"name": "c", "resources": {"requests": {"cpu": cpu}}})
    }

    #[test]
    fn the_highest_peak_counts() {
        let mut sidecar = asks("300m");
        sidecar["restartPolicy"] = json!("Always");
        let spec = json!({"containers": [asks("1"), asks("500m")], "initContainers": [asks("1"), sidecar, asks("2")]});
        assert_eq!(cpu(&json!({"spec": spec})), 2_300, "the last init container runs beside the sidecar");
        let spec = json!({"containers": [asks("2"), asks("500m")], "initContainers": [asks("1")],
            "overhead": {"cpu": "100m"}});
        assert_eq!(cpu(&json!({"spec": spec})), 2_600);
    }

    #[test]
    fn what_is_asked_for_the_pod_replaces_the_sum() {
        let spec = json!({"containers": [asks("2")], "resources": {"requests": {"cpu": "1"}}});
        assert_eq!(cpu(&json!({"spec": spec})), 1_000);
    }

    #[test]
    fn a_resize_counts_as_the_larger_of_both() {
        let status = json!({"containerStatuses": [{"name": "c", "allocatedResources": {"cpu": "900m"}}]});
        assert_eq!(cpu(&json!({"spec": {"containers": [asks("500m")]}, "status": status})), 900);
        assert_eq!(cpu(&json!({"spec": {"containers": [asks("2")]}, "status": status})), 2_000);
    }

    #[test]
    fn ports_clash_on_any_address() {
        let port = |address: &str| HostPort { protocol: "TCP".into(), address: address.into(), port: 80 };
        assert!(port("0.0.0.0").clashes(&port("10.0.0.1")));
        assert!(!port("10.0.0.2").clashes(&port("10.0.0.1")));
    }
}
