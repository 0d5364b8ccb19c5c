//! What is asked of an API server, reduced to what makes two requests the same kind of request.
//!
//! The double is honest when it answers whatever our programs and their users' clients really ask. To know what that is,
//! every request of a run is reduced to a [`Request`]: verb, resource, subresource, kind of patch, kind of selector, and
//! the outcome. Requests come from the API server's audit log or from the steps of a recorded story; both are read by
//! the same rules, so that one can be held against the other.
//!
//! Promises: the reduction depends on the event or step alone. What a log cannot tell is never guessed: it has no content
//! types, so a patch that may be of several kinds counts as each of them. Custom resources are one resource, `custom`,
//! for every definition is served by the same code.

use std::fmt;

use serde_json::Value;

/// What Kubernetes' own components are called: what they ask of each other is not what our clients ask.
const COMPONENTS: &[&str] = &[
    "kube-apiserver",
    "kube-controller-manager",
    "kube-proxy",
    "kube-scheduler",
    "kubelet",
    "kwok",
    // The name server, by the program's name in the harness.
    "dns",
];
/// Kinds that nobody of ours reads or writes: only `kubectl get` of everything there is lists them, in a test that looks
/// whether an installation left something behind.
const UNTOUCHED: &[&str] = &[
    "/apis/apiregistration.k8s.io/v1",
    "/apis/certificates.k8s.io/v1",
    "/apis/flowcontrol.apiserver.k8s.io/v1",
    "admissionregistration.k8s.io/v1 mutatingwebhookconfigurations",
    "admissionregistration.k8s.io/v1 validatingwebhookconfigurations",
    "apiregistration.k8s.io/v1 apiservices",
    "certificates.k8s.io/v1 certificatesigningrequests",
    "flowcontrol.apiserver.k8s.io/v1 flowschemas",
    "flowcontrol.apiserver.k8s.io/v1 prioritylevelconfigurations",
    "networking.k8s.io/v1 ipaddresses",
    "networking.k8s.io/v1 servicecidrs",
    "storage.k8s.io/v1 volumeattributesclasses",
];
/// Groups that are Kubernetes' own although their names have no dot; others are of custom resources, but for `*.k8s.io`.
const BUILT_IN: &[&str] = &["", "apps", "autoscaling", "batch", "policy"];
/// The kind of a patch that was refused before it was read.
const UNREAD: &str = "unread";
const PATCHES: [&str; 5] = ["apply", "json", "merge", "strategic", UNREAD];

/// One kind of request and its outcome.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Request {
    /// `apps/v1 deployments/status`, or a path that is no resource's.
    pub resource: String,
    /// `get`, `list`, ...
    pub verb: String,
    /// `apply`, `json`, `merge`, `strategic`; `unread` when it was refused before it was read; empty when it is no patch.
    pub patch: &'static str,
    /// How objects are picked, and from which version on: `label`, `field(metadata.name)`, `limit`, `bookmarks`, ...
    pub picked: Vec<String>,
    /// HTTP status.
    pub code: u16,
}

impl fmt::Display for Request {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.resource, self.verb)?;
        for word in std::iter::once(self.patch).chain(self.picked.iter().map(String::as_str)) {
            if !word.is_empty() {
                write!(f, " {word}")?;
            }
        }
        write!(f, " -> {}", self.code)
    }
}

impl Request {
    /// Whether the server said no.
    #[must_use]
    pub fn refused(&self) -> bool {
        self.code >= 400
    }

    /// What must be refused at least once: the same request, however its objects are picked. Paths that are no
    /// resource's are alike.
    #[must_use]
    pub fn shape(&self) -> String {
        if self.resource.starts_with('/') {
            return format!("paths: {}", self.verb);
        }
        format!("{}: {}", self.resource, [self.verb.as_str(), self.patch].join(" ").trim_end())
    }

    /// Whether an answer to the other one says how this one is answered: they are the same, or this is a patch that was
    /// refused before anybody read of which kind it is.
    #[must_use]
    pub fn is_shown_by(&self, other: &Self) -> bool {
        let other_kind = if self.patch == UNREAD { self.patch } else { other.patch };
        *self == Self { patch: other_kind, ..other.clone() }
    }

