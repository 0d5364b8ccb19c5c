//! Lives days of the platform, several at once, and says what they showed.

use std::collections::{BTreeSet, VecDeque};
use std::fs::{File, OpenOptions};
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::{Arc, Mutex, OnceLock, PoisonError, mpsc};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use clap::Parser;
use keelson_core::Span;
use keelson_soak::day::{self, FAULTS, Plan, invariants, live};
use keelson_soak::report::{Report, Sum};
use serde::{Deserialize, Serialize};

/// A day is mostly small JSON trees that come and go; this is a quarter faster than glibc's.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Simulated days of the whole platform with every fault on.
#[derive(Debug, Parser)]
struct Args {
    /// Which simulation.
    #[arg(value_parser = ["scheduling"])]
    name: String,
    /// Seeds, the last one not included: 0..200.
    #[arg(long, value_parser = range)]
    seeds: std::ops::Range<u64>,
    /// Begin no further day this many seconds after the first; days that once failed are lived all, before that.
    #[arg(long)]
    seconds: Option<u64>,
    /// Machines of a day.
    #[arg(long, default_value_t = day::MACHINES)]
    nodes: usize,
    /// Pods of a day, about.
    #[arg(long, default_value_t = day::PODS_ABOUT)]
    pods: usize,
    /// How long a day is, in hours.
    #[arg(long, default_value_t = HOURS, value_parser = clap::value_parser!(i64).range(1..=24))]
    hours: i64,
    /// Days at once.
    #[arg(long, default_value_t = 2)]
    jobs: usize,
    /// Append the results to this file as they come, and leave out the seeds that it already has for this commit, size and length.
    #[arg(long)]
    record: Option<PathBuf>,
    /// Days that once failed, one a line; they go first.
    #[arg(long, conflicts_with = "record")]
    failed: Option<PathBuf>,
    /// Print every change and every decision that mentions this, as it is in JSON.
    #[arg(long)]
    show: Option<String>,
    /// Live each fresh day a second time, which must be the same to the byte.
    #[arg(long)]
    twice: bool,
    /// The commit to record.
    #[arg(long, default_value = "")]
    commit: String,
}

/// How long a day is, unless it is asked for another length.
const HOURS: i64 = 24;

/// Days in a line of the record: what a run that is cut off loses is less than that.
const DAYS_A_LINE: usize = 25;

/// A line of the record.
#[derive(Debug, Serialize, Deserialize)]
struct Line {
    simulation: String,
    commit: String,
    /// Machines and pods of a day; what was recorded before days had sizes had the first.
    #[serde(default = "first_nodes")]
    nodes: usize,
    #[serde(default = "first_pods")]
    pods: usize,
    #[serde(default = "first_hours")]
    hours: i64,
    seeds: Vec<u64>,
    #[serde(flatten)]
    sum: Sum,
    wall_seconds: u64,
}

fn main() -> ExitCode {
    match run(&Args::parse()) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("soak: {error:#}");
            ExitCode::from(2)
        }
    }
}

const fn first_nodes() -> usize {
    50
}

const fn first_pods() -> usize {
    500
}

const fn first_hours() -> i64 {
    HOURS
}

fn run(args: &Args) -> Result<bool> {
    let mut days = args.failed.as_deref().map(once_failed).transpose()?.unwrap_or_default();
    let known = args.record.as_deref().map(|file| recorded(file, args)).transpose()?.unwrap_or_default();
    let fresh = args.seeds.clone().filter(|seed| !known.contains(seed));
    days.extend(fresh.map(|seed| Day { seed, nodes: args.nodes, pods: args.pods, hours: args.hours, again: false }));
    let start = now();
    let (mut all, mut batch) = (Batch::new(), Batch::new());
    for day in live_all(days, args) {
        let (day, report, took) = day?;
        tell(day, &report, took);
        all.add(&report);
        batch.add(&report);
        if batch.seeds.len() == DAYS_A_LINE {
            std::mem::replace(&mut batch, Batch::new()).write(args)?;
        }
    }
    batch.write(args)?;
    let idle = all.sum.idle(&FAULTS, &invariants());
    println!(
        "{} days, {} events, {} decisions in {} s",
        all.seeds.len(),
        all.sum.events,
        all.sum.decisions,
        start.elapsed().as_secs()
    );
    println!("faults      {}", counts(&all.sum.fired));
    println!("invariants  {}", counts(&all.sum.at_stake));
    idle.iter().for_each(|what| println!("NEVER AT STAKE: {what}"));
    Ok(all.sum.failed.is_empty() && idle.is_empty())
}

/// A day to live.
#[derive(Debug, Clone, Copy)]
struct Day {
    seed: u64,
    nodes: usize,
    pods: usize,
    hours: i64,
    /// Because it once failed.
    again: bool,
}

/// Days that are told together.
struct Batch {
    begun: Instant,
    seeds: Vec<u64>,
    sum: Sum,
}

impl Batch {
    fn new() -> Self {
        Self { begun: now(), seeds: Vec::new(), sum: Sum::default() }
    }

    fn add(&mut self, report: &Report) {
        self.sum.add(report);
        self.seeds.push(report.seed);
    }

