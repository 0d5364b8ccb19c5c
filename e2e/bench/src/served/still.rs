//! An API server in which nothing moves: it lists what there is in pages, and never says anything on a watch.
//!
//! What is measured beside it is Keelson's alone.

use std::convert::Infallible;

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt as _, Full, StreamBody};
use kube::client::Body;
use serde_json::{Value, json};

type Answer = Response<UnsyncBoxBody<Bytes, Infallible>>;

/// How much there is in a cluster.
#[derive(Debug, Clone, Copy)]
pub struct Cluster {
    /// Machines.
    pub nodes: usize,
    /// Pods that run on them.
    pub pods: usize,
}

/// Answers a request.
///
/// # Errors
/// Never, as long as the answers here are written well.
pub fn answer(request: &Request<Body>, cluster: Cluster) -> Result<Answer, http::Error> {
    let query = request.uri().query().unwrap_or_default();
    if query.contains("watch=") {
        return json_of(200, StreamBody::new(futures::stream::pending()).boxed_unsync());
    }
    let (all, make): (usize, &dyn Fn(usize) -> Value) = match request.uri().path() {
        "/api/v1/nodes" => (cluster.nodes, &node),
        "/api/v1/pods" => (cluster.pods, &|n| pod(n, cluster.nodes)),
        "/apis/keelson.dev/v1alpha1/platforms" => (1, &|_| platform()),
        _ => {
            let status =
                json!({"kind": "Status", "apiVersion": "v1", "status": "Failure", "reason": "NotFound", "code": 404});
            return json_of(404, Full::new(Bytes::from(status.to_string())).boxed_unsync());
        }
    };
    let number = |name: &str| {
        let value = query.split('&').find_map(|part| part.strip_prefix(name)?.strip_prefix('='));
        value.and_then(|value| value.parse::<usize>().ok())
    };
    let first = number("continue").unwrap_or(0);
    let last = all.min(first + number("limit").unwrap_or(all));
    let next = if last < all { last.to_string() } else { String::new() };
    let items: Vec<Value> = (first..last).map(make).collect();
    let metadata = json!({"resourceVersion": "1", "continue": next});
    let list = json!({"kind": "List", "apiVersion": "v1", "metadata": metadata, "items": items});
    json_of(200, Full::new(Bytes::from(list.to_string())).boxed_unsync())
}

fn json_of(status: u16, body: UnsyncBoxBody<Bytes, Infallible>) -> Result<Answer, http::Error> {
    Response::builder().status(status).header("content-type", "application/json").body(body)
}

fn platform() -> Value {
    json!({"metadata": {"name": "default", "uid": "platform", "resourceVersion": "1", "generation": 1}, "spec": {}})
}

fn node(n: usize) -> Value {
    let offers = json!({"cpu": "16", "memory": "64Gi", "pods": "110"});
    let labels = json!({"topology.kubernetes.io/zone": format!("zone-{}", n % 3)});
    let ready = json!([{"type": "Ready", "status": "True"}]);
    let name = format!("node-{n}");
    let metadata = json!({"name": name, "uid": name, "resourceVersion": "1", "labels": labels});
    json!({"metadata": metadata, "status": {"capacity": offers, "allocatable": offers, "conditions": ready}})
}

fn pod(n: usize, nodes: usize) -> Value {
    let resources = json!({"requests": {"cpu": "100m", "memory": "256Mi"}});
    let container = json!({"name": "main", "image": "app:1", "resources": resources});
    let spec = json!({"nodeName": format!("node-{}", n % nodes), "schedulerName": "other", "containers": [container]});
    let name = format!("app-{n}");
    let metadata = json!({"name": name, "uid": name, "namespace": "default", "resourceVersion": "1"});
    json!({"metadata": metadata, "spec": spec, "status": {"phase": "Running"}})
}
