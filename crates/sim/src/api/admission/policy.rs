//! Validating and mutating admission policies.

use std::{collections::BTreeMap, sync::Arc};

use kube_cel::cel::Context;

use super::super::{
    Api, cel,
    json::Json,
    patch,
    request::{Call, Verb},
    status::{Cause, Failure},
    storage::Object,
    subresource::selects,
};
use crate::objects::Resource;
use crate::tree::{Value, json};

const GROUP: &str = "admissionregistration.k8s.io";

/// What a policy is asked about.
struct Request<'a> {
    api: &'a Api,
    call: &'a Call,
    object: &'a Value,
    old: Option<&'a Value>,
    name: String,
}

/// A policy that applies, with one of its bindings and parameters.
struct Match {
    policy: Arc<Object>,
    binding: Arc<Object>,
    params: Value,
}

impl Match {
    fn label(&self, what: &str) -> String {
        format!(
            "{what} '{}' with binding '{}'",
            self.policy.value.text(&["metadata", "name"]),
            self.binding.value.text(&["metadata", "name"])
        )
    }

    fn fails_closed(&self) -> bool {
        self.policy.value.text(&["spec", "failurePolicy"]) != "Ignore"
    }
}

/// Refuses, warns, or lets pass.
pub(crate) fn validate(api: &Api, call: &Call, object: &Value, old: Option<&Value>) -> Result<(), Failure> {
    let request = Request::new(api, call, object, old);
    for matched in request.matches("validatingadmissionpolicies", "validatingadmissionpolicybindings")? {
        let spec = matched.policy.value.at(&["spec"]);
        let label = matched.label("ValidatingAdmissionPolicy");
        let mut context = request.context(&matched.params);
        match request.conditions(spec, &context) {
            Ok(true) => {}
            Ok(false) => continue,
            Err(problem) if matched.fails_closed() => return Err(request.denied(&label, "", &problem)),
            Err(_) => continue,
        }
        request.variables(spec, &mut context);
        for rule in spec.items(&["validations"]) {
            let expression = rule.text(&["expression"]);
            let message = match api.programs.holds(expression, &context) {
                Ok(true) => continue,
                Ok(false) => failure_message(api, rule, &context),
                Err(problem) if matched.fails_closed() => {
                    format!("expression '{expression}' resulted in error: {problem}")
                }
                Err(_) => continue,
            };
            let actions = matched.binding.value.items(&["spec", "validationActions"]);
            if actions.iter().any(|action| action == "Warn") {
                call.warn(&format!("Validation failed for {label}: {message}"));
            }
            if actions.iter().any(|action| action == "Deny") {
                return Err(request.denied(&label, rule.text(&["reason"]), &message));
            }
        }
    }
    Ok(())
}

/// Applies every mutation that matches, in order of names.
pub(crate) fn mutate(api: &Api, call: &Call, object: &mut Value, old: Option<&Value>) -> Result<(), Failure> {
    let matches =
        Request::new(api, call, object, old).matches("mutatingadmissionpolicies", "mutatingadmissionpolicybindings")?;
    for matched in matches {
        let spec = matched.policy.value.at(&["spec"]);
        let label = matched.label("policy");
        let current = object.clone();
        let request = Request::new(api, call, &current, old);
        let mut context = request.context(&matched.params);
        match request.conditions(spec, &context) {
            Ok(true) => {}
            Ok(false) => continue,
            Err(problem) if matched.fails_closed() => return Err(request.denied(&label, "", &problem)),
            Err(_) => continue,
        }
        request.variables(spec, &mut context);
        for mutation in spec.items(&["mutations"]) {
            let outcome = match mutation.text(&["patchType"]) {
                "JSONPatch" => json_patch(api, mutation.text(&["jsonPatch", "expression"]), &context, object),
                _ => overlay(api, call, mutation.text(&["applyConfiguration", "expression"]), &context, object),
            };
            match outcome {
                Ok(()) => {}
                Err(problem) if matched.fails_closed() => return Err(request.denied(&label, "", &problem)),
                Err(_) => {}
            }
            context.add_variable_from_value("object", cel::to_cel(object));
        }
    }
    Ok(())
}

fn json_patch(api: &Api, expression: &str, context: &Context<'_>, object: &mut Value) -> Result<(), String> {
    let operations = cel::to_json(&api.programs.evaluate(expression, context)?);
    let operations: json_patch::Patch = operations.read().map_err(|problem| problem.to_string())?;
    let mut plain = serde_json::Value::from(&*object);
    json_patch::patch(&mut plain, &operations).map_err(|problem| problem.to_string())?;
    *object = plain.into();
    Ok(())
}

