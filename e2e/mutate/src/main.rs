//! Random mutations of the runtime: how many of them its tests catch.
//!
//! `cargo xtask mutants --random 100 --seed 1`. The hand-made faults of `e2e/mutants` show that what we feared is caught;
//! these show what nobody thought of. A change that no test notices is a promise that no test keeps, or no change at all:
//! then it is listed in `survivors.txt`, with the reason.
//!
//! | file | idea |
//! |---|---|
//! | [`points`], [`values`] | where a text can be made wrong, and how |
//! | [`choose`] | which points are tried, by seed |
//! | [`schema`], [`copy`], [`compile`] | all of them in one copy, built once |
//! | [`trial`], [`judge`] | who catches which |
//! | [`known`] | those that are known to survive |

mod choose;
mod compile;
mod copy;
mod judge;
mod known;
mod points;
mod schema;
mod trial;
mod values;

use std::collections::{BTreeMap, BTreeSet};
use std::process::ExitCode;

use judge::Judge;
use points::{Found, Point};
use schema::Schema;

const USAGE: &str = "\
keelson-mutate [--random N] [--seed S] [--only TEXT]

  --random N   how many mutations are tried (100)
  --seed S     which: every file gives one, the rest are drawn from all (1)
  --only TEXT  only those whose names contain it, such as `executor/act.rs` or `Gate::ask`";

/// The part, in per cent, that must be caught.
const CAUGHT: usize = 90;

/// The runtime's own tests.
const OWN: &[compile::Which] = &[("keelson-runtime", None)];
/// Slower ones that stand on the runtime, for what those let pass.
const SLOW: &[compile::Which] =
    &[("keelson-scheduling", Some("scheduling")), ("keelson-bully", Some("simulated")), ("keelson-soak", Some("days"))];

fn main() -> ExitCode {
    match asked(std::env::args().skip(1)).and_then(|asked| run(&asked)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(message) => {
            eprintln!("keelson-mutate: {message}");
            ExitCode::FAILURE
        }
    }
}

/// What is asked for.
struct Asked {
    count: usize,
    seed: u64,
    only: String,
}

fn asked(mut args: impl Iterator<Item = String>) -> Result<Asked, String> {
    let mut asked = Asked { count: 100, seed: 1, only: String::new() };
    while let Some(option) = args.next() {
        let value = args.next().unwrap_or_default();
        let wrong = || format!("{option} {value:?} is no number\n\n{USAGE}");
        match option.as_str() {
            "--random" => asked.count = value.parse().map_err(|_| wrong())?,
            "--seed" => asked.seed = value.parse().map_err(|_| wrong())?,
            "--only" => asked.only = value,
            _ => return Err(format!("there is no option {option:?}\n\n{USAGE}")),
        }
    }
    Ok(asked)
}

fn run(asked: &Asked) -> Result<(), String> {
    let known = known::survivors()?;
    let sources = copy::sources()?;
    let mut found: BTreeMap<&str, Found> = BTreeMap::new();
    for (file, text) in &sources {
        found.insert(file, points::find(file, text)?);
    }
    let all: Vec<Point> = found.values().flat_map(|found| found.points.clone()).collect();
    println!("{} points in {} files", all.len(), found.len());
    let wanted = all.into_iter().filter(|point| point.to_string().contains(&asked.only));
    let order = choose::order(wanted.collect(), asked.seed);
    let points = settle(&sources, &found, order, asked.count)?;
    println!("{} are tried; seed {}", points.len(), asked.seed);

    let say = |number: usize, by: Option<&str>| {
        let Some(point) = points.get(number) else { return };
        let line = format!("{point} (line {})", point.line);
        match by {
            Some(by) => println!("caught    {line} by {by}"),
            None => println!("SURVIVED  {line}"),
        }
    };
    let mut ends = Judge::of(compile::programs(OWN)?)?.try_all(0..points.len(), say)?;
    let is_known = |number: &usize| points.get(*number).is_some_and(|point| known.contains_key(&point.to_string()));
    let open: Vec<usize> =
        ends.iter().filter(|(number, by)| by.is_none() && !is_known(number)).map(|(number, _)| *number).collect();
    if !open.is_empty() {
        println!("{} survive the runtime's own tests; slower ones try them", open.len());
        ends.extend(Judge::of(compile::programs(SLOW)?)?.try_all(open, say)?);
    }
    // Of one place every mutant may be on the list.
    let least = if asked.only.is_empty() { CAUGHT } else { 0 };
    verdict(&points, &ends, &known, least)
}

