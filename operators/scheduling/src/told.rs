//! What an AppGroup or a NetworkTopology is told about itself.
//!
//! Both kinds are read whatever is in them, and what is off is left out. Whoever wrote the object learns it from its
//! conditions and from an event: each field, what is wrong with it, and what counts instead. `Accepted` is the sum; each kind
//! of thing that is off ([`Finding`]) is a condition of its own, which becomes False when it is mended.
//!
//! Promises: an object that was understood says so; one that already says what is true is not written; nothing but these
//! conditions is written.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition as Stored;
use keelson_api::conditions::set;
use keelson_api::diktyo::Told;
use keelson_api::{AppGroup, NetworkTopology};
use keelson_cluster::Problem;
use keelson_cluster::read::network::{Finding, is_measured};
use keelson_core::{
    Action, ActionKind, Condition, ConditionStatus, Decision, Feature, ObjectRef, Plan, Reason, Timestamp, Verb,
};
use keelson_runtime::cache::Cached;
use keelson_runtime::{Cache, Controller, Runtime};
use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::operator::{read_group, read_topology};
use crate::times::NetworkTimes;

/// The loop's name in records.
pub const CONTROLLER: &str = "network-objects";
/// So many problems are told; the rest is counted.
const TOLD: usize = 20;

/// Tells objects what was read in them.
#[derive(Clone)]
pub struct Telling {
    runtime: Runtime,
    groups: Cache<AppGroup>,
    topologies: Cache<NetworkTopology>,
}

impl Telling {
    /// Of the objects of this runtime's cluster.
    #[must_use]
    pub fn new(runtime: &Runtime) -> Self {
        Self { runtime: runtime.clone(), groups: runtime.optional_cache(), topologies: runtime.optional_cache() }
    }
}

/// What a decision may see.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Snapshot {
    /// The object.
    pub object: ObjectRef,
    /// `metadata.generation`.
    pub generation: i64,
    /// Its conditions.
    pub conditions: Vec<Stored>,
    /// What is off in it.
    pub problems: Vec<Problem>,
    /// What is off with what it names and nobody asked for.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub notes: Vec<Problem>,
}

/// One of these objects: `appgroups/shop/boutique`.
#[must_use]
pub fn key<K: Cached>(object: &K) -> String {
    let meta = object.meta();
    let (namespace, name) = (meta.namespace.as_deref().unwrap_or_default(), meta.name.as_deref().unwrap_or_default());
    format!("{}/{namespace}/{name}", K::plural(&()))
}

impl Controller for Telling {
    const NAME: &'static str = CONTROLLER;
    const FEATURE: Feature = Feature::Scheduling;
    type Key = String;
    type Snapshot = Snapshot;

    fn keys(&self) -> Vec<String> {
        let groups = self.groups.list().map(|group| key(&*group));
        groups.chain(self.topologies.list().map(|topology| key(&*topology))).collect()
    }

    fn flow(key: &String) -> String {
        Self::subject(key).namespace
    }

    fn subject(key: &String) -> ObjectRef {
        let mut parts = key.splitn(3, '/');
        let (plural, namespace, name) =
            (parts.next().unwrap_or_default(), parts.next().unwrap_or_default(), parts.next().unwrap_or_default());
        let (kind, group) = match plural {
            "appgroups" => ("AppGroup", "appgroup.diktyo.x-k8s.io"),
            _ => ("NetworkTopology", "networktopology.diktyo.x-k8s.io"),
        };
        ObjectRef::namespaced(kind, namespace, name).in_group(group)
    }

    fn snapshot(&self, key: &String) -> Option<Snapshot> {
        let object = Self::subject(key);
        if object.kind == "AppGroup" {
            let group = self.groups.get(&object.namespace, &object.name)?;
            return Some(seen(&*group, object, group.status.as_ref(), read_group(&group).problems));
        }
        let topology = self.topologies.get(&object.namespace, &object.name)?;
        let settings = self.runtime.settings();
        let weights = settings.borrow().features.scheduling.settings.network_weights.clone();
        let read = read_topology(&topology, &weights);
        let mut seen = seen(&*topology, object, topology.status.as_ref(), read.problems);
        let times = self.runtime.facts().read::<NetworkTimes>();
        if let (Some(times), Some(name)) = (times, read.config_map) {
            let off = times.value.problems(&(read.name.0, name));
            // Where costs are declared, published examples name a ConfigMap that few clusters have.
            if is_measured(&weights) { seen.problems.extend(off) } else { seen.notes = off }
        }
        Some(seen)
    }

