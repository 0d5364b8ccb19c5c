//! How an entry lies in a file, so that a crash in the middle of a write is seen.
//!
//! ```text
//! length (4) · sequence (8) · checksum (8) | kind (1) · decision id (16) · payload
//! ```
//! Numbers are little endian. The length counts what follows the bar; the checksum is the beginning of SHA-256 over
//! length, sequence and all that follows. The sequence only grows, so bytes of an earlier life of the file are no entry.
//!
//! Promises: [`scan`] never returns an entry that was not written; it returns every entry that is whole; what is damaged
//! between two whole entries is skipped, and what follows the last one is the torn tail.

use std::sync::Arc;

use keelson_core::DecisionId;
use sha2::{Digest, Sha256};

use crate::Entry;

const LENGTH: usize = 4;
const SEQUENCE: usize = 8;
const CHECKSUM: usize = 8;
/// What goes before a body.
pub(super) const HEAD: usize = LENGTH + SEQUENCE + CHECKSUM;
const ID: usize = 16;
/// The longest entry in bytes; a longer one is refused when it is written.
pub const LONGEST: usize = 64 << 20;
/// How far the sequence may jump over damaged entries, once it is known; cheaper to check than the checksum.
const JUMP: u64 = 1 << 24;

const RECORDING: u8 = 4;

/// Whether a body is that of a recording.
pub(super) fn is_recording(body: &[u8]) -> bool {
    body.first() == Some(&RECORDING)
}

/// Kind, id and payload of an entry.
pub(super) fn body(entry: &Entry) -> Result<Vec<u8>, serde_json::Error> {
    let (kind, payload) = match entry {
        Entry::Decision(decision) => (1, serde_json::to_vec(decision.as_ref())?),
        Entry::Outcome { outcome, steps, .. } => (2, serde_json::to_vec(&(outcome, steps))?),
        Entry::Effect { effect, .. } => (3, serde_json::to_vec(effect)?),
        Entry::Recording { bytes, .. } => (RECORDING, bytes.clone()),
    };
    let mut body = Vec::with_capacity(1 + ID + payload.len());
    body.push(kind);
    body.extend_from_slice(entry.id().0.as_bytes());
    body.extend_from_slice(&payload);
    Ok(body)
}

/// Appends a frame and returns its length.
pub(super) fn seal(out: &mut Vec<u8>, sequence: u64, body: &[u8]) -> usize {
    let length = u32::try_from(body.len()).unwrap_or(u32::MAX).to_le_bytes();
    let sequence = sequence.to_le_bytes();
    out.extend_from_slice(&length);
    out.extend_from_slice(&sequence);
    out.extend_from_slice(&checksum(&length, &sequence, body));
    out.extend_from_slice(body);
    HEAD + body.len()
}

fn checksum(length: &[u8], sequence: &[u8], body: &[u8]) -> [u8; CHECKSUM] {
    let digest = Sha256::new().chain_update(length).chain_update(sequence).chain_update(body).finalize();
    let mut sum = [0; CHECKSUM];
    sum.iter_mut().zip(digest).for_each(|(to, from)| *to = from);
    sum
}

/// A whole frame.
pub(super) struct Frame<'a> {
    pub(super) sequence: u64,
    pub(super) id: DecisionId,
    kind: u8,
    payload: &'a [u8],
    pub(super) length: usize,
}

/// The frame at the beginning of `bytes`, when it is whole and its sequence follows `after`.
pub(super) fn open(bytes: &[u8], after: u64) -> Option<Frame<'_>> {
    let (length, rest) = bytes.split_first_chunk::<LENGTH>()?;
    let (sequence, rest) = rest.split_first_chunk::<SEQUENCE>()?;
    let number = u64::from_le_bytes(*sequence);
    if number <= after || (after > 0 && number - after > JUMP) {
        return None;
    }
    let (sum, rest) = rest.split_first_chunk::<CHECKSUM>()?;
    let body = rest.get(..usize::try_from(u32::from_le_bytes(*length)).ok()?)?;
    let (kind, tail) = body.split_first()?;
    let (id, payload) = tail.split_first_chunk::<ID>()?;
    (*sum == checksum(length, sequence, body)).then(|| Frame {
        sequence: number,
        id: DecisionId(uuid::Uuid::from_bytes(*id)),
        kind: *kind,
        payload,
        length: HEAD + body.len(),
    })
}

/// The entry in a frame; none when a newer Keelson wrote it in a form this one cannot read.
pub(super) fn decode(frame: &Frame<'_>) -> Option<Entry> {
    let (id, payload) = (frame.id, frame.payload);
    match frame.kind {
        1 => Some(Entry::Decision(Arc::new(serde_json::from_slice(payload).ok()?))),
        2 => {
            let (outcome, steps) = serde_json::from_slice(payload).ok()?;
            Some(Entry::Outcome { id, outcome, steps })
        }
        3 => Some(Entry::Effect { id, effect: serde_json::from_slice(payload).ok()? }),
        RECORDING => Some(Entry::Recording { id, bytes: payload.to_vec() }),
        _ => None,
    }
}

