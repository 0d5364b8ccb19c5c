//! Room that is made for a pod by evicting others: whose it is meanwhile, and who is told when it comes to nothing.

use keelson_cluster::Event;
use keelson_core::Timestamp;

use super::{Held, Mind};
use crate::queue::{Attempt, Waits};

impl Mind {
    /// Where room is made for a pod. Whoever had to leave it some elsewhere is tried again.
    pub(super) fn nominate(&mut self, uid: &str, node: Option<String>, now: Timestamp) {
        let held = Held::by(uid, &self.state);
        self.state.apply(Event::Nominated { uid: uid.to_owned(), node });
        if held.room.is_some() {
            self.moved(uid, held, now);
        }
    }

    /// Whether others were evicted for a pod: it waits for their room, or goes on looking.
    pub(super) fn evicted(&mut self, uid: &str, waits: Waits, done: bool, now: Timestamp) {
        if done {
            self.queue.report(uid, Attempt::Unschedulable(waits), now);
        } else {
            let nominated = self.unbound.get(uid).and_then(|pod| pod.read.pod.nominated.clone());
            self.nominate(uid, nominated, now);
            self.queue.report(uid, Attempt::Failed, now);
        }
        // Who is not evicted for this one may be for another.
        if !done || self.preempting.is_empty() {
            self.queue.changed(Waits::EVICTIONS, now, |other| other != uid);
        }
    }
}
