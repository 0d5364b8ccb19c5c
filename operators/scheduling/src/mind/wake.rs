//! Whom a change helps.
//!
//! A pod waits because no node can hold it. What lies in a node alone can only have changed on a node which changed: the
//! pods that wait are held against that one. Rules about other pods can be met anywhere once such a pod came, went or was
//! relabelled, or once there are other places: then those that mind it are tried again. (kube-scheduler asks its plugins the
//! same since 1.32, queueing hints.)
//!
//! Promise: nobody waits whom a node can hold.

use std::sync::Arc;

use keelson_cluster::State;
use keelson_core::Timestamp;
use keelson_placement::bandwidth::eased;
use keelson_placement::{Claim, Node, Occupant, Pod, VolumePlan, fits_alone};

use super::Mind;
use crate::queue::Waits;

/// What a pod was to others.
#[derive(PartialEq, Eq)]
pub(super) struct Held {
    pub(super) room: Option<String>,
    claim: Option<Arc<Claim>>,
    /// What was decided about its claims and is not done.
    plan: Option<VolumePlan>,
}

impl Held {
    pub(super) fn by(uid: &str, state: &State) -> Self {
        let (room, plan) = (state.room_of(uid).map(str::to_owned), state.plan_of(uid).cloned());
        Self { room, claim: state.claim_elsewhere(uid).cloned(), plan }
    }
}

impl Mind {
    /// A node changed: whoever it can hold now and could not before is tried again.
    pub(super) fn changed_on(&mut self, node: &str, before: Option<&Node>, now: Timestamp) {
        self.groups.changed();
        let (state, unbound) = (&self.state, &self.unbound);
        let Some(member) = state.member(node) else { return };
        // Where room is made for others, the node alone does not tell whom it could hold before.
        let before = before.filter(|_| !state.live().is_reserved(node));
        let is_new = |pod: &Pod, before: &Node| !fits_alone(pod, before) || eased(pod, before, &member.node);
        let helps = |pod: &Pod| fits_alone(pod, &member.node) && before.is_none_or(|before| is_new(pod, before));
        self.queue.changed(Waits::NODE, now, |uid| unbound.get(uid).is_some_and(|pod| helps(&pod.read.pod)));
    }

    /// The places themselves changed: a node came, went, or carries other labels or taints.
    pub(super) fn places_changed(&mut self, now: Timestamp) {
        self.groups.changed();
        self.queue.changed(Waits::PEERS, now, |_| true);
    }

    /// A pod came, went or changed: whoever that lets in is tried again.
    pub(super) fn moved(&mut self, uid: &str, held: Held, now: Timestamp) {
        self.groups.changed();
        let is = Held::by(uid, &self.state);
        let counts = self.queue.counts();
        // Whoever is in flight may come to wait for just this.
        if is == held || (counts.waiting, counts.in_flight) == (0, 0) {
            return;
        }
        if let (Some(name), Some(claim)) = (&held.room, &held.claim)
            && let Some(member) = self.state.member(name)
        {
            let mut before = member.node.clone();
            before.hold(uid.into(), Occupant::taking(Arc::clone(claim)));
            self.changed_on(name, Some(&before), now);
        }
        if held.plan.is_some() && held.plan != is.plan {
            // Volumes and claims that were spoken for are not.
            let unbound = &self.unbound;
            let mounts = |other: &str| unbound.get(other).is_some_and(|pod| !pod.read.pod.volumes.is_empty());
            self.queue.changed(Waits::VOLUMES, now, mounts);
        }
        let (view, unbound) = (self.state.live(), &self.unbound);
        let claims: Vec<Arc<Claim>> = held.claim.into_iter().chain(is.claim).collect();
        self.queue.changed(Waits::PEERS, now, |other| {
            let minds = |pod: &Pod| claims.iter().any(|claim| pod.minds(claim, view.namespaces()));
            other != uid && unbound.get(other).is_some_and(|pod| minds(&pod.read.pod))
        });
    }
}

#[cfg(test)]
mod tests;
