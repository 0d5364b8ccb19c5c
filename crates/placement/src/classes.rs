//! The same choice, kept up to date instead of made anew.
//!
//! Pods of one Deployment ask the same of every node, and between two of them few nodes change. So for each class of like
//! pods every node's checks and scores are kept as plain numbers by slot, and the rules that look at pods elsewhere as counts
//! by place; a choice works out again what changed, and walks once over the numbers.
//!
//! Promises: for a pod without volumes the answer is the one of [`crate::choose()`] for the same nodes, always; memory is bounded by
//! [`CLASSES`] · nodes.
//!
//! | room | what it holds |
//! |---|---|
//! | `ground` | what all classes stand on: rooms, places, kinds of pods |
//! | `class` | one class: every node held against it |
//! | `rules` | its rules about other pods, as counts by place |
//! | `near`, `sites` | what its group costs it by place, and what places cost each other |

mod class;
mod ground;
mod near;
mod rules;
mod sites;

use std::collections::HashMap;
use std::sync::Arc;

use keelson_core::Candidate;

use self::class::Class;
use self::ground::Ground;
use crate::choose::Choice;
use crate::log::Log;
use crate::network::Network;
use crate::node::Node;
use crate::peers::Namespaces;
use crate::pod::{Claim, Pod};

/// How many classes are kept; the one that was not asked for longest is dropped. At 5,000 nodes a class takes 15 kB, 80 kB
/// more with preferences for nodes, 40 kB more with each rule over nodes, and 80 kB more with placed pods of its group.
pub const CLASSES: usize = 2_048;

/// Nodes in numbered slots, and what happened to them.
pub trait Nodes {
    /// How many slots there are.
    fn slots(&self) -> usize;
    /// The node in a slot; `None` for an empty one.
    fn node(&self, slot: usize) -> Option<&Node>;
    /// How many of the slots have no node.
    fn empty_slots(&self) -> usize;
    /// What the pods in a slot take, whether there is a node or not.
    fn claims(&self, slot: usize) -> impl Iterator<Item = &Arc<Claim>>;
    /// The labels of namespaces.
    fn namespaces(&self) -> &Namespaces;
    /// Groups, and what places cost each other.
    fn network(&self) -> &Network;
    /// What happened. Every change of what the other methods return is written there.
    fn log(&self) -> &Log;
}

/// The classes of like pods, and what is known for each.
#[derive(Debug, Clone, Default)]
pub struct Classes {
    known: HashMap<u64, Class>,
    ground: Ground,
    turn: u64,
}

/// A choice and the nodes that came next.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Known {
    /// The choice; its node is a slot.
    pub choice: Choice,
    /// The best few, as [`crate::explain::best`] shows them.
    pub leaders: Vec<Candidate>,
}

impl Classes {
    /// Whether this is kept up to date for such a pod at all. Pods with volumes are not: two of them are seldom alike, and
    /// what their claims need changes with each of them. [`crate::choose()`] answers for them.
    #[must_use]
    pub fn serve(pod: &Pod) -> bool {
        pod.volumes.is_empty()
    }

    /// Whether a pod like this was asked about lately, so that the next answer is cheap.
    #[must_use]
    pub fn knows(&self, pod: &Pod) -> bool {
        self.known.get(&pod.likeness()).is_some_and(|class| class.like.is_like(pod))
    }

    /// The choice for `pod`, with the nodes that came next. The pod must be one that classes [serve](Self::serve), and not be
    /// on a node. For a class that is known:
    /// `O(changes since it was last asked about + nodes)`, each a few operations on plain numbers.
    pub fn choose(&mut self, pod: &Pod, nodes: &impl Nodes, seed: u64) -> Known {
        let (class, ground) = self.class(pod, nodes);
        class.choose(ground, nodes, seed)
    }

    /// The slots that can hold the pod, and what each costs it over the network.
    pub(crate) fn reach(&mut self, pod: &Pod, nodes: &impl Nodes) -> Vec<(usize, i64)> {
        let (class, ground) = self.class(pod, nodes);
        class.reach(ground)
    }

    /// What each slot costs the pod over the network, whether it can hold it or not; empty when nothing does.
    pub(crate) fn costs(&mut self, pod: &Pod, nodes: &impl Nodes) -> Vec<i64> {
        let (class, ground) = self.class(pod, nodes);
        class.costs(ground)
    }

    /// Whether a slot can hold the pod.
    pub(crate) fn holds(&mut self, pod: &Pod, nodes: &impl Nodes, slot: usize) -> bool {
        let (class, ground) = self.class(pod, nodes);
        class.holds(ground, slot)
    }

    fn class(&mut self, pod: &Pod, nodes: &impl Nodes) -> (&Class, &Ground) {
        self.turn += 1;
        self.ground.catch_up(nodes);
        let key = pod.likeness();
        if !self.knows(pod) {
            if self.known.len() >= CLASSES
                && let Some(oldest) = self.known.iter().min_by_key(|(_, class)| class.turn).map(|(key, _)| *key)
            {
                self.known.remove(&oldest);
            }
            self.known.insert(key, Class::new(pod));
        }
        let class = self.known.entry(key).or_insert_with(|| Class::new(pod));
        class.turn = self.turn;
        class.catch_up(&mut self.ground, nodes);
        (class, &self.ground)
    }
}

#[cfg(test)]
mod tests;
