//! ResourceQuota: what a namespace may use in all.
//!
//! Usage is counted from the objects themselves at each admission, so it cannot drift; the quota's status is what the
//! count gave, brought up to date after every change.

use std::collections::{BTreeMap, BTreeSet};

use keelson_core::Quantity;

use super::super::{Api, defaults::quantity, json::Json, kinds::Kind, request::Call, status::Failure};
use crate::objects::Resource;
use crate::tree::{Value, json};

const QUOTAS: Resource = Resource { group: "", plural: "resourcequotas" };

type Usage = BTreeMap<String, i128>;

/// Refuses what would exceed a quota.
pub(crate) fn check(api: &Api, call: &Call, object: &Value, old: Option<&Value>) -> Result<(), Failure> {
    if call.namespace.is_empty() || !matches!(call.subresource.as_str(), "" | "resize") {
        return Ok(());
    }
    for quota in api.store.list(QUOTAS, &call.namespace) {
        if !in_scope(&call.kind, &quota.value, object) {
            continue;
        }
        let hard: BTreeMap<&str, Quantity> = quota
            .value
            .entries(&["spec", "hard"])
            .filter_map(|(name, bound)| Some((name.as_str(), quantity(bound)?)))
            .collect();
        let asks = usage(&call.kind, object);
        let name = quota.value.text(&["metadata", "name"]);
        missing(call, object, &hard, name)?;
        let before = old.map(|old| usage(&call.kind, old)).unwrap_or_default();
        let delta: Usage = asks
            .into_iter()
            .map(|(what, amount)| (what.clone(), amount - before.get(&what).copied().unwrap_or(0)))
            .filter(|(what, amount)| *amount > 0 && hard.contains_key(what.as_str()))
            .collect();
        if delta.is_empty() {
            continue;
        }
        let used = used(api, &call.namespace, &quota.value);
        let over: Vec<&String> = delta
            .iter()
            .filter(|(what, amount)| {
                let limit = hard.get(what.as_str()).map_or(0, Quantity::nanos);
                used.get(*what).copied().unwrap_or(0) + **amount > limit
            })
            .map(|(what, _)| what)
            .collect();
        if !over.is_empty() {
            let show = |amounts: &dyn Fn(&String) -> String| {
                over.iter().map(|what| format!("{what}={}", amounts(what))).collect::<Vec<_>>().join(",")
            };
            let like = |what: &String, nanos: i128| written(nanos, hard.get(what.as_str()));
            let why = format!(
                "exceeded quota: {name}, requested: {}, used: {}, limited: {}",
                show(&|what| like(what, delta.get(what).copied().unwrap_or(0))),
                show(&|what| like(what, used.get(what).copied().unwrap_or(0))),
                show(&|what| hard.get(what.as_str()).map(ToString::to_string).unwrap_or_default()),
            );
            return Err(Failure::forbidden(&call.kind, object.text(&["metadata", "name"]), &why));
        }
    }
    Ok(())
}

/// A quota on cpu or memory demands that every container says what it takes.
fn missing(call: &Call, object: &Value, hard: &BTreeMap<&str, Quantity>, quota: &str) -> Result<(), Failure> {
    if !call.kind.is("", "pods") {
        return Ok(());
    }
    let mut lacks: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for what in hard.keys() {
        let (kind, resource) = match what.split_once('.') {
            Some((kind @ ("requests" | "limits"), resource @ ("cpu" | "memory"))) => (kind, resource),
            None if matches!(*what, "cpu" | "memory") => ("requests", *what),
            _ => continue,
        };
        for container in object.items(&["spec", "containers"]).iter().chain(object.items(&["spec", "initContainers"])) {
            if container.at(&["resources", kind, resource]).is_null() {
                lacks.entry(what).or_default().insert(container.text(&["name"]));
            }
        }
    }
    if lacks.is_empty() {
        return Ok(());
    }
    let each: Vec<String> = lacks
        .iter()
        .map(|(what, names)| format!("{what} for: {}", names.iter().copied().collect::<Vec<_>>().join(",")))
        .collect();
    let why = format!("failed quota: {quota}: must specify {}", each.join("; "));
    Err(Failure::forbidden(&call.kind, object.text(&["metadata", "name"]), &why))
}

fn written(nanos: i128, like: Option<&Quantity>) -> String {
    let milli = i64::try_from(nanos / 1_000_000).unwrap_or(i64::MAX);
    match like.map(Quantity::format) {
        Some(keelson_core::quantity::Format::BinarySI) => Quantity::from_bytes(milli / 1000).to_string(),
        _ => Quantity::from_milli(milli).to_string(),
    }
}

