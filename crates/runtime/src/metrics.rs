//! What is counted, under the names that dashboards already know.
//!
//! Families of controller-runtime, client-go's work queue, its REST client and its leader election keep their names; our
//! own begin with `keelson_`. Every label is drawn from a closed set: never an object's name, never an error's text.

mod families;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use keelson_core::time::SECONDS;
use keelson_core::{Decision, Feature, Metric, Mode, Outcome, Span};
use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeLabelSet, EncodeMetric};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::exemplar::HistogramWithExemplars;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::{ConstGauge, Gauge};
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::Registry;

pub use families::METRICS;

use crate::Runtime;

pub(crate) type Histograms<L> = Family<L, Histogram, fn() -> Histogram>;

pub(crate) fn histograms<L: Clone + std::hash::Hash + Eq>() -> Histograms<L> {
    Family::new_with_constructor(|| Histogram::new(SECONDS))
}

/// Stages lead from a slow bucket to the trace of a decision in it.
type Stages = Family<ByStage, HistogramWithExemplars<OfTrace>, fn() -> HistogramWithExemplars<OfTrace>>;

/// The one label of an exemplar; no series has it.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct OfTrace {
    trace_id: String,
}

macro_rules! labels {
    ($($name:ident { $($label:ident),* })*) => {$(
        #[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
        struct $name { $($label: &'static str,)* }

        impl $name {
            /// The labels, as a family tells of them.
            const NAMES: &'static [&'static str] = &[$(stringify!($label),)*];
        }
    )*};
}
labels! {
    ByController { controller }
    ByResult { controller, result }
    ByQueue { name, controller }
    ByDecision { feature, verb, outcome, reason }
    ByStage { feature, stage }
    ByLease { name }
    ByStep { feature, verb, result }
}

/// Every family that is counted as things happen.
#[derive(Debug, Clone)]
pub(crate) struct Metrics(Arc<Families>);

#[derive(Debug)]
struct Families {
    /// The trace of the current span.
    trace_id: fn() -> String,
    reconciles: Family<ByResult, Counter>,
    errors: Family<ByController, Counter>,
    terminal: Family<ByController, Counter>,
    panics: Family<ByController, Counter>,
    timeouts: Family<ByController, Counter>,
    reconcile_time: Histograms<ByController>,
    workers: Family<ByController, Gauge>,
    adds: Family<ByQueue, Counter>,
    queued: Histograms<ByQueue>,
    worked: Histograms<ByQueue>,
    retries: Family<ByQueue, Counter>,
    leads: Family<ByLease, Gauge>,
    decisions: Family<ByDecision, Counter>,
    stages: Stages,
    steps: Family<ByStep, Counter>,
    gauges: Mutex<Gauges>,
}

/// By name: the family, and each gauge by the values of its labels.
type Gauges = BTreeMap<&'static str, (&'static Metric, BTreeMap<Vec<&'static str>, Gauge>)>;

/// What a loop of an operator's own tells of itself, so that it shows under the same names as a controller.
#[derive(Debug, Clone)]
pub struct Meter {
    metrics: Metrics,
    feature: Feature,
    controller: &'static str,
}

impl Meter {
    /// A subject's turn came this long after the change that asked for it was seen, in the process's time.
    pub fn observed(&self, took: Duration) {
        self.metrics.stage(self.feature, "observe", took);
    }

    /// A subject was looked at, with this result: `success`, `requeue`, `error` or `panic`. Inside the decision's span, so
    /// that its time is shown with its trace.
    pub fn reconciled(&self, result: &'static str, took: Duration) {
        self.metrics.reconciled(self.controller, result, took);
        self.metrics.decided(self.feature, took);
    }

    /// A gauge of its own, to keep and set: setting it is one store. The values are those of the family's labels, from
    /// closed sets.
    #[must_use]
    pub fn gauge(&self, family: &'static Metric, values: &[&'static str]) -> Gauge {
        let mut gauges = self.metrics.0.gauges.lock().unwrap_or_else(PoisonError::into_inner);
        let (_, each) = gauges.entry(family.name).or_insert_with(|| (family, BTreeMap::new()));
        each.entry(values.to_vec()).or_default().clone()
    }
}

impl Metrics {
    /// Nothing is counted yet; `trace_id` is the trace of the current span.
    pub(crate) fn new(trace_id: fn() -> String) -> Self {
        Self(Arc::new(Families {
            trace_id,
            reconciles: Family::default(),
            errors: Family::default(),
            terminal: Family::default(),
            panics: Family::default(),
            timeouts: Family::default(),
            reconcile_time: histograms(),
            workers: Family::default(),
            adds: Family::default(),
            queued: histograms(),
            worked: histograms(),
            retries: Family::default(),
            leads: Family::default(),
            decisions: Family::default(),
            stages: Family::new_with_constructor(|| HistogramWithExemplars::new(SECONDS.into_iter())),
            steps: Family::default(),
            gauges: Mutex::default(),
        }))
    }

