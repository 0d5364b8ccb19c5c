//! What a pod asks of the network, and what a node's interface carries, as annotations say.
//!
//! | of | read from, the first that is there |
//! |---|---|
//! | a pod's request | `bandwidth.keelson.dev/{egress,ingress}-request`; the limits `kubernetes.io/{egress,ingress}-bandwidth`; the resource `network.aware.com/bandwidth`, both ways (KEP-260) |
//! | a node's capacity | `bandwidth.keelson.dev/{egress,ingress}-capacity`, which counts more than what others know of it |
//!
//! Quantities are bits a second, between 1k and 1P as the kubelet has it for limits.
//!
//! Promise: what cannot be read is a problem with the field and the range, and never no request or no capacity in silence.

use std::collections::BTreeMap;
use std::ops::RangeInclusive;

use keelson_api::names;
use keelson_core::{Direction, Quantity, Rates, ResourceName, Resources};

use super::{Problem, problem};

/// Bits a second that make sense.
const SANE: RangeInclusive<i64> = 1_000..=1_000_000_000_000_000;
/// Upstream's extended resource, in bits a second.
const NETWORK_AWARE: &str = "network.aware.com/bandwidth";

type Annotations = BTreeMap<String, String>;

/// What a pod asks for in each direction; 0 is nothing.
pub(super) fn requested(annotations: Option<&Annotations>, asked: &Resources, problems: &mut Vec<Problem>) -> Rates {
    let aware = asked.get(&ResourceName::from(NETWORK_AWARE)).clamp(0, *SANE.end());
    Rates::each(|direction| {
        let (request, limit) = match direction {
            Direction::Egress => (names::EGRESS_REQUEST, names::EGRESS_LIMIT),
            Direction::Ingress => (names::INGRESS_REQUEST, names::INGRESS_LIMIT),
        };
        // What its containers ask for themselves, as an extended resource.
        let own = asked.get(&direction.resource());
        let limit = read(annotations, limit, problems);
        let request = read(annotations, request, problems);
        if let (Some((field, request)), Some((of, limit))) = (&request, &limit)
            && request > limit
        {
            problems.push(problem(field.clone(), format!("is above the limit in {of}; lower it or raise the limit")));
        }
        let said = request.or(limit).map(|(_, bits)| bits);
        said.unwrap_or(if own > 0 { own } else { aware })
    })
}

/// What a node's interface carries; 0 in a direction of which nothing is said.
pub(super) fn capacity(annotations: Option<&Annotations>, problems: &mut Vec<Problem>) -> Rates {
    Rates::each(|direction| {
        let key = match direction {
            Direction::Egress => names::EGRESS_CAPACITY,
            Direction::Ingress => names::INGRESS_CAPACITY,
        };
        read(annotations, key, problems).map_or(0, |(_, bits)| bits)
    })
}

fn read(annotations: Option<&Annotations>, key: &str, problems: &mut Vec<Problem>) -> Option<(String, i64)> {
    let text = annotations?.get(key)?;
    let field = format!("metadata.annotations[{key}]");
    match bits(text) {
        Ok(bits) => Some((field, bits)),
        Err(why) => {
            problems.push(problem(field, why));
            None
        }
    }
}

/// Bits a second.
///
/// # Errors
/// When it is no quantity, or none that makes sense.
pub fn bits(text: &str) -> Result<i64, String> {
    let quantity: Quantity =
        text.parse().map_err(|error: keelson_core::quantity::ParseQuantityError| error.to_string())?;
    let bits = ResourceName::Egress.amount_of(&quantity);
    if SANE.contains(&bits) { Ok(bits) } else { Err(format!("{quantity} is not in 1k to 1P bits a second")) }
}

#[cfg(test)]
mod tests;