    fn decide(seen: &Snapshot, now: Timestamp) -> Plan {
        decide(seen, now)
    }
}

fn seen<K: Cached>(written: &K, object: ObjectRef, told: Option<&Told>, problems: Vec<Problem>) -> Snapshot {
    let meta = written.meta();
    Snapshot {
        object: object.with_uid(meta.uid.as_deref().unwrap_or_default()),
        generation: meta.generation.unwrap_or_default(),
        conditions: told.map(|told| told.conditions.clone()).unwrap_or_default(),
        problems,
        notes: Vec::new(),
    }
}

/// Decides what one object is told.
#[must_use]
pub fn decide(seen: &Snapshot, now: Timestamp) -> Plan {
    let condition = accepted(&seen.object.kind, &seen.problems, &seen.notes);
    let mut conditions = seen.conditions.clone();
    let ours: Vec<Condition> = std::iter::once(condition.clone()).chain(findings(seen)).collect();
    let changes = ours.iter().filter(|ours| set(&mut conditions, ours, seen.generation, now)).count();
    if changes == 0 {
        return Plan::default();
    }
    let reason = if seen.problems.is_empty() { Reason::ObjectAccepted } else { Reason::ObjectLeftOut };
    let what = (Verb::Tell, reason);
    let about = (Feature::Scheduling, CONTROLLER);
    let decision = Decision::new(about, 0, seen.object.clone(), what, condition.message.clone(), now);
    let action = |kind| Action { decision: decision.id, object: seen.object.clone(), kind };
    let event = ActionKind::Event {
        warning: true,
        reason: reason.as_str().into(),
        action: "Reading".into(),
        note: condition.message.chars().take(1_000).collect(),
    };
    let is_ours = |stored: &&Stored| ours.iter().any(|ours| ours.kind == stored.type_);
    let ours: Vec<&Stored> = conditions.iter().filter(is_ours).collect();
    let mut actions = vec![action(ActionKind::ApplyStatus(json!({"status": {"conditions": ours}})))];
    actions.extend((!seen.problems.is_empty()).then(|| action(event)));
    Plan { decisions: vec![decision], actions, ..Plan::default() }
}

/// Whether all of it was understood.
fn accepted(kind: &str, problems: &[Problem], notes: &[Problem]) -> Condition {
    let condition = |status, reason: Reason, message| Condition {
        kind: "Accepted".into(),
        status,
        reason: reason.as_str().into(),
        message,
    };
    if problems.is_empty() {
        let mut text = format!("All of this {kind} is understood and counts.");
        if !notes.is_empty() {
            text.push(' ');
            text.push_str(&list(notes));
        }
        return condition(ConditionStatus::True, Reason::ObjectAccepted, text);
    }
    condition(ConditionStatus::False, Reason::ObjectLeftOut, list(problems))
}

/// A condition for each kind of thing that is off, and for each that was and is not any more.
fn findings(seen: &Snapshot) -> impl Iterator<Item = Condition> {
    let condition = |finding: Finding| {
        let off: Vec<&Problem> = seen.problems.iter().filter(|problem| problem.finding == finding).collect();
        let was = seen.conditions.iter().any(|stored| stored.type_ == finding.name());
        let (status, reason, message) = match off.is_empty() {
            false => (ConditionStatus::True, "Found", format!("{} {}", list(off), finding.fix())),
            true => (ConditionStatus::False, "Mended", "Nothing of this kind is off any more.".to_owned()),
        };
        let told = Condition { kind: finding.name().into(), status, reason: reason.into(), message };
        Some(told).filter(|_| was || status == ConditionStatus::True)
    };
    Finding::ALL.into_iter().filter_map(condition)
}

fn list<'a>(problems: impl IntoIterator<Item = &'a Problem>) -> String {
    let problems: Vec<&Problem> = problems.into_iter().collect();
    let mut told: Vec<String> = problems.iter().take(TOLD).map(ToString::to_string).collect();
    let more = problems.len().saturating_sub(TOLD);
    told.extend((more > 0).then(|| format!("{more} more")));
    format!("{}.", told.join("; "))
}

#[cfg(test)]
mod tests;
