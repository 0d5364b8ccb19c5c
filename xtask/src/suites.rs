//! The workspace's test programs: built once, run by part.
//!
//! Everything is compiled in one go, so that no part chooses other features of a dependency and has it built again. Each
//! part then runs its programs, some at once, for many only wait. A program's output is kept in a file and shown when it
//! fails; a program that takes long is named now and then.

use std::collections::{BTreeMap, VecDeque};
use std::fs::File;
use std::path::PathBuf;
use std::sync::{Mutex, PoisonError, mpsc};
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::run::{Outcome, command, read_shown, show, target};

/// What a test program needs beside Rust.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Part {
    /// Nothing.
    Plain,
    /// PostgreSQL.
    Database,
    /// kubectl, which `KUBECTL` names, and Debian's Python client.
    Kubectl,
    /// kube-scheduler's own plugins, which Go builds.
    Oracle,
    /// A real cluster.
    Cluster,
}

/// The test programs that need something, by package and name; an empty name is all of them. The rest are plain.
const NEEDY: &[(&str, &str, Part)] = &[
    ("keelson-store", "backup", Part::Database),
    ("keelson-store", "conformance", Part::Database),
    ("keelson-store", "postgres", Part::Database),
    ("keelson-store", "servers", Part::Database),
    ("keelson", "outages", Part::Database),
    ("keelson-sim", "api_kubectl", Part::Kubectl),
    ("keelson-sim", "api_clients", Part::Kubectl),
    ("keelson", "up", Part::Kubectl),
    ("keelson-parity", "fields", Part::Oracle),
    ("keelson-parity", "judged", Part::Oracle),
    ("keelson-parity", "real", Part::Cluster),
    ("keelson", "real", Part::Cluster),
    ("keelson", "edge_cost", Part::Cluster),
    ("keelson", "extender", Part::Cluster),
    ("keelson", "layouts", Part::Cluster),
    ("keelson", "killed", Part::Cluster),
    ("keelson", "hurt", Part::Cluster),
    ("keelson", "restored", Part::Cluster),
    ("keelson", "credentials", Part::Cluster),
    ("keelson", "real_sign_in", Part::Cluster),
    ("xtask", "up_real", Part::Cluster),
    // It reads what clusters were asked, and needs none.
    ("keelson-harness", "coverage", Part::Plain),
    ("keelson-harness", "", Part::Cluster),
    ("keelson-bully", "real", Part::Cluster),
    ("keelson-bully", "stopped", Part::Cluster),
];

/// The test programs that take longest begin first, so that none is left to run alone at the end.
const LONG: &[(&str, &str)] = &[
    ("keelson-harness", "chart"),
    ("keelson", "killed"),
    ("keelson-bully", "stopped"),
    ("keelson", "hurt"),
    ("keelson-parity", "real"),
    ("keelson-bully", "real"),
    ("keelson", "restored"),
    ("keelson", "credentials"),
    ("keelson-harness", "faults"),
    ("keelson", "outages"),
    ("keelson-soak", "days"),
    ("keelson-bully", "simulated"),
    ("keelson-sim", "lib, keelson_sim"),
];

/// Time after which people are told what still runs.
const QUIET: Duration = Duration::from_secs(15);

/// A test program.
struct Suite {
    package: String,
    name: String,
    program: PathBuf,
    /// Where cargo runs it, too.
    folder: PathBuf,
}

