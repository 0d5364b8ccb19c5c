//! Claims and volumes: provisioning in a zone, binding, reclaiming.
//!
//! A claim of an `Immediate` class gets a volume in a zone of chance, one of a `WaitForFirstConsumer` class in the zone
//! of the node that a scheduler wrote into [`SELECTED_NODE`], or the volume that a scheduler kept for it. A volume stays in its zone for ever, and says so in its
//! node affinity.

use std::collections::BTreeSet;
use std::sync::Arc;

use keelson_core::{Quantity, Span};

use super::agenda::Role;
use super::desk::{Desk, Looked};
use super::kinds::{CLAIMS, NODES, PODS, STORAGE_CLASSES, VOLUMES};
use super::kubelet::claims;
use super::read::{
    Key, annotation, at, entry, is_leaving, list, name, namespace, owned_by, quantity, selector, text, uid,
};
use super::suits::NodeFacts;
use crate::objects::{Event, Write};
use crate::tree::{Value, json};

/// Annotation of a claim: the node its first pod will run on.
pub const SELECTED_NODE: &str = "volume.kubernetes.io/selected-node";
/// The label of a zone.
const ZONE: &str = "topology.kubernetes.io/zone";
/// Annotation of the class used when a claim names none.
const DEFAULT_CLASS: &str = "storageclass.kubernetes.io/is-default-class";

/// Looks at claims after the time a volume takes to make, at volumes whose claim went, at pods that bring claims.
pub fn notice(desk: &mut Desk<'_>, event: &Event) {
    let object = &event.object;
    if event.resource == CLAIMS && event.deleted {
        if !text(object, "spec.volumeName").is_empty() {
            desk.soon(Role::Volume, Key::cluster(text(object, "spec.volumeName")));
        }
    } else if event.resource == CLAIMS && text(object, "status.phase") != "Bound" {
        let delay = desk.state.chance.span("provision", uid(object), Span::seconds(1), Span::seconds(4));
        desk.at(desk.now + delay, Role::Claim, Key::of(object));
    } else if event.resource == VOLUMES && !event.deleted {
        desk.soon(Role::Volume, Key::of(object));
    } else if event.resource == PODS && event.before.is_none() && list(object, "spec.volumes").iter().any(is_ephemeral)
    {
        desk.soon(Role::EphemeralClaims, Key::of(object));
    }
}

fn is_ephemeral(volume: &Value) -> bool {
    at(volume, "ephemeral").is_some()
}

/// Creates the claims of a pod's generic ephemeral volumes.
///
/// # Errors
/// What the API says.
pub fn make_ephemeral(desk: &mut Desk<'_>, key: &Key) -> Looked {
    let Some(pod) = desk.get(PODS, key).filter(|pod| !is_leaving(pod)) else { return Ok(()) };
    for volume in list(&pod, "spec.volumes").iter().filter(|volume| is_ephemeral(volume)) {
        let claim = Key::new(&key.namespace, format!("{}-{}", key.name, text(volume, "name")));
        if desk.get(CLAIMS, &claim).is_none() {
            let mut object = at(volume, "ephemeral.volumeClaimTemplate").cloned().unwrap_or_else(|| json!({}));
            if let Some(fields) = object.as_object_mut() {
                let owner = owned_by(&pod, "v1", "Pod");
                let metadata = json!({"namespace": claim.namespace, "name": claim.name, "ownerReferences": [owner]});
                fields.insert("metadata".to_owned(), metadata);
            }
            desk.write(Write::Create(CLAIMS, object))?;
        }
    }
    Ok(())
}

/// The class of a claim: its own, or the default one.
fn class(desk: &Desk<'_>, claim: &Value) -> Option<Arc<Value>> {
    match at(claim, "spec.storageClassName").and_then(Value::as_str) {
        Some(named) => desk.get(STORAGE_CLASSES, &Key::cluster(named)),
        None => {
            let mut classes = desk.state.seen.all(STORAGE_CLASSES).map(|(_, class)| class);
            classes.find(|class| annotation(class, DEFAULT_CLASS) == Some("true")).cloned()
        }
    }
}

