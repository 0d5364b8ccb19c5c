//! Whether a program can run where there is no other file: what its ELF header says.
//!
//! Promises: reads the headers of 64-bit little-endian programs, the only kind that is built here; anything else is
//! refused, not guessed.

/// Program header: the interpreter that loads shared libraries (ELF, `PT_INTERP`).
const INTERPRETER: u32 = 3;

/// What is wrong with a program that should stand alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unfit {
    /// No 64-bit little-endian ELF file, or a broken one.
    NotElf,
    /// It asks for a loader, hence for shared libraries.
    NeedsLoader,
}

impl std::fmt::Display for Unfit {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::NotElf => "it is no 64-bit little-endian ELF program",
            Self::NeedsLoader => "it needs a loader and shared libraries, which an image of one file does not have",
        })
    }
}

impl std::error::Error for Unfit {}

/// Checks that a program needs no other file to start.
///
/// # Errors
/// When it is no such program, or needs a loader.
pub fn stands_alone(program: &[u8]) -> Result<(), Unfit> {
    let number = |at: usize, width: usize| -> Option<u64> {
        let bytes = program.get(at..at.checked_add(width)?)?;
        Some(bytes.iter().rev().fold(0, |number, byte| number << 8 | u64::from(*byte)))
    };
    let at = |number: Option<u64>| number.and_then(|number| usize::try_from(number).ok()).ok_or(Unfit::NotElf);
    // Magic, 64 bits, least byte first; then e_phoff, e_phentsize and e_phnum.
    if program.get(..6) != Some(b"\x7fELF\x02\x01") {
        return Err(Unfit::NotElf);
    }
    let (table, size, count) = (at(number(0x20, 8))?, at(number(0x36, 2))?, at(number(0x38, 2))?);
    for entry in 0..count {
        let kind = entry.checked_mul(size).and_then(|offset| table.checked_add(offset)).and_then(|at| number(at, 4));
        match kind {
            Some(kind) if kind == u64::from(INTERPRETER) => return Err(Unfit::NeedsLoader),
            Some(_) => {}
            None => return Err(Unfit::NotElf),
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]
    use super::*;

    /// A header with program headers of these kinds.
    fn program(kinds: &[u32]) -> Vec<u8> {
        let mut bytes = vec![0u8; 64 + 56 * kinds.len()];
        bytes[..6].copy_from_slice(b"\x7fELF\x02\x01");
        bytes[0x20] = 64;
        bytes[0x36] = 56;
        bytes[0x38] = u8::try_from(kinds.len()).unwrap();
        for (at, kind) in kinds.iter().enumerate() {
            bytes[64 + 56 * at..][..4].copy_from_slice(&kind.to_le_bytes());
        }
        bytes
    }

    #[test]
    fn a_program_that_asks_for_a_loader_does_not_stand_alone() {
        assert_eq!(stands_alone(&program(&[6, 1, 1])), Ok(()));
        assert_eq!(stands_alone(&program(&[6, INTERPRETER, 1])), Err(Unfit::NeedsLoader));
    }

    #[test]
    fn what_is_no_program_or_ends_early_is_refused() {
        assert_eq!(stands_alone(b"#!/bin/sh"), Err(Unfit::NotElf));
        let whole = program(&[1, 1]);
        assert_eq!(stands_alone(&whole[..whole.len() - 56]), Err(Unfit::NotElf));
    }
}
