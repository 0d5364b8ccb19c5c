//! The disruption controller: how many pods of a budget may still be evicted.

use std::collections::BTreeMap;
use std::sync::Arc;

use keelson_core::{Span, Timestamp};

use super::agenda::Role;
use super::demand::is_finished;
use super::desk::{Desk, Looked};
use super::kinds::{BUDGETS, DEPLOYMENTS, PODS, REPLICA_SETS, STATEFUL_SETS};
use super::read::{
    Key, Wanted, at, controller, holds, int, is_leaving, labels, list, name, namespace, put_condition, selector, text,
    uid,
};
use super::rollout::share;
use crate::objects::{Event, Resource};
use crate::tree::{Value, json};

/// An eviction that was granted counts as done for this long, until the pod is seen leaving.
const GRANTED_FOR: Span = Span::minutes(2);

/// Looks at budgets that changed, at those that select a pod that did, and at those of a workload that was scaled.
pub fn notice(desk: &mut Desk<'_>, event: &Event) {
    if event.resource == BUDGETS && !event.deleted {
        desk.soon(Role::Budget, Key::of(&event.object));
    } else if event.resource == PODS {
        let before = event.before.as_deref().unwrap_or(&Value::Null);
        fn shown(pod: &Value) -> (bool, bool, bool, Option<&Value>) {
            (holds(pod, "Ready"), is_leaving(pod), is_finished(pod), at(pod, "metadata.labels"))
        }
        if event.deleted || shown(before) != shown(&event.object) {
            look_at_matching(desk, namespace(&event.object), &labels(&event.object));
        }
    } else if matches!(event.resource, DEPLOYMENTS | STATEFUL_SETS) {
        let replicas = |object: &Value| int(object, "spec.replicas");
        if event.before.as_ref().is_none_or(|before| replicas(before) != replicas(&event.object)) {
            let labels = super::read::strings(&event.object, "spec.template.metadata.labels");
            look_at_matching(desk, namespace(&event.object), &labels);
        }
    }
}

fn look_at_matching(desk: &mut Desk<'_>, space: &str, labels: &BTreeMap<String, String>) {
    let matches = |budget: &Value| selector(budget, "spec.selector").is_some_and(|selector| selector.matches(labels));
    let budgets = desk.state.seen.within(BUDGETS, space);
    let keys: Vec<Key> = budgets.filter(|(_, budget)| matches(budget)).map(|(key, _)| key.clone()).collect();
    keys.into_iter().for_each(|key| desk.soon(Role::Budget, key));
}

/// What a budget wants: expected pods and how many must stay healthy.
#[must_use]
pub fn desired(budget: &Value, pods: i64, scale: i64) -> (i64, i64) {
    if let Some(most) = at(budget, "spec.maxUnavailable").filter(|most| !most.is_null()) {
        return (scale, (scale - share(Some(most), "0", scale, true)).max(0));
    }
    match at(budget, "spec.minAvailable") {
        Some(percent @ Value::String(_)) => (scale, share(Some(percent), "0", scale, true)),
        Some(least) => (pods, least.as_i64().unwrap_or(0)),
        None => (0, 0),
    }
}

