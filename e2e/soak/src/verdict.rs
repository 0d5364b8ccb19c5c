//! What a checker found.

use std::collections::BTreeMap;

/// How often each invariant was at stake, and how it was broken.
#[derive(Debug, Default)]
pub struct Verdict {
    /// How often, by the invariant's name.
    pub at_stake: BTreeMap<String, u64>,
    /// In words, each after the invariant's name.
    pub breaches: Vec<String>,
}

impl Verdict {
    /// An invariant was at stake; `what` tells how it was broken when it does not hold.
    pub fn hold(&mut self, invariant: &str, holds: bool, what: impl FnOnce() -> String) {
        *self.at_stake.entry(invariant.to_owned()).or_default() += 1;
        if !holds {
            self.breaches.push(format!("{invariant}: {}", what()));
        }
    }

    /// Adds what another checker found.
    pub fn add(&mut self, other: Self) {
        self.at_stake.extend(other.at_stake);
        self.breaches.extend(other.breaches);
    }

    /// How often anything was at stake.
    #[must_use]
    pub fn stakes(&self) -> u64 {
        self.at_stake.values().sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_does_not_hold_is_at_stake_and_told() {
        let (mut all, mut one) = (Verdict::default(), Verdict::default());
        one.hold("Kept", true, || "not asked".to_owned());
        one.hold("Kept", false, || "two were dropped".to_owned());
        all.hold("Once", true, String::new);
        all.add(one);
        assert_eq!((all.stakes(), all.breaches), (3, vec!["Kept: two were dropped".to_owned()]));
    }
}
