//! The parts of an object that have an address of their own: scale, binding, eviction, tokens, finalize.

use std::sync::Arc;

use bytes::Bytes;
use http::{Response, request::Parts};
use keelson_core::Timestamp;

use super::{
    Api, admission,
    auth::{self, Issued, User},
    base64,
    deletion::Deleted,
    json::Json,
    kinds::Kind,
    meta, patch,
    request::{self, Call, PatchType, Verb},
    status::{Cause, Failure, respond},
    storage::Object,
    verbs::Ownership,
};
use crate::tree::{Value, json};

impl Api {
    pub(super) fn subresource(&mut self, call: &Call, parts: &Parts, body: &Bytes) -> Result<Response<Bytes>, Failure> {
        match (call.subresource.as_str(), call.verb) {
            ("scale", Verb::Get) => Ok(respond(200, &scale(call, &*self.read(call)?)?)),
            ("scale", Verb::Update) => {
                let scaled = self.set_scale(call, &request::body(parts, body)?)?;
                Ok(respond(200, &scale(call, &scaled)?))
            }
            ("scale", Verb::Patch) => {
                let how = request::patch_type(parts)?;
                let scaled = self.patch_scale(call, how, &request::body(parts, body)?)?;
                Ok(respond(200, &scale(call, &scaled)?))
            }
            ("binding", Verb::Create) => {
                let binding = request::body(parts, body)?;
                if binding.text(&["metadata", "name"]) != call.name {
                    return Err(Failure::bad_request("name in URL does not match name in Binding object"));
                }
                self.bind(call, &binding)?;
                Ok(respond(201, &success()))
            }
            ("eviction", Verb::Create) => {
                let eviction = request::body(parts, body)?;
                let named = eviction.text(&["metadata", "name"]);
                if !named.is_empty() && named != call.name {
                    return Err(Failure::bad_request("name in URL does not match name in Eviction object"));
                }
                self.evict(call, &eviction)
            }
            ("token", Verb::Create) => Ok(respond(201, &self.issue(call, &request::body(parts, body)?)?)),
            ("log", Verb::Get) => {
                let scheduled = !self.read(call)?.value.text(&["spec", "nodeName"]).is_empty();
                let code = if scheduled { 200 } else { 204 };
                Ok(super::status::respond_bytes(code, "text/plain", Bytes::new()))
            }
            _ => Err(Failure::method_not_allowed()),
        }
    }

    fn set_scale(&mut self, call: &Call, scale: &Value) -> Result<Arc<Object>, Failure> {
        let old = self.read(call)?;
        let paths = scale_paths(call)?;
        let replicas = scale.int(&["spec", "replicas"]).unwrap_or(0);
        if let Some(cause) = super::validate::scale(replicas) {
            let mut scale = Kind::clone(&call.kind);
            (scale.group, scale.kind) = ("autoscaling", "Scale");
            return Err(Failure::invalid(&scale, &call.name, &[cause]));
        }
        let mut new = (*old.value).clone();
        let path: Vec<&str> = paths.spec.split('.').filter(|part| !part.is_empty()).collect();
        new.put(&path, replicas);
        let rv = scale.text(&["metadata", "resourceVersion"]);
        if !rv.is_empty() {
            new.put(&["metadata", "resourceVersion"], rv);
        }
        // The scale is a view of the whole object: status stays, the generation counts.
        let mut whole = call.clone();
        whole.subresource = "scale".into();
        self.change(&whole, &old, new, Ownership::Changed)
    }

    pub(super) fn patch_scale(&mut self, call: &Call, how: PatchType, patch: &Value) -> Result<Arc<Object>, Failure> {
        let mut call = call.clone();
        call.subresource = "scale".into();
        let scale = scale(&call, &*self.read(&call)?)?;
        let scale = patch::patched(&call, how, scale, patch)?;
        if !matches!(scale.at(&["spec", "replicas"]), Value::Null | Value::Number(_)) {
            let why = "json: cannot unmarshal string into Go struct field ScaleSpec.spec.replicas of type int32";
            return Err(Failure::unpatchable(&scale.to_string(), why));
        }
        self.set_scale(&call, &scale)
    }

