//! The DaemonSet controller: one pod on every node that suits it.
//!
//! Pods name their node in a required affinity (`metadata.name`) and are bound by the scheduler they ask for. They
//! tolerate what would keep a node's own agents away.

use std::collections::BTreeMap;
use std::sync::Arc;

use keelson_core::Span;

use super::agenda::Role;
use super::demand::is_finished;
use super::deployment::hash;
use super::desk::{Desk, Looked};
use super::kinds::{DAEMON_SETS, NODES, PODS};
use super::read::{Key, at, entry, int, is_leaving, list, text, uid};
use super::replicaset::{available_at, notice_owner, pod_from, says_less};
use super::rollout::share;
use super::statefulset::REVISION;
use super::suits::NodeFacts;
use crate::objects::{Event, Write};
use crate::tree::{Value, json};

/// Taints every daemon pod tolerates: key, effect.
const TOLERATED: [(&str, &str); 6] = [
    ("node.kubernetes.io/not-ready", "NoExecute"),
    ("node.kubernetes.io/unreachable", "NoExecute"),
    ("node.kubernetes.io/disk-pressure", "NoSchedule"),
    ("node.kubernetes.io/memory-pressure", "NoSchedule"),
    ("node.kubernetes.io/pid-pressure", "NoSchedule"),
    ("node.kubernetes.io/unschedulable", "NoSchedule"),
];

/// Looks at sets that changed, at those whose pods did, and at all when a node's labels or taints did.
pub fn notice(desk: &mut Desk<'_>, event: &Event) {
    if event.resource == DAEMON_SETS && !event.deleted {
        desk.soon(Role::DaemonSet, Key::of(&event.object));
    } else if event.resource == PODS {
        notice_owner(desk, event, "DaemonSet", Role::DaemonSet);
    } else if event.resource == NODES {
        let facts = NodeFacts::of(&event.object);
        let same = |before: &Arc<Value>| {
            let before = NodeFacts::of(before);
            before.labels == facts.labels && before.taints == facts.taints
        };
        if event.deleted || !event.before.as_ref().is_some_and(same) {
            let keys: Vec<Key> = desk.state.seen.all(DAEMON_SETS).map(|(key, _)| key.clone()).collect();
            keys.into_iter().for_each(|key| desk.soon(Role::DaemonSet, key));
        }
    }
}

/// The template of a set with what every daemon tolerates.
fn tolerant(set: &Value) -> Value {
    let mut template = at(set, "spec.template").cloned().unwrap_or_default();
    let Some(spec) = template.get_mut("spec").and_then(Value::as_object_mut) else { return template };
    let mut tolerations = spec.get("tolerations").and_then(Value::as_array).cloned().unwrap_or_default();
    tolerations.extend(TOLERATED.map(|(key, effect)| json!({"key": key, "operator": "Exists", "effect": effect})));
    if spec.get("hostNetwork") == Some(&Value::Bool(true)) {
        let unavailable = "node.kubernetes.io/network-unavailable";
        tolerations.push(json!({"key": unavailable, "operator": "Exists", "effect": "NoSchedule"}));
    }
    spec.insert("tolerations".to_owned(), Value::from(tolerations));
    template
}

/// The same template for one node: every term of its required affinity, or a new one, names it.
fn pinned(mut template: Value, node: &str) -> Value {
    let field = json!({"key": "metadata.name", "operator": "In", "values": [node]});
    let path = "/spec/affinity/nodeAffinity/requiredDuringSchedulingIgnoredDuringExecution/nodeSelectorTerms";
    let terms = template.pointer(path).and_then(Value::as_array).cloned().unwrap_or_else(|| vec![json!({})]);
    let named = terms.into_iter().map(|mut term| {
        if let Some(fields) = term.as_object_mut() {
            fields.insert("matchFields".to_owned(), json!([field]));
        }
        term
    });
    let required = json!({"nodeSelectorTerms": named.collect::<Vec<_>>()});
    let wanted =
        json!({"spec": {"affinity": {"nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": required}}}});
    template.merge(&wanted);
    template
}

/// Where a daemon pod is bound, or which node it asks for.
fn node_of(pod: &Value) -> &str {
    let bound = text(pod, "spec.nodeName");
    if !bound.is_empty() {
        return bound;
    }
    let required = at(pod, "spec.affinity.nodeAffinity.requiredDuringSchedulingIgnoredDuringExecution");
    let terms = required.map_or(&[][..], |required| list(required, "nodeSelectorTerms"));
    let fields = terms.iter().flat_map(|term| list(term, "matchFields"));
    let mut values = fields.flat_map(|field| list(field, "values"));
    values.find_map(Value::as_str).unwrap_or("")
}

