//! Where kube-scheduler asks, as the command line says it.
//!
//! The socket knows no protocol: a path and bytes go to the feature, its answer goes back. What it knows is who may connect.
//! Whoever reaches it can steer where pods go, so it is on loopback, or whoever connects proves by a certificate who he is.
//!
//! Promises: in the clear on loopback only, and there no page of a browser can ask; elsewhere only with a certificate of the
//! named authority; a question that is too large, too many or takes too long is answered with a status that says so.

use std::future::Future;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;

use anyhow::{Context, Result, bail};
use axum::Router;
use axum::body::{Body, to_bytes};
use axum::extract::{Request, State};
use axum::http::header::{CONTENT_TYPE, HOST};
use axum::http::{Method, StatusCode};
use axum::response::{IntoResponse, Response};
use clap::Args;
use keelson_dashboard::Tls;
use keelson_runtime::Listener;
use tokio::net::TcpListener;
use tokio::sync::Semaphore;

/// Where kube-scheduler asks.
#[derive(Debug, Clone, Args)]
pub struct Extender {
    /// Where kube-scheduler asks Keelson as its extender; nowhere when not given.
    #[arg(id = "extender", long = "extender", env = "KEELSON_EXTENDER", value_name = "ADDR")]
    pub address: Option<SocketAddr>,
    /// The certificate of that address in PEM, read again when it changes; needed where it is not loopback.
    #[arg(
        id = "extender_tls_cert",
        long = "extender-tls-cert",
        env = "KEELSON_EXTENDER_TLS_CERT",
        value_name = "FILE",
        requires_all = ["extender", "extender_tls_key", "extender_client_ca"]
    )]
    pub certificate: Option<PathBuf>,
    /// The certificate's key in PEM.
    #[arg(
        id = "extender_tls_key",
        long = "extender-tls-key",
        env = "KEELSON_EXTENDER_TLS_KEY",
        value_name = "FILE",
        requires = "extender_tls_cert"
    )]
    pub key: Option<PathBuf>,
    /// The authority in PEM that the certificates of those who ask are from.
    #[arg(
        id = "extender_client_ca",
        long = "extender-client-ca",
        env = "KEELSON_EXTENDER_CLIENT_CA",
        value_name = "FILE",
        requires = "extender_tls_cert"
    )]
    pub authority: Option<PathBuf>,
}

/// A socket that is open and not served yet.
#[derive(Debug)]
pub struct Opened {
    listener: TcpListener,
    tls: Option<Tls>,
}

impl Extender {
    /// Takes the port, when one is wanted.
    ///
    /// # Errors
    /// When it would be open to everybody, or cannot be had.
    pub async fn open(&self) -> Result<Option<Opened>> {
        let Some(address) = self.address else { return Ok(None) };
        let tls = match (&self.certificate, &self.key, &self.authority) {
            (Some(certificate), Some(key), Some(authority)) => {
                Some(Tls::read(certificate, key).and_then(|tls| tls.asking(authority)).context("--extender-tls-cert")?)
            }
            _ if address.ip().is_loopback() => None,
            _ => bail!(
                "--extender {address} is reachable from other machines, and whoever asks there steers where pods go; use \
                 127.0.0.1 or [::1], or give --extender-tls-cert, --extender-tls-key and --extender-client-ca"
            ),
        };
        let listener =
            TcpListener::bind(address).await.with_context(|| format!("--extender {address}: choose another"))?;
        Ok(Some(Opened { listener, tls }))
    }
}

/// Answers until `stop`; without a socket there is nothing to answer.
///
/// # Errors
/// When no feature answers there.
pub async fn serve(opened: Option<Opened>, listeners: &[Listener], stop: impl Future<Output = ()>) -> Result<()> {
    let Some(Opened { listener, tls }) = opened else { return std::future::pending().await };
    let Some(feature) = listeners.iter().find(|listener| listener.name == "extender") else {
        bail!("--extender: scheduling may do nothing here (--ceiling scheduling=Off); leave --extender out");
    };
    keelson_dashboard::serve_routes(listener, tls.clone(), routes(feature, tls.is_none()), stop).await;
    Ok(())
}

/// The socket's one route: every path is the feature's.
fn routes(feature: &Listener, in_the_clear: bool) -> Router {
    let room = Arc::new(Semaphore::new(feature.at_once));
    Router::new().fallback(answer).with_state(Socket { feature: feature.clone(), room, in_the_clear })
}

#[derive(Clone)]
struct Socket {
    feature: Listener,
    room: Arc<Semaphore>,
    in_the_clear: bool,
}

