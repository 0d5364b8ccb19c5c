//! The gate in front of every route that tells or changes something.
//!
//! It stands on the routes themselves and not on how their paths are written, so that no spelling of a path leads around it.

use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use http::HeaderMap;

use crate::access::{Right, Viewer};
use crate::error::{ApiError, Category};
use crate::serve::App;

/// Lets in those who may `get` the Platform, so many requests of each at a time.
pub async fn to_the_api(State(app): State<App>, mut request: Request, next: Next) -> Response {
    let (viewer, _place) = match (viewer(&app, request.headers()).await, &app.gate) {
        (Err(refused), _) => return refused.into_response(),
        (Ok(viewer), None) => (viewer, None),
        (Ok(viewer), Some(gate)) => {
            if let Err(refused) = viewer.must(&Right::door()).await {
                return refused.into_response();
            }
            let place = viewer.caller().map(|caller| gate.requests.take(&caller.user));
            if let Some(None) = place {
                let message = format!("{} requests of yours are being answered", gate.requests.each());
                return ApiError::new(Category::Unavailable, message, "Try again in a second.").into_response();
            }
            (viewer, place.flatten())
        }
    };
    request.extensions_mut().insert(viewer);
    next.run(request).await
}

/// Lets in those who may `get` this very path.
pub async fn to_a_path(State(app): State<App>, request: Request, next: Next) -> Response {
    let right = Right::Path(request.uri().path().to_owned());
    let admitted = match viewer(&app, request.headers()).await {
        Ok(viewer) => viewer.must(&right).await,
        Err(refused) => Err(refused),
    };
    match admitted {
        Ok(()) => next.run(request).await,
        Err(refused) => refused.into_response(),
    }
}

async fn viewer(app: &App, headers: &HeaderMap) -> Result<Viewer, ApiError> {
    match &app.gate {
        None => Ok(Viewer::anybody()),
        Some(gate) => gate.admit(headers).await,
    }
}