    /// A controller with so many workers begins. What must never happen is zero from then on, not absent.
    pub(crate) fn begins(&self, controller: &'static str, workers: usize) {
        let by = ByController { controller };
        self.0.workers.get_or_create(&by).set(i64::try_from(workers).unwrap_or(i64::MAX));
        for family in [&self.0.errors, &self.0.terminal, &self.0.panics, &self.0.timeouts] {
            drop(family.get_or_create(&by));
        }
    }

    /// A key was asked for.
    pub(crate) fn added(&self, controller: &'static str) {
        self.0.adds.get_or_create(&queue(controller)).inc();
    }

    /// A key waited this long.
    pub(crate) fn taken(&self, controller: &'static str, waited: Span) {
        self.0.queued.get_or_create(&queue(controller)).observe(waited.to_std().as_secs_f64());
    }

    /// A key is tried again after a failure.
    pub(crate) fn retried(&self, controller: &'static str) {
        self.0.retries.get_or_create(&queue(controller)).inc();
    }

    /// A reconcile ended.
    pub(crate) fn reconciled(&self, controller: &'static str, result: &'static str, took: Duration) {
        let by = ByController { controller };
        match result {
            "panic" => drop(self.0.panics.get_or_create(&by).inc()),
            "timeout" => drop(self.0.timeouts.get_or_create(&by).inc()),
            "terminal" => drop(self.0.terminal.get_or_create(&by).inc()),
            _ => {}
        }
        let result = match result {
            "panic" | "timeout" | "terminal" | "error" => {
                self.0.errors.get_or_create(&by).inc();
                "error"
            }
            other => other,
        };
        self.0.reconciles.get_or_create(&ByResult { controller, result }).inc();
        self.0.reconcile_time.get_or_create(&by).observe(took.as_secs_f64());
        self.0.worked.get_or_create(&queue(controller)).observe(took.as_secs_f64());
    }

    /// A decision took this long to make.
    pub(crate) fn decided(&self, feature: Feature, took: Duration) {
        self.stage(feature, "decide", took);
    }

    /// A stage of a decision took this long: `observe`, `decide`, `persist` or `apply`.
    pub(crate) fn stage(&self, feature: Feature, stage: &'static str, took: Duration) {
        let by = ByStage { feature: feature.as_str(), stage };
        let trace = Some((self.0.trace_id)()).filter(|id| !id.is_empty()).map(|trace_id| OfTrace { trace_id });
        self.0.stages.get_or_create(&by).observe(took.as_secs_f64(), trace, None);
    }

    /// A decision ended.
    pub(crate) fn recorded(&self, decision: &Decision, outcome: Outcome) {
        let by = ByDecision {
            feature: decision.feature.as_str(),
            verb: decision.verb.as_str(),
            outcome: outcome.as_str(),
            reason: decision.reason.as_str(),
        };
        self.0.decisions.get_or_create(&by).inc();
    }

    /// An action ended.
    pub(crate) fn stepped(&self, feature: Feature, verb: &'static str, result: &'static str) {
        self.0.steps.get_or_create(&ByStep { feature: feature.as_str(), verb, result }).inc();
    }

    /// Whether this process leads a feature.
    pub(crate) fn leads(&self, feature: Feature, leads: bool) {
        self.0.leads.get_or_create(&ByLease { name: feature.as_str() }).set(i64::from(leads));
    }
}

const fn queue(controller: &'static str) -> ByQueue {
    ByQueue { name: controller, controller }
}

impl Runtime {
    /// The meter of an operator's own loop.
    #[must_use]
    pub fn meter(&self, feature: Feature, controller: &'static str, workers: usize) -> Meter {
        let metrics = self.0.metrics.clone();
        metrics.begins(controller, workers);
        Meter { metrics, feature, controller }
    }