fn waits_for_consumer(class: &Value) -> bool {
    text(class, "volumeBindingMode") == "WaitForFirstConsumer"
}

/// One look at an unbound claim.
///
/// # Errors
/// What the API says.
pub fn look_at_claim(desk: &mut Desk<'_>, key: &Key) -> Looked {
    let Some(claim) = desk.get(CLAIMS, key) else { return Ok(()) };
    if is_leaving(&claim) || text(&claim, "status.phase") == "Bound" {
        return Ok(());
    }
    let named = text(&claim, "spec.volumeName");
    if !named.is_empty() {
        return match desk.get(VOLUMES, &Key::cluster(named)) {
            Some(volume) => bind(desk, &claim, &volume),
            None => Ok(()),
        };
    }
    if let Some(volume) = kept(desk, &claim) {
        return bind(desk, &claim, &volume);
    }
    let class = class(desk, &claim);
    let waits = class.as_deref().is_some_and(waits_for_consumer);
    let selected = annotation(&claim, SELECTED_NODE).map(str::to_owned);
    let node = selected.as_deref().and_then(|node| desk.get(NODES, &Key::cluster(node)));
    if waits && node.is_none() {
        return Ok(()); // The first pod's scheduler has the next word.
    }
    if let Some(volume) = fitting(desk, &claim, node.as_deref()) {
        return bind(desk, &claim, &volume);
    }
    let Some(class) = class.filter(|class| text(class, "provisioner") != "kubernetes.io/no-provisioner") else {
        return Ok(());
    };
    let zone = match &node {
        Some(node) => entry(node, "metadata.labels", ZONE).map(str::to_owned),
        None => zone_by_chance(desk, &claim, &class),
    };
    let volume = provision(desk, &claim, &class, zone.as_deref())?;
    bind(desk, &claim, &volume)
}

/// The volume that a scheduler kept for a claim.
fn kept(desk: &Desk<'_>, claim: &Value) -> Option<Arc<Value>> {
    let mut volumes = desk.state.seen.all(VOLUMES).map(|(_, volume)| volume);
    volumes.find(|volume| text(volume, "spec.claimRef.uid") == uid(claim)).cloned()
}

/// The smallest free volume that a claim can take.
fn fitting(desk: &Desk<'_>, claim: &Value, node: Option<&Value>) -> Option<Arc<Value>> {
    let wanted = capacity(claim, "spec.resources.requests");
    let class = text(claim, "spec.storageClassName");
    let labels = selector(claim, "spec.selector");
    let facts = node.map(NodeFacts::of);
    let volumes = desk.state.seen.all(VOLUMES).map(|(_, volume)| volume);
    let fits = |volume: &&Arc<Value>| {
        let free =
            text(volume, "status.phase") == "Available" && at(volume, "spec.claimRef").is_none_or(Value::is_null);
        let modes = list(volume, "spec.accessModes");
        free && text(volume, "spec.storageClassName") == class
            && capacity(volume, "spec.capacity") >= wanted
            && list(claim, "spec.accessModes").iter().all(|mode| modes.contains(mode))
            && labels.as_ref().is_none_or(|labels| labels.matches(&super::read::labels(volume)))
            && facts.as_ref().is_none_or(|facts| reaches(facts, volume))
    };
    volumes.filter(fits).min_by_key(|volume| capacity(volume, "spec.capacity")).cloned()
}

fn capacity(object: &Value, path: &str) -> i64 {
    at(object, path).and_then(|amounts| amounts.get("storage")).and_then(quantity).map_or(0, |amount| amount.value())
}

