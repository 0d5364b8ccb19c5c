//! The table against the API version's own schema.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use std::collections::BTreeSet;

use k8s_openapi::api::core::v1::PodSpec;
use k8s_openapi::schemars::SchemaGenerator;
use serde_json::json;

use super::*;

/// Every path of a schema down to where the table has a row, and the paths that have none.
struct Schema {
    definitions: Value,
    met: BTreeSet<String>,
    missing: Vec<String>,
}

impl Schema {
    fn resolve(&self, schema: &Value) -> Value {
        if let Some(all) = schema.get("allOf").and_then(Value::as_array) {
            return self.resolve(&all[0]);
        }
        match schema.get("$ref").and_then(Value::as_str) {
            Some(path) => {
                let name = path.rsplit('/').next().unwrap().replace("~1", "/");
                self.resolve(&self.definitions[name.as_str()])
            }
            None => schema.clone(),
        }
    }

    fn visit(&mut self, schema: &Value, path: &str) {
        if TABLE.contains_key(path) {
            self.met.insert(path.to_owned());
            return;
        }
        let schema = self.resolve(schema);
        if !TABLE.keys().any(|known| known.starts_with(&format!("{path}.")) || known.starts_with(&format!("{path}["))) {
            self.missing.push(path.to_owned());
        } else if let Some(items) = schema.get("items") {
            self.visit(items, &format!("{path}[]"));
        } else {
            for (name, member) in schema["properties"].as_object().unwrap_or_else(|| panic!("{path}: {schema}")) {
                self.visit(member, &format!("{path}.{name}"));
            }
        }
    }
}

fn visited() -> Schema {
    let mut generator = SchemaGenerator::default();
    let root = serde_json::to_value(generator.subschema_for::<PodSpec>()).unwrap();
    let definitions = serde_json::to_value(generator.definitions()).unwrap();
    let mut schema = Schema { definitions, met: BTreeSet::new(), missing: Vec::new() };
    schema.visit(&root, "spec");
    schema
}

#[test]
fn every_field_of_the_api_version_has_a_row_and_every_row_a_field() {
    let schema = visited();
    assert_eq!(schema.missing, Vec::<String>::new(), "fields without a row");
    let known: BTreeSet<String> = TABLE.keys().cloned().collect();
    let dead: Vec<_> = known.difference(&schema.met).collect();
    assert!(dead.is_empty(), "rows without a field: {dead:?}");
}

#[test]
fn a_field_that_is_new_in_the_api_would_be_noticed() {
    let mut schema = visited();
    schema.visit(&json!({"type": "string"}), "spec.gravity");
    assert_eq!(schema.missing, ["spec.gravity"]);
}

fn judged(spec: Value) -> Vec<String> {
    judge_manifest(&json!({"spec": spec})).into_iter().map(|finding| finding.path).collect()
}

#[test]
fn each_refused_field_is_found_where_it_is() {
    let rows = [
        (
            json!({"containers": [{"name": "c"}, {"name": "d", "resources": {"claims": [{"name": "gpu"}]}}]}),
            "spec.containers[1].resources.claims",
        ),
        (json!({"resourceClaims": [{"name": "gpu"}]}), "spec.resourceClaims"),
        (json!({"schedulingGroup": {"podGroupName": "g"}}), "spec.schedulingGroup"),
        (json!({"tolerations": [{"operator": "Gt", "key": "k", "value": "1"}]}), "spec.tolerations[0].operator"),
        (json!({"hostUsers": false, "hostNetwork": true}), "spec.hostUsers"),
        (
            json!({"containers": [{"name": "c", "restartPolicyRules": [{"action": "RestartAllContainers"}]}]}),
            "spec.containers[0].restartPolicyRules[0].action",
        ),
        (json!({"gravity": 9.81}), "spec.gravity"),
    ];
    for (spec, path) in rows {
        assert_eq!(judged(spec.clone()), [path], "{spec}");
    }
}

#[test]
fn what_is_implemented_or_cannot_matter_is_silent() {
    let spec = json!({
        "containers": [{"name": "c", "image": "web:1", "resources": {"requests": {"cpu": "1"}, "claims": []}, "ports": [{"containerPort": 80}]}],
        "volumes": [{"name": "t", "projected": {"sources": []}}, {"name": "e", "emptyDir": {}},
            {"name": "d", "persistentVolumeClaim": {"claimName": "c"}}, {"name": "f", "ephemeral": {"volumeClaimTemplate": {}}},
            {"name": "g", "csi": {"driver": "d"}}, {"name": "h", "gcePersistentDisk": {"pdName": "p"}}],
        "affinity": {"podAntiAffinity": {"preferredDuringSchedulingIgnoredDuringExecution": [
            {"weight": 1, "podAffinityTerm": {"topologyKey": "z", "labelSelector": {}, "namespaceSelector": {"matchLabels": {"a": "b"}}}}]}},
        "topologySpreadConstraints": [{"whenUnsatisfiable": "ScheduleAnyway", "maxSkew": 1, "topologyKey": "z"}],
        "tolerations": [{"operator": "Exists", "tolerationSeconds": 300}],
        "hostUsers": false, "resourceClaims": [], "nodeSelector": {"any.thing/here": "x"},
    });
    assert_eq!(judged(spec), Vec::<String>::new());
}

#[test]
fn a_typed_pod_is_judged_as_its_manifest() {
    let pod: Pod = serde_json::from_value(json!({
        "metadata": {"name": "p"},
        "spec": {"containers": [{"name": "c"}], "resourceClaims": [{"name": "gpu", "resourceClaimName": "gpu"}]},
    }))
    .unwrap();
    let paths: Vec<_> = judge(&pod).into_iter().map(|finding| finding.path).collect();
    assert_eq!(paths, ["spec.resourceClaims"]);
}

#[test]
fn the_page_lists_every_row_and_the_policy_every_refusal() {
    let page = markdown();
    for (path, _) in rows() {
        assert!(page.contains(&format!("| `{path}` |")), "{path}");
    }
    let policy = &admission_policy("keelson", OnRefused::Warn)[0];
    let expressions: Vec<&str> =
        policy["spec"]["validations"].as_array().unwrap().iter().map(|v| v["expression"].as_str().unwrap()).collect();
    for expected in [
        "!(has(object.spec) && has(object.spec.resourceClaims) && true)",
        "!(has(object.spec) && has(object.spec.containers) && object.spec.containers.exists(i0, has(i0.resources) && has(i0.resources.claims) && true))",
        "!(has(object.spec) && has(object.spec.hostUsers) && !object.spec.hostUsers && has(object.spec.hostNetwork) && object.spec.hostNetwork)",
    ] {
        assert!(expressions.contains(&expected), "{expected} is not in {expressions:#?}");
    }
}

#[test]
fn the_version_that_is_promised_is_the_one_that_was_checked() {
    k8s_openapi::k8s_if_1_36! { assert_eq!(COMPLETE_FOR, 36); }
    k8s_openapi::k8s_if_ge_1_37! { panic!("the types are of a newer version: judge its fields, then raise COMPLETE_FOR"); }
    k8s_openapi::k8s_if_le_1_35! { panic!("the types are of an older version: the table is checked against less"); }
    assert!(markdown().contains("complete for Kubernetes 1.36:") && !markdown().contains("VERSION"));
}
