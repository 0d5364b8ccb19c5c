//! The cluster's time.
//!
//! It follows tokio's clock, so a paused runtime gives virtual time, and a speed above one lets a person watch an evening
//! in minutes.
//!
//! Promises: never runs backwards; two clocks made alike tell the same time.

use keelson_core::{Span, Timestamp};
use tokio::time::{Duration, Instant};

/// Time that started at a given moment and runs at a given speed.
#[derive(Debug, Clone, Copy)]
pub struct Clock {
    base: Timestamp,
    start: Instant,
    speed: u32,
}

impl Clock {
    /// A clock that shows `base` now and runs `speed` times as fast as tokio's (at least 1). Needs a tokio runtime when
    /// time is paused.
    #[must_use]
    pub fn start(base: Timestamp, speed: u32) -> Self {
        Self { base, start: Instant::now(), speed: speed.max(1) }
    }

    /// The moment it shows.
    #[must_use]
    pub fn now(&self) -> Timestamp {
        let real = i64::try_from(self.start.elapsed().as_micros()).unwrap_or(i64::MAX);
        self.base + Span(real.saturating_mul(i64::from(self.speed)))
    }

    /// How many of its seconds pass in one of tokio's.
    #[must_use]
    pub const fn speed(&self) -> u32 {
        self.speed
    }

    /// Waits until it shows `when`; at once when that has passed. Never wakes early.
    pub async fn sleep_until(&self, when: Timestamp) {
        let speed = i64::from(self.speed);
        let wait = when.since(self.base).0;
        let real = wait / speed + i64::from(wait % speed != 0);
        tokio::time::sleep_until(self.start + Duration::from_micros(u64::try_from(real).unwrap_or(0))).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_minute_at_sixty_times_is_a_second() {
        let clock = Clock::start(Timestamp(0), 60);
        let before = Instant::now();
        clock.sleep_until(Timestamp(60_000_000)).await;
        assert_eq!(before.elapsed(), Duration::from_secs(1));
        assert_eq!(clock.now(), Timestamp(60_000_000));
    }

    #[tokio::test(start_paused = true)]
    async fn it_never_wakes_early() {
        let clock = Clock::start(Timestamp(5), 7);
        clock.sleep_until(Timestamp(105)).await;
        assert!(clock.now() >= Timestamp(105), "{:?}", clock.now());
    }
}
