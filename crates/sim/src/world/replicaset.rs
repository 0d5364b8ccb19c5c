//! The ReplicaSet controller.
//!
//! It keeps as many pods as wanted. Too many are taken in upstream's order: unassigned, not running, not ready, cheap
//! to delete, crowded on one node, ready or created recently, often restarted. Times compare by powers of two, so that
//! among pods of like age chance (the uid) decides.

use std::cmp::Ordering;
use std::collections::BTreeMap;
use std::sync::Arc;

use keelson_core::{Span, Timestamp};

use super::agenda::Role;
use super::demand::is_finished;
use super::desk::{Desk, Looked, Note};
use super::kinds::{PODS, REPLICA_SETS};
use super::read::{
    Key, annotation, at, condition, controller, holds, int, is_leaving, labels, list, name, namespace, owned_by,
    strings, text, time, uid,
};
use crate::objects::{Event, Write};
use crate::tree::{Text, Value, json};

/// Annotation: pods with less are deleted first.
const DELETION_COST: &str = "controller.kubernetes.io/pod-deletion-cost";
/// Who says so in events.
const BY: &str = "replicaset-controller";
/// The most pods created in one look.
const BURST: usize = 500;

/// Looks at sets that changed and at those whose pods did.
pub fn notice(desk: &mut Desk<'_>, event: &Event) {
    if event.resource == REPLICA_SETS && !event.deleted {
        desk.soon(Role::ReplicaSet, Key::of(&event.object));
    } else if event.resource == PODS {
        notice_owner(desk, event, "ReplicaSet", Role::ReplicaSet);
    }
}

/// Looks at the owner of a pod that changed, if it is of a kind.
pub fn notice_owner(desk: &mut Desk<'_>, event: &Event, kind: &str, role: Role) {
    if let Some(owner) = concerned(event, kind) {
        desk.soon(role, owner);
    }
}

/// The owner of a kind to whom a change of a pod means something.
#[must_use]
pub fn concerned(event: &Event, kind: &str) -> Option<Key> {
    let owner = controller(&event.object).filter(|owner| text(owner, "kind") == kind)?;
    let means_something =
        event.resource != PODS || event.before.as_ref().is_none_or(|before| counts_otherwise(before, event));
    means_something.then(|| Key::new(namespace(&event.object), text(owner, "name")))
}

/// Whether a pod's change can change what its owner counts or does.
fn counts_otherwise(before: &Value, event: &Event) -> bool {
    let pod = &event.object;
    event.deleted
        || text(before, "status.phase") != text(pod, "status.phase")
        || is_leaving(before) != is_leaving(pod)
        || holds(before, "Ready") != holds(pod, "Ready")
        || at(before, "metadata.labels") != at(pod, "metadata.labels")
}

/// Whether a pod counts: it is not finished and not leaving.
#[must_use]
pub fn is_active(pod: &Value) -> bool {
    !is_finished(pod) && !is_leaving(pod)
}

/// Whether a pod has been ready for so long; if not yet, when it will have been.
#[must_use]
pub fn available_at(pod: &Value, min_ready: Span) -> Option<Timestamp> {
    let ready = condition(pod, "Ready").filter(|ready| text(ready, "status") == "True")?;
    Some(time(ready, "lastTransitionTime").unwrap_or_default() + min_ready)
}

/// How a set's pods stand.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Tally {
    /// Pods that count.
    pub active: i64,
    /// Of those, ready ones.
    pub ready: i64,
    /// Of those, ready for long enough.
    pub available: i64,
    /// When the next becomes available.
    pub next: Option<Timestamp>,
}

/// Counts pods.
#[must_use]
pub fn tally<'a>(pods: impl Iterator<Item = &'a Arc<Value>>, min_ready: Span, now: Timestamp) -> Tally {
    pods.filter(|pod| is_active(pod)).fold(Tally::default(), |mut tally, pod| {
        tally.active += 1;
        if let Some(when) = available_at(pod, min_ready) {
            tally.ready += 1;
            if when <= now {
                tally.available += 1;
            } else {
                tally.next = Some(tally.next.map_or(when, |next| next.min(when)));
            }
        }
        tally
    })
}

/// The pods to delete when `excess` are too many. `crowd` says how many pods of the same workload share each node.
#[must_use]
pub fn victims(pods: &[Arc<Value>], excess: usize, crowd: &BTreeMap<String, usize>, now: Timestamp) -> Vec<Arc<Value>> {
    let mut ranked: Vec<(Rank, &Arc<Value>)> = pods.iter().map(|pod| (Rank::of(pod, crowd, now), pod)).collect();
    ranked.sort_by(|(a, _), (b, _)| a.order(b));
    ranked.into_iter().take(excess).map(|(_, pod)| Arc::clone(pod)).collect()
}

