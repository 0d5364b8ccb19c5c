//! The way to the OTLP collector.
//!
//! Traces and metrics share one HTTP client. Its answers are watched, so that a collector that is away shows on the page
//! instead of only in what is missing.
//!
//! Promises: an export never takes longer than [`DEADLINE`]; nothing else waits for it.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use http::{Request, Response};
use opentelemetry_http::{HttpClient, HttpError};
use tokio::runtime::Handle;

/// The longest one export may take.
pub const DEADLINE: Duration = Duration::from_secs(5);

/// A client that remembers how its exports went; clones share the memory.
#[derive(Debug, Clone)]
pub struct Collector {
    client: reqwest::Client,
    handle: Handle,
    seen: Arc<Seen>,
}

#[derive(Debug, Default)]
struct Seen {
    delivered: AtomicU64,
    failed: AtomicU64,
    failures_in_a_row: AtomicI64,
}

/// How the exports went.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CollectorHealth {
    /// Exports that the collector accepted.
    pub delivered: u64,
    /// Exports that were lost.
    pub failed: u64,
    /// Whether the last one was accepted; true before the first.
    pub reachable: bool,
}

impl Collector {
    /// A client whose requests run on `handle`, so that exporters on plain threads can use it.
    ///
    /// # Errors
    /// When no client can be made on this machine.
    pub fn new(handle: Handle) -> Result<Self, reqwest::Error> {
        let client = reqwest::Client::builder().timeout(DEADLINE).build()?;
        Ok(Self { client, handle, seen: Arc::default() })
    }

    /// How the exports went so far.
    #[must_use]
    pub fn health(&self) -> CollectorHealth {
        CollectorHealth {
            delivered: self.seen.delivered.load(Ordering::Relaxed),
            failed: self.seen.failed.load(Ordering::Relaxed),
            reachable: self.seen.failures_in_a_row.load(Ordering::Relaxed) == 0,
        }
    }

    fn note(&self, accepted: bool) {
        if accepted {
            self.seen.delivered.fetch_add(1, Ordering::Relaxed);
            self.seen.failures_in_a_row.store(0, Ordering::Relaxed);
        } else {
            self.seen.failed.fetch_add(1, Ordering::Relaxed);
            self.seen.failures_in_a_row.fetch_add(1, Ordering::Relaxed);
        }
    }
}

#[async_trait]
impl HttpClient for Collector {
    async fn send_bytes(&self, request: Request<Bytes>) -> Result<Response<Bytes>, HttpError> {
        let client = self.client.clone();
        let exchange = self.handle.spawn(async move {
            let (parts, body) = request.into_parts();
            let answer =
                client.request(parts.method, parts.uri.to_string()).headers(parts.headers).body(body).send().await?;
            let mut response = Response::builder().status(answer.status());
            if let Some(headers) = response.headers_mut() {
                headers.extend(answer.headers().clone());
            }
            Ok::<_, HttpError>(response.body(answer.bytes().await?)?)
        });
        let result = match exchange.await {
            Ok(result) => result,
            Err(stopped) => Err(stopped.into()),
        };
        self.note(result.as_ref().is_ok_and(|response| response.status().is_success()));
        result
    }
}
