//! Carrying out one action.
//!
//! Every verb answers the same questions: is it so already (then nothing is written), is it still the same object (then
//! only is it touched), and what would take it back. A write of which nobody knows in the end whether it was carried out is
//! no failure: that is said, and a later look tells (see `look`).

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition as Stored;
use keelson_api::{conditions, names};
use keelson_core::{Action, ActionKind, Condition, Decision, Feature, ObjectRef, StepResult};
use serde_json::{Value, json};
use tokio::time::{Duration, Instant};

use super::Inner;
use super::key::{ANNOTATION, contains, key};
use super::kinds::Place;
use super::look::{bound, count, its_decision, its_key, made};
use super::wire::{APPLY, Answer, Call, JSON_PATCH, MERGE, is_lost, set};

/// The longest an action may take, repeats included.
const DEADLINE: Duration = Duration::from_secs(10);

/// The part of it that is kept for reading how a lost call went.
const LOOK: Duration = Duration::from_secs(2);

/// How an action went, and what takes it back.
#[derive(Debug)]
pub(super) struct Acted {
    pub(super) result: StepResult,
    pub(super) detail: String,
    pub(super) undo: Option<Call>,
    /// Whether the action itself was at fault, as the breaker counts it: a lost race or an outage is nobody's fault.
    pub(super) blamed: bool,
    /// Whether it may have been carried out, or may yet be: a later look tells.
    pub(super) unknown: bool,
}

impl Acted {
    pub(super) fn new(result: StepResult, detail: impl Into<String>) -> Self {
        Self { result, detail: detail.into(), undo: None, blamed: false, unknown: false }
    }
    pub(super) fn unknown(detail: impl Into<String>) -> Self {
        Self { unknown: true, ..Self::failed(detail) }
    }
    fn done() -> Self {
        Self::new(StepResult::Done, "")
    }
    fn failed(detail: impl Into<String>) -> Self {
        Self::new(StepResult::Failed, detail)
    }
    /// The object is not the one that was meant any more: what was wanted of it is void.
    fn gone() -> Self {
        Self::new(StepResult::Unchanged, "the object is gone")
    }
    /// The object was to go and is gone: by an earlier try whose answer was lost, unless there was none.
    fn taken_away(after_a_loss: bool) -> Self {
        if after_a_loss { Self::new(StepResult::Done, "the object is gone; the answer was lost") } else { Self::gone() }
    }
    /// Ours or another's: nobody can tell any more.
    fn so_by_now() -> Self {
        Self::new(StepResult::Unchanged, "it is so by now")
    }
    fn undone_by(mut self, undo: Call) -> Self {
        self.undo = Some(undo);
        self
    }
    /// A refusal: of a precondition or an owner, or else a failure.
    fn refused(answer: &Answer) -> Self {
        match answer.code {
            404 => Self::gone(),
            409 => Self::new(StepResult::Conflict, answer.refusal()),
            _ => Self::rejected(answer),
        }
    }
    /// An answer that is a failure.
    fn rejected(answer: &Answer) -> Self {
        Self { blamed: !answer.is_transient(), ..Self::failed(answer.refusal()) }
    }
}

/// What goes wrong before anything is written is a failure.
impl From<String> for Acted {
    fn from(why: String) -> Self {
        Self::failed(why)
    }
}

impl Inner {
    /// Carries out one action of a decision.
    pub(super) async fn act(&self, feature: Feature, decision: &Decision, action: &Action) -> Acted {
        let deadline = Instant::now() + DEADLINE;
        self.try_act(feature, decision, action, deadline).await.unwrap_or_else(|acted| acted)
    }

