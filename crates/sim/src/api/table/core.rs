//! Rows of the other built-in kinds.

use keelson_core::Timestamp;

use super::{super::json::Json, age, containers, or_none, pairs, selector};
use crate::tree::{Text, Value, json};

pub(super) fn cells(plural: &str, object: &Value, name: Value, age: Value, now: Timestamp) -> Vec<Value> {
    let text = |path: &[&str]| or_none(object.text(path).to_owned());
    let plain = |path: &[&str]| object.text(path).to_owned();
    let size = |field: &str| object.at(&[field]).as_object().map_or(0, crate::tree::Map::len);
    let flag = |path: &[&str]| object.at(path) == &Value::Bool(true);
    match plural {
        "configmaps" => vec![name, json!(size("data") + size("binaryData")), age],
        "secrets" => vec![name, json!(plain(&["type"])), json!(size("data")), age],
        "namespaces" => vec![name, json!(plain(&["status", "phase"])), age],
        "nodes" => node(object, name, age),
        "services" => service(object, name, age),
        "events" => event(object, now),
        "endpoints" => vec![name, json!(endpoints(object)), age],
        "persistentvolumeclaims" => vec![
            name,
            json!(if object.at(&["metadata", "deletionTimestamp"]).is_null() {
                plain(&["status", "phase"])
            } else {
                "Terminating".to_owned()
            }),
            json!(plain(&["spec", "volumeName"])),
            json!(plain(&["status", "capacity", "storage"])),
            json!(modes(object.at(&["status", "accessModes"]))),
            json!(plain(&["spec", "storageClassName"])),
            json!(unset(object.text(&["spec", "volumeAttributesClassName"]))),
            age,
            json!(plain(&["spec", "volumeMode"])),
        ],
        "persistentvolumes" => {
            let claim = object.at(&["spec", "claimRef"]);
            let claim = if claim.is_null() {
                String::new()
            } else {
                format!("{}/{}", claim.text(&["namespace"]), claim.text(&["name"]))
            };
            vec![
                name,
                json!(plain(&["spec", "capacity", "storage"])),
                json!(modes(object.at(&["spec", "accessModes"]))),
                json!(plain(&["spec", "persistentVolumeReclaimPolicy"])),
                json!(plain(&["status", "phase"])),
                json!(claim),
                json!(plain(&["spec", "storageClassName"])),
                json!(unset(object.text(&["spec", "volumeAttributesClassName"]))),
                json!(plain(&["status", "reason"])),
                age,
                json!(plain(&["spec", "volumeMode"])),
            ]
        }
        "podtemplates" => {
            let (names, images) = containers(object.at(&["template"]));
            vec![name, json!(names), json!(images), json!(pairs(object.at(&["template", "metadata", "labels"])))]
        }
        "resourcequotas" => {
            let (request, limit) = quota(object);
            vec![name, json!(request), json!(limit), age]
        }
        "rolebindings" | "clusterrolebindings" => {
            let role = object.at(&["roleRef"]);
            let who = |kind: &str| {
                let each: Vec<String> = object
                    .items(&["subjects"])
                    .iter()
                    .filter(|one| one.text(&["kind"]) == kind)
                    .map(|one| match one.text(&["namespace"]) {
                        "" => one.text(&["name"]).to_owned(),
                        home => format!("{home}/{}", one.text(&["name"])),
                    })
                    .collect();
                each.join(", ")
            };
            let role = format!("{}/{}", role.text(&["kind"]), role.text(&["name"]));
            vec![name, json!(role), age, json!(who("User")), json!(who("Group")), json!(who("ServiceAccount"))]
        }
        "csinodes" => vec![name, json!(object.items(&["spec", "drivers"]).len()), age],
        "storageclasses" => vec![
            name,
            json!(plain(&["provisioner"])),
            json!(plain(&["reclaimPolicy"])),
            json!(plain(&["volumeBindingMode"])),
            json!(flag(&["allowVolumeExpansion"])),
            age,
        ],
        "volumeattachments" => vec![
            name,
            json!(plain(&["spec", "attacher"])),
            json!(plain(&["spec", "source", "persistentVolumeName"])),
            json!(plain(&["spec", "nodeName"])),
            json!(flag(&["status", "attached"])),
            age,
        ],
        "validatingadmissionpolicies" | "mutatingadmissionpolicies" => {
            let field = if plural.starts_with('v') { "validations" } else { "mutations" };
            let kind = object.at(&["spec", "paramKind"]);
            let kind = if kind.is_null() {
                "<unset>".to_owned()
            } else {
                format!("{}/{}", kind.text(&["apiVersion"]), kind.text(&["kind"]))
            };
            vec![name, json!(object.items(&["spec", field]).len()), json!(kind), age]
        }
        "validatingadmissionpolicybindings" | "mutatingadmissionpolicybindings" => {
            let reference = object.at(&["spec", "paramRef"]);
            let reference = match (reference.is_null(), reference.text(&["namespace"])) {
                (true, _) => "<unset>".to_owned(),
                (_, "") => format!("*/{}", reference.text(&["name"])),
                (_, home) => format!("{home}/{}", reference.text(&["name"])),
            };
            vec![name, json!(plain(&["spec", "policyName"])), json!(reference), age]
        }
        "priorityclasses" => vec![
            name,
            json!(object.int(&["value"]).unwrap_or(0)),
            json!(flag(&["globalDefault"])),
            age,
            json!(plain(&["preemptionPolicy"])),
        ],
        "leases" => vec![name, json!(plain(&["spec", "holderIdentity"])), age],
        "runtimeclasses" => vec![name, json!(plain(&["handler"])), age],
        "ingressclasses" => vec![name, json!(plain(&["spec", "controller"])), json!("<none>"), age],
        "ingresses" => {
            let hosts: Vec<&str> = object
                .items(&["spec", "rules"])
                .iter()
                .map(|rule| rule.text(&["host"]))
                .filter(|host| !host.is_empty())
                .collect();
            let hosts = if hosts.is_empty() { "*".to_owned() } else { hosts.join(",") };
            let ports = if object.items(&["spec", "tls"]).is_empty() { "80" } else { "80, 443" };
            vec![
                name,
                json!(text(&["spec", "ingressClassName"])),
                json!(hosts),
                json!(balanced(object)),
                json!(ports),
                age,
            ]
        }
        "networkpolicies" => vec![name, json!(selector(object.at(&["spec", "podSelector"]))), age],
        "endpointslices" => {
            let ports: Vec<String> = object
                .items(&["ports"])
                .iter()
                .map(|port| port.int(&["port"]).map_or("*".to_owned(), |port| port.to_string()))
                .collect();
            let addresses: Vec<&str> = object
                .items(&["endpoints"])
                .iter()
                .flat_map(|one| one.items(&["addresses"]))
                .filter_map(Value::as_str)
                .collect();
            let unset = |text: String| if text.is_empty() { "<unset>".to_owned() } else { text };
            vec![
                name,
                json!(plain(&["addressType"])),
                json!(unset(ports.join(","))),
                json!(unset(shortened(&addresses))),
                age,
            ]
        }
        "resourceclaims" => vec![name, json!(claim(object)), age],
        "resourceslices" => vec![
            name,
            json!(plain(&["spec", "nodeName"])),
            json!(plain(&["spec", "driver"])),
            json!(plain(&["spec", "pool", "name"])),
            age,
        ],
        _ => vec![name, age],
    }
}

