//! What follows from a decision: the binding, what must be written before it, or the refusal; and who is told.
//!
//! The texts are those that kube-scheduler 1.36 writes, because people and autoscalers read them.

use keelson_api::conditions::stamp;
use keelson_core::{Action, ActionKind, Mode, ObjectRef, Reason};
use keelson_placement::Victim;
use serde_json::json;

use super::volumes::Write;
use super::{Ask, Finding};

/// An event's note may have 1,024 characters; kube-scheduler cuts it and says so.
const LONGEST_NOTE: usize = 1_024;

pub(super) fn actions(ask: &Ask, found: &Finding) -> Vec<Action> {
    if ask.settings.mode < Mode::Enforce {
        return Vec::new();
    }
    let action = |kind| Action { decision: ask.decision, object: ask.subject(), kind };
    if let Some((_, writes)) = &found.volumes {
        let patched = |write: &Write| {
            let kind = ActionKind::Patch(write.patch.clone());
            Action { decision: ask.decision, object: write.object.clone(), kind }
        };
        return writes.iter().map(patched).collect();
    }
    match (&found.node, &found.message) {
        (Some(node), _) => {
            let note = format!("Successfully assigned {} to {node}", ask.subject().path());
            vec![action(ActionKind::Bind { node: node.clone() }), action(event(false, "Scheduled", "Binding", note))]
        }
        (None, Some(message)) => {
            // The room is spoken for before it is made.
            let mut actions = vec![
                action(event(true, "FailedScheduling", "Scheduling", message.clone())),
                action(condition(ask, found, message)),
            ];
            let staying = found.victims.iter().filter(|victim| !victim.leaving);
            actions.extend(staying.flat_map(|victim| eviction(ask, found, victim)));
            actions
        }
        (None, None) => Vec::new(),
    }
}

/// A pod on a node as an object.
pub(super) fn object(victim: &Victim) -> ObjectRef {
    let (namespace, name) = victim.key.split_once('/').unwrap_or_default();
    ObjectRef::namespaced("Pod", namespace, name).with_uid(&victim.uid)
}

/// What kube-scheduler does to a victim: it says why, deletes it and tells whom it was for.
fn eviction(ask: &Ask, found: &Finding, victim: &Victim) -> [Action; 3] {
    let action = |kind| Action { decision: ask.decision, object: object(victim), kind };
    let node = found.nominated.as_deref().unwrap_or_default();
    let condition = json!({
        "type": "DisruptionTarget", "status": "True", "reason": "PreemptionByScheduler",
        "message": format!("{}: preempting to accommodate a higher priority pod", ask.settings.scheduler),
        "lastTransitionTime": stamp(ask.now),
    });
    [
        action(ActionKind::ApplyStatus(json!({"status": {"conditions": [condition]}}))),
        action(ActionKind::Delete),
        action(event(false, "Preempted", "Preempting", format!("Preempted by pod {} on node {node}", ask.pod.uid))),
    ]
}

fn event(warning: bool, reason: &str, action: &str, note: String) -> ActionKind {
    ActionKind::Event { warning, reason: reason.into(), action: action.into(), note: shortened(note) }
}

fn shortened(note: String) -> String {
    const CUT: &str = " ...";
    if note.len() <= LONGEST_NOTE {
        return note;
    }
    let end = note.floor_char_boundary(LONGEST_NOTE - CUT.len());
    format!("{}{CUT}", note.get(..end).unwrap_or_default())
}

/// `PodScheduled=False`. Its time moves only when its status does, as `podutil.UpdatePodCondition` has it.
fn condition(ask: &Ask, found: &Finding, message: &str) -> ActionKind {
    let before = ask.stated.as_ref().filter(|stated| stated.status == "False").and_then(|stated| stated.since.clone());
    let since = before.map_or_else(|| json!(stamp(ask.now)), |since| json!(since));
    // Autoscalers make nodes for pods with the reason Unschedulable; a refused pod would not go there either.
    let reason = match found.reason {
        Reason::Unschedulable | Reason::RoomByEviction | Reason::EvictionsAwaited | Reason::PoolEmpty => {
            "Unschedulable"
        }
        other => other.as_str(),
    };
    let mut condition = json!({
        "type": "PodScheduled", "status": "False", "reason": reason, "message": message, "lastTransitionTime": since,
    });
    if let (Some(fields), Some(generation)) = (condition.as_object_mut(), ask.generation) {
        fields.insert("observedGeneration".into(), json!(generation));
    }
    let mut status = json!({"conditions": [condition]});
    if let (Some(fields), Some(node)) = (status.as_object_mut(), &found.nominated) {
        fields.insert("nominatedNodeName".into(), json!(node));
    }
    ActionKind::ApplyStatus(json!({"status": status}))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_note_is_cut_between_characters_and_says_so() {
        let note = shortened("ü".repeat(600));
        assert!(note.len() <= LONGEST_NOTE && note.ends_with("ü ..."), "{} bytes", note.len());
        assert_eq!(shortened("short".into()), "short");
    }
}
