//! What upstream fills in.
//!
//! Promises: filling in twice gives the same as once.

mod pod;
mod workload;

pub(crate) use pod::{qos_class, quantity};

use super::{Api, base64, json::Json, kinds::Kind};
use crate::tree::{Text, Value, json};

/// Completes an object of a built-in kind.
pub(crate) fn apply(kind: &Kind, object: &mut Value) {
    match (kind.group, kind.plural) {
        ("", "pods") => {
            pod::spec(object.place(&["spec"]));
            pod::requests(object.place(&["spec"]));
        }
        ("", "podtemplates") => pod::spec(object.place(&["template", "spec"])),
        ("apps" | "batch", _) | ("", "replicationcontrollers") => workload::apply(kind.plural, object),
        ("", _) => core(kind.plural, object),
        _ => others(kind, object),
    }
}

/// What a new object starts with that nobody asked for: its first status, and what its controller counts on.
pub(crate) fn prepare(kind: &Kind, object: &mut Value) {
    let status = match (kind.group, kind.plural) {
        ("", "pods") => {
            let class = pod::qos_class(object.at(&["spec"]));
            let mut status = json!({"phase": "Pending", "qosClass": class});
            if !object.items(&["spec", "schedulingGates"]).is_empty() {
                let gated = json!([{
                    "type": "PodScheduled", "status": "False", "reason": "SchedulingGated",
                    "lastTransitionTime": object.at(&["metadata", "creationTimestamp"]),
                    "message": "Scheduling is blocked due to non-empty scheduling gates",
                }]);
                status.put(&["conditions"], gated);
            }
            status
        }
        ("", "namespaces") => json!({"phase": "Active"}),
        ("", "persistentvolumeclaims") => json!({"phase": "Pending"}),
        ("", "persistentvolumes") => {
            json!({"phase": "Pending", "lastPhaseTransitionTime": object.at(&["metadata", "creationTimestamp"])})
        }
        ("", "services") => json!({"loadBalancer": {}}),
        ("apps", "statefulsets") => json!({"replicas": 0, "availableReplicas": 0}),
        ("apps", "replicasets") | ("", "replicationcontrollers") => json!({"replicas": 0}),
        ("apps", "daemonsets") => {
            json!({"currentNumberScheduled": 0, "numberMisscheduled": 0, "desiredNumberScheduled": 0, "numberReady": 0})
        }
        ("policy", "poddisruptionbudgets") => {
            json!({"disruptionsAllowed": 0, "currentHealthy": 0, "desiredHealthy": 0, "expectedPods": 0})
        }
        ("autoscaling", _) => json!({"desiredReplicas": 0}),
        ("batch", "jobs") => {
            workload::job_identity(object);
            json!({})
        }
        ("admissionregistration.k8s.io", "validatingadmissionpolicies")
        | ("apps", "deployments")
        | ("batch", "cronjobs")
        | ("resource.k8s.io", "resourceclaims") => json!({}),
        ("", "resourcequotas") => json!({}),
        ("apiextensions.k8s.io", _) => {
            let versions = object.items(&["spec", "versions"]).iter();
            let stored = versions.filter(|version| version.at(&["storage"]) == &Value::Bool(true));
            let stored: Vec<Value> = stored.map(|version| version.at(&["name"]).clone()).collect();
            json!({"acceptedNames": {"plural": "", "kind": ""}, "storedVersions": stored})
        }
        _ => return,
    };
    object.put(&["status"], status);
}

