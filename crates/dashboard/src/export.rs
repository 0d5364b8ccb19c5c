//! Decisions as JSON Lines, for other programs.
//!
//! Read page by page while the client takes them, so that memory stays small. An export that cannot be completed must
//! not look complete: it is refused before it starts, or the connection is broken off.

use std::io;
use std::sync::Arc;

use axum::body::Body;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use futures::stream;
use http::{Uri, header};
use keelson_store::{Filter, MAX_PAGE};

use crate::access::{Gate, Viewer};
use crate::backend::{Backend, Decisions};
use crate::error::{ApiError, Category, ErrorBody};
use crate::listing;
use crate::query::{DECISION_PARAMS, Params};
use crate::schema;
use crate::serve::App;
use crate::taken::Taken;

/// The most exports at a time: each keeps the store busy.
pub const MAX_EXPORTS: usize = 4;

struct Export {
    backend: Arc<dyn Backend>,
    viewer: Viewer,
    filter: Filter,
    page: Option<Decisions>,
    _place: Taken,
}

/// Every decision that matches, newest first, one JSON object a line.
#[utoipa::path(get, path = "/api/v1/decisions/export", tag = "decisions", params(schema::DecisionParams),
    responses((status = 200, body = String, content_type = "application/x-ndjson"), (status = "4XX", body = ErrorBody),
              (status = 503, body = ErrorBody)))]
pub async fn export(State(app): State<App>, viewer: Viewer, uri: Uri) -> Result<Response, ApiError> {
    let filter = Filter { limit: MAX_PAGE, ..Params::read(&uri, &DECISION_PARAMS)?.filter()? };
    let theirs = |gate: &Gate| Arc::clone(&gate.exports);
    let place = Taken::one((&app.exports, MAX_EXPORTS), (&app, &viewer, theirs), "exports are running")
        .map_err(|message| ApiError::new(Category::Unavailable, message, "Wait until one of them is done."))?;
    let page = listing::page(&*app.backend, &viewer, &filter).await?;
    if page.partial {
        let message = "a source of decisions does not answer, so the export would have holes";
        return Err(ApiError::new(Category::Unavailable, message, "See the connections of /api/v1/overview."));
    }
    let export = Export { backend: Arc::clone(&app.backend), viewer, filter, page: Some(page), _place: place };
    let headers = [
        (header::CONTENT_TYPE, "application/x-ndjson"),
        (header::CONTENT_DISPOSITION, "attachment; filename=\"decisions.jsonl\""),
    ];
    Ok((headers, Body::from_stream(stream::try_unfold(export, Export::next))).into_response())
}

impl Export {
    /// The next page, for one who is still let in.
    async fn read(&self) -> io::Result<Decisions> {
        let told = |error: ApiError| io::Error::other(error.message);
        self.viewer.still().await.map_err(told)?;
        match listing::page(&*self.backend, &self.viewer, &self.filter).await.map_err(told)? {
            page if page.partial => Err(io::Error::other("a source of decisions does not answer")),
            page => Ok(page),
        }
    }

    /// The lines of the page at hand; the next page is read once these are taken.
    async fn next(mut self) -> io::Result<Option<(String, Self)>> {
        let page = match self.page.take() {
            Some(page) => page,
            None if self.filter.before.is_none() => return Ok(None),
            None => self.read().await?,
        };
        self.filter.before = page.next;
        let mut lines = String::new();
        for decision in &page.decisions {
            lines.push_str(&serde_json::to_string(decision)?);
            lines.push('\n');
        }
        Ok(Some((lines, self)))
    }
}