    /// Binds a pod to a node, once.
    pub(super) fn bind(&mut self, call: &Call, binding: &Value) -> Result<(), Failure> {
        let kind = &call.kind;
        let part = Call { verb: Verb::Create, subresource: "binding".into(), ..call.clone() };
        let binding = admission::review(self, &part, binding)?;
        let old = self.read(call)?;
        let node = binding.text(&["target", "name"]);
        if node.is_empty() {
            return Err(Failure::new(500, "", "target.name: Required value"));
        }
        let uid = binding.text(&["metadata", "uid"]);
        if !uid.is_empty() && uid != old.uid() {
            return Err(Failure::namesake(kind, &call.namespace, &call.name, uid, old.uid()));
        }
        if old.deleting() {
            let why = format!("pod {} is being deleted, cannot be assigned to a host", call.name);
            return Err(binding_conflict(&call.name, &why));
        }
        let bound = old.value.text(&["spec", "nodeName"]);
        if !bound.is_empty() {
            let why = format!("pod {} is already assigned to node {bound:?}", call.name);
            return Err(binding_conflict(&call.name, &why));
        }
        if !old.value.items(&["spec", "schedulingGates"]).is_empty() {
            let why = format!("pod {} has non-empty .spec.schedulingGates", call.name);
            return Err(binding_conflict(&call.name, &why));
        }
        let mut new = (*old.value).clone();
        new.put(&["spec", "nodeName"], node);
        for (key, text) in binding.entries(&["metadata", "annotations"]) {
            new.put(&["metadata", "annotations", key], text.clone());
        }
        let now = meta::time(call.now);
        let conditions = new.array(&["status", "conditions"]);
        conditions.retain(|condition| condition.text(&["type"]) != "PodScheduled");
        conditions
            .push(json!({"type": "PodScheduled", "status": "True", "lastProbeTime": null, "lastTransitionTime": now}));
        super::json::without_nulls(&mut new);
        if call.dry_run {
            return Ok(());
        }
        self.commit(call.now, kind, new);
        Ok(())
    }

    /// Deletes a pod unless a disruption budget says no.
    fn evict(&mut self, call: &Call, eviction: &Value) -> Result<Response<Bytes>, Failure> {
        let eviction = admission::review(self, call, eviction)?;
        let options = eviction.at(&["deleteOptions"]);
        let mut call = Call { verb: Verb::Delete, subresource: String::new(), ..call.clone() };
        call.heed_dry_run(options)?;
        let pod = self.read(&call)?;
        let free = matches!(pod.value.text(&["status", "phase"]), "Succeeded" | "Failed" | "Pending") || pod.deleting();
        if !free {
            self.spend_budget(&call, &pod)?;
        }
        super::deletion::preconditions(&call.kind, &call.name, &pod, options)?;
        if !call.dry_run {
            self.mark_evicted(&call, &pod);
        }
        match self.delete(&call, options)? {
            Deleted::Gone(_) | Deleted::Waits(_) => Ok(respond(201, &success())),
        }
    }

    /// Tells whoever watches the pod why it goes.
    fn mark_evicted(&mut self, call: &Call, pod: &Object) {
        let mut new = (*pod.value).clone();
        let conditions = new.array(&["status", "conditions"]);
        conditions.retain(|one| one.text(&["type"]) != "DisruptionTarget");
        conditions
            .push(json!({"type": "DisruptionTarget", "status": "True", "lastTransitionTime": meta::time(call.now),
            "reason": "EvictionByEvictionAPI", "message": "Eviction API: evicting"}));
        self.commit(call.now, &call.kind, new);
    }

