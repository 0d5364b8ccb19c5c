//! What is served: versions, groups, resources, health.

use std::collections::BTreeMap;

use bytes::Bytes;
use http::{HeaderMap, Response, StatusCode, header};
use sha2::{Digest, Sha256};

use super::{
    Api,
    json::Json,
    kinds::Kind,
    status::{Failure, respond, respond_bytes},
};
use crate::tree::{Value, json};

const AGGREGATED: &str = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList";

impl Api {
    pub(super) fn discover(&self, path: &str, headers: &HeaderMap) -> Result<Response<Bytes>, Failure> {
        let parts: Vec<&str> = path.split('/').filter(|part| !part.is_empty()).collect();
        let accept = headers.get(header::ACCEPT).and_then(|value| value.to_str().ok()).unwrap_or("").replace(' ', "");
        let aggregated = accept.contains("as=APIGroupDiscoveryList") && accept.contains("v=v2;");
        let document = self.discovered(&parts, aggregated)?;
        let volatile = matches!(parts.first(), Some(&("healthz" | "livez" | "readyz" | "version")));
        Ok(if volatile { document } else { unless_known(document, headers) })
    }

    fn discovered(&self, parts: &[&str], aggregated: bool) -> Result<Response<Bytes>, Failure> {
        match parts {
            ["healthz" | "livez" | "readyz", ..] => {
                Ok(respond_bytes(200, "text/plain; charset=utf-8", Bytes::from_static(b"ok")))
            }
            ["version"] => Ok(respond(200, &version())),
            ["api"] if aggregated => Ok(self.aggregated(true)),
            ["apis"] if aggregated => Ok(self.aggregated(false)),
            ["api"] => Ok(respond(
                200,
                &json!({"kind": "APIVersions", "versions": ["v1"], "serverAddressByClientCIDRs": [{"clientCIDR": "0.0.0.0/0", "serverAddress": "127.0.0.1"}]}),
            )),
            ["apis"] => {
                let groups: Vec<Value> =
                    self.groups().into_iter().map(|(name, versions)| group(name, &versions)).collect();
                Ok(respond(200, &json!({"kind": "APIGroupList", "apiVersion": "v1", "groups": groups})))
            }
            ["apis", name] => {
                let groups = self.groups();
                let versions = groups.get(name).ok_or_else(Failure::no_such_group)?;
                let mut body = group(name, versions);
                body.put(&["kind"], "APIGroup");
                body.put(&["apiVersion"], "v1");
                Ok(respond(200, &body))
            }
            ["api", version] => self.resources("", version),
            ["apis", group, version] => self.resources(group, version),
            ["openapi", "v3", rest @ ..] => super::openapi::document(self, rest),
            _ => Err(Failure::no_such_group()),
        }
    }

    /// Groups but the core one, with their versions, preferred first.
    pub(super) fn groups(&self) -> BTreeMap<&'static str, Vec<&'static str>> {
        let mut groups: BTreeMap<&'static str, Vec<&'static str>> = BTreeMap::new();
        for kind in self.kinds.all().filter(|kind| !kind.group.is_empty()) {
            let versions = groups.entry(kind.group).or_default();
            for version in &kind.versions {
                if !versions.contains(version) {
                    versions.push(version);
                }
            }
        }
        groups
    }

    fn resources(&self, group: &str, version: &str) -> Result<Response<Bytes>, Failure> {
        let mut list = Vec::new();
        for kind in self.kinds.all().filter(|kind| kind.group == group && kind.versions.contains(&version)) {
            let mut entry = json!({
                "name": kind.plural, "singularName": kind.singular, "namespaced": kind.namespaced, "kind": kind.kind,
                "verbs": kind.verbs(),
            });
            if !kind.short_names.is_empty() {
                entry.put(&["shortNames"], kind.short_names.clone());
            }
            if !kind.categories.is_empty() {
                entry.put(&["categories"], kind.categories.clone());
            }
            list.push(entry);
            let mut subresources = kind.subresources.clone();
            if kind.crd.is_none() {
                subresources.sort_unstable();
            }
            for sub in subresources {
                let (response, verbs) = subresource(kind, version, sub);
                let mut entry = json!({"name": format!("{}/{sub}", kind.plural), "singularName": "", "namespaced": kind.namespaced});
                if (response.0, response.1) != (kind.group, version) {
                    entry.put(&["group"], response.0);
                    entry.put(&["version"], response.1);
                }
                entry.put(&["kind"], response.2);
                entry.put(&["verbs"], verbs);
                list.push(entry);
            }
        }
        if list.is_empty() {
            return Err(Failure::no_such_group());
        }
        let group_version = if group.is_empty() { version.to_owned() } else { format!("{group}/{version}") };
        let mut body = json!({"kind": "APIResourceList", "groupVersion": group_version, "resources": list});
        if !group.is_empty() {
            body.put(&["apiVersion"], "v1");
        }
        Ok(respond(200, &body))
    }