/// Puts the first so many that compile into the copy. A mutant's number is its place in what is returned.
fn settle(
    sources: &BTreeMap<String, String>,
    found: &BTreeMap<&str, Found>,
    order: Vec<Point>,
    count: usize,
) -> Result<Vec<Point>, String> {
    let mut rest = order.into_iter();
    let mut points: Vec<Point> = Vec::new();
    loop {
        if points.len() < count {
            // More than are wanted, for some will not compile.
            points.extend(rest.by_ref().take(count + count / 2 - points.len()));
        }
        let schemata = put(sources, found, &points)?;
        let refusals = compile::refusals()?;
        let mut bad = BTreeSet::new();
        for refusal in &refusals {
            let schema = schemata.get(&refusal.file);
            let around = |place| schema.and_then(|schema: &Schema| schema.around(place));
            bad.extend(refusal.places.iter().filter_map(around));
        }
        match refusals.first() {
            None => break,
            Some(refusal) if bad.is_empty() => return Err(format!("the copy does not compile: {}", refusal.said)),
            Some(_) => {}
        }
        println!("{} do not compile", bad.len());
        let mut number = 0..;
        points.retain(|_| number.next().is_some_and(|number| !bad.contains(&number)));
    }
    points.truncate(count);
    if points.is_empty() { Err("there is no such point".to_owned()) } else { Ok(points) }
}

/// Makes the copy with these points in it.
fn put(
    sources: &BTreeMap<String, String>,
    found: &BTreeMap<&str, Found>,
    points: &[Point],
) -> Result<BTreeMap<String, Schema>, String> {
    let mut schemata = BTreeMap::new();
    for (file, text) in sources {
        let Some(found) = found.get(file.as_str()) else { continue };
        let here: Vec<_> = points.iter().enumerate().filter(|(_, point)| point.file == *file).collect();
        schemata.insert(file.clone(), Schema::new(text, found, &here));
    }
    let mut texts: BTreeMap<_, _> = schemata.iter().map(|(file, schema)| (file.clone(), schema.text.clone())).collect();
    if let Some(root) = texts.get_mut("lib.rs") {
        *root = format!("{}{root}{}", schema::HEAD, schema::TAIL);
    }
    copy::make(&texts)?;
    Ok(schemata)
}

fn verdict(
    points: &[Point],
    ends: &BTreeMap<usize, Option<String>>,
    known: &BTreeMap<String, String>,
    least: usize,
) -> Result<(), String> {
    let (mut caught, mut wrong) = (0, Vec::new());
    for (number, point) in points.iter().enumerate() {
        let name = point.to_string();
        match (ends.get(&number).is_some_and(Option::is_some), known.contains_key(&name)) {
            (true, false) => caught += 1,
            (true, true) => {
                caught += 1;
                wrong.push(format!("{name} is caught by now; take it off {}", known::LIST));
            }
            (false, true) => {}
            (false, false) => {
                wrong.push(format!("{name} survives; write the test, or its reason into {}", known::LIST))
            }
        }
    }
    let hung = ends.values().flatten().filter(|by| by.contains(trial::HANGS)).count();
    println!("{caught} of {} caught, {hung} of them because they never ended", points.len());
    if caught * 100 < points.len() * least {
        wrong.push(format!("fewer than {least} % are caught"));
    }
    if wrong.is_empty() { Ok(()) } else { Err(format!("not well:\n  {}", wrong.join("\n  "))) }
}
