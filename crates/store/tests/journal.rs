//! The journal: what it takes is there after a crash, and what it cannot take it says.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Stdio;
use std::sync::Arc;
use std::time::Duration;

use keelson_core::Timestamp;
use keelson_core::decision::Outcome;
use keelson_store::reach::Watch;
use keelson_store::{Entry, Filter, Journal, JournalError, JournalOptions, MemoryStore, OnFull, Store, drain};

#[path = "support/again.rs"]
mod again;
#[path = "support/decisions.rs"]
mod decisions;

use again::{given_dir, myself, with_mounts};
use decisions::{effect, id, pending};

const OPTIONS: JournalOptions = JournalOptions { bound: 4 << 20, on_full: OnFull::Hold };

fn open(dir: &Path) -> Journal {
    Journal::open(dir, OPTIONS).unwrap()
}

fn made(n: u32) -> Entry {
    Entry::Decision(Arc::new(pending(n)))
}

fn done(n: u128) -> Entry {
    Entry::Outcome { id: id(n), outcome: Outcome::Done, steps: Vec::new() }
}

/// Drains all there is into a fresh store and closes the journal.
async fn drained(journal: Journal) -> Arc<MemoryStore> {
    let store = Arc::new(MemoryStore::new());
    drain_into(&journal, store.clone()).await;
    journal.close().await;
    store
}

async fn drain_into(journal: &Journal, store: Arc<dyn Store>) {
    let (_, stop) = tokio::sync::watch::channel(true);
    drain::start(journal.clone(), store, Watch::new(Arc::new(|| Timestamp(0))), stop).await.unwrap();
}

async fn count(store: &dyn Store) -> u64 {
    store.export(&Filter::default(), &mut Vec::new()).await.unwrap()
}

fn bytes_in(dir: &Path) -> u64 {
    std::fs::read_dir(dir).unwrap().filter_map(|file| file.unwrap().metadata().ok()).map(|m| m.len()).sum()
}

#[tokio::test]
async fn what_was_appended_reaches_the_store_in_order_after_a_restart() {
    let dir = tempfile::tempdir().unwrap();
    let journal = open(dir.path());
    let recording = Entry::Recording { id: id(1), bytes: vec![0, 255] };
    journal.append(&[made(1), recording]).await.unwrap();
    journal.append_later(done(1));
    journal.append_later(Entry::Effect { id: id(1), effect: effect("ran") });
    journal.append(&[made(2)]).await.unwrap();
    journal.close().await;

    let journal = open(dir.path());
    assert_eq!(journal.recovered().entries, 5);
    let store = drained(journal).await;
    let first = store.decision(id(1)).await.unwrap().unwrap();
    assert_eq!((first.outcome, first.effect), (Outcome::Done, Some(effect("ran"))));
    assert_eq!(store.recording(id(1)).await.unwrap(), Some(vec![0, 255]));
    assert_eq!(store.decision(id(2)).await.unwrap(), Some(pending(2)));
}

#[tokio::test]
async fn replaying_what_the_store_has_changes_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let journal = open(dir.path());
    journal.append(&[made(1), done(1)]).await.unwrap();
    let store = Arc::new(MemoryStore::new());
    drain_into(&journal, store.clone()).await;
    let before = store.decision(id(1)).await.unwrap();
    journal.close().await;
    let journal = open(dir.path());
    assert_eq!(journal.recovered().entries, 2, "a small drained file is read again");
    drain_into(&journal, store.clone()).await;
    assert_eq!((store.decision(id(1)).await.unwrap(), count(store.as_ref()).await), (before, 1));
    assert_eq!(journal.counters().read().pending_bytes, 0);
}

#[tokio::test]
async fn a_torn_tail_is_cut_and_reported() {
    let dir = tempfile::tempdir().unwrap();
    let journal = open(dir.path());
    journal.append(&[made(1), made(2)]).await.unwrap();
    journal.close().await;
    let file = dir.path().join("00000001.journal");
    let length = file.metadata().unwrap().len();
    std::fs::OpenOptions::new().write(true).open(&file).unwrap().set_len(length - 5).unwrap();

    let journal = open(dir.path());
    let recovered = journal.recovered();
    assert_eq!((recovered.entries, recovered.damaged_bytes), (1, 0));
    assert!(recovered.torn_bytes > 100);
    journal.append(&[made(3)]).await.unwrap();
    journal.close().await;
    let journal = open(dir.path());
    assert_eq!((journal.recovered().entries, journal.recovered().torn_bytes), (2, 0));
    assert_eq!(count(drained(journal).await.as_ref()).await, 2);
}

