//! Controllers: what one key's trouble costs the others.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, missing_docs)]

mod support;

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use keelson_core::{Action, ActionKind, Feature, ObjectRef, Outcome, Plan, Reason, Requeue, Span, Timestamp};
use keelson_runtime::queue::{LOW, URGENT};
use keelson_runtime::{Controller, Inbox, Options, assert_pure};
use prometheus_client::registry::Registry;
use serde_json::json;
use support::{Fault, Process, World, decision, millis, seconds};

/// Leads from a bucket to the trace of a decision in it.
const EXEMPLAR: &str = " # {trace_id=\"0af7651916cd43dd8448eb211c80319c\"} ";

/// What a key is to do, by its first letter: `p` panics, `w` writes a ConfigMap, `o` means to and names a decision that is
/// none, `r` comes back every second.
#[derive(Clone, Default)]
struct Letters {
    keys: Vec<String>,
    seen: Arc<Mutex<Vec<String>>>,
}

impl Controller for Letters {
    const NAME: &'static str = "letters";
    const FEATURE: Feature = Feature::Scheduling;
    type Key = String;
    type Snapshot = String;

    fn keys(&self) -> Vec<String> {
        self.keys.clone()
    }
    fn flow(key: &String) -> String {
        key.split('/').next().unwrap().to_owned()
    }
    fn subject(key: &String) -> ObjectRef {
        ObjectRef::namespaced("ConfigMap", "shop", key)
    }
    fn snapshot(&self, key: &String) -> Option<String> {
        self.seen.lock().unwrap().push(key.clone());
        Some(key.clone())
    }
    fn decide(key: &String, now: Timestamp) -> Plan {
        assert!(!key.starts_with('p'), "cannot decide about {key}");
        let zero = "00000000-0000-0000-0000-000000000000";
        let subject = Self::subject(key);
        let made = decision(zero.parse().unwrap(), zero.parse().unwrap(), &subject, now);
        let write = Action { decision: made.id, object: subject, kind: ActionKind::Create(json!({})) };
        match key.chars().next() {
            Some('w') => Plan { decisions: vec![made], actions: vec![write], ..Plan::default() },
            Some('o') => {
                let decision: keelson_core::DecisionId = "00000000-0000-0000-0000-000000000001".parse().unwrap();
                Plan { decisions: vec![made], actions: vec![Action { decision, ..write }], ..Plan::default() }
            }
            Some('r') => Plan { requeue: Requeue::After(Span::seconds(1)), ..Plan::default() },
            _ => Plan { decisions: vec![made], ..Plan::default() },
        }
    }
}

fn start(process: &Process, keys: &[&str], options: Options) -> (Inbox<Letters>, Arc<Mutex<Vec<String>>>) {
    let letters = Letters { keys: keys.iter().map(|key| (*key).to_owned()).collect(), seen: Arc::default() };
    let seen = letters.seen.clone();
    (process.runtime.run_controller(letters, options), seen)
}

/// What a scraper is told.
fn scrape(process: &Process) -> String {
    let (mut registry, mut text) = (Registry::default(), String::new());
    process.runtime.register(&mut registry);
    prometheus_client::encoding::text::encode(&mut text, &registry).unwrap();
    text
}

/// The value of the series that begins like this.
fn value(text: &str, series: &str) -> f64 {
    let line = text.lines().find_map(|line| line.strip_prefix(series)).unwrap_or_else(|| panic!("{series} in\n{text}"));
    line.split_whitespace().next().unwrap().parse().unwrap()
}

fn count(seen: &Arc<Mutex<Vec<String>>>, key: &str) -> usize {
    seen.lock().unwrap().iter().filter(|it| *it == key).count()
}

#[test]
fn the_decider_is_pure() {
    assert_pure::<Letters>(&"w1".to_owned(), Timestamp(5));
}

/// Decides by how often it was asked.
struct Whim;

impl Controller for Whim {
    const NAME: &'static str = "whim";
    const FEATURE: Feature = Feature::Scheduling;
    type Key = String;
    type Snapshot = u8;

    fn keys(&self) -> Vec<String> {
        Vec::new()
    }
    fn flow(key: &String) -> String {
        key.clone()
    }
    fn subject(key: &String) -> ObjectRef {
        Letters::subject(key)
    }
    fn snapshot(&self, _: &String) -> Option<u8> {
        None
    }
    fn decide(_: &u8, _: Timestamp) -> Plan {
        static ASKED: AtomicUsize = AtomicUsize::new(0);
        let asked = i64::try_from(ASKED.fetch_add(1, Ordering::Relaxed)).unwrap();
        Plan { requeue: Requeue::After(Span::seconds(asked)), ..Plan::default() }
    }
}

