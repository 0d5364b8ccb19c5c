//! When a measured interface counts as saturated.
//!
//! One sample above a threshold is a burst, and a node that is avoided empties and would be taken again at once. So it takes
//! [`SAMPLES`] in a row to count as saturated, and a load well below to count as free again.
//!
//! Promise: the state follows from the samples alone; a sample that is heard twice counts once.

use keelson_core::Timestamp;
use serde::{Deserialize, Serialize};

/// From this share of the capacity on, in thousandths.
const HIGH: i64 = 900;
/// At or below this share it is over, in thousandths.
const LOW: i64 = 750;
/// So many samples in a row.
pub const SAMPLES: u8 = 3;

/// One direction of one interface.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Latch {
    /// How many samples in a row were high.
    high: u8,
    /// Whether it is saturated.
    pub saturated: bool,
    /// The last sample.
    at: Option<Timestamp>,
}

/// The load at which it is over.
#[must_use]
pub(super) fn low(capacity: i64) -> i64 {
    part(capacity, LOW)
}

fn part(capacity: i64, share: i64) -> i64 {
    i64::try_from(i128::from(capacity) * i128::from(share) / 1_000).unwrap_or(i64::MAX)
}

impl Latch {
    /// After one more sample. One that is not newer than the last changes nothing; a capacity that is not known saturates
    /// nothing.
    #[must_use]
    pub fn after(self, at: Timestamp, load: i64, capacity: i64) -> Self {
        if self.at.is_some_and(|last| at <= last) {
            return self;
        }
        let is_high = capacity > 0 && load >= part(capacity, HIGH);
        let high = if is_high { self.high.saturating_add(1) } else { 0 };
        let stays = self.saturated && load > low(capacity);
        Self { high, saturated: stays || high >= SAMPLES, at: Some(at) }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn after(loads: &[i64]) -> Vec<bool> {
        let mut latch = Latch::default();
        let seconds = (1_i64..).map(|second| Timestamp(second * 1_000_000));
        let step = |(load, at): (&i64, Timestamp)| {
            latch = latch.after(at, *load, 1_000);
            latch.saturated
        };
        loads.iter().zip(seconds).map(step).collect()
    }

    #[test]
    fn it_takes_three_high_samples_and_a_low_one_ends_it() {
        assert_eq!(after(&[900, 950, 899, 900, 900, 900]), [false, false, false, false, false, true]);
        assert_eq!(
            after(&[900, 900, 900, 760, 899, 751, 750, 900]),
            [false, false, true, true, true, true, false, false]
        );
    }

    #[test]
    fn a_sample_that_is_heard_twice_counts_once() {
        let at = Timestamp(1);
        let once = Latch::default().after(at, 1_000, 1_000);
        assert_eq!(once.after(at, 1_000, 1_000), once);
        assert_eq!(once.after(Timestamp(0), 0, 1_000), once, "nor does one that is older");
    }

    #[test]
    fn what_nobody_knows_the_size_of_is_not_saturated() {
        let latch = (1..9).fold(Latch::default(), |latch, at| latch.after(Timestamp(at), i64::MAX, 0));
        assert!(!latch.saturated);
    }
}
