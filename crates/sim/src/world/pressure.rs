//! A node that runs out of memory: the kubelet says so and evicts, one pod at a time.
//!
//! First go pods that use more than they requested, then those of low priority, then the largest excess. The node stays
//! under pressure for five minutes after the last shortage, as the kubelet's transition period has it.
//!
//! Use is only looked at where a pod's [`MEMORY`] says it uses other than by chance: what is drawn never exceeds
//! requests.

use std::cmp::Reverse;
use std::collections::BTreeSet;
use std::sync::Arc;

use keelson_core::{Quantity, ResourceName, Span};

use super::agenda::Role;
use super::demand::{is_finished, of_pod};
use super::desk::{Desk, Looked, Note};
use super::kinds::{NODES, PODS};
use super::pod_life::{MEMORY, Surroundings, fail};
use super::read::{
    Key, Wanted, amounts, annotation, condition, holds, int, is_leaving, list, name, put_condition, text, time,
};
use crate::objects::Event;
use crate::tree::{Value, json};

/// How often a node is looked at while it may be short.
const EVERY: Span = Span::seconds(10);
/// How long the condition outlasts the shortage.
const TRANSITION: Span = Span::minutes(5);

/// Looks at the node of a pod that has begun to use memory of its own saying.
pub fn notice(desk: &mut Desk<'_>, event: &Event) {
    if event.resource == PODS
        && !event.deleted
        && annotation(&event.object, MEMORY).is_some()
        && text(&event.object, "status.phase") == "Running"
        && event.before.as_ref().is_none_or(|before| text(before, "status.phase") != "Running")
    {
        desk.at(desk.now + EVERY, Role::Pressure, Key::cluster(text(&event.object, "spec.nodeName")));
    }
}

/// One look at a node's memory.
///
/// # Errors
/// What the API says.
pub fn look(desk: &mut Desk<'_>, key: &Key) -> Looked {
    let Some(node) = desk.get(NODES, key) else { return Ok(()) };
    if desk.state.hosts.get(&*key.name).is_none_or(|host| host.down_since.is_some()) {
        return Ok(());
    }
    let running = |pod: &Arc<Value>| !is_finished(pod) && !is_leaving(pod);
    let pods = desk.state.seen.bound(&key.name).into_iter().filter(running);
    let memory = |pod: &Value| desk.state.usage(&Key::of(pod), desk.now).map_or(0, |usage| usage.memory_bytes);
    let used: Vec<(i64, Arc<Value>)> = pods.map(|pod| (memory(&pod), pod)).collect();
    let total: i64 = used.iter().map(|(bytes, _)| *bytes).sum();
    let limit = amounts(&node, "status.allocatable").get(&ResourceName::Memory);
    if total <= limit {
        return relax(desk, key, &node);
    }
    desk.at(desk.now + EVERY, Role::Pressure, key.clone());
    set(desk, &node, "True", "KubeletHasInsufficientMemory", "kubelet has insufficient memory available")?;
    let rank = |(bytes, pod): &&(i64, Arc<Value>)| {
        let excess = bytes - of_pod(pod).requests.get(&ResourceName::Memory);
        let below = excess <= 0;
        (below, int(pod, "spec.priority").unwrap_or(0), Reverse(excess), name(pod).to_owned())
    };
    match used.iter().min_by_key(rank) {
        Some((bytes, pod)) => evict(desk, pod, *bytes),
        None => Ok(()),
    }
}

fn evict(desk: &mut Desk<'_>, pod: &Value, bytes: i64) -> Looked {
    let request = of_pod(pod).requests.get(&ResourceName::Memory);
    let message = format!(
        "The node was low on resource: memory. The pod was using {}, request is {}.",
        Quantity::from_bytes(bytes),
        Quantity::from_bytes(request)
    );
    let around = Surroundings {
        chance: desk.state.chance,
        images: &BTreeSet::new(),
        volumes_ready: true,
        host_ip: text(pod, "status.hostIP"),
        pod_ip: text(pod, "status.podIP"),
        job_run: desk.state.settings.job_run,
    };
    let mut status = fail(pod, &around, "Evicted", &message, desk.now);
    let mut conditions = list(&status, "conditions").to_vec();
    let reason = "TerminationByKubelet";
    put_condition(
        &mut conditions,
        Wanted { kind: "DisruptionTarget", status: "True", reason, message: &message },
        desk.now,
    );
    if let Some(fields) = status.as_object_mut() {
        fields.insert("conditions".to_owned(), Value::from(conditions));
    }
    desk.tell(pod, "Pod", Note { level: "Warning", reason: "Evicted", message: &message, by: "kubelet" });
    desk.write_status(PODS, pod, status).map(drop)
}

/// Ends the pressure when its time is over.
fn relax(desk: &mut Desk<'_>, key: &Key, node: &Value) -> Looked {
    if !holds(node, "MemoryPressure") {
        return Ok(());
    }
    let since = condition(node, "MemoryPressure").and_then(|known| time(known, "lastTransitionTime"));
    let until = since.unwrap_or(desk.now) + TRANSITION;
    if until > desk.now {
        desk.at(until, Role::Pressure, key.clone());
        return Ok(());
    }
    set(desk, node, "False", "KubeletHasSufficientMemory", "kubelet has sufficient memory available")
}

fn set(desk: &mut Desk<'_>, node: &Value, status: &str, reason: &str, message: &str) -> Looked {
    let mut conditions = list(node, "status.conditions").to_vec();
    if put_condition(&mut conditions, Wanted { kind: "MemoryPressure", status, reason, message }, desk.now) {
        desk.write_status(NODES, node, json!({"conditions": conditions}))?;
    }
    Ok(())
}
