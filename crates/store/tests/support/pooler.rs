//! A connection pooler in front of a server, of the sort that loses notifications.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use sqlx::postgres::{PgConnectOptions, PgSslMode};
use tempfile::TempDir;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, copy};
use tokio::net::{UnixListener, UnixStream};

use crate::postgres::Server;

const SOCKET: &str = ".s.PGSQL.5432";
/// How the server's protocol marks a NotificationResponse.
const NOTIFICATION: u8 = b'A';

pub(crate) struct Pooler {
    dir: TempDir,
    swallowed: Arc<AtomicU64>,
}

impl Pooler {
    pub(crate) fn before(server: &Server) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let listener = UnixListener::bind(dir.path().join(SOCKET)).unwrap();
        let (target, swallowed) = (server.socket().join(SOCKET), Arc::new(AtomicU64::new(0)));
        let count = Arc::clone(&swallowed);
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let (target, count) = (target.clone(), Arc::clone(&count));
                tokio::spawn(async move {
                    let Ok(server) = UnixStream::connect(target).await else { return };
                    let (mut asks, mut hears) = client.into_split();
                    let (mut says, mut takes) = server.into_split();
                    tokio::select! {
                        _ = copy(&mut asks, &mut takes) => {}
                        _ = pass_on(&mut says, &mut hears, &count) => {}
                    }
                });
            }
        });
        Self { dir, swallowed }
    }

    pub(crate) fn options(&self, database: &str) -> PgConnectOptions {
        // Without TLS every message of the server has the same form.
        let options = PgConnectOptions::new().socket(self.dir.path()).ssl_mode(PgSslMode::Disable);
        options.username("postgres").database(database)
    }

    /// How many notifications were lost here.
    pub(crate) fn swallowed(&self) -> u64 {
        self.swallowed.load(Ordering::Relaxed)
    }
}

async fn pass_on(
    from: &mut (impl AsyncRead + Unpin),
    to: &mut (impl AsyncWrite + Unpin),
    swallowed: &AtomicU64,
) -> std::io::Result<()> {
    loop {
        let kind = from.read_u8().await?;
        let length = from.read_u32().await?;
        let mut body = vec![0; usize::try_from(length).unwrap() - 4];
        from.read_exact(&mut body).await?;
        if kind == NOTIFICATION {
            swallowed.fetch_add(1, Ordering::Relaxed);
            continue;
        }
        to.write_u8(kind).await?;
        to.write_u32(length).await?;
        to.write_all(&body).await?;
    }
}
