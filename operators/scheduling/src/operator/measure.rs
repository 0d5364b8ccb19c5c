//! Asks `metrics.k8s.io` what nodes use, and puts the answer on the board.
//!
//! Every replica asks, leader or not, so that all have the same board. The API is served by whoever measures, usually
//! metrics-server; it can be listed and not watched, and may come and go.

use std::collections::BTreeMap;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use k8s_openapi::{ClusterResourceScope, Metadata, Resource};
use keelson_core::{Condition, ConditionStatus, GoDuration, Quantity, Resources, Span, Timestamp};
use keelson_runtime::permissions::Rule;
use keelson_runtime::{Listing, Runtime};
use serde::Deserialize;

use crate::used::{Measured, Missing, NodeUse};

/// How often it is asked; see [`crate::used::STALE`].
const EVERY: Span = Span::seconds(30);

/// NodeMetrics as `metrics.k8s.io` tells them.
#[derive(Debug, Clone, Deserialize)]
struct NodeMetrics {
    metadata: ObjectMeta,
    timestamp: String,
    window: GoDuration,
    usage: BTreeMap<String, Quantity>,
}

impl Resource for NodeMetrics {
    const API_VERSION: &'static str = "metrics.k8s.io/v1beta1";
    const GROUP: &'static str = "metrics.k8s.io";
    const KIND: &'static str = "NodeMetrics";
    const VERSION: &'static str = "v1beta1";
    const URL_PATH_SEGMENT: &'static str = "nodes";
    type Scope = ClusterResourceScope;
}

impl Metadata for NodeMetrics {
    type Ty = ObjectMeta;
    fn metadata(&self) -> &ObjectMeta {
        &self.metadata
    }
    fn metadata_mut(&mut self) -> &mut ObjectMeta {
        &mut self.metadata
    }
}

/// What asking needs.
pub(super) fn permission() -> Rule {
    Rule::new(NodeMetrics::GROUP, &[NodeMetrics::URL_PATH_SEGMENT], &["list"])
}

/// Asks until the process stops.
pub(super) async fn keep(rt: Runtime) {
    tokio::select! {
        () = rt.stopping() => {}
        () = ask(&rt) => {}
    }
}

async fn ask(rt: &Runtime) {
    let clock = rt.clock();
    loop {
        let answer = match rt.list::<NodeMetrics>().await {
            Listing::Read(nodes) => Ok(nodes.iter().filter_map(|node| measured(node)).collect()),
            Listing::Absent => Err(Missing::Absent),
            Listing::Forbidden(why) | Listing::Failed(why) => Err(Missing::Failed(why)),
        };
        rt.facts().fold(clock.now(), None, |used: &mut NodeUse| used.heard(answer));
        clock.sleep(EVERY).await;
    }
}

fn measured(node: &NodeMetrics) -> Option<(String, Measured)> {
    let at = Timestamp::parse(&node.timestamp).ok()?;
    let (window, amounts) = (node.window.span(), Resources::from_quantities(&node.usage));
    Some((node.metadata.name.clone()?, Measured { at, window, amounts }))
}

/// Whether effects are told from requests only: then a person can do something about it.
pub(super) fn condition(missing: Option<&Missing>) -> Condition {
    let (status, reason, message) = match missing {
        None => (ConditionStatus::False, "Measured", "metrics.k8s.io tells what nodes use.".to_owned()),
        Some(why) => {
            let reason = match why {
                Missing::NotAsked => "NotAsked",
                Missing::Absent => "MetricsAbsent",
                Missing::Failed(_) => "MetricsFailed",
            };
            (ConditionStatus::True, reason, format!("What came of placements is told from requests only: {why}."))
        }
    };
    Condition { kind: "InputUnavailable".into(), status, reason: reason.into(), message }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use keelson_core::ResourceName;
    use serde_json::json;

    use super::*;

    #[test]
    fn a_measurement_is_read_as_metrics_server_writes_it() {
        let written = json!({
            "kind": "NodeMetrics", "apiVersion": "metrics.k8s.io/v1beta1", "metadata": {"name": "n1"},
            "timestamp": "2026-05-20T17:00:12Z", "window": "20.059s", "usage": {"cpu": "156772453n", "memory": "1316Ki"},
        });
        let (name, measured) = measured(&serde_json::from_value(written).unwrap()).unwrap();
        assert_eq!((name.as_str(), measured.at.to_string().as_str()), ("n1", "2026-05-20T17:00:12Z"));
        assert_eq!(measured.window, Span::millis(20_059));
        assert_eq!(measured.amounts.get(&ResourceName::Cpu), 157);
        assert_eq!(measured.amounts.get(&ResourceName::Memory), 1_316 << 10);
    }
}
