//! The journal's files: numbered segments in one private folder, locked against a second process.
//!
//! Segments are written one after the other and deleted when the database has all they hold, so nothing is ever copied
//! to make room.
//!
//! Promises: files are readable by their owner only; a file that is not ours, or of a newer format, is refused and left
//! as it is; a new segment is in the folder for good before anything in it is called durable.

use std::fs::{DirBuilder, File, OpenOptions, TryLockError};
use std::io::Read;
use std::os::unix::fs::{DirBuilderExt, FileExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use super::JournalError;

const MAGIC: &[u8; 8] = b"keelsonJ";
const FORMAT: u32 = 1;
/// What a segment begins with: magic, format, four zeros.
pub(super) const HEADER: u64 = 16;
const SUFFIX: &str = ".journal";

/// An open and locked folder.
#[derive(Debug)]
pub(super) struct Folder {
    path: PathBuf,
    /// Held for its lock, which ends with the process.
    _lock: File,
}

impl Folder {
    pub(super) fn open(path: &Path) -> Result<Self, JournalError> {
        DirBuilder::new().recursive(true).mode(0o700).create(path).map_err(|e| JournalError::of(path, &e))?;
        if let Some(parent) = path.parent().filter(|parent| !parent.as_os_str().is_empty()) {
            // The folder itself may be new.
            File::open(parent).and_then(|p| p.sync_all()).map_err(|e| JournalError::of(parent, &e))?;
        }
        let lock_path = path.join("lock");
        let lock = private().open(&lock_path).map_err(|e| JournalError::of(&lock_path, &e))?;
        match lock.try_lock() {
            Ok(()) => Ok(Self { path: path.to_owned(), _lock: lock }),
            Err(TryLockError::WouldBlock) => Err(JournalError::Locked { path: lock_path }),
            Err(TryLockError::Error(e)) => Err(JournalError::of(&lock_path, &e)),
        }
    }

    pub(super) fn file(&self, number: u64) -> PathBuf {
        self.path.join(format!("{number:08}{SUFFIX}"))
    }

    /// The segments there are, oldest first.
    pub(super) fn numbers(&self) -> Result<Vec<u64>, JournalError> {
        let failed = |e| JournalError::of(&self.path, &e);
        let mut numbers = Vec::new();
        for item in std::fs::read_dir(&self.path).map_err(failed)? {
            let name = item.map_err(failed)?.file_name();
            if let Some(number) = name.to_string_lossy().strip_suffix(SUFFIX) {
                let foreign = |_| JournalError::Foreign { path: self.path.join(&name) };
                numbers.push(number.parse().map_err(foreign)?);
            }
        }
        numbers.sort_unstable();
        Ok(numbers)
    }

    /// Opens a segment and reads all of it; what is shorter than a header was never used and reads as empty.
    pub(super) fn load(&self, number: u64) -> Result<(File, Vec<u8>), JournalError> {
        let path = self.file(number);
        let failed = |e| JournalError::of(&path, &e);
        let mut file = private().open(&path).map_err(failed)?;
        let mut bytes = Vec::new();
        file.read_to_end(&mut bytes).map_err(failed)?;
        if bytes.is_empty() || (bytes.len() < MAGIC.len() && MAGIC.starts_with(&bytes)) {
            write_header(&file).map_err(failed)?;
            return Ok((file, header().to_vec()));
        }
        let Some(rest) = bytes.strip_prefix(MAGIC) else { return Err(JournalError::Foreign { path }) };
        match rest.first_chunk().map(|format| u32::from_le_bytes(*format)) {
            Some(FORMAT) if rest.len() >= 8 => Ok((file, bytes)),
            Some(found) if found > FORMAT => Err(JournalError::TooNew { path, found, known: FORMAT }),
            _ if rest.len() < 8 => {
                write_header(&file).map_err(failed)?;
                Ok((file, header().to_vec()))
            }
            _ => Err(JournalError::Foreign { path }),
        }
    }

    pub(super) fn create(&self, number: u64) -> Result<File, JournalError> {
        let path = self.file(number);
        let make = || {
            let file = private().create_new(true).open(&path)?;
            write_header(&file)?;
            // The name must survive a power failure too, not only what the file holds.
            File::open(&self.path)?.sync_all()?;
            Ok(file)
        };
        make().map_err(|e| {
            let _ = std::fs::remove_file(&path);
            JournalError::of(&path, &e)
        })
    }

    /// Deletes a segment; one that comes back after a power failure is drained again, which changes nothing.
    pub(super) fn remove(&self, number: u64) {
        let path = self.file(number);
        if let Err(error) = std::fs::remove_file(&path) {
            tracing::warn!(path = %path.display(), "a drained journal file could not be deleted: {error}");
        }
    }
}

fn private() -> OpenOptions {
    let mut options = OpenOptions::new();
    options.read(true).write(true).create(true).truncate(false).mode(0o600);
    options
}

fn header() -> [u8; 16] {
    let mut header = [0; 16];
    let text = MAGIC.iter().copied().chain(FORMAT.to_le_bytes());
    header.iter_mut().zip(text).for_each(|(to, from)| *to = from);
    header
}

fn write_header(file: &File) -> std::io::Result<()> {
    file.set_len(0)?;
    file.write_all_at(&header(), 0)?;
    file.sync_all()
}
