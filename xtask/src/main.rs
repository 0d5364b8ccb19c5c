//! Developer commands.
//!
//! `cargo xtask test` is the one command before a commit, and the one that CI runs. Everything here is plain `std` and a
//! JSON reader, so that a fresh checkout compiles it in seconds.

mod alerts;
mod bench;
mod beside;
mod chart;
mod check;
mod cluster;
mod direction;
mod generated;
mod image;
mod layers;
mod licences;
mod links;
mod mutants;
mod run;
mod setup;
mod soak;
mod sources;
mod suites;
mod tour;
mod up;
mod web;

use std::process::ExitCode;

const USAGE: &str = "\
cargo xtask COMMAND

  up [ARGS]    set up what is missing, build, and run the platform on a simulated cluster, page on 127.0.0.1:8080;
               --real makes a real cluster for it, other ARGS go to `keelson up`
  test [LAYER]...
               set up what is missing, then run every layer of tests (what CI runs), or those that are named
  soak NAME --seeds A..B
               live simulated days at full size with every fault on (NAME: scheduling), two at once, and append what they
               showed to docs/soak.jsonl; seeds that this commit already lived are left out; --dry appends nothing
  mutants [NAME]...
               put faults back, one at a time, on a copy of the last commit (e2e/mutants): each must be caught by its test
  mutants --random N [--seed S] [--only TEXT]
               change the runtime in N places drawn by a seed, one at a time: nine in ten must be caught by its tests, and
               the others be listed with a reason (e2e/mutate/survivors.txt)
  bench [NAME]... [--save] [--keelson=PROGRAM]
               measure the budgets of the design, or those that are named, each beside its peer where one can run;
               --save puts what was found into docs/benchmarks.json and docs/benchmarks.md; --keelson=PROGRAM is
               measured instead of a release built for it
  check        the house rules: dependency direction, licences, file length, file heads, network hosts, links
  generate     write the files that are made from the code (definitions, rules, field table, API document)
  image        make the image of the static program (OCI archive) and its bill of materials, in target/image; no daemon
               --arch arm64 for another kind of machine, --twice to see that two builds give one digest
  tour         take the pictures of docs/tour.md from `keelson up`, in chromium
  web          build the page
  setup        install what is missing, or print the one command that does

Each prints what it does while it does it, and is safe to repeat.";

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let outcome = match args.iter().map(String::as_str).collect::<Vec<_>>().as_slice() {
        ["up", rest @ ..] => up::up(rest),
        ["on-cluster", keelson, rest @ ..] => up::on_cluster(keelson, rest),
        ["test", names @ ..] => layers::test(names),
        ["layer", name] => layers::alone(name),
        ["soak", rest @ ..] => soak::soak(rest),
        ["mutants", names @ ..] => mutants::run(names),
        ["bench", rest @ ..] => bench::bench(rest),
        ["check"] => check::check(),
        ["generate"] => generated::write(),
        ["image", rest @ ..] => image::image(rest),
        ["tour"] => tour::tour(),
        ["web"] => web::build(),
        ["setup"] => setup::setup(&layers::needs()),
        [] | ["help" | "--help" | "-h"] => {
            println!("{USAGE}");
            Ok(())
        }
        [other, ..] => Err(format!("there is no command {other:?}\n\n{USAGE}")),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(message) => {
            eprintln!("xtask: {message}");
            ExitCode::FAILURE
        }
    }
}