    /// A line of the list, as it was written.
    #[must_use]
    pub fn read(line: &str) -> Option<Self> {
        let (resource, rest) = line.split_once(": ")?;
        let (asked, code) = rest.rsplit_once(" -> ")?;
        let mut words = asked.split(' ');
        let verb = words.next()?.to_owned();
        let patch = if verb == "patch" { *PATCHES.iter().find(|kind| words.clone().next() == Some(kind))? } else { "" };
        let picked = words.skip(usize::from(!patch.is_empty())).map(str::to_owned).collect();
        Some(Self { resource: resource.to_owned(), verb, patch, picked, code: code.parse().ok()? })
    }

    /// What an audit event may have asked; nothing when one of Kubernetes' own components asked it, it is about a kind
    /// that is none of ours, or the server could not answer (500 and more: it starts, ends, or has lost its database, which is no answer to the request).
    #[must_use]
    pub fn of_event(event: &Value) -> Vec<Self> {
        let text = |pointer: &str| event.pointer(pointer).and_then(Value::as_str).unwrap_or_default();
        let agent = text("/userAgent").split('/').next().unwrap_or_default();
        let code = event.pointer("/responseStatus/code").and_then(Value::as_u64).and_then(|code| code.try_into().ok());
        let user = text("/user/username");
        let foreign = COMPONENTS.contains(&agent) || user.starts_with("system:node:") || user == "system:apiserver";
        let Some(code) = code.filter(|code| *code < 500 && !foreign) else { return Vec::new() };
        let method = match text("/verb") {
            "create" | "post" => "POST",
            "update" | "put" => "PUT",
            "patch" => "PATCH",
            "delete" | "deletecollection" => "DELETE",
            _ => "GET",
        };
        let target = Target::of(method, text("/requestURI"));
        if UNTOUCHED.contains(&target.resource.as_str()) {
            return Vec::new();
        }
        let kinds = if method == "PATCH" { patches(&target, event.get("requestObject")) } else { vec![""] };
        kinds.into_iter().map(|patch| target.asked(patch, code)).collect()
    }

    /// What a story's step asks, and what was recorded as its outcome.
    #[must_use]
    pub fn of_step(step: &Value) -> Option<Self> {
        let (method, uri) = step.get("request")?.as_str()?.split_once(' ')?;
        let code = step.get("code")?.as_u64()?.try_into().ok()?;
        let target = Target::of(method, uri);
        let kind = step.pointer("/headers/Content-Type").and_then(Value::as_str).unwrap_or_default();
        let patch = match kind {
            _ if method != "PATCH" => "",
            "application/apply-patch+yaml" => "apply",
            "application/json-patch+json" => "json",
            "application/merge-patch+json" => "merge",
            "application/strategic-merge-patch+json" => "strategic",
            _ => UNREAD,
        };
        Some(target.asked(patch, code))
    }
}

/// The kinds of patch that this may be: by its form, by what only one of them may say, and by what the kind can take.
fn patches(target: &Target<'_>, body: Option<&Value>) -> Vec<&'static str> {
    let custom = target.resource.starts_with("custom");
    let merging: &[&str] = if custom { &["merge"] } else { &["merge", "strategic"] };
    let has = |body: &Value, field: &str| body.get(field).is_some_and(Value::is_string);
    match body {
        None | Some(Value::Null) => vec![UNREAD],
        Some(Value::Array(_)) => vec!["json"],
        // Only an apply may say whether it is forced.
        Some(_) if target.option("force").is_some() => vec!["apply"],
        Some(body) if target.option("fieldManager").is_some() && has(body, "apiVersion") && has(body, "kind") => {
            [&["apply"], merging].concat()
        }
        Some(_) => merging.to_vec(),
    }
}

/// A path, understood as the API server does (`apiserver/pkg/endpoints/request/requestinfo.go`).
struct Target<'a> {
    resource: String,
    verb: &'static str,
    options: Vec<(&'a str, &'a str)>,
}

