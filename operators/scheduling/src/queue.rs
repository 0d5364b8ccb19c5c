//! Who is next, and who waits for what.
//!
//! A pod is active, backing off, waiting for a change that could help it, gated, or in flight (popped and not reported
//! yet). The rules are kube-scheduler's: priority before time (an AppGroup stands together, in its own order: see
//! [`Rank`]); a back-off that doubles; a pod that no node could hold
//! waits for a change that helps it, and for five minutes at most. One that is refused for what it says itself waits for a
//! change of itself alone.
//!
//! Promises: nothing is popped twice at once; a change that can help a pod is never lost, not even while the pod is in
//! flight; gated pods are never popped; the same calls give the same order; nothing here looks at every pod.

mod waits;

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use keelson_core::{Span, Timestamp};
use keelson_placement::network::{Rank, Seat};

pub use waits::Waits;

/// A pod in a queue lasts this long without a helpful change (kube-scheduler's podMaxInUnschedulablePodsDuration).
pub const LONGEST_WAIT: Span = Span::minutes(5);
/// How often that is checked.
const FLUSH_EVERY: Span = Span::seconds(30);
/// Back-offs end at whole seconds, so that pods which wait alike are ordered by priority.
const WINDOW: i64 = 1_000_000;

/// The waits of pods that were not placed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Backoff {
    /// The first.
    pub initial: Span,
    /// The longest.
    pub max: Span,
}

impl Backoff {
    /// `initial · 2^(attempts − 1)`, at most `max`.
    #[must_use]
    pub fn after(self, attempts: u32) -> Span {
        let doubled = self.initial.0.checked_shl(attempts.saturating_sub(1).min(62)).unwrap_or(i64::MAX);
        // A shift can push bits out; a doubling that came out smaller did.
        Span(if doubled < self.initial.0 { self.max.0 } else { doubled.min(self.max.0) })
    }
}

/// A pod as the queue knows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Waiting {
    /// Its uid.
    pub uid: String,
    /// Its namespace.
    pub namespace: String,
    /// Its name.
    pub name: String,
    /// Higher goes first.
    pub priority: i32,
    /// Its seat in its AppGroup, when it is of one.
    pub seat: Option<Seat>,
    /// Whether it has scheduling gates.
    pub gated: bool,
}

/// How an attempt ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Attempt {
    /// It has a node.
    Placed,
    /// No node can hold it until something of this changes.
    Unschedulable(Waits),
    /// Something failed that may succeed later.
    Failed,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    Active,
    /// Until then; after an error it is not popped early.
    BackingOff(Timestamp, Ended),
    Waiting(Waits),
    Gated,
    /// What changed meanwhile.
    InFlight(Waits),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Ended {
    Unschedulable,
    InError,
}

#[derive(Debug, Clone)]
struct Entry {
    pod: Waiting,
    place: Place,
    /// When it came to this place; the order among equals.
    since: Since,
    /// Its key among those that are tried next.
    rank: Rank,
    /// When it could be tried first, once it is in flight.
    due: Timestamp,
    unschedulable: u32,
    errors: u32,
}

/// The moment and the number of an arrival.
type Since = (Timestamp, u64);
type Order = (Rank, String);

/// The queue.
#[derive(Debug, Clone)]
pub struct Queue {
    backoff: Backoff,
    entries: HashMap<String, Entry>,
    active: BTreeSet<Order>,
    /// By group and priority: where its active pods stand, and how many there are.
    standing: BTreeMap<(Arc<str>, i32), (i64, usize)>,
    backing_off: BTreeMap<Ended, BTreeSet<(Timestamp, Order)>>,
    in_flight: BTreeSet<String>,
    /// By what they wait for, longest first.
    waiting: BTreeMap<Waits, BTreeSet<(Since, String)>>,
    arrivals: u64,
    flushed: Timestamp,
}

