//! What upstream fills in.

use serde_json::{Value, json};

use super::{Api, json::Json, kinds::Kind};

pub(crate) fn apply(kind: &Kind, object: &mut Value) {
    match (kind.group, kind.plural) {
        ("", "namespaces") => {
            object.default_to(&["spec", "finalizers"], json!(["kubernetes"]));
            object.default_to(&["status", "phase"], "Active");
            let name = object.text(&["metadata", "name"]).to_owned();
            object.put(&["metadata", "labels", "kubernetes.io/metadata.name"], name);
        }
        ("", "pods") => {
            pod_spec(object.place(&["spec"]));
            object.default_to(&["status", "phase"], "Pending");
        }
        ("apps", "deployments") => object.default_to(&["spec", "replicas"], 1),
        _ => {}
    }
}

fn pod_spec(spec: &mut Value) {
    spec.default_to(&["restartPolicy"], "Always");
    spec.default_to(&["dnsPolicy"], "ClusterFirst");
    spec.default_to(&["terminationGracePeriodSeconds"], 30);
    spec.default_to(&["schedulerName"], "default-scheduler");
    spec.default_to(&["securityContext"], json!({}));
}

impl Api {
    pub(super) fn allocate(&mut self, kind: &Kind, object: &mut Value) {
        if kind.is("", "services") && object.text(&["spec", "clusterIP"]).is_empty() {
            self.next_address += 1;
            let address = self.next_address;
            let ip = format!("10.96.{}.{}", (address >> 8) & 0xff, address & 0xff);
            object.put(&["spec", "clusterIP"], ip);
        }
    }
}
