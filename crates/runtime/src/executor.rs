//! Carrying out plans.
//!
//! A decision is recorded before its first action starts and closed after its last. Between the two stands the gate: mode,
//! annotations, leadership, pause, breaker, disruption budget, asked again before every action. When an action of a
//! decision fails, the earlier ones of the same decision that can be taken back are.
//!
//! Promises: below Enforce nothing is acted on; a leader that was replaced stops where it is; nothing is written that is
//! so already; every action ends as a step of its decision, also when the reconcile is cut off.

mod act;
mod disruptable;
mod hold;
mod key;
mod kinds;
mod look;
mod provider;
mod settle;
mod wire;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError, RwLock};

use keelson_core::{
    Action, ActionKind, Condition, ConditionStatus, Decision, DecisionId, Feature, IdSource, Mode, ObjectRef, Outcome,
    Plan, Reason, Span, Step, StepResult, Timestamp, Verb,
};
use tokio::time::Instant;
use tracing::Instrument;

use crate::breaker::Breaker;
use crate::cache::Caches;
use crate::events::{Events, Said, Silent, Speaker};
use crate::gate::Gate;
use crate::metrics::Metrics;
use crate::reach::Reach;
use crate::switch::{Hold, Switch, Switches};
use crate::{Chance, Clock, Config, History, watch};
use act::Acted;
pub(crate) use hold::look_after;
pub use provider::{Provided, Provider};
use settle::Unanswered;
pub(crate) use settle::keep_settled;
use wire::{Call, Wire};

/// How long a call that is out when a pause comes may still take.
const GRACE: std::time::Duration = std::time::Duration::from_millis(500);

/// How many refused applies a feature's condition names.
const CONFLICTS: usize = 10;
/// How long one is named when it is not met again: twice the longest back-off.
const CONFLICT_AGE: Span = Span::minutes(10);

/// By what a plan was overtaken since it was made, if it was.
pub type Overtaken<'a> = dyn Fn() -> Option<String> + Send + Sync + 'a;

/// The one interpreter of plans; clones share it.
#[derive(Clone)]
pub struct Executor(Arc<Inner>);

pub(crate) struct Inner {
    clock: Clock,
    chance: Chance,
    identity: String,
    trace_id: fn() -> String,
    history: Arc<dyn History>,
    switches: Arc<Switches>,
    metrics: Metrics,
    caches: Caches,
    wire: Wire,
    kinds: kinds::Kinds,
    events: Mutex<Events>,
    gate: Mutex<Gate>,
    disruptable: OnceLock<disruptable::Kept>,
    breakers: Mutex<BTreeMap<Feature, Breaker>>,
    conflicts: Mutex<BTreeMap<(Feature, ObjectRef), (String, Timestamp)>>,
    providers: RwLock<BTreeMap<&'static str, Arc<dyn Provider>>>,
    busy: watch::Sender<usize>,
    /// Decisions of this process that may have been carried out, or may yet be.
    unknown: Mutex<BTreeMap<DecisionId, Unanswered>>,
    /// Open decisions whose objects have shown nothing of them once.
    looked_at: Mutex<BTreeSet<DecisionId>>,
}

/// How a decision ended, and what was done of it.
type Ended = (Outcome, Vec<Step>);
/// Tells how one went of which that is not known yet.
type Telling = watch::Receiver<Option<Ended>>;
/// A decision that is not worked on any more.
type Closed = (Ended, Option<Telling>);

/// What came of a plan.
#[derive(Debug, Clone, Default)]
pub struct Report {
    /// By decision: how its actions ended and what was done. Every decision of the plan is in it.
    pub decisions: BTreeMap<DecisionId, Ended>,
    /// Actions that name no decision of the plan. They are never done: the same plan would fail again.
    pub orphans: usize,
    /// Who will tell how those went that ended as `Pending`.
    unsettled: BTreeMap<DecisionId, Telling>,
}

