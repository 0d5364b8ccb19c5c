//! How much a load varies.
//!
//! Mean and variance with exponential weights, so that no samples are kept (West's update, with a constant weight): what was
//! six samples ago counts a tenth of what is now.
//!
//! Promise: the state follows from the samples alone; one that is heard twice counts once.

use keelson_core::Timestamp;

/// What the last sample counts, in thousandths.
const WEIGHT: f64 = 0.3;

/// One direction of one interface.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Variation {
    mean: f64,
    variance: f64,
    at: Option<Timestamp>,
}

impl Variation {
    /// After one more sample; one that is not newer than the last changes nothing.
    #[must_use]
    #[allow(clippy::cast_precision_loss, reason = "a deviation needs no more than 53 bits")]
    pub fn after(self, at: Timestamp, load: i64) -> Self {
        match self.at {
            Some(last) if at <= last => self,
            None => Self { mean: load as f64, variance: 0.0, at: Some(at) },
            Some(_) => {
                let off = load as f64 - self.mean;
                let step = WEIGHT * off;
                let variance = (1.0 - WEIGHT) * (self.variance + off * step);
                Self { mean: self.mean + step, variance, at: Some(at) }
            }
        }
    }

    /// The standard deviation, in the unit of the loads.
    #[must_use]
    #[allow(clippy::cast_possible_truncation, reason = "it saturates")]
    pub fn deviation(&self) -> i64 {
        self.variance.sqrt().round() as i64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn after(loads: &[i64]) -> i64 {
        let samples = loads.iter().zip(1..);
        samples.fold(Variation::default(), |known, (load, at)| known.after(Timestamp(at), *load)).deviation()
    }

    #[test]
    fn a_steady_load_varies_not_and_a_restless_one_by_half_of_its_swing() {
        assert_eq!(after(&[500; 50]), 0);
        let swing: Vec<i64> = (0..200).map(|at| if at % 2 == 0 { 0 } else { 1_000 }).collect();
        assert!((450..=550).contains(&after(&swing)), "{}", after(&swing));
        assert!(after(&[0, 0, 0, 1_000, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]) < 100, "one burst is forgotten");
    }

    #[test]
    fn extreme_loads_stay_numbers() {
        assert!(after(&[i64::MAX, i64::MIN, i64::MAX, 0]) > 0);
        let once = Variation::default().after(Timestamp(1), 5);
        assert_eq!(once.after(Timestamp(1), 9), once);
    }
}
