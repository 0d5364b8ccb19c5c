//! Noticing that the cluster went back in time.
//!
//! A cluster that is restored from a backup counts its versions on from there. A watch that asks for what came after a
//! version that is not there yet gets no error: it hears nothing until the count has passed that version, and what happened
//! meanwhile it never hears. (etcd's tool can raise the count when it restores; hardly anybody tells it to.)
//!
//! So before a watch begins, the newest version is asked for. A watch from the future is answered as one from a forgotten
//! past: gone, and everything is listed again.
//!
//! Promises: a watch that begins, every five minutes a kind, costs one list of one object more; a server that is away stays
//! a server that is away; versions that are no numbers are left alone.

use http::header::ACCEPT;
use http::{Request, Response, Uri};
use kube::Client;
use kube::client::Body;
use serde_json::{Value, json};
use tower::{BoxError, service_fn};

/// Of the object that is listed nothing but its name is of use.
const NAMES: &str = "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1,application/json";

/// The same client; watches from the future are gone.
pub(crate) fn noticing(client: Client) -> Client {
    let namespace = client.default_namespace().to_owned();
    let service = service_fn(move |request: Request<Body>| {
        let client = client.clone();
        async move {
            if let Some(since) = watched_since(request.uri())
                && let Some(newest) = newest(&client, request.uri()).await?
                && newest < since
            {
                tracing::warn!(
                    path = request.uri().path(),
                    "the cluster was restored from an older state: it is at version {newest}, and {since} was seen"
                );
                return Ok(gone(since, newest));
            }
            client.send(request).await.map_err(BoxError::from)
        }
    });
    Client::new(service, namespace)
}

/// The version after which a watch wants everything.
fn watched_since(uri: &Uri) -> Option<u64> {
    let fields = uri.query()?.split('&').filter_map(|field| field.split_once('='));
    let value = |name: &str| fields.clone().find(|(key, _)| *key == name).map(|(_, value)| value);
    (value("watch") == Some("true")).then(|| value("resourceVersion")?.parse().ok()).flatten()
}

/// The newest version there is of a kind; none when the server does not say.
async fn newest(client: &Client, watch: &Uri) -> Result<Option<u64>, BoxError> {
    let request = Request::get(format!("{}?limit=1", watch.path())).header(ACCEPT, NAMES).body(Body::empty())?;
    let response = client.send(request).await?;
    if !response.status().is_success() {
        // The watch itself will be told why.
        return Ok(None);
    }
    let list: Value = serde_json::from_slice(&response.into_body().collect_bytes().await?)?;
    let version = list.pointer("/metadata/resourceVersion").and_then(Value::as_str);
    Ok(version.and_then(|version| version.parse().ok()))
}

/// A watch whose only event is that its past is forgotten.
fn gone(since: u64, newest: u64) -> Response<Body> {
    let message = format!(
        "the cluster was restored from an older state: it is at version {newest}, and {since} was seen; listing again"
    );
    let status = json!({"kind": "Status", "apiVersion": "v1", "status": "Failure", "code": 410, "reason": "Expired",
        "message": message});
    Response::new(Body::from(format!("{}\n", json!({"type": "ERROR", "object": status})).into_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_watch_from_a_version_is_looked_at() {
        let since = |uri: &str| uri.parse().ok().and_then(|uri| watched_since(&uri));
        assert_eq!(
            since("/api/v1/pods?watch=true&timeoutSeconds=290&resourceVersion=12&allowWatchBookmarks=true"),
            Some(12)
        );
        assert_eq!(since("/api/v1/pods?resourceVersion=12"), None);
        assert_eq!(since("/api/v1/pods?watch=true&resourceVersion=abc"), None);
        assert_eq!(since("/api/v1/pods"), None);
    }
}
