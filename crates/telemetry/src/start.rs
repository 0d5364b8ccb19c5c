//! Turning telemetry on.
//!
//! Logs go to standard error, for people on a terminal and as JSON lines otherwise. With a collector named, spans go to
//! it in batches and every metric each [`METRIC_PERIOD`]. A collector that is away costs bounded memory and no time.

use std::io::IsTerminal;
use std::time::Duration;

use bytes::Bytes;
use keelson_core::Timestamp;
use opentelemetry::KeyValue;
use opentelemetry::trace::{TraceContextExt, TracerProvider as _};
use opentelemetry_http::HttpClient;
use opentelemetry_otlp::{SpanExporter, WithExportConfig, WithHttpConfig};
use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use opentelemetry_proto::tonic::common::v1 as common;
use opentelemetry_proto::tonic::metrics::v1::{ResourceMetrics, ScopeMetrics};
use opentelemetry_proto::tonic::resource::v1::Resource as ProtoResource;
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::trace::{Sampler, SdkTracerProvider};
use prost::Message;
use tracing_opentelemetry::OpenTelemetrySpanExt;
use tracing_subscriber::filter::{FilterExt, filter_fn};
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::fmt::format::JsonFields;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::registry::LookupSpan;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{EnvFilter, Layer};

use crate::lines::Lines;
use crate::{Collector, Metrics};

/// How often metrics are sent to the collector.
pub const METRIC_PERIOD: Duration = Duration::from_secs(15);

/// Which spans there are: ours, and not those of every call that a library makes.
const SPANS: &str = "info,hyper=off,h2=off,tower=off,reqwest=off,opentelemetry=off";

/// How logs look.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum LogFormat {
    /// Human on a terminal, JSON otherwise.
    #[default]
    Auto,
    /// One readable line an event.
    Human,
    /// One JSON object an event.
    Json,
}

/// What to turn on.
#[derive(Debug, Clone)]
pub struct Config {
    /// `controller`, `up`, ...; the service is `keelson-<component>`.
    pub component: &'static str,
    /// The version of the program.
    pub version: &'static str,
    /// How logs look.
    pub format: LogFormat,
    /// `tracing`'s filter, as in `info,keelson_runtime=debug`.
    pub filter: String,
    /// The collector's base address, as in `http://127.0.0.1:4318`; none sends nothing.
    pub otlp: Option<String>,
    /// More resource attributes: `k8s.pod.name`, `k8s.node.name`, ...
    pub attributes: Vec<(String, String)>,
}

/// Why telemetry cannot be turned on.
#[derive(Debug, thiserror::Error)]
pub enum TelemetryError {
    /// The filter is not one.
    #[error("log filter {filter:?}: {problem}; write it like info,keelson_runtime=debug")]
    Filter {
        /// The filter as given.
        filter: String,
        /// What is wrong with it.
        problem: String,
    },
    /// The address is not one.
    #[error("OTLP endpoint {endpoint:?} must start with http://, as in http://127.0.0.1:4318")]
    Endpoint {
        /// The address as given.
        endpoint: String,
    },
    /// No client, no exporter, or a subscriber is there already.
    #[error("telemetry cannot start: {0}")]
    Start(String),
}

/// Telemetry that is on. Call [`Telemetry::stop`] last.
#[derive(Debug)]
pub struct Telemetry {
    provider: SdkTracerProvider,
    collector: Option<(Collector, String)>,
    resource: Vec<(String, String)>,
    started: u64,
}

/// Whether a text is a filter of logs.
///
/// # Errors
/// What is wrong with it.
pub fn check_filter(text: &str) -> Result<(), TelemetryError> {
    filter(text).map(drop)
}

fn filter(text: &str) -> Result<EnvFilter, TelemetryError> {
    let refused = |e: tracing_subscriber::filter::ParseError| TelemetryError::Filter {
        filter: text.to_owned(),
        problem: e.to_string(),
    };
    EnvFilter::try_new(text).map_err(refused)
}

