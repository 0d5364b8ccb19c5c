//! Running another program, so that a person sees what runs and CI sees what failed.

use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

/// The outcome of a developer command: an error is one sentence for people.
pub type Outcome = Result<(), String>;

/// The repository's root.
pub fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("..").canonicalize().unwrap_or_else(|_| PathBuf::from("."))
}

/// Where cargo builds.
pub fn target() -> PathBuf {
    root().join(std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| PathBuf::from("target"), PathBuf::from))
}

/// A program to run in the repository's root.
///
/// It is not told what cargo told us about ourselves. Build scripts ask for these variables (ring's does): where they
/// come and go, a `cargo` started here and one started by hand would each undo what the other has built.
pub fn command(program: &str) -> Command {
    let mut command = Command::new(program);
    command.current_dir(root());
    for (name, _) in std::env::vars_os().filter(|(name, _)| is_ours_alone(&name.to_string_lossy())) {
        command.env_remove(name);
    }
    command
}

/// Whether cargo sets a variable for the one program that it runs.
fn is_ours_alone(variable: &str) -> bool {
    ["CARGO_PKG_", "CARGO_MANIFEST_"].iter().any(|start| variable.starts_with(start)) || variable == "OUT_DIR"
}

/// Runs a program in the repository's root with its output shown.
pub fn show(program: &str, args: &[&str]) -> Outcome {
    show_in(&root(), program, args)
}

/// Runs a program in a folder with its output shown.
pub fn show_in(folder: &Path, program: &str, args: &[&str]) -> Outcome {
    shown(program, args, command(program).args(args).current_dir(folder))
}

/// Runs a program with these variables in its environment and its output shown.
pub fn show_with(environment: &[(&str, &str)], program: &str, args: &[&str]) -> Outcome {
    shown(program, args, command(program).args(args).envs(environment.iter().copied()))
}

fn shown(program: &str, args: &[&str], command: &mut Command) -> Outcome {
    let line = said(program, args);
    let status = command.status().map_err(|error| absent(program, &error))?;
    if status.success() { Ok(()) } else { Err(format!("`{line}` ended with {status}")) }
}

/// Becomes a program: signals reach it, and its end is ours. Returns only when it cannot be started.
pub fn become_program(program: &str, args: &[&str]) -> Outcome {
    said(program, args);
    Err(absent(program, &command(program).args(args).exec()))
}

/// Runs a program in the repository's root with its progress shown, and returns what it printed.
pub fn read_shown(program: &str, args: &[&str]) -> Result<String, String> {
    let line = said(program, args);
    let Output { status, stdout, .. } =
        command(program).args(args).stderr(Stdio::inherit()).output().map_err(|error| absent(program, &error))?;
    if !status.success() {
        return Err(format!("`{line}` ended with {status}"));
    }
    String::from_utf8(stdout).map_err(|_| format!("{program} printed bytes that are not UTF-8"))
}

/// Runs a program in the repository's root and returns what it printed.
pub fn read(program: &str, args: &[&str]) -> Result<String, String> {
    let Output { status, stdout, stderr } =
        command(program).args(args).output().map_err(|error| absent(program, &error))?;
    if status.success() {
        String::from_utf8(stdout).map_err(|_| format!("{program} printed bytes that are not UTF-8"))
    } else {
        Err(format!("`{program} {}` ended with {status}: {}", args.join(" "), String::from_utf8_lossy(&stderr)))
    }
}

/// Builds one of the workspace's programs and returns where it is. The features of dependencies are those of the whole
/// workspace, as in its tests: a crate built alone would have them built again.
pub fn program(name: &str, profile: &str) -> Result<String, String> {
    show("cargo", &["build", "--locked", "--workspace", "--bin", name, "--profile", profile])?;
    let folder = if profile == "dev" { "debug" } else { profile };
    Ok(target().join(folder).join(name).display().to_string())
}

/// Says what is about to run.
fn said(program: &str, args: &[&str]) -> String {
    let line = format!("{program} {}", args.join(" "));
    eprintln!("  $ {line}");
    line
}

fn absent(program: &str, error: &std::io::Error) -> String {
    format!("{program} could not be started: {error}")
}

#[cfg(test)]
mod tests {
    #[test]
    fn cargo_in_cargo_does_not_hear_of_the_outer_ones_package() {
        for (variable, ours) in
            [("CARGO_PKG_NAME", true), ("CARGO_MANIFEST_DIR", true), ("CARGO_TARGET_DIR", false), ("CARGO_HOME", false)]
        {
            assert_eq!(super::is_ours_alone(variable), ours, "{variable}");
        }
    }
}
