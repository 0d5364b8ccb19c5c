//! Whom a change helps.
//!
//! A pod waits because no node can hold it, so that only a node which changed can hold it now: the pods that wait are held
//! against that one node, and the others wait on. (kube-scheduler asks its plugins the same since 1.32, queueing hints; ours
//! is exact, for it is the filter itself.)
//!
//! Promise: nobody waits whom a node can hold.

use keelson_cluster::State;
use keelson_core::Timestamp;
use keelson_placement::fits;

use super::Mind;
use crate::queue::Waits;

/// What a pod took from others.
pub(super) struct Held {
    room: Option<String>,
    repels: bool,
}

impl Held {
    pub(super) fn by(uid: &str, state: &State) -> Self {
        Self { room: state.room_of(uid).map(str::to_owned), repels: state.repels(uid) }
    }
}

impl Mind {
    /// A node changed: whoever it can hold now is tried again.
    pub(super) fn changed_on(&mut self, node: &str, now: Timestamp) {
        let (state, unbound) = (&self.state, &self.unbound);
        let Some(member) = state.member(node) else { return };
        self.queue
            .changed(Waits::NODE, now, |uid| unbound.get(uid).is_some_and(|pod| fits(&pod.read.pod, &member.node)));
    }

    /// A pod may have given up of what it held: whoever that lets in is tried again.
    pub(super) fn gave_up(&mut self, uid: &str, held: Held, now: Timestamp) {
        let Held { room, repels } = Held::by(uid, &self.state);
        if let Some(node) = held.room.filter(|before| room.as_ref() != Some(before)) {
            self.changed_on(&node, now);
        }
        if held.repels && !repels {
            let (view, unbound) = (self.state.live(), &self.unbound);
            self.queue.changed(Waits::REPELLER, now, |uid| {
                let pod = unbound.get(uid).map(|pod| &pod.read);
                pod.is_some_and(|pod| view.repelled_by(&pod.pod.namespace, &pod.labels).is_none())
            });
        }
    }
}

#[cfg(test)]
mod tests;
