//! Runs one bench, prints its table and writes its rows as JSON.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context, Result};
use clap::Parser;
use keelson_bench::{BENCHES, Better, Row, Setting, Size};

/// The budgets of the design, measured.
#[derive(Debug, Parser)]
struct Args {
    /// Which bench.
    #[arg(value_parser = BENCHES.iter().map(|(name, _)| *name).collect::<Vec<_>>())]
    name: String,
    /// Where its rows go.
    #[arg(long)]
    json: Option<PathBuf>,
    /// The program under test.
    #[arg(long, default_value = "target/release/keelson")]
    keelson: PathBuf,
    /// As small as it can be: to see that it runs.
    #[arg(long)]
    small: bool,
}

fn main() -> ExitCode {
    match run(&Args::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("bench: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(args: &Args) -> Result<()> {
    let (_, bench) = BENCHES.iter().find(|(name, _)| *name == args.name).context("no such bench")?;
    let size = if args.small { Size::Small } else { Size::Full };
    let rows = bench(&Setting { size, keelson: args.keelson.clone() })?;
    rows.iter().for_each(|row| println!("{}", line(row)));
    if let Some(path) = &args.json {
        let text = serde_json::to_string_pretty(&rows)?;
        std::fs::write(path, text).with_context(|| format!("{} cannot be written", path.display()))?;
    }
    Ok(())
}

fn line(row: &Row) -> String {
    let goal = row.goal.map_or_else(String::new, |goal| {
        let sign = if row.better == Better::Higher { '≥' } else { '≤' };
        format!("  goal {sign} {goal} {}", if row.met == Some(true) { "met" } else { "MISSED" })
    });
    let peer = row.peer.zip(row.peer_value).map_or_else(String::new, |(peer, value)| format!("  ({peer}: {value:.1})"));
    format!("  {:<58} {:>12.1} {}{goal}{peer}", row.what, row.value, row.unit)
}
