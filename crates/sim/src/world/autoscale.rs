//! A stand-in for an autoscaler: it sizes workloads by the traffic, so that an evening has the churn of an evening.
//!
//! Target arithmetic of autoscaling/v2 on one number: what is wanted is `ceil(demand / share)`, a tenth of deviation is
//! ignored, going down waits until five minutes asked for no more.

use keelson_core::{Span, Timestamp};

use super::agenda::Role;
use super::desk::{Desk, Looked};
use super::read::{Key, int};
use super::traffic::Driver;
use crate::objects::{Resource, Write};
use crate::tree::json;

/// How often it looks.
const EVERY: Span = Span::seconds(15);
/// How long a higher recommendation holds.
const STABLE: Span = Span::minutes(5);

/// A workload whose size follows the traffic.
#[derive(Debug, Clone)]
pub struct Scaled {
    /// What kind of workload.
    pub resource: Resource,
    /// Which one.
    pub key: Key,
    /// What it follows.
    pub driver: Driver,
    /// How much of that one pod serves.
    pub share: i64,
    /// The fewest pods.
    pub least: i64,
    /// The most pods.
    pub most: i64,
}

impl Scaled {
    /// How many pods a demand asks for, when there are `current`.
    #[must_use]
    pub fn recommend(&self, demand: i64, current: i64) -> i64 {
        let exact = demand.saturating_mul(1_000) / self.share.max(1);
        let near = (exact - current * 1_000).abs() <= current * 100;
        let wanted = if near { current } else { exact / 1_000 + i64::from(exact % 1_000 != 0) };
        wanted.clamp(self.least, self.most)
    }
}

/// What was recommended lately.
pub type Recommended = Vec<(Timestamp, i64)>;

/// One look at a workload.
///
/// # Errors
/// What the API says.
pub fn look(desk: &mut Desk<'_>, key: &Key) -> Looked {
    desk.at(desk.now + EVERY, Role::Autoscale, key.clone());
    let Some(scaled) = desk.state.scaled.iter().find(|scaled| scaled.key == *key).cloned() else { return Ok(()) };
    let Some(workload) = desk.get(scaled.resource, key) else { return Ok(()) };
    let current = int(&workload, "spec.replicas").unwrap_or(1);
    let demand = desk.state.day.as_ref().map_or(0, |day| day.at(desk.now).of(scaled.driver));
    let recent = desk.state.recommended.entry(key.clone()).or_default();
    recent.retain(|(when, _)| *when + STABLE > desk.now);
    recent.push((desk.now, scaled.recommend(demand, current)));
    let highest = recent.iter().map(|(_, wanted)| *wanted).max().unwrap_or(current);
    let latest = recent.last().map_or(current, |(_, wanted)| *wanted);
    let wanted = if latest >= current { latest } else { highest.min(current) };
    if wanted == current {
        return Ok(());
    }
    let (namespace, name) = (key.namespace.to_string(), key.name.to_string());
    let patch = json!({"spec": {"replicas": wanted}});
    desk.write(Write::Merge { resource: scaled.resource, namespace, name, subresource: "scale", patch }).map(drop)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tenth_of_deviation_is_ignored() {
        let scaled = Scaled {
            resource: super::super::kinds::DEPLOYMENTS,
            key: Key::new("a", "b"),
            driver: Driver::Beacons,
            share: 100,
            least: 2,
            most: 20,
        };
        assert_eq!(scaled.recommend(1_050, 10), 10);
        assert_eq!(scaled.recommend(1_150, 10), 12);
        assert_eq!(scaled.recommend(5, 10), 2);
        assert_eq!(scaled.recommend(9_999, 10), 20);
    }
}
