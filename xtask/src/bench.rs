//! The budgets of the design, measured: `cargo xtask bench`, and the document that is made from what it saved.
//!
//! Every bench is run by a program of its own process (`keelson-bench NAME`), optimised. What it found goes to
//! `target/bench/NAME.json`; `--save` puts it into `docs/benchmarks.json`, in place of what that bench found before, and
//! `docs/benchmarks.md` is written from there.

use std::fmt::Write as _;
use std::fs;

use serde_json::{Value, json};

use crate::image;
use crate::run::{Outcome, program, read, root, show_with, target};
use crate::web;

/// Every bench, in the document's order. The program knows all but the page, and the part of the cache's that it runs again.
const NAMES: &[&str] = &[
    "queue",
    "reconcile",
    "store",
    "history",
    "placement",
    "deciding",
    "scheduling",
    "simulator",
    "cache",
    "memory",
    "controller",
    "served",
    "page",
];
const SAVED: &str = "docs/benchmarks.json";
const DOCUMENT: &str = "docs/benchmarks.md";

/// `cargo xtask bench [NAME…] [--save] [--keelson=PROGRAM]`.
pub fn bench(args: &[&str]) -> Outcome {
    let save = args.contains(&"--save");
    let built = args.iter().find_map(|arg| arg.strip_prefix("--keelson="));
    let names: Vec<&str> = args.iter().copied().filter(|arg| !arg.starts_with("--")).collect();
    if let Some(unknown) = names.iter().find(|name| !NAMES.contains(name)) {
        return Err(format!("there is no bench {unknown:?}; there are: {}", NAMES.join(", ")));
    }
    let chosen: Vec<&str> = NAMES.iter().copied().filter(|name| names.is_empty() || names.contains(name)).collect();
    // The page is measured by its own tests, in a browser.
    let bench = if chosen == ["page"] { String::new() } else { program("keelson-bench", "soak")? };
    // The one that is shipped: it takes longest to build, and not every bench looks at it.
    let keelson = match built {
        Some(built) => built.to_owned(),
        None if ["controller", "scheduling"].iter().any(|name| chosen.contains(name)) => image::shipped()?,
        None => String::new(),
    };
    let folder = target().join("bench");
    fs::create_dir_all(&folder).map_err(|error| format!("{}: {error}", folder.display()))?;
    let commit = read("git", &["describe", "--always", "--dirty", "--abbrev=12"])?;
    for name in chosen {
        let path = folder.join(format!("{name}.json"));
        let rows = folder.join(format!("{name}.rows.json"));
        let (json, program) = (format!("--json={}", rows.display()), format!("--keelson={keelson}"));
        // An empty name would be no value at all.
        let args: Vec<&str> = [name, &json, &program].into_iter().filter(|arg| *arg != "--keelson=").collect();
        match name {
            "page" => web::measure(&rows.display().to_string())?,
            // As in the image.
            _ => show_with(&image::ENVIRONMENT, &bench, &args)?,
        }
        let rows = parse(&fs::read_to_string(&rows).map_err(|error| format!("{}: {error}", rows.display()))?)?;
        let result = json!({"name": name, "commit": commit.trim(), "machine": machine(), "rows": rows});
        write(&path.display().to_string(), &pretty(&result))?;
        if save {
            let saved = root().join(SAVED);
            let before = fs::read_to_string(&saved).unwrap_or_else(|_| "[]".to_owned());
            let all = merged(parse(&before)?, result);
            write(&saved.display().to_string(), &pretty(&all))?;
            write(&root().join(DOCUMENT).display().to_string(), &words(&all))?;
        }
    }
    Ok(())
}

/// `docs/benchmarks.md`, from what was saved.
pub fn document() -> Result<String, String> {
    let saved = root().join(SAVED);
    let text = fs::read_to_string(&saved).map_err(|error| format!("{}: {error}", saved.display()))?;
    Ok(words(&parse(&text)?))
}

/// Puts a bench's result in place of its earlier one.
fn merged(all: Value, result: Value) -> Value {
    let mut all = all.as_array().cloned().unwrap_or_default();
    all.retain(|before| before.get("name") != result.get("name"));
    all.push(result);
    let place = |one: &Value| NAMES.iter().position(|name| one["name"] == *name);
    all.sort_by_key(place);
    all.into()
}

