//! Whether an object of a built-in kind has the fields and types of its Go struct.
//!
//! The published types do the reading: what they refuse is an error in upstream's manner, and what they do not give back
//! is a field they do not know.

use k8s_openapi::api::{
    apps::v1 as apps, autoscaling::v2 as autoscaling, batch::v1 as batch, coordination::v1 as coordination,
    core::v1 as core, networking::v1 as networking, policy::v1 as policy, rbac::v1 as rbac, resource::v1 as resource,
    scheduling::v1 as scheduling, storage::v1 as storage,
};
use serde::{Serialize, de::DeserializeOwned};
use serde_json::Value;

use super::{kinds::Kind, request::Call, status::Failure};

/// Reads the object as its type.
pub(crate) fn check(call: &Call, object: &Value) -> Result<(), Failure> {
    let Some(read) = reader(&call.kind) else { return Ok(()) };
    let known = read(object).map_err(|problem| {
        let (kind, version) = (call.kind.kind, call.version);
        Failure::bad_request(format!("{kind} in version {version:?} cannot be handled as a {kind}: json: {problem}"))
    })?;
    let mut unknown = Vec::new();
    compare("", object, &known, &mut unknown);
    unknown.sort();
    call.unknown_fields(&unknown)
}

type Read = fn(&Value) -> Result<Value, String>;

fn reader(kind: &Kind) -> Option<Read> {
    Some(match (kind.group, kind.plural) {
        ("", "pods") => read::<core::Pod>,
        ("", "nodes") => read::<core::Node>,
        ("", "namespaces") => read::<core::Namespace>,
        ("", "services") => read::<core::Service>,
        ("", "configmaps") => read::<core::ConfigMap>,
        ("", "secrets") => read::<core::Secret>,
        ("", "serviceaccounts") => read::<core::ServiceAccount>,
        ("", "persistentvolumes") => read::<core::PersistentVolume>,
        ("", "persistentvolumeclaims") => read::<core::PersistentVolumeClaim>,
        ("", "limitranges") => read::<core::LimitRange>,
        ("", "resourcequotas") => read::<core::ResourceQuota>,
        ("apps", "deployments") => read::<apps::Deployment>,
        ("apps", "replicasets") => read::<apps::ReplicaSet>,
        ("apps", "statefulsets") => read::<apps::StatefulSet>,
        ("apps", "daemonsets") => read::<apps::DaemonSet>,
        ("batch", "jobs") => read::<batch::Job>,
        ("batch", "cronjobs") => read::<batch::CronJob>,
        ("autoscaling", _) => read::<autoscaling::HorizontalPodAutoscaler>,
        ("coordination.k8s.io", _) => read::<coordination::Lease>,
        ("policy", "poddisruptionbudgets") => read::<policy::PodDisruptionBudget>,
        ("scheduling.k8s.io", "priorityclasses") => read::<scheduling::PriorityClass>,
        ("storage.k8s.io", "storageclasses") => read::<storage::StorageClass>,
        ("networking.k8s.io", "networkpolicies") => read::<networking::NetworkPolicy>,
        ("networking.k8s.io", "ingresses") => read::<networking::Ingress>,
        ("rbac.authorization.k8s.io", "roles") => read::<rbac::Role>,
        ("rbac.authorization.k8s.io", "clusterroles") => read::<rbac::ClusterRole>,
        ("resource.k8s.io", "resourceclaims") => read::<resource::ResourceClaim>,
        _ => return None,
    })
}

fn read<T: DeserializeOwned + Serialize>(object: &Value) -> Result<Value, String> {
    let typed = T::deserialize(object).map_err(|problem| problem.to_string())?;
    serde_json::to_value(typed).map_err(|problem| problem.to_string())
}

/// Fields that went in and did not come out.
fn compare(path: &str, given: &Value, known: &Value, unknown: &mut Vec<String>) {
    match (given, known) {
        (Value::Object(given), Value::Object(known)) => {
            for (name, value) in given {
                let inner = if path.is_empty() { name.clone() } else { format!("{path}.{name}") };
                match known.get(name) {
                    Some(known) => compare(&inner, value, known, unknown),
                    None if value.is_null() => {}
                    None => unknown.push(inner),
                }
            }
        }
        (Value::Array(given), Value::Array(known)) => {
            for (index, (value, known)) in given.iter().zip(known).enumerate() {
                compare(&format!("{path}[{index}]"), value, known, unknown);
            }
        }
        _ => {}
    }
}
