//! `keelson simulate --from FILE`: what Keelson would do with a cluster that somebody dumped, before anything is installed.
//!
//! Nothing is contacted: files in, a report out. The thinking is the scheduling feature's own
//! ([`keelson_scheduling::simulate`]).
//!
//! | room | what it holds |
//! |---|---|
//! | [`dump`], `objects` | files in |
//! | `words` | the report for people |
//! | `page` | the report as a page |

pub mod dump;

mod objects;
mod page;
mod words;

use std::io::{IsTerminal, Write};

use anyhow::{Context, Result};
use keelson_core::Timestamp;
use keelson_runtime::Clock;
use keelson_scheduling::simulate::{Question, Report, divided, simulate};
use serde::Serialize;

use crate::cli::Simulate;
use crate::output::print;

pub use dump::{Input, Unusable};

/// What is printed as JSON: what was read, and what each feature found.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Answer {
    /// The dump.
    pub input: Input,
    /// What the scheduling feature would do.
    pub scheduling: Report,
}

/// Prints the report, and writes the page when one is asked for.
///
/// # Errors
/// [`Unusable`] when a file is no dump; otherwise when a file cannot be written.
pub fn run(args: &Simulate) -> Result<()> {
    let mut ticker = Ticker::new();
    let question = Question { seed: args.seed, layout: divided(args.layout, args.headroom_percent) };
    let answer = answer(dump::load(&args.from)?, &question, &mut |what, done, all| ticker.tick(what, done, all));
    ticker.end();
    for problem in &answer.input.problems {
        eprintln!("{problem}");
    }
    if let Some(path) = &args.page {
        std::fs::write(path, page::html(&answer))
            .with_context(|| format!("cannot write the page to {}", path.display()))?;
    }
    print(args.print, &answer, |wide| words::told(&answer, wide))
}

fn answer(dump: dump::Dump, question: &Question, progress: keelson_scheduling::simulate::Progress<'_>) -> Answer {
    Answer { input: dump.input, scheduling: simulate(dump.cluster, question, progress) }
}

/// A second, in microseconds.
const SECOND: i64 = 1_000_000;

/// Says on standard error what is being worked on, when that takes longer than a second.
struct Ticker {
    clock: Clock,
    next: Timestamp,
    shown: bool,
}

impl Ticker {
    fn new() -> Self {
        let clock = Clock::system();
        let next = Timestamp(clock.now().0.saturating_add(SECOND));
        Self { clock, next, shown: false }
    }

    fn tick(&mut self, what: &str, done: usize, all: usize) {
        let now = self.clock.now();
        if now < self.next {
            return;
        }
        self.next = Timestamp(now.0.saturating_add(SECOND));
        let mut out = std::io::stderr();
        let line = format!("{what}: {done} of {all}");
        // Nobody is told of a closed standard error.
        let _ = if out.is_terminal() { write!(out, "\r\x1b[K{line}") } else { writeln!(out, "{line}") };
        self.shown = true;
    }

    fn end(&self) {
        if self.shown && std::io::stderr().is_terminal() {
            eprint!("\r\x1b[K");
        }
    }
}

#[cfg(test)]
mod tests;
