//! The Deployment controller: revisions as ReplicaSets, rolled over within their limits.

use std::collections::BTreeMap;
use std::sync::Arc;

use keelson_core::{Span, Timestamp};
use sha2::{Digest, Sha256};

use super::agenda::Role;
use super::demand::is_finished;
use super::desk::{Desk, Looked, Note};
use super::kinds::{DEPLOYMENTS, PODS, REPLICA_SETS};
use super::read::{
    Key, Wanted, annotation, at, condition, controller, int, is_leaving, list, name, namespace, owned_by,
    put_condition, strings, text, time, uid, yes,
};
use super::replicaset::says_less;
use super::rollout::{Limits, Set, grow, limits, shrink, spread};
use crate::objects::{Event, Refusal, Write};
use crate::tree::{Text, Value, json};

/// Annotation of a set: which revision it is.
const REVISION: &str = "deployment.kubernetes.io/revision";
/// Annotation of a set: the Deployment's replicas when the set was last scaled.
const DESIRED: &str = "deployment.kubernetes.io/desired-replicas";
/// Annotation of a set: the most pods then.
const MOST: &str = "deployment.kubernetes.io/max-replicas";
/// Label of a set and its pods: the hash of the template.
const HASH: &str = "pod-template-hash";
/// Who says so in events.
const BY: &str = "deployment-controller";

/// Looks at Deployments that changed, and at those whose sets or pods did.
pub fn notice(desk: &mut Desk<'_>, event: &Event) {
    if event.resource == DEPLOYMENTS && !event.deleted {
        desk.soon(Role::Deployment, Key::of(&event.object));
    } else if event.resource == REPLICA_SETS {
        super::replicaset::notice_owner(desk, event, "Deployment", Role::Deployment);
    } else if event.resource == PODS
        && (event.deleted || is_finished(&event.object))
        && let Some(owner) = controller(&event.object)
        && let Some(set) = desk.get(REPLICA_SETS, &Key::new(namespace(&event.object), text(owner, "name")))
        && let Some(owner) = controller(&set)
    {
        // A Recreate waits for the last old pod.
        desk.soon(Role::Deployment, Key::new(namespace(&event.object), text(owner, "name")));
    }
}

/// The sets of a Deployment: the one of its template, if there, and the others, oldest first.
struct Sets {
    new: Option<Arc<Value>>,
    old: Vec<Arc<Value>>,
}

/// One look at a Deployment.
///
/// # Errors
/// What the API says.
pub fn look(desk: &mut Desk<'_>, key: &Key) -> Looked {
    let Some(deployment) = desk.get(DEPLOYMENTS, key) else { return Ok(()) };
    if is_leaving(&deployment) {
        return Ok(());
    }
    let mut sets = sets(desk, &deployment);
    let paused = yes(&deployment, "spec.paused");
    if sets.new.is_some() || !paused {
        let recreate = text(&deployment, "spec.strategy.type") == "Recreate";
        if paused || is_scaling(&deployment, &sets) {
            scale(desk, &deployment, &sets)?;
        } else if recreate {
            replace_all(desk, &deployment, &mut sets)?;
        } else {
            roll(desk, &deployment, &mut sets)?;
        }
    }
    clean_up(desk, &deployment)?;
    report(desk, key)
}

fn sets(desk: &Desk<'_>, deployment: &Value) -> Sets {
    let mut all = desk.state.seen.owned(uid(deployment), REPLICA_SETS);
    all.sort_by_key(|set| (time(set, "metadata.creationTimestamp"), name(set).to_owned()));
    let found = all.iter().position(|set| same_template(set, deployment));
    let new = found.map(|index| all.remove(index));
    Sets { new, old: all }
}

/// Whether two objects have the same pod template but for the label that the controller adds.
fn same_template(a: &Value, b: &Value) -> bool {
    let labels = |object: &Value| {
        let mut labels = strings(object, "spec.template.metadata.labels");
        labels.remove(HASH);
        labels
    };
    let rest = |object: &Value| {
        let metadata = at(object, "spec.template.metadata").and_then(Value::as_object);
        let fields = metadata.into_iter().flatten();
        fields
            .filter(|(field, value)| *field != "labels" && !is_empty(value))
            .map(|(field, value)| (field.clone(), value.clone()))
            .collect()
    };
    let (rest_a, rest_b): (BTreeMap<Text, Value>, BTreeMap<Text, Value>) = (rest(a), rest(b));
    at(a, "spec.template.spec") == at(b, "spec.template.spec") && labels(a) == labels(b) && rest_a == rest_b
}

/// Whether a value says nothing, as a map does whose last entry was removed.
fn is_empty(value: &Value) -> bool {
    value.is_null() || value.as_object().is_some_and(crate::tree::Map::is_empty)
}

