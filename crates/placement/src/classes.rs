//! The same choice, kept up to date instead of made anew.
//!
//! Pods of one Deployment ask the same of every node, and between two of them few nodes change. So for each class of like
//! pods every node's checks and scores are kept, sorted by score; a choice looks again only at the nodes that changed, and
//! reads the best. Raw numbers that are normalised over the feasible nodes are kept as groups, because their highest may
//! change with any node.
//!
//! Promises: the answer is the one of [`crate::choose()`] for the same nodes, always; memory is bounded by
//! [`CLASSES`] · nodes.

use std::cmp::Reverse;
use std::collections::{BTreeMap, HashMap};

use keelson_core::Candidate;

use crate::choose::{Choice, draw, hash};
use crate::explain::{SHOWN_FEASIBLE, leader};
use crate::filter::fits;
use crate::node::Node;
use crate::pod::Pod;
use crate::score::{self, Raw, Scores};

/// How many classes are kept; the one that was not asked for longest is dropped. At 5,000 nodes a class takes 0.3 MB.
pub const CLASSES: usize = 256;

/// Nodes in numbered slots, and which of them changed.
pub trait Nodes {
    /// How many slots there are.
    fn slots(&self) -> usize;
    /// The node in a slot; `None` for an empty one.
    fn node(&self, slot: usize) -> Option<&Node>;
    /// How many of the slots are empty.
    fn empty_slots(&self) -> usize;
    /// The number of changes so far.
    fn changes(&self) -> u64;
    /// The slots that changed since [`Self::changes`] was `before`; `None` when that cannot be told any more.
    fn changed_since(&self, before: u64) -> Option<impl Iterator<Item = usize>>;
}

/// The classes of like pods, and what is known for each.
#[derive(Debug, Clone, Default)]
pub struct Classes {
    known: HashMap<u64, Class>,
    asked: u64,
}

/// One class.
#[derive(Debug, Clone)]
struct Class {
    like: Pod,
    asked: u64,
    changes: u64,
    entries: Vec<Option<Entry>>,
    groups: BTreeMap<Raw, Group>,
    feasible: usize,
}

/// A feasible node: where it is kept.
#[derive(Debug, Clone, Copy)]
struct Entry {
    raw: Raw,
    base: usize,
    place: usize,
}

/// The feasible nodes of equal raw numbers, by the scores that depend on the node alone.
#[derive(Debug, Clone, Default)]
struct Group {
    by_base: BTreeMap<usize, Vec<Slot>>,
}

/// A node in its group: its slot and the hash of its name.
type Slot = (usize, u64);

/// A choice and the nodes that came next.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Known {
    /// The choice; its node is a slot.
    pub choice: Choice,
    /// The best few, as [`crate::explain::leaders`] shows them.
    pub leaders: Vec<Candidate>,
}

impl Classes {
    /// Whether a pod like this was asked about lately, so that the next answer is cheap.
    #[must_use]
    pub fn knows(&self, pod: &Pod) -> bool {
        self.known.get(&pod.likeness()).is_some_and(|class| class.like.is_like(pod))
    }

    /// The choice for `pod`, with the nodes that came next. The pod must not be on a node. For a class that is known:
    /// `O(changed nodes + nodes of the best score)`.
    pub fn choose(&mut self, pod: &Pod, nodes: &impl Nodes, seed: u64) -> Known {
        self.asked += 1;
        let key = pod.likeness();
        if !self.knows(pod) {
            if self.known.len() >= CLASSES
                && let Some(oldest) = self.known.iter().min_by_key(|(_, class)| class.asked).map(|(key, _)| *key)
            {
                self.known.remove(&oldest);
            }
            self.known.insert(key, Class::new(pod));
        }
        let class = self.known.entry(key).or_insert_with(|| Class::new(pod));
        class.asked = self.asked;
        class.catch_up(nodes);
        class.choose(nodes, seed)
    }
}

impl Class {
    fn new(pod: &Pod) -> Self {
        // No count of changes is that high, so the first look is at every node.
        let (changes, entries, groups) = (u64::MAX, Vec::new(), BTreeMap::new());
        Self { like: pod.clone(), asked: 0, changes, entries, groups, feasible: 0 }
    }

    fn catch_up(&mut self, nodes: &impl Nodes) {
        let changes = nodes.changes();
        let changed = if self.changes <= changes { nodes.changed_since(self.changes) } else { None };
        match changed {
            Some(changed) => {
                self.entries.resize(nodes.slots(), None);
                changed.for_each(|slot| self.look(nodes, slot));
            }
            None => {
                self.entries = vec![None; nodes.slots()];
                self.groups.clear();
                self.feasible = 0;
                (0..nodes.slots()).for_each(|slot| self.look(nodes, slot));
            }
        }
        self.changes = changes;
    }

