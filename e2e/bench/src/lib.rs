//! How fast and how small: the budgets of the design, measured.
//!
//! A bench is a function from a [`Setting`] to [`Row`]s. `cargo xtask bench` runs each in a process of its own, optimised;
//! the tests run all of them at a small size, so that none rots.
//!
//! | room | what it measures |
//! |---|---|
//! | [`queue`] | one urgent key behind ten thousand low ones |
//! | [`reconcile`] | reconciles that find nothing to do |
//! | [`store`] | decisions a second, beside raw inserts of the same rows |
//! | [`history`] | a million decisions: listed, filtered, looked at, and swept under a writer |
//! | [`placement`] | pods placed a second on five thousand nodes |
//! | [`deciding`] | decisions a second from the pod to the database, and what questions cost whoever decides |
//! | [`scheduling`] | pods bound a second on a real control plane, beside kube-scheduler |
//! | [`simulator`] | lives of pods a second, in virtual time |
//! | [`cache`] | what ten thousand pods weigh |
//! | [`memory`] | what a large cluster weighs in the cache and in the scheduler |
//! | [`controller`] | from the start to ready, at rest, and on disk |
//! | [`clock`], [`decisions`] | stopwatch and decisions for them |

use std::path::PathBuf;

use anyhow::Result;
use serde::Serialize;

pub mod cache;
pub mod clock;
pub mod controller;
pub mod deciding;
pub mod decisions;
pub mod history;
pub mod memory;
pub mod placement;
pub mod queue;
pub mod reconcile;
pub mod scheduling;
pub mod served;
pub mod simulator;
pub mod store;

/// How large a run is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Size {
    /// As the budgets say.
    Full,
    /// As small as it can be and still touch everything: its figures mean nothing.
    Small,
}

/// What a bench is given.
#[derive(Debug, Clone)]
pub struct Setting {
    /// How large the run is.
    pub size: Size,
    /// The program under test, where one is.
    pub keelson: PathBuf,
}

impl Setting {
    /// One of two numbers, by size.
    #[must_use]
    pub fn of<T>(&self, full: T, small: T) -> T {
        if self.size == Size::Full { full } else { small }
    }
}

/// Which way is good.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Better {
    /// More is better.
    Higher,
    /// Less is better.
    Lower,
}

/// One figure.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Row {
    /// What was measured.
    pub what: String,
    /// The figure.
    pub value: f64,
    /// Its unit.
    pub unit: &'static str,
    /// The budget; none for a figure that only explains another.
    pub goal: Option<f64>,
    /// Which way is good.
    pub better: Better,
    /// Whether the budget is kept.
    pub met: Option<bool>,
    /// Who else was measured in the same run.
    pub peer: Option<&'static str>,
    /// The peer's figure.
    pub peer_value: Option<f64>,
    /// How it was measured.
    pub how: String,
}

impl Row {
    /// A figure without a budget.
    #[must_use]
    pub fn new(what: &str, value: f64, unit: &'static str, better: Better, how: &str) -> Self {
        let (what, how) = (what.to_owned(), how.to_owned());
        Self { what, value, unit, goal: None, better, met: None, peer: None, peer_value: None, how }
    }

    /// With a budget.
    #[must_use]
    pub fn goal(self, goal: f64) -> Self {
        let met = match self.better {
            Better::Higher => self.value >= goal,
            Better::Lower => self.value <= goal,
        };
        Self { goal: Some(goal), met: Some(met), ..self }
    }

    /// Beside a peer of the same run.
    #[must_use]
    pub fn beside(self, peer: &'static str, value: f64) -> Self {
        Self { peer: Some(peer), peer_value: Some(value), ..self }
    }
}

/// A bench: what it does with its setting.
pub type Bench = fn(&Setting) -> Result<Vec<Row>>;

/// Every bench, by name.
pub const BENCHES: &[(&str, Bench)] = &[
    ("queue", queue::run),
    ("reconcile", reconcile::run),
    ("store", store::run),
    ("history", history::run),
    ("placement", placement::run),
    ("deciding", deciding::run),
    ("simulator", simulator::run),
    ("cache", cache::run),
    ("cache-once", cache::once),
    ("memory", memory::run),
    ("controller", controller::run),
    ("served", served::run),
    ("scheduling", scheduling::run),
];

/// Those of them that need a real cluster: root and Go.
pub const ON_A_CLUSTER: &[&str] = &["scheduling"];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_budget_is_kept_on_the_good_side_of_it() {
        let row = |better, value| Row::new("x", value, "y", better, "").goal(10.0).met;
        assert_eq!((row(Better::Higher, 10.0), row(Better::Higher, 9.0)), (Some(true), Some(false)));
        assert_eq!((row(Better::Lower, 10.0), row(Better::Lower, 11.0)), (Some(true), Some(false)));
    }
}
