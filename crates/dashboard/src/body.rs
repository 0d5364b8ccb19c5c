//! Reads the body of a request, and says by name what is wrong with it.
//!
//! Promises: at most [`MAX_BODY`] bytes are read, within [`MAX_TIME`]; a body is a JSON object of known fields; each refusal
//! names the field.

use std::time::Duration;

use axum::extract::{FromRequest, Request};
use bytes::Bytes;
use http::{StatusCode, header};
use serde_json::{Map, Value};

use crate::error::{ApiError, Category};

/// The largest body, in bytes.
pub const MAX_BODY: usize = 64 * 1024;
/// How long a body may take to arrive.
const MAX_TIME: Duration = Duration::from_secs(5);

/// The fields of a JSON object.
pub struct Fields(pub Map<String, Value>);

impl<S: Send + Sync> FromRequest<S> for Fields {
    type Rejection = ApiError;

    async fn from_request(request: Request, state: &S) -> Result<Self, ApiError> {
        let kind = request.headers().get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
        if kind.split(';').next().map(str::trim) != Some("application/json") {
            let message = format!("the body's type is {:?}, not application/json", kind.get(..64).unwrap_or(kind));
            return Err(ApiError::new(Category::UnsupportedMediaType, message, "Send Content-Type: application/json."));
        }
        let read = tokio::time::timeout(MAX_TIME, Bytes::from_request(request, state)).await.map_err(|_| {
            let message = format!("the body did not arrive within {} s", MAX_TIME.as_secs());
            ApiError::new(Category::Timeout, message, "Send it at once.")
        })?;
        let bytes = read.map_err(|rejection| match rejection.status() {
            StatusCode::PAYLOAD_TOO_LARGE => {
                let message = format!("the body has more than {MAX_BODY} bytes");
                ApiError::new(Category::TooLarge, message, "Send less.")
            }
            _ => ApiError::invalid("body", rejection.body_text(), "Send the whole body."),
        })?;
        match serde_json::from_slice(&bytes) {
            Ok(Value::Object(fields)) => Ok(Self(fields)),
            Ok(_) => Err(ApiError::invalid("body", "the body is no JSON object", "Send {\"field\": value}.")),
            Err(error) => {
                Err(ApiError::invalid("body", format!("the body is not JSON: {error}"), "Send a JSON object."))
            }
        }
    }
}

impl Fields {
    /// Refuses fields other than `known`.
    ///
    /// # Errors
    /// Names the first one.
    pub fn only(&self, known: &[&str]) -> Result<(), ApiError> {
        match self.0.keys().find(|name| !known.contains(&name.as_str())) {
            None => Ok(()),
            Some(name) => {
                let name: String = name.chars().take(64).collect();
                let message = format!("the field {name:?} is unknown");
                Err(ApiError::invalid(&name, message, format!("Send only: {}.", known.join(", "))))
            }
        }
    }

    /// A text field.
    ///
    /// # Errors
    /// When it is missing or no text.
    pub fn text(&self, name: &str) -> Result<&str, ApiError> {
        let fix = || format!("Send \"{name}\": \"...\".");
        match self.0.get(name) {
            Some(Value::String(text)) => Ok(text),
            Some(_) => Err(ApiError::invalid(name, format!("{name} is not text"), fix())),
            None => Err(ApiError::invalid(name, format!("{name} is missing"), fix())),
        }
    }

    /// A field that is true or false.
    ///
    /// # Errors
    /// When it is missing or neither.
    pub fn flag(&self, name: &str) -> Result<bool, ApiError> {
        match self.0.get(name) {
            Some(Value::Bool(flag)) => Ok(*flag),
            found => {
                let wrong = if found.is_some() { "neither true nor false" } else { "missing" };
                let fix = format!("Send \"{name}\": true or false.");
                Err(ApiError::invalid(name, format!("{name} is {wrong}"), fix))
            }
        }
    }
}
