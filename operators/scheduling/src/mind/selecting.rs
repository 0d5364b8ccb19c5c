//! What the watch says of Services and of the workloads that make pods.
//!
//! By them a pod is spread that does not say how. That is a preference: nobody waits for it, so nobody is woken.

use std::collections::HashSet;

use keelson_cluster::Event;
use keelson_cluster::read::{ReadPod, ReadSelecting, Selecting};

use super::Mind;

impl Mind {
    /// The objects of a kind; all others of it are gone.
    pub fn selecting_listed(&mut self, kind: Selecting, all: Vec<ReadSelecting>) {
        let listed: HashSet<(&str, &str)> =
            all.iter().map(|read| (read.namespace.as_str(), read.name.as_str())).collect();
        let known = self.state.live().selectors().keys(kind).filter(|key| !listed.contains(key));
        let gone: Vec<Event> = known
            .map(|(namespace, name)| Event::SelectorDeleted { kind, namespace: namespace.into(), name: name.into() })
            .collect();
        gone.into_iter().for_each(|event| self.state.apply(event));
        all.into_iter().for_each(|read| self.selecting(read));
    }

    /// An object is new or changed.
    pub fn selecting(&mut self, read: ReadSelecting) {
        self.state.apply(Event::SelectorApplied(Box::new(read)));
    }

    /// An object is gone.
    pub fn selecting_gone(&mut self, ReadSelecting { kind, namespace, name, .. }: ReadSelecting) {
        self.state.apply(Event::SelectorDeleted { kind, namespace, name });
    }

    /// A pod, with what the cluster adds to it.
    pub(super) fn complete(&self, read: ReadPod) -> ReadPod {
        self.state.live().complete(read)
    }
}
