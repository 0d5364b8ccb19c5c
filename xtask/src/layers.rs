//! The layers of tests, in order of cost, each with its time.
//!
//! A layer that cannot run here is listed as NOT RUN with the way to run it, and fails the run in CI: nothing passes
//! silently.

use std::time::{Duration, Instant};

use crate::run::{Outcome, show};
use crate::setup::{self, Machine, Need};
use crate::suites::{self, Part};
use crate::{alerts, beside, check, cluster, generated, image, soak, web};

struct Layer {
    name: &'static str,
    needs: &'static [Need],
    run: fn() -> Outcome,
    /// Whether it runs at the same time as the one before it: both mostly wait.
    beside: bool,
}

const fn layer(name: &'static str, needs: &'static [Need], run: fn() -> Outcome) -> Layer {
    Layer { name, needs, run, beside: false }
}

impl Layer {
    const fn beside(self) -> Self {
        Self { beside: true, ..self }
    }
}

/// The page is built by npm.
pub const PAGE: &[Need] = &[Need::Package("nodejs"), Need::Package("npm"), Need::Cache];
/// A browser looks at it.
const BROWSER: &[Need] =
    &[Need::Package("nodejs"), Need::Package("npm"), Need::Package("chromium"), Need::Package("openssl"), Need::Cache];
/// What builds the programs of a real cluster, kubectl among them: runc alone needs a C compiler and libseccomp.
const TOOLS: &[Need] =
    &[Need::Go, Need::Cache, Need::Package("gcc"), Need::Package("pkg-config"), Need::Package("libseccomp-dev")];
/// What talks to a simulated cluster as ordinary clients do.
const CLIENTS: &[Need] = &[
    Need::Go,
    Need::Cache,
    Need::Package("gcc"),
    Need::Package("pkg-config"),
    Need::Package("libseccomp-dev"),
    Need::Package("python3-kubernetes"),
];
/// What a cluster of real nodes needs to run; as root, what is missing of Debian is installed.
pub const CLUSTER: &[Need] = &[
    Need::Root,
    Need::Go,
    Need::Cache,
    Need::Package("gcc"),
    Need::Package("pkg-config"),
    Need::Package("libseccomp-dev"),
    Need::Package("bash"),
    Need::Package("curl"),
    Need::Package("findutils"),
    Need::Package("gawk"),
    Need::Package("mount"),
    Need::Package("util-linux"),
    Need::Package("iproute2"),
    Need::Package("nftables"),
    Need::Package("iptables"),
    Need::Package("conntrack"),
    Need::Package("ethtool"),
    Need::Package("openssl"),
    // An ordinary client.
    Need::Package("python3-kubernetes"),
    // Clocks that are wrong.
    Need::Package("faketime"),
    // Keelson serves its page there, too.
    Need::Package("nodejs"),
    Need::Package("npm"),
    // Two replicas of it share a database.
    Need::Package("postgresql-15"),
];

const LAYERS: &[Layer] = &[
    layer("format", &[], || show("cargo", &["fmt", "--all", "--check"])),
    layer("house rules", &[], check::rules),
    layer("lint", &[], || {
        show("cargo", &["clippy", "--workspace", "--all-targets", "--locked", "--", "-D", "warnings"])
    }),
    layer("page, built", PAGE, web::test),
    layer("tests", &[], || suites::run(Part::Plain, 2, &[])),
    layer("cluster tools", TOOLS, || cluster::tools().and_then(|()| check::tools())),
    layer("kubectl", CLIENTS, cluster::test_kubectl),
    layer("parity", &[Need::Go, Need::Cache], || suites::run(Part::Oracle, 2, &[])),
    layer("generated files", PAGE, generated::compare),
    layer("alerts", &[Need::Package("prometheus")], alerts::check),
    layer("image", PAGE, image::here),
    layer("page, seen", BROWSER, web::see),
    layer("database", &[Need::Package("postgresql-15")], || suites::run(Part::Database, 2, &[])).beside(),
    layer("real cluster", CLUSTER, cluster::test_real),
    layer("simulated days", &[], soak::slice).beside(),
    layer("documentation", &[], || {
        suites::examples()?;
        show("nice", &["-n", "19", "cargo", "doc", "--workspace", "--no-deps", "--locked"])
    })
    .beside(),
];

/// What all of them need, beside the rights.
pub fn needs() -> Vec<Need> {
    LAYERS.iter().flat_map(|layer| layer.needs).copied().filter(|need| *need != Need::Root).collect()
}

enum End {
    Passed,
    Failed(String),
    /// With the way to run it.
    NotRun(String),
}

