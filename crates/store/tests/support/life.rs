//! The life of a process that writes until it is killed, and what must be true of its store afterwards.
#![allow(dead_code)]

use std::collections::BTreeSet;
use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use keelson_core::decision::Outcome;
use keelson_core::{Decision, Feature, Reason, Timestamp};
use keelson_store::recorder::RING;
use keelson_store::{Journal, Recorder, Retention, Store, StoreError};

use crate::decisions::{decision, id, pending};

const WHOSE: Feature = Feature::Scheduling;
const KEY: &str = "progress";
/// How long the store may take for what a killed process left.
const SOON: Duration = Duration::from_secs(30);

/// What a process was told is kept.
#[derive(Debug, Default, Clone)]
pub(crate) struct Told {
    /// The decisions whose begin returned.
    pub(crate) begun: BTreeSet<u32>,
    /// The last of each life: nobody was told how its actions ended.
    pub(crate) open: BTreeSet<u32>,
    /// Version and fence of the state, as it was last put.
    pub(crate) state: (u64, u64),
    /// How many processes there were.
    pub(crate) lives: u64,
}

impl Told {
    /// The number that the next process begins with; two are skipped that may have been begun and not said.
    pub(crate) fn next(&self) -> u32 {
        self.begun.last().map_or(1, |last| last + 3)
    }
}

fn recorder(store: &Arc<dyn Store>, journal: Journal) -> Recorder {
    Recorder::start(Arc::clone(store), journal, Arc::new(|| Timestamp(1)), RING)
}

/// Writes from number `first` on until it is killed; `fence` is of this process alone. Says everything that is kept.
pub(crate) async fn write_for_ever(store: Arc<dyn Store>, journal: Journal, first: u32, fence: u64) {
    let recorder = recorder(&store, journal);
    println!("\nalive");
    let mut version = store.state_get(WHOSE, KEY).await.unwrap().map_or(0, |state| state.version);
    let crowded = Retention { per_subject: 5, ..Retention::default() };
    for n in first.. {
        recorder.offer(decision(n + (1 << 29), "steady"));
        let reason = if n % 2 == 0 { Reason::Unschedulable } else { Reason::UnsupportedFeature };
        recorder.offer(Decision { reason, causes: vec![id(u128::from(first))], ..decision(n + (1 << 30), "crowded") });
        recorder.begin(pending(n), Some(vec![7; 700])).await.unwrap();
        println!("begun {n}");
        recorder.finish(id(u128::from(n)), Outcome::Done, Vec::new());
        if n % 5 == 0 {
            let next = format!("{} {fence}", version + 1);
            version = store.state_put(WHOSE, KEY, version, fence, next.as_bytes()).await.unwrap();
            println!("state {version} {fence}");
        }
        if n % 7 == 0 {
            store.sweep(Timestamp(0), &crowded).await.unwrap();
        }
    }
}

/// Starts `child`, kills it `after` decisions it was told of and a moment later, and adds what it was told.
pub(crate) fn kill_after(mut child: Command, after: usize, moment: Duration, told: &mut Told) {
    let mut child = child.stdout(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap());
    let (mut seen, mut last, mut killed) = (0, None, false);
    loop {
        let mut line = String::new();
        // The last line may be torn.
        if lines.read_line(&mut line).unwrap() == 0 || !line.ends_with('\n') {
            break;
        }
        let mut words = line.split_whitespace();
        match words.next() {
            Some("begun") => {
                last = words.next().and_then(|n| n.parse::<u32>().ok());
                told.begun.extend(last);
                seen += 1;
            }
            Some("state") => {
                let mut number = || words.next().unwrap().parse().unwrap();
                told.state = (number(), number());
            }
            _ => {}
        }
        if seen >= after && !killed {
            // Spinning, because a sleep is too coarse to end in the midst of a commit.
            let until = std::time::Instant::now() + moment;
            while std::time::Instant::now() < until {}
            child.kill().unwrap();
            killed = true;
        }
    }
    child.wait().unwrap();
    assert!(killed, "the writer ended by itself after {seen} decisions");
    told.open.extend(last);
    told.lives += 1;
}

