//! From a request to its answer.

use std::{rc::Rc, sync::Arc};

use bytes::Bytes;
use http::{Request, header, request::Parts};
use keelson_core::Timestamp;

use super::{
    Api, Reply,
    auth::{self, User},
    deletion::Deleted,
    events,
    json::Json,
    kinds::Kind,
    render::{self, Render},
    request::{self, Call, Query, Verb},
    status::{Failure, respond, respond_bytes},
    storage::Object,
    verbs::Ownership,
};
use crate::tree::{Value, json};

impl Api {
    /// Answers a request that arrives at a moment.
    pub fn handle(&mut self, now: Timestamp, request: Request<Bytes>) -> Reply {
        let (parts, body) = request.into_parts();
        let mut verb = String::from(parts.method.as_str());
        let reply =
            self.answer(now, &parts, &body, &mut verb).unwrap_or_else(|failure| Reply::Response(failure.response()));
        self.tick(now);
        let code = match &reply {
            Reply::Response(response) => response.status().as_u16(),
            Reply::Watch(_) => 200,
        };
        *self.counters.entry((verb, code)).or_default() += 1;
        reply
    }

    fn answer(&mut self, now: Timestamp, parts: &Parts, body: &Bytes, name: &mut String) -> Result<Reply, Failure> {
        let user = self.identify(now, parts)?;
        let query = Query::parse(parts.uri.query().unwrap_or(""));
        let path = parts.uri.path();
        let Some(target) = request::route(&self.kinds, path)? else {
            "get".clone_into(name);
            self.authorize_path(&user, parts.method.as_str(), path)?;
            return self.discover(path, &parts.headers).map(Reply::Response);
        };
        let verb = request::verb(&parts.method, &target, &query)?;
        verb.name().clone_into(name);
        let manager = request::manager(parts, &query);
        let mut call = Call {
            now,
            user,
            verb,
            kind: target.kind,
            version: target.version,
            namespace: target.namespace,
            name: target.name,
            subresource: target.subresource,
            query,
            manager,
            dry_run: false,
            warnings: Rc::default(),
            outside: true,
        };
        self.authorize(&call)?;
        if call.verb == Verb::Create && call.subresource.is_empty() && !call.name.is_empty() {
            return Err(Failure::method_not_allowed());
        }
        call.heed_dry_run(&Value::Null)?;
        if call.verb == Verb::Watch && !call.name.is_empty() {
            call.query.set("fieldSelector", &format!("metadata.name={}", call.name));
        }
        if call.kind.is("", "endpoints") {
            call.warn("v1 Endpoints is deprecated in v1.33+; use discovery.k8s.io/v1 EndpointSlice");
        }
        let served = self.serve(&call, parts, body);
        let mut reply = served.unwrap_or_else(|failure| Reply::Response(failure.response()));
        if let Reply::Response(response) = &mut reply {
            for warning in call.warnings.borrow().iter() {
                let text = format!("299 - {warning:?}");
                if let Ok(value) = header::HeaderValue::from_str(&text) {
                    response.headers_mut().append(header::WARNING, value);
                }
            }
        }
        Ok(reply)
    }

    /// Who is asking, after `Impersonate-User` (`kubectl --as`) has been taken into account.
    fn identify(&self, now: Timestamp, parts: &Parts) -> Result<Arc<User>, Failure> {
        let real = self.authenticate(now, &parts.headers)?;
        let Some(user) = auth::impersonated(&parts.headers) else { return Ok(real) };
        self.may_impersonate(&real, &user)?;
        Ok(Arc::new(user))
    }

