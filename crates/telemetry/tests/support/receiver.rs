//! An OTLP collector that keeps what it is sent.
#![allow(dead_code)]

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::routing::post;
use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::{KeyValue, any_value::Value};
use prost::Message;

type Kept = Arc<Mutex<Vec<(&'static str, Bytes)>>>;

/// A span, and what it says of the process that sent it.
pub struct Received {
    pub resource: BTreeMap<String, String>,
    pub name: String,
    /// 32 hexadecimal digits.
    pub trace_id: String,
    pub attributes: BTreeMap<String, String>,
}

/// A running collector.
pub struct Receiver {
    /// Its base address.
    pub address: String,
    kept: Kept,
    server: tokio::task::JoinHandle<()>,
}

impl Receiver {
    pub async fn start() -> Self {
        let kept = Kept::default();
        let keep = |path: &'static str| {
            post(move |State(kept): State<Kept>, body: Bytes| async move { kept.lock().unwrap().push((path, body)) })
        };
        let app = Router::new().route("/v1/traces", keep("traces")).route("/v1/metrics", keep("metrics"));
        let app = app.with_state(Arc::clone(&kept));
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = format!("http://{}", listener.local_addr().unwrap());
        let server = tokio::spawn(async move { axum::serve(listener, app).await.unwrap() });
        Self { address, kept, server }
    }

    /// Every span so far.
    pub fn spans(&self) -> Vec<Received> {
        let mut spans = Vec::new();
        for body in self.bodies("traces") {
            for sent in ExportTraceServiceRequest::decode(body).unwrap().resource_spans {
                let resource = texts(&sent.resource.unwrap().attributes);
                spans.extend(sent.scope_spans.into_iter().flat_map(|scope| scope.spans).map(|span| Received {
                    resource: resource.clone(),
                    trace_id: span.trace_id.iter().map(|byte| format!("{byte:02x}")).collect(),
                    attributes: texts(&span.attributes),
                    name: span.name,
                }));
            }
        }
        spans
    }

    /// The name of every metric so far.
    pub fn metrics(&self) -> Vec<String> {
        let sent = self.bodies("metrics").into_iter().map(|body| ExportMetricsServiceRequest::decode(body).unwrap());
        let scopes = sent.flat_map(|sent| sent.resource_metrics).flat_map(|resource| resource.scope_metrics);
        scopes.flat_map(|scope| scope.metrics).map(|metric| metric.name).collect()
    }

    /// Ends it.
    pub async fn stop(self) {
        self.server.abort();
        let _ = self.server.await;
    }

    fn bodies(&self, wanted: &str) -> Vec<Bytes> {
        let kept = self.kept.lock().unwrap();
        kept.iter().filter(|(path, _)| *path == wanted).map(|(_, body)| body.clone()).collect()
    }
}

fn texts(attributes: &[KeyValue]) -> BTreeMap<String, String> {
    let text = |attribute: &KeyValue| match attribute.value.clone()?.value? {
        Value::StringValue(text) => Some((attribute.key.clone(), text)),
        _ => None,
    };
    attributes.iter().filter_map(text).collect()
}
