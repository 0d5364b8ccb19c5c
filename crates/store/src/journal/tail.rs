//! The one writer of the journal's files.
//!
//! A thread of its own, because a flush takes milliseconds. While it flushes, others queue; the next flush takes all of
//! them, so a hundred decisions made together cost one flush. Whoever waits never lingers for company; what nobody waits
//! for does, so that how one act ended is flushed with the next act that begins.
//!
//! Promises: an append is answered only after `fdatasync`; a write that failed is never followed by others in the same
//! segment, so what was durable stays readable; a segment is deleted once nothing in it waits.

use std::fs::File;
use std::os::unix::fs::FileExt;
use std::sync::Arc;
use std::sync::mpsc::Receiver;
use std::time::Duration;

use keelson_core::DecisionId;
use tokio::sync::oneshot;
use tokio::time::Instant;

use super::folder::{Folder, HEADER};
use super::pending::Place;
use super::{JournalError, Recovered, Shared, frame};

/// A tail segment that holds nothing anybody waits for is emptied from this size on, so that a restart reads little.
const EMPTY_FROM: u64 = 1 << 20;
/// The most bytes one flush takes, so that the first in the queue does not wait for a hundred megabytes.
const FLUSH_BYTES: usize = 8 << 20;

/// The longest that what nobody waits for is kept for company.
const LINGER: Duration = Duration::from_millis(20);

/// What the thread is asked for.
pub(super) enum Command {
    /// Write these bodies, together or not at all.
    Append(Append),
    /// Write what was appended before, and say so.
    Flush(oneshot::Sender<()>),
    /// Delete what is drained.
    Trim,
    /// End, give the lock back, and say so.
    Close(oneshot::Sender<()>),
}

/// Entries of one caller.
pub(super) struct Append {
    pub(super) bodies: Vec<(DecisionId, Vec<u8>)>,
    /// What was reserved of the bound.
    pub(super) bytes: u64,
    /// Who waits for the flush, if anybody does.
    pub(super) done: Option<oneshot::Sender<Result<(), JournalError>>>,
}

struct Segment {
    number: u64,
    file: Arc<File>,
    length: u64,
}

/// The newest segment, and where its successors go.
pub(super) struct Tail {
    folder: Folder,
    segment: Option<Segment>,
    /// All segments on disk, oldest first.
    numbers: Vec<u64>,
    next: u64,
    sequence: u64,
    segment_bytes: u64,
}

impl Tail {
    /// Reads what an earlier process left: whole entries go to `shared`, a torn tail is cut.
    pub(super) fn recover(
        folder: Folder,
        segment_bytes: u64,
        shared: &Shared,
    ) -> Result<(Self, Recovered), JournalError> {
        let numbers = folder.numbers()?;
        let mut recovered = Recovered::default();
        let (mut sequence, mut segment) = (0, None);
        for number in &numbers {
            let (file, bytes) = folder.load(*number)?;
            let found = frame::scan(&bytes, usize::try_from(HEADER).unwrap_or(0), sequence);
            let (file, length) = (Arc::new(file), long(found.end));
            recovered.entries += long(found.frames.len());
            recovered.damaged_bytes += long(found.damaged);
            recovered.torn_bytes += long(bytes.len() - found.end);
            if found.end < bytes.len() {
                file.set_len(length).map_err(|e| JournalError::of(&folder.file(*number), &e))?;
            }
            sequence = found.sequence;
            let mut pending = shared.pending();
            for at in found.frames {
                let (offset, length) = (long(at.offset), at.length);
                let place = Place::Disk { segment: *number, file: Arc::clone(&file), offset, length };
                shared.counters.recovered(place.length());
                pending.push(at.id, place, at.is_recording);
            }
            segment = Some(Segment { number: *number, file, length });
        }
        let next = numbers.last().map_or(1, |last| last.saturating_add(1));
        let mut tail = Self { folder, segment, numbers, next, sequence, segment_bytes };
        tail.trim(shared);
        // Shows at start, not at the first decision, that the folder takes files.
        tail.room_for(0)?;
        Ok((tail, recovered))
    }

