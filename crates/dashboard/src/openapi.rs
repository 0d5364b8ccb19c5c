//! The document that describes the API; the page's types are generated from it.

use axum::Json;
use http::Uri;
use utoipa::OpenApi;

use crate::error::{ApiError, ErrorBody};
use crate::query::Params;
use crate::{actions, changes, export, reads, schema, session, stream};

#[derive(OpenApi)]
#[openapi(
    info(title = "Keelson", description = "Every decision of the platform, and why.", version = "1"),
    paths(
        reads::overview,
        reads::nodes,
        reads::decisions,
        export::export,
        reads::decision,
        reads::subject,
        reads::why,
        actions::preview,
        actions::set_mode,
        actions::set_paused,
        actions::ask,
        actions::what_if,
        stream::stream,
        session::session,
        session::sign_in,
        session::sign_out,
        session::begin,
        session::callback,
        document
    ),
    components(schemas(
        ErrorBody,
        schema::Decision,
        stream::Hello,
        stream::NodesChange,
        stream::Reset,
        changes::OutcomeChange,
        changes::EffectChange,
    ))
)]
struct Document;

/// The document: OpenAPI 3.1, every route under `/api/v1` and every schema.
#[must_use]
pub fn openapi() -> utoipa::openapi::OpenApi {
    Document::openapi()
}

/// This document.
#[utoipa::path(get, path = "/api/v1/openapi.json", tag = "platform",
    responses((status = 200, body = Object), (status = "4XX", body = ErrorBody)))]
pub async fn document(uri: Uri) -> Result<Json<utoipa::openapi::OpenApi>, ApiError> {
    Params::read(&uri, &[])?;
    Ok(Json(openapi()))
}
