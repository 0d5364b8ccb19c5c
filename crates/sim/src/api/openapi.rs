//! OpenAPI v3, as `kubectl apply` and `kubectl explain` read it.
//!
//! Custom resources have the schema of their definition, built-in kinds that of their published type; the few without one
//! are open objects.

use std::sync::Arc;

use bytes::Bytes;
use http::Response;
use schemars::generate::SchemaSettings;

use super::{
    Api,
    json::Json,
    kinds::Kind,
    status::{Failure, respond, respond_bytes},
    typed,
};
use crate::tree::{Value, json};

/// The index, or the document of one group and version.
pub(crate) fn document(api: &Api, path: &[&str]) -> Result<Response<Bytes>, Failure> {
    let (group, version) = match path {
        [] => return Ok(respond(200, &index(api))),
        ["api", version] => ("", *version),
        ["apis", group, version] => (*group, *version),
        _ => return Err(Failure::no_such_path()),
    };
    let kinds: Vec<_> =
        api.kinds.all().filter(|kind| kind.group == group && kind.versions.contains(&version)).cloned().collect();
    if kinds.is_empty() {
        return Ok(respond_bytes(404, "text/plain; charset=utf-8", Bytes::new()));
    }
    let mut paths = json!({});
    let mut schemas = published(&kinds);
    for kind in &kinds {
        let name = schema_name(kind, version);
        let schema = schema(kind, version, schemas.cut(&[&name]));
        schemas.put(&[&name], schema);
        let base = if group.is_empty() { format!("/api/{version}") } else { format!("/apis/{group}/{version}") };
        let scope = if kind.namespaced { "/namespaces/{namespace}" } else { "" };
        let gvk = json!({"group": group, "version": version, "kind": kind.kind});
        let parameter = |name: &str| json!({"name": name, "in": "query", "schema": {"type": "string"}});
        let parameters = json!([parameter("fieldManager"), parameter("fieldValidation"), parameter("dryRun")]);
        let operation = |action: &str| {
            json!({
                "parameters": parameters, "x-kubernetes-action": action, "x-kubernetes-group-version-kind": gvk,
                "responses": {"200": {"description": "OK", "content": {"application/json": {"schema": {"$ref": format!("#/components/schemas/{name}")}}}}},
            })
        };
        paths.put(
            &[&format!("{base}{scope}/{}", kind.plural)],
            json!({"get": operation("list"), "post": operation("post")}),
        );
        paths.put(
            &[&format!("{base}{scope}/{}/{{name}}", kind.plural)],
            json!({"get": operation("get"), "put": operation("put"), "patch": operation("patch"), "delete": operation("delete")}),
        );
    }
    Ok(respond(
        200,
        &json!({
            "openapi": "3.0.0", "info": {"title": "Kubernetes", "version": "v1.36.0"}, "paths": paths,
            "components": {"schemas": schemas},
        }),
    ))
}

fn index(api: &Api) -> Value {
    let mut paths = json!({"api/v1": {"serverRelativeURL": "/openapi/v3/api/v1?hash=0"}});
    for (group, versions) in api.groups() {
        for version in versions {
            let path = format!("apis/{group}/{version}");
            let hash = api.store.rv();
            paths.put(&[&path], json!({"serverRelativeURL": format!("/openapi/v3/{path}?hash={hash}")}));
        }
    }
    json!({"paths": paths})
}

fn schema_name(kind: &Kind, version: &str) -> String {
    if kind.crd.is_some() {
        let reversed: Vec<&str> = kind.group.rsplit('.').collect();
        return format!("{}.{version}.{}", reversed.join("."), kind.kind);
    }
    let group = match kind.group {
        "" => "core",
        group => group.split('.').next().unwrap_or(group),
    };
    format!("io.k8s.api.{group}.{version}.{}", kind.kind)
}

/// The schemas of the kinds' published types and of everything they are made of.
fn published(kinds: &[Arc<Kind>]) -> Value {
    let mut generator = SchemaSettings::openapi3().into_generator();
    for published in kinds.iter().filter_map(|kind| typed::published(kind)) {
        (published.describe)(&mut generator);
    }
    serde_json::Value::Object(generator.take_definitions(true)).into()
}

fn schema(kind: &Kind, version: &str, published: Option<Value>) -> Value {
    let open = || json!({"type": "object", "x-kubernetes-preserve-unknown-fields": true});
    let defined = kind.crd.as_ref().and_then(|crd| crd.schema(version)).cloned();
    let mut schema = published.or(defined).unwrap_or_else(open);
    schema.default_to(&["properties", "apiVersion"], json!({"type": "string"}));
    schema.default_to(&["properties", "kind"], json!({"type": "string"}));
    schema.default_to(&["properties", "metadata"], open());
    schema.put(
        &["x-kubernetes-group-version-kind"],
        json!([{"group": kind.group, "version": version, "kind": kind.kind}]),
    );
    schema
}
