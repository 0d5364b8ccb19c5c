//! What must be allowed to see an object or to turn a switch.

use keelson_core::ObjectRef;

/// The group of Keelson's own kinds.
const OURS: &str = "keelson.dev";
/// The one Platform.
const PLATFORM: &str = "default";

/// Kinds that decisions are about: kind, group, resource, and whether they live in namespaces.
const KINDS: [(&str, &str, &str, bool); 12] = [
    ("Pod", "", "pods", true),
    ("Node", "", "nodes", false),
    ("Namespace", "", "namespaces", false),
    ("Deployment", "apps", "deployments", true),
    ("ReplicaSet", "apps", "replicasets", true),
    ("StatefulSet", "apps", "statefulsets", true),
    ("DaemonSet", "apps", "daemonsets", true),
    ("Job", "batch", "jobs", true),
    ("CronJob", "batch", "cronjobs", true),
    ("Platform", OURS, "platforms", false),
    ("AppGroup", "appgroup.diktyo.x-k8s.io", "appgroups", true),
    ("NetworkTopology", "networktopology.diktyo.x-k8s.io", "networktopologies", true),
];

/// Something that Kubernetes allows somebody to do, or does not.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Right {
    /// A verb on a resource.
    Resource {
        /// `get`, `list`, `patch`.
        verb: &'static str,
        /// Empty for the core group.
        group: String,
        /// The plural name.
        resource: String,
        /// Empty for what is in none, and for all of them together.
        namespace: String,
        /// Only this one; empty for any.
        name: String,
    },
    /// `get` on a path that is no resource: `/metrics`.
    Path(String),
}

impl Right {
    fn of(verb: &'static str, (group, resource): (&str, &str), namespace: &str, name: &str) -> Self {
        let [group, resource, namespace, name] = [group, resource, namespace, name].map(str::to_owned);
        Self::Resource { verb, group, resource, namespace, name }
    }

    /// What opens the page at all: to `get` the Platform.
    #[must_use]
    pub fn door() -> Self {
        Self::of("get", (OURS, "platforms"), "", PLATFORM)
    }

    /// What turns its switches: to `patch` the Platform.
    #[must_use]
    pub fn switch() -> Self {
        Self::of("patch", (OURS, "platforms"), "", PLATFORM)
    }

    /// What shows the nodes, and what is known of all of them together.
    #[must_use]
    pub fn nodes() -> Self {
        Self::of("list", ("", "nodes"), "", "")
    }

    /// What shows the pods of a namespace, or of every one for an empty name.
    #[must_use]
    pub fn pods(namespace: &str) -> Self {
        Self::of("get", ("", "pods"), namespace, "")
    }

    /// A verb on a resource in a namespace, as a feature's question asks for it.
    #[must_use]
    pub fn to(verb: &'static str, group: &str, resource: &str, namespace: &str) -> Self {
        Self::of(verb, (group, resource), namespace, "")
    }

    /// What shows the decisions about an object: to `get` objects of its kind, where it is.
    ///
    /// None for a known kind in a foreign group, which nobody decides about: it would be judged as something else. A kind
    /// that is unknown here goes by the plural that its name would have; where that is wrong, nobody has the right.
    #[must_use]
    pub fn to_see(object: &ObjectRef) -> Option<Self> {
        let Some((_, group, resource, namespaced)) = KINDS.iter().find(|(kind, ..)| *kind == object.kind) else {
            let plural = format!("{}s", object.kind.to_ascii_lowercase());
            return Some(Self::of("get", (&object.group, &plural), &object.namespace, ""));
        };
        let is_it = object.group.is_empty() || object.group == *group;
        // A right in a namespace says nothing about what is in none.
        let namespace = if *namespaced { object.namespace.as_str() } else { "" };
        // Everybody who is let in may see the one Platform.
        if object.kind == "Platform" {
            return is_it.then(Self::door);
        }
        is_it.then(|| Self::of("get", (group, resource), namespace, ""))
    }

    /// The same for every namespace at once.
    #[must_use]
    pub fn everywhere(&self) -> Option<Self> {
        match self {
            Self::Resource { verb, group, resource, namespace, .. } if !namespace.is_empty() => {
                Some(Self::of(verb, (group, resource), "", ""))
            }
            _ => None,
        }
    }
}

impl std::fmt::Display for Right {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Path(path) => write!(f, "get {path:.64}"),
            Self::Resource { verb, group, resource, namespace, .. } => {
                // Names come from whoever asks.
                write!(f, "{verb} {resource:.64}")?;
                if !group.is_empty() {
                    write!(f, ".{group:.64}")?;
                }
                if namespace.is_empty() { Ok(()) } else { write!(f, " in namespace {namespace:.64}") }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn needed(kind: &str, group: &str, namespace: &str) -> String {
        let object = ObjectRef::namespaced(kind, namespace, "x").in_group(group);
        Right::to_see(&object).map_or_else(|| "nobody".to_owned(), |right| right.to_string())
    }

    #[test]
    fn an_object_is_seen_by_those_who_may_get_its_kind_where_it_is() {
        for (kind, group, namespace, right) in [
            ("Pod", "", "shop", "get pods in namespace shop"),
            ("Deployment", "", "shop", "get deployments.apps in namespace shop"),
            ("Deployment", "apps", "shop", "get deployments.apps in namespace shop"),
            ("Widget", "example.com", "shop", "get widgets.example.com in namespace shop"),
            (
                "NetworkTopology",
                "networktopology.diktyo.x-k8s.io",
                "net",
                "get networktopologies.networktopology.diktyo.x-k8s.io in namespace net",
            ),
            ("AppGroup", "", "shop", "get appgroups.appgroup.diktyo.x-k8s.io in namespace shop"),
            ("Platform", "keelson.dev", "", "get platforms.keelson.dev"),
        ] {
            assert_eq!(needed(kind, group, namespace), right);
        }
    }

    #[test]
    fn a_right_in_one_namespace_opens_nothing_that_is_in_none() {
        assert_eq!(needed("Node", "", "shop"), "get nodes");
        assert_eq!(needed("Platform", "", "shop"), "get platforms.keelson.dev");
        assert_eq!(needed("Pod", "", ""), "get pods", "in every namespace");
    }

    #[test]
    fn a_known_kind_of_a_foreign_group_is_nobodys() {
        assert_eq!(needed("Pod", "example.com", "shop"), "nobody");
        assert_eq!(needed("Platform", "example.com", ""), "nobody");
    }
}
