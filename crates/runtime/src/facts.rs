//! What features tell one another.
//!
//! A board of typed values, each by its name. The operator that owns a fact folds inputs into it; everybody reads an
//! `Arc`, with the moment it last changed and the decision that changed it, and is woken when it changes. The board knows
//! no feature.
//!
//! ```
//! use keelson_core::{Span, Timestamp};
//! use keelson_runtime::{Fact, Facts};
//! #[derive(Clone, Default, PartialEq)]
//! struct Saturated(Vec<String>);
//! impl Fact for Saturated {
//!     const NAME: &'static str = "Saturated";
//!     fn told(&self) -> String {
//!         format!("{} nodes saturate.", self.0.len())
//!     }
//! }
//! let board = Facts::default();
//! assert!(board.read::<Saturated>().is_none(), "absent, not empty");
//! board.fold(Timestamp(0), None, |nodes: &mut Saturated| nodes.0.push("node-3".into()));
//! let known = board.read::<Saturated>().unwrap();
//! assert_eq!((known.value.0.len(), known.age(Timestamp(0) + Span::seconds(9))), (1, Span::seconds(9)));
//! ```
//!
//! Promises: a reader never waits for a writer's fold; a fold that changes nothing wakes nobody; a fact nobody has
//! published is absent, never a default.

use std::any::Any;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError, RwLock};

use crate::watch;
use keelson_core::{DecisionId, NodeBandwidth, Span, Timestamp, WorkloadUsage};

/// A type that can be on the board.
pub trait Fact: Clone + PartialEq + Send + Sync + 'static {
    /// CamelCase; unique in the process.
    const NAME: &'static str;

    /// What it says, in a sentence for people, however large it is.
    fn told(&self) -> String;
}

/// What is known of nodes' network interfaces: written by whoever measures them, read by whoever places pods.
impl Fact for NodeBandwidth {
    const NAME: &'static str = "NodeBandwidth";

    fn told(&self) -> String {
        let measured = self.0.values().filter(|interface| interface.measured.is_some()).count();
        format!("{} network interfaces are known, {measured} of them measured.", self.0.len())
    }
}

/// What pods of workloads were seen to use: written by whoever measures them, read by whoever places pods.
impl Fact for WorkloadUsage {
    const NAME: &'static str = "WorkloadUsage";

    fn told(&self) -> String {
        let (nodes, most) = (self.0.len(), self.0.values().map(|usages| usages.len()).max().unwrap_or(0));
        format!("What workloads use of the network was seen on {nodes} nodes, of {most} on one at most.")
    }
}

/// A fact as it was read.
#[derive(Debug, Clone)]
pub struct Known<T> {
    /// The value.
    pub value: Arc<T>,
    /// When its inputs were last heard.
    pub at: Timestamp,
    /// The decision that last changed it.
    pub decision: Option<DecisionId>,
}

impl<T> Known<T> {
    /// How old it is at `now`. Every reader says what it does when that is too much.
    #[must_use]
    pub const fn age(&self, now: Timestamp) -> Span {
        now.since(self.at)
    }
}

/// A line of the board for people.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listed {
    /// Its name.
    pub name: &'static str,
    /// When its inputs were last heard.
    pub at: Timestamp,
    /// The decision that last changed it.
    pub decision: Option<DecisionId>,
    /// What it says.
    pub told: String,
}

struct Entry {
    value: Arc<dyn Any + Send + Sync>,
    at: Timestamp,
    decision: Option<DecisionId>,
    tell: fn(&(dyn Any + Send + Sync)) -> String,
}

/// The board; clones share it.
#[derive(Clone, Default)]
pub struct Facts(Arc<Board>);

#[derive(Default)]
struct Board {
    entries: RwLock<BTreeMap<&'static str, Entry>>,
    signals: RwLock<BTreeMap<&'static str, watch::Sender<u64>>>,
    /// One fold at a time, so that none is lost.
    folding: Mutex<()>,
}

