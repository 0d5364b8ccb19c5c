//! Applications as manifests: a streaming service and Online Boutique, and the loader for any other.
//!
//! The manifests stand in `data/` and are compiled in, so that a demo needs no file.

use crate::objects::{Resource, Write};
use crate::tree::{Value, json};

/// A video-streaming service, with its budgets and autoscalers.
pub const STREAMING: [&str; 2] =
    [include_str!("../../data/streaming/app.yaml"), include_str!("../../data/streaming/autoscaling.yaml")];
/// Online Boutique and its load generator.
pub const ONLINE_BOUTIQUE: [&str; 2] = [
    include_str!("../../data/online-boutique/app.yaml"),
    include_str!("../../data/online-boutique/loadgenerator.yaml"),
];

/// Why a manifest cannot be loaded.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum LoadError {
    /// It is no YAML.
    #[error("the manifest is not YAML: {0}")]
    Yaml(String),
    /// A kind the simulated API has no name for.
    #[error("document {index}: kind {kind:?} of {api_version:?} is not known here; leave it out")]
    Kind {
        /// Which document, from 1.
        index: usize,
        /// `apiVersion`.
        api_version: String,
        /// `kind`.
        kind: String,
    },
}

/// The kinds that manifests hold: API version, kind, group, plural.
const KINDS: [(&str, &str, &str, &str); 17] = [
    ("v1", "Namespace", "", "namespaces"),
    ("v1", "Service", "", "services"),
    ("v1", "ServiceAccount", "", "serviceaccounts"),
    ("v1", "ConfigMap", "", "configmaps"),
    ("v1", "Pod", "", "pods"),
    ("v1", "PersistentVolumeClaim", "", "persistentvolumeclaims"),
    ("v1", "ResourceQuota", "", "resourcequotas"),
    ("v1", "LimitRange", "", "limitranges"),
    ("apps/v1", "Deployment", "apps", "deployments"),
    ("apps/v1", "StatefulSet", "apps", "statefulsets"),
    ("apps/v1", "DaemonSet", "apps", "daemonsets"),
    ("batch/v1", "Job", "batch", "jobs"),
    ("batch/v1", "CronJob", "batch", "cronjobs"),
    ("policy/v1", "PodDisruptionBudget", "policy", "poddisruptionbudgets"),
    ("autoscaling/v2", "HorizontalPodAutoscaler", "autoscaling", "horizontalpodautoscalers"),
    ("scheduling.k8s.io/v1", "PriorityClass", "scheduling.k8s.io", "priorityclasses"),
    ("storage.k8s.io/v1", "StorageClass", "storage.k8s.io", "storageclasses"),
];

/// Reads the documents of a manifest as objects to create, in their order. With `scheduler`, every pod asks for that
/// one.
///
/// # Errors
/// The first document that cannot be read.
pub fn load(yaml: &str, scheduler: Option<&str>) -> Result<Vec<Write<Value>>, LoadError> {
    let documents: Vec<Value> =
        serde_saphyr::from_multiple(yaml).map_err(|error| LoadError::Yaml(error.to_string()))?;
    let objects = documents.into_iter().enumerate().filter(|(_, document)| !document.is_null());
    objects
        .map(|(index, mut object)| {
            let field = |name: &str| object.get(name).and_then(Value::as_str).unwrap_or("").to_owned();
            let (api_version, kind) = (field("apiVersion"), field("kind"));
            let known = KINDS.iter().find(|known| known.0 == api_version && known.1 == kind);
            let Some((_, _, group, plural)) = known else {
                return Err(LoadError::Kind { index: index + 1, api_version, kind });
            };
            if let Some(scheduler) = scheduler {
                schedule_with(&mut object, scheduler);
            }
            Ok(Write::Create(Resource { group, plural }, object))
        })
        .collect()
}

/// Makes the pods of an object ask for a scheduler.
fn schedule_with(object: &mut Value, scheduler: &str) {
    for path in ["/spec/template/spec", "/spec/jobTemplate/spec/template/spec"] {
        if let Some(spec) = object.pointer_mut(path).and_then(Value::as_object_mut) {
            spec.insert("schedulerName".to_owned(), json!(scheduler));
        }
    }
    if object.get("kind").and_then(Value::as_str) == Some("Pod")
        && let Some(spec) = object.get_mut("spec").and_then(Value::as_object_mut)
    {
        spec.insert("schedulerName".to_owned(), json!(scheduler));
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::indexing_slicing)]
    use super::*;

    #[test]
    fn the_bundled_applications_load_and_name_their_scheduler() {
        for (yaml, least) in STREAMING.iter().chain(&ONLINE_BOUTIQUE).zip([25, 13, 23, 1]) {
            let writes = load(yaml, Some("keelson")).unwrap();
            assert!(writes.len() >= least, "{}", writes.len());
            for write in writes {
                let Write::Create(resource, object) = write else { continue };
                if resource.group == "apps" {
                    assert_eq!(object["spec"]["template"]["spec"]["schedulerName"], "keelson");
                }
            }
        }
    }

    #[test]
    fn an_unknown_kind_is_named() {
        let error = load("apiVersion: v1\nkind: Namespace\n---\napiVersion: x/v1\nkind: Thing\n", None).unwrap_err();
        assert_eq!(error.to_string(), "document 2: kind \"Thing\" of \"x/v1\" is not known here; leave it out");
    }
}