/// How many pods are where.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, serde::Serialize)]
pub struct Counts {
    /// Ready to be tried.
    pub active: usize,
    /// Backing off.
    pub backing_off: usize,
    /// Waiting for a change.
    pub waiting: usize,
    /// Gated.
    pub gated: usize,
    /// Popped and not reported.
    pub in_flight: usize,
}

impl Queue {
    /// An empty queue.
    #[must_use]
    pub fn new(backoff: Backoff) -> Self {
        Self {
            backoff,
            entries: HashMap::new(),
            active: BTreeSet::new(),
            standing: BTreeMap::new(),
            backing_off: BTreeMap::new(),
            in_flight: BTreeSet::new(),
            waiting: BTreeMap::new(),
            arrivals: 0,
            flushed: Timestamp::default(),
        }
    }

    /// Changes the waits of pods that back off from now on.
    pub const fn set_backoff(&mut self, backoff: Backoff) {
        self.backoff = backoff;
    }

    /// A pod that wants a node was made or changed. A change of a waiting pod may itself have helped.
    pub fn apply(&mut self, pod: Waiting, now: Timestamp) {
        let Some(entry) = self.entries.get_mut(&pod.uid) else {
            let place = if pod.gated { Place::Gated } else { Place::Active };
            let uid = pod.uid.clone();
            let since = (now, self.arrivals);
            let rank = Rank::within(pod.priority, 0, None);
            self.entries.insert(uid.clone(), Entry { pod, place, since, rank, due: now, unschedulable: 0, errors: 0 });
            return self.put(&uid, place, now);
        };
        let uid = pod.uid.clone();
        let next = match entry.place {
            Place::InFlight(seen) => Place::InFlight(seen.and(Waits::ITSELF)),
            _ if pod.gated => Place::Gated,
            Place::Gated => Place::Active,
            Place::Waiting(_) => {
                entry.pod = pod;
                return self.wake(&uid, now);
            }
            place => place,
        };
        let same = entry.place == next && entry.pod == pod;
        if !same {
            self.take(&uid);
            if let Some(entry) = self.entries.get_mut(&uid) {
                entry.pod = pod;
            }
            self.put(&uid, next, now);
        }
    }

    /// A pod is gone, or has a node.
    pub fn remove(&mut self, uid: &str) {
        self.take(uid);
        self.entries.remove(uid);
    }

    /// Something changed that some wait for: those whom it helps are tried again, after their back-off. Whoever is in flight
    /// is taken to be helped.
    pub fn changed(&mut self, what: Waits, now: Timestamp, helps: impl Fn(&str) -> bool) {
        for uid in &self.in_flight {
            if let Some(Entry { place: Place::InFlight(seen), .. }) = self.entries.get_mut(uid) {
                *seen = seen.and(what);
            }
        }
        let helped = self.waiting.iter().filter(|(waits, _)| waits.meets(what)).flat_map(|(_, pods)| pods);
        let mut helped: Vec<_> = helped.filter(|(_, uid)| helps(uid)).cloned().collect();
        // Who waited longest is tried first, whatever it waited for.
        helped.sort_unstable();
        helped.iter().for_each(|(_, uid)| self.wake(uid, now));
    }

    /// The next pod to try, now in flight. When nothing is active, one that backs off after it found no node is tried
    /// early, as kube-scheduler does since 1.33.
    pub fn pop(&mut self, now: Timestamp) -> Option<Waiting> {
        self.advance(now);
        let uid = self.active.first().or_else(|| self.early())?.1.clone();
        self.take(&uid);
        self.put(&uid, Place::InFlight(Waits::NONE), now);
        self.entries.get(&uid).map(|entry| entry.pod.clone())
    }