    /// Appends them to the record, if there is one.
    fn write(mut self, args: &Args) -> Result<()> {
        let Some(file) = args.record.as_deref().filter(|_| !self.seeds.is_empty()) else { return Ok(()) };
        self.seeds.sort_unstable();
        let line = Line {
            simulation: args.name.clone(),
            commit: args.commit.clone(),
            nodes: args.nodes,
            pods: args.pods,
            hours: args.hours,
            seeds: self.seeds,
            sum: self.sum,
            wall_seconds: self.begun.elapsed().as_secs(),
        };
        let mut file = OpenOptions::new().create(true).append(true).open(file)?;
        Ok(writeln!(file, "{}", serde_json::to_string(&line)?)?)
    }
}

/// Lives days on threads of their own; each is one thread's alone, so it is as deterministic as on its own.
fn live_all(days: Vec<Day>, args: &Args) -> impl Iterator<Item = Result<(Day, Report, Duration)>> {
    let slice = args.seconds.map(Duration::from_secs);
    let (tell, told) = mpsc::channel();
    let queue = Arc::new(Mutex::new(VecDeque::from(days)));
    let first = Arc::new(OnceLock::new());
    for _ in 0..args.jobs.max(1) {
        let (tell, queue, first) = (tell.clone(), Arc::clone(&queue), Arc::clone(&first));
        let (show, twice) = (args.show.clone(), args.twice);
        thread::spawn(move || {
            loop {
                let next = queue.lock().unwrap_or_else(PoisonError::into_inner).pop_front();
                let Some(day) = next else { return };
                let is_over = |slice| first.get_or_init(now).elapsed() >= slice;
                if !day.again && slice.is_some_and(is_over) {
                    return;
                }
                let begun = now();
                let (nodes, pods, length) = (day.nodes, day.pods, Span::hours(day.hours));
                let plan = Plan { show: show.clone(), nodes, pods, length, ..Plan::full(day.seed) };
                let lived = if twice && !day.again { live_twice(&plan) } else { live(&plan) };
                let lived = lived.map(|report| (day, report, begun.elapsed()));
                if tell.send(lived.with_context(|| format!("seed {}", day.seed))).is_err() {
                    return;
                }
            }
        });
    }
    told.into_iter()
}

/// A day that does not replay exactly is broken, whatever else it shows.
fn live_twice(plan: &Plan) -> Result<Report> {
    let (mut report, again) = (live(plan)?, live(plan)?);
    if report != again {
        report.breaches.insert(0, format!("Replay: lived again, its trace is {}", again.trace));
    }
    Ok(report)
}

fn tell(day: Day, report: &Report, took: Duration) {
    let Report { seed, events, decisions, trace, breaches, .. } = report;
    let trace = trace.get(..12).unwrap_or_default();
    println!("seed {seed:>6}  {events:>7} events  {decisions:>6} decisions  {:>5.1} s  {trace}", took.as_secs_f64());
    for breach in breaches.iter().take(5) {
        println!("        BROKEN  {breach}");
    }
    if !breaches.is_empty() {
        let size = format!("--nodes {} --pods {} --hours {}", day.nodes, day.pods, day.hours);
        println!("        again: cargo xtask soak scheduling --seeds {seed}..{} {size} --dry", seed + 1);
    }
}

fn counts(counts: &std::collections::BTreeMap<String, u64>) -> String {
    counts.iter().map(|(name, count)| format!("{name} {count}")).collect::<Vec<_>>().join(", ")
}

fn recorded(file: &Path, args: &Args) -> Result<BTreeSet<u64>> {
    if !file.exists() {
        return Ok(BTreeSet::new());
    }
    let mut seeds = BTreeSet::new();
    for line in BufReader::new(File::open(file)?).lines() {
        let line: Line = serde_json::from_str(&line?).with_context(|| format!("{}: not a record", file.display()))?;
        let of_this = (&line.simulation, &line.commit) == (&args.name, &args.commit);
        if of_this && (line.nodes, line.pods, line.hours) == (args.nodes, args.pods, args.hours) {
            seeds.extend(line.seeds);
        }
    }
    Ok(seeds)
}

/// A seed, nodes, pods and, of a short day, hours a line: a day of another size is another day.
fn once_failed(file: &Path) -> Result<Vec<Day>> {
    let text = std::fs::read_to_string(file).with_context(|| format!("{}: cannot be read", file.display()))?;
    let lines = text.lines().filter(|line| !line.is_empty() && !line.starts_with('#'));
    let day = |line: &str| {
        let numbers: Vec<u64> = line.split_whitespace().map(str::parse).collect::<Result<_, _>>()?;
        let [seed, nodes, pods, hours @ ..] = numbers.as_slice() else { bail!("write a seed, its nodes and its pods") };
        let hours = match hours {
            [] => HOURS,
            [hours @ 1..=24] => i64::try_from(*hours)?,
            _ => bail!("the fourth number is the hours of a short day: 1 to 24"),
        };
        Ok(Day { seed: *seed, nodes: usize::try_from(*nodes)?, pods: usize::try_from(*pods)?, hours, again: true })
    };
    lines.map(|line| day(line).with_context(|| format!("{}: {line:?}", file.display()))).collect()
}

fn range(text: &str) -> Result<std::ops::Range<u64>> {
    let (from, to) = text.split_once("..").context("write seeds as FROM..TO, for example 0..200")?;
    let range = from.parse()?..to.parse()?;
    if range.is_empty() {
        bail!("{text} has no seed; the last one is not included");
    }
    Ok(range)
}

#[allow(clippy::disallowed_methods, reason = "a stopwatch for people")]
fn now() -> Instant {
    Instant::now()
}
