//! What each feature may do now.
//!
//! One switch a feature, from everything that bears on it: the mode the Platform wants, the ceiling its rights were
//! granted for, a pause, the circuit breaker, and whether this process leads. Readers wait on a channel, so a change takes
//! effect at once.
//!
//! Promises: the effective mode is never above the ceiling; nobody acts who does not lead; a change that changes nothing
//! wakes nobody.

use std::collections::BTreeMap;

use keelson_core::{DecisionId, Feature, Mode};
use serde::Serialize;

use crate::mandate::{Mandate, Term};
use crate::watch;

/// One feature's switch.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct Switch {
    /// What the Platform asks for.
    pub wanted: Mode,
    /// What the granted rights allow.
    pub ceiling: Mode,
    /// The lower of the two.
    pub effective: Mode,
    /// A person holds every action.
    pub paused: bool,
    /// Why the circuit breaker holds every action, when it does.
    pub breaker: Option<String>,
    /// Whether this process leads the feature. Nothing is decided by those who do not.
    pub leading: bool,
    /// The leader's number, shown with every action; 0 while not leading.
    pub fence: u64,
    /// The decision that last moved it, as this process led and recorded it.
    pub moved_by: Option<DecisionId>,
    /// The generation of the Platform that says so; 0 before one was read.
    pub generation: i64,
}

impl Switch {
    /// Why actions are held, or none when they may start. The mode itself is no hold: below Enforce they are never begun.
    #[must_use]
    pub fn held(&self) -> Option<Hold> {
        if !self.leading {
            Some(Hold::NotLeading)
        } else if self.paused {
            Some(Hold::Paused)
        } else {
            self.breaker.clone().map(Hold::Breaker)
        }
    }

    /// Why what was begun under a fence may not go on.
    #[must_use]
    pub(crate) fn holds(&self, fence: u64) -> Option<Hold> {
        let replaced = (self.fence != fence).then_some(Hold::NotLeading);
        let lowered = (self.effective < Mode::Enforce).then_some(Hold::Lowered(self.effective));
        self.held().or(replaced).or(lowered)
    }

    /// Whether actions may start now.
    #[must_use]
    pub fn acts(&self) -> bool {
        self.effective == Mode::Enforce && self.held().is_none()
    }
}

/// Why an enforced feature's actions are held.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Hold {
    /// Another process leads.
    NotLeading,
    /// The mode went below Enforce meanwhile.
    Lowered(Mode),
    /// `keelson pause`.
    Paused,
    /// The circuit breaker, with its reason.
    Breaker(String),
}

impl std::fmt::Display for Hold {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::NotLeading => f.write_str("this process does not lead any more"),
            Self::Lowered(mode) => write!(f, "the mode is {mode} now"),
            Self::Paused => f.write_str("paused; `keelson pause --resume` lets actions go on"),
            Self::Breaker(why) => write!(f, "held by the circuit breaker: {why}"),
        }
    }
}

/// Every feature's switch.
#[derive(Debug)]
pub(crate) struct Switches {
    features: BTreeMap<Feature, watch::Sender<Switch>>,
    terms: BTreeMap<Feature, Term>,
    changes: watch::Sender<u64>,
}

impl Switches {
    /// Everything observes and nobody leads, until something else is known.
    pub(crate) fn new(ceilings: &BTreeMap<Feature, Mode>) -> Self {
        let switch = |feature: &Feature| {
            let ceiling = ceilings.get(feature).copied().unwrap_or_default();
            let effective = Mode::Observe.min(ceiling);
            watch::channel(Switch { wanted: Mode::Observe, ceiling, effective, ..Switch::default() }).0
        };
        let features = Feature::ALL.iter().map(|feature| (*feature, switch(feature))).collect();
        let terms = Feature::ALL.iter().map(|feature| (*feature, Term::default())).collect();
        Self { features, terms, changes: watch::channel(0).0 }
    }

    /// Watches one feature's switch.
    pub(crate) fn subscribe(&self, feature: Feature) -> watch::Receiver<Switch> {
        match self.features.get(&feature) {
            Some(sender) => sender.subscribe(),
            None => watch::channel(Switch::default()).1,
        }
    }

    /// One feature's switch now.
    pub(crate) fn now(&self, feature: Feature) -> Switch {
        self.features.get(&feature).map(|sender| sender.borrow().clone()).unwrap_or_default()
    }

    /// Until when this process may lead a feature. Its renewals move it and wake nobody.
    pub(crate) fn term(&self, feature: Feature) -> Term {
        self.terms.get(&feature).cloned().unwrap_or_default()
    }

    /// What the leader of a feature acts under.
    pub(crate) fn mandate(&self, feature: Feature, fence: u64) -> Mandate {
        Mandate::new(feature, fence, self.term(feature))
    }

    /// Changes what bears on it; the effective mode follows.
    pub(crate) fn change(&self, feature: Feature, change: impl FnOnce(&mut Switch)) {
        let Some(sender) = self.features.get(&feature) else { return };
        let changed = sender.send_if_modified(|switch| {
            let before = switch.clone();
            change(switch);
            switch.effective = switch.wanted.min(switch.ceiling);
            *switch != before
        });
        if changed {
            self.touch();
        }
    }

    /// Tells whoever watches all switches that something beside them has changed.
    pub(crate) fn touch(&self) {
        self.changes.send_modify(|count| *count += 1);
    }

    /// Changes when any switch does.
    pub(crate) fn changes(&self) -> watch::Receiver<u64> {
        self.changes.subscribe()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_ceiling_holds_and_equal_changes_wake_nobody() {
        let switches = Switches::new(&BTreeMap::new());
        let mut receiver = switches.subscribe(Feature::Scheduling);
        switches.change(Feature::Scheduling, |switch| switch.wanted = Mode::Enforce);
        assert_eq!(receiver.borrow_and_update().effective, Mode::Observe);
        switches.change(Feature::Scheduling, |switch| switch.wanted = Mode::Enforce);
        assert_eq!(receiver.has_changed().ok(), Some(false));
    }

    #[test]
    fn only_an_enforcing_unheld_leader_acts() {
        let acting = Switch { effective: Mode::Enforce, leading: true, ..Switch::default() };
        assert!(acting.acts());
        for held in [
            Switch { effective: Mode::Observe, ..acting.clone() },
            Switch { leading: false, ..acting.clone() },
            Switch { paused: true, ..acting.clone() },
            Switch { breaker: Some("9 of 10 failed".into()), ..acting.clone() },
        ] {
            assert!(!held.acts(), "{held:?}");
        }
    }
}