/// One look at a budget.
///
/// # Errors
/// What the API says.
pub fn look(desk: &mut Desk<'_>, key: &Key) -> Looked {
    let Some(budget) = desk.get(BUDGETS, key).filter(|budget| !is_leaving(budget)) else { return Ok(()) };
    let selected =
        selector(&budget, "spec.selector").map(|selector| desk.state.seen.selected(&key.namespace, &selector));
    let pods: Vec<Arc<Value>> = selected.unwrap_or_default().into_iter().filter(|pod| !is_finished(pod)).collect();
    let scale = scale(desk, &pods);
    let (expected, desired) = desired(&budget, i64::try_from(pods.len()).unwrap_or(0), scale);
    let granted = granted(&budget, &pods, desk.now);
    if let Some(first) = granted.values().min() {
        desk.at(*first + GRANTED_FOR, Role::Budget, key.clone());
    }
    let healthy = |pod: &&Arc<Value>| holds(pod, "Ready") && !is_leaving(pod) && !granted.contains_key(name(pod));
    let healthy = i64::try_from(pods.iter().filter(healthy).count()).unwrap_or(0);
    let allowed = if expected > 0 { (healthy - desired).max(0) } else { 0 };
    let mut conditions = list(&budget, "status.conditions").to_vec();
    let (status, reason) = if allowed > 0 { ("True", "SufficientPods") } else { ("False", "InsufficientPods") };
    put_condition(&mut conditions, Wanted { kind: "DisruptionAllowed", status, reason, message: "" }, desk.now);
    let disrupted: BTreeMap<&String, String> =
        granted.iter().map(|(pod, since)| (pod, super::read::stamp(*since))).collect();
    let mut status = json!({
        "disruptionsAllowed": allowed, "currentHealthy": healthy, "desiredHealthy": desired, "expectedPods": expected,
        "observedGeneration": int(&budget, "metadata.generation").unwrap_or(0), "conditions": conditions,
    });
    let known = at(&budget, "status.disruptedPods").and_then(Value::as_object);
    if known.map_or(0, crate::tree::Map::len) != disrupted.len()
        && let Some(fields) = status.as_object_mut()
    {
        // A merge patch takes away what it sets to null.
        let gone = known.into_iter().flatten().map(|(pod, _)| (pod.to_string(), Value::Null));
        let kept = disrupted.iter().map(|(pod, since)| ((*pod).clone(), Value::from(since.as_str())));
        fields.insert("disruptedPods".to_owned(), gone.chain(kept).collect());
    }
    if super::replicaset::says_less(&budget, &status) {
        desk.write_status(BUDGETS, &budget, status)?;
    }
    Ok(())
}

/// Evictions granted lately whose pod is still there and not leaving.
fn granted(budget: &Value, pods: &[Arc<Value>], now: Timestamp) -> BTreeMap<String, Timestamp> {
    let entries = at(budget, "status.disruptedPods").and_then(Value::as_object).into_iter().flatten();
    entries
        .filter_map(|(pod, since)| Some((pod.to_string(), Timestamp::parse(since.as_str()?).ok()?)))
        .filter(|(pod, since)| {
            *since + GRANTED_FOR > now && pods.iter().any(|known| name(known) == pod && !is_leaving(known))
        })
        .collect()
}

/// The sum of the replicas that the pods' workloads want.
fn scale(desk: &Desk<'_>, pods: &[Arc<Value>]) -> i64 {
    let mut workloads: BTreeMap<String, i64> = BTreeMap::new();
    for pod in pods {
        let Some((resource, key)) = workload(desk, pod) else { continue };
        if let Some(object) = desk.get(resource, &key) {
            workloads.insert(uid(&object).to_owned(), int(&object, "spec.replicas").unwrap_or(1));
        }
    }
    workloads.values().sum()
}

fn workload(desk: &Desk<'_>, pod: &Value) -> Option<(Resource, Key)> {
    let owner = controller(pod)?;
    let key = Key::new(namespace(pod), text(owner, "name"));
    match text(owner, "kind") {
        "StatefulSet" => Some((STATEFUL_SETS, key)),
        "ReplicaSet" => {
            let set = desk.get(REPLICA_SETS, &key)?;
            match controller(&set).filter(|owner| text(owner, "kind") == "Deployment") {
                Some(owner) => Some((DEPLOYMENTS, Key::new(namespace(pod), text(owner, "name")))),
                None => Some((REPLICA_SETS, key)),
            }
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentages_round_up_and_count_the_workload() {
        let of = |spec: Value, pods, scale| desired(&json!({"spec": spec}), pods, scale);
        assert_eq!(of(json!({"maxUnavailable": "30%"}), 3, 10), (10, 7));
        assert_eq!(of(json!({"minAvailable": "50%"}), 3, 7), (7, 4));
        assert_eq!(of(json!({"minAvailable": 2}), 3, 10), (3, 2));
        assert_eq!(of(json!({"maxUnavailable": 5}), 3, 3), (3, 0));
    }
}
