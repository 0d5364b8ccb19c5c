//! What probes and scrapers ask: `/livez`, `/readyz`, `/statusz` and `/metrics`.

use axum::Router;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use keelson_runtime::{Runtime, health::Health};
use keelson_telemetry::{Metrics, metrics};

#[derive(Clone)]
struct Asked {
    runtime: Runtime,
    metrics: Metrics,
}

/// The routes.
pub fn routes(runtime: Runtime, metrics: Metrics) -> Router {
    Router::new()
        .route("/livez", get(|State(asked): State<Asked>| async move { verdict(&asked.runtime.health(), |h| h.live) }))
        .route(
            "/readyz",
            get(|State(asked): State<Asked>| async move { verdict(&asked.runtime.health(), |h| h.ready) }),
        )
        .route("/statusz", get(|State(asked): State<Asked>| async move { axum::Json(asked.runtime.health()) }))
        .route("/metrics", get(|State(asked): State<Asked>| async move { scrape(&asked.metrics) }))
        .with_state(Asked { runtime, metrics })
}

/// 200 or 503, and one line for each check that failed.
fn verdict(health: &Health, ask: impl Fn(&Health) -> bool) -> Response {
    if ask(health) {
        return (StatusCode::OK, "ok\n").into_response();
    }
    let failed = health.checks.iter().filter(|check| !check.ok);
    let lines: String = failed.map(|check| format!("{}: {}\n", check.name, check.detail)).collect();
    (StatusCode::SERVICE_UNAVAILABLE, lines).into_response()
}

fn scrape(metrics: &Metrics) -> Response {
    ([(header::CONTENT_TYPE, metrics::CONTENT_TYPE)], metrics.text()).into_response()
}