    async fn try_act(
        &self,
        feature: Feature,
        decision: &Decision,
        action: &Action,
        deadline: Instant,
    ) -> Result<Acted, Acted> {
        let object = &action.object;
        match &action.kind {
            ActionKind::Event { .. } => return Ok(self.event(feature, action, deadline).await?),
            ActionKind::Orders(payload) | ActionKind::Call(payload) => {
                let key = key(object, action.kind.verb(), &payload.body);
                return Ok(self.provide(object, payload, &key).await);
            }
            _ => {}
        }
        let place = self.kinds.place(&self.wire, object, deadline).await?;
        match &action.kind {
            ActionKind::Create(intent) => self.create(decision, object, &place, intent, deadline).await,
            ActionKind::Apply(intent) => self.apply(feature, decision, object, &place, intent, deadline).await,
            ActionKind::ApplyStatus(intent) => self.apply_status(feature, object, &place, intent, deadline).await,
            ActionKind::Patch(patch) => self.patch(object, &place, patch, deadline).await,
            ActionKind::Delete => self.delete(object, &place, deadline).await,
            ActionKind::Evict => self.evict(object, &place, deadline).await,
            ActionKind::Bind { node } => self.bind(decision, object, &place, node, deadline).await,
            ActionKind::Scale { replicas } => self.scale(object, &place, *replicas, deadline).await,
            ActionKind::Resize(intent) => self.resize(object, &place, intent, deadline).await,
            ActionKind::Event { .. } | ActionKind::Orders(_) | ActionKind::Call(_) => {
                Err(Acted::failed("acted on before its place is asked for"))
            }
        }
    }

    /// The object as it is; `None` when it is gone, or another has its name.
    pub(super) async fn read(
        &self,
        object: &ObjectRef,
        path: String,
        deadline: Instant,
    ) -> Result<Option<Value>, String> {
        let answer = self.wire.until(&Call::get(path), deadline).await?;
        match answer.code {
            404 => Ok(None),
            _ if !answer.is_ok() => Err(answer.refusal()),
            _ => {
                let uid = answer.text("/metadata/uid");
                let same = object.uid.is_empty() || uid.is_empty() || object.uid == uid;
                Ok(same.then_some(answer.body))
            }
        }
    }

    async fn create(
        &self,
        decision: &Decision,
        object: &ObjectRef,
        place: &Place,
        intent: &Value,
        deadline: Instant,
    ) -> Result<Acted, Acted> {
        let key = key(object, "create", intent);
        let mut body = named(object, place, intent);
        mark(&mut body, decision, &key);
        if body.pointer("/metadata/labels").and_then(|labels| labels.get(names::MANAGED_BY)).is_none() {
            set(&mut body, &["metadata", "labels", names::MANAGED_BY], json!("keelson"));
        }
        let collection = ObjectRef { name: String::new(), ..object.clone() };
        // The last moments are kept for reading what became of a creation whose answers were all lost.
        let answer = self.wire.write(&Call::post(place.path(&collection, ""), body), deadline - LOOK).await;
        let not_seen = match answer {
            Ok(answer) if answer.is_ok() => {
                let undo = Call::delete(place.path(object, ""), answer.text("/metadata/uid"));
                return Ok(Acted::done().undone_by(undo));
            }
            Ok(answer) if answer.code != 409 && !answer.after_a_loss && !answer.is_transient() => {
                return Ok(Acted::rejected(&answer));
            }
            Ok(answer) if !answer.after_a_loss => Acted::rejected(&answer),
            Ok(answer) => Acted::unknown(answer.refusal()),
            Err(why) => Acted::unknown(why),
        };
        // It may exist. Ours, when an earlier try or an earlier life of this process made it.
        let there = self.wire.until(&Call::get(place.path(object, "")), deadline).await;
        let Some(there) = there.ok().filter(Answer::is_ok) else { return Ok(not_seen) };
        let (result, detail) = made(decision, &key, &there.body);
        Ok(Acted::new(result, detail))
    }

