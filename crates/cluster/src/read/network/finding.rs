//! The kinds of things that are off in an AppGroup or a NetworkTopology.
//!
//! Each is a condition type of the object, so that one kind can be watched, and waited for, without reading a text.

use serde::{Deserialize, Serialize};

/// A kind of thing that is off.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
pub enum Finding {
    /// Names and selectors of a workload are different words.
    NameSelectorMismatch,
    /// Workloads depend on each other in a circle.
    DependencyCycle,
    /// A workload depends on one that the group does not have.
    UnknownDependency,
    /// No set of weights has the name that is asked for.
    UnknownWeights,
    /// A place that others have a cost to declares none of its own.
    MissingOrigin,
    /// The cost of a way is not declared.
    MissingCost,
    /// What is to be measured was not read.
    MeasurementsMissing,
    /// The same is there twice.
    DuplicateEntry,
    /// An entry lacks what it is about.
    IncompleteEntry,
    /// What a field holds makes no sense there.
    #[default]
    FieldNotUnderstood,
}

impl Finding {
    /// All of them, in the order in which they are told.
    pub const ALL: [Self; 10] = [
        Self::NameSelectorMismatch,
        Self::DependencyCycle,
        Self::UnknownDependency,
        Self::UnknownWeights,
        Self::MissingOrigin,
        Self::MissingCost,
        Self::MeasurementsMissing,
        Self::DuplicateEntry,
        Self::IncompleteEntry,
        Self::FieldNotUnderstood,
    ];

    /// The type of its condition.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::NameSelectorMismatch => "NameSelectorMismatch",
            Self::DependencyCycle => "DependencyCycle",
            Self::UnknownDependency => "UnknownDependency",
            Self::UnknownWeights => "UnknownWeights",
            Self::MissingOrigin => "MissingOrigin",
            Self::MissingCost => "MissingCost",
            Self::MeasurementsMissing => "MeasurementsMissing",
            Self::DuplicateEntry => "DuplicateEntry",
            Self::IncompleteEntry => "IncompleteEntry",
            Self::FieldNotUnderstood => "FieldNotUnderstood",
        }
    }

    /// What mends it.
    #[must_use]
    pub const fn fix(self) -> &'static str {
        match self {
            Self::NameSelectorMismatch => {
                "Write one word as the workload's name, as its selector, and in its pods' label \
                 appgroup.diktyo.x-k8s.io.workload."
            }
            Self::DependencyCycle => "Remove one of these dependencies.",
            Self::UnknownDependency => "Write the selector of a workload of spec.workloads, or add the workload.",
            Self::UnknownWeights => {
                "Name a set of spec.weights so, or name one that is there in the Platform's \
                 spec.features.scheduling.settings.networkWeights."
            }
            Self::MissingOrigin => "Add an entry with this origin and its costs to the list of origins.",
            Self::MissingCost => "Write networkCost for every way, in both directions.",
            Self::MeasurementsMissing => {
                "Have netperf write the ConfigMap of spec.configmapName, and let Keelson read it."
            }
            Self::DuplicateEntry => "Keep one of them.",
            Self::IncompleteEntry => "Fill the field in, or remove the entry.",
            Self::FieldNotUnderstood => "Write what the field takes: kubectl explain says it.",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_kind_has_the_name_that_it_is_written_with() {
        for finding in Finding::ALL {
            assert_eq!(serde_json::json!(finding), finding.name());
            assert!(finding.fix().ends_with('.'));
        }
    }
}
