//! A collector receives spans and metrics, and one that is away is noticed and waited for by nobody.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)]

use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::routing::post;
use keelson_core::Timestamp;
use keelson_telemetry::{Config, LogFormat, Metrics, Telemetry, TelemetryError, trace_id};
use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use prost::Message;

type Received = Arc<Mutex<Vec<(&'static str, Bytes)>>>;

async fn receiver() -> (String, Received, tokio::task::JoinHandle<()>) {
    let received = Received::default();
    let app = Router::new()
        .route(
            "/v1/traces",
            post(|State(r): State<Received>, body: Bytes| async move { r.lock().unwrap().push(("traces", body)) }),
        )
        .route(
            "/v1/metrics",
            post(|State(r): State<Received>, body: Bytes| async move { r.lock().unwrap().push(("metrics", body)) }),
        )
        .with_state(Arc::clone(&received));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    let server = tokio::spawn(async move { axum::serve(listener, app).await.unwrap() });
    (address, received, server)
}

fn config(otlp: Option<String>) -> Config {
    Config {
        component: "test",
        version: "1.2.3",
        format: LogFormat::Json,
        filter: "info".into(),
        otlp,
        attributes: vec![("k8s.pod.name".into(), "keelson-0".into())],
    }
}

/// One test, because a process has one subscriber.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn spans_and_metrics_arrive_and_a_collector_that_is_away_is_noticed() {
    for bad in ["https://127.0.0.1:1", "127.0.0.1:4318"] {
        let error = Telemetry::start(&config(Some(bad.into())), Timestamp(0)).unwrap_err();
        assert!(matches!(error, TelemetryError::Endpoint { .. }), "{error}");
    }
    let error =
        Telemetry::start(&Config { filter: "no=such=filter".into(), ..config(None) }, Timestamp(0)).unwrap_err();
    assert!(error.to_string().contains("info,keelson_runtime=debug"), "{error}");

    let (address, received, server) = receiver().await;
    let telemetry = Telemetry::start(&config(Some(address)), Timestamp(1_000_000)).unwrap();
    assert_eq!(trace_id(), "", "no span, no trace");
    let id = tracing::info_span!("reconcile", k8s.pod.name = "cart-0").in_scope(trace_id);
    assert_eq!(id.len(), 32, "{id}");

    let metrics = Metrics::new("1.2.3", "abc", |_| {});
    telemetry.push(&metrics, Timestamp(2_000_000)).await;
    let health = telemetry.collector().unwrap().health();
    assert_eq!((health.delivered, health.failed, health.reachable), (1, 0, true));

    let collector = telemetry.collector().unwrap().clone();
    telemetry.stop().await;
    {
        let received = received.lock().unwrap();
        let body = &received.iter().find(|(path, _)| *path == "traces").unwrap().1;
        let export = ExportTraceServiceRequest::decode(body.clone()).unwrap();
        let resource = export.resource_spans[0].resource.as_ref().unwrap();
        assert!(resource.attributes.iter().any(|a| a.key == "k8s.pod.name"), "{resource:?}");
        let span = &export.resource_spans[0].scope_spans[0].spans[0];
        let sent: String = span.trace_id.iter().map(|byte| format!("{byte:02x}")).collect();
        assert_eq!((span.name.as_str(), sent), ("reconcile", id));
        let body = &received.iter().find(|(path, _)| *path == "metrics").unwrap().1;
        let export = ExportMetricsServiceRequest::decode(body.clone()).unwrap();
        let names: Vec<_> = export.resource_metrics[0].scope_metrics[0].metrics.iter().map(|m| &m.name).collect();
        assert_eq!(names, ["keelson_build_info"]);
    }

    server.abort();
    let _ = server.await;
    let request = http::Request::post("http://127.0.0.1:9/v1/metrics").body(axum::body::Bytes::new()).unwrap();
    let sent =
        tokio::time::timeout(Duration::from_secs(6), opentelemetry_http::HttpClient::send_bytes(&collector, request));
    assert!(sent.await.unwrap().is_err());
    assert!(!collector.health().reachable);
}
