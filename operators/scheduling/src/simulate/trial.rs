//! A state that is tried on: pods are placed as the scheduler places them, and nobody hears of it.
//!
//! Like pods ask alike: the classes choose for them, and why none of them fits is worked out for the first.

use keelson_cluster::{Event, State};
use keelson_placement::{Classes, Nodes};

use super::Subject;
use crate::alike::Alike;
use crate::decide::{Decided, decide, decide_and_keep, decide_known, is_plain};

/// The state, and what is known of like pods.
#[derive(Debug, Clone, Default)]
pub(super) struct Trial {
    pub(super) state: State,
    classes: Classes,
    alike: Alike,
    /// How many pods were evicted: nodes only fill up otherwise, and who found none finds none.
    evicted: u64,
}

impl Trial {
    /// These pods where they are.
    pub(super) fn new(ground: &State, bound: &[&[&Subject]]) -> Self {
        let mut state = ground.clone();
        for pod in bound.iter().copied().flatten() {
            state.apply(pod.at(pod.bound_to.as_deref()));
        }
        Self { state, ..Self::default() }
    }

    /// A pod without a node.
    pub(super) fn wait(&mut self, pod: &Subject) {
        self.state.apply(pod.at(None));
    }

    /// Takes a pod off its node.
    pub(super) fn evict(&mut self, uid: &str) {
        self.evicted += 1;
        self.state.apply(Event::PodDeleted { uid: uid.to_owned() });
    }

    /// Decides a pod that waits; it has its node from then on.
    pub(super) fn place(&mut self, subject: &Subject) -> Decided {
        let decided = self.decide(subject);
        if let Some(node) = decided.node.clone() {
            let volumes = decided.volumes.clone().map(Box::new);
            self.state.apply(Event::Assumed { uid: subject.ask.pod.uid.clone(), node, volumes });
        }
        decided
    }

    fn decide(&mut self, subject: &Subject) -> Decided {
        let (ask, pod) = (&subject.ask, &subject.ask.pod);
        if !is_plain(ask) || !Classes::serve(pod) || self.state.live().has_nominations(pod.priority) {
            return decide(ask, &self.state.live().snapshot_for(pod));
        }
        let known = self.classes.choose(pod, &self.state, ask.seed);
        if let Some(node) = known.choice.node.and_then(|slot| self.state.node(slot))
            && let Some(decided) = decide_known(ask, known, node)
        {
            return decided;
        }
        let nodes = self.state.slots() - self.state.empty_slots();
        if let Some(decided) = self.alike.again(&mut ask.clone(), self.evicted, nodes) {
            return decided;
        }
        let (decided, found) = decide_and_keep(ask, &self.state.live().snapshot_for(pod));
        if let Some(found) = found {
            self.alike.told(ask, self.evicted, found);
        }
        decided
    }
}
