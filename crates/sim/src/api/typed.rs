//! The Go structs of the built-in kinds: whether an object has their fields and types, and what they look like.
//!
//! The published types do the reading: what they refuse is an error in upstream's manner, and what they do not give back
//! is a field they do not know. The same types describe themselves for OpenAPI.

use k8s_openapi::api::{
    apps::v1 as apps, autoscaling::v2 as autoscaling, batch::v1 as batch, coordination::v1 as coordination,
    core::v1 as core, networking::v1 as networking, policy::v1 as policy, rbac::v1 as rbac, resource::v1 as resource,
    scheduling::v1 as scheduling, storage::v1 as storage,
};
use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::{Serialize, de::DeserializeOwned};

use super::{kinds::Kind, request::Call, status::Failure};
use crate::tree::Value;

/// Reads the object as its type, which forgets the fields that the type does not have.
pub(crate) fn check(call: &Call, object: &mut Value) -> Result<(), Failure> {
    let Some(published) = published(&call.kind) else { return Ok(()) };
    let known = (published.read)(object).map_err(|problem| call.undecodable(object, &format!("json: {problem}")))?;
    let mut unknown = Vec::new();
    compare("", object, &known, &mut unknown);
    if unknown.is_empty() {
        return Ok(());
    }
    unknown.sort();
    call.unknown_fields(object, &unknown)?;
    forget(object, &known);
    Ok(())
}

/// The first field that an applied document has and the type does not: apply knows no leniency.
pub(crate) fn undeclared(kind: &Kind, config: &Value) -> Option<String> {
    let known = (published(kind)?.read)(config).ok()?;
    let mut unknown = Vec::new();
    compare("", config, &known, &mut unknown);
    unknown.into_iter().next()
}

/// What a published type can do.
pub(crate) struct Published {
    /// Reads an object and gives back what it knows of it.
    read: fn(&Value) -> Result<serde_json::Value, String>,
    /// Puts its schema, and those it refers to, among the generator's definitions.
    pub describe: fn(&mut SchemaGenerator) -> Schema,
}

impl Published {
    const fn of<T: DeserializeOwned + Serialize + JsonSchema>() -> Self {
        Self { read: read::<T>, describe: SchemaGenerator::subschema_for::<T> }
    }
}

/// The published type of a built-in kind; none for those that are taken as they come.
pub(crate) fn published(kind: &Kind) -> Option<Published> {
    Some(match (kind.group, kind.plural) {
        ("", "pods") => Published::of::<core::Pod>(),
        ("", "nodes") => Published::of::<core::Node>(),
        ("", "namespaces") => Published::of::<core::Namespace>(),
        ("", "services") => Published::of::<core::Service>(),
        ("", "configmaps") => Published::of::<core::ConfigMap>(),
        ("", "secrets") => Published::of::<core::Secret>(),
        ("", "serviceaccounts") => Published::of::<core::ServiceAccount>(),
        ("", "persistentvolumes") => Published::of::<core::PersistentVolume>(),
        ("", "persistentvolumeclaims") => Published::of::<core::PersistentVolumeClaim>(),
        ("", "limitranges") => Published::of::<core::LimitRange>(),
        ("", "resourcequotas") => Published::of::<core::ResourceQuota>(),
        ("apps", "deployments") => Published::of::<apps::Deployment>(),
        ("apps", "replicasets") => Published::of::<apps::ReplicaSet>(),
        ("apps", "statefulsets") => Published::of::<apps::StatefulSet>(),
        ("apps", "daemonsets") => Published::of::<apps::DaemonSet>(),
        ("batch", "jobs") => Published::of::<batch::Job>(),
        ("batch", "cronjobs") => Published::of::<batch::CronJob>(),
        ("autoscaling", _) => Published::of::<autoscaling::HorizontalPodAutoscaler>(),
        ("coordination.k8s.io", _) => Published::of::<coordination::Lease>(),
        ("policy", "poddisruptionbudgets") => Published::of::<policy::PodDisruptionBudget>(),
        ("scheduling.k8s.io", "priorityclasses") => Published::of::<scheduling::PriorityClass>(),
        ("storage.k8s.io", "storageclasses") => Published::of::<storage::StorageClass>(),
        ("networking.k8s.io", "networkpolicies") => Published::of::<networking::NetworkPolicy>(),
        ("networking.k8s.io", "ingresses") => Published::of::<networking::Ingress>(),
        ("rbac.authorization.k8s.io", "roles") => Published::of::<rbac::Role>(),
        ("rbac.authorization.k8s.io", "clusterroles") => Published::of::<rbac::ClusterRole>(),
        ("resource.k8s.io", "resourceclaims") => Published::of::<resource::ResourceClaim>(),
        _ => return None,
    })
}

fn read<T: DeserializeOwned + Serialize>(object: &Value) -> Result<serde_json::Value, String> {
    let typed = T::deserialize(object).map_err(|problem| problem.to_string())?;
    serde_json::to_value(typed).map_err(|problem| problem.to_string())
}

/// Takes out what did not come back.
fn forget(object: &mut Value, known: &serde_json::Value) {
    match (object, known) {
        (Value::Object(object), serde_json::Value::Object(known)) => {
            object.retain(|name, value| value.is_null() || known.contains_key(name.as_str()));
            for (name, value) in object.iter_mut() {
                forget(value, known.get(name.as_str()).unwrap_or(&serde_json::Value::Null));
            }
        }
        (Value::Array(object), serde_json::Value::Array(known)) => {
            object.iter_mut().zip(known).for_each(|(value, known)| forget(value, known));
        }
        _ => {}
    }
}

/// Fields that went in and did not come out.
fn compare(path: &str, given: &Value, known: &serde_json::Value, unknown: &mut Vec<String>) {
    match (given, known) {
        (Value::Object(given), serde_json::Value::Object(known)) => {
            for (name, value) in given {
                let inner = if path.is_empty() { name.to_string() } else { format!("{path}.{name}") };
                match known.get(name.as_str()) {
                    Some(known) => compare(&inner, value, known, unknown),
                    None if value.is_null() => {}
                    None => unknown.push(inner),
                }
            }
        }
        (Value::Array(given), serde_json::Value::Array(known)) => {
            for (index, (value, known)) in given.iter().zip(known).enumerate() {
                compare(&format!("{path}[{index}]"), value, known, unknown);
            }
        }
        _ => {}
    }
}