    async fn apply(
        &self,
        feature: Feature,
        decision: &Decision,
        object: &ObjectRef,
        place: &Place,
        intent: &Value,
        deadline: Instant,
    ) -> Result<Acted, Acted> {
        let key = key(object, "apply", intent);
        let live = self.read(object, place.path(object, ""), deadline).await?;
        if live.is_none() && !object.uid.is_empty() {
            return Ok(Acted::gone());
        }
        let mut body = named(object, place, intent);
        if live.as_ref().is_some_and(|live| its_key(live) == Some(key.as_str()) && contains(live, &body)) {
            return Ok(Acted::new(StepResult::Unchanged, ""));
        }
        mark(&mut body, decision, &key);
        if let Some(live) = &live {
            set(&mut body, &["metadata", "resourceVersion"], json!(version(live)));
        }
        let path = format!("{}?fieldManager={}", place.path(object, ""), names::field_manager(feature));
        let call = Call::patch(path.clone(), APPLY, body.clone());
        let mut answer = self.wire.write(&call, deadline).await.map_err(Acted::unknown)?;
        let met = owners(&answer);
        if !met.is_empty() && met.iter().all(|(_, field)| field.contains("keelson.dev/")) {
            // Two of our features meet in nothing but our own annotations, and the later decision is the one to show.
            let call = Call::patch(format!("{path}&force=true"), APPLY, body);
            answer = self.wire.write(&call, deadline).await.map_err(Acted::unknown)?;
        }
        let id = decision.id.to_string();
        let carries = |live: &Value| its_decision(live) == Some(id.as_str());
        if self.is_so_by_now(&answer, object, place.path(object, ""), carries, deadline).await? {
            return Ok(Acted::new(StepResult::Done, "it carries this decision"));
        }
        if !answer.is_ok() {
            return Ok(self.owned(feature, object, &answer));
        }
        self.agreed(feature, object);
        Ok(match live {
            Some(_) => Acted::done(),
            None => Acted::done().undone_by(Call::delete(place.path(object, ""), answer.text("/metadata/uid"))),
        })
    }

    async fn apply_status(
        &self,
        feature: Feature,
        object: &ObjectRef,
        place: &Place,
        intent: &Value,
        deadline: Instant,
    ) -> Result<Acted, Acted> {
        let Some(live) = self.read(object, place.path(object, ""), deadline).await? else { return Ok(Acted::gone()) };
        let wanted = named(object, place, intent);
        if contains(&live, &wanted) {
            return Ok(Acted::new(StepResult::Unchanged, ""));
        }
        let mut body = wanted.clone();
        set(&mut body, &["metadata", "resourceVersion"], json!(version(&live)));
        let path = format!("{}?fieldManager={}", place.path(object, "status"), names::field_manager(feature));
        let answer = self.wire.write(&Call::patch(path, APPLY, body), deadline).await.map_err(Acted::unknown)?;
        let is_so = |live: &Value| contains(live, &wanted);
        if self.is_so_by_now(&answer, object, place.path(object, ""), is_so, deadline).await? {
            return Ok(Acted::so_by_now());
        }
        if !answer.is_ok() {
            return Ok(self.owned(feature, object, &answer));
        }
        self.agreed(feature, object);
        Ok(Acted::done())
    }

    /// Whether a write that was refused for its version is done all the same: the other writer may have been an earlier try
    /// of it, whose answer was lost.
    async fn is_so_by_now(
        &self,
        answer: &Answer,
        object: &ObjectRef,
        path: String,
        is_so: impl Fn(&Value) -> bool,
        deadline: Instant,
    ) -> Result<bool, Acted> {
        if answer.code != 409 || !owners(answer).is_empty() {
            return Ok(false);
        }
        match self.read(object, path, deadline).await {
            Ok(live) => Ok(live.is_some_and(|live| is_so(&live))),
            Err(why) if answer.after_a_loss => Err(Acted::unknown(why)),
            Err(_) => Ok(false),
        }
    }

