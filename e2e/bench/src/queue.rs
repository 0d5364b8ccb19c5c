//! One urgent key behind ten thousand low ones: how many others are begun before it is.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::SeqCst};
use std::time::Duration;

use anyhow::{Context, Result};
use keelson_core::{Feature, ObjectRef, Plan, Timestamp};
use keelson_runtime::controller::Options;
use keelson_runtime::queue::{LOW, URGENT};
use keelson_runtime::{Controller, Inbox};

use crate::reconcile::cluster;
use crate::{Better, Row, Setting};

/// Counts what is begun, and notes when the urgent one is.
#[derive(Debug, Clone, Default)]
struct Line {
    begun: Arc<AtomicU64>,
    urgent: Arc<AtomicU64>,
}

#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
struct Key(u32);

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

const THE_URGENT: Key = Key(0);

impl Controller for Line {
    const NAME: &'static str = "bench";
    const FEATURE: Feature = Feature::Scheduling;
    type Key = Key;
    type Snapshot = u32;
    fn keys(&self) -> Vec<Key> {
        Vec::new()
    }
    fn flow(key: &Key) -> String {
        format!("team-{}", key.0 % 50)
    }
    fn subject(key: &Key) -> ObjectRef {
        ObjectRef::cluster("Namespace", &key.to_string())
    }
    fn snapshot(&self, key: &Key) -> Option<u32> {
        let begun = self.begun.fetch_add(1, SeqCst);
        if *key == THE_URGENT {
            self.urgent.store(begun, SeqCst);
        }
        Some(key.0)
    }
    fn decide(_: &u32, _: Timestamp) -> Plan {
        Plan::unchanged()
    }
}

/// Runs it.
///
/// # Errors
/// When the framework does not start.
pub fn run(setting: &Setting) -> Result<Vec<Row>> {
    let (low, times) = (setting.of(10_000, 200), setting.of(20, 2));
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let worst = runtime.block_on(async {
        let (platform, line) = (cluster().await?, Line::default());
        let inbox: Inbox<Line> = platform.run_controller(line.clone(), Options { workers: 1, ..Options::default() });
        let mut worst = 0;
        for _ in 0..times {
            (1..=low).for_each(|n| inbox.add_with(Key(n), LOW));
            // Some are done, one is under way, and most wait.
            while inbox.waiting() > usize::try_from(low)? / 2 {
                tokio::task::yield_now().await;
            }
            line.urgent.store(u64::MAX, SeqCst);
            let before = line.begun.load(SeqCst);
            inbox.add_with(THE_URGENT, URGENT);
            let begins = async {
                while line.urgent.load(SeqCst) == u64::MAX {
                    tokio::task::yield_now().await;
                }
            };
            tokio::time::timeout(Duration::from_secs(60), begins).await.context("the urgent key never begins")?;
            worst = worst.max(line.urgent.load(SeqCst) - before);
            while inbox.waiting() > 0 {
                tokio::task::yield_now().await;
            }
        }
        platform.shutdown().await;
        anyhow::Ok(worst)
    })?;
    let how = format!("one worker, half of {low} low keys still wait, worst of {times}");
    let row = Row::new("queue: others begun before one urgent key", worst as f64, "reconciles", Better::Lower, &how);
    Ok(vec![row.goal(1.0)])
}