    /// Says how the attempt of a popped pod ended.
    pub fn report(&mut self, uid: &str, attempt: Attempt, now: Timestamp) {
        let Some(entry) = self.entries.get_mut(uid) else {
            return;
        };
        let Place::InFlight(seen) = entry.place else {
            return;
        };
        match attempt {
            Attempt::Placed => return self.remove(uid),
            Attempt::Unschedulable(_) => {
                (entry.unschedulable, entry.errors) = (entry.unschedulable.saturating_add(1), 0)
            }
            Attempt::Failed => entry.errors = entry.errors.saturating_add(1),
        }
        let gated = entry.pod.gated;
        self.take(uid);
        match attempt {
            _ if gated => self.put(uid, Place::Gated, now),
            Attempt::Unschedulable(waits) if !waits.and(Waits::ITSELF).meets(seen) => {
                self.put(uid, Place::Waiting(waits), now);
            }
            Attempt::Unschedulable(_) => self.back_off(uid, Ended::Unschedulable, now),
            _ => self.back_off(uid, Ended::InError, now),
        }
    }

    /// When [`Self::pop`] may have more to give without a call: the end of the next back-off or flush.
    #[must_use]
    pub fn due(&self) -> Option<Timestamp> {
        let backing_off = self.backing_off.values().filter_map(|pods| pods.first()).map(|(until, _)| *until);
        let flush = self.waiting.keys().any(|waits| *waits != Waits::NONE).then(|| self.flushed + FLUSH_EVERY);
        backing_off.chain(flush).min()
    }

    /// Whether a pod could be popped without waiting.
    #[must_use]
    pub fn has_active(&self) -> bool {
        !self.active.is_empty() || self.early().is_some()
    }

    /// Since when a pod that was just popped could be tried: what asked for it was seen then, or its back-off ended.
    #[must_use]
    pub fn due_since(&self, uid: &str) -> Option<Timestamp> {
        self.entries.get(uid).map(|entry| entry.due)
    }

    /// Whether this pod was popped and not reported yet.
    #[must_use]
    pub fn is_in_flight(&self, uid: &str) -> bool {
        self.in_flight.contains(uid)
    }

    /// Who waits for a change.
    #[cfg(test)]
    pub(crate) fn waiting(&self) -> impl Iterator<Item = &str> {
        self.waiting.values().flatten().map(|(_, uid)| uid.as_str())
    }

    /// How many pods are where.
    #[must_use]
    pub fn counts(&self) -> Counts {
        let (active, in_flight) = (self.active.len(), self.in_flight.len());
        let backing_off = self.backing_off.values().map(BTreeSet::len).sum();
        let waiting = self.waiting.values().map(BTreeSet::len).sum();
        Counts {
            active,
            backing_off,
            waiting,
            in_flight,
            gated: self.entries.len() - active - backing_off - waiting - in_flight,
        }
    }

    /// The pod that may be tried before its back-off is over, when there is nothing else to do.
    fn early(&self) -> Option<&Order> {
        self.backing_off.get(&Ended::Unschedulable)?.first().map(|(_, order)| order)
    }

    /// Ends back-offs that are over and waits that are too long.
    fn advance(&mut self, now: Timestamp) {
        let over = |pods: &BTreeSet<(Timestamp, Order)>| {
            pods.iter().take_while(|(until, _)| *until <= now).map(|(_, (_, uid))| uid.clone()).collect::<Vec<_>>()
        };
        for uid in self.backing_off.values().flat_map(over).collect::<Vec<_>>() {
            self.take(&uid);
            self.put(&uid, Place::Active, now);
        }
        if now.since(self.flushed) >= FLUSH_EVERY {
            self.flushed = now;
            let long = |pods: &BTreeSet<(Since, String)>| {
                pods.iter().take_while(|(since, _)| now.since(since.0) > LONGEST_WAIT).cloned().collect::<Vec<_>>()
            };
            let flushed = self.waiting.iter().filter(|(waits, _)| **waits != Waits::NONE);
            let mut long: Vec<_> = flushed.flat_map(|(_, pods)| long(pods)).collect();
            long.sort_unstable();
            long.iter().for_each(|(_, uid)| self.wake(uid, now));
        }
    }