    fn spend_budget(&mut self, call: &Call, pod: &Object) -> Result<(), Failure> {
        let Some(kind) = self.kinds.get("policy", "poddisruptionbudgets") else { return Ok(()) };
        let budgets: Vec<Arc<Object>> = self
            .store
            .list(kind.storage, &call.namespace)
            .filter(|budget| selects(budget.value.at(&["spec", "selector"]), &pod.value))
            .cloned()
            .collect();
        let budget = match budgets.as_slice() {
            [] => return Ok(()),
            [one] => one,
            _ => {
                return Err(Failure::new(
                    500,
                    "InternalError",
                    "This pod has more than one PodDisruptionBudget, which the eviction subresource does not support.",
                ));
            }
        };
        let ready = pod
            .value
            .items(&["status", "conditions"])
            .iter()
            .any(|condition| condition.text(&["type"]) == "Ready" && condition.text(&["status"]) == "True");
        let status = budget.value.at(&["status"]);
        let enough = status.int(&["currentHealthy"]) >= status.int(&["desiredHealthy"])
            && status.int(&["desiredHealthy"]) > Some(0);
        let always = budget.value.text(&["spec", "unhealthyPodEvictionPolicy"]) == "AlwaysAllow";
        if !ready && (always || enough) {
            return Ok(());
        }
        let name = budget.value.text(&["metadata", "name"]).to_owned();
        let observed = status.int(&["observedGeneration"]).unwrap_or(0);
        let stale = observed < budget.value.int(&["metadata", "generation"]).unwrap_or(0);
        let allowed = status.int(&["disruptionsAllowed"]).unwrap_or(0);
        if stale || allowed <= 0 {
            let (healthy, desired) = (status.int(&["currentHealthy"]), status.int(&["desiredHealthy"]));
            let (healthy, desired) = (healthy.unwrap_or(0), desired.unwrap_or(0));
            let why = if stale {
                format!("The disruption budget {name} is still being processed by the server.")
            } else if healthy <= desired {
                format!("The disruption budget {name} needs {desired} healthy pods and has {healthy} currently")
            } else {
                format!("The disruption budget {name} does not allow evicting pods currently")
            };
            let mut failure = Failure::new(
                429,
                "TooManyRequests",
                "Cannot evict pod as it would violate the pod's disruption budget.",
            )
            .with_causes(&[Cause { reason: "DisruptionBudget", field: String::new(), message: why }]);
            if stale {
                failure = failure.retry_after(10);
            }
            return Err(failure);
        }
        let mut new = (*budget.value).clone();
        new.put(&["status", "disruptionsAllowed"], allowed - 1);
        new.put(&["status", "disruptedPods", &call.name], meta::time(call.now));
        show_allowance(&mut new, call.now);
        let version = kind.versions.first().copied().unwrap_or("v1");
        let (manager, subresource) = ("kube-apiserver".into(), "status".into());
        let own = Call { kind: Arc::clone(&kind), version, manager, subresource, ..call.clone() };
        patch::managed::updated(&own, &budget.value, &mut new);
        if !call.dry_run {
            self.commit(call.now, &kind, new);
        }
        Ok(())
    }