#[test]
#[should_panic(expected = "whim is not pure")]
fn a_decider_that_remembers_is_found() {
    assert_pure::<Whim>(&0, Timestamp(5));
}

#[tokio::test(start_paused = true)]
async fn a_standby_gathers_keys_and_works_on_them_when_it_leads() {
    let world = World::prepared(1, json!({})).await;
    let a = world.process("a", |_| {});
    a.leads().await;
    let b = world.process("b", |config| config.seed = 2);
    let (inbox, seen) = start(&b, &["x"], Options::default());
    inbox.add("y".into());
    seconds(60).await;
    assert_eq!((seen.lock().unwrap().len(), inbox.waiting()), (0, 1));
    a.runtime.shutdown().await;
    seconds(5).await;
    assert!(b.switch().leading);
    assert_eq!(*seen.lock().unwrap(), ["y", "x"], "what was asked for, then everything there is");
}

#[tokio::test(start_paused = true)]
async fn off_stops_deciding_and_a_change_of_mode_looks_at_everything_again() {
    let (world, process) = World::enforcing(2).await;
    let (inbox, seen) = start(&process, &["x"], Options::default());
    seconds(1).await;
    assert_eq!(count(&seen, "x"), 1);
    world.set_platform(json!({"features": {"scheduling": {"mode": "Off"}}})).await;
    seconds(1).await;
    inbox.add("y".into());
    seconds(10).await;
    assert_eq!(count(&seen, "y"), 0);
    world.set_platform(json!({"features": {"scheduling": {"mode": "Observe"}}})).await;
    seconds(1).await;
    assert_eq!((count(&seen, "x"), count(&seen, "y")), (2, 1));
}

#[tokio::test(start_paused = true)]
async fn a_panic_costs_its_own_key_a_back_off_and_is_recorded() {
    let (_world, process) = World::enforcing(3).await;
    let (inbox, seen) = start(&process, &[], Options { workers: 1, ..Options::default() });
    inbox.add("panic".into());
    for n in 0..100 {
        inbox.add(format!("fine{n}"));
    }
    seconds(10).await;
    assert_eq!(seen.lock().unwrap().iter().filter(|key| key.starts_with("fine")).count(), 100);
    // 5 ms doubled each time: 11 tries in the first ten seconds.
    assert!((10..=12).contains(&count(&seen, "panic")), "{}", count(&seen, "panic"));
    let remark = process.history.decisions().into_iter().find(|it| it.reason == Reason::Panicked).unwrap();
    assert_eq!(remark.sentence, "Deciding panicked: cannot decide about panic. It is tried again later.");
}

#[tokio::test(start_paused = true)]
async fn chatter_does_not_shorten_or_inflate_the_back_off() {
    let (world, process) = World::enforcing(4).await;
    let (inbox, seen) = start(&process, &[], Options::default());
    world.create("v1", "ConfigMap", Some("shop"), json!({"metadata": {"name": "w"}})).await;
    inbox.add("w".into());
    seconds(21).await;
    let quiet = count(&seen, "w");
    assert_eq!(quiet, 13, "5 ms doubled each time: twelve waits in 20.5 s");
    for _ in 0..10 {
        inbox.add("w".into());
        millis(100).await;
    }
    assert_eq!(count(&seen, "w"), quiet + 10, "an event is always answered at once");
    let api = world.api("v1", "ConfigMap", Some("shop"));
    api.delete("w", &kube::api::DeleteParams::default()).await.unwrap();
    seconds(25).await;
    assert_eq!(count(&seen, "w"), quiet + 11, "the wait was not inflated, and success ends it");
    seconds(600).await;
    assert_eq!(count(&seen, "w"), quiet + 11);
}

#[tokio::test(start_paused = true)]
async fn a_reconcile_past_its_deadline_is_cut_off_and_the_worker_goes_on() {
    let (_world, process) = World::enforcing(5).await;
    let (inbox, seen) = start(&process, &[], Options { workers: 1, deadline: Span::seconds(3) });
    process.net.rule(|_, path| path.contains("configmaps").then_some(Fault::Hang));
    inbox.add("w".into());
    millis(100).await;
    inbox.add("fine".into());
    seconds(4).await;
    assert_eq!(count(&seen, "fine"), 1);
    let history = process.history.decisions();
    assert!(history.iter().any(|it| it.reason == Reason::DeadlineExceeded));
    assert!(
        history
            .iter()
            .all(|it| it.outcome != Outcome::Pending || it.at > process.runtime.clock().now() + Span::seconds(-4))
    );
}

