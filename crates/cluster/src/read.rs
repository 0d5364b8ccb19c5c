//! Kubernetes' Node, Pod, PodDisruptionBudget and objects of storage in placement's words, and Diktyo's groups and costs.
//!
//! Promises: nothing panics, whatever is stored; what cannot be read is a [`Problem`] on the object, with its field, and
//! never a silent zero; what the API server would have defaulted (requests from limits) is defaulted the same way, so that
//! a manifest that was never stored reads as the stored one would.

pub mod bandwidth;
mod budget;
mod moved;
pub mod network;
mod node;
mod peers;
mod pod;
mod requests;
pub mod selecting;
pub mod volumes;

use std::collections::BTreeMap;
use std::fmt;

use k8s_openapi::apimachinery::pkg::api::resource::Quantity as Written;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::LabelSelector as WrittenSelector;
use keelson_core::selector::{LabelSelector, Operator, Requirement};
use keelson_core::{Quantity, ResourceName};
use serde::{Deserialize, Serialize};

pub use budget::budget;
use network::Finding;
pub use node::{ReadNode, node};
pub use pod::{ReadPod, pod};
pub use selecting::{Owner, ReadSelecting, Selecting};
pub use volumes::ReadVolumes;

/// What could not be read, and what was taken instead.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Problem {
    /// The path: `status.allocatable[cpu]`.
    pub field: String,
    /// What is wrong, and the fix.
    pub text: String,
    /// What kind of thing it is, in an AppGroup or a NetworkTopology.
    #[serde(default)]
    pub finding: Finding,
}

impl Problem {
    /// Something of no kind of its own.
    #[must_use]
    pub fn new(field: &str, text: String) -> Self {
        Self { field: field.to_owned(), text, finding: Finding::default() }
    }

    /// The same, of this kind.
    #[must_use]
    pub fn of(self, finding: Finding) -> Self {
        Self { finding, ..self }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.field, self.text)
    }
}

fn problem(field: impl Into<String>, text: impl fmt::Display) -> Problem {
    Problem { field: field.into(), text: text.to_string(), finding: Finding::default() }
}

type Amounts = BTreeMap<ResourceName, i64>;

/// Amounts by resource; one that cannot be read is left out, one below zero counts as zero, and both are problems.
fn amounts(written: Option<&BTreeMap<String, Written>>, field: &str, problems: &mut Vec<Problem>) -> Amounts {
    let mut read = Amounts::new();
    for (name, text) in written.into_iter().flatten() {
        let field = || format!("{field}[{name}]");
        match text.0.parse::<Quantity>() {
            Ok(quantity) => {
                let resource = ResourceName::from(name.as_str());
                let amount = resource.amount_of(&quantity);
                if amount < 0 {
                    problems.push(problem(field(), format!("{} is below zero; write 0 or more", text.0)));
                }
                read.insert(resource, amount.max(0));
            }
            Err(error) => problems.push(problem(field(), error)),
        }
    }
    read
}

/// A label selector; an operator that does not exist matches nothing.
pub(crate) fn selector(written: &WrittenSelector) -> LabelSelector {
    let requirements = written.match_expressions.iter().flatten();
    LabelSelector {
        match_labels: written.match_labels.clone().unwrap_or_default(),
        match_expressions: requirements
            .map(|wanted| match operator(&wanted.operator) {
                Some(op) => {
                    Requirement { key: wanted.key.clone(), op, values: wanted.values.clone().unwrap_or_default() }
                }
                None => Requirement::new(&wanted.key, Operator::In, &[]),
            })
            .collect(),
    }
}

fn operator(word: &str) -> Option<Operator> {
    Some(match word {
        "In" => Operator::In,
        "NotIn" => Operator::NotIn,
        "Exists" => Operator::Exists,
        "DoesNotExist" => Operator::DoesNotExist,
        "Gt" => Operator::Gt,
        "Lt" => Operator::Lt,
        _ => return None,
    })
}
