//! A decision made again from what it saw.
//!
//! What was recorded and what is decided now are brought into one form, without what was learned later (how it ended, what
//! came of it, how often it was repeated) and without what the executor stamps (mode, fence, trace, causes), and compared
//! byte by byte: the decision whole, and the actions by the words under which they were carried out.

use keelson_core::{Decision, DecisionId, Feature, Mode, Outcome, Plan, Span};
use keelson_dashboard::BackendError;
use keelson_scheduling::decide::Settings;
use keelson_scheduling::recording::replay;
use serde_json::{Map, Value, json};

use super::{Live, known};

/// Decides again on the recording of `params.id`, under `params.settings` when they are given, and compares with what was
/// recorded.
pub async fn again(live: &Live, feature: Feature, params: &Value) -> Result<Value, BackendError> {
    let id = id(params)?;
    let recorder = &live.platform.recorder;
    let recorded = known(recorder.decision(id).await)?.ok_or_else(|| BackendError::NotFound {
        what: format!("decision {id}"),
        fix: "It may have been swept after its retention.".to_owned(),
    })?;
    let recording = known(recorder.recording(id).await)?.ok_or_else(|| BackendError::NotFound {
        what: format!("a recording of decision {id}"),
        fix: "Recordings are kept of decisions with actions, for an hour, and of one in a thousand for longer."
            .to_owned(),
    })?;
    let Feature::Scheduling = feature;
    let changed = match params.get("settings").and_then(Value::as_object).filter(|settings| !settings.is_empty()) {
        Some(changes) => Some(changed(&recording, changes)?),
        None => None,
    };
    let plan = replay(&recording, changed).map_err(|error| BackendError::Unavailable {
        message: format!("the recording cannot be decided again: {error}"),
        fix: "It may be from another version of Keelson.".to_owned(),
    })?;
    compare(&recorded, &plan).map_err(|error| BackendError::Unavailable {
        message: format!("the decision cannot be compared: {error}"),
        fix: "Report this.".to_owned(),
    })
}

/// Which decision is meant.
pub fn id(params: &Value) -> Result<DecisionId, BackendError> {
    let id = params.get("id").and_then(Value::as_str).and_then(|id| id.parse::<DecisionId>().ok());
    id.ok_or_else(|| invalid("id", "id is missing or is not a decision's id", "Send {\"id\": \"...\"}."))
}

fn invalid(field: &str, message: &str, fix: &str) -> BackendError {
    BackendError::Invalid { field: field.to_owned(), message: message.to_owned(), fix: fix.to_owned() }
}

/// The settings of a recording, with some of them changed.
fn changed(recording: &[u8], changes: &Map<String, Value>) -> Result<Settings, BackendError> {
    let seen: Value = serde_json::from_slice(recording).unwrap_or_default();
    let seen = seen.pointer("/ask/settings").cloned().unwrap_or_default();
    let mut settings: Settings = serde_json::from_value(seen).map_err(|_| BackendError::Unavailable {
        message: "the settings in the recording cannot be read".to_owned(),
        fix: "It may be from another version of Keelson.".to_owned(),
    })?;
    for (name, value) in changes {
        let text = value.as_str().unwrap_or_default();
        match name.as_str() {
            "mode" => {
                let mode = text.parse::<Mode>();
                settings.mode = mode.map_err(|error| invalid("mode", &error.to_string(), "Use Observe or Enforce."))?;
            }
            "scheduler-name" if !text.is_empty() => text.clone_into(&mut settings.scheduler),
            "scheduler-name" => return Err(invalid("scheduler-name", "it is empty", "Give the scheduler's name.")),
            other => return Err(invalid(other, "there is no such setting", "Change mode or scheduler-name.")),
        }
    }
    Ok(settings)
}

fn compare(recorded: &Decision, plan: &Plan) -> Result<Value, serde_json::Error> {
    let Some(again) = plan.decisions.iter().find(|decision| decision.subject == recorded.subject) else {
        return Ok(json!({"same": false, "sentence": "Nothing is decided about it now.", "differences": []}));
    };
    let (then, now) = (form(recorded, done(recorded))?, form(again, planned(recorded, plan, again.id))?);
    let same = serde_json::to_vec(&then)? == serde_json::to_vec(&now)?;
    let fields = then.keys().chain(now.keys().filter(|field| !then.contains_key(*field)));
    let differences: Vec<Value> = fields
        .filter(|field| then.get(*field) != now.get(*field))
        .map(|field| json!({"field": field, "recorded": then.get(field), "now": now.get(field)}))
        .collect();
    Ok(json!({"same": same, "sentence": again.sentence, "differences": differences}))
}

/// The form in which decisions are compared.
fn form(decision: &Decision, actions: Vec<String>) -> Result<Map<String, Value>, serde_json::Error> {
    let plain = Decision {
        mode: Mode::Off,
        causes: Vec::new(),
        cause_count: 0,
        outcome: Outcome::NoAction,
        actions: Vec::new(),
        steps: Vec::new(),
        effect: None,
        fence: 0,
        trace_id: String::new(),
        took: Span::ZERO,
        count: 1,
        last_at: decision.at,
        ..decision.clone()
    };
    let mut form = match serde_json::to_value(plain)? {
        Value::Object(form) => form,
        _ => Map::new(),
    };
    form.insert("actions".to_owned(), json!(actions));
    Ok(form)
}

/// What was carried out, or would have been; what was undone again is not counted twice.
fn done(recorded: &Decision) -> Vec<String> {
    let steps = recorded.steps.iter().filter(|step| !step.action.starts_with("undo "));
    steps.map(|step| step.action.clone()).collect()
}

/// What would be carried out now: all of it, or as far as it went then, when it failed or has not ended.
fn planned(recorded: &Decision, plan: &Plan, id: DecisionId) -> Vec<String> {
    let actions = plan.actions.iter().filter(|action| action.decision == id).map(ToString::to_string);
    match recorded.outcome {
        Outcome::Failed | Outcome::Pending => actions.take(done(recorded).len()).collect(),
        _ => actions.collect(),
    }
}
