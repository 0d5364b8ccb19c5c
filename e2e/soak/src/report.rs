//! What a day says of itself.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// One day.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Report {
    /// Its seed.
    pub seed: u64,
    /// Changes of the cluster.
    pub events: u64,
    /// Decisions that were recorded.
    pub decisions: u64,
    /// How often each fault fired.
    pub fired: BTreeMap<String, u64>,
    /// How often each invariant was at stake.
    pub at_stake: BTreeMap<String, u64>,
    /// What was broken, in order, with the moment and the numbers.
    pub breaches: Vec<String>,
    /// SHA-256 over every change of the cluster, with its moment, and every decision.
    pub trace: String,
}

/// Several days together.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sum {
    /// Changes of the cluster.
    pub events: u64,
    /// Decisions that were recorded.
    pub decisions: u64,
    /// How often each fault fired.
    pub fired: BTreeMap<String, u64>,
    /// How often each invariant was at stake.
    pub at_stake: BTreeMap<String, u64>,
    /// The seeds that broke something, with the first thing they broke. Text, as every key of JSON: a flattened map of
    /// numbers could be written and not read.
    pub failed: BTreeMap<String, String>,
}

impl Sum {
    /// Adds a day.
    pub fn add(&mut self, day: &Report) {
        self.events += day.events;
        self.decisions += day.decisions;
        for (total, more) in [(&mut self.fired, &day.fired), (&mut self.at_stake, &day.at_stake)] {
            more.iter().for_each(|(name, count)| *total.entry(name.clone()).or_default() += count);
        }
        if let Some(first) = day.breaches.first() {
            self.failed.insert(day.seed.to_string(), first.clone());
        }
    }

    /// The faults that never fired and the invariants that were never at stake: they proved nothing.
    #[must_use]
    pub fn idle(&self, faults: &[&str], invariants: &[String]) -> Vec<String> {
        let never = |counts: &BTreeMap<String, u64>, name: &str| counts.get(name).copied().unwrap_or(0) == 0;
        let faults = faults.iter().filter(|name| never(&self.fired, name)).map(|name| format!("fault {name}"));
        let invariants = invariants.iter().filter(|name| never(&self.at_stake, name));
        faults.chain(invariants.map(|name| format!("invariant {name}"))).collect()
    }
}
