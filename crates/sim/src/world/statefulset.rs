//! The StatefulSet controller: pods with names, in order, each with its own claims.
//!
//! Pods are created from the lowest ordinal up and removed from the highest down, one at a time unless the set is
//! `Parallel`; an update goes from the highest ordinal down to the partition, one pod at a time.

use std::sync::Arc;

use keelson_core::{Span, Timestamp};

use super::agenda::Role;
use super::demand::is_finished;
use super::desk::{Desk, Looked, Note};
use super::kinds::{CLAIMS, PODS, REVISIONS, STATEFUL_SETS};
use super::read::{Key, at, entry, int, is_leaving, list, name, namespace, owned_by, text, uid};
use super::replicaset::{available_at, notice_owner};
use crate::objects::{Event, Refusal, Write};
use crate::tree::{Value, json};

/// Label of a pod: the revision of its template.
pub const REVISION: &str = "controller-revision-hash";
/// Who says so in events.
const BY: &str = "statefulset-controller";

/// Looks at sets that changed and at those whose pods did.
pub fn notice(desk: &mut Desk<'_>, event: &Event) {
    if event.resource == STATEFUL_SETS && !event.deleted {
        desk.soon(Role::StatefulSet, Key::of(&event.object));
    } else if event.resource == PODS {
        notice_owner(desk, event, "StatefulSet", Role::StatefulSet);
    }
}

/// The ordinal in a pod's name.
fn ordinal(set: &Value, pod: &Value) -> Option<i64> {
    name(pod).strip_prefix(name(set))?.strip_prefix('-')?.parse().ok()
}

fn is_current(pod: &Value, revision: &str) -> bool {
    entry(pod, "metadata.labels", REVISION) == Some(revision)
}

struct View {
    set: Arc<Value>,
    pods: Vec<(i64, Arc<Value>)>,
    start: i64,
    replicas: i64,
    ordered: bool,
    min_ready: Span,
    update: String,
    current: String,
}

impl View {
    fn pod(&self, ordinal: i64) -> Option<&Arc<Value>> {
        self.pods.iter().find(|(known, _)| *known == ordinal).map(|(_, pod)| pod)
    }

    fn healthy(&self, pod: &Value, now: Timestamp) -> bool {
        !is_leaving(pod) && available_at(pod, self.min_ready).is_some_and(|when| when <= now)
    }

    /// The revision a new pod of an ordinal gets.
    fn revision(&self, ordinal: i64) -> &str {
        let partition = int(&self.set, "spec.updateStrategy.rollingUpdate.partition").unwrap_or(0);
        if ordinal - self.start < partition { &self.current } else { &self.update }
    }
}

/// One look at a set.
///
/// # Errors
/// What the API says.
pub fn look(desk: &mut Desk<'_>, key: &Key) -> Looked {
    let Some(set) = desk.get(STATEFUL_SETS, key).filter(|set| !is_leaving(set)) else { return Ok(()) };
    let update = ensure_revision(desk, &set)?;
    let known = text(&set, "status.currentRevision");
    let current = if known.is_empty() { update.clone() } else { known.to_owned() };
    let view = view(desk, set, update, current);
    for (_, pod) in &view.pods {
        if let Some(when) = available_at(pod, view.min_ready).filter(|when| *when > desk.now) {
            desk.at(when, Role::StatefulSet, key.clone());
        }
    }
    let outcome = step(desk, &view);
    report(desk, &view)?;
    outcome
}

fn view(desk: &Desk<'_>, set: Arc<Value>, update: String, current: String) -> View {
    let owned = desk.state.seen.owned(uid(&set), PODS);
    let mut pods: Vec<_> = owned.into_iter().filter_map(|pod| Some((ordinal(&set, &pod)?, pod))).collect();
    pods.sort_by_key(|(ordinal, _)| *ordinal);
    View {
        pods,
        start: int(&set, "spec.ordinals.start").unwrap_or(0),
        replicas: int(&set, "spec.replicas").unwrap_or(1),
        ordered: text(&set, "spec.podManagementPolicy") != "Parallel",
        min_ready: Span::seconds(int(&set, "spec.minReadySeconds").unwrap_or(0)),
        update,
        current,
        set,
    }
}

