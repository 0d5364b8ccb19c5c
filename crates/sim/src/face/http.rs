//! The API on a socket, for kubectl and everyone else.
//!
//! Promises: no file is written; a connection that cannot be taken costs nobody else theirs; when asked to stop, open
//! requests are ended and the port is free again.

use std::{future::Future, io, net::SocketAddr, time::Duration};

use futures::{Stream, StreamExt, stream};
use hyper_util::{
    rt::{TokioExecutor, TokioIo},
    server::{conn::auto, graceful::GracefulShutdown},
    service::TowerToHyperService,
};
use tokio::net::{TcpListener, TcpStream};

use super::tower::Face;

/// How long open requests may take to end after the stop was asked for: watches never end by themselves.
const GRACE: Duration = Duration::from_millis(500);

/// How long to wait after a connection could not be taken: most often files are short, and it takes a moment until some
/// are closed.
const BREATH: Duration = Duration::from_millis(100);

/// Serves the face until `stop` is done.
///
/// # Errors
/// None: what is wrong with a connection is logged and is nobody else's affair.
pub async fn serve(listener: TcpListener, face: Face, stop: impl Future<Output = ()>) -> io::Result<()> {
    let accepted = stream::poll_fn(move |context| listener.poll_accept(context).map(Some));
    serve_each(accepted.map(|accepted| accepted.map(|(stream, _)| stream)), face, stop).await;
    Ok(())
}

async fn serve_each(accepted: impl Stream<Item = io::Result<TcpStream>>, face: Face, stop: impl Future<Output = ()>) {
    let server = auto::Builder::new(TokioExecutor::new());
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
                let service = TowerToHyperService::new(face.clone());
                let connection = server.serve_connection_with_upgrades(TokioIo::new(stream), service).into_owned();
                let connection = graceful.watch(connection);
                connections.spawn(async move {
                    if let Err(problem) = connection.await {
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
}

/// A kubeconfig for the address; `token` may be empty.
///
/// kubectl sends no token over plain HTTP (other clients do); `kubectl --as NAME` acts as another user instead.
#[must_use]
pub fn kubeconfig(address: SocketAddr, token: &str) -> String {
    let user = if token.is_empty() { "{}".to_owned() } else { format!("{{token: {token:?}}}") };
    format!(
        "apiVersion: v1\nkind: Config\ncurrent-context: keelson\nclusters:\n- name: keelson\n  cluster: {{server: \
         \"http://{address}\"}}\nusers:\n- name: keelson\n  user: {user}\ncontexts:\n- name: keelson\n  context: \
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
        let serving = tokio::spawn(serve_each(accepted, face, std::future::pending()));
        client.write_all(b"GET /readyz HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n").await.unwrap();
        let mut answer = String::new();
        client.read_to_string(&mut answer).await.unwrap();
        assert!(answer.starts_with("HTTP/1.1 200 OK") && answer.ends_with("ok"), "{answer}");
        serving.abort();
    }
}
