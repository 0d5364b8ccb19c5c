//! Chance, from a seed.
//!
//! Ids and jitter are drawn here, so that a run is a pure function of its seed. Never the thread's own generator.
//!
//! Promise: ids go on growing while the clock goes back (RFC 9562, 6.2): a decision is never listed before one that it
//! followed, and a repeat is never taken for one that was counted.

use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use keelson_core::{IdSource, Span, Timestamp};
use rand::rngs::StdRng;
use rand::{Rng, RngCore, SeedableRng};
use sha2::{Digest, Sha256};

/// A generator that clones share.
#[derive(Debug, Clone)]
pub struct Chance {
    seed: u64,
    rng: Arc<Mutex<StdRng>>,
    /// The latest moment that an id was made of, in microseconds.
    latest: Arc<AtomicI64>,
}

impl Chance {
    /// The same seed gives the same draws.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        let rng = Arc::new(Mutex::new(StdRng::seed_from_u64(seed)));
        Self { seed, rng, latest: Arc::new(AtomicI64::new(i64::MIN)) }
    }

    /// A generator of its own for one task, from the same seed: what it draws does not depend on who else draws when.
    #[must_use]
    pub fn fork(&self, name: &str) -> Self {
        let hash = Sha256::new().chain_update(self.seed.to_le_bytes()).chain_update(name).finalize();
        let seed = hash.iter().take(8).fold(0, |seed: u64, byte| seed << 8 | u64::from(*byte));
        Self::new(seed)
    }

    /// A span between half of `span` and `span`: waits that began together end apart.
    #[must_use]
    pub fn jitter(&self, span: Span) -> Span {
        let most = span.0.max(0);
        Span(self.with(|rng| rng.random_range(most / 2..=most)))
    }

    fn with<T>(&self, draw: impl FnOnce(&mut StdRng) -> T) -> T {
        draw(&mut self.rng.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl IdSource for Chance {
    fn random(&self) -> [u8; 16] {
        let mut bytes = [0; 16];
        self.with(|rng| rng.fill_bytes(&mut bytes));
        bytes
    }

    fn moment(&self, now: Timestamp) -> Timestamp {
        now.max(Timestamp(self.latest.fetch_max(now.0, Ordering::Relaxed)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_seed_gives_the_same_ids() {
        assert_eq!(Chance::new(7).random(), Chance::new(7).random());
        assert_ne!(Chance::new(7).random(), Chance::new(8).random());
    }

    #[test]
    fn ids_go_on_growing_while_the_clock_goes_back() {
        let (chance, at) = (Chance::new(7), |second: i64| Timestamp(second * 1_000_000));
        let before = chance.decision_id(at(5_000));
        let back = chance.clone().decision_id(at(1_400));
        // Within a millisecond chance orders them.
        let millis = |id: keelson_core::DecisionId| id.0.as_u128() >> 80;
        assert_eq!(millis(back), millis(before));
        assert!(chance.decision_id(at(5_001)) > before.max(back));
        assert_eq!(Chance::new(7).decision_id(at(5_000)), before, "the same seed and time give the same id");
    }

    #[test]
    fn a_fork_draws_its_own_whoever_else_draws() {
        let (one, other) = (Chance::new(7), Chance::new(7));
        other.random();
        assert_eq!(one.fork("a").random(), other.fork("a").random());
        assert_ne!(one.fork("a").random(), one.fork("b").random());
    }

    #[test]
    fn jitter_stays_between_half_and_whole() {
        let chance = Chance::new(1);
        for _ in 0..1_000 {
            let drawn = chance.jitter(Span::seconds(2));
            assert!((Span::seconds(1)..=Span::seconds(2)).contains(&drawn), "{drawn}");
        }
    }
}