/// What one object counts for.
fn usage(kind: &Kind, object: &Value) -> Usage {
    const ONE: i128 = 1_000_000_000;
    let mut usage = Usage::new();
    let done = kind.is("", "pods") && matches!(object.text(&["status", "phase"]), "Succeeded" | "Failed");
    let counted = format!("count/{}", kind.qualified());
    usage.insert(counted, ONE);
    if done {
        return usage;
    }
    if kind.group.is_empty() {
        usage.insert(kind.plural.to_owned(), ONE);
    }
    if kind.is("", "pods") {
        for (what, nanos) in pod_totals(object) {
            if matches!(what.as_str(), "requests.cpu" | "requests.memory" | "requests.ephemeral-storage") {
                usage.insert(what.trim_start_matches("requests.").to_owned(), nanos);
            }
            usage.insert(what, nanos);
        }
    }
    if kind.is("", "persistentvolumeclaims")
        && let Some(size) = quantity(object.at(&["spec", "resources", "requests", "storage"]))
    {
        usage.insert("requests.storage".into(), size.nanos());
        let class = object.text(&["spec", "storageClassName"]);
        if !class.is_empty() {
            usage.insert(format!("{class}.storageclass.storage.k8s.io/requests.storage"), size.nanos());
            usage.insert(format!("{class}.storageclass.storage.k8s.io/persistentvolumeclaims"), ONE);
        }
    }
    if kind.is("", "services") {
        match object.text(&["spec", "type"]) {
            "LoadBalancer" => drop(usage.insert("services.loadbalancers".into(), ONE)),
            "NodePort" => drop(usage.insert("services.nodeports".into(), ONE)),
            _ => {}
        }
    }
    usage
}

/// Containers together, or the largest init container when that is more.
fn pod_totals(pod: &Value) -> Usage {
    let mut sums = Usage::new();
    let sum = |into: &mut Usage, container: &Value, largest: bool| {
        for kind in ["requests", "limits"] {
            for (name, value) in container.entries(&["resources", kind]) {
                let nanos = quantity(value).map_or(0, |quantity| quantity.nanos());
                let entry = into.entry(format!("{kind}.{name}")).or_default();
                *entry = if largest { (*entry).max(nanos) } else { *entry + nanos };
            }
        }
    };
    let mut steps = Usage::new();
    for container in pod.items(&["spec", "initContainers"]) {
        sum(
            if container.text(&["restartPolicy"]) == "Always" { &mut sums } else { &mut steps },
            container,
            container.text(&["restartPolicy"]) != "Always",
        );
    }
    for container in pod.items(&["spec", "containers"]) {
        sum(&mut sums, container, false);
    }
    for (what, nanos) in steps {
        let entry = sums.entry(what).or_default();
        *entry = (*entry).max(nanos);
    }
    for (name, value) in pod.entries(&["spec", "overhead"]) {
        *sums.entry(format!("requests.{name}")).or_default() += quantity(value).map_or(0, |quantity| quantity.nanos());
    }
    sums
}

fn in_scope(kind: &Kind, quota: &Value, object: &Value) -> bool {
    let scopes =
        quota.items(&["spec", "scopes"]).iter().filter_map(Value::as_str).map(|scope| (scope, "Exists", &[][..]));
    let selected = quota
        .items(&["spec", "scopeSelector", "matchExpressions"])
        .iter()
        .map(|one| (one.text(&["scopeName"]), one.text(&["operator"]), one.items(&["values"])));
    scopes.chain(selected).all(|(scope, operator, values)| {
        if !kind.is("", "pods") {
            return false;
        }
        let timed = !object.at(&["spec", "activeDeadlineSeconds"]).is_null();
        let best_effort = super::super::defaults::qos_class(object.at(&["spec"])) == "BestEffort";
        let class = object.text(&["spec", "priorityClassName"]);
        match scope {
            "Terminating" => timed,
            "NotTerminating" => !timed,
            "BestEffort" => best_effort,
            "NotBestEffort" => !best_effort,
            "PriorityClass" => match operator {
                "In" => values.iter().any(|value| value == class),
                "NotIn" => !values.iter().any(|value| value == class),
                "DoesNotExist" => class.is_empty(),
                _ => !class.is_empty(),
            },
            _ => true,
        }
    })
}

/// What the namespace's objects use of what a quota limits.
fn used(api: &Api, namespace: &str, quota: &Value) -> Usage {
    let mut sum: Usage = quota.entries(&["spec", "hard"]).map(|(what, _)| (what.to_string(), 0)).collect();
    for kind in api.kinds.all().filter(|kind| kind.namespaced && !kind.virtual_) {
        let pods = kind.is("", "pods");
        let count = format!("count/{}", kind.qualified());
        let matters = pods
            || matches!(kind.plural, "persistentvolumeclaims" | "services")
            || sum.contains_key(&count)
            || (kind.group.is_empty() && sum.contains_key(kind.plural));
        if !matters {
            continue;
        }
        for object in api.store.list(kind.storage, namespace) {
            if !in_scope(kind, quota, &object.value) {
                continue;
            }
            for (what, nanos) in usage(kind, &object.value) {
                if let Some(total) = sum.get_mut(&what) {
                    *total += nanos;
                }
            }
        }
    }
    sum
}

impl Api {
    /// Whether a namespace has a quota whose status may need a fresh count.
    pub(in super::super) fn has_quota(&self, namespace: &str) -> bool {
        !namespace.is_empty() && self.store.list(QUOTAS, namespace).next().is_some()
    }

    /// The status of every quota of a namespace, where it differs from what is written.
    pub(in super::super) fn quota_statuses(&self, namespace: &str) -> Vec<Value> {
        let mut changed = Vec::new();
        for quota in self.store.list(QUOTAS, namespace) {
            let used = used(self, namespace, &quota.value);
            let mut shown = json!({});
            for (what, nanos) in used {
                let like = quantity(quota.value.at(&["spec", "hard", &what]));
                shown.put(&[&what], written(nanos, like.as_ref()));
            }
            let status = json!({"hard": quota.value.at(&["spec", "hard"]), "used": shown});
            if *quota.value.at(&["status"]) != status {
                let mut new = (*quota.value).clone();
                new.put(&["status"], status);
                changed.push(new);
            }
        }
        changed
    }
}
