//! The API on a socket, for kubectl and everyone else: HTTPS, or plain HTTP for tests that look at what is said.
//!
//! Promises: no file is written; a connection that cannot be taken costs nobody else theirs; when asked to stop, open
//! requests are ended, all watches closed, and the port is free again.

use std::{future::Future, io, net::SocketAddr, time::Duration};

use futures::{Stream, StreamExt, stream};
use hyper_util::{
    rt::TokioIo,
    server::{conn::auto, graceful::GracefulShutdown},
    service::TowerToHyperService,
};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;
use tokio_util::task::TaskTracker;

use super::{tls::Tls, tower::Face};
use crate::api::base64;

/// How long open requests may take to end after the stop was asked for: watches never end by themselves.
const GRACE: Duration = Duration::from_millis(500);

/// How long to wait after a connection could not be taken: most often files are short, and it takes a moment until some
/// are closed.
const BREATH: Duration = Duration::from_millis(100);

/// Serves the face in the clear until `stop` is done.
///
/// # Errors
/// None: what is wrong with a connection is logged and is nobody else's affair.
pub async fn serve(listener: TcpListener, face: Face, stop: impl Future<Output = ()>) -> io::Result<()> {
    serve_each(connections(listener), None, face, stop).await;
    Ok(())
}

/// Serves the face over TLS until `stop` is done.
pub async fn serve_tls(listener: TcpListener, tls: &Tls, face: Face, stop: impl Future<Output = ()>) {
    serve_each(connections(listener), Some(tls.acceptor()), face, stop).await;
}

fn connections(listener: TcpListener) -> impl Stream<Item = io::Result<TcpStream>> {
    stream::poll_fn(move |context| listener.poll_accept(context).map(Some))
        .map(|accepted| accepted.map(|(stream, _)| stream))
}

async fn serve_each(
    accepted: impl Stream<Item = io::Result<TcpStream>>,
    tls: Option<TlsAcceptor>,
    face: Face,
    stop: impl Future<Output = ()>,
) {
    let requests = Requests::default();
    let server = auto::Builder::new(requests.clone());
    let graceful = GracefulShutdown::new();
    let mut connections = tokio::task::JoinSet::new();
    let mut accepted = Box::pin(accepted);
    tokio::pin!(stop);
    loop {
        tokio::select! {
            biased;
            () = &mut stop => break,
            Some(stream) = accepted.next() => {
                let stream = match stream.and_then(|stream| stream.set_nodelay(true).map(|()| stream)) {
                    Ok(stream) => stream,
                    Err(problem) => {
                        tracing::warn!(%problem, "a connection could not be taken");
                        tokio::time::sleep(BREATH).await;
                        continue;
                    }
                };
                let (server, service) = (server.clone(), TowerToHyperService::new(face.clone()));
                let (watcher, tls) = (graceful.watcher(), tls.clone());
                connections.spawn(async move {
                    let ended = match tls {
                        None => {
                            let connection = server.serve_connection_with_upgrades(TokioIo::new(stream), service);
                            watcher.watch(connection.into_owned()).await
                        }
                        // Shaking hands may take long, and keeps nobody else waiting.
                        Some(tls) => match tls.accept(stream).await {
                            Ok(stream) => {
                                let connection = server.serve_connection_with_upgrades(TokioIo::new(stream), service);
                                watcher.watch(connection.into_owned()).await
                            }
                            Err(problem) => Err(problem.into()),
                        },
                    };
                    if let Err(problem) = ended {
                        tracing::debug!(%problem, "a connection ended early");
                    }
                });
            }
            Some(_) = connections.join_next() => {}
        }
    }
    drop(accepted);
    tokio::select! {
        biased;
        () = graceful.shutdown() => {}
        () = tokio::time::sleep(GRACE) => {}
    }
    connections.shutdown().await;
    requests.ended().await;
}

/// What answers over HTTP/2: a task for each request, which outlives its connection by a moment.
#[derive(Debug, Clone, Default)]
struct Requests(TaskTracker);

impl Requests {
    /// Waits for all of them; their connections are gone.
    async fn ended(&self) {
        self.0.close();
        self.0.wait().await;
    }
}

impl<F: Future<Output: Send + 'static> + Send + 'static> hyper::rt::Executor<F> for Requests {
    fn execute(&self, task: F) {
        self.0.spawn(task);
    }
}

/// A kubeconfig for plain HTTP at the address; `token` may be empty.
///
/// kubectl sends no token over plain HTTP (other clients do); `kubectl --as NAME` acts as another user instead.
#[must_use]
pub fn kubeconfig(address: SocketAddr, token: &str) -> String {
    written(&format!("server: \"http://{address}\""), token)
}

/// A kubeconfig for HTTPS at the address, with the authority to trust. Without a token kubectl asks for a password.
#[must_use]
pub fn kubeconfig_tls(address: SocketAddr, tls: &Tls, token: &str) -> String {
    let authority = base64::encode(tls.authority().as_bytes());
    written(&format!("server: \"https://{address}\", certificate-authority-data: {authority}"), token)
}

fn written(cluster: &str, token: &str) -> String {
    let user = if token.is_empty() { "{}".to_owned() } else { format!("{{token: {token:?}}}") };
    format!(
        "apiVersion: v1\nkind: Config\ncurrent-context: keelson\nclusters:\n- name: keelson\n  cluster: {{{cluster}}}\n\
         users:\n- name: keelson\n  user: {user}\ncontexts:\n- name: keelson\n  context: \
         {{cluster: keelson, user: keelson, namespace: default}}\n"
    )
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use keelson_core::Timestamp;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    use super::*;
    use crate::{
        api::{Api, Config},
        clock::Clock,
        face::Shared,
    };

    #[tokio::test]
    async fn a_connection_that_cannot_be_taken_costs_nobody_else_theirs() {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let mut client = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
        let (server, _) = listener.accept().await.unwrap();
        let short = io::Error::other("too many open files");
        let accepted = stream::iter([Err(short), Ok(server)]).chain(stream::pending());
        let face = Face::new(Shared::new(Api::new(Config::default()), Clock::start(Timestamp(0), 1)));
        let serving = tokio::spawn(serve_each(accepted, None, face, std::future::pending()));
        client.write_all(b"GET /readyz HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n").await.unwrap();
        let mut answer = String::new();
        client.read_to_string(&mut answer).await.unwrap();
        assert!(answer.starts_with("HTTP/1.1 200 OK") && answer.ends_with("ok"), "{answer}");
        serving.abort();
    }
}
