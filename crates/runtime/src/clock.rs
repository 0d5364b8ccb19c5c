//! The time that everything in a process is given.
//!
//! In production it is the wall clock, read here and nowhere else. In a simulation it follows tokio's clock from a given
//! moment, and a speed above one lets a person watch an evening in minutes.
//!
//! Promises: a clock that was started never runs backwards; a sleep never wakes early; two clocks made alike tell the
//! same time.

use keelson_core::{Span, Timestamp};
use tokio::time::{Duration, Instant};

/// The longest single sleep on the wall clock: a clock that is set while we sleep is noticed after this long.
const GLANCE: Duration = Duration::from_secs(60);

/// Where the time comes from.
#[derive(Debug, Clone, Copy)]
pub struct Clock {
    source: Source,
    offset: Span,
}

#[derive(Debug, Clone, Copy)]
enum Source {
    System,
    Started { base: Timestamp, start: Instant, speed: u32 },
}

impl Clock {
    /// A clock that shows `base` now and runs `speed` times as fast as tokio's (at least 1): at speed 60 a sleep of a
    /// minute takes a second.
    #[must_use]
    pub fn start(base: Timestamp, speed: u32) -> Self {
        Self { source: Source::Started { base, start: Instant::now(), speed: speed.max(1) }, offset: Span::ZERO }
    }

    /// The machine's wall clock.
    #[must_use]
    pub const fn system() -> Self {
        Self { source: Source::System, offset: Span::ZERO }
    }

    /// The same clock, ahead by `offset` (behind when negative): a machine whose clock is wrong.
    #[must_use]
    pub const fn with_offset(self, offset: Span) -> Self {
        Self { source: self.source, offset: Span(self.offset.0.saturating_add(offset.0)) }
    }

    /// The moment it shows.
    #[must_use]
    pub fn now(&self) -> Timestamp {
        let shown = match self.source {
            Source::System => wall(),
            Source::Started { base, start, speed } => {
                let passed = i64::try_from(start.elapsed().as_micros()).unwrap_or(i64::MAX);
                base + Span(passed.saturating_mul(i64::from(speed)))
            }
        };
        shown + self.offset
    }

    /// Waits for `span` of its time.
    pub async fn sleep(&self, span: Span) {
        self.sleep_until(self.now() + span).await;
    }

    /// Waits until it shows `when`; at once when that has passed.
    pub async fn sleep_until(&self, when: Timestamp) {
        loop {
            let left = when.since(self.now());
            if left == Span::ZERO {
                return;
            }
            let wait = match self.source {
                Source::System => left.to_std().min(GLANCE),
                Source::Started { .. } => self.to_process(left),
            };
            tokio::time::sleep(wait).await;
        }
    }

    /// How long `span` of its time takes in the process, rounded up.
    #[must_use]
    pub fn to_process(&self, span: Span) -> Duration {
        let speed = match self.source {
            Source::System => 1,
            Source::Started { speed, .. } => i64::from(speed),
        };
        let micros = span.0 / speed + i64::from(span.0 % speed != 0);
        Span(micros).to_std()
    }
}

#[expect(clippy::disallowed_methods, reason = "the one place that owns the wall clock")]
fn wall() -> Timestamp {
    let since_epoch = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
    Timestamp(i64::try_from(since_epoch.as_micros()).unwrap_or(i64::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn at_sixty_times_a_minute_takes_a_second() {
        let (clock, before) = (Clock::start(Timestamp(0), 60), Instant::now());
        clock.sleep(Span::seconds(60)).await;
        assert_eq!((before.elapsed(), clock.now()), (Duration::from_secs(1), Timestamp(60_000_000)));
    }

    #[tokio::test(start_paused = true)]
    async fn a_sleep_never_wakes_early() {
        let clock = Clock::start(Timestamp(5), 7);
        let micros = [0, 1, 7, 8].map(|span| clock.to_process(Span(span)).as_micros());
        assert_eq!(micros, [0, 1, 1, 2], "rounded up");
        clock.sleep_until(Timestamp(105)).await;
        assert!(clock.now() >= Timestamp(105), "{:?}", clock.now());
    }

    #[tokio::test(start_paused = true)]
    async fn a_wrong_clock_is_wrong_by_its_offset() {
        let clock = Clock::start(Timestamp(0), 1);
        assert_eq!(clock.with_offset(Span::hours(-1)).now() - clock.now(), Span::hours(-1));
    }

    #[test]
    fn the_wall_clock_is_of_this_century() {
        assert!(Clock::system().now() > Timestamp::parse("2020-01-01T00:00:00Z").unwrap_or_default());
    }
}
