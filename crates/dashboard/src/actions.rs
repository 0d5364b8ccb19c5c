//! The routes that change a switch, and the questions to ask before.
//!
//! A mode is switched in two steps: the preview tells what it would mean and which words confirm it.

use axum::Json;
use axum::extract::State;
use http::Uri;
use keelson_core::{Feature, Mode};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;

use crate::body::Fields;
use crate::error::{ApiError, Category, ErrorBody};
use crate::query::{self, Params, Segments};
use crate::schema;
use crate::serve::App;
use crate::view::{Preview, Switched};

/// Who is named in the record: nobody signs in on loopback.
const WHO: &str = "the page";

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
    Segments(feature): Segments<String>,
    uri: Uri,
) -> Result<Json<PreviewAnswer>, ApiError> {
    let feature = query::feature(&feature)?;
    let mode = Params::read(&uri, &["mode"])?.mode()?;
    let preview = app.backend.preview(feature, mode).await?;
    Ok(Json(PreviewAnswer { preview, confirm: confirmation(feature, mode) }))
}

/// Switches a feature's mode.
#[utoipa::path(post, path = "/api/v1/features/{feature}/mode", tag = "features", request_body = ModeBody,
    params(("feature" = schema::Feature, Path, description = "The feature.")),
    responses((status = 200, body = Switched), (status = "4XX", body = ErrorBody), (status = 503, body = ErrorBody)))]
pub async fn set_mode(
    State(app): State<App>,
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
    may_change(&app)?;
    let switched = app.backend.set_mode(feature, mode, WHO).await?;
    tracing::info!(%feature, %mode, "the mode was switched from the page");
    Ok(Json(switched))
}

/// Stops a feature's actions, or lets them go on. It keeps deciding.
#[utoipa::path(post, path = "/api/v1/features/{feature}/pause", tag = "features", request_body = PauseBody,
    params(("feature" = schema::Feature, Path, description = "The feature.")),
    responses((status = 200, body = Switched), (status = "4XX", body = ErrorBody), (status = 503, body = ErrorBody)))]
pub async fn set_paused(
    State(app): State<App>,
    Segments(feature): Segments<String>,
    uri: Uri,
    fields: Fields,
) -> Result<Json<Switched>, ApiError> {
    Params::read(&uri, &[])?;
    let feature = query::feature(&feature)?;
    fields.only(&["paused"])?;
    let paused = fields.flag("paused")?;
    may_change(&app)?;
    let switched = app.backend.set_paused(feature, paused, WHO).await?;
    tracing::info!(%feature, paused, "the pause was switched from the page");
    Ok(Json(switched))
}

/// Puts one of a feature's own questions to it. Changes nothing.
#[utoipa::path(post, path = "/api/v1/features/{feature}/ask/{question}", tag = "features",
    request_body = std::collections::BTreeMap<String, Value>,
    params(("feature" = schema::Feature, Path, description = "The feature."),
           ("question" = String, Path, description = "One of the questions it answers.")),
    responses((status = 200, body = Value), (status = "4XX", body = ErrorBody), (status = 503, body = ErrorBody)))]
pub async fn ask(
    State(app): State<App>,
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
    Ok(Json(app.backend.ask(feature, &question, Value::Object(fields.0)).await?))
}

fn may_change(app: &App) -> Result<(), ApiError> {
    match app.read_only {
        false => Ok(()),
        true => {
            let fix = "Use kubectl on the Platform object, or start Keelson without --read-only.";
            Err(ApiError::new(Category::Forbidden, "this page may only read", fix))
        }
    }
}