fn unset(text: &str) -> &str {
    if text.is_empty() { "<unset>" } else { text }
}

fn node(node: &Value, name: Value, age: Value) -> Vec<Value> {
    let ready = node.items(&["status", "conditions"]).iter().find(|one| one.text(&["type"]) == "Ready");
    let mut status = vec![match ready.map(|one| one.text(&["status"])) {
        Some("True") => "Ready",
        Some(_) => "NotReady",
        None => "Unknown",
    }];
    if node.at(&["spec", "unschedulable"]) == &Value::Bool(true) {
        status.push("SchedulingDisabled");
    }
    let mut roles: Vec<&str> = node
        .entries(&["metadata", "labels"])
        .filter_map(|(key, _)| key.strip_prefix("node-role.kubernetes.io/"))
        .filter(|role| !role.is_empty())
        .collect();
    roles.sort_unstable();
    let address = |kind: &str| {
        let found = node.items(&["status", "addresses"]).iter().find(|one| one.text(&["type"]) == kind);
        or_none(found.map_or(String::new(), |one| one.text(&["address"]).to_owned()))
    };
    let info = |field: &str, missing: &str| match node.text(&["status", "nodeInfo", field]) {
        "" => missing.to_owned(),
        text => text.to_owned(),
    };
    vec![
        name,
        json!(status.join(",")),
        json!(or_none(roles.join(","))),
        age,
        json!(info("kubeletVersion", "")),
        json!(address("InternalIP")),
        json!(address("ExternalIP")),
        json!(info("osImage", "<unknown>")),
        json!(info("kernelVersion", "<unknown>")),
        json!(info("containerRuntimeVersion", "<unknown>")),
    ]
}

