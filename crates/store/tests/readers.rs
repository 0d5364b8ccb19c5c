//! Two processes read while one writes: a reader sees a transaction whole or not at all, counts never run backwards, what
//! the writer was told is stored is there, and nobody makes the writer fail.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, clippy::disallowed_methods)]

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Write};
use std::process::Stdio;
use std::time::Duration;

use keelson_core::decision::Outcome;
use keelson_core::{Decision, PlanId};
use keelson_store::{Filter, MAX_PAGE, SqliteStore, Store};
use tokio::time::Instant;
use uuid::Uuid;

#[path = "support/again.rs"]
mod again;
#[path = "support/decisions.rs"]
mod decisions;

use again::{given_dir, myself};
use decisions::{decision, id, pending};

const NAME: &str = "two_processes_read_whole_transactions_while_one_writes";
/// Decisions of one transaction, besides the repeat.
const TOGETHER: u32 = 7;
const LASTS: Duration = Duration::from_secs(4);

/// Transaction `n`: seven decisions of one plan, and one more repeat.
fn batch(n: u32) -> Vec<Decision> {
    let first = n * 10;
    let plan = PlanId(Uuid::from_u128(u128::from(n)));
    let mut batch: Vec<_> = (first..first + TOGETHER).map(|n| Decision { plan, ..pending(n) }).collect();
    batch.push(decision(first + TOGETHER, "steady"));
    batch
}

/// Reads until it is told to stop, and answers each number with whether that transaction is there.
async fn read_along(store: SqliteStore) {
    let (ask, mut asked) = tokio::sync::mpsc::unbounded_channel::<u32>();
    std::thread::spawn(move || {
        std::io::stdin().lines().map_while(Result::ok).filter_map(|line| line.parse().ok()).all(|n| ask.send(n).is_ok())
    });
    println!("\nready");
    let everything = Filter { outcome: Some(Outcome::Pending), limit: MAX_PAGE, ..Filter::default() };
    let (mut reads, mut repeats) = (0, 0);
    loop {
        let page = store.decisions(&everything).await.unwrap();
        let mut plans = BTreeMap::<_, u32>::new();
        page.decisions.iter().for_each(|row| *plans.entry(row.plan).or_default() += 1);
        if page.next.is_some() {
            // The page may end in the midst of one.
            plans.pop_first();
        }
        assert!(plans.values().all(|count| *count == TOGETHER), "a torn transaction: {plans:?}");
        let steady = store.decision(id(u128::from(10 + TOGETHER))).await.unwrap().map_or(0, |row| row.count);
        assert!(steady >= repeats, "{steady} repeats after {repeats}");
        repeats = steady;
        reads += 1;
        loop {
            match asked.try_recv() {
                Ok(n) => {
                    let there = store.decision(id(u128::from(n * 10))).await.unwrap().is_some();
                    println!("{} {n}", if there { "there" } else { "missing" });
                }
                Err(tokio::sync::mpsc::error::TryRecvError::Empty) => break,
                Err(_) => return println!("read {reads} {repeats}"),
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_processes_read_whole_transactions_while_one_writes() {
    if let Some(dir) = given_dir() {
        return read_along(SqliteStore::open(&dir.join("keelson.db")).await.unwrap()).await;
    }
    let dir = tempfile::tempdir().unwrap();
    let store = SqliteStore::open(&dir.path().join("keelson.db")).await.unwrap();
    let start = || myself(NAME, dir.path()).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    let mut readers = [start(), start()].map(|mut child| {
        let (asks, says) = (child.stdin.take().unwrap(), BufReader::new(child.stdout.take().unwrap()));
        (child, asks, says.lines().map(Result::unwrap))
    });
    // Who opens the file looks whether it must write to it; readers are those that opened it.
    for (_, _, lines) in &mut readers {
        assert!(lines.any(|line| line == "ready"));
    }
    let (began, mut n) = (Instant::now(), 0);
    while began.elapsed() < LASTS {
        n += 1;
        store.record(&batch(n)).await.expect("readers never make a write fail");
        if n % 20 == 0 {
            for (_, asks, lines) in &mut readers {
                writeln!(asks, "{n}").unwrap();
                assert_eq!(lines.next(), Some(format!("there {n}")), "what is stored is seen by who asks afterwards");
            }
        }
    }
    for (mut child, asks, mut lines) in readers {
        drop(asks);
        let said = lines.find(|line| line.starts_with("read ")).unwrap();
        let numbers: Vec<u32> = said.split(' ').skip(1).map(|word| word.parse().unwrap()).collect();
        assert!(child.wait().unwrap().success());
        println!("{} transactions, {said}", n);
        assert!(numbers[0] > 20 && numbers[1] > 0, "{said}");
    }
    assert_eq!(store.decision(id(u128::from(10 + TOGETHER))).await.unwrap().unwrap().count, n);
}
