//! What probes and scrapers ask: `/livez`, `/readyz`, `/statusz` and `/metrics`.
//!
//! Alive is a process whose event loop still turns; ready is one that has read the cluster and does not stop. A database
//! or a collector that is away is shown, and is no reason to be killed or to get no traffic: Keelson goes on without.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use axum::Router;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use keelson_runtime::{Runtime, health::Health};
use keelson_telemetry::{Metrics, metrics};
use serde::Serialize;
use tokio::time::{Instant, sleep};

/// How often the event loop shows that it turns.
const BEAT: Duration = Duration::from_secs(1);
/// Without a beat for this long it does not.
const STILL: Duration = Duration::from_secs(10);

/// Shows that the event loop turns, for as long as it is kept.
#[derive(Debug, Clone)]
struct Heart {
    start: Instant,
    /// Milliseconds from the start to the last beat.
    last: Arc<AtomicU64>,
}

impl Heart {
    fn start() -> Self {
        let heart = Self { start: Instant::now(), last: Arc::default() };
        let (start, last) = (heart.start, Arc::downgrade(&heart.last));
        tokio::spawn(async move {
            while let Some(last) = last.upgrade() {
                last.store(u64::try_from(start.elapsed().as_millis()).unwrap_or(u64::MAX), Ordering::Relaxed);
                drop(last);
                sleep(BEAT).await;
            }
        });
        heart
    }

    fn silent(&self) -> Duration {
        self.start.elapsed().saturating_sub(Duration::from_millis(self.last.load(Ordering::Relaxed)))
    }
}

#[derive(Clone)]
struct Asked {
    runtime: Runtime,
    metrics: Metrics,
    heart: Heart,
}

/// What `/statusz` says.
#[derive(Serialize)]
struct Status {
    #[serde(flatten)]
    health: Health,
    /// How long ago the event loop last turned, in milliseconds.
    heartbeat_age_ms: u128,
}

/// The routes.
pub struct Routes {
    /// `/livez` and `/readyz`, for everybody: they tell nothing but that.
    pub probes: Router,
    /// `/statusz` and `/metrics`, for those who may `get` them.
    pub extra: Router,
}

/// The routes over a running platform.
pub fn routes(runtime: Runtime, metrics: Metrics) -> Routes {
    let asked = Asked { runtime, metrics, heart: Heart::start() };
    let probes = Router::new()
        .route("/livez", get(|State(asked): State<Asked>| async move { alive(&asked.heart) }))
        .route("/readyz", get(|State(asked): State<Asked>| async move { ready(&asked.runtime.health()) }))
        .with_state(asked.clone());
    let extra = Router::new()
        .route("/statusz", get(|State(asked): State<Asked>| async move { axum::Json(status(&asked)) }))
        .route("/metrics", get(|State(asked): State<Asked>| async move { scrape(&asked.metrics) }))
        .with_state(asked);
    Routes { probes, extra }
}

/// What a kubelet asks, and nothing else.
pub fn probes(runtime: Runtime) -> Router {
    Router::new()
        .route("/livez", get(|State((_, heart)): State<(Runtime, Heart)>| async move { alive(&heart) }))
        .route("/readyz", get(|State((asked, _)): State<(Runtime, Heart)>| async move { ready(&asked.health()) }))
        .with_state((runtime, Heart::start()))
}

fn alive(heart: &Heart) -> Response {
    let silent = heart.silent();
    if silent < STILL {
        return (StatusCode::OK, "ok\n").into_response();
    }
    let line = format!("event loop: it did not turn for {} s\n", silent.as_secs());
    (StatusCode::SERVICE_UNAVAILABLE, line).into_response()
}

/// 200 or 503, and one line for each check that failed.
fn ready(health: &Health) -> Response {
    if health.ready {
        return (StatusCode::OK, "ok\n").into_response();
    }
    let failed = health.checks.iter().filter(|check| !check.ok);
    let lines: String = failed.map(|check| format!("{}: {}\n", check.name, check.detail)).collect();
    (StatusCode::SERVICE_UNAVAILABLE, lines).into_response()
}

fn status(asked: &Asked) -> Status {
    let mut health = asked.runtime.health();
    health.live = asked.heart.silent() < STILL;
    Status { health, heartbeat_age_ms: asked.heart.silent().as_millis() }
}

fn scrape(metrics: &Metrics) -> Response {
    ([(header::CONTENT_TYPE, metrics::CONTENT_TYPE)], metrics.text()).into_response()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_process_whose_event_loop_stands_still_is_not_alive() {
        let heart = Heart::start();
        sleep(Duration::from_secs(60)).await;
        assert_eq!(alive(&heart).status(), StatusCode::OK);
        // As if the last beat had been the first.
        heart.last.store(0, Ordering::Relaxed);
        assert_eq!(alive(&heart).status(), StatusCode::SERVICE_UNAVAILABLE);
    }
}
