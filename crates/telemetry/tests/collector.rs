//! A collector receives spans and metrics, and one that is away is noticed and waited for by nobody.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)]

#[path = "support/receiver.rs"]
mod receiver;

use std::time::Duration;

use keelson_core::Timestamp;
use keelson_telemetry::start::of_pod;
use keelson_telemetry::{Config, LogFormat, Metrics, Telemetry, TelemetryError, trace_id};
use receiver::Receiver;

fn config(otlp: Option<String>) -> Config {
    let environment = |name: &str| match name {
        "POD_NAME" => Some("keelson-0".to_owned()),
        "POD_UID" => Some("8e1f".to_owned()),
        "NODE_NAME" => Some(String::new()),
        _ => None,
    };
    Config {
        component: "test",
        version: "1.2.3",
        format: LogFormat::Json,
        filter: "info".into(),
        otlp,
        attributes: of_pod(environment),
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

    let receiver = Receiver::start().await;
    let telemetry = Telemetry::start(&config(Some(receiver.address.clone())), Timestamp(1_000_000)).unwrap();
    assert_eq!(trace_id(), "", "no span, no trace");
    let id = tracing::info_span!("reconcile", k8s.pod.name = "cart-0").in_scope(trace_id);
    assert_eq!(id.len(), 32, "{id}");

    let metrics = Metrics::new("1.2.3", "abc", |_| {});
    telemetry.push(&metrics, Timestamp(2_000_000)).await;
    let health = telemetry.collector().unwrap().health();
    assert_eq!((health.delivered, health.failed, health.reachable), (1, 0, true));

    let collector = telemetry.collector().unwrap().clone();
    telemetry.stop().await;
    let spans = receiver.spans();
    assert_eq!((spans[0].name.as_str(), &spans[0].trace_id), ("reconcile", &id));
    let resource: Vec<_> = spans[0].resource.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    let expected = [
        ("k8s.pod.name", "keelson-0"),
        ("k8s.pod.uid", "8e1f"),
        ("service.name", "keelson-test"),
        ("service.version", "1.2.3"),
    ];
    assert_eq!(resource, expected, "what is empty is left out");
    assert_eq!(receiver.metrics(), ["keelson_build_info"]);

    receiver.stop().await;
    let request = http::Request::post("http://127.0.0.1:9/v1/metrics").body(axum::body::Bytes::new()).unwrap();
    let sent =
        tokio::time::timeout(Duration::from_secs(6), opentelemetry_http::HttpClient::send_bytes(&collector, request));
    assert!(sent.await.unwrap().is_err());
    assert!(!collector.health().reachable);
}