async fn answer(State(socket): State<Socket>, request: Request) -> Response {
    let (feature, (head, body)) = (&socket.feature, request.into_parts());
    if head.method != Method::POST {
        return (StatusCode::METHOD_NOT_ALLOWED, "post a question").into_response();
    }
    let header = |name| head.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default();
    // What a browser sends without asking first is never this type; and a name of somebody else's that leads here is none of ours.
    if !header(CONTENT_TYPE).starts_with("application/json") {
        return (StatusCode::UNSUPPORTED_MEDIA_TYPE, "send application/json").into_response();
    }
    if socket.in_the_clear && !is_loopback(header(HOST)) {
        return (StatusCode::MISDIRECTED_REQUEST, "ask under 127.0.0.1, [::1] or localhost").into_response();
    }
    let Ok(_place) = socket.room.try_acquire() else {
        return (StatusCode::SERVICE_UNAVAILABLE, "too many questions at once").into_response();
    };
    let answering = async {
        match body_of(body, feature.largest).await {
            Ok(body) => {
                let reply = feature.ask(head.uri.path().to_owned(), body).await;
                let status = StatusCode::from_u16(reply.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
                (status, [(CONTENT_TYPE, "application/json")], reply.body).into_response()
            }
            Err(status) => (status, format!("a question has at most {} bytes", feature.largest)).into_response(),
        }
    };
    match tokio::time::timeout(feature.deadline.to_std(), answering).await {
        Ok(response) => response,
        Err(_) => (StatusCode::GATEWAY_TIMEOUT, format!("no answer within {}", feature.deadline)).into_response(),
    }
}

async fn body_of(body: Body, most: usize) -> Result<Vec<u8>, StatusCode> {
    let read = to_bytes(body, most).await;
    read.map(Vec::from).map_err(|_| StatusCode::PAYLOAD_TOO_LARGE)
}

fn is_loopback(host: &str) -> bool {
    let name = host.rsplit_once(':').map_or(host, |(name, port)| if port.contains(']') { host } else { name });
    matches!(name, "127.0.0.1" | "[::1]" | "localhost")
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::panic)]
    use http_body_util::BodyExt;
    use keelson_core::Span;
    use keelson_runtime::operator::Reply;
    use tower::ServiceExt;

    use super::*;

    fn echo() -> Listener {
        let echo = |path: String, body: Vec<u8>| async move {
            if path == "/hang" {
                std::future::pending::<()>().await;
            }
            Reply { status: 200, body }
        };
        Listener::new("extender", "a test", echo)
    }

    fn post(path: &str, host: &str, body: Vec<u8>) -> Request {
        let request = Request::post(path).header(HOST, host).header(CONTENT_TYPE, "application/json");
        request.body(Body::from(body)).unwrap()
    }

    async fn asked(feature: Listener, request: Request) -> (StatusCode, Vec<u8>) {
        let response = routes(&feature, true).oneshot(request).await.unwrap();
        (response.status(), response.into_body().collect().await.unwrap().to_bytes().to_vec())
    }

    #[tokio::test]
    async fn bytes_go_to_the_feature_and_its_answer_comes_back() {
        let (status, body) = asked(echo(), post("/filter", "127.0.0.1:80", b"{}".to_vec())).await;
        assert_eq!((status, body.as_slice()), (StatusCode::OK, &b"{}"[..]));
    }

    #[tokio::test]
    async fn a_question_of_sixteen_mebibytes_and_one_byte_is_too_large() {
        let mut feature = echo();
        feature.largest = 16 << 20;
        let of = |bytes| post("/filter", "localhost:1", vec![b' '; bytes]);
        assert_eq!(asked(feature.clone(), of(16 << 20)).await.0, StatusCode::OK);
        assert_eq!(asked(feature, of((16 << 20) + 1)).await.0, StatusCode::PAYLOAD_TOO_LARGE);
    }

    #[tokio::test(start_paused = true)]
    async fn a_hang_is_cut() {
        let mut feature = echo();
        feature.deadline = Span::seconds(4);
        let began = tokio::time::Instant::now();
        assert_eq!(asked(feature, post("/hang", "[::1]:1", Vec::new())).await.0, StatusCode::GATEWAY_TIMEOUT);
        assert_eq!(began.elapsed().as_secs(), 4);
    }

    #[tokio::test]
    async fn who_asks_beside_too_many_others_is_turned_away() {
        let mut feature = echo();
        feature.at_once = 0;
        assert_eq!(asked(feature, post("/filter", "localhost", Vec::new())).await.0, StatusCode::SERVICE_UNAVAILABLE);
    }

    #[tokio::test]
    async fn a_page_in_a_browser_cannot_ask() {
        let plain = Request::post("/bind").header(HOST, "127.0.0.1:80").body(Body::empty()).unwrap();
        assert_eq!(asked(echo(), plain).await.0, StatusCode::UNSUPPORTED_MEDIA_TYPE);
        let named = post("/bind", "evil.example.com:80", Vec::new());
        assert_eq!(asked(echo(), named).await.0, StatusCode::MISDIRECTED_REQUEST);
        let got = Request::get("/bind").body(Body::empty()).unwrap();
        assert_eq!(asked(echo(), got).await.0, StatusCode::METHOD_NOT_ALLOWED);
    }

    #[tokio::test]
    async fn it_opens_to_other_machines_only_for_those_who_prove_who_they_are() {
        let open =
            Extender { address: Some("0.0.0.0:0".parse().unwrap()), certificate: None, key: None, authority: None };
        let refused = open.open().await.unwrap_err().to_string();
        assert!(refused.contains("--extender-client-ca"), "{refused}");
        let local = Extender { address: Some("127.0.0.1:0".parse().unwrap()), ..open };
        assert!(local.open().await.unwrap().is_some());
    }
}