impl Report {
    /// Whether of every decision it is known how it went. What is not may have been carried out, or may yet be.
    #[must_use]
    pub fn is_settled(&self) -> bool {
        self.unsettled.is_empty()
    }

    /// The report once a look has told of every decision how it went. That takes seconds where the API server answers, and
    /// as long as it is away or another leads. A decision that somebody else closed meanwhile stays `Pending`.
    pub async fn settled(mut self) -> Self {
        for (id, mut told) in std::mem::take(&mut self.unsettled) {
            if let Ok(ended) = told.wait_for(Option::is_some).await {
                self.decisions.extend(ended.clone().map(|ended| (id, ended)));
            }
        }
        self
    }

    /// Whether any action ended so.
    #[must_use]
    pub fn has(&self, result: StepResult) -> bool {
        self.decisions.values().flat_map(|(_, steps)| steps).any(|step| step.result == result)
    }
}

/// What the runtime itself has to say about a feature or one of its keys.
pub(crate) struct Remark<'a> {
    /// The decision's id, when it was given out before.
    pub(crate) id: Option<DecisionId>,
    pub(crate) controller: &'a str,
    pub(crate) subject: ObjectRef,
    pub(crate) verb: Verb,
    pub(crate) reason: Reason,
    pub(crate) sentence: String,
}

/// Counts a run until it is dropped.
struct Busy<'a>(&'a watch::Sender<usize>);

impl<'a> Busy<'a> {
    fn new(count: &'a watch::Sender<usize>) -> Self {
        count.send_modify(|count| *count += 1);
        Self(count)
    }
}

impl Drop for Busy<'_> {
    fn drop(&mut self) {
        self.0.send_modify(|count| *count -= 1);
    }
}

/// A decision under way. Dropped before it is closed, when a deadline or a stop cut it off, it is closed as failed.
struct Open<'a> {
    inner: &'a Inner,
    decision: Decision,
    steps: Vec<Step>,
    undo: Vec<(String, Call)>,
    /// What was done or sent last, but for what only tells.
    under_way: Option<Unanswered>,
    closed: bool,
}

impl Open<'_> {
    fn has_changed_anything(&self) -> bool {
        self.steps.iter().any(|step| step.result == StepResult::Done)
    }

    /// Says how it ended; `Pending` when nobody knows: then it is looked at later (see [`settle`]), and told.
    fn close(mut self, outcome: Outcome) -> Closed {
        let telling = self.end(outcome);
        ((outcome, std::mem::take(&mut self.steps)), telling)
    }

    fn end(&mut self, outcome: Outcome) -> Option<Telling> {
        self.closed = true;
        self.inner.history.finish(self.decision.id, outcome, self.steps.clone());
        match outcome {
            Outcome::Pending => {
                let of = self.decision.feature;
                let unanswered = self.under_way.take().unwrap_or_else(|| Unanswered::new(of, None, true));
                let telling = unanswered.told.subscribe();
                lock(&self.inner.unknown).insert(self.decision.id, unanswered);
                Some(telling)
            }
            outcome => {
                self.inner.metrics.recorded(&self.decision, outcome);
                None
            }
        }
    }
}

impl Drop for Open<'_> {
    fn drop(&mut self) {
        if !self.closed {
            let detail = "cut off: the deadline passed or the process stops; it may have been done".to_owned();
            let (at, action) = (self.inner.clock.now(), "carry out the rest".to_owned());
            self.steps.push(Step { at, action, result: StepResult::Failed, detail });
            self.end(Outcome::Pending);
        }
    }
}

impl Executor {
    pub(crate) fn new(
        config: &Config,
        chance: &Chance,
        reach: &Reach,
        metrics: &Metrics,
        switches: &Arc<Switches>,
        caches: &Caches,
    ) -> Self {
        let wire = Wire { client: config.client.clone(), chance: chance.clone(), reach: reach.clone() };
        Self(Arc::new(Inner {
            clock: config.clock,
            chance: chance.clone(),
            identity: config.identity.clone(),
            trace_id: config.trace_id,
            history: Arc::clone(&config.history),
            switches: Arc::clone(switches),
            metrics: metrics.clone(),
            caches: caches.clone(),
            wire,
            kinds: kinds::Kinds::default(),
            events: Mutex::default(),
            gate: Mutex::default(),
            breakers: Mutex::default(),
            conflicts: Mutex::default(),
            providers: RwLock::default(),
            busy: watch::channel(0).0,
            unknown: Mutex::default(),
            looked_at: Mutex::default(),
            disruptable: OnceLock::new(),
        }))
    }