fn service(service: &Value, name: Value, age: Value) -> Vec<Value> {
    let spec = service.at(&["spec"]);
    let external = match spec.text(&["type"]) {
        "LoadBalancer" => match balanced(service).as_str() {
            "" => "<pending>".to_owned(),
            found => found.to_owned(),
        },
        "ExternalName" => spec.text(&["externalName"]).to_owned(),
        _ => {
            let each: Vec<&str> = spec.items(&["externalIPs"]).iter().filter_map(Value::as_str).collect();
            or_none(each.join(","))
        }
    };
    let ports: Vec<String> = spec
        .items(&["ports"])
        .iter()
        .map(|port| {
            let number = port.int(&["port"]).unwrap_or(0);
            let node =
                port.int(&["nodePort"]).filter(|node| *node > 0).map_or(String::new(), |node| format!(":{node}"));
            format!("{number}{node}/{}", port.text(&["protocol"]))
        })
        .collect();
    vec![
        name,
        spec.at(&["type"]).clone(),
        json!(or_none(spec.text(&["clusterIP"]).to_owned())),
        json!(external),
        json!(or_none(ports.join(","))),
        age,
        json!(pairs(spec.at(&["selector"]))),
    ]
}

fn balanced(object: &Value) -> String {
    let each: Vec<&str> = object
        .items(&["status", "loadBalancer", "ingress"])
        .iter()
        .map(|one| if one.text(&["ip"]).is_empty() { one.text(&["hostname"]) } else { one.text(&["ip"]) })
        .collect();
    each.join(",")
}

fn event(event: &Value, now: Timestamp) -> Vec<Value> {
    let about = event.at(&["involvedObject"]);
    let about_text = format!("{}/{}", about.text(&["kind"]).to_lowercase(), about.text(&["name"]));
    let first = match event.text(&["firstTimestamp"]) {
        "" => age::since(event.text(&["eventTime"]), now),
        time => age::since(time, now),
    };
    let last = match (event.text(&["series", "lastObservedTime"]), event.text(&["lastTimestamp"])) {
        ("", "") => first.clone(),
        ("", time) | (time, _) => age::since(time, now),
    };
    let source = match (event.text(&["source", "component"]), event.text(&["source", "host"])) {
        ("", "") => event.text(&["reportingComponent"]).to_owned(),
        (component, "") => component.to_owned(),
        (component, host) => format!("{component}, {host}"),
    };
    let count = event.int(&["series", "count"]).or_else(|| event.int(&["count"])).unwrap_or(1).max(1);
    vec![
        json!(last),
        json!(event.text(&["type"])),
        json!(event.text(&["reason"])),
        json!(about_text),
        json!(about.text(&["fieldPath"])),
        json!(source),
        json!(event.text(&["message"]).trim()),
        json!(first),
        json!(count.to_string()),
        event.at(&["metadata", "name"]).clone(),
    ]
}

fn endpoints(object: &Value) -> String {
    let mut each = Vec::new();
    for subset in object.items(&["subsets"]) {
        for address in subset.items(&["addresses"]) {
            for port in subset.items(&["ports"]) {
                each.push(format!("{}:{}", address.text(&["ip"]), port.int(&["port"]).unwrap_or(0)));
            }
        }
    }
    let each: Vec<&str> = each.iter().map(String::as_str).collect();
    or_none(shortened(&each))
}

/// The first three, and how many more.
fn shortened(list: &[&str]) -> String {
    let head = list.iter().take(3).copied().collect::<Vec<_>>().join(",");
    if list.len() > 3 { format!("{head} + {} more...", list.len() - 3) } else { head }
}

fn modes(modes: &Value) -> String {
    let short = |mode: &str| match mode {
        "ReadWriteOnce" => "RWO",
        "ReadOnlyMany" => "ROX",
        "ReadWriteMany" => "RWX",
        "ReadWriteOncePod" => "RWOP",
        _ => "",
    };
    let each: Vec<&str> = modes.items(&[]).iter().filter_map(Value::as_str).map(short).collect();
    each.join(",")
}

fn quota(quota: &Value) -> (String, String) {
    let (mut requests, mut limits) = (Vec::new(), Vec::new());
    let mut names: Vec<&Text> = quota.entries(&["status", "hard"]).map(|(name, _)| name).collect();
    names.sort();
    for name in names {
        let show = |part: &str| quota.text(&["status", part, name]).to_owned();
        let text = format!("{name}: {}/{}", show("used"), show("hard"));
        if name.starts_with("limits") { limits.push(text) } else { requests.push(text) }
    }
    (requests.join(", "), limits.join(", "))
}

fn claim(claim: &Value) -> String {
    let mut states = Vec::new();
    if !claim.at(&["metadata", "deletionTimestamp"]).is_null() {
        states.push("deleted");
    }
    let allocated = !claim.at(&["status", "allocation"]).is_null();
    if allocated {
        states.push("allocated");
    }
    if !claim.items(&["status", "reservedFor"]).is_empty() {
        states.push("reserved");
    } else if !allocated {
        states.push("pending");
    }
    states.join(",")
}
