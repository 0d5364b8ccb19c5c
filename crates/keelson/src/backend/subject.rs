//! One object, and what Keelson has to say about it.

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1::{Node, Pod};
use keelson_core::{Decision, Feature, ObjectRef};
use keelson_dashboard::BackendError;
use keelson_dashboard::view::{ResourceView, Subject, Why};
use keelson_store::Filter;
use serde::Deserialize;
use serde_json::{Value, json};

use super::Live;

/// The object as it is now, or as the newest decision about it left it; none when neither is known.
pub async fn of(live: &Live, object: &ObjectRef) -> Result<Option<Subject>, BackendError> {
    match (object.group.as_str(), object.kind.as_str()) {
        ("", "Pod") => pod(live, object).await,
        ("", "Node") => node(live, object).await,
        _ => remembered(live, object).await,
    }
}

async fn pod(live: &Live, object: &ObjectRef) -> Result<Option<Subject>, BackendError> {
    let Some(pod) = live.platform.runtime.cache::<Pod>().get(&object.namespace, &object.name) else {
        return remembered(live, object).await;
    };
    let spec = pod.spec.clone().unwrap_or_default();
    let status = pod.status.clone().unwrap_or_default();
    let phase = status.phase.unwrap_or_else(|| "Pending".to_owned());
    let scheduler = spec.scheduler_name.unwrap_or_default();
    let sentence = match &spec.node_name {
        Some(node) => format!("{object} is {phase} on {node}"),
        None => format!("{object} is {phase}, without a node"),
    };
    let mut summary = BTreeMap::from([("phase".to_owned(), phase), ("scheduler".to_owned(), scheduler)]);
    summary.extend(spec.node_name.map(|node| ("node".to_owned(), node)));
    let owner = pod.metadata.owner_references.iter().flatten().find(|owner| owner.controller == Some(true));
    summary.extend(owner.map(|owner| ("owner".to_owned(), format!("{} {}", owner.kind, owner.name))));
    let question = json!({"namespace": object.namespace, "name": object.name});
    // What the feature cannot tell now must not hide what is known.
    let why = live.put(Feature::Scheduling, "why", question).await.ok().and_then(why);
    Ok(Some(Subject { object: object.clone(), sentence, summary, why }))
}

/// The scheduler's sentence and the decision behind it.
fn why(told: Value) -> Option<Why> {
    #[derive(Deserialize)]
    struct Told {
        sentence: String,
        decision: Decision,
    }
    let Told { sentence, decision } = serde_json::from_value(told).ok()?;
    Some(Why {
        feature: decision.feature,
        sentence,
        at: decision.last_at,
        decision: Some(decision.id).filter(|id| !id.0.is_nil()),
        candidates: decision.candidates,
        changes: Vec::new(),
    })
}

async fn node(live: &Live, object: &ObjectRef) -> Result<Option<Subject>, BackendError> {
    let Some(node) = live.platform.runtime.cache::<Node>().get("", &object.name) else {
        return remembered(live, object).await;
    };
    let nodes = live.cells.nodes();
    let Some(cell) = nodes.nodes.iter().find(|cell| cell.name == object.name) else {
        return remembered(live, object).await;
    };
    let state = match (cell.ready, cell.cordoned) {
        (false, _) => "is not ready",
        (true, true) => "is ready and cordoned",
        (true, false) => "is ready",
    };
    let used = |resource: &ResourceView| {
        (resource.name.clone(), format!("{} of {} requested", resource.requested, resource.capacity))
    };
    let mut summary: BTreeMap<String, String> = cell.resources.iter().map(used).collect();
    summary.insert("pods".to_owned(), cell.pods.to_string());
    summary.insert("zone".to_owned(), cell.zone.clone());
    summary.insert("instance type".to_owned(), cell.instance_type.clone());
    let taints = node.spec.as_ref().and_then(|spec| spec.taints.clone()).unwrap_or_default();
    let keys: Vec<_> = taints.into_iter().map(|taint| format!("{}:{}", taint.key, taint.effect)).collect();
    summary.insert("taints".to_owned(), keys.join(", "));
    summary.retain(|_, value| !value.is_empty());
    let sentence = format!("{object} {state} and holds {} pods", cell.pods);
    Ok(Some(Subject { object: object.clone(), sentence, summary, why: None }))
}

/// What is gone, or of another kind, is known by its decisions alone.
async fn remembered(live: &Live, object: &ObjectRef) -> Result<Option<Subject>, BackendError> {
    let filter = Filter {
        kind: Some(object.kind.clone()),
        namespace: Some(object.namespace.clone()).filter(|namespace| !namespace.is_empty()),
        name: Some(object.name.clone()),
        limit: 1,
        ..Filter::default()
    };
    let newest = live.platform.recorder.decisions(&filter).await.value.decisions.into_iter().next();
    Ok(newest.map(|decision| {
        let sentence = format!("{object} is not in the cluster; the last that was decided: {}", decision.sentence);
        Subject { object: object.clone(), sentence, summary: BTreeMap::new(), why: None }
    }))
}
