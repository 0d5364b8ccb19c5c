//! A million decisions in one SQLite file: listed, filtered, looked at one by one, and swept while somebody writes.
//!
//! Every question is one that the page asks. Each is asked with many values, so that no page of the file is always warm;
//! the slowest question is what counts, not the mean of all.

use std::time::Duration;

use anyhow::Result;
use keelson_core::decision::{Outcome, Verb};
use keelson_core::{Decision, Feature, ObjectRef, Reason, Span, Timestamp};
use keelson_store::{Filter, Quota, Retention, SWEEP_ROWS, SqliteStore, Store};
use tokio::time::sleep;

use crate::clock::{millis, now, quantile};
use crate::decisions::{at, decision, id, namespace, node, pod};
use crate::{Better, Row, Setting};

/// Many rows a transaction, because filling is not what is measured: each transaction writes the pages of every index anew.
const AT_ONCE: usize = 20_000;
/// As the controller sweeps: `keelson::sweep`.
const SWEEP_PAUSE: Duration = Duration::from_millis(20);

fn filters(total: u32, k: u32) -> Vec<(&'static str, Filter)> {
    let n = 1 + (k.wrapping_mul(2_654_435_761) % total.max(2));
    let page = Filter::default;
    let about = |object| Filter { about: Some(object), ..page() };
    vec![
        ("list: newest", page()),
        ("list: somewhere in the middle", Filter { before: Some(id(n)), ..page() }),
        ("list: a feature", Filter { feature: Some(Feature::Scheduling), before: Some(id(n)), ..page() }),
        ("list: a namespace", Filter { namespace: Some(namespace(n)), ..page() }),
        (
            "list: a pod",
            Filter { kind: Some("Pod".to_owned()), namespace: Some(namespace(n)), name: Some(pod(n)), ..page() },
        ),
        ("list: about a node", about(ObjectRef::cluster("Node", &node(n)))),
        (
            "list: about a workload",
            about(ObjectRef::namespaced("Deployment", &namespace(n), &format!("workload-{}", n % 5_000))),
        ),
        (
            "list: a reason that is common",
            Filter { reason: Some(Reason::Unschedulable), before: Some(id(n)), ..page() },
        ),
        ("list: a reason that is rare", Filter { reason: Some(Reason::Panicked), before: Some(id(n)), ..page() }),
        ("list: a reason that never was", Filter { reason: Some(Reason::BreakerOpened), ..page() }),
        ("list: a verb", Filter { verb: Some(Verb::Place), before: Some(id(n)), ..page() }),
        ("list: an outcome that never was", Filter { outcome: Some(Outcome::Failed), ..page() }),
        ("list: an hour", Filter { since: Some(at(n)), until: Some(at(n) + Span::hours(1)), ..page() }),
        (
            "list: an hour and an outcome",
            Filter {
                since: Some(at(n)),
                until: Some(at(n) + Span::hours(1)),
                outcome: Some(Outcome::NoAction),
                ..page()
            },
        ),
        ("list: a text that is common", Filter { text: Some("least loaded".to_owned()), ..page() }),
        ("list: a text that is rare", Filter { text: Some(pod(n)), ..page() }),
        (
            "list: a text that is rare, in its namespace",
            Filter { text: Some(pod(n)), namespace: Some(namespace(n)), ..page() },
        ),
    ]
}

/// Puts decisions into a store. Returns how many a second.
///
/// # Errors
/// When the store refuses them.
pub async fn fill(store: &SqliteStore, total: u32) -> Result<f64> {
    let start = now();
    let all: Vec<u32> = (1..=total).collect();
    for batch in all.chunks(AT_ONCE) {
        let rows: Vec<Decision> = batch.iter().map(|n| decision(*n)).collect();
        store.record(&rows).await?;
    }
    Ok(f64::from(total) / start.elapsed().as_secs_f64())
}

