//! What a running Keelson tells others of itself: traces to a collector, and metrics to a scraper.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

#[path = "../../telemetry/tests/support/receiver.rs"]
mod receiver;
mod support;

use receiver::Receiver;
use support::{Up, until};

/// The families, by the name a query uses.
const TABLE: &str = include_str!("../../../docs/metrics.md");

/// Told by the queue of a `Controller`; scheduling is a loop of its own, and has none. The runtime's tests see them all.
fn is_of_a_queue(name: &str) -> bool {
    name.starts_with("workqueue_") || name == "controller_runtime_active_workers"
}

fn placement(up: &Up) -> serde_json::Value {
    until("a placement", 60, || {
        up.decisions(&["-n", "online-boutique"]).into_iter().find(|d| d["verb"] == "Place" && d["outcome"] == "Done")
    })
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_trace_that_a_decision_names_is_at_the_collector() {
    let collector = Receiver::start().await;
    let pod = [("POD_NAME", "keelson-0"), ("POD_UID", "8e1f"), ("NODE_NAME", "node-7")];
    let up = Up::start_in(&pod, &["--seed", "3", "--otlp", &collector.address]);
    let decision = placement(&up);
    let (id, trace) = (decision["id"].as_str().unwrap(), decision["trace_id"].as_str().unwrap());
    let spans = until("its trace arrives, from deciding to acting", 60, || {
        let spans: Vec<_> = collector.spans().into_iter().filter(|span| span.trace_id == trace).collect();
        ["reconcile", "act"].iter().all(|name| spans.iter().any(|span| span.name == *name)).then_some(spans)
    });
    let act = spans.iter().find(|span| span.name == "act").unwrap();
    assert_eq!(act.attributes["keelson.decision.id"], id);
    assert_eq!(
        act.attributes["object"],
        format!("Pod online-boutique/{}", decision["subject"]["name"].as_str().unwrap())
    );
    for (name, value) in [
        ("service.name", "keelson-up"),
        ("service.version", env!("CARGO_PKG_VERSION")),
        ("k8s.pod.name", "keelson-0"),
        ("k8s.pod.uid", "8e1f"),
        ("k8s.node.name", "node-7"),
    ] {
        assert_eq!(act.resource[name], value, "{name}");
    }
    collector.stop().await;
}

#[tokio::test]
async fn the_table_of_metrics_holds_every_family_and_no_other_and_the_text_stays_plain() {
    let up = Up::start(&["--seed", "3"]);
    placement(&up);
    let scrape = async || reqwest::get(format!("{}/metrics", up.page)).await.unwrap().text().await.unwrap();
    let mut text = scrape().await;
    while !text.contains("stage=\"apply\"") {
        text = scrape().await;
    }
    for family in text.lines().filter_map(|line| line.strip_prefix("# TYPE ")) {
        let (name, kind) = family.split_once(' ').unwrap();
        let suffix = match kind {
            "counter" => "_total",
            "info" => "_info",
            _ => "",
        };
        let row = TABLE.lines().find(|line| line.starts_with(&format!("| `{name}{suffix}` | {kind} |")));
        let row = row.unwrap_or_else(|| panic!("{name}{suffix} has no row in docs/metrics.md"));
        let labels = text.lines().find_map(|line| line.strip_prefix(name)?.split_once('{')?.1.split_once('}'));
        for label in labels.iter().flat_map(|(labels, _)| labels.split(',')).filter_map(|one| one.split_once('=')) {
            let told = label.0 == "le" || row.contains(&format!("`{}`", label.0));
            assert!(told, "{name}{suffix} has a label {} that its row does not tell of", label.0);
        }
    }
    for row in TABLE.lines().filter_map(|line| line.strip_prefix("| `")?.split_once("` | ")) {
        let (name, rest) = row;
        let kind = rest.split(" |").next().unwrap();
        if ["counter", "gauge", "histogram", "info"].contains(&kind) {
            let family = name.strip_suffix("_total").or_else(|| name.strip_suffix("_info")).unwrap_or(name);
            let is_there = text.contains(&format!("# TYPE {family} {kind}\n"));
            assert!(is_there || is_of_a_queue(name), "{name} is told of and not there");
        }
    }
    for line in text.lines().filter(|line| !line.starts_with('#')) {
        // A sample, and after it at most an exemplar.
        let (sample, exemplar) = line.split_once(" # ").unwrap_or((line, ""));
        assert!(sample.rsplit_once(' ').is_some_and(|(_, value)| value.parse::<f64>().is_ok()), "{line}");
        let traced =
            exemplar.strip_prefix("{trace_id=\"").is_some_and(|rest| rest.split('"').next().unwrap().len() == 32);
        assert!(exemplar.is_empty() || traced, "{line}");
    }
    let traced = text.lines().filter(|line| line.contains(" # {trace_id=")).count();
    assert!(traced >= 4, "each stage leads to a trace: {text}");
    let kubeconfig = std::fs::read_to_string(&up.kubeconfig).unwrap();
    let host = kubeconfig.split("://").nth(1).unwrap().split(['/', '"', '\n']).next().unwrap();
    for series in [
        format!("rest_client_requests_total{{code=\"200\",method=\"GET\",host=\"{host}\"}}"),
        format!("rest_client_request_duration_seconds_count{{verb=\"PATCH\",host=\"{host}\"}}"),
        "keelson_store_commit_seconds_count".to_owned(),
        "controller_runtime_terminal_reconcile_errors_total{controller=\"scheduler\"} 0".to_owned(),
    ] {
        assert!(text.lines().any(|line| line.starts_with(&series)), "{series} in\n{text}");
    }
}
