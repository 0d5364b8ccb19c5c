//! A state that is tried on: pods are placed as the scheduler places them, and nobody hears of it.
//!
//! Like pods ask alike: the classes choose for them, and why none of them fits is worked out for the first.

use std::collections::HashMap;

use keelson_cluster::{Event, State};
use keelson_placement::{Classes, Nodes, Pod};

use super::Subject;
use crate::decide::{Decided, decide, decide_known};

/// The state, and what is known of like pods.
#[derive(Debug, Clone, Default)]
pub(super) struct Trial {
    pub(super) state: State,
    classes: Classes,
    /// By likeness and urgency: the first that found no node, and what it was told.
    told: HashMap<(u64, i32, bool), (Pod, Decided)>,
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
        let stops = !(ask.gates.is_empty() && ask.problems.is_empty() && ask.findings.is_empty());
        let alone = stops || pod.nominated.is_some() || self.state.live().has_nominations(pod.priority);
        if alone || !Classes::serve(pod) {
            return decide(ask, &self.state.live().snapshot_for(pod));
        }
        let known = self.classes.choose(pod, &self.state, ask.seed);
        if let Some(node) = known.choice.node.and_then(|slot| self.state.node(slot))
            && let Some(decided) = decide_known(ask, known, node)
        {
            return decided;
        }
        let key = (pod.likeness(), pod.priority, pod.never_preempts);
        if let Some((_, decided)) = self.told.get(&key).filter(|(first, _)| first.is_like(pod)) {
            return decided.clone();
        }
        let decided = decide(ask, &self.state.live().snapshot_for(pod));
        // Whom the first is to push out the second cannot push out again.
        if decided.nominated.is_none() {
            self.told.insert(key, (pod.clone(), decided.clone()));
        }
        decided
    }
}
