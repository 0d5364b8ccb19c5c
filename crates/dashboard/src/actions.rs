//! The routes that change a switch, and the questions to ask before.
//!
//! A mode is switched in two steps: the preview tells what it would mean and which words confirm it. Whoever switches must be
//! allowed to patch the Platform themselves; that they asked, and what became of it, is kept with the decisions, where
//! everybody looks who wonders why something is as it is.

use axum::Json;
use axum::extract::State;
use http::Uri;
use keelson_core::{Feature, Mode, Reason};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;

use crate::access::{Right, Viewer};
use crate::backend::{Audit, Needs};
use crate::body::Fields;
use crate::error::{ApiError, Category, ErrorBody};
use crate::query::{self, Params, Segments};
use crate::reads;
use crate::schema;
use crate::serve::App;
use crate::view::{Preview, Switched};

/// How much of a name is repeated in the record.
const MAX_WHO: usize = 128;

/// What a switch of mode would mean, and how to confirm it.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub struct PreviewAnswer {
    /// What it would mean.
    #[serde(flatten)]
    pub preview: Preview,
    /// What to send as `confirm` to switch.
    pub confirm: String,
}

/// Asks for another mode.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub struct ModeBody {
    /// The mode.
    #[schema(value_type = schema::Mode)]
    pub mode: Mode,
    /// The words of the preview, so that nobody switches by a slip: "Enforce scheduling".
    pub confirm: String,
}

/// Stops a feature's actions, or lets them go on.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub struct PauseBody {
    /// Whether to pause.
    pub paused: bool,
}

/// Asks where a pod would go.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub struct WhatIfBody {
    /// The manifest of a pod, or of a workload that has a template of one.
    pub pod: Value,
}

/// Where a pod would go, or why it would not.
#[derive(Debug, Serialize, ToSchema)]
pub struct WhatIfAnswer {
    /// One sentence.
    pub sentence: String,
    /// What would be decided: the candidates with their scores, or the checks they fail.
    pub decision: schema::Decision,
    /// The smallest change with which it would fit, found by trying it; absent when there is none to name.
    #[schema(nullable = false)]
    pub change: Option<String>,
}

fn confirmation(feature: Feature, mode: Mode) -> String {
    format!("{mode} {feature}")
}

/// What a switch of mode would mean.
#[utoipa::path(get, path = "/api/v1/features/{feature}/preview", tag = "features",
    params(("feature" = schema::Feature, Path, description = "The feature."),
           ("mode" = schema::Mode, Query, description = "The mode asked about.")),
    responses((status = 200, body = PreviewAnswer), (status = "4XX", body = ErrorBody), (status = 503, body = ErrorBody)))]
pub async fn preview(
    State(app): State<App>,
    viewer: Viewer,
    Segments(feature): Segments<String>,
    uri: Uri,
) -> Result<Json<PreviewAnswer>, ApiError> {
    let feature = query::feature(&feature)?;
    let mode = Params::read(&uri, &["mode"])?.mode()?;
    let preview = app.backend.preview(feature, mode, &viewer.seen(&*app.backend).await?).await?;
    Ok(Json(PreviewAnswer { preview, confirm: confirmation(feature, mode) }))
}

/// Switches a feature's mode.
#[utoipa::path(post, path = "/api/v1/features/{feature}/mode", tag = "features", request_body = ModeBody,
    params(("feature" = schema::Feature, Path, description = "The feature.")),
    responses((status = 200, body = Switched), (status = "4XX", body = ErrorBody), (status = 503, body = ErrorBody)))]
pub async fn set_mode(
    State(app): State<App>,
    viewer: Viewer,
    Segments(feature): Segments<String>,
    uri: Uri,
    fields: Fields,
) -> Result<Json<Switched>, ApiError> {
    Params::read(&uri, &[])?;
    let feature = query::feature(&feature)?;
    fields.only(&["mode", "confirm"])?;
    let word = fields.text("mode")?;
    let Some(mode) = Mode::ALL.into_iter().find(|mode| mode.as_str() == word) else {
        let message = format!("mode {:?} is unknown", word.chars().take(64).collect::<String>());
        return Err(ApiError::invalid("mode", message, "Use one of: Off, Observe, Enforce."));
    };
    let wanted = confirmation(feature, mode);
    if fields.text("confirm")? != wanted {
        let message = "confirm does not say what would be switched";
        return Err(ApiError::invalid("confirm", message, format!("Send \"confirm\": {wanted:?}.")));
    }
    let asked = Asked { feature, reason: Reason::ModeChanged, what: format!("switch {feature} to {mode}") };
    let change = async {
        may_change(&app, &viewer).await?;
        Ok(app.backend.set_mode(feature, mode, viewer.name()).await?)
    };
    asked.kept(&app, &viewer, change.await).map(Json)
}

