//! Deployments, sets and jobs.

use super::{super::json::Json, pod};
use crate::tree::{Value, json};

pub(crate) fn apply(plural: &str, object: &mut Value) {
    match plural {
        "deployments" => {
            pod::spec(object.place(&["spec", "template", "spec"]));
            object.default_to(&["spec", "replicas"], 1);
            object.default_to(&["spec", "strategy", "type"], "RollingUpdate");
            if object.text(&["spec", "strategy", "type"]) == "RollingUpdate" {
                object.default_to(&["spec", "strategy", "rollingUpdate", "maxUnavailable"], "25%");
                object.default_to(&["spec", "strategy", "rollingUpdate", "maxSurge"], "25%");
            }
            object.default_to(&["spec", "revisionHistoryLimit"], 10);
            object.default_to(&["spec", "progressDeadlineSeconds"], 600);
        }
        "statefulsets" => {
            pod::spec(object.place(&["spec", "template", "spec"]));
            object.default_to(&["spec", "replicas"], 1);
            object.default_to(&["spec", "podManagementPolicy"], "OrderedReady");
            object.default_to(&["spec", "updateStrategy", "type"], "RollingUpdate");
            if object.text(&["spec", "updateStrategy", "type"]) == "RollingUpdate" {
                object.default_to(&["spec", "updateStrategy", "rollingUpdate", "partition"], 0);
            }
            object.default_to(&["spec", "revisionHistoryLimit"], 10);
            let keep = json!({"whenDeleted": "Retain", "whenScaled": "Retain"});
            object.default_to(&["spec", "persistentVolumeClaimRetentionPolicy"], keep);
            if let Some(claims) = object.place_if(&["spec", "volumeClaimTemplates"]).and_then(Value::as_array_mut) {
                for claim in claims {
                    claim.default_to(&["apiVersion"], "v1");
                    claim.default_to(&["kind"], "PersistentVolumeClaim");
                    claim.default_to(&["spec", "volumeMode"], "Filesystem");
                    claim.default_to(&["status", "phase"], "Pending");
                }
            }
        }
        "daemonsets" => {
            pod::spec(object.place(&["spec", "template", "spec"]));
            object.default_to(&["spec", "updateStrategy", "type"], "RollingUpdate");
            if object.text(&["spec", "updateStrategy", "type"]) == "RollingUpdate" {
                object.default_to(&["spec", "updateStrategy", "rollingUpdate", "maxUnavailable"], 1);
                object.default_to(&["spec", "updateStrategy", "rollingUpdate", "maxSurge"], 0);
            }
            object.default_to(&["spec", "revisionHistoryLimit"], 10);
        }
        "replicasets" => {
            pod::spec(object.place(&["spec", "template", "spec"]));
            object.default_to(&["spec", "replicas"], 1);
        }
        "replicationcontrollers" => {
            pod::spec(object.place(&["spec", "template", "spec"]));
            object.default_to(&["spec", "replicas"], 1);
            let labels = object.at(&["spec", "template", "metadata", "labels"]).clone();
            if !labels.is_null() {
                object.default_to(&["spec", "selector"], labels);
            }
        }
        "jobs" => {
            job(object.place(&["spec"]));
        }
        "cronjobs" => {
            object.default_to(&["spec", "concurrencyPolicy"], "Allow");
            object.default_to(&["spec", "suspend"], false);
            object.default_to(&["spec", "successfulJobsHistoryLimit"], 3);
            object.default_to(&["spec", "failedJobsHistoryLimit"], 1);
            object.default_to(&["spec", "jobTemplate", "metadata"], json!({}));
            object.default_to(&["spec", "jobTemplate", "spec", "template", "metadata"], json!({}));
            pod::spec(object.place(&["spec", "jobTemplate", "spec", "template", "spec"]));
        }
        _ => {}
    }
}

fn job(spec: &mut Value) {
    pod::spec(spec.place(&["template", "spec"]));
    if spec.at(&["completions"]).is_null() && spec.at(&["parallelism"]).is_null() {
        spec.put(&["completions"], 1);
    }
    spec.default_to(&["parallelism"], 1);
    spec.default_to(&["backoffLimit"], 6);
    spec.default_to(&["completionMode"], "NonIndexed");
    spec.default_to(&["suspend"], false);
    spec.default_to(&["manualSelector"], false);
    spec.default_to(&["podReplacementPolicy"], "TerminatingOrFailed");
}

/// A job without a selector selects its own pods, by its uid.
pub(super) fn job_identity(object: &mut Value) {
    let (uid, name) = (object.text(&["metadata", "uid"]).to_owned(), object.text(&["metadata", "name"]).to_owned());
    let spec = object.place(&["spec"]);
    if spec.at(&["manualSelector"]) == &Value::Bool(true) || !spec.at(&["selector"]).is_null() {
        return;
    }
    spec.put(&["selector"], json!({"matchLabels": {"batch.kubernetes.io/controller-uid": uid}}));
    let labels = [
        ("batch.kubernetes.io/controller-uid", &uid),
        ("batch.kubernetes.io/job-name", &name),
        ("controller-uid", &uid),
        ("job-name", &name),
    ];
    for (key, value) in labels {
        spec.put(&["template", "metadata", "labels", key], value.as_str());
    }
    let labels = spec.at(&["template", "metadata", "labels"]).clone();
    object.default_to(&["metadata", "labels"], labels);
}
