//! Which key is reconciled next.
//!
//! Keys wait until they are ready, then leave by priority; within a priority, namespaces (or whatever the caller calls
//! a *flow*) take turns, and within a flow the first come leaves first. A key is held once: adding it again keeps the
//! higher priority and the earlier moment. A key that is being worked on is never handed out a second time; what is
//! added meanwhile waits for [`Queue::done`].
//!
//! Promises: one urgent key overtakes any number of low ones; one noisy namespace delays another by at most one key;
//! nothing added is lost. Every call is `O(log n)`.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet, VecDeque};

use keelson_core::Timestamp;

/// The initial list and unchanged resyncs.
pub const LOW: i32 = -100;
/// What people and other controllers change.
pub const NORMAL: i32 = 0;
/// Node pressure, evictions, interruptions.
pub const URGENT: i32 = 100;

/// A wish to reconcile a key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wish {
    /// Higher leaves first; see [`LOW`], [`NORMAL`], [`URGENT`].
    pub priority: i32,
    /// Not before this moment.
    pub ready_at: Timestamp,
    /// Who takes turns; usually the namespace.
    pub flow: String,
}

impl Wish {
    /// The wish that asks for as much as both: the higher priority, the earlier moment.
    fn merged(self, other: Self) -> Self {
        Self { priority: self.priority.max(other.priority), ready_at: self.ready_at.min(other.ready_at), ..self }
    }
}

/// The queue. `K` is small and cheap to clone: a namespace and a name.
#[derive(Debug)]
pub struct Queue<K> {
    held: BTreeMap<K, Held>,
    waiting: BTreeSet<(Timestamp, u64, K)>,
    ready: BTreeMap<Reverse<i32>, Level<K>>,
    in_flight: BTreeMap<K, Option<Wish>>,
    next: u64,
}

#[derive(Debug)]
struct Held {
    wish: Wish,
    turn: u64,
    ready: bool,
}

/// The ready keys of one priority.
#[derive(Debug)]
struct Level<K> {
    flows: BTreeMap<String, BTreeMap<u64, K>>,
    turns: VecDeque<String>,
}

impl<K> Default for Queue<K> {
    fn default() -> Self {
        Self {
            held: BTreeMap::new(),
            waiting: BTreeSet::new(),
            ready: BTreeMap::new(),
            in_flight: BTreeMap::new(),
            next: 0,
        }
    }
}

impl<K> Default for Level<K> {
    fn default() -> Self {
        Self { flows: BTreeMap::new(), turns: VecDeque::new() }
    }
}

impl<K: Ord + Clone> Queue<K> {
    /// Asks for the key to be reconciled.
    pub fn add(&mut self, key: K, wish: Wish) {
        if let Some(later) = self.in_flight.get_mut(&key) {
            *later = Some(match later.take() {
                Some(before) => before.merged(wish),
                None => wish,
            });
            return;
        }
        let Some(held) = self.held.get(&key) else { return self.insert(key, wish) };
        let merged = held.wish.clone().merged(wish);
        let sooner = !held.ready && merged.ready_at < held.wish.ready_at;
        if sooner || merged.priority > held.wish.priority {
            self.remove(&key);
            self.insert(key, merged);
        }
    }

    /// The next key to work on, if one is ready at `now`. The caller owes a [`Queue::done`].
    pub fn pop(&mut self, now: Timestamp) -> Option<K> {
        self.ripen(now);
        let mut level = self.ready.first_entry()?;
        let key = level.get_mut().pop()?;
        if level.get().flows.is_empty() {
            level.remove();
        }
        self.held.remove(&key);
        self.in_flight.insert(key.clone(), None);
        Some(key)
    }

    /// The work on a key ended; what was added meanwhile takes its place in the queue.
    pub fn done(&mut self, key: &K) {
        if let Some(Some(wish)) = self.in_flight.remove(key) {
            self.insert(key.clone(), wish);
        }
    }

    /// When [`Queue::pop`] is worth calling again, if nothing is ready now.
    #[must_use]
    pub fn next_ready(&self) -> Option<Timestamp> {
        self.waiting.first().map(|(at, _, _)| *at)
    }

    /// How many keys are held, waiting or ready; those in flight are not counted.
    #[must_use]
    pub fn len(&self) -> usize {
        self.held.len()
    }

    /// How many keys are held at each priority. `O(n)`: for metrics.
    #[must_use]
    pub fn depths(&self) -> BTreeMap<i32, usize> {
        let mut depths = BTreeMap::new();
        for held in self.held.values() {
            *depths.entry(held.wish.priority).or_default() += 1;
        }
        depths
    }

    /// Whether no key is held.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.held.is_empty()
    }

    fn insert(&mut self, key: K, wish: Wish) {
        let turn = self.next;
        self.next += 1;
        self.waiting.insert((wish.ready_at, turn, key.clone()));
        self.held.insert(key, Held { wish, turn, ready: false });
    }

    fn remove(&mut self, key: &K) {
        let Some(held) = self.held.remove(key) else { return };
        if !held.ready {
            self.waiting.remove(&(held.wish.ready_at, held.turn, key.clone()));
        } else if let Some(level) = self.ready.get_mut(&Reverse(held.wish.priority)) {
            level.remove(&held.wish.flow, held.turn);
            if level.flows.is_empty() {
                self.ready.remove(&Reverse(held.wish.priority));
            }
        }
    }

    /// Moves what became ready by `now` to its level.
    fn ripen(&mut self, now: Timestamp) {
        while self.waiting.first().is_some_and(|(at, _, _)| *at <= now) {
            let Some((_, turn, key)) = self.waiting.pop_first() else { return };
            let Some(held) = self.held.get_mut(&key) else { continue };
            held.ready = true;
            self.ready.entry(Reverse(held.wish.priority)).or_default().push(&held.wish.flow, turn, key);
        }
    }
}

impl<K> Level<K> {
    fn push(&mut self, flow: &str, turn: u64, key: K) {
        if !self.flows.contains_key(flow) {
            self.turns.push_back(flow.to_owned());
        }
        self.flows.entry(flow.to_owned()).or_default().insert(turn, key);
    }

    /// The first key of the flow whose turn it is; the flow then waits behind the others.
    fn pop(&mut self) -> Option<K> {
        let flow = self.turns.pop_front()?;
        let keys = self.flows.get_mut(&flow)?;
        let (_, key) = keys.pop_first()?;
        if keys.is_empty() {
            self.flows.remove(&flow);
        } else {
            self.turns.push_back(flow);
        }
        Some(key)
    }

    fn remove(&mut self, flow: &str, turn: u64) {
        let Some(keys) = self.flows.get_mut(flow) else { return };
        keys.remove(&turn);
        if keys.is_empty() {
            self.flows.remove(flow);
            self.turns.retain(|other| other != flow);
        }
    }
}
