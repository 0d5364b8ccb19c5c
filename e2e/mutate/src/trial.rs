//! Trying one mutant.
//!
//! Promises: a test program that hangs or eats memory is ended, and has caught the mutant; the first test that fails ends
//! it, too.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use std::time::{Duration, Instant};

use crate::compile::Program;

/// Memory that no test needs, in KiB: a mutant that never ends may grow.
const MEMORY_KIB: &str = "6000000";

/// What is said of a program that was ended.
pub const HANGS: &str = "hangs for";

/// How a run of a test program ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum End {
    Passed,
    /// Which test failed, or what else went wrong.
    Failed(String),
}

/// What a run is told.
pub enum Told<'a> {
    /// No mutant is on trial: which are asked about goes to a file.
    Note(&'a Path),
    /// This one is.
    Try(usize),
}

/// Runs a test program, for no longer than this.
///
/// # Errors
/// When it cannot be started.
pub fn run(program: &Program, told: &Told<'_>, limit: Duration) -> Result<End, String> {
    let failed = |error| format!("{}: {error}", program.path.display());
    let mut command = Command::new("sh");
    // One test at a time: other mutants are tried beside this one.
    command.args(["-c", "ulimit -v $0; exec \"$@\"", MEMORY_KIB]).arg(&program.path).arg("--test-threads=1");
    match told {
        Told::Note(file) => command.env("KEELSON_MUTANTS_ASKED", file),
        Told::Try(number) => command.env("KEELSON_MUTANT", number.to_string()),
    };
    command.current_dir(&program.folder).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null());
    let mut running = Running(command.spawn().map_err(failed)?);
    let (say, heard) = mpsc::channel();
    if let Some(out) = running.0.stdout.take() {
        std::thread::spawn(move || {
            let mut lines = BufReader::new(out).lines().map_while(Result::ok);
            // A failed test, or nothing at the end of the output.
            drop(say.send(lines.find_map(|line| failed_test(&line))));
        });
    }
    let began = now();
    match heard.recv_timeout(limit) {
        Ok(Some(test)) => return Ok(End::Failed(test)),
        Ok(None) => {}
        Err(_) => return Ok(End::Failed(format!("{HANGS} {} s", limit.as_secs()))),
    }
    // It has closed its output, and so ends.
    while began.elapsed() < limit {
        if let Some(status) = running.0.try_wait().map_err(failed)? {
            return Ok(if status.success() { End::Passed } else { End::Failed(status.to_string()) });
        }
        std::thread::sleep(Duration::from_millis(5));
    }
    Ok(End::Failed(format!("{HANGS} {} s", limit.as_secs())))
}

/// The name in `test NAME ... FAILED`.
fn failed_test(line: &str) -> Option<String> {
    let test = line.strip_suffix("FAILED")?.strip_prefix("test ")?;
    Some(test.split(" ...").next().unwrap_or(test).to_owned())
}

/// A program, ended when this is dropped.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[allow(clippy::disallowed_methods, reason = "a stopwatch for people")]
pub fn now() -> Instant {
    Instant::now()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failed_test_is_known_by_its_line() {
        assert_eq!(failed_test("test gate::tests::rests ... FAILED").as_deref(), Some("gate::tests::rests"));
        assert_eq!(failed_test("test gate::tests::rests ... ok"), None);
        assert_eq!(failed_test("test result: FAILED. 1 passed"), None);
    }
}