    /// Serves until it is told to close or nobody is left who could ask.
    pub(super) fn serve(mut self, commands: &Receiver<Command>, shared: &Shared) {
        while let Ok(first) = commands.recv() {
            let (mut appends, mut bytes, mut next) = (Vec::new(), 0, Some(first));
            let (mut urgent, mut readers, until) = (false, Vec::new(), Instant::now() + LINGER);
            while let Some(command) = next.take() {
                match command {
                    Command::Append(append) => {
                        bytes += append.bodies.iter().map(|(_, body)| body.len()).sum::<usize>();
                        urgent |= append.done.is_some();
                        appends.push(append);
                    }
                    Command::Flush(done) => {
                        urgent = true;
                        readers.push(done);
                    }
                    Command::Trim => self.trim(shared),
                    Command::Close(done) => {
                        self.flush(appends, shared);
                        drop(self);
                        let _ = done.send(());
                        return;
                    }
                }
                next = match bytes {
                    FLUSH_BYTES.. => None,
                    _ if urgent || appends.is_empty() => commands.try_recv().ok(),
                    _ => commands.recv_timeout(until.saturating_duration_since(Instant::now())).ok(),
                };
            }
            self.flush(appends, shared);
            for done in readers {
                // Whoever asked may have gone away.
                let _ = done.send(());
            }
        }
    }

    fn flush(&mut self, appends: Vec<Append>, shared: &Shared) {
        if appends.is_empty() {
            return;
        }
        let result = self.write(&appends, shared);
        shared.flushed(&appends, result.as_ref().err());
        for append in appends {
            if let Some(done) = append.done {
                let _ = done.send(result.clone());
            }
        }
    }

    fn write(&mut self, appends: &[Append], shared: &Shared) -> Result<(), JournalError> {
        let bodies = || appends.iter().flat_map(|append| &append.bodies);
        let total = bodies().map(|(_, body)| body.len() + frame::HEAD).sum::<usize>();
        let mut sequence = self.sequence;
        // Even when the write fails: what it left behind must not pass for an entry written later.
        self.sequence += long(bodies().count());
        let segment = self.room_for(long(total))?;
        let (mut bytes, mut places) = (Vec::with_capacity(total), Vec::new());
        for (id, body) in bodies() {
            sequence += 1;
            let offset = segment.length + long(bytes.len());
            let length = frame::seal(&mut bytes, sequence, body);
            let file = Arc::clone(&segment.file);
            places.push((
                *id,
                frame::is_recording(body),
                Place::Disk { segment: segment.number, file, offset, length },
            ));
        }
        let number = segment.number;
        let written = segment.file.write_all_at(&bytes, segment.length).and_then(|()| segment.file.sync_data());
        if let Err(error) = written {
            // After a failed flush nobody knows which pages the disk has: what is whole stays, a new segment begins.
            let _ = segment.file.set_len(segment.length);
            let path = self.folder.file(number);
            self.segment = None;
            return Err(JournalError::of(&path, &error));
        }
        segment.length += long(bytes.len());
        let mut pending = shared.pending();
        for (id, is_recording, place) in places {
            pending.push(id, place, is_recording);
        }
        Ok(())
    }

    /// The segment that takes `bytes` more; a new one when the newest has no room.
    fn room_for(&mut self, bytes: u64) -> Result<&mut Segment, JournalError> {
        let fits = |s: &Segment| s.length == HEADER || s.length.saturating_add(bytes) <= self.segment_bytes;
        let segment = match self.segment.take().filter(fits) {
            Some(segment) => segment,
            None => {
                let number = self.next;
                let file = Arc::new(self.folder.create(number)?);
                self.next = number.saturating_add(1);
                self.numbers.push(number);
                Segment { number, file, length: HEADER }
            }
        };
        Ok(self.segment.insert(segment))
    }

    fn trim(&mut self, shared: &Shared) {
        let pending = shared.pending();
        let tail = self.segment.as_ref().map(|s| s.number);
        let (kept, drained) = self.numbers.iter().partition(|n| pending.holds_segment(**n) || Some(**n) == tail);
        self.numbers = kept;
        let drained: Vec<u64> = drained;
        if let Some(segment) = &mut self.segment
            && segment.length >= EMPTY_FROM
            && !pending.holds_segment(segment.number)
            && segment.file.set_len(HEADER).is_ok()
        {
            segment.length = HEADER;
        }
        drop(pending);
        for number in drained {
            self.folder.remove(number);
        }
    }
}

fn long(n: usize) -> u64 {
    u64::try_from(n).unwrap_or(u64::MAX)
}
