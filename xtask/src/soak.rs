//! Simulated days of the platform with every fault on: as many as are asked for, or a slice of time in the tests.

use std::time::{SystemTime, UNIX_EPOCH};

use crate::run::{Outcome, program, read, show};

/// Where what they showed is kept.
const RECORD: &str = "docs/soak.jsonl";
/// Seeds that once broke something; every run of the tests lives them again.
const FAILED: &str = "e2e/soak/failed-seeds.txt";
/// Others first.
const LAST: [&str; 2] = ["-n", "19"];
/// How long the tests spend on fresh seeds.
const SLICE_SECONDS: &str = "90";
/// Their days are small and are lived twice: in the time of one large day there are fifty of them, and they find more.
const SMALL: [&str; 7] = ["--nodes", "12", "--pods", "80", "--hours", "2", "--twice"];

/// `cargo xtask soak NAME --seeds A..B [--dry]`.
pub fn soak(args: &[&str]) -> Outcome {
    let mut given: Vec<&str> = args.iter().copied().filter(|arg| *arg != "--dry").collect();
    let commit = read("git", &["describe", "--always", "--dirty", "--abbrev=12"])?;
    if given.len() == args.len() {
        given.extend(["--record", RECORD, "--commit", commit.trim()]);
    }
    run(&given)
}

/// The seeds that once failed, then fresh ones until the slice is over; with what the layers beside it leave of the
/// processors.
pub fn slice() -> Outcome {
    let cargo = ["cargo", "build", "--locked", "--workspace", "--bin", "keelson-soak", "--profile", "soak"];
    show("nice", &[&LAST[..], &cargo].concat())?;
    // Fresh seeds every time, and named in the output: that is what makes a failure a repro.
    #[allow(clippy::disallowed_methods, reason = "a developer command's own clock")]
    let from = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
    let seeds = format!("{from}..{}", from + 1_000);
    let soak = program("keelson-soak", "soak")?;
    // One at a time: the real clusters beside it wait for clocks, and must not wait for us.
    let one = ["--jobs", "1"];
    let days = [soak.as_str(), "scheduling", "--seeds", &seeds, "--seconds", SLICE_SECONDS, "--failed", FAILED];
    show("nice", &[&LAST[..], &days, &SMALL, &one].concat())
}

fn run(args: &[&str]) -> Outcome {
    show(&program("keelson-soak", "soak")?, args)
}