fn core(plural: &str, object: &mut Value) {
    match plural {
        "namespaces" => {
            let name = object.text(&["metadata", "name"]).to_owned();
            object.put(&["metadata", "labels", "kubernetes.io/metadata.name"], name);
        }
        "nodes" => {
            pod::canonical(object, &["status", "capacity"]);
            pod::canonical(object, &["status", "allocatable"]);
            object.default_to(&["spec"], json!({}));
            let capacity = object.at(&["status", "capacity"]).clone();
            if !capacity.is_null() {
                object.default_to(&["status", "allocatable"], capacity);
            }
        }
        "secrets" => {
            if let Some(plain) = object.cut(&["stringData"]) {
                for (key, text) in plain.entries(&[]) {
                    object.put(&["data", key], base64::encode(text.as_str().unwrap_or("").as_bytes()));
                }
            }
            object.default_to(&["type"], "Opaque");
        }
        "services" => service(object),
        "persistentvolumeclaims" => {
            pod::canonical(object, &["spec", "resources", "requests"]);
            object.default_to(&["spec", "volumeMode"], "Filesystem");
        }
        "persistentvolumes" => {
            pod::canonical(object, &["spec", "capacity"]);
            object.default_to(&["spec", "volumeMode"], "Filesystem");
            object.default_to(&["spec", "persistentVolumeReclaimPolicy"], "Retain");
            if !object.at(&["spec", "hostPath"]).is_null() {
                object.default_to(&["spec", "hostPath", "type"], "");
            }
        }
        "limitranges" => {
            for item in object.array(&["spec", "limits"]).iter_mut().filter(|item| item.text(&["type"]) == "Container")
            {
                limit_item(item);
            }
        }
        "resourcequotas" => pod::canonical(object, &["spec", "hard"]),
        "endpoints" => {
            if let Some(subsets) = object.get_mut("subsets").and_then(Value::as_array_mut) {
                for port in subsets.iter_mut().flat_map(|subset| subset.array(&["ports"])) {
                    port.default_to(&["protocol"], "TCP");
                }
            }
        }
        _ => {}
    }
}

/// A limit range's own gaps: the default limit is the maximum, the default request the default limit or the minimum.
fn limit_item(item: &mut Value) {
    for (to, from) in [("default", "max"), ("defaultRequest", "default"), ("defaultRequest", "min")] {
        let known: Vec<(Text, Value)> =
            item.entries(&[from]).map(|(name, quantity)| (name.clone(), quantity.clone())).collect();
        for (name, quantity) in known {
            item.default_to(&[to, &name], quantity);
        }
    }
}

fn service(object: &mut Value) {
    let spec = object.place(&["spec"]);
    spec.default_to(&["type"], "ClusterIP");
    spec.default_to(&["sessionAffinity"], "None");
    let kind = spec.text(&["type"]).to_owned();
    if kind != "ExternalName" {
        spec.default_to(&["internalTrafficPolicy"], "Cluster");
    }
    if matches!(kind.as_str(), "NodePort" | "LoadBalancer") {
        spec.default_to(&["externalTrafficPolicy"], "Cluster");
    }
    if kind == "LoadBalancer" {
        spec.default_to(&["allocateLoadBalancerNodePorts"], true);
    }
    if let Some(ports) = spec.get_mut("ports").and_then(Value::as_array_mut) {
        for port in ports {
            port.default_to(&["protocol"], "TCP");
            let number = port.at(&["port"]).clone();
            port.default_to(&["targetPort"], number);
        }
    }
}

