//! What a browser does: it asks, and it listens.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::clock::now;

/// The whole answer to a question, and how long it took.
///
/// # Errors
/// When it is not answered, or refused.
pub async fn ask(page: SocketAddr, path: &str) -> Result<(String, Duration)> {
    let began = now();
    let mut stream = TcpStream::connect(page).await?;
    stream.write_all(format!("GET {path} HTTP/1.1\r\nHost: {page}\r\nConnection: close\r\n\r\n").as_bytes()).await?;
    let mut said = String::new();
    stream.read_to_string(&mut said).await?;
    ensure!(said.starts_with("HTTP/1.1 200"), "{path}: {}", said.lines().next().unwrap_or_default());
    Ok((said, began.elapsed()))
}

/// When each decision was made, by its id, and how long those were on their way that have come.
#[derive(Debug, Default)]
pub struct OnTheWay {
    /// Those that have not come.
    pub made: HashMap<String, Instant>,
    /// How long the others took.
    pub took: Vec<Duration>,
}

/// The same, shared.
pub type Told = Arc<Mutex<OnTheWay>>;

/// What is on its way.
pub fn held(told: &Told) -> MutexGuard<'_, OnTheWay> {
    told.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Listens for ever, and notes what comes when somebody wants to know.
///
/// # Errors
/// When the stream ends.
pub async fn listen(page: SocketAddr, told: Option<Told>) -> Result<()> {
    let mut stream = TcpStream::connect(page).await?;
    stream.write_all(format!("GET /api/v1/stream HTTP/1.1\r\nHost: {page}\r\n\r\n").as_bytes()).await?;
    let (mut text, mut bytes) = (String::new(), vec![0; 1 << 16]);
    loop {
        let read = stream.read(&mut bytes).await?;
        ensure!(read > 0, "the stream ended");
        let Some(told) = &told else { continue };
        text.push_str(&String::from_utf8_lossy(bytes.get(..read).unwrap_or_default()));
        let whole = text.rfind('\n').map_or(0, |at| at + 1);
        let lines: String = text.drain(..whole).collect();
        let (mut told, now) = (held(told), now());
        for (_, rest) in lines.lines().filter_map(|line| line.strip_prefix("data: ")?.split_once("\"id\":\"")) {
            let made = rest.get(..36).and_then(|id| told.made.remove(id));
            told.took.extend(made.map(|made| now - made));
        }
    }
}
