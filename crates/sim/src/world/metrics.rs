//! What pods use: a pure function of the pod, the moment and the traffic.
//!
//! A workload that follows the traffic uses what its share of the traffic costs; others wander slowly about a third of
//! their request. Numbers are made up, and stay within limits: cpu below its limit, memory below its.

use keelson_core::{Quantity, ResourceName, Resources, Span, Timestamp};

use super::autoscale::Scaled;
use super::chance::Chance;
use super::demand::{is_finished, of_pod};
use super::read::{Key, amounts, annotation, at, entry, list, name, namespace, quantity, text, uid};
use super::traffic::Day;
use crate::tree::{Value, json};

/// What a pod uses at a moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Usage {
    /// Thousandths of a core.
    pub cpu_milli: i64,
    /// Bytes in its working set.
    pub memory_bytes: i64,
    /// Bits a second sent.
    pub sent_bits: i64,
    /// Bits a second received.
    pub received_bits: i64,
}

/// The period in which a pod's use wanders.
const PERIOD: Span = Span::minutes(20);

/// What one running pod uses. `load` is how busy its workload is, in thousandths of what its pods should serve.
#[must_use]
pub fn usage(pod: &Value, load: Option<i64>, chance: Chance, now: Timestamp) -> Usage {
    if text(pod, "status.phase") != "Running" || is_finished(pod) {
        return Usage::default();
    }
    let phase = i64::try_from(chance.below("phase", uid(pod), PERIOD.0.unsigned_abs())).unwrap_or(0);
    // A triangle wave from -150 to 150 thousandths.
    let at = (now.0.rem_euclid(PERIOD.0) + phase) % PERIOD.0;
    let wave = ((at * 600 / PERIOD.0) - 300).abs() - 150;
    let busy = load.map_or(330, |load| 100 + load.clamp(0, 2_000) / 2) + wave / 3;
    let requests = of_pod(pod).requests;
    let part = |amount: i64, thousandths: i64| {
        i64::try_from(i128::from(amount) * i128::from(thousandths) / 1_000).unwrap_or(0)
    };
    let limits =
        list(pod, "spec.containers").iter().fold(Resources::new(), |sum, c| sum.add(&amounts(c, "resources.limits")));
    let limited = |name: ResourceName, amount: i64| match limits.get(&name) {
        0 => amount,
        limit => amount.min(limit),
    };
    let bits = |direction: &str| {
        let said = annotation(pod, &format!("bandwidth.keelson.dev/{direction}-request"));
        said.and_then(|said| quantity(&Value::from(said))).map_or(0, |bits| bits.value())
    };
    let said = annotation(pod, super::pod_life::MEMORY).and_then(|said| quantity(&Value::from(said)));
    let memory = said.map_or_else(|| part(requests.get(&ResourceName::Memory), 700 + wave / 3), |said| said.value());
    Usage {
        cpu_milli: limited(ResourceName::Cpu, part(requests.get(&ResourceName::Cpu), busy)),
        memory_bytes: limited(ResourceName::Memory, memory),
        sent_bits: part(bits("egress"), busy),
        received_bits: part(bits("ingress"), busy),
    }
}

/// How busy the workload of a pod is, if it follows the traffic: its demand over what `pods` pods should serve, in
/// thousandths.
#[must_use]
pub fn load(
    pod: &Value,
    scaled: &[Scaled],
    replicas: impl Fn(&Scaled) -> i64,
    day: Option<&Day>,
    now: Timestamp,
) -> Option<i64> {
    let app = entry(pod, "metadata.labels", "app")?;
    let scaled = scaled.iter().find(|scaled| scaled.key == Key::new(namespace(pod), app))?;
    let demand = day?.at(now).of(scaled.driver);
    let served = scaled.share.saturating_mul(replicas(scaled).max(1));
    Some(demand.saturating_mul(1_000) / served.max(1))
}

/// A usage as `metrics.k8s.io` tells it of a pod.
#[must_use]
pub fn pod_metrics(pod: &Value, usage: Usage, now: Timestamp) -> Value {
    // The pod's use is told of its first container; the others are idle.
    let containers = list(pod, "spec.containers").iter().enumerate().map(|(index, container)| {
        let usage = if index == 0 { usage } else { Usage::default() };
        json!({"name": name_of(container), "usage": amounts_of(usage)})
    });
    let containers: Vec<Value> = containers.collect();
    json!({"timestamp": super::read::stamp(now), "window": "15s", "containers": containers})
}

/// A usage as `metrics.k8s.io` tells it of a node.
#[must_use]
pub fn node_metrics(usage: Usage, now: Timestamp) -> Value {
    json!({"timestamp": super::read::stamp(now), "window": "15s", "usage": amounts_of(usage)})
}

fn name_of(container: &Value) -> &str {
    at(container, "name").and_then(Value::as_str).unwrap_or_else(|| name(container))
}

fn amounts_of(usage: Usage) -> Value {
    json!({"cpu": Quantity::from_milli(usage.cpu_milli), "memory": Quantity::from_bytes(usage.memory_bytes)})
}

impl std::iter::Sum for Usage {
    fn sum<I: Iterator<Item = Self>>(usages: I) -> Self {
        usages.fold(Self::default(), |sum, one| Self {
            cpu_milli: sum.cpu_milli.saturating_add(one.cpu_milli),
            memory_bytes: sum.memory_bytes.saturating_add(one.memory_bytes),
            sent_bits: sum.sent_bits.saturating_add(one.sent_bits),
            received_bits: sum.received_bits.saturating_add(one.received_bits),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pod() -> Value {
        json!({"metadata": {"uid": "u", "annotations": {"bandwidth.keelson.dev/egress-request": "2G"}},
            "spec": {"containers": [{"name": "c", "resources": {"requests": {"cpu": "1", "memory": "1Gi"}, "limits": {"cpu": "700m"}}}]},
            "status": {"phase": "Running"}})
    }

    #[test]
    fn a_busier_workload_uses_more_and_never_more_than_its_limit() {
        let at = |load| usage(&pod(), Some(load), Chance::new(1), Timestamp(0));
        assert!(at(1_000).cpu_milli > at(100).cpu_milli);
        assert_eq!(at(2_000).cpu_milli, 700);
        assert!(at(1_000).sent_bits > 1_000_000_000);
        assert!(at(500).memory_bytes < 1 << 30);
    }

    #[test]
    fn a_pod_that_does_not_run_uses_nothing() {
        assert_eq!(
            usage(&json!({"status": {"phase": "Pending"}}), None, Chance::new(1), Timestamp(0)),
            Usage::default()
        );
    }
}