    fn aggregated(&self, core: bool) -> Response<Bytes> {
        let groups = if core { BTreeMap::from([("", vec!["v1"])]) } else { self.groups() };
        let items: Vec<Value> = groups
            .into_iter()
            .map(|(name, versions)| {
                let versions: Vec<Value> = versions
                    .iter()
                    .map(|version| {
                        let kinds = self.kinds.all().filter(|kind| kind.group == name && kind.versions.contains(version));
                        let resources: Vec<Value> = kinds.map(|kind| aggregated_resource(kind, version)).collect();
                        json!({"version": version, "resources": resources, "freshness": "Current"})
                    })
                    .collect();
                json!({"metadata": if name.is_empty() { json!({"creationTimestamp": null}) } else { json!({"name": name, "creationTimestamp": null}) }, "versions": versions})
            })
            .collect();
        let body = json!({"kind": "APIGroupDiscoveryList", "apiVersion": "apidiscovery.k8s.io/v2", "metadata": {}, "items": items});
        respond_bytes(200, AGGREGATED, Bytes::from(body.to_string()))
    }
}

/// A document with its version, or only that it is still the one that the client has.
fn unless_known(mut document: Response<Bytes>, headers: &HeaderMap) -> Response<Bytes> {
    let digest = Sha256::digest(document.body());
    let version = format!("\"{}\"", digest.iter().map(|byte| format!("{byte:02X}")).collect::<String>());
    let known = headers.get(header::IF_NONE_MATCH).and_then(|value| value.to_str().ok());
    if known.is_some_and(|known| known == version || known == "*") {
        *document.status_mut() = StatusCode::NOT_MODIFIED;
        *document.body_mut() = Bytes::new();
    }
    if let Ok(version) = header::HeaderValue::from_str(&version) {
        document.headers_mut().insert(header::ETAG, version);
    }
    document
}

fn version() -> Value {
    json!({
        "major": "1", "minor": "36", "emulationMajor": "1", "emulationMinor": "36", "minCompatibilityMajor": "1",
        "minCompatibilityMinor": "35", "gitVersion": "v1.36.0", "gitCommit": "", "gitTreeState": "clean",
        "buildDate": "1970-01-01T00:00:00Z", "goVersion": "", "compiler": "", "platform": "linux/amd64",
    })
}

fn group(name: &str, versions: &[&str]) -> Value {
    let each: Vec<Value> = versions
        .iter()
        .map(|version| json!({"groupVersion": format!("{name}/{version}"), "version": version}))
        .collect();
    json!({"name": name, "versions": each, "preferredVersion": each.first()})
}

type Response3 = (&'static str, &'static str, &'static str);

fn subresource(kind: &Kind, version: &str, sub: &str) -> (Response3, Vec<&'static str>) {
    let own = (kind.group, kind.versions.iter().find(|one| **one == version).copied().unwrap_or("v1"), kind.kind);
    match sub {
        "scale" => (("autoscaling", "v1", "Scale"), vec!["get", "patch", "update"]),
        "binding" => (("", "v1", "Binding"), vec!["create"]),
        "eviction" => (("policy", "v1", "Eviction"), vec!["create"]),
        "token" => (("authentication.k8s.io", "v1", "TokenRequest"), vec!["create"]),
        "finalize" => (own, vec!["update"]),
        "log" => (own, vec!["get"]),
        _ => (own, vec!["get", "patch", "update"]),
    }
}

fn aggregated_resource(kind: &Kind, version: &str) -> Value {
    let response = |(group, version, kind): Response3| json!({"group": group, "version": version, "kind": kind});
    let own = (kind.group, kind.versions.iter().find(|one| **one == version).copied().unwrap_or("v1"), kind.kind);
    let mut entry = json!({
        "resource": kind.plural, "responseKind": response(own),
        "scope": if kind.namespaced { "Namespaced" } else { "Cluster" },
        "singularResource": kind.singular, "verbs": kind.verbs(),
    });
    if !kind.short_names.is_empty() {
        entry.put(&["shortNames"], kind.short_names.clone());
    }
    if !kind.categories.is_empty() {
        entry.put(&["categories"], kind.categories.clone());
    }
    let subs: Vec<Value> = kind
        .subresources
        .iter()
        .map(|sub| {
            let (kind, verbs) = subresource(kind, version, sub);
            json!({"subresource": sub, "responseKind": response(kind), "verbs": verbs})
        })
        .collect();
    if !subs.is_empty() {
        entry.put(&["subresources"], subs);
    }
    entry
}
