//! Whether rules allow a request, judged as the API server does, over requests that were recorded.
//!
//! A right that nobody uses is a right somebody can abuse. With the audit log of a whole run and an evaluator, each rule
//! can be taken away in thought: what was asked and would now be refused is why it is there.
//!
//! Promises: the rules' meaning is Kubernetes' own (`pkg/apis/rbac/v1/evaluation_helpers.go`, `RuleAllows`); a rule is
//! judged one verb and one resource at a time, so that no part of it hides behind another.

use std::fmt;

use serde_json::Value;

/// A request for a resource, as the audit log has it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Request {
    /// `get`, `list`, ...
    pub verb: String,
    /// The API group; empty for core.
    pub group: String,
    /// The plural name, with `/subresource` where that is meant.
    pub resource: String,
    /// Empty where there is none, or all are meant.
    pub namespace: String,
    /// Empty where none is named.
    pub name: String,
}

impl Request {
    /// The request behind an audit event; none when it is not about a resource.
    #[must_use]
    pub fn of(event: &Value) -> Option<Self> {
        let of = event.get("objectRef").filter(|of| of.is_object())?;
        let word = |field: &str| of[field].as_str().unwrap_or_default().to_owned();
        let resource = match of["subresource"].as_str() {
            Some(sub) => format!("{}/{sub}", word("resource")),
            None => word("resource"),
        };
        let verb = event["verb"].as_str()?.to_owned();
        // The log has the name of what was created; who asked had not named it.
        let name = if verb == "create" && of["subresource"].is_null() { String::new() } else { word("name") };
        Some(Self { verb, group: word("apiGroup"), resource, namespace: word("namespace"), name })
    }
}

impl fmt::Display for Request {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}.{} {}/{}", self.verb, self.resource, self.group, self.namespace, self.name)
    }
}

/// One verb on one resource, everywhere or in one namespace.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Right {
    /// The verb.
    pub verb: String,
    /// The API group.
    pub group: String,
    /// The resource, with `/subresource`.
    pub resource: String,
    /// Only this name, when it is for one.
    pub name: Option<String>,
    /// Only here, when it is of a Role.
    pub namespace: Option<String>,
}

impl Right {
    /// Whether it allows a request.
    #[must_use]
    pub fn allows(&self, request: &Request) -> bool {
        let is = |allowed: &str, asked: &str| allowed == "*" || allowed == asked;
        is(&self.verb, &request.verb)
            && is(&self.group, &request.group)
            && is(&self.resource, &request.resource)
            && self.name.as_ref().is_none_or(|name| *name == request.name)
            && self.namespace.as_ref().is_none_or(|namespace| *namespace == request.namespace)
    }
}

impl fmt::Display for Right {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.verb, self.resource)?;
        for (mark, part) in [(".", Some(&self.group)), (" ", self.name.as_ref()), (" in ", self.namespace.as_ref())] {
            if let Some(part) = part.filter(|part| !part.is_empty()) {
                write!(f, "{mark}{part}")?;
            }
        }
        Ok(())
    }
}

/// The rights that the rules of a ClusterRole (or of a Role, in its namespace) grant, one by one.
#[must_use]
pub fn rights(role: &Value) -> Vec<Right> {
    let words = |rule: &Value, field: &str| -> Vec<String> {
        let list = rule[field].as_array().into_iter().flatten();
        list.filter_map(|word| word.as_str().map(str::to_owned)).collect()
    };
    let namespace = role.pointer("/metadata/namespace").and_then(Value::as_str).map(str::to_owned);
    let mut rights = Vec::new();
    for rule in role["rules"].as_array().into_iter().flatten() {
        let named: Vec<Option<String>> = words(rule, "resourceNames").into_iter().map(Some).collect();
        let names = if named.is_empty() { vec![None] } else { named };
        for group in words(rule, "apiGroups") {
            for resource in words(rule, "resources") {
                for verb in words(rule, "verbs") {
                    for name in &names {
                        let (group, resource, verb) = (group.clone(), resource.clone(), verb.clone());
                        rights.push(Right { verb, group, resource, name: name.clone(), namespace: namespace.clone() });
                    }
                }
            }
        }
    }
    rights.sort();
    rights
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]
    use serde_json::json;

    use super::*;

    fn asked(verb: &str, resource: &str, namespace: &str, name: &str) -> Request {
        let (resource, sub) = resource.split_once('/').map_or((resource, None), |(one, two)| (one, Some(two)));
        let event = json!({"verb": verb, "objectRef":
            {"resource": resource, "subresource": sub, "namespace": namespace, "name": name}});
        Request::of(&event).unwrap()
    }

    #[test]
    fn a_rule_allows_what_it_says_and_nothing_beside_it() {
        let role = json!({"metadata": {"namespace": "ours"}, "rules": [
            {"apiGroups": [""], "resources": ["pods", "pods/status"], "verbs": ["get", "patch"], "resourceNames": ["a"]},
        ]});
        let allowed = |request: Request| rights(&role).iter().any(|right| right.allows(&request));
        assert!(allowed(asked("get", "pods", "ours", "a")));
        assert!(allowed(asked("patch", "pods/status", "ours", "a")));
        for request in [
            asked("get", "pods", "theirs", "a"),
            asked("get", "pods", "ours", "b"),
            asked("list", "pods", "ours", ""),
            asked("get", "pods/log", "ours", "a"),
        ] {
            assert!(!allowed(request.clone()), "{request}");
        }
    }

    #[test]
    fn what_is_created_was_not_named_by_who_asked_and_what_is_no_resource_is_no_request() {
        assert_eq!(asked("create", "leases", "ours", "made").name, "");
        assert_eq!(asked("create", "pods/binding", "ours", "web").name, "web");
        assert_eq!(Request::of(&json!({"verb": "get", "requestURI": "/version"})), None);
    }
}