impl Facts {
    /// Puts a value on the board in place of the one there was.
    pub fn publish<T: Fact>(&self, value: T, at: Timestamp, decision: Option<DecisionId>) {
        self.put(value, at, decision);
    }

    /// Folds an input into the value, starting from `T::default()`.
    pub fn fold<T: Fact + Default>(&self, at: Timestamp, decision: Option<DecisionId>, fold: impl FnOnce(&mut T)) {
        let _alone = self.0.folding.lock().unwrap_or_else(PoisonError::into_inner);
        let mut value = self.read::<T>().map_or_else(T::default, |known| T::clone(&known.value));
        fold(&mut value);
        self.put(value, at, decision);
    }

    /// The value, if anybody has published it.
    #[must_use]
    pub fn read<T: Fact>(&self) -> Option<Known<T>> {
        let entries = self.0.entries.read().unwrap_or_else(PoisonError::into_inner);
        let entry = entries.get(T::NAME)?;
        let value = Arc::clone(&entry.value).downcast::<T>().ok()?;
        Some(Known { value, at: entry.at, decision: entry.decision })
    }

    /// Changes when the fact does; the number is how often it has.
    #[must_use]
    pub fn changes<T: Fact>(&self) -> watch::Receiver<u64> {
        let mut signals = self.0.signals.write().unwrap_or_else(PoisonError::into_inner);
        signals.entry(T::NAME).or_insert_with(|| watch::channel(0).0).subscribe()
    }

    /// The whole board, by name.
    #[must_use]
    pub fn list(&self) -> Vec<Listed> {
        let entries = self.0.entries.read().unwrap_or_else(PoisonError::into_inner);
        let line = |(name, entry): (&&'static str, &Entry)| Listed {
            name,
            at: entry.at,
            decision: entry.decision,
            told: (entry.tell)(&*entry.value),
        };
        entries.iter().map(line).collect()
    }

    fn put<T: Fact>(&self, value: T, at: Timestamp, decision: Option<DecisionId>) {
        let changed = {
            let mut entries = self.0.entries.write().unwrap_or_else(PoisonError::into_inner);
            let before = entries.get(T::NAME);
            let same = before.and_then(|entry| entry.value.downcast_ref::<T>()).is_some_and(|there| *there == value);
            let decision = if same { before.and_then(|entry| entry.decision) } else { decision };
            let tell = |any: &(dyn Any + Send + Sync)| any.downcast_ref::<T>().map(T::told).unwrap_or_default();
            entries.insert(T::NAME, Entry { value: Arc::new(value), at, decision, tell });
            !same
        };
        if changed {
            let mut signals = self.0.signals.write().unwrap_or_else(PoisonError::into_inner);
            let signal = signals.entry(T::NAME).or_insert_with(|| watch::channel(0).0);
            signal.send_modify(|count| *count += 1);
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[derive(Debug, Clone, PartialEq, Default)]
    struct Loads(BTreeMap<String, u64>);
    impl Fact for Loads {
        const NAME: &'static str = "Loads";

        fn told(&self) -> String {
            format!("{} nodes are loaded.", self.0.len())
        }
    }

    #[test]
    fn an_unpublished_fact_is_absent() {
        assert!(Facts::default().read::<Loads>().is_none());
    }

    #[test]
    fn a_fold_that_changes_nothing_wakes_nobody_but_keeps_the_fact_young() {
        let facts = Facts::default();
        let changes = facts.changes::<Loads>();
        let set = |loads: &mut Loads| {
            loads.0.insert("a".into(), 1);
        };
        facts.fold(Timestamp(1), None, set);
        facts.fold(Timestamp(2), None, set);
        assert_eq!(*changes.borrow(), 1);
        assert_eq!(facts.read::<Loads>().unwrap().age(Timestamp(5)), Span(3));
    }

    #[test]
    fn the_board_can_be_shown() {
        let facts = Facts::default();
        facts.publish(Loads([("a".into(), 1)].into()), Timestamp(1), None);
        assert_eq!(facts.list().first().unwrap().told, "1 nodes are loaded.");
    }
}
