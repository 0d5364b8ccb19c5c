//! One object, and what Keelson has to say about it.

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1::{Node, Pod};
use keelson_core::{Feature, ObjectRef};
use keelson_dashboard::BackendError;
use keelson_dashboard::view::{Subject, Why};
use keelson_store::Filter;
use serde_json::json;

use super::Live;

/// The object as it is now, or as the newest decision about it left it; none when neither is known.
pub async fn of(live: &Live, object: &ObjectRef) -> Result<Option<Subject>, BackendError> {
    match (object.group.as_str(), object.kind.as_str()) {
        ("", "Pod") => pod(live, object).await,
        ("", "Node") => Ok(node(live, object)),
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
    let why = live.put(Feature::Scheduling, "why", question).await.ok();
    let why = why.and_then(|told| serde_json::from_value::<Why>(told).ok());
    Ok(Some(Subject { object: object.clone(), sentence, summary, why }))
}

fn node(live: &Live, object: &ObjectRef) -> Option<Subject> {
    let node = live.platform.runtime.cache::<Node>().get("", &object.name)?;
    let view = live.platform.scheduling.view();
    let cell = view.cells().into_iter().find(|cell| cell.name == object.name)?;
    let state = match (cell.ready, cell.cordoned) {
        (false, _) => "is not ready",
        (true, true) => "is ready and cordoned",
        (true, false) => "is ready",
    };
    let mut summary: BTreeMap<String, String> = cell
        .resources
        .iter()
        .map(|(name, used)| (name.to_string(), format!("{} of {} requested", used.requested, used.allocatable)))
        .collect();
    summary.insert("pods".to_owned(), cell.pods.to_string());
    summary.extend(cell.zone.map(|zone| ("zone".to_owned(), zone)));
    summary.extend(cell.instance_type.map(|kind| ("instance type".to_owned(), kind)));
    let taints = node.spec.as_ref().and_then(|spec| spec.taints.clone()).unwrap_or_default();
    if !taints.is_empty() {
        let keys: Vec<_> = taints.into_iter().map(|taint| format!("{}:{}", taint.key, taint.effect)).collect();
        summary.insert("taints".to_owned(), keys.join(", "));
    }
    let sentence = format!("{object} {state} and holds {} pods", cell.pods);
    Some(Subject { object: object.clone(), sentence, summary, why: None })
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
