//! A decision made again from what it saw.

use keelson_core::{Decision, DecisionId, Feature, Plan};
use keelson_dashboard::BackendError;
use serde_json::{Value, json};

use super::Live;

/// Decides again on the recording of `params.id` and compares with what was recorded.
pub async fn again(live: &Live, feature: Feature, params: &Value) -> Result<Value, BackendError> {
    let id: DecisionId = params.get("id").and_then(Value::as_str).and_then(|id| id.parse().ok()).ok_or_else(|| {
        BackendError::Invalid {
            field: "id".to_owned(),
            message: "id is missing or is not a decision's id".to_owned(),
            fix: "Send {\"id\": \"...\"} with the id of a decision.".to_owned(),
        }
    })?;
    let recorded = live.platform.recorder.decision(id).await.value.ok_or_else(|| BackendError::NotFound {
        what: format!("decision {id}"),
        fix: "It may have been swept after its retention.".to_owned(),
    })?;
    let recording = live.platform.recorder.store().recording(id).await.map_err(|error| BackendError::Unavailable {
        message: error.to_string(),
        fix: "Ask again when the store answers.".to_owned(),
    })?;
    let recording = recording.ok_or_else(|| BackendError::NotFound {
        what: format!("a recording of decision {id}"),
        fix: "Recordings are kept for an hour, and of one in a thousand decisions for longer.".to_owned(),
    })?;
    let plan = match feature {
        Feature::Scheduling => keelson_scheduling::recording::replay(&recording, None),
    };
    let plan = plan.map_err(|error| BackendError::Unavailable {
        message: format!("the recording cannot be decided again: {error}"),
        fix: "It may be from another version of Keelson.".to_owned(),
    })?;
    compare(&recorded, &plan)
}

/// The fields of the verdict that differ. What was learned later (outcome, steps, effect) and what the executor stamps
/// (mode, fence, trace) are not part of it.
fn compare(recorded: &Decision, plan: &Plan) -> Result<Value, BackendError> {
    let unlike = |error: serde_json::Error| BackendError::Unavailable {
        message: format!("the decision cannot be compared: {error}"),
        fix: "Report this.".to_owned(),
    };
    let Some(again) = plan.decisions.iter().find(|decision| decision.subject == recorded.subject) else {
        return Ok(json!({"same": false, "sentence": "Nothing is decided about it now.", "differences": []}));
    };
    let verdict = |decision: &Decision| -> Result<Value, BackendError> {
        Ok(json!({
            "verb": decision.verb, "reason": decision.reason, "chosen": decision.chosen,
            "sentence": decision.sentence, "inputs": decision.inputs,
            "candidates": serde_json::to_value(&decision.candidates).map_err(unlike)?,
        }))
    };
    let (before, now) = (verdict(recorded)?, verdict(again)?);
    let fields = before.as_object().into_iter().flatten();
    let differences: Vec<Value> = fields
        .filter(|(field, value)| now.get(field.as_str()) != Some(value))
        .map(|(field, value)| json!({"field": field, "recorded": value, "now": now.get(field.as_str())}))
        .collect();
    Ok(json!({"same": differences.is_empty(), "sentence": again.sentence, "differences": differences}))
}
