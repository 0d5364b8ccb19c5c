//! A store as one file that either engine can be made from.
//!
//! JSON Lines: a header, a line for each decision, recording, state and sample, and a last line that counts them. What
//! follows from a decision (what it is about, its causes, how much each feature holds) is not written: it is made again.
//!
//! Promises: a backup is one moment of the store, however much is written meanwhile; the same content gives the same lines
//! after the header, whichever engine holds it; a restore takes a whole backup or nothing, and only into an empty store; a
//! file that was cut, or that a newer Keelson wrote, is refused. A decision that cannot be read is left out and counted.

use keelson_core::{Decision, DecisionId, Timestamp};
use serde::{Deserialize, Serialize};
use tokio::io::{AsyncBufRead, AsyncBufReadExt, AsyncWrite, AsyncWriteExt};

/// The form of the lines that this build writes, and the newest that it reads.
pub const FORMAT: u32 = 1;

/// How many of each there are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Counts {
    /// Decisions, stubs among them.
    pub decisions: u64,
    /// What decisions saw.
    pub recordings: u64,
    /// Keys of state.
    pub states: u64,
    /// Series of samples.
    pub series: u64,
    /// Values of samples, at every resolution.
    pub samples: u64,
    /// Decisions that cannot be read and are not in the file.
    pub left_out: u64,
}

/// Why a store cannot be backed up or restored.
#[derive(Debug, thiserror::Error)]
pub enum BackupError {
    /// The store of a restore holds something.
    #[error("the store is not empty; restore into a new one, or move this one away first")]
    NotEmpty,
    /// The store of a backup holds nothing of ours, or is of another version.
    #[error(
        "the store has schema {found}, this keelson writes backups of schema {known}; use the keelson that runs on it"
    )]
    OtherSchema {
        /// The version of the store.
        found: i64,
        /// This build's.
        known: i64,
    },
    /// A newer Keelson wrote the file.
    #[error(
        "the backup has format {format} and schema {schema}, this keelson reads up to {FORMAT} and {known}; run the newer keelson"
    )]
    TooNew {
        /// The form of its lines.
        format: u32,
        /// The schema of the store it was made from.
        schema: i64,
        /// The newest schema this build knows.
        known: i64,
    },
    /// The file does not begin like a backup.
    #[error("this is no backup of keelson; its first line must say which format and schema it has")]
    Foreign,
    /// The file ends too early or holds something else than it says.
    #[error("the backup is cut or damaged: {detail}; nothing was restored, use another copy")]
    Damaged {
        /// What is wrong.
        detail: String,
    },
    /// The store did not do its part.
    #[error(transparent)]
    Store(#[from] crate::StoreError),
    /// The file did not do its part.
    #[error("the file failed: {0}; check its disk and permissions")]
    File(#[from] std::io::Error),
}

impl From<sqlx::Error> for BackupError {
    fn from(error: sqlx::Error) -> Self {
        Self::Store(error.into())
    }
}

/// Bytes as text where they are text, which most are.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Bytes {
    Text(String),
    Hex(String),
}

impl From<Vec<u8>> for Bytes {
    fn from(bytes: Vec<u8>) -> Self {
        String::from_utf8(bytes).map_or_else(
            |error| Self::Hex(error.as_bytes().iter().map(|byte| format!("{byte:02x}")).collect()),
            Self::Text,
        )
    }
}

impl Bytes {
    pub(crate) fn read(self) -> Result<Vec<u8>, BackupError> {
        let hex = match self {
            Self::Text(text) => return Ok(text.into_bytes()),
            Self::Hex(hex) => hex,
        };
        let digits: Option<Vec<u8>> = hex.chars().map(|c| c.to_digit(16).and_then(|d| u8::try_from(d).ok())).collect();
        let digits = digits.filter(|digits| digits.len() % 2 == 0);
        let digits = digits.ok_or_else(|| damaged("bytes that are not hexadecimal"))?;
        Ok(digits.chunks_exact(2).map(|pair| pair.iter().fold(0, |byte, digit| byte << 4 | digit)).collect())
    }
}

