//! One object, and what Keelson has to say about it.
//!
//! What is in the cluster is told from the cluster, and why from the feature that looked at it. What the feature has
//! forgotten (it keeps the last word about a pod only while it runs) is told by the newest decision in the store; of a
//! workload its pods tell, because they are what was decided about.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use k8s_openapi::api::core::v1::{Node, Pod};
use keelson_core::{Decision, Feature, ObjectRef, ResourceName};
use keelson_dashboard::view::{NodeView, ResourceView, Subject, WhatIf, Why};
use keelson_dashboard::{BackendError, Seen};
use keelson_scheduling::decide::owners;
use keelson_scheduling::used::NodeUse;
use keelson_store::Filter;
use keelson_store::recorder::Answer;
use serde::Deserialize;
use serde_json::{Value, json};

use super::{Live, known, network};

/// The most pods of a node or workload that are named.
const NAMED: usize = 20;
/// The kinds that own pods.
const WORKLOADS: [&str; 5] = ["Deployment", "ReplicaSet", "StatefulSet", "DaemonSet", "Job"];

/// The object as it is now, or as the newest decision about it left it; none when neither is known.
///
/// The asker may see the object itself; of what else there is to tell, only what is in namespaces that are seen.
pub async fn of(live: &Live, object: &ObjectRef, seen: &Seen) -> Result<Option<Subject>, BackendError> {
    let there = match (object.group.as_str(), object.kind.as_str()) {
        ("", "Pod") => pod(live, object).await,
        ("", "Node") => node(live, object, seen),
        ("" | "apps" | "batch", kind) if WORKLOADS.contains(&kind) && seen.has(&object.namespace) => {
            workload(live, object).await
        }
        ("" | network::GROUPS, "AppGroup") => network::group(live, object, seen).await,
        ("" | network::TOPOLOGIES, "NetworkTopology") => network::topology(live, object, seen).await,
        _ => None,
    };
    match there {
        Some(subject) => Ok(Some(subject)),
        None => remembered(live, object, seen).await,
    }
}

/// The namespaces that pods are in.
pub fn namespaces(live: &Live) -> BTreeSet<String> {
    live.platform.runtime.cache::<Pod>().keys().into_iter().map(|(namespace, _)| namespace).collect()
}

async fn pod(live: &Live, object: &ObjectRef) -> Option<Subject> {
    let pod = live.platform.runtime.cache::<Pod>().get(&object.namespace, &object.name)?;
    let phase = phase(&pod).to_owned();
    let scheduler = pod.spec.as_ref().and_then(|spec| spec.scheduler_name.clone()).unwrap_or_default();
    let sentence = match node_of(&pod) {
        Some(node) => format!("{object} is {phase} on {node}"),
        None => format!("{object} is {phase}, without a node"),
    };
    let mut summary = BTreeMap::from([("phase".to_owned(), phase), ("scheduler".to_owned(), scheduler)]);
    summary.extend(node_of(&pod).map(|node| ("node".to_owned(), node.to_owned())));
    let owners: Vec<String> = owners(&pod).iter().map(|owner| format!("{} {}", owner.kind, owner.name)).collect();
    summary.extend((!owners.is_empty()).then(|| ("owner".to_owned(), owners.join(", of "))));
    let why = why_pod(live, &pod, object).await;
    Some(Subject { object: object.clone(), sentence, summary, conditions: Vec::new(), why })
}

/// What the scheduler says of a pod or, when it has forgotten, the store.
async fn why_pod(live: &Live, pod: &Pod, object: &ObjectRef) -> Option<Why> {
    let question = json!({"namespace": object.namespace, "name": object.name});
    // What cannot be told now, by the feature or the store, must not hide what is known.
    let told = live.put(Feature::Scheduling, "why", question).await.ok().and_then(why);
    if told.as_ref().is_some_and(|why| why.decision.is_some()) {
        return told;
    }
    let uid = pod.metadata.uid.as_deref().unwrap_or_default();
    let stored = newest(live, object).await.ok().flatten().filter(|decision| decision.subject.uid == uid);
    // What was decided says more than what would be said of a pod that was never tried here.
    let Some(stored) = stored else { return told };
    Some(Why { changes: told.map(|why| why.changes).unwrap_or_default(), ..of_decision(stored) })
}

/// The scheduler's sentence, the decision behind it, and what would help.
fn why(told: Value) -> Option<Why> {
    #[derive(Deserialize)]
    struct Told {
        sentence: String,
        decision: Decision,
        change: Option<String>,
    }
    let Told { sentence, decision, change } = serde_json::from_value(told).ok()?;
    let changes = change.map(|sentence| WhatIf { sentence: format!("{sentence}."), verified: true });
    let decided = Some(decision.id).filter(|id| !id.0.is_nil());
    Some(Why { sentence, decision: decided, changes: changes.into_iter().collect(), ..of_decision(decision) })
}

