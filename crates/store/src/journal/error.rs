//! Why the journal cannot take or keep an entry, in words that name the file and the way out.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use keelson_core::DecisionId;
use keelson_core::decision::Outcome;

/// A refusal or failure of the journal.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum JournalError {
    /// The folder cannot be written.
    #[error("{} cannot be written; mount its volume read-write and give it to the user that runs keelson", path.display())]
    ReadOnly {
        /// Which file or folder.
        path: PathBuf,
    },
    /// The disk is full.
    #[error("no space is left for {}; free some on its volume or make the volume larger", path.display())]
    DiskFull {
        /// Which file or folder.
        path: PathBuf,
    },
    /// A file that is no journal lies where a journal belongs.
    #[error("{} is no journal of keelson; move it away or choose another folder", path.display())]
    Foreign {
        /// Which file.
        path: PathBuf,
    },
    /// A newer Keelson wrote this file.
    #[error(
        "{} has journal format {found}, this keelson knows up to {known}; run the newer keelson until it has drained",
        path.display()
    )]
    TooNew {
        /// Which file.
        path: PathBuf,
        /// The format of the file.
        found: u32,
        /// The newest format this build knows.
        known: u32,
    },
    /// Another process uses the folder.
    #[error("{} is in use by another keelson; stop that one or give this one a folder of its own", path.display())]
    Locked {
        /// Which file is locked.
        path: PathBuf,
    },
    /// The bound is reached, because the database takes nothing.
    #[error(
        "the journal {} is full: {bound} bytes wait for the database; bring the database back or raise the bound",
        path.display()
    )]
    Full {
        /// Which journal.
        path: PathBuf,
        /// Its bound in bytes.
        bound: u64,
    },
    /// One entry is longer than any may be.
    #[error("an entry of {bytes} bytes about decision {id} is above the {most} that fit; record a smaller snapshot")]
    TooLong {
        /// About which decision.
        id: DecisionId,
        /// Its length.
        bytes: usize,
        /// The greatest length.
        most: usize,
    },
    /// Only a decision whose actions are about to start belongs here.
    #[error("decision {id} has outcome {outcome}, not Pending; offer a decision without actions instead")]
    NotPending {
        /// Which decision.
        id: DecisionId,
        /// Its outcome.
        outcome: Outcome,
    },
    /// The journal was closed.
    #[error("the journal {} is closed; start nothing after the stop began", path.display())]
    Closed {
        /// Which journal.
        path: PathBuf,
    },
    /// The file did not do its part in another way.
    #[error("{} failed: {detail}; check its disk", path.display())]
    Io {
        /// Which file or folder.
        path: PathBuf,
        /// What the system said.
        detail: String,
    },
}

impl JournalError {
    /// A closed set of words for metric labels.
    #[must_use]
    pub const fn category(&self) -> &'static str {
        match self {
            Self::ReadOnly { .. } => "read_only",
            Self::DiskFull { .. } => "disk_full",
            Self::Foreign { .. } => "foreign",
            Self::TooNew { .. } => "schema",
            Self::Locked { .. } => "locked",
            Self::Full { .. } => "full",
            Self::TooLong { .. } | Self::NotPending { .. } => "invalid",
            Self::Closed { .. } => "closed",
            Self::Io { .. } => "io",
        }
    }

    pub(super) fn of(path: &Path, error: &std::io::Error) -> Self {
        let path = path.to_owned();
        match error.kind() {
            ErrorKind::PermissionDenied | ErrorKind::ReadOnlyFilesystem => Self::ReadOnly { path },
            ErrorKind::StorageFull | ErrorKind::QuotaExceeded => Self::DiskFull { path },
            _ => Self::Io { path, detail: error.to_string() },
        }
    }
}
