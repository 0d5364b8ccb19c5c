//! The layers of tests, in order of cost, each with its time.
//!
//! A layer that cannot run here is listed as NOT RUN with the way to run it, and fails the run in CI: nothing passes
//! silently.

use std::time::{Duration, Instant};

use crate::run::{Outcome, read, show};
use crate::{check, cluster, generated, setup, soak, web};

struct Layer {
    name: &'static str,
    needs_root: bool,
    run: fn() -> Outcome,
}

const fn layer(name: &'static str, run: fn() -> Outcome) -> Layer {
    Layer { name, needs_root: false, run }
}

const LAYERS: &[Layer] = &[
    layer("setup", setup::setup),
    layer("format", || show("cargo", &["fmt", "--all", "--check"])),
    layer("house rules", check::check),
    layer("lint", || {
        show("cargo", &["clippy", "--workspace", "--all-targets", "--locked", "--quiet", "--", "-D", "warnings"])
    }),
    layer("page, built", web::test),
    layer("cluster tools", cluster::tools),
    layer("tests", cluster::test_without),
    Layer { name: "real cluster", needs_root: true, run: cluster::test_with },
    layer("simulated days", soak::slice),
    layer("generated files", generated::compare),
    layer("page, seen", web::see),
    layer("documentation", || show("cargo", &["doc", "--workspace", "--no-deps", "--locked", "--quiet"])),
];

enum End {
    Passed,
    Failed(String),
    /// With the way to run it.
    NotRun(&'static str),
}

/// Runs every layer; all of them, even after one failed, so that one run shows everything that is wrong.
pub fn test() -> Outcome {
    let is_root = read("id", &["-u"])?.trim() == "0";
    let mut ends: Vec<(&str, Duration, End)> = Vec::new();
    for (index, layer) in LAYERS.iter().enumerate() {
        eprintln!("\n[{}/{}] {}", index + 1, LAYERS.len(), layer.name);
        let start = now();
        let end = if layer.needs_root && !is_root {
            End::NotRun("it needs root: sudo -E env PATH=\"$PATH\" cargo xtask test")
        } else {
            (layer.run)().map_or_else(End::Failed, |()| End::Passed)
        };
        ends.push((layer.name, start.elapsed(), end));
    }
    report(&ends, std::env::var_os("CI").is_some())
}

/// Says how each layer ended; those that did not run come last.
fn report(ends: &[(&str, Duration, End)], in_ci: bool) -> Outcome {
    let (mut passed, mut failed, mut not_run) = (0, 0, 0);
    println!();
    for (name, time, end) in ends {
        let seconds = time.as_secs_f64();
        match end {
            End::Passed => {
                passed += 1;
                println!("passed  {name:<16} {seconds:>6.1} s");
            }
            End::Failed(message) => {
                failed += 1;
                println!("FAILED  {name:<16} {seconds:>6.1} s\n        {message}");
            }
            End::NotRun(_) => not_run += 1,
        }
    }
    println!("\nlayers: {passed} passed, {failed} failed, {not_run} not run");
    for (name, _, end) in ends {
        if let End::NotRun(how) = end {
            println!("NOT RUN {name}: {how}");
        }
    }
    match (failed, not_run) {
        (0, 0) => Ok(()),
        (0, _) if !in_ci => Ok(()),
        (0, _) => Err(format!("{not_run} layers were not run, and CI must run them all")),
        _ => Err(format!("{failed} layers failed")),
    }
}

#[allow(clippy::disallowed_methods, reason = "a stopwatch for people")]
fn now() -> Instant {
    Instant::now()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_layer_that_did_not_run_is_not_passed_and_fails_ci() {
        let ends = || [("a", Duration::ZERO, End::Passed), ("b", Duration::ZERO, End::NotRun("as root"))];
        assert!(report(&ends(), false).is_ok());
        assert!(report(&ends(), true).is_err());
        assert!(report(&[("a", Duration::ZERO, End::Failed("x".to_owned()))], false).is_err());
    }
}
