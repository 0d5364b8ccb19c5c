//! Puts the routes together and serves them on loopback.

use std::future::{Future, IntoFuture};
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::DefaultBodyLimit;
use axum::routing::{get, post};
use axum::serve::ListenerExt;
use axum::{Router, middleware};
use tokio::net::TcpListener;
use tokio::sync::{Semaphore, watch};
use tower_http::compression::CompressionLayer;

use crate::backend::Backend;
use crate::recent::Recent;
use crate::view::{Nodes, Overview};
use crate::{actions, assets, body, export, guard, openapi, reads, stream};

/// How the page is served.
#[derive(Debug, Clone, Default)]
pub struct Options {
    /// The names the page may be opened under, as a browser sends them: `127.0.0.1:8080`. Others are refused.
    pub hosts: Vec<String>,
    /// Whether switches are refused.
    pub read_only: bool,
    /// More routes under the same protection: the binary's `/metrics`, `/livez`, `/readyz` and `/statusz`. They are
    /// answered also while the API is busy. It may not have a fallback of its own.
    pub extra: Router,
}

impl Options {
    /// Served under the three names of loopback at this port.
    #[must_use]
    pub fn loopback(port: u16) -> Self {
        let names = ["127.0.0.1", "localhost", "[::1]"];
        let mut hosts: Vec<String> = names.iter().map(|name| format!("{name}:{port}")).collect();
        // A browser leaves the usual port out.
        if port == 80 {
            hosts.extend(names.map(str::to_owned));
        }
        Self { hosts, ..Self::default() }
    }
}

/// Why the page is not served.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// Another program has the port.
    #[error("{address} is in use by another program; stop that program or choose another port")]
    InUse {
        /// Where.
        address: SocketAddr,
    },
    /// The page has no sign-in, so it must not be reachable from elsewhere.
    #[error("{address} is reachable from other machines, and this page has no sign-in; use 127.0.0.1 or [::1]")]
    NotLoopback {
        /// Where.
        address: SocketAddr,
    },
    /// The operating system refused.
    #[error("cannot listen on {address}: {source}; choose another port")]
    Refused {
        /// Where.
        address: SocketAddr,
        /// What it said.
        source: io::Error,
    },
    /// Serving ended early.
    #[error("the page stopped being served: {0}; start Keelson again")]
    Stopped(#[from] io::Error),
}

/// Listens on a loopback address.
///
/// # Errors
/// When the address is no loopback address, its port is taken, or the operating system refuses.
pub async fn bind(address: SocketAddr) -> Result<TcpListener, ServeError> {
    if !address.ip().is_loopback() {
        return Err(ServeError::NotLoopback { address });
    }
    TcpListener::bind(address).await.map_err(|source| match source.kind() {
        io::ErrorKind::AddrInUse => ServeError::InUse { address },
        _ => ServeError::Refused { address, source },
    })
}

/// How long answers under way may take after the end was asked for.
const GRACE: Duration = Duration::from_secs(5);

/// Serves the page until `shutdown`; then ends the streams, gives answers under way five seconds, and returns.
///
/// # Errors
/// When the listener is not on loopback or fails.
pub async fn serve(
    listener: TcpListener,
    options: Options,
    backend: Arc<dyn Backend>,
    shutdown: impl Future<Output = ()> + Send + 'static,
) -> Result<(), ServeError> {
    let address = listener.local_addr()?;
    if !address.ip().is_loopback() {
        return Err(ServeError::NotLoopback { address });
    }
    let (close, closing) = watch::channel(false);
    let mut closed = closing.clone();
    let ended = async move {
        let _ = closed.wait_for(|closing| *closing).await;
        tokio::time::sleep(GRACE).await;
    };
    let shutdown = async move {
        shutdown.await;
        close.send_replace(true);
    };
    // An event is small and late when it waits for company.
    let listener = listener.tap_io(|connection| {
        let _ = connection.set_nodelay(true);
    });
    let serving = axum::serve(listener, router(options, backend, closing)).with_graceful_shutdown(shutdown);
    tokio::select! {
        served = serving.into_future() => served?,
        () = ended => tracing::warn!("a client did not take its answer in time and was left"),
    }
    Ok(())
}

/// What every route can reach.
#[derive(Clone)]
pub struct App {
    pub backend: Arc<dyn Backend>,
    pub hosts: Arc<[String]>,
    pub read_only: bool,
    pub requests: Arc<Semaphore>,
    pub exports: Arc<Semaphore>,
    pub streams: Arc<Semaphore>,
    pub overview: Arc<Recent<Overview>>,
    pub nodes: Arc<Recent<Nodes>>,
    pub closing: watch::Receiver<bool>,
}

/// All routes. Streams end when `closing` turns true or its sender is gone.
pub fn router(options: Options, backend: Arc<dyn Backend>, closing: watch::Receiver<bool>) -> Router {
    let app = App {
        backend,
        hosts: options.hosts.into(),
        read_only: options.read_only,
        requests: guard::room(),
        exports: Arc::new(Semaphore::new(export::MAX_EXPORTS)),
        streams: Arc::new(Semaphore::new(stream::MAX_STREAMS)),
        overview: Arc::default(),
        nodes: Arc::default(),
        closing,
    };
    let api = Router::new()
        .route("/overview", get(reads::overview))
        .route("/nodes", get(reads::nodes))
        .route("/decisions", get(reads::decisions))
        .route("/decisions/export", get(export::export))
        .route("/decisions/{id}", get(reads::decision))
        .route("/subjects/{kind}/{namespace}/{name}", get(reads::subject))
        .route("/why/{kind}/{namespace}/{name}", get(reads::why))
        .route("/features/{feature}/preview", get(actions::preview))
        .route("/features/{feature}/mode", post(actions::set_mode))
        .route("/features/{feature}/pause", post(actions::set_paused))
        .route("/features/{feature}/ask/{question}", post(actions::ask))
        .route("/stream", get(stream::stream))
        .route("/openapi.json", get(openapi::document))
        .layer(DefaultBodyLimit::max(body::MAX_BODY))
        .layer(middleware::from_fn_with_state(app.clone(), guard::bounded));
    Router::new()
        .nest("/api/v1", api)
        .fallback(assets::page)
        .method_not_allowed_fallback(assets::wrong_method)
        .with_state(app.clone())
        .merge(options.extra)
        .layer(CompressionLayer::new())
        .layer(middleware::from_fn_with_state(app, guard::guard))
}
