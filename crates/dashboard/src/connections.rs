//! The page on a socket: connections are taken, bounded, and ended.
//!
//! Promises: whoever connects and says nothing, or says it slowly, is gone after [`HEADERS`]; whoever does not take an answer
//! is gone after half a minute; there are at most [`MOST`] connections, and one that cannot be taken costs nobody else
//! theirs; when asked to stop, answers under way get their time and the port is free.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::{GracefulShutdown, Watcher};
use hyper_util::service::TowerToHyperService;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, watch};
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};
use tokio_rustls::TlsAcceptor;

use crate::patient::Patient;
use crate::tls::Tls;

/// How long a client may take to say what it asks for, and how long it may stay without asking anything.
pub const HEADERS: Duration = Duration::from_secs(10);
/// How long shaking hands may take.
const HANDSHAKE: Duration = Duration::from_secs(10);
/// The largest headers, in bytes: a token of 8 KiB and some more.
const MAX_HEADERS: usize = 32 * 1024;
/// The most connections: a thousand streams, and room for those who only ask.
pub const MOST: usize = 2_048;
/// How long to wait after a connection could not be taken: most often files are short.
const BREATH: Duration = Duration::from_millis(100);
/// How long answers under way may take after the end was asked for.
const GRACE: Duration = Duration::from_secs(5);

/// Serves `router` until `stop` is done, and then a few seconds longer at most.
pub async fn serve(listener: TcpListener, tls: Option<Tls>, router: Router, stop: impl Future<Output = ()>) {
    let acceptor = tls.map(Tls::follow);
    let room = Arc::new(Semaphore::new(MOST));
    let graceful = GracefulShutdown::new();
    let mut connections = JoinSet::new();
    tokio::pin!(stop);
    loop {
        let accepted = async {
            // Closed never, so that this only waits.
            let place = Arc::clone(&room).acquire_owned().await.ok();
            (listener.accept().await, place)
        };
        let (accepted, place) = tokio::select! {
            biased;
            () = &mut stop => break,
            Some(_) = connections.join_next() => continue,
            taken = accepted => taken,
        };
        // An event is small and late when it waits for company.
        match accepted.and_then(|(stream, _)| stream.set_nodelay(true).map(|()| stream)) {
            Ok(stream) => {
                let (acceptor, router, watcher) = (acceptor.clone(), router.clone(), graceful.watcher());
                connections.spawn(async move {
                    let _place = place;
                    talk(stream, acceptor, router, watcher).await;
                });
            }
            Err(problem) => {
                tracing::warn!(%problem, "a connection could not be taken");
                sleep(BREATH).await;
            }
        }
    }
    drop(listener);
    if timeout(GRACE, graceful.shutdown()).await.is_err() {
        tracing::warn!("a client did not take its answer in time and was left");
    }
    connections.shutdown().await;
}

async fn talk(stream: TcpStream, acceptor: Option<watch::Receiver<TlsAcceptor>>, router: Router, watcher: Watcher) {
    let Some(acceptor) = acceptor.map(|acceptor| acceptor.borrow().clone()) else {
        return answer(stream, router, watcher).await;
    };
    match timeout(HANDSHAKE, acceptor.accept(stream)).await {
        Ok(Ok(stream)) => answer(stream, router, watcher).await,
        Ok(Err(problem)) => tracing::debug!(%problem, "a client did not shake hands"),
        Err(_) => tracing::debug!("a client took too long to shake hands"),
    }
}

async fn answer<S>(stream: S, router: Router, watcher: Watcher)
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let mut server = http1::Builder::new();
    server.timer(TokioTimer::new()).header_read_timeout(HEADERS).max_header_size(MAX_HEADERS);
    let connection = server.serve_connection(TokioIo::new(Patient::new(stream)), TowerToHyperService::new(router));
    if let Err(problem) = watcher.watch(connection).await {
        tracing::debug!(%problem, "a connection ended early");
    }
}
