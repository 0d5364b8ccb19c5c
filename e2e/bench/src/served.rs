//! The page's server on a large and busy cluster: 2,000 nodes, 20,000 pods, a million decisions, and 500 more a second.
//!
//! The controller is the real one, with its page on loopback and threads of its own, whose time on the processor is what is
//! counted; who asks and listens is another thread. The store is as full as it may be, so that a decision goes for each that
//! comes. What a browser makes of it is measured by `cargo xtask bench page`.

pub mod browser;
pub mod still;

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result, anyhow, ensure};
use clap::Parser as _;
use http::Request;
use keelson::backend::About;
use keelson::cli::{Cli, Command};
use keelson::page::Page;
use keelson::platform::{Parts, Platform};
use keelson::simulated::NAMESPACE;
use keelson::store::Opened;
use keelson_core::{Feature, Mode, Outcome};
use keelson_runtime::config::Election;
use keelson_runtime::elector::Timing;
use keelson_runtime::{Calls, Clock};
use keelson_store::{Journal, JournalOptions, Quota, Retention, SqliteStore};
use kube::client::{Body, ClientBuilder};
use serde_json::Value;
use tokio::time::{interval, sleep};
use tower::service_fn;

use crate::clock::{millis, now, of_others, quantile, resident};
use crate::decisions::{at, decision};
use crate::history::fill;
use crate::{Better, Row, Setting};
use browser::{Told, ask, held, listen};
use still::Cluster;

const A_SECOND: u64 = 500;
/// Pages that are open at once.
const TABS: usize = 10;
/// From a decision to whoever listens, in milliseconds (DESIGN §8: to the pixel).
const TOLD: f64 = 200.0;
/// As every other list of a million decisions, in milliseconds.
const ASKED: f64 = 20.0;
/// What a page may take of a processor while nothing happens, in percent.
const REST: f64 = 10.0;
/// A processor that does less, in percent, has nothing left from the start.
const SETTLED: f64 = REST;
/// For so many seconds in a row.
const CALM: u32 = 4;

/// Runs it.
///
/// # Errors
/// When the controller or its page does not start, or does not answer.
pub fn run(setting: &Setting) -> Result<Vec<Row>> {
    let cluster = Cluster { nodes: setting.of(2_000, 10), pods: setting.of(20_000, 30) };
    let sizes = Sizes {
        cluster,
        total: setting.of(1_000_000, 200),
        times: setting.of(200, 2),
        lasts: setting.of(Duration::from_secs(15), Duration::from_millis(500)),
    };
    let folder = tempfile::tempdir()?;
    let server = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    let (platform, page) = server.block_on(serve(&folder.path().join("keelson.db"), cluster, sizes.total))?;
    let browsers = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let rows = browsers.block_on(measure(&platform, page, sizes));
    server.block_on(platform.stop());
    rows
}

/// Starts the controller and its page on a store that is full.
async fn serve(database: &Path, cluster: Cluster, total: u32) -> Result<(Platform, SocketAddr)> {
    let store = SqliteStore::open(database).await?;
    fill(&store, total).await?;
    let api = service_fn(move |request: Request<Body>| std::future::ready(still::answer(&request, cluster)));
    let calls = Calls::default();
    let client = ClientBuilder::new(api, "default").with_layer(&calls.to("api:6443")).build();
    let quota = Quota { decisions: u64::from(total), bytes: 1 << 40 };
    let platform = Platform::start(Parts {
        client: client.clone(),
        lease_client: client.clone(),
        calls,
        // The last hour of the history is the last hour now.
        clock: Clock::start(at(total), 1),
        seed: 1,
        identity: "bench".to_owned(),
        namespace: NAMESPACE.to_owned(),
        owner: None,
        ceilings: [(Feature::Scheduling, Mode::Observe)].into(),
        election: Election::Alone,
        timing: Timing::default(),
        mode_file: None,
        trace_id: String::new,
        store: Opened { store: Arc::new(store), changes: None },
        retention: Retention { per_feature: quota, ..Retention::default() },
        journal: Journal::in_memory(JournalOptions::default()),
    })?;
    let Command::Up(up) = Cli::try_parse_from(["keelson", "up"])?.command else {
        return Err(anyhow!("`keelson up` is another command now"));
    };
    let listener = up.door.listen(SocketAddr::from(([127, 0, 0, 1], 0))).await?;
    let address = listener.local_addr()?;
    let about = About {
        cluster: "bench".to_owned(),
        kubernetes: "v1.36".to_owned(),
        speed: 1,
        namespace: NAMESPACE.to_owned(),
        mode_file: None,
    };
    let options = up.door.options(address, &client)?;
    let page = Page { platform: platform.clone(), client, about, options, telemetry: None };
    tokio::spawn(page.serve(listener, std::future::pending()));
    Ok((platform, address))
}

#[derive(Debug, Clone, Copy)]
struct Sizes {
    cluster: Cluster,
    total: u32,
    times: usize,
    lasts: Duration,
}

/// How much of one processor the server takes within a while, in percent.
async fn share(lasts: Duration) -> f64 {
    let before = of_others();
    sleep(lasts).await;
    of_others().saturating_sub(before).as_secs_f64() / lasts.as_secs_f64() * 100.0
}