impl Telemetry {
    /// Turns on logs and traces; with a collector, traces go to it. `now` is the wall clock. Needs a tokio runtime.
    ///
    /// ```
    /// use keelson_core::Timestamp;
    /// use keelson_telemetry::{Config, LogFormat, Telemetry, start, trace_id};
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), keelson_telemetry::TelemetryError> {
    /// let config = Config {
    ///     component: "controller",
    ///     version: "0.1.0",
    ///     format: LogFormat::Json,
    ///     filter: "info".into(),
    ///     otlp: None,
    ///     attributes: start::of_pod(|name| std::env::var(name).ok()),
    /// };
    /// let telemetry = Telemetry::start(&config, Timestamp(0))?;
    /// tracing::info_span!("reconcile", controller = "pods").in_scope(|| {
    ///     assert_eq!(trace_id().len(), 32);
    ///     tracing::info!("this line carries that trace, and its controller");
    /// });
    /// telemetry.stop().await;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// A filter or an address that cannot be used; a second start in one process.
    pub fn start(config: &Config, now: Timestamp) -> Result<Self, TelemetryError> {
        let filter = filter(&config.filter)?;
        let json = match config.format {
            LogFormat::Auto => !std::io::stderr().is_terminal(),
            LogFormat::Human => false,
            LogFormat::Json => true,
        };
        let mut resource = vec![
            ("service.name".to_owned(), format!("keelson-{}", config.component)),
            ("service.version".to_owned(), config.version.to_owned()),
        ];
        resource.extend(config.attributes.iter().cloned());
        let attributes = resource.iter().map(|(key, value)| KeyValue::new(key.clone(), value.clone()));
        let mut provider =
            SdkTracerProvider::builder().with_resource(Resource::builder_empty().with_attributes(attributes).build());
        let mut collector = None;
        if let Some(endpoint) = &config.otlp {
            let (exporter, client) = exporter(endpoint)?;
            provider = provider.with_batch_exporter(exporter);
            collector = Some((client, endpoint.trim_end_matches('/').to_owned()));
        }
        // Without a collector spans go nowhere, but every decision still carries the id that its log lines carry.
        if collector.is_none() {
            provider = provider.with_sampler(Sampler::AlwaysOff);
        }
        let provider = provider.build();
        let spans = tracing_opentelemetry::layer()
            .with_tracer(provider.tracer("keelson"))
            .with_location(false)
            .with_threads(false)
            .with_tracked_inactivity(collector.is_some())
            .with_filter(EnvFilter::new(SPANS));
        tracing_subscriber::registry()
            .with(spans)
            .with(logs(json, filter, std::io::stderr))
            .try_init()
            .map_err(|e| TelemetryError::Start(e.to_string()))?;
        Ok(Self { provider, collector, resource, started: nanoseconds(now) })
    }

    /// The way to the collector, when there is one.
    #[must_use]
    pub fn collector(&self) -> Option<&Collector> {
        self.collector.as_ref().map(|(collector, _)| collector)
    }

    /// Sends the metrics once; does nothing without a collector. `now` is the wall clock.
    pub async fn push(&self, metrics: &Metrics, now: Timestamp) {
        let Some((collector, endpoint)) = &self.collector else { return };
        let attributes = self.resource.iter().map(|(key, value)| common::KeyValue {
            key: key.clone(),
            value: Some(common::AnyValue { value: Some(common::any_value::Value::StringValue(value.clone())) }),
            ..common::KeyValue::default()
        });
        let body = ExportMetricsServiceRequest {
            resource_metrics: vec![ResourceMetrics {
                resource: Some(ProtoResource { attributes: attributes.collect(), ..ProtoResource::default() }),
                scope_metrics: vec![ScopeMetrics {
                    metrics: crate::openmetrics::to_otlp(&metrics.text(), self.started, nanoseconds(now)),
                    ..ScopeMetrics::default()
                }],
                ..ResourceMetrics::default()
            }],
        };
        let request = http::Request::post(format!("{endpoint}/v1/metrics"))
            .header("content-type", "application/x-protobuf")
            .body(Bytes::from(body.encode_to_vec()));
        match request {
            Ok(request) => {
                if let Err(error) = collector.send_bytes(request).await {
                    tracing::debug!("metrics not delivered: {error}");
                }
            }
            Err(error) => tracing::debug!("metrics not delivered: {error}"),
        }
    }

    /// Sends what is left, for at most [`DEADLINE`](crate::collector::DEADLINE).
    pub async fn stop(self) {
        let provider = self.provider;
        // The provider's own thread needs this runtime to send, so it must not be waited for on it.
        let stopped = tokio::task::spawn_blocking(move || provider.shutdown_with_timeout(crate::collector::DEADLINE));
        if let Ok(Err(error)) = stopped.await {
            tracing::debug!("last spans not delivered: {error}");
        }
    }
}

/// Resource attributes from what the downward API puts into the environment (`POD_NAME`, `POD_UID`, `NODE_NAME`), as far as
/// it does; `var` reads it.
///
/// ```
/// let of_pod = keelson_telemetry::start::of_pod(|name| (name == "POD_NAME").then(|| "keelson-0".into()));
/// assert_eq!(of_pod, [("k8s.pod.name".into(), "keelson-0".into())]);
/// ```
#[must_use]
pub fn of_pod(var: impl Fn(&str) -> Option<String>) -> Vec<(String, String)> {
    [("k8s.pod.name", "POD_NAME"), ("k8s.pod.uid", "POD_UID"), ("k8s.node.name", "NODE_NAME")]
        .into_iter()
        .filter_map(|(attribute, name)| Some((attribute.to_owned(), var(name).filter(|value| !value.is_empty())?)))
        .collect()
}

