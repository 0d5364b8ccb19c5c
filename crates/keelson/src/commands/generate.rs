//! Files that are made from the code: definitions, rules, parts of the chart, tables of the documents, the API document.

mod metrics;
mod settings;

use anyhow::Result;
use k8s_openapi::api::rbac::v1::{ClusterRole, Role};
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use keelson_core::{Feature, Mode};
use keelson_runtime::{Permissions, Scope};
use keelson_scheduling::fields::{self, OnRefused};
use serde::Serialize;
use serde_json::{Map, Value, json};

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
        Generated::ChartCrds => chart_crds(),
        Generated::ChartRights => chart_rights(),
        Generated::Admission => documents(&fields::admission_policy(keelson_api::names::SCHEDULER, OnRefused::Warn)),
        Generated::ChartAdmission => chart_admission(),
        Generated::OptIn => documents(&fields::opt_in_policy()),
        Generated::ChartOptIn => chart_opt_in(),
        Generated::SchedulingFields => Ok(fields::markdown()),
        Generated::Settings => settings::markdown(),
        Generated::Metrics => Ok(metrics::markdown()),
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

/// The definitions as a template of the chart: left out where somebody else installs them, and kept when the chart goes
/// unless everything shall go.
fn chart_crds() -> Result<String> {
    let own = chart_definitions("install", &keelson_api::crds::own())?;
    Ok(format!("{HEAD}{own}{}", chart_definitions("diktyo", &keelson_api::crds::diktyo())?))
}

/// Those that one value brings.
fn chart_definitions(value: &str, definitions: &[CustomResourceDefinition]) -> Result<String> {
    const KEEP: &str =
        "{{- if not .Values.uninstall.purge }}\n  annotations:\n    helm.sh/resource-policy: keep\n{{- end }}\n";
    let mut text = format!("{{{{- if .Values.crds.{value} }}}}\n");
    for line in documents(definitions)?.lines().filter(|line| !line.starts_with('#')) {
        // What looks like a template to helm is a template that prints it.
        text.push_str(&line.replace("{{", "{{ \"{{\" }}"));
        text.push('\n');
        if line == "metadata:" {
            text.push_str(KEEP);
        }
    }
    Ok(text + "{{- end }}\n")
}

/// The admission policy as a template of the chart, for the scheduler's name and the action of the values.
fn chart_admission() -> Result<String> {
    const GUARD: &str = "{{- with .Values.features.scheduling }}\n{{- if ne .admission \"None\" }}\n\
                         {{- $scheduler := .settings.schedulerName }}\n";
    const LABELS: &str = "metadata:\n  labels: {{- include \"keelson.labels\" $ | nindent 4 }}\n";
    let policy = documents(&fields::admission_policy("{{$scheduler}}", OnRefused::Warn))?;
    let policy = policy.trim_start_matches(HEAD).replace("metadata:\n", LABELS);
    let policy = policy.replace("  - Warn\n", "  - {{ .admission }}\n");
    Ok(format!("{HEAD}{GUARD}{policy}{{{{- end }}}}\n{{{{- end }}}}\n"))
}

/// The policy that makes pods Keelson's as a template of the chart, in the version of the API that the cluster has.
fn chart_opt_in() -> Result<String> {
    const GUARD: &str = "{{- $version := include \"keelson.mutatingPolicies\" . }}\n\
                         {{- if and (include \"keelson.optIn\" .) $version }}\n";
    const LABELS: &str = "metadata:\n  labels: {{- include \"keelson.labels\" $ | nindent 4 }}\n";
    let policy = documents(&fields::opt_in_policy())?;
    let policy = policy.trim_start_matches(HEAD).replace("metadata:\n", LABELS);
    let policy = policy.replace("apiVersion: admissionregistration.k8s.io/v1\n", "apiVersion: {{ $version }}\n");
    Ok(format!("{HEAD}{GUARD}{policy}{{{{- end }}}}\n"))
}

/// The rights of each part of Keelson for each ceiling, one resource at a time: the chart adds up what is installed.
fn chart_rights() -> Result<String> {
    let modes = |of: &dyn Fn(Mode) -> Permissions| -> Map<String, Value> {
        Mode::ALL.map(|mode| (mode.as_str().to_owned(), Value::from(apart(&of(mode))))).into_iter().collect()
    };
    let features: Map<String, Value> = Feature::ALL
        .into_iter()
        .map(|feature| (feature.to_string(), modes(&|mode| permissions::feature(feature, mode)).into()))
        .collect();
    let rights = json!({
        "base": modes(&permissions::base), "features": features,
        "replacing": apart(&permissions::replacing()), "signIn": apart(&permissions::sign_in()),
    });
    Ok(format!("{HEAD}{}", serde_saphyr::to_string(&rights)?))
}

fn apart(permissions: &Permissions) -> Vec<Value> {
    let mut apart = Vec::new();
    for rule in &permissions.0 {
        for group in &rule.api_groups {
            for resource in &rule.resources {
                apart.push(json!({
                    "own": rule.scope == Scope::Own, "group": group, "resource": resource,
                    "names": rule.resource_names, "verbs": rule.verbs,
                }));
            }
        }
    }
    apart
}

/// A ClusterRole and a Role for each ceiling.
fn rbac() -> Result<String> {
    let mut objects = Vec::new();
    for mode in [Mode::Observe, Mode::Enforce] {
        let named = |namespace: Option<&str>| ObjectMeta {
            name: Some(format!("keelson-controller-{}", mode.as_str().to_lowercase())),
            namespace: namespace.map(str::to_owned),
            ..ObjectMeta::default()
        };
        let rules = |scope| Some(permissions::controller(mode).policy_rules(scope));
        let wide = ClusterRole { metadata: named(None), rules: rules(Scope::Cluster), ..ClusterRole::default() };
        let own = Role { metadata: named(Some("keelson-system")), rules: rules(Scope::Own) };
        objects.extend([serde_json::to_value(wide)?, serde_json::to_value(own)?]);
    }
    documents(&objects)
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
