//! Step 4: what a decision may see. Plain data, copied from the caches; it is recorded with the decision, and decided on again
//! by `keelson replay`.

use k8s_openapi::api::apps::v1::Deployment;
use keelson_core::ObjectRef;
use serde::{Deserialize, Serialize};

use crate::hours::Hours;
use crate::words::{DAY, NIGHT};

/// One Deployment that asks for nights.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Snapshot {
    /// Which, with its uid.
    pub deployment: ObjectRef,
    /// How many replicas it wants now.
    pub replicas: i32,
    /// The annotation for the day, as it is written.
    pub day: Option<String>,
    /// The annotation for the night, as it is written.
    pub night: Option<String>,
    /// When it is night.
    pub hours: Hours,
}

impl Snapshot {
    /// None when the Deployment asks for nothing, or is on its way out.
    #[must_use]
    pub fn of(deployment: &Deployment, hours: Hours) -> Option<Self> {
        let meta = &deployment.metadata;
        let annotation = |name: &str| meta.annotations.as_ref()?.get(name).cloned();
        let (day, night) = (annotation(DAY), annotation(NIGHT));
        if (day.is_none() && night.is_none()) || meta.deletion_timestamp.is_some() {
            return None;
        }
        // What the API server takes an absent field for.
        let replicas = deployment.spec.as_ref().and_then(|spec| spec.replicas).unwrap_or(1);
        Some(Self { deployment: reference(deployment), replicas, day, night, hours })
    }
}

/// A Deployment by its name and uid.
#[must_use]
pub fn reference(deployment: &Deployment) -> ObjectRef {
    let meta = &deployment.metadata;
    let word = |word: &Option<String>| word.clone().unwrap_or_default();
    let named = ObjectRef::namespaced("Deployment", &word(&meta.namespace), &word(&meta.name)).in_group("apps");
    named.with_uid(&word(&meta.uid))
}