/// One look at a set.
///
/// # Errors
/// What the API says.
pub fn look(desk: &mut Desk<'_>, key: &Key) -> Looked {
    let Some(set) = desk.get(DAEMON_SETS, key).filter(|set| !is_leaving(set)) else { return Ok(()) };
    let revision = hash(at(&set, "spec.template").unwrap_or(&Value::Null), 0);
    let template = tolerant(&set);
    let mut pods: BTreeMap<String, Vec<Arc<Value>>> = BTreeMap::new();
    for pod in desk.state.seen.owned(uid(&set), PODS) {
        pods.entry(node_of(&pod).to_owned()).or_default().push(pod);
    }
    let suited = |node: &NodeFacts| {
        let tolerations = list(&template, "spec.tolerations");
        let here = node.is_selected_by(&template);
        let starts = here && node.repels(tolerations, &["NoSchedule", "NoExecute"]).is_none();
        (starts, here && node.repels(tolerations, &["NoExecute"]).is_none())
    };
    let nodes: Vec<(String, bool, bool)> = desk
        .state
        .seen
        .nodes()
        .values()
        .map(|node| {
            let (starts, stays) = suited(node);
            (node.name.clone(), starts, stays)
        })
        .collect();
    for (node, starts, stays) in &nodes {
        let here = pods.get(node).map_or(&[][..], Vec::as_slice);
        for pod in here.iter().filter(|pod| !is_leaving(pod) && (is_finished(pod) || !stays)) {
            desk.delete(PODS, pod, None)?;
        }
        if here.is_empty() && *starts {
            let mut pod = pod_from(&pinned(template.clone(), node), &set, "apps/v1", "DaemonSet");
            if let Some(labels) = pod.pointer_mut("/metadata/labels").and_then(Value::as_object_mut) {
                labels.insert(REVISION.to_owned(), Value::from(revision.as_str()));
            }
            desk.write(Write::Create(PODS, pod))?;
        }
    }
    let wanted: Vec<&String> = nodes.iter().filter(|(_, starts, _)| *starts).map(|(node, ..)| node).collect();
    roll(desk, &set, &revision, wanted.len())?;
    report(desk, &set, &revision, &wanted)
}

/// Deletes pods of an old template as far as `maxUnavailable` allows; those that are not ready first.
fn roll(desk: &mut Desk<'_>, set: &Value, revision: &str, wanted: usize) -> Looked {
    if text(set, "spec.updateStrategy.type") == "OnDelete" {
        return Ok(());
    }
    let wanted = i64::try_from(wanted).unwrap_or(i64::MAX);
    let allowed = share(at(set, "spec.updateStrategy.rollingUpdate.maxUnavailable"), "1", wanted, true).max(1);
    let pods = desk.state.seen.owned(uid(set), PODS);
    let ready = |pod: &Value| super::read::holds(pod, "Ready") && !is_leaving(pod);
    let unavailable = wanted - i64::try_from(pods.iter().filter(|pod| ready(pod)).count()).unwrap_or(0);
    let old = |pod: &&Arc<Value>| entry(pod, "metadata.labels", REVISION) != Some(revision) && !is_leaving(pod);
    for pod in pods.iter().filter(old).filter(|pod| !ready(pod)) {
        desk.delete(PODS, pod, None)?;
    }
    let room = usize::try_from(allowed - unavailable).unwrap_or(0);
    pods.iter().filter(old).filter(|pod| ready(pod)).take(room).try_for_each(|pod| desk.delete(PODS, pod, None))
}

fn report(desk: &mut Desk<'_>, set: &Value, revision: &str, wanted: &[&String]) -> Looked {
    let pods = desk.state.seen.owned(uid(set), PODS);
    let min_ready = Span::seconds(int(set, "spec.minReadySeconds").unwrap_or(0));
    let now = desk.now;
    let placed = |pod: &&Arc<Value>| !is_leaving(pod) && wanted.iter().any(|node| *node == node_of(pod));
    let count = |test: &dyn Fn(&Value) -> bool| pods.iter().filter(placed).filter(|pod| test(pod)).count();
    let available = count(&|pod| available_at(pod, min_ready).is_some_and(|when| when <= now));
    let status = json!({
        "desiredNumberScheduled": wanted.len(), "currentNumberScheduled": count(&|_| true),
        "numberMisscheduled": pods.iter().filter(|pod| !is_leaving(pod) && !placed(pod)).count(),
        "numberReady": count(&|pod| super::read::holds(pod, "Ready")), "numberAvailable": available,
        "numberUnavailable": wanted.len().saturating_sub(available),
        "updatedNumberScheduled": count(&|pod| entry(pod, "metadata.labels", REVISION) == Some(revision)),
        "observedGeneration": int(set, "metadata.generation").unwrap_or(0),
    });
    if says_less(set, &status) {
        desk.write_status(DAEMON_SETS, set, status)?;
    }
    Ok(())
}
