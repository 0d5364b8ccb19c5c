//! Copying the write-ahead log into the file while nobody waits for it.
//!
//! Left to itself SQLite does that at the end of a transaction that made the log long, and whoever wrote that one waits for
//! thousands of pages and for the disk. A connection beside the writer's does it soon after something was written. The
//! log begins anew only if nothing is added to it while it is copied, so it is copied again and again: each time less is
//! left, until a pause of the writer's is long enough. Where there is none, the writer is held for that little, by the process
//! that writes: one that only reads would hold somebody else's. Where the disk cannot follow at all, who writes waits for it.
//!
//! Promises: the log takes no more than [`LONGEST`] bytes and one transaction, unless a reader holds on to it or the copying
//! fails; a store that nobody writes to is left alone.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use sqlx::sqlite::{SqliteConnectOptions, SqlitePool, SqlitePoolOptions};
use tokio::sync::{Notify, watch};
use tokio::time::sleep;

/// How long what was written waits: what a power failure may take, and a little more.
const ROUND: Duration = Duration::from_millis(500);
/// How often a round copies until nothing was added.
const TIMES: u32 = 16;
/// A log of more pages is ended with the writer held: 64 MiB.
const LONG: i64 = 16_384;
/// What the log's file is cut to when it begins anew, in bytes: [`LONG`].
pub(super) const LIMIT: &str = "67108864";
/// At a log of so many bytes who writes waits for a round: 96 MiB, above what a disk that follows lets it grow to.
const LONGEST: u64 = 96 << 20;

const COPY: &str = "PRAGMA wal_checkpoint(PASSIVE)";
const END: &str = "PRAGMA wal_checkpoint(RESTART)";

/// Copies for as long as one of its clones lives and none is closed.
#[derive(Debug, Clone)]
pub(super) struct Checkpoints {
    log: PathBuf,
    /// Whether this process wrote anything.
    written: watch::Sender<bool>,
    /// Begins a round at once.
    hurry: Arc<Notify>,
    /// How many rounds have ended.
    rounds: watch::Receiver<u64>,
    beside: SqlitePool,
}

impl Checkpoints {
    /// `options` are the writer's.
    pub(super) fn start(writer: SqlitePool, options: SqliteConnectOptions) -> Self {
        let mut log = options.get_filename().as_os_str().to_owned();
        log.push("-wal");
        let beside = SqlitePoolOptions::new().max_connections(1).connect_lazy_with(options);
        let (written, mut told) = watch::channel(false);
        // What a process before this one left.
        told.mark_changed();
        let (ended, rounds) = watch::channel(0);
        let hurry = Arc::new(Notify::new());
        let checkpoints = Self { log: log.into(), written, hurry: hurry.clone(), rounds, beside: beside.clone() };
        tokio::spawn(async move {
            while told.changed().await.is_ok() {
                tokio::select! { () = sleep(ROUND) => {}, () = hurry.notified() => {} }
                let writes = *told.borrow_and_update();
                match copy(&writer, &beside, writes).await {
                    Ok(()) => {}
                    Err(sqlx::Error::PoolClosed) => return,
                    Err(error) => tracing::debug!("the write-ahead log is not copied now and will be later: {error}"),
                }
                ended.send_modify(|rounds| *rounds += 1);
            }
        });
        checkpoints
    }

    /// Says that something is about to be written, and waits for a round where the log is too long by now.
    pub(super) async fn expect(&self) {
        self.written.send_replace(true);
        if std::fs::metadata(&self.log).is_ok_and(|log| log.len() > LONGEST) {
            let mut rounds = self.rounds.clone();
            rounds.mark_unchanged();
            self.hurry.notify_one();
            // An error says that nobody copies any more.
            let _ = rounds.changed().await;
        }
    }

    /// Returns when the file is no longer held.
    pub(super) async fn close(&self) {
        self.beside.close().await;
    }
}

async fn copy(writer: &SqlitePool, beside: &SqlitePool, writes: bool) -> Result<(), sqlx::Error> {
    let mut pages = 0;
    for _ in 0..TIMES {
        let before = pages;
        // What it tells: whether it could not, how many pages the log has, and how many of them are copied.
        (_, pages, _) = sqlx::query_as::<_, (i64, i64, i64)>(COPY).fetch_one(beside).await?;
        // Nothing is left, or more than may be: then it ends with what was added meanwhile.
        if pages == before || pages > LONG {
            break;
        }
    }
    if pages > LONG && writes {
        sqlx::query(END).fetch_all(writer).await?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use tokio::time::timeout;

    use super::super::{PATIENCE, SqliteStore};
    use super::*;

    async fn write_a_mebibyte(store: &SqliteStore) {
        let mut tx = store.begin().await.unwrap();
        sqlx::query("INSERT INTO filling VALUES (zeroblob(1 << 20))").execute(&mut *tx).await.unwrap();
        tx.commit().await.unwrap();
    }

    #[tokio::test]
    async fn who_only_reads_never_holds_the_writer_of_another_process() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("keelson.db");
        let writes = SqliteStore::open(&path).await.unwrap();
        sqlx::query("CREATE TABLE filling (bytes BLOB) STRICT").execute(&writes.writer).await.unwrap();
        // Who reads keeps the log from being begun anew.
        let mut reads = writes.reader.begin().await.unwrap();
        sqlx::query("SELECT * FROM filling").fetch_all(&mut *reads).await.unwrap();
        while std::fs::metadata(dir.path().join("keelson.db-wal")).unwrap().len() < 66 << 20 {
            write_a_mebibyte(&writes).await;
        }
        let other = SqliteStore::open(&path).await.unwrap();
        copy(&other.writer, &other.checkpoints.beside, false).await.unwrap();
        let held = writes.begin().await.unwrap();
        let within = async |writes| {
            timeout(PATIENCE / 2, copy(&other.writer, &other.checkpoints.beside, writes)).await.map(Result::unwrap)
        };
        within(false).await.unwrap();
        assert!(within(true).await.is_err(), "who writes waits its turn for the writer");
        drop(held);
    }

    #[tokio::test]
    async fn who_writes_waits_where_the_disk_does_not_follow() {
        let dir = tempfile::tempdir().unwrap();
        let store = SqliteStore::open(&dir.path().join("keelson.db")).await.unwrap();
        sqlx::query("CREATE TABLE filling (bytes BLOB) STRICT").execute(&store.writer).await.unwrap();
        let log = || std::fs::metadata(dir.path().join("keelson.db-wal")).unwrap().len();
        // Nothing is copied while somebody else has its connection.
        let held = store.checkpoints.beside.acquire().await.unwrap();
        while log() <= LONGEST {
            write_a_mebibyte(&store).await;
        }
        let longest = log();
        assert!(longest < LONGEST + (2 << 20), "{longest} bytes");
        timeout(Duration::from_secs(2), write_a_mebibyte(&store)).await.unwrap_err();
        assert_eq!(log(), longest, "it waits");
        drop(held);
        timeout(Duration::from_secs(60), write_a_mebibyte(&store)).await.unwrap();
        assert!(log() < longest, "the log has begun anew");
    }
}
