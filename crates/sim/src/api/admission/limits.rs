//! LimitRanger: what a namespace's limit ranges fill in and forbid.

use std::sync::Arc;

use keelson_core::Quantity;

use super::super::{Api, defaults::quantity, json::Json, request::Call, status::Failure, storage::Object};
use crate::objects::Resource;
use crate::tree::Value;

const RANGES: Resource = Resource { group: "", plural: "limitranges" };

fn ranges(api: &Api, call: &Call) -> Vec<Arc<Object>> {
    api.store.list(RANGES, &call.namespace).filter(|_| !call.namespace.is_empty()).cloned().collect()
}

/// Default requests and limits for containers, and the note that says so.
pub(crate) fn fill_in(api: &Api, call: &Call, pod: &mut Value) {
    let mut notes = Vec::new();
    for range in ranges(api, call) {
        let items = range.value.items(&["spec", "limits"]).iter().filter(|item| item.text(&["type"]) == "Container");
        for item in items {
            for list in ["containers", "initContainers"] {
                let Some(containers) = pod.place_if(&["spec", list]).and_then(Value::as_array_mut) else { continue };
                for container in containers {
                    let name = container.text(&["name"]).to_owned();
                    let word = if list == "containers" { "container" } else { "init container" };
                    for (to, from, what) in [("requests", "defaultRequest", "request"), ("limits", "default", "limit")]
                    {
                        let set = complete(container, to, item.at(&[from]));
                        if !set.is_empty() {
                            notes.push(format!("{} {what} for {word} {name}", set.join(", ")));
                        }
                    }
                }
            }
        }
    }
    if !notes.is_empty() {
        let text = format!("LimitRanger plugin set: {}", notes.join("; "));
        pod.put(&["metadata", "annotations", "kubernetes.io/limit-ranger"], text);
    }
}

fn complete(container: &mut Value, to: &str, defaults: &Value) -> Vec<String> {
    let mut set = Vec::new();
    for (name, quantity) in defaults.entries(&[]) {
        if container.at(&["resources", to, name]).is_null() {
            container.put(&["resources", to, name], quantity.clone());
            set.push(name.to_string());
        }
    }
    set.sort();
    set
}

/// Minimum, maximum and ratio.
pub(crate) fn check(api: &Api, call: &Call, object: &Value) -> Result<(), Failure> {
    let pod = call.kind.is("", "pods");
    let claim = call.kind.is("", "persistentvolumeclaims");
    if !pod && !claim {
        return Ok(());
    }
    let mut problems = Vec::new();
    for range in ranges(api, call) {
        for item in range.value.items(&["spec", "limits"]) {
            match item.text(&["type"]) {
                "Container" if pod => {
                    for container in
                        object.items(&["spec", "containers"]).iter().chain(object.items(&["spec", "initContainers"]))
                    {
                        let resources = container.at(&["resources"]);
                        compare(item, "Container", &|kind, name| quantity(resources.at(&[kind, name])), &mut problems);
                    }
                }
                "Pod" if pod => compare(item, "Pod", &|kind, name| total(object, kind, name), &mut problems),
                "PersistentVolumeClaim" if claim => {
                    let read = |_: &str, name: &str| quantity(object.at(&["spec", "resources", "requests", name]));
                    compare(item, "PersistentVolumeClaim", &read, &mut problems);
                }
                _ => {}
            }
        }
    }
    match problems.as_slice() {
        [] => Ok(()),
        [one] => Err(Failure::forbidden(&call.kind, object.text(&["metadata", "name"]), one)),
        many => {
            let list = format!("[{}]", many.join(", "));
            Err(Failure::forbidden(&call.kind, object.text(&["metadata", "name"]), &list))
        }
    }
}

fn total(pod: &Value, kind: &str, name: &str) -> Option<Quantity> {
    let each: Option<Vec<Quantity>> = pod
        .items(&["spec", "containers"])
        .iter()
        .map(|container| quantity(container.at(&["resources", kind, name])))
        .collect();
    let millis: i64 = each?.iter().map(Quantity::milli).sum();
    Some(Quantity::from_milli(millis))
}

fn compare(item: &Value, what: &str, read: &dyn Fn(&str, &str) -> Option<Quantity>, problems: &mut Vec<String>) {
    for (name, bound) in item.entries(&["min"]) {
        let Some(least) = quantity(bound) else { continue };
        let text = bound_text(bound);
        let (request, limit) = (read("requests", name), read("limits", name));
        match (&request, &limit) {
            (None, _) => problems.push(format!("minimum {name} usage per {what} is {text}.  No request is specified")),
            (Some(given), _) if given.nanos() < least.nanos() => {
                problems.push(format!("minimum {name} usage per {what} is {text}, but request is {given}"));
            }
            (_, Some(given)) if given.nanos() < least.nanos() => {
                problems.push(format!("minimum {name} usage per {what} is {text}, but limit is {given}"));
            }
            _ => {}
        }
    }
    for (name, bound) in item.entries(&["maxLimitRequestRatio"]) {
        let (Some(most), Some(request), Some(limit)) = (quantity(bound), read("requests", name), read("limits", name))
        else {
            problems.push(format!(
                "{name} max limit to request ratio per {what} is {}, but no request is specified or request is 0",
                bound_text(bound)
            ));
            continue;
        };
        // Upstream compares rounded floats; here limit / request > most without any.
        if limit.nanos() * 1_000_000_000 > most.nanos() * request.nanos() {
            let micros = limit.nanos() * 1_000_000 / request.nanos().max(1);
            problems.push(format!(
                "{name} max limit to request ratio per {what} is {}, but provided ratio is {}.{:06}",
                bound_text(bound),
                micros / 1_000_000,
                micros % 1_000_000
            ));
        }
    }
    for (name, bound) in item.entries(&["max"]) {
        let Some(most) = quantity(bound) else { continue };
        let text = bound_text(bound);
        let (request, limit) = (read("requests", name), read("limits", name));
        if what == "PersistentVolumeClaim" {
            if let Some(given) = request.filter(|given| given.nanos() > most.nanos()) {
                problems.push(format!("maximum {name} usage per {what} is {text}, but request is {given}"));
            }
            continue;
        }
        match (&request, &limit) {
            (_, None) => problems.push(format!("maximum {name} usage per {what} is {text}.  No limit is specified")),
            (_, Some(given)) if given.nanos() > most.nanos() => {
                problems.push(format!("maximum {name} usage per {what} is {text}, but limit is {given}"));
            }
            (Some(given), _) if given.nanos() > most.nanos() => {
                problems.push(format!("maximum {name} usage per {what} is {text}, but request is {given}"));
            }
            _ => {}
        }
    }
}

fn bound_text(bound: &Value) -> String {
    quantity(bound).map(|quantity| quantity.to_string()).unwrap_or_default()
}