/// A frame and where it is.
#[derive(Debug)]
pub(super) struct Found {
    pub(super) id: DecisionId,
    pub(super) is_recording: bool,
    pub(super) offset: usize,
    pub(super) length: usize,
}

/// What a file holds after a crash.
#[derive(Debug, Default)]
pub(super) struct Scan {
    /// The whole frames, in order.
    pub(super) frames: Vec<Found>,
    /// The sequence of the last frame, or the one given when there is none.
    pub(super) sequence: u64,
    /// Where the last frame ends.
    pub(super) end: usize,
    /// Bytes between frames that no frame claims.
    pub(super) damaged: usize,
}

/// Finds the frames in `bytes` from `start` on whose sequences follow `after`.
pub(super) fn scan(bytes: &[u8], start: usize, after: u64) -> Scan {
    let mut found = Scan { sequence: after, end: start, ..Scan::default() };
    let mut at = start;
    while let Some(rest) = bytes.get(at..).filter(|rest| !rest.is_empty()) {
        match open(rest, found.sequence) {
            Some(frame) => {
                let (id, is_recording, length) = (frame.id, frame.kind == RECORDING, frame.length);
                found.frames.push(Found { id, is_recording, offset: at, length });
                found.sequence = frame.sequence;
                found.damaged += at - found.end;
                at += frame.length;
                found.end = at;
            }
            None => at += 1,
        }
    }
    found
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::indexing_slicing)]

    use proptest::prelude::*;
    use uuid::Uuid;

    use super::*;

    fn file(payloads: &[Vec<u8>]) -> (Vec<u8>, Vec<Entry>, Vec<usize>) {
        let (mut bytes, mut entries, mut ends) = (vec![7; 16], Vec::new(), Vec::new());
        for (n, payload) in (1_u64..).zip(payloads) {
            let entry = Entry::Recording { id: DecisionId(Uuid::from_u128(u128::from(n))), bytes: payload.clone() };
            seal(&mut bytes, n, &body(&entry).unwrap());
            entries.push(entry);
            ends.push(bytes.len());
        }
        (bytes, entries, ends)
    }

    fn read(bytes: &[u8]) -> (Vec<Entry>, Scan) {
        let found = scan(bytes, 16, 0);
        let entries = found.frames.iter().map(|f| decode(&open(&bytes[f.offset..], 0).unwrap()).unwrap());
        (entries.collect(), found)
    }

    proptest! {
        #[test]
        fn a_cut_anywhere_keeps_exactly_the_whole_entries(
            payloads in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..80), 0..20),
            cut in any::<prop::sample::Index>(),
        ) {
            let (bytes, entries, ends) = file(&payloads);
            let cut = 16 + cut.index(bytes.len() - 15);
            let whole = ends.iter().filter(|end| **end <= cut).count();
            let (found, scan) = read(&bytes[..cut]);
            prop_assert_eq!(&found, &entries[..whole]);
            prop_assert_eq!(scan.end, whole.checked_sub(1).map_or(16, |last| ends[last]));
            prop_assert_eq!(scan.damaged, 0);
        }

        #[test]
        fn a_flipped_bit_costs_the_entry_it_hit_and_no_other(
            payloads in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..80), 1..20),
            place in any::<prop::sample::Index>(),
            bit in 0..8_u8,
        ) {
            let (mut bytes, mut entries, ends) = file(&payloads);
            let place = 16 + place.index(bytes.len() - 16);
            bytes[place] ^= 1_u8 << bit;
            let hit = ends.iter().position(|end| place < *end).unwrap();
            entries.remove(hit);
            let (found, _) = read(&bytes);
            prop_assert_eq!(found, entries);
        }

        #[test]
        fn noise_after_the_end_is_no_entry(noise in prop::collection::vec(any::<u8>(), 0..400)) {
            let (mut bytes, entries, ends) = file(&[b"one".to_vec()]);
            bytes.extend(noise);
            let (found, scan) = read(&bytes);
            prop_assert_eq!(found, entries);
            prop_assert_eq!(scan.end, ends[0]);
        }
    }

    #[test]
    fn entries_of_an_earlier_life_of_the_file_are_not_read_again() {
        let (old, _, ends) = file(&[b"old".to_vec(), b"old".to_vec()]);
        let mut bytes = vec![7; 16];
        let id = DecisionId(Uuid::nil());
        seal(&mut bytes, 3, &body(&Entry::Recording { id, bytes: b"new".to_vec() }).unwrap());
        assert_eq!(bytes.len(), ends[0]);
        bytes.extend_from_slice(&old[ends[0]..]);
        assert_eq!(read(&bytes).0.len(), 1);
    }
}
