//! The API on a socket, for kubectl and everyone else.
//!
//! Promises: no file is written; when asked to stop, open requests are ended and the port is free again.

use std::{future::Future, net::SocketAddr, time::Duration};

use hyper_util::{
    rt::{TokioExecutor, TokioIo},
    server::{conn::auto, graceful::GracefulShutdown},
    service::TowerToHyperService,
};
use tokio::net::TcpListener;

use super::tower::Face;

/// How long open requests may take to end after the stop was asked for: watches never end by themselves.
const GRACE: Duration = Duration::from_millis(500);

/// Serves the face until `stop` is done.
///
/// # Errors
/// What the listener reports; a broken connection is the client's affair and no error.
pub async fn serve(listener: TcpListener, face: Face, stop: impl Future<Output = ()>) -> std::io::Result<()> {
    let server = auto::Builder::new(TokioExecutor::new());
    let graceful = GracefulShutdown::new();
    let mut connections = tokio::task::JoinSet::new();
    tokio::pin!(stop);
    loop {
        tokio::select! {
            biased;
            () = &mut stop => break,
            accepted = listener.accept() => {
                let (stream, _) = accepted?;
                stream.set_nodelay(true)?;
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
    drop(listener);
    tokio::select! {
        biased;
        () = graceful.shutdown() => {}
        () = tokio::time::sleep(GRACE) => {}
    }
    connections.shutdown().await;
    Ok(())
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
