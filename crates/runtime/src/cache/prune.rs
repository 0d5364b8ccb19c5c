//! What is forgotten before an object is kept.
//!
//! Half of a Pod as the API server sends it is bookkeeping that no feature reads. Dropping it before the object is
//! decoded is the difference between a cache that fits and one that does not.

use serde_json::Value;

/// What `kubectl apply` leaves behind: the whole manifest again.
const LAST_APPLIED: &str = "kubectl.kubernetes.io/last-applied-configuration";

/// Drops what nobody reads.
pub(crate) fn prune(plural: &str, object: &mut Value) {
    if let Some(meta) = object.get_mut("metadata").and_then(Value::as_object_mut) {
        meta.remove("managedFields");
        meta.remove("selfLink");
        if let Some(annotations) = meta.get_mut("annotations").and_then(Value::as_object_mut) {
            annotations.remove(LAST_APPLIED);
        }
    }
    if plural == "pods" {
        prune_pod(object);
    }
}

/// Probes, commands and environment decide nothing about a pod's place, size, traffic or devices, and neither do the
/// identifiers of its images and containers.
fn prune_pod(pod: &mut Value) {
    for list in ["containers", "initContainers", "ephemeralContainers"] {
        for container in items(pod, "spec", list) {
            for field in
                ["env", "envFrom", "command", "args", "livenessProbe", "readinessProbe", "startupProbe", "lifecycle"]
            {
                container.remove(field);
            }
            container.remove("terminationMessagePath");
            container.remove("terminationMessagePolicy");
        }
    }
    for list in ["containerStatuses", "initContainerStatuses", "ephemeralContainerStatuses"] {
        for status in items(pod, "status", list) {
            for field in ["imageID", "containerID", "volumeMounts", "user"] {
                status.remove(field);
            }
        }
    }
}

fn items<'a>(
    object: &'a mut Value,
    part: &str,
    list: &str,
) -> impl Iterator<Item = &'a mut serde_json::Map<String, Value>> {
    let list = object.get_mut(part).and_then(|part| part.get_mut(list)).and_then(Value::as_array_mut);
    list.into_iter().flatten().filter_map(Value::as_object_mut)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn bookkeeping_goes_and_meaning_stays() {
        let mut pod = json!({
            "metadata": {"name": "a", "managedFields": [{}], "annotations": {LAST_APPLIED: "{}", "mine": "1"}},
            "spec": {"containers": [{"name": "c", "env": [{"name": "X"}], "resources": {"requests": {"cpu": "1"}}}]},
            "status": {"containerStatuses": [{"name": "c", "imageID": "sha256:1", "restartCount": 3}]},
        });
        prune("pods", &mut pod);
        let expected = json!({
            "metadata": {"name": "a", "annotations": {"mine": "1"}},
            "spec": {"containers": [{"name": "c", "resources": {"requests": {"cpu": "1"}}}]},
            "status": {"containerStatuses": [{"name": "c", "restartCount": 3}]},
        });
        assert_eq!(pod, expected);
    }
}