    /// A refused apply; when somebody else owns a field, it is remembered who.
    fn owned(&self, feature: Feature, object: &ObjectRef, answer: &Answer) -> Acted {
        let owners = owners(answer);
        if answer.code != 409 || owners.is_empty() {
            return Acted::refused(answer);
        }
        let texts: Vec<_> = owners.iter().map(|(owner, field)| format!("{field} is owned by {owner}")).collect();
        let text = texts.join(", ");
        self.disagreed(feature, object, &text);
        Acted::new(StepResult::Conflict, text)
    }

    /// A JSON Patch is tried on what is there first: a failing test is a conflict, and no change is no write.
    async fn patch(&self, object: &ObjectRef, place: &Place, patch: &Value, deadline: Instant) -> Result<Acted, Acted> {
        let path = place.path(object, "");
        let Some(live) = self.read(object, path.clone(), deadline).await? else { return Ok(Acted::gone()) };
        let operations: json_patch::Patch =
            serde_json::from_value(patch.clone()).map_err(|error| format!("not a JSON Patch: {error}"))?;
        let mut changed = live.clone();
        if let Err(error) = json_patch::patch(&mut changed, &operations) {
            return Ok(Acted::new(StepResult::Conflict, format!("the object has changed: {error}")));
        }
        if changed == live {
            return Ok(Acted::new(StepResult::Unchanged, ""));
        }
        let call = Call::patch(path, JSON_PATCH, patch.clone());
        let answer = self.wire.write(&call, deadline).await.map_err(Acted::unknown)?;
        Ok(match answer.code {
            _ if answer.is_ok() => Acted::done(),
            // The test that fails may have met what an earlier try changed.
            409 | 422 if answer.after_a_loss => Acted::unknown(answer.refusal()),
            // The server says 422 for a failed test.
            422 => Acted::new(StepResult::Conflict, answer.refusal()),
            _ => Acted::refused(&answer),
        })
    }

    async fn delete(&self, object: &ObjectRef, place: &Place, deadline: Instant) -> Result<Acted, Acted> {
        let call = Call::delete(place.path(object, ""), &object.uid);
        let answer = self.wire.write(&call, deadline).await.map_err(Acted::unknown)?;
        Ok(match answer.code {
            _ if answer.is_ok() => Acted::done(),
            // 409 is the precondition: another object has its name now.
            404 | 409 => Acted::taken_away(answer.after_a_loss),
            _ => Acted::rejected(&answer),
        })
    }

    async fn evict(&self, object: &ObjectRef, place: &Place, deadline: Instant) -> Result<Acted, Acted> {
        let mut body = json!({
            "apiVersion": "policy/v1",
            "kind": "Eviction",
            "metadata": {"name": object.name, "namespace": object.namespace},
        });
        if !object.uid.is_empty() {
            set(&mut body, &["deleteOptions", "preconditions", "uid"], json!(object.uid));
        }
        let call = Call::post(place.path(object, "eviction"), body);
        let (mut tries, mut lost) = (0, false);
        loop {
            let answer = self.wire.once(&call).await;
            match answer.as_ref().map(|answer| answer.code) {
                Ok(200..=299) => return Ok(Acted::done()),
                Ok(404 | 409) => return Ok(Acted::taken_away(lost)),
                // A disruption budget said no: that is an answer, not a failure.
                Ok(429) if !lost => return Ok(Acted::new(StepResult::Held, refusal(&answer))),
                Ok(429 | 500 | 502..=504) | Err(_) => lost |= is_lost(&answer),
                Ok(_) => return Ok(answer.as_ref().map_or_else(Acted::failed, Acted::rejected)),
            }
            if !self.wire.pause(&call.path, answer.as_ref().ok(), tries, deadline).await {
                let refused = || answer.as_ref().map_or_else(Acted::failed, Acted::rejected);
                return Ok(if lost { Acted::unknown(refusal(&answer)) } else { refused() });
            }
            tries += 1;
        }
    }

