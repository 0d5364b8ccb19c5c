//! In-place resize: a running pod whose spec asks for other amounts than its kubelet gave it.
//!
//! The kubelet gives what fits beside its other pods. What can never fit is `Infeasible`, what does not fit now is
//! `Deferred` and tried again when a pod leaves the node.

use super::agenda::Role;
use super::demand::{held, is_finished, of_pod, requested};
use super::desk::{Desk, Looked};
use super::kinds::PODS;
use super::kubelet::room_without;
use super::read::{Key, Wanted, amounts, at, condition, is_leaving, list, put_condition, text};
use crate::tree::{Text, Value};

/// The condition of a pod whose resize waits.
const PENDING: &str = "PodResizePending";

/// Looks again at the pods of a node that wait for room.
pub fn retry_waiting(desk: &mut Desk<'_>, node: &str) {
    for pod in desk.state.seen.waiting(node) {
        desk.soon(Role::Kubelet, pod);
    }
}

/// Whether a pod waits for room on its node.
#[must_use]
pub fn waits(pod: &Value) -> bool {
    condition(pod, PENDING).is_some()
}

/// Whether a container of the pod holds other amounts than it asks for.
fn differs(pod: &Value) -> bool {
    list(pod, "spec.containers").iter().any(|container| {
        let statuses = list(pod, "status.containerStatuses");
        let status = statuses.iter().find(|status| text(status, "name") == text(container, "name"));
        let given = status.and_then(|status| at(status, "allocatedResources"));
        let limited = at(container, "resources.limits").and_then(Value::as_object);
        let wanted = at(container, "resources.requests");
        // Where every limit has its request, the same words are the same amounts.
        let has_request = |name: &Text| wanted.is_some_and(|wanted| wanted.get(name).is_some());
        if given.is_some() && given == wanted && limited.into_iter().flatten().all(|(name, _)| has_request(name)) {
            return false;
        }
        let asked = requested(at(container, "resources").unwrap_or(&Value::Null));
        held(pod, text(container, "name")).is_some_and(|held| held != asked)
    })
}

/// One look at an admitted pod.
///
/// # Errors
/// What the API says.
pub fn look(desk: &mut Desk<'_>, key: &Key, node: &Value) -> Looked {
    let Some(pod) = desk.get(PODS, key) else { return Ok(()) };
    if is_finished(&pod) || is_leaving(&pod) || !differs(&pod) {
        return Ok(());
    }
    let asked = of_pod(&without_held(&pod)).requests;
    let mut conditions = list(&pod, "status.conditions").to_vec();
    if !asked.fits(&room_without(desk, node, key)) {
        let never = !asked.fits(&amounts(node, "status.allocatable"));
        let short =
            asked.shortfalls(&room_without(desk, node, key)).first().map(ToString::to_string).unwrap_or_default();
        let reason = if never { "Infeasible" } else { "Deferred" };
        let wanted = Wanted { kind: PENDING, status: "True", reason, message: &short };
        if !put_condition(&mut conditions, wanted, desk.now) {
            return Ok(());
        }
        return desk.write_status(PODS, &pod, crate::tree::json!({"conditions": conditions})).map(drop);
    }
    conditions.retain(|condition| text(condition, "type") != PENDING);
    let mut statuses = list(&pod, "status.containerStatuses").to_vec();
    for container in list(&pod, "spec.containers") {
        let resources = at(container, "resources").cloned().unwrap_or_default();
        let status = statuses.iter_mut().find(|status| text(status, "name") == text(container, "name"));
        if let Some(fields) = status.and_then(Value::as_object_mut) {
            fields.insert("allocatedResources".to_owned(), at(&resources, "requests").cloned().unwrap_or_default());
            fields.insert("resources".to_owned(), resources);
        }
    }
    let status = crate::tree::json!({"conditions": conditions, "containerStatuses": statuses});
    desk.write_status(PODS, &pod, status).map(drop)
}

fn without_held(pod: &Value) -> Value {
    crate::tree::json!({"spec": at(pod, "spec")})
}
