//! What the page keeps current by itself: the changes that everybody sees, the last hour's words, the nodes, the queue,
//! and, on a page of its own, who leads.

use std::collections::BTreeMap;
use std::future::Future;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use k8s_openapi::api::coordination::v1::Lease;
use keelson_api::names;
use keelson_core::{Feature, Timestamp};
use keelson_dashboard::{Change, EffectChange, OutcomeChange, Seen};
use keelson_scheduling::used::NodeUse;
use keelson_store::{Change as Recorded, Filter, MAX_PAGE};
use kube::Api;
use serde::Deserialize;
use serde_json::json;
use tokio::sync::Notify;
use tokio::sync::broadcast::error::RecvError;
use tokio::time::Instant;

use super::{Live, cells};
use crate::tally::{Tally, WINDOW};

/// How often the scheduler is asked for its nodes and its queue while somebody looks.
const GLANCE: Duration = Duration::from_millis(500);
/// How often while nobody does: with ten thousand pods waiting each time costs it some milliseconds.
const UNSEEN: Duration = Duration::from_secs(5);
/// Who looked so long ago looks no more.
const ATTENTION: Duration = Duration::from_secs(10);
/// How often a page of its own looks who leads.
const LEADERS: Duration = Duration::from_secs(5);
/// When a store that is away is asked again for the last hour.
const AGAIN: Duration = Duration::from_secs(5);

/// How many pods wait for a feature now, and how many of them are refused until they are changed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
pub(super) struct Waiting {
    pub(super) waiting: u64,
    pub(super) refused: u64,
}

/// The same for each namespace.
#[derive(Debug, Default, Deserialize)]
pub(super) struct Queue {
    pub(super) namespaces: BTreeMap<String, Waiting>,
}

impl Queue {
    /// How many wait in those that are seen.
    pub(super) fn seen(&self, seen: &Seen) -> Waiting {
        let those = self.namespaces.iter().filter(|(namespace, _)| seen.has(namespace));
        those.fold(Waiting::default(), |sum, (_, one)| Waiting {
            waiting: sum.waiting + one.waiting,
            refused: sum.refused + one.refused,
        })
    }
}

/// Since when something is as it is.
#[derive(Debug, Default)]
pub(super) struct Turn(Mutex<Option<(bool, Timestamp)>>);

impl Turn {
    /// The moment of the last change, `now` when this is one.
    pub(super) fn since(&self, is: bool, now: Timestamp) -> Timestamp {
        let mut last = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match *last {
            Some((was, since)) if was == is => since,
            _ => {
                *last = Some((is, now));
                now
            }
        }
    }
}

/// When somebody looked last.
#[derive(Debug, Default)]
pub(super) struct Looks {
    last: Mutex<Option<Instant>>,
    again: Notify,
}

impl Looks {
    /// Somebody looks; the first one for a while is not kept waiting.
    pub(super) fn here(&self) {
        if !recent(self.last.lock().unwrap_or_else(PoisonError::into_inner).replace(Instant::now())) {
            self.again.notify_one();
        }
    }

    /// Waits until it is time to look again.
    async fn rest(&self) {
        let last = *self.last.lock().unwrap_or_else(PoisonError::into_inner);
        let pause = if recent(last) { GLANCE } else { UNSEEN };
        tokio::select! { () = tokio::time::sleep(pause) => {}, () = self.again.notified() => {} }
    }
}

fn recent(look: Option<Instant>) -> bool {
    look.is_some_and(|at| at.elapsed() < ATTENTION)
}

impl Live {
    /// Starts everything that is kept current.
    pub(super) fn watch(self: &Arc<Self>) {
        self.spawn("page", Self::follow);
        self.spawn("page history", Self::remember);
        self.spawn("page nodes", Self::glance);
        if !self.platform.stands {
            self.spawn("page leaders", Self::look_for_leaders);
        }
    }

