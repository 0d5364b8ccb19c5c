//! Alerts and dashboard: that Prometheus reads them, that each alert fires for its cause and for nothing else, and that
//! they speak of metrics that exist.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::run::{Outcome, root, show, target};

const ALERTS: &str = "deploy/prometheus/alerts.yaml";
const TESTS: &str = "deploy/prometheus/alerts-test.yaml";
const DASHBOARD: &str = "deploy/grafana/keelson.json";
/// Where every metric is told of; a test of the binary holds it complete.
const METRICS: &str = "docs/metrics.md";
/// How the names of our metrics begin.
const BEGINNINGS: [&str; 6] =
    ["keelson_", "controller_runtime_", "workqueue_", "rest_client_", "scheduler_", "leader_election_"];

/// Checks all of it.
pub fn check() -> Outcome {
    show("promtool", &["check", "rules", ALERTS])?;
    show("promtool", &["test", "rules", TESTS])?;
    let dashboard: Value = serde_json::from_str(&file(DASHBOARD)?).map_err(|error| format!("{DASHBOARD}: {error}"))?;
    let mut queries = Vec::new();
    collect(&dashboard, &mut queries);
    let path = target().join("dashboard-rules.json").display().to_string();
    std::fs::write(&path, as_rules(&queries).to_string()).map_err(|error| format!("{path}: {error}"))?;
    show("promtool", &["check", "rules", &path])?;
    let known = file(METRICS)?;
    let used = names(&file(ALERTS)?).chain(queries.iter().flat_map(|query| names(query))).collect::<BTreeSet<_>>();
    let unknown: Vec<_> = used.into_iter().filter(|name| !known.contains(&format!("`{name}`"))).collect();
    if unknown.is_empty() { Ok(()) } else { Err(format!("{METRICS} knows nothing of {}", unknown.join(", "))) }
}

fn file(path: &str) -> Result<String, String> {
    std::fs::read_to_string(root().join(path)).map_err(|error| format!("{path}: {error}"))
}

/// Every query of a dashboard.
fn collect(value: &Value, queries: &mut Vec<String>) {
    match value {
        Value::Object(fields) => {
            queries.extend(fields.get("expr").and_then(Value::as_str).map(str::to_owned));
            fields.values().for_each(|value| collect(value, queries));
        }
        Value::Array(items) => items.iter().for_each(|item| collect(item, queries)),
        _ => {}
    }
}

/// The queries as recording rules, which promtool reads; Grafana's variables as Grafana would fill them in.
fn as_rules(queries: &[String]) -> Value {
    let filled = |query: &String| query.replace("$__rate_interval", "5m").replace("$feature", ".*");
    let rule = |(at, query): (usize, &String)| json!({"record": format!("query_{at}"), "expr": filled(query)});
    json!({"groups": [{"name": "dashboard", "rules": queries.iter().enumerate().map(rule).collect::<Vec<_>>()}]})
}

/// The metrics that a text speaks of, without what a histogram's parts add.
fn names(text: &str) -> impl Iterator<Item = String> {
    let words = text.split(|letter: char| !letter.is_ascii_alphanumeric() && letter != '_');
    let ours = words.filter(|word| BEGINNINGS.iter().any(|start| word.starts_with(start)));
    ours.map(|word| word.strip_suffix("_bucket").unwrap_or(word).to_owned()).collect::<Vec<_>>().into_iter()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn metrics_are_found_in_queries() {
        let query = r#"sum by (stage) (rate(keelson_decision_latency_seconds_bucket{feature="x"}[5m])) / scheduler_pending_pods"#;
        assert_eq!(names(query).collect::<Vec<_>>(), ["keelson_decision_latency_seconds", "scheduler_pending_pods"]);
    }

    #[test]
    fn queries_are_found_wherever_they_are() {
        let mut queries = Vec::new();
        collect(
            &json!({"panels": [{"targets": [{"expr": "a"}]}, {"panels": [{"targets": [{"expr": "b"}]}]}]}),
            &mut queries,
        );
        assert_eq!(queries, ["a", "b"]);
        let rules = as_rules(&["x[$__rate_interval]".to_owned()]);
        assert_eq!(rules.pointer("/groups/0/rules/0/expr"), Some(&json!("x[5m]")));
    }
}
