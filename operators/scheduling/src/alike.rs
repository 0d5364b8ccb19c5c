//! Pods that ask alike and find no node are told the same for as long as nothing changes.
//!
//! A Deployment that is scaled beyond what there is leaves hundreds of pods waiting, and when room comes free all of them
//! try again. Why none of the nodes holds a pod takes some milliseconds to find out; for the next like it, nothing.
//!
//! Promise: whoever is told what was found out for another is told what would have been found out for it with that one's
//! seed, to the byte.

use std::collections::HashMap;

use keelson_placement::Pod;

use crate::decide::{Ask, Decided, NoNode, decide_as};

/// What was found out since something last changed.
#[derive(Debug, Clone, Default)]
pub(crate) struct Alike {
    /// How many changes there were then.
    changes: u64,
    /// By likeness and what bears on preemption.
    told: HashMap<(u64, i32, bool), Told>,
}

#[derive(Debug, Clone)]
struct Told {
    first: Pod,
    seed: u64,
    found: NoNode,
}

impl Alike {
    /// What a pod is told that nothing sets apart from those like it, when one of them found no node after so many changes.
    pub(crate) fn again(&self, ask: &mut Ask, changes: u64, nodes: usize) -> Option<Decided> {
        let told = self.told.get(&key(&ask.pod)).filter(|_| self.changes == changes)?;
        if !told.first.is_like(&ask.pod) {
            return None;
        }
        ask.seed = told.seed;
        Some(decide_as(ask, nodes, &told.found))
    }

    /// Remembers what was found out.
    pub(crate) fn told(&mut self, ask: &Ask, changes: u64, found: NoNode) {
        if self.changes != changes {
            (self.changes, self.told) = (changes, HashMap::new());
        }
        self.told.insert(key(&ask.pod), Told { first: ask.pod.clone(), seed: ask.seed, found });
    }

    /// How many kinds of pods were told.
    #[cfg(test)]
    pub(crate) fn len(&self) -> usize {
        self.told.len()
    }
}

fn key(pod: &Pod) -> (u64, i32, bool) {
    (pod.likeness(), pod.priority, pod.never_preempts)
}
