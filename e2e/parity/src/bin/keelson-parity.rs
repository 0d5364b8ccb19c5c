//! Compares our placement with kube-scheduler's plugins over a range of seeds, or shows one.

use std::ops::Range;
use std::process::ExitCode;

use anyhow::Result;
use clap::Parser;
use keelson_parity::coverage::Coverage;
use keelson_parity::feature::Mode;
use keelson_parity::generate::case;
use keelson_parity::oracle::Oracle;
use keelson_parity::run::{judge, mode_of};

/// Compares our placement with kube-scheduler's plugins over a range of seeds, or shows one.
#[derive(Parser)]
struct Flags {
    /// The seeds to judge, such as 0..20000.
    #[arg(long, value_parser = range, default_value = "0..2000")]
    seeds: Range<u64>,
    /// One seed alone, with its question and the oracle's answer.
    #[arg(long)]
    seed: Option<u64>,
    /// `mixed`, or the one plugin whose features are used; by default each seed has its own.
    #[arg(long)]
    mode: Option<Mode>,
    /// How many findings are printed.
    #[arg(long, default_value_t = 10)]
    shown: usize,
}

fn range(text: &str) -> Result<Range<u64>, String> {
    let (from, to) = text.split_once("..").ok_or("write A..B")?;
    let number = |text: &str| text.parse::<u64>().map_err(|error| format!("{text:?}: {error}; write A..B"));
    Ok(number(from)?..number(to)?)
}

fn main() -> ExitCode {
    let flags = Flags::parse();
    match flags.seed.map_or_else(|| all(&flags), |seed| show(&flags, seed)) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("keelson: {error:#}");
            ExitCode::FAILURE
        }
    }
}

/// One seed, with everything that was said.
fn show(flags: &Flags, seed: u64) -> Result<bool> {
    let mode = flags.mode.unwrap_or_else(|| mode_of(seed));
    let mut oracle = Oracle::start()?;
    let case = case(seed, mode);
    println!("{}", serde_json::to_string(&case.request)?);
    print!("{}", oracle.answer_to(&serde_json::to_string(&case.request)?)?);
    let finding = judge(&mut oracle, &mut Coverage::default(), seed, mode)?;
    for one in finding.iter().flat_map(|finding| &finding.disagreements) {
        println!("{one}");
    }
    Ok(finding.is_none())
}

/// A range, with what was reached and the first findings.
fn all(flags: &Flags) -> Result<bool> {
    let mut oracle = Oracle::start()?;
    let mut coverage = Coverage::default();
    let mut found = 0_usize;
    for seed in flags.seeds.clone() {
        let mode = flags.mode.unwrap_or_else(|| mode_of(seed));
        if let Some(finding) = judge(&mut oracle, &mut coverage, seed, mode)? {
            found += 1;
            if found <= flags.shown {
                println!("{finding}");
            }
        }
    }
    print!("{coverage}");
    println!("{} seeds, {found} with disagreements", flags.seeds.clone().count());
    Ok(found == 0)
}