    /// A binding cannot be taken back and must not be made twice: when its answer was lost, the pod says how it went.
    async fn bind(
        &self,
        decision: &Decision,
        pod: &ObjectRef,
        place: &Place,
        node: &str,
        deadline: Instant,
    ) -> Result<Acted, Acted> {
        let mut body = json!({
            "apiVersion": "v1",
            "kind": "Binding",
            "metadata": {"name": pod.name, "namespace": pod.namespace},
            "target": {"apiVersion": "v1", "kind": "Node", "name": node},
        });
        if !pod.uid.is_empty() {
            set(&mut body, &["metadata", "uid"], json!(pod.uid));
        }
        annotate(&mut body, decision);
        let call = Call::post(place.path(pod, "binding"), body);
        let (mut tries, mut lost_once) = (0, false);
        loop {
            let answer = self.wire.once(&call).await;
            let lost = match answer.as_ref().map(|answer| answer.code) {
                Ok(200..=299) => return Ok(Acted::done()),
                Ok(404) => return Ok(Acted::gone()),
                Ok(429) => false,
                Ok(409 | 500..=599) | Err(_) => true,
                // An earlier try may be carried out yet.
                Ok(_) if lost_once => return Ok(Acted::unknown(refusal(&answer))),
                Ok(_) => return Ok(answer.as_ref().map_or_else(Acted::failed, Acted::rejected)),
            };
            if lost {
                let live = match self.read(pod, place.path(pod, ""), deadline).await {
                    Ok(Some(live)) => live,
                    Ok(None) => return Ok(Acted::gone()),
                    Err(why) => return Ok(Acted::unknown(why)),
                };
                if let Some((result, detail)) = bound(decision, node, &live) {
                    return Ok(Acted::new(result, detail));
                }
                if answer.as_ref().is_ok_and(|answer| answer.code == 409) {
                    return Ok(Acted::new(StepResult::Conflict, refusal(&answer)));
                }
            }
            lost_once |= lost;
            if !self.wire.pause(&call.path, answer.as_ref().ok(), tries, deadline).await {
                return Ok(if lost_once { Acted::unknown(refusal(&answer)) } else { Acted::failed(refusal(&answer)) });
            }
            tries += 1;
        }
    }

    async fn scale(&self, object: &ObjectRef, place: &Place, replicas: i32, deadline: Instant) -> Result<Acted, Acted> {
        let path = place.path(object, "scale");
        let Some(live) = self.read(object, path.clone(), deadline).await? else { return Ok(Acted::gone()) };
        let before = count(&live);
        if before == i64::from(replicas) {
            return Ok(Acted::new(StepResult::Unchanged, ""));
        }
        let to = |replicas: i64, over: &str| {
            let metadata = json!({"resourceVersion": over});
            Call::patch(path.clone(), MERGE, json!({"metadata": metadata, "spec": {"replicas": replicas}}))
        };
        let answer =
            self.wire.write(&to(i64::from(replicas), version(&live)), deadline).await.map_err(Acted::unknown)?;
        let is_so = |live: &Value| count(live) == i64::from(replicas);
        if self.is_so_by_now(&answer, object, path.clone(), is_so, deadline).await? {
            return Ok(Acted::so_by_now());
        }
        let undo = to(before, answer.text("/metadata/resourceVersion"));
        Ok(if answer.is_ok() { Acted::done().undone_by(undo) } else { Acted::refused(&answer) })
    }

    async fn resize(
        &self,
        object: &ObjectRef,
        place: &Place,
        intent: &Value,
        deadline: Instant,
    ) -> Result<Acted, Acted> {
        let Some(live) = self.read(object, place.path(object, ""), deadline).await? else { return Ok(Acted::gone()) };
        if contains(&live, intent) {
            return Ok(Acted::new(StepResult::Unchanged, ""));
        }
        // Strategic: containers are merged by name.
        let kind = "application/strategic-merge-patch+json";
        let mut body = intent.clone();
        set(&mut body, &["metadata", "resourceVersion"], json!(version(&live)));
        let call = Call::patch(place.path(object, "resize"), kind, body);
        let answer = self.wire.write(&call, deadline).await.map_err(Acted::unknown)?;
        let is_so = |live: &Value| contains(live, intent);
        if self.is_so_by_now(&answer, object, place.path(object, ""), is_so, deadline).await? {
            return Ok(Acted::so_by_now());
        }
        Ok(if answer.is_ok() { Acted::done() } else { Acted::refused(&answer) })
    }
}