/// Builds every test program, then runs those of one part, `at_once` at a time.
pub fn run(part: Part, at_once: usize, variables: &[(&str, &str)]) -> Outcome {
    let mut suites: VecDeque<Suite> = build()?.into_iter().filter(|suite| suite.part() == part).collect();
    suites.make_contiguous().sort_by_key(Suite::turn);
    let logs = target().join("tests");
    std::fs::create_dir_all(&logs).map_err(|error| format!("{}: {error}", logs.display()))?;
    let count = suites.len();
    let queue = Mutex::new(suites);
    let running = Mutex::new(BTreeMap::new());
    let (mut passed, mut failed) = (0, Vec::new());
    std::thread::scope(|scope| {
        let (tell, told) = mpsc::channel();
        for _ in 0..at_once {
            let (tell, queue, running, logs) = (tell.clone(), &queue, &running, &logs);
            scope.spawn(move || {
                loop {
                    let Some(suite) = lock(queue).pop_front() else { return };
                    let (name, began) = (suite.full_name(), now());
                    lock(running).insert(name.clone(), began);
                    let ended = suite.run(logs, variables);
                    lock(running).remove(&name);
                    if tell.send((name, began.elapsed(), ended)).is_err() {
                        return;
                    }
                }
            });
        }
        drop(tell);
        let mut ended = 0;
        loop {
            match told.recv_timeout(QUIET) {
                Ok((name, took, Ok(tests))) => {
                    ended += 1;
                    passed += tests;
                    println!("  {ended:>2}/{count} ok      {name}: {tests} in {:.1} s", took.as_secs_f64());
                }
                Ok((name, took, Err(said))) => {
                    ended += 1;
                    println!("{said}\n  {ended:>2}/{count} FAILED  {name} in {:.1} s", took.as_secs_f64());
                    failed.push(name);
                }
                Err(mpsc::RecvTimeoutError::Timeout) => {
                    let names: Vec<String> = lock(&running)
                        .iter()
                        .map(|(name, began)| format!("{name} ({} s)", began.elapsed().as_secs()))
                        .collect();
                    println!("        running {}", names.join(", "));
                }
                Err(mpsc::RecvTimeoutError::Disconnected) => break,
            }
        }
    });
    println!("  {passed} tests passed, {} of {count} programs failed", failed.len());
    if failed.is_empty() { Ok(()) } else { Err(format!("failed: {}; see {}", failed.join(", "), logs.display())) }
}

/// The examples in the documentation, which cargo alone can build.
pub fn examples() -> Outcome {
    show("nice", &["-n", "19", "cargo", "test", "--locked", "--workspace", "--doc", "--no-fail-fast", "--", "--quiet"])
}

fn build() -> Result<Vec<Suite>, String> {
    let args = ["test", "--locked", "--workspace", "--no-run", "--message-format=json-render-diagnostics"];
    let messages = read_shown("cargo", &args)?;
    let suites: Vec<Suite> =
        messages.lines().filter_map(|line| Suite::read(&serde_json::from_str(line).ok()?)).collect();
    if suites.is_empty() { Err("cargo built no test program".to_owned()) } else { Ok(suites) }
}

impl Suite {
    /// A test program out of cargo's message that it is built.
    fn read(message: &Value) -> Option<Self> {
        let program = PathBuf::from(message.pointer("/executable")?.as_str()?);
        let folder = PathBuf::from(message.pointer("/manifest_path")?.as_str()?).parent()?.to_path_buf();
        let kind = message.pointer("/target/kind/0")?.as_str()?;
        let name = message.pointer("/target/name")?.as_str()?;
        // `path+file:///folder/of/it#name@version`, without the name when the folder has it.
        let (at, id) = message.pointer("/package_id")?.as_str()?.rsplit_once('#')?;
        let package = id.split_once('@').map_or_else(|| at.rsplit('/').next().unwrap_or_default(), |(name, _)| name);
        let name = if kind == "test" { name.to_owned() } else { format!("{kind}, {name}") };
        message.pointer("/profile/test")?.as_bool()?.then(|| Self {
            package: package.to_owned(),
            name,
            program,
            folder,
        })
    }

    fn part(&self) -> Part {
        let needy =
            NEEDY.iter().find(|(package, name, _)| self.package == *package && (name.is_empty() || self.name == *name));
        needy.map_or(Part::Plain, |(_, _, part)| *part)
    }

    /// Its place among those that begin first; everything else comes after them, as it was built.
    fn turn(&self) -> usize {
        LONG.iter().position(|(package, name)| self.package == *package && self.name == *name).unwrap_or(LONG.len())
    }

