//! Every field that the generator writes changes an answer somewhere: one that never does is generated in vain.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use keelson_parity::feature::{Feature, Mode};
use keelson_parity::generate::case;
use keelson_parity::oracle::Oracle;
use keelson_parity::request::Request;
use serde_json::Value;

/// Fields, and the cases in which each is looked for.
const FIELDS: &[(Feature, &[&str])] = &[
    (Feature::NodeUnschedulable, &["unschedulable", "tolerations"]),
    (Feature::NodeName, &["nodeName"]),
    (Feature::TaintToleration, &["taints", "tolerations", "key", "operator", "value", "effect"]),
    (Feature::NodeAffinity, &["nodeSelector", "matchFields", "matchExpressions", "weight", "preference", "values"]),
    (Feature::NodePorts, &["hostPort", "hostIP", "protocol", "hostNetwork", "initContainers", "restartPolicy"]),
    (
        Feature::NodeResourcesFit,
        &[
            "pods",
            "example.com/gpu",
            "hugepages-2Mi",
            "ephemeral-storage",
            "limits",
            "requests",
            "initContainers",
            "restartPolicy",
            "overhead",
            "containerStatuses",
            "allocatedResources",
            "conditions",
        ],
    ),
    (Feature::ImageLocality, &["images", "image", "sizeBytes", "initContainers"]),
    (
        Feature::PodTopologySpread,
        &[
            "topologySpreadConstraints",
            "maxSkew",
            "minDomains",
            "labelSelector",
            "nodeAffinityPolicy",
            "nodeTaintsPolicy",
            "matchLabelKeys",
            "services",
            "replicationControllers",
            "replicaSets",
            "statefulSets",
            "ownerReferences",
            "deletionTimestamp",
            "nodeSelector",
            "taints",
        ],
    ),
    (
        Feature::InterPodAffinity,
        &[
            "podAffinity",
            "podAntiAffinity",
            "namespaces",
            "namespaceSelector",
            "labelSelector",
            "matchExpressions",
            "requiredDuringSchedulingIgnoredDuringExecution",
            "preferredDuringSchedulingIgnoredDuringExecution",
        ],
    ),
    (Feature::VolumeRestrictions, &["readOnly", "monitors", "iqn", "accessModes", "pdName", "volumeID"]),
    (
        Feature::NodeVolumeLimits,
        &["csiNodes", "count", "volumeHandle", "gcePersistentDisk", "volumeAttachments", "annotations", "csi"],
    ),
    (
        Feature::VolumeBinding,
        &[
            "nodeAffinity",
            "allowedTopologies",
            "csiStorageCapacities",
            "maximumVolumeSize",
            "capacity",
            "csiDrivers",
            "annotations",
            "ownerReferences",
            "deletionTimestamp",
            "storageClassName",
            "phase",
            "selector",
            "volumeName",
            "volumeMode",
            "accessModes",
        ],
    ),
    (Feature::VolumeZone, &["persistentVolumes", "storageClasses", "labels"]),
    (
        Feature::DefaultPreemption,
        &[
            "priority",
            "startTime",
            "preemptionPolicy",
            "podDisruptionBudgets",
            "disruptionsAllowed",
            "disruptedPods",
            "nominatedNodeName",
            "selector",
        ],
    ),
    (Feature::Nominated, &["nominated", "priority"]),
];
/// Cases that are tried for a field.
const CASES: u64 = 3_000;

#[test]
fn every_field_that_is_made_changes_an_answer_somewhere() {
    let mut oracle = Oracle::start().unwrap();
    let mut inert = Vec::new();
    for (feature, fields) in FIELDS {
        for field in *fields {
            let matters = (0..CASES).any(|seed| {
                let asked = case(seed, Mode::Only(*feature)).request;
                let mut without = serde_json::to_value(&asked).unwrap();
                // Some fields stand in a list of the question, which would be absent and not null.
                if !take(&mut without, field) {
                    return false;
                }
                let without: Request = serde_json::from_value(without).unwrap();
                oracle.ask(&asked).ok() != oracle.ask(&without).ok()
            });
            if !matters {
                inert.push(format!("{feature}: {field}"));
            }
        }
    }
    assert_eq!(inert, Vec::<String>::new(), "left out of every case, these change no answer");
}

/// Takes a field away wherever it stands; whether it stood anywhere with something in it.
fn take(value: &mut Value, field: &str) -> bool {
    match value {
        Value::Object(fields) => {
            let empty = Value::Array(Vec::new());
            let taken = fields.remove(field).is_some_and(|was| was != empty && !was.is_null());
            fields.values_mut().fold(taken, |taken, inner| take(inner, field) | taken)
        }
        Value::Array(items) => items.iter_mut().fold(false, |taken, inner| take(inner, field) | taken),
        _ => false,
    }
}