/// A moment of a kill, from a seed: after how many decisions, and how long after that.
pub(crate) fn moment(seed: u64) -> (usize, Duration) {
    let drawn = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 33;
    (usize::try_from(drawn % 90).unwrap() + 1, Duration::from_micros((drawn >> 8) % 4_000))
}

/// Gives the store what the journal kept, then looks whether everything is there, once.
pub(crate) async fn check(store: Arc<dyn Store>, journal: Journal, told: &Told) {
    assert_eq!(journal.recovered().damaged_bytes, 0);
    let recorder = recorder(&store, journal);
    recorder.close(SOON).await;
    let health = recorder.health();
    assert_eq!((health.pending, health.dropped, health.journal.orphans), (0, 0, 0), "{health:?}");
    for n in &told.begun {
        let row = store.decision(id(u128::from(*n))).await.unwrap();
        let row = row.unwrap_or_else(|| panic!("{n} was acknowledged and is gone; {told:?}"));
        assert_eq!(row.count, 1);
        assert!(row.outcome == Outcome::Done || told.open.contains(n), "{n} has lost its outcome: {row:?}; {told:?}");
        assert!(store.recording(row.id).await.unwrap().is_some(), "{n} has lost what it saw");
    }
    let steady = keelson_store::Filter { name: Some("steady".to_owned()), limit: 500, ..Default::default() };
    let counted: u32 = store.decisions(&steady).await.unwrap().decisions.iter().map(|row| row.count).sum();
    let most = u64::from(*told.begun.last().unwrap()) + 3 * told.lives;
    assert!(u64::from(counted) <= most, "{counted} repeats counted of at most {most} offered");

    let Some(state) = store.state_get(WHOSE, KEY).await.unwrap() else {
        return assert_eq!(told.state, (0, 0), "the state is gone");
    };
    let words = format!("{} {}", state.version, state.fence);
    assert_eq!(String::from_utf8(state.bytes).unwrap(), words, "version, fence and bytes are of one write");
    let (version, fence) = told.state;
    // Each process may have put it once more than it could say.
    assert!((version..=version + told.lives).contains(&state.version), "{words} after {:?}", told.state);
    assert!(state.fence >= fence);
    let late = store.state_put(WHOSE, KEY, state.version, state.fence - 1, b"late").await.unwrap_err();
    assert!(matches!(late, StoreError::FenceLost { .. }), "{late}");
}

/// What must count nothing in either engine, after any kill.
pub(crate) const BOOKS: [&str; 9] = [
    "SELECT COUNT(*) FROM tally t WHERE t.rows <> (SELECT COUNT(*) FROM decision d WHERE d.feature = t.feature)",
    "SELECT COUNT(*) FROM tally t WHERE t.bytes <> \
     (SELECT COALESCE(SUM(d.bytes), 0) FROM decision d WHERE d.feature = t.feature) + \
     (SELECT COALESCE(SUM(r.bytes), 0) FROM recording r WHERE r.feature = t.feature)",
    "SELECT COUNT(*) FROM subject s WHERE s.rows <> \
     (SELECT COUNT(*) FROM decision d WHERE d.subject_key = s.key AND d.stub = 0)",
    "SELECT COUNT(*) FROM (SELECT DISTINCT subject_key FROM decision WHERE stub = 0) k \
     WHERE k.subject_key NOT IN (SELECT key FROM subject)",
    "SELECT COUNT(*) FROM about WHERE decision NOT IN (SELECT id FROM decision)",
    "SELECT COUNT(*) FROM decision WHERE id NOT IN (SELECT decision FROM about)",
    "SELECT COUNT(*) FROM cause WHERE decision NOT IN (SELECT id FROM decision)",
    "SELECT COUNT(*) FROM recording WHERE id NOT IN (SELECT id FROM decision)",
    "SELECT COUNT(*) FROM decision WHERE bytes <> octet_length(body)",
];
