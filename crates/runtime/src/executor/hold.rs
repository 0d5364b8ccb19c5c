//! What holds an action back: annotations, the disruption gate, the breaker.

use std::time::Duration;

use keelson_api::names;
use keelson_core::{Action, Decision, DecisionId, Feature, Mode, ObjectRef, Reason, Span, Verb};
use tokio::time::Instant;

use super::wire::Call;
use super::{Executor, Inner, Remark, lock};
use crate::gate::{Bid, Verdict};

/// How often breakers and what disruptions left behind are looked at.
const GLANCE: Span = Span::seconds(5);
/// How long an object that nobody caches is waited for.
const READ: Duration = Duration::from_secs(5);

impl Inner {
    /// The mode a decision may be carried out in, and the annotation that lowered it. An annotation never raises it.
    pub(super) async fn mode(
        &self,
        effective: Mode,
        subject: &ObjectRef,
        actions: &[Action],
    ) -> (Mode, Option<String>) {
        let mut lowest = (effective, None);
        // Most actions are about the subject.
        let others = actions.iter().map(|action| &action.object).filter(|object| *object != subject);
        for object in std::iter::once(subject).chain(others) {
            if lowest.0 == Mode::Off {
                break;
            }
            // What has no name yet has no annotation either.
            if object.name.is_empty() {
                continue;
            }
            let Some(word) = self.wanted_mode(object, lowest.0).await else { continue };
            // A word nobody understands was meant to hold something back.
            let (mode, problem) = match word.parse::<Mode>() {
                Ok(mode) => (mode, String::new()),
                Err(error) => (Mode::Observe, format!(" ({error}; read as Observe)")),
            };
            if mode < lowest.0 {
                lowest = (mode, Some(format!("{object} is annotated {}: {word}{problem}", names::MODE)));
            }
        }
        lowest
    }

    /// What an object's annotation says. Objects of kinds that nobody caches are asked for, but only before acting.
    async fn wanted_mode(&self, object: &ObjectRef, mode: Mode) -> Option<String> {
        if self.caches.holds_kind(object) {
            return self.caches.annotations(object)?.remove(names::MODE);
        }
        if mode < Mode::Enforce {
            return None;
        }
        let deadline = Instant::now() + READ;
        let place = self.kinds.place(&self.wire, object, deadline).await.ok()?;
        let answer = self.wire.once(&Call::get(place.path(object, ""))).await.ok()?;
        let annotation = answer.body.pointer("/metadata/annotations")?.get(names::MODE)?;
        annotation.as_str().filter(|_| answer.is_ok()).map(str::to_owned)
    }

    /// Asks the disruption gate for every pod that would be taken away: all of them or none.
    pub(super) async fn ask_gate(
        &self,
        feature: Feature,
        decision: &Decision,
        actions: &[Action],
    ) -> Result<(), (String, Vec<DecisionId>)> {
        if !actions.iter().any(takes_a_pod) {
            return Ok(());
        }
        let pods = self.disruptable().await.map_err(|why| (why, Vec::new()))?;
        // A pod that has ended takes nothing away any more.
        let takes_a_pod = |action: &Action| takes_a_pod(action) && !self.has_ended(&action.object);
        let saving = decision.inputs.get("saving").and_then(|text| text.parse().ok()).unwrap_or_default();
        let mut gate = lock(&self.gate);
        for (at, action) in actions.iter().enumerate().filter(|(_, action)| takes_a_pod(action)) {
            let makes_room = decision.verb == Verb::Preempt;
            let bid = Bid { feature, decision: decision.id, pod: action.object.clone(), saving, makes_room };
            if let Verdict::Held { why, waits_for } = gate.ask(&bid, &pods, self.clock.now()) {
                let granted = actions.iter().take(at).filter(|action| takes_a_pod(action));
                granted.for_each(|action| gate.release(&action.object));
                return Err((why, waits_for));
            }
        }
        Ok(())
    }

    /// Gives back what the gate granted for actions that did not happen.
    pub(super) fn release_gate(&self, actions: &[Action]) {
        let mut gate = lock(&self.gate);
        actions.iter().filter(|action| takes_a_pod(action)).for_each(|action| gate.release(&action.object));
    }

    /// Tells the breaker how a decision's actions ended.
    pub(super) fn judge(&self, feature: Feature, decision: &Decision, ok: bool) {
        let now = self.clock.now();
        let opened = lock(&self.breakers).entry(feature).or_default().acted(&decision.subject, ok, now);
        if let Some(why) = opened {
            self.open_breaker(feature, &why);
        }
    }

    fn open_breaker(&self, feature: Feature, why: &str) {
        tracing::error!(%feature, "the circuit breaker opened: {why}");
        self.switches.change(feature, |switch| switch.breaker = Some(why.to_owned()));
        let remark = Remark {
            id: None,
            controller: "breaker",
            subject: ObjectRef::cluster("Platform", names::PLATFORM).in_group(names::GROUP),
            verb: Verb::Configure,
            reason: Reason::BreakerOpened,
            sentence: format!("The circuit breaker holds {feature}: {why}."),
        };
        self.remark(feature, remark);
    }

    /// Closes breakers whose time has come, and learns what disruptions left behind.
    async fn look_after(&self) {
        let now = self.clock.now();
        for feature in Feature::ALL {
            let half_open = lock(&self.breakers).get_mut(&feature).is_some_and(|breaker| breaker.tick(now));
            if half_open {
                tracing::info!(%feature, "the circuit breaker is half open");
                self.switches.change(feature, |switch| switch.breaker = None);
            }
        }
        if !lock(&self.gate).has_unsettled(now) {
            return;
        }
        let Ok(pods) = self.disruptable().await else { return };
        let settled = lock(&self.gate).settled(&pods, self.clock.now());
        for left in settled.into_iter().filter(|left| left.harmed) {
            let now = self.clock.now();
            let opened = lock(&self.breakers).entry(left.feature).or_default().harmed(&left.workload, now);
            if let Some(why) = opened {
                self.open_breaker(left.feature, &why);
            }
        }
    }
}

/// Looks after breakers and the gate until the process stops.
pub(crate) async fn look_after(executor: Executor) {
    loop {
        executor.0.clock.sleep(GLANCE).await;
        executor.0.look_after().await;
    }
}

fn takes_a_pod(action: &Action) -> bool {
    action.kind.disrupts() && action.object.group.is_empty() && action.object.kind == "Pod"
}
