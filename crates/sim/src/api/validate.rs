//! What a kind demands of its objects, and what may not change once it is set.

use super::{json::Json, kinds::Kind, status::Cause};
use crate::tree::{Value, json};

/// What is wrong with a new object.
pub(crate) fn create(kind: &Kind, object: &Value) -> Vec<Cause> {
    let mut causes = always(kind, object);
    causes.extend(match (kind.group, kind.plural) {
        ("", "pods") => containers(object.at(&["spec"]), "spec"),
        ("apps", "deployments" | "replicasets" | "statefulsets" | "daemonsets") => template(kind, object),
        ("apiextensions.k8s.io", _) => definition(object),
        ("batch", "jobs") => containers(object.at(&["spec", "template", "spec"]), "spec.template.spec"),
        _ => Vec::new(),
    });
    causes
}

/// What must hold of an object at any time.
fn always(kind: &Kind, object: &Value) -> Vec<Cause> {
    let spec = object.at(&["spec"]);
    match (kind.group, kind.plural) {
        ("", "nodes") => taints(spec.items(&["taints"])),
        ("", "services") => ports(spec.items(&["ports"])),
        ("admissionregistration.k8s.io", "validatingadmissionpolicybindings") => {
            const ACTIONS: &[&str] = &["Audit", "Deny", "Warn"];
            let actions = spec.items(&["validationActions"]).iter().enumerate();
            let strange = actions.filter(|(_, action)| !action.as_str().is_some_and(|word| ACTIONS.contains(&word)));
            let field = |index: usize| format!("spec.validationActions[{index}]");
            strange.map(|(index, action)| Cause::unsupported(field(index), action, ACTIONS)).collect()
        }
        ("coordination.k8s.io", "leases") => {
            let seconds = spec.int(&["leaseDurationSeconds"]).filter(|seconds| *seconds <= 0);
            let wrong =
                |seconds: i64| Cause::invalid("spec.leaseDurationSeconds", &seconds.into(), "must be greater than 0");
            seconds.map(wrong).into_iter().collect()
        }
        ("discovery.k8s.io", "endpointslices") if object.text(&["addressType"]) != "FQDN" => addresses(object),
        ("events.k8s.io", "events") if object.text(&["reason"]).is_empty() => vec![Cause::required("reason", "")],
        _ => Vec::new(),
    }
}

fn taints(taints: &[Value]) -> Vec<Cause> {
    const EFFECTS: &[&str] = &["NoSchedule", "PreferNoSchedule", "NoExecute"];
    let mut causes = Vec::new();
    for (index, taint) in taints.iter().enumerate() {
        let effect = taint.text(&["effect"]);
        let field = format!("metadata.taints[{index}].effect");
        if effect.is_empty() {
            causes.push(Cause::required(field, ""));
        } else if !EFFECTS.contains(&effect) {
            causes.push(Cause::unsupported(field, &effect.into(), EFFECTS));
        }
    }
    causes
}

fn ports(ports: &[Value]) -> Vec<Cause> {
    let mut causes = Vec::new();
    for (index, port) in ports.iter().enumerate() {
        for field in ["port", "targetPort"] {
            let number = port.int(&[field]).filter(|number| !(1..=65535).contains(number));
            let field = format!("spec.ports[{index}].{field}");
            causes.extend(
                number.map(|number| Cause::invalid(field, &number.into(), "must be between 1 and 65535, inclusive")),
            );
        }
    }
    causes
}

fn addresses(slice: &Value) -> Vec<Cause> {
    let mut causes = Vec::new();
    for (index, endpoint) in slice.items(&["endpoints"]).iter().enumerate() {
        for (at, address) in endpoint.items(&["addresses"]).iter().enumerate() {
            if address.as_str().is_none_or(|text| text.parse::<std::net::IpAddr>().is_err()) {
                let why = "must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)";
                causes.push(Cause::invalid(format!("endpoints[{index}].addresses[{at}]"), address, why));
            }
        }
    }
    causes
}

fn containers(spec: &Value, at: &str) -> Vec<Cause> {
    let mut causes = Vec::new();
    if spec.items(&["containers"]).is_empty() {
        causes.push(Cause::required(format!("{at}.containers"), ""));
    }
    let mut names: Vec<&str> = Vec::new();
    for list in ["initContainers", "containers"] {
        for (index, container) in spec.items(&[list]).iter().enumerate() {
            let path = format!("{at}.{list}[{index}]");
            let name = container.text(&["name"]);
            if name.is_empty() {
                causes.push(Cause::required(format!("{path}.name"), ""));
            } else if names.contains(&name) {
                causes.push(Cause::duplicate(format!("{path}.name"), &name.into()));
            }
            names.push(name);
            if container.text(&["image"]).is_empty() {
                causes.push(Cause::required(format!("{path}.image"), ""));
            }
            causes.extend(requests(container, &path));
        }
    }
    causes
}

