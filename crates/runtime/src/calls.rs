//! Every request to the API server, counted and timed.
//!
//! One layer lies around what a client sends through. Every client of a process is built with it, so that watches, lists,
//! Leases and actions are in the same two families, under client-go's names.
//!
//! Promises: a request is counted once, when its answer begins or when nobody waits for that any more; time is that to the
//! head of the answer, so that a watch counts as a call and not as its hours; every label is from a closed set.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use http::{Method, Request, Response};
use keelson_core::Metric;
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::registry::Registry;
use tokio::time::Instant;
use tower::{Layer, Service};

use crate::metrics::{Histograms, histograms};

/// Calls by their answer.
pub(crate) const CALLS: Metric = Metric::counter(
    "rest_client_requests_total",
    &["code", "method", "host"],
    "every request to the API server: watches, lists, Leases, actions, the page's own; `<error>` is one without an answer",
);
/// How long they took.
pub(crate) const CALL_SECONDS: Metric =
    Metric::histogram("rest_client_request_duration_seconds", &["verb", "host"], "time to the head of the answer");

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ByAnswer {
    code: &'static str,
    method: &'static str,
    host: Arc<str>,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ByVerb {
    verb: &'static str,
    host: Arc<str>,
}

/// What the clients of a process have asked; clones share the counts.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() {
/// use keelson_runtime::Calls;
/// use tower::{Layer, ServiceExt, service_fn};
/// let calls = Calls::default();
/// let answers = service_fn(|_: http::Request<()>| async { Ok::<_, std::io::Error>(http::Response::new(())) });
/// calls.to("10.0.0.1:6443").layer(answers).oneshot(http::Request::new(())).await.unwrap();
///
/// let mut registry = Default::default();
/// calls.register(&mut registry);
/// let mut text = String::new();
/// prometheus_client::encoding::text::encode(&mut text, &registry).unwrap();
/// assert!(text.contains(r#"rest_client_requests_total{code="200",method="GET",host="10.0.0.1:6443"} 1"#));
/// # }
/// ```
#[derive(Debug, Clone)]
pub struct Calls {
    answers: Family<ByAnswer, Counter>,
    seconds: Histograms<ByVerb>,
}

impl Default for Calls {
    fn default() -> Self {
        Self { answers: Family::default(), seconds: histograms() }
    }
}

impl Calls {
    /// The layer of clients that ask the API server at `host`, which is its name and port and no more.
    #[must_use]
    pub fn to(&self, host: &str) -> CallsTo {
        CallsTo { calls: self.clone(), host: host.into() }
    }

    /// Adds both families to a registry.
    pub fn register(&self, registry: &mut Registry) {
        registry.register(CALLS.family(), CALLS.says, self.answers.clone());
        registry.register(CALL_SECONDS.family(), CALL_SECONDS.says, self.seconds.clone());
    }
}

/// Counts the calls to one API server.
#[derive(Debug, Clone)]
pub struct CallsTo {
    calls: Calls,
    host: Arc<str>,
}

impl<S> Layer<S> for CallsTo {
    type Service = Counted<S>;

    fn layer(&self, inner: S) -> Counted<S> {
        Counted { inner, to: self.clone() }
    }
}

/// A service whose calls are counted.
#[derive(Debug, Clone)]
pub struct Counted<S> {
    inner: S,
    to: CallsTo,
}

impl<S, A, B> Service<Request<A>> for Counted<S>
where
    S: Service<Request<A>, Response = Response<B>>,
    S::Future: Send + 'static,
{
    type Response = S::Response;
    type Error = S::Error;
    type Future = Pin<Box<dyn Future<Output = Result<S::Response, S::Error>> + Send>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, request: Request<A>) -> Self::Future {
        let method = method_label(request.method());
        let open = Open { to: self.to.clone(), method, began: Instant::now(), code: 0 };
        let answer = self.inner.call(request);
        Box::pin(async move {
            let mut open = open;
            let answer = answer.await;
            open.code = answer.as_ref().map_or(0, |answer| answer.status().as_u16());
            answer
        })
    }
}

/// A call under way: counted when it is dropped, so that one that was cut off counts too.
struct Open {
    to: CallsTo,
    method: &'static str,
    began: Instant,
    /// The answer's; 0 while there is none.
    code: u16,
}

impl Drop for Open {
    fn drop(&mut self) {
        let CallsTo { calls, host } = &self.to;
        let by = ByAnswer { code: code_label(self.code), method: self.method, host: Arc::clone(host) };
        calls.answers.get_or_create(&by).inc();
        let by = ByVerb { verb: self.method, host: Arc::clone(host) };
        calls.seconds.get_or_create(&by).observe(self.began.elapsed().as_secs_f64());
    }
}

fn method_label(method: &Method) -> &'static str {
    match method.as_str() {
        "GET" => "GET",
        "POST" => "POST",
        "PUT" => "PUT",
        "PATCH" => "PATCH",
        "DELETE" => "DELETE",
        _ => "other",
    }
}

/// Codes that tell something of their own; the rest by their class.
const fn code_label(code: u16) -> &'static str {
    match code {
        200 => "200",
        201 => "201",
        403 => "403",
        404 => "404",
        409 => "409",
        410 => "410",
        422 => "422",
        429 => "429",
        500 => "500",
        503 => "503",
        504 => "504",
        0 => "<error>",
        202..=299 => "2xx",
        400..=499 => "4xx",
        _ => "5xx",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_tells_of_itself_or_of_its_class() {
        for (code, label) in [
            (0, "<error>"),
            (200, "200"),
            (204, "2xx"),
            (400, "4xx"),
            (404, "404"),
            (409, "409"),
            (410, "410"),
            (429, "429"),
            (502, "5xx"),
            (503, "503"),
        ] {
            assert_eq!(code_label(code), label);
        }
        for method in [Method::GET, Method::POST, Method::PUT, Method::PATCH, Method::DELETE] {
            assert_eq!(method_label(&method), method.as_str());
        }
        assert_eq!(method_label(&Method::OPTIONS), "other");
    }
}
