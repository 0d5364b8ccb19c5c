//! Compares our placement with kube-scheduler's plugins over a range of seeds, or shows one.

use std::collections::BTreeMap;
use std::ops::Range;
use std::process::ExitCode;

use anyhow::Result;
use clap::Parser;
use keelson_parity::compare::compare;
use keelson_parity::feature::Mode;
use keelson_parity::generate::case;
use keelson_parity::known::known;
use keelson_parity::oracle::Oracle;
use keelson_parity::ours;
use keelson_parity::request::Request;
use keelson_parity::run::{Run, mode_of};
use keelson_parity::shrink::shrink;
use serde_json::Value;

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
    /// With `--seed`: the smallest case that still differs, for each way in which it does.
    #[arg(long, requires = "seed")]
    shrink: bool,
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

/// One seed, with everything that was said; known disagreements are shown, too.
fn show(flags: &Flags, seed: u64) -> Result<bool> {
    let mode = flags.mode.unwrap_or_else(|| mode_of(seed));
    let mut oracle = Oracle::start()?;
    let asked = case(seed, mode).request;
    let told = oracle.ask(&asked)?;
    let disagreements = compare(&told, &ours::judge(&asked, &told.feasible)?);
    if flags.shrink {
        let kinds: BTreeMap<_, _> = disagreements.iter().map(|one| (one.kind(), one)).collect();
        for one in kinds.values() {
            let smallest = shrink(&mut oracle, &asked, one)?;
            tell(&mut oracle, &smallest)?;
        }
    } else {
        tell(&mut oracle, &asked)?;
    }
    Ok(disagreements.iter().all(|one| known(&asked, &told, one).is_some()))
}

/// A question, the oracle's answer, and where we differ.
fn tell(oracle: &mut Oracle, asked: &Request) -> Result<()> {
    let question = serde_json::to_string(&brief(&serde_json::to_value(asked)?))?;
    println!("{question}\n{}", oracle.answer_to(&question)?.trim_end());
    let told = oracle.ask(asked)?;
    for one in compare(&told, &ours::judge(asked, &told.feasible)?) {
        println!("{one}");
    }
    Ok(())
}

/// The question without its empty parts.
fn brief(asked: &Value) -> Value {
    let empty = |value: &Value| matches!(value, Value::Null) || value.as_array().is_some_and(Vec::is_empty);
    let kept = asked.as_object().into_iter().flatten().filter(|(_, value)| !empty(value));
    Value::Object(kept.map(|(key, value)| (key.clone(), value.clone())).collect())
}

/// A range, with what was reached and the first findings.
fn all(flags: &Flags) -> Result<bool> {
    let mut run = Run::start()?;
    let mut found = 0_usize;
    for seed in flags.seeds.clone() {
        let mode = flags.mode.unwrap_or_else(|| mode_of(seed));
        if let Some(finding) = run.judge(seed, mode)? {
            found += 1;
            if found <= flags.shown {
                println!("{finding}");
            }
        }
    }
    print!("{run}");
    if flags.mode.is_none() {
        run.stale().iter().for_each(|name| println!("no more: {name}; take it off the list in known.rs"));
    }
    println!("{} seeds, {found} with disagreements that nobody knows", flags.seeds.clone().count());
    Ok(found == 0)
}