    fn full_name(&self) -> String {
        format!("{} {}", self.package, self.name)
    }

    /// How many tests passed, or what the program said when one did not.
    fn run(&self, logs: &std::path::Path, variables: &[(&str, &str)]) -> Result<usize, String> {
        let path = logs.join(format!("{}.log", self.full_name().replace([' ', ','], "-")));
        let open = || File::create(&path).map_err(|error| format!("{}: {error}", path.display()));
        let log = open()?;
        let both = log.try_clone().map_err(|error| error.to_string())?;
        let status = command(&self.program.display().to_string())
            .current_dir(&self.folder)
            .env("CARGO_MANIFEST_DIR", &self.folder)
            .envs(variables.iter().copied())
            .stdout(log)
            .stderr(both)
            .status()
            .map_err(|error| format!("{}: {error}", self.program.display()))?;
        let said = std::fs::read(&path).map_err(|error| format!("{}: {error}", path.display()))?;
        let said = String::from_utf8_lossy(&said);
        passed(&said).filter(|_| status.success()).ok_or_else(|| format!("{said}{status}"))
    }
}

/// How many tests a program says have passed: all it has, for an ignored one would pass silently.
fn passed(said: &str) -> Option<usize> {
    let result = said.lines().rev().find_map(|line| line.strip_prefix("test result: ok. "))?;
    let count = |word: &str| result.split("; ").find_map(|part| part.strip_suffix(word)?.trim().parse::<usize>().ok());
    (count("ignored")? == 0).then(|| count("passed")).flatten()
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[allow(clippy::disallowed_methods, reason = "a stopwatch for people")]
fn now() -> Instant {
    Instant::now()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_test_program_is_found_in_what_cargo_says_and_a_library_is_not() {
        let message = |id: &str, kind: &str, name: &str| {
            json!({"reason": "compiler-artifact", "package_id": id, "manifest_path": "/w/crates/store/Cargo.toml",
                "target": {"kind": [kind], "name": name}, "profile": {"test": true}, "executable": "/w/target/x"})
        };
        let part = |id, kind, name| Suite::read(&message(id, kind, name)).map(|suite| suite.part());
        let store = "path+file:///w/crates/store#keelson-store@0.1.0";
        assert_eq!(part(store, "test", "postgres"), Some(Part::Database));
        assert_eq!(part(store, "lib", "keelson_store"), Some(Part::Plain));
        assert_eq!(part("path+file:///w/crates/keelson#0.1.0", "test", "real"), Some(Part::Cluster));
        assert_eq!(part("path+file:///w/e2e/harness#keelson-harness@0.1.0", "lib", "x"), Some(Part::Cluster));
        let library = json!({"reason": "compiler-artifact", "package_id": store, "executable": null});
        assert!(Suite::read(&library).is_none());
    }

    #[test]
    fn what_takes_long_begins_first() {
        let suite = |package: &str, name: &str| Suite {
            package: package.to_owned(),
            name: name.to_owned(),
            program: PathBuf::new(),
            folder: PathBuf::new(),
        };
        let mut suites = [suite("keelson-core", "record"), suite("keelson-soak", "days"), suite("keelson", "killed")];
        suites.sort_by_key(Suite::turn);
        assert_eq!(suites.map(|suite| suite.name), ["killed", "days", "record"]);
    }

    #[test]
    fn what_passed_is_counted_and_an_ignored_test_has_not_passed() {
        let said = |ignored| {
            format!(
                "running 3 tests\n\ntest result: ok. 3 passed; 0 failed; {ignored} ignored; 0 measured; 0 filtered out; finished in 0.00s\n"
            )
        };
        assert_eq!(passed(&said(0)), Some(3));
        assert_eq!(passed(&said(1)), None);
        assert_eq!(passed("test result: FAILED. 2 passed; 1 failed; 0 ignored"), None);
        assert_eq!(passed(""), None);
    }
}
