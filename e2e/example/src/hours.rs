//! Step 2: when it is night.
//!
//! A feature of the product reads its settings from its block in the Platform; they are part of every snapshot, so that a
//! decision can be made again under others.

use keelson_core::{Span, Timestamp};
use serde::{Deserialize, Serialize};

/// Seconds of a day.
const DAY: i64 = 86_400;

/// Night is from `dusk` until `dawn`, both whole hours of UTC from 0 to 23.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hours {
    /// The hour at which night falls.
    pub dusk: u8,
    /// The hour at which it ends.
    pub dawn: u8,
}

impl Default for Hours {
    fn default() -> Self {
        Self { dusk: 22, dawn: 6 }
    }
}

impl Hours {
    /// Whether it is night.
    ///
    /// ```
    /// use keelson_core::Timestamp;
    /// use keelson_example::hours::Hours;
    /// let at = |time: &str| Timestamp::parse(&format!("2026-11-23T{time}Z")).unwrap();
    /// let hours = Hours { dusk: 22, dawn: 6 };
    /// assert!(hours.is_night(at("05:59:59")) && !hours.is_night(at("06:00:00")) && hours.is_night(at("22:00:00")));
    /// ```
    #[must_use]
    pub fn is_night(self, now: Timestamp) -> bool {
        let hour = now.as_seconds().rem_euclid(DAY) / 3_600;
        let (dusk, dawn) = (i64::from(self.dusk), i64::from(self.dawn));
        if dusk <= dawn { (dusk..dawn).contains(&hour) } else { hour >= dusk || hour < dawn }
    }

    /// The next moment at which it becomes night, or day: always later than `now`.
    #[must_use]
    pub fn next_turn(self, now: Timestamp) -> Timestamp {
        let hour = if self.is_night(now) { self.dawn } else { self.dusk };
        let midnight = now.as_seconds().div_euclid(DAY) * DAY;
        let today = Timestamp(0) + Span::seconds(midnight + i64::from(hour) * 3_600);
        if today > now { today } else { today + Span::seconds(DAY) }
    }
}
