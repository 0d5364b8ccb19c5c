//! What the watch says of pods.

use std::collections::HashSet;
use std::sync::Arc;

use k8s_openapi::api::core::v1::Pod;
use keelson_api::names;
use keelson_cluster::{Event, read};
use keelson_core::{DecisionId, Mode, Reason, Timestamp};

use super::storage::has_its_volumes;
use super::{Held, Mind, Placement, Unbound, uid};
use crate::decide::scheduler_of;
use crate::effect::{AFTERMATH, Seen};
use crate::observe;

impl Mind {
    /// The pods there are; all others are gone. A placement that was made before, and whose pod does not run yet, is followed
    /// again, because the pod carries its decision's id.
    pub fn pods(&mut self, pods: impl IntoIterator<Item = Arc<Pod>>, now: Timestamp) {
        let mut listed = HashSet::new();
        for pod in pods {
            self.pod(&pod, now);
            self.follow_again(&pod, now);
            listed.insert(uid(&pod).to_owned());
        }
        let gone: Vec<String> = self.state.uids().filter(|uid| !listed.contains(*uid)).map(str::to_owned).collect();
        gone.iter().for_each(|uid| self.gone(uid, None, now));
    }

    /// A pod is new or changed.
    pub fn pod(&mut self, pod: &Arc<Pod>, now: Timestamp) {
        let mut read = read::pod(pod);
        read.pod.layout = self.standing.settings.layout_of(pod);
        let key = format!("{}/{}", read.pod.namespace, read.pod.name);
        if let Some(other) = self.state.uid_of(&key).filter(|other| *other != read.pod.uid).map(str::to_owned) {
            self.gone(&other, Some(&key), now);
        }
        let uid = read.pod.uid.clone();
        let (is_bound, waits) = (read.bound_to.is_some(), read.bound_to.is_none() && !read.ended);
        let held = Held::by(&uid, &self.state);
        let was_on = self.state.node_of(&uid).map(str::to_owned);
        let unbound = waits.then(|| Unbound { written: Arc::clone(pod), read: read.clone() });
        self.state.apply(Event::PodApplied(Box::new(read)));
        let before = match unbound {
            Some(unbound) => self.unbound.insert(uid.clone(), unbound),
            None => self.unbound.remove(&uid),
        };
        if is_bound && before.is_some() {
            self.follow_another(pod, now);
        }
        let seen = Seen { view: self.state.live(), used: &self.used };
        self.measured.extend(self.effects.changed(pod, &seen, now));
        self.groups.seen(&uid, pod);
        self.moved(&uid, held, now);
        if is_bound && self.state.node_of(&uid) != was_on.as_deref() {
            self.came(&uid, &key, now);
        }
        if waits {
            self.wants(pod, before.as_ref().map(|before| before.written.as_ref()), now);
        } else {
            self.queue.remove(&uid);
            self.books.forget_ranking(&uid);
            self.not_ours(&uid);
            if is_bound && before.is_some() {
                self.was_bound(pod, now);
            }
        }
    }

    /// A pod is gone.
    pub fn pod_gone(&mut self, pod: &Pod, now: Timestamp) {
        let meta = &pod.metadata;
        let key =
            format!("{}/{}", meta.namespace.as_deref().unwrap_or_default(), meta.name.as_deref().unwrap_or_default());
        self.gone(uid(pod), Some(&key), now);
    }

    fn gone(&mut self, uid: &str, key: Option<&str>, now: Timestamp) {
        let held = Held::by(uid, &self.state);
        self.state.apply(Event::PodDeleted { uid: uid.to_owned() });
        self.measured.extend(self.effects.deleted(uid, now));
        self.unbound.remove(uid);
        self.groups.gone(uid);
        self.books.forget_ranking(uid);
        self.queue.remove(uid);
        self.not_ours(uid);
        if let Some(key) = key {
            self.books.forget(key);
        }
        self.moved(uid, held, now);
    }

