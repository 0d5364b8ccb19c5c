//! What the controller may do, in one place: the sum of what the runtime and each operator declare.

use std::fmt;

use keelson_api::names;
use keelson_core::Mode;
use keelson_runtime::{Operator, Permissions, Rule};
use keelson_scheduling::Scheduling;

/// Everything the controller needs when no feature may go above `ceiling`.
#[must_use]
pub fn controller(ceiling: Mode) -> Permissions {
    Permissions::runtime(ceiling).merged(Scheduling::permissions(ceiling)).merged(page())
}

/// What the page needs on top: its switches change the Platform.
fn page() -> Permissions {
    Permissions(vec![Rule::new(names::GROUP, &["platforms"], &["patch"]).named([names::PLATFORM])])
}

/// What a page that people sign in to needs on top: it asks the cluster who they are and what they may see. Nothing else is
/// read for them with rights of its own.
#[must_use]
pub fn sign_in() -> Permissions {
    Permissions(vec![
        Rule::new("authentication.k8s.io", &["tokenreviews"], &["create"]),
        Rule::new("authorization.k8s.io", &["subjectaccessreviews"], &["create"]),
    ])
}

/// One verb on one resource, as an access review asks for it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Right {
    /// The API group; empty for core.
    pub group: String,
    /// The plural name, with `/subresource` where that is meant.
    pub resource: String,
    /// The verb.
    pub verb: String,
    /// Only this name, when the right is for one.
    pub name: Option<String>,
}

impl fmt::Display for Right {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.verb, self.resource)?;
        if !self.group.is_empty() {
            write!(f, ".{}", self.group)?;
        }
        self.name.as_ref().map_or(Ok(()), |name| write!(f, " {name:?}"))
    }
}

/// [`controller`], one right at a time.
#[must_use]
pub fn rights(ceiling: Mode) -> Vec<Right> {
    let mut rights = Vec::new();
    for rule in controller(ceiling).0 {
        let names: Vec<_> = if rule.resource_names.is_empty() {
            vec![None]
        } else {
            rule.resource_names.iter().cloned().map(Some).collect()
        };
        for group in &rule.api_groups {
            for resource in &rule.resources {
                for verb in &rule.verbs {
                    for name in &names {
                        let (group, resource, verb) = (group.clone(), resource.clone(), verb.clone());
                        rights.push(Right { group, resource, verb, name: name.clone() });
                    }
                }
            }
        }
    }
    rights
}
