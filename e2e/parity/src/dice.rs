//! Chance from a seed.
//!
//! Promise: the same seed throws the same numbers in the same order.

use rand::rngs::SmallRng;
use rand::seq::IndexedRandom as _;
use rand::{Rng as _, SeedableRng as _};

/// Dice.
#[derive(Debug, Clone)]
pub struct Dice(SmallRng);

impl Dice {
    /// The dice of this seed.
    #[must_use]
    pub fn of(seed: u64) -> Self {
        Self(SmallRng::seed_from_u64(seed))
    }

    /// True so many times in a hundred.
    pub fn chance(&mut self, percent: u32) -> bool {
        self.0.random_range(0..100) < percent
    }

    /// A number from `low` to `high`, both included.
    pub fn between(&mut self, low: i64, high: i64) -> i64 {
        self.0.random_range(low..=high.max(low))
    }

    /// So many times that something is done: from `low` to `high`, both included.
    pub fn times(&mut self, low: u32, high: u32) -> std::ops::Range<u32> {
        0..self.0.random_range(low..=high.max(low))
    }

    /// One of the items; the default where there are none.
    pub fn pick<T: Clone + Default>(&mut self, items: &[T]) -> T {
        items.choose(&mut self.0).cloned().unwrap_or_default()
    }

    /// One or more different items, `most` at most, in their order.
    pub fn some<T: Clone>(&mut self, items: &[T], most: i64) -> Vec<T> {
        let count = usize::try_from(self.between(1, most)).unwrap_or(1);
        let mut chosen = rand::seq::index::sample(&mut self.0, items.len(), count.min(items.len())).into_vec();
        chosen.sort_unstable();
        chosen.into_iter().filter_map(|index| items.get(index).cloned()).collect()
    }
}
