//! What the world shows of an action whose answer nobody got.
//!
//! What was made, applied or bound carries the decision that did it. The other verbs leave no mark: where the world is as
//! they wanted it, and was not when they were sent, they are taken to have been carried out.
//!
//! Promises: an object of the same name is not taken for the one that was meant; what shows nothing yet is told from what
//! shows that it went otherwise.

use keelson_api::names;
use keelson_core::{Action, ActionKind, Decision, StepResult};
use serde_json::Value;
use tokio::time::{Duration, Instant};

use super::Inner;
use super::key::{ANNOTATION, contains, key};

/// How long looking at one object may take.
const READ: Duration = Duration::from_secs(5);

/// What looking found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Look {
    /// How it ended.
    Shows(StepResult, String),
    /// Nothing of it, yet.
    Nothing(String),
}

impl Look {
    fn done(detail: &str) -> Self {
        Self::Shows(StepResult::Done, detail.to_owned())
    }

    fn nothing(why: &str) -> Self {
        Self::Nothing(why.to_owned())
    }
}

impl Inner {
    /// Looks how an action of a decision went.
    pub(super) async fn look(&self, decision: &Decision, action: &Action) -> Result<Look, String> {
        let (object, deadline) = (&action.object, Instant::now() + READ);
        if matches!(action.kind, ActionKind::Event { .. } | ActionKind::Orders(_) | ActionKind::Call(_)) {
            return Ok(Look::nothing("no object shows how it went"));
        }
        let place = self.kinds.place(&self.wire, object, deadline).await?;
        let subresource = if matches!(action.kind, ActionKind::Scale { .. }) { "scale" } else { "" };
        let live = self.read(object, place.path(object, subresource), deadline).await?;
        Ok(shows(decision, action, live.as_ref()))
    }

    /// Looks how a decision went of which only the record is left: whoever began it is gone.
    pub(super) async fn look_at_all(&self, decision: &Decision) -> Result<Look, String> {
        if decision.actions.is_empty() {
            return self.look_at_subject(decision).await;
        }
        let mut all = (StepResult::Unchanged, String::new());
        let only_tells = decision.actions.iter().all(|action| action.kind.only_tells());
        for action in decision.actions.iter().filter(|action| only_tells || !action.kind.only_tells()) {
            match self.look(decision, action).await? {
                Look::Shows(StepResult::Unchanged, detail) if all.0 == StepResult::Unchanged => all.1 = detail,
                Look::Shows(StepResult::Unchanged, _) => {}
                Look::Shows(StepResult::Done, detail) => all = (StepResult::Done, detail),
                Look::Shows(result, detail) => return Ok(Look::Shows(result, format!("{action}: {detail}"))),
                Look::Nothing(detail) => {
                    return Ok(Look::Nothing(format!("the process ended first; {action}: {detail}")));
                }
            }
        }
        Ok(Look::Shows(all.0, all.1))
    }

    /// Looks at the subject of a decision whose actions were events, or that an older version began.
    async fn look_at_subject(&self, decision: &Decision) -> Result<Look, String> {
        let (object, deadline) = (&decision.subject, Instant::now() + READ);
        let place = self.kinds.place(&self.wire, object, deadline).await?;
        let live = self.read(object, place.path(object, ""), deadline).await?;
        Ok(match live.as_ref().map(|live| is_its(decision, live)) {
            Some(true) => Look::done("the object carries this decision"),
            Some(false) => Look::nothing("the process ended first; the object shows nothing of it"),
            None => Look::nothing("the process ended first; the object is gone by now"),
        })
    }
}

/// What an object shows of an action; `live` is [`None`] when it is gone, or another has its name.
fn shows(decision: &Decision, action: &Action, live: Option<&Value>) -> Look {
    let so = |is_so: bool| match is_so {
        true => Look::done("it is so; the answer was lost"),
        false => Look::nothing("the object shows nothing of it"),
    };
    let takes_away = matches!(action.kind, ActionKind::Delete | ActionKind::Evict);
    let Some(live) = live else {
        let gone = Look::nothing("the object is gone, or was never there");
        return if takes_away { Look::done("the object is gone; the answer was lost") } else { gone };
    };
    match &action.kind {
        ActionKind::Create(intent) => {
            let (result, detail) = made(decision, &key(&action.object, "create", intent), live);
            Look::Shows(result, detail.to_owned())
        }
        ActionKind::Apply(_) | ActionKind::Bind { .. } if is_its(decision, live) => {
            Look::done("it carries this decision")
        }
        ActionKind::Apply(intent) if its_key(live) == Some(key(&action.object, "apply", intent).as_str()) => {
            Look::Shows(StepResult::Unchanged, "it is so by now".to_owned())
        }
        ActionKind::Bind { node } => match bound(decision, node, live) {
            Some((result, detail)) => Look::Shows(result, detail),
            None => so(false),
        },
        ActionKind::Delete | ActionKind::Evict => so(live.pointer("/metadata/deletionTimestamp").is_some()),
        ActionKind::Scale { replicas } => so(count(live) == i64::from(*replicas)),
        ActionKind::ApplyStatus(intent) | ActionKind::Resize(intent) => so(contains(live, intent)),
        ActionKind::Patch(patch) => so(changes_nothing(patch, live)),
        _ => so(false),
    }
}