/// Requests may not exceed limits.
fn requests(container: &Value, path: &str) -> Vec<Cause> {
    let mut causes = Vec::new();
    for (name, value) in container.entries(&["resources", "requests"]) {
        let limit = super::defaults::quantity(container.at(&["resources", "limits", name]));
        let (Some(request), Some(limit)) = (super::defaults::quantity(value), limit) else { continue };
        let extended = name.contains('/') || name.starts_with("hugepages-");
        let field = format!("{path}.resources.requests");
        if extended && request.nanos() != limit.nanos() {
            causes.push(Cause::invalid(field, value, &format!("must be equal to {name} limit of {limit}")));
        } else if request.nanos() > limit.nanos() {
            let detail = format!("must be less than or equal to {name} limit of {limit}");
            causes.push(Cause::invalid(field, value, &detail));
        }
    }
    causes
}

/// A workload's selector must select its own pods.
fn template(kind: &Kind, object: &Value) -> Vec<Cause> {
    let mut causes = Vec::new();
    let selector = object.at(&["spec", "selector"]);
    if selector.is_null() {
        causes.push(Cause::required("spec.selector", ""));
    } else if !super::subresource::selects(selector, object.at(&["spec", "template"])) {
        let labels = object.at(&["spec", "template", "metadata", "labels"]);
        let detail = "`selector` does not match template `labels`";
        causes.push(Cause::invalid("spec.template.metadata.labels", labels, detail));
    }
    if object.int(&["spec", "replicas"]).is_some_and(|replicas| replicas < 0) {
        let replicas = object.at(&["spec", "replicas"]);
        causes.push(Cause::invalid("spec.replicas", replicas, "must be greater than or equal to 0"));
    }
    debug_assert!(kind.group == "apps", "only apps have a selector and a template");
    causes.extend(containers(object.at(&["spec", "template", "spec"]), "spec.template.spec"));
    causes
}

/// A definition must name itself rightly and store exactly one version.
fn definition(object: &Value) -> Vec<Cause> {
    let mut causes = Vec::new();
    let (group, plural) = (object.text(&["spec", "group"]), object.text(&["spec", "names", "plural"]));
    for (field, text) in
        [("group", group), ("names.plural", plural), ("names.kind", object.text(&["spec", "names", "kind"]))]
    {
        if text.is_empty() {
            causes.push(Cause::required(format!("spec.{field}"), ""));
        }
    }
    if !group.is_empty() && !group.contains('.') {
        causes.push(Cause::invalid("spec.group", &group.into(), "should be a domain with at least one dot"));
    }
    if object.text(&["metadata", "name"]) != format!("{plural}.{group}") {
        let name = object.at(&["metadata", "name"]);
        causes.push(Cause::invalid("metadata.name", name, "must be spec.names.plural+\".\"+spec.group"));
    }
    let versions = object.items(&["spec", "versions"]);
    if versions.iter().filter(|version| version.at(&["storage"]) == &Value::Bool(true)).count() != 1 {
        let detail = "must have exactly one version marked as storage version";
        causes.push(Cause::invalid("spec.versions", &json!([]), detail));
    }
    for (index, version) in versions.iter().enumerate() {
        if version.at(&["schema", "openAPIV3Schema"]).is_null() {
            causes.push(Cause::required(
                format!("spec.versions[{index}].schema.openAPIV3Schema"),
                "schemas are required",
            ));
        }
    }
    causes
}

/// What may not change.
pub(crate) fn update(kind: &Kind, subresource: &str, old: &Value, new: &Value) -> Vec<Cause> {
    if subresource == "status" {
        let nominated = new.text(&["status", "nominatedNodeName"]);
        let why =
            if kind.is("", "pods") && !nominated.is_empty() { super::meta::bad_subdomain(nominated) } else { None };
        let wrong = |why: &str| Cause::invalid("status.nominatedNodeName", &nominated.into(), why);
        return why.map(wrong).into_iter().collect();
    }
    let fixed: &[&[&str]] = match (kind.group, kind.plural) {
        ("", "pods") => return pod(subresource, old, new),
        ("apps", "deployments" | "replicasets" | "daemonsets") => &[&["spec", "selector"]],
        ("apiextensions.k8s.io", _) => &[&["spec", "group"], &["spec", "scope"], &["spec", "names", "plural"]],
        ("batch", "jobs") => &[&["spec", "selector"], &["spec", "completionMode"], &["spec", "template"]],
        ("apps", "statefulsets") => return stateful_set(old, new),
        ("scheduling.k8s.io", _) => &[&["value"], &["preemptionPolicy"]],
        ("storage.k8s.io", "storageclasses") => {
            &[&["provisioner"], &["parameters"], &["reclaimPolicy"], &["volumeBindingMode"]]
        }
        ("rbac.authorization.k8s.io", "rolebindings" | "clusterrolebindings") => &[&["roleRef"]],
        ("resource.k8s.io", "resourceclaims") => &[&["spec"]],
        ("", "persistentvolumeclaims") => &[&["spec", "accessModes"], &["spec", "storageClassName"]],
        ("", "secrets") => &[&["type"]],
        ("", "services") => &[],
        _ => &[],
    };
    let mut causes = always(kind, new);
    let kept = fixed
        .iter()
        .filter(|path| {
            old.at(path) != new.at(path) && !(old.at(path).is_null() && path.last() == Some(&"storageClassName"))
        })
        .map(|path| Cause::invalid(path.join("."), new.at(path), "field is immutable"));
    causes.extend(kept);
    if matches!(kind.plural, "secrets" | "configmaps") && old.at(&["immutable"]) == &Value::Bool(true) {
        for field in ["immutable", "data", "stringData", "binaryData"] {
            if old.at(&[field]) != new.at(&[field]) {
                causes.push(Cause::forbidden(field, "field is immutable when `immutable` is set"));
            }
        }
    }
    if kind.is("apps", "deployments") || kind.is("apps", "replicasets") || kind.is("apps", "daemonsets") {
        causes.splice(0..0, template(kind, new));
    }
    causes
}