#[tokio::test(start_paused = true)]
async fn no_more_than_the_workers_act_at_once() {
    let (_world, process) = World::enforcing(6).await;
    let (under_way, most) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    let (now, peak) = (under_way.clone(), most.clone());
    process.net.rule(move |method, path| {
        if *method == http::Method::POST && path.contains("configmaps") {
            // Each hangs for its 3 s, so whatever may overlap does.
            peak.fetch_max(now.fetch_add(1, Ordering::Relaxed) + 1, Ordering::Relaxed);
            return Some(Fault::Hang);
        }
        None
    });
    let (inbox, _) = start(&process, &[], Options { workers: 3, deadline: Span::seconds(3) });
    for n in 0..50 {
        inbox.add(format!("w{n}"));
    }
    seconds(2).await;
    assert_eq!(most.load(Ordering::Relaxed), 3);
    assert_eq!(inbox.waiting(), 47);
    assert_eq!(process.runtime.health().queues, [("letters".to_owned(), 47)].into());
    let depth = "workqueue_depth{name=\"letters\",controller=\"letters\",priority=\"0\"}";
    assert_eq!(value(&scrape(&process), depth), 47.0);
}

#[tokio::test(start_paused = true)]
async fn urgent_keys_overtake_and_namespaces_take_turns() {
    let world = World::prepared(7, json!({})).await;
    let process = world.process("a", |_| {});
    let (inbox, seen) = start(&process, &[], Options { workers: 1, ..Options::default() });
    for n in 0..3 {
        inbox.add_with(format!("noisy/{n}"), LOW);
    }
    inbox.add_with("quiet/0".into(), LOW);
    inbox.add_with("burning/0".into(), URGENT);
    process.leads().await;
    seconds(1).await;
    assert_eq!(*seen.lock().unwrap(), ["burning/0", "noisy/0", "quiet/0", "noisy/1", "noisy/2"]);
}

#[tokio::test(start_paused = true)]
async fn a_key_comes_back_when_its_plan_says() {
    let (_world, process) = World::enforcing(8).await;
    let (inbox, seen) = start(&process, &[], Options::default());
    inbox.add("r".into());
    millis(10_500).await;
    assert_eq!(count(&seen, "r"), 11);
}

#[tokio::test(start_paused = true)]
async fn stopping_drains_what_was_begun_then_flushes_then_lets_the_lease_go() {
    let (world, process) = World::enforcing(9).await;
    let (inbox, seen) = start(&process, &[], Options::default());
    // A slow API: the write takes a second.
    let mut left = 8;
    process.net.rule(move |method, path| {
        let slow = *method == http::Method::POST && path.contains("configmaps") && left > 0;
        left -= i32::from(slow);
        slow.then_some(Fault::Refuse(503, None))
    });
    inbox.add("w1".into());
    millis(50).await;
    let stopping = process.runtime.stopping();
    let runtime = process.runtime.clone();
    let done = tokio::spawn(async move { runtime.shutdown().await });
    stopping.await;
    assert!(!process.runtime.health().ready, "not ready from the first moment");
    inbox.add("w2".into());
    assert!(process.switch().leading, "it leads until its workers are done");
    done.await.unwrap();
    assert!(!process.switch().leading);
    assert!(world.get("v1", "ConfigMap", Some("shop"), "w1").await.is_some(), "what was begun is done");
    assert_eq!(count(&seen, "w2"), 0, "nothing new is begun");
    assert!(process.history.decisions().iter().all(|it| it.outcome == Outcome::Done));
    let log = process.lease_net.log();
    let calls = process.net.log().len();
    seconds(60).await;
    assert_eq!((process.lease_net.log().len(), process.net.log().len()), (log.len(), calls), "nothing goes on");
}

#[tokio::test(start_paused = true)]
async fn a_process_that_has_ended_what_it_began_stops_at_once() {
    let (_world, process) = World::enforcing(15).await;
    let (inbox, seen) = start(&process, &[], Options::default());
    inbox.add("w".into());
    seconds(1).await;
    assert_eq!(count(&seen, "w"), 1);
    let began = tokio::time::Instant::now();
    process.runtime.shutdown().await;
    assert!(began.elapsed() < std::time::Duration::from_secs(1), "{:?}", began.elapsed());
}

