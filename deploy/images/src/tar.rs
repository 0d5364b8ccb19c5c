//! A tar archive in the POSIX ustar format, for files whose owner and age nobody should see.
//!
//! Promises: the bytes depend on names, modes and contents alone; what a header cannot hold is refused with its length.

use std::fmt;

/// Size of a record in bytes.
const RECORD: usize = 512;

/// A path above 100 bytes or a file above 8 GiB, which a ustar header cannot hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TooLong {
    /// How long the value is.
    pub bytes: usize,
    /// How long it may be.
    pub most: usize,
}

impl fmt::Display for TooLong {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "tar field of {} bytes is longer than its {}: shorten it", self.bytes, self.most)
    }
}

impl std::error::Error for TooLong {}

/// What an entry is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A file.
    File,
    /// A folder; its path ends in `/`.
    Folder,
}

/// An archive in the making.
#[derive(Debug, Default)]
pub struct Tar(Vec<u8>);

impl Tar {
    /// Adds a file or a folder.
    ///
    /// # Errors
    /// When its path or its content is too long for the format.
    pub fn entry(&mut self, path: &str, mode: u32, kind: Kind, content: &[u8]) -> Result<(), TooLong> {
        let mut header = [0u8; RECORD];
        let flag = match kind {
            Kind::File => b"0",
            Kind::Folder => b"5",
        };
        put(&mut header, 0, 100, path.as_bytes())?;
        put(&mut header, 100, 8, format!("{mode:07o}").as_bytes())?;
        put(&mut header, 108, 8, b"0000000")?;
        put(&mut header, 116, 8, b"0000000")?;
        put(&mut header, 124, 12, format!("{:011o}", content.len()).as_bytes())?;
        put(&mut header, 136, 12, b"00000000000")?;
        put(&mut header, 148, 8, b"        ")?;
        put(&mut header, 156, 1, flag)?;
        put(&mut header, 257, 8, b"ustar\x0000")?;
        // The checksum is the sum of the header's bytes with its own field read as spaces.
        let sum: u32 = header.iter().map(|byte| u32::from(*byte)).sum();
        put(&mut header, 148, 8, format!("{sum:06o}\0 ").as_bytes())?;
        self.0.extend_from_slice(&header);
        self.0.extend_from_slice(content);
        self.0.resize(self.0.len().next_multiple_of(RECORD), 0);
        Ok(())
    }

    /// The archive's bytes.
    #[must_use]
    pub fn finish(mut self) -> Vec<u8> {
        self.0.resize(self.0.len() + 2 * RECORD, 0);
        self.0
    }
}

fn put(header: &mut [u8; RECORD], at: usize, width: usize, value: &[u8]) -> Result<(), TooLong> {
    let too_long = TooLong { bytes: value.len(), most: width };
    let field = header.get_mut(at..at + width).ok_or(too_long)?;
    field.get_mut(..value.len()).ok_or(too_long)?.copy_from_slice(value);
    Ok(())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]
    use super::*;

    #[test]
    fn a_header_checksum_counts_its_own_field_as_spaces() {
        let mut tar = Tar::default();
        tar.entry("a", 0o644, Kind::File, b"x").unwrap();
        let bytes = tar.finish();
        let written = u32::from_str_radix(std::str::from_utf8(&bytes[148..154]).unwrap(), 8).unwrap();
        let mut header = bytes[..RECORD].to_vec();
        header[148..156].fill(b' ');
        assert_eq!(written, header.iter().map(|b| u32::from(*b)).sum::<u32>());
        assert_eq!(bytes.len(), 4 * RECORD);
    }

    #[test]
    fn a_path_too_long_for_tar_is_refused_with_its_length() {
        let error = Tar::default().entry(&"p".repeat(101), 0o644, Kind::File, b"").unwrap_err();
        assert_eq!(error.to_string(), "tar field of 101 bytes is longer than its 100: shorten it");
    }
}