const POD_CHANGES: &str = "pod updates may not change fields other than `spec.containers[*].image`,\
    `spec.initContainers[*].image`,`spec.activeDeadlineSeconds`,`spec.tolerations` (only additions to existing \
    tolerations),`spec.terminationGracePeriodSeconds` (allow it to be set to 1 if it was previously negative)";

fn pod(subresource: &str, old: &Value, new: &Value) -> Vec<Cause> {
    let mut causes = Vec::new();
    for (index, gate) in new.items(&["spec", "schedulingGates"]).iter().enumerate() {
        if !old.items(&["spec", "schedulingGates"]).contains(gate) {
            let detail = format!("only deletion is allowed, but found new scheduling gate '{}'", gate.text(&["name"]));
            causes.push(Cause::forbidden(format!("spec.schedulingGates[{index}].name"), &detail));
        }
    }
    if !causes.is_empty() {
        return causes;
    }
    let kept = old.items(&["spec", "tolerations"]);
    let grown = new.items(&["spec", "tolerations"]);
    if !kept.iter().all(|one| grown.contains(one)) {
        causes.push(Cause::forbidden(
            "spec.tolerations",
            "existing toleration can not be modified except its tolerationSeconds",
        ));
        return causes;
    }
    // What may change is made alike; the rest must be alike already.
    let mut masked = new.at(&["spec"]).clone();
    for list in ["containers", "initContainers"] {
        let before = old.items(&["spec", list]);
        for (index, container) in
            masked.place_if(&[list]).and_then(Value::as_array_mut).into_iter().flatten().enumerate()
        {
            let was = before.get(index).unwrap_or(&Value::Null);
            same(container, was, "image");
            if subresource == "resize" {
                same(container, was, "resources");
                same(container, was, "resizePolicy");
            }
        }
    }
    let before = old.at(&["spec"]);
    for field in ["tolerations", "schedulingGates", "activeDeadlineSeconds"] {
        same(&mut masked, before, field);
    }
    if old.int(&["spec", "terminationGracePeriodSeconds"]).is_some_and(|seconds| seconds < 0) {
        same(&mut masked, before, "terminationGracePeriodSeconds");
    }
    if !old.items(&["spec", "schedulingGates"]).is_empty() {
        // A gated pod may still be narrowed down.
        same(&mut masked, before, "nodeSelector");
        same(&mut masked, before, "affinity");
    }
    if masked != *before {
        causes.push(Cause::forbidden("spec", POD_CHANGES));
    }
    causes
}

fn same(value: &mut Value, like: &Value, field: &str) {
    match like.get(field) {
        Some(kept) => value.put(&[field], kept.clone()),
        None => drop(value.cut(&[field])),
    }
}

fn stateful_set(old: &Value, new: &Value) -> Vec<Cause> {
    let mut masked = new.at(&["spec"]).clone();
    for field in [
        "replicas",
        "ordinals",
        "template",
        "updateStrategy",
        "revisionHistoryLimit",
        "minReadySeconds",
        "persistentVolumeClaimRetentionPolicy",
    ] {
        same(&mut masked, old.at(&["spec"]), field);
    }
    if masked == *old.at(&["spec"]) {
        return Vec::new();
    }
    vec![Cause::forbidden(
        "spec",
        "updates to statefulset spec for fields other than 'replicas', 'ordinals', 'template', 'updateStrategy', \
         'revisionHistoryLimit', 'persistentVolumeClaimRetentionPolicy' and 'minReadySeconds' are forbidden",
    )]
}

/// A scale's replicas, as its own object says them.
pub(crate) fn scale(replicas: i64) -> Option<Cause> {
    (replicas < 0).then(|| Cause::invalid("spec.replicas", &json!(replicas), "must be greater than or equal to 0"))
}
