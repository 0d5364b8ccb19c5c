//! Pods, alone and in templates.

use keelson_core::Quantity;

use super::super::json::Json;
use crate::tree::{Text, Value, json};

const KINDS: [&str; 3] = ["initContainers", "containers", "ephemeralContainers"];

/// A pod's `spec`, wherever it stands.
pub(crate) fn spec(spec: &mut Value) {
    for kind in KINDS {
        if let Some(containers) = spec.get_mut(kind).and_then(Value::as_array_mut) {
            containers.iter_mut().for_each(container);
        }
    }
    spec.default_to(&["restartPolicy"], "Always");
    spec.default_to(&["terminationGracePeriodSeconds"], 30);
    spec.default_to(&["dnsPolicy"], "ClusterFirst");
    spec.default_to(&["securityContext"], json!({}));
    spec.default_to(&["schedulerName"], "default-scheduler");
    let account = spec.text(&["serviceAccountName"]).to_owned();
    if !account.is_empty() {
        spec.put(&["serviceAccount"], account);
    }
    let host = spec.at(&["hostNetwork"]) == &Value::Bool(true);
    if let Some(containers) = spec.get_mut("containers").and_then(Value::as_array_mut).filter(|_| host) {
        for container in containers {
            if let Some(ports) = container.get_mut("ports").and_then(Value::as_array_mut) {
                for port in ports {
                    let number = port.at(&["containerPort"]).clone();
                    port.default_to(&["hostPort"], number);
                }
            }
        }
    }
    if let Some(volumes) = spec.get_mut("volumes").and_then(Value::as_array_mut) {
        volumes.iter_mut().for_each(volume);
    }
}

/// What only a real pod gets, not a template: links, and requests where only limits are given.
pub(crate) fn requests(spec: &mut Value) {
    spec.default_to(&["enableServiceLinks"], true);
    for kind in KINDS {
        let Some(containers) = spec.get_mut(kind).and_then(Value::as_array_mut) else { continue };
        for container in containers {
            let limits: Vec<(Text, Value)> = container
                .entries(&["resources", "limits"])
                .map(|(name, value)| (name.clone(), value.clone()))
                .collect();
            for (name, limit) in limits {
                container.default_to(&["resources", "requests", &name], limit);
            }
        }
    }
}

fn container(container: &mut Value) {
    let image = container.text(&["image"]).to_owned();
    let tag = image.rsplit('/').next().and_then(|last| last.split_once(':')).map(|(_, tag)| tag);
    let always = !image.contains('@') && tag.is_none_or(|tag| tag == "latest");
    container.default_to(&["resources"], json!({}));
    canonical(container, &["resources", "requests"]);
    canonical(container, &["resources", "limits"]);
    container.default_to(&["terminationMessagePath"], "/dev/termination-log");
    container.default_to(&["terminationMessagePolicy"], "File");
    if !image.is_empty() {
        container.default_to(&["imagePullPolicy"], if always { "Always" } else { "IfNotPresent" });
    }
    if let Some(ports) = container.get_mut("ports").and_then(Value::as_array_mut) {
        ports.iter_mut().for_each(|port| port.default_to(&["protocol"], "TCP"));
    }
    if let Some(env) = container.get_mut("env").and_then(Value::as_array_mut) {
        for variable in env.iter_mut().filter(|variable| !variable.at(&["valueFrom", "fieldRef"]).is_null()) {
            variable.default_to(&["valueFrom", "fieldRef", "apiVersion"], "v1");
        }
    }
    for probe in ["livenessProbe", "readinessProbe", "startupProbe"] {
        let Some(probe) = container.get_mut(probe).filter(|probe| !probe.is_null()) else { continue };
        for (field, value) in
            [("timeoutSeconds", 1), ("periodSeconds", 10), ("successThreshold", 1), ("failureThreshold", 3)]
        {
            probe.default_to(&[field], value);
        }
        if !probe.at(&["httpGet"]).is_null() {
            probe.default_to(&["httpGet", "path"], "/");
            probe.default_to(&["httpGet", "scheme"], "HTTP");
        }
        if !probe.at(&["grpc"]).is_null() {
            probe.default_to(&["grpc", "service"], "");
        }
    }
    for hook in ["postStart", "preStop"] {
        if !container.at(&["lifecycle", hook, "httpGet"]).is_null() {
            container.default_to(&["lifecycle", hook, "httpGet", "path"], "/");
            container.default_to(&["lifecycle", hook, "httpGet", "scheme"], "HTTP");
        }
    }
}

fn volume(volume: &mut Value) {
    if volume.as_object().is_some_and(|map| map.keys().all(|key| key == "name")) {
        volume.put(&["emptyDir"], json!({}));
    }
    for source in ["secret", "configMap", "downwardAPI", "projected"] {
        if !volume.at(&[source]).is_null() {
            volume.default_to(&[source, "defaultMode"], 420);
        }
    }
    if !volume.at(&["hostPath"]).is_null() {
        volume.default_to(&["hostPath", "type"], "");
    }
    if !volume.at(&["ephemeral", "volumeClaimTemplate"]).is_null() {
        volume.default_to(&["ephemeral", "volumeClaimTemplate", "spec", "volumeMode"], "Filesystem");
    }
    if let Some(sources) = volume.place_if(&["projected", "sources"]) {
        for source in sources.as_array_mut().into_iter().flatten() {
            if !source.at(&["serviceAccountToken"]).is_null() {
                source.default_to(&["serviceAccountToken", "expirationSeconds"], 3607);
            }
        }
    }
}

/// `Guaranteed`, `Burstable` or `BestEffort`, by cpu and memory of containers.
pub(crate) fn qos_class(spec: &Value) -> &'static str {
    let mut any = false;
    let mut guaranteed = true;
    let containers = spec.items(&["containers"]).iter().chain(spec.items(&["initContainers"]));
    for container in containers {
        for resource in ["cpu", "memory"] {
            let read = |kind: &str| -> Option<Quantity> {
                quantity(container.at(&["resources", kind, resource])).filter(|quantity| !quantity.is_zero())
            };
            let (request, limit) = (read("requests"), read("limits"));
            any |= request.is_some() || limit.is_some();
            guaranteed &= limit.is_some() && request.map(|q| q.nanos()) == limit.map(|q| q.nanos());
        }
    }
    match (any, guaranteed) {
        (false, _) => "BestEffort",
        (true, true) => "Guaranteed",
        (true, false) => "Burstable",
    }
}

/// Writes the quantities of a map as Kubernetes prints them: `1000m` and 1 are `"1"`.
pub(crate) fn canonical(object: &mut Value, path: &[&str]) {
    let Some(map) = object.place_if(path).and_then(Value::as_object_mut) else { return };
    for value in map.values_mut() {
        if let Some(read) = quantity(value) {
            let text = read.to_string();
            if value.as_str() != Some(&text) {
                *value = text.into();
            }
        }
    }
}

/// A quantity as JSON writes it: text or a number.
pub(crate) fn quantity(value: &Value) -> Option<Quantity> {
    match value {
        Value::String(text) => text.parse().ok(),
        Value::Number(number) => number.to_string().parse().ok(),
        _ => None,
    }
}