/// A layer that is over, with the time it took.
type Ended = (&'static str, Duration, End);

/// Runs every layer, or those that are named; all of them, even after one failed, so that one run shows everything that
/// is wrong.
pub fn test(names: &[&str]) -> Outcome {
    let layers = chosen(names)?;
    let needs: Vec<Need> = layers.iter().flat_map(|layer| layer.needs).copied().collect();
    let steps = layers.len() + 1;
    eprintln!("\n[1/{steps}] setup");
    setup::look_at_room();
    let mut ends = vec![timed("setup", || setup::install(&needs))];
    for group in layers.chunk_by(|_, next| next.beside) {
        for (at, layer) in group.iter().enumerate() {
            eprintln!("{}[{}/{steps}] {}", if at == 0 { "\n" } else { "" }, ends.len() + at + 1, layer.name);
        }
        ends.extend(live(group));
    }
    report(&ends, std::env::var_os("CI").is_some())
}

/// Runs one layer in this very process; it is `xtask layer NAME`.
pub fn alone(name: &str) -> Outcome {
    chosen(&[name])?.iter().try_for_each(|layer| (layer.run)())
}

/// Runs a group of layers: one here, several at once.
fn live(group: &[&'static Layer]) -> Vec<Ended> {
    let machine = Machine::look();
    let (able, lacking): (Vec<_>, Vec<_>) =
        group.iter().map(|layer| (*layer, machine.lacks(layer.needs))).partition(|(_, lacking)| lacking.is_none());
    let mut ends = match able.as_slice() {
        [(layer, _)] => vec![timed(layer.name, layer.run)],
        several => std::thread::scope(|scope| {
            let start = |layer: &'static Layer| scope.spawn(|| timed(layer.name, || beside::run(layer.name)));
            let running: Vec<_> = several.iter().map(|(layer, _)| start(layer)).collect();
            running.into_iter().flat_map(std::thread::ScopedJoinHandle::join).collect()
        }),
    };
    let not_run = |(layer, lacking): (&'static Layer, Option<String>)| {
        let how = layer.again(&lacking.unwrap_or_default());
        eprintln!("NOT RUN {}: {how}", layer.name);
        (layer.name, Duration::ZERO, End::NotRun(how))
    };
    ends.extend(lacking.into_iter().map(not_run));
    ends
}

fn timed(name: &'static str, run: impl FnOnce() -> Outcome) -> Ended {
    let start = now();
    let end = run().map_or_else(End::Failed, |()| End::Passed);
    (name, start.elapsed(), end)
}

/// The layers of these names, in the table's order.
fn chosen(names: &[&str]) -> Result<Vec<&'static Layer>, String> {
    let known: Vec<&str> = LAYERS.iter().map(|layer| layer.name).collect();
    if let Some(unknown) = names.iter().find(|name| !known.contains(name)) {
        return Err(format!("there is no layer {unknown:?}; there are: {}", known.join("; ")));
    }
    Ok(LAYERS.iter().filter(|layer| names.is_empty() || names.contains(&layer.name)).collect())
}

impl Layer {
    /// What it lacks, and the command that runs this layer alone once that is there.
    fn again(&self, lacking: &str) -> String {
        setup::again(lacking, self.needs, &format!("test {:?}", self.name))
    }
}

/// Says how each layer ended; those that did not run come last.
fn report(ends: &[Ended], in_ci: bool) -> Outcome {
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
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_layer_that_did_not_run_is_not_passed_and_fails_ci() {
        let ends = || [("a", Duration::ZERO, End::Passed), ("b", Duration::ZERO, End::NotRun("as root".to_owned()))];
        assert!(report(&ends(), false).is_ok());
        assert!(report(&ends(), true).is_err());
        assert!(report(&[("a", Duration::ZERO, End::Failed("x".to_owned()))], false).is_err());
    }

    #[test]
    fn every_package_that_is_needed_can_be_installed_and_none_is_installed_for_nothing() {
        let needed: Vec<Need> = needs().into_iter().chain(image::needs()).collect();
        let known = setup::every_package();
        assert_eq!(known.iter().find(|known| !needed.contains(known)), None);
        let packages = needed.iter().filter(|need| matches!(need, Need::Package(_)));
        assert_eq!(packages.into_iter().find(|need| !known.contains(need)), None);
    }

    #[test]
    fn without_root_and_chromium_everything_else_runs_and_the_rest_says_how() {
        let machine = Machine { packages: vec!["chromium"], root: true, ..Machine::default() };
        let lacking = |layer: &Layer| Some((layer.name, layer.again(&machine.lacks(layer.needs)?)));
        let not_run: Vec<_> = LAYERS.iter().filter_map(lacking).collect();
        let expected = [
            (
                "page, seen",
                "missing chromium: sudo apt-get install --yes chromium; then: cargo xtask test \"page, seen\"",
            ),
            ("real cluster", "needs root; then: sudo -E env PATH=\"$PATH\" cargo xtask test \"real cluster\""),
        ];
        assert_eq!(not_run, expected.map(|(name, how)| (name, how.to_owned())));
    }

    #[test]
    fn layers_are_chosen_by_name() {
        assert_eq!(chosen(&[]).unwrap().len(), LAYERS.len());
        assert_eq!(
            chosen(&["page, seen", "lint"]).unwrap().iter().map(|one| one.name).collect::<Vec<_>>(),
            ["lint", "page, seen"]
        );
        assert!(chosen(&["lnt"]).is_err_and(|error| error.contains("lint")));
    }
}
