//! Word of decisions that changed, whichever replica changed them.
//!
//! A notification is only a knock: what changed is read by revision, so one that is lost (a broken connection, a pooler
//! that swallows LISTEN) costs no more than the time until the next look. Quiet installations ask the database once a
//! poll period instead of every second.
//!
//! Promises: every change after the start is told, in order of its commit; several changes of one decision between two
//! looks are told once; the listener has a connection of its own, so closing the store does not wait for it.

use std::collections::VecDeque;
use std::time::Duration;

use keelson_core::DecisionId;
use sqlx::postgres::{PgListener, PgPool, PgPoolOptions};
use tokio::time::{sleep, timeout};
use uuid::Uuid;

use super::{PATIENCE, Servers};
use crate::StoreError;
use crate::drain::{FIRST_PAUSE, longer};

/// The channel that knocks when a decision changed.
pub const CHANNEL: &str = "keelson_decision";
/// How often to look without a knock.
pub const POLL: Duration = Duration::from_secs(5);

const LATEST: &str = "SELECT COALESCE(MAX(revision), 0) FROM decision";
const CHANGED: &str = "SELECT id, revision FROM decision WHERE revision > $1 ORDER BY revision LIMIT $2";
const AT_ONCE: i64 = 500;

/// Word of changed decisions.
#[derive(Debug)]
pub struct Changes {
    reader: PgPool,
    own: PgPool,
    servers: Servers,
    listener: Option<PgListener>,
    poll: Duration,
    pause: Duration,
    /// The newest revision that was told; none before the database has answered.
    seen: Option<i64>,
    told: VecDeque<DecisionId>,
    more: bool,
}

impl Changes {
    pub(super) async fn start(reader: PgPool, servers: Servers, poll: Duration) -> Result<Self, StoreError> {
        let seen = sqlx::query_scalar(LATEST).fetch_one(&reader).await?;
        Ok(Self { seen: Some(seen), ..Self::from_first_answer(reader, servers, poll) })
    }

    pub(super) fn from_first_answer(reader: PgPool, servers: Servers, poll: Duration) -> Self {
        let own = PgPoolOptions::new().max_connections(1).acquire_timeout(PATIENCE);
        let own = servers.pool(own);
        own.set_connect_options((*reader.connect_options()).clone());
        let told = VecDeque::new();
        Self { reader, own, servers, listener: None, poll, pause: FIRST_PAUSE, seen: None, told, more: false }
    }

    /// Waits for the next decision that was recorded, repeated or completed; none when the store was closed. While the
    /// database is away this waits and goes on when it is back.
    pub async fn next(&mut self) -> Option<DecisionId> {
        let closed = self.reader.clone();
        loop {
            if let Some(id) = self.told.pop_front() {
                return Some(id);
            }
            closed.close_event().do_until(self.look()).await.ok()?;
        }
    }

    /// Waits for a knock or the poll period, then reads what changed.
    async fn look(&mut self) {
        let knock = match &mut self.listener {
            _ if self.more => Ok(()),
            Some(listener) => timeout(self.poll, listener.try_recv()).await.unwrap_or(Ok(None)).map(|_| ()),
            None => self.listen().await,
        };
        let lost = match knock {
            Ok(()) => self.read().await.err(),
            Err(error) => Some(error.into()),
        };
        if let Some(error) = lost {
            tracing::debug!(category = error.category(), "the listener lost the database: {error}");
            self.listener = None;
            sleep(self.pause).await;
            self.turn().await;
            self.pause = longer(self.pause).min(self.poll);
        }
    }

    /// Has everything that is asked from now on asked of the server that takes writes. Who only reads hears of a failover
    /// in no other way.
    pub(crate) async fn turn(&self) {
        if self.servers.turn(&self.own).await {
            self.reader.set_connect_options((*self.own.connect_options()).clone());
        }
    }

    async fn listen(&mut self) -> Result<(), sqlx::Error> {
        let mut listener = PgListener::connect_with(&self.own).await?;
        listener.eager_reconnect(false);
        listener.listen(CHANNEL).await?;
        self.listener = Some(listener);
        Ok(())
    }

    async fn read(&mut self) -> Result<(), StoreError> {
        // The knocks so far are answered by this one look.
        while self.listener.as_mut().and_then(PgListener::next_buffered).is_some() {}
        let seen = match self.seen {
            Some(seen) => seen,
            None => *self.seen.insert(sqlx::query_scalar(LATEST).fetch_one(&self.reader).await?),
        };
        let rows: Vec<(Vec<u8>, i64)> =
            sqlx::query_as(CHANGED).bind(seen).bind(AT_ONCE).fetch_all(&self.reader).await?;
        // A full page is followed by the next at once: after a knock nobody would knock again for it.
        self.more = i64::try_from(rows.len()).unwrap_or(AT_ONCE) == AT_ONCE;
        for (id, revision) in rows {
            self.told.extend(Uuid::from_slice(&id).map(DecisionId));
            self.seen = Some(revision);
        }
        self.pause = FIRST_PAUSE;
        Ok(())
    }
}
