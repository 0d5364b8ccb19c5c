//! What a process says of itself: how it is doing, and what a scraper is told.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, missing_docs)]

mod support;

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use k8s_openapi::api::core::v1::Pod;
use keelson_core::{Feature, Mode, Span};
use keelson_runtime::config::Election;
use keelson_runtime::{Runtime, StartError};
use prometheus_client::registry::Registry;
use serde_json::json;
use support::{Fault, Process, World, bind, seconds, with_a_pod};

/// The checks that do not pass, as `name: detail`.
fn wrong(process: &Process) -> Vec<String> {
    let health = process.runtime.health();
    assert_eq!(health.ready, health.checks.iter().all(|check| check.ok));
    health.checks.iter().filter(|check| !check.ok).map(|check| format!("{}: {}", check.name, check.detail)).collect()
}

fn scrape(process: &Process) -> String {
    let (mut registry, mut text) = (Registry::default(), String::new());
    process.runtime.register(&mut registry);
    prometheus_client::encoding::text::encode(&mut text, &registry).unwrap();
    text
}

/// Every line is there, with this value.
fn says(process: &Process, lines: &[&str]) {
    let text = scrape(process);
    for line in lines {
        assert!(text.lines().any(|there| there == *line), "{line} in\n{text}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_process_is_ready_once_everything_is_read_and_names_what_is_not() {
    let world = World::prepared(1, json!({})).await;
    let process = world.process("a", |_| {});
    assert_eq!(
        wrong(&process),
        [
            "settings: the Platform was not read yet",
            "api: no answer for 0 µs: not asked yet",
            "leases: not read lately: scheduling",
        ]
    );
    process.leads().await;
    let health = process.runtime.health();
    let details: Vec<_> = health.checks.iter().map(|check| check.detail.as_str()).collect();
    let good =
        ["working", "every cache is read", "the Platform was read", "the API server answers", "the leases are read"];
    assert_eq!((health.live, health.ready, details), (true, true, good.to_vec()));
    process.runtime.shutdown().await;
    assert_eq!(wrong(&process), ["running: the process stops"]);
}

#[tokio::test(start_paused = true)]
async fn a_lease_that_nobody_could_read_for_a_minute_is_said_and_an_api_server_that_is_away() {
    let (_world, process) = World::enforcing(2).await;
    process.lease_net.down();
    seconds(57).await;
    assert!(!wrong(&process).iter().any(|line| line.starts_with("leases")), "{:?}", wrong(&process));
    seconds(4).await;
    let said = wrong(&process);
    assert!(said.contains(&"leases: not read lately: scheduling".to_owned()), "{said:?}");
    assert!(said[0].starts_with("api: no answer for ") && said[0].ends_with(": connection refused"), "{said:?}");
    let since = process.runtime.health().api.unwrap().since;
    seconds(10).await;
    assert_eq!(process.runtime.health().api.unwrap().since, since, "it has been away since then");
    process.lease_net.heal();
    process.leads().await;
    assert_eq!(wrong(&process), Vec::<String>::new());
}

#[tokio::test(start_paused = true)]
async fn who_needs_no_lease_is_ready_without_one() {
    for election in [Election::Alone, Election::Never] {
        let world = World::prepared(3, json!({})).await;
        let process = world.process("a", |config| config.election = election);
        seconds(90).await;
        assert_eq!(wrong(&process), Vec::<String>::new(), "{election:?}");
        assert_eq!(process.switch().leading, election == Election::Alone);
    }
}

#[tokio::test(start_paused = true)]
async fn a_refused_watch_is_an_answer_and_a_failing_server_is_none() {
    for (code, answers) in [(403, true), (500, false)] {
        // No renewal comes between, and no status is written.
        let world = World::prepared(4, json!({})).await;
        let process = world.process("a", |config| config.election = Election::Alone);
        seconds(30).await;
        process.net.rule(move |_, path| path.contains("/pods").then_some(Fault::Refuse(code, None)));
        let _pods = process.runtime.cache::<Pod>();
        seconds(8).await;
        let api = process.runtime.health().api.unwrap();
        assert_eq!(api.ok, answers, "{code}: {api:?}");
        let lasting = process.runtime.clock().now().since(api.since);
        assert!(lasting > Span::seconds(6), "{code}: trying again is no answer: {api:?}");
        assert!(wrong(&process).contains(&"caches: not read yet: Pod".to_owned()));
    }
}

#[tokio::test(start_paused = true)]
async fn a_task_that_panicked_is_named_with_how_often() {
    let (_world, process) = World::enforcing(5).await;
    let panicked = std::sync::Arc::new(AtomicBool::new(false));
    process.runtime.spawn("fragile", move || {
        let before = panicked.swap(true, Ordering::SeqCst);
        async move { assert!(before, "the first time") }
    });
    seconds(5).await;
    assert_eq!(process.runtime.health().panics, [("fragile".to_owned(), 1)].into());
}

#[tokio::test(start_paused = true)]
async fn a_process_that_lacks_its_name_or_namespace_does_not_start() {
    let world = World::prepared(6, json!({})).await;
    let config = |identity: &str, namespace: &str| {
        let (net, history) = (world.net(), std::sync::Arc::default());
        keelson_runtime::Config { namespace: namespace.into(), ..world.config(identity, 1, &net, &net, &history) }
    };
    assert!(matches!(Runtime::start(config("", "keelson")), Err(StartError::Identity)));
    assert!(matches!(Runtime::start(config("a", "")), Err(StartError::Namespace)));
    let timing = keelson_runtime::elector::Timing { retry: Span::seconds(9), ..Default::default() };
    let hasty = keelson_runtime::Config { timing, ..config("a", "keelson") };
    assert!(matches!(Runtime::start(hasty), Err(StartError::Timing(_))));
}

#[tokio::test(start_paused = true)]
async fn only_a_leader_sends_as_one() {
    let world = World::prepared(7, json!({})).await;
    let a = world.process("a", |_| {});
    a.leads().await;
    let b = world.process("b", |config| config.seed = 2);
    let read = || kube::api::Request::new("/api/v1/namespaces").get("shop", &Default::default());
    let asked = async |process: &Process| {
        process.runtime.send_as_leader::<serde_json::Value>(Feature::Scheduling, read()).await
    };
    assert_eq!(asked(&a).await.unwrap().unwrap()["metadata"]["name"], "shop");
    let introduced = a.net.introduced();
    assert!(introduced.last().unwrap().ends_with("(scheduling; fence 1)"), "{introduced:?}");
    let calls = b.net.log().len();
    assert!(asked(&b).await.is_none());
    assert_eq!(b.net.log().len(), calls, "and nothing is sent");
}

#[tokio::test(start_paused = true)]
async fn a_loop_of_an_operators_own_is_counted_as_a_controller_is() {
    let (_world, process) = World::enforcing(8).await;
    let meter = process.runtime.meter(Feature::Scheduling, "loop", 3);
    says(
        &process,
        &[
            "controller_runtime_max_concurrent_reconciles{controller=\"loop\"} 3",
            "controller_runtime_reconcile_errors_total{controller=\"loop\"} 0",
        ],
    );
    for result in ["success", "requeue", "error", "panic", "timeout", "terminal"] {
        meter.reconciled(result, Duration::from_secs(2));
    }
    meter.observed(Duration::from_secs(3));
    says(
        &process,
        &[
            "controller_runtime_reconcile_total{controller=\"loop\",result=\"success\"} 1",
            "controller_runtime_reconcile_total{controller=\"loop\",result=\"requeue\"} 1",
            "controller_runtime_reconcile_total{controller=\"loop\",result=\"error\"} 4",
            "controller_runtime_reconcile_errors_total{controller=\"loop\"} 4",
            "controller_runtime_reconcile_panics_total{controller=\"loop\"} 1",
            "controller_runtime_reconcile_timeouts_total{controller=\"loop\"} 1",
            "controller_runtime_terminal_reconcile_errors_total{controller=\"loop\"} 1",
            "controller_runtime_reconcile_time_seconds_sum{controller=\"loop\"} 12.0",
            "workqueue_work_duration_seconds_sum{name=\"loop\",controller=\"loop\"} 12.0",
            "keelson_decision_latency_seconds_sum{feature=\"scheduling\",stage=\"decide\"} 12.0",
            "keelson_decision_latency_seconds_sum{feature=\"scheduling\",stage=\"observe\"} 3.0",
        ],
    );
}

#[tokio::test(start_paused = true)]
async fn a_scraper_is_told_who_leads_what_is_held_what_was_done_and_what_is_known() {
    let (world, process, pod) = with_a_pod(9).await;
    process.runtime.cache::<Pod>().synced().await;
    process.act(&pod, vec![bind("n1")]).await;
    process.act(&pod, vec![bind("n2")]).await;
    says(
        &process,
        &[
            "keelson_steps_total{feature=\"scheduling\",verb=\"bind\",result=\"Done\"} 1",
            "keelson_steps_total{feature=\"scheduling\",verb=\"bind\",result=\"Conflict\"} 1",
            "keelson_cache_objects{kind=\"Pod\"} 1.0",
            "keelson_cache_undecodable{kind=\"Pod\"} 0.0",
            "keelson_feature_held{feature=\"scheduling\",by=\"pause\"} 0.0",
            "keelson_feature_mode{feature=\"scheduling\",mode=\"Observe\"} 0.0",
            "leader_election_master_status{name=\"scheduling\"} 1",
        ],
    );
    world.set_platform(json!({"features": {"scheduling": {"mode": Mode::Observe, "paused": true}}})).await;
    seconds(1).await;
    says(
        &process,
        &[
            "keelson_feature_held{feature=\"scheduling\",by=\"pause\"} 1.0",
            "keelson_feature_held{feature=\"scheduling\",by=\"breaker\"} 0.0",
            "keelson_feature_mode{feature=\"scheduling\",mode=\"Observe\"} 1.0",
            "keelson_feature_mode{feature=\"scheduling\",mode=\"Enforce\"} 0.0",
        ],
    );
    process.runtime.shutdown().await;
    says(
        &process,
        &["keelson_leader{feature=\"scheduling\"} 0.0", "leader_election_master_status{name=\"scheduling\"} 0"],
    );
}
