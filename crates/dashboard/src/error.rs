//! What the API answers when it cannot do what was asked.
//!
//! One shape for every refusal: a category from a closed list, the field at fault, what is wrong, and what to do.

use axum::Json;
use axum::response::{IntoResponse, Response};
use http::{HeaderValue, StatusCode, header};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::backend::BackendError;

/// The body of every answer that is not a success.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ErrorBody {
    /// The error.
    pub error: ApiError,
}

/// What went wrong and what to do about it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ApiError {
    /// The kind of error.
    pub category: Category,
    /// The parameter or body field at fault, when it is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub field: Option<String>,
    /// What is wrong, in one sentence.
    pub message: String,
    /// What to do.
    pub fix: String,
}

/// The kinds of errors.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Category {
    /// A parameter or the body makes no sense.
    Invalid,
    /// There is nothing of that name.
    NotFound,
    /// The path does not take this method.
    MethodNotAllowed,
    /// Nobody is signed in, or no longer.
    SignedOut,
    /// The request came from another site or under another name, or whoever sent it may not do this.
    Forbidden,
    /// The change is not allowed now.
    Conflict,
    /// The body is too large.
    TooLarge,
    /// The body is not JSON.
    UnsupportedMediaType,
    /// Too much at once, or something needed is out of reach; trying again later helps.
    Unavailable,
    /// It took too long.
    Timeout,
}

impl Category {
    /// The status that goes with it.
    #[must_use]
    pub const fn status(self) -> StatusCode {
        match self {
            Self::Invalid => StatusCode::BAD_REQUEST,
            Self::NotFound => StatusCode::NOT_FOUND,
            Self::MethodNotAllowed => StatusCode::METHOD_NOT_ALLOWED,
            Self::SignedOut => StatusCode::UNAUTHORIZED,
            Self::Forbidden => StatusCode::FORBIDDEN,
            Self::Conflict => StatusCode::CONFLICT,
            Self::TooLarge => StatusCode::PAYLOAD_TOO_LARGE,
            Self::UnsupportedMediaType => StatusCode::UNSUPPORTED_MEDIA_TYPE,
            Self::Unavailable => StatusCode::SERVICE_UNAVAILABLE,
            Self::Timeout => StatusCode::GATEWAY_TIMEOUT,
        }
    }
}

impl ApiError {
    /// An error that no single field is to blame for.
    pub fn new(category: Category, message: impl Into<String>, fix: impl Into<String>) -> Self {
        Self { category, field: None, message: message.into(), fix: fix.into() }
    }

    /// A parameter or body field that makes no sense.
    pub fn invalid(field: &str, message: impl Into<String>, fix: impl Into<String>) -> Self {
        Self { field: Some(field.to_owned()), ..Self::new(Category::Invalid, message, fix) }
    }

    /// A path whose `field` names nothing that exists.
    pub fn not_found(field: &str, message: impl Into<String>, fix: impl Into<String>) -> Self {
        Self { field: Some(field.to_owned()), ..Self::new(Category::NotFound, message, fix) }
    }
}

impl From<BackendError> for ApiError {
    fn from(error: BackendError) -> Self {
        let message = error.to_string();
        match error {
            BackendError::NotFound { fix, .. } => Self::new(Category::NotFound, message, fix),
            BackendError::Invalid { field, fix, .. } => Self::invalid(&field, message, fix),
            BackendError::Refused { fix, .. } => Self::new(Category::Conflict, message, fix),
            BackendError::Unavailable { fix, .. } => Self::new(Category::Unavailable, message, fix),
        }
    }
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        let status = self.category.status();
        let mut response = (status, Json(ErrorBody { error: self })).into_response();
        let hint = match status {
            StatusCode::SERVICE_UNAVAILABLE => Some((header::RETRY_AFTER, "1")),
            StatusCode::UNAUTHORIZED => Some((header::WWW_AUTHENTICATE, "Bearer")),
            _ => None,
        };
        response.headers_mut().extend(hint.map(|(name, value)| (name, HeaderValue::from_static(value))));
        response
    }
}
