//! The layers of tests, in order of cost, each with its time.
//!
//! A layer that cannot run fails the run: nothing passes silently.

use std::time::{Duration, Instant};

use crate::run::{Outcome, show};
use crate::{check, generated, setup, soak, web};

struct Layer {
    name: &'static str,
    run: fn() -> Outcome,
}

const LAYERS: &[Layer] = &[
    Layer { name: "setup", run: setup::setup },
    Layer { name: "format", run: || show("cargo", &["fmt", "--all", "--check"]) },
    Layer { name: "house rules", run: check::check },
    Layer {
        name: "lint",
        run: || {
            show("cargo", &["clippy", "--workspace", "--all-targets", "--locked", "--quiet", "--", "-D", "warnings"])
        },
    },
    Layer { name: "page, built", run: web::test },
    Layer { name: "tests", run: || show("cargo", &["test", "--workspace", "--locked", "--quiet", "--no-fail-fast"]) },
    Layer { name: "simulated days", run: soak::slice },
    Layer { name: "generated files", run: generated::compare },
    Layer { name: "page, seen", run: web::see },
    Layer { name: "documentation", run: || show("cargo", &["doc", "--workspace", "--no-deps", "--locked", "--quiet"]) },
];

/// Runs every layer; all of them, even after one failed, so that one run shows everything that is wrong.
pub fn test() -> Outcome {
    let mut times: Vec<(&str, Duration, Outcome)> = Vec::new();
    for (index, layer) in LAYERS.iter().enumerate() {
        eprintln!("\n[{}/{}] {}", index + 1, LAYERS.len(), layer.name);
        let start = now();
        let outcome = (layer.run)();
        times.push((layer.name, start.elapsed(), outcome));
    }
    let failed = times.iter().filter(|(_, _, outcome)| outcome.is_err()).count();
    println!();
    for (name, time, outcome) in &times {
        let word = if outcome.is_ok() { "passed" } else { "FAILED" };
        println!("{word}  {name:<16} {:>6.1} s", time.as_secs_f64());
        if let Err(message) = outcome {
            println!("        {message}");
        }
    }
    println!("\nlayers: {} passed, {failed} failed", times.len() - failed);
    if failed == 0 { Ok(()) } else { Err(format!("{failed} layers failed")) }
}

#[allow(clippy::disallowed_methods, reason = "a stopwatch for people")]
fn now() -> Instant {
    Instant::now()
}