/// Ten characters of Kubernetes' safe alphabet that stand for a template.
#[must_use]
pub fn hash(template: &Value, collisions: i64) -> String {
    let alphabet = b"bcdfghjklmnpqrstvwxz2456789";
    let digest = Sha256::digest(format!("{template}{collisions}"));
    let letter = |byte: &u8| alphabet.get(usize::from(*byte) % alphabet.len()).copied().map_or('b', char::from);
    digest.iter().take(10).map(letter).collect()
}

fn replicas(object: &Value) -> i64 {
    int(object, "spec.replicas").unwrap_or(1)
}

fn state(set: &Value) -> Set {
    Set { wanted: replicas(set), available: int(set, "status.availableReplicas").unwrap_or(0) }
}

fn limits_of(deployment: &Value) -> Limits {
    if text(deployment, "spec.strategy.type") == "Recreate" {
        return Limits { surge: 0, unavailable: replicas(deployment) };
    }
    limits(at(deployment, "spec.strategy.rollingUpdate"), replicas(deployment))
}

/// Whether only the number of replicas has changed since the sets were last scaled.
fn is_scaling(deployment: &Value, sets: &Sets) -> bool {
    let desired = replicas(deployment).to_string();
    let mut active = sets.new.iter().chain(&sets.old).filter(|set| replicas(set) > 0);
    active.any(|set| annotation(set, DESIRED).is_some_and(|known| known != desired))
}

/// Brings all sets to a changed number of replicas.
fn scale(desk: &mut Desk<'_>, deployment: &Value, sets: &Sets) -> Looked {
    let active: Vec<&Arc<Value>> = sets.new.iter().chain(&sets.old).filter(|set| replicas(set) > 0).collect();
    let wanted = replicas(deployment);
    let newest = sets.new.as_ref().or_else(|| sets.old.last());
    if let (true, Some(only)) = (active.len() <= 1, active.first().copied().or(newest)) {
        return resize(desk, deployment, only, wanted);
    }
    let full = sets.new.as_ref().is_some_and(|new| state(new).available == wanted && replicas(new) == wanted);
    if full {
        return sets.old.iter().try_for_each(|old| resize(desk, deployment, old, 0));
    }
    let most = if wanted > 0 { wanted + limits_of(deployment).surge } else { 0 };
    let sizes: Vec<i64> = active.iter().map(|set| replicas(set)).collect();
    let spread = spread(most, &sizes);
    active.into_iter().zip(spread).try_for_each(|(set, size)| resize(desk, deployment, set, size))
}

fn roll(desk: &mut Desk<'_>, deployment: &Value, sets: &mut Sets) -> Looked {
    let (wanted, limits) = (replicas(deployment), limits_of(deployment));
    let old: Vec<Set> = sets.old.iter().map(|set| state(set)).collect();
    let new = ensure_new(desk, deployment, sets, |new| grow(wanted, limits, new, &old))?;
    let grown = grow(wanted, limits, state(&new), &old);
    if grown != replicas(&new) {
        return resize(desk, deployment, &new, grown);
    }
    let shrunk = shrink(wanted, limits, state(&new), &old);
    sets.old.iter().zip(shrunk).try_for_each(|(set, size)| resize(desk, deployment, set, size))
}

fn replace_all(desk: &mut Desk<'_>, deployment: &Value, sets: &mut Sets) -> Looked {
    for set in &sets.old {
        resize(desk, deployment, set, 0)?;
    }
    let alive = |set: &Arc<Value>| desk.state.seen.owned(uid(set), PODS).iter().any(|pod| !is_finished(pod));
    if sets.old.iter().any(alive) {
        return Ok(());
    }
    let wanted = replicas(deployment);
    let new = ensure_new(desk, deployment, sets, |_| wanted)?;
    resize(desk, deployment, &new, wanted)
}

/// The set of the template, created when it is missing; its revision is above all others.
fn ensure_new(
    desk: &mut Desk<'_>,
    deployment: &Value,
    sets: &mut Sets,
    size: impl Fn(Set) -> i64,
) -> Result<Arc<Value>, Refusal> {
    let revision = |set: &Value| annotation(set, REVISION).and_then(|text| text.parse::<i64>().ok()).unwrap_or(0);
    let next = sets.old.iter().map(|set| revision(set)).max().unwrap_or(0) + 1;
    let new = match sets.new.take() {
        Some(new) if revision(&new) >= next => new,
        Some(new) => {
            let patch = json!({"metadata": {"annotations": {REVISION: next.to_string()}}});
            desk.merge(REPLICA_SETS, &new, "", patch)?
        }
        None => create(desk, deployment, next, size(Set::default()))?,
    };
    let revision = revision(&new).to_string();
    if annotation(deployment, REVISION) != Some(&revision) {
        desk.merge(DEPLOYMENTS, deployment, "", json!({"metadata": {"annotations": {REVISION: revision}}}))?;
    }
    sets.new = Some(Arc::clone(&new));
    Ok(new)
}

