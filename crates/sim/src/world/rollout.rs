//! How many replicas each ReplicaSet of a Deployment should have next. Pure arithmetic, as upstream does it.
//!
//! Promises: during a rolling update there are never more than `replicas + maxSurge` pods wanted, and what is scaled
//! down leaves `replicas - maxUnavailable` available ones.

use crate::tree::Value;

/// How a set stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Set {
    /// `spec.replicas`.
    pub wanted: i64,
    /// `status.availableReplicas`.
    pub available: i64,
}

/// The limits of a rolling update, in pods.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Above `replicas`.
    pub surge: i64,
    /// Below `replicas`.
    pub unavailable: i64,
}

/// Reads `rollingUpdate`: percentages of `replicas`, the surge rounded up and the rest down; both zero means one
/// unavailable, or nothing would ever move.
#[must_use]
pub fn limits(strategy: Option<&Value>, replicas: i64) -> Limits {
    let read = |field: &str, up: bool| share(strategy.and_then(|strategy| strategy.get(field)), "25%", replicas, up);
    let (surge, unavailable) = (read("maxSurge", true), read("maxUnavailable", false));
    let unavailable = if surge == 0 && unavailable == 0 { 1 } else { unavailable };
    Limits { surge, unavailable: unavailable.min(replicas) }
}

/// An `IntOrString` of a total.
#[must_use]
pub fn share(value: Option<&Value>, otherwise: &str, total: i64, up: bool) -> i64 {
    let text = match value {
        Some(Value::Number(number)) => return number.as_i64().unwrap_or(0),
        Some(Value::String(text)) => text.as_str(),
        _ => otherwise,
    };
    match text.strip_suffix('%') {
        Some(percent) => {
            let product = percent.parse::<i64>().unwrap_or(0).saturating_mul(total);
            product / 100 + i64::from(up && product % 100 != 0)
        }
        None => text.parse().unwrap_or(0),
    }
}

/// How many replicas the new set should have now.
#[must_use]
pub fn grow(replicas: i64, limits: Limits, new: Set, old: &[Set]) -> i64 {
    let all = new.wanted + old.iter().map(|set| set.wanted).sum::<i64>();
    let most = replicas + limits.surge;
    if new.wanted >= replicas {
        return replicas;
    }
    new.wanted + (most - all).clamp(0, replicas - new.wanted)
}

/// How many replicas the old sets (oldest first) should have now: unavailable ones go first, then what the new set has
/// replaced.
#[must_use]
pub fn shrink(replicas: i64, limits: Limits, new: Set, old: &[Set]) -> Vec<i64> {
    let mut wanted: Vec<i64> = old.iter().map(|set| set.wanted).collect();
    let all = new.wanted + wanted.iter().sum::<i64>();
    let least = replicas - limits.unavailable;
    let mut spare = all - least - (new.wanted - new.available);
    if spare <= 0 {
        return wanted;
    }
    for (wanted, set) in wanted.iter_mut().zip(old) {
        let unhealthy = (set.wanted - set.available).clamp(0, spare);
        *wanted -= unhealthy;
        spare -= unhealthy;
    }
    // Available pods are counted after the unhealthy ones went, so nothing is taken twice.
    let available = new.available + old.iter().map(|set| set.available).sum::<i64>();
    let mut surplus = (available - least).max(0);
    for wanted in &mut wanted {
        let taken = (*wanted).clamp(0, surplus);
        *wanted -= taken;
        surplus -= taken;
    }
    wanted
}

/// Spreads a change of `replicas` over the sets of an unfinished rollout, in proportion to their sizes; what is left
/// over goes to the largest. `most` is how many pods all sets together may want.
#[must_use]
pub fn spread(most: i64, sets: &[i64]) -> Vec<i64> {
    let all: i64 = sets.iter().sum();
    if all == 0 || all == most {
        return sets.to_vec();
    }
    // Round half up, as upstream's proportion does; the sum is then put right at the largest set.
    let mut wanted: Vec<i64> = sets.iter().map(|set| (set * most * 2 + all) / (all * 2)).collect();
    let rest = most - wanted.iter().sum::<i64>();
    let largest = (0..sets.len()).max_by_key(|index| (sets.get(*index).copied(), std::cmp::Reverse(*index)));
    if let Some(wanted) = largest.and_then(|index| wanted.get_mut(index)) {
        *wanted = (*wanted + rest).max(0);
    }
    wanted
}

#[cfg(test)]
mod tests {
    #![allow(clippy::indexing_slicing)]
    use crate::tree::json;
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_surge_rounds_up_and_the_rest_down() {
        let of = |surge: Value, unavailable: Value, replicas| {
            limits(Some(&json!({"maxSurge": surge, "maxUnavailable": unavailable})), replicas)
        };
        assert_eq!(limits(None, 10), Limits { surge: 3, unavailable: 2 });
        assert_eq!(limits(None, 1), Limits { surge: 1, unavailable: 0 });
        assert_eq!(of(json!(0), json!("10%"), 5), Limits { surge: 0, unavailable: 1 });
        assert_eq!(of(json!(2), json!(0), 5), Limits { surge: 2, unavailable: 0 });
    }

    #[test]
    fn a_change_in_the_middle_is_spread() {
        assert_eq!(spread(30, &[5, 10]), [10, 20]);
        assert_eq!(spread(6, &[5, 10]), [2, 4]);
        assert_eq!(spread(0, &[5, 10]), [0, 0]);
    }

    proptest! {
        /// A rollout in which pods become available in any order ends, and no step breaks a limit.
        #[test]
        fn a_rollout_keeps_its_limits_and_ends(replicas in 0_i64..30, surge in 0_i64..6, unavailable in 0_i64..6, luck in any::<u64>()) {
            let limits = limits(Some(&json!({"maxSurge": surge, "maxUnavailable": unavailable})), replicas);
            let mut new = Set::default();
            let mut old = [Set { wanted: replicas, available: replicas }];
            let mut luck = luck | 1;
            for _ in 0..400 {
                new.wanted = grow(replicas, limits, new, &old);
                prop_assert!(new.wanted + old[0].wanted <= replicas + limits.surge);
                let next = shrink(replicas, limits, new, &old)[0];
                old[0] = Set { wanted: next, available: old[0].available.min(next) };
                prop_assert!(new.available + old[0].available >= replicas - limits.unavailable);
                luck = luck.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
                new.available += i64::from(luck >> 63 == 1 && new.available < new.wanted);
            }
            prop_assert_eq!((new.wanted, old[0].wanted), (replicas, 0));
        }
    }
}