/// The layer that writes logs. The filter chooses among events; spans are seen whatever it says, because a warning needs
/// its decision as much as any other line.
fn logs<S, W>(json: bool, filter: EnvFilter, writer: W) -> Box<dyn Layer<S> + Send + Sync>
where
    S: tracing::Subscriber + for<'a> LookupSpan<'a> + Send + Sync + 'static,
    W: for<'a> MakeWriter<'a> + Send + Sync + 'static,
{
    let filter = filter.or(EnvFilter::new(SPANS).and(filter_fn(|metadata| metadata.is_span())));
    let logs = tracing_subscriber::fmt::layer().with_writer(writer);
    if json {
        logs.fmt_fields(JsonFields::new()).event_format(Lines).with_filter(filter).boxed()
    } else {
        logs.compact().with_filter(filter).boxed()
    }
}

/// The trace of the current span: 32 hexadecimal digits, or empty when there is no span.
#[must_use]
pub fn trace_id() -> String {
    let context = tracing::Span::current().context();
    let span = context.span().span_context().clone();
    if span.is_valid() { span.trace_id().to_string() } else { String::new() }
}

fn exporter(endpoint: &str) -> Result<(SpanExporter, Collector), TelemetryError> {
    if !endpoint.starts_with("http://") {
        return Err(TelemetryError::Endpoint { endpoint: endpoint.chars().take(200).collect() });
    }
    let handle = tokio::runtime::Handle::try_current().map_err(|e| TelemetryError::Start(e.to_string()))?;
    let collector = Collector::new(handle).map_err(|e| TelemetryError::Start(e.to_string()))?;
    let exporter = SpanExporter::builder()
        .with_http()
        .with_http_client(collector.clone())
        .with_endpoint(format!("{}/v1/traces", endpoint.trim_end_matches('/')))
        .build()
        .map_err(|e| TelemetryError::Start(e.to_string()))?;
    Ok((exporter, collector))
}

fn nanoseconds(at: Timestamp) -> u64 {
    u64::try_from(at.0).unwrap_or(0).saturating_mul(1_000)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::io::Write;
    use std::sync::{Arc, Mutex};

    use serde_json::Value;

    use super::*;

    #[derive(Clone, Default)]
    struct Page(Arc<Mutex<Vec<u8>>>);
    impl Write for Page {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0.lock().unwrap().write(bytes)
        }
        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }

    impl Page {
        fn lines(&self) -> Vec<Value> {
            let text = String::from_utf8(self.0.lock().unwrap().clone()).unwrap();
            text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
        }
    }

    /// One test, because a process has one subscriber.
    #[test]
    fn a_line_inside_a_span_carries_its_trace_decision_controller_and_object_whatever_the_filter() {
        let page = Page::default();
        let writer = page.clone();
        let tracer = SdkTracerProvider::builder().build().tracer("test");
        tracing_subscriber::registry()
            .with(tracing_opentelemetry::layer().with_tracer(tracer).with_filter(EnvFilter::new(SPANS)))
            .with(logs(true, filter("warn").unwrap(), move || writer.clone()))
            .init();

        tracing::warn!("outside");
        tracing::info!("not asked for");
        let reconcile = tracing::info_span!("reconcile", controller = "pods", object = tracing::field::Empty);
        reconcile.record("object", "Pod shop/cart");
        let trace = reconcile.in_scope(|| {
            let act = tracing::info_span!("act", "keelson.decision.id" = "01a2", object = "Pod shop/cart-0");
            act.in_scope(|| tracing::warn!(tries = 2, "the \"binding\"\nfailed"));
            tracing::warn!(controller = "its own", "between");
            trace_id()
        });

        let lines = page.lines();
        let [outside, act, between] = lines.as_slice() else { unreachable!("{lines:#?}") };
        assert!(outside.get("trace_id").is_none(), "{outside}");
        assert!(outside["timestamp"].is_string() && outside["target"].is_string(), "{outside}");
        let said = |line: &Value, fields: &[(&str, Value)]| {
            fields.iter().for_each(|(name, value)| assert_eq!(line[*name], *value, "{name} of {line}"));
        };
        let message = "the \"binding\"\nfailed";
        let expected = [("level", "WARN"), ("message", message), ("controller", "pods"), ("object", "Pod shop/cart-0")];
        said(act, &expected.map(|(name, value)| (name, value.into())));
        said(act, &[("decision_id", "01a2".into()), ("trace_id", trace.clone().into()), ("tries", 2.into())]);
        said(
            between,
            &[("trace_id", trace.into()), ("controller", "its own".into()), ("object", "Pod shop/cart".into())],
        );
    }
}