fn overlay(api: &Api, call: &Call, expression: &str, context: &Context<'_>, object: &mut Value) -> Result<(), String> {
    let wanted = cel::to_json(&api.programs.evaluate(expression, context)?);
    *object = patch::apply::overlay(call, object, &wanted);
    Ok(())
}

fn failure_message(api: &Api, rule: &Value, context: &Context<'_>) -> String {
    let expression = rule.text(&["messageExpression"]);
    if !expression.is_empty()
        && let Ok(value) = api.programs.evaluate(expression, context)
        && let Value::String(message) = cel::to_json(&value)
        && !message.trim().is_empty()
    {
        return message.to_string();
    }
    match rule.text(&["message"]) {
        "" => format!("failed expression: {}", rule.text(&["expression"]).trim()),
        message => message.trim().to_owned(),
    }
}

impl<'a> Request<'a> {
    fn new(api: &'a Api, call: &'a Call, object: &'a Value, old: Option<&'a Value>) -> Self {
        let name = match object.text(&["metadata", "name"]) {
            "" => call.name.clone(),
            name => name.to_owned(),
        };
        Self { api, call, object, old, name }
    }

    const fn operation(&self) -> &'static str {
        match (self.call.verb, self.old) {
            (Verb::Delete | Verb::DeleteCollection, _) => "DELETE",
            (_, None) => "CREATE",
            (_, Some(_)) => "UPDATE",
        }
    }

    /// Every policy that applies with each binding and parameter, by name.
    fn matches(&self, policies: &'static str, bindings: &'static str) -> Result<Vec<Match>, Failure> {
        let of = |plural| Resource { group: GROUP, plural };
        let kind = &self.call.kind;
        if kind.group == GROUP || kind.virtual_ {
            return Ok(Vec::new());
        }
        let mut found = Vec::new();
        for policy in self.api.store.list(of(policies), "") {
            if !self.is_meant(policy.value.at(&["spec", "matchConstraints"]), true) {
                continue;
            }
            for binding in self.api.store.list(of(bindings), "") {
                let named = binding.value.text(&["spec", "policyName"]) == policy.value.text(&["metadata", "name"]);
                if !named || !self.is_meant(binding.value.at(&["spec", "matchResources"]), false) {
                    continue;
                }
                for params in self.params(policy, binding)? {
                    found.push(Match { policy: Arc::clone(policy), binding: Arc::clone(binding), params });
                }
            }
        }
        Ok(found)
    }

    /// Whether resource rules and selectors let this request through; `strict` demands a rule.
    fn is_meant(&self, constraints: &Value, strict: bool) -> bool {
        let rules = constraints.items(&["resourceRules"]);
        let included = if rules.is_empty() { !strict } else { rules.iter().any(|rule| self.rule_matches(rule)) };
        if !included || constraints.items(&["excludeResourceRules"]).iter().any(|rule| self.rule_matches(rule)) {
            return false;
        }
        let chosen =
            |selector: &Value, value: &Value| selector.entries(&[]).next().is_none() || selects(selector, value);
        let objects = constraints.at(&["objectSelector"]);
        let by_object = chosen(objects, self.object) || self.old.is_some_and(|old| chosen(objects, old));
        let by_namespace = match self.namespace() {
            Some(namespace) => chosen(constraints.at(&["namespaceSelector"]), &namespace.value),
            None => true,
        };
        by_object && by_namespace
    }

    fn rule_matches(&self, rule: &Value) -> bool {
        let has = |field: &str, wanted: &str| rule.items(&[field]).iter().any(|one| one == "*" || one == wanted);
        let kind = &self.call.kind;
        let resource = match self.call.subresource.as_str() {
            "" => has("resources", kind.plural),
            sub => {
                let full = format!("{}/{sub}", kind.plural);
                let any = [full, format!("*/{sub}"), format!("{}/*", kind.plural), "*/*".to_owned()];
                rule.items(&["resources"]).iter().any(|one| any.iter().any(|wanted| one == wanted.as_str()))
            }
        };
        let scope = match rule.text(&["scope"]) {
            "Cluster" => !kind.namespaced,
            "Namespaced" => kind.namespaced,
            _ => true,
        };
        let names = rule.items(&["resourceNames"]);
        has("apiGroups", kind.group)
            && kind.versions.iter().any(|version| has("apiVersions", version))
            && has("operations", self.operation())
            && resource
            && scope
            && (names.is_empty() || names.iter().any(|name| *name == self.name.as_str()))
    }

    fn namespace(&self) -> Option<&Arc<Object>> {
        let namespaces = Resource { group: "", plural: "namespaces" };
        self.api.store.find(namespaces, "", &self.call.namespace).filter(|_| self.call.kind.namespaced)
    }

    /// The parameters a binding refers to; one null when the policy takes none.
    fn params(&self, policy: &Arc<Object>, binding: &Arc<Object>) -> Result<Vec<Value>, Failure> {
        let kind = policy.value.at(&["spec", "paramKind"]);
        let reference = binding.value.at(&["spec", "paramRef"]);
        if kind.is_null() || reference.is_null() {
            return Ok(vec![Value::Null]);
        }
        let missing = |what: &str| {
            let label = Match { policy: Arc::clone(policy), binding: Arc::clone(binding), params: Value::Null };
            match reference.text(&["parameterNotFoundAction"]) {
                "Allow" => Ok(Vec::new()),
                _ => Err(self.denied(&label.label("ValidatingAdmissionPolicy"), "", what)),
            }
        };
        let Some(kind) = self.api.kinds.by_kind(kind.text(&["apiVersion"]), kind.text(&["kind"])) else {
            return missing("failed to configure binding: no such paramKind is served");
        };
        let namespace = match (kind.namespaced, reference.text(&["namespace"])) {
            (false, _) => "",
            (true, "") => self.call.namespace.as_str(),
            (true, namespace) => namespace,
        };
        let selector = reference.at(&["selector"]);
        let name = reference.text(&["name"]);
        let found: Vec<Value> = self
            .api
            .store
            .list(kind.storage, namespace)
            .filter(|object| if name.is_empty() { selects(selector, &object.value) } else { object.key().1 == *name })
            .map(|object| (*object.value).clone())
            .collect();
        if found.is_empty() {
            return missing("no params found for policy binding with `Deny` parameterNotFoundAction");
        }
        Ok(found)
    }

    fn context(&self, params: &Value) -> Context<'static> {
        let mut context = cel::context();
        let kind = &self.call.kind;
        let (group, version, asked) = match self.call.subresource.as_str() {
            "binding" => ("", "v1", "Binding"),
            "eviction" => ("policy", "v1", "Eviction"),
            _ => (kind.group, self.call.version, kind.kind),
        };
        let request = json!({
            "kind": {"group": group, "version": version, "kind": asked},
            "resource": {"group": kind.group, "version": self.call.version, "resource": kind.plural},
            "subResource": self.call.subresource, "name": self.name, "namespace": self.call.namespace,
            "operation": self.operation(), "userInfo": self.call.user.info(), "dryRun": self.call.dry_run,
        });
        let namespace = self.namespace().map_or(&Value::Null, |namespace| namespace.value.as_ref());
        let values = [
            ("object", self.object),
            ("oldObject", self.old.unwrap_or(&Value::Null)),
            ("request", &request),
            ("params", params),
            ("namespaceObject", namespace),
        ];
        for (name, value) in values {
            context.add_variable_from_value(name, cel::to_cel(value));
        }
        context
    }

    fn conditions(&self, spec: &Value, context: &Context<'_>) -> Result<bool, String> {
        for condition in spec.items(&["matchConditions"]) {
            if !self.api.programs.holds(condition.text(&["expression"]), context)? {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Binds `variables`; one that fails is missing, so that only what uses it fails.
    fn variables(&self, spec: &Value, context: &mut Context<'static>) {
        let mut known: BTreeMap<String, Value> = BTreeMap::new();
        for variable in spec.items(&["variables"]) {
            let bound: Value = known.clone().into_iter().collect();
            context.add_variable_from_value("variables", cel::to_cel(&bound));
            if let Ok(value) = self.api.programs.evaluate(variable.text(&["expression"]), context) {
                known.insert(variable.text(&["name"]).to_owned(), cel::to_json(&value));
            }
        }
        let bound: Value = known.into_iter().collect();
        context.add_variable_from_value("variables", cel::to_cel(&bound));
    }

    fn denied(&self, label: &str, reason: &str, message: &str) -> Failure {
        let text = format!("{label} denied request: {message}");
        let mut failure = Failure::forbidden(&self.call.kind, &self.name, &text);
        (failure.code, failure.reason) = match reason {
            "Forbidden" => (403, "Forbidden"),
            "Unauthorized" => (401, "Unauthorized"),
            "RequestEntityTooLarge" => (413, "RequestEntityTooLarge"),
            _ => (422, "Invalid"),
        };
        let cause = Cause { reason: "", field: String::new(), message: text };
        failure.with_causes(&[cause])
    }
}