#[tokio::test]
async fn a_full_journal_refuses_beginnings_and_still_takes_endings() {
    let journal = Journal::in_memory(JournalOptions { bound: 100_000, on_full: OnFull::Hold });
    let mut taken = 0;
    let refused = loop {
        match journal.append(&[made(taken + 1)]).await {
            Ok(()) => taken += 1,
            Err(refused) => break refused,
        }
    };
    assert_eq!(refused.category(), "full");
    assert!(refused.to_string().contains("100000 bytes wait"), "{refused}");
    journal.append_later(done(1));
    assert_eq!(journal.counters().read().dropped, 0);
    let store = Arc::new(MemoryStore::new());
    drain_into(&journal, store.clone()).await;
    assert_eq!(count(store.as_ref()).await, u64::from(taken));
    assert_eq!(store.decision(id(1)).await.unwrap().unwrap().outcome, Outcome::Done);
    journal.append(&[made(taken + 1)]).await.unwrap();
}

#[tokio::test]
async fn drained_files_are_deleted_and_the_bound_holds_on_disk() {
    let dir = tempfile::tempdir().unwrap();
    let journal = open(dir.path());
    let mut appended = 0;
    for round in 0..8_u32 {
        let big = |n| Entry::Recording { id: id(u128::from(n)), bytes: vec![1; 200_000] };
        for n in 1..=15 {
            journal.append(&[made(round * 100 + n), big(round * 100 + n)]).await.unwrap();
            appended += 2;
        }
        drain_into(&journal, Arc::new(MemoryStore::new())).await;
        assert!(bytes_in(dir.path()) <= OPTIONS.bound + OPTIONS.bound / 16);
    }
    let stats = journal.counters().read();
    assert_eq!((stats.appended, stats.drained, stats.pending_bytes), (appended, appended, 0));
    journal.close().await;
    assert!(bytes_in(dir.path()) < 1 << 20);
}

#[tokio::test]
async fn many_appends_share_a_flush() {
    let dir = tempfile::tempdir().unwrap();
    let journal = open(dir.path());
    let appends = (1..=500).map(|n| {
        let journal = journal.clone();
        tokio::spawn(async move { journal.append(&[made(n)]).await })
    });
    for append in appends.collect::<Vec<_>>() {
        append.await.unwrap().unwrap();
    }
    let stats = journal.counters().read();
    assert_eq!(stats.appended, 500);
    assert!(stats.flushes < 250, "{stats:?}");
}

#[tokio::test]
async fn how_acts_ended_is_flushed_with_the_next_that_begins() {
    let dir = tempfile::tempdir().unwrap();
    let journal = open(dir.path());
    for n in 1..=100 {
        journal.append(&[made(n)]).await.unwrap();
        journal.append_later(done(n.into()));
    }
    let stats = journal.counters().read();
    assert!((199..=200).contains(&stats.appended), "{stats:?}");
    // A hundred, and one for each pause of the machine between an end and the next beginning.
    assert!(stats.flushes < 150, "{stats:?}");
    let store = drained(journal).await;
    assert_eq!(store.decision(id(100)).await.unwrap().unwrap().outcome, Outcome::Done);
}

#[tokio::test]
async fn what_nobody_waits_for_is_flushed_all_the_same() {
    let dir = tempfile::tempdir().unwrap();
    let journal = open(dir.path());
    journal.append(&[made(1)]).await.unwrap();
    journal.append_later(done(1));
    while journal.counters().read().appended < 2 {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    journal.close().await;
    assert_eq!(open(dir.path()).recovered().entries, 2);
}

#[tokio::test]
async fn the_files_are_private_and_belong_to_one_process() {
    let dir = tempfile::tempdir().unwrap();
    let folder = dir.path().join("journal");
    let journal = open(&folder);
    for path in [folder.join("lock"), folder.join("00000001.journal")] {
        assert_eq!(path.metadata().unwrap().permissions().mode() & 0o777, 0o600);
    }
    let refused = Journal::open(&folder, OPTIONS).unwrap_err();
    assert_eq!(refused, JournalError::Locked { path: folder.join("lock") });
    journal.close().await;
    assert_eq!(journal.append(&[made(1)]).await.unwrap_err().category(), "closed");
    Journal::open(&folder, OPTIONS).unwrap();
}

#[test]
fn a_file_that_is_not_ours_is_refused_and_left_alone() {
    let newer = [b"keelsonJ".as_slice(), &9_u32.to_le_bytes(), &[0; 4]].concat();
    let table = [
        ("00000001.journal", b"a diary of somebody".to_vec(), "foreign"),
        ("mine.journal", b"keelsonJ".to_vec(), "foreign"),
        ("00000001.journal", newer, "schema"),
    ];
    for (name, content, category) in table {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join(name);
        std::fs::write(&path, &content).unwrap();
        let refused = Journal::open(dir.path(), OPTIONS).unwrap_err();
        assert_eq!(refused.category(), category);
        assert!(refused.to_string().contains(path.to_str().unwrap()), "{refused}");
        assert_eq!(std::fs::read(&path).unwrap(), content);
    }
}

#[tokio::test]
async fn a_file_created_just_before_a_crash_is_used() {
    for left in [b"".as_slice(), b"keel", b"keelsonJ\x01\0"] {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("00000001.journal"), left).unwrap();
        let journal = open(dir.path());
        journal.append(&[made(1)]).await.unwrap();
        assert_eq!(count(drained(journal).await.as_ref()).await, 1);
    }
}