    fn issue(&mut self, call: &Call, review: &Value) -> Result<Value, Failure> {
        let account = self.read(call)?;
        let seconds = review.int(&["spec", "expirationSeconds"]).unwrap_or(3600);
        if seconds < 600 {
            let mut request = Kind::clone(&call.kind);
            (request.group, request.kind) = ("authentication.k8s.io", "TokenRequest");
            let why = "may not specify a duration less than 10 minutes";
            return Err(Failure::invalid(
                &request,
                "",
                &[Cause::invalid("spec.expirationSeconds", &seconds.into(), why)],
            ));
        }
        let expires = call.now.as_seconds().saturating_add(seconds);
        let audiences = auth::audiences(review);
        self.issued.retain(|_, issued| issued.expires_seconds > call.now.as_seconds());
        let header = base64::encode(br#"{"alg":"none"}"#);
        let user = User::service_account(&call.namespace, &call.name, account.uid());
        let claims = json!({"sub": user.name, "exp": expires, "aud": audiences, "jti": meta::uid(&mut self.rng)});
        let token = format!("{header}.{}.", base64::encode(claims.to_string().as_bytes())).replace('=', "");
        self.issued.insert(
            token.clone(),
            Issued {
                user: Arc::new(user),
                namespace: call.namespace.clone(),
                name: call.name.clone(),
                expires_seconds: expires,
                audiences: audiences.clone(),
            },
        );
        let until = Timestamp(expires.saturating_mul(1_000_000));
        Ok(json!({
            "kind": "TokenRequest", "apiVersion": "authentication.k8s.io/v1",
            "metadata": {"name": call.name, "namespace": call.namespace, "creationTimestamp": meta::time(call.now)},
            "spec": {"audiences": audiences, "expirationSeconds": seconds, "boundObjectRef": review.at(&["spec", "boundObjectRef"])},
            "status": {"token": token, "expirationTimestamp": meta::time(until)},
        }))
    }
}

/// Says in a budget's conditions whether it allows a disruption.
fn show_allowance(budget: &mut Value, now: Timestamp) {
    let (status, reason) = match budget.int(&["status", "disruptionsAllowed"]) {
        Some(1..) => ("True", "SufficientPods"),
        _ => ("False", "InsufficientPods"),
    };
    let generation = budget.at(&["metadata", "generation"]).clone();
    let conditions = budget.array(&["status", "conditions"]);
    let known = conditions.iter().find(|one| one.text(&["type"]) == "DisruptionAllowed");
    let since = known.filter(|one| one.text(&["status"]) == status).map(|one| one.at(&["lastTransitionTime"]).clone());
    let since = since.unwrap_or_else(|| meta::time(now).into());
    conditions.retain(|one| one.text(&["type"]) != "DisruptionAllowed");
    conditions.push(json!({"type": "DisruptionAllowed", "status": status, "observedGeneration": generation,
        "lastTransitionTime": since, "reason": reason, "message": ""}));
}

fn success() -> Value {
    json!({"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success", "code": 201})
}

fn binding_conflict(name: &str, why: &str) -> Failure {
    let mut failure =
        Failure::new(409, "Conflict", format!("Operation cannot be fulfilled on pods/binding {name:?}: {why}"));
    failure.details = Some(json!({"name": name, "kind": "pods/binding"}));
    failure
}

/// The `autoscaling/v1` Scale of an object.
fn scale(call: &Call, object: &Object) -> Result<Value, Failure> {
    let value = &object.value;
    let paths = scale_paths(call)?;
    let mut status = json!({"replicas": at_path(value, &paths.status).as_i64().unwrap_or(0)});
    let selector = paths.selector.as_deref().map(|path| selector_text(at_path(value, path))).unwrap_or_default();
    if !selector.is_empty() {
        status.put(&["selector"], selector);
    }
    let metadata = value.at(&["metadata"]);
    let mut kept = json!({});
    for field in ["name", "namespace", "uid", "resourceVersion", "creationTimestamp"] {
        if let Some(text) = metadata.get(field) {
            kept.put(&[field], text.clone());
        }
    }
    // Go leaves out what is zero here, but not in the status.
    let replicas = at_path(value, &paths.spec).as_i64().filter(|replicas| *replicas != 0);
    let spec = replicas.map_or_else(|| json!({}), |replicas| json!({"replicas": replicas}));
    Ok(json!({"kind": "Scale", "apiVersion": "autoscaling/v1", "metadata": kept, "spec": spec, "status": status}))
}

struct ScalePaths {
    spec: String,
    status: String,
    selector: Option<String>,
}

fn scale_paths(call: &Call) -> Result<ScalePaths, Failure> {
    match &call.kind.crd {
        None => Ok(ScalePaths {
            spec: ".spec.replicas".into(),
            status: ".status.replicas".into(),
            selector: Some(".spec.selector".into()),
        }),
        Some(crd) => {
            let scale = crd.version(call.version).at(&["subresources", "scale"]);
            if scale.is_null() {
                return Err(Failure::no_such_path());
            }
            let selector = scale.text(&["labelSelectorPath"]);
            Ok(ScalePaths {
                spec: scale.text(&["specReplicasPath"]).to_owned(),
                status: scale.text(&["statusReplicasPath"]).to_owned(),
                selector: (!selector.is_empty()).then(|| selector.to_owned()),
            })
        }
    }
}

/// The value at `.spec.replicas`.
pub(crate) fn at_path<'a>(value: &'a Value, path: &str) -> &'a Value {
    let parts: Vec<&str> = path.split('.').filter(|part| !part.is_empty()).collect();
    value.at(&parts)
}

/// A selector as the text that list options take.
pub(crate) fn selector_text(selector: &Value) -> String {
    match selector {
        Value::String(text) => text.to_string(),
        Value::Object(map) if map.contains_key("matchLabels") || map.contains_key("matchExpressions") => selector
            .read::<keelson_core::selector::LabelSelector>()
            .map(|selector| selector.to_selector().to_string())
            .unwrap_or_default(),
        Value::Object(map) => {
            let each: Vec<String> =
                map.iter().map(|(key, value)| format!("{key}={}", value.as_str().unwrap_or(""))).collect();
            each.join(",")
        }
        _ => String::new(),
    }
}

/// Whether a label selector (as it stands in an object) selects an object. An empty selector selects all, none nothing.
pub(crate) fn selects(selector: &Value, object: &Value) -> bool {
    let Ok(selector) = selector.read::<keelson_core::selector::LabelSelector>() else {
        return false;
    };
    let labels = object
        .entries(&["metadata", "labels"])
        .map(|(key, value)| (key.to_string(), value.as_str().unwrap_or("").to_owned()))
        .collect();
    selector.matches(&labels)
}