fn zone_by_chance(desk: &Desk<'_>, claim: &Value, class: &Value) -> Option<String> {
    let topologies = list(class, "allowedTopologies").iter().flat_map(|terms| list(terms, "matchLabelExpressions"));
    let allowed: Vec<String> = topologies
        .filter(|term| text(term, "key") == ZONE)
        .flat_map(|term| list(term, "values"))
        .filter_map(|zone| zone.as_str().map(str::to_owned))
        .collect();
    let here: BTreeSet<&String> = desk.state.seen.nodes().values().filter_map(|node| node.labels.get(ZONE)).collect();
    let zones: Vec<&String> = here.into_iter().filter(|zone| allowed.is_empty() || allowed.contains(zone)).collect();
    let count = u64::try_from(zones.len()).unwrap_or(0);
    let pick = usize::try_from(desk.state.chance.below("zone", uid(claim), count)).unwrap_or(0);
    zones.get(pick).map(|zone| (*zone).clone())
}

fn provision(
    desk: &mut Desk<'_>,
    claim: &Value,
    class: &Value,
    zone: Option<&str>,
) -> Result<Arc<Value>, crate::objects::Refusal> {
    let volume = format!("pvc-{}", uid(claim));
    if let Some(known) = desk.get(VOLUMES, &Key::cluster(&volume)) {
        return Ok(known);
    }
    let reclaim = match text(class, "reclaimPolicy") {
        "" => "Delete",
        policy => policy,
    };
    let mut spec = json!({
        "capacity": {"storage": Quantity::from_bytes(capacity(claim, "spec.resources.requests"))},
        "accessModes": at(claim, "spec.accessModes"), "persistentVolumeReclaimPolicy": reclaim,
        "storageClassName": name(class), "volumeMode": "Filesystem", "claimRef": claim_ref(claim),
        "csi": {"driver": text(class, "provisioner"), "volumeHandle": volume},
    });
    if let (Some(zone), Some(fields)) = (zone, spec.as_object_mut()) {
        let term = json!({"matchExpressions": [{"key": ZONE, "operator": "In", "values": [zone]}]});
        fields.insert("nodeAffinity".to_owned(), json!({"required": {"nodeSelectorTerms": [term]}}));
    }
    let metadata =
        json!({"name": volume, "annotations": {"pv.kubernetes.io/provisioned-by": text(class, "provisioner")}});
    let object = json!({"apiVersion": "v1", "kind": "PersistentVolume", "metadata": metadata, "spec": spec});
    desk.write(Write::Create(VOLUMES, object))
}

fn claim_ref(claim: &Value) -> Value {
    json!({"apiVersion": "v1", "kind": "PersistentVolumeClaim", "namespace": namespace(claim), "name": name(claim),
        "uid": uid(claim)})
}

/// Binds both to each other; a claim that is half bound is finished.
fn bind(desk: &mut Desk<'_>, claim: &Value, volume: &Value) -> Looked {
    let holder = text(volume, "spec.claimRef.uid");
    if !holder.is_empty() && holder != uid(claim) {
        return Ok(());
    }
    if holder.is_empty() {
        desk.merge(VOLUMES, volume, "", json!({"spec": {"claimRef": claim_ref(claim)}}))?;
    }
    desk.merge(VOLUMES, volume, "status", json!({"status": {"phase": "Bound"}}))?;
    let done = json!({"pv.kubernetes.io/bind-completed": "yes", "pv.kubernetes.io/bound-by-controller": "yes"});
    let class = text(volume, "spec.storageClassName");
    let patch =
        json!({"metadata": {"annotations": done}, "spec": {"volumeName": name(volume), "storageClassName": class}});
    desk.merge(CLAIMS, claim, "", patch)?;
    let (modes, capacity) = (at(volume, "spec.accessModes"), at(volume, "spec.capacity"));
    let status = json!({"phase": "Bound", "accessModes": modes, "capacity": capacity});
    desk.merge(CLAIMS, claim, "status", json!({"status": status})).map(drop)
}

