//! How many decisions a second the store takes, and how long a decision with actions waits for the journal.
//!
//! Prints one line a measurement: what, value, unit, separated by tabs. PostgreSQL is measured too when its address is the
//! first argument: `postgres://user@host/database`, an empty database.

use std::collections::BTreeMap;
use std::error::Error;
use std::str::FromStr;
use std::sync::Arc;

use keelson_core::decision::{Candidate, Outcome, Score, Trigger, Verb};
use keelson_core::{Decision, DecisionId, Feature, Mode, ObjectRef, PlanId, Reason, Span, Timestamp};
use keelson_store::writer::BATCH;
use keelson_store::{Entry, Journal, JournalOptions, MemoryStore, PostgresStore, Servers, SqliteStore, Store};
use tokio::time::Instant;
use uuid::Uuid;

const DECISIONS: u32 = 20_000;
const BEGINNINGS: u32 = 2_000;

/// A decision of usual size: three candidates with four scores each, about two kilobytes.
fn decision(n: u32) -> Decision {
    let at = Timestamp(1_800_000_000_000_000 + i64::from(n) * 1_000);
    let score = |name: &str| Score { name: name.to_owned(), value: 61, weight: 1 };
    let scores = ["NodeResourcesFit", "NodeResourcesBalancedAllocation", "NetworkOverhead", "PodTopologySpread"];
    let candidate = |i: u32| Candidate {
        name: format!("node-{i}"),
        total: Some(244),
        scores: scores.map(score).to_vec(),
        failed: Vec::new(),
    };
    Decision {
        id: DecisionId(Uuid::from_u128((u128::from(at.0.unsigned_abs()) / 1_000) << 80 | u128::from(n))),
        at,
        feature: Feature::Scheduling,
        controller: "placement".to_owned(),
        mode: Mode::Enforce,
        subject: ObjectRef::namespaced("Pod", "shop", &format!("cart-{n}")),
        trigger: Trigger::Timer,
        causes: Vec::new(),
        cause_count: 0,
        related: Vec::new(),
        verb: Verb::Place,
        reason: Reason::PodPlaced,
        sentence: "Placed on node-3: the least loaded of 34 nodes in its zone.".to_owned(),
        chosen: Some("node-3".to_owned()),
        candidates: (1..=3).map(candidate).collect(),
        inputs: BTreeMap::from([("requested cpu".to_owned(), "500m".to_owned())]),
        plan: PlanId(Uuid::from_u128(u128::from(n))),
        outcome: Outcome::Pending,
        actions: Vec::new(),
        steps: Vec::new(),
        effect: None,
        fence: 1,
        trace_id: String::new(),
        took: Span::micros(62),
        count: 1,
        last_at: at,
    }
}

fn report(what: &str, value: impl std::fmt::Display, unit: &str) {
    println!("{what}\t{value}\t{unit}");
}

async fn record_all(what: &str, store: &dyn Store) -> Result<(), Box<dyn Error>> {
    let decisions: Vec<_> = (1..=DECISIONS).map(decision).collect();
    let start = Instant::now();
    for batch in decisions.chunks(BATCH) {
        store.record(batch).await?;
    }
    report(what, u128::from(DECISIONS) * 1_000_000 / start.elapsed().as_micros().max(1), "decisions/s");
    Ok(())
}

/// Begins all decisions, `together` at a time, and reports how long they waited.
async fn begin_all(journal: &Journal, together: u32) -> Result<(), Box<dyn Error>> {
    let mut waited = Vec::new();
    let start = Instant::now();
    for first in (1..=BEGINNINGS).step_by(usize::try_from(together)?) {
        let begin = |n| {
            let journal = journal.clone();
            tokio::spawn(async move {
                let entry = [Entry::Decision(Arc::new(decision(n)))];
                let start = Instant::now();
                journal.append(&entry).await.map(|()| start.elapsed().as_micros())
            })
        };
        let begun: Vec<_> = (first..first + together).map(begin).collect();
        for begin in begun {
            waited.push(begin.await??);
        }
    }
    let rate = u128::from(BEGINNINGS) * 1_000_000 / start.elapsed().as_micros().max(1);
    waited.sort_unstable();
    let place = |percent: usize| waited.get(waited.len() * percent / 100).copied().unwrap_or_default();
    report(&format!("journal begin, {together} together, p50"), place(50), "µs");
    report(&format!("journal begin, {together} together, p99"), place(99), "µs");
    report(&format!("journal begin, {together} together"), rate, "decisions/s");
    Ok(())
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let dir = tempfile::tempdir()?;
    record_all("memory", &MemoryStore::new()).await?;
    let sqlite = SqliteStore::open(&dir.path().join("keelson.db")).await?;
    record_all("sqlite", &sqlite).await?;
    sqlite.close().await;
    if let Some(address) = std::env::args().nth(1) {
        let postgres = PostgresStore::connect(Servers::from_str(&address)?).await?;
        record_all("postgres", &postgres).await?;
        postgres.close().await;
    }
    let journal = Journal::open(&dir.path().join("journal"), JournalOptions::default())?;
    begin_all(&journal, 1).await?;
    begin_all(&journal, 100).await?;
    journal.close().await;
    Ok(())
}