/// The time of every question, by question.
async fn ask(store: &SqliteStore, total: u32, times: u32) -> Result<Vec<(&'static str, Vec<Duration>)>> {
    let mut asked: Vec<(&'static str, Vec<Duration>)> = Vec::new();
    let mut note = |what: &'static str, took: Duration| match asked.iter_mut().find(|(known, _)| *known == what) {
        Some((_, times)) => times.push(took),
        None => asked.push((what, vec![took])),
    };
    for k in 0..times {
        for (what, filter) in filters(total, k) {
            let start = now();
            store.decisions(&filter).await?;
            note(what, start.elapsed());
        }
        let n = 1 + (k.wrapping_mul(2_246_822_519) % total.max(2));
        let start = now();
        store.decision(id(n)).await?;
        note("detail: a decision", start.elapsed());
        let start = now();
        store.caused_by(id(n), 100).await?;
        note("detail: what it caused", start.elapsed());
    }
    Ok(asked)
}

/// How long each write of one decision takes, with a pause between two, for a while.
async fn write_along(store: &SqliteStore, first: u32, lasts: Duration) -> Result<Vec<Duration>> {
    let (begun, mut took) = (now(), Vec::new());
    for n in first.. {
        if begun.elapsed() >= lasts {
            break;
        }
        let one = [decision(n)];
        let start = now();
        store.record(&one).await?;
        took.push(start.elapsed());
        sleep(Duration::from_millis(5)).await;
    }
    Ok(took)
}

/// Runs it.
///
/// # Errors
/// When the file cannot be written: it takes some three gigabytes in the folder of temporary files.
pub fn run(setting: &Setting) -> Result<Vec<Row>> {
    let (total, times) = (setting.of(1_000_000, 2_000), setting.of(100, 2));
    let lasts = setting.of(Duration::from_secs(20), Duration::from_millis(300));
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    runtime.block_on(async {
        let dir = tempfile::tempdir()?;
        let path = dir.path().join("keelson.db");
        let store = SqliteStore::open(&path).await?;
        let filled = fill(&store, total).await?;
        let bytes = std::fs::metadata(&path)?.len();
        let mut rows = Vec::new();
        let how = format!("{total} decisions, pages of 100, {times} values each, asked one after the other");
        let mut all = Vec::new();
        for (what, mut times) in ask(&store, total, times).await? {
            rows.push(Row::new(what, millis(quantile(&mut times, 99)), "ms p99", Better::Lower, &how));
            all.extend(times);
        }
        let worst = rows.iter().map(|row| row.value).fold(0.0, f64::max);
        let summary = [
            Row::new("list, filter and detail: the slowest question", worst, "ms p99", Better::Lower, &how).goal(20.0),
            Row::new(
                "list, filter and detail: all together",
                millis(quantile(&mut all, 99)),
                "ms p99",
                Better::Lower,
                &how,
            ),
        ];
        rows.splice(0..0, summary);
        rows.push(Row::new("filling it", filled, "decisions/s", Better::Higher, "in transactions of 20,000"));
        rows.push(Row::new("its file", bytes as f64 / 1e6, "MB", Better::Lower, "about 2 kB a decision as JSON"));

        let mut quiet = write_along(&store, total + 1, lasts / 2).await?;
        // Everything is beyond its age or its quota: more than a sweep may take at once, for as long as this lasts.
        let retention = Retention { per_feature: Quota { decisions: 10, bytes: 1 << 20 }, ..Retention::default() };
        let (sweeper, clock) = (store.clone(), Timestamp(at(total).0 + Span::hours(24).0));
        let sweeping = tokio::spawn(async move {
            let mut swept = 0;
            loop {
                match sweeper.sweep(clock, &retention).await {
                    Ok(one) => swept += one.total(),
                    Err(error) => return Err::<(), _>(error),
                }
                sleep(SWEEP_PAUSE).await;
                if swept == u64::MAX {
                    return Ok(());
                }
            }
        });
        let mut under = write_along(&store, total * 2, lasts).await?;
        let left = sweeping.is_finished();
        sweeping.abort();
        anyhow::ensure!(!left, "the sweep failed");
        let how = format!("one decision every 5 ms for {lasts:?}, while {SWEEP_ROWS} rows are swept, {SWEEP_PAUSE:?} after the last are");
        let pause = millis(quantile(&mut under, 99));
        rows.insert(2, Row::new("a write while retention sweeps", pause, "ms p99", Better::Lower, &how).goal(20.0));
        rows.push(Row::new("the same at its longest", millis(quantile(&mut under, 100)), "ms", Better::Lower, &how));
        rows.push(Row::new("a write without sweeps", millis(quantile(&mut quiet, 99)), "ms p99", Better::Lower, &how));
        store.close().await;
        Ok(rows)
    })
}
