//! Answers for people and for programs.
//!
//! Words and tables for people, JSON and YAML for programs, colour only on a terminal that did not ask for none.

use std::fmt::Write as _;
use std::io::{IsTerminal, Write};

use anyhow::Result;
use keelson_core::{Outcome, Timestamp, Verb};
use serde::Serialize;

use crate::cli::{Format, Print};

/// Prints `value` as a program wants it, or what `words` makes of it.
///
/// # Errors
/// When standard output is closed.
pub fn print<T: Serialize>(how: Print, value: &T, words: impl FnOnce(bool) -> String) -> Result<()> {
    let text = match how.output {
        Some(Format::Json) => serde_json::to_string_pretty(value)? + "\n",
        Some(Format::Yaml) => serde_saphyr::to_string(value)?,
        Some(Format::Wide) => words(true),
        None => words(false),
    };
    std::io::stdout().write_all(text.as_bytes())?;
    Ok(())
}

/// Whether colour helps: a terminal, and `NO_COLOR` not set.
#[must_use]
pub fn coloured() -> bool {
    std::io::stdout().is_terminal() && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty())
}

/// A colour of the terminal's own palette.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Colour {
    /// Went well.
    Green,
    /// Waits.
    Yellow,
    /// Went wrong.
    Red,
    /// Less important.
    Dim,
    /// More important.
    Bold,
}

/// `text` in a colour, when colour helps.
#[must_use]
pub fn paint(text: &str, colour: Colour) -> String {
    if !coloured() {
        return text.to_owned();
    }
    let code = match colour {
        Colour::Green => 32,
        Colour::Yellow => 33,
        Colour::Red => 31,
        Colour::Dim => 2,
        Colour::Bold => 1,
    };
    format!("\x1b[{code}m{text}\x1b[0m")
}

/// The colour of how a decision ended.
#[must_use]
pub const fn colour_of(verb: Verb, outcome: Outcome) -> Colour {
    match (outcome, verb) {
        (Outcome::Failed, _) => Colour::Red,
        (Outcome::Would | Outcome::Pending, _) | (_, Verb::Wait | Verb::Refuse) => Colour::Yellow,
        (Outcome::Done, _) => Colour::Green,
        (Outcome::NoAction, _) => Colour::Dim,
    }
}

/// A table with its columns as wide as their widest cell; the last one runs free.
#[must_use]
pub fn table(head: &[&str], rows: &[Vec<String>]) -> String {
    let width = |column: usize| {
        let cells = rows.iter().filter_map(|row| row.get(column)).map(|cell| visible(cell));
        cells.chain(head.get(column).map(|cell| cell.chars().count())).max().unwrap_or(0)
    };
    let widths: Vec<usize> = (0..head.len()).map(width).collect();
    let mut text = String::new();
    let head: Vec<String> = head.iter().map(|&cell| cell.to_owned()).collect();
    for row in std::iter::once(&head).chain(rows) {
        for (column, cell) in row.iter().enumerate() {
            let last = column + 1 == row.len();
            let pad = widths.get(column).map_or(0, |width| width.saturating_sub(visible(cell)));
            let _ = write!(text, "{cell}{}", if last { String::new() } else { " ".repeat(pad + 2) });
        }
        text.push('\n');
    }
    text
}

/// How many columns a cell takes, its colour codes not counted.
fn visible(cell: &str) -> usize {
    let mut inside = false;
    cell.chars()
        .filter(|&c| {
            let counts = !inside && c != '\x1b';
            inside = c == '\x1b' || (inside && c != 'm');
            counts
        })
        .count()
}

/// How long ago, as kubectl says it: `5s`, `3m`, `2h`, `4d`.
#[must_use]
pub fn age(at: Timestamp, now: Timestamp) -> String {
    match now.since(at).0 / 1_000_000 {
        seconds @ 0..120 => format!("{seconds}s"),
        seconds @ 120..7_200 => format!("{}m", seconds / 60),
        seconds @ 7_200..172_800 => format!("{}h", seconds / 3_600),
        seconds => format!("{}d", seconds / 86_400),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_line_up_whatever_their_colour() {
        let rows = [vec!["\x1b[32mok\x1b[0m".to_owned(), "x".to_owned()], vec!["long".to_owned(), "y".to_owned()]];
        assert_eq!(table(&["A", "B"], &rows), "A     B\n\x1b[32mok\x1b[0m    x\nlong  y\n");
    }

    #[test]
    fn ages_read_as_kubectl_says_them() {
        let age = |seconds: i64| age(Timestamp(0), Timestamp(seconds * 1_000_000));
        assert_eq!([age(0), age(119), age(120), age(7_200), age(172_800)], ["0s", "119s", "2m", "2h", "2d"]);
    }
}
