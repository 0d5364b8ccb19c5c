//! Puts the routes together and serves them.

use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use axum::extract::DefaultBodyLimit;
use axum::routing::{MethodRouter, get, post};
use axum::{Router, middleware};
use tokio::net::TcpListener;
use tokio::sync::{Semaphore, watch};
use tower_http::compression::CompressionLayer;

use crate::access::{Access, Gate, Seen};
use crate::backend::Backend;
use crate::recent::Recent;
use crate::tls::Tls;
use crate::view::{Nodes, Overview};
use crate::{actions, admit, assets, body, connections, export, guard, openapi, reads, session, stream};

/// How the page is served.
#[derive(Clone, Default)]
pub struct Options {
    /// The names the page may be opened under, as a browser sends them: `127.0.0.1:8080`. Others are refused.
    pub hosts: Vec<String>,
    /// The origins from which a browser may change something: `http://127.0.0.1:8080`.
    pub origins: Vec<String>,
    /// Whether switches are refused.
    pub read_only: bool,
    /// How people sign in; without it this machine alone is answered.
    pub access: Option<Access>,
    /// The certificate, where the page itself speaks HTTPS.
    pub tls: Option<Tls>,
    /// More routes, open to those who may `get` their path: the binary's `/metrics` and `/statusz`. They are answered also
    /// while the API is busy. They may not have a fallback of their own.
    pub extra: Router,
    /// More routes, open to everybody who reaches the page: `/livez` and `/readyz`.
    pub probes: Router,
}

impl Options {
    /// Served under the three names of loopback at this port.
    #[must_use]
    pub fn loopback(port: u16) -> Self {
        let names = ["127.0.0.1", "localhost", "[::1]"];
        let mut options = Self::default();
        for name in names {
            options = options.named(&format!("{name}:{port}"), "http");
        }
        // A browser leaves the usual port out.
        if port == 80 {
            options = names.into_iter().fold(options, |options, name| options.named(name, "http"));
        }
        options
    }

    /// The same under one more name, opened by `http` or `https`.
    #[must_use]
    pub fn named(mut self, host: &str, scheme: &str) -> Self {
        self.hosts.push(host.to_owned());
        self.origins.push(format!("{scheme}://{host}"));
        self
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
    /// Without a sign-in the page must not be reachable from elsewhere.
    #[error(
        "{address} is reachable from other machines, and nobody signs in to this page; use 127.0.0.1 or [::1], or choose \
         --sign-in token, oidc or proxy"
    )]
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
    bind_anywhere(address).await
}

/// Listens on any address: for a page that people sign in to.
///
/// # Errors
/// When its port is taken, or the operating system refuses.
pub async fn bind_anywhere(address: SocketAddr) -> Result<TcpListener, ServeError> {
    TcpListener::bind(address).await.map_err(|source| match source.kind() {
        io::ErrorKind::AddrInUse => ServeError::InUse { address },
        _ => ServeError::Refused { address, source },
    })
}

/// Serves the page until `shutdown`; then ends the streams, gives answers under way five seconds, and returns.
///
/// # Errors
/// When the listener is not on loopback although nobody signs in.
pub async fn serve(
    listener: TcpListener,
    mut options: Options,
    backend: Arc<dyn Backend>,
    shutdown: impl Future<Output = ()> + Send + 'static,
) -> Result<(), ServeError> {
    let address = listener.local_addr()?;
    if !address.ip().is_loopback() && options.access.is_none() {
        return Err(ServeError::NotLoopback { address });
    }
    let (close, closing) = watch::channel(false);
    let ended = async {
        shutdown.await;
        close.send_replace(true);
    };
    let tls = options.tls.take();
    connections::serve(listener, tls, router(options, backend, closing), ended).await;
    Ok(())
}