    /// Tries a waiting pod again: at once when its back-off is over, else after it.
    fn wake(&mut self, uid: &str, now: Timestamp) {
        let Some(entry) = self.entries.get(uid) else {
            return;
        };
        let until = window(entry.since.0 + self.backoff.after(entry.unschedulable));
        self.take(uid);
        let place = if until <= now { Place::Active } else { Place::BackingOff(until, Ended::Unschedulable) };
        self.put(uid, place, now);
    }

    fn back_off(&mut self, uid: &str, ended: Ended, now: Timestamp) {
        if let Some(entry) = self.entries.get(uid) {
            let attempts = if ended == Ended::InError { entry.errors } else { entry.unschedulable };
            let until = window(now + self.backoff.after(attempts));
            self.put(uid, Place::BackingOff(until, ended), now);
        }
    }

    /// Takes a pod out of its place's list.
    fn take(&mut self, uid: &str) {
        let Some(entry) = self.entries.get(uid) else {
            return;
        };
        let order = (entry.rank.clone(), uid.to_owned());
        match entry.place {
            Place::Active => {
                if let Some(seat) = &entry.pod.seat {
                    let key = (Arc::clone(&seat.group), entry.pod.priority);
                    match self.standing.get_mut(&key) {
                        Some((_, count)) if *count > 1 => *count -= 1,
                        _ => _ = self.standing.remove(&key),
                    }
                }
                self.active.remove(&order)
            }
            Place::BackingOff(until, ended) => remove(&mut self.backing_off, ended, &(until, order)),
            Place::Waiting(waits) => remove(&mut self.waiting, waits, &(entry.since, uid.to_owned())),
            Place::InFlight(_) => self.in_flight.remove(uid),
            Place::Gated => true,
        };
    }

    fn put(&mut self, uid: &str, place: Place, now: Timestamp) {
        self.arrivals += 1;
        let Some(entry) = self.entries.get_mut(uid) else {
            return;
        };
        // One that is tried early, out of its back-off, is due now.
        entry.due = if entry.place == Place::Active { entry.since.0 } else { now };
        (entry.place, entry.since) = (place, (now, self.arrivals));
        let at = i64::try_from(self.arrivals).unwrap_or(i64::MAX);
        let member = entry.pod.seat.clone().map(|seat| {
            let key = (Arc::clone(&seat.group), entry.pod.priority);
            // A group stands where the first of its pods stood, until the last of them was tried.
            let since = match place {
                Place::Active => {
                    let standing = self.standing.entry(key).or_insert((at, 0));
                    standing.1 += 1;
                    standing.0
                }
                _ => self.standing.get(&key).map_or(at, |(since, _)| *since),
            };
            (seat, since)
        });
        entry.rank = Rank::within(entry.pod.priority, at, member);
        let order = (entry.rank.clone(), uid.to_owned());
        match place {
            Place::Active => self.active.insert(order),
            Place::BackingOff(until, ended) => self.backing_off.entry(ended).or_default().insert((until, order)),
            Place::Waiting(waits) => self.waiting.entry(waits).or_default().insert((entry.since, uid.to_owned())),
            Place::InFlight(_) => self.in_flight.insert(uid.to_owned()),
            Place::Gated => true,
        };
    }
}

fn remove<K: Ord, V: Ord>(lists: &mut BTreeMap<K, BTreeSet<V>>, key: K, value: &V) -> bool {
    let Some(list) = lists.get_mut(&key) else { return false };
    let removed = list.remove(value);
    if list.is_empty() {
        lists.remove(&key);
    }
    removed
}

/// The end of the window a moment is in: a back-off is never shorter than it says.
const fn window(at: Timestamp) -> Timestamp {
    Timestamp((at.0 + WINDOW - 1).div_euclid(WINDOW) * WINDOW)
}

#[cfg(test)]
mod tests;
