//! Service names: CoreDNS beside the control plane, behind the usual Service `kube-dns`.
//!
//! It runs on the bridge's address rather than as a pod, so that names resolve before the first pod starts and no node
//! matters. Pods reach it through kube-proxy like any service.
//!
//! Promises: answers for `cluster.local` alone; a name outside is refused, for there is nobody to ask.

use serde_json::{Value, json};

use crate::cluster::GATEWAY;
use crate::runtime::NAME_SERVER;

/// CoreDNS' configuration, with the kubeconfig to read services by.
#[must_use]
pub fn corefile(kubeconfig: &str) -> String {
    format!(
        "cluster.local:53 in-addr.arpa:53 {{\n    bind {GATEWAY}\n    errors\n    ready {GATEWAY}:8181\n    cache 5\n    \
         kubernetes cluster.local in-addr.arpa {{\n        kubeconfig {kubeconfig}\n    }}\n}}\n"
    )
}

/// The Service and its endpoints.
#[must_use]
pub fn service() -> Value {
    let ports =
        json!([{"name": "dns", "port": 53, "protocol": "UDP"}, {"name": "dns-tcp", "port": 53, "protocol": "TCP"}]);
    json!({"apiVersion": "v1", "kind": "List", "items": [
        {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "kube-dns", "namespace": "kube-system"},
            "spec": {"clusterIP": NAME_SERVER, "ports": ports}},
        {"apiVersion": "discovery.k8s.io/v1", "kind": "EndpointSlice", "addressType": "IPv4",
            "metadata": {"name": "kube-dns-bridge", "namespace": "kube-system",
                "labels": {"kubernetes.io/service-name": "kube-dns"}},
            "endpoints": [{"addresses": [GATEWAY], "conditions": {"ready": true}}], "ports": ports},
    ]})
}
