//! `docs/metrics.md`: every metric, from the constants that the registry itself is filled from.

use std::fmt::Write as _;

use keelson_core::decision::{Outcome, StepResult, Verb};
use keelson_core::{Feature, Metric, Mode, Reason};
use keelson_runtime::Operator;
use keelson_scheduling::Scheduling;

const HEAD: &str = "\
<!-- Generated from the code by `cargo xtask generate`; edits are overwritten. -->
# What Keelson tells of itself

`/metrics` beside the page answers in OpenMetrics text. With `--otlp http://COLLECTOR:4318` the same numbers go to a collector
every 15 seconds, under the same names, and every decision's trace with them.

No label holds the name of a pod, a node or any other object: ten thousand pods more add no series. Durations are in seconds
and in the same buckets everywhere, 5 ms to a minute.

## Metrics

Names that dashboards know from controller-runtime, client-go and kube-scheduler are theirs, and mean the same.

| name | kind | labels | what it says |
|---|---|---|---|
";

const LABELS: &str = "
## Values of labels

Each is from a closed set. `controller` and `name` are the loops of the features, `kind` the kinds of objects that are watched,
`host` the API server. The `verb` of `keelson_steps_total` is that of the action (`bind`, `apply`, `evict`, ...).

| label | values |
|---|---|
";

const REASONS: &str = "
## Reasons

Names of reasons are never changed or used again; programs may rely on them.

| `reason` | what it means |
|---|---|
";

const TAIL: &str = "
## Logs and traces

A log line is one JSON object (people at a terminal get text; `--log-format` chooses). Inside a decision it carries `trace_id`,
`decision_id`, `controller` and `object`; the trace is the one that `keelson decisions -o json` and the annotation
`keelson.dev/trace` name.

Whoever collects finds the process by `service.name` (`keelson-controller`, `keelson-dashboard`, `keelson-up`),
`service.version`, and, where `POD_NAME`, `POD_UID` and `NODE_NAME` are set from the downward API, `k8s.pod.name`, `k8s.pod.uid`
and `k8s.node.name`.
";

/// Every family of a controller.
fn all() -> Vec<Metric> {
    let mut all = vec![keelson_telemetry::metrics::BUILD];
    all.extend_from_slice(keelson_store::recorder::metrics::METRICS);
    all.extend_from_slice(keelson_runtime::METRICS);
    for feature in Feature::ALL {
        all.extend_from_slice(match feature {
            Feature::Scheduling => Scheduling::METRICS,
        });
    }
    all
}

/// The document.
pub fn markdown() -> String {
    let mut text = HEAD.to_owned();
    for Metric { name, kind, labels, says } in all() {
        let labels = labels.iter().map(|label| format!("`{label}`")).collect::<Vec<_>>().join(", ");
        // Writing into a String cannot fail.
        let _ = writeln!(text, "| `{name}` | {} | {labels} | {says} |", kind.as_str());
    }
    text.push_str(LABELS);
    for (label, values) in [
        ("feature", Feature::ALL.map(Feature::as_str).to_vec()),
        ("mode", Mode::ALL.map(Mode::as_str).to_vec()),
        ("verb` of `keelson_decisions_total", Verb::ALL.iter().map(|verb| verb.as_str()).collect()),
        ("outcome", Outcome::ALL.iter().map(|outcome| outcome.as_str()).collect()),
        ("result` of `keelson_steps_total", StepResult::ALL.iter().map(|result| result.as_str()).collect()),
    ] {
        let values = values.iter().map(|value| format!("`{value}`")).collect::<Vec<_>>().join(", ");
        let _ = writeln!(text, "| `{label}` | {values} |");
    }
    text.push_str(REASONS);
    for reason in Reason::ALL {
        let _ = writeln!(text, "| `{reason}` | {} |", reason.says());
    }
    text + TAIL
}