    /// Registers who carries out [`ActionKind::Orders`] and [`ActionKind::Call`] of a payload type.
    pub fn provide(&self, provider: Arc<dyn Provider>) {
        let mut providers = self.0.providers.write().unwrap_or_else(PoisonError::into_inner);
        providers.insert(provider.type_name(), provider);
    }

    /// Records a plan's decisions and carries out its actions, as far as the feature may act. Ids that are no version 7
    /// UUID are replaced, with the references to them; the mode, the fence and the trace are filled in.
    pub async fn run(&self, feature: Feature, plan: Plan, recording: Option<Vec<u8>>) -> Report {
        self.run_unless(feature, plan, recording, &|| None).await
    }

    /// As [`Self::run`], for a plan that may be overtaken between its record and its first action: asked at that moment,
    /// `overtaken` says by what. Nothing is done then, and the action ends as a conflict.
    pub async fn run_unless(
        &self,
        feature: Feature,
        plan: Plan,
        recording: Option<Vec<u8>>,
        overtaken: &Overtaken<'_>,
    ) -> Report {
        let _busy = Busy::new(&self.0.busy);
        let Plan { decisions, mut actions, conditions, .. } = plan;
        let mut report = Report::default();
        let subject = decisions.first().map(|decision| decision.subject.clone());
        let mut first = None;
        for mut decision in decisions {
            let given = decision.id;
            if given.0.get_version_num() != 7 {
                decision.id = self.0.chance.decision_id(self.0.clock.now());
            }
            if decision.plan.0.get_version_num() != 7 {
                let plan = *first.get_or_insert_with(|| self.0.chance.plan_id(self.0.clock.now()));
                decision.plan = plan;
            }
            let (mut mine, others): (Vec<_>, Vec<_>) = actions.into_iter().partition(|action| action.decision == given);
            actions = others;
            mine.iter_mut().for_each(|action| action.decision = decision.id);
            let id = decision.id;
            let span = tracing::info_span!(
                "act",
                controller = decision.controller,
                object = %decision.subject,
                "keelson.feature" = %feature,
                "keelson.decision.id" = %id,
                "k8s.namespace.name" = decision.subject.namespace,
                "k8s.object.name" = decision.subject.name,
            );
            let one = self.0.one(feature, decision, (&mine, overtaken), recording.as_ref());
            let (ended, telling) = one.instrument(span).await;
            report.decisions.insert(id, ended);
            report.unsettled.extend(telling.map(|telling| (id, telling)));
        }
        report.orphans = actions.len();
        for action in actions {
            tracing::error!(%feature, "not done, it names no decision of its plan: {action}");
        }
        if let Some(subject) = subject {
            self.0.subject_conditions(feature, &subject, &conditions).await;
        }
        report
    }

    /// Records a decision of the runtime's own: one without actions.
    pub(crate) fn remark(&self, feature: Feature, remark: Remark<'_>) {
        self.0.remark(feature, remark);
    }

    /// Returns when no plan is being carried out.
    pub(crate) async fn idle(&self) {
        let mut busy = self.0.busy.subscribe();
        // The sender lives as long as `self`.
        let _ = busy.wait_for(|busy| *busy == 0).await;
    }

