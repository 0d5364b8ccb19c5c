//! Which measurements of network interfaces are believed.
//!
//! A load that is old says nothing about now, and one that cannot be says nothing at all: then the reservations of the pods
//! count alone, and it is said so.
//!
//! Promise: what is not believed is never taken for an idle interface; every interface is in one of four states, each with
//! its reason.

pub mod ledger;

use std::collections::BTreeMap;

use keelson_core::resources::Round;
use keelson_core::{
    Condition, ConditionStatus, Direction, Interface, Measured, NodeBandwidth, Rates, ResourceName, Span, Timestamp,
};
use serde::Serialize;

/// A load counts until the second measurement after it is overdue.
const WINDOWS: i64 = 2;
/// The shortest and the longest window that is believed to be one.
const WINDOW: (Span, Span) = (Span::seconds(1), Span::minutes(5));
/// Clocks of two machines differ by less.
const AHEAD: Span = Span::minutes(1);
/// Nothing carries more than so many times its capacity: an instance's burst is up to 13 times its baseline (m5.large).
pub(crate) const MOST: i64 = 32;
/// What an interface may be, as labels.
pub const STATES: [&str; 4] = ["measured", "unmeasured", "stale", "absurd"];
/// Nodes that a sentence names.
const NAMED: usize = 3;

/// How a measurement stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub enum Belief {
    /// It counts.
    Measured,
    /// There is none.
    Unmeasured,
    /// It is too old.
    Stale {
        /// How old.
        age: Span,
    },
    /// It cannot be.
    Absurd {
        /// The rate that says so, in bits a second; none when it is its time.
        rate: Option<i64>,
    },
}

impl Belief {
    /// Whether a measurement of an interface counts at a moment.
    #[must_use]
    pub fn of(interface: &Interface, now: Timestamp) -> Self {
        let Some(measured) = interface.measured else { return Self::Unmeasured };
        let capacity = interface.capacity;
        let is_absurd = |direction: &Direction| {
            let (rate, capacity) = (measured.rates.get(*direction), capacity.get(*direction));
            rate < 0 || capacity > 0 && rate > capacity.saturating_mul(MOST)
        };
        if let Some(direction) = Direction::BOTH.into_iter().find(is_absurd) {
            return Self::Absurd { rate: Some(measured.rates.get(direction)) };
        }
        let age = now.since(measured.at);
        if measured.at > now + AHEAD {
            return Self::Absurd { rate: None };
        }
        if age > Self::lasts(&measured) { Self::Stale { age } } else { Self::Measured }
    }

    /// How long a measurement counts.
    fn lasts(measured: &Measured) -> Span {
        let (least, most) = WINDOW;
        Span(measured.window.clamp(least, most).0 * WINDOWS)
    }

    /// Why the reservations count alone, with how old the measurement is; nothing when they do not.
    #[must_use]
    pub fn why(&self) -> Option<String> {
        match self {
            Self::Stale { age } => Some(format!("its last measurement is {age} old")),
            other => other.cause(),
        }
    }

    /// The same in words that stay while nothing changes but time.
    fn cause(&self) -> Option<String> {
        Some(match self {
            Self::Measured => return None,
            Self::Unmeasured => "it is not measured".to_owned(),
            Self::Stale { .. } => "its last measurement is too old".to_owned(),
            Self::Absurd { rate: Some(rate) } => {
                format!(
                    "it is measured to carry {}, which cannot be",
                    ResourceName::Egress.readable(*rate, Round::Down)
                )
            }
            Self::Absurd { rate: None } => "its last measurement is of the future: check the clocks".to_owned(),
        })
    }

    /// The label of a metric.
    #[must_use]
    pub const fn state(&self) -> &'static str {
        match self {
            Self::Measured => "measured",
            Self::Unmeasured => "unmeasured",
            Self::Stale { .. } => "stale",
            Self::Absurd { .. } => "absurd",
        }
    }
}

/// When the first of the measurements that count now stops to.
#[must_use]
pub fn next_stale(known: &NodeBandwidth, now: Timestamp) -> Option<Timestamp> {
    let counts = known.0.values().filter(|interface| Belief::of(interface, now) == Belief::Measured);
    // A moment later it does not count.
    counts.filter_map(|interface| interface.measured).map(|load| load.at + Belief::lasts(&load) + Span(1)).min()
}

/// What is told of an interface at a moment.
#[must_use]
pub fn heard(interface: &Interface, now: Timestamp) -> keelson_cluster::Heard {
    let load = interface.measured.filter(|_| Belief::of(interface, now) == Belief::Measured);
    keelson_cluster::Heard { capacity: interface.capacity, load }
}

/// How many interfaces are in which of the [`STATES`].
#[must_use]
pub fn counts(known: &NodeBandwidth, now: Timestamp) -> [usize; 4] {
    let states: Vec<&str> = known.0.values().map(|interface| Belief::of(interface, now).state()).collect();
    STATES.map(|state| states.iter().filter(|known| **known == state).count())
}

/// Whether reservations alone count for some interface that was measured before: then a person can do something about it.
#[must_use]
pub fn condition(known: &NodeBandwidth, now: Timestamp) -> Condition {
    let off: BTreeMap<&str, String> = known
        .0
        .iter()
        .filter(|(_, interface)| interface.measured.is_some())
        .filter_map(|(node, interface)| Some((node.as_str(), Belief::of(interface, now).cause()?)))
        .collect();
    let (status, reason, message) = match off.len() {
        0 => (ConditionStatus::False, "Measured", "No measurement of a network interface is left out.".to_owned()),
        count => {
            let named = off.iter().take(NAMED).map(|(node, why)| format!("{node}: {why}"));
            let more = count.saturating_sub(NAMED);
            let more = (more > 0).then(|| format!("{more} more"));
            let named: Vec<String> = named.chain(more).collect();
            let message = format!(
                "Only what pods reserved counts for the interfaces of {count} of {} nodes: {}.",
                known.0.len(),
                named.join("; ")
            );
            (ConditionStatus::True, "MeasurementsLeftOut", message)
        }
    };
    Condition { kind: "BandwidthUnmeasured".into(), status, reason: reason.into(), message }
}

/// An interface as an object says.
#[must_use]
pub fn read(object: &keelson_api::NodeNetwork) -> Interface {
    let status = object.status.as_ref();
    let said = object.spec.capacity.map(|capacity| capacity.rates()).unwrap_or_default();
    let found = status.and_then(|status| status.capacity).map(|capacity| capacity.rates()).unwrap_or_default();
    let or = |direction| Some(said.get(direction)).filter(|bits| *bits > 0).unwrap_or(found.get(direction));
    let measured = status.and_then(|status| status.measured.as_ref()).map(|measured| Measured {
        rates: Rates {
            egress: ResourceName::Egress.amount_of(&measured.egress),
            ingress: ResourceName::Ingress.amount_of(&measured.ingress),
        },
        at: Timestamp(measured.at.0.as_microsecond()),
        window: Span::seconds(i64::from(measured.window_seconds)),
    });
    Interface { capacity: Rates::each(or), measured }
}

#[cfg(test)]
mod tests;