fn step(desk: &mut Desk<'_>, view: &View) -> Looked {
    let wanted = view.start..view.start + view.replicas;
    for ordinal in wanted.clone() {
        match view.pod(ordinal) {
            None => create(desk, view, ordinal)?,
            Some(pod) if is_finished(pod) && !is_leaving(pod) => desk.delete(PODS, pod, Some(0))?,
            Some(pod) if view.healthy(pod, desk.now) => continue,
            Some(_) => {}
        }
        if view.ordered {
            return Ok(()); // The next one waits for this one.
        }
    }
    let condemned: Vec<&Arc<Value>> =
        view.pods.iter().rev().filter(|(ordinal, _)| !wanted.contains(ordinal)).map(|(_, pod)| pod).collect();
    for pod in condemned {
        if !is_leaving(pod) {
            release_claims(desk, view, pod)?;
            told(
                desk,
                &view.set,
                "SuccessfulDelete",
                &format!("delete Pod {} in StatefulSet {} successful", name(pod), name(&view.set)),
            );
            desk.delete(PODS, pod, None)?;
        }
        if view.ordered {
            return Ok(());
        }
    }
    roll(desk, view)
}

/// Takes one pod of an old revision away, from the highest ordinal down; waits for any that is not healthy.
fn roll(desk: &mut Desk<'_>, view: &View) -> Looked {
    if text(&view.set, "spec.updateStrategy.type") == "OnDelete" {
        return Ok(());
    }
    for (ordinal, pod) in view.pods.iter().rev() {
        if !is_current(pod, view.revision(*ordinal)) && !is_leaving(pod) {
            return desk.delete(PODS, pod, None);
        }
        if !view.healthy(pod, desk.now) {
            return Ok(());
        }
    }
    Ok(())
}

fn create(desk: &mut Desk<'_>, view: &View, ordinal: i64) -> Looked {
    let set = &view.set;
    let pod_name = format!("{}-{ordinal}", name(set));
    let mut volumes = Vec::new();
    for template in list(set, "spec.volumeClaimTemplates") {
        let claim = format!("{}-{pod_name}", name(template));
        volumes.push(json!({"name": name(template), "persistentVolumeClaim": {"claimName": claim}}));
        make_claim(desk, set, template, &claim)?;
    }
    let revision = view.revision(ordinal).to_owned();
    let template = match desk.get(REVISIONS, &Key::new(namespace(set), &revision)) {
        Some(stored) if revision != view.update => at(&stored, "data.spec.template").cloned(),
        _ => at(set, "spec.template").cloned(),
    };
    let mut pod = super::replicaset::pod_from(&template.unwrap_or_default(), set, "apps/v1", "StatefulSet");
    if let Some(metadata) = pod.get_mut("metadata").and_then(Value::as_object_mut) {
        metadata.remove("generateName");
        metadata.insert("name".to_owned(), Value::from(pod_name.as_str()));
        let labels = metadata.entry("labels").or_insert_with(|| json!({}));
        if let Some(labels) = labels.as_object_mut() {
            labels.insert("statefulset.kubernetes.io/pod-name".to_owned(), Value::from(pod_name.as_str()));
            labels.insert("apps.kubernetes.io/pod-index".to_owned(), Value::from(ordinal.to_string()));
            labels.insert(REVISION.to_owned(), Value::from(revision));
        }
    }
    if let Some(spec) = pod.get_mut("spec").and_then(Value::as_object_mut) {
        spec.insert("hostname".to_owned(), Value::from(pod_name.as_str()));
        spec.insert("subdomain".to_owned(), Value::from(text(set, "spec.serviceName")));
        let others = spec.get("volumes").and_then(Value::as_array).cloned().unwrap_or_default();
        let named = |volume: &Value| volumes.iter().any(|claim| text(claim, "name") == text(volume, "name"));
        let others: Vec<Value> = others.into_iter().filter(|volume| !named(volume)).collect();
        let all: Vec<Value> = volumes.into_iter().chain(others).collect();
        if !all.is_empty() {
            spec.insert("volumes".to_owned(), Value::from(all));
        }
    }
    desk.write(Write::Create(PODS, pod))?;
    told(desk, set, "SuccessfulCreate", &format!("create Pod {pod_name} in StatefulSet {} successful", name(set)));
    Ok(())
}