    /// Adds every metric family of the framework to a registry.
    pub fn register(&self, registry: &mut Registry) {
        let all = &*self.0.metrics.0;
        add(registry, families::RECONCILES, all.reconciles.clone());
        add(registry, families::ERRORS, all.errors.clone());
        add(registry, families::TERMINAL, all.terminal.clone());
        add(registry, families::PANICS, all.panics.clone());
        add(registry, families::TIMEOUTS, all.timeouts.clone());
        add(registry, families::RECONCILE_TIME, all.reconcile_time.clone());
        add(registry, families::WORKERS, all.workers.clone());
        add(registry, families::ADDS, all.adds.clone());
        add(registry, families::QUEUED, all.queued.clone());
        add(registry, families::WORKED, all.worked.clone());
        add(registry, families::RETRIES, all.retries.clone());
        add(registry, families::LEADS, all.leads.clone());
        add(registry, families::DECISIONS, all.decisions.clone());
        add(registry, families::LATENCY, all.stages.clone());
        add(registry, families::STEPS, all.steps.clone());
        self.0.config.calls.register(registry);
        registry.register_collector(Box::new(Now(self.clone())));
    }
}

fn add(registry: &mut Registry, family: Metric, metric: impl prometheus_client::registry::Metric) {
    registry.register(family.family(), family.says, metric);
}

/// What is counted when it is asked for.
struct Now(Runtime);

impl std::fmt::Debug for Now {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Now")
    }
}

/// The values of a family's labels, and the number.
type Sample = (Vec<String>, f64);

fn gauge(encoder: &mut DescriptorEncoder, family: &Metric, samples: &[Sample]) -> Result<(), std::fmt::Error> {
    if samples.is_empty() {
        return Ok(());
    }
    let mut metric = encoder.encode_descriptor(family.family(), family.says, None, MetricType::Gauge)?;
    for (values, value) in samples {
        let gauge = ConstGauge::new(*value);
        if values.is_empty() {
            return gauge.encode(metric);
        }
        let labels: Vec<_> = family.labels.iter().copied().zip(values.iter().map(String::as_str)).collect();
        gauge.encode(metric.encode_family(&labels)?)?;
    }
    Ok(())
}

#[expect(clippy::cast_precision_loss, reason = "a gauge is a float; counts stay far below 2^52")]
impl Collector for Now {
    fn encode(&self, mut encoder: DescriptorEncoder) -> Result<(), std::fmt::Error> {
        let gauges = self.0.0.metrics.0.gauges.lock().unwrap_or_else(PoisonError::into_inner).clone();
        for (family, each) in gauges.into_values() {
            let sample = |(values, gauge): (Vec<&str>, Gauge)| -> Sample {
                (values.into_iter().map(str::to_owned).collect(), gauge.get() as f64)
            };
            gauge(&mut encoder, family, &each.into_iter().map(sample).collect::<Vec<_>>())?;
        }
        let lines = self.0.0.lines.all();
        let mut depth: Vec<Sample> = Vec::new();
        let (mut active, mut unfinished, mut longest) = (Vec::new(), Vec::new(), Vec::new());
        for line in &lines {
            let name = || line.name().to_owned();
            for (priority, keys) in line.depths() {
                depth.push((vec![name(), name(), priority.to_string()], keys as f64));
            }
            let working = line.working();
            active.push((vec![name()], working.len() as f64));
            unfinished.push((vec![name(), name()], working.iter().sum()));
            longest.push((vec![name(), name()], working.iter().copied().fold(0.0, f64::max)));
        }
        gauge(&mut encoder, &families::DEPTH, &depth)?;
        gauge(&mut encoder, &families::ACTIVE, &active)?;
        gauge(&mut encoder, &families::UNFINISHED, &unfinished)?;
        gauge(&mut encoder, &families::LONGEST, &longest)?;

        let (mut objects, mut broken): (Vec<Sample>, Vec<Sample>) = (Vec::new(), Vec::new());
        for cache in self.0.0.caches.all() {
            let health = cache.health();
            objects.push((vec![health.kind.clone()], health.objects as f64));
            broken.push((vec![health.kind], health.undecodable as f64));
        }
        gauge(&mut encoder, &families::OBJECTS, &objects)?;
        gauge(&mut encoder, &families::UNDECODABLE, &broken)?;

        let (mut mode, mut held, mut leads): (Vec<Sample>, Vec<Sample>, Vec<Sample>) = Default::default();
        for feature in Feature::ALL {
            let switch = self.0.0.switches.now(feature);
            let name = || feature.as_str().to_owned();
            for each in Mode::ALL {
                let in_force = f64::from(u8::from(switch.effective == each));
                mode.push((vec![name(), each.as_str().to_owned()], in_force));
            }
            for (by_whom, is) in [("pause", switch.paused), ("breaker", switch.breaker.is_some())] {
                held.push((vec![name(), by_whom.to_owned()], f64::from(u8::from(is))));
            }
            leads.push((vec![name()], f64::from(u8::from(switch.leading))));
        }
        gauge(&mut encoder, &families::MODE, &mode)?;
        gauge(&mut encoder, &families::HELD, &held)?;
        gauge(&mut encoder, &families::LEADER, &leads)
    }
}
