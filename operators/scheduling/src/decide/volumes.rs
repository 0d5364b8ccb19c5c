//! What is written for a pod's claims before it is bound.
//!
//! A volume at hand is kept for its claim (`spec.claimRef`), a claim whose volume is to be made names the node; the cluster's
//! controllers do the rest. Both are what kube-scheduler writes in its PreBind.
//!
//! Promise: what is written already is not written again; an object that has changed meanwhile is not written to.

use keelson_core::ObjectRef;
use keelson_placement::volumes::{Version, Volume, VolumeClaim};
use keelson_placement::{VolumePlan, Volumes};
use serde_json::{Value, json};

/// Says that a node was chosen for the claim's volume.
const SELECTED_NODE: &str = "volume.kubernetes.io/selected-node";
/// Says that nobody bound the volume by hand.
const BOUND_BY_CONTROLLER: &str = "pv.kubernetes.io/bound-by-controller";

/// An object, and the JSON Patch to it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Write {
    pub(super) object: ObjectRef,
    pub(super) patch: Value,
}

/// What is still to be written of a plan.
pub(super) fn writes(plan: &VolumePlan, volumes: &Volumes) -> Vec<Write> {
    let claim = |key: &str| key.split_once('/').and_then(|(namespace, name)| volumes.claim(namespace, name));
    let bindings = plan.bindings.iter().filter_map(|(key, volume)| keep(volumes.volume(volume)?, claim(key)?));
    bindings.chain(plan.provisions.iter().filter_map(|key| select(claim(key)?, &plan.node))).collect()
}

/// Keeps a volume for a claim.
fn keep(volume: &Volume, claim: &VolumeClaim) -> Option<Write> {
    if volume.claim.as_ref().is_some_and(|kept| kept.uid == claim.uid && kept.names(claim)) {
        return None;
    }
    let kept = json!({
        "apiVersion": "v1", "kind": "PersistentVolumeClaim",
        "namespace": claim.namespace, "name": claim.name, "uid": claim.uid, "resourceVersion": claim.version.resource,
    });
    let mut patch = vec![still(&volume.version), json!({"op": "add", "path": "/spec/claimRef", "value": kept})];
    // One that names the claim already was bound by hand.
    patch.extend(volume.claim.is_none().then(|| annotation(&volume.version, BOUND_BY_CONTROLLER, "yes")));
    Some(Write { object: ObjectRef::cluster("PersistentVolume", &volume.name), patch: Value::Array(patch) })
}

/// Has a claim's volume made for a node.
fn select(claim: &VolumeClaim, node: &str) -> Option<Write> {
    let object = ObjectRef::namespaced("PersistentVolumeClaim", &claim.namespace, &claim.name).with_uid(&claim.uid);
    let patch = json!([still(&claim.version), annotation(&claim.version, SELECTED_NODE, node)]);
    (claim.selected_node.as_deref() != Some(node)).then_some(Write { object, patch })
}

fn still(version: &Version) -> Value {
    json!({"op": "test", "path": "/metadata/resourceVersion", "value": version.resource})
}

fn annotation(version: &Version, key: &str, value: &str) -> Value {
    if version.annotated {
        let path = format!("/metadata/annotations/{}", key.replace('/', "~1"));
        json!({"op": "add", "path": path, "value": value})
    } else {
        json!({"op": "add", "path": "/metadata/annotations", "value": {key: value}})
    }
}