/// Stops a feature's actions, or lets them go on. It keeps deciding.
#[utoipa::path(post, path = "/api/v1/features/{feature}/pause", tag = "features", request_body = PauseBody,
    params(("feature" = schema::Feature, Path, description = "The feature.")),
    responses((status = 200, body = Switched), (status = "4XX", body = ErrorBody), (status = 503, body = ErrorBody)))]
pub async fn set_paused(
    State(app): State<App>,
    viewer: Viewer,
    Segments(feature): Segments<String>,
    uri: Uri,
    fields: Fields,
) -> Result<Json<Switched>, ApiError> {
    Params::read(&uri, &[])?;
    let feature = query::feature(&feature)?;
    fields.only(&["paused"])?;
    let paused = fields.flag("paused")?;
    let (reason, verb) = if paused { (Reason::Paused, "pause") } else { (Reason::Resumed, "resume") };
    let asked = Asked { feature, reason, what: format!("{verb} {feature}") };
    let change = async {
        may_change(&app, &viewer).await?;
        Ok(app.backend.set_paused(feature, paused, viewer.name()).await?)
    };
    asked.kept(&app, &viewer, change.await).map(Json)
}

/// Puts one of a feature's own questions to it. Changes nothing.
#[utoipa::path(post, path = "/api/v1/features/{feature}/ask/{question}", tag = "features",
    request_body = std::collections::BTreeMap<String, Value>,
    params(("feature" = schema::Feature, Path, description = "The feature."),
           ("question" = String, Path, description = "One of the questions it answers.")),
    responses((status = 200, body = Value), (status = "4XX", body = ErrorBody), (status = 503, body = ErrorBody)))]
pub async fn ask(
    State(app): State<App>,
    viewer: Viewer,
    Segments((feature, question)): Segments<(String, String)>,
    uri: Uri,
    fields: Fields,
) -> Result<Json<Value>, ApiError> {
    Params::read(&uri, &[])?;
    let feature = query::feature(&feature)?;
    let is_word = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    if question.len() > 64 || !question.chars().all(is_word) {
        let message = "question is not a word of up to 64 lower-case letters, digits and hyphens";
        return Err(ApiError::invalid("question", message, "Use one of the questions the feature answers."));
    }
    answered(&app, &viewer, (feature, &question), Value::Object(fields.0)).await
}

/// Where a pod like this would go.
#[utoipa::path(post, path = "/api/v1/whatif", tag = "features", request_body = WhatIfBody,
    responses((status = 200, body = WhatIfAnswer), (status = "4XX", body = ErrorBody), (status = 503, body = ErrorBody)))]
pub async fn what_if(
    State(app): State<App>,
    viewer: Viewer,
    uri: Uri,
    fields: Fields,
) -> Result<Json<Value>, ApiError> {
    Params::read(&uri, &[])?;
    fields.only(&["pod"])?;
    if !fields.0.get("pod").is_some_and(Value::is_object) {
        let fix = "Send {\"pod\": ...} with the manifest of a pod, or of what has a pod template, as JSON.";
        return Err(ApiError::invalid("pod", "pod is missing or is no object", fix));
    }
    answered(&app, &viewer, (Feature::Scheduling, "what-if"), Value::Object(fields.0)).await
}

/// Puts a question for somebody who may be told the answer.
async fn answered(
    app: &App,
    viewer: &Viewer,
    (feature, question): (Feature, &str),
    params: Value,
) -> Result<Json<Value>, ApiError> {
    match app.backend.needs(feature, question, &params)? {
        Needs::Right(right) => viewer.must(&right).await?,
        Needs::Decision(id) => drop(reads::shown(app, viewer, id).await?),
    }
    Ok(Json(app.backend.ask(feature, question, params).await?))
}

async fn may_change(app: &App, viewer: &Viewer) -> Result<(), ApiError> {
    if app.read_only {
        let fix = "Use kubectl on the Platform object, or start Keelson without --read-only.";
        return Err(ApiError::new(Category::Forbidden, "this page may only read", fix));
    }
    viewer.must(&Right::switch()).await
}

/// A change that somebody asked for.
struct Asked {
    feature: Feature,
    reason: Reason,
    what: String,
}

impl Asked {
    /// Keeps for the record what became of it.
    fn kept(self, app: &App, viewer: &Viewer, ended: Result<Switched, ApiError>) -> Result<Switched, ApiError> {
        let who = viewer.caller().map_or("Somebody on this machine", |caller| &caller.user);
        let who: String = who.chars().filter(|c| !c.is_control()).take(MAX_WHO).collect();
        let became = match &ended {
            Ok(_) => "It was done.".to_owned(),
            Err(error) => format!("It was not done: {}.", error.message.trim_end_matches('.')),
        };
        let sentence = format!("{who} asked to {}. {became}", self.what);
        tracing::info!(user = who, feature = %self.feature, done = ended.is_ok(), "{sentence}");
        app.backend.audit(Audit { feature: self.feature, reason: self.reason, sentence, done: ended.is_ok() });
        ended
    }
}
