//! What the controller may do, in one place: the sum of what the runtime, the page and each operator declare.
//!
//! Parts are kept apart, so that the chart grants those of the features that are installed, each up to its own ceiling.

use std::fmt;

use keelson_api::names;
use keelson_core::{Feature, Mode};
use keelson_runtime::{Operator, Permissions, Rule, Scope};
use keelson_scheduling::Scheduling;

/// Everything the controller needs when no feature may go above `ceiling`.
#[must_use]
pub fn controller(ceiling: Mode) -> Permissions {
    Feature::ALL.into_iter().fold(base(ceiling), |sum, one| sum.merged(feature(one, ceiling)))
}

/// What is needed whatever is installed, when the highest ceiling is this one.
#[must_use]
pub fn base(ceiling: Mode) -> Permissions {
    Permissions::runtime(ceiling).merged(page()).merged(handover())
}

/// What one feature needs up to its ceiling.
#[must_use]
pub fn feature(feature: Feature, ceiling: Mode) -> Permissions {
    match feature {
        Feature::Scheduling => Scheduling::permissions(ceiling),
    }
}

/// What the page needs: it shows nodes and pods, and its switches change the Platform.
fn page() -> Permissions {
    let switch = Rule::new(names::GROUP, &["platforms"], &["patch"]).named([names::PLATFORM]);
    Permissions(vec![switch, Rule::follow("", &["nodes", "pods"])])
}

/// The Platform of a fresh installation is made by the controller.
fn handover() -> Permissions {
    Permissions(vec![Rule::new(names::GROUP, &["platforms"], &["create"])])
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

/// What scheduling needs on top where it is to replace kube-scheduler: whether that one leads.
#[must_use]
pub fn replacing() -> Permissions {
    keelson_scheduling::operator::replacing()
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
    /// Where: everywhere, or where Keelson runs.
    pub scope: Scope,
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
                        rights.push(Right { group, resource, verb, scope: rule.scope, name: name.clone() });
                    }
                }
            }
        }
    }
    rights
}