#[tokio::test(start_paused = true)]
async fn metrics_do_not_grow_with_objects() {
    let (_world, process) = World::enforcing(10).await;
    let (inbox, _) = start(&process, &[], Options::default());
    let series = |text: &str| text.lines().filter(|line| !line.starts_with('#')).count();
    inbox.add("w".into());
    inbox.add("x".into());
    seconds(1).await;
    let before = series(&scrape(&process));
    for n in 0..1_000 {
        inbox.add(format!("x/{n}"));
        inbox.add(format!("w{n}"));
    }
    seconds(60).await;
    let text = scrape(&process);
    assert_eq!(series(&text), before, "{text}");
    for family in [
        "controller_runtime_reconcile_total{controller=\"letters\",result=\"success\"} 2002",
        "workqueue_adds_total{name=\"letters\",controller=\"letters\"} 2002",
        "keelson_decisions_total{feature=\"scheduling\",verb=\"Place\",outcome=\"Done\",reason=\"PodPlaced\"} 1001",
        "keelson_leader{feature=\"scheduling\"} 1",
        "leader_election_master_status{name=\"scheduling\"} 1",
        "keelson_feature_mode{feature=\"scheduling\",mode=\"Enforce\"} 1",
        // The Lease, and every letter.
        "rest_client_requests_total{code=\"201\",method=\"POST\",host=\"api:6443\"} 1002",
        "controller_runtime_terminal_reconcile_errors_total{controller=\"letters\"} 0",
    ] {
        assert!(text.contains(family), "{family} in\n{text}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_plan_that_is_wrong_in_itself_is_not_tried_again_before_something_changes() {
    let (_world, process) = World::enforcing(12).await;
    let (inbox, seen) = start(&process, &[], Options::default());
    for times in 1..3 {
        inbox.add("o".into());
        seconds(600).await;
        assert_eq!(count(&seen, "o"), times);
        let text = scrape(&process);
        for family in ["controller_runtime_terminal_reconcile_errors", "controller_runtime_reconcile_errors"] {
            assert_eq!(value(&text, &format!("{family}_total{{controller=\"letters\"}}")), times as f64, "{family}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn every_stage_of_a_decision_is_timed_from_the_moment_its_cause_was_seen() {
    let world = World::prepared(13, json!({"features": {"scheduling": {"mode": "Enforce"}}})).await;
    let process = world.process("a", |_| {});
    process.lease_net.down();
    let (inbox, seen) = start(&process, &[], Options::default());
    inbox.add("w".into());
    seconds(20).await;
    process.lease_net.heal();
    process.leads().await;
    seconds(1).await;
    assert_eq!(count(&seen, "w"), 1);
    let text = scrape(&process);
    let stage = |stage: &str| {
        let labels = format!("{{feature=\"scheduling\",stage=\"{stage}\"");
        let buckets = text.lines().filter(|line| line.starts_with("keelson_decision_latency_seconds_bucket"));
        let exemplar = buckets.filter(|line| line.contains(stage)).any(|line| line.contains(EXEMPLAR));
        assert!(exemplar, "{stage}: {text}");
        value(&text, &format!("keelson_decision_latency_seconds_sum{labels}}}"))
    };
    let waited = stage("observe");
    assert!((20.0..30.0).contains(&waited), "waited {waited} s for a leader");
    for (of, most) in [("decide", 0.001), ("persist", 0.1), ("apply", 0.1)] {
        assert!(stage(of) <= most, "{of}: {}", stage(of));
    }
}

async fn story(seed: u64) -> (Vec<String>, Vec<String>) {
    let (_world, process) = World::enforcing(seed).await;
    let (inbox, _) = start(&process, &["x", "p", "r", "w0"], Options::default());
    let mut calls = 0;
    process.net.rule(move |_, path| {
        calls += 1;
        (calls % 7 == 0 && !path.contains("watch")).then_some(Fault::Refuse(503, None))
    });
    for n in 0..30 {
        inbox.add(format!("w{n}"));
        seconds(3).await;
    }
    let ids = process.history.decisions().iter().map(|it| format!("{} {} {}", it.id, it.reason, it.outcome)).collect();
    ([process.net.log(), process.lease_net.log()].concat(), ids)
}

#[tokio::test(start_paused = true)]
async fn the_same_seed_gives_the_same_calls_at_the_same_moments() {
    let first = story(11).await;
    assert!(first.0.len() > 80, "{}", first.0.len());
    for _ in 0..3 {
        assert_eq!(story(11).await, first);
    }
}

#[tokio::test(start_paused = true)]
async fn every_family_that_is_told_of_is_there_and_no_other() {
    let (_world, process) = World::enforcing(9).await;
    let (inbox, _) = start(&process, &["w1", "r1"], Options::default());
    inbox.add("p".into());
    seconds(3).await;
    let text = scrape(&process);
    let there: BTreeSet<_> = text.lines().filter_map(|line| line.strip_prefix("# TYPE ")).collect();
    let told = |family: &keelson_core::Metric| format!("{} {}", family.family(), family.kind.as_str());
    let told: BTreeSet<_> = keelson_runtime::METRICS.iter().map(told).collect();
    assert_eq!(there, told.iter().map(String::as_str).collect());
}