impl<'a> Target<'a> {
    fn of(method: &str, uri: &'a str) -> Self {
        let (path, query) = uri.split_once('?').unwrap_or((uri, ""));
        let options: Vec<(&str, &str)> =
            query.split('&').map(|pair| pair.split_once('=').unwrap_or((pair, ""))).collect();
        let parts: Vec<&str> = path.split('/').filter(|part| !part.is_empty()).collect();
        let (group, version, rest) = match parts.as_slice() {
            ["api", version, rest @ ..] => ("", *version, rest),
            ["apis", group, version, rest @ ..] => (*group, *version, rest),
            _ => ("", "", &[][..]),
        };
        let (kind, name, part) = match rest {
            ["namespaces", _, kind, rest @ ..] if !matches!(*kind, "status" | "finalize") => {
                (*kind, rest.first(), rest.get(1))
            }
            [kind, rest @ ..] => (*kind, rest.first(), rest.get(1)),
            [] => {
                let verb = if method == "GET" { "get" } else { "post" };
                return Self { resource: general(&parts), verb, options };
            }
        };
        let mut of = Self { resource: String::new(), verb: "", options };
        let watches = of.option("watch").is_some_and(|on| on != "false" && on != "0");
        of.verb = match (method, name) {
            ("POST", _) => "create",
            ("PUT", _) => "update",
            ("PATCH", _) => "patch",
            ("DELETE", Some(_)) => "delete",
            ("DELETE", None) => "deletecollection",
            _ if watches => "watch",
            (_, Some(_)) => "get",
            _ => "list",
        };
        let built_in = BUILT_IN.contains(&group) || group.ends_with(".k8s.io");
        of.resource = match (built_in, group) {
            (false, _) => "custom".to_owned(),
            (true, "") => format!("{version} {kind}"),
            (true, _) => format!("{group}/{version} {kind}"),
        };
        if let Some(part) = part {
            of.resource += &format!("/{part}");
        }
        of
    }

    /// The value of an option, when it is given and says anything.
    fn option(&self, name: &str) -> Option<&'a str> {
        self.options.iter().find(|(key, value)| *key == name && !value.is_empty()).map(|(_, value)| *value)
    }

    fn asked(&self, patch: &'static str, code: u16) -> Request {
        Request { resource: self.resource.clone(), verb: self.verb.to_owned(), patch, picked: self.picked(), code }
    }

    fn picked(&self) -> Vec<String> {
        let mut words = Vec::new();
        let mut says = |option: &str, word: &dyn Fn(&str) -> String| words.extend(self.option(option).map(word));
        says("dryRun", &|_| "dry-run".to_owned());
        if matches!(self.verb, "list" | "watch" | "deletecollection") {
            says("labelSelector", &|_| "label".to_owned());
            says("fieldSelector", &|text| format!("field({})", fields(text)));
            says("limit", &|_| "limit".to_owned());
            says("continue", &|_| "continue".to_owned());
            says("resourceVersion", &|text| if text == "0" { "from-0" } else { "from-version" }.to_owned());
            says("resourceVersionMatch", &|text| format!("match({text})"));
            says("sendInitialEvents", &|text| {
                if text == "true" { "initial-events" } else { "no-initial-events" }.to_owned()
            });
            says("allowWatchBookmarks", &|text| if text == "true" { "bookmarks" } else { "" }.to_owned());
        }
        words
    }
}

/// The fields that a selector names: each kind has its own.
fn fields(selector: &str) -> String {
    let plain =
        selector.replace("%3D", "=").replace("%3d", "=").replace("%2C", ",").replace("%2c", ",").replace("%21", "!");
    let mut names: Vec<&str> = plain.split(',').map(|term| term.split(['=', '!']).next().unwrap_or_default()).collect();
    names.sort_unstable();
    names.join(",")
}