    fn serve(&mut self, call: &Call, parts: &Parts, body: &Bytes) -> Result<Reply, Failure> {
        if call.kind.virtual_ {
            return self.answer_virtual(call, parts, body).map(Reply::Response);
        }
        let render = Render::new(call, render::form(&parts.headers)?);
        if !matches!(call.subresource.as_str(), "" | "status" | "resize" | "finalize") {
            return self.subresource(call, parts, body).map(Reply::Response);
        }
        match call.verb {
            Verb::Watch => self.watch(call, render).map(Reply::Watch),
            Verb::List => {
                let list = self.list(call, &render)?;
                Ok(Reply::Response(respond_bytes(200, JSON, list)))
            }
            Verb::Get => {
                let object = self.read(call)?;
                Ok(answer(200, &render, &object))
            }
            Verb::Create => {
                let object = self.incoming(call, request::body(parts, body)?)?;
                let stored = self.create(call, object, Ownership::Changed)?;
                Ok(answer(201, &render, &stored))
            }
            Verb::Update => {
                let object = self.incoming(call, request::body(parts, body)?)?;
                let (code, stored) = self.replace(call, object)?;
                Ok(answer(code, &render, &stored))
            }
            Verb::Patch => {
                let patch_type = request::patch_type(parts)?;
                call.heed_force(patch_type)?;
                let patch = request::body(parts, body)?;
                let existed = self.read(call).is_ok();
                let stored = self.patch(call, patch_type, &patch)?;
                Ok(answer(if existed { 200 } else { 201 }, &render, &stored))
            }
            Verb::Delete => {
                let options = request::delete_options(&call.query, &request::body(parts, body)?)?;
                let mut call = call.clone();
                call.heed_dry_run(&options)?;
                match self.delete(&call, &call.propagation(options))? {
                    Deleted::Waits(object) => Ok(answer(200, &render, &object)),
                    Deleted::Gone(object) if call.kind.is_shown_deleted() => Ok(answer(200, &render, &object)),
                    Deleted::Gone(object) => Ok(Reply::Response(respond(200, &deleted(&call.kind, &object)))),
                }
            }
            Verb::DeleteCollection => {
                let options = request::delete_options(&call.query, &request::body(parts, body)?)?;
                let mut call = call.clone();
                call.heed_dry_run(&options)?;
                let gone = self.delete_collection(&call, &options)?;
                let metadata = json!({"resourceVersion": self.store.rv().to_string()});
                Ok(Reply::Response(respond_bytes(200, JSON, render.list(&gone, &metadata))))
            }
        }
    }

    /// An object as it came, in the form it is stored in.
    fn incoming(&self, call: &Call, object: Value) -> Result<Value, Failure> {
        if call.kind.group == "events.k8s.io" { Ok(events::to_core(object)) } else { Ok(object) }
    }

    fn replace(&mut self, call: &Call, object: Value) -> Result<(u16, Arc<Object>), Failure> {
        let kind = &call.kind;
        let old = match self.read(call) {
            Ok(old) => old,
            Err(failure) => {
                let creates = matches!(kind.plural, "leases" | "endpoints" | "events") && call.subresource.is_empty();
                return if creates {
                    Ok((201, self.create_instead(call, object, Ownership::Changed)?))
                } else {
                    Err(failure)
                };
            }
        };
        let conditional = kind.crd.is_some() || CONDITIONAL.contains(&kind.plural);
        if conditional && object.text(&["metadata", "resourceVersion"]).is_empty() {
            let cause = super::status::Cause {
                reason: "FieldValueInvalid",
                field: "metadata.resourceVersion".into(),
                message: "Invalid value: 0: must be specified for an update".into(),
            };
            // Upstream names the resource here and not the kind.
            let mut named = Kind::clone(kind);
            named.kind = kind.plural;
            return Err(Failure::invalid(&named, &call.name, &[cause]));
        }
        Ok((200, self.change(call, &old, object, Ownership::Changed)?))
    }
}

/// Kinds whose update must say which version it replaces.
const CONDITIONAL: &[&str] = &[
    "leases",
    "customresourcedefinitions",
    "poddisruptionbudgets",
    "validatingadmissionpolicies",
    "validatingadmissionpolicybindings",
    "mutatingadmissionpolicies",
    "mutatingadmissionpolicybindings",
];

/// The type of every answer that is an object or a list, whatever its form.
const JSON: &str = "application/json";

fn answer(code: u16, render: &Render, object: &Object) -> Reply {
    Reply::Response(respond_bytes(code, JSON, render.object(object, true)))
}

fn deleted(kind: &Kind, object: &Object) -> Value {
    let mut details = json!({"name": object.value.text(&["metadata", "name"])});
    if !kind.group.is_empty() {
        details.put(&["group"], kind.group);
    }
    details.put(&["kind"], kind.plural);
    details.put(&["uid"], object.uid());
    json!({"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success", "details": details})
}
