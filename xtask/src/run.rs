//! Running another program, so that a person sees what runs and CI sees what failed.

use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

/// The outcome of a developer command: an error is one sentence for people.
pub type Outcome = Result<(), String>;

/// The repository's root.
pub fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("..").canonicalize().unwrap_or_else(|_| PathBuf::from("."))
}

/// Runs a program in the repository's root with its output shown.
pub fn show(program: &str, args: &[&str]) -> Outcome {
    show_in(&root(), program, args)
}

/// Runs a program in a folder with its output shown.
pub fn show_in(folder: &Path, program: &str, args: &[&str]) -> Outcome {
    eprintln!("  $ {program} {}", args.join(" "));
    let status = Command::new(program)
        .args(args)
        .current_dir(folder)
        .status()
        .map_err(|error| format!("{program} could not be started: {error}"))?;
    if status.success() { Ok(()) } else { Err(format!("`{program} {}` ended with {status}", args.join(" "))) }
}

/// Runs a program in the repository's root with its output shown and variables set.
pub fn show_with(variables: &[(&str, &str)], program: &str, args: &[&str]) -> Outcome {
    let set: Vec<String> = variables.iter().map(|(name, value)| format!("{name}={value}")).collect();
    eprintln!("  $ {} {program} {}", set.join(" "), args.join(" "));
    let status = Command::new(program)
        .args(args)
        .envs(variables.iter().copied())
        .current_dir(root())
        .status()
        .map_err(|error| format!("{program} could not be started: {error}"))?;
    if status.success() { Ok(()) } else { Err(format!("`{program} {}` ended with {status}", args.join(" "))) }
}

/// Runs a program in the repository's root with its progress shown, and returns what it printed.
pub fn read_shown(program: &str, args: &[&str]) -> Result<String, String> {
    eprintln!("  $ {program} {}", args.join(" "));
    let Output { status, stdout, .. } = Command::new(program)
        .args(args)
        .current_dir(root())
        .stderr(Stdio::inherit())
        .output()
        .map_err(|error| format!("{program} could not be started: {error}"))?;
    if !status.success() {
        return Err(format!("`{program} {}` ended with {status}", args.join(" ")));
    }
    String::from_utf8(stdout).map_err(|_| format!("{program} printed bytes that are not UTF-8"))
}

/// Runs a program in the repository's root and returns what it printed.
pub fn read(program: &str, args: &[&str]) -> Result<String, String> {
    let Output { status, stdout, stderr } = Command::new(program)
        .args(args)
        .current_dir(root())
        .output()
        .map_err(|error| format!("{program} could not be started: {error}"))?;
    if status.success() {
        String::from_utf8(stdout).map_err(|_| format!("{program} printed bytes that are not UTF-8"))
    } else {
        Err(format!("`{program} {}` ended with {status}: {}", args.join(" "), String::from_utf8_lossy(&stderr)))
    }
}

/// Builds one of the workspace's programs and returns where it is. The features of dependencies are those of the whole
/// workspace, as in its tests: a crate built alone would have them built again.
pub fn program(name: &str, profile: &str) -> Result<String, String> {
    let cargo = ["build", "--locked", "--workspace", "--bin", name, "--profile", profile];
    show("cargo", &cargo)?;
    let target = std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| root().join("target"), PathBuf::from);
    let folder = if profile == "dev" { "debug" } else { profile };
    Ok(root().join(target).join(folder).join(name).display().to_string())
}
