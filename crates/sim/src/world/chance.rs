//! Chance that does not depend on the order of questions.
//!
//! Every draw is a hash of the seed, a purpose and a key. The delay of one pod is the same whether or not another pod
//! was asked first, so a small change of a scenario changes little of its run.

use keelson_core::Span;

/// The chance of one run.
#[derive(Debug, Clone, Copy)]
pub struct Chance(u64);

impl Chance {
    /// The chance that belongs to a seed.
    #[must_use]
    pub const fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// 64 even bits for a purpose and a key.
    #[must_use]
    pub fn draw(&self, purpose: &str, key: &str) -> u64 {
        let bytes = purpose.bytes().chain([0]).chain(key.bytes());
        // FNV-1a, then the finaliser of splitmix64, which spreads the last bytes over the whole word.
        let hash = bytes.fold(0xcbf2_9ce4_8422_2325 ^ self.0, |hash, byte| {
            (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3)
        });
        mix(hash.wrapping_add(self.0.wrapping_mul(0x9e37_79b9_7f4a_7c15)))
    }

    /// A number below `end`; zero when `end` is zero.
    #[must_use]
    pub fn below(&self, purpose: &str, key: &str, end: u64) -> u64 {
        self.draw(purpose, key).checked_rem(end).unwrap_or(0)
    }

    /// A time from `shortest` up to, but not including, `longest`.
    #[must_use]
    pub fn span(&self, purpose: &str, key: &str, shortest: Span, longest: Span) -> Span {
        let width = u64::try_from(longest.0.saturating_sub(shortest.0)).unwrap_or(0);
        Span(shortest.0.saturating_add(i64::try_from(self.below(purpose, key, width)).unwrap_or(0)))
    }
}

const fn mix(mut z: u64) -> u64 {
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::indexing_slicing)]
    use super::*;

    #[test]
    fn a_seed_repeats_and_another_differs() {
        assert_eq!(Chance::new(1).draw("pull", "a"), Chance::new(1).draw("pull", "a"));
        assert_ne!(Chance::new(1).draw("pull", "a"), Chance::new(2).draw("pull", "a"));
        assert_ne!(Chance::new(1).draw("pull", "a"), Chance::new(1).draw("stop", "a"));
    }

    #[test]
    fn draws_are_even_enough() {
        let mut counts = [0_u32; 10];
        for n in 0..10_000 {
            counts[usize::try_from(Chance::new(7).below("even", &n.to_string(), 10)).unwrap()] += 1;
        }
        assert!(counts.iter().all(|count| (850..1_150).contains(count)), "{counts:?}");
    }
}