fn refusal(answer: &Result<Answer, String>) -> String {
    match answer {
        Ok(answer) => answer.refusal(),
        Err(why) => why.clone(),
    }
}

impl Inner {
    /// Sets conditions in the status of an object of ours; written only when they change.
    pub(super) async fn set_conditions(
        &self,
        feature: Feature,
        object: &ObjectRef,
        wanted: &[Condition],
    ) -> Result<(), String> {
        let deadline = Instant::now() + DEADLINE;
        let place = self.kinds.place(&self.wire, object, deadline).await?;
        let Some(live) = self.read(object, place.path(object, ""), deadline).await? else { return Ok(()) };
        let generation = live.pointer("/metadata/generation").and_then(Value::as_i64).unwrap_or_default();
        let there = live.pointer("/status/conditions").cloned().unwrap_or_default();
        let mut list: Vec<Stored> = serde_json::from_value(there).unwrap_or_default();
        list.retain(|stored| wanted.iter().any(|condition| condition.kind == stored.type_));
        for condition in wanted {
            conditions::set(&mut list, condition, generation, self.clock.now());
        }
        let intent = json!({"status": {"observedGeneration": generation, "conditions": list}});
        let acted = self.apply_status(feature, object, &place, &intent, deadline).await.unwrap_or_else(|acted| acted);
        match acted.result {
            StepResult::Done | StepResult::Unchanged => Ok(()),
            _ => Err(acted.detail),
        }
    }
}

/// The intent with what makes it an object: its type, name and, when known, uid.
fn named(object: &ObjectRef, place: &Place, intent: &Value) -> Value {
    let mut body = intent.clone();
    set(&mut body, &["apiVersion"], json!(place.api_version(&object.group)));
    set(&mut body, &["kind"], json!(object.kind));
    set(&mut body, &["metadata", "name"], json!(object.name));
    if !object.namespace.is_empty() {
        set(&mut body, &["metadata", "namespace"], json!(object.namespace));
    }
    if let Some(meta) = body.get_mut("metadata").and_then(Value::as_object_mut) {
        meta.remove("managedFields");
    }
    body
}

/// The version that was read: what is written over it is refused when another wrote meanwhile, be it a later leader.
fn version(live: &Value) -> &str {
    live.pointer("/metadata/resourceVersion").and_then(Value::as_str).unwrap_or_default()
}

/// Says on the object which decision and which act last changed it.
fn mark(body: &mut Value, decision: &Decision, key: &str) {
    annotate(body, decision);
    set(body, &["metadata", "annotations", ANNOTATION], json!(key));
}

fn annotate(body: &mut Value, decision: &Decision) {
    set(body, &["metadata", "annotations", names::DECISION], json!(decision.id));
    if !decision.trace_id.is_empty() {
        set(body, &["metadata", "annotations", names::TRACE], json!(decision.trace_id));
    }
}

/// Who owns the fields that an apply was refused for: `(manager, field)`.
fn owners(answer: &Answer) -> Vec<(String, String)> {
    let causes = answer.body.pointer("/details/causes").and_then(Value::as_array).into_iter().flatten();
    let conflicts = causes.filter(|cause| cause.get("reason").and_then(Value::as_str) == Some("FieldManagerConflict"));
    let text = |cause: &Value, name: &str| cause.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
    let owner = |cause: &Value| text(cause, "message").split('"').nth(1).unwrap_or("another manager").to_owned();
    conflicts.map(|cause| (owner(cause), text(cause, "field"))).collect()
}