pub(super) fn of_decision(decision: Decision) -> Why {
    Why {
        feature: decision.feature,
        sentence: decision.sentence,
        at: decision.last_at,
        decision: Some(decision.id),
        candidates: decision.candidates,
        changes: Vec::new(),
    }
}

/// A workload is told by its pods: how many there are, where, and why one of them waits or is where it is.
async fn workload(live: &Live, object: &ObjectRef) -> Option<Subject> {
    let is_this = |owner: &ObjectRef| {
        (&owner.kind, &owner.namespace, &owner.name) == (&object.kind, &object.namespace, &object.name)
    };
    let all = live.platform.runtime.cache::<Pod>().list_in(&object.namespace);
    let mut pods: Vec<_> = all.filter(|pod| owners(pod).iter().any(is_this)).collect();
    if pods.is_empty() {
        return None;
    }
    pods.sort_by_key(|pod| (node_of(pod).is_some(), pod.metadata.name.clone()));
    let waiting = pods.iter().filter(|pod| node_of(pod).is_none()).count();
    let sentence = format!("{object} has {}", placed(pods.len(), waiting));
    let mut phases: BTreeMap<&str, usize> = BTreeMap::new();
    pods.iter().for_each(|pod| *phases.entry(phase(pod)).or_default() += 1);
    let phases: Vec<String> = phases.iter().map(|(phase, count)| format!("{count} {phase}")).collect();
    let place = |pod: &Arc<Pod>| format!("{} {}", name_of(pod), node_of(pod).map_or("(none)", |node| node));
    let mut summary = BTreeMap::from([("phases".to_owned(), phases.join(", "))]);
    summary.insert("pods and nodes".to_owned(), listed(pods.iter().map(place)));
    // One that waits is what people ask about.
    let mut answer = None;
    if let Some(first) = pods.first() {
        let pod = ObjectRef::namespaced("Pod", &object.namespace, name_of(first));
        answer =
            why_pod(live, first, &pod).await.map(|why| Why { sentence: format!("{pod}: {}", why.sentence), ..why });
    }
    Some(Subject { object: object.clone(), sentence, summary, conditions: Vec::new(), why: answer })
}

fn node(live: &Live, object: &ObjectRef, seen: &Seen) -> Option<Subject> {
    let node = live.platform.runtime.cache::<Node>().get("", &object.name)?;
    let nodes = live.cells.nodes();
    let cell = nodes.nodes.iter().find(|cell| cell.name == object.name)?;
    let held = live.held.rows();
    let pods: Vec<_> = held.iter().filter(|(_, node)| **node == object.name).map(|(key, _)| key).collect();
    let taints = node.spec.as_ref().and_then(|spec| spec.taints.clone()).unwrap_or_default();
    let taints: Vec<_> = taints.into_iter().map(|taint| format!("{}:{}", taint.key, taint.effect)).collect();
    let told = pods.iter().filter(|(namespace, _)| seen.has(namespace));
    let told: Vec<_> = told.map(|(namespace, name)| format!("{namespace}/{name}")).collect();
    let mut summary: BTreeMap<String, String> = cell.resources.iter().map(used).collect();
    summary.insert("pods".to_owned(), listed(told.into_iter()));
    summary.insert("zone".to_owned(), cell.zone.clone());
    summary.insert("measured".to_owned(), measured(live, &object.name));
    summary.insert("instance type".to_owned(), cell.instance_type.clone());
    summary.insert("taints".to_owned(), taints.join(", "));
    summary.retain(|_, value| !value.is_empty());
    let sentence = format!("{object} {} and holds {}", state(cell), count(pods.len(), "pod"));
    Some(Subject { object: object.clone(), sentence, summary, conditions: Vec::new(), why: None })
}

/// How old what is told of a node's use is, or why nothing is.
fn measured(live: &Live, node: &str) -> String {
    let (now, known) = (live.now(), live.platform.runtime.facts().read::<NodeUse>());
    match known.map(|known| known.value).unwrap_or_default().of(node, now) {
        Ok(measured) => measured.ago(now),
        Err(why) => format!("not now: {why}"),
    }
}

fn state(cell: &NodeView) -> &'static str {
    match (cell.ready, cell.cordoned) {
        (false, _) => "is not ready",
        (true, true) => "is ready and cordoned",
        (true, false) => "is ready",
    }
}

/// What is asked of a resource and used of it, as people write it: `1500m of 4 requested (37 %), 1200m used`.
fn used(resource: &ResourceView) -> (String, String) {
    let name = ResourceName::from(resource.name.as_str());
    let (requested, capacity) = (name.quantity(resource.requested), name.quantity(resource.capacity));
    let share = i128::from(resource.requested) * 100 / i128::from(resource.capacity.max(1));
    let word = if resource.name == "pods" { "pods requested".to_owned() } else { resource.name.clone() };
    let used = resource.used.map(|used| format!(", {} used", name.quantity(used))).unwrap_or_default();
    (word, format!("{requested} of {capacity} requested ({share} %){used}"))
}