fn words(all: &Value) -> String {
    let mut out = String::from(
        "# Benchmarks\n\nMade by `cargo xtask generate` from `docs/benchmarks.json`, which `cargo xtask bench --save` \
         writes. Figures are of one\nmachine at one time: read the ratios and the goals, and measure your own.\n",
    );
    for bench in all.as_array().into_iter().flatten() {
        let text = |name: &str| bench[name].as_str().unwrap_or_default().to_owned();
        let _ = write!(out, "\n## {}\n\n{}, commit {}\n\n", text("name"), text("machine"), text("commit"));
        out.push_str("| what | measured | goal | | beside | how |\n|---|---|---|---|---|---|\n");
        for row in bench["rows"].as_array().into_iter().flatten() {
            out.push_str(&line(row));
        }
    }
    out
}

fn line(row: &Value) -> String {
    let text = |name: &str| row[name].as_str().unwrap_or_default();
    let unit = text("unit");
    let figure = |value: &Value| value.as_f64().map_or_else(String::new, |value| format!("{} {unit}", number(value)));
    let sign = if text("better") == "higher" { "≥" } else { "≤" };
    let goal = row["goal"].as_f64().map_or_else(String::new, |goal| format!("{sign} {} {unit}", number(goal)));
    let met = row["met"].as_bool().map_or("", |met| if met { "met" } else { "**missed**" });
    let peer = row["peer"].as_str().map_or_else(String::new, |peer| format!("{peer}: {}", figure(&row["peer_value"])));
    format!("| {} | {} | {goal} | {met} | {peer} | {} |\n", text("what"), figure(&row["value"]), text("how"))
}

/// As people write it: thousands apart, and one place after the point where that says something.
fn number(value: f64) -> String {
    if value.abs() < 100.0 && value.fract() != 0.0 {
        return format!("{value:.1}");
    }
    let digits = format!("{value:.0}");
    let (sign, digits) = digits.strip_prefix('-').map_or(("", digits.as_str()), |digits| ("-", digits));
    let groups: Vec<&str> =
        digits.as_bytes().rchunks(3).rev().filter_map(|group| std::str::from_utf8(group).ok()).collect();
    format!("{sign}{}", groups.join(","))
}

/// Processors, memory and what runs them.
fn machine() -> String {
    let of = |file: &str, start: &str| {
        let text = fs::read_to_string(file).unwrap_or_default();
        let line = text.lines().find(|line| line.starts_with(start)).unwrap_or_default().to_owned();
        line.split_once(':').map(|(_, value)| value.trim().to_owned()).unwrap_or_default()
    };
    let processors = std::thread::available_parallelism().map_or(0, usize::from);
    let kib =
        of("/proc/meminfo", "MemTotal").split(' ').next().and_then(|kib| kib.parse::<u64>().ok()).unwrap_or_default();
    let load = fs::read_to_string("/proc/loadavg").unwrap_or_default();
    let load = load.split(' ').next().unwrap_or_default();
    let model = of("/proc/cpuinfo", "model name");
    format!("{processors} x {model}, {} GiB, Linux, load {load}", kib >> 20)
}

fn parse(text: &str) -> Result<Value, String> {
    serde_json::from_str(text).map_err(|error| format!("what a bench wrote is no JSON: {error}"))
}

fn pretty(value: &Value) -> String {
    serde_json::to_string_pretty(value).unwrap_or_default() + "\n"
}

fn write(path: &str, text: &str) -> Outcome {
    fs::write(path, text).map_err(|error| format!("{path}: {error}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_are_written_for_people() {
        for (value, expected) in [(0.0, "0"), (7.25, "7.2"), (60.0, "60"), (208_312.4, "208,312"), (-1_000.0, "-1,000")]
        {
            assert_eq!(number(value), expected);
        }
    }

    #[test]
    fn a_result_takes_the_place_of_the_one_before_it_in_the_documents_order() {
        let of = |name: &str, value: f64| {
            json!({"name": name, "commit": "c", "machine": "m", "rows": [
            {"what": "speed", "value": value, "unit": "/s", "goal": 10.0, "better": "higher", "met": value >= 10.0,
             "peer": "raw", "peer_value": 20.0, "how": "so"}]})
        };
        let all = merged(merged(merged(json!([]), of("store", 5.0)), of("queue", 1.0)), of("store", 12.0));
        let names: Vec<&str> = all.as_array().into_iter().flatten().filter_map(|one| one["name"].as_str()).collect();
        assert_eq!(names, ["queue", "store"]);
        let text = words(&all);
        assert!(text.contains("| speed | 12 /s | ≥ 10 /s | met | raw: 20 /s | so |"), "{text}");
        assert!(text.contains("| speed | 1 /s | ≥ 10 /s | **missed** |"), "{text}");
        assert!(text.find("## queue") < text.find("## store"));
    }
}
