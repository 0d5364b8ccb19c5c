//! Copying the write-ahead log into the file while nobody waits for it.
//!
//! Left to itself SQLite does that at the end of a transaction that made the log long, and whoever wrote that one waits for
//! thousands of pages and for the disk. A connection beside the writer's does it soon after something was written. The
//! log begins anew only if nothing is added to it while it is copied, so it is copied again and again: each time less is
//! left, until a pause of the writer's is long enough. Where there is none, the writer is held for that little.
//!
//! Promises: the log takes no more than [`LONG`] pages and what is written in a round, unless a reader holds on to it; a
//! store that nobody writes to is left alone.

use std::time::Duration;

use sqlx::sqlite::{SqliteConnectOptions, SqlitePool, SqlitePoolOptions};
use tokio::sync::watch;
use tokio::time::sleep;

/// How long what was written waits: what a power failure may take, and a little more.
const ROUND: Duration = Duration::from_millis(500);
/// How often a round copies until nothing was added.
const TIMES: u32 = 16;
/// A log of more pages is ended with the writer held: 64 MiB.
const LONG: i64 = 16_384;
/// What the log's file is cut to when it begins anew, in bytes: [`LONG`].
pub(super) const LIMIT: &str = "67108864";

const COPY: &str = "PRAGMA wal_checkpoint(PASSIVE)";
const END: &str = "PRAGMA wal_checkpoint(RESTART)";

/// Copies for as long as one of its clones lives and none is closed.
#[derive(Debug, Clone)]
pub(super) struct Checkpoints {
    written: watch::Sender<()>,
    beside: SqlitePool,
}

impl Checkpoints {
    /// `options` are the writer's.
    pub(super) fn start(writer: SqlitePool, options: SqliteConnectOptions) -> Self {
        let beside = SqlitePoolOptions::new().max_connections(1).connect_lazy_with(options);
        let (written, mut told) = watch::channel(());
        // What a process before this one left.
        told.mark_changed();
        let checkpoints = Self { written, beside: beside.clone() };
        tokio::spawn(async move {
            while told.changed().await.is_ok() {
                sleep(ROUND).await;
                told.mark_unchanged();
                match copy(&writer, &beside).await {
                    Ok(()) => {}
                    Err(sqlx::Error::PoolClosed) => return,
                    Err(error) => tracing::debug!("the write-ahead log is not copied now and will be later: {error}"),
                }
            }
        });
        checkpoints
    }

    /// Says that something is about to be written.
    pub(super) fn expect(&self) {
        self.written.send_replace(());
    }

    /// Returns when the file is no longer held.
    pub(super) async fn close(&self) {
        self.beside.close().await;
    }
}

async fn copy(writer: &SqlitePool, beside: &SqlitePool) -> Result<(), sqlx::Error> {
    let mut pages = 0;
    for _ in 0..TIMES {
        let before = pages;
        // What it tells: whether it could not, how many pages the log has, and how many of them are copied.
        (_, pages, _) = sqlx::query_as::<_, (i64, i64, i64)>(COPY).fetch_one(beside).await?;
        if pages == before {
            break;
        }
    }
    if pages > LONG {
        sqlx::query(END).fetch_all(writer).await?;
    }
    Ok(())
}
