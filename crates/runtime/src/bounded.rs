//! A client whose calls end.
//!
//! Since kube 4 a client has no read timeout, and a watch can be told from a server that hangs only once it has begun. So
//! every call gets its answer within [`LIMIT`], or fails; only the body of a watch may take its time, and there the watcher
//! has an idle timeout of its own.

use std::time::Duration;

use http::{Request, Response};
use kube::Client;
use kube::client::Body;
use tokio::time::timeout;
use tower::{BoxError, service_fn};

/// The longest a call may take: a page of 500 objects over a slow link.
const LIMIT: Duration = Duration::from_secs(30);

/// The same client, bounded.
pub(crate) fn bounded(client: Client) -> Client {
    let namespace = client.default_namespace().to_owned();
    let service = service_fn(move |request: Request<Body>| {
        let client = client.clone();
        async move {
            match timeout(LIMIT, answer(client, request)).await {
                Ok(answer) => answer,
                Err(_) => Err(format!("no answer within {LIMIT:?}").into()),
            }
        }
    });
    Client::new(service, namespace)
}

/// The whole answer; of a watch, its beginning.
async fn answer(client: Client, request: Request<Body>) -> Result<Response<Body>, BoxError> {
    let watches = request.uri().query().is_some_and(|query| query.contains("watch=true"));
    let response = client.send(request).await?;
    if watches {
        return Ok(response);
    }
    let (head, body) = response.into_parts();
    Ok(Response::from_parts(head, Body::from(body.collect_bytes().await?)))
}