fn create(desk: &mut Desk<'_>, deployment: &Value, revision: i64, size: i64) -> Result<Arc<Value>, Refusal> {
    let mut template = at(deployment, "spec.template").cloned().unwrap_or_default();
    let collisions = int(deployment, "status.collisionCount").unwrap_or(0);
    let hash = hash(&template, collisions);
    let labelled = |object: &mut Value, path: &str| {
        if let Some(labels) = object.pointer_mut(path).and_then(Value::as_object_mut) {
            labels.insert(HASH.to_owned(), Value::from(hash.as_str()));
        }
    };
    labelled(&mut template, "/metadata/labels");
    let mut selector = at(deployment, "spec.selector").cloned().unwrap_or_default();
    if let Some(fields) = selector.as_object_mut() {
        fields.entry("matchLabels").or_insert_with(|| json!({}));
    }
    labelled(&mut selector, "/matchLabels");
    let labels = at(&template, "metadata.labels").cloned();
    let most = replicas(deployment) + limits_of(deployment).surge;
    let set = json!({
        "apiVersion": "apps/v1", "kind": "ReplicaSet",
        "metadata": {
            "namespace": namespace(deployment), "name": format!("{}-{hash}", name(deployment)), "labels": labels,
            "annotations": {
                REVISION: revision.to_string(), DESIRED: replicas(deployment).to_string(), MOST: most.to_string(),
            },
            "ownerReferences": [owned_by(deployment, "apps/v1", "Deployment")],
        },
        "spec": {"replicas": size, "minReadySeconds": int(deployment, "spec.minReadySeconds").unwrap_or(0),
            "selector": selector, "template": template},
    });
    match desk.write(Write::Create(REPLICA_SETS, set)) {
        Ok(set) => {
            told_scale(desk, deployment, &set, 0, size);
            Ok(set)
        }
        Err(refusal) if refusal.reason == "AlreadyExists" => {
            // Another template hashed alike; the next look takes another hash.
            desk.write_status(DEPLOYMENTS, deployment, json!({"collisionCount": collisions + 1}))?;
            Err(refusal)
        }
        Err(refusal) => Err(refusal),
    }
}

fn resize(desk: &mut Desk<'_>, deployment: &Value, set: &Value, size: i64) -> Looked {
    let most = (replicas(deployment) + limits_of(deployment).surge).to_string();
    let desired = replicas(deployment).to_string();
    let noted = annotation(set, DESIRED) == Some(&desired) && annotation(set, MOST) == Some(&most);
    let was = replicas(set);
    if was == size && (noted || size == 0) {
        return Ok(());
    }
    let version = text(set, "metadata.resourceVersion");
    let patch = json!({
        "metadata": {"resourceVersion": version, "annotations": {DESIRED: desired, MOST: most}},
        "spec": {"replicas": size},
    });
    desk.merge(REPLICA_SETS, set, "", patch)?;
    if was != size {
        told_scale(desk, deployment, set, was, size);
    }
    Ok(())
}

fn told_scale(desk: &mut Desk<'_>, deployment: &Value, set: &Value, from: i64, to: i64) {
    let direction = if to > from { "up" } else { "down" };
    let message = format!("Scaled {direction} replica set {} from {from} to {to}", name(set));
    let note = Note { level: "Normal", reason: "ScalingReplicaSet", message: &message, by: BY };
    desk.tell(deployment, "Deployment", note);
}

/// Deletes old empty sets beyond the history limit, oldest revision first.
fn clean_up(desk: &mut Desk<'_>, deployment: &Value) -> Looked {
    let keep = usize::try_from(int(deployment, "spec.revisionHistoryLimit").unwrap_or(10)).unwrap_or(0);
    let mut old = sets(desk, deployment).old;
    let revision = |set: &Value| annotation(set, REVISION).and_then(|text| text.parse::<i64>().ok()).unwrap_or(0);
    old.sort_by_key(|set| revision(set));
    let excess = old.len().saturating_sub(keep);
    let empty = |set: &Value| replicas(set) == 0 && int(set, "status.replicas").unwrap_or(0) == 0;
    let gone: Vec<Arc<Value>> = old.into_iter().take(excess).filter(|set| empty(set) && !is_leaving(set)).collect();
    gone.iter().try_for_each(|set| desk.delete(REPLICA_SETS, set, None))
}

