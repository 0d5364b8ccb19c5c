//! What `kubectl get` prints: columns and cells.

mod age;
mod core;
mod custom;
mod pod;
mod workload;

use keelson_core::Timestamp;

use super::{json::Json, kinds::Kind};
use crate::tree::{Value, json};

/// A table with its columns, or (later frames of a watch) without.
pub(crate) fn columns(kind: &Kind, version: &str, with: bool) -> Value {
    let columns: Vec<Value> = match (with, &kind.crd) {
        (false, _) => Vec::new(),
        (true, Some(crd)) => custom::columns(crd.version(version)),
        (true, None) => builtin(kind).iter().map(|text| column(text)).collect(),
    };
    json!({"kind": "Table", "apiVersion": "meta.k8s.io/v1", "metadata": {}, "columnDefinitions": columns, "rows": []})
}

/// One row's cells.
pub(crate) fn cells(kind: &Kind, version: &str, object: &Value, now: Timestamp) -> Vec<Value> {
    if let Some(crd) = &kind.crd {
        return custom::cells(crd.version(version), object, now);
    }
    let name = object.at(&["metadata", "name"]).clone();
    let age = json!(age::since(object.text(&["metadata", "creationTimestamp"]), now));
    let born = object.at(&["metadata", "creationTimestamp"]).clone();
    match (kind.group, kind.plural) {
        ("", "pods") => pod::cells(object, now),
        ("apps" | "batch" | "autoscaling" | "policy", _) | ("", "replicationcontrollers") => {
            workload::cells(kind.plural, object, now)
        }
        ("", "limitranges") | (_, "clusterroles" | "roles" | "customresourcedefinitions" | "csistoragecapacities") => {
            vec![name, born]
        }
        _ => core::cells(kind.plural, object, name, age, now),
    }
}

/// `Name`, `*Wide only`, `#Count` and `?Flag`.
fn column(text: &str) -> Value {
    let wide = text.starts_with('*');
    let text = text.trim_start_matches('*');
    let (kind, name) = match text.split_at_checked(1) {
        Some(("#", name)) => ("integer", name),
        Some(("?", name)) => ("boolean", name),
        Some(("@", name)) => ("date", name),
        _ => ("string", text),
    };
    let format = if name == "Name" { "name" } else { "" };
    json!({"name": name, "type": kind, "format": format, "description": name, "priority": i32::from(wide)})
}

