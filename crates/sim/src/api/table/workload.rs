//! Rows of workloads, autoscalers and budgets.

use keelson_core::Timestamp;

use super::{super::json::Json, age, containers, pairs, selector};
use crate::tree::{Value, json};

pub(super) fn cells(plural: &str, object: &Value, now: Timestamp) -> Vec<Value> {
    let name = object.at(&["metadata", "name"]).clone();
    let age = json!(age::since(object.text(&["metadata", "creationTimestamp"]), now));
    let status = |field: &str| object.int(&["status", field]).unwrap_or(0);
    let wanted = object.int(&["spec", "replicas"]).unwrap_or(0);
    let (names, images) = containers(object.at(&["spec", "template"]));
    let chosen = selector(object.at(&["spec", "selector"]));
    match plural {
        "deployments" => vec![
            name,
            json!(format!("{}/{wanted}", status("readyReplicas"))),
            json!(status("updatedReplicas")),
            json!(status("availableReplicas")),
            age,
            json!(names),
            json!(images),
            json!(chosen),
        ],
        "replicasets" | "replicationcontrollers" => vec![
            name,
            json!(wanted),
            json!(status("replicas")),
            json!(status("readyReplicas")),
            age,
            json!(names),
            json!(images),
            json!(chosen),
        ],
        "statefulsets" => {
            vec![name, json!(format!("{}/{wanted}", status("readyReplicas"))), age, json!(names), json!(images)]
        }
        "daemonsets" => vec![
            name,
            json!(status("desiredNumberScheduled")),
            json!(status("currentNumberScheduled")),
            json!(status("numberReady")),
            json!(status("updatedNumberScheduled")),
            json!(status("numberAvailable")),
            json!(pairs(object.at(&["spec", "template", "spec", "nodeSelector"]))),
            age,
            json!(names),
            json!(images),
            json!(chosen),
        ],
        "jobs" => {
            let (phase, completions, duration) = job(object, now);
            vec![
                name,
                json!(phase),
                json!(completions),
                json!(duration),
                age,
                json!(names),
                json!(images),
                json!(chosen),
            ]
        }
        "cronjobs" => {
            let (names, images) = containers(object.at(&["spec", "jobTemplate", "spec", "template"]));
            let last = match object.text(&["status", "lastScheduleTime"]) {
                "" => "<none>".to_owned(),
                time => age::since(time, now),
            };
            let zone = match object.text(&["spec", "timeZone"]) {
                "" => "<none>",
                zone => zone,
            };
            vec![
                name,
                object.at(&["spec", "schedule"]).clone(),
                json!(zone),
                json!(if object.at(&["spec", "suspend"]) == &Value::Bool(true) { "True" } else { "False" }),
                json!(object.items(&["status", "active"]).len()),
                json!(last),
                age,
                json!(names),
                json!(images),
                json!(selector(object.at(&["spec", "jobTemplate", "spec", "selector"]))),
            ]
        }
        "horizontalpodautoscalers" => {
            let target = object.at(&["spec", "scaleTargetRef"]);
            vec![
                name,
                json!(format!("{}/{}", target.text(&["kind"]), target.text(&["name"]))),
                json!(targets(object)),
                json!(object.int(&["spec", "minReplicas"]).map_or("<unset>".to_owned(), |least| least.to_string())),
                json!(object.int(&["spec", "maxReplicas"]).unwrap_or(0)),
                json!(status("currentReplicas")),
                age,
            ]
        }
        "poddisruptionbudgets" => {
            let bound = |field: &str| match object.at(&["spec", field]) {
                Value::Null => "N/A".to_owned(),
                Value::String(text) => text.to_string(),
                other => other.to_string(),
            };
            vec![
                name,
                json!(bound("minAvailable")),
                json!(bound("maxUnavailable")),
                json!(status("disruptionsAllowed")),
                age,
            ]
        }
        "controllerrevisions" => {
            let owner = object
                .items(&["metadata", "ownerReferences"])
                .iter()
                .find(|one| one.at(&["controller"]) == &Value::Bool(true));
            let owner = owner.map_or("<none>".to_owned(), |owner| {
                format!("{}/{}", owner.text(&["kind"]).to_lowercase(), owner.text(&["name"]))
            });
            vec![name, json!(owner), json!(object.int(&["revision"]).unwrap_or(0).to_string()), age]
        }
        _ => vec![name, age],
    }
}

fn job(job: &Value, now: Timestamp) -> (&'static str, String, String) {
    let holds = |kind: &str| {
        job.items(&["status", "conditions"])
            .iter()
            .any(|one| one.text(&["type"]) == kind && one.text(&["status"]) == "True")
    };
    let phase = if holds("Complete") {
        "Complete"
    } else if holds("Failed") {
        "Failed"
    } else if !job.at(&["metadata", "deletionTimestamp"]).is_null() {
        "Terminating"
    } else if holds("Suspended") {
        "Suspended"
    } else if holds("FailureTarget") {
        "FailureTarget"
    } else if holds("SuccessCriteriaMet") {
        "SuccessCriteriaMet"
    } else {
        "Running"
    };
    let done = job.int(&["status", "succeeded"]).unwrap_or(0);
    let completions = match (job.int(&["spec", "completions"]), job.int(&["spec", "parallelism"]).unwrap_or(0)) {
        (Some(all), _) => format!("{done}/{all}"),
        (None, parallel) if parallel > 1 => format!("{done}/1 of {parallel}"),
        (None, _) => format!("{done}/1"),
    };
    let start = job.text(&["status", "startTime"]);
    let duration = match (Timestamp::parse(start), Timestamp::parse(job.text(&["status", "completionTime"]))) {
        (Ok(start), Ok(end)) => age::span(end.as_seconds() - start.as_seconds()),
        (Ok(_), Err(_)) => age::since(start, now),
        _ => String::new(),
    };
    (phase, completions, duration)
}

fn targets(autoscaler: &Value) -> String {
    let shown: Vec<String> = autoscaler
        .items(&["spec", "metrics"])
        .iter()
        .enumerate()
        .map(|(index, metric)| {
            let current = autoscaler.items(&["status", "currentMetrics"]).get(index).unwrap_or(&Value::Null);
            let (source, name) = match metric.text(&["type"]) {
                "Resource" => ("resource", metric.text(&["resource", "name"])),
                "ContainerResource" => ("containerResource", metric.text(&["containerResource", "name"])),
                "Pods" => ("pods", ""),
                "External" => ("external", ""),
                _ => ("object", ""),
            };
            let prefix = if name.is_empty() { String::new() } else { format!("{name}: ") };
            let target = metric.at(&[source, "target"]);
            let now = current.at(&[source, "current"]);
            let unknown = "<unknown>".to_owned();
            if let Some(percent) = target.int(&["averageUtilization"]) {
                let now = now.int(&["averageUtilization"]).map_or(unknown, |percent| format!("{percent}%"));
                format!("{prefix}{now}/{percent}%")
            } else {
                let pick = |value: &Value| match value.text(&["averageValue"]) {
                    "" => value.text(&["value"]).to_owned(),
                    average => average.to_owned(),
                };
                let average = if target.text(&["averageValue"]).is_empty() { "" } else { " (avg)" };
                let average = if matches!(source, "external" | "object") { average } else { "" };
                let now = if pick(now).is_empty() { unknown } else { pick(now) };
                format!("{prefix}{now}/{}{average}", pick(target))
            }
        })
        .collect();
    super::or_none(shown.join(", "))
}