fn told(desk: &mut Desk<'_>, set: &Value, reason: &str, message: &str) {
    desk.tell(set, "StatefulSet", Note { level: "Normal", reason, message, by: BY });
}

fn make_claim(desk: &mut Desk<'_>, set: &Value, template: &Value, claim: &str) -> Looked {
    if desk.get(CLAIMS, &Key::new(namespace(set), claim)).is_some() {
        return Ok(());
    }
    let mut metadata =
        json!({"namespace": namespace(set), "name": claim, "labels": at(set, "spec.selector.matchLabels")});
    if text(set, "spec.persistentVolumeClaimRetentionPolicy.whenDeleted") == "Delete"
        && let Some(fields) = metadata.as_object_mut()
    {
        fields.insert("ownerReferences".to_owned(), json!([owned_by(set, "apps/v1", "StatefulSet")]));
    }
    let spec = at(template, "spec");
    let object = json!({"apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": metadata, "spec": spec});
    desk.write(Write::Create(CLAIMS, object)).map(drop)
}

/// Claims of a pod that is scaled away go with it, where the set says so.
fn release_claims(desk: &mut Desk<'_>, view: &View, pod: &Value) -> Looked {
    if text(&view.set, "spec.persistentVolumeClaimRetentionPolicy.whenScaled") != "Delete" {
        return Ok(());
    }
    for template in list(&view.set, "spec.volumeClaimTemplates") {
        let key = Key::new(namespace(pod), format!("{}-{}", name(template), name(pod)));
        if let Some(claim) = desk.get(CLAIMS, &key) {
            let owners = json!([owned_by(pod, "v1", "Pod")]);
            desk.merge(CLAIMS, &claim, "", json!({"metadata": {"ownerReferences": owners}}))?;
        }
    }
    Ok(())
}

/// Keeps the template as a ControllerRevision and returns its name.
fn ensure_revision(desk: &mut Desk<'_>, set: &Value) -> Result<String, Refusal> {
    let template = at(set, "spec.template").cloned().unwrap_or_default();
    let revision = format!("{}-{}", name(set), super::deployment::hash(&template, 0));
    let key = Key::new(namespace(set), &revision);
    if desk.get(REVISIONS, &key).is_none() {
        let number = desk.state.seen.owned(uid(set), REVISIONS).len() + 1;
        let metadata = json!({"namespace": key.namespace, "name": revision, "labels": at(&template, "metadata.labels"),
            "ownerReferences": [owned_by(set, "apps/v1", text(set, "kind"))]});
        desk.write(Write::Create(
            REVISIONS,
            json!({"apiVersion": "apps/v1", "kind": "ControllerRevision", "metadata": metadata, "revision": number,
                "data": {"spec": {"template": template}}}),
        ))?;
    }
    Ok(revision)
}

fn report(desk: &mut Desk<'_>, view: &View) -> Looked {
    let now = desk.now;
    let owned = desk.state.seen.owned(uid(&view.set), PODS);
    let count = |test: &dyn Fn(&Value) -> bool| owned.iter().filter(|pod| !is_finished(pod) && test(pod)).count();
    let of = |revision: &str| count(&|pod| is_current(pod, revision) && !is_leaving(pod));
    let updated = of(&view.update);
    let wanted = usize::try_from(view.replicas).unwrap_or(0);
    let available = count(&|pod| view.healthy(pod, now));
    let done = updated == wanted && count(&|_| true) == wanted && available == wanted;
    let current = if done { &view.update } else { &view.current };
    let status = json!({
        "observedGeneration": int(&view.set, "metadata.generation").unwrap_or(0), "replicas": count(&|_| true),
        "readyReplicas": count(&|pod| super::read::holds(pod, "Ready")), "availableReplicas": available,
        "currentReplicas": of(current), "updatedReplicas": updated, "currentRevision": current,
        "updateRevision": view.update, "collisionCount": 0,
    });
    if super::replicaset::says_less(&view.set, &status) {
        desk.write_status(STATEFUL_SETS, &view.set, status)?;
    }
    Ok(())
}