#[test]
fn full_and_read_only_disks_are_named() {
    let Some(dir) = given_dir() else {
        let dir = tempfile::tempdir().unwrap();
        let mounts = "mkdir small ro && mount -t tmpfs -o size=256k none small && mount -t tmpfs -o ro none ro";
        with_mounts("full_and_read_only_disks_are_named", dir.path(), mounts);
        return;
    };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
    runtime.block_on(async {
        let folder = dir.join("small/journal");
        let journal = open(&folder);
        journal.append(&[made(1)]).await.unwrap();
        let refused = loop {
            let big = Entry::Recording { id: id(1), bytes: vec![1; 50_000] };
            if let Err(refused) = journal.append(&[big]).await {
                break refused;
            }
        };
        assert_eq!(refused.category(), "disk_full");
        assert!(refused.to_string().contains(folder.to_str().unwrap()), "{refused}");
        assert!(journal.counters().read().flush_failures > 0);
        // What was durable before is drained, which makes room for more.
        let store = Arc::new(MemoryStore::new());
        drain_into(&journal, store.clone()).await;
        assert_eq!(count(store.as_ref()).await, 1);
        journal.append(&[made(2)]).await.unwrap();
        journal.close().await;
        assert_eq!(count(drained(open(&folder)).await.as_ref()).await, 1);

        let refused = Journal::open(&dir.join("ro/journal"), OPTIONS).unwrap_err();
        assert_eq!(refused, JournalError::ReadOnly { path: dir.join("ro/journal") });
    });
}

#[test]
fn a_killed_process_keeps_every_append_it_was_told_of() {
    if let Some(dir) = given_dir() {
        // The child: says each number once its append returned, until it is killed.
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
        runtime.block_on(async {
            let journal = open(&dir);
            for n in 1.. {
                let both = [made(n), Entry::Recording { id: id(u128::from(n)), bytes: vec![7; 3_000] }];
                if journal.append(&both).await.is_ok() {
                    println!("durable {n}");
                } else {
                    // Said before: what was told until here may be gone from now on.
                    println!("draining {n}");
                    drain_into(&journal, Arc::new(MemoryStore::new())).await;
                }
            }
        });
        return;
    }
    for round in 0..12_u64 {
        let dir = tempfile::tempdir().unwrap();
        let mut command = myself("a_killed_process_keeps_every_append_it_was_told_of", dir.path());
        let mut child = command.stdout(Stdio::piped()).spawn().unwrap();
        // Uneven moments, from before the first append to the midst of many segments.
        std::thread::sleep(std::time::Duration::from_micros(2_000 + round * round * 2_700));
        child.kill().unwrap();
        let said = String::from_utf8(child.wait_with_output().unwrap().stdout).unwrap();
        // The last line may be torn.
        let lines: Vec<&str> = said.split_inclusive('\n').filter(|line| line.ends_with('\n')).collect();
        let since = lines.iter().rposition(|line| line.starts_with("draining")).unwrap_or(0);
        let told: Vec<u128> =
            lines[since..].iter().filter_map(|l| l.strip_prefix("durable ")?.trim().parse().ok()).collect();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
        runtime.block_on(async {
            let journal = open(dir.path());
            assert_eq!(journal.recovered().damaged_bytes, 0);
            let store = drained(journal).await;
            for n in &told {
                assert!(store.decision(id(*n)).await.unwrap().is_some(), "{n} was durable; round {round}");
                assert!(store.recording(id(*n)).await.unwrap().is_some(), "{n} was durable; round {round}");
            }
        });
        println!("round {round}: {} durable", told.len());
    }
}