fn others(kind: &Kind, object: &mut Value) {
    match kind.plural {
        "priorityclasses" => object.default_to(&["preemptionPolicy"], "PreemptLowerPriority"),
        "storageclasses" => {
            object.default_to(&["reclaimPolicy"], "Delete");
            object.default_to(&["volumeBindingMode"], "Immediate");
        }
        "csidrivers" => {
            object.default_to(&["spec", "attachRequired"], true);
            object.default_to(&["spec", "podInfoOnMount"], false);
            object.default_to(&["spec", "storageCapacity"], false);
            object.default_to(&["spec", "fsGroupPolicy"], "ReadWriteOnceWithFSType");
            object.default_to(&["spec", "volumeLifecycleModes"], json!(["Persistent"]));
            object.default_to(&["spec", "requiresRepublish"], false);
            object.default_to(&["spec", "seLinuxMount"], false);
        }
        "horizontalpodautoscalers" => {
            object.default_to(&["spec", "minReplicas"], 1);
            let metric = json!([{"type": "Resource", "resource": {"name": "cpu", "target": {"type": "Utilization", "averageUtilization": 80}}}]);
            object.default_to(&["spec", "metrics"], metric);
        }
        "networkpolicies" => {
            let egress = !object.at(&["spec", "egress"]).is_null();
            object.default_to(
                &["spec", "policyTypes"],
                if egress { json!(["Ingress", "Egress"]) } else { json!(["Ingress"]) },
            );
            for way in ["ingress", "egress"] {
                let rules = object.pointer_mut(&format!("/spec/{way}")).and_then(Value::as_array_mut);
                let ports = rules.into_iter().flatten().filter_map(|rule| rule.get_mut("ports")?.as_array_mut());
                ports.flatten().for_each(|port| port.default_to(&["protocol"], "TCP"));
            }
        }
        "rolebindings" | "clusterrolebindings" => {
            object.default_to(&["roleRef", "apiGroup"], "rbac.authorization.k8s.io");
            if let Some(subjects) = object.get_mut("subjects").and_then(Value::as_array_mut) {
                for subject in subjects.iter_mut().filter(|subject| subject.text(&["kind"]) != "ServiceAccount") {
                    subject.default_to(&["apiGroup"], "rbac.authorization.k8s.io");
                }
            }
        }
        "endpointslices" => {
            if let Some(ports) = object.get_mut("ports").and_then(Value::as_array_mut) {
                for port in ports {
                    port.default_to(&["name"], "");
                    port.default_to(&["protocol"], "TCP");
                }
            }
        }
        "resourceclaims" => claim(object.place(&["spec"])),
        "resourceclaimtemplates" => claim(object.place(&["spec", "spec"])),
        "customresourcedefinitions" => {
            let kind = object.text(&["spec", "names", "kind"]).to_owned();
            object.default_to(&["spec", "names", "singular"], kind.to_lowercase());
            object.default_to(&["spec", "names", "listKind"], format!("{kind}List"));
            object.default_to(&["spec", "conversion"], json!({"strategy": "None"}));
        }
        "validatingadmissionpolicies" | "mutatingadmissionpolicies" => {
            object.default_to(&["spec", "failurePolicy"], "Fail");
            if !object.at(&["spec", "matchConstraints"]).is_null() {
                matching(object.place(&["spec", "matchConstraints"]));
            }
        }
        "validatingadmissionpolicybindings" | "mutatingadmissionpolicybindings"
            if !object.at(&["spec", "matchResources"]).is_null() =>
        {
            matching(object.place(&["spec", "matchResources"]));
        }
        _ => {}
    }
}

fn matching(rules: &mut Value) {
    rules.default_to(&["matchPolicy"], "Equivalent");
    rules.default_to(&["namespaceSelector"], json!({}));
    rules.default_to(&["objectSelector"], json!({}));
    if let Some(rules) = rules.get_mut("resourceRules").and_then(Value::as_array_mut) {
        for rule in rules {
            rule.default_to(&["scope"], "*");
        }
    }
}

fn claim(spec: &mut Value) {
    if let Some(requests) = spec.place(&["devices"]).get_mut("requests").and_then(Value::as_array_mut) {
        for request in requests {
            let alternatives = request.get_mut("firstAvailable").and_then(Value::as_array_mut);
            match alternatives {
                Some(each) => each.iter_mut().for_each(device),
                None => device(request.place(&["exactly"])),
            }
        }
    }
}

fn device(request: &mut Value) {
    request.default_to(&["allocationMode"], "ExactCount");
    if request.text(&["allocationMode"]) == "ExactCount" {
        request.default_to(&["count"], 1);
    }
}

impl Api {
    /// What only the API can hand out: addresses, ports, the namespace's finalizer.
    pub(super) fn allocate(&mut self, kind: &Kind, object: &mut Value) {
        if kind.is("", "namespaces") {
            object.default_to(&["spec", "finalizers"], json!(["kubernetes"]));
        }
        if !kind.is("", "services") || object.text(&["spec", "type"]) == "ExternalName" {
            return;
        }
        object.default_to(&["spec", "ipFamilies"], json!(["IPv4"]));
        object.default_to(&["spec", "ipFamilyPolicy"], "SingleStack");
        let asked = object.text(&["spec", "clusterIP"]).to_owned();
        let address = if asked.is_empty() {
            self.next_address += 1;
            format!("10.96.{}.{}", (self.next_address >> 8) & 0xff, self.next_address & 0xff)
        } else {
            asked
        };
        object.put(&["spec", "clusterIP"], address.as_str());
        object.default_to(&["spec", "clusterIPs"], json!([address]));
        if matches!(object.text(&["spec", "type"]), "NodePort" | "LoadBalancer") {
            for port in object.array(&["spec", "ports"]) {
                if port.int(&["nodePort"]).unwrap_or(0) == 0 {
                    self.next_address += 1;
                    port.put(&["nodePort"], 30_000 + self.next_address % 2768);
                }
            }
        }
    }
}
