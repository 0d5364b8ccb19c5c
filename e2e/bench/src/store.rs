//! Decisions a second into SQLite, beside raw inserts of the same rows.
//!
//! The peer knows beforehand what to write: the same rows in the same tables under the same indexes and triggers, through
//! the same driver, in transactions of the same size, from text that is ready. What the store adds is reading what is there
//! (an id that is known, a row to fold into) and writing each decision as JSON.

use std::path::Path;
use std::sync::Arc;

use anyhow::Result;
use keelson_core::Decision;
use keelson_store::writer::BATCH;
use keelson_store::{Entry, Journal, JournalOptions, SqliteStore, Store};
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous};

use crate::clock::{median, now, quantile};
use crate::decisions::{at, decision};
use crate::{Better, Row, Setting};

/// A decision as the columns have it.
struct Ready {
    texts: [String; 10],
    id: Vec<u8>,
    numbers: [i64; 3],
    about: Vec<[String; 3]>,
    causes: Vec<Vec<u8>>,
}

impl Ready {
    fn of(d: &Decision) -> Result<Self> {
        let body = serde_json::to_string(d)?;
        let s = &d.subject;
        let key = [d.feature.as_str(), &d.controller, &s.group, &s.kind, &s.namespace, &s.name, &s.uid].join("|");
        let search = format!("{} {} {}", s, d.sentence, d.chosen.as_deref().unwrap_or_default()).to_lowercase();
        let words = [d.feature.as_str(), &s.kind, &s.namespace, &s.name].map(str::to_owned);
        let codes = [d.verb.as_str(), d.reason.as_str(), d.outcome.as_str()].map(str::to_owned);
        let ([feature, kind, namespace, name], [verb, reason, outcome]) = (words, codes);
        let numbers = [d.at.0, d.last_at.0, i64::try_from(body.len())?];
        Ok(Self {
            texts: [key, feature, kind, namespace, name, verb, reason, outcome, search, body],
            id: d.id.0.as_bytes().to_vec(),
            numbers,
            about: d.objects().map(|o| [o.kind.clone(), o.namespace.clone(), o.name.clone()]).collect(),
            causes: d.causes.iter().map(|cause| cause.0.as_bytes().to_vec()).collect(),
        })
    }
}

const INSERT: &str = "INSERT INTO decision \
    (subject_key, feature, kind, namespace, name, verb, reason, outcome, search, body, id, at, last_at, bytes) \
    VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14)";
const ABOUT: &str = "INSERT INTO about (kind, namespace, name, decision) VALUES ($1, $2, $3, $4)";
const CAUSE: &str = "INSERT INTO cause (decision, cause) VALUES ($1, $2)";

/// Rows a second, written as they are.
async fn raw(path: &Path, rows: Vec<Ready>) -> Result<f64> {
    SqliteStore::open(path).await?.close().await;
    let options = SqliteConnectOptions::new().filename(path).journal_mode(SqliteJournalMode::Wal);
    let options = options.synchronous(SqliteSynchronous::Normal).foreign_keys(true);
    let pool = SqlitePoolOptions::new().max_connections(1).connect_with(options).await?;
    let (count, start) = (rows.len(), now());
    let mut rows = rows.into_iter().peekable();
    while rows.peek().is_some() {
        let mut tx = pool.begin_with("BEGIN IMMEDIATE").await?;
        for row in rows.by_ref().take(BATCH) {
            let insert = row.texts.into_iter().fold(sqlx::query(INSERT), |query, text| query.bind(text));
            let insert = insert.bind(row.id.clone());
            row.numbers.into_iter().fold(insert, |query, number| query.bind(number)).execute(&mut *tx).await?;
            for words in row.about {
                let about = words.into_iter().fold(sqlx::query(ABOUT), |query, word| query.bind(word));
                about.bind(row.id.clone()).execute(&mut *tx).await?;
            }
            for cause in row.causes {
                sqlx::query(CAUSE).bind(row.id.clone()).bind(cause).execute(&mut *tx).await?;
            }
        }
        tx.commit().await?;
    }
    let rate = count as f64 / start.elapsed().as_secs_f64();
    pool.close().await;
    Ok(rate)
}

/// Decisions a second through the store.
async fn through(path: &Path, decisions: &[Decision]) -> Result<f64> {
    let store = SqliteStore::open(path).await?;
    let start = now();
    for batch in decisions.chunks(BATCH) {
        store.record(batch).await?;
    }
    let rate = decisions.len() as f64 / start.elapsed().as_secs_f64();
    store.close().await;
    Ok(rate)
}

/// How long a decision with actions waits for the journal, alone.
async fn begins(dir: &Path, count: u32) -> Result<f64> {
    let journal = Journal::open(dir, JournalOptions::default())?;
    let mut waited = Vec::new();
    for n in 1..=count {
        let entry = [Entry::Decision(Arc::new(decision(n)))];
        let start = now();
        journal.append(&entry).await?;
        waited.push(start.elapsed());
    }
    journal.close().await;
    Ok(quantile(&mut waited, 99).as_secs_f64() * 1e6)
}

/// Runs it.
///
/// # Errors
/// When a file cannot be written.
pub fn run(setting: &Setting) -> Result<Vec<Row>> {
    let (count, rounds) = (setting.of(20_000, 300), setting.of(5, 1));
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    runtime.block_on(async {
        let decisions: Vec<_> = (1..=count).map(decision).collect();
        let (mut ours, mut raws, mut shares) = (Vec::new(), Vec::new(), Vec::new());
        for _ in 0..rounds {
            let dir = tempfile::tempdir()?;
            let ready = decisions.iter().map(Ready::of).collect::<Result<Vec<_>>>()?;
            let peer = raw(&dir.path().join("raw.db"), ready).await?;
            let own = through(&dir.path().join("store.db"), &decisions).await?;
            shares.push(100.0 * own / peer);
            ours.push(own);
            raws.push(peer);
        }
        let dir = tempfile::tempdir()?;
        let begin = begins(dir.path(), setting.of(2_000, 50)).await?;
        let repeats = (1..=count).map(|n| Decision { id: crate::decisions::id(n), at: at(n), last_at: at(n), ..decision(3) });
        let folded = through(&dir.path().join("repeats.db"), &repeats.collect::<Vec<_>>()).await?;
        let how = format!(
            "{count} decisions of 2 kB in transactions of {BATCH}; raw: same rows, tables, indexes, triggers and driver; \
             median of {rounds}, interleaved"
        );
        let (own, peer) = (median(&mut ours), median(&mut raws));
        Ok(vec![
            Row::new("store on SQLite, share of raw inserts", median(&mut shares), "%", Better::Higher, &how).goal(60.0),
            Row::new("store on SQLite", own, "decisions/s", Better::Higher, &how).beside("raw inserts", peer),
            Row::new("store on SQLite, repeats of one verdict", folded, "decisions/s", Better::Higher, "all fold into one row"),
            Row::new("journal, one decision, p99", begin, "µs", Better::Lower, "appended and flushed, one after the other"),
        ])
    })
}