/// Whose an object is that was to be created.
pub(super) fn made(decision: &Decision, key: &str, live: &Value) -> (StepResult, &'static str) {
    match its_key(live) {
        Some(its_key) if its_key == key && is_its(decision, live) => {
            (StepResult::Done, "it exists and carries this decision")
        }
        Some(its_key) if its_key == key => (StepResult::Unchanged, "created before"),
        _ => (StepResult::Conflict, "it exists and was not made by this decision"),
    }
}

/// Where a pod is bound that was to be bound to `node`, and by whom; [`None`] while it is not.
pub(super) fn bound(decision: &Decision, node: &str, pod: &Value) -> Option<(StepResult, String)> {
    let bound_to = pod.pointer("/spec/nodeName").and_then(Value::as_str).filter(|name| !name.is_empty())?;
    if bound_to != node {
        return Some((StepResult::Conflict, format!("the pod is bound to {bound_to}")));
    }
    Some(match its_decision(pod) {
        Some(_) if is_its(decision, pod) => (StepResult::Done, "the pod says it is bound".to_owned()),
        Some(by) => (StepResult::Unchanged, format!("bound there by decision {by}")),
        None => (StepResult::Unchanged, "bound there by somebody else".to_owned()),
    })
}

/// The replicas that a scale asks for.
pub(super) fn count(scale: &Value) -> i64 {
    scale.pointer("/spec/replicas").and_then(Value::as_i64).unwrap_or_default()
}

/// Whether every operation of a JSON Patch that changes something has nothing left to change. Its tests are of what was
/// before.
fn changes_nothing(patch: &Value, live: &Value) -> bool {
    let Ok(operations) = serde_json::from_value::<json_patch::Patch>(patch.clone()) else { return false };
    operations.0.into_iter().all(|operation| match &operation {
        json_patch::PatchOperation::Test(_) => true,
        json_patch::PatchOperation::Remove(removed) => removed.path.resolve(live).is_err(),
        _ => {
            let mut changed = live.clone();
            json_patch::patch(&mut changed, &[operation]).is_ok() && changed == *live
        }
    })
}

/// The key of the act that last made or applied an object.
pub(super) fn its_key(live: &Value) -> Option<&str> {
    live.pointer("/metadata/annotations")?.get(ANNOTATION)?.as_str()
}

/// The decision that an object or a bound pod carries.
pub(super) fn its_decision(live: &Value) -> Option<&str> {
    live.pointer("/metadata/annotations")?.get(names::DECISION)?.as_str()
}

fn is_its(decision: &Decision, live: &Value) -> bool {
    its_decision(live) == Some(decision.id.to_string().as_str())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use keelson_core::{Feature, ObjectRef, Reason, Timestamp, Verb};
    use serde_json::json;

    use super::*;

    #[test]
    fn a_verb_without_a_mark_is_taken_for_done_where_the_world_is_as_it_wanted() {
        let object = ObjectRef::namespaced("Pod", "shop", "cart");
        let what = (Verb::Place, Reason::PodPlaced);
        let decision = Decision::new((Feature::Scheduling, "test"), 1, object.clone(), what, "A test.", Timestamp(0));
        let taints = json!([
            {"op": "test", "path": "/spec/taints/0/key", "value": "a"},
            {"op": "remove", "path": "/spec/taints"},
            {"op": "add", "path": "/metadata/labels/x", "value": "y"},
        ]);
        let before = json!({"metadata": {"labels": {}}, "spec": {"taints": [{"key": "a"}]}});
        let half = json!({"metadata": {"labels": {"x": "y"}}, "spec": {"taints": [{"key": "a"}]}});
        let after = json!({"metadata": {"labels": {"x": "y"}}, "spec": {}});
        let going = json!({"metadata": {"deletionTimestamp": "2026-11-28T22:00:00Z"}});
        for (kind, live, done) in [
            (ActionKind::Patch(taints.clone()), Some(&before), false),
            (ActionKind::Patch(taints.clone()), Some(&half), false),
            (ActionKind::Patch(taints), Some(&after), true),
            (ActionKind::Evict, Some(&before), false),
            (ActionKind::Evict, Some(&going), true),
            (ActionKind::Evict, None, true),
            (ActionKind::Delete, None, true),
            (ActionKind::Scale { replicas: 3 }, Some(&json!({"spec": {"replicas": 3}})), true),
            (ActionKind::Scale { replicas: 3 }, Some(&json!({"spec": {"replicas": 1}})), false),
            (ActionKind::Scale { replicas: 3 }, None, false),
        ] {
            let action = Action { decision: decision.id, object: object.clone(), kind };
            let look = shows(&decision, &action, live);
            assert_eq!(matches!(look, Look::Shows(StepResult::Done, _)), done, "{action}: {look:?}");
        }
    }
}
