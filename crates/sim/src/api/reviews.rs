//! Questions that are answered and not stored, and metrics.

use std::sync::Arc;

use bytes::Bytes;
use http::{Response, request::Parts};

use super::{
    Api,
    auth::{self, User},
    json::Json,
    kinds::Kind,
    request::{self, Call, Verb},
    status::{Cause, Failure, respond},
};
use crate::tree::{Value, json};

impl Api {
    pub(super) fn answer_virtual(
        &mut self,
        call: &Call,
        parts: &Parts,
        body: &Bytes,
    ) -> Result<Response<Bytes>, Failure> {
        if call.kind.group == "metrics.k8s.io" {
            return self.metrics(call);
        }
        if call.verb != Verb::Create {
            return Err(Failure::method_not_allowed());
        }
        let mut review = request::body(parts, body)?;
        review.default_to(&["apiVersion"], call.kind.api_version(call.version));
        review.default_to(&["kind"], call.kind.kind);
        match call.kind.plural {
            "bindings" => {
                let mut bind = call.clone();
                bind.kind = self.kinds.get("", "pods").ok_or_else(Failure::no_such_path)?;
                review.text(&["metadata", "name"]).clone_into(&mut bind.name);
                self.bind(&bind, &review)?;
                return Ok(respond(
                    201,
                    &json!({"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success", "code": 201}),
                ));
            }
            "tokenreviews" if review.text(&["spec", "token"]).is_empty() => {
                return Err(Failure::bad_request("token is required for TokenReview in authentication"));
            }
            "tokenreviews" => {
                let known = self.token_user(call.now, review.text(&["spec", "token"]), &auth::audiences(&review));
                let status = match known {
                    Some((user, met)) => json!({"authenticated": true, "user": user.info(), "audiences": met}),
                    None => json!({"user": {}, "error": "invalid bearer token"}),
                };
                review.put(&["status"], status);
            }
            "selfsubjectreviews" => {
                review.put(&["metadata", "creationTimestamp"], super::meta::time(call.now));
                review.put(&["status"], json!({"userInfo": call.user.info()}));
            }
            "selfsubjectaccessreviews" | "subjectaccessreviews" | "localsubjectaccessreviews"
                if review.at(&["spec", "resourceAttributes"]).is_null()
                    && review.at(&["spec", "nonResourceAttributes"]).is_null() =>
            {
                let why = "exactly one of nonResourceAttributes or resourceAttributes must be specified";
                let cause = Cause::invalid("spec.resourceAttributes", &Value::Null, why);
                // Upstream knows the group here, and not the kind.
                let mut nameless = Kind::clone(&call.kind);
                nameless.kind = "";
                return Err(Failure::invalid(&nameless, "", &[cause]));
            }
            "selfsubjectaccessreviews" => {
                let user = Arc::clone(&call.user);
                review.put(&["status"], self.judge(&user, review.at(&["spec"])));
            }
            "subjectaccessreviews" | "localsubjectaccessreviews" => {
                let spec = review.at(&["spec"]);
                let groups = spec.items(&["groups"]).iter().filter_map(Value::as_str).map(ToOwned::to_owned).collect();
                let user = User { name: spec.text(&["user"]).to_owned(), uid: spec.text(&["uid"]).to_owned(), groups };
                let status = self.judge(&user, spec);
                review.put(&["status"], status);
            }
            "selfsubjectrulesreviews" => {
                let rules = self.rules_of(&call.user, review.text(&["spec", "namespace"]));
                review.put(&["status"], rules);
            }
            _ => return Err(Failure::no_such_path()),
        }
        review.place(&["metadata"]);
        if review.at(&["metadata"]).is_null() {
            review.put(&["metadata"], json!({}));
        }
        Ok(respond(201, &review))
    }

    fn metrics(&self, call: &Call) -> Result<Response<Bytes>, Failure> {
        let resource = call.kind.storage;
        let api_version = "metrics.k8s.io/v1beta1";
        let filter = super::select::Filter::of(&call.kind, call.version, &call.query)?;
        let write = |key: &super::storage::Key, value: &Value| {
            let mut item = value.clone();
            item.put(&["kind"], call.kind.kind);
            item.put(&["apiVersion"], api_version);
            item.put(&["metadata", "name"], key.1.as_str());
            if !key.0.is_empty() {
                item.put(&["metadata", "namespace"], key.0.as_str());
            }
            let labels = self.store.get(crate::objects::Resource { group: "", plural: resource.plural }, key);
            if let Some(labels) = labels.and_then(|object| object.value.at(&["metadata"]).get("labels")) {
                item.put(&["metadata", "labels"], labels.clone());
            }
            item
        };
        if call.verb == Verb::Get {
            let key = (call.namespace.as_str().into(), call.name.as_str().into());
            let value = self.metrics.get(&(resource, key.clone()));
            let value = value.ok_or_else(|| Failure::not_found(&call.kind, &call.name))?;
            return Ok(respond(200, &write(&key, value)));
        }
        if call.verb != Verb::List {
            return Err(Failure::method_not_allowed());
        }
        let items: Vec<Value> = self
            .metrics
            .iter()
            .filter(|((of, key), _)| *of == resource && (call.namespace.is_empty() || key.0 == call.namespace))
            .map(|((_, key), value)| write(key, value))
            .filter(|item| filter.matches(item))
            .collect();
        Ok(respond(
            200,
            &json!({"kind": call.kind.list_kind, "apiVersion": api_version, "metadata": {}, "items": items}),
        ))
    }
}