fn builtin(kind: &Kind) -> &'static [&'static str] {
    match kind.plural {
        "configmaps" => &["Name", "Data", "Age"],
        "endpoints" => &["Name", "Endpoints", "Age"],
        "events" => &[
            "Last Seen",
            "Type",
            "Reason",
            "Object",
            "*Subobject",
            "*Source",
            "Message",
            "*First Seen",
            "*Count",
            "*Name",
        ],
        "namespaces" => &["Name", "Status", "Age"],
        "nodes" => &[
            "Name",
            "Status",
            "Roles",
            "Age",
            "Version",
            "*Internal-IP",
            "*External-IP",
            "*OS-Image",
            "*Kernel-Version",
            "*Container-Runtime",
        ],
        "persistentvolumeclaims" => &[
            "Name",
            "Status",
            "Volume",
            "Capacity",
            "Access Modes",
            "StorageClass",
            "VolumeAttributesClass",
            "Age",
            "*VolumeMode",
        ],
        "persistentvolumes" => &[
            "Name",
            "Capacity",
            "Access Modes",
            "Reclaim Policy",
            "Status",
            "Claim",
            "StorageClass",
            "VolumeAttributesClass",
            "Reason",
            "Age",
            "*VolumeMode",
        ],
        "pods" => {
            &["Name", "Ready", "Status", "Restarts", "Age", "*IP", "*Node", "*Nominated Node", "*Readiness Gates"]
        }
        "podtemplates" => &["Name", "Containers", "Images", "Pod Labels"],
        "replicationcontrollers" | "replicasets" => {
            &["Name", "#Desired", "#Current", "#Ready", "Age", "*Containers", "*Images", "*Selector"]
        }
        "resourcequotas" => &["Name", "Request", "Limit", "Age"],
        "secrets" => &["Name", "Type", "Data", "Age"],
        "services" => &["Name", "Type", "Cluster-IP", "External-IP", "Port(s)", "Age", "*Selector"],
        "controllerrevisions" => &["Name", "Controller", "Revision", "Age"],
        "daemonsets" => &[
            "Name",
            "#Desired",
            "#Current",
            "#Ready",
            "#Up-to-date",
            "#Available",
            "Node Selector",
            "Age",
            "*Containers",
            "*Images",
            "*Selector",
        ],
        "deployments" => &["Name", "Ready", "Up-to-date", "Available", "Age", "*Containers", "*Images", "*Selector"],
        "statefulsets" => &["Name", "Ready", "Age", "*Containers", "*Images"],
        "horizontalpodautoscalers" => &["Name", "Reference", "Targets", "MinPods", "MaxPods", "Replicas", "Age"],
        "cronjobs" => &[
            "Name",
            "Schedule",
            "Timezone",
            "?Suspend",
            "#Active",
            "Last Schedule",
            "Age",
            "*Containers",
            "*Images",
            "*Selector",
        ],
        "jobs" => &["Name", "Status", "Completions", "Duration", "Age", "*Containers", "*Images", "*Selector"],
        "poddisruptionbudgets" => &["Name", "Min Available", "Max Unavailable", "#Allowed Disruptions", "Age"],
        "clusterrolebindings" | "rolebindings" => &["Name", "Role", "Age", "*Users", "*Groups", "*ServiceAccounts"],
        "limitranges" | "clusterroles" | "roles" | "customresourcedefinitions" | "csistoragecapacities" => {
            &["Name", "@Created At"]
        }
        "csinodes" => &["Name", "#Drivers", "Age"],
        "storageclasses" => {
            &["Name", "Provisioner", "ReclaimPolicy", "VolumeBindingMode", "AllowVolumeExpansion", "Age"]
        }
        "volumeattachments" => &["Name", "Attacher", "PV", "Node", "?Attached", "Age"],
        "mutatingadmissionpolicies" => &["Name", "#Mutations", "ParamKind", "Age"],
        "validatingadmissionpolicies" => &["Name", "#Validations", "ParamKind", "Age"],
        "mutatingadmissionpolicybindings" | "validatingadmissionpolicybindings" => {
            &["Name", "PolicyName", "ParamRef", "Age"]
        }
        "priorityclasses" => &["Name", "#Value", "?Global-Default", "Age", "PreemptionPolicy"],
        "leases" => &["Name", "Holder", "Age"],
        "runtimeclasses" => &["Name", "Handler", "Age"],
        "ingressclasses" => &["Name", "Controller", "Parameters", "Age"],
        "ingresses" => &["Name", "Class", "Hosts", "Address", "Ports", "Age"],
        "networkpolicies" => &["Name", "Pod-Selector", "Age"],
        "endpointslices" => &["Name", "AddressType", "Ports", "Endpoints", "Age"],
        "resourceclaims" => &["Name", "State", "Age"],
        "resourceslices" => &["Name", "Node", "Driver", "Pool", "Age"],
        _ => &["Name", "Age"],
    }
}

/// `a=1,b=2` of a map, or `<none>`.
fn pairs(map: &Value) -> String {
    let each: Vec<String> =
        map.entries(&[]).map(|(key, value)| format!("{key}={}", value.as_str().unwrap_or(""))).collect();
    or_none(each.join(","))
}

/// A label selector as text, or `<none>`.
fn selector(selector: &Value) -> String {
    or_none(super::subresource::selector_text(selector))
}

fn or_none(text: String) -> String {
    if text.is_empty() { "<none>".to_owned() } else { text }
}

/// Names and images of a template's containers.
fn containers(template: &Value) -> (String, String) {
    let each = |field: &str| {
        let list: Vec<&str> = template.items(&["spec", "containers"]).iter().map(|one| one.text(&[field])).collect();
        list.join(",")
    };
    (each("name"), each("image"))
}