/// Waits until the page knows every node.
async fn known(page: SocketAddr, nodes: usize) -> Result<()> {
    for _ in 0..600 {
        let (said, _) = ask(page, "/api/v1/nodes").await?;
        let body = said.split_once("\r\n\r\n").map_or("", |(_, body)| body);
        let body: Value = serde_json::from_str(body).unwrap_or_default();
        if body.get("nodes").and_then(Value::as_array).map_or(0, Vec::len) == nodes {
            return Ok(());
        }
        sleep(Duration::from_millis(100)).await;
    }
    Err(anyhow!("the page does not know the nodes after a minute"))
}

/// Waits until what a start has to do is done.
async fn settled() -> Result<()> {
    let mut calm = 0;
    for _ in 0..300 {
        calm = if share(Duration::from_secs(1)).await < SETTLED { calm + 1 } else { 0 };
        if calm == CALM {
            return Ok(());
        }
    }
    Err(anyhow!("the server takes more than {SETTLED} % of a core five minutes after its start"))
}

/// Makes decisions at their rate for a while.
async fn busy(platform: Platform, first: u32, lasts: Duration, told: Told) -> u32 {
    let (end, mut beat) = (now() + lasts, interval(Duration::from_micros(1_000_000 / A_SECOND)));
    let mut next = first;
    while now() < end {
        beat.tick().await;
        let mut made = decision(next);
        (made.at, made.last_at) = (platform.runtime.clock().now(), platform.runtime.clock().now());
        // What would act goes through the journal, and ends: here is only said what would be done.
        made.outcome = Outcome::Would;
        held(&told).made.insert(made.id.to_string(), now());
        platform.recorder.offer(made);
        next += 1;
    }
    next - first
}

/// The slowest hundredth of the answers to a question.
async fn asked(page: SocketAddr, path: &str, times: usize, pause: Duration) -> Result<f64> {
    let mut took = Vec::new();
    for _ in 0..times {
        took.push(ask(page, path).await?.1);
        sleep(pause).await;
    }
    Ok(millis(quantile(&mut took, 99)))
}

async fn measure(platform: &Platform, page: SocketAddr, sizes: Sizes) -> Result<Vec<Row>> {
    let Sizes { cluster: Cluster { nodes, pods }, total, times, lasts } = sizes;
    let how = format!("{nodes} nodes, {pods} pods, {total} decisions in SQLite, the page on loopback");
    let row =
        |what: &str, value, unit, how: &str| Row::new(&format!("served: {what}"), value, unit, Better::Lower, how);
    let began = now();
    known(page, nodes).await?;
    let mut rows = vec![row("from its start to every node on the page", millis(began.elapsed()), "ms", &how)];
    settled().await?;
    let until = began.elapsed().as_secs_f64();
    rows.push(row("from its start until the last hour is counted", until, "s", &how));
    rows.push(row("processor at rest, no page open", share(lasts).await, "% of a core", &how).goal(REST));
    for (what, path) in
        [("the newest 200 decisions", "/api/v1/decisions?limit=200"), ("the overview", "/api/v1/overview")]
    {
        rows.push(row(what, asked(page, path, times, Duration::ZERO).await?, "ms p99", &how).goal(ASKED));
    }
    let all = asked(page, "/api/v1/nodes", times, Duration::ZERO).await?;
    rows.push(row("every node", all, "ms p99", &how));

    let told = Told::default();
    let tabs: Vec<_> = (0..TABS).map(|tab| tokio::spawn(listen(page, (tab == 0).then(|| Arc::clone(&told))))).collect();
    sleep(Duration::from_millis(500)).await;
    let open = format!("{how}; {TABS} pages open");
    rows.push(row("processor at rest, ten pages open", share(lasts).await, "% of a core", &open).goal(REST));

    let before = of_others();
    let begun = now();
    let making = tokio::spawn(busy(platform.clone(), total + 1, lasts, Arc::clone(&told)));
    let every = lasts / u32::try_from(times * 2)?;
    let list = asked(page, "/api/v1/decisions?limit=200", times, every).await?;
    let made = making.await?;
    let took = of_others().saturating_sub(before).as_secs_f64() / begun.elapsed().as_secs_f64() * 100.0;
    sleep(Duration::from_secs(1)).await;
    ensure!(tabs.iter().all(|tab| !tab.is_finished()), "a stream ended");
    tabs.iter().for_each(tokio::task::JoinHandle::abort);
    let mut told = std::mem::take(&mut *held(&told));
    let busy = format!("{open}; {made} decisions, {A_SECOND} a second, and the newest 200 asked for {times} times");
    told.took.first().context("nothing was told")?;
    let p99 = millis(quantile(&mut told.took, 99));
    rows.push(row("from a decision to who listens", p99, "ms p99", &busy).goal(TOLD));
    rows.push(row("decisions never told", told.made.len() as f64, "decisions", &busy).goal(0.0));
    let dropped = platform.recorder.health().dropped as f64;
    rows.push(row("decisions not kept", dropped, "decisions", &busy).goal(0.0));
    rows.push(row("the newest 200 decisions, meanwhile", list, "ms p99", &busy).goal(ASKED));
    rows.push(row("processor meanwhile", took, "% of a core", &busy));
    rows.push(row("memory", resident("self"), "MB", &format!("{busy}; with who asks and listens")));
    Ok(rows)
}
