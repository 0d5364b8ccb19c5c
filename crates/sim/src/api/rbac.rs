//! Who may do what: RBAC.
//!
//! Masters may do everything; others what a role bound to them allows, and the refusal names user, verb and resource as
//! upstream's does.

use super::{
    Api,
    auth::User,
    json::Json,
    request::{Call, Verb},
    select,
    status::Failure,
};
use crate::objects::Resource;
use crate::tree::{Value, json};

const GROUP: &str = "rbac.authorization.k8s.io";

/// What somebody wants to do.
struct Wish<'a> {
    verb: &'a str,
    group: &'a str,
    /// `pods` or `pods/log`.
    resource: String,
    name: &'a str,
    namespace: &'a str,
    /// For paths that are no resources.
    path: &'a str,
}

impl Api {
    pub(super) fn authorize(&self, call: &Call) -> Result<(), Failure> {
        let resource = match call.subresource.as_str() {
            "" => call.kind.plural.to_owned(),
            subresource => format!("{}/{subresource}", call.kind.plural),
        };
        // Whoever lists or watches one object by its name needs no right to the others.
        let collection = matches!(call.verb, Verb::List | Verb::Watch) && call.name.is_empty();
        let selected = if collection { select::single_name(&call.query) } else { None };
        let name = selected.as_deref().unwrap_or(&call.name);
        // A namespace lies in itself: a role in it may grant it.
        let is_one = call.kind.plural == "namespaces" && call.kind.group.is_empty() && call.verb != Verb::Create;
        let namespace = if is_one { call.name.as_str() } else { call.namespace.as_str() };
        let wish = Wish { verb: call.verb.name(), group: call.kind.group, resource, name, namespace, path: "" };
        let known = call.user.groups.iter().any(|group| group == "system:authenticated");
        // What the role system:basic-user gives everyone.
        if (known && call.kind.plural.starts_with("selfsubject")) || self.allows(&call.user, &wish) {
            return Ok(());
        }
        let place = match namespace {
            "" => "at the cluster scope".to_owned(),
            namespace => format!("in the namespace {namespace:?}"),
        };
        let why = format!(
            "User {:?} cannot {} resource {:?} in API group {:?} {place}",
            call.user.name, wish.verb, wish.resource, wish.group
        );
        Err(Failure::forbidden(&call.kind, name, &why))
    }

    pub(super) fn authorize_path(&self, user: &User, method: &str, path: &str) -> Result<(), Failure> {
        let open = ["/healthz", "/livez", "/readyz", "/version"];
        let known = user.groups.iter().any(|group| group == "system:authenticated");
        let discovery = ["/api", "/apis", "/openapi"];
        if open.iter().any(|one| path.starts_with(one)) || (known && discovery.iter().any(|one| path.starts_with(one)))
        {
            return Ok(());
        }
        let verb = method.to_lowercase();
        let wish = Wish { verb: &verb, group: "", resource: String::new(), name: "", namespace: "", path };
        if self.allows(user, &wish) {
            return Ok(());
        }
        let mut failure =
            Failure::new(403, "Forbidden", format!("forbidden: User {:?} cannot {verb} path {path:?}", user.name));
        failure.details = Some(json!({}));
        Err(failure)
    }

    /// Whether somebody may act as another user and in that user's groups.
    pub(super) fn may_impersonate(&self, real: &User, user: &User) -> Result<(), Failure> {
        let groups = user.groups.iter().filter(|group| *group != "system:authenticated").map(|group| ("groups", group));
        for (resource, name) in std::iter::once(("users", &user.name)).chain(groups) {
            let wish =
                Wish { verb: "impersonate", group: "", resource: resource.to_owned(), name, namespace: "", path: "" };
            if !self.allows(real, &wish) {
                let mut failure = Failure::new(
                    403,
                    "Forbidden",
                    format!(
                        "{resource} {name:?} is forbidden: User {:?} cannot impersonate resource {resource:?} in API group \
                         \"\" at the cluster scope",
                        real.name
                    ),
                );
                failure.details = Some(json!({"name": name, "kind": resource}));
                return Err(failure);
            }
        }
        Ok(())
    }

