//! The pods that wait for this scheduler: why, and what would help.
//!
//! Promises: all are counted; at most [`NAMED`] are named, in the order of their names; what would help is found by trying
//! it, for one pod of an owner and at most [`TRIED`] owners, because each try looks at every node.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use k8s_openapi::api::core::v1::Pod;
use keelson_core::{DecisionId, Reason, Timestamp};
use serde::Serialize;
use serde_json::{Value, json};

use super::answers::{Known, would_fit};
use crate::mind::Mind;

const NAMED: usize = 500;
const TRIED: usize = 16;

/// A pod that waits, and what was said of it last.
#[derive(Debug)]
pub(super) struct Pending {
    pod: Arc<Pod>,
    said: Option<Said>,
}

#[derive(Debug, Serialize)]
struct Said {
    reason: Reason,
    sentence: String,
    decision: DecisionId,
    at: Timestamp,
}

/// Those of a namespace or, when it has no name, all.
pub(super) fn of(mind: &Mind, namespace: &str) -> Vec<Pending> {
    let said = |pod: &Pod| {
        let last = mind.books().last(pod.metadata.namespace.as_deref()?, pod.metadata.name.as_deref()?)?;
        let (reason, sentence) = (last.reason, last.sentence.clone());
        Some(Said { reason, sentence, decision: last.id, at: last.last_at })
    };
    mind.waiting_pods(namespace).map(|pod| Pending { pod: pod.clone(), said: said(pod) }).collect()
}

/// The answer. Others are let in between tries.
pub(super) async fn told(known: &Known) -> Value {
    let mut all: Vec<&Pending> = known.pending.iter().collect();
    all.sort_by(|a, b| key(&a.pod).cmp(&key(&b.pod)));
    let mut reasons: BTreeMap<String, usize> = BTreeMap::new();
    for one in &all {
        let reason = one.said.as_ref().map_or("NotTried", |said| said.reason.as_str());
        *reasons.entry(reason.to_owned()).or_default() += 1;
    }
    let mut changes: HashMap<&str, Option<String>> = HashMap::new();
    let mut pods = Vec::new();
    for one in all.iter().take(NAMED) {
        let stuck = one.said.as_ref().is_some_and(|said| said.reason == Reason::Unschedulable);
        let owner = owner(&one.pod);
        if stuck && changes.len() < TRIED && !changes.contains_key(owner) {
            changes.insert(owner, would_fit(known, &one.pod));
            tokio::task::yield_now().await;
        }
        let (namespace, name) = key(&one.pod);
        let change = changes.get(owner).filter(|_| stuck);
        pods.push(json!({"namespace": namespace, "name": name, "said": one.said, "change": change}));
    }
    json!({"waiting": all.len(), "reasons": reasons, "pods": pods})
}

fn key(pod: &Pod) -> (&str, &str) {
    (pod.metadata.namespace.as_deref().unwrap_or_default(), pod.metadata.name.as_deref().unwrap_or_default())
}

/// Whose pod it is: pods of one owner are alike.
fn owner(pod: &Pod) -> &str {
    let owners = pod.metadata.owner_references.iter().flatten();
    let controller = owners.filter(|owner| owner.controller == Some(true)).map(|owner| owner.uid.as_str()).next();
    controller.or(pod.metadata.uid.as_deref()).unwrap_or_default()
}
