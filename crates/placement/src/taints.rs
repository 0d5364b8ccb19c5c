//! What a node repels, and what a pod puts up with.
//!
//! A taint keeps pods away unless they tolerate it. Three effects exist: `NoSchedule` and `NoExecute` forbid the node,
//! `PreferNoSchedule` only makes it less liked.
//!
//! Promises: every untolerated taint is returned, not only the first; an empty toleration key with `Exists` tolerates
//! everything; an empty effect covers all three effects.

use std::fmt;

use serde::{Deserialize, Serialize};

/// The key of the taint that a cordoned node is treated as having.
pub const UNSCHEDULABLE_KEY: &str = "node.kubernetes.io/unschedulable";

/// What a taint does to pods that do not tolerate it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum TaintEffect {
    /// New pods stay away.
    NoSchedule,
    /// New pods go elsewhere when they can.
    PreferNoSchedule,
    /// New pods stay away and running ones are evicted.
    NoExecute,
}

impl TaintEffect {
    /// The word as Kubernetes writes it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::NoSchedule => "NoSchedule",
            Self::PreferNoSchedule => "PreferNoSchedule",
            Self::NoExecute => "NoExecute",
        }
    }

    /// Whether an untolerated taint of this effect forbids the node.
    #[must_use]
    pub const fn forbids(self) -> bool {
        matches!(self, Self::NoSchedule | Self::NoExecute)
    }
}

/// One taint of a node. Displayed as `key=value:Effect`, or `key:Effect` without a value.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Taint {
    /// The key, never empty.
    pub key: String,
    /// The value; may be empty.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub value: String,
    /// What it does.
    pub effect: TaintEffect,
}

impl Taint {
    /// A taint by its three parts.
    #[must_use]
    pub fn new(key: &str, value: &str, effect: TaintEffect) -> Self {
        Self { key: key.into(), value: value.into(), effect }
    }

    /// The taint that `spec.unschedulable` stands for.
    #[must_use]
    pub fn cordon() -> Self {
        Self::new(UNSCHEDULABLE_KEY, "", TaintEffect::NoSchedule)
    }
}

impl fmt::Display for Taint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.value.as_str() {
            "" => write!(f, "{}:{}", self.key, self.effect.as_str()),
            value => write!(f, "{}={value}:{}", self.key, self.effect.as_str()),
        }
    }
}

/// How a toleration compares its value.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
pub enum TolerationOperator {
    /// The values must be equal; what an empty operator means.
    #[default]
    Equal,
    /// Any value will do.
    Exists,
}

/// One toleration of a pod.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
pub struct Toleration {
    /// The taint key it covers; empty covers every key.
    #[serde(default)]
    pub key: String,
    /// How the value is compared.
    #[serde(default)]
    pub operator: TolerationOperator,
    /// The value for [`TolerationOperator::Equal`].
    #[serde(default)]
    pub value: String,
    /// The effect it covers; `None` covers all.
    #[serde(default)]
    pub effect: Option<TaintEffect>,
}

impl Toleration {
    /// Tolerates any taint with this key.
    #[must_use]
    pub fn exists(key: &str) -> Self {
        Self { key: key.into(), operator: TolerationOperator::Exists, ..Self::default() }
    }

    /// Tolerates the taints with this key and this value.
    #[must_use]
    pub fn equal(key: &str, value: &str) -> Self {
        Self { key: key.into(), value: value.into(), ..Self::default() }
    }

    /// The same toleration for one effect alone.
    #[must_use]
    pub fn only(mut self, effect: TaintEffect) -> Self {
        self.effect = Some(effect);
        self
    }

    /// Whether this toleration covers `taint`.
    #[must_use]
    pub fn tolerates(&self, taint: &Taint) -> bool {
        self.effect.is_none_or(|effect| effect == taint.effect)
            && (self.key.is_empty() || self.key == taint.key)
            && match self.operator {
                TolerationOperator::Exists => true,
                TolerationOperator::Equal => self.value == taint.value,
            }
    }
}

/// Whether any of `tolerations` covers `taint`.
#[must_use]
pub fn tolerated(tolerations: &[Toleration], taint: &Taint) -> bool {
    tolerations.iter().any(|toleration| toleration.tolerates(taint))
}

/// Whether the cordon is tolerated, without making the taint that it stands for.
#[must_use]
pub fn tolerated_cordon(tolerations: &[Toleration]) -> bool {
    tolerations.iter().any(|toleration| {
        toleration.effect.is_none_or(|effect| effect == TaintEffect::NoSchedule)
            && (toleration.key.is_empty() || toleration.key == UNSCHEDULABLE_KEY)
            && (toleration.operator == TolerationOperator::Exists || toleration.value.is_empty())
    })
}

/// The taints that forbid the node: effect `NoSchedule` or `NoExecute`, and not tolerated. In the node's order.
pub fn forbidding<'a>(tolerations: &'a [Toleration], taints: &'a [Taint]) -> impl Iterator<Item = &'a Taint> + 'a {
    taints.iter().filter(|taint| taint.effect.forbids() && !tolerated(tolerations, taint))
}

/// How many untolerated `PreferNoSchedule` taints the node has: the raw number behind the TaintToleration score.
#[must_use]
pub fn disliked(tolerations: &[Toleration], taints: &[Taint]) -> i64 {
    let count = taints
        .iter()
        .filter(|taint| taint.effect == TaintEffect::PreferNoSchedule && !tolerated(tolerations, taint))
        .count();
    i64::try_from(count).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]
    use super::*;
    use TaintEffect::{NoExecute, NoSchedule, PreferNoSchedule};

    #[test]
    fn a_toleration_covers_exactly_the_taints_its_words_say() {
        let gpu = Taint::new("gpu", "a100", NoSchedule);
        let rows = [
            (Toleration::exists(""), true),
            (Toleration::exists("gpu"), true),
            (Toleration::exists("gp"), false),
            (Toleration::equal("gpu", "a100"), true),
            (Toleration::equal("gpu", "h100"), false),
            (Toleration::equal("gpu", ""), false),
            (Toleration::exists("gpu").only(NoSchedule), true),
            (Toleration::exists("gpu").only(NoExecute), false),
            (Toleration::exists("").only(PreferNoSchedule), false),
        ];
        for (toleration, expected) in rows {
            assert_eq!(toleration.tolerates(&gpu), expected, "{toleration:?}");
        }
    }

    #[test]
    fn no_execute_forbids_as_no_schedule_does_and_every_one_is_named() {
        let taints =
            [Taint::new("a", "", NoExecute), Taint::new("b", "1", PreferNoSchedule), Taint::new("c", "", NoSchedule)];
        let names: Vec<String> = forbidding(&[], &taints).map(ToString::to_string).collect();
        assert_eq!(names, ["a:NoExecute", "c:NoSchedule"]);
        assert_eq!(disliked(&[], &taints), 1);
        assert_eq!(disliked(&[Toleration::equal("b", "1")], &taints), 0);
    }
}