/// What every route can reach.
#[derive(Clone)]
pub struct App {
    pub backend: Arc<dyn Backend>,
    pub gate: Option<Arc<Gate>>,
    pub hosts: Arc<[String]>,
    pub origins: Arc<[String]>,
    pub read_only: bool,
    pub requests: Arc<Semaphore>,
    pub sign_ins: Arc<Semaphore>,
    pub exports: Arc<Semaphore>,
    pub streams: Arc<Semaphore>,
    pub overview: Arc<Recent<(Seen, bool), Overview>>,
    pub nodes: Arc<Recent<(), Nodes>>,
    pub subjects: Arc<stream::Subjects>,
    pub closing: watch::Receiver<bool>,
}

/// The routes that answer only those who are let in.
fn routes() -> [(&'static str, MethodRouter<App>); 14] {
    [
        ("/overview", get(reads::overview)),
        ("/nodes", get(reads::nodes)),
        ("/decisions", get(reads::decisions)),
        ("/decisions/export", get(export::export)),
        ("/decisions/{id}", get(reads::decision)),
        ("/subjects/{kind}/{namespace}/{name}", get(reads::subject)),
        ("/why/{kind}/{namespace}/{name}", get(reads::why)),
        ("/features/{feature}/preview", get(actions::preview)),
        ("/features/{feature}/mode", post(actions::set_mode)),
        ("/features/{feature}/pause", post(actions::set_paused)),
        ("/features/{feature}/ask/{question}", post(actions::ask)),
        ("/whatif", post(actions::what_if)),
        ("/stream", get(stream::stream)),
        ("/openapi.json", get(openapi::document)),
    ]
}

/// The routes that answer everybody who reaches the page.
fn open_routes() -> [(&'static str, MethodRouter<App>); 3] {
    [
        ("/session", get(session::session).post(session::sign_in).delete(session::sign_out)),
        ("/sign-in", get(session::begin)),
        ("/sign-in/callback", get(session::callback)),
    ]
}

/// Every path below `/api/v1` that answers only those who are let in.
#[must_use]
pub fn guarded_paths() -> Vec<&'static str> {
    routes().into_iter().map(|(path, _)| path).collect()
}

/// All routes. Streams end when `closing` turns true or its sender is gone.
pub fn router(options: Options, backend: Arc<dyn Backend>, closing: watch::Receiver<bool>) -> Router {
    let gate = options.access.map(Gate::new);
    let app = App {
        backend,
        hosts: options.hosts.into(),
        origins: options.origins.into(),
        read_only: options.read_only,
        requests: guard::room(),
        sign_ins: guard::room(),
        exports: Arc::new(Semaphore::new(export::MAX_EXPORTS)),
        streams: Arc::new(Semaphore::new(stream::most(gate.is_some()))),
        gate,
        overview: Arc::default(),
        nodes: Arc::default(),
        subjects: Arc::default(),
        closing,
    };
    let layered = |routes: Router<App>| routes.layer(DefaultBodyLimit::max(body::MAX_BODY));
    let guarded = routes().into_iter().fold(Router::new(), |router, (path, method)| router.route(path, method));
    let guarded = layered(guarded)
        .layer(middleware::from_fn_with_state(app.clone(), guard::bounded))
        .layer(middleware::from_fn_with_state(app.clone(), admit::to_the_api));
    let open = open_routes().into_iter().fold(Router::new(), |router, (path, method)| router.route(path, method));
    let open = layered(open).layer(middleware::from_fn_with_state(app.clone(), guard::bounded_sign_in));
    let extra = options.extra.layer(middleware::from_fn_with_state(app.clone(), admit::to_a_path));
    Router::new()
        .nest("/api/v1", guarded.merge(open))
        .fallback(assets::page)
        .method_not_allowed_fallback(assets::wrong_method)
        .with_state(app.clone())
        .merge(extra)
        .merge(options.probes)
        .layer(CompressionLayer::new())
        .layer(middleware::from_fn_with_state(app, guard::guard))
}