    fn spawn<F: Future<Output = ()> + Send + 'static>(self: &Arc<Self>, name: &str, work: fn(Arc<Self>) -> F) {
        let live = Arc::clone(self);
        self.platform.runtime.spawn(name, move || {
            let live = Arc::clone(&live);
            async move {
                let runtime = live.platform.runtime.clone();
                tokio::select! { () = runtime.stopping() => {}, () = work(live) => {} }
            }
        });
    }

    /// Passes on what is recorded, here or by others.
    async fn follow(self: Arc<Self>) {
        let recorder = &self.platform.recorder;
        let mut taken = recorder.seq();
        let mut changes = recorder.subscribe();
        loop {
            match changes.recv().await {
                // It came among those that were missed.
                Ok(change) if change.seq() <= taken => continue,
                Ok(change) if change.seq() == taken + 1 => {
                    taken += 1;
                    self.take(change);
                    continue;
                }
                Ok(_) | Err(RecvError::Lagged(_)) => {}
                Err(RecvError::Closed) => return,
            }
            if let Some(missed) = recorder.since(taken) {
                taken = missed.last().map_or(taken, Recorded::seq);
                missed.into_iter().for_each(|change| self.take(change));
            } else {
                tracing::warn!("the page fell behind the recorder and reads again");
                taken = recorder.seq();
                self.log.reset();
                self.missed.notify_one();
            }
        }
    }

    fn take(&self, change: Recorded) {
        let now = self.now();
        let change = match change {
            Recorded::Recorded { decision, .. } => {
                self.tally().decision(&decision);
                Change::Decision(decision)
            }
            Recorded::Outcome { id, outcome, steps, .. } => {
                self.tally().outcome(id, outcome, now);
                Change::Outcome(OutcomeChange { id, outcome, steps: steps.to_vec() })
            }
            Recorded::Effect { id, effect, .. } => {
                Change::Effect(EffectChange { id, effect: Arc::unwrap_or_clone(effect) })
            }
        };
        self.log.push(change);
    }

    /// Counts what the store has of the last hour: at the start, and whenever something was missed.
    async fn remember(self: Arc<Self>) {
        loop {
            self.read_last_hour().await;
            self.missed.notified().await;
        }
    }

    /// It rests twice as long as it reads: a busy hour has a million decisions, and whoever writes more comes first.
    async fn read_last_hour(&self) {
        let since = Some(Timestamp(self.now().0.saturating_sub(WINDOW.0)));
        let mut filter = Filter { since, limit: MAX_PAGE, ..Filter::default() };
        loop {
            let begun = Instant::now();
            let answer = self.platform.recorder.decisions(&filter).await;
            for decision in &answer.value.decisions {
                self.tally().decision(decision);
            }
            if answer.partial.is_some() {
                tokio::time::sleep(AGAIN).await;
                continue;
            }
            match answer.value.next {
                Some(next) => filter.before = Some(next),
                None => return,
            }
            tokio::time::sleep(begun.elapsed() * 2).await;
        }
    }

    /// Keeps the nodes and the queue current: the scheduler is asked, the page only reads.
    async fn glance(self: Arc<Self>) {
        let spot = self.platform.runtime.cache().extract(cells::is_spot);
        loop {
            let nodes = self.put(Feature::Scheduling, "nodes", json!({})).await;
            let queue = self.put(Feature::Scheduling, "queue", json!({})).await;
            let known = nodes.is_ok() && queue.is_ok();
            match nodes.map(cells::read) {
                Ok(Ok(cells)) => {
                    let used = self.platform.runtime.facts().read::<NodeUse>().map(|known| known.value);
                    self.cells.take(cells, &spot, &used.unwrap_or_default(), self.now());
                }
                Ok(Err(error)) => tracing::warn!("the scheduler's nodes cannot be read: {error}"),
                Err(error) => tracing::debug!("no nodes now: {error}"),
            }
            match queue.map(serde_json::from_value) {
                Ok(Ok(queue)) => *self.queue() = queue,
                Ok(Err(error)) => tracing::warn!("the scheduler's queue cannot be read: {error}"),
                Err(error) => tracing::debug!("no queue now: {error}"),
            }
            if known {
                self.looks.rest().await;
            } else {
                tokio::time::sleep(GLANCE).await;
            }
        }
    }

    /// Reads from the controllers' Leases which features are led, and with which fence.
    async fn look_for_leaders(self: Arc<Self>) {
        let leases: Api<Lease> = Api::namespaced(self.client.clone(), &self.about.namespace);
        loop {
            for feature in Feature::ALL {
                match leases.get_opt(&names::lease(feature)).await {
                    Ok(lease) => {
                        let spec = lease.and_then(|lease| lease.spec).unwrap_or_default();
                        let fence = u64::try_from(spec.lease_transitions.unwrap_or_default()).unwrap_or_default();
                        let held = spec.holder_identity.is_some_and(|holder| !holder.is_empty());
                        let mut leaders = self.leaders();
                        leaders.remove(&feature);
                        leaders.extend(held.then_some((feature, fence)));
                    }
                    Err(error) => tracing::debug!("who leads {feature} cannot be read: {error}"),
                }
            }
            tokio::time::sleep(LEADERS).await;
        }
    }

    pub(super) fn tally(&self) -> MutexGuard<'_, Tally> {
        self.tally.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn queue(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn leaders(&self) -> MutexGuard<'_, BTreeMap<Feature, u64>> {
        self.leaders.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn where_nobody_looks_it_rests_and_who_comes_is_not_kept_waiting() {
        let looks = Looks::default();
        let rested = async || {
            let began = Instant::now();
            looks.rest().await;
            began.elapsed()
        };
        assert_eq!(rested().await, UNSEEN);
        looks.here();
        assert_eq!((rested().await, rested().await), (Duration::ZERO, GLANCE));
        tokio::time::advance(ATTENTION).await;
        assert_eq!(rested().await, UNSEEN);
        looks.here();
        looks.here();
        assert_eq!((rested().await, rested().await), (Duration::ZERO, GLANCE), "one that stays wakes nobody");
    }

    #[test]
    fn a_connection_is_as_it_is_since_it_last_changed() {
        let turn = Turn::default();
        let since = |is, at| turn.since(is, Timestamp(at)).0;
        assert_eq!(
            [since(true, 1), since(true, 5), since(false, 7), since(false, 9), since(true, 11)],
            [1, 1, 7, 7, 11]
        );
    }
}
