//! An AppGroup or a NetworkTopology, and what is off in it.
//!
//! The object tells: its conditions are what the scheduler wrote. Where scheduling is off nobody follows these kinds, and only
//! what was decided is known.

use std::collections::BTreeMap;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition as Stored;
use keelson_api::diktyo::Told;
use keelson_api::{AppGroup, NetworkTopology, conditions};
use keelson_cluster::read::network::{
    Finding, ReadGroup, ReadTopology, group as read_group, topology as read_topology,
};
use keelson_core::{Condition, ConditionStatus, Decision, Feature, Mode, ObjectRef, Reason};
use keelson_dashboard::Seen;
use keelson_dashboard::view::Subject;

use super::Live;
use super::subject::{count, may_be_told, newest, of_decision};

pub const GROUPS: &str = "appgroup.diktyo.x-k8s.io";
pub const TOPOLOGIES: &str = "networktopology.diktyo.x-k8s.io";

pub async fn group(live: &Live, object: &ObjectRef, seen: &Seen) -> Option<Subject> {
    let object = ObjectRef { group: GROUPS.to_owned(), ..object.clone() };
    let cache = followed(live).then(|| live.platform.runtime.optional_cache::<AppGroup>())?;
    let written = cache.get(&object.namespace, &object.name)?;
    let ReadGroup { graph, members, .. } = read_group(&serde_json::to_value(&*written).unwrap_or_default());
    let (workloads, edges) = (count(graph.workloads().len(), "workload"), graph.edges().len());
    let dependencies = format!("{edges} {}", if edges == 1 { "dependency" } else { "dependencies" });
    let what = format!("has {workloads} and {dependencies}");
    let summary = BTreeMap::from([("pods when whole".to_owned(), members.to_string())]);
    Some(told((live, seen), object, (&what, summary), written.status.as_ref()).await)
}

pub async fn topology(live: &Live, object: &ObjectRef, seen: &Seen) -> Option<Subject> {
    let object = ObjectRef { group: TOPOLOGIES.to_owned(), ..object.clone() };
    let cache = followed(live).then(|| live.platform.runtime.optional_cache::<NetworkTopology>())?;
    let written = cache.get(&object.namespace, &object.name)?;
    let settings = live.platform.runtime.settings().borrow().features.scheduling.settings.clone();
    let weights = &settings.network_weights;
    let ReadTopology { costs, config_map, .. } =
        read_topology(&serde_json::to_value(&*written).unwrap_or_default(), weights);
    let what = format!("declares {} under {weights}", count(costs.entries().count(), "cost"));
    let mut summary = BTreeMap::from([("weights".to_owned(), weights.clone())]);
    summary.extend(config_map.map(|name| ("measured in".to_owned(), format!("ConfigMap {name}"))));
    let is_read = settings.topology() == Some((object.namespace.as_str(), object.name.as_str()));
    let counts = if is_read { "its costs count" } else { "another one's costs count" };
    summary.insert("scheduling".to_owned(), counts.to_owned());
    Some(told((live, seen), object, (&what, summary), written.status.as_ref()).await)
}

/// Whether somebody follows these kinds.
fn followed(live: &Live) -> bool {
    live.platform.runtime.switch(Feature::Scheduling).borrow().effective != Mode::Off
}

async fn told(
    (live, seen): (&Live, &Seen),
    object: ObjectRef,
    (what, summary): (&str, BTreeMap<String, String>),
    status: Option<&Told>,
) -> Subject {
    let conditions = ours(status.map(|told| told.conditions.clone()).unwrap_or_default());
    let sentence = format!("{object} {what}; {}", state(&conditions));
    let newest = newest(live, &object).await.ok().flatten();
    let why = newest.filter(|newest| says_more(newest) && may_be_told(newest, &object, seen)).map(of_decision);
    Subject { object, sentence, summary, conditions, why }
}

/// What was told on the object is in its conditions.
const fn says_more(decision: &Decision) -> bool {
    !matches!(decision.reason, Reason::ObjectAccepted | Reason::ObjectLeftOut)
}

/// Those that Keelson writes: of others, nobody knows what they mean.
fn ours(stored: Vec<Stored>) -> Vec<Condition> {
    let is_ours = |kind: &str| kind == "Accepted" || Finding::ALL.iter().any(|finding| finding.name() == kind);
    stored.into_iter().filter(|stored| is_ours(&stored.type_)).map(conditions::read).collect()
}

fn state(conditions: &[Condition]) -> &'static str {
    match conditions.iter().find(|condition| condition.kind == "Accepted").map(|condition| condition.status) {
        Some(ConditionStatus::True) => "all of it counts",
        Some(ConditionStatus::False) => "not all of it counts",
        _ => "whether all of it counts is not told yet",
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use serde_json::json;

    use super::*;

    fn stored(kind: &str, status: &str) -> Stored {
        let at = "2026-11-30T00:00:00Z";
        let value = json!({"type": kind, "status": status, "reason": "R", "message": "m", "lastTransitionTime": at});
        serde_json::from_value(value).unwrap()
    }

    #[test]
    fn conditions_of_others_are_left_out_and_the_sum_is_said() {
        let told = ours(vec![stored("Synced", "True"), stored("Accepted", "False"), stored("MissingCost", "True")]);
        let kinds: Vec<&str> = told.iter().map(|condition| condition.kind.as_str()).collect();
        assert_eq!((kinds, state(&told)), (vec!["Accepted", "MissingCost"], "not all of it counts"));
        assert_eq!(state(&ours(vec![stored("Accepted", "True")])), "all of it counts");
        assert_eq!(state(&[]), "whether all of it counts is not told yet");
    }
}