/// What decides who goes first; smaller goes first, field by field.
struct Rank {
    before_age: (bool, u8, bool, i64, std::cmp::Reverse<usize>),
    ready_age: Option<i64>,
    restarts: std::cmp::Reverse<i64>,
    age: i64,
    uid: String,
}

impl Rank {
    fn of(pod: &Value, crowd: &BTreeMap<String, usize>, now: Timestamp) -> Self {
        let node = text(pod, "spec.nodeName");
        let phase = match text(pod, "status.phase") {
            "Running" => 2,
            "Unknown" => 1,
            _ => 0,
        };
        let cost = annotation(pod, DELETION_COST).and_then(|cost| cost.parse().ok()).unwrap_or(0);
        let crowd = std::cmp::Reverse(crowd.get(node).copied().unwrap_or(0));
        let ready = holds(pod, "Ready");
        let since = condition(pod, "Ready").and_then(|ready| time(ready, "lastTransitionTime"));
        let restarts = list(pod, "status.containerStatuses").iter().filter_map(|c| int(c, "restartCount")).max();
        Self {
            before_age: (!node.is_empty(), phase, ready, cost, crowd),
            ready_age: since.filter(|_| ready).map(|since| power(since, now)),
            restarts: std::cmp::Reverse(restarts.unwrap_or(0)),
            age: power(time(pod, "metadata.creationTimestamp").unwrap_or_default(), now),
            uid: uid(pod).to_owned(),
        }
    }

    fn order(&self, other: &Self) -> Ordering {
        self.before_age
            .cmp(&other.before_age)
            .then_with(|| self.ready_age.cmp(&other.ready_age))
            .then_with(|| self.restarts.cmp(&other.restarts))
            .then_with(|| self.age.cmp(&other.age))
            .then_with(|| self.uid.cmp(&other.uid))
    }
}

/// The power of two of an age in nanoseconds; -1 for none.
fn power(since: Timestamp, now: Timestamp) -> i64 {
    let nanos = i128::from(now.since(since).0) * 1_000;
    u128::try_from(nanos).ok().and_then(u128::checked_ilog2).map_or(-1, i64::from)
}

/// One look at a set.
///
/// # Errors
/// What the API says.
pub fn look(desk: &mut Desk<'_>, key: &Key) -> Looked {
    let Some(set) = desk.get(REPLICA_SETS, key) else { return Ok(()) };
    let owned = desk.state.seen.owned(uid(&set), PODS);
    let active: Vec<Arc<Value>> = owned.iter().filter(|pod| is_active(pod)).cloned().collect();
    let wanted = usize::try_from(int(&set, "spec.replicas").unwrap_or(1)).unwrap_or(0);
    let changed = if is_leaving(&set) || active.len() == wanted {
        Ok(())
    } else if active.len() < wanted {
        create(desk, &set, wanted - active.len())
    } else {
        let crowd = crowd(desk, &set);
        let victims = victims(&active, active.len() - wanted, &crowd, desk.now);
        victims.iter().try_for_each(|victim| {
            let message = format!("Deleted pod: {}", name(victim));
            desk.tell(
                &set,
                "ReplicaSet",
                Note { level: "Normal", reason: "SuccessfulDelete", message: &message, by: BY },
            );
            desk.delete(PODS, victim, None)
        })
    };
    let pods = desk.state.seen.owned(uid(&set), PODS);
    let min_ready = Span::seconds(int(&set, "spec.minReadySeconds").unwrap_or(0));
    let tally = tally(pods.iter(), min_ready, desk.now);
    if let Some(when) = tally.next {
        desk.at(when, Role::ReplicaSet, key.clone());
    }
    let leaving = pods.iter().filter(|pod| is_leaving(pod) && !is_finished(pod)).count();
    let template = strings(&set, "spec.template.metadata.labels");
    let labelled = |pod: &Value| {
        let labels = labels(pod);
        template.iter().all(|(key, value)| labels.get(key) == Some(value))
    };
    let status = json!({
        "replicas": tally.active, "readyReplicas": tally.ready, "availableReplicas": tally.available,
        "fullyLabeledReplicas": pods.iter().filter(|pod| is_active(pod) && labelled(pod)).count(),
        "terminatingReplicas": leaving, "observedGeneration": int(&set, "metadata.generation").unwrap_or(0),
    });
    if says_less(&set, &status) {
        desk.write_status(REPLICA_SETS, &set, status)?;
    }
    changed
}

