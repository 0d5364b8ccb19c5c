//! The EndpointSlice controller: which addresses stand behind a service.

use std::collections::BTreeSet;

use super::agenda::Role;
use super::demand::is_finished;
use super::desk::{Desk, Looked};
use super::kinds::{NODES, PODS, SERVICES, SLICES};
use super::nodes::zone;
use super::read::{Key, at, holds, int, is_leaving, list, name, namespace, owned_by, strings, text, uid, yes};
use crate::objects::{Event, Write};
use crate::tree::{Value, json};

/// The most endpoints of one slice.
const SLICE: usize = 100;

/// Looks at services that changed and at those that select a pod that did.
pub fn notice(desk: &mut Desk<'_>, event: &Event) {
    if event.resource == SERVICES && !event.deleted {
        desk.soon(Role::Endpoints, Key::of(&event.object));
    } else if event.resource == PODS {
        let before = event.before.as_deref().unwrap_or(&Value::Null);
        if !event.deleted && shown(before) == shown(&event.object) {
            return;
        }
        let selects = |service: &Value| selects(service, &event.object) || selects(service, before);
        let services = desk.state.seen.within(SERVICES, namespace(&event.object));
        let keys: Vec<Key> = services.filter(|(_, service)| selects(service)).map(|(key, _)| key.clone()).collect();
        keys.into_iter().for_each(|key| desk.soon(Role::Endpoints, key));
    }
}

/// What of a pod is visible in a slice.
fn shown(pod: &Value) -> (&str, bool, bool, bool, Option<&Value>) {
    (text(pod, "status.podIP"), holds(pod, "Ready"), is_leaving(pod), is_finished(pod), at(pod, "metadata.labels"))
}

fn selects(service: &Value, pod: &Value) -> bool {
    let selector = strings(service, "spec.selector");
    let label = |key: &str| super::read::entry(pod, "metadata.labels", key);
    !selector.is_empty() && selector.iter().all(|(key, value)| label(key) == Some(value))
}

/// One look at a service.
///
/// # Errors
/// What the API says.
pub fn look(desk: &mut Desk<'_>, key: &Key) -> Looked {
    let Some(service) = desk.get(SERVICES, key).filter(|service| !is_leaving(service)) else { return Ok(()) };
    let match_labels = strings(&service, "spec.selector");
    if match_labels.is_empty() {
        return Ok(());
    }
    let selector = keelson_core::selector::LabelSelector { match_labels, ..Default::default() };
    let pods = desk.state.seen.selected(&key.namespace, &selector);
    let serving = pods.iter().filter(|pod| !text(pod, "status.podIP").is_empty() && !is_finished(pod));
    let endpoints: Vec<(Value, Value)> =
        serving.map(|pod| (ports(&service, pod), endpoint(desk, &service, pod))).collect();
    // Pods of one service may give a named port different numbers: such pods never share a slice.
    let mut slices: Vec<(Value, Vec<Value>)> = Vec::new();
    for (ports, endpoint) in endpoints {
        match slices.iter_mut().find(|(known, endpoints)| *known == ports && endpoints.len() < SLICE) {
            Some((_, endpoints)) => endpoints.push(endpoint),
            None => slices.push((ports, vec![endpoint])),
        }
    }
    if slices.is_empty() {
        slices.push((json!([]), Vec::new()));
    }
    let wanted: BTreeSet<String> = (0..slices.len()).map(|index| slice_name(&service, index)).collect();
    for (index, (ports, endpoints)) in slices.into_iter().enumerate() {
        write(desk, &service, index, ports, endpoints)?;
    }
    let known = desk.state.seen.owned(uid(&service), SLICES);
    known.iter().filter(|slice| !wanted.contains(name(slice))).try_for_each(|slice| desk.delete(SLICES, slice, None))
}

fn slice_name(service: &Value, index: usize) -> String {
    format!("{}-{index}", name(service))
}

fn write(desk: &mut Desk<'_>, service: &Value, index: usize, ports: Value, endpoints: Vec<Value>) -> Looked {
    let key = Key::new(namespace(service), slice_name(service, index));
    let endpoints = Value::from(endpoints);
    match desk.get(SLICES, &key) {
        Some(slice) if at(&slice, "endpoints") == Some(&endpoints) && at(&slice, "ports") == Some(&ports) => Ok(()),
        Some(slice) => desk.merge(SLICES, &slice, "", json!({"endpoints": endpoints, "ports": ports})).map(drop),
        None => {
            let labels = json!({"kubernetes.io/service-name": name(service),
                "endpointslice.kubernetes.io/managed-by": "endpointslice-controller.k8s.io"});
            let owner = owned_by(service, "v1", "Service");
            let metadata =
                json!({"namespace": key.namespace, "name": key.name, "labels": labels, "ownerReferences": [owner]});
            desk.write(Write::Create(
                SLICES,
                json!({"apiVersion": "discovery.k8s.io/v1", "kind": "EndpointSlice", "metadata": metadata,
                    "addressType": "IPv4", "endpoints": endpoints, "ports": ports}),
            ))
            .map(drop)
        }
    }
}

/// A service's ports as a pod has them.
fn ports(service: &Value, pod: &Value) -> Value {
    let declared =
        || list(pod, "spec.containers").iter().chain(list(pod, "spec.initContainers")).flat_map(|c| list(c, "ports"));
    let number = |port: &Value| match at(port, "targetPort") {
        Some(Value::String(named)) => {
            declared().find(|known| text(known, "name") == named).and_then(|known| int(known, "containerPort"))
        }
        Some(Value::Number(number)) => number.as_i64(),
        _ => int(port, "port"),
    };
    let ports = list(service, "spec.ports").iter().filter_map(|port| {
        let protocol = if text(port, "protocol").is_empty() { "TCP" } else { text(port, "protocol") };
        Some(json!({"name": text(port, "name"), "port": number(port)?, "protocol": protocol}))
    });
    ports.collect()
}

fn endpoint(desk: &Desk<'_>, service: &Value, pod: &Value) -> Value {
    let serving = holds(pod, "Ready");
    let terminating = is_leaving(pod);
    let ready = yes(service, "spec.publishNotReadyAddresses") || serving && !terminating;
    let node = text(pod, "spec.nodeName");
    let mut endpoint = json!({
        "addresses": [text(pod, "status.podIP")], "nodeName": node,
        "conditions": {"ready": ready, "serving": serving, "terminating": terminating},
        "targetRef": {"kind": "Pod", "namespace": namespace(pod), "name": name(pod), "uid": uid(pod)},
    });
    if let Some(fields) = endpoint.as_object_mut() {
        if let Some(node) = desk.get(NODES, &Key::cluster(node)) {
            fields.insert("zone".to_owned(), Value::from(zone(&node)));
        }
        let hostname = text(pod, "spec.hostname");
        if !hostname.is_empty() && text(pod, "spec.subdomain") == name(service) {
            fields.insert("hostname".to_owned(), Value::from(hostname));
        }
    }
    endpoint
}
