//! The node lifecycle controller, taint-based eviction and the pod garbage collector.
//!
//! A node that was not heard of for the grace period becomes `Unknown` and gets the `unreachable` taints; its pods are
//! no longer ready at once, and are deleted when their tolerations run out. Pods whose node is gone are removed by
//! force.

use keelson_core::{Span, Timestamp};

use super::agenda::Role;
use super::demand::is_finished;
use super::desk::{Desk, Looked, Note};
use super::kinds::{NODES, PODS};
use super::nodes::last_heard;
use super::read::{Key, Wanted, condition, int, is_leaving, list, name, put_condition, stamp, text, time};
use super::suits::Taint;
use crate::objects::Event;
use crate::tree::{Value, json};

/// The taint of a node that is not heard of.
pub const UNREACHABLE: &str = "node.kubernetes.io/unreachable";
/// The taint of a node that says it is not ready.
pub const NOT_READY: &str = "node.kubernetes.io/not-ready";
/// The taint of a node that is short of memory.
pub const MEMORY_PRESSURE: &str = "node.kubernetes.io/memory-pressure";
/// How long the collector waits before it believes that a node is gone.
const QUARANTINE: Span = Span::seconds(40);

/// Looks at nodes whose state changed, and at the pods this concerns.
pub fn notice(desk: &mut Desk<'_>, event: &Event) {
    if event.resource == NODES {
        let node = name(&event.object);
        if event.deleted {
            for pod in desk.state.seen.bound(node) {
                desk.at(desk.now + QUARANTINE, Role::PodGc, Key::of(&pod));
            }
            return;
        }
        desk.soon(Role::NodeHealth, Key::cluster(node));
        let taints = |object: &Value| list(object, "spec.taints").to_vec();
        if event.before.as_ref().is_none_or(|before| taints(before) != taints(&event.object)) {
            for pod in desk.state.seen.bound(node) {
                desk.soon(Role::Eviction, Key::of(&pod));
            }
        }
    } else if event.resource == PODS && !event.deleted {
        let node = text(&event.object, "spec.nodeName");
        let new = event.before.as_ref().is_none_or(|before| text(before, "spec.nodeName").is_empty());
        if node.is_empty() || !new {
            return;
        }
        if desk.get(NODES, &Key::cluster(node)).is_none() {
            desk.at(desk.now + QUARANTINE, Role::PodGc, Key::of(&event.object));
        }
        desk.soon(Role::Eviction, Key::of(&event.object));
    }
}

/// One look at a node: is it heard of, and do its taints say so?
///
/// # Errors
/// What the API says.
pub fn look(desk: &mut Desk<'_>, key: &Key) -> Looked {
    let Some(node) = desk.get(NODES, key) else { return Ok(()) };
    let silent_at = last_heard(desk, &key.name) + desk.state.settings.node_grace;
    let silent = silent_at <= desk.now;
    if silent {
        call_unknown(desk, &node)?;
    } else if desk.state.hosts.get(&*key.name).is_some_and(|host| host.down_since.is_some()) {
        desk.at(silent_at, Role::NodeHealth, key.clone());
    }
    let Some(node) = desk.get(NODES, key) else { return Ok(()) };
    let ready = condition(&node, "Ready").map_or("Unknown", |ready| text(ready, "status"));
    let mut wanted = match ready {
        "True" => Vec::new(),
        "False" => vec![(NOT_READY, "NoSchedule"), (NOT_READY, "NoExecute")],
        _ => vec![(UNREACHABLE, "NoSchedule"), (UNREACHABLE, "NoExecute")],
    };
    let away = !wanted.is_empty();
    if super::read::holds(&node, "MemoryPressure") {
        wanted.push((MEMORY_PRESSURE, "NoSchedule"));
    }
    taint(desk, &node, &wanted)?;
    if away {
        for pod in desk.state.seen.bound(&key.name) {
            mark_not_ready(desk, &pod)?;
        }
    }
    Ok(())
}

fn call_unknown(desk: &mut Desk<'_>, node: &Value) -> Looked {
    let mut conditions = list(node, "status.conditions").to_vec();
    let mut changed = false;
    for kind in ["Ready", "MemoryPressure", "DiskPressure", "PIDPressure"] {
        let (reason, message) = ("NodeStatusUnknown", "Kubelet stopped posting node status.");
        changed |= put_condition(&mut conditions, Wanted { kind, status: "Unknown", reason, message }, desk.now);
    }
    if !changed {
        return Ok(());
    }
    desk.write_status(NODES, node, json!({"conditions": conditions}))?;
    let message = format!("Node {} status is now: NodeNotReady", name(node));
    desk.tell(node, "Node", Note { level: "Normal", reason: "NodeNotReady", message: &message, by: "node-controller" });
    Ok(())
}

/// Gives a node the taints of its state and takes those of other states.
fn taint(desk: &mut Desk<'_>, node: &Value, wanted: &[(&str, &str)]) -> Looked {
    let known = list(node, "spec.taints");
    let ours = |taint: &&Value| matches!(text(taint, "key"), UNREACHABLE | NOT_READY | MEMORY_PRESSURE);
    let mut taints: Vec<Value> = known.iter().filter(|taint| !ours(taint)).cloned().collect();
    for (key, effect) in wanted.iter().copied() {
        let same = known.iter().find(|taint| text(taint, "key") == key && text(taint, "effect") == effect);
        let fresh = || json!({"key": key, "effect": effect, "timeAdded": stamp(desk.now)});
        taints.push(same.cloned().unwrap_or_else(fresh));
    }
    if taints.len() == known.len() && taints.iter().all(|taint| known.contains(taint)) {
        return Ok(());
    }
    let version = text(node, "metadata.resourceVersion");
    let patch = json!({"metadata": {"resourceVersion": version}, "spec": {"taints": taints}});
    desk.merge(NODES, node, "", patch).map(drop)
}