    /// The `status` of an access review.
    pub(super) fn judge(&self, user: &User, spec: &Value) -> Value {
        let attributes = spec.at(&["resourceAttributes"]);
        let path = spec.text(&["nonResourceAttributes", "path"]);
        let resource = match attributes.text(&["subresource"]) {
            "" => attributes.text(&["resource"]).to_owned(),
            sub => format!("{}/{sub}", attributes.text(&["resource"])),
        };
        let verb =
            if path.is_empty() { attributes.text(&["verb"]) } else { spec.text(&["nonResourceAttributes", "verb"]) };
        let wish = Wish {
            verb,
            group: attributes.text(&["group"]),
            resource,
            name: attributes.text(&["name"]),
            namespace: attributes.text(&["namespace"]),
            path,
        };
        json!({"allowed": self.allows(user, &wish)})
    }

    fn allows(&self, user: &User, wish: &Wish<'_>) -> bool {
        user.is_master() || self.rules(user, wish.namespace).iter().any(|rule| covers(rule, wish))
    }

    /// Every rule that applies to a user in a namespace (cluster-wide ones included).
    fn rules(&self, user: &User, namespace: &str) -> Vec<Value> {
        let mut rules = Vec::new();
        let of = |plural| Resource { group: GROUP, plural };
        for binding in self.store.list(of("clusterrolebindings"), "") {
            if names_user(&binding.value, user, "") {
                rules.extend(self.role_rules(binding.value.at(&["roleRef"]), ""));
            }
        }
        if !namespace.is_empty() {
            for binding in self.store.list(of("rolebindings"), namespace) {
                if names_user(&binding.value, user, namespace) {
                    rules.extend(self.role_rules(binding.value.at(&["roleRef"]), namespace));
                }
            }
        }
        rules
    }

    fn role_rules(&self, role: &Value, namespace: &str) -> Vec<Value> {
        let (plural, namespace) =
            if role.text(&["kind"]) == "ClusterRole" { ("clusterroles", "") } else { ("roles", namespace) };
        let found = self.store.find(Resource { group: GROUP, plural }, namespace, role.text(&["name"]));
        let Some(role) = found else { return Vec::new() };
        let mut rules = role.value.items(&["rules"]).to_vec();
        for selector in role.value.items(&["aggregationRule", "clusterRoleSelectors"]) {
            for other in self.store.list(Resource { group: GROUP, plural: "clusterroles" }, "") {
                if super::subresource::selects(selector, &other.value) {
                    rules.extend(other.value.items(&["rules"]).to_vec());
                }
            }
        }
        rules
    }

    /// The `status` of a rules review.
    pub(super) fn rules_of(&self, user: &User, namespace: &str) -> Value {
        let mut rules = self.rules(user, namespace);
        if user.is_master() {
            rules.push(json!({"verbs": ["*"], "apiGroups": ["*"], "resources": ["*"]}));
            rules.push(json!({"verbs": ["*"], "nonResourceURLs": ["*"]}));
        }
        let (paths, resources): (Vec<Value>, Vec<Value>) =
            rules.into_iter().partition(|rule| !rule.items(&["nonResourceURLs"]).is_empty());
        json!({"resourceRules": resources, "nonResourceRules": paths, "incomplete": false})
    }
}

fn names_user(binding: &Value, user: &User, namespace: &str) -> bool {
    binding.items(&["subjects"]).iter().any(|subject| {
        let name = subject.text(&["name"]);
        match subject.text(&["kind"]) {
            "User" => name == user.name,
            "Group" => user.groups.iter().any(|group| group == name),
            "ServiceAccount" => {
                let home = match subject.text(&["namespace"]) {
                    "" => namespace,
                    home => home,
                };
                user.name == format!("system:serviceaccount:{home}:{name}")
            }
            _ => false,
        }
    })
}

fn covers(rule: &Value, wish: &Wish<'_>) -> bool {
    let has = |field: &str, wanted: &str| rule.items(&[field]).iter().any(|one| one == "*" || one == wanted);
    if !has("verbs", wish.verb) {
        return false;
    }
    if !wish.path.is_empty() {
        return rule
            .items(&["nonResourceURLs"])
            .iter()
            .filter_map(Value::as_str)
            .any(|url| url == wish.path || url.strip_suffix('*').is_some_and(|prefix| wish.path.starts_with(prefix)));
    }
    let resource = has("resources", &wish.resource)
        || wish.resource.split_once('/').is_some_and(|(_, sub)| has("resources", &format!("*/{sub}")));
    let names = rule.items(&["resourceNames"]);
    has("apiGroups", wish.group) && resource && (names.is_empty() || names.iter().any(|one| one == wish.name))
}