    /// Queues a pod of ours. What we write into its status ourselves changes nothing about it.
    fn wants(&mut self, pod: &Pod, before: Option<&Pod>, now: Timestamp) {
        let asked = |pod: &Pod| pod.metadata.annotations.as_ref().and_then(|all| all.get(names::MODE).cloned());
        let same = before.is_some_and(|before| {
            (&before.spec, &before.metadata.labels, &before.metadata.deletion_timestamp)
                == (&pod.spec, &pod.metadata.labels, &pod.metadata.deletion_timestamp)
                && asked(before) == asked(pod)
        });
        let waiting = self.waiting(pod);
        if waiting.is_some() {
            self.ours.insert(uid(pod).to_owned());
        } else {
            self.not_ours(uid(pod));
        }
        match waiting {
            _ if same || !self.standing.decides() => {}
            Some(waiting) => {
                self.joined(&waiting, now);
                self.queue.apply(waiting, now);
            }
            None => self.queue.remove(uid(pod)),
        }
    }

    /// A pod that was seen waiting has a node now. Whose choice that was is compared with ours, unless it is ours.
    fn was_bound(&mut self, pod: &Arc<Pod>, now: Timestamp) {
        let settings = &self.standing.settings;
        let names_us = settings.places(scheduler_of(pod)) && self.stands_back_for(pod).is_none();
        let (namespace, name) = (pod.metadata.namespace.as_deref(), pod.metadata.name.as_deref());
        let last = self.books.last(namespace.unwrap_or_default(), name.unwrap_or_default());
        let by_us = last.is_some_and(|last| last.reason == Reason::BoundOnRequest && last.subject.uid == uid(pod));
        if self.standing.decides() && observe::compares(settings.mode, names_us) && !by_us {
            let heard = has_its_volumes(&self.state, pod);
            self.comparisons.add(Arc::clone(pod), heard, now);
        }
    }

    /// A placement of which only the pod is left, after a restart, and which does not run yet.
    fn follow_again(&mut self, pod: &Pod, now: Timestamp) {
        let phase = pod.status.as_ref().and_then(|status| status.phase.as_deref());
        if let (Some(placement), Some("Pending")) = (self.followable(pod, now), phase) {
            self.effects.follow(uid(pod), placement);
        }
    }

    /// A placement of who leads now, or led before: whoever leads next tells what comes of it.
    fn follow_another(&mut self, pod: &Pod, now: Timestamp) {
        if let Some(placement) = self.followable(pod, now)
            && let (Some(member), Some(claim)) = (self.state.member(&placement.node), self.state.claim_of(uid(pod)))
        {
            self.effects.placed_before(uid(pod), &member.node, &claim.requests, placement);
        }
    }

    /// The placement that a bound pod is the outcome of, where it says so and nobody follows it yet.
    fn followable(&self, pod: &Pod, now: Timestamp) -> Option<Placement> {
        let annotation = pod.metadata.annotations.as_ref()?.get(names::DECISION)?;
        let decision = annotation.parse::<DecisionId>().ok()?;
        let node = pod.spec.as_ref()?.node_name.clone().filter(|name| !name.is_empty())?;
        let at = decided_at(decision)?;
        // An older one was copied from another pod.
        let is_its = now.since(at) < AFTERMATH && pod.metadata.deletion_timestamp.is_none();
        let follows = is_its && self.standing.settings.mode > Mode::Off && !self.effects.follows(uid(pod));
        follows.then(|| Placement { decision, node, at, shares: Default::default() })
    }
}

/// The moment in a decision's id, to the millisecond.
fn decided_at(decision: DecisionId) -> Option<Timestamp> {
    let millis = u64::try_from(decision.0.as_u128() >> 80).ok()?;
    Some(Timestamp(i64::try_from(millis).ok()?.checked_mul(1_000)?))
}
