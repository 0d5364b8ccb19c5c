//! Round-trip times that netperf's component writes into a ConfigMap.
//!
//! Its keys are `netperf.p90.latency.milliseconds.origin.<node>.destination.<node>`.

use k8s_openapi::api::core::v1::ConfigMap;
use keelson_placement::network::measured::{Sample, costs};
use keelson_placement::network::{Costs, Place};
use serde::{Deserialize, Serialize};

use super::{Name, Problem, problem};

/// Which of many measurements counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default, Serialize, Deserialize)]
pub enum Percentile {
    /// Half of them are faster.
    P50,
    /// Nine in ten are faster, as upstream's controller counts.
    #[default]
    P90,
}

/// The set of costs that is measured, as upstream's controller calls it: the 90th percentile counts.
pub const MEASURED: &str = "NetperfCosts";
/// The same, of which the 50th percentile counts.
pub const MEASURED_P50: &str = "NetperfCosts.p50";

/// Whether these weights are measured and not declared.
#[must_use]
pub fn is_measured(weights: &str) -> bool {
    [MEASURED, MEASURED_P50].contains(&weights)
}

impl Percentile {
    /// Which one counts when these weights are asked for.
    #[must_use]
    pub fn of(weights: &str) -> Self {
        if weights == MEASURED_P50 { Self::P50 } else { Self::P90 }
    }
}

/// One time.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Time {
    percentile: Percentile,
    origin: String,
    destination: String,
    micros: u64,
}

/// A ConfigMap as read.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ReadMeasured {
    /// Its namespace and name.
    pub name: Name,
    times: Vec<Time>,
    /// What is off.
    pub problems: Vec<Problem>,
}

impl ReadMeasured {
    /// Whether it has any time in it.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.times.is_empty()
    }

    /// How many times it has.
    #[must_use]
    pub fn len(&self) -> usize {
        self.times.len()
    }

    /// What places cost each other by these times; `place` says where a node is.
    #[must_use]
    pub fn costs<'a>(&self, percentile: Percentile, place: impl Fn(&str) -> Option<Place<'a>>) -> Costs {
        let counted = self.times.iter().filter(|time| time.percentile == percentile);
        let samples: Vec<Sample<'_>> = counted
            .map(|time| Sample { origin: &time.origin, destination: &time.destination, micros: time.micros })
            .collect();
        costs(&samples, place)
    }
}

/// Reads a ConfigMap; keys of others are passed over.
#[must_use]
pub fn measured(written: &ConfigMap) -> ReadMeasured {
    let meta = &written.metadata;
    let name = (meta.namespace.clone().unwrap_or_default(), meta.name.clone().unwrap_or_default());
    let mut read = ReadMeasured { name, ..ReadMeasured::default() };
    for (key, value) in written.data.iter().flatten() {
        let Some(rest) = key.strip_prefix("netperf.") else { continue };
        let (percentile, rest) = match rest.split_once(".latency.milliseconds.origin.") {
            Some(("p50", rest)) => (Percentile::P50, rest),
            Some(("p90", rest)) => (Percentile::P90, rest),
            _ => continue,
        };
        let Some((origin, destination)) = rest.split_once(".destination.") else {
            read.problems.push(problem(format!("data[{key}]"), "names no destination, so it is left out"));
            continue;
        };
        match micros(value) {
            Some(micros) => {
                let (origin, destination) = (origin.to_owned(), destination.to_owned());
                read.times.push(Time { percentile, origin, destination, micros });
            }
            None => {
                let text = "is no time in 0 to 60000 milliseconds, so it counts as not measured";
                read.problems.push(problem(format!("data[{key}]"), text));
            }
        }
    }
    read
}

/// Milliseconds, with decimals perhaps, in microseconds.
#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "between 0 and 60 seconds")]
fn micros(text: &str) -> Option<u64> {
    let millis: f64 = text.trim().parse().ok()?;
    (0.0..=60_000.0).contains(&millis).then(|| (millis * 1_000.0).ceil() as u64)
}