    /// Looks at one node again.
    fn look(&mut self, nodes: &impl Nodes, slot: usize) {
        self.drop_entry(slot);
        let Some(node) = nodes.node(slot).filter(|node| fits(&self.like, node)) else {
            return;
        };
        let raw = score::raw(&self.like, node);
        // Without what is normalised: 0 to 200.
        let alone = Scores {
            least_allocated: score::least_allocated(&self.like, node),
            balanced: score::balanced(&self.like, node),
            ..Scores::default()
        };
        let base = usize::try_from(alone.total()).unwrap_or_default();
        let bucket = self.groups.entry(raw).or_default().by_base.entry(base).or_default();
        if let Some(entry) = self.entries.get_mut(slot) {
            *entry = Some(Entry { raw, base, place: bucket.len() });
            bucket.push((slot, hash(&node.name)));
            self.feasible += 1;
        }
    }

    fn drop_entry(&mut self, slot: usize) {
        let Some(Entry { raw, base, place }) = self.entries.get_mut(slot).and_then(Option::take) else {
            return;
        };
        self.feasible -= 1;
        let Some(group) = self.groups.get_mut(&raw) else { return };
        if let Some(bucket) = group.by_base.get_mut(&base) {
            bucket.swap_remove(place);
            if let Some((moved, _)) = bucket.get(place)
                && let Some(Some(entry)) = self.entries.get_mut(*moved)
            {
                entry.place = place;
            }
            if bucket.is_empty() {
                group.by_base.remove(&base);
            }
        }
        if group.by_base.is_empty() {
            self.groups.remove(&raw);
        }
    }

    fn choose(&self, nodes: &impl Nodes, seed: u64) -> Known {
        let most = Raw {
            disliked: self.groups.keys().map(|raw| raw.disliked).max().unwrap_or_default(),
            preferred: self.groups.keys().map(|raw| raw.preferred).max().unwrap_or_default(),
        };
        // The best few buckets of every group hold the best few nodes.
        let mut buckets: Vec<(Reverse<i64>, Raw, &[Slot])> = Vec::new();
        for (raw, group) in &self.groups {
            let offset = score::compared(Scores::default(), *raw, most).total();
            let best = group.by_base.iter().rev().take(SHOWN_FEASIBLE);
            buckets.extend(best.map(|(base, bucket)| {
                (Reverse(offset + i64::try_from(*base).unwrap_or_default()), *raw, bucket.as_slice())
            }));
        }
        buckets.sort_by_key(|(total, ..)| *total);
        let mut leaders = Vec::with_capacity(SHOWN_FEASIBLE);
        let mut choice =
            Choice { node: None, feasible: self.feasible, nodes: nodes.slots() - nodes.empty_slots(), total: 0 };
        for equals in buckets.chunk_by(|(a, ..), (b, ..)| a == b) {
            let wanted = SHOWN_FEASIBLE - leaders.len();
            if wanted == 0 {
                break;
            }
            for (slot, raw, node) in first_drawn(equals, nodes, seed, wanted) {
                let scores = score::scores(&self.like, node, raw, most);
                if leaders.is_empty() {
                    (choice.node, choice.total) = (Some(slot), scores.total());
                }
                leaders.push(leader(&node.name, scores));
            }
        }
        Known { choice, leaders }
    }
}

/// The first `wanted` nodes by lot and name of buckets with the same total.
fn first_drawn<'a>(
    equals: &[(Reverse<i64>, Raw, &[Slot])],
    nodes: &'a impl Nodes,
    seed: u64,
    wanted: usize,
) -> Vec<(usize, Raw, &'a Node)> {
    let mut first: Vec<(u64, usize, Raw, &Node)> = Vec::with_capacity(wanted + 1);
    for (_, raw, bucket) in equals {
        for (slot, hash) in *bucket {
            let lot = draw(seed, *hash);
            if first.len() == wanted && first.last().is_some_and(|last| last.0 < lot) {
                continue;
            }
            if let Some(node) = nodes.node(*slot) {
                let at = first.partition_point(|(other, _, _, known)| (*other, &known.name) < (lot, &node.name));
                first.insert(at, (lot, *slot, *raw, node));
                first.truncate(wanted);
            }
        }
    }
    first.into_iter().map(|(_, slot, raw, node)| (slot, raw, node)).collect()
}

#[cfg(test)]
mod tests;
