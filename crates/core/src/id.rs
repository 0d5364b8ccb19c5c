//! Identifiers that sort by time.
//!
//! UUID version 7 (RFC 9562): 48 bits of milliseconds, then random bits. The clock and the randomness are handed in, so
//! that a simulated day gives the same ids for the same seed.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::Timestamp;

/// Identifies one decision; sorts by the moment it was made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct DecisionId(pub Uuid);

/// Identifies the plan that decisions made together share.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct PlanId(pub Uuid);

impl DecisionId {
    /// A stand-in for the `n`th decision of a plan, as a decider makes it that has no clock and no chance: whoever carries
    /// the plan out gives the decision its id.
    #[must_use]
    pub const fn nth(n: u128) -> Self {
        Self(Uuid::from_u128(n))
    }

    /// The id of a second decision that is made with this one: another one of the same moment, the same every time.
    #[must_use]
    pub const fn beside(self) -> Self {
        Self(Uuid::from_u128(self.0.as_u128() ^ 1))
    }
}

impl PlanId {
    /// A stand-in, as [`DecisionId::nth`].
    pub const UNNAMED: Self = Self(Uuid::nil());
}

/// Where fresh ids come from: a moment and 74 random bits, both given by the caller's world.
pub trait IdSource: Send + Sync {
    /// Sixteen random bytes; ten are used.
    fn random(&self) -> [u8; 16];

    /// The moment that an id made at `now` carries; later where a clock went back and ids must go on growing.
    fn moment(&self, now: Timestamp) -> Timestamp {
        now
    }

    /// A fresh decision id for a decision made at `now`.
    fn decision_id(&self, now: Timestamp) -> DecisionId {
        DecisionId(uuid_v7(self.moment(now), self.random()))
    }

    /// A fresh plan id for a plan made at `now`.
    fn plan_id(&self, now: Timestamp) -> PlanId {
        PlanId(uuid_v7(self.moment(now), self.random()))
    }
}

fn uuid_v7(now: Timestamp, random: [u8; 16]) -> Uuid {
    let millis = now.0.div_euclid(1_000).unsigned_abs();
    let [.., a, b, c, d, e, f, g, h, i, j] = random;
    uuid::Builder::from_unix_timestamp_millis(millis, &[a, b, c, d, e, f, g, h, i, j]).into_uuid()
}

macro_rules! text_form {
    ($($id:ident),*) => {$(
        impl fmt::Display for $id {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }
        impl FromStr for $id {
            type Err = uuid::Error;
            fn from_str(text: &str) -> Result<Self, uuid::Error> {
                Uuid::from_str(text).map(Self)
            }
        }
    )*};
}
text_form!(DecisionId, PlanId);

#[cfg(test)]
mod tests {
    use super::*;

    struct Fixed(u8);
    impl IdSource for Fixed {
        fn random(&self) -> [u8; 16] {
            [self.0; 16]
        }
    }

    #[test]
    fn ids_sort_by_time_before_chance() {
        let earlier = Fixed(255).decision_id(Timestamp(1_000_000));
        let later = Fixed(0).decision_id(Timestamp(1_001_000));
        assert!(earlier < later);
        assert_eq!(later.0.get_version_num(), 7);
    }
}
