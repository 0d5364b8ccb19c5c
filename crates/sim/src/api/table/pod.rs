//! A pod's row: the one word that says what is the matter with it.

use keelson_core::Timestamp;

use super::{super::json::Json, age};
use crate::tree::{Value, json};

pub(super) fn cells(pod: &Value, now: Timestamp) -> Vec<Value> {
    let status = pod.at(&["status"]);
    let total = pod.items(&["spec", "containers"]).len()
        + pod.items(&["spec", "initContainers"]).iter().filter(|one| one.text(&["restartPolicy"]) == "Always").count();
    let ready = status.items(&["containerStatuses"]).iter().filter(|one| is_ready(one)).count()
        + sidecars(pod).iter().filter(|one| is_ready(one)).count();
    let (restarts, last) = restarts(status);
    let restarts = match last {
        Some(when) if restarts > 0 => format!("{restarts} ({} ago)", age::since(&when, now)),
        _ => restarts.to_string(),
    };
    let or_none = |text: &str| if text.is_empty() { "<none>".to_owned() } else { text.to_owned() };
    let gates = pod.items(&["spec", "readinessGates"]);
    let open = gates.iter().filter(|gate| {
        let kind = gate.text(&["conditionType"]);
        status.items(&["conditions"]).iter().any(|one| one.text(&["type"]) == kind && one.text(&["status"]) == "True")
    });
    let gates = if gates.is_empty() { "<none>".to_owned() } else { format!("{}/{}", open.count(), gates.len()) };
    vec![
        pod.at(&["metadata", "name"]).clone(),
        json!(format!("{ready}/{total}")),
        json!(reason(pod)),
        json!(restarts),
        json!(age::since(pod.text(&["metadata", "creationTimestamp"]), now)),
        json!(or_none(status.text(&["podIP"]))),
        json!(or_none(pod.text(&["spec", "nodeName"]))),
        json!(or_none(status.text(&["nominatedNodeName"]))),
        json!(gates),
    ]
}

fn is_ready(status: &Value) -> bool {
    status.at(&["ready"]) == &Value::Bool(true) && !status.at(&["state", "running"]).is_null()
}

fn sidecars(pod: &Value) -> Vec<&Value> {
    let of = |name: &str| {
        let specs = pod.items(&["spec", "initContainers"]).iter();
        specs.filter(|one| one.text(&["restartPolicy"]) == "Always").any(|one| one.text(&["name"]) == name)
    };
    pod.items(&["status", "initContainerStatuses"]).iter().filter(|one| of(one.text(&["name"]))).collect()
}

fn restarts(status: &Value) -> (i64, Option<String>) {
    let all = status.items(&["containerStatuses"]);
    let count = all.iter().filter_map(|one| one.int(&["restartCount"])).sum();
    let last = all.iter().map(|one| one.text(&["lastState", "terminated", "finishedAt"])).max().unwrap_or("");
    (count, (!last.is_empty()).then(|| last.to_owned()))
}

/// Phase, or what an init container, a container or the deletion says about it.
fn reason(pod: &Value) -> String {
    let status = pod.at(&["status"]);
    let mut reason = match status.text(&["reason"]) {
        "" => status.text(&["phase"]).to_owned(),
        given => given.to_owned(),
    };
    let scheduled = status.items(&["conditions"]).iter().find(|one| one.text(&["type"]) == "PodScheduled");
    if scheduled.is_some_and(|one| one.text(&["reason"]) == "SchedulingGated") {
        reason = "SchedulingGated".to_owned();
    }
    let total = pod.items(&["spec", "initContainers"]).len();
    let mut initializing = false;
    for (index, container) in status.items(&["initContainerStatuses"]).iter().enumerate() {
        let state = container.at(&["state"]);
        if state.int(&["terminated", "exitCode"]) == Some(0) && !state.at(&["terminated"]).is_null() {
            continue;
        }
        let sidecar = sidecars(pod).iter().any(|one| one.text(&["name"]) == container.text(&["name"]));
        if sidecar && container.at(&["started"]) == &Value::Bool(true) {
            continue;
        }
        let waiting = state.text(&["waiting", "reason"]);
        reason = if !state.at(&["terminated"]).is_null() {
            format!("Init:{}", ended(state))
        } else if !waiting.is_empty() && waiting != "PodInitializing" {
            format!("Init:{waiting}")
        } else {
            format!("Init:{index}/{total}")
        };
        initializing = true;
        break;
    }
    if !initializing {
        let mut running = false;
        for container in status.items(&["containerStatuses"]).iter().rev() {
            let state = container.at(&["state"]);
            if !state.text(&["waiting", "reason"]).is_empty() {
                state.text(&["waiting", "reason"]).clone_into(&mut reason);
            } else if !state.at(&["terminated"]).is_null() {
                reason = ended(state);
            } else if is_ready(container) {
                running = true;
            }
        }
        if reason == "Completed" && running {
            let ready = status
                .items(&["conditions"])
                .iter()
                .any(|one| one.text(&["type"]) == "Ready" && one.text(&["status"]) == "True");
            reason = if ready { "Running".to_owned() } else { "NotReady".to_owned() };
        }
    }
    if !pod.at(&["metadata", "deletionTimestamp"]).is_null() {
        reason = match (status.text(&["reason"]), status.text(&["phase"])) {
            ("NodeLost", _) => "Unknown".to_owned(),
            (_, "Succeeded" | "Failed") => reason,
            _ => "Terminating".to_owned(),
        };
    }
    reason
}

fn ended(state: &Value) -> String {
    let ended = state.at(&["terminated"]);
    match (ended.text(&["reason"]), ended.int(&["signal"]).unwrap_or(0)) {
        ("", 0) => format!("ExitCode:{}", ended.int(&["exitCode"]).unwrap_or(0)),
        ("", signal) => format!("Signal:{signal}"),
        (reason, _) => reason.to_owned(),
    }
}
