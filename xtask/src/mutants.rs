//! Faults put back on purpose, one at a time: each must be caught by the test that is named for it.
//!
//! A fault is a patch in `e2e/mutants`: a sentence, the test program and the test that catch it, and the change. They are
//! tried on a copy of the last commit, so that the working tree is never broken. `cargo xtask check` holds that every patch
//! still applies and names a test that exists: a list that rots proves nothing.
//!
//! `--random N` tries mutations that nobody thought of instead: another program does that (`e2e/mutate`), for it reads Rust.

use std::path::PathBuf;
use std::time::Instant;

use crate::run::{Outcome, command, program, read, root, show, target};

/// Where the faults are.
const FOLDER: &str = "e2e/mutants";
/// A test that runs for longer than this hangs, and has caught the fault.
const PATIENCE: &str = "300";

/// A fault.
struct Mutant {
    name: String,
    patch: PathBuf,
    sentence: String,
    program: String,
    test: String,
}

/// What became of one.
#[derive(PartialEq, Eq)]
enum End {
    Caught,
    Survived,
    DoesNotCompile,
}

/// Tries every fault, or those that are named; or mutations drawn by a seed.
pub fn run(names: &[&str]) -> Outcome {
    if names.first().is_some_and(|first| first.starts_with("--")) {
        return show(&program("keelson-mutate", "dev")?, names);
    }
    let mutants = all()?;
    if let Some(unknown) = names.iter().find(|name| !mutants.iter().any(|mutant| mutant.name == **name)) {
        return Err(format!("there is no {FOLDER}/{unknown}.patch"));
    }
    let copy = Copy::make()?;
    let mut wrong = Vec::new();
    for mutant in mutants.iter().filter(|mutant| names.is_empty() || names.contains(&mutant.name.as_str())) {
        let began = now();
        let end = copy.try_with(mutant)?;
        let word = match end {
            End::Caught => "caught",
            End::Survived => "SURVIVED",
            End::DoesNotCompile => "DOES NOT COMPILE",
        };
        let Mutant { name, sentence, program, test, .. } = mutant;
        println!("{word:<8}  {name:<24} {:>4} s  by {program} {test}: {sentence}", began.elapsed().as_secs());
        if end != End::Caught {
            wrong.push(name.as_str());
        }
    }
    if wrong.is_empty() { Ok(()) } else { Err(format!("not caught: {}", wrong.join(", "))) }
}

/// Patches that do not apply any more, and tests that are gone.
pub fn violations() -> Result<Vec<String>, String> {
    let mut wrong = Vec::new();
    for Mutant { name, patch, program, test, .. } in all()? {
        if let Err(why) = read("git", &["apply", "--check", &patch.display().to_string()]) {
            wrong.push(format!("{FOLDER}/{name}.patch does not apply: {}", why.lines().last().unwrap_or_default()));
        }
        let named = ["grep", "--quiet", "--word-regexp", &format!("fn {test}"), "--", &format!("*/tests/{program}.rs")];
        if read("git", &named).is_err() {
            wrong.push(format!("{FOLDER}/{name}.patch names {test} of {program}, which is not there"));
        }
    }
    Ok(wrong)
}

fn all() -> Result<Vec<Mutant>, String> {
    let folder = root().join(FOLDER);
    let entries = std::fs::read_dir(&folder).map_err(|error| format!("{}: {error}", folder.display()))?;
    let mut patches: Vec<PathBuf> = entries.filter_map(|entry| Some(entry.ok()?.path())).collect();
    patches.retain(|path| path.extension().is_some_and(|extension| extension == "patch"));
    patches.sort();
    patches.into_iter().map(Mutant::read).collect()
}

impl Mutant {
    fn read(patch: PathBuf) -> Result<Self, String> {
        let text = std::fs::read_to_string(&patch).map_err(|error| format!("{}: {error}", patch.display()))?;
        let name = patch.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        Self::parse(name, patch, &text)
    }

    fn parse(name: String, patch: PathBuf, text: &str) -> Result<Self, String> {
        let wrong = || format!("{FOLDER}/{name}.patch begins with a sentence and `Caught by: PROGRAM TEST`");
        let (head, _) = text.split_once("\n--- ").ok_or_else(wrong)?;
        let (sentence, catcher) = head.split_once("\n\nCaught by: ").ok_or_else(wrong)?;
        let (program, test) = catcher.trim().split_once(' ').ok_or_else(wrong)?;
        let (sentence, program, test) = (sentence.replace('\n', " "), program.to_owned(), test.to_owned());
        Ok(Self { sentence, program, test, patch, name })
    }
}

/// A checkout of the last commit, beside the working tree; it goes when it is dropped. What cargo builds of other people's
/// crates is shared with the working tree.
struct Copy(PathBuf);

impl Copy {
    fn make() -> Result<Self, String> {
        let copy = Self(target().join("mutants"));
        copy.remove();
        read("git", &["worktree", "add", "--detach", &copy.0.display().to_string()])?;
        Ok(copy)
    }

    fn remove(&self) {
        // Whatever an earlier run has left; usually nothing.
        let _ = read("git", &["worktree", "remove", "--force", &self.0.display().to_string()]);
    }

    fn try_with(&self, mutant: &Mutant) -> Result<End, String> {
        self.git(&["checkout", "--quiet", "."])?;
        self.git(&["apply", &mutant.patch.display().to_string()])?;
        let test = ["test", "--locked", "--quiet", "--workspace", "--test", &mutant.program];
        if !self.cargo("cargo", &[&test[..], &["--no-run"]].concat())? {
            return Ok(End::DoesNotCompile);
        }
        let bounded = [&[PATIENCE, "cargo"], &test[..], &["--", "--exact", &mutant.test]].concat();
        Ok(if self.cargo("timeout", &bounded)? { End::Survived } else { End::Caught })
    }

    fn git(&self, args: &[&str]) -> Outcome {
        let copy = self.0.display().to_string();
        read("git", &[&["-C", &copy], args].concat()).map(drop)
    }

    /// Whether it succeeded.
    fn cargo(&self, program: &str, args: &[&str]) -> Result<bool, String> {
        let log = std::fs::File::create(target().join("mutants.log")).map_err(|error| error.to_string())?;
        let both = log.try_clone().map_err(|error| error.to_string())?;
        let mut cargo = command(program);
        cargo.args(args).current_dir(&self.0).env("CARGO_TARGET_DIR", target()).stdout(log).stderr(both);
        cargo.status().map(|status| status.success()).map_err(|error| format!("{program}: {error}"))
    }
}

impl Drop for Copy {
    fn drop(&mut self) {
        self.remove();
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

    fn parsed(text: &str) -> Result<Mutant, String> {
        Mutant::parse("lost".to_owned(), PathBuf::from("lost.patch"), text)
    }

    #[test]
    fn a_fault_names_what_catches_it() {
        let mutant = parsed("A key\nis lost.\n\nCaught by: queue nothing_is_lost\n\n--- a/x\n+++ b/x\n").unwrap();
        let said = (mutant.sentence.as_str(), mutant.program.as_str(), mutant.test.as_str());
        assert_eq!(said, ("A key is lost.", "queue", "nothing_is_lost"));
    }

    #[test]
    fn a_patch_that_names_nothing_is_refused_by_its_name() {
        for text in ["", "--- a/x\n", "A key is lost.\n\n--- a/x\n", "A key is lost.\n\nCaught by: queue\n\n--- a/x\n"]
        {
            assert!(parsed(text).is_err_and(|error| error.contains("lost.patch")), "{text:?}");
        }
    }
}
