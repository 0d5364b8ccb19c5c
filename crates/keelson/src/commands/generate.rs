//! Files that are made from the code: definitions, rules, the field table, the API document.

use anyhow::Result;
use k8s_openapi::api::rbac::v1::ClusterRole;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use keelson_core::Mode;
use keelson_scheduling::fields::{self, OnRefused};
use serde::Serialize;
use serde_json::Value;

use crate::cli::Generated;
use crate::permissions;

/// What stands at the top of every generated YAML file.
const HEAD: &str = "# Generated from the code by `cargo xtask generate`; edits are overwritten.\n";

/// One generated file.
///
/// # Errors
/// When something cannot be written as YAML or JSON.
pub fn print(what: Generated) -> Result<String> {
    match what {
        Generated::Crds => crds(),
        Generated::Rbac => rbac(),
        Generated::Admission => documents(&fields::admission_policy(keelson_api::names::SCHEDULER, OnRefused::Warn)),
        Generated::SchedulingFields => Ok(fields::markdown()),
        Generated::Openapi => Ok(serde_json::to_string_pretty(&keelson_dashboard::openapi())? + "\n"),
    }
}

/// Every custom resource definition, as YAML documents.
///
/// # Errors
/// When one cannot be written as YAML.
pub fn crds() -> Result<String> {
    documents(&keelson_api::crds::all())
}

/// A ClusterRole for each ceiling.
fn rbac() -> Result<String> {
    let role = |mode: Mode| ClusterRole {
        metadata: ObjectMeta {
            name: Some(format!("keelson-controller-{}", mode.as_str().to_lowercase())),
            ..ObjectMeta::default()
        },
        rules: Some(permissions::controller(mode).policy_rules()),
        ..ClusterRole::default()
    };
    documents(&[role(Mode::Observe), role(Mode::Enforce)])
}

fn documents<T: Serialize>(objects: &[T]) -> Result<String> {
    let mut text = HEAD.to_owned();
    for object in objects {
        // Through a Value, so that what is absent is not written as null.
        let object: Value = serde_json::to_value(object)?;
        text.push_str("---\n");
        text.push_str(&serde_saphyr::to_string(&object)?);
    }
    Ok(text)
}