/// One line of the file.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "lowercase", deny_unknown_fields)]
pub(crate) enum Line {
    Keelson {
        format: u32,
        schema: i64,
        at: Timestamp,
    },
    Decision {
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        stub: bool,
        /// The last repeat that was counted.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        last_id: Option<DecisionId>,
        body: Box<Decision>,
    },
    Recording {
        id: DecisionId,
        bytes: Bytes,
    },
    State {
        feature: String,
        key: String,
        version: i64,
        fence: i64,
        bytes: Bytes,
    },
    Series {
        name: String,
        last_at: i64,
    },
    Sample {
        series: String,
        resolution: i64,
        at: i64,
        value: i64,
        low: i64,
        high: i64,
    },
    End(Counts),
}

pub(crate) fn damaged(detail: &str) -> BackupError {
    BackupError::Damaged { detail: detail.to_owned() }
}

/// Writes lines and counts them.
pub(crate) struct Out<'a> {
    to: &'a mut (dyn AsyncWrite + Unpin + Send),
    pub(crate) counts: Counts,
}

impl<'a> Out<'a> {
    pub(crate) fn new(to: &'a mut (dyn AsyncWrite + Unpin + Send)) -> Self {
        Self { to, counts: Counts::default() }
    }

    pub(crate) async fn write(&mut self, line: &Line) -> Result<(), BackupError> {
        let mut text = serde_json::to_vec(line).map_err(std::io::Error::from)?;
        text.push(b'\n');
        self.counts.add(line);
        Ok(self.to.write_all(&text).await?)
    }

    /// Writes the last line.
    pub(crate) async fn end(mut self) -> Result<Counts, BackupError> {
        self.write(&Line::End(self.counts)).await?;
        self.to.flush().await?;
        Ok(self.counts)
    }
}

impl Counts {
    pub(crate) fn add(&mut self, line: &Line) {
        match line {
            Line::Decision { .. } => self.decisions += 1,
            Line::Recording { .. } => self.recordings += 1,
            Line::State { .. } => self.states += 1,
            Line::Series { .. } => self.series += 1,
            Line::Sample { .. } => self.samples += 1,
            Line::Keelson { .. } | Line::End(_) => {}
        }
    }
}

/// Reads lines, and knows whether all of them were there.
pub(crate) struct In<'a> {
    from: &'a mut (dyn AsyncBufRead + Unpin + Send),
    counts: Counts,
    number: u64,
}

impl<'a> In<'a> {
    /// Reads the header.
    pub(crate) async fn begin(
        from: &'a mut (dyn AsyncBufRead + Unpin + Send),
        known: i64,
    ) -> Result<Self, BackupError> {
        /// What every format begins with.
        #[derive(Deserialize)]
        struct Header {
            keelson: Versions,
        }
        #[derive(Deserialize)]
        struct Versions {
            format: u32,
            schema: i64,
        }
        let mut text = Vec::new();
        from.read_until(b'\n', &mut text).await?;
        let header: Header = serde_json::from_slice(&text).map_err(|_| BackupError::Foreign)?;
        let Versions { format, schema } = header.keelson;
        if format > FORMAT || schema > known {
            return Err(BackupError::TooNew { format, schema, known });
        }
        Ok(Self { from, counts: Counts::default(), number: 1 })
    }

    /// The next line; none after the last, which says what there was.
    pub(crate) async fn next(&mut self) -> Result<Option<Line>, BackupError> {
        let mut text = Vec::new();
        self.from.read_until(b'\n', &mut text).await?;
        self.number += 1;
        if text.is_empty() {
            return Err(damaged("it ends before its last line"));
        }
        let line: Line = serde_json::from_slice(&text)
            .map_err(|error| BackupError::Damaged { detail: format!("line {}: {error}", self.number) })?;
        if let Line::End(counts) = line {
            let read = Counts { left_out: counts.left_out, ..self.counts };
            return if read == counts { Ok(None) } else { Err(damaged("it holds fewer lines than it says")) };
        }
        self.counts.add(&line);
        Ok(Some(line))
    }

    pub(crate) const fn counts(&self) -> Counts {
        self.counts
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn bytes_come_back_whether_they_are_text_or_not() {
        for bytes in [b"{}".to_vec(), Vec::new(), vec![0, 255, 16], "漢\0".as_bytes().to_vec()] {
            let line = serde_json::to_string(&Bytes::from(bytes.clone())).unwrap();
            assert_eq!(serde_json::from_str::<Bytes>(&line).unwrap().read().unwrap(), bytes, "{line}");
        }
        assert!(Bytes::Hex("0g".to_owned()).read().is_err());
        assert!(Bytes::Hex("abc".to_owned()).read().is_err());
    }
}