/// Whether an object's status lacks something of what it should say; a count that is missing is zero.
#[must_use]
pub fn says_less(object: &Value, status: &Value) -> bool {
    let known = at(object, "status").unwrap_or(&Value::Null);
    let missing = |(field, value): (&Text, &Value)| match known.get(field) {
        Some(known) => known != value,
        None => value.as_i64() != Some(0),
    };
    status.as_object().is_some_and(|fields| fields.iter().any(missing))
}

/// How many active pods of the set's workload are on each node: of all sets with the same owner.
fn crowd(desk: &Desk<'_>, set: &Value) -> BTreeMap<String, usize> {
    let family = match controller(set) {
        Some(owner) => desk.state.seen.owned(text(owner, "uid"), REPLICA_SETS),
        None => Vec::new(),
    };
    let mut uids: Vec<&str> = family.iter().map(|set| uid(set)).collect();
    if uids.is_empty() {
        uids.push(uid(set));
    }
    let mut crowd = BTreeMap::new();
    for pod in uids.iter().flat_map(|uid| desk.state.seen.owned(uid, PODS)).filter(|pod| is_active(pod)) {
        *crowd.entry(text(&pod, "spec.nodeName").to_owned()).or_default() += 1;
    }
    crowd
}

fn create(desk: &mut Desk<'_>, set: &Value, missing: usize) -> Looked {
    for _ in 0..missing.min(BURST) {
        let pod = pod_from(at(set, "spec.template").unwrap_or(&Value::Null), set, "apps/v1", "ReplicaSet");
        match desk.write(Write::Create(PODS, pod)) {
            Ok(pod) => {
                let message = format!("Created pod: {}", name(&pod));
                let note = Note { level: "Normal", reason: "SuccessfulCreate", message: &message, by: BY };
                desk.tell(set, "ReplicaSet", note);
            }
            Err(refusal) => {
                let message = format!("Error creating: {}", refusal.message);
                let note = Note { level: "Warning", reason: "FailedCreate", message: &message, by: BY };
                desk.tell(set, "ReplicaSet", note);
                return Err(refusal);
            }
        }
    }
    Ok(())
}

/// A pod made from a template, controlled by an owner and named after it.
#[must_use]
pub fn pod_from(template: &Value, owner: &Value, api_version: &str, kind: &str) -> Value {
    let mut metadata = at(template, "metadata").cloned().unwrap_or_else(|| json!({}));
    if let Some(fields) = metadata.as_object_mut() {
        fields.remove("creationTimestamp");
        fields.insert("generateName".to_owned(), Value::from(format!("{}-", name(owner))));
        fields.insert("namespace".to_owned(), Value::from(namespace(owner)));
        fields.insert("ownerReferences".to_owned(), json!([owned_by(owner, api_version, kind)]));
    }
    json!({"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": at(template, "spec")})
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::indexing_slicing)]
    use super::*;

    fn pod(name: &str, node: &str, ready_at: Option<i64>, more: &Value) -> Arc<Value> {
        let mut pod = json!({
            "metadata": {"name": name, "uid": name, "creationTimestamp": "1970-01-01T00:00:00Z"},
            "spec": {"nodeName": node}, "status": {"phase": if node.is_empty() { "Pending" } else { "Running" }},
        });
        if let Some(at) = ready_at {
            let since = super::super::read::stamp(Timestamp(at * 1_000_000));
            pod["status"]["conditions"] = json!([{"type": "Ready", "status": "True", "lastTransitionTime": since}]);
        }
        if let Some(cost) = more.as_str() {
            pod["metadata"]["annotations"] = json!({DELETION_COST: cost});
        }
        Arc::new(pod)
    }

    /// The order of `ActivePodsWithRanks` in kubernetes/pkg/controller/controller_utils.go.
    #[test]
    fn pods_go_in_upstreams_order() {
        let none = Value::Null;
        let pods = [
            pod("old", "a", Some(10), &none),
            pod("new", "a", Some(9_000), &none),
            pod("crowded", "b", Some(10), &none),
            pod("cheap", "a", Some(10), &json!("-5")),
            pod("unready", "a", None, &none),
            pod("unassigned", "", None, &none),
        ];
        let crowd = [("a".to_owned(), 1), ("b".to_owned(), 3)].into();
        let order = victims(&pods, 6, &crowd, Timestamp(10_000_000_000));
        let names: Vec<&str> = order.iter().map(|pod| name(pod)).collect();
        assert_eq!(names, ["unassigned", "unready", "cheap", "crowded", "new", "old"]);
    }
}