/// One look at a volume: a new one becomes available, one whose claim is gone is reclaimed.
///
/// # Errors
/// What the API says.
pub fn look_at_volume(desk: &mut Desk<'_>, key: &Key) -> Looked {
    let Some(volume) = desk.get(VOLUMES, key).filter(|volume| !is_leaving(volume)) else { return Ok(()) };
    let holder = at(&volume, "spec.claimRef").filter(|holder| !holder.is_null());
    let phase = match holder {
        None => "Available",
        Some(holder) => {
            let claim = desk.get(CLAIMS, &Key::new(text(holder, "namespace"), text(holder, "name")));
            let held = claim.is_some_and(|claim| uid(&claim) == text(holder, "uid") || text(holder, "uid").is_empty());
            match (held, text(&volume, "spec.persistentVolumeReclaimPolicy")) {
                (true, _) => {
                    if text(&volume, "status.phase") != "Bound" {
                        desk.soon(Role::Claim, Key::new(text(holder, "namespace"), text(holder, "name")));
                    }
                    return Ok(());
                }
                (false, "Delete") => return desk.delete(VOLUMES, &volume, None),
                (false, _) => "Released",
            }
        }
    };
    if text(&volume, "status.phase") == phase {
        return Ok(());
    }
    desk.merge(VOLUMES, &volume, "status", json!({"status": {"phase": phase}}))?;
    // A claim may have waited for just this volume.
    let waiting: Vec<Key> = desk
        .state
        .seen
        .all(CLAIMS)
        .filter(|(_, c)| text(c, "status.phase") != "Bound")
        .map(|(k, _)| k.clone())
        .collect();
    waiting.into_iter().for_each(|claim| desk.soon(Role::Claim, claim));
    Ok(())
}

/// Whether a node reaches a volume.
#[must_use]
pub fn reaches(node: &NodeFacts, volume: &Value) -> bool {
    at(volume, "spec.nodeAffinity.required")
        .is_none_or(|required| node.meets_terms(list(required, "nodeSelectorTerms")))
}

/// What a pod's volumes ask of a node.
#[derive(Debug, Default)]
pub struct Needs {
    /// Volumes that are there.
    pub volumes: Vec<Arc<Value>>,
    /// Claims that wait for the pod's node, with their classes.
    pub open: Vec<(Arc<Value>, Arc<Value>)>,
}

impl Needs {
    /// Reads a pod's claims.
    ///
    /// # Errors
    /// Why the pod cannot be placed at all, in upstream's words.
    pub fn of(desk: &Desk<'_>, pod: &Value) -> Result<Self, String> {
        let mut needs = Self::default();
        for claim_name in claims(pod) {
            let Some(claim) = desk.get(CLAIMS, &Key::new(namespace(pod), &claim_name)) else {
                return Err(format!("persistentvolumeclaim \"{claim_name}\" not found"));
            };
            match desk.get(VOLUMES, &Key::cluster(text(&claim, "spec.volumeName"))) {
                Some(volume) if text(&claim, "status.phase") == "Bound" => needs.volumes.push(volume),
                _ => match class(desk, &claim).filter(|class| waits_for_consumer(class)) {
                    Some(class) => needs.open.push((claim, class)),
                    None => return Err("pod has unbound immediate PersistentVolumeClaims".to_owned()),
                },
            }
        }
        Ok(needs)
    }

    /// Whether a node reaches every volume and may get those that are still to be made.
    #[must_use]
    pub fn are_met_by(&self, node: &NodeFacts) -> bool {
        let allowed = |class: &Value| {
            let terms = list(class, "allowedTopologies");
            terms.is_empty()
                || terms.iter().any(|term| {
                    list(term, "matchLabelExpressions").iter().all(|wanted| {
                        let label = node.labels.get(text(wanted, "key"));
                        list(wanted, "values").iter().any(|value| value.as_str() == label.map(String::as_str))
                    })
                })
        };
        self.volumes.iter().all(|volume| reaches(node, volume)) && self.open.iter().all(|(_, class)| allowed(class))
    }
}
