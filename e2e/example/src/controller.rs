//! Step 6: where snapshots come from, and what the runtime calls.
//!
//! There is a queue with one key for each Deployment, and workers, back-off, deadlines and recording: all of it the
//! runtime's. What is here only says what there is to see.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use k8s_openapi::api::apps::v1::Deployment;
use keelson_core::{Feature, ObjectRef, Outcome, Plan, Timestamp};
use keelson_runtime::{Cache, Controller, History, Report};

use crate::decide::{decide, wanted};
use crate::effect::{Effects, Scaled};
use crate::hours::Hours;
use crate::snapshot::{Snapshot, reference};
use crate::words::{CONTROLLER, FEATURE};

/// One reconcile for each Deployment; clones share the effects.
#[derive(Clone)]
pub struct Nights {
    /// What there is to see.
    pub deployments: Cache<Deployment>,
    /// When it is night.
    pub hours: Hours,
    /// What is waited for.
    pub effects: Arc<Mutex<Effects>>,
    /// Where effects are told.
    pub history: Arc<dyn History>,
}

impl Nights {
    fn effects(&self) -> MutexGuard<'_, Effects> {
        self.effects.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Tells what is known by now of the Deployments that were scaled.
    pub fn measure(&self, now: Timestamp) {
        let mut effects = self.effects();
        for deployment in effects.followed() {
            let there = self.deployments.get(&deployment.namespace, &deployment.name);
            if let Some((decision, effect)) = effects.seen(&deployment, there.as_deref(), now) {
                self.history.effect(decision, effect);
            }
        }
    }
}

impl Controller for Nights {
    const NAME: &'static str = CONTROLLER;
    const FEATURE: Feature = FEATURE;
    /// `NAMESPACE/NAME`.
    type Key = String;
    type Snapshot = Snapshot;

    fn keys(&self) -> Vec<String> {
        self.deployments.list().map(|deployment| reference(&deployment).path()).collect()
    }

    fn flow(key: &String) -> String {
        Self::subject(key).namespace
    }

    fn subject(key: &String) -> ObjectRef {
        let (namespace, name) = key.split_once('/').unwrap_or_default();
        ObjectRef::namespaced("Deployment", namespace, name).in_group("apps")
    }

    fn snapshot(&self, key: &String) -> Option<Snapshot> {
        let ObjectRef { namespace, name, .. } = Self::subject(key);
        Snapshot::of(&*self.deployments.get(&namespace, &name)?, self.hours)
    }

    fn decide(seen: &Snapshot, now: Timestamp) -> Plan {
        decide(seen, now)
    }

    fn ended(&self, seen: &Snapshot, now: Timestamp, report: &Report) {
        let Ok(wanted) = wanted(seen, now) else { return };
        for (decision, _) in report.decisions.iter().filter(|(_, (outcome, _))| *outcome == Outcome::Done) {
            let scaled = Scaled { decision: *decision, before: seen.replicas, wanted, at: now };
            let overtaken = self.effects().follow(seen.deployment.clone(), scaled);
            if let Some((decision, effect)) = overtaken {
                self.history.effect(decision, effect);
            }
        }
    }
}