fn mark_not_ready(desk: &mut Desk<'_>, pod: &Value) -> Looked {
    if is_finished(pod) || !super::read::holds(pod, "Ready") {
        return Ok(());
    }
    let mut conditions = list(pod, "status.conditions").to_vec();
    put_condition(&mut conditions, Wanted { kind: "Ready", status: "False", reason: "", message: "" }, desk.now);
    desk.write_status(PODS, pod, json!({"conditions": conditions})).map(drop)
}

/// When a pod must leave a node with these taints; none for never.
#[must_use]
pub fn leaves_at(tolerations: &[Value], taints: &[(Taint, Timestamp)], now: Timestamp) -> Option<Timestamp> {
    let executes = taints.iter().filter(|(taint, _)| taint.effect == "NoExecute");
    let ends = executes.filter_map(|(taint, since)| {
        let mut matching = tolerations.iter().filter(|toleration| taint.is_tolerated_by(toleration)).peekable();
        if matching.peek().is_none() {
            return Some(now);
        }
        let seconds = matching.filter_map(|toleration| int(toleration, "tolerationSeconds")).min()?;
        Some(*since + Span::seconds(seconds.max(0)))
    });
    ends.min()
}

/// One look at a pod on a node with taints.
///
/// # Errors
/// What the API says.
pub fn evict(desk: &mut Desk<'_>, key: &Key) -> Looked {
    let Some(pod) = desk.get(PODS, key) else { return Ok(()) };
    let Some(node) = desk.get(NODES, &Key::cluster(text(&pod, "spec.nodeName"))) else { return Ok(()) };
    if is_leaving(&pod) {
        return Ok(());
    }
    let read = |taint: &Value| {
        let field = |path| text(taint, path).to_owned();
        let since = time(taint, "timeAdded").unwrap_or(desk.now);
        (Taint { key: field("key"), value: field("value"), effect: field("effect") }, since)
    };
    let taints: Vec<(Taint, Timestamp)> = list(&node, "spec.taints").iter().map(read).collect();
    match leaves_at(list(&pod, "spec.tolerations"), &taints, desk.now) {
        Some(when) if when <= desk.now => {
            let message = "Marking for deletion Pod".to_owned() + " " + &key.namespace + "/" + &key.name;
            let by = "taint-eviction-controller";
            desk.tell(&pod, "Pod", Note { level: "Normal", reason: "TaintManagerEviction", message: &message, by });
            disrupt(desk, &pod, "DeletionByTaintManager", "Taint manager: deleting due to NoExecute taint")?;
            desk.delete(PODS, &pod, None)
        }
        Some(when) => {
            desk.at(when, Role::Eviction, key.clone());
            Ok(())
        }
        None => Ok(()),
    }
}

fn disrupt(desk: &mut Desk<'_>, pod: &Value, reason: &str, message: &str) -> Looked {
    let mut conditions = list(pod, "status.conditions").to_vec();
    let wanted = Wanted { kind: "DisruptionTarget", status: "True", reason, message };
    if put_condition(&mut conditions, wanted, desk.now) {
        desk.write_status(PODS, pod, json!({"conditions": conditions}))?;
    }
    Ok(())
}

/// One look at a pod whose node was gone: if it still is, the pod is removed.
///
/// # Errors
/// What the API says.
pub fn collect(desk: &mut Desk<'_>, key: &Key) -> Looked {
    let Some(pod) = desk.get(PODS, key) else { return Ok(()) };
    let node = text(&pod, "spec.nodeName");
    if node.is_empty() || desk.get(NODES, &Key::cluster(node)).is_some() {
        return Ok(());
    }
    if !is_finished(&pod) {
        let mut conditions = list(&pod, "status.conditions").to_vec();
        let message = "PodGC: node no longer exists";
        let wanted = Wanted { kind: "DisruptionTarget", status: "True", reason: "DeletionByPodGC", message };
        put_condition(&mut conditions, wanted, desk.now);
        desk.write_status(PODS, &pod, json!({"phase": "Failed", "conditions": conditions}))?;
    }
    desk.delete(PODS, &pod, Some(0))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::indexing_slicing)]
    use super::*;

    fn taint(key: &str, since: i64) -> (Taint, Timestamp) {
        let taint = Taint { key: key.into(), value: String::new(), effect: "NoExecute".into() };
        (taint, Timestamp(since * 1_000_000))
    }

    #[test]
    fn the_first_toleration_to_run_out_decides() {
        let tolerations = [
            json!({"key": "a", "operator": "Exists", "tolerationSeconds": 300}),
            json!({"key": "b", "operator": "Exists", "tolerationSeconds": 60}),
            json!({"key": "c", "operator": "Exists"}),
        ];
        let now = Timestamp(100_000_000);
        let at = |seconds: i64| Some(Timestamp(seconds * 1_000_000));
        assert_eq!(leaves_at(&tolerations, &[taint("a", 10), taint("b", 90), taint("c", 0)], now), at(150));
        assert_eq!(leaves_at(&tolerations, &[taint("c", 0)], now), None);
        assert_eq!(leaves_at(&tolerations, &[taint("d", 0), taint("a", 0)], now), Some(now));
    }
}