/// What is gone, or of another kind, is known by its decisions alone.
async fn remembered(live: &Live, object: &ObjectRef, seen: &Seen) -> Result<Option<Subject>, BackendError> {
    let newest = newest(live, object).await?.filter(|decision| may_be_told(decision, object, seen));
    Ok(newest.map(|decision| {
        let sentence = format!("{object} is not in the cluster; the last that was decided: {}", decision.sentence);
        let why = Some(of_decision(decision));
        Subject { object: object.clone(), sentence, summary: BTreeMap::new(), conditions: Vec::new(), why }
    }))
}

/// Whether the asker may read it: the newest may be about a pod that the object is only related to.
pub(super) fn may_be_told(decision: &Decision, object: &ObjectRef, seen: &Seen) -> bool {
    let ObjectRef { kind, namespace, name, .. } = &decision.subject;
    let is_it = (kind, namespace, name) == (&object.kind, &object.namespace, &object.name);
    is_it || seen.has(namespace)
}

/// The newest decision about an object: as its subject if there is one, else as what is related to it.
pub(super) async fn newest(live: &Live, object: &ObjectRef) -> Result<Option<Decision>, BackendError> {
    let itself = Filter {
        kind: Some(object.kind.clone()),
        namespace: Some(object.namespace.clone()),
        name: Some(object.name.clone()),
        limit: 1,
        ..Filter::default()
    };
    let related = Filter { about: Some(object.clone()), limit: 1, ..Filter::default() };
    for filter in [itself, related] {
        let Answer { value, partial } = live.platform.recorder.decisions(&filter).await;
        let found = known(Answer { value: value.decisions.into_iter().next(), partial })?;
        if found.is_some() {
            return Ok(found);
        }
    }
    Ok(None)
}

fn phase(pod: &Pod) -> &str {
    pod.status.as_ref().and_then(|status| status.phase.as_deref()).unwrap_or("Pending")
}

/// The node that a pod runs on and takes room of; empty when it does not.
pub fn holder(pod: &Pod) -> String {
    let ended = matches!(phase(pod), "Succeeded" | "Failed");
    node_of(pod).filter(|_| !ended).unwrap_or_default().to_owned()
}

fn node_of(pod: &Pod) -> Option<&str> {
    pod.spec.as_ref()?.node_name.as_deref().filter(|node| !node.is_empty())
}

fn name_of(pod: &Pod) -> &str {
    pod.metadata.name.as_deref().unwrap_or_default()
}

pub(super) fn count(n: usize, word: &str) -> String {
    format!("{n} {word}{}", if n == 1 { "" } else { "s" })
}

/// How many pods there are, and how many of them have no node.
fn placed(pods: usize, waiting: usize) -> String {
    match (pods, waiting) {
        (1, 0) => "1 pod, on a node".to_owned(),
        (pods, 0) => format!("{pods} pods, all on nodes"),
        (1, _) => "1 pod, which waits for a node".to_owned(),
        (pods, waiting) if pods == waiting => format!("{pods} pods, which all wait for a node"),
        (pods, 1) => format!("{pods} pods, of which 1 waits for a node"),
        (pods, waiting) => format!("{pods} pods, of which {waiting} wait for a node"),
    }
}

/// Some of them by name, and how many more there are.
fn listed(items: impl ExactSizeIterator<Item = String>) -> String {
    let more = items.len().saturating_sub(NAMED);
    let mut named: Vec<String> = items.take(NAMED).collect();
    named.extend((more > 0).then(|| format!("and {more} more")));
    named.join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn resources_are_told_in_peoples_units() {
        let resource =
            |name: &str, requested, capacity| ResourceView { name: name.into(), capacity, requested, used: None };
        assert_eq!(used(&resource("cpu", 1_500, 4_000)).1, "1500m of 4 requested (37 %)");
        let measured = ResourceView { used: Some(1_200), ..resource("cpu", 1_500, 4_000) };
        assert_eq!(used(&measured).1, "1500m of 4 requested (37 %), 1200m used");
        assert_eq!(used(&resource("memory", 3 << 29, 4 << 30)).1, "1536Mi of 4Gi requested (37 %)");
        assert_eq!(used(&resource("pods", 3, 110)), ("pods requested".into(), "3 of 110 requested (2 %)".into()));
    }

    #[test]
    fn a_workloads_pods_are_told_in_words_for_one_and_for_many() {
        assert_eq!(placed(1, 0), "1 pod, on a node");
        assert_eq!(placed(6, 0), "6 pods, all on nodes");
        assert_eq!(placed(1, 1), "1 pod, which waits for a node");
        assert_eq!(placed(2, 2), "2 pods, which all wait for a node");
        assert_eq!(placed(6, 1), "6 pods, of which 1 waits for a node");
        assert_eq!(placed(6, 5), "6 pods, of which 5 wait for a node");
    }

    #[test]
    fn a_long_list_names_some_and_counts_the_rest() {
        let names = |n: usize| listed((0..n).map(|n| n.to_string()));
        assert_eq!(names(2), "0, 1");
        assert!(names(25).ends_with("19, and 5 more"));
    }
}