/// A path that is no resource's; groups of custom resources are one, in one version.
fn general(parts: &[&str]) -> String {
    let custom = parts.iter().position(|part| part.contains('.') && !part.ends_with(".k8s.io"));
    let known = parts.get(..custom.unwrap_or(parts.len())).unwrap_or_default();
    let rest = custom.map(|_| "custom");
    format!("/{}", known.iter().copied().chain(rest).collect::<Vec<_>>().join("/"))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]
    use serde_json::json;

    use super::*;

    fn event(verb: &str, uri: &str, body: Value) -> Vec<String> {
        let event = json!({"verb": verb, "requestURI": uri, "requestObject": body, "responseStatus": {"code": 200},
            "userAgent": "kubectl/v1.36", "user": {"username": "admin"}});
        Request::of_event(&event).iter().map(ToString::to_string).collect()
    }

    fn step(request: &str, kind: &str) -> String {
        let step = json!({"request": request, "headers": {"Content-Type": kind}, "code": 404});
        Request::of_step(&step).unwrap().to_string()
    }

    #[test]
    fn an_event_and_a_step_that_ask_the_same_are_the_same() {
        let get = |uri: &str| event("list", uri, Value::Null);
        assert_eq!(get("/api/v1/pods?limit=500&timeoutSeconds=3"), ["v1 pods: list limit -> 200"]);
        assert_eq!(
            get(
                "/api/v1/namespaces/a/pods?labelSelector=a%3Db&fieldSelector=status.phase%21%3DFailed%2Cspec.nodeName%3Dx"
            ),
            ["v1 pods: list label field(spec.nodeName,status.phase) -> 200"]
        );
        assert_eq!(step("GET /api/v1/namespaces/a/pods?limit=5&continue=x", ""), "v1 pods: list limit continue -> 404");
        assert_eq!(step("GET /api/v1/namespaces/a", ""), "v1 namespaces: get -> 404");
        assert_eq!(step("PUT /api/v1/namespaces/a/finalize", ""), "v1 namespaces/finalize: update -> 404");
        assert_eq!(
            step("DELETE /apis/apps/v1/namespaces/a/deployments", ""),
            "apps/v1 deployments: deletecollection -> 404"
        );
        assert_eq!(
            step("PUT /apis/apps/v1/namespaces/a/deployments/d/scale", ""),
            "apps/v1 deployments/scale: update -> 404"
        );
    }

    #[test]
    fn a_watch_is_told_by_where_it_begins_and_what_it_shows() {
        let asked = step("GET /api/v1/pods?watch=1&resourceVersion=17&allowWatchBookmarks=true", "");
        assert_eq!(asked, "v1 pods: watch from-version bookmarks -> 404");
        let uri = "/api/v1/pods?watch=true&sendInitialEvents=true&resourceVersionMatch=NotOlderThan&resourceVersion=";
        assert_eq!(event("watch", uri, Value::Null), ["v1 pods: watch match(NotOlderThan) initial-events -> 200"]);
        assert_eq!(step("GET /api/v1/pods?watch=false", ""), "v1 pods: list -> 404");
    }

    #[test]
    fn a_patch_that_the_log_cannot_tell_counts_as_each_that_it_may_be() {
        let at = "/api/v1/nodes/n";
        let node = json!({"apiVersion": "v1", "kind": "Node"});
        let kinds = |uri: &str, body: Value| -> Vec<String> {
            let found = event("patch", uri, body);
            found.iter().map(|line| line.replace("v1 nodes: patch ", "").replace(" -> 200", "")).collect()
        };
        assert_eq!(kinds(at, json!([{"op": "test"}])), ["json"]);
        assert_eq!(kinds(at, json!({"spec": {}})), ["merge", "strategic"]);
        assert_eq!(kinds("/api/v1/nodes/n?fieldManager=m&force=false", node.clone()), ["apply"]);
        assert_eq!(kinds("/api/v1/nodes/n?fieldManager=m", node), ["apply", "merge", "strategic"]);
        assert_eq!(kinds(at, Value::Null), ["unread"]);
        assert_eq!(event("patch", "/apis/ex.dev/v1/things/a", json!({})), ["custom: patch merge -> 200"]);
        assert_eq!(step("PATCH /api/v1/nodes/n", "application/json-patch+json"), "v1 nodes: patch json -> 404");
    }

    #[test]
    fn definitions_are_served_alike_and_what_is_no_resource_is_a_path() {
        assert_eq!(step("GET /apis/keelson.dev/v1alpha1/platforms/default/status", ""), "custom/status: get -> 404");
        assert_eq!(step("GET /apis/metrics.k8s.io/v1beta1/nodes", ""), "metrics.k8s.io/v1beta1 nodes: list -> 404");
        assert_eq!(step("GET /openapi/v3/apis/keelson.dev/v1alpha1?hash=a", ""), "/openapi/v3/apis/custom: get -> 404");
        assert_eq!(step("GET /api", ""), "/api: get -> 404");
    }

    #[test]
    fn what_kubernetes_asks_of_itself_and_what_got_no_answer_is_left_out() {
        let of = |agent: &str, user: &str, code: u16| {
            let event = json!({"verb": "list", "requestURI": "/api/v1/pods", "responseStatus": {"code": code},
                "userAgent": agent, "user": {"username": user}});
            Request::of_event(&event).len()
        };
        assert_eq!(of("keelson/0.1", "system:serviceaccount:keelson-system:keelson", 200), 1);
        assert_eq!(of("kube-controller-manager/v1.36", "admin", 200), 0);
        assert_eq!(of("kubelet/v1.36", "system:node:real-0", 200), 0);
        assert_eq!(of("kubectl/v1.36", "admin", 503), 0);
    }
}