fn report(desk: &mut Desk<'_>, key: &Key) -> Looked {
    let Some(deployment) = desk.get(DEPLOYMENTS, key) else { return Ok(()) };
    let sets = sets(desk, &deployment);
    let sum = |path: &str| -> i64 { sets.new.iter().chain(&sets.old).filter_map(|set| int(set, path)).sum() };
    let (total, ready, available) =
        (sum("status.replicas"), sum("status.readyReplicas"), sum("status.availableReplicas"));
    let updated = sets.new.as_ref().and_then(|new| int(new, "status.replicas")).unwrap_or(0);
    let wanted = replicas(&deployment);
    let mut conditions = list(&deployment, "status.conditions").to_vec();
    let enough = available >= wanted - limits_of(&deployment).unavailable;
    let wanted_available = if enough {
        ("True", "MinimumReplicasAvailable", "Deployment has minimum availability.")
    } else {
        ("False", "MinimumReplicasUnavailable", "Deployment does not have minimum availability.")
    };
    let (status, reason, message) = wanted_available;
    put_condition(&mut conditions, Wanted { kind: "Available", status, reason, message }, desk.now);
    let known = |field: &str| int(&deployment, &format!("status.{field}")).unwrap_or(0);
    let moved = updated > known("updatedReplicas")
        || total - updated < known("replicas") - known("updatedReplicas")
        || ready > known("readyReplicas")
        || available > known("availableReplicas");
    let complete = updated == wanted && total == wanted && available == wanted;
    if let Some(new) = &sets.new {
        progress(desk, key, &deployment, new, &mut conditions, complete, moved);
    }
    let mut status = json!({
        "observedGeneration": int(&deployment, "metadata.generation").unwrap_or(0), "replicas": total,
        "updatedReplicas": updated, "readyReplicas": ready, "availableReplicas": available,
        "terminatingReplicas": sum("status.terminatingReplicas"), "conditions": conditions,
    });
    if let Some(fields) = status.as_object_mut() {
        fields.insert("unavailableReplicas".to_owned(), Value::from((total.max(wanted) - available).max(0)));
    }
    if !says_less(&deployment, &status) {
        return Ok(());
    }
    desk.write_status(DEPLOYMENTS, &deployment, status).map(drop)
}

/// The `Progressing` condition: moved by every step of the rollout, true at its end, false past its deadline.
fn progress(
    desk: &mut Desk<'_>,
    key: &Key,
    deployment: &Value,
    new: &Value,
    conditions: &mut Vec<Value>,
    complete: bool,
    moved: bool,
) {
    let set = |conditions: &mut Vec<Value>, status, reason, message: String, now: Timestamp| {
        let known = conditions.iter().find(|known| text(known, "type") == "Progressing").cloned();
        let changed = put_condition(conditions, Wanted { kind: "Progressing", status, reason, message: &message }, now);
        let updated = known.filter(|_| !changed && !moved).and_then(|known| at(&known, "lastUpdateTime").cloned());
        let updated = updated.unwrap_or_else(|| Value::from(super::read::stamp(now)));
        if let Some(fields) =
            conditions.iter_mut().find(|known| text(known, "type") == "Progressing").and_then(Value::as_object_mut)
        {
            fields.insert("lastUpdateTime".to_owned(), updated);
        }
    };
    let known = condition(deployment, "Progressing");
    let reason = known.map_or("", |known| text(known, "reason"));
    let same_template = int(deployment, "status.observedGeneration") == int(deployment, "metadata.generation");
    if complete {
        let message = format!("ReplicaSet \"{}\" has successfully progressed.", name(new));
        if reason != "NewReplicaSetAvailable" || known.is_none_or(|known| text(known, "message") != message) {
            set(conditions, "True", "NewReplicaSetAvailable", message, desk.now);
        }
        return;
    }
    if reason == "NewReplicaSetAvailable" && same_template && !moved {
        return; // A pod that died later does not reopen a finished rollout.
    }
    let Some(limit) = int(deployment, "spec.progressDeadlineSeconds").filter(|limit| *limit < i64::from(i32::MAX))
    else {
        return;
    };
    let since = known.and_then(|known| time(known, "lastUpdateTime"));
    let deadline = since.unwrap_or(desk.now) + Span::seconds(limit);
    if known.is_none() || moved || reason == "NewReplicaSetAvailable" {
        let message = format!("ReplicaSet \"{}\" is progressing.", name(new));
        set(conditions, "True", "ReplicaSetUpdated", message, desk.now);
        desk.at(desk.now + Span::seconds(limit), Role::Deployment, key.clone());
    } else if deadline <= desk.now {
        let message = format!("ReplicaSet \"{}\" has timed out progressing.", name(new));
        set(conditions, "False", "ProgressDeadlineExceeded", message, desk.now);
    } else {
        desk.at(deadline, Role::Deployment, key.clone());
    }
}
