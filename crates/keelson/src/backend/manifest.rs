//! What of a pod decides where it can go, to be changed and asked about.
//!
//! Promises: whoever may read the pod is given its rules, requests and claims; never its commands, variables or secrets,
//! and nothing of where it is.

use k8s_openapi::api::core::v1::Pod;
use keelson_dashboard::BackendError;
use serde_json::{Map, Value, json};

use super::Live;

/// The fields of a spec that are told as they are.
const RULES: [&str; 9] = [
    "affinity",
    "nodeSelector",
    "overhead",
    "priority",
    "priorityClassName",
    "resources",
    "schedulerName",
    "tolerations",
    "topologySpreadConstraints",
];
/// The same of a container.
const OF_CONTAINER: [&str; 5] = ["name", "image", "ports", "resources", "restartPolicy"];

/// The manifest of the pod `params.namespace`, `params.name`.
pub fn of(live: &Live, params: &Value) -> Result<Value, BackendError> {
    let text = |name: &str| params.get(name).and_then(Value::as_str).unwrap_or_default();
    let (namespace, name) = (text("namespace"), text("name"));
    let pod = live.platform.runtime.cache::<Pod>().get(namespace, name);
    let pod = pod.ok_or_else(|| BackendError::NotFound {
        what: format!("pod {namespace}/{name}"),
        fix: "Check its name and namespace.".to_owned(),
    })?;
    Ok(json!({"pod": rules(&pod)}))
}

fn rules(pod: &Pod) -> Value {
    let whole = serde_json::to_value(pod).unwrap_or_default();
    let spec = whole.get("spec").unwrap_or(&Value::Null);
    let mut told = only(spec, &RULES);
    for containers in ["containers", "initContainers"] {
        let all = spec.get(containers).and_then(Value::as_array).into_iter().flatten();
        let all: Vec<Value> = all.map(|container| only(container, &OF_CONTAINER).into()).collect();
        if !all.is_empty() {
            told.insert(containers.to_owned(), all.into());
        }
    }
    let volumes = spec.get("volumes").and_then(Value::as_array).into_iter().flatten();
    let claims = volumes.filter(|volume| volume.get("persistentVolumeClaim").is_some());
    let claims: Vec<Value> = claims.map(|volume| only(volume, &["name", "persistentVolumeClaim"]).into()).collect();
    if !claims.is_empty() {
        told.insert("volumes".to_owned(), claims.into());
    }
    let metadata = only(whole.get("metadata").unwrap_or(&Value::Null), &["namespace", "labels"]);
    json!({"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": told})
}

fn only(whole: &Value, fields: &[&str]) -> Map<String, Value> {
    let known = fields.iter().filter_map(|name| Some(((*name).to_owned(), whole.get(name)?.clone())));
    known.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_decides_where_it_goes_is_told_and_nothing_secret() {
        let pod = json!({
            "metadata": {
                "name": "cart-0", "namespace": "shop", "uid": "u", "labels": {"app": "cart"},
                "annotations": {"token": "hush"},
            },
            "spec": {
                "nodeName": "n1",
                "priority": 5,
                "nodeSelector": {"disk": "ssd"},
                "containers": [{
                    "name": "c", "image": "i", "command": ["hush"], "env": [{"name": "KEY", "value": "hush"}],
                    "resources": {"requests": {"cpu": "100m"}},
                }],
                "volumes": [
                    {"name": "s", "secret": {"secretName": "hush"}},
                    {"name": "d", "persistentVolumeClaim": {"claimName": "data"}},
                ],
            },
            "status": {"hostIP": "10.0.0.1"},
        });
        let told = serde_json::from_value::<Pod>(pod).map(|pod| rules(&pod)).unwrap_or_default();
        let wanted = json!({
            "apiVersion": "v1",
            "kind": "Pod",
            "metadata": {"namespace": "shop", "labels": {"app": "cart"}},
            "spec": {
                "priority": 5,
                "nodeSelector": {"disk": "ssd"},
                "containers": [{"name": "c", "image": "i", "resources": {"requests": {"cpu": "100m"}}}],
                "volumes": [{"name": "d", "persistentVolumeClaim": {"claimName": "data"}}],
            },
        });
        assert_eq!(told, wanted);
    }
}