    /// What a feature could not apply because somebody else owns it.
    pub(crate) fn conflict_condition(&self, feature: Feature) -> Option<Condition> {
        let (now, mut conflicts) = (self.0.clock.now(), lock(&self.0.conflicts));
        conflicts.retain(|_, (_, at)| now.since(*at) < CONFLICT_AGE);
        let mine = conflicts.iter().filter(|((whose, _), _)| *whose == feature);
        let texts: Vec<_> = mine.map(|((_, object), (text, _))| format!("{object}: {text}")).collect();
        let condition = Condition {
            kind: "FieldConflict".to_owned(),
            status: ConditionStatus::True,
            reason: "OwnedByAnother".to_owned(),
            message: format!("{}. Remove the field there, or exclude the object here.", texts.join("; ")),
        };
        (!texts.is_empty()).then_some(condition)
    }
}

impl Inner {
    /// One decision: stamped, recorded, gated, acted on, closed.
    async fn one(
        &self,
        feature: Feature,
        mut decision: Decision,
        (actions, overtaken): (&[Action], &Overtaken<'_>),
        recording: Option<&Vec<u8>>,
    ) -> Closed {
        let switch = self.switches.now(feature);
        let (mode, lowered) = self.mode(switch.effective, &decision.subject, actions).await;
        let made_under = decision.fence;
        (decision.mode, decision.fence) = (mode, switch.fence);
        if decision.trace_id.is_empty() {
            decision.trace_id = (self.trace_id)();
        }
        if actions.is_empty() {
            return self.only_record(decision, Outcome::NoAction, Vec::new());
        }
        if mode < Mode::Enforce {
            let detail = lowered.unwrap_or_default();
            return self.only_record(decision, Outcome::Would, self.steps(actions, StepResult::Would, &detail));
        }
        let replaced = made_under != 0 && made_under != switch.fence;
        if let Some(hold) = switch.held().or(replaced.then_some(Hold::NotLeading)) {
            let steps = self.steps(actions, StepResult::Held, &hold.to_string());
            return self.only_record(decision, Outcome::Would, steps);
        }
        if let Err((why, waits_for)) = self.ask_gate(feature, &decision, actions).await {
            let room = keelson_core::decision::MAX_CAUSES.saturating_sub(decision.causes.len());
            decision.cause_count += u32::try_from(waits_for.len()).unwrap_or(u32::MAX);
            decision.causes.extend(waits_for.into_iter().take(room));
            return self.only_record(decision, Outcome::Would, self.steps(actions, StepResult::Held, &why));
        }
        decision.outcome = Outcome::Pending;
        decision.actions =
            actions.iter().filter(|action| !matches!(action.kind, ActionKind::Event { .. })).cloned().collect();
        let began = Instant::now();
        let begun = self.history.begin(&decision, recording.cloned()).await;
        self.metrics.stage(feature, "persist", began.elapsed());
        if let Err(error) = begun {
            self.release_gate(actions);
            return self.only_record(
                decision,
                Outcome::Would,
                self.steps(actions, StepResult::Held, &error.to_string()),
            );
        }
        let began = Instant::now();
        let open = Open { inner: self, decision, steps: Vec::new(), undo: Vec::new(), under_way: None, closed: false };
        let mandate = self.switches.mandate(feature, open.decision.fence);
        let ended = mandate.act(self.carry_out(feature, open, (actions, overtaken))).await;
        self.metrics.stage(feature, "apply", began.elapsed());
        ended
    }

    fn only_record(&self, mut decision: Decision, outcome: Outcome, steps: Vec<Step>) -> Closed {
        decision.ended(outcome, steps.clone());
        self.metrics.recorded(&decision, outcome);
        self.history.offer(decision);
        ((outcome, steps), None)
    }

    async fn carry_out(
        &self,
        feature: Feature,
        mut open: Open<'_>,
        (actions, overtaken): (&[Action], &Overtaken<'_>),
    ) -> Closed {
        let fence = open.decision.fence;
        let mut switch = self.switches.subscribe(feature);
        let mut acts = 0;
        for (at, action) in actions.iter().enumerate() {
            let now = switch.borrow_and_update().clone();
            if let Some(hold) = now.holds(fence) {
                let rest = actions.get(at..).unwrap_or_default();
                open.steps.extend(self.steps(rest, StepResult::Held, &hold.to_string()));
                self.release_gate(rest);
                // What was to be told of what is done already does not make it undone.
                if acts > 0 && rest.iter().all(|action| action.kind.only_tells()) {
                    break;
                }
                return self.give_up(open, Outcome::Would).await;
            }
            if at == 0
                && let Some(why) = overtaken()
            {
                self.metrics.stepped(feature, action.kind.verb(), StepResult::Conflict.as_str());
                open.steps.push(self.step(action, StepResult::Conflict, &why));
                self.release_gate(actions);
                return self.give_up(open, Outcome::Failed).await;
            }
            if matches!(action.kind, ActionKind::Event { .. }) && at > 0 && !open.has_changed_anything() {
                open.steps.push(self.step(action, StepResult::Unchanged, "nothing was changed that could be told"));
                continue;
            }
            if !matches!(action.kind, ActionKind::Event { .. }) {
                let is_last = actions.iter().skip(at + 1).all(|action| action.kind.only_tells());
                open.under_way = Some(Unanswered::new(feature, Some(action.clone()), is_last));
            }
            let acted = tokio::select! {
                biased;
                why = cut_off(&mut switch, fence) => Acted::unknown(why),
                acted = self.act(feature, &open.decision, action) => acted,
            };
            self.metrics.stepped(feature, action.kind.verb(), acted.result.as_str());
            open.steps.push(self.step(action, acted.result, &acted.detail));
            open.undo.extend(acted.undo.map(|call| (action.to_string(), call)));
            if matches!(acted.result, StepResult::Done | StepResult::Unchanged) {
                acts += u32::from(acted.result == StepResult::Done && !action.kind.only_tells());
                continue;
            }
            // An event that is lost is no reason to take back what it speaks of.
            if matches!(action.kind, ActionKind::Event { .. }) {
                continue;
            }
            // What may have been carried out keeps its place in the budget until that is known.
            if !acted.unknown {
                open.under_way = None;
                self.release_gate(std::slice::from_ref(action));
            }
            let outcome = match acted.result {
                _ if acted.unknown => Outcome::Pending,
                StepResult::Held => Outcome::Would,
                _ => Outcome::Failed,
            };
            if acted.blamed {
                self.judge(feature, &open.decision, false);
            }
            return self.give_up(open, outcome).await;
        }
        if acts > 0 {
            self.judge(feature, &open.decision, true);
        }
        let outcome = match open.steps.iter().any(|step| step.result == StepResult::Failed) {
            _ if open.has_changed_anything() => Outcome::Done,
            true => Outcome::Failed,
            false => Outcome::NoAction,
        };
        open.close(outcome)
    }

    /// Takes back what was done, the last first, unless leadership is gone: then it is another's to tidy up.
    async fn give_up(&self, mut open: Open<'_>, outcome: Outcome) -> Closed {
        let leads = self.switches.now(open.decision.feature).fence == open.decision.fence;
        while let Some((action, call)) = open.undo.pop().filter(|_| leads) {
            let deadline = Instant::now() + std::time::Duration::from_secs(5);
            let answer = self.wire.until(&call, deadline).await;
            let (result, detail) = match &answer {
                Ok(answer) if answer.is_ok() || answer.code == 404 => (StepResult::Undone, String::new()),
                Ok(answer) => (StepResult::Failed, answer.refusal()),
                Err(why) => (StepResult::Failed, why.clone()),
            };
            open.steps.push(Step { at: self.clock.now(), action: format!("undo {action}"), result, detail });
        }
        open.close(outcome)
    }

    fn remark(&self, feature: Feature, remark: Remark<'_>) {
        let (now, switch) = (self.clock.now(), self.switches.now(feature));
        let id = remark.id.unwrap_or_else(|| self.chance.decision_id(now));
        let span = tracing::info_span!(
            "remark",
            controller = remark.controller,
            object = %remark.subject,
            "keelson.feature" = %feature,
            "keelson.decision.id" = %id,
        );
        let _in_it = span.entered();
        let what = (remark.verb, remark.reason);
        let decision = Decision {
            id,
            mode: switch.effective,
            plan: self.chance.plan_id(now),
            fence: switch.fence,
            trace_id: (self.trace_id)(),
            ..Decision::new((feature, remark.controller), 0, remark.subject, what, remark.sentence, now)
        };
        self.only_record(decision, Outcome::NoAction, Vec::new());
    }

    fn step(&self, action: &Action, result: StepResult, detail: &str) -> Step {
        Step { at: self.clock.now(), action: action.to_string(), result, detail: detail.to_owned() }
    }

    fn steps(&self, actions: &[Action], result: StepResult, detail: &str) -> Vec<Step> {
        actions.iter().map(|action| self.step(action, result, detail)).collect()
    }

    /// Conditions go to the status of our own kinds only, in every mode.
    async fn subject_conditions(&self, feature: Feature, subject: &ObjectRef, conditions: &[Condition]) {
        let Switch { leading, fence, .. } = self.switches.now(feature);
        if conditions.is_empty() || subject.group != keelson_api::names::GROUP || !leading {
            return;
        }
        let set = self.set_conditions(feature, subject, conditions);
        if let Err(why) = self.switches.mandate(feature, fence).act(set).await {
            tracing::warn!(%feature, "the conditions of {subject} were not written: {why}");
        }
    }

    async fn event(&self, feature: Feature, action: &Action, deadline: Instant) -> Result<Acted, String> {
        let ActionKind::Event { warning, reason, action: doing, note } = &action.kind else {
            return Err("not an event".to_owned());
        };
        let said = Said { object: &action.object, warning: *warning, reason, action: doing, note };
        let controller = keelson_api::names::reporter(feature);
        let speaker = Speaker { controller: &controller, instance: &self.identity };
        let body = match lock(&self.events).say(&said, &speaker, self.clock.now()) {
            Ok(body) => body,
            Err(Silent::Repeat) => return Ok(Acted::new(StepResult::Unchanged, "said within two minutes")),
            Err(Silent::Flood) => return Ok(Acted::new(StepResult::Unchanged, "the object has had too many events")),
        };
        let namespace = body.pointer("/metadata/namespace").and_then(|name| name.as_str()).unwrap_or("default");
        let path = format!("/apis/events.k8s.io/v1/namespaces/{namespace}/events");
        let answer = self.wire.until(&Call::post(path, body), deadline).await;
        Ok(match answer {
            Ok(answer) if answer.is_ok() || answer.code == 409 => Acted::new(StepResult::Done, ""),
            Ok(answer) => Acted::new(StepResult::Failed, format!("not written: {}", answer.refusal())),
            Err(why) => Acted::new(StepResult::Failed, format!("not written: {why}")),
        })
    }

    fn disagreed(&self, feature: Feature, object: &ObjectRef, text: &str) {
        let mut conflicts = lock(&self.conflicts);
        conflicts.insert((feature, object.clone()), (text.to_owned(), self.clock.now()));
        while conflicts.len() > CONFLICTS {
            conflicts.pop_first();
        }
        drop(conflicts);
        self.switches.touch();
    }

    fn agreed(&self, feature: Feature, object: &ObjectRef) {
        if lock(&self.conflicts).remove(&(feature, object.clone())).is_some() {
            self.switches.touch();
        }
    }
}

/// Returns when an action under way must end: at once when leadership is gone, for then another may act; a moment after a
/// pause, so that a call that is already out can be answered but no other follows.
async fn cut_off(switch: &mut watch::Receiver<Switch>, fence: u64) -> String {
    // The sender lives as long as the executor.
    let _ = switch.wait_for(|switch| switch.fence != fence || !switch.acts()).await;
    let lost = tokio::time::timeout(GRACE, switch.wait_for(|switch| switch.fence != fence)).await.is_ok();
    let why = if lost { "leadership was lost" } else { "actions were held" };
    format!("{why} while it was under way; it may have been done")
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
